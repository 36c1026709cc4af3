//! An attendee's answers, read from their text and laid into the organizer's. RFC 5546 3.2.3. Sends nothing.

use std::collections::BTreeMap;

use chrono::DateTime;
use chrono_tz::Tz;

use crate::ical::block::Block;
use crate::ical::edit::Edit;
use crate::ical::itip::attendee::partstat;
use crate::ical::itip::party::{Party, address, with};
use crate::ical::itip::{Key, attendee, exceptions, key, parts, spelled, times};
use crate::ical::lines::Property;
use crate::ical::object::CalendarObject;
use crate::ical::recur::budget::Budget;
use crate::ical::recur::window;
use crate::ical::time;

/// What somebody answers about a series, or one instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub of: Key,
    /// The RECURRENCE-ID that names the instance.
    pub id: Option<Property>,
    pub partstat: String,
}

/// All that an attendee's text answers: by component, and DECLINED for what they excluded themselves.
pub fn replies(object: &CalendarObject, me: &Party) -> Vec<Reply> {
    let mut all = Vec::new();
    for block in object.components() {
        let Some(mine) = attendee(block, me) else { continue };
        all.push(Reply {
            of: key(object, block),
            id: block.property("RECURRENCE-ID").cloned(),
            partstat: partstat(mine),
        });
    }
    if let Some(master) = object.components().find(|block| block.property("RECURRENCE-ID").is_none()) {
        for (at, property) in exceptions(object, master) {
            let named = crate::ical::text::parts(&property.value).find(|value| {
                time::time(property, value.trim(), object.zones()).is_ok_and(|time| spelled(&time) == at)
            });
            let Some(value) = named else { continue };
            let id = Property { name: "RECURRENCE-ID".to_owned(), value: value.trim().to_owned(), ..property.clone() };
            all.push(Reply { of: Some(at), id: Some(id), partstat: "DECLINED".to_owned() });
        }
    }
    all
}

/// The instances that somebody answers otherwise than their series and than before, each by its key, with the answer.
pub fn apart(before: Option<&CalendarObject>, after: &CalendarObject, who: &Party) -> Vec<(String, String)> {
    let was: BTreeMap<Key, String> = before
        .map(|before| replies(before, who).into_iter().map(|reply| (reply.of, reply.partstat)).collect())
        .unwrap_or_default();
    let is = replies(after, who);
    let Some(general) = is.iter().find(|reply| reply.of.is_none()).map(|reply| reply.partstat.clone()) else {
        return Vec::new();
    };
    let stood = |of: &Key| was.get(of).or_else(|| was.get(&None));
    let new = is.into_iter().filter(|reply| reply.partstat != general && stood(&reply.of) != Some(&reply.partstat));
    new.filter_map(|reply| Some((reply.of?, reply.partstat))).collect()
}

/// What each attendee answered to single instances that have a component in `before` and none in `after`: an organizer who wrote with a text
/// from before those answers. Only where the component says nothing but answers, that is stands at its own time.
pub fn unknown_to(before: &CalendarObject, after: &CalendarObject) -> BTreeMap<String, Vec<Reply>> {
    let (was, is) = (parts(before), parts(after));
    let mut all: BTreeMap<String, Vec<Reply>> = BTreeMap::new();
    let (Some(series), true) = (was.get(&None), is.contains_key(&None)) else { return all };
    for (of, block) in was.iter().filter(|(of, _)| of.is_some() && !is.contains_key(*of)) {
        let start = block.property("DTSTART").map(|start| times(before, start));
        if start != *of {
            continue;
        }
        for property in block.properties("ATTENDEE") {
            let who = address(property);
            let general = series.properties("ATTENDEE").find(|other| address(other) == who).map(partstat);
            if general.is_some_and(|general| general != partstat(property)) {
                let id = block.property("RECURRENCE-ID").cloned();
                all.entry(who).or_default().push(Reply { of: of.clone(), id, partstat: partstat(property) });
            }
        }
    }
    all
}

/// Components that answers may bring an object to: beyond it, those to further instances are not laid in, so that no attendee makes an
/// organizer's object too large.
const INSTANCES_MAX: usize = 512;

