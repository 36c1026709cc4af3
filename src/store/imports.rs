//! Rows of imports, of the items that failed in them, and of uploaded files, whose bytes lie in the spool.

use bytes::Bytes;

use crate::domain::address::UserName;
use crate::domain::import::{Failure, Import, Upload};
use crate::kv::Writes;
use crate::store::keys;
use crate::store::record;
use crate::store::{Store, StoreError};

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

    pub async fn import_failures(&self, id: &str) -> Result<Vec<(Failure, String)>, StoreError> {
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
}

pub fn write(writes: &mut Writes, import: &Import) {
    writes.push((keys::import(&import.id), Some(record::imports::pack_import(import))));
    let open = (!import.status.ended()).then(Bytes::new);
    writes.push((keys::import_open(&import.id), open));
}

pub fn write_failure(writes: &mut Writes, import: &str, number: u64, failure: &Failure, code: &str) {
    writes.push((keys::import_failure(import, number), Some(record::imports::pack_failure(failure, code))));
}

/// What a sender's key stands for: the import, and a hash of what was asked.
pub fn key_row(import: &str, asked: &[u8]) -> Bytes {
    [import.as_bytes(), &[0], asked].concat().into()
}

pub fn key_back(row: &[u8]) -> Result<(String, Vec<u8>), StoreError> {
    let split = memchr::memchr(0, row).and_then(|at| Some((row.get(..at)?, row.get(at + 1..)?)));
    let (id, asked) = split.ok_or(StoreError::Unreadable("import key"))?;
    let id = std::str::from_utf8(id).map_err(|_| StoreError::Unreadable("import key"))?;
    Ok((id.to_owned(), asked.to_vec()))
}
