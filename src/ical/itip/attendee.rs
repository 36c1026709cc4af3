//! What an attendee may change of what they are invited to, and whether that is an answer. RFC 6638 3.2.2. Writes nothing.

use std::collections::BTreeSet;

use crate::domain::refusal::Fault;
use crate::ical::block::Block;
use crate::ical::itip::party::{Party, address};
use crate::ical::itip::{Breach, attendee, exceptions, key, parts, times};
use crate::ical::lines::Property;
use crate::ical::object::CalendarObject;
use crate::ical::text;

/// What only the organizer says, beside times, organizer and attendees.
const THEIRS: [&str; 7] = ["SUMMARY", "LOCATION", "DESCRIPTION", "STATUS", "RRULE", "EXRULE", "DURATION"];

/// Whether an attendee's change is an answer to the organizer. Refuses what is the organizer's alone to change.
///
/// Theirs are their own ATTENDEE, alarms, TRANSP, COMMENT, X- properties and stamps; EXDATE of an instance declines it.
pub fn answers(before: Option<&CalendarObject>, after: &CalendarObject, me: &Party) -> Result<bool, Breach> {
    let forced = after.components().filter_map(|block| block.property("ORGANIZER")).any(|organizer| {
        organizer.param("SCHEDULE-FORCE-SEND").is_some_and(|force| force.eq_ignore_ascii_case("REPLY"))
    });
    let Some(before) = before else {
        let said = after.components().any(|block| attendee(block, me).is_some_and(|it| partstat(it) != "NEEDS-ACTION"));
        return Ok(said || forced);
    };
    let (was, is) = (parts(before), parts(after));
    let series = was.get(&None).copied();
    let away = |object, blocks: &std::collections::BTreeMap<_, &Block>| -> BTreeSet<String> {
        let master = blocks.get(&None).copied();
        master.map(|master| exceptions(object, master).into_keys().collect()).unwrap_or_default()
    };
    let (mut stood, stands) = (away(before, &was), away(after, &is));
    stood.retain(|at| !stands.contains(at));
    if !stood.is_empty() {
        return Err(breach(after.root(), "EXDATE", "an instance that the organizer excluded cannot come back"));
    }
    let mut news = forced || stands.len() > away(before, &was).len();
    for (of, block) in &was {
        let replaced = is.contains_key(of) || of.as_ref().is_some_and(|at| stands.contains(at));
        if !replaced {
            return Err(breach(block, "UID", "an attendee cannot take a component away without declining it"));
        }
    }
    for (of, block) in &is {
        let mine = match was.get(of) {
            Some(earlier) => {
                same_times(before, earlier, after, block)?;
                *earlier
            }
            None => {
                let earlier =
                    series.ok_or_else(|| breach(block, "RECURRENCE-ID", "the organizer asked to no such instance"))?;
                if block.property("DTSTART").map(|it| times(after, it)) != key(after, block) {
                    return Err(breach(block, "DTSTART", "only the organizer can move an instance"));
                }
                earlier
            }
        };
        same_rest(mine, block, me, was.contains_key(of))?;
        news |= said(mine, me) != said(block, me);
    }
    Ok(news)
}

/// Whether nothing but their own ATTENDEE lines differ, stamps aside: an answer, and no other device of theirs need read it again.
pub fn only_answers(before: &CalendarObject, after: &CalendarObject, me: &Party) -> bool {
    let told = |object: &CalendarObject| -> Vec<Vec<(String, String)>> {
        let mut all: Vec<Vec<(String, String)>> = Vec::new();
        for block in object.components() {
            let rest = |property: &&Property| match property.name.as_str() {
                "DTSTAMP" | "LAST-MODIFIED" | "ORGANIZER" | "SEQUENCE" => false,
                "ATTENDEE" => !me.is(property),
                _ => true,
            };
            let own = block.properties.iter().filter(rest);
            let inner = block.blocks.iter().flat_map(Block::all_properties);
            let mut lines: Vec<(String, String)> =
                own.chain(inner).map(|property| (property.name.clone(), property.value.trim().to_owned())).collect();
            lines.sort();
            all.push(lines);
        }
        all.sort();
        all
    };
    told(before) == told(after)
}

/// What somebody says in a component: the answer, and what goes with it.
fn said(block: &Block, me: &Party) -> (Option<String>, Vec<String>) {
    let comments = block.properties("COMMENT").map(|comment| comment.value.clone()).collect();
    (attendee(block, me).map(partstat), comments)
}

pub(crate) fn partstat(property: &Property) -> String {
    property.param("PARTSTAT").unwrap_or("NEEDS-ACTION").to_ascii_uppercase()
}

fn same_times(before: &CalendarObject, was: &Block, after: &CalendarObject, is: &Block) -> Result<(), Breach> {
    for name in ["DTSTART", "DTEND", "DUE", "RDATE"] {
        let all = |object, block: &Block| -> Vec<String> {
            let mut all: Vec<String> = block.properties(name).map(|property| times(object, property)).collect();
            all.sort();
            all
        };
        if all(before, was) != all(after, is) {
            return Err(breach(is, name, "only the organizer can change the time"));
        }
    }
    Ok(())
}

