//! One STOMP client's connection as a pure state machine: from CONNECT to DISCONNECT. `session.rs` performs its steps.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::bus::Notice;
use crate::domain::address::{Address, UserName};
use crate::domain::event::{Event, Topic};
use crate::domain::refusal::Refusal;
use crate::gateway::dialect::{Ask, Dialect, Frame, Leave, Outcome, Outgoing, Step};
use crate::gateway::stomp::connect::{self, Beats};
use crate::gateway::stomp::feed;
use crate::gateway::stomp::reader::{Broken, Command, Frame as Request, Reader};
use crate::gateway::stomp::subscriptions::{Mode, No, Subscriptions, Taken};
use crate::gateway::stomp::version::Version;
use crate::gateway::stomp::writer;

/// Bounds of one connection.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Subscriptions; one more is an error that ends the connection, as is whatever passes the next two.
    pub subscriptions: usize,
    /// Messages that wait to be acknowledged.
    pub unacknowledged: usize,
    /// How long a client may take for its CONNECT.
    pub connect_within: Duration,
    /// How often the service offers to send a heart-beat, and wants one at most; zero for never.
    pub heart_beat: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            subscriptions: 256,
            unacknowledged: 1_000,
            connect_within: Duration::from_secs(10),
            heart_beat: Duration::from_secs(10),
        }
    }
}

/// Transactions that are open at the same time, and what waits in all of them.
const TRANSACTIONS_MAX: usize = 16;
const DEEDS_MAX: usize = 1_000;
/// Bytes that came behind CONNECT and wait until it is answered: what one read of the session can bring. More is an error.
const WAITING_BYTES_MAX: usize = 192 << 10;
/// Messages of which is still to be noted that a client took them; more stay as they are.
const TAKEN_MAX: usize = 1_000;
/// Periods without a byte of the client that are suffered.
const SILENT_MAX: u32 = 2;

const CONNECT: u8 = 0;
const SEND: u8 = 1;
const EXPECT: u8 = 2;

const GOODBYE: Leave = Leave { code: 1000, reason: "goodbye" };
const PROTOCOL: Leave = Leave { code: 1002, reason: "protocol error" };
const POLICY: Leave = Leave { code: 1008, reason: "refused" };
const TOO_LARGE: Leave = Leave { code: 1009, reason: "too large" };
const FAULT: Leave = Leave { code: 1011, reason: "internal error" };
const BUSY: Leave = Leave { code: 1013, reason: "try again later" };
const SLOW: Leave = Leave { code: 1013, reason: "slow consumer" };

pub struct Stomp {
    /// Who it is, as far as the HTTP request proved it.
    user: Option<UserName>,
    peer: IpAddr,
    /// What CONNECTED calls this session.
    session: String,
    limits: Limits,
    reader: Reader,
    state: State,
    beats: Beats,
    /// Bytes behind CONNECT, until it is answered.
    waiting: Vec<u8>,
    heard: bool,
    silent: u32,
    subscriptions: Subscriptions,
    transactions: BTreeMap<String, Vec<Deed>>,
    asking: Option<Asking>,
    next_ask: u64,
    taken: Vec<Taken>,
    /// Receipts for what is to be noted first.
    receipts: Vec<String>,
    channels: BTreeSet<Address>,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Fresh,
    SigningIn,
    Open,
    /// DISCONNECT came, and something is still to be noted.
    Leaving(Option<String>),
    Left,
}

/// What the one question that is out is about.
enum Asking {
    SignIn,
    Taken(Vec<String>),
    Channel(Address),
}

/// An ACK or a NACK.
#[derive(Clone, Copy)]
struct Deed {
    number: u64,
    positive: bool,
}

/// An error that ends the connection.
struct Error {
    message: &'static str,
    leave: Leave,
    versions: bool,
}

fn fault(message: &'static str) -> Error {
    Error { message, leave: PROTOCOL, versions: false }
}

fn refused(message: &'static str) -> Error {
    Error { message, leave: POLICY, versions: false }
}

fn too_many(message: &'static str) -> Error {
    Error { message, leave: TOO_LARGE, versions: false }
}

impl Stomp {
    /// A connection that has still to say CONNECT; `user` is who its HTTP request proved it to be.
    pub fn new(user: Option<UserName>, peer: IpAddr, session: String, limits: Limits) -> Stomp {
        Stomp {
            user,
            peer,
            session,
            limits,
            reader: Reader::default(),
            state: State::Fresh,
            beats: Beats::default(),
            waiting: Vec::new(),
            heard: false,
            silent: 0,
            subscriptions: Subscriptions::default(),
            transactions: BTreeMap::new(),
            asking: None,
            next_ask: 0,
            taken: Vec::new(),
            receipts: Vec::new(),
            channels: BTreeSet::new(),
        }
    }

