//! Notifications end to end: which write says what, what counts as unread, and how it is listed.

use serde_json::{Value, json};

use crate::live::client::Http;
use crate::live::{House, event};

const TEN: &str = "20250115T100000Z";
const INVITATION: &str = "/calendars/alice/default/i.ics";

/// An invitation from Olga to Alice and Bob.
fn invitation(answer: &str, more: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:i\r\nDTSTAMP:20250101T000000Z\r\n\
         DTSTART:20250120T100000Z\r\nDURATION:PT1H\r\nSUMMARY:Tea\r\nORGANIZER:mailto:olga@example.org\r\n\
         ATTENDEE;PARTSTAT={answer}:mailto:Alice@campanile.example\r\nATTENDEE:mailto:bob@campanile.example\r\n{more}\
         END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

/// Alice's conversations, each in short: title, how much is unread, the last message.
async fn listed(alice: &Http) -> Vec<(String, u64, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let shown = alice.get("/api/conversations").await.json();
    let data = shown["data"].as_array().expect("a list");
    let short = |one: &Value| {
        let last = &one["last_message"];
        let last = format!("{} {} {}", text(&last["content"]["type"]), text(&last["alignment"]), text(&last["state"]));
        assert_eq!(one["unread_message_count"], one["metadata"]["unread_count"]);
        (
            text(&one["metadata"]["contact"]["display_name"]),
            one["unread_message_count"].as_u64().expect("a count"),
            last,
        )
    };
    data.iter().map(short).collect()
}

async fn only(alice: &Http) -> (String, u64, String) {
    let mut all = listed(alice).await;
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

async fn conversation(alice: &Http) -> String {
    let shown = alice.get("/api/conversations").await.json();
    shown["data"][0]["id"].as_str().expect("a conversation").to_owned()
}

fn is(title: &str, unread: u64, last: &str) -> (String, u64, String) {
    (title.to_owned(), unread, last.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_is_followed_from_its_first_write_to_its_end() {
    let house = House::open().await;
    let alice = house.http("alice");
    let put = async |text: String| {
        let reply = alice.put(INVITATION, &text).await;
        assert!([201, 204].contains(&reply.status), "{reply:?}");
    };
    put(invitation("NEEDS-ACTION", "")).await;
    assert_eq!(only(&alice).await, is("Tea", 1, "invitation LEFT PENDING"));
    // The same again, and what matters to nobody else, say nothing.
    put(invitation("NEEDS-ACTION", "DESCRIPTION:with milk\r\n")).await;
    assert_eq!(only(&alice).await.1, 1);
    put(invitation("NEEDS-ACTION", "LOCATION:Garden\r\n")).await;
    assert_eq!(only(&alice).await, is("Tea", 2, "update LEFT PENDING"));
    put(invitation("ACCEPTED", "LOCATION:Garden\r\n")).await;
    assert_eq!(only(&alice).await, is("Tea", 0, "reply RIGHT DELIVERED"));
    put(invitation("ACCEPTED", "LOCATION:Garden\r\nSEQUENCE:1\r\n")).await;
    assert_eq!(only(&alice).await, is("Tea", 1, "update LEFT PENDING"));
    put(invitation("ACCEPTED", "LOCATION:Garden\r\nSEQUENCE:2\r\nSTATUS:CANCELLED\r\n")).await;
    assert_eq!(only(&alice).await, is("Tea", 2, "cancel LEFT PENDING"));

    let id = conversation(&alice).await;
    let messages = alice.get(&format!("/api/conversations/{id}/messages?limit=2")).await.json();
    assert_eq!(
        (messages["data"].as_array().map(Vec::len), &messages["pagination_data"]["total"]),
        (Some(2), &json!(5))
    );
    let first = &messages["data"][0];
    assert_eq!(first["content"]["event_url"], INVITATION);
    assert_eq!(first["content"]["start"], "2025-01-20T10:00:00Z");
    assert_eq!(first["sender"]["id"], "olga@example.org");
    // Others cannot see it, nor change it.
    let bob = house.http("bob");
    assert_eq!(bob.get(&format!("/api/conversations/{id}/messages")).await.status, 404);
    assert_eq!(bob.post(&format!("/api/conversations/{id}/read"), "").await.status, 404);
    assert_eq!(listed(&bob).await, []);

    // After a restart it is all there.
    let house = house.reopen("2025-01-15T09:00:00Z").await;
    let alice = house.http("alice");
    assert_eq!(only(&alice).await.1, 2);
    assert_eq!(alice.post(&format!("/api/conversations/{id}/read"), "").await.status, 204);
    assert_eq!(only(&alice).await, is("Tea", 0, "cancel LEFT DELIVERED"));
    assert_eq!(alice.post("/api/conversations/nothing/read", "").await.status, 404);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_organises_is_ones_own_and_answers_to_it_are_not() {
    let house = House::open().await;
    let alice = house.http("alice");
    let mine = |answer: &str| {
        invitation("ACCEPTED", "")
            .replace("olga@example.org", "alice@campanile.example")
            .replace("ATTENDEE:mailto:bob", &format!("ATTENDEE;PARTSTAT={answer}:mailto:bob"))
    };
    for (answer, want) in [
        ("NEEDS-ACTION", is("Tea", 0, "invitation RIGHT DELIVERED")),
        ("TENTATIVE", is("Tea", 1, "reply LEFT PENDING")),
        ("ACCEPTED", is("Tea", 1, "reply LEFT PENDING")),
    ] {
        alice.put(INVITATION, &mine(answer)).await;
        assert_eq!(only(&alice).await, want, "{answer}");
    }
    let id = conversation(&alice).await;
    let messages = alice.get(&format!("/api/conversations/{id}/messages")).await.json();
    // Said anew, an answer replaces what was answered before.
    let texts: Vec<&str> =
        messages["data"].as_array().expect("a list").iter().filter_map(|one| one["content"]["text"].as_str()).collect();
    assert_eq!(texts.len(), 2, "{messages}");
    assert!(texts.contains(&"bob@campanile.example accepted: Tea"), "{texts:?}");
    // Deleted, it needs no reading.
    assert_eq!(alice.delete(INVITATION).await.status, 204);
    assert_eq!(only(&alice).await.1, 0);
    // Deleted and sent again, it begins anew.
    alice.put(INVITATION, &invitation("NEEDS-ACTION", "")).await;
    assert_eq!(only(&alice).await.1, 1);
    // What is over, and what was answered before it came, invites nobody.
    let past = invitation("NEEDS-ACTION", "").replace("UID:i", "UID:p").replace("DTSTART:20250120", "DTSTART:20250110");
    let known = invitation("ACCEPTED", "").replace("UID:i", "UID:k");
    for (uid, text) in [("p", past), ("k", known)] {
        assert_eq!(alice.put(&format!("/calendars/alice/default/{uid}.ics"), &text).await.status, 201);
    }
    assert_eq!(listed(&alice).await.len(), 1);
    // With the calendar goes what was unread of it.
    assert_eq!(alice.delete("/api/calendars/alice/default").await.status, 204);
    assert_eq!(only(&alice).await.1, 0);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alarm_waits_to_be_read_until_somebody_deals_with_it() {
    let house = House::open().await;
    let alice = house.http("alice");
    let path = "/calendars/alice/default/a.ics";
    let text = event("a", TEN, 15);
    assert_eq!(alice.put(path, &text).await.status, 201);
    house.turn("2025-01-15T09:45:00Z").await;
    assert_eq!(only(&alice).await, is("Event a", 1, "alarm LEFT PENDING"));
    let id = alice.get("/api/alarms").await.json()[0]["id"].as_str().expect("an id").to_owned();

    // Put off, and again: it is the same message each time.
    let until = json!({ "until": "2025-01-15T09:50:00Z" }).to_string();
    assert_eq!(alice.post(&format!("/api/alarms/{id}/snooze"), &until).await.status, 200);
    assert_eq!(only(&alice).await, is("Event a", 0, "alarm LEFT DELIVERED"));
    house.turn("2025-01-15T09:50:00Z").await;
    assert_eq!(only(&alice).await, is("Event a", 1, "alarm LEFT PENDING"));
    assert_eq!(alice.post(&format!("/api/alarms/{id}/ack"), "").await.status, 200);
    assert_eq!(only(&alice).await, is("Event a", 0, "alarm LEFT DELIVERED"));
    let conversation = conversation(&alice).await;
    let messages = alice.get(&format!("/api/conversations/{conversation}/messages")).await.json();
    assert_eq!(messages["pagination_data"]["total"], 1);

    // A client that acknowledges in the object itself does the same.
    let path = "/calendars/alice/default/b.ics";
    let text = event("b", "20250115T110000Z", 15);
    assert_eq!(alice.put(path, &text).await.status, 201);
    house.turn("2025-01-15T10:45:00Z").await;
    assert_eq!(listed(&alice).await[0], is("Event b", 1, "alarm LEFT PENDING"));
    let acknowledged = text.replace("TRIGGER", "ACKNOWLEDGED:20250115T104500Z\r\nTRIGGER");
    assert_eq!(alice.put(path, &acknowledged).await.status, 204);
    assert_eq!(listed(&alice).await[0], is("Event b", 0, "alarm LEFT DELIVERED"));

    // An import's end is nobody's word and waits for nobody.
    let ended = house.import("alice", "/calendars/alice/default", "text/calendar", &event("c", TEN, 15)).await;
    assert_eq!(ended["status"], "completed");
    assert_eq!(listed(&alice).await[0], is("", 0, "import CENTER PENDING"));

    // A month later all that is gone.
    assert_eq!(listed(&alice).await.len(), 3);
    house.turn("2025-02-14T11:00:00Z").await;
    let left = listed(&alice).await;
    assert!(left.iter().all(|(title, ..)| !["Event a", "Event b", ""].contains(&title.as_str())), "{left:?}");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_too_many_loses_the_oldest_and_who_leaves_loses_all() {
    let house = House::open_with(&[("notifications.per_user", "3")]).await;
    let alice = house.http("alice");
    for number in 0..5 {
        let text = invitation("NEEDS-ACTION", "").replace("UID:i", &format!("UID:i{number}"));
        let text = text.replace("SUMMARY:Tea", &format!("SUMMARY:Tea {number}"));
        assert_eq!(alice.put(&format!("/calendars/alice/default/i{number}.ics"), &text).await.status, 201);
        house.turn(&format!("2025-01-15T09:00:0{number}Z")).await;
    }
    let left: Vec<String> = listed(&alice).await.into_iter().map(|(title, ..)| title).collect();
    assert_eq!(left, ["Tea 4", "Tea 3", "Tea 2"]);

    let admin = house.http("admin");
    let carol = house.http("carol");
    let text = invitation("NEEDS-ACTION", "").replace("Alice@", "carol@");
    assert_eq!(carol.put("/calendars/carol/default/i.ics", &text).await.status, 201);
    assert_eq!(only(&carol).await.1, 1);
    assert_eq!(admin.delete("/api/users/carol").await.status, 204);
    let again = json!({ "name": "carol", "email": "carol@campanile.example", "password": "carol" }).to_string();
    assert_eq!(admin.post("/api/users", &again).await.status, 201);
    assert_eq!(listed(&carol).await, []);
    assert_eq!(carol.put("/calendars/carol/default/i.ics", &text).await.status, 201);
    assert_eq!(only(&carol).await, is("Tea", 1, "invitation LEFT PENDING"));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn airys_own_names_answer_the_same() {
    let house = House::open().await;
    let alice = house.http("alice");
    for uid in ["i", "j"] {
        let text = invitation("NEEDS-ACTION", "").replace("UID:i", &format!("UID:{uid}"));
        assert_eq!(alice.put(&format!("/calendars/alice/default/{uid}.ics"), &text).await.status, 201);
    }
    let page = alice.post("/conversations.list", r#"{"page_size":1}"#).await.json();
    assert_eq!(
        (page["data"].as_array().map(Vec::len), &page["pagination_data"]["next_cursor"]),
        (Some(1), &json!("1"))
    );
    let next = alice.post("/conversations.list", r#"{"page_size":1,"cursor":"1"}"#).await.json();
    assert_ne!(page["data"][0]["id"], next["data"][0]["id"]);
    let id = page["data"][0]["id"].clone();
    let asked = json!({ "conversation_id": id }).to_string();
    assert_eq!(alice.post("/conversations.info", &asked).await.json(), page["data"][0]);
    let messages = alice.post("/messages.list", &asked).await.json();
    let plain = alice.get(&format!("/api/conversations/{}/messages", id.as_str().expect("an id"))).await.json();
    assert_eq!(messages, plain);
    let message = &messages["data"][0];
    assert_eq!((&message["from_contact"], &message["delivery_state"]), (&json!(true), &json!("pending")));
    let read = alice.post("/conversations.mark-read", &asked).await;
    assert_eq!((read.status, read.body.len()), (204, 0));
    assert_eq!(alice.post("/conversations.info", &asked).await.json()["metadata"]["unread_count"], 0);
    let channels = alice.post("/channels.list", "").await.json();
    assert_eq!(channels, alice.get("/api/channels").await.json());
    let of =
        |path: &str| channels["data"].as_array().expect("a list").iter().any(|one| one["source_channel_id"] == path);
    assert!(of("/calendars/alice/default") && of("/addressbooks/alice/collected"), "{channels}");

    for (path, body) in [
        ("/conversations.list", r#"{"filters":"unread"}"#),
        ("/conversations.list", r#"{"page_size":0}"#),
        ("/conversations.list", r#"{"cursor":"x"}"#),
        ("/conversations.info", "{}"),
        ("/messages.list", "no json"),
    ] {
        assert_eq!(alice.post(path, body).await.status, 400, "{path} {body}");
    }
    assert_eq!(alice.post("/conversations.info", r#"{"conversation_id":"x"}"#).await.status, 404);
    assert_eq!(house.anonymous().post("/conversations.list", "").await.status, 401);
    house.stop().await;
}
