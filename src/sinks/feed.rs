//! Fetches a feed over HTTP: asks whether anything is new, follows few redirects, each guarded anew, and hands the bytes on as they come. Keeps nothing.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HOST, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    LAST_MODIFIED, LOCATION, USER_AGENT,
};
use http::{HeaderMap, HeaderName, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;

use crate::domain::feed::fetchable;
use crate::service::fetching::{Answer, Errand, Fetch, Haul};
use crate::sinks::http::{AGENT, Caller, HEAD_MAX, place, resolve};
use crate::system::pace;

/// Bytes of an ETag or a date that are kept for the next time; a longer one is as good as none.
const MARK_MAX: usize = 512;
const WANTED: &str = "text/calendar, text/vcard;q=0.9, text/x-vcard;q=0.9, */*;q=0.1";

/// Speaks HTTP/1.1 for feeds.
pub struct Fetcher {
    caller: Caller,
    patience: Duration,
    redirects_max: usize,
}

/// Where one request led.
enum Way {
    Done(Answer),
    On(String),
}

impl Fetcher {
    /// `patience` is for one fetch in all, whatever it is led through.
    pub fn new(caller: Caller, patience: Duration, redirects_max: usize) -> Fetcher {
        Fetcher { caller, patience, redirects_max }
    }

    async fn go(&self, errand: &Errand, haul: &mut Haul<'_>) -> Result<Answer, String> {
        let mut url = errand.url.clone();
        for _ in 0..=self.redirects_max {
            match self.ask(&url, errand, haul).await? {
                Way::Done(answer) => return Ok(answer),
                Way::On(to) if url.starts_with("https:") && !to.starts_with("https:") => {
                    return Err("it redirects from https to http".to_owned());
                }
                Way::On(to) => url = to,
            }
        }
        Err(format!("it redirects more than {} times", self.redirects_max))
    }

    async fn ask(&self, url: &str, errand: &Errand, haul: &mut Haul<'_>) -> Result<Way, String> {
        let uri: Uri = url.parse().map_err(|_| "the url cannot be read".to_owned())?;
        let stream = self.caller.open(&uri, errand.private).await.map_err(|failure| failure.why)?;
        let broken = |error: hyper::Error| format!("the connection broke: {error}");
        let mut client = hyper::client::conn::http1::Builder::new();
        let (mut sender, connection) =
            client.max_buf_size(HEAD_MAX).handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let request = request(&uri, errand)?;
        let asks = errand.etag.is_some() || errand.modified.is_some();
        let exchange = async {
            let answer = sender.send_request(request).await.map_err(broken)?;
            let (status, headers) = (answer.status(), answer.headers().clone());
            match status {
                StatusCode::OK => {}
                StatusCode::NOT_MODIFIED if asks => return Ok(Way::Done(Answer { same: true, ..Answer::default() })),
                status if status.is_redirection() && headers.contains_key(LOCATION) => {
                    let to = text(&headers, LOCATION).ok_or("it redirects to something that cannot be read")?;
                    return Ok(Way::On(fetchable(&joined(&uri, to)).map_err(|why| format!("its redirect: {why}"))?));
                }
                status => return Err(format!("the server answered {}", status.as_u16())),
            }
            let packing = text(&headers, CONTENT_ENCODING).unwrap_or("identity").trim().to_ascii_lowercase();
            if !matches!(packing.as_str(), "" | "identity" | "gzip" | "x-gzip") {
                return Err(format!("it is packed with {packing:?}, which was not asked for"));
            }
            let mut body = answer.into_body();
            while let Some(frame) = body.frame().await {
                if let Ok(piece) = frame.map_err(broken)?.into_data() {
                    haul.write(&piece).await?;
                }
            }
            let mark = |name| text(&headers, name).filter(|mark| mark.len() <= MARK_MAX).map(str::to_owned);
            let charset = text(&headers, CONTENT_TYPE).and_then(charset);
            Ok(Way::Done(Answer { same: false, etag: mark(ETAG), modified: mark(LAST_MODIFIED), charset }))
        };
        tokio::pin!(exchange);
        tokio::select! {
            way = &mut exchange => way,
            // All of the answer may be there although the connection ended.
            _ = connection => exchange.await,
        }
    }
}

impl Fetch for Fetcher {
    fn check<'a>(&'a self, url: &'a str, private: bool) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let uri: Uri = url.parse().map_err(|_| "the url cannot be read".to_owned())?;
            let (host, port) = place(&uri);
            let found = pace::within(self.patience, resolve(&host, port, private)).await;
            found.ok_or("its name is not found in time")?.map(drop).map_err(|failure| failure.why)
        })
    }

    fn fetch<'a>(&'a self, errand: &'a Errand, into: &'a mut Haul<'_>) -> BoxFuture<'a, Result<Answer, String>> {
        Box::pin(async move {
            let fetched = pace::within(self.patience, self.go(errand, into)).await;
            fetched.unwrap_or_else(|| Err(format!("it did not come within {} seconds", self.patience.as_secs())))
        })
    }
}

