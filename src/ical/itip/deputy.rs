//! SENT-BY: who wrote for an organizer or an attendee. RFC 5545 3.2.18. Knows no rights.

use std::collections::BTreeSet;

use crate::ical::edit::Edit;
use crate::ical::itip::party::{Party, with};
use crate::ical::lines::Property;
use crate::ical::object::CalendarObject;

/// The lines in which somebody speaks: as the organizer, where they are that, else as an attendee.
fn lines<'o>(object: &'o CalendarObject, who: &Party) -> Vec<&'o Property> {
    let of = |name: &'static str| {
        let all = object.components().flat_map(move |block| block.properties(name));
        all.filter(|property| who.is(property)).collect::<Vec<_>>()
    };
    let organizes = of("ORGANIZER");
    if organizes.is_empty() { of("ATTENDEE") } else { organizes }
}

/// The mail addresses of those who are said to write for somebody, comparable.
pub fn deputies(object: &CalendarObject, who: &Party) -> BTreeSet<String> {
    let named = lines(object, who).into_iter().filter_map(|property| property.param("SENT-BY"));
    named.map(bare).filter(|address| !who.is_at(address)).collect()
}

/// A text in which `by`, a mail address, writes for somebody; all other bytes stay.
pub fn signed(text: &[u8], object: &CalendarObject, who: &Party, by: &str) -> Vec<u8> {
    let mut edit = Edit::of(text);
    for property in lines(object, who) {
        if property.param("SENT-BY").map(bare).as_deref() != Some(&by.to_lowercase()) {
            let line = with(property, &[("SENT-BY", Some(&format!("mailto:{by}")))]);
            edit.replace(property.span.clone(), edit.line(&line));
        }
    }
    edit.done()
}

fn bare(address: &str) -> String {
    let address = address.trim().to_lowercase();
    address.strip_prefix("mailto:").map(str::to_owned).unwrap_or(address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ical::itip::samples::{PEOPLE, event, party, read, text};

    #[test]
    fn whoever_writes_for_somebody_is_named_once() {
        let plain = text(&event(&format!("DTSTART:20250106T090000Z\n{PEOPLE}")));
        for (who, line) in [
            ("alice", "ORGANIZER;SENT-BY=\"mailto:dave@example.org\":mailto:alice@example.org"),
            ("bob", "ATTENDEE;RSVP=TRUE;SENT-BY=\"mailto:dave@example.org\":mailto:bob@example.org"),
        ] {
            let signed = |from: &str| {
                let bytes = signed(from.as_bytes(), &read(from), &party(who), "dave@example.org");
                String::from_utf8(bytes).unwrap_or_default()
            };
            let once = signed(&plain);
            assert!(once.replace("\r\n ", "").contains(line), "{once}");
            assert_eq!((once.matches("SENT-BY").count(), signed(&once)), (1, once.clone()));
            assert!(deputies(&read(&plain), &party(who)).is_empty());
            assert_eq!(deputies(&read(&once), &party(who)).into_iter().collect::<Vec<_>>(), ["dave@example.org"]);
        }
    }
}
