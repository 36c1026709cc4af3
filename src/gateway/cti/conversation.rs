//! One CTI client's conversation about one person or one group: who it is, what it watches, what it is told. Pure; `session.rs` performs
//! its steps.
//!
//! The snapshot comes first: the socket listens, then asks how things stand; what is told meanwhile waits, and goes out behind the snapshot
//! where it is not in it.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::bus::{Face, Notice};
use crate::domain::address::UserName;
use crate::domain::event::{Event, Topic};
use crate::domain::organisation::Id;
use crate::domain::refusal::Refusal;
use crate::gateway::cti::push;
use crate::gateway::cti::request::{self, Request};
use crate::gateway::dialect::{Ask, Dialect, Frame, Leave, Outcome, Outgoing, Step};
use crate::gateway::sight::{Seen, Sight, Target, Unseen};
use crate::service::login::Credentials;

pub const INVALID_ORG_ID: Leave = Leave { code: 4001, reason: "INVALID_ORG_ID" };
pub const INVALID_USER_ID: Leave = Leave { code: 4002, reason: "INVALID_USER_ID" };
pub const UNAUTHORIZED: Leave = Leave { code: 4003, reason: "UNAUTHORIZED" };
pub const SUBSCRIPTION_FAILED: Leave = Leave { code: 4004, reason: "SUBSCRIPTION_FAILED" };
pub const INVALID_GROUP_ID: Leave = Leave { code: 4005, reason: "INVALID_GROUP_ID" };
pub const GROUP_ACCESS_DENIED: Leave = Leave { code: 4006, reason: "GROUP_ACCESS_DENIED" };
pub const CONNECTION_LIMIT_EXCEEDED: Leave = Leave { code: 4008, reason: "CONNECTION_LIMIT_EXCEEDED" };
pub const SERVER_ERROR: Leave = Leave { code: 1011, reason: "SERVER_ERROR" };
/// Nothing came from the client for so long that it is taken for gone.
pub const SILENT: Leave = Leave { code: 1001, reason: "SILENT" };
/// The client does not read fast enough; it connects again and gets a snapshot.
pub const SLOW: Leave = Leave { code: 1013, reason: "too slow: connect again" };

/// Requests that wait for an answer of the desk; with more nothing is read until they are worked on.
const REQUESTS_MAX: usize = 8;
/// News that wait for a snapshot; with more another snapshot is asked for instead of them.
pub const HELD_MAX: usize = 256;

/// What the head of the request said of who sends it.
#[derive(Clone, Debug)]
pub enum Proof {
    Credentials(Credentials, IpAddr),
    /// It was looked at already, and refused.
    Refused(Refusal),
}

#[derive(Debug)]
pub struct Cti {
    proof: Option<Proof>,
    sight: Sight,
    viewer: Option<UserName>,
    /// What the socket is about, once it was seen.
    about: Option<About>,
    requests: VecDeque<Request>,
    watch: Watch,
    next_ask: u64,
    /// How long it may say nothing.
    silence: Option<Duration>,
}

/// The names that a frame may use, and where changes are told.
#[derive(Debug)]
struct About {
    organisation: (Id, u64),
    target: (Id, u64),
    topic: Topic,
}

#[derive(Debug)]
enum Watch {
    /// Nothing flows.
    Quiet,
    /// A snapshot was asked for under this number; `why` is the news that it answers, which counts as told when the snapshot is written.
    Asking { number: u64, held: Vec<Arc<Notice>>, again: bool, why: Option<Arc<Notice>> },
    /// All up to this stamp was told.
    Told(u64),
}

impl Cti {
    pub fn new(proof: Proof, sight: Sight, silence: Option<Duration>) -> Cti {
        Cti {
            proof: Some(proof),
            sight,
            viewer: None,
            about: None,
            requests: VecDeque::new(),
            watch: Watch::Quiet,
            next_ask: 0,
            silence,
        }
    }

    fn ask(&mut self, ask: Ask, steps: &mut Vec<Step>) -> u64 {
        let number = self.next_ask;
        self.next_ask += 1;
        steps.push(Step::Ask { number, ask });
        number
    }

    fn look(&mut self, held: Vec<Arc<Notice>>, why: Option<Arc<Notice>>, steps: &mut Vec<Step>) {
        let number = self.ask(Ask::Look(self.sight.clone()), steps);
        self.watch = Watch::Asking { number, held, again: false, why };
    }

    fn is_group(&self) -> bool {
        matches!(self.sight.target, Target::Group(_))
    }

