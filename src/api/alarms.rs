//! `/api/alarms`: what rings and what rang; acknowledging it and putting it off, for all of one's devices at once.

use bytes::Buf;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::Stream;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use warp::reply::Response;

use crate::api::{House, answer, caller_and_json};
use crate::domain::alarm::{Rung, State};
use crate::domain::event::Rang;
use crate::domain::occurrence;
use crate::domain::refusal::{Fault, Refusal};
use crate::http::auth;
use crate::http::call::Call;
use crate::http::problem;
use crate::service::answers::Answered;

/// What is shown when nobody says: the last day and the next week.
const BACK_DAYS: i64 = 1;
const AHEAD_DAYS: i64 = 7;

fn shape(alarm: &Rang, state: &str) -> Value {
    json!({
        "id": format!("{:016x}", alarm.id),
        "at": occurrence::instant(&alarm.at),
        "action": alarm.action.as_str(),
        "state": state,
        "eventSummary": alarm.summary,
        "eventURL": alarm.object.to_string(),
        "eventStartTime": occurrence::instant(&alarm.start),
    })
}

fn rung_shape(rung: &Rung) -> Value {
    let mut shape = shape(&rung.alarm, rung.state.as_str());
    if let State::Snoozed(until) = rung.state {
        shape["until"] = json!(occurrence::instant(&until));
    }
    shape
}

/// What became of it, and where the person wants answers in their events, whether this one stands there.
fn answered_shape(answered: &Answered) -> Value {
    let mut shape = rung_shape(&answered.rung);
    if let Some(written) = &answered.written {
        shape["writtenBack"] = json!(written.is_ok());
        if let Err(why) = written {
            shape["why"] = json!(why);
        }
    }
    shape
}

fn instant(call: &Call, name: &str, default: DateTime<Utc>) -> Result<DateTime<Utc>, Refusal> {
    let Some(text) = call.parameter(name) else { return Ok(default) };
    text.parse()
        .map_err(|_| Fault::whole(format!("{name} must be an instant like 2025-01-15T09:00:00Z, got {text:?}")).into())
}

/// The alarms of a window, earliest first: those that rang with what became of them, and those that are planned.
pub async fn list(house: House, call: Call) -> Response {
    answer(
        async {
            let caller = auth::caller(&house, &call).await?;
            let now = house.now();
            let from = instant(&call, "from", now - TimeDelta::days(BACK_DAYS))?;
            let to = instant(&call, "to", now + TimeDelta::days(AHEAD_DAYS))?;
            let rung = house.rung_alarms(&caller.name).await?;
            let rung = rung.iter().filter(|rung| (from..to).contains(&rung.alarm.at)).map(rung_shape);
            let planned = house.planned_alarms(&caller.name, from, to).await?;
            let planned = planned.iter().map(|alarm| shape(alarm, "planned"));
            Ok(problem::json(StatusCode::OK, &Value::Array(rung.chain(planned).collect())))
        }
        .await,
    )
}

fn number(id: &str) -> Result<u64, Refusal> {
    u64::from_str_radix(id, 16).map_err(|_| Refusal::NotFound)
}

/// Nobody of this person hears it any more.
pub async fn acknowledge(id: String, house: House, call: Call) -> Response {
    answer(
        async {
            let caller = auth::caller(&house, &call).await?;
            Ok(problem::json(StatusCode::OK, &answered_shape(&house.acknowledge(&caller, number(&id)?).await?)))
        }
        .await,
    )
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Snooze {
    until: DateTime<Utc>,
}

/// It rings again later.
pub async fn snooze<B: Buf>(
    id: String,
    house: House,
    call: Call,
    stream: impl Stream<Item = Result<B, warp::Error>>,
) -> Response {
    answer(
        async {
            let (caller, wanted): (_, Snooze) = caller_and_json(&house, &call, stream).await?;
            Ok(problem::json(
                StatusCode::OK,
                &answered_shape(&house.snooze(&caller, number(&id)?, wanted.until).await?),
            ))
        }
        .await,
    )
}
