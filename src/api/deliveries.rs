//! `/api/deliveries`: what goes out through channels and has not arrived: what waits, what was given up, trying anew.

use http::StatusCode;
use serde_json::{Value, json};
use warp::reply::Response;

use crate::api::{House, answer};
use crate::domain::delivery::{Delivery, DeliveryId};
use crate::domain::occurrence;
use crate::domain::refusal::{Fault, Refusal};
use crate::http::auth;
use crate::http::call::Call;
use crate::http::problem;

fn shape(delivery: &Delivery, state: &str) -> Value {
    json!({
        "id": delivery.id.to_string(),
        "state": state,
        "user": delivery.user.as_str(),
        "channel": delivery.channel.as_str(),
        "errand": delivery.errand.as_str(),
        "recipient": delivery.recipient,
        "attempts": delivery.attempts,
        "why": delivery.why,
        "planned": occurrence::instant(&delivery.planned),
        "alarmId": format!("{:016x}", delivery.alarm.id),
        "at": occurrence::instant(&delivery.alarm.at),
        "eventSummary": delivery.alarm.summary,
        "eventURL": delivery.alarm.object.to_string(),
    })
}

/// Newest first; `state` is `waiting`, `dead`, or absent for both.
pub async fn list(house: House, call: Call) -> Response {
    answer(
        async {
            let caller = auth::caller(&house, &call).await?;
            let states: &[&str] = match call.parameter("state").as_deref() {
                None => &["waiting", "dead"],
                Some("waiting") => &["waiting"],
                Some("dead") => &["dead"],
                Some(other) => {
                    return Err(Fault::whole(format!("state must be waiting or dead, got {other:?}")).into());
                }
            };
            let mut all = Vec::new();
            for state in states {
                let found = house.list_deliveries(&caller, *state == "dead").await?;
                all.extend(found.iter().map(|one| shape(one, state)));
            }
            Ok(problem::json(StatusCode::OK, &Value::Array(all)))
        }
        .await,
    )
}

/// Tries anew what was given up.
pub async fn retry(id: String, house: House, call: Call) -> Response {
    answer(
        async {
            let caller = auth::caller(&house, &call).await?;
            let id = DeliveryId::parse(&id).ok_or(Refusal::NotFound)?;
            Ok(problem::json(StatusCode::ACCEPTED, &shape(&house.retry_delivery(&caller, id).await?, "waiting")))
        }
        .await,
    )
}