    /// Works on requests until one has to wait for the desk.
    fn proceed(&mut self, steps: &mut Vec<Step>) {
        while !matches!(self.watch, Watch::Asking { .. })
            && let Some(about) = &self.about
            && let Some(request) = self.requests.pop_front()
        {
            let topic = about.topic.clone();
            match request {
                Request::Ping => {}
                Request::Subscribe { organisation, target } | Request::Unsubscribe { organisation, target }
                    if !about.is_named(&organisation, &target, &self.sight) =>
                {
                    return steps.push(Step::Close(SUBSCRIPTION_FAILED));
                }
                Request::Subscribe { .. } => {
                    if matches!(self.watch, Watch::Quiet) {
                        steps.push(Step::Listen(topic));
                    }
                    self.look(Vec::new(), None, steps);
                }
                Request::Unsubscribe { .. } => {
                    if matches!(self.watch, Watch::Told(_)) {
                        steps.push(Step::Unlisten(topic));
                    }
                    self.watch = Watch::Quiet;
                }
            }
        }
    }

    /// The answer to a look: the first one says that all is well, the others are snapshots.
    fn seen(&mut self, number: u64, seen: &Seen, steps: &mut Vec<Step>) {
        let Some(about) = &self.about else {
            self.about = Some(About::of(seen));
            return self.proceed(steps);
        };
        let Watch::Asking { number: asked, held, again, why } = &mut self.watch else { return };
        if *asked != number {
            return;
        }
        if about.topic != seen.topic() {
            // Somebody else has this id now.
            return steps.push(Step::Close(self.gone()));
        }
        let (held, again, why) = (std::mem::take(held), *again, why.take());
        let frame = match (seen, &self.viewer) {
            (Seen::Person(portrait), Some(viewer)) => {
                push::person(&portrait.news, portrait.news.shown.text_for(viewer))
            }
            (Seen::Person(portrait), None) => push::person(&portrait.news, portrait.news.shown.message.as_deref()),
            (Seen::Group(portrait), _) => push::group(portrait),
        };
        steps.push(Step::Say(match &why {
            Some(notice) => Outgoing::news(frame, notice),
            None => Outgoing::answer(frame),
        }));
        self.watch = Watch::Told(seen.stamp());
        if again {
            self.look(Vec::new(), None, steps);
        }
        for notice in held {
            self.tell(&notice, steps);
        }
        self.proceed(steps);
    }

    fn unseen(&self, unseen: &Unseen) -> Leave {
        match unseen {
            Unseen::Organisation => INVALID_ORG_ID,
            Unseen::Target => self.gone(),
            Unseen::Denied if self.is_group() => GROUP_ACCESS_DENIED,
            Unseen::Denied => UNAUTHORIZED,
            Unseen::Trouble(refusal) => trouble(refusal),
        }
    }

    fn gone(&self) -> Leave {
        if self.is_group() { INVALID_GROUP_ID } else { INVALID_USER_ID }
    }

