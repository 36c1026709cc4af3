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
    /// The calendar time of the write that made it.
    pub created: DateTime<Utc>,
    /// RFC 6638 3.2.10, of objects that name an organizer: quoted, and new with every write but those of the service on behalf of attendees.
    pub schedule_tag: Option<Arc<str>>,
    /// How many rows its dead properties take.
    pub dead: u8,
    /// What it says of its owner's presence.
    pub stands: Stands,
    /// CLASS says that only its owner may read it; not known of rows from before that was kept.
    pub private: Option<bool>,
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

/// What a conditional request demands of the object that stands there now: all of what is given. RFC 9110 section 13.1, RFC 4918 10.4,
/// RFC 6638 8.3.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Precondition {
    pub if_match: Option<Tags>,
    pub if_none_match: Option<Tags>,
    /// No write after this instant; asked only where there is no `if_match`.
    pub unmodified_since: Option<DateTime<Utc>>,
    /// The schedule tag, quoted.
    pub schedule_tag: Option<String>,
    /// The lists of an `If` header: one whose demands are all met is enough.
    pub lists: Option<Vec<Vec<Demand>>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tags {
    Any,
    /// Quoted strong tags; weak ones never match and are left out.
    These(Vec<String>),
}

/// One condition of an `If` header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// A quoted strong tag. `None` for what nothing here ever matches: a lock, a weak tag, another resource.
    pub tag: Option<String>,
    pub negated: bool,
}

impl Precondition {
    /// Whether the request may go on, given what stands there now.
    pub fn allows(&self, current: Option<&Record>) -> bool {
        let holds = |tags: &Tags| match (tags, current) {
            (_, None) => false,
            (Tags::Any, Some(_)) => true,
            (Tags::These(tags), Some(record)) => tags.iter().any(|tag| tag == record.etag.as_str()),
        };
        // The header has no finer time than a second.
        let rests =
            |since: &DateTime<Utc>| current.is_none_or(|record| record.modified.timestamp() <= since.timestamp());
        let scheduled = |tag: &String| current.is_some_and(|record| record.schedule_tag.as_deref() == Some(tag));
        let met = |demand: &Demand| {
            let matches = demand.tag.as_ref().zip(current).is_some_and(|(tag, record)| tag == record.etag.as_str());
            matches != demand.negated
        };
        self.if_match.as_ref().is_none_or(holds)
            && !self.if_none_match.as_ref().is_some_and(holds)
            && (self.if_match.is_some() || self.unmodified_since.as_ref().is_none_or(rests))
            && self.schedule_tag.as_ref().is_none_or(scheduled)
            && self.lists.as_ref().is_none_or(|lists| lists.iter().any(|list| list.iter().all(met)))
    }

    /// The same for what stands there and has no tags of its own: a collection.
    pub fn allows_untagged(&self) -> bool {
        !matches!(self.if_match, Some(Tags::These(_)))
            && self.if_none_match != Some(Tags::Any)
            && self.schedule_tag.is_none()
            && self.lists.as_ref().is_none_or(|lists| lists.iter().any(|list| list.iter().all(|demand| demand.negated)))
    }
}

/// An object with its bytes, as it goes out.
#[derive(Clone, Debug)]
pub struct Body {
    pub record: Record,
    pub bytes: Bytes,
}
