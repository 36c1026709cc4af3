//! The engine that keeps everything in memory: for tests and for trying things out. Nothing reaches a disk.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use crate::kv::KvError;
use crate::kv::Range;
use crate::kv::engine::Engine;
use crate::kv::engine::Fault;
use crate::kv::engine::Line;
use crate::kv::writer::GroupKv;

/// As redb has it: no layout on a disk asks for less.
const GROUP_BYTES_MAX: usize = 4 << 20;

/// What stays when a store in memory is closed, as files would. Clones are the same disk; one store at a time opens it.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    rows: Arc<RwLock<BTreeMap<Bytes, Bytes>>>,
    held: Arc<AtomicBool>,
}

/// The rows of a [`Disk`], held until it is dropped.
#[derive(Debug)]
pub struct Memory {
    disk: Disk,
}

impl Memory {
    pub fn open(disk: &Disk) -> Result<Memory, KvError> {
        if disk.held.swap(true, Ordering::AcqRel) {
            return Err(KvError::Held("memory".into()));
        }
        Ok(Memory { disk: disk.clone() })
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.disk.held.store(false, Ordering::Release);
    }
}

/// A store on this disk, new or opened again.
pub fn open(disk: &Disk) -> Result<GroupKv, KvError> {
    GroupKv::open(Box::new(Memory::open(disk)?))
}

impl Engine for Memory {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Fault> {
        Ok(self.disk.rows.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned())
    }

    fn scan(&self, range: &Range, limit: usize) -> Result<Vec<(Bytes, Bytes)>, Fault> {
        let rows = self.disk.rows.read().unwrap_or_else(PoisonError::into_inner);
        let found = rows.range::<Bytes, _>((range.start.as_ref(), range.end.as_ref())).take(limit);
        Ok(found.map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    fn apply(&self, batch: &[Line]) -> Result<(), Fault> {
        let mut rows = self.disk.rows.write().unwrap_or_else(PoisonError::into_inner);
        for (key, value) in batch {
            match value {
                Some(value) => rows.insert(key.clone(), value.clone()),
                None => rows.remove(key),
            };
        }
        Ok(())
    }

    fn group_bytes_max(&self) -> usize {
        GROUP_BYTES_MAX
    }

    fn disk_bytes(&self) -> u64 {
        0
    }
}
