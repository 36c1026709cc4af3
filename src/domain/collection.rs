//! A calendar or an address book, and what changes in people's lists when one changes.

use crate::domain::access::{Grant, Right};
use crate::domain::address::{Address, UserName};
use crate::domain::event::ListChange;
use crate::domain::sync::Token;

/// A collection's number: the stamp of the commit that made it. Never used twice, so what hangs on it dies with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CollectionId(pub u64);

/// What stands at an address in somebody's home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Objects of its own.
    Own,
    /// A delegate's mirror of another's collection.
    Delegated(Address, CollectionId),
    /// A subscription to a public collection.
    Subscribed(Address, CollectionId),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collection {
    pub id: CollectionId,
    pub address: Address,
    pub source: Source,
    pub display_name: String,
    pub description: String,
    /// As the client wrote it, mostly `#RRGGBBAA`.
    pub color: String,
    /// Upper-case component names it takes; empty means all.
    pub components: Vec<String>,
    /// The collection's own zone for floating and all-day values: an IANA name.
    pub timezone: Option<String>,
    pub grants: Vec<Grant>,
    pub public: Option<Right>,
    /// The stamp of the last change.
    pub token: Token,
    /// Tokens below this one are forgotten.
    pub floor: Token,
    /// How many objects it holds.
    pub objects: u64,
    /// The holder of this mirror or subscription hears its alarms. Owners hear theirs in any case.
    pub alarms: bool,
    /// The stamp of the last change in who subscribes to it: the head row's answer for a range that no decision can read whole.
    pub subscriptions: u64,
}

impl Collection {
    /// A fresh collection with nothing in it; `stamp` is the stamp of the commit that makes it.
    pub fn new(address: Address, source: Source, display_name: &str, stamp: u64) -> Collection {
        Collection {
            id: CollectionId(stamp),
            address,
            source,
            display_name: display_name.to_owned(),
            description: String::new(),
            color: String::new(),
            components: Vec::new(),
            timezone: None,
            grants: Vec::new(),
            public: None,
            token: Token(stamp),
            floor: Token(stamp),
            objects: 0,
            alarms: false,
            subscriptions: stamp,
        }
    }

    /// The address whose objects are seen here.
    pub fn origin(&self) -> (&Address, CollectionId) {
        match &self.source {
            Source::Own => (&self.address, self.id),
            Source::Delegated(address, id) | Source::Subscribed(address, id) => (address, *id),
        }
    }

    /// The delegate's mirror address that goes with a grant.
    pub fn mirror(&self, grant: &Grant) -> Option<Address> {
        Address::new(self.address.kind(), grant.user.as_str(), &grant.mirror)
    }
}

/// One line of news for one person's calendar list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListNews {
    pub user: UserName,
    pub change: ListChange,
    pub address: Address,
}

/// What people's lists show differently, given a collection before and after a change; in the order in which it is told.
///
/// `subscribers` are the addresses of all subscriptions to it. A change of the collection's content is not list news.
/// The rows are those of `docs/side.md`, "Who hears of the list".
pub fn list_changes(before: Option<&Collection>, after: Option<&Collection>, subscribers: &[Address]) -> Vec<ListNews> {
    let mut news = Vec::new();
    let mut tell = |address: Address, change: ListChange| {
        news.push(ListNews { user: address.user().clone(), change, address });
    };
    match (before, after) {
        (None, None) => {}
        (None, Some(made)) => {
            let change = match made.source {
                Source::Own => ListChange::Created,
                Source::Delegated(..) => ListChange::Delegated,
                Source::Subscribed(..) => ListChange::Subscribed,
            };
            tell(made.address.clone(), change);
        }
        (Some(gone), None) => {
            let mirrors: Vec<Address> = gone.grants.iter().filter_map(|grant| gone.mirror(grant)).collect();
            let had_delegates = !mirrors.is_empty();
            mirrors.into_iter().for_each(|mirror| tell(mirror, ListChange::Deleted));
            if had_delegates {
                tell(gone.address.clone(), ListChange::Updated);
            }
            subscribers.iter().for_each(|address| tell(address.clone(), ListChange::Deleted));
            tell(gone.address.clone(), ListChange::Deleted);
        }
        (Some(before), Some(after)) => {
            let hidden = before.public.is_some() && after.public.is_none();
            let public_moved = before.public != after.public;
            for grant in &before.grants {
                if !after.grants.iter().any(|other| other.user == grant.user)
                    && let Some(mirror) = before.mirror(grant)
                {
                    tell(mirror, ListChange::Deleted);
                }
            }
            for grant in &after.grants {
                let Some(mirror) = after.mirror(grant) else { continue };
                match before.grants.iter().find(|other| other.user == grant.user) {
                    None => tell(mirror, ListChange::Delegated),
                    Some(other) if other.right != grant.right || public_moved => tell(mirror, ListChange::Updated),
                    Some(_) => {}
                }
            }
            if public_moved {
                let change = if hidden { ListChange::Deleted } else { ListChange::Updated };
                subscribers.iter().for_each(|address| tell(address.clone(), change));
            }
            let face = |c: &Collection| (c.display_name.clone(), c.description.clone(), c.color.clone());
            if face(before) != face(after) || before.grants != after.grants || public_moved {
                tell(after.address.clone(), ListChange::Updated);
            }
        }
    }
    news
}
