//! One Side client's conversation: which request is being answered, what is registered, what is told. Pure; `session.rs` performs its steps.
//!
//! A registration listens before it is checked: the first look-up says which collection stands behind the path, then the socket listens to
//! it, then a second look-up decides. What happens between the two is kept and told after the answer, so neither a change nor a revocation
//! falls between.

use std::collections::VecDeque;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::bus::{Face, Notice};
use crate::domain::address::{Address, Kind, UserName};
use crate::domain::collection::CollectionId;
use crate::domain::event::{Event, ListChange, Rang, Topic};
use crate::domain::refusal::Refusal;
use crate::domain::sync::Token;
use crate::gateway::dialect::{Ask, Dialect, Frame, Leave, Outcome, Outgoing, Readable, Step};
use crate::gateway::side::bells::Bells;
use crate::gateway::side::push;
use crate::gateway::side::registrations::{Checking, Registration, Registrations, State};
use crate::gateway::side::request::{self, Path, Request};
use crate::gateway::side::requests::{Line, Requests, reason};
use crate::http::place;

/// How many paths one socket may register when nobody says otherwise. Beyond it a path is answered `InternalError`, the one reason that does not claim anything about
/// the path itself; what is registered stays.
pub const PATHS_DEFAULT: usize = 1_000;

/// How far imports are, while they go on.
const IMPORT_PROGRESS: &str = "importProgress";

/// The extensions that a client can ask for. What it named last holds.
const FEATURES: [&str; 1] = [IMPORT_PROGRESS];

/// Too slow. The front end stays away for good after 1000 and 1001, and comes back after anything else.
const SLOW: Leave = Leave { code: 1013, reason: "too slow: connect again and ask for changes" };

/// The account is gone or its password changed.
const SIGNED_OUT: Leave = Leave { code: 1008, reason: "signed out" };

#[derive(Debug)]
pub struct Side {
    user: UserName,
    paths_max: usize,
    bells: Bells,
    /// It asked for [`IMPORT_PROGRESS`].
    progress: bool,
    registrations: Registrations,
    requests: Requests,
    asked: VecDeque<(u64, Purpose)>,
    /// How many paths are not registered yet, but may be soon.
    finding: usize,
    next_ask: u64,
}

/// Why something was asked.
#[derive(Debug)]
enum Purpose {
    /// Which collection stands there; the answer belongs to a line of the first request.
    Find { line: usize },
    /// Whether a path that is listened to may be read.
    Check { label: Arc<str> },
    /// Whether a path that was never registered exists.
    Exists { line: usize },
    /// Which alarms rang while nobody heard them.
    Waiting,
    /// Nothing: it was only to be noted.
    Told,
}

impl Side {
    pub fn new(user: UserName, paths_max: usize) -> Side {
        Side {
            user,
            paths_max,
            bells: Bells::default(),
            progress: false,
            registrations: Registrations::default(),
            requests: Requests::default(),
            asked: VecDeque::new(),
            finding: 0,
            next_ask: 0,
        }
    }

    fn ask(&mut self, address: Address, purpose: Purpose, steps: &mut Vec<Step>) -> u64 {
        self.wonder(Ask::Resolve(address), purpose, steps)
    }

    fn wonder(&mut self, ask: Ask, purpose: Purpose, steps: &mut Vec<Step>) -> u64 {
        let number = self.next_ask;
        self.next_ask += 1;
        self.asked.push_back((number, purpose));
        steps.push(Step::Ask { number, ask });
        number
    }

    /// Tells the alarms that rang while nobody heard them.
    fn catch_up(&mut self, alarms: &[Rang], steps: &mut Vec<Step>) {
        for alarm in self.bells.caught_up(alarms) {
            steps.push(Step::Say(Outgoing::answer(push::alarm(alarm))));
        }
        if self.bells.enabled() && !alarms.is_empty() {
            let told = alarms.iter().map(|alarm| (alarm.at, alarm.id)).collect();
            self.wonder(Ask::Told(told), Purpose::Told, steps);
        }
    }

