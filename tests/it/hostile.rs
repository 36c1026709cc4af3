//! Texts that were sent to do harm: each has its expected answer, and a bound on the work that is counted, not timed.

use std::io::Cursor;

use campanile::domain::import::Media;
use campanile::domain::refusal::Fault;
use campanile::ical::alarms::{self, Policy};
use campanile::ical::index::Index;
use campanile::ical::lines::Limits;
use campanile::ical::object::CalendarObject;
use campanile::ical::recur::budget::{Budget, Exhausted, STEPS_DEFAULT};
use campanile::ical::recur::window;
use campanile::ical::split;
use campanile::ical::vcard::Card;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;

fn read(text: &str) -> Result<CalendarObject, Fault> {
    CalendarObject::read(text.as_bytes(), &Limits::default())
}

/// An event with an alarm at its start; `lines` are its other properties.
fn event(lines: &str) -> String {
    let lines: String = lines.lines().map(|line| format!("{}\r\n", line.trim())).collect();
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Test//EN\r\nBEGIN:VEVENT\r\nUID:1\r\n{lines}BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:PT0S\r\nDESCRIPTION:now\r\nEND:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).expect("a time").to_utc()
}

fn starts(text: &str, from: &str, to: &str) -> Result<Vec<String>, Exhausted> {
    let object = read(text).expect("an object");
    object.storable().expect("storable");
    let found = window::occurrences(&object, at(from), at(to), Tz::Europe__Paris, &mut Budget::default())?;
    Ok(found.iter().map(|occurrence| occurrence.start.text()).collect())
}

/// The next firing, and what it cost.
fn next(text: &str, after: &str) -> (Result<Option<String>, Exhausted>, u32) {
    let object = read(text).expect("an object");
    let mut budget = Budget::default();
    let next = alarms::next_after(&object, at(after), Tz::Europe__Paris, &Policy::default(), &mut budget);
    (next.map(|next| next.map(|at| campanile::domain::occurrence::instant(&at))), budget.spent())
}

const EXHAUSTED: Exhausted = Exhausted { steps: STEPS_DEFAULT };

fn check_fault(text: &[u8], line: Option<u64>, why: &str) {
    let fault = CalendarObject::read(text, &Limits::default()).expect_err(why);
    assert_eq!((fault.line, fault.why.as_str()), (line, why));
}

#[test]
fn depth_is_bounded() {
    for depth in [2_000, 50_000] {
        let text = "BEGIN:VEVENT\r\n".repeat(depth);
        check_fault(format!("BEGIN:VCALENDAR\r\n{text}").as_bytes(), Some(9), "components are nested deeper than 8");
    }
    // A file of the same is split: each one is broken off where the next begins.
    let text = format!("BEGIN:VCALENDAR\r\n{}", "BEGIN:VEVENT\r\n".repeat(100_000));
    let split = split::calendar(text.as_bytes(), &Limits::default()).expect("a split");
    assert_eq!((split.items.len(), split.failures.len()), (0, 1_000));
    assert_eq!(split.failures[0].why, "another VEVENT begins within this VEVENT");
    let index = Index::read(Cursor::new(&text), Media::Calendar, &Limits::default()).expect("an index");
    assert_eq!((index.len(), index.failed, index.whole), (0, 100_000, false));
    let nested = format!("BEGIN:VCALENDAR\r\n{}", "BEGIN:X-IN\r\n".repeat(100_000));
    let split = split::calendar(nested.as_bytes(), &Limits::default()).expect("a split");
    assert_eq!(split.failures.len(), 1);
    assert_eq!((split.failures[0].line, split.failures[0].why.as_str()), (9, "components are nested deeper than 7"));
    // No configuration goes deeper than 32.
    let deep = Limits { depth: 1_000_000, ..Limits::default() };
    let text = "BEGIN:VCALENDAR\r\n".repeat(40);
    let fault = CalendarObject::read(text.as_bytes(), &deep).expect_err("a fault");
    assert_eq!(fault, Fault::at(33, "components are nested deeper than 32"));
}

