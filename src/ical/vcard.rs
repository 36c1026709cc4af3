//! A card: text to properties, and whether it may be stored. vCard 3.0 and 4.0, 2.1 tolerated. Knows no store.

use crate::domain::refusal::Fault;
use crate::ical::block::Block;
use crate::ical::lines::{Limits, Property};
use crate::ical::object;
use crate::ical::stream::Source;
use crate::ical::text;

#[derive(Clone, Debug)]
pub struct Card {
    root: Block,
}

impl Card {
    /// Reads one VCARD; refuses what is no such thing, what breaks a limit, and lines that cannot be read.
    ///
    /// ```
    /// use campanile::ical::{lines::Limits, vcard::Card};
    /// let card = Card::read(b"BEGIN:VCARD\r\nVERSION:3.0\r\nUID:7\r\nFN:Ada\r\nitem1.EMAIL:ada@example.org\r\nEND:VCARD\r\n", &Limits::default()).unwrap();
    /// assert_eq!(card.name(), "Ada");
    /// assert_eq!(card.emails(), ["ada@example.org"]);
    /// ```
    pub fn read(bytes: &[u8], limits: &Limits) -> Result<Card, Fault> {
        object::only(bytes, "VCARD", limits).map(|root| Card { root })
    }

    /// Whether an address book may hold it as it is. RFC 6352 5.1: it has a UID.
    pub fn storable(&self) -> Result<(), Fault> {
        match self.uid() {
            Some(_) => Ok(()),
            None => Err(Fault::at(self.root.line, "a VCARD without UID")),
        }
    }

    pub fn uid(&self) -> Option<String> {
        self.root.value("UID").map(text::unescaped)
    }

    /// FN; where a 2.1 card has none, the parts of N.
    pub fn name(&self) -> String {
        if let Some(name) = self.root.property("FN").map(plain).filter(|name| !name.is_empty()) {
            return name;
        }
        let Some(parts) = self.root.property("N").map(plain) else { return String::new() };
        let mut parts = parts.split(';');
        let family = parts.next().unwrap_or_default();
        let given = parts.next().unwrap_or_default();
        format!("{given} {family}").trim().to_owned()
    }

    pub fn emails(&self) -> Vec<String> {
        let emails = self.root.properties("EMAIL").map(plain);
        emails.map(|email| email.trim().to_owned()).filter(|email| !email.is_empty()).collect()
    }

    /// Telephone numbers as they are written, without the `tel:` of vCard 4.
    pub fn phones(&self) -> Vec<String> {
        let phones = self.root.properties("TEL").map(plain);
        let bare = |phone: String| {
            let phone = phone.trim();
            let scheme = phone.get(..4).filter(|start| start.eq_ignore_ascii_case("tel:"));
            // That was a whole number of characters.
            phone[scheme.map_or(0, str::len)..].to_owned()
        };
        phones.map(bare).filter(|phone| !phone.is_empty()).collect()
    }

    /// The organization and its units, from the whole to the part.
    pub fn organization(&self) -> String {
        let Some(property) = self.root.property("ORG") else { return String::new() };
        if is_quoted_printable(property) {
            return plain(property).replace(';', ", ");
        }
        let units = text::split(&property.value, b';').map(text::unescaped).map(|unit| unit.trim().to_owned());
        units.filter(|unit| !unit.is_empty()).collect::<Vec<String>>().join(", ")
    }

    /// Everything that N says: family and given names, titles.
    pub fn parts_of_name(&self) -> String {
        self.root.property("N").map(plain).unwrap_or_default().replace(';', " ")
    }

    pub fn root(&self) -> &Block {
        &self.root
    }
}

/// A text value without its escapes and, in vCard 2.1, without quoted-printable.
pub fn plain(property: &Property) -> String {
    if is_quoted_printable(property) {
        return String::from_utf8_lossy(&unquoted(property.value.as_bytes())).into_owned();
    }
    text::unescaped(&property.value)
}

/// Whether its value is written in the quoted-printable of vCard 2.1.
pub fn is_quoted_printable(property: &Property) -> bool {
    property.params.iter().any(|param| {
        // vCard 2.1 also writes the bare word, without `ENCODING=`.
        (param.name == "QUOTED-PRINTABLE" && param.values.is_empty())
            || (param.name == "ENCODING" && param.values.iter().any(|v| v.eq_ignore_ascii_case("QUOTED-PRINTABLE")))
    })
}

fn unquoted(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut bytes = text.iter().copied();
    let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
    while let Some(byte) = bytes.next() {
        if byte != b'=' {
            plain.push(byte);
            continue;
        }
        let mut ahead = bytes.clone();
        if let (Some(high), Some(low)) = (digit(ahead.next()), digit(ahead.next())) {
            plain.extend(u8::try_from(high * 16 + low));
            bytes = ahead;
        }
    }
    plain
}

/// Whether the value goes on in the next physical line, unfolded: the soft line break of quoted-printable.
pub fn soft_break(property: &Property) -> bool {
    property.value.ends_with('=') && is_quoted_printable(property)
}

/// Takes the lines on which a quoted-printable value goes on.
pub fn join_soft_breaks(property: &mut Property, lines: &mut impl Source, limits: &Limits) -> Result<(), Fault> {
    while property.value.ends_with('=') {
        let line = lines.line();
        let Some(more) = lines.continuation() else { break };
        let more = std::str::from_utf8(more).map_err(|_| Fault::at(line, "not UTF-8"))?;
        if property.value.len() + more.len() > limits.line_bytes {
            return Err(Fault::at(line, format!("a line is longer than {} bytes", limits.line_bytes)));
        }
        property.value.pop();
        property.value.push_str(more);
        property.span.end = lines.offset();
    }
    Ok(())
}
