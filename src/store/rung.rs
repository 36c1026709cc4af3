//! Rows of alarms that rang: what each person was to hear, and what became of it.

use crate::domain::address::UserName;
use crate::domain::alarm::Rung;
use crate::kv::Writes;
use crate::store::keys;
use crate::store::record;
use crate::store::{Store, StoreError};

impl Store {
    /// The alarms that rang for a person and are not yet swept, earliest first.
    pub async fn rung(&self, user: &UserName) -> Result<Vec<Rung>, StoreError> {
        self.all(&keys::rung_for(user)).await?.iter().map(|(_, bytes)| record::alarms::rung(bytes)).collect()
    }
}

pub fn write(writes: &mut Writes, rung: &Rung) {
    writes.push((keys::rung(&rung.user, rung.alarm.at, rung.alarm.id), Some(record::alarms::pack_rung(rung))));
}
