//! Which web pages may use the service from a browser: `[cors]`.

use serde::Deserialize;

use crate::config::Config;
use crate::config::words::Words;
use crate::domain::origin::Origin;

/// Stands for any origin.
const ANY: &str = "*";

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cors {
    pub origins: Words,
}

impl Cors {
    /// Whether pages of any origin may.
    pub fn any(&self) -> bool {
        self.origins.iter().any(|word| word == ANY)
    }

    /// The origins that are named; the first word that is none is the fault.
    pub fn named(&self) -> Result<Vec<Origin>, String> {
        let named = self.origins.iter().filter(|word| *word != ANY);
        named
            .map(|word| {
                Origin::parse(word)
                    .ok_or_else(|| format!("{word:?} is no origin like https://app.example and not \"*\""))
            })
            .collect()
    }
}

impl Config {
    /// Origins whose pages may act with a session that a browser keeps: those that are named, and that of the public URL.
    pub fn trusted_origins(&self) -> Vec<Origin> {
        let mut origins = self.cors.named().unwrap_or_default();
        origins.extend(Origin::of_url(&self.sinks.public_url));
        origins
    }
}
