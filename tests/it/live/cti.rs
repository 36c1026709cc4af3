//! The CTI sockets of a whole service: one event's edges on every wire, each once; who is let in, and by what.

use serde_json::{Value, json};

use crate::live::client::Socket;
use crate::live::program::Program;
use crate::live::{House, plain_event};

async fn token(house: &House, user: &str) -> String {
    let issued = house.http(user).post("/api/tokens", r#"{"expires_in":86400}"#).await;
    assert_eq!(issued.status, 201, "{issued:?}");
    issued.json()["token"].as_str().expect("a token").to_owned()
}

async fn open(house: &House, path: &str, user: &str) -> Socket {
    let path = format!("{path}?access_token={}", token(house, user).await);
    Socket::open_at(house.base(), &path, &[]).await.expect("it opens")
}

fn subscribe(key: &str, name: &str) -> String {
    json!({ "action": "subscribe", "orgId": "demo", key: name }).to_string()
}

/// The three wires, each after its snapshot: a person, a group, and the events socket.
struct Wires {
    person: Socket,
    group: Socket,
    events: Socket,
}

impl Wires {
    async fn open(house: &House) -> Wires {
        let mut person = open(house, "/organisation/demo/user/alice", "bob").await;
        let snapshot = person.ask(&subscribe("userId", "alice")).await;
        assert_eq!((&snapshot["type"], &snapshot["data"]["status"]), (&json!("presence_update"), &json!("available")));
        let mut group = open(house, "/organisation/demo/user-group/team", "bob").await;
        let snapshot = group.ask(&subscribe("groupId", "team")).await;
        assert_eq!(snapshot["type"], "group_presence_update");
        let summary = json!({ "totalMembers": 3, "available": 3, "busy": 0, "onCall": 0, "away": 0, "offline": 0 });
        assert_eq!(snapshot["data"]["summary"], summary);
        let waiting = json!({ "callsWaiting": 0, "averageWaitTime": 0, "longestWaitTime": 0 });
        assert_eq!(snapshot["data"]["queueMetrics"], waiting);
        let mut events = Socket::open_at(house.base(), "/v1/events", &[]).await.expect("it opens");
        let auth = json!({
            "type": "auth",
            "accessToken": token(house, "bob").await,
            "client": { "name": "FreedomWeb", "version": "3.0.0" },
        });
        assert_eq!(events.ask(&auth.to_string()).await, json!({ "type": "tick", "message": "welcome" }));
        let sight = json!({ "type": "WEBSOCKET_USER_SUBSCRIBE", "orgId": "1", "userId": 1 });
        assert_eq!(events.ask(&sight.to_string()).await["data"][0]["availability"], "Available");
        Wires { person, group, events }
    }

    /// What each heard since it was last asked.
    async fn heard(&mut self) -> [Vec<Value>; 3] {
        [self.person.heard_cti().await, self.group.heard_cti().await, self.events.heard_cti().await]
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_is_told_once_at_each_edge_on_every_wire() {
    let house = House::open().await;
    let mut wires = Wires::open(&house).await;
    let at = "/calendars/alice/default/tea.ics";
    assert_eq!(house.http("alice").put(at, &plain_event("tea", "20250115T100000Z")).await.status, 201);
    house.settle().await;
    assert_eq!(wires.heard().await, <[Vec<Value>; 3]>::default());
    for (to, before, after, available, state) in
        [("10:00:00", "available", "busy", 2, ("Busy", 2)), ("11:00:00", "busy", "available", 3, ("Available", 1))]
    {
        house.turn(&format!("2025-01-15T{to}Z")).await;
        let [person, group, events] = wires.heard().await;
        let stamp = json!(format!("2025-01-15T{to}.000Z"));
        assert_eq!(person.len(), 1, "{person:?}");
        assert_eq!((&person[0]["type"], &person[0]["timestamp"]), (&json!("presence_update"), &stamp));
        let data = &person[0]["data"];
        assert_eq!(
            (&data["userId"], &data["orgId"], &data["extension"]),
            (&json!("alice"), &json!("demo"), &json!("1001"))
        );
        assert_eq!((&data["status"], &data["previousStatus"]), (&json!(after), &json!(before)));
        assert_eq!(data["statusMessage"], Value::Null, "titles do not leak");
        assert_eq!(group.len(), 1, "{group:?}");
        assert_eq!((&group[0]["type"], &group[0]["timestamp"]), (&json!("member_presence_update"), &stamp));
        assert_eq!(group[0]["data"]["displayName"], "Alice Archer");
        assert_eq!(group[0]["data"]["updatedSummary"]["available"], available);
        let want = json!({ "userId": 1, "presence": "", "logicalDirection": "", "callChannelUUID": "",
            "availability": state.0, "availabilityStateId": state.1, "availabilityProfileId": 1 });
        assert_eq!(events, [json!({ "type": "response", "data": [want] })]);
    }
    let transparent = plain_event("free", "20250115T120000Z").replace("END:VEVENT", "TRANSP:TRANSPARENT\r\nEND:VEVENT");
    assert_eq!(house.http("alice").put("/calendars/alice/default/free.ics", &transparent).await.status, 201);
    house.turn("2025-01-15T14:00:00Z").await;
    assert_eq!(wires.heard().await, <[Vec<Value>; 3]>::default());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conference_is_a_call_and_its_title_is_for_readers() {
    let house = House::open().await;
    let mut carol = open(&house, "/organisation/1/user/1", "carol").await;
    carol.ask(&subscribe("userId", "alice")).await;
    let mut alice = open(&house, "/organisation/demo/user/alice", "alice").await;
    alice.ask(&subscribe("userId", "alice")).await;
    let lines = "CONFERENCE;VALUE=URI;FEATURE=AUDIO,VIDEO:https://meet.example/1\r\nORGANIZER:mailto:alice@campanile.example\r\nEND:VEVENT";
    let talk = plain_event("talk", "20250115T084500Z").replace("END:VEVENT", lines);
    assert_eq!(house.http("alice").put("/calendars/alice/default/talk.ics", &talk).await.status, 201);
    house.settle().await;
    let heard = carol.heard_cti().await;
    let data = &heard[0]["data"];
    assert_eq!((heard.len(), &data["status"], &data["statusMessage"]), (1, &json!("on_call"), &Value::Null));
    let call = &data["activeCall"];
    assert_eq!((&call["direction"], &call["conference"]), (&json!("Outbound"), &json!("https://meet.example/1")));
    assert_eq!(call["since"], "2025-01-15T08:45:00.000Z");
    assert_eq!(alice.heard_cti().await[0]["data"]["statusMessage"], "Event talk");
    let group = house.http("bob").get("/api/organisations/demo/groups/team/presence").await.json();
    assert_eq!(group["members"][0]["callDuration"], 900);
    // The same calendar in a colleague's hands: now carol may read why.
    assert_eq!(
        house.http("alice").put_json("/api/calendars/alice/default/shares/carol", r#"{"right":"read"}"#).await.status,
        201
    );
    house.settle().await;
    assert_eq!(carol.heard_cti().await, Vec::<Value>::new());
    let snapshot = carol.ask(&subscribe("userId", "alice")).await;
    assert_eq!(snapshot["data"]["statusMessage"], "Event talk");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_open_by_every_proof_and_close_with_the_dialects_codes() {
    let house = House::open_with(&[("limits.sockets_per_user", "5")]).await;
    let path = "/organisation/demo/user/alice";
    let bearer = token(&house, "bob").await;
    let ticket = house.ticket("bob").await;
    let proofs: [(String, Vec<(&str, String)>); 4] = [
        (format!("{path}?access_token={bearer}"), vec![]),
        (format!("{path}?ticket={ticket}"), vec![]),
        (path.to_owned(), vec![("authorization", format!("Bearer {bearer}"))]),
        (path.to_owned(), vec![("sec-websocket-protocol", format!("bearer, {bearer}"))]),
    ];
    let mut open = Vec::new();
    for (path, headers) in &proofs {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let mut socket = Socket::open_at(house.base(), path, &headers).await.expect("it opens");
        let snapshot = socket.ask(&subscribe("userId", "alice")).await;
        assert_eq!(snapshot["data"]["userId"], "alice", "{path}");
        open.push(socket);
    }
    let mut fifth = Socket::open_at(house.base(), &proofs[0].0, &[]).await.expect("it opens");
    assert_eq!(fifth.ask(&subscribe("userId", "alice")).await["data"]["userId"], "alice");
    let rows = [
        (proofs[0].0.clone(), 4008),
        (path.to_owned(), 4003),
        (format!("{path}?access_token=nonsense"), 4003),
        (format!("{path}?ticket={ticket}"), 4003),
        ("/organisation/nowhere/user/alice".to_owned(), 4003),
    ];
    for (path, code) in rows {
        let mut socket = Socket::open_at(house.base(), &path, &[]).await.expect("it opens");
        assert_eq!(socket.closed().await, Some(code), "{path}");
    }
    drop((open, fifth));
    let admin = token(&house, "admin").await;
    for (path, code) in [
        ("/organisation/nowhere/user/alice", 4001),
        ("/organisation/demo/user/nobody", 4002),
        ("/organisation/demo/user-group/nothing", 4005),
    ] {
        let mut socket =
            Socket::open_at(house.base(), &format!("{path}?access_token={admin}"), &[]).await.expect("it opens");
        assert_eq!(socket.closed().await, Some(code), "{path}");
    }
}

/// The documentation's examples name this organisation, this person and this group.
async fn examples(house: &House) {
    let admin = house.http("admin");
    for (path, body, status) in [
        ("/api/organisations/org-12345", json!({}), 201),
        ("/api/organisations/org-12345/users/user-67890", json!({ "principal": "alice" }), 201),
        ("/api/organisations/org-12345/groups/group-sales-team", json!({ "members": ["user-67890"] }), 201),
    ] {
        assert_eq!(admin.put_json(path, &body.to_string()).await.status, status, "{path}");
    }
}

/// Runs both examples; `proof` gives each its suffix and header.
async fn run_examples(house: &House, proofs: [(String, Option<(&str, &str)>); 2]) {
    examples(house).await;
    let base = format!("ws://{}", house.base());
    let [person, group] = [("cti/person.js", &proofs[0]), ("cti/group.js", &proofs[1])].map(|(example, proof)| {
        let (suffix, header) = proof;
        let example = example.trim_start_matches("cti/");
        let (name, value) = header.unwrap_or(("", ""));
        Program::node("cti/run.js", &[example, &base, suffix, name, value], &[])
    });
    let (Some(mut person), Some(mut group)) = (person, group) else { return };
    assert_eq!(person.line().await, json!(["Connected to user presence stream"]));
    let first = person.line().await;
    assert_eq!((&first[0], &first[1]["data"]["status"]), (&json!("Presence update:"), &json!("available")));
    assert_eq!(group.line().await, json!(["Connected to group presence stream"]));
    let first = group.line().await;
    assert_eq!((&first[0], &first[1]["summary"]["available"]), (&json!("dashboard"), &json!(1)));
    assert_eq!(
        house.http("alice").put("/calendars/alice/default/e.ics", &plain_event("e", "20250115T100000Z")).await.status,
        201
    );
    house.turn("2025-01-15T10:00:00Z").await;
    assert_eq!(person.line().await[1]["data"]["status"], "busy");
    let told = group.line().await;
    assert_eq!((&told[0], &told[1]["status"]), (&json!("member"), &json!("busy")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_documentations_examples_run_behind_a_proxy() {
    let house = House::open_with(&[("auth.proxy_header", "X-Remote-User")]).await;
    let header = || (String::new(), Some(("X-Remote-User", "alice")));
    run_examples(&house, [header(), header()]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_documentations_examples_run_with_tickets() {
    let house = House::open().await;
    let suffixes = [house.ticket("alice").await, house.ticket("alice").await];
    run_examples(&house, suffixes.map(|ticket| (format!("?ticket={ticket}"), None))).await;
}
