//! Our expander beside the `rrule` crate over seeded random rules, wherever the crate is not on the list of its faults; and laws that need no second opinion.

use campanile::ical::lines::Limits;
use campanile::ical::object::CalendarObject;
use campanile::ical::recur::budget::{Budget, Exhausted};
use campanile::ical::recur::recurrence::Recurrence;
use campanile::ical::recur::rule::Rule;
use campanile::ical::recur::stream::Stream;
use campanile::ical::recur::window;
use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, TimeDelta, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use rrule::{Frequency, NWeekday};

const ZONES: [Tz; 4] = [Tz::UTC, Tz::Europe__Paris, Tz::America__New_York, Tz::Australia__Lord_Howe];

/// The same numbers in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("32 bits") % below
    }

    fn one_in(&mut self, chance: usize) -> bool {
        self.below(chance) == 0
    }

    fn of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }

    /// Up to `most` numbers of a range, sometimes counted from the back.
    fn numbers(&mut self, most: usize, range: std::ops::RangeInclusive<i64>, negative: bool) -> String {
        let width = usize::try_from(range.end() - range.start() + 1).expect("a small range");
        let one = |dice: &mut Dice| {
            let number = range.start() + i64::try_from(dice.below(width)).expect("small");
            if negative && dice.one_in(3) { -number } else { number }
        };
        let numbers: Vec<String> = (0..=self.below(most)).map(|_| one(self).to_string()).collect();
        numbers.join(",")
    }

    fn rule(&mut self) -> String {
        let freq = self.of(&["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY"]);
        let clock = matches!(freq, "HOURLY" | "MINUTELY" | "SECONDLY");
        let mut rule = format!("FREQ={freq}");
        let mut part = |name: &str, value: String| rule.push_str(&format!(";{name}={value}"));
        if self.one_in(2) {
            let most = if clock { 90 } else { 6 };
            part("INTERVAL", (1 + self.below(most)).to_string());
        }
        if self.one_in(4) {
            part("WKST", self.of(&["MO", "SU", "TH"]).to_owned());
        }
        if self.one_in(4) {
            part("BYMONTH", self.numbers(4, 1..=12, false));
        }
        let weeks = freq == "YEARLY" && self.one_in(6);
        if weeks {
            part("BYWEEKNO", self.numbers(3, 1..=53, true));
        }
        if freq == "YEARLY" && self.one_in(6) {
            part("BYYEARDAY", self.numbers(4, 1..=366, true));
        }
        if freq != "WEEKLY" && self.one_in(4) {
            part("BYMONTHDAY", self.numbers(4, 1..=31, true));
        }
        if self.one_in(2) {
            let numbered = match freq {
                // RFC 5545 3.3.10 forbids numbers beside week numbers.
                _ if weeks => 0,
                "MONTHLY" => 5,
                "YEARLY" => 53,
                _ => 0,
            };
            let days: Vec<String> = (0..=self.below(4))
                .map(|_| {
                    let day = self.of(&["MO", "TU", "WE", "TH", "FR", "SA", "SU"]);
                    match numbered > 0 && self.one_in(2) {
                        true => format!("{}{day}", self.numbers(1, 1..=numbered, true)),
                        false => day.to_owned(),
                    }
                })
                .collect();
            part("BYDAY", days.join(","));
        }
        if self.one_in(6) {
            part("BYHOUR", self.numbers(3, 0..=23, false));
        }
        if self.one_in(8) {
            part("BYMINUTE", self.numbers(3, 0..=59, false));
        }
        if self.one_in(12) {
            part("BYSECOND", self.numbers(2, 0..=59, false));
        }
        if self.one_in(6) {
            part("BYSETPOS", self.numbers(2, 1..=4, true));
        }
        rule
    }

    fn start(&mut self) -> NaiveDateTime {
        let day = NaiveDate::from_ymd_opt(1996, 1, 1).expect("a day") + Days::new(self.below(12_000) as u64);
        day.and_hms_opt(self.below(24) as u32, self.of(&["0", "15", "30", "59"]).parse().expect("a minute"), 0)
            .expect("a time")
    }
}

