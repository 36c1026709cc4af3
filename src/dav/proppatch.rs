//! PROPPATCH: all of its changes or none. What a property becomes is decided in `face.rs`.

use http::StatusCode;
use warp::reply::Response;

use crate::dav::dead;
use crate::dav::face::{self, Change, Fate, Unset};
use crate::dav::fault::{Condition, Fault};
use crate::dav::headers;
use crate::dav::multistatus::{self, Multistatus, Outcome};
use crate::dav::path::{Path, Place};
use crate::dav::props::Property;
use crate::dav::question::{self, PROPS_MAX};
use crate::dav::request::Request;
use crate::dav::sharing;
use crate::dav::xml::{Element, Space};
use crate::domain::access::Right;
use crate::domain::address::{Address, UserName};
use crate::domain::dead::{DeadChange, Holder};
use crate::domain::refusal::Refusal;
use crate::http::problem;
use crate::service::collections::Face;

const OK: &str = "HTTP/1.1 200 OK";
const FORBIDDEN: &str = "HTTP/1.1 403 Forbidden";
const CONFLICT: &str = "HTTP/1.1 409 Conflict";
const INSUFFICIENT_STORAGE: &str = "HTTP/1.1 507 Insufficient Storage";
const FAILED_DEPENDENCY: &str = "HTTP/1.1 424 Failed Dependency";

