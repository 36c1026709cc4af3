//! One group of commits: decisions run over the group being built, then one batch goes to the engine. Knows no thread, queue or lock.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;

use bytes::Bytes;

use crate::kv::Answer;
use crate::kv::Decide;
use crate::kv::KEY_MAX;
use crate::kv::KvError;
use crate::kv::RESERVED;
use crate::kv::Stamp;
use crate::kv::VALUE_MAX;
use crate::kv::Writes;
use crate::kv::engine::Engine;
use crate::kv::engine::Line;
use crate::kv::engine::careful;
use crate::kv::view::Pending;

/// What one group has read so far and wants written.
pub struct Group<'e> {
    engine: &'e dyn Engine,
    rows: HashMap<Bytes, Row>,
    /// The keys and values to write, each key counted once.
    bytes: usize,
}

struct Row {
    /// What the engine holds.
    old: Option<Bytes>,
    /// What the group makes of it, if it writes it: an inner `None` removes.
    new: Option<Option<Bytes>>,
}

impl Row {
    fn current(&self) -> &Option<Bytes> {
        self.new.as_ref().unwrap_or(&self.old)
    }
}

/// What became of one commit.
pub enum Outcome {
    Decided(Answer),
    /// Nothing of it is in the group; its caller hears why, the others do not notice.
    Wrong(KvError),
    /// The group is large enough without it: it is decided again, in the next one.
    Full,
}

impl<'e> Group<'e> {
    pub fn new(engine: &'e dyn Engine) -> Group<'e> {
        Group { engine, rows: HashMap::new(), bytes: 0 }
    }

    /// Runs one decision on the values as the group has made them, and takes its writes in.
    pub fn decide(&mut self, reads: &[Bytes], decide: &Decide, stamp: Stamp) -> Outcome {
        match self.taken(reads, decide, stamp) {
            Ok(Some(answer)) => Outcome::Decided(answer),
            Ok(None) => Outcome::Full,
            Err(error) => Outcome::Wrong(error),
        }
    }

    /// `None` when there is no room. Everything that can fail comes before the first row is changed.
    fn taken(&mut self, reads: &[Bytes], decide: &Decide, stamp: Stamp) -> Result<Option<Answer>, KvError> {
        let seen = reads.iter().map(|key| Ok(self.row(key)?.current().clone())).collect::<Result<Vec<_>, KvError>>()?;
        // A decision is pure: a panic leaves nothing half done. It must not end the only writer.
        let decided = catch_unwind(AssertUnwindSafe(|| decide(&seen, stamp))).map_err(|_| KvError::Panicked)?;
        let Some(writes) = decided else {
            return Ok(Some(Answer { stamp: None, seen }));
        };
        let more = self.check(&writes)?;
        if self.bytes > 0 && self.bytes + more > self.engine.group_bytes_max() {
            return Ok(None);
        }
        for (key, new) in writes {
            let row = self.row(&key)?;
            let before = row.new.as_ref().map_or(0, |new| size(&key, new));
            let after = size(&key, &new);
            row.new = Some(new);
            self.bytes = self.bytes + after - before;
        }
        Ok(Some(Answer { stamp: Some(stamp), seen }))
    }

    /// Holds the writes against the limits, and reads the rows they will replace; gives by how much they make the group larger, at most.
    fn check(&mut self, writes: &Writes) -> Result<usize, KvError> {
        let mut more = 0;
        for (key, new) in writes {
            match new {
                _ if key.len() > KEY_MAX => return Err(KvError::KeyTooLong(key.len())),
                _ if is_reserved(key) => return Err(KvError::Reserved),
                Some(value) if value.len() > VALUE_MAX => return Err(KvError::ValueTooLong(value.len())),
                _ => {}
            }
            let before = self.row(key)?.new.as_ref().map_or(0, |new| size(key, new));
            more += size(key, new).saturating_sub(before);
        }
        Ok(more)
    }

    fn row(&mut self, key: &Bytes) -> Result<&mut Row, KvError> {
        if !self.rows.contains_key(key) {
            let old = careful(|| self.engine.get(key)).map_err(KvError::Failed)?;
            self.rows.insert(key.clone(), Row { old, new: None });
        }
        // Just looked up or just inserted; the map is this function's own until it returns.
        self.rows.get_mut(key).ok_or_else(|| KvError::Failed("a row of the group is gone".into()))
    }

    pub fn writes_nothing(&self) -> bool {
        self.bytes == 0
    }

    /// The batch for the engine, each key once, and what readers see until it is durable.
    pub fn finish(self) -> (Vec<Line>, Pending) {
        let mut batch = Vec::new();
        let mut pending = Pending::new();
        for (key, row) in self.rows {
            if let Some(new) = row.new {
                pending.insert(key.clone(), row.old);
                batch.push((key, new));
            }
        }
        // In key order, engines touch each page once.
        batch.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        (batch, pending)
    }
}

/// Whether no caller may write there; the empty key comes before the reserved ones, where no scan begins.
pub fn is_reserved(key: &[u8]) -> bool {
    key.first().is_none_or(|first| *first == RESERVED)
}

fn size(key: &Bytes, value: &Option<Bytes>) -> usize {
    key.len() + value.as_ref().map_or(0, Bytes::len)
}
