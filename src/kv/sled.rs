//! The engine on sled 0.34: the default. Adds the syncs that sled leaves out, so that no crash of the process loses what was answered.
//! Decides nothing.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;

use bytes::Bytes;
use sled::Batch;
use sled::Db;

use crate::kv::KvError;
use crate::kv::Range;
use crate::kv::engine::Engine;
use crate::kv::engine::Fault;
use crate::kv::engine::Line;
use crate::kv::engine::careful;
use crate::kv::files::Mark;
use crate::kv::files::create_dir;
use crate::kv::files::sync;

/// Half a segment of sled's log. It may reuse a freed segment before our sync; the fewer segments a group spans, the less can a power cut
/// in that moment reach.
const GROUP_BYTES_MAX: usize = 256 << 10;
/// How often a closing store looks whether sled's last thread has let go of the lock. It takes microseconds; at the bound it is left to it.
const LOOKS_MAX: usize = 100_000;

/// One directory of sled, held until it is dropped.
#[derive(Debug)]
pub struct Sled {
    /// `None` only while it is being dropped.
    db: Option<Db>,
    /// Our own handle on sled's file, for the sync that it does not do (its issue 1452).
    file: File,
    blobs: Blobs,
    mark: Mark,
}

impl Sled {
    /// Opens or makes the store in `dir`, which is made if it is missing.
    pub fn open(dir: &Path, cache_bytes: u64) -> Result<Sled, KvError> {
        let failed = |fault: String| KvError::Failed(format!("{}: {fault}", dir.display()));
        create_dir(dir).map_err(failed)?;
        // Our group commit is the flusher.
        let config = sled::Config::new().path(dir).cache_capacity(cache_bytes).flush_every_ms(None);
        let mut held = false;
        // Damaged files make sled panic in places.
        let db = careful(|| {
            config.open().map_err(|error| {
                held = is_held(&error);
                fault(error)
            })
        });
        if held {
            return Err(KvError::Held(dir.display().to_string()));
        }
        let db = db.map_err(failed)?;
        let mark = careful(|| Mark::check(dir, !db.is_empty())).map_err(failed)?;
        let blobs = Blobs::new(dir.join("blobs"));
        sync_all(dir).and_then(|()| blobs.sync_new()).map_err(failed)?;
        let file = File::options().write(true).open(dir.join("db"));
        let file = file.map_err(|error| failed(format!("cannot open db: {error}")))?;
        Ok(Sled { db: Some(db), file, blobs, mark })
    }

    fn db(&self) -> Result<&Db, Fault> {
        self.db.as_ref().ok_or_else(|| "the engine is closed".into())
    }
}

impl Drop for Sled {
    fn drop(&mut self) {
        self.db = None;
        // A thread of sled's pool may hold the lock for a moment after the last handle is gone. Whoever opens the store next, here or in
        // another process, shall find it free.
        for _ in 0..LOOKS_MAX {
            if self.file.try_lock().is_ok() {
                break;
            }
            thread::yield_now();
        }
    }
}

impl Engine for Sled {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Fault> {
        Ok(self.db()?.get(key).map_err(fault)?.map(|value| Bytes::copy_from_slice(&value)))
    }

    fn scan(&self, range: &Range, limit: usize) -> Result<Vec<(Bytes, Bytes)>, Fault> {
        let rows = self
            .db()?
            .range::<&[u8], _>((range.start.as_ref().map(Bytes::as_ref), range.end.as_ref().map(Bytes::as_ref)));
        rows.take(limit)
            .map(|row| {
                let (key, value) = row.map_err(fault)?;
                Ok((Bytes::copy_from_slice(&key), Bytes::copy_from_slice(&value)))
            })
            .collect()
    }

    fn apply(&self, batch: &[Line]) -> Result<(), Fault> {
        let db = self.db()?;
        let mut rows = Batch::default();
        for (key, value) in batch {
            match value {
                Some(value) => rows.insert(key.as_ref(), value.as_ref()),
                None => rows.remove(key.as_ref()),
            }
        }
        db.apply_batch(rows).map_err(fault)?;
        // This hands the bytes to the operating system and no further.
        db.flush().map_err(fault)?;
        self.blobs.sync_new()?;
        self.file.sync_data().map_err(|error| format!("cannot sync db: {error}"))?;
        self.mark.make()
    }

    fn group_bytes_max(&self) -> usize {
        GROUP_BYTES_MAX
    }

    fn disk_bytes(&self) -> u64 {
        self.db.as_ref().and_then(|db| db.size_on_disk().ok()).unwrap_or(0)
    }
}

/// The files into which sled puts a leaf above 128 KiB, and which it never syncs. Callers keep rows so small that there are none: this is
/// the net below.
#[derive(Debug)]
struct Blobs {
    dir: PathBuf,
    synced: Mutex<HashSet<OsString>>,
}

impl Blobs {
    fn new(dir: PathBuf) -> Blobs {
        Blobs { dir, synced: Mutex::default() }
    }

    /// Reads the directory each time: its time of change is too coarse to tell two groups apart, and it is empty as a rule. A blob is
    /// written once, under a name of its own.
    fn sync_new(&self) -> Result<(), Fault> {
        let mut synced = self.synced.lock().unwrap_or_else(PoisonError::into_inner);
        let mut found = HashSet::new();
        let mut is_new = false;
        let unreadable = |error: std::io::Error| format!("cannot read {}: {error}", self.dir.display());
        for entry in fs::read_dir(&self.dir).map_err(unreadable)? {
            let name = entry.map_err(unreadable)?.file_name();
            if !synced.contains(&name) {
                is_new = true;
                match File::open(self.dir.join(&name)).and_then(|blob| blob.sync_all()) {
                    // sled removes blobs that nothing needs any more, at its own time.
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    synced => synced.map_err(|error| format!("cannot sync a blob: {error}"))?,
                }
            }
            found.insert(name);
        }
        *synced = found;
        if is_new { sync(&self.dir) } else { Ok(()) }
    }
}

/// Syncs every file of the directory and the names: a new store is durable as a whole before its first row.
fn sync_all(dir: &Path) -> Result<(), Fault> {
    let unreadable = |error: std::io::Error| format!("cannot read {}: {error}", dir.display());
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        sync(&entry.map_err(unreadable)?.path())?;
    }
    sync(dir)
}

/// sled tells a held lock from other errors in its text alone; its version is pinned.
fn is_held(error: &sled::Error) -> bool {
    matches!(error, sled::Error::Io(error) if error.to_string().contains("could not acquire lock"))
}

fn fault(error: sled::Error) -> Fault {
    error.to_string()
}
