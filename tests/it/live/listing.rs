//! `campanile alarms list` against a running service.

use std::process::Output;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::live::{House, event};

async fn list(house: &House, user: &str, flags: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_campanile"));
    command.args(["alarms", "list", "--url", &format!("http://{}", house.base()), "--user", user, "--password", user]);
    command.args(flags).output().await.expect("the program runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

#[tokio::test(flavor = "multi_thread")]
async fn alarms_are_listed_from_the_command_line() {
    let house = House::open_with(&[("store.engine", "memory")]).await;
    let carol = house.http("carol");
    for (uid, start) in [("a", "20250115T100000Z"), ("b", "20250115T110000Z"), ("c", "20250301T100000Z")] {
        assert_eq!(carol.put(&format!("/calendars/carol/default/{uid}.ics"), &event(uid, start, 15)).await.status, 201);
    }
    house.turn("2025-01-15T09:45:00Z").await;
    let listed = list(&house, "carol", &[]).await;
    let lines = text(&listed.stdout);
    assert!(listed.status.success(), "{listed:?}");
    assert_eq!(
        lines.lines().collect::<Vec<_>>(),
        [
            "2025-01-15T09:45:00Z  DISPLAY  waiting      Event a  /calendars/carol/default/a.ics",
            "2025-01-15T10:45:00Z  DISPLAY  planned      Event b  /calendars/carol/default/b.ics",
        ]
    );
    let id = carol.get("/api/alarms").await.json()[0]["id"].as_str().expect("an id").to_owned();
    let until = json!({ "until": "2025-01-15T09:50:00Z" }).to_string();
    assert_eq!(carol.post(&format!("/api/alarms/{id}/snooze"), &until).await.status, 200);
    assert!(text(&list(&house, "carol", &[]).await.stdout).contains("snoozed until 2025-01-15T09:50:00Z Event a"));

    // An offset is an instant like any other; windows are half-open.
    let window = ["--json", "--from", "2025-01-15T11:45:00+01:00", "--to", "2025-03-01T09:45:01Z"];
    let listed = text(&list(&house, "carol", &window).await.stdout);
    let alarms: Vec<Value> = listed.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let at: Vec<_> = alarms.iter().map(|alarm| alarm["at"].as_str().expect("an instant")).collect();
    assert_eq!(at, ["2025-01-15T10:45:00Z", "2025-03-01T09:45:00Z"]);
    let until = ["--to", "2025-03-01T09:45:00Z"];
    assert!(!text(&list(&house, "carol", &until).await.stdout).contains("Event c"));

    let wide = list(&house, "carol", &["--to", "2035-01-01T00:00:00Z"]).await;
    assert_eq!((wide.status.code(), text(&wide.stdout)), (Some(1), String::new()));
    assert!(text(&wide.stderr).contains("a window has at most 366 days"), "{wide:?}");
    assert_eq!(list(&house, "carol", &["--from", "yesterday"]).await.status.code(), Some(2));
    let stranger = list(&house, "nobody", &[]).await;
    assert_eq!(stranger.status.code(), Some(1));
    assert!(text(&stranger.stderr).contains("401"), "{stranger:?}");
    house.stop().await;
}
