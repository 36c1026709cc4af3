//! The first bell, as the README tells it: a change, an alarm and an import reach a Side client.

use serde_json::json;

use crate::live::{House, event, plain_event};

#[tokio::test(flavor = "multi_thread")]
async fn a_change_an_alarm_and_an_import_reach_a_side_client() {
    let house = House::open().await;
    let alice = house.http("alice");
    let mut socket = house.socket("alice").await;
    socket.register("/calendars/alice/default").await;
    socket.enable_alarms().await;

    let written = alice.put("/calendars/alice/default/tea.ics", &event("tea", "20250115T100000Z", 15)).await;
    assert_eq!(written.status, 201, "{written:?}");
    let push = socket.hear().await;
    let token = push["/calendars/alice/default"]["syncToken"].as_str().expect("a sync token").to_owned();
    assert!(token.starts_with("http://sabre.io/ns/sync/"), "{push}");
    let shown = alice.get("/api/calendars/alice/default").await.json();
    assert_eq!(shown["syncToken"], token.as_str());

    let turned = house.turn("2025-01-15T09:45:00Z").await;
    assert_eq!((&turned["firedCount"], &turned["settled"]), (&json!(1), &json!(true)), "{turned}");
    let alarm = json!({ "alarms": [{
        "eventSummary": "Event tea",
        "eventURL": "/calendars/alice/default/tea.ics",
        "eventStartTime": "2025-01-15T10:00:00Z",
    }] });
    assert_eq!(socket.heard().await, [alarm]);
    house.turn("2025-01-15T12:00:00Z").await;
    assert_eq!(socket.heard().await, Vec::<serde_json::Value>::new());

    let file: String = (0..1_000).map(|n| plain_event(&format!("e{n}"), "20250301T100000Z")).collect();
    let stands = house.import("alice", "/calendars/alice/default", "text/calendar", &file).await;
    assert_eq!((&stands["succeedCount"], &stands["failedCount"]), (&json!(1_000), &json!(0)), "{stands}");
    house.settle().await;
    let heard = socket.heard().await;
    let id = stands["id"].as_str().expect("an id");
    let ended = json!({ "status": "completed", "succeedCount": 1_000, "failedCount": 0 });
    assert_eq!(heard.last().expect("a push"), &json!({ "/calendars/alice/default": { "imports": { id: ended } } }));
    assert!(heard.len() < 64, "an import of a thousand events is not a thousand pushes: {}", heard.len());
    drop(socket);
    house.stop().await;
}
