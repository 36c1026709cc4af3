//! A request's path becomes a place, decoded once and after it is split. Does not look whether anything stands there.

use crate::domain::address::{Address, Kind, ObjectAddress, SEGMENT_MAX, UserName};
use crate::http::call::decoded;

/// What a URL of this face names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Root,
    Principals,
    Principal(UserName),
    /// `/calendars/` and `/addressbooks/`, above the homes.
    Homes(Kind),
    Home(Kind, UserName),
    Collection(Address),
    Object(ObjectAddress),
    /// `/principals/NAME/calendar-proxy-read/` and `-write/`: those who act for somebody. `true` for `-write`.
    Proxy(UserName, bool),
    /// `/notifications/NAME/`: what somebody was told of sharing.
    Notifications(UserName),
    Notification(UserName, String),
}

impl Place {
    /// The kind of tree that it lies in.
    pub fn kind(&self) -> Option<Kind> {
        match self {
            Place::Root | Place::Principals | Place::Principal(_) | Place::Proxy(..) => None,
            Place::Notifications(_) | Place::Notification(..) => None,
            Place::Homes(kind) | Place::Home(kind, _) => Some(*kind),
            Place::Collection(address) => Some(address.kind()),
            Place::Object(address) => Some(address.collection().kind()),
        }
    }
}

