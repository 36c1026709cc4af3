//! A store as it stood at one moment, read from the first key to the last while the writer goes on. Writes nothing to the engine.

use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::kv::view::Pending;
use crate::kv::{KvError, Range, SCAN_MAX, Snapshot, Stamp};

/// How much a snapshot may have to remember of what changed behind the place that it has come to: keys and old values, in bytes.
pub const REMEMBERED_MAX: usize = 256 << 20;

/// What the writer and the reader of a snapshot have in common: how far it was read, and the old values of what changed behind that.
#[derive(Debug, Default)]
pub struct Moment {
    /// The last key that was given; empty before the first.
    given: Bytes,
    done: bool,
    old: Pending,
    bytes: usize,
    overtaken: bool,
}

impl Moment {
    /// Notes what stood there before a group changes it. The first value that is noted of a key is that of the snapshot.
    pub fn remember(&mut self, group: &Pending) {
        if self.done || self.overtaken {
            return;
        }
        for (key, old) in group.range::<Bytes, _>((Bound::Excluded(&self.given), Bound::Unbounded)) {
            if !self.old.contains_key(key) {
                self.bytes += size(key, old);
                self.old.insert(key.clone(), old.clone());
            }
        }
        if self.bytes > REMEMBERED_MAX {
            self.overtaken = true;
            self.old = Pending::new();
        }
    }

    /// The rows behind those that were given, as many as one scan of the engine leads to; nothing once all were given.
    pub fn next(
        &mut self,
        scan: impl FnOnce(&Range) -> Result<Vec<(Bytes, Bytes)>, KvError>,
    ) -> Result<Option<Vec<(Bytes, Bytes)>>, KvError> {
        if self.overtaken {
            return Err(KvError::Overtaken);
        }
        if self.done {
            return Ok(None);
        }
        let mut rows = scan(&Range { start: Bound::Excluded(self.given.clone()), end: Bound::Unbounded })?;
        // Where the engine has no more, all that is remembered still belongs to this page.
        let end = rows.last().filter(|_| rows.len() >= SCAN_MAX).map(|(key, _)| key.clone());
        let rest = match &end {
            Some(end) => self.old.split_off(&successor(end)),
            None => Pending::new(),
        };
        let old = std::mem::replace(&mut self.old, rest);
        self.bytes -= old.iter().map(|(key, value)| size(key, value)).sum::<usize>();
        if !old.is_empty() {
            rows.retain(|(key, _)| !old.contains_key(key));
            rows.extend(old.into_iter().filter_map(|(key, value)| Some((key, value?))));
            rows.sort_by(|(one, _), (other, _)| one.cmp(other));
        }
        match end {
            Some(end) => self.given = end,
            None => self.done = true,
        }
        Ok(Some(rows))
    }
}

/// The key right behind this one.
fn successor(key: &Bytes) -> Bytes {
    let mut next = key.to_vec();
    next.push(0);
    Bytes::from(next)
}

fn size(key: &Bytes, value: &Option<Bytes>) -> usize {
    key.len() + value.as_ref().map_or(0, Bytes::len)
}

/// The reader's end of a moment.
pub struct Reading {
    moment: Arc<Mutex<Moment>>,
    source: Arc<dyn Source>,
    stamp: Stamp,
}

/// Where the rows of a moment come from.
pub trait Source: Send + Sync {
    /// The next page of this moment, read between two groups.
    fn page(&self, moment: &mut Moment) -> Result<Option<Vec<(Bytes, Bytes)>>, KvError>;
}

impl Reading {
    pub fn new(moment: Arc<Mutex<Moment>>, source: Arc<dyn Source>, stamp: Stamp) -> Reading {
        Reading { moment, source, stamp }
    }
}

impl Snapshot for Reading {
    fn stamp(&self) -> Stamp {
        self.stamp
    }

    fn next(&mut self) -> Result<Option<Vec<(Bytes, Bytes)>>, KvError> {
        self.source.page(&mut held(&self.moment))
    }
}

/// A moment is only ever changed by steps that cannot fail half-way.
pub fn held(moment: &Mutex<Moment>) -> MutexGuard<'_, Moment> {
    moment.lock().unwrap_or_else(PoisonError::into_inner)
}
