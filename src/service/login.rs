//! Who is calling: passwords, app passwords, bearer tokens and tickets become a `Principal`. A wrong password costs what a right one does,
//! and so does an unknown name.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio::sync::Semaphore;

use crate::domain::address::UserName;
use crate::domain::bearer::Hold;
use crate::domain::device::{Device, Purpose};
use crate::domain::principal::{self, Principal};
use crate::domain::refusal::Refusal;
use crate::service::Service;
use crate::service::argon;
use crate::service::crypt::Hashed;
use crate::service::htpasswd::{Book, Htpasswd};
use crate::service::rate::Rate;
use crate::service::settings::Settings;
use crate::system::pace;
use crate::system::random::{self, Random};

/// How long a verified password is remembered: DAV clients send theirs with every request.
const REMEMBER: Duration = Duration::from_secs(300);
/// Past this many remembered logins all are forgotten.
const REMEMBERED_MAX: usize = 10_000;
/// A longer password is refused before it costs anything.
pub const PASSWORD_MAX: usize = 1_024;

/// What a request brings to prove who sends it.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    None,
    Basic {
        login: String,
        password: String,
    },
    Bearer(String),
    Ticket(String),
    /// Somebody whom the head of the same request has proved already. No request can bring this itself.
    Proved(UserName),
}

/// Who signed in, and with which device's password, if it was one's.
#[derive(Clone, Debug)]
pub struct SignedIn {
    pub principal: Principal,
    pub device: Option<Device>,
    /// What keeps them in, if they brought a bearer token.
    pub hold: Option<Hold>,
}

impl SignedIn {
    /// The person, if this device may do what they are about to do.
    pub fn allowed(self, purpose: Purpose) -> Result<Principal, Refusal> {
        match self.device {
            Some(device) if !device.scope.allows(purpose) => Err(Refusal::Forbidden),
            _ => Ok(self.principal),
        }
    }
}

impl From<Principal> for SignedIn {
    fn from(principal: Principal) -> SignedIn {
        SignedIn { principal, device: None, hold: None }
    }
}

impl std::fmt::Debug for Credentials {
    // Without the secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Credentials::None => "None",
            Credentials::Basic { .. } => "Basic",
            Credentials::Bearer(_) => "Bearer",
            Credentials::Ticket(_) => "Ticket",
            Credentials::Proved(_) => "Proved",
        })
    }
}

/// Keeps what logging in needs between requests.
pub struct Doorkeeper {
    pepper: [u8; 64],
    verified: Mutex<HashMap<[u8; 32], Instant>>,
    hashing: Arc<Semaphore>,
    tries: Rate,
    pub(crate) tickets: Rate,
    /// Looks at bearer tokens for sockets, by user; and failed ones, by token.
    pub(crate) checks: Rate,
    pub(crate) failures: Rate,
    htpasswd: Htpasswd,
    /// Verified against when nobody has that name, so that the answer takes as long.
    decoy: String,
}

impl Doorkeeper {
    pub fn new(settings: &Settings, random: &dyn Random) -> Doorkeeper {
        let (limits, auth) = (&settings.limits, &settings.auth);
        Doorkeeper {
            pepper: random::bytes(random),
            verified: Mutex::default(),
            hashing: Arc::new(Semaphore::new(limits.logins_at_once.max(1))),
            tries: Rate::new(limits.logins_per_minute, "too many passwords were tried for this name"),
            tickets: Rate::new(limits.tickets_per_minute, "too many tickets were drawn"),
            checks: Rate::new(limits.token_checks_per_minute, "tokens of this user were looked at too often"),
            failures: Rate::new(limits.token_failures_per_minute, "this token failed too often"),
            htpasswd: Htpasswd::new(auth.htpasswd.clone(), auth.htpasswd_plain),
            decoy: argon::hash("nobody has this password", random::bytes(random)).unwrap_or_default(),
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

/// The network that an address stands in: what one subscriber is given, /24 of IPv4 and /64 of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::from((u32::from(address) & 0xFFFF_FF00).to_be_bytes()),
        IpAddr::V6(address) => IpAddr::from((u128::from(address) & !u128::from(u64::MAX)).to_be_bytes()),
    }
}

/// A password, and what it may be the password of.
struct Tried {
    password: String,
    /// The person's own hash; absent for people who are not there, and for those who sign in elsewhere.
    own: Option<String>,
    book: Arc<Book>,
    /// The name to look up in the book.
    name: Option<UserName>,
}

impl Tried {
    fn listed(&self) -> Option<&Hashed> {
        self.name.as_ref().and_then(|name| self.book.hash_of(name))
    }

