//! What every real-time protocol is to the session that runs it: events in, steps out. No dialect lives here, and no socket, task or clock.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use uuid::Uuid;

use crate::bus::{Flight, Notice};
use crate::domain::address::{Address, UserName};
use crate::domain::bearer::{Bearing, Hold};
use crate::domain::collection::CollectionId;
use crate::domain::event::{Rang, Topic};
use crate::domain::notification::{ConversationId, MessageId};
use crate::domain::refusal::Refusal;
use crate::domain::sync::Token;
use crate::gateway::sight::{Seen, Sight, Unseen};
use crate::service::login::Credentials;

/// A protocol as a pure state machine: each call may push steps, which the session performs in their order.
pub trait Dialect: Send {
    /// What it is called where sockets are counted.
    fn name(&self) -> &'static str;

    /// The socket stands.
    fn opened(&mut self, now: DateTime<Utc>, steps: &mut Vec<Step>);

    /// The client said something.
    fn heard(&mut self, frame: Frame<'_>, now: DateTime<Utc>, steps: &mut Vec<Step>);

    /// The ask of that number is answered.
    fn answered(&mut self, number: u64, outcome: Outcome, now: DateTime<Utc>, steps: &mut Vec<Step>);

    /// Something happened on a topic that was listened to when it was published; a topic given up meanwhile may still be heard once.
    fn happened(&mut self, notice: &Arc<Notice>, steps: &mut Vec<Step>);

    /// An instant given by [`Step::Wake`] has come, or the socket's ping was sent.
    fn woke(&mut self, now: DateTime<Utc>, steps: &mut Vec<Step>);

    /// So much pace has gone by since [`Step::Rest`] set this timer. A dialect without timers has nothing to do.
    fn rested(&mut self, _timer: u8, _now: DateTime<Utc>, _steps: &mut Vec<Step>) {}

    /// True while as much unanswered work waits as the dialect is willing to hold: nothing more is read until it falls.
    fn busy(&self) -> bool;

    /// How it takes leave of a client that does not read fast enough.
    fn slow(&self) -> Leave;

    /// The token that let this client in is over or was taken back. A dialect that asks with [`Ask::Bear`] sees to that itself.
    fn expired(&mut self, steps: &mut Vec<Step>) {
        steps.push(Step::Close(EXPIRED));
    }

    /// After how long without a byte from the client, pongs included, the socket closes, and how. Mostly that is left to the kernel.
    fn silence(&self) -> Option<(Duration, Leave)> {
        None
    }

    /// Whether it wants each change of a collection rather than the newest.
    fn keeps_all(&self) -> bool {
        false
    }

    /// What it says before a close that is not its own: the service stops, the client is too slow, or broke the WebSocket protocol.
    fn last_words(&self, _leave: Leave) -> Option<Bytes> {
        None
    }
}

/// What a client said. Pings, pongs and closes stay with the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
}

/// What a dialect wants done.
#[derive(Debug)]
pub enum Step {
    /// Asks the desk; the answer comes back under the same number, in the order of asking.
    Ask {
        number: u64,
        ask: Ask,
    },
    Listen(Topic),
    Unlisten(Topic),
    Say(Outgoing),
    /// Sends a close frame behind what was said, and ends the socket. Later steps are dropped.
    Close(Leave),
    /// Calls `woke` at this instant of calendar time; a later one replaces it.
    Wake(DateTime<Utc>),
    /// Calls `rested` with this timer's number when so much pace has gone by; a later one of the same number replaces it.
    Rest {
        timer: u8,
        after: Duration,
    },
}

/// A question that only the service can answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// May the user of this socket read what stands there, and which collection is its source?
    Resolve(Address),
    /// Which alarms rang for this user while nobody heard them?
    Waiting,
    /// These were told now: each by its instant and id. Only noted.
    Told(Vec<(DateTime<Utc>, u64)>),
    /// Who stands behind this bearer token? A socket that was nobody's is theirs from the answer on.
    Bear(String),
    /// What does the user of this socket see?
    See,
    /// Who brings these credentials? The socket is theirs from the answer on; the other questions need that it is somebody's.
    SignIn(Credentials, IpAddr),
    /// A client has these messages now. Only noted.
    Taken(Vec<(ConversationId, MessageId)>),
    /// Under which name does the user of this socket see what stands there?
    Channel(Address),
    /// Who in that organisation is that, and how much of them is unread? Each is named by an id or a number.
    Unread { organisation: String, user: String },
    /// How does the presence of this person or group look to the user of this socket?
    Look(Sight),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Readable(Readable),
    Waiting(Vec<Rang>),
    Noted,
    Borne(Box<Bearing>),
    /// Every collection in the user's lists by its source: number and address.
    Seen(Vec<(CollectionId, Address)>),
    /// Whose socket it is now.
    SignedIn(UserName),
    /// A channel's name.
    Channel(String),
    /// Who that is, and how much of them is unread.
    Unread {
        user: UserName,
        unread: u64,
    },
    /// How what was looked at looks.
    Sighted(Box<Seen>),
    Unseen(Unseen),
    Refused(Refusal),
}

