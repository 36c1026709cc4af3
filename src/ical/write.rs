//! Objects to files: an export of many stored objects, byte for byte. Reads no store.

use std::collections::HashSet;

use crate::ical::lines::Limits;
use crate::ical::scan::{self, Found};
use crate::ical::text;

/// Who writes, RFC 5545 3.7.3.
pub const PRODID: &str = "-//Campanile//Campanile//EN";

/// Merges stored calendar objects into one VCALENDAR. Components stay byte for byte, each zone stands once.
///
/// ```
/// use campanile::ical::write;
/// let one = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:20250115T090000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
/// let file = String::from_utf8(write::collection("Work", &[one])).unwrap();
/// assert!(file.contains("X-WR-CALNAME:Work\r\nBEGIN:VEVENT\r\nUID:1\r\n"));
/// ```
pub fn collection(name: &str, objects: &[&[u8]]) -> Vec<u8> {
    let mut zones = Vec::new();
    let mut known: HashSet<String> = HashSet::new();
    let mut components = Vec::with_capacity(objects.iter().map(|object| object.len()).sum());
    // What is stored was within the limits when it came, but they may have been tightened since: it goes out nonetheless.
    let limits = Limits {
        object_bytes: usize::MAX,
        line_bytes: usize::MAX,
        components: usize::MAX,
        properties: usize::MAX,
        params: usize::MAX,
        dates: usize::MAX,
        alarms: usize::MAX,
        items: usize::MAX,
        ..Limits::default()
    };
    for object in objects {
        // An object that cannot be read would not have been stored; nothing of it can be taken.
        let _ = scan::calendars(object, &limits, |found| {
            let Found::Component(block) = found else { return };
            let raw = object.get(block.span.clone()).unwrap_or_default();
            let out = match block.name == "VTIMEZONE" {
                true if !known.insert(block.value("TZID").unwrap_or_default().to_owned()) => return,
                true => &mut zones,
                false => &mut components,
            };
            out.extend_from_slice(raw);
            end_line(out);
        });
    }
    let mut file = b"BEGIN:VCALENDAR\r\n".to_vec();
    wrapper_lines(b"", &mut file);
    if !name.is_empty() {
        let line = format!("X-WR-CALNAME:{}", text::escaped(name));
        file.extend_from_slice(text::folded(&line).as_bytes());
    }
    file.append(&mut zones);
    file.append(&mut components);
    file.extend_from_slice(b"END:VCALENDAR\r\n");
    file
}

/// Stored cards, one behind the other.
pub fn cards(cards: &[&[u8]]) -> Vec<u8> {
    let mut file = Vec::with_capacity(cards.iter().map(|card| card.len() + 2).sum());
    for card in cards {
        file.extend_from_slice(card.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(card));
        end_line(&mut file);
    }
    file
}

/// Ends the last line where it has no end.
pub fn end_line(out: &mut Vec<u8>) {
    if !out.ends_with(b"\n") {
        out.extend_from_slice(b"\r\n");
    }
}

/// A line, folded or not, with CRLF for whatever ended it.
pub fn with_crlf(raw: &[u8], out: &mut Vec<u8>) {
    for line in raw.split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        out.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
        out.extend_from_slice(b"\r\n");
    }
}

/// The lines that open a VCALENDAR: those that were carried over, and what RFC 5545 3.6 requires of the rest.
pub fn wrapper_lines(carried: &[u8], out: &mut Vec<u8>) {
    let has = |name: &[u8]| {
        carried
            .split(|byte| *byte == b'\n')
            .any(|line| line.get(..name.len()).is_some_and(|l| l.eq_ignore_ascii_case(name)))
    };
    if !has(b"VERSION") {
        out.extend_from_slice(b"VERSION:2.0\r\n");
    }
    if !has(b"PRODID") {
        out.extend_from_slice(format!("PRODID:{PRODID}\r\n").as_bytes());
    }
    out.extend_from_slice(carried);
}
