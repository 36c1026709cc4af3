//! What is private stays with its owner: those who share the calendar see when, and nothing else, by whatever way they ask.

use campanile::domain::access::Right;
use campanile::domain::address::{Address, UserName};
use serde_json::Value;

use crate::live::House;
use crate::live::client::Http;

const TEAM: &str = "/calendars/alice/team";
const SECRETS: [&str; 5] = ["Doctor", "Clinic", "mailto:doc", "Bring papers", "-PT15M"];

const ADDRESSBOOK: &str = r#"<D:mkcol xmlns:D="DAV:" xmlns:CR="urn:ietf:params:xml:ns:carddav"><D:set><D:prop><D:resourcetype><D:collection/><CR:addressbook/></D:resourcetype></D:prop></D:set></D:mkcol>"#;

fn secret(class: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//\r\nBEGIN:VEVENT\r\nUID:secret\r\nDTSTAMP:20250101T000000Z\r\n\
         DTSTART:20250115T100000Z\r\nDURATION:PT1H\r\nRRULE:FREQ=WEEKLY;COUNT=3\r\nSUMMARY:Doctor\r\nLOCATION:Clinic\r\n\
         DESCRIPTION:Bring papers\r\nCONTACT:mailto:doc@example.org\r\nCLASS:{class}\r\nBEGIN:VALARM\r\nACTION:DISPLAY\r\n\
         DESCRIPTION:Doctor\r\nTRIGGER:-PT15M\r\nEND:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

/// A path of the team calendar in the home of each who sees it: its owner, who may write in it, who may read it, who subscribed.
async fn homes(house: &House) -> [(Http, String); 4] {
    let [alice, bob, carol, admin] = ["alice", "bob", "carol", "admin"].map(|name| house.http(name));
    assert_eq!(alice.put_json("/api/calendars/alice/team/public", r#"{"right":"read"}"#).await.status, 200);
    let subscribed = admin.post("/api/subscriptions", &format!(r#"{{"source":"{TEAM}"}}"#)).await;
    assert_eq!(subscribed.status, 201, "{subscribed:?}");
    let path = async |who: &Http, kind: &str| {
        let listed = who.get("/api/calendars").await.json();
        let found = listed.as_array().expect("a list").iter().find(|one| one["kind"] == kind).expect("it is there");
        found["href"].as_str().expect("a path").trim_end_matches('/').to_owned()
    };
    let (write, read, subscription) =
        (path(&bob, "delegated").await, path(&carol, "delegated").await, path(&admin, "subscribed").await);
    [(alice, TEAM.to_owned()), (bob, write), (carol, read), (admin, subscription)]
}

fn report(inner: &str) -> String {
    format!(r#"<C:calendar-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">{inner}</C:calendar-query>"#)
}

/// Every way to read the text of an object, and what came.
async fn readings(who: &Http, home: &str) -> Vec<(&'static str, String)> {
    let data = "<D:prop><D:getetag/><D:getcontentlength/><C:calendar-data/></D:prop>";
    let expanded = r#"<D:prop><C:calendar-data><C:expand start="20250101T000000Z" end="20250301T000000Z"/></C:calendar-data></D:prop>"#;
    let range = r#"<C:time-range start="20250101T000000Z" end="20250301T000000Z"/>"#;
    let of = |within: &str| {
        format!(
            r#"<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">{within}</C:comp-filter></C:comp-filter></C:filter>"#
        )
    };
    let multiget = format!(
        r#"<C:calendar-multiget xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">{data}<D:href>{home}/s.ics</D:href></C:calendar-multiget>"#
    );
    let sync = r#"<D:sync-collection xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:sync-token/><D:sync-level>1</D:sync-level><D:prop><C:calendar-data/></D:prop></D:sync-collection>"#;
    let object = format!("{home}/s.ics");
    let asked: [(&str, &str, &str, String); 8] = [
        ("GET", "GET", &object, String::new()),
        ("export", "GET", home, String::new()),
        ("query", "REPORT", home, report(&format!("{data}{}", of(range)))),
        ("expand", "REPORT", home, report(&format!("{expanded}{}", of(range)))),
        ("query of one", "REPORT", &object, report(&format!("{data}{}", of("")))),
        ("multiget", "REPORT", home, multiget),
        ("sync", "REPORT", home, sync.to_owned()),
        ("JSON", "GET", &format!("/api{home}/events?from=2025-01-01T00:00:00Z&to=2025-03-01T00:00:00Z"), String::new()),
    ];
    let mut read = Vec::new();
    for (what, method, path, body) in asked {
        let answer = who.send(method, path, &[("depth", "1"), ("content-type", "application/xml")], body).await;
        assert!(matches!(answer.status, 200 | 207), "{what}: {answer:?}");
        read.push((what, answer.text()));
    }
    read
}

#[tokio::test(flavor = "multi_thread")]
async fn others_see_when_and_nothing_else() {
    let house = House::open().await;
    let homes = homes(&house).await;
    for class in ["PRIVATE", "CONFIDENTIAL", "X-UNHEARD-OF", "PUBLIC"] {
        let kept = homes[0].0.put(&format!("{TEAM}/s.ics"), &secret(class)).await;
        assert!(matches!(kept.status, 201 | 204), "{kept:?}");
        for (place, (who, home)) in homes.iter().enumerate() {
            let shown = place == 0 || class == "PUBLIC";
            for (what, text) in readings(who, home).await {
                assert_eq!(text.contains("Doctor"), shown, "{class} {home} {what}: {text}");
                assert!(shown || SECRETS.iter().all(|secret| !text.contains(secret)), "{class} {home} {what}: {text}");
                assert!(shown || text.contains("Busy"), "{class} {home} {what}: {text}");
            }
            // Nobody finds out by asking for the words either.
            let words = report(
                r#"<D:prop><D:getetag/></D:prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"><C:prop-filter name="SUMMARY"><C:text-match>doctor</C:text-match></C:prop-filter></C:comp-filter></C:comp-filter></C:filter>"#,
            );
            let found = who.send("REPORT", home, &[("depth", "1")], words).await.text();
            assert_eq!(found.contains("s.ics"), shown, "{class} {home}: {found}");
            let listed = who.send("PROPFIND", home, &[("depth", "1")], "").await.text();
            let row = listed.split("s.ics").nth(1).and_then(|rest| rest.split("response>").next()).unwrap_or_default();
            assert_eq!(row.contains("getcontentlength>"), shown, "{class} {home}: {listed}");
        }
    }
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_cannot_be_changed() {
    let house = House::open().await;
    let [(alice, _), (bob, mirror), ..] = homes(&house).await;
    assert_eq!(alice.put(&format!("{TEAM}/s.ics"), &secret("PRIVATE")).await.status, 201);
    let object = format!("{mirror}/s.ics");
    let seen = bob.get(&object).await.text();
    assert_eq!(bob.put(&object, &seen).await.status, 403);
    assert_eq!(bob.delete(&object).await.status, 403);
    let to = [("destination", "/calendars/bob/default/s.ics")];
    assert_eq!(bob.send("MOVE", &object, &to, "").await.status, 403);
    assert_eq!(bob.send("COPY", &object, &to, "").await.status, 201);
    let copy = bob.get("/calendars/bob/default/s.ics").await.text();
    assert!(copy.contains("SUMMARY:Busy") && !copy.contains("Doctor"), "{copy}");
    let import = house.import("bob", &format!("{mirror}.json"), "text/calendar", &secret("PUBLIC")).await;
    assert_eq!(import["failedCount"].as_u64().or(import["counts"]["failed"].as_u64()), Some(1), "{import}");
    assert_eq!(alice.get(&format!("{TEAM}/s.ics")).await.text(), secret("PRIVATE"));
    // What is not private any more is for everybody again.
    assert_eq!(alice.put(&format!("{TEAM}/s.ics"), &secret("PUBLIC")).await.status, 204);
    assert_eq!(bob.delete(&object).await.status, 204);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_alarm_rings_for_its_owner_alone() {
    let house = House::open().await;
    let [(alice, _), (bob, mirror), ..] = homes(&house).await;
    assert_eq!(bob.patch(&format!("/api{mirror}"), r#"{"alarms":true}"#).await.status, 200);
    let (mut owner, mut delegate) = (house.socket("alice").await, house.socket("bob").await);
    owner.enable_alarms().await;
    delegate.enable_alarms().await;
    assert_eq!(alice.put(&format!("{TEAM}/s.ics"), &secret("PRIVATE")).await.status, 201);
    assert_eq!(bob.get("/api/alarms").await.text().matches("s.ics").count(), 0);
    assert!(alice.get("/api/alarms").await.text().contains("s.ics"));
    house.turn("2025-01-15T09:46:00Z").await;
    let rang = |heard: Vec<Value>| heard.iter().filter(|said| said["alarms"].is_array()).count();
    assert_eq!((rang(owner.heard().await), rang(delegate.heard().await)), (1, 0));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_card_keeps_its_name() {
    let house = House::open().await;
    let [alice, bob] = ["alice", "bob"].map(|name| house.http(name));
    let made = alice.send("MKCOL", "/addressbooks/alice/friends", &[], ADDRESSBOOK).await;
    assert_eq!(made.status, 201, "{made:?}");
    let service = &house.running().service;
    let users = service.users().await.expect("they can be read");
    let owner = users.iter().find(|known| known.name.as_str() == "alice").expect("a person");
    let book = Address::parse("/addressbooks/alice/friends").expect("an address");
    let whom = UserName::new("bob").expect("a name");
    service.share(owner, &book, &whom, Right::Read).await.expect("it is shared");
    let listed = bob.get("/api/addressbooks").await.json();
    let mirror = listed.as_array().expect("a list").iter().find(|one| one["kind"] == "delegated").expect("a mirror");
    let mirror = mirror["href"].as_str().expect("a path").trim_end_matches('/').to_owned();
    let card =
        "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:jo\r\nFN:Jo Doe\r\nN:Doe;Jo;;;\r\nTEL:1\r\nCLASS:PRIVATE\r\nEND:VCARD\r\n";
    let kept = alice.send("PUT", "/addressbooks/alice/friends/jo.vcf", &[("content-type", "text/vcard")], card).await;
    assert_eq!(kept.status, 201, "{kept:?}");
    for (who, home, shown) in [(&alice, "/addressbooks/alice/friends", true), (&bob, mirror.as_str(), false)] {
        for path in [format!("{home}/jo.vcf"), home.to_owned(), format!("/api{home}/contacts?q=")] {
            let text = who.get(&path).await.text();
            assert_eq!(text.contains("Jo"), shown, "{path}: {text}");
        }
    }
    house.stop().await;
}
