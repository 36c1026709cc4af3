//! One client of the CTI messages socket: who it is, whom it hears of, and what was said of them. `session.rs` performs its steps.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::bus::Notice;
use crate::domain::address::UserName;
use crate::domain::event::{Event, Topic};
use crate::domain::refusal::Refusal;
use crate::gateway::cti::conversation::{CONNECTION_LIMIT_EXCEEDED, SERVER_ERROR, SILENT, SLOW, UNAUTHORIZED, trouble};
use crate::gateway::cti_messages::request::{self, Request, Subscribe, User, Wrong};
use crate::gateway::dialect::{Ask, Dialect, Frame, Leave, Outcome, Outgoing, Step};
use crate::gateway::frame;
use crate::service::login::Credentials;

/// How long a client may take to say who it is.
const AUTH_WITHIN: Duration = Duration::from_secs(10);
/// Of a burst only the last count is told, at most once in this time.
const PACE: Duration = Duration::from_millis(100);
/// People whom one socket hears of. One more is an error; the others stay.
const WATCHED_MAX: usize = 100;
/// Requests that wait to be answered: while there are more, nothing is read.
const WAITING_MAX: usize = 8;

/// Tokens that wait to be looked at; likewise.
const TOKENS_MAX: usize = 4;

const AUTH: u8 = 0;
const BURST: u8 = 1;

pub struct CtiMessages {
    user: Option<UserName>,
    peer: IpAddr,
    /// Whom it hears of, each under the names and the request that asked for them.
    watched: BTreeMap<UserName, Vec<Label>>,
    /// What was not told yet, because the last was told just now: the count, and whether it is their first.
    held: BTreeMap<UserName, (u64, bool)>,
    resting: bool,
    asking: Option<Asking>,
    next_ask: u64,
    waiting: VecDeque<(User, Option<String>)>,
    /// Tokens that are still to be looked at, each with whom its client wants to hear of.
    tokens: VecDeque<(String, Option<Subscribe>)>,
    left: bool,
    /// How long it may say nothing.
    silence: Option<Duration>,
}

/// How a client calls somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Label {
    text: String,
    request_id: Option<String>,
}

enum Asking {
    SignIn(Option<Subscribe>),
    /// Who that is, and whether this client may hear of them.
    Who(User, Option<String>),
    /// How much of them is unread, now that they are listened to: what happens meanwhile is newer than the answer.
    Unread {
        label: Label,
        whose: UserName,
        meanwhile: Option<u64>,
    },
}

impl CtiMessages {
    /// `user` is who the HTTP request proved it to be.
    pub fn new(user: Option<UserName>, peer: IpAddr, silence: Option<Duration>) -> CtiMessages {
        CtiMessages {
            user,
            peer,
            watched: BTreeMap::new(),
            held: BTreeMap::new(),
            resting: false,
            asking: None,
            next_ask: 0,
            waiting: VecDeque::new(),
            tokens: VecDeque::new(),
            left: false,
            silence,
        }
    }

    fn ask(&mut self, ask: Ask, about: Asking, steps: &mut Vec<Step>) {
        self.next_ask += 1;
        self.asking = Some(about);
        steps.push(Step::Ask { number: self.next_ask, ask });
    }

    /// Looks up the next of those asked for, one after another.
    fn go_on(&mut self, steps: &mut Vec<Step>) {
        if self.asking.is_some() || self.left {
            return;
        }
        if let Some((token, then)) = self.tokens.pop_front() {
            let ask = Ask::SignIn(Credentials::Bearer(token), self.peer);
            return self.ask(ask, Asking::SignIn(then), steps);
        }
        let Some((user, request_id)) = self.waiting.pop_front() else { return };
        self.ask(question(&user), Asking::Who(user, request_id), steps);
    }

    fn subscribe(&mut self, asked: Subscribe, steps: &mut Vec<Step>) {
        let Subscribe { request_id, users } = asked;
        self.waiting.extend(users.into_iter().map(|user| (user, request_id.clone())));
        self.go_on(steps);
    }

    /// Ends the socket, with a word before.
    fn leave(&mut self, why: &str, request_id: Option<&str>, leave: Leave, steps: &mut Vec<Step>) {
        steps.push(say(&error(why, request_id)));
        steps.push(Step::Close(leave));
        self.left = true;
    }

    fn welcome(&mut self, then: Option<Subscribe>, steps: &mut Vec<Step>) {
        steps.push(say(&json!({ "type": "tick", "message": "welcome" })));
        if let Some(then) = then {
            self.subscribe(then, steps);
        }
    }

