//! PROPPATCH: all of its changes or none. What a property becomes is decided in `face.rs`.

use http::StatusCode;
use warp::reply::Response;

use crate::dav::dispatch::Request;
use crate::dav::face::{self, Unset};
use crate::dav::fault::{Condition, Fault};
use crate::dav::headers;
use crate::dav::multistatus::{self, Multistatus, Outcome};
use crate::dav::path::Place;
use crate::dav::props::Property;
use crate::dav::question::{self, PROPS_MAX};
use crate::dav::xml::{Element, Name, Space};
use crate::domain::refusal::Refusal;
use crate::http::problem;
use crate::service::collections::Face;

const OK: &str = "HTTP/1.1 200 OK";
const FORBIDDEN: &str = "HTTP/1.1 403 Forbidden";
const CONFLICT: &str = "HTTP/1.1 409 Conflict";
const FAILED_DEPENDENCY: &str = "HTTP/1.1 424 Failed Dependency";

pub async fn answer(request: &Request) -> Result<Response, Fault> {
    let root = question::body(request.headers(), &request.body, false)?;
    let changes = changes(root.as_ref())?;
    let mut face = Face::default();
    let verdicts = match request.place() {
        Place::Collection(at) => {
            // Who may not see it learns nothing from the verdicts.
            request.house.view(&request.caller.name, at).await?;
            changes.iter().map(|change| face::dress(&mut face, at, change.name, change.value)).collect()
        }
        place => {
            visible(request, place).await?;
            // Nothing above or below a collection has properties that can be set.
            changes.iter().map(|change| Err(refused(change.name))).collect::<Vec<_>>()
        }
    };
    let outcomes = outcomes(&changes, &verdicts);
    let failed = verdicts.iter().any(Result::is_err);
    if let (false, Place::Collection(at)) = (failed, request.place()) {
        request.house.dress_collection(&request.caller, at, face).await?;
    }
    let minimal = headers::minimal(request.headers());
    // RFC 8144 2.1: when all went well there is nothing left to say.
    if minimal && !failed {
        let mut response = problem::empty(StatusCode::OK);
        multistatus::applied(&mut response);
        return Ok(response);
    }
    let mut rows = Multistatus::new(minimal);
    rows.outcomes(&request.hrefs().of(request.place()), &outcomes);
    let mut response = Response::new(rows.finish().into());
    multistatus::dress(&mut response, false);
    Ok(response)
}

/// Whether the caller may know of a place that is no collection.
async fn visible(request: &Request, place: &Place) -> Result<(), Fault> {
    let user = &request.caller.name;
    match place {
        Place::Principal(whose) | Place::Home(_, whose) if whose != user => Err(Refusal::Forbidden.into()),
        Place::Object(at) => Ok(request.house.object(&request.caller, at).await.map(drop)?),
        _ => Ok(()),
    }
}

fn refused(name: &Name) -> Unset {
    if Property::of(name).is_some() { Unset::Protected } else { Unset::Unknown }
}

/// One property to be set or, where there is no value, taken away.
struct Change<'a> {
    name: &'a Name,
    value: Option<&'a Element>,
}

/// RFC 4918 9.2: in the order in which they stand in the body.
fn changes(root: Option<&Element>) -> Result<Vec<Change<'_>>, Fault> {
    let unread =
        || Fault::Malformed("the body must be a DAV:propertyupdate that sets or removes properties".to_owned());
    let root = root.filter(|root| root.name.is(&Space::Dav, "propertyupdate")).ok_or_else(unread)?;
    let mut changes = Vec::new();
    for step in root.children.iter().filter(|step| step.name.space == Space::Dav) {
        let sets = match step.name.local.as_str() {
            "set" => true,
            "remove" => false,
            _ => continue,
        };
        let prop = step.child(&Space::Dav, "prop").ok_or_else(unread)?;
        let named = prop.children.iter();
        changes.extend(named.map(|child| Change { name: &child.name, value: sets.then_some(child) }));
    }
    if changes.len() > PROPS_MAX {
        return Err(Fault::Malformed(format!("a request names at most {PROPS_MAX} properties")));
    }
    if changes.is_empty() { Err(unread()) } else { Ok(changes) }
}

