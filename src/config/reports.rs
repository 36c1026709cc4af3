//! What questions about whole collections may cost: `[reports]`.

use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportKeys {
    pub index_objects: usize,
    pub parsed_bytes: usize,
    pub instances: usize,
    pub expanded_bytes: usize,
    pub hrefs: usize,
    pub steps: u32,
}
