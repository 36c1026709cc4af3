//! What the organizer asks, laid over what an attendee has: their own answers and alarms stay. RFC 6638 3.2.5 to 3.2.8. Sends nothing.

use crate::ical::block::Block;
use crate::ical::edit::Edit;
use crate::ical::itip::organizer::behind;
use crate::ical::itip::party::{Party, with};
use crate::ical::itip::{attendee, exceptions, key, parts, timing};
use crate::ical::object::CalendarObject;

/// The attendee's new text, from their part of the organizer's and their own text as it is.
///
/// Of each instance whose time stays, what they answered, whether it makes them busy, their alarms and their X- properties stay. An instance
/// that they took away themselves stays away while they are known to have declined it.
pub fn merged(part: &[u8], asked: &CalendarObject, mine: Option<(&[u8], &CalendarObject)>, me: &Party) -> Vec<u8> {
    let Some((text, have)) = mine else { return part.to_vec() };
    let (mut edit, own) = (Edit::of(part), Edit::of(text));
    let known = parts(have);
    let series = known.get(&None).copied();
    let away = series.map(|series| exceptions(have, series)).unwrap_or_default();
    let master = asked.components().find(|block| block.property("RECURRENCE-ID").is_none());
    let excluded = master.map(|master| exceptions(asked, master)).unwrap_or_default();
    for block in asked.components() {
        let of = key(asked, block);
        let declined = attendee(block, me)
            .and_then(|it| it.param("PARTSTAT"))
            .is_some_and(|it| it.eq_ignore_ascii_case("DECLINED"));
        if let (Some(at), Some(master)) = (&of, master)
            && let Some(property) = block.property("RECURRENCE-ID")
            && declined
            && away.contains_key(at)
        {
            edit.replace(block.span.clone(), Vec::new());
            if !excluded.contains_key(at) {
                let except = crate::ical::lines::Property { name: "EXDATE".to_owned(), ..property.clone() };
                edit.insert(behind(master), edit.line(&with(&except, &[("RANGE", None)])));
            }
            continue;
        }
        let mine = known.get(&of).copied();
        // An exception that is new to them rings as its series does.
        if let Some(block_of_mine) = mine.or(series) {
            alarms(&mut edit, &own, block, block_of_mine);
        }
        let Some(mine) = mine else { continue };
        if timing(have, mine) == timing(asked, block) {
            keep_answer(&mut edit, block, mine, me);
            keep_transparency(&mut edit, &own, block, mine);
        }
        for property in mine.properties.iter().filter(|it| it.name.starts_with("X-") || it.name == "ACKNOWLEDGED") {
            if block.property(&property.name).is_none() {
                edit.insert(behind(block), own.raw(&property.span).to_vec());
            }
        }
    }
    edit.done()
}

fn alarms(edit: &mut Edit<'_>, own: &Edit<'_>, block: &Block, mine: &Block) {
    for alarm in mine.blocks("VALARM") {
        edit.insert(behind(block), own.raw(&alarm.span).to_vec());
    }
}

fn keep_answer(edit: &mut Edit<'_>, block: &Block, mine: &Block, me: &Party) {
    let (Some(theirs), Some(stood)) = (attendee(block, me), attendee(mine, me)) else { return };
    let said = |property: &crate::ical::lines::Property| {
        property.param("PARTSTAT").unwrap_or("NEEDS-ACTION").to_ascii_uppercase()
    };
    let answer = said(stood);
    if answer != "NEEDS-ACTION" && answer != said(theirs) {
        edit.replace(theirs.span.clone(), edit.line(&with(theirs, &[("PARTSTAT", Some(&answer))])));
    }
}

fn keep_transparency(edit: &mut Edit<'_>, own: &Edit<'_>, block: &Block, mine: &Block) {
    let Some(stood) = mine.property("TRANSP") else { return };
    match block.property("TRANSP") {
        Some(theirs) => edit.replace(theirs.span.clone(), own.raw(&stood.span).to_vec()),
        None => edit.insert(behind(block), own.raw(&stood.span).to_vec()),
    }
}

/// An attendee's text once it does not take place for them any more: cancelled, with everything of theirs in it.
pub fn cancelled(text: &[u8], object: &CalendarObject) -> Vec<u8> {
    let mut edit = Edit::of(text);
    for block in object.components() {
        let sequence: u64 = block.value("SEQUENCE").and_then(|number| number.parse().ok()).unwrap_or_default();
        let lines = [
            ("STATUS", "STATUS:CANCELLED".to_owned()),
            ("SEQUENCE", format!("SEQUENCE:{}", sequence.saturating_add(1))),
        ];
        for (name, line) in lines {
            match block.property(name) {
                Some(property) => edit.replace(property.span.clone(), edit.line(&line)),
                None => edit.insert(behind(block), edit.line(&line)),
            }
        }
    }
    edit.done()
}

