//! `…/users/{id}/presence` and `…/users/{id}/call`: somebody's presence as it stands, what they say of it themselves, and the telephone
//! system's word. Members of the organisation read; the person and administrators write.

use bytes::Buf;
use chrono::{DateTime, Utc};
use futures_util::Stream;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use warp::reply::Response;

use crate::api::groups::instant;
use crate::api::organisations::open;
use crate::api::{House, answer, caller_and_json};
use crate::domain::organisation::Member;
use crate::domain::presence::{Direction, Line, Status};
use crate::domain::principal::Principal;
use crate::domain::refusal::{Fault, Refusal};
use crate::http::auth;
use crate::http::call::{Call, decoded};
use crate::http::problem;
use crate::service::groups::Portrait;
use crate::service::statuses::Ringing;

fn shape(portrait: &Portrait, caller: &Principal) -> Value {
    let news = &portrait.news;
    let call = news.shown.call.as_ref().map(|call| {
        json!({
            "id": call.channel,
            "presence": call.line.as_str(),
            "direction": call.direction.as_str(),
            "since": instant(&call.since),
            "conference": call.conference,
        })
    });
    let mut shape = json!({
        "userId": news.member.id.as_str(),
        "orgId": news.member.organisation.as_str(),
        "numericId": news.member.number,
        "status": news.shown.status.as_str(),
        "previousStatus": news.before.as_str(),
        "statusMessage": news.shown.text_for(&caller.name),
        "since": instant(&news.since),
        "lastActivity": instant(&news.last_activity),
        "activeCall": call,
    });
    // What somebody set is theirs to know, and an administrator's.
    if caller.administrator || caller.name == news.member.user {
        let manual = portrait.manual.as_ref().map(|manual| {
            json!({
                "status": manual.status.as_str(),
                "statusMessage": manual.message,
                "until": manual.until.as_ref().map(instant),
            })
        });
        shape["override"] = json!(manual);
    }
    shape
}

/// The member that a path names, for somebody who may write what they say.
async fn spoken_for<T: serde::de::DeserializeOwned, B: Buf>(
    house: &House,
    call: &Call,
    (name, user): (&str, &str),
    stream: impl Stream<Item = Result<B, warp::Error>>,
) -> Result<(Principal, Member, T), Refusal> {
    let (caller, wanted) = caller_and_json(house, call, stream).await?;
    let member = member(house, &caller, name, user).await?;
    Ok((caller, member, wanted))
}

async fn member(house: &House, caller: &Principal, name: &str, user: &str) -> Result<Member, Refusal> {
    let organisation = house.organisation(&decoded(name).unwrap_or_default()).await?;
    house.check_insider(caller, &organisation.id).await?;
    house.member(&organisation.id, &decoded(user).unwrap_or_default()).await
}

pub async fn show(name: String, user: String, house: House, call: Call) -> Response {
    answer(
        async {
            let (caller, organisation) = open(&house, &call, &name).await?;
            let member = house.member(&organisation.id, &decoded(&user).unwrap_or_default()).await?;
            Ok(problem::json(StatusCode::OK, &shape(&house.portrait(&member).await?, &caller)))
        }
        .await,
    )
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Wanted {
    status: String,
    status_message: Option<String>,
    until: Option<DateTime<Utc>>,
}

pub async fn put<B: Buf>(
    name: String,
    user: String,
    house: House,
    call: Call,
    stream: impl Stream<Item = Result<B, warp::Error>>,
) -> Response {
    answer(
        async {
            let (caller, member, wanted): (_, _, Wanted) = spoken_for(&house, &call, (&name, &user), stream).await?;
            let unknown = || Fault::whole(format!("no status is called {:?}", wanted.status));
            let status = Status::parse(&wanted.status).ok_or_else(unknown)?;
            let manual = Some((status, wanted.status_message, wanted.until));
            let portrait = house.set_status(&caller, &member, manual).await?;
            Ok(problem::json(StatusCode::OK, &shape(&portrait, &caller)))
        }
        .await,
    )
}

pub async fn clear(name: String, user: String, house: House, call: Call) -> Response {
    answer(
        async {
            let caller = auth::caller(&house, &call).await?;
            let member = member(&house, &caller, &name, &user).await?;
            house.set_status(&caller, &member, None).await?;
            Ok(problem::empty(StatusCode::NO_CONTENT))
        }
        .await,
    )
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WantedCall {
    presence: String,
    logical_direction: String,
    #[serde(rename = "callChannelUUID")]
    channel: String,
}

pub async fn put_call<B: Buf>(
    name: String,
    user: String,
    house: House,
    call: Call,
    stream: impl Stream<Item = Result<B, warp::Error>>,
) -> Response {
    answer(
        async {
            let (caller, member, wanted): (_, _, WantedCall) =
                spoken_for(&house, &call, (&name, &user), stream).await?;
            let line = Line::parse(&wanted.presence)
                .ok_or_else(|| Fault::whole("presence must be RINGING, ANSWERED or BRIDGED"))?;
            let direction = Direction::parse(&wanted.logical_direction)
                .ok_or_else(|| Fault::whole("logicalDirection must be Inbound or Outbound"))?;
            if wanted.channel.is_empty() {
                return Err(Fault::whole("callChannelUUID is missing").into());
            }
            let ringing = Some(Ringing { line, direction, channel: wanted.channel });
            let portrait = house.set_call(&caller, &member, ringing).await?;
            Ok(problem::json(StatusCode::OK, &shape(&portrait, &caller)))
        }
        .await,
    )
}

pub async fn end_call(name: String, user: String, house: House, call: Call) -> Response {
    answer(
        async {
            let caller = auth::caller(&house, &call).await?;
            let member = member(&house, &caller, &name, &user).await?;
            house.set_call(&caller, &member, None).await?;
            Ok(problem::empty(StatusCode::NO_CONTENT))
        }
        .await,
    )
}
