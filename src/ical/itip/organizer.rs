//! The organizer's side: whom a change concerns, and what the service notes in the organizer's text. Merges no reply.

use std::collections::{BTreeMap, BTreeSet};

use crate::ical::block::Block;
use crate::ical::edit::Edit;
use crate::ical::itip::party::{Party, address, is_ours, with};
use crate::ical::itip::{exceptions, key, parts, times, timing};
use crate::ical::lines::Property;
use crate::ical::object::CalendarObject;

/// The attendees whom the service is to tell, by their comparable addresses; the organizer is not among them.
pub fn attendees(object: &CalendarObject, organizer: &Party) -> BTreeSet<String> {
    let all = object.components().flat_map(|block| block.properties("ATTENDEE"));
    all.filter(|property| is_ours(property) && !organizer.is(property)).map(address).collect()
}

/// Those of the attendees, before and after a change, for whom something is different: asked, asked otherwise, or asked no more.
///
/// What only others answered, and what is nobody else's business (alarms, stamps, X- properties), makes no difference.
pub fn concerned(before: Option<&CalendarObject>, after: Option<&CalendarObject>, organizer: &Party) -> Vec<String> {
    let (was, is) = (before.map(|it| Sights::of(it, organizer)), after.map(|it| Sights::of(it, organizer)));
    let sight = |sights: &Option<Sights>, who: &str| sights.as_ref().and_then(|sights| sights.of_one(who).cloned());
    let mut all = BTreeSet::new();
    all.extend(was.iter().flat_map(|sights| sights.places.keys().cloned()));
    all.extend(is.iter().flat_map(|sights| sights.places.keys().cloned()));
    let forced = |who: &String| {
        let blocks = after.into_iter().flat_map(CalendarObject::components);
        let mut said =
            blocks.flat_map(|block| block.properties("ATTENDEE")).filter(|property| address(property) == *who);
        said.any(|property| {
            property.param("SCHEDULE-FORCE-SEND").is_some_and(|force| force.eq_ignore_ascii_case("REQUEST"))
        })
    };
    all.into_iter().filter(|who| sight(&was, who) != sight(&is, who) || forced(who)).collect()
}

/// What each attendee sees of an object. Those who are in the same components see the same, so that is worked out once for all of them.
struct Sights {
    places: BTreeMap<String, Vec<usize>>,
    seen: BTreeMap<Vec<usize>, Vec<String>>,
}

impl Sights {
    fn of(object: &CalendarObject, organizer: &Party) -> Sights {
        let mut places: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (at, block) in object.components().enumerate() {
            for property in block.properties("ATTENDEE").filter(|it| is_ours(it) && !organizer.is(it)) {
                let held = places.entry(address(property)).or_default();
                if held.last() != Some(&at) {
                    held.push(at);
                }
            }
        }
        let mut seen = BTreeMap::new();
        for held in places.values() {
            if !seen.contains_key(held) {
                seen.insert(held.clone(), sight(object, held));
            }
        }
        Sights { places, seen }
    }

    fn of_one(&self, who: &str) -> Option<&Vec<String>> {
        self.seen.get(self.places.get(who)?)
    }
}

fn sight(object: &CalendarObject, held: &[usize]) -> Vec<String> {
    let mut lines = Vec::new();
    for (at, block) in object.components().enumerate() {
        let of = key(object, block).unwrap_or_default();
        if !held.contains(&at) {
            lines.push(format!("{of} not"));
            continue;
        }
        lines.extend(
            block
                .properties
                .iter()
                .filter_map(|property| significant(object, property))
                .map(|line| format!("{of} {line}")),
        );
    }
    lines.sort();
    lines
}

/// Not of them: what says nothing to others.
const OWN: [&str; 8] =
    ["DTSTAMP", "LAST-MODIFIED", "CREATED", "SEQUENCE", "TRANSP", "ACKNOWLEDGED", "RECURRENCE-ID", "REQUEST-STATUS"];

fn significant(object: &CalendarObject, property: &Property) -> Option<String> {
    let name = property.name.as_str();
    if OWN.contains(&name) || name.starts_with("X-") {
        return None;
    }
    Some(match name {
        "DTSTART" | "DTEND" | "DUE" | "RDATE" | "EXDATE" => format!("{name}:{}", times(object, property)),
        "ATTENDEE" => format!("{name};{}:{}", property.param("ROLE").unwrap_or_default(), address(property)),
        "ORGANIZER" => format!("{name}:{}", address(property)),
        _ => format!("{name}:{}", property.value.trim()),
    })
}

