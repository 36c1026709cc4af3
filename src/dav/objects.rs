//! Objects one at a time: read, written, deleted. What they say is the service's business.

use http::StatusCode;
use http::header::{
    CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderMap,
    HeaderName, HeaderValue, LAST_MODIFIED, LOCATION, X_CONTENT_TYPE_OPTIONS,
};
use warp::reply::Response;

use crate::dav::fault::{self, Fault};
use crate::dav::headers;
use crate::dav::multistatus::PREFERENCE_APPLIED;
use crate::dav::path::Place;
use crate::dav::request::Request;
use crate::dav::values;
use crate::domain::address::{Address, Kind, ObjectAddress};
use crate::domain::object::{Body, Precondition, Record};
use crate::domain::refusal::Refusal;
use crate::http::conditions;
use crate::http::problem;
use crate::service::objects::Written;

/// RFC 6638 8.2.
const SCHEDULE_TAG: HeaderName = HeaderName::from_static("schedule-tag");

/// The bytes as they were sent, for GET; for HEAD all but them.
pub async fn get(request: &Request, at: &ObjectAddress, head: bool) -> Result<Response, Fault> {
    let mut wanted = request.precondition()?;
    let found = request.house.object(&request.caller, at).await?;
    // RFC 9110 13.2.2: If-Match first, and only If-None-Match and If-Modified-Since make a 304.
    let known = Precondition { if_none_match: wanted.if_none_match.take(), ..Precondition::default() };
    let record = &found.record;
    if !wanted.allows(Some(record)) {
        return Err(Refusal::Precondition.into());
    }
    let rests = conditions::modified_since(request.headers())
        .is_some_and(|since| record.modified.timestamp() <= since.timestamp());
    let fresh = rests || !known.allows(Some(record));
    let mut response = match (fresh, head) {
        (true, _) => problem::empty(StatusCode::NOT_MODIFIED),
        (false, true) => problem::empty(StatusCode::OK),
        (false, false) => Response::new(found.bytes.clone().into()),
    };
    describe(response.headers_mut(), record);
    if !fresh {
        contain(response.headers_mut(), record);
    }
    Ok(response)
}

pub async fn put(request: &Request, at: &ObjectAddress) -> Result<Response, Fault> {
    headers::check_media(request.headers(), at.collection().kind())?;
    // RFC 9110 14.5: to store a part as the whole would be wrong.
    if request.headers().contains_key(CONTENT_RANGE) {
        return Err(Fault::Malformed("an object is sent whole, without Content-Range".to_owned()));
    }
    let condition = request.precondition()?;
    let outcome = request.house.put(&request.caller, at, request.body.clone(), condition).await;
    let wants_it = headers::representation(request.headers());
    let written = match outcome {
        Ok(written) => written,
        // RFC 4918 9.7.1: what is missing is not the object.
        Err(Refusal::NotFound) => return Err(Fault::NoParent),
        // RFC 8144 3.2: whoever came too late gets what stands there.
        Err(Refusal::Precondition) if wants_it => {
            let refused = fault::response(&Refusal::Precondition.into(), None);
            return Ok(match request.house.object(&request.caller, at).await {
                Ok(found) => represent(StatusCode::PRECONDITION_FAILED, request, found),
                Err(_) => refused,
            });
        }
        Err(refusal) => return Err(refusal.into()),
    };
    let status = if written.created { StatusCode::CREATED } else { StatusCode::NO_CONTENT };
    if wants_it && let Ok(found) = request.house.object(&request.caller, at).await {
        let status = if written.created { StatusCode::CREATED } else { StatusCode::OK };
        return Ok(represent(status, request, found));
    }
    Ok(wrote(status, &written))
}

/// Whether a POST to a collection brings a member of it; with another type it asks for something else. RFC 5995 3.2.
pub fn adds(headers: &HeaderMap, kind: Kind) -> bool {
    headers::media(headers).is_some_and(|media| headers::media_of(kind).contains(&media.as_str()))
}

/// Stores an object under a name that the service chooses, and says it in `Location`. What holds of a PUT holds here.
pub async fn add(request: &Request, to: &Address) -> Result<Response, Fault> {
    headers::check_media(request.headers(), to.kind())?;
    // There is nothing yet whose tag could match.
    if !request.precondition()?.allows_untagged() {
        return Err(Refusal::Precondition.into());
    }
    let (at, written) = request.house.add(&request.caller, to, request.body.clone()).await?;
    let mut response = wrote(StatusCode::CREATED, &written);
    put_tag(response.headers_mut(), LOCATION, &request.hrefs().of(&Place::Object(at)));
    Ok(response)
}

pub async fn delete(request: &Request, at: &ObjectAddress) -> Result<Response, Fault> {
    // RFC 6638 8.1.
    let quiet =
        request.headers().get("schedule-reply").is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"F"));
    request.house.discard(&request.caller, at, request.precondition()?, !quiet).await?;
    Ok(problem::empty(StatusCode::NO_CONTENT))
}

/// What a write answers. RFC 4791 5.3.4 allows the tag because the bytes are kept as they came.
pub fn wrote(status: StatusCode, written: &Written) -> Response {
    let mut response = problem::empty(status);
    // RFC 4791 5.3.4: no tag where the bytes are not those that came.
    if !written.changed {
        put_tag(response.headers_mut(), ETAG, written.etag.as_str());
    }
    if let Some(tag) = &written.schedule_tag {
        put_tag(response.headers_mut(), SCHEDULE_TAG, tag);
    }
    response
}

/// The object itself, with the answer to a write.
fn represent(status: StatusCode, request: &Request, found: Body) -> Response {
    let mut response = Response::new(found.bytes.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    describe(headers, &found.record);
    contain(headers, &found.record);
    headers.insert(PREFERENCE_APPLIED, HeaderValue::from_static("return=representation"));
    if let Ok(place) = HeaderValue::from_str(&request.hrefs().of(request.place())) {
        headers.insert(http::header::CONTENT_LOCATION, place);
    }
    response
}

fn describe(headers: &mut HeaderMap, record: &Record) {
    put_tag(headers, ETAG, record.etag.as_str());
    if let Some(tag) = &record.schedule_tag {
        put_tag(headers, SCHEDULE_TAG, tag);
    }
    put_tag(headers, LAST_MODIFIED, &values::last_modified(record));
}

fn contain(headers: &mut HeaderMap, record: &Record) {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(values::content_type(record.component)));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(record.size));
    disarm(headers);
}

/// What people put into a calendar never runs as a page of this origin.
pub fn disarm(headers: &mut HeaderMap) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
}

fn put_tag(headers: &mut HeaderMap, name: HeaderName, tag: &str) {
    if let Ok(tag) = HeaderValue::from_str(tag) {
        headers.insert(name, tag);
    }
}