fn form(local: NaiveDateTime) -> String {
    local.format("%Y%m%dT%H%M%S").to_string()
}

/// DTSTART in a zone.
fn dtstart(local: NaiveDateTime, zone: Tz) -> String {
    match zone {
        Tz::UTC => format!("DTSTART:{}Z", form(local)),
        zone => format!("DTSTART;TZID={zone}:{}", form(local)),
    }
}

fn object(local: NaiveDateTime, zone: Tz, rule: &str, more: &str) -> CalendarObject {
    let text = format!(
        "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\n{}\r\nDURATION:PT1H\r\nRRULE:{rule}\r\n{more}END:VEVENT\r\nEND:VCALENDAR\r\n",
        dtstart(local, zone)
    );
    let object = CalendarObject::read(text.as_bytes(), &Limits::default()).expect("an object");
    assert_eq!(object.flaws(), [], "{rule}");
    object
}

/// The first starts at or after an instant.
fn first(object: &CalendarObject, from: DateTime<Utc>, most: usize) -> Result<Vec<DateTime<Utc>>, Exhausted> {
    let mut budget = Budget::new(20_000);
    let mut stream = Stream::new(&object.series()[0], (from.timestamp(), i64::MAX), Tz::UTC, &mut budget)?;
    let mut found = Vec::new();
    while found.len() < most
        && let Some(instance) = stream.next(&mut budget)?
    {
        found.push(instance.start_at());
    }
    Ok(found)
}

/// A start that its rule gives: anything else is undefined by the RFC.
fn synchronised(rule: &str, start: NaiveDateTime) -> Option<NaiveDateTime> {
    let object = object(start, Tz::UTC, rule, "");
    first(&object, start.and_utc() + TimeDelta::seconds(1), 1).ok()?.first().map(|at| at.naive_utc())
}

/// The faults of rrule 0.14, each by the number it has in the list of the project: what the crate may not be asked.
fn is_a_fault_of_rrule(rule: &Rule) -> bool {
    let numbers = rule.by_day.iter().filter_map(|day| match day {
        NWeekday::Nth(number, _) => Some(*number),
        NWeekday::Every(_) => None,
    });
    let numbers: Vec<i16> = numbers.collect();
    let clock = [&rule.by_hour, &rule.by_minute, &rule.by_second].into_iter().any(|list| !list.is_empty());
    let days = [&rule.by_month, &rule.by_month_day, &rule.by_year_day].into_iter().any(|list| !list.is_empty());
    let farthest = if rule.freq == Frequency::Monthly { 4 } else { 52 };
    let edges = rule.by_week_no.iter().any(|week| week.abs() >= 52 || week.abs() == 1);
    // 1: plain and numbered weekdays mixed are intersected.
    (!numbers.is_empty() && numbers.len() < rule.by_day.len())
        // 2: the farthest numbers are refused.
        || numbers.iter().any(|number| i32::from(number.abs()) > farthest)
        // 3: week numbers without a weekday give whole weeks, and err at the edges of years.
        || (!rule.by_week_no.is_empty() && (rule.by_day.is_empty() || edges || !rule.by_set_pos.is_empty()))
        // 4: WEEKLY with BYSETPOS loses the first week.
        || (rule.freq == Frequency::Weekly && !rule.by_set_pos.is_empty())
        // 5 and 6: filters of short periods lose or invent instances, or end unseen after 100,000 empty steps.
        || (rule.freq >= Frequency::Hourly && (clock || days || !rule.by_day.is_empty() || !rule.by_set_pos.is_empty()))
}

/// 7 and 8: starts in gaps and overlaps are refused.
fn is_plain(local: NaiveDateTime, zone: Tz) -> bool {
    zone.from_local_datetime(&local).single().is_some()
}

