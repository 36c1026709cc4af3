//! The rows of feeds.

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::domain::collection::CollectionId;
use crate::domain::feed::{Feed, From, Pace, State};
use crate::domain::import::{Counts, Mode};
use crate::store::StoreError;
use crate::store::record::{address, code, decode, micros, pack, time, unpack, user};

/// Which of the sources, its text, the collection's number where it is one.
type FromRow = (u8, String, u64);
/// A schedule and its zone; or seconds and whether they were chosen; or neither.
type PaceRow = (Option<(String, String)>, Option<(u32, bool)>);
type Instants = (i64, Option<i64>, Option<i64>, Option<i64>);
type StateRow = (
    Instants,
    Option<String>,
    (String, u32, bool),
    (Option<String>, [u64; 7], Vec<String>),
    (Option<String>, Option<String>, Vec<u8>),
    (bool, bool),
);
type Row = (String, String, String, FromRow, (u8, String), PaceRow, bool, StateRow);

pub fn pack_feed(f: &Feed) -> Bytes {
    let from: FromRow = match &f.from {
        From::Url(url) => (0, url.clone(), 0),
        From::Directory(path) => (1, path.clone(), 0),
        From::Birthdays(book, id) => (2, book.to_string(), id.0),
    };
    let pace: PaceRow = match &f.pace {
        Pace::Cron { schedule, zone } => (Some((schedule.clone(), zone.clone())), None),
        Pace::Every { seconds, chosen } => (None, Some((*seconds, *chosen))),
        Pace::Follows => (None, None),
    };
    let s = &f.state;
    let at = |at: Option<DateTime<Utc>>| at.map(micros);
    let c = &s.counts;
    pack((
        &f.id,
        f.user.as_str(),
        f.target.to_string(),
        from,
        (code(&Mode::ALL, &f.mode), &f.source),
        pace,
        f.private,
        (
            (micros(s.due), at(s.ran), at(s.succeeded), at(s.failed)),
            &s.running,
            (&s.why, s.failures, s.down),
            (&s.import, [c.created, c.updated, c.unchanged, c.failed, c.skipped, c.deleted, c.repaired], &s.warnings),
            (&s.etag, &s.modified, &s.hash),
            (s.again, s.forced),
        ),
    ))
}

pub fn feed(bytes: &[u8]) -> Result<Feed, StoreError> {
    const WHAT: &str = "feed";
    let (id, name, target, from, (mode, source), pace, private, state): Row = unpack(WHAT, bytes)?;
    let from = match from {
        (0, url, _) => From::Url(url),
        (1, path, _) => From::Directory(path),
        (2, book, number) => From::Birthdays(address(WHAT, &book)?, CollectionId(number)),
        _ => return Err(StoreError::Unreadable(WHAT)),
    };
    let pace = match pace {
        (Some((schedule, zone)), _) => Pace::Cron { schedule, zone },
        (None, Some((seconds, chosen))) => Pace::Every { seconds, chosen },
        (None, None) => Pace::Follows,
    };
    let ((due, ran, succeeded, failed), running, (why, failures, down), last, known, (again, forced)) = state;
    let (import, [created, updated, unchanged, lost, skipped, deleted, repaired], warnings) = last;
    let (etag, modified, hash) = known;
    let at = |at: Option<i64>| at.map(|at| time(WHAT, at)).transpose();
    Ok(Feed {
        id,
        user: user(WHAT, &name)?,
        target: address(WHAT, &target)?,
        from,
        mode: decode(WHAT, &Mode::ALL, mode)?,
        source,
        pace,
        private,
        state: State {
            due: time(WHAT, due)?,
            running,
            ran: at(ran)?,
            succeeded: at(succeeded)?,
            failed: at(failed)?,
            why,
            failures,
            down,
            import,
            counts: Counts { created, updated, unchanged, failed: lost, skipped, deleted, repaired },
            warnings,
            etag,
            modified,
            hash,
            again,
            forced,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::address::{Address, UserName};

    #[test]
    fn feeds_come_back() {
        let at = |path: &str| Address::parse(path).expect("an address");
        let now = DateTime::from_timestamp(1_736_931_600, 0).expect("an instant");
        let book = at("/addressbooks/alice/collected");
        let rows = [
            (From::Url("https://example.org/".to_owned()), Pace::Every { seconds: 60, chosen: true }),
            (From::Directory("/srv".to_owned()), Pace::Cron { schedule: "0 * * * *".into(), zone: "UTC".into() }),
            (From::Birthdays(book, CollectionId(9)), Pace::Follows),
        ];
        for (from, pace) in rows {
            let mut state = State::fresh(now);
            state.running = Some("i".to_owned());
            state.failed = Some(now);
            state.why = "no".to_owned();
            state.counts.deleted = 3;
            state.hash = vec![1, 2];
            let feed = Feed {
                id: "feed-1".to_owned(),
                user: UserName::new("alice").expect("a name"),
                target: at("/calendars/alice/feed-1"),
                from,
                mode: Mode::Mirror,
                source: "feed".to_owned(),
                pace,
                private: false,
                state,
            };
            assert_eq!(super::feed(&pack_feed(&feed)).expect("a row"), feed);
        }
    }
}