/// Who signed in on a socket, with which device, if its app password did so, and what keeps them in, if it was a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visitor {
    pub user: UserName,
    pub device: Option<Arc<str>>,
    pub hold: Option<Hold>,
}

/// A collection that may be read, seen from the address that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readable {
    /// The source: a mirror and a subscription resolve to what they show.
    pub collection: CollectionId,
    /// Where the source stands now.
    pub token: Token,
}

/// A ready frame, and the flight that lands when it is written.
#[derive(Clone, Debug)]
pub struct Outgoing {
    pub frame: Bytes,
    /// The rest of the same frame, which others share; mostly nothing.
    pub tail: Bytes,
    pub flight: Flight,
}

impl Outgoing {
    /// An answer: nobody waits for it to be written.
    pub fn answer(frame: Bytes) -> Outgoing {
        Outgoing { frame, tail: Bytes::new(), flight: Flight::unwatched() }
    }

    /// News: its notice is settled when this is written.
    pub fn news(frame: Bytes, notice: &Notice) -> Outgoing {
        Outgoing { frame, tail: Bytes::new(), flight: notice.flight.clone() }
    }

    /// One frame of which the first part is this client's and the rest is everybody's; news, if a notice stands behind it.
    pub fn shared(frame: Bytes, tail: Bytes, notice: Option<&Notice>) -> Outgoing {
        Outgoing { frame, tail, flight: notice.map_or_else(Flight::unwatched, |notice| notice.flight.clone()) }
    }
}

/// A WebSocket close: RFC 6455 section 7.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leave {
    pub code: u16,
    pub reason: &'static str,
}

/// For dialects with no word of their own for the end of a token.
const EXPIRED: Leave = Leave { code: 1008, reason: "the token has ended" };

/// Answers asks. The service stands behind it.
pub trait Desk: Send + Sync {
    /// `Forbidden` where something stands that the user may not read, `NotFound` where nothing does.
    fn resolve<'a>(&'a self, user: &'a UserName, address: &'a Address) -> BoxFuture<'a, Result<Readable, Refusal>>;

    /// The alarms that wait for somebody who hears them, earliest first.
    fn waiting<'a>(&'a self, user: &'a UserName) -> BoxFuture<'a, Result<Vec<Rang>, Refusal>>;

    /// Who stands behind a bearer token: `Unauthenticated` or `Expired` where nobody does.
    fn bear<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Bearing, Refusal>>;

    /// The sources of all collections in somebody's lists that they may read.
    fn see<'a>(&'a self, user: &'a UserName) -> BoxFuture<'a, Result<Vec<(CollectionId, Address)>, Refusal>>;

    /// Who brings these credentials.
    fn sign_in<'a>(&'a self, credentials: &'a Credentials, from: IpAddr) -> BoxFuture<'a, Result<Visitor, Refusal>>;

    /// Whether what a token opened may stay open.
    fn holds<'a>(&'a self, hold: &'a Hold) -> BoxFuture<'a, Result<bool, Refusal>>;

    /// A client of this person's has these messages.
    fn taken<'a>(
        &'a self,
        user: &'a UserName,
        messages: Vec<(ConversationId, MessageId)>,
    ) -> BoxFuture<'a, Result<(), Refusal>>;

    /// The name under which a person sees a channel.
    fn channel<'a>(&'a self, user: &'a UserName, address: &'a Address) -> BoxFuture<'a, Result<String, Refusal>>;

    /// Who that is, and how much of them is unread; `Forbidden` or `NotFound` where the caller may not know.
    fn unread<'a>(
        &'a self,
        caller: &'a UserName,
        organisation: &'a str,
        user: &'a str,
    ) -> BoxFuture<'a, Result<(UserName, u64), Refusal>>;

    /// The presence of a person or a group, as it looks to a user now.
    fn look<'a>(&'a self, user: &'a UserName, sight: &'a Sight) -> BoxFuture<'a, Result<Seen, Unseen>>;

    /// They need not wait any longer.
    fn told<'a>(&'a self, user: &'a UserName, alarms: Vec<(DateTime<Utc>, u64)>) -> BoxFuture<'a, Result<(), Refusal>>;
}

/// How people are called on wires that do not know their login names. Answers from memory.
pub trait Directory: Send + Sync {
    /// This instance.
    fn origin(&self) -> Uuid;

    fn person(&self, user: &UserName) -> Uuid;

    /// The tenant that somebody belongs to.
    fn tenant(&self, user: &UserName) -> Uuid;
}
