//! The ways of real clients, request by request: Apple's Calendar, Thunderbird, DAVx5. Each goes from the address that a person types to a
//! calendar that is in step, and trusts only what it was told on the way.

use crate::live::client::{Http, Reply};
use crate::live::dav::{has, short};
use crate::live::program::Program;
use crate::live::{House, card, plain_event};

const SPACES: &str = "xmlns:D='DAV:' xmlns:C='urn:ietf:params:xml:ns:caldav' xmlns:CR='urn:ietf:params:xml:ns:carddav' \
                      xmlns:CS='http://calendarserver.org/ns/' xmlns:A='http://apple.com/ns/ical/'";

/// A client with headers that it always sends.
struct Client {
    http: Http,
    headers: Vec<(&'static str, &'static str)>,
}

impl Client {
    async fn send(&self, method: &str, path: &str, more: &[(&str, &str)], body: impl Into<String>) -> Reply {
        let mut headers = vec![("content-type", "text/xml; charset=utf-8")];
        headers.extend(self.headers.iter().copied());
        for (name, value) in more {
            headers.retain(|(known, _)| known != name);
            headers.push((*name, *value));
        }
        self.http.send(method, path, &headers, body.into()).await
    }

    async fn find(&self, path: &str, depth: &str, props: &str) -> Reply {
        let props: String = props.split_whitespace().map(|name| format!("<{name}/>")).collect();
        let body = format!("<D:propfind {SPACES}><D:prop>{props}</D:prop></D:propfind>");
        let found = self.send("PROPFIND", path, &[("depth", depth)], body).await;
        assert_eq!(found.status, 207, "{path}: {}", found.text());
        found
    }

    async fn report(&self, path: &str, depth: &str, body: &str) -> Reply {
        let found = self.send("REPORT", path, &[("depth", depth)], body.replace("SPACES", SPACES)).await;
        assert_eq!(found.status, 207, "{path}: {}", found.text());
        found
    }
}

/// What stands in the first element of that name, with its elements.
#[track_caller]
fn inside(text: &str, tag: &str) -> String {
    let text = short(text);
    let tag = tag.strip_prefix("D:").unwrap_or(tag);
    let rest = text.split_once(&format!("<{tag}>")).unwrap_or_else(|| panic!("no {tag} in {text}")).1;
    rest.split_once(&format!("</{tag}>")).expect("it ends").0.to_owned()
}

#[track_caller]
fn href_in(reply: &Reply, tag: &str) -> String {
    inside(&inside(&reply.text(), tag), "href")
}

/// The rows of an answer: each href with what it says.
fn rows(reply: &Reply) -> Vec<(String, String)> {
    let text = short(&reply.text());
    text.split("<response>").skip(1).map(|row| (inside(row, "href"), row.to_owned())).collect()
}

/// The rows whose answer holds this.
fn rows_with(reply: &Reply, what: &str) -> Vec<String> {
    rows(reply).into_iter().filter(|(_, row)| row.contains(what)).map(|(href, _)| href).collect()
}

fn claims(reply: &Reply, class: &str) -> bool {
    reply.header("dav").split(',').any(|known| known.trim() == class)
}

