//! `kill -9` in a loop, during PUTs and during an import: nothing that was acknowledged is lost, nothing is doubled.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use campanile::system::pace;
use serde_json::json;

use crate::live::client::{Http, PATIENCE};
use crate::live::plain_event;

const ROUNDS: usize = 50;
const WRITERS: usize = 4;
/// Events of the import that is under way in each round.
const IMPORTED: usize = 150;

/// The program as a process of its own.
struct Process {
    child: Child,
    base: String,
}

impl Process {
    fn start(dir: &Path, engine: &str) -> Process {
        let mut child = Command::new(env!("CARGO_BIN_EXE_campanile"))
            .args(["serve", "--demo", "--listen", "127.0.0.1:0", "--data"])
            .arg(dir)
            .env("CAMPANILE_STORE__ENGINE", engine)
            .env("CAMPANILE_LIMITS__LOGINS_PER_MINUTE", "0")
            .env("CAMPANILE_LOG__LEVEL", "error")
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let first = lines.next().expect("a greeting").expect("a line");
        let base = first.rsplit("http://").next().expect("an address").to_owned();
        Process { child, base }
    }

    fn kill(mut self) {
        self.child.kill().expect("it dies");
        self.child.wait().expect("it is dead");
    }
}

/// What clients were told is kept: path and body.
type Ledger = Arc<Mutex<BTreeMap<String, String>>>;

/// Writes until the process dies; each acknowledged body goes into the ledger.
async fn write(http: Http, round: usize, writer: usize, ledger: Ledger, told: Arc<AtomicU64>) {
    for number in 0.. {
        // Some names come again, so that overwrites are cut short too.
        let path = format!("/calendars/alice/default/w{writer}-{}.ics", (round * 7 + number) % 40);
        let uid = path.rsplit('/').next().expect("a name").to_owned();
        let body = plain_event(&uid, "20250301T100000Z").replace("SUMMARY:", &format!("SUMMARY:{round} {number} "));
        let headers = [("content-type", "text/calendar")];
        match http.try_send("PUT", &path, &headers, body.clone().into()).await {
            Ok(reply) if reply.status == 201 || reply.status == 204 => {
                ledger.lock().expect("the ledger").insert(path, body);
                told.fetch_add(1, Ordering::Relaxed);
            }
            Ok(reply) => panic!("{path}: {reply:?}"),
            // The write under way may have been kept or not: either is right, so the ledger forgets the name.
            Err(_) => {
                ledger.lock().expect("the ledger").remove(&path);
                return;
            }
        }
    }
}

async fn begin_import(http: &Http, round: usize) -> Option<String> {
    let file: String = (0..IMPORTED).map(|n| plain_event(&format!("i{round}-{n}"), "20250401T100000Z")).collect();
    let upload = format!("/api/files?name=f&size={}&mimetype=text/calendar", file.len());
    let kept = http.try_send("POST", &upload, &[], file.into()).await.ok()?.json();
    let asked = json!({ "fileId": kept["_id"], "target": "/calendars/alice/imported.json" }).to_string();
    let taken = http.try_send("POST", "/api/import", &[], asked.into()).await.ok()?.json();
    Some(taken["importId"].as_str().expect("an id").to_owned())
}

async fn ended(http: &Http, id: &str) -> serde_json::Value {
    let looking = async {
        loop {
            let stands = http.get(&format!("/api/imports/{id}")).await.json();
            if matches!(stands["status"].as_str(), Some("completed" | "failed")) {
                return stands;
            }
            tokio::task::yield_now().await;
        }
    };
    pace::within(PATIENCE, looking).await.expect("the import ends")
}

