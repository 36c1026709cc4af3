//! From an HTTP request to a running socket: the handshake of RFC 6455 section 4.2. Who may have one is decided before.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ALLOW, CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, SEC_WEBSOCKET_ACCEPT,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
};
use http::{Method, Response, StatusCode, Version};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::upgrade::downcast;
use tokio::net::TcpStream;
use tungstenite::handshake::derive_accept_key;

use crate::domain::address::UserName;
use crate::domain::bearer::Hold;
use crate::gateway::dialect::{Desk, Dialect, Directory};
use crate::gateway::hub::{Hub, RETRY_SECONDS};
use crate::gateway::session::{Ending, Session, Settings};
use crate::gateway::stomp;
use crate::gateway::wazo::conversation::Manners;
use crate::http::tls::Secured;
use crate::service::login::SignedIn;
use crate::system::clock::Clock;
use crate::system::pace::Pace;

/// A base64 key of 16 bytes has this length. RFC 6455 section 4.2.1.
const KEY_LENGTH: usize = 24;

/// What every socket of this node shares.
pub struct Door {
    pub hub: Arc<Hub>,
    pub desk: Arc<dyn Desk>,
    pub clock: Arc<dyn Clock>,
    pub pace: Arc<dyn Pace>,
    pub settings: Settings,
    /// Paths that one socket may register.
    pub paths_max: usize,
    pub directory: Arc<dyn Directory>,
    /// Of Wazo sockets.
    pub manners: Manners,
    pub stomp: stomp::machine::Limits,
    /// After how long without a byte from their clients CTI sockets close; `None`: never.
    pub cti_silence: Option<Duration>,
}

/// A request that asks for a WebSocket, and asks rightly.
#[derive(Debug)]
pub struct Handshake {
    accept: HeaderValue,
    protocol: Option<&'static str>,
    device: Option<Arc<str>>,
    hold: Option<Hold>,
}

/// Why a request cannot become a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoHandshake {
    /// Only GET can.
    Method,
    /// It does not ask for one.
    NoUpgrade,
    /// Another version of the protocol than 13.
    Version,
    /// No sound key, a body, or not HTTP/1.1.
    Malformed,
}

impl NoHandshake {
    /// The answer that says so: 405, 426 or 400.
    pub fn response(self) -> Response<Bytes> {
        let upgrade =
            || [(UPGRADE, HeaderValue::from_static("websocket")), (CONNECTION, HeaderValue::from_static("upgrade"))];
        match self {
            NoHandshake::Method => answer(StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, HeaderValue::from_static("GET"))]),
            NoHandshake::NoUpgrade => answer(StatusCode::UPGRADE_REQUIRED, upgrade()),
            NoHandshake::Version => {
                // RFC 6455 section 4.4: names the version that would do.
                let known = (SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
                answer(StatusCode::UPGRADE_REQUIRED, upgrade().into_iter().chain([known]))
            }
            NoHandshake::Malformed => answer(StatusCode::BAD_REQUEST, []),
        }
    }
}

