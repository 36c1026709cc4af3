//! Rows of imports, of the items that failed in them, and of uploaded files in chunks.

use bytes::{Bytes, BytesMut};

use crate::domain::address::UserName;
use crate::domain::import::{Failure, Import, Upload};
use crate::kv::Writes;
use crate::store::keys::{self, CHUNK};
use crate::store::record;
use crate::store::{Store, StoreError};

/// How many chunks of an upload go into one commit: 160 KiB, so that a group keeps room for others.
pub const CHUNKS_A_COMMIT: usize = 40;

impl Store {
    pub async fn import(&self, id: &str) -> Result<Option<Import>, StoreError> {
        self.get(keys::import(id)).await?.map(|bytes| record::imports::import(&bytes)).transpose()
    }

    /// The ids of the imports that have not ended.
    pub async fn imports_open(&self) -> Result<Vec<String>, StoreError> {
        let rows = self.all(&keys::imports_open()).await?;
        Ok(rows.iter().filter_map(|(key, _)| keys::import_open_id(key)).map(str::to_owned).collect())
    }

    pub async fn imports(&self) -> Result<Vec<Import>, StoreError> {
        self.all(&keys::imports()).await?.iter().map(|(_, bytes)| record::imports::import(bytes)).collect()
    }

    pub async fn import_failures(&self, id: &str) -> Result<Vec<Failure>, StoreError> {
        self.all(&keys::import_failures(id)).await?.iter().map(|(_, bytes)| record::imports::failure(bytes)).collect()
    }

    pub async fn upload(&self, user: &UserName, id: &str) -> Result<Option<Upload>, StoreError> {
        self.get(keys::upload(user, id)).await?.map(|bytes| record::imports::upload(&bytes)).transpose()
    }

    /// A person's uploads; everybody's where no person is named.
    pub async fn uploads(&self, user: Option<&UserName>) -> Result<Vec<Upload>, StoreError> {
        let prefix = user.map_or_else(keys::uploads, keys::uploads_of);
        self.all(&prefix).await?.iter().map(|(_, bytes)| record::imports::upload(bytes)).collect()
    }

    /// The bytes of an upload; `None` where some are gone.
    pub async fn upload_bytes(&self, upload: &Upload) -> Result<Option<Bytes>, StoreError> {
        let mut whole = BytesMut::with_capacity(upload.size as usize);
        let chunks = upload.size.div_ceil(CHUNK as u64) as u32;
        for first in (0..chunks).step_by(CHUNKS_A_COMMIT) {
            let last = chunks.min(first + CHUNKS_A_COMMIT as u32);
            let keys = (first..last).map(|chunk| keys::upload_bytes(&upload.id, chunk)).collect();
            for row in self.kv().read(keys).await? {
                let Some(chunk) = row else { return Ok(None) };
                whole.extend_from_slice(&chunk);
            }
        }
        Ok(Some(whole.freeze()))
    }
}

pub fn write(writes: &mut Writes, import: &Import) {
    writes.push((keys::import(&import.id), Some(record::imports::pack_import(import))));
    let open = (!import.status.ended()).then(Bytes::new);
    writes.push((keys::import_open(&import.id), open));
}

pub fn write_failure(writes: &mut Writes, import: &str, number: u64, failure: &Failure) {
    writes.push((keys::import_failure(import, number), Some(record::imports::pack_failure(failure))));
}
