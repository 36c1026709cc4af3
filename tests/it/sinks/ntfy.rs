//! ntfy: what is published, and that an alarm that was answered elsewhere leaves the screen.

use serde_json::json;

use crate::live::House;
use crate::sinks::receiver::Receiver;
use crate::sinks::{OPEN, alarm, choose, deliveries, put, until};

const RINGS: &str = "2025-01-15T09:45:00Z";

#[tokio::test(flavor = "multi_thread")]
async fn an_alarm_is_published_and_cleared_when_it_is_answered() {
    let house = House::open_with(&[OPEN[0], OPEN[1], ("sinks.public_url", "https://cal.example.org")]).await;
    let mut server = Receiver::http().await;
    let ntfy = json!({ "ntfy": { "url": server.url("/alarms"), "token": "tk_x" } });
    assert_eq!(choose(&house, "alice", ntfy).await["ntfy"], json!({ "url": server.url("/alarms"), "token": true }));
    put(&house, "alice", "/calendars/alice/default/a.ics", &alarm("a", "Tea", "ACTION:DISPLAY")).await;
    house.turn(RINGS).await;
    let id = house.http("alice").get("/api/alarms").await.json()[0]["id"].as_str().expect("an id").to_owned();
    let [request] = server.heard().try_into().expect("exactly one request, without waiting");
    assert_eq!(request.line, "POST /alarms HTTP/1.1");
    let rows = [
        ("title", "Tea"),
        ("priority", "4"),
        ("tags", "alarm_clock"),
        ("click", "https://cal.example.org/calendars/alice/default/a.ics"),
        ("x-sequence-id", &*id),
        ("authorization", "Bearer tk_x"),
        ("content-type", "text/plain; charset=utf-8"),
    ];
    for (name, want) in rows {
        assert_eq!(request.header(name), want, "{name}");
    }
    assert_eq!(request.body, "Wed 15 January 2025, 10:00 (UTC)");

    // Put off: it leaves the screen, and comes back under the same id. Acknowledged: it leaves for good. An old server is no matter.
    let snooze = format!("/api/alarms/{id}/snooze");
    assert_eq!(house.http("alice").post(&snooze, r#"{"until":"2025-01-15T09:55:00Z"}"#).await.status, 200);
    let cleared = server.hear().await;
    assert_eq!(cleared.line, format!("PUT /alarms/{id}/clear HTTP/1.1"));
    assert_eq!(cleared.header("authorization"), "Bearer tk_x");
    house.turn("2025-01-15T09:55:00Z").await;
    assert_eq!(server.hear().await.header("x-sequence-id"), id);
    server.answer(&["404"]);
    assert_eq!(house.http("alice").post(&format!("/api/alarms/{id}/ack"), "").await.status, 200);
    assert_eq!(server.hear().await.line, format!("PUT /alarms/{id}/clear HTTP/1.1"));
    until(&house, "alice", "waiting", 0).await;
    assert_eq!(deliveries(&house, "alice", "dead").await.len(), 0);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn titles_are_plain_or_encoded_and_sounds_ring_through() {
    let house = House::open_with(&OPEN).await;
    let mut server = Receiver::http().await;
    choose(&house, "alice", json!({ "ntfy": { "url": server.url("/alarms") } })).await;
    put(&house, "alice", "/calendars/alice/default/a.ics", &alarm("a", "Grüße\\nX-Evil: 1", "ACTION:AUDIO")).await;
    house.turn(RINGS).await;
    let request = server.hear().await;
    assert_eq!(request.header("title"), "=?UTF-8?B?R3LDvMOfZSBYLUV2aWw6IDE=?=");
    assert_eq!((request.header("x-evil"), request.header("priority"), request.header("click")), ("", "5", ""));
    assert_eq!(request.header("authorization"), "");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_before_it_arrived_is_not_shown_any_more() {
    let house = House::open_with(&[OPEN[0]]).await;
    let mut server = Receiver::http().await;
    server.answer(&["503"]);
    choose(&house, "alice", json!({ "ntfy": { "url": server.url("/alarms") } })).await;
    put(&house, "alice", "/calendars/alice/default/a.ics", &alarm("a", "Tea", "ACTION:DISPLAY")).await;
    house.turn(RINGS).await;
    let id = house.http("alice").get("/api/alarms").await.json()[0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(house.http("alice").post(&format!("/api/alarms/{id}/ack"), "").await.status, 200);
    let house = house.reopen_with(RINGS, &OPEN).await;
    until(&house, "alice", "waiting", 0).await;
    let lines: Vec<String> = server.heard().into_iter().map(|request| request.line).collect();
    assert_eq!(lines.iter().filter(|line| line.starts_with("POST")).count(), 1, "{lines:?}");
    house.stop().await;
}
