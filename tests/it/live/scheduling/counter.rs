//! Another time is proposed, and not taken: both come to the one whom they are for, on every wire, and change nothing. RFC 5546 3.2.7, 3.2.8.

use serde_json::json;

use crate::live::House;
use crate::live::client::{Http, Reply};
use crate::live::scheduling::{Ears, MINE, copy, has, inbox, method, people, series, told};

async fn hand_in(http: &Http, method: &str, sender: &str, recipient: &str, text: &str) -> Reply {
    let text = text.replacen("BEGIN:VEVENT", &format!("METHOD:{method}\r\nBEGIN:VEVENT"), 1);
    let at = |user: &str| format!("mailto:{user}@campanile.example");
    let body =
        json!({ "uid": "round", "sender": at(sender), "recipient": at(recipient), "ical": text, "method": method });
    http.post("/itip", &body.to_string()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn another_time_is_proposed_and_not_taken() {
    let house = House::open().await;
    let (alice, bob, carol) = (house.http("alice"), house.http("bob"), house.http("carol"));
    assert_eq!(alice.put(MINE, &series(&people("", ""))).await.status, 201);
    house.settle().await;
    let mut ears = [
        Ears::open(&house, "alice", 1).await,
        Ears::open(&house, "bob", 2).await,
        Ears::open(&house, "carol", 3).await,
    ];
    let (mine, bobs) = (copy(&alice, "alice").await, copy(&bob, "bob").await);
    let later = bobs.1.replace("DTSTART:20250115T100000Z", "DTSTART:20250115T140000Z");
    assert_eq!(hand_in(&bob, "COUNTER", "bob", "alice", &later).await.status, 204);
    house.settle().await;
    let mut story = told(&mut ears, "bob proposes", [true, false, false]).await;
    // Said again it is the same message.
    assert_eq!(hand_in(&bob, "COUNTER", "bob", "alice", &later).await.status, 204);
    house.settle().await;
    assert_eq!(alice.get("/api/conversations").await.json()["data"][0]["unread_message_count"], 1);
    for ears in &mut ears {
        ears.heard(false).await;
    }
    assert_eq!(inbox(&alice, "alice").await.iter().map(|one| method(one)).collect::<Vec<_>>(), ["COUNTER", "COUNTER"]);
    has(&inbox(&alice, "alice").await[0], &["DTSTART:20250115T140000Z"]);
    // Alice does not take it.
    assert_eq!(hand_in(&alice, "DECLINECOUNTER", "alice", "bob", &later).await.status, 204);
    house.settle().await;
    story += &told(&mut ears, "alice does not take it", [true, true, false]).await;
    assert_eq!(
        inbox(&bob, "bob").await.iter().map(|one| method(one)).collect::<Vec<_>>(),
        ["REQUEST", "DECLINECOUNTER"]
    );
    assert_eq!((copy(&alice, "alice").await, copy(&bob, "bob").await), (mine, bobs), "nothing else changes");
    assert_eq!(story, COUNTERED, "{story}");
    // Nobody proposes for somebody else, nobody but the organizer says no, and no answer is forged.
    for (http, what, sender, recipient) in [
        (&carol, "COUNTER", "bob", "alice"),
        (&alice, "COUNTER", "bob", "alice"),
        (&carol, "DECLINECOUNTER", "carol", "bob"),
        (&bob, "DECLINECOUNTER", "alice", "bob"),
        (&alice, "REPLY", "carol", "alice"),
        (&bob, "REPLY", "carol", "alice"),
    ] {
        let reply = hand_in(http, what, sender, recipient, &later).await;
        assert_eq!(reply.status, 403, "{what} {sender} {recipient}: {reply:?}");
    }
    house.settle().await;
    assert_eq!((inbox(&alice, "alice").await.len(), inbox(&bob, "bob").await.len()), (2, 2));
    house.stop().await;
}

const COUNTERED: &str = "\
bob proposes
  alice
    wazo: calendar_invitation_countered
    stomp: counter LEFT, unread 1
    messages: 1
  bob
  carol
alice does not take it
  alice
    stomp: counter LEFT, unread 0
    messages: 0
  bob
    wazo: calendar_invitation_counter_declined
    stomp: declinecounter LEFT, unread 2
    messages: 2
  carol
";

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_is_added_by_hand() {
    let house = House::open().await;
    let (alice, bob) = (house.http("alice"), house.http("bob"));
    assert_eq!(alice.put(MINE, &series(&people("", ""))).await.status, 201);
    house.settle().await;
    let (_, bobs, _) = copy(&bob, "bob").await;
    let single = bobs.split("BEGIN:VEVENT").nth(2).expect("the moved instance").replace("END:VCALENDAR", "");
    let single = single.replace("20250122T100000Z", "20250320T100000Z").replace("20250123T100000Z", "20250320T100000Z");
    let head = bobs.split("BEGIN:VEVENT").next().expect("a head");
    let more = format!(
        "{head}BEGIN:VEVENT{}END:VCALENDAR\r\n",
        single.trim_start_matches("\r\n").trim_end().to_owned() + "\r\n"
    )
    .replace("BEGIN:VEVENTUID", "BEGIN:VEVENT\r\nUID");
    let added = hand_in(&bob, "ADD", "alice", "bob", &more).await;
    assert_eq!(added.status, 204, "{added:?}\n{more}");
    let (_, bobs, _) = copy(&bob, "bob").await;
    assert_eq!((bobs.matches("BEGIN:VEVENT").count(), bobs.matches("RECURRENCE-ID:20250320T100000Z").count()), (3, 1));
    assert_eq!(inbox(&bob, "bob").await.last().map(|one| method(one).to_owned()).as_deref(), Some("ADD"));
    house.stop().await;
}
