//! `/api/addressbooks`: the address books of a person. What one holds stands in `contacts.rs`.

use bytes::Buf;
use futures_util::Stream;
use warp::reply::Response;

use crate::api::{House, collections};
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
