//! Organisations, groups and presence over HTTP: who may do what, numbers, overrides with an end, the telephone system's feed.

use serde_json::{Value, json};

use crate::live::presence::Ear;
use crate::live::{House, event, plain_event};
use campanile::domain::presence::Status;

const ALICE: &str = "/api/organisations/demo/users/alice";
const TEAM: &str = "/api/organisations/demo/groups/team";

async fn add(house: &House, name: &str) {
    let body = json!({ "name": name, "password": name, "email": format!("{name}@campanile.example") });
    assert_eq!(house.http("admin").post("/api/users", &body.to_string()).await.status, 201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_has_its_numbers_and_strangers_see_nothing() {
    let house = House::open().await;
    add(&house, "dora").await;
    let (admin, bob, dora) = (house.http("admin"), house.http("bob"), house.http("dora"));
    let alice = bob.get("/api/organisations/1/users/1").await.json();
    assert_eq!((&alice["id"], &alice["numericId"], &alice["principal"]), (&json!("alice"), &json!(1), &json!("alice")));
    let team = bob.get("/api/organisations/1/groups/1").await.json();
    assert_eq!((&team["id"], &team["members"]), (&json!("team"), &json!(["alice", "bob", "carol"])));
    // Who was never put anywhere is in the default organisation.
    let own = dora.get("/api/organisations/default/users/dora").await.json();
    assert_eq!((own["numericId"].as_u64(), &own["organisation"]), (Some(1), &json!("default")));
    for path in ["/api/organisations/demo", ALICE, TEAM, &format!("{ALICE}/presence"), &format!("{TEAM}/presence")] {
        assert_eq!(dora.get(path).await.status, 403, "{path}");
        assert_eq!(house.anonymous().get(path).await.status, 401, "{path}");
        assert_eq!(admin.get(path).await.status, 200, "{path}");
    }
    assert_eq!(admin.get("/api/organisations/nowhere").await.status, 404);
    for path in ["/api/organisations/mine", "/api/organisations/demo/users/bob", TEAM] {
        assert_eq!(bob.put_json(path, "{}").await.status, 403, "{path}");
        assert_eq!(bob.delete(path).await.status, 403, "{path}");
    }
    // A group without bob in it is not for bob, until he is a viewer.
    let path = "/api/organisations/demo/groups/board";
    let body = json!({ "name": "Board", "members": ["alice", 3] }).to_string();
    let made = admin.put_json(path, &body).await;
    assert_eq!((made.status, &made.json()["numericId"]), (201, &json!(2)));
    assert_eq!(bob.get(path).await.status, 403);
    assert_eq!(admin.put_json(path, r#"{"viewers":["bob"]}"#).await.status, 200);
    let board = bob.get(path).await.json();
    assert_eq!((&board["members"], &board["viewers"]), (&json!(["alice", "carol"]), &json!(["bob"])));
    let snapshot = bob.get(&format!("{path}/presence")).await.json();
    assert_eq!(snapshot["summary"]["totalMembers"], 2);
    for (body, status) in [
        (r#"{"members":["nobody"]}"#, 400),
        (r#"{"numericId":1}"#, 400),
        (r#"{"numericId":0}"#, 400),
        (r#"{"colour":"red"}"#, 400),
    ] {
        assert_eq!(admin.put_json(path, body).await.status, status, "{body}");
    }
    assert_eq!(admin.put_json("/api/organisations/demo/groups/other", r#"{"numericId":1}"#).await.status, 409);
    // Moved into another organisation: gone from here, and from its groups.
    let made = admin.put_json("/api/organisations/org-12345", r#"{"numericId":12345,"name":"Sales"}"#).await;
    assert_eq!(made.status, 201, "{made:?}");
    let moved =
        admin.put_json("/api/organisations/12345/users/user-67890", r#"{"principal":"carol","numericId":67890}"#).await;
    assert_eq!((moved.status, &moved.json()["displayName"]), (201, &json!("Carol Cooper")));
    assert_eq!(bob.get("/api/organisations/demo/users/carol").await.status, 404);
    assert_eq!(bob.get(&format!("{path}/presence")).await.json()["summary"]["totalMembers"], 1);
    assert_eq!(house.http("carol").get(ALICE).await.status, 403);
    assert_eq!(admin.delete("/api/organisations/org-12345").await.status, 204);
    assert_eq!(house.http("carol").get("/api/organisations/default/users/carol").await.status, 200);
    // Somebody who is removed leaves their groups.
    assert_eq!(admin.delete("/api/users/alice").await.status, 204);
    assert_eq!(bob.get(TEAM).await.json()["members"], json!(["bob"]));
    assert_eq!(admin.delete("/api/organisations/default").await.status, 403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_people_say_wins_until_its_time_is_over() {
    use Status::{Available, Away, Busy, Dnd, OnCall};
    let house = House::open().await;
    let ear = Ear::open(&house).await;
    let (alice, bob) = (house.http("alice"), house.http("bob"));
    let path = format!("{ALICE}/presence");
    let dnd = r#"{"status":"dnd","statusMessage":"Writing","until":"2025-01-15T12:00:00Z"}"#;
    assert_eq!(bob.put_json(&path, dnd).await.status, 403);
    let said = alice.put_json(&path, dnd).await;
    assert_eq!((said.status, &said.json()["override"]["until"]), (200, &json!("2025-01-15T12:00:00.000Z")));
    ear.hears(&house, Available, Dnd, 2).await;
    let seen = bob.get(&path).await.json();
    assert_eq!(
        (&seen["status"], &seen["statusMessage"], &seen["override"]),
        (&json!("dnd"), &json!("Writing"), &Value::Null)
    );
    // Said again: nobody is told.
    assert_eq!(alice.put_json(&path, dnd).await.status, 200);
    ear.hears_nothing(&house).await;
    // An event begins below it, and shows when it ends.
    assert_eq!(alice.put("/calendars/alice/default/e.ics", &plain_event("e", "20250115T113000Z")).await.status, 201);
    house.turn("2025-01-15T11:45:00Z").await;
    ear.hears_nothing(&house).await;
    let house = house.reopen("2025-01-15T11:59:59Z").await;
    let ear = Ear::open(&house).await;
    let (alice, admin) = (house.http("alice"), house.http("admin"));
    house.turn("2025-01-15T12:00:00Z").await;
    ear.hears(&house, Dnd, Busy, 2).await;
    assert_eq!(admin.put_json(&path, r#"{"status":"away"}"#).await.status, 200);
    ear.hears(&house, Busy, Away, 2).await;
    assert_eq!(alice.delete(&path).await.status, 204);
    ear.hears(&house, Away, Busy, 2).await;
    for body in [r#"{"status":"asleep"}"#, r#"{"status":"away","until":"2025-01-15T11:00:00Z"}"#, r#"{}"#] {
        assert_eq!(alice.put_json(&path, body).await.status, 400, "{body}");
    }
    // The telephone rings, is answered, and is hung up.
    let feed = format!("{ALICE}/call");
    let call =
        |word: &str| json!({ "presence": word, "logicalDirection": "Inbound", "callChannelUUID": "c1" }).to_string();
    assert_eq!(house.http("bob").put_json(&feed, &call("RINGING")).await.status, 403);
    assert_eq!(admin.put_json(&feed, &call("RINGING")).await.status, 200);
    ear.hears(&house, Busy, OnCall, 2).await;
    house.turn("2025-01-15T12:01:00Z").await;
    let answered = admin.put_json(&feed, &call("ANSWERED")).await.json();
    assert_eq!(answered["activeCall"]["since"], "2025-01-15T12:01:00.000Z");
    ear.hears(&house, OnCall, OnCall, 2).await;
    assert_eq!(admin.delete(&feed).await.status, 204);
    ear.hears(&house, OnCall, Busy, 2).await;
    assert_eq!(admin.put_json(&feed, &call("HUMMING")).await.status, 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_who_is_there_is_available_where_that_is_asked() {
    let house = House::open_with(&[("presence.require_connection", "true")]).await;
    let path = format!("{ALICE}/presence");
    let status = async |house: &House| house.http("admin").get(&path).await.json()["status"].clone();
    house.turn("2025-01-15T10:00:00Z").await;
    assert_eq!(status(&house).await, "offline", "alice turned the clock an hour ago");
    let http = house.http("bob");
    assert_eq!(house.http("alice").get("/api/me").await.status, 200);
    assert_eq!(status(&house).await, "available");
    assert_eq!(http.patch("/api/clock", r#"{"advance":"PT4M59S"}"#).await.status, 200);
    assert_eq!(status(&house).await, "available");
    assert_eq!(http.patch("/api/clock", r#"{"advance":"PT1S"}"#).await.status, 200);
    assert_eq!(status(&house).await, "offline");
    let socket = house.socket("alice").await;
    assert_eq!(http.patch("/api/clock", r#"{"advance":"P1D"}"#).await.status, 200);
    assert_eq!(status(&house).await, "available");
    drop(socket);
    while house.running().hub.count() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(http.patch("/api/clock", r#"{"advance":"PT5M"}"#).await.status, 200);
    assert_eq!(status(&house).await, "offline");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_counts_what_waits_and_a_conference_may_ring() {
    let house = House::open_with(&[("presence.ringing_on_alarm", "true")]).await;
    assert_eq!(house.http("admin").put_json(TEAM, r#"{"queue":true}"#).await.status, 200);
    let asked = "ORGANIZER:mailto:bob@campanile.example\r\nATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:alice@campanile.example\r\nEND:VEVENT";
    let invitation = plain_event("ask", "20250115T120000Z").replace("END:VEVENT", asked);
    let alice = house.http("alice");
    assert_eq!(alice.put("/calendars/alice/default/ask.ics", &invitation).await.status, 201);
    let lines = "CONFERENCE;FEATURE=VIDEO:https://meet.example/1\r\nBEGIN:VALARM";
    let call = event("call", "20250115T093000Z", 15).replacen("BEGIN:VALARM", lines, 1);
    assert_eq!(alice.put("/calendars/alice/default/call.ics", &call).await.status, 201);
    house.turn("2025-01-15T09:15:30Z").await;
    let metrics = house.http("bob").get(&format!("{TEAM}/presence")).await.json()["queueMetrics"].clone();
    assert_eq!(metrics, json!({ "callsWaiting": 2, "averageWaitTime": 480, "longestWaitTime": 930 }));
    let seen = house.http("bob").get(&format!("{ALICE}/presence")).await.json();
    assert_eq!((&seen["status"], &seen["activeCall"]["presence"]), (&json!("available"), &json!("RINGING")));
    house.turn("2025-01-15T09:16:00Z").await;
    assert_eq!(house.http("bob").get(&format!("{ALICE}/presence")).await.json()["activeCall"], Value::Null);
    let said = invitation.replace("NEEDS-ACTION", "ACCEPTED");
    assert_eq!(alice.put("/calendars/alice/default/ask.ics", &said).await.status, 204);
    let metrics = house.http("bob").get(&format!("{TEAM}/presence")).await.json()["queueMetrics"].clone();
    assert_eq!(metrics["callsWaiting"], 1);
}
