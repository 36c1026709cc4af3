//! The rows of alarms that rang, of their channels and deliveries.

use bytes::Bytes;
use serde::Serialize;

use crate::domain::address::UserName;
use crate::domain::alarm::{Action, Rung, State};
use crate::domain::channel::{CHANNELS, Channels, Ntfy, Webhook};
use crate::domain::delivery::{Delivery, DeliveryId, Errand};
use crate::domain::event::{Rang, Words};
use crate::store::StoreError;
use crate::store::record::{address, code, decode, micros, more, pack, time, unpack, unpack_some, user};

const ACTIONS: [Action; 3] = [Action::Display, Action::Audio, Action::Email];

pub(super) type RangRow = (String, i64, (String, String), (u8, String), (i64, i64, u64));

/// An alarm that rang, as the journal, the list of rung alarms and deliveries keep it; its attendees stand beside it, where they matter.
pub(super) fn rang_row(user: &UserName, alarm: &Rang) -> impl Serialize {
    (
        user.as_str().to_owned(),
        micros(alarm.at),
        (alarm.object.collection().to_string(), alarm.object.name().to_owned()),
        (code(&ACTIONS, &alarm.action), alarm.summary.clone()),
        (micros(alarm.start), micros(alarm.end), alarm.id),
    )
}

pub(super) fn rang(what: &'static str, row: RangRow) -> Result<(UserName, Rang), StoreError> {
    let (name, at, (collection, object), (action, summary), (start, end, id)) = row;
    let object = address(what, &collection)?.object(&object).ok_or(StoreError::Unreadable(what))?;
    let alarm = Rang {
        at: time(what, at)?,
        object,
        action: decode(what, &ACTIONS, action)?,
        summary,
        start: time(what, start)?,
        end: time(what, end)?,
        id,
        attendees: Vec::new(),
        words: None,
    };
    Ok((user(what, &name)?, alarm))
}

pub(super) type WordsRow = Option<(String, String)>;

pub(super) fn words_row(alarm: &Rang) -> WordsRow {
    alarm.words.as_ref().map(|words| (words.subject.clone(), words.text.clone()))
}

pub(super) fn words_back(row: WordsRow) -> Option<Box<Words>> {
    row.map(|(subject, text)| Box::new(Words { subject, text }))
}

pub(super) type StateRow = (u8, Option<i64>);

pub(super) fn state_row(state: State) -> StateRow {
    match state {
        State::Waiting => (0, None),
        State::Told => (1, None),
        State::Acknowledged => (2, None),
        State::Snoozed(until) => (3, Some(micros(until))),
    }
}

pub(super) fn state_back(what: &'static str, row: StateRow) -> Result<State, StoreError> {
    Ok(match row {
        (0, _) => State::Waiting,
        (1, _) => State::Told,
        (2, _) => State::Acknowledged,
        (3, Some(until)) => State::Snoozed(time(what, until)?),
        _ => return Err(StoreError::Unreadable(what)),
    })
}

pub fn pack_rung(rung: &Rung) -> Bytes {
    let (state, until) = state_row(rung.state);
    pack((rang_row(&rung.user, &rung.alarm), state, until))
}

pub fn rung(bytes: &[u8]) -> Result<Rung, StoreError> {
    const WHAT: &str = "rung alarm";
    let (row, state, until): (RangRow, u8, Option<i64>) = unpack(WHAT, bytes)?;
    let (user, alarm) = rang(WHAT, row)?;
    Ok(Rung { user, alarm, state: state_back(WHAT, (state, until))? })
}

pub fn pack_channels(c: &Channels) -> Bytes {
    let webhook = c.webhook.as_ref().map(|w| (&w.url, &w.secret, w.stopped.map(micros)));
    pack((c.email, webhook, c.ntfy.as_ref().map(|ntfy| (&ntfy.url, &ntfy.token)), c.writes_back))
}

