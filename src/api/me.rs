//! `/api/me`: who one is signed in as, and one's own settings.

use bytes::Buf;
use futures_util::Stream;
use http::StatusCode;
use serde::{Deserialize, Deserializer};
use warp::reply::Response;

use crate::api::{House, answer, caller_and_json, users};
use crate::http::auth;
use crate::http::call::Call;
use crate::http::problem;

pub async fn show(house: House, call: Call) -> Response {
    answer(
        async {
            let caller = auth::caller(&house, &call).await?;
            Ok(problem::json(StatusCode::OK, &users::shape(&caller)))
        }
        .await,
    )
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// Absent leaves it, `null` takes it away.
    #[serde(default, deserialize_with = "given")]
    timezone: Option<Option<String>>,
}

fn given<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(from).map(Some)
}

pub async fn patch<B: Buf>(house: House, call: Call, stream: impl Stream<Item = Result<B, warp::Error>>) -> Response {
    answer(
        async {
            let (mut caller, wanted): (_, Wanted) = caller_and_json(&house, &call, stream).await?;
            if let Some(zone) = wanted.timezone {
                caller = house.set_timezone(&caller.name, zone.as_deref()).await?;
            }
            Ok(problem::json(StatusCode::OK, &users::shape(&caller)))
        }
        .await,
    )
}
