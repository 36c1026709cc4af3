//! `POST /ws/ticket` and the two forms of its DELETE. Shapes and codes are the Side service's; `docs/side.md` has them.

use chrono::{DateTime, Utc};
use http::StatusCode;
use serde_json::json;
use warp::reply::Response;

use crate::api::{House, answer};
use crate::domain::device::Purpose;
use crate::domain::refusal::Refusal;
use crate::http::auth;
use crate::http::call::Call;
use crate::http::problem;

fn seconds(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Draws a ticket: 200 and five keys.
pub async fn draw(house: House, call: Call) -> Response {
    answer(
        async {
            let caller = auth::signed_in(&house, &call, Purpose::Push).await?;
            let (value, ticket) = house.draw_ticket(&caller, call.peer).await?;
            let body = json!({
                "clientAddress": ticket.client_address.to_string(),
                "value": value,
                "generatedOn": seconds(ticket.generated_on),
                "validUntil": seconds(ticket.valid_until),
                "username": caller.principal.email,
            });
            Ok(problem::json(StatusCode::OK, &body))
        }
        .await,
    )
}

/// Takes back the ticket that the query names. That parameter is then no credential.
pub async fn revoke_by_query(house: House, mut call: Call) -> Response {
    let value = call.parameter("ticket").unwrap_or_default();
    call.query.clear();
    revoke(value, house, call).await
}

/// Takes back the ticket that the path names.
pub async fn revoke(value: String, house: House, call: Call) -> Response {
    let outcome = async {
        let caller = auth::caller(&house, &call).await?;
        if uuid::Uuid::try_parse(&value).is_err() {
            // The Side service says 403 on the wire and 400 in the body; its clients know it so.
            let mut members = problem::members(&Refusal::Forbidden);
            members.insert("title".to_owned(), json!("Bad Request"));
            members.insert("status".to_owned(), json!(400));
            members.insert("detail".to_owned(), json!("a ticket is a UUID"));
            return Ok(problem::with_members(&Refusal::Forbidden, members));
        }
        match house.revoke_ticket(&caller, &value).await {
            Ok(()) => Ok(problem::empty(StatusCode::NO_CONTENT)),
            Err(Refusal::Forbidden) => {
                let mut members = problem::members(&Refusal::Forbidden);
                members.insert("detail".to_owned(), json!("Using ticket other accounts is forbidden"));
                Ok(problem::with_members(&Refusal::Forbidden, members))
            }
            Err(refusal) => Err(refusal),
        }
    };
    answer(outcome.await)
}
