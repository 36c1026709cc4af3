//! Who else may say who is calling: `[auth]`.

use std::path::PathBuf;

use serde::Deserialize;

use crate::config::Config;
use crate::config::jwt::Jwt;
use crate::config::words::Words;
use crate::domain::net::Nets;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    pub proxy_header: String,
    pub proxy_from: Words,
    pub proxy_create: bool,
    /// A path, or nothing.
    pub htpasswd: String,
    pub htpasswd_create: bool,
    pub htpasswd_plain: bool,
    pub mail_domain: String,
    /// The beginning of a wazo-auth's API, or nothing.
    pub wazo_url: String,
    pub wazo_seconds: u64,
    /// A UUID, or nothing.
    pub wazo_master_tenant: String,
    pub jwt: Jwt,
}

impl Auth {
    pub fn htpasswd(&self) -> Option<PathBuf> {
        (!self.htpasswd.is_empty()).then(|| PathBuf::from(&self.htpasswd))
    }
}

/// Headers that mean something else already: whoever names one here would let every client say who it is.
const TAKEN: [&str; 8] =
    ["authorization", "connection", "cookie", "forwarded", "host", "origin", "upgrade", "x-forwarded-for"];

/// Whether a header may carry the name of who is calling: empty for none. Lower or upper case does not matter.
pub fn header(name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if name.contains('_') {
        // Some servers on the way read an underscore as a hyphen, so that one header can pass for the other.
        return Err(format!("{name:?} holds an underscore, which some proxies take for a hyphen"));
    }
    if !name.chars().all(plain) || TAKEN.iter().any(|taken| taken.eq_ignore_ascii_case(name)) {
        return Err(format!("{name:?} cannot be the header that names who is calling"));
    }
    Ok(())
}

impl Config {
    /// The networks whose header is believed. What could not be read was refused when the configuration was.
    pub fn proxies(&self) -> Nets {
        Nets::parse(self.auth.proxy_from.iter()).unwrap_or_default()
    }

    /// What an operator should know before the service starts: sound settings that may not be meant.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let open = self.listener.iter().find(|listener| !listener.address.ip().is_loopback());
        if let Some(listener) = open.filter(|_| !self.auth.proxy_header.is_empty()) {
            warnings.push(format!(
                "auth.proxy_header is trusted and {} is reachable from other machines: whoever speaks from auth.proxy_from is believed without a password",
                listener.address
            ));
        }
        if !self.auth.jwt.algorithms.0.is_empty() && self.auth.jwt.audiences.0.is_empty() {
            let why = "auth.jwt.audiences is empty: a token that was issued for another service and does not say so is believed";
            warnings.push(why.to_owned());
        }
        warnings
    }
}
