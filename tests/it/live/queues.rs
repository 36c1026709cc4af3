//! What waits for a queue's members, as those who watch it are told: once for each change, and never without one.

use serde_json::{Value, json};

use crate::live::client::Socket;
use crate::live::{House, event};

/// An invitation of somebody elsewhere, at an hour of the day, with alice's or bob's answer.
fn invitation(who: &str, uid: &str, start: &str, answer: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20250101T000000Z\r\n\
         DTSTART:{start}\r\nDURATION:PT1H\r\nSUMMARY:Case {uid}\r\nORGANIZER:mailto:olga@example.org\r\n\
         ATTENDEE;PARTSTAT={answer}:mailto:{who}@campanile.example\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

struct Desk {
    house: House,
    /// Watches the queue, on both dialects.
    watch: Socket,
    events: Socket,
}

impl Desk {
    async fn open() -> Desk {
        let house = House::open().await;
        let group = json!({ "name": "Help", "members": ["alice", "bob"], "viewers": ["carol"], "queue": true });
        let made = house.http("admin").put_json("/api/organisations/demo/groups/help", &group.to_string()).await;
        assert_eq!(made.status, 201, "{made:?}");
        let token = house.bearer("carol", json!({ "expires_in": 864_000 })).await;
        let path = format!("/organisation/demo/user-group/help?access_token={token}");
        let mut watch = Socket::open_at(house.base(), &path, &[]).await.expect("it opens");
        let subscribe = json!({ "action": "subscribe", "orgId": "demo", "groupId": "help" });
        assert_eq!(metrics(&watch.ask(&subscribe.to_string()).await), (0, 0, 0));
        let mut events = Socket::open_at(house.base(), "/v1/events", &[]).await.expect("it opens");
        let client = json!({ "name": "CTI 2.0", "version": "2.5.1" });
        events.ask(&json!({ "type": "auth", "accessToken": token, "client": client }).to_string()).await;
        let number = made.json()["numericId"].clone();
        let sight = json!({ "type": "WEBSOCKET_GROUP_SUBSCRIBE", "orgId": "1", "groupId": number });
        assert_eq!(events.ask(&sight.to_string()).await["data"][1]["userId"], 2);
        Desk { house, watch, events }
    }

    async fn put(&self, who: &str, uid: &str, text: &str) {
        let put = self.house.http(who).put(&format!("/calendars/{who}/default/{uid}.ics"), text).await;
        assert!([201, 204].contains(&put.status), "{put:?}");
    }

    /// What the queue's watchers were told since: count, average and longest wait.
    async fn told(&mut self) -> Vec<(u64, u64, u64)> {
        self.house.settle().await;
        assert_eq!(self.events.heard_cti().await, Vec::<Value>::new(), "the other dialect has no queues");
        let heard = self.watch.heard_cti().await;
        heard.iter().filter(|told| told["type"] == "group_presence_update").map(metrics).collect()
    }
}

fn metrics(told: &Value) -> (u64, u64, u64) {
    assert_eq!(told["type"], "group_presence_update", "{told}");
    let metrics = &told["data"]["queueMetrics"];
    let figure = |name: &str| metrics[name].as_u64().unwrap_or_else(|| panic!("{told}"));
    (figure("callsWaiting"), figure("averageWaitTime"), figure("longestWaitTime"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_a_queue_is_told_once_for_each_change() {
    let mut desk = Desk::open().await;
    let waits = |uid: &str, answer: &str| invitation("alice", uid, "20250116T100000Z", answer);
    desk.put("alice", "one", &waits("one", "NEEDS-ACTION")).await;
    assert_eq!(desk.told().await, [(1, 0, 0)]);
    // The same again, with another summary: it waits as before. So it does when it was read.
    desk.put("alice", "one", &waits("one", "NEEDS-ACTION").replace("Case", "Matter")).await;
    let list = desk.house.http("alice").get("/api/conversations").await.json();
    let id = list["data"][0]["id"].as_str().unwrap_or_else(|| panic!("{list}"));
    let read = desk.house.http("alice").post(&format!("/api/conversations/{id}/read"), "").await;
    assert!(read.status < 300, "{read:?}");
    assert_eq!(desk.told().await, []);
    desk.house.turn("2025-01-15T09:01:00Z").await;
    assert_eq!(desk.told().await, [], "that it grows older is no change");
    desk.put("bob", "two", &invitation("bob", "two", "20250116T120000Z", "NEEDS-ACTION")).await;
    assert_eq!(desk.told().await, [(2, 30, 60)]);
    // Somebody else's is nobody's concern here, nor is one that has its answer.
    desk.put("carol", "three", &invitation("carol", "three", "20250116T120000Z", "NEEDS-ACTION")).await;
    desk.put("alice", "four", &waits("four", "DECLINED")).await;
    assert_eq!(desk.told().await, []);
    desk.put("alice", "one", &waits("one", "DECLINED")).await;
    assert_eq!(desk.told().await, [(1, 0, 0)]);
    assert_eq!(desk.house.http("bob").delete("/calendars/bob/default/two.ics").await.status, 204);
    assert_eq!(desk.told().await, [(0, 0, 0)]);
    // Several that come in one import are one change.
    let both = [waits("five", "NEEDS-ACTION"), waits("six", "NEEDS-ACTION")];
    let file = both.concat().replace("END:VCALENDAR\r\nBEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n", "");
    let done = desk.house.import("alice", "/calendars/alice/default", "text/calendar", &file).await;
    assert_eq!(done["status"], "completed", "{done}");
    let told = desk.told().await;
    assert_eq!(told.last(), Some(&(2, 0, 0)), "{told:?}");
    // What nobody answered waits no longer than until it is over: that is an edge of the clock.
    desk.house.turn("2025-01-16T10:59:59Z").await;
    desk.told().await;
    desk.house.turn("2025-01-16T11:00:00Z").await;
    assert_eq!(desk.told().await, [(0, 0, 0)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alarm_waits_in_a_queue_until_somebody_answers_it() {
    let mut desk = Desk::open().await;
    desk.put("alice", "tea", &event("tea", "20250115T100000Z", 30)).await;
    desk.put("carol", "tea", &event("hers", "20250115T100000Z", 30)).await;
    assert_eq!(desk.told().await, []);
    desk.house.turn("2025-01-15T09:30:00Z").await;
    assert_eq!(desk.told().await, [(1, 0, 0)]);
    let rang = desk.house.http("alice").get("/api/alarms").await.json();
    let id = rang.as_array().and_then(|all| all[0]["id"].as_str()).unwrap_or_else(|| panic!("{rang}")).to_owned();
    let later = json!({ "until": "2025-01-15T09:40:00Z" }).to_string();
    assert_eq!(desk.house.http("alice").post(&format!("/api/alarms/{id}/snooze"), &later).await.status, 200);
    assert_eq!(desk.told().await, [(0, 0, 0)]);
    desk.house.turn("2025-01-15T09:40:00Z").await;
    assert_eq!(desk.told().await, [(1, 0, 0)]);
    assert_eq!(desk.house.http("alice").post(&format!("/api/alarms/{id}/ack"), "").await.status, 200);
    assert_eq!(desk.told().await, [(0, 0, 0)]);
    assert_eq!(desk.house.http("alice").post(&format!("/api/alarms/{id}/ack"), "").await.status, 200);
    assert_eq!(desk.told().await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_into_a_queue_brings_what_waits() {
    let mut desk = Desk::open().await;
    desk.put("carol", "old", &invitation("carol", "old", "20250116T120000Z", "NEEDS-ACTION")).await;
    assert_eq!(desk.told().await, []);
    let put = |wish: Value| {
        let admin = desk.house.http("admin");
        async move { admin.put_json("/api/organisations/demo/groups/help", &wish.to_string()).await.status }
    };
    assert_eq!(put(json!({ "members": ["alice", "bob", "carol"] })).await, 200);
    desk.house.settle().await;
    let heard = desk.watch.heard_cti().await;
    assert_eq!(heard.iter().map(metrics).collect::<Vec<_>>(), [(1, 0, 0)], "once, with the group itself");
    assert_eq!(desk.events.heard_cti().await.len(), 1);
    // What was known is known after a restart: nobody is told anew.
    let Desk { house, .. } = desk;
    let house = house.reopen("2025-01-15T09:00:30Z").await;
    let http = house.http("carol");
    let snapshot = house.http("admin").get("/api/organisations/demo/groups/help/presence").await.json();
    assert_eq!(snapshot["queueMetrics"]["longestWaitTime"], 30, "{snapshot}");
    let token = house.bearer("carol", json!({})).await;
    let path = format!("/organisation/demo/user-group/help?access_token={token}");
    let mut watch = Socket::open_at(house.base(), &path, &[]).await.expect("it opens");
    let subscribe = json!({ "action": "subscribe", "orgId": "demo", "groupId": "help" });
    assert_eq!(metrics(&watch.ask(&subscribe.to_string()).await), (1, 30, 30));
    house.settle().await;
    assert_eq!(watch.heard_cti().await, Vec::<Value>::new());
    assert_eq!(http.delete("/calendars/carol/default/old.ics").await.status, 204);
    house.settle().await;
    assert_eq!(watch.heard_cti().await.iter().map(metrics).collect::<Vec<_>>(), [(0, 0, 0)]);
    // No longer a queue: the figures are zeros, and nothing is told of what waits.
    let wish = json!({ "queue": false }).to_string();
    assert_eq!(house.http("admin").put_json("/api/organisations/demo/groups/help", &wish).await.status, 200);
    house.settle().await;
    assert_eq!(watch.heard_cti().await.len(), 1);
    let text = invitation("carol", "new", "20250116T120000Z", "NEEDS-ACTION");
    assert_eq!(http.put("/calendars/carol/default/new.ics", &text).await.status, 201);
    house.settle().await;
    assert_eq!(watch.heard_cti().await, Vec::<Value>::new());
}