    /// Works on requests until one has to wait for the desk.
    fn proceed(&mut self, steps: &mut Vec<Step>) {
        loop {
            for line in 0..self.requests.start().unwrap_or(0) {
                self.begin(line, steps);
            }
            let Some(change) = self.requests.finished() else { return };
            steps.push(Step::Say(Outgoing::answer(change.answer())));
            for label in change.lines().iter().filter(|line| line.register).map(|line| &line.path.label) {
                // One that is being looked up again was registered long before, and lost its right while this request waited.
                if let Some(Registration { state: State::Checking(checking), .. }) = self.registrations.get(label)
                    && checking.ask.is_none()
                {
                    self.resume(label, Token(0), steps);
                }
            }
        }
    }

    fn begin(&mut self, index: usize, steps: &mut Vec<Step>) {
        let Some(Line { path, register, .. }) = self.requests.line(index) else { return };
        let (path, register) = (path.clone(), *register);
        match (register, self.registrations.get(&path.label)) {
            (true, Some(Registration { state: State::Active, .. })) => self.requests.settle(index, Ok(())),
            (true, Some(Registration { state: State::Checking(checking), .. })) => {
                checking.line = Some(index);
                self.requests.wait();
            }
            (true, Some(Registration { state: State::Suspended { .. }, .. })) => {
                self.check(&path.label, Some(index), steps);
                self.requests.wait();
            }
            (true, None) => match path.address {
                None => self.requests.settle(index, Err("NotFound")),
                Some(_) if self.registrations.len() + self.finding >= self.paths_max => {
                    self.requests.settle(index, Err("InternalError"));
                }
                Some(address) => {
                    self.ask(address, Purpose::Find { line: index }, steps);
                    self.finding += 1;
                    self.requests.wait();
                }
            },
            (false, Some(_)) => {
                self.drop_registration(&path.label, steps);
                self.requests.settle(index, Ok(()));
            }
            (false, None) => match path.address {
                None => self.requests.settle(index, Err("NotFound")),
                Some(address) => {
                    self.ask(address, Purpose::Exists { line: index }, steps);
                    self.requests.wait();
                }
            },
        }
    }

    /// Asks whether a registered path may be read, and keeps its news until that is known.
    fn check(&mut self, label: &Arc<str>, line: Option<usize>, steps: &mut Vec<Step>) {
        let Some(registration) = self.registrations.get(label) else { return };
        let address = registration.address.clone();
        let number = self.ask(address, Purpose::Check { label: Arc::clone(label) }, steps);
        let Some(registration) = self.registrations.get(label) else { return };
        if let State::Checking(checking) = &mut registration.state {
            checking.ask = Some(number);
            checking.again = false;
        } else {
            registration.state = State::Checking(Box::new(Checking::new(number, line)));
        }
    }

    /// A path is free to speak again: first what was kept, then `token` if that told less.
    fn resume(&mut self, label: &Arc<str>, token: Token, steps: &mut Vec<Step>) {
        let Some(registration) = self.registrations.get(label) else { return };
        if let State::Checking(checking) = std::mem::replace(&mut registration.state, State::Active) {
            for notice in checking.into_held() {
                steps.extend(registration.tell(label, &notice));
            }
        }
        if token > registration.told {
            registration.told = token;
            let frame = push::token(label, registration.address.kind(), token);
            steps.push(Step::Say(Outgoing::answer(frame)));
        }
    }

    fn drop_registration(&mut self, label: &str, steps: &mut Vec<Step>) {
        if let Some((registration, true)) = self.registrations.remove(label) {
            steps.push(Step::Unlisten(Topic::Collection(registration.collection)));
        }
    }

    fn found(&mut self, index: usize, found: Result<Readable, Refusal>, steps: &mut Vec<Step>) {
        match found {
            Err(refusal) => self.requests.close(index, Err(reason(&refusal))),
            Ok(readable) => {
                let path = self.requests.line(index).map(|line| line.path.clone());
                let Some(Path { label, address: Some(address) }) = path else { return };
                let registration = Registration {
                    plain: *label == *place::path(&address),
                    address,
                    collection: readable.collection,
                    told: readable.token,
                    state: State::Suspended { retry: false },
                };
                if self.registrations.add(&label, registration) {
                    steps.push(Step::Listen(Topic::Collection(readable.collection)));
                }
                self.check(&label, Some(index), steps);
            }
        }
    }

