//! An answer that comes page by page: whole where it is small, in chunks where it is not, so that its size bounds no memory.

use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, Stream, StreamExt};
use warp::Reply;
use warp::reply::Response;

use crate::dav::fault::Fault;
use crate::dav::multistatus::{self, Multistatus};
use crate::domain::refusal::Refusal;

/// Bytes up to which pages are gathered before anything is sent: such an answer has a length, and may still be refused.
const WHOLE_MAX: usize = 262_144;

/// Rows as they are asked for.
pub trait Feed: Send {
    /// Writes some rows; whether others may follow.
    fn page<'a>(&'a mut self, rows: &'a mut Multistatus) -> BoxFuture<'a, Result<bool, Refusal>>;
}

/// Sends everything that a feed gives.
pub async fn answer(mut feed: Box<dyn Feed>, minimal: bool) -> Result<Response, Fault> {
    let mut rows = Multistatus::new(minimal);
    let mut more = feed.page(&mut rows).await?;
    while more && rows.len() < WHOLE_MAX {
        more = feed.page(&mut rows).await?;
    }
    let mut response = match more {
        false => Response::new(rows.finish().into()),
        true => warp::reply::stream(chunks(feed, rows)).into_response(),
    };
    multistatus::dress(&mut response, minimal);
    Ok(response)
}

/// Pages as they are asked for: one at a time, so that a slow reader holds no more than that.
fn chunks(feed: Box<dyn Feed>, rows: Multistatus) -> Shared {
    let pages = stream::unfold(Some((feed, rows)), |going| async {
        let (mut feed, mut rows) = going?;
        let ready = rows.take();
        if !ready.is_empty() {
            return Some((Ok(ready), Some((feed, rows))));
        }
        match feed.page(&mut rows).await {
            Ok(true) => Some((Ok(rows.take()), Some((feed, rows)))),
            Ok(false) => Some((Ok(rows.finish()), None)),
            // The status is sent already: the connection breaks off, and the client knows that the list is not whole.
            Err(refusal) => Some((Err(refusal), None)),
        }
    });
    Shared(Mutex::new(pages.boxed()))
}

/// A stream that may be shared between threads because it is only ever reached through `&mut`: warp wants its bodies `Sync`.
struct Shared(Mutex<BoxStream<'static, Result<Bytes, Refusal>>>);

impl Stream for Shared {
    type Item = Result<Bytes, Refusal>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner).poll_next_unpin(context)
    }
}
