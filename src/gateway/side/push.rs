//! What the Side dialect says: messages to JSON in ready frames. Decides nothing about who hears them.

use bytes::Bytes;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::domain::address::{Address, Kind};
use crate::domain::event::{ListChange, Rang};
use crate::domain::import::Stand;
use crate::domain::occurrence::instant;
use crate::domain::sync::Token;
use crate::gateway::frame;
use crate::http::place;

/// `{}`, already framed: the pong that browsers wait for.
pub const EMPTY: Bytes = Bytes::from_static(b"\x81\x02{}");

/// Said when the socket stands.
pub const WELCOME: Bytes = Bytes::from_static(b"\x81\x1f{\"calendarListRegistered\":true}");

/// The answer to `register` and `unregister`. Empty parts are left out; reasons are `Forbidden`, `NotFound` and `InternalError`.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub registered: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "pairs")]
    pub not_registered: Vec<(&'a str, &'static str)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unregistered: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "pairs")]
    pub not_unregistered: Vec<(&'a str, &'static str)>,
}

fn pairs<S: Serializer>(pairs: &[(&str, &str)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(pairs.iter().copied())
}

/// An object with a single key.
struct One<'a, T>(&'a str, T);

impl<T: Serialize> Serialize for One<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.0, &self.1)?;
        map.end()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Imported {
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    succeed_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed_count: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Importing {
    status: &'static str,
    succeed_count: u64,
    failed_count: u64,
    done: u64,
    total: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Alarm<'a> {
    event_summary: &'a str,
    #[serde(rename = "eventURL")]
    event_url: String,
    event_start_time: String,
}

pub fn answer(answer: &Answer<'_>) -> Bytes {
    framed(answer)
}

pub fn error(why: &str) -> Bytes {
    framed(&One("error", why))
}

pub fn display(enabled: bool) -> Bytes {
    framed(&One("displayNotificationEnabled", enabled))
}

pub fn features(granted: &[&str]) -> Bytes {
    framed(&One("features", granted))
}

/// A new sync token: a calendar's is the URL that its REPORT takes, an address book's the bare number.
pub fn token(label: &str, kind: Kind, token: Token) -> Bytes {
    let text = match kind {
        Kind::Calendar => token.url(),
        Kind::AddressBook => token.0.to_string(),
    };
    framed(&One(label, One("syncToken", text)))
}

/// The end of an import; one that failed as a whole has no counts.
pub fn imported(label: &str, import: &str, counts: Option<(u64, u64)>) -> Bytes {
    let ended = Imported {
        status: if counts.is_some() { "completed" } else { "failed" },
        succeed_count: counts.map(|(succeeded, _)| succeeded),
        failed_count: counts.map(|(_, failed)| failed),
    };
    framed(&One(label, One("imports", One(import, ended))))
}

/// How far an import is.
pub fn importing(label: &str, import: &str, stand: Stand) -> Bytes {
    let Stand { succeeded, failed, done, total } = stand;
    let running = Importing { status: "running", succeed_count: succeeded, failed_count: failed, done, total };
    framed(&One(label, One("imports", One(import, running))))
}

/// Always one key and one path: the browser's code expects no more.
pub fn list_changed(change: ListChange, address: &Address) -> Bytes {
    framed(&One("calendarList", One(change.as_str(), [place::path(address)])))
}

/// Always one element.
pub fn alarm(alarm: &Rang) -> Bytes {
    let event_url = place::of_object(alarm.object.collection(), alarm.object.name());
    let told = Alarm { event_summary: &alarm.summary, event_url, event_start_time: instant(&alarm.start) };
    framed(&One("alarms", [told]))
}

fn framed(message: &impl Serialize) -> Bytes {
    // Strings, numbers and maps with string keys always serialise; `{}` is what a client ignores.
    frame::text(&serde_json::to_string(message).unwrap_or_else(|_| "{}".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::side::request;

    #[test]
    fn ready_frames_are_what_the_framer_makes() {
        assert_eq!(EMPTY, frame::text("{}"));
        assert_eq!(WELCOME, frame::text(r#"{"calendarListRegistered":true}"#));
    }

    #[test]
    fn shown_paths_can_be_registered() {
        for name in ["b", "b c", "ü[1]", "50%", "a?b#c"] {
            let address = Address::new(Kind::Calendar, "alice@example.org", name);
            let shown = address.as_ref().map(place::path).unwrap_or_default();
            assert_eq!(request::path(&shown).map(|read| read.address), Ok(address), "{name}");
        }
    }
}