impl Handshake {
    /// Reads the request's head.
    pub fn read(method: &Method, version: Version, headers: &HeaderMap) -> Result<Handshake, NoHandshake> {
        if method != Method::GET {
            return Err(NoHandshake::Method);
        }
        if !lists(headers, &UPGRADE, "websocket") || !lists(headers, &CONNECTION, "upgrade") {
            return Err(NoHandshake::NoUpgrade);
        }
        if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
            return Err(NoHandshake::Version);
        }
        // A handshake has no body: whoever sends one wants its bytes to be taken for something else on the way.
        let brings = headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0");
        if brings || headers.contains_key(TRANSFER_ENCODING) {
            return Err(NoHandshake::Malformed);
        }
        let key = headers.get(SEC_WEBSOCKET_KEY).and_then(|key| key.to_str().ok()).map(str::trim);
        let key = key.filter(|key| version == Version::HTTP_11 && key.len() == KEY_LENGTH);
        let accept = key.map(|key| derive_accept_key(key.as_bytes())).ok_or(NoHandshake::Malformed)?;
        let accept = HeaderValue::from_str(&accept).map_err(|_| NoHandshake::Malformed)?;
        Ok(Handshake { accept, protocol: None, device: None, hold: None })
    }

    /// Names the subprotocol that was chosen of those that the client offered.
    pub fn with_protocol(self, protocol: &'static str) -> Handshake {
        Handshake { protocol: Some(protocol), ..self }
    }

    /// Names what asks for the socket, which closes when that is taken back: a device's app password, or a token.
    pub fn for_signed_in(self, signed_in: Option<&SignedIn>) -> Handshake {
        let device = signed_in.and_then(|signed_in| signed_in.device.as_ref());
        let hold = signed_in.and_then(|signed_in| signed_in.hold.clone());
        Handshake { device: device.map(|device| Arc::from(device.id.as_str())), hold, ..self }
    }

    /// Answers 101 and runs the dialect on the socket as soon as it is free; 503 where the hub has no room.
    /// `user` is absent where the dialect itself asks who it is.
    pub fn accept(
        self,
        door: &Arc<Door>,
        on_upgrade: OnUpgrade,
        user: Option<&UserName>,
        dialect: Box<dyn Dialect>,
    ) -> Response<Bytes> {
        let seat = match door.hub.join(user) {
            Ok(seat) => seat,
            Err(full) => {
                tracing::info!(why = %full, "socket refused");
                door.hub.meter().dropped("refused");
                return answer(StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, RETRY_SECONDS.into())]);
            }
        };
        let (desk, clock, pace) = (Arc::clone(&door.desk), Arc::clone(&door.clock), Arc::clone(&door.pace));
        let session = Session::new(dialect, seat, desk, clock, pace, door.settings).opened_by(self.device, self.hold);
        let meter = Arc::clone(door.hub.meter());
        tokio::spawn(async move {
            match on_upgrade.await {
                Ok(upgraded) => {
                    let ending = run(session, upgraded).await;
                    match ending {
                        Ending::Lost => meter.dropped("lost"),
                        Ending::Stalled => meter.dropped("stalled"),
                        Ending::Silent => meter.dropped("silent"),
                        // Said with a reason; where that is a fault of the client's, the session has counted it.
                        Ending::ByClient | Ending::ByUs(_) => {}
                    }
                    tracing::debug!(?ending, "socket ended");
                }
                Err(error) => tracing::debug!(%error, "upgrade was not completed"),
            }
        });
        let mut headers = vec![
            (UPGRADE, HeaderValue::from_static("websocket")),
            (CONNECTION, HeaderValue::from_static("upgrade")),
            (SEC_WEBSOCKET_ACCEPT, self.accept),
        ];
        headers.extend(self.protocol.map(|name| (SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(name))));
        answer(StatusCode::SWITCHING_PROTOCOLS, headers)
    }
}

/// Runs on the bare TCP stream where there is one; what lies above it (TLS) costs a box.
async fn run(session: Session, upgraded: Upgraded) -> Ending {
    match downcast::<TokioIo<TcpStream>>(upgraded) {
        Ok(parts) => session.run(parts.io.into_inner(), parts.read_buf).await,
        // Boxed: room for it would lie in the task of every socket without TLS.
        Err(upgraded) => match downcast::<TokioIo<Secured>>(upgraded) {
            Ok(parts) => Box::pin(session.run(parts.io.into_inner(), parts.read_buf)).await,
            Err(upgraded) => Box::pin(session.run(TokioIo::new(upgraded), Bytes::new())).await,
        },
    }
}

/// Whether a comma-separated header holds a token, in any case.
fn lists(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|value| value.trim().eq_ignore_ascii_case(token))
}

fn answer(status: StatusCode, headers: impl IntoIterator<Item = (HeaderName, HeaderValue)>) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response.headers_mut().extend(headers);
    response
}
