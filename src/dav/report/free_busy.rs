//! free-busy-query: when somebody is busy, as a VFREEBUSY. RFC 4791 7.10.

use http::HeaderValue;
use http::header::CONTENT_TYPE;
use warp::reply::Response;

use crate::dav::fault::Fault;
use crate::dav::objects;
use crate::dav::report::{events, homes};
use crate::dav::request::Request;
use crate::dav::xml::{Element, Space};
use crate::domain::refusal::Refusal;

pub async fn answer(request: &Request, root: &Element) -> Result<Response, Fault> {
    let missing = || Fault::Malformed("a free-busy-query holds a time-range".to_owned());
    let window = events::closed(root.child(&Space::CalDav, "time-range").ok_or_else(missing)?)?;
    let collections = homes::collections(request).await?;
    let text =
        request.house.free_busy(&request.caller, &collections, window).await.map_err(|refusal| match refusal {
            Refusal::Full(text) => Fault::TooMany(text),
            refusal => refusal.into(),
        })?;
    let mut response = Response::new(text.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/calendar; charset=utf-8"));
    objects::disarm(response.headers_mut());
    Ok(response)
}
