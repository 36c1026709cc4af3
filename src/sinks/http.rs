//! Connections to addresses that users named: resolved once, checked, connected to exactly that. And one HTTP request over one: no redirect, no body
//! read.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use chrono::DateTime;
use http::header::{CONTENT_LENGTH, DATE, HOST, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};

use crate::domain::delivery::{Failure, Retry};
use crate::domain::reach;
use crate::sinks::tls;

/// Addresses of one name that are looked at; a name with more is refused.
const ADDRESSES_MAX: usize = 16;
/// Bytes of an answer's head; a larger one ends the attempt.
pub(crate) const HEAD_MAX: usize = 16_384;
pub(crate) const AGENT: &str = concat!("campanile/", env!("CARGO_PKG_VERSION"));

/// Calls addresses that users named.
pub struct Caller {
    allow_private: bool,
    more: Vec<CertificateDer<'static>>,
    /// Made when the first https address is called: it reads the machine's certificates.
    connector: OnceLock<TlsConnector>,
}

/// What is sent.
pub struct Call {
    pub method: Method,
    pub url: String,
    pub headers: Vec<(HeaderName, String)>,
    pub body: Bytes,
}

impl Caller {
    pub fn new(allow_private: bool, more: Vec<CertificateDer<'static>>) -> Caller {
        Caller { allow_private, more, connector: OnceLock::new() }
    }

    /// Sends it; the answer's status decides. The caller bounds the time.
    pub async fn send(&self, call: Call) -> Result<(), Failure> {
        let uri: Uri = call.url.parse().map_err(|_| Failure::lasting("the url cannot be read"))?;
        let stream = self.open(&uri, self.allow_private).await?;
        exchange(stream, request(&uri, call)?).await
    }

    /// A connection to what a URL names, with TLS where it says https. Nothing is sent.
    pub(crate) async fn open(&self, uri: &Uri, private: bool) -> Result<Box<dyn Stream>, Failure> {
        let secure = uri.scheme_str() == Some("https");
        let (host, port) = place(uri);
        let stream = connect(&host, port, private).await?;
        if !secure {
            return Ok(Box::new(stream));
        }
        let name = ServerName::try_from(host).map_err(|_| Failure::lasting("the host has no name for tls"))?;
        let stream = self.connector()?.connect(name, stream).await;
        Ok(Box::new(stream.map_err(|error| Failure::passing(format!("tls: {error}")))?))
    }

    fn connector(&self) -> Result<&TlsConnector, Failure> {
        if let Some(connector) = self.connector.get() {
            return Ok(connector);
        }
        let made = tls::connector(&self.more).map_err(|error| Failure::passing(format!("tls: {error}")))?;
        Ok(self.connector.get_or_init(|| made))
    }
}

/// What bytes go over.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// The host and the port that a URL names.
pub(crate) fn place(uri: &Uri) -> (String, u16) {
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
    let default = if uri.scheme_str() == Some("https") { 443 } else { 80 };
    (host, uri.port_u16().unwrap_or(default))
}

/// The addresses that a name has at this moment. All of them must be open to strangers, so that no name smuggles a closed one in among
/// others. Which address a name leads to is not told: names inside are nobody's business.
pub(crate) async fn resolve(host: &str, port: u16, private: bool) -> Result<Vec<SocketAddr>, Failure> {
    let found = tokio::net::lookup_host((host, port)).await;
    let found = found.map_err(|error| Failure::passing(format!("{host}: {error}")))?;
    let addresses: Vec<SocketAddr> = found.take(ADDRESSES_MAX + 1).collect();
    if addresses.len() > ADDRESSES_MAX {
        return Err(Failure::lasting(format!("{host} has more than {ADDRESSES_MAX} addresses")));
    }
    for address in &addresses {
        check(host, address.ip(), private)?;
    }
    Ok(addresses)
}

fn check(host: &str, address: IpAddr, private: bool) -> Result<(), Failure> {
    match reach::closed(address) {
        Some(kind) if !private => {
            Err(Failure::lasting(format!("{host} leads to a place which is no public address ({kind})")))
        }
        _ => Ok(()),
    }
}