#[test]
fn both_expanders_agree() {
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let (mut asked, mut compared, mut freqs) = (0, 0, std::collections::BTreeMap::<String, usize>::new());
    while asked < 9000 {
        asked += 1;
        let (text, zone) = (dice.rule(), ZONES[asked % ZONES.len()]);
        let rule = Rule::parse(&text).expect("a rule");
        let start = dice.start();
        let limit = dice.below(3);
        if is_a_fault_of_rrule(&rule) {
            continue;
        }
        let Some(start) = synchronised(&text, start).filter(|start| is_plain(*start, zone)) else { continue };
        let text = match limit {
            0 => format!("{text};COUNT=17"),
            1 => format!("{text};UNTIL={}Z", form(start + TimeDelta::days(900))),
            _ => text,
        };
        let Ok(ours) = first(&object(start, zone, &text, ""), start.and_utc() - TimeDelta::days(2), 40) else {
            continue;
        };
        let theirs = format!("{}\nRRULE:{text}", dtstart(start, zone));
        let theirs: rrule::RRuleSet = match theirs.parse() {
            Ok(set) => set,
            Err(error) => panic!("refused: {theirs}: {error}"),
        };
        let most = ours.len().max(1);
        let mut theirs: Vec<DateTime<Utc>> = theirs.into_iter().take(most * 2).map(|at| at.to_utc()).collect();
        // 9: equal instants come twice. Around a gap they come in the order of the clock.
        theirs.sort();
        theirs.dedup();
        theirs.truncate(most);
        assert_eq!(ours, theirs, "{} {text}", dtstart(start, zone));
        compared += 1;
        *freqs.entry(format!("{:?}", rule.freq)).or_default() += 1;
    }
    println!("{compared} of {asked} compared: {freqs:?}");
    assert!(compared > 3000 && freqs.len() == 7, "{compared} of {asked} compared: {freqs:?}");
}

/// A random object: any rule at all, with an exception, an addition, and a moved instance.
fn anything(dice: &mut Dice, zone: Tz) -> Option<(String, NaiveDateTime, CalendarObject)> {
    let mut rule = dice.rule();
    let start = synchronised(&rule, dice.start())?;
    let plain = first(&object(start, Tz::UTC, &rule, ""), start.and_utc(), 8).ok()?;
    match dice.below(4) {
        0 => rule.push_str(&format!(";COUNT={}", 1 + dice.below(300))),
        1 => rule.push_str(&format!(";UNTIL={}Z", form(start + TimeDelta::days(dice.below(3000) as i64)))),
        _ => {}
    }
    let zoned = |local: NaiveDateTime| dtstart(local, zone).split_off("DTSTART".len());
    let mut more = String::new();
    if dice.one_in(3) && plain.len() > 2 {
        more.push_str(&format!("EXDATE{}\r\n", zoned(plain[1].naive_utc())));
    }
    if dice.one_in(3) {
        more.push_str(&format!("RDATE{}\r\n", zoned(start + TimeDelta::minutes(dice.below(100_000) as i64))));
    }
    if dice.one_in(3) && plain.len() > 4 {
        let range = if dice.one_in(2) { ";RANGE=THISANDFUTURE" } else { "" };
        let (id, to) =
            (plain[3].naive_utc(), plain[3].naive_utc() + TimeDelta::minutes(dice.below(5000) as i64 - 2500));
        more.push_str(&format!(
            "END:VEVENT\r\nBEGIN:VEVENT\r\nUID:1\r\nRECURRENCE-ID{range}{}\r\nDTSTART{}\r\nDURATION:PT2H\r\n",
            zoned(id),
            zoned(to)
        ));
    }
    let object = object(start, zone, &rule, &more);
    Some((format!("{} {rule} {more}", dtstart(start, zone)), start, object))
}