/// RFC 4918 9.2.1: when one fails, the others that would have worked fail with it.
fn outcomes(changes: &[Change<'_>], verdicts: &[Result<(), Unset>]) -> Vec<Outcome> {
    let failed = verdicts.iter().any(Result::is_err);
    let mut outcomes: Vec<Outcome> = Vec::new();
    for (change, verdict) in changes.iter().zip(verdicts) {
        let (status, condition, why) = match verdict {
            Ok(()) if failed => (FAILED_DEPENDENCY, None, None),
            Ok(()) => (OK, None, None),
            Err(Unset::Protected) => (FORBIDDEN, Some(Condition::CannotModifyProtectedProperty), None),
            Err(Unset::Unknown) => (FORBIDDEN, None, Some("properties of this name are not kept".to_owned())),
            Err(Unset::Bad(condition, why)) => {
                (if condition.is_some() { FORBIDDEN } else { CONFLICT }, *condition, Some(why.clone()))
            }
        };
        let alike = |known: &&mut Outcome| known.status == status && known.condition == condition && known.why == why;
        let outcome = match outcomes.iter_mut().find(alike) {
            Some(outcome) => outcome,
            None => {
                outcomes.push(Outcome { status, condition, why, names: Vec::new() });
                let last = outcomes.len() - 1;
                &mut outcomes[last]
            }
        };
        if !outcome.names.contains(change.name) {
            outcome.names.push(change.name.clone());
        }
    }
    outcomes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dav::reader;

    #[test]
    fn changes_come_in_their_order() {
        let body = "<propertyupdate xmlns='DAV:'><set><prop><displayname>a</displayname><x/></prop></set><y/>\
            <remove><prop><displayname/></prop></remove><set><prop><displayname>b</displayname></prop></set></propertyupdate>";
        let root = reader::read(body.as_bytes()).unwrap().unwrap();
        let found: Vec<_> = changes(Some(&root))
            .unwrap()
            .iter()
            .map(|change| (change.name.local.clone(), change.value.map(|value| value.text.clone())))
            .collect();
        let row = |name: &str, value: Option<&str>| (name.to_owned(), value.map(str::to_owned));
        let want = [
            row("displayname", Some("a")),
            row("x", Some("")),
            row("displayname", None),
            row("displayname", Some("b")),
        ];
        assert_eq!(found, want);
        for body in [
            "<propertyupdate xmlns='DAV:'/>",
            "<propertyupdate xmlns='DAV:'><set/></propertyupdate>",
            "<propfind xmlns='DAV:'/>",
        ] {
            let root = reader::read(body.as_bytes()).unwrap().unwrap();
            assert!(changes(Some(&root)).is_err(), "{body}");
        }
        assert!(changes(None).is_err());
    }

    #[test]
    fn one_failure_fails_all() {
        let body =
            "<propertyupdate xmlns='DAV:'><set><prop><displayname/><getetag/><x/><z/></prop></set></propertyupdate>";
        let root = reader::read(body.as_bytes()).unwrap().unwrap();
        let changes = changes(Some(&root)).unwrap();
        let bad = Unset::Bad(None, "too long".to_owned());
        let table = |verdicts: &[Result<(), Unset>]| -> Vec<(String, String)> {
            let spelled = |outcome: Outcome| {
                let names: Vec<String> = outcome.names.into_iter().map(|name| name.local).collect();
                (outcome.status[9..12].to_owned(), names.join(" "))
            };
            outcomes(&changes, verdicts).into_iter().map(spelled).collect()
        };
        let row = |status: &str, names: &str| (status.to_owned(), names.to_owned());
        assert_eq!(table(&[Ok(()), Ok(()), Ok(()), Ok(())]), [row("200", "displayname getetag x z")]);
        assert_eq!(
            table(&[Ok(()), Err(Unset::Protected), Err(Unset::Unknown), Ok(())]),
            [row("424", "displayname z"), row("403", "getetag"), row("403", "x")]
        );
        assert_eq!(table(&[Err(bad), Ok(()), Ok(()), Ok(())]), [row("409", "displayname"), row("424", "getetag x z")]);
    }
}