#[test]
fn lower_case_is_the_same() {
    let text = format!("{}{}", "begin:vcalendar\n", "begin:x\n".repeat(26));
    check_fault(text.as_bytes(), Some(9), "components are nested deeper than 8");
    let text = "begin:vcalendar\nbegin:vevent\nuid:1\ndtstart:20250115t090000z\nrrule:freq=daily;count=2\nend:vevent\nend:vcalendar";
    let found = starts(text, "2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z");
    assert_eq!(found, Ok(vec!["2025-01-15T09:00:00Z".to_owned(), "2025-01-16T09:00:00Z".to_owned()]));
}

#[test]
fn counts_are_bounded() {
    let many =
        |line: &str, count: usize| event(&format!("DTSTART:20250115T090000Z\n{}", format!("{line}\n").repeat(count)));
    let limits = Limits { object_bytes: 100_000_000, ..Limits::default() };
    let fault = |text: &str| CalendarObject::read(text.as_bytes(), &limits).expect_err("a fault");
    let dates = many("EXDATE:20250116T090000Z", 100_000);
    assert_eq!(fault(&dates), Fault::at(4007, "more than 4000 EXDATE and RDATE values in a VEVENT"));
    let dates =
        event(&format!("DTSTART:20250115T090000Z\nRDATE:{}20250116T090000Z", "20250116T090000Z,".repeat(99_999)));
    let wide = Limits { line_bytes: 10_000_000, ..limits.clone() };
    let found = CalendarObject::read(dates.as_bytes(), &wide).expect_err("a fault");
    assert_eq!(found, Fault::at(7, "more than 4000 EXDATE and RDATE values in a VEVENT"));
    let properties = many("COMMENT:x", 100_000);
    assert_eq!(fault(&properties), Fault::at(5005, "more than 5000 properties in a VEVENT"));
    let alarms = "BEGIN:VALARM\nEND:VALARM\n".repeat(100_000);
    assert_eq!(fault(&event(&alarms)), Fault::at(206, "more than 100 alarms in a VEVENT"));
    let components = format!("BEGIN:VCALENDAR\n{}", "BEGIN:VEVENT\nEND:VEVENT\n".repeat(100_000));
    assert_eq!(fault(&components), Fault::at(2000, "more than 1000 components"));
    let params = event(&format!("DTSTART:20250115T090000Z\nSUMMARY{}:x", ";X-A=1".repeat(10_000)));
    assert_eq!(fault(&params), Fault::at(7, "more than 64 parameters"));
    check_fault(&vec![b'x'; 1024 * 1024 + 1], None, "larger than 1048576 bytes");
}

