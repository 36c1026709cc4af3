//! Calendars and address books made by `POST` into a home, and subscriptions to others'.

use http::StatusCode;
use http::header::{HeaderValue, LOCATION};
use serde_json::Value;
use warp::reply::Response;

use crate::api::sabre::items::link;
use crate::api::sabre::wrong::Wrong;
use crate::api::sabre::{Ask, place, properties};
use crate::domain::address::{Address, Kind, UserName};
use crate::domain::refusal::Refusal;
use crate::http::problem;
use crate::service::collections::Face;

/// `{"id","dav:name","apple:color","caldav:description"}`, or with `calendarserver:source` a subscription.
pub async fn calendar(ask: &Ask, user: &UserName) -> Result<Response, Wrong> {
    let body = ask.object()?;
    let source = body.get("calendarserver:source").filter(|source| !source.is_null());
    let href = source.map(|source| source.get("href").or_else(|| self_link(source)).and_then(Value::as_str));
    make(ask, Kind::Calendar, user, &body, href).await
}

/// `{"id","dav:name","carddav:description"}`, or with `openpaas:source` a subscription.
pub async fn book(ask: &Ask, user: &UserName) -> Result<Response, Wrong> {
    let body = ask.object()?;
    let source = body.get("openpaas:source").filter(|source| !source.is_null());
    let href = source.map(|source| self_link(source).or_else(|| source.get("href")).and_then(Value::as_str));
    make(ask, Kind::AddressBook, user, &body, href).await
}

fn self_link(source: &Value) -> Option<&Value> {
    source.get("_links")?.get("self")?.get("href")
}

/// 201 and where it is. One person has one subscription of each source: a second is 409, under whatever id.
async fn make(
    ask: &Ask,
    kind: Kind,
    user: &UserName,
    body: &Value,
    source: Option<Option<&str>>,
) -> Result<Response, Wrong> {
    if user != &ask.caller.name {
        return Err(Refusal::Forbidden.into());
    }
    let id = body.get("id").and_then(Value::as_str).unwrap_or_default();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'@');
    let at = Address::new(kind, user.as_str(), id).filter(|_| id.bytes().all(plain) && !id.ends_with(".json"));
    let at = at.ok_or_else(|| Wrong::bad("id is missing, or is no name: letters, digits, and - _ . @"))?;
    let wanted = properties::read(kind, body)?;
    let made = match source {
        None => {
            // An empty name would show nothing to choose by.
            let face = Face { display_name: wanted.display_name.filter(|name| !name.trim().is_empty()), ..wanted };
            ask.house.make_collection(&ask.caller, &at, Vec::new(), face).await?.address
        }
        Some(source) => {
            let source = source.and_then(place::collection).filter(|source| source.kind() == kind);
            let source = source.ok_or_else(|| Wrong::bad("the source names no collection"))?;
            let name = wanted.display_name.clone().filter(|name| !name.trim().is_empty());
            let made = ask.house.subscribe(&ask.caller, &source, name, Some(at.name())).await?;
            let face = Face { display_name: None, description: None, ..wanted };
            ask.house.dress_collection(&ask.caller, &made, face).await?;
            made
        }
    };
    let mut response = problem::empty(StatusCode::CREATED);
    if let Ok(place) = HeaderValue::from_str(&link(&made)) {
        response.headers_mut().insert(LOCATION, place);
    }
    Ok(response)
}
