//! A process that is killed while it writes, again and again: what it acknowledged is there, and whole.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use campanile::kv::Kv;
use campanile::kv::Range;
use campanile::kv::Stamp;
use campanile::kv::Writes;
use campanile::kv::writer::GroupKv;
use futures_util::future::join_all;

use crate::kv_law::Home;
use crate::kv_law::bytes;
use crate::kv_law::deciding;
use crate::kv_law::number;
use crate::kv_law::process::given;
use crate::kv_law::process::second;
use crate::kv_law::put;
use crate::kv_law::row;
use crate::kv_law::runtime;

const ROUNDS: u64 = 10;
const WRITERS: usize = 8;
/// Every so many commits one has a body of 300 KB beside it, larger than a group and than half a segment of sled.
const BODY_EACH: u64 = 40;
const CHUNKS: u64 = 75;

/// The `n`th commit of the store: the head counts it, a row keeps its stamp, and some have a body.
fn lines(n: u64, stamp: Stamp) -> Writes {
    let mut lines = vec![row("head", n.to_be_bytes()), row(commit_key(n), stamp.0.to_be_bytes())];
    if n.is_multiple_of(BODY_EACH) {
        lines.extend((0..CHUNKS).map(|chunk| (chunk_key(n, chunk), Some(chunk_value(n, chunk)))));
    }
    lines
}

fn commit_key(n: u64) -> Bytes {
    bytes([b"commit/", &n.to_be_bytes()[..]].concat())
}

fn chunk_key(n: u64, chunk: u64) -> Bytes {
    bytes([b"body/", &n.to_be_bytes()[..], &chunk.to_be_bytes()[..]].concat())
}

fn chunk_value(n: u64, chunk: u64) -> Bytes {
    bytes((n * CHUNKS + chunk).to_be_bytes().repeat(512))
}

/// Does nothing unless it is the second process; then it writes until it is killed.
#[test]
fn second_process() {
    let Some(engine) = given() else {
        return;
    };
    let kv = Arc::new(GroupKv::open(engine.unwrap()).unwrap());
    println!();
    runtime().block_on(async {
        let writers = (0..WRITERS).map(|_| {
            let kv = kv.clone();
            tokio::spawn(async move {
                loop {
                    let decide = deciding(|seen, stamp| Some(lines(number(&seen[0]) + 1, stamp)));
                    let answer = kv.commit(vec![bytes("head")], decide).await.unwrap();
                    let line = format!("ack {} {}\n", number(&answer.seen[0]) + 1, answer.stamp.unwrap().0);
                    // One write a line, so that a killed process leaves no half of one before a whole one.
                    let mut out = std::io::stdout().lock();
                    out.write_all(line.as_bytes()).and_then(|()| out.flush()).unwrap();
                }
            })
        });
        join_all(writers).await;
    });
}

/// Lets the other process write until `acks` commits were acknowledged, and kills it; gives all that were, by number.
fn write_and_kill(home: &Home, acks: usize) -> BTreeMap<u64, u64> {
    let mut child = second("kv_kill::second_process", home).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut acked = BTreeMap::new();
    let mut line = String::new();
    while out.read_line(&mut line).unwrap() > 0 {
        if let Some((n, stamp)) = line.strip_suffix('\n').and_then(ack) {
            assert_eq!(acked.insert(n, stamp), None, "one number was given twice");
        }
        line.clear();
        if acked.len() == acks {
            // SIGKILL. What it said before is still in the pipe.
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(acked.len() >= acks, "the second process ended by itself");
    acked
}

fn ack(line: &str) -> Option<(u64, u64)> {
    let (n, stamp) = line.strip_prefix("ack ")?.split_once(' ')?;
    Some((n.parse().ok()?, stamp.parse().ok()?))
}

async fn rows(kv: &dyn Kv, prefix: &[u8]) -> Vec<(Bytes, Bytes)> {
    let mut range = Range::prefix(prefix);
    let mut rows = Vec::new();
    while let Ok(page) = kv.scan(range.clone(), 1000).await
        && let Some((last, _)) = page.last()
    {
        range = range.after(last);
        rows.extend(page);
    }
    rows
}

fn survives(name: &str) {
    let home = Home::new(name);
    let mut acked = BTreeMap::new();
    for round in 0..ROUNDS {
        let more = write_and_kill(&home, 20 + (round as usize * 61) % 150);
        acked.extend(more);
        let kv = home.open();
        runtime().block_on(async {
            let commits = rows(&kv, b"commit/").await;
            let head = number(&kv.read(vec![bytes("head")]).await.unwrap()[0]);
            assert_eq!(head, commits.len() as u64, "the head and the rows of its commits");
            let mut stamp = 0;
            let mut bodies = rows(&kv, b"body/").await.into_iter();
            for (n, (key, value)) in (1..).zip(commits) {
                assert_eq!(key, commit_key(n));
                let own = number(&Some(value));
                assert!(stamp < own, "stamps grow over all rounds");
                stamp = own;
                assert!(acked.remove(&n).is_none_or(|acked| acked == own), "commit {n} has another stamp");
                if n.is_multiple_of(BODY_EACH) {
                    assert!(
                        (0..CHUNKS)
                            .all(|chunk| { bodies.next() == Some((chunk_key(n, chunk), chunk_value(n, chunk))) })
                    );
                }
            }
            assert_eq!(bodies.next(), None);
            assert_eq!(acked, BTreeMap::new(), "acknowledged, and lost");
            assert!(put(&kv, "after", "").await.0 > stamp);
        });
        println!("{name}, round {round}: {} bytes on disk", kv.disk_bytes());
    }
}

#[test]
fn sled_survives_kills() {
    survives("sled");
}

#[test]
fn redb_survives_kills() {
    survives("redb");
}
