//! What sockets hear of an import while it goes on, and what nobody hears: no count grows, and no invitation leaves.

use serde_json::{Value, json};

use crate::live::{House, NINE, plain_event};

const DEFAULT: &str = "/calendars/alice/default";
const ICS: &str = "text/calendar";

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_objects_are_few_pushes_and_progress_is_for_whoever_asked() {
    let house = House::open().await;
    let (mut plain, mut curious) = (house.socket("alice").await, house.socket("alice").await);
    plain.register(DEFAULT).await;
    curious.register(DEFAULT).await;
    let granted = curious.ask(r#"{"features":["importProgress"]}"#).await;
    assert_eq!(granted, json!({ "features": ["importProgress"] }));

    let file: String = (0..1_000).map(|number| plain_event(&format!("e{number}"), "20250301T100000Z")).collect();
    let stands = house.import("alice", DEFAULT, ICS, &file).await;
    house.settle().await;
    let id = stands["id"].as_str().expect("an id");
    let (heard, told) = (plain.heard().await, curious.heard().await);
    let end =
        json!({ DEFAULT: { "imports": { id: { "status": "completed", "succeedCount": 1_000, "failedCount": 0 } } } });
    assert_eq!((heard.last(), told.last()), (Some(&end), Some(&end)));
    assert!(heard.len() <= 17, "{} pushes", heard.len());
    let tokens = |heard: &[Value]| heard.iter().filter(|one| one[DEFAULT]["syncToken"].is_string()).count();
    assert_eq!(tokens(&heard), heard.len() - 1, "{heard:?}");
    let progress: Vec<&Value> =
        told.iter().map(|one| &one[DEFAULT]["imports"][id]).filter(|one| one["status"] == "running").collect();
    assert_eq!(told.len(), tokens(&told) + progress.len() + 1, "{told:?}");
    assert_eq!(
        *progress[0],
        json!({ "status": "running", "succeedCount": 64, "failedCount": 0, "done": 64, "total": 1_000 })
    );
    house.stop().await;
}

/// How much alice or bob has to read, all in all.
async fn unread(house: &House, user: &str) -> u64 {
    let conversations = house.http(user).get("/api/conversations").await.json();
    let conversations = conversations["data"].as_array().expect("a list");
    conversations.iter().map(|one| one["unread_message_count"].as_u64().expect("a count")).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_imported_invites_nobody_and_is_no_news() {
    let house = House::open().await;
    let invitation = |uid: &str, organizer: &str, attendee: &str| {
        format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:{uid}\r\n\
             DTSTAMP:20250101T000000Z\r\nDTSTART:20250301T100000Z\r\nDURATION:PT1H\r\nSUMMARY:Tea\r\n\
             ORGANIZER:mailto:{organizer}@campanile.example\r\n\
             ATTENDEE;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{attendee}@campanile.example\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        )
    };
    let file = invitation("mine", "alice", "bob") + &invitation("theirs", "bob", "alice");
    let stands = house.import("alice", DEFAULT, ICS, &file).await;
    assert_eq!((&stands["created"], &stands["failedCount"]), (&json!(2), &json!(0)), "{stands}");
    house.settle().await;
    for user in ["alice", "bob"] {
        assert_eq!(unread(&house, user).await, 0, "{user}");
    }
    let bobs = house.http("bob").send("PROPFIND", "/calendars/bob/default/", &[("depth", "1")], "").await;
    assert_eq!(bobs.text().matches(".ics</").count(), 0, "{bobs:?}");
    let inbox = house.http("bob").send("PROPFIND", "/calendars/bob/inbox/", &[("depth", "1")], "").await;
    assert_eq!(inbox.text().matches(".ics</").count(), 0, "{inbox:?}");
    // What says how a file was sent is no part of an object.
    let kept = house.http("alice").get(&format!("{DEFAULT}/mine.ics")).await.text();
    assert!(!kept.contains("METHOD") && kept.contains("ATTENDEE;PARTSTAT=NEEDS-ACTION"), "{kept}");
    // An alarm from before the import stays silent, one from behind it rings.
    let alarmed =
        crate::live::event("past", "20250115T090500Z", 10) + &crate::live::event("soon", "20250115T091500Z", 10);
    house.import("alice", DEFAULT, ICS, &alarmed).await;
    let turned = house.turn("2025-01-15T09:30:00Z").await;
    assert_eq!(turned["firedCount"], 1, "{NINE}: {turned}");
    house.stop().await;
}
