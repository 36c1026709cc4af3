//! STOMP and the CTI messages socket over the whole service: who gets in, an alarm's way to both, and real clients.

use campanile::system::pace;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};

use crate::live::client::PATIENCE;
use crate::live::program::Program;
use crate::live::{House, event, plain_event};

const MESSAGES: &str = "/queue/message/upsert";
const UNREAD: &str = "/queue/unread-count/update";

/// A path, the headers of the request, and the sub-protocol that is chosen.
type Door<'a> = (String, Vec<(&'a str, &'a str)>, Option<&'a str>);

/// A socket that speaks text of any kind.
pub struct Talk {
    stream: WebSocketStream<TcpStream>,
    /// The sub-protocol that the service chose.
    protocol: Option<String>,
}

impl Talk {
    async fn open(house: &House, path: &str, headers: &[(&str, &str)]) -> Result<Talk, tungstenite::Error> {
        let mut request = format!("ws://{}{path}", house.base()).into_client_request()?;
        for (name, value) in headers {
            let name: http::HeaderName = name.parse().expect("a name");
            request.headers_mut().insert(name, value.parse().expect("a value"));
        }
        let stream = TcpStream::connect(house.base()).await?;
        let (stream, response) = tokio_tungstenite::client_async(request, stream).await?;
        let protocol = response.headers().get("sec-websocket-protocol");
        let protocol = protocol.map(|name| name.to_str().expect("plain text").to_owned());
        Ok(Talk { stream, protocol })
    }

    /// Opened, and connected as somebody who knows their password.
    pub async fn connect(house: &House, path: &str, user: &str) -> Talk {
        let mut talk = Talk::open(house, path, &[]).await.expect("it opens");
        talk.say(&format!("CONNECT\naccept-version:1.2\nlogin:{user}\npasscode:{user}\n\n\0")).await;
        let welcome = talk.hear().await;
        assert!(
            welcome.starts_with("CONNECTED\nversion:1.2\n") && welcome.contains(&format!("user-name:{user}\n")),
            "{welcome}"
        );
        talk
    }

    pub async fn say(&mut self, text: &str) {
        self.stream.send(Message::text(text)).await.expect("the socket takes it");
    }

    /// The next text, or `close` and its code.
    pub async fn hear(&mut self) -> String {
        loop {
            match pace::within(PATIENCE, self.stream.next()).await.expect("a message in time") {
                Some(Ok(Message::Text(text))) if text.as_str() != "\n" => return text.to_string(),
                Some(Ok(Message::Close(frame))) => {
                    return format!("close {}", frame.map_or(0, |frame| u16::from(frame.code)));
                }
                Some(Ok(_)) => {}
                other => panic!("no message but {other:?}"),
            }
        }
    }

    pub async fn subscribe(&mut self, id: &str, destination: &str) {
        self.say(&format!("SUBSCRIBE\nid:{id}\ndestination:{destination}\nreceipt:{id}\n\n\0")).await;
        assert_eq!(self.hear().await, format!("RECEIPT\nreceipt-id:{id}\n\n\0"));
    }

    /// The next MESSAGE: its destination, and its body.
    async fn message(&mut self) -> (String, Value) {
        let text = self.hear().await;
        assert!(text.starts_with("MESSAGE\n"), "{text}");
        let header = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).expect(name).to_owned();
        let (_, body) = text.split_once("\n\n").expect("a body");
        let body = body.strip_suffix('\0').expect("a NUL");
        assert_eq!(header("content-length:"), body.len().to_string());
        (header("destination:"), serde_json::from_str(body).expect("JSON"))
    }

    async fn json(&mut self) -> Value {
        serde_json::from_str(&self.hear().await).expect("JSON")
    }
}

