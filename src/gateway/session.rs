//! One socket: frames in, steps out, pings, and the ways in which it ends. Knows no protocol but WebSocket.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::domain::bearer::Hold;
use crate::gateway::codec::{self, Codec, Ended, Held, Tungstenite};
use crate::gateway::dialect::{Desk, Dialect, Leave, Outgoing};
use crate::gateway::frame;
use crate::gateway::hub::Seat;
use crate::gateway::queue::{End, Turn};
use crate::gateway::talk::Talk;
use crate::system::clock::Clock;
use crate::system::meter::Message;
use crate::system::pace::{self, Pace};

/// How many bytes are read at once, into a buffer that all sockets of a thread share. It also bounds what is answered before anything is
/// written: the messages of one read.
const SCRATCH_BYTES: usize = 64 << 10;

/// After so many batches of news in a row the desk and the client are heard before the next one, so that a busy topic does not silence
/// them.
const NEWS_IN_A_ROW_MAX: u32 = 16;

/// Bounds of one socket.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The longest message of a client; a longer one is answered 1009.
    pub message_bytes_max: usize,
    /// A client that takes nothing for so long, while something is to be written, is dropped.
    pub write_deadline: Duration,
    /// How long a closed socket waits for the other side's close before it is dropped.
    pub linger: Duration,
    /// A client that sent nothing, not even a pong, for so many pings is dropped; 0 leaves it to the kernel, as the real service does.
    pub silent_pings_max: u32,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            message_bytes_max: codec::MESSAGE_BYTES_DEFAULT,
            write_deadline: Duration::from_secs(20),
            linger: Duration::from_secs(2),
            silent_pings_max: 0,
        }
    }
}

/// How a socket ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The client said goodbye, and was answered.
    ByClient,
    /// We closed, for this reason.
    ByUs(Leave),
    /// The connection broke, or ended without a goodbye.
    Lost,
    /// The client took nothing until the deadline.
    Stalled,
    /// The client sent nothing for too long.
    Silent,
}

/// What a socket's task needs beside the socket.
pub struct Session {
    talk: Talk,
    /// Absent while nothing is half-read.
    codec: Option<Box<dyn Codec>>,
    settings: Settings,
    news_in_a_row: u32,
    silent_pings: u32,
}

impl Session {
    pub fn new(
        dialect: Box<dyn Dialect>,
        seat: Seat,
        desk: Arc<dyn Desk>,
        clock: Arc<dyn Clock>,
        pace: Arc<dyn Pace>,
        settings: Settings,
    ) -> Session {
        Session {
            talk: Talk::new(dialect, seat, desk, clock, pace),
            codec: None,
            settings,
            news_in_a_row: 0,
            silent_pings: 0,
        }
    }

    /// Names the device whose app password opened this socket, or the token.
    pub fn opened_by(mut self, device: Option<Arc<str>>, hold: Option<Hold>) -> Session {
        self.talk.opened_by(device, hold);
        self
    }

