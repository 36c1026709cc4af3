//! jCal and jCard, there and back: every text of the corpus and of the golden cases, and made-up ones. Nothing may be lost, and nothing
//! that a value holds may become a line.

use std::path::Path;

use campanile::domain::address::Kind;
use campanile::ical::block::Block;
use campanile::ical::jcal::{said, shown};
use campanile::ical::lines::{Limits, Property};
use campanile::ical::object;
use campanile::ical::split::{self, Split};
use campanile::ical::text;
use campanile::ical::vcard;
use proptest::prelude::*;
use serde_json::{Value, json};

fn only(kind: Kind, text: &[u8]) -> Block {
    let name = if kind == Kind::Calendar { "VCALENDAR" } else { "VCARD" };
    object::only(text, name, &Limits::default()).expect("an object")
}

/// Whether a property says the same after the way there and back. The text may be spelled otherwise: escapes, dates of cards, numbers.
fn same(before: &Property, after: &Property) -> Result<(), String> {
    // A parameter that is there several times comes back once with all its values, and what was quoted-printable comes back plain.
    let params = |property: &Property| {
        let mut all: Vec<(String, String)> = Vec::new();
        for param in &property.params {
            let coded = vcard::is_quoted_printable(before)
                && matches!(param.name.as_str(), "ENCODING" | "QUOTED-PRINTABLE" | "CHARSET");
            let binary = param.name == "ENCODING"
                && param.values.iter().any(|coding| matches!(coding.to_ascii_lowercase().as_str(), "b" | "base64"));
            if param.name == "VALUE" || coded || binary {
                continue;
            }
            match param.values.is_empty() {
                true => all.push((param.name.clone(), String::new())),
                false => all.extend(param.values.iter().map(|value| (param.name.clone(), value.clone()))),
            }
        }
        all.sort();
        all
    };
    if before.name != after.name || params(before) != params(after) {
        return Err(format!("{before:?} became {after:?}"));
    }
    let (old, new) = (&before.value, &after.value);
    let plain = |value: &str| value.chars().filter(|c| !matches!(c, '-' | ':')).collect::<String>().to_lowercase();
    let parts = |value: &str| {
        let mut parts: Vec<String> = value.trim_end_matches(';').split(';').map(str::to_uppercase).collect();
        parts.sort();
        parts
    };
    let numbers = |value: &str| value.split(';').map(|part| part.trim().parse::<f64>().ok()).collect::<Vec<_>>();
    let alike = old == new
        || text::unescaped(old) == text::unescaped(new)
        || old.trim() == new.trim()
        || vcard::plain(before).replace('\r', "") == vcard::plain(after)
        || (matches!(before.name.as_str(), "BDAY" | "ANNIVERSARY" | "REV") && plain(old) == plain(new))
        || (matches!(before.name.as_str(), "RRULE" | "EXRULE") && parts(old) == parts(new))
        || (numbers(old).iter().all(Option::is_some) && numbers(old) == numbers(new));
    if alike { Ok(()) } else { Err(format!("{before:?} became {after:?}")) }
}

fn same_block(before: &Block, after: &Block) -> Result<(), String> {
    if before.name != after.name
        || before.properties.len() != after.properties.len()
        || before.blocks.len() != after.blocks.len()
    {
        return Err(format!("{} became {}", before.name, after.name));
    }
    before.properties.iter().zip(&after.properties).try_for_each(|(old, new)| same(old, new))?;
    before.blocks.iter().zip(&after.blocks).try_for_each(|(old, new)| same_block(old, new))
}

fn there_and_back(kind: Kind, text: &[u8]) -> Result<Value, String> {
    let limits = Limits::default();
    let first = shown::object(kind, text, &limits).map_err(|fault| fault.to_string())?;
    let written =
        said::object(kind, first.to_string().as_bytes(), &limits).map_err(|fault| format!("{fault}\n{first}"))?;
    let second = shown::object(kind, written.as_bytes(), &limits).map_err(|fault| format!("{fault}\n{written}"))?;
    if first != second {
        return Err(format!("{first}\nbecame\n{second}"));
    }
    same_block(&only(kind, text), &only(kind, written.as_bytes()))?;
    Ok(first)
}

