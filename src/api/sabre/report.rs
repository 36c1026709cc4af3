//! REPORT with a JSON body: which question it is follows from its members and its place.

use serde_json::Value;
use warp::reply::Response;

use crate::api::sabre::place::Place;
use crate::api::sabre::wrong::Wrong;
use crate::api::sabre::{Ask, busy, events, multiget, sync, uids};
use crate::domain::address::Kind;

pub async fn answer(ask: &Ask) -> Result<Response, Wrong> {
    let body = ask.object()?;
    if body.get("type").and_then(Value::as_str) == Some("free-busy-query") {
        return match &ask.place {
            Place::Collection(at) if at.kind() == Kind::Calendar => busy::of_calendar(ask, at, &body).await,
            _ => Err(Wrong::bad("a free-busy-query asks a calendar")),
        };
    }
    match (&ask.place, body.get("sync-token")) {
        (Place::Collection(at), Some(token)) => sync::answered(ask, at, token).await,
        (_, Some(_)) => Err(Wrong::bad("only collections can be followed")),
        (Place::Collection(at), None) if at.kind() == Kind::Calendar => events::matching(ask, at, &body).await,
        (Place::Object(at), None) if at.collection().kind() == Kind::Calendar => events::one(ask, at, &body).await,
        (Place::Home(Kind::Calendar, user), None) => uids::answered(ask, user, &body).await,
        (Place::Homes(Kind::Calendar), None) => multiget::answered(ask, Kind::Calendar, &body).await,
        _ => Err(Wrong::bad("this report is none that is known here")),
    }
}
