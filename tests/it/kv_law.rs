//! The laws of `Kv`, the same over every engine. Here stand the engines and what the laws share; the laws are in the folder.

mod commits;
mod ends;
mod groups;
mod model;
pub mod process;
mod scans;
mod snapshots;

use std::path::Path;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::task::Context;
use std::task::Waker;

use bytes::Bytes;
use campanile::kv::Decide;
use campanile::kv::Kv;
use campanile::kv::KvError;
use campanile::kv::KvFuture;
use campanile::kv::Range;
use campanile::kv::Stamp;
use campanile::kv::Writes;
use campanile::kv::engine::Engine;
use campanile::kv::engine::Fault;
use campanile::kv::engine::Line;
use campanile::kv::memory::Disk;
use campanile::kv::memory::Memory;
use campanile::kv::redb::Redb;
use campanile::kv::sled::Sled;
use campanile::kv::writer::GroupKv;
use tempfile::TempDir;

const CACHE: usize = 16 << 20;

type Open = fn(&Path, &Disk) -> Result<Box<dyn Engine>, KvError>;

/// One line per engine.
pub const ENGINES: &[(&str, Open)] = &[
    ("memory", |_, disk| Ok(Box::new(Memory::open(disk)?))),
    ("sled", |dir, _| Ok(Box::new(Sled::open(dir, CACHE as u64)?))),
    ("redb", |dir, _| Ok(Box::new(Redb::open(dir, CACHE)?))),
];

/// Where one store lives, opened as often as a law wants.
pub struct Home {
    pub name: &'static str,
    pub dir: TempDir,
    disk: Disk,
    open: Open,
}

impl Home {
    pub fn new(name: &str) -> Home {
        let (name, open) = ENGINES.iter().find(|engine| engine.0 == name).expect("an engine of the list");
        Home { name, dir: tempfile::tempdir().unwrap(), disk: Disk::default(), open: *open }
    }

    /// The engine alone, without a writer.
    pub fn engine(&self) -> Result<Box<dyn Engine>, KvError> {
        (self.open)(&self.dir.path().join("store"), &self.disk)
    }

    pub fn open(&self) -> GroupKv {
        GroupKv::open(self.engine().unwrap()).unwrap()
    }

    /// A store whose syncs can be held and broken.
    pub fn gated(&self) -> (Arc<Gate>, GroupKv) {
        let gate = Arc::new(Gate::default());
        let engine = Gated { engine: self.engine().unwrap(), gate: gate.clone() };
        (gate, GroupKv::open(Box::new(engine)).unwrap())
    }
}

pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap()
}

pub fn on_every_engine(law: impl AsyncFn(&Home)) {
    for (name, _) in ENGINES {
        println!("engine: {name}");
        let home = Home::new(name);
        runtime().block_on(law(&home));
    }
}

/// Stands between a batch that the engine has and the word that it is durable.
#[derive(Default)]
pub struct Gate {
    state: Mutex<GateState>,
    changed: Condvar,
}

#[derive(Default)]
struct GateState {
    held: bool,
    /// How many groups may pass although it is held.
    passes: usize,
    standing: bool,
    cut: bool,
    applied: usize,
}

/// The gate is held until this is dropped.
pub struct Holding<'g>(&'g Gate);

impl Holding<'_> {
    /// Lets the group pass that stands here, and returns when the next one does.
    pub fn next_group(&self) {
        self.0.state.lock().unwrap().passes += 1;
        self.0.changed.notify_all();
        self.0.wait_for_group();
    }
}

impl Drop for Holding<'_> {
    fn drop(&mut self) {
        self.0.state.lock().unwrap().held = false;
        self.0.changed.notify_all();
    }
}

