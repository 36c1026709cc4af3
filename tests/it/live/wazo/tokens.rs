//! Tokens over HTTP: what they grant, who may ask for what, and who may publish.

use serde_json::{Value, json};

use crate::live::House;
use crate::live::client::Http;

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_can_be_asked_what_it_grants() {
    let house = House::open().await;
    let issued = house.http("bob").post("/api/tokens", "").await;
    assert_eq!(issued.status, 201);
    let issued = issued.json();
    assert_eq!(issued["expires_at"], "2025-01-15T11:00:00Z");
    let token = issued["token"].as_str().expect("a token");
    let path = format!("/api/auth/0.1/token/{token}");
    let look = house.anonymous().get(&path).await;
    assert_eq!(look.status, 200);
    let data = look.json()["data"].clone();
    assert_eq!(keys(&data), ["acl", "auth_id", "metadata", "session_uuid", "token", "utc_expires_at", "xivo_uuid"]);
    assert_eq!(keys(&data["metadata"]), ["admin", "master", "purpose", "tenant_uuid", "uuid", "xivo_uuid"]);
    assert_eq!(data["utc_expires_at"], "2025-01-15T11:00:00.000000");
    assert_eq!(data["session_uuid"], issued["session_uuid"]);
    // What alice shares with bob is granted with it, as long as she does.
    let alice = house.http("alice").post("/api/tokens", "").await.json();
    let owner = house.look(alice["token"].as_str().expect("a token")).await["auth_id"].clone();
    let shared = format!("events.calendars.{}.team.#", owner.as_str().expect("an identifier"));
    let granted = |data: &Value| data["acl"].as_array().expect("a list").contains(&json!(shared));
    assert!(granted(&data), "{data}");
    for (scope, status) in [
        ("websocketd", 200),
        ("", 200),
        ("events.calendars.me.work.sync", 200),
        (shared.trim_end_matches('#').trim_end_matches('.'), 403),
        (&shared.replace('#', "sync"), 200),
        ("events.calendars.other.work.sync", 403),
        ("auth.tokens.create", 403),
    ] {
        let get = house.anonymous().get(&format!("{path}?scope={scope}")).await;
        assert_eq!(get.status, status, "{scope}");
        let head = house.anonymous().send("HEAD", &format!("{path}?scope={scope}"), &[], "").await;
        assert_eq!((head.status, head.text()), (if status == 200 { 204 } else { status }, String::new()), "{scope}");
    }
    assert_eq!(house.http("alice").delete("/api/calendars/alice/team/shares/bob").await.status, 204);
    assert!(!granted(&house.look(token).await));
    assert_eq!(house.anonymous().get("/api/auth/0.1/token/unknown").await.status, 404);
    // Its end, by time and by hand.
    house.turn("2025-01-15T11:00:00Z").await;
    assert_eq!(house.anonymous().get(&path).await.status, 404);
    let token = house.bearer("bob", json!({})).await;
    let holder = Http::with(house.base(), &format!("Bearer {token}"));
    assert_eq!(house.http("carol").delete(&format!("/api/tokens/{token}")).await.status, 404);
    assert_eq!(holder.delete(&format!("/api/tokens/{token}")).await.status, 204);
    assert_eq!(house.anonymous().get(&format!("/api/auth/0.1/token/{token}")).await.status, 404);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_administrator_gives_what_is_not_ones_own() {
    let house = House::open().await;
    let many: Vec<String> = (0..257).map(|n| format!("a.{n}")).collect();
    let rows = [
        ("alice", json!({ "acl": ["websocketd", "#"] }), 201),
        ("alice", json!({ "acl": [] }), 201),
        ("alice", json!({ "user": "bob" }), 403),
        ("alice", json!({ "metadata": { "admin": true } }), 403),
        ("alice", json!({ "metadata": { "master": true } }), 403),
        ("alice", json!({ "metadata": { "purpose": "internal" } }), 403),
        ("alice", json!({ "metadata": { "purpose": "user" } }), 201),
        ("admin", json!({ "user": "bob", "metadata": { "purpose": "external_api", "admin": true } }), 201),
        ("admin", json!({ "metadata": { "purpose": "world peace" } }), 400),
        ("admin", json!({ "user": "nobody" }), 404),
        ("alice", json!({ "expires_in": 0 }), 400),
        ("alice", json!({ "acl": ["x".repeat(513)] }), 400),
        ("alice", json!({ "acl": many }), 400),
        ("alice", json!({ "acl": ["a\nb"] }), 400),
        ("alice", json!({ "acl": "websocketd" }), 400),
        ("alice", json!({ "colour": "red" }), 400),
    ];
    for (caller, wanted, status) in rows {
        let answer = house.http(caller).post("/api/tokens", &wanted.to_string()).await;
        assert_eq!(answer.status, status, "{caller} {}", wanted.to_string().chars().take(80).collect::<String>());
    }
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_published_by_those_who_may() {
    let house = House::open().await;
    let event = r#"{"headers":{"name":"x","required_acl":null},"body":{}}"#;
    let publish = |http: Http, event: String| async move { http.post("/api/bus/events", &event).await.status };
    let bearer = |token: &str| Http::with(house.base(), &format!("Bearer {token}"));
    let mine = house.http("alice").post("/api/tokens", r##"{"acl":["#"]}"##).await.json();
    let rows = [
        (house.http("admin"), 204),
        (house.anonymous(), 401),
        (house.http("alice"), 403),
        // A list that one gives oneself opens nothing that one had not.
        (bearer(mine["token"].as_str().expect("a token")), 403),
        (bearer(&house.bearer("alice", json!({})).await), 403),
        (bearer(&house.bearer("alice", json!({ "acl": ["campanile.bus.events.create"] })).await), 204),
        (bearer(&house.bearer("alice", json!({ "acl": ["#", "!campanile.#"] })).await), 403),
    ];
    for (at, (http, status)) in rows.into_iter().enumerate() {
        assert_eq!(publish(http, event.to_owned()).await, status, "row {at}");
    }
    let users: String = (0..257).map(|n| format!(r#","user_uuid:00000000-0000-4000-8000-{n:012}":true"#)).collect();
    let long = "x".repeat(50_000);
    let rows = [
        (r#"{"headers":{"name":"x","required_acl":null},"body":[]}"#.to_owned(), 400),
        (r#"{"headers":{"name":"x","required_acl":3},"body":{}}"#.to_owned(), 400),
        (r#"{"headers":{"required_acl":null},"body":{}}"#.to_owned(), 400),
        (r#"{"headers":{"name":7},"body":{}}"#.to_owned(), 400),
        (r#"{"headers":{"name":""},"body":{}}"#.to_owned(), 400),
        (format!(r#"{{"headers":{{"name":"{}"}},"body":{{}}}}"#, "n".repeat(257)), 400),
        (r#"{"headers":{"name":"x","tenant_uuid":"here"},"body":{}}"#.to_owned(), 400),
        (r#"{"headers":{"name":"x"}}"#.to_owned(), 400),
        (r#"{"headers":[],"body":{}}"#.to_owned(), 400),
        (format!(r#"{{"headers":{{"name":"x"{users}}},"body":{{}}}}"#), 400),
        (format!(r#"{{"headers":{{"name":"x"}},"body":{{"a":"{long}"}}}}"#), 413),
        (format!(r#"{{"headers":{{"name":"x"}},"body":{{"a":"{}"}}}}"#, &long[..49_000]), 204),
        (r#"{"headers":{"name":"x","user_uuid:not one":true,"user_uuid:*":"yes"},"body":{}}"#.to_owned(), 204),
    ];
    for (event, status) in rows {
        let what = event.chars().take(80).collect::<String>();
        assert_eq!(publish(house.http("admin"), event).await, status, "{what}");
    }
    house.stop().await;
}
