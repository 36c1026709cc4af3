//! The kv in domain terms, written once for all engines. Knows no face, no text format, no clock.

pub mod announcements;
pub mod changes;
pub mod collections;
pub mod dead;
pub mod deliveries;
pub mod due;
pub mod feeds;
pub mod held;
pub mod imports;
pub mod invites;
pub mod journal;
pub mod keys;
pub mod notifications;
pub mod objects;
pub mod organisations;
pub mod presence;
pub mod principals;
pub mod proxies;
pub mod record;
pub mod rung;
pub mod scheduling;
pub mod survey;
pub mod tickets;

use std::sync::Arc;

use bytes::Bytes;

use crate::kv::{Kv, KvError, Range, SCAN_MAX, Stamp, Writes};

/// What a decision may answer: the rows to write and what to tell the caller, or why not.
pub type Verdict<T, R> = Result<(Writes, T), R>;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(transparent)]
    Kv(#[from] KvError),
    /// A row that this program cannot read: damage, or a version from the future.
    #[error("a {0} record cannot be read")]
    Unreadable(&'static str),
}

/// A decision's refusal beside the store's own errors.
#[derive(Debug)]
pub enum Declined<R> {
    Refused(R),
    Failed(StoreError),
}

impl<R> From<StoreError> for Declined<R> {
    fn from(error: StoreError) -> Self {
        Declined::Failed(error)
    }
}

/// The one door to the kv.
#[derive(Clone)]
pub struct Store {
    kv: Arc<dyn Kv>,
}

impl Store {
    pub fn new(kv: Arc<dyn Kv>) -> Store {
        Store { kv }
    }

    pub fn kv(&self) -> &Arc<dyn Kv> {
        &self.kv
    }

    pub async fn get(&self, key: Bytes) -> Result<Option<Bytes>, StoreError> {
        Ok(self.kv.read(vec![key]).await?.pop().flatten())
    }

    /// Commits what `decide` answers for the current values of `reads`. The same pure function runs once more on what was seen, to
    /// learn what it told.
    pub async fn commit<T, R>(
        &self,
        reads: Vec<Bytes>,
        decide: impl Fn(&[Option<Bytes>], Stamp) -> Verdict<T, R> + Send + Sync + 'static,
    ) -> Result<(Stamp, T), Declined<R>>
    where
        T: 'static,
        R: 'static,
    {
        let decide = Arc::new(decide);
        let judge = decide.clone();
        let answer = self
            .kv
            .commit(
                reads,
                Arc::new(move |seen: &[Option<Bytes>], stamp| judge(seen, stamp).ok().map(|(writes, _)| writes)),
            )
            .await
            .map_err(StoreError::Kv)?;
        let stamp = answer.stamp.unwrap_or(Stamp(0));
        match decide(&answer.seen, stamp) {
            Ok((_, told)) if answer.stamp.is_some() => Ok((stamp, told)),
            Ok(_) => Err(Declined::Failed(StoreError::Kv(KvError::Panicked))),
            Err(refusal) => Err(Declined::Refused(refusal)),
        }
    }

    /// Every row under `prefix`, page by page. For ranges whose size a limit bounds.
    pub async fn all(&self, prefix: &[u8]) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        let mut rows = Vec::new();
        let mut range = Range::prefix(prefix);
        loop {
            let page = self.kv.scan(range.clone(), SCAN_MAX).await?;
            let full = page.len() == SCAN_MAX;
            if let Some((last, _)) = page.last() {
                range = range.after(last);
            }
            rows.extend(page);
            if !full {
                return Ok(rows);
            }
        }
    }

    /// The first rows of a range.
    pub async fn some(&self, range: Range, limit: usize) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        Ok(self.kv.scan(range, limit).await?)
    }
}
