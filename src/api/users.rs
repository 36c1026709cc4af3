//! `/api/users`: administration of people.

use bytes::Buf;
use futures_util::Stream;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use warp::reply::Response;

use crate::api::sabre::people;
use crate::api::{House, answer, caller_and_body, parse_json, person};
use crate::domain::principal::Principal;
use crate::domain::refusal::Refusal;
use crate::http::auth;
use crate::http::call::Call;
use crate::http::problem;
use crate::service::principals::Newcomer;

/// A person as an administrator, or they themselves, see them.
pub fn shape(principal: &Principal) -> Value {
    json!({
        "name": principal.name.as_str(),
        "email": principal.email,
        "displayName": principal.display_name,
        "timezone": principal.timezone,
        "administrator": principal.administrator,
    })
}

fn administrator(caller: &Principal) -> Result<(), Refusal> {
    if caller.administrator { Ok(()) } else { Err(Refusal::Forbidden) }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Wanted {
    name: String,
    password: String,
    email: String,
    display_name: Option<String>,
    timezone: Option<String>,
    #[serde(default)]
    administrator: bool,
}

/// Everybody, for administrators; with `?email=` the one person who has that address, for whoever is signed in.
pub async fn list(house: House, call: Call) -> Response {
    if call.parameter("email").is_some() {
        return people::of_mail(house, call).await;
    }
    answer(
        async {
            administrator(&auth::caller(&house, &call).await?)?;
            let users = house.users().await?;
            Ok(problem::json(StatusCode::OK, &Value::Array(users.iter().map(shape).collect())))
        }
        .await,
    )
}

pub async fn add<B: Buf>(house: House, call: Call, stream: impl Stream<Item = Result<B, warp::Error>>) -> Response {
    answer(
        async {
            let (caller, bytes) = caller_and_body(&house, &call, stream).await?;
            administrator(&caller)?;
            let wanted: Wanted = parse_json(&bytes)?;
            let newcomer = Newcomer {
                display_name: wanted.display_name.unwrap_or_else(|| wanted.name.clone()),
                name: wanted.name,
                email: wanted.email,
                password: wanted.password,
                timezone: wanted.timezone,
                administrator: wanted.administrator,
            };
            let added = house.add_user(newcomer).await?;
            Ok(problem::json(StatusCode::CREATED, &shape(&added)))
        }
        .await,
    )
}

pub async fn remove(name: String, house: House, call: Call) -> Response {
    answer(
        async {
            administrator(&auth::caller(&house, &call).await?)?;
            house.remove_user(&person(&name)?).await?;
            Ok(problem::empty(StatusCode::NO_CONTENT))
        }
        .await,
    )
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Password {
    password: String,
}

/// One's own password, or anybody's for an administrator.
pub async fn set_password<B: Buf>(
    name: String,
    house: House,
    call: Call,
    stream: impl Stream<Item = Result<B, warp::Error>>,
) -> Response {
    answer(
        async {
            let (caller, bytes) = caller_and_body(&house, &call, stream).await?;
            let name = person(&name)?;
            if caller.name != name && !caller.administrator {
                return Err(Refusal::Forbidden);
            }
            let wanted: Password = parse_json(&bytes)?;
            house.set_password(&name, wanted.password).await?;
            Ok(problem::empty(StatusCode::NO_CONTENT))
        }
        .await,
    )
}
