//! Refusals as HTTP statuses, and as problem details (RFC 9457) for the JSON faces.

use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde_json::{Map, Value, json};
use warp::reply::Response;

use crate::domain::refusal::Refusal;
use crate::http::auth::CHALLENGE;

/// The status of a refusal on `/api` and `/ws`; DAV paths differ where RFC 4791 says so.
pub fn status(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::Unauthenticated | Refusal::Expired => StatusCode::UNAUTHORIZED,
        Refusal::Forbidden | Refusal::Full(_) | Refusal::Unschedulable { .. } => StatusCode::FORBIDDEN,
        Refusal::NotFound => StatusCode::NOT_FOUND,
        Refusal::Exists | Refusal::UidTaken(_) => StatusCode::CONFLICT,
        Refusal::Precondition => StatusCode::PRECONDITION_FAILED,
        Refusal::Invalid(_) | Refusal::Unstorable(_) => StatusCode::BAD_REQUEST,
        Refusal::Unsupported(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Refusal::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        Refusal::NoRoom(_) => StatusCode::INSUFFICIENT_STORAGE,
        Refusal::StaleToken => StatusCode::GONE,
        Refusal::Busy { .. } => StatusCode::SERVICE_UNAVAILABLE,
        Refusal::TooOften { .. } => StatusCode::TOO_MANY_REQUESTS,
        Refusal::Fault { .. } => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The headers that go with a refusal, whatever its body looks like.
pub fn dress(refusal: &Refusal, response: &mut Response) {
    match refusal {
        Refusal::Unauthenticated | Refusal::Expired => {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE));
        }
        Refusal::Busy { retry_seconds, .. } | Refusal::TooOften { retry_seconds, .. } => {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(*retry_seconds));
        }
        _ => {}
    }
}

/// The members of a problem: `about:blank`, the status, what is wrong; the line and the limit where there is one.
pub fn members(refusal: &Refusal) -> Map<String, Value> {
    let mut members = Map::new();
    let status = status(refusal);
    let detail = match refusal {
        Refusal::Unauthenticated | Refusal::Expired => "Wrong credentials provided".to_owned(),
        other => other.to_string(),
    };
    members.insert("type".to_owned(), json!("about:blank"));
    members.insert("title".to_owned(), json!(status.canonical_reason().unwrap_or_default()));
    members.insert("status".to_owned(), json!(status.as_u16()));
    members.insert("detail".to_owned(), json!(detail));
    match refusal {
        Refusal::Invalid(fault) | Refusal::Unstorable(fault) if fault.line.is_some() => {
            members.insert("line".to_owned(), json!(fault.line));
        }
        Refusal::TooLarge { limit } => {
            members.insert("limit".to_owned(), json!(limit));
        }
        Refusal::UidTaken(holder) => {
            members.insert("href".to_owned(), json!(holder.to_string()));
        }
        _ => {}
    }
    members
}

pub fn problem(refusal: &Refusal) -> Response {
    with_members(refusal, members(refusal))
}

/// A problem with members of the caller's choosing.
pub fn with_members(refusal: &Refusal, members: Map<String, Value>) -> Response {
    let mut response = Response::new(Value::Object(members).to_string().into());
    *response.status_mut() = status(refusal);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    dress(refusal, &mut response);
    response
}

/// An answer in JSON.
pub fn json(status: StatusCode, value: &Value) -> Response {
    let mut response = Response::new(value.to_string().into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// An answer without a body.
pub fn empty(status: StatusCode) -> Response {
    let mut response = Response::default();
    *response.status_mut() = status;
    response
}
