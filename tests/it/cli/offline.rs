//! What needs neither service nor store: help, wrong usage, files that are broken, the configuration, pipes that nobody reads.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::cli::{Folder, command, ended, run, waited};
use crate::live::plain_event;

const YEAR: [&str; 4] = ["--from", "2025-01-01T00:00:00Z", "--to", "2026-01-01T00:00:00Z"];

#[tokio::test]
async fn every_command_explains_itself() {
    let commands = [
        "",
        "serve",
        "user",
        "user add",
        "user passwd",
        "user list",
        "user remove",
        "import",
        "export",
        "expand",
        "alarms",
        "alarms simulate",
        "watch",
        "config",
        "config show",
        "config check",
        "health",
    ];
    for name in commands {
        let args: Vec<&str> = name.split_whitespace().chain(["--help"]).collect();
        let out = run(&args).await.fine();
        assert!(out.contains(format!("Usage: campanile {name}").trim_end()), "{name}: {out}");
    }
    assert!(run(&["--version"]).await.fine().starts_with("campanile "));
}

#[tokio::test]
async fn wrong_usage_is_told_apart() {
    let folder = Folder::new();
    let ics = folder.file("a.ics", plain_event("1", "20250115T090000Z"));
    let rows: [(&[&str], &str); 13] = [
        (&[], "Usage: campanile"),
        (&["ring"], "'ring'"),
        (&["user"], "Usage: campanile user"),
        (&["user", "add", "zoe"], "--email"),
        (&["expand", &ics], "--from"),
        (&["expand", &ics, "--from", "yesterday", "--to", "2026-01-01T00:00:00Z"], "'yesterday'"),
        (&["expand", &ics, YEAR[0], YEAR[1], YEAR[2], YEAR[3], "--tz", "Mars/Olympus"], "Mars/Olympus"),
        (&["expand", &ics, "--from", YEAR[3], "--to", YEAR[1]], "--from is behind --to"),
        (&["import", &ics, "--into", "somewhere"], "'somewhere'"),
        (&["export", "/calendars/alice"], "'/calendars/alice'"),
        (&["watch", "/calendars/alice/default/1.ics"], "'/calendars/alice/default/1.ics'"),
        (&["serve", "--listen", "here"], "'here'"),
        (&["serve", "--clock", "noon"], "\"noon\" is neither \"system\" nor an instant"),
    ];
    for (args, says) in rows {
        let ran = run(args).await;
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{args:?}: {ran:?}");
        ran.says(&[says]);
    }
}

/// File, line, and why.
#[tokio::test]
async fn broken_files_are_told_where() {
    let folder = Folder::new();
    let event = |line: &str| {
        plain_event("1", "20250115T090000Z")
            .replace("SUMMARY", &format!("{line}\r\nBEGIN:VALARM\r\nTRIGGER:PT0S\r\nEND:VALARM\r\nSUMMARY"))
    };
    let rows: [(&str, Vec<u8>, &str); 7] = [
        (
            "cut.ics",
            event("COMMENT:x").replace("END:VCALENDAR\r\n", "").into(),
            "line 15: the text ends within the VCALENDAR of line 1",
        ),
        ("page.ics", b"<html>".to_vec(), "line 1: BEGIN:VCALENDAR is missing"),
        ("bytes.ics", b"BEGIN:VCALENDAR\r\nX:\xFF\r\nEND:VCALENDAR\r\n".to_vec(), "line 2: not UTF-8"),
        (
            "zone.ics",
            event("COMMENT:x").replace("DTSTART:20250115T090000Z", "DTSTART;TZID=Mars/Olympus:20250115T090000").into(),
            "line 7: no zone named \"Mars/Olympus\"",
        ),
        ("rule.ics", event("RRULE:FREQ=DAILY;INTERVAL=0").into(), "line 9: INTERVAL of a rule is no count: \"0\""),
        ("long.ics", event("RRULE:FREQ=SECONDLY").into(), "more than 50000 steps"),
        ("empty.ics", Vec::new(), "line 1: BEGIN:VCALENDAR is missing"),
    ];
    for (name, content, why) in rows {
        let path = folder.file(name, content);
        for start in [&["expand"][..], &["alarms", "simulate"]] {
            let ran = run(&[start, &[&path], &YEAR].concat()).await;
            ran.failed(1, &[&format!("{path}: "), why]);
            assert_eq!(ran.out, "");
        }
    }
    run(&[&["expand", &folder.path("none.ics")][..], &YEAR].concat()).await.failed(1, &["none.ics: No such file"]);
    run(&[&["expand", &folder.path("")][..], &YEAR].concat()).await.failed(1, &["directory"]);
}

