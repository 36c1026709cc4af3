//! Objects as items of an answer: their link, tag and content as jCal or jCard. An answer has a bound.

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};
use warp::reply::Response;

use crate::api::House;
use crate::api::sabre::wrong::Wrong;
use crate::domain::address::{Address, Kind};
use crate::http::call::href;
use crate::http::problem;
use crate::ical::jcal::shown;
use crate::ical::lines::Limits;
use crate::service::queries::Found;

/// Bytes of text that one answer tells of. A question about more is answered 422.
const TEXT_MAX: usize = 33_554_432;
/// From so many bytes on, text becomes JSON on a thread of its own.
const ASIDE_BYTES: usize = 65_536;

/// Items of one answer, under way.
#[derive(Default)]
pub struct Items {
    pub list: Vec<Value>,
    bytes: usize,
}

impl Items {
    /// Takes in what was found at an address.
    pub async fn take(&mut self, house: &House, at: &Address, found: Vec<Found>) -> Result<(), Wrong> {
        self.bytes += found.iter().filter_map(|one| one.text.as_ref()).map(Bytes::len).sum::<usize>();
        if self.bytes > TEXT_MAX {
            return Err(too_many());
        }
        let texts = found.iter().map(|one| one.text.clone().unwrap_or_default()).collect();
        let data = values(house, at.kind(), texts).await?;
        for (one, data) in found.iter().zip(data) {
            // What cannot be read today is not shown.
            if let Some(data) = data {
                self.list.push(item(at, &one.record.name, one.record.etag.as_str(), data));
            }
        }
        Ok(())
    }

    /// One that is not there, or not for the caller.
    pub fn miss(&mut self, href: &str) {
        self.list.push(json!({ "_links": { "self": { "href": href } }, "status": 404 }));
    }
}

pub fn item(at: &Address, name: &str, etag: &str, data: Value) -> Value {
    json!({ "_links": { "self": { "href": href(at, Some(name)) } }, "etag": etag, "data": data, "status": 200 })
}

pub fn too_many() -> Wrong {
    Wrong::TooMany("there is more than one answer may hold: ask about a shorter time".to_owned())
}

/// Texts as JSON; `None` for those that cannot be read.
pub async fn values(house: &House, kind: Kind, texts: Vec<Bytes>) -> Result<Vec<Option<Value>>, Wrong> {
    let limits = written(house);
    let all: usize = texts.iter().map(Bytes::len).sum();
    let read =
        move || -> Vec<Option<Value>> { texts.iter().map(|text| shown::object(kind, text, &limits).ok()).collect() };
    if all < ASIDE_BYTES {
        return Ok(read());
    }
    let read = tokio::task::spawn_blocking(read).await;
    read.map_err(|_| Wrong::Refused(house.fault("a writer of jCal panicked")))
}

/// Limits for what the service itself has written: instances of a series are many components in one text.
fn written(house: &House) -> Limits {
    let kept = Limits::default();
    let reports = &house.settings().reports;
    Limits {
        object_bytes: TEXT_MAX,
        components: kept.components.max(reports.instances.saturating_mul(kept.alarms).saturating_add(kept.components)),
        ..kept
    }
}

/// `{"_links","_embedded":{"dav:item"}}`
pub fn listed(link: &str, list: Vec<Value>) -> Value {
    json!({ "_links": { "self": { "href": link } }, "_embedded": { "dav:item": list } })
}

/// A collection's own link.
pub fn link(at: &Address) -> String {
    format!("{}.json", href(at, None))
}

/// 200 with JSON, in the spelling of esn-sabre.
pub fn answer(status: StatusCode, value: &Value) -> Response {
    let mut response = problem::json(status, value);
    let media = http::HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(http::header::CONTENT_TYPE, media);
    response
}
