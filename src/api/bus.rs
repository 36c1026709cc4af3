//! `POST /api/bus/events`: an event with its headers and body, as a Wazo publishes them on its bus.

use bytes::Buf;
use futures_util::Stream;
use http::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use uuid::Uuid;
use warp::reply::Response;

use crate::api::{House, answer, caller_and_json};
use crate::domain::event::{Demand, Published};
use crate::domain::principal::Principal;
use crate::domain::refusal::{Fault, Refusal};
use crate::http::auth;
use crate::http::call::Call;
use crate::http::problem;
use crate::service::login::Credentials;

/// What every key of a person begins with; the rest is an identifier, or `*` for everybody.
const USER: &str = "user_uuid:";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    headers: Map<String, Value>,
    /// Kept as it was sent, to the letter.
    body: Box<RawValue>,
}

/// 204 when it is in the journal; who listens hears it then.
pub async fn publish<B: Buf>(house: House, call: Call, stream: impl Stream<Item = Result<B, warp::Error>>) -> Response {
    answer(
        async {
            let (caller, wanted): (_, Wanted) = caller_and_json(&house, &call, stream).await?;
            let token = match auth::credentials(&call) {
                Credentials::Bearer(token) => Some(token),
                _ => None,
            };
            // Who may not publish learns nothing of what is wrong with the event.
            house.may_publish(&caller, token.as_deref()).await?;
            let event = event(&house, &caller, wanted)?;
            house.publish(&caller, token.as_deref(), event).await?;
            Ok(problem::empty(StatusCode::NO_CONTENT))
        }
        .await,
    )
}

fn event(house: &House, caller: &Principal, wanted: Wanted) -> Result<Published, Refusal> {
    let Ok(body) = serde_json::from_str::<Map<String, Value>>(wanted.body.get()) else {
        return Err(Fault::whole("the body of an event is a JSON object").into());
    };
    // A header counts before a key of the body.
    let word = |key: &str| wanted.headers.get(key).or_else(|| body.get(key));
    let text = |key: &str| match word(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Refusal::from(Fault::whole(format!("{key} is no text")))),
    };
    let identifier = |key: &str, absent: Uuid| match text(key)? {
        None => Ok(absent),
        Some(text) => {
            Uuid::try_parse(&text).map_err(|_| Refusal::from(Fault::whole(format!("{key} is no UUID: {text:?}"))))
        }
    };
    let name = text("name")?.ok_or_else(|| Fault::whole("an event has a name"))?;
    let demand = match word("required_acl") {
        None => Demand::Unsaid,
        Some(Value::Null) => Demand::Nothing,
        Some(Value::String(required)) => Demand::Grant(required.clone()),
        Some(_) => return Err(Fault::whole("required_acl is neither null nor text").into()),
    };
    let meant = wanted.headers.iter().filter(|(_, value)| **value == Value::Bool(true));
    let meant: Vec<&str> = meant.filter_map(|(key, _)| key.strip_prefix(USER)).collect();
    let directory = house.directory();
    Ok(Published {
        name,
        demand,
        tenant: identifier("tenant_uuid", directory.tenant(&caller.name))?,
        origin: identifier("origin_uuid", directory.origin())?,
        users: meant.iter().filter_map(|user| Uuid::try_parse(user).ok()).collect(),
        everybody: meant.contains(&"*"),
        body: wanted.body.get().to_owned(),
    })
}