    fn version(&self) -> Version {
        self.reader.version
    }

    fn feed(&mut self, mut bytes: &[u8], steps: &mut Vec<Step>) {
        while let Some(read) = self.reader.next(&mut bytes) {
            match read {
                Err(Broken { why, too_large, receipt }) => {
                    let leave = if too_large { TOO_LARGE } else { PROTOCOL };
                    return self.fail(&why, receipt.as_deref(), leave, false, steps);
                }
                Ok(request) => self.request(&request, steps),
            }
            match self.state {
                State::Fresh | State::Open => {}
                State::SigningIn => return self.keep(bytes, steps),
                // Whatever follows is swallowed: the Airy client unsubscribes after its DISCONNECT.
                State::Leaving(_) | State::Left => return,
            }
        }
    }

    /// Keeps what came before CONNECT was answered.
    fn keep(&mut self, bytes: &[u8], steps: &mut Vec<Step>) {
        if self.waiting.len() + bytes.len() > WAITING_BYTES_MAX {
            return self.fail("too much before CONNECTED", None, TOO_LARGE, false, steps);
        }
        self.waiting.extend_from_slice(bytes);
    }

    fn request(&mut self, request: &Request, steps: &mut Vec<Step>) {
        let receipt = request.header("receipt").filter(|_| request.command != Command::Connect);
        match self.act(request, steps) {
            Err(Error { message, leave, versions }) => self.fail(message, receipt, leave, versions, steps),
            Ok(Done::Now) => {
                if let Some(receipt) = receipt {
                    steps.push(Step::Say(Outgoing::answer(writer::receipt(self.version(), receipt))));
                }
            }
            Ok(Done::Later) => {}
        }
    }

    fn act(&mut self, request: &Request, steps: &mut Vec<Step>) -> Result<Done, Error> {
        match (&self.state, &request.command) {
            (_, Command::Unknown(_)) => return Err(fault("unknown command")),
            (State::Fresh, Command::Connect) => {}
            (State::Fresh, _) => return Err(fault("CONNECT must come first")),
            (_, Command::Connect) => return Err(fault("already connected")),
            _ => {}
        }
        if request.body_bytes > 0 && request.command != Command::Send {
            return Err(fault("only SEND has a body"));
        }
        match &request.command {
            Command::Connect => self.connect(request, steps),
            Command::Subscribe => self.subscribe(request),
            Command::Unsubscribe => {
                let id = request.header("id");
                if id.is_none() && self.version() > Version::V10 {
                    return Err(fault("UNSUBSCRIBE without id"));
                }
                self.subscriptions.remove(id, request.header("destination"));
                Ok(Done::Now)
            }
            Command::Send => match request.header("destination").map(feed::named) {
                None => Err(fault("SEND without destination")),
                Some(Ok(_)) => Err(refused("destination is read-only")),
                Some(Err(why)) => Err(refused(why)),
            },
            Command::Ack => self.acknowledge(request, true, steps),
            Command::Nack if self.version() == Version::V10 => Err(fault("STOMP 1.0 has no NACK")),
            Command::Nack => self.acknowledge(request, false, steps),
            Command::Begin | Command::Commit | Command::Abort => self.transact(request, steps),
            Command::Disconnect => {
                self.state = State::Leaving(request.header("receipt").map(str::to_owned));
                self.go_on(steps);
                Ok(Done::Later)
            }
            Command::Unknown(_) => Err(fault("unknown command")),
        }
    }

    fn connect(&mut self, request: &Request, steps: &mut Vec<Step>) -> Result<Done, Error> {
        let version = Version::agreed(request.header("accept-version"));
        let version = version.ok_or(Error { versions: true, ..fault("no common version") })?;
        self.beats = connect::beats(request.header("heart-beat"), self.limits.heart_beat)
            .ok_or_else(|| fault("heart-beat is not two numbers"))?;
        self.reader.version = version;
        match (connect::credentials(request), &self.user) {
            // What CONNECT brings counts, whoever the HTTP request was.
            (Some(credentials), _) => {
                self.state = State::SigningIn;
                self.ask(Ask::SignIn(credentials, self.peer), Asking::SignIn, steps);
            }
            (None, Some(user)) => {
                let user = user.clone();
                self.welcome(user, steps);
            }
            (None, None) => return Err(refused("401 Unauthorized")),
        }
        Ok(Done::Now)
    }