/// What the service puts into the organizer's text.
pub struct Notes<'n> {
    pub organizer: &'n Party,
    /// By the attendee's address: the SCHEDULE-STATUS of what they were just sent.
    pub statuses: &'n BTreeMap<String, &'static str>,
    /// What stood there before.
    pub before: Option<&'n CalendarObject>,
    /// Whether what attendees answered meanwhile is to be kept: the client said that it knows only what it changed itself, RFC 6638 3.2.10.
    pub keeps_answers: bool,
}

/// The organizer's text as it is kept: statuses, no SCHEDULE-FORCE-SEND, and PARTSTAT of those who must be asked again, because the time
/// of their component is another one (RFC 6638 3.2.8). All other bytes stay.
pub fn noted(text: &[u8], object: &CalendarObject, notes: &Notes<'_>) -> Vec<u8> {
    let mut edit = Edit::of(text);
    let known = notes.before.map(parts).unwrap_or_default();
    for block in object.components() {
        let was = known.get(&key(object, block)).copied();
        let of_series = || known.get(&None).copied();
        let moved = match (notes.before, was) {
            (Some(before), Some(was)) => timing(before, was) != timing(object, block),
            // A new exception of a series moves its instance, or not.
            (Some(before), None) => of_series().is_some_and(|series| displaced(before, series, object, block)),
            (None, _) => false,
        };
        for property in block.properties("ATTENDEE").filter(|property| !notes.organizer.is(property)) {
            let who = address(property);
            let mut changes: Vec<(&str, Option<&str>)> = Vec::new();
            if property.param("SCHEDULE-FORCE-SEND").is_some() {
                changes.push(("SCHEDULE-FORCE-SEND", None));
            }
            let stood = was.or_else(of_series).and_then(|was| of_address(was, &who));
            let stood_status = stood.and_then(|stood| stood.param("SCHEDULE-STATUS"));
            let status = notes.statuses.get(&who).copied().or(stood_status.filter(|_| is_ours(property)));
            if status.is_some() && status != property.param("SCHEDULE-STATUS") {
                changes.push(("SCHEDULE-STATUS", status));
            }
            let said = property.param("PARTSTAT").unwrap_or("NEEDS-ACTION");
            if is_ours(property) && moved && stood.is_some() {
                if !said.eq_ignore_ascii_case("NEEDS-ACTION") {
                    changes.push(("PARTSTAT", Some("NEEDS-ACTION")));
                }
            } else if notes.keeps_answers
                && let Some(answer) = stood.and_then(|stood| stood.param("PARTSTAT"))
                && !answer.eq_ignore_ascii_case(said)
            {
                changes.push(("PARTSTAT", Some(answer)));
            }
            if !changes.is_empty() {
                edit.replace(property.span.clone(), edit.line(&with(property, &changes)));
            }
        }
    }
    edit.done()
}

/// Whether an instance stands elsewhere than its series would have it.
pub(crate) fn displaced(before: &CalendarObject, series: &Block, object: &CalendarObject, block: &Block) -> bool {
    let at = |object, block: &Block, name: &str| block.property(name).map(|property| times(object, property));
    let start = at(object, block, "DTSTART");
    let original = key(object, block);
    if start != original {
        return true;
    }
    // Of an instance at its own place the length may be another one.
    let same = |name: &str| block.value(name) == series.value(name);
    let (one, other) = (length(object, block), length(before, series));
    !(same("DURATION") && (one == other))
}

fn length(object: &CalendarObject, block: &Block) -> Option<i64> {
    let instant = |name: &str| {
        let property = block.property(name)?;
        let time = crate::ical::time::time(property, property.value.trim(), object.zones()).ok()?;
        Some(time.instant(chrono_tz::Tz::UTC).timestamp())
    };
    Some(instant("DTEND").or_else(|| instant("DUE"))? - instant("DTSTART")?)
}

fn of_address<'o>(block: &'o Block, who: &str) -> Option<&'o Property> {
    block.properties("ATTENDEE").find(|property| address(property) == who)
}

/// The status of one attendee set anew, where it turned out to be another one.
pub fn with_status(text: &[u8], object: &CalendarObject, who: &Party, status: &str) -> Vec<u8> {
    let mut edit = Edit::of(text);
    for property in object.components().flat_map(|block| block.properties("ATTENDEE")).filter(|it| who.is(it)) {
        edit.replace(property.span.clone(), edit.line(&with(property, &[("SCHEDULE-STATUS", Some(status))])));
    }
    edit.done()
}

