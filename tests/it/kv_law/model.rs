//! Random commands, each compared with a plain ordered map.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;
use campanile::kv::Kv;
use campanile::kv::Range;
use campanile::kv::Stamp;
use campanile::kv::writer::GroupKv;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::Config;
use proptest::test_runner::TestRunner;

use crate::kv_law::ENGINES;
use crate::kv_law::Home;
use crate::kv_law::deciding;
use crate::kv_law::everything;
use crate::kv_law::runtime;

#[derive(Clone, Debug)]
enum Command {
    /// Writes `lines` if `reads` holds an even number of rows that are there.
    Commit {
        reads: Vec<Bytes>,
        lines: Vec<(Bytes, Option<Bytes>)>,
    },
    Read(Vec<Bytes>),
    Scan {
        start: Bound<Bytes>,
        end: Bound<Bytes>,
        limit: usize,
    },
    Prefix(Bytes),
    Reopen,
}

/// Few keys, so that commands meet; bytes at both ends, so that order and prefixes are tried.
fn key() -> impl Strategy<Value = Bytes> {
    let byte = prop_oneof![Just(0x01), Just(b'a'), Just(b'b'), Just(0xFF)];
    vec(byte, 1..4).prop_map(Bytes::from)
}

fn bound() -> impl Strategy<Value = Bound<Bytes>> {
    prop_oneof![key().prop_map(Bound::Included), key().prop_map(Bound::Excluded), Just(Bound::Unbounded)]
}

fn command() -> impl Strategy<Value = Command> {
    let value = prop_oneof![vec(any::<u8>(), 0..4), Just(vec![7; 3000])].prop_map(Bytes::from);
    let line = (key(), proptest::option::weighted(0.7, value));
    prop_oneof![
        6 => (vec(key(), 0..3), vec(line, 0..6)).prop_map(|(reads, lines)| Command::Commit { reads, lines }),
        2 => vec(key(), 0..5).prop_map(Command::Read),
        3 => (bound(), bound(), 0..6_usize).prop_map(|(start, end, limit)| Command::Scan { start, end, limit }),
        1 => key().prop_map(Command::Prefix),
        1 => Just(Command::Reopen),
    ]
}

fn accepts(seen: &[Option<Bytes>]) -> bool {
    seen.iter().flatten().count().is_multiple_of(2)
}

async fn play(home: &Home, commands: &[Command]) {
    let mut kv: GroupKv = home.open();
    let mut model = BTreeMap::<Bytes, Bytes>::new();
    let mut last = Stamp(0);
    let read = |model: &BTreeMap<Bytes, Bytes>, keys: &[Bytes]| -> Vec<Option<Bytes>> {
        keys.iter().map(|key| model.get(key).cloned()).collect()
    };
    for command in commands {
        match command.clone() {
            Command::Commit { reads, lines } => {
                let expect = read(&model, &reads);
                let writes = lines.clone();
                let decide = deciding(move |seen, _| accepts(seen).then(|| writes.clone()));
                let answer = kv.commit(reads, decide).await.unwrap();
                assert_eq!(answer.seen, expect);
                assert_eq!(answer.stamp.is_some(), accepts(&expect));
                if let Some(stamp) = answer.stamp {
                    assert!(stamp > last);
                    last = stamp;
                    for (key, value) in lines {
                        match value {
                            Some(value) => model.insert(key, value),
                            None => model.remove(&key),
                        };
                    }
                }
            }
            Command::Read(keys) => {
                let expect = read(&model, &keys);
                assert_eq!(kv.read(keys).await.unwrap(), expect);
            }
            Command::Scan { start, end, limit } => {
                let range = Range { start, end };
                let expect = rows_in(&model, &range, limit);
                assert_eq!(kv.scan(range, limit).await.unwrap(), expect);
            }
            Command::Prefix(prefix) => {
                let rows = model.iter().filter(|(key, _)| key.starts_with(&prefix));
                let expect: Vec<_> = rows.map(|(key, value)| (key.clone(), value.clone())).collect();
                assert_eq!(kv.scan(Range::prefix(&prefix), 1000).await.unwrap(), expect);
            }
            Command::Reopen => {
                drop(kv);
                kv = home.open();
            }
        }
    }
    assert_eq!(everything(&kv).await, model.into_iter().collect::<Vec<_>>());
}

/// Asks every row, so that it owes nothing to the map's own ranges.
fn rows_in(model: &BTreeMap<Bytes, Bytes>, range: &Range, limit: usize) -> Vec<(Bytes, Bytes)> {
    let is_in = |key: &Bytes| {
        let behind_start = match &range.start {
            Bound::Included(start) => key >= start,
            Bound::Excluded(start) => key > start,
            Bound::Unbounded => true,
        };
        behind_start
            && match &range.end {
                Bound::Included(end) => key <= end,
                Bound::Excluded(end) => key < end,
                Bound::Unbounded => true,
            }
    };
    let found = model.iter().filter(|(key, _)| is_in(key)).take(limit);
    found.map(|(key, value)| (key.clone(), value.clone())).collect()
}

#[test]
fn every_engine_is_a_plain_map() {
    for (name, _) in ENGINES {
        let cases = if *name == "memory" { 128 } else { 16 };
        let config = Config { cases, failure_persistence: None, ..Config::default() };
        let runtime = runtime();
        let commands = vec(command(), 1..40);
        let played = TestRunner::new(config).run(&commands, |commands| {
            runtime.block_on(play(&Home::new(name), &commands));
            Ok(())
        });
        if let Err(failure) = played {
            panic!("{name}: {failure}");
        }
    }
}
