//! Imports in one request: what may be sent, modes, keys, waiting, cancelling; and what a mirror removes.

use std::io::Write;

use serde_json::{Value, json};

use crate::live::client::Reply;
use crate::live::{House, card, plain_event};

const DEFAULT: &str = "/calendars/alice/default";
const BOOK: &str = "/addressbooks/alice/collected";
const AT: &str = "20250301T100000Z";

async fn send(house: &House, query: &str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Reply {
    let headers: Vec<(&str, &str)> = [("prefer", "wait=60")].iter().chain(headers).copied().collect();
    house.http("alice").send("POST", &format!("/api/imports?{query}"), &headers, body.into()).await
}

/// Created, updated, unchanged, skipped, deleted, repaired, failed.
fn counts(stands: &Value) -> [u64; 7] {
    ["created", "updated", "unchanged", "skipped", "deleted", "repaired", "failedCount"]
        .map(|key| stands[key].as_u64().unwrap_or(u64::MAX))
}

fn events(uids: &[&str]) -> String {
    uids.iter().map(|uid| plain_event(uid, AT)).collect()
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(text).expect("written");
    packed.finish().expect("packed")
}

fn zip(files: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in files {
        archive.start_file(*name, zip::write::SimpleFileOptions::default()).expect("a file");
        archive.write_all(text.as_bytes()).expect("written");
    }
    archive.finish().expect("an archive").into_inner()
}

/// What is sent: how it is packed, its media type, its bytes; how many items are new, and what the service warns of.
type Sent<'a> = (&'a str, &'a str, Vec<u8>, u64, &'a [&'a str]);

#[tokio::test(flavor = "multi_thread")]
async fn a_file_goes_in_with_one_request_however_it_is_packed() {
    let house = House::open().await;
    let latin = plain_event("latin", AT).replace("Event latin", "Caf\u{e9}");
    let latin: Vec<u8> = latin.chars().map(|c| c as u8).collect();
    let form = format!(
        "--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.ics\"\r\n\r\n{}\r\n--B--\r\n",
        plain_event("form", AT)
    );
    let archive = zip(&[("../../a.ics", &events(&["z1", "z2"])), ("b.ICS", &events(&["z3"])), ("note.txt", "x")]);
    let bom = format!("\u{feff}{}", plain_event("bom", AT).replace("\r\n", "\n"));
    let rows: [Sent; 8] = [
        ("plain", "text/calendar", events(&["p1", "p2"]).into(), 2, &[]),
        ("what curl says", "application/x-www-form-urlencoded", events(&["curl"]).into(), 1, &[]),
        ("gzip", "application/gzip", gzip(events(&["g1", "g2"]).as_bytes()), 2, &[]),
        ("zip", "application/zip", archive, 3, &["1 files of the archive are of another kind"]),
        ("form", "multipart/form-data; boundary=B", form.into(), 1, &[]),
        ("Latin-1, sniffed", "text/calendar", latin.clone(), 1, &["not in UTF-8: read as windows-1252"]),
        ("Latin-1, declared", "text/calendar; charset=iso-8859-1", latin, 0, &["not in UTF-8: read as windows-1252"]),
        ("mark and LF", "text/calendar", bom.into(), 1, &[]),
    ];
    for (what, media, body, created, warnings) in rows {
        let done = send(&house, &format!("target={DEFAULT}"), &[("content-type", media)], body).await;
        let stands = done.json();
        assert_eq!((done.status, &stands["status"]), (200, &json!("completed")), "{what}: {done:?}");
        assert_eq!((stands["created"].as_u64(), &stands["warnings"]), (Some(created), &json!(warnings)), "{what}");
        assert_eq!(stands["failedCount"], 0, "{what}");
    }
    let alice = house.http("alice");
    assert!(alice.get(&format!("{DEFAULT}/latin.ics")).await.text().contains("SUMMARY:Caf\u{e9}"));
    let cards = send(&house, &format!("target={BOOK}"), &[("content-type", "text/vcard")], card("one")).await.json();
    assert_eq!(counts(&cards), [1, 0, 0, 0, 0, 0, 0]);
    // Nothing waits on disk for what is done: the file goes just behind the end of its import.
    while std::fs::read_dir(house.dir.path().join("store/spool")).expect("a spool").count() > 0 {
        tokio::task::yield_now().await;
    }
    let list = alice.get("/api/imports").await.json();
    assert_eq!(list.as_array().map(Vec::len), Some(9));
    assert_eq!(house.http("bob").get("/api/imports").await.json(), json!([]));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_imported_is_told_why() {
    let house = House::open_with(&[("uploads.user_bytes", "20000000"), ("uploads.archive_files", "2")]).await;
    let ics = [("content-type", "text/calendar")];
    let rows = [
        ("", 400, "target must be present"),
        ("target=default", 400, "target must be like /calendars/alice/default"),
        ("target=/calendars/alice/default&mode=all", 400, "mode must be skip, upsert or mirror, got \"all\""),
        ("target=/calendars/alice/default&force=yes", 400, "force must be true or false, got \"yes\""),
        ("target=/addressbooks/alice/collected", 422, "a collection of text/vcard takes no text/calendar"),
        ("target=/calendars/alice/none", 404, "nothing is there"),
    ];
    for (query, status, why) in rows {
        let refused = send(&house, query, &ics, "x".repeat(100_000)).await;
        assert_eq!((refused.status, &refused.json()["detail"]), (status, &json!(why)), "{query}");
    }
    let nobody = house.anonymous().post(&format!("/api/imports?target={DEFAULT}"), "x").await;
    assert_eq!(nobody.status, 401);
    let large = send(&house, &format!("target={DEFAULT}"), &ics, vec![b'x'; 20_000_001]).await;
    assert_eq!((large.status, &large.json()["limit"]), (413, &json!(20_000_000)));

    // What shows only inside fails the import, not the request.
    let bomb = gzip(&vec![b' '; 60_000_000]);
    let many = zip(&[("a.ics", "x"), ("b.ics", "x"), ("c.ics", "x")]);
    let rows = [
        (b"garbage".to_vec(), "line 1: BEGIN:VCALENDAR is missing"),
        (bomb, "the file unpacks to more than 200 times its size"),
        (many, "an archive of more than 2 files"),
        (zip(&[("a.txt", "x")]), "the zip archive holds no .ics file"),
        (b"PK\x03\x04rest".to_vec(), "the zip archive is cut off"),
    ];
    for (body, why) in rows {
        let stands = send(&house, &format!("target={DEFAULT}"), &[], body).await.json();
        assert_eq!(stands["status"], "failed", "{why}: {stands}");
        let errors = format!("/api/imports/{}/errors", stands["id"].as_str().expect("an id"));
        let told: Value = serde_json::from_str(house.http("alice").get(&errors).await.text().trim()).expect("a line");
        assert_eq!(told, json!({ "line": 1, "uid": null, "code": "unreadable", "detail": why }));
    }
    // A fault in an archive is told with the file that it is in; the rest goes in.
    let archive = zip(&[
        ("a.ics", &events(&["a"])),
        ("b.ics", "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:b\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"),
    ]);
    let stands = send(&house, &format!("target={DEFAULT}"), &[], archive).await.json();
    assert_eq!(counts(&stands), [1, 0, 0, 0, 0, 0, 1]);
    let errors = format!("/api/imports/{}/errors", stands["id"].as_str().expect("an id"));
    let told: Value = serde_json::from_str(house.http("alice").get(&errors).await.text().trim()).expect("a line");
    let why = json!({ "line": 2, "uid": "b", "code": "invalid", "detail": "b.ics: a VEVENT without DTSTART" });
    assert_eq!(told, why);
    // Half of an archive is better than none.
    let mut half = gzip(events(&["h1", "h2", "h3"]).as_bytes());
    half.truncate(half.len() - 8);
    let stands = send(&house, &format!("target={DEFAULT}"), &[], half).await.json();
    assert_eq!(stands["created"], 3, "{stands}");
    assert_eq!(stands["warnings"], json!(["the archive is damaged or cut off: what could be read was taken"]));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn modes_say_what_becomes_of_what_is_there() {
    let house = House::open().await;
    let ask = |mode: &str| format!("target={DEFAULT}&mode={mode}");
    let newer = |uid: &str| plain_event(uid, "20250401T100000Z");
    assert_eq!(counts(&send(&house, &ask("upsert"), &[], events(&["a", "b"])).await.json()), [2, 0, 0, 0, 0, 0, 0]);
    let stands = send(&house, &ask("skip"), &[], newer("a") + &newer("c")).await.json();
    assert_eq!(counts(&stands), [1, 0, 0, 1, 0, 0, 0]);
    let alice = house.http("alice");
    let start = |text: String| text.lines().find(|line| line.starts_with("DTSTART")).map(str::to_owned);
    assert_eq!(start(alice.get(&format!("{DEFAULT}/a.ics")).await.text()).as_deref(), Some("DTSTART:20250301T100000Z"));
    let stands = send(&house, &format!("{}&dry_run=true", ask("upsert")), &[], newer("a") + &newer("d")).await.json();
    assert_eq!((counts(&stands), &stands["dryRun"]), ([1, 1, 0, 0, 0, 0, 0], &json!(true)));
    assert_eq!(alice.get(&format!("{DEFAULT}/d.ics")).await.status, 404);
    let stands = send(&house, &ask("upsert"), &[], newer("a") + &events(&["b"])).await.json();
    assert_eq!(counts(&stands), [0, 1, 1, 0, 0, 0, 0]);
    // What is missing is added, and counted; an override far from its master stays with it.
    let far = format!(
        "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:s\r\nRECURRENCE-ID:20250302T100000Z\r\nDTSTART:20250302T120000Z\r\nEND:VEVENT\r\n{}\
         BEGIN:VEVENT\r\nUID:s\r\nDTSTART:20250301T100000Z\r\nRRULE:FREQ=DAILY;COUNT=3\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
        (0..300)
            .map(|n| format!("BEGIN:VTODO\r\nUID:t{n}\r\nDTSTAMP:20250101T000000Z\r\nEND:VTODO\r\n"))
            .collect::<String>()
    );
    let stands = send(&house, &ask("upsert"), &[], far).await.json();
    assert_eq!(counts(&stands), [301, 0, 0, 0, 0, 301, 0]);
    assert_eq!(alice.get(&format!("{DEFAULT}/s.ics")).await.text().matches("BEGIN:VEVENT").count(), 2);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_good_for_one_request() {
    let house = House::open().await;
    let query = format!("target={DEFAULT}");
    let key = [("idempotency-key", "k1")];
    let first = send(&house, &query, &key, events(&["a"])).await;
    let again = send(&house, &query, &key, events(&["a"])).await;
    assert_eq!((first.status, again.status), (200, 200));
    assert_eq!(first.json(), again.json());
    for (query, body) in [(query.clone(), events(&["b"])), (format!("{query}&mode=skip"), events(&["a"]))] {
        let other = send(&house, &query, &key, body).await;
        assert_eq!(other.status, 422, "{other:?}");
    }
    let bob = house.http("bob").send("POST", "/api/imports?target=/calendars/bob/default", &key, events(&["b"])).await;
    assert_eq!(bob.status, 202, "{bob:?}");
    house.imported("bob", bob.json()["id"].as_str().expect("an id")).await;
    // With its import the key is forgotten.
    house.turn("2025-01-17T09:00:00Z").await;
    assert_ne!(send(&house, &query, &key, events(&["a"])).await.json()["id"], first.json()["id"]);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_can_be_cancelled() {
    let house = House::open().await;
    let alice = house.http("alice");
    let file: String = (0..6_000).map(|n| plain_event(&format!("e{n}"), AT)).collect();
    let taken = alice.post(&format!("/api/imports?target={DEFAULT}"), &file).await;
    assert_eq!(taken.status, 202, "{taken:?}");
    let place = taken.header("location").to_owned();
    assert_eq!(house.http("bob").send("DELETE", &place, &[], "").await.status, 404);
    assert_eq!(alice.send("DELETE", &place, &[], "").await.status, 204);
    let stands = alice.get(&place).await.json();
    assert_eq!(stands["status"], "cancelled");
    assert_eq!(alice.send("DELETE", &place, &[], "").await.status, 204);
    // The next of theirs is not held up by it, and it goes no further.
    let next = send(&house, &format!("target={DEFAULT}"), &[], events(&["next"])).await.json();
    assert_eq!(next["created"], 1);
    assert_eq!(alice.get(&place).await.json()["done"], stands["done"]);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_removes_what_its_source_no_longer_holds() {
    let house = House::open().await;
    let alice = house.http("alice");
    let ask = |source: &str| format!("target={DEFAULT}&mode=mirror&source={source}");
    assert_eq!(alice.put(&format!("{DEFAULT}/own.ics"), &plain_event("own", AT)).await.status, 201);
    assert_eq!(alice.put(&format!("{DEFAULT}/b.ics"), &plain_event("b", AT)).await.status, 201);
    // An item that is there already is the mirror's from now on, too.
    assert_eq!(counts(&send(&house, &ask(""), &[], events(&["a", "b", "c"])).await.json()), [2, 0, 1, 0, 0, 0, 0]);
    // Another source has items of its own.
    assert_eq!(counts(&send(&house, &ask("x"), &[], events(&["x"])).await.json()), [1, 0, 0, 0, 0, 0, 0]);
    let cut = events(&["a"]) + "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n";
    let kept = send(&house, &ask(""), &[], cut).await.json();
    assert_eq!(
        (counts(&kept)[4], &kept["warnings"][1]),
        (0, &json!("2 objects were not removed: the file is not whole"))
    );
    let dry = send(&house, &format!("{}&dry_run=1", ask("")), &[], events(&["a"])).await.json();
    assert_eq!(counts(&dry), [0, 0, 1, 0, 2, 0, 0]);
    assert_eq!(alice.get(&format!("{DEFAULT}/b.ics")).await.status, 200);
    assert_eq!(counts(&send(&house, &ask("default"), &[], events(&["a"])).await.json()), [0, 0, 1, 0, 2, 0, 0]);
    for (name, status) in [("a", 200), ("b", 404), ("c", 404), ("own", 200), ("x", 200)] {
        assert_eq!(alice.get(&format!("{DEFAULT}/{name}.ics")).await.status, status, "{name}");
    }
    // Most of many only by force.
    let many: Vec<String> = (0..30).map(|n| format!("m{n}")).collect();
    let file = |names: &[String]| {
        names
            .iter()
            .map(|uid| plain_event(uid, AT).replace("SUMMARY", &format!("LOCATION:{uid}\r\nSUMMARY")))
            .collect::<String>()
    };
    assert_eq!(send(&house, &ask("m"), &[], file(&many)).await.json()["created"], 30);
    let few = send(&house, &ask("m"), &[], file(&many[..2])).await.json();
    assert_eq!(counts(&few), [0, 0, 2, 0, 0, 0, 0]);
    assert_eq!(counts(&send(&house, &format!("{}&force=true", ask("m")), &[], file(&many[..2])).await.json())[4], 28);
    // New UIDs for the same events are no new events.
    let renamed = file(&many[..2]).replace("UID:m", "UID:new-m");
    assert_eq!(counts(&send(&house, &ask("m"), &[], renamed).await.json()), [0, 0, 2, 0, 0, 0, 0]);
    house.stop().await;
}
