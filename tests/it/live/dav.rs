//! What calendar clients do over a real socket: discover, make, fill, list and delete; and what the face refuses.

mod clients;
mod discovery;
mod idor;
mod moving;
mod preconditions;
mod properties;
mod sharing;

use campanile::system::pace;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::live::client::{Http, PATIENCE, Reply};
use crate::live::{House, card, event, plain_event};

const DEFAULT: &str = "/calendars/alice/default/";
const CLASSES: &str = "1, 3, access-control, extended-mkcol, calendar-access, calendar-auto-schedule, addressbook, calendar-proxy, \
                       calendarserver-sharing, resource-sharing";

pub fn propfind(props: &str) -> String {
    let spaces = "xmlns:D='DAV:' xmlns:C='urn:ietf:params:xml:ns:caldav' xmlns:CR='urn:ietf:params:xml:ns:carddav' \
                  xmlns:CS='http://calendarserver.org/ns/' xmlns:A='http://apple.com/ns/ical/'";
    format!("<?xml version='1.0'?><D:propfind {spaces}><D:prop>{props}</D:prop></D:propfind>")
}

pub async fn ask(http: &Http, path: &str, depth: &str, props: &str) -> Reply {
    let headers = [("depth", depth), ("content-type", "application/xml; charset=utf-8")];
    http.send("PROPFIND", path, &headers, propfind(props)).await
}

/// Which prefix an answer gives to `DAV:` is its own business.
pub fn short(text: &str) -> String {
    text.replace("<D:", "<").replace("</D:", "</")
}

#[track_caller]
pub fn has(reply: &Reply, what: &str) {
    assert!(short(&reply.text()).contains(&short(what)), "no {what} in {}", reply.text());
}

