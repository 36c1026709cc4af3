//! The alarm vectors of Side, one row each: what it rings next, with `require_accepted` and in UTC.

use campanile::domain::alarm::Firing;
use campanile::domain::occurrence::instant;
use campanile::ical::alarms::{self, Policy};
use campanile::ical::lines::Limits;
use campanile::ical::object::CalendarObject;
use campanile::ical::recur::budget::Budget;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;

const USER: &str = "bob@example.org";
const ACCEPTED: &str = "ATTENDEE;PARTSTAT=ACCEPTED:mailto:bob@example.org\n";

/// A component with the user accepted.
fn event(lines: &str, alarms: &str) -> String {
    component(&format!("{ACCEPTED}{lines}"), alarms)
}

fn component(lines: &str, alarms: &str) -> String {
    format!("BEGIN:VEVENT\nUID:side\nORGANIZER:mailto:ann@example.org\n{lines}\n{alarms}END:VEVENT\n")
}

fn alarm(trigger: &str) -> String {
    format!("BEGIN:VALARM\nACTION:EMAIL\nTRIGGER{trigger}\nEND:VALARM\n")
}

fn minutes(minutes: &[u32]) -> String {
    minutes.iter().map(|minutes| alarm(&format!(":-PT{minutes}M"))).collect()
}

fn calendar(components: &str) -> String {
    format!("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Test//EN\n{components}END:VCALENDAR\n")
}

fn read(text: &str) -> CalendarObject {
    CalendarObject::read(text.as_bytes(), &Limits::default()).expect("an object")
}

/// `2025-08-28T12` means the full hour, a date its midnight.
fn at(text: &str) -> DateTime<Utc> {
    let whole = match text.len() {
        10 => format!("{text}T00:00:00Z"),
        13 => format!("{text}:00:00Z"),
        16 => format!("{text}:00Z"),
        _ => format!("{text}Z"),
    };
    whole.parse().unwrap_or_else(|_| panic!("no time: {text}"))
}

/// What rings next after an instant.
fn next(object: &CalendarObject, user: &str, after: &str) -> Option<Firing> {
    let policy = Policy { require_accepted: true, user_email: user.to_owned() };
    let found = alarms::next_after(object, at(after), Tz::UTC, &policy, &mut Budget::default()).expect("in budget")?;
    let rings = alarms::at(object, found, Tz::UTC, &policy, &mut Budget::default()).expect("in budget");
    rings.into_iter().next()
}

/// Rows of a clock and what rings next; an empty answer means nothing.
fn check(components: &str, rows: &[(&str, &str)]) {
    let text = calendar(components);
    let object = read(&text);
    for (clock, wanted) in rows {
        let found = next(&object, USER, clock).map(|firing| instant(&firing.at));
        let wanted = (!wanted.is_empty()).then(|| instant(&at(wanted)));
        assert_eq!(found, wanted, "at {clock}\n{text}");
    }
}

const ONCE: &str = "DTSTART:20250829T100000Z\nDTEND:20250829T110000Z";

#[test]
fn what_is_not_accepted_rings_nothing() {
    let july = ("2025-07-28", "");
    for status in ["NEEDS-ACTION", "TENTATIVE", "DECLINED", "DELEGATED"] {
        let attendee = format!("ATTENDEE;PARTSTAT={status}:mailto:bob@example.org\n{ONCE}");
        check(&component(&attendee, &minutes(&[15])), &[july]);
    }
    check(&component(&format!("ATTENDEE:mailto:bob@example.org\n{ONCE}"), &minutes(&[15])), &[july]);
    let other = format!("ATTENDEE;PARTSTAT=ACCEPTED:mailto:cleo@example.org\n{ONCE}");
    check(&component(&other, &minutes(&[15])), &[july]);
    check(&event(ONCE, &minutes(&[15])), &[("2025-08-30", "")]);
    check(&event(ONCE, ""), &[july]);
    check(&event(&format!("{ONCE}\nSTATUS:CANCELLED"), &minutes(&[15])), &[july]);
    check(&format!("METHOD:CANCEL\n{}", event(ONCE, &minutes(&[15]))), &[july]);
}

#[test]
fn single_events_ring_at_their_triggers() {
    let july = "2025-07-28";
    for action in ["EMAIL", "DISPLAY"] {
        let text = event(ONCE, &minutes(&[15]).replace("EMAIL", action));
        check(&text, &[(july, "2025-08-29T09:45")]);
        let firing = next(&read(&calendar(&text)), USER, july).expect("it rings");
        assert_eq!((firing.start_at, firing.action.as_str()), (at("2025-08-29T10"), action));
    }
    let positive = alarm(";RELATED=START:PT15M");
    check(&event(ONCE, &positive), &[(july, "2025-08-29T10:15")]);
    check(&event("DTSTART;TZID=UTC:20250829T100000", &positive), &[(july, "2025-08-29T10:15")]);
    check(
        &event(ONCE, &minutes(&[30, 10, 15])),
        &[(july, "2025-08-29T09:30"), ("2025-08-29T09:35", "2025-08-29T09:45")],
    );
    check(&event(ONCE, &minutes(&[60, 10])), &[("2025-08-29T09:30", "2025-08-29T09:50")]);
    check(&event(ONCE, &alarm(":-PT2H")), &[("2025-08-29T09:30", "")]);
    // Strictly after.
    check(&event(ONCE, &minutes(&[30, 15, 10])), &[("2025-08-29T09:45", "2025-08-29T09:50")]);
}

