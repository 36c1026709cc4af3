//! How much of what people are told is kept: `[notifications]`.

use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotificationKeys {
    pub keep_seconds: u32,
    pub per_user: u64,
}
