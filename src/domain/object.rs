//! A calendar object or a card, as it is stored: the bytes that came, and what the service derived from them.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};

/// What the service keeps beside the bytes. All of it can be derived from them again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub name: Arc<str>,
    pub uid: String,
    pub component: Component,
    pub etag: Etag,
    pub size: u64,
    /// From the first start to the last end; the end is open where a rule has none or where it was too costly to find.
    pub span: Option<Span>,
    /// The calendar time of the last write.
    pub modified: DateTime<Utc>,
    /// Where the bytes lie: the stamp of the commit that wrote them, and this object's number in that commit.
    pub body: BodyId,
    /// The instant of the row in the due queue that this object owns.
    pub due: Option<DateTime<Utc>>,
    /// The alarms that are armed and not yet sent, each by its stamp and number.
    pub armed: Vec<Armed>,
    /// What it says of its owner's presence.
    pub stands: Stands,
}

/// Which rows of presence an object owns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stands {
    /// When what it says can change.
    pub edge: Option<DateTime<Utc>>,
    /// It covers the present: the rank and the start of its hold.
    pub hold: Option<(u8, DateTime<Utc>)>,
    /// Since when its owner is asked to come.
    pub invited: Option<DateTime<Utc>>,
}

/// Names the chunks of one body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BodyId {
    pub stamp: u64,
    pub part: u32,
}

/// Names one armed alarm: its instant, and the journal line that holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Armed {
    pub at: DateTime<Utc>,
    pub stamp: u64,
    pub part: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub start: DateTime<Utc>,
    pub end: Option<DateTime<Utc>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Component {
    Event,
    Todo,
    Journal,
    FreeBusy,
    Availability,
    Card,
}

impl Component {
    pub fn as_str(self) -> &'static str {
        match self {
            Component::Event => "VEVENT",
            Component::Todo => "VTODO",
            Component::Journal => "VJOURNAL",
            Component::FreeBusy => "VFREEBUSY",
            Component::Availability => "VAVAILABILITY",
            Component::Card => "VCARD",
        }
    }

    /// Reads an upper-case name.
    pub fn from_name(name: &str) -> Option<Component> {
        [
            Component::Event,
            Component::Todo,
            Component::Journal,
            Component::FreeBusy,
            Component::Availability,
            Component::Card,
        ]
        .into_iter()
        .find(|component| component.as_str() == name)
    }
}

/// A strong entity tag: quoted, made from the bytes alone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Etag(pub Arc<str>);

impl Etag {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What a conditional request demands of the object that stands there now. RFC 9110 section 13.1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Precondition {
    pub if_match: Option<Tags>,
    pub if_none_match: Option<Tags>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tags {
    Any,
    /// Quoted strong tags; weak ones never match and are left out.
    These(Vec<String>),
}

impl Precondition {
    /// Whether the request may go on, given the tag of what stands there now.
    pub fn allows(&self, current: Option<&Etag>) -> bool {
        let holds = |tags: &Tags| match (tags, current) {
            (_, None) => false,
            (Tags::Any, Some(_)) => true,
            (Tags::These(tags), Some(etag)) => tags.iter().any(|tag| tag == etag.as_str()),
        };
        self.if_match.as_ref().is_none_or(holds) && !self.if_none_match.as_ref().is_some_and(holds)
    }
}

/// An object with its bytes, as it goes out.
#[derive(Clone, Debug)]
pub struct Body {
    pub record: Record,
    pub bytes: Bytes,
}
