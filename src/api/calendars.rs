//! `/api/calendars`: the calendar list for web apps, on the same use cases as DAV.

use bytes::Buf;
use futures_util::Stream;
use http::{HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use warp::reply::Response;

use crate::api::{House, address, answer, caller_and_json};
use crate::domain::access::Right;
use crate::domain::address::{Address, Kind};
use crate::domain::collection::Source;
use crate::domain::refusal::{Fault, Refusal};
use crate::http::auth;
use crate::http::call::Call;
use crate::http::problem;
use crate::service::collections::{Face, View};
use crate::system::random;

/// One calendar as its reader sees it.
pub fn shape(view: &View) -> Value {
    let mut shape = json!({
        "href": view.shown.address.to_string(),
        "id": view.shown.address.name(),
        "name": view.shown.display_name,
        "description": view.shown.description,
        "color": view.shown.color,
        "components": view.shown.components,
        "timezone": view.shown.timezone,
        "transparent": view.shown.transparent,
        "owner": view.source.address.user().as_str(),
        "right": view.right.as_str(),
        "public": view.source.public.map(Right::as_str),
        "syncToken": view.source.token.url(),
        "alarms": view.shown.source == Source::Own || view.shown.alarms,
    });
    let kind = match &view.shown.source {
        Source::Own => "own",
        Source::Delegated(..) => "delegated",
        Source::Subscribed(..) => "subscribed",
    };
    shape["kind"] = json!(kind);
    if view.shown.source != Source::Own {
        shape["source"] = json!(view.source.address.to_string());
    }
    // Whom it is shared with is for those who may change it.
    if view.right >= Right::Administration {
        let share = |grant: &crate::domain::access::Grant| json!({ "user": grant.user.as_str(), "right": grant.right.as_str() });
        shape["shares"] = Value::Array(view.source.grants.iter().map(share).collect());
    }
    shape
}

pub async fn list(house: House, call: Call) -> Response {
    answer(
        async {
            let caller = auth::caller(&house, &call).await?;
            let views = house.list(&caller.name, Kind::Calendar).await?;
            Ok(problem::json(StatusCode::OK, &Value::Array(views.iter().map(shape).collect())))
        }
        .await,
    )
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    id: Option<String>,
    name: Option<String>,
    description: Option<String>,
    color: Option<String>,
    timezone: Option<String>,
    components: Option<Vec<String>>,
    alarms: Option<bool>,
    transparent: Option<bool>,
}

impl Wanted {
    fn face(&self) -> Face {
        Face {
            display_name: self.name.clone(),
            description: self.description.clone(),
            color: self.color.clone(),
            timezone: self.timezone.clone(),
            transparent: self.transparent,
        }
    }
}

pub async fn make<B: Buf>(house: House, call: Call, stream: impl Stream<Item = Result<B, warp::Error>>) -> Response {
    answer(
        async {
            let (caller, wanted): (_, Wanted) = caller_and_json(&house, &call, stream).await?;
            let id = wanted.id.clone().unwrap_or_else(|| random::uuid(house.random()).to_string());
            let at = Address::new(Kind::Calendar, caller.name.as_str(), &id)
                .ok_or_else(|| Fault::whole(format!("{id:?} cannot be the name of a calendar")))?;
            if wanted.alarms.is_some() {
                return Err(Fault::whole("alarms can be switched for a delegated or subscribed calendar only").into());
            }
            let components = wanted.components.clone().unwrap_or_default();
            house.make_collection(&caller, &at, components, wanted.face()).await?;
            let view = house.view(&caller.name, &at).await?;
            let mut response = problem::json(StatusCode::CREATED, &shape(&view));
            if let Ok(place) = HeaderValue::from_str(&format!("/api{at}")) {
                response.headers_mut().insert(http::header::LOCATION, place);
            }
            Ok(response)
        }
        .await,
    )
}

pub async fn show(user: String, id: String, house: House, call: Call) -> Response {
    answer(
        async {
            let caller = auth::caller(&house, &call).await?;
            let view = house.view(&caller.name, &address(Kind::Calendar, &user, &id)?).await?;
            Ok(problem::json(StatusCode::OK, &shape(&view)))
        }
        .await,
    )
}

pub async fn patch<B: Buf>(
    user: String,
    id: String,
    house: House,
    call: Call,
    stream: impl Stream<Item = Result<B, warp::Error>>,
) -> Response {
    answer(
        async {
            let (caller, wanted): (_, Wanted) = caller_and_json(&house, &call, stream).await?;
            if wanted.id.is_some() || wanted.components.is_some() {
                return Err(Refusal::from(Fault::whole("id and components cannot be changed")));
            }
            let at = address(Kind::Calendar, &user, &id)?;
            if let Some(hears) = wanted.alarms {
                house.set_hearing(&caller, &at, hears).await?;
            }
            house.dress_collection(&caller, &at, wanted.face()).await?;
            Ok(problem::json(StatusCode::OK, &shape(&house.view(&caller.name, &at).await?)))
        }
        .await,
    )
}

pub async fn delete(user: String, id: String, house: House, call: Call) -> Response {
    answer(
        async {
            let caller = auth::caller(&house, &call).await?;
            house.delete_collection(&caller, &address(Kind::Calendar, &user, &id)?).await?;
            Ok(problem::empty(StatusCode::NO_CONTENT))
        }
        .await,
    )
}
