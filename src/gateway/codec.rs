//! Bytes of a client to its messages. The library behind it never sees the socket, and is dropped while it holds nothing. Writes no frames
//! of ours but the answers that the protocol itself demands.

use std::io::{self, Read, Write};

use tungstenite::error::Error;
use tungstenite::protocol::{Message, Role, WebSocketConfig, WebSocketContext};

use crate::gateway::dialect::{Frame, Leave};

/// The longest message, fragments together, when nobody says otherwise; a longer one is answered 1009.
pub const MESSAGE_BYTES_DEFAULT: usize = 64 << 10;

/// What the library's buffer begins with. It grows to the size of a frame that comes in parts, and goes when the codec goes.
const BUFFER_BYTES: usize = 4 << 10;

/// What the codec holds after a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// A part of a message, perhaps: feed the rest to the same codec.
    More,
    /// Nothing: it may be dropped, and a new one begin with the next byte.
    Idle,
    /// No more messages will come.
    End(Ended),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The client closed; the answer to it is among the replies.
    ByClient,
    /// The client broke the protocol; this has to be said to it.
    Broken(Leave),
}

/// A reader of one direction of one WebSocket. Another library is another implementation.
pub trait Codec: Send {
    /// Takes the next bytes, hands on each message that is whole, and puts pongs and the answer to a close behind `replies`.
    fn feed(&mut self, bytes: &[u8], hear: &mut dyn FnMut(Frame<'_>), replies: &mut Vec<u8>) -> Held;
}

/// tungstenite's state machine over memory.
pub struct Tungstenite {
    context: WebSocketContext,
    /// Bytes fed so far, and the least that the messages handed on can have taken: equal means that nothing is held. After a
    /// fragmented message they never meet again, so that such a client keeps its codec; the message limit bounds what it holds.
    fed: u64,
    seen: u64,
}

impl Tungstenite {
    pub fn new(message_bytes_max: usize) -> Tungstenite {
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER_BYTES)
            .write_buffer_size(0)
            .max_message_size(Some(message_bytes_max))
            .max_frame_size(Some(message_bytes_max));
        Tungstenite { context: WebSocketContext::new(Role::Server, Some(config)), fed: 0, seen: 0 }
    }
}

impl Codec for Tungstenite {
    fn feed(&mut self, bytes: &[u8], hear: &mut dyn FnMut(Frame<'_>), replies: &mut Vec<u8>) -> Held {
        self.fed += bytes.len() as u64;
        let mut duplex = Duplex { input: bytes, output: replies };
        loop {
            match self.context.read(&mut duplex) {
                Ok(message) => {
                    self.seen += least_size(message.len());
                    match &message {
                        Message::Text(text) => hear(Frame::Text(text.as_str())),
                        Message::Binary(bytes) => hear(Frame::Binary(bytes)),
                        Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => {}
                    }
                }
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    return if self.seen == self.fed { Held::Idle } else { Held::More };
                }
                Err(error) => return Held::End(ended(&error)),
            }
        }
    }
}

/// How the library's errors are told to the client: RFC 6455 section 7.4.1.
fn ended(error: &Error) -> Ended {
    match error {
        Error::ConnectionClosed | Error::AlreadyClosed => Ended::ByClient,
        Error::Utf8(_) => Ended::Broken(Leave { code: 1007, reason: "text is not UTF-8" }),
        Error::Capacity(_) => Ended::Broken(Leave { code: 1009, reason: "message too large" }),
        _ => Ended::Broken(Leave { code: 1002, reason: "protocol error" }),
    }
}

/// The wire size of a client's frame with so many bytes of payload, if its length is written in the shortest way.
fn least_size(payload: usize) -> u64 {
    let length = match payload {
        0..126 => 0,
        126..=0xFFFF => 2,
        _ => 8,
    };
    (2 + length + 4 + payload) as u64
}

/// What the library takes for its socket.
struct Duplex<'a> {
    input: &'a [u8],
    output: &'a mut Vec<u8>,
}

impl Read for Duplex<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.input.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.input.read(buffer)
    }
}

impl Write for Duplex<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.output.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
