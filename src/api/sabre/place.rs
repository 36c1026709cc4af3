//! What a path of this face names, `.json` and the prefix `/dav` taken off; and the old names of a default calendar. Reads no body.

use crate::api::House;
use crate::domain::address::{Address, Kind, ObjectAddress, UserName};
use crate::domain::principal::Principal;
use crate::domain::refusal::Refusal;
use crate::http::call::decoded;

/// What a URL names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// `/calendars.json`, above the homes.
    Homes(Kind),
    Home(Kind, UserName),
    Collection(Address),
    Object(ObjectAddress),
    /// `/query.json`
    Query,
    /// `/calendars/freebusy`
    FreeBusy,
    /// `/itip`
    Itip,
}

/// The calendar that everybody has, and what esn-sabre called it once.
const DEFAULT: &str = "default";
const EVENTS: &str = "events";

/// A path without its prefix.
pub fn bare(path: &str) -> &str {
    match path.strip_prefix("/dav") {
        Some(rest) if rest.starts_with('/') => rest,
        _ => path,
    }
}

/// The path without `.json` at the end of its names, as it came otherwise; `None` where there is none, or where it is no path of this face.
/// An object keeps its name unless it is `….ics.json`: DAV clients may have named one so.
pub fn stripped(path: &str) -> Option<String> {
    let names: Vec<&str> = bare(path).strip_prefix('/')?.split('/').collect();
    let root = names.first()?;
    Kind::from_root(root.strip_suffix(".json").unwrap_or(root)).filter(|_| names.len() <= 4)?;
    let plain = |(at, name): (usize, &&str)| {
        let ours = |plain: &str| at < 3 || plain.ends_with(".ics") || plain.ends_with(".vcf");
        name.strip_suffix(".json").filter(|plain| !plain.is_empty() && ours(plain)).unwrap_or(name).to_owned()
    };
    let plain: Vec<String> = names.iter().enumerate().map(plain).collect();
    let prefix = &path[..path.len() - bare(path).len()];
    (plain != names).then(|| format!("{prefix}/{}", plain.join("/")))
}

/// `None` where nothing of ours has such a name.
pub fn place(path: &str, posts: bool) -> Option<Place> {
    let plain = stripped(path).unwrap_or_else(|| path.to_owned());
    let rest = bare(&plain).strip_prefix('/')?;
    let names = rest.strip_suffix('/').unwrap_or(rest).split('/').map(decoded).collect::<Option<Vec<String>>>()?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    match names.as_slice() {
        ["query.json" | "query"] => Some(Place::Query),
        ["itip"] => Some(Place::Itip),
        ["calendars", "freebusy"] if posts => Some(Place::FreeBusy),
        [root] => Kind::from_root(root).map(Place::Homes),
        [root, user] => Some(Place::Home(Kind::from_root(root)?, UserName::new(user)?)),
        [root, user, name] => Address::new(Kind::from_root(root)?, user, name).map(Place::Collection),
        [root, user, name, object] => {
            Address::new(Kind::from_root(root)?, user, name)?.object(object).map(Place::Object)
        }
        _ => None,
    }
}

/// The collection that a JSON body names by its path.
pub fn collection(path: &str) -> Option<Address> {
    match place(path, false)? {
        Place::Collection(at) => Some(at),
        _ => None,
    }
}

/// With `events`, and the person's own id, read as their default calendar where no calendar has that name.
pub async fn settled(house: &House, caller: &Principal, place: Place) -> Result<Place, Refusal> {
    let at = match &place {
        Place::Collection(at) => at,
        Place::Object(at) => at.collection(),
        _ => return Ok(place),
    };
    let old = at.kind() == Kind::Calendar && (at.name() == EVENTS || at.name() == at.user().as_str());
    if !old || !matches!(house.view(&caller.name, at).await, Err(Refusal::NotFound)) {
        return Ok(place);
    }
    let Some(default) = Address::new(Kind::Calendar, at.user().as_str(), DEFAULT) else { return Ok(place) };
    Ok(match &place {
        Place::Object(at) => default.object(at.name()).map_or(place.clone(), Place::Object),
        _ => Place::Collection(default),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(place: Option<Place>) -> String {
        match place {
            None => "nothing".to_owned(),
            Some(Place::Homes(kind)) => format!("homes {}", kind.root()),
            Some(Place::Home(kind, user)) => format!("home {} {user}", kind.root()),
            Some(Place::Collection(at)) => format!("collection {at}"),
            Some(Place::Object(at)) => format!("object {at}"),
            Some(Place::Query) => "query".to_owned(),
            Some(Place::FreeBusy) => "freebusy".to_owned(),
            Some(Place::Itip) => "itip".to_owned(),
        }
    }

    #[test]
    fn paths_are_read_with_and_without_json() {
        for (path, want) in [
            ("/dav/calendars.json", "homes calendars"),
            ("/calendars/alice.json", "home calendars alice"),
            ("/dav/calendars/alice/", "home calendars alice"),
            ("/dav/calendars/alice/work.json", "collection /calendars/alice/work"),
            ("/dav/calendars/alice.json/work.json", "collection /calendars/alice/work"),
            ("/addressbooks/alice/a%20b.json", "collection /addressbooks/alice/a b"),
            ("/dav/calendars/alice/work.json/x.ics", "object /calendars/alice/work/x.ics"),
            ("/calendars/alice/work/x.ics.json", "object /calendars/alice/work/x.ics"),
            ("/calendars/alice/work/note.json", "object /calendars/alice/work/note.json"),
            ("/dav/query.json", "query"),
            ("/itip", "itip"),
            ("/calendars/alice/.json", "collection /calendars/alice/.json"),
            ("/calendars/alice/..", "nothing"),
            ("/calendars/alice/%2e%2e.json", "nothing"),
            ("/calendars/alice/a%2Fb", "nothing"),
            ("/calendars/alice/%ff", "nothing"),
            ("/principals/alice.json", "nothing"),
            ("/calendars/a/b/c/d.json", "nothing"),
            ("/", "nothing"),
        ] {
            assert_eq!(spelled(place(path, false)), want, "{path}");
        }
        assert_eq!(spelled(place("/dav/calendars/freebusy", true)), "freebusy");
        assert_eq!(spelled(place("/dav/calendars/freebusy", false)), "home calendars freebusy");
        assert_eq!(stripped("/dav/calendars/a/b%20c.json").as_deref(), Some("/dav/calendars/a/b%20c"));
        for path in ["/calendars/a/b", "/principals/a.json", "/calendars/a/b/c.json", "/x.json", "", "/dav"] {
            assert_eq!(stripped(path), None, "{path}");
        }
    }
}
