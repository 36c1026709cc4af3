//! The golden cases through the wire: what DAV expands and what web pages are given are the same occurrences.

use campanile::domain::address::Address;
use campanile::domain::occurrence::Moment;
use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use serde_json::Value;

use crate::live::dav_report::{WORK, made};

const CASES: &str = include_str!("../../golden/expand.jsonl");
/// Every sixth case: all of them hold without a socket, in `golden.rs`.
const STEP: usize = 6;

/// A time of an expanded text: a date, a clock reading or an instant.
fn moment(line: &str) -> Moment {
    let (head, value) = line.split_once(':').expect("a time");
    match value.strip_suffix('Z') {
        Some(utc) => Moment::Instant(NaiveDateTime::parse_from_str(utc, "%Y%m%dT%H%M%S").expect("a time").and_utc()),
        None if head.contains("VALUE=DATE") => {
            Moment::Date(NaiveDate::parse_from_str(value, "%Y%m%d").expect("a date"))
        }
        None => Moment::Floating(NaiveDateTime::parse_from_str(value, "%Y%m%dT%H%M%S").expect("a time")),
    }
}

/// The starts and what they stand for, of each component.
fn expanded(text: &str) -> Vec<(String, String)> {
    let lines: Vec<&str> = text.split("&#13;\n").collect();
    let line = |block: &[&str], name: &str| {
        let found = block.iter().find(|line| line.starts_with(name) && line[name.len()..].starts_with([':', ';']));
        found.map(|line| moment(line).text()).unwrap_or_default()
    };
    let blocks = lines.split(|line| line.starts_with("BEGIN:VEVENT") || line.starts_with("BEGIN:VTODO")).skip(1);
    let mut found: Vec<_> = blocks
        .map(|block| {
            let start = line(block, "DTSTART");
            (if start.is_empty() { line(block, "DUE") } else { start }, line(block, "RECURRENCE-ID"))
        })
        .collect();
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn both_faces_give_the_same_occurrences() {
    let house = made().await;
    let alice = house.http("alice");
    let service = &house.running().service;
    let users = service.users().await.expect("they can be read");
    let caller = users.into_iter().find(|known| known.name.as_str() == "alice").expect("alice");
    let address = Address::parse(WORK).expect("an address");
    let path = format!("{WORK}case.ics");
    let (mut compared, mut instances) = (0, 0);
    for line in CASES.lines().step_by(STEP) {
        let case: Value = serde_json::from_str(line).expect("JSON");
        let text = |name: &str| case[name].as_str().expect("a text");
        let time = |name: &str| DateTime::parse_from_rfc3339(text(name)).expect("a time").to_utc();
        let (from, to, zone) = (time("from"), time("to"), text("default_tz"));
        let kept = alice.put(&path, text("ics")).await;
        assert_eq!(kept.status, 201, "{}: {kept:?}", text("id"));

        let web = service.occurrences(&caller, &address, (from, to), zone.parse().ok()).await.expect("an answer");
        let id = |id: Option<Moment>| id.map(|id| id.text()).unwrap_or_default();
        let mut web: Vec<_> = web
            .list
            .iter()
            .map(|found| (found.occurrence.start.text(), id(found.occurrence.recurrence_id)))
            .collect();
        web.sort();

        let stamp = |at: DateTime<Utc>| at.format("%Y%m%dT%H%M%SZ").to_string();
        let range = format!("start='{}' end='{}'", stamp(from), stamp(to));
        let body = format!(
            "<C:calendar-query xmlns='DAV:' xmlns:C='urn:ietf:params:xml:ns:caldav'><prop><C:calendar-data><C:expand {range}/>\
             </C:calendar-data></prop><C:filter><C:comp-filter name='VCALENDAR'/></C:filter><C:timezone-id>{zone}</C:timezone-id>\
             </C:calendar-query>"
        );
        let dav = alice.send("REPORT", &path, &[("depth", "0")], body).await;
        assert_eq!(dav.status, 207, "{}: {}", text("id"), dav.text());
        assert_eq!(expanded(&dav.text()), web, "{}", text("id"));
        (compared, instances) = (compared + 1, instances + web.len());
        assert_eq!(alice.delete(&path).await.status, 204);
    }
    assert!(compared > 100 && instances > 1_000, "{compared} cases, {instances} instances");
    house.stop().await;
}
