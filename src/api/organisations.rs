//! `/api/organisations`: organisations and the people in them. Administrators write, members read. Groups stand in `groups.rs`, presence
//! in `presence.rs`.

use bytes::Buf;
use futures_util::Stream;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use warp::reply::Response;

use crate::api::{House, answer, caller_and_body, parse_json};
use crate::domain::organisation::{self, Id, Member, Organisation};
use crate::domain::principal;
use crate::domain::refusal::{Fault, Refusal};
use crate::http::auth;
use crate::http::call::{Call, decoded};
use crate::http::problem;
use crate::service::organisations::{Entry, administers};

pub fn shape(organisation: &Organisation) -> Value {
    json!({
        "id": organisation.id.as_str(),
        "numericId": organisation.number,
        "name": organisation.name,
        "uuid": organisation::organisation_uuid(&organisation.id).to_string(),
    })
}

pub fn member_shape(member: &Member) -> Value {
    json!({
        "id": member.id.as_str(),
        "numericId": member.number,
        "organisation": member.organisation.as_str(),
        "principal": member.user.as_str(),
        "displayName": member.display_name,
        "extension": member.extension,
        "uuid": organisation::user_uuid(&member.user).to_string(),
    })
}

/// The organisation that a path names, if the caller may look into it.
pub async fn open(house: &House, call: &Call, name: &str) -> Result<(principal::Principal, Organisation), Refusal> {
    let caller = auth::caller(house, call).await?;
    let found = house.organisation(&decoded(name).ok_or(Refusal::NotFound)?).await?;
    house.check_insider(&caller, &found.id).await?;
    Ok((caller, found))
}

/// A new thing's id, as the path spells it.
pub fn id(segment: &str) -> Result<Id, Refusal> {
    let text = decoded(segment).unwrap_or_default();
    let wrong = || Fault::whole(format!("{text:?} cannot be an id: no white space, slashes or colons"));
    Ok(Id::new(&text).ok_or_else(wrong)?)
}

pub fn status(created: bool) -> StatusCode {
    if created { StatusCode::CREATED } else { StatusCode::OK }
}

pub async fn list(house: House, call: Call) -> Response {
    answer(
        async {
            administers(&auth::caller(&house, &call).await?)?;
            let all = house.organisations().await?;
            Ok(problem::json(StatusCode::OK, &Value::Array(all.iter().map(shape).collect())))
        }
        .await,
    )
}

pub async fn show(name: String, house: House, call: Call) -> Response {
    answer(async { Ok(problem::json(StatusCode::OK, &shape(&open(&house, &call, &name).await?.1))) }.await)
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Wanted {
    name: Option<String>,
    numeric_id: Option<u64>,
}

pub async fn put<B: Buf>(
    name: String,
    house: House,
    call: Call,
    stream: impl Stream<Item = Result<B, warp::Error>>,
) -> Response {
    answer(
        async {
            let (caller, bytes) = caller_and_body(&house, &call, stream).await?;
            administers(&caller)?;
            let wanted: Wanted = if bytes.is_empty() { Wanted::default() } else { parse_json(&bytes)? };
            let id = id(&name)?;
            let created = matches!(house.organisation(id.as_str()).await, Err(Refusal::NotFound));
            let made = house.make_organisation(&id, wanted.numeric_id, wanted.name).await?;
            Ok(problem::json(status(created), &shape(&made)))
        }
        .await,
    )
}

pub async fn remove(name: String, house: House, call: Call) -> Response {
    answer(
        async {
            administers(&auth::caller(&house, &call).await?)?;
            house.remove_organisation(&id(&name)?).await?;
            Ok(problem::empty(StatusCode::NO_CONTENT))
        }
        .await,
    )
}

pub async fn members(name: String, house: House, call: Call) -> Response {
    answer(
        async {
            let (_, organisation) = open(&house, &call, &name).await?;
            let all = house.members(&organisation.id).await?;
            Ok(problem::json(StatusCode::OK, &Value::Array(all.iter().map(member_shape).collect())))
        }
        .await,
    )
}

pub async fn show_member(name: String, user: String, house: House, call: Call) -> Response {
    answer(
        async {
            let (_, organisation) = open(&house, &call, &name).await?;
            let member = house.member(&organisation.id, &decoded(&user).unwrap_or_default()).await?;
            Ok(problem::json(StatusCode::OK, &member_shape(&member)))
        }
        .await,
    )
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WantedMember {
    display_name: Option<String>,
    extension: Option<String>,
    numeric_id: Option<u64>,
    /// A login name; the id itself where it is absent.
    principal: Option<String>,
}

pub async fn put_member<B: Buf>(
    name: String,
    user: String,
    house: House,
    call: Call,
    stream: impl Stream<Item = Result<B, warp::Error>>,
) -> Response {
    answer(
        async {
            let (caller, bytes) = caller_and_body(&house, &call, stream).await?;
            administers(&caller)?;
            let wanted: WantedMember = if bytes.is_empty() { WantedMember::default() } else { parse_json(&bytes)? };
            let organisation = house.organisation(&decoded(&name).unwrap_or_default()).await?.id;
            let login = |text: String| {
                let named = principal::login_name(&text);
                named.ok_or_else(|| Refusal::from(Fault::whole(format!("{text:?} cannot be a login name"))))
            };
            let entry = Entry {
                principal: wanted.principal.map(login).transpose()?,
                number: wanted.numeric_id,
                display_name: wanted.display_name,
                extension: wanted.extension,
            };
            let id = id(&user)?;
            let created = matches!(house.member(&organisation, id.as_str()).await, Err(Refusal::NotFound));
            let member = house.put_member(&organisation, &id, entry).await?;
            Ok(problem::json(status(created), &member_shape(&member)))
        }
        .await,
    )
}

pub async fn remove_member(name: String, user: String, house: House, call: Call) -> Response {
    answer(
        async {
            administers(&auth::caller(&house, &call).await?)?;
            let organisation = house.organisation(&decoded(&name).unwrap_or_default()).await?.id;
            let member = house.member(&organisation, &decoded(&user).unwrap_or_default()).await?;
            house.remove_member(&member).await?;
            Ok(problem::empty(StatusCode::NO_CONTENT))
        }
        .await,
    )
}
