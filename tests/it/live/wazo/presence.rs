//! Presence and do-not-disturb as Wazo clients hear them, and organisations as their tenants.

use campanile::domain::address::UserName;
use campanile::domain::organisation::Id;
use campanile::service::organisations::Entry;
use serde_json::{Value, json};

use crate::live::wazo::{Wazo, tenant};
use crate::live::{House, plain_event};

const PLACE: &str = "/calendars/alice/default";
const PRESENCE: &str = "chatd_presence_updated";
const DND: &str = "users_services_dnd_updated";

async fn wazo(house: &House, user: &str, acl: Value) -> Wazo {
    let token = house.bearer(user, json!({ "expires_in": 864_000, "acl": acl })).await;
    house.listening(&token, 2).await
}

/// What a socket heard of presence up to now: states and do-not-disturb.
async fn states(house: &House, socket: &mut Wazo) -> Vec<String> {
    house.settle().await;
    let told = socket.heard().await.into_iter().filter_map(|event| match event["name"].as_str() {
        Some(PRESENCE) => event["data"]["state"].as_str().map(str::to_owned),
        Some(DND) => Some(format!("dnd {}", event["data"]["enabled"])),
        _ => None,
    });
    told.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_begins_and_ends_is_told_to_the_organisation() {
    let house = House::open().await;
    // With a list that grants everything: what keeps the administrator from hearing is the organisation alone.
    let (mut bob, mut admin) = (wazo(&house, "bob", Value::Null).await, wazo(&house, "admin", json!(["#"])).await);
    let mut alice = wazo(&house, "alice", Value::Null).await;
    let http = house.http("alice");
    assert_eq!(http.put(&format!("{PLACE}/tea.ics"), &plain_event("tea", "20250115T100000Z")).await.status, 201);
    let free = plain_event("free", "20250115T120000Z").replace("END:VEVENT", "TRANSP:TRANSPARENT\r\nEND:VEVENT");
    assert_eq!(http.put(&format!("{PLACE}/free.ics"), &free).await.status, 201);
    house.settle().await;
    assert!(bob.heard().await.is_empty());

    house.turn("2025-01-15T10:00:00Z").await;
    house.settle().await;
    let heard = bob.heard().await;
    assert_eq!(heard.len(), 1, "{heard:?}");
    let (event, data) = (&heard[0], &heard[0]["data"]);
    let person = data["uuid"].as_str().expect("a person").to_owned();
    let key = format!("chatd.users.{person}.presences.updated");
    assert_eq!((&event["name"], &event["user_uuid:*"]), (&json!(PRESENCE), &json!(true)));
    assert_eq!(
        (&event["required_acl"], &event["tenant_uuid"]),
        (&json!(format!("events.{key}")), &json!(tenant("demo")))
    );
    assert_eq!(
        *data,
        json!({
            "uuid": person, "tenant_uuid": tenant("demo"), "state": "unavailable", "status": null,
            "last_activity": "2025-01-15T10:00:00Z", "line_state": "available", "mobile": false,
            "do_not_disturb": false, "connected": true, "lines": [{ "id": 1, "state": "available" }],
        })
    );
    assert_eq!(states(&house, &mut alice).await, ["unavailable"]);
    house.turn("2025-01-15T11:00:00Z").await;
    assert_eq!(states(&house, &mut bob).await, ["available"]);
    house.turn("2025-01-15T14:00:00Z").await;
    assert!(states(&house, &mut bob).await.is_empty());
    assert!(states(&house, &mut admin).await.is_empty());
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_changes_organisation_hears_the_other_one() {
    let house = House::open().await;
    let service = &house.running().service;
    let demo = Id::new("demo").expect("an id");
    let other = service.make_organisation(&Id::new("other").expect("an id"), None, None).await.expect("it is made").id;
    let bob = UserName::new("bob").expect("a name");
    let token = house.bearer("bob", json!({ "expires_in": 864_000 })).await;
    let of = async || house.look(&token).await["metadata"]["tenant_uuid"].clone();
    assert_eq!(of().await, tenant("demo"));
    let mut before = house.listening(&token, 2).await;
    let mut watcher = wazo(&house, "alice", Value::Null).await;

    let entry = || Entry { principal: Some(bob.clone()), ..Entry::default() };
    let id = Id::new("bob").expect("an id");
    service.put_member(&other, &id, entry()).await.expect("he is moved");
    assert_eq!(of().await, tenant("other"));
    let http = house.http("alice");
    assert_eq!(http.put(&format!("{PLACE}/tea.ics"), &plain_event("tea", "20250115T100000Z")).await.status, 201);
    house.turn("2025-01-15T10:00:00Z").await;
    assert_eq!(states(&house, &mut watcher).await, ["unavailable"]);
    assert!(states(&house, &mut before).await.is_empty(), "he is not there any more");

    // After a restart the same is known, and what he does is told where he is now.
    let house = house.reopen("2025-01-15T10:00:01Z").await;
    let mut watcher = wazo(&house, "alice", Value::Null).await;
    let mut bobs = house.listening(&token, 2).await;
    let http = house.http("bob");
    let at = "/calendars/bob/default/tea.ics";
    assert_eq!(http.put(at, &plain_event("bobs", "20250115T103000Z")).await.status, 201);
    house.turn("2025-01-15T10:30:00Z").await;
    assert_eq!(states(&house, &mut bobs).await, ["unavailable"]);
    assert!(states(&house, &mut watcher).await.is_empty());

    // Taken out, he is where those are who were never put anywhere; put back, he hears his old organisation.
    let service = &house.running().service;
    let member = service.member(&other, "bob").await.expect("he is there");
    service.remove_member(&member).await.expect("he is taken out");
    let of = async || house.look(&token).await["metadata"]["tenant_uuid"].clone();
    assert_eq!(of().await, tenant("default"));
    service.put_member(&demo, &id, entry()).await.expect("he is put back");
    let mut back = house.listening(&token, 2).await;
    house.turn("2025-01-15T11:00:00Z").await;
    assert_eq!(states(&house, &mut back).await, ["available"]);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_of_focus_turns_do_not_disturb_on_and_off_for_its_owner() {
    let house = House::open().await;
    let (mut alice, mut bob) = (wazo(&house, "alice", Value::Null).await, wazo(&house, "bob", json!(["#"])).await);
    let focus = plain_event("deep", "20250115T100000Z").replace("END:VEVENT", "CATEGORIES:Focus\r\nEND:VEVENT");
    assert_eq!(house.http("alice").put(&format!("{PLACE}/deep.ics"), &focus).await.status, 201);
    for (at, state, dnd) in
        [("2025-01-15T10:00:00Z", "unavailable", "dnd true"), ("2025-01-15T11:00:00Z", "available", "dnd false")]
    {
        house.turn(at).await;
        assert_eq!(states(&house, &mut alice).await, [state, dnd]);
        assert_eq!(states(&house, &mut bob).await, [state]);
    }
    house.stop().await;
}
