//! Where a collection or an object lives: `/calendars/alice/default`, `/addressbooks/alice/collected/x.vcf`. Knows nothing of URLs:
//! percent-encoding is undone at the door, before these are made.

use std::fmt;
use std::sync::Arc;

/// The longest segment of an address, in bytes.
pub const SEGMENT_MAX: usize = 255;

/// The two kinds of collection, each with a tree of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Calendar,
    AddressBook,
}

impl Kind {
    /// The first segment of every address of this kind.
    pub fn root(self) -> &'static str {
        match self {
            Kind::Calendar => "calendars",
            Kind::AddressBook => "addressbooks",
        }
    }

    pub fn from_root(root: &str) -> Option<Kind> {
        match root {
            "calendars" => Some(Kind::Calendar),
            "addressbooks" => Some(Kind::AddressBook),
            _ => None,
        }
    }

    /// The ending of this kind's object names: `.ics` or `.vcf`.
    pub fn suffix(self) -> &'static str {
        match self {
            Kind::Calendar => ".ics",
            Kind::AddressBook => ".vcf",
        }
    }
}

/// A user's login name, normalised; see `domain/principal.rs`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserName(Arc<str>);

impl UserName {
    /// Takes a name that is already normalised (a stored one, or a path segment that will only be looked up).
    pub fn new(name: &str) -> Option<UserName> {
        segment(name).then(|| UserName(Arc::from(name)))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The names in everybody's calendar home that are no calendars'.
const INBOX: &str = "inbox";
const OUTBOX: &str = "outbox";

/// A collection's place: its kind, the user whose home it is in, and its name there.
///
/// ```
/// use campanile::domain::address::{Address, Kind};
/// let address = Address::parse("/calendars/alice/default").unwrap();
/// assert_eq!(address.kind(), Kind::Calendar);
/// assert_eq!(address.to_string(), "/calendars/alice/default");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    kind: Kind,
    user: UserName,
    name: Arc<str>,
}

impl Address {
    /// `None` where a segment is empty, too long, `.`, `..`, or holds a slash or a control character.
    pub fn new(kind: Kind, user: &str, name: &str) -> Option<Address> {
        Some(Address { kind, user: UserName::new(user)?, name: segment(name).then(|| Arc::from(name))? })
    }

    /// Exactly `/{root}/{user}/{name}`, with at most one slash more at the end.
    pub fn parse(path: &str) -> Option<Address> {
        let path = path.strip_prefix('/')?;
        let mut parts = path.strip_suffix('/').unwrap_or(path).split('/');
        let kind = Kind::from_root(parts.next()?)?;
        let address = Address::new(kind, parts.next()?, parts.next()?)?;
        parts.next().is_none().then_some(address)
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    pub fn user(&self) -> &UserName {
        &self.user
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is where scheduling messages come in. RFC 6638 2.2.
    pub fn is_inbox(&self) -> bool {
        self.kind == Kind::Calendar && &*self.name == INBOX
    }

    /// Whether it is where questions about others' time are put. RFC 6638 2.1.
    pub fn is_outbox(&self) -> bool {
        self.kind == Kind::Calendar && &*self.name == OUTBOX
    }

    /// Whether it is one of the two: no calendar, and nobody's to make, share or write.
    pub fn is_mailbox(&self) -> bool {
        self.is_inbox() || self.is_outbox()
    }

    /// Somebody's inbox.
    pub fn inbox(user: &UserName) -> Address {
        Address { kind: Kind::Calendar, user: user.clone(), name: Arc::from(INBOX) }
    }

    /// Somebody's outbox.
    pub fn outbox(user: &UserName) -> Address {
        Address { kind: Kind::Calendar, user: user.clone(), name: Arc::from(OUTBOX) }
    }

    /// A line feed may stand in an object's name: some producers' UIDs have one, and become names.
    pub fn object(&self, name: &str) -> Option<ObjectAddress> {
        (segment(&name.replace('\n', " ")) && name != "\n")
            .then(|| ObjectAddress { collection: self.clone(), name: Arc::from(name) })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}/{}/{}", self.kind.root(), self.user, self.name)
    }
}

/// An object's place: its collection and its name there, ending included.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectAddress {
    collection: Address,
    name: Arc<str>,
}

impl ObjectAddress {
    pub fn collection(&self) -> &Address {
        &self.collection
    }

    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for ObjectAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.collection, self.name)
    }
}

/// Whether this may stand between two slashes. Names are data: they never reach a file system, yet `..` would confuse clients.
fn segment(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= SEGMENT_MAX
        && text != "."
        && text != ".."
        && !text.chars().any(|c| c == '/' || c == '\\' || c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_exactly() {
        let rows = [
            ("/calendars/a/b", Some("/calendars/a/b")),
            ("/calendars/a/b/", Some("/calendars/a/b")),
            ("/addressbooks/a/b", Some("/addressbooks/a/b")),
            ("/calendars/a", None),
            ("/calendars/a/b/c", None),
            ("/calendars/a/..", None),
            ("/calendars//b", None),
            ("calendars/a/b", None),
            ("/Calendars/a/b", None),
            ("/calendars/a/b\u{0}", None),
            ("/calendars/a/b\\c", None),
        ];
        for (path, want) in rows {
            assert_eq!(Address::parse(path).map(|a| a.to_string()).as_deref(), want, "{path}");
        }
    }
}