    fn signed_in(&mut self, outcome: Outcome, then: Option<Subscribe>, steps: &mut Vec<Step>) {
        match outcome {
            Outcome::SignedIn(user) if self.user.as_ref().is_some_and(|known| *known != user) => {
                self.leave("this socket is somebody else's", None, UNAUTHORIZED, steps);
            }
            Outcome::SignedIn(user) => {
                if self.user.is_none() {
                    steps.push(Step::Listen(Topic::User(user.clone())));
                }
                self.user = Some(user);
                self.welcome(then, steps);
            }
            // Whoever was let in by something else need not bring a token that is good; what they came with counts until its own end.
            Outcome::Refused(_) if self.user.is_some() => self.welcome(then, steps),
            Outcome::Refused(refusal) => {
                let leave = trouble(&refusal);
                self.leave(why(leave), None, leave, steps);
            }
            _ => self.leave("internal error", None, SERVER_ERROR, steps),
        }
    }

    /// Listens to somebody who may be heard of, and looks once more, so that nothing falls between.
    fn found(&mut self, outcome: Outcome, user: &User, request_id: Option<String>, steps: &mut Vec<Step>) {
        match outcome {
            Outcome::Unread { user: whose, .. } => {
                if !self.watched.contains_key(&whose) && self.watched.len() >= WATCHED_MAX {
                    return steps.push(say(&error("too many users on one connection", request_id.as_deref())));
                }
                if self.user.as_ref() != Some(&whose) && !self.watched.contains_key(&whose) {
                    steps.push(Step::Listen(Topic::User(whose.clone())));
                }
                self.watched.entry(whose.clone()).or_default();
                let label = Label { text: user.label.clone(), request_id };
                self.ask(question(user), Asking::Unread { label, whose, meanwhile: None }, steps);
            }
            Outcome::Refused(Refusal::NotFound | Refusal::Forbidden) => {
                let why = format!("not to be heard of: {}", user.label);
                steps.push(say(&error(&why, request_id.as_deref())));
            }
            _ => steps.push(say(&error("internal error", request_id.as_deref()))),
        }
    }

    /// Answers a subscription with the count.
    fn counted(&mut self, outcome: &Outcome, label: Label, whose: UserName, steps: &mut Vec<Step>) {
        let Outcome::Unread { unread, .. } = outcome else {
            return steps.push(say(&error("internal error", label.request_id.as_deref())));
        };
        // What was held back is older than that.
        self.held.remove(&whose);
        steps.push(say(&statistics("MODIFY", *unread, &label)));
        let labels = self.watched.entry(whose).or_default();
        labels.retain(|other| other.text != label.text);
        labels.push(label);
    }

    fn tell(&self, user: &UserName, unread: u64, first: bool, notice: Option<&Notice>, steps: &mut Vec<Step>) {
        let operation = if first { "INSERT" } else { "MODIFY" };
        for label in self.watched.get(user).into_iter().flatten() {
            let frame = framed(&statistics(operation, unread, label));
            steps.push(Step::Say(Outgoing::shared(frame, Bytes::new(), notice)));
        }
    }
}

fn question(user: &User) -> Ask {
    Ask::Unread { organisation: user.organisation.clone(), user: user.user.clone() }
}

fn framed(message: &Value) -> Bytes {
    frame::text(&message.to_string())
}

fn say(message: &Value) -> Step {
    Step::Say(Outgoing::answer(framed(message)))
}

fn error(why: &str, request_id: Option<&str>) -> Value {
    let mut message = json!({ "type": "error", "message": why });
    if let Some(id) = request_id {
        message["clientRequestId"] = json!(id);
    }
    message
}

/// The public form, and beside it whose count it is and which request asked for it.
fn statistics(operation: &str, unread: u64, label: &Label) -> Value {
    let statistics = json!({ "unreadMessages": unread, "user": label.text });
    let mut message = json!({ "operation": operation, "data": { "userStatistics": statistics } });
    if let Some(id) = &label.request_id {
        message["clientRequestId"] = json!(id);
    }
    message
}

/// A word for a close of the family.
fn why(leave: Leave) -> &'static str {
    match leave {
        UNAUTHORIZED => "unauthorized",
        CONNECTION_LIMIT_EXCEEDED => "too many connections",
        _ => "internal error",
    }
}

