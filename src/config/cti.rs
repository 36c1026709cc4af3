//! The bounds of one CTI socket: `[cti]`.

use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CtiKeys {
    /// 0 means for ever.
    pub silence_seconds: u64,
}
