//! Rows of what a collection's subscribers are still to be told, when they are too many for one commit.

use bytes::Bytes;

use crate::domain::address::Address;
use crate::domain::collection::CollectionId;
use crate::kv::{Range, Writes};
use crate::store::keys;
use crate::store::record::{address, pack, unpack};
use crate::store::{Store, StoreError};

const WHAT: &str = "announcement";

/// News for everybody who subscribed to a collection before a stamp.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    pub source: CollectionId,
    /// Their subscriptions end; otherwise they changed.
    pub ends: bool,
    /// Only subscriptions that are older than this are meant.
    pub before: u64,
    /// How far it came: the last subscription that was told.
    pub after: Option<Address>,
}

impl Store {
    pub async fn announcements(&self) -> Result<Vec<Announcement>, StoreError> {
        let rows = self.all(&keys::announcements()).await?;
        rows.iter().map(|(key, bytes)| announcement(key, bytes)).collect()
    }

    /// The next subscriptions behind an address, at most so many.
    pub async fn subscribers_behind(
        &self,
        source: CollectionId,
        after: Option<&Address>,
        limit: usize,
    ) -> Result<Vec<Address>, StoreError> {
        let mut range = Range::prefix(&keys::subscribers(source));
        if let Some(after) = after {
            range = range.after(&keys::subscriber(source, after));
        }
        let rows = self.some(range, limit).await?;
        Ok(rows.iter().filter_map(|(key, _)| keys::leaf_address(key)).collect())
    }
}

/// Notes it.
pub fn write(writes: &mut Writes, news: &Announcement) {
    writes.push((keys::announcement(news.source, news.ends), Some(packed(news))));
}

/// Notes that it is told.
pub fn done(writes: &mut Writes, source: CollectionId, ends: bool) {
    writes.push((keys::announcement(source, ends), None));
}

/// Reads the row of one that ends subscriptions, which a decision was handed.
pub fn seen(row: Option<&Option<Bytes>>) -> Result<Option<u64>, StoreError> {
    let read = |bytes: &Bytes| unpack::<Row>(WHAT, bytes).map(|(before, _)| before);
    row.and_then(Option::as_ref).map(read).transpose()
}

type Row = (u64, Option<String>);

/// The row as it must stand for a decision to go on with it.
pub fn packed(news: &Announcement) -> Bytes {
    pack((news.before, news.after.as_ref().map(Address::to_string)))
}

fn announcement(key: &[u8], bytes: &[u8]) -> Result<Announcement, StoreError> {
    let id = key.get(1..9).and_then(|id| id.try_into().ok());
    let (id, ends) = id.zip(key.get(9).map(|ends| *ends != 0)).ok_or(StoreError::Unreadable(WHAT))?;
    let (before, after): Row = unpack(WHAT, bytes)?;
    let after = after.map(|text| address(WHAT, &text)).transpose()?;
    Ok(Announcement { source: CollectionId(u64::from_be_bytes(id)), ends, before, after })
}
