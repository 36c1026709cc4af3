//! What the program writes to its log, at its wordiest: a number for each request, and nothing that opens a door.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::live::client::{Http, Socket};
use crate::live::event;

/// A text that stands in bodies, and nowhere else.
const SECRET: &str = "Rendezvous-with-the-bell-ringer";

/// A process that does not outlive its test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It has ended already, unless the test failed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn log_of_a_day(format: &str) -> (String, Vec<String>, Vec<String>) {
    let dir = tempfile::tempdir().expect("a directory");
    let child = Command::new(env!("CARGO_BIN_EXE_campanile"))
        .args(["serve", "--demo", "--listen", "127.0.0.1:0", "--clock", "2025-01-15T09:00:00Z", "--data"])
        .arg(dir.path().join("store"))
        .env("CAMPANILE_LOG__LEVEL", "trace")
        .env("CAMPANILE_LOG__FORMAT", format)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut process = Process(child);
    let child = &mut process.0;
    let mut errors = child.stderr.take().expect("its log");
    // Read at once, or the program waits for room in the pipe.
    let log = std::thread::spawn(move || {
        let mut log = String::new();
        errors.read_to_string(&mut log).map(|_| log).expect("a log in UTF-8")
    });
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let first = lines.next().expect("a greeting").expect("a line");
    let base = first.rsplit("http://").next().expect("an address").to_owned();

    let alice = Http::new(&base, "alice");
    let admin = Http::new(&base, "admin");
    let mut secrets = vec![SECRET.to_owned(), STANDARD.encode("alice:alice"), "wrong-password-1".to_owned()];
    let mut ids = Vec::new();
    let mut ticket = async || {
        let value = alice.post("/ws/ticket", "").await.json()["value"].as_str().expect("a ticket").to_owned();
        secrets.push(value.clone());
        value
    };
    let used = ticket().await;
    let mut socket = Socket::open(&base, &used).await.expect("it opens");
    socket.hear().await;
    socket.register("/calendars/alice/default").await;
    socket.enable_alarms().await;
    let revoked = ticket().await;
    assert_eq!(alice.delete(&format!("/ws/ticket/{revoked}")).await.status, 204);
    let by_query = ticket().await;
    assert_eq!(alice.delete(&format!("/ws/ticket?ticket={by_query}")).await.status, 204);
    let opens = ticket().await;
    assert_eq!(Http::anonymous(&base).get(&format!("/api/calendars?ticket={opens}")).await.status, 200);
    assert_eq!(Http::anonymous(&base).get(&format!("/api/calendars?ticket={opens}")).await.status, 401);

    let issued = alice.post("/api/tokens", "").await;
    assert_eq!(issued.status, 201, "{issued:?}");
    let token = issued.json()["token"].as_str().expect("a token").to_owned();
    assert_eq!(Http::with(&base, &format!("Bearer {token}")).get("/api/me").await.status, 200);
    assert_eq!(alice.delete(&format!("/api/tokens/{token}")).await.status, 204);
    assert_eq!(Http::with(&base, &format!("Bearer {token}")).get("/api/me").await.status, 401);
    let wrong = STANDARD.encode("alice:wrong-password-1");
    assert_eq!(Http::with(&base, &format!("Basic {wrong}")).get("/api/me").await.status, 401);
    secrets.extend([token, wrong]);

    let newcomer = json!({ "name": "dora", "email": "d@e.org", "password": "wrong-password-1" }).to_string();
    let reply = admin.post("/api/users", &newcomer).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    ids.push(reply.header("x-request-id").to_owned());
    let body = event("a", "20250115T100000Z", 15).replace("SUMMARY:", &format!("SUMMARY:{SECRET} "));
    let reply = alice.put("/calendars/alice/default/a.ics", &body).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    ids.push(reply.header("x-request-id").to_owned());
    let broken = body.replace("DTSTART:2025", "DTSTART:never").replace("END:VALARM\r\n", "");
    let reply = alice.put("/calendars/alice/default/b.ics", &broken).await;
    ids.push(reply.header("x-request-id").to_owned());
    let turned = alice.patch("/api/clock", r#"{"set":"2025-01-15T09:45:00Z"}"#).await;
    assert_eq!(turned.json()["firedCount"], 1, "{turned:?}");
    socket.heard().await;

    let stopped = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("kill runs");
    assert!(stopped.success());
    child.wait().expect("it ends");
    (log.join().expect("the log ends"), secrets, ids)
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_number_the_requests_and_hold_no_secret() {
    for format in ["text", "json"] {
        let (log, secrets, ids) = log_of_a_day(format).await;
        assert!(log.lines().count() > 20, "it is wordy:\n{log}");
        for secret in &secrets {
            let line = log.lines().find(|line| line.contains(secret.as_str()));
            assert_eq!(line, None, "{format}: {secret}");
        }
        assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), ids.len());
        for id in &ids {
            let line = log.lines().find(|line| line.contains(id.as_str()) && line.contains("answered"));
            let line = line.unwrap_or_else(|| panic!("no line of {id:?} in\n{log}"));
            assert!(line.contains("route") && line.contains("status") && !line.contains("a.ics"), "{line}");
        }
    }
}
