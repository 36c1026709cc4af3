//! Every URL on one page, and which face or dialect answers it.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Buf;
use futures_util::Stream;
use http::{HeaderName, Method, StatusCode};
use warp::reply::Response;
use warp::{Filter, Rejection, Reply};

use crate::api::{calendars, clock, files, health, imports, me, shares, tickets, tokens, users};
use crate::dav::dispatch;
use crate::domain::refusal::Refusal;
use crate::gateway::upgrade::Door;
use crate::gateway::ws;
use crate::http::body;
use crate::http::call::{Call, call};
use crate::http::problem;
use crate::service::Service;

/// The methods that a browser of another origin may use.
const METHODS: [&str; 15] = [
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "PROPFIND",
    "PROPPATCH",
    "REPORT",
    "MKCALENDAR",
    "MKCOL",
    "COPY",
    "MOVE",
    "ACL",
];
/// The headers that it may send, and those of an answer that it may read.
const HEADERS: [&str; 11] = [
    "authorization",
    "content-type",
    "accept",
    "depth",
    "destination",
    "prefer",
    "brief",
    "if-match",
    "if-none-match",
    "idempotency-key",
    "last-event-id",
];
const EXPOSED: [&str; 7] =
    ["etag", "location", "retry-after", "dav", "allow", "preference-applied", "www-authenticate"];

/// What handlers need.
#[derive(Clone)]
pub struct House {
    pub service: Arc<Service>,
    pub door: Arc<Door>,
}