/// `whole`: it stood there before; else it is an instance of a series beside it, which has no rule of its own.
fn same_rest(was: &Block, is: &Block, me: &Party, whole: bool) -> Result<(), Breach> {
    for name in THEIRS.iter().filter(|name| whole || !matches!(**name, "RRULE" | "EXRULE")) {
        // A to-do's state is its attendee's own to tell.
        if *name == "STATUS" && is.name == "VTODO" {
            continue;
        }
        let plain =
            |block: &Block| block.value(name).map(|value| text::unescaped(value).trim().to_owned()).unwrap_or_default();
        let (one, other) = (plain(was), plain(is));
        let same =
            if matches!(*name, "RRULE" | "EXRULE" | "STATUS") { rule(&one) == rule(&other) } else { one == other };
        if !same {
            return Err(breach(is, name, &format!("only the organizer can change {name}")));
        }
    }
    let organizer = |block: &Block| block.property("ORGANIZER").map(address);
    if organizer(was) != organizer(is) {
        return Err(breach(is, "ORGANIZER", "an attendee cannot name another organizer"));
    }
    let others = |block: &Block| -> BTreeSet<(String, String)> {
        block.properties("ATTENDEE").filter(|it| !me.is(it)).map(|it| (address(it), partstat(it))).collect()
    };
    if others(was) != others(is) {
        return Err(breach(is, "ATTENDEE", "an attendee can answer for nobody else"));
    }
    if attendee(was, me).is_some() != attendee(is, me).is_some() {
        return Err(breach(is, "ATTENDEE", "an attendee cannot put themselves on the list or off it"));
    }
    Ok(())
}

/// The parts of a rule in one order.
fn rule(text: &str) -> Vec<String> {
    let mut parts: Vec<String> = text.split(';').map(|part| part.trim().to_ascii_uppercase()).collect();
    parts.sort();
    parts
}

fn breach(block: &Block, name: &str, why: &str) -> Breach {
    let line = block.property(name).map_or(block.line, |property| property.line);
    Breach::Attendee(Fault::at(line, why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ical::itip::samples::{PEOPLE, event, party, read, text};

    #[test]
    fn attendees_change_what_is_theirs() {
        const WEEKLY: &str =
            "DTSTART:20250106T090000Z\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;COUNT=5\nSUMMARY:Round\nLOCATION:A\\, B\n";
        let mine = text(&event(&format!("{WEEKLY}{PEOPLE}")));
        let one = |start: &str, answer: &str| {
            let people = PEOPLE.replace("RSVP=TRUE", answer);
            let lines = WEEKLY.replace("20250106T090000Z", start).replace("RRULE:FREQ=WEEKLY;COUNT=5\n", "");
            event(&format!("RECURRENCE-ID:20250113T090000Z\n{lines}{people}"))
        };
        let beside = |other: String| text(&(event(&format!("{WEEKLY}{PEOPLE}")) + &other));
        let put = |from: &str, to: &str| mine.replace(from, to);
        let rows = [
            (mine.clone(), Some(false)),
            (put("RSVP=TRUE", "PARTSTAT=ACCEPTED"), Some(true)),
            (put("RSVP=TRUE", "RSVP=FALSE;X-A=1"), Some(false)),
            (put("DTSTAMP:2025", "DTSTAMP:2026"), Some(false)),
            (put("SUMMARY", "TRANSP:TRANSPARENT\r\nX-B:1\r\nSUMMARY"), Some(false)),
            (put("SUMMARY", "COMMENT:late\r\nSUMMARY"), Some(true)),
            (put("SUMMARY", "EXDATE:20250113T090000Z\r\nSUMMARY"), Some(true)),
            (
                put("END:VEVENT", "BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\nEND:VEVENT"),
                Some(false),
            ),
            (beside(one("20250113T090000Z", "PARTSTAT=DECLINED")), Some(true)),
            (put("WEEKLY;COUNT=5", "weekly;count=5"), Some(false)),
            (put("ORGANIZER:", "ORGANIZER;SCHEDULE-FORCE-SEND=REPLY:"), Some(true)),
            (beside(one("20250114T090000Z", "PARTSTAT=DECLINED")), None),
            (put("Round", "Square"), None),
            (put("LOCATION:A\\, B", "LOCATION:A"), None),
            (put("0106T09", "0106T10"), None),
            (put("COUNT=5", "COUNT=6"), None),
            (put("PT1H", "PT2H"), None),
            (put("mailto:carol", "mailto:eve"), None),
            (put("ATTENDEE:mailto:carol", "ATTENDEE;PARTSTAT=DECLINED:mailto:carol"), None),
            (put("ORGANIZER:mailto:alice", "ORGANIZER:mailto:bob"), None),
            (put("ATTENDEE;RSVP=TRUE:mailto:bob@example.org\r\n", ""), None),
        ];
        for (number, (after, want)) in rows.iter().enumerate() {
            let found = answers(Some(&read(&mine)), &read(after), &party("bob"));
            assert_eq!(found.as_ref().ok(), want.as_ref(), "row {number}: {found:?}");
        }
        let away = put("SUMMARY", "EXDATE:20250113T090000Z\r\nSUMMARY");
        assert!(answers(Some(&read(&away)), &read(&mine), &party("bob")).is_err());
        assert_eq!(answers(None, &read(&mine), &party("bob")), Ok(false));
        assert_eq!(answers(None, &read(&put("RSVP=TRUE", "PARTSTAT=ACCEPTED")), &party("bob")), Ok(true));
    }
}
