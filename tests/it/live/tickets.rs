//! Tickets over the wire: their form, their minute, their single use, how they are taken back, and the limits on them and on sockets.

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::live::House;
use crate::live::client::{Http, Reply, Socket};

const UNKNOWN: &str = "00000000-0000-4000-8000-000000000000";

/// Asks for a socket without being able to use one: what is refused can be looked at.
async fn knock(http: &Http, query: &str) -> Reply {
    let headers = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    http.send("GET", &format!("/ws{query}"), &headers, "").await
}

async fn refused_without_a_word(http: &Http, query: &str) {
    let reply = knock(http, query).await;
    assert_eq!((reply.status, reply.text()), (401, String::new()), "{query}");
}

fn wrong_credentials() -> Value {
    json!({ "type": "about:blank", "title": "Unauthorized", "status": 401, "detail": "Wrong credentials provided" })
}

fn anothers() -> Value {
    let detail = "Using ticket other accounts is forbidden";
    json!({ "type": "about:blank", "title": "Forbidden", "status": 403, "detail": detail })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_opens_one_door_once() {
    let house = House::open().await;
    only_a_ticket_opens_a_socket(&house).await;
    a_ticket_draws_the_next(&house).await;
    a_ticket_opens_every_route_once(&house).await;
    a_ticket_can_be_taken_back_by_its_owner_alone(&house).await;
    of_a_hundred_who_come_with_one_ticket_one_goes_in(&house).await;
    a_browser_may_ask_from_anywhere(&house).await;
    house.stop().await;
}

async fn only_a_ticket_opens_a_socket(house: &House) {
    let (anonymous, alice) = (house.anonymous(), house.http("alice"));
    for query in ["", "?", "?ticket=", "?ticket=abc", "?tickets=1", "?ticket=%ff", &format!("?ticket={UNKNOWN}")] {
        refused_without_a_word(&anonymous, query).await;
        // A password opens no socket.
        refused_without_a_word(&alice, query).await;
    }
    let ticket = house.ticket("alice").await;
    // Only the first value counts, and one that cannot be read is a value too.
    for first in [UNKNOWN, "abc", "", "%ff"] {
        refused_without_a_word(&anonymous, &format!("?ticket={first}&ticket={ticket}")).await;
    }
    let bearer = alice.post("/api/tokens", "").await.json();
    let bearer = Http::with(house.base(), &format!("Bearer {}", bearer["token"].as_str().expect("a token")));
    refused_without_a_word(&bearer, "").await;

    let mut socket = Socket::open(house.base(), &ticket).await.expect("it opens");
    assert_eq!(socket.hear().await, json!({ "calendarListRegistered": true }));
    refused_without_a_word(&anonymous, &format!("?ticket={ticket}")).await;
    assert_eq!(socket.heard().await, Vec::<Value>::new());
}

async fn a_ticket_draws_the_next(house: &House) {
    let first = house.ticket("bob").await;
    let second = house.anonymous().post(&format!("/ws/ticket?ticket={first}"), "").await;
    assert_eq!((second.status, &second.json()["username"]), (200, &json!("bob@campanile.example")));
    let again = house.anonymous().post(&format!("/ws/ticket?ticket={first}"), "").await;
    assert_eq!((again.status, again.json()), (401, wrong_credentials()));
    let second = second.json()["value"].as_str().expect("a ticket").to_owned();
    Socket::open(house.base(), &second).await.expect("it opens");
}

async fn a_ticket_opens_every_route_once(house: &House) {
    let rows = [
        ("GET", "/api/me", 200),
        ("GET", "/api/calendars", 200),
        ("GET", "/api/calendars/alice/default", 200),
        ("PATCH", "/api/calendars/alice/default", 400),
        ("GET", "/api/clock", 200),
        ("GET", "/api/users", 403),
        ("GET", "/api/imports/none", 404),
        ("POST", "/api/import", 400),
        ("POST", "/api/files", 400),
        ("POST", "/api/tokens", 201),
        ("PROPFIND", "/calendars/alice/default/", 207),
        ("GET", "/calendars/alice/default/none.ics", 404),
    ];
    for (method, path, status) in rows {
        let path = format!("{path}?ticket={}", house.ticket("alice").await);
        let first = house.anonymous().send(method, &path, &[("depth", "0")], "").await;
        assert_eq!(first.status, status, "{method} {path}: {first:?}");
        let second = house.anonymous().send(method, &path, &[("depth", "0")], "").await;
        assert_eq!(second.status, 401, "{method} {path}: {second:?}");
        assert!(second.header("www-authenticate").starts_with("Basic "), "{second:?}");
    }
    // A header wins: the ticket is neither needed nor used up.
    let ticket = house.ticket("alice").await;
    let bob = house.http("bob").get(&format!("/api/me?ticket={ticket}")).await;
    assert_eq!(bob.json()["name"], "bob");
    let alice = house.anonymous().get(&format!("/api/me?ticket={ticket}")).await;
    assert_eq!(alice.json()["name"], "alice");
}

async fn a_ticket_can_be_taken_back_by_its_owner_alone(house: &House) {
    let (alice, bob) = (house.http("alice"), house.http("bob"));
    let forms: [fn(&str) -> String; 2] =
        [|value| format!("/ws/ticket?ticket={value}"), |value| format!("/ws/ticket/{value}")];
    let malformed =
        json!({ "type": "about:blank", "title": "Bad Request", "status": 400, "detail": "a ticket is a UUID" });
    for form in forms {
        let ticket = house.ticket("alice").await;
        let path = form(&ticket);
        let theirs = bob.delete(&path).await;
        assert_eq!((theirs.status, theirs.json()), (403, anothers()), "{path}");
        let nobody = house.anonymous().delete(&path).await;
        assert_eq!((nobody.status, nobody.json()), (401, wrong_credentials()), "{path}");
        let mine = alice.delete(&path).await;
        assert_eq!((mine.status, mine.text()), (204, String::new()), "{path}");
        let again = alice.delete(&path).await;
        assert_eq!((again.status, again.json()), (403, anothers()), "{path}");
        refused_without_a_word(&house.anonymous(), &format!("?ticket={ticket}")).await;

        let unknown = alice.delete(&form(UNKNOWN)).await;
        assert_eq!((unknown.status, unknown.json()), (403, anothers()));
        let odd = alice.delete(&form("not-a-uuid")).await;
        assert_eq!((odd.status, odd.json()), (403, malformed.clone()));
    }
    let none = alice.delete("/ws/ticket").await;
    assert_eq!((none.status, none.json()), (403, malformed));
}

async fn of_a_hundred_who_come_with_one_ticket_one_goes_in(house: &House) {
    let ticket = house.ticket("alice").await;
    let tries = (0..100).map(|n| {
        let (http, ticket) = (house.anonymous(), ticket.clone());
        tokio::spawn(async move {
            match n % 2 {
                0 => knock(&http, &format!("?ticket={ticket}")).await.status,
                _ => http.get(&format!("/api/me?ticket={ticket}")).await.status,
            }
        })
    });
    let mut went_in = 0;
    for outcome in futures_util::future::join_all(tries).await {
        match outcome.expect("an answer") {
            101 | 200 => went_in += 1,
            status => assert_eq!(status, 401),
        }
    }
    assert_eq!(went_in, 1);
}

async fn a_browser_may_ask_from_anywhere(house: &House) {
    let origin = ("origin", "https://calendar.example");
    for path in ["/ws/ticket", "/api/files", "/api/import"] {
        let asks = [
            origin,
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "authorization,content-type,accept"),
        ];
        let preflight = house.anonymous().send("OPTIONS", path, &asks, "").await;
        assert_eq!(preflight.status, 200, "{path}: {preflight:?}");
        assert_eq!(preflight.header("access-control-allow-origin"), origin.1);
        assert!(preflight.header("access-control-allow-methods").contains("DELETE"), "{preflight:?}");
        // A refusal can be read from there too.
        let refused = house.anonymous().send("POST", path, &[origin], "").await;
        assert_eq!((refused.status, refused.header("access-control-allow-origin")), (401, origin.1), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_lives_for_a_minute() {
    // Without a sweep on the way, so that the tries below meet the tickets themselves.
    let calm = [("sweep.schedule", "0 0 0 1 1 *")];
    let house = House::open_at(tempdir().expect("a directory"), &calm, "2025-01-15T09:00:00.750Z").await;
    let drawn = house.http("alice").post("/ws/ticket", "").await;
    assert_eq!((drawn.status, drawn.header("content-type")), (200, "application/json"));
    let value = drawn.json()["value"].as_str().expect("a value").to_owned();
    let five = json!({
        "clientAddress": "127.0.0.1",
        "value": value,
        "generatedOn": "2025-01-15T09:00:00Z",
        "validUntil": "2025-01-15T09:01:00Z",
        "username": "alice@campanile.example",
    });
    assert_eq!(drawn.json(), five);
    let uuid = uuid::Uuid::try_parse(&value).expect("a UUID");
    assert_eq!((uuid.get_version_num(), uuid.to_string()), (4, value.clone()));

    let late = house.ticket("alice").await;
    let clock = house.running().service.clock().manual().expect("it can be turned").clone();
    let turn = |to: &str| clock.set(to.parse().expect("an instant"));
    turn("2025-01-15T09:00:59.999Z");
    Socket::open(house.base(), &value).await.expect("it opens");
    turn("2025-01-15T09:01:00Z");
    refused_without_a_word(&house.anonymous(), &format!("?ticket={late}")).await;
    // A try that came too late used it up: turning back helps nobody.
    turn("2025-01-15T09:00:01Z");
    refused_without_a_word(&house.anonymous(), &format!("?ticket={late}")).await;

    let swept = house.ticket("alice").await;
    house.turn("2025-01-15T09:01:01Z").await;
    refused_without_a_word(&house.anonymous(), &format!("?ticket={swept}")).await;
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_draws_so_many_tickets_and_opens_so_many_sockets() {
    let house = House::open_with(&[("limits.tickets_per_minute", "6"), ("limits.sockets_per_user", "2")]).await;
    let (first, second) = (house.socket("alice").await, house.socket("alice").await);
    let third = knock(&house.anonymous(), &format!("?ticket={}", house.ticket("alice").await)).await;
    assert_eq!((third.status, third.text(), third.header("retry-after")), (503, String::new(), "5"));
    // Others have a count of their own.
    let mut bobs = house.socket("bob").await;
    assert_eq!(bobs.heard().await, Vec::<Value>::new());
    // Who closes one may open another.
    drop(first);
    let hub = &house.running().hub;
    while hub.count() > 2 {
        tokio::task::yield_now().await;
    }
    let mut anew = house.socket("alice").await;
    assert_eq!(anew.heard().await, Vec::<Value>::new());
    drop(second);

    house.ticket("alice").await;
    house.ticket("alice").await;
    let over = house.http("alice").post("/ws/ticket", "").await;
    let wait: u64 = over.header("retry-after").parse().expect("seconds");
    assert!((1..=60).contains(&wait), "{wait}");
    let detail = format!("too many tickets were drawn: try again in {wait} seconds");
    let problem = json!({ "type": "about:blank", "title": "Too Many Requests", "status": 429, "detail": detail });
    assert_eq!((over.status, over.json()), (429, problem));
    house.ticket("bob").await;
    drop((anew, bobs));
    house.stop().await;
}
