//! `/api/addressbooks`: the address books of a person. What one holds stands in `contacts.rs`.

use bytes::Buf;
use futures_util::Stream;
use warp::reply::Response;

use crate::api::{House, collections, shares};
use crate::domain::address::Kind;
use crate::http::call::Call;

pub async fn list(house: House, call: Call) -> Response {
    collections::list(Kind::AddressBook, house, call).await
}

pub async fn make<B: Buf>(house: House, call: Call, stream: impl Stream<Item = Result<B, warp::Error>>) -> Response {
    collections::make(Kind::AddressBook, house, call, stream).await
}

pub async fn show(user: String, id: String, house: House, call: Call) -> Response {
    collections::show(Kind::AddressBook, user, id, house, call).await
}

pub async fn patch<B: Buf>(
    user: String,
    id: String,
    house: House,
    call: Call,
    stream: impl Stream<Item = Result<B, warp::Error>>,
) -> Response {
    collections::patch(Kind::AddressBook, user, id, house, call, stream).await
}

pub async fn delete(user: String, id: String, house: House, call: Call) -> Response {
    collections::delete(Kind::AddressBook, user, id, house, call).await
}

pub async fn shares(user: String, id: String, house: House, call: Call) -> Response {
    shares::list(Kind::AddressBook, user, id, house, call).await
}

pub async fn share<B: Buf>(
    user: String,
    id: String,
    whom: String,
    house: House,
    call: Call,
    stream: impl Stream<Item = Result<B, warp::Error>>,
) -> Response {
    shares::share(Kind::AddressBook, user, id, whom, house, call, stream).await
}

pub async fn unshare(user: String, id: String, whom: String, house: House, call: Call) -> Response {
    shares::unshare(Kind::AddressBook, user, id, whom, house, call).await
}

pub async fn public<B: Buf>(
    user: String,
    id: String,
    house: House,
    call: Call,
    stream: impl Stream<Item = Result<B, warp::Error>>,
) -> Response {
    shares::public(Kind::AddressBook, user, id, house, call, stream).await
}
