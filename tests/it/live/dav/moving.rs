//! COPY and MOVE over a real socket: where objects and collections may go, and what happens to what hangs on them.

use crate::live::client::{Http, Reply};
use crate::live::dav::{ask, has, refused};
use crate::live::{House, card, event, plain_event};

const FROM: &str = "/calendars/alice/default/1.ics";
const TO: &str = "/calendars/alice/work/2.ics";

async fn send(http: &Http, method: &str, from: &str, to: &str, more: &[(&str, &str)]) -> Reply {
    let mut headers = vec![("destination", to)];
    headers.extend(more);
    http.send(method, from, &headers, "").await
}

/// A house where alice has a second calendar, and an event in the first.
async fn furnished() -> House {
    let house = House::open().await;
    let alice = house.http("alice");
    assert_eq!(alice.send("MKCALENDAR", "/calendars/alice/work/", &[], "").await.status, 201);
    assert_eq!(alice.put(FROM, &event("one", "20250115T100000Z", 15)).await.status, 201);
    let body = "<D:propertyupdate xmlns:D='DAV:'><D:set><D:prop><x>kept</x></D:prop></D:set></D:propertyupdate>";
    assert_eq!(alice.send("PROPPATCH", FROM, &[], body).await.status, 207);
    house
}

async fn token(http: &Http, name: &str) -> String {
    http.get(&format!("/api/calendars/alice/{name}")).await.json()["syncToken"].to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_moves_with_all_that_is_its_own() {
    let house = furnished().await;
    let alice = house.http("alice");
    let (mut socket, text) = (house.socket("alice").await, alice.get(FROM).await.text());
    socket.register("/calendars/alice/default").await;
    socket.register("/calendars/alice/work").await;
    let (left, came) = (token(&alice, "default").await, token(&alice, "work").await);
    let to = format!("http://{}{TO}", house.base());
    let moved = send(&alice, "MOVE", FROM, &to, &[]).await;
    assert_eq!((moved.status, moved.header("etag").is_empty()), (201, false), "{moved:?}");
    assert_eq!(alice.get(FROM).await.status, 404);
    let got = alice.get(TO).await;
    assert_eq!((got.text(), got.header("etag")), (text, moved.header("etag")));
    has(&ask(&alice, TO, "0", "<x/>").await, ">kept</x>");
    assert!(token(&alice, "default").await != left && token(&alice, "work").await != came, "both have changed");
    house.settle().await;
    let heard = serde_json::Value::Array(socket.heard().await).to_string();
    assert!(heard.contains("/calendars/alice/default") && heard.contains("/calendars/alice/work"), "{heard}");
    // Its alarm rings where it is now, and once.
    let fired = house.turn("2025-01-15T09:45:00Z").await;
    assert_eq!(
        (&fired["firedCount"], fired["fired"][0]["eventSummary"].as_str()),
        (&1.into(), Some("Event one")),
        "{fired}"
    );
    assert_eq!(alice.get("/api/alarms").await.json()[0]["eventURL"], TO);

    // Within one collection it gets another name and keeps its UID.
    let third = "/calendars/alice/work/3.ics";
    assert_eq!(send(&alice, "MOVE", TO, third, &[]).await.status, 201);
    assert_eq!((alice.get(TO).await.status, alice.get(third).await.status), (404, 200));
    refused(&alice.put(TO, &plain_event("one", "20250115T100000Z")).await, 409, third);
    assert_eq!(send(&alice, "MOVE", third, third, &[]).await.status, 403);
    assert_eq!(alice.get(third).await.status, 200);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_another_object() {
    let house = furnished().await;
    let alice = house.http("alice");
    let copied = send(&alice, "COPY", FROM, TO, &[]).await;
    assert_eq!((copied.status, copied.header("etag")), (201, alice.get(FROM).await.header("etag")));
    assert_eq!(alice.get(FROM).await.text(), alice.get(TO).await.text());
    has(&ask(&alice, TO, "0", "<x/>").await, ">kept</x>");
    // Again: what stands there is replaced, or not.
    assert_eq!(send(&alice, "COPY", FROM, TO, &[("overwrite", "F")]).await.status, 412);
    assert_eq!(send(&alice, "COPY", FROM, TO, &[("overwrite", "T")]).await.status, 204);
    assert_eq!(send(&alice, "COPY", FROM, TO, &[("overwrite", "x")]).await.status, 400);
    // RFC 4791 5.3.2.1 holds for these methods as for PUT, and names the place at the destination.
    let again = send(&alice, "COPY", FROM, "/calendars/alice/work/3.ics", &[]).await;
    refused(&again, 409, &format!("<C:no-uid-conflict><D:href>{TO}</D:href></C:no-uid-conflict>"));
    let beside = send(&alice, "COPY", FROM, "/calendars/alice/default/3.ics", &[]).await;
    refused(&beside, 409, &format!("<C:no-uid-conflict><D:href>{FROM}</D:href></C:no-uid-conflict>"));
    let other = "/calendars/alice/work/other.ics";
    assert_eq!(alice.put(other, &plain_event("other", "20250115T100000Z")).await.status, 201);
    assert_eq!(alice.delete(TO).await.status, 204);
    let over = send(&alice, "COPY", FROM, other, &[]).await;
    refused(&over, 403, &format!("<C:no-uid-conflict><D:href>{other}</D:href></C:no-uid-conflict>"));
    let todos = "<C:mkcalendar xmlns:D='DAV:' xmlns:C='urn:ietf:params:xml:ns:caldav'><D:set><D:prop><C:supported-calendar-component-set>\
                 <C:comp name='VTODO'/></C:supported-calendar-component-set></D:prop></D:set></C:mkcalendar>";
    assert_eq!(alice.send("MKCALENDAR", "/calendars/alice/todos/", &[], todos).await.status, 201);
    let refusals = [
        (FROM, "/calendars/alice/todos/1.ics", 403, "<C:supported-calendar-component/>"),
        (FROM, "/addressbooks/alice/collected/1.ics", 403, "<CR:supported-address-data/>"),
        (FROM, "/calendars/alice/nowhere/1.ics", 409, "<D:responsedescription>"),
        (FROM, "/nowhere", 409, "<D:responsedescription>"),
        (FROM, "/calendars/alice/work/", 403, "<D:responsedescription>"),
        (FROM, "/principals/alice/", 403, "<D:responsedescription>"),
        (FROM, FROM, 403, "<D:responsedescription>"),
        (FROM, "/dav/calendars/alice/default/1.ics", 403, "<D:responsedescription>"),
        (FROM, "http://elsewhere.example/calendars/alice/work/1.ics", 502, "<D:responsedescription>"),
        (FROM, "/calendars/alice/work/%2e%2e/1.ics", 400, "<D:responsedescription>"),
        (FROM, "2.ics", 400, "<D:responsedescription>"),
        ("/calendars/alice/default/none.ics", TO, 404, "<D:responsedescription>"),
        ("/calendars/alice/work/", "/calendars/alice/copy/", 403, "<D:responsedescription>"),
    ];
    for (from, to, status, condition) in refusals {
        refused(&send(&alice, "COPY", from, to, &[]).await, status, condition);
    }
    assert_eq!(alice.send("COPY", FROM, &[], "").await.status, 400, "without a Destination");
    for (name, value, status) in [("if-match", "\"x\"", 412), ("if-none-match", "*", 412), ("if-match", "*", 201)] {
        assert_eq!(send(&alice, "COPY", FROM, TO, &[(name, value)]).await.status, status, "{name}: {value}");
    }
    let (friend, kept) = ("/addressbooks/alice/collected/1.vcf", "/addressbooks/alice/collected/2.vcf");
    assert_eq!(alice.put(friend, &card("f")).await.status, 201);
    assert_eq!(send(&alice, "MOVE", friend, kept, &[]).await.status, 201);
    refused(&send(&alice, "MOVE", kept, TO, &[]).await, 403, "<C:supported-calendar-data/>");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_moves_between_people_needs_both_rights() {
    let house = furnished().await;
    let (alice, bob, carol) = (house.http("alice"), house.http("bob"), house.http("carol"));
    // Bob may write in alice's team calendar, carol may read it, and neither knows her default one.
    let (team, bobs, carols) =
        ("/calendars/alice/team/standup.ics", "/calendars/bob/default/s.ics", "/calendars/carol/default/s.ics");
    refused(&send(&carol, "MOVE", team, carols, &[]).await, 403, "<D:need-privileges/>");
    assert_eq!(send(&carol, "COPY", team, carols, &[]).await.status, 201);
    refused(&send(&carol, "COPY", carols, "/calendars/alice/team/x.ics", &[]).await, 403, "<D:need-privileges/>");
    refused(&send(&bob, "COPY", FROM, bobs, &[]).await, 403, "<D:need-privileges/>");
    refused(&send(&bob, "MOVE", team, "/calendars/alice/default/s.ics", &[]).await, 403, "<D:need-privileges/>");
    assert_eq!(send(&bob, "MOVE", team, bobs, &[]).await.status, 201);
    assert_eq!((alice.get(team).await.status, bob.get(bobs).await.status), (404, 200));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_calendar_gets_another_name() {
    let house = furnished().await;
    let (alice, bob) = (house.http("alice"), house.http("bob"));
    let mut socket = house.socket("alice").await;
    socket.register("/calendars/alice/team").await;
    let mirror = bob.get("/api/calendars").await.json();
    let mirror =
        mirror.as_array().expect("a list").iter().find(|one| one["kind"] == "delegated").expect("a mirror").clone();
    let mirror_at = mirror["href"].as_str().expect("an href").to_owned();
    let before = token(&alice, "team").await;
    let moved = send(&alice, "MOVE", "/calendars/alice/team/", "/calendars/alice/crew/", &[]).await;
    assert_eq!(moved.status, 201, "{moved:?}");
    assert_eq!(alice.get("/calendars/alice/team/").await.status, 404);
    assert_eq!(alice.get("/calendars/alice/crew/standup.ics").await.status, 200);
    assert_eq!(token(&alice, "crew").await, before, "nothing in it changed");
    let shown = bob.get(&format!("/api{mirror_at}")).await.json();
    assert_eq!((&shown["source"], &shown["right"]), (&"/calendars/alice/crew".into(), &"read-write".into()), "{shown}");
    assert_eq!(bob.put(&format!("{mirror_at}/n.ics"), &plain_event("n", "20250115T100000Z")).await.status, 201);
    house.settle().await;
    let heard = serde_json::Value::Array(socket.heard().await).to_string();
    let want = [
        r#"{"calendarList":{"deleted":["/calendars/alice/team"]}}"#,
        r#"{"calendarList":{"created":["/calendars/alice/crew"]}}"#,
    ];
    assert!(want.iter().all(|one| heard.contains(one)), "{heard}");
    assert!(!heard.contains("syncToken"), "who listens by the old name hears no more: {heard}");
    // The old name is free, and what is made there is another calendar.
    assert_eq!(alice.send("MKCALENDAR", "/calendars/alice/team/", &[], "").await.status, 201);
    assert_eq!(alice.get("/calendars/alice/team/standup.ics").await.status, 404);

    let refusals = [
        (&alice, "/calendars/alice/crew/", "/calendars/alice/work/", 412),
        (&alice, "/calendars/alice/crew/", "/calendars/alice/crew/", 412),
        (&alice, "/calendars/alice/crew/", "/calendars/bob/crew/", 403),
        (&alice, "/calendars/alice/crew/", "/addressbooks/alice/crew/", 403),
        (&alice, "/calendars/alice/crew/", "/calendars/alice/work/crew", 403),
        (&alice, "/calendars/alice/none/", "/calendars/alice/some/", 404),
        (&bob, "/calendars/alice/crew/", "/calendars/bob/crew/", 403),
        (&bob, "/calendars/alice/crew/", "/calendars/alice/mine/", 403),
        (&bob, &mirror_at, "/calendars/bob/crew/", 403),
    ];
    for (who, from, to, status) in refusals {
        assert_eq!(send(who, "MOVE", from, to, &[]).await.status, status, "{from} to {to}");
    }
    // What was deleted takes its mirrors with it, by whatever name.
    assert_eq!(alice.delete("/calendars/alice/crew/").await.status, 204);
    assert_eq!(bob.get(&format!("/api{mirror_at}")).await.status, 404);
    house.stop().await;
}
