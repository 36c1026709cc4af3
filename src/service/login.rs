//! Who is calling: passwords, bearer tokens and tickets become a `Principal`. A wrong password costs what a right one does, and so does
//! an unknown name.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::sync::Semaphore;

use crate::domain::principal::{self, Principal};
use crate::domain::refusal::Refusal;
use crate::service::Service;
use crate::service::rate::Rate;
use crate::service::settings::Limits;
use crate::system::pace;
use crate::system::random::{self, Random};

/// How long a verified password is remembered: DAV clients send theirs with every request.
const REMEMBER: Duration = Duration::from_secs(300);
/// Past this many remembered logins all are forgotten.
const REMEMBERED_MAX: usize = 10_000;
/// A longer password is refused before it costs anything.
pub const PASSWORD_MAX: usize = 1_024;

/// What a request brings to prove who sends it.
#[derive(Clone)]
pub enum Credentials {
    None,
    Basic { login: String, password: String },
    Bearer(String),
    Ticket(String),
}

/// Keeps what logging in needs between requests.
pub struct Doorkeeper {
    pepper: [u8; 64],
    verified: Mutex<HashMap<[u8; 32], Instant>>,
    hashing: Arc<Semaphore>,
    tries: Rate,
    pub(crate) tickets: Rate,
    /// Verified against when nobody has that name, so that the answer takes as long.
    decoy: String,
}

impl Doorkeeper {
    pub fn new(limits: &Limits, random: &dyn Random) -> Doorkeeper {
        Doorkeeper {
            pepper: random::bytes(random),
            verified: Mutex::default(),
            hashing: Arc::new(Semaphore::new(limits.logins_at_once.max(1))),
            tries: Rate::new(limits.logins_per_minute, "too many passwords were tried for this name"),
            tickets: Rate::new(limits.tickets_per_minute, "too many tickets were drawn"),
            decoy: hash("nobody has this password", random::bytes(random)).unwrap_or_default(),
        }
    }

    fn proof(&self, login: &str, password: &str, hash: &str) -> [u8; 32] {
        let mut mac = <Hmac<Sha256> as KeyInit>::new(&self.pepper.into());
        for part in [login, password, hash] {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac.finalize().into_bytes().into()
    }

    fn remembers(&self, proof: &[u8; 32]) -> bool {
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        match verified.get(proof) {
            Some(since) if pace::now().duration_since(*since) < REMEMBER => true,
            Some(_) => {
                verified.remove(proof);
                false
            }
            None => false,
        }
    }

    fn remember(&self, proof: [u8; 32]) {
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        if verified.len() >= REMEMBERED_MAX {
            verified.clear();
        }
        verified.insert(proof, pace::now());
    }
}

/// An argon2id hash in PHC form (m = 19,456 KiB, t = 2, p = 1).
pub fn hash(password: &str, salt: [u8; 16]) -> Option<String> {
    Argon2::default().hash_password_with_salt(password.as_bytes(), &salt).ok().map(|hash| hash.to_string())
}

fn verify(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

impl Service {
    /// Who brings these credentials. A ticket is used up by this, whatever comes of it.
    pub async fn authenticate(&self, credentials: &Credentials, _from: IpAddr) -> Result<Principal, Refusal> {
        let caller = match credentials {
            Credentials::None => Err(Refusal::Unauthenticated),
            Credentials::Basic { login, password } => self.check_password(login, password).await,
            Credentials::Bearer(token) => self.check_bearer(token).await,
            Credentials::Ticket(value) => self.redeem_ticket(value).await,
        }?;
        self.note_activity(&caller.name);
        Ok(caller)
    }

    /// A login name or a mail address, and the password that belongs to it.
    async fn check_password(&self, login: &str, password: &str) -> Result<Principal, Refusal> {
        if password.len() > PASSWORD_MAX {
            return Err(Refusal::Unauthenticated);
        }
        let found = self.find_login(login).await?;
        let hash = found.as_ref().map_or(self.doorkeeper.decoy.as_str(), |found| found.password_hash.as_str());
        let proof = self.doorkeeper.proof(login, password, hash);
        if found.is_some() && self.doorkeeper.remembers(&proof) {
            return found.ok_or(Refusal::Unauthenticated);
        }
        // By what was typed, in one spelling: who counts by account tells which mail address belongs to which name.
        self.doorkeeper.tries.admit(&login.trim().to_lowercase())?;
        let _turn = self.doorkeeper.hashing.acquire().await;
        let (password, hash) = (password.to_owned(), hash.to_owned());
        let right = tokio::task::spawn_blocking(move || verify(&password, &hash)).await.unwrap_or(false);
        match found {
            Some(found) if right => {
                self.doorkeeper.remember(proof);
                Ok(found)
            }
            _ => Err(Refusal::Unauthenticated),
        }
    }

    async fn find_login(&self, login: &str) -> Result<Option<Principal>, Refusal> {
        let by_mail = if login.contains('@') { self.store.user_of_mail(login.trim()).await? } else { None };
        match by_mail.or_else(|| principal::login_name(login)) {
            Some(name) => Ok(self.store.principal(&name).await?),
            None => Ok(None),
        }
    }
}