#[test]
fn laws_are_kept() {
    let mut dice = Dice(0x2545_F491_4F6C_DD1D);
    let (mut kept, mut exhausted) = (0, 0);
    for round in 0..1500 {
        let zone = ZONES[round % ZONES.len()];
        let Some((name, start, object)) = anything(&mut dice, zone) else { continue };
        let Ok(some) = first(&object, start.and_utc() - TimeDelta::days(4), 60) else {
            exhausted += 1;
            continue;
        };
        let (Some(one), Some(last)) = (some.first(), some.last()) else { continue };
        let (from, to) = (*one - TimeDelta::hours(1), *last + TimeDelta::seconds(1));
        let ask = |from, to| window::occurrences(&object, from, to, zone, &mut Budget::default());
        let Ok(whole) = ask(from, to) else {
            exhausted += 1;
            continue;
        };
        let starts: Vec<_> = whole.iter().map(|occurrence| occurrence.start_at).collect();
        assert_eq!(starts, some, "{name}");
        // A window is its pieces.
        let cut = from + (to - from) * i32::try_from(dice.below(100)).expect("small") / 100;
        let pieces: Vec<_> = ask(from, cut).into_iter().chain(ask(cut, to)).flatten().collect();
        assert_eq!(pieces, whole, "{name} cut at {cut}");
        // Next and previous are the window's first and last.
        for at in [from, cut, some[some.len() / 2], *last] {
            let next = window::next_after(&object, at, zone, &mut Budget::default());
            if let Some(wanted) = some.iter().find(|start| **start > at) {
                assert_eq!(next.map(|next| next.map(|next| next.start_at)), Ok(Some(*wanted)), "{name} after {at}");
            }
            let previous = window::previous(&object, at, zone, &mut Budget::default());
            let wanted = some.iter().rfind(|start| **start < at).copied();
            // It asks a few times: dense rules may cost more than one question may.
            let Ok(previous) = previous else { continue };
            assert_eq!(previous.map(|last| last.start_at), wanted, "{name} before {at}");
        }
        // More budget gives the same or an answer where there was none.
        let mut known = None;
        for steps in [1, 10, 100, 1000, 10_000, 100_000] {
            let found = window::occurrences(&object, from, to, zone, &mut Budget::new(steps)).ok();
            assert!(known.is_none() || known == found, "{name} with {steps}");
            known = found;
        }
        kept += 1;
    }
    assert!(kept > 900 && exhausted < 100, "{kept} kept, {exhausted} exhausted");
}

#[test]
fn counts_are_kept() {
    let mut dice = Dice(0xD1B5_4A32_D192_ED03);
    let mut kept = 0;
    for round in 0..1500 {
        let (rule, zone) = (dice.rule(), ZONES[round % ZONES.len()]);
        let Some(start) = synchronised(&rule, dice.start()) else { continue };
        let count = 1 + dice.below(700);
        let endless = object(start, zone, &rule, "");
        let counted = object(start, zone, &format!("{rule};COUNT={count}"), "");
        let begin = start.and_utc() - TimeDelta::days(2);
        let (Ok(all), Ok(some)) = (first(&endless, begin, count), first(&counted, begin, count + 1)) else { continue };
        // Two readings around a gap may be one instant, and count as two.
        let parsed = Rule::parse(&rule).expect("a rule");
        let doubled = zone != Tz::UTC && (parsed.freq > Frequency::Daily || parsed.by_hour.len() > 1);
        if all.len() == count && !doubled {
            assert_eq!(some, all, "{rule} {start} {zone}");
        }
        // However it is asked, and in whatever order, the count stands: from the back, where no mark is known yet, on.
        let fresh = object(start, zone, &format!("{rule};COUNT={count}"), "");
        for at in some.iter().rev().step_by(37) {
            for object in [&fresh, &counted] {
                let next = window::next_after(object, *at - TimeDelta::seconds(1), zone, &mut Budget::default());
                assert_eq!(next.map(|next| next.map(|next| next.start_at)), Ok(Some(*at)), "{rule} {start} {zone}");
            }
        }
        if let Some(last) = some.last() {
            let next = window::next_after(&fresh, *last, zone, &mut Budget::default());
            assert_eq!(next, Ok(None), "{rule} {start} {zone} after {last}");
            let end = fresh.span(zone).expect("it stands somewhere").end;
            let counted = some.len() == count && !doubled;
            assert!(!counted || end == Some(*last + TimeDelta::hours(3)), "{rule} {start} {zone}: {end:?}");
        }
        kept += 1;
    }
    assert!(kept > 900, "{kept}");
}

