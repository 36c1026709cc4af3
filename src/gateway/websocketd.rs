//! `/api/websocketd/`, and every path of the Wazo listener: always a socket first, then a word about the token. `docs/wazo.md` tells it.

use std::sync::Arc;

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Version as HttpVersion};
use hyper::upgrade::OnUpgrade;
use warp::reply::Response;

use crate::gateway::upgrade::{Door, Handshake, NoHandshake};
use crate::gateway::wazo::conversation::Wazo;
use crate::gateway::wazo::say::Version;
use crate::http::call::Call;
use crate::http::problem;
use crate::service::Service;

/// People come here with a browser, to accept the certificate.
const VISITOR: &str = "Campanile's websocket for Wazo clients. It is reached: connect with wss://.\n";

/// The header that brings a token where the query has none.
const TOKEN: &str = "x-auth-token";

pub async fn websocketd(service: Arc<Service>, door: Arc<Door>, call: Call, on_upgrade: Option<OnUpgrade>) -> Response {
    // The query wins, even with a worse token.
    let token = call.parameter("token").or_else(|| call.header(TOKEN).map(str::to_owned));
    let version = Version::read(call.parameter("version").as_deref());
    // Only HTTP/1.1 connections can be upgraded, so only they carry this.
    let http = if on_upgrade.is_some() { HttpVersion::HTTP_11 } else { HttpVersion::HTTP_2 };
    let response = match (Handshake::read(&call.method, http, &call.headers), on_upgrade) {
        (Ok(handshake), Some(on_upgrade)) => {
            // Clients come back for ever, whatever they were told: one token can only fail so often.
            if let Some(refusal) = token.as_deref().and_then(|token| service.tired_of(token).err()) {
                return problem::problem(&refusal);
            }
            let dialect = Wazo::new(version, token, Arc::clone(&door.directory), door.manners);
            handshake.accept(&door, on_upgrade, None, Box::new(dialect))
        }
        (Ok(_), None) | (Err(NoHandshake::NoUpgrade), _) => return visited(NoHandshake::NoUpgrade),
        (Err(no), _) => no.response(),
    };
    let (parts, body) = response.into_parts();
    Response::from_parts(parts, body.into())
}

/// 426 with a line of text.
fn visited(no: NoHandshake) -> Response {
    let (mut parts, _) = no.response().into_parts();
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    Response::from_parts(parts, VISITOR.into())
}