pub async fn answer(request: &Request) -> Result<Response, Fault> {
    let root = question::body(request.headers(), &request.body, false)?;
    let changes = changes(root.as_ref())?;
    let verdicts = match performed(request, &changes).await {
        Err(Fault::Refused(Refusal::Full(why))) => full(request.place(), &changes, &why),
        verdicts => verdicts?,
    };
    let outcomes = outcomes(&changes, &verdicts);
    let failed = verdicts.iter().any(Result::is_err);
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

type Verdicts = Vec<Result<Fate, Unset>>;

/// Makes the changes where all of them can be made; says of each whether it can.
async fn performed(request: &Request, changes: &[Change<'_>]) -> Result<Verdicts, Fault> {
    let (house, caller, place) = (&request.house, &request.caller, request.place());
    let condition = request.precondition()?;
    let untagged = || if condition.allows_untagged() { Ok(()) } else { Err(Refusal::Precondition) };
    match place {
        Place::Collection(at) => {
            // Who may not see it learns nothing from the verdicts.
            house.glimpse(&caller.name, at).await?;
            untagged()?;
            let mut face = Face::default();
            let intake =
                |change: &Change<'_>| at.is_inbox() && Property::of(change.name) == Some(Property::DefaultCalendar);
            let mut verdicts: Verdicts = changes
                .iter()
                .map(|change| {
                    if intake(change) {
                        chosen(*change).map(|_| Fate::Live)
                    } else if at.is_inbox() && dead::is_availability(change.name) {
                        Ok(Fate::Live)
                    } else {
                        face::dress(&mut face, at, *change)
                    }
                })
                .collect();
            if verdicts.iter().any(Result::is_err) {
                return Ok(verdicts);
            }
            let available = |change: &Change<'_>| at.is_inbox() && dead::is_availability(change.name);
            for (change, verdict) in changes.iter().zip(&mut verdicts).filter(|(change, _)| available(change)) {
                // An XML text has no ends of line of its own.
                let lines = |value: &Element| value.text.trim().replace("\r\n", "\n").replace('\n', "\r\n") + "\r\n";
                match house.set_availability(caller, change.value.map(lines).map(Into::into)).await {
                    Err(refusal @ (Refusal::Invalid(_) | Refusal::Unstorable(_) | Refusal::TooLarge { .. })) => {
                        *verdict = Err(Unset::Bad(Some(Condition::ValidCalendarData), refusal.to_string()));
                        return Ok(verdicts);
                    }
                    set => set?,
                }
            }
            for (change, verdict) in changes.iter().zip(&mut verdicts).filter(|(change, _)| intake(change)) {
                let Ok(calendar) = chosen(*change) else { continue };
                match house.set_default_calendar(caller, &calendar).await {
                    Err(refusal @ Refusal::Unschedulable { .. }) => {
                        *verdict = Err(Unset::Bad(Some(Condition::DefaultCalendar), refusal.to_string()));
                        return Ok(verdicts);
                    }
                    set => set?,
                }
            }
            house.dress_collection(caller, at, face).await?;
            Ok(verdicts)
        }
        Place::Object(at) => {
            house.view(&caller.name, at.collection()).await?;
            house.object(caller, at).await?;
            let (verdicts, dead) = kept(place, changes);
            if verdicts.iter().all(Result::is_ok) {
                house.dress_object(caller, at, dead, condition).await?;
            }
            Ok(verdicts)
        }
        Place::Principal(whose) | Place::Home(_, whose) => {
            if *whose != caller.name {
                return Err(Refusal::Forbidden.into());
            }
            untagged()?;
            let (verdicts, dead) = kept(place, changes);
            if verdicts.iter().all(Result::is_ok) {
                let holder = match place {
                    Place::Home(kind, _) => Holder::Home(*kind, whose.clone()),
                    _ => Holder::Principal(whose.clone()),
                };
                house.dress_own(caller, holder, dead).await?;
            }
            Ok(verdicts)
        }
        Place::Proxy(owner, writes) => {
            if *owner != caller.name {
                return Err(Refusal::Forbidden.into());
            }
            untagged()?;
            members(request, *writes, changes).await
        }
        Place::Notifications(whose) | Place::Notification(whose, _) if *whose != caller.name => {
            Err(Refusal::Forbidden.into())
        }
        Place::Root | Place::Principals | Place::Homes(_) | Place::Notifications(_) | Place::Notification(..) => {
            Ok(kept(place, changes).0)
        }
    }
}

/// The calendar that is to take invitations. RFC 6638 9.2.
fn chosen(change: Change<'_>) -> Result<Address, Unset> {
    let bad = || Unset::Bad(Some(Condition::DefaultCalendar), "it holds the href of one of your calendars".to_owned());
    let href = change.value.and_then(|value| value.child(&Space::Dav, "href")).ok_or_else(bad)?;
    let uri: http::Uri = href.text.trim().parse().map_err(|_| bad())?;
    match Path::parse(uri.path()).map(|path| path.place) {
        Ok(Place::Collection(address)) => Ok(address),
        _ => Err(bad()),
    }
}

/// RFC 3744 4.3: those who act for the caller are set as a whole. Nothing else can be set there.
async fn members(request: &Request, writes: bool, changes: &[Change<'_>]) -> Result<Verdicts, Fault> {
    let mut verdicts: Verdicts = Vec::new();
    let mut wanted: Option<Vec<UserName>> = None;
    for change in changes {
        if Property::of(change.name) != Some(Property::GroupMembers) {
            verdicts.push(Err(Unset::Nowhere));
            continue;
        }
        let (mut named, mut unknown) = (Vec::new(), None);
        let hrefs = change.value.into_iter().flat_map(|value| &value.children);
        for href in hrefs.filter(|child| child.name.is(&Space::Dav, "href")) {
            match sharing::person(request, &href.text).await? {
                Some(user) if request.house.person(&user).await.is_ok() => named.push(user),
                _ => unknown = Some(href.text.trim().to_owned()),
            }
        }
        let strange =
            |href: String| Unset::Bad(Some(Condition::RecognizedPrincipal), format!("{href:?} is nobody here"));
        verdicts.push(unknown.map_or(Ok(Fate::Live), |href| Err(strange(href))));
        wanted = Some(named);
    }
    if let (true, Some(wanted)) = (verdicts.iter().all(Result::is_ok), wanted) {
        let right = if writes { Right::ReadWrite } else { Right::Read };
        match request.house.set_proxies(&request.caller, right, &wanted).await {
            Ok(()) => {}
            Err(Refusal::Invalid(fault)) => {
                let bad = || Err(Unset::Bad(Some(Condition::AllowedPrincipal), fault.why.clone()));
                return Ok(changes.iter().map(|_| bad()).collect());
            }
            Err(refusal) => return Err(refusal.into()),
        }
    }
    Ok(verdicts)
}

/// What can be kept at a place that gives no property a meaning.
fn kept(place: &Place, changes: &[Change<'_>]) -> (Verdicts, Vec<DeadChange>) {
    let mut dead = Vec::new();
    let mut verdict = |change: &Change<'_>| {
        match place {
            // These are everybody's, so nobody writes on them.
            Place::Root | Place::Principals | Place::Homes(_) | Place::Notifications(_) | Place::Notification(..)
                if !Property::protects(change.name) =>
            {
                return Err(Unset::Nowhere);
            }
            // A person's name is set where people are managed.
            Place::Principal(_) if Property::of(change.name) == Some(Property::DisplayName) => {
                return Err(Unset::Protected);
            }
            _ => dead.push(face::keep(*change)?),
        }
        Ok(Fate::Dead)
    };
    let verdicts = changes.iter().map(&mut verdict).collect();
    (verdicts, dead)
}

/// RFC 4918 9.2.1: there was no room for what was to be kept, and so nothing was done.
fn full(place: &Place, changes: &[Change<'_>], why: &str) -> Verdicts {
    let verdicts = match place {
        Place::Collection(at) => changes.iter().map(|change| face::dress(&mut Face::default(), at, *change)).collect(),
        place => kept(place, changes).0,
    };
    let told = verdicts.into_iter().zip(changes).map(|(verdict, change)| match verdict {
        Ok(Fate::Dead) if change.value.is_some() => Err(Unset::Full(why.to_owned())),
        verdict => verdict,
    });
    told.collect()
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
        let lang = [prop, step, root].into_iter().find_map(dead::language);
        let named = prop.children.iter();
        changes.extend(named.map(|child| Change { name: &child.name, value: sets.then_some(child), lang }));
    }
    if changes.len() > PROPS_MAX {
        return Err(Fault::Malformed(format!("a request names at most {PROPS_MAX} properties")));
    }
    if changes.is_empty() { Err(unread()) } else { Ok(changes) }
}

/// RFC 4918 9.2.1: when one fails, the others that would have worked fail with it.
fn outcomes(changes: &[Change<'_>], verdicts: &[Result<Fate, Unset>]) -> Vec<Outcome> {
    let failed = verdicts.iter().any(Result::is_err);
    let mut outcomes: Vec<Outcome> = Vec::new();
    for (change, verdict) in changes.iter().zip(verdicts) {
        let (status, condition, why) = match verdict {
            Ok(_) if failed => (FAILED_DEPENDENCY, None, None),
            Ok(_) => (OK, None, None),
            Err(Unset::Protected) => (FORBIDDEN, Some(Condition::CannotModifyProtectedProperty), None),
            Err(Unset::Nowhere) => (FORBIDDEN, None, Some("nothing is kept at this place".to_owned())),
            Err(Unset::Full(why)) => (INSUFFICIENT_STORAGE, None, Some(why.clone())),
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
        let table = |verdicts: &[Result<Fate, Unset>]| -> Vec<(String, String)> {
            let spelled = |outcome: Outcome| {
                let names: Vec<String> = outcome.names.into_iter().map(|name| name.local).collect();
                (outcome.status[9..12].to_owned(), names.join(" "))
            };
            outcomes(&changes, verdicts).into_iter().map(spelled).collect()
        };
        let row = |status: &str, names: &str| (status.to_owned(), names.to_owned());
        assert_eq!(
            table(&[Ok(Fate::Live), Ok(Fate::Live), Ok(Fate::Live), Ok(Fate::Live)]),
            [row("200", "displayname getetag x z")]
        );
        assert_eq!(
            table(&[Ok(Fate::Live), Err(Unset::Protected), Err(Unset::Nowhere), Ok(Fate::Live)]),
            [row("424", "displayname z"), row("403", "getetag"), row("403", "x")]
        );
        assert_eq!(
            table(&[Err(bad), Ok(Fate::Live), Ok(Fate::Live), Ok(Fate::Live)]),
            [row("409", "displayname"), row("424", "getetag x z")]
        );
    }
}
