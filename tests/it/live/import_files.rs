//! Files as they are, and files that were made to do harm: what is sound goes in beside what is not, and each fault is told where it lies.

use serde_json::{Value, json};

use crate::live::client::Reply;
use crate::live::{House, card, plain_event};

const DEFAULT: &str = "/calendars/alice/default";
const BOOK: &str = "/addressbooks/alice/collected";
const AT: &str = "20250301T100000Z";

async fn send(house: &House, query: &str, body: impl Into<Vec<u8>>) -> Value {
    let path = format!("/api/imports?{query}");
    let done: Reply = house.http("alice").send("POST", &path, &[("prefer", "wait=60")], body.into()).await;
    assert_eq!(done.status, 200, "{done:?}");
    done.json()
}

async fn errors(house: &House, stands: &Value) -> Vec<Value> {
    let path = format!("/api/imports/{}/errors", stands["id"].as_str().expect("an id"));
    let text = house.http("alice").get(&path).await.text();
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Created, updated, unchanged, deleted, failed.
fn counts(stands: &Value) -> [u64; 5] {
    ["created", "updated", "unchanged", "deleted", "failedCount"].map(|key| stands[key].as_u64().unwrap_or(u64::MAX))
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_of_two_bytes_a_letter_are_read() {
    let house = House::open().await;
    let alice = house.http("alice");
    for (uid, little) in [("little", true), ("big", false)] {
        let text = plain_event(uid, AT).replace("SUMMARY:", "SUMMARY:Caf\u{e9} \u{4f1a}\u{8b70} \u{1f514} ");
        let units = format!("\u{feff}{text}");
        let bytes: Vec<u8> = units
            .encode_utf16()
            .flat_map(|unit| if little { unit.to_le_bytes() } else { unit.to_be_bytes() })
            .collect();
        let stands = send(&house, &format!("target={DEFAULT}"), bytes).await;
        let name = if little { "UTF-16LE" } else { "UTF-16BE" };
        assert_eq!(
            (counts(&stands), &stands["warnings"]),
            ([1, 0, 0, 0, 0], &json!([format!("not in UTF-8: read as {name}")]))
        );
        let kept = alice.get(&format!("{DEFAULT}/{uid}.ics")).await.text();
        assert!(kept.contains("SUMMARY:Caf\u{e9} \u{4f1a}\u{8b70} \u{1f514} Event"), "{kept}");
    }
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_holds_back_where_an_item_failed() {
    let house = House::open().await;
    let ask = format!("target={DEFAULT}&mode=mirror");
    let file = |uids: &[&str]| uids.iter().map(|uid| plain_event(uid, AT)).collect::<String>();
    assert_eq!(counts(&send(&house, &ask, file(&["a", "b", "c"])).await), [3, 0, 0, 0, 0]);
    let broken = plain_event("b", AT).replace(&format!("DTSTART:{AT}\r\n"), "");
    let stands = send(&house, &ask, file(&["a"]) + &broken).await;
    assert_eq!(counts(&stands), [0, 0, 1, 0, 1]);
    assert_eq!(stands["warnings"], json!(["2 objects were not removed: some items failed"]));
    for uid in ["b", "c"] {
        assert_eq!(house.http("alice").get(&format!("{DEFAULT}/{uid}.ics")).await.status, 200, "{uid}");
    }
    // The next whole file removes what is gone by then.
    assert_eq!(counts(&send(&house, &ask, file(&["a", "b"])).await), [0, 0, 2, 1, 0]);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outlook_feed_with_new_uids_each_time_stays_what_it_is() {
    let house = House::open().await;
    let ask = format!("target={DEFAULT}&mode=mirror&source=outlook");
    let feed = |export: u32, rooms: &[&str]| {
        let event = |room: &&str| {
            plain_event(&format!("0400-{export}-{room}"), AT)
                .replace("DTSTAMP:20250101T000000Z", &format!("DTSTAMP:2025010{export}T000000Z\r\nLOCATION:{room}"))
                .replace(&format!("Event 0400-{export}-"), "Meeting in ")
        };
        rooms.iter().map(event).collect::<String>()
    };
    assert_eq!(counts(&send(&house, &ask, feed(1, &["red", "green", "blue"])).await), [3, 0, 0, 0, 0]);
    assert_eq!(counts(&send(&house, &ask, feed(2, &["red", "green", "blue"])).await), [0, 0, 3, 0, 0]);
    // One is gone, one is new, whatever they are called.
    assert_eq!(counts(&send(&house, &ask, feed(3, &["green", "blue", "white"])).await), [1, 0, 2, 1, 0]);
    // What stayed has the UID under which it first came: clients see no change.
    let listed = house.http("alice").get(DEFAULT).await.text();
    let uids: Vec<&str> = listed.lines().filter(|line| line.starts_with("UID:0400")).collect();
    assert_eq!(uids, ["UID:0400-1-blue", "UID:0400-1-green", "UID:0400-3-white"], "{listed}");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cards_keep_their_groups_and_photos() {
    let house = House::open().await;
    let photo = "QUJD".repeat(100_000);
    let folded: String =
        photo.as_bytes().chunks(74).map(|line| format!("\r\n {}", String::from_utf8_lossy(line))).collect();
    let rich = format!(
        "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:rich\r\nFN:Ada\r\nN:Lovelace;Ada;;;\r\nitem1.EMAIL;type=pref:ada@example.org\r\n\
         item1.X-ABLabel:_$!<Work>!$_\r\nPHOTO;ENCODING=b;TYPE=JPEG:{folded}\r\nX-SOCIALPROFILE;x-user=ada:https://example.org/ada\r\nEND:VCARD\r\n"
    );
    let group = "BEGIN:VCARD\r\nVERSION:4.0\r\nKIND:group\r\nUID:urn:uuid:team\r\nFN:Team\r\nMEMBER:urn:uuid:rich\r\nEND:VCARD\r\n";
    let apple = "BEGIN:VCARD\nVERSION:3.0\nUID:apple\nFN:Friends\nX-ADDRESSBOOKSERVER-KIND:group\nX-ADDRESSBOOKSERVER-MEMBER:urn:uuid:rich\nEND:VCARD\n";
    let old = "BEGIN:VCARD\r\nVERSION:2.1\r\nUID:old\r\nN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller;J=C3=B6rg;=\r\n;;\r\nTEL;HOME:1\r\nEND:VCARD\r\n";
    let stands = send(&house, &format!("target={BOOK}"), [&rich, group, apple, old].concat()).await;
    assert_eq!(counts(&stands), [4, 0, 0, 0, 0], "{:?}", errors(&house, &stands).await);
    let exported = house.http("alice").get(BOOK).await.text();
    for text in [&rich, group, apple, old] {
        assert!(exported.contains(text), "{} is another one", &text[..80]);
    }
    // One item larger than an object may be fails alone.
    let large = rich.replace(&folded, &format!("\r\n {}", "QUJD".repeat(400_000))).replace("UID:rich", "UID:large");
    let stands = send(&house, &format!("target={BOOK}"), card("left") + &large + &card("right")).await;
    assert_eq!(counts(&stands), [2, 0, 0, 0, 1]);
    let why =
        json!([{ "line": 14, "uid": "large", "code": "invalid", "detail": "a line is longer than 1048576 bytes" }]);
    assert_eq!(Value::Array(errors(&house, &stands).await), why);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_more_components_than_may_be_remembered_is_refused() {
    let house = House::open_with(&[("uploads.components", "10")]).await;
    let event = |n: usize| format!("BEGIN:VEVENT\r\nUID:e{n}\r\nDTSTAMP:{AT}\r\nDTSTART:{AT}\r\nEND:VEVENT\r\n");
    let file = |count| {
        format!("BEGIN:VCALENDAR\r\nPRODID:x\r\n{}END:VCALENDAR\r\n", (0..count).map(event).collect::<String>())
    };
    let ask = format!("target={DEFAULT}");
    assert_eq!(counts(&send(&house, &ask, file(10)).await), [10, 0, 0, 0, 0]);
    let many = "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n".repeat(11);
    for (file, line, why) in
        [(file(11), 53, "more than 10 components in a file"), (many, 21, "more than 10 calendars in a file")]
    {
        let stands = send(&house, &ask, file).await;
        assert_eq!(stands["status"], "failed", "{stands}");
        assert_eq!(errors(&house, &stands).await[0]["detail"], format!("line {line}: {why}"));
    }
    house.stop().await;
}

/// What a hostile component comes to: it goes in as it was sent, or fails, with this in its reason.
type Row = (&'static str, String, Option<&'static str>);

fn hostile() -> Vec<Row> {
    let event = |lines: &str| format!("DTSTART:{AT}\r\nDTSTAMP:{AT}\r\n{lines}");
    let rule = |rule: &str| event(&format!("RRULE:{rule}\r\n"));
    let alarm = "BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT1M\r\nEND:VALARM\r\n";
    let all = |from: u32, to: u32| (from..=to).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    let bomb = format!(
        "FREQ=YEARLY;BYMONTHDAY={};BYHOUR={};BYMINUTE={};BYSECOND={}",
        all(1, 31),
        all(0, 23),
        all(0, 59),
        all(0, 59)
    );
    let nested = |name: &str, depth: usize| event(&format!("BEGIN:{name}\r\n").repeat(depth));
    vec![
        ("nested deep", nested("X-DEEP", 2_000), Some("nested deeper than")),
        ("nested far deeper", nested("X-DEEP", 100_000), Some("nested deeper than")),
        ("lower case", event(&"begin:x-low\r\nend:x-low\r\n".repeat(26)), None),
        ("mark in the middle", event("\u{feff}COMMENT:marked\r\n"), None),
        ("100,000 EXDATE lines", event(&"EXDATE:20250302T100000Z\r\n".repeat(100_000)), Some("more than 4000 EXDATE")),
        ("100,000 alarms", event(&alarm.repeat(100_000)), Some("more than 100 alarms")),
        (
            "a line of 5 MB",
            event(&format!("DESCRIPTION:{}\r\n", "x".repeat(5_000_000))),
            Some("is longer than 1048576 bytes"),
        ),
        (
            "10,000 parameters",
            event(&format!("X-MANY{}:x\r\n", ";A=b".repeat(10_000))),
            Some("more than 64 parameters"),
        ),
        (
            "1,300,000 folds",
            event(&format!("COMMENT:x{}\r\n", "\r\n ".repeat(1_300_000))),
            Some("larger than 1048576 bytes"),
        ),
        (
            "5 MB of base64",
            event(&format!("ATTACH;ENCODING=BASE64;VALUE=BINARY:{}\r\n", "QUJD\r\n ".repeat(900_000))),
            Some("longer than 1048576 bytes"),
        ),
        ("NUL", event("COMMENT:a\0b\r\n"), Some("")),
        ("turned letters", event("COMMENT:\u{202e}desrever\r\n"), None),
        ("a duration without end", event("DURATION:P99999999999999999999D\r\n"), None),
        ("a date of zeros", event("RDATE:00000000T000000Z\r\n"), None),
        ("a rule of every second", rule("FREQ=SECONDLY"), None),
        ("a rule of a billion", rule("FREQ=DAILY;COUNT=1000000000"), None),
        ("a rule of all", rule(&bomb), None),
        ("no such day", rule("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30,31"), None),
        ("no interval", rule("FREQ=DAILY;INTERVAL=0"), None),
        ("no count", rule("FREQ=DAILY;COUNT=0"), None),
        ("a large interval", rule("FREQ=DAILY;INTERVAL=65536;COUNT=4294967296"), None),
        ("an end before its start", rule("FREQ=DAILY;UNTIL=20200101T000000Z"), None),
        ("an end and a count", rule("FREQ=DAILY;COUNT=3;UNTIL=20260101T000000Z"), None),
        ("a part of nobody's", rule("FREQ=DAILY;X-ODD=1;COUNT=2"), None),
        ("a day twice", rule("FREQ=WEEKLY;BYDAY=MO,MO;COUNT=2"), None),
        ("a time that is none", format!("DTSTAMP:{AT}\r\nDTSTART;TZID=Europe/Paris:20250330T023000\r\n"), None),
        ("a zone that is none", format!("DTSTAMP:{AT}\r\nDTSTART;TZID=Mars/Olympus:20250330T023000\r\n"), None),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_made_to_do_harm_fails_alone_and_is_told_where() {
    let house = House::open().await;
    let rows = hostile();
    let mut file = String::new();
    let mut line = 1;
    let mut places = Vec::new();
    for (number, (_, lines, _)) in rows.iter().enumerate() {
        let bad = format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:bad{number}\r\n{lines}END:VEVENT\r\nEND:VCALENDAR\r\n"
        );
        for text in [bad, plain_event(&format!("good{number}"), AT)] {
            let count = text.matches('\n').count() as u64;
            places.push(line..line + count);
            line += count;
            file.push_str(&text);
        }
    }
    let stands = send(&house, &format!("target={DEFAULT}"), file).await;
    let errors = errors(&house, &stands).await;
    let alice = house.http("alice");
    let mut wrong = Vec::new();
    for (number, (what, lines, fails)) in rows.iter().enumerate() {
        let good = alice.get(&format!("{DEFAULT}/good{number}.ics")).await;
        if good.status != 200 {
            wrong.push(format!("behind {what}: {good:?}"));
        }
        let error = errors.iter().find(|error| error["uid"] == format!("bad{number}"));
        let kept = alice.get(&format!("{DEFAULT}/bad{number}.ics")).await;
        let place = &places[2 * number];
        match (fails, error) {
            (None, None) if kept.text().contains(lines.as_str()) => {}
            (Some(why), Some(error))
                if kept.status == 404
                    && error["detail"].as_str().is_some_and(|detail| detail.contains(why))
                    && error["line"].as_u64().is_some_and(|line| place.contains(&line)) => {}
            _ => wrong.push(format!("{what} at {place:?}: {error:?}, {}", kept.status)),
        }
    }
    assert!(wrong.is_empty(), "{stands}\n{}", wrong.join("\n"));
    let failed = rows.iter().filter(|(_, _, fails)| fails.is_some()).count() as u64;
    assert_eq!(counts(&stands)[4], failed, "{stands} {errors:?}");
    // The service is none the slower for what it keeps: a question about all of it has its end.
    let week = alice.get("/api/calendars/alice/default/events?from=2025-03-01T00:00:00Z&to=2025-03-08T00:00:00Z").await;
    assert_eq!(week.status, 200, "{week:?}");
    house.stop().await;
}
