//! `GET /ws`: a ticket, then a socket that speaks Side. Only a ticket opens it; whatever is refused has no body.

use std::sync::Arc;

use http::{StatusCode, Version};
use hyper::upgrade::OnUpgrade;
use warp::reply::Response;

use crate::domain::refusal::Refusal;
use crate::gateway::side::conversation::Side;
use crate::gateway::upgrade::{Door, Handshake};
use crate::http::call::Call;
use crate::http::problem;
use crate::service::Service;
use crate::service::login::Credentials;

pub async fn side(service: Arc<Service>, door: Arc<Door>, call: Call, on_upgrade: Option<OnUpgrade>) -> Response {
    // The first value counts; the ticket is used up by this, whatever becomes of the upgrade.
    let ticket = call.parameter("ticket").map_or(Credentials::None, Credentials::Ticket);
    let signed_in = match service.sign_in(&ticket, call.peer).await {
        Ok(signed_in) => signed_in,
        Err(Refusal::Unauthenticated | Refusal::Expired) => return problem::empty(StatusCode::UNAUTHORIZED),
        // Trouble of our own is no fault of the ticket's: the client is told to come again.
        Err(trouble) => {
            let mut response = problem::empty(problem::status(&trouble));
            problem::dress(&trouble, &mut response);
            return response;
        }
    };
    // Only HTTP/1.1 connections can be upgraded, so only they carry this.
    let version = if on_upgrade.is_some() { Version::HTTP_11 } else { Version::HTTP_2 };
    let response = match (Handshake::read(&call.method, version, &call.headers), on_upgrade) {
        (Ok(handshake), Some(on_upgrade)) => {
            let user = &signed_in.principal.name;
            let dialect = Box::new(Side::new(user.clone(), door.paths_max));
            handshake.for_device(signed_in.device.as_ref()).accept(&door, on_upgrade, Some(user), dialect)
        }
        (Ok(_), None) => return problem::empty(StatusCode::UPGRADE_REQUIRED),
        (Err(no), _) => no.response(),
    };
    let (parts, body) = response.into_parts();
    Response::from_parts(parts, body.into())
}
