//! Feeds: what comes from elsewhere again and again, by schedule, by subscription, out of an address book; and what listeners hear when one fails.

mod origin;

use std::io::Write;

use campanile::config::feeds::FeedKeys;
use serde_json::{Value, json};

use crate::live::client::Http;
use crate::live::feeds::origin::{Origin, Page};
use crate::live::stomp::Talk;
use crate::live::{House, NINE, card, configured, plain_event};

const AT: &str = "20250301T100000Z";
const OPEN: [(&str, &str); 1] = [("feeds.allow_private", "true")];

fn events(uids: &[&str]) -> String {
    uids.iter().map(|uid| plain_event(uid, AT)).collect()
}

/// One VCALENDAR with these lines in its head.
fn calendar(head: &str, uids: &[&str]) -> String {
    let inner = |uid: &str| {
        let text = plain_event(uid, AT);
        let from = text.find("BEGIN:VEVENT").expect("an event");
        let to = text.find("END:VCALENDAR").expect("its end");
        text[from..to].to_owned()
    };
    let inner: String = uids.iter().map(|uid| inner(uid)).collect();
    format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n{head}{inner}END:VCALENDAR\r\n")
}

async fn subscribe(house: &House, user: &str, wanted: Value) -> Value {
    let made = house.http(user).post("/api/subscriptions", &wanted.to_string()).await;
    assert_eq!(made.status, 201, "{made:?}");
    house.settle().await;
    made.json()
}

async fn titles(house: &House, user: &str, href: &str) -> Vec<String> {
    let path = format!("/api{href}/events?from=2025-01-01T00:00:00Z&to=2026-01-01T00:00:00Z");
    let listed = house.http(user).get(&path).await;
    assert_eq!(listed.status, 200, "{listed:?}");
    let mut titles: Vec<String> = listed.json()["events"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|event| event["title"].as_str().expect("a title").to_owned())
        .collect();
    titles.sort();
    titles
}

async fn feed(house: &House, user: &str, id: &str) -> Value {
    let shown = house.http(user).get(&format!("/api/feeds/{id}")).await;
    assert_eq!(shown.status, 200, "{shown:?}");
    shown.json()
}

