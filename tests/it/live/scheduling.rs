//! Invitations between people who live here, over real sockets: one story on every wire, what is refused, and the mailboxes.

mod busy;
mod counter;
mod deputies;
mod moving;

use serde_json::{Value, json};

use crate::live::client::{Http, Reply, Socket};
use crate::live::stomp::Talk;
use crate::live::wazo::Wazo;
use crate::live::{House, plain_event};

const MINE: &str = "/calendars/alice/default/round.ics";

fn people(bob: &str, carol: &str) -> String {
    format!(
        "ORGANIZER:mailto:alice@campanile.example\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:alice@campanile.example\r\n\
         ATTENDEE{bob}:mailto:bob@campanile.example\r\nATTENDEE{carol}:mailto:carol@campanile.example\r\n"
    )
}

fn component(lines: &str, people: &str) -> String {
    format!(
        "BEGIN:VEVENT\r\nUID:round\r\nDTSTAMP:20250101T000000Z\r\nDURATION:PT1H\r\nSUMMARY:Round\r\n{lines}{people}END:VEVENT\r\n"
    )
}

fn calendar(components: &str) -> String {
    format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n{components}END:VCALENDAR\r\n")
}

/// Wednesdays at ten, from today on; that of the 22nd is a day later.
fn series(people: &str) -> String {
    let whole = component("DTSTART:20250115T100000Z\r\nRRULE:FREQ=WEEKLY;COUNT=4\r\n", people);
    let moved = component("RECURRENCE-ID:20250122T100000Z\r\nDTSTART:20250123T100000Z\r\n", people);
    calendar(&(whole + &moved))
}

/// One person on every wire: their own calendar, messages and presence, and the group that all are in.
struct Ears {
    user: &'static str,
    side: Socket,
    wazo: Wazo,
    stomp: Talk,
    messages: Socket,
    person: Socket,
    group: Socket,
    events: Socket,
    turns: u32,
}