    fn welcome(&mut self, user: UserName, steps: &mut Vec<Step>) {
        let beat = u64::try_from(self.limits.heart_beat.as_millis()).unwrap_or_default();
        let welcome = writer::connected(self.version(), &self.session, user.as_str(), beat);
        steps.push(Step::Listen(Topic::User(user.clone())));
        steps.push(Step::Say(Outgoing::answer(welcome)));
        for (timer, after) in [(SEND, self.beats.send), (EXPECT, self.beats.expect)] {
            steps.extend(after.map(|after| Step::Rest { timer, after }));
        }
        self.user = Some(user);
        self.state = State::Open;
    }

    fn subscribe(&mut self, request: &Request) -> Result<Done, Error> {
        let version = self.version();
        let destination = request.header("destination").ok_or_else(|| fault("SUBSCRIBE without destination"))?;
        let id = request.header("id");
        if id.is_none() && version > Version::V10 {
            return Err(fault("SUBSCRIBE without id"));
        }
        let mode = Mode::read(request.header("ack")).ok_or_else(|| fault("unknown ack mode"))?;
        let place = feed::named(destination).map_err(refused)?;
        let added = self.subscriptions.add(version, id, place, mode, self.limits.subscriptions);
        added.map(|()| Done::Now).map_err(|no| match no {
            No::Twice => fault("this subscription id is in use"),
            No::TooMany => too_many("too many subscriptions"),
        })
    }

    fn acknowledge(&mut self, request: &Request, positive: bool, steps: &mut Vec<Step>) -> Result<Done, Error> {
        let (named, subscription) = match self.version() {
            Version::V12 => (request.header("id"), None),
            Version::V11 => {
                let subscription = request.header("subscription");
                (request.header("message-id"), Some(subscription.ok_or_else(|| fault("ACK without subscription"))?))
            }
            Version::V10 => (request.header("message-id"), None),
        };
        let named = named.ok_or_else(|| fault("ACK without the message's number"))?;
        let number = named.parse().ok().filter(|number| self.subscriptions.waits(*number, subscription));
        let number = number.ok_or_else(|| fault("no such message waits to be acknowledged"))?;
        let deed = Deed { number, positive };
        if let Some(transaction) = request.header("transaction") {
            if self.transactions.values().map(Vec::len).sum::<usize>() >= DEEDS_MAX {
                return Err(too_many("too much in transactions"));
            }
            let deeds = self.transactions.get_mut(transaction).ok_or_else(|| fault("no such transaction"))?;
            deeds.push(deed);
            return Ok(Done::Now);
        }
        Ok(self.perform(&[deed], request, steps))
    }

    fn transact(&mut self, request: &Request, steps: &mut Vec<Step>) -> Result<Done, Error> {
        let name = request.header("transaction").ok_or_else(|| fault("no transaction is named"))?;
        if request.command == Command::Begin {
            if self.transactions.contains_key(name) {
                return Err(fault("this transaction is open already"));
            }
            if self.transactions.len() >= TRANSACTIONS_MAX {
                return Err(too_many("too many transactions"));
            }
            self.transactions.insert(name.to_owned(), Vec::new());
            return Ok(Done::Now);
        }
        let deeds = self.transactions.remove(name).ok_or_else(|| fault("no such transaction"))?;
        Ok(if request.command == Command::Commit { self.perform(&deeds, request, steps) } else { Done::Now })
    }

    /// Takes answers to messages. The receipt of those that are to be noted waits until they are.
    fn perform(&mut self, deeds: &[Deed], request: &Request, steps: &mut Vec<Step>) -> Done {
        let mut noted = false;
        for deed in deeds {
            let taken = self.subscriptions.answer(deed.number);
            if deed.positive && !taken.is_empty() {
                noted = true;
                self.note(taken);
            }
        }
        if !noted {
            return Done::Now;
        }
        self.receipts.extend(request.header("receipt").map(str::to_owned));
        self.go_on(steps);
        Done::Later
    }

    fn note(&mut self, taken: impl IntoIterator<Item = Taken>) {
        let room = TAKEN_MAX.saturating_sub(self.taken.len());
        self.taken.extend(taken.into_iter().take(room));
    }

