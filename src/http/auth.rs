//! Who is calling: out of the `Authorization` header or the `ticket` parameter. Checking it is the service's business.

use headers::authorization::{Basic, Bearer, Credentials as Scheme};
use http::header::AUTHORIZATION;

use crate::domain::principal::Principal;
use crate::domain::refusal::Refusal;
use crate::http::call::Call;
use crate::service::Service;
use crate::service::login::Credentials;

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

/// The person behind a request.
pub async fn caller(service: &Service, call: &Call) -> Result<Principal, Refusal> {
    service.authenticate(&credentials(call), call.peer).await
}
