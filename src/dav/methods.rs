//! Which methods which place knows, and what OPTIONS says. Performs none of them.

use http::header::ALLOW;
use http::{HeaderName, HeaderValue, StatusCode};
use warp::reply::Response;

use crate::dav::fault::Fault;
use crate::dav::path::Place;
use crate::http::{problem, route};

pub const DAV: HeaderName = HeaderName::from_static("dav");

/// What the `DAV` header claims: only what works, because clients build on it. `2` comes with LOCK. Thunderbird stops mailing invitations
/// itself as soon as it reads `calendar-auto-schedule`.
pub const CLASSES: &str = "1, 3, access-control, extended-mkcol, calendar-access, calendar-auto-schedule, addressbook, calendar-proxy, \
    calendarserver-sharing, resource-sharing";

/// The `Allow` header of a place.
pub fn allowed(place: &Place) -> &'static str {
    match place {
        Place::Root | Place::Principals | Place::Principal(_) | Place::Homes(_) | Place::Proxy(..) => {
            "OPTIONS, PROPFIND, PROPPATCH, REPORT, ACL"
        }
        Place::Collection(at) if at.is_inbox() => "OPTIONS, GET, HEAD, PROPFIND, PROPPATCH, REPORT, ACL",
        Place::Collection(at) if at.is_outbox() => "OPTIONS, GET, HEAD, POST, PROPFIND, PROPPATCH, REPORT, ACL",
        Place::Object(at) if at.collection().is_mailbox() => "OPTIONS, GET, HEAD, DELETE, PROPFIND, REPORT, COPY",
        Place::Home(..) => "OPTIONS, POST, PROPFIND, PROPPATCH, REPORT, ACL",
        Place::Notifications(_) => "OPTIONS, PROPFIND, REPORT",
        Place::Notification(..) => "OPTIONS, GET, HEAD, DELETE, PROPFIND, REPORT",
        Place::Collection(_) => {
            "OPTIONS, GET, HEAD, POST, DELETE, PROPFIND, PROPPATCH, REPORT, MKCOL, MKCALENDAR, COPY, MOVE, ACL"
        }
        Place::Object(_) => "OPTIONS, GET, HEAD, PUT, DELETE, PROPFIND, PROPPATCH, REPORT, COPY, MOVE, ACL",
    }
}

/// 200 and not 204: GNOME takes only that for an answer.
pub fn options(place: &Place) -> Response {
    let mut response = problem::empty(StatusCode::OK);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed(place)));
    response
}

/// Why a method is not performed: nobody here knows it, or not at this place.
pub fn refused(method: &str) -> Fault {
    // RFC 9110 15.6.2: 501 is for a method that is not recognised at all.
    if route::METHODS.contains(&method) || matches!(method, "CONNECT" | "TRACE") {
        Fault::NotAllowed(format!("{method} is not supported here"))
    } else {
        Fault::NotImplemented("this method is not known here".to_owned())
    }
}
