//! `GET /organisation/{org}/user/{user}`, `…/user-group/{group}` and `GET /v1/events`: requests to sockets that speak CTI. Who is refused is
//! told so on the socket, with a code of the dialect's: browsers show a page nothing else.

use std::sync::Arc;

use http::header::SEC_WEBSOCKET_PROTOCOL;
use http::{StatusCode, Version};
use hyper::upgrade::OnUpgrade;
use warp::reply::Response;

use crate::gateway::cti::conversation::{Cti, Proof};
use crate::gateway::cti_events::conversation::CtiEvents;
use crate::gateway::dialect::Dialect;
use crate::gateway::sight::{Sight, Target};
use crate::gateway::upgrade::{Door, Handshake};
use crate::http::auth;
use crate::http::call::{Call, decoded};
use crate::http::problem;
use crate::service::Service;
use crate::service::login::{Credentials, SignedIn};

/// The sub-protocols behind which a browser's page may offer a token, as it can send no header: `new WebSocket(url, ['bearer', token])`.
const BEARERS: [&str; 2] = ["bearer", "access_token"];

pub async fn person(
    organisation: String,
    user: String,
    service: Arc<Service>,
    door: Arc<Door>,
    call: Call,
    on_upgrade: Option<OnUpgrade>,
) -> Response {
    let target = Target::Person(name(&user));
    watch(name(&organisation), target, &service, &door, call, on_upgrade).await
}

pub async fn group(
    organisation: String,
    group: String,
    service: Arc<Service>,
    door: Arc<Door>,
    call: Call,
    on_upgrade: Option<OnUpgrade>,
) -> Response {
    let target = Target::Group(name(&group));
    watch(name(&organisation), target, &service, &door, call, on_upgrade).await
}

/// Everybody may open it; its first frame says who.
pub async fn events(_: Arc<Service>, door: Arc<Door>, call: Call, on_upgrade: Option<OnUpgrade>) -> Response {
    let dialect = Box::new(CtiEvents::new(call.peer, door.paths_max, door.cti_silence));
    open(&door, &call, on_upgrade, None, None, dialect)
}

/// What cannot be read names nothing, and is answered as such.
fn name(segment: &str) -> String {
    decoded(segment).unwrap_or_default()
}

async fn watch(
    organisation: String,
    target: Target,
    service: &Service,
    door: &Arc<Door>,
    call: Call,
    on_upgrade: Option<OnUpgrade>,
) -> Response {
    let mut known = None;
    let mut protocol = None;
    let proof = match auth::upgrader(service, &call).await {
        Ok(Some(signed_in)) => {
            let name = signed_in.principal.name.clone();
            known = Some(signed_in);
            Proof::Credentials(Credentials::Proved(name), call.peer)
        }
        Ok(None) => {
            let offered = offered(&call);
            protocol = offered.as_ref().map(|(name, _)| *name);
            let token = call.parameter("access_token").or(offered.map(|(_, token)| token));
            Proof::Credentials(token.map_or(Credentials::None, Credentials::Bearer), call.peer)
        }
        Err(refusal) => Proof::Refused(refusal),
    };
    let dialect = Box::new(Cti::new(proof, Sight { organisation, target }, door.cti_silence));
    open(door, &call, on_upgrade, known.as_ref(), protocol, dialect)
}

/// A token offered as a sub-protocol, behind the name that says so; the name is answered.
fn offered(call: &Call) -> Option<(&'static str, String)> {
    let lines = call.headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|line| line.to_str().ok());
    let mut names = lines.flat_map(|line| line.split(',')).map(str::trim);
    let known = names.find_map(|name| BEARERS.into_iter().find(|known| *known == name))?;
    Some((known, names.next()?.to_owned()))
}

fn open(
    door: &Arc<Door>,
    call: &Call,
    on_upgrade: Option<OnUpgrade>,
    signed_in: Option<&SignedIn>,
    protocol: Option<&'static str>,
    dialect: Box<dyn Dialect>,
) -> Response {
    // Only HTTP/1.1 connections can be upgraded, so only they carry this.
    let version = if on_upgrade.is_some() { Version::HTTP_11 } else { Version::HTTP_2 };
    let response = match (Handshake::read(&call.method, version, &call.headers), on_upgrade) {
        (Ok(handshake), Some(on_upgrade)) => {
            let handshake = match protocol {
                Some(name) => handshake.with_protocol(name),
                None => handshake,
            };
            handshake.for_signed_in(signed_in).accept(door, on_upgrade, None, dialect)
        }
        (Ok(_), None) => return problem::empty(StatusCode::UPGRADE_REQUIRED),
        (Err(no), _) => no.response(),
    };
    let (parts, body) = response.into_parts();
    Response::from_parts(parts, body.into())
}