fn request(uri: &Uri, errand: &Errand) -> Result<Request<Empty<Bytes>>, String> {
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let mut request = Request::get(if target.is_empty() { "/" } else { target })
        .header(HOST, authority)
        .header(USER_AGENT, AGENT)
        .header(ACCEPT, WANTED)
        .header(ACCEPT_ENCODING, "gzip");
    // RFC 9110 13.1.3: the date counts for nothing beside a tag.
    match (&errand.etag, &errand.modified) {
        (Some(etag), _) => request = request.header(IF_NONE_MATCH, etag),
        (None, Some(modified)) => request = request.header(IF_MODIFIED_SINCE, modified),
        (None, None) => {}
    }
    request.body(Empty::new()).map_err(|_| "the request cannot be written".to_owned())
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// The `charset` of a media type.
fn charset(media: &str) -> Option<String> {
    let named = media.split(';').skip(1).filter_map(|param| param.split_once('='));
    let mut found = named.filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    found.next().map(|(_, value)| value.trim().trim_matches('"').to_owned()).filter(|value| value.len() <= 64)
}

/// A redirect as a whole URL: RFC 3986 5.2, without the dots, which servers undo themselves.
fn joined(from: &Uri, to: &str) -> String {
    let scheme = from.scheme_str().unwrap_or("https");
    let authority = from.authority().map_or("", |authority| authority.as_str());
    let path = from.path();
    match to {
        to if to.split(['/', '?']).next().is_some_and(|start| start.contains(':')) => to.to_owned(),
        to if to.starts_with("//") => format!("{scheme}:{to}"),
        to if to.starts_with('/') => format!("{scheme}://{authority}{to}"),
        to if to.starts_with('?') => format!("{scheme}://{authority}{path}{to}"),
        to => {
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{scheme}://{authority}{folder}/{to}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_become_whole_urls() {
        let from: Uri = "http://example.org:81/a/b?c".parse().expect("a url");
        let rows = [
            ("https://other.example/x", "https://other.example/x"),
            ("file:///etc/passwd", "file:///etc/passwd"),
            ("gopher:x", "gopher:x"),
            ("//other.example/x", "http://other.example/x"),
            ("/x?y", "http://example.org:81/x?y"),
            ("?y", "http://example.org:81/a/b?y"),
            ("x", "http://example.org:81/a/x"),
            ("/x?u=http://a/", "http://example.org:81/x?u=http://a/"),
        ];
        for (to, want) in rows {
            assert_eq!(joined(&from, to), want, "{to}");
        }
        assert_eq!(charset("text/calendar; charset=\"ISO-8859-1\""), Some("ISO-8859-1".to_owned()));
        assert_eq!(charset("text/calendar"), None);
    }
}
