//! Who is here: principal-search-property-set, principal-property-search, principal-match and acl-principal-prop-set. RFC 3744 9.2 to 9.5.

use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use warp::reply::Response;

use crate::dav::acl;
use crate::dav::fault::{Condition, Fault};
use crate::dav::multistatus::{self, Multistatus};
use crate::dav::path::Place;
use crate::dav::props::Property;
use crate::dav::question::{Asked, Question};
use crate::dav::report::ask::Ask;
use crate::dav::report::stand::Stand;
use crate::dav::request::Request;
use crate::dav::values::{Scene, Subject};
use crate::dav::writer::Xml;
use crate::dav::xml::Element;
use crate::dav::xml::Space;
use crate::domain::access::Right;
use crate::domain::address::Kind;
use crate::domain::refusal::Refusal;

/// What principals can be searched by, and what that means to people.
const SEARCHED: [(Property, &str); 2] =
    [(Property::DisplayName, "Full name"), (Property::UserAddresses, "Mail address")];

/// RFC 3744 9.5.
pub fn properties(_: &Request) -> Result<Response, Fault> {
    let mut xml = Xml::document("D:principal-search-property-set");
    for (property, text) in SEARCHED {
        xml.open("D:principal-search-property");
        xml.open("D:prop");
        xml.empty(property.tag());
        xml.close("D:prop");
        xml.text("D:description", text);
        xml.close("D:principal-search-property");
    }
    xml.close("D:principal-search-property-set");
    let mut response = Response::new(xml.take().into());
    *response.status_mut() = StatusCode::OK;
    let media = HeaderValue::from_static("application/xml; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, media);
    Ok(response)
}

/// RFC 3744 9.4. Of the people here everybody finds themselves and nobody else: who has an account is nobody's business.
pub async fn search(request: &Request, root: &Element) -> Result<Response, Fault> {
    let mut ask = Ask::read(request, root, Kind::Calendar).await?;
    if ask.question == Question::These(Vec::new()) {
        // python-caldav writes the properties that it wants beside the `prop` where they belong.
        let beside = root.children.iter().filter_map(|child| Property::of(&child.name).map(Asked::Known));
        ask.question = Question::These(beside.collect());
    }
    let any = root.attribute("test").is_some_and(|test| test.trim() == "anyof");
    let searches: Vec<&Element> =
        root.children.iter().filter(|child| child.name.is(&Space::Dav, "property-search")).collect();
    let mut tests = Vec::new();
    for search in searches {
        let unread = || Fault::Malformed("a property-search holds a prop and a match".to_owned());
        let prop = search.child(&Space::Dav, "prop").ok_or_else(unread)?;
        let wanted = search.child(&Space::Dav, "match").ok_or_else(unread)?.text.trim().to_lowercase();
        let says = |name: &Element| {
            let found = Property::of(&name.name).map(|property| said(&ask.scene, property, Subject::Principal));
            found.is_some_and(|text| text.to_lowercase().contains(&wanted))
        };
        tests.push(!prop.children.is_empty() && prop.children.iter().all(says));
    }
    // Whoever searches for nothing wants a list.
    let found = if any { tests.is_empty() || tests.contains(&true) } else { !tests.contains(&false) };
    let mut rows = Multistatus::new(ask.minimal);
    if found {
        ask.row(&mut rows, &request.hrefs().principal(&request.caller.name), Subject::Principal).await?;
    }
    Ok(whole(rows, ask.minimal))
}

/// RFC 3744 9.2: whom the access control list of a place names. Of others it says that they are there, as the list does, and no more.
pub async fn listed(request: &Request, root: &Element) -> Result<Response, Fault> {
    let ask = Ask::read(request, root, Kind::Calendar).await?;
    let stand = Stand::at(request, request.place()).await?;
    if ask.scene.denies(Property::Acl, stand.subject()) {
        return Err(Refusal::Forbidden.into());
    }
    let (caller, mut rows) = (&request.caller.name, Multistatus::new(ask.minimal));
    for user in acl::people(stand.subject(), caller) {
        let href = request.hrefs().principal(&user);
        if user == *caller {
            ask.row(&mut rows, &href, Subject::Principal).await?;
        } else {
            rows.status(&href, multistatus::FORBIDDEN, Some(Condition::NeedPrivileges));
        }
    }
    Ok(whole(rows, ask.minimal))
}

/// RFC 3744 9.3: what is the caller, or says in a property that it is theirs.
pub async fn matching(request: &Request, root: &Element) -> Result<Response, Fault> {
    let ask = Ask::read(request, root, Kind::Calendar).await?;
    let mut rows = Multistatus::new(ask.minimal);
    let own = request.hrefs().principal(&request.caller.name);
    if root.child(&Space::Dav, "self").is_some() {
        if matches!(request.place(), Place::Root | Place::Principals | Place::Principal(_)) {
            ask.row(&mut rows, &own, Subject::Principal).await?;
        }
        return Ok(whole(rows, ask.minimal));
    }
    let named = root.child(&Space::Dav, "principal-property").and_then(|property| property.children.first());
    let named =
        named.ok_or_else(|| Fault::Malformed("a principal-match holds self or principal-property".to_owned()))?;
    let property = Property::of(&named.name);
    for place in members(request).await? {
        let stand = match Stand::at(request, &place).await {
            Ok(stand) => stand,
            Err(Refusal::Forbidden | Refusal::NotFound) => continue,
            Err(refusal) => return Err(refusal.into()),
        };
        let mut value = Xml::default();
        let is_theirs = property.is_some_and(|property| ask.scene.write(&mut value, property, stand.subject()))
            && hrefs(value.as_str()).any(|href| href == own);
        if is_theirs {
            ask.row(&mut rows, &request.hrefs().of(&place), stand.subject()).await?;
        }
    }
    Ok(whole(rows, ask.minimal))
}

/// The place itself and the collections directly below it.
async fn members(request: &Request) -> Result<Vec<Place>, Fault> {
    let caller = &request.caller.name;
    let mut places = vec![request.place().clone()];
    match request.place() {
        Place::Root | Place::Principals => places.push(Place::Principal(caller.clone())),
        Place::Homes(kind) => places.push(Place::Home(*kind, caller.clone())),
        Place::Home(kind, whose) => {
            let mut views = request.house.home_of(caller, whose, *kind).await?;
            views.retain(|view| view.right >= Right::Read);
            places.extend(views.into_iter().map(|view| Place::Collection(view.shown.address)));
        }
        Place::Principal(_) | Place::Collection(_) | Place::Object(_) | Place::Proxy(..) => {}
        Place::Notifications(_) | Place::Notification(..) => {}
    }
    Ok(places)
}

/// The hrefs in a value of our own making.
fn hrefs(value: &str) -> impl Iterator<Item = String> {
    let parts = value.split("<href>").skip(1).filter_map(|part| part.split_once("</href>"));
    parts.map(|(href, _)| href.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
}

/// The text in a property's value.
fn said(scene: &Scene, property: Property, subject: Subject<'_>) -> String {
    let mut value = Xml::default();
    if !scene.write(&mut value, property, subject) {
        return String::new();
    }
    // What stands between the tags; they are of our own making.
    let parts = value.as_str().split('<').filter_map(|part| part.split_once('>'));
    parts.map(|(_, text)| text).collect::<Vec<_>>().join(" ")
}

fn whole(rows: Multistatus, minimal: bool) -> Response {
    let mut response = Response::new(rows.finish().into());
    multistatus::dress(&mut response, minimal);
    response
}
