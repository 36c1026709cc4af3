//! Objects one at a time: read, written, deleted. What they say is the service's business.

use http::StatusCode;
use http::header::{
    CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderMap,
    HeaderValue, LAST_MODIFIED, X_CONTENT_TYPE_OPTIONS,
};
use warp::reply::Response;

use crate::dav::dispatch::Request;
use crate::dav::fault::Fault;
use crate::dav::headers;
use crate::dav::values;
use crate::domain::address::ObjectAddress;
use crate::domain::object::{Etag, Precondition};
use crate::domain::refusal::Refusal;
use crate::http::problem;

/// The bytes as they were sent, for GET; for HEAD all but them.
pub async fn get(request: &Request, at: &ObjectAddress, head: bool) -> Result<Response, Fault> {
    let condition = headers::precondition(request.headers())?;
    let found = request.house.object(&request.caller, at).await?;
    // RFC 9110 13.2.2: If-Match first, and only If-None-Match makes a 304.
    let (wanted, known) = (
        Precondition { if_match: condition.if_match, if_none_match: None },
        Precondition { if_match: None, if_none_match: condition.if_none_match },
    );
    let record = &found.record;
    if !wanted.allows(Some(&record.etag)) {
        return Err(Refusal::Precondition.into());
    }
    let fresh = !known.allows(Some(&record.etag));
    let mut response = match (fresh, head) {
        (true, _) => problem::empty(StatusCode::NOT_MODIFIED),
        (false, true) => problem::empty(StatusCode::OK),
        (false, false) => Response::new(found.bytes.into()),
    };
    let headers = response.headers_mut();
    put_etag(headers, &record.etag);
    if let Ok(modified) = HeaderValue::from_str(&values::last_modified(record)) {
        headers.insert(LAST_MODIFIED, modified);
    }
    if !fresh {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(values::content_type(record.component)));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(record.size));
        disarm(headers);
    }
    Ok(response)
}

pub async fn put(request: &Request, at: &ObjectAddress) -> Result<Response, Fault> {
    headers::check_media(request.headers(), at.collection().kind())?;
    // RFC 9110 14.5: to store a part as the whole would be wrong.
    if request.headers().contains_key(CONTENT_RANGE) {
        return Err(Fault::Malformed("an object is sent whole, without Content-Range".to_owned()));
    }
    let condition = headers::precondition(request.headers())?;
    let outcome = request.house.put(&request.caller, at, request.body.clone(), condition).await;
    let written = outcome.map_err(|refusal| match refusal {
        // RFC 4918 9.7.1: what is missing is not the object.
        Refusal::NotFound => Fault::NoParent,
        refusal => refusal.into(),
    })?;
    let status = if written.created { StatusCode::CREATED } else { StatusCode::NO_CONTENT };
    let mut response = problem::empty(status);
    // RFC 4791 5.3.4 allows it because the bytes are kept as they came.
    put_etag(response.headers_mut(), &written.etag);
    Ok(response)
}

pub async fn delete(request: &Request, at: &ObjectAddress) -> Result<Response, Fault> {
    let condition = headers::precondition(request.headers())?;
    request.house.delete(&request.caller, at, condition).await?;
    Ok(problem::empty(StatusCode::NO_CONTENT))
}

/// What people put into a calendar never runs as a page of this origin.
pub fn disarm(headers: &mut HeaderMap) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
}

fn put_etag(headers: &mut HeaderMap, etag: &Etag) {
    if let Ok(etag) = HeaderValue::from_str(etag.as_str()) {
        headers.insert(ETAG, etag);
    }
}
