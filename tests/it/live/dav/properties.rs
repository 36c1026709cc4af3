//! Properties over a real socket: those that mean something, those that are only kept, and what a client may leave out of the answer.

use crate::live::client::{Http, Reply};
use crate::live::dav::{ask, has, refused, short};
use crate::live::{House, card, plain_event};

const SPACES: &str = "xmlns:D='DAV:' xmlns:C='urn:ietf:params:xml:ns:caldav' xmlns:CS='http://calendarserver.org/ns/' \
                      xmlns:A='http://apple.com/ns/ical/'";

async fn patch(http: &Http, path: &str, steps: &str) -> Reply {
    let body = format!("<D:propertyupdate {SPACES}>{steps}</D:propertyupdate>");
    http.send("PROPPATCH", path, &[("content-type", "application/xml")], body).await
}

async fn set(http: &Http, path: &str, props: &str) -> Reply {
    patch(http, path, &format!("<D:set><D:prop>{props}</D:prop></D:set>")).await
}

/// An event with an organizer.
fn meeting(uid: &str) -> String {
    let invited = "ORGANIZER:mailto:alice@campanile.example\r\nATTENDEE:mailto:bob@campanile.example\r\nSUMMARY:";
    plain_event(uid, "20250115T100000Z").replace("SUMMARY:", invited)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_keeps_is_given_back() {
    let house = House::open().await;
    let (alice, bob) = (house.http("alice"), house.http("bob"));
    let object = "/calendars/alice/default/1.ics";
    assert_eq!(alice.put(object, &plain_event("1", "20250115T100000Z")).await.status, 201);
    let alarm = "<C:default-alarm-vevent-date>BEGIN:VALARM&#13;\nEND:VALARM</C:default-alarm-vevent-date>";
    let mixed = "<x xmlns='u:e' xmlns:f='u:f' f:a='1' b='2' xml:lang='de'>one<y/>two</x>";
    for path in ["/principals/alice/", "/calendars/alice/", "/addressbooks/alice/", "/calendars/alice/default/", object]
    {
        let kept = set(&alice, path, &format!("{alarm}{mixed}<A:calendar-order>3</A:calendar-order>")).await;
        assert_eq!(kept.status, 207, "{path}");
        has(&kept, "HTTP/1.1 200 OK");
        assert!(!kept.text().contains("HTTP/1.1 4"), "{}", kept.text());
        let found = ask(&alice, path, "0", "<C:default-alarm-vevent-date/><x xmlns='u:e'/><A:calendar-order/>").await;
        has(&found, "BEGIN:VALARM&#13;\nEND:VALARM</C:default-alarm-vevent-date>");
        has(&found, "a0:a=\"1\" xml:lang=\"de\">one<x:y xmlns:x=\"u:e\"/>two</x:x>");
        has(&found, ">3</A:calendar-order>");
        let all = alice.send("PROPFIND", path, &[("depth", "0")], "").await;
        has(&all, ">3</A:calendar-order>");
        // Set and taken away in one request: in the order of the body.
        let gone = patch(
            &alice,
            path,
            "<D:set><D:prop><A:calendar-order>4</A:calendar-order></D:prop></D:set><D:remove><D:prop><A:calendar-order/></D:prop></D:remove>",
        )
        .await;
        assert_eq!(gone.status, 207);
        let found = ask(&alice, path, "0", "<A:calendar-order/><x xmlns='u:e'/>").await;
        has(&found, "<A:calendar-order/></D:prop><D:status>HTTP/1.1 404 Not Found");
        has(&found, "two</x:x>");
    }
    // A PUT leaves them, a listing shows them, and the list of somebody else's objects does not change with them.
    let token = alice.get("/api/calendars/alice/default").await.json()["syncToken"].clone();
    set(&alice, object, "<z xmlns='u:e'>kept</z>").await;
    assert_eq!(alice.get("/api/calendars/alice/default").await.json()["syncToken"], token);
    assert_eq!(alice.put(object, &plain_event("1", "20250115T110000Z")).await.status, 204);
    has(&ask(&alice, "/calendars/alice/default/", "1", "<z xmlns='u:e'/>").await, ">kept</x:z>");
    // Deleted and made again, it has none; and neither has another calendar of that name.
    assert_eq!(alice.delete(object).await.status, 204);
    assert_eq!(alice.put(object, &plain_event("1", "20250115T100000Z")).await.status, 201);
    has(&ask(&alice, object, "0", "<z xmlns='u:e'/>").await, "404 Not Found");
    assert_eq!(alice.delete("/calendars/alice/default/").await.status, 204);
    let made = format!(
        "<C:mkcalendar {SPACES}><D:set><D:prop><A:calendar-order>9</A:calendar-order></D:prop></D:set></C:mkcalendar>"
    );
    assert_eq!(alice.send("MKCALENDAR", "/calendars/alice/default/", &[], made).await.status, 201);
    let found = ask(&alice, "/calendars/alice/default/", "0", "<x xmlns='u:e'/><A:calendar-order/>").await;
    has(&found, ">9</A:calendar-order>");
    has(&found, "<x:x xmlns:x=\"u:e\"/></D:prop><D:status>HTTP/1.1 404 Not Found");

    // Nobody writes on others' places, nor on everybody's.
    for path in
        ["/principals/alice/", "/calendars/alice/", "/calendars/alice/default/", "/calendars/alice/default/1.ics"]
    {
        refused(&set(&bob, path, "<z xmlns='u:e'>1</z>").await, 403, "<D:need-privileges/>");
    }
    for path in ["/", "/principals/", "/calendars/"] {
        has(&set(&alice, path, "<z xmlns='u:e'>1</z>").await, "<x:z xmlns:x=\"u:e\"/></D:prop><D:status>HTTP/1.1 403");
    }
    for name in ["D:resourcetype", "D:getetag", "D:lockdiscovery", "D:acl", "C:schedule-inbox-URL", "CS:invite"] {
        let failed =
            set(&alice, "/calendars/alice/default/", &format!("<{name}/><D:displayname>x</D:displayname>")).await;
        has(&failed, "<D:cannot-modify-protected-property/>");
        has(&failed, "<D:displayname/></D:prop><D:status>HTTP/1.1 424");
    }
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_holder_of_a_mirror_keeps_their_own() {
    let house = House::open().await;
    let (alice, bob) = (house.http("alice"), house.http("bob"));
    let mirror = bob.get("/api/calendars").await.json();
    let mirror = mirror.as_array().expect("a list").iter().find(|one| one["kind"] == "delegated").expect("a mirror");
    let mirror = format!("{}/", mirror["href"].as_str().expect("an href"));
    has(&set(&bob, &mirror, "<A:calendar-order>7</A:calendar-order>").await, "200 OK");
    has(&ask(&bob, &mirror, "0", "<A:calendar-order/>").await, ">7</A:calendar-order>");
    has(&ask(&alice, "/calendars/alice/team/", "0", "<A:calendar-order/>").await, "404 Not Found");
    refused(
        &set(&bob, "/calendars/alice/team/", "<A:calendar-order>7</A:calendar-order>").await,
        403,
        "need-privileges",
    );
    // What he keeps on an object that he may write, all see.
    assert_eq!(bob.put(&format!("{mirror}o.ics"), &plain_event("o", "20250115T100000Z")).await.status, 201);
    has(&set(&bob, &format!("{mirror}o.ics"), "<z xmlns='u:e'>1</z>").await, "200 OK");
    has(&ask(&alice, "/calendars/alice/team/", "1", "<z xmlns='u:e'/>").await, ">1</x:z>");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_has_a_bound() {
    let house = House::open_with(&[("limits.properties", "3"), ("limits.property_bytes", "5000")]).await;
    let alice = house.http("alice");
    for path in ["/calendars/alice/", "/calendars/alice/default/"] {
        let three = "<a xmlns='u:e'>1</a><b xmlns='u:e'>2</b><c xmlns='u:e'>3</c>";
        has(&set(&alice, path, three).await, "200 OK");
        let four = set(&alice, path, "<d xmlns='u:e'>4</d>").await;
        has(&four, "<x:d xmlns:x=\"u:e\"/></D:prop><D:status>HTTP/1.1 507 Insufficient Storage");
        let long = set(&alice, path, &format!("<a xmlns='u:e'>{}</a>", "x".repeat(5_000))).await;
        has(&long, "507 Insufficient Storage");
        // One that is taken away makes room, and several rows come back whole.
        let swapped = format!(
            "<D:remove><D:prop><b xmlns='u:e'/></D:prop></D:remove><D:set><D:prop><d xmlns='u:e'>{}</d></D:prop></D:set>",
            "y".repeat(4_500)
        );
        has(&patch(&alice, path, &swapped).await, "200 OK");
        let found = ask(&alice, path, "0", "<a xmlns='u:e'/><b xmlns='u:e'/><d xmlns='u:e'/>").await;
        has(&found, ">1</x:a>");
        has(&found, &"y".repeat(4_500));
        has(&found, "<x:b xmlns:x=\"u:e\"/></D:prop><D:status>HTTP/1.1 404");
    }
    let both = set(&alice, "/calendars/alice/default/", "<e xmlns='u:e'/><D:displayname>New</D:displayname>").await;
    has(&both, "<D:displayname/></D:prop><D:status>HTTP/1.1 424");
    has(&ask(&alice, "/calendars/alice/default/", "0", "<D:displayname/>").await, "Calendar</D:displayname>");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_goes_leaves_no_properties() {
    let house = House::open().await;
    let (admin, carol) = (house.http("admin"), house.http("carol"));
    for path in ["/principals/carol/", "/calendars/carol/", "/calendars/carol/default/"] {
        has(&set(&carol, path, "<z xmlns='u:e'>1</z>").await, "200 OK");
    }
    assert_eq!(admin.delete("/api/users/carol").await.status, 204);
    let again = r#"{"name":"carol","email":"carol@campanile.example","displayName":"Carol","password":"carol"}"#;
    let again = admin.post("/api/users", again).await;
    assert_eq!(again.status, 201, "{again:?}");
    for path in ["/principals/carol/", "/calendars/carol/", "/calendars/carol/default/"] {
        has(&ask(&carol, path, "0", "<z xmlns='u:e'/>").await, "404 Not Found");
    }
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_zone_of_a_calendar_is_said_in_both_spellings() {
    let house = House::open().await;
    let alice = house.http("alice");
    let path = "/calendars/alice/default/";
    let text = |tzid: &str| format!("BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:{tzid}\nEND:VTIMEZONE\nEND:VCALENDAR");
    let both = "<C:calendar-timezone/><C:calendar-timezone-id/>";
    has(
        &set(&alice, path, &format!("<C:calendar-timezone>{}</C:calendar-timezone>", text("Europe/Paris"))).await,
        "200 OK",
    );
    let found = ask(&alice, path, "0", both).await;
    has(&found, &text("Europe/Paris"));
    has(&found, "<C:calendar-timezone-id>Europe/Paris</C:calendar-timezone-id>");
    // Another zone by its name: the old text is told no more.
    has(&set(&alice, path, "<C:calendar-timezone-id>Europe/Berlin</C:calendar-timezone-id>").await, "200 OK");
    let found = ask(&alice, path, "0", both).await;
    has(&found, "<C:calendar-timezone-id>Europe/Berlin</C:calendar-timezone-id>");
    has(&found, "<C:calendar-timezone/></D:prop><D:status>HTTP/1.1 404 Not Found");
    // One that is described and has no name that is known here is kept, and counts for nothing.
    has(&set(&alice, path, &format!("<C:calendar-timezone>{}</C:calendar-timezone>", text("Mine"))).await, "200 OK");
    let found = ask(&alice, path, "0", both).await;
    has(&found, &text("Mine"));
    has(&found, "<C:calendar-timezone-id/></D:prop><D:status>HTTP/1.1 404 Not Found");
    let bad = set(&alice, path, "<C:calendar-timezone>x</C:calendar-timezone>").await;
    has(&bad, "<C:valid-calendar-data/>");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_property_matrix_is_answered() {
    let house = House::open().await;
    let alice = house.http("alice");
    let object = "/calendars/alice/default/1.ics";
    assert_eq!(alice.put(object, &meeting("1")).await.status, 201);
    assert_eq!(alice.put("/addressbooks/alice/collected/1.vcf", &card("1")).await.status, 201);
    set(
        &alice,
        "/calendars/alice/default/",
        "<A:calendar-color>#FF0000FF</A:calendar-color><A:calendar-order>1</A:calendar-order>",
    )
    .await;
    set(
        &alice,
        "/calendars/alice/default/",
        "<C:calendar-description>d</C:calendar-description><C:calendar-timezone-id>UTC</C:calendar-timezone-id>",
    )
    .await;
    let everywhere = "D:resourcetype D:current-user-principal D:principal-collection-set D:current-user-privilege-set D:supported-report-set \
                      D:supported-privilege-set D:acl D:acl-restrictions D:inherited-acl-set";
    let collection = "D:displayname D:owner D:sync-token CS:getctag";
    let rows = [
        ("/", ""),
        ("/principals/", ""),
        ("/calendars/", ""),
        (
            "/principals/alice/",
            "D:displayname D:owner D:principal-URL D:alternate-URI-set D:group-membership C:calendar-home-set CR:addressbook-home-set \
             C:calendar-user-address-set C:calendar-user-type CS:email-address-set",
        ),
        ("/calendars/alice/", "D:owner"),
        ("/addressbooks/alice/", "D:owner"),
        (
            "/calendars/alice/default/",
            "C:supported-calendar-component-set C:supported-calendar-data C:calendar-description C:calendar-timezone-id \
             C:schedule-calendar-transp C:max-resource-size A:calendar-color A:calendar-order",
        ),
        ("/addressbooks/alice/collected/", "CR:supported-address-data CR:max-resource-size"),
        (
            object,
            "D:owner D:getetag D:getcontenttype D:getcontentlength D:getlastmodified D:creationdate C:schedule-tag",
        ),
        (
            "/addressbooks/alice/collected/1.vcf",
            "D:owner D:getetag D:getcontenttype D:getcontentlength D:getlastmodified D:creationdate",
        ),
    ];
    for (path, more) in rows {
        let more = if path.matches('/').count() == 4 && path.ends_with('/') {
            format!("{collection} {more}")
        } else {
            more.to_owned()
        };
        for name in everywhere.split_whitespace().chain(more.split_whitespace()) {
            let found = ask(&alice, path, "0", &format!("<{name}/>")).await;
            assert_eq!(found.status, 207);
            assert!(found.text().contains("<status>HTTP/1.1 200 OK"), "{path} {name}: {}", found.text());
            assert!(found.text().contains(&short(&format!("<{name}"))), "{path} {name}: {}", found.text());
        }
    }
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn brief_answers_leave_out_what_is_not_there() {
    let house = House::open().await;
    let alice = house.http("alice");
    let path = "/calendars/alice/default/";
    for header in [("prefer", "return=minimal"), ("brief", "t")] {
        let body = "<D:propfind xmlns:D='DAV:'><D:prop><D:displayname/><x/></D:prop></D:propfind>";
        let found = alice.send("PROPFIND", path, &[("depth", "0"), header], body).await;
        assert_eq!((found.status, found.header("preference-applied")), (207, "return=minimal"));
        assert!(!found.text().contains("404"), "{}", found.text());
        let body = "<D:propertyupdate xmlns:D='DAV:'><D:set><D:prop><x>1</x></D:prop></D:set></D:propertyupdate>";
        let quiet = alice.send("PROPPATCH", path, &[header], body).await;
        assert_eq!((quiet.status, quiet.body.len(), quiet.header("preference-applied")), (200, 0, "return=minimal"));
        let failed = body.replace("<x>1</x>", "<D:getetag/>");
        let failed = alice.send("PROPPATCH", path, &[header], failed).await;
        assert_eq!(failed.status, 207, "a failure is told all the same");
        has(&failed, "403 Forbidden");
        alice.send("PROPPATCH", path, &[], body.replace("set>", "remove>")).await;
    }
    // The whole object with the answer, where it is asked for.
    let (object, text) = ("/calendars/alice/default/1.ics", plain_event("1", "20250115T100000Z"));
    let headers = [("prefer", "return=representation"), ("content-type", "text/calendar")];
    let made = alice.send("PUT", object, &headers, text.clone()).await;
    assert_eq!(
        (made.status, made.text(), made.header("preference-applied")),
        (201, text.clone(), "return=representation")
    );
    assert_eq!(made.header("content-location"), object);
    let again = alice.send("PUT", object, &headers, text.clone()).await;
    assert_eq!((again.status, again.text()), (200, text.clone()));
    let late = [headers[0], headers[1], ("if-match", "\"other\"")];
    let late = alice.send("PUT", object, &late, plain_event("1", "20250115T120000Z")).await;
    assert_eq!((late.status, late.text(), late.header("etag")), (412, text, again.header("etag")));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_tag_guards_what_was_planned() {
    let house = House::open().await;
    let alice = house.http("alice");
    let path = "/calendars/alice/default/m.ics";
    let media = ("content-type", "text/calendar");
    let made = alice.put(path, &meeting("m")).await;
    let tag = made.header("schedule-tag").to_owned();
    assert!(made.status == 201 && tag.starts_with('"') && tag.ends_with('"'), "{made:?}");
    let got = alice.get(path).await;
    assert_eq!(got.header("schedule-tag"), tag);
    has(&ask(&alice, path, "0", "<C:schedule-tag/>").await, &format!("<C:schedule-tag>{tag}</C:schedule-tag>"));
    let send = async |method: &str, tag: &str| {
        alice.send(method, path, &[media, ("if-schedule-tag-match", tag)], meeting("m")).await
    };
    assert_eq!(send("PUT", "\"other\"").await.status, 412);
    assert_eq!(send("PUT", "other").await.status, 400);
    let next = send("PUT", &tag).await;
    assert_eq!(next.status, 204);
    assert_ne!(next.header("schedule-tag"), tag, "a write by its organizer makes a new one");
    assert_eq!(send("PUT", &tag).await.status, 412);
    assert_eq!(send("GET", &tag).await.status, 412);
    // What is no meeting has none.
    let plain = alice.put("/calendars/alice/default/p.ics", &plain_event("p", "20250115T100000Z")).await;
    assert_eq!(plain.header("schedule-tag"), "");
    has(&ask(&alice, "/calendars/alice/default/p.ics", "0", "<C:schedule-tag/>").await, "404 Not Found");
    let tag = next.header("schedule-tag").to_owned();
    assert_eq!(send("DELETE", "\"other\"").await.status, 412);
    assert_eq!(send("DELETE", &tag).await.status, 204);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_if_header_and_dates_are_heeded() {
    let house = House::open().await;
    let alice = house.http("alice");
    let (path, text) = ("/calendars/alice/default/1.ics", plain_event("1", "20250115T100000Z"));
    let etag = alice.put(path, &text).await.header("etag").to_owned();
    let tagged = format!("<http://{}{path}> ([{etag}])", house.base());
    let rows = [
        ("if", format!("([{etag}])"), 204),
        ("if", tagged, 204),
        ("if", "([\"other\"])".to_owned(), 412),
        ("if", format!("([\"other\"]) ([{etag}])"), 204),
        ("if", "(<opaquelocktoken:1>)".to_owned(), 412),
        ("if", "(Not <DAV:no-lock>)".to_owned(), 204),
        ("if", "nonsense".to_owned(), 400),
        ("if-unmodified-since", "Wed, 15 Jan 2025 09:00:00 GMT".to_owned(), 204),
        ("if-unmodified-since", "Wed, 15 Jan 2025 08:59:59 GMT".to_owned(), 412),
        ("if-unmodified-since", "yesterday".to_owned(), 204),
    ];
    for (name, value, status) in rows {
        let put = alice.send("PUT", path, &[("content-type", "text/calendar"), (name, &value)], text.clone()).await;
        assert_eq!(put.status, status, "{name}: {value}");
    }
    let since = |at: &'static str| [("if-modified-since", at)];
    assert_eq!(alice.send("GET", path, &since("Wed, 15 Jan 2025 09:00:00 GMT"), "").await.status, 304);
    assert_eq!(alice.send("GET", path, &since("Wed, 15 Jan 2025 08:59:59 GMT"), "").await.status, 200);
    let body = "<D:propertyupdate xmlns:D='DAV:'><D:set><D:prop><x>1</x></D:prop></D:set></D:propertyupdate>";
    for (path, value, status) in
        [(path, "\"other\"", 412), (path, etag.as_str(), 207), ("/calendars/alice/default/", "\"x\"", 412)]
    {
        assert_eq!(alice.send("PROPPATCH", path, &[("if-match", value)], body).await.status, status, "{path} {value}");
    }
    house.stop().await;
}

/// The number in an element of a PROPFIND's answer.
#[track_caller]
fn number(reply: &Reply, tag: &str) -> u64 {
    let text = short(&reply.text());
    let (_, rest) = text.split_once(&format!("<{tag}>")).unwrap_or_else(|| panic!("no {tag} in {text}"));
    rest.split_once('<').unwrap().0.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_says_what_it_holds_and_takes_no_more_than_it_may() {
    let house = House::open_with(&[("limits.collection_bytes", "2000"), ("limits.collection_objects", "4")]).await;
    let (alice, bob) = (house.http("alice"), house.http("bob"));
    let work = "/calendars/alice/default/";
    let quota = "<D:quota-used-bytes/><D:quota-available-bytes/>";
    let (small, event) = (plain_event("1", "20250115T100000Z"), |uid: &str, summary: usize| {
        plain_event(uid, "20250115T100000Z").replace("SUMMARY:", &format!("SUMMARY:{}", "x".repeat(summary)))
    });
    assert_eq!(number(&ask(&alice, work, "0", quota).await, "quota-used-bytes"), 0);
    let home = number(&ask(&alice, "/calendars/alice/", "0", quota).await, "quota-used-bytes");
    assert_eq!(alice.put(&format!("{work}1.ics"), &small).await.status, 201);
    let found = ask(&alice, work, "0", quota).await;
    assert_eq!(number(&found, "quota-used-bytes"), small.len() as u64);
    assert_eq!(number(&found, "quota-available-bytes"), 2_000 - small.len() as u64);
    // A larger text counts as that, and a home as all that is in it.
    let larger = event("1", 60);
    assert_eq!(alice.put(&format!("{work}1.ics"), &larger).await.status, 204);
    assert_eq!(
        number(&ask(&alice, "/calendars/alice/", "0", quota).await, "quota-used-bytes"),
        home + larger.len() as u64
    );
    // What does not fit is refused by PUT, POST, COPY and an import, and nothing is done.
    let heavy = event("2", 1_900);
    let full = alice.put(&format!("{work}2.ics"), &heavy).await;
    assert_eq!(full.status, 507);
    has(&full, "<D:quota-not-exceeded/>");
    let posted = alice.send("POST", work, &[("content-type", "text/calendar")], heavy.clone()).await;
    assert_eq!(posted.status, 507);
    has(&posted, "<D:quota-not-exceeded/>");
    let other = "/calendars/alice/other/";
    assert_eq!(alice.send("MKCALENDAR", other, &[], "").await.status, 201);
    assert_eq!(alice.put(&format!("{other}2.ics"), &event("2", 1_650)).await.status, 201);
    for method in ["COPY", "MOVE"] {
        let destination = format!("{work}2.ics");
        let carried = alice.send(method, &format!("{other}2.ics"), &[("destination", destination.as_str())], "").await;
        assert_eq!(carried.status, 507, "{method}");
    }
    let target = "/api/imports?target=/calendars/alice/default";
    let headers = [("content-type", "text/calendar"), ("prefer", "wait=30")];
    let import = alice.send("POST", target, &headers, heavy).await.json();
    assert_eq!((&import["failedCount"], &import["created"]), (&1.into(), &0.into()), "{import}");
    let errors = alice.get(&format!("/api/imports/{}/errors", import["id"].as_str().unwrap())).await;
    assert!(errors.text().contains("\"code\":\"full\""), "{}", errors.text());
    assert_eq!(number(&ask(&alice, work, "0", quota).await, "quota-used-bytes"), larger.len() as u64);
    // What gets no larger always goes in; what is gone counts no more.
    assert_eq!(alice.put(&format!("{work}1.ics"), &small).await.status, 204);
    for name in ["a", "b", "c"] {
        assert_eq!(alice.put(&format!("{work}{name}.ics"), &plain_event(name, "20250115T100000Z")).await.status, 201);
    }
    let fifth = alice.put(&format!("{work}d.ics"), &plain_event("d", "20250115T100000Z")).await;
    assert_eq!(fifth.status, 507, "{}", fifth.text());
    assert_eq!(alice.put(&format!("{work}a.ics"), &plain_event("a", "20250116T100000Z")).await.status, 204);
    for name in ["1", "a", "b", "c"] {
        assert_eq!(alice.send("DELETE", &format!("{work}{name}.ics"), &[], "").await.status, 204);
    }
    assert_eq!(number(&ask(&alice, work, "0", quota).await, "quota-used-bytes"), 0);
    // A reader learns nothing: it would tell how much is private.
    let shared = alice.put_json("/api/calendars/alice/default/shares/bob", r#"{"right":"read"}"#).await;
    assert!(shared.status < 300, "{} {}", shared.status, shared.text());
    let list = bob.get("/api/calendars").await.json();
    let mirror = list.as_array().unwrap().iter().find(|one| one["source"] == "/calendars/alice/default").unwrap();
    let path = mirror["href"].as_str().unwrap();
    let seen = ask(&bob, &format!("{path}/"), "0", quota).await;
    has(&seen, "<D:quota-available-bytes/></D:prop><D:status>HTTP/1.1 404 Not Found");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_posted_to_a_collection_becomes_its_member() {
    let house = House::open().await;
    let (alice, bob) = (house.http("alice"), house.http("bob"));
    for (at, media, object, wrong) in [
        (
            "/calendars/alice/default/",
            "text/calendar; charset=utf-8",
            plain_event("p", "20250115T100000Z"),
            "text/vcard",
        ),
        ("/dav/addressbooks/alice/collected/", "text/vcard", card("p"), "text/calendar"),
    ] {
        let found = ask(&alice, at, "0", "<D:add-member/>").await;
        has(&found, &format!("<D:add-member><D:href>{at}</D:href></D:add-member>"));
        let posted = alice.send("POST", at, &[("content-type", media)], object.clone()).await;
        assert_eq!(posted.status, 201, "{}", posted.text());
        let location = posted.header("location").to_owned();
        assert!(location.starts_with(at) && location.len() > at.len(), "{location}");
        let there = alice.get(&location).await;
        assert_eq!((there.status, there.text()), (200, object.clone()));
        assert_eq!(there.header("etag"), posted.header("etag"));
        // Its UID is taken now; nobody else may; another kind is no member.
        assert_eq!(alice.send("POST", at, &[("content-type", media)], object.clone()).await.status, 409);
        assert_eq!(bob.send("POST", at, &[("content-type", media)], object.clone()).await.status, 403);
        assert_ne!(alice.send("POST", at, &[("content-type", wrong)], object).await.status, 201);
    }
    let broken = alice.send("POST", "/calendars/alice/default/", &[("content-type", "text/calendar")], "BEGIN:").await;
    refused(&broken, 403, "C:valid-calendar-data");
    let nowhere = alice.send(
        "POST",
        "/calendars/alice/nowhere/",
        &[("content-type", "text/calendar")],
        plain_event("q", "20250115T100000Z"),
    );
    assert_eq!(nowhere.await.status, 404);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_collection_has_an_id_that_outlives_its_name() {
    let house = House::open().await;
    let alice = house.http("alice");
    let id = async |path: &str| {
        let found = short(&ask(&alice, path, "0", "<D:resource-id/>").await.text());
        let (_, rest) = found.split_once("<resource-id><href>urn:uuid:").unwrap_or_else(|| panic!("{path}: {found}"));
        rest.split_once('<').unwrap().0.to_owned()
    };
    assert_eq!(alice.send("MKCALENDAR", "/calendars/alice/one/", &[], "").await.status, 201);
    let paths = ["/principals/alice/", "/calendars/alice/", "/addressbooks/alice/", "/calendars/alice/one/"];
    let mut ids = Vec::new();
    for path in paths {
        ids.push(id(path).await);
        assert_eq!(id(path).await, *ids.last().unwrap());
    }
    let one = ids[3].clone();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), paths.len());
    let moved = alice.send("MOVE", "/calendars/alice/one/", &[("destination", "/calendars/alice/two/")], "").await;
    assert_eq!(moved.status, 201);
    assert_eq!(id("/calendars/alice/two/").await, one);
    assert_eq!(alice.send("MKCALENDAR", "/calendars/alice/one/", &[], "").await.status, 201);
    assert_ne!(id("/calendars/alice/one/").await, one);
    house.stop().await;
}
