//! The golden cases of recurrence and alarms, run through the public door. What does not pass is listed, and the list is checked both ways.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use campanile::domain::occurrence::{Occurrence, instant};
use campanile::domain::query::{Excerpt, Instances, Range};
use campanile::ical::alarms::{self, Policy};
use campanile::ical::block::Block;
use campanile::ical::excerpt::{self, expand::Room};
use campanile::ical::lines::Limits;
use campanile::ical::object::CalendarObject;
use campanile::ical::recur::budget::Budget;
use campanile::ical::recur::series;
use campanile::ical::recur::window;
use campanile::ical::time;
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use serde_json::Value;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");

#[test]
fn expansions_are_golden() {
    check("expand.jsonl", |case| {
        let ask = |from, to| {
            let found = window::occurrences(&case.object, from, to, case.zone, &mut Budget::default());
            found.map_err(|error| error.to_string())
        };
        let whole = ask(case.from, case.to)?;
        // However the window is cut, the pieces make the whole: on a start, just behind one, and in between.
        let starts = whole.iter().enumerate().map(|(number, occurrence)| match number % 3 {
            0 => occurrence.start_at,
            1 => occurrence.start_at + TimeDelta::seconds(1),
            _ => occurrence.start_at - TimeDelta::minutes(40),
        });
        let mut cuts: Vec<_> = [case.from, case.to].into_iter().chain(starts).collect();
        cuts.sort();
        let mut pieces = Vec::new();
        for cut in cuts.windows(2).filter(|cut| case.from <= cut[0] && cut[1] <= case.to) {
            pieces.extend(ask(cut[0], cut[1])?);
        }
        let key = |occurrence: &Occurrence| (occurrence.start_at, occurrence.uid.clone(), occurrence.recurrence_id);
        pieces.sort_by_key(key);
        let mut sorted = whole.clone();
        sorted.sort_by_key(key);
        if pieces != sorted {
            return Err(format!("{} in pieces, {} as a whole", pieces.len(), whole.len()));
        }
        // Asked one after the other, each is followed by the next.
        for pair in sorted.windows(2).filter(|pair| pair[0].start_at < pair[1].start_at) {
            let next = window::next_after(&case.object, pair[0].start_at, case.zone, &mut Budget::default());
            if next.as_ref().map(|next| next.as_ref().map(|next| next.start_at)) != Ok(Some(pair[1].start_at)) {
                return Err(format!("{next:?} follows {:?} instead of {:?}", pair[0], pair[1]));
            }
        }
        let mut found: Vec<String> = whole
            .iter()
            .map(|occurrence| {
                let original = occurrence.recurrence_id.as_ref().map(|moment| moment.text()).unwrap_or_default();
                let cancelled = if occurrence.cancelled { " cancelled" } else { "" };
                format!("{} {} {original}{cancelled}", occurrence.start.text(), occurrence.uid)
            })
            .collect();
        let mut wanted: Vec<String> = case
            .list("occurrences")
            .map(|wanted| {
                let original = wanted["recurrence_id"].as_str().unwrap_or_default();
                let cancelled = if wanted["cancelled"] == Value::Bool(true) { " cancelled" } else { "" };
                format!("{} {} {original}{cancelled}", text(wanted, "start"), text(wanted, "uid"))
            })
            .collect();
        found.sort();
        wanted.sort();
        same(&found, &wanted)
    });
}

/// What DAV answers to `expand` says the same, component by component, as the cases do; and JSON asks the same expander.
#[test]
fn expanded_texts_are_golden() {
    check("expand.jsonl", |case| {
        let range = Range { from: Some(case.from), to: Some(case.to) };
        let excerpt = Excerpt { instances: Instances::Expanded(range), ..Excerpt::default() };
        let (mut room, mut budget) = (Room { instances: 100_000, bytes: 100_000_000 }, Budget::default());
        let bytes = text(&case.json, "ics").as_bytes();
        let written = excerpt::calendar(&excerpt, &case.object, bytes, case.zone, &mut room, &mut budget);
        let written = written.map_err(|error| format!("{error:?}"))?;
        let read = CalendarObject::read(&written, &Limits { components: 100_000, ..Limits::default() });
        let read = read.map_err(|fault| fault.to_string())?;
        let moment = |block: &Block, name: &str| {
            let property = block.property(name)?;
            time::time(property, &property.value, read.zones()).ok()
        };
        let mut found = Vec::new();
        for block in read.components() {
            if let Some(left) = block.properties.iter().find(|property| {
                matches!(property.name.as_str(), "RRULE" | "RDATE" | "EXDATE") || property.param("TZID").is_some()
            }) {
                return Err(format!("{} is left", left.name));
            }
            let start = moment(block, "DTSTART").ok_or("an instance without a start")?;
            // What began before and still goes on is in the answer too; the cases are about starts.
            if !(case.from..case.to).contains(&start.instant(case.zone)) {
                continue;
            }
            let original = moment(block, "RECURRENCE-ID").map(|original| original.moment().text()).unwrap_or_default();
            let cancelled = if block.is("STATUS", "CANCELLED") { " cancelled" } else { "" };
            let uid = series::uid(block).unwrap_or_default();
            found.push(format!("{} {uid} {original}{cancelled}", start.moment().text()));
        }
        let mut wanted: Vec<String> = case
            .list("occurrences")
            .map(|wanted| {
                let original = wanted["recurrence_id"].as_str().unwrap_or_default();
                let cancelled = if wanted["cancelled"] == Value::Bool(true) { " cancelled" } else { "" };
                format!("{} {} {original}{cancelled}", text(wanted, "start"), text(wanted, "uid"))
            })
            .collect();
        found.sort();
        wanted.sort();
        same(&found, &wanted)
    });
}

