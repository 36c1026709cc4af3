//! From an alarm that rang to its VALARM, and what a person did about it written there: RFC 9074 6 and 7. Knows no store and no clock.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::ical::alarms::Policy;
use crate::ical::bell::{Bell, Sound};
use crate::ical::bells::Tower;
use crate::ical::block::Block;
use crate::ical::edit::Edit;
use crate::ical::object::CalendarObject;
use crate::ical::recur::budget::{Budget, Exhausted};
use crate::ical::recur::reading::whole;
use crate::ical::trigger;

/// What somebody did about an alarm that rang.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The number and the instant of what rang.
    pub id: u64,
    pub at: DateTime<Utc>,
    /// When it was answered.
    pub now: DateTime<Utc>,
    /// When it is to ring again; `None` where it was acknowledged. Whole seconds.
    pub until: Option<DateTime<Utc>>,
    /// For an alarm that is put off and has no UID.
    pub uid: String,
}

/// Where an alarm that rang stands in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Spot {
    /// The component's place in the VCALENDAR, and the alarm's among its VALARMs.
    block: usize,
    alarm: usize,
    recurs: bool,
    /// Up to when it is acknowledged, in seconds since 1970.
    silent: Option<i64>,
    /// What may name it in a later text: the UID of the alarm that it repeats, else its own name.
    name: String,
    /// The RECURRENCE-ID of its component, as written.
    original: Option<String>,
}

/// The text with an answer in it, all else to the byte as it was; `None` where it has no such alarm any more.
///
/// An acknowledged alarm gets ACKNOWLEDGED, which never goes back. One that is put off gets a UID too, and a sibling that rings at
/// `until`. Earlier siblings of that kind go: those of this ringing, those that are over, and in what does not recur all of them; in
/// a series one that is still to ring may belong to another instance. LAST-MODIFIED goes along where it stands (RFC 5545
/// 3.8.7.3), DTSTAMP does not: scheduling compares it with that of messages still on their way (RFC 5546 2.1.5), and this is no news
/// from the organizer.
pub fn written(
    text: &[u8],
    object: &CalendarObject,
    answer: &Answer,
    default: Tz,
    budget: &mut Budget,
) -> Result<Option<Vec<u8>>, Exhausted> {
    let Some(spot) = find(object, answer.id, answer.at, default, budget)? else { return Ok(None) };
    let Some(parent) = object.root().blocks.get(spot.block) else { return Ok(None) };
    let alarms: Vec<&Block> = parent.blocks("VALARM").collect();
    let Some(rang) = alarms.get(spot.alarm).copied() else { return Ok(None) };
    let named = |uid: &str| alarms.iter().copied().find(|alarm| alarm.value("UID") == Some(uid));
    // A repetition of what is not there any more stands for itself.
    let first = trigger::snoozes(rang).and_then(named).unwrap_or(rang);
    let mut edit = Edit::of(text);
    let until = answer.now.max(answer.at);
    let same = |alarm: &&Block| {
        std::ptr::eq(*alarm, first) || (first.value("UID").is_some() && alarm.value("UID") == first.value("UID"))
    };
    for alarm in alarms.iter().copied().filter(same) {
        stamp(&mut edit, alarm, "ACKNOWLEDGED", until);
    }
    let mut gone: Vec<&Block> = Vec::new();
    for alarm in alarms.iter().copied().filter(|alarm| !std::ptr::eq(*alarm, first)) {
        let of_first = trigger::snoozes(alarm).is_some_and(|uid| first.value("UID") == Some(uid));
        let whose = alarm.value("UID").and_then(trigger::repeated);
        let rings = trigger::instant(alarm.property("TRIGGER"));
        let over = !spot.recurs || rings.is_none_or(|at| at <= until);
        if std::ptr::eq(alarm, rang) || of_first && (whose == Some(answer.id) || over) {
            gone.push(alarm);
        }
    }
    if let Some(until) = answer.until {
        let uid = uid_of(&mut edit, first, &answer.uid);
        let again = again(&edit, first, &uid, answer.id, &until);
        match gone.first() {
            // In its place, so that no alarm without a UID changes its own.
            Some(earlier) => edit.replace(earlier.span.clone(), again),
            None => edit.insert(alarms.last().map_or(0, |last| last.span.end), again),
        }
        gone.drain(..gone.len().min(1));
    }
    for alarm in gone {
        edit.replace(alarm.span.clone(), Vec::new());
    }
    if !edit.is_empty() && parent.property("LAST-MODIFIED").is_some() {
        stamp(&mut edit, parent, "LAST-MODIFIED", until);
    }
    Ok(Some(edit.done()))
}