    fn checked(&mut self, number: u64, label: &Arc<str>, found: Result<Readable, Refusal>, steps: &mut Vec<Step>) {
        let Some(registration) = self.registrations.get(label) else { return };
        let collection = registration.collection;
        let State::Checking(checking) = &mut registration.state else { return };
        // The path may have been given up and registered again meanwhile: only the ask that is out counts.
        if checking.ask != Some(number) {
            return;
        }
        if checking.again {
            return self.check(label, None, steps);
        }
        let line = checking.line;
        match found {
            Ok(readable) if readable.collection != collection => {
                self.follow(label, readable.collection, steps);
            }
            Ok(readable) => match line {
                Some(line) => {
                    checking.ask = None;
                    // The client reads the collection once it has the answer, so older news are none.
                    registration.told = readable.token;
                    self.requests.close(line, Ok(()));
                }
                None => self.resume(label, readable.token, steps),
            },
            Err(refusal) => match line {
                Some(line) => {
                    self.drop_registration(label, steps);
                    self.requests.close(line, Err(reason(&refusal)));
                }
                None => {
                    // A refusal is final until rights change again; trouble of our own is asked about at the next beat.
                    let retry = !matches!(refusal, Refusal::Forbidden | Refusal::NotFound);
                    registration.state = State::Suspended { retry };
                }
            },
        }
    }

    /// Another collection stands at the path now: listens to that one, and looks once more.
    fn follow(&mut self, label: &Arc<str>, collection: CollectionId, steps: &mut Vec<Step>) {
        let Some((mut registration, last)) = self.registrations.remove(label) else { return };
        if last {
            steps.push(Step::Unlisten(Topic::Collection(registration.collection)));
        }
        registration.collection = collection;
        if let State::Checking(checking) = &mut registration.state {
            checking.forget();
        }
        if self.registrations.add(label, registration) {
            steps.push(Step::Listen(Topic::Collection(collection)));
        }
        self.check(label, None, steps);
    }

    fn rights_changed(&mut self, label: &Arc<str>, steps: &mut Vec<Step>) {
        let Some(registration) = self.registrations.get(label) else { return };
        match &mut registration.state {
            State::Active | State::Suspended { .. } => self.check(label, None, steps),
            State::Checking(checking) => {
                checking.forget();
                if checking.ask.is_some() {
                    checking.again = true;
                } else {
                    // Its line was settled, but its request is not yet answered: the line is open again.
                    self.check(label, None, steps);
                    self.requests.wait();
                }
            }
        }
    }
}

