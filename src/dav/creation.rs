//! MKCALENDAR and extended MKCOL: a body becomes a collection. Deleting and reading collections stands in `collections.rs`.

use http::StatusCode;
use http::header::{CACHE_CONTROL, HeaderValue};
use warp::reply::Response;

use crate::dav::face::{self, Change, Unset};
use crate::dav::fault::{Condition, Fault};
use crate::dav::path::Place;
use crate::dav::props::Property;
use crate::dav::question::{self, PROPS_MAX};
use crate::dav::request::Request;
use crate::dav::xml::{Element, Space};
use crate::domain::address::{Address, Kind};
use crate::domain::object::Component;
use crate::domain::refusal::Refusal;
use crate::http::problem;
use crate::service::collections::Face;
use crate::service::feeds::Subscription;

/// RFC 4791 5.3.1. A body is not needed.
pub async fn calendar(request: &Request) -> Result<Response, Fault> {
    let root = question::body(request.headers(), &request.body, true)?;
    if let Some(root) = &root
        && !root.name.is(&Space::CalDav, "mkcalendar")
    {
        return Err(Fault::Malformed(format!("the body must be a CALDAV:mkcalendar, not {:?}", root.name.local)));
    }
    make(request, Some(Kind::Calendar), root.as_ref()).await
}

/// RFC 5689. A plain MKCOL, without a body, would make a collection of no kind.
pub async fn collection(request: &Request) -> Result<Response, Fault> {
    let root = question::body(request.headers(), &request.body, true)?;
    if let Some(root) = &root
        && !root.name.is(&Space::Dav, "mkcol")
    {
        return Err(Fault::UnsupportedMedia(format!("the body must be a DAV:mkcol, not {:?}", root.name.local)));
    }
    make(request, None, root.as_ref()).await
}

