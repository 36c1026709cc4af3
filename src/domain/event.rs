//! What happened, as it is told to listeners: references, never bodies.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::domain::address::{Address, ObjectAddress, UserName};
use crate::domain::alarm::Action;
use crate::domain::collection::CollectionId;
use crate::domain::notification;
use crate::domain::organisation::{Id, Summary};
use crate::domain::presence::News;
use crate::domain::sync::Token;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ListChange {
    Created,
    Updated,
    Deleted,
    Delegated,
    Subscribed,
}

impl ListChange {
    pub fn as_str(self) -> &'static str {
        match self {
            ListChange::Created => "created",
            ListChange::Updated => "updated",
            ListChange::Deleted => "deleted",
            ListChange::Delegated => "delegated",
            ListChange::Subscribed => "subscribed",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Objects of a collection changed; `token` is where it stands now.
    Changed { collection: CollectionId, address: Address, token: Token },
    /// Who may read a collection changed, or it is gone: whoever listens must ask again.
    RightsChanged { collection: CollectionId, address: Address },
    /// A person's list of calendars shows something else.
    ListChanged { user: UserName, change: ListChange, address: Address },
    /// An import into a collection ended; `None` where it failed as a whole.
    Imported { collection: CollectionId, address: Address, import: String, counts: Option<(u64, u64)> },
    /// An alarm rings for a person.
    Rang { user: UserName, alarm: Rang },
    /// A person has a message, or less to read than before.
    Notified { user: UserName, news: Box<notification::News> },
    /// A person was removed, changed their password or took back a device's: sockets of theirs close.
    SignedOut { user: UserName, whose: Sockets },
    /// Somebody's presence is shown otherwise.
    PresenceChanged { news: Arc<News> },
    /// The same, told to one group that the person is in, with what the group sums up to now.
    MemberChanged { group: GroupFace, summary: Summary, news: Arc<News> },
    /// A group's people, name or queue changed, or it is gone: whoever watches it must look again.
    GroupChanged { group: GroupFace },
}

/// Names a group on every wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupFace {
    pub organisation: Id,
    pub id: Id,
    pub number: u64,
}

/// Which of a person's sockets close.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sockets {
    All,
    /// Those that no device opened with a password of its own.
    Own,
    /// Those that this device opened.
    Device(String),
}

impl Sockets {
    /// Whether a socket is one of them that this device opened, or none.
    pub fn include(&self, device: Option<&str>) -> bool {
        match self {
            Sockets::All => true,
            Sockets::Own => device.is_none(),
            Sockets::Device(id) => device == Some(id),
        }
    }
}

/// What an alarm says when it rings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rang {
    pub at: DateTime<Utc>,
    pub object: ObjectAddress,
    pub action: Action,
    pub summary: String,
    pub start: DateTime<Utc>,
    pub end: DateTime<Utc>,
    pub id: u64,
    /// The ATTENDEEs of an e-mail alarm, as they stand there; empty means the owner.
    pub attendees: Vec<String>,
    /// What an e-mail alarm is to say, where its author said that.
    pub words: Option<Box<Words>>,
}

/// SUMMARY and DESCRIPTION of an e-mail alarm: what its mail has as subject and text, RFC 5545 3.6.6. Either may be empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    pub subject: String,
    pub text: String,
}

/// Bytes of a subject that are kept; a longer one is cut.
const SUBJECT_MAX: usize = 500;
/// Bytes of a mail's text that are kept; a longer one is cut, for each recipient's row holds it.
const TEXT_MAX: usize = 16_384;

impl Words {
    /// `None` where both are empty.
    pub fn new(subject: &str, text: &str) -> Option<Box<Words>> {
        let words = Words { subject: cut(subject, SUBJECT_MAX), text: cut(text, TEXT_MAX) };
        (!words.subject.is_empty() || !words.text.is_empty()).then(|| Box::new(words))
    }
}

/// So many bytes of a text, or one character less.
pub fn cut(text: &str, bytes_max: usize) -> String {
    let end = (0..=bytes_max.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or_default().to_owned()
}

/// What a listener can listen to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    Collection(CollectionId),
    User(UserName),
    /// Somebody's presence.
    Presence(UserName),
    /// The presence of everybody in an organisation.
    Organisation(Id),
    /// What becomes of a group, by its organisation and its number there.
    Group(Id, u64),
}

impl Event {
    /// What sort of event it is, in a word.
    pub fn name(&self) -> &'static str {
        match self {
            Event::Changed { .. } => "changed",
            Event::RightsChanged { .. } => "rights",
            Event::ListChanged { .. } => "list",
            Event::Imported { .. } => "import",
            Event::Rang { .. } => "alarm",
            Event::Notified { .. } => "notification",
            Event::SignedOut { .. } => "signed_out",
            Event::PresenceChanged { .. } => "presence",
            Event::MemberChanged { .. } => "member",
            Event::GroupChanged { .. } => "group",
        }
    }

    /// Everything that it is news of. A dialect listens to one of them only, so that it hears it once.
    pub fn topics(&self) -> impl Iterator<Item = Topic> + use<> {
        let (first, second) = match self {
            Event::Changed { collection, .. }
            | Event::RightsChanged { collection, .. }
            | Event::Imported { collection, .. } => (Topic::Collection(*collection), None),
            Event::ListChanged { user, .. }
            | Event::Rang { user, .. }
            | Event::Notified { user, .. }
            | Event::SignedOut { user, .. } => (Topic::User(user.clone()), None),
            Event::PresenceChanged { news } => {
                let organisation = Topic::Organisation(news.member.organisation.clone());
                (Topic::Presence(news.member.user.clone()), Some(organisation))
            }
            Event::MemberChanged { group, .. } | Event::GroupChanged { group } => {
                (Topic::Group(group.organisation.clone(), group.number), None)
            }
        };
        std::iter::once(first).chain(second)
    }
}
