//! An object of a home by its UID: `REPORT /calendars/{user}.json {"uid":"…"}`.

use std::sync::Arc;

use http::StatusCode;
use serde_json::Value;
use warp::reply::Response;

use crate::api::sabre::Ask;
use crate::api::sabre::calendars::{home_link, readable};
use crate::api::sabre::items::{Items, answer, listed};
use crate::api::sabre::wrong::Wrong;
use crate::domain::address::{Kind, UserName};
use crate::domain::collection::Source;
use crate::domain::query::Excerpt;
use crate::domain::refusal::Refusal;

/// 200 with the object, out of the first of the home's own calendars that has it, else out of one that is shared; 404 where none has.
pub async fn answered(ask: &Ask, user: &UserName, body: &Value) -> Result<Response, Wrong> {
    let uid = body.get("uid").and_then(Value::as_str).filter(|uid| !uid.is_empty());
    let uid = uid.ok_or_else(|| Wrong::bad("uid is missing"))?;
    let mut views = readable(ask, Kind::Calendar, user).await?;
    views.sort_by_key(|view| view.shown.source != Source::Own);
    for view in views {
        let Some(name) = ask.house.object_of_uid(&view, uid).await? else { continue };
        let named = ask.house.named(&view, &[name], Some(Arc::new(Excerpt::default())), None).await?;
        let mut items = Items::default();
        items.take(&ask.house, &view.shown.address, named.found.into_iter().flatten().collect()).await?;
        if !items.list.is_empty() {
            return Ok(answer(StatusCode::OK, &listed(&home_link(Kind::Calendar, user), items.list)));
        }
    }
    Err(Refusal::NotFound.into())
}