async fn make(request: &Request, kind: Option<Kind>, root: Option<&Element>) -> Result<Response, Fault> {
    let at = match request.place() {
        Place::Collection(at) => at,
        Place::Object(at) => return Err(wrong_place(kind.unwrap_or(at.collection().kind()))),
        // These are always there.
        _ => return Err(Refusal::Exists.into()),
    };
    // The home decides first: who may make nothing there learns nothing of what is in it.
    if at.user() != &request.caller.name {
        return Err(Refusal::Forbidden.into());
    }
    match request.house.view(&request.caller.name, at).await {
        Err(Refusal::NotFound) => {}
        // A mirror that leads nowhere any more still has its name.
        Ok(_) | Err(Refusal::Forbidden) => return Err(Refusal::Exists.into()),
        Err(refusal) => return Err(refusal.into()),
    }
    let wanted = wanted(at, kind, root)?;
    match wanted.source {
        // What clients make so that the server follows a calendar elsewhere.
        Some(url) => {
            let Face { display_name: name, color, description, dead, timezone, transparent } = wanted.face;
            let bounds = &request.house.settings().feeds;
            let refresh = wanted.refresh.map(|rate| rate.clamp(bounds.refresh_min_seconds, bounds.refresh_max_seconds));
            let wanted = Subscription { url, name, color, refresh };
            request.house.subscribe_to_url(&request.caller, Some(at.name()), wanted).await?;
            let face = Face { description, dead, timezone, transparent, ..Face::default() };
            request.house.dress_collection(&request.caller, at, face).await?;
        }
        None => {
            request.house.make_collection(&request.caller, at, wanted.components, wanted.face).await?;
        }
    }
    let mut response = problem::empty(StatusCode::CREATED);
    // RFC 4791 5.3.1 and RFC 5689 3.
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

fn wrong_place(kind: Kind) -> Fault {
    match kind {
        Kind::Calendar => {
            Fault::Condition(Condition::CalendarLocation, "calendars are made in /calendars/{user}/".to_owned())
        }
        Kind::AddressBook => Fault::Condition(
            Condition::AddressBookLocation,
            "address books are made in /addressbooks/{user}/".to_owned(),
        ),
    }
}

#[derive(Debug, Default)]
struct Wanted {
    components: Vec<String>,
    face: Face,
    /// The URL of a calendar elsewhere, and how often it is to be looked at.
    source: Option<String>,
    refresh: Option<u32>,
}

/// What the body wants. Without a `kind` from the method, its `resourcetype` must say one.
fn wanted(at: &Address, kind: Option<Kind>, root: Option<&Element>) -> Result<Wanted, Fault> {
    let sets = root.map_or(&[][..], |root| &root.children[..]).iter();
    let props = sets.filter(|set| set.name.is(&Space::Dav, "set")).filter_map(|set| set.child(&Space::Dav, "prop"));
    let values: Vec<&Element> = props.flat_map(|prop| &prop.children).collect();
    if values.len() > PROPS_MAX {
        return Err(Fault::Malformed(format!("a request names at most {PROPS_MAX} properties")));
    }
    let named = values.iter().find(|value| value.name.is(&Space::Dav, "resourcetype"));
    let kind = match (kind, named) {
        (Some(kind), _) => kind,
        (None, Some(named)) => kind_of(named)?,
        (None, None) => return Err(no_kind()),
    };
    if kind != at.kind() {
        return Err(wrong_place(kind));
    }
    let mut wanted = Wanted::default();
    for value in values {
        match Property::of(&value.name) {
            Some(Property::ResourceType) => {}
            Some(Property::Components) => wanted.components = components(value)?,
            Some(Property::Source) if kind == Kind::Calendar => wanted.source = Some(href(value)?),
            None if value.name.is(&Space::Apple, "refreshrate") => {
                wanted.refresh = Subscription::seconds(value.text.trim());
            }
            _ => {
                match face::dress(&mut wanted.face, at, Change { name: &value.name, value: Some(value), lang: None }) {
                    Ok(_) => {}
                    Err(Unset::Protected) => {
                        let text = format!("{:?} cannot be set", value.name.local);
                        return Err(Fault::Condition(Condition::CannotModifyProtectedProperty, text));
                    }
                    Err(Unset::Bad(Some(condition), why)) => return Err(Fault::Condition(condition, why)),
                    Err(Unset::Nowhere) => {
                        return Err(Fault::Denied(format!("{:?} cannot be kept here", value.name.local)));
                    }
                    Err(Unset::Bad(None, why) | Unset::Full(why)) => {
                        return Err(Fault::Malformed(format!("{:?}: {why}", value.name.local)));
                    }
                }
            }
        }
    }
    // An empty name, as some clients send it, would show nothing to choose by.
    wanted.face.display_name = wanted.face.display_name.filter(|name| !name.trim().is_empty());
    Ok(wanted)
}

fn href(value: &Element) -> Result<String, Fault> {
    let href = value.child(&Space::Dav, "href").map(|href| href.text.trim().to_owned());
    href.filter(|href| !href.is_empty()).ok_or_else(|| Fault::Malformed("a source without DAV:href".to_owned()))
}

fn no_kind() -> Fault {
    let text = "a plain collection cannot be made: the resourcetype must name calendar or addressbook (RFC 5689)";
    Fault::Condition(Condition::ValidResourcetype, text.to_owned())
}

fn kind_of(named: &Element) -> Result<Kind, Fault> {
    let has = |space, local| named.child(&space, local).is_some();
    if !has(Space::Dav, "collection") {
        return Err(no_kind());
    }
    let calendar = has(Space::CalDav, "calendar") || has(Space::CalendarServer, "subscribed");
    match (calendar, has(Space::CardDav, "addressbook")) {
        (true, false) => Ok(Kind::Calendar),
        (false, true) => Ok(Kind::AddressBook),
        _ => Err(no_kind()),
    }
}

/// RFC 4791 5.2.3.
fn components(value: &Element) -> Result<Vec<String>, Fault> {
    let mut components = Vec::new();
    for comp in value.children.iter().filter(|comp| comp.name.is(&Space::CalDav, "comp")) {
        let name = comp.attribute("name").unwrap_or_default().to_ascii_uppercase();
        match Component::from_name(&name) {
            None | Some(Component::Card) => {
                let text = format!("a calendar takes no {name:?}");
                return Err(Fault::Condition(Condition::SupportedCalendarComponent, text));
            }
            Some(_) if components.contains(&name) => {}
            Some(_) => components.push(name),
        }
    }
    Ok(components)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dav::reader;

    fn want(at: &str, kind: Option<Kind>, props: &str) -> Result<Wanted, Fault> {
        let body = format!(
            "<D:mkcol xmlns:D='DAV:' xmlns:C='urn:ietf:params:xml:ns:caldav' xmlns:CR='urn:ietf:params:xml:ns:carddav' \
             xmlns:A='http://apple.com/ns/ical/'><D:set><D:prop>{props}</D:prop></D:set></D:mkcol>"
        );
        let root = reader::read(body.as_bytes()).map_err(Fault::Malformed)?;
        wanted(&Address::parse(at).unwrap(), kind, root.as_ref())
    }

    #[test]
    fn bodies_become_collections() {
        let (cal, book) = ("/calendars/alice/x", "/addressbooks/alice/x");
        let calendar = "<D:resourcetype><D:collection/><C:calendar/></D:resourcetype>";
        let addressbook = "<D:resourcetype><CR:addressbook/><D:collection/></D:resourcetype>";
        let comps = |names: &[&str]| {
            let comps: String = names.iter().map(|name| format!("<C:comp name='{name}'/>")).collect();
            format!("<C:supported-calendar-component-set>{comps}</C:supported-calendar-component-set>")
        };
        let apple = format!(
            "<D:displayname>Work</D:displayname><A:calendar-color>#FF0000FF</A:calendar-color><A:calendar-order>3</A:calendar-order>{}",
            comps(&["VTODO", "vevent", "VTODO"])
        );
        let found = want(cal, Some(Kind::Calendar), &apple).unwrap();
        assert_eq!(found.components, ["VTODO", "VEVENT"]);
        assert_eq!(
            (found.face.display_name.as_deref(), found.face.color.as_deref()),
            (Some("Work"), Some("#FF0000FF"))
        );
        assert!(want(cal, None, calendar).unwrap().components.is_empty());
        assert!(want(book, None, addressbook).is_ok());
        assert_eq!(
            want(cal, None, &format!("{calendar}<D:displayname> </D:displayname>")).unwrap().face.display_name,
            None
        );
        assert!(wanted(&Address::parse(cal).unwrap(), Some(Kind::Calendar), None).is_ok());

        let refused = [
            (cal, None, String::new(), Condition::ValidResourcetype),
            (cal, None, "<D:resourcetype><D:collection/></D:resourcetype>".to_owned(), Condition::ValidResourcetype),
            (cal, None, "<D:resourcetype><C:calendar/></D:resourcetype>".to_owned(), Condition::ValidResourcetype),
            (book, None, calendar.to_owned(), Condition::CalendarLocation),
            (book, Some(Kind::Calendar), String::new(), Condition::CalendarLocation),
            (cal, None, addressbook.to_owned(), Condition::AddressBookLocation),
            (cal, Some(Kind::Calendar), comps(&["VPOLL"]), Condition::SupportedCalendarComponent),
            (cal, Some(Kind::Calendar), comps(&["VCARD"]), Condition::SupportedCalendarComponent),
            (cal, Some(Kind::Calendar), "<D:getetag/>".to_owned(), Condition::CannotModifyProtectedProperty),
            (
                cal,
                Some(Kind::Calendar),
                "<C:calendar-timezone-id>Mars</C:calendar-timezone-id>".to_owned(),
                Condition::ValidTimezone,
            ),
        ];
        for (at, kind, props, condition) in refused {
            let fault = want(at, kind, &props).map(drop);
            assert!(matches!(&fault, Err(Fault::Condition(found, _)) if *found == condition), "{props}: {fault:?}");
        }
    }
}
