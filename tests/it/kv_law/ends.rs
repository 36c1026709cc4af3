//! Laws of opening, closing and failing: what is kept, what is refused, and what everyone hears.

use std::fs;

use campanile::kv::Kv;
use campanile::kv::KvError;
use campanile::kv::engine::Engine;
use campanile::kv::format::FORMAT;
use campanile::kv::format::format_line;
use campanile::kv::writer::GroupKv;
use futures_util::future::join_all;

use crate::kv_law::Home;
use crate::kv_law::asked;
use crate::kv_law::bytes;
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
fn a_store_opened_again_has_everything_and_larger_stamps() {
    on_every_engine(async |home| {
        let mut last = None;
        for round in 0..10 {
            let kv = home.open();
            assert_eq!(everything(&kv).await.len(), round);
            let stamp = put(&kv, [1, round as u8], "1").await;
            assert!(last < Some(stamp));
            last = Some(stamp);
            // By hand and by dropping it.
            if round % 2 == 0 {
                kv.close().await.unwrap();
            }
        }
    });
}

#[test]
fn close_serves_what_waits_and_lets_the_store_go() {
    on_every_engine(async |home| {
        let (gate, kv) = home.gated();
        let held = gate.hold();
        let first = asked(kv.commit(vec![bytes("n")], increment("n")));
        gate.wait_for_group();
        let more: Vec<_> = (0..300).map(|_| asked(kv.commit(vec![bytes("n")], increment("n")))).collect();
        let closed = asked(kv.close());
        assert!(matches!(kv.commit(vec![], writing(vec![])).await, Err(KvError::Closed)));
        drop(held);
        first.await.unwrap();
        assert!(join_all(more).await.iter().all(Result::is_ok));
        closed.await.unwrap();
        kv.close().await.unwrap();
        assert!(matches!(kv.commit(vec![], writing(vec![])).await, Err(KvError::Closed)));
        assert!(matches!(kv.read(vec![]).await, Err(KvError::Closed)));
        assert_eq!(kv.failed().borrow().as_deref(), None);
        // The old handle still lives.
        let again = home.open();
        assert_eq!(number(&get(&again, "n").await), 301);
    });
}

#[test]
fn a_dropped_store_serves_what_waits() {
    on_every_engine(async |home| {
        let (gate, kv) = home.gated();
        let held = gate.hold();
        drop(asked(kv.commit(vec![bytes("n")], increment("n"))));
        gate.wait_for_group();
        for _ in 0..10 {
            drop(asked(kv.commit(vec![bytes("n")], increment("n"))));
        }
        drop(held);
        drop(kv);
        assert_eq!(number(&get(&home.open(), "n").await), 11);
    });
}

#[test]
fn a_failed_sync_ends_the_store_for_everyone_at_once() {
    on_every_engine(async |home| {
        let (gate, kv) = home.gated();
        put(&kv, "a", "kept").await;
        let mut failed = kv.failed();
        let held = gate.hold();
        let first = asked(kv.commit(vec![], writing(vec![row("a", "lost")])));
        gate.wait_for_group();
        let waiting = asked(kv.commit(vec![], writing(vec![row("b", "lost")])));
        gate.cut();
        let applied = gate.applied();
        drop(held);
        assert!(matches!(first.await, Err(KvError::Failed(text)) if text == "the power is cut"));
        assert!(matches!(waiting.await, Err(KvError::Failed(_))));
        let text = failed.wait_for(Option::is_some).await.unwrap().clone();
        assert_eq!(text.as_deref(), Some("the power is cut"));
        assert!(matches!(kv.commit(vec![], writing(vec![row("c", "1")])).await, Err(KvError::Failed(_))));
        assert!(matches!(kv.read(vec![bytes("a")]).await, Err(KvError::Failed(_))));
        assert!(matches!(kv.close().await, Err(KvError::Failed(_))));
        assert_eq!(gate.applied(), applied, "nothing is tried again");
        let kv = home.open();
        assert_eq!(get(&kv, "b").await, None);
    });
}