/// Whether an alarm that rang by an earlier text is acknowledged by a later one; the earlier is asked where the later has no such alarm
/// any more, because a repetition was taken away when it was acknowledged.
pub fn is_acknowledged(
    before: Option<&CalendarObject>,
    after: &CalendarObject,
    id: u64,
    at: DateTime<Utc>,
    default: Tz,
    budget: &mut Budget,
) -> Result<bool, Exhausted> {
    let silent = match find(after, id, at, default, budget)? {
        Some(spot) => spot.silent,
        None => match before.map(|before| find(before, id, at, default, budget)).transpose()?.flatten() {
            Some(spot) => later(after, &spot, default),
            None => None,
        },
    };
    Ok(silent.is_some_and(|silent| silent >= whole(at)))
}

/// Whether a text rings an alarm again that was put off until an instant.
pub fn repeats(
    object: &CalendarObject,
    id: u64,
    until: DateTime<Utc>,
    default: Tz,
    budget: &mut Budget,
) -> Result<bool, Exhausted> {
    let found = find(object, id, until, default, budget)?;
    Ok(found.is_some_and(|spot| spot.silent.is_none_or(|silent| silent < whole(until))))
}

/// Whether a text acknowledges anything at all.
pub fn acknowledges(object: &CalendarObject) -> bool {
    object.root().blocks.iter().any(|block| {
        block.property("X-MOZ-LASTACK").is_some()
            || block.blocks("VALARM").any(|alarm| alarm.property("ACKNOWLEDGED").is_some())
    })
}

fn find(
    object: &CalendarObject,
    id: u64,
    at: DateTime<Utc>,
    default: Tz,
    budget: &mut Budget,
) -> Result<Option<Spot>, Exhausted> {
    for series in object.series() {
        let tower = Tower::of(object, series, default, &Policy::default()).with_acknowledged();
        let mut rings = Vec::new();
        tower.rings(whole(at), whole(at) + 1, budget, &mut rings)?;
        for ring in &rings {
            if tower.has_number(ring, id, budget)? {
                return Ok(Some(spot(object, ring.bell(), ring.sound())));
            }
        }
    }
    Ok(None)
}

fn spot(object: &CalendarObject, bell: &Bell<'_>, sound: &Sound<'_>) -> Spot {
    let trigger = sound.trigger;
    Spot {
        block: bell.part.block,
        alarm: trigger.place,
        recurs: bell.part.recurs(),
        silent: sound.silent,
        name: trigger.snoozes.as_ref().unwrap_or(&trigger.key).clone(),
        original: original(object, bell).map(str::to_owned),
    }
}

fn original<'o>(object: &'o CalendarObject, bell: &Bell<'_>) -> Option<&'o str> {
    object.root().blocks.get(bell.part.block)?.value("RECURRENCE-ID")
}

/// Up to when what stood at a place of an earlier text is acknowledged.
fn later(object: &CalendarObject, spot: &Spot, default: Tz) -> Option<i64> {
    let mut silent = None;
    for series in object.series() {
        let tower = Tower::of(object, series, default, &Policy::default());
        for bell in tower.bells().iter().filter(|bell| original(object, bell) == spot.original.as_deref()) {
            let same = bell.sounds.iter().filter(|sound| sound.trigger.key == spot.name);
            silent = silent.max(same.filter_map(|sound| sound.silent).max());
        }
    }
    silent
}