    /// Tells news of what is watched, or holds them until the snapshot is out.
    fn tell(&mut self, notice: &Arc<Notice>, steps: &mut Vec<Step>) {
        let Some(about) = &self.about else { return };
        match &mut self.watch {
            Watch::Quiet => return,
            Watch::Asking { held, again, .. } => {
                if held.len() < HELD_MAX {
                    held.push(Arc::clone(notice));
                } else {
                    // The next snapshot has all of it.
                    *again = true;
                }
                return;
            }
            Watch::Told(stamp) if notice.stamp <= *stamp => return,
            Watch::Told(_) => {}
        }
        match &notice.event {
            Event::PresenceChanged { news } => {
                if (&news.member.organisation, &news.member.id) != (&about.organisation.0, &about.target.0) {
                    // Moved into another organisation, or under another id.
                    return steps.push(Step::Close(INVALID_USER_ID));
                }
                let title = self.viewer.as_ref().and_then(|viewer| {
                    news.shown.title.as_ref().filter(|title| news.shown.message.is_none() && title.is_for(viewer))
                });
                let frame = match title {
                    Some(title) => notice.frame(Face::CtiTitled, || push::person(news, Some(&title.text))),
                    None => notice.frame(Face::Cti, || push::person(news, news.shown.message.as_deref())),
                };
                steps.push(Step::Say(Outgoing::news(frame, notice)));
            }
            Event::MemberChanged { group, summary, news } => {
                // A member's call is no part of this message: where the status stayed there is nothing to say.
                if news.before != news.shown.status {
                    let frame = notice.frame(Face::Cti, || push::member_changed(group, summary, news));
                    steps.push(Step::Say(Outgoing::news(frame, notice)));
                }
            }
            Event::GroupChanged { .. } => self.look(Vec::new(), Some(Arc::clone(notice)), steps),
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
}

impl About {
    fn of(seen: &Seen) -> About {
        let topic = seen.topic();
        match seen {
            Seen::Person(portrait) => {
                let member = &portrait.news.member;
                About {
                    organisation: (member.organisation.clone(), member.organisation_number),
                    target: (member.id.clone(), member.number),
                    topic,
                }
            }
            Seen::Group(portrait) => About {
                organisation: (portrait.face.organisation.clone(), portrait.organisation_number),
                target: (portrait.face.id.clone(), portrait.face.number),
                topic,
            },
        }
    }

    /// Whether a frame means what the socket's path means, in either spelling.
    fn is_named(&self, organisation: &str, target: &str, sight: &Sight) -> bool {
        let (Target::Person(path) | Target::Group(path)) = &sight.target;
        let is = |(id, number): &(Id, u64), text: &str| id.as_str() == text || number.to_string() == text;
        (is(&self.organisation, organisation) || sight.organisation == organisation)
            && (is(&self.target, target) || path == target)
    }
}

/// How this dialect says why a request could not be served.
pub fn trouble(refusal: &Refusal) -> Leave {
    match refusal {
        Refusal::Unauthenticated | Refusal::Expired | Refusal::Forbidden => UNAUTHORIZED,
        Refusal::Busy { .. } | Refusal::TooOften { .. } => CONNECTION_LIMIT_EXCEEDED,
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
        | Refusal::Fault { .. } => SERVER_ERROR,
    }
}

impl Dialect for Cti {
    fn name(&self) -> &'static str {
        "cti"
    }

    fn opened(&mut self, _: DateTime<Utc>, steps: &mut Vec<Step>) {
        match self.proof.take() {
            Some(Proof::Credentials(credentials, from)) => {
                self.ask(Ask::SignIn(credentials, from), steps);
            }
            Some(Proof::Refused(refusal)) => steps.push(Step::Close(trouble(&refusal))),
            None => {}
        }
    }

    fn heard(&mut self, frame: Frame<'_>, _: DateTime<Utc>, steps: &mut Vec<Step>) {
        let key = if self.is_group() { "groupId" } else { "userId" };
        let request = match frame {
            Frame::Text(text) => request::read(text, key),
            Frame::Binary(_) => None,
        };
        match request {
            // Whoever it is: a ping tells nothing.
            Some(Request::Ping) => steps.push(Step::Say(Outgoing::answer(push::PONG))),
            Some(request) => {
                self.requests.push_back(request);
                self.proceed(steps);
            }
            None => steps.push(Step::Close(SUBSCRIPTION_FAILED)),
        }
    }

    fn answered(&mut self, number: u64, outcome: Outcome, _: DateTime<Utc>, steps: &mut Vec<Step>) {
        match outcome {
            Outcome::SignedIn(user) => {
                steps.push(Step::Listen(Topic::User(user.clone())));
                self.viewer = Some(user);
                // Who is let in learns at once whether there is anything to see.
                self.ask(Ask::Look(self.sight.clone()), steps);
            }
            Outcome::Sighted(seen) => self.seen(number, &seen, steps),
            Outcome::Unseen(unseen) => steps.push(Step::Close(self.unseen(&unseen))),
            Outcome::Refused(refusal) => steps.push(Step::Close(trouble(&refusal))),
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
                steps.push(Step::Close(UNAUTHORIZED));
            }
            return;
        }
        // What else is told to the person whose socket this is does not concern it.
        let watched = matches!(
            notice.event,
            Event::PresenceChanged { .. } | Event::MemberChanged { .. } | Event::GroupChanged { .. }
        );
        if watched {
            self.tell(notice, steps);
        }
    }

    fn woke(&mut self, _: DateTime<Utc>, _: &mut Vec<Step>) {}

    fn busy(&self) -> bool {
        self.requests.len() >= REQUESTS_MAX
    }

    fn slow(&self) -> Leave {
        SLOW
    }

    fn expired(&mut self, steps: &mut Vec<Step>) {
        steps.push(Step::Close(UNAUTHORIZED));
    }

    fn silence(&self) -> Option<(Duration, Leave)> {
        self.silence.map(|after| (after, SILENT))
    }
}
