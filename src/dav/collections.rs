//! Whole collections: deleted, and read as one text. Making them stands in `creation.rs`.

use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use warp::reply::Response;

use crate::dav::fault::Fault;
use crate::dav::headers::{self, Depth};
use crate::dav::objects;
use crate::dav::request::Request;
use crate::domain::address::{Address, Kind};
use crate::domain::refusal::Refusal;
use crate::http::problem;

/// A collection as one VCALENDAR, or as its cards one after the other; for HEAD nothing is merged.
pub async fn get(request: &Request, at: &Address, head: bool) -> Result<Response, Fault> {
    let mut response = if head {
        request.house.view(&request.caller.name, at).await?;
        problem::empty(StatusCode::OK)
    } else {
        Response::new(request.house.export(&request.caller, at).await?.into())
    };
    let media = match at.kind() {
        Kind::Calendar => "text/calendar; charset=utf-8",
        Kind::AddressBook => "text/vcard; charset=utf-8",
    };
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
    objects::disarm(response.headers_mut());
    Ok(response)
}

/// Deletes a collection with everything in it.
pub async fn delete(request: &Request, at: &Address) -> Result<Response, Fault> {
    // RFC 4918 9.6.1: no other depth may be sent, so whoever does means something else.
    if headers::depth(request.headers())? != Depth::Infinity {
        return Err(Fault::Malformed("a collection is deleted with the depth infinity, or none".to_owned()));
    }
    // A collection has no tag of its own: it can only be there or not.
    if !request.precondition()?.allows_untagged() {
        return Err(Refusal::Precondition.into());
    }
    request.house.delete_collection(&request.caller, at).await?;
    Ok(problem::empty(StatusCode::NO_CONTENT))
}
