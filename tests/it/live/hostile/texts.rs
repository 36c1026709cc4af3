//! Calendar texts that were made to hurt: the exact answer, what stands beside them in a file, and that they neither ring nor stall.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::live::client::Http;
use crate::live::hostile::{DEFAULT, alive};
use crate::live::{House, plain_event};

const START: &str = "DTSTART:20250120T090000Z";
/// Lines of `plain_event`, which stands before each text in its file.
const BEFORE: u64 = 11;

/// An event with an alarm at its start; `lines` are its other properties.
fn event(uid: &str, lines: &str) -> String {
    let lines: String = lines.lines().map(|line| format!("{line}\r\n")).collect();
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\n{lines}BEGIN:VALARM\r\nACTION:DISPLAY\r\n\
         TRIGGER:PT0S\r\nDESCRIPTION:x\r\nEND:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

/// `;BYHOUR=0,1,2` and so on.
fn list(unit: &str, from: u32, to: u32) -> String {
    let list: Vec<String> = (from..=to).map(|number| number.to_string()).collect();
    format!(";{unit}={}", list.join(","))
}

/// Every second of every day: 2,678,400 combinations.
fn bomb() -> String {
    let (days, hours) = (list("BYMONTHDAY", 1, 31), list("BYHOUR", 0, 23));
    format!("{START}\nRRULE:FREQ=YEARLY{days}{hours}{}{}", list("BYMINUTE", 0, 59), list("BYSECOND", 0, 59))
}

enum Put {
    Kept,
    TooLarge,
    /// `valid-calendar-data`, and the text beside it.
    Unreadable(&'static str),
}

/// What an import says of the text: how many failures, and the first one's line in the text and reason.
type Failures = Option<(usize, u64, &'static str)>;

fn rows() -> Vec<(&'static str, Vec<u8>, Put, Failures)> {
    use Put::{Kept, TooLarge, Unreadable};
    let with = |lines: &str| event("h", &format!("{START}\n{lines}")).into_bytes();
    let many = |lines: &str, count: usize| with(&format!("{lines}\n").repeat(count));
    let open = |depth: usize| format!("BEGIN:VCALENDAR\r\n{}", "BEGIN:VEVENT\r\n".repeat(depth)).into_bytes();
    let nested = |depth: usize| with(&format!("{}{}", "BEGIN:X-IN\n".repeat(depth), "END:X-IN\n".repeat(depth)));
    let mut not_utf8 = with("COMMENT:?");
    not_utf8.iter_mut().filter(|byte| **byte == b'?').for_each(|byte| *byte = 0xFF);
    let marked = format!("\u{feff}{}", event("h", START)).into_bytes();
    let crowd = "BEGIN:VEVENT\r\nUID:h\r\nDTSTART:20250120T090000Z\r\nEND:VEVENT\r\n".repeat(100_000);
    let crowd = event("h", START).replace("END:VCALENDAR", &format!("{crowd}END:VCALENDAR")).into_bytes();
    let deep = "components are nested deeper than 7";
    let (dates, alarms) = ("more than 4000 EXDATE and RDATE values in a VEVENT", "more than 100 alarms in a VEVENT");
    let broken_off = "another VEVENT begins within this VEVENT";
    vec![
        (
            "2,000 open",
            open(2_000),
            Unreadable("line 9: components are nested deeper than 8"),
            Some((2_000, 2, broken_off)),
        ),
        ("100,000 open", open(100_000), TooLarge, Some((100_000, 2, broken_off))),
        (
            "2,000 nested",
            nested(2_000),
            Unreadable("line 13: components are nested deeper than 8"),
            Some((1, 13, deep)),
        ),
        ("100,000 nested", nested(100_000), TooLarge, Some((1, 13, deep))),
        (
            "26 nested, lower case",
            with(&"begin:x\n".repeat(26)),
            Unreadable("line 13: components are nested deeper than 8"),
            Some((1, 13, deep)),
        ),
        ("every second since 1970", event("h", "DTSTART:19700101T000000Z\nRRULE:FREQ=SECONDLY").into(), Kept, None),
        ("every second by lists", event("h", &bomb()).into(), Kept, None),
        ("INTERVAL=0", with("RRULE:FREQ=DAILY;INTERVAL=0"), Kept, None),
        ("COUNT=0", with("RRULE:FREQ=DAILY;COUNT=0"), Kept, None),
        ("a thousand million", with("RRULE:FREQ=HOURLY;BYMINUTE=0,30;COUNT=1000000000"), Kept, None),
        ("COUNT and UNTIL", with("RRULE:FREQ=DAILY;COUNT=2;UNTIL=20300101T000000Z"), Kept, None),
        ("UNTIL before the start", with("RRULE:FREQ=DAILY;UNTIL=20200101T000000Z"), Kept, None),
        (
            "5,000 EXDATE",
            many("EXDATE:20250116T090000Z", 5_000),
            Unreadable("line 4007: more than 4000 EXDATE and RDATE values in a VEVENT"),
            Some((1, 4007, dates)),
        ),
        ("100,000 EXDATE", many("EXDATE:20250116T090000Z", 100_000), TooLarge, Some((1, 4007, dates))),
        (
            "101 alarms",
            many("BEGIN:VALARM\nEND:VALARM", 101),
            Unreadable("line 207: more than 100 alarms in a VEVENT"),
            Some((1, 207, alarms)),
        ),
        ("100,000 alarms", many("BEGIN:VALARM\nEND:VALARM", 100_000), TooLarge, Some((1, 207, alarms))),
        (
            "100,000 properties",
            many("COMMENT:x", 100_000),
            TooLarge,
            Some((1, 5005, "more than 5000 properties in a VEVENT")),
        ),
        (
            "10,000 parameters",
            with(&format!("SUMMARY{}:x", ";X-A=1".repeat(10_000))),
            Unreadable("line 7: more than 64 parameters"),
            Some((1, 7, "more than 64 parameters")),
        ),
        // The later version of one instance counts, so one is left.
        ("100,000 of one UID", crowd, TooLarge, None),
        (
            "50 MB in a line",
            with(&format!("COMMENT:{}", "x".repeat(50_000_000))),
            TooLarge,
            Some((1, 7, "a line is longer than 1048576 bytes")),
        ),
        (
            "1,300,000 folds",
            with(&format!("COMMENT:x{}", "\n x".repeat(1_300_000))),
            TooLarge,
            Some((1, 7, "a line is longer than 1048576 bytes")),
        ),
        ("not UTF-8", not_utf8, Unreadable("line 7: not UTF-8"), Some((1, 7, "not UTF-8"))),
        (
            "NUL",
            with("COMMENT:a\0b"),
            Unreadable("line 7: control character 0x00"),
            Some((1, 7, "control character 0x00")),
        ),
        ("a byte order mark", marked, Kept, None),
        ("in a gap", event("h", "DTSTART;TZID=Europe/Paris:20250330T023000").into(), Kept, None),
        ("nowhere", event("h", "DTSTART;TZID=Mars/Olympus:20250120T090000").into(), Kept, None),
        ("never", event("h", "DTSTART:00000000").into(), Kept, None),
        ("for ever", with("DURATION:P99999999999999999999D"), Kept, None),
    ]
}

async fn import(http: &Http, file: Vec<u8>) -> (Value, Vec<Value>) {
    let upload = format!("/api/files?name=f&size={}&mimetype=text/calendar", file.len());
    let kept = http.send("POST", &upload, &[], Bytes::from(file)).await;
    assert_eq!(kept.status, 201, "{kept:?}");
    let asked = json!({ "fileId": kept.json()["_id"], "target": format!("{DEFAULT}.json") });
    let taken = http.post("/api/import", &asked.to_string()).await.json();
    let id = taken["importId"].as_str().expect("an id").to_owned();
    let stands = loop {
        let stands = http.get(&format!("/api/imports/{id}")).await.json();
        if matches!(stands["status"].as_str(), Some("completed" | "failed")) {
            break stands;
        }
        tokio::task::yield_now().await;
    };
    let failures = http.get(&format!("/api/imports/{id}/errors")).await.text();
    (stands, failures.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_has_its_answer_and_hurts_nobody() {
    let house = House::open_with(&[("store.engine", "memory")]).await;
    let alice = house.http("alice");
    let mut socket = house.socket("alice").await;
    socket.register(DEFAULT).await;
    let place = |uid: &str| format!("{DEFAULT}/{uid}.ics");
    for (name, text, put, failures) in rows() {
        let answer = alice.send("PUT", &place("h"), &[("content-type", "text/calendar")], text.clone()).await;
        let (status, says) = match put {
            Put::Kept => (201, String::new()),
            Put::TooLarge => {
                (403, "<C:max-resource-size/><responsedescription>larger than the limit of 1048576 bytes<".to_owned())
            }
            Put::Unreadable(why) => (403, format!("<C:valid-calendar-data/><responsedescription>{why}<")),
        };
        assert_eq!(answer.status, status, "{name}: {}", answer.text());
        assert!(answer.text().contains(&says), "{name}: {}", answer.text());
        if status == 201 {
            assert_eq!(alice.get(&place("h")).await.body, text, "{name}");
            assert_eq!(alice.delete(&place("h")).await.status, 204, "{name}");
        }
        alive(&house, &mut socket, name).await;

        // A file whose other letters are sound UTF-8 is in UTF-8, whatever one line says.
        let before = plain_event("before", "20250301T100000Z").replace("Event", "\u{e9}v\u{e9}nement d'\u{e9}t\u{e9}");
        let after = plain_event("after", "20250301T100000Z");
        let (stands, found) = import(&alice, [before.as_bytes(), &text, after.as_bytes()].concat()).await;
        let (failed, first) = failures.map_or((0, None), |(count, line, why)| (count, Some((BEFORE + line, why))));
        let counts = [&stands["status"], &stands["created"], &stands["failedCount"]];
        let created = if failed == 0 { 3 } else { 2 };
        assert_eq!(counts, [&json!("completed"), &json!(created), &json!(failed)], "{name}: {:?}", found.first());
        // All are counted, the first thousand are listed.
        assert_eq!(found.len(), failed.min(1_000), "{name}");
        let said = found
            .first()
            .map(|found| (found["line"].as_u64().expect("a line"), found["detail"].as_str().expect("a text")));
        assert_eq!(said, first, "{name}");
        for (uid, status) in [("before", 204), ("after", 204), ("h", if created == 3 { 204 } else { 404 })] {
            assert_eq!(alice.delete(&place(uid)).await.status, status, "{name}: {uid}");
        }
        alive(&house, &mut socket, name).await;
    }
    house.stop().await;
}

/// Lost between two calendars of one file: told, not dropped.
#[tokio::test(flavor = "multi_thread")]
async fn what_stands_outside_of_a_calendar_is_told() {
    let house = House::open_with(&[("store.engine", "memory")]).await;
    let alice = house.http("alice");
    let misspelled = plain_event("lost", "20250301T100000Z").replace(":VCALENDAR", ":VCALENDER");
    let file = [
        plain_event("1", "20250301T100000Z"),
        misspelled,
        "-- \r\nsent from my phone\r\n".to_owned(),
        plain_event("2", "20250301T100000Z"),
    ];
    let (stands, found) = import(&alice, file.concat().into()).await;
    assert_eq!((&stands["created"], &stands["failedCount"]), (&json!(2), &json!(1)), "{stands} {found:?}");
    assert_eq!(
        found,
        [json!({ "line": 15, "uid": "lost", "code": "invalid", "detail": "a VEVENT outside of a calendar" })]
    );
    // Two files of Windows, one behind the other, each with its mark.
    let marked = |uid: &str| format!("\u{feff}{}", plain_event(uid, "20250301T100000Z"));
    let (stands, _) = import(&alice, (marked("3") + &marked("4")).into()).await;
    assert_eq!((&stands["created"], &stands["failedCount"]), (&json!(2), &json!(0)), "{stands}");
    assert!(!alice.get(&format!("{DEFAULT}/4.ics")).await.text().contains('\u{feff}'));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_ones_neither_ring_nor_stall_the_clock() {
    let house = House::open_with(&[("store.engine", "memory")]).await;
    let alice = house.http("alice");
    let mut socket = house.socket("alice").await;
    socket.register(DEFAULT).await;
    socket.enable_alarms().await;
    // The demo's own alarms are nobody's business here.
    assert_eq!(alice.delete("/calendars/alice/team/").await.status, 204);
    let silent = [
        bomb(),
        format!("{START}\nRRULE:FREQ=DAILY;INTERVAL=0"),
        format!("{START}\nRRULE:FREQ=DAILY;COUNT=0"),
        format!("{START}\nRRULE:FREQ=DAILY;COUNT=2;UNTIL=20300101T000000Z"),
        format!("{START}\nDURATION:P99999999999999999999D"),
        "DTSTART:00000000".to_owned(),
        "DTSTART;TZID=Mars/Olympus:20250120T090000".to_owned(),
    ];
    let ringing = [
        ("until", format!("{START}\nRRULE:FREQ=DAILY;UNTIL=20200101T000000Z"), "2025-01-20T09:00:00Z"),
        ("february", format!("{START}\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"), "2025-01-20T09:00:00Z"),
        ("gap", "DTSTART;TZID=Europe/Paris:20250330T023000".to_owned(), "2025-03-30T01:30:00Z"),
    ];
    let put = async |uid: &str, lines: &str| {
        let kept = alice.put(&format!("{DEFAULT}/{uid}.ics"), &event(uid, lines)).await;
        assert_eq!(kept.status, 201, "{lines}: {}", kept.text());
    };
    for (number, lines) in silent.iter().enumerate() {
        put(&format!("silent{number}"), lines).await;
    }
    for (uid, lines, _) in &ringing {
        put(uid, lines).await;
    }
    let turned = house.turn("2026-01-01T00:00:00Z").await;
    let mut fired: Vec<(&str, &str)> = Vec::new();
    for alarm in turned["fired"].as_array().expect("a list") {
        let url = alarm["eventURL"].as_str().expect("a path");
        fired.push((url.rsplit('/').next().expect("a name"), alarm["at"].as_str().expect("an instant")));
    }
    fired.sort_unstable();
    assert_eq!(fired, [("february.ics", ringing[1].2), ("gap.ics", ringing[2].2), ("until.ics", ringing[0].2)]);
    assert_eq!((&turned["firedCount"], &turned["settled"]), (&json!(3), &json!(true)));
    assert_eq!(socket.heard().await.iter().filter(|push| push["alarms"].is_array()).count(), 3);
    alive(&house, &mut socket, "a year").await;

    // A rule of every second is legal: it rings once a second, and holds nobody up.
    put("secondly", "DTSTART:19700101T000000Z\nRRULE:FREQ=SECONDLY").await;
    let turned = house.turn("2026-01-01T00:01:00Z").await;
    assert_eq!((&turned["firedCount"], &turned["settled"]), (&json!(60), &json!(true)));
    assert_eq!(socket.heard().await.iter().filter(|push| push["alarms"].is_array()).count(), 60);
    assert_eq!(alice.delete(&format!("{DEFAULT}/secondly.ics")).await.status, 204);
    assert_eq!(house.turn("2026-01-01T01:00:00Z").await["firedCount"], 0);
    alive(&house, &mut socket, "every second").await;
    house.stop().await;
}
