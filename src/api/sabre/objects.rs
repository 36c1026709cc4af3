//! One object as jCal or jCard: read by `Accept`, written whatever its type is called. What is kept is the text.

use http::header::{CONTENT_TYPE, ETAG, HeaderName, VARY};
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};
use warp::reply::Response;

use crate::api::sabre::Ask;
use crate::api::sabre::items::values;
use crate::api::sabre::wrong::Wrong;
use crate::domain::address::{Kind, ObjectAddress};
use crate::domain::object::Precondition;
use crate::domain::refusal::{Fault, Refusal};
use crate::http::conditions;
use crate::http::problem;
use crate::ical::jcal::said;
use crate::ical::write::PRODID;

const SCHEDULE_TAG: HeaderName = HeaderName::from_static("schedule-tag");

pub async fn get(ask: &Ask, at: &ObjectAddress) -> Result<Response, Wrong> {
    let mut wanted = conditions::precondition(&ask.call.headers).map_err(Wrong::Bad)?;
    let found = ask.house.object(&ask.caller, at).await?;
    let known = Precondition { if_none_match: wanted.if_none_match.take(), ..Precondition::default() };
    if !wanted.allows(Some(&found.record)) {
        return Err(Refusal::Precondition.into());
    }
    let kind = at.collection().kind();
    let mut response = match known.allows(Some(&found.record)) {
        false => problem::empty(StatusCode::NOT_MODIFIED),
        true => {
            let data = values(&ask.house, kind, vec![found.bytes.clone()]).await?.pop().flatten();
            let data = data.ok_or_else(|| ask.house.fault("a stored object cannot be read"))?;
            let mut response = problem::json(StatusCode::OK, &data);
            let media = match kind {
                Kind::Calendar => "application/calendar+json; charset=utf-8",
                Kind::AddressBook => "application/vcard+json; charset=utf-8",
            };
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
            response
        }
    };
    // The same address has a text, too.
    response.headers_mut().insert(VARY, HeaderValue::from_static("Accept"));
    tag(&mut response, ETAG, found.record.etag.as_str());
    if let Some(found) = &found.record.schedule_tag {
        tag(&mut response, SCHEDULE_TAG, found);
    }
    Ok(response)
}

/// 201 or 204 with the tag of the text that is kept. Preconditions count here as they do in DAV.
pub async fn put(ask: &Ask, at: &ObjectAddress) -> Result<Response, Wrong> {
    let condition = conditions::precondition(&ask.call.headers).map_err(Wrong::Bad)?;
    let kind = at.collection().kind();
    let body: Value = serde_json::from_slice(&ask.body).map_err(|error| Fault {
        line: Some(error.line() as u64).filter(|line| *line > 0),
        why: format!("no JSON: {error}"),
    })?;
    let body = if kind == Kind::Calendar { complete(body) } else { body };
    let limits = ask.house.line_limits();
    let text = tokio::task::spawn_blocking(move || said::text_of(kind, &body, &limits)).await;
    let text = text.map_err(|_| ask.house.fault("a reader of jCal panicked"))??;
    let written = ask.house.put(&ask.caller, at, text.into(), condition).await?;
    let mut response = problem::empty(if written.created { StatusCode::CREATED } else { StatusCode::NO_CONTENT });
    tag(&mut response, ETAG, written.etag.as_str());
    if let Some(found) = &written.schedule_tag {
        tag(&mut response, SCHEDULE_TAG, found);
    }
    Ok(response)
}

/// Web apps leave out what RFC 5545 3.6 demands of every calendar, and other clients would not read it without.
fn complete(mut body: Value) -> Value {
    let Some(properties) = body.get_mut(1).and_then(Value::as_array_mut) else { return body };
    for (name, value) in [("prodid", PRODID), ("version", "2.0")] {
        let is = |one: &Value| one.get(0).and_then(Value::as_str).is_some_and(|found| found.eq_ignore_ascii_case(name));
        if !properties.iter().any(is) {
            properties.insert(0, json!([name, {}, "text", value]));
        }
    }
    body
}

fn tag(response: &mut Response, name: HeaderName, tag: &str) {
    if let Ok(tag) = HeaderValue::from_str(tag) {
        response.headers_mut().insert(name, tag);
    }
}
