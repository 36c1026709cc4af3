//! Where `/metrics` is served: `[metrics]`.

use std::net::SocketAddr;

use serde::Deserialize;

use crate::config::Config;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    /// An address, or `off`, or nothing, which means the same.
    pub address: String,
    /// PEM files; without TLS where both are empty.
    pub certificate: String,
    pub key: String,
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
        self.apart(&self.metrics.address, self.metrics.chosen)
    }

    /// The address of a listener for one thing alone.
    pub(crate) fn apart(&self, address: &str, chosen: bool) -> Option<SocketAddr> {
        let mut address: SocketAddr = address.parse().ok()?;
        if !chosen && self.listener.iter().any(|listener| listener.address.port() == 0) {
            address.set_port(0);
        }
        Some(address)
    }
}
