//! Where a client can subscribe, and what is said there: destinations, and events as bodies of messages, each made once for everybody.

use bytes::Bytes;
use chrono::DateTime;
use serde_json::{Value, json};

use crate::bus::{Face, Notice};
use crate::domain::address::Address;
use crate::domain::notification::{ChannelId, Message, News, State, source};
use crate::gateway::stomp::subscriptions::Taken;
use crate::gateway::stomp::writer;
use crate::http::{notice, place};

/// A stream of messages. Each is the client's own: nobody hears another's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feed {
    Message,
    Unread,
    Connected,
    Disconnected,
    /// All of them, in the form of 2021 and later.
    Events,
}

/// The names of the feeds: those of the public document, those of the server of that time, the chat plugin's, the later one.
const DESTINATIONS: [(&str, Feed); 9] = [
    ("/queue/message/upsert", Feed::Message),
    ("/queue/message", Feed::Message),
    ("/user/queue/message", Feed::Message),
    ("/queue/unread-count/update", Feed::Unread),
    ("/queue/unread-count", Feed::Unread),
    ("/queue/channel/connected", Feed::Connected),
    ("/queue/channel/disconnected", Feed::Disconnected),
    ("/user/queue/airy/channel/disconnected", Feed::Disconnected),
    ("/events", Feed::Events),
];

/// What stands at a destination, or why it is not for this client: `403 Forbidden` for another's, else `404 Not Found`.
pub fn named(destination: &str) -> Result<(&'static str, Feed), &'static str> {
    if let Some(known) = DESTINATIONS.iter().find(|(name, _)| *name == destination) {
        return Ok(*known);
    }
    // As brokers name another user's queue.
    let others = destination.strip_prefix("/user/").and_then(|rest| rest.find('/').and_then(|at| rest.get(at..)));
    let others = others.is_some_and(|rest| DESTINATIONS.iter().any(|(name, _)| *name == rest));
    Err(if others { "403 Forbidden" } else { "404 Not Found" })
}

/// What a piece of news says to each feed: the part of a MESSAGE that all share; with a message that waits for somebody who takes it
/// comes its number.
pub fn bodies(notice: &Notice, news: &News) -> Vec<(Feed, Bytes, Option<Taken>)> {
    let mut all = Vec::new();
    if let Some((message, created)) = &news.message {
        let taken = (message.state == State::Pending).then_some((news.conversation, message.id));
        let upsert = notice.frame(Face::StompMessage, || tail(&upserted(news, message)));
        all.push((Feed::Message, upsert, taken));
        let said = notice.frame(Face::StompEvent, || tail(&message_event(news, message, *created)));
        all.push((Feed::Events, said, taken));
    }
    all.push((Feed::Unread, notice.frame(Face::StompCount, || tail(&counted(news))), None));
    all.push((Feed::Events, notice.frame(Face::StompState, || tail(&state_event(news))), None));
    all
}

/// What is said of a channel: under its name while it stands, else that it is gone.
pub fn channel(address: &Address, name: Option<&str>, millis: i64) -> [(Feed, Bytes); 2] {
    let id = ChannelId::of(address).0.to_string();
    let (feed, shape) = match name {
        Some(name) => {
            let path = place::path(address);
            let shape = json!({ "id": id, "name": name, "source": source(address), "source_channel_id": path });
            (Feed::Connected, shape)
        }
        None => (Feed::Disconnected, json!({ "id": id })),
    };
    let payload = notice::channel(address, name);
    let event = json!({ "type": "channel.updated", "payload": payload, "timestamp": millis });
    [(feed, tail(&shape)), (Feed::Events, tail(&event))]
}

fn tail(body: &Value) -> Bytes {
    writer::tail(&body.to_string())
}

/// The form of the public document; `channel_id` beside its `channelId`, as the server of that time spelled it.
fn upserted(news: &News, message: &Message) -> Value {
    let channel = ChannelId::of(&news.channel).0.to_string();
    json!({
        "conversation_id": news.conversation.0.to_string(),
        "channelId": channel,
        "channel_id": channel,
        "message": {
            "id": message.id.0.to_string(),
            "content": notice::content(message, &news.channel).to_string(),
            "state": message.state.as_str(),
            "alignment": message.alignment.as_str(),
            "sent_at": notice::millis(&message.sent_at),
        },
    })
}

fn counted(news: &News) -> Value {
    let at = DateTime::from_timestamp_millis(news.counted).unwrap_or_default();
    json!({
        "conversation_id": news.conversation.0.to_string(),
        "unread_message_count": news.unread,
        "timestamp": notice::millis(&at),
    })
}

fn message_event(news: &News, message: &Message, created: bool) -> Value {
    let kind = if created { "message.created" } else { "message.updated" };
    let payload = json!({
        "conversation_id": news.conversation.0.to_string(),
        "channel_id": ChannelId::of(&news.channel).0.to_string(),
        "message": notice::message(message, &news.channel),
    });
    json!({ "type": kind, "payload": payload, "timestamp": news.counted })
}

fn state_event(news: &News) -> Value {
    let payload = json!({
        "subject": "conversation",
        "identifier": news.conversation.0.to_string(),
        "metadata": { "contact": { "display_name": news.title }, "unread_count": news.unread },
    });
    json!({ "type": "metadata.updated", "payload": payload, "timestamp": news.counted })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_have_their_names() {
        let rows = [
            ("/queue/message/upsert", Ok(Feed::Message)),
            ("/user/queue/message", Ok(Feed::Message)),
            ("/queue/unread-count", Ok(Feed::Unread)),
            ("/user/queue/airy/channel/disconnected", Ok(Feed::Disconnected)),
            ("/events", Ok(Feed::Events)),
            ("/Events", Err("404 Not Found")),
            ("", Err("404 Not Found")),
            ("/user/", Err("404 Not Found")),
            ("/user/bob/queue/message", Err("403 Forbidden")),
            ("/user/bob/events", Err("403 Forbidden")),
            ("/user/bob/nothing", Err("404 Not Found")),
        ];
        for (name, want) in rows {
            assert_eq!(named(name).map(|(_, feed)| feed), want, "{name}");
        }
    }
}
