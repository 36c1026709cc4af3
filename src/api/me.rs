//! `GET /api/me`: who one is signed in as.

use http::StatusCode;
use warp::reply::Response;

use crate::api::{House, answer, users};
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
