//! An iTIP message that a web app hands in: the ITIP method, `POST /itip`, or `POST` with `X-Http-Method-Override: ITIP`.

use http::StatusCode;
use serde_json::Value;
use warp::reply::Response;

use crate::api::sabre::Ask;
use crate::api::sabre::wrong::Wrong;
use crate::http::problem;
use crate::service::scheduling::received::Received;

/// What every message must say.
const WANTED: [&str; 5] = ["uid", "sender", "recipient", "ical", "method"];

/// 204 where the message is taken or is old news; 400 where something is missing or it is no such message; 403 where the caller is not whom it
/// concerns, or the sender not whom it is from.
pub async fn answer(ask: &Ask) -> Result<Response, Wrong> {
    let body = ask.object()?;
    let text = |name: &str| body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let wanted = |name: &str| text(name).map(str::to_owned).ok_or_else(|| Wrong::Bad(format!("{name} is missing")));
    let [uid, sender, recipient, ical, method] = WANTED.map(wanted);
    let (uid, sender, recipient, ical, method) = (uid?, sender?, recipient?, ical?, method?);
    let received = Received { uid, sender, recipient, method, text: ical.into() };
    ask.house.receive_itip(&ask.caller, received).await?;
    Ok(problem::empty(StatusCode::NO_CONTENT))
}
