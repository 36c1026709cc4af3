//! Where `/metrics` is served: `[metrics]`.

use std::net::SocketAddr;

use serde::Deserialize;

use crate::config::Config;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    /// An address, or `off`, or nothing, which means the same.
    pub address: String,
    /// Somebody asked for that address: it is no default.
    #[serde(skip)]
    pub chosen: bool,
}

/// What stands for no address.
pub const OFF: [&str; 2] = ["", "off"];

impl Config {
    /// Where `/metrics` is to be served; `None` where it is switched off. Beside a listener on any free port the default is any free port
    /// too, so that several services on one machine do not want the same.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        let mut address: SocketAddr = self.metrics.address.parse().ok()?;
        if !self.metrics.chosen && self.listener.iter().any(|listener| listener.address.port() == 0) {
            address.set_port(0);
        }
        Some(address)
    }
}
