//! Ordered bytes with atomic decisions: the trait `Kv`. Knows no calendar; the engines stand beside it, and `app.rs` chooses one.

pub mod group;
pub mod memory;
pub mod redb;
pub mod sled;

use std::future::Future;
use std::ops::Bound;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

/// The most rows that one scan gives; asking for more is asking for this many.
pub const SCAN_MAX: usize = 1_000;
/// The longest key, in bytes.
pub const KEY_MAX: usize = 1_024;
/// The longest value: callers cut larger things into rows of at most this many bytes.
pub const VALUE_MAX: usize = 4_096 * 16;
/// How many commits may wait for the writer; one more is answered `Busy`.
pub const WAITING_MAX: usize = 4_096;
/// How many commits one group holds at most.
pub const GROUP_MAX: usize = 256;

/// A number that no other commit of this store has: later commits have larger ones; gaps are normal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp(pub u64);

/// How far the stamp jumps when a store opens, so that no number that anyone may have seen is used twice.
pub const STAMP_JUMP: u64 = 1 << 20;

/// Keys under this byte are the engine's own (the stamp, the format); no caller writes there.
pub const RESERVED: u8 = 0x00;

/// What to write: `None` removes the key. Later lines win.
pub type Writes = Vec<(Bytes, Option<Bytes>)>;

/// A pure function of the current values, in the order of `reads`. Cheap; it may run again; `None` refuses.
pub type Decide = Arc<dyn Fn(&[Option<Bytes>], Stamp) -> Option<Writes> + Send + Sync>;

/// What became of a commit: `stamp` is absent where the decision refused; `seen` is what it saw.
#[derive(Clone, Debug)]
pub struct Answer {
    pub stamp: Option<Stamp>,
    pub seen: Vec<Option<Bytes>>,
}

/// A stretch of keys, from the first bound to the second.
#[derive(Clone, Debug)]
pub struct Range {
    pub start: Bound<Bytes>,
    pub end: Bound<Bytes>,
}

impl Range {
    /// Every key that begins so.
    pub fn prefix(prefix: &[u8]) -> Range {
        let end = successor(prefix).map_or(Bound::Unbounded, |end| Bound::Excluded(Bytes::from(end)));
        Range { start: Bound::Included(Bytes::copy_from_slice(prefix)), end }
    }

    /// The part of this range behind `key`, for the next page.
    pub fn after(&self, key: &Bytes) -> Range {
        Range { start: Bound::Excluded(key.clone()), end: self.end.clone() }
    }
}

/// The smallest key behind all that begin with `prefix`.
pub fn successor(prefix: &[u8]) -> Option<Vec<u8>> {
    let kept = prefix.iter().rposition(|byte| *byte != 0xFF)?;
    let mut end = prefix[..=kept].to_vec();
    end[kept] += 1;
    Some(end)
}

pub type KvFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, KvError>> + Send + 'a>>;

/// The storage seam. Its laws are `tests/it/kv_law.rs`:
/// a commit is all or nothing and durable before it is answered; nobody reads what is not yet durable; commits decide one after another;
/// one `read` or one `scan` sees the store between two groups; several calls may see several states.
pub trait Kv: Send + Sync {
    /// The current values, in the order of the keys.
    fn read(&self, keys: Vec<Bytes>) -> KvFuture<'_, Vec<Option<Bytes>>>;

    /// Rows in key order, at most `limit` and at most [`SCAN_MAX`].
    fn scan(&self, range: Range, limit: usize) -> KvFuture<'_, Vec<(Bytes, Bytes)>>;

    /// Hands the current values of `reads` and a fresh stamp to `decide`, and writes what it answers. `reads` names every key that the
    /// decision rests on. A caller that goes away does not undo its commit.
    fn commit(&self, reads: Vec<Bytes>, decide: Decide) -> KvFuture<'_, Answer>;

    /// Bytes on disk, as near as the engine can tell; 0 in memory.
    fn disk_bytes(&self) -> u64;

    /// How many commits and how many syncs there were since it was opened.
    fn counts(&self) -> Counts;

    /// Ends the writer after what waits; later commits are answered `Closed`.
    fn close(&self) -> KvFuture<'_, ()>;
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub commits: u64,
    pub syncs: u64,
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum KvError {
    #[error("too many commits wait for the store")]
    Busy,
    #[error("the store is closed")]
    Closed,
    #[error("the decision panicked")]
    Panicked,
    /// The engine failed; the store accepts nothing more.
    #[error("the store failed: {0}")]
    Failed(String),
    #[error("another process holds the store at {0}")]
    Held(String),
    #[error("the store was made by a newer version: format {found}, this program knows {known}")]
    Newer { found: u32, known: u32 },
    #[error("a key of {0} bytes is over the limit of {KEY_MAX}")]
    KeyTooLong(usize),
    #[error("a value of {0} bytes is over the limit of {VALUE_MAX}")]
    ValueTooLong(usize),
}
