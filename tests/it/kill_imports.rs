//! `kill -9` in a loop during mirrors of one request each: nothing lost, nothing doubled, and what the source no longer holds goes, once.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::kill::{Process, ended};
use crate::live::client::Http;
use crate::live::plain_event;

/// Rounds of a plain run; `tests/proofs/kill_imports` asks for more.
const ROUNDS: usize = 6;
const VARIABLE: &str = "CAMPANILE_KILL_ROUNDS";
/// Events that the source holds at a time; so many of them are others in the next round.
const HELD: usize = 300;
const GONE: usize = 40;
const TARGET: &str = "/calendars/alice/mirrored";

/// The source as it stands in a round: a window over its events, a third of which also say something else each time.
fn source(round: usize) -> BTreeMap<String, String> {
    let event = |number: usize| {
        let uid = format!("m{number}");
        let said = if number.is_multiple_of(3) { format!("SUMMARY:{round} ") } else { "SUMMARY:".to_owned() };
        (format!("{uid}.ics"), plain_event(&uid, "20250401T100000Z").replace("SUMMARY:", &said))
    };
    (round * GONE..round * GONE + HELD).map(event).collect()
}

/// Numbers that differ from round to round and repeat from run to run.
fn chance(round: usize, most: usize) -> usize {
    let mut state = (round as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    state ^= state >> 31;
    state = state.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (state >> 33) as usize % most
}

async fn send(http: &Http, round: usize) -> Option<Value> {
    let file: String = source(round).into_values().collect();
    let path = format!("/api/imports?target={TARGET}&mode=mirror");
    let key = format!("round {round}");
    let headers = [("content-type", "text/calendar"), ("idempotency-key", key.as_str())];
    let taken = http.try_send("POST", &path, &headers, file.into()).await.ok()?;
    assert_eq!(taken.status, 202, "round {round}: {taken:?}");
    Some(taken.json())
}

/// What stands in the calendar, name by name.
async fn names(http: &Http) -> BTreeSet<String> {
    let listing = http.send("PROPFIND", &format!("{TARGET}/"), &[("depth", "1")], "").await;
    assert_eq!(listing.status, 207, "{listing:?}");
    let text = listing.text();
    let hrefs = text.split("href>").filter(|part| part.contains(".ics</"));
    let names: Vec<String> = hrefs
        .map(|part| part.split('<').next().and_then(|path| path.rsplit('/').next()).expect("a name").to_owned())
        .collect();
    let set: BTreeSet<String> = names.iter().cloned().collect();
    assert_eq!(set.len(), names.len(), "a name stands twice");
    set
}

/// Sends a round's file again under its key, lets its import end, and looks at all that must be true then.
async fn look(http: &Http, round: usize, engine: &str) {
    let id = send(http, round).await.expect("it is taken")["id"].as_str().expect("an id").to_owned();
    let stands = ended(http, &id).await;
    let wanted = source(round);
    // Of the source of the round before, all was there. Counts grow with the objects, so a crash doubles none.
    let (fresh, gone) = if round == 0 { (HELD, 0) } else { (GONE, GONE) };
    let changed =
        if round == 0 { 0 } else { (round * GONE..(round - 1) * GONE + HELD).filter(|n| n.is_multiple_of(3)).count() };
    let counted = ["created", "updated", "unchanged", "deleted", "failedCount"].map(|key| stands[key].as_u64());
    let expected = [fresh, changed, HELD - fresh - changed, gone, 0].map(|count| Some(count as u64));
    assert_eq!((counted, stands["status"].as_str()), (expected, Some("completed")), "{engine} round {round}: {stands}");
    let mut names = names(http).await;
    assert!(names.remove("own.ics"), "{engine} round {round}: what no mirror brought is gone");
    assert_eq!(names, wanted.keys().cloned().collect(), "{engine} round {round}");
    for (name, body) in wanted.iter().skip(round % 7).step_by(7) {
        assert_eq!(http.get(&format!("{TARGET}/{name}")).await.text(), *body, "{engine} round {round}: {name}");
    }
}

async fn survive(engine: &str, rounds: usize) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = dir.path().join("store");
    let (mut unanswered, mut under_way, mut behind) = (0, 0, 0);
    for round in 0..rounds {
        let process = Process::start(&store, engine);
        let http = Http::new(&process.base, "alice");
        if round == 0 {
            assert_eq!(http.post("/api/calendars", r#"{"id":"mirrored"}"#).await.status, 201);
            assert_eq!(
                http.put(&format!("{TARGET}/own.ics"), &plain_event("own", "20250401T100000Z")).await.status,
                201
            );
        } else {
            look(&http, round - 1, engine).await;
        }
        // Killed while the file comes in, while its items do, while what is gone is removed, or just behind the end.
        let sending = tokio::spawn({
            let http = http.clone();
            async move { send(&http, round).await }
        });
        if round.is_multiple_of(4) {
            for _ in 0..chance(round, 2_000) {
                tokio::task::yield_now().await;
            }
            process.kill();
            unanswered += usize::from(sending.await.expect("it ends with the process").is_none());
            continue;
        }
        let taken = sending.await.expect("it ends").expect("it is taken");
        let place = format!("/api/imports/{}", taken["id"].as_str().expect("an id"));
        let enough = chance(round, HELD + HELD / 3) as u64;
        loop {
            let stands = http.get(&place).await.json();
            let ended = stands["status"] == "completed";
            if ended
                || stands["done"].as_u64().is_some_and(|done| done + stands["deleted"].as_u64().unwrap_or(0) >= enough)
            {
                (under_way, behind) = (under_way + usize::from(!ended), behind + usize::from(ended));
                break;
            }
        }
        process.kill();
    }
    let process = Process::start(&store, engine);
    look(&Http::new(&process.base, "alice"), rounds - 1, engine).await;
    process.kill();
    println!(
        "{engine}: {rounds} mirrors of {HELD} events killed, {unanswered} before the answer, {under_way} under way, {behind} behind the end; \
         nothing lost, nothing doubled, {} removed",
        (rounds - 1) * GONE
    );
}

fn rounds() -> usize {
    std::env::var(VARIABLE).ok().and_then(|text| text.parse().ok()).unwrap_or(ROUNDS)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_mirror_loses_and_doubles_nothing_on_sled() {
    survive("sled", rounds()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_mirror_loses_and_doubles_nothing_on_redb() {
    survive("redb", rounds()).await;
}