/// Moves a property in UTC on; it never goes back.
fn stamp(edit: &mut Edit<'_>, block: &Block, name: &str, at: DateTime<Utc>) {
    let line = edit.line(&format!("{name}:{}", at.format("%Y%m%dT%H%M%SZ")));
    match block.property(name) {
        Some(property) if trigger::instant(Some(property)).is_some_and(|stands| stands >= whole_seconds(at)) => {}
        Some(property) => edit.replace(property.span.clone(), line),
        None => edit.insert(behind(block), line),
    }
}

fn whole_seconds(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp(at.timestamp(), 0).unwrap_or(at)
}

/// Just behind the last property of a component.
fn behind(block: &Block) -> usize {
    block.properties.last().map_or(block.span.end, |last| last.span.end)
}

/// The UID of an alarm, as written; one that has none gets one.
fn uid_of(edit: &mut Edit<'_>, alarm: &Block, fresh: &str) -> String {
    if let Some(uid) = alarm.value("UID") {
        return uid.to_owned();
    }
    let line = edit.line(&format!("UID:{fresh}"));
    match alarm.property("UID") {
        Some(empty) => edit.replace(empty.span.clone(), line),
        None => edit.insert(behind(alarm), line),
    }
    fresh.to_owned()
}

/// What an alarm that rings again takes over from the first, byte for byte.
const KEPT: [&str; 5] = ["ACTION", "SUMMARY", "DESCRIPTION", "ATTACH", "ATTENDEE"];