/// A change of another client's that the sync has to find.
async fn another_writes(house: &House, name: &str) {
    let path = format!("/calendars/alice/default/{name}.ics");
    assert_eq!(house.http("alice").put(&path, &plain_event(name, "20250115T100000Z")).await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn apples_calendar() {
    let house = House::open().await;
    let nobody = house.anonymous();
    let apple = Client { http: house.http("alice"), headers: vec![("brief", "t"), ("prefer", "return=minimal")] };
    // 1: from the well-known URI, without a password first.
    let ask = format!(
        "<D:propfind {SPACES}><D:prop><D:current-user-principal/><D:principal-URL/><D:resourcetype/></D:prop></D:propfind>"
    );
    let moved = nobody.send("PROPFIND", "/.well-known/caldav", &[("depth", "0")], ask.clone()).await;
    assert_eq!(moved.status, 301);
    let root = moved.header("location").to_owned();
    let asked = nobody.send("PROPFIND", &root, &[("depth", "0")], ask).await;
    assert_eq!(asked.status, 401);
    assert!(asked.header("www-authenticate").starts_with("Basic "));
    let principal = href_in(
        &apple.find(&root, "0", "D:current-user-principal D:principal-URL D:resourcetype").await,
        "current-user-principal",
    );
    // 2: with the slash and without.
    for path in [principal.as_str(), principal.trim_end_matches('/')] {
        let options = apple.send("OPTIONS", path, &[], "").await;
        assert!(
            options.status == 200 && claims(&options, "calendar-access") && claims(&options, "addressbook"),
            "{options:?}"
        );
    }
    // 3
    let about = apple
        .find(
            &principal,
            "0",
            "C:calendar-home-set C:calendar-user-address-set D:current-user-principal D:displayname CS:dropbox-home-URL \
             CS:email-address-set CS:notification-URL D:principal-collection-set D:principal-URL D:resource-id C:schedule-inbox-URL \
             C:schedule-outbox-URL D:supported-report-set",
        )
        .await;
    let home = href_in(&about, "C:calendar-home-set");
    assert_eq!(inside(&about.text(), "C:calendar-home-set").matches("<href>").count(), 1, "it reads only the first");
    assert!(
        inside(&about.text(), "C:calendar-user-address-set").starts_with("<href>mailto:alice@"),
        "{}",
        about.text()
    );
    // 4
    let people = href_in(&about, "D:principal-collection-set");
    let searchable =
        apple.send("REPORT", &people, &[("depth", "0")], format!("<D:principal-search-property-set {SPACES}/>")).await;
    assert_eq!(searchable.status, 200, "{}", searchable.text());
    // 5
    let everything = "D:add-member CS:allowed-sharing-modes A:autoprovisioned CS:bulk-requests C:calendar-alarm A:calendar-color \
        C:calendar-description C:calendar-free-busy-set A:calendar-order C:calendar-timezone D:current-user-privilege-set \
        C:default-alarm-vevent-date C:default-alarm-vevent-datetime D:displayname CS:getctag CS:invite A:language-code A:location-code \
        D:owner CS:pre-publish-url CS:publish-url CS:push-transports CS:pushkey D:quota-available-bytes D:quota-used-bytes A:refreshrate \
        D:resource-id D:resourcetype C:schedule-calendar-transp C:schedule-default-calendar-URL CS:source CS:subscribed-strip-alarms \
        CS:subscribed-strip-attachments CS:subscribed-strip-todos C:supported-calendar-component-set \
        C:supported-calendar-component-sets D:supported-report-set D:sync-token CS:managed-attachments-server-URL";
    let listed = apple.find(&home, "1", everything).await;
    let calendars = rows_with(&listed, "<C:calendar/>");
    assert!(calendars.contains(&"/calendars/alice/default/".to_owned()), "{calendars:?}");
    assert!(!listed.text().contains("404"), "minimal leaves out what is not there");
    // 6: one property a request, each stored.
    let alarm =
        "<C:default-alarm-vevent-datetime>BEGIN:VALARM&#13;\nEND:VALARM&#13;\n</C:default-alarm-vevent-datetime>";
    let zone = "<C:calendar-timezone>BEGIN:VCALENDAR&#13;\nBEGIN:VTIMEZONE&#13;\nTZID:Europe/Paris&#13;\nEND:VTIMEZONE&#13;\nEND:VCALENDAR&#13;\n</C:calendar-timezone>";
    let face = [
        "<A:calendar-order>1</A:calendar-order>",
        "<D:displayname>Home</D:displayname>",
        "<A:calendar-color symbolic-color='red'>#FF2D55FF</A:calendar-color>",
        zone,
        "<C:schedule-calendar-transp><C:opaque/></C:schedule-calendar-transp>",
    ];
    let sets = [(home.as_str(), alarm)].into_iter().chain(face.map(|prop| ("/calendars/alice/default/", prop)));
    for (path, prop) in sets {
        let body = format!("<D:propertyupdate {SPACES}><D:set><D:prop>{prop}</D:prop></D:set></D:propertyupdate>");
        let set = apple.send("PROPPATCH", path, &[("brief", "f"), ("prefer", "x")], body).await;
        assert!(set.status == 207 && set.text().contains("HTTP/1.1 200 OK"), "{path} {prop}: {}", set.text());
    }
    // 9: a calendar by an upper-case UUID, an event in it.
    let made = format!("{home}6E2F0B0C-5E0A-4F6A-9B6E-6D2A0B8E3C11/");
    let body = format!(
        "<C:mkcalendar {SPACES}><D:set><D:prop><A:calendar-color>#1BADF8FF</A:calendar-color><D:displayname>Untitled</D:displayname>\
         <A:calendar-order>5</A:calendar-order>{zone}<C:supported-calendar-component-set><C:comp name='VEVENT'/></C:supported-calendar-component-set>\
         </D:prop></D:set></C:mkcalendar>"
    );
    assert_eq!(apple.send("MKCALENDAR", &made, &[], body).await.status, 201);
    let shown = apple.find(&made, "0", everything).await;
    has(&shown, "<A:calendar-color>#1BADF8FF</A:calendar-color>");
    has(&shown, ">5</A:calendar-order>");
    has(&shown, "<C:comp name=\"VEVENT\"/>");
    let ics = format!("{made}8C4A2F5E-EVENT.ics");
    let media = [("content-type", "text/calendar"), ("if-none-match", "*")];
    let put = apple.send("PUT", &ics, &media, plain_event("8C4A2F5E", "20250115T100000Z")).await;
    assert_eq!(put.status, 201);
    let etag = put.header("etag").to_owned();
    // 7: is anything new, and what.
    let stands = apple.find(&made, "0", "CS:getctag D:sync-token").await;
    assert_eq!(inside(&stands.text(), "CS:getctag"), inside(&stands.text(), "sync-token"));
    let tags = apple.find(&made, "1", "D:getcontenttype D:getetag").await;
    assert_eq!(rows_with(&tags, &etag), std::slice::from_ref(&ics));
    let many = apple
        .report(&made, "1", &format!("<C:calendar-multiget SPACES><D:prop><D:getetag/><C:calendar-data/></D:prop><D:href>{ics}</D:href></C:calendar-multiget>"))
        .await;
    has(&many, "UID:8C4A2F5E");
    // 8
    let expand = "<D:expand-property SPACES><D:property name='calendar-proxy-read-for' namespace='http://calendarserver.org/ns/'>\
        <D:property name='displayname'/></D:property><D:property name='principal-URL'/></D:expand-property>";
    apple.report(&principal, "0", expand).await;
    let names: String = everything.split_whitespace().map(|name| format!("<{name}/>")).collect();
    let home_sync = format!(
        "<D:sync-collection SPACES><D:sync-token/><D:sync-level>1</D:sync-level><D:prop>{names}</D:prop></D:sync-collection>"
    );
    let all = apple.send("REPORT", &home, &[("depth", "1")], home_sync.replace("SPACES", SPACES)).await;
    assert!(matches!(all.status, 207 | 403), "{}", all.text());
    // A change here, with what was known of the object.
    let changed = plain_event("8C4A2F5E", "20250116T100000Z");
    assert_eq!(apple.send("PUT", &ics, &[media[0], ("if-match", "\"stale\"")], changed.clone()).await.status, 412);
    assert_eq!(apple.send("PUT", &ics, &[media[0], ("if-match", &etag)], changed).await.status, 204);
    assert_eq!(apple.send("DELETE", &ics, &[], "").await.status, 204);
    assert_eq!(apple.send("DELETE", &made, &[], "").await.status, 204);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thunderbird() {
    let house = House::open().await;
    let bird = Client { http: house.http("alice"), headers: vec![] };
    // Detection, each place in turn as if the one before had not answered.
    let detect = "D:resourcetype D:owner D:displayname D:current-user-principal D:current-user-privilege-set A:calendar-color C:calendar-home-set";
    let mut principal = String::new();
    for place in ["/.well-known/caldav", "/"] {
        let body: String = detect.split_whitespace().map(|name| format!("<{name}/>")).collect();
        let body = format!("<D:propfind {SPACES}><D:prop>{body}</D:prop></D:propfind>");
        let mut found = bird.send("PROPFIND", place, &[("depth", "0")], body.clone()).await;
        if found.status == 301 {
            let to = found.header("location").to_owned();
            found = bird.send("PROPFIND", &to, &[("depth", "0")], body).await;
        }
        assert_eq!(found.status, 207, "{place}");
        principal = href_in(&found, "current-user-principal");
    }
    let home = href_in(&bird.find(&principal, "0", "D:resourcetype C:calendar-home-set").await, "C:calendar-home-set");
    let listed =
        bird.find(&home, "1", "D:resourcetype D:displayname D:current-user-privilege-set A:calendar-color").await;
    let calendar =
        rows_with(&listed, "<C:calendar/>").into_iter().find(|href| href.ends_with("/default/")).expect("a calendar");
    let (_, row) = rows(&listed).into_iter().find(|(href, _)| *href == calendar).expect("its row");
    assert!(row.contains("<privilege><write/></privilege>"), "else it is shown as read-only: {row}");
    // A given location that is the calendar itself does as well.
    bird.find(&calendar, "0", detect).await;
    // At start.
    let start = bird
        .find(
            &calendar,
            "0",
            "D:resourcetype D:owner D:current-user-principal D:current-user-privilege-set D:supported-report-set \
             C:supported-calendar-component-set CS:getctag",
        )
        .await;
    has(&start, "<D:sync-collection/>");
    has(&start, "<C:calendar-multiget/>");
    let options = bird.send("OPTIONS", &calendar, &[], "").await;
    assert!(claims(&options, "calendar-access"), "{options:?}");
    assert!(claims(&options, "calendar-auto-schedule"), "it stops mailing invitations itself");
    // Sync: Depth 1, though the RFC wants 0.
    another_writes(&house, "one").await;
    let sync = |token: &str| {
        format!(
            "<D:sync-collection SPACES><D:sync-token>{token}</D:sync-token><D:sync-level>1</D:sync-level><D:prop><D:getcontenttype/><D:getetag/></D:prop></D:sync-collection>"
        )
    };
    let first = bird.report(&calendar, "1", &sync("")).await;
    let one = format!("{calendar}one.ics");
    let (_, row) = rows(&first).into_iter().find(|(href, _)| *href == one).expect("the event");
    assert!(row.contains("<getcontenttype>text/calendar"), "{row}");
    let token = inside(&first.text(), "sync-token");
    let multiget = format!(
        "<C:calendar-multiget SPACES><D:prop><D:getetag/><C:calendar-data/></D:prop><D:href>{one}</D:href></C:calendar-multiget>"
    );
    has(&bird.report(&calendar, "1", &multiget).await, "SUMMARY:Event one");
    another_writes(&house, "two").await;
    assert_eq!(house.http("alice").delete(&one).await.status, 204);
    let next = bird.report(&calendar, "1", &sync(&token)).await;
    assert_eq!(rows_with(&next, "404 Not Found"), std::slice::from_ref(&one));
    assert_eq!(rows_with(&next, "<getetag>"), [format!("{calendar}two.ics")]);
    // A token that nobody gave: it drops it and begins anew.
    let body = sync("http://sabre.io/ns/sync/999999999").replace("SPACES", SPACES);
    let refused = bird.send("REPORT", &calendar, &[("depth", "1")], body).await;
    assert_eq!(refused.status, 403);
    has(&refused, "<D:valid-sync-token/>");
    // Writing.
    let three = format!("{calendar}three.ics");
    let media = ("content-type", "text/calendar; charset=utf-8");
    let put =
        bird.send("PUT", &three, &[media, ("if-none-match", "*")], plain_event("three", "20250115T100000Z")).await;
    assert_eq!(put.status, 201);
    let etag = put.header("etag").to_owned();
    assert_eq!(
        bird.send("PUT", &three, &[media, ("if-match", &etag)], plain_event("three", "20250116T100000Z")).await.status,
        204
    );
    assert_eq!(bird.send("DELETE", &three, &[("if-match", &etag)], "").await.status, 412, "it asks its user");
    assert_eq!(bird.send("DELETE", &three, &[], "").await.status, 204);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn davx5() {
    let house = House::open().await;
    let alice = house.http("alice");
    let droid = Client { http: house.http("alice"), headers: vec![] };
    let first = "D:resourcetype D:displayname A:calendar-color C:calendar-description C:calendar-timezone D:current-user-privilege-set \
                 C:supported-calendar-component-set C:calendar-home-set CR:addressbook-home-set D:current-user-principal";
    let principal = href_in(&droid.find("/", "0", first).await, "current-user-principal");
    // Without these two words it finds no account at all.
    let options = droid.send("OPTIONS", &principal, &[], "").await;
    assert!(claims(&options, "calendar-access") && claims(&options, "addressbook"), "{options:?}");
    let about = droid
        .find(&principal, "0", "D:displayname D:group-membership D:resourcetype C:calendar-home-set CR:addressbook-home-set CS:calendar-proxy-read-for CS:calendar-proxy-write-for")
        .await;
    let (calendars, books) = (href_in(&about, "C:calendar-home-set"), href_in(&about, "CR:addressbook-home-set"));
    let address = droid.find(&principal, "0", "C:calendar-user-address-set").await;
    has(&address, "mailto:alice@campanile.example");
    let wanted = "D:current-user-privilege-set D:displayname D:owner D:resourcetype A:calendar-color C:calendar-description C:calendar-timezone \
                  C:calendar-timezone-id C:supported-calendar-component-set CS:source CR:addressbook-description";
    let listed = droid.find(&calendars, "1", wanted).await;
    assert!(rows_with(&listed, "<C:calendar/>").contains(&"/calendars/alice/default/".to_owned()));
    let shelf = droid.find(&books, "1", wanted).await;
    assert_eq!(rows_with(&shelf, "<CR:addressbook/>"), ["/addressbooks/alice/collected/"]);

    // One round of sync: upload first, by the schedule tag where one is known.
    let calendar = "/calendars/alice/default/";
    let stands = "C:max-resource-size D:supported-report-set CS:getctag D:sync-token";
    has(&droid.find(calendar, "0", stands).await, "<D:sync-collection/>");
    let (media, path) = (("content-type", "text/calendar; charset=utf-8"), format!("{calendar}8f14e45f.ics"));
    let text = plain_event("8f14e45f", "20250115T100000Z").replace(
        "SUMMARY:",
        "ORGANIZER:mailto:alice@campanile.example\r\nATTENDEE:mailto:bob@campanile.example\r\nSUMMARY:",
    );
    let put = droid.send("PUT", &path, &[media, ("if-none-match", "*")], text.clone()).await;
    assert_eq!(put.status, 201);
    let tag = put.header("schedule-tag").to_owned();
    // No tag for other bytes than came: who was invited stands in them.
    assert!(!tag.is_empty() && put.header("etag").is_empty(), "{put:?}");
    let put = droid.send("PUT", &path, &[media, ("if-schedule-tag-match", &tag)], text.replace("Event", "Party")).await;
    assert_eq!(put.status, 204);
    assert_eq!(droid.send("PUT", &path, &[media, ("if-schedule-tag-match", &tag)], text).await.status, 412);
    let sync = |token: &str| {
        format!(
            "<D:sync-collection SPACES><D:sync-token>{token}</D:sync-token><D:sync-level>1</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>"
        )
    };
    let mut token = inside(&droid.report(calendar, "0", &sync("")).await.text(), "sync-token");
    // Ten hrefs a request, several at once; the tag stands inside the answer.
    let names: Vec<String> = (0..25).map(|n| format!("n{n}")).collect();
    for name in &names {
        another_writes(&house, name).await;
    }
    let news = droid.report(calendar, "0", &sync(&token)).await;
    let hrefs: Vec<String> = rows_with(&news, "<getetag>");
    assert_eq!(hrefs.len(), 25);
    let bodies: Vec<String> = hrefs
        .chunks(10)
        .map(|chunk| {
            let hrefs: String = chunk.iter().map(|href| format!("<D:href>{href}</D:href>")).collect();
            format!("<C:calendar-multiget SPACES><D:prop><D:getcontenttype/><D:getetag/><C:schedule-tag/><C:calendar-data/></D:prop>{hrefs}</C:calendar-multiget>")
        })
        .collect();
    let (one, two, three) = tokio::join!(
        droid.report(calendar, "1", &bodies[0]),
        droid.report(calendar, "1", &bodies[1]),
        droid.report(calendar, "1", &bodies[2])
    );
    let got: Vec<(String, String)> = [one, two, three].iter().flat_map(rows).collect();
    assert_eq!(got.len(), 25);
    assert!(got.iter().all(|(_, row)| row.contains("<getetag>") && row.contains("BEGIN:VEVENT")), "{got:?}");
    token = inside(&news.text(), "sync-token");
    assert_eq!(alice.delete(&hrefs[0]).await.status, 204);
    let news = droid.report(calendar, "0", &sync(&token)).await;
    assert_eq!(rows_with(&news, "404 Not Found"), [hrefs[0].clone()]);
    // A limit of past days: a query with an open end.
    let query = "<C:calendar-query SPACES><D:prop><D:getetag/></D:prop><C:filter><C:comp-filter name='VCALENDAR'><C:comp-filter name='VEVENT'>\
        <C:time-range start='20250101T000000Z'/></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>";
    assert_eq!(rows_with(&droid.report(calendar, "1", query).await, "<getetag>").len(), 25);
    // Contacts go the same way.
    let book = "/addressbooks/alice/collected/";
    let (media, path) = (("content-type", "text/vcard; charset=utf-8"), format!("{book}friend.vcf"));
    assert_eq!(droid.send("PUT", &path, &[media, ("if-none-match", "*")], card("friend")).await.status, 201);
    let news = droid.report(book, "0", &sync("")).await;
    assert_eq!(rows_with(&news, "<getetag>"), std::slice::from_ref(&path));
    let multiget = format!(
        "<CR:addressbook-multiget SPACES><D:prop><D:getetag/><CR:address-data content-type='text/vcard' version='3.0'/></D:prop><D:href>{path}</D:href></CR:addressbook-multiget>"
    );
    has(&droid.report(book, "1", &multiget).await, "FN:Person friend");
    assert_eq!(droid.send("DELETE", &path, &[], "").await.status, 204);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_app_with_tsdav() {
    let house = House::open().await;
    let url = format!("http://{}", house.base());
    let Some(mut app) = Program::node("tsdav/sync.js", &[&url, "alice", "alice"], &[]) else { return };
    let signed_in = app.line().await;
    assert_eq!(signed_in["home"], format!("{url}/calendars/alice/"), "{signed_in}");
    let listed = app.line().await;
    let names: Vec<&str> =
        listed["calendars"].as_array().expect("a list").iter().filter_map(serde_json::Value::as_str).collect();
    assert!(names.contains(&"Calendar") && names.contains(&"Team"), "{listed}");
    let created = app.line().await;
    assert_eq!(
        (&created["calendar"], &created["object"], &created["etags"]),
        (&201.into(), &201.into(), &1.into()),
        "{created}"
    );
    // What another client does meanwhile is found by the next sync.
    let tea = "/calendars/alice/tsdav/tea.ics";
    assert_eq!(house.http("alice").put(tea, &plain_event("tea", "20250115T100000Z")).await.status, 201);
    assert_eq!(house.http("alice").delete("/calendars/alice/tsdav/made.ics").await.status, 204);
    app.tell("sync").await;
    let synced = app.line().await;
    assert_eq!(synced["created"], serde_json::json!([tea]), "{synced}");
    assert_eq!(synced["deleted"], serde_json::json!(["/calendars/alice/tsdav/made.ics"]), "{synced}");
    let books = app.line().await;
    assert_eq!(books, serde_json::json!({ "books": 1, "card": 201 }));
    let (well, rest) = app.ended().await;
    assert!(well, "{rest:?}");
    house.stop().await;
}
