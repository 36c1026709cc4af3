//! The HTTP client of the commands: one request, one connection, plain HTTP.

use std::process::ExitCode;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::{Method, Request, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use hyper_util::rt::TokioIo;
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::cli::{FAILED, Failure, Server};

/// How much of a file is held at a time.
const PIECE_BYTES: usize = 65_536;

/// A service to talk to.
#[derive(Clone)]
pub struct Client {
    authority: String,
    authorization: Option<String>,
}

pub struct Answer {
    pub status: StatusCode,
    pub body: Bytes,
}

impl Answer {
    pub fn json(&self) -> Result<serde_json::Value, Failure> {
        Ok(serde_json::from_slice(&self.body)?)
    }

    /// The answer, if the service did what it was asked to; otherwise what it said.
    pub fn ok(self) -> Result<Answer, Failure> {
        if self.status.is_success() {
            return Ok(self);
        }
        let detail = self.json().ok().and_then(|problem| Some(problem.get("detail")?.as_str()?.to_owned()));
        Err(detail.map_or_else(|| self.status.to_string(), |detail| format!("{}: {detail}", self.status)).into())
    }
}

impl Client {
    /// Refuses addresses that are not `http://host[:port]`.
    pub fn new(server: &Server) -> Result<Client, Failure> {
        let rest = server.url.strip_prefix("http://").ok_or_else(|| {
            format!(
                "{}: only http:// addresses can be reached; put a local proxy before a service with TLS",
                server.url
            )
        })?;
        let authority = rest.trim_end_matches('/');
        if authority.is_empty() || authority.contains('/') {
            return Err(format!("{}: give an address like http://127.0.0.1:8008", server.url).into());
        }
        let authority = if authority.contains(':') { authority.to_owned() } else { format!("{authority}:80") };
        let authorization = server.user.as_ref().map(|user| {
            let password = server.password.as_deref().unwrap_or_default();
            format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
        });
        Ok(Client { authority, authorization })
    }

    pub fn authority(&self) -> &str {
        &self.authority
    }

    pub async fn connect(&self) -> Result<TcpStream, Failure> {
        let stream = TcpStream::connect(&self.authority).await;
        stream.map_err(|error| format!("cannot reach {}: {error}", self.authority).into())
    }

    /// Sends one request; `path` is percent-encoded already.
    pub async fn send(&self, method: Method, path: &str, media: Option<&str>, body: Bytes) -> Result<Answer, Failure> {
        let length = body.len() as u64;
        let body = Full::new(body).map_err(|never| match never {}).boxed_unsync();
        self.exchange(method, path, media, length, body).await
    }

    /// Sends a file piece by piece, and says after each how much of it is gone.
    pub async fn send_file(
        &self,
        path: &str,
        media: &str,
        file: File,
        sent: impl Fn(u64, u64) + Send + Sync + 'static,
    ) -> Result<Answer, Failure> {
        let length = file.metadata().await?.len();
        let pieces = stream::try_unfold((file.take(length), 0), move |(mut file, gone)| {
            sent(gone, length);
            async move {
                let mut piece = BytesMut::with_capacity(PIECE_BYTES);
                let read = file.read_buf(&mut piece).await?;
                let next = (file, gone + read as u64);
                Ok::<_, std::io::Error>((read > 0).then(|| (Frame::data(piece.freeze()), next)))
            }
        });
        let body = StreamBody::new(pieces).boxed_unsync();
        self.exchange(Method::POST, path, Some(media), length, body).await
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        media: Option<&str>,
        length: u64,
        body: UnsyncBoxBody<Bytes, std::io::Error>,
    ) -> Result<Answer, Failure> {
        let stream = self.connect().await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let request = Request::builder().method(method).uri(path).header(HOST, &self.authority);
        let mut request = request.header(CONTENT_LENGTH, length);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if let Some(media) = media {
            request = request.header(CONTENT_TYPE, media);
        }
        let exchange = async {
            let response = sender.send_request(request.body(body)?).await?;
            let status = response.status();
            let body = response.into_body().collect().await?.to_bytes();
            Ok::<_, Failure>(Answer { status, body })
        };
        tokio::pin!(exchange);
        tokio::select! {
            answer = &mut exchange => answer,
            ended = connection => {
                ended?;
                exchange.await
            }
        }
    }

    pub async fn get(&self, path: &str) -> Result<Answer, Failure> {
        self.send(Method::GET, path, None, Bytes::new()).await
    }
}

/// A path as it goes on the wire: everything but what RFC 3986 leaves free is encoded.
pub fn encoded(path: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const KEPT: &AsciiSet =
        &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@');
    utf8_percent_encode(path, KEPT).to_string()
}

/// 0 or 1.
pub fn code(fine: bool) -> ExitCode {
    ExitCode::from(if fine { 0 } else { FAILED })
}
