//! `/healthz` and `/readyz`: whether the process lives, and whether it can do its work. Without authentication.

use http::StatusCode;
use serde_json::json;
use warp::reply::Response;

use crate::api::House;
use crate::http::problem;

/// The process answers: 200.
pub async fn live() -> Response {
    problem::json(StatusCode::OK, &json!({ "status": "ok" }))
}

/// The store answers, and what is due is looked after: 200, otherwise 503 and which part is not.
pub async fn ready(house: House) -> Response {
    let store = house.next_look().await;
    let parts = json!({ "store": if store.is_ok() { "ok" } else { "failed" } });
    let status = if store.is_ok() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    problem::json(status, &json!({ "status": if store.is_ok() { "ok" } else { "failed" }, "parts": parts }))
}
