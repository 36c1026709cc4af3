//! An alarm as a signed POST of JSON to an address of the user's choosing. `docs/alarms.md` has the wire and how to check the signature.

use std::sync::Arc;

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::Method;
use http::header::{CONTENT_TYPE, HeaderName};
use serde::Serialize;
use sha2::Sha256;

use crate::domain::channel::Channel;
use crate::domain::delivery::Failure;
use crate::domain::occurrence::instant;
use crate::service::attempts::{Parcel, Place};
use crate::sinks::http::{Call, Caller};
use crate::sinks::{Attempt, Sink};

const TIMESTAMP: HeaderName = HeaderName::from_static("campanile-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("campanile-signature");
const IDEMPOTENCY: HeaderName = HeaderName::from_static("idempotency-key");

pub struct Webhook {
    caller: Arc<Caller>,
}

impl Webhook {
    pub fn new(caller: Arc<Caller>) -> Webhook {
        Webhook { caller }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: String,
    user: &'a str,
    alarm_id: String,
    at: String,
    action: &'static str,
    event_summary: &'a str,
    #[serde(rename = "eventURL")]
    event_url: String,
    event_start_time: String,
    event_end_time: String,
}

impl Sink for Webhook {
    fn channel(&self) -> Channel {
        Channel::Webhook
    }

    fn deliver<'a>(&'a self, parcel: &'a Parcel) -> Attempt<'a> {
        Box::pin(async move {
            let Place::Webhook { url, secret } = &parcel.place else { return Err(Failure::lasting("no webhook")) };
            let body = body(parcel)?;
            let timestamp = parcel.now.timestamp().to_string();
            let headers = vec![
                (CONTENT_TYPE, "application/json".to_owned()),
                (IDEMPOTENCY, parcel.delivery.id.to_string()),
                (SIGNATURE, format!("v1={}", signature(secret, &timestamp, &body))),
                (TIMESTAMP, timestamp),
            ];
            self.caller.send(Call { method: Method::POST, url: url.clone(), headers, body }).await
        })
    }
}

fn body(parcel: &Parcel) -> Result<Bytes, Failure> {
    let (delivery, alarm) = (&parcel.delivery, &parcel.delivery.alarm);
    let body = Body {
        kind: "alarm",
        id: delivery.id.to_string(),
        user: delivery.user.as_str(),
        alarm_id: format!("{:016x}", alarm.id),
        at: instant(&alarm.at),
        action: alarm.action.as_str(),
        event_summary: &alarm.summary,
        event_url: alarm.object.to_string(),
        event_start_time: instant(&alarm.start),
        event_end_time: instant(&alarm.end),
    };
    serde_json::to_vec(&body).map(Bytes::from).map_err(|error| Failure::lasting(error.to_string()))
}

/// HMAC-SHA256 over `timestamp.body`, in hexadecimal: the timestamp is signed too, so that an old request cannot be sent again as new.
fn signature(secret: &str, timestamp: &str, body: &[u8]) -> String {
    // HMAC takes a key of any length, so there is no failure to tell of.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(timestamp.as_bytes());
    mac.update(b".");
    mac.update(body);
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}
