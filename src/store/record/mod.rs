//! Domain values as versioned bytes and back: one version byte, then a tuple in postcard. An unknown version is an error, never a guess. A family of rows has a file; here is what they share.

pub mod alarms;
pub mod collections;
pub mod feeds;
pub mod imports;
pub mod lines;
pub mod notifications;
pub mod objects;
pub mod people;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::domain::address::{Address, UserName};
use crate::domain::organisation::Id;
use crate::store::StoreError;

pub(crate) const VERSION: u8 = 1;

pub(crate) fn pack(tuple: impl Serialize) -> Bytes {
    // Serializing plain tuples into a growing vector has no failure: no maps of unknown length, no custom impls.
    let bytes = postcard::to_extend(&tuple, vec![VERSION]).unwrap_or_default();
    Bytes::from(bytes)
}

pub(crate) fn unpack<T: DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, StoreError> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => postcard::from_bytes(rest).map_err(|_| StoreError::Unreadable(what)),
        _ => Err(StoreError::Unreadable(what)),
    }
}

/// The tuple that a row begins with, and what follows it: rows grow at their end.
pub(crate) fn unpack_some<'a, T: serde::Deserialize<'a>>(
    what: &'static str,
    bytes: &'a [u8],
) -> Result<(T, &'a [u8]), StoreError> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => postcard::take_from_bytes(rest).map_err(|_| StoreError::Unreadable(what)),
        _ => Err(StoreError::Unreadable(what)),
    }
}

/// As `more`, where more may follow.
pub(crate) fn some_more<'a, T: serde::Deserialize<'a>>(
    what: &'static str,
    rest: &'a [u8],
) -> Result<(T, &'a [u8]), StoreError> {
    postcard::take_from_bytes(rest).map_err(|_| StoreError::Unreadable(what))
}

pub(crate) fn more<T: DeserializeOwned>(what: &'static str, rest: &[u8]) -> Result<T, StoreError> {
    postcard::from_bytes(rest).map_err(|_| StoreError::Unreadable(what))
}

pub(crate) fn micros(at: DateTime<Utc>) -> i64 {
    at.timestamp_micros()
}

pub(crate) fn time(what: &'static str, micros: i64) -> Result<DateTime<Utc>, StoreError> {
    DateTime::from_timestamp_micros(micros).ok_or(StoreError::Unreadable(what))
}

pub(crate) fn user(what: &'static str, name: &str) -> Result<UserName, StoreError> {
    UserName::new(name).ok_or(StoreError::Unreadable(what))
}

pub(crate) fn address(what: &'static str, text: &str) -> Result<Address, StoreError> {
    Address::parse(text).ok_or(StoreError::Unreadable(what))
}

pub(crate) fn code<T: PartialEq>(all: &[T], one: &T) -> u8 {
    all.iter().position(|other| other == one).unwrap_or(0) as u8
}

pub(crate) fn decode<T: Copy>(what: &'static str, all: &[T], code: u8) -> Result<T, StoreError> {
    all.get(usize::from(code)).copied().ok_or(StoreError::Unreadable(what))
}

pub(crate) fn label(what: &'static str, text: &str) -> Result<Id, StoreError> {
    Id::new(text).ok_or(StoreError::Unreadable(what))
}
