//! Events on their way from the commit that caused them to whoever listens: `Notice`, and the trait `Bus`. Knows no wire and no queue.

pub mod local;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use tokio::sync::oneshot;

use crate::domain::event::Event;
use crate::domain::notification::Message;

/// Who encodes events in a form of their own. Two spellings of one protocol are two faces, because their bytes differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Face {
    Side,
    Cti,
    /// The same with the title of an event, for those who may read it.
    CtiTitled,
    CtiEvents,
    CtiMessages,
    /// One event says several things there: a message and how many are unread, each in two spellings.
    StompMessage,
    StompCount,
    StompEvent,
    StompState,
    Stream,
}

const FACES: usize = 10;

/// What a weight counts for a notice beside its texts: braces, keys, numbers, a frame head.
const WEIGHT_FIXED: usize = 96;
/// The same for a presence: its keys are many and long.
const WEIGHT_PRESENCE: usize = 400;

/// The same for each object of a change, where they are told one by one.
const OBJECT_FIXED: usize = 512;

/// One message of a wire whose listeners choose by names and access lists. One event may be several.
#[derive(Debug)]
pub struct Telling {
    pub name: String,
    /// What an access list must grant; absent where nothing is demanded.
    pub demand: Option<String>,
    pub ears: Ears,
    pub body: String,
    /// The bytes of each spelling, encoded by the first who needs them.
    pub frames: [OnceLock<Bytes>; SPELLINGS],
}

/// For whom a telling is worded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ears {
    Everybody,
    /// Who owns what it is about.
    Owner,
    /// All but the owner.
    Others,
    /// The person whom it is about, and whoever hears all of their tenant.
    Person,
}

/// How many spellings of a telling there are.
pub const SPELLINGS: usize = 2;

/// One event as every listener on this node shares it.
#[derive(Debug)]
pub struct Notice {
    pub event: Event,
    /// The stamp of the commit that caused it, and its number in that commit.
    pub stamp: u64,
    pub part: u32,
    /// When it was told.
    pub at: DateTime<Utc>,
    /// It should have been told earlier: the service was down at its instant.
    pub late: bool,
    /// Lives as long as anybody still holds this notice; what is written takes a clone along.
    pub flight: Flight,
    /// Set by whoever passes an alarm on to a person; absent for all other events.
    pub told: Option<Arc<AtomicBool>>,
    /// The bytes of each face, encoded once per event by the first who needs them.
    pub frames: [OnceLock<Bytes>; FACES],
    /// What it says on the wire of names and access lists, worded once per event.
    pub tellings: OnceLock<Vec<Telling>>,
}

impl Notice {
    /// An event without a date.
    pub fn new(event: Event, stamp: u64, part: u32, late: bool, flight: Flight) -> Arc<Notice> {
        Notice::dated(event, stamp, part, late, flight, DateTime::UNIX_EPOCH)
    }

    pub fn dated(event: Event, stamp: u64, part: u32, late: bool, flight: Flight, at: DateTime<Utc>) -> Arc<Notice> {
        let told = matches!(event, Event::Rang { .. }).then(Arc::default);
        Arc::new(Notice {
            event,
            stamp,
            part,
            at,
            late,
            flight,
            told,
            frames: Default::default(),
            tellings: OnceLock::new(),
        })
    }

    /// Notes that an alarm was passed on to somebody.
    pub fn tell(&self) {
        if let Some(told) = &self.told {
            told.store(true, Ordering::Release);
        }
    }

    /// This face's bytes: made by `make` the first time, shared afterwards.
    pub fn frame(&self, face: Face, make: impl FnOnce() -> Bytes) -> Bytes {
        self.frames[face as usize].get_or_init(make).clone()
    }

    /// About how many bytes it will be on a wire. Queues are bounded by the sum of these, before anything is encoded.
    pub fn weight(&self) -> usize {
        let address = |user: &str, name: &str| user.len() + name.len();
        WEIGHT_FIXED
            + match &self.event {
                Event::RightsChanged { address: a, .. } => address(a.user().as_str(), a.name()),
                Event::Changed { address: a, .. } => address(a.user().as_str(), a.name()),
                Event::ListChanged { address: a, .. } => address(a.user().as_str(), a.name()),
                Event::Imported { address: a, import, .. } | Event::Importing { address: a, import, .. } => {
                    address(a.user().as_str(), a.name()) + import.len()
                }
                Event::Rang { alarm, .. } | Event::Answered { alarm, .. } => {
                    let a = alarm.object.collection();
                    address(a.user().as_str(), a.name()) + alarm.object.name().len() + alarm.summary.len()
                }
                Event::Notified { news, .. } => {
                    let texts = |message: &Message| message.text.len() + message.sender.len();
                    let message = news.message.as_ref().map_or(0, |(message, _)| texts(message));
                    address(news.channel.user().as_str(), news.channel.name()) + news.title.len() + 2 * message
                }
                Event::SignedOut { .. } | Event::TokenEnded { .. } => 0,
                Event::Published(published) => published.name.len() + published.body.len(),
                Event::PresenceChanged { news } | Event::MemberChanged { news, .. } => {
                    let texts = [&news.shown.message, &news.shown.title.as_ref().map(|title| title.text.clone())];
                    WEIGHT_PRESENCE
                        + news.member.display_name.len()
                        + texts.into_iter().flatten().map(String::len).sum::<usize>()
                }
                Event::GroupChanged { .. } => WEIGHT_PRESENCE,
            }
    }

    /// About how many bytes it will be for a listener who is told of each object.
    pub fn weight_in_full(&self) -> usize {
        let objects = match &self.event {
            Event::Changed { objects, .. } => {
                objects.iter().map(|object| OBJECT_FIXED + object.name.len() + object.uid.len() * 2).sum()
            }
            _ => 0,
        };
        self.weight() + objects
    }
}

/// Held by everything that still has to send an event. When the last clone is dropped, the event is settled: written to the sockets'
/// kernel buffers, or those sockets were closed.
#[derive(Clone, Debug, Default)]
pub struct Flight(#[expect(dead_code, reason = "held for the sake of its drop")] Option<Arc<oneshot::Sender<()>>>);

impl Flight {
    /// A flight and the place where its end is seen.
    pub fn start() -> (Flight, Landing) {
        let (sender, receiver) = oneshot::channel();
        (Flight(Some(Arc::new(sender))), Landing(receiver))
    }

    /// A flight that nobody waits for.
    pub fn unwatched() -> Flight {
        Flight(None)
    }
}

/// Where the end of a flight is seen.
#[derive(Debug)]
pub struct Landing(oneshot::Receiver<()>);

impl Landing {
    /// Ends when every clone of the flight is dropped.
    pub async fn landed(self) {
        // Nothing is ever sent: the sender's drop, with the last clone, is the news.
        let _ = self.0.await;
    }
}

/// Carries notices from the relay to the listeners of this node, and in a cluster to those of the others.
pub trait Bus: Send + Sync {
    /// Hands the notice on without waiting for anyone. A publisher keeps no copy, or the flight does not land.
    fn publish(&self, notice: Arc<Notice>);

    /// Listens from now on; there is no way to stop.
    fn attach(&self, listener: Arc<dyn Listener>);
}

/// Hears every notice of the bus, in the order in which they were published.
pub trait Listener: Send + Sync {
    /// Called on the publisher's thread: it queues and returns.
    fn hear(&self, notice: &Arc<Notice>);
}
