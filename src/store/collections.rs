//! Rows of collections, of the mirrors and subscriptions that point at them, and of the tombs of those deleted.

use bytes::Bytes;

use crate::domain::address::{Address, Kind, UserName};
use crate::domain::collection::{Collection, CollectionId, Source};
use crate::kv::Writes;
use crate::store::keys;
use crate::store::record;
use crate::store::{Store, StoreError};

impl Store {
    pub async fn collection(&self, address: &Address) -> Result<Option<Collection>, StoreError> {
        self.get(keys::collection(address)).await?.map(|bytes| record::collections::collection(&bytes)).transpose()
    }

    /// The collection of that number, if it still stands.
    pub async fn collection_by_id(&self, id: CollectionId) -> Result<Option<Collection>, StoreError> {
        let Some(at) = self.get(keys::collection_at(id)).await? else { return Ok(None) };
        let address = std::str::from_utf8(&at).ok().and_then(Address::parse);
        let address = address.ok_or(StoreError::Unreadable("collection place"))?;
        Ok(self.collection(&address).await?.filter(|found| found.id == id))
    }

    /// All of one kind in one home, ordered by name; inbox and outbox are not among them.
    pub async fn home(&self, kind: Kind, user: &UserName) -> Result<Vec<Collection>, StoreError> {
        let rows = self.all(&keys::home(kind, user)).await?;
        let all = rows.iter().map(|(_, bytes)| record::collections::collection(bytes));
        all.filter(|found| !found.as_ref().is_ok_and(|found| found.address.is_mailbox())).collect()
    }

    /// The collections of others that a person has a share of, whether its mirror is hidden or not.
    pub async fn granted(&self, user: &UserName) -> Result<Vec<CollectionId>, StoreError> {
        let rows = self.all(&keys::granted_to(user)).await?;
        Ok(rows.iter().filter_map(|(key, _)| keys::granted_id(key)).collect())
    }

    /// The addresses of all subscriptions to a collection.
    pub async fn subscribers(&self, source: CollectionId) -> Result<Vec<Address>, StoreError> {
        let rows = self.all(&keys::subscribers(source)).await?;
        Ok(rows.iter().filter_map(|(key, _)| keys::leaf_address(key)).collect())
    }
}

impl Store {
    /// The mirrors and subscriptions whose holders hear a collection's alarms too.
    pub async fn hearers(&self, source: CollectionId) -> Result<Vec<Address>, StoreError> {
        let rows = self.all(&keys::hearers(source)).await?;
        Ok(rows.iter().filter_map(|(key, _)| keys::leaf_address(key)).collect())
    }
}

/// Notes that a person has a share of a collection, or has it no more: a grant stands in the collection alone, and must be found when
/// the person goes.
pub fn write_granted(writes: &mut Writes, user: &UserName, source: CollectionId, has: bool) {
    writes.push((keys::granted(user, source), has.then(Bytes::new)));
}

/// Reads a head row that a decision was handed.
pub fn seen(row: Option<&Option<Bytes>>) -> Result<Option<Collection>, StoreError> {
    row.and_then(Option::as_ref).map(|bytes| record::collections::collection(bytes)).transpose()
}

/// Writes a collection's head, and where its number leads.
pub fn write(writes: &mut Writes, collection: &Collection) {
    writes.push((keys::collection(&collection.address), Some(record::collections::pack_collection(collection))));
}

/// Writes a new collection's rows, its entry among the source's subscribers included.
pub fn write_new(writes: &mut Writes, collection: &Collection) {
    write(writes, collection);
    writes.push((keys::collection_at(collection.id), Some(Bytes::from(collection.address.to_string()))));
    if let Source::Subscribed(_, source) = &collection.source {
        writes.push((keys::subscriber(*source, &collection.address), Some(Bytes::new())));
        if collection.address.name() != subscription_name(*source) {
            let name = Bytes::copy_from_slice(collection.address.name().as_bytes());
            writes.push((keys::called(*source, collection.address.user()), Some(name)));
        }
    }
}

/// What a subscription is called whose holder did not say: one person has one of each source.
pub fn subscription_name(source: CollectionId) -> String {
    format!("sub-{:x}", source.0)
}

/// Removes a collection's rows, and leaves a tomb: the sweep purges what hung on its number.
pub fn remove(writes: &mut Writes, collection: &Collection) {
    writes.push((keys::collection(&collection.address), None));
    writes.push((keys::collection_at(collection.id), None));
    writes.push((keys::tomb(collection.id), Some(Bytes::new())));
    if collection.alarms {
        writes.push((keys::hearer(collection.origin().1, &collection.address), None));
    }
    match &collection.source {
        Source::Own => {
            collection.grants.iter().for_each(|grant| write_granted(writes, &grant.user, collection.id, false));
        }
        Source::Subscribed(_, source) => {
            writes.push((keys::subscriber(*source, &collection.address), None));
            if collection.address.name() != subscription_name(*source) {
                writes.push((keys::called(*source, collection.address.user()), None));
            }
        }
        Source::Delegated(..) => {}
    }
}

/// Lets the holder of a mirror or a subscription hear its alarms, or not.
pub fn set_hearing(writes: &mut Writes, collection: &mut Collection, hears: bool) {
    collection.alarms = hears;
    let row = keys::hearer(collection.origin().1, &collection.address);
    writes.push((row, hears.then(Bytes::new)));
}