/// A rule of days or of the clock whose parts only limit it, and its lists: weekdays from Monday, hours, minutes, seconds.
fn limited(dice: &mut Dice) -> (String, i64, [Vec<u32>; 4]) {
    let (freq, unit) = [("DAILY", 86_400), ("HOURLY", 3600), ("MINUTELY", 60), ("SECONDLY", 1)][dice.below(4)];
    // Long ones share more with the day and the week, and so miss more.
    let interval = [1, 2, 6, 7, 12, 24, 60, 84, 90, 168, 900][dice.below(11)] * (1 + dice.below(9) as i64);
    let mut rule = format!("FREQ={freq};INTERVAL={interval}");
    let mut lists: [Vec<u32>; 4] = Default::default();
    let names = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];
    for (place, (name, below, longest)) in
        [("BYDAY", 7, 86_400), ("BYHOUR", 24, 3600), ("BYMINUTE", 60, 60), ("BYSECOND", 60, 1)].into_iter().enumerate()
    {
        if unit > longest || dice.one_in(2) {
            continue;
        }
        lists[place] = (0..=dice.below(3)).map(|_| dice.below(below) as u32).collect();
        let text = |value: &u32| if place == 0 { names[*value as usize].to_owned() } else { value.to_string() };
        rule.push_str(&format!(";{name}={}", lists[place].iter().map(text).collect::<Vec<_>>().join(",")));
    }
    (rule, interval * unit, lists)
}

#[test]
fn rules_that_never_match_are_known_without_a_walk() {
    let mut dice = Dice(0xA076_1D64_78BD_642F);
    let (mut never, mut found) = (0, 0);
    for round in 0..2500 {
        let (rule, stride, lists) = limited(&mut dice);
        let zone = ZONES[round % ZONES.len()];
        let start = dice.start() + TimeDelta::seconds(dice.below(60) as i64);
        let taken = |at: NaiveDateTime| {
            let values = [at.weekday().num_days_from_monday(), at.hour(), at.minute(), at.second()];
            lists.iter().zip(values).all(|(list, value)| list.is_empty() || list.contains(&value))
        };
        // One way round: whatever comes later fell into these places already.
        let week = 7 * 86_400;
        let round_trip = (1..).find(|times| stride * times % week == 0).expect("some day");
        let wanted = (1..=round_trip).map(|times| start + TimeDelta::seconds(stride * times)).find(|at| taken(*at));
        let known = Recurrence::new(Rule::parse(&rule).expect("a rule"), start).never;
        assert_eq!(known, wanted.is_none(), "{rule} from {start}");
        let endless = object(start, zone, &rule, "");
        match wanted {
            Some(wanted) => {
                found += 1;
                let utc = object(start, Tz::UTC, &rule, "");
                let Ok(next) = first(&utc, start.and_utc() + TimeDelta::seconds(1), 1) else { continue };
                assert_eq!(next, [wanted.and_utc()], "{rule} from {start}");
            }
            None => {
                never += 1;
                // DTSTART, whatever the rule and the count say, and hardly any work; a clock change moves nothing into place.
                let counted = object(start, zone, &format!("{rule};COUNT=5"), "");
                for object in [&endless, &counted] {
                    let mut budget = Budget::new(20);
                    let window = (start.and_utc().timestamp() - week, i64::MAX);
                    let mut stream = Stream::new(&object.series()[0], window, zone, &mut budget).expect("no work");
                    assert!(stream.next(&mut budget).expect("no work").is_some(), "{rule} from {start}");
                    assert!(stream.next(&mut budget).expect("no work").is_none(), "{rule} from {start}");
                }
            }
        }
    }
    println!("{never} never, {found} found");
    assert!(never > 300 && found > 300, "{never} never, {found} found");
}
