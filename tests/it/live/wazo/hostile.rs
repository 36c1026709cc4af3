//! Clients that do not keep to the protocol, or do too much of it: only they suffer.

use campanile::system::pace;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::live::House;
use crate::live::client::{Http, PATIENCE};
use crate::live::wazo::tenant;

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_understood_ends_its_socket_alone() {
    let house = House::open().await;
    let token = house.bearer("alice", json!({})).await;
    let mut bystander = house.listening(&token, 2).await;
    let long = "n".repeat(200_000);
    let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    let rows = [
        (Message::text(""), 4004),
        (Message::text("{"), 4004),
        (Message::text("[]"), 4004),
        (Message::text(r#"{"op":"unsubscribe"}"#), 4004),
        (Message::text(r#"{"op":"subscribe","data":{"event_name":7}}"#), 4004),
        (Message::text(deep), 4004),
        (Message::binary(br#"{"op":"start"}"#.to_vec()), 4004),
        (Message::text(format!(r#"{{"op":"subscribe","data":{{"event_name":"{}"}}}}"#, &long[..257])), 4004),
        (Message::text(format!(r#"{{"op":"subscribe","data":{{"event_name":"{long}"}}}}"#)), 1009),
    ];
    for (message, code) in rows {
        let mut socket = house.wazo(&token, 1).await;
        let what = message.to_string().chars().take(60).collect::<String>();
        // A client whose message is too long may be cut off in the middle of it.
        let _ = socket.send(message).await;
        assert_eq!(socket.closed().await.0, code, "{what}");
    }
    assert!(bystander.heard().await.is_empty());
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_million_subscriptions_end_at_the_thousandth() {
    let house = House::open().await;
    let token = house.bearer("alice", json!({})).await;
    let mut socket = house.wazo(&token, 1).await;
    let flood = async {
        for name in 0..1_000_000 {
            let ask = format!(r#"{{"op":"subscribe","data":{{"event_name":"n{name}"}}}}"#);
            if socket.send(Message::text(ask)).await.is_err() {
                return name;
            }
        }
        1_000_000
    };
    let sent = pace::within(PATIENCE, flood).await.expect("it is cut off in time");
    assert!((1_000..1_000_000).contains(&sent), "{sent}");
    let mut fresh = house.wazo(&token, 2).await;
    assert!(fresh.heard().await.is_empty());
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_comes_back_a_thousand_times() {
    let house = House::open().await;
    let token = house.bearer("alice", json!({})).await;
    for _ in 0..1_000 {
        drop(house.wazo(&token, 2).await);
    }
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_fails_too_often_is_not_looked_at_any_more() {
    let house = House::open_with(&[("limits.token_failures_per_minute", "3")]).await;
    let good = house.bearer("alice", json!({})).await;
    for _ in 0..3 {
        let mut socket = house.knock("/?token=bad", &[]).await.expect("it is upgraded first");
        assert_eq!(socket.closed().await.0, 4002);
    }
    let refused = house.knock("/?token=bad", &[]).await.err().expect("it is not upgraded").to_string();
    assert!(refused.contains("429"), "{refused}");
    assert_eq!(house.anonymous().get("/api/auth/0.1/token/bad").await.status, 429);
    // Others come in.
    assert!(house.wazo(&good, 2).await.heard().await.is_empty());
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_user_has_so_many_sockets() {
    let house = House::open_with(&[("limits.sockets_per_user", "2")]).await;
    let token = house.bearer("alice", json!({})).await;
    let (_one, _two) = (house.wazo(&token, 1).await, house.wazo(&token, 2).await);
    let mut third = house.knock(&format!("/?token={token}"), &[]).await.expect("it is upgraded first");
    assert_eq!(third.closed().await.0, 1013);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_is_closed_and_holds_nobody_up() {
    let house = House::open_with(&[("websocket.queue_bytes", "200000")]).await;
    let token = house.bearer("alice", json!({ "acl": ["websocketd", "#"] })).await;
    let mut reader = house.listening(&token, 2).await;
    let mut idler = house.listening(&token, 2).await;
    let body = json!({ "a": "x".repeat(40_000) }).to_string();
    let headers = json!({ "name": "x", "required_acl": null, "user_uuid:*": true, "tenant_uuid": tenant("demo") });
    let event = format!(r#"{{"headers":{headers},"body":{body}}}"#);
    let admin: Http = house.http("admin");
    let mut sent = 0;
    // The kernel's buffers on both sides and the queue are full at some time.
    while house.running().hub.count() == 2 {
        assert_eq!(admin.post("/api/bus/events", &event).await.status, 204);
        sent += 1;
        assert_eq!(reader.hear().await["data"]["a"].as_str().map(str::len), Some(40_000), "{sent}");
        assert!(sent < 5_000, "it is never too much");
    }
    let gone = async {
        loop {
            if let Err(code) = idler.next_or_close().await {
                return code;
            }
        }
    };
    let code = pace::within(PATIENCE, gone).await.expect("an end in time");
    assert!(matches!(code, Some(1013) | None), "{code:?}");
    assert_eq!(reader.heard().await, Vec::<Value>::new());
    house.stop().await;
}
