//! `campanile user`: on a store that nobody holds, and through a running service.

use serde_json::{Value, json};

use crate::cli::{Folder, Process, Service, command, line_with, run, run_with};
use crate::live::client::Http;

fn names(json: &str) -> Vec<String> {
    let users = json.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    users.map(|user| user["name"].as_str().expect("a name").to_owned()).collect()
}

#[tokio::test]
async fn users_are_kept_in_a_store_that_nobody_holds() {
    let folder = Folder::new();
    let store = folder.path("store");
    let data = ["--data", &store];
    let user = async |args: &[&str]| run(&[&["user"], args, &data].concat()).await;
    assert_eq!(user(&["list"]).await.fine(), "");
    let zoe = ["add", "Zoe", "--email", "zoe@example.org", "--display-name", "Zoe Z", "--timezone", "Europe/Paris"];
    assert_eq!(user(&[&zoe[..], &["--new-password", "old"]].concat()).await.fine(), "");
    let amy = ["user", "add", "amy", "--email", "amy@example.org", "--administrator", data[0], data[1]];
    let ran = run_with(&amy, "secret\r\n").await;
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), "new password: "));

    let listed = user(&["list"]).await.fine();
    let rows: Vec<Vec<&str>> = listed.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows, [vec!["amy", "amy@example.org", "amy"], vec!["zoe", "zoe@example.org", "Zoe", "Z"]]);
    let json = user(&["list", "--json"]).await.fine();
    let shown: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let zoe_shown = json!({
        "name": "zoe", "email": "zoe@example.org", "displayName": "Zoe Z", "timezone": "Europe/Paris",
        "administrator": false,
    });
    assert_eq!((&shown[0]["administrator"], &shown[1]), (&json!(true), &zoe_shown));

    let refused: [(&[&str], &str); 8] = [
        (&zoe, "taken"),
        (&["add", "zed", "--email", "zoe@example.org"], "taken"),
        (&["add", "a/b", "--email", "a@example.org"], "\"a/b\" cannot be a login name"),
        (&["add", "zed", "--email", "zed"], "\"zed\" is no mail address"),
        (&["add", "zed", "--email", "z@e.org", "--timezone", "Mars/Olympus"], "no zone named \"Mars/Olympus\""),
        (&["passwd", "zed"], "no user named \"zed\""),
        (&["remove", "zed"], "no user named \"zed\""),
        (&["remove", "a/b"], "no user named \"a/b\""),
    ];
    for (args, says) in refused {
        let password: &[&str] = if args[0] == "remove" { &[] } else { &["--new-password", "x"] };
        user(&[args, password].concat()).await.failed(1, &[says]);
    }
    let ran = run_with(&["user", "passwd", "zoe", data[0], data[1]], "").await;
    ran.failed(1, &["no password was given"]);
    assert_eq!(names(&user(&["list", "--json"]).await.fine()), ["amy", "zoe"]);
    assert_eq!(run_with(&["user", "passwd", "ZOE", data[0], data[1]], "new\n").await.code, Some(0));
    assert_eq!(user(&["remove", "amy"]).await.fine(), "");

    // What was kept is what a service on this store knows.
    let mut service = Process::start(command(&["serve", "--listen", "127.0.0.1:0", data[0], data[1]]));
    let line = line_with(&mut service.err, "listening").await;
    let base = line.rsplit("address=").next().expect("an address").to_owned();
    // zoe:new, zoe:old, amy:secret
    for (credentials, status) in [("em9lOm5ldw==", 200), ("em9lOm9sZA==", 401), ("YW15OnNlY3JldA==", 401)] {
        let http = Http::with(&base, &format!("Basic {credentials}"));
        assert_eq!(http.get("/api/me").await.status, status, "{credentials}");
    }
    user(&["list"]).await.failed(1, &["a service holds the store", &store, "--user", "--password"]);
    assert_eq!(service.terminate().await, Some(0));
    assert_eq!(names(&user(&["list", "--json"]).await.fine()), ["zoe"]);
}

#[tokio::test]
async fn users_are_kept_through_a_running_service() {
    let service = Service::start().await;
    let admin = async |args: &[&str]| service.run("admin", &[&["user"], args].concat()).await;
    assert_eq!(names(&admin(&["list", "--json"]).await.fine()), ["admin", "alice", "bob", "carol"]);
    assert!(admin(&["list"]).await.fine().starts_with("admin "));
    let zoe = ["add", "zoe", "--email", "zoe@example.org", "--new-password", "zoe"];
    assert_eq!(admin(&zoe).await.fine(), "");
    let home = service.run("zoe", &["export", "/calendars/zoe/default"]).await.fine();
    assert!(home.starts_with("BEGIN:VCALENDAR\r\n"), "{home}");
    assert_eq!(admin(&["passwd", "zoe", "--new-password", "new"]).await.fine(), "");
    assert_eq!(service.http("zoe").get("/api/me").await.status, 401);

    admin(&zoe).await.failed(1, &["409", "taken"]);
    admin(&["remove", "zed"]).await.failed(1, &["404"]);
    admin(&["passwd", "zed", "--new-password", "x"]).await.failed(1, &["404"]);
    admin(&["add", "a/b", "--email", "a@b", "--new-password", "x"])
        .await
        .failed(1, &["\"a/b\" cannot be a login name"]);
    assert_eq!(admin(&["remove", "zoe"]).await.fine(), "");
    assert_eq!(names(&admin(&["list", "--json"]).await.fine()), ["admin", "alice", "bob", "carol"]);

    service.run("alice", &["user", "list"]).await.failed(1, &["403"]);
    service.run("nobody", &["user", "list"]).await.failed(1, &["401", "Wrong credentials"]);
    let url = ["--user", "admin", "--password", "admin", "--url"];
    run(&[&["user", "list"], &url[..], &["http://127.0.0.1:1"]].concat())
        .await
        .failed(1, &["cannot reach 127.0.0.1:1"]);
    run(&[&["user", "list"], &url[..], &["https://localhost"]].concat()).await.failed(1, &["only http://"]);
}
