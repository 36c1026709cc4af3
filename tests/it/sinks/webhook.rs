//! The webhook: what is sent and how it is signed, retries, giving up, stopping, crashes, addresses that are closed.

use campanile::domain::alarm::Action;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::live::House;
use crate::sinks::receiver::{Receiver, Request};
use crate::sinks::{OPEN, alarm, choose, deliveries, put, until};

const RINGS: &str = "2025-01-15T09:45:00Z";

async fn rings_for_alice(house: &House, receiver: &Receiver<Request>) -> String {
    let chosen = choose(house, "alice", json!({ "webhook": { "url": receiver.url("/hook?a=b") } })).await;
    put(house, "alice", "/calendars/alice/default/tea.ics", &alarm("tea", "Tea", "ACTION:DISPLAY")).await;
    chosen["webhook"]["secret"].as_str().expect("a secret").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alarm_is_posted_signed_before_its_turn_of_the_clock_ends() {
    let house = House::open_with(&OPEN).await;
    let mut receiver = Receiver::http().await;
    let secret = rings_for_alice(&house, &receiver).await;
    assert_eq!(house.turn(RINGS).await["settled"], true);
    let [request] = receiver.heard().try_into().expect("exactly one request, without waiting");
    assert_eq!(request.line, "POST /hook?a=b HTTP/1.1");
    assert_eq!(request.header("host"), format!("127.0.0.1:{}", receiver.port));
    assert_eq!(request.header("content-type"), "application/json");
    assert_eq!(request.header("campanile-timestamp"), "1736934300");
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key");
    mac.update(format!("1736934300.{}", request.body).as_bytes());
    let signature: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(request.header("campanile-signature"), format!("v1={signature}"));
    let listed = house.http("alice").get("/api/alarms").await.json();
    let want = json!({
        "type": "alarm",
        "id": request.header("idempotency-key"),
        "user": "alice",
        "alarmId": listed[0]["id"],
        "at": RINGS,
        "action": Action::Display.as_str(),
        "eventSummary": "Tea",
        "eventURL": "/calendars/alice/default/tea.ics",
        "eventStartTime": "2025-01-15T10:00:00Z",
        "eventEndTime": "2025-01-15T11:00:00Z",
    });
    assert_eq!(request.json(), want);
    assert_eq!(house.http("alice").get("/api/deliveries").await.json(), json!([]));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_receiver_is_asked_again_under_the_same_id() {
    let house = House::open_with(&OPEN).await;
    let mut receiver = Receiver::http().await;
    receiver.answer(&["503", "429 retry-after: 0", "500"]);
    rings_for_alice(&house, &receiver).await;
    house.turn(RINGS).await;
    let first = receiver.hear().await;
    for _ in 0..3 {
        let again = receiver.hear().await;
        assert_eq!((again.header("idempotency-key"), &again.body), (first.header("idempotency-key"), &first.body));
    }
    until(&house, "alice", "waiting", 0).await;
    assert_eq!(deliveries(&house, "alice", "dead").await, Vec::<Value>::new());
    assert_eq!(receiver.heard(), []);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_or_fails_too_often_is_listed_and_can_be_tried_anew() {
    let house = House::open_with(&[OPEN[0], OPEN[1], ("sinks.attempts", "3")]).await;
    let mut receiver = Receiver::http().await;
    receiver.answer(&["400", "500", "500", "500", "301 location: http://127.0.0.1/x"]);
    rings_for_alice(&house, &receiver).await;
    house.turn(RINGS).await;
    let dead = deliveries(&house, "alice", "dead").await;
    let told = (&dead[0]["attempts"], &dead[0]["why"], &dead[0]["channel"], &dead[0]["state"]);
    assert_eq!(told, (&json!(1), &json!("the receiver answered 400"), &json!("webhook"), &json!("dead")));
    let first = receiver.hear().await;

    // Others do not see it, nor can they try it; an administrator can.
    let id = dead[0]["id"].as_str().expect("an id");
    assert_eq!(id, first.header("idempotency-key"));
    let retry = format!("/api/deliveries/{id}/retry");
    assert_eq!(deliveries(&house, "bob", "dead").await, Vec::<Value>::new());
    assert_eq!(house.http("bob").post(&retry, "").await.status, 404);
    assert_eq!(house.http("alice").post("/api/deliveries/7/retry", "").await.status, 404);
    assert_eq!(deliveries(&house, "admin", "dead").await, dead);
    assert_eq!(house.http("admin").post(&retry, "").await.status, 202);
    for _ in 0..3 {
        assert_eq!(receiver.hear().await.body, first.body);
    }
    assert_eq!(until(&house, "alice", "dead", 1).await[0]["attempts"], 3);
    for (why, left) in [("the receiver answered 301: redirects are not followed", 1), ("", 0)] {
        assert_eq!(house.http("alice").post(&retry, "").await.status, 202);
        assert_eq!(receiver.hear().await.header("idempotency-key"), id);
        until(&house, "alice", "waiting", 0).await;
        let dead = until(&house, "alice", "dead", left).await;
        assert_eq!(dead.first().map_or("", |one| one["why"].as_str().expect("a reason")), why);
    }
    assert_eq!(house.http("alice").post(&retry, "").await.status, 404);
    assert_eq!(house.http("alice").get("/api/deliveries?state=lost").await.status, 400);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_hangs_delays_nobody_else() {
    let house = House::open_with(&[OPEN[0], ("sinks.timeout_seconds", "1")]).await;
    let (mut dead, mut well) = (Receiver::http().await, Receiver::http().await);
    // More than one person may have out at a time.
    dead.answer(&["hang"; 6]);
    choose(&house, "alice", json!({ "webhook": { "url": dead.url("/") } })).await;
    choose(&house, "bob", json!({ "webhook": { "url": well.url("/") } })).await;
    for number in 0..6 {
        let path = format!("/calendars/alice/default/{number}.ics");
        put(&house, "alice", &path, &alarm(&number.to_string(), "Tea", "ACTION:DISPLAY")).await;
    }
    put(&house, "bob", "/calendars/bob/default/b.ics", &alarm("b", "Tea", "ACTION:DISPLAY")).await;
    let mut socket = house.socket("alice").await;
    socket.enable_alarms().await;
    // The turn waits for each first attempt, the socket and bob's receiver do not.
    let (turned, ()) = tokio::join!(house.turn(RINGS), async {
        for _ in 0..6 {
            assert!(socket.hear().await["alarms"][0]["eventSummary"] == "Tea");
        }
        assert_eq!(well.hear().await.json()["user"], "bob");
    });
    assert_eq!(turned["settled"], true);
    assert_eq!(dead.heard().len(), 6);
    let waiting = deliveries(&house, "alice", "waiting").await;
    assert_eq!(waiting.len(), 6);
    assert_eq!((&waiting[0]["attempts"], &waiting[0]["why"]), (&json!(1), &json!("no answer within 1 seconds")));
    assert_eq!(deliveries(&house, "bob", "waiting").await, Vec::<Value>::new());
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_holds_no_turn_of_the_clock() {
    // Longer than a turn would wait.
    let house = House::open_with(&[OPEN[0], OPEN[1], ("sinks.timeout_seconds", "600")]).await;
    let mut receiver = Receiver::http().await;
    receiver.answer(&["503", "hang"]);
    rings_for_alice(&house, &receiver).await;
    assert_eq!(house.turn(RINGS).await["settled"], true);
    assert_eq!(receiver.hear().await, receiver.hear().await);
    let later = alarm("later", "Later", "ACTION:DISPLAY").replace("T100000Z", "T120000Z");
    put(&house, "alice", "/calendars/alice/default/later.ics", &later).await;
    assert_eq!(house.turn("2025-01-15T11:45:00Z").await["settled"], true);
    assert_eq!(receiver.heard().len(), 1, "the next alarm is there, beside the one that hangs");
    assert_eq!(deliveries(&house, "alice", "waiting").await.len(), 1);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_gone_stops_its_webhook() {
    let house = House::open_with(&OPEN).await;
    let mut receiver = Receiver::http().await;
    receiver.answer(&["410"]);
    let secret = rings_for_alice(&house, &receiver).await;
    house.turn(RINGS).await;
    assert_eq!(deliveries(&house, "alice", "dead").await.len(), 1);
    let stopped = house.http("alice").get("/api/me").await.json()["channels"]["webhook"].clone();
    assert_eq!(stopped, json!({ "url": receiver.url("/hook?a=b"), "stopped": RINGS }));
    let later = alarm("later", "Later", "ACTION:DISPLAY").replace("T100000Z", "T120000Z");
    put(&house, "alice", "/calendars/alice/default/later.ics", &later).await;
    house.turn("2025-01-15T11:45:00Z").await;
    assert_eq!(receiver.heard().len(), 1);
    assert_eq!(deliveries(&house, "alice", "dead").await.len(), 1);

    // Set anew it goes on, under a new secret; what was given up can be tried again.
    let again = rings_again(&house, &receiver).await;
    assert_ne!(again["secret"], secret);
    assert_eq!(again["stopped"], Value::Null);
    let id = deliveries(&house, "alice", "dead").await[0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(house.http("alice").post(&format!("/api/deliveries/{id}/retry"), "").await.status, 202);
    assert_eq!(receiver.hear().await.json()["eventSummary"], "Tea");
    house.stop().await;
}

async fn rings_again(house: &House, receiver: &Receiver<Request>) -> Value {
    choose(house, "alice", json!({ "webhook": { "url": receiver.url("/hook?a=b") } })).await["webhook"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_delivered_is_delivered_after_a_restart() {
    // Put off by its receiver, and broken off in the middle of an attempt of which nobody knows how it went.
    for answer in ["503", "hang"] {
        let house = House::open_with(&[OPEN[0], ("http.shutdown_seconds", "1")]).await;
        let mut receiver = Receiver::http().await;
        receiver.answer(&[answer]);
        rings_for_alice(&house, &receiver).await;
        let first = tokio::select! {
            biased;
            first = receiver.hear() => first,
            _ = house.turn(RINGS) => receiver.hear().await,
        };
        let house = house.reopen_with("2025-01-15T09:46:00Z", &OPEN).await;
        let again = receiver.hear().await;
        assert_eq!(again.header("idempotency-key"), first.header("idempotency-key"), "{answer}");
        assert_eq!(again.body, first.body);
        until(&house, "alice", "waiting", 0).await;
        house.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_lead_inside_are_refused_after_they_are_resolved() {
    let house = House::open().await;
    let mut receiver = Receiver::http().await;
    let hosts = ["localhost", "0x7f.1", "2130706433", "127.1"];
    for (number, host) in hosts.iter().enumerate() {
        let url = format!("http://{host}:{}/", receiver.port);
        choose(&house, "alice", json!({ "webhook": { "url": url }, "ntfy": { "url": format!("{url}topic") } })).await;
        let minute = 10 + number;
        let object = alarm(host, "Tea", "ACTION:AUDIO").replace("T100000Z", &format!("T10{minute}00Z"));
        put(&house, "alice", &format!("/calendars/alice/default/{host}.ics"), &object).await;
        assert_eq!(house.turn(&format!("2025-01-15T09:{:02}:00Z", minute + 45)).await["settled"], true);
        let dead = deliveries(&house, "alice", "dead").await;
        assert_eq!(dead.len(), 2 * number + 2, "{dead:?}");
        for one in &dead[..2] {
            let why = one["why"].as_str().expect("a reason");
            assert!(why.contains("which is no public address (loopback)"), "{why}");
        }
    }
    assert_eq!(receiver.heard(), []);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_receivers_must_show_a_certificate_that_is_trusted() {
    let trusted = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/sinks/tls/ca.pem");
    for (trust, heard) in [(true, 1), (false, 0)] {
        let mut settings = vec![OPEN[0]];
        if trust {
            settings.push(("sinks.trusted", trusted));
        }
        let house = House::open_with(&settings).await;
        let mut receiver = Receiver::https().await;
        let url = format!("https://localhost:{}/", receiver.port);
        choose(&house, "alice", json!({ "webhook": { "url": url } })).await;
        put(&house, "alice", "/calendars/alice/default/tea.ics", &alarm("tea", "Tea", "ACTION:DISPLAY")).await;
        assert_eq!(house.turn(RINGS).await["settled"], true);
        let waiting = deliveries(&house, "alice", "waiting").await;
        assert_eq!((receiver.heard().len(), waiting.len()), (heard, 1 - heard), "{waiting:?}");
        house.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_that_wait_are_given_up_at_once_and_the_oldest_dead_go_first() {
    let settings =
        [OPEN[0], ("sinks.waiting_per_user", "1"), ("sinks.dead_per_user", "1"), ("sinks.keep_seconds", "7200")];
    let house = House::open_with(&settings).await;
    let mut receiver = Receiver::http().await;
    receiver.answer(&["503"]);
    rings_for_alice(&house, &receiver).await;
    house.turn(RINGS).await;
    for (uid, time) in [("one", "T103000Z"), ("two", "T104500Z")] {
        let object = alarm(uid, uid, "ACTION:DISPLAY").replace("T100000Z", time);
        put(&house, "alice", &format!("/calendars/alice/default/{uid}.ics"), &object).await;
    }
    house.turn("2025-01-15T10:30:00Z").await;
    let dead = deliveries(&house, "alice", "dead").await;
    assert_eq!(dead.len(), 1, "{dead:?}");
    assert_eq!((&dead[0]["eventSummary"], &dead[0]["why"]), (&json!("two"), &json!("too many deliveries wait")));
    let full =
        house.http("alice").post(&format!("/api/deliveries/{}/retry", dead[0]["id"].as_str().unwrap()), "").await;
    assert_eq!(full.status, 503);
    assert_eq!(receiver.heard().len(), 1);
    house.turn("2025-01-15T12:30:01Z").await;
    assert_eq!(deliveries(&house, "alice", "dead").await, Vec::<Value>::new());
    house.stop().await;
}
