//! JSON Web Tokens of another issuer: which are believed, until when, and whom they name (RFC 7519, RFC 8725). Issues none.

use std::fs;
use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;

use crate::domain::bearer::Hold;
use crate::domain::principal::Principal;
use crate::domain::refusal::Refusal;
use crate::service::Service;
use crate::service::login::SignedIn;
use crate::service::signatures;

/// Bytes of a token; a longer one is refused before anything is computed.
const TOKEN_BYTES_MAX: usize = 16_384;
/// RFC 7518 section 3.2: a key of HS256 has at least as many bytes as its hash.
const SECRET_BYTES_MIN: usize = 32;

/// What an operator says of tokens that are to be believed.
#[derive(Clone, Default)]
pub struct Rules {
    /// `HS256`, `RS256`, `ES256`; none: no token is believed.
    pub algorithms: Vec<String>,
    /// The key of HS256.
    pub secret: String,
    /// A PEM file with the public key of RS256; of ES256.
    pub rsa_key: PathBuf,
    pub ec_key: PathBuf,
    /// Of these issuers; empty: of whoever has the key.
    pub issuers: Vec<String>,
    /// For one of these audiences; empty: only tokens that name none.
    pub audiences: Vec<String>,
    /// So many seconds clocks may be apart.
    pub leeway_seconds: i64,
}

/// Knows the keys. Each algorithm has one of its own, so that a public key is never taken for a secret.
pub struct Trust {
    keys: Vec<(DecodingKey, Validation)>,
    leeway: TimeDelta,
}

/// What a token says that is believed.
#[derive(Debug, PartialEq, Eq)]
struct Word {
    /// Nothing that was opened with it outlives this.
    until: DateTime<Utc>,
    whom: Whom,
}

/// Whom a token names, by the best that it says.
#[derive(Debug, PartialEq, Eq)]
enum Whom {
    /// A member of an organisation, each by a number or an id.
    Member { organisation: String, user: String },
    /// A login name or a mail address first, then a mail address.
    Login { subject: Option<String>, email: Option<String> },
}

#[derive(Deserialize)]
struct Claims {
    exp: f64,
    nbf: Option<f64>,
    sub: Option<String>,
    email: Option<String>,
    email_verified: Option<Truth>,
    #[serde(rename = "natterboxOrgId")]
    organisation: Option<Name>,
    #[serde(rename = "natterboxUserId")]
    user: Option<Name>,
}

/// A number, or a text of digits: issuers write either.
#[derive(Deserialize)]
#[serde(untagged)]
enum Name {
    Text(String),
    Number(u64),
}

impl Name {
    fn text(self) -> String {
        match self {
            Name::Text(text) => text,
            Name::Number(number) => number.to_string(),
        }
    }
}

/// Some issuers write `"true"`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Truth {
    Plain(bool),
    Text(String),
}

impl Truth {
    fn holds(&self) -> bool {
        match self {
            Truth::Plain(plain) => *plain,
            Truth::Text(text) => text == "true",
        }
    }
}

/// Whether a bearer token has the form of a JWT. Ours have no dots.
pub fn is_jwt(token: &str) -> bool {
    token.split('.').count() == 3
}

impl Trust {
    /// Reads the keys; `None` where no algorithm is allowed. Refuses an unknown algorithm and one without a key that can be meant.
    pub fn new(rules: &Rules) -> Result<Option<Trust>, String> {
        if rules.algorithms.is_empty() {
            return Ok(None);
        }
        signatures::install();
        let mut keys = Vec::new();
        for name in &rules.algorithms {
            let (algorithm, key) = match name.as_str() {
                "HS256" if rules.secret.len() < SECRET_BYTES_MIN => {
                    return Err(format!("secret: HS256 needs at least {SECRET_BYTES_MIN} bytes"));
                }
                "HS256" => (Algorithm::HS256, DecodingKey::from_secret(rules.secret.as_bytes())),
                "RS256" => (Algorithm::RS256, public("rsa_key", &rules.rsa_key, DecodingKey::from_rsa_pem)?),
                "ES256" => (Algorithm::ES256, public("ec_key", &rules.ec_key, DecodingKey::from_ec_pem)?),
                other => return Err(format!("algorithms: {other:?} is none of HS256, RS256, ES256")),
            };
            let mut validation = Validation::new(algorithm);
            let mut required = vec!["exp"];
            if !rules.issuers.is_empty() {
                validation.set_issuer(&rules.issuers);
                required.push("iss");
            }
            if !rules.audiences.is_empty() {
                validation.set_audience(&rules.audiences);
                required.push("aud");
            }
            validation.set_required_spec_claims(&required);
            // By the service's clock, below.
            (validation.validate_exp, validation.validate_nbf) = (false, false);
            keys.push((key, validation));
        }
        Ok(Some(Trust { keys, leeway: TimeDelta::seconds(rules.leeway_seconds) }))
    }

