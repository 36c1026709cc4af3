//! Which JSON Web Tokens of another issuer are believed: `[auth.jwt]`.

use std::path::PathBuf;

use serde::Deserialize;

use crate::config::words::Words;
use crate::service::jwt::Rules;

/// The algorithms that can be allowed, and the key that each needs.
const ALGORITHMS: [(&str, &str); 3] = [("HS256", "secret"), ("RS256", "rsa_key"), ("ES256", "ec_key")];

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jwt {
    pub algorithms: Words,
    pub secret: String,
    pub rsa_key: String,
    pub ec_key: String,
    pub issuers: Words,
    pub audiences: Words,
    pub leeway_seconds: u32,
}

impl std::fmt::Debug for Jwt {
    // Without the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Jwt").field("algorithms", &self.algorithms).finish_non_exhaustive()
    }
}

impl Jwt {
    /// Whether each algorithm is known and has its key; what the keys hold is looked at when the service starts.
    pub fn check(&self) -> Result<(), String> {
        for name in self.algorithms.iter() {
            let Some((_, key)) = ALGORITHMS.iter().find(|(known, _)| *known == name) else {
                return Err(format!("{name:?} is none of HS256, RS256, ES256"));
            };
            let value = match *key {
                "secret" => &self.secret,
                "rsa_key" => &self.rsa_key,
                _ => &self.ec_key,
            };
            if value.is_empty() {
                return Err(format!("{name} needs auth.jwt.{key}"));
            }
        }
        Ok(())
    }

    pub fn rules(&self) -> Rules {
        Rules {
            algorithms: self.algorithms.0.clone(),
            secret: self.secret.clone(),
            rsa_key: PathBuf::from(&self.rsa_key),
            ec_key: PathBuf::from(&self.ec_key),
            issuers: self.issuers.0.clone(),
            audiences: self.audiences.0.clone(),
            leeway_seconds: self.leeway_seconds.into(),
        }
    }
}
