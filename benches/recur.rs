//! Recurrence against the `rrule` crate in one run: expansion, the next start of old rules, and the planning of many alarms.
#![allow(clippy::expect_used)]

use std::hint::black_box;

use campanile::ical::alarms::{self, Policy};
use campanile::ical::lines::Limits;
use campanile::ical::object::CalendarObject;
use campanile::ical::recur::budget::Budget;
use campanile::ical::recur::stream::Stream;
use campanile::ical::recur::window;
use campanile::system::pace;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;

/// Begun twenty years before the question is asked, in Europe/Paris.
const RULES: &[(&str, &str)] = &[
    ("DAILY", "FREQ=DAILY"),
    ("WEEKLY BYDAY", "FREQ=WEEKLY;BYDAY=MO,WE,FR"),
    ("MONTHLY BYSETPOS", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1"),
    ("YEARLY BYDAY", "FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU"),
    ("YEARLY 20MO", "FREQ=YEARLY;BYDAY=20MO"),
    ("DAILY COUNT", "FREQ=DAILY;COUNT=20000"),
    ("MONTHLY COUNT", "FREQ=MONTHLY;BYDAY=2TU;COUNT=1000"),
];
const START: &str = "20050115T093000";
const NOW: &str = "2025-01-15T12:00:00Z";
const ALARMS: usize = 100_000;
const ZONE: &str = "BEGIN:VTIMEZONE\r\nTZID:Europe/Paris\r\nBEGIN:DAYLIGHT\r\nDTSTART:19700329T020000\r\n\
    RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\nEND:DAYLIGHT\r\n\
    BEGIN:STANDARD\r\nDTSTART:19701025T030000\r\nRRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r\nTZOFFSETFROM:+0200\r\n\
    TZOFFSETTO:+0100\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n";

fn text(rule: &str, zone: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Bench//EN\r\n{zone}BEGIN:VEVENT\r\nUID:bench\r\n\
         DTSTAMP:20050101T000000Z\r\nDTSTART;TZID=Europe/Paris:{START}\r\nDURATION:PT1H\r\nSUMMARY:Bench\r\n\
         RRULE:{rule}\r\nBEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT15M\r\nDESCRIPTION:Bench\r\nEND:VALARM\r\n\
         END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

fn read(text: &str) -> CalendarObject {
    CalendarObject::read(text.as_bytes(), &Limits::default()).expect("an object")
}

/// The least of five runs, in nanoseconds for one of what each does.
fn least(times: usize, mut run: impl FnMut() -> usize) -> f64 {
    let mut least = f64::MAX;
    for _ in 0..5 {
        let start = pace::now();
        let done: usize = (0..times).map(|_| run()).sum();
        least = least.min(start.elapsed().as_secs_f64() * 1e9 / black_box(done) as f64);
    }
    least
}

fn main() {
    let now: DateTime<Utc> = NOW.parse().expect("an instant");
    let far: DateTime<Utc> = "2100-01-01T00:00:00Z".parse().expect("an instant");
    let zone = Tz::Europe__Paris;

    println!("expansion, million starts a second     ours   rrule   ratio   as whole occurrences");
    for (name, rule) in RULES {
        let object = read(&text(rule, ""));
        let set: rrule::RRuleSet = format!("DTSTART;TZID=Europe/Paris:{START}\nRRULE:{rule}").parse().expect("a rule");
        let most = 20_000;
        let series = object.series().first().expect("a series");
        let ours = least(5, || {
            let mut budget = Budget::new(u32::MAX);
            let mut stream = Stream::new(series, (0, far.timestamp()), zone, &mut budget).expect("a budget");
            let mut count = 0;
            while count < most
                && let Some(instance) = stream.next(&mut budget).expect("a budget")
            {
                black_box(instance.start_at());
                count += 1;
            }
            count
        });
        let theirs =
            least(5, || set.clone().limit().into_iter().take(most).take_while(|at| *black_box(at) < far).count());
        let end = |object: &CalendarObject| {
            let found = window::occurrences(object, DateTime::UNIX_EPOCH, now, zone, &mut Budget::new(u32::MAX));
            found.expect("a budget").len()
        };
        let whole = least(5, || end(&object));
        let million = |each: f64| 1e3 / each;
        let ratio = theirs / ours;
        println!("  {name:<33} {:>8.1} {:>7.2} {ratio:>7.1} {:>8.1}", million(ours), million(theirs), million(whole));
    }

    println!("next after now, rule 20 years old, \u{b5}s    ours       rrule   ratio  next alarm");
    for (name, rule) in RULES {
        let object = read(&text(rule, ""));
        let set: rrule::RRuleSet = format!("DTSTART;TZID=Europe/Paris:{START}\nRRULE:{rule}").parse().expect("a rule");
        let ours = least(20_000, || {
            let next = window::next_after(&object, black_box(now), zone, &mut Budget::default());
            usize::from(next.expect("a budget").is_some())
        });
        let policy = Policy::default();
        let alarm = least(20_000, || {
            let next = alarms::next_after(&object, black_box(now), zone, &policy, &mut Budget::default());
            usize::from(next.expect("a budget").is_some())
        });
        let theirs = least(20, || usize::from(set.clone().limit().into_iter().any(|at| at > now)));
        let (ratio, us) = (theirs / ours, 1e-3);
        println!("  {name:<33} {:>9.2} {:>11.1} {ratio:>7.0} {:>11.2}", ours * us, theirs * us, alarm * us);
    }

    for (name, zone_text) in [("without VTIMEZONE", ""), ("with VTIMEZONE", ZONE)] {
        let texts: Vec<String> = (0..ALARMS).map(|number| text(RULES[number % 5].1, zone_text)).collect();
        let start = pace::now();
        let objects: Vec<CalendarObject> = texts.iter().map(|text| read(text)).collect();
        let parsed = start.elapsed();
        let start = pace::now();
        let policy = Policy::default();
        let found = objects.iter().filter(|object| {
            let next = alarms::next_after(object, now, zone, &policy, &mut Budget::default());
            next.expect("a budget").is_some()
        });
        assert_eq!(found.count(), ALARMS);
        let planned = start.elapsed();
        println!(
            "{ALARMS} recurring alarms re-planned, {name}: {planned:.2?}, with reading the text {:.2?}",
            planned + parsed
        );
    }
}
