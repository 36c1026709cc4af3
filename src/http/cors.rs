//! Which web pages of other origins may use this service from a browser (Fetch standard, 3.2 CORS protocol). Pure: asked by `porch.rs`
//! around every route, DAV's and tickets' too.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD,
    HeaderMap, HeaderValue, ORIGIN, VARY,
};
use http::{Method, StatusCode};

use crate::domain::origin::Origin;
use crate::http::route;

/// What it may send. `Authorization` has to be named: no wildcard stands for it.
pub const HEADERS: &str = "Authorization, Content-Type, Accept, Depth, Destination, Overwrite, Prefer, Brief, Range, If, \
     If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since, If-Schedule-Tag-Match, Schedule-Reply, Idempotency-Key, Last-Event-ID, \
     Push-Dont-Notify, X-Requested-With, X-Http-Method-Override";

/// What it may read of an answer beside the few headers that every page may.
pub const EXPOSED: &str = "ETag, Schedule-Tag, Location, Retry-After, DAV, Allow, Preference-Applied, WWW-Authenticate, Link, \
     Content-Disposition, X-Request-Id, X-Sabre-Status";

/// Seconds for which a browser need not ask again. Chrome takes two hours at most, Firefox a day.
const MAX_AGE: &str = "86400";

/// The origins whose pages are welcome.
#[derive(Clone, Debug, Default)]
pub struct Cors {
    /// Any page, yet never with a session that its browser adds.
    any: bool,
    these: Vec<Origin>,
}

/// How a page is welcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Welcome {
    /// With what it brings itself: a token, a password, a ticket.
    Plain,
    /// With the session that a browser keeps for its user, too.
    Trusted,
}

impl Cors {
    pub fn new(any: bool, these: Vec<Origin>) -> Cors {
        Cors { any, these }
    }

    pub fn is_off(&self) -> bool {
        !self.any && self.these.is_empty()
    }

    fn welcome(&self, origin: &HeaderValue) -> Option<Welcome> {
        let parsed = origin.to_str().ok().and_then(Origin::parse);
        match parsed {
            Some(origin) if self.these.contains(&origin) => Some(Welcome::Trusted),
            // `null` is what sandboxed pages and files are called; it can be anybody.
            _ => self.any.then_some(Welcome::Plain),
        }
    }

    /// The answer to a browser that asks whether a page may do what it wants; `None` where this is no such question. Whatever was asked
    /// for, all that may be done is told, and the browser compares.
    pub fn preflight(&self, method: &Method, headers: &HeaderMap) -> Option<(StatusCode, HeaderMap)> {
        let asks = method == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        let origin = headers.get(ORIGIN).filter(|_| asks && !self.is_off())?;
        let mut answer = HeaderMap::new();
        let Some(welcome) = self.welcome(origin) else {
            vary(&mut answer);
            return Some((StatusCode::FORBIDDEN, answer));
        };
        admit(&mut answer, origin, welcome);
        if let Ok(methods) = HeaderValue::from_str(&route::METHODS.join(", ")) {
            answer.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
        }
        answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(HEADERS));
        answer.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
        Some((StatusCode::OK, answer))
    }

    /// Says on an answer who may read it. `vouched`: the request was let in by a session that the browser adds, so that only pages which are
    /// trusted by name may.
    pub fn dress(&self, origin: Option<&HeaderValue>, vouched: bool, answer: &mut HeaderMap) {
        if self.is_off() {
            return;
        }
        let welcome = origin.and_then(|origin| self.welcome(origin));
        match origin.zip(welcome) {
            Some((origin, welcome)) if welcome == Welcome::Trusted || !vouched => {
                admit(answer, origin, welcome);
                answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
            }
            _ => vary(answer),
        }
    }
}

