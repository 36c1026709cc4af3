//! What the CTI events socket says: presence to JSON in ready frames. Decides nothing about who hears it.

use bytes::Bytes;
use serde::Serialize;

use crate::domain::presence::{Line, News, Status};
use crate::gateway::frame;

/// The one profile that all availabilities belong to.
const PROFILE: u64 = 1;

#[derive(Serialize)]
struct Response<'a> {
    r#type: &'static str,
    data: Vec<UserPresence<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UserPresence<'a> {
    user_id: u64,
    presence: &'a str,
    logical_direction: &'a str,
    #[serde(rename = "callChannelUUID")]
    call_channel_uuid: &'a str,
    availability: &'static str,
    availability_state_id: u64,
    availability_profile_id: u64,
}

#[derive(Serialize)]
struct Words<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

/// `response`, with everybody in it.
pub fn response<'a>(everybody: impl IntoIterator<Item = &'a News>) -> Bytes {
    framed(&Response { r#type: "response", data: everybody.into_iter().map(presence).collect() })
}

pub fn welcome() -> Bytes {
    framed(&Words { r#type: "tick", message: Some("welcome") })
}

pub fn tick() -> Bytes {
    framed(&Words { r#type: "tick", message: None })
}

pub fn error(why: &str) -> Bytes {
    framed(&Words { r#type: "error", message: Some(why) })
}

fn presence(news: &News) -> UserPresence<'_> {
    let call = news.shown.call.as_ref();
    // A telephone that rings leaves the availability as it was: the two are axes of their own here.
    let rings = call.is_some_and(|call| call.line == Line::Ringing);
    let (availability, state) = availability(if rings { news.shown.beneath } else { news.shown.status });
    UserPresence {
        user_id: news.member.number,
        presence: call.map_or("", |call| call.line.as_str()),
        logical_direction: call.map_or("", |call| call.direction.as_str()),
        call_channel_uuid: call.map_or("", |call| &call.channel),
        availability,
        availability_state_id: state,
        availability_profile_id: PROFILE,
    }
}

/// The name of a status, and its number. 1 and 3 are those of the model's own examples.
fn availability(status: Status) -> (&'static str, u64) {
    match status {
        Status::Available => ("Available", 1),
        Status::Busy => ("Busy", 2),
        Status::OnCall => ("On Call", 3),
        Status::Away => ("Away", 4),
        Status::Dnd => ("Do Not Disturb", 5),
        Status::Offline => ("Offline", 6),
    }
}

fn framed(message: &impl Serialize) -> Bytes {
    // Strings, numbers and lists of them always serialise.
    frame::text(&serde_json::to_string(message).unwrap_or_default())
}
