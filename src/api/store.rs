//! `/api/store`: copies of the whole store, for administrators.

use http::StatusCode;
use serde_json::json;
use warp::reply::Response;

use crate::api::{House, answer};
use crate::domain::refusal::Refusal;
use crate::http::call::Call;
use crate::http::{auth, problem};

/// Makes a copy beside the store, and says where.
pub async fn export(house: House, call: Call) -> Response {
    answer(exported(house, call).await)
}

async fn exported(house: House, call: Call) -> Result<Response, Refusal> {
    let made = house.copy_store(&auth::caller(&house, &call).await?).await?;
    let body = json!({ "file": made.file.display().to_string(), "rows": made.held.rows, "bytes": made.held.bytes });
    Ok(problem::json(StatusCode::CREATED, &body))
}