pub fn channels(bytes: &[u8]) -> Result<Channels, StoreError> {
    const WHAT: &str = "channels";
    type Row = (bool, Option<(String, String, Option<i64>)>, Option<(String, Option<String>)>);
    // Rows of before there was a way back end here.
    let ((email, webhook, ntfy), rest): (Row, &[u8]) = unpack_some(WHAT, bytes)?;
    let writes_back = if rest.is_empty() { false } else { more(WHAT, rest)? };
    let webhook = webhook
        .map(|(url, secret, stopped)| {
            let stopped = stopped.map(|at| time(WHAT, at)).transpose()?;
            Ok::<_, StoreError>(Webhook { url, secret, stopped })
        })
        .transpose()?;
    Ok(Channels { email, webhook, ntfy: ntfy.map(|(url, token)| Ntfy { url, token }), writes_back })
}

const ERRANDS: [Errand; 2] = [Errand::Ring, Errand::Clear];

pub fn pack_delivery(d: &Delivery) -> Bytes {
    let way = (code(&CHANNELS, &d.channel), code(&ERRANDS, &d.errand), &d.recipient);
    pack((d.id.0, way, rang_row(&d.user, &d.alarm), micros(d.planned), d.attempts, &d.why, words_row(&d.alarm)))
}

pub fn delivery(bytes: &[u8]) -> Result<Delivery, StoreError> {
    const WHAT: &str = "delivery";
    type Row = (u128, (u8, u8, String), RangRow, i64, u32, String);
    // Rows of before mails had words end here.
    let ((id, (channel, errand, recipient), row, planned, attempts, why), rest): (Row, &[u8]) =
        unpack_some(WHAT, bytes)?;
    let words = if rest.is_empty() { None } else { words_back(more(WHAT, rest)?) };
    let (user, alarm) = rang(WHAT, row)?;
    let alarm = Rang { words, ..alarm };
    Ok(Delivery {
        id: DeliveryId(id),
        user,
        channel: decode(WHAT, &CHANNELS, channel)?,
        errand: decode(WHAT, &ERRANDS, errand)?,
        recipient,
        alarm,
        planned: time(WHAT, planned)?,
        attempts,
        why,
    })
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::domain::address::Address;
    use crate::domain::event::Event;
    use crate::store::record::lines::{Line, line, pack_line};

    fn alarm(words: Option<Box<Words>>) -> Rang {
        let object = Address::parse("/calendars/alice/default").and_then(|at| at.object("a.ics")).expect("a name");
        let at = DateTime::UNIX_EPOCH;
        let attendees = vec!["a@example.org".to_owned()];
        Rang {
            at,
            object,
            action: Action::Email,
            summary: "Tea".to_owned(),
            start: at,
            end: at,
            id: 7,
            attendees,
            words,
        }
    }

    #[test]
    fn what_an_alarm_says_comes_back() {
        let user = UserName::new("alice").expect("a name");
        for words in [None, Words::new("Subject", ""), Words::new("Subject", "Text")] {
            let event = Event::Rang { user: user.clone(), alarm: alarm(words) };
            let kept = Line { written: DateTime::UNIX_EPOCH, not_before: Some(DateTime::UNIX_EPOCH), event };
            assert_eq!(line(&pack_line(&kept)).ok(), Some(kept));
        }
    }

    #[test]
    fn rows_that_have_grown_are_still_read() {
        let webhook: Option<(String, String, Option<i64>)> = None;
        let old = pack((true, webhook, Some(("https://ntfy.sh/t", None::<String>))));
        let read = channels(&old).expect("an old row");
        assert!(read.email && read.ntfy.is_some() && !read.writes_back);
        let new = Channels { writes_back: true, ..read };
        assert!(channels(&pack_channels(&new)).is_ok_and(|again| again == new));

        let user = UserName::new("alice").expect("a name");
        let bare = alarm(None);
        let old = pack((7u128, (0u8, 0u8, "a@example.org"), rang_row(&user, &bare), 0i64, 2u32, "why"));
        let read = delivery(&old).expect("an old row");
        assert_eq!((read.attempts, &read.alarm.words), (2, &None));
        let said = Delivery { alarm: Rang { words: Words::new("s", "t"), ..read.alarm.clone() }, ..read };
        assert_eq!(delivery(&pack_delivery(&said)).ok(), Some(said));
    }
}