/// Whether it is an answer at all, and no text of any length.
fn is_answer(partstat: &str) -> bool {
    let known = ["NEEDS-ACTION", "ACCEPTED", "DECLINED", "TENTATIVE", "DELEGATED", "COMPLETED", "IN-PROCESS"]
        .contains(&partstat);
    known || (partstat.len() <= 32 && partstat.starts_with("X-") && !partstat.contains(|c: char| c.is_control()))
}

/// The organizer's text with the answers of somebody who is asked there; all other bytes stay. An answer to an instance that has no
/// component yet makes one. `None` where they are asked to nothing that they answer: then nothing may change.
pub fn laid(
    text: &[u8],
    object: &CalendarObject,
    who: &Party,
    replies: &[Reply],
    zone: Tz,
    budget: &mut Budget,
) -> Option<Vec<u8>> {
    let mut edit = Edit::of(text);
    let known: BTreeMap<Key, &Block> = parts(object);
    let series = known.get(&None).copied();
    let gone = series.map(|series| exceptions(object, series)).unwrap_or_default();
    let (mut asked, mut apart) = (false, 0);
    let general = replies.iter().find(|reply| reply.of.is_none());
    for reply in replies.iter().filter(|reply| is_answer(&reply.partstat)) {
        if let Some(block) = known.get(&reply.of) {
            if let Some(property) = attendee(block, who) {
                asked = true;
                put(&mut edit, property, &reply.partstat);
            }
            continue;
        }
        let (Some(series), Some(id), Some(at)) = (series, &reply.id, &reply.of) else { continue };
        let Some(property) = attendee(series, who) else { continue };
        asked = true;
        // Excluded by the organizer, or answered as the series is: nothing to set apart.
        let general = general.map_or_else(|| partstat(property), |reply| reply.partstat.clone());
        if gone.contains_key(at) || general == reply.partstat || known.len() + apart >= INSTANCES_MAX {
            continue;
        }
        if let Some(instance) = instance(&edit, object, series, id, who, &reply.partstat, zone, budget) {
            apart += 1;
            edit.insert(series.span.end, instance);
        }
    }
    asked.then(|| edit.done())
}

fn put(edit: &mut Edit<'_>, property: &Property, answer: &str) {
    if partstat(property) == answer && property.param("SCHEDULE-STATUS") == Some("2.0") {
        return;
    }
    // Where nothing was answered yet, nothing came back either.
    if partstat(property) == answer && answer == "NEEDS-ACTION" {
        return;
    }
    let changes = [("PARTSTAT", Some(answer)), ("SCHEDULE-STATUS", Some("2.0")), ("RSVP", None)];
    edit.replace(property.span.clone(), edit.line(&with(property, &changes)));
}

/// An instance of a series as a component of its own, with one answer in it; `None` where the series has no such instance.
#[expect(clippy::too_many_arguments, reason = "one each of what an instance is made of")]
fn instance(
    edit: &Edit<'_>,
    object: &CalendarObject,
    series: &Block,
    id: &Property,
    who: &Party,
    answer: &str,
    zone: Tz,
    budget: &mut Budget,
) -> Option<Vec<u8>> {
    let original = time::time(id, id.value.trim(), object.zones()).ok()?;
    let start = series.property("DTSTART")?;
    let first = time::time(start, start.value.trim(), object.zones()).ok()?;
    if first.is_date() != original.is_date() {
        return None;
    }
    let at = original.instant(zone);
    let found = window::occurrences(object, at, at + chrono::TimeDelta::seconds(1), zone, budget).ok()?;
    if found.is_empty() {
        return None;
    }
    // Spelled as the series spells its start, so that both hang in the same zone.
    let written = |seconds: i64, like: &Property| -> Option<String> {
        let form = time::time(like, like.value.trim(), object.zones()).ok()?;
        let local = match form.zone(zone) {
            crate::ical::zone::Zone::Utc => DateTime::from_timestamp(seconds, 0)?.naive_utc(),
            named => crate::ical::recur::reading::naive(seconds + named.offset(seconds)),
        };
        Some(match form {
            time::Time::Date(_) => local.format("%Y%m%d").to_string(),
            time::Time::Utc(_) => local.format("%Y%m%dT%H%M%SZ").to_string(),
            _ => local.format("%Y%m%dT%H%M%S").to_string(),
        })
    };
    let seconds = at.timestamp();
    let mut block = edit.line(&format!("BEGIN:{}", series.name));
    let value = written(seconds, start)?;
    let named = Property { name: "RECURRENCE-ID".to_owned(), value: value.clone(), ..start.clone() };
    block.extend(edit.line(&with(&named, &[])));
    for property in &series.properties {
        match property.name.as_str() {
            "RRULE" | "RDATE" | "EXDATE" | "EXRULE" | "RECURRENCE-ID" => {}
            "DTSTART" => block.extend(edit.line(&with(&Property { value: value.clone(), ..property.clone() }, &[]))),
            "DTEND" | "DUE" => {
                let end = time::time(property, property.value.trim(), object.zones()).ok()?;
                let length = end.instant(zone) - first.instant(zone);
                let value = written(seconds + length.num_seconds(), property)?;
                block.extend(edit.line(&with(&Property { value, ..property.clone() }, &[])));
            }
            "ATTENDEE" if who.is(property) => {
                let changes = [("PARTSTAT", Some(answer)), ("SCHEDULE-STATUS", Some("2.0")), ("RSVP", None)];
                block.extend(edit.line(&with(property, &changes)));
            }
            _ => block.extend_from_slice(edit.raw(&property.span)),
        }
    }
    for alarm in series.blocks("VALARM") {
        block.extend_from_slice(edit.raw(&alarm.span));
    }
    block.extend(edit.line(&format!("END:{}", series.name)));
    Some(block)
}

