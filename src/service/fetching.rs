//! How a feed is fetched: what the service asks of whoever speaks HTTP, and where the bytes go. Opens no connection.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::service::Service;
use crate::service::uploads::Incoming;

/// Bytes from the beginning of a feed that are looked at before it is imported.
pub(crate) const HEAD_MAX: usize = 65_536;

/// What is to be fetched.
pub struct Errand {
    pub url: String,
    /// What the last fetch was told of the version it got: nothing comes where that still stands.
    pub etag: Option<String>,
    pub modified: Option<String>,
    /// Whether the address may be one that is not public.
    pub private: bool,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// It is what it was; no bytes came.
    pub same: bool,
    pub etag: Option<String>,
    pub modified: Option<String>,
    pub charset: Option<String>,
}

/// Fetches URLs that users named, and keeps them from leading inside.
pub trait Fetch: Send + Sync {
    /// Whether what the URL leads to may be fetched at all, as far as its name can tell now; else why not.
    fn check<'a>(&'a self, url: &'a str, private: bool) -> BoxFuture<'a, Result<(), String>>;

    /// Fetches one feed, or says why it could not.
    fn fetch<'a>(&'a self, errand: &'a Errand, into: &'a mut Haul<'_>) -> BoxFuture<'a, Result<Answer, String>>;
}

/// A feed on its way into the spool.
pub struct Haul<'a> {
    pub(crate) incoming: Incoming<'a>,
    pub(crate) head: Vec<u8>,
    limit: u64,
}

impl<'a> Haul<'a> {
    pub(crate) fn new(incoming: Incoming<'a>, limit: u64) -> Haul<'a> {
        Haul { incoming, head: Vec::new(), limit }
    }

    /// Takes the next piece; refuses what is too much.
    pub async fn write(&mut self, piece: &[u8]) -> Result<(), String> {
        if self.incoming.size() + piece.len() as u64 > self.limit {
            return Err(format!("the feed is larger than {} bytes", self.limit));
        }
        let room = HEAD_MAX.saturating_sub(self.head.len()).min(piece.len());
        self.head.extend_from_slice(piece.get(..room).unwrap_or_default());
        self.incoming.write(piece).await.map_err(|refusal| refusal.to_string())
    }
}

impl Service {
    /// From now on feeds are fetched so. The first word counts.
    pub fn fetch_with(&self, fetch: Arc<dyn Fetch>) {
        let _ = self.fetch.set(fetch);
    }
}
