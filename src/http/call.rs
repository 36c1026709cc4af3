//! What every handler wants of a request, as one value; and percent-encoding: undone once, after the path is split, and done segment by
//! segment.

use std::net::{IpAddr, Ipv4Addr};

use http::{HeaderMap, Method};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use warp::Filter;

use crate::domain::address::Address;
use crate::http::accept::Peer;
use crate::http::proxy::Vouch;

/// A request without its body.
#[derive(Clone, Debug)]
pub struct Call {
    pub method: Method,
    /// As it came: still percent-encoded.
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    pub peer: IpAddr,
    /// Who a trusted proxy says is calling.
    pub vouch: Option<Vouch>,
}

impl Call {
    /// The first value of a query parameter, decoded. Only the first counts, even where it cannot be read.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let plain = |text: &str| decoded(&text.replace('+', " "));
        let pairs = self.query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let (_, value) = pairs.into_iter().find(|(key, _)| plain(key).as_deref() == Some(name))?;
        plain(value)
    }

    /// A header's text, if it is there once and plain.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// A path segment or query part, decoded. `None` where the bytes are not UTF-8.
///
/// ```
/// use campanile::http::call::decoded;
/// assert_eq!(decoded("a%40b").as_deref(), Some("a@b"));
/// assert_eq!(decoded("%ff"), None);
/// ```
pub fn decoded(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(|text| text.into_owned())
}

/// What must be encoded in a segment: all but RFC 3986 `pchar`. Clients compare hrefs as text, and `@` is mostly sent bare.
pub const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// The path of a collection, or of an object in it, as it goes on the wire.
///
/// ```
/// use campanile::domain::address::Address;
/// use campanile::http::call::href;
/// let address = Address::parse("/calendars/alice@example.org/at home").unwrap();
/// assert_eq!(href(&address, Some("a/b.ics")), "/calendars/alice@example.org/at%20home/a%2Fb.ics");
/// ```
pub fn href(address: &Address, object: Option<&str>) -> String {
    let mut href = format!("/{}", address.kind().root());
    for segment in [address.user().as_str(), address.name()].into_iter().chain(object) {
        href.push('/');
        href.extend(utf8_percent_encode(segment, SEGMENT));
    }
    href
}

/// Takes the call out of any request.
pub fn call() -> impl Filter<Extract = (Call,), Error = std::convert::Infallible> + Clone {
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    let (peer, vouch) = (warp::ext::optional::<Peer>(), warp::ext::optional::<Vouch>());
    warp::method().and(warp::path::full()).and(query).and(warp::header::headers_cloned()).and(peer).and(vouch).map(
        |method, path: warp::path::FullPath, query, headers, peer: Option<Peer>, vouch| Call {
            method,
            path: path.as_str().to_owned(),
            query,
            headers,
            peer: peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |Peer(peer)| peer.ip()),
            vouch,
        },
    )
}
