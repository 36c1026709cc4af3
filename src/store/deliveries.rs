//! Rows of deliveries: those still to be made, and those that were given up; and of the channels that people chose.

use bytes::Bytes;

use crate::domain::address::UserName;
use crate::domain::channel::Channels;
use crate::domain::delivery::{Delivery, DeliveryId};
use crate::kv::Writes;
use crate::store::keys;
use crate::store::record;
use crate::store::{Store, StoreError};

impl Store {
    /// What a person chose; nothing where they never did.
    pub async fn channels(&self, user: &UserName) -> Result<Channels, StoreError> {
        seen_channels(self.get(keys::channels(user)).await?.as_ref())
    }

    pub async fn delivery(&self, user: &UserName, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        self.get(keys::delivery(user, id)).await?.map(|bytes| record::alarms::delivery(&bytes)).transpose()
    }

    /// The deliveries still to be made: one person's, or everybody's.
    pub async fn deliveries(&self, user: Option<&UserName>) -> Result<Vec<Delivery>, StoreError> {
        self.read_deliveries(&keys::deliveries(user)).await
    }

    /// The deliveries that were given up: one person's, or everybody's.
    pub async fn dead_deliveries(&self, user: Option<&UserName>) -> Result<Vec<Delivery>, StoreError> {
        self.read_deliveries(&keys::deads(user)).await
    }

    async fn read_deliveries(&self, prefix: &[u8]) -> Result<Vec<Delivery>, StoreError> {
        self.all(prefix).await?.iter().map(|(_, bytes)| record::alarms::delivery(bytes)).collect()
    }
}

/// The channels of a row that a decision saw.
pub fn seen_channels(row: Option<&Bytes>) -> Result<Channels, StoreError> {
    row.map_or_else(|| Ok(Channels::default()), |bytes| record::alarms::channels(bytes))
}

pub fn write(writes: &mut Writes, delivery: &Delivery) {
    writes.push((keys::delivery(&delivery.user, delivery.id), Some(record::alarms::pack_delivery(delivery))));
    writes.push((keys::dead(&delivery.user, delivery.id), None));
}

pub fn bury(writes: &mut Writes, delivery: &Delivery) {
    writes.push((keys::delivery(&delivery.user, delivery.id), None));
    writes.push((keys::dead(&delivery.user, delivery.id), Some(record::alarms::pack_delivery(delivery))));
}

pub fn remove(writes: &mut Writes, delivery: &Delivery) {
    writes.push((keys::delivery(&delivery.user, delivery.id), None));
}
