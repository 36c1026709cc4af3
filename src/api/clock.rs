//! `/api/clock`: what time it is, and turning it where it was started by hand.

use bytes::Buf;
use chrono::{DateTime, Utc};
use futures_util::Stream;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use warp::reply::Response;

use crate::api::{House, answer, caller_and_json};
use crate::domain::alarm::Rung;
use crate::domain::occurrence;
use crate::domain::refusal::{Fault, Refusal};
use crate::http::auth;
use crate::http::call::Call;
use crate::http::problem;
use crate::service::clock::Aim;

pub async fn show(house: House, call: Call) -> Response {
    answer(
        async {
            auth::caller(&house, &call).await?;
            let mode = if house.clock_is_manual() { "manual" } else { "system" };
            let now = occurrence::instant(&house.now());
            Ok(problem::json(StatusCode::OK, &json!({ "now": now, "mode": mode })))
        }
        .await,
    )
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Turn {
    set: Option<DateTime<Utc>>,
    advance: Option<String>,
}

fn shape(rung: &Rung) -> Value {
    json!({
        "at": occurrence::instant(&rung.alarm.at),
        "user": rung.user.as_str(),
        "action": rung.alarm.action.as_str(),
        "eventSummary": rung.alarm.summary,
        "eventURL": rung.alarm.object.to_string(),
        "eventStartTime": occurrence::instant(&rung.alarm.start),
    })
}

/// Answers when all that fell due on the way is delivered.
pub async fn turn<B: Buf>(house: House, call: Call, stream: impl Stream<Item = Result<B, warp::Error>>) -> Response {
    answer(
        async {
            let (_, asked): (_, Turn) = caller_and_json(&house, &call, stream).await?;
            if !house.clock_is_manual() {
                return Err(Refusal::NotFound);
            }
            let aim = match (asked.set, asked.advance) {
                (Some(target), None) => Aim::To(target),
                (None, Some(text)) => Aim::ahead(&text)?,
                _ => return Err(Fault::whole("give either set or advance").into()),
            };
            // On a task of its own: a client that goes away does not leave the turn half done.
            let turner = house.clone();
            let turn = tokio::spawn(async move { turner.turn_clock(aim).await }).await;
            let turn = turn.unwrap_or_else(|_| Err(house.fault("a turn of the clock panicked")))?;
            let body = json!({
                "now": occurrence::instant(&turn.now),
                "fired": turn.fired.iter().map(shape).collect::<Vec<_>>(),
                "firedCount": turn.count,
                "settled": turn.settled,
            });
            Ok(problem::json(StatusCode::OK, &body))
        }
        .await,
    )
}