#[test]
fn broken_alarms_ring_nothing() {
    let july = ("2025-07-28", "");
    check(&event(ONCE, "BEGIN:VALARM\nACTION:EMAIL\nEND:VALARM\n"), &[july]);
    check(&event(ONCE, &alarm(":garbage")), &[july]);
    check(&event(ONCE, "BEGIN:VALARM\nTRIGGER:-PT15M\nEND:VALARM\n"), &[july]);
}

#[test]
fn google_and_outlook_are_read() {
    check(&event("DTSTART:20250829T060000Z", &alarm(":-P0DT0H30M0S")), &[("2025-08-28", "2025-08-29T05:30")]);
    check(&event("DTSTART:20250829T043000Z", &alarm(":-PT15M")), &[("2025-08-28", "2025-08-29T04:15")]);
}

#[test]
fn the_newer_of_two_versions_counts() {
    let old = event("DTSTAMP:20250801T000000Z\nSEQUENCE:0\nDTSTART:20250829T100000Z", &minutes(&[15]));
    let new = event("DTSTAMP:20250802T000000Z\nSEQUENCE:1\nDTSTART:20250829T110000Z", &minutes(&[15]));
    for text in [format!("{old}{new}"), format!("{new}{old}")] {
        check(&text, &[("2025-08-28", "2025-08-29T10:45"), ("2025-08-29T10:45", "")]);
    }
}

#[test]
fn series_ring_for_each_instance() {
    check(
        &event("DTSTART:20250829T100000Z\nRRULE:FREQ=DAILY;COUNT=3", &minutes(&[15])),
        &[
            ("2025-08-28T12", "2025-08-29T09:45"),
            ("2025-08-29T12", "2025-08-30T09:45"),
            ("2025-08-30T12", "2025-08-31T09:45"),
            ("2025-08-31T12", ""),
        ],
    );
    check(
        &event("DTSTART:20250806T090000Z\nRRULE:FREQ=WEEKLY;INTERVAL=2;UNTIL=20251001T000000Z", &minutes(&[15])),
        &[
            ("2025-08-01", "2025-08-06T08:45"),
            ("2025-08-06T10", "2025-08-20T08:45"),
            ("2025-08-21", "2025-09-03T08:45"),
            ("2025-09-17T09:00:01", ""),
        ],
    );
    check(
        &event(
            "DTSTART:20250829T100000Z\nRRULE:FREQ=DAILY;COUNT=4\nEXDATE:20250830T100000Z,20250831T100000Z",
            &minutes(&[15]),
        ),
        &[("2025-08-28T12", "2025-08-29T09:45"), ("2025-08-29T12", "2025-09-01T09:45"), ("2025-09-01T12", "")],
    );
    let two = event("DTSTART:20250829T100000Z\nRRULE:FREQ=DAILY;COUNT=3", &minutes(&[30, 10]));
    let all =
        ["29T09:30", "29T09:50", "30T09:30", "30T09:50", "31T09:30", "31T09:50"].map(|at| format!("2025-08-{at}"));
    let mut rows: Vec<(&str, &str)> = all.windows(2).map(|pair| (pair[0].as_str(), pair[1].as_str())).collect();
    rows.push(("2025-08-28", &all[0]));
    rows.push((&all[5], ""));
    check(&two, &rows);
    check(
        &event("DTSTART;TZID=UTC:20260608T083000\nRRULE:FREQ=WEEKLY", &minutes(&[15])),
        &[("2026-06-08T09", "2026-06-15T08:15")],
    );
}

#[test]
fn overrides_speak_for_their_instances() {
    let master = event("DTSTART:20250801T100000Z\nRRULE:FREQ=WEEKLY;COUNT=3", &minutes(&[15]));
    let moved = event("RECURRENCE-ID:20250815T100000Z\nDTSTART:20250816T140000Z", &minutes(&[15]));
    check(&format!("{master}{moved}"), &[("2025-08-08T10:00:01", "2025-08-16T13:45")]);

    let master = event("DTSTART:20250829T100000Z\nRRULE:FREQ=WEEKLY;COUNT=3", &minutes(&[15]));
    let declined = component(
        "ATTENDEE;PARTSTAT=DECLINED:mailto:bob@example.org\nRECURRENCE-ID:20250905T100000Z\nDTSTART:20250905T100000Z",
        &minutes(&[15]),
    );
    check(&format!("{master}{declined}"), &[("2025-09-01", "2025-09-12T09:45")]);
    let third = event("RECURRENCE-ID:20250912T100000Z\nDTSTART:20250912T120000Z", &minutes(&[15]));
    check(&format!("{master}{declined}{third}"), &[("2025-09-01", "2025-09-12T11:45")]);

    let master = event("DTSTART:20250829T100000Z\nRRULE:FREQ=WEEKLY;COUNT=2", &minutes(&[15]));
    let silent = event("RECURRENCE-ID:20250905T100000Z\nDTSTART:20250905T100000Z", "");
    check(&format!("{master}{silent}"), &[("2025-09-01", "")]);
}

