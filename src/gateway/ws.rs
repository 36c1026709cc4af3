//! From a request for a socket to the protocol that runs on it. Whatever is refused has no body.

use std::sync::Arc;

use http::header::SEC_WEBSOCKET_PROTOCOL;
use http::{StatusCode, Version};
use hyper::upgrade::OnUpgrade;
use warp::reply::Response;

use crate::domain::device::Purpose;
use crate::domain::refusal::Refusal;
use crate::gateway::cti_messages::machine::CtiMessages;
use crate::gateway::dialect::Dialect;
use crate::gateway::side::conversation::Side;
use crate::gateway::stomp::machine::Stomp;
use crate::gateway::upgrade::{Door, Handshake};
use crate::http::auth;
use crate::http::call::Call;
use crate::http::problem;
use crate::service::Service;
use crate::service::login::{Credentials, SignedIn};
use crate::system::random;

/// `GET /ws`: STOMP where the client offers it as its sub-protocol, else Side.
pub async fn socket(service: Arc<Service>, door: Arc<Door>, call: Call, on_upgrade: Option<OnUpgrade>) -> Response {
    match offered(&call) {
        Some(_) => stomp(service, door, call, on_upgrade).await,
        None => side(service, door, call, on_upgrade).await,
    }
}

/// The names under which STOMP is a sub-protocol, best first.
const STOMP: [&str; 3] = ["v12.stomp", "v11.stomp", "v10.stomp"];

/// The best of those that the client offers.
fn offered(call: &Call) -> Option<&'static str> {
    let values = call.headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    let offers: Vec<&str> = values.flat_map(|value| value.split(',')).map(str::trim).collect();
    STOMP.into_iter().find(|name| offers.contains(name))
}

/// A socket that speaks STOMP, whatever sub-protocol it asks for or none. Who brings credentials with the request must bring right ones;
/// who brings none says in CONNECT who they are.
pub async fn stomp(service: Arc<Service>, door: Arc<Door>, call: Call, on_upgrade: Option<OnUpgrade>) -> Response {
    let signed_in = match auth::upgrader(&service, &call).await {
        Ok(signed_in) => signed_in,
        Err(refusal) => return refused(&refusal),
    };
    let user = signed_in.as_ref().map(|signed_in| signed_in.principal.name.clone());
    let session = random::uuid(service.random()).simple().to_string();
    let dialect = Stomp::new(user, call.peer, session, door.stomp);
    open(&door, &call, on_upgrade, offered(&call), signed_in.as_ref(), Box::new(dialect))
}

/// `GET /v1/subscribe`: how much is unread, for CTI clients. They may bring their token in the address, or in their first frame.
pub async fn cti_messages(
    service: Arc<Service>,
    door: Arc<Door>,
    call: Call,
    on_upgrade: Option<OnUpgrade>,
) -> Response {
    let token = call.parameter("access_token").map(Credentials::Bearer);
    let signed_in = match token {
        Some(token) => service.sign_in(&token, call.peer).await.and_then(|signed_in| {
            signed_in.clone().allowed(Purpose::Push)?;
            Ok(Some(signed_in))
        }),
        None => auth::upgrader(&service, &call).await,
    };
    let signed_in = match signed_in {
        Ok(signed_in) => signed_in,
        Err(refusal) => return refused(&refusal),
    };
    let user = signed_in.as_ref().map(|signed_in| signed_in.principal.name.clone());
    let dialect = Box::new(CtiMessages::new(user, call.peer, door.cti_silence));
    open(&door, &call, on_upgrade, None, signed_in.as_ref(), dialect)
}

/// A socket that speaks Side. Only a ticket opens it.
async fn side(service: Arc<Service>, door: Arc<Door>, call: Call, on_upgrade: Option<OnUpgrade>) -> Response {
    // The first value counts; the ticket is used up by this, whatever becomes of the upgrade.
    let ticket = call.parameter("ticket").map_or(Credentials::None, Credentials::Ticket);
    let signed_in = match service.sign_in(&ticket, call.peer).await {
        Ok(signed_in) => signed_in,
        Err(refusal) => return refused(&refusal),
    };
    let dialect = Box::new(Side::new(signed_in.principal.name.clone(), door.paths_max));
    open(&door, &call, on_upgrade, None, Some(&signed_in), dialect)
}

/// Why there is no socket. Trouble of our own is no fault of the credentials: the client is told to come again.
fn refused(refusal: &Refusal) -> Response {
    let mut response = problem::empty(problem::status(refusal));
    if !matches!(refusal, Refusal::Unauthenticated | Refusal::Expired) {
        problem::dress(refusal, &mut response);
    }
    response
}

/// Upgrades the connection, and runs the dialect on it.
fn open(
    door: &Arc<Door>,
    call: &Call,
    on_upgrade: Option<OnUpgrade>,
    protocol: Option<&'static str>,
    signed_in: Option<&SignedIn>,
    dialect: Box<dyn Dialect>,
) -> Response {
    // Only HTTP/1.1 connections can be upgraded, so only they carry this.
    let version = if on_upgrade.is_some() { Version::HTTP_11 } else { Version::HTTP_2 };
    let response = match (Handshake::read(&call.method, version, &call.headers), on_upgrade) {
        (Ok(handshake), Some(on_upgrade)) => {
            let handshake = match protocol {
                Some(protocol) => handshake.with_protocol(protocol),
                None => handshake,
            };
            let user = signed_in.map(|signed_in| &signed_in.principal.name);
            handshake.for_signed_in(signed_in).accept(door, on_upgrade, user, dialect)
        }
        (Ok(_), None) => return problem::empty(StatusCode::UPGRADE_REQUIRED),
        (Err(no), _) => no.response(),
    };
    let (parts, body) = response.into_parts();
    Response::from_parts(parts, body.into())
}
