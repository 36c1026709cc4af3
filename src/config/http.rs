//! Where HTTP is served, and its bounds: `[[listener]]`, `[http]`.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    pub address: SocketAddr,
    /// PEM files; TLS where both are given.
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    pub header_seconds: u64,
    pub connections: usize,
    pub shutdown_seconds: u64,
}
