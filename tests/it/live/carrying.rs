//! Conversations go along with the event that moves and with the calendar that gets another name; nothing is lost, doubled or left behind.

use serde_json::{Value, json};

use crate::live::client::Http;
use crate::live::{House, event};

fn invitation(answer: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:i\r\nDTSTAMP:20250101T000000Z\r\n\
         DTSTART:20250120T100000Z\r\nDURATION:PT1H\r\nSUMMARY:Tea\r\nORGANIZER:mailto:olga@example.org\r\n\
         ATTENDEE;PARTSTAT={answer}:mailto:alice@campanile.example\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

/// Somebody's conversations, by the address of what the last message is about: how much is unread.
async fn listed(http: &Http) -> Vec<(String, u64)> {
    let shown = http.get("/api/conversations").await.json();
    let short = |one: &Value| {
        let at = one["last_message"]["content"]["event_url"].as_str().unwrap_or_default().to_owned();
        let channel = one["channel"]["source_channel_id"].as_str().unwrap_or_default();
        assert!(at.starts_with(channel), "{one}");
        (at, one["unread_message_count"].as_u64().expect("a count"))
    };
    let mut all: Vec<_> = shown["data"].as_array().expect("a list").iter().map(short).collect();
    all.sort();
    all
}

async fn messages(http: &Http) -> u64 {
    let shown = http.get("/api/conversations").await.json();
    let mut sum = 0;
    for one in shown["data"].as_array().expect("a list") {
        let id = one["id"].as_str().expect("an id");
        let said = http.get(&format!("/api/conversations/{id}/messages")).await.json();
        sum += said["data"].as_array().expect("a list").len() as u64;
    }
    sum
}

async fn make(http: &Http, path: &str) {
    assert_eq!(http.send("MKCALENDAR", path, &[], "").await.status, 201, "{path}");
}

async fn put(http: &Http, path: &str, text: &str) {
    let put = http.put(path, text).await;
    assert!([201, 204].contains(&put.status), "{put:?}");
}

async fn shift(http: &Http, from: &str, to: &str) {
    let moved = http.send("MOVE", from, &[("destination", to)], "").await;
    assert_eq!(moved.status, 201, "{from} to {to}: {moved:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conversation_goes_with_its_event() {
    let house = House::open().await;
    let alice = house.http("alice");
    let [old, new] = ["/calendars/alice/default/i.ics", "/calendars/alice/work/i.ics"];
    make(&alice, "/calendars/alice/work/").await;
    put(&alice, old, &invitation("NEEDS-ACTION")).await;
    assert_eq!(listed(&alice).await, [(old.to_owned(), 1)]);
    shift(&alice, old, new).await;
    assert_eq!(listed(&alice).await, [(new.to_owned(), 1)]);
    assert_eq!(messages(&alice).await, 1);
    // It goes on there: the same text says nothing, an answer is said in the same conversation, and reads what waited.
    put(&alice, new, &invitation("NEEDS-ACTION")).await;
    assert_eq!((listed(&alice).await, messages(&alice).await), (vec![(new.to_owned(), 1)], 1));
    let other = "/calendars/alice/work/other.ics";
    shift(&alice, new, other).await;
    assert_eq!((listed(&alice).await, messages(&alice).await), (vec![(other.to_owned(), 1)], 1));
    put(&alice, other, &invitation("ACCEPTED")).await;
    assert_eq!((listed(&alice).await, messages(&alice).await), (vec![(other.to_owned(), 0)], 2));
    // Where it was, nothing is remembered of it: sent there again it is an invitation. Two of it at once are refused.
    let second = alice.put(old, &invitation("NEEDS-ACTION")).await;
    assert!(second.status == 403 && second.text().contains("unique-scheduling-object-resource"), "{second:?}");
    assert_eq!(alice.delete(other).await.status, 204);
    put(&alice, old, &invitation("NEEDS-ACTION")).await;
    assert_eq!(listed(&alice).await, [(old.to_owned(), 1), (other.to_owned(), 0)]);
    // A copy would be a second one of it: it is refused, says nothing and takes nothing along.
    make(&alice, "/calendars/alice/third/").await;
    let copied = alice.send("COPY", old, &[("destination", "/calendars/alice/third/i.ics")], "").await;
    assert!(copied.status == 403 && copied.text().contains("unique-scheduling-object-resource"), "{copied:?}");
    assert_eq!(listed(&alice).await, [(old.to_owned(), 1), (other.to_owned(), 0)]);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alarm_that_rang_is_dealt_with_where_its_event_is_now() {
    let house = House::open().await;
    let alice = house.http("alice");
    let [old, new] = ["/calendars/alice/default/a.ics", "/calendars/alice/work/b.ics"];
    make(&alice, "/calendars/alice/work/").await;
    put(&alice, old, &event("a", "20250115T100000Z", 15)).await;
    house.turn("2025-01-15T09:45:00Z").await;
    assert_eq!(listed(&alice).await, [(old.to_owned(), 1)]);
    shift(&alice, old, new).await;
    // And once more, with the whole calendar.
    shift(&alice, "/calendars/alice/work/", "/calendars/alice/job/").await;
    let now = "/calendars/alice/job/b.ics";
    assert_eq!((listed(&alice).await, messages(&alice).await), (vec![(now.to_owned(), 1)], 1));
    let rang = alice.get("/api/alarms").await.json();
    let id = rang[0]["id"].as_str().unwrap_or_else(|| panic!("{rang}")).to_owned();
    let until = json!({ "until": "2025-01-15T09:50:00Z" }).to_string();
    assert_eq!(alice.post(&format!("/api/alarms/{id}/snooze"), &until).await.status, 200);
    assert_eq!(listed(&alice).await, [(now.to_owned(), 0)]);
    house.turn("2025-01-15T09:50:00Z").await;
    assert_eq!((listed(&alice).await, messages(&alice).await), (vec![(now.to_owned(), 1)], 1), "the same message");
    assert_eq!(alice.post(&format!("/api/alarms/{id}/ack"), "").await.status, 200);
    assert_eq!(listed(&alice).await, [(now.to_owned(), 0)]);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conversations_go_with_their_calendar_and_stay_with_their_person() {
    let house = House::open().await;
    let (alice, bob) = (house.http("alice"), house.http("bob"));
    make(&alice, "/calendars/alice/work/").await;
    let long = "u".repeat(400);
    let texts =
        ["one".to_owned(), long.clone()].map(|uid| invitation("NEEDS-ACTION").replace("UID:i", &format!("UID:{uid}")));
    for (name, text) in ["one", "long"].into_iter().zip(&texts) {
        put(&alice, &format!("/calendars/alice/work/{name}.ics"), text).await;
    }
    let done =
        house.import("alice", "/calendars/alice/work", "text/calendar", &event("x", "20250601T100000Z", 15)).await;
    assert_eq!(done["status"], "completed");
    shift(&alice, "/calendars/alice/work/", "/calendars/alice/job/").await;
    let there = |name: &str| format!("/calendars/alice/job/{name}");
    let want = vec![(there(""), 0), (there("long.ics"), 1), (there("one.ics"), 1)];
    let trimmed = |all: Vec<(String, u64)>| all.into_iter().map(|(at, n)| (at.trim_end_matches('/').to_owned(), n));
    assert_eq!(trimmed(listed(&alice).await).collect::<Vec<_>>(), trimmed(want).collect::<Vec<_>>());
    // Each goes on under its own UID, however long that is.
    for (name, text) in ["one", "long"].into_iter().zip(&texts) {
        put(&alice, &there(&format!("{name}.ics")), &text.replace("NEEDS-ACTION", "DECLINED")).await;
    }
    assert_eq!(listed(&alice).await.len(), 3);
    assert!(listed(&alice).await.iter().all(|(_, unread)| *unread == 0));
    // Into somebody else's calendar nothing goes along, and nothing is left to be read.
    let shared = bob.put_json("/api/calendars/bob/default/shares/alice", r#"{"right":"read-write"}"#).await;
    assert_eq!(shared.status, 201, "{shared:?}");
    put(&alice, &there("i.ics"), &invitation("NEEDS-ACTION")).await;
    assert!(listed(&alice).await.contains(&(there("i.ics"), 1)));
    shift(&alice, &there("i.ics"), "/calendars/bob/default/i.ics").await;
    assert!(listed(&alice).await.iter().all(|(_, unread)| *unread == 0), "{:?}", listed(&alice).await);
    assert_eq!(listed(&bob).await, []);
    house.stop().await;
}