/// The attendee's text once the organizer was told, or could not be: SCHEDULE-STATUS of ORGANIZER, and nobody forces anything any more.
pub fn noted(text: &[u8], object: &CalendarObject, status: &str) -> Vec<u8> {
    let mut edit = Edit::of(text);
    for property in object.components().filter_map(|block| block.property("ORGANIZER")) {
        let changes = [("SCHEDULE-FORCE-SEND", None), ("SCHEDULE-STATUS", Some(status))];
        edit.replace(property.span.clone(), edit.line(&with(property, &changes)));
    }
    edit.done()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::ical::itip::samples::{PEOPLE, event, party, read, text};

    const WEEKLY: &str = "DTSTART;TZID=Europe/Paris:20250324T090000\nDTEND;TZID=Europe/Paris:20250324T100000\nRRULE:FREQ=WEEKLY;COUNT=5\nSUMMARY:Round\n";

    fn lay(organizer: &str, theirs: &str, who: &str) -> Option<String> {
        let who = party(who);
        let replies = replies(&read(theirs), &who);
        let text = laid(organizer.as_bytes(), &read(organizer), &who, &replies, Tz::UTC, &mut Budget::default())?;
        Some(String::from_utf8(text).unwrap().replace("\r\n ", "").replace("\r\n", "\n"))
    }

    #[test]
    fn answers_arrive_where_they_belong() {
        let series = text(&event(&format!("{WEEKLY}{PEOPLE}")));
        let accepted = lay(&series, &series.replace("RSVP=TRUE", "PARTSTAT=ACCEPTED"), "bob").unwrap();
        let want = series.replace("ATTENDEE;RSVP=TRUE:", "ATTENDEE;PARTSTAT=ACCEPTED;SCHEDULE-STATUS=2.0:");
        assert_eq!(accepted, want.replace("\r\n", "\n"));
        // Over the change of the clock: 09:00 in Paris is 07:00 in UTC by then.
        let declined = lay(&series, &series.replace("SUMMARY", "EXDATE:20250331T070000Z\r\nSUMMARY"), "bob").unwrap();
        for line in [
            "RECURRENCE-ID;TZID=Europe/Paris:20250331T090000\n",
            "DTSTART;TZID=Europe/Paris:20250331T090000\n",
            "DTEND;TZID=Europe/Paris:20250331T100000\n",
            "ATTENDEE;PARTSTAT=DECLINED;SCHEDULE-STATUS=2.0:mailto:bob",
        ] {
            assert!(declined.contains(line), "{line} in {declined}");
        }
        assert!(read(&declined.replace('\n', "\r\n")).storable().is_ok());
        // The series has no such instance.
        let bogus = lay(&series, &series.replace("SUMMARY", "EXDATE:20250401T070000Z\r\nSUMMARY"), "bob").unwrap();
        assert_eq!(bogus, series.replace("\r\n", "\n"));
        // Eve is not asked.
        let eves = series.replace("ATTENDEE;RSVP=TRUE:mailto:bob", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:eve");
        assert_eq!(lay(&series, &eves, "eve"), None);
    }
}
