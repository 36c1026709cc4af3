//! Who is in which organisation, and what makes somebody busy: `[organisation]`, `[presence]`.

use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrganisationKeys {
    pub default: String,
    pub group_people: usize,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PresenceKeys {
    pub require_connection: bool,
    pub active_seconds: u32,
    pub ringing_on_alarm: bool,
    pub call_seconds: u32,
    pub focus_categories: Vec<String>,
    pub absence_categories: Vec<String>,
}
