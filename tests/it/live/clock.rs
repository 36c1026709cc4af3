//! Turning the clock over HTTP: where it may go, what it sets off, whom it waits for.

use std::sync::Arc;

use campanile::app;
use campanile::system::clock::SystemClock;
use campanile::system::pace;
use serde_json::{Value, json};

use crate::live::client::{Http, PATIENCE, Socket};
use crate::live::{House, configured, event, plain_event};

const MEMORY: (&str, &str) = ("store.engine", "memory");

/// The instants at which an object's alarms fired.
fn fired<'a>(turned: &'a Value, name: &str) -> Vec<&'a str> {
    let all = turned["fired"].as_array().expect("a list").iter();
    let of = all.filter(|alarm| alarm["eventURL"].as_str().is_some_and(|url| url.ends_with(name)));
    of.filter_map(|alarm| alarm["at"].as_str()).collect()
}

async fn put(house: &House, name: &str, text: &str) {
    let kept = house.http("alice").put(&format!("/calendars/alice/default/{name}"), text).await;
    assert_eq!(kept.status, 201, "{kept:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_goes_where_it_is_told() {
    let house = House::open_with(&[MEMORY]).await;
    let alice = house.http("alice");
    for (body, now) in [
        (r#"{"set":"2025-01-15T09:10:00Z"}"#, "2025-01-15T09:10:00Z"),
        (r#"{"set":"2025-01-15T11:20:00+02:00"}"#, "2025-01-15T09:20:00Z"),
        (r#"{"set":"2025-01-15T04:30:00-05:00"}"#, "2025-01-15T09:30:00Z"),
        (r#"{"set":"2025-01-15T09:40:00.250Z"}"#, "2025-01-15T09:40:00Z"),
        (r#"{"advance":"PT15M"}"#, "2025-01-15T09:55:00Z"),
        (r#"{"advance":"PT0S"}"#, "2025-01-15T09:55:00Z"),
        (r#"{"advance":"P1DT1H"}"#, "2025-01-16T10:55:00Z"),
        (r#"{"advance":"P2W"}"#, "2025-01-30T10:55:00Z"),
        (r#"{"set":"2024-02-29T00:00:00Z"}"#, "2024-02-29T00:00:00Z"),
    ] {
        let turned = alice.patch("/api/clock", body).await;
        assert_eq!((turned.status, &turned.json()["now"]), (200, &json!(now)), "{body}: {turned:?}");
        assert_eq!(turned.json()["settled"], true, "{body}");
        let shown = house.http("bob").get("/api/clock").await.json();
        assert_eq!(shown, json!({ "now": now, "mode": "manual" }), "{body}");
    }
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_does_not_understand_leaves_it_alone() {
    let house = House::open_with(&[MEMORY]).await;
    let alice = house.http("alice");
    for body in [
        "",
        "{}",
        "[]",
        "tomorrow",
        r#"{"set":null}"#,
        r#"{"set":1736935800}"#,
        r#"{"set":"tomorrow"}"#,
        r#"{"set":"2025-01-15"}"#,
        r#"{"set":"2025-01-15T10:00:00"}"#,
        r#"{"set":"2025-02-30T10:00:00Z"}"#,
        r#"{"set":"+12025-01-15T10:00:00Z"}"#,
        r#"{"advance":"15 minutes"}"#,
        r#"{"advance":"-PT15M"}"#,
        r#"{"advance":"P1Y"}"#,
        r#"{"advance":15}"#,
        r#"{"advance":"P3000000D"}"#,
        r#"{"advance":"P99999999999999D"}"#,
        r#"{"set":"2025-01-15T10:00:00Z","advance":"PT15M"}"#,
        r#"{"set":"2025-01-15T10:00:00Z","speed":2}"#,
    ] {
        let refused = alice.patch("/api/clock", body).await;
        assert_eq!(refused.status, 400, "{body}: {refused:?}");
        assert_eq!(refused.header("content-type"), "application/problem+json", "{body}");
    }
    let stranger = Http::anonymous(house.base()).patch("/api/clock", r#"{"advance":"PT1H"}"#).await;
    assert_eq!(stranger.status, 401);
    assert_eq!(alice.get("/api/clock").await.json()["now"], "2025-01-15T09:00:00Z");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_machines_clock_cannot_be_turned() {
    let dir = tempfile::tempdir().expect("a directory");
    let running = app::start(&configured(&dir, &[MEMORY]), Arc::new(SystemClock)).await.expect("it starts");
    running.service.fill_demo().await.expect("the demo is filled");
    let alice = Http::new(&running.addresses.first().expect("it listens").to_string(), "alice");
    assert_eq!(alice.get("/api/clock").await.json()["mode"], "system");
    for body in [r#"{"advance":"PT1H"}"#, r#"{"set":"2025-01-15T10:00:00Z"}"#] {
        assert_eq!(alice.patch("/api/clock", body).await.status, 404, "{body}");
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn backwards_rings_nothing_and_plans_anew() {
    let house = House::open_with(&[MEMORY]).await;
    let daily = event("d", "20250115T100000Z", 15).replace("SUMMARY", "RRULE:FREQ=DAILY\r\nSUMMARY");
    put(&house, "d.ics", &daily).await;
    let mut socket = house.socket("alice").await;
    socket.enable_alarms().await;
    let forth = house.turn("2025-01-18T09:00:00Z").await;
    assert_eq!(fired(&forth, "d.ics").len(), 3, "{forth}");
    socket.heard().await;

    let back = house.turn("2025-01-16T09:44:59Z").await;
    assert_eq!((&back["firedCount"], &back["fired"], &back["settled"]), (&json!(0), &json!([]), &json!(true)));
    assert_eq!(socket.heard().await, Vec::<Value>::new());
    // Before the first of them, and to a time before any event.
    for to in ["2025-01-15T09:00:00Z", "1999-12-31T23:59:59Z"] {
        assert_eq!(house.turn(to).await["firedCount"], 0, "{to}");
    }
    let again = house.turn("2025-01-16T10:00:00Z").await;
    assert_eq!(fired(&again, "d.ics"), ["2025-01-15T09:45:00Z", "2025-01-16T09:45:00Z"], "{again}");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_year_is_served_instant_by_instant() {
    let house = House::open_with(&[MEMORY, ("calendar.default_timezone", "Europe/Paris")]).await;
    let daily = event("d", "20250115T100000Z", 15).replace("SUMMARY", "RRULE:FREQ=DAILY\r\nSUMMARY");
    put(&house, "d.ics", &daily).await;
    let mut socket = house.socket("alice").await;
    socket.enable_alarms().await;
    let turned = house.turn("2026-01-15T09:00:00Z").await;
    let at = fired(&turned, "d.ics");
    assert_eq!((at.len(), at.first(), at.last()), (365, Some(&"2025-01-15T09:45:00Z"), Some(&"2026-01-14T09:45:00Z")));
    assert_eq!(turned["settled"], true);
    let listed = turned["fired"].as_array().expect("a list");
    assert_eq!(turned["firedCount"], listed.len());
    let instants: Vec<&str> = listed.iter().filter_map(|alarm| alarm["at"].as_str()).collect();
    assert!(instants.is_sorted(), "{instants:?}");
    let heard = socket.heard().await;
    let starts = heard.iter().filter_map(|push| push["alarms"][0]["eventStartTime"].as_str());
    assert!(starts.clone().count() >= 365 && starts.is_sorted(), "pushed in the order of their instants");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_are_listed_and_all_are_counted() {
    let house = House::open_with(&[MEMORY]).await;
    let file: String = (0..1_010).map(|n| event(&format!("e{n}"), "20250115T100000Z", 15)).collect();
    let stands = house.import("alice", "/calendars/alice/default", "text/calendar", &file).await;
    assert_eq!(stands["created"], 1_010, "{stands}");
    let turned = house.turn("2025-01-15T09:45:00Z").await;
    assert_eq!(turned["fired"].as_array().expect("a list").len(), 1_000);
    assert_eq!((&turned["firedCount"], &turned["settled"]), (&json!(1_010), &json!(true)));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn turns_come_one_after_another() {
    let house = House::open_with(&[MEMORY]).await;
    for (n, minute) in [(0, "0915"), (1, "0930"), (2, "0945"), (3, "1000")] {
        put(&house, &format!("e{n}.ics"), &event(&format!("e{n}"), &format!("20250115T{minute}00Z"), 5)).await;
    }
    let mut socket = house.socket("alice").await;
    socket.enable_alarms().await;
    let (alice, bob) = (house.http("alice"), house.http("bob"));
    let quarter = r#"{"advance":"PT15M"}"#;
    let (one, two, three, four) = tokio::join!(
        alice.patch("/api/clock", quarter),
        bob.patch("/api/clock", quarter),
        alice.patch("/api/clock", quarter),
        bob.patch("/api/clock", quarter),
    );
    let mut turns = [one.json(), two.json(), three.json(), four.json()];
    turns.sort_by_key(|turn| turn["now"].as_str().expect("an instant").to_owned());
    for (turn, (now, name)) in turns.iter().zip([("09:15", "e0"), ("09:30", "e1"), ("09:45", "e2"), ("10:00", "e3")]) {
        assert_eq!(turn["now"], format!("2025-01-15T{now}:00Z"), "{turns:?}");
        assert_eq!((&turn["firedCount"], &turn["settled"]), (&json!(1), &json!(true)), "{turns:?}");
        assert_eq!(fired(turn, &format!("{name}.ics")).len(), 1, "{turns:?}");
    }
    assert_eq!(alice.get("/api/clock").await.json()["now"], "2025-01-15T10:00:00Z");
    let heard = socket.heard().await;
    let summaries: Vec<_> = heard.iter().filter_map(|push| push["alarms"][0]["eventSummary"].as_str()).collect();
    assert_eq!(summaries, ["Event e0", "Event e1", "Event e2", "Event e3"]);
    house.stop().await;
}

/// A socket of alice's that hears alarms and then reads no more, and more alarms at a quarter to ten than its kernel takes.
async fn stalled(house: &House) -> Socket {
    let ticket = house.http("alice").post("/ws/ticket", "").await.json();
    let mut socket = Socket::open_narrow(house.base(), ticket["value"].as_str().expect("a ticket")).await;
    socket.hear().await;
    socket.enable_alarms().await;
    let long = "Lorem ipsum ".repeat(1_500);
    let file = |n| event(&format!("e{n}"), "20250115T100000Z", 15).replace("SUMMARY:", &format!("SUMMARY:{long}"));
    let file: String = (0..50).map(file).collect();
    let stands = house.import("alice", "/calendars/alice/default", "text/calendar", &file).await;
    assert_eq!(stands["created"], 50, "{stands}");
    socket
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_stalls_is_closed_and_the_turn_is_settled() {
    // Once by the deadline of what is written, once by the bound of what waits.
    for limit in [("websocket.write_seconds", "1"), ("websocket.queue_bytes", "600000")] {
        let house = House::open_with(&[MEMORY, limit]).await;
        let mut socket = stalled(&house).await;
        let turned = house.turn("2025-01-15T09:45:00Z").await;
        assert_eq!((&turned["firedCount"], &turned["settled"]), (&json!(50), &json!(true)), "{limit:?}");
        // Its leave is short; nobody waits for it but this test.
        let gone = async {
            while house.running().hub.count() > 0 {
                tokio::task::yield_now().await;
            }
        };
        pace::within(PATIENCE, gone).await.expect("it is closed");
        // Reading on, the client finds the end: with a word if it read while there was somebody to say it.
        assert!(matches!(socket.closed().await, None | Some(1013)), "{limit:?}");
        house.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_runs_out_of_patience_says_so_and_delays_nobody_else() {
    let house = House::open_with(&[MEMORY, ("websocket.write_seconds", "600"), ("clock.patience_seconds", "1")]).await;
    let socket = stalled(&house).await;
    put(&house, "later.ics", &event("later", "20250115T103000Z", 15)).await;
    put(&house, "quiet.ics", &plain_event("quiet", "20250115T103000Z")).await;
    let mut reader = house.socket("alice").await;
    reader.enable_alarms().await;
    let turning = tokio::spawn({
        let alice = house.http("alice");
        async move { alice.patch("/api/clock", r#"{"set":"2025-01-15T10:20:00Z"}"#).await.json() }
    });
    for _ in 0..51 {
        assert!(reader.hear().await["alarms"].is_array());
    }
    let turned = turning.await.expect("an answer");
    assert_eq!((&turned["firedCount"], &turned["settled"]), (&json!(51), &json!(false)));
    assert_eq!((&turned["now"], fired(&turned, "later.ics").len()), (&json!("2025-01-15T10:20:00Z"), 1));
    // When the one that stalls is gone, the next turn has nothing to wait for.
    drop(socket);
    let again = house.turn("2025-01-15T10:21:00Z").await;
    assert_eq!((&again["firedCount"], &again["settled"]), (&json!(0), &json!(true)));
    house.stop().await;
}
