//! The bounds of one socket: `[websocket]`.

use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebSocket {
    pub ping_seconds: u64,
    pub message_bytes: usize,
    pub queue_bytes: usize,
    pub write_seconds: u64,
    pub registrations: usize,
}