/// The part of an object that somebody is asked to: without what is the organizer's own, without the instances that they are not asked
/// to, which are excluded from the series. `None` where they are asked to nothing.
pub fn part_for(text: &[u8], object: &CalendarObject, who: &Party) -> Option<Vec<u8>> {
    let mut edit = Edit::of(text);
    let mut left = 0;
    let asked = |block: &Block| block.properties("ATTENDEE").any(|property| who.is(property) && is_ours(property));
    let series = object.components().find(|block| block.property("RECURRENCE-ID").is_none() && asked(block));
    let gone = series.map(|series| exceptions(object, series)).unwrap_or_default();
    for block in object.components() {
        if !asked(block) {
            edit.replace(block.span.clone(), Vec::new());
            if let (Some(series), Some(id), Some(of)) = (series, block.property("RECURRENCE-ID"), key(object, block))
                && !gone.contains_key(&of)
            {
                let except = crate::ical::lines::Property { name: "EXDATE".to_owned(), ..id.clone() };
                edit.insert(behind(series), edit.line(&with(&except, &[("RANGE", None)])));
            }
            continue;
        }
        left += 1;
        for inner in block.blocks("VALARM") {
            edit.replace(inner.span.clone(), Vec::new());
        }
        for property in &block.properties {
            match property.name.as_str() {
                "ATTENDEE" => {
                    let own = ["SCHEDULE-STATUS", "SCHEDULE-AGENT", "SCHEDULE-FORCE-SEND"];
                    if own.iter().any(|name| property.param(name).is_some()) {
                        let line = with(property, &own.map(|name| (name, None)));
                        edit.replace(property.span.clone(), edit.line(&line));
                    }
                }
                name if name.starts_with("X-MOZ-") || name == "REQUEST-STATUS" => {
                    edit.replace(property.span.clone(), Vec::new());
                }
                _ => {}
            }
        }
    }
    (left > 0).then(|| edit.done())
}

