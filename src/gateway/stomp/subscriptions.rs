//! What one client subscribed to, and which messages it has still to acknowledge. Says nothing itself.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::bus::Notice;
use crate::domain::notification::{ConversationId, MessageId};
use crate::gateway::dialect::Outgoing;
use crate::gateway::stomp::feed::Feed;
use crate::gateway::stomp::version::Version;
use crate::gateway::stomp::writer;

/// A message that its person has, once a client has it.
pub type Taken = (ConversationId, MessageId);

/// How a client acknowledges what it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Not at all: what was sent was taken.
    Auto,
    /// With each message all before it.
    Client,
    /// Each message for itself.
    Individual,
}

impl Mode {
    pub fn read(text: Option<&str>) -> Option<Mode> {
        match text {
            None | Some("auto") => Some(Mode::Auto),
            Some("client") => Some(Mode::Client),
            Some("client-individual") => Some(Mode::Individual),
            Some(_) => None,
        }
    }
}

#[derive(Debug)]
struct Subscription {
    /// Never used twice on a connection, unlike the client's own id.
    serial: u64,
    /// STOMP 1.0 may do without.
    id: Option<String>,
    destination: &'static str,
    feed: Feed,
    mode: Mode,
    /// The first bytes of each of its messages.
    opening: String,
}

#[derive(Debug)]
struct Unacknowledged {
    number: u64,
    serial: u64,
    mode: Mode,
    taken: Option<Taken>,
}

/// Why a subscription cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum No {
    Twice,
    TooMany,
}

#[derive(Debug, Default)]
pub struct Subscriptions {
    all: Vec<Subscription>,
    next_serial: u64,
    /// The last message's number; they are unique in the session.
    number: u64,
    /// In the order of their numbers.
    open: VecDeque<Unacknowledged>,
}

impl Subscriptions {
    pub fn add(
        &mut self,
        version: Version,
        id: Option<&str>,
        (destination, feed): (&'static str, Feed),
        mode: Mode,
        max: usize,
    ) -> Result<(), No> {
        if id.is_some() && self.all.iter().any(|one| one.id.as_deref() == id) {
            return Err(No::Twice);
        }
        if self.all.len() >= max {
            return Err(No::TooMany);
        }
        self.next_serial += 1;
        self.all.push(Subscription {
            serial: self.next_serial,
            id: id.map(str::to_owned),
            destination,
            feed,
            mode,
            opening: writer::opening(version, id, destination),
        });
        Ok(())
    }

    /// Gives one up; without an id all to that destination that have none. Nothing to give up is no fault: the Airy client does so.
    pub fn remove(&mut self, id: Option<&str>, destination: Option<&str>) {
        let open = &mut self.open;
        self.all.retain(|one| {
            let gone = match id {
                Some(_) => one.id.as_deref() == id,
                None => one.id.is_none() && Some(one.destination) == destination,
            };
            if gone {
                open.retain(|other| other.serial != one.serial);
            }
            !gone
        });
    }

    pub fn wants(&self, feed: Feed) -> bool {
        self.all.iter().any(|one| one.feed == feed)
    }

    /// How many messages wait to be acknowledged.
    pub fn unacknowledged(&self) -> usize {
        self.open.len()
    }

    /// One MESSAGE for each subscription to `feed`; the shared part is the same bytes in all. Answers whether one of them counts as
    /// taken as soon as it is sent.
    pub fn tell(
        &mut self,
        feed: Feed,
        tail: &Bytes,
        taken: Option<Taken>,
        version: Version,
        notice: Option<&Notice>,
        say: &mut dyn FnMut(Outgoing),
    ) -> bool {
        let mut at_once = false;
        for one in self.all.iter().filter(|one| one.feed == feed) {
            self.number += 1;
            let asked = one.mode != Mode::Auto;
            // The header `ack` came with 1.2; before, the message is named.
            let head = writer::head(&one.opening, self.number, asked && version == Version::V12, tail);
            say(Outgoing::shared(head, tail.clone(), notice));
            if asked {
                self.open.push_back(Unacknowledged { number: self.number, serial: one.serial, mode: one.mode, taken });
            } else {
                at_once = true;
            }
        }
        at_once
    }

    /// Whether such a message waits; `subscription` is named by 1.1 only.
    pub fn waits(&self, number: u64, subscription: Option<&str>) -> bool {
        let Ok(at) = self.open.binary_search_by_key(&number, |one| one.number) else { return false };
        let serial = self.open.get(at).map(|one| one.serial);
        subscription
            .is_none_or(|id| self.all.iter().any(|one| one.id.as_deref() == Some(id) && Some(one.serial) == serial))
    }

    /// Takes an answer to a message: it and, where the mode says so, those of its subscription before it wait no longer. Answers what
    /// they told.
    pub fn answer(&mut self, number: u64) -> Vec<Taken> {
        let Ok(at) = self.open.binary_search_by_key(&number, |one| one.number) else { return Vec::new() };
        let Some((serial, mode)) = self.open.get(at).map(|one| (one.serial, one.mode)) else { return Vec::new() };
        let mut taken = Vec::new();
        self.open.retain(|one| {
            let meant = match mode {
                Mode::Client => one.serial == serial && one.number <= number,
                Mode::Auto | Mode::Individual => one.number == number,
            };
            if meant {
                taken.extend(one.taken);
            }
            !meant
        });
        taken
    }
}
