//! Ordered bytes with atomic decisions: the trait `Kv`. Knows no calendar; the engines stand beside it, and `app.rs` chooses one.

pub mod dump;
pub mod engine;
pub mod files;
pub mod format;
pub mod group;
pub mod memory;
pub mod redb;
pub mod sled;
pub mod snapshot;
pub mod view;
pub mod writer;

use std::future::Future;
use std::ops::Bound;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::watch;

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

/// How far the stamp jumps at least when a store opens, so that no number that anyone may have seen is used twice.
pub const STAMP_JUMP: u64 = 1 << 20;

/// Keys under this byte are the store's own (the stamp, the format), and so is the empty key: scans leave them out, all else is refused.
pub const RESERVED: u8 = 0x00;

/// What to write: `None` removes the key. Later lines win.
pub type Writes = Vec<(Bytes, Option<Bytes>)>;

/// A pure function of the current values, in the order of `reads`. Cheap; it may run again; `None` refuses.
pub type Decide = Arc<dyn Fn(&[Option<Bytes>], Stamp) -> Option<Writes> + Send + Sync>;

/// What became of a commit: `stamp` is absent where the decision refused; `seen` is what it saw. A refusal too is answered only when all
/// that it saw is durable.
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
    /// decision rests on. It is asked for when first polled; a caller that goes away after that does not undo its commit.
    fn commit(&self, reads: Vec<Bytes>, decide: Decide) -> KvFuture<'_, Answer>;

    /// All rows as they stand now, to be read page by page while commits go on.
    fn snapshot(&self) -> Result<Box<dyn Snapshot>, KvError>;

    /// Bytes on disk, as near as the engine can tell; 0 in memory.
    fn disk_bytes(&self) -> u64;

    /// How many commits and how many syncs there were since it was opened.
    fn counts(&self) -> Counts;

    /// Turns to a text when the store failed: it accepts nothing more, and only a new start of the process can tell what is on disk.
    fn failed(&self) -> watch::Receiver<Option<String>>;

    /// Ends the store after what waits, and lets its lock go; later calls are answered `Closed`.
    fn close(&self) -> KvFuture<'_, ()>;
}

/// A store as it stood at one moment. While it lives, the writer notes what it changes.
pub trait Snapshot: Send {
    /// No row of it is of a later commit.
    fn stamp(&self) -> Stamp;

    /// The next rows in the order of their keys, none of the store's own; `None` behind the last; `Overtaken` where so much changed meanwhile
    /// that it cannot be remembered.
    fn next(&mut self) -> Result<Option<Vec<(Bytes, Bytes)>>, KvError>;
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Those that were accepted.
    pub commits: u64,
    pub syncs: u64,
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum KvError {
    #[error("too many commits wait for the store")]
    Busy,
    #[error("the store is closed")]
    Closed,
    #[error("too much changed while the store was read: try again when fewer write")]
    Overtaken,
    #[error("the decision panicked")]
    Panicked,
    /// The engine failed. After a failed write the store accepts nothing more, see [`Kv::failed`]; a row that cannot be read fails that call.
    #[error("the store failed: {0}")]
    Failed(String),
    #[error("the store at {0} is in use already, by another process or by this one")]
    Held(String),
    #[error("the store was made by a newer version: format {found}, this program knows {known}")]
    Newer { found: u32, known: u32 },
    #[error("a key of {0} bytes is over the limit of {KEY_MAX}")]
    KeyTooLong(usize),
    #[error("a key is empty or under the byte that the store keeps for itself")]
    Reserved,
    #[error("a value of {0} bytes is over the limit of {VALUE_MAX}")]
    ValueTooLong(usize),
}
