//! An alarm as a notification of ntfy: published to a topic under a sequence id, and cleared there when it was answered elsewhere.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Method;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName};

use crate::domain::alarm::Action;
use crate::domain::channel::Channel;
use crate::domain::delivery::{Errand, Failure, Retry};
use crate::service::attempts::{Parcel, Place};
use crate::sinks::http::{Call, Caller};
use crate::sinks::{Attempt, Sink, words};

const TITLE: HeaderName = HeaderName::from_static("title");
const PRIORITY: HeaderName = HeaderName::from_static("priority");
const TAGS: HeaderName = HeaderName::from_static("tags");
const CLICK: HeaderName = HeaderName::from_static("click");
const SEQUENCE: HeaderName = HeaderName::from_static("x-sequence-id");

pub struct Ntfy {
    caller: Arc<Caller>,
    public_url: String,
}

impl Ntfy {
    pub fn new(caller: Arc<Caller>, public_url: &str) -> Ntfy {
        Ntfy { caller, public_url: public_url.to_owned() }
    }
}

impl Sink for Ntfy {
    fn channel(&self) -> Channel {
        Channel::Ntfy
    }

    fn deliver<'a>(&'a self, parcel: &'a Parcel) -> Attempt<'a> {
        Box::pin(async move {
            let Place::Ntfy { url, token } = &parcel.place else { return Err(Failure::lasting("no topic")) };
            let mut call = match parcel.delivery.errand {
                Errand::Ring => self.ring(parcel, url),
                Errand::Clear => clear(parcel, url),
            };
            if let Some(token) = token {
                call.headers.push((AUTHORIZATION, format!("Bearer {token}")));
            }
            match self.caller.send(call).await {
                // A server before 2.16 knows no clearing, and a topic cannot be gone for good: nothing to stop.
                Err(Failure { retry: Retry::Never | Retry::Stopped, .. })
                    if parcel.delivery.errand == Errand::Clear =>
                {
                    Ok(())
                }
                Err(Failure { retry: Retry::Stopped, why }) => Err(Failure::lasting(why)),
                outcome => outcome,
            }
        })
    }
}

/// The alarm's, not the delivery's: put off and rung again, it takes the place of what is still shown.
fn sequence(parcel: &Parcel) -> String {
    format!("{:016x}", parcel.delivery.alarm.id)
}

impl Ntfy {
    fn ring(&self, parcel: &Parcel, url: &str) -> Call {
        // 4 is high, 5 is the highest and rings through.
        let priority = if parcel.delivery.alarm.action == Action::Audio { "5" } else { "4" };
        let mut headers = vec![
            (CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
            (TITLE, header(&words::title(parcel))),
            (PRIORITY, priority.to_owned()),
            (TAGS, "alarm_clock".to_owned()),
            (SEQUENCE, sequence(parcel)),
        ];
        headers.extend(words::link(parcel, &self.public_url).map(|link| (CLICK, link)));
        Call { method: Method::POST, url: url.to_owned(), headers, body: Bytes::from(words::start(parcel)) }
    }
}

fn clear(parcel: &Parcel, url: &str) -> Call {
    let url = format!("{}/{}/clear", url.trim_end_matches('/'), sequence(parcel));
    Call { method: Method::PUT, url, headers: Vec::new(), body: Bytes::new() }
}

/// A header's text: as it stands, or as an RFC 2047 word, which ntfy reads.
fn header(text: &str) -> String {
    if text.is_ascii() && !text.contains("=?") {
        return text.to_owned();
    }
    format!("=?UTF-8?B?{}?=", STANDARD.encode(text))
}