#[test]
fn every_text_of_the_corpus_comes_back() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/ics-samples"));
    let topics = std::fs::read_dir(folder).expect("ics-samples").map(|entry| entry.expect("an entry").path());
    let (mut calendars, mut cards, mut wrong) = (0, 0, Vec::new());
    for path in topics.filter(|path| path.is_dir()).flat_map(|topic| std::fs::read_dir(topic).expect("a topic")) {
        let path = path.expect("an entry").path();
        let bytes = std::fs::read(&path).expect("a sample");
        let (kind, split) = match path.extension().and_then(|end| end.to_str()) {
            Some("ics") => (Kind::Calendar, split::calendar(&bytes, &Limits::default())),
            Some("vcf") => (Kind::AddressBook, split::cards(&bytes, &Limits::default())),
            _ => continue,
        };
        // The file as a whole where it is one object, and each object of it.
        let mut texts: Vec<Vec<u8>> = Vec::new();
        let name = if kind == Kind::Calendar { "VCALENDAR" } else { "VCARD" };
        if object::only(&bytes, name, &Limits::default()).is_ok() {
            texts.push(bytes.clone());
        }
        let Split { items, .. } = split.unwrap_or_else(|_| Split::default());
        texts.extend(items.into_iter().map(|item| item.bytes));
        for text in texts {
            *(if kind == Kind::Calendar { &mut calendars } else { &mut cards }) += 1;
            if let Err(why) = there_and_back(kind, &text) {
                wrong.push(format!("{}: {why}", path.display()));
            }
        }
    }
    assert!(calendars > 50 && cards > 8, "{calendars} calendars, {cards} cards");
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn every_golden_text_comes_back() {
    let (mut count, mut wrong) = (0, Vec::new());
    for file in ["expand", "alarms"] {
        let path = format!("{}/tests/golden/{file}.jsonl", env!("CARGO_MANIFEST_DIR"));
        for line in std::fs::read_to_string(path).expect("a golden file").lines() {
            let case: Value = serde_json::from_str(line).expect("JSON");
            count += 1;
            let text = case["ics"].as_str().expect("a text");
            if let Err(why) = there_and_back(Kind::Calendar, text.as_bytes()) {
                wrong.push(format!("{}: {why}", case["id"]));
            }
        }
    }
    assert!(count > 600, "{count}");
    assert!(wrong.is_empty(), "{} wrong, among them\n{}", wrong.len(), wrong[..wrong.len().min(5)].join("\n\n"));
}

/// A VEVENT of these lines, and what its properties are in JSON.
fn event(lines: &str) -> Value {
    let text = format!("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n{lines}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n");
    let shown = there_and_back(Kind::Calendar, text.as_bytes()).expect("there and back");
    shown[2][0][1].clone()
}