fn admit(answer: &mut HeaderMap, origin: &HeaderValue, welcome: Welcome) {
    // Named rather than `*`, so that one form serves both kinds of welcome.
    answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    if welcome == Welcome::Trusted {
        answer.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
    vary(answer);
}

/// A cache must not hand one origin's answer to another.
fn vary(answer: &mut HeaderMap) {
    answer.append(VARY, HeaderValue::from_static("Origin"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(rows: &[(http::HeaderName, &'static str)]) -> HeaderMap {
        rows.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn pages_are_welcome_as_configured() {
        let page = Origin::parse("https://app.example").expect("an origin");
        let off = Cors::default();
        let any = Cors::new(true, Vec::new());
        let one = Cors::new(false, vec![page.clone()]);
        let both = Cors::new(true, vec![page]);
        let (app, evil) = ("https://app.example", "https://evil.example");
        // Allowed origin and credentials on an answer to a plain request, and to one with a session.
        let rows = [
            ("off", &off, app, None, None),
            ("any", &any, app, Some((app, false)), None),
            ("any", &any, "null", Some(("null", false)), None),
            ("one", &one, app, Some((app, true)), Some((app, true))),
            (
                "one",
                &one,
                "https://APP.example:443",
                Some(("https://APP.example:443", true)),
                Some(("https://APP.example:443", true)),
            ),
            ("one", &one, "http://app.example", None, None),
            ("one", &one, "https://app.example.evil.example", None, None),
            ("one", &one, "null", None, None),
            ("one", &one, evil, None, None),
            ("both", &both, evil, Some((evil, false)), None),
            ("both", &both, app, Some((app, true)), Some((app, true))),
        ];
        for (what, cors, origin, plain, vouched) in rows {
            let value = HeaderValue::from_static(origin);
            for (session, want) in [(false, plain), (true, vouched)] {
                let mut answer = HeaderMap::new();
                cors.dress(Some(&value), session, &mut answer);
                let allowed = answer.get(ACCESS_CONTROL_ALLOW_ORIGIN).map(|value| value.to_str().expect("text"));
                let credentials = answer.contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS);
                assert_eq!(allowed.map(|origin| (origin, credentials)), want, "{what} {origin} {session}");
                assert_eq!(answer.contains_key(VARY), !cors.is_off(), "{what}");
                assert_eq!(answer.contains_key(ACCESS_CONTROL_EXPOSE_HEADERS), want.is_some(), "{what}");
            }
            let asks = headers(&[(ORIGIN, origin), (ACCESS_CONTROL_REQUEST_METHOD, "REPORT")]);
            let status = cors.preflight(&Method::OPTIONS, &asks).map(|(status, _)| status.as_u16());
            let want = if cors.is_off() {
                None
            } else if plain.is_some() {
                Some(200)
            } else {
                Some(403)
            };
            assert_eq!(status, want, "{what} {origin}");
        }
        let mut answer = HeaderMap::new();
        any.dress(None, false, &mut answer);
        assert_eq!(
            answer.get(VARY).map(HeaderValue::as_bytes),
            Some(&b"Origin"[..]),
            "a cache learns it from every answer"
        );
        // No question: another method, no origin, or nothing that is wanted.
        for (method, asks) in [
            (Method::GET, headers(&[(ORIGIN, app), (ACCESS_CONTROL_REQUEST_METHOD, "GET")])),
            (Method::OPTIONS, headers(&[(ACCESS_CONTROL_REQUEST_METHOD, "GET")])),
            (Method::OPTIONS, headers(&[(ORIGIN, app)])),
        ] {
            assert!(any.preflight(&method, &asks).is_none(), "{method} {asks:?}");
        }
    }

    #[test]
    fn the_lists_are_made_of_headers() {
        for list in [HEADERS, EXPOSED] {
            let names: Vec<&str> = list.split(", ").collect();
            assert!(names.iter().all(|name| http::HeaderName::try_from(*name).is_ok()), "{list}");
            let mut once = names.clone();
            once.sort_unstable();
            once.dedup();
            assert_eq!(once.len(), names.len(), "{list}");
        }
    }
}
