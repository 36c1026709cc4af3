//! Frames cut at every byte, on real sockets: each dialect answers as if they had come whole. Before the first part stands a PING in the same
//! write; when its PONG is there the part was read, so the rest comes in a read of its own.

use campanile::system::pace;
use futures_util::StreamExt;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::live::House;
use crate::live::client::PATIENCE;

struct Raw {
    stream: WebSocketStream<TcpStream>,
}

/// A frame as a client sends it, RFC 6455 section 5.2: the last of its message, of this kind, masked.
fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    let mut bytes = vec![0x80 | kind];
    match payload.len() {
        short @ 0..126 => bytes.push(0x80 | short as u8),
        long => {
            bytes.push(0x80 | 126);
            bytes.extend((long as u16).to_be_bytes());
        }
    }
    bytes.extend(mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

fn text(said: &str) -> Vec<u8> {
    frame(1, said.as_bytes())
}

impl Raw {
    async fn open(base: &str, target: &str) -> Raw {
        let stream = TcpStream::connect(base).await.expect("it connects");
        stream.set_nodelay(true).expect("no delay");
        let request = format!("ws://{base}{target}").into_client_request().expect("a request");
        Raw { stream: tokio_tungstenite::client_async(request, stream).await.expect("it opens").0 }
    }

    async fn write(&mut self, bytes: &[u8]) {
        self.stream.get_mut().write_all(bytes).await.expect("the socket takes it");
    }

    /// The next message that is no PING; what says which PING is answered is heard too.
    async fn hear(&mut self) -> String {
        loop {
            match pace::within(PATIENCE, self.stream.next()).await.expect("a message in time") {
                Some(Ok(Message::Text(said))) => return said.to_string(),
                Some(Ok(Message::Binary(said))) => return String::from_utf8_lossy(&said).into_owned(),
                Some(Ok(Message::Pong(which))) => return format!("pong {}", String::from_utf8_lossy(&which)),
                Some(Ok(Message::Ping(_))) => {}
                other => panic!("no message but {other:?}"),
            }
        }
    }

    async fn ask(&mut self, said: &str) -> String {
        self.write(&text(said)).await;
        self.hear().await
    }

    /// Says it cut at each byte, and hears what is answered. `said` and `answer` are given the number of the cut.
    async fn cut(&mut self, said: impl Fn(usize) -> String, answer: impl Fn(usize, &str) -> bool) {
        let whole = text(&said(100)).len();
        for cut in 0..whole {
            let mut first = frame(9, cut.to_string().as_bytes());
            let bytes = text(&said(100 + cut));
            let (head, rest) = bytes.split_at(cut);
            first.extend(head);
            self.write(&first).await;
            assert_eq!(self.hear().await, format!("pong {cut}"));
            self.write(rest).await;
            let heard = self.hear().await;
            assert!(answer(100 + cut, &heard), "cut at {cut}: {heard}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_may_be_cut_at_every_byte_on_every_wire() {
    let house = House::open().await;
    let base = house.base();
    let token = house.bearer("alice", json!({})).await;

    let mut wazo = Raw::open(base, &format!("/api/websocketd/?version=2&token={token}")).await;
    assert!(wazo.hear().await.contains(r#""op":"init""#));
    let ping = |n: usize| json!({ "op": "ping", "data": { "payload": format!("{n} ü") } }).to_string();
    wazo.cut(ping, |n, heard| is_pong(heard, n)).await;
    let subscribe = |n: usize| {
        json!({ "op": "subscribe", "data": { "event_name": format!("n{n}{}", "x".repeat(120)) } }).to_string()
    };
    wazo.cut(subscribe, |_, heard| heard.contains(r#""op":"subscribe""#) && heard.contains(r#""code":0"#)).await;

    let mut person = Raw::open(base, &format!("/organisation/demo/user/alice?access_token={token}")).await;
    let subscribe = |_| json!({ "action": "subscribe", "orgId": "demo", "userId": "alice" }).to_string();
    person.cut(subscribe, |_, heard| heard.contains(r#""type":"presence_update""#)).await;

    let mut events = Raw::open(base, "/v1/events").await;
    let auth = json!({ "type": "auth", "accessToken": token, "client": { "name": "FreedomCTI", "version": "3" } });
    assert!(events.ask(&auth.to_string()).await.contains("welcome"));
    let watch = |n: usize| json!({ "type": "subscribe", "path": "/org/1/user/1/presence", "message": n }).to_string();
    events.cut(watch, |_, heard| heard.contains(r#""type":"response""#)).await;

    let mut messages = Raw::open(base, &format!("/v1/subscribe?access_token={token}")).await;
    let count = |_| json!({ "request": "subscribe", "data": { "users": ["org:1:user:1"] } }).to_string();
    messages.cut(count, |_, heard| heard.contains(r#""operation":"MODIFY""#)).await;

    let mut stomp = Raw::open(base, &format!("/stomp?ticket={}", house.ticket("alice").await)).await;
    assert!(stomp.ask("CONNECT\naccept-version:1.2\nheart-beat:0,0\n\n\0").await.starts_with("CONNECTED"));
    let subscribe = |n: usize| format!("SUBSCRIBE\nid:{n}\ndestination:/queue/message\nreceipt:{n}\n\n\0");
    stomp.cut(subscribe, |n, heard| heard.starts_with("RECEIPT") && heard.contains(&format!("receipt-id:{n}"))).await;

    let mut side = Raw::open(base, &format!("/ws?ticket={}", house.ticket("alice").await)).await;
    assert!(side.hear().await.contains("calendarListRegistered"));
    let register = |_| json!({ "register": ["/calendars/alice/default"] }).to_string();
    side.cut(register, |_, heard| heard.contains("registered")).await;
    house.stop().await;
}

/// The reply to a ping, whatever the order of its keys.
fn is_pong(heard: &str, n: usize) -> bool {
    let want = json!({ "op": "pong", "code": 0, "msg": "", "data": { "payload": format!("{n} ü") } });
    serde_json::from_str::<serde_json::Value>(heard).is_ok_and(|heard| heard == want)
}
