//! `/api/organisations/{org}/groups`, and `/api/groups` for those of one's own organisation: groups, and what one looks like now.
//! Administrators write; members, viewers and administrators read.

use bytes::{Buf, Bytes};
use chrono::{DateTime, SecondsFormat, Utc};
use futures_util::Stream;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use warp::reply::Response;

use crate::api::organisations::{id, open, status};
use crate::api::{House, answer, caller_and_body, parse_json};
use crate::domain::organisation::{Group, Id};
use crate::domain::presence::{News, Status};
use crate::domain::principal::Principal;
use crate::domain::refusal::{Fault, Refusal};
use crate::http::auth;
use crate::http::call::{Call, decoded};
use crate::http::problem;
use crate::service::groups::{GroupPortrait, Wish};
use crate::service::organisations::administers;

async fn shape(house: &House, group: &Group) -> Result<Value, Refusal> {
    let people = house.group_people(group).await?;
    let named = |members: bool| -> Vec<&str> {
        let wanted = people.iter().filter(|(_, role)| if members { role.member } else { role.viewer });
        wanted.map(|(member, _)| member.id.as_str()).collect()
    };
    Ok(json!({
        "id": group.id.as_str(),
        "numericId": group.number,
        "organisation": group.organisation.as_str(),
        "name": group.name,
        "queue": group.queue,
        "members": named(true),
        "viewers": named(false),
    }))
}

