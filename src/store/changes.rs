//! The change log of a collection: one row a change, folded to the last per name when it is read.

use std::collections::BTreeMap;

use crate::domain::collection::{Collection, CollectionId};
use crate::domain::sync::{Change, Token};
use crate::kv::{Range, SCAN_MAX, Writes};
use crate::store::keys;
use crate::store::record;
use crate::store::{Store, StoreError};

/// A change, and the stamp and part of its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    pub change: Change,
    pub place: (u64, u32),
}

impl Store {
    /// Whether this collection gave a token and still remembers it.
    pub async fn knows(&self, collection: &Collection, token: Token) -> Result<bool, StoreError> {
        Ok(token >= collection.floor && token <= collection.token && self.gave(collection, token).await?)
    }

    /// What became of each name since `token`; `None` where this collection never gave that token or has forgotten it.
    pub async fn changes_since(
        &self,
        collection: &Collection,
        token: Token,
    ) -> Result<Option<BTreeMap<String, Change>>, StoreError> {
        let found = self.changes_behind(collection, token, u32::MAX, usize::MAX).await?;
        Ok(found.map(|found| found.into_iter().map(|(name, row)| (name, row.change)).collect()))
    }

    /// The last change of each name behind one part of a token's commit. Reads no further once `most` names are found: what is left has
    /// later places than all that is there.
    pub async fn changes_behind(
        &self,
        collection: &Collection,
        token: Token,
        part: u32,
        most: usize,
    ) -> Result<Option<BTreeMap<String, Row>>, StoreError> {
        let id = collection.id;
        if token < collection.floor || token > collection.token || !self.gave(collection, token).await? {
            return Ok(None);
        }
        let mut folded = BTreeMap::new();
        let mut range = Range::prefix(&keys::changes(id)).after(&keys::change(id, token.0, part));
        loop {
            let rows = self.some(range.clone(), SCAN_MAX).await?;
            for (key, bytes) in &rows {
                let Some(place) = keys::change_place(key) else { continue };
                // A write behind the head that the caller read belongs to its next question.
                if place.0 <= collection.token.0 {
                    let (change, name) = record::objects::change(bytes)?;
                    folded.insert(name, Row { change, place });
                }
                if folded.len() >= most {
                    return Ok(Some(folded));
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
    writes.push((keys::change(collection, stamp, part), Some(record::objects::pack_change(change, name))));
}
