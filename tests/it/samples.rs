//! The corpus in `ics-samples/`: each input beside what must come of it. Expectations are rewritten only when asked for.

use std::path::{Path, PathBuf};

use campanile::domain::occurrence::instant;
use campanile::ical::alarms::{self, Policy};
use campanile::ical::lines::Limits;
use campanile::ical::object::CalendarObject;
use campanile::ical::recur::budget::Budget;
use campanile::ical::recur::window;
use campanile::ical::split::{self, Split};
use campanile::ical::vcard::Card;
use campanile::ical::write;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::{Map, Value, json};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/ics-samples");
/// Set to 1, the expectations are written anew; what is asked (`from`, `to`, `tz`, `email`) stays. Read the difference.
const UPDATE: &str = "CAMPANILE_UPDATE_SAMPLES";

#[test]
fn samples_come_out_as_expected() {
    let update = std::env::var(UPDATE).is_ok_and(|value| value == "1");
    let inputs = inputs();
    assert!(inputs.len() >= 40, "{} samples", inputs.len());
    let mut wrong = Vec::new();
    for input in &inputs {
        let beside = input.with_extension("expect.json");
        let name = input.strip_prefix(FOLDER).expect("a sample").display().to_string();
        let Ok(text) = std::fs::read_to_string(&beside) else {
            wrong.push(format!("{name} has no expectation beside it"));
            continue;
        };
        let expected: Value = serde_json::from_str(&text).expect("JSON");
        let found = outcome(input, &expected);
        if update {
            let mut text = serde_json::to_string_pretty(&found).expect("JSON");
            text.push('\n');
            std::fs::write(&beside, text).expect("written");
        } else if found != expected {
            wrong.push(format!("{name}\nfound {found:#}\nexpected {expected:#}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn expectations_have_inputs() {
    let inputs: Vec<PathBuf> = inputs().iter().map(|input| input.with_extension("expect.json")).collect();
    for file in files() {
        let expects = file.to_string_lossy().ends_with(".expect.json");
        assert!(!expects || inputs.contains(&file), "{} has no input", file.display());
    }
}

fn files() -> Vec<PathBuf> {
    let topics = std::fs::read_dir(FOLDER).expect("ics-samples").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<PathBuf> = topics
        .filter(|path| path.is_dir())
        .flat_map(|topic| std::fs::read_dir(topic).expect("a topic"))
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    files
}

fn inputs() -> Vec<PathBuf> {
    let is_input = |path: &PathBuf| path.extension().is_some_and(|end| end == "ics" || end == "vcf");
    files().into_iter().filter(is_input).collect()
}

/// What comes of an input, in the form of its expectation.
fn outcome(input: &Path, expected: &Value) -> Value {
    let bytes = std::fs::read(input).expect("a sample");
    let limits = Limits::default();
    let cards = input.extension().is_some_and(|end| end == "vcf");
    let split = if cards { split::cards(&bytes, &limits) } else { split::calendar(&bytes, &limits) };
    let split = match split {
        Ok(split) => split,
        Err(fault) => return json!({ "fault": { "line": fault.line, "why": fault.why } }),
    };
    let mut out = Map::new();
    let items = split
        .items
        .iter()
        .map(|item| json!({ "line": item.line, "uid": item.uid, "component": item.component.as_str() }));
    out.insert("items".to_owned(), items.collect());
    let failures = split.failures.iter().map(|failure| match &failure.uid {
        Some(uid) => json!({ "line": failure.line, "uid": uid, "why": failure.why }),
        None => json!({ "line": failure.line, "why": failure.why }),
    });
    out.insert("failures".to_owned(), failures.collect());
    if cards {
        let read = split.items.iter().map(|item| {
            let card = Card::read(&item.bytes, &limits).expect("a card");
            card.storable().expect("storable");
            assert_eq!(card.uid().as_deref(), Some(item.uid.as_str()));
            json!({ "uid": item.uid, "name": card.name(), "emails": card.emails() })
        });
        out.insert("cards".to_owned(), read.collect());
        whole_again(&split, &limits, true);
        return Value::Object(out);
    }
    let objects: Vec<CalendarObject> = split
        .items
        .iter()
        .map(|item| {
            let object = CalendarObject::read(&item.bytes, &limits).expect("an object");
            object.storable().expect("storable");
            assert_eq!(object.uid().as_deref(), Some(item.uid.as_str()));
            assert_eq!(object.component(), Some(item.component));
            object
        })
        .collect();
    whole_again(&split, &limits, false);
    let flaws: Vec<Value> = split
        .items
        .iter()
        .zip(&objects)
        .flat_map(|(item, object)| object.flaws().iter().map(|flaw| json!({ "uid": item.uid, "why": flaw.why })))
        .collect();
    if !flaws.is_empty() {
        out.insert("flaws".to_owned(), Value::Array(flaws));
    }
    let zones: Vec<&str> =
        objects.iter().flat_map(|object| object.timezones().filter_map(|zone| zone.value("TZID"))).collect();
    if !zones.is_empty() {
        out.insert("zones".to_owned(), json!(zones));
    }
    for (question, answer) in [("occurrences", occurrences as Answer), ("alarms", firings as Answer)] {
        if let Some(asked) = expected.get(question) {
            let mut asked = asked.as_object().expect("a question").clone();
            asked.insert("list".to_owned(), answer(&objects, &Value::Object(asked.clone())));
            out.insert(question.to_owned(), Value::Object(asked));
        }
    }
    Value::Object(out)
}

type Answer = fn(&[CalendarObject], &Value) -> Value;

fn occurrences(objects: &[CalendarObject], asked: &Value) -> Value {
    let (from, to, zone) = question(asked);
    let mut all: Vec<_> = objects
        .iter()
        .flat_map(|object| window::occurrences(object, from, to, zone, &mut Budget::default()).expect("in budget"))
        .collect();
    all.sort_by_key(|occurrence| occurrence.start_at);
    let listed = all.iter().map(|occurrence| {
        let mut one = Map::new();
        one.insert("start".to_owned(), json!(occurrence.start.text()));
        one.insert("end".to_owned(), json!(instant(&occurrence.end_at)));
        if let Some(original) = &occurrence.recurrence_id {
            one.insert("recurrence_id".to_owned(), json!(original.text()));
        }
        if occurrence.cancelled {
            one.insert("cancelled".to_owned(), json!(true));
        }
        one.insert("summary".to_owned(), json!(occurrence.summary));
        Value::Object(one)
    });
    listed.collect()
}

fn firings(objects: &[CalendarObject], asked: &Value) -> Value {
    let (from, to, zone) = question(asked);
    let policy = Policy {
        require_accepted: asked["require_accepted"].as_bool().unwrap_or_default(),
        user_email: asked["email"].as_str().unwrap_or_default().to_owned(),
    };
    let mut all: Vec<_> = objects
        .iter()
        .flat_map(|object| alarms::firings(object, from, to, zone, &policy, &mut Budget::default()).expect("in budget"))
        .collect();
    all.sort_by_key(|firing| firing.at);
    let listed = all.iter().map(|firing| {
        json!({
            "at": instant(&firing.at),
            "start": instant(&firing.start_at),
            "action": firing.action.as_str(),
            "summary": firing.summary,
            "description": firing.description,
        })
    });
    listed.collect()
}

fn question(asked: &Value) -> (DateTime<Utc>, DateTime<Utc>, Tz) {
    let text = |name: &str| asked[name].as_str().expect("a text");
    let time = |name: &str| DateTime::parse_from_rfc3339(text(name)).expect("a time").to_utc();
    (time("from"), time("to"), text("tz").parse().expect("a zone"))
}

/// What was split, exported and split again is the same.
fn whole_again(split: &Split, limits: &Limits, cards: bool) {
    let bodies: Vec<&[u8]> = split.items.iter().map(|item| item.bytes.as_slice()).collect();
    let again = match cards {
        true if bodies.is_empty() => return,
        true => split::cards(&write::cards(&bodies), limits),
        false => split::calendar(&write::collection("All", &bodies), limits),
    };
    let again = again.expect("an export can be read");
    assert_eq!(again.failures, []);
    assert_eq!(again.items.len(), split.items.len());
    for (one, other) in split.items.iter().zip(&again.items) {
        assert_eq!((&one.uid, one.component), (&other.uid, other.component));
        let components = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            let begin = if cards { 0 } else { components_at(&text) };
            text.get(begin..).map(str::to_owned)
        };
        assert_eq!(components(&one.bytes), components(&other.bytes));
    }
}

/// Where the zones and components of an object begin: behind the lines of the VCALENDAR itself.
fn components_at(text: &str) -> usize {
    text.match_indices("BEGIN:").nth(1).map_or(text.len(), |(at, _)| at)
}