#[test]
fn properties_have_their_types() {
    for (line, want) in [
        ("SUMMARY:a\\, b\\nc", json!(["summary", {}, "text", "a, b\nc"])),
        ("summary;language=en:x", json!(["summary", { "language": "en" }, "text", "x"])),
        (
            "DTSTART;TZID=Europe/Paris:20250115T090000",
            json!(["dtstart", { "tzid": "Europe/Paris" }, "date-time", "2025-01-15T09:00:00"]),
        ),
        ("DTSTART;VALUE=DATE:20250115", json!(["dtstart", {}, "date", "2025-01-15"])),
        // A day without its VALUE is a day all the same.
        ("DTSTART:20250115", json!(["dtstart", {}, "date", "2025-01-15"])),
        ("DTSTART:tomorrow", json!(["dtstart", {}, "unknown", "tomorrow"])),
        ("DTSTART;VALUE=DATE:tomorrow", json!(["dtstart", { "value": "date" }, "unknown", "tomorrow"])),
        (
            "EXDATE:20250115T090000Z,20250116T090000Z",
            json!(["exdate", {}, "date-time", "2025-01-15T09:00:00Z", "2025-01-16T09:00:00Z"]),
        ),
        ("RDATE;VALUE=PERIOD:20250115T090000Z/PT1H", json!(["rdate", {}, "period", ["2025-01-15T09:00:00Z", "PT1H"]])),
        ("CATEGORIES:a,b\\,c", json!(["categories", {}, "text", "a", "b,c"])),
        ("GEO:37.386013;-122.08", json!(["geo", {}, "float", [37.386013, -122.08]])),
        ("REQUEST-STATUS:2.0;Success", json!(["request-status", {}, "text", ["2.0", "Success"]])),
        ("SEQUENCE:2", json!(["sequence", {}, "integer", 2])),
        ("SEQUENCE:two", json!(["sequence", {}, "unknown", "two"])),
        (
            "RRULE:FREQ=WEEKLY;BYDAY=MO,TU;COUNT=3",
            json!(["rrule", {}, "recur", { "freq": "WEEKLY", "byday": ["MO", "TU"], "count": 3 }]),
        ),
        (
            "ATTENDEE;CN=\"Doe, J\";MEMBER=\"mailto:a@b\",\"mailto:c@d\";RSVP=TRUE:mailto:j@d",
            json!(["attendee", { "cn": "Doe, J", "member": ["mailto:a@b", "mailto:c@d"], "rsvp": "TRUE" }, "cal-address", "mailto:j@d"]),
        ),
        (
            "ATTACH;FMTTYPE=text/plain;ENCODING=BASE64;VALUE=BINARY:aGk=",
            json!(["attach", { "fmttype": "text/plain" }, "binary", "aGk="]),
        ),
        ("X-WHO;X-P=^'q^':a\\,b", json!(["x-who", { "x-p": "\"q\"" }, "unknown", "a\\,b"])),
        ("X-WHEN;VALUE=DATE-TIME:20250115T090000Z", json!(["x-when", {}, "date-time", "2025-01-15T09:00:00Z"])),
        ("X-WHO;VALUE=X-KIND:a;b", json!(["x-who", {}, "x-kind", "a;b"])),
        ("TRIGGER:-PT15M", json!(["trigger", {}, "duration", "-PT15M"])),
        ("TZOFFSETTO:-0330", json!(["tzoffsetto", {}, "utc-offset", "-03:30"])),
    ] {
        assert_eq!(event(line)[0], want, "{line}");
    }
    let card = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:7\r\nN:Dijk;Zo\u{eb};Anna,Maria;;\r\nORG:Acme\\, Inc.;Sales\r\nitem1.EMAIL;TYPE=work;TYPE=pref:z@x\r\n\
                PHOTO;ENCODING=b;TYPE=JPEG:aGk=\r\nBDAY:1985-04-12\r\nNICKNAME:a,b\r\nORG:Solo\r\nN:A,B\r\nEND:VCARD\r\n";
    assert_eq!(
        there_and_back(Kind::AddressBook, card.as_bytes()).expect("there and back"),
        json!(["vcard", [
            ["version", {}, "text", "3.0"],
            ["uid", {}, "text", "7"],
            ["n", {}, "text", ["Dijk", "Zo\u{eb}", ["Anna", "Maria"], "", ""]],
            ["org", {}, "text", ["Acme, Inc.", "Sales"]],
            ["email", { "type": ["work", "pref"], "group": "item1" }, "text", "z@x"],
            ["photo", { "type": "JPEG" }, "binary", "aGk="],
            ["bday", {}, "date-and-or-time", "1985-04-12"],
            ["nickname", {}, "text", "a", "b"],
            ["org", {}, "text", "Solo"],
            ["n", {}, "text", [["A", "B"]]],
        ]])
    );
}

