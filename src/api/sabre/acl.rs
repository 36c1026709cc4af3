//! What everybody may do with a collection, set by the ACL method: `{"public_right":"{DAV:}read"}`; of an address book a list of entries.

use http::StatusCode;
use serde_json::Value;
use warp::reply::Response;

use crate::api::sabre::items::answer as written;
use crate::api::sabre::rights::FREE_BUSY;
use crate::api::sabre::wrong::Wrong;
use crate::api::sabre::{Ask, rights};
use crate::domain::access::Right;
use crate::domain::address::{Address, Kind};

/// Privileges that everybody may be given, and what they come to.
const PUBLIC: [(&str, Option<Right>); 4] = [
    ("", None),
    (FREE_BUSY, Some(Right::FreeBusy)),
    ("{DAV:}read", Some(Right::Read)),
    ("{DAV:}write", Some(Right::ReadWrite)),
];

/// 200 with the list as it is now.
pub async fn answer(ask: &Ask, at: &Address) -> Result<Response, Wrong> {
    let body: Value = serde_json::from_slice(&ask.body).map_err(|error| Wrong::Bad(format!("no JSON: {error}")))?;
    let wanted = match (at.kind(), &body) {
        (_, Value::Object(_)) => {
            let right = body.get("public_right").and_then(Value::as_str);
            public(right.ok_or_else(|| Wrong::bad("public_right is missing"))?)?
        }
        (Kind::AddressBook, Value::Array(entries)) => of_entries(entries)?,
        _ => return Err(Wrong::bad("the body must be {\"public_right\":\"…\"}")),
    };
    ask.house.set_public(&ask.caller, at, wanted).await?;
    let view = ask.house.view(&ask.caller.name, at).await?;
    Ok(written(StatusCode::OK, &Value::Array(rights::acl(&view, &ask.caller.name))))
}

fn public(privilege: &str) -> Result<Option<Right>, Wrong> {
    let known = PUBLIC.iter().find(|(known, _)| *known == privilege);
    match known {
        Some((_, right)) => Ok(*right),
        None => Err(Wrong::Denied(format!("{privilege:?} is no privilege that everybody can be given"))),
    }
}

/// The greatest right that is given to everybody who signs in.
fn of_entries(entries: &[Value]) -> Result<Option<Right>, Wrong> {
    let mut right = None;
    for entry in entries {
        let text = |name: &str| entry.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let whom = text("principal").ok_or_else(|| Wrong::bad("an entry has a principal"))?;
        let privilege = text("privilege").ok_or_else(|| Wrong::bad("an entry has a privilege"))?;
        if whom != "{DAV:}authenticated" {
            return Err(Wrong::Denied(
                "an entry is for {DAV:}authenticated; people are given rights by sharing".to_owned(),
            ));
        }
        right = right.max(public(privilege)?);
    }
    Ok(right)
}
