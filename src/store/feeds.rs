//! Rows of feeds: what fills what, when it is looked at next, and which are made of another collection.

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::domain::address::UserName;
use crate::domain::collection::CollectionId;
use crate::domain::feed::{Feed, From};
use crate::kv::{Range, Writes};
use crate::store::{Store, StoreError, keys, record};

impl Store {
    pub async fn feed(&self, user: &UserName, id: &str) -> Result<Option<Feed>, StoreError> {
        self.get(keys::feed(user, id)).await?.map(|bytes| record::feeds::feed(&bytes)).transpose()
    }

    /// A person's feeds; everybody's where no person is named.
    pub async fn feeds(&self, user: Option<&UserName>) -> Result<Vec<Feed>, StoreError> {
        self.all(&keys::feeds(user)).await?.iter().map(|(_, bytes)| record::feeds::feed(bytes)).collect()
    }

    /// The next feeds that are due, and when: at most so many.
    pub async fn feeds_due(&self, limit: usize) -> Result<Vec<(DateTime<Utc>, UserName, String)>, StoreError> {
        let rows = self.some(Range::prefix(&keys::feeds_due()), limit).await?;
        let places = rows.iter().filter_map(|(key, _)| keys::feed_due_place(key));
        Ok(places.map(|(at, user, id)| (at, user, id.to_owned())).collect())
    }

    /// The feeds that are made of one collection, or of any, each with that collection.
    pub async fn followers(
        &self,
        source: Option<CollectionId>,
    ) -> Result<Vec<(CollectionId, UserName, String)>, StoreError> {
        let rows = self.all(&keys::followers(source)).await?;
        let places = rows.iter().filter_map(|(key, _)| keys::follows_place(key));
        Ok(places.map(|(source, user, id)| (source, user, id.to_owned())).collect())
    }
}

/// Reads a feed's row that a decision was handed.
pub fn seen(row: Option<&Option<Bytes>>) -> Result<Option<Feed>, StoreError> {
    row.and_then(Option::as_ref).map(|bytes| record::feeds::feed(bytes)).transpose()
}

/// Writes a feed in place of what it was.
pub fn write(writes: &mut Writes, before: Option<&Feed>, feed: &Feed) {
    if let Some(before) = before {
        writes.push((keys::feed_due(before.state.due, &before.user, &before.id), None));
    }
    writes.push((keys::feed(&feed.user, &feed.id), Some(record::feeds::pack_feed(feed))));
    writes.push((keys::feed_due(feed.state.due, &feed.user, &feed.id), Some(Bytes::new())));
    if let From::Birthdays(_, source) = &feed.from {
        writes.push((keys::follows(*source, &feed.user, &feed.id), Some(Bytes::new())));
    }
}

/// Takes a feed's rows away.
pub fn remove(writes: &mut Writes, feed: &Feed) {
    writes.push((keys::feed(&feed.user, &feed.id), None));
    writes.push((keys::feed_due(feed.state.due, &feed.user, &feed.id), None));
    if let From::Birthdays(_, source) = &feed.from {
        writes.push((keys::follows(*source, &feed.user, &feed.id), None));
    }
}
