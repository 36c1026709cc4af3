//! Who hears what of a calendar that others see too: list news, changes, and silence for everybody else.

use std::collections::HashMap;

use campanile::domain::access::Right;
use campanile::domain::address::{Address, UserName};
use campanile::domain::object::Precondition;
use serde_json::{Value, json};

use crate::live::client::Socket;
use crate::live::{House, event, plain_event};

/// The news that one person's list shows something else.
fn list(key: &str, path: &str) -> Value {
    json!({ "calendarList": { key: [path] } })
}

/// An action over HTTP, the status of its answer, and who hears which key with which path, in the order in which one person hears them.
/// `{mirror}` stands for bob's own path of alice's calendar, `{subscription}` for carol's.
struct Row {
    what: &'static str,
    who: &'static str,
    method: &'static str,
    path: &'static str,
    body: &'static str,
    status: u16,
    heard: &'static [(&'static str, &'static str, &'static str)],
}

const fn row(
    what: &'static str,
    who: &'static str,
    method: &'static str,
    path: &'static str,
    body: &'static str,
    status: u16,
    heard: &'static [(&'static str, &'static str, &'static str)],
) -> Row {
    Row { what, who, method, path, body, status, heard }
}

const TRIP: &str = "/calendars/alice/trip";
const SHARE: &str = "/api/calendars/alice/trip/shares/bob";
const PUBLIC: &str = "/api/calendars/alice/trip/public";

