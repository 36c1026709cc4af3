//! The JSON face: every handler reads a call, asks the service, and answers. Knows no other face.

pub mod addressbooks;
pub mod airy;
pub mod alarms;
pub mod app_passwords;
pub mod bus;
pub mod calendars;
pub mod clock;
pub mod collections;
pub mod contacts;
pub mod conversations;
pub mod deliveries;
pub mod events;
pub mod feeds;
pub mod files;
pub mod groups;
pub mod health;
pub mod imports;
pub mod me;
pub mod metrics;
pub mod order;
pub mod organisations;
pub mod presence;
pub mod sabre;
pub mod shares;
pub mod store;
pub mod tickets;
pub mod tokens;
pub mod users;

use std::sync::Arc;

use bytes::{Buf, Bytes};
use futures_util::Stream;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use warp::reply::Response;

use crate::domain::address::{Address, Kind, UserName};
use crate::domain::principal::{self, Principal};
use crate::domain::refusal::{Fault, Refusal};
use crate::http::auth;
use crate::http::body;
use crate::http::call::{Call, decoded};
use crate::http::problem;
use crate::service::Service;

/// A JSON body larger than this is answered 413.
const JSON_MAX: u64 = 65_536;

/// The service, as every handler gets it.
pub type House = Arc<Service>;

/// Turns a handler's refusal into its problem.
fn answer(outcome: Result<Response, Refusal>) -> Response {
    outcome.unwrap_or_else(|refusal| problem::problem(&refusal))
}

/// Lets whoever calls act, once it is known who that is.
async fn signed<F>(house: House, call: Call, act: impl FnOnce(House, Call, Principal) -> F) -> Response
where
    F: Future<Output = Result<Response, Refusal>>,
{
    let outcome = match auth::caller(&house, &call).await {
        Ok(caller) => act(house, call, caller).await,
        Err(refusal) => Err(refusal),
    };
    answer(outcome)
}

/// Lets whoever calls act upon the JSON that they sent.
async fn signed_with<T: DeserializeOwned, B: Buf, F>(
    house: House,
    call: Call,
    stream: impl Stream<Item = Result<B, warp::Error>>,
    act: impl FnOnce(House, Call, Principal, T) -> F,
) -> Response
where
    F: Future<Output = Result<Response, Refusal>>,
{
    let outcome = match caller_and_json(&house, &call, stream).await {
        Ok((caller, wanted)) => act(house, call, caller, wanted).await,
        Err(refusal) => Err(refusal),
    };
    answer(outcome)
}

/// Reads a member that may be absent, `null` or there.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// Who calls, and the body that they sent. Who is not let in has sent theirs in vain, yet gets to read why.
async fn caller_and_body<B: Buf>(
    house: &House,
    call: &Call,
    stream: impl Stream<Item = Result<B, warp::Error>>,
) -> Result<(Principal, Bytes), Refusal> {
    match auth::caller(house, call).await {
        Ok(caller) => Ok((caller, body::collect(stream, JSON_MAX).await?)),
        Err(refusal) => {
            body::drain(call, stream).await;
            Err(refusal)
        }
    }
}

/// Who calls, and the JSON that they sent.
async fn caller_and_json<T: DeserializeOwned, B: Buf>(
    house: &House,
    call: &Call,
    stream: impl Stream<Item = Result<B, warp::Error>>,
) -> Result<(Principal, T), Refusal> {
    let (caller, bytes) = caller_and_body(house, call, stream).await?;
    Ok((caller, parse_json(&bytes)?))
}

/// A JSON body, its fault located.
fn parse_json<T: DeserializeOwned>(bytes: &Bytes) -> Result<T, Refusal> {
    serde_json::from_slice(bytes).map_err(|error| {
        let line = error.line() as u64;
        Refusal::Invalid(Fault { line: (line > 0).then_some(line), why: error.to_string() })
    })
}

/// The collection that two path segments name.
fn address(kind: Kind, user: &str, name: &str) -> Result<Address, Refusal> {
    let (user, name) = (decoded(user), decoded(name));
    user.zip(name).and_then(|(user, name)| Address::new(kind, &user, &name)).ok_or(Refusal::NotFound)
}

/// The person that a path segment names.
fn person(segment: &str) -> Result<UserName, Refusal> {
    decoded(segment).and_then(|text| principal::login_name(&text)).ok_or(Refusal::NotFound)
}
