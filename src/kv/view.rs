//! What readers see: the engine with the old values of the group that is on its way to disk laid over it. Writes nothing.

use std::collections::BTreeMap;
use std::mem;
use std::ops::Bound;
use std::sync::{Arc, Mutex, Weak};

use bytes::Bytes;

use crate::kv::KvError;
use crate::kv::RESERVED;
use crate::kv::Range;
use crate::kv::SCAN_MAX;
use crate::kv::engine::Engine;
use crate::kv::engine::careful;
use crate::kv::format::last_stamp;
use crate::kv::snapshot::{Moment, held};

/// The value of every key of one group, as it was before that group.
pub type Pending = BTreeMap<Bytes, Option<Bytes>>;

/// Whoever holds this for the length of one call sees the store between two groups: until the group is durable its keys read as before,
/// all others do not change.
pub struct View {
    /// Why there is nothing to see any more, once the store is closed or has failed.
    engine: Result<Arc<dyn Engine>, KvError>,
    pending: Pending,
    /// The snapshots that are being read, as long as somebody reads them.
    moments: Vec<Weak<Mutex<Moment>>>,
}

impl View {
    pub fn new(engine: Arc<dyn Engine>) -> View {
        View { engine: Ok(engine), pending: Pending::new(), moments: Vec::new() }
    }

    /// Shows these keys so, until the next call; gives what was shown before, to be dropped outside the lock.
    pub fn cover(&mut self, pending: Pending) -> Pending {
        self.moments.retain(|moment| match moment.upgrade() {
            Some(moment) => {
                held(&moment).remember(&pending);
                true
            }
            None => false,
        });
        mem::replace(&mut self.pending, pending)
    }

    /// Ends it; the engine comes out, to be dropped outside the lock.
    pub fn end(&mut self, why: KvError) -> Option<Arc<dyn Engine>> {
        self.pending.clear();
        mem::replace(&mut self.engine, Err(why)).ok()
    }

    /// Begins a snapshot of what readers see now, with the last stamp that it may hold.
    pub fn begin(&mut self) -> Result<(Arc<Mutex<Moment>>, u64), KvError> {
        let engine = self.engine.as_ref().map_err(KvError::clone)?;
        let stamp = last_stamp(&**engine)?;
        let mut moment = Moment::default();
        moment.remember(&self.pending);
        let moment = Arc::new(Mutex::new(moment));
        self.moments.push(Arc::downgrade(&moment));
        Ok((moment, stamp))
    }

    /// The next page of a snapshot.
    pub fn page(&self, moment: &mut Moment) -> Result<Option<Vec<(Bytes, Bytes)>>, KvError> {
        let engine = self.engine.as_ref().map_err(KvError::clone)?;
        moment.next(|range| {
            let range = without_reserved(range.clone());
            careful(|| engine.scan(&range, SCAN_MAX)).map_err(KvError::Failed)
        })
    }

    pub fn read(&self, keys: &[Bytes]) -> Result<Vec<Option<Bytes>>, KvError> {
        let engine = self.engine.as_ref().map_err(KvError::clone)?;
        let value = |key: &Bytes| match self.pending.get(key) {
            Some(old) => Ok(old.clone()),
            None => engine.get(key),
        };
        careful(|| keys.iter().map(value).collect()).map_err(KvError::Failed)
    }

    pub fn scan(&self, range: Range, limit: usize) -> Result<Vec<(Bytes, Bytes)>, KvError> {
        let engine = self.engine.as_ref().map_err(KvError::clone)?;
        let limit = limit.min(SCAN_MAX);
        let range = without_reserved(range);
        if limit == 0 || is_empty(&range) {
            return Ok(Vec::new());
        }
        let bounds = (range.start.as_ref(), range.end.as_ref());
        let covered = self.pending.range::<Bytes, _>(bounds).count();
        // Every covered row that the engine gives may be one that readers do not see yet: so many more are asked for.
        let mut rows = careful(|| engine.scan(&range, limit + covered)).map_err(KvError::Failed)?;
        if covered > 0 {
            rows.retain(|(key, _)| !self.pending.contains_key(key));
            let old = self.pending.range::<Bytes, _>(bounds);
            rows.extend(old.filter_map(|(key, old)| Some((key.clone(), old.clone()?))));
            rows.sort_by(|(one, _), (other, _)| one.cmp(other));
        }
        rows.truncate(limit);
        Ok(rows)
    }

    pub fn disk_bytes(&self) -> u64 {
        self.engine.as_ref().map_or(0, |engine| engine.disk_bytes())
    }
}

/// The empty key and those under the reserved byte are before all others.
fn without_reserved(range: Range) -> Range {
    let first = Bytes::from_static(&[RESERVED + 1]);
    let start = match range.start {
        Bound::Included(key) | Bound::Excluded(key) if key < first => Bound::Included(first),
        Bound::Unbounded => Bound::Included(first),
        start => start,
    };
    Range { start, end: range.end }
}

/// Whether no key can lie in it. Engines differ on such ranges, some panic.
fn is_empty(range: &Range) -> bool {
    match (&range.start, &range.end) {
        (Bound::Included(start), Bound::Included(end)) => start > end,
        (Bound::Included(start) | Bound::Excluded(start), Bound::Included(end) | Bound::Excluded(end)) => start >= end,
        (Bound::Unbounded, _) | (_, Bound::Unbounded) => false,
    }
}
