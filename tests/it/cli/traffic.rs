//! `import`, `export` and `watch` against a service in a process of its own.

use std::process::Stdio;

use campanile::system::pace;
use serde_json::{Value, json};

use crate::cli::{Process, Service, line_with, waited};
use crate::live::client::PATIENCE;
use crate::live::{card, event, plain_event};

const DEFAULT: &str = "/calendars/alice/default";

/// A zone, an override, a to-do, words in other alphabets.
fn rich() -> String {
    let zone = "BEGIN:VTIMEZONE\r\nTZID:Somewhere\r\nBEGIN:STANDARD\r\nDTSTART:19700101T000000\r\nTZOFFSETFROM:+0130\r\nTZOFFSETTO:+0130\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n";
    let series = "BEGIN:VEVENT\r\nUID:series\r\nDTSTAMP:20250101T000000Z\r\nDTSTART;TZID=Somewhere:20250115T090000\r\nRRULE:FREQ=DAILY;COUNT=3\r\nSUMMARY:会議\\, täglich\r\nEND:VEVENT\r\n";
    let one = "BEGIN:VEVENT\r\nUID:series\r\nDTSTAMP:20250101T000000Z\r\nRECURRENCE-ID;TZID=Somewhere:20250116T090000\r\nDTSTART;TZID=Somewhere:20250116T100000\r\nSUMMARY:later\r\nEND:VEVENT\r\n";
    let todo =
        "BEGIN:VTODO\r\nUID:todo\r\nDTSTAMP:20250101T000000Z\r\nDUE:20250120T090000\r\nSUMMARY:floats\r\nEND:VTODO\r\n";
    format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n{zone}{series}{one}{todo}END:VCALENDAR\r\n")
}

/// The outcome of an import, without what differs from one to the next.
fn outcome(text: &str) -> Value {
    let stands: Value = serde_json::from_str(text).expect("JSON");
    let counts = ["status", "created", "updated", "unchanged", "failedCount", "total"];
    Value::Array(counts.iter().map(|key| stands[key].clone()).collect())
}

#[tokio::test]
async fn an_export_imports_as_the_same_objects() {
    let service = Service::start().await;
    let (folder, alice) = (&service.folder, service.http("alice"));
    let file = folder.file("rich.ics", rich() + &event("bell", "20250301T100000Z", 15));
    let import = async |file: &str, into: &str| service.run("alice", &["import", file, "--into", into, "--json"]).await;
    assert_eq!(outcome(&import(&file, DEFAULT).await.fine()), json!(["completed", 3, 0, 0, 0, 3]));
    assert_eq!(outcome(&import(&file, DEFAULT).await.fine()), json!(["completed", 0, 0, 3, 0, 3]));

    assert_eq!(alice.post("/api/calendars", r#"{"id":"50%20 copy"}"#).await.status, 201);
    let exported = service.run("alice", &["export", DEFAULT]).await.fine();
    let copied = folder.file("copy.ics", &exported);
    let said = service.run("alice", &["import", &copied, "--into", "/calendars/alice/50%20 copy"]).await.fine();
    assert_eq!(said, "completed: 3 imported, 0 failed\n");
    let parts = |text: &str| {
        text.split_once("BEGIN:V").expect("a component").1.split_once("BEGIN:V").expect("more").1.to_owned()
    };
    for name in ["series.ics", "todo.ics", "bell.ics"] {
        let (first, second) = (
            alice.get(&format!("{DEFAULT}/{name}")).await,
            alice.get(&format!("/calendars/alice/50%2520%20copy/{name}")).await,
        );
        assert_eq!((first.status, second.status), (200, 200), "{name}");
        assert_eq!(parts(&first.text()), parts(&second.text()), "{name}");
    }
    let again = service.run("alice", &["export", "/calendars/alice/50%20 copy/"]).await.fine();
    assert_eq!(parts(&exported), parts(&again));

    let cards = folder.file("cards.vcf", card("1") + &card("2"));
    let book = "/addressbooks/alice/collected";
    assert_eq!(outcome(&import(&cards, book).await.fine()), json!(["completed", 2, 0, 0, 0, 2]));
    let exported = service.run("alice", &["export", book]).await.fine();
    assert_eq!(exported, card("1") + &card("2"));

    service.run("alice", &["export", "/calendars/alice/none"]).await.failed(1, &["404"]);
    service.run("alice", &["export", "/calendars/bob/default"]).await.failed(1, &["40"]);
    let mut child = service.command("alice", &["export", DEFAULT]).stdout(Stdio::piped()).spawn().expect("it starts");
    drop(child.stdout.take());
    let ran = waited(child).await;
    assert_eq!((ran.code, ran.err.as_str()), (Some(1), ""));
}

#[tokio::test]
async fn an_import_tells_what_did_not_go_in() {
    let service = Service::start().await;
    let folder = &service.folder;
    let headless = plain_event("2", "20250115T090000Z").replace("DTSTART:20250115T090000Z\r\n", "");
    let partly = folder.file("partly.ics", plain_event("1", "20250115T090000Z") + &headless);
    let import = async |args: &[&str]| service.run("alice", &[&["import"], args].concat()).await;
    let ran = import(&[&partly, "--into", DEFAULT]).await;
    assert_eq!((ran.code, ran.out.as_str()), (Some(3), "completed: 1 imported, 1 failed\n"), "{ran:?}");
    let error: Value = serde_json::from_str(&ran.err).expect("one line of JSON");
    assert_eq!(error, json!({ "line": 15, "uid": "2", "code": "invalid", "detail": "a VEVENT without DTSTART" }));
    let ran = import(&[&partly, "--into", DEFAULT, "--json"]).await;
    assert_eq!((ran.code, outcome(&ran.out)), (Some(3), json!(["completed", 0, 0, 1, 1, 2])));

    // Nothing went in: that is no part.
    let whole = folder.file("whole.ics", &headless);
    let ran = import(&[&whole, "--into", DEFAULT]).await;
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), "completed: 0 imported, 1 failed\n"));
    for into in ["/calendars/alice/none", "/calendars/bob/default"] {
        import(&[&partly, "--into", into, "--json"]).await.failed(1, &["40"]);
    }
    for (name, content) in [("page.ics", &b"<html>"[..]), ("bytes.ics", b"\xFF\xFE"), ("none.ics", b"")] {
        let ran = import(&[&folder.file(name, content), "--into", DEFAULT, "--json"]).await;
        assert_eq!((ran.code, &outcome(&ran.out)[0]), (Some(1), &json!("failed")), "{name}");
        ran.says(&["BEGIN:VCALENDAR is missing"]);
    }
    import(&[&folder.path("absent.ics"), "--into", DEFAULT]).await.failed(1, &["absent.ics: No such file"]);
    service.run("nobody", &["import", &partly, "--into", DEFAULT]).await.failed(1, &["401"]);
}

