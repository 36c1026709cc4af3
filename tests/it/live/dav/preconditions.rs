//! The preconditions that clients build on, one request a row.

use crate::live::dav::{has, short};
use crate::live::{House, card, plain_event};

const CALENDAR: &str = "/calendars/alice/default/";
const OLD: &str = "/calendars/alice/default/old.ics";
const NEW: &str = "/calendars/alice/default/new.ics";

/// One request that is refused or taken: a name, the method, the path, headers, the body; the status and what the answer holds.
struct Probe {
    what: &'static str,
    method: &'static str,
    path: &'static str,
    headers: Vec<(&'static str, String)>,
    body: String,
    status: u16,
    holds: &'static str,
}

fn probe(
    what: &'static str,
    method: &'static str,
    path: &'static str,
    body: impl Into<String>,
    status: u16,
    holds: &'static str,
) -> Probe {
    let media = match method {
        "PUT" if path.ends_with(".vcf") => "text/vcard",
        "PUT" => "text/calendar",
        _ => "application/xml",
    };
    Probe { what, method, path, headers: vec![("content-type", media.to_owned())], body: body.into(), status, holds }
}

impl Probe {
    fn with(mut self, name: &'static str, value: impl Into<String>) -> Probe {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value.into()));
        self
    }
}

fn probes(etag: &str) -> Vec<Probe> {
    let event = |uid: &str| plain_event(uid, "20250115T100000Z");
    let propfind = "<D:propfind xmlns:D='DAV:'><D:prop><D:getetag/></D:prop></D:propfind>";
    let todo = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//EN\r\nBEGIN:VTODO\r\nUID:t\r\nDTSTAMP:20250101T000000Z\r\nEND:VTODO\r\nEND:VCALENDAR\r\n";
    let two = event("x").replace("END:VCALENDAR\r\n", "") + event("y").split_once("EN\r\n").expect("a head").1;
    vec![
        probe("PUT new, If-None-Match: *", "PUT", NEW, event("new"), 201, "").with("if-none-match", "*"),
        probe("PUT existing, If-None-Match: *", "PUT", OLD, event("old"), 412, "").with("if-none-match", "*"),
        probe("If-Match stale", "PUT", OLD, event("old"), 412, "").with("if-match", "\"stale\""),
        probe(
            "If-Match of something that is not there",
            "PUT",
            "/calendars/alice/default/none.ics",
            event("none"),
            412,
            "",
        )
        .with("if-match", "*"),
        probe("If-Match fits", "PUT", OLD, event("old"), 204, "").with("if-match", etag),
        probe("If-Match: * existing", "PUT", OLD, event("old"), 204, "").with("if-match", "*"),
        probe(
            "same UID, other href",
            "PUT",
            "/calendars/alice/default/3.ics",
            event("old"),
            409,
            "<C:no-uid-conflict><D:href>/calendars/alice/default/old.ics</D:href></C:no-uid-conflict>",
        ),
        probe(
            "overwrite with another UID",
            "PUT",
            OLD,
            event("other"),
            403,
            "<C:no-uid-conflict><D:href>/calendars/alice/default/old.ics</D:href></C:no-uid-conflict>",
        ),
        probe(
            "VTODO into a VEVENT-only calendar",
            "PUT",
            "/calendars/alice/events/t.ics",
            todo,
            403,
            "<C:supported-calendar-component/>",
        ),
        probe("not iCalendar", "PUT", NEW, "hello", 403, "<C:valid-calendar-data/>"),
        probe("an empty body", "PUT", NEW, "", 403, "<C:valid-calendar-data/>"),
        probe("two UIDs in one object", "PUT", NEW, two, 403, "<C:valid-calendar-object-resource/>"),
        probe("no UID", "PUT", NEW, event("x").replace("UID:x\r\n", ""), 403, "<C:valid-calendar-object-resource/>"),
        probe(
            "METHOD present",
            "PUT",
            NEW,
            event("x").replace("VERSION", "METHOD:REQUEST\r\nVERSION"),
            403,
            "<C:valid-calendar-object-resource/>",
        ),
        probe("Content-Type: text/plain", "PUT", NEW, event("new"), 403, "<C:supported-calendar-data/>")
            .with("content-type", "text/plain"),
        probe(
            "too large",
            "PUT",
            NEW,
            event("new").replace("Event new", &"x".repeat(1_100_000)),
            403,
            "<C:max-resource-size/>",
        ),
        probe("a part of an object", "PUT", NEW, event("new"), 400, "").with("content-range", "bytes 0-1/2"),
        probe("a compressed body", "PUT", NEW, event("new"), 415, "").with("content-encoding", "gzip"),
        probe("PUT into no collection", "PUT", "/calendars/alice/none/1.ics", event("new"), 409, ""),
        probe("no card", "PUT", "/addressbooks/alice/collected/1.vcf", "hello", 403, "<CR:valid-address-data/>"),
        probe(
            "a card of another type",
            "PUT",
            "/addressbooks/alice/collected/1.vcf",
            card("c"),
            403,
            "<CR:supported-address-data/>",
        )
        .with("content-type", "text/calendar"),
        probe(
            "two cards with one UID",
            "PUT",
            "/addressbooks/alice/collected/2.vcf",
            card("old"),
            409,
            "<CR:no-uid-conflict><D:href>/addressbooks/alice/collected/old.vcf</D:href></CR:no-uid-conflict>",
        ),
        probe(
            "PROPFIND Depth infinity, large home",
            "PROPFIND",
            "/calendars/alice/",
            propfind,
            403,
            "<D:propfind-finite-depth/>",
        )
        .with("depth", "infinity"),
        probe("no Depth, large home", "PROPFIND", "/calendars/alice/", propfind, 403, "<D:propfind-finite-depth/>"),
        probe("an unknown Depth", "PROPFIND", "/calendars/alice/", propfind, 400, "").with("depth", "2"),
        probe("malformed XML", "PROPFIND", CALENDAR, "<D:propfind", 400, "").with("depth", "0"),
        probe("a document type", "PROPFIND", CALENDAR, "<!DOCTYPE x []><x/>", 400, "").with("depth", "0"),
        probe("33 levels of XML", "PROPFIND", CALENDAR, format!("{}{}", "<a>".repeat(33), "</a>".repeat(33)), 400, "")
            .with("depth", "0"),
        probe(
            "65 attributes",
            "PROPFIND",
            CALENDAR,
            format!("<a{}/>", (0..65).map(|n| format!(" a{n}=''")).collect::<String>()),
            400,
            "",
        )
        .with("depth", "0"),
        probe(
            "Prefer: return=minimal",
            "PROPFIND",
            CALENDAR,
            "<D:propfind xmlns:D='DAV:'><D:prop><x/></D:prop></D:propfind>",
            207,
            "",
        )
        .with("depth", "0")
        .with("prefer", "return=minimal"),
        probe(
            "sync-collection, garbage token",
            "REPORT",
            CALENDAR,
            "<D:sync-collection xmlns:D='DAV:'><D:sync-token>garbage</D:sync-token><D:sync-level>1</D:sync-level><D:prop/></D:sync-collection>",
            403,
            "<D:valid-sync-token/>",
        ),
        probe(
            "sync-collection, a bare UUID as macOS Contacts sends it",
            "REPORT",
            "/addressbooks/alice/collected/",
            "<D:sync-collection xmlns:D='DAV:'><D:sync-token>2D7C0C5E-5E0A-4F6A-9B6E-6D2A0B8E3C11</D:sync-token><D:sync-level>1</D:sync-level><D:prop/></D:sync-collection>",
            403,
            "<D:valid-sync-token/>",
        ),
        probe(
            "sync-level infinite",
            "REPORT",
            CALENDAR,
            "<D:sync-collection xmlns:D='DAV:'><D:sync-token/><D:sync-level>infinite</D:sync-level><D:prop/></D:sync-collection>",
            207,
            "",
        ),
        probe("unknown REPORT", "REPORT", CALENDAR, "<x:frob xmlns:x='u:e'/>", 403, "<D:supported-report/>"),
        probe("malformed REPORT", "REPORT", CALENDAR, "<x", 400, ""),
        probe("plain MKCOL", "MKCOL", "/calendars/alice/plain/", "", 403, "<D:valid-resourcetype/>"),
        probe("MKCALENDAR where one stands", "MKCALENDAR", CALENDAR, "", 405, "<D:resource-must-be-null/>"),
        probe(
            "MKCALENDAR in a calendar",
            "MKCALENDAR",
            "/calendars/alice/default/x",
            "",
            403,
            "<C:calendar-collection-location-ok/>",
        ),
        probe(
            "MKCALENDAR among address books",
            "MKCALENDAR",
            "/addressbooks/alice/x/",
            "",
            403,
            "<C:calendar-collection-location-ok/>",
        ),
        probe("MKCALENDAR without a home", "MKCALENDAR", "/x/y/z/a/b/", "", 409, ""),
        probe(
            "MKCALENDAR with a protected property",
            "MKCALENDAR",
            "/calendars/alice/x/",
            "<C:mkcalendar xmlns:D='DAV:' xmlns:C='urn:ietf:params:xml:ns:caldav'><D:set><D:prop><D:getetag/></D:prop></D:set></C:mkcalendar>",
            403,
            "<D:cannot-modify-protected-property/>",
        ),
        probe("another's home", "MKCALENDAR", "/calendars/bob/x/", "", 403, "<D:need-privileges/>"),
        probe(
            "PROPPATCH of a protected property",
            "PROPPATCH",
            CALENDAR,
            "<D:propertyupdate xmlns:D='DAV:'><D:set><D:prop><D:getetag>x</D:getetag></D:prop></D:set></D:propertyupdate>",
            207,
            "<D:cannot-modify-protected-property/>",
        ),
        probe("PROPPATCH without a body", "PROPPATCH", CALENDAR, "", 400, ""),
        probe("DELETE of a collection at depth 0", "DELETE", CALENDAR, "", 400, "").with("depth", "0"),
        probe("DELETE, If-Match stale", "DELETE", OLD, "", 412, "").with("if-match", "\"stale\""),
        probe(
            "ACL for somebody",
            "ACL",
            CALENDAR,
            "<D:acl xmlns:D='DAV:'><D:ace><D:principal><D:href>/principals/nobody/</D:href></D:principal><D:grant><D:privilege><D:read/></D:privilege></D:grant></D:ace></D:acl>",
            403,
            "<D:recognized-principal/>",
        ),
        probe(
            "ACL against the owner",
            "ACL",
            CALENDAR,
            "<D:acl xmlns:D='DAV:'><D:ace><D:principal><D:property><D:owner/></D:property></D:principal><D:grant><D:privilege><D:read/></D:privilege></D:grant></D:ace></D:acl>",
            403,
            "<D:no-protected-ace-conflict/>",
        ),
        probe(
            "ACL that denies",
            "ACL",
            CALENDAR,
            "<D:acl xmlns:D='DAV:'><D:ace><D:principal><D:all/></D:principal><D:deny><D:privilege><D:read/></D:privilege></D:deny></D:ace></D:acl>",
            403,
            "<D:grant-only/>",
        ),
        probe(
            "ACL that says what is so",
            "ACL",
            CALENDAR,
            "<D:acl xmlns:D='DAV:'><D:ace><D:principal><D:property><D:owner/></D:property></D:principal><D:grant><D:privilege><D:all/></D:privilege></D:grant><D:protected/></D:ace></D:acl>",
            200,
            "",
        ),
        probe("an empty ACL", "ACL", OLD, "<D:acl xmlns:D='DAV:'/>", 200, ""),
        probe(
            "ACL of what is everybody's",
            "ACL",
            "/calendars/",
            "<D:acl xmlns:D='DAV:'/>",
            403,
            "<D:need-privileges/>",
        ),
        probe("ACL without a body", "ACL", CALENDAR, "", 400, ""),
        probe("LOCK", "LOCK", CALENDAR, "", 405, ""),
        probe("a method that nobody knows", "FROB", CALENDAR, "", 501, ""),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_precondition_has_its_element() {
    let house = House::open().await;
    let alice = house.http("alice");
    let events = "<C:mkcalendar xmlns:D='DAV:' xmlns:C='urn:ietf:params:xml:ns:caldav'><D:set><D:prop>\
                  <C:supported-calendar-component-set><C:comp name='VEVENT'/></C:supported-calendar-component-set></D:prop></D:set></C:mkcalendar>";
    assert_eq!(alice.send("MKCALENDAR", "/calendars/alice/events/", &[], events).await.status, 201);
    let etag = alice.put(OLD, &plain_event("old", "20250115T100000Z")).await.header("etag").to_owned();
    assert_eq!(alice.put("/addressbooks/alice/collected/old.vcf", &card("old")).await.status, 201);
    // A home is large from 1,001 rows on.
    let file: String = (0..1_000).map(|n| plain_event(&format!("e{n}"), "20250301T100000Z")).collect();
    house.import("alice", "/calendars/alice/events", "text/calendar", &file).await;
    for probe in probes(&etag) {
        let headers: Vec<(&str, &str)> = probe.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let found = alice.send(probe.method, probe.path, &headers, probe.body).await;
        let text = found.text();
        assert_eq!(found.status, probe.status, "{}: {text}", probe.what);
        assert!(short(&text).contains(&short(probe.holds)), "{}: no {} in {text}", probe.what, probe.holds);
        if probe.status >= 400 {
            assert_eq!(found.header("content-type"), "application/xml; charset=utf-8", "{}", probe.what);
            has(&found, "<D:responsedescription>");
            // Whatever was refused, the answer can be read as XML of the one form.
            assert!(text.starts_with("<?xml") && short(&text).ends_with("</error>"), "{}: {text}", probe.what);
        }
    }
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_do_what_is_told() {
    let house = House::open().await;
    let (alice, bob) = (house.http("alice"), house.http("bob"));
    let acl = crate::live::dav::ask(&alice, "/calendars/alice/team/", "0", "<D:acl/>").await;
    has(
        &acl,
        "<D:ace><D:principal><D:property><D:owner/></D:property></D:principal><D:grant><D:privilege><D:all/></D:privilege></D:grant><D:protected/></D:ace>",
    );
    has(
        &acl,
        "<D:principal><D:href>/principals/carol/</D:href></D:principal><D:grant><D:privilege><D:read/></D:privilege></D:grant></D:ace>",
    );
    has(
        &acl,
        "<D:href>/principals/bob/</D:href></D:principal><D:grant><D:privilege><D:read/></D:privilege><D:privilege><D:write-content/></D:privilege>",
    );
    let public = crate::live::dav::ask(&alice, "/calendars/alice/holidays/new-year.ics", "0", "<D:acl/>").await;
    has(
        &public,
        "<D:principal><D:authenticated/></D:principal><D:grant><D:privilege><D:read/></D:privilege></D:grant><D:protected/>\
                  <D:inherited><D:href>/calendars/alice/holidays/</D:href></D:inherited>",
    );
    let named = "<D:acl-principal-prop-set xmlns:D='DAV:'><D:prop><D:displayname/></D:prop></D:acl-principal-prop-set>";
    let people = alice.send("REPORT", "/calendars/alice/team/", &[("depth", "0")], named).await;
    assert_eq!(people.status, 207, "{}", people.text());
    has(&people, "<D:displayname>Alice Archer</D:displayname>");
    has(&people, "<D:href>/principals/bob/</D:href><D:status>HTTP/1.1 403 Forbidden</D:status>");
    assert!(!people.text().contains("Baker"), "{}", people.text());
    assert_eq!(bob.send("REPORT", "/calendars/alice/team/", &[("depth", "0")], named).await.status, 403);
    // Whom else it is shared with is not a delegate's business.
    let theirs = crate::live::dav::ask(&bob, "/calendars/alice/team/", "0", "<D:acl/><D:owner/>").await;
    has(&theirs, "<D:acl/></D:prop><D:status>HTTP/1.1 403 Forbidden</D:status>");
    assert!(!theirs.text().contains("carol"), "{}", theirs.text());
    house.stop().await;
}
