//! The JSON face as web apps use it: calendars and address books equal to what DAV shows, occurrences for a calendar widget, contacts.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;
use serde_json::{Value, json};

use crate::live::{House, plain_event};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/expand.jsonl");

/// What PROPFIND says of one property: the text of the answer between its tags.
async fn property(house: &House, path: &str, name: &str) -> String {
    let body = format!(
        "<propfind xmlns='DAV:' xmlns:C='urn:ietf:params:xml:ns:caldav' xmlns:A='http://apple.com/ns/ical/' \
         xmlns:CR='urn:ietf:params:xml:ns:carddav'><prop><{name}/></prop></propfind>"
    );
    let found = house.http("alice").send("PROPFIND", path, &[("depth", "0")], body).await;
    assert_eq!(found.status, 207, "{found:?}");
    found.text()
}

#[tokio::test(flavor = "multi_thread")]
async fn calendars_are_what_dav_shows() {
    let house = House::open().await;
    let alice = house.http("alice");
    let wanted = json!({
        "id": "plans", "name": "Plans", "description": "South", "color": "#FF0000FF", "order": 3, "timezone": "europe/paris",
        "transparent": true, "components": ["VEVENT"],
    });
    let made = alice.post("/api/calendars", &wanted.to_string()).await;
    assert_eq!((made.status, made.header("location")), (201, "/api/calendars/alice/plans"), "{made:?}");
    let shown = made.json();
    for (key, want) in [
        ("href", json!("/calendars/alice/plans")),
        ("name", json!("Plans")),
        ("order", json!(3)),
        ("timezone", json!("Europe/Paris")),
        ("transparent", json!(true)),
        ("components", json!(["VEVENT"])),
        ("right", json!("owner")),
        ("kind", json!("own")),
    ] {
        assert_eq!(shown[key], want, "{key}: {shown}");
    }
    let at = "/calendars/alice/plans/";
    for (name, want) in [
        ("displayname", ">Plans<"),
        ("C:calendar-description", ">South<"),
        ("A:calendar-color", ">#FF0000FF<"),
        ("A:calendar-order", ">3<"),
        ("C:schedule-calendar-transp", "transparent"),
        ("C:supported-calendar-component-set", "VEVENT"),
        ("sync-token", shown["syncToken"].as_str().expect("a token")),
    ] {
        let found = property(&house, at, name).await;
        assert!(found.contains(want), "{name}: {found}");
    }
    // What DAV sets, JSON shows; and the other way round.
    let set = "<propertyupdate xmlns='DAV:' xmlns:A='http://apple.com/ns/ical/'><set><prop><displayname>Journey</displayname>\
               <A:calendar-order>12</A:calendar-order></prop></set></propertyupdate>";
    assert_eq!(alice.send("PROPPATCH", at, &[], set).await.status, 207);
    let shown = alice.get("/api/calendars/alice/plans").await.json();
    assert_eq!((&shown["name"], &shown["order"]), (&json!("Journey"), &json!(12)));
    let listed = alice.get("/api/calendars").await.json();
    assert!(listed.as_array().expect("a list").contains(&shown), "{listed}");
    let patched =
        alice.patch("/api/calendars/alice/plans", r#"{"order":null,"transparent":false,"description":""}"#).await;
    assert_eq!(patched.status, 200, "{patched:?}");
    assert_eq!((&patched.json()["order"], &patched.json()["transparent"]), (&Value::Null, &json!(false)));
    assert!(!property(&house, at, "A:calendar-order").await.contains(">12<"));
    assert!(property(&house, at, "C:schedule-calendar-transp").await.contains("opaque"));
    for body in [
        r#"{"components":["VTODO"]}"#,
        r#"{"id":"x"}"#,
        r#"{"order":"first"}"#,
        r#"{"colour":"red"}"#,
        r#"{"timezone":"Mars/Olympus"}"#,
    ] {
        assert_eq!(alice.patch("/api/calendars/alice/plans", body).await.status, 400, "{body}");
    }
    assert_eq!(alice.post("/api/calendars", r#"{"id":"plans"}"#).await.status, 409);
    // A name that has to be encoded is found again where the answer says.
    let odd = alice.post("/api/calendars", &json!({ "id": "Ferien & mehr/ö" }).to_string()).await;
    assert_eq!(odd.status, 400, "{odd:?}");
    let odd = alice.post("/api/calendars", &json!({ "id": "Ferien ö" }).to_string()).await;
    assert_eq!((odd.status, odd.header("location")), (201, "/api/calendars/alice/Ferien%20%C3%B6"), "{odd:?}");
    assert_eq!(alice.get("/api/calendars/alice/Ferien%20%C3%B6").await.json()["id"], "Ferien ö");
    for (who, status) in [("bob", 403), ("alice", 204), ("alice", 404)] {
        assert_eq!(house.http(who).delete("/api/calendars/alice/plans").await.status, status, "{who}");
    }
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn address_books_are_what_dav_shows() {
    let house = House::open().await;
    let alice = house.http("alice");
    let made = alice.post("/api/addressbooks", r#"{"id":"friends","name":"Friends","description":"Old ones"}"#).await;
    assert_eq!((made.status, made.header("location")), (201, "/api/addressbooks/alice/friends"), "{made:?}");
    let at = "/addressbooks/alice/friends/";
    for (name, want) in
        [("displayname", ">Friends<"), ("CR:addressbook-description", ">Old ones<"), ("resourcetype", "addressbook")]
    {
        let found = property(&house, at, name).await;
        assert!(found.contains(want), "{name}: {found}");
    }
    let patched = alice.patch("/api/addressbooks/alice/friends", r#"{"name":"Good friends"}"#).await.json();
    let shown = json!({
        "href": "/addressbooks/alice/friends", "id": "friends", "name": "Good friends", "description": "Old ones", "owner": "alice",
        "right": "owner", "kind": "own", "syncToken": patched["syncToken"], "public": null, "shares": [],
    });
    assert_eq!((&patched, &alice.get("/api/addressbooks/alice/friends").await.json()), (&shown, &shown));
    let listed = alice.get("/api/addressbooks").await.json();
    let hrefs: BTreeSet<&str> =
        listed.as_array().into_iter().flatten().filter_map(|one| one["href"].as_str()).collect();
    assert_eq!(hrefs, BTreeSet::from(["/addressbooks/alice/collected", "/addressbooks/alice/friends"]));
    for body in [r#"{"color":"red"}"#, r#"{"timezone":"UTC"}"#, r#"{"alarms":true}"#, r#"{"order":1}"#] {
        assert_eq!(alice.patch("/api/addressbooks/alice/friends", body).await.status, 400, "{body}");
    }
    for (method, path) in [
        ("GET", "/api/addressbooks/alice/friends"),
        ("PATCH", "/api/addressbooks/alice/friends"),
        ("DELETE", "/api/addressbooks/alice/friends"),
        ("GET", "/api/addressbooks/alice/friends/contacts"),
    ] {
        assert_eq!(house.http("bob").send(method, path, &[], "{}").await.status, 403, "{method} {path}");
        assert_eq!(house.anonymous().send(method, path, &[], "{}").await.status, 401, "{method} {path}");
    }
    assert_eq!(alice.delete("/api/addressbooks/alice/friends").await.status, 204);
    assert_eq!(alice.get("/api/addressbooks/alice/friends/contacts").await.status, 404);
    // One tree is not the other.
    assert_eq!(alice.get("/api/addressbooks/alice/default").await.status, 404);
    assert_eq!(alice.get("/api/calendars/alice/collected/events?from=2025-01-01&to=2025-02-01").await.status, 404);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn contacts_are_found_page_by_page() {
    let house = House::open().await;
    let alice = house.http("alice");
    let book = "/addressbooks/alice/collected";
    let people = [
        ("ada", "Ada Lovelace", "Lovelace;Ada;;;", "Analytical Engines;Research", "ada@example.org", "+44 20 5550 100"),
        ("bo", "Bo Åkesson", "Åkesson;Bo;;;", "Acme", "bo@acme.example", "tel:+46-8-555"),
        ("cy", "Cy", "Young;Cy;;;", "Acme", "cy@acme.example", ""),
        ("di", "Di ada", ";Di;;;", "", "di@example.org", ""),
    ];
    for (uid, name, parts, organization, email, phone) in people {
        let card = format!(
            "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{uid}\r\nFN:{name}\r\nN:{parts}\r\nORG:{organization}\r\nEMAIL:{email}\r\nTEL:{phone}\r\nEND:VCARD\r\n"
        );
        assert_eq!(alice.put(&format!("{book}/{uid} 1.vcf").replace(' ', "%20"), &card).await.status, 201);
    }
    let ask = async |query: &str| {
        let found = alice.get(&format!("/api{book}/contacts{query}")).await;
        assert_eq!(found.status, 200, "{query}: {found:?}");
        found.json()
    };
    let uids = |found: &Value| -> Vec<String> {
        let list = found["contacts"].as_array().expect("a list");
        list.iter().map(|one| one["uid"].as_str().expect("a uid").to_owned()).collect()
    };
    for (query, want) in [
        ("", vec!["ada", "bo", "cy", "di"]),
        ("?q=", vec!["ada", "bo", "cy", "di"]),
        ("?q=ADA", vec!["ada", "di"]),
        ("?q=%C3%A5kesson", vec!["bo"]),
        ("?q=acme", vec!["bo", "cy"]),
        ("?q=acme+young", vec!["cy"]),
        ("?q=example.org", vec!["ada", "di"]),
        ("?q=205550", vec!["ada"]),
        ("?q=nobody", vec![]),
    ] {
        let found = ask(query).await;
        assert_eq!(
            (uids(&found), &found["next"]),
            (want.iter().map(|uid| (*uid).to_owned()).collect(), &Value::Null),
            "{query}"
        );
    }
    let ada = ask("?q=lovelace").await["contacts"][0].clone();
    let card = alice.get(ada["url"].as_str().expect("a url")).await;
    assert_eq!((card.status, card.header("etag")), (200, ada["etag"].as_str().expect("a tag")));
    let shape = json!({
        "uid": "ada", "name": "Ada Lovelace", "organization": "Analytical Engines, Research", "emails": ["ada@example.org"],
        "phones": ["+44 20 5550 100"], "url": "/addressbooks/alice/collected/ada%201.vcf", "etag": ada["etag"],
    });
    assert_eq!(ada, shape);
    // Page by page nothing is missed and nothing comes twice.
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = ask(&format!("?limit=1{cursor}")).await;
        seen.extend(uids(&page));
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={}", next.replace(' ', "%20"));
    }
    assert_eq!(seen, ["ada", "bo", "cy", "di"]);
    for query in ["?limit=0", "?limit=1001", "?limit=x"] {
        assert_eq!(alice.get(&format!("/api{book}/contacts{query}")).await.status, 400, "{query}");
    }
    let long = format!("/api{book}/contacts?q={}", "q".repeat(2_000));
    assert_eq!(alice.get(&long).await.status, 400);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_widget_draws_what_it_gets() {
    let house = House::open().await;
    let (alice, bob) = (house.http("alice"), house.http("bob"));
    let series = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:s\r\nDTSTART;TZID=Europe/Paris:20250114T100000\r\nDTEND;TZID=Europe/Paris:20250114T113000\r\n\
                  RRULE:FREQ=DAILY;COUNT=3\r\nSUMMARY:Tea\\, often\r\nLOCATION:Kitchen\r\nSTATUS:confirmed\r\nEND:VEVENT\r\n\
                  BEGIN:VEVENT\r\nUID:s\r\nRECURRENCE-ID;TZID=Europe/Paris:20250115T100000\r\nDTSTART;TZID=Europe/Paris:20250115T120000\r\n\
                  SUMMARY:Tea\\, late\r\nSTATUS:CANCELLED\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    let day = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:d\r\nDTSTART;VALUE=DATE:20250115\r\nDTEND;VALUE=DATE:20250117\r\nTRANSP:TRANSPARENT\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    let floating = plain_event("f", "20250116T080000");
    for (name, text) in [("s%201", series), ("d", day), ("f", &floating)] {
        let kept = alice.put(&format!("/calendars/alice/team/{name}.ics"), text).await;
        assert_eq!(kept.status, 201, "{kept:?}");
    }
    let ask = "/api/calendars/alice/team/events?from=2025-01-14&to=2025-01-17&tz=Europe/Paris";
    let found = alice.get(ask).await;
    assert_eq!(found.status, 200, "{found:?}");
    let found = found.json();
    let tag = |at: usize| found["events"][at]["etag"].clone();
    let url = "/calendars/alice/team/s%201.ics";
    let tea = |start: &str, end: &str, original: &str, at: usize| {
        json!({
            "id": format!("{url}#{original}"), "uid": "s", "title": "Tea, often", "start": start, "end": end, "allDay": false,
            "component": "VEVENT", "status": "CONFIRMED", "transparent": false, "location": "Kitchen", "description": "",
            "url": url, "etag": tag(at), "editable": true, "recurrence_id": original,
        })
    };
    let mut late = tea("2025-01-15T11:00:00Z", "2025-01-15T11:00:00Z", "2025-01-15T09:00:00Z", 2);
    for (key, value) in [
        ("title", json!("Tea, late")),
        ("status", json!("CANCELLED")),
        ("cancelled", json!(true)),
        ("location", json!("")),
    ] {
        late[key] = value;
    }
    let plain = |uid: &str, title: &str, (start, end): (&str, &str), all_day: bool, at: usize| {
        json!({
            "id": format!("/calendars/alice/team/{uid}.ics"), "uid": uid, "title": title, "start": start, "end": end, "allDay": all_day,
            "component": "VEVENT", "status": null, "transparent": all_day, "location": "", "description": "",
            "url": format!("/calendars/alice/team/{uid}.ics"), "etag": tag(at), "editable": true,
        })
    };
    let want = json!({
        "events": [
            tea("2025-01-14T09:00:00Z", "2025-01-14T10:30:00Z", "2025-01-14T09:00:00Z", 0),
            plain("d", "", ("2025-01-15", "2025-01-17"), true, 1),
            late,
            plain("f", "Event f", ("2025-01-16T08:00:00", "2025-01-16T09:00:00"), false, 3),
            tea("2025-01-16T09:00:00Z", "2025-01-16T10:30:00Z", "2025-01-16T09:00:00Z", 4),
        ],
        "timezone": "Europe/Paris", "truncated": false, "until": null, "unexpanded": [],
    });
    assert_eq!(found, want);
    let read = alice.get(url).await;
    assert_eq!((read.status, &json!(read.header("etag"))), (200, &found["events"][0]["etag"]));
    // As its delegates see it: at an address of their own, and to be changed by those who may.
    for (who, editable) in [("bob", true), ("carol", false)] {
        let http = house.http(who);
        let list = http.get("/api/calendars").await.json();
        let mirror = list.as_array().into_iter().flatten().find(|one| one["source"] == "/calendars/alice/team");
        let mirror = mirror.and_then(|one| one["href"].as_str()).expect("a mirror").to_owned();
        let seen = http.get(&ask.replace("/calendars/alice/team", &mirror)).await.json();
        assert_eq!(seen["events"].as_array().map(Vec::len), Some(5), "{who}: {seen}");
        assert_eq!(seen["events"][0]["editable"], editable, "{who}");
        let url = seen["events"][0]["url"].as_str().expect("a url");
        assert!(url.starts_with(&mirror), "{url}");
        assert_eq!(http.get(url).await.status, 200, "{who}");
    }
    for query in [
        "",
        "?from=2025-01-14",
        "?to=2025-01-14",
        "?from=x&to=2025-01-14",
        "?from=2025-01-15&to=2025-01-14",
        "?from=2025-01-14&to=2025-01-15&tz=Mars/Olympus",
        "?from=1850-01-01&to=2050-01-01",
    ] {
        assert_eq!(alice.get(&format!("/api/calendars/alice/team/events{query}")).await.status, 400, "{query}");
    }
    assert_eq!(bob.get("/api/calendars/alice/default/events?from=2025-01-14&to=2025-01-15").await.status, 403);
    assert_eq!(bob.get("/api/calendars/alice/none/events?from=2025-01-14&to=2025-01-15").await.status, 404);
    assert_eq!(house.anonymous().get(ask).await.status, 401);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_much_is_cut_and_said() {
    let house = House::open_with(&[("reports.instances", "10"), ("limits.recurrence_steps", "2000")]).await;
    let alice = house.http("alice");
    let text = |uid: &str, rule: &str| {
        plain_event(uid, "20250115T100000Z").replace("SUMMARY", &format!("RRULE:{rule}\r\nSUMMARY"))
    };
    assert_eq!(alice.put("/calendars/alice/default/a.ics", &text("a", "FREQ=DAILY")).await.status, 201);
    let ask = async |from: &str| {
        alice.get(&format!("/api/calendars/alice/default/events?from={from}&to=2025-02-05T00:00:00Z")).await.json()
    };
    let first = ask("2025-01-01").await;
    assert_eq!((&first["truncated"], &first["until"]), (&json!(true), &json!("2025-01-25T10:00:00Z")), "{first}");
    assert_eq!(first["events"].as_array().map(Vec::len), Some(10));
    // What was left out begins where the answer says, so that is where the next question begins.
    let rest = ask(first["until"].as_str().expect("an instant")).await;
    assert_eq!(rest["events"][0]["start"], "2025-01-25T10:00:00Z");
    // What is too costly to follow is not in the list, and is named.
    assert_eq!(alice.put("/calendars/alice/default/b.ics", &text("b", "FREQ=MINUTELY")).await.status, 201);
    let found = ask("2025-02-01").await;
    assert_eq!(found["unexpanded"], json!(["/calendars/alice/default/b.ics"]), "{found}");
    assert_eq!((&found["truncated"], found["events"].as_array().map(Vec::len)), (&json!(false), Some(4)));
    house.stop().await;
}

fn start_of(event: &Value, zone: Tz) -> DateTime<Utc> {
    let text = event["start"].as_str().expect("a start");
    if let Ok(at) = text.parse::<DateTime<Utc>>() {
        return at;
    }
    let naive =
        text.parse::<NaiveDateTime>().or_else(|_| text.parse::<NaiveDate>().map(|day| day.and_time(NaiveTime::MIN)));
    start_in(naive.expect("a time or a day"), zone)
}

fn start_in(naive: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    let at = zone.from_local_datetime(&naive).earliest();
    at.unwrap_or_else(|| zone.from_local_datetime(&(naive + chrono::TimeDelta::hours(1))).unwrap()).to_utc()
}

fn line(occurrence: &Value) -> String {
    let text = |key: &str| occurrence[key].as_str().unwrap_or_default().to_owned();
    let cancelled = if occurrence["cancelled"] == true { " cancelled" } else { "" };
    format!("{} {} {}{cancelled}", text("start"), text("uid"), text("recurrence_id"))
}

/// A start in one form: a day, or the instant at which it stands in the zone of the question.
fn placed(text: &str, zone: Tz) -> String {
    let naive = ["%Y%m%dT%H%M%S", "%Y-%m-%dT%H:%M:%S"];
    let compact = NaiveDateTime::parse_from_str(text, "%Y%m%dT%H%M%SZ").map(|utc| utc.and_utc());
    if let Ok(at) = compact.or_else(|_| text.parse::<DateTime<Utc>>()) {
        return at.to_rfc3339();
    }
    let local = naive.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    local.map_or_else(|| text.replace('-', ""), |local| start_in(local, zone).to_rfc3339())
}

/// What CalDAV's `expand` says of a window: one line an instance.
async fn expanded(house: &House, calendar: &str, (from, to): (&str, &str), zone: Tz) -> Vec<String> {
    let range = format!("start='{}' end='{}'", from.replace(['-', ':'], ""), to.replace(['-', ':'], ""));
    let body = format!(
        "<C:calendar-query xmlns='DAV:' xmlns:C='urn:ietf:params:xml:ns:caldav'><prop><C:calendar-data><C:expand {range}/></C:calendar-data></prop>\
         <C:filter><C:comp-filter name='VCALENDAR'><C:comp-filter name='VEVENT'><C:time-range {range}/></C:comp-filter></C:comp-filter></C:filter>\
         <C:timezone-id>{}</C:timezone-id></C:calendar-query>",
        zone.name()
    );
    let found = house.http("alice").send("REPORT", &format!("{calendar}/"), &[("depth", "1")], body).await;
    assert_eq!(found.status, 207, "{found:?}");
    let text = found.text().replace("&#13;", "").replace("\n ", "").replace("&amp;", "&");
    let value = |event: &str, name: &str| {
        let line = event.lines().find(|line| line.starts_with(name) && line[name.len()..].starts_with([':', ';']));
        line.and_then(|line| line.split_once(':')).map_or(String::new(), |(_, value)| value.to_owned())
    };
    let events = text.split("BEGIN:VEVENT").skip(1).map(|event| event.split("END:VEVENT").next().unwrap_or_default());
    let line = |event: &str| {
        let original = Some(value(event, "RECURRENCE-ID")).filter(|text| !text.is_empty());
        let original = original.map_or(String::new(), |text| placed(&text, zone));
        format!("{} {} {original}", placed(&value(event, "DTSTART"), zone), value(event, "UID"))
    };
    let mut lines: Vec<String> = events.map(line).collect();
    lines.sort();
    lines
}

/// What a REPORT `match` says of a window, in the zone of its calendar: one line an instance.
async fn matched(house: &House, calendar: &str, (from, to): (&str, &str), zone: Tz) -> Vec<String> {
    let compact = |at: &str| at.replace(['-', ':', 'Z'], "");
    let body = json!({ "match": { "start": compact(from), "end": compact(to) } }).to_string();
    let found = house.http("alice").send("REPORT", &format!("/dav{calendar}.json"), &[], body).await;
    assert_eq!(found.status, 200, "{found:?}");
    let found = found.json();
    let mut lines = Vec::new();
    for item in found["_embedded"]["dav:item"].as_array().expect("items") {
        for event in item["data"][2].as_array().expect("components").iter().filter(|one| one[0] == "vevent") {
            let value = |name: &str| {
                let found = event[1].as_array().expect("properties").iter().find(|property| property[0] == name);
                found.and_then(|property| property[3].as_str()).map(str::to_owned)
            };
            let original = value("recurrence-id").map_or(String::new(), |text| placed(&text, zone));
            let start = value("dtstart").expect("a start");
            lines.push(format!("{} {} {original}", placed(&start, zone), value("uid").expect("a UID")));
        }
    }
    lines.sort();
    lines
}

/// The golden cases, asked for as a calendar widget does, as a CalDAV client does, and as the apps of the Twake family do. They count starts, all of these what overlaps.
#[tokio::test(flavor = "multi_thread")]
async fn the_events_of_golden_cases_are_golden() {
    let house = House::open_with(&[("reports.instances", "100000"), ("reports.expanded_bytes", "100000000")]).await;
    let alice = house.http("alice");
    let (mut asked, mut split) = (0, 0);
    for row in std::fs::read_to_string(GOLDEN).expect("the golden cases").lines() {
        let case: Value = serde_json::from_str(row).expect("JSON");
        let text = |key: &str| case[key].as_str().expect("a text");
        let calendar = format!("/calendars/alice/{}", text("id"));
        let named = json!({ "id": text("id"), "timezone": text("default_tz") });
        let made = alice.post("/api/calendars", &named.to_string()).await;
        assert_eq!(made.status, 201, "{made:?}");
        // A text with two UIDs is no object: an import makes two of it.
        if alice.put(&format!("{calendar}/x.ics"), text("ics")).await.status != 201 {
            let done = house.import("alice", &calendar, "text/calendar", text("ics")).await;
            assert_eq!((&done["status"], &done["failedCount"]), (&json!("completed"), &json!(0)), "{}", text("id"));
            split += 1;
        }
        let (from, zone): (DateTime<Utc>, Tz) =
            (text("from").parse().expect("from"), text("default_tz").parse().expect("a zone"));
        let query = format!("from={}&to={}&tz={}", text("from"), text("to"), text("default_tz"));
        let found = alice.get(&format!("/api{calendar}/events?{query}")).await.json();
        assert_eq!((&found["truncated"], &found["unexpanded"]), (&json!(false), &json!([])), "{}", text("id"));
        let events = found["events"].as_array().expect("a list").iter();
        let shown = |event: &Value| {
            let text = |key: &str| event[key].as_str().unwrap_or_default();
            let original = Some(text("recurrence_id")).filter(|text| !text.is_empty());
            let original = original.map_or(String::new(), |text| placed(text, zone));
            format!("{} {} {original}", placed(text("start"), zone), text("uid"))
        };
        let mut drawn: Vec<String> = events.clone().filter(|event| event["component"] == "VEVENT").map(shown).collect();
        drawn.sort();
        let window = (text("from"), text("to"));
        assert_eq!(drawn, expanded(&house, &calendar, window, zone).await, "{}", text("ics"));
        assert_eq!(drawn, matched(&house, &calendar, window, zone).await, "{}", text("ics"));
        let mut lines: Vec<String> = events.filter(|event| start_of(event, zone) >= from).map(line).collect();
        let mut wanted: Vec<String> = case["occurrences"].as_array().expect("a list").iter().map(line).collect();
        lines.sort();
        wanted.sort();
        assert_eq!(lines, wanted, "{}: {}", text("id"), text("ics"));
        assert_eq!(alice.delete(&format!("/api{calendar}")).await.status, 204);
        asked += 1;
    }
    println!("{asked} golden cases asked for, {split} of them imported");
    assert!(asked > 400 && split < 40, "{asked} {split}");
    house.stop().await;
}
