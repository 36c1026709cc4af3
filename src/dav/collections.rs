//! Whole collections: deleted, and read as one text. Making them stands in `creation.rs`.

use http::StatusCode;
use warp::reply::Response;

use crate::dav::dispatch::Request;
use crate::dav::fault::Fault;
use crate::dav::headers::{self, Depth};
use crate::dav::methods;
use crate::domain::address::Address;
use crate::domain::object::{Precondition, Tags};
use crate::domain::refusal::Refusal;
use crate::http::problem;

/// A collection as one VCALENDAR, or as its cards one after the other.
pub async fn get(request: &Request, at: &Address, method: &str) -> Result<Response, Fault> {
    // Who may not read it, or has the name wrong, is told so whatever the method is.
    request.house.view(&request.caller.name, at).await?;
    // HERE the service's merged text of a collection goes out, as `text/calendar` or `text/vcard`, when there is such a use case.
    // `methods::allowed` then names GET and HEAD for collections.
    Err(methods::refused(method))
}

/// Deletes a collection with everything in it.
pub async fn delete(request: &Request, at: &Address) -> Result<Response, Fault> {
    // RFC 4918 9.6.1: no other depth may be sent, so whoever does means something else.
    if headers::depth(request.headers())? != Depth::Infinity {
        return Err(Fault::Malformed("a collection is deleted with the depth infinity, or none".to_owned()));
    }
    // A collection has no tag of its own: it can only be there or not.
    let Precondition { if_match, if_none_match } = headers::precondition(request.headers())?;
    if matches!(if_match, Some(Tags::These(_))) || if_none_match == Some(Tags::Any) {
        return Err(Refusal::Precondition.into());
    }
    request.house.delete_collection(&request.caller, at).await?;
    Ok(problem::empty(StatusCode::NO_CONTENT))
}