/// A connection to what was checked, so that no second look-up can answer otherwise.
async fn connect(host: &str, port: u16, private: bool) -> Result<TcpStream, Failure> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in resolve(host, port, private).await? {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(Failure::passing(format!("{host}: {last}")))
}

fn request(uri: &Uri, call: Call) -> Result<Request<Full<Bytes>>, Failure> {
    let odd = |_| Failure::lasting("the request cannot be written");
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let mut request = Request::builder().method(call.method).uri(target).header(HOST, authority);
    request = request.header(USER_AGENT, AGENT).header(CONTENT_LENGTH, call.body.len());
    for (name, value) in call.headers {
        // A value that could end its header is refused here.
        let mut value = HeaderValue::from_str(&value)
            .map_err(|_| Failure::lasting(format!("{name} has a value that no header can hold")))?;
        value.set_sensitive(name == http::header::AUTHORIZATION);
        request = request.header(name, value);
    }
    request.body(Full::new(call.body)).map_err(odd)
}

async fn exchange(stream: Box<dyn Stream>, request: Request<Full<Bytes>>) -> Result<(), Failure> {
    let broken = |error: hyper::Error| Failure::passing(format!("the connection broke: {error}"));
    let mut client = hyper::client::conn::http1::Builder::new();
    let (mut sender, connection) =
        client.max_buf_size(HEAD_MAX).handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let answering = sender.send_request(request);
    tokio::pin!(answering);
    let answer = tokio::select! {
        answer = &mut answering => answer,
        // An answer may be there although the connection ended.
        _ = connection => answering.await,
    };
    let answer = answer.map_err(broken)?;
    judged(answer.status(), answer.headers())
}

/// What a status means for the delivery. The body is never read: its end may never come, and it may say what users must not see.
fn judged(status: StatusCode, headers: &HeaderMap) -> Result<(), Failure> {
    let why = format!("the receiver answered {}", status.as_u16());
    let retry = match status.as_u16() {
        200..=299 => return Ok(()),
        300..=399 => return Err(Failure::lasting(format!("{why}: redirects are not followed"))),
        410 => Retry::Stopped,
        408 | 425 | 429 | 500..=599 => retry_after(headers).map_or(Retry::Later, Retry::After),
        _ => Retry::Never,
    };
    Err(Failure { retry, why })
}

/// Retry-After in seconds, or as a date; a date is measured against the answer's own, so that no clock of ours takes part.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let wish = text(RETRY_AFTER)?.trim();
    if let Ok(seconds) = wish.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = |text: &str| DateTime::parse_from_rfc2822(text.trim()).ok();
    (date(wish)? - date(text(DATE)?)?).to_std().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_judged() {
        let (stop, never, later) = (Some(Retry::Stopped), Some(Retry::Never), Some(Retry::Later));
        let after = |seconds| Some(Retry::After(Duration::from_secs(seconds)));
        let date = "Wed, 15 Jan 2025 09:00:00 GMT";
        let rows = [
            (200, "", None),
            (204, "", None),
            (301, "", never),
            (308, "", never),
            (400, "", never),
            (401, "", never),
            (404, "", never),
            (408, "", later),
            (410, "", stop),
            (429, "7", after(7)),
            (429, "", later),
            (500, "soon", later),
            (503, "Wed, 15 Jan 2025 09:02:00 GMT", after(120)),
            (503, "Wed, 15 Jan 2025 08:00:00 GMT", later),
            (503, "-1", later),
        ];
        for (status, wish, want) in rows {
            let mut headers = HeaderMap::new();
            headers.insert(DATE, HeaderValue::from_static(date));
            if !wish.is_empty() {
                headers.insert(RETRY_AFTER, HeaderValue::from_static(wish));
            }
            let got = judged(StatusCode::from_u16(status).expect("a status"), &headers).err().map(|f| f.retry);
            assert_eq!(got, want, "{status} {wish}");
        }
    }
}
