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
