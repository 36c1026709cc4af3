//! Laws of snapshots: one moment, whatever is written meanwhile; and what a copy of one in a file holds.

use std::collections::BTreeMap;

use bytes::Bytes;
use campanile::kv::dump::{self, DumpError};
use campanile::kv::format;
use campanile::kv::writer::GroupKv;
use campanile::kv::{Kv, KvError, Snapshot};

use crate::kv_law::{Home, bytes, on_every_engine, put, row, writing};

const ROWS: usize = 3_500;

fn key(number: usize) -> String {
    format!("k{number:05}")
}

async fn filled(kv: &GroupKv) -> BTreeMap<Bytes, Bytes> {
    // Every second number, so that others come in between.
    let keys: Vec<String> = (0..ROWS).map(|number| key(number * 2)).collect();
    for part in keys.chunks(500) {
        kv.commit(vec![], writing(part.iter().map(|key| row(key, "old")).collect())).await.unwrap();
    }
    keys.into_iter().map(|key| (bytes(key), bytes("old"))).collect()
}

fn rest(snapshot: &mut dyn Snapshot) -> Vec<(Bytes, Bytes)> {
    let mut rows = Vec::new();
    while let Some(page) = snapshot.next().unwrap() {
        rows.extend(page);
    }
    rows
}

#[test]
fn a_snapshot_is_one_moment_while_everything_changes() {
    on_every_engine(async |home| {
        let (gate, kv) = home.gated();
        let model = filled(&kv).await;
        // A group that stands before its sync is not in it.
        let held = gate.hold();
        let late = crate::kv_law::asked(kv.commit(vec![], writing(vec![row(key(3), "late"), row(key(4), "late")])));
        gate.wait_for_group();
        let mut snapshot = kv.snapshot().unwrap();
        let mut untouched = kv.snapshot().unwrap();
        drop(held);
        late.await.unwrap();
        let mut found = snapshot.next().unwrap().expect("a first page");
        assert!(!found.is_empty() && found.len() < ROWS);
        // Behind and before the place that it has come to: rows go, change, come.
        for number in (0..ROWS * 2).step_by(97) {
            let writes = vec![(bytes(key(number)), None), row(key(number + 1), "new"), row(key(number + 2), "new")];
            kv.commit(vec![], writing(writes)).await.unwrap();
        }
        kv.commit(vec![], writing(vec![row("a", "new"), row("z", "new")])).await.unwrap();
        found.extend(rest(&mut *snapshot));
        assert!(found.windows(2).all(|pair| pair[0].0 < pair[1].0), "in order, none twice");
        assert_eq!(found.into_iter().collect::<BTreeMap<_, _>>(), model);
        assert_eq!(rest(&mut *untouched).into_iter().collect::<BTreeMap<_, _>>(), model);
        assert!(snapshot.next().unwrap().is_none());
        assert_ne!(rest(&mut *kv.snapshot().unwrap()).into_iter().collect::<BTreeMap<_, _>>(), model);
    });
}

#[test]
fn a_closed_store_has_no_snapshot() {
    on_every_engine(async |home| {
        let kv = home.open();
        put(&kv, "a", "1").await;
        let mut snapshot = kv.snapshot().unwrap();
        kv.close().await.unwrap();
        assert!(matches!(snapshot.next(), Err(KvError::Closed)));
        assert!(matches!(kv.snapshot(), Err(KvError::Closed)));
    });
}

#[test]
fn a_copy_fills_any_engine() {
    on_every_engine(async |home| {
        let kv = home.open();
        let mut model = filled(&kv).await;
        for (key, value) in [("empty", bytes("")), ("large", Bytes::from(vec![7; 65_536]))] {
            put(&kv, key, &value).await;
            model.insert(bytes(key), value);
        }
        let last = put(&kv, "last", "1").await;
        model.insert(bytes("last"), bytes("1"));
        let file = home.dir.path().join("copy");
        let held = dump::write(kv.snapshot().unwrap(), &file).unwrap();
        assert_eq!((held.rows, held.bytes), (model.len() as u64, std::fs::metadata(&file).unwrap().len()));
        assert!(matches!(dump::write(kv.snapshot().unwrap(), &file), Err(DumpError::Exists(_))));
        // What everybody has is for the owner of the process alone.
        #[cfg(unix)]
        assert_eq!(
            std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions()) & 0o777,
            0o600
        );
        kv.close().await.unwrap();
        for name in ["memory", "sled", "redb"] {
            let other = Home::new(name);
            {
                let engine = other.engine().unwrap();
                assert_eq!(dump::read(&file, &*engine).unwrap(), held);
                assert_eq!(format::last_stamp(&*engine).unwrap(), last.0);
            }
            let kv = other.open();
            assert_eq!(rest(&mut *kv.snapshot().unwrap()).into_iter().collect::<BTreeMap<_, _>>(), model, "{name}");
            assert!(put(&kv, "next", "1").await > last);
        }
    });
}

#[test]
fn a_damaged_copy_is_no_store() {
    let home = Home::new("memory");
    let file = home.dir.path().join("copy");
    crate::kv_law::runtime().block_on(async {
        let kv = home.open();
        put(&kv, "key", "value").await;
        dump::write(kv.snapshot().unwrap(), &file).unwrap();
    });
    let whole = std::fs::read(&file).unwrap();
    let damaged = home.dir.path().join("damaged");
    let read = |content: &[u8]| {
        std::fs::write(&damaged, content).unwrap();
        let other = Home::new("memory");
        let read = dump::read(&damaged, &*other.engine().unwrap());
        assert_eq!(format::last_stamp(&*other.engine().unwrap()).unwrap(), 0, "nothing of it counts");
        read.unwrap_err()
    };
    for end in 0..whole.len() {
        let error = read(&whole[..end]);
        match end {
            0..18 => assert!(matches!(error, DumpError::Foreign(_)), "{error}"),
            _ => assert!(matches!(error, DumpError::Damaged(..)), "{error}"),
        }
    }
    for place in 0..whole.len() {
        let mut turned = whole.clone();
        turned[place] ^= 0x40;
        read(&turned);
    }
    let mut newer = whole.clone();
    newer[21] = 9;
    assert!(matches!(read(&newer), DumpError::Newer(_, 9)));
}