/// The alarm that rings again.
fn again(edit: &Edit<'_>, first: &Block, uid: &str, id: u64, until: &DateTime<Utc>) -> Vec<u8> {
    let mut alarm = edit.line("BEGIN:VALARM");
    alarm.extend(edit.line(&format!("UID:{}", trigger::own_uid(id, until))));
    alarm.extend(edit.line(&format!("RELATED-TO;RELTYPE=SNOOZE:{uid}")));
    alarm.extend(edit.line(&format!("TRIGGER;VALUE=DATE-TIME:{}", until.format("%Y%m%dT%H%M%SZ"))));
    if first.property("ACTION").is_none() {
        alarm.extend(edit.line("ACTION:DISPLAY"));
    }
    for property in first.properties.iter().filter(|property| KEPT.contains(&property.name.as_str())) {
        alarm.extend_from_slice(edit.raw(&property.span));
    }
    alarm.extend(edit.line("END:VALARM"));
    alarm
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::ical::alarms;
    use crate::ical::lines::Limits;

    /// Europe/Paris has winter time here: 10:00 is 09:00 in UTC.
    const ZONE: Tz = Tz::Europe__Paris;
    const DISPLAY: &str = "BEGIN:VALARM\nACTION:DISPLAY\nDESCRIPTION:Tea\\, soon\nTRIGGER:-PT15M\nEND:VALARM\n";
    /// When the first alarm of the events below rings, and when it is answered.
    const RINGS: &str = "2025-01-15T08:45:00Z";
    const NOW: &str = "2025-01-15T08:46:00.5Z";
    const LATER: &str = "2025-01-15T08:55:00Z";

    fn event(lines: &str) -> String {
        format!(
            "BEGIN:VEVENT\nUID:e1\nDTSTAMP:20250101T000000Z\nDTSTART;TZID=Europe/Paris:20250115T100000\n{lines}END:VEVENT\n"
        )
    }

    fn whole_text(components: &str) -> String {
        format!("BEGIN:VCALENDAR\nVERSION:2.0\n{components}END:VCALENDAR\n").replace('\n', "\r\n")
    }

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn read(text: &str) -> CalendarObject {
        CalendarObject::read(text.as_bytes(), &Limits::default()).unwrap()
    }

    /// The number of the only alarm that rings at an instant.
    fn number(text: &str, at: &str) -> u64 {
        let mut rings = alarms::at(&read(text), time(at), ZONE, &Policy::default(), &mut Budget::default()).unwrap();
        rings.dedup_by_key(|firing| firing.id);
        assert_eq!(rings.len(), 1, "{at} of {text}");
        rings[0].id
    }

    fn answer(text: &str, id: u64, at: &str, now: &str, until: Option<&str>) -> Option<String> {
        let uid = "fresh".to_owned();
        let answer = Answer { id, at: time(at), now: time(now), until: until.map(time), uid };
        let written = written(text.as_bytes(), &read(text), &answer, ZONE, &mut Budget::default()).unwrap();
        written.map(|written| String::from_utf8(written).unwrap())
    }

    fn rest(text: &str, from: &str) -> Vec<String> {
        let to = time("2025-02-01T00:00:00Z");
        let rings =
            alarms::firings(&read(text), time(from), to, ZONE, &Policy::default(), &mut Budget::default()).unwrap();
        rings.iter().map(|firing| firing.at.format("%m-%d %H:%M").to_string()).collect()
    }

    /// What an answer makes of these components, at the alarm that rings first.
    fn check(components: &str, until: Option<&str>, want: &str) {
        let text = whole_text(components);
        let id = number(&text, RINGS);
        assert_eq!(answer(&text, id, RINGS, NOW, until).unwrap(), whole_text(want), "{components}");
    }

    #[test]
    fn an_acknowledged_alarm_says_when() {
        let with = |line: &str| DISPLAY.replace("END:VALARM", &format!("{line}\nEND:VALARM"));
        let done = event(&with("ACKNOWLEDGED:20250115T084600Z"));
        check(&event(DISPLAY), None, &done);
        // An older one is moved on, one that means nothing replaced; everything around stays, blank lines and folds too.
        check(&event(&with("ACKNOWLEDGED:20250114T084600Z")), None, &done);
        check(&event(&with("ACKNOWLEDGED:soon")), None, &done);
        check(
            &event(&with("ACKNOWLEDGED;X-A=1:2025\n 0114T084600Z\n\nX-B:1")),
            None,
            &event(&with("ACKNOWLEDGED:20250115T084600Z\n\nX-B:1")),
        );
        // LAST-MODIFIED goes along where it is; DTSTAMP stays.
        let modified = |at: &str| event(&format!("LAST-MODIFIED:{at}\n{}", with("ACKNOWLEDGED:20250115T084600Z")));
        check(&event(&format!("LAST-MODIFIED:20250101T000000Z\n{DISPLAY}")), None, &modified("20250115T084600Z"));
        check(&event(&format!("LAST-MODIFIED:20250201T000000Z\n{DISPLAY}")), None, &modified("20250201T000000Z"));
        // Of several the one that rang; what lies within it stays behind.
        let other = "BEGIN:VALARM\nACTION:AUDIO\nTRIGGER:-PT5M\nEND:VALARM\n";
        let nested =
            "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT15M\nBEGIN:VLOCATION\nUID:l\nEND:VLOCATION\nEND:VALARM\n";
        let stamped = nested.replace("BEGIN:VLOCATION", "ACKNOWLEDGED:20250115T084600Z\nBEGIN:VLOCATION");
        check(&event(&format!("{other}{nested}")), None, &event(&format!("{other}{stamped}")));
        // The same alarm written twice is one.
        let twice = with("UID:a1").repeat(2);
        check(&event(&twice), None, &event(&with("UID:a1\nACKNOWLEDGED:20250115T084600Z").repeat(2)));
    }

    #[test]
    fn it_never_goes_back() {
        let text = whole_text(&event(DISPLAY));
        let id = number(&text, RINGS);
        let once = answer(&text, id, RINGS, "2025-01-15T08:50:00Z", None).unwrap();
        assert_eq!(answer(&once, id, RINGS, NOW, None).as_ref(), Some(&once));
        // A clock that was set back acknowledges what rang nonetheless.
        assert!(
            answer(&text, id, RINGS, "2025-01-15T08:00:00Z", None).unwrap().contains("ACKNOWLEDGED:20250115T084500Z")
        );
    }

    #[test]
    fn a_series_rings_on() {
        let daily = whole_text(&event(&format!("RRULE:FREQ=DAILY;COUNT=4\n{DISPLAY}")));
        let id = number(&daily, "2025-01-16T08:45:00Z");
        let done = answer(&daily, id, "2025-01-16T08:45:00Z", "2025-01-16T08:46:00Z", None).unwrap();
        assert_eq!(rest(&done, "2025-01-01T00:00:00Z"), ["01-17 08:45", "01-18 08:45"]);
    }

    #[test]
    fn an_override_is_answered_in_itself() {
        let master = event(&format!("RRULE:FREQ=DAILY;COUNT=3\n{DISPLAY}"));
        let second = event(&format!("RECURRENCE-ID;TZID=Europe/Paris:20250116T100000\n{DISPLAY}"))
            .replace("DTSTART;TZID=Europe/Paris:20250115T10", "DTSTART;TZID=Europe/Paris:20250116T12");
        let text = whole_text(&format!("{master}{second}"));
        let at = "2025-01-16T10:45:00Z";
        let done = answer(&text, number(&text, at), at, "2025-01-16T10:46:00Z", None).unwrap();
        let want = second.replace("END:VALARM", "ACKNOWLEDGED:20250116T104600Z\nEND:VALARM");
        assert_eq!(done, whole_text(&format!("{master}{want}")));
        let third = "2025-01-17T08:45:00Z";
        let done = answer(&text, number(&text, third), third, "2025-01-17T08:46:00Z", None).unwrap();
        let want = master.replace("END:VALARM", "ACKNOWLEDGED:20250117T084600Z\nEND:VALARM");
        assert_eq!(done, whole_text(&format!("{want}{second}")));
        // This and what follows: the alarms of the override.
        let future = second.replace("RECURRENCE-ID;", "RECURRENCE-ID;RANGE=THISANDFUTURE;");
        let text = whole_text(&format!("{master}{future}"));
        let third = "2025-01-17T10:45:00Z";
        let done = answer(&text, number(&text, third), third, "2025-01-17T10:46:00Z", None).unwrap();
        let want = future.replace("END:VALARM", "ACKNOWLEDGED:20250117T104600Z\nEND:VALARM");
        assert_eq!(done, whole_text(&format!("{master}{want}")));
    }

    fn first(more: &str) -> String {
        DISPLAY.replace("END:VALARM", &format!("{more}END:VALARM"))
    }

    fn second(id: u64, until: &str, original: &str) -> String {
        format!(
            "BEGIN:VALARM\nUID:campanile-snooze-{id:016x}-{until}\nRELATED-TO;RELTYPE=SNOOZE:{original}\n\
             TRIGGER;VALUE=DATE-TIME:{until}\nACTION:DISPLAY\nDESCRIPTION:Tea\\, soon\nEND:VALARM\n"
        )
    }

    #[test]
    fn an_alarm_that_is_put_off_gets_a_sibling() {
        let id = number(&whole_text(&event(DISPLAY)), RINGS);
        let again = second(id, "20250115T085500Z", "fresh");
        let put_off = event(&format!("{}{again}", first("ACKNOWLEDGED:20250115T084600Z\nUID:fresh\n")));
        check(&event(DISPLAY), Some(LATER), &put_off);
        let text = whole_text(&put_off);
        assert_eq!(rest(&text, "2025-01-01T00:00:00Z"), ["01-15 08:55"]);
        assert_eq!(number(&text, LATER), id, "it has the number of the first");
        // One that has a UID keeps it.
        let named = first("UID:a1\n");
        let id = number(&whole_text(&event(&named)), RINGS);
        let want =
            format!("{}{}", first("UID:a1\nACKNOWLEDGED:20250115T084600Z\n"), second(id, "20250115T085500Z", "a1"));
        check(&event(&named), Some(LATER), &event(&want));
        // An alarm without ACTION is one to be seen; what it has beside goes along.
        let bare = "BEGIN:VALARM\nTRIGGER:-PT15M\nATTACH:https://example.org/a.mp3\nEND:VALARM\n";
        let text = whole_text(&event(bare));
        let done = answer(&text, number(&text, RINGS), RINGS, NOW, Some(LATER)).unwrap();
        assert!(
            done.contains("\r\nACTION:DISPLAY\r\nATTACH:https://example.org/a.mp3\r\nEND:VALARM\r\nEND:VEVENT"),
            "{done}"
        );
    }

    #[test]
    fn put_off_again_it_has_one_sibling() {
        let text = whole_text(&event(DISPLAY));
        let id = number(&text, RINGS);
        let once = answer(&text, id, RINGS, NOW, Some(LATER)).unwrap();
        let third = "2025-01-15T09:05:00Z";
        // Before the sibling rang, by the number that the first had before it got its UID; and after.
        for (at, now) in [(RINGS, "2025-01-15T08:50:00Z"), (LATER, "2025-01-15T08:56:00Z")] {
            let twice = answer(&once, id, at, now, Some(third)).unwrap();
            let stamp = time(now).format("%Y%m%dT%H%M%SZ");
            let want = event(&format!(
                "{}{}",
                first(&format!("ACKNOWLEDGED:{stamp}\nUID:fresh\n")),
                second(id, "20250115T090500Z", "fresh")
            ));
            assert_eq!(twice, whole_text(&want));
            // Acknowledged, it is gone, and the first says when.
            let done = answer(&twice, id, third, "2025-01-15T09:06:00Z", None).unwrap();
            assert_eq!(done, whole_text(&event(&first("ACKNOWLEDGED:20250115T090600Z\nUID:fresh\n"))));
            assert_eq!(
                answer(&twice, id, RINGS, "2025-01-15T09:01:00Z", None).map(|done| rest(&done, RINGS)),
                Some(vec![])
            );
        }
    }

    #[test]
    fn siblings_of_other_instances_stay() {
        let daily = event(&format!("RRULE:FREQ=DAILY;COUNT=3\n{DISPLAY}"));
        let text = whole_text(&daily);
        let (one, two) = (number(&text, RINGS), number(&text, "2025-01-16T08:45:00Z"));
        let put_off = answer(&text, one, RINGS, NOW, Some("2025-01-16T20:00:00Z")).unwrap();
        let next = number(&put_off, "2025-01-16T08:45:00Z");
        assert_ne!(next, two, "what has a UID has another number than what had none");
        for id in [two, next] {
            let both =
                answer(&put_off, id, "2025-01-16T08:45:00Z", "2025-01-16T08:46:00Z", Some("2025-01-16T09:00:00Z"))
                    .unwrap();
            assert_eq!(rest(&both, "2025-01-16T00:00:00Z"), ["01-16 09:00", "01-16 20:00", "01-17 08:45"]);
            let done = answer(&both, id, "2025-01-16T09:00:00Z", "2025-01-16T09:01:00Z", None).unwrap();
            assert_eq!(rest(&done, "2025-01-16T00:00:00Z"), ["01-16 20:00", "01-17 08:45"]);
            // What is over goes with the next answer.
            let at = "2025-01-17T08:45:00Z";
            let over = answer(&done, number(&done, at), at, "2025-01-17T08:46:00Z", None).unwrap();
            assert_eq!(over.matches("BEGIN:VALARM").count(), 1, "{over}");
        }
    }

    #[test]
    fn siblings_that_others_wrote_are_answered_too() {
        let named = first("UID:a1\nACKNOWLEDGED:20250115T084600Z\n");
        let foreign = "BEGIN:VALARM\nUID:a2\nACTION:DISPLAY\nTRIGGER;VALUE=DATE-TIME:20250115T085500Z\nRELATED-TO;RELTYPE=SNOOZE:a1\nEND:VALARM\n";
        let text = whole_text(&event(&format!("{named}{foreign}")));
        let id = number(&text, LATER);
        let done = answer(&text, id, LATER, "2025-01-15T08:56:00Z", None).unwrap();
        assert_eq!(done, whole_text(&event(&named.replace("084600", "085600"))));
        let again = answer(&text, id, LATER, "2025-01-15T08:56:00Z", Some("2025-01-15T09:05:00Z")).unwrap();
        assert_eq!(
            again,
            whole_text(&event(&format!(
                "{}{}",
                named.replace("084600", "085600"),
                second(id, "20250115T090500Z", "a1")
            )))
        );
        // Of what is not there it is a first itself.
        let orphan = whole_text(&event(foreign));
        let done = answer(&orphan, number(&orphan, LATER), LATER, "2025-01-15T08:56:00Z", None).unwrap();
        assert_eq!(done, whole_text(&event(&foreign.replace("END:", "ACKNOWLEDGED:20250115T085600Z\nEND:"))));
    }

    #[test]
    fn lines_end_as_the_others_do_and_are_folded() {
        let long = first(&format!("UID:{}\n", "a".repeat(90)));
        for ending in ["\n", "\r\n"] {
            let text = whole_text(&event(&long)).replace("\r\n", ending);
            let done = answer(&text, number(&text, RINGS), RINGS, NOW, Some(LATER)).unwrap();
            let related = format!("RELATED-TO;RELTYPE=SNOOZE:{}{ending} {}{ending}", "a".repeat(49), "a".repeat(41));
            assert!(done.contains(&related), "{done:?}");
            assert_eq!(done.matches('\n').count(), done.matches(ending).count());
        }
    }

    #[test]
    fn what_is_not_there_cannot_be_answered() {
        let text = whole_text(&event(DISPLAY));
        assert_eq!(answer(&text, 7, RINGS, NOW, None), None);
        let id = number(&text, RINGS);
        assert_eq!(answer(&text.replace("-PT15M", "-PT20M"), id, RINGS, NOW, None), None);
        assert_eq!(answer(&text.replace("DTSTAMP", "STATUS:CANCELLED\r\nDTSTAMP"), id, RINGS, NOW, None), None);
    }

    #[test]
    fn a_later_text_acknowledges() {
        let text = whole_text(&event(DISPLAY));
        let id = number(&text, RINGS);
        let put_off = answer(&text, id, RINGS, NOW, Some(LATER)).unwrap();
        let dismissed = whole_text(&event(&first("ACKNOWLEDGED:20250115T085600Z\nUID:fresh\n")));
        let moz = |at: &str| whole_text(&event(&format!("X-MOZ-LASTACK:{at}\n{DISPLAY}")));
        let foreign = "BEGIN:VALARM\nUID:a2\nACTION:DISPLAY\nTRIGGER;VALUE=DATE-TIME:20250115T085500Z\nRELATED-TO;RELTYPE=SNOOZE:fresh\nEND:VALARM\n";
        let theirs = whole_text(&event(&format!("{}{foreign}", first("UID:fresh\n"))));
        // The text by which it rang, the instant, the later text, and whether that acknowledges it.
        let rows = [
            (&text, RINGS, &text, false),
            (&text, RINGS, &answer(&text, id, RINGS, NOW, None).unwrap(), true),
            (&text, RINGS, &text.replace("TRIGGER", "ACKNOWLEDGED:20250115T084459Z\r\nTRIGGER"), false),
            (&text, RINGS, &put_off, true),
            (&text, RINGS, &moz("20250115T084500Z"), true),
            (&text, RINGS, &moz("20250115T084459Z"), false),
            (&text, RINGS, &put_off.replace("20250115T10", "20250115T11"), false),
            (&put_off, LATER, &put_off, false),
            // The sibling is gone, and the first acknowledged since.
            (&put_off, LATER, &dismissed, true),
            (&put_off, LATER, &dismissed.replace("T085600Z", "T085400Z"), false),
            (&theirs, LATER, &dismissed, true),
            (&theirs, LATER, &text, false),
        ];
        for (number_, (before, at, after, want)) in rows.iter().enumerate() {
            let id = number(&before.replace("ACKNOWLEDGED", "X-OFF"), at);
            let (before, after) = (read(before), read(after));
            let found = is_acknowledged(Some(&before), &after, id, time(at), ZONE, &mut Budget::default());
            assert_eq!(found, Ok(*want), "row {number_}");
        }
        assert_eq!(repeats(&read(&put_off), id, time(LATER), ZONE, &mut Budget::default()), Ok(true));
        assert_eq!(repeats(&read(&dismissed), id, time(LATER), ZONE, &mut Budget::default()), Ok(false));
        assert!(acknowledges(&read(&put_off)) && acknowledges(&read(&moz("soon"))) && !acknowledges(&read(&text)));
    }
}
