//! Laws of many commits at once: they share a sync, decide one after another, and nobody sees one of them before its sync.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use campanile::kv::Kv;
use campanile::kv::KvError;
use campanile::kv::Range;
use campanile::kv::WAITING_MAX;
use futures_util::future::join_all;

use crate::kv_law::asked;
use crate::kv_law::bytes;
use crate::kv_law::create;
use crate::kv_law::deciding;
use crate::kv_law::everything;
use crate::kv_law::get;
use crate::kv_law::increment;
use crate::kv_law::number;
use crate::kv_law::on_every_engine;
use crate::kv_law::put;
use crate::kv_law::row;
use crate::kv_law::writing;

#[test]
fn decisions_see_the_earlier_ones_of_their_group() {
    on_every_engine(async |home| {
        let (gate, kv) = home.gated();
        let held = gate.hold();
        let first = asked(kv.commit(vec![bytes("n")], increment("n")));
        gate.wait_for_group();
        let more: Vec<_> = (0..100).map(|_| asked(kv.commit(vec![bytes("n")], increment("n")))).collect();
        drop(held);
        assert_eq!(first.await.unwrap().seen, [None]);
        for (before, answer) in join_all(more).await.into_iter().enumerate() {
            let answer = answer.unwrap();
            assert_eq!(number(&answer.seen[0]), before as u64 + 1);
            assert!(answer.stamp.is_some());
        }
        assert_eq!((kv.counts().commits, kv.counts().syncs), (101, 2));
        assert_eq!(number(&get(&kv, "n").await), 101);
    });
}

#[test]
fn refused_and_panicking_ones_do_not_touch_the_accepted_ones_of_their_group() {
    on_every_engine(async |home| {
        let (gate, kv) = home.gated();
        let held = gate.hold();
        let first = asked(kv.commit(vec![], writing(vec![row("first", "1")])));
        gate.wait_for_group();
        let one = asked(kv.commit(vec![bytes("a")], create("a", "one".into())));
        let two = asked(kv.commit(vec![bytes("a")], create("a", "two".into())));
        let panicking = asked(kv.commit(vec![bytes("a")], deciding(|_, _| panic!("on purpose"))));
        let three = asked(kv.commit(vec![bytes("b")], create("b", "three".into())));
        drop(held);
        first.await.unwrap();
        let (one, two, three) = (one.await.unwrap(), two.await.unwrap(), three.await.unwrap());
        assert!(matches!(panicking.await, Err(KvError::Panicked)));
        assert_eq!((two.stamp, two.seen), (None, vec![Some(bytes("one"))]));
        assert!(one.stamp.unwrap() < three.stamp.unwrap());
        assert_eq!(kv.counts().syncs, 2);
        assert_eq!(get(&kv, "a").await, Some(bytes("one")));
        assert_eq!(get(&kv, "b").await, Some(bytes("three")));
        put(&kv, "c", "the writer lives").await;
    });
}

#[test]
fn nobody_sees_a_group_before_its_sync() {
    on_every_engine(async |home| {
        let (gate, kv) = home.gated();
        let rows = ["a1", "a2", "a3", "a4", "a5"].map(|key| row(key, "old"));
        kv.commit(vec![], writing(rows.to_vec())).await.unwrap();
        let before = everything(&kv).await;

        let held = gate.hold();
        // Changed, removed, new before, between and behind.
        let lines = vec![row("a2", "new"), (bytes("a3"), None), row("a0", "new"), row("a25", "new"), row("a6", "new")];
        let commit = asked(kv.commit(vec![], writing(lines)));
        gate.wait_for_group();
        let refused = asked(kv.commit(vec![bytes("a2")], deciding(|_, _| None)));
        assert_eq!(everything(&kv).await, before);
        let keys = ["a0", "a2", "a25", "a3", "a6"].map(bytes);
        let old = || Some(bytes("old"));
        assert_eq!(kv.read(keys.to_vec()).await.unwrap(), [None, old(), None, old(), None]);
        for limit in 0..7 {
            assert_eq!(kv.scan(Range::prefix(b"a"), limit).await.unwrap(), before[..limit.min(5)]);
        }
        assert_eq!(kv.scan(Range::prefix(b"a2"), 10).await.unwrap(), before[1..2]);
        drop(held);
        commit.await.unwrap();
        assert_eq!(refused.await.unwrap().seen, [Some(bytes("new"))]);
        let after = ["a0", "a1", "a2", "a25", "a4", "a5", "a6"].map(bytes);
        assert_eq!(everything(&kv).await.into_iter().map(|row| row.0).collect::<Vec<_>>(), after);
        assert_eq!(get(&kv, "a2").await, Some(bytes("new")));
    });
}

