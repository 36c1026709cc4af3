//! Laws of one commit: all or nothing, on current values, under a stamp of its own.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use campanile::kv::KEY_MAX;
use campanile::kv::Kv;
use campanile::kv::KvError;
use campanile::kv::Range;
use campanile::kv::VALUE_MAX;
use futures_util::future::join_all;

use crate::kv_law::asked;
use crate::kv_law::bytes;
use crate::kv_law::create;
use crate::kv_law::deciding;
use crate::kv_law::everything;
use crate::kv_law::get;
use crate::kv_law::number;
use crate::kv_law::on_every_engine;
use crate::kv_law::put;
use crate::kv_law::row;
use crate::kv_law::writing;

#[test]
fn what_was_answered_is_read_in_the_order_asked() {
    on_every_engine(async |home| {
        let kv = home.open();
        put(&kv, "b", "2").await;
        put(&kv, "a", "").await;
        let values = kv.read(vec![bytes("b"), bytes("none"), bytes("a"), bytes("b")]).await.unwrap();
        assert_eq!(values, [Some(bytes("2")), None, Some(Bytes::new()), Some(bytes("2"))]);
        assert_eq!(kv.read(vec![]).await.unwrap(), []);
    });
}

#[test]
fn a_refusal_writes_nothing_and_tells_what_it_saw() {
    on_every_engine(async |home| {
        let kv = home.open();
        put(&kv, "a", "1").await;
        let before = kv.counts();
        let answer = kv.commit(vec![bytes("a"), bytes("b")], deciding(|_, _| None)).await.unwrap();
        assert_eq!(answer.stamp, None);
        assert_eq!(answer.seen, [Some(bytes("1")), None]);
        assert_eq!(everything(&kv).await, [(bytes("a"), bytes("1"))]);
        assert_eq!(kv.counts(), before, "a refusal alone is neither a commit nor a sync");
    });
}

#[test]
fn later_lines_win_and_none_removes() {
    on_every_engine(async |home| {
        let kv = home.open();
        let lines = vec![row("a", "1"), row("b", "1"), row("a", "2"), row("c", "1"), (bytes("c"), None)];
        let answer = kv.commit(vec![bytes("a")], writing(lines)).await.unwrap();
        assert_eq!(answer.seen, [None]);
        assert_eq!(everything(&kv).await, [(bytes("a"), bytes("2")), (bytes("b"), bytes("1"))]);
        kv.commit(vec![], writing(vec![(bytes("a"), None), (bytes("never"), None)])).await.unwrap();
        assert_eq!(everything(&kv).await, [(bytes("b"), bytes("1"))]);
    });
}

#[test]
fn of_a_hundred_creations_of_one_key_one_wins() {
    on_every_engine(async |home| {
        let kv = Arc::new(home.open());
        let tasks = (0..100).map(|task| {
            let kv = kv.clone();
            tokio::spawn(async move { kv.commit(vec![bytes("a")], create("a", task.to_string())).await.unwrap() })
        });
        let answers: Vec<_> = join_all(tasks).await.into_iter().map(Result::unwrap).collect();
        let won: Vec<_> = answers.iter().enumerate().filter(|(_, answer)| answer.stamp.is_some()).collect();
        assert_eq!(won.len(), 1);
        let winner = Some(bytes(won[0].0.to_string()));
        assert_eq!(get(&*kv, "a").await, winner);
        assert!(answers.iter().filter(|answer| answer.stamp.is_none()).all(|answer| answer.seen == [winner.clone()]));
    });
}

#[test]
fn stamps_grow_and_no_two_commits_share_one() {
    on_every_engine(async |home| {
        let kv = Arc::new(home.open());
        let tasks = (0..8).map(|_| {
            let kv = kv.clone();
            tokio::spawn(async move {
                let mut stamps = Vec::new();
                for _ in 0..25 {
                    // The row keeps the last stamp: each decision must find a smaller one there.
                    let decide = deciding(|seen, stamp| {
                        (number(&seen[0]) < stamp.0).then(|| vec![row("last", stamp.0.to_be_bytes())])
                    });
                    stamps.push(kv.commit(vec![bytes("last")], decide).await.unwrap().stamp.expect("stamps grow"));
                }
                assert!(stamps.is_sorted());
                stamps
            })
        });
        let stamps: Vec<_> = join_all(tasks).await.into_iter().flat_map(Result::unwrap).collect();
        assert_eq!(stamps.iter().collect::<BTreeSet<_>>().len(), 200);
        assert_eq!(Some(number(&get(&*kv, "last").await)), stamps.iter().max().map(|stamp| stamp.0));
    });
}

