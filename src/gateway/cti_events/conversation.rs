//! One client's conversation on the CTI events socket: it signs in, watches people and groups, hears ticks and presence. Pure; `session.rs`
//! performs its steps.
//!
//! Requests are worked on one after another. Each listens before it asks how things stand, and what is told meanwhile waits behind the
//! answer.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::bus::{Face, Notice};
use crate::domain::address::UserName;
use crate::domain::event::{Event, GroupChange, Topic};
use crate::domain::organisation::Id;
use crate::domain::refusal::Refusal;
use crate::gateway::cti::conversation::{HELD_MAX, SILENT, SLOW, UNAUTHORIZED};
use crate::gateway::cti::push::PONG;
use crate::gateway::cti_events::push;
use crate::gateway::cti_events::request::{self, Request, Wrong};
use crate::gateway::dialect::{Ask, Dialect, Frame, Leave, Outcome, Outgoing, Step};
use crate::gateway::sight::{Seen, Sight, Target, Unseen};
use crate::service::login::Credentials;

/// How often a socket hears that the service is there.
pub const TICK: Duration = Duration::from_secs(30);
/// A socket that nobody has signed in on closes after so long.
pub const SIGN_IN: Duration = Duration::from_secs(30);
/// Requests that wait for an answer of the desk; with more nothing is read until they are worked on.
const REQUESTS_MAX: usize = 16;

/// The one timer: until somebody signed in, the end of patience; afterwards the next tick.
const TIMER: u8 = 0;

#[derive(Debug)]
pub struct CtiEvents {
    from: IpAddr,
    subscriptions_max: usize,
    viewer: Option<UserName>,
    requests: VecDeque<Request>,
    /// What the desk is asked now.
    asking: Option<Asking>,
    subscriptions: Vec<Subscription>,
    next_ask: u64,
    /// The commit that was told last: its news of one person may come over a group as well.
    told: Option<u64>,
    /// How long it may say nothing.
    silence: Option<Duration>,
}

#[derive(Debug)]
enum Asking {
    SignIn,
    /// What stands behind a name; then it is listened to and looked at once more.
    Find(Sight),
    Look {
        sight: Sight,
        topic: Topic,
        held: Vec<Arc<Notice>>,
        again: bool,
    },
    /// A group that is watched already became another one.
    Refresh {
        sight: Sight,
        topic: Topic,
        held: Vec<Arc<Notice>>,
        again: bool,
    },
}

#[derive(Debug)]
struct Subscription {
    sight: Sight,
    topic: Topic,
    organisation: Id,
    /// All up to this stamp was told.
    stamp: u64,
    /// Its group changed: it is looked at when its turn comes.
    stale: bool,
}

impl CtiEvents {
    pub fn new(from: IpAddr, subscriptions_max: usize, silence: Option<Duration>) -> CtiEvents {
        CtiEvents {
            from,
            subscriptions_max,
            viewer: None,
            requests: VecDeque::new(),
            asking: None,
            subscriptions: Vec::new(),
            next_ask: 0,
            told: None,
            silence,
        }
    }

    fn ask(&mut self, ask: Ask, asking: Asking, steps: &mut Vec<Step>) {
        let number = self.next_ask;
        self.next_ask += 1;
        self.asking = Some(asking);
        steps.push(Step::Ask { number, ask });
    }

    /// Works on requests until one has to wait for the desk.
    fn proceed(&mut self, steps: &mut Vec<Step>) {
        while self.asking.is_none() {
            if let Some(stale) = self.subscriptions.iter_mut().find(|one| one.stale) {
                stale.stale = false;
                let (sight, topic) = (stale.sight.clone(), stale.topic.clone());
                let ask = Ask::Look(sight.clone());
                self.ask(ask, Asking::Refresh { sight, topic, held: Vec::new(), again: false }, steps);
                return;
            }
            let Some(request) = self.requests.pop_front() else { return };
            match request {
                Request::Start | Request::Ping => {}
                Request::Auth { token } => {
                    let ask = Ask::SignIn(Credentials::Bearer(token), self.from);
                    self.ask(ask, Asking::SignIn, steps);
                }
                Request::Watch(_) | Request::Unwatch(_) if self.viewer.is_none() => {
                    return self.refuse("sign in first", steps);
                }
                Request::Watch(sight) => {
                    if self.subscriptions.len() >= self.subscriptions_max {
                        steps.push(say(push::error("too many subscriptions on one socket")));
                        continue;
                    }
                    self.ask(Ask::Look(sight.clone()), Asking::Find(sight), steps);
                }
                Request::Unwatch(sight) => self.unwatch(&sight, steps),
            }
        }
    }

