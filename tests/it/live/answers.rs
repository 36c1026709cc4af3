//! Answers to alarms and the text of their event: written back where people want that, taken from a text that another device wrote.

use serde_json::{Value, json};

use crate::live::client::Http;
use crate::live::{House, event};

const TEN: &str = "20250115T100000Z";
const TEA: &str = "/calendars/alice/default/tea.ics";
const DEFAULT: &str = "/calendars/alice/default";

fn urls(heard: &[Value]) -> Vec<&str> {
    heard.iter().filter_map(|push| push["alarms"][0]["eventURL"].as_str()).collect()
}

fn pushes(heard: &[Value], path: &str) -> usize {
    heard.iter().filter(|push| push[path]["syncToken"].is_string()).count()
}

async fn write_back(http: &Http) {
    let answer = http.patch("/api/me", r#"{"ackWritesBack":true}"#).await;
    assert_eq!((answer.status, &answer.json()["ackWritesBack"]), (200, &json!(true)));
}

async fn put(http: &Http, path: &str, text: &str) {
    let answer = http.put(path, text).await;
    assert!(matches!(answer.status, 201 | 204), "{answer:?}");
}

/// The alarms of a person that rang or are planned on two days, with what became of them.
async fn states(http: &Http) -> Vec<String> {
    let listed = http.get("/api/alarms?from=2025-01-15T00:00:00Z&to=2025-01-17T00:00:00Z").await.json();
    let line = |one: &Value| {
        format!("{} {}", one["at"].as_str().expect("an instant"), one["state"].as_str().expect("a state"))
    };
    listed.as_array().expect("a list").iter().filter(is_tea).map(line).collect()
}

/// The number of the last alarm that rang.
async fn last(http: &Http) -> String {
    let listed = http.get("/api/alarms").await.json();
    let rang = |one: &&Value| is_tea(one) && one["state"] != "planned";
    let last = listed.as_array().expect("a list").iter().rfind(rang).expect("one rang");
    last["id"].as_str().expect("an id").to_owned()
}

async fn ack(http: &Http, id: &str) -> Value {
    let answer = http.post(&format!("/api/alarms/{id}/ack"), "").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

async fn snooze(http: &Http, id: &str, until: &str) -> Value {
    let answer = http.post(&format!("/api/alarms/{id}/snooze"), &json!({ "until": until }).to_string()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// Whether an alarm is one of the event of these tests; the demo has others.
fn is_tea(alarm: &&Value) -> bool {
    alarm["eventURL"].as_str().is_some_and(|url| url.ends_with("/tea.ics"))
}

/// How often it rang in a turn of the clock.
fn teas(turned: &Value) -> usize {
    turned["fired"].as_array().expect("a list").iter().filter(is_tea).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_written_into_the_event_for_whoever_wants_that() {
    let house = House::open().await;
    let alice = house.http("alice");
    assert_eq!(alice.get("/api/me").await.json()["ackWritesBack"], false);
    put(&alice, TEA, &event("tea", TEN, 15)).await;
    house.turn("2025-01-15T09:45:00Z").await;
    // By default nothing is written, and nothing said about it.
    let before = alice.get(TEA).await;
    let answer = ack(&alice, &last(&alice).await).await;
    assert_eq!((&answer["state"], answer.get("writtenBack")), (&json!("acknowledged"), None));
    assert_eq!(alice.get(TEA).await.header("etag"), before.header("etag"));

    write_back(&alice).await;
    assert_eq!(alice.patch("/api/me", r#"{"timezone":null}"#).await.json()["ackWritesBack"], true);
    assert_eq!(alice.patch("/api/me", r#"{"ackWritesBack":1}"#).await.status, 400);
    let mut phone = house.socket("alice").await;
    let mut desk = house.socket("alice").await;
    for socket in [&mut phone, &mut desk] {
        socket.enable_alarms().await;
        socket.register(DEFAULT).await;
    }
    let text = event("tea", "20250115T110000Z", 15);
    put(&alice, TEA, &text).await;
    house.turn("2025-01-15T10:45:00Z").await;
    for socket in [&mut phone, &mut desk] {
        let heard = socket.heard().await;
        assert_eq!((urls(&heard).len(), pushes(&heard, DEFAULT)), (1, 1), "{heard:?}");
    }
    let etag = alice.get(TEA).await.header("etag").to_owned();
    let id = last(&alice).await;
    let answer = ack(&alice, &id).await;
    assert_eq!((&answer["state"], &answer["writtenBack"]), (&json!("acknowledged"), &json!(true)), "{answer}");
    let found = alice.get(TEA).await;
    assert_ne!(found.header("etag"), etag);
    assert_eq!(found.text(), text.replace("END:VALARM", "ACKNOWLEDGED:20250115T104500Z\r\nEND:VALARM"));
    house.settle().await;
    for socket in [&mut phone, &mut desk] {
        assert_eq!(pushes(&socket.heard().await, DEFAULT), 1, "whoever listens reads it anew");
    }
    // Again changes nothing, and says that it stands there.
    let again = ack(&alice, &id).await;
    assert_eq!(again["writtenBack"], true, "{again}");
    assert_eq!(alice.get(TEA).await.header("etag"), found.header("etag"));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_put_off_in_the_event_rings_once_with_its_number() {
    let house = House::open().await;
    let alice = house.http("alice");
    write_back(&alice).await;
    let mut phone = house.socket("alice").await;
    let mut desk = house.socket("alice").await;
    phone.enable_alarms().await;
    desk.enable_alarms().await;
    let text = event("tea", TEN, 15);
    put(&alice, TEA, &text).await;
    house.turn("2025-01-15T09:45:00Z").await;
    let id = last(&alice).await;
    let answer = snooze(&alice, &id, "2025-01-15T09:54:59.5Z").await;
    assert_eq!((&answer["until"], &answer["writtenBack"]), (&json!("2025-01-15T09:55:00Z"), &json!(true)), "{answer}");
    let stored = alice.get(TEA).await.text();
    let uid = stored.split("\r\nUID:").nth(2).and_then(|rest| rest.split("\r\n").next()).expect("a UID").to_owned();
    let (first, sibling) = (
        format!("ACKNOWLEDGED:20250115T094500Z\r\nUID:{uid}\r\nEND:VALARM\r\n"),
        format!(
            "BEGIN:VALARM\r\nUID:campanile-snooze-{id}-20250115T095500Z\r\nRELATED-TO;RELTYPE=SNOOZE:{uid}\r\n\
             TRIGGER;VALUE=DATE-TIME:20250115T095500Z\r\nACTION:DISPLAY\r\nDESCRIPTION:x\r\nEND:VALARM\r\n"
        ),
    );
    assert_eq!(stored, text.replace("END:VALARM\r\n", &format!("{first}{sibling}")).as_str());
    assert_eq!(states(&alice).await, ["2025-01-15T09:45:00Z snoozed"]);

    // Another zone moves nothing of it, and so does not ring it twice.
    assert_eq!(alice.patch("/api/me", r#"{"timezone":"Asia/Tokyo"}"#).await.status, 200);
    let turned = house.turn("2025-01-15T09:54:59Z").await;
    assert_eq!(teas(&turned), 0, "{turned}");
    assert_eq!(alice.patch("/api/me", r#"{"timezone":"Europe/Paris"}"#).await.status, 200);
    let turned = house.turn("2025-01-15T09:55:00Z").await;
    assert_eq!((teas(&turned), last(&alice).await), (1, id.clone()), "{turned}");
    for socket in [&mut phone, &mut desk] {
        assert_eq!(urls(&socket.heard().await), [TEA, TEA]);
    }

    // Put off twice more: one sibling. A restart in between loses nothing.
    snooze(&alice, &id, "2025-01-15T10:00:00Z").await;
    let answer = snooze(&alice, &id, "2025-01-15T10:05:00Z").await;
    assert_eq!(answer["writtenBack"], true, "{answer}");
    let twice = alice.get(TEA).await.text();
    assert_eq!((twice.matches("BEGIN:VALARM").count(), twice.contains("T100500Z")), (2, true), "{twice}");
    drop((phone, desk));
    let house = house.reopen("2025-01-15T10:04:00Z").await;
    let alice = house.http("alice");
    let mut desk = house.socket("alice").await;
    desk.enable_alarms().await;
    assert_eq!(teas(&house.turn("2025-01-15T10:10:00Z").await), 1);
    assert_eq!(urls(&desk.heard().await), [TEA]);
    // Acknowledged it is gone, and the first says since when.
    assert_eq!(ack(&alice, &id).await["writtenBack"], true);
    let want = text.replace("END:VALARM", &format!("ACKNOWLEDGED:20250115T101000Z\r\nUID:{uid}\r\nEND:VALARM"));
    assert_eq!(alice.get(TEA).await.text(), want);
    // A clock turned back does not ring what its text has acknowledged.
    house.turn("2025-01-15T09:40:00Z").await;
    assert_eq!(teas(&house.turn("2025-01-15T11:00:00Z").await), 0);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_no_news_to_the_invited() {
    let house = House::open().await;
    let alice = house.http("alice");
    write_back(&alice).await;
    let invited = "ORGANIZER:mailto:alice@campanile.example\r\nATTENDEE:mailto:bob@campanile.example\r\nLAST-MODIFIED:20250101T000000Z\r\nSUMMARY";
    let text = event("tea", TEN, 15).replace("SUMMARY", invited);
    put(&alice, TEA, &text).await;
    house.turn("2025-01-15T09:45:00Z").await;
    let before = alice.get(TEA).await;
    assert_eq!(ack(&alice, &last(&alice).await).await["writtenBack"], true);
    let after = alice.get(TEA).await;
    assert_ne!(after.header("etag"), before.header("etag"));
    assert!(!after.header("schedule-tag").is_empty());
    assert_eq!(after.header("schedule-tag"), before.header("schedule-tag"));
    let want = before.text().replace("END:VALARM", "ACKNOWLEDGED:20250115T094500Z\r\nEND:VALARM");
    assert_eq!(after.text(), want.replace("LAST-MODIFIED:20250101T000000Z", "LAST-MODIFIED:20250115T094500Z"));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_before_it_rings_again_it_does_not() {
    let house = House::open().await;
    let alice = house.http("alice");
    write_back(&alice).await;
    put(&alice, TEA, &event("tea", TEN, 15)).await;
    house.turn("2025-01-15T09:45:00Z").await;
    let id = last(&alice).await;
    for wanted in [true, false] {
        snooze(&alice, &id, "2025-01-15T09:50:00Z").await;
        // Switched off in between, the text stays as it is; the person hears nothing of it nonetheless.
        alice.patch("/api/me", &json!({ "ackWritesBack": wanted }).to_string()).await;
        assert_eq!(ack(&alice, &id).await["state"], "acknowledged");
        assert_eq!(alice.get(TEA).await.text().contains("RELTYPE=SNOOZE"), !wanted);
    }
    assert_eq!(teas(&house.turn("2025-01-15T10:10:00Z").await), 0);
    assert_eq!(states(&alice).await, ["2025-01-15T09:45:00Z acknowledged"]);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_series_rings_the_next_day() {
    let house = House::open().await;
    let alice = house.http("alice");
    write_back(&alice).await;
    let daily = event("tea", TEN, 15).replace("SUMMARY", "RRULE:FREQ=DAILY;COUNT=3\r\nSUMMARY");
    put(&alice, TEA, &daily).await;
    house.turn("2025-01-15T09:45:00Z").await;
    assert_eq!(ack(&alice, &last(&alice).await).await["writtenBack"], true);
    assert_eq!(teas(&house.turn("2025-01-16T09:44:59Z").await), 0);
    assert_eq!(teas(&house.turn("2025-01-16T09:45:00Z").await), 1);
    let id = last(&alice).await;
    assert_eq!(snooze(&alice, &id, "2025-01-17T09:50:00Z").await["writtenBack"], true);
    // The third day rings by itself, five minutes before what was put off from the second.
    assert_eq!(teas(&house.turn("2025-01-17T09:45:00Z").await), 1);
    assert_eq!(ack(&alice, &last(&alice).await).await["writtenBack"], true);
    let turned = house.turn("2025-01-18T12:00:00Z").await;
    assert_eq!(teas(&turned), 1, "{turned}");
    let fired = turned["fired"].as_array().and_then(|fired| fired.iter().find(is_tea)).expect("one");
    assert_eq!(fired["eventStartTime"], "2025-01-16T10:00:00Z", "it tells of the day that was put off");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_write_answers_for_themselves() {
    let house = House::open().await;
    let (alice, bob) = (house.http("alice"), house.http("bob"));
    assert_eq!(alice.put_json("/api/calendars/alice/team/shares/bob", r#"{"right":"read"}"#).await.status, 201);
    let listed = bob.get("/api/calendars").await.json();
    let mirror = listed.as_array().expect("a list").iter().find(|one| one["kind"] == "delegated").expect("a mirror");
    let href = mirror["href"].as_str().expect("a path").to_owned();
    assert_eq!(bob.patch(&format!("/api{href}"), r#"{"alarms":true}"#).await.status, 200);
    write_back(&bob).await;
    let text = event("tea", TEN, 15);
    put(&alice, "/calendars/alice/team/tea.ics", &text).await;
    house.turn("2025-01-15T09:45:00Z").await;
    let id = last(&bob).await;
    let answer = snooze(&bob, &id, "2025-01-15T09:50:00Z").await;
    assert_eq!(
        (&answer["state"], &answer["writtenBack"], &answer["why"]),
        (&json!("snoozed"), &json!(false), &json!("you have no right to write to this calendar"))
    );
    assert_eq!(alice.get("/calendars/alice/team/tea.ics").await.text(), text);

    // What the owner answers in the text takes away nothing that somebody else put off.
    write_back(&alice).await;
    assert_eq!(ack(&alice, &last(&alice).await).await["writtenBack"], true);
    let turned = house.turn("2025-01-15T09:55:00Z").await;
    assert_eq!(
        (teas(&turned), turned["fired"].to_string().contains(&format!("{href}/tea.ics"))),
        (1, true),
        "{turned}"
    );
    assert_eq!(ack(&bob, &id).await["writtenBack"], false);

    // With the right to write, the last answer counts for all who hear the calendar.
    assert_eq!(alice.put_json("/api/calendars/alice/team/shares/bob", r#"{"right":"read-write"}"#).await.status, 201);
    put(&alice, "/calendars/alice/team/tea.ics", &event("tea", "20250115T110000Z", 15)).await;
    assert_eq!(teas(&house.turn("2025-01-15T10:45:00Z").await), 2);
    let (theirs, hers) = (last(&bob).await, last(&alice).await);
    assert_eq!(theirs, hers, "one alarm");
    assert_eq!(snooze(&bob, &theirs, "2025-01-15T10:50:00Z").await["writtenBack"], true);
    assert_eq!(states(&alice).await.last().map(String::as_str), Some("2025-01-15T10:45:00Z snoozed"));
    assert_eq!(teas(&house.turn("2025-01-15T10:50:00Z").await), 2, "it rings for both, once each");
    assert_eq!(ack(&alice, &hers).await["writtenBack"], true);
    assert_eq!(states(&bob).await.last().map(String::as_str), Some("2025-01-15T10:50:00Z acknowledged"));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_written_is_said_and_the_answer_stands() {
    let house = House::open_with(&[("limits.object_bytes", "700")]).await;
    let alice = house.http("alice");
    write_back(&alice).await;
    // Just below the limit: one line more is too much.
    let room = 690 - event("tea", TEN, 15).len();
    let text = event("tea", TEN, 15).replace("SUMMARY:", &format!("SUMMARY:{}", "x".repeat(room)));
    put(&alice, TEA, &text).await;
    house.turn("2025-01-15T09:45:00Z").await;
    let id = last(&alice).await;
    let answer = snooze(&alice, &id, "2025-01-15T09:50:00Z").await;
    assert_eq!(
        (&answer["state"], &answer["writtenBack"], &answer["why"]),
        (&json!("snoozed"), &json!(false), &json!("larger than the limit of 700 bytes"))
    );
    assert_eq!(alice.get(TEA).await.text(), text);
    assert_eq!(teas(&house.turn("2025-01-15T09:50:00Z").await), 1, "it rings again without the text");
    // What it rang by is not in the text, but its first one is; an event that was moved is another matter.
    put(&alice, TEA, &event("tea", TEN, 15)).await;
    assert_eq!(ack(&alice, &id).await["writtenBack"], true);
    assert!(alice.get(TEA).await.text().contains("ACKNOWLEDGED:20250115T095000Z"));
    put(&alice, TEA, &event("tea", "20250116T100000Z", 15)).await;
    let answer = ack(&alice, &id).await;
    assert_eq!(
        (&answer["writtenBack"], &answer["why"]),
        (&json!(false), &json!("the event has no such alarm any more"))
    );
    assert_eq!(alice.delete(TEA).await.status, 204);
    let answer = ack(&alice, &id).await;
    assert_eq!((&answer["state"], &answer["why"]), (&json!("acknowledged"), &json!("the event is gone")));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_answers_at_once_all_come_in() {
    let house = House::open().await;
    let alice = house.http("alice");
    write_back(&alice).await;
    let alarms: String = (1..9)
        .map(|number| format!("BEGIN:VALARM\r\nUID:a{number}\r\nACTION:DISPLAY\r\nDESCRIPTION:x\r\nTRIGGER:-PT{number}M\r\nEND:VALARM\r\n"))
        .collect();
    let text = event("tea", TEN, 15).replace("END:VEVENT", &format!("{alarms}END:VEVENT"));
    put(&alice, TEA, &text).await;
    assert_eq!(teas(&house.turn("2025-01-15T10:00:00Z").await), 9);
    let listed = alice.get("/api/alarms").await.json();
    let mine = listed.as_array().expect("a list").iter().filter(|one| one["eventURL"] == TEA);
    let ids: Vec<String> = mine.map(|one| one["id"].as_str().expect("an id").to_owned()).collect();
    assert_eq!(ids.len(), 9);
    // Each reads what the one before wrote; who lost too often says so, and answers nonetheless.
    let answers = futures_util::future::join_all(ids.iter().map(|id| ack(&alice, id))).await;
    let written = answers.iter().filter(|answer| answer["writtenBack"] == true).count();
    for answer in &answers {
        assert!(answer["writtenBack"] == true || answer["why"] == "the event keeps changing", "{answer}");
    }
    assert_eq!(alice.get(TEA).await.text().matches("ACKNOWLEDGED:").count(), written);
    assert!(states(&alice).await.iter().all(|state| state.ends_with(" acknowledged")));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_devices_acknowledgement_counts_here() {
    let house = House::open().await;
    let (alice, bob) = (house.http("alice"), house.http("bob"));
    let listed = bob.get("/api/calendars").await.json();
    let mirror = listed.as_array().expect("a list").iter().find(|one| one["kind"] == "delegated").expect("a mirror");
    let href = mirror["href"].as_str().expect("a path").to_owned();
    assert_eq!(bob.patch(&format!("/api{href}"), r#"{"alarms":true}"#).await.status, 200);
    let team = "/calendars/alice/team/tea.ics";
    let daily = event("tea", TEN, 15).replace("SUMMARY", "RRULE:FREQ=DAILY\r\nSUMMARY");
    let acknowledged = |at: &str| daily.replace("END:VALARM", &format!("ACKNOWLEDGED:{at}\r\nEND:VALARM"));
    put(&alice, team, &daily).await;
    // It rings, and nobody hears it.
    house.turn("2025-01-15T09:45:00Z").await;
    assert_eq!(states(&alice).await[0], "2025-01-15T09:45:00Z waiting");
    // A text that acknowledges less changes nothing; one that acknowledges it does, for whoever would have heard it.
    put(&alice, team, &acknowledged("20250115T094459Z")).await;
    assert_eq!(states(&alice).await[0], "2025-01-15T09:45:00Z waiting");
    put(&alice, team, &acknowledged("20250115T094510Z")).await;
    for (http, user) in [(&alice, "alice"), (&bob, "bob")] {
        assert_eq!(states(http).await[0], "2025-01-15T09:45:00Z acknowledged", "{user}");
        let mut late = house.socket(user).await;
        late.enable_alarms().await;
        assert_eq!(urls(&late.heard().await), Vec::<&str>::new(), "{user}");
    }
    // The next day rings; acknowledged ahead of its instant, the day after does not.
    let mut socket = house.socket("alice").await;
    socket.enable_alarms().await;
    house.turn("2025-01-16T09:45:00Z").await;
    assert_eq!(urls(&socket.heard().await), [team]);
    put(&alice, team, &acknowledged("20250117T094500Z")).await;
    assert_eq!(teas(&house.turn("2025-01-17T12:00:00Z").await), 0);
    assert_eq!(teas(&house.turn("2025-01-18T09:45:00Z").await), 2);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_acknowledges_too_and_a_dismissed_sibling_is_one() {
    let house = House::open().await;
    let alice = house.http("alice");
    write_back(&alice).await;
    let text = event("tea", TEN, 15);
    put(&alice, TEA, &text).await;
    house.turn("2025-01-15T09:45:00Z").await;
    let id = last(&alice).await;
    snooze(&alice, &id, "2025-01-15T09:50:00Z").await;
    // A client that only changes the words leaves what was put off alone.
    let stored = alice.get(TEA).await.text();
    put(&alice, TEA, &stored.replace("SUMMARY:", "SUMMARY:Hot ")).await;
    assert_eq!(teas(&house.turn("2025-01-15T09:50:00Z").await), 1);
    assert_eq!(states(&alice).await, ["2025-01-15T09:45:00Z snoozed", "2025-01-15T09:50:00Z waiting"]);
    // It dismisses the sibling as RFC 9074 says, and its file is imported.
    let (head, tail) = stored.split_once("BEGIN:VALARM\r\nUID:campanile").expect("a sibling");
    let (_, tail) = tail.split_once("END:VALARM\r\n").expect("its end");
    let dismissed = format!("{head}{tail}").replace("ACKNOWLEDGED:20250115T094500Z", "ACKNOWLEDGED:20250115T095100Z");
    let imported = house.import("alice", DEFAULT, "text/calendar", &dismissed).await;
    assert_eq!(imported["succeedCount"], 1, "{imported}");
    let mut socket = house.socket("alice").await;
    socket.enable_alarms().await;
    assert_eq!(urls(&socket.heard().await), Vec::<&str>::new());
    assert_eq!(states(&alice).await, ["2025-01-15T09:45:00Z acknowledged", "2025-01-15T09:50:00Z acknowledged"]);
    house.stop().await;
}
