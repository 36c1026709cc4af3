//! How much of everything: `[limits]`.

use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitKeys {
    pub sockets_per_user: usize,
    pub sockets: usize,
    pub tickets_per_minute: u32,
    pub token_checks_per_minute: u32,
    pub token_failures_per_minute: u32,
    pub logins_per_minute: u32,
    pub logins_at_once: usize,
    pub app_passwords_per_user: usize,
    pub object_bytes: u64,
    pub collection_bytes: u64,
    pub collection_objects: u64,
    pub collections_per_home: usize,
    pub shares_per_collection: usize,
    pub properties: usize,
    pub property_bytes: usize,
    pub recurrence_steps: u32,
}