async fn survive(engine: &str, rounds: usize) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = dir.path().join("store");
    let ledger = Ledger::default();
    let mut imports: Vec<String> = Vec::new();
    let mut acknowledged = 0;
    for round in 0..rounds {
        let process = Process::start(&store, engine);
        let http = Http::new(&process.base, "alice");
        if round == 0 {
            let made = http.post("/api/calendars", r#"{"id":"imported"}"#).await;
            assert_eq!(made.status, 201, "{made:?}");
        }
        // What the last kill left is looked at before anything new is written.
        let kept = ledger.lock().expect("the ledger").clone();
        for (path, body) in kept.iter().skip(round % 3).step_by(3) {
            let found = http.get(path).await;
            assert_eq!((found.status, found.text()), (200, body.clone()), "{engine} round {round}: {path}");
        }
        if let Some(last) = imports.last().cloned() {
            let stands = ended(&http, &last).await;
            let want = (json!("completed"), json!(IMPORTED), json!(0), json!(0));
            let got = (&stands["status"], &stands["created"], &stands["updated"], &stands["failedCount"]);
            assert_eq!(got, (&want.0, &want.1, &want.2, &want.3), "{engine} round {round}: {stands}");
        }
        let told = Arc::new(AtomicU64::new(0));
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| tokio::spawn(write(http.clone(), round, writer, ledger.clone(), told.clone())))
            .collect();
        imports.extend(begin_import(&http, round).await);
        // Killed after another count of acknowledged writes in each round, so that it falls into every part of the work.
        let enough = 5 + (round as u64 * 13) % 60;
        let busy = async {
            while told.load(Ordering::Relaxed) < enough {
                tokio::task::yield_now().await;
            }
        };
        pace::within(PATIENCE, busy).await.expect("the service keeps up");
        process.kill();
        for writer in writers {
            writer.await.expect("a writer ends when the process is gone");
        }
        acknowledged += told.load(Ordering::Relaxed);
    }
    let process = Process::start(&store, engine);
    let http = Http::new(&process.base, "alice");
    let kept = ledger.lock().expect("the ledger").clone();
    for (path, body) in &kept {
        let found = http.get(path).await;
        assert_eq!((found.status, found.text()), (200, body.clone()), "{engine}: {path}");
    }
    for id in &imports {
        assert_eq!(ended(&http, id).await["status"], "completed");
    }
    // Each imported UID stands once, under one name.
    let listing = http.send("PROPFIND", "/calendars/alice/imported/", &[("depth", "1")], "").await;
    assert_eq!(listing.status, 207);
    let hrefs = listing.text().matches(".ics</").count();
    assert_eq!(hrefs, imports.len() * IMPORTED, "{engine}: {} imports", imports.len());
    println!(
        "{engine}: {rounds} kills, {acknowledged} acknowledged writes, {} imports; nothing lost, nothing doubled",
        imports.len()
    );
    process.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_service_loses_and_doubles_nothing_on_sled() {
    survive("sled", ROUNDS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_service_loses_and_doubles_nothing_on_redb() {
    survive("redb", ROUNDS / 5).await;
}

/// Rounds of invitations: so many here, more with `tests/proofs/invitations`.
const INVITING_ROUNDS: usize = 10;

/// What stands in somebody's calendar or inbox: each UID, as often as it is there.
async fn uids(http: &Http, path: &str) -> BTreeMap<String, usize> {
    let body = r#"<C:calendar-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><C:calendar-data/></D:prop><C:filter><C:comp-filter name="VCALENDAR"/></C:filter></C:calendar-query>"#;
    let found = http.send("REPORT", path, &[("depth", "1")], body).await;
    assert_eq!(found.status, 207, "{found:?}");
    let mut all = BTreeMap::new();
    for line in found.text().lines().filter_map(|line| line.trim().strip_prefix("UID:").map(str::to_owned)) {
        *all.entry(line.trim_end_matches("&#13;").to_owned()).or_default() += 1;
    }
    all
}

fn meeting(uid: &str) -> String {
    plain_event(uid, "20250301T100000Z").replace(
        "SUMMARY:",
        "ORGANIZER:mailto:alice@campanile.example\r\nATTENDEE:mailto:bob@campanile.example\r\nATTENDEE:mailto:carol@campanile.example\r\nSUMMARY:",
    )
}

/// Invites until the process dies; what was acknowledged goes into the ledger.
async fn invite(http: Http, round: usize, writer: usize, ledger: Ledger, told: Arc<AtomicU64>) {
    for number in 0.. {
        let uid = format!("k{round}-{writer}-{number}");
        let path = format!("/calendars/alice/default/{uid}.ics");
        let headers = [("content-type", "text/calendar")];
        match http.try_send("PUT", &path, &headers, meeting(&uid).into()).await {
            Ok(reply) if reply.status == 201 => {
                ledger.lock().expect("the ledger").insert(uid, path);
                told.fetch_add(1, Ordering::Relaxed);
            }
            Ok(reply) => panic!("{path}: {reply:?}"),
            Err(_) => return,
        }
    }
}

async fn clear(http: &Http, path: &str) {
    let listed = http.send("PROPFIND", path, &[("depth", "1")], "").await.text();
    for href in listed.split("<href>").skip(1).filter_map(|rest| rest.split('<').next()) {
        if href.ends_with(".ics") {
            let gone = http.send("DELETE", href, &[("schedule-reply", "F")], "").await;
            assert!(matches!(gone.status, 204 | 404), "{href}: {gone:?}");
        }
    }
}

/// What alice asks to has come to every attendee, once; `rounds` times the process dies somewhere between her commit and theirs.
async fn invite_and_die(engine: &str, rounds: usize) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = dir.path().join("store");
    let (mut invited, mut late) = (0, 0);
    let ledger = Ledger::default();
    for round in 0..=rounds {
        let process = Process::start(&store, engine);
        let people = ["alice", "bob", "carol"].map(|user| Http::new(&process.base, user));
        let mine = uids(&people[0], "/calendars/alice/default/").await;
        let acknowledged = std::mem::take(&mut *ledger.lock().expect("the ledger"));
        assert!(acknowledged.keys().all(|uid| mine.contains_key(uid)), "{engine} round {round}: lost");
        for (http, user) in [(&people[1], "bob"), (&people[2], "carol")] {
            let (calendar, inbox) = (format!("/calendars/{user}/default/"), format!("/calendars/{user}/inbox/"));
            late += usize::from(uids(http, &calendar).await != mine);
            let followed = async {
                while uids(http, &calendar).await != mine {
                    tokio::task::yield_now().await;
                }
            };
            pace::within(PATIENCE, followed).await.expect("everything comes");
            assert_eq!(uids(http, &inbox).await, mine, "{engine} round {round}: one message of each in {inbox}");
        }
        invited += mine.len();
        // Each round begins with empty calendars and inboxes, or the oldest messages would go. Alice's go first, and leave cancellations.
        for _ in 0..2 {
            for (http, user) in people.iter().zip(["alice", "bob", "carol"]) {
                for at in ["default", "inbox"] {
                    clear(http, &format!("/calendars/{user}/{at}/")).await;
                }
            }
        }
        if round < rounds {
            let told = Arc::new(AtomicU64::new(0));
            let writers: Vec<_> = (0..WRITERS)
                .map(|writer| tokio::spawn(invite(people[0].clone(), round, writer, ledger.clone(), told.clone())))
                .collect();
            let enough = 1 + (round as u64 * 5) % 13;
            let busy = async {
                while told.load(Ordering::Relaxed) < enough {
                    tokio::task::yield_now().await;
                }
            };
            pace::within(PATIENCE, busy).await.expect("the service keeps up");
            process.kill();
            for writer in writers {
                writer.await.expect("a writer ends when the process is gone");
            }
        } else {
            process.kill();
        }
    }
    println!(
        "{engine}: {rounds} kills, {invited} invitations to two people each, {late} homes followed after the start; none lost, none doubled"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn invitations_of_a_killed_service_come_once() {
    let rounds = std::env::var("CAMPANILE_KILL_ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    invite_and_die("sled", rounds.unwrap_or(INVITING_ROUNDS)).await;
}
