//! The change log of a collection: one row a change, folded to the last per name when it is read.

use std::collections::BTreeMap;

use crate::domain::collection::{Collection, CollectionId};
use crate::domain::sync::{Change, Token};
use crate::kv::{Range, SCAN_MAX, Writes};
use crate::store::keys;
use crate::store::record;
use crate::store::{Store, StoreError};

impl Store {
    /// What became of each name since `token`; `None` where this collection never gave that token or has forgotten it.
    pub async fn changes_since(
        &self,
        collection: &Collection,
        token: Token,
    ) -> Result<Option<BTreeMap<String, Change>>, StoreError> {
        let id = collection.id;
        if token < collection.floor || token > collection.token || !self.gave(collection, token).await? {
            return Ok(None);
        }
        let mut folded = BTreeMap::new();
        let mut range = Range::prefix(&keys::changes(id)).after(&keys::change(id, token.0, u32::MAX));
        loop {
            let rows = self.some(range.clone(), SCAN_MAX).await?;
            for (key, bytes) in &rows {
                // A write behind the head that the caller read belongs to its next question.
                if keys::change_stamp(key).is_some_and(|stamp| stamp <= collection.token.0) {
                    let (change, name) = record::change(bytes)?;
                    folded.insert(name, change);
                }
            }
            match rows.last() {
                Some((last, _)) if rows.len() == SCAN_MAX => range = range.after(last),
                _ => return Ok(Some(folded)),
            }
        }
    }

    /// A token is good only if it is where the log begins or a change of this very collection.
    async fn gave(&self, collection: &Collection, token: Token) -> Result<bool, StoreError> {
        if token == collection.floor || token == collection.token || token.0 == collection.id.0 {
            return Ok(true);
        }
        let first = keys::change(collection.id, token.0, 0);
        let rows = self.some(Range::prefix(&first[..first.len() - 4]), 1).await?;
        Ok(!rows.is_empty())
    }
}

pub fn write(writes: &mut Writes, collection: CollectionId, stamp: u64, part: u32, change: Change, name: &str) {
    writes.push((keys::change(collection, stamp, part), Some(record::pack_change(change, name))));
}
