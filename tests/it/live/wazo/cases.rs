//! What the real service promises its clients, case by case.

use serde_json::{Value, json};

use crate::live::House;
use crate::live::wazo::Wazo;

const FAILED: (u16, &str) = (4002, "authentication failed");
const EXPIRED: (u16, &str) = (4003, "authentication expired");

async fn refused(house: &House, target: &str, headers: &[(&'static str, &str)], (code, reason): (u16, &str)) {
    let mut socket = house.knock(target, headers).await.expect("it is upgraded first");
    assert_eq!(socket.closed().await, (code, reason.to_owned()), "{target}");
}

/// Cases 1 to 4: who is let in, and where the token may stand.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_a_socket() {
    let house = House::open().await;
    let token = house.bearer("alice", json!({})).await;
    let deaf = house.bearer("alice", json!({ "acl": ["foo"] })).await;
    for target in ["/", "/?token=", "/?tok=x"] {
        refused(&house, target, &[], (4001, "no token")).await;
    }
    // `Authorization` is not read here.
    refused(&house, "/", &[("authorization", &format!("Bearer {token}"))], (4001, "no token")).await;
    for target in ["/?token=unknown".to_owned(), format!("/?token={deaf}"), format!("/?token={token}x")] {
        refused(&house, &target, &[], FAILED).await;
    }
    // The query wins over the header, even with a worse token.
    refused(&house, "/?token=unknown", &[("x-auth-token", &token)], FAILED).await;
    for version in ["3", "abc", "-1"] {
        refused(&house, &format!("/?token={token}&version={version}"), &[], (4004, "")).await;
    }
    let first = json!({ "op": "init", "code": 0, "msg": "", "data": { "version": 1 } });
    let second = json!({ "op": "init", "code": 0, "msg": "", "data": { "version": 2 } });
    type Headers<'a> = &'a [(&'static str, &'a str)];
    let welcomed: [(String, Headers<'_>, &Value); 5] = [
        (format!("/?token={token}"), &[], &first),
        (format!("/some/other/path?version=&token={token}"), &[], &first),
        (format!("/api/websocketd/?token={token}&version=2&userUuid=x"), &[], &second),
        (format!("/?token={token}&version=1"), &[("origin", "https://elsewhere.example")], &first),
        ("/?version=2".to_owned(), &[("x-auth-token", &token)], &second),
    ];
    for (target, headers, init) in welcomed {
        let mut socket = house.knock(&target, headers).await.expect("it opens");
        assert_eq!(socket.hear().await, *init, "{target}");
    }
    house.stop().await;
}

/// Cases 6 to 12: the life of a token.
#[tokio::test(flavor = "multi_thread")]
async fn a_socket_lives_as_long_as_its_token() {
    let house = House::open().await;
    let day = json!({ "expires_in": 86_400 });
    // Expired.
    let short = house.bearer("alice", json!({ "expires_in": 1 })).await;
    let mut one = house.wazo(&short, 1).await;
    // Renewed before that.
    let before = house.bearer("alice", json!({ "expires_in": 1 })).await;
    let after = house.bearer("alice", json!({ "expires_in": 3 })).await;
    let mut two = house.wazo(&before, 2).await;
    let renewal = |token: &str| json!({ "op": "token", "data": { "token": token } }).to_string();
    let renewed = json!({ "op": "token", "code": 0, "msg": "", "data": null });
    assert_eq!(two.ask(&renewal(&after)).await, renewed);
    house.turn("2025-01-15T09:00:01Z").await;
    one.is_closed_with(EXPIRED.0, EXPIRED.1).await;
    house.turn("2025-01-15T09:00:02Z").await;
    assert!(two.heard().await.is_empty());
    house.turn("2025-01-15T09:00:03Z").await;
    two.is_closed_with(EXPIRED.0, EXPIRED.1).await;
    refused(&house, &format!("/?token={after}"), &[], FAILED).await;

    // Taken back.
    let revoke = |token: String| {
        let admin = house.http("admin");
        async move { assert_eq!(admin.delete(&format!("/api/tokens/{token}")).await.status, 204) }
    };
    let token = house.bearer("alice", day.clone()).await;
    let (mut quiet, mut started) = (house.wazo(&token, 1).await, house.listening(&token, 2).await);
    revoke(token).await;
    quiet.is_closed_with(EXPIRED.0, EXPIRED.1).await;
    started.is_closed_with(EXPIRED.0, EXPIRED.1).await;
    // The old one, after another took its place; then that one.
    let (old, new) = (house.bearer("alice", day.clone()).await, house.bearer("alice", day.clone()).await);
    let mut socket = house.wazo(&old, 2).await;
    assert_eq!(socket.ask(&renewal(&new)).await, renewed);
    revoke(old).await;
    house.settle().await;
    assert!(socket.heard().await.is_empty());
    revoke(new).await;
    socket.is_closed_with(EXPIRED.0, EXPIRED.1).await;
    // One that means nothing.
    let token = house.bearer("alice", day).await;
    for bad in ["unknown", ""] {
        let mut socket = house.wazo(&token, 2).await;
        socket.say(&renewal(bad)).await;
        socket.is_closed_with(FAILED.0, FAILED.1).await;
    }
    house.stop().await;
}

/// Cases 13 to 18 and 36: what is told, and how it is spelled.
#[tokio::test(flavor = "multi_thread")]
async fn events_come_as_they_were_published() {
    let house = House::open().await;
    let token = house.bearer("alice", json!({ "acl": ["websocketd", "event.foo"] })).await;
    let mut socket = house.wazo(&token, 1).await;
    let subscribed = json!({ "op": "subscribe", "code": 0, "msg": "", "data": null });
    assert_eq!(socket.ask(r#"{"op":"subscribe","data":{"event_name":"foo"}}"#).await, subscribed);
    let headers = |name: &str, acl: Value| json!({ "name": name, "required_acl": acl, "user_uuid:*": true });
    // Not started: lost for good.
    house.publish(headers("foo", Value::Null), r#"{"n":0}"#).await;
    let started = json!({ "op": "start", "code": 0, "msg": "", "data": null });
    assert_eq!(socket.ask(r#"{"op":"start"}"#).await, started);
    let body = r#"{"name": "foo",   "required_acl": null, "x": [1.0, "é", "\u00e9"]}"#;
    house.publish(headers("foo", Value::Null), body).await;
    assert_eq!(socket.hear_text().await, body);
    house.publish(headers("foo", json!("event.foo")), r#"{"n":1}"#).await;
    assert_eq!(socket.hear_text().await, r#"{"n":1}"#);
    // Another name, nothing said of what it demands, a demand that is not granted: only the sentinel comes.
    house.publish(headers("bar", Value::Null), r#"{"n":2}"#).await;
    house.publish(json!({ "name": "foo", "user_uuid:*": true }), r#"{"n":3}"#).await;
    house.publish(json!({ "name": "foo", "user_uuid:*": true, "required_access": "event.foo" }), r#"{"n":4}"#).await;
    house.publish(headers("foo", json!("event.bar")), r#"{"n":5}"#).await;
    house.publish(headers("foo", json!("")), r#"{"n":6}"#).await;
    house.publish(headers("foo", Value::Null), r#"{"sentinel":true}"#).await;
    assert_eq!(socket.hear_text().await, r#"{"sentinel":true}"#);
    // Older publishers say it in the body.
    house.publish(json!({ "user_uuid:*": true }), r#"{"name":"foo","required_acl":"event.foo"}"#).await;
    assert_eq!(socket.hear().await["name"], "foo");

    let mut second = house.wazo(&token, 2).await;
    let pong = json!({ "op": "pong", "code": 0, "msg": "", "data": { "payload": "to and fro" } });
    assert_eq!(second.ask(r#"{"op":"ping","data":{"payload":"to and fro"}}"#).await, pong);
    house.stop().await;
}

/// Case 19: the envelope of version 2, and a token that changes what is granted.
#[tokio::test(flavor = "multi_thread")]
async fn another_token_grants_other_events() {
    let house = House::open().await;
    let with = house.bearer("alice", json!({ "acl": ["websocketd", "event.foo"] })).await;
    let without = house.bearer("alice", json!({ "acl": ["websocketd"] })).await;
    let mut socket = house.listening(&with, 2).await;
    let headers = json!({ "name": "foo", "required_acl": "event.foo", "user_uuid:*": true });
    let body = r#"{"name":"foo"}"#;
    let envelope = json!({ "op": "event", "code": 0, "msg": "", "data": { "name": "foo" } });
    house.publish(headers.clone(), body).await;
    assert_eq!(socket.hear().await, envelope);
    let renewal = |token: &str| json!({ "op": "token", "data": { "token": token } }).to_string();
    assert_eq!(socket.ask(&renewal(&without)).await["op"], "token");
    house.publish(headers.clone(), body).await;
    assert!(socket.heard().await.is_empty());
    assert_eq!(socket.ask(&renewal(&with)).await["op"], "token");
    house.publish(headers, body).await;
    assert_eq!(socket.hear().await, envelope);
    house.stop().await;
}

/// Cases 20 to 33: whose events a token hears.
#[tokio::test(flavor = "multi_thread")]
async fn events_reach_those_whom_they_are_meant_for() {
    const ELSEWHERE: &str = "00000000-0000-4000-8000-000000000001";
    let house = House::open().await;
    let mut sockets: Vec<(&str, Wazo)> = Vec::new();
    let mut person = (String::new(), String::new());
    for (kind, metadata) in [
        ("user", json!({})),
        ("admin", json!({ "admin": true })),
        ("internal", json!({ "purpose": "internal" })),
        ("external", json!({ "purpose": "external_api" })),
        ("master", json!({ "master": true })),
    ] {
        let token = house.bearer("alice", json!({ "acl": ["websocketd", "#"], "metadata": metadata })).await;
        let look = house.look(&token).await;
        assert_eq!(look["metadata"]["admin"], json!(kind == "admin"), "{look}");
        let text = |key: &str| look["metadata"][key].as_str().expect("an identifier").to_owned();
        person = (text("uuid"), text("xivo_uuid"));
        sockets.push((kind, house.listening(&token, 2).await));
    }
    let (alice, origin) = person;
    let all = ["user", "admin", "internal", "external", "master"];
    let wide = &all[1..];
    let own = format!("user_uuid:{alice}");
    let others = format!("user_uuid:{ELSEWHERE}");
    let rows: [(&str, Value, &[&str]); 9] = [
        ("own", json!({ &own: true }), &all),
        ("everybody's", json!({ "user_uuid:*": true }), &all),
        ("both: once", json!({ "user_uuid:*": true, &own: true }), &all),
        ("somebody else's", json!({ &others: true }), wide),
        ("nobody's", json!({}), wide),
        ("not hers", json!({ &own: false }), wide),
        ("another tenant's", json!({ "user_uuid:*": true, &own: true, "tenant_uuid": ELSEWHERE }), &["master"]),
        ("another origin's", json!({ "user_uuid:*": true, &own: true, "origin_uuid": ELSEWHERE }), &[]),
        ("this origin's", json!({ &own: true, "origin_uuid": origin }), &all),
    ];
    for (what, mut headers, hearers) in rows {
        headers["name"] = json!("foo");
        headers["required_acl"] = Value::Null;
        house.publish(headers, &json!({ "name": what }).to_string()).await;
        for (kind, socket) in &mut sockets {
            let want: Vec<&str> = if hearers.contains(kind) { vec![what] } else { Vec::new() };
            assert_eq!(socket.names().await, want, "{what}, {kind}");
        }
    }
    house.stop().await;
}
