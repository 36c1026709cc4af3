//! A desk of the tests' own: what stands where is said by the test, and its answers can be held back.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use campanile::domain::address::{Address, UserName};
use campanile::domain::bearer::{Bearing, Hold};
use campanile::domain::collection::CollectionId;
use campanile::domain::event::Rang;
use campanile::domain::notification::{ConversationId, MessageId};
use campanile::domain::refusal::Refusal;
use campanile::domain::sync::Token;
use campanile::gateway::dialect::{Desk, Directory, Readable, Visitor};
use campanile::gateway::sight::{Seen, Sight, Unseen};
use campanile::service::login::Credentials;
use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use uuid::Uuid;

pub type Answer = Result<Readable, Refusal>;

/// What stands where. Anything else is not found.
pub struct World {
    places: Mutex<HashMap<String, Answer>>,
    /// How many more asks are answered; `None` means all.
    left: Mutex<Option<usize>>,
    released: watch::Sender<u64>,
    /// Alarms that rang while nobody heard them.
    pub waiting: Mutex<Vec<Rang>>,
    /// Who stands behind which bearer token. Any other is unknown.
    pub tokens: Mutex<HashMap<String, Bearing>>,
    /// What everybody sees.
    pub seen: Mutex<Vec<(CollectionId, Address)>>,
    /// Messages that were noted as taken.
    pub taken: Mutex<Vec<MessageId>>,
    unread: Mutex<HashMap<String, u64>>,
}

impl World {
    pub fn new() -> Arc<World> {
        Arc::new(World {
            places: Mutex::default(),
            left: Mutex::new(None),
            released: watch::Sender::new(0),
            waiting: Mutex::default(),
            tokens: Mutex::default(),
            seen: Mutex::default(),
            taken: Mutex::default(),
            unread: Mutex::default(),
        })
    }

    pub fn set(&self, path: &str, answer: Answer) {
        self.places.lock().unwrap().insert(path.to_owned(), answer);
    }

    pub fn readable(&self, path: &str, collection: u64, token: u64) {
        self.set(path, Ok(Readable { collection: CollectionId(collection), token: Token(token) }));
    }

    /// How much of somebody is unread; anybody else was never told anything.
    pub fn set_unread(&self, user: &str, unread: u64) {
        self.unread.lock().unwrap().insert(user.to_owned(), unread);
    }

    pub fn hold_after(&self, asks: usize) {
        *self.left.lock().unwrap() = Some(asks);
    }

    pub fn release(&self) {
        *self.left.lock().unwrap() = None;
        self.released.send_modify(|times| *times += 1);
    }

    pub fn token(&self, token: &str) -> Result<Bearing, Refusal> {
        self.tokens.lock().unwrap().get(token).cloned().ok_or(Refusal::Unauthenticated)
    }

    /// Takes one of the answers that are left; `false` where they are held back.
    pub fn may_answer(&self) -> bool {
        let mut left = self.left.lock().unwrap();
        match &mut *left {
            Some(0) => return false,
            Some(left) => *left -= 1,
            None => {}
        }
        true
    }

    pub fn holds(&self) -> bool {
        self.left.lock().unwrap().is_some()
    }

    /// Waits until answers are not held back.
    async fn held(&self) -> &World {
        let mut released = self.released.subscribe();
        while !self.may_answer() {
            released.changed().await.unwrap();
        }
        self
    }

    /// The answer, unless answers are held back.
    pub fn look(&self, address: &Address) -> Option<Answer> {
        if !self.may_answer() {
            return None;
        }
        let places = self.places.lock().unwrap();
        Some(places.get(&address.to_string()).cloned().unwrap_or(Err(Refusal::NotFound)))
    }
}

