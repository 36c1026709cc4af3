//! The same deeds heard on every wire at once, each exactly once; `docs/dialects.md` is what was heard. With `CAMPANILE_WRITE_DOCS=1` the page
//! is written anew.

use std::fmt::Write;
use std::path::Path;

use serde_json::{Value, json};

use crate::live::client::Socket;
use crate::live::stomp::Talk;
use crate::live::wazo::Wazo;
use crate::live::{House, event};

const PAGE: &str = "docs/dialects.md";

/// One socket of each kind: alice's own, and bob's view of her.
struct Wires {
    side: Socket,
    wazo: Wazo,
    person: Socket,
    group: Socket,
    events: Socket,
    messages: Socket,
    stomp: Talk,
    turns: u32,
}

/// What each wire said of one deed: its name, and the frames.
type Said = Vec<(&'static str, Vec<String>)>;

impl Wires {
    async fn open(house: &House) -> Wires {
        let mut side = house.socket("alice").await;
        side.register("/calendars/alice/default").await;
        side.enable_alarms().await;
        let wazo = house.listening(&house.bearer("alice", json!({ "expires_in": 86_400 })).await, 2).await;
        let token = house.bearer("bob", json!({ "expires_in": 86_400 })).await;
        let cti = async |path: &str| {
            Socket::open_at(house.base(), &format!("{path}?access_token={token}"), &[]).await.expect("it opens")
        };
        let mut person = cti("/organisation/demo/user/alice").await;
        person.ask(r#"{"action":"subscribe","orgId":"demo","userId":"alice"}"#).await;
        let mut group = cti("/organisation/demo/user-group/team").await;
        group.ask(r#"{"action":"subscribe","orgId":"demo","groupId":"team"}"#).await;
        let mut events = cti("/v1/events").await;
        let client = json!({ "name": "FreedomWeb", "version": "3.0.0" });
        events.ask(&json!({ "type": "auth", "accessToken": token, "client": client }).to_string()).await;
        events.ask(r#"{"type":"subscribe","path":"/org/1/user/1/presence"}"#).await;
        let own = house.ticket("alice").await;
        let mut messages =
            Socket::open_at(house.base(), &format!("/v1/subscribe?ticket={own}"), &[]).await.expect("it opens");
        messages.ask(r#"{"request":"subscribe","data":{"users":["org:1:user:1"]}}"#).await;
        let mut stomp = Talk::connect(house, "/stomp", "alice").await;
        stomp.subscribe("messages", "/queue/message/upsert").await;
        stomp.subscribe("unread", "/queue/unread-count/update").await;
        Wires { side, wazo, person, group, events, messages, stomp, turns: 0 }
    }

    /// Everything that was said since the last time. Unread counts come a moment later, so they are waited for where they are due.
    async fn said(&mut self, unread_changes: bool) -> Said {
        let lines = |heard: Vec<Value>| heard.iter().map(Value::to_string).collect::<Vec<_>>();
        let mut said = vec![
            ("Side", lines(self.side.heard().await)),
            ("Wazo, version 2", lines(self.wazo.heard().await)),
            ("CTI, a person", lines(self.person.heard_cti().await)),
            ("CTI, a group", lines(self.group.heard_cti().await)),
            ("CTI events", lines(self.events.heard_cti().await)),
        ];
        let counts = if unread_changes { vec![self.messages.hear().await] } else { Vec::new() };
        said.push(("CTI messages", lines(counts)));
        self.turns += 1;
        let receipt = format!("RECEIPT\nreceipt-id:r{}\n\n\0", self.turns);
        self.stomp.say(&format!("UNSUBSCRIBE\nid:none\nreceipt:r{}\n\n\0", self.turns)).await;
        let mut frames = Vec::new();
        loop {
            match self.stomp.hear().await {
                end if end == receipt => break,
                frame => frames.push(frame.replace('\0', "^@")),
            }
        }
        said.push(("STOMP", frames));
        said
    }
}

/// How often each wire spoke.
fn counts(said: &Said) -> Vec<usize> {
    said.iter().map(|(_, frames)| frames.len()).collect()
}

fn of<'a>(said: &'a Said, wire: &str) -> &'a [String] {
    said.iter().find(|(name, _)| *name == wire).map(|(_, frames)| frames.as_slice()).expect("a wire")
}

/// What differs from one installation to the next, by a name of its own.
fn steady(frame: &str, origin: &str, token: &str) -> String {
    let number = token.rsplit('/').next().expect("a number");
    frame
        .replace(origin, "ORIGIN")
        .replace(token, "http://sabre.io/ns/sync/TOKEN")
        .replace(&format!(r#""token":{number}"#), r#""token":TOKEN"#)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_event_on_every_wire() {
    let house = House::open().await;
    let alice = house.http("alice");
    let mut wires = Wires::open(&house).await;
    let mut page = String::from(
        "# One event, every wire\n\nWhat clients hear when alice puts an event, when its alarm rings, when it begins and ends, and when she is invited. \
         Alice listens on Side, Wazo,\nCTI messages and STOMP; bob watches her and the group `team` over CTI. The test \
         `tests/it/live/every_wire.rs` hears these frames over real sockets\nand compares this page with them: `ORIGIN` and `TOKEN` stand for what \
         differs from one installation to the next, `^@` for a zero byte.\nA wire that is not named had nothing to say.\n",
    );
    let mut note = |title: &str, said: &Said, token: &str, origin: &str| {
        write!(page, "\n## {title}\n").expect("a text takes all");
        for (wire, frames) in said.iter().filter(|(_, frames)| !frames.is_empty()) {
            write!(page, "\n{wire}:\n\n```\n").expect("a text takes all");
            for frame in frames {
                writeln!(page, "{}", steady(frame, origin, token)).expect("a text takes all");
            }
            page.push_str("```\n");
        }
    };

    let put = alice.put("/calendars/alice/default/tea.ics", &event("tea", "20250115T100000Z", 15)).await;
    assert_eq!(put.status, 201, "{put:?}");
    house.settle().await;
    let said = wires.said(false).await;
    assert_eq!(counts(&said), [1, 2, 0, 0, 0, 0, 0], "{said:?}");
    let pushed: Value = serde_json::from_str(&of(&said, "Side")[0]).expect("JSON");
    let token = pushed["/calendars/alice/default"]["syncToken"].as_str().expect("a token").to_owned();
    let told: Value = serde_json::from_str(&of(&said, "Wazo, version 2")[0]).expect("JSON");
    let origin =
        told["origin_uuid"].as_str().or_else(|| told["data"]["origin_uuid"].as_str()).expect("an origin").to_owned();
    note("Alice puts an event at ten with an alarm a quarter before", &said, &token, &origin);

    house.turn("2025-01-15T09:45:00Z").await;
    let said = wires.said(true).await;
    assert_eq!(counts(&said), [1, 1, 0, 0, 0, 1, 2], "{said:?}");
    assert!(of(&said, "Side")[0].contains(r#""alarms":["#), "{said:?}");
    assert!(of(&said, "Wazo, version 2")[0].contains("calendar_alarm_triggered"), "{said:?}");
    assert!(of(&said, "CTI messages")[0].contains(r#""unreadMessages":1"#), "{said:?}");
    assert!(of(&said, "STOMP")[0].contains("/queue/message/upsert"), "{said:?}");
    assert!(of(&said, "STOMP")[1].contains(r#""unread_message_count":1"#), "{said:?}");
    note("The alarm rings", &said, &token, &origin);

    for (title, to, status) in [("The event begins", "10:00:00", "busy"), ("The event ends", "11:00:00", "available")] {
        house.turn(&format!("2025-01-15T{to}Z")).await;
        let said = wires.said(false).await;
        assert_eq!(counts(&said), [0, 1, 1, 1, 1, 0, 0], "{said:?}");
        assert!(of(&said, "Wazo, version 2")[0].contains("chatd_presence_updated"), "{said:?}");
        assert!(of(&said, "CTI, a person")[0].contains(&format!(r#""status":"{status}""#)), "{said:?}");
        assert!(of(&said, "CTI, a group")[0].contains("member_presence_update"), "{said:?}");
        assert!(of(&said, "CTI events")[0].contains(r#""type":"response""#), "{said:?}");
        note(title, &said, &token, &origin);
    }

    let invitation = event("dinner", "20250115T190000Z", 15).replace(
        "SUMMARY:",
        "ORGANIZER;CN=Zoe:mailto:zoe@example.org\r\nATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:alice@campanile.example\r\nSUMMARY:",
    );
    let put = alice.put("/calendars/alice/default/dinner.ics", &invitation).await;
    assert_eq!(put.status, 201, "{put:?}");
    house.settle().await;
    let said = wires.said(true).await;
    assert_eq!(counts(&said), [1, 3, 0, 0, 0, 1, 2], "{said:?}");
    let pushed: Value = serde_json::from_str(&of(&said, "Side")[0]).expect("JSON");
    let token = pushed["/calendars/alice/default"]["syncToken"].as_str().expect("a token").to_owned();
    note("Alice is invited", &said, &token, &origin);
    house.stop().await;

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    if std::env::var_os("CAMPANILE_WRITE_DOCS").is_some() {
        std::fs::write(&path, &page).expect("the page can be written");
    }
    let kept = std::fs::read_to_string(&path).expect("the page is there");
    assert_eq!(kept, page, "{PAGE} does not say what was heard: CAMPANILE_WRITE_DOCS=1 writes it anew");
}
