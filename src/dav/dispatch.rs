//! The door of this face: who calls, which place, which method, and the handler that answers. Performs nothing itself.

use std::sync::Arc;

use bytes::{Buf, Bytes};
use futures_util::Stream;
use http::header::{CONTENT_ENCODING, LOCATION};
use http::{HeaderValue, StatusCode};
use warp::reply::Response;

use crate::dav::fault::{self, Fault};
use crate::dav::methods;
use crate::dav::path::{self, Path, PathFault, Place};
use crate::dav::reader::XML_MAX;
use crate::dav::request::Request;
use crate::dav::{acl, collections, creation, moving, objects, outbox, propfind, proppatch, report, sharing};
use crate::domain::address::Kind;
use crate::domain::refusal::Refusal;
use crate::http::auth;
use crate::http::body;
use crate::http::call::Call;
use crate::http::problem;
use crate::http::ui;
use crate::service::Service;

/// Answers any request for `/`, `/principals/…`, `/calendars/…`, `/addressbooks/…` and `/.well-known/caldav|carddav`, below `/dav` too.
/// The body is always read to its end or up to a bound, so that the connection can carry the next request.
pub async fn answer<B: Buf>(
    house: Arc<Service>,
    call: Call,
    stream: impl Stream<Item = Result<B, warp::Error>>,
) -> Response {
    if let Some(root) = path::well_known(&call.path) {
        body::drain(&call, stream).await;
        let mut response = problem::empty(StatusCode::MOVED_PERMANENTLY);
        response.headers_mut().insert(LOCATION, HeaderValue::from_static(root));
        return response;
    }
    // A browser gets a page to read; whatever asks for no HTML finds DAV here.
    if ui::wanted(&call) {
        body::drain(&call, stream).await;
        return ui::page(&call);
    }
    let tells_classes = matches!(call.method.as_str(), "OPTIONS" | "PROPFIND");
    let path = Path::parse(&call.path);
    let known = path.clone().ok();
    let outcome = admitted(house, call, path, stream).await;
    let mut response = outcome.unwrap_or_else(|fault| fault::response(&fault, known.as_ref()));
    if tells_classes {
        response.headers_mut().insert(methods::DAV, HeaderValue::from_static(methods::CLASSES));
    }
    response
}

async fn admitted<B: Buf>(
    house: Arc<Service>,
    call: Call,
    path: Result<Path, PathFault>,
    stream: impl Stream<Item = Result<B, warp::Error>>,
) -> Result<Response, Fault> {
    // Who calls comes first: strangers learn nothing, not even which paths make sense.
    let caller = match auth::caller(&house, &call).await {
        Ok(caller) => caller,
        Err(refusal) => {
            body::drain(&call, stream).await;
            return Err(refusal.into());
        }
    };
    let body = read(&house, &call, stream).await?;
    let path = path.map_err(|fault| match fault {
        PathFault::Malformed(text) => Fault::Malformed(text.to_owned()),
        // RFC 4918 9.3.1 and 9.7.1: there is no parent that could hold it.
        PathFault::Unknown if matches!(call.method.as_str(), "PUT" | "MKCOL" | "MKCALENDAR") => Fault::NoParent,
        PathFault::Unknown => Fault::Refused(Refusal::NotFound),
    })?;
    handled(&Request::new(house, caller, body, call, path)).await
}

async fn handled(request: &Request) -> Result<Response, Fault> {
    match (request.method(), request.place()) {
        ("OPTIONS", place) => Ok(methods::options(place)),
        ("PROPFIND", _) => propfind::answer(request).await,
        ("REPORT", _) => report::answer(request).await,
        ("PROPPATCH", _) => proppatch::answer(request).await,
        ("MKCALENDAR", _) => creation::calendar(request).await,
        ("MKCOL", _) => creation::collection(request).await,
        ("COPY", _) => moving::copy(request).await,
        ("MOVE", _) => moving::relocate(request).await,
        ("ACL", _) => acl::answer(request).await,
        ("POST", Place::Collection(at)) if at.is_outbox() => outbox::post(request, at).await,
        ("POST", Place::Collection(at)) if !at.is_mailbox() && objects::adds(request.headers(), at.kind()) => {
            objects::add(request, at).await
        }
        ("POST", Place::Collection(at)) if !at.is_mailbox() => sharing::collection(request, at).await,
        ("POST", Place::Home(kind, whose)) => sharing::home(request, *kind, whose).await,
        ("GET", Place::Notification(whose, id)) => sharing::notifications::get(request, whose, id, false).await,
        ("HEAD", Place::Notification(whose, id)) => sharing::notifications::get(request, whose, id, true).await,
        ("DELETE", Place::Notification(whose, id)) => sharing::notifications::delete(request, whose, id).await,
        ("GET", Place::Object(at)) => objects::get(request, at, false).await,
        ("HEAD", Place::Object(at)) => objects::get(request, at, true).await,
        ("PUT", Place::Object(at)) => objects::put(request, at).await,
        ("DELETE", Place::Object(at)) => objects::delete(request, at).await,
        ("DELETE", Place::Collection(at)) => collections::delete(request, at).await,
        ("GET", Place::Collection(at)) => collections::get(request, at, false).await,
        ("HEAD", Place::Collection(at)) => collections::get(request, at, true).await,
        (method, _) => Err(methods::refused(method)),
    }
}

/// The body, within the bound of its method: an object's, or that of XML.
async fn read<B: Buf>(
    house: &Service,
    call: &Call,
    stream: impl Stream<Item = Result<B, warp::Error>>,
) -> Result<Bytes, Fault> {
    let puts = call.method == http::Method::PUT
        || call.method == http::Method::POST
            && [Kind::Calendar, Kind::AddressBook].into_iter().any(|kind| objects::adds(&call.headers, kind));
    let limit = if puts { house.settings().limits.object_bytes } else { XML_MAX };
    let read = body::collect(stream, limit).await;
    let coded =
        call.headers.get(CONTENT_ENCODING).is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"));
    match read {
        // Nothing is unpacked here, so no small body can become a large one.
        Ok(_) if coded => Err(Fault::UnsupportedMedia("a body must come without Content-Encoding".to_owned())),
        Ok(body) => Ok(body),
        Err(Refusal::TooLarge { .. }) if !puts => Err(Fault::TooMuchXml),
        // It broke off or did not come: that says nothing about the object.
        Err(Refusal::Invalid(why)) => Err(Fault::Malformed(why.to_string())),
        Err(refusal) => Err(refusal.into()),
    }
}
