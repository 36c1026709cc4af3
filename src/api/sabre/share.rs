//! A collection shared by `POST`: `{"share":{"set":[…],"remove":[…]}}`, and of an address book `{"dav:share-resource":{"dav:sharee":[…]}}`.

use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::Value;
use warp::reply::Response;

use crate::api::sabre::wrong::Wrong;
use crate::api::sabre::{Ask, rights};
use crate::domain::access::Right;
use crate::domain::address::{Address, UserName};
use crate::domain::refusal::{Fault, Refusal};
use crate::http::problem;
use crate::service::sharing::Sharing;

/// People that one request names at most.
const SHAREES_MAX: usize = 100;

const STATUS: HeaderName = HeaderName::from_static("x-sabre-status");

/// sabre's words for rights, the greatest first: where several are given, it counts.
const WORDS: [(&str, Right); 4] = [
    ("dav:administration", Right::Administration),
    ("dav:read-write", Right::ReadWrite),
    ("dav:read", Right::Read),
    ("dav:freebusy", Right::FreeBusy),
];

/// 200 without a body. Who has no account here is passed over; everything else is looked at before anybody is given anything.
pub async fn answer(ask: &Ask, at: &Address) -> Result<Response, Wrong> {
    let body = ask.object()?;
    let wanted = if let Some(share) = body.get("share") {
        of_share(share)?
    } else if let Some(resource) = body.get("dav:share-resource") {
        of_resource(resource)?
    } else if let Some(reply) = body.get("invite-reply") {
        return replied(ask, at, reply).await;
    } else {
        return Err(Wrong::bad("share is missing: {\"set\",\"remove\"}"));
    };
    if wanted.len() > SHAREES_MAX {
        return Err(Wrong::TooMany(format!("one request names at most {SHAREES_MAX} people")));
    }
    let view = ask.house.view(&ask.caller.name, at).await?;
    if view.right < Right::Administration {
        return Err(Refusal::Forbidden.into());
    }
    let mut known: Vec<(UserName, Option<Right>)> = Vec::new();
    for (href, right) in wanted {
        let Some(user) = person(ask, &href).await? else { continue };
        if right.is_some() && user == *view.source.address.user() {
            return Err(Fault::whole("a collection cannot be shared with its owner").into());
        }
        known.push((user, right));
    }
    // One commit, so that the owner hears of it once.
    ask.house.reshare(&ask.caller, at, &Sharing { people: known, ..Sharing::default() }).await?;
    Ok(done())
}

fn done() -> Response {
    let mut response = problem::empty(StatusCode::OK);
    response.headers_mut().insert(STATUS, HeaderValue::from_static("everything-went-well"));
    response
}

/// Who is named, and the right that they get; `None` takes it back.
type Sharee = (String, Option<Right>);

fn of_share(share: &Value) -> Result<Vec<Sharee>, Wrong> {
    let mut wanted = Vec::new();
    for one in list(share, "set")? {
        let given = |word: &str| one.get(word).is_some_and(|value| !matches!(value, Value::Null | Value::Bool(false)));
        let right = WORDS.iter().find(|(word, _)| given(word)).map(|(_, right)| *right);
        let right = right
            .ok_or_else(|| Wrong::bad("a sharee has dav:read, dav:read-write, dav:administration or dav:freebusy"))?;
        wanted.push((href(one)?, Some(right)));
    }
    for one in list(share, "remove")? {
        wanted.push((href(one)?, None));
    }
    if wanted.is_empty() { Err(Wrong::bad("share names nobody")) } else { Ok(wanted) }
}

fn of_resource(resource: &Value) -> Result<Vec<Sharee>, Wrong> {
    let mut wanted = Vec::new();
    for one in list(resource, "dav:sharee")? {
        let access =
            one.get("dav:share-access").and_then(|access| access.as_u64().or_else(|| access.as_str()?.parse().ok()));
        let access = access.ok_or_else(|| Wrong::bad("dav:share-access is a number"))?;
        // 4 is none, and 0 and 1 are no shares.
        let right = match access {
            4 => None,
            access => Some(
                rights::right_of_access(access)
                    .ok_or_else(|| Wrong::Bad(format!("no right has the number {access}")))?,
            ),
        };
        wanted.push((href(one)?, right));
    }
    if wanted.is_empty() { Err(Wrong::bad("dav:sharee names nobody")) } else { Ok(wanted) }
}

fn list<'a>(from: &'a Value, name: &str) -> Result<&'a [Value], Wrong> {
    match from.get(name) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(list)) => Ok(list),
        Some(_) => Err(Wrong::Bad(format!("{name} is a list"))),
    }
}

fn href(sharee: &Value) -> Result<String, Wrong> {
    let href = sharee.get("dav:href").and_then(Value::as_str).filter(|href| !href.is_empty());
    href.map(str::to_owned).ok_or_else(|| Wrong::bad("a sharee has a dav:href such as mailto:bob@example.org"))
}

/// `mailto:` and an address, or a principal's path.
async fn person(ask: &Ask, href: &str) -> Result<Option<UserName>, Wrong> {
    let mail = href.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("mailto:")).and_then(|_| href.get(7..));
    let found = match mail {
        Some(mail) => ask.house.person_of_mail(mail).await?,
        None => match href.rsplit('/').next().and_then(UserName::new) {
            Some(name) if href.contains("principals/") => ask.house.look_up(&name).await?,
            _ => {
                return Err(Wrong::Bad(format!(
                    "dav:href is a mail address such as mailto:bob@example.org, not {href:?}"
                )));
            }
        },
    };
    Ok(found.map(|person| person.name))
}

/// Accepted, what is shared with the caller is shown in their home; declined, it is hidden.
async fn replied(ask: &Ask, at: &Address, reply: &Value) -> Result<Response, Wrong> {
    let accept = match reply.get("invitestatus").and_then(Value::as_str) {
        Some("accepted") => true,
        Some("declined") => false,
        Some(_) => return Err(Wrong::bad("invitestatus is accepted or declined")),
        None => return Err(Wrong::bad("invitestatus is missing")),
    };
    ask.house.answer_share(&ask.caller, at, accept).await?;
    Ok(done())
}
