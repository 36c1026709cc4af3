//! The other ways out for alarms: `[sinks]`.

use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SinkKeys {
    pub webhook: bool,
    pub ntfy: bool,
    pub allow_private: bool,
    pub trusted: String,
    pub public_url: String,
    pub timeout_seconds: u64,
    pub attempts: u32,
    pub back_off_seconds: u64,
    pub back_off_max_seconds: u64,
    pub at_once: usize,
    pub waiting_per_user: usize,
    pub dead_per_user: usize,
    pub keep_seconds: u32,
}