#[track_caller]
pub fn refused(reply: &Reply, status: u16, condition: &str) {
    assert_eq!(reply.status, status, "{}", reply.text());
    has(reply, condition);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_finds_its_calendars() {
    let house = House::open().await;
    let (alice, nobody) = (house.http("alice"), Http::anonymous(house.base()));
    for method in ["GET", "PROPFIND", "OPTIONS", "PUT"] {
        let moved = nobody.send(method, "/.well-known/caldav", &[], "x").await;
        assert_eq!((moved.status, moved.header("location")), (301, "/"), "{method}");
    }
    for (method, path) in
        [("PROPFIND", "/"), ("OPTIONS", "/"), ("GET", DEFAULT), ("PUT", "/calendars/a//b"), ("FOO", "/x")]
    {
        let asked = nobody.send(method, path, &[("depth", "0")], "body").await;
        assert_eq!(asked.status, 401, "{method} {path}");
        assert!(asked.header("www-authenticate").starts_with("Basic realm="), "{asked:?}");
    }
    let wrong = Http::with(house.base(), "Basic YWxpY2U6d3Jvbmc=");
    assert_eq!(ask(&wrong, "/", "0", "<D:resourcetype/>").await.status, 401);

    for prefix in ["", "/dav"] {
        let root = ask(&alice, &format!("{prefix}/"), "0", "<D:current-user-principal/>").await;
        assert_eq!((root.status, root.header("dav")), (207, CLASSES), "{root:?}");
        has(&root, &format!("<D:current-user-principal><D:href>{prefix}/principals/alice/</D:href>"));
        let principal = ask(&alice, &format!("{prefix}/principals/alice/"), "0", "<C:calendar-home-set/>").await;
        has(&principal, &format!("<C:calendar-home-set><D:href>{prefix}/calendars/alice/</D:href>"));
        let home = ask(&alice, &format!("{prefix}/calendars/alice/"), "1", "<D:resourcetype/><D:displayname/>").await;
        has(&home, &format!("<D:href>{prefix}{DEFAULT}</D:href>"));
        has(&home, "<D:collection/><C:calendar/>");
    }
    let home = ask(&alice, "/addressbooks/alice/", "1", "<D:resourcetype/>").await;
    has(&home, "<D:collection/><CR:addressbook/>");
    let options = alice.send("OPTIONS", DEFAULT, &[], "").await;
    assert_eq!(options.status, 200);
    assert!(options.header("allow").contains("MKCALENDAR"), "{options:?}");

    // Nobody learns of others' homes, not even whether they are there.
    for path in ["/principals/bob/", "/principals/zoe/", "/calendars/bob/", "/calendars/zoe/"] {
        refused(&ask(&alice, path, "0", "<D:displayname/>").await, 403, "<D:need-privileges/>");
    }
    // What is small is listed to its end; a missing header means the same.
    assert_eq!(ask(&alice, DEFAULT, "infinity", "<D:getetag/>").await.status, 207);
    let deep = alice.send("PROPFIND", "/", &[], "").await;
    assert_eq!(deep.status, 207, "{deep:?}");
    for href in [
        "/",
        "/principals/",
        "/principals/alice/",
        "/calendars/",
        "/calendars/alice/",
        "/calendars/alice/team/",
        "/calendars/alice/team/standup.ics",
        "/addressbooks/alice/collected/",
    ] {
        assert_eq!(deep.text().matches(&format!("<href>{href}</href><propstat>")).count(), 1, "{href}");
    }
    for body in ["<propfind", "<!DOCTYPE a><a/>", "<a xmlns='DAV:'/>"] {
        assert_eq!(alice.send("PROPFIND", "/", &[("depth", "0")], body).await.status, 400, "{body}");
    }
    let huge = format!("<a>{}</a>", "x".repeat(1_048_576));
    assert_eq!(alice.send("PROPFIND", "/", &[("depth", "0")], huge).await.status, 413);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_written_under_conditions() {
    let house = House::open().await;
    let alice = house.http("alice");
    let (path, text) = ("/calendars/alice/default/a%20b@c.ics", plain_event("one", "20250115T100000Z"));
    let media = ("content-type", "text/calendar");
    let made = alice.send("PUT", path, &[media, ("if-none-match", "*")], text.clone()).await;
    assert_eq!(made.status, 201, "{made:?}");
    let etag = made.header("etag").to_owned();
    assert!(etag.starts_with('"'), "{etag}");
    assert_eq!(alice.send("PUT", path, &[media, ("if-none-match", "*")], text.clone()).await.status, 412);
    assert_eq!(alice.send("PUT", path, &[media, ("if-match", "\"other\"")], text.clone()).await.status, 412);
    let weak = format!("W/{etag}");
    assert_eq!(alice.send("PUT", path, &[media, ("if-match", &weak)], text.clone()).await.status, 412);
    assert_eq!(alice.send("PUT", path, &[media, ("if-match", "one")], text.clone()).await.status, 400);
    assert_eq!(alice.send("PUT", path, &[media, ("if-match", "*")], text.clone()).await.status, 204);

    let got = alice.get(path).await;
    assert_eq!((got.status, got.text(), got.header("etag")), (200, text.clone(), etag.as_str()));
    assert_eq!(got.header("content-type"), "text/calendar; charset=utf-8; component=vevent");
    assert_eq!(got.header("last-modified"), "Wed, 15 Jan 2025 09:00:00 GMT");
    let head = alice.send("HEAD", path, &[], "").await;
    assert_eq!((head.status, head.header("content-length")), (200, text.len().to_string().as_str()), "{head:?}");
    assert!(head.body.is_empty());
    let fresh = alice.send("GET", path, &[("if-none-match", &weak)], "").await;
    assert_eq!((fresh.status, fresh.header("etag"), fresh.body.len()), (304, etag.as_str(), 0));
    let found = ask(&alice, path, "0", "<D:getetag/><D:getcontentlength/>").await;
    has(&found, &format!("<D:href>{path}</D:href>"));
    has(&found, &format!("<D:getetag>{etag}</D:getetag>"));

    let put =
        async |path: &str, media: &str, text: String| alice.send("PUT", path, &[("content-type", media)], text).await;
    let other = "/calendars/alice/default/other.ics";
    let conflict = put(other, "text/calendar", text.clone()).await;
    refused(&conflict, 409, &format!("<C:no-uid-conflict><D:href>{path}</D:href></C:no-uid-conflict>"));
    let renamed = put(path, "text/calendar", plain_event("two", "20250115T100000Z")).await;
    refused(&renamed, 403, &format!("<C:no-uid-conflict><D:href>{path}</D:href></C:no-uid-conflict>"));
    refused(&put(other, "text/plain", text.clone()).await, 403, "<C:supported-calendar-data/>");
    refused(&put(other, "text/calendar", "hello".to_owned()).await, 403, "<C:valid-calendar-data/>");
    let two = plain_event("x", "20250115T100000Z").replace("END:VCALENDAR\r\n", "");
    let two = two + plain_event("y", "20250115T100000Z").split_once("PRODID:-//test//EN\r\n").expect("a head").1;
    let unsound = [
        two,
        plain_event("x", "20250115T100000Z").replace("UID:x\r\n", ""),
        plain_event("x", "20250115T100000Z").replace("VERSION:2.0\r\n", "VERSION:2.0\r\nMETHOD:REQUEST\r\n"),
    ];
    for text in unsound {
        refused(&put(other, "text/calendar", text).await, 403, "<C:valid-calendar-object-resource/>");
    }
    let large = plain_event("x", "20250115T100000Z").replace("Event x", &"x".repeat(1_100_000));
    refused(&put(other, "text/calendar", large).await, 403, "<C:max-resource-size/>");
    let coded = alice.send("PUT", other, &[media, ("content-encoding", "gzip")], text.clone()).await;
    assert_eq!(coded.status, 415);
    assert_eq!(put("/calendars/alice/none/x.ics", "text/calendar", text.clone()).await.status, 409);
    assert_eq!(put("/nowhere/x.ics", "text/calendar", text.clone()).await.status, 409);
    let friend = "/addressbooks/alice/collected/1.vcf";
    assert_eq!(put(friend, "text/vcard", card("1")).await.status, 201);
    refused(
        &put(friend, "text/vcard", "BEGIN:VCARD\r\nEND:VCARD\r\n".to_owned()).await,
        403,
        "<CR:valid-address-data/>",
    );
    assert_eq!(alice.get(friend).await.header("content-type"), "text/vcard; charset=utf-8");

    assert_eq!(alice.send("DELETE", path, &[("if-match", "\"other\"")], "").await.status, 412);
    assert_eq!(alice.send("DELETE", path, &[("if-match", &etag)], "").await.status, 204);
    assert_eq!(alice.delete(path).await.status, 404);
    assert_eq!(alice.get(path).await.status, 404);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calendars_are_made_dressed_and_deleted() {
    let house = House::open().await;
    let (alice, bob) = (house.http("alice"), house.http("bob"));
    let xml = ("content-type", "text/xml; charset=utf-8");
    let work = "/calendars/alice/work/";
    let body = "<C:mkcalendar xmlns:D='DAV:' xmlns:C='urn:ietf:params:xml:ns:caldav' xmlns:A='http://apple.com/ns/ical/'><D:set><D:prop>\
        <D:displayname>Work</D:displayname><A:calendar-color>#FF2968FF</A:calendar-color><A:calendar-order>2</A:calendar-order>\
        <C:schedule-calendar-transp><C:transparent/></C:schedule-calendar-transp>\
        <C:supported-calendar-component-set><C:comp name='VTODO'/></C:supported-calendar-component-set>\
        <C:calendar-timezone>BEGIN:VCALENDAR&#13;\nBEGIN:VTIMEZONE&#13;\nTZID:W. Europe Standard Time&#13;\nEND:VTIMEZONE&#13;\n\
        END:VCALENDAR</C:calendar-timezone></D:prop></D:set></C:mkcalendar>";
    let made = alice.send("MKCALENDAR", work, &[xml], body).await;
    assert_eq!((made.status, made.header("cache-control")), (201, "no-cache"), "{made:?}");
    let props = "<D:displayname/><A:calendar-color/><C:supported-calendar-component-set/><C:calendar-timezone-id/>";
    let found = ask(&alice, work, "0", props).await;
    has(&found, "<D:displayname>Work</D:displayname><A:calendar-color>#FF2968FF</A:calendar-color>");
    has(&found, "<C:comp name=\"VTODO\"/></C:supported-calendar-component-set>");
    has(&found, "<C:calendar-timezone-id>Europe/Berlin</C:calendar-timezone-id>");
    let transparency = ask(&alice, work, "0", "<C:schedule-calendar-transp/>").await;
    has(&transparency, "<C:schedule-calendar-transp><C:transparent/></C:schedule-calendar-transp>");
    assert_eq!(alice.get("/api/calendars/alice/work").await.json()["transparent"], true);
    assert_eq!(alice.patch("/api/calendars/alice/work", r#"{"transparent":false}"#).await.json()["transparent"], false);
    has(&ask(&alice, work, "0", "<C:schedule-calendar-transp/>").await, "<C:opaque/>");
    let event = plain_event("1", "20250115T100000Z");
    refused(&alice.put("/calendars/alice/work/1.ics", &event).await, 403, "<C:supported-calendar-component/>");

    refused(&alice.send("MKCALENDAR", work, &[], "").await, 405, "<D:resource-must-be-null/>");
    refused(&bob.send("MKCALENDAR", "/calendars/alice/x/", &[], "").await, 403, "<D:need-privileges/>");
    refused(
        &alice.send("MKCALENDAR", "/calendars/alice/work/x", &[], "").await,
        403,
        "<C:calendar-collection-location-ok/>",
    );
    refused(&alice.send("MKCALENDAR", "/calendars/alice/", &[], "").await, 405, "<D:resource-must-be-null/>");
    refused(
        &alice.send("MKCALENDAR", "/addressbooks/alice/x/", &[], "").await,
        403,
        "<C:calendar-collection-location-ok/>",
    );
    assert_eq!(alice.send("MKCALENDAR", "/none/x/y/z/", &[], "").await.status, 409);
    refused(&alice.send("MKCOL", "/calendars/alice/plain/", &[], "").await, 403, "<D:valid-resourcetype/>");
    refused(&alice.send("MKCOL", work, &[], "").await, 405, "<D:resource-must-be-null/>");
    assert_eq!(alice.send("MKCOL", "/calendars/alice/x/", &[("content-type", "text/plain")], "x").await.status, 415);
    let mkcol = |kind: &str| {
        format!(
            "<D:mkcol xmlns:D='DAV:' xmlns:C='urn:ietf:params:xml:ns:caldav' xmlns:CR='urn:ietf:params:xml:ns:carddav'><D:set><D:prop>\
             <D:resourcetype><D:collection/><{kind}/></D:resourcetype><D:displayname>Made</D:displayname></D:prop></D:set></D:mkcol>"
        )
    };
    assert_eq!(alice.send("MKCOL", "/addressbooks/alice/friends/", &[xml], mkcol("CR:addressbook")).await.status, 201);
    assert_eq!(alice.send("MKCOL", "/calendars/alice/c%40l/", &[xml], mkcol("C:calendar")).await.status, 201);
    has(&ask(&alice, "/calendars/alice/", "1", "<D:displayname/>").await, "<D:href>/calendars/alice/c@l/</D:href>");

    let patch = |props: &str| {
        format!(
            "<D:propertyupdate xmlns:D='DAV:' xmlns:C='urn:ietf:params:xml:ns:caldav'><D:set><D:prop>{props}</D:prop></D:set>\
             </D:propertyupdate>"
        )
    };
    let mixed = patch("<D:displayname>Play</D:displayname><D:getetag>1</D:getetag><x xmlns='u:'>1</x>");
    let failed = alice.send("PROPPATCH", work, &[xml], mixed).await;
    assert_eq!(failed.status, 207);
    has(&failed, "<D:displayname/><x:x xmlns:x=\"u:\"/></D:prop><D:status>HTTP/1.1 424 Failed Dependency</D:status>");
    has(
        &failed,
        "<D:getetag/></D:prop><D:status>HTTP/1.1 403 Forbidden</D:status><D:error><D:cannot-modify-protected-property/>",
    );
    has(&ask(&alice, work, "0", "<D:displayname/>").await, "<D:displayname>Work</D:displayname>");
    let play =
        patch("<D:displayname>Play &amp; \u{1f3b2}</D:displayname><C:calendar-description>d</C:calendar-description>");
    let changed = alice.send("PROPPATCH", work, &[xml], play).await;
    has(&changed, "<D:displayname/><C:calendar-description/></D:prop><D:status>HTTP/1.1 200 OK</D:status>");
    has(&ask(&alice, work, "0", "<D:displayname/>").await, "<D:displayname>Play &amp; \u{1f3b2}</D:displayname>");
    let quiet = alice
        .send("PROPPATCH", work, &[xml, ("prefer", "return=minimal")], patch("<D:displayname>Q</D:displayname>"))
        .await;
    assert_eq!((quiet.status, quiet.body.len(), quiet.header("preference-applied")), (200, 0, "return=minimal"));
    refused(
        &bob.send("PROPPATCH", work, &[xml], patch("<D:displayname>Z</D:displayname>")).await,
        403,
        "<D:need-privileges/>",
    );

    assert_eq!(alice.send("DELETE", work, &[("depth", "0")], "").await.status, 400);
    assert_eq!(alice.send("DELETE", work, &[("if-match", "\"x\"")], "").await.status, 412);
    assert_eq!(bob.delete(work).await.status, 403);
    assert_eq!(alice.delete(work).await.status, 204);
    assert_eq!(ask(&alice, work, "0", "<D:displayname/>").await.status, 404);
    assert_eq!(alice.delete("/calendars/alice/").await.status, 405);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_calendar_is_listed_whole() {
    let house = House::open().await;
    let alice = house.http("alice");
    // One page and a half, and exactly two pages: the last page may be full.
    for (count, name) in [(750, "half"), (1_000, "full")] {
        let at = format!("/calendars/alice/{name}");
        assert_eq!(alice.send("MKCALENDAR", &at, &[], "").await.status, 201);
        let file: String = (0..count).map(|n| event(&format!("e{n}"), "20250301T100000Z", 5)).collect();
        let stands = house.import("alice", &at, "text/calendar", &file).await;
        assert_eq!(stands["succeedCount"], count, "{stands}");
        let listed = ask(&alice, &format!("{at}/"), "1", "<D:getetag/>").await;
        assert_eq!(listed.status, 207);
        let text = listed.text();
        assert_eq!(text.matches("<response>").count(), count + 1);
        assert_eq!(text.matches("<getetag>\"").count(), count);
        assert!(text.ends_with("</response></multistatus>"));
        let whole = alice.get(&format!("{at}/")).await;
        assert_eq!((whole.status, whole.header("content-type")), (200, "text/calendar; charset=utf-8"));
        assert_eq!(whole.text().matches("BEGIN:VEVENT").count(), count);
        assert_eq!(whole.text().matches("BEGIN:VCALENDAR").count(), 1);
    }
    // One collection is listed whole at any depth; a home of this size is not.
    assert_eq!(ask(&alice, "/calendars/alice/full/", "infinity", "<D:getetag/>").await.status, 207);
    let deep = ask(&alice, "/calendars/alice/", "infinity", "<D:getetag/>").await;
    refused(&deep, 403, "<D:propfind-finite-depth/>");
    assert_eq!(deep.header("dav"), CLASSES);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delegate_sees_the_mirror_and_its_rights() {
    let house = House::open().await;
    let (alice, bob, carol) = (house.http("alice"), house.http("bob"), house.http("carol"));
    let uid = plain_event("shared", "20250115T100000Z");
    assert_eq!(alice.put("/calendars/alice/team/s.ics", &uid).await.status, 201);
    let home = ask(&bob, "/calendars/bob/", "1", "<D:owner/><D:current-user-privilege-set/>").await.text();
    let mirror = home
        .split("<response>")
        .find(|row| row.contains("/principals/alice/"))
        .and_then(|row| row.split_once("<href>")?.1.split_once("</href>"))
        .expect("a mirror")
        .0
        .to_owned();
    assert_eq!(bob.get(&format!("{mirror}s.ics")).await.text(), uid);
    let conflict = bob.put(&format!("{mirror}t.ics"), &uid).await;
    refused(&conflict, 409, &format!("<D:href>{mirror}s.ics</D:href>"));
    assert_eq!(bob.put(&format!("{mirror}t.ics"), &plain_event("t", "20250115T100000Z")).await.status, 201);
    let read = ask(&carol, "/calendars/alice/team/", "0", "<D:current-user-privilege-set/>").await;
    assert!(!read.text().contains("write"), "{}", read.text());
    refused(&carol.put("/calendars/alice/team/c.ics", &uid).await, 403, "<D:need-privileges/>");
    refused(&carol.get("/calendars/alice/default/").await, 403, "<D:need-privileges/>");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_body_does_not_break_the_connection() {
    let house = House::open().await;
    let mut stream = TcpStream::connect(house.base()).await.expect("it connects");
    let body = "x".repeat(2_000_000);
    let head =
        |line: &str, more: &str| format!("{line} HTTP/1.1\r\nHost: x\r\n{more}Content-Length: 2000000\r\n\r\n{body}");
    let basic = "Authorization: Basic YWxpY2U6YWxpY2U=\r\n";
    // A stranger's body, one over the limit of an object, one over that of XML, and one that nobody wants.
    let requests = [
        head("PUT /calendars/alice/default/x.ics", ""),
        head("PUT /calendars/alice/default/x.ics", &format!("{basic}Content-Type: text/calendar\r\n")),
        head("PROPFIND /", &format!("{basic}Depth: 0\r\n")),
        head("PROPFIND /.well-known/carddav", ""),
        format!("OPTIONS / HTTP/1.1\r\nHost: x\r\n{basic}Connection: close\r\n\r\n"),
    ];
    let wire = requests.concat();
    let (mut reads, mut writes) = stream.split();
    let mut heard = String::new();
    let talk = async {
        let (sent, read) = tokio::join!(writes.write_all(wire.as_bytes()), reads.read_to_string(&mut heard));
        sent.and(read)
    };
    pace::within(PATIENCE, talk).await.expect("in time").expect("the connection holds");
    let statuses: Vec<&str> = heard.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
    assert_eq!(statuses, ["401", "403", "413", "301", "200"], "{heard}");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_done_is_said() {
    let house = House::open().await;
    let alice = house.http("alice");
    for (method, path) in [
        ("LOCK", DEFAULT),
        ("UNLOCK", DEFAULT),
        ("PATCH", DEFAULT),
        ("POST", "/"),
        ("POST", "/calendars/alice/default/x.ics"),
    ] {
        let refused = alice.send(method, path, &[], "<x/>").await;
        assert_eq!(refused.status, 405, "{method}");
        assert!(refused.header("allow").contains("PROPFIND"), "{method}");
    }
    assert_eq!(alice.send("FOO", DEFAULT, &[], "").await.status, 501);
    assert_eq!(alice.send("PUT", DEFAULT, &[], "x").await.status, 405);
    for (method, path) in [("COPY", "/calendars/alice/"), ("MOVE", "/"), ("MOVE", "/principals/alice/")] {
        assert_eq!(alice.send(method, path, &[("destination", DEFAULT)], "").await.status, 405, "{method} {path}");
    }
    for path in [
        "/calendars/alice/../bob/x.ics",
        "/calendars/alice/%2e%2e/x.ics",
        "/calendars/alice/a%2Fb/x.ics",
        "/calendars//x",
    ] {
        assert_eq!(alice.get(path).await.status, 400, "{path}");
    }
    assert_eq!(alice.get("/favicon.ico").await.status, 404);
    // A name that came by the JSON face with a character that XML cannot hold still makes an answer that can be read.
    let body = serde_json::json!({ "name": "bell\u{7}" });
    assert_eq!(alice.patch("/api/calendars/alice/default", &body.to_string()).await.status, 200);
    has(&ask(&alice, DEFAULT, "0", "<D:displayname/>").await, "<D:displayname>bell\u{fffd}</D:displayname>");
    house.stop().await;
}