impl Desk for World {
    fn resolve<'a>(&'a self, _: &'a UserName, address: &'a Address) -> BoxFuture<'a, Answer> {
        Box::pin(async move {
            let mut released = self.released.subscribe();
            loop {
                if let Some(answer) = self.look(address) {
                    return answer;
                }
                released.changed().await.unwrap();
            }
        })
    }

    fn waiting<'a>(&'a self, _: &'a UserName) -> BoxFuture<'a, Result<Vec<Rang>, Refusal>> {
        Box::pin(async { Ok(self.waiting.lock().unwrap().clone()) })
    }

    fn bear<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Bearing, Refusal>> {
        Box::pin(async move { self.held().await.token(token) })
    }

    fn see<'a>(&'a self, _: &'a UserName) -> BoxFuture<'a, Result<Vec<(CollectionId, Address)>, Refusal>> {
        Box::pin(async { Ok(self.held().await.seen.lock().unwrap().clone()) })
    }

    fn sign_in<'a>(&'a self, credentials: &'a Credentials, _: IpAddr) -> BoxFuture<'a, Result<Visitor, Refusal>> {
        // Whoever knows the password "secret", or brings a token that is called like themselves.
        let name = match credentials {
            Credentials::Basic { login, password } if password == "secret" => Some(login),
            Credentials::Bearer(token) | Credentials::Ticket(token) => Some(token),
            Credentials::Basic { .. } | Credentials::Proved(_) | Credentials::None => None,
        };
        let known = name.filter(|name| ["alice", "bob"].contains(&name.as_str())).and_then(|name| UserName::new(name));
        Box::pin(async { known.map(|user| Visitor { user, device: None, hold: None }).ok_or(Refusal::Unauthenticated) })
    }

    fn holds<'a>(&'a self, _: &'a Hold) -> BoxFuture<'a, Result<bool, Refusal>> {
        Box::pin(async { Ok(true) })
    }

    fn taken<'a>(
        &'a self,
        _: &'a UserName,
        messages: Vec<(ConversationId, MessageId)>,
    ) -> BoxFuture<'a, Result<(), Refusal>> {
        self.taken.lock().unwrap().extend(messages.iter().map(|(_, id)| *id));
        Box::pin(async { Ok(()) })
    }

    fn channel<'a>(&'a self, _: &'a UserName, address: &'a Address) -> BoxFuture<'a, Result<String, Refusal>> {
        Box::pin(async { self.look(address).unwrap_or(Err(Refusal::NotFound)).map(|_| address.name().to_owned()) })
    }

    fn unread<'a>(
        &'a self,
        _: &'a UserName,
        organisation: &'a str,
        user: &'a str,
    ) -> BoxFuture<'a, Result<(UserName, u64), Refusal>> {
        // Organisation 12345 has alice and bob, who may be heard of, and a third, who may not.
        let found = match (organisation, user) {
            ("12345", "1") => Ok("alice"),
            ("12345", "2") => Ok("bob"),
            ("12345", "3") => Err(Refusal::Forbidden),
            _ => Err(Refusal::NotFound),
        };
        let unread = |name: &str| self.unread.lock().unwrap().get(name).copied().unwrap_or(0);
        Box::pin(async move { found.map(|name| (UserName::new(name).unwrap(), unread(name))) })
    }

    fn look<'a>(&'a self, _: &'a UserName, _: &'a Sight) -> BoxFuture<'a, Result<Seen, Unseen>> {
        panic!("nobody asks for presence here")
    }

    fn told<'a>(&'a self, _: &'a UserName, alarms: Vec<(DateTime<Utc>, u64)>) -> BoxFuture<'a, Result<(), Refusal>> {
        self.waiting.lock().unwrap().retain(|alarm| !alarms.contains(&(alarm.at, alarm.id)));
        Box::pin(async { Ok(()) })
    }
}

/// People by the first letter of their name; everybody is of one tenant, but those who begin with an `x`.
impl Directory for World {
    fn origin(&self) -> Uuid {
        Uuid::from_u128(0xF00)
    }

    fn person(&self, user: &UserName) -> Uuid {
        Uuid::from_u128(u128::from(user.as_str().as_bytes()[0]))
    }

    fn tenant(&self, user: &UserName) -> Uuid {
        Uuid::from_u128(if user.as_str().starts_with('x') { 0xE02 } else { 0xE01 })
    }
}
