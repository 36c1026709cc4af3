//! Random calendar objects for the simulated year: events and to-dos as people have them. Knows no service.

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};

/// The same numbers for the same seed.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    fn next(&mut self) -> u64 {
        // SplitMix64: any seed is a good one.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    /// True once in so many throws.
    pub fn once_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    pub fn one_of<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.below(of.len())]
    }
}

pub const ZONES: [&str; 5] = ["Europe/Berlin", "America/New_York", "Asia/Tokyo", "Australia/Lord_Howe", "UTC"];

const RULES: [&str; 14] = [
    "FREQ=DAILY;COUNT=12",
    "FREQ=DAILY;INTERVAL=9",
    "FREQ=DAILY;INTERVAL=3;COUNT=20",
    "FREQ=WEEKLY",
    "FREQ=WEEKLY;BYDAY=MO,WE,FR;COUNT=18",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,TH",
    "FREQ=WEEKLY;WKST=SU;INTERVAL=3;BYDAY=SU,SA",
    "FREQ=MONTHLY",
    "FREQ=MONTHLY;BYMONTHDAY=-1",
    "FREQ=MONTHLY;BYMONTHDAY=31",
    "FREQ=MONTHLY;BYDAY=2TU",
    "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
    "FREQ=YEARLY",
    "FREQ=YEARLY;BYMONTH=3,10;BYDAY=-1SU",
];

const TRIGGERS: [&str; 10] = [
    "TRIGGER:-PT15M",
    "TRIGGER:PT0S",
    "TRIGGER:PT30M",
    "TRIGGER:-P1D",
    "TRIGGER:-P1DT2H",
    "TRIGGER:-P1W",
    "TRIGGER;RELATED=END:-PT5M",
    "TRIGGER;RELATED=END:PT0S",
    "TRIGGER:-PT10M\r\nREPEAT:2\r\nDURATION:PT4M",
    "TRIGGER;RELATED=START:-PT1S\r\nREPEAT:1\r\nDURATION:PT2S",
];

