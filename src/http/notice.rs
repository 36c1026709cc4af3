//! Notifications in JSON, in the shapes of Airy's API from 2021 on: the same over HTTP and in STOMP messages. Decides nothing.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::domain::address::Address;
use crate::domain::notification::{Alignment, ChannelId, Message, State, source};
use crate::domain::occurrence;
use crate::http::place;

/// What a message says: `text` and `type` always, the rest where there is any.
pub fn content(message: &Message, channel: &Address) -> Value {
    let mut content = json!({ "text": message.text, "type": message.kind.as_str() });
    content["event_url"] = json!(match &message.object {
        Some(name) => place::of_object(channel, name),
        None => place::path(channel),
    });
    if let Some(start) = &message.start {
        content["start"] = json!(occurrence::instant(start));
    }
    if let Some(id) = &message.recurrence_id {
        content["recurrence_id"] = json!(id);
    }
    content
}

/// A message by itself.
pub fn message(message: &Message, channel: &Address) -> Value {
    let sender = if message.sender.is_empty() { place::path(channel) } else { message.sender.clone() };
    json!({
        "id": message.id.0.to_string(),
        "content": content(message, channel),
        "state": message.state.as_str(),
        "delivery_state": delivery_state(message.state),
        "alignment": message.alignment.as_str(),
        "from_contact": message.alignment == Alignment::Left,
        "sent_at": millis(&message.sent_at),
        "source": source(channel),
        "sender": { "id": sender },
        "metadata": {},
    })
}

/// A channel. `name` is known while it stands.
pub fn channel(channel: &Address, name: Option<&str>) -> Value {
    let mut shape = json!({
        "id": ChannelId::of(channel).0.to_string(),
        "source": source(channel),
        "source_channel_id": place::path(channel),
        "connected": name.is_some(),
    });
    if let Some(name) = name {
        shape["name"] = json!(name);
        shape["metadata"] = json!({ "name": name });
    }
    shape
}

fn delivery_state(state: State) -> &'static str {
    match state {
        State::Pending => "pending",
        State::Delivered => "delivered",
        State::Failed => "failed",
    }
}

/// `2025-01-15T09:00:00.000Z`.
pub fn millis(at: &DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}
