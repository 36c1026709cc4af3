//! What one Side socket is registered for: by the client's path, and by the collection behind it. Asks nobody.

use std::collections::HashMap;
use std::sync::Arc;

use crate::bus::{Face, Notice};
use crate::domain::address::Address;
use crate::domain::collection::CollectionId;
use crate::domain::event::Event;
use crate::domain::sync::Token;
use crate::gateway::dialect::{Outgoing, Step};
use crate::gateway::side::push;

/// How many notices are kept for a path while its rights are looked up. At the bound the oldest is dropped: the look-up brings the
/// current token anyway, so at most the news of a very old import is lost.
const HELD_MAX: usize = 16;

/// One registered path.
#[derive(Debug)]
pub struct Registration {
    pub address: Address,
    /// The source, which changes only when the address comes to show another one.
    pub collection: CollectionId,
    /// Nothing up to this token is told again.
    pub told: Token,
    /// The label is the way in which everybody writes the address, so that shared frames fit.
    pub plain: bool,
    pub state: State,
}

impl Registration {
    /// What a change or an import says to this path, unless it was told as much before.
    pub fn tell(&mut self, label: &str, notice: &Notice) -> Option<Step> {
        let kind = self.address.kind();
        let shared = |address: &Address| self.plain && self.address == *address;
        let frame = match &notice.event {
            Event::Changed { address, token, .. } if *token > self.told => {
                let make = || push::token(label, kind, *token);
                let frame = if shared(address) { notice.frame(Face::Side, make) } else { make() };
                self.told = *token;
                frame
            }
            Event::Imported { address, import, counts, .. } => {
                let make = || push::imported(label, import, *counts);
                if shared(address) { notice.frame(Face::Side, make) } else { make() }
            }
            Event::Importing { address, import, stand, .. } => {
                let make = || push::importing(label, import, *stand);
                if shared(address) { notice.frame(Face::Side, make) } else { make() }
            }
            _ => return None,
        };
        Some(Step::Say(Outgoing::news(frame, notice)))
    }
}

#[derive(Debug)]
pub enum State {
    Active,
    /// A look-up is under way, or its request is not yet answered: news are kept.
    Checking(Box<Checking>),
    /// The right is lost, or could not be looked up (`retry`): news are dropped.
    Suspended {
        retry: bool,
    },
}

#[derive(Debug)]
pub struct Checking {
    /// The ask that is out; `None` once it was answered well and only the answer to the client is missing.
    pub ask: Option<u64>,
    /// Rights changed since that ask, so that its answer counts for nothing.
    pub again: bool,
    /// The line of the current request that waits for this.
    pub line: Option<usize>,
    held: Vec<Arc<Notice>>,
}

impl Checking {
    pub fn new(ask: u64, line: Option<usize>) -> Checking {
        Checking { ask: Some(ask), again: false, line, held: Vec::new() }
    }

    /// Keeps a notice until it is known whether it may be told; of the changes, only the last counts.
    pub fn hold(&mut self, notice: &Arc<Notice>) {
        if matches!(notice.event, Event::Changed { .. }) {
            self.held.retain(|held| !matches!(held.event, Event::Changed { .. }));
        }
        if self.held.len() == HELD_MAX {
            self.held.remove(0);
        }
        self.held.push(Arc::clone(notice));
    }

    /// Forgets what was kept: it happened before rights changed once more.
    pub fn forget(&mut self) {
        self.held.clear();
    }

    pub fn into_held(self) -> Vec<Arc<Notice>> {
        self.held
    }
}

/// The registrations of one socket.
#[derive(Debug, Default)]
pub struct Registrations {
    paths: HashMap<Arc<str>, Registration>,
    collections: HashMap<CollectionId, Vec<Arc<str>>>,
}

impl Registrations {
    pub fn len(&self) -> usize {
        self.paths.len()
    }

    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    pub fn get(&mut self, label: &str) -> Option<&mut Registration> {
        self.paths.get_mut(label)
    }

    /// True when it is the first of its collection: somebody must listen now.
    pub fn add(&mut self, label: &Arc<str>, registration: Registration) -> bool {
        let labels = self.collections.entry(registration.collection).or_default();
        labels.push(Arc::clone(label));
        let first = labels.len() == 1;
        self.paths.insert(Arc::clone(label), registration);
        first
    }

    /// What was there, and whether it was the last of its collection: nobody needs to listen any more.
    pub fn remove(&mut self, label: &str) -> Option<(Registration, bool)> {
        let registration = self.paths.remove(label)?;
        let mut last = false;
        if let Some(labels) = self.collections.get_mut(&registration.collection) {
            labels.retain(|other| **other != *label);
            last = labels.is_empty();
        }
        if last {
            self.collections.remove(&registration.collection);
        }
        Some((registration, last))
    }

    /// The paths under which a collection is registered.
    pub fn labels(&self, collection: CollectionId) -> &[Arc<str>] {
        self.collections.get(&collection).map_or(&[], Vec::as_slice)
    }

    /// The paths that name an address, however they spell it.
    pub fn at(&self, address: &Address) -> Vec<Arc<str>> {
        let named = |r: &Registration| r.address == *address;
        self.paths.iter().filter(|(_, r)| named(r)).map(|(label, _)| Arc::clone(label)).collect()
    }

    /// The paths whose look-up failed through no fault of the client.
    pub fn to_retry(&self) -> Vec<Arc<str>> {
        let due = |r: &Registration| matches!(r.state, State::Suspended { retry: true });
        self.paths.iter().filter(|(_, r)| due(r)).map(|(label, _)| Arc::clone(label)).collect()
    }
}
