//! Tokens of a wazo-auth: one that answers, and one that does not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

use crate::live::House;

const UUID: &str = "00000000-0000-4000-8000-0000000000aa";
const TENANT: &str = "00000000-0000-4000-8000-0000000000bb";

/// A wazo-auth that knows one token, as long as it is told so.
async fn wazo_auth(known: Arc<AtomicBool>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.expect("a connection");
            let known = known.load(Ordering::Acquire);
            tokio::spawn(async move {
                let mut stream = BufReader::new(stream);
                let mut target = String::new();
                stream.read_line(&mut target).await.expect("a request");
                loop {
                    let mut line = String::new();
                    stream.read_line(&mut line).await.expect("a head");
                    if line.trim().is_empty() {
                        break;
                    }
                }
                let right = target.starts_with("GET /api/auth/0.1/token/good%2D1?scope=websocketd ");
                let body = json!({ "data": {
                    "token": "good-1", "auth_id": UUID, "session_uuid": UUID, "acl": ["websocketd", "#"],
                    "utc_expires_at": "2025-01-15T09:01:40.000000",
                    "metadata": { "uuid": UUID, "tenant_uuid": TENANT, "purpose": "user", "admin": false },
                } });
                let (status, body) =
                    if right && known { ("200 OK", body.to_string()) } else { ("404 Not Found", "{}".to_owned()) };
                let answer =
                    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
                stream.write_all(answer.as_bytes()).await.expect("it is read");
            });
        }
    });
    format!("http://{address}/api/auth")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_a_wazo_auth_opens_a_socket_as_long_as_it_knows_it() {
    let known = Arc::new(AtomicBool::new(true));
    let house = House::open_with(&[("auth.wazo_url", &wazo_auth(known.clone()).await)]).await;
    let mut socket = house.listening("good-1", 2).await;
    let headers = |tenant: &str| {
        let own = format!("user_uuid:{UUID}");
        json!({ "name": "foo", "required_acl": "event.foo", "tenant_uuid": tenant, own: true })
    };
    house.publish(headers(TENANT), r#"{"name":"foo"}"#).await;
    house.publish(headers(UUID), r#"{"name":"bar"}"#).await;
    assert_eq!(socket.names().await, ["foo"]);
    let mut stranger = house.knock("/?token=bad", &[]).await.expect("it is upgraded first");
    stranger.is_closed_with(4002, "authentication failed").await;
    // Tokens of our own are good beside them.
    house.wazo(&house.bearer("alice", json!({})).await, 2).await;
    // Of a hundred seconds that were left the token is looked at again after seventy-five.
    known.store(false, Ordering::Release);
    house.turn("2025-01-15T09:01:14Z").await;
    assert!(socket.heard().await.is_empty());
    house.turn("2025-01-15T09:01:15Z").await;
    socket.is_closed_with(4003, "authentication expired").await;
    house.stop().await;
}

/// Case 5.
#[tokio::test(flavor = "multi_thread")]
async fn a_wazo_auth_that_is_down_lets_nobody_in() {
    let gone = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("its address");
    let house = House::open_with(&[("auth.wazo_url", &format!("http://{gone}/api/auth"))]).await;
    let mut socket = house.knock("/?token=any", &[]).await.expect("it is upgraded first");
    socket.is_closed_with(4002, "authentication failed").await;
    house.stop().await;
}
