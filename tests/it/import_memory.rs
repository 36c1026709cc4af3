//! What a large file costs the service beside what it is at rest: less than the file, in a process of its own.

use std::fmt::Write;

use crate::kill::{Process, ended};
use crate::live::client::Http;

/// Bytes of a file; an upload may have a little more.
const FILE_BYTES: usize = 50_000_000;
const EXTRA_KIB: u64 = 100 * 1_024;

/// The most that a process ever had in memory, in KiB.
fn peak(process: &Process) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).expect("its status");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("its peak");
    line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
}

async fn import(http: &Http, file: String) -> serde_json::Value {
    let path = "/api/imports?target=/calendars/alice/default";
    let taken = http.send("POST", path, &[("content-type", "text/calendar")], file).await;
    assert_eq!(taken.status, 202, "{taken:?}");
    ended(http, taken.json()["id"].as_str().expect("an id")).await
}

fn around(middle: &str) -> String {
    let event =
        |uid: &str| format!("BEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20250101T000000Z\r\nDTSTART:20250301T100000Z\r\n");
    format!(
        "BEGIN:VCALENDAR\r\nPRODID:x\r\n{}END:VEVENT\r\n{}{middle}\r\nEND:VEVENT\r\n{}END:VEVENT\r\nEND:VCALENDAR\r\n",
        event("left"),
        event("bad"),
        event("right")
    )
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_fifty_megabytes_costs_less_than_a_hundred() {
    let dir = tempfile::tempdir().expect("a directory");
    let process = Process::start(&dir.path().join("store"), "sled");
    let http = Http::new(&process.base, "alice");
    import(&http, around("SUMMARY:small")).await;
    let rest = peak(&process);
    let mut folds = String::from("COMMENT:x");
    while folds.len() < FILE_BYTES {
        folds.push_str("\r\n x");
    }
    let mut alarms = String::from("SUMMARY:x");
    while alarms.len() < FILE_BYTES {
        alarms.push_str("\r\nBEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT1M\r\nEND:VALARM");
    }
    let mut properties = String::from("SUMMARY:x");
    for number in 0.. {
        if properties.len() >= FILE_BYTES {
            break;
        }
        write!(properties, "\r\nX-{number}:{number}").expect("a text takes it");
    }
    let rows = [
        ("one line", format!("DESCRIPTION:{}", "x".repeat(FILE_BYTES))),
        ("folds", folds),
        ("alarms", alarms),
        ("properties", properties),
    ];
    for (what, middle) in rows {
        let stands = import(&http, around(&middle)).await;
        assert_eq!((&stands["unchanged"], &stands["failedCount"]), (&2.into(), &1.into()), "{what}: {stands}");
        let extra = peak(&process) - rest;
        println!("{what}: {extra} KiB more than at rest");
        assert!(extra < EXTRA_KIB, "{what}: {extra} KiB more than at rest");
    }
    process.kill();
}