    /// What a remembered login is bound to: it ends when either hash changes.
    fn rests_on(&self) -> String {
        format!("{}\n{}", self.own.as_deref().unwrap_or_default(), self.listed().map_or("", Hashed::text))
    }

    fn can_be_right(&self) -> bool {
        self.own.is_some() || self.listed().is_some()
    }

    /// Whether it fits one of the two. Where it does not, both were computed, or a decoy of each: nobody can tell by the time who is there.
    fn is_right(&self, decoy: &str) -> bool {
        let listed = self.listed();
        if listed.is_some_and(|hash| hash.fits(&self.password)) {
            return true;
        }
        let own = argon::verify(&self.password, self.own.as_deref().unwrap_or(decoy)) && self.own.is_some();
        if !own
            && listed.is_none()
            && let Some(decoy) = self.book.decoy()
        {
            decoy.fits(&self.password);
        }
        own
    }
}

impl Service {
    /// Who brings these credentials to a socket; an app password must be for that. A ticket is used up by this, whatever comes of it.
    pub async fn authenticate(&self, credentials: &Credentials, from: IpAddr) -> Result<Principal, Refusal> {
        self.sign_in(credentials, from).await?.allowed(Purpose::Push)
    }

    /// Who brings these credentials, whatever for. A ticket is used up by this, whatever comes of it.
    pub async fn sign_in(&self, credentials: &Credentials, from: IpAddr) -> Result<SignedIn, Refusal> {
        let caller = match credentials {
            Credentials::None => Err(Refusal::Unauthenticated),
            Credentials::Basic { login, password } => self.check_password(login, password, from).await,
            Credentials::Bearer(token) => self.check_bearer(token).await,
            Credentials::Ticket(value) => self.redeem_ticket(value).await,
            Credentials::Proved(name) => Ok(self.person(name).await?.into()),
        }?;
        self.note_activity(&caller.principal.name);
        Ok(caller)
    }

    /// A login name or a mail address, and the password or an app password that belongs to it.
    async fn check_password(&self, login: &str, password: &str, from: IpAddr) -> Result<SignedIn, Refusal> {
        if password.len() > PASSWORD_MAX {
            return Err(Refusal::Unauthenticated);
        }
        let found = self.find_login(login).await?;
        // Before anything is counted: who guesses at somebody's password does not lock their devices out.
        if let Some(found) = &found
            && let Some(device) = self.device_with(&found.name, password).await?
        {
            return Ok(SignedIn { principal: found.clone(), device: Some(device), hold: None });
        }
        let name = found.as_ref().map(|found| found.name.clone()).or_else(|| principal::login_name(login));
        let tried = Tried {
            password: password.to_owned(),
            own: found.as_ref().map(|found| found.password_hash.clone()).filter(|hash| !hash.is_empty()),
            book: self.doorkeeper.htpasswd.book(),
            name,
        };
        let proof = self.doorkeeper.proof(login, password, &tried.rests_on());
        if tried.can_be_right() && self.doorkeeper.remembers(&proof) {
            return found.map(SignedIn::from).ok_or(Refusal::Unauthenticated);
        }
        // By what was typed, in one spelling: who counts by account tells which mail address belongs to which name. And by where it comes
        // from: who guesses elsewhere does not lock the owner out.
        self.doorkeeper.tries.admit(&format!("{} {}", login.trim().to_lowercase(), network(from)))?;
        let _turn = self.doorkeeper.hashing.acquire().await;
        let decoy = self.doorkeeper.decoy.clone();
        if !tokio::task::spawn_blocking(move || tried.is_right(&decoy)).await.unwrap_or(false) {
            return Err(Refusal::Unauthenticated);
        }
        let found = match found {
            Some(found) => found,
            None if self.settings.auth.htpasswd_create => self.welcome(login).await?,
            None => return Err(Refusal::Unauthenticated),
        };
        self.doorkeeper.remember(proof);
        Ok(found.into())
    }

    pub(crate) async fn find_login(&self, login: &str) -> Result<Option<Principal>, Refusal> {
        let by_mail = if login.contains('@') { self.store.user_of_mail(login.trim()).await? } else { None };
        match by_mail.or_else(|| principal::login_name(login)) {
            Some(name) => Ok(self.store.principal(&name).await?),
            None => Ok(None),
        }
    }
}