#[test]
fn what_makes_no_sense_is_refused_at_its_place() {
    let limits = Limits { properties: 3, components: 3, depth: 2, params: 2, ..Limits::default() };
    let property = |text: &str| format!(r#"["vcalendar",[{text}],[]]"#);
    for (body, want) in [
        ("", "line 1: no JSON"),
        ("{}", "/0: an array that begins with \"vcalendar\" is wanted"),
        (r#"["vevent",[],[]]"#, "/0: an array that begins"),
        (r#"["vcalendar"]"#, ": a component is"),
        (r#"["vcalendar",{},[]]"#, "/1: properties are an array"),
        (r#"["vcalendar",[],{}]"#, "/2: components are an array"),
        (r#"["vcalendar",[],[["a b",[],[]]]]"#, "/2/0/0: no name of a component"),
        (r#"["vcalendar",[],[["a",[],[["b",[],[]]]]]]"#, "/2/0/2/0: components are nested deeper than 2"),
        (r#"["vcalendar",[],[["a",[],[]],["a",[],[]],["a",[],[]]]]"#, "/2/2: more than 3 components"),
        (&property(r#"["a",{},"text"]"#), "/1/0: a has no value"),
        (&property(r#"["a\r\nb",{},"text","x"]"#), "/1/0/0: no name of a property"),
        (&property(r#"["begin",{},"text","x"]"#), "/1/0/0: no property is called so"),
        (&property(r#"["a",[],"text","x"]"#), "/1/0/1: parameters are an object"),
        (&property(r#"["a",{},7,"x"]"#), "/1/0/2: no type"),
        (&property(r#"["a",{"b":1,"c":2},"text","x"]"#), "/1/0/1: more than 2 parameters"),
        (&property(r#"["a",{"b:c":"1"},"text","x"]"#), "/1/0/1/b:c: no name of a parameter"),
        (&property(r#"["a",{"b":{}},"text","x"]"#), "/1/0/1/b: a parameter is a text"),
        (&property(r#"["a",{"b":"x\u0000"},"text","x"]"#), "/1/0/1/b: a control character"),
        (&property(r#"["summary",{},"text","x\u0007"]"#), "/1/0/3: a control character"),
        (&property(r#"["url",{},"uri","x\r\nATTENDEE:mailto:a@b"]"#), "/1/0/3: a control character"),
        (&property(r#"["x-a",{},"unknown","x\nEND:VCALENDAR"]"#), "/1/0/3: a control character"),
        (&property(r#"["dtstart",{},"date-time","soon"]"#), "/1/0/3: \"soon\" is no date-time"),
        (&property(r#"["summary",{},"text",{}]"#), "/1/0/3: no text"),
        (&property(r#"["exdate",{},"date","2025-01-15","x"]"#), "/1/0/4: \"x\" is no date"),
        (&property(r#"["rrule",{},"recur",{"freq":"DAILY;COUNT=1"}]"#), "/1/0/3: freq cannot be"),
        (&property(r#"["freebusy",{},"period",["2025-01-15T09:00:00Z"]]"#), "/1/0/3: a period is a start and an end"),
        (
            &property(r#"["a",{},"text",1],["a",{},"text",1],["a",{},"text",1],["a",{},"text",1]"#),
            "/1: more than 3 properties",
        ),
    ] {
        let fault = said::object(Kind::Calendar, body.as_bytes(), &limits).expect_err(body).to_string();
        assert!(fault.starts_with(want) || fault.contains(want), "{body}: {fault}");
    }
    // JSON that is too deep for any reader does not take the process with it.
    let deep = "[".repeat(100_000);
    assert!(said::object(Kind::Calendar, deep.as_bytes(), &limits).is_err());
    // What web apps write for what they do not have is left out.
    let text = said::object(
        Kind::Calendar,
        property(r#"["x-a",{"b":null},"text",null],["x-b",{"c":null},"text","d"]"#).as_bytes(),
        &limits,
    );
    assert_eq!(text.as_deref(), Ok("BEGIN:VCALENDAR\r\nX-B;VALUE=TEXT:d\r\nEND:VCALENDAR\r\n"));
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "SUMMARY",
            "DTSTART",
            "EXDATE",
            "RRULE",
            "CATEGORIES",
            "GEO",
            "ATTENDEE",
            "SEQUENCE",
            "FREEBUSY",
            "TZOFFSETTO",
            "TRIGGER",
            "ATTACH",
            "N",
            "ORG",
            "BDAY",
            "REV",
            "PHOTO",
            "REQUEST-STATUS",
            "DURATION",
            "COMPLETED",
        ])
        .prop_map(str::to_owned),
        "X-[A-Z]{1,4}",
    ]
}

/// Any line that the reader takes: no control characters, and a quote in a parameter is closed.
fn line() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        "[a-zA-Z0-9:;,=\\\\ ./^\"\u{e9}-]{0,30}",
        "[0-9]{8}",
        "[0-9]{8}T[0-9]{6}Z?",
        "[+-][0-9]{4}",
        "FREQ=(DAILY|weekly);COUNT=[0-9]{1,3};BYDAY=(MO|1TU,we)",
        "P[0-9]{1,2}[DWTHMS]{1,2}",
    ];
    let kind = prop::sample::select(vec![
        "",
        ";VALUE=DATE",
        ";VALUE=TEXT",
        ";VALUE=PERIOD",
        ";VALUE=X-Y",
        ";VALUE=BINARY",
        ";VALUE=BOOLEAN",
    ]);
    let param = prop_oneof![Just(String::new()), "X-P=[a-z^']{0,4}", "X-Q=\"[a-z:;,^ ]{0,5}\"(,[a-z]{1,2})?", "HOME"];
    (name(), kind, param, value).prop_map(|(name, kind, param, value)| {
        let param = if param.is_empty() { param } else { format!(";{param}") };
        format!("{name}{kind}{param}:{value}")
    })
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        prop::sample::select(vec![
            "vevent",
            "dtstart",
            "text",
            "date-time",
            "period",
            "recur",
            "2025-01-15",
            "a\r\nEND:VEVENT"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("[a-z:]{0,4}", inner.clone(), 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
            (
                name(),
                prop::collection::btree_map("[a-z]{1,3}", inner.clone(), 0..2),
                prop::sample::select(vec!["text", "unknown", "uri", "recur", "period", "date", "x-y"]),
                inner
            )
                .prop_map(|(name, params, kind, value)| json!([name.to_lowercase(), params, kind, value])),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn made_up_texts_come_back(lines in prop::collection::vec(line(), 0..6), card in any::<bool>()) {
        let (kind, name) = if card { (Kind::AddressBook, "VCARD") } else { (Kind::Calendar, "VCALENDAR") };
        let text = format!("BEGIN:{name}\r\n{}END:{name}\r\n", lines.iter().map(|line| format!("{line}\r\n")).collect::<String>());
        let limits = Limits::default();
        if let Ok(first) = shown::object(kind, text.as_bytes(), &limits) {
            let written = said::text_of(kind, &first, &limits).map_err(|fault| TestCaseError::fail(format!("{fault}\n{first}")))?;
            let second = shown::object(kind, written.as_bytes(), &limits).map_err(|fault| TestCaseError::fail(format!("{fault}\n{written}")))?;
            prop_assert_eq!(&first, &second, "{}\n{}", text, written);
        }
    }

    /// Whatever JSON comes, it is refused or it becomes a text with exactly the properties that were asked for.
    #[test]
    fn no_value_becomes_a_line(properties in prop::collection::vec(json_value(), 0..5), card in any::<bool>()) {
        let (kind, name) = if card { (Kind::AddressBook, "vcard") } else { (Kind::Calendar, "vcalendar") };
        let limits = Limits::default();
        let asked = properties.len();
        if let Ok(text) = said::text_of(kind, &json!([name, properties, []]), &limits) {
            let block = object::only(text.as_bytes(), &name.to_uppercase(), &limits).map_err(|fault| TestCaseError::fail(format!("{fault}\n{text}")))?;
            prop_assert!(block.properties.len() <= asked && block.blocks.is_empty(), "{}", text);
        }
    }
}