    fn ask(&mut self, ask: Ask, about: Asking, steps: &mut Vec<Step>) {
        self.next_ask += 1;
        self.asking = Some(about);
        steps.push(Step::Ask { number: self.next_ask, ask });
    }

    /// Asks the next thing, one at a time; leaves when nothing is left to ask.
    fn go_on(&mut self, steps: &mut Vec<Step>) {
        if self.asking.is_some() {
            return;
        }
        if !self.taken.is_empty() {
            let receipts = std::mem::take(&mut self.receipts);
            let taken = std::mem::take(&mut self.taken);
            return self.ask(Ask::Taken(taken), Asking::Taken(receipts), steps);
        }
        if let State::Leaving(receipt) = &mut self.state {
            let receipt = receipt.take().map(|id| writer::receipt(self.reader.version, &id));
            steps.extend(receipt.map(|receipt| Step::Say(Outgoing::answer(receipt))));
            steps.push(Step::Close(GOODBYE));
            self.state = State::Left;
            return;
        }
        if let Some(address) = self.channels.pop_first() {
            self.ask(Ask::Channel(address.clone()), Asking::Channel(address), steps);
        }
    }

    fn signed_in(&mut self, outcome: Outcome, steps: &mut Vec<Step>) {
        match outcome {
            Outcome::SignedIn(user) => {
                self.welcome(user, steps);
                let waiting = std::mem::take(&mut self.waiting);
                self.feed(&waiting, steps);
            }
            Outcome::Refused(refusal) => {
                let (message, leave) = denied(&refusal);
                self.fail(message, None, leave, false, steps);
            }
            _ => self.fail("500 Internal Server Error", None, FAULT, false, steps),
        }
    }

    /// Says an ERROR, and ends the connection behind it.
    fn fail(&mut self, message: &str, receipt: Option<&str>, leave: Leave, versions: bool, steps: &mut Vec<Step>) {
        let error = writer::error(self.version(), message, receipt, versions);
        steps.push(Step::Say(Outgoing::answer(error)));
        steps.push(Step::Close(leave));
        self.state = State::Left;
        self.waiting = Vec::new();
    }

    /// Tells every subscription to a feed; too much unacknowledged ends the connection.
    fn tell(
        &mut self,
        feed: feed::Feed,
        tail: &Bytes,
        taken: Option<Taken>,
        notice: Option<&Notice>,
        steps: &mut Vec<Step>,
    ) {
        let version = self.version();
        let mut say = |outgoing| steps.push(Step::Say(outgoing));
        if self.subscriptions.tell(feed, tail, taken, version, notice, &mut say) {
            self.note(taken);
        }
        if self.subscriptions.unacknowledged() > self.limits.unacknowledged {
            self.fail("too many unacknowledged messages", None, POLICY, false, steps);
        }
    }
}

/// When the receipt of a request is due.
enum Done {
    Now,
    /// It was said, or will be.
    Later,
}

/// How a refused sign-in is told. The Airy client looks for `401`.
fn denied(refusal: &Refusal) -> (&'static str, Leave) {
    match refusal {
        Refusal::Unauthenticated | Refusal::Expired => ("401 Unauthorized", POLICY),
        Refusal::Forbidden => ("403 Forbidden", POLICY),
        Refusal::TooOften { .. } => ("429 Too Many Requests", POLICY),
        Refusal::Busy { .. } => ("503 Service Unavailable", BUSY),
        Refusal::NotFound
        | Refusal::Exists
        | Refusal::Precondition
        | Refusal::UidTaken(_)
        | Refusal::Invalid(_)
        | Refusal::Unstorable(_)
        | Refusal::Unsupported(_)
        | Refusal::TooLarge { .. }
        | Refusal::StaleToken
        | Refusal::Full(_)
        | Refusal::NoRoom(_)
        | Refusal::Unschedulable { .. }
        | Refusal::Fault { .. } => ("500 Internal Server Error", FAULT),
    }
}

