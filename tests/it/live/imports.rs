//! Files on their way in: uploads, imports, what a client is told of them, and what a crash in the middle may not do.

use serde_json::{Value, json};

use crate::live::client::Reply;
use crate::live::{House, card, plain_event};

const DEFAULT: &str = "/calendars/alice/default";
const BOOK: &str = "/addressbooks/alice/collected";
const ICS: &str = "text/calendar";
const VCF: &str = "text/vcard";

/// A refusal as the Twake family's front end reads it.
fn bad_request(detail: &str) -> Value {
    json!({
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": detail,
        "error": { "code": 400, "type": "BadRequest", "message": "Bad Request", "details": detail },
    })
}

fn ended(path: &str, id: &Value, counts: Option<(u64, u64)>) -> Value {
    let id = id.as_str().expect("an id");
    let stands = match counts {
        Some((succeeded, failed)) => json!({ "status": "completed", "succeedCount": succeeded, "failedCount": failed }),
        None => json!({ "status": "failed" }),
    };
    json!({ path: { "imports": { id: stands } } })
}

fn counts(stands: &Value) -> [&Value; 5] {
    ["succeedCount", "failedCount", "created", "updated", "unchanged"].map(|key| &stands[key])
}

async fn token(house: &House, path: &str) -> Value {
    house.http("alice").get(&format!("/api{path}")).await.json()["syncToken"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_uploaded_and_what_cannot_be_is_told_why() {
    let house = House::open().await;
    let alice = house.http("alice");
    let sound: [(&str, &[(&str, &str)]); 4] = [
        ("name=a&size=5&mimetype=text/calendar", &[]),
        ("name=a%20b.ics&size=10&mimetype=TEXT/Calendar", &[("content-type", "application/octet-stream")]),
        ("name=a&size=5&mimetype=text%2Fvcard", &[("content-type", "text/vcard")]),
        ("mimetype=text/calendar;charset=utf-8&size=5&name=a", &[]),
    ];
    let mut ids = Vec::new();
    for (query, headers) in sound {
        let kept = alice.send("POST", &format!("/api/files?{query}"), headers, "12345").await;
        assert_eq!((kept.status, kept.header("content-type")), (201, "application/json"), "{query}: {kept:?}");
        let id = kept.json()["_id"].as_str().expect("an id").to_owned();
        assert_eq!(kept.json(), json!({ "_id": id }));
        assert!(id.len() == 24 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
        ids.push(id);
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), sound.len());

    let rows = [
        ("size=5&mimetype=text/calendar", "name must be present"),
        ("name=&size=5&mimetype=text/calendar", "name must be present"),
        ("name=%20&size=5&mimetype=text/calendar", "name must be present"),
        ("name=a&mimetype=text/calendar", "size must be present"),
        ("name=a&size=five&mimetype=text/calendar", r#"size must be a number, got "five""#),
        ("name=a&size=-5&mimetype=text/calendar", r#"size must be a number, got "-5""#),
        ("name=a&size=5", "mimetype must be present"),
        ("name=a&size=5&mimetype=", "mimetype must be present"),
        ("name=a&size=5&mimetype=text/plain", r#"mimetype must be text/calendar or text/vcard, got "text/plain""#),
        ("name=a&size=5&mimetype=text/calendar", "Real size is greater than declared size, expected: 5, got: 10"),
        ("name=a&size=52428801&mimetype=text/calendar", "File size exceeds user total upload limit"),
        ("name=a&size=18446744073709551615&mimetype=text/calendar", "File size exceeds user total upload limit"),
    ];
    for (query, why) in rows {
        let refused = alice.post(&format!("/api/files?{query}"), "1234567890").await;
        assert_eq!((refused.status, refused.json()), (400, bad_request(why)), "{query}");
    }
    let nobody = house.anonymous().post("/api/files?name=a&size=5&mimetype=text/calendar", "12345").await;
    assert_eq!(nobody.status, 401);
    a_form_is_read(&house).await;
    // Who is refused gets to read why, however much is still on its way.
    let large = "x".repeat(4 << 20);
    for (query, status) in [("name=a&size=5", 400), ("name=a&size=5&mimetype=text/calendar", 400)] {
        let refused = alice.post(&format!("/api/files?{query}"), &large).await;
        assert_eq!(refused.status, status, "{query}");
    }
    assert_eq!(house.anonymous().post("/api/files?name=a&size=5&mimetype=text/calendar", &large).await.status, 401);
    house.stop().await;
}

async fn a_form_is_read(house: &House) {
    let alice = house.http("alice");
    let file = plain_event("form", "20250301T100000Z");
    let form = format!(
        "--B\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhello\r\n\
         --B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.ics\"\r\nContent-Type: text/plain\r\n\r\n{file}\r\n\
         --B\r\nContent-Disposition: form-data; name=\"more\"; filename=\"b.ics\"\r\n\r\nsecond\r\n--B--\r\n"
    );
    let multipart = [("content-type", "multipart/form-data; boundary=B")];
    let path = |size: usize| format!("/api/files?name=a&size={size}&mimetype=text/calendar");
    let kept = alice.send("POST", &path(file.len()), &multipart, form.clone()).await;
    assert_eq!(kept.status, 201, "{kept:?}");
    let id = house.ask_import("alice", kept.json()["_id"].as_str().expect("an id"), DEFAULT).await;
    assert_eq!(counts(&house.imported("alice", &id).await)[..2], [&json!(1), &json!(0)]);

    let small = alice.send("POST", &path(file.len() - 1), &multipart, form).await;
    let why = format!("Real size is greater than declared size, expected: {}, got: {}", file.len() - 1, file.len());
    assert_eq!((small.status, small.json()), (400, bad_request(&why)));
    let none = alice.send("POST", &path(5), &multipart, "--B--\r\n").await;
    assert_eq!((none.status, none.json()), (400, bad_request("the form holds no file")));
    let broken = alice.send("POST", &path(5), &multipart, "no form at all").await;
    assert_eq!(broken.status, 400, "{broken:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_upload_gives_way_where_there_is_no_room() {
    let file = |uid: &str| plain_event(uid, "20250301T100000Z");
    let size = file("a").len();
    let house = House::open_with(&[("uploads.user_bytes", &(3 * size).to_string())]).await;
    let alice = house.http("alice");
    let mut ids = Vec::new();
    for (second, uid) in ["a", "b", "c", "d"].into_iter().enumerate() {
        ids.push(house.upload("alice", ICS, &file(uid)).await);
        house.turn(&format!("2025-01-15T09:00:0{}Z", second + 1)).await;
    }
    // Others have room of their own.
    house.upload("bob", ICS, &file("e")).await;
    let ask = |id: &str| json!({ "fileId": id, "target": format!("{DEFAULT}.json") }).to_string();
    let gone = alice.post("/api/import", &ask(&ids[0])).await;
    assert_eq!((gone.status, gone.json()), (400, bad_request("Uploaded file not found")));
    for id in &ids[1..] {
        let import = house.ask_import("alice", id, DEFAULT).await;
        house.imported("alice", &import).await;
    }
    let whole = alice.post(&format!("/api/files?name=a&size={}&mimetype=text/calendar", 3 * size + 1), "x").await;
    assert_eq!((whole.status, whole.json()), (400, bad_request("File size exceeds user total upload limit")));
    // After an hour nobody waits for it any more.
    house.turn("2025-01-15T10:00:05Z").await;
    let late = alice.post("/api/import", &ask(&ids[3])).await;
    assert_eq!((late.status, late.json()), (400, bad_request("Uploaded file not found")));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_is_asked_for_and_told() {
    let house = House::open().await;
    what_cannot_be_asked_for(&house).await;
    everybody_has_imports_of_their_own(&house).await;
    a_registered_client_hears_the_end(&house).await;
    what_is_sound_goes_in_beside_what_is_not(&house).await;
    without_a_right_nothing_goes_in(&house).await;
    house.stop().await;
}

async fn what_cannot_be_asked_for(house: &House) {
    let alice = house.http("alice");
    let file = house.upload("alice", ICS, &plain_event("asked", "20250301T100000Z")).await;
    let bobs = house.upload("bob", ICS, &plain_event("asked", "20250301T100000Z")).await;
    let to = |target: &str| json!({ "fileId": file, "target": target }).to_string();
    let unknown = |id: &str| json!({ "fileId": id, "target": "/calendars/alice/default.json" }).to_string();
    let rows = [
        (r#"{"target":"/calendars/alice/default.json"}"#.to_owned(), "fileId must be present"),
        (r#"{"fileId":"","target":"/calendars/alice/default.json"}"#.to_owned(), "fileId must be present"),
        (r#"{"fileId":null,"target":"/calendars/alice/default.json"}"#.to_owned(), "fileId must be present"),
        (json!({ "fileId": file }).to_string(), "target must be present"),
        (to(""), "target must be present"),
        (to("default"), "Invalid target path"),
        (to("/calendars/alice"), "Invalid target path"),
        (to("/calendars//default.json"), "Invalid target path"),
        (to("/calendars/alice/.json"), "Invalid target path"),
        (to("/calendars/alice/..%2F.json"), "Invalid target path"),
        (unknown("0123456789abcdef01234567"), "Uploaded file not found"),
        (unknown(&bobs), "Uploaded file not found"),
        (unknown("../alice"), "Uploaded file not found"),
    ];
    for (body, why) in rows {
        let refused = alice.post("/api/import", &body).await;
        assert_eq!((refused.status, refused.json()), (400, bad_request(why)), "{body}");
    }
    assert_eq!(alice.post("/api/import", "not JSON").await.status, 400);
    assert_eq!(house.anonymous().post("/api/import", &to("/calendars/alice/default.json")).await.status, 401);
}

async fn everybody_has_imports_of_their_own(house: &House) {
    let (alice, bob) = (house.http("alice"), house.http("bob"));
    let file = house.upload("alice", ICS, &plain_event("own", "20250301T100000Z")).await;
    let ask = json!({ "fileId": file, "target": "/calendars/alice/default.json" }).to_string();
    let (first, second): (Reply, Reply) =
        (alice.post("/api/import", &ask).await, alice.post("/api/import", &ask).await);
    for taken in [&first, &second] {
        let id = taken.json()["importId"].as_str().expect("an id").to_owned();
        assert_eq!((taken.status, taken.json()), (202, json!({ "importId": id })));
        assert_eq!(taken.header("location"), format!("/api/imports/{id}"));
        assert!(uuid::Uuid::try_parse(&id).is_ok(), "{id}");
    }
    assert_ne!(first.json(), second.json());
    let place = first.header("location");
    assert_eq!(house.imported("alice", first.json()["importId"].as_str().expect("an id")).await["target"], DEFAULT);
    for (path, status) in [(place.to_owned(), 404), (format!("{place}/errors"), 404)] {
        assert_eq!(bob.get(&path).await.status, status, "{path}");
        assert_eq!(house.http("admin").get(&path).await.status, status, "{path}");
        assert_eq!(house.anonymous().get(&path).await.status, 401, "{path}");
        assert_eq!(alice.get(&path).await.status, 200, "{path}");
    }
    let second = second.json()["importId"].as_str().expect("an id").to_owned();
    house.imported("alice", &second).await;
    house.settle().await;
}

/// What is imported, where to, of which kind, the file; and how many succeeded, failed, were created, updated and left as they were.
/// Without counts it failed as a whole.
type Row = (&'static str, &'static str, &'static str, String, Option<[u64; 5]>);

async fn a_registered_client_hears_the_end(house: &House) {
    let mut socket = house.socket("alice").await;
    let mut deaf = house.socket("alice").await;
    socket.register(DEFAULT).await;
    socket.register(BOOK).await;

    // Calendars: the token as a URL. One event; one series with an override is one object; several events; the same again; garbage.
    let series = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n\
         BEGIN:VEVENT\r\nUID:series\r\nDTSTAMP:20250101T000000Z\r\nDTSTART:20250301T100000Z\r\nRRULE:FREQ=DAILY;COUNT=3\r\nEND:VEVENT\r\n\
         BEGIN:VEVENT\r\nUID:series\r\nDTSTAMP:20250101T000000Z\r\nRECURRENCE-ID:20250302T100000Z\r\nDTSTART:20250302T120000Z\r\n\
         END:VEVENT\r\nEND:VCALENDAR\r\n";
    let several: String = (0..3).map(|n| plain_event(&format!("several-{n}"), "20250301T100000Z")).collect();
    let cards: String = (0..3).map(|n| card(&format!("person-{n}"))).collect();
    let empty = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nEND:VCALENDAR\r\n";
    let newer = plain_event("one", "20250401T100000Z");
    let rows: [Row; 11] = [
        ("one event", DEFAULT, ICS, plain_event("one", "20250301T100000Z"), Some([1, 0, 1, 0, 0])),
        ("the same again", DEFAULT, ICS, plain_event("one", "20250301T100000Z"), Some([1, 0, 0, 0, 1])),
        ("a newer one", DEFAULT, ICS, newer, Some([1, 0, 0, 1, 0])),
        ("a series", DEFAULT, ICS, series.to_owned(), Some([1, 0, 1, 0, 0])),
        ("several", DEFAULT, ICS, several.clone(), Some([3, 0, 3, 0, 0])),
        ("several again", DEFAULT, ICS, several, Some([3, 0, 0, 0, 3])),
        ("nothing in it", DEFAULT, ICS, empty.to_owned(), Some([0, 0, 0, 0, 0])),
        ("garbage", DEFAULT, ICS, "garbage".to_owned(), None),
        ("one card", BOOK, VCF, card("person"), Some([1, 0, 1, 0, 0])),
        ("several cards", BOOK, VCF, cards.clone(), Some([3, 0, 3, 0, 0])),
        ("several cards again", BOOK, VCF, cards, Some([3, 0, 0, 0, 3])),
    ];
    for (what, path, media, file, wanted) in rows {
        let stands = house.import("alice", path, media, &file).await;
        house.settle().await;
        let wanted_counts = wanted.unwrap_or_default().map(|count| json!(count));
        assert_eq!(counts(&stands), wanted_counts.each_ref(), "{what}: {stands}");
        assert_eq!(stands["status"], if wanted.is_some() { "completed" } else { "failed" }, "{what}");
        let wrote = wanted.is_some_and(|[_, _, created, updated, _]| created + updated > 0);
        let end = ended(path, &stands["id"], wanted.map(|[succeeded, failed, ..]| (succeeded, failed)));
        let heard = socket.heard().await;
        assert_eq!(heard.len(), if wrote { 2 } else { 1 }, "{what}: {heard:?}");
        assert_eq!(heard.last(), Some(&end), "{what}");
        if wrote {
            let pushed = heard[0][path]["syncToken"].as_str().expect("a token");
            match path {
                DEFAULT => assert_eq!(pushed, token(house, DEFAULT).await, "{what}"),
                _ => assert!(pushed.bytes().all(|b| b.is_ascii_digit()), "{what}: {pushed}"),
            }
        }
        assert_eq!(deaf.heard().await, Vec::<Value>::new(), "{what}");
    }
    // What went in is there, under the name of its UID.
    let alice = house.http("alice");
    assert!(alice.get(&format!("{DEFAULT}/one.ics")).await.text().contains("DTSTART:20250401T100000Z"));
    assert_eq!(alice.get(&format!("{DEFAULT}/series.ics")).await.text().matches("BEGIN:VEVENT").count(), 2);
    for n in 0..3 {
        let read = alice.get(&format!("{BOOK}/person-{n}.vcf")).await;
        assert_eq!((read.status, read.text()), (200, card(&format!("person-{n}"))));
    }
    // A change behind an import is told behind it.
    let stands = house.import("alice", DEFAULT, ICS, &plain_event("two", "20250301T100000Z")).await;
    house.settle().await;
    let before = socket.heard().await;
    assert_eq!(before.last(), Some(&ended(DEFAULT, &stands["id"], Some((1, 0)))));
    assert_eq!(alice.put(&format!("{DEFAULT}/three.ics"), &plain_event("three", "20250301T100000Z")).await.status, 201);
    house.settle().await;
    assert_eq!(socket.heard().await, [json!({ DEFAULT: { "syncToken": token(house, DEFAULT).await } })]);
    // Whoever unregistered hears nothing more.
    let answer = socket.ask(&json!({ "unregister": [DEFAULT, BOOK] }).to_string()).await;
    assert_eq!(answer["unregistered"].as_array().map(Vec::len), Some(2), "{answer}");
    house.import("alice", DEFAULT, ICS, &plain_event("four", "20250301T100000Z")).await;
    house.import("alice", BOOK, VCF, &card("four")).await;
    house.settle().await;
    assert_eq!(socket.heard().await, Vec::<Value>::new());
}

async fn what_is_sound_goes_in_beside_what_is_not(house: &House) {
    let alice = house.http("alice");
    let file = format!(
        "{}{}{}",
        plain_event("left", "20250301T100000Z"),
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:broken\r\nSUMMARY:no start\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
        plain_event("right", "20250301T100000Z"),
    );
    let stands = house.import("alice", DEFAULT, ICS, &file).await;
    let id = stands["id"].as_str().expect("an id");
    let errors = alice.get(&format!("/api/imports/{id}/errors")).await;
    assert_eq!((errors.status, errors.header("content-type")), (200, "application/x-ndjson"));
    let lines: Vec<Value> = errors.text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let failed = lines.len() as u64;
    assert!(
        lines
            .contains(&json!({ "line": 15, "uid": "broken", "code": "invalid", "detail": "a VEVENT without DTSTART" })),
        "{lines:?}"
    );
    assert_eq!(stands["failedCount"], failed, "{stands}");
    assert_eq!(stands["total"], 3, "{stands}");
    assert_eq!(stands["done"], 3, "{stands}");
    for uid in ["left", "right"] {
        assert_eq!(alice.get(&format!("{DEFAULT}/{uid}.ics")).await.status, 200, "{uid}");
    }
    assert_eq!(alice.get(&format!("{DEFAULT}/broken.ics")).await.status, 404);

    // A file of nothing but broken items is counted to its end, and told up to a bound.
    let broken = "BEGIN:VEVENT\r\nSUMMARY:no start\r\nEND:VEVENT\r\n".repeat(2_500);
    let file = format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n{broken}END:VCALENDAR\r\n");
    let stands = house.import("alice", DEFAULT, ICS, &file).await;
    assert_eq!(counts(&stands).map(Value::to_string).join(" "), "0 2500 0 0 0");
    let errors = alice.get(&format!("/api/imports/{}/errors", stands["id"].as_str().expect("an id"))).await;
    assert_eq!(errors.text().lines().count(), 1_000);

    // A name that another object has already is no obstacle, and neither is an odd UID.
    assert_eq!(
        alice.put(&format!("{DEFAULT}/taken.ics"), &plain_event("somebody", "20250301T100000Z")).await.status,
        201
    );
    for uid in ["taken", "a/b", "..", "x y", "ü", &"long".repeat(100)] {
        let stands = house.import("alice", DEFAULT, ICS, &plain_event(uid, "20250301T100000Z")).await;
        assert_eq!(counts(&stands).map(Value::to_string).join(" "), "1 0 1 0 0", "{uid}");
        let again = house.import("alice", DEFAULT, ICS, &plain_event(uid, "20250301T100000Z")).await;
        assert_eq!(counts(&again).map(Value::to_string).join(" "), "1 0 0 0 1", "{uid}");
    }
    assert!(alice.get(&format!("{DEFAULT}/taken.ics")).await.text().contains("UID:somebody"));
    // What a client wrote under a name of its own is the object that an import of its UID means.
    assert_eq!(
        alice.put(&format!("{DEFAULT}/odd-name.ics"), &plain_event("held", "20250301T100000Z")).await.status,
        201
    );
    let stands = house.import("alice", DEFAULT, ICS, &plain_event("held", "20250302T100000Z")).await;
    assert_eq!(counts(&stands).map(Value::to_string).join(" "), "1 0 0 1 0");
    assert!(alice.get(&format!("{DEFAULT}/odd-name.ics")).await.text().contains("DTSTART:20250302T100000Z"));
}

async fn without_a_right_nothing_goes_in(house: &House) {
    let mut alice = house.socket("alice").await;
    alice.register(DEFAULT).await;
    alice.register("/calendars/alice/team").await;
    let mut carol = house.socket("carol").await;
    carol.register("/calendars/alice/team").await;
    let two = plain_event("x1", "20250301T100000Z") + &plain_event("x2", "20250301T100000Z");
    let (forbidden, nothing) = ("you have no right to do this", "nothing is there");
    let rows = [
        ("bob", DEFAULT, ICS, forbidden),
        ("carol", "/calendars/alice/team", ICS, forbidden),
        ("alice", "/calendars/alice/none", ICS, nothing),
        ("alice", "/calendars/nobody/none", ICS, nothing),
        // The kind is the file's: a calendar file finds no address book.
        ("alice", BOOK, ICS, nothing),
    ];
    let mut told = Vec::new();
    for (who, target, media, why) in rows {
        let stands = house.import(who, target, media, &two).await;
        assert_eq!(stands["status"], "completed", "{who} {target}");
        assert_eq!(counts(&stands).map(Value::to_string).join(" "), "0 2 0 0 0", "{who} {target}");
        let id = stands["id"].as_str().expect("an id");
        let errors = house.http(who).get(&format!("/api/imports/{id}/errors")).await.text();
        let lines: Vec<Value> = errors.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let code = if why == forbidden { "forbidden" } else { "not-found" };
        let line = |line: u64, uid: &str| json!({ "line": line, "uid": uid, "code": code, "detail": why });
        assert_eq!(lines, [line(4, "x1"), line(15, "x2")], "{who} {target}");
        if target == "/calendars/alice/team" {
            told.push(ended(target, &stands["id"], Some((0, 2))));
        }
    }
    house.settle().await;
    // Who may at least read hears of it with all who listen; a stranger cannot make other people's sockets speak.
    assert_eq!(carol.heard().await, told);
    assert_eq!(alice.heard().await, told);
    // Who may write through a mirror imports through it.
    let mirrors = house.http("bob").get("/api/calendars").await.json();
    let mirror = mirrors.as_array().into_iter().flatten().find(|one| one["kind"] == "delegated").expect("a mirror");
    let stands = house.import("bob", mirror["href"].as_str().expect("a path"), ICS, &two).await;
    assert_eq!(counts(&stands).map(Value::to_string).join(" "), "2 0 2 0 0");
    house.settle().await;
    assert_eq!(alice.heard().await.last(), Some(&ended("/calendars/alice/team", &stands["id"], Some((2, 0)))));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_goes_on_where_a_restart_broke_it_off() {
    let mut house = House::open().await;
    let file: String = (0..1_500).map(|n| plain_event(&format!("e{n}"), "20250301T100000Z")).collect();
    let upload = house.upload("alice", ICS, &file).await;
    let id = house.ask_import("alice", &upload, DEFAULT).await;
    let alice = house.http("alice");
    while alice.get(&format!("/api/imports/{id}")).await.json()["done"] == 0 {
        tokio::task::yield_now().await;
    }
    house = house.reopen("2025-01-15T09:10:00Z").await;
    let stands = house.imported("alice", &id).await;
    assert_eq!(counts(&stands).map(Value::to_string).join(" "), "1500 0 1500 0 0");
    let listed = house.http("alice").send("PROPFIND", &format!("{DEFAULT}/"), &[("depth", "1")], "").await;
    assert_eq!(listed.text().matches(".ics</href>").count(), 1_500);
    // It is not done again.
    house = house.reopen("2025-01-15T09:20:00Z").await;
    assert_eq!(house.imported("alice", &id).await, stands);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_anothers_large_file() {
    let house = House::open().await;
    let large: String = (0..6_000).map(|n| plain_event(&format!("e{n}"), "20250301T100000Z")).collect();
    let (large, small) = (
        house.upload("alice", ICS, &large).await,
        house.upload("bob", ICS, &plain_event("small", "20250301T100000Z")).await,
    );
    let first = house.ask_import("alice", &large, DEFAULT).await;
    let behind = house.ask_import("alice", &large, "/calendars/alice/team").await;
    let other = house.ask_import("bob", &small, "/calendars/bob/default").await;
    assert_eq!(house.imported("bob", &other).await["succeedCount"], 1);
    let house = &house;
    let stands = |id: String| async move {
        house.http("alice").get(&format!("/api/imports/{id}")).await.json()["status"].clone()
    };
    assert_ne!(stands(first).await, "completed");
    assert_eq!(stands(behind).await, "queued", "one of each person at a time");
}