#[test]
fn refusals_are_answered_with_the_group_they_saw() {
    on_every_engine(async |home| {
        for lost in [false, true] {
            let home = Home::new(home.name);
            let (gate, kv) = home.gated();
            let held = gate.hold();
            let first = asked(kv.commit(vec![], writing(vec![row("a", "1")])));
            gate.wait_for_group();
            let accepted = asked(kv.commit(vec![], writing(vec![row("b", "1")])));
            let refused = asked(kv.commit(vec![bytes("b")], deciding(|seen, _| seen[0].is_none().then(Vec::new))));
            let empty = asked(kv.commit(vec![bytes("b")], writing(vec![])));
            held.next_group();
            first.await.unwrap();
            // They saw a row that is not there yet, and may never have been.
            let (refused, empty) = (asked(refused), asked(empty));
            if lost {
                gate.cut();
            }
            drop(held);
            for answer in [accepted.await, refused.await, empty.await] {
                assert_eq!(matches!(answer, Err(KvError::Failed(_))), lost, "{answer:?}");
            }
        }
    });
}

#[test]
fn no_stamp_is_given_twice_after_an_unclean_end() {
    on_every_engine(async |home| {
        let (gate, kv) = home.gated();
        let kept = put(&kv, "a", "1").await;
        // Stamps that were given out, but never written: of a commit without writes, and of one that the cut takes.
        let mut seen = kv.commit(vec![], writing(vec![])).await.unwrap().stamp.unwrap();
        assert!(kept < seen);
        gate.cut();
        let (told, stamps) = std::sync::mpsc::channel();
        let decide = deciding(move |_, stamp| {
            told.send(stamp).unwrap();
            Some(vec![row("b", "1")])
        });
        assert!(kv.commit(vec![], decide).await.is_err());
        for stamp in stamps {
            assert!(seen < stamp);
            seen = stamp;
        }
        let kv = {
            drop(kv);
            home.open()
        };
        assert!(put(&kv, "c", "1").await > seen);
        assert_eq!(everything(&kv).await, [(bytes("a"), bytes("1")), (bytes("c"), bytes("1"))]);
    });
}

#[test]
fn a_newer_format_is_refused_and_left_as_it_is() {
    on_every_engine(async |home| {
        drop(home.open());
        let own_rows = |engine: &dyn Engine| {
            let range = campanile::kv::Range::prefix(&[0]);
            engine.scan(&range, 100).unwrap()
        };
        let engine = home.engine().unwrap();
        engine.apply(&[format_line(FORMAT + 1)]).unwrap();
        let before = own_rows(&*engine);
        let refused = GroupKv::open(engine).err();
        assert!(matches!(refused, Some(KvError::Newer { found, known: FORMAT }) if found == FORMAT + 1), "{refused:?}");
        assert_eq!(own_rows(&*home.engine().unwrap()), before);
    });
}

#[test]
fn damaged_rows_of_the_stores_own_are_refused() {
    let short = (bytes([0, b's']), Some(bytes("1")));
    let absent = (bytes([0, b's']), None);
    let no_format = (bytes([0, b'f']), None);
    on_every_engine(async |home| {
        for damage in [&short, &absent, &no_format] {
            let home = Home::new(home.name);
            drop(home.open());
            let engine = home.engine().unwrap();
            engine.apply(std::slice::from_ref(damage)).unwrap();
            assert!(matches!(GroupKv::open(engine), Err(KvError::Failed(_))), "{damage:?}");
        }
    });
}

#[test]
fn a_store_is_opened_once_at_a_time() {
    on_every_engine(async |home| {
        for _ in 0..10 {
            let kv = home.open();
            let refused = home.engine().err();
            assert!(matches!(refused, Some(KvError::Held(_))), "{refused:?}");
            put(&kv, "a", "1").await;
        }
        home.open();
    });
}

#[test]
fn a_damaged_store_is_an_error() {
    let damages = [
        ("sled", "conf", "this is no store"),
        ("sled", "db", "this is no store"),
        ("sled", "db", ""),
        ("redb", "campanile.redb", "this is no store"),
        ("redb", "campanile.redb", ""),
    ];
    for (name, file, content) in damages {
        let home = Home::new(name);
        drop(home.open());
        fs::write(home.dir.path().join("store").join(file), content).unwrap();
        let refused = home.engine().err();
        assert!(matches!(refused, Some(KvError::Failed(_))), "{name}: {refused:?}");
        println!("{}", refused.unwrap());
    }
}
