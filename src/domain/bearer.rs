//! A bearer token without its secret: whose it is, until when, what it grants, and how far its holder hears. Knows no wire.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::acl::{PATTERN_BYTES_MAX, PATTERNS_MAX};
use crate::domain::address::UserName;
use crate::domain::organisation::Id;
use crate::domain::refusal::Fault;

/// What a token grants when nobody says: to listen, and what concerns its own user. Calendars and books that others share with the user
/// are granted beside it, by the rights of the moment.
pub const USUAL: [&str; 6] = [
    "websocketd",
    "events.calendars.me.#",
    "events.addressbooks.me.#",
    "events.chatd.users.*.presences.updated",
    "events.config.users.me.#",
    "events.auth.users.me.#",
];

/// What a token must grant to open a socket.
pub const LISTEN: &str = "websocketd";

/// What one that an administrator issued must grant to publish events.
pub const PUBLISH: &str = "campanile.bus.events.create";

/// Bytes of one list, all patterns together: it lies in a row with the rest of the token.
const LIST_BYTES_MAX: usize = 16_384;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    #[default]
    User,
    Internal,
    ExternalApi,
}

impl Purpose {
    /// The spelling of the Wazo wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Purpose::User => "user",
            Purpose::Internal => "internal",
            Purpose::ExternalApi => "external_api",
        }
    }

    pub fn from_name(name: &str) -> Option<Purpose> {
        [Purpose::User, Purpose::Internal, Purpose::ExternalApi].into_iter().find(|purpose| purpose.as_str() == name)
    }
}

/// What an administrator can give a token beside its list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    pub purpose: Purpose,
    /// Hears all of its tenant.
    pub admin: bool,
    /// Belongs to the master tenant: hears all tenants.
    pub master: bool,
}

/// How far somebody hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// What is meant for them, or for all of their tenant.
    Own,
    /// Everything of their tenant.
    Tenant,
    Everything,
}

impl Standing {
    pub fn reach(self) -> Reach {
        match self {
            Standing { master: true, .. } => Reach::Everything,
            Standing { admin: true, .. } | Standing { purpose: Purpose::Internal | Purpose::ExternalApi, .. } => {
                Reach::Tenant
            }
            _ => Reach::Own,
        }
    }
}

/// A token's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearer {
    pub user: UserName,
    pub until: Option<DateTime<Utc>>,
    /// Names what was opened with the token, and tells nothing about it.
    pub session: Uuid,
    /// Absent: the usual.
    pub acl: Option<Vec<String>>,
    pub standing: Standing,
    /// An administrator issued it: its list can grant more than its user has.
    pub trusted: bool,
}

/// Refuses a list that could not be kept, or that costs too much to ask.
pub fn check_list(list: &[String]) -> Result<(), Fault> {
    if list.len() > PATTERNS_MAX || list.iter().map(String::len).sum::<usize>() > LIST_BYTES_MAX {
        return Err(Fault::whole(format!("an acl has at most {PATTERNS_MAX} patterns and {LIST_BYTES_MAX} bytes")));
    }
    match list.iter().find(|pattern| pattern.len() > PATTERN_BYTES_MAX || pattern.contains('\n')) {
        Some(_) => Err(Fault::whole(format!("a pattern of an acl is one line of at most {PATTERN_BYTES_MAX} bytes"))),
        None => Ok(()),
    }
}

/// Who stands behind a token, with everything that a listener needs to know of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bearing {
    /// Absent where another service knows this person, and this one does not.
    pub user: Option<UserName>,
    pub uuid: Uuid,
    pub tenant: Uuid,
    /// What the tenant is here; absent as `user` is.
    pub organisation: Option<Id>,
    pub session: Uuid,
    pub until: Option<DateTime<Utc>>,
    pub acl: Vec<String>,
    /// The list is the usual one: shared collections are granted by their rights.
    pub usual: bool,
    pub standing: Standing,
    /// Another service issued it: nobody tells when it ends, so it has to be asked again.
    pub foreign: bool,
}

/// What keeps a session in that a bearer token opened, where nothing else does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    pub user: UserName,
    /// Nothing that the token opened outlives this.
    pub until: Option<DateTime<Utc>>,
    /// Under which name its end is told; absent where another service issued it.
    pub session: Option<Uuid>,
    /// The row that goes with it, likewise.
    pub row: Option<Bytes>,
}

/// A variable part of a routing key, without what patterns would read as their own.
pub fn escaped(part: &str) -> String {
    let mut text = String::with_capacity(part.len());
    for c in part.chars() {
        match c {
            '.' => text.push_str("__DOT__"),
            '#' => text.push_str("__HASH__"),
            '*' => text.push_str("__STAR__"),
            other => text.push(other),
        }
    }
    text
}
