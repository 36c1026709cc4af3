//! Messages that came from elsewhere, beside what stands: whether they are older, and what single instances in them make of it. RFC 5546
//! 2.1.5, 3.2.4, 3.2.5. Knows no sender.

use crate::ical::block::Block;
use crate::ical::edit::Edit;
use crate::ical::itip::organizer::behind;
use crate::ical::itip::party::with;
use crate::ical::itip::{exceptions, key, parts};
use crate::ical::lines::Property;
use crate::ical::object::CalendarObject;

/// Whether what a message says was said before what stands: by SEQUENCE, and of equals by DTSTAMP.
pub fn is_stale(message: &CalendarObject, stands: &CalendarObject) -> bool {
    let version = |block: &Block| {
        let sequence: u64 = block.value("SEQUENCE").and_then(|number| number.parse().ok()).unwrap_or_default();
        (sequence, block.value("DTSTAMP").unwrap_or_default().to_owned())
    };
    let known = parts(stands);
    parts(message).iter().any(|(of, block)| known.get(of).is_some_and(|stood| version(block) < version(stood)))
}

/// Whether it speaks of single instances only.
pub fn is_partial(message: &CalendarObject) -> bool {
    message.components().all(|block| block.property("RECURRENCE-ID").is_some())
}

/// What stands without the instances that a message names: excluded from their series.
pub fn without_instances(text: &[u8], stands: &CalendarObject, message: &CalendarObject) -> Vec<u8> {
    let mut edit = Edit::of(text);
    let known = parts(stands);
    let master = known.get(&None).copied();
    let gone = master.map(|master| exceptions(stands, master)).unwrap_or_default();
    for block in message.components() {
        let (of, Some(id)) = (key(message, block), block.property("RECURRENCE-ID")) else { continue };
        if let Some(stood) = known.get(&of) {
            edit.replace(stood.span.clone(), Vec::new());
        }
        if let (Some(master), Some(at)) = (master, &of)
            && !gone.contains_key(at)
        {
            let except = Property { name: "EXDATE".to_owned(), ..id.clone() };
            edit.insert(behind(master), edit.line(&with(&except, &[("RANGE", None)])));
        }
    }
    edit.done()
}

/// What stands with the instances of a message, in place of those that stood for the same.
pub fn with_instances(text: &[u8], stands: &CalendarObject, from: &[u8], message: &CalendarObject) -> Vec<u8> {
    let (mut edit, theirs) = (Edit::of(text), Edit::of(from));
    let known = parts(stands);
    let end = stands.components().last().map_or(0, |last| last.span.end);
    for (of, block) in parts(message) {
        if of.is_none() {
            continue;
        }
        if let Some(stood) = known.get(&of) {
            edit.replace(stood.span.clone(), Vec::new());
        }
        edit.insert(end, theirs.raw(&block.span).to_vec());
    }
    edit.done()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ical::itip::samples::{PEOPLE, event, read, text};

    #[test]
    fn instances_come_and_go_and_old_news_is_none() {
        let series = format!("SEQUENCE:2\nDTSTART:20250106T090000Z\nRRULE:FREQ=WEEKLY\n{PEOPLE}");
        let stands = text(&event(&series));
        let one =
            text(&event(&format!("SEQUENCE:2\nRECURRENCE-ID:20250113T090000Z\nDTSTART:20250113T110000Z\n{PEOPLE}")));
        let (object, message) = (read(&stands), read(&one));
        assert!(is_partial(&message) && !is_partial(&object));
        let more =
            String::from_utf8(with_instances(stands.as_bytes(), &object, one.as_bytes(), &message)).unwrap_or_default();
        assert_eq!(read(&more).components().count(), 2);
        let less = String::from_utf8(without_instances(more.as_bytes(), &read(&more), &message)).unwrap_or_default();
        assert!(less.contains("EXDATE:20250113T090000Z\r\n") && read(&less).components().count() == 1, "{less}");
        for (from, to, want) in [
            ("SEQUENCE:2", "SEQUENCE:1", true),
            ("20250101T", "20241231T", true),
            ("SEQUENCE:2", "SEQUENCE:3", false),
            ("x", "x", false),
        ] {
            assert_eq!(is_stale(&read(&stands.replace(from, to)), &object), want, "{to}");
        }
    }
}
