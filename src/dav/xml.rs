//! Names of XML elements: the namespaces that we speak, and any other. Reads and writes nothing.

/// A namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Space {
    Dav,
    CalDav,
    CardDav,
    CalendarServer,
    Apple,
    /// One that means nothing to us; it is echoed.
    Other(String),
    /// No namespace at all.
    Bare,
}

/// The namespaces that every answer declares, each with its prefix.
pub const SPACES: [(Space, &str, &str); 5] = [
    (Space::Dav, "D", "DAV:"),
    (Space::CalDav, "C", "urn:ietf:params:xml:ns:caldav"),
    (Space::CardDav, "CR", "urn:ietf:params:xml:ns:carddav"),
    (Space::CalendarServer, "CS", "http://calendarserver.org/ns/"),
    (Space::Apple, "A", "http://apple.com/ns/ical/"),
];

impl Space {
    pub fn of(uri: &str) -> Space {
        if uri.is_empty() {
            return Space::Bare;
        }
        let known = SPACES.into_iter().find(|(_, _, known)| *known == uri);
        known.map_or_else(|| Space::Other(uri.to_owned()), |(space, _, _)| space)
    }

    pub fn uri(&self) -> &str {
        match self {
            Space::Other(uri) => uri,
            Space::Bare => "",
            known => SPACES.iter().find(|(space, _, _)| space == known).map_or("", |(_, _, uri)| uri),
        }
    }

    /// The prefix in our answers, where it has one.
    pub fn prefix(&self) -> Option<&'static str> {
        SPACES.iter().find(|(space, _, _)| space == self).map(|(_, prefix, _)| *prefix)
    }
}

/// An element's name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Name {
    pub space: Space,
    pub local: String,
}

impl Name {
    pub fn is(&self, space: &Space, local: &str) -> bool {
        self.space == *space && self.local == local
    }
}

/// An element with all that is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    pub name: Name,
    /// Those without a prefix; namespace declarations are not among them.
    pub attributes: Vec<(String, String)>,
    /// Those with a prefix, each with its namespace.
    pub foreign: Vec<(Name, String)>,
    /// All character data directly in it.
    pub text: String,
    pub children: Vec<Element>,
    /// How many bytes of its parent's text stand before it.
    pub at: usize,
}

impl Element {
    pub fn child(&self, space: &Space, local: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name.is(space, local))
    }

    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}