/// Just behind the last property of a component.
pub(crate) fn behind(block: &Block) -> usize {
    block.properties.last().map_or(block.span.end, |last| last.span.end)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::ical::itip::samples::{PEOPLE, event, party, read, text};

    const WEEKLY: &str = "DTSTART:20250106T090000Z\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;COUNT=5\nSUMMARY:Round\n";
    const MOVED: &str = "RECURRENCE-ID:20250113T090000Z\nDTSTART:20250114T090000Z\nDURATION:PT1H\nSUMMARY:Round\n";

    fn concern(before: Option<&str>, after: Option<&str>) -> Vec<String> {
        let (before, after) = (before.map(read), after.map(read));
        let all = concerned(before.as_ref(), after.as_ref(), &party("alice"));
        all.into_iter().map(|who| who.split('@').next().unwrap().to_owned()).collect()
    }

    #[test]
    fn a_change_concerns_those_who_see_it() {
        let series = text(&event(&format!("{WEEKLY}{PEOPLE}")));
        let only_bob = PEOPLE.replace("ATTENDEE:mailto:carol@example.org\n", "");
        let with_moved =
            |people: &str| text(&(event(&format!("{WEEKLY}{PEOPLE}")) + &event(&format!("{MOVED}{people}"))));
        let both: &[&str] = &["bob", "carol"];
        let rows: [(Option<String>, Option<String>, &[&str]); 12] = [
            (None, Some(series.clone()), both),
            (Some(series.clone()), None, both),
            (Some(series.clone()), Some(series.clone()), &[]),
            (Some(series.clone()), Some(series.replace("Round", "Square")), both),
            (Some(series.clone()), Some(series.replace("RSVP=TRUE", "PARTSTAT=ACCEPTED")), &[]),
            (Some(series.clone()), Some(series.replace("DTSTAMP:2025", "DTSTAMP:2026")), &[]),
            (Some(series.clone()), Some(text(&event(&format!("{WEEKLY}{only_bob}")))), both),
            (Some(series.clone()), Some(with_moved(PEOPLE)), both),
            (Some(series.clone()), Some(series.replace("SUMMARY", "EXDATE:20250113T090000Z\r\nSUMMARY")), both),
            (Some(with_moved(PEOPLE)), Some(with_moved(PEOPLE).replace("0114T", "0115T")), both),
            (
                Some(series.clone()),
                Some(series.replace("ATTENDEE:mailto:carol", "ATTENDEE;SCHEDULE-AGENT=NONE:mailto:carol")),
                &["carol"],
            ),
            (Some(series.clone()), Some(series.replace("RSVP=TRUE", "SCHEDULE-FORCE-SEND=REQUEST")), &["bob"]),
        ];
        for (number, (before, after, want)) in rows.iter().enumerate() {
            assert_eq!(concern(before.as_deref(), after.as_deref()), *want, "row {number}");
        }
        // Who is added to one instance is told, and the others see that it has one more.
        let dave = format!("{PEOPLE}ATTENDEE:mailto:dave@example.org\n");
        assert_eq!(concern(Some(&with_moved(PEOPLE)), Some(&with_moved(&dave))), ["bob", "carol", "dave"]);
    }

    #[test]
    fn statuses_and_answers_are_noted_and_nothing_else() {
        let people = PEOPLE.replace("RSVP=TRUE", "PARTSTAT=ACCEPTED;SCHEDULE-FORCE-SEND=REQUEST");
        let before = text(&event(&format!("{WEEKLY}{people}")));
        let statuses = BTreeMap::from([("bob@example.org".to_owned(), "1.2"), ("carol@example.org".to_owned(), "3.7")]);
        let alice = party("alice");
        let note = |before: Option<&str>, after: &str, keeps_answers| {
            let before = before.map(read);
            let notes = Notes { organizer: &alice, statuses: &statuses, before: before.as_ref(), keeps_answers };
            String::from_utf8(noted(after.as_bytes(), &read(after), &notes)).unwrap()
        };
        let bob = |said: &str| format!("ATTENDEE{said}:mailto:bob@example.org");
        let flat = |text: String| text.replace("\r\n ", "");
        let made = flat(note(None, &before, false));
        assert!(made.contains(&bob(";PARTSTAT=ACCEPTED;SCHEDULE-STATUS=1.2")), "{made}");
        assert!(made.contains("ATTENDEE;SCHEDULE-STATUS=3.7:mailto:carol"));
        let undone =
            made.replace(";SCHEDULE-STATUS=1.2", ";SCHEDULE-FORCE-SEND=REQUEST").replace(";SCHEDULE-STATUS=3.7", "");
        assert_eq!(undone, flat(before.clone()));
        // Another time asks anew, another title does not.
        let moved = flat(note(Some(&before), &before.replace("T090000Z\r\nDUR", "T100000Z\r\nDUR"), false));
        assert!(moved.contains(&bob(";SCHEDULE-STATUS=1.2;PARTSTAT=NEEDS-ACTION")), "{moved}");
        assert!(flat(note(Some(&before), &before.replace("Round", "R"), false)).contains("PARTSTAT=ACCEPTED"));
        // A stale text does not undo an answer where the client says so.
        let stale = before.replace("PARTSTAT=ACCEPTED;", "");
        assert!(flat(note(Some(&before), &stale, true)).contains("PARTSTAT=ACCEPTED"));
        assert!(!flat(note(Some(&before), &stale, false)).contains("PARTSTAT=ACCEPTED"));
    }

    #[test]
    fn everybody_gets_what_they_are_asked_to() {
        let alarm = "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT5M\nEND:VALARM\n";
        let only_bob = PEOPLE.replace("ATTENDEE:mailto:carol@example.org\n", "");
        let whole = text(&(event(&format!("{WEEKLY}{PEOPLE}{alarm}")) + &event(&format!("{MOVED}{only_bob}"))));
        let part = |whole: &str, who: &str| {
            let part = part_for(whole.as_bytes(), &read(whole), &party(who));
            part.map(|part| String::from_utf8(part).unwrap().replace("\r\n", "\n"))
        };
        let bob = part(&whole, "bob").unwrap();
        assert_eq!(bob, whole.replace("\r\n", "\n").replace(alarm, ""));
        let carol = part(&whole, "carol").unwrap();
        assert!(carol.contains("EXDATE:20250113T090000Z\n") && !carol.contains("RECURRENCE-ID"), "{carol}");
        let single = text(&(event(&format!("{WEEKLY}{only_bob}")) + &event(&format!("{MOVED}{PEOPLE}"))));
        let carol = part(&single, "carol").unwrap();
        assert!(carol.contains("RECURRENCE-ID") && !carol.contains("RRULE"), "{carol}");
        assert_eq!(part(&whole, "dave"), None);
    }
}
