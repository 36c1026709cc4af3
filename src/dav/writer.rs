//! XML, written piece by piece into one buffer: compact, namespaces declared once at the root, `DAV:` as the default one. Knows elements,
//! no property.

use bytes::Bytes;

use crate::dav::xml::{Name, SPACES, Space};

/// A document, or a part of one, in the making. Tags are given with the prefixes of `xml.rs`: `D:href`, `C:comp`. `D:` is left out in the
/// answer: most elements are of `DAV:`, and a list of ten thousand of them is a third smaller for it.
///
/// ```
/// use campanile::dav::writer::Xml;
/// let mut xml = Xml::default();
/// xml.text("D:displayname", "Tom & <Jerry>");
/// xml.empty("C:comp");
/// assert_eq!(xml.as_str(), "<displayname>Tom &amp; &lt;Jerry&gt;</displayname><C:comp/>");
/// ```
#[derive(Default)]
pub struct Xml {
    out: String,
}

impl Xml {
    /// Begins a document whose root declares every namespace that we speak.
    pub fn document(root: &str) -> Xml {
        let mut xml = Xml { out: String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<") };
        xml.out.push_str(short(root));
        for (space, prefix, uri) in SPACES {
            xml.out.push_str(" xmlns");
            if space != Space::Dav {
                xml.out.push(':');
                xml.out.push_str(prefix);
            }
            xml.out.push_str("=\"");
            xml.out.push_str(uri);
            xml.out.push('"');
        }
        xml.out.push('>');
        xml
    }

    pub fn open(&mut self, tag: &str) {
        self.out.push('<');
        self.out.push_str(short(tag));
        self.out.push('>');
    }

    pub fn close(&mut self, tag: &str) {
        self.out.push_str("</");
        self.out.push_str(short(tag));
        self.out.push('>');
    }

    pub fn empty(&mut self, tag: &str) {
        self.out.push('<');
        self.out.push_str(short(tag));
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
        self.out.push_str(short(tag));
        for (name, value) in attributes {
            self.out.push(' ');
            self.out.push_str(name);
            self.out.push_str("=\"");
            escape(&mut self.out, value, true);
            self.out.push('"');
        }
        self.out.push_str("/>");
    }

    /// An element with text that may be large, such as a calendar's.
    pub fn bytes(&mut self, tag: &str, text: &[u8]) {
        match std::str::from_utf8(text) {
            Ok(plain) => self.text(tag, plain),
            Err(_) => self.text(tag, &String::from_utf8_lossy(text)),
        }
    }

    /// An empty element of any namespace.
    pub fn empty_name(&mut self, name: &Name) {
        match (name.space.prefix(), &name.space) {
            (Some(prefix), _) => self.empty(&format!("{prefix}:{}", name.local)),
            (None, Space::Other(uri)) => {
                self.empty_with(&format!("x:{}", name.local), &[("xmlns:x", uri)]);
            }
            // The default namespace is not theirs.
            (None, _) => self.empty_with(&name.local, &[("xmlns", "")]),
        }
    }

    /// A piece of XML that stands for itself, its namespaces declared in it; or one that another of these wrote.
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

/// A tag as it is written.
fn short(tag: &str) -> &str {
    tag.strip_prefix("D:").unwrap_or(tag)
}

/// Text as XML 1.0 may hold it. Names that came by another face can hold control characters; those become U+FFFD. Quotes may stand bare
/// outside attributes, where every entity tag has two.
pub(crate) fn escape(out: &mut String, text: &str, quotes: bool) {
    let mut kept = 0;
    let bytes = text.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        let (instead, length) = match byte {
            b'&' => ("&amp;", 1),
            b'<' => ("&lt;", 1),
            b'>' => ("&gt;", 1),
            b'"' if quotes => ("&quot;", 1),
            // A bare one would come back as a line feed.
            b'\r' => ("&#13;", 1),
            b'\t' | b'\n' => continue,
            0..b' ' => ("\u{fffd}", 1),
            // U+FFFE and U+FFFF.
            0xEF if matches!(bytes.get(at + 1..at + 3), Some([0xBF, 0xBE | 0xBF])) => ("\u{fffd}", 3),
            _ => continue,
        };
        // These stand at the beginnings of characters.
        out.push_str(text.get(kept..at).unwrap_or_default());
        out.push_str(instead);
        kept = at + length;
    }
    out.push_str(text.get(kept..).unwrap_or_default());
}