/// `spec/side.md` 1.7, as far as the JSON face goes, in the life of one calendar. Bob is its delegate, carol subscribes to it; the
/// administrator is a stranger to it, who must hear nothing at all.
const ROWS: &[Row] = &[
    row(
        "the owner makes it",
        "alice",
        "POST",
        "/api/calendars",
        r#"{"id":"trip","name":"Trip"}"#,
        201,
        &[("alice", "created", TRIP)],
    ),
    row("the name is taken", "alice", "POST", "/api/calendars", r#"{"id":"trip"}"#, 409, &[]),
    row(
        "the owner renames it",
        "alice",
        "PATCH",
        "/api/calendars/alice/trip",
        r#"{"name":"Journey"}"#,
        200,
        &[("alice", "updated", TRIP)],
    ),
    row(
        "the owner paints it",
        "alice",
        "PATCH",
        "/api/calendars/alice/trip",
        r##"{"color":"#FF0000FF"}"##,
        200,
        &[("alice", "updated", TRIP)],
    ),
    row(
        "what is said already is no news",
        "alice",
        "PATCH",
        "/api/calendars/alice/trip",
        r#"{"name":"Journey"}"#,
        200,
        &[],
    ),
    row("no such zone", "alice", "PATCH", "/api/calendars/alice/trip", r#"{"timezone":"Mars/Olympus"}"#, 400, &[]),
    row("no such component", "alice", "POST", "/api/calendars", r#"{"id":"x","components":["vevent"]}"#, 400, &[]),
    row("nobody else may rename it", "bob", "PATCH", "/api/calendars/alice/trip", r#"{"name":"Mine"}"#, 403, &[]),
    row("a stranger cannot share it", "bob", "PUT", SHARE, r#"{"right":"read"}"#, 403, &[]),
    row(
        "nobody has that name",
        "alice",
        "PUT",
        "/api/calendars/alice/trip/shares/zoe",
        r#"{"right":"read"}"#,
        400,
        &[],
    ),
    row("no such right", "alice", "PUT", SHARE, r#"{"right":"owner"}"#, 400, &[]),
    row(
        "the owner has it already",
        "alice",
        "PUT",
        "/api/calendars/alice/trip/shares/alice",
        r#"{"right":"read"}"#,
        400,
        &[],
    ),
    row(
        "the owner grants",
        "alice",
        "PUT",
        SHARE,
        r#"{"right":"read"}"#,
        201,
        &[("bob", "delegated", "{mirror}"), ("alice", "updated", TRIP)],
    ),
    row("the same again is no news", "alice", "PUT", SHARE, r#"{"right":"read"}"#, 201, &[]),
    row(
        "the owner gives more",
        "alice",
        "PUT",
        SHARE,
        r#"{"right":"read-write"}"#,
        201,
        &[("bob", "updated", "{mirror}"), ("alice", "updated", TRIP)],
    ),
    row(
        "a delegate cannot rename the source",
        "bob",
        "PATCH",
        "/api/calendars/alice/trip",
        r#"{"name":"Mine"}"#,
        403,
        &[],
    ),
    row(
        "a delegate cannot share it",
        "bob",
        "PUT",
        "/api/calendars/alice/trip/shares/carol",
        r#"{"right":"read"}"#,
        403,
        &[],
    ),
    row("a delegate cannot delete the source", "bob", "DELETE", "/api/calendars/alice/trip", "", 403, &[]),
    row(
        "the delegate renames the mirror",
        "bob",
        "PATCH",
        "/api{mirror}",
        r#"{"name":"Alice's trip"}"#,
        200,
        &[("bob", "updated", "{mirror}")],
    ),
    row(
        "the delegate paints the mirror",
        "bob",
        "PATCH",
        "/api{mirror}",
        r##"{"color":"#00FF00FF"}"##,
        200,
        &[("bob", "updated", "{mirror}")],
    ),
    row("the mirror is bob's alone", "alice", "PATCH", "/api{mirror}", r#"{"name":"Mine"}"#, 403, &[]),
    row(
        "the owner's name for it is the owner's",
        "alice",
        "PATCH",
        "/api/calendars/alice/trip",
        r#"{"name":"Trip"}"#,
        200,
        &[("alice", "updated", TRIP)],
    ),
    row("the delegate hides it", "bob", "DELETE", "/api{mirror}", "", 204, &[("bob", "deleted", "{mirror}")]),
    row("it is hidden already", "bob", "DELETE", "/api{mirror}", "", 404, &[]),
    row(
        "the next grant shows it again",
        "alice",
        "PUT",
        SHARE,
        r#"{"right":"read-write"}"#,
        201,
        &[("bob", "delegated", "{mirror}")],
    ),
    row("hidden once more", "bob", "DELETE", "/api{mirror}", "", 204, &[("bob", "deleted", "{mirror}")]),
    row(
        "who hid it hears nothing of its opening",
        "alice",
        "PUT",
        PUBLIC,
        r#"{"right":"read"}"#,
        200,
        &[("alice", "updated", TRIP)],
    ),
    row("nor of its closing", "alice", "PUT", PUBLIC, r#"{"right":null}"#, 200, &[("alice", "updated", TRIP)]),
    row(
        "another right shows it again, too",
        "alice",
        "PUT",
        SHARE,
        r#"{"right":"read"}"#,
        201,
        &[("bob", "delegated", "{mirror}"), ("alice", "updated", TRIP)],
    ),
    row(
        "hidden once again",
        "bob",
        "POST",
        "/api/shares",
        r#"{"source":"/calendars/alice/trip","accept":false}"#,
        200,
        &[("bob", "deleted", "{mirror}")],
    ),
    row("what is hidden is listed", "bob", "GET", "/api/shares", "", 200, &[]),
    row(
        "a subscription to what is hidden shows the mirror again",
        "bob",
        "POST",
        "/api/subscriptions",
        r#"{"source":"/calendars/alice/trip"}"#,
        201,
        &[("bob", "delegated", "{mirror}")],
    ),
    row("taken already", "bob", "POST", "/api/shares", r#"{"source":"/calendars/alice/trip","accept":true}"#, 200, &[]),
    row(
        "only when alice is busy",
        "alice",
        "PUT",
        SHARE,
        r#"{"right":"freebusy"}"#,
        201,
        &[("bob", "updated", "{mirror}"), ("alice", "updated", TRIP)],
    ),
    row(
        "and more again",
        "alice",
        "PUT",
        SHARE,
        r#"{"right":"read"}"#,
        201,
        &[("bob", "updated", "{mirror}"), ("alice", "updated", TRIP)],
    ),
    row(
        "nothing was shared with carol",
        "carol",
        "POST",
        "/api/shares",
        r#"{"source":"/calendars/alice/trip","accept":true}"#,
        404,
        &[],
    ),
    row(
        "the default calendar is shared like any other",
        "alice",
        "PUT",
        "/api/calendars/alice/default/shares/carol",
        r#"{"right":"freebusy"}"#,
        201,
        &[("carol", "created", "{first}"), ("alice", "updated", "/calendars/alice/default")],
    ),
    row(
        "and taken back",
        "alice",
        "DELETE",
        "/api/calendars/alice/default/shares/carol",
        "",
        204,
        &[("carol", "deleted", "{first}"), ("alice", "updated", "/calendars/alice/default")],
    ),
    row(
        "nobody subscribes to what is private",
        "carol",
        "POST",
        "/api/subscriptions",
        r#"{"source":"/calendars/alice/trip"}"#,
        403,
        &[],
    ),
    row("only the owner opens it", "bob", "PUT", PUBLIC, r#"{"right":"read"}"#, 403, &[]),
    row(
        "the owner opens it to all",
        "alice",
        "PUT",
        PUBLIC,
        r#"{"right":"read"}"#,
        200,
        &[("bob", "updated", "{mirror}"), ("alice", "updated", TRIP)],
    ),
    row(
        "somebody subscribes",
        "carol",
        "POST",
        "/api/subscriptions",
        r#"{"source":"/calendars/alice/trip","name":"Theirs"}"#,
        201,
        &[("carol", "subscribed", "{subscription}")],
    ),
    row(
        "a subscription is nothing to subscribe to",
        "carol",
        "POST",
        "/api/subscriptions",
        r#"{"source":"{subscription}"}"#,
        409,
        &[],
    ),
    row("nor is somebody else's", "alice", "POST", "/api/subscriptions", r#"{"source":"{subscription}"}"#, 403, &[]),
    row("once is enough", "carol", "POST", "/api/subscriptions", r#"{"source":"/calendars/alice/trip"}"#, 409, &[]),
    row(
        "one's own needs no subscription",
        "alice",
        "POST",
        "/api/subscriptions",
        r#"{"source":"/calendars/alice/trip"}"#,
        400,
        &[],
    ),
    row("nothing is there", "carol", "POST", "/api/subscriptions", r#"{"source":"/calendars/alice/none"}"#, 404, &[]),
    row(
        "the subscriber renames it",
        "carol",
        "PATCH",
        "/api{subscription}",
        r#"{"name":"Alice"}"#,
        200,
        &[("carol", "updated", "{subscription}")],
    ),
    row(
        "a subscriber cannot share it",
        "carol",
        "PUT",
        "/api{subscription}/shares/bob",
        r#"{"right":"read"}"#,
        403,
        &[],
    ),
    row(
        "open for writing",
        "alice",
        "PUT",
        PUBLIC,
        r#"{"right":"read-write"}"#,
        200,
        &[("bob", "updated", "{mirror}"), ("carol", "updated", "{subscription}"), ("alice", "updated", TRIP)],
    ),
    row("open already", "alice", "PUT", PUBLIC, r#"{"right":"read-write"}"#, 200, &[]),
    row(
        "the subscriber deletes it",
        "carol",
        "DELETE",
        "/api{subscription}",
        "",
        204,
        &[("carol", "deleted", "{subscription}")],
    ),
    row(
        "and subscribes again",
        "carol",
        "POST",
        "/api/subscriptions",
        r#"{"source":"/calendars/alice/trip"}"#,
        201,
        &[("carol", "subscribed", "{subscription}")],
    ),
    row(
        "the owner closes it",
        "alice",
        "PUT",
        PUBLIC,
        r#"{"right":null}"#,
        200,
        &[("bob", "updated", "{mirror}"), ("carol", "deleted", "{subscription}"), ("alice", "updated", TRIP)],
    ),
    row("the subscription is gone", "carol", "GET", "/api{subscription}", "", 404, &[]),
    row(
        "the owner takes it back",
        "alice",
        "DELETE",
        SHARE,
        "",
        204,
        &[("bob", "deleted", "{mirror}"), ("alice", "updated", TRIP)],
    ),
    row("it is taken back already", "alice", "DELETE", SHARE, "", 404, &[]),
    row(
        "granted to administer",
        "alice",
        "PUT",
        SHARE,
        r#"{"right":"administration"}"#,
        201,
        &[("bob", "delegated", "{mirror}"), ("alice", "updated", TRIP)],
    ),
    row(
        "who administers it opens it",
        "bob",
        "PUT",
        PUBLIC,
        r#"{"right":"read"}"#,
        200,
        &[("bob", "updated", "{mirror}"), ("alice", "updated", TRIP)],
    ),
    row(
        "a last subscription",
        "carol",
        "POST",
        "/api/subscriptions",
        r#"{"source":"/calendars/alice/trip"}"#,
        201,
        &[("carol", "subscribed", "{subscription}")],
    ),
    row("who administers it cannot delete it", "bob", "DELETE", "/api/calendars/alice/trip", "", 403, &[]),
    row(
        "the owner deletes it",
        "alice",
        "DELETE",
        "/api/calendars/alice/trip",
        "",
        204,
        &[
            ("bob", "deleted", "{mirror}"),
            ("carol", "deleted", "{subscription}"),
            ("alice", "updated", TRIP),
            ("alice", "deleted", TRIP),
        ],
    ),
    row("nothing is left", "bob", "DELETE", "/api{mirror}", "", 404, &[]),
];

const PEOPLE: [&str; 4] = ["alice", "bob", "carol", "admin"];

#[tokio::test(flavor = "multi_thread")]
async fn everybody_hears_of_their_own_list_and_nobody_of_anothers() {
    let house = House::open().await;
    let mut sockets: HashMap<&str, Socket> = HashMap::new();
    for who in PEOPLE {
        sockets.insert(who, house.socket(who).await);
    }
    let mut places: HashMap<&str, String> = HashMap::new();
    for row in ROWS {
        let filled = |text: &str| {
            places.iter().fold(text.to_owned(), |text, (mark, path)| text.replace(&format!("{{{mark}}}"), path))
        };
        let answer = house.http(row.who).send(row.method, &filled(row.path), &[], filled(row.body)).await;
        assert_eq!(answer.status, row.status, "{}: {answer:?}", row.what);
        if answer.status == 201 {
            let href = answer.json()["href"].as_str().expect("a path").to_owned();
            match row.who {
                "carol" => drop(places.insert("subscription", href)),
                _ if row.path.contains("/default/shares/") => drop(places.insert("first", href)),
                _ if row.path.contains("/shares/") => drop(places.insert("mirror", href)),
                _ => {}
            }
        }
        house.settle().await;
        for who in PEOPLE {
            let mine = row.heard.iter().filter(|(receiver, ..)| *receiver == who);
            let expected: Vec<Value> = mine
                .map(|(_, key, path)| {
                    list(
                        key,
                        &places
                            .iter()
                            .fold((*path).to_owned(), |text, (mark, at)| text.replace(&format!("{{{mark}}}"), at)),
                    )
                })
                .collect();
            let heard = sockets.get_mut(who).expect("a socket").heard().await;
            assert_eq!(heard, expected, "{who}, when {}", row.what);
        }
    }
    for key in ["name", "description", "color"] {
        let long = json!({ key: "x".repeat(20_000) }).to_string();
        let refused = house.http("alice").patch("/api/calendars/alice/default", &long).await;
        assert_eq!(refused.status, 400, "{key}: {refused:?}");
    }
    drop(sockets);
    house.stop().await;
}

/// A calendar of alice's with an event, and what stands in for it elsewhere: bob's mirror, carol's subscription.
async fn shared(house: &House, right: &str) -> (String, String) {
    let alice = house.http("alice");
    assert_eq!(alice.post("/api/calendars", r#"{"id":"trip"}"#).await.status, 201);
    let grant = alice.put_json(SHARE, &json!({ "right": right }).to_string()).await;
    assert_eq!(alice.put_json(PUBLIC, r#"{"right":"read"}"#).await.status, 200);
    let subscription = house.http("carol").post("/api/subscriptions", r#"{"source":"/calendars/alice/trip"}"#).await;
    let href = |reply: &Value| reply["href"].as_str().expect("a path").to_owned();
    (href(&grant.json()), href(&subscription.json()))
}

async fn write(house: &House, who: &str, path: &str) -> u16 {
    let uid = path.rsplit('/').next().unwrap_or_default().trim_end_matches(".ics");
    house.http(who).put(path, &plain_event(uid, "20250301T100000Z")).await.status
}

async fn token(house: &House) -> Value {
    house.http("alice").get("/api/calendars/alice/trip").await.json()["syncToken"].clone()
}

fn changed(path: &str, token: &Value) -> Value {
    json!({ path: { "syncToken": token } })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_reaches_every_path_of_a_calendar_with_one_token() {
    let house = House::open().await;
    let (mirror, subscription) = shared(&house, "read-write").await;
    let mut alice = house.socket("alice").await;
    let mut alices_phone = house.socket("alice").await;
    let mut bob = house.socket("bob").await;
    let mut carol = house.socket("carol").await;
    let mut deaf = house.socket("bob").await;
    alice.register(TRIP).await;
    alices_phone.register(TRIP).await;
    // A delegate may listen to both paths, and hears of each.
    bob.register(TRIP).await;
    bob.register(&mirror).await;
    carol.register(&subscription).await;
    let actions = [
        ("alice", "PUT", format!("{TRIP}/a.ics"), 201),
        ("alice", "PUT", format!("{TRIP}/a.ics"), 204),
        ("bob", "PUT", format!("{mirror}/b.ics"), 201),
        ("bob", "PUT", format!("{TRIP}/c.ics"), 201),
        ("bob", "DELETE", format!("{mirror}/a.ics"), 204),
        ("alice", "DELETE", format!("{TRIP}/c.ics"), 204),
    ];
    let mut told = Value::Null;
    for (n, (who, method, path, status)) in actions.into_iter().enumerate() {
        let uid = path.rsplit('/').next().unwrap_or_default().trim_end_matches(".ics").to_owned();
        let body = plain_event(&uid, &format!("202503{:02}T100000Z", n + 1));
        let answer = house.http(who).send(method, &path, &[("content-type", "text/calendar")], body).await;
        assert_eq!(answer.status, status, "{who} {method} {path}: {answer:?}");
        house.settle().await;
        let now = token(&house).await;
        assert_ne!(now, told, "{who} {method} {path}");
        assert_eq!(alice.heard().await, [changed(TRIP, &now)]);
        assert_eq!(alices_phone.heard().await, [changed(TRIP, &now)]);
        let mut bobs = bob.heard().await;
        bobs.sort_by_key(|message| message.to_string());
        assert_eq!(bobs, [changed(TRIP, &now), changed(&mirror, &now)]);
        assert_eq!(carol.heard().await, [changed(&subscription, &now)]);
        assert_eq!(deaf.heard().await, Vec::<Value>::new());
        told = now;
    }
    // An import is told once on each path.
    let stands = house.import("bob", &mirror, "text/calendar", &plain_event("d", "20250301T100000Z")).await;
    house.settle().await;
    let now = token(&house).await;
    let id = stands["id"].as_str().expect("an id");
    let ended = |path: &str| json!({ path: { "imports": { id: { "status": "completed", "succeedCount": 1, "failedCount": 0 } } } });
    assert_eq!(alice.heard().await, [changed(TRIP, &now), ended(TRIP)]);
    assert_eq!(carol.heard().await, [changed(&subscription, &now), ended(&subscription)]);
    let mut bobs = bob.heard().await;
    bobs.sort_by_key(|message| message.to_string());
    assert_eq!(bobs, [ended(TRIP), changed(TRIP, &now), ended(&mirror), changed(&mirror, &now)]);
    drop((alice, alices_phone, bob, carol, deaf));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delegate_does_what_was_granted() {
    let house = House::open().await;
    let (mirror, subscription) = shared(&house, "read").await;
    assert_eq!(write(&house, "alice", &format!("{TRIP}/a.ics")).await, 201);
    let rows: [(&str, [u16; 4]); 3] = [
        // Reads; writes; shares with another; deletes the calendar.
        ("read", [200, 403, 403, 403]),
        ("read-write", [200, 201, 403, 403]),
        ("administration", [200, 201, 201, 403]),
    ];
    let (alice, bob) = (house.http("alice"), house.http("bob"));
    for (right, [reads, writes, shares, deletes]) in rows {
        assert_eq!(alice.put_json(SHARE, &json!({ "right": right }).to_string()).await.status, 201);
        for at in [TRIP, &mirror] {
            assert_eq!(bob.get(&format!("{at}/a.ics")).await.status, reads, "{right} {at}");
            let new = format!("{at}/{}-{right}.ics", if at == TRIP { "s" } else { "m" });
            assert_eq!(write(&house, "bob", &new).await, writes, "{right} {at}");
            if writes == 403 {
                assert_eq!(bob.delete(&format!("{at}/a.ics")).await.status, 403, "{right} {at}");
            }
            let share = bob.put_json(&format!("/api{at}/shares/carol"), r#"{"right":"read"}"#).await;
            assert_eq!(share.status, shares, "{right} {at}: {share:?}");
        }
        assert_eq!(bob.delete("/api/calendars/alice/trip").await.status, deletes, "{right}");
        let shown = bob.get(&format!("/api{mirror}")).await.json();
        let seen = (&shown["right"], &shown["owner"], &shown["source"], shown.get("shares").is_some());
        assert_eq!(seen, (&json!(right), &json!("alice"), &json!(TRIP), shares == 201));
    }
    // Everybody may read what is public, through their subscription or not, and write what is open for it.
    assert_eq!(house.http("admin").get(&format!("{TRIP}/a.ics")).await.status, 200);
    assert_eq!(write(&house, "carol", &format!("{subscription}/x.ics")).await, 403);
    assert_eq!(alice.put_json(PUBLIC, r#"{"right":"read-write"}"#).await.status, 200);
    assert_eq!(write(&house, "carol", &format!("{subscription}/x.ics")).await, 201);
    assert_eq!(write(&house, "admin", &format!("{TRIP}/y.ics")).await, 201);
    // What stands in another's home is theirs alone.
    assert_eq!(house.http("admin").get(&format!("{subscription}/a.ics")).await.status, 403);
    assert_eq!(alice.get(&format!("{mirror}/a.ics")).await.status, 403);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lost_the_right_hears_nothing_until_it_is_back() {
    let house = House::open().await;
    let (mirror, _) = shared(&house, "read-write").await;
    let (alice, admin) = (house.http("alice"), house.http("admin"));
    assert_eq!(alice.put_json(PUBLIC, r#"{"right":null}"#).await.status, 200);
    let mut bob = house.socket("bob").await;
    bob.register(TRIP).await;
    bob.register(&mirror).await;

    assert_eq!(write(&house, "alice", &format!("{TRIP}/seen.ics")).await, 201);
    house.settle().await;
    assert_eq!(bob.heard().await.len(), 2);

    // Not a moment between the answer to the one and the other: what comes behind the commit is not for bob.
    assert_eq!(alice.delete(SHARE).await.status, 204);
    assert_eq!(write(&house, "alice", &format!("{TRIP}/unseen.ics")).await, 201);
    house.import("alice", TRIP, "text/calendar", &plain_event("imported", "20250301T100000Z")).await;
    house.import("bob", TRIP, "text/calendar", &plain_event("refused", "20250301T100000Z")).await;
    house.import("bob", TRIP, "text/calendar", "garbage").await;
    assert_eq!(alice.patch("/api/calendars/alice/trip", r#"{"name":"Secret"}"#).await.status, 200);
    house.settle().await;
    assert_eq!(bob.heard().await, [list("deleted", &mirror)]);
    assert_eq!(
        bob.ask(&json!({ "register": [TRIP] }).to_string()).await,
        json!({ "notRegistered": { TRIP: "Forbidden" } })
    );
    bob.say(r#"{"unregister":["/calendars/alice/none"]}"#).await;
    assert_eq!(bob.hear().await, json!({ "notUnregistered": { "/calendars/alice/none": "NotFound" } }));

    // A registration that was only waiting goes on by itself, with where things stand.
    let mut carol = house.socket("carol").await;
    assert_eq!(alice.put_json(PUBLIC, r#"{"right":"read"}"#).await.status, 200);
    carol.register(TRIP).await;
    house.settle().await;
    carol.heard().await;
    assert_eq!(alice.put_json(PUBLIC, r#"{"right":null}"#).await.status, 200);
    assert_eq!(write(&house, "alice", &format!("{TRIP}/hidden.ics")).await, 201);
    house.settle().await;
    assert_eq!(carol.heard().await, Vec::<Value>::new());
    assert_eq!(admin.get("/api/calendars/alice/trip").await.status, 403);
    assert_eq!(alice.put_json("/api/calendars/alice/trip/shares/carol", r#"{"right":"read"}"#).await.status, 201);
    house.settle().await;
    let mut back = carol.heard().await;
    back.retain(|message| message.get("calendarList").is_none());
    assert_eq!(back, [changed(TRIP, &token(&house).await)]);
    assert_eq!(write(&house, "alice", &format!("{TRIP}/again.ics")).await, 201);
    house.settle().await;
    assert_eq!(carol.heard().await, [changed(TRIP, &token(&house).await)]);
    drop((bob, carol));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_speaks_for_what_stands_there() {
    let house = House::open().await;
    let (mirror, subscription) = shared(&house, "read").await;
    let (alice, bob) = (house.http("alice"), house.http("bob"));
    let mut alices = house.socket("alice").await;
    alices.register(TRIP).await;
    let mut bobs = house.socket("bob").await;
    bobs.register(&mirror).await;
    let mut carols = house.socket("carol").await;
    carols.register(&subscription).await;

    // A hidden mirror and a deleted subscription are silent.
    assert_eq!(bob.delete(&format!("/api{mirror}")).await.status, 204);
    assert_eq!(house.http("carol").delete(&format!("/api{subscription}")).await.status, 204);
    house.settle().await;
    assert_eq!(bobs.heard().await, [list("deleted", &mirror)]);
    assert_eq!(carols.heard().await, [list("deleted", &subscription)]);
    assert_eq!(write(&house, "alice", &format!("{TRIP}/a.ics")).await, 201);
    house.settle().await;
    assert_eq!(bobs.heard().await, Vec::<Value>::new());
    assert_eq!(carols.heard().await, Vec::<Value>::new());
    // Shown again, it speaks again.
    assert_eq!(alice.put_json(SHARE, r#"{"right":"read"}"#).await.status, 201);
    house.settle().await;
    assert_eq!(bobs.heard().await, [list("delegated", &mirror), changed(&mirror, &token(&house).await)]);
    // A calendar made anew under an old name is heard without another word.
    alices.heard().await;
    assert_eq!(alice.delete("/api/calendars/alice/trip").await.status, 204);
    assert_eq!(alice.post("/api/calendars", r#"{"id":"trip"}"#).await.status, 201);
    house.settle().await;
    // The look-up that the deletion set off may find the new one before its news is heard: then its token comes first.
    let mut heard = alices.heard().await;
    heard.retain(|push| push.get("calendarList").is_some());
    assert_eq!(heard, [list("updated", TRIP), list("deleted", TRIP), list("created", TRIP)]);
    assert_eq!(write(&house, "alice", &format!("{TRIP}/a.ics")).await, 201);
    house.settle().await;
    assert_eq!(alices.heard().await, [changed(TRIP, &token(&house).await)]);
    drop((alices, bobs, carols));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn grants_at_the_same_moment_make_one_mirror() {
    let house = House::open().await;
    assert_eq!(house.http("alice").post("/api/calendars", r#"{"id":"trip"}"#).await.status, 201);
    let service = &house.running().service;
    let users = service.users().await.expect("users");
    let alice = users.iter().find(|user| user.name.as_str() == "alice").expect("alice");
    let (trip, bob) = (Address::parse(TRIP).expect("an address"), UserName::new("bob").expect("a name"));
    let right = |n| if n % 2 == 0 { Right::Read } else { Right::ReadWrite };
    // All of them read before any of them writes.
    let grants = (0..16).map(|n| service.share(alice, &trip, &bob, right(n)));
    let mut mirrors: Vec<String> = Vec::new();
    for mirror in futures_util::future::join_all(grants).await {
        mirrors.push(mirror.expect("a mirror").to_string());
    }
    mirrors.dedup();
    assert_eq!(mirrors.len(), 1, "{mirrors:?}");
    let own = |list: Value| {
        let all = list.as_array().cloned().unwrap_or_default();
        let of_trip = all.into_iter().filter(|one| one["source"] == TRIP);
        of_trip.map(|one| one["href"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(own(house.http("bob").get("/api/calendars").await.json()), mirrors);
    assert_eq!(house.http("alice").delete(SHARE).await.status, 204);
    assert_eq!(house.http("bob").delete(&format!("/api{}", mirrors[0])).await.status, 404, "the mirror is gone");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_told_and_rings_even_if_its_writer_hung_up() {
    let house = House::open().await;
    let mut socket = house.socket("alice").await;
    socket.register("/calendars/alice/default").await;
    socket.enable_alarms().await;
    let service = &house.running().service;
    let users = service.users().await.expect("users");
    let alice = users.iter().find(|user| user.name.as_str() == "alice").expect("alice");
    let place = Address::parse("/calendars/alice/default").and_then(|at| at.object("tea.ics")).expect("an address");
    let bytes = event("tea", "20250115T091500Z", 10).into();
    let mut put = Box::pin(service.put(alice, &place, bytes, Precondition::default()));
    // Asked for, and never waited for.
    drop(futures_util::poll!(put.as_mut()));
    drop(put);
    let told = socket.hear().await;
    assert!(told["/calendars/alice/default"]["syncToken"].is_string(), "{told}");
    // Nobody turns the clock by the API, which would look for what is due itself.
    let clock = service.clock().manual().expect("it can be turned").clone();
    clock.set("2025-01-15T09:05:00Z".parse().expect("an instant"));
    let alarm = json!({ "alarms": [{
        "eventSummary": "Event tea",
        "eventURL": "/calendars/alice/default/tea.ics",
        "eventStartTime": "2025-01-15T09:15:00Z",
    }] });
    assert_eq!(socket.hear().await, alarm);
    drop(socket);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_share_takes_no_room_from_what_is_ones_own() {
    let house = House::open_with(&[("limits.collections_per_home", "3")]).await;
    let (alice, bob) = (house.http("alice"), house.http("bob"));
    // Alice has default, team and holidays; bob has default and the mirror of team.
    let full = alice.post("/api/calendars", r#"{"id":"trip"}"#).await;
    assert_eq!((full.status, &full.json()["detail"]), (403, &json!("a home holds at most 3 collections")));
    for calendar in ["default", "holidays"] {
        let share = alice.put_json(&format!("/api/calendars/alice/{calendar}/shares/bob"), r#"{"right":"read"}"#).await;
        assert_eq!(share.status, 201, "{share:?}");
    }
    let carol = house.http("carol");
    let share = carol.put_json("/api/calendars/carol/default/shares/bob", r#"{"right":"read"}"#).await;
    assert_eq!((share.status, &share.json()["detail"]), (403, &json!("a home holds at most 3 shares")));
    for (id, status) in [("one", 201), ("two", 201), ("three", 403)] {
        let made = bob.post("/api/calendars", &json!({ "id": id }).to_string()).await;
        assert_eq!(made.status, status, "{id}: {made:?}");
    }
    let subscribed = bob.post("/api/subscriptions", r#"{"source":"/calendars/alice/team"}"#).await;
    assert_eq!(subscribed.status, 403, "{subscribed:?}");
    house.stop().await;
}
