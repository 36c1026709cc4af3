//! `/api/calendars`: the calendar list for web apps. Sharing stands in `shares.rs`, what a calendar holds in `events.rs`.

use bytes::Buf;
use futures_util::Stream;
use warp::reply::Response;

use crate::api::{House, collections, shares};
use crate::domain::address::Kind;
use crate::http::call::Call;

pub async fn list(house: House, call: Call) -> Response {
    collections::list(Kind::Calendar, house, call).await
}

pub async fn make<B: Buf>(house: House, call: Call, stream: impl Stream<Item = Result<B, warp::Error>>) -> Response {
    collections::make(Kind::Calendar, house, call, stream).await
}

pub async fn show(user: String, id: String, house: House, call: Call) -> Response {
    collections::show(Kind::Calendar, user, id, house, call).await
}

pub async fn patch<B: Buf>(
    user: String,
    id: String,
    house: House,
    call: Call,
    stream: impl Stream<Item = Result<B, warp::Error>>,
) -> Response {
    collections::patch(Kind::Calendar, user, id, house, call, stream).await
}

pub async fn delete(user: String, id: String, house: House, call: Call) -> Response {
    collections::delete(Kind::Calendar, user, id, house, call).await
}

pub async fn shares(user: String, id: String, house: House, call: Call) -> Response {
    shares::list(Kind::Calendar, user, id, house, call).await
}

pub async fn share<B: Buf>(
    user: String,
    id: String,
    whom: String,
    house: House,
    call: Call,
    stream: impl Stream<Item = Result<B, warp::Error>>,
) -> Response {
    shares::share(Kind::Calendar, user, id, whom, house, call, stream).await
}

pub async fn unshare(user: String, id: String, whom: String, house: House, call: Call) -> Response {
    shares::unshare(Kind::Calendar, user, id, whom, house, call).await
}

pub async fn public<B: Buf>(
    user: String,
    id: String,
    house: House,
    call: Call,
    stream: impl Stream<Item = Result<B, warp::Error>>,
) -> Response {
    shares::public(Kind::Calendar, user, id, house, call, stream).await
}
