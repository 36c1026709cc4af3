//! Turning a manual clock: `[clock]`.

use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockKeys {
    pub patience_seconds: u64,
}
