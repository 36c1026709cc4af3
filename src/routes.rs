//! Every URL on one page, and which face or dialect answers it.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Buf;
use futures_util::Stream;
use http::{Method, StatusCode};
use warp::reply::Response;
use warp::{Filter, Rejection, Reply};

use crate::api::metrics::Board;
use crate::api::sabre::{configurations, door, people};
use crate::api::{
    addressbooks, airy, alarms, app_passwords, bus, calendars, clock, contacts, conversations, deliveries, events,
    feeds, files, groups, health, imports, me, metrics, organisations, presence, shares, store, tickets, tokens, users,
};
use crate::dav::dispatch;
use crate::domain::refusal::Refusal;
use crate::gateway::upgrade::Door;
use crate::gateway::{cti_doors, websocketd, ws};
use crate::http::body;
use crate::http::call::{Call, call};
use crate::http::problem;
use crate::service::Service;

/// What handlers need.
#[derive(Clone)]
pub struct House {
    pub service: Arc<Service>,
    pub door: Arc<Door>,
}

/// All routes, ready to be served. Kept as a table: one line a route.
#[rustfmt::skip]
pub fn routes(house: House) -> impl Filter<Extract = (impl Reply,), Error = Infallible> + Clone {
    let (get, post, put, patch, delete) = (warp::get(), warp::post(), warp::put(), warp::patch(), warp::delete());
    let House { service, door } = house;
    let with = move || { let service = service.clone(); warp::any().map(move || service.clone()) };
    let door = warp::any().map(move || door.clone());
    // What a handler gets behind the parameters of its path: the service and the call; and the body, where it takes one.
    let ask = || with().and(call());
    let send = || with().and(call()).and(warp::body::stream());
    let socket = || with().and(door.clone()).and(call()).and(warp::ext::optional());

    let wazo = warp::path!("api" / "websocketd").and(get).and(with()).and(door.clone()).and(call()).and(warp::ext::optional()).then(websocketd::websocketd)
        .or(warp::path!("api" / "auth" / "0.1" / "token" / String).and(get.or(warp::head()).unify()).and(ask()).then(tokens::look)).unify()
        .or(warp::path!("api" / "bus" / "events").and(post).and(send()).then(bus::publish)).unify().boxed();

    let health = warp::path!("healthz").and(get).then(health::live)
        .or(warp::path!("readyz").and(get).and(with()).then(health::ready)).unify().boxed();

    let sockets = warp::path!("ws").and(get).and(socket()).then(ws::socket)
        .or(warp::path!("ws.communication").and(get).and(socket()).then(ws::stomp)).unify()
        .or(warp::path!("ws.chatplugin").and(get).and(socket()).then(ws::stomp)).unify()
        .or(warp::path!("stomp").and(get).and(socket()).then(ws::stomp)).unify()
        .or(warp::path!("v1" / "subscribe").and(get).and(socket()).then(ws::cti_messages)).unify()
        .or(warp::path!("ws" / "ticket").and(post).and(ask()).then(tickets::draw)).unify()
        .or(warp::path!("ws" / "ticket").and(delete).and(ask()).then(tickets::revoke_by_query)).unify()
        .or(warp::path!("ws" / "ticket" / String).and(delete).and(ask()).then(tickets::revoke)).unify().boxed();

    let cti = warp::path!("organisation" / String / "user" / String).and(get).and(socket()).then(cti_doors::person)
        .or(warp::path!("organisation" / String / "user-group" / String).and(get).and(socket()).then(cti_doors::group)).unify()
        .or(warp::path!("v1" / "events").and(get).and(socket()).then(cti_doors::events)).unify().boxed();

    let imports = warp::path!("api" / "files").and(post).and(send()).then(files::keep)
        .or(warp::path!("api" / "import").and(post).and(send()).then(imports::ask)).unify()
        .or(warp::path!("api" / "imports").and(post).and(send()).then(imports::take)).unify()
        .or(warp::path!("api" / "imports").and(get).and(ask()).then(imports::list)).unify()
        .or(warp::path!("api" / "imports" / String).and(get).and(ask()).then(imports::show)).unify()
        .or(warp::path!("api" / "imports" / String).and(delete).and(ask()).then(imports::cancel)).unify()
        .or(warp::path!("api" / "imports" / String / "errors").and(get).and(ask()).then(imports::errors)).unify().boxed();

    let calendars = warp::path!("api" / "calendars").and(get).and(ask()).then(calendars::list)
        .or(warp::path!("api" / "calendars").and(post).and(send()).then(calendars::make)).unify()
        .or(warp::path!("api" / "calendars" / String / String).and(get).and(ask()).then(calendars::show)).unify()
        .or(warp::path!("api" / "calendars" / String / String).and(patch).and(send()).then(calendars::patch)).unify()
        .or(warp::path!("api" / "calendars" / String / String).and(delete).and(ask()).then(calendars::delete)).unify()
        .or(warp::path!("api" / "calendars" / String / String / "events").and(get).and(ask()).then(events::list)).unify().boxed();

    let books = warp::path!("api" / "addressbooks").and(get).and(ask()).then(addressbooks::list)
        .or(warp::path!("api" / "addressbooks").and(post).and(send()).then(addressbooks::make)).unify()
        .or(warp::path!("api" / "addressbooks" / String / String).and(get).and(ask()).then(addressbooks::show)).unify()
        .or(warp::path!("api" / "addressbooks" / String / String).and(patch).and(send()).then(addressbooks::patch)).unify()
        .or(warp::path!("api" / "addressbooks" / String / String).and(delete).and(ask()).then(addressbooks::delete)).unify()
        .or(warp::path!("api" / "addressbooks" / String / String / "contacts").and(get).and(ask()).then(contacts::list)).unify().boxed();

    let sharing = warp::path!("api" / "calendars" / String / String / "shares").and(get).and(ask()).then(calendars::shares)
        .or(warp::path!("api" / "calendars" / String / String / "shares" / String).and(put).and(send()).then(calendars::share)).unify()
        .or(warp::path!("api" / "calendars" / String / String / "shares" / String).and(delete).and(ask()).then(calendars::unshare)).unify()
        .or(warp::path!("api" / "calendars" / String / String / "public").and(put).and(send()).then(calendars::public)).unify()
        .or(warp::path!("api" / "addressbooks" / String / String / "shares").and(get).and(ask()).then(addressbooks::shares)).unify()
        .or(warp::path!("api" / "addressbooks" / String / String / "shares" / String).and(put).and(send()).then(addressbooks::share)).unify()
        .or(warp::path!("api" / "addressbooks" / String / String / "shares" / String).and(delete).and(ask()).then(addressbooks::unshare)).unify()
        .or(warp::path!("api" / "addressbooks" / String / String / "public").and(put).and(send()).then(addressbooks::public)).unify()
        .or(warp::path!("api" / "calendars" / String / String / "busy").and(get).and(ask()).then(events::busy)).unify()
        .or(warp::path!("api" / "shares").and(get).and(ask()).then(shares::given)).unify()
        .or(warp::path!("api" / "shares").and(post).and(send()).then(shares::reply)).unify()
        .or(warp::path!("api" / "proxies").and(get).and(ask()).then(shares::proxies)).unify()
        .or(warp::path!("api" / "proxies" / String).and(put).and(send()).then(shares::set_proxies)).unify()
        .or(warp::path!("api" / "subscriptions").and(get).and(ask()).then(feeds::subscriptions)).unify()
        .or(warp::path!("api" / "subscriptions").and(post).and(send()).then(feeds::subscribe)).unify()
        .or(warp::path!("api" / "subscriptions" / String).and(delete).and(ask()).then(feeds::unsubscribe)).unify().boxed();

    let feeds = warp::path!("api" / "feeds").and(get).and(ask()).then(feeds::list)
        .or(warp::path!("api" / "feeds" / String).and(get).and(ask()).then(feeds::show)).unify()
        .or(warp::path!("api" / "feeds" / String / "refresh").and(post).and(send()).then(feeds::refresh)).unify()
        .or(warp::path!("api" / "addressbooks" / String / String / "birthdays").and(post).and(send()).then(feeds::show_birthdays)).unify()
        .or(warp::path!("api" / "addressbooks" / String / String / "birthdays").and(delete).and(ask()).then(feeds::hide_birthdays)).unify().boxed();

    let alarms = warp::path!("api" / "alarms").and(get).and(ask()).then(alarms::list)
        .or(warp::path!("api" / "alarms" / String / "ack").and(post).and(ask()).then(alarms::acknowledge)).unify()
        .or(warp::path!("api" / "alarms" / String / "snooze").and(post).and(send()).then(alarms::snooze)).unify()
        .or(warp::path!("api" / "deliveries").and(get).and(ask()).then(deliveries::list)).unify()
        .or(warp::path!("api" / "deliveries" / String / "retry").and(post).and(ask()).then(deliveries::retry)).unify().boxed();

    let conversations = warp::path!("api" / "conversations").and(get).and(ask()).then(conversations::list)
        .or(warp::path!("api" / "conversations" / String / "messages").and(get).and(ask()).then(conversations::messages)).unify()
        .or(warp::path!("api" / "conversations" / String / "read").and(post).and(ask()).then(conversations::read)).unify()
        .or(warp::path!("api" / "channels").and(get).and(ask()).then(conversations::channels)).unify()
        .or(warp::path!("conversations.list").and(post).and(send()).then(airy::conversations)).unify()
        .or(warp::path!("conversations.info").and(post).and(send()).then(airy::conversation)).unify()
        .or(warp::path!("conversations.mark-read").and(post).and(send()).then(airy::mark_read)).unify()
        .or(warp::path!("messages.list").and(post).and(send()).then(airy::messages)).unify()
        .or(warp::path!("channels.list").and(post).and(send()).then(airy::channels)).unify().boxed();

    let clock = warp::path!("api" / "clock").and(get).and(ask()).then(clock::show)
        .or(warp::path!("api" / "clock").and(patch).and(send()).then(clock::turn)).unify().boxed();

    let people = warp::path!("api" / "me").and(get).and(ask()).then(me::show)
        .or(warp::path!("api" / "me").and(patch).and(send()).then(me::patch)).unify()
        .or(warp::path!("api" / "store" / "exports").and(post).and(ask()).then(store::export)).unify()
        .or(warp::path!("api" / "users").and(get).and(ask()).then(users::list)).unify()
        .or(warp::path!("api" / "users").and(post).and(send()).then(users::add)).unify()
        .or(warp::path!("api" / "users" / String).and(get).and(ask()).then(people::show)).unify()
        .or(warp::path!("api" / "users" / String).and(delete).and(ask()).then(users::remove)).unify()
        .or(warp::path!("api" / "users" / String / "password").and(put).and(send()).then(users::set_password)).unify()
        .or(warp::path!("api" / "app-passwords").and(get).and(ask()).then(app_passwords::list)).unify()
        .or(warp::path!("api" / "app-passwords").and(post).and(send()).then(app_passwords::add)).unify()
        .or(warp::path!("api" / "app-passwords" / String).and(delete).and(ask()).then(app_passwords::remove)).unify()
        .or(warp::path!("api" / "tokens").and(post).and(send()).then(tokens::issue)).unify()
        .or(warp::path!("api" / "tokens" / String).and(delete).and(ask()).then(tokens::revoke)).unify().boxed();

    let twake = warp::path!("api" / "user").and(get).and(ask()).then(people::oneself)
        .or(warp::path!("api" / "entity" / String).and(get).and(ask()).then(people::entity)).unify()
        .or(warp::path!("api" / "people" / "search").and(post).and(send()).then(people::search)).unify()
        .or(warp::path!("api" / "configurations").and(get).and(ask()).then(configurations::show)).unify()
        .or(warp::path!("api" / "configurations").and(post).and(send()).then(configurations::look)).unify()
        .or(warp::path!("api" / "configurations").and(patch).and(send()).then(configurations::patch)).unify()
        .or(warp::path!("api" / "configurations").and(put).and(send()).then(configurations::put)).unify()
        .or(warp::path("calendar").and(warp::path("api")).and(send()).then(people::elsewhere)).unify().boxed();

    let organisations = warp::path!("api" / "organisations").and(get).and(ask()).then(organisations::list)
        .or(warp::path!("api" / "organisations" / String).and(get).and(ask()).then(organisations::show)).unify()
        .or(warp::path!("api" / "organisations" / String).and(put).and(send()).then(organisations::put)).unify()
        .or(warp::path!("api" / "organisations" / String).and(delete).and(ask()).then(organisations::remove)).unify()
        .or(warp::path!("api" / "organisations" / String / "users").and(get).and(ask()).then(organisations::members)).unify()
        .or(warp::path!("api" / "organisations" / String / "users" / String).and(get).and(ask()).then(organisations::show_member)).unify()
        .or(warp::path!("api" / "organisations" / String / "users" / String).and(put).and(send()).then(organisations::put_member)).unify()
        .or(warp::path!("api" / "organisations" / String / "users" / String).and(delete).and(ask()).then(organisations::remove_member)).unify()
        .or(warp::path!("api" / "organisations" / String / "users" / String / "presence").and(get).and(ask()).then(presence::show)).unify()
        .or(warp::path!("api" / "organisations" / String / "users" / String / "presence").and(put).and(send()).then(presence::put)).unify()
        .or(warp::path!("api" / "organisations" / String / "users" / String / "presence").and(delete).and(ask()).then(presence::clear)).unify()
        .or(warp::path!("api" / "organisations" / String / "users" / String / "call").and(put).and(send()).then(presence::put_call)).unify()
        .or(warp::path!("api" / "organisations" / String / "users" / String / "call").and(delete).and(ask()).then(presence::end_call)).unify().boxed();

    let groups = warp::path!("api" / "organisations" / String / "groups").and(get).and(ask()).then(groups::list)
        .or(warp::path!("api" / "organisations" / String / "groups" / String).and(get).and(ask()).then(groups::show)).unify()
        .or(warp::path!("api" / "organisations" / String / "groups" / String).and(put).and(send()).then(groups::put)).unify()
        .or(warp::path!("api" / "organisations" / String / "groups" / String).and(delete).and(ask()).then(groups::remove)).unify()
        .or(warp::path!("api" / "organisations" / String / "groups" / String / "presence").and(get).and(ask()).then(groups::presence)).unify()
        .or(warp::path!("api" / "groups").and(get).and(ask()).then(groups::list_own)).unify()
        .or(warp::path!("api" / "groups").and(post).and(send()).then(groups::make_own)).unify()
        .or(warp::path!("api" / "groups" / String).and(get).and(ask()).then(groups::show_own)).unify()
        .or(warp::path!("api" / "groups" / String).and(delete).and(ask()).then(groups::remove_own)).unify().boxed();

    let unknown = warp::path("api").or(warp::path("ws")).unify().and(call()).and(warp::body::stream()).then(nothing_there).boxed();
    // Everything else is DAV, below `/dav` too, or the JSON that is spoken at the same places.
    let dav = send().then(dav_or_json).boxed();

    health.or(sockets).unify().or(cti).unify().or(wazo).unify().or(imports).unify().or(calendars).unify().or(books).unify()
        .or(sharing).unify().or(feeds).unify().or(alarms).unify().or(conversations).unify().or(clock).unify().or(people).unify().or(twake).unify()
        .or(organisations).unify().or(groups).unify().or(unknown).unify().or(dav).unify()
        .recover(broken)
}

