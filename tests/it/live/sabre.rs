//! The JSON of the Twake family as conversations in `tests/transcripts/sabre`, each over real sockets with a service of its own.
//!
//! `> alice REPORT /dav/…` asks, `> name: value` is a header of it, what begins with `{` or `[` its body, and `> ~ text` a body of another
//! kind. `< 207` is the status that must come, `< name: value` a header, JSON the whole body, `< empty` none, `< ~ text` a part of it.
//! `= socket alice` opens a Side socket, `>> …` is said on it and `<< …` heard. In what must come `"$name"` is any text, the same wherever
//! the name stands, and what is asked may use it; `"*"` is anything. `= settle` waits until all that happened was told.

use std::collections::HashMap;

use serde_json::Value;

use crate::live::House;
use crate::live::client::{Reply, Socket};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/transcripts/sabre");

#[derive(Default)]
struct Known(HashMap<String, String>);

impl Known {
    /// A text with the names in it replaced by what they stand for.
    fn filled(&self, text: &str) -> String {
        let mut names: Vec<&String> = self.0.keys().collect();
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        names.into_iter().fold(text.to_owned(), |text, name| text.replace(&format!("${name}"), &self.0[name]))
    }

    fn same_text(&mut self, wanted: &str, found: &str) -> bool {
        match wanted.strip_prefix('$') {
            Some(name) => self.0.entry(name.to_owned()).or_insert_with(|| found.to_owned()) == found,
            None => wanted == "*" || wanted == found,
        }
    }

    /// Where something else was found than was wanted.
    fn differs(&mut self, wanted: &Value, found: &Value, at: &str) -> Option<String> {
        match (wanted, found) {
            (Value::String(wanted), _) if wanted == "*" => None,
            (Value::String(wanted), Value::String(found)) if self.same_text(wanted, found) => None,
            (Value::Object(wanted), Value::Object(found)) => {
                let keys: Vec<&String> = wanted.keys().chain(found.keys()).collect();
                keys.into_iter().find_map(|key| match (wanted.get(key), found.get(key)) {
                    (Some(wanted), Some(found)) => self.differs(wanted, found, &format!("{at}/{key}")),
                    (wanted, found) => Some(format!("{at}/{key}: {wanted:?} wanted, {found:?} found")),
                })
            }
            (Value::Array(wanted), Value::Array(found)) if wanted.len() == found.len() => {
                let pairs = wanted.iter().zip(found).enumerate();
                pairs
                    .into_iter()
                    .find_map(|(number, (wanted, found))| self.differs(wanted, found, &format!("{at}/{number}")))
            }
            (wanted, found) if wanted == found => None,
            (wanted, found) => Some(format!("{at}: {wanted} wanted, {found} found")),
        }
    }
}

/// Several lines of one sign, without it.
fn block<'a>(lines: &[&'a str], from: usize, sign: &str) -> Vec<&'a str> {
    let said = |line: &&'a str| line.strip_prefix(sign).filter(|rest| rest.is_empty() || rest.starts_with(' '));
    lines[from..].iter().map_while(said).map(|line| line.strip_prefix(' ').unwrap_or(line)).collect()
}