/// The instances that an attendee had before a change and has no more, by what names them: a component's RECURRENCE-ID that went, or an
/// exception that came.
pub fn lost(before: &CalendarObject, after: &CalendarObject) -> Vec<crate::ical::lines::Property> {
    let master =
        |object: &CalendarObject| object.components().find(|block| block.property("RECURRENCE-ID").is_none()).cloned();
    let (Some(was), Some(is)) = (master(before), master(after)) else { return Vec::new() };
    let stood = exceptions(before, &was);
    let mut all = Vec::new();
    for property in is.properties("EXDATE") {
        for value in crate::ical::text::parts(&property.value) {
            let one = crate::ical::lines::Property {
                name: "RECURRENCE-ID".to_owned(),
                value: value.trim().to_owned(),
                ..property.clone()
            };
            let at = crate::ical::time::time(&one, &one.value, after.zones()).map(|time| super::spelled(&time));
            if at.is_ok_and(|at| !stood.contains_key(&at)) {
                all.push(one);
            }
        }
    }
    all
}

/// Whether nothing but instances went: what is left says what it said.
pub fn only_lost(before: &CalendarObject, after: &CalendarObject) -> bool {
    let told = |object: &CalendarObject, block: &Block| -> Vec<String> {
        let mut lines: Vec<String> = block
            .properties
            .iter()
            .filter(|it| {
                !matches!(
                    it.name.as_str(),
                    "EXDATE" | "DTSTAMP" | "SEQUENCE" | "LAST-MODIFIED" | "TRANSP" | "ORGANIZER"
                )
            })
            .filter(|it| !it.name.starts_with("X-"))
            .map(|it| match it.name.as_str() {
                "ATTENDEE" => crate::ical::itip::party::address(it),
                "DTSTART" | "DTEND" | "DUE" | "RDATE" => format!("{}:{}", it.name, super::times(object, it)),
                _ => format!("{}:{}", it.name, it.value.trim()),
            })
            .collect();
        lines.sort();
        lines
    };
    let was = parts(before);
    parts(after)
        .into_iter()
        .all(|(of, block)| was.get(&of).is_some_and(|stood| told(before, stood) == told(after, block)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::ical::itip::samples::{PEOPLE, event, party, read, text};

    const WEEKLY: &str = "DTSTART:20250106T090000Z\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;COUNT=5\nSUMMARY:Round\n";

    fn merge(part: &str, mine: &str) -> String {
        let (asked, have) = (read(part), read(mine));
        let merged = merged(part.as_bytes(), &asked, Some((mine.as_bytes(), &have)), &party("bob"));
        String::from_utf8(merged).unwrap().replace("\r\n ", "").replace("\r\n", "\n")
    }

    #[test]
    fn what_is_theirs_stays() {
        let part = text(&event(&format!("{WEEKLY}{PEOPLE}")));
        let alarm = "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT5M\nEND:VALARM\n";
        let answered = PEOPLE.replace("RSVP=TRUE", "PARTSTAT=ACCEPTED");
        let mine = text(&event(&format!("{WEEKLY}TRANSP:TRANSPARENT\nX-A:1\n{answered}{alarm}")));
        let same = merge(&part.replace("Round", "Square"), &mine);
        for kept in
            ["SUMMARY:Square\n", "TRANSP:TRANSPARENT\n", "X-A:1\n", alarm, "RSVP=TRUE;PARTSTAT=ACCEPTED:mailto:bob"]
        {
            assert!(same.contains(kept), "{kept} in {same}");
        }
        let moved = merge(&part.replace("0106T09", "0106T10"), &mine);
        assert!(moved.contains(alarm) && !moved.contains("PARTSTAT=ACCEPTED") && !moved.contains("TRANSP"), "{moved}");
    }

    #[test]
    fn cancellations_name_what_is_gone() {
        let part = text(&event(&format!("{WEEKLY}{PEOPLE}")));
        let object = read(&part);
        let off = String::from_utf8(cancelled(part.as_bytes(), &object)).unwrap();
        assert!(off.contains("STATUS:CANCELLED\r\n") && off.contains("SEQUENCE:1\r\n"), "{off}");
        let fewer = read(&part.replace("SUMMARY", "EXDATE:20250113T090000Z,20250120T090000Z\r\nSUMMARY"));
        let gone: Vec<String> = lost(&object, &fewer).into_iter().map(|property| property.value).collect();
        assert_eq!(gone, ["20250113T090000Z", "20250120T090000Z"]);
        assert!(lost(&fewer, &fewer).is_empty());
    }
}
