//! `POST /api/tokens` and `DELETE /api/tokens/{token}`: bearer tokens.

use bytes::Buf;
use futures_util::Stream;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use warp::reply::Response;

use crate::api::{House, answer, caller_and_body, parse_json, person};
use crate::domain::occurrence;
use crate::http::auth;
use crate::http::call::{Call, decoded};
use crate::http::problem;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    expires_in: Option<i64>,
    user: Option<String>,
}

/// An empty body asks for a token with the usual life.
pub async fn issue<B: Buf>(house: House, call: Call, stream: impl Stream<Item = Result<B, warp::Error>>) -> Response {
    answer(
        async {
            let (caller, bytes) = caller_and_body(&house, &call, stream).await?;
            let wanted: Wanted = if bytes.is_empty() { Wanted::default() } else { parse_json(&bytes)? };
            let whom = wanted.user.as_deref().map(person).transpose()?;
            let (token, until) = house.issue_bearer(&caller, whom.as_ref(), wanted.expires_in).await?;
            let user = whom.unwrap_or(caller.name);
            let body = json!({ "token": token, "expires_at": occurrence::instant(&until), "user": user.as_str() });
            Ok(problem::json(StatusCode::CREATED, &body))
        }
        .await,
    )
}

pub async fn revoke(token: String, house: House, call: Call) -> Response {
    answer(
        async {
            let caller = auth::caller(&house, &call).await?;
            house.revoke_bearer(&caller, &decoded(&token).unwrap_or_default()).await?;
            Ok(problem::empty(StatusCode::NO_CONTENT))
        }
        .await,
    )
}
