//! What `/api/calendars` and `/api/addressbooks` share: lists, making, changing and deleting, on the use cases that DAV's are on.

use bytes::Buf;
use futures_util::Stream;
use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use warp::reply::Response;

use crate::api::{House, address, given, order, signed, signed_with};
use crate::domain::access::{Grant, Right};
use crate::domain::address::{Address, Kind};
use crate::domain::collection::{Kept, Source};
use crate::domain::dead::Holder;
use crate::domain::refusal::{Fault, Refusal};
use crate::http::call::{Call, href};
use crate::http::problem;
use crate::service::collections::{Face, View};
use crate::system::random;

/// One collection as its reader sees it.
pub async fn shape(house: &House, view: &View) -> Result<Value, Refusal> {
    let (shown, source) = (&view.shown, &view.source);
    let kind = match &shown.source {
        Source::Own => match &shown.kept {
            None => "own",
            Some(Kept::Feed(_)) => "feed",
            Some(Kept::Birthdays(..)) => "birthdays",
        },
        Source::Delegated(..) => "delegated",
        Source::Subscribed(..) => "subscribed",
    };
    if view.right < Right::Read {
        return Ok(veiled(view, kind));
    }
    let mut shape = json!({
        "href": shown.address.to_string(),
        "id": shown.address.name(),
        "name": shown.display_name,
        "description": shown.description,
        "owner": source.address.user().as_str(),
        "right": view.right.as_str(),
        "kind": kind,
        "syncToken": source.token.url(),
    });
    if shown.source != Source::Own {
        shape["source"] = json!(source.address.to_string());
    }
    // A URL of a feed is often as good as a password: it is its subscriber's alone.
    match &shown.kept {
        Some(Kept::Feed(url)) if view.right == Right::Owner => shape["source"] = json!(url),
        Some(Kept::Birthdays(book, _)) if view.right == Right::Owner => shape["source"] = json!(book.to_string()),
        _ => {}
    }
    if source.kept.is_some() {
        shape["readOnly"] = json!(true);
        shape["down"] = json!(source.down);
    }
    shape["public"] = json!(source.public.map(Right::as_str));
    // Whom it is shared with is for those who may change it.
    if view.right >= Right::Administration {
        let share = |grant: &Grant| json!({ "user": grant.user.as_str(), "right": grant.right.as_str() });
        shape["shares"] = Value::Array(source.grants.iter().map(share).collect());
    }
    if shown.address.kind() == Kind::AddressBook {
        return Ok(shape);
    }
    shape["color"] = json!(shown.color);
    shape["order"] = json!(order::read(&house.dead_properties(&Holder::Collection(shown.id)).await?));
    shape["components"] = json!(shown.components);
    shape["timezone"] = json!(shown.timezone);
    shape["transparent"] = json!(shown.transparent);
    shape["alarms"] = json!((shown.source == Source::Own && shown.kept.is_none()) || shown.alarms);
    Ok(shape)
}

/// What somebody sees who may only ask when its owner is busy: what they call it themself, and nothing of the source.
fn veiled(view: &View, kind: &str) -> Value {
    let (shown, source) = (&view.shown, &view.source);
    let mut shape = json!({
        "href": shown.address.to_string(),
        "id": shown.address.name(),
        "owner": source.address.user().as_str(),
        "right": view.right.as_str(),
        "kind": kind,
    });
    if shown.source != Source::Own {
        shape["source"] = json!(source.address.to_string());
        shape["name"] = json!(shown.display_name);
        shape["color"] = json!(shown.color);
    }
    shape
}

/// 201 with what stands at an address now, and where the JSON face has it.
pub async fn made(house: &House, view: &View) -> Result<Response, Refusal> {
    let mut response = problem::json(StatusCode::CREATED, &shape(house, view).await?);
    if let Ok(place) = HeaderValue::from_str(&format!("/api{}", href(&view.shown.address, None))) {
        response.headers_mut().insert(LOCATION, place);
    }
    Ok(response)
}