#[tokio::test]
async fn a_watch_prints_pushes_as_they_come() {
    let service = Service::start().await;
    let alice = service.http("alice");
    let put = async |number: u32| {
        let written =
            alice.put(&format!("{DEFAULT}/{number}.ics"), &plain_event(&number.to_string(), "20250301T100000Z")).await;
        assert_eq!(written.status, 201, "{written:?}");
    };
    let json = |line: &str| serde_json::from_str::<Value>(line).expect("JSON");

    let heard = service.folder.path("heard");
    let command = format!("cat >> {heard}; echo >> {heard}; echo ran");
    let args = ["watch", "--count", "2", "--json", "--exec", &command, DEFAULT];
    let mut watch = Process::start(service.command("alice", &args));
    assert_eq!(json(&line_with(&mut watch.out, "registered").await)["registered"], json!([DEFAULT]));
    let mut pushes = Vec::new();
    for number in 0..2 {
        put(number).await;
        let push = line_with(&mut watch.out, "syncToken").await;
        assert!(json(&push)[DEFAULT]["syncToken"].is_string(), "{push}");
        line_with(&mut watch.out, "ran").await;
        pushes.push(push);
    }
    assert_eq!(watch.code().await, Some(0));
    assert_eq!(service.folder.read("heard").lines().collect::<Vec<_>>(), pushes);

    // For people: a line a push, and nothing else.
    let mut watch = Process::start(service.command("alice", &["watch", "--count", "1"]));
    let writing = async {
        for number in 2.. {
            put(number).await;
        }
    };
    let line = tokio::select! {
        line = line_with(&mut watch.out, "changed") => line,
        () = writing => unreachable!(),
    };
    assert!(line.starts_with(&format!("changed    {DEFAULT}  http://sabre.io/ns/sync/")), "{line}");
    assert_eq!(watch.code().await, Some(0));

    // A command that fails is told, and does not end the watch.
    let args = ["watch", "--count", "1", "--json", "--exec", "exit 7", DEFAULT];
    let mut watch = Process::start(service.command("alice", &args));
    line_with(&mut watch.out, "registered").await;
    put(100_000).await;
    assert!(line_with(&mut watch.err, "exit 7").await.contains("exit status: 7"));
    assert_eq!(watch.code().await, Some(0));
}

#[tokio::test]
async fn a_watch_of_nothing_ends() {
    let service = Service::start().await;
    let ran = pace::within(PATIENCE, service.run("alice", &["watch", "/calendars/alice/none"])).await.expect("an end");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    ran.says(&["not registered: {\"/calendars/alice/none\":\"NotFound\"}", "none of the paths can be watched"]);
    assert!(!ran.err.contains("trying again"), "{ran:?}");
    service.run("nobody", &["watch"]).await.failed(1, &["401", "Wrong credentials"]);
    // One of two is something.
    let args = ["watch", "--count", "1", "--json", "/calendars/alice/none", DEFAULT];
    let mut watch = Process::start(service.command("alice", &args));
    line_with(&mut watch.out, "\"registered\"").await;
    let written = service.http("alice").put(&format!("{DEFAULT}/1.ics"), &plain_event("1", "20250301T100000Z")).await;
    assert_eq!(written.status, 201);
    assert_eq!(watch.code().await, Some(0));
}
