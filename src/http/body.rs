//! Request bodies, read within a bound and within a time.

use std::pin::Pin;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use futures_util::{Stream, StreamExt, pin_mut, stream};
use http::header::EXPECT;

use crate::domain::refusal::{Fault, Refusal};
use crate::http::call::Call;
use crate::system::pace;

/// A sender that is silent for this long has gone.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// Parts of a body that are looked through for its first byte.
const BLANK_PARTS_MAX: usize = 8;
/// How much of a body that is too large is still read, so that the client gets to read the answer: 64 MiB.
pub const DRAIN_MAX: u64 = 67_108_864;

/// A body piece by piece, each within its time.
pub fn pieces<B: Buf>(
    body: impl Stream<Item = Result<B, warp::Error>> + Send,
) -> impl Stream<Item = Result<Bytes, Refusal>> + Send {
    futures_util::stream::unfold(Some(Box::pin(body)), |body| async {
        let mut body = body?;
        let next = match pace::within(SILENCE_MAX, body.next()).await {
            Some(next) => next?,
            None => return Some((Err(Fault::whole("the body did not arrive in time").into()), None)),
        };
        match next {
            Ok(mut piece) => Some((Ok(piece.copy_to_bytes(piece.remaining())), Some(body))),
            Err(_) => Some((Err(Fault::whole("the body broke off").into()), None)),
        }
    })
}

/// The whole body, if it is no larger than `limit` bytes.
pub async fn collect<B: Buf>(body: impl Stream<Item = Result<B, warp::Error>>, limit: u64) -> Result<Bytes, Refusal> {
    pin_mut!(body);
    let mut whole = BytesMut::new();
    let mut read: u64 = 0;
    loop {
        let next = pace::within(SILENCE_MAX, body.next()).await;
        let Some(next) = next else { return Err(Fault::whole("the body did not arrive in time").into()) };
        match next {
            None if read > limit => return Err(Refusal::TooLarge { limit }),
            None => return Ok(whole.freeze()),
            Some(Err(_)) => return Err(Fault::whole("the body broke off").into()),
            Some(Ok(mut part)) => {
                read += part.remaining() as u64;
                if read > limit + DRAIN_MAX {
                    return Err(Refusal::TooLarge { limit });
                }
                if read <= limit {
                    whole.extend_from_slice(&part.copy_to_bytes(part.remaining()));
                }
            }
        }
    }
}

/// A body with its beginning in hand again.
pub type Begun<B> = Pin<Box<dyn Stream<Item = Result<B, warp::Error>> + Send>>;

/// A body that nobody looked into.
pub fn unread<B>(body: impl Stream<Item = Result<B, warp::Error>> + Send + 'static) -> Begun<B> {
    Box::pin(body)
}

/// The first byte of a body that is no blank, and the whole body. A body that the client only offers is not asked for: nothing is known of it.
pub async fn peek<B: Buf + Send + 'static>(
    call: &Call,
    body: impl Stream<Item = Result<B, warp::Error>> + Send + 'static,
) -> (Option<u8>, Begun<B>) {
    let mut body = unread(body);
    if call.headers.contains_key(EXPECT) {
        return (None, body);
    }
    let mut read = Vec::new();
    let mut first = None;
    // A beginning that is blank for long is no sign of anything.
    while first.is_none() && read.len() < BLANK_PARTS_MAX {
        let Some(Some(part)) = pace::within(SILENCE_MAX, body.next()).await else { break };
        let broken = part.is_err();
        if let Ok(part) = &part {
            first = part.chunk().iter().copied().find(|byte| !byte.is_ascii_whitespace());
        }
        read.push(part);
        if broken {
            break;
        }
    }
    (first, Box::pin(stream::iter(read).chain(body)))
}

/// Reads on to the end of a body that nobody wants, within the same bounds: a connection that is closed with unread bytes is reset, and the
/// client never reads the answer. A body that the client only offers is not asked for.
pub async fn drain<B: Buf>(call: &Call, body: impl Stream<Item = Result<B, warp::Error>>) {
    if !call.headers.contains_key(EXPECT) {
        // What it was, or why it broke off, makes no difference to the answer.
        let _ = collect(body, 0).await;
    }
}