/// All routes, ready to be served.
pub fn routes(house: House) -> impl Filter<Extract = (impl Reply,), Error = Infallible> + Clone {
    let (get, post, put, patch, delete) = (warp::get(), warp::post(), warp::put(), warp::patch(), warp::delete());
    let with = {
        let service = house.service.clone();
        move || {
            let service = service.clone();
            warp::any().map(move || service.clone())
        }
    };
    let door = {
        let door = house.door.clone();
        warp::any().map(move || door.clone())
    };
    let stream = || warp::body::stream();

    let health = warp::path!("healthz")
        .and(get)
        .then(health::live)
        .boxed()
        .or(warp::path!("readyz").and(get).and(with()).then(health::ready))
        .unify()
        .boxed();

    let socket =
        warp::path!("ws").and(get).and(with()).and(door).and(call()).and(warp::ext::optional()).then(ws::side).boxed();
    let ticket = warp::path!("ws" / "ticket")
        .and(post)
        .and(with())
        .and(call())
        .then(tickets::draw)
        .or(warp::path!("ws" / "ticket").and(delete).and(with()).and(call()).then(tickets::revoke_by_query))
        .unify()
        .or(warp::path!("ws" / "ticket" / String)
            .and(delete)
            .and(with())
            .and(call())
            .then(|value, house, call| tickets::revoke(house, value, call)))
        .unify()
        .boxed();

    let import = warp::path!("api" / "files")
        .and(post)
        .and(with())
        .and(call())
        .and(stream())
        .then(files::keep)
        .or(warp::path!("api" / "import").and(post).and(with()).and(call()).and(stream()).then(imports::ask))
        .unify()
        .or(warp::path!("api" / "imports" / String)
            .and(get)
            .and(with())
            .and(call())
            .then(|id, house, call| imports::show(house, id, call)))
        .unify()
        .or(warp::path!("api" / "imports" / String / "errors")
            .and(get)
            .and(with())
            .and(call())
            .then(|id, house, call| imports::errors(house, id, call)))
        .unify()
        .boxed();

    let calendar = warp::path!("api" / "calendars")
        .and(get)
        .and(with())
        .and(call())
        .then(calendars::list)
        .or(warp::path!("api" / "calendars").and(post).and(with()).and(call()).and(stream()).then(calendars::make))
        .unify()
        .or(warp::path!("api" / "calendars" / String / String)
            .and(get)
            .and(with())
            .and(call())
            .then(|user, id, house, call| calendars::show(house, user, id, call)))
        .unify()
        .or(warp::path!("api" / "calendars" / String / String)
            .and(patch)
            .and(with())
            .and(call())
            .and(stream())
            .then(|user, id, house, call, body| calendars::patch(house, user, id, call, body)))
        .unify()
        .or(warp::path!("api" / "calendars" / String / String)
            .and(delete)
            .and(with())
            .and(call())
            .then(|user, id, house, call| calendars::delete(house, user, id, call)))
        .unify()
        .boxed();

    let sharing = warp::path!("api" / "calendars" / String / String / "shares" / String)
        .and(put)
        .and(with())
        .and(call())
        .and(stream())
        .then(|user, id, whom, house, call, body| shares::share(house, (user, id, whom), call, body))
        .or(warp::path!("api" / "calendars" / String / String / "shares" / String)
            .and(delete)
            .and(with())
            .and(call())
            .then(|user, id, whom, house, call| shares::unshare(house, (user, id, whom), call)))
        .unify()
        .or(warp::path!("api" / "calendars" / String / String / "public")
            .and(put)
            .and(with())
            .and(call())
            .and(stream())
            .then(|user, id, house, call, body| shares::public(house, user, id, call, body)))
        .unify()
        .or(warp::path!("api" / "subscriptions")
            .and(post)
            .and(with())
            .and(call())
            .and(stream())
            .then(shares::subscribe))
        .unify()
        .boxed();

    let time = warp::path!("api" / "clock")
        .and(get)
        .and(with())
        .and(call())
        .then(clock::show)
        .or(warp::path!("api" / "clock").and(patch).and(with()).and(call()).and(stream()).then(clock::turn))
        .unify()
        .boxed();

    let people = warp::path!("api" / "me")
        .and(get)
        .and(with())
        .and(call())
        .then(me::show)
        .or(warp::path!("api" / "users").and(get).and(with()).and(call()).then(users::list))
        .unify()
        .or(warp::path!("api" / "users").and(post).and(with()).and(call()).and(stream()).then(users::add))
        .unify()
        .or(warp::path!("api" / "users" / String)
            .and(delete)
            .and(with())
            .and(call())
            .then(|name, house, call| users::remove(house, name, call)))
        .unify()
        .or(warp::path!("api" / "users" / String / "password")
            .and(put)
            .and(with())
            .and(call())
            .and(stream())
            .then(|name, house, call, body| users::set_password(house, name, call, body)))
        .unify()
        .or(warp::path!("api" / "tokens").and(post).and(with()).and(call()).and(stream()).then(tokens::issue))
        .unify()
        .or(warp::path!("api" / "tokens" / String)
            .and(delete)
            .and(with())
            .and(call())
            .then(|token, house, call| tokens::revoke(house, token, call)))
        .unify()
        .boxed();

    let unknown = warp::path("api").or(warp::path("ws")).unify().and(call()).and(stream()).then(nothing_there).boxed();
    // Everything else is DAV, below `/dav` too.
    let dav = with().and(call()).and(stream()).then(dispatch::answer).boxed();

    let cors = warp::cors()
        .allow_any_origin()
        .allow_methods(METHODS)
        .allow_headers(HEADERS)
        .expose_headers(EXPOSED.map(HeaderName::from_static))
        .max_age(86_400);
    health
        .or(socket)
        .unify()
        .or(ticket)
        .unify()
        .or(import)
        .unify()
        .or(calendar)
        .unify()
        .or(sharing)
        .unify()
        .or(time)
        .unify()
        .or(people)
        .unify()
        .or(unknown)
        .unify()
        .or(dav)
        .unify()
        .recover(broken)
        .unify()
        .with(cors)
        .recover(broken)
}

/// A path of the JSON face that is not on this page, or a method that it does not know.
async fn nothing_there<B: Buf>(call: Call, body: impl Stream<Item = Result<B, warp::Error>>) -> Response {
    body::drain(&call, body).await;
    if call.method == Method::OPTIONS {
        return problem::empty(StatusCode::NO_CONTENT);
    }
    problem::problem(&Refusal::NotFound)
}

/// What warp itself refuses: a cross-origin request that it does not allow, or a request that it cannot read.
async fn broken(rejection: Rejection) -> Result<Response, Infallible> {
    let status = if rejection.find::<warp::cors::CorsForbidden>().is_some() {
        StatusCode::FORBIDDEN
    } else {
        StatusCode::BAD_REQUEST
    };
    Ok(problem::empty(status))
}
