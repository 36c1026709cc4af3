//! Rows of what a mirror brought: which objects of a collection one source held, and in which run it was last seen there.

use bytes::{BufMut, Bytes, BytesMut};

use crate::domain::collection::CollectionId;
use crate::kv::{Range, Writes};
use crate::store::keys;
use crate::store::{Store, StoreError};

/// One object that a mirror brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The import that saw it last.
    pub run: String,
    /// Its content without its UID, where it has one component.
    pub content: Option<String>,
}

impl Held {
    /// The run, a zero byte, the content.
    fn pack(&self) -> Bytes {
        let mut bytes = BytesMut::new();
        bytes.put_slice(self.run.as_bytes());
        if let Some(content) = &self.content {
            bytes.put_u8(0);
            bytes.put_slice(content.as_bytes());
        }
        bytes.freeze()
    }
}

/// Reads such a row.
pub fn held(bytes: &[u8]) -> Result<Held, StoreError> {
    let text = std::str::from_utf8(bytes).map_err(|_| StoreError::Unreadable("held"))?;
    let (run, content) = match text.split_once('\0') {
        Some((run, content)) => (run, Some(content.to_owned())),
        None => (text, None),
    };
    Ok(Held { run: run.to_owned(), content })
}

impl Store {
    /// Names and rows of what one source holds, in the order of the names, from behind `after`.
    pub async fn held(
        &self,
        of: CollectionId,
        source: &str,
        after: Option<&str>,
        most: usize,
    ) -> Result<Vec<(String, Held)>, StoreError> {
        let mut range = Range::prefix(&keys::all_held(of, source));
        if let Some(after) = after {
            range = range.after(&keys::held(of, source, after));
        }
        let rows = self.some(range, most).await?;
        rows.iter()
            .map(|(key, bytes)| {
                let name = keys::held_name(key).ok_or(StoreError::Unreadable("held"))?;
                Ok((name.to_owned(), held(bytes)?))
            })
            .collect()
    }

    /// The object of one source that has this content, whatever its UID.
    pub async fn held_content(
        &self,
        of: CollectionId,
        source: &str,
        content: &str,
    ) -> Result<Option<String>, StoreError> {
        let name = self.get(keys::held_content(of, source, content)).await?;
        Ok(name.and_then(|name| String::from_utf8(name.to_vec()).ok()))
    }

    pub async fn held_one(&self, of: CollectionId, source: &str, name: &str) -> Result<Option<Held>, StoreError> {
        self.get(keys::held(of, source, name)).await?.map(|bytes| held(&bytes)).transpose()
    }
}

pub fn write(writes: &mut Writes, of: CollectionId, source: &str, name: &str, held: &Held) {
    writes.push((keys::held(of, source, name), Some(held.pack())));
    if let Some(content) = &held.content {
        writes.push((keys::held_content(of, source, content), Some(Bytes::copy_from_slice(name.as_bytes()))));
    }
}

/// Another object of the same content may have taken the second row over: it finds no object then, and the next run writes it anew.
pub fn remove(writes: &mut Writes, of: CollectionId, source: &str, name: &str, held: &Held) {
    writes.push((keys::held(of, source, name), None));
    if let Some(content) = &held.content {
        writes.push((keys::held_content(of, source, content), None));
    }
}
