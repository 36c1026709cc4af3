//! XML, written piece by piece into one buffer: compact, prefixes declared once at the root. Knows elements, no property.

use bytes::Bytes;

use crate::dav::xml::{Name, SPACES, Space};

/// A document, or a part of one, in the making. Tags are written as they stand in the answer: `D:href`.
///
/// ```
/// use campanile::dav::writer::Xml;
/// let mut xml = Xml::default();
/// xml.text("D:displayname", "Tom & <Jerry>");
/// assert_eq!(xml.as_str(), "<D:displayname>Tom &amp; &lt;Jerry&gt;</D:displayname>");
/// ```
#[derive(Default)]
pub struct Xml {
    out: String,
}

impl Xml {
    /// Begins a document whose root declares every namespace that we speak.
    pub fn document(root: &str) -> Xml {
        let mut xml = Xml { out: String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<") };
        xml.out.push_str(root);
        for (_, prefix, uri) in SPACES {
            xml.out.push_str(" xmlns:");
            xml.out.push_str(prefix);
            xml.out.push_str("=\"");
            xml.out.push_str(uri);
            xml.out.push('"');
        }
        xml.out.push('>');
        xml
    }

    pub fn open(&mut self, tag: &str) {
        self.out.push('<');
        self.out.push_str(tag);
        self.out.push('>');
    }

    pub fn close(&mut self, tag: &str) {
        self.out.push_str("</");
        self.out.push_str(tag);
        self.out.push('>');
    }

    pub fn empty(&mut self, tag: &str) {
        self.out.push('<');
        self.out.push_str(tag);
        self.out.push_str("/>");
    }

    /// An element with text and nothing else.
    pub fn text(&mut self, tag: &str, text: &str) {
        self.open(tag);
        escape(&mut self.out, text, false);
        self.close(tag);
    }

    /// An element that holds one href.
    pub fn href_in(&mut self, tag: &str, href: &str) {
        self.open(tag);
        self.text("D:href", href);
        self.close(tag);
    }

    /// An element with one attribute and nothing in it. The name is ours, the value may be anybody's.
    pub fn empty_with(&mut self, tag: &str, attributes: &[(&str, &str)]) {
        self.out.push('<');
        self.out.push_str(tag);
        for (name, value) in attributes {
            self.out.push(' ');
            self.out.push_str(name);
            self.out.push_str("=\"");
            escape(&mut self.out, value, true);
            self.out.push('"');
        }
        self.out.push_str("/>");
    }

    /// An empty element of any namespace.
    pub fn empty_name(&mut self, name: &Name) {
        match (name.space.prefix(), &name.space) {
            (Some(prefix), _) => self.empty(&format!("{prefix}:{}", name.local)),
            (None, Space::Other(uri)) => {
                self.empty_with(&format!("x:{}", name.local), &[("xmlns:x", uri)]);
            }
            (None, _) => self.empty(&name.local),
        }
    }

    /// A piece of XML that stands for itself: all its namespaces are declared in it.
    pub fn raw(&mut self, xml: &str) {
        self.out.push_str(xml);
    }

    /// How much is written; `cut` goes back to it.
    pub fn mark(&self) -> usize {
        self.out.len()
    }

    pub fn cut(&mut self, mark: usize) {
        self.out.truncate(mark);
    }

    /// Hands out what is written so far; writing goes on.
    pub fn take(&mut self) -> Bytes {
        Bytes::from(std::mem::take(&mut self.out))
    }

    pub fn as_str(&self) -> &str {
        &self.out
    }
}

/// Text as XML 1.0 may hold it. Names that came by another face can hold control characters; those become U+FFFD. Quotes may stand bare
/// outside attributes, where every entity tag has two.
pub(crate) fn escape(out: &mut String, text: &str, quotes: bool) {
    let special = |c: char| match c {
        '&' | '<' | '>' | '\r' | '\u{fffe}' | '\u{ffff}' => true,
        '"' => quotes,
        c => c < ' ' && !matches!(c, '\t' | '\n'),
    };
    let mut rest = text;
    while let Some(at) = rest.find(special) {
        out.push_str(&rest[..at]);
        let mut chars = rest[at..].chars();
        out.push_str(match chars.next() {
            Some('&') => "&amp;",
            Some('<') => "&lt;",
            Some('>') => "&gt;",
            Some('"') => "&quot;",
            // A bare one would come back as a line feed.
            Some('\r') => "&#13;",
            _ => "\u{fffd}",
        });
        rest = chars.as_str();
    }
    out.push_str(rest);
}
