//! The bounds of one STOMP connection: `[stomp]`.

use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StompKeys {
    pub subscriptions: usize,
    pub unacknowledged: usize,
    pub connect_seconds: u64,
    pub heart_beat_seconds: u64,
}