    fn unwatch(&mut self, sight: &Sight, steps: &mut Vec<Step>) {
        let Some(at) = self.subscriptions.iter().position(|one| one.sight == *sight) else { return };
        let topic = self.subscriptions.swap_remove(at).topic;
        if !self.listens(&topic) {
            steps.push(Step::Unlisten(topic));
        }
    }

    fn listens(&self, topic: &Topic) -> bool {
        self.subscriptions.iter().any(|one| one.topic == *topic)
    }

    /// Says why, and ends the socket: only where somebody cannot sign in.
    fn refuse(&mut self, why: &str, steps: &mut Vec<Step>) {
        steps.push(say(push::error(why)));
        steps.push(Step::Close(UNAUTHORIZED));
    }

    fn seen(&mut self, seen: &Seen, steps: &mut Vec<Step>) {
        let topic = seen.topic();
        match self.asking.take() {
            Some(Asking::Find(sight)) => {
                if !self.listens(&topic) {
                    steps.push(Step::Listen(topic.clone()));
                }
                let ask = Ask::Look(sight.clone());
                return self.ask(ask, Asking::Look { sight, topic, held: Vec::new(), again: false }, steps);
            }
            Some(Asking::Look { sight, topic: listened, .. }) if listened != topic => {
                // Somebody else has this name now: from the start.
                if !self.listens(&listened) {
                    steps.push(Step::Unlisten(listened));
                }
                return self.ask(Ask::Look(sight.clone()), Asking::Find(sight), steps);
            }
            Some(Asking::Look { sight, topic, held, again } | Asking::Refresh { sight, topic, held, again }) => {
                steps.push(say(answer(seen)));
                let (organisation, stamp) = (seen.organisation().clone(), seen.stamp());
                let subscription = Subscription { sight, topic, organisation, stamp, stale: again };
                // Subscribing twice is subscribing once, and hearing how things stand.
                match self.subscriptions.iter_mut().find(|one| one.sight == subscription.sight) {
                    Some(known) => *known = subscription,
                    None => self.subscriptions.push(subscription),
                }
                for notice in held {
                    self.tell(&notice, steps);
                }
            }
            other => self.asking = other,
        }
        self.proceed(steps);
    }

    fn unseen(&mut self, unseen: &Unseen, steps: &mut Vec<Step>) {
        let (sight, topic) = match self.asking.take() {
            Some(Asking::Find(sight)) => (sight, None),
            Some(Asking::Look { sight, topic, .. } | Asking::Refresh { sight, topic, .. }) => (sight, Some(topic)),
            other => {
                self.asking = other;
                return;
            }
        };
        self.subscriptions.retain(|one| one.sight != sight);
        if let Some(topic) = topic.filter(|topic| !self.listens(topic)) {
            steps.push(Step::Unlisten(topic));
        }
        steps.push(say(push::error(&why(unseen, &sight))));
        self.proceed(steps);
    }

    /// Tells news of what is watched, or holds them until the answer is out.
    fn tell(&mut self, notice: &Arc<Notice>, steps: &mut Vec<Step>) {
        let topics: Vec<Topic> = notice.event.topics();
        if let Some(Asking::Look { topic, held, again, .. } | Asking::Refresh { topic, held, again, .. }) =
            &mut self.asking
            && topics.contains(topic)
        {
            if held.len() < HELD_MAX {
                held.push(Arc::clone(notice));
            } else {
                *again = true;
            }
            return;
        }
        let watches = |one: &&mut Subscription| topics.contains(&one.topic) && one.stamp < notice.stamp;
        let Some(subscription) = self.subscriptions.iter_mut().find(watches) else { return };
        match &notice.event {
            Event::PresenceChanged { news } | Event::MemberChanged { news, .. } => {
                if news.member.organisation != subscription.organisation {
                    // Moved into another organisation: no longer this socket's concern.
                    return;
                }
                // One change of one person is one commit: who is watched alone and in a group is told once.
                if self.told.replace(notice.stamp) != Some(notice.stamp) {
                    let frame = notice.frame(Face::CtiEvents, || push::response([&**news]));
                    steps.push(Step::Say(Outgoing::news(frame, notice)));
                }
            }
            Event::GroupChanged { what: GroupChange::Itself, .. } => subscription.stale = true,
            // This wire has no word for queues.
            Event::GroupChanged { what: GroupChange::Queue, .. } => {}
            Event::Changed { .. }
            | Event::RightsChanged { .. }
            | Event::ListChanged { .. }
            | Event::Imported { .. }
            | Event::Importing { .. }
            | Event::Rang { .. }
            | Event::SignedOut { .. }
            | Event::Answered { .. }
            | Event::TokenEnded { .. }
            | Event::Notified { .. }
            | Event::Published(_) => {}
        }
    }