#[tokio::test]
async fn people_get_lines_too() {
    let folder = Folder::new();
    let text = plain_event("1", "20250115T090000Z")
        .replace("SUMMARY", "BEGIN:VALARM\r\nACTION:AUDIO\r\nTRIGGER:-PT5M\r\nEND:VALARM\r\nSUMMARY");
    let ics = folder.file("a.ics", text);
    let out = run(&[&["expand", &ics][..], &YEAR].concat()).await.fine();
    assert_eq!(out, "2025-01-15T09:00:00Z   Event 1\n");
    let out = run(&[&["alarms", "simulate", &ics][..], &YEAR].concat()).await.fine();
    assert_eq!(out, "2025-01-15T08:55:00Z  AUDIO    2025-01-15T09:00:00Z  Event 1\n");
}

#[tokio::test]
async fn an_email_alarm_is_simulated_with_whom_it_mails() {
    let folder = Folder::new();
    let alarm = |action: &str, minutes: u32| {
        format!(
            "BEGIN:VALARM\r\nACTION:{action}\r\nATTENDEE:mailto:a@example.org\r\nATTENDEE:MAILTO:b@example.org\r\n\
             TRIGGER:-PT{minutes}M\r\nEND:VALARM\r\n"
        )
    };
    let text = plain_event("1", "20250115T090000Z")
        .replace("SUMMARY", &format!("{}{}SUMMARY", alarm("EMAIL", 5), alarm("DISPLAY", 4)));
    let ics = folder.file("a.ics", text);
    let out = run(&[&["alarms", "simulate", &ics][..], &YEAR].concat()).await.fine();
    let email = "2025-01-15T08:55:00Z  EMAIL    2025-01-15T09:00:00Z  Event 1  to a@example.org, b@example.org";
    assert_eq!(out, format!("{email}\n2025-01-15T08:56:00Z  DISPLAY  2025-01-15T09:00:00Z  Event 1\n"));
    let out = run(&[&["alarms", "simulate", &ics, "--json"][..], &YEAR].concat()).await.fine();
    let to: Vec<serde_json::Value> = out
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["attendees"].clone())
        .collect();
    assert_eq!(to, [serde_json::json!(["a@example.org", "b@example.org"]), serde_json::json!([])]);
}

#[tokio::test]
async fn the_configuration_tells_what_won() {
    let folder = Folder::new();
    let file =
        folder.file("c.toml", "[http]\nconnections = 7\n[limits]\nsockets = 8\n[store]\npath = \"/from/file\"\n");
    let level = folder.file("level", "debug\n");
    let show = |flags: &[&str]| {
        let mut command = command(&[&["config", "show", "--config", &file, "--data", "/from/flag"], flags].concat());
        command
            .env("CAMPANILE_LIMITS__SOCKETS", "9")
            .env("CAMPANILE_LOG__LEVEL_FILE", &level)
            .env("CAMPANILE_URL", "x");
        ended(command)
    };
    let out = show(&["--origin"]).await.fine();
    let rows = [
        "http.header_seconds = 15  # default".to_owned(),
        format!("http.connections = 7  # {file}"),
        "limits.sockets = 9  # $CAMPANILE_LIMITS__SOCKETS".to_owned(),
        "log.level = \"debug\"  # $CAMPANILE_LOG__LEVEL_FILE".to_owned(),
        "store.path = \"/from/flag\"  # --data".to_owned(),
        "listener = [{ address = \"127.0.0.1:8008\" }]  # default".to_owned(),
    ];
    for row in rows {
        assert!(out.lines().any(|line| line == row), "no {row} in\n{out}");
    }
    assert!(show(&[]).await.fine().lines().any(|line| line == "limits.sockets = 9"));
    let json = show(&["--json"]).await.fine();
    let mut rows = json.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let row = rows.find(|row| row["key"] == "limits.sockets").expect("a row");
    assert_eq!(row, json!({ "key": "limits.sockets", "value": 9, "origin": "$CAMPANILE_LIMITS__SOCKETS" }));
    // All that is shown can be read again.
    let again = folder.file("again.toml", show(&[]).await.fine());
    assert_eq!(run(&["config", "check", "--config", &again]).await.fine(), "the configuration is sound\n");
}

