//! `/api/app-passwords`: one password for each device, shown once, taken back one by one.

use bytes::Buf;
use futures_util::Stream;
use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use warp::reply::Response;

use crate::api::{House, person, signed, signed_with};
use crate::domain::address::UserName;
use crate::domain::device::{Device, Scope};
use crate::domain::occurrence;
use crate::domain::principal::Principal;
use crate::domain::refusal::Refusal;
use crate::http::call::Call;
use crate::http::problem;

fn shape(device: &Device) -> Value {
    json!({
        "id": device.id,
        "name": device.name,
        "scope": device.scope.to_string(),
        "created": occurrence::instant(&device.created),
        "lastUsed": device.used.as_ref().map(occurrence::instant),
    })
}

/// Whose devices are meant: one's own, or those of the person whom an administrator names.
fn whose(caller: &Principal, call: &Call) -> Result<UserName, Refusal> {
    match call.parameter("user").map(|name| person(&name)).transpose()? {
        Some(name) if name != caller.name && !caller.administrator => Err(Refusal::Forbidden),
        Some(name) => Ok(name),
        None => Ok(caller.name.clone()),
    }
}

pub async fn list(house: House, call: Call) -> Response {
    signed(house, call, |house, call, caller| async move {
        let devices = house.devices(&whose(&caller, &call)?).await?;
        Ok(problem::json(StatusCode::OK, &Value::Array(devices.iter().map(shape).collect())))
    })
    .await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    name: String,
    #[serde(default)]
    scope: String,
}

/// 201 with the password, which nobody can look up later.
pub async fn add<B: Buf>(house: House, call: Call, stream: impl Stream<Item = Result<B, warp::Error>>) -> Response {
    signed_with(house, call, stream, |house, _, caller, wanted: Wanted| async move {
        let (password, device) = house.add_device(&caller, &wanted.name, Scope::parse(&wanted.scope)?).await?;
        let mut body = shape(&device);
        body["password"] = json!(password);
        let mut response = problem::json(StatusCode::CREATED, &body);
        if let Ok(place) = HeaderValue::from_str(&format!("/api/app-passwords/{}", device.id)) {
            response.headers_mut().insert(LOCATION, place);
        }
        Ok(response)
    })
    .await
}

pub async fn remove(id: String, house: House, call: Call) -> Response {
    signed(house, call, |house, call, caller| async move {
        house.remove_device(&whose(&caller, &call)?, &id).await?;
        Ok(problem::empty(StatusCode::NO_CONTENT))
    })
    .await
}
