//! POST to an outbox: when others are busy. RFC 6638 5. Answers no other question: invitations go by themselves.

use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use warp::reply::Response;

use crate::dav::fault::Fault;
use crate::dav::headers;
use crate::dav::request::Request;
use crate::dav::writer::Xml;
use crate::domain::address::{Address, Kind};
use crate::domain::refusal::Refusal;

pub async fn post(request: &Request, at: &Address) -> Result<Response, Fault> {
    if at.user() != &request.caller.name {
        return Err(Refusal::Forbidden.into());
    }
    headers::check_media(request.headers(), Kind::Calendar)?;
    let answers = request.house.ask_free_busy(&request.caller, &request.body).await?;
    let mut xml = Xml::document("C:schedule-response");
    for answer in answers {
        xml.open("C:response");
        xml.href_in("C:recipient", &answer.recipient);
        xml.text("C:request-status", answer.status);
        if let Some(text) = answer.text {
            xml.text("C:calendar-data", &text);
        }
        xml.close("C:response");
    }
    xml.close("C:schedule-response");
    let mut response = Response::new(xml.as_str().to_owned().into());
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/xml; charset=utf-8"));
    Ok(response)
}