fn is_header(line: &str) -> bool {
    line.split_once(": ").is_some_and(|(name, _)| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'))
}

async fn asked(house: &House, known: &Known, said: &[&str]) -> Reply {
    let said: Vec<String> = said.iter().map(|line| known.filled(line)).collect();
    let words: Vec<&str> = said[0].splitn(3, ' ').collect();
    let (user, method, path) = (words[0], words[1], words[2]);
    let headers: Vec<(&str, &str)> = said[1..]
        .iter()
        .take_while(|line| is_header(line))
        .map(|line| line.split_once(": ").expect("a header"))
        .collect();
    let body: String = said[1 + headers.len()..]
        .iter()
        .map(|line| line.strip_prefix("~ ").map_or(line.clone(), |text| text.replace("\\r\\n", "\r\n")))
        .collect();
    let http = if user == "nobody" { house.anonymous() } else { house.http(user) };
    http.send(method, path, &headers, body).await
}

fn check(known: &mut Known, reply: &Reply, wanted: &[&str], place: &str) {
    let fail = |why: String| panic!("{place}: {why}\n{} {}\n{:?}", reply.status, reply.text(), reply.headers);
    if wanted[0] != reply.status.to_string() {
        fail(format!("{} wanted", wanted[0]));
    }
    let headers: Vec<&&str> = wanted[1..].iter().take_while(|line| is_header(line)).collect();
    for header in &headers {
        let (name, value) = header.split_once(": ").expect("a header");
        if !known.same_text(value, reply.header(name)) {
            fail(format!("{header} wanted"));
        }
    }
    let body = &wanted[1 + headers.len()..];
    if body.iter().any(|line| line.starts_with('~')) {
        for part in body {
            let part = known.filled(part.strip_prefix("~ ").expect("a part"));
            if !reply.text().contains(&part) {
                fail(format!("{part} wanted"));
            }
        }
        return;
    }
    match body {
        [] => {}
        ["empty"] if reply.body.is_empty() => {}
        ["empty"] => fail("nothing wanted".to_owned()),
        lines => {
            let wanted: Value =
                serde_json::from_str(&lines.concat()).unwrap_or_else(|error| panic!("{place}: {error}"));
            let found: Value = serde_json::from_slice(&reply.body).unwrap_or(Value::Null);
            if let Some(why) = known.differs(&wanted, &found, "") {
                fail(why);
            }
        }
    }
}

async fn run(name: &str, text: &str) {
    let house = House::open().await;
    let lines: Vec<&str> = text.lines().collect();
    let (mut known, mut socket): (Known, Option<Socket>) = (Known::default(), None);
    let mut at = 0;
    let mut answer: Option<Reply> = None;
    while at < lines.len() {
        let place = format!("{name}:{}", at + 1);
        let line = lines[at];
        let length = if let Some(said) = line.strip_prefix(">> ") {
            socket.as_mut().expect("a socket").say(&known.filled(said)).await;
            1
        } else if let Some(wanted) = line.strip_prefix("<< ") {
            let wanted: Value =
                serde_json::from_str(&known.filled(wanted)).unwrap_or_else(|error| panic!("{place}: {error}"));
            let found = socket.as_mut().expect("a socket").hear().await;
            assert_eq!(known.differs(&wanted, &found, ""), None, "{place}");
            1
        } else if line.starts_with('>') {
            let said = block(&lines, at, ">");
            answer = Some(asked(&house, &known, &said).await);
            said.len()
        } else if line.starts_with('<') {
            let wanted = block(&lines, at, "<");
            let reply = answer.take().unwrap_or_else(|| panic!("{place}: nothing was asked"));
            check(&mut known, &reply, &wanted, &place);
            wanted.len()
        } else {
            match line.strip_prefix("= ").map(|said| said.split(' ').collect::<Vec<&str>>()).as_deref() {
                Some(["socket", user]) => socket = Some(house.socket(user).await),
                Some(["settle"]) => house.settle().await,
                None if line.is_empty() || line.starts_with('#') => {}
                _ => panic!("{place}: no such line"),
            }
            1
        };
        at += length;
    }
    assert!(answer.is_none(), "{name}: the last answer is not looked at");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conversations_go_as_written() {
    let mut files: Vec<_> =
        std::fs::read_dir(FOLDER).expect("transcripts").map(|entry| entry.expect("one").path()).collect();
    files.sort();
    assert!(files.len() >= 8, "{files:?}");
    let only = std::env::var("TRANSCRIPT").ok();
    for path in files {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if only.as_ref().is_some_and(|only| !name.starts_with(only.as_str())) {
            continue;
        }
        run(&name, &std::fs::read_to_string(&path).expect("a text")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_much_is_refused() {
    let settings = [
        ("reports.hrefs", "2"),
        ("reports.instances", "3"),
        ("limits.object_bytes", "2000"),
        ("limits.collections_per_home", "4"),
    ];
    let house = House::open_with(&settings).await;
    let alice = house.http("alice");
    let at = "/dav/calendars/alice/default";
    let daily = r#"["vcalendar",[],[["vevent",[["uid",{},"text","d"],["dtstart",{},"date-time","2025-01-01T09:00:00Z"],["rrule",{},"recur",{"freq":"DAILY"}]],[]]]]"#;
    assert_eq!(alice.put(&format!("{at}/d.ics"), daily).await.status, 201);
    let question =
        |paths: usize| format!("{{\"eventPaths\":[{}]}}", vec!["\"/calendars/alice/default/d.ics\""; paths].join(","));
    let many = format!("[{}]", vec!["\"x\""; 200].join(","));
    let text = |bytes: usize| {
        daily.replace("\"d\"]", &format!("\"d\"],[\"comment\",{{}},\"text\",\"{}\"]", "x".repeat(bytes)))
    };
    let json = [("accept", "application/json"), ("content-type", "text/plain")];
    for (method, path, body, status) in [
        ("REPORT", "/dav/calendars.json", question(2), 207),
        ("REPORT", "/dav/calendars.json", question(3), 422),
        (
            "REPORT",
            &format!("{at}.json"),
            r#"{"match":{"start":"20250101T000000","end":"20250104T000000"}}"#.to_owned(),
            200,
        ),
        (
            "REPORT",
            &format!("{at}.json"),
            r#"{"match":{"start":"20250101T000000","end":"20250105T000000"}}"#.to_owned(),
            422,
        ),
        (
            "REPORT",
            &format!("{at}/d.ics"),
            r#"{"match":{"start":"20250101T000000","end":"20250105T000000"}}"#.to_owned(),
            422,
        ),
        (
            "POST",
            "/dav/calendars/freebusy",
            r#"{"start":"20250101T000000","end":"20250105T000000","users":["alice"]}"#.to_owned(),
            422,
        ),
        (
            "POST",
            "/dav/calendars/freebusy",
            format!(r#"{{"start":"20250101T000000","end":"20250105T000000","users":{many}}}"#),
            422,
        ),
        (
            "POST",
            "/dav/query.json",
            format!(
                r#"{{"scope":{{"calendars":{many}}},"match":{{"start":"20250101T000000","end":"20250102T000000"}}}}"#
            ),
            422,
        ),
        ("PUT", &format!("{at}/d.ics"), text(1_000), 204),
        ("PUT", &format!("{at}/d.ics"), text(1_900), 413),
        ("PUT", &format!("{at}/d.ics"), text(5_000), 413),
        ("REPORT", &format!("{at}.json"), "x".repeat(2_000_000), 413),
        ("REPORT", &format!("{at}.json"), "[".repeat(100_000), 400),
        ("PUT", &format!("{at}/e.ics"), "[".repeat(1_500), 400),
        (
            "PUT",
            &format!("{at}/e.ics"),
            format!(r#"["vcalendar",[],[{}{}]]"#, r#"["a",[],["#.repeat(20), "]]".repeat(20)),
            400,
        ),
        ("POST", "/dav/calendars/alice.json", r#"{"id":"one-more"}"#.to_owned(), 201),
        ("POST", "/dav/calendars/alice.json", r#"{"id":"one-too-many"}"#.to_owned(), 403),
        ("BREW", &format!("{at}.json"), String::new(), 501),
    ] {
        let start: String = body.chars().take(80).collect();
        let found = alice.send(method, path, &json, body).await;
        assert_eq!(found.status, status, "{method} {path} {start}: {}", found.text());
    }
    house.stop().await;
}

/// An app password that only reads asks everything, by POST too, and changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_reading_device_asks_and_changes_nothing() {
    let house = House::open().await;
    let made = house.http("alice").post("/api/app-passwords", r#"{"name":"screen","scope":"read"}"#).await;
    assert_eq!(made.status, 201, "{made:?}");
    let password = made.json()["password"].as_str().expect("a password").to_owned();
    let basic = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("alice:{password}"));
    let device = crate::live::client::Http::with(house.base(), &format!("Basic {basic}"));
    let window = r#""match":{"start":"20250101T000000","end":"20250102T000000"}"#;
    let event = r#"["vcalendar",[],[["vevent",[["uid",{},"text","d"],["dtstart",{},"date","2025-01-01"]],[]]]]"#;
    for (method, path, body, status) in [
        ("REPORT", "/dav/calendars/alice/default.json", format!("{{{window}}}"), 200),
        (
            "POST",
            "/dav/query.json",
            format!(r#"{{"scope":{{"calendars":["/calendars/alice/default"]}},{window}}}"#),
            200,
        ),
        (
            "POST",
            "/dav/calendars/freebusy",
            r#"{"start":"20250101T000000","end":"20250102T000000","users":["alice"]}"#.to_owned(),
            200,
        ),
        ("PUT", "/dav/calendars/alice/default/d.ics", event.to_owned(), 403),
        ("POST", "/dav/calendars/alice.json", r#"{"id":"mine"}"#.to_owned(), 403),
        ("PROPPATCH", "/dav/calendars/alice/default.json", r#"{"dav:name":"x"}"#.to_owned(), 403),
        ("ACL", "/dav/calendars/alice/default.json", r#"{"public_right":""}"#.to_owned(), 403),
    ] {
        let found = device.send(method, path, &[("accept", "application/json")], body).await;
        assert_eq!(found.status, status, "{method} {path}: {}", found.text());
    }
    house.stop().await;
}

/// What the JSON takes for its own, DAV does not miss.
#[tokio::test(flavor = "multi_thread")]
async fn dav_stands_beside_it() {
    let house = House::open().await;
    let alice = house.http("alice");
    let xml = "<sync-collection xmlns='DAV:'><sync-token/><sync-level>1</sync-level><prop><getetag/></prop></sync-collection>";
    let typed = [("content-type", "application/xml"), ("accept", "application/json")];
    let found = alice.send("REPORT", "/dav/calendars/alice/default/", &typed, xml).await;
    assert_eq!((found.status, found.text().contains("<multistatus")), (207, true), "{found:?}");
    // An object whose name ends so is found under it, and a calendar is reached with and without.
    let event = crate::live::plain_event("a", "20250115T090000Z");
    assert_eq!(alice.put("/calendars/alice/default/a.json", &event).await.status, 201);
    assert_eq!(alice.get("/calendars/alice/default/a.json").await.text(), event);
    assert_eq!(
        alice.put("/dav/calendars/alice/default.json/b.ics", &event.replace("UID:a", "UID:b")).await.status,
        201
    );
    assert_eq!(alice.delete("/dav/calendars/alice/default.json/b.ics").await.status, 204);
    // A body that is offered and not sent is not looked into before it is known who asks.
    let offered = [("expect", "100-continue"), ("content-type", "application/calendar+json")];
    let body = r#"["vcalendar",[],[["vevent",[["uid",{},"text","c"],["dtstart",{},"date","2025-01-15"]],[]]]]"#;
    assert_eq!(house.anonymous().send("PUT", "/calendars/alice/default/c.ics", &offered, "").await.status, 401);
    assert_eq!(alice.send("PUT", "/calendars/alice/default/c.ics", &offered[1..], body).await.status, 201);
    let groups = house.http("admin").get("/api/groups").await;
    assert_eq!(groups.status, 200, "{groups:?}");
    let seen = alice.get("/api/groups").await.json();
    assert_eq!(seen[0]["id"], "team");
    assert_eq!(alice.get("/api/groups/team").await.json()["organisation"], "demo");
    assert_eq!(alice.post("/api/groups", r#"{"id":"x"}"#).await.status, 403);
    for (body, status) in [
        (r#"{"id":"x","name":"X"}"#, 201),
        (r#"{"id":"x"}"#, 409),
        (r#"{"name":"X"}"#, 400),
        (r#"{"id":"y","odd":1}"#, 400),
    ] {
        assert_eq!(house.http("admin").post("/api/groups", body).await.status, status, "{body}");
    }
    assert_eq!(house.http("admin").delete("/api/groups/x").await.status, 204);
    assert_eq!(house.http("admin").get("/api/groups/x").await.status, 404);
    house.stop().await;
}
