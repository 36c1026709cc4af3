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

    /// How many rows are due at `until` or before; counts no further than `enough`, and a shard no further than one scan.
    pub async fn count_near(&self, until: DateTime<Utc>, enough: usize) -> Result<usize, StoreError> {
        let mut count = 0;
        for shard in 0..keys::SHARDS {
            let start = Bound::Included(keys::due_shard(shard));
            let end = Bound::Excluded(keys::due_until(shard, until));
            count += self.some(Range { start, end }, enough.saturating_sub(count)).await?.len();
        }
        Ok(count)
    }

    /// What is due at `until` or before, in the order of the instants, at most `limit` rows a shard; and whether that is all.
    ///
    /// A collection with more than a page at one instant is passed over for the next one there, so that nobody waits behind its rows.
    pub async fn due_until(&self, until: DateTime<Utc>, limit: usize) -> Result<(Vec<Due>, bool), StoreError> {
        let (mut due, mut all) = (Vec::new(), true);
        for shard in 0..keys::SHARDS {
            let mut found: Vec<Due> = Vec::new();
            let end = Bound::Excluded(keys::due_until(shard, until));
            let mut start = Bound::Included(keys::due_shard(shard));
            loop {
                if found.len() >= limit {
                    all = false;
                    break;
                }
                let rows = self.some(Range { start, end: end.clone() }, PAGE).await?;
                found.extend(rows.iter().filter_map(|(key, _)| {
                    let (at, collection, name) = keys::due_place(key)?;
                    Some(Due { at, collection, name: name.to_owned() })
                }));
                let (Some((last, _)), true) = (rows.last(), rows.len() == PAGE) else { break };
                let place = |key: &Bytes| keys::due_place(key).map(|(at, id, _)| (at, id));
                let (first_place, last_place) = (rows.first().and_then(|(key, _)| place(key)), place(last));
                start = match last_place.filter(|place| Some(*place) == first_place) {
                    Some((at, CollectionId(id))) => {
                        all = false;
                        // The next number that falls to this shard.
                        let next = id.saturating_add(u64::from(keys::SHARDS));
                        Bound::Included(keys::due(at, CollectionId(next), ""))
                    }
                    None => Bound::Excluded(last.clone()),
                };
            }
            due.extend(found);
        }
        due.sort();
        Ok((due, all))
    }
}

/// Rows of one scan of the queue, and so the most that one collection may have before the next one's turn.
const PAGE: usize = 64;

pub fn write(writes: &mut Writes, at: DateTime<Utc>, collection: CollectionId, name: &str) {
    writes.push((keys::due(at, collection, name), Some(Bytes::new())));
}

pub fn remove(writes: &mut Writes, at: DateTime<Utc>, collection: CollectionId, name: &str) {
    writes.push((keys::due(at, collection, name), None));
}
