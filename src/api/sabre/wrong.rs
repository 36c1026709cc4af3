//! Why this face says no, as its clients know it: a status, and mostly a JSON object that says why.

use http::StatusCode;
use serde_json::json;
use warp::reply::Response;

use crate::domain::refusal::{Fault, Refusal};
use crate::http::problem;

/// Everything that can go wrong here.
#[derive(Clone, Debug, PartialEq)]
pub enum Wrong {
    Refused(Refusal),
    /// A request that makes no sense: 400.
    Bad(String),
    /// 403, where there is more to say than the status.
    Denied(String),
    /// The answer would be larger than any may be: 422.
    TooMany(String),
    /// What the real service does, and this one does not: 501.
    NotHere(String),
    /// 405
    NotAllowed(String),
}

impl Wrong {
    pub fn bad(why: &str) -> Wrong {
        Wrong::Bad(why.to_owned())
    }

    /// 401, 403 and 404 are bare, as the real service has them.
    pub fn response(&self) -> Response {
        let (status, details) = match self {
            Wrong::Refused(refusal) => {
                let status = problem::status(refusal);
                let bare = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::NOT_FOUND].contains(&status)
                    && !matches!(refusal, Refusal::Full(_));
                // A token that is not known any more is a request that makes no sense to esn-sabre.
                let status = if *refusal == Refusal::StaleToken { StatusCode::BAD_REQUEST } else { status };
                let mut response = match bare {
                    true => problem::empty(status),
                    false => written(status, &refusal.to_string()),
                };
                problem::dress(refusal, &mut response);
                return response;
            }
            Wrong::Bad(why) => (StatusCode::BAD_REQUEST, why),
            Wrong::Denied(why) => (StatusCode::FORBIDDEN, why),
            Wrong::TooMany(why) => (StatusCode::UNPROCESSABLE_ENTITY, why),
            Wrong::NotHere(why) => (StatusCode::NOT_IMPLEMENTED, why),
            Wrong::NotAllowed(why) => (StatusCode::METHOD_NOT_ALLOWED, why),
        };
        written(status, details)
    }
}

impl From<Refusal> for Wrong {
    fn from(refusal: Refusal) -> Wrong {
        Wrong::Refused(refusal)
    }
}

impl From<Fault> for Wrong {
    fn from(fault: Fault) -> Wrong {
        Wrong::Refused(fault.into())
    }
}

fn written(status: StatusCode, details: &str) -> Response {
    let (kind, message) = match status.as_u16() {
        400 => ("BadRequest", "Bad request"),
        401 => ("Unauthorized", "Unauthorized"),
        403 => ("Forbidden", "Forbidden"),
        404 => ("NotFound", "Not found"),
        413 | 422 => ("UnprocessableEntity", "Unprocessable entity"),
        503 => ("ServiceUnavailable", "Service unavailable"),
        500 => ("ServerError", "Server error"),
        501 => ("NotImplemented", "Not implemented"),
        _ => ("BadRequest", status.canonical_reason().unwrap_or("Bad request")),
    };
    let body = json!({ "error": { "code": status.as_u16(), "type": kind, "message": message, "details": details } });
    problem::json(status, &body)
}