#[test]
fn alarms_are_golden() {
    check("alarms.jsonl", |case| {
        let policy = Policy::default();
        let firings = alarms::firings(&case.object, case.from, case.to, case.zone, &policy, &mut Budget::default())
            .map_err(|error| error.to_string())?;
        if !firings.is_sorted_by_key(|firing| firing.at) {
            return Err("not sorted".to_owned());
        }
        // Where the golden file compares no occurrence, ours is not looked at.
        let mut left: Vec<_> = firings.iter().collect();
        for wanted in case.list("alarms") {
            let place = left.iter().position(|firing| {
                let occurrence = firing.occurrence.as_ref().map(|moment| moment.text());
                instant(&firing.at) == text(wanted, "at")
                    && firing.uid == text(wanted, "uid")
                    && firing.action.as_str() == text(wanted, "action")
                    && firing.description == text(wanted, "description")
                    && (wanted["occurrence"].is_null() || occurrence.as_deref() == wanted["occurrence"].as_str())
            });
            left.remove(place.ok_or_else(|| format!("missing {wanted}, found {firings:?}"))?);
        }
        if let Some(extra) = left.first() {
            return Err(format!("not wanted {extra:?}"));
        }
        // The next one, asked one after the other, walks through the same instants.
        let mut walked = Vec::new();
        let mut after = case.from - TimeDelta::seconds(1);
        loop {
            let next = alarms::next_after(&case.object, after, case.zone, &policy, &mut Budget::default());
            match next.map_err(|error| error.to_string())? {
                Some(next) if next < case.to => walked.push(next),
                _ => break,
            }
            after = walked[walked.len() - 1];
        }
        let mut instants: Vec<_> = firings.iter().map(|firing| firing.at).collect();
        instants.dedup();
        if walked != instants {
            return Err(format!("walked {walked:?} instead of {instants:?}"));
        }
        let ids: BTreeSet<u64> = firings.iter().map(|firing| firing.id).collect();
        if ids.len() != firings.len() {
            return Err("two firings have one id".to_owned());
        }
        Ok(())
    });
}

/// One line of a golden file.
struct Case {
    json: Value,
    object: CalendarObject,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    zone: Tz,
}

impl Case {
    fn list<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Value> {
        self.json[name].as_array().expect("a list").iter()
    }
}

/// Runs a file, prints how many pass by tag, and holds the list of known failures against the truth.
fn check(file: &str, run: impl Fn(&Case) -> Result<(), String>) {
    let known = std::fs::read_to_string(Path::new(FOLDER).join("known_failures.txt")).expect("known_failures.txt");
    let known: BTreeSet<&str> =
        known.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_whitespace().next()).collect();
    let mut tags: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut surprises = Vec::new();
    let (mut passed, mut all) = (0, 0);
    for line in std::fs::read_to_string(Path::new(FOLDER).join(file)).expect("a golden file").lines() {
        let json: Value = serde_json::from_str(line).expect("JSON");
        let object = CalendarObject::read(text(&json, "ics").as_bytes(), &Limits::default()).expect("an object");
        let time = |name: &str| DateTime::parse_from_rfc3339(text(&json, name)).expect("a time").to_utc();
        let (from, to, zone) = (time("from"), time("to"), text(&json, "default_tz").parse().expect("a zone"));
        let case = Case { object, from, to, zone, json };
        let id = text(&case.json, "id");
        let outcome = run(&case);
        all += 1;
        passed += usize::from(outcome.is_ok());
        for tag in case.list("tags") {
            let counts = tags.entry(tag.as_str().expect("a tag").to_owned()).or_default();
            counts.0 += usize::from(outcome.is_ok());
            counts.1 += 1;
        }
        match (outcome, known.contains(id)) {
            (Ok(()), true) => surprises.push(format!("{id} is listed as failing, and passes")),
            (Err(why), false) => surprises.push(format!("{id}: {why}\n{}", text(&case.json, "ics"))),
            _ => {}
        }
    }
    println!("{file}: {passed} of {all}");
    for (tag, (passed, all)) in tags {
        println!("  {tag}: {passed} of {all}");
    }
    assert!(
        surprises.is_empty(),
        "{} surprises, among them:\n{}",
        surprises.len(),
        surprises[..surprises.len().min(5)].join("\n")
    );
}

fn same(found: &[String], wanted: &[String]) -> Result<(), String> {
    if found == wanted {
        return Ok(());
    }
    let missing: Vec<_> = wanted.iter().filter(|line| !found.contains(line)).take(3).collect();
    let extra: Vec<_> = found.iter().filter(|line| !wanted.contains(line)).take(3).collect();
    Err(format!("{} found, {} wanted, missing {missing:?}, not wanted {extra:?}", found.len(), wanted.len()))
}

fn text<'a>(json: &'a Value, name: &str) -> &'a str {
    json[name].as_str().expect("a text")
}
