//! Frames that the service sends: heads of RFC 6455 section 5.2 before ready bytes, and the queue that writes many of them at once. Reads none.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::AsyncWrite;

use crate::bus::Flight;
use crate::gateway::dialect::{Leave, Outgoing};

/// How many frames go into one `writev`. More only makes the array larger; the rest goes into the next call.
pub const BATCH_MAX: usize = 64;

/// The longest reason of a close frame: a control frame carries 125 bytes, two of them the code. Longer ones are cut.
const REASON_MAX: usize = 123;

const FINAL: u8 = 0x80;
const TEXT: u8 = 0x1;
const CLOSE: u8 = 0x8;

/// An empty ping.
pub const PING: Bytes = Bytes::from_static(&[FINAL | 0x9, 0]);

/// A whole text message in one frame. Servers do not mask, so the same bytes serve every client.
///
/// ```
/// use campanile::gateway::frame::text;
/// assert_eq!(&text("{}")[..], b"\x81\x02{}");
/// ```
pub fn text(text: &str) -> Bytes {
    build(TEXT, text.as_bytes())
}

/// The beginning of a text message whose last `rest` bytes are sent behind it: what is one client's, before what all share.
pub fn text_before(beginning: &str, rest: usize) -> Bytes {
    let mut frame = BytesMut::with_capacity(beginning.len() + 10);
    head(TEXT, beginning.len() + rest, &mut frame);
    frame.put_slice(beginning.as_bytes());
    frame.freeze()
}

/// A close with a code and a reason.
pub fn close(leave: Leave) -> Bytes {
    let mut end = leave.reason.len().min(REASON_MAX);
    while !leave.reason.is_char_boundary(end) {
        end -= 1;
    }
    let mut payload = leave.code.to_be_bytes().to_vec();
    payload.extend_from_slice(&leave.reason.as_bytes()[..end]);
    build(CLOSE, &payload)
}

fn build(opcode: u8, payload: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(payload.len() + 10);
    head(opcode, payload.len(), &mut frame);
    frame.put_slice(payload);
    frame.freeze()
}

fn head(opcode: u8, length: usize, frame: &mut BytesMut) {
    frame.put_u8(FINAL | opcode);
    match length {
        short @ 0..126 => frame.put_u8(short as u8),
        middle @ 126..=0xFFFF => {
            frame.put_u8(126);
            frame.put_u16(middle as u16);
        }
        long => {
            frame.put_u8(127);
            frame.put_u64(long as u64);
        }
    }
}

/// Frames on their way to the socket. Unbounded by itself: the session fills it only while it is empty, with one batch of news or the
/// answers to one read.
#[derive(Debug, Default)]
pub struct Outbox {
    frames: VecDeque<Part>,
    /// Some of the first frame is written.
    begun: bool,
    /// Of the frame that was last taken whole: TLS may still hold its end until the flush.
    last: Flight,
}

/// A frame, or one of the two parts of one.
#[derive(Debug)]
struct Part {
    bytes: Bytes,
    /// Lands when it is written; held for the sake of its drop.
    flight: Flight,
    /// The next part belongs to the same frame.
    more: bool,
}

impl Outbox {
    pub fn push(&mut self, outgoing: Outgoing) {
        let Outgoing { frame, tail, flight } = outgoing;
        if !frame.is_empty() {
            let more = !tail.is_empty();
            self.frames.push_back(Part { bytes: frame, flight: flight.clone(), more });
            if more {
                self.frames.push_back(Part { bytes: tail, flight, more: false });
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Drops everything but a frame that is half-written, which the client needs to the end to read any other.
    pub fn cut(&mut self) {
        let parts = self.frames.iter().position(|part| !part.more).map_or(0, |last| last + 1);
        self.frames.truncate(if self.begun { parts } else { 0 });
    }

    /// Writes once, as much as the socket takes. A frame's flight lands when its last byte is with the kernel.
    pub fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        mut stream: Pin<&mut (impl AsyncWrite + ?Sized)>,
    ) -> Poll<io::Result<()>> {
        if self.frames.is_empty() {
            return self.poll_flush(context, stream);
        }
        // The array is built here, not in an async function: held over an await it would live in every socket's task.
        let mut slices = [IoSlice::new(&[]); BATCH_MAX];
        let mut filled = 0;
        for (part, slice) in self.frames.iter().zip(&mut slices) {
            *slice = IoSlice::new(&part.bytes);
            filled += 1;
        }
        let written = ready!(stream.as_mut().poll_write_vectored(context, &slices[..filled]))?;
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.take_off(written);
        if self.frames.is_empty() {
            // A burst's room is not kept.
            self.frames = VecDeque::new();
            return self.poll_flush(context, stream);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_flush(
        &mut self,
        context: &mut Context<'_>,
        stream: Pin<&mut (impl AsyncWrite + ?Sized)>,
    ) -> Poll<io::Result<()>> {
        let flushed = ready!(stream.poll_flush(context));
        self.last = Flight::unwatched();
        Poll::Ready(flushed)
    }

    /// Writes until nothing is left.
    pub fn poll_write_all(
        &mut self,
        context: &mut Context<'_>,
        mut stream: Pin<&mut (impl AsyncWrite + ?Sized)>,
    ) -> Poll<io::Result<()>> {
        while !self.frames.is_empty() {
            ready!(self.poll_write(context, stream.as_mut()))?;
        }
        self.poll_flush(context, stream)
    }

    fn take_off(&mut self, mut written: usize) {
        while let Some(part) = self.frames.front_mut() {
            if part.bytes.len() > written {
                part.bytes.advance(written);
                self.begun |= written > 0;
                return;
            }
            written -= part.bytes.len();
            self.begun = part.more;
            if let Some(part) = self.frames.pop_front()
                && !part.more
            {
                self.last = part.flight;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_grow_with_the_payload() {
        for (size, head) in [
            (0, vec![0x81, 0]),
            (125, vec![0x81, 125]),
            (126, vec![0x81, 126, 0, 126]),
            (65_535, vec![0x81, 126, 0xFF, 0xFF]),
            (65_536, vec![0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let frame = text(&"x".repeat(size));
            assert_eq!(frame[..head.len()], head[..], "{size}");
            assert_eq!(frame.len(), head.len() + size);
        }
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let reason: &'static str = "éééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééé";
        let frame = close(Leave { code: 1013, reason });
        assert_eq!(frame[1], 2 + 122);
        assert!(std::str::from_utf8(&frame[4..]).is_ok());
    }

    #[test]
    fn a_frame_in_two_parts_is_cut_as_one() {
        let whole = text("head and tail");
        let (head, tail) = (text_before("head ", 8), Bytes::from_static(b"and tail"));
        assert_eq!([&head[..], &tail[..]].concat(), whole);
        for written in 0..=whole.len() + 3 {
            let mut outbox = Outbox::default();
            outbox.push(Outgoing { tail: tail.clone(), ..Outgoing::answer(head.clone()) });
            outbox.push(Outgoing::answer(text("later")));
            outbox.take_off(written);
            outbox.cut();
            let left: Vec<u8> = outbox.frames.iter().flat_map(|part| part.bytes.to_vec()).collect();
            let want = match written {
                0 => &[][..],
                some if some < whole.len() => &whole[some..],
                some if some == whole.len() => &[][..],
                some => &text("later")[some - whole.len()..],
            };
            assert_eq!(left, want, "{written}");
        }
    }
}
