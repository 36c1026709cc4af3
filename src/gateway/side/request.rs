//! What a Side client may say: text to request, with the leniencies and the whole-message refusals of the real service. Knows no state.

use std::collections::HashSet;
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::domain::address::{Address, Kind};

/// A message that could be read.
#[derive(Debug, PartialEq, Eq)]
pub enum Request {
    /// Nothing in it that we know. The answer `{}` is the pong that browsers wait for.
    Nothing,
    Display(bool),
    /// The client asks for extensions of the protocol.
    Features(Vec<String>),
    Change {
        register: Vec<Path>,
        unregister: Vec<Path>,
    },
}

/// A message that is refused as a whole; nothing of it is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    NotUnderstood,
    InvalidPath,
    InBothLists,
}

impl Refused {
    /// The text under the key `error`, as the real service spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Refused::NotUnderstood => "Internal Error",
            Refused::InvalidPath => "Invalid Request",
            Refused::InBothLists => "register and unregister cannot contain duplicated entries",
        }
    }
}

/// A path as the client names it from now on, and the place that it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// Normalised, still percent-encoded: answers and pushes show it so.
    pub label: Arc<str>,
    /// `None` where it is a sound path at which nothing of ours can stand.
    pub address: Option<Address>,
}

/// Reads one text frame.
pub fn read(text: &str) -> Result<Request, Refused> {
    let object = match serde_json::Deserializer::from_str(text).into_iter::<Value>().next() {
        // An empty frame is no error; what follows the first value is not looked at.
        None => return Ok(Request::Nothing),
        Some(Ok(Value::Object(object))) => object,
        Some(Ok(_)) => return Ok(Request::Nothing),
        Some(Err(_)) => return Err(Refused::NotUnderstood),
    };
    if let Some(wanted) = object.get("enableDisplayNotification") {
        if object.len() > 1 {
            return Err(Refused::NotUnderstood);
        }
        return truth(wanted).map(Request::Display).ok_or(Refused::NotUnderstood);
    }
    let register = paths(&object, "register")?;
    let unregister = paths(&object, "unregister")?;
    let added: HashSet<&str> = register.iter().map(|path| &*path.label).collect();
    if unregister.iter().any(|path| added.contains(&*path.label)) {
        return Err(Refused::InBothLists);
    }
    if !register.is_empty() || !unregister.is_empty() {
        // `features` beside them is one of the unknown keys that are ignored, as an older server would.
        return Ok(Request::Change { register, unregister });
    }
    match object.get("features").map(Vec::<String>::deserialize) {
        Some(Ok(features)) => Ok(Request::Features(features)),
        _ => Ok(Request::Nothing),
    }
}

/// The coercions of the real service's JSON reader.
fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Null => Some(false),
        Value::Bool(truth) => Some(*truth),
        Value::Number(number) if number.is_f64() => None,
        Value::Number(number) => Some(number.as_i64() != Some(0)),
        Value::String(text) => match text.trim() {
            "true" | "True" | "TRUE" => Some(true),
            "false" | "False" | "FALSE" => Some(false),
            _ => None,
        },
        Value::Array(_) | Value::Object(_) => None,
    }
}

/// The paths under a key, each once, in their order. What is no array is absent, what is no string is skipped.
fn paths(object: &Map<String, Value>, key: &str) -> Result<Vec<Path>, Refused> {
    let mut seen = HashSet::new();
    let mut paths = Vec::new();
    for text in object.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        let path = path(text)?;
        if seen.insert(Arc::clone(&path.label)) {
            paths.push(path);
        }
    }
    Ok(paths)
}

