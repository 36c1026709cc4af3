//! What the STOMP dialect says: frames of the server as ready bytes. Decides nothing about who hears them.

use bytes::Bytes;

use crate::gateway::frame;
use crate::gateway::stomp::version::{self, Version};

/// Who answers, in CONNECTED.
const SERVER: &str = concat!("campanile/", env!("CARGO_PKG_VERSION"));

/// A heart-beat: one line end.
pub const BEAT: Bytes = Bytes::from_static(b"\x81\x01\n");

/// The welcome. Its headers are never escaped; a name of ours holds nothing that would need it.
pub fn connected(version: Version, session: &str, user: &str, beat_ms: u64) -> Bytes {
    let version = version.as_str();
    frame::text(&format!(
        "CONNECTED\nversion:{version}\nheart-beat:{beat_ms},{beat_ms}\nsession:{session}\nserver:{SERVER}\nuser-name:{user}\n\n\0"
    ))
}

pub fn receipt(version: Version, id: &str) -> Bytes {
    frame::text(&format!("RECEIPT\nreceipt-id:{}\n\n\0", version.escaped(id)))
}

/// An error, after which nothing follows but the close. `versions`: tell which ones are spoken here.
pub fn error(version: Version, message: &str, receipt: Option<&str>, versions: bool) -> Bytes {
    let mut text = String::from("ERROR\n");
    if versions {
        text.push_str("version:");
        text.push_str(version::ALL);
        text.push('\n');
    }
    text.push_str(&format!("message:{}\n", version.escaped(message)));
    if let Some(receipt) = receipt {
        text.push_str(&format!("receipt-id:{}\n", version.escaped(receipt)));
    }
    let body = format!("{message}\n");
    text.push_str(&format!("content-type:text/plain;charset=utf-8\ncontent-length:{}\n\n{body}\0", body.len()));
    frame::text(&text)
}

/// The part of a MESSAGE that is the same for everybody: what its body is, and the body.
pub fn tail(json: &str) -> Bytes {
    Bytes::from(format!("content-type:application/json;charset=utf-8\ncontent-length:{}\n\n{json}\0", json.len()))
}

/// What stands at the beginning of each MESSAGE of one subscription, up to its number.
pub fn opening(version: Version, subscription: Option<&str>, destination: &str) -> String {
    let mut opening = String::from("MESSAGE\n");
    if let Some(id) = subscription {
        opening.push_str(&format!("subscription:{}\n", version.escaped(id)));
    }
    opening.push_str(&format!("destination:{destination}\nmessage-id:"));
    opening
}

/// The part of a MESSAGE that is one client's: the head of its WebSocket frame, the subscription, the number.
pub fn head(opening: &str, number: u64, ack: bool, tail: &Bytes) -> Bytes {
    let ack = if ack { format!("ack:{number}\n") } else { String::new() };
    frame::text_before(&format!("{opening}{number}\n{ack}"), tail.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beat_is_one_line_end() {
        assert_eq!(BEAT, frame::text("\n"));
    }

    #[test]
    fn a_message_in_two_parts_is_one_frame() {
        let tail = tail(r#"{"ä":1}"#);
        let head = head(&opening(Version::V12, Some("a:b"), "/queue/message"), 7, true, &tail);
        let whole = [&head[..], &tail[..]].concat();
        let want = "MESSAGE\nsubscription:a\\cb\ndestination:/queue/message\nmessage-id:7\nack:7\n\
                    content-type:application/json;charset=utf-8\ncontent-length:8\n\n{\"ä\":1}\0";
        assert_eq!(whole, frame::text(want));
    }
}