#[test]
fn cancelled_masters_leave_active_overrides() {
    let rule = "DTSTART:20250829T100000Z\nRRULE:FREQ=DAILY;COUNT=2\nSTATUS:CANCELLED";
    let master = event(rule, &minutes(&[15]));
    let other = "RECURRENCE-ID:20250830T100000Z\nDTSTART:20250830T100000Z";
    let cancelled = event(&format!("{other}\nSTATUS:CANCELLED"), &minutes(&[15]));
    check(&format!("{master}{cancelled}"), &[("2025-08-29", "")]);
    let text = format!("{master}{}", event(other, &minutes(&[15])));
    check(&text, &[("2025-08-29", "2025-08-30T09:45")]);
    let firing = next(&read(&calendar(&text)), USER, "2025-08-29").expect("it rings");
    assert_eq!(firing.start_at, at("2025-08-30T10"));
}

#[test]
fn of_two_overrides_the_newest_counts() {
    let master = event("DTSTART:20260509T093000Z\nRRULE:FREQ=DAILY;COUNT=2", &minutes(&[15]));
    let one = |stamp: &str, sequence: u32, status: &str| {
        let head = format!("ATTENDEE;PARTSTAT={status}:mailto:bob@example.org\nDTSTAMP:{stamp}\nSEQUENCE:{sequence}");
        component(&format!("{head}\nRECURRENCE-ID:20260510T093000Z\nDTSTART:20260510T093000Z"), &minutes(&[15]))
    };
    let (first, second) = ("20260501T000000Z", "20260502T000000Z");
    let stamps = [one(first, 0, "DECLINED"), one(second, 0, "ACCEPTED")];
    let sequences = [one(first, 0, "ACCEPTED"), one(first, 1, "DECLINED")];
    for ([one, two], wanted) in [(stamps, "2026-05-10T09:15"), (sequences, "")] {
        check(&format!("{master}{one}{two}"), &[("2026-05-10", wanted)]);
        check(&format!("{master}{two}{one}"), &[("2026-05-10", wanted)]);
    }
}

#[test]
fn days_begin_at_midnight() {
    check(&event("DTSTART;VALUE=DATE:20250829", &minutes(&[15])), &[("2025-08-28", "2025-08-28T23:45")]);
    let series = event("DTSTART;VALUE=DATE:20250829\nRRULE:FREQ=DAILY;COUNT=3", &minutes(&[15]));
    check(
        &series,
        &[
            ("2025-08-28T12", "2025-08-28T23:45"),
            ("2025-08-29T12", "2025-08-29T23:45"),
            ("2025-08-30T12", "2025-08-30T23:45"),
            ("2025-09-01", ""),
        ],
    );
    let id = "RECURRENCE-ID;VALUE=DATE:20250830";
    let earlier = event(&format!("{id}\nDTSTART;VALUE=DATE:20250830"), &minutes(&[20]));
    check(&format!("{series}{earlier}"), &[("2025-08-29T12", "2025-08-29T23:40")]);
    let moved = event(&format!("{id}\nDTSTART;VALUE=DATE:20250901"), &minutes(&[15]));
    check(
        &format!("{series}{moved}"),
        &[("2025-08-29T12", "2025-08-30T23:45"), ("2025-08-30T23:45", "2025-08-31T23:45")],
    );
}

#[test]
fn alarms_of_others_are_theirs() {
    let mail = |minutes: u32, to: &str| {
        format!("BEGIN:VALARM\nACTION:EMAIL\nTRIGGER:-PT{minutes}M\nATTENDEE:mailto:{to}\nEND:VALARM\n")
    };
    let others = format!("ATTENDEE;PARTSTAT=ACCEPTED:mailto:cleo@example.org\n{ONCE}");
    let july = "2025-07-28";
    check(&event(&others, &mail(15, "cleo@example.org")), &[(july, "")]);
    check(
        &event(&others, &format!("{}{}", mail(10, "CLEO@example.org"), mail(5, USER))),
        &[(july, "2025-08-29T09:55")],
    );
    let text = calendar(&event(&others, &mail(15, "bob.alias@example.org")));
    let firing = next(&read(&text), USER, july).expect("it rings");
    assert_eq!((firing.at, firing.attendees), (at("2025-08-29T09:45"), vec!["bob.alias@example.org".to_owned()]));
}