impl Gate {
    #[must_use]
    pub fn hold(&self) -> Holding<'_> {
        self.state.lock().unwrap().held = true;
        Holding(self)
    }

    /// Returns when a group stands at the gate.
    pub fn wait_for_group(&self) {
        let state = self.state.lock().unwrap();
        drop(self.changed.wait_while(state, |state| !state.standing || state.passes > 0).unwrap());
    }

    /// From now on no batch reaches the engine, and the one that stands here is not known to be durable.
    pub fn cut(&self) {
        self.state.lock().unwrap().cut = true;
    }

    /// How many batches came here, those of `open` included.
    pub fn applied(&self) -> usize {
        self.state.lock().unwrap().applied
    }
}

struct Gated {
    engine: Box<dyn Engine>,
    gate: Arc<Gate>,
}

impl Engine for Gated {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Fault> {
        self.engine.get(key)
    }

    fn scan(&self, range: &Range, limit: usize) -> Result<Vec<(Bytes, Bytes)>, Fault> {
        self.engine.scan(range, limit)
    }

    fn apply(&self, batch: &[Line]) -> Result<(), Fault> {
        let mut state = self.gate.state.lock().unwrap();
        state.applied += 1;
        if state.cut {
            return Err("the power is cut".into());
        }
        drop(state);
        self.engine.apply(batch)?;
        let mut state = self.gate.state.lock().unwrap();
        state.standing = true;
        self.gate.changed.notify_all();
        state = self.gate.changed.wait_while(state, |state| state.held && state.passes == 0).unwrap();
        state.passes = 0;
        state.standing = false;
        if state.cut { Err("the power is cut".into()) } else { Ok(()) }
    }

    fn group_bytes_max(&self) -> usize {
        self.engine.group_bytes_max()
    }

    fn disk_bytes(&self) -> u64 {
        self.engine.disk_bytes()
    }
}

/// Polls a commit once, so that it waits in the queue; only while the gate is held.
pub fn asked<T>(mut future: KvFuture<'_, T>) -> KvFuture<'_, T> {
    assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    future
}

pub fn bytes(text: impl AsRef<[u8]>) -> Bytes {
    Bytes::copy_from_slice(text.as_ref())
}

pub fn deciding(decide: impl Fn(&[Option<Bytes>], Stamp) -> Option<Writes> + Send + Sync + 'static) -> Decide {
    Arc::new(decide)
}

/// Writes these rows whatever is there.
pub fn writing(writes: Writes) -> Decide {
    deciding(move |_, _| Some(writes.clone()))
}

pub fn row(key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> (Bytes, Option<Bytes>) {
    (bytes(key), Some(bytes(value)))
}

pub fn number(value: &Option<Bytes>) -> u64 {
    value.as_ref().map_or(0, |value| u64::from_be_bytes(value.as_ref().try_into().unwrap()))
}

/// Adds one to the number in `key`, which is its only read.
pub fn increment(key: &'static str) -> Decide {
    deciding(move |seen, _| Some(vec![row(key, (number(&seen[0]) + 1).to_be_bytes())]))
}

/// Writes the row if it is absent.
pub fn create(key: &'static str, value: String) -> Decide {
    deciding(move |seen, _| seen[0].is_none().then(|| vec![row(key, &value)]))
}

pub async fn put(kv: &dyn Kv, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Stamp {
    let answer = kv.commit(vec![], writing(vec![row(key, value)])).await.unwrap();
    answer.stamp.expect("nothing refuses it")
}

pub async fn get(kv: &dyn Kv, key: impl AsRef<[u8]>) -> Option<Bytes> {
    kv.read(vec![bytes(key)]).await.unwrap().remove(0)
}

pub async fn everything(kv: &dyn Kv) -> Vec<(Bytes, Bytes)> {
    let mut range = Range::prefix(b"");
    let mut rows = Vec::new();
    loop {
        let page = kv.scan(range.clone(), 100).await.unwrap();
        let Some((last, _)) = page.last() else {
            return rows;
        };
        range = range.after(last);
        rows.extend(page);
    }
}
