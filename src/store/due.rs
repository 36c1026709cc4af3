//! The due queue: what falls due and when, earliest first. One row an object: the next instant at which any alarm of it rings.

use std::ops::Bound;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::domain::collection::CollectionId;
use crate::kv::{Range, SCAN_MAX, Writes};
use crate::store::keys;
use crate::store::{Store, StoreError};

/// An object that has an alarm at an instant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    pub at: DateTime<Utc>,
    pub collection: CollectionId,
    pub name: String,
}

impl Store {
    /// The earliest instant in the queue.
    pub async fn next_due(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let mut next: Option<DateTime<Utc>> = None;
        for shard in 0..keys::SHARDS {
            let rows = self.some(Range::prefix(&keys::due_shard(shard)), 1).await?;
            let at = rows.first().and_then(|(key, _)| keys::due_place(key)).map(|(at, ..)| at);
            next = [next, at].into_iter().flatten().min();
        }
        Ok(next)
    }

    /// How many rows the queue has.
    pub async fn count_due(&self) -> Result<u64, StoreError> {
        let mut count = 0;
        for shard in 0..keys::SHARDS {
            let mut range = Range::prefix(&keys::due_shard(shard));
            loop {
                let rows = self.some(range.clone(), SCAN_MAX).await?;
                count += rows.len() as u64;
                match rows.last() {
                    Some((last, _)) if rows.len() == SCAN_MAX => range = range.after(last),
                    _ => break,
                }
            }
        }
        Ok(count)
    }

    /// What is due at `until` or before, at most `limit` rows a shard, in the order of their instants.
    pub async fn due_until(&self, until: DateTime<Utc>, limit: usize) -> Result<Vec<Due>, StoreError> {
        let mut due = Vec::new();
        for shard in 0..keys::SHARDS {
            let range = Range {
                start: Bound::Included(keys::due_shard(shard)),
                end: Bound::Excluded(keys::due_until(shard, until)),
            };
            let rows = self.some(range, limit).await?;
            due.extend(rows.iter().filter_map(|(key, _)| {
                let (at, collection, name) = keys::due_place(key)?;
                Some(Due { at, collection, name: name.to_owned() })
            }));
        }
        due.sort();
        Ok(due)
    }
}

pub fn write(writes: &mut Writes, at: DateTime<Utc>, collection: CollectionId, name: &str) {
    writes.push((keys::due(at, collection, name), Some(Bytes::new())));
}

pub fn remove(writes: &mut Writes, at: DateTime<Utc>, collection: CollectionId, name: &str) {
    writes.push((keys::due(at, collection, name), None));
}
