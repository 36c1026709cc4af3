//! What the Wazo dialect says beside events: replies and closes. Decides nothing about who hears them.

use bytes::Bytes;
use serde::Serialize;

use crate::gateway::dialect::Leave;
use crate::gateway::frame;

/// The two spellings of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Events come as they were published; after `start` nothing else is said but its own reply.
    One,
    /// Events come in an envelope, and everything is replied to.
    Two,
}

impl Version {
    /// Reads the query's `version`. Absent or empty means the first.
    pub fn read(text: Option<&str>) -> Option<Version> {
        match text.unwrap_or_default() {
            "" | "1" => Some(Version::One),
            "2" => Some(Version::Two),
            _ => None,
        }
    }

    fn number(self) -> u8 {
        match self {
            Version::One => 1,
            Version::Two => 2,
        }
    }
}

pub const NO_TOKEN: Leave = Leave { code: 4001, reason: "no token" };
pub const NOT_LET_IN: Leave = Leave { code: 4002, reason: "authentication failed" };
pub const EXPIRED: Leave = Leave { code: 4003, reason: "authentication expired" };
/// Not understood. The real service gives no reason.
pub const MALFORMED: Leave = Leave { code: 4004, reason: "" };
pub const SLOW: Leave = Leave { code: 1013, reason: "too slow: connect again" };
pub const FULL: Leave = Leave { code: 1013, reason: "too many sockets: try again later" };
pub const TOO_MUCH: Leave = Leave { code: 1008, reason: "too many subscriptions" };
pub const TROUBLE: Leave = Leave { code: 1011, reason: "internal error" };

/// All four keys, always: old clients read `msg`, new ones `data`.
#[derive(Serialize)]
struct Reply<'a, T> {
    op: &'a str,
    code: u8,
    msg: &'a str,
    data: T,
}

#[derive(Serialize)]
struct Opened {
    version: u8,
}

#[derive(Serialize)]
struct Pong<'a> {
    payload: &'a str,
}

pub fn init(version: Version) -> Bytes {
    reply("init", Opened { version: version.number() })
}

/// The reply to an operation that went well; others close the socket.
pub fn done(op: &str) -> Bytes {
    reply(op, ())
}

pub fn pong(payload: &str) -> Bytes {
    reply("pong", Pong { payload })
}

/// An event as this version spells it; its body is JSON already.
pub fn event(version: Version, body: &str) -> Bytes {
    match version {
        Version::One => frame::text(body),
        Version::Two => frame::text(&format!(r#"{{"op":"event","code":0,"msg":"","data":{body}}}"#)),
    }
}

fn reply(op: &str, data: impl Serialize) -> Bytes {
    // Texts, numbers and maps with text keys always serialise; an empty frame is not sent.
    serde_json::to_string(&Reply { op, code: 0, msg: "", data })
        .map_or_else(|_| Bytes::new(), |text| frame::text(&text))
}