/// RFC 3339 in UTC with milliseconds, as on the CTI wires.
pub fn instant(at: &DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn portrait_shape(portrait: &GroupPortrait) -> Value {
    let member = |news: &News| {
        let mut shape = json!({
            "userId": news.member.id.as_str(),
            "displayName": news.member.display_name,
            "status": news.shown.status.as_str(),
            "extension": news.member.extension,
        });
        if news.shown.status == Status::OnCall {
            let began = news.shown.call.as_ref().map_or(news.since, |call| call.since);
            shape["callDuration"] = json!((portrait.at - began).num_seconds().max(0));
        }
        shape
    };
    let (summary, waiting) = (&portrait.summary, &portrait.waiting);
    json!({
        "groupId": portrait.face.id.as_str(),
        "groupName": portrait.name,
        "orgId": portrait.face.organisation.as_str(),
        "timestamp": instant(&portrait.at),
        "summary": {
            "totalMembers": summary.total,
            "available": summary.available,
            "busy": summary.busy,
            "onCall": summary.on_call,
            "away": summary.away,
            "offline": summary.offline,
        },
        "members": portrait.members.iter().map(member).collect::<Vec<_>>(),
        "queueMetrics": {
            "callsWaiting": waiting.count,
            "averageWaitTime": waiting.average,
            "longestWaitTime": waiting.longest,
        },
    })
}

/// The groups that the caller may see.
pub async fn list(name: String, house: House, call: Call) -> Response {
    answer(
        async {
            let (caller, organisation) = open(&house, &call, &name).await?;
            listed(&house, &caller, &organisation.id).await
        }
        .await,
    )
}

/// Those of the caller's own organisation.
pub async fn list_own(house: House, call: Call) -> Response {
    answer(
        async {
            let (caller, organisation) = own(&house, &call).await?;
            listed(&house, &caller, &organisation).await
        }
        .await,
    )
}

async fn listed(house: &House, caller: &Principal, organisation: &Id) -> Result<Response, Refusal> {
    let mut shapes = Vec::new();
    for group in house.groups(organisation).await? {
        match house.check_watcher(caller, &group).await {
            Ok(()) => shapes.push(shape(house, &group).await?),
            Err(Refusal::Forbidden) => {}
            Err(refusal) => return Err(refusal),
        }
    }
    Ok(problem::json(StatusCode::OK, &Value::Array(shapes)))
}

async fn own(house: &House, call: &Call) -> Result<(Principal, Id), Refusal> {
    let caller = auth::caller(house, call).await?;
    let organisation = house.member_of(&caller.name).await?.organisation;
    Ok((caller, organisation))
}

async fn seen(house: &House, call: &Call, name: &str, group: &str) -> Result<Group, Refusal> {
    let (caller, organisation) = open(house, call, name).await?;
    watched(house, &caller, &organisation.id, group).await
}

async fn watched(house: &House, caller: &Principal, organisation: &Id, group: &str) -> Result<Group, Refusal> {
    let group = house.group(organisation, &decoded(group).unwrap_or_default()).await?;
    house.check_watcher(caller, &group).await?;
    Ok(group)
}

pub async fn show_own(group: String, house: House, call: Call) -> Response {
    answer(
        async {
            let (caller, organisation) = own(&house, &call).await?;
            let group = watched(&house, &caller, &organisation, &group).await?;
            Ok(problem::json(StatusCode::OK, &shape(&house, &group).await?))
        }
        .await,
    )
}

pub async fn show(name: String, group: String, house: House, call: Call) -> Response {
    answer(
        async {
            let group = seen(&house, &call, &name, &group).await?;
            Ok(problem::json(StatusCode::OK, &shape(&house, &group).await?))
        }
        .await,
    )
}

/// The snapshot that a CTI socket begins with.
pub async fn presence(name: String, group: String, house: House, call: Call) -> Response {
    answer(
        async {
            let group = seen(&house, &call, &name, &group).await?;
            Ok(problem::json(StatusCode::OK, &portrait_shape(&house.group_portrait(&group).await?)))
        }
        .await,
    )
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Wanted {
    name: Option<String>,
    numeric_id: Option<u64>,
    members: Option<Vec<Named>>,
    viewers: Option<Vec<Named>>,
    queue: Option<bool>,
}

/// Somebody by id or by number.
#[derive(Deserialize)]
#[serde(untagged)]
enum Named {
    Id(String),
    Number(u64),
}

fn named(list: Option<Vec<Named>>) -> Option<Vec<String>> {
    let name = |named| match named {
        Named::Id(id) => id,
        Named::Number(number) => number.to_string(),
    };
    list.map(|list| list.into_iter().map(name).collect())
}

pub async fn put<B: Buf>(
    name: String,
    group: String,
    house: House,
    call: Call,
    stream: impl Stream<Item = Result<B, warp::Error>>,
) -> Response {
    answer(
        async {
            let (caller, bytes) = caller_and_body(&house, &call, stream).await?;
            administers(&caller)?;
            let wanted: Wanted = if bytes.is_empty() { Wanted::default() } else { parse_json(&bytes)? };
            let organisation = house.organisation(&decoded(&name).unwrap_or_default()).await?.id;
            let id = id(&group)?;
            let created = matches!(house.group(&organisation, id.as_str()).await, Err(Refusal::NotFound));
            let made = house.put_group(&organisation, &id, wish(wanted)).await?;
            Ok(problem::json(status(created), &shape(&house, &made).await?))
        }
        .await,
    )
}

fn wish(wanted: Wanted) -> Wish {
    Wish {
        name: wanted.name,
        number: wanted.numeric_id,
        members: named(wanted.members),
        viewers: named(wanted.viewers),
        queue: wanted.queue,
    }
}

/// 201 with a new group of the caller's own organisation: `{"id",…}`. `Exists` where the id is taken.
pub async fn make_own<B: Buf>(
    house: House,
    call: Call,
    stream: impl Stream<Item = Result<B, warp::Error>>,
) -> Response {
    answer(
        async {
            let (caller, bytes) = caller_and_body(&house, &call, stream).await?;
            administers(&caller)?;
            let Wished { id: name, wanted } = wished(&bytes)?;
            let organisation = house.member_of(&caller.name).await?.organisation;
            let id = Id::new(&name).ok_or_else(|| Fault::whole(format!("{name:?} cannot be an id")))?;
            match house.group(&organisation, id.as_str()).await {
                Err(Refusal::NotFound) => {}
                Ok(_) => return Err(Refusal::Exists),
                Err(refusal) => return Err(refusal),
            }
            let made = house.put_group(&organisation, &id, wish(wanted)).await?;
            Ok(problem::json(StatusCode::CREATED, &shape(&house, &made).await?))
        }
        .await,
    )
}

struct Wished {
    id: String,
    wanted: Wanted,
}

fn wished(bytes: &Bytes) -> Result<Wished, Refusal> {
    let mut body: Map<String, Value> = parse_json(bytes)?;
    let Some(Value::String(id)) = body.remove("id") else { return Err(Fault::whole("give an id").into()) };
    let wanted = serde_json::from_value(Value::Object(body)).map_err(|error| Fault::whole(error.to_string()))?;
    Ok(Wished { id, wanted })
}

pub async fn remove_own(group: String, house: House, call: Call) -> Response {
    answer(
        async {
            let (caller, organisation) = own(&house, &call).await?;
            administers(&caller)?;
            let group = house.group(&organisation, &decoded(&group).unwrap_or_default()).await?;
            house.remove_group(&organisation, &group.id).await?;
            Ok(problem::empty(StatusCode::NO_CONTENT))
        }
        .await,
    )
}

pub async fn remove(name: String, group: String, house: House, call: Call) -> Response {
    answer(
        async {
            administers(&auth::caller(&house, &call).await?)?;
            let organisation = house.organisation(&decoded(&name).unwrap_or_default()).await?.id;
            let group = house.group(&organisation, &decoded(&group).unwrap_or_default()).await?;
            house.remove_group(&organisation, &group.id).await?;
            Ok(problem::empty(StatusCode::NO_CONTENT))
        }
        .await,
    )
}