#[tokio::test]
async fn a_wrong_configuration_is_named_with_its_place() {
    let folder = Folder::new();
    let rows = [
        ("[store]\nengin = \"redb\"", "no setting named store.engin"),
        ("nonsense = 1", "no setting named nonsense"),
        ("[store]\nengine = \"floppy\"", "store.engine"),
        ("[http]\nheader_seconds = 0", "http.header_seconds"),
        ("[http]\nheader_seconds = \"long\"", "http.header_seconds"),
        ("[limits]\nsockets = -1", "limits.sockets"),
        ("[[listener]]\naddress = \"here\"", "listener"),
        ("[[listener]]\nadress = \"127.0.0.1:1\"", "listener"),
        ("listener = []", "listener"),
        ("store = 3", "store"),
        ("[log.level]\nx = 1", "log.level"),
        ("[sweep]\nschedule = \"0 0 0 30 2 *\"", "sweep.schedule"),
        ("[calendar]\ndefault_timezone = \"Mars/Olympus\"", "calendar.default_timezone"),
    ];
    for (text, says) in rows {
        let file = folder.file("c.toml", text);
        for args in [&["config", "check", "--config", &file], &["serve", "--demo", "--config", &file][..]] {
            run(args).await.failed(1, &[&file, says]);
        }
    }
    let file = folder.file("c.toml", "[http");
    let ran = run(&["config", "check", "--config", &file]).await;
    assert_eq!(ran.code, Some(1));
    ran.says(&[&file, "line 1, column 6"]);
    let absent = folder.path("absent");
    run(&["config", "check", "--config", &absent]).await.failed(1, &[&absent]);
    let rows = [
        ("CAMPANILE_STORE__ENGINE", "floppy", "store.engine"),
        ("CAMPANILE_LIMITS__SOCKETS", "many", "limits.sockets"),
        ("CAMPANILE_LIMITS__SOCKET", "1", "no setting named limits.socket"),
        ("CAMPANILE_STORE__PATH_FILE", absent.as_str(), absent.as_str()),
    ];
    for (name, value, says) in rows {
        let mut command = command(&["config", "check"]);
        command.env(name, value);
        ended(command).await.failed(1, &[name, says]);
    }
}

/// As in `| head`: the reader goes away first.
#[tokio::test]
async fn a_closed_pipe_is_no_panic() {
    let folder = Folder::new();
    let text = plain_event("1", "20250115T090000Z").replace("SUMMARY", "RRULE:FREQ=SECONDLY\r\nSUMMARY");
    let ics = folder.file("a.ics", text);
    let rows: [&[&str]; 4] = [
        &["expand", &ics, "--json", "--from", "2025-01-15T09:00:00Z", "--to", "2025-01-15T12:00:00Z"],
        &["config", "show"],
        &["--help"],
        &["serve", "--help"],
    ];
    for args in rows {
        let mut child = command(args).stdout(Stdio::piped()).spawn().expect("it starts");
        drop(child.stdout.take());
        let ran = waited(child).await;
        assert!(ran.code.is_some_and(|code| code <= 1) && ran.err.is_empty(), "{args:?}: {ran:?}");
    }
}