/// A place, and the prefix that the client sees before it: nothing, or `/dav`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    pub prefix: &'static str,
    pub place: Place,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathFault {
    /// No name of ours can be spelled so.
    Malformed(&'static str),
    /// Well spelled, but no place of this face.
    Unknown,
}

impl Path {
    /// Reads a path as it came, percent-encoded.
    ///
    /// ```
    /// use campanile::dav::path::{Path, Place};
    /// let path = Path::parse("/dav/principals/a%40b.org/").unwrap();
    /// assert_eq!(path.prefix, "/dav");
    /// assert!(matches!(path.place, Place::Principal(user) if user.as_str() == "a@b.org"));
    /// ```
    pub fn parse(raw: &str) -> Result<Path, PathFault> {
        // RFC 9110 9.3.7: `OPTIONS *` asks about the server as a whole.
        if raw == "*" {
            return Ok(Path { prefix: "", place: Place::Root });
        }
        let (prefix, rest) = stripped(raw);
        let rest = rest.strip_prefix('/').ok_or(PathFault::Malformed("a path begins with a slash"))?;
        let (rest, closed) = match rest.strip_suffix('/') {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        if rest.is_empty() {
            let empty = "a name in the path is empty";
            // `//` leaves a slash behind, `/` does not.
            return if closed { Err(PathFault::Malformed(empty)) } else { Ok(Path { prefix, place: Place::Root }) };
        }
        let names = rest.split('/').map(name).collect::<Result<Vec<String>, PathFault>>()?;
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        Ok(Path { prefix, place: place(&names, closed).ok_or(PathFault::Unknown)? })
    }
}

/// Where `/.well-known/caldav` and `/.well-known/carddav` lead. RFC 6764 section 5.
pub fn well_known(raw: &str) -> Option<&'static str> {
    let (prefix, rest) = stripped(raw);
    let name = rest.strip_prefix("/.well-known/")?;
    let name = name.strip_suffix('/').unwrap_or(name);
    matches!(name, "caldav" | "carddav").then_some(if prefix.is_empty() { "/" } else { "/dav/" })
}

fn stripped(raw: &str) -> (&'static str, &str) {
    match raw.strip_prefix("/dav") {
        Some("") => ("/dav", "/"),
        Some(rest) if rest.starts_with('/') => ("/dav", rest),
        _ => ("", raw),
    }
}

fn place(names: &[&str], closed: bool) -> Option<Place> {
    match names {
        ["principals"] => Some(Place::Principals),
        ["principals", user] => UserName::new(user).map(Place::Principal),
        ["principals", user, "calendar-proxy-read"] => UserName::new(user).map(|user| Place::Proxy(user, false)),
        ["principals", user, "calendar-proxy-write"] => UserName::new(user).map(|user| Place::Proxy(user, true)),
        ["notifications", user] => UserName::new(user).map(Place::Notifications),
        ["notifications", user, id] if !closed => {
            UserName::new(user).map(|user| Place::Notification(user, (*id).to_owned()))
        }
        [root] => Kind::from_root(root).map(Place::Homes),
        [root, user] => Some(Place::Home(Kind::from_root(root)?, UserName::new(user)?)),
        [root, user, name] => Address::new(Kind::from_root(root)?, user, name).map(Place::Collection),
        // Only collections have a slash at the end.
        [root, user, name, object] if !closed => {
            Address::new(Kind::from_root(root)?, user, name)?.object(object).map(Place::Object)
        }
        _ => None,
    }
}

/// One segment, decoded. What could mean something else to anybody else on the way is refused, although names never reach a file
/// system here: a proxy in front may have understood it so.
fn name(raw: &str) -> Result<String, PathFault> {
    if raw.is_empty() {
        return Err(PathFault::Malformed("a name in the path is empty"));
    }
    if !escapes_are_whole(raw.as_bytes()) {
        return Err(PathFault::Malformed("a percent sign in the path is not followed by two hexadecimal digits"));
    }
    // Overlong forms are no UTF-8 either.
    let name = decoded(raw).ok_or(PathFault::Malformed("a name in the path is not UTF-8"))?;
    if name.len() > SEGMENT_MAX {
        return Err(PathFault::Malformed("a name in the path is longer than 255 bytes"));
    }
    // A line feed may stand in an object's name, and is refused elsewhere by the address.
    if name.chars().any(|c| c == '/' || c == '\\' || (c.is_control() && c != '\n')) {
        return Err(PathFault::Malformed("a name in the path holds a slash, a backslash or a control character"));
    }
    // `..;x` is `..` to servers that know path parameters.
    let bare = name.split(';').next().unwrap_or_default();
    if bare == "." || bare == ".." {
        return Err(PathFault::Malformed("the path holds a dot segment"));
    }
    Ok(name)
}

fn escapes_are_whole(raw: &[u8]) -> bool {
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'%', rest) {
        match rest.get(at + 1..at + 3) {
            Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => rest = &rest[at + 3..],
            _ => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The place, spelled as its variant and its decoded names.
    fn spelled(place: &Place) -> String {
        match place {
            Place::Root => "root".to_owned(),
            Place::Principals => "principals".to_owned(),
            Place::Principal(user) => format!("principal {user}"),
            Place::Homes(kind) => format!("homes {}", kind.root()),
            Place::Home(kind, user) => format!("home {} {user}", kind.root()),
            Place::Collection(address) => format!("collection {address}"),
            Place::Object(address) => format!("object {address}"),
            Place::Proxy(user, writes) => format!("proxy {user} {writes}"),
            Place::Notifications(user) => format!("notifications {user}"),
            Place::Notification(user, id) => format!("notification {user} {id}"),
        }
    }

    #[test]
    fn paths_become_places() {
        let rows = [
            ("/", "", "root"),
            ("*", "", "root"),
            ("/dav", "/dav", "root"),
            ("/dav/", "/dav", "root"),
            ("/principals", "", "principals"),
            ("/principals/", "", "principals"),
            ("/principals/alice/", "", "principal alice"),
            ("/dav/principals/alice", "/dav", "principal alice"),
            ("/principals/a%40b/", "", "principal a@b"),
            ("/principals/alice/calendar-proxy-read", "", "proxy alice false"),
            ("/dav/principals/alice/calendar-proxy-write/", "/dav", "proxy alice true"),
            ("/notifications/alice/", "", "notifications alice"),
            ("/notifications/alice/1.xml", "", "notification alice 1.xml"),
            ("/calendars/", "", "homes calendars"),
            ("/addressbooks", "", "homes addressbooks"),
            ("/calendars/alice", "", "home calendars alice"),
            ("/addressbooks/alice/", "", "home addressbooks alice"),
            ("/calendars/alice/default", "", "collection /calendars/alice/default"),
            ("/dav/calendars/alice/default/", "/dav", "collection /calendars/alice/default"),
            ("/calendars/alice/dav", "", "collection /calendars/alice/dav"),
            ("/calendars/alice/default/1.ics", "", "object /calendars/alice/default/1.ics"),
            ("/calendars/alice/default/a%20b.ics", "", "object /calendars/alice/default/a b.ics"),
            // Decoded once.
            ("/calendars/alice/default/a%2520b.ics", "", "object /calendars/alice/default/a%20b.ics"),
            ("/calendars/alice/default/a+b.ics", "", "object /calendars/alice/default/a+b.ics"),
            ("/calendars/alice/default/a;b.ics", "", "object /calendars/alice/default/a;b.ics"),
            ("/calendars/alice/default/...ics", "", "object /calendars/alice/default/...ics"),
            ("/calendars/alice/default/a%0A.ics", "", "object /calendars/alice/default/a\n.ics"),
            ("/calendars/alice/default/%C3%A9.ics", "", "object /calendars/alice/default/\u{e9}.ics"),
            ("/calendars/alice/default/e%CC%81.ics", "", "object /calendars/alice/default/e\u{301}.ics"),
        ];
        for (raw, prefix, want) in rows {
            let path = Path::parse(raw).unwrap_or_else(|fault| panic!("{raw}: {fault:?}"));
            assert_eq!((path.prefix, spelled(&path.place).as_str()), (prefix, want), "{raw}");
        }
    }

    #[test]
    fn hostile_paths_are_refused() {
        let long = format!("/calendars/alice/default/{}.ics", "x".repeat(4_096));
        let malformed = [
            "",
            "calendars/alice",
            "//",
            "//calendars/alice",
            "/calendars//default",
            "/calendars/alice/default//1.ics",
            "/calendars/alice/default//",
            "/dav//calendars",
            "/calendars/a/../b/x.ics",
            "/calendars/a/./x.ics",
            "/calendars/a/..",
            "/calendars/a/../",
            "/calendars/a/%2e%2e/x.ics",
            "/calendars/a/%2E./x.ics",
            "/calendars/a/%2e%2e%2fb/x.ics",
            "/calendars/a/b%2Fc",
            "/calendars/a/b/c%2fd.ics",
            "/calendars/a/..;/b",
            "/calendars/a/..;x=y/b",
            "/calendars/a/b%00/x.ics",
            "/calendars/a/b/x%0d%0a.ics",
            "/calendars/a/b/x%7f.ics",
            "/calendars/a/b\\c",
            "/calendars/a/b%5cc",
            "/calendars/a/%c0%ae%c0%ae/x.ics",
            "/calendars/a/%c0%af",
            "/calendars/a/%ff",
            "/calendars/a/%ed%a0%80",
            "/calendars/a/b/%zz.ics",
            "/calendars/a/b/x%4",
            "/calendars/a/b/x%",
            &long,
        ];
        for raw in malformed {
            assert!(matches!(Path::parse(raw), Err(PathFault::Malformed(_))), "{raw}");
        }
        let unknown = [
            "/davx",
            "/dav/dav/calendars",
            "/Calendars/alice",
            "/calendars/alice/default/1.ics/",
            "/calendars/alice/default/1.ics/2",
            "/principals/alice/calendar-proxy",
            "/principals/alice/calendar-proxy-read/x",
            "/notifications",
            "/notifications/alice/1.xml/",
            "/favicon.ico",
            "/calendars/ali%0Ace/default/1.ics",
            "/calendars/alice/def%0Ault/",
        ];
        for raw in unknown {
            assert_eq!(Path::parse(raw), Err(PathFault::Unknown), "{raw}");
        }
    }

    #[test]
    fn well_known_leads_to_the_root() {
        let rows = [
            ("/.well-known/caldav", Some("/")),
            ("/.well-known/carddav", Some("/")),
            ("/.well-known/caldav/", Some("/")),
            ("/dav/.well-known/caldav", Some("/dav/")),
            ("/.well-known/caldavx", None),
            ("/.well-known/", None),
            ("/caldav", None),
        ];
        for (raw, want) in rows {
            assert_eq!(well_known(raw), want, "{raw}");
        }
    }
}