    /// What a token says: `Expired` where it is over, `Unauthenticated` where it cannot be believed.
    fn read(&self, token: &str, now: DateTime<Utc>) -> Result<Word, Refusal> {
        let claims = self.claims(token).ok_or(Refusal::Unauthenticated)?;
        let until = instant(claims.exp).and_then(|exp| exp.checked_add_signed(self.leeway));
        let until = until.ok_or(Refusal::Unauthenticated)?;
        if until <= now {
            return Err(Refusal::Expired);
        }
        if let Some(from) = claims.nbf {
            let from = instant(from).and_then(|from| from.checked_sub_signed(self.leeway));
            if from.is_none_or(|from| from > now) {
                return Err(Refusal::Unauthenticated);
            }
        }
        let whom = match (claims.organisation, claims.user) {
            (None, None) => {
                let verified = claims.email_verified.as_ref().is_none_or(Truth::holds);
                Whom::Login { subject: claims.sub, email: claims.email.filter(|_| verified) }
            }
            (Some(organisation), Some(user)) => Whom::Member { organisation: organisation.text(), user: user.text() },
            // Half a name is nobody's.
            _ => return Err(Refusal::Unauthenticated),
        };
        Ok(Word { until, whom })
    }

    /// The claims of a token whose signature, issuer and audience are right.
    fn claims(&self, token: &str) -> Option<Claims> {
        let refused = |error| tracing::debug!(%error, "a JWT was refused");
        let header = decode_header(token).map_err(refused).ok().filter(|_| token.len() <= TOKEN_BYTES_MAX)?;
        // RFC 7515 section 4.1.11: what must be understood and is not. We understand none.
        if header.crit.is_some() {
            return None;
        }
        let (key, validation) = self.keys.iter().find(|(_, validation)| validation.algorithms.contains(&header.alg))?;
        Some(decode::<Claims>(token, key, validation).map_err(refused).ok()?.claims)
    }
}

/// A public key out of a PEM file.
fn public(
    name: &str,
    path: &PathBuf,
    read: fn(&[u8]) -> jsonwebtoken::errors::Result<DecodingKey>,
) -> Result<DecodingKey, String> {
    let text = fs::read_to_string(path).map_err(|why| format!("{name}: cannot read {}: {why}", path.display()))?;
    let key = if text.contains("PRIVATE KEY") { None } else { read(text.as_bytes()).ok() };
    key.ok_or_else(|| format!("{name}: {} holds no public key of that kind in PEM", path.display()))
}

/// RFC 7519 section 2, NumericDate: seconds, with a fraction that does not count here.
fn instant(seconds: f64) -> Option<DateTime<Utc>> {
    let sound = seconds.is_finite() && seconds.abs() < 1e12;
    sound.then_some(seconds as i64).and_then(|seconds| DateTime::from_timestamp(seconds, 0))
}

impl Service {
    /// From now on these tokens are believed too. The first word counts.
    pub fn believe(&self, trust: Trust) {
        let _ = self.trust.set(trust);
    }

    /// The person whom a JWT names, and until when they are in.
    pub(crate) async fn check_jwt(&self, token: &str) -> Result<SignedIn, Refusal> {
        let trust = self.trust.get().ok_or(Refusal::Unauthenticated)?;
        let word = trust.read(token, self.now())?;
        let principal = match self.named_by(word.whom).await {
            Ok(found) => found.ok_or(Refusal::Unauthenticated)?,
            Err(Refusal::NotFound) => return Err(Refusal::Unauthenticated),
            Err(refusal) => return Err(refusal),
        };
        let hold = Hold { user: principal.name.clone(), until: Some(word.until), session: None, row: None };
        Ok(SignedIn { principal, device: None, hold: Some(hold) })
    }

    async fn named_by(&self, whom: Whom) -> Result<Option<Principal>, Refusal> {
        match whom {
            Whom::Member { organisation, user } => {
                let organisation = self.organisation(&organisation).await?;
                let member = self.member(&organisation.id, &user).await?;
                Ok(self.store.principal(&member.user).await?)
            }
            Whom::Login { subject, email } => {
                for name in subject.iter().chain(email.iter().filter(|email| email.contains('@'))) {
                    if let Some(found) = self.find_login(name).await? {
                        return Ok(Some(found));
                    }
                }
                Ok(None)
            }
        }
    }
}