impl Dialect for Side {
    fn name(&self) -> &'static str {
        "side"
    }

    fn opened(&mut self, _: DateTime<Utc>, steps: &mut Vec<Step>) {
        steps.push(Step::Listen(Topic::User(self.user.clone())));
        steps.push(Step::Say(Outgoing::answer(push::WELCOME)));
    }

    fn heard(&mut self, frame: Frame<'_>, _: DateTime<Utc>, steps: &mut Vec<Step>) {
        // The real service handles text alone and drops the rest without a word.
        let Frame::Text(text) = frame else { return };
        let answer = match request::read(text) {
            Ok(Request::Nothing) => push::EMPTY,
            Ok(Request::Display(enabled)) => {
                let newly = self.bells.switch(enabled);
                steps.push(Step::Say(Outgoing::answer(push::display(enabled))));
                if newly {
                    self.wonder(Ask::Waiting, Purpose::Waiting, steps);
                }
                return;
            }
            Ok(Request::Features(asked)) => {
                let granted: Vec<&str> =
                    FEATURES.into_iter().filter(|feature| asked.iter().any(|asked| asked == feature)).collect();
                self.progress = granted.contains(&IMPORT_PROGRESS);
                push::features(&granted)
            }
            Err(refused) => push::error(refused.as_str()),
            Ok(Request::Change { register, unregister }) => {
                self.requests.push(register, unregister);
                return self.proceed(steps);
            }
        };
        steps.push(Step::Say(Outgoing::answer(answer)));
    }

    fn answered(&mut self, number: u64, outcome: Outcome, _: DateTime<Utc>, steps: &mut Vec<Step>) {
        let Some(at) = self.asked.iter().position(|(asked, _)| *asked == number) else { return };
        let Some((_, purpose)) = self.asked.remove(at) else { return };
        if self.asked.is_empty() {
            self.asked = VecDeque::new();
        }
        match purpose {
            Purpose::Find { line } => {
                self.finding -= 1;
                self.found(line, resolved(outcome), steps);
            }
            Purpose::Check { label } => self.checked(number, &label, resolved(outcome), steps),
            Purpose::Exists { line } => {
                let verdict = resolved(outcome).map(drop).map_err(|refusal| reason(&refusal));
                self.requests.close(line, verdict);
            }
            Purpose::Waiting => {
                // Where the look-up failed, what waits goes on waiting.
                let waiting = if let Outcome::Waiting(alarms) = outcome { alarms } else { Vec::new() };
                self.catch_up(&waiting, steps);
            }
            Purpose::Told => {}
        }
        self.proceed(steps);
    }

    fn happened(&mut self, notice: &Arc<Notice>, steps: &mut Vec<Step>) {
        match &notice.event {
            Event::Changed { collection, .. } | Event::Imported { collection, .. } => {
                for at in 0..self.registrations.labels(*collection).len() {
                    let label = Arc::clone(&self.registrations.labels(*collection)[at]);
                    let Some(registration) = self.registrations.get(&label) else { continue };
                    match &mut registration.state {
                        State::Active => steps.extend(registration.tell(&label, notice)),
                        State::Checking(checking) => checking.hold(notice),
                        State::Suspended { .. } => {}
                    }
                }
            }
            // Whoever did not ask never sees it, and nobody before their right is known: the end says as much.
            Event::Importing { collection, .. } if self.progress => {
                for at in 0..self.registrations.labels(*collection).len() {
                    let label = Arc::clone(&self.registrations.labels(*collection)[at]);
                    let Some(registration) = self.registrations.get(&label) else { continue };
                    if let State::Active = registration.state {
                        steps.extend(registration.tell(&label, notice));
                    }
                }
            }
            Event::Importing { .. } => {}
            Event::RightsChanged { collection, .. } => {
                for label in self.registrations.labels(*collection).to_vec() {
                    self.rights_changed(&label, steps);
                }
            }
            Event::ListChanged { user, change, address } => {
                if *user != self.user {
                    return;
                }
                // The list is one of calendars: an address book in it would only confuse the browser's code.
                if address.kind() == Kind::Calendar {
                    let frame = notice.frame(Face::Side, || push::list_changed(*change, address));
                    steps.push(Step::Say(Outgoing::news(frame, notice)));
                }
                // Another thing stands there now, or nothing: a mirror that was hidden or shown again, a calendar made anew.
                if *change != ListChange::Updated {
                    for label in self.registrations.at(address) {
                        self.rights_changed(&label, steps);
                    }
                }
            }
            Event::Rang { user, alarm } => {
                if *user == self.user && self.bells.rings(alarm) {
                    let frame = notice.frame(Face::Side, || push::alarm(alarm));
                    notice.tell();
                    steps.push(Step::Say(Outgoing::news(frame, notice)));
                }
            }
            Event::SignedOut { user, .. } => {
                if *user == self.user {
                    steps.push(Step::Close(SIGNED_OUT));
                }
            }
            // This wire tells alarms as they ring, and has no word for the rest.
            Event::Notified { .. } => {}
            // This wire has no word for them.
            Event::Answered { .. }
            | Event::TokenEnded { .. }
            | Event::Published(_)
            | Event::PresenceChanged { .. }
            | Event::MemberChanged { .. }
            | Event::GroupChanged { .. } => {}
        }
    }

    fn woke(&mut self, _: DateTime<Utc>, steps: &mut Vec<Step>) {
        for label in self.registrations.to_retry() {
            self.check(&label, None, steps);
        }
    }

    fn busy(&self) -> bool {
        self.requests.busy()
    }

    fn slow(&self) -> Leave {
        SLOW
    }
}

/// What a look-up came to. The desk answers each ask in its own kind, so nothing else comes.
fn resolved(outcome: Outcome) -> Result<Readable, Refusal> {
    match outcome {
        Outcome::Readable(readable) => Ok(readable),
        Outcome::Refused(refusal) => Err(refusal),
        Outcome::Waiting(_)
        | Outcome::Noted
        | Outcome::SignedIn(_)
        | Outcome::Borne(_)
        | Outcome::Seen(_)
        | Outcome::Channel(_)
        | Outcome::Unread { .. }
        | Outcome::Sighted(_)
        | Outcome::Unseen(_) => Err(Refusal::Fault { id: String::new() }),
    }
}