/// How the times of one object are written.
enum Form {
    Utc,
    Zoned(&'static str),
    Floating,
    Date,
}

impl Form {
    fn time(&self, name: &str, at: NaiveDateTime) -> String {
        match self {
            Form::Utc => format!("{name}:{}", at.format("%Y%m%dT%H%M%SZ")),
            Form::Zoned(zone) => format!("{name};TZID={zone}:{}", at.format("%Y%m%dT%H%M%S")),
            Form::Floating => format!("{name}:{}", at.format("%Y%m%dT%H%M%S")),
            Form::Date => format!("{name};VALUE=DATE:{}", at.format("%Y%m%d")),
        }
    }
}

/// A random object; most of it lies around `now`, so that something is to be heard.
pub fn object(dice: &mut Dice, uid: &str, now: DateTime<Utc>) -> String {
    let form = match dice.below(6) {
        0 => Form::Utc,
        1 | 2 => Form::Zoned(dice.one_of(&ZONES)),
        3 => Form::Floating,
        _ if dice.once_in(2) => Form::Date,
        _ => Form::Zoned(dice.one_of(&ZONES)),
    };
    let midnight = (now.date_naive() + TimeDelta::days(dice.below(90) as i64 - 30)).and_time(Default::default());
    // Early hours too, where daylight saving skips and repeats.
    let start = midnight + TimeDelta::minutes(30 * dice.below(44) as i64);
    let todo = dice.once_in(6);
    let rule = (!dice.once_in(3)).then(|| dice.one_of(&RULES));
    let mut lines = component(dice, &form, todo, uid, start);
    if let Some(rule) = rule {
        lines.push(format!("RRULE:{rule}"));
        if dice.once_in(3) {
            lines.push(form.time("EXDATE", start + TimeDelta::days(7 * dice.below(4) as i64)));
        }
    }
    if dice.once_in(4) {
        let other = start + TimeDelta::days(dice.below(60) as i64) + TimeDelta::hours(dice.below(5) as i64);
        lines.push(form.time("RDATE", other));
    }
    alarms(dice, &mut lines, now);
    let mut text = wrap(todo, &lines);
    for number in 0..if rule.is_some() { dice.below(3) } else { 0 } {
        text.push_str(&changed_instance(dice, &form, todo, uid, start, number, now));
    }
    format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n{text}END:VCALENDAR\r\n")
}

/// The head of a component: its texts, its time, its length.
fn component(dice: &mut Dice, form: &Form, todo: bool, uid: &str, start: NaiveDateTime) -> Vec<String> {
    let mut lines = vec![format!("UID:{uid}"), "DTSTAMP:20250101T000000Z".into(), format!("SUMMARY:About {uid}")];
    lines.push(form.time("DTSTART", start));
    let date = matches!(form, Form::Date);
    let length = TimeDelta::days(dice.below(3) as i64)
        + if date { TimeDelta::days(1) } else { TimeDelta::minutes(15 + 15 * dice.below(20) as i64) };
    match (todo, dice.below(3)) {
        (true, _) => lines.push(form.time("DUE", start + length)),
        (false, 0) if !date => lines.push(format!("DURATION:PT{}M", length.num_minutes())),
        (false, 1) => {}
        (false, _) => lines.push(form.time("DTEND", start + length)),
    }
    if dice.once_in(12) {
        lines.push(if todo { "COMPLETED:20250201T000000Z".into() } else { "STATUS:CANCELLED".into() });
    }
    if dice.once_in(15) {
        lines.push("ATTENDEE;PARTSTAT=DECLINED:mailto:user1@example.org".into());
    }
    lines
}

fn alarms(dice: &mut Dice, lines: &mut Vec<String>, now: DateTime<Utc>) {
    for _ in 0..1 + dice.below(3) {
        let action = dice.one_of(&["DISPLAY", "DISPLAY", "AUDIO", "EMAIL", "NONE"]);
        let trigger = if dice.once_in(8) {
            let at = now + TimeDelta::minutes(dice.below(60 * 24 * 60) as i64 - 600);
            format!("TRIGGER;VALUE=DATE-TIME:{}", at.format("%Y%m%dT%H%M00Z"))
        } else {
            dice.one_of(&TRIGGERS).to_owned()
        };
        let text = format!("BEGIN:VALARM\r\nACTION:{action}\r\nDESCRIPTION:x\r\n{trigger}\r\nEND:VALARM");
        lines.push(text.clone());
        if dice.once_in(20) {
            // The same alarm twice is one alarm.
            lines.push(text);
        }
    }
}

/// An override: moved, cancelled, with alarms of its own or with none, and sometimes for all that follows.
fn changed_instance(
    dice: &mut Dice,
    form: &Form,
    todo: bool,
    uid: &str,
    start: NaiveDateTime,
    number: usize,
    now: DateTime<Utc>,
) -> String {
    // Each changes another instance: two for the same one are refused.
    let original = start + TimeDelta::days(7 * (2 * number + dice.below(2)) as i64);
    let moved = original + TimeDelta::minutes(30 * (dice.below(200) as i64 - 80));
    let mut lines = component(dice, form, todo, uid, moved);
    let future = dice.once_in(6);
    lines.push(form.time(if future { "RECURRENCE-ID;RANGE=THISANDFUTURE" } else { "RECURRENCE-ID" }, original));
    if !dice.once_in(4) {
        alarms(dice, &mut lines, now);
    }
    wrap(todo, &lines)
}

fn wrap(todo: bool, lines: &[String]) -> String {
    let name = if todo { "VTODO" } else { "VEVENT" };
    format!("BEGIN:{name}\r\n{}\r\nEND:{name}\r\n", lines.join("\r\n"))
}

/// The first day of the year that is simulated.
pub fn new_year() -> DateTime<Utc> {
    NaiveDate::from_ymd_opt(2025, 1, 1).expect("a date").and_time(Default::default()).and_utc()
}
