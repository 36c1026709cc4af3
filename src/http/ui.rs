//! The page that a browser sees at `/`: what this is and where its doors are. Holds nothing of anybody's.

use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, Method};
use warp::reply::Response;

use crate::http::call::Call;

const PAGE: &str = include_str!("../../data/console/index.html");

/// Nothing is loaded and nothing runs; the one style is known by its hash.
const POLICY: &str = "default-src 'none'; style-src 'sha256-YZtV2b2wDBPXSCtb0xY4LMleiuiu8Q7GFM6uq2NAK10='; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// Whether a browser wants to look at `/`. Every other request for it is a calendar app's, which must find DAV there.
pub fn wanted(call: &Call) -> bool {
    let reads = call.method == Method::GET || call.method == Method::HEAD;
    let html = |accept: &str| accept.to_ascii_lowercase().split(',').any(|media| essence(media) == "text/html");
    reads && call.path == "/" && call.header("accept").is_some_and(html)
}

fn essence(media: &str) -> &str {
    media.split(';').next().unwrap_or_default().trim()
}

pub fn page(call: &Call) -> Response {
    let head = call.method == Method::HEAD;
    let mut response = Response::new(if head { "" } else { PAGE }.into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // The same address answers apps otherwise.
    headers.insert(VARY, HeaderValue::from_static("Accept"));
    response
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn the_policy_knows_the_style_of_the_page() {
        let style = PAGE.split_once("<style>").expect("a style").1.split_once("</style>").expect("its end").0;
        let hash = STANDARD.encode(Sha256::digest(style.as_bytes()));
        assert!(POLICY.contains(&format!("'sha256-{hash}'")), "{hash}");
        assert!(!PAGE.contains("style=") && !PAGE.contains("<script"));
    }
}
