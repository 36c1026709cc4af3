//! Who is calling: out of what a trusted proxy says, the `Authorization` header or the `ticket` parameter. Checking it is the service's
//! business.

use headers::authorization::{Basic, Bearer, Credentials as Scheme};
use http::header::AUTHORIZATION;

use crate::domain::device::Purpose;
use crate::domain::principal::Principal;
use crate::domain::refusal::Refusal;
use crate::http::call::Call;
use crate::http::proxy::Vouch;
use crate::service::Service;
use crate::service::login::{Credentials, SignedIn};

/// What a 401 asks for. RFC 7617 section 2.1.
pub const CHALLENGE: &str = r#"Basic realm="Campanile", charset="UTF-8""#;

/// The credentials that a request carries. A header wins over a ticket; two headers, or one that cannot be read, prove nothing.
pub fn credentials(call: &Call) -> Credentials {
    let mut values = call.headers.get_all(AUTHORIZATION).iter();
    match (values.next(), values.next()) {
        (None, _) => call.parameter("ticket").map_or(Credentials::None, Credentials::Ticket),
        (Some(value), None) => of_header(value.to_str().unwrap_or_default()),
        _ => Credentials::None,
    }
}

/// What the text of an `Authorization` header proves; one that cannot be read proves nothing.
pub fn of_header(text: &str) -> Credentials {
    // The scheme's name has no case, the reader of headers wants it so.
    let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
    let spelled = |name: &str| http::HeaderValue::from_str(&format!("{name} {}", rest.trim())).ok();
    if scheme.eq_ignore_ascii_case("basic") {
        let basic = spelled("Basic").and_then(|value| Basic::decode(&value));
        basic.map_or(Credentials::None, |basic| Credentials::Basic {
            login: basic.username().to_owned(),
            password: basic.password().to_owned(),
        })
    } else if scheme.eq_ignore_ascii_case("bearer") {
        let bearer = spelled("Bearer").and_then(|value| Bearer::decode(&value));
        bearer.map_or(Credentials::None, |bearer| Credentials::Bearer(bearer.token().to_owned()))
    } else {
        Credentials::None
    }
}

/// The person behind a request. What a trusted proxy says wins over what the request itself brings. An app password that is not for such
/// requests is refused as a right that is missing.
pub async fn caller(service: &Service, call: &Call) -> Result<Principal, Refusal> {
    signed_in(service, call, purpose(call)).await.map(|signed_in| signed_in.principal)
}

/// The person behind a request that is made for this purpose, and their device.
pub async fn signed_in(service: &Service, call: &Call, purpose: Purpose) -> Result<SignedIn, Refusal> {
    let signed_in = match &call.vouch {
        Some(Vouch::For(login)) => service.vouched(login).await?.into(),
        Some(Vouch::Unclear) => return Err(Refusal::Unauthenticated),
        Some(Vouch::Foreign) => return Err(Refusal::Forbidden),
        None => service.sign_in(&credentials(call), call.peer).await?,
    };
    signed_in.clone().allowed(purpose)?;
    Ok(signed_in)
}

/// The person behind a request for a socket, where its head tells: by a trusted proxy, an `Authorization` header or a ticket. `None` where it
/// says nothing; then the dialect asks in its own way. The Side socket does not ask here: only a ticket opens it.
///
/// Hand the device on to `Handshake::for_device`, so that the socket closes when its app password is taken back.
pub async fn upgrader(service: &Service, call: &Call) -> Result<Option<SignedIn>, Refusal> {
    let silent =
        call.vouch.is_none() && !call.headers.contains_key(AUTHORIZATION) && call.parameter("ticket").is_none();
    if silent {
        return Ok(None);
    }
    signed_in(service, call, Purpose::Push).await.map(Some)
}

/// The names of Airy's API, which stand at the root; the last of them writes.
const AIRY: [&str; 5] =
    ["/conversations.list", "/conversations.info", "/messages.list", "/channels.list", "/conversations.mark-read"];

/// Questions that are asked by POST.
const ASKED: [&str; 6] = [
    "/query.json",
    "/dav/query.json",
    "/calendars/freebusy",
    "/dav/calendars/freebusy",
    "/api/people/search",
    "/api/configurations",
];

/// Behind these lie the keys of accounts.
const KEYS: [&str; 3] = ["/api/app-passwords", "/api/tokens", "/api/users"];

/// What a request is about, as far as the scopes of app passwords tell it apart.
fn purpose(call: &Call) -> Purpose {
    let path = call.path.as_str();
    let asks = call.method == http::Method::POST && ASKED.contains(&path);
    let reads = asks || matches!(call.method.as_str(), "GET" | "HEAD" | "OPTIONS" | "PROPFIND" | "REPORT");
    let below = |root: &str| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if KEYS.iter().any(|root| below(root)) {
        Purpose::Keys
    } else if AIRY.contains(&path) {
        Purpose::Api { reads: !path.ends_with("mark-read") }
    } else if below("/ws") || below("/events") {
        Purpose::Push
    } else if below("/api") {
        Purpose::Api { reads }
    } else {
        Purpose::Dav { reads }
    }
}
