//! Where Wazo clients are served, and their bounds: `[wazo]`.

use std::net::SocketAddr;

use serde::Deserialize;

use crate::config::Config;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wazo {
    /// An address, or `off`, or nothing, which means the same.
    pub address: String,
    /// PEM files; where both are empty, a certificate is made.
    pub certificate: String,
    pub key: String,
    /// What a certificate that is made is for.
    pub names: Vec<String>,
    pub subscriptions: usize,
    pub expire_soon_seconds: u32,
    /// Somebody asked for that address: it is no default.
    #[serde(skip)]
    pub chosen: bool,
}

impl Config {
    /// Where Wazo clients are to be served; as with [`Config::metrics_address`].
    pub fn wazo_address(&self) -> Option<SocketAddr> {
        self.apart(&self.wazo.address, self.wazo.chosen)
    }
}
