//! Alarms end to end: who hears them, what waits, acknowledging, snoozing, zones, and a clock turned back.

use serde_json::{Value, json};

use crate::live::{House, event};

const TEN: &str = "20250115T100000Z";

fn summaries(heard: &[Value]) -> Vec<&str> {
    heard.iter().filter_map(|push| push["alarms"][0]["eventSummary"].as_str()).collect()
}

fn urls(heard: &[Value]) -> Vec<&str> {
    heard.iter().filter_map(|push| push["alarms"][0]["eventURL"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alarm_that_nobody_hears_waits_for_somebody_who_does() {
    let house = House::open().await;
    let alice = house.http("alice");
    assert_eq!(alice.put("/calendars/alice/default/a.ics", &event("a", TEN, 15)).await.status, 201);
    let mut deaf = house.socket("alice").await;
    house.turn("2025-01-15T09:50:00Z").await;
    assert_eq!(deaf.heard().await, Vec::<Value>::new());
    let listed = alice.get("/api/alarms").await.json();
    assert_eq!(
        (&listed[0]["state"], &listed[0]["at"]),
        (&json!("waiting"), &json!("2025-01-15T09:45:00Z")),
        "{listed}"
    );

    // A restart in between loses nothing.
    drop(deaf);
    let house = house.reopen("2025-01-15T10:30:00Z").await;
    let mut socket = house.socket("alice").await;
    socket.enable_alarms().await;
    assert_eq!(summaries(&socket.heard().await), ["Event a"]);
    let mut second = house.socket("alice").await;
    second.enable_alarms().await;
    assert_eq!(second.heard().await, Vec::<Value>::new());
    assert_eq!(house.http("alice").get("/api/alarms").await.json()[0]["state"], "told");

    // What is over is not told: the event ended at eleven, an hour after its alarm is past too.
    let carol = house.http("carol");
    assert_eq!(carol.put("/calendars/carol/default/c.ics", &event("c", "20250115T110000Z", 15)).await.status, 201);
    house.turn("2025-01-15T12:00:01Z").await;
    let mut late = house.socket("carol").await;
    late.enable_alarms().await;
    assert_eq!(late.heard().await, Vec::<Value>::new());
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missed_alarm_rings_after_a_downtime_once() {
    let house = House::open().await;
    let alice = house.http("alice");
    let daily = event("d", "20250113T100000Z", 15).replace("SUMMARY", "RRULE:FREQ=DAILY\r\nSUMMARY");
    assert_eq!(alice.put("/calendars/alice/default/d.ics", &daily).await.status, 201);
    // Down for four days: the alarms of three of them are long over, the last one is ten minutes old.
    let house = house.reopen("2025-01-19T09:55:00Z").await;
    let turned = house.turn("2025-01-19T09:55:01Z").await;
    let listed = house.http("alice").get("/api/alarms?from=2025-01-14T00:00:00Z&to=2025-01-20T00:00:00Z").await.json();
    let at: Vec<&str> = listed.as_array().expect("a list").iter().filter_map(|alarm| alarm["at"].as_str()).collect();
    let mine: Vec<&&str> = at.iter().filter(|at| at.ends_with("09:45:00Z")).collect();
    assert_eq!(mine, [&"2025-01-19T09:45:00Z"], "{turned} {listed}");
    let mut socket = house.socket("alice").await;
    socket.enable_alarms().await;
    let heard = socket.heard().await;
    assert_eq!(urls(&heard).iter().filter(|url| url.ends_with("/d.ics")).count(), 1, "{heard:?}");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn delegates_hear_what_they_asked_for_under_their_own_path() {
    let house = House::open().await;
    let (alice, bob) = (house.http("alice"), house.http("bob"));
    let mut owner = house.socket("alice").await;
    let mut delegate = house.socket("bob").await;
    let mut reader = house.socket("carol").await;
    for socket in [&mut owner, &mut delegate, &mut reader] {
        socket.enable_alarms().await;
    }
    let listed = bob.get("/api/calendars").await.json();
    let mirror = listed.as_array().expect("a list").iter().find(|one| one["kind"] == "delegated").expect("a mirror");
    let href = mirror["href"].as_str().expect("a path").to_owned();
    assert_eq!(mirror["alarms"], false);
    let on = bob.patch(&format!("/api{href}"), r#"{"alarms":true}"#).await;
    assert_eq!((on.status, &on.json()["alarms"]), (200, &json!(true)));
    let own = alice.patch("/api/calendars/alice/team", r#"{"alarms":false}"#).await;
    assert_eq!(own.status, 400, "{own:?}");

    assert_eq!(alice.put("/calendars/alice/team/a.ics", &event("a", TEN, 15)).await.status, 201);
    let planned = bob.get("/api/alarms").await.json();
    assert_eq!(planned[0]["eventURL"], format!("{href}/a.ics"));
    house.turn("2025-01-15T09:46:00Z").await;
    assert_eq!(urls(&owner.heard().await), ["/calendars/alice/team/a.ics"]);
    assert_eq!(urls(&delegate.heard().await), [format!("{href}/a.ics")]);
    assert_eq!(urls(&reader.heard().await), Vec::<&str>::new());

    // Who lost the right hears no more, also of what is armed.
    assert_eq!(alice.put("/calendars/alice/team/b.ics", &event("b", "20250115T110000Z", 15)).await.status, 201);
    assert_eq!(alice.delete("/api/calendars/alice/team/shares/bob").await.status, 204);
    house.turn("2025-01-15T10:46:00Z").await;
    assert_eq!(urls(&owner.heard().await), ["/calendars/alice/team/b.ics"]);
    assert_eq!(urls(&delegate.heard().await), Vec::<&str>::new());
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_and_snoozed_on_every_device_at_once() {
    let house = House::open().await;
    let alice = house.http("alice");
    for (uid, start) in [("a", TEN), ("b", "20250115T103000Z")] {
        assert_eq!(alice.put(&format!("/calendars/alice/default/{uid}.ics"), &event(uid, start, 15)).await.status, 201);
    }
    house.turn("2025-01-15T09:45:00Z").await;
    let id = alice.get("/api/alarms").await.json()[0]["id"].as_str().expect("an id").to_owned();
    let snoozed = alice.post(&format!("/api/alarms/{id}/snooze"), r#"{"until":"2025-01-15T09:55:00Z"}"#).await;
    assert_eq!((snoozed.status, &snoozed.json()["until"]), (200, &json!("2025-01-15T09:55:00Z")));
    let mut socket = house.socket("alice").await;
    socket.enable_alarms().await;
    assert_eq!(socket.heard().await, Vec::<Value>::new(), "a snoozed alarm does not wait");
    house.turn("2025-01-15T09:54:59Z").await;
    assert_eq!(socket.heard().await, Vec::<Value>::new());
    house.turn("2025-01-15T09:55:00Z").await;
    assert_eq!(summaries(&socket.heard().await), ["Event a"]);

    // Put off twice, it rings at the second instant only; acknowledged, not at all.
    for until in ["2025-01-15T10:00:00Z", "2025-01-15T10:05:00Z"] {
        let again = alice.post(&format!("/api/alarms/{id}/snooze"), &json!({ "until": until }).to_string()).await;
        assert_eq!(again.status, 200, "{again:?}");
    }
    house.turn("2025-01-15T10:04:00Z").await;
    assert_eq!(socket.heard().await, Vec::<Value>::new());
    assert_eq!(alice.post(&format!("/api/alarms/{id}/ack"), "").await.json()["state"], "acknowledged");
    house.turn("2025-01-15T10:10:00Z").await;
    assert_eq!(socket.heard().await, Vec::<Value>::new());

    // Acknowledged while nobody had heard it: nobody will.
    socket.ask(r#"{"enableDisplayNotification":false}"#).await;
    house.turn("2025-01-15T10:15:00Z").await;
    let listed = alice.get("/api/alarms").await.json();
    let waiting = listed.as_array().expect("a list").iter().find(|one| one["state"] == "waiting").expect("b waits");
    let other = waiting["id"].as_str().expect("an id");
    assert_eq!(house.http("bob").post(&format!("/api/alarms/{other}/ack"), "").await.status, 404);
    assert_eq!(alice.post(&format!("/api/alarms/{other}/ack"), "").await.status, 200);
    socket.enable_alarms().await;
    assert_eq!(socket.heard().await, Vec::<Value>::new());
    for (body, status) in [(r#"{"until":"2025-01-15T09:00:00Z"}"#, 400), (r#"{"until":1}"#, 400), ("", 400)] {
        assert_eq!(alice.post(&format!("/api/alarms/{id}/snooze"), body).await.status, status, "{body}");
    }
    assert_eq!(alice.post("/api/alarms/xyz/ack", "").await.status, 404);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn floating_alarms_follow_their_readers_zone_and_a_clock_can_be_turned_back() {
    let house = House::open().await;
    let alice = house.http("alice");
    let mut socket = house.socket("alice").await;
    socket.enable_alarms().await;
    let floating = event("f", "20250116T100000", 15);
    assert_eq!(alice.put("/calendars/alice/default/f.ics", &floating).await.status, 201);
    let at = async || alice.get("/api/alarms").await.json()[0]["at"].as_str().expect("an instant").to_owned();
    assert_eq!(at().await, "2025-01-16T09:45:00Z");
    assert_eq!(alice.patch("/api/me", r#"{"timezone":"Asia/Tokyo"}"#).await.json()["timezone"], "Asia/Tokyo");
    assert_eq!(at().await, "2025-01-16T00:45:00Z");
    let patched = alice.patch("/api/calendars/alice/default", r#"{"timezone":"America/New_York"}"#).await;
    assert_eq!(patched.status, 200, "{patched:?}");
    assert_eq!(at().await, "2025-01-16T14:45:00Z");
    assert_eq!(alice.patch("/api/me", r#"{"timezone":"Mars/Olympus"}"#).await.status, 400);

    let calm = |heard: Vec<Value>| urls(&heard).iter().filter(|url| url.ends_with("/f.ics")).count();
    house.turn("2025-01-16T14:44:59Z").await;
    assert_eq!(calm(socket.heard().await), 0);
    house.turn("2025-01-16T14:45:00Z").await;
    assert_eq!(calm(socket.heard().await), 1);

    // Back an hour: it lies ahead again, and rings again when its instant comes.
    assert_eq!(house.turn("2025-01-16T13:45:00Z").await["firedCount"], 0);
    assert_eq!(at().await, "2025-01-16T14:45:00Z");
    house.turn("2025-01-16T15:00:00Z").await;
    assert_eq!(calm(socket.heard().await), 1);
    house.stop().await;
}