impl Dialect for Stomp {
    fn name(&self) -> &'static str {
        "stomp"
    }

    fn opened(&mut self, _: DateTime<Utc>, steps: &mut Vec<Step>) {
        steps.push(Step::Rest { timer: CONNECT, after: self.limits.connect_within });
    }

    fn heard(&mut self, frame: Frame<'_>, _: DateTime<Utc>, steps: &mut Vec<Step>) {
        // Clients may send either kind: a frame cut within a character can only be binary.
        let bytes = match frame {
            Frame::Text(text) => text.as_bytes(),
            Frame::Binary(bytes) => bytes,
        };
        self.heard |= !bytes.is_empty();
        match self.state {
            State::Fresh | State::Open => self.feed(bytes, steps),
            State::SigningIn => self.keep(bytes, steps),
            State::Leaving(_) | State::Left => {}
        }
    }

    fn answered(&mut self, number: u64, outcome: Outcome, now: DateTime<Utc>, steps: &mut Vec<Step>) {
        if number != self.next_ask || self.state == State::Left {
            return;
        }
        match self.asking.take() {
            Some(Asking::SignIn) => self.signed_in(outcome, steps),
            Some(Asking::Taken(receipts)) => {
                let version = self.version();
                let receipt = |id: String| Step::Say(Outgoing::answer(writer::receipt(version, &id)));
                steps.extend(receipts.into_iter().map(receipt));
            }
            Some(Asking::Channel(address)) => {
                let name = match outcome {
                    Outcome::Channel(name) => Some(name),
                    Outcome::Refused(Refusal::NotFound | Refusal::Forbidden) => None,
                    // Trouble of ours says nothing about the channel.
                    _ => return self.go_on(steps),
                };
                for (feed, tail) in feed::channel(&address, name.as_deref(), now.timestamp_millis()) {
                    if self.state == State::Open {
                        self.tell(feed, &tail, None, None, steps);
                    }
                }
            }
            None => {}
        }
        if self.state != State::Left {
            self.go_on(steps);
        }
    }

    fn happened(&mut self, notice: &Arc<Notice>, steps: &mut Vec<Step>) {
        if self.state != State::Open {
            return;
        }
        match &notice.event {
            Event::Notified { user, news } if self.user.as_ref() == Some(user) => {
                for (feed, tail, taken) in feed::bodies(notice, news) {
                    if self.state == State::Open {
                        self.tell(feed, &tail, taken, Some(notice), steps);
                    }
                }
                if self.state == State::Open {
                    self.go_on(steps);
                }
            }
            Event::ListChanged { user, address, .. } if self.user.as_ref() == Some(user) => {
                use feed::Feed::{Connected, Disconnected, Events};
                if [Connected, Disconnected, Events].into_iter().any(|feed| self.subscriptions.wants(feed)) {
                    self.channels.insert(address.clone());
                    self.go_on(steps);
                }
            }
            Event::SignedOut { user, .. } if self.user.as_ref() == Some(user) => {
                self.fail("401 Unauthorized", None, POLICY, false, steps);
            }
            Event::Notified { .. }
            | Event::ListChanged { .. }
            | Event::SignedOut { .. }
            | Event::Changed { .. }
            | Event::RightsChanged { .. }
            | Event::Imported { .. }
            | Event::Importing { .. }
            | Event::Rang { .. }
            | Event::Answered { .. }
            | Event::TokenEnded { .. }
            | Event::Published(_)
            | Event::PresenceChanged { .. }
            | Event::MemberChanged { .. }
            | Event::GroupChanged { .. } => {}
        }
    }

    fn woke(&mut self, _: DateTime<Utc>, _: &mut Vec<Step>) {}

    fn rested(&mut self, timer: u8, _: DateTime<Utc>, steps: &mut Vec<Step>) {
        match (timer, &self.state) {
            (CONNECT, State::Fresh) => self.fail("CONNECT did not come in time", None, POLICY, false, steps),
            (SEND, State::Open) => {
                steps.push(Step::Say(Outgoing::answer(writer::BEAT)));
                steps.extend(self.beats.send.map(|after| Step::Rest { timer, after }));
            }
            (EXPECT, State::Open) => {
                self.silent = if std::mem::take(&mut self.heard) { 0 } else { self.silent + 1 };
                if self.silent >= SILENT_MAX {
                    return self.fail("no heart-beat came", None, PROTOCOL, false, steps);
                }
                steps.extend(self.beats.expect.map(|after| Step::Rest { timer, after }));
            }
            _ => {}
        }
    }

    fn busy(&self) -> bool {
        self.state == State::SigningIn
    }

    fn expired(&mut self, steps: &mut Vec<Step>) {
        self.fail("401 Unauthorized", None, POLICY, false, steps);
    }

    fn slow(&self) -> Leave {
        SLOW
    }

    fn last_words(&self, leave: Leave) -> Option<Bytes> {
        (self.state != State::Left).then(|| writer::error(self.version(), leave.reason, None, false))
    }
}
