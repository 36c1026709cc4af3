//! Calendar users as ORGANIZER and ATTENDEE spell them, and their parameters. Knows no account.

use crate::ical::lines::{Param, Property};

/// Whose SCHEDULE-AGENT it is to tell somebody: ours unless they say otherwise. RFC 6638 7.1.
pub fn is_ours(property: &Property) -> bool {
    property.param("SCHEDULE-AGENT").is_none_or(|agent| agent.eq_ignore_ascii_case("SERVER"))
}

/// A calendar user's address, comparable: a mail address without its scheme, anything else as it is; lower case.
///
/// RFC 7986 6.2: EMAIL names the mail address where the value is no mail address. It never takes the place of one.
pub fn address(property: &Property) -> String {
    let value = property.value.trim().to_lowercase();
    match value.strip_prefix("mailto:") {
        Some(mail) => mail.to_owned(),
        None if value.contains("/principals/") => value,
        None => property.param("EMAIL").map_or(value, |mail| mail.trim().to_lowercase()),
    }
}

/// One person who may be meant: by their mail address or their principal's URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    email: String,
    path: String,
}

impl Party {
    pub fn new(email: &str, name: &str) -> Party {
        Party { email: email.to_lowercase(), path: format!("/principals/{}", name.to_lowercase()) }
    }

    pub fn email(&self) -> &str {
        &self.email
    }

    pub fn is(&self, property: &Property) -> bool {
        self.is_at(&address(property))
    }

    /// Whether a comparable address is theirs.
    pub fn is_at(&self, address: &str) -> bool {
        if !self.email.is_empty() && address == self.email {
            return true;
        }
        principal(address).is_some_and(|name| self.path.strip_prefix("/principals/") == Some(name))
    }
}

/// The name in an address that is a principal's URL here.
pub fn principal(address: &str) -> Option<&str> {
    let path = address.strip_prefix("/dav").unwrap_or(address);
    let name = path.strip_prefix("/principals/")?;
    let name = name.strip_suffix('/').unwrap_or(name);
    (!name.is_empty() && !name.contains('/')).then_some(name)
}

/// The content line of a property with parameters set, or, where the value is `None`, taken away. Names are upper case.
pub fn with(property: &Property, changes: &[(&str, Option<&str>)]) -> String {
    let mut line = property.name.clone();
    let mut put = |name: &str, values: &[String]| {
        line.push(';');
        line.push_str(name);
        for (place, value) in values.iter().enumerate() {
            line.push(if place == 0 { '=' } else { ',' });
            line.push_str(&quoted(value));
        }
    };
    let changed = |name: &str| changes.iter().find(|(known, _)| *known == name);
    for Param { name, values } in &property.params {
        if changed(name).is_none() {
            put(name, values);
        }
    }
    for (name, value) in changes {
        if let Some(value) = value {
            put(name, &[(*value).to_owned()]);
        }
    }
    line.push(':');
    line.push_str(&property.value);
    line
}

/// RFC 5545 3.2 and RFC 6868.
fn quoted(value: &str) -> String {
    let escaped = value.replace('^', "^^").replace('\n', "^n").replace('"', "^'");
    if escaped.contains([':', ';', ',']) { format!("\"{escaped}\"") } else { escaped }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::ical::lines::{Limits, Lines};

    fn property(line: &str) -> Property {
        Lines::new(line.as_bytes(), &Limits::default()).next().unwrap().unwrap()
    }

    #[test]
    fn addresses_name_their_person_and_nobody_else() {
        let bob = Party::new("Bob@example.org", "bob");
        let rows = [
            ("ATTENDEE:mailto:bob@example.org", true),
            ("ATTENDEE:MAILTO:BOB@example.org", true),
            ("ATTENDEE;EMAIL=bob@example.org:urn:uuid:1", true),
            ("ATTENDEE;EMAIL=bob@example.org:mailto:eve@example.org", false),
            ("ATTENDEE:/principals/bob/", true),
            ("ATTENDEE:/dav/principals/bob", true),
            ("ATTENDEE:/principals/bob/x", false),
            ("ATTENDEE:mailto:bobby@example.org", false),
            ("ATTENDEE:bob", false),
        ];
        for (line, want) in rows {
            assert_eq!(bob.is(&property(line)), want, "{line}");
        }
        assert!(!Party::new("", "x").is(&property("ATTENDEE:mailto:")));
    }

    #[test]
    fn parameters_change_and_the_rest_stays() {
        let rows = [
            ("ATTENDEE;CN=\"A, B\";PARTSTAT=X:mailto:a", "ATTENDEE;CN=\"A, B\";PARTSTAT=ACCEPTED:mailto:a"),
            ("ATTENDEE:mailto:a", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:a"),
            ("ATTENDEE;CN=A ^'B^':mailto:a", "ATTENDEE;CN=A ^'B^';PARTSTAT=ACCEPTED:mailto:a"),
            ("ATTENDEE;MEMBER=\"m:1\",\"m:2\":mailto:a", "ATTENDEE;MEMBER=\"m:1\",\"m:2\";PARTSTAT=ACCEPTED:mailto:a"),
        ];
        for (line, want) in rows {
            assert_eq!(with(&property(line), &[("PARTSTAT", Some("ACCEPTED")), ("RSVP", None)]), want);
        }
    }
}
