//! When alarms ring: `[alarms]`.

use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlarmKeys {
    pub require_accepted: bool,
    pub arm_ahead_seconds: u32,
    pub late_seconds: u32,
}
