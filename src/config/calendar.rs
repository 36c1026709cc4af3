//! What holds where nobody says otherwise: `[calendar]`.

use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calendar {
    pub default_timezone: String,
}
