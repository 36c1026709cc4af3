//! Rows of objects: the record, the UID index, and the bytes in chunks beside it.

use bytes::{Bytes, BytesMut};

use crate::domain::collection::CollectionId;
use crate::domain::object::{BodyId, Record};
use crate::kv::{Range, Writes};
use crate::store::keys::{self, CHUNK};
use crate::store::{Store, StoreError};
use crate::store::{journal, presence, record};

impl Store {
    pub async fn object(&self, collection: CollectionId, name: &str) -> Result<Option<Record>, StoreError> {
        self.get(keys::object(collection, name)).await?.map(|bytes| record::objects::object(&bytes)).transpose()
    }

    /// The name of the object that has a UID.
    pub async fn object_of_uid(&self, collection: CollectionId, uid: &str) -> Result<Option<String>, StoreError> {
        let row = self.get(keys::uid(collection, uid)).await?;
        Ok(row.and_then(|bytes| String::from_utf8(bytes.to_vec()).ok()))
    }

    /// The bytes of a body; `None` where they were replaced since the record was read.
    pub async fn body(&self, collection: CollectionId, body: BodyId, size: u64) -> Result<Option<Bytes>, StoreError> {
        let rows = self.kv().read(body_keys(collection, body, size)).await?;
        let mut whole = BytesMut::with_capacity(size as usize);
        for row in rows {
            let Some(chunk) = row else { return Ok(None) };
            whole.extend_from_slice(&chunk);
        }
        Ok(Some(whole.freeze()))
    }

    /// Several bodies in one read, in the order in which they are named; `None` for those that were replaced since.
    pub async fn bodies(
        &self,
        collection: CollectionId,
        wanted: &[(BodyId, u64)],
    ) -> Result<Vec<Option<Bytes>>, StoreError> {
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let keys = wanted.iter().flat_map(|(body, size)| body_keys(collection, *body, *size)).collect();
        let mut rows = self.kv().read(keys).await?.into_iter();
        let whole = |(_, size): &(BodyId, u64)| {
            let mut chunks: Vec<Option<Bytes>> = rows.by_ref().take(chunks(*size) as usize).collect();
            if chunks.len() == 1 {
                return chunks.pop().flatten();
            }
            let mut whole = BytesMut::with_capacity(*size as usize);
            for chunk in chunks {
                whole.extend_from_slice(&chunk?);
            }
            Some(whole.freeze())
        };
        Ok(wanted.iter().map(whole).collect())
    }

    /// Several records in one read, in the order in which they are named.
    pub async fn objects_named(
        &self,
        collection: CollectionId,
        names: impl Iterator<Item = &str>,
    ) -> Result<Vec<Option<Record>>, StoreError> {
        let rows = self.kv().read(names.map(|name| keys::object(collection, name)).collect()).await?;
        rows.into_iter().map(|row| row.map(|bytes| record::objects::object(&bytes)).transpose()).collect()
    }

    /// An object's record and bytes, of one and the same write.
    pub async fn object_with_body(
        &self,
        collection: CollectionId,
        name: &str,
    ) -> Result<Option<(Record, Bytes)>, StoreError> {
        // A write between the two reads replaces the bytes: read again. A second miss in a row is possible, an endless row of them is not
        // worth waiting for.
        for _ in 0..READ_TRIES {
            let Some(found) = self.object(collection, name).await? else { return Ok(None) };
            if let Some(bytes) = self.body(collection, found.body, found.size).await? {
                return Ok(Some((found, bytes)));
            }
        }
        Err(StoreError::Unreadable("object body"))
    }

    /// Records of a collection in the order of their names, from behind `after`.
    pub async fn objects(
        &self,
        collection: CollectionId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        let mut range = Range::prefix(&keys::objects(collection));
        if let Some(name) = after {
            range = range.after(&keys::object(collection, name));
        }
        self.some(range, limit).await?.iter().map(|(_, bytes)| record::objects::object(bytes)).collect()
    }
}

/// How often a body that vanished under the reader is looked up again.
const READ_TRIES: usize = 16;

fn chunks(size: u64) -> u32 {
    size.div_ceil(CHUNK as u64) as u32
}

fn body_keys(collection: CollectionId, body: BodyId, size: u64) -> Vec<Bytes> {
    (0..chunks(size)).map(|chunk| keys::body(collection, body, chunk)).collect()
}

/// Writes record, UID entry and bytes.
pub fn write(writes: &mut Writes, collection: CollectionId, object: &Record, bytes: &Bytes) {
    write_record(writes, collection, object);
    writes.push((keys::uid(collection, &object.uid), Some(Bytes::copy_from_slice(object.name.as_bytes()))));
    for (chunk, start) in (0..bytes.len()).step_by(CHUNK).enumerate() {
        let end = bytes.len().min(start + CHUNK);
        writes.push((keys::body(collection, object.body, chunk as u32), Some(bytes.slice(start..end))));
    }
}

/// Writes the record alone.
pub fn write_record(writes: &mut Writes, collection: CollectionId, object: &Record) {
    writes.push((keys::object(collection, &object.name), Some(record::objects::pack_object(object))));
}

/// Removes an object's bytes, UID entry, due row, armed alarms and rows of presence; the record itself only where it is not about to be written anew.
pub fn remove(writes: &mut Writes, collection: CollectionId, object: &Record) {
    writes.push((keys::object(collection, &object.name), None));
    writes.push((keys::uid(collection, &object.uid), None));
    body_keys(collection, object.body, object.size).into_iter().for_each(|key| writes.push((key, None)));
    if let Some(at) = object.due {
        writes.push((keys::due(at, collection, &object.name), None));
    }
    object.armed.iter().for_each(|armed| journal::disarm(writes, collection, armed));
    presence::leave(writes, collection, object);
}
