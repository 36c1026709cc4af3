//! What an engine gives: ordered rows, and one batch made durable. Knows no decision, no queue and no stamp.

use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;

use bytes::Bytes;

use crate::kv::Range;

/// One write of a batch: `None` removes the key.
pub type Line = (Bytes, Option<Bytes>);

/// What went wrong, in the engine's own words.
pub type Fault = String;

/// An embedded engine. Only the store's writer calls `apply`, one batch after another; anyone reads meanwhile, and may then see some of
/// the batch already: the pending map keeps that from callers.
pub trait Engine: Send + Sync {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Fault>;

    /// At most `limit` rows in key order. The range is never empty or turned round. A key that no batch is writing is never missed.
    fn scan(&self, range: &Range, limit: usize) -> Result<Vec<(Bytes, Bytes)>, Fault>;

    /// All of the batch or nothing of it, no key twice, and on disk when it returns. After an error it is not called again.
    fn apply(&self, batch: &[Line]) -> Result<(), Fault>;

    /// How many bytes of keys and values one group holds at most, unless a single commit is larger.
    fn group_bytes_max(&self) -> usize;

    /// Bytes on disk, as near as the engine can tell; 0 in memory.
    fn disk_bytes(&self) -> u64;
}

/// Runs a step of an engine; a panic in it, which damaged files can cause, becomes a fault.
pub fn careful<T>(step: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    // Whatever a panicking step left half done is the engine's, and after a fault nobody writes to it again.
    catch_unwind(AssertUnwindSafe(step)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no reason given");
        Err(format!("the engine panicked: {text}"))
    })
}
