//! A feed: a source elsewhere that fills a collection here again and again, and how it has done. Plain values; fetches nothing.

use chrono::{DateTime, Utc};

use crate::domain::address::{Address, UserName};
use crate::domain::collection::CollectionId;
use crate::domain::import::{Counts, Mode};

/// A longer URL is refused.
pub const URL_MAX: usize = 2_048;
/// Bytes of what is kept of a failure.
pub const WHY_MAX: usize = 300;
/// What the names of calendars begin with that a URL fills, and those that an address book does; the service makes them up.
pub const FEED: &str = "feed-";
pub const BIRTHDAYS: &str = "birthdays-";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feed {
    /// Of a calendar that it keeps, the calendar's name; of a feed of the operator's, the name it has there.
    pub id: String,
    /// In whose home it fills something, and whose right it has there.
    pub user: UserName,
    pub target: Address,
    pub from: From,
    pub mode: Mode,
    /// Which of several sources of the target it is to a mirror.
    pub source: String,
    pub pace: Pace,
    /// Whether it may be fetched from an address that is not public.
    pub private: bool,
    pub state: State,
}

/// Where what it holds comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum From {
    Url(String),
    /// All calendar files, or all files of cards, in a directory of this machine.
    Directory(String),
    /// The days of birth in an address book.
    Birthdays(Address, CollectionId),
}

/// When it is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pace {
    /// The operator's: a schedule as it is written, and the zone that it is read in.
    Cron { schedule: String, zone: String },
    /// Each so many seconds; `chosen` where a person said so, and what the feed itself wishes counts for nothing.
    Every { seconds: u32, chosen: bool },
    /// Whenever its source changes.
    Follows,
}

/// How it has done, and when it is looked at next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// When it is looked at next: calendar time.
    pub due: DateTime<Utc>,
    /// The import of what was fetched last, while it is under way.
    pub running: Option<String>,
    pub ran: Option<DateTime<Utc>>,
    pub succeeded: Option<DateTime<Utc>>,
    pub failed: Option<DateTime<Utc>>,
    /// Why it failed last; empty once it succeeded.
    pub why: String,
    /// Failures since it last succeeded.
    pub failures: u32,
    /// It failed so often that its listeners were told.
    pub down: bool,
    /// What came of the last import, and its id.
    pub import: Option<String>,
    pub counts: Counts,
    pub warnings: Vec<String>,
    /// By what the next fetch asks whether anything is new: ETag, Last-Modified, SHA-256.
    pub etag: Option<String>,
    pub modified: Option<String>,
    pub hash: Vec<u8>,
    /// It is to be looked at once more, whatever is under way.
    pub again: bool,
    /// Somebody wants the next run to remove whatever is gone, however much that is.
    pub forced: bool,
}

impl State {
    /// A feed that was never looked at, and is due at once.
    pub fn fresh(now: DateTime<Utc>) -> State {
        State {
            due: now,
            running: None,
            ran: None,
            succeeded: None,
            failed: None,
            why: String::new(),
            failures: 0,
            down: false,
            import: None,
            counts: Counts::default(),
            warnings: Vec::new(),
            etag: None,
            modified: None,
            hash: Vec::new(),
            again: false,
            forced: false,
        }
    }

    /// In a word.
    pub fn word(&self) -> &'static str {
        match () {
            () if self.down => "down",
            () if self.failures > 0 => "failing",
            () if self.succeeded.is_some() => "ok",
            () => "new",
        }
    }
}

impl Feed {
    /// Whether the collection is there for this feed alone: nobody else writes into it, and it goes with it.
    pub fn keeps(&self) -> bool {
        !matches!(self.pace, Pace::Cron { .. })
    }
}

/// A URL of a feed as it is fetched, or why it cannot be: `webcal:` is another word for https.
///
/// ```
/// use campanile::domain::feed::fetchable;
/// assert_eq!(fetchable("webcal://example.org/team.ics").unwrap(), "https://example.org/team.ics");
/// assert!(fetchable("file:///etc/passwd").is_err());
/// assert!(fetchable("https://me:secret@example.org/").is_err());
/// ```
pub fn fetchable(url: &str) -> Result<String, &'static str> {
    let url = url.trim();
    if url.len() > URL_MAX {
        return Err("longer than 2048 bytes");
    }
    let Some((scheme, rest)) = url.split_once("://") else { return Err("no URL like https://example.org/team.ics") };
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "webcal" | "webcals" | "https" => "https",
        "http" => "http",
        _ => return Err("must begin with https://, http:// or webcal://"),
    };
    let rest = rest.split('#').next().unwrap_or_default();
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    if authority.is_empty() || authority.starts_with(':') {
        return Err("must name a host");
    }
    if authority.contains('@') {
        return Err("must name neither user nor password");
    }
    if !url.bytes().all(|byte| byte.is_ascii_graphic()) || authority.contains('\\') {
        return Err("holds characters that no URL can");
    }
    Ok(format!("{scheme}://{rest}"))
}

/// Of a URL what those may see who may not read the feed: paths of feeds are often as good as passwords.
pub fn host_of(url: &str) -> &str {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    authority.split(['/', '?']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_fetched_is_a_feed() {
        let rows = [
            ("https://example.org/a.ics", Ok("https://example.org/a.ics")),
            ("HTTPS://example.org/a.ics#x", Ok("https://example.org/a.ics")),
            (" webcal://example.org/a?b=c ", Ok("https://example.org/a?b=c")),
            ("webcals://example.org", Ok("https://example.org")),
            ("http://[::1]:8080/a", Ok("http://[::1]:8080/a")),
            ("file:///etc/passwd", Err("must begin with https://, http:// or webcal://")),
            ("gopher://example.org/", Err("must begin with https://, http:// or webcal://")),
            ("example.org/a.ics", Err("no URL like https://example.org/team.ics")),
            ("https://", Err("must name a host")),
            ("https:///a", Err("must name a host")),
            ("https://:80/", Err("must name a host")),
            ("https://a:b@example.org/", Err("must name neither user nor password")),
            ("https://example.org\\@evil/", Err("must name neither user nor password")),
            ("https://example.org/a b", Err("holds characters that no URL can")),
            ("https://example.org/\r\nHost:x", Err("holds characters that no URL can")),
        ];
        for (url, want) in rows {
            assert_eq!(fetchable(url).as_deref(), want.as_deref(), "{url}");
        }
        assert_eq!(host_of("https://example.org:81/secret?x"), "example.org:81");
    }
}
