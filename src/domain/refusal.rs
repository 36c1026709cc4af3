//! Why the service said no. The only error that crosses the waist; each face has one exhaustive `match` on it.

use crate::domain::address::ObjectAddress;
use crate::domain::scheduling::Rule;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("no valid credentials were given")]
    Unauthenticated,
    #[error("the credentials have expired")]
    Expired,
    #[error("you have no right to do this")]
    Forbidden,
    #[error("nothing is there")]
    NotFound,
    /// A collection has the name, or a person the login name or the mail address.
    #[error("that name or address is taken already")]
    Exists,
    #[error("a precondition of the request does not hold")]
    Precondition,
    #[error("the UID is already used by {0}")]
    UidTaken(ObjectAddress),
    #[error("{0}")]
    Invalid(Fault),
    /// The input can be read, but is not one object that can stand alone: RFC 4791 section 4.1.
    #[error("{0}")]
    Unstorable(Fault),
    /// The input is sound, but this collection does not take its kind.
    #[error("{0}")]
    Unsupported(String),
    #[error("larger than the limit of {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("the sync token is not one of this collection")]
    StaleToken,
    #[error("{limit}: try again in {retry_seconds} seconds")]
    Busy { limit: &'static str, retry_seconds: u64 },
    /// Somebody does this too often.
    #[error("{limit}: try again in {retry_seconds} seconds")]
    TooOften { limit: &'static str, retry_seconds: u64 },
    /// A count that a home or a collection may not pass.
    #[error("{0}")]
    Full(String),
    /// A collection has no room for more.
    #[error("{0}")]
    NoRoom(String),
    /// A scheduling object would break a rule of scheduling. RFC 6638 3.2.4.
    #[error("{why}")]
    Unschedulable { rule: Rule, why: Fault },
    /// Logged where it happened, under this id.
    #[error("internal error {id}")]
    Fault { id: String },
}

/// A fault in what a client sent: where, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Counted from 1; `None` where no line is to blame.
    pub line: Option<u64>,
    pub why: String,
}

impl Fault {
    pub fn at(line: u64, why: impl Into<String>) -> Fault {
        Fault { line: Some(line), why: why.into() }
    }

    pub fn whole(why: impl Into<String>) -> Fault {
        Fault { line: None, why: why.into() }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.why),
            None => f.write_str(&self.why),
        }
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Refusal {
        Refusal::Invalid(fault)
    }
}