/// What the Wazo listener serves: its socket on every path.
pub fn wazo(house: House) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone {
    let House { service, door } = house;
    let with = warp::any().map(move || service.clone());
    let door = warp::any().map(move || door.clone());
    with.and(door).and(call()).and(warp::ext::optional()).then(websocketd::websocketd)
}

/// What the metrics' own listener serves.
pub fn metrics(board: Arc<Board>) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone {
    let board = warp::any().map(move || board.clone());
    let show = warp::path!("metrics").and(warp::get()).and(board).then(metrics::show);
    show.or(warp::any().then(metrics::nothing_else)).unify()
}

/// A path of the JSON face that is not on this page, or a method that it does not know.
async fn nothing_there<B: Buf>(call: Call, body: impl Stream<Item = Result<B, warp::Error>>) -> Response {
    body::drain(&call, body).await;
    if call.method == Method::OPTIONS {
        return problem::empty(StatusCode::NO_CONTENT);
    }
    problem::problem(&Refusal::NotFound)
}

/// DAV and the JSON of web apps stand at the same places: the head of a request tells them apart, and of a PUT the beginning of its body.
async fn dav_or_json<B: Buf + Send + 'static>(
    service: Arc<Service>,
    mut call: Call,
    body: impl Stream<Item = Result<B, warp::Error>> + Send + 'static,
) -> Response {
    let (first, body) = match door::asks_for_a_look(&call) {
        true => body::peek(&call, body).await,
        false => (None, body::unread(body)),
    };
    if door::wanted(&call, first) {
        return door::answer(service, call, body).await;
    }
    if let Some(plain) = door::for_dav(&call) {
        call.path = plain;
    }
    dispatch::answer(service, call, body).await
}

/// What warp itself refuses: a request that it cannot read.
async fn broken(_: Rejection) -> Result<Response, Infallible> {
    Ok(problem::empty(StatusCode::BAD_REQUEST))
}
