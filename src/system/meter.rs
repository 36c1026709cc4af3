//! What is measured while the service runs, as the rooms tell it: the trait `Meter`. Knows no format; `metrics.rs` makes a text of it.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Told what happens. Where a socket is served, only [`Traffic`] is touched; the other calls may take a short lock.
///
/// Names given here become labels, so they come from short lists of our own and never from a client.
pub trait Meter: Debug + Send + Sync {
    /// What the sockets of a dialect have in common; the same value for the same name.
    fn traffic(&self, dialect: &'static str) -> Arc<Traffic>;

    /// A socket ended, or did not begin, otherwise than with a goodbye.
    fn dropped(&self, reason: &'static str);

    /// An event was handed to the bus.
    fn told(&self, event: &'static str);

    /// An alarm was handed to a sink.
    fn fired(&self, action: &'static str, sink: &'static str);

    /// An alarm was published so long after its instant.
    fn late(&self, by: Duration);

    /// Items of an import came to this end.
    fn imported(&self, outcome: &'static str, items: u64);

    /// An import was worked on for so long.
    fn import_took(&self, time: Duration);

    /// A feed was looked at, and this came of it.
    fn fetched(&self, outcome: &'static str);

    /// Seconds since the operator's feeds last succeeded, by their names in the configuration.
    fn upstream(&self, ages: &[(String, Option<f64>)]);

    /// An HTTP request was answered.
    fn answered(&self, answer: Answered);

    /// How much there is now.
    fn stock(&self, stock: Stock);

    /// All that was told, as the one who asks for it reads it; empty where nobody does.
    fn text(&self) -> String;
}

/// An answer to an HTTP request.
#[derive(Clone, Copy, Debug)]
pub struct Answered {
    /// The route's template, never a path.
    pub route: &'static str,
    pub method: &'static str,
    pub status: u16,
    /// Until the head of the answer was there.
    pub time: Duration,
}

/// What costs a walk to know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stock {
    pub alarms_pending: u64,
    pub store_bytes: u64,
}

/// A message on a WebSocket, by its way and its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    TextIn,
    BinaryIn,
    /// What a dialect says of its own accord or because it was asked.
    Answer,
    /// What it says because something happened.
    News,
    Ping,
    Close,
}

impl Message {
    pub const ALL: [Message; 6] =
        [Message::TextIn, Message::BinaryIn, Message::Answer, Message::News, Message::Ping, Message::Close];

    pub fn direction(self) -> &'static str {
        match self {
            Message::TextIn | Message::BinaryIn => "in",
            Message::Answer | Message::News | Message::Ping | Message::Close => "out",
        }
    }

    pub fn kind(self) -> &'static str {
        match self {
            Message::TextIn => "text",
            Message::BinaryIn => "binary",
            Message::Answer => "answer",
            Message::News => "news",
            Message::Ping => "ping",
            Message::Close => "close",
        }
    }
}

/// The sockets of one dialect: how many there are, and what went over them.
#[derive(Debug, Default)]
pub struct Traffic {
    sockets: AtomicU64,
    messages: [AtomicU64; Message::ALL.len()],
}

impl Traffic {
    pub fn sockets(&self) -> u64 {
        self.sockets.load(Ordering::Relaxed)
    }

    pub fn messages(&self, message: Message) -> u64 {
        self.messages[message as usize].load(Ordering::Relaxed)
    }
}

/// One socket, counted for as long as this lives.
#[derive(Debug)]
pub struct Counted(Arc<Traffic>);

impl Counted {
    pub fn new(traffic: Arc<Traffic>) -> Counted {
        traffic.sockets.fetch_add(1, Ordering::Relaxed);
        Counted(traffic)
    }

    pub fn add(&self, message: Message) {
        self.0.messages[message as usize].fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.sockets.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Listens to nothing: for commands that open the store themselves, and for tests.
#[derive(Debug, Default)]
pub struct Silent;

impl Meter for Silent {
    fn traffic(&self, _: &'static str) -> Arc<Traffic> {
        Arc::default()
    }

    fn dropped(&self, _: &'static str) {}

    fn told(&self, _: &'static str) {}

    fn fired(&self, _: &'static str, _: &'static str) {}

    fn late(&self, _: Duration) {}

    fn imported(&self, _: &'static str, _: u64) {}

    fn import_took(&self, _: Duration) {}

    fn fetched(&self, _: &'static str) {}

    fn upstream(&self, _: &[(String, Option<f64>)]) {}

    fn answered(&self, _: Answered) {}

    fn stock(&self, _: Stock) {}

    fn text(&self) -> String {
        String::new()
    }
}
