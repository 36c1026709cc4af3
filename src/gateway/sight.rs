//! Whose presence a client wants to see, what it looks like, and why it cannot be seen. Plain values between dialects and the desk.

use crate::domain::event::Topic;
use crate::domain::organisation::Id;
use crate::domain::refusal::Refusal;
use crate::service::groups::{GroupPortrait, Portrait};

/// What a client asks to see, in its own spelling: ids or numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sight {
    pub organisation: String,
    pub target: Target,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Person(String),
    Group(String),
}

/// How it looks now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Person(Portrait),
    Group(GroupPortrait),
}

impl Seen {
    /// Where changes of it are told.
    pub fn topic(&self) -> Topic {
        match self {
            Seen::Person(portrait) => Topic::Presence(portrait.news.member.user.clone()),
            Seen::Group(portrait) => Topic::Group(portrait.face.organisation.clone(), portrait.face.number),
        }
    }

    pub fn organisation(&self) -> &Id {
        match self {
            Seen::Person(portrait) => &portrait.news.member.organisation,
            Seen::Group(portrait) => &portrait.face.organisation,
        }
    }

    /// The stamp of the last change in it: what is told under this one or an earlier is in it already.
    pub fn stamp(&self) -> u64 {
        match self {
            Seen::Person(portrait) => portrait.stamp,
            Seen::Group(portrait) => portrait.stamp,
        }
    }
}

/// Why it cannot be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unseen {
    /// No such organisation.
    Organisation,
    /// No such person or group in it.
    Target,
    /// It is there, but not for this person.
    Denied,
    Trouble(Refusal),
}
