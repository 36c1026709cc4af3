//! What happened, as it is told to listeners: references, never bodies.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::domain::address::{Address, ObjectAddress, UserName};
use crate::domain::alarm::{Action, State};
use crate::domain::collection::CollectionId;
use crate::domain::import::Stand;
use crate::domain::notification;
use crate::domain::object::Span;
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
    /// Objects of a collection changed; `token` is where it stands now. Which did is told where that is known.
    Changed { collection: CollectionId, address: Address, token: Token, objects: Arc<[ObjectChange]> },
    /// Who may read a collection changed, or it is gone: whoever listens must ask again.
    RightsChanged { collection: CollectionId, address: Address },
    /// A person's list of calendars shows something else.
    ListChanged { user: UserName, change: ListChange, address: Address },
    /// An import into a collection ended; `None` where it failed as a whole.
    Imported { collection: CollectionId, address: Address, import: String, counts: Option<(u64, u64)> },
    /// An import into a collection goes on; told now and then, and only where somebody asked for it.
    Importing { collection: CollectionId, address: Address, import: String, stand: Stand },
    /// An alarm rings for a person.
    Rang { user: UserName, alarm: Rang },
    /// A person has a message, or less to read than before.
    Notified { user: UserName, news: Box<notification::News> },
    /// A person was removed, changed their password or took back a device's: sockets of theirs close.
    SignedOut { user: UserName, whose: Sockets },
    /// A person acknowledged an alarm that rang, or put it off.
    Answered { user: UserName, alarm: Rang, state: State },
    /// A bearer token was taken back: what it opened closes.
    TokenEnded { user: UserName, session: Uuid },
    /// Somebody published this for others: it is passed on as it is.
    Published(Arc<Published>),
    /// Somebody's presence is shown otherwise.
    PresenceChanged { news: Arc<News> },
    /// The same, told to one group that the person is in, with what the group sums up to now.
    MemberChanged { group: GroupFace, summary: Summary, news: Arc<News> },
    /// A group is another one than it was: whoever watches it must look again.
    GroupChanged { group: GroupFace, what: GroupChange },
}

/// What of a group changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupChange {
    /// Its people, its name, whether it is a queue; or it is gone.
    Itself,
    /// What waits for its members.
    Queue,
}

/// Names a group on every wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupFace {
    pub organisation: Id,
    pub id: Id,
    pub number: u64,
}

/// What became of one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    Created,
    Updated,
    Deleted,
}

/// What a write means for the owner of a calendar beside the change itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invitation {
    /// Somebody else asks the owner to come.
    Received,
    /// Somebody whom the owner asked has answered.
    Replied,
}

/// One object that changed: what listeners are told of it without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectChange {
    pub name: Arc<str>,
    /// At most [`ObjectChange::TEXT_MAX`] bytes of it; so of the summary.
    pub uid: String,
    pub deed: Deed,
    pub summary: String,
    pub span: Option<Span>,
    /// CLASS is PRIVATE or CONFIDENTIAL: what it says is for its owner.
    pub private: bool,
    pub invitation: Option<Invitation>,
}

impl ObjectChange {
    /// A journal line holds as many changes as one commit makes, so none may be long.
    pub const TEXT_MAX: usize = 255;
}

/// A message that somebody published, and by which words it is passed on. The rules are in `docs/wazo.md`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    pub name: String,
    pub demand: Demand,
    pub tenant: Uuid,
    pub origin: Uuid,
    /// For these people.
    pub users: Vec<Uuid>,
    /// For everybody of the tenant.
    pub everybody: bool,
    /// A JSON object, as it was sent.
    pub body: String,
}

/// What an access list must grant before an event is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Demand {
    /// Nothing was said: nobody may hear it.
    Unsaid,
    Nothing,
    Grant(String),
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
    /// What was published for somebody, by the identifier that the publisher used.
    Person(Uuid),
    /// What was published for everybody of a tenant.
    Tenant(Uuid),
    /// Everything that is told at all: every event is also told here.
    Everything,
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
            Event::Importing { .. } => "import_progress",
            Event::Rang { .. } => "alarm",
            Event::Notified { .. } => "notification",
            Event::SignedOut { .. } => "signed_out",
            Event::Answered { .. } => "alarm_answered",
            Event::TokenEnded { .. } => "token_ended",
            Event::Published(_) => "published",
            Event::PresenceChanged { .. } => "presence",
            Event::MemberChanged { .. } => "member",
            Event::GroupChanged { .. } => "group",
        }
    }

    /// What it is told to, beside [`Topic::Everything`]. Who listens to several of them is told once.
    pub fn topics(&self) -> Vec<Topic> {
        match self {
            Event::Changed { collection, .. }
            | Event::RightsChanged { collection, .. }
            | Event::Imported { collection, .. }
            | Event::Importing { collection, .. } => vec![Topic::Collection(*collection)],
            Event::ListChanged { user, .. }
            | Event::Rang { user, .. }
            | Event::Notified { user, .. }
            | Event::SignedOut { user, .. }
            | Event::Answered { user, .. }
            | Event::TokenEnded { user, .. } => {
                vec![Topic::User(user.clone())]
            }
            Event::Published(published) => {
                let everybody = published.everybody.then_some(Topic::Tenant(published.tenant));
                published.users.iter().map(|user| Topic::Person(*user)).chain(everybody).collect()
            }
            Event::PresenceChanged { news } => {
                let organisation = Topic::Organisation(news.member.organisation.clone());
                vec![Topic::Presence(news.member.user.clone()), organisation]
            }
            Event::MemberChanged { group, .. } | Event::GroupChanged { group, .. } => {
                vec![Topic::Group(group.organisation.clone(), group.number)]
            }
        }
    }
}