#[test]
fn a_full_queue_is_busy_and_loses_nothing() {
    on_every_engine(async |home| {
        let (gate, kv) = home.gated();
        let held = gate.hold();
        let first = asked(kv.commit(vec![bytes("n")], increment("n")));
        gate.wait_for_group();
        let more: Vec<_> = (0..WAITING_MAX).map(|_| asked(kv.commit(vec![bytes("n")], increment("n")))).collect();
        assert!(matches!(kv.commit(vec![bytes("n")], increment("n")).await, Err(KvError::Busy)));
        drop(held);
        first.await.unwrap();
        assert!(join_all(more).await.iter().all(Result::is_ok));
        assert_eq!(number(&get(&kv, "n").await), WAITING_MAX as u64 + 1);
        assert_eq!(kv.counts().syncs, 1 + WAITING_MAX as u64 / 256, "a group is at most 256 commits");
    });
}

#[test]
fn sixty_four_writers_of_one_head_share_syncs_and_none_conflicts() {
    const WRITERS: usize = 64;
    const ROUNDS: usize = 10;
    on_every_engine(async |home| {
        let (gate, kv) = home.gated();
        let object = |round: usize, writer: usize| {
            deciding(move |seen, _| {
                let name = format!("object/{round}/{writer}");
                Some(vec![row("head", (number(&seen[0]) + 1).to_be_bytes()), row(name, "BEGIN:VCALENDAR")])
            })
        };
        for round in 0..ROUNDS {
            let held = gate.hold();
            let first = asked(kv.commit(vec![bytes("head")], object(round, 0)));
            gate.wait_for_group();
            let put = |writer| asked(kv.commit(vec![bytes("head")], object(round, writer)));
            let more: Vec<_> = (1..WRITERS).map(put).collect();
            drop(held);
            assert!(first.await.unwrap().stamp.is_some());
            assert!(join_all(more).await.into_iter().all(|answer| answer.unwrap().stamp.is_some()));
        }
        let counts = kv.counts();
        assert_eq!(counts.commits, (WRITERS * ROUNDS) as u64);
        assert!(counts.commits >= 8 * counts.syncs, "{counts:?}");
        assert_eq!(number(&get(&kv, "head").await), counts.commits);
        assert_eq!(everything(&kv).await.len() as u64, counts.commits + 1);
    });
}

#[test]
fn a_group_ends_at_its_bytes_too() {
    on_every_engine(async |home| {
        let (gate, kv) = home.gated();
        let max = home_group_bytes_max(home.name);
        let body = |name: &'static str, size: usize| {
            deciding(move |seen, _| {
                let chunk = |number: usize| row([name.as_bytes(), &number.to_be_bytes()].concat(), [7; 4096]);
                let mut rows: Vec<_> = (0..size / 4096).map(chunk).collect();
                rows.push(row("n", (number(&seen[0]) + 1).to_be_bytes()));
                Some(rows)
            })
        };
        let held = gate.hold();
        let first = asked(kv.commit(vec![bytes("n")], body("first", 0)));
        gate.wait_for_group();
        let ask = |name, size| asked(kv.commit(vec![bytes("n")], body(name, size)));
        // Two that fit, two that do not fit together, and one that fits nowhere.
        let more = [ask("a", max / 4), ask("b", max / 4), ask("c", max), ask("d", max / 4), ask("e", 2 * max)];
        drop(held);
        first.await.unwrap();
        for (before, answer) in join_all(more).await.into_iter().enumerate() {
            assert_eq!(number(&answer.unwrap().seen[0]), before as u64 + 1);
        }
        assert_eq!(kv.counts().syncs, 1 + 4);
    });
}

fn home_group_bytes_max(name: &str) -> usize {
    if name == "sled" { 256 << 10 } else { 4 << 20 }
}

#[test]
fn one_call_sees_the_store_between_two_groups() {
    on_every_engine(async |home| {
        let kv = Arc::new(home.open());
        let done = Arc::new(AtomicBool::new(false));
        let keys: Vec<Bytes> = (0..20).map(|number| bytes(format!("k{number:02}"))).collect();
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let (kv, done, keys) = (kv.clone(), done.clone(), keys.clone());
                tokio::spawn(async move {
                    while !done.load(Ordering::Relaxed) {
                        let values = kv.read(keys.clone()).await.unwrap();
                        assert!(values.iter().all(|value| *value == values[0]), "{values:?}");
                        let rows = kv.scan(Range::prefix(b"k"), 100).await.unwrap();
                        assert!(rows.is_empty() || rows.len() == 20);
                        assert!(rows.iter().all(|row| row.1 == rows[0].1), "{rows:?}");
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        for round in 0..150_u64 {
            // Every seventh round removes all.
            let value = (round % 7 != 6).then(|| bytes(round.to_be_bytes()));
            let rows = keys.iter().map(|key| (key.clone(), value.clone())).collect();
            kv.commit(vec![], writing(rows)).await.unwrap();
        }
        done.store(true, Ordering::Relaxed);
        for reader in readers {
            reader.await.unwrap();
        }
    });
}
