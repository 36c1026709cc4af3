//! What others may know of an object that is not theirs and not public: when it is, and that it is. Pure; who may know more is decided elsewhere.

use crate::domain::query::{Comps, Pick, Props};
use crate::ical::block::Block;
use crate::ical::excerpt::pen::{self, Instead, Pen};
use crate::ical::lines::Property;
use crate::ical::object::CalendarObject;
use crate::ical::vcard::Card;

/// What stands in place of a title.
pub const SUMMARY: &str = "Busy";
/// What stands in place of a name.
pub const NAME: &str = "Private";

/// Of the object: what says what it is, not of whom.
const ROOT: &[&str] = &["VERSION", "PRODID", "CALSCALE"];
/// Of a component: its identity, its time and whether that is taken.
const KEPT: &[&str] = &[
    "UID",
    "DTSTAMP",
    "CREATED",
    "LAST-MODIFIED",
    "SEQUENCE",
    "DTSTART",
    "DTEND",
    "DUE",
    "DURATION",
    "RRULE",
    "RDATE",
    "EXDATE",
    "EXRULE",
    "RECURRENCE-ID",
    "CLASS",
    "TRANSP",
    "STATUS",
    "BUSYTYPE",
];
const CARD: &[&str] = &["VERSION", "PRODID", "UID", "REV", "KIND", "CLASS", "FN", "N"];

/// Whether a component is for its owner alone: CLASS is PRIVATE, CONFIDENTIAL, or a word that nobody knows (RFC 5545 3.8.1.3: as PRIVATE).
pub fn is_private(block: &Block) -> bool {
    block.value("CLASS").is_some_and(|class| !class.eq_ignore_ascii_case("PUBLIC"))
}

/// Whether any component of a calendar object is. One private instance makes the series private: its other instances would tell of it.
pub fn hides(object: &CalendarObject) -> bool {
    object.components().any(is_private)
}

/// A calendar object as others see it; `bytes` are its text.
pub fn calendar(object: &CalendarObject, bytes: &[u8]) -> Vec<u8> {
    let root = object.root();
    let mut pen = Pen::new(bytes);
    pen.begin(&root.name);
    pen.properties(root, Some(&pick(&root.name, ROOT, Vec::new())));
    for block in &root.blocks {
        if block.name == "VTIMEZONE" {
            pen.component(block, None, &mut pen::as_written, &[]);
            continue;
        }
        let mut kept = KEPT.to_vec();
        kept.push("SUMMARY");
        let times = vec![pick("AVAILABLE", KEPT, Vec::new())];
        let mut swap = |property: &Property| match property.name.as_str() {
            "SUMMARY" => Instead::Line(format!("SUMMARY:{SUMMARY}")),
            _ => Instead::AsWritten,
        };
        pen.component(block, Some(&pick(&block.name, &kept, times)), &mut swap, &[]);
    }
    pen.end(&root.name);
    pen.done()
}

/// A card as others see it.
pub fn card(card: &Card, bytes: &[u8]) -> Vec<u8> {
    let root = card.root();
    let mut swap = |property: &Property| match property.name.as_str() {
        "FN" => Instead::Line(format!("FN:{NAME}")),
        "N" => Instead::Line(format!("N:{NAME};;;;")),
        _ => Instead::AsWritten,
    };
    let mut pen = Pen::new(bytes);
    pen.component(root, Some(&pick(&root.name, CARD, Vec::new())), &mut swap, &[]);
    pen.done()
}

fn pick(name: &str, props: &[&str], comps: Vec<Pick>) -> Pick {
    let props = Props::These(props.iter().map(|name| ((*name).to_owned(), false)).collect());
    Pick { name: name.to_owned(), props, comps: Comps::These(comps) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ical::lines::Limits;

    #[test]
    fn times_stay_and_words_go() {
        let text = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nX-WR-CALNAME:Doctor\r\nBEGIN:VTIMEZONE\r\nTZID:Europe/Paris\r\nBEGIN:STANDARD\r\n\
            DTSTART:19700101T000000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\nBEGIN:VEVENT\r\nUID:a\r\n\
            DTSTAMP:20250101T000000Z\r\nDTSTART;TZID=Europe/Paris:20250601T090000\r\nDURATION:PT1H\r\nRRULE:FREQ=DAILY\r\nSUMMARY;LANGUAGE=en:Doctor\r\n\
            LOCATION:Clinic\r\nX-NOTE:Doctor\r\nATTENDEE:mailto:b@example.org\r\nCLASS:confidential\r\nTRANSP:OPAQUE\r\nBEGIN:VALARM\r\nACTION:DISPLAY\r\n\
            DESCRIPTION:Doctor\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:a\r\nDTSTAMP:20250101T000000Z\r\n\
            RECURRENCE-ID;TZID=Europe/Paris:20250602T090000\r\nDTSTART;TZID=Europe/Paris:20250602T100000\r\nSUMMARY:Doctor again\r\nEND:VEVENT\r\n\
            END:VCALENDAR\r\n";
        let object = CalendarObject::read(text.as_bytes(), &Limits::default()).expect("an object");
        assert!(hides(&object));
        let masked = String::from_utf8(calendar(&object, text.as_bytes())).expect("UTF-8");
        for gone in ["Doctor", "Clinic", "mailto", "VALARM", "X-"] {
            assert!(!masked.contains(gone), "{gone} in {masked}");
        }
        let again = CalendarObject::read(masked.as_bytes(), &Limits::default()).expect("still an object");
        again.storable().expect("and a whole one");
        for stays in ["TZID:Europe/Paris", "RRULE:FREQ=DAILY", "SUMMARY:Busy", "CLASS:confidential", "RECURRENCE-ID"] {
            assert!(masked.contains(stays), "no {stays} in {masked}");
        }
        assert_eq!(calendar(&again, masked.as_bytes()), masked.as_bytes(), "what is masked stays as it is");
    }

    #[test]
    fn only_public_is_public() {
        for (class, hidden) in [
            ("", false),
            ("CLASS:PUBLIC", false),
            ("CLASS:public", false),
            ("CLASS:PRIVATE", true),
            ("CLASS:X-ODD", true),
        ] {
            let text = format!(
                "BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nUID:a\nDTSTART:20250101T000000Z\n{class}\nEND:VEVENT\nEND:VCALENDAR\n"
            );
            let object = CalendarObject::read(text.replace("\n\n", "\n").as_bytes(), &Limits::default());
            assert_eq!(hides(&object.expect("an object")), hidden, "{class}");
        }
    }

    #[test]
    fn a_card_keeps_no_name() {
        let text = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:c\r\nFN:Jo Doe\r\nN:Doe;Jo;;;\r\nCLASS:PRIVATE\r\nTEL:1\r\nEND:VCARD\r\n";
        let read = Card::read(text.as_bytes(), &Limits::default()).expect("a card");
        assert!(is_private(read.root()));
        let masked = String::from_utf8(card(&read, text.as_bytes())).expect("UTF-8");
        assert_eq!(
            masked,
            "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:c\r\nFN:Private\r\nN:Private;;;;\r\nCLASS:PRIVATE\r\nEND:VCARD\r\n"
        );
    }
}
