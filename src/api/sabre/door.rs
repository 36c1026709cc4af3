//! The door of this face: which requests are meant for it, who calls, and the handler that answers. Performs nothing itself.

use bytes::{Buf, Bytes};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, Stream};
use warp::reply::Response;

use crate::api::House;
use crate::api::sabre::place::{self, Place};
use crate::api::sabre::wrong::Wrong;
use crate::api::sabre::{
    Ask, acl, books, busy, calendars, cards, creation, events, itip, objects, properties, report, share,
};
use crate::domain::address::Kind;
use crate::domain::refusal::Refusal;
use crate::http::auth;
use crate::http::body;
use crate::http::call::Call;

/// A JSON body larger than this is answered 413. Of an object it may be larger: `PUT_TIMES`.
const BODY_MAX: u64 = 1_048_576;
/// An object is longer in JSON than in text; it is read up to so many times `limits.object_bytes`, and its text must fit that.
const PUT_TIMES: u64 = 2;

/// The media types that ask for JSON. One of them among others is enough, whatever its weight.
const JSON: [&str; 3] = ["application/json", "application/calendar+json", "application/vcard+json"];

/// Whether a request's body has to be looked into to know whose it is: `PUT` of jCal comes as `text/calendar`.
pub fn asks_for_a_look(call: &Call) -> bool {
    call.method == http::Method::PUT && place::place(&call.path, false).is_some_and(|at| matches!(at, Place::Object(_)))
}

/// Whether a request is meant for this face. `first` is the first byte of its body that is no blank, where that was looked at.
pub fn wanted(call: &Call, first: Option<u8>) -> bool {
    let method = call.method.as_str();
    let overridden = method == "POST" && call.header("x-http-method-override").is_some_and(|name| name == "ITIP");
    let Some(at) = place::place(&call.path, method == "POST") else { return false };
    let media = call.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let media = media.to_ascii_lowercase();
    let (is_json, is_xml) = (JSON.contains(&media.as_str()), media.ends_with("xml"));
    let accepts = accepts_json(call);
    let spelled = place::stripped(&call.path).is_some() || matches!(at, Place::Query | Place::FreeBusy | Place::Itip);
    match method {
        "ITIP" => true,
        "GET" | "HEAD" => accepts || (spelled && call.parameter("export").is_none() && !matches!(at, Place::Object(_))),
        // Browsers send a text without a type of its own as `text/plain`.
        "REPORT" | "PROPPATCH" | "ACL" => !is_xml && (is_json || accepts || spelled || media == "text/plain"),
        "POST" => overridden || (!is_xml && media != "text/calendar" && (is_json || accepts || spelled)),
        "PUT" => matches!(at, Place::Object(_)) && (is_json || first == Some(b'[')),
        _ => false,
    }
}

/// What DAV is to read instead of a path that ends in `.json`: web apps delete and export so what they were shown.
pub fn for_dav(call: &Call) -> Option<String> {
    let plain = matches!(call.method.as_str(), "GET" | "HEAD" | "PUT" | "DELETE" | "MOVE" | "COPY");
    plain.then(|| place::stripped(&call.path)).flatten()
}

/// Whether one of the JSON types is named in `Accept`.
pub fn accepts_json(call: &Call) -> bool {
    call.headers.get_all(http::header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).any(|accept| {
        let essence = |media: &str| media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        accept.split(',').any(|media| JSON.contains(&essence(media).as_str()))
    })
}

/// Answers what is meant for this face. The body is always read to its end or up to a bound.
pub async fn answer<B: Buf>(house: House, call: Call, stream: impl Stream<Item = Result<B, warp::Error>>) -> Response {
    let outcome = admitted(house, call, stream).await;
    outcome.unwrap_or_else(|wrong| wrong.response())
}

async fn admitted<B: Buf>(
    house: House,
    call: Call,
    stream: impl Stream<Item = Result<B, warp::Error>>,
) -> Result<Response, Wrong> {
    let caller = match auth::caller(&house, &call).await {
        Ok(caller) => caller,
        Err(refusal) => {
            body::drain(&call, stream).await;
            return Err(refusal.into());
        }
    };
    let puts = call.method == http::Method::PUT;
    let limit = if puts { house.settings().limits.object_bytes.saturating_mul(PUT_TIMES) } else { BODY_MAX };
    let body: Bytes = body::collect(stream, limit).await?;
    let posts = call.method == http::Method::POST;
    let place = place::place(&call.path, posts).ok_or(Refusal::NotFound)?;
    let place = place::settled(&house, &caller, place).await?;
    handled(Ask { house, caller, call, body, place }).await
}

/// Boxed: what handlers hold while they wait is nobody else's business.
fn handled(ask: Ask) -> BoxFuture<'static, Result<Response, Wrong>> {
    async move { chosen(&ask).await }.boxed()
}

async fn chosen(ask: &Ask) -> Result<Response, Wrong> {
    let method = ask.call.method.as_str();
    let itip = method == "ITIP" || ask.call.header("x-http-method-override").is_some_and(|name| name == "ITIP");
    match (method, &ask.place) {
        ("ITIP" | "POST", _) if itip => itip::answer(ask).await,
        ("POST", Place::Itip) => itip::answer(ask).await,
        ("POST", Place::Query) => events::across(ask).await,
        ("POST", Place::FreeBusy) => busy::of_people(ask).await,
        ("POST", Place::Home(Kind::Calendar, user)) => creation::calendar(ask, user).await,
        ("POST", Place::Home(Kind::AddressBook, user)) => creation::book(ask, user).await,
        ("POST", Place::Collection(at)) => share::answer(ask, at).await,
        ("GET" | "HEAD", Place::Home(Kind::Calendar, user)) => calendars::list(ask, user).await,
        ("GET" | "HEAD", Place::Home(Kind::AddressBook, user)) => books::list(ask, user).await,
        ("GET" | "HEAD", Place::Collection(at)) if at.kind() == Kind::Calendar => calendars::show(ask, at).await,
        ("GET" | "HEAD", Place::Collection(at)) => cards::list(ask, at).await,
        ("GET" | "HEAD", Place::Object(at)) => objects::get(ask, at).await,
        ("PUT", Place::Object(at)) => objects::put(ask, at).await,
        ("REPORT", _) => report::answer(ask).await,
        ("PROPPATCH", Place::Collection(at)) => properties::answer(ask, at).await,
        ("ACL", Place::Collection(at)) => acl::answer(ask, at).await,
        (method, _) => Err(Wrong::NotAllowed(format!("{method} has no JSON here"))),
    }
}