#[test]
fn long_lines_are_bounded() {
    let long = "x".repeat(50_000_000);
    let text = format!(
        "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nDESCRIPTION:{long}\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:2\r\nDTSTART:20250115\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    );
    let split = split::calendar(text.as_bytes(), &Limits::default()).expect("a split");
    assert_eq!(split.items.iter().map(|item| item.uid.as_str()).collect::<Vec<_>>(), ["2"]);
    assert_eq!((split.failures[0].line, split.failures[0].uid.as_deref()), (4, Some("1")));
    assert_eq!(split.failures[0].why, "a line is longer than 1048576 bytes");
    // The same as a million folds.
    let folded = "\r\n x".repeat(1_300_000);
    let text =
        format!("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nDESCRIPTION:{folded}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n");
    let split = split::calendar(text.as_bytes(), &Limits::default()).expect("a split");
    assert_eq!(split.failures[0].why, "a line is longer than 1048576 bytes");
}

#[test]
fn bytes_are_checked() {
    check_fault(b"", Some(1), "BEGIN:VCALENDAR is missing");
    check_fault(b"\x89PNG\r\n\x1a\n", Some(1), "BEGIN:VCALENDAR is missing");
    check_fault(b"BEGIN:VCALENDAR\r\nX:\xFF\r\nEND:VCALENDAR\r\n", Some(2), "not UTF-8");
    check_fault(b"BEGIN:VCALENDAR\r\nX:a\x00b\r\nEND:VCALENDAR\r\n", Some(2), "control character 0x00");
    check_fault(b"BEGIN:VCALENDAR\r\nX:a\x1bb\r\nEND:VCALENDAR\r\n", Some(2), "control character 0x1B");
    check_fault(b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n", Some(3), "the text ends within the VEVENT of line 2");
    check_fault(b"BEGIN:VCALENDAR\r\nEND:VEVENT\r\n", Some(2), "END:VEVENT where VCALENDAR is open since line 1");
    check_fault(b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\nBEGIN:VCALENDAR\r\n", Some(3), "something follows END:VCALENDAR");
    check_fault(b"<html>", Some(1), "BEGIN:VCALENDAR is missing");
    let bom = format!("\u{feff}{}", event("DTSTART:20250115T090000Z"));
    read(&bom).expect("an object").storable().expect("storable");
    assert!(split::calendar(b"\xFF\xFE", &Limits::default()).is_err());
    assert!(split::cards(b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", &Limits::default()).is_err());
    assert!(Card::read(b"BEGIN:VCARD\r\n", &Limits::default()).is_err());
    // Among cards nothing is lost without a word either.
    let card = "\u{feff}BEGIN:VCARD\r\nVERSION:3.0\r\nUID:1\r\nFN:x\r\nEND:VCARD\r\n";
    let mixed = format!("{card}{}{}", event("DTSTART:20250115T090000Z"), card.replace("UID:1", "UID:2"));
    let split = split::cards(mixed.as_bytes(), &Limits::default()).expect("a split");
    assert_eq!(split.items.iter().map(|item| item.uid.as_str()).collect::<Vec<_>>(), ["1", "2"]);
    assert!(split.items.iter().all(|item| item.bytes.starts_with(b"BEGIN:VCARD")));
    let failures: Vec<_> = split.failures.iter().map(|failure| (failure.line, failure.why.as_str())).collect();
    assert_eq!(failures, [(9, "a VEVENT among cards")]);
    // Bidirectional overrides are text like any other.
    read(&event("DTSTART:20250115T090000Z\nSUMMARY:\u{202e}evil")).expect("an object");
}

/// Rules that mean nothing: kept, flagged at their line, and silent.
#[test]
fn broken_meanings_are_flagged() {
    let bomb = |unit: &str, count: u32| {
        let list: Vec<String> = (0..count).map(|number| number.to_string()).collect();
        format!(";{unit}={}", list.join(","))
    };
    let days: Vec<String> = (1..=31).map(|day| day.to_string()).collect();
    let bomb = format!(
        "RRULE:FREQ=YEARLY;BYMONTHDAY={}{}{}{}",
        days.join(","),
        bomb("BYHOUR", 24),
        bomb("BYMINUTE", 60),
        bomb("BYSECOND", 60)
    );
    let start = "DTSTART:20250115T090000Z";
    let table = [
        (format!("{start}\n{bomb}"), 7, "a rule of 2678400 combinations, more than 10000"),
        (format!("{start}\nRRULE:FREQ=DAILY;INTERVAL=0"), 7, "INTERVAL of a rule is no count: \"0\""),
        (format!("{start}\nRRULE:FREQ=DAILY;COUNT=0"), 7, "COUNT of a rule is no count: \"0\""),
        (
            format!("{start}\nRRULE:FREQ=DAILY;INTERVAL=99999999999"),
            7,
            "INTERVAL of a rule is no count: \"99999999999\"",
        ),
        (format!("{start}\nRRULE:FREQ=DAILY;COUNT=2;UNTIL=20300101T000000Z"), 7, "a rule with both COUNT and UNTIL"),
        ("DTSTART;TZID=Mars/Olympus:20250115T090000".to_owned(), 6, "no zone named \"Mars/Olympus\""),
        ("DTSTART:00000000T000000Z".to_owned(), 6, "DTSTART is no date: \"00000000T000000Z\""),
        (format!("{start}\nDURATION:P99999999999999999999D"), 7, "no duration: \"P99999999999999999999D\""),
        (format!("{start}\nEXDATE:yesterday"), 7, "EXDATE is no date: \"yesterday\""),
    ];
    for (lines, line, why) in table {
        let text = event(&lines);
        let object = read(&text).expect("an object");
        object.storable().expect("storable");
        assert_eq!(object.flaws(), [Fault::at(line, why)], "{lines}");
        assert_eq!(starts(&text, "1970-01-01T00:00:00Z", "2100-01-01T00:00:00Z"), Ok(vec![]), "{lines}");
        let (next, spent) = next(&text, "1970-01-01T00:00:00Z");
        assert_eq!((next, spent), (Ok(None), 0), "{lines}");
        assert_eq!(object.span(Tz::Europe__Paris), None, "{lines}");
    }
    let text = event(start).replace("TRIGGER:PT0S", "TRIGGER:soon");
    let object = read(&text).expect("an object");
    assert_eq!(object.flaws(), [Fault::at(9, "no trigger: \"soon\"")]);
    assert_eq!(starts(&text, "2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z").map(|found| found.len()), Ok(1));
    assert_eq!(next(&text, "1970-01-01T00:00:00Z").0, Ok(None));
}

#[test]
fn endless_rules_cost_what_is_asked() {
    let secondly = event("DTSTART:19700101T000000Z\nRRULE:FREQ=SECONDLY");
    let found = starts(&secondly, "2025-01-15T09:00:00Z", "2025-01-15T10:00:00Z");
    assert_eq!(found.map(|found| found.len()), Ok(3600));
    assert_eq!(starts(&secondly, "2025-01-15T09:00:00Z", "2026-01-15T09:00:00Z"), Err(EXHAUSTED));
    let (found, spent) = next(&secondly, "2025-01-15T09:00:00Z");
    assert_eq!(found, Ok(Some("2025-01-15T09:00:01Z".to_owned())));
    assert!(spent < 100, "{spent}");
    let (found, spent) =
        next(&event("DTSTART:19700101T000000Z\nRRULE:FREQ=MINUTELY;INTERVAL=7"), "2025-01-15T09:00:00Z");
    assert_eq!(found, Ok(Some("2025-01-15T09:04:00Z".to_owned())));
    assert!(spent < 100, "{spent}");
    // A second of one day of the year.
    let rare =
        event("DTSTART:19701201T010101Z\nRRULE:FREQ=SECONDLY;BYMONTH=12;BYMONTHDAY=1;BYHOUR=1;BYMINUTE=1;BYSECOND=1");
    let (found, spent) = next(&rare, "2025-12-02T00:00:00Z");
    assert_eq!(found, Ok(Some("2026-12-01T01:01:01Z".to_owned())));
    assert!(spent < 1000, "{spent}");
    let (found, spent) =
        next(&event("DTSTART;TZID=Europe/Paris:19700101T090000\nRRULE:FREQ=DAILY"), "2025-01-15T09:00:00Z");
    assert_eq!(found, Ok(Some("2025-01-16T08:00:00Z".to_owned())));
    assert!(spent < 100, "{spent}");
    // Dense, but not yet: what lies before the first start costs nothing.
    for rule in ["FREQ=SECONDLY", "FREQ=MINUTELY", "FREQ=HOURLY"] {
        let text = event(&format!("DTSTART:20260115T090000Z\nRRULE:{rule}"));
        let (found, spent) = next(&text, "1970-01-01T00:00:00Z");
        assert_eq!(found, Ok(Some("2026-01-15T09:00:00Z".to_owned())), "{rule}");
        assert!(spent < 100, "{rule}: {spent}");
    }
    let december = event("DTSTART:20241201T000000Z\nRRULE:FREQ=SECONDLY;BYMONTH=12");
    let (found, spent) = next(&december, "2025-01-15T09:00:00Z");
    assert_eq!(found, Ok(Some("2025-12-01T00:00:00Z".to_owned())));
    assert!(spent < 1000, "{spent}");
    // A period of half a million instances is not held in memory.
    let hours: Vec<String> = (0..24).map(|hour| hour.to_string()).collect();
    let minutes: Vec<String> = (0..59).map(|minute| minute.to_string()).collect();
    let dense = event(&format!(
        "DTSTART:20250101T000000Z\nRRULE:FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYHOUR={};BYMINUTE={}",
        hours.join(","),
        minutes.join(",")
    ));
    let (found, spent) = next(&dense, "2025-12-30T12:00:00Z");
    assert_eq!(found, Ok(Some("2025-12-30T12:01:00Z".to_owned())));
    assert!(spent < STEPS_DEFAULT, "{spent}");
}

#[test]
fn counted_rules_are_bounded() {
    let billion = event("DTSTART:20250115T090000Z\nRRULE:FREQ=SECONDLY;COUNT=1000000000");
    // Each second has one start, so the count is a subtraction.
    let (found, spent) = next(&billion, "2050-01-15T09:00:00Z");
    assert_eq!(found, Ok(Some("2050-01-15T09:00:01Z".to_owned())));
    assert!(spent < 100, "{spent}");
    assert_eq!(next(&billion, "2056-09-23T10:46:38Z").0, Ok(Some("2056-09-23T10:46:39Z".to_owned())));
    assert_eq!(next(&billion, "2056-09-23T10:46:39Z").0, Ok(None));
    // Two starts each hour are multiplied.
    let doubled = event("DTSTART:20250115T090000Z\nRRULE:FREQ=HOURLY;BYMINUTE=0,30;COUNT=1000000000");
    let (found, spent) = next(&doubled, "2050-01-15T09:00:00Z");
    assert_eq!(found, Ok(Some("2050-01-15T09:30:00Z".to_owned())));
    assert!(spent < 100, "{spent}");
    // Uneven ones are counted, 64 periods a step.
    let counted = event("DTSTART:20250115T090000Z\nRRULE:FREQ=HOURLY;BYDAY=MO,TU;COUNT=1000000000");
    let (found, spent) = next(&counted, "2050-01-19T09:00:00Z");
    assert_eq!(found, Ok(Some("2050-01-24T00:00:00Z".to_owned())));
    assert!(spent < 2000, "{spent}");
    let walked = event("DTSTART:20250115T090000Z\nRRULE:FREQ=SECONDLY;BYMINUTE=0,30;COUNT=1000000000");
    assert_eq!(next(&walked, "2050-01-15T09:00:00Z").0, Err(EXHAUSTED));
    assert_eq!(read(&walked).expect("an object").span(Tz::UTC).and_then(|span| span.end), None);
    let short = event("DTSTART:20250115T090000Z\nRRULE:FREQ=DAILY;BYHOUR=9;COUNT=3");
    assert_eq!(next(&short, "2025-01-16T09:00:00Z").0, Ok(Some("2025-01-17T09:00:00Z".to_owned())));
    let (found, spent) = next(&short, "2025-01-17T09:00:00Z");
    assert_eq!(found, Ok(None));
    assert!(spent < 100, "{spent}");
}

#[test]
fn rules_that_never_match_end() {
    for rule in [
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30,31",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=YEARLY;BYMONTH=4;BYMONTHDAY=31;BYSETPOS=1",
    ] {
        let text = event(&format!("DTSTART:20250115T090000Z\nRRULE:{rule}"));
        assert_eq!(next(&text, "2025-01-01T00:00:00Z").0, Ok(Some("2025-01-15T09:00:00Z".to_owned())), "{rule}");
        let (found, spent) = next(&text, "2025-01-15T09:00:00Z");
        assert_eq!(found, Ok(None), "{rule}");
        assert!(spent < 100, "{rule}: {spent}");
    }
    // A year without such a day, in all years that can be written.
    let text = event("DTSTART:20250115T090000Z\nRRULE:FREQ=YEARLY;BYYEARDAY=366;BYMONTH=1");
    assert_eq!(next(&text, "2025-01-15T09:00:00Z").0, Ok(None));
    // A step that never meets its hour.
    let text = event("DTSTART:20250115T090000Z\nRRULE:FREQ=HOURLY;INTERVAL=24;BYHOUR=5");
    assert_eq!(next(&text, "2025-01-15T09:00:00Z").0, Ok(None));
    // A leap day comes back, over the gap of 2100 too.
    let leap = event("DTSTART:20960229T090000Z\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29");
    assert_eq!(next(&leap, "2096-03-01T00:00:00Z").0, Ok(Some("2104-02-29T09:00:00Z".to_owned())));
}

#[test]
fn edges_of_time_are_met() {
    let before = event("DTSTART:20250115T090000Z\nRRULE:FREQ=DAILY;UNTIL=20250101T000000Z");
    let all = ("2000-01-01T00:00:00Z", "2050-01-01T00:00:00Z");
    assert_eq!(starts(&before, all.0, all.1), Ok(vec!["2025-01-15T09:00:00Z".to_owned()]));
    let gap = event("DTSTART;TZID=Europe/Paris:20250330T023000\nRRULE:FREQ=DAILY;COUNT=2");
    let found = vec!["2025-03-30T01:30:00Z".to_owned(), "2025-03-31T00:30:00Z".to_owned()];
    assert_eq!(starts(&gap, all.0, all.1), Ok(found));
    let last = event("DTSTART:99991231T235959Z\nRRULE:FREQ=SECONDLY");
    assert_eq!(next(&last, "2025-01-01T00:00:00Z").0, Ok(Some("9999-12-31T23:59:59Z".to_owned())));
    assert_eq!(next(&last, "9999-12-31T23:59:59Z").0, Ok(None));
    let first = event("DTSTART:00010101T000000Z\nRRULE:FREQ=YEARLY;INTERVAL=4000000000");
    assert_eq!(next(&first, "2025-01-01T00:00:00Z").0, Ok(None));
    let far = event("DTSTART:20250115T090000Z").replace("TRIGGER:PT0S", "TRIGGER:-P360000D");
    assert_eq!(next(&far, "2025-01-01T00:00:00Z").0, Ok(None));
    let repeats =
        event("DTSTART:20250115T090000Z").replace("TRIGGER:PT0S", "TRIGGER:PT0S\r\nREPEAT:4000000000\r\nDURATION:PT1S");
    let object = read(&repeats).expect("an object");
    let (from, to) = (at("2025-01-01T00:00:00Z"), at("2026-01-01T00:00:00Z"));
    let firings = alarms::firings(&object, from, to, Tz::UTC, &Policy::default(), &mut Budget::default());
    assert_eq!(firings.map(|firings| firings.len()), Ok(1001));
    // One override rings; the endless rule behind it has no alarm and is not walked.
    let quiet = event("DTSTART:20200101T090000Z\nRRULE:FREQ=SECONDLY\nRECURRENCE-ID:20200101T090000Z").replace(
        "BEGIN:VEVENT\r\n",
        "BEGIN:VEVENT\r\nUID:1\r\nDTSTART:20200101T090000Z\r\nRRULE:FREQ=SECONDLY\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\n",
    );
    let (found, spent) = next(&quiet, "2025-01-01T00:00:00Z");
    assert_eq!(found, Ok(None));
    assert!(spent < 10, "{spent}");
}

/// What is copied into every instance is paid for, so that the answer stays smaller than a few dozen megabytes.
#[test]
fn long_words_are_paid_for() {
    let long = "x".repeat(500_000);
    let text = event(&format!("DTSTART:20250115T090000Z\nRRULE:FREQ=DAILY\nSUMMARY:{long}"));
    assert_eq!(starts(&text, "2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z"), Err(EXHAUSTED));
    assert_eq!(starts(&text, "2025-01-15T00:00:00Z", "2025-01-31T00:00:00Z").map(|found| found.len()), Ok(16));
    let object = read(&text).expect("an object");
    let firings = |to: &str| {
        alarms::firings(
            &object,
            at("2025-01-15T00:00:00Z"),
            at(to),
            Tz::UTC,
            &Policy::default(),
            &mut Budget::default(),
        )
    };
    assert_eq!(firings("2026-01-01T00:00:00Z").map(|firings| firings.len()), Err(EXHAUSTED));
    assert_eq!(firings("2025-01-31T00:00:00Z").map(|firings| firings.len()), Ok(16));
    // The next instant needs no words.
    let (found, spent) = next(&text, "2040-01-01T00:00:00Z");
    assert_eq!(found, Ok(Some("2040-01-01T09:00:00Z".to_owned())));
    assert!(spent < 100, "{spent}");
}

/// Texts that are broken at random, always in the same way: whatever the answer, there is one, and it is cheap.
#[test]
fn broken_texts_are_answered() {
    let seeds = [
        event("DTSTART;TZID=Europe/Paris:20250330T023000\nDTEND;TZID=Europe/Paris:20250330T033000\nRRULE:FREQ=MONTHLY;BYDAY=-1SU,2MO;BYSETPOS=1,-1;COUNT=9\nEXDATE;VALUE=DATE:20250430\nRDATE;VALUE=PERIOD:20250412T140000Z/PT1H30M"),
        event("DTSTART;VALUE=DATE:20240229\nRRULE:FREQ=YEARLY;BYWEEKNO=1,-1;BYYEARDAY=1,-1;UNTIL=20391231\nRECURRENCE-ID;RANGE=THISANDFUTURE:20240229"),
        "BEGIN:VCALENDAR\r\nBEGIN:VTIMEZONE\r\nTZID:Here\r\nBEGIN:STANDARD\r\nDTSTART:19701025T030000\r\nRRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r\nTZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\nEND:STANDARD\r\nBEGIN:DAYLIGHT\r\nDTSTART:19700329T020000\r\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\nEND:DAYLIGHT\r\nEND:VTIMEZONE\r\nBEGIN:VTODO\r\nUID:2\r\nDUE;TZID=Here:20250330T023000\r\nRRULE:FREQ=HOURLY;BYMINUTE=1,2\r\nBEGIN:VALARM\r\nACTION:AUDIO\r\nTRIGGER;RELATED=END:-P1DT1H\r\nREPEAT:2\r\nDURATION:PT5M\r\nEND:VALARM\r\nEND:VTODO\r\nEND:VCALENDAR\r\n".to_owned(),
    ];
    let pieces: [&[u8]; 12] =
        [b";", b":", b"\r\n", b"\r\n ", b"\"", b",", b"-", b"9", b"0", b"=", b"BEGIN:VEVENT\r\n", b"\xC3"];
    let mut state: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).expect("32 bits") % below
    };
    let (mut read, mut rang) = (0, 0);
    for round in 0..3000 {
        let mut text = seeds[round % seeds.len()].clone().into_bytes();
        for _ in 0..=random(3) {
            let place = random(text.len());
            match random(4) {
                0 => drop(text.drain(place..(place + 1 + random(20)).min(text.len()))),
                1 => drop(text.splice(place..place, pieces[random(pieces.len())].iter().copied())),
                2 => text[place] = b'0' + u8::try_from(random(10)).expect("a digit"),
                _ => text[place] = text[place / 2],
            }
            if text.is_empty() {
                text.push(b'x');
            }
        }
        let _ = split::calendar(&text, &Limits::default());
        let _ = split::cards(&text, &Limits::default());
        let Ok(object) = CalendarObject::read(&text, &Limits::default()) else { continue };
        read += 1;
        let _ = (object.storable(), object.span(Tz::America__New_York));
        let mut budget = Budget::new(5000);
        let policy = Policy { require_accepted: true, user_email: "a@example.org".to_owned() };
        let (from, to) = (at("2025-03-01T00:00:00Z"), at("2025-05-01T00:00:00Z"));
        let _ = window::overlapping(&object, from, to, Tz::Pacific__Apia, &mut budget.clone());
        let firings = alarms::firings(&object, from, to, Tz::Pacific__Apia, &policy, &mut budget.clone());
        let next =
            alarms::next_after(&object, from - chrono::TimeDelta::seconds(1), Tz::Pacific__Apia, &policy, &mut budget);
        // Two ways to the same answer.
        if let (Ok(firings), Ok(next)) = (firings, next) {
            let first = firings.first().map(|firing| firing.at);
            assert_eq!(first, next.filter(|next| *next < to), "{}", String::from_utf8_lossy(&text));
            rang += usize::from(first.is_some());
        }
    }
    assert!(read > 700 && rang > 100, "{read} read, {rang} rang");
}
