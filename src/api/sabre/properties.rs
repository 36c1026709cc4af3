//! Name, description, colour and place in the list, set by PROPPATCH with a JSON object: `{"dav:name","apple:color",…}`.

use http::StatusCode;
use serde_json::Value;
use warp::reply::Response;

use crate::api::order;
use crate::api::sabre::Ask;
use crate::api::sabre::wrong::Wrong;
use crate::domain::address::{Address, Kind};
use crate::http::problem;
use crate::service::collections::Face;

/// What only the service sets.
const PROTECTED: [&str; 5] = ["calendarserver:ctag", "dav:getetag", "etag", "dav:syncToken", "sync-token"];

/// 204. What is not known is passed over, as web apps send back all that they were shown.
pub async fn answer(ask: &Ask, at: &Address) -> Result<Response, Wrong> {
    let body = ask.object()?;
    if let Some(name) = PROTECTED.iter().find(|name| body.get(name).is_some()) {
        return Err(Wrong::Denied(format!("{name} cannot be set")));
    }
    let face = read(at.kind(), &body)?;
    ask.house.dress_collection(&ask.caller, at, face).await?;
    Ok(problem::empty(StatusCode::NO_CONTENT))
}

/// What of a collection's face a JSON object sets.
pub fn read(kind: Kind, body: &Value) -> Result<Face, Wrong> {
    let text = |name: &str| match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Wrong::Bad(format!("{name} is a text"))),
    };
    let mut face = Face { display_name: text("dav:name")?, ..Face::default() };
    match kind {
        Kind::AddressBook => face.description = text("carddav:description")?,
        Kind::Calendar => {
            face.description = text("caldav:description")?;
            face.color = text("apple:color")?;
            match body.get("apple:order") {
                None | Some(Value::Null) => {}
                Some(Value::String(text)) if text.is_empty() => face.dead.push(order::change(None)),
                Some(value) => {
                    let number = value.as_i64().or_else(|| value.as_str()?.parse().ok());
                    let number = number.ok_or_else(|| Wrong::bad("apple:order is a whole number"))?;
                    face.dead.push(order::change(Some(number)));
                }
            }
        }
    }
    Ok(face)
}
