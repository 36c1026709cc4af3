//! POST: `CS:share`, `D:share-resource`, publishing, and the answer to an invitation. What the bodies say stands in `words.rs`; who gets
//! what is decided below the waist.

pub mod notifications;
pub mod values;
pub mod words;

use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use warp::reply::Response;

use crate::dav::fault::{Condition, Fault};
use crate::dav::multistatus::{self, Multistatus};
use crate::dav::path::{Path, Place};
use crate::dav::question;
use crate::dav::request::Request;
use crate::dav::sharing::words::{Answer, Wish};
use crate::dav::writer::Xml;
use crate::dav::xml::{Element, Space};
use crate::domain::access::Right;
use crate::domain::address::{Address, Kind, UserName};
use crate::domain::refusal::{self, Refusal};
use crate::http::problem;
use crate::service::sharing::Sharing;

const OK: &str = "HTTP/1.1 200 OK";

/// A collection is shared, or opened to all.
pub async fn collection(request: &Request, at: &Address) -> Result<Response, Fault> {
    let root = body(request)?;
    // Whoever may not see it learns nothing from the body's faults.
    let view = request.house.view(&request.caller.name, at).await?;
    if !request.precondition()?.allows_untagged() {
        return Err(Refusal::Precondition.into());
    }
    let publishes = match &root.name.space {
        Space::CalendarServer => root.name.local.as_str(),
        _ => "",
    };
    let (house, caller) = (&request.house, &request.caller);
    match publishes {
        "publish-calendar" | "unpublish-calendar" if at.kind() == Kind::Calendar => {
            let right = match (publishes, view.source.public) {
                ("unpublish-calendar", _) => None,
                // Who opened it for writing meant more than this.
                (_, Some(more)) if more >= Right::Read => Some(more),
                _ => Some(Right::Read),
            };
            house.set_public(caller, at, right).await?;
            Ok(problem::empty(StatusCode::ACCEPTED))
        }
        _ => share(request, at, words::wishes(&root)?, root.name.space == Space::Dav).await,
    }
}

async fn share(request: &Request, at: &Address, wishes: Vec<Wish>, drafted: bool) -> Result<Response, Fault> {
    let (mut wanted, mut known) = (Sharing::default(), Vec::new());
    for wish in &wishes {
        let whom = person(request, &wish.href).await?;
        if let Some(whom) = &whom {
            wanted.people.push((whom.clone(), wish.right));
        }
        known.push(whom);
    }
    let shared = request.house.reshare(&request.caller, at, &wanted).await.map_err(refused)?;
    let unknown =
        |whom: &Option<UserName>| whom.as_ref().is_none_or(|whom| shared.unknown.iter().any(|other| other == whom));
    if !known.iter().any(unknown) {
        return Ok(problem::empty(StatusCode::OK));
    }
    let mut rows = Multistatus::new(false);
    for (wish, whom) in wishes.iter().zip(&known) {
        let condition = if drafted { Condition::RecognizedPrincipal } else { Condition::InviteInvalid };
        match unknown(whom) {
            true => rows.status(&wish.href, multistatus::FORBIDDEN, Some(condition)),
            false => rows.status(&wish.href, OK, None),
        }
    }
    let mut response = Response::new(rows.finish().into());
    multistatus::dress(&mut response, false);
    Ok(response)
}

/// Sharing with oneself has an element of its own; the rest is refused as everywhere.
pub fn refused(refusal: Refusal) -> Fault {
    match refusal {
        Refusal::Invalid(refusal::Fault { why, .. }) => Fault::Condition(Condition::AllowedPrincipal, why),
        refusal => refusal.into(),
    }
}

/// The person that an href means: a mail address of theirs, or their principal.
pub async fn person(request: &Request, href: &str) -> Result<Option<UserName>, Refusal> {
    let href = href.trim();
    let scheme = href.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("mailto:"));
    if scheme.is_some() {
        let person = request.house.person_of_mail(href.get(7..).unwrap_or_default()).await?;
        return Ok(person.map(|person| person.name));
    }
    Ok(words::principal(href))
}

/// A person answers what is shared with them: `CS:invite-reply` at their own home.
pub async fn home(request: &Request, kind: Kind, whose: &UserName) -> Result<Response, Fault> {
    let root = body(request)?;
    if *whose != request.caller.name {
        return Err(Refusal::Forbidden.into());
    }
    let Answer { source, accepts } = words::answer(&root)?;
    let source = match Path::parse(&words::path(&source)) {
        Ok(Path { place: Place::Collection(at), .. }) if at.kind() == kind => at,
        _ => return Err(Refusal::NotFound.into()),
    };
    let mirror = request.house.answer_share(&request.caller, &source, accepts).await?;
    if !accepts {
        return Ok(problem::empty(StatusCode::NO_CONTENT));
    }
    let mut xml = Xml::document("CS:shared-as");
    xml.text("D:href", &request.hrefs().collection(&mirror));
    xml.close("CS:shared-as");
    let mut response = Response::new(xml.take().into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml; charset=utf-8"));
    Ok(response)
}

fn body(request: &Request) -> Result<Element, Fault> {
    let root = question::body(request.headers(), &request.body, true)?;
    root.ok_or_else(|| Fault::Malformed("a POST here needs a body".to_owned()))
}