impl Dialect for CtiMessages {
    fn name(&self) -> &'static str {
        "cti_messages"
    }

    fn opened(&mut self, _: DateTime<Utc>, steps: &mut Vec<Step>) {
        match &self.user {
            Some(user) => steps.push(Step::Listen(Topic::User(user.clone()))),
            None => steps.push(Step::Rest { timer: AUTH, after: AUTH_WITHIN }),
        }
    }

    fn heard(&mut self, frame: Frame<'_>, _: DateTime<Utc>, steps: &mut Vec<Step>) {
        if self.left {
            return;
        }
        let Frame::Text(text) = frame else { return steps.push(say(&error("the message is binary", None))) };
        match request::read(text) {
            Err(Wrong { why, request_id }) => steps.push(say(&error(why, request_id.as_deref()))),
            Ok(Request::Ping) => steps.push(say(&json!({ "type": "pong" }))),
            Ok(Request::Nothing) => {}
            Ok(Request::Auth { token, then }) => {
                if matches!(self.asking, Some(Asking::SignIn(_))) {
                    return steps.push(say(&error("already asked", None)));
                }
                // A fresh token takes the place of one that is about to end; it waits while somebody is looked up.
                self.tokens.push_back((token, then));
                self.go_on(steps);
            }
            Ok(Request::Subscribe(asked)) => match (&self.user, &mut self.asking) {
                (Some(_), _) => self.subscribe(asked, steps),
                // Said right behind the token.
                (None, Some(Asking::SignIn(then @ None))) => *then = Some(asked),
                (None, _) => self.leave("unauthorized", asked.request_id.as_deref(), UNAUTHORIZED, steps),
            },
        }
    }

    fn answered(&mut self, number: u64, outcome: Outcome, _: DateTime<Utc>, steps: &mut Vec<Step>) {
        if number != self.next_ask || self.left {
            return;
        }
        match self.asking.take() {
            Some(Asking::SignIn(then)) => self.signed_in(outcome, then, steps),
            Some(Asking::Who(user, request_id)) => self.found(outcome, &user, request_id, steps),
            Some(Asking::Unread { label, whose, meanwhile }) => {
                let outcome = match meanwhile {
                    Some(unread) => Outcome::Unread { user: whose.clone(), unread },
                    None => outcome,
                };
                self.counted(&outcome, label, whose, steps);
            }
            None => {}
        }
        self.go_on(steps);
    }

    fn happened(&mut self, notice: &Arc<Notice>, steps: &mut Vec<Step>) {
        if self.left {
            return;
        }
        match &notice.event {
            Event::Notified { user, news } if self.watched.contains_key(user) => {
                if let Some(Asking::Unread { whose, meanwhile, .. }) = &mut self.asking
                    && whose == user
                {
                    *meanwhile = Some(news.total);
                }
                if self.resting {
                    let held = self.held.entry(user.clone()).or_default();
                    *held = (news.total, held.1 || news.first);
                } else {
                    self.tell(user, news.total, news.first, Some(notice), steps);
                    self.resting = true;
                    steps.push(Step::Rest { timer: BURST, after: PACE });
                }
            }
            Event::SignedOut { user, .. } if self.user.as_ref() == Some(user) => {
                self.leave("unauthorized", None, UNAUTHORIZED, steps);
            }
            _ => {}
        }
    }

    fn woke(&mut self, _: DateTime<Utc>, _: &mut Vec<Step>) {}

    fn rested(&mut self, timer: u8, _: DateTime<Utc>, steps: &mut Vec<Step>) {
        match timer {
            AUTH if self.user.is_none() && self.asking.is_none() => {
                self.leave("unauthorized", None, UNAUTHORIZED, steps);
            }
            BURST => {
                self.resting = !self.held.is_empty();
                for (user, (unread, first)) in std::mem::take(&mut self.held) {
                    self.tell(&user, unread, first, None, steps);
                }
                if self.resting {
                    steps.push(Step::Rest { timer: BURST, after: PACE });
                }
            }
            _ => {}
        }
    }

    fn busy(&self) -> bool {
        matches!(self.asking, Some(Asking::SignIn(_)))
            || self.waiting.len() > WAITING_MAX
            || self.tokens.len() > TOKENS_MAX
    }

    fn slow(&self) -> Leave {
        SLOW
    }

    fn expired(&mut self, steps: &mut Vec<Step>) {
        if !self.left {
            self.leave("the accessToken has ended", None, UNAUTHORIZED, steps);
        }
    }

    fn silence(&self) -> Option<(Duration, Leave)> {
        self.silence.map(|after| (after, SILENT))
    }
}
