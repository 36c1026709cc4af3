//! What happens in calendars and address books, as Wazo clients hear it.

use serde_json::{Value, json};

use crate::live::wazo::Wazo;
use crate::live::{House, NINE, card, event, plain_event};

async fn wazo(house: &House, user: &str) -> Wazo {
    let token = house.bearer(user, json!({ "expires_in": 86_400 })).await;
    house.listening(&token, 2).await
}

fn named(event: &Value) -> &str {
    event["name"].as_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_put_is_told_to_all_who_see_it() {
    let house = House::open().await;
    let (mut alice, mut bob, mut carol) =
        (wazo(&house, "alice").await, wazo(&house, "bob").await, wazo(&house, "carol").await);
    let http = house.http("alice");
    let own = "/calendars/alice/default/tea.ics";
    assert_eq!(http.put(own, &plain_event("tea", "20250120T090000Z")).await.status, 201);
    house.settle().await;
    let heard = alice.heard().await;
    assert_eq!(heard.iter().map(named).collect::<Vec<_>>(), ["calendar_event_created", "calendar_sync_token_updated"]);
    assert_eq!(
        heard[0]["data"],
        json!({
            "path": "/calendars/alice/default", "href": own, "uid": "tea", "private": false, "summary": "Event tea",
            "start": "2025-01-20T09:00:00Z", "end": "2025-01-20T10:00:00Z",
        })
    );
    let acl = heard[0]["required_acl"].as_str().expect("a demand");
    assert!(acl.starts_with("events.calendars.") && acl.ends_with(".default.events.tea.created"), "{acl}");
    assert_eq!(heard[0]["required_access"], "event.calendar_event_created");
    assert_eq!(heard[0]["timestamp"], "2025-01-15T09:00:00.000000");
    assert!(bob.heard().await.is_empty() && carol.heard().await.is_empty());
    // The shared one: bob writes, all three hear.
    let shared = "/calendars/alice/team/call.ics";
    assert_eq!(house.http("bob").put(shared, &plain_event("call", "20250120T090000Z")).await.status, 201);
    assert_eq!(house.http("bob").put(shared, &plain_event("call", "20250121T090000Z")).await.status, 204);
    assert_eq!(house.http("bob").delete(shared).await.status, 204);
    house.settle().await;
    let deeds = ["created", "updated", "deleted"].map(|deed| format!("calendar_event_{deed}"));
    let want: Vec<String> =
        deeds.into_iter().flat_map(|deed| [deed, "calendar_sync_token_updated".to_owned()]).collect();
    for socket in [&mut alice, &mut bob, &mut carol] {
        assert_eq!(socket.names().await, want);
    }
    let contact = "/addressbooks/alice/collected/ada.vcf";
    assert_eq!(http.put(contact, &card("ada")).await.status, 201);
    house.settle().await;
    assert_eq!(alice.names().await, ["addressbook_contact_created", "addressbook_sync_token_updated"]);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sharing_and_hearing_cannot_drift() {
    let house = House::open().await;
    let (mut alice, mut bob) = (wazo(&house, "alice").await, wazo(&house, "bob").await);
    let (owner, admin) = (house.http("alice"), house.http("admin"));
    let share = "/api/calendars/alice/default/shares/bob";
    let put = |uid: &str| {
        let (http, path, text) =
            (house.http("alice"), format!("/calendars/alice/default/{uid}.ics"), plain_event(uid, "20250120T090000Z"));
        async move { assert_eq!(http.put(&path, &text).await.status, 201) }
    };
    assert!(owner.put_json(share, r#"{"right":"read"}"#).await.status < 300);
    house.settle().await;
    assert_eq!(bob.names().await, ["calendar_delegated"]);
    // `names` has asked and been answered, so the look is over.
    put("one").await;
    house.settle().await;
    assert_eq!(bob.names().await, ["calendar_event_created", "calendar_sync_token_updated"]);
    assert_eq!(owner.delete(share).await.status, 204);
    put("two").await;
    house.settle().await;
    assert_eq!(bob.names().await, ["calendar_deleted"]);
    alice.heard().await;
    // A private event says its name to its owner alone.
    let private = plain_event("doctor", "20250120T090000Z").replace("SUMMARY", "CLASS:PRIVATE\r\nSUMMARY");
    assert_eq!(owner.put("/calendars/alice/team/doctor.ics", &private).await.status, 201);
    house.settle().await;
    for (socket, summary) in [(&mut alice, json!("Event doctor")), (&mut bob, Value::Null)] {
        let heard = socket.heard().await;
        assert_eq!((&heard[0]["data"]["summary"], &heard[0]["data"]["private"]), (&summary, &json!(true)), "{heard:?}");
    }
    // The account goes, and so do its sockets.
    assert_eq!(admin.delete("/api/users/bob").await.status, 204);
    bob.is_closed_with(4003, "authentication expired").await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alarm_rings_is_put_off_and_acknowledged() {
    let house = House::open().await;
    let mut alice = wazo(&house, "alice").await;
    let mut bob = wazo(&house, "bob").await;
    let http = house.http("alice");
    let text = event("tea", "20250115T100000Z", 15);
    assert_eq!(http.put("/calendars/alice/default/tea.ics", &text).await.status, 201);
    house.turn("2025-01-15T09:45:00Z").await;
    let heard = alice.heard().await;
    let rang = heard.last().expect("an alarm");
    assert_eq!(named(rang), "calendar_alarm_triggered");
    assert_eq!(rang["data"]["summary"], "Event tea");
    assert_eq!(rang["data"]["start"], "2025-01-15T10:00:00Z");
    // It was heard: it does not wait for another client.
    let rung = http.get("/api/alarms?from=2025-01-15T09:00:00Z&to=2025-01-15T11:00:00Z").await;
    assert_eq!(rung.status, 200);
    let id = rang["data"]["alarm_id"].as_str().expect("an id").to_owned();
    let snooze = format!("/api/alarms/{id}/snooze");
    assert!(http.post(&snooze, r#"{"until":"2025-01-15T09:50:00Z"}"#).await.status < 300);
    house.settle().await;
    let heard = alice.heard().await;
    assert_eq!(heard.iter().map(named).collect::<Vec<_>>(), ["calendar_alarm_snoozed"]);
    assert_eq!(heard[0]["data"]["until"], "2025-01-15T09:50:00Z");
    house.turn("2025-01-15T09:50:00Z").await;
    assert_eq!(alice.names().await, ["calendar_alarm_triggered"]);
    assert!(http.post(&format!("/api/alarms/{id}/ack"), "").await.status < 300);
    house.settle().await;
    assert_eq!(alice.names().await, ["calendar_alarm_acknowledged"]);
    assert!(bob.heard().await.is_empty());
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invitations_and_their_answers_are_told_once() {
    let house = House::open().await;
    let (mut alice, mut bob) = (wazo(&house, "alice").await, wazo(&house, "bob").await);
    let invitation = |organizer: &str, status: &str, start: &str| {
        let people = format!(
            "ORGANIZER:mailto:{organizer}\r\nATTENDEE:mailto:{organizer}\r\n\
             ATTENDEE;PARTSTAT={status}:mailto:bob@campanile.example\r\nSUMMARY"
        );
        plain_event(organizer, start).replace("SUMMARY", &people)
    };
    // In bob's calendar it is an invitation, from elsewhere; written again it is the same one.
    let bobs = "/calendars/bob/default/dinner.ics";
    let http = house.http("bob");
    for (text, status) in [
        (invitation("olga@elsewhere.org", "NEEDS-ACTION", "20250120T090000Z"), 201),
        (invitation("olga@elsewhere.org", "NEEDS-ACTION", "20250121T090000Z"), 204),
        (invitation("olga@elsewhere.org", "ACCEPTED", "20250121T090000Z"), 204),
    ] {
        assert_eq!(http.put(bobs, &text).await.status, status);
    }
    house.settle().await;
    let names = bob.names().await;
    let told = |names: &[String], name: &str| names.iter().filter(|other| *other == name).count();
    assert_eq!(told(&names, "calendar_invitation_received"), 1, "{names:?}");
    assert_eq!(told(&names, "calendar_invitation_replied"), 0, "{names:?}");
    // From alice it comes by itself, and in her calendar the answers are news.
    let alices = "/calendars/alice/default/supper.ics";
    let text = invitation("alice@campanile.example", "NEEDS-ACTION", "20250121T090000Z");
    assert_eq!(house.http("alice").put(alices, &text).await.status, 201);
    let listed = http.send("PROPFIND", "/calendars/bob/default/", &[("Depth", "1")], "").await.text();
    let hrefs = listed.split("<href>").filter_map(|rest| rest.split('<').next());
    let copy = hrefs.filter(|href| href.ends_with(".ics") && *href != bobs).last().expect("his copy").to_owned();
    for status in ["ACCEPTED", "ACCEPTED", "DECLINED"] {
        let text = invitation("alice@campanile.example", status, "20250121T090000Z");
        assert_eq!(http.put(&copy, &text).await.status, 204);
    }
    house.settle().await;
    assert_eq!(told(&bob.names().await, "calendar_invitation_received"), 1);
    let names = alice.names().await;
    assert_eq!(told(&names, "calendar_invitation_replied"), 2, "{names:?}");
    assert_eq!(told(&names, "calendar_invitation_received"), 0, "{names:?}");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_tells_each_object_and_its_end() {
    let house = House::open().await;
    let mut alice = wazo(&house, "alice").await;
    let file: String = ["a", "b", "c"].map(|uid| plain_event(uid, "20250120T090000Z")).concat();
    let ended = house.import("alice", "/calendars/alice/default", "text/calendar", &file).await;
    assert_eq!(ended["status"], "completed", "{ended}");
    house.settle().await;
    let heard = alice.heard().await;
    let names: Vec<&str> = heard.iter().map(named).collect();
    assert_eq!(
        names,
        [
            "calendar_event_created",
            "calendar_event_created",
            "calendar_event_created",
            "calendar_sync_token_updated",
            "calendar_import_completed"
        ]
    );
    assert_eq!(heard[4]["data"]["succeeded"], 3);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_survives_a_restart_of_its_listener_only_in_the_calendar() {
    let house = House::open().await;
    let token = house.bearer("alice", json!({ "expires_in": 86_400 })).await;
    let before = house.look(&token).await;
    let mut socket = house.listening(&token, 2).await;
    let house = {
        let closing = tokio::spawn(async move { socket.closed().await });
        let house = house.reopen(NINE).await;
        assert_eq!(closing.await.expect("it ends").0, 1012);
        house
    };
    // The token, its session and everybody's identifiers are the same; what happened meanwhile is not told again.
    assert_eq!(house.look(&token).await, before);
    let mut socket = house.listening(&token, 2).await;
    assert!(socket.heard().await.is_empty());
    house.stop().await;
}
