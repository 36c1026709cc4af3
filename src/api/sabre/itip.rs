//! An iTIP message that a web app hands in: the ITIP method, `POST /itip`, or `POST` with `X-Http-Method-Override: ITIP`.

use serde_json::Value;
use warp::reply::Response;

use crate::api::sabre::Ask;
use crate::api::sabre::wrong::Wrong;
use crate::domain::refusal::Refusal;

/// What every message must say.
const WANTED: [&str; 5] = ["uid", "sender", "recipient", "ical", "method"];

/// 400 where something is missing, 403 where the caller is not whom it concerns; a sound message is answered 501, as none is delivered.
pub async fn answer(ask: &Ask) -> Result<Response, Wrong> {
    let body = ask.object()?;
    let text = |name: &str| body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    if let Some(missing) = WANTED.iter().find(|name| text(name).is_none()) {
        return Err(Wrong::Bad(format!("{missing} is missing")));
    }
    // An answer to a proposal comes from whom it was made to; everything else is for whom it is delivered to.
    let counter = text("method").is_some_and(|method| method.eq_ignore_ascii_case("COUNTER"));
    let concerned = text(if counter { "sender" } else { "recipient" }).unwrap_or_default();
    let mail = concerned
        .get(..7)
        .filter(|scheme| scheme.eq_ignore_ascii_case("mailto:"))
        .map_or(concerned, |_| &concerned[7..]);
    if !mail.eq_ignore_ascii_case(&ask.caller.email) {
        return Err(Refusal::Forbidden.into());
    }
    Err(Wrong::NotHere("invitations are not delivered here".to_owned()))
}