impl Ears {
    async fn open(house: &House, user: &'static str, number: u32) -> Ears {
        let mut side = house.socket(user).await;
        side.register(&format!("/calendars/{user}/default")).await;
        side.enable_alarms().await;
        let token = house.bearer(user, json!({ "expires_in": 86_400 })).await;
        let wazo = house.listening(&token, 2).await;
        let mut stomp = Talk::connect(house, "/stomp", user).await;
        stomp.subscribe("messages", "/queue/message/upsert").await;
        stomp.subscribe("unread", "/queue/unread-count/update").await;
        let own = house.ticket(user).await;
        let mut messages =
            Socket::open_at(house.base(), &format!("/v1/subscribe?ticket={own}"), &[]).await.expect("it opens");
        messages.ask(&watch(number)).await;
        let cti = async |path: &str| {
            Socket::open_at(house.base(), &format!("{path}?access_token={token}"), &[]).await.expect("it opens")
        };
        let mut person = cti(&format!("/organisation/demo/user/{user}")).await;
        person.ask(&json!({ "action": "subscribe", "orgId": "demo", "userId": user }).to_string()).await;
        let mut group = cti("/organisation/demo/user-group/team").await;
        group.ask(r#"{"action":"subscribe","orgId":"demo","groupId":"team"}"#).await;
        let mut events = cti("/v1/events").await;
        let client = json!({ "name": "FreedomWeb", "version": "3.0.0" });
        events.ask(&json!({ "type": "auth", "accessToken": token, "client": client }).to_string()).await;
        events.ask(&json!({ "type": "subscribe", "path": format!("/org/1/user/{number}/presence") }).to_string()).await;
        Ears { user, side, wazo, stomp, messages, person, group, events, turns: 0 }
    }

    /// Everything that each wire said since the last time, a word a frame: Side, Wazo, STOMP, CTI messages (where a count is due), CTI 002
    /// of the person and of the group, CTI 003.
    async fn heard(&mut self, counts: bool) -> String {
        let path = format!("/calendars/{}/default", self.user);
        let token = |frame: &Value| match frame[&path]["syncToken"].is_string()
            && frame.as_object().map(|it| it.len()) == Some(1)
        {
            true => "token".to_owned(),
            false => frame.to_string(),
        };
        let side: Vec<String> = self.side.heard().await.iter().map(token).collect();
        let name = |frame: &Value| frame["name"].as_str().map_or_else(|| frame.to_string(), str::to_owned);
        let mut wazo: Vec<String> = self.wazo.heard().await.iter().map(name).collect();
        // Calendars and presences have no order among each other.
        wazo.sort();
        let stomp = self.heard_by_stomp().await;
        let mut counted = if counts { vec![self.messages.hear().await] } else { Vec::new() };
        counted.extend(self.messages.heard_cti().await);
        let unread = |frame: &Value| frame["data"]["userStatistics"]["unreadMessages"].to_string();
        let total: Vec<String> = counted.iter().map(unread).collect();
        let status = |frame: &Value| match frame["type"].as_str() {
            Some("presence_update") => format!("{} {}", frame["data"]["userId"], frame["data"]["status"]),
            Some("member_presence_update") => format!("{} {}", frame["data"]["userId"], frame["data"]["status"]),
            _ => frame.to_string(),
        };
        let state = |frame: &Value| match frame["data"].as_array().map(Vec::as_slice) {
            Some([one]) => format!("{} {}", one["userId"], one["availability"]),
            _ => frame.to_string(),
        };
        let person: Vec<String> = self.person.heard_cti().await.iter().map(status).collect();
        let mut group: Vec<String> = self.group.heard_cti().await.iter().map(status).collect();
        group.sort();
        let events: Vec<String> = self.events.heard_cti().await.iter().map(state).collect();
        let wires = [
            ("side", side.join(", ")),
            ("wazo", wazo.join(", ")),
            ("stomp", stomp.join(", ")),
            ("messages", total.join(", ")),
            ("002", person.join(", ")),
            ("002 group", group.join(", ")),
            ("003", events.join(", ")),
        ];
        let said = wires.iter().filter(|(_, said)| !said.is_empty());
        let said: String = said.map(|(wire, said)| format!("    {wire}: {said}\n")).collect();
        format!("  {}\n{}", self.user, said.replace('"', ""))
    }

    async fn heard_by_stomp(&mut self) -> Vec<String> {
        self.turns += 1;
        let receipt = format!("RECEIPT\nreceipt-id:r{}\n\n\0", self.turns);
        self.stomp.say(&format!("UNSUBSCRIBE\nid:none\nreceipt:r{}\n\n\0", self.turns)).await;
        let mut said = Vec::new();
        loop {
            let frame = self.stomp.hear().await;
            if frame == receipt {
                return said;
            }
            let body: Value =
                serde_json::from_str(frame.split("\n\n").nth(1).expect("a body").trim_end_matches('\0')).expect("JSON");
            let Some(count) = body["unread_message_count"].as_u64() else {
                let content: Value =
                    serde_json::from_str(body["message"]["content"].as_str().expect("a text")).expect("JSON");
                said.push(format!("{} {}", content["type"], body["message"]["alignment"]));
                continue;
            };
            said.push(format!("unread {count}"));
        }
    }
}

fn watch(number: u32) -> String {
    json!({ "request": "subscribe", "data": { "users": [format!("org:1:user:{number}")] } }).to_string()
}

/// What all three hear of one deed; `counts` says whose unread count changes.
async fn told(ears: &mut [Ears; 3], deed: &str, counts: [bool; 3]) -> String {
    let mut all = format!("{deed}\n");
    for (ears, counts) in ears.iter_mut().zip(counts) {
        all += &ears.heard(counts).await;
    }
    all
}

/// The one object of a UID in somebody's default calendar: its place, its text, its schedule tag.
async fn copy(http: &Http, user: &str) -> (String, String, String) {
    let body = r#"<C:calendar-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><D:getetag/></D:prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:prop-filter name="UID"><C:text-match collation="i;octet">round</C:text-match></C:prop-filter></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>"#;
    let found = http.send("REPORT", &format!("/calendars/{user}/default/"), &[("Depth", "1")], body).await.text();
    assert_eq!(found.matches("<href>").count(), 1, "{found}");
    let href = found.split("<href>").nth(1).and_then(|rest| rest.split('<').next()).expect("an href").to_owned();
    let got = http.get(&href).await;
    assert_eq!(got.status, 200, "{got:?}");
    (href, got.text().replace("\r\n ", ""), got.header("schedule-tag").to_owned())
}

/// The messages in somebody's inbox, the oldest first.
async fn inbox(http: &Http, user: &str) -> Vec<String> {
    let listed = http.send("PROPFIND", &format!("/calendars/{user}/inbox/"), &[("Depth", "1")], "").await.text();
    let mut all = Vec::new();
    for href in
        listed.split("<href>").skip(1).filter_map(|rest| rest.split('<').next()).filter(|href| href.ends_with(".ics"))
    {
        all.push(http.get(href).await.text().replace("\r\n ", ""));
    }
    all
}

fn method(message: &str) -> &str {
    message.split("METHOD:").nth(1).and_then(|rest| rest.lines().next()).unwrap_or_default()
}

#[track_caller]
fn has(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
}

/// By person and wire: Side, Wazo, STOMP, CTI messages, CTI 002 of the person and of the group, CTI 003. A wire that is not named said nothing.
const STORY: &str = "\
alice invites
  alice
    side: token
    wazo: calendar_event_created, calendar_sync_token_updated
    stomp: invitation RIGHT, unread 0
    messages: 0
  bob
    side: token
    wazo: calendar_event_created, calendar_invitation_received, calendar_sync_token_updated
    stomp: invitation LEFT, unread 1
    messages: 1
  carol
    side: token
    wazo: calendar_event_created, calendar_invitation_received, calendar_sync_token_updated
    stomp: invitation LEFT, unread 1
    messages: 1
bob accepts
  alice
    side: token
    wazo: calendar_event_updated, calendar_invitation_replied, calendar_sync_token_updated
    stomp: reply LEFT, unread 1
    messages: 1
  bob
    side: token
    wazo: calendar_event_updated, calendar_sync_token_updated
    stomp: reply RIGHT, unread 0
    messages: 0
  carol
carol does not come to one
  alice
    side: token
    wazo: calendar_event_updated, calendar_invitation_replied, calendar_sync_token_updated
    stomp: reply LEFT, unread 2
    messages: 2
  bob
  carol
    side: token
    wazo: calendar_event_updated, calendar_sync_token_updated
    stomp: reply RIGHT, unread 1
    messages: 1
alice renames it
  alice
    side: token
    wazo: calendar_event_updated, calendar_sync_token_updated
  bob
    side: token
    wazo: calendar_event_updated, calendar_sync_token_updated
  carol
    side: token
    wazo: calendar_event_updated, calendar_sync_token_updated
it begins
  alice
    wazo: chatd_presence_updated, chatd_presence_updated
    002: alice busy
    002 group: alice busy, bob busy
    003: 1 Busy
  bob
    wazo: chatd_presence_updated, chatd_presence_updated
    002: bob busy
    002 group: alice busy, bob busy
    003: 2 Busy
  carol
    wazo: chatd_presence_updated, chatd_presence_updated
    002 group: alice busy, bob busy
it goes on
  alice
  bob
  carol
alice cancels
  alice
    side: token
    wazo: calendar_event_deleted, calendar_sync_token_updated, chatd_presence_updated, chatd_presence_updated
    stomp: unread 0
    messages: 0
    002: alice available
    002 group: alice available, bob available
    003: 1 Available
  bob
    side: token
    wazo: calendar_event_updated, calendar_sync_token_updated, chatd_presence_updated, chatd_presence_updated
    stomp: cancel LEFT, unread 1
    messages: 1
    002: bob available
    002 group: alice available, bob available
    003: 2 Available
  carol
    side: token
    wazo: calendar_event_updated, calendar_sync_token_updated, chatd_presence_updated, chatd_presence_updated
    stomp: cancel LEFT, unread 2
    messages: 2
    002 group: alice available, bob available
bob throws it away
  alice
  bob
    side: token
    wazo: calendar_event_deleted, calendar_sync_token_updated
    stomp: unread 0
    messages: 0
  carol
";

#[tokio::test(flavor = "multi_thread")]
async fn alice_invites_bob_accepts_carol_declines_one_alice_cancels() {
    let house = House::open().await;
    let (alice, bob, carol) = (house.http("alice"), house.http("bob"), house.http("carol"));
    let mut ears = [
        Ears::open(&house, "alice", 1).await,
        Ears::open(&house, "bob", 2).await,
        Ears::open(&house, "carol", 3).await,
    ];
    let mut story = String::new();

    // Alice invites.
    let put = alice.put(MINE, &series(&people("", ""))).await;
    assert_eq!((put.status, put.header("etag")), (201, ""), "the bytes are other ones by now");
    let made = put.header("schedule-tag").to_owned();
    assert!(!made.is_empty());
    house.settle().await;
    let (_, mine, tag) = copy(&alice, "alice").await;
    assert_eq!((mine.matches("SCHEDULE-STATUS=1.2").count(), &tag), (4, &made));
    let (at_bobs, bobs, bobs_tag) = copy(&bob, "bob").await;
    let (at_carols, carols, carols_tag) = copy(&carol, "carol").await;
    for theirs in [&bobs, &carols] {
        has(theirs, &["RRULE:FREQ=WEEKLY;COUNT=4", "RECURRENCE-ID:20250122T100000Z", "ATTENDEE:mailto:bob"]);
        assert!(!theirs.contains("SCHEDULE-STATUS") && !theirs.contains("METHOD"), "{theirs}");
    }
    for (http, user) in [(&bob, "bob"), (&carol, "carol")] {
        let messages = inbox(http, user).await;
        assert_eq!(messages.iter().map(|message| method(message)).collect::<Vec<_>>(), ["REQUEST"]);
    }
    assert!(inbox(&alice, "alice").await.is_empty());
    story += &told(&mut ears, "alice invites", [true, true, true]).await;

    // Bob accepts all of it.
    let put = bob.put(&at_bobs, &bobs.replace("ATTENDEE:mailto:bob", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:bob")).await;
    assert_eq!((put.status, put.header("schedule-tag")), (204, bobs_tag.as_str()), "an answer alone makes no new tag");
    house.settle().await;
    let (_, mine, tag) = copy(&alice, "alice").await;
    assert_eq!(mine.matches("PARTSTAT=ACCEPTED;SCHEDULE-STATUS=2.0:mailto:bob").count(), 2, "{mine}");
    assert_eq!(tag, made, "RFC 6638 3.2.10");
    has(&copy(&bob, "bob").await.1, &["ORGANIZER;SCHEDULE-STATUS=1.2:mailto:alice"]);
    has(&inbox(&alice, "alice").await[0], &["METHOD:REPLY", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:bob"]);
    story += &told(&mut ears, "bob accepts", [true, true, false]).await;

    // Carol does not come on the 29th.
    let away = carols.replacen("SUMMARY:", "EXDATE:20250129T100000Z\r\nSUMMARY:", 1);
    let put = carol.put(&at_carols, &away).await;
    assert_eq!(put.status, 204, "{put:?}");
    assert_ne!(put.header("schedule-tag"), carols_tag);
    house.settle().await;
    let (_, mine, tag) = copy(&alice, "alice").await;
    has(&mine, &["RECURRENCE-ID:20250129T100000Z", "PARTSTAT=DECLINED;SCHEDULE-STATUS=2.0:mailto:carol"]);
    assert_eq!((tag, mine.matches("DECLINED").count()), (made.clone(), 1), "{mine}");
    assert_eq!(inbox(&alice, "alice").await.len(), 2);
    story += &told(&mut ears, "carol does not come to one", [true, false, false]).await;

    // Who knows the schedule tag still may write; and with a text from before the answers undoes none.
    let stale = series(&people("", "")).replace("SUMMARY:Round", "SUMMARY:Circle");
    let put = alice
        .send("PUT", MINE, &[("If-Schedule-Tag-Match", made.as_str()), ("Content-Type", "text/calendar")], stale)
        .await;
    assert_eq!(put.status, 204, "{put:?}");
    house.settle().await;
    let (_, mine, tag) = copy(&alice, "alice").await;
    has(&mine, &["SUMMARY:Circle", "SCHEDULE-STATUS=1.2;PARTSTAT=ACCEPTED:mailto:bob"]);
    assert_ne!(tag, made);
    has(&mine, &["RECURRENCE-ID:20250129T100000Z", "PARTSTAT=DECLINED;SCHEDULE-STATUS=2.0:mailto:carol"]);
    assert_eq!(mine.matches("DECLINED").count(), 1, "{mine}");
    let (_, bobs, _) = copy(&bob, "bob").await;
    has(&bobs, &["SUMMARY:Circle", "PARTSTAT=ACCEPTED:mailto:bob"]);
    has(&copy(&carol, "carol").await.1, &["SUMMARY:Circle"]);
    story += &told(&mut ears, "alice renames it", [false, false, false]).await;

    // The first meeting begins: who comes is busy, who has not answered is not.
    house.turn("2025-01-15T10:00:00Z").await;
    story += &told(&mut ears, "it begins", [false, false, false]).await;
    house.turn("2025-01-15T10:30:00Z").await;
    story += &told(&mut ears, "it goes on", [false, false, false]).await;

    // Alice cancels.
    assert_eq!(alice.delete(MINE).await.status, 204);
    house.settle().await;
    assert_eq!(alice.get(MINE).await.status, 404);
    for (http, user) in [(&bob, "bob"), (&carol, "carol")] {
        let (_, theirs, _) = copy(http, user).await;
        assert!(theirs.matches("STATUS:CANCELLED").count() >= 2, "{theirs}");
        assert_eq!(inbox(http, user).await.last().map(|message| method(message)), Some("CANCEL"));
    }
    story += &told(&mut ears, "alice cancels", [true, true, true]).await;
    // Whoever throws away what is cancelled answers nothing more.
    assert_eq!(bob.delete(&at_bobs).await.status, 204);
    assert_eq!(inbox(&alice, "alice").await.len(), 2);
    house.settle().await;
    story += &told(&mut ears, "bob throws it away", [false, true, false]).await;
    assert_eq!(story, STORY, "{story}");
    house.stop().await;
}

#[track_caller]
fn refused(reply: &Reply, element: &str) {
    assert!(
        reply.status == 403 && reply.text().contains(&format!("{element}/>"))
            || reply.text().contains(&format!("{element}>")),
        "{element}: {reply:?}"
    );
    assert_eq!(reply.status, 403, "{element}: {reply:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_the_rules_is_refused_and_changes_nothing() {
    let house = House::open().await;
    let (alice, bob) = (house.http("alice"), house.http("bob"));
    let text = series(&people("", ""));
    assert_eq!(alice.put(MINE, &text).await.status, 201);
    let (at, bobs, _) = copy(&bob, "bob").await;
    let (_, mine, _) = copy(&alice, "alice").await;
    // Bob, on his copy.
    for (from, to) in [
        ("SUMMARY:Round", "SUMMARY:Square"),
        ("T100000Z\r\nRRULE", "T110000Z\r\nRRULE"),
        ("ATTENDEE:mailto:carol", "ATTENDEE;PARTSTAT=DECLINED:mailto:carol"),
        ("ORGANIZER:mailto:alice", "ORGANIZER:mailto:bob"),
        ("COUNT=4", "COUNT=5"),
    ] {
        let reply = bob.put(&at, &bobs.replace(from, to)).await;
        refused(&reply, "allowed-attendee-scheduling-object-change");
    }
    // An organizer who is somebody else, and asks nobody of this home; METHOD; several organizers; a second object.
    let other = text.replace("UID:round", "UID:other");
    let fresh = "/calendars/bob/default/other.ics";
    let not_bob = other.replace("ATTENDEE:mailto:bob", "ATTENDEE:mailto:dave");
    refused(&bob.put(fresh, &not_bob).await, "allowed-organizer-scheduling-object-change");
    refused(
        &bob.put(fresh, &other.replace("BEGIN:VEVENT", "METHOD:REQUEST\r\nBEGIN:VEVENT")).await,
        "valid-calendar-object-resource",
    );
    let two = other.replacen("ORGANIZER:mailto:alice", "ORGANIZER:mailto:bob", 1);
    refused(&bob.put(fresh, &two).await, "same-organizer-in-all-components");
    assert_eq!(bob.send("MKCALENDAR", "/calendars/bob/second/", &[], "").await.status, 201);
    let again = bob.put("/calendars/bob/second/again.ics", &bobs).await;
    refused(&again, "unique-scheduling-object-resource");
    assert!(again.text().contains(&at), "{again:?}");
    refused(
        &alice.put(MINE, &text.replace("ORGANIZER:mailto:alice", "ORGANIZER:mailto:bob")).await,
        "allowed-organizer-scheduling-object-change",
    );
    // To say that one comes to what one is not asked to tells the organizer nothing.
    let forged = other.replace("ATTENDEE:mailto:bob", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:bob");
    assert_eq!(bob.put(fresh, &forged).await.status, 201);
    has(&bob.get(fresh).await.text().replace("\r\n ", ""), &["ORGANIZER;SCHEDULE-STATUS=3.8:"]);
    house.settle().await;
    assert_eq!(copy(&alice, "alice").await.1, mine);
    assert_eq!(copy(&bob, "bob").await.1, bobs);
    assert!(inbox(&alice, "alice").await.is_empty());
    // Two series in one; one that is left to the client to answer.
    let mixed = other.replacen("UID:other", "UID:mixed", 1);
    refused(&bob.put("/calendars/bob/default/mixed.ics", &mixed).await, "valid-calendar-object-resource");
    let own = bobs
        .replace("ORGANIZER:", "ORGANIZER;SCHEDULE-AGENT=CLIENT:")
        .replace("ATTENDEE:mailto:bob", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:bob");
    assert_eq!(bob.put(&at, &own).await.status, 204);
    house.settle().await;
    assert_eq!((copy(&alice, "alice").await.1, copy(&bob, "bob").await.1), (mine.clone(), own), "nobody is told");
    assert_eq!(bob.put(&at, &bobs).await.status, 204);
    house.settle().await;
    // An answer that the organizer is not to hear of.
    let quiet = [("Schedule-Reply", "F")];
    assert_eq!(bob.send("DELETE", &at, &quiet, "").await.status, 204);
    assert_eq!(copy(&alice, "alice").await.1, mine);
    // Those who live elsewhere get no mail, and this says so; those whom the client tells itself are left to it.
    let people = people("", "")
        + "ATTENDEE:mailto:zoe@elsewhere.org\r\nATTENDEE:/principals/nobody/\r\nATTENDEE;SCHEDULE-AGENT=CLIENT:mailto:yan@elsewhere.org\r\n";
    assert_eq!(alice.put(MINE, &series(&people)).await.status, 204);
    let (_, mine, _) = copy(&alice, "alice").await;
    has(
        &mine,
        &[
            "ATTENDEE;SCHEDULE-STATUS=5.2:mailto:zoe",
            "ATTENDEE;SCHEDULE-STATUS=3.7:/principals/nobody/",
            "ATTENDEE;SCHEDULE-AGENT=CLIENT:mailto:yan",
        ],
    );
    // Bob threw it away without a word; asked anew, he has it again. Then he declines by throwing it away.
    let (at, _, _) = copy(&bob, "bob").await;
    assert_eq!(bob.delete(&at).await.status, 204);
    has(&copy(&alice, "alice").await.1, &["PARTSTAT=DECLINED;SCHEDULE-STATUS=2.0:mailto:bob"]);
    // A calendar that goes takes its invitations back.
    assert_eq!(alice.delete("/calendars/alice/default/").await.status, 204);
    has(&copy(&house.http("carol"), "carol").await.1, &["STATUS:CANCELLED"]);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mailboxes_are_found_read_and_cleared() {
    let house = House::open().await;
    let (alice, bob) = (house.http("alice"), house.http("bob"));
    let ask = |names: &str| {
        format!(r#"<propfind xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop>{names}</prop></propfind>"#)
    };
    let props = async |http: &Http, path: &str, names: &str| {
        http.send("PROPFIND", path, &[("Depth", "0")], ask(names)).await.text()
    };
    let principal = props(&alice, "/principals/alice/", "<C:schedule-inbox-URL/><C:schedule-outbox-URL/>").await;
    has(&principal, &["/calendars/alice/inbox/", "/calendars/alice/outbox/"]);
    let found = props(&alice, "/calendars/alice/inbox/", "<resourcetype/><C:schedule-default-calendar-URL/><C:calendar-free-busy-set/><current-user-privilege-set/><sync-token/>").await;
    has(
        &found,
        &[
            "<C:schedule-inbox/>",
            "<href>/calendars/alice/default/</href>",
            "<C:schedule-deliver-invite/>",
            "sabre.io/ns/sync/",
        ],
    );
    let found = props(&alice, "/calendars/alice/outbox/", "<resourcetype/><current-user-privilege-set/>").await;
    has(&found, &["<C:schedule-outbox/>", "<C:schedule-send-freebusy/>"]);
    let home = alice.send("PROPFIND", "/calendars/alice/", &[("Depth", "1")], ask("<resourcetype/>")).await.text();
    has(&home, &["/calendars/alice/inbox/", "/calendars/alice/outbox/"]);
    assert!(!alice.get("/api/calendars").await.text().contains("inbox"));
    // They are nobody else's, and nobody writes into them, takes them away or makes them.
    assert_eq!(bob.send("PROPFIND", "/calendars/alice/inbox/", &[("Depth", "1")], "").await.status, 403);
    for (method, path) in [
        ("PUT", "/calendars/alice/inbox/a.ics"),
        ("DELETE", "/calendars/alice/inbox/"),
        ("DELETE", "/calendars/alice/outbox/"),
    ] {
        let reply = alice
            .send(
                method,
                path,
                &[("Content-Type", "text/calendar")],
                if method == "PUT" { plain_event("a", "20250120T100000Z") } else { String::new() },
            )
            .await;
        assert_eq!(reply.status, 403, "{method} {path}: {reply:?}");
    }
    assert_eq!(alice.send("MKCALENDAR", "/calendars/alice/inbox/", &[], "").await.status, 405);
    // Invitations go where they are to.
    assert_eq!(bob.send("MKCALENDAR", "/calendars/bob/invited/", &[], "").await.status, 201);
    let set = |href: &str| {
        format!(
            r#"<propertyupdate xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><set><prop><C:schedule-default-calendar-URL><href>{href}</href></C:schedule-default-calendar-URL></prop></set></propertyupdate>"#
        )
    };
    let patched = bob.send("PROPPATCH", "/calendars/bob/inbox/", &[], set("/calendars/alice/default/")).await.text();
    has(&patched, &["403", "valid-schedule-default-calendar-URL"]);
    let patched = bob.send("PROPPATCH", "/calendars/bob/inbox/", &[], set("/calendars/bob/invited/")).await.text();
    has(&patched, &["200 OK"]);
    assert_eq!(alice.put(MINE, &series(&people("", ""))).await.status, 201);
    let report = r#"<sync-collection xmlns="DAV:"><sync-token/><sync-level>1</sync-level><prop><getetag/></prop></sync-collection>"#;
    let synced = bob.send("REPORT", "/calendars/bob/inbox/", &[], report).await.text();
    let message = synced
        .split("<href>")
        .filter_map(|rest| rest.split('<').next())
        .find(|href| href.ends_with(".ics"))
        .expect("a message")
        .to_owned();
    assert!(bob.send("PROPFIND", "/calendars/bob/invited/", &[("Depth", "1")], "").await.text().contains(".ics"));
    assert_eq!(bob.delete(&message).await.status, 204);
    assert_eq!(bob.get(&message).await.status, 404);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn others_are_asked_when_they_are_busy() {
    let house = House::open().await;
    let (alice, bob) = (house.http("alice"), house.http("bob"));
    assert_eq!(bob.put("/calendars/bob/default/b.ics", &plain_event("b", "20250120T100000Z")).await.status, 201);
    let private = plain_event("p", "20250120T120000Z").replace("SUMMARY", "CLASS:PRIVATE\r\nSUMMARY");
    assert_eq!(bob.put("/calendars/bob/default/p.ics", &private).await.status, 201);
    let available = "BEGIN:VCALENDAR&#13;\nVERSION:2.0&#13;\nPRODID:-//x//EN&#13;\nBEGIN:VAVAILABILITY&#13;\nUID:v&#13;\nDTSTAMP:20250101T000000Z&#13;\nBEGIN:AVAILABLE&#13;\nUID:w&#13;\nDTSTAMP:20250101T000000Z&#13;\nDTSTART:20250101T080000Z&#13;\nDTEND:20250101T180000Z&#13;\nRRULE:FREQ=DAILY&#13;\nEND:AVAILABLE&#13;\nEND:VAVAILABILITY&#13;\nEND:VCALENDAR&#13;\n";
    let set = format!(
        r#"<propertyupdate xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><set><prop><C:calendar-availability>{available}</C:calendar-availability></prop></set></propertyupdate>"#
    );
    has(&bob.send("PROPPATCH", "/calendars/bob/inbox/", &[], set).await.text(), &["200 OK"]);
    let question = |organizer: &str| {
        format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\nMETHOD:REQUEST\r\nBEGIN:VFREEBUSY\r\nUID:q\r\nDTSTAMP:20250101T000000Z\r\n\
             DTSTART:20250120T000000Z\r\nDTEND:20250121T000000Z\r\nORGANIZER:mailto:{organizer}@campanile.example\r\n\
             ATTENDEE:mailto:bob@campanile.example\r\nATTENDEE:mailto:zoe@elsewhere.org\r\nEND:VFREEBUSY\r\nEND:VCALENDAR\r\n"
        )
    };
    let post =
        async |path: &str, text: String| alice.send("POST", path, &[("Content-Type", "text/calendar")], text).await;
    let answer = post("/calendars/alice/outbox/", question("alice")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let text = answer.text();
    has(
        &text,
        &[
            "<C:recipient>",
            "mailto:bob@campanile.example",
            "2.0;Success",
            "METHOD:REPLY",
            "FREEBUSY;FBTYPE=BUSY:20250120T100000Z/20250120T110000Z",
            "FREEBUSY;FBTYPE=BUSY:20250120T120000Z/20250120T130000Z",
            "FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20250120T000000Z/20250120T080000Z",
            "FREEBUSY;FBTYPE=BUSY-UNAVAILABLE:20250120T180000Z/20250121T000000Z",
            "mailto:zoe@elsewhere.org",
            "3.7;Invalid calendar user",
        ],
    );
    assert!(!text.contains("SUMMARY") && !text.contains("Event"), "{text}");
    // The property is the object that stands in the calendar: one shows what the other says, and takes it away.
    let shown = async || {
        let body = r#"<propfind xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><C:calendar-availability/></prop></propfind>"#;
        bob.send("PROPFIND", "/calendars/bob/inbox/", &[("Depth", "0")], body).await.text()
    };
    let objects = async || {
        let listed = bob.send("PROPFIND", "/calendars/bob/default/", &[("Depth", "1")], "").await.text();
        let hrefs = listed.split("<href>").filter_map(|rest| rest.split('<').next()).map(str::to_owned);
        let mut found = Vec::new();
        for href in hrefs.filter(|href| href.ends_with(".ics")) {
            let text = bob.get(&href).await.text();
            found.extend(text.contains("BEGIN:VAVAILABILITY").then_some((href, text)));
        }
        found
    };
    has(&shown().await, &["200 OK", "BEGIN:VAVAILABILITY", "RRULE:FREQ=DAILY"]);
    let [(at, text)] = <[_; 1]>::try_from(objects().await).expect("one object");
    assert_eq!(bob.put(&at, &text.replace("T180000Z", "T200000Z")).await.status, 204);
    has(&shown().await, &["T200000Z"]);
    has(
        &post("/calendars/alice/outbox/", question("alice")).await.text(),
        &["BUSY-UNAVAILABLE:20250120T200000Z/20250121T000000Z"],
    );
    let other = available.replace("UID:v", "UID:v2").replace("T080000Z", "T090000Z");
    let set = |text: &str| {
        format!(
            r#"<propertyupdate xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><set><prop><C:calendar-availability>{text}</C:calendar-availability></prop></set></propertyupdate>"#
        )
    };
    has(&bob.send("PROPPATCH", "/calendars/bob/inbox/", &[], set(&other)).await.text(), &["200 OK"]);
    assert_eq!(objects().await.len(), 1, "it took the place of what was said before");
    has(
        &post("/calendars/alice/outbox/", question("alice")).await.text(),
        &["BUSY-UNAVAILABLE:20250120T000000Z/20250120T090000Z"],
    );
    for bad in [
        "",
        "x",
        "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\nBEGIN:VEVENT\nUID:1\nDTSTAMP:20250101T000000Z\nDTSTART:20250101T000000Z\nEND:VEVENT\nEND:VCALENDAR",
    ] {
        let patched = bob.send("PROPPATCH", "/calendars/bob/inbox/", &[], set(bad)).await.text();
        has(&patched, &["403", "valid-calendar-data"]);
    }
    let (at, _) = objects().await.remove(0);
    assert_eq!(bob.delete(&at).await.status, 204);
    has(&shown().await, &["404"]);
    has(&bob.send("PROPPATCH", "/calendars/bob/inbox/", &[], set(&other)).await.text(), &["200 OK"]);
    let removed = r#"<propertyupdate xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><remove><prop><C:calendar-availability/></prop></remove></propertyupdate>"#;
    has(&bob.send("PROPPATCH", "/calendars/bob/inbox/", &[], removed).await.text(), &["200 OK"]);
    assert!(objects().await.is_empty());
    assert!(!post("/calendars/alice/outbox/", question("alice")).await.text().contains("UNAVAILABLE"));
    refused(&post("/calendars/alice/outbox/", question("bob")).await, "organizer-allowed");
    refused(
        &post("/calendars/alice/outbox/", question("alice").replace("METHOD:REQUEST", "METHOD:PUBLISH")).await,
        "valid-scheduling-message",
    );
    assert_eq!(post("/calendars/bob/outbox/", question("bob")).await.status, 403);
    // A calendar that counts for nothing.
    let transparent = r#"<propertyupdate xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><set><prop><C:schedule-calendar-transp><C:transparent/></C:schedule-calendar-transp></prop></set></propertyupdate>"#;
    has(&bob.send("PROPPATCH", "/calendars/bob/default/", &[], transparent).await.text(), &["200 OK"]);
    assert!(!post("/calendars/alice/outbox/", question("alice")).await.text().contains("FBTYPE=BUSY:"));
    house.stop().await;
}