/// What can be asked for. An address book has a name and a description.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    id: Option<String>,
    name: Option<String>,
    description: Option<String>,
    color: Option<String>,
    /// Absent leaves it, `null` takes it away.
    #[serde(default, deserialize_with = "given")]
    order: Option<Option<i64>>,
    timezone: Option<String>,
    transparent: Option<bool>,
    components: Option<Vec<String>>,
    alarms: Option<bool>,
}

impl Wanted {
    /// Refuses what a collection of this kind does not have.
    fn fits(&self, kind: Kind) -> Result<(), Refusal> {
        let of_calendars = [
            ("color", self.color.is_some()),
            ("order", self.order.is_some()),
            ("timezone", self.timezone.is_some()),
            ("transparent", self.transparent.is_some()),
            ("components", self.components.is_some()),
            ("alarms", self.alarms.is_some()),
        ];
        match of_calendars.iter().find(|(_, given)| *given && kind == Kind::AddressBook) {
            Some((name, _)) => Err(Fault::whole(format!("an address book has no {name}")).into()),
            None => Ok(()),
        }
    }

    fn face(&self) -> Face {
        Face {
            display_name: self.name.clone(),
            description: self.description.clone(),
            color: self.color.clone(),
            timezone: self.timezone.clone(),
            transparent: self.transparent,
            dead: self.order.map(order::change).into_iter().collect(),
        }
    }
}

pub async fn list(kind: Kind, house: House, call: Call) -> Response {
    signed(house, call, |house, _, caller| async move {
        let mut list = Vec::new();
        for view in house.shown(&caller.name, kind).await? {
            list.push(shape(&house, &view).await?);
        }
        Ok(problem::json(StatusCode::OK, &Value::Array(list)))
    })
    .await
}

pub async fn make<B: Buf>(
    kind: Kind,
    house: House,
    call: Call,
    stream: impl Stream<Item = Result<B, warp::Error>>,
) -> Response {
    signed_with(house, call, stream, |house, _, caller, wanted: Wanted| async move {
        wanted.fits(kind)?;
        let id = wanted.id.clone().unwrap_or_else(|| random::uuid(house.random()).to_string());
        let at = Address::new(kind, caller.name.as_str(), &id)
            .ok_or_else(|| Fault::whole(format!("{id:?} cannot be the name of a collection")))?;
        if wanted.alarms.is_some() {
            return Err(Fault::whole("alarms can be switched for a delegated or subscribed calendar only").into());
        }
        let components = wanted.components.clone().unwrap_or_default();
        house.make_collection(&caller, &at, components, wanted.face()).await?;
        made(&house, &house.view(&caller.name, &at).await?).await
    })
    .await
}

pub async fn show(kind: Kind, user: String, id: String, house: House, call: Call) -> Response {
    signed(house, call, |house, _, caller| async move {
        let view = house.glimpse(&caller.name, &address(kind, &user, &id)?).await?;
        Ok(problem::json(StatusCode::OK, &shape(&house, &view).await?))
    })
    .await
}

pub async fn patch<B: Buf>(
    kind: Kind,
    user: String,
    id: String,
    house: House,
    call: Call,
    stream: impl Stream<Item = Result<B, warp::Error>>,
) -> Response {
    signed_with(house, call, stream, |house, _, caller, wanted: Wanted| async move {
        wanted.fits(kind)?;
        if wanted.id.is_some() || wanted.components.is_some() {
            return Err(Refusal::from(Fault::whole("id and components cannot be changed")));
        }
        let at = address(kind, &user, &id)?;
        if let Some(hears) = wanted.alarms {
            house.set_hearing(&caller, &at, hears).await?;
        }
        house.dress_collection(&caller, &at, wanted.face()).await?;
        Ok(problem::json(StatusCode::OK, &shape(&house, &house.glimpse(&caller.name, &at).await?).await?))
    })
    .await
}

pub async fn delete(kind: Kind, user: String, id: String, house: House, call: Call) -> Response {
    signed(house, call, |house, _, caller| async move {
        house.delete_collection(&caller, &address(kind, &user, &id)?).await?;
        Ok(problem::empty(StatusCode::NO_CONTENT))
    })
    .await
}
