//! Rows of dead properties: all of one holder as one text, in chunks. Sets no bound on them but the number of chunks.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::domain::collection::CollectionId;
use crate::domain::dead::{DeadProperty, Holder};
use crate::kv::{Range, SCAN_MAX, Writes};
use crate::store::keys::{self, CHUNK};
use crate::store::record;
use crate::store::{Store, StoreError};

/// Rows that one holder's properties may take, so that a decision can name them all: 128 KiB.
pub const CHUNKS_MAX: u8 = 32;

impl Store {
    /// Everything that a holder keeps.
    pub async fn dead(&self, holder: &Holder) -> Result<Vec<DeadProperty>, StoreError> {
        // One scan sees all rows of one commit.
        let rows = self.some(Range::prefix(&keys::dead_properties(holder)), usize::from(CHUNKS_MAX)).await?;
        record::objects::dead(&joined(rows.iter().map(|(_, row)| row)))
    }

    /// What the objects between two names keep, both included; those that keep nothing are left out.
    pub async fn dead_of_objects(
        &self,
        collection: CollectionId,
        first: &str,
        last: &str,
    ) -> Result<BTreeMap<Arc<str>, Vec<DeadProperty>>, StoreError> {
        let mut names: Vec<Arc<str>> = Vec::new();
        let mut range = Range::prefix(&keys::dead_of_objects(collection));
        range.start = Bound::Included(keys::dead_properties(&Holder::Object(collection, Arc::from(first))));
        'pages: loop {
            let rows = self.some(range.clone(), SCAN_MAX).await?;
            for (key, _) in &rows {
                let Some(name) = keys::dead_object(key) else { continue };
                if name > last {
                    break 'pages;
                }
                if names.last().is_none_or(|known| **known != *name) {
                    names.push(Arc::from(name));
                }
            }
            match rows.last() {
                Some((key, _)) if rows.len() == SCAN_MAX => range = range.after(key),
                _ => break,
            }
        }
        let mut found = BTreeMap::new();
        for name in names {
            let properties = self.dead(&Holder::Object(collection, name.clone())).await?;
            found.insert(name, properties);
        }
        Ok(found)
    }
}

/// Every row that a decision about a holder must read.
pub fn rows(holder: &Holder) -> Vec<Bytes> {
    (0..CHUNKS_MAX).map(|chunk| keys::dead_chunk(holder, chunk)).collect()
}

/// Reads the rows that a decision was handed.
pub fn seen(rows: &[Option<Bytes>]) -> Result<Vec<DeadProperty>, StoreError> {
    record::objects::dead(&joined(rows.iter().flatten()))
}

/// Writes a holder's properties in place of what stood there in `before` rows. Answers how many rows they take now; `None`, and nothing
/// written, where that would be more than there may be.
pub fn write(writes: &mut Writes, holder: &Holder, before: u8, properties: &[DeadProperty]) -> Option<u8> {
    let text = if properties.is_empty() { Bytes::new() } else { record::objects::pack_dead(properties) };
    let rows = u8::try_from(text.len().div_ceil(CHUNK)).ok().filter(|rows| *rows <= CHUNKS_MAX)?;
    for chunk in 0..rows.max(before) {
        let start = usize::from(chunk) * CHUNK;
        let part = (chunk < rows).then(|| text.slice(start..text.len().min(start + CHUNK)));
        writes.push((keys::dead_chunk(holder, chunk), part));
    }
    Some(rows)
}

/// Takes them away.
pub fn remove(writes: &mut Writes, holder: &Holder, rows: u8) {
    writes.extend((0..rows).map(|chunk| (keys::dead_chunk(holder, chunk), None)));
}

fn joined<'a>(rows: impl Iterator<Item = &'a Bytes>) -> Bytes {
    let mut whole = BytesMut::new();
    rows.for_each(|row| whole.extend_from_slice(row));
    whole.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_takes_several_rows_and_comes_back() {
        let holder = Holder::Object(CollectionId(7), Arc::from("a.ics"));
        let property = |bytes: usize| DeadProperty { space: "u:e".into(), local: "x".into(), value: "y".repeat(bytes) };
        for (bytes, want) in [(1, 1), (CHUNK, 2), (100_000, 25)] {
            let kept = vec![property(bytes)];
            let mut writes = Writes::new();
            assert_eq!(write(&mut writes, &holder, 30, &kept), Some(want));
            assert_eq!(writes.len(), 30, "what stood there before goes");
            assert!(writes.iter().all(|(key, _)| keys::dead_object(key) == Some("a.ics")));
            let rows: Vec<Option<Bytes>> = writes.into_iter().map(|(_, row)| row).collect();
            assert_eq!(seen(&rows).expect("rows"), kept);
        }
        let mut writes = Writes::new();
        assert_eq!(write(&mut writes, &holder, 0, &[property(CHUNK * 32)]), None);
        assert_eq!(write(&mut writes, &holder, 0, &[]), Some(0));
        assert!(writes.is_empty());
        assert_eq!(seen(&[None, None]).expect("nothing"), []);
    }
}