    fn signed_in(&mut self, user: UserName, steps: &mut Vec<Step>) {
        match &self.viewer {
            Some(before) if *before != user => return self.refuse("this socket is somebody else's", steps),
            Some(_) => {}
            None => steps.push(Step::Listen(Topic::User(user.clone()))),
        }
        self.viewer = Some(user);
        steps.push(say(push::welcome()));
        steps.push(Step::Rest { timer: TIMER, after: TICK });
        self.proceed(steps);
    }
}

fn say(frame: Bytes) -> Step {
    Step::Say(Outgoing::answer(frame))
}

fn answer(seen: &Seen) -> Bytes {
    match seen {
        Seen::Person(portrait) => push::response([&portrait.news]),
        Seen::Group(portrait) => push::response(&portrait.members),
    }
}

fn why(unseen: &Unseen, sight: &Sight) -> String {
    let (kind, number) = match &sight.target {
        Target::Person(number) => ("user", number),
        Target::Group(number) => ("group", number),
    };
    let organisation = &sight.organisation;
    match unseen {
        Unseen::Organisation => format!("no organisation {organisation}"),
        Unseen::Target => format!("no {kind} {number} in organisation {organisation}"),
        Unseen::Denied => format!("{kind} {number} of organisation {organisation} is not for you"),
        Unseen::Trouble(Refusal::Busy { .. } | Refusal::TooOften { .. }) => "busy: try again".to_owned(),
        Unseen::Trouble(_) => "internal error".to_owned(),
    }
}

impl Dialect for CtiEvents {
    fn name(&self) -> &'static str {
        "cti_events"
    }

    fn opened(&mut self, _: DateTime<Utc>, steps: &mut Vec<Step>) {
        steps.push(Step::Rest { timer: TIMER, after: SIGN_IN });
    }

    fn heard(&mut self, frame: Frame<'_>, _: DateTime<Utc>, steps: &mut Vec<Step>) {
        let Frame::Text(text) = frame else {
            return steps.push(say(push::error("messages are text")));
        };
        match request::read(text) {
            // A ping waits for nobody.
            Ok(Request::Ping) => steps.push(say(PONG)),
            Ok(request) => {
                self.requests.push_back(request);
                self.proceed(steps);
            }
            Err(Wrong::Frame(why)) => steps.push(say(push::error(&why))),
            Err(Wrong::Auth(why)) => self.refuse(&why, steps),
        }
    }

    fn answered(&mut self, _: u64, outcome: Outcome, _: DateTime<Utc>, steps: &mut Vec<Step>) {
        match outcome {
            Outcome::SignedIn(user) => {
                self.asking = None;
                self.signed_in(user, steps);
            }
            Outcome::Sighted(seen) => self.seen(&seen, steps),
            Outcome::Unseen(unseen) => self.unseen(&unseen, steps),
            Outcome::Refused(refusal) => {
                let why = match refusal {
                    Refusal::Busy { .. } | Refusal::TooOften { .. } => "too many sockets of one user",
                    _ => "the accessToken is not valid",
                };
                self.refuse(why, steps);
            }
            Outcome::Readable(_)
            | Outcome::Waiting(_)
            | Outcome::Noted
            | Outcome::Borne(_)
            | Outcome::Seen(_)
            | Outcome::Channel(_)
            | Outcome::Unread { .. } => {}
        }
    }

    fn happened(&mut self, notice: &Arc<Notice>, steps: &mut Vec<Step>) {
        if let Event::SignedOut { user, .. } = &notice.event {
            if Some(user) == self.viewer.as_ref() {
                self.refuse("signed out", steps);
            }
            return;
        }
        self.tell(notice, steps);
        self.proceed(steps);
    }

    fn woke(&mut self, _: DateTime<Utc>, _: &mut Vec<Step>) {}

    fn rested(&mut self, _: u8, _: DateTime<Utc>, steps: &mut Vec<Step>) {
        if self.viewer.is_none() {
            return self.refuse("nobody signed in", steps);
        }
        steps.push(say(push::tick()));
        steps.push(Step::Rest { timer: TIMER, after: TICK });
    }

    fn busy(&self) -> bool {
        self.requests.len() >= REQUESTS_MAX
    }

    fn slow(&self) -> Leave {
        SLOW
    }

    fn expired(&mut self, steps: &mut Vec<Step>) {
        self.refuse("the accessToken has ended", steps);
    }

    fn silence(&self) -> Option<(Duration, Leave)> {
        self.silence.map(|after| (after, SILENT))
    }
}