async fn refresh(house: &House, user: &str, id: &str, body: &str) -> Value {
    let asked = house.http(user).post(&format!("/api/feeds/{id}/refresh"), body).await;
    assert_eq!(asked.status, 202, "{asked:?}");
    house.settle().await;
    feed(house, user, id).await
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_subscribes_to_a_calendar_elsewhere() {
    let (house, origin) = (House::open_with(&OPEN).await, Origin::open().await);
    let head = "X-WR-CALNAME:Team\\, all\r\nX-APPLE-CALENDAR-COLOR:#00FF00\r\nREFRESH-INTERVAL;VALUE=DURATION:PT6H\r\n";
    origin.set("/team.ics?key=1", Page::Tagged("\"v1\"".to_owned(), calendar(head, &["a", "b"]).into_bytes()));
    let mut side = house.socket("alice").await;
    let url = origin.url("/team.ics?key=1");
    let made = subscribe(&house, "alice", json!({ "url": url })).await;
    let (href, id) = (made["href"].as_str().expect("a path"), made["id"].as_str().expect("an id"));
    assert!(id.starts_with("feed-"), "{made}");
    assert_eq!((&made["kind"], &made["readOnly"], &made["alarms"]), (&json!("feed"), &json!(true), &json!(false)));
    assert_eq!(made["source"], json!(url));
    assert_eq!(titles(&house, "alice", href).await, ["Event a", "Event b"]);
    // It is there, then it is called what it calls itself.
    let heard: Vec<String> = side.heard().await.iter().map(Value::to_string).collect();
    assert_eq!(
        heard,
        [
            json!({ "calendarList": { "created": [href] } }).to_string(),
            json!({ "calendarList": { "updated": [href] } }).to_string()
        ]
    );
    let shown = house.http("alice").get(&format!("/api{href}")).await.json();
    assert_eq!((&shown["name"], &shown["color"]), (&json!("Team, all"), &json!("#00FF00")));
    let first = feed(&house, "alice", id).await;
    assert_eq!((&first["state"], &first["created"]), (&json!("ok"), &json!(2)), "{first}");
    assert_eq!((&first["refreshSeconds"], &first["nextRun"]), (&json!(21_600), &json!("2025-01-15T15:00:00Z")));
    assert_eq!(origin.asked().len(), 1);

    // Nothing is new: nothing comes, nothing is told.
    side.register(href).await;
    house.turn("2025-01-15T15:00:00Z").await;
    let asked = origin.asked();
    assert!(asked.len() == 1 && asked[0].contains("if-none-match: \"v1\""), "{asked:?}");
    assert!(asked[0].contains("accept-encoding: gzip"), "{asked:?}");
    let second = feed(&house, "alice", id).await;
    assert_eq!(
        (&second["lastSuccess"], &second["import"]),
        (&json!("2025-01-15T15:00:00Z"), &first["import"]),
        "{second}"
    );
    assert_eq!(side.heard().await, [json!(null); 0]);

    // One goes, one comes: one push.
    origin.set("/team.ics?key=1", Page::Tagged("\"v2\"".to_owned(), calendar(head, &["b", "c"]).into_bytes()));
    house.turn("2025-01-15T21:00:00Z").await;
    assert_eq!(titles(&house, "alice", href).await, ["Event b", "Event c"]);
    let heard = side.heard().await;
    assert!(!heard.is_empty() && heard.iter().all(|push| push[href]["syncToken"].is_string()), "{heard:?}");
    let third = feed(&house, "alice", id).await;
    assert_eq!([&third["created"], &third["unchanged"], &third["deleted"]], [&json!(1), &json!(1), &json!(1)]);
    // Its imports are nobody's to look through.
    assert_eq!(house.http("alice").get("/api/imports").await.json(), json!([]));

    // Others learn nothing of it; an administrator sees where it comes from, and not its key.
    assert_eq!(house.http("bob").get(&format!("/api/feeds/{id}")).await.status, 404);
    assert_eq!(house.http("bob").get("/api/feeds").await.json(), json!([]));
    let seen = house.http("admin").get("/api/feeds").await.json();
    assert_eq!((&seen[0]["user"], &seen[0]["url"]), (&json!("alice"), &json!(null)), "{seen}");
    assert!(!seen.to_string().contains("key=1") && seen[0]["host"].is_string(), "{seen}");

    let listed = house.http("alice").get("/api/subscriptions").await.json();
    assert_eq!((&listed[0]["href"], &listed[0]["feed"]["state"]), (&json!(href), &json!("ok")), "{listed}");
    assert_eq!(house.http("alice").delete("/api/subscriptions/default").await.status, 404);
    assert_eq!(house.http("alice").delete(&format!("/api/subscriptions/{id}")).await.status, 204);
    assert_eq!(house.http("alice").get("/api/feeds").await.json(), json!([]));
    assert_eq!(house.http("alice").get(&format!("/api{href}")).await.status, 404);
    house.turn("2025-01-16T21:00:00Z").await;
    assert_eq!(origin.asked().len(), 1, "the one before it went");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_writes_into_a_feed() {
    let (house, origin) = (House::open_with(&OPEN).await, Origin::open().await);
    origin.calendar("/a.ics", &events(&["a"]));
    let alice = house.http("alice");
    let made = subscribe(&house, "alice", json!({ "url": origin.url("/a.ics"), "name": "Mine" })).await;
    let href = made["href"].as_str().expect("a path");
    assert_eq!(made["name"], "Mine");
    let own = "/calendars/alice/default/own.ics";
    assert_eq!(alice.put(own, &plain_event("own", AT)).await.status, 201);
    let put = alice.put(&format!("{href}/x.ics"), &plain_event("x", AT)).await;
    assert_eq!(put.status, 403, "{put:?}");
    assert!(put.text().contains("need-privileges"), "{put:?}");
    let to = |place: &str| format!("http://{}{place}", house.base());
    let (into, away) = (to(&format!("{href}/own.ics")), to("/calendars/alice/default/a.ics"));
    let rows = [
        alice.put(&format!("{href}/a.ics"), &plain_event("a", AT)).await,
        alice.delete(&format!("{href}/a.ics")).await,
        alice.send("MOVE", own, &[("destination", into.as_str())], "").await,
        alice.send("COPY", own, &[("destination", into.as_str())], "").await,
        alice.send("MOVE", &format!("{href}/a.ics"), &[("destination", away.as_str())], "").await,
        alice.post(&format!("/api/imports?target={href}"), &plain_event("x", AT)).await,
        alice.send("MOVE", href, &[("destination", to("/calendars/alice/other").as_str())], "").await,
    ];
    for (number, reply) in rows.iter().enumerate() {
        assert_eq!(reply.status, 403, "{number}: {reply:?}");
    }
    // The two-step form refuses item by item.
    let told = house.import("alice", href, "text/calendar", &plain_event("x", AT)).await;
    assert_eq!((&told["failedCount"], &told["created"]), (&json!(1), &json!(0)), "{told}");
    assert_eq!(alice.send("COPY", &format!("{href}/a.ics"), &[("destination", away.as_str())], "").await.status, 201);
    assert_eq!(titles(&house, "alice", href).await, ["Event a"]);

    let ask = "<D:propfind xmlns:D='DAV:' xmlns:CS='http://calendarserver.org/ns/'><D:prop><D:resourcetype/>\
        <D:current-user-privilege-set/><CS:source/></D:prop></D:propfind>";
    let seen = alice.send("PROPFIND", href, &[("depth", "0")], ask).await.text();
    assert!(seen.contains(&format!("<CS:source><href>{}</href></CS:source>", origin.url("/a.ics"))), "{seen}");
    assert!(seen.contains("<C:calendar/>") && seen.contains("<write-properties/>"), "{seen}");
    for held in ["write", "write-content", "bind", "unbind", "all"] {
        assert!(!seen.contains(&format!("<{held}/>")), "{held}: {seen}");
    }
    // Its face is its owner's, and so is whom it is shown to; what they are given is to read.
    assert_eq!(alice.patch(&format!("/api{href}"), r##"{"name":"Other","color":"#123456"}"##).await.status, 200);
    let shared = house.http("alice").put_json(&format!("/api{href}/shares/bob"), r#"{"right":"read-write"}"#).await;
    assert_eq!(shared.status, 201, "{shared:?}");
    let mirror = shared.json()["href"].as_str().expect("a path").to_owned();
    let bob = house.http("bob");
    assert_eq!(bob.get(&format!("/api{mirror}")).await.json()["right"], "read");
    assert_eq!(bob.put(&format!("{mirror}/x.ics"), &plain_event("x", AT)).await.status, 403);
    let seen = bob.send("PROPFIND", &mirror, &[("depth", "0")], ask).await.text();
    assert!(!seen.contains(&origin.url("/a.ics")), "{seen}");
    assert!(bob.get(&format!("/api{mirror}")).await.json()["source"] == json!(href));
}

#[tokio::test(flavor = "multi_thread")]
async fn alarms_of_a_feed_ring_where_its_owner_lets_them() {
    let (house, origin) = (House::open_with(&OPEN).await, Origin::open().await);
    origin.calendar("/a.ics", &crate::live::event("a", "20250115T100000Z", 15));
    let made = subscribe(&house, "alice", json!({ "url": origin.url("/a.ics") })).await;
    let href = made["href"].as_str().expect("a path");
    let alarms = "/api/alarms?from=2025-01-15T00:00:00Z&to=2025-01-16T00:00:00Z";
    assert_eq!(house.http("alice").get(alarms).await.json(), json!([]));
    assert_eq!(house.turn("2025-01-15T09:30:00Z").await["firedCount"], 0);
    assert_eq!(house.http("alice").patch(&format!("/api{href}"), r#"{"alarms":true}"#).await.status, 200);
    assert_eq!(house.turn("2025-01-15T09:45:00Z").await["firedCount"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_lead_to_public_places_only() {
    let (house, origin) = (House::open_with(&[("feeds.refreshes_per_minute", "30")]).await, Origin::open().await);
    origin.calendar("/a.ics", &events(&["a"]));
    let port = origin.url("").rsplit(':').next().expect("a port").to_owned();
    let closed = "no public address";
    let rows = [
        (origin.url("/a.ics"), closed),
        (format!("http://localhost:{port}/a.ics"), closed),
        (format!("http://0x7f.1:{port}/a.ics"), ""),
        (format!("http://2130706433:{port}/a.ics"), ""),
        (format!("http://017700000001:{port}/a.ics"), ""),
        (format!("http://127.1:{port}/a.ics"), ""),
        (format!("http://0:{port}/a.ics"), ""),
        (format!("http://[::1]:{port}/a.ics"), closed),
        (format!("http://[::ffff:127.0.0.1]:{port}/a.ics"), closed),
        (format!("http://[::ffff:7f00:1]:{port}/a.ics"), closed),
        (format!("http://[64:ff9b::7f00:1]:{port}/a.ics"), closed),
        ("webcal://127.0.0.1/a.ics".to_owned(), closed),
        ("http://169.254.169.254/latest/meta-data/".to_owned(), closed),
        ("http://10.0.0.1/".to_owned(), closed),
        ("http://192.168.1.1/".to_owned(), closed),
        ("http://172.16.0.1/".to_owned(), closed),
        ("http://100.100.100.200/".to_owned(), closed),
        ("http://0.0.0.0/".to_owned(), closed),
        ("http://[fd00::1]/".to_owned(), closed),
        ("http://[fe80::1]/".to_owned(), closed),
        ("file:///etc/passwd".to_owned(), "must begin with"),
        ("gopher://example.org/".to_owned(), "must begin with"),
        ("https://me:secret@example.org/".to_owned(), "neither user nor password"),
        ("/calendars/alice/default".to_owned(), "no URL"),
    ];
    for (url, why) in rows {
        let refused = house.http("bob").post("/api/subscriptions", &json!({ "url": url }).to_string()).await;
        assert_eq!(refused.status, 400, "{url}: {refused:?}");
        assert!(refused.json()["detail"].as_str().expect("a detail").contains(why), "{url}: {refused:?}");
    }
    assert_eq!(house.http("bob").get("/api/subscriptions").await.json(), json!([]));
    let (open, often) = (("feeds.allow_private", "true"), ("feeds.refreshes_per_minute", "0"));
    let odd = [
        json!({}),
        json!({ "url": "https://example.org/", "source": "/calendars/alice/holidays" }),
        json!({ "source": "/calendars/alice/holidays", "refresh": "PT1H" }),
    ];
    for wanted in odd {
        let refused = house.http("bob").post("/api/subscriptions", &wanted.to_string()).await;
        assert_eq!(refused.status, 400, "{wanted}: {refused:?}");
    }
    // Each is a question to somebody else's servers of names, so there is an end to them.
    let mut refused = 201;
    for _ in 0..31 {
        let wanted = json!({ "url": origin.url("/a.ics") }).to_string();
        refused = house.http("bob").post("/api/subscriptions", &wanted).await.status;
    }
    assert_eq!(refused, 429);
    assert!(origin.asked().is_empty(), "nobody was asked");

    // Where an address was open once and is closed now, it is closed: each fetch looks for itself.
    let house = house.reopen_with(NINE, &[open, often]).await;
    for refresh in ["PT1M", "P30D", "soon", "-PT1H"] {
        let wanted = json!({ "url": origin.url("/a.ics"), "refresh": refresh }).to_string();
        assert_eq!(house.http("bob").post("/api/subscriptions", &wanted).await.status, 400, "{refresh}");
    }
    let made = subscribe(&house, "bob", json!({ "url": origin.url("/a.ics"), "refresh": "P1D" })).await;
    let (href, id) = (made["href"].as_str().expect("a path"), made["id"].as_str().expect("an id"));
    assert_eq!(origin.asked().len(), 1);
    assert_eq!(feed(&house, "bob", id).await["refreshSeconds"], 86_400);
    let house = house.reopen_with(NINE, &[]).await;
    let refused = refresh(&house, "bob", id, "").await;
    assert_eq!((&refused["state"], &refused["failures"]), (&json!("failing"), &json!(1)), "{refused}");
    assert!(refused["error"].as_str().expect("why").contains(closed), "{refused}");
    assert!(origin.asked().is_empty(), "nobody was asked");
    assert_eq!(titles(&house, "bob", href).await, ["Event a"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_are_followed_a_little_and_nowhere_else() {
    let settings = [OPEN[0], ("feeds.body_bytes", "100000")];
    let (house, origin) = (House::open_with(&settings).await, Origin::open().await);
    let moved = |to: &str| Page::Says(format!("302 Found\r\nLocation: {to}"), Vec::new());
    origin.calendar("/a.ics", &events(&["a"]));
    origin.set("/to", moved("/hop?next=http://x/"));
    origin.set("/hop?next=http://x/", moved(&origin.url("/a.ics")));
    let made = subscribe(&house, "alice", json!({ "url": origin.url("/to") })).await;
    assert_eq!(titles(&house, "alice", made["href"].as_str().expect("a path")).await, ["Event a"]);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(calendar("X-WR-CALNAME:Packed\r\n", &["z"]).as_bytes()).expect("written");
    let packed = packed.finish().expect("packed");
    origin.set("/gzip", Page::Says("200 OK\r\nContent-Encoding: gzip".to_owned(), packed));
    let made = subscribe(&house, "alice", json!({ "url": origin.url("/gzip") })).await;
    let href = made["href"].as_str().expect("a path");
    assert_eq!(titles(&house, "alice", href).await, ["Event z"]);
    assert_eq!(house.http("alice").get(&format!("/api{href}")).await.json()["name"], "Packed");
    origin.set("/loop", moved("/loop"));
    origin.set("/file", moved("file:///etc/passwd"));
    origin.set("/gopher", moved("gopher://example.org/"));
    origin.set("/nowhere", Page::Says("302 Found".to_owned(), Vec::new()));
    origin.set("/endless", Page::Endless);
    origin.set("/large", Page::Says("200 OK".to_owned(), vec![b'x'; 200_000]));
    origin.set("/gone", Page::Says("410 Gone".to_owned(), Vec::new()));
    origin.set("/packed", Page::Says("200 OK\r\nContent-Encoding: br".to_owned(), b"x".to_vec()));
    let rows = [
        ("/loop", "redirects more than 5 times"),
        ("/file", "must begin with"),
        ("/gopher", "must begin with"),
        ("/nowhere", "answered 302"),
        ("/endless", "larger than 100000 bytes"),
        ("/large", "larger than 100000 bytes"),
        ("/gone", "answered 410"),
        ("/none", "answered 404"),
        ("/packed", "packed with \"br\""),
    ];
    for (path, why) in rows {
        let made = subscribe(&house, "alice", json!({ "url": origin.url(path) })).await;
        let told = feed(&house, "alice", made["id"].as_str().expect("an id")).await;
        assert_eq!(told["state"], "failing", "{path}: {told}");
        assert!(told["error"].as_str().expect("why").contains(why), "{path}: {told}");
    }
    assert_eq!(origin.asked().iter().filter(|head| head.starts_with("GET /loop ")).count(), 6);
}

fn operated(name: &str, target: &str, schedule: &str) -> FeedKeys {
    FeedKeys {
        name: name.to_owned(),
        url: None,
        directory: None,
        target: target.to_owned(),
        schedule: schedule.to_owned(),
        timezone: None,
        mode: None,
        source: None,
        private: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operators_feeds_come_by_their_schedule() {
    let origin = Origin::open().await;
    let files = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| std::fs::write(files.path().join(name), text).expect("written");
    write("a.ics", &events(&["a"]));
    write("b.ICS", &events(&["b"]));
    write("note.txt", "no calendar");
    origin.calendar("/school.ics", &events(&["s1", "s2"]));
    let dir = tempfile::tempdir().expect("a directory");
    let config = |dir: &tempfile::TempDir| {
        let mut config = configured(dir, &[]);
        let school = FeedKeys {
            url: Some(origin.url("/school.ics")),
            private: Some(true),
            timezone: Some("Europe/Paris".to_owned()),
            ..operated("school", "/calendars/alice/school", "30 10 * * 1-5")
        };
        let files = Some(files.path().to_string_lossy().into_owned());
        let shelf = FeedKeys { directory: files, ..operated("shelf", "/calendars/bob/default", "0 * * * *") };
        let closed =
            FeedKeys { url: Some(origin.url("/school.ics")), ..operated("closed", "/calendars/bob/x", "0 * * * *") };
        let nobody = FeedKeys {
            directory: Some("/nowhere".to_owned()),
            ..operated("nobody", "/calendars/nobody/x", "0 * * * *")
        };
        config.feed = vec![school, shelf, closed, nobody];
        config
    };
    // The people of the demo come after the start: what the first look found nobody for is looked at again.
    let house = {
        let first = config(&dir);
        House::open_configured(dir, first, NINE).await
    };
    let admin = house.http("admin");
    for name in ["school", "shelf", "closed", "nobody"] {
        assert_eq!(admin.post(&format!("/api/feeds/{name}/refresh"), "").await.status, 202);
    }
    house.settle().await;
    assert_eq!(titles(&house, "alice", "/calendars/alice/school").await, ["Event s1", "Event s2"]);
    assert_eq!(titles(&house, "bob", "/calendars/bob/default").await, ["Event a", "Event b"]);
    let school = feed(&house, "alice", "school").await;
    // Half past ten in Paris is half past nine.
    assert_eq!(
        (&school["nextRun"], &school["schedule"], &school["timezone"], &school["configured"]),
        (&json!("2025-01-15T09:30:00Z"), &json!("30 10 * * 1-5"), &json!("Europe/Paris"), &json!(true))
    );
    let told = feed(&house, "admin", "closed").await;
    assert!(told["error"].as_str().expect("why").contains("no public address"), "{told}");
    assert!(feed(&house, "admin", "nobody").await["error"].as_str().expect("why").contains("nobody is called"));
    assert_eq!(house.http("bob").get("/api/feeds/school").await.status, 404);

    // Their targets are calendars like any other: what somebody writes there stays.
    let own = house.http("bob").put("/calendars/bob/default/own.ics", &plain_event("own", AT)).await;
    assert_eq!(own.status, 201, "{own:?}");
    std::fs::remove_file(files.path().join("a.ics")).expect("removed");
    write("c.ics", &events(&["c"]));
    origin.calendar("/school.ics", &events(&["s2", "s3"]));
    origin.asked();
    house.turn("2025-01-15T09:29:59Z").await;
    assert!(origin.asked().is_empty());
    // Overdue many times in one turn, it runs once.
    house.turn("2025-01-17T12:00:00Z").await;
    assert_eq!(origin.asked().len(), 1);
    assert_eq!(titles(&house, "alice", "/calendars/alice/school").await, ["Event s2", "Event s3"]);
    assert_eq!(titles(&house, "bob", "/calendars/bob/default").await, ["Event b", "Event c", "Event own"]);
    assert_eq!(feed(&house, "alice", "school").await["nextRun"], "2025-01-20T09:30:00Z");
    let metrics = house.running().metrics.expect("metrics are served").to_string();
    let text = Http::anonymous(&metrics).get("/metrics").await.text();
    let has = |line: &str| assert!(text.lines().any(|found| found.starts_with(line)), "{line} is not in\n{text}");
    has("campanile_upstream_sync_age_seconds{source=\"school\"} 0");
    has("campanile_feed_runs_total{outcome=\"imported\"} ");
    has("campanile_feed_runs_total{outcome=\"failed\"} ");
    assert!(!text.contains("source=\"closed\""), "it never succeeded:\n{text}");

    // What was missed while nobody was there runs once at the start, and what is configured no longer is not looked at; what it brought stays.
    origin.calendar("/school.ics", &events(&["s4"]));
    let mut fewer = config(&house.dir);
    fewer.feed.truncate(1);
    let house = house.reopen_configured(fewer, "2025-02-01T00:00:00Z").await;
    house.settle().await;
    assert_eq!(origin.asked().len(), 1);
    assert_eq!(titles(&house, "alice", "/calendars/alice/school").await, ["Event s4"]);
    let names: Vec<Value> = house
        .http("admin")
        .get("/api/feeds")
        .await
        .json()
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| one["id"].clone())
        .collect();
    assert_eq!(names, ["school"]);
    assert_eq!(titles(&house, "bob", "/calendars/bob/default").await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_that_fails_is_announced_and_loses_nothing() {
    let (house, origin) = (House::open_with(&OPEN).await, Origin::open().await);
    let uids: Vec<String> = (0..14).map(|n| format!("e{n}")).collect();
    let all: Vec<&str> = uids.iter().map(String::as_str).collect();
    let whole = calendar("", &all);
    origin.calendar("/a.ics", &whole);
    let made = subscribe(&house, "alice", json!({ "url": origin.url("/a.ics"), "name": "Games" })).await;
    let (href, id) = (made["href"].as_str().expect("a path"), made["id"].as_str().expect("an id"));
    assert_eq!(
        house.http("alice").put_json(&format!("/api{href}/shares/bob"), r#"{"right":"read"}"#).await.status,
        201
    );
    let mut side = house.socket("alice").await;
    let mut bobs = house.socket("bob").await;
    let mut wazo = house.listening(&house.bearer("alice", json!({ "expires_in": 864_000 })).await, 2).await;
    let mut stomp = Talk::connect(&house, "/stomp", "alice").await;
    stomp.subscribe("up", "/queue/channel/connected").await;
    stomp.subscribe("down", "/queue/channel/disconnected").await;

    let bad = [
        ("a web page", Page::Says("200 OK\r\nContent-Type: text/html".to_owned(), b"<!DOCTYPE html><html>".to_vec())),
        ("is empty", Page::Says("200 OK".to_owned(), Vec::new())),
        ("answered 500", Page::Says("500 Internal Server Error".to_owned(), whole.clone().into_bytes())),
    ];
    for (number, (why, page)) in (1..).zip(bad) {
        origin.set("/a.ics", page);
        assert_eq!((side.heard().await.len(), bobs.heard().await.len()), (0, 0));
        let told = refresh(&house, "alice", id, "").await;
        assert_eq!(told["failures"], number, "{told}");
        assert!(told["error"].as_str().expect("why").contains(why), "{told}");
        assert_eq!(titles(&house, "alice", href).await.len(), 14);
    }
    // Three times is as often as it takes.
    let told = feed(&house, "alice", id).await;
    assert_eq!((&told["state"], &told["down"]), (&json!("down"), &json!(true)), "{told}");
    assert_eq!(side.heard().await, [json!({ "calendarList": { "updated": [href] } })]);
    let heard = bobs.heard().await;
    assert!(heard.len() == 1 && heard[0]["calendarList"]["updated"].is_array(), "{heard:?}");
    assert_eq!(wazo.names().await, ["calendar_updated"]);
    let frame = stomp.hear().await;
    assert!(frame.contains("destination:/queue/channel/disconnected"), "{frame}");
    let channels = house.http("alice").get("/api/channels").await.json();
    let channel = |channels: &Value| {
        let all = channels["data"].as_array().expect("a list").clone();
        all.into_iter().find(|one| one["source_channel_id"] == json!(href)).expect("the channel")
    };
    assert_eq!((&channel(&channels)["connected"], &channel(&channels)["source"]), (&json!(false), &json!("ics-feed")));
    assert!(frame.contains(channel(&channels)["id"].as_str().expect("an id")), "{frame}");
    assert_eq!(house.http("alice").get(&format!("/api{href}")).await.json()["down"], true);
    // It is said once.
    refresh(&house, "alice", id, "").await;
    assert_eq!((side.heard().await.len(), wazo.names().await.len()), (0, 0));

    // It comes back, cut in half: what is there goes in, nothing goes.
    origin.calendar("/a.ics", &whole[..whole.len() / 2]);
    let told = refresh(&house, "alice", id, "").await;
    assert_eq!((&told["state"], &told["deleted"]), (&json!("ok"), &json!(0)), "{told}");
    assert!(told["warnings"].to_string().contains("cut off"), "{told}");
    assert_eq!(titles(&house, "alice", href).await.len(), 14);
    assert_eq!(side.heard().await, [json!({ "calendarList": { "updated": [href] } })]);
    assert_eq!(wazo.names().await, ["calendar_updated"]);
    let frame = stomp.hear().await;
    assert!(frame.contains("destination:/queue/channel/connected"), "{frame}");
    assert!(frame.contains(r#""source":"ics-feed""#) && frame.contains(r#""name":"Games""#), "{frame}");

    // It shrinks to less than half: that is said, and done when somebody means it.
    origin.calendar("/a.ics", &calendar("", &all[..2]));
    let told = refresh(&house, "alice", id, "").await;
    assert_eq!((&told["state"], &told["deleted"]), (&json!("ok"), &json!(0)), "{told}");
    assert!(told["warnings"].to_string().contains("12 objects were not removed"), "{told}");
    assert_eq!(titles(&house, "alice", href).await.len(), 14);
    let told = refresh(&house, "alice", id, r#"{"force":true}"#).await;
    assert_eq!((&told["deleted"], &told["warnings"]), (&json!(12), &json!([])), "{told}");
    assert_eq!(titles(&house, "alice", href).await, ["Event e0", "Event e1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn birthdays_follow_an_address_book() {
    let house = House::open().await;
    let alice = house.http("alice");
    let book = "/addressbooks/alice/collected";
    let person = |uid: &str, bday: &str| card(uid).replace("END:VCARD", &format!("{bday}\r\nEND:VCARD"));
    assert_eq!(alice.put(&format!("{book}/ada.vcf"), &person("ada", "BDAY:1985-12-10")).await.status, 201);
    assert_eq!(alice.put(&format!("{book}/leap.vcf"), &person("leap", "BDAY:--0229")).await.status, 201);
    assert_eq!(alice.put(&format!("{book}/none.vcf"), &card("none")).await.status, 201);
    let asked = format!("/api{book}/birthdays");
    assert_eq!(house.http("bob").post(&asked, "").await.status, 403);
    let made = alice.post(&asked, "").await;
    assert_eq!(made.status, 201, "{made:?}");
    let made = made.json();
    let (href, id) = (made["href"].as_str().expect("a path"), made["id"].as_str().expect("an id"));
    assert_eq!((&made["kind"], &made["source"], &made["readOnly"]), (&json!("birthdays"), &json!(book), &json!(true)));
    assert_eq!(alice.post(&asked, "").await.status, 409);
    house.settle().await;
    let titles_now = titles(&house, "alice", href).await;
    assert_eq!(titles_now, ["🎂 Person ada (1985)", "🎂 Person leap"]);
    let listed = alice.get(&format!("/api{href}/events?from=2025-01-01&to=2029-01-01")).await.json();
    let days: Vec<&str> = listed["events"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|event| event["title"] == "🎂 Person leap")
        .map(|event| event["start"].as_str().expect("a day"))
        .collect();
    assert_eq!(days, ["2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29"]);

    // A card changes, another goes, one comes: the calendar does the same, and those who listen hear of it.
    let mut side = house.socket("alice").await;
    side.register(href).await;
    assert_eq!(alice.put(&format!("{book}/ada.vcf"), &person("ada", "BDAY:1986-12-11")).await.status, 204);
    assert_eq!(alice.delete(&format!("{book}/leap.vcf")).await.status, 204);
    assert_eq!(alice.put(&format!("{book}/new.vcf"), &person("new", "BDAY:20000101")).await.status, 201);
    house.settle().await;
    assert_eq!(titles(&house, "alice", href).await, ["🎂 Person ada (1986)", "🎂 Person new (2000)"]);
    let heard = side.heard().await;
    assert!(!heard.is_empty() && heard.iter().all(|push| push[href]["syncToken"].is_string()), "{heard:?}");
    // A card without a day changes nothing.
    assert_eq!(alice.put(&format!("{book}/none.vcf"), &card("none").replace("Person none", "N")).await.status, 204);
    house.settle().await;
    assert_eq!(side.heard().await, [json!(null); 0]);
    assert_eq!(alice.put(&format!("{href}/x.ics"), &plain_event("x", AT)).await.status, 403);
    assert_eq!(feed(&house, "alice", id).await["birthdaysOf"], book);

    // What changed just before an end is seen at the next start.
    let house = house.reopen(NINE).await;
    let alice = house.http("alice");
    assert_eq!(alice.put(&format!("{book}/ada.vcf"), &card("ada")).await.status, 204);
    house.settle().await;
    assert_eq!(titles(&house, "alice", href).await, ["🎂 Person new (2000)"]);
    // It goes with its book, or when it is switched off.
    assert_eq!(alice.delete(&asked).await.status, 204);
    assert_eq!(alice.delete(&asked).await.status, 404);
    assert_eq!(alice.post(&asked, r#"{"name":"Cakes"}"#).await.json()["name"], "Cakes");
    house.settle().await;
    assert_eq!(alice.delete(book).await.status, 204);
    house.settle().await;
    assert_eq!(alice.get(&format!("/api{href}")).await.status, 404);
    assert_eq!(alice.get("/api/feeds").await.json(), json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_makes_a_subscription_over_dav() {
    let (house, origin) = (House::open_with(&OPEN).await, Origin::open().await);
    origin.calendar("/a.ics", &events(&["a"]));
    let alice = house.http("alice");
    let body = format!(
        "<D:mkcol xmlns:D='DAV:' xmlns:CS='http://calendarserver.org/ns/' xmlns:A='http://apple.com/ns/ical/'><D:set><D:prop>\
         <D:resourcetype><D:collection/><CS:subscribed/></D:resourcetype><D:displayname>Games</D:displayname>\
         <CS:source><D:href>{}</D:href></CS:source><A:refreshrate>P1W</A:refreshrate><A:calendar-order>4</A:calendar-order>\
         </D:prop></D:set></D:mkcol>",
        origin.url("/a.ics")
    );
    let made =
        alice.send("MKCOL", "/calendars/alice/games", &[("content-type", "application/xml")], body.clone()).await;
    assert_eq!(made.status, 201, "{made:?}");
    house.settle().await;
    assert_eq!(titles(&house, "alice", "/calendars/alice/games").await, ["Event a"]);
    let told = feed(&house, "alice", "games").await;
    assert_eq!((&told["state"], &told["refreshSeconds"]), (&json!("ok"), &json!(604_800)), "{told}");
    assert_eq!(alice.get("/api/calendars/alice/games").await.json()["order"], 4);
    let guarded = body.replace(&origin.url("/a.ics"), "file:///etc/passwd");
    let refused = alice.send("MKCOL", "/calendars/alice/other", &[("content-type", "application/xml")], guarded).await;
    assert_eq!(refused.status / 100, 4, "{refused:?}");
    assert_eq!(alice.delete("/calendars/alice/games").await.status, 204);
    assert_eq!(alice.get("/api/feeds").await.json(), json!([]));
}