#[test]
fn a_body_of_one_mebibyte_is_one_commit() {
    on_every_engine(async |home| {
        let kv = home.open();
        let chunk = |number: u16| bytes([number.to_be_bytes(), [number as u8; 2]].concat().repeat(1024));
        let key = |number: u16| bytes([b"body/", &number.to_be_bytes()[..]].concat());
        let rows = (0..256).map(|number| (key(number), Some(chunk(number)))).collect();
        let before = kv.counts();
        kv.commit(vec![], writing(rows)).await.unwrap();
        assert_eq!(kv.counts().syncs, before.syncs + 1);
        let keys = (0..256).map(key).collect();
        assert_eq!(kv.read(keys).await.unwrap(), (0..256).map(|number| Some(chunk(number))).collect::<Vec<_>>());
        assert_eq!(kv.scan(Range::prefix(b"body/"), 1000).await.unwrap().len(), 256);
        assert!(home.name == "memory" || kv.disk_bytes() > 1 << 20);
        let keys = (0..256).map(|number| (key(number), None)).collect();
        kv.commit(vec![], writing(keys)).await.unwrap();
        assert_eq!(everything(&kv).await, []);
    });
}

#[test]
fn any_byte_but_the_reserved_one_may_begin_a_key() {
    on_every_engine(async |home| {
        let kv = home.open();
        let long = [0xFF; KEY_MAX];
        let keys: [&[u8]; 9] = [
            &[0x01],
            &[0x01, 0x00],
            &[0x01, 0x00, 0xFF],
            "Zürich".as_bytes(),
            "äöü/日本/🔔".as_bytes(),
            &[0xFF],
            &[0xFF, 0x00],
            &[0xFF, 0xFF],
            &long,
        ];
        let rows = keys.iter().rev().map(|key| row(key, key)).collect();
        kv.commit(vec![], writing(rows)).await.unwrap();
        assert_eq!(everything(&kv).await, keys.map(|key| (bytes(key), bytes(key))));
    });
}

#[test]
fn what_is_too_long_or_reserved_fails_its_caller_alone() {
    on_every_engine(async |home| {
        let (gate, kv) = home.gated();
        let held = gate.hold();
        let first = asked(kv.commit(vec![], writing(vec![row("a", "1")])));
        gate.wait_for_group();
        let wrong = |line| asked(kv.commit(vec![], writing(vec![row("lost", "1"), line])));
        let right = asked(kv.commit(vec![], writing(vec![row([1; KEY_MAX], [2; VALUE_MAX])])));
        let long_key = wrong(row([1; KEY_MAX + 1], "1"));
        let long_value = wrong(row("b", [1; VALUE_MAX + 1]));
        let reserved = wrong(row([0, 1], "1"));
        let empty = wrong(row("", "1"));
        let removed = wrong((bytes([0]), None));
        let last = asked(kv.commit(vec![bytes("lost")], create("lost", "found".into())));
        drop(held);
        first.await.unwrap();
        right.await.unwrap();
        assert!(matches!(long_key.await, Err(KvError::KeyTooLong(1025))));
        assert!(matches!(long_value.await, Err(KvError::ValueTooLong(65537))));
        assert!(matches!(reserved.await, Err(KvError::Reserved)));
        assert!(matches!(empty.await, Err(KvError::Reserved)));
        assert!(matches!(removed.await, Err(KvError::Reserved)));
        assert_eq!(last.await.unwrap().seen, [None]);
        assert_eq!(kv.counts().syncs, 2);
        let refused = kv.commit(vec![bytes([0])], writing(vec![row("b", "1")])).await;
        assert!(matches!(refused, Err(KvError::Reserved)));
        assert!(matches!(kv.read(vec![bytes("a"), bytes("")]).await, Err(KvError::Reserved)));
        assert_eq!(everything(&kv).await.len(), 3);
    });
}

#[test]
fn a_caller_that_goes_away_does_not_undo_its_commit() {
    on_every_engine(async |home| {
        let (gate, kv) = home.gated();
        let held = gate.hold();
        let first = asked(kv.commit(vec![], writing(vec![row("a", "1")])));
        gate.wait_for_group();
        drop(asked(kv.commit(vec![], writing(vec![row("b", "1")]))));
        drop(first);
        drop(held);
        put(&kv, "c", "1").await;
        assert_eq!(everything(&kv).await.len(), 3);
    });
}
