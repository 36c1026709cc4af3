//! Rows of tickets. Only the SHA-256 of a ticket is kept.

use bytes::Bytes;

use crate::domain::ticket::Ticket;
use crate::kv::Writes;
use crate::store::keys;
use crate::store::record;
use crate::store::{Store, StoreError};

impl Store {
    /// Every ticket that is neither used nor swept, with its key.
    pub async fn tickets(&self) -> Result<Vec<(Bytes, Ticket)>, StoreError> {
        let rows = self.all(&keys::tickets()).await?;
        rows.into_iter().map(|(key, bytes)| Ok((key, record::people::ticket(&bytes)?))).collect()
    }
}

pub fn write(writes: &mut Writes, value: &str, ticket: &Ticket) {
    writes.push((keys::ticket(value), Some(record::people::pack_ticket(ticket))));
}
