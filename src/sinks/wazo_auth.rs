//! Asks a wazo-auth about a token: one GET, bounded in time and size. Keeps nothing; what an answer means is for the service.

use std::io;
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};
use futures_util::future::BoxFuture;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use uuid::Uuid;

use crate::domain::bearer::{Bearing, LISTEN, Purpose, Standing};
use crate::domain::refusal::Refusal;
use crate::service::issuer::Issuer;
use crate::sinks::tls;
use crate::system::pace;

/// A token is a UUID; what is much longer is none.
const TOKEN_MAX: usize = 128;
/// Bytes of an answer's head, and of its body: an access list of a Wazo's administrator is long.
const HEAD_MAX: usize = 16_384;
const BODY_MAX: usize = 1 << 20;

pub struct WazoAuth {
    host: String,
    port: u16,
    /// What stands before `/0.1/token/`.
    prefix: String,
    connector: Option<TlsConnector>,
    patience: Duration,
}

#[derive(Deserialize)]
struct Answer {
    data: Token,
}

#[derive(Deserialize)]
struct Token {
    session_uuid: Option<String>,
    acl: Vec<String>,
    utc_expires_at: Option<String>,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    uuid: String,
    tenant_uuid: String,
    purpose: Option<String>,
    #[serde(default)]
    admin: bool,
}

impl WazoAuth {
    /// `url` is the beginning of its API, like `https://wazo.example.org/api/auth`; refuses what is no such thing.
    pub fn new(url: &str, patience: Duration, trusted: &[CertificateDer<'static>]) -> Result<WazoAuth, String> {
        let uri: Uri = url.parse().map_err(|_| format!("{url:?} is no url"))?;
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(format!("{url:?} begins with neither http:// nor https://")),
        };
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
        let connector = if secure { Some(tls::connector(trusted).map_err(|error| error.to_string())?) } else { None };
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        Ok(WazoAuth { host, port, prefix: uri.path().trim_end_matches('/').to_owned(), connector, patience })
    }

    async fn ask(&self, token: &str) -> io::Result<(StatusCode, Bytes)> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        match &self.connector {
            None => self.exchange(stream, token).await,
            Some(connector) => {
                let name = ServerName::try_from(self.host.clone()).map_err(io::Error::other)?;
                self.exchange(connector.connect(name, stream).await?, token).await
            }
        }
    }

    async fn exchange<S>(&self, stream: S, token: &str) -> io::Result<(StatusCode, Bytes)>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut client = hyper::client::conn::http1::Builder::new();
        let client = client.max_buf_size(HEAD_MAX).handshake(TokioIo::new(stream));
        let (mut sender, connection) = client.await.map_err(io::Error::other)?;
        let token = utf8_percent_encode(token, NON_ALPHANUMERIC);
        let request = Request::get(format!("{}/0.1/token/{token}?scope={LISTEN}", self.prefix))
            .header("host", format!("{}:{}", self.host, self.port))
            .header("accept", "application/json")
            .body(Empty::<Bytes>::new())
            .map_err(io::Error::other)?;
        let exchange = async {
            let answer = sender.send_request(request).await.map_err(io::Error::other)?;
            let status = answer.status();
            let body = Limited::new(answer.into_body(), BODY_MAX).collect().await.map_err(io::Error::other)?;
            Ok((status, body.to_bytes()))
        };
        tokio::pin!(exchange);
        tokio::select! {
            answer = &mut exchange => answer,
            // An answer may be there although the connection ended.
            _ = connection => exchange.await,
        }
    }
}

impl Issuer for WazoAuth {
    fn look<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Bearing, Refusal>> {
        Box::pin(async move {
            if token.len() > TOKEN_MAX {
                return Err(Refusal::Unauthenticated);
            }
            let answer = pace::within(self.patience, self.ask(token)).await;
            let trouble = |why: &dyn std::fmt::Display| {
                tracing::warn!(host = self.host, %why, "wazo-auth cannot be asked");
                Refusal::Unauthenticated
            };
            match answer {
                Some(Ok((StatusCode::OK, body))) => bearing(&body).ok_or_else(|| trouble(&"its answer cannot be read")),
                Some(Ok((status, _))) if status.is_client_error() => Err(Refusal::Unauthenticated),
                Some(Ok((status, _))) => Err(trouble(&status)),
                Some(Err(error)) => Err(trouble(&error)),
                None => Err(trouble(&"it does not answer in time")),
            }
        })
    }
}

fn bearing(body: &[u8]) -> Option<Bearing> {
    let Token { session_uuid, acl, utc_expires_at, metadata } = serde_json::from_slice::<Answer>(body).ok()?.data;
    // A time that cannot be read would make a token without an end.
    let until = match utc_expires_at {
        None => None,
        Some(text) => Some(instant(&text)?),
    };
    let purpose = metadata.purpose.as_deref().and_then(Purpose::from_name).unwrap_or_default();
    Some(Bearing {
        user: None,
        uuid: Uuid::try_parse(&metadata.uuid).ok()?,
        tenant: Uuid::try_parse(&metadata.tenant_uuid).ok()?,
        organisation: None,
        session: session_uuid.and_then(|text| Uuid::try_parse(&text).ok()).unwrap_or_default(),
        until,
        acl,
        usual: false,
        standing: Standing { purpose, admin: metadata.admin, master: false },
        foreign: true,
    })
}

/// A time in UTC, with or without its zone.
fn instant(text: &str) -> Option<DateTime<Utc>> {
    let plain = || NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok().map(|at| at.and_utc());
    plain().or_else(|| text.parse().ok())
}