    /// Runs the socket to its end. `first` is what was read of it before the upgrade was complete.
    pub async fn run<S>(mut self, mut stream: S, first: Bytes) -> Ending
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.talk.opened();
        let mut ended = if first.is_empty() { None } else { self.feed(&first) };
        // It shares the buffer of the HTTP connection, and would keep all of it.
        drop(first);
        loop {
            if let Some(ending) = self.write(&mut stream).await {
                return ending;
            }
            if let Some(ended) = ended {
                // Boxed, as is the other end: room for them would lie in every socket's task.
                return Box::pin(self.end(stream, ended)).await;
            }
            if let Some(leave) = self.talk.left {
                return Box::pin(self.leave(stream, leave)).await;
            }
            // A desk that is never pending and a client that never stops must not keep a thread.
            tokio::task::coop::consume_budget().await;
            match poll_fn(|context| self.poll_next(context, &mut stream)).await {
                Next::Done => {}
                Next::Fed(end) => ended = end,
                Next::Over(ending) => return ending,
            }
        }
    }

    /// Empties the outbox; an ending where that cannot be done.
    async fn write<S: AsyncRead + AsyncWrite + Unpin>(&mut self, stream: &mut S) -> Option<Ending> {
        while !self.talk.outbox.is_empty() {
            let deadline = self.settings.write_deadline;
            let talk = &mut self.talk;
            let written = poll_fn(|context| {
                if let Poll::Ready(result) = talk.outbox.poll_write(context, Pin::new(&mut *stream)) {
                    return Poll::Ready(Some(result));
                }
                talk.seat.queue().poll_slow(context).map(|()| None)
            });
            match pace::within(deadline, written).await {
                None => return Some(Ending::Stalled),
                Some(Some(Err(_))) => return Some(Ending::Lost),
                Some(Some(Ok(()))) => {}
                Some(None) => {
                    let leave = self.talk.dialect.slow();
                    Box::pin(self.give_up(stream, leave)).await;
                    return Some(Ending::ByUs(leave));
                }
            }
        }
        None
    }

    /// The client reads too slowly. What is half-written must be ended before a close can be read; nothing else is said.
    async fn give_up<S: AsyncRead + AsyncWrite + Unpin>(&mut self, stream: &mut S, leave: Leave) {
        self.dropped("slow");
        self.talk.outbox.cut();
        self.talk.last_words(leave);
        self.talk.counted.add(Message::Close);
        self.talk.outbox.push(Outgoing::answer(frame::close(leave)));
        self.talk.quiet();
        let goodbye = async {
            poll_fn(|context| self.talk.outbox.poll_write_all(context, Pin::new(&mut *stream))).await?;
            hang_up(stream).await
        };
        // It is dropped in any case: whether the client still read why does not matter.
        let _ = pace::within(self.settings.linger, goodbye).await;
    }

    /// The next thing that happens: news first, then answers of the desk, then the client.
    fn poll_next<S: AsyncRead + Unpin>(&mut self, context: &mut Context<'_>, stream: &mut S) -> Poll<Next> {
        let news_first = self.news_in_a_row < NEWS_IN_A_ROW_MAX;
        if news_first && let Poll::Ready(turn) = self.talk.seat.queue().poll_turn(context) {
            self.news_in_a_row += 1;
            return Poll::Ready(self.turn(turn));
        }
        self.news_in_a_row = 0;
        if self.talk.poll_ask(context).is_ready()
            || self.talk.poll_wake(context).is_ready()
            || self.talk.poll_rest(context).is_ready()
            || self.talk.poll_over(context).is_ready()
        {
            return Poll::Ready(Next::Done);
        }
        if let Poll::Ready(next) = self.poll_read(context, stream) {
            return Poll::Ready(next);
        }
        if news_first {
            return Poll::Pending;
        }
        self.talk.seat.queue().poll_turn(context).map(|turn| self.turn(turn))
    }

    fn turn(&mut self, turn: Turn) -> Next {
        match turn {
            Turn::News(notices) => self.talk.happened(&notices),
            Turn::Beat => {
                self.silent_pings += 1;
                if self.settings.silent_pings_max != 0 && self.silent_pings > self.settings.silent_pings_max {
                    return Next::Over(Ending::Silent);
                }
                self.talk.counted.add(Message::Ping);
                self.talk.outbox.push(Outgoing::answer(frame::PING));
                self.talk.woke();
            }
            Turn::End(End::Slow) => {
                self.dropped("slow");
                let leave = self.talk.dialect.slow();
                self.talk.dismiss(leave);
            }
            Turn::End(End::Leave(leave)) => self.talk.dismiss(leave),
        }
        Next::Done
    }

    fn poll_read<S: AsyncRead + Unpin>(&mut self, context: &mut Context<'_>, stream: &mut S) -> Poll<Next> {
        if self.talk.dialect.busy() {
            return Poll::Pending;
        }
        read(context, stream, |bytes| {
            if bytes.is_empty() {
                return Next::Over(Ending::Lost);
            }
            self.silent_pings = 0;
            self.talk.alive();
            Next::Fed(self.feed(bytes))
        })
        .map(|next| next.unwrap_or(Next::Over(Ending::Lost)))
    }

    fn dropped(&self, reason: &'static str) {
        self.talk.seat.meter().dropped(reason);
    }

    /// Hands bytes to the codec and its messages to the dialect.
    fn feed(&mut self, bytes: &[u8]) -> Option<Ended> {
        let limit = self.settings.message_bytes_max;
        let codec = self.codec.get_or_insert_with(|| Box::new(Tungstenite::new(limit)));
        let mut replies = Vec::new();
        let talk = &mut self.talk;
        let held = codec.feed(bytes, &mut |frame| talk.heard(frame), &mut replies);
        if self.talk.left.is_some() {
            // Behind our own close frame nothing may follow.
            return None;
        }
        self.talk.outbox.push(Outgoing::answer(replies.into()));
        match held {
            Held::More => None,
            Held::Idle => {
                self.codec = None;
                None
            }
            Held::End(ended) => {
                if let Ended::Broken(leave) = ended {
                    self.dropped("broken");
                    self.talk.last_words(leave);
                    self.talk.counted.add(Message::Close);
                    self.talk.outbox.push(Outgoing::answer(frame::close(leave)));
                }
                Some(ended)
            }
        }
    }

    /// The client closed or broke the protocol, and our close frame is written.
    async fn end<S: AsyncRead + AsyncWrite + Unpin>(mut self, mut stream: S, ended: Ended) -> Ending {
        self.talk.quiet();
        // Dropped in any case.
        let _ = pace::within(self.settings.linger, hang_up(&mut stream)).await;
        match ended {
            Ended::ByClient => Ending::ByClient,
            Ended::Broken(leave) => Ending::ByUs(leave),
        }
    }

    /// We closed first: waits a little for the client's close, then ends the connection. RFC 6455 section 7.1.1: the server ends it first.
    async fn leave<S: AsyncRead + AsyncWrite + Unpin>(mut self, mut stream: S, leave: Leave) -> Ending {
        self.talk.quiet();
        let limit = self.settings.message_bytes_max;
        let mut codec = self.codec.take().unwrap_or_else(|| Box::new(Tungstenite::new(limit)));
        let goodbye = async {
            let mut more = |bytes: &[u8]| {
                // Its messages and what it would answer to them come too late.
                !bytes.is_empty() && !matches!(codec.feed(bytes, &mut |_| {}, &mut Vec::new()), Held::End(_))
            };
            while poll_fn(|context| read(context, &mut stream, &mut more)).await? {}
            stream.shutdown().await
        };
        // Dropped in any case.
        let _ = pace::within(self.settings.linger, goodbye).await;
        Ending::ByUs(leave)
    }
}

/// Ends our side, and waits for the end of theirs: a reset would overtake what was written last.
async fn hang_up<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> io::Result<()> {
    stream.shutdown().await?;
    while poll_fn(|context| read(context, stream, |bytes| !bytes.is_empty())).await? {}
    Ok(())
}

/// What became of one turn of the loop.
enum Next {
    Done,
    Fed(Option<Ended>),
    Over(Ending),
}

thread_local! {
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH_BYTES].into_boxed_slice());
}

/// Reads once into the thread's buffer; no bytes mean the end. An idle socket owns no buffer.
fn read<S: AsyncRead + Unpin, T>(
    context: &mut Context<'_>,
    stream: &mut S,
    take: impl FnOnce(&[u8]) -> T,
) -> Poll<io::Result<T>> {
    SCRATCH.with_borrow_mut(|scratch| {
        let mut buffer = ReadBuf::new(scratch);
        match Pin::new(stream).poll_read(context, &mut buffer) {
            Poll::Ready(Ok(())) => Poll::Ready(Ok(take(buffer.filled()))),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    })
}
