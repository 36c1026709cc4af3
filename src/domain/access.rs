//! Who may do what with a collection. One function answers for every face.

use crate::domain::address::UserName;
use crate::domain::collection::Collection;

/// Rights grow from left to right; each holds those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Right {
    /// Not even that it exists.
    None,
    /// When somebody is busy, and nothing else: no names, no objects, no tokens, no events.
    FreeBusy,
    Read,
    /// Objects may be written; name and colour of the source may not.
    ReadWrite,
    /// As `ReadWrite`, and the sharing may be changed.
    Administration,
    Owner,
}

impl Right {
    /// The spelling on every JSON wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Right::None => "none",
            Right::FreeBusy => "freebusy",
            Right::Read => "read",
            Right::ReadWrite => "read-write",
            Right::Administration => "administration",
            Right::Owner => "owner",
        }
    }

    /// Reads a right that can be granted; `none` and `owner` cannot.
    pub fn granted(text: &str) -> Option<Right> {
        match text {
            "freebusy" => Some(Right::FreeBusy),
            "read" => Some(Right::Read),
            "read-write" => Some(Right::ReadWrite),
            "administration" => Some(Right::Administration),
            _ => None,
        }
    }
}

/// One person's share of a collection, and where the mirror of it stands in their home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub user: UserName,
    pub right: Right,
    /// The last segment of the mirror's address.
    pub mirror: String,
    /// The delegate took the mirror out of their home. The right stays, and they can show it again.
    pub hidden: bool,
}

/// Somebody who acts for the owner of a home: `calendar-proxy-read` and `-write`. They reach the owner's own calendars where those stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    pub user: UserName,
    /// `Read` or `ReadWrite`.
    pub right: Right,
}

/// What `user` may do with `collection`, which must be a source, not a mirror.
pub fn right_of(user: &UserName, collection: &Collection) -> Right {
    if collection.address.user() == user {
        return Right::Owner;
    }
    let granted = collection.grants.iter().find(|grant| grant.user == *user).map_or(Right::None, |grant| grant.right);
    let acting = collection.proxies.iter().find(|proxy| proxy.user == *user).map_or(Right::None, |proxy| proxy.right);
    granted.max(acting).max(collection.public.unwrap_or(Right::None))
}

/// Whether `user` may write objects into `collection`. Into what is kept by a feed nobody may, its owner included.
pub fn writes(user: &UserName, collection: &Collection) -> bool {
    collection.kept.is_none() && right_of(user, collection) >= Right::ReadWrite
}

/// Whether a public right lets people subscribe: who may only ask when somebody is busy has nothing to look at.
pub fn is_open(public: Option<Right>) -> bool {
    public.is_some_and(|right| right >= Right::Read)
}