/// Normalises one path: empty segments are dropped, segments trimmed, what follows the third is ignored.
pub fn path(text: &str) -> Result<Path, Refused> {
    let rest = text.trim_start_matches('/');
    let kind = [Kind::Calendar, Kind::AddressBook].into_iter().find(|kind| rest.starts_with(kind.root()));
    let (Some(kind), true) = (kind, text.starts_with('/')) else {
        return Err(Refused::InvalidPath);
    };
    let mut segments: Vec<&str> = text.split('/').map(str::trim).filter(|segment| !segment.is_empty()).collect();
    if segments.len() < 3 {
        return Err(Refused::InvalidPath);
    }
    // `/calendarsfoo/a/b` passes the test of the prefix, and is then read as a path without its root.
    if segments[0] == kind.root() {
        segments.remove(0);
    }
    let (user, name) = (segments[0], segments[1]);
    if !uri_legal(user) || !uri_legal(name) {
        return Err(Refused::NotUnderstood);
    }
    let decoded = |segment: &str| percent_decode_str(segment).decode_utf8().ok().map(|text| text.into_owned());
    let address = decoded(user).zip(decoded(name)).and_then(|(user, name)| {
        // The JSON face of the DAV server calls every collection `{name}.json` too.
        let name = name.strip_suffix(".json").filter(|name| !name.is_empty()).unwrap_or(&name);
        Address::new(kind, &user, name)
    });
    Ok(Path { label: format!("/{}/{user}/{name}", kind.root()).into(), address })
}

/// Whether a segment can stand in a URI as the real service builds one: RFC 2396 characters, escapes, and whatever is not ASCII.
fn uri_legal(segment: &str) -> bool {
    let bytes = segment.as_bytes();
    let escape = |at: usize| bytes.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit));
    segment.char_indices().all(|(at, c)| match c {
        '%' => escape(at),
        c if c.is_ascii() => c.is_ascii_alphanumeric() || "_-!.~'()*,;:$&+=@?#".contains(c),
        c => !c.is_control() && !c.is_whitespace(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normalised_or_refuse_the_message() {
        let rows = [
            ("/calendars/a/b", Ok(("/calendars/a/b", Some("/calendars/a/b")))),
            ("/calendars/a/b/", Ok(("/calendars/a/b", Some("/calendars/a/b")))),
            ("/calendars/a/b/ev.ics", Ok(("/calendars/a/b", Some("/calendars/a/b")))),
            ("//calendars//a//b", Ok(("/calendars/a/b", Some("/calendars/a/b")))),
            ("/calendars/ a / b ", Ok(("/calendars/a/b", Some("/calendars/a/b")))),
            ("/calendars/a/b.json", Ok(("/calendars/a/b.json", Some("/calendars/a/b")))),
            ("/calendars/a/.json", Ok(("/calendars/a/.json", Some("/calendars/a/.json")))),
            ("/calendarsfoo/a/b", Ok(("/calendars/calendarsfoo/a", Some("/calendars/calendarsfoo/a")))),
            ("/addressbooks/a/b", Ok(("/addressbooks/a/b", Some("/addressbooks/a/b")))),
            ("/calendars/a%40x/b", Ok(("/calendars/a%40x/b", Some("/calendars/a@x/b")))),
            ("/calendars/é/b", Ok(("/calendars/é/b", Some("/calendars/é/b")))),
            ("/calendars/a/..", Ok(("/calendars/a/..", None))),
            ("/calendars/a%2Fx/b", Ok(("/calendars/a%2Fx/b", None))),
            ("/calendars/a/%FF", Ok(("/calendars/a/%FF", None))),
            ("/calendars/x", Err(Refused::InvalidPath)),
            ("/calendars/", Err(Refused::InvalidPath)),
            ("/Calendars/a/b", Err(Refused::InvalidPath)),
            ("calendars/a/b", Err(Refused::InvalidPath)),
            (" /calendars/a/b", Err(Refused::InvalidPath)),
            ("/principals/a/b", Err(Refused::InvalidPath)),
            ("", Err(Refused::InvalidPath)),
            ("/calendars/a/b c", Err(Refused::NotUnderstood)),
            ("/calendars/a/{", Err(Refused::NotUnderstood)),
            ("/calendars/a/%zz", Err(Refused::NotUnderstood)),
            ("/calendars/a/b%4", Err(Refused::NotUnderstood)),
            ("/calendars/a/b\\c", Err(Refused::NotUnderstood)),
        ];
        for (text, want) in rows {
            let got = path(text).map(|path| (path.label.to_string(), path.address.map(|a| a.to_string())));
            let want = want.map(|(label, address)| (label.to_owned(), address.map(str::to_owned)));
            assert_eq!(got, want, "{text:?}");
        }
    }
}