async fn token(house: &House, user: &str) -> String {
    let made = house.http(user).post("/api/tokens", "{}").await;
    assert_eq!(made.status, 201, "{made:?}");
    made.json()["token"].as_str().expect("a token").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alarm_becomes_a_message_an_unread_count_and_a_statistic() {
    let house = House::open().await;
    let alice = house.http("alice");
    let token = token(&house, "alice").await;
    let mut stomp = Talk::connect(&house, "/stomp", "alice").await;
    stomp.subscribe("m", MESSAGES).await;
    stomp.subscribe("u", UNREAD).await;
    let mut others = Talk::connect(&house, "/stomp", "bob").await;
    others.subscribe("m", MESSAGES).await;
    let mut cti = Talk::open(&house, "/v1/subscribe", &[]).await.expect("it opens");
    cti.say(
        &json!({ "type": "auth", "accessToken": token, "client": { "name": "CTI 2.0", "version": "1" } }).to_string(),
    )
    .await;
    assert_eq!(cti.json().await, json!({ "type": "tick", "message": "welcome" }));
    let id = "550e8400-e29b-41d4-a716-446655440000";
    let ask = json!({ "request": "subscribe", "clientRequestId": id, "data": { "users": ["org:1:user:1"] } });
    cti.say(&ask.to_string()).await;
    let statistics = |operation: &str, unread: u64| {
        let data = json!({ "userStatistics": { "unreadMessages": unread, "user": "org:1:user:1" } });
        json!({ "operation": operation, "clientRequestId": id, "data": data })
    };
    assert_eq!(cti.json().await, statistics("MODIFY", 0));

    assert_eq!(alice.put("/calendars/alice/default/a.ics", &event("a", "20250115T100000Z", 15)).await.status, 201);
    house.turn("2025-01-15T09:45:00Z").await;
    let (destination, said) = stomp.message().await;
    assert_eq!((destination.as_str(), &said["message"]["state"]), (MESSAGES, &json!("PENDING")));
    assert_eq!(
        (&said["message"]["alignment"], &said["message"]["sent_at"]),
        (&json!("LEFT"), &json!("2025-01-15T09:45:00.000Z"))
    );
    let content: Value = serde_json::from_str(said["message"]["content"].as_str().expect("a text")).expect("JSON");
    let want = json!({
        "type": "alarm", "text": "Event a", "event_url": "/calendars/alice/default/a.ics", "start": "2025-01-15T10:00:00Z",
    });
    assert_eq!(content, want);
    let (destination, unread) = stomp.message().await;
    assert_eq!((destination.as_str(), &unread["unread_message_count"]), (UNREAD, &json!(1)));
    assert_eq!(unread["conversation_id"], said["conversation_id"]);
    assert_eq!(cti.json().await, statistics("INSERT", 1));

    // A live socket has taken it. Acknowledged, it is said again under the same number, and nothing is unread.
    let listed = async || alice.get("/api/conversations").await.json()["data"][0].clone();
    while listed().await["last_message"]["state"] != "DELIVERED" {
        tokio::task::yield_now().await;
    }
    let alarm = alice.get("/api/alarms").await.json()[0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(alice.post(&format!("/api/alarms/{alarm}/ack"), "").await.status, 200);
    let (_, again) = stomp.message().await;
    assert_eq!((&again["message"]["id"], &again["message"]["state"]), (&said["message"]["id"], &json!("DELIVERED")));
    let (_, none) = stomp.message().await;
    assert_eq!(none["unread_message_count"], 0);
    assert!(none["timestamp"].as_str() > unread["timestamp"].as_str(), "{unread} {none}");
    assert_eq!(cti.json().await, statistics("MODIFY", 0));

    // Others heard nothing of all that; an administrator may ask how much is unread, others may not.
    others.say("SUBSCRIBE\nid:x\ndestination:/events\nreceipt:r\n\n\0").await;
    assert_eq!(others.hear().await, "RECEIPT\nreceipt-id:r\n\n\0");
    for (who, want) in [("bob", "not to be heard of: org:demo:user:alice"), ("admin", "")] {
        let ticket = house.ticket(who).await;
        let mut cti = Talk::open(&house, &format!("/v1/subscribe?ticket={ticket}"), &[]).await.expect("it opens");
        cti.say(r#"{"request":"subscribe","data":{"users":["org:demo:user:alice"]}}"#).await;
        assert_eq!(cti.json().await["message"].as_str().unwrap_or_default(), want);
    }
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stomp_opens_at_its_paths_to_whoever_proves_who_they_are() {
    let house = House::open().await;
    let token = token(&house, "alice").await;
    let bearer = format!("Bearer {token}");
    let ticket = house.ticket("alice").await;
    let protocols = ("sec-websocket-protocol", "v10.stomp, v12.stomp,v11.stomp");
    let rows: [Door<'_>; 5] = [
        ("/ws".to_owned(), vec![protocols, ("authorization", &bearer)], Some("v12.stomp")),
        (
            "/ws.communication".to_owned(),
            vec![("sec-websocket-protocol", "v11.stomp, chat"), ("authorization", &bearer)],
            Some("v11.stomp"),
        ),
        ("/ws.chatplugin".to_owned(), vec![("authorization", &bearer)], None),
        ("/stomp".to_owned(), vec![("authorization", &bearer)], None),
        (format!("/stomp?ticket={ticket}"), vec![], None),
    ];
    for (path, headers, protocol) in rows {
        let mut talk = Talk::open(&house, &path, &headers).await.expect("it opens");
        assert_eq!(talk.protocol.as_deref(), protocol, "{path}");
        // As the Airy client: no host, and nothing that says who.
        talk.say("CONNECT\naccept-version:1.2,1.1,1.0\nheart-beat:10000,10000\n\n\0").await;
        assert!(talk.hear().await.starts_with("CONNECTED\nversion:1.2\n"), "{path}");
    }
    // Used up, wrong: refused before the upgrade. Nothing: refused in CONNECT. So is a wrong password there.
    for (path, headers) in [
        (format!("/stomp?ticket={ticket}"), vec![]),
        ("/ws".to_owned(), vec![protocols, ("authorization", "Bearer x")]),
    ] {
        match Talk::open(&house, &path, &headers).await {
            Err(tungstenite::Error::Http(response)) => assert_eq!(response.status(), 401),
            other => panic!("{path}: {:?}", other.err()),
        }
    }
    for connect in ["", "login:alice\npasscode:bob\n", "Authorization:Bearer nothing\n"] {
        let mut talk = Talk::open(&house, "/ws", &[protocols]).await.expect("it opens");
        talk.say(&format!("CONNECT\naccept-version:1.2\n{connect}\n\0")).await;
        assert!(talk.hear().await.starts_with("ERROR\nmessage:401 Unauthorized\n"));
        assert_eq!(talk.hear().await, "close 1008");
    }

    // Malformed frames hurt nobody else. A new password ends what is open; the end of the service ends the rest, with a word.
    let mut sound = Talk::connect(&house, "/stomp", "bob").await;
    let mut broken = Talk::connect(&house, "/stomp", "bob").await;
    broken.say("SUBSCRIBE\nid:\\t\n\n\0").await;
    assert!(broken.hear().await.starts_with("ERROR\n"));
    assert_eq!(broken.hear().await, "close 1002");
    sound.subscribe("e", "/events").await;
    let made = house.http("bob").post("/api/calendars", r#"{"name":"Garden"}"#).await;
    assert_eq!(made.status, 201, "{made:?}");
    let (_, connected) = sound.message().await;
    assert_eq!((&connected["type"], &connected["payload"]["connected"]), (&json!("channel.updated"), &json!(true)));
    let mut carol = Talk::connect(&house, "/stomp", "carol").await;
    let changed = house.http("admin").put_json("/api/users/carol/password", r#"{"password":"other"}"#).await;
    assert_eq!(changed.status, 204, "{changed:?}");
    assert!(carol.hear().await.starts_with("ERROR\nmessage:401 Unauthorized\n"));
    let ending = tokio::spawn(async move {
        assert!(sound.hear().await.starts_with("ERROR\nmessage:service restart\n"));
        assert_eq!(sound.hear().await, "close 1012");
    });
    house.stop().await;
    ending.await.expect("it was told");
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_in_connect_are_counted_like_any_other() {
    let house = House::open_with(&[("limits.logins_per_minute", "2")]).await;
    let mut said = Vec::new();
    for _ in 0..3 {
        let mut talk = Talk::open(&house, "/stomp", &[]).await.expect("it opens");
        talk.say("CONNECT\naccept-version:1.2\nlogin:alice\npasscode:wrong\n\n\0").await;
        said.push(talk.hear().await.lines().nth(1).unwrap_or_default().to_owned());
    }
    assert_eq!(said, ["message:401 Unauthorized", "message:401 Unauthorized", "message:429 Too Many Requests"]);
    house.stop().await;
}

/// What every real client goes through: an event with an alarm, and what it is told of it.
async fn hears_an_alarm(house: &House, program: &mut Program) {
    let put = house.http("alice").put("/calendars/alice/default/a.ics", &event("a", "20250115T100000Z", 15)).await;
    assert_eq!(put.status, 201, "{put:?}");
    house.turn("2025-01-15T09:45:00Z").await;
    let message = program.line().await;
    assert_eq!((&message["destination"], &message["body"]["message"]["state"]), (&json!(MESSAGES), &json!("PENDING")));
    let unread = program.line().await;
    assert_eq!((&unread["destination"], &unread["body"]["unread_message_count"]), (&json!(UNREAD), &json!(1)));
}

#[tokio::test]
async fn stompjs_hears_acknowledges_and_leaves() {
    let house = House::open().await;
    let token = token(&house, "alice").await;
    let url = format!("ws://{}/ws", house.base());
    let Some(mut page) = Program::node("stomp/listen.js", &[&url, &token, MESSAGES, UNREAD], &[]) else { return };
    assert_eq!(page.line().await, json!({ "connected": "1.2", "as": "alice", "protocol": "v12.stomp" }));
    for destination in [MESSAGES, UNREAD] {
        assert_eq!(page.line().await, json!({ "receipt": format!("made {destination}") }));
    }
    hears_an_alarm(&house, &mut page).await;
    page.tell("ack").await;
    assert_eq!(page.line().await, json!({ "receipt": "taken" }));
    assert_eq!(page.ended().await, (true, vec![json!({ "closed": 1000 })]));

    // Without a token it is told why it may not.
    let mut page = Program::node("stomp/listen.js", &[&url, "", MESSAGES], &[]).expect("it was there before");
    assert_eq!(page.line().await, json!({ "error": "401 Unauthorized" }));
    assert_eq!(page.line().await, json!({ "closed": 1008 }));
    house.stop().await;
}

#[tokio::test]
async fn stomp_py_hears_and_leaves() {
    let house = House::open().await;
    let (host, port) = house.base().split_once(':').expect("an address");
    let arguments = [host, port, "/stomp", "alice", "alice", MESSAGES, UNREAD];
    let Some(mut script) = Program::python("stomp/listen.py", &arguments, &[]) else { return };
    assert_eq!(script.line().await, json!({ "connected": "1.2", "as": "alice" }));
    for destination in [MESSAGES, UNREAD] {
        assert_eq!(script.line().await, json!({ "receipt": format!("made {destination}") }));
    }
    hears_an_alarm(&house, &mut script).await;
    assert_eq!(script.ended().await, (true, vec![json!({ "receipt": "goodbye" })]));
    // What it took stays taken.
    let plain = house.http("alice").put("/calendars/alice/default/b.ics", &plain_event("b", "20250116T100000Z")).await;
    assert_eq!(plain.status, 201);
    let last = house.http("alice").get("/api/conversations").await.json()["data"][0]["last_message"].clone();
    assert_eq!(last["state"], "DELIVERED");
    house.stop().await;
}
