//! One Wazo client's conversation: who it is, what it wants to hear, and which events are told. Pure; `session.rs` performs its steps.
//!
//! The token is looked up twice: after the first answer the socket listens to what concerns its user, so that the end of the token cannot
//! fall between the look and the listening.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::bus::{Ears, Notice, Telling};
use crate::domain::acl::Acl;
use crate::domain::address::UserName;
use crate::domain::bearer::{Bearing, LISTEN, Reach};
use crate::domain::collection::CollectionId;
use crate::domain::event::{Event, ListChange, Published, Topic};
use crate::domain::refusal::Refusal;
use crate::gateway::dialect::{Ask, Dialect, Directory, Frame, Leave, Outcome, Outgoing, Step};
use crate::gateway::wazo::request::{self, Request};
use crate::gateway::wazo::say::{
    EXPIRED, FULL, MALFORMED, NO_TOKEN, NOT_LET_IN, SLOW, TOO_MUCH, TROUBLE, Version, done, event, init, pong,
};
use crate::gateway::wazo::tell;
use crate::gateway::wazo::view::{Sight, View};

/// Event names that one socket may subscribe to when nobody says otherwise; one more closes it with 1008. So long each at most, in bytes;
/// a longer one is no event name: 4004.
pub const SUBSCRIPTIONS_DEFAULT: usize = 1_000;
const NAME_MAX: usize = 256;

/// The name that means all.
const ALL: &str = "*";

/// Bounds and times of every Wazo socket.
#[derive(Clone, Copy, Debug)]
pub struct Manners {
    pub subscriptions_max: usize,
    /// So long before the end of its token a socket is told.
    pub expire_soon: TimeDelta,
}

impl Default for Manners {
    fn default() -> Manners {
        Manners { subscriptions_max: SUBSCRIPTIONS_DEFAULT, expire_soon: TimeDelta::seconds(300) }
    }
}

pub struct Wazo {
    version: Option<Version>,
    /// What was brought along, until it is known whose it is.
    token: Option<String>,
    directory: Arc<dyn Directory>,
    manners: Manners,
    borne: Option<Borne>,
    view: View,
    /// `init` was said.
    entered: bool,
    started: bool,
    all: bool,
    names: HashSet<String>,
    asked: VecDeque<(u64, Purpose)>,
    next_ask: u64,
    /// What came with one read while an answer had to wait; bounded by that read. `None` is what could not be understood.
    waiting: VecDeque<Option<Request>>,
    /// Sessions that ended while a token was being looked up.
    ended: Vec<Uuid>,
}

/// The token in force.
struct Borne {
    token: String,
    bearing: Bearing,
    acl: Acl,
    told_soon: bool,
    /// When a token of another service is looked at again.
    check: Option<DateTime<Utc>>,
}

#[derive(Debug)]
enum Purpose {
    /// The first look at the token: whom to listen for.
    Enter,
    /// The second: who it is.
    Confirm,
    /// The client goes on with another token.
    Renew(String),
    /// Whether another service still knows the token.
    Recheck,
    Look,
}

impl Wazo {
    /// `version` and `token` as the query or a header brought them.
    pub fn new(
        version: Option<Version>,
        token: Option<String>,
        directory: Arc<dyn Directory>,
        manners: Manners,
    ) -> Wazo {
        Wazo {
            version,
            token,
            directory,
            manners,
            borne: None,
            view: View::default(),
            entered: false,
            started: false,
            all: false,
            names: HashSet::new(),
            asked: VecDeque::new(),
            next_ask: 0,
            waiting: VecDeque::new(),
            ended: Vec::new(),
        }
    }

    fn ask(&mut self, ask: Ask, purpose: Purpose, steps: &mut Vec<Step>) {
        let number = self.next_ask;
        self.next_ask += 1;
        self.asked.push_back((number, purpose));
        steps.push(Step::Ask { number, ask });
    }

    /// The version that was settled. Without one the socket was closed at once.
    fn version(&self) -> Version {
        self.version.unwrap_or(Version::One)
    }

    /// Replies, unless the first version has gone over to events alone.
    fn reply(&self, op: &str, steps: &mut Vec<Step>) {
        if !self.started || self.version() == Version::Two {
            steps.push(Step::Say(Outgoing::answer(done(op))));
        }
    }

    fn act(&mut self, request: Option<Request>, steps: &mut Vec<Step>) {
        match request {
            None => steps.push(Step::Close(MALFORMED)),
            Some(Request::Subscribe(name)) => self.subscribe(name, steps),
            Some(Request::Start) => {
                // Said first: nothing that happens is told before this reply.
                steps.push(Step::Say(Outgoing::answer(done("start"))));
                self.started = true;
                self.rest(steps);
            }
            Some(Request::Token(token)) => self.ask(Ask::Bear(token.clone()), Purpose::Renew(token), steps),
            Some(Request::Ping(payload)) => {
                if self.version() == Version::Two {
                    steps.push(Step::Say(Outgoing::answer(pong(&payload))));
                }
            }
        }
    }

    fn subscribe(&mut self, name: String, steps: &mut Vec<Step>) {
        if name.len() > NAME_MAX {
            return steps.push(Step::Close(MALFORMED));
        }
        if name == ALL {
            self.all = true;
        } else if !self.names.contains(&name) {
            if self.names.len() >= self.manners.subscriptions_max {
                return steps.push(Step::Close(TOO_MUCH));
            }
            self.names.insert(name);
        }
        self.reply("subscribe", steps);
    }

    fn look(&mut self, steps: &mut Vec<Step>) {
        if self.view.look() {
            self.ask(Ask::See, Purpose::Look, steps);
        }
    }

    /// The first answer: listens for what concerns this token, then looks again.
    fn enter(&mut self, bearing: &Bearing, token: String, steps: &mut Vec<Step>) {
        match bearing.standing.reach() {
            Reach::Own => {
                steps.extend(bearing.user.clone().map(|user| Step::Listen(Topic::User(user))));
                steps.push(Step::Listen(Topic::Person(bearing.uuid)));
                steps.push(Step::Listen(Topic::Tenant(bearing.tenant)));
                steps.extend(bearing.organisation.clone().map(|id| Step::Listen(Topic::Organisation(id))));
            }
            Reach::Tenant | Reach::Everything => steps.push(Step::Listen(Topic::Everything)),
        }
        self.token = Some(token.clone());
        self.ask(Ask::Bear(token), Purpose::Confirm, steps);
        if bearing.user.is_some() && bearing.standing.reach() == Reach::Own {
            self.look(steps);
        }
    }

    /// From now on this token counts. `false` where it does not grant to listen.
    fn bear(&mut self, token: String, bearing: &Bearing, now: DateTime<Utc>, steps: &mut Vec<Step>) -> bool {
        let list = bearing.acl.iter().map(String::as_str);
        let acl = Acl::new(list, &bearing.uuid.to_string(), &bearing.session.to_string());
        let over = self.ended.contains(&bearing.session) || bearing.until.is_some_and(|until| until <= now);
        if over || !acl.allows(Some(LISTEN)) {
            return false;
        }
        let check = bearing.foreign.then(|| now + next_check(bearing.until.map(|until| until - now)));
        let bearing = bearing.clone();
        self.borne = Some(Borne { token, bearing, acl, told_soon: false, check });
        self.rest(steps);
        true
    }

    /// Sleeps until the token needs attention.
    fn rest(&mut self, steps: &mut Vec<Step>) {
        let Some(borne) = &self.borne else { return };
        let soon = borne.bearing.until.map(|until| until - self.manners.expire_soon);
        // Before `start` nobody would hear it.
        let soon = soon.filter(|_| self.started && !borne.told_soon);
        if let Some(next) = [borne.bearing.until, soon, borne.check].into_iter().flatten().min() {
            steps.push(Step::Wake(next));
        }
    }

    /// Says `init` as soon as it is known who this is and what they see.
    fn welcome(&mut self, steps: &mut Vec<Step>) {
        if !self.entered && self.borne.is_some() && self.view.settled() {
            self.entered = true;
            steps.push(Step::Say(Outgoing::answer(init(self.version()))));
        }
    }

    fn confirmed(&mut self, outcome: Result<Bearing, Leave>, now: DateTime<Utc>, steps: &mut Vec<Step>) {
        let token = self.token.take().unwrap_or_default();
        let leave = match outcome {
            Ok(bearing) if self.bear(token, &bearing, now, steps) => return,
            Ok(_) => NOT_LET_IN,
            Err(leave) => leave,
        };
        steps.push(Step::Close(leave));
    }

    /// The real service leaves bindings as the first token made them; here another user's token is refused instead.
    fn renewed(&mut self, token: String, outcome: Result<Bearing, Leave>, now: DateTime<Utc>, steps: &mut Vec<Step>) {
        let same = |bearing: &Bearing| {
            self.borne.as_ref().is_some_and(|borne| {
                let before = &borne.bearing;
                (before.uuid, before.tenant, &before.user, before.standing.reach())
                    == (bearing.uuid, bearing.tenant, &bearing.user, bearing.standing.reach())
            })
        };
        let leave = match outcome {
            Ok(bearing) if same(&bearing) && self.bear(token, &bearing, now, steps) => {
                return self.reply("token", steps);
            }
            Ok(_) => NOT_LET_IN,
            Err(leave) => leave,
        };
        steps.push(Step::Close(leave));
    }

    fn rechecked(&mut self, outcome: Result<Bearing, Leave>, now: DateTime<Utc>, steps: &mut Vec<Step>) {
        let token = self.borne.as_ref().map(|borne| borne.token.clone()).unwrap_or_default();
        let told_soon = self.borne.as_ref().is_some_and(|borne| borne.told_soon);
        let stands = outcome.is_ok_and(|bearing| self.bear(token, &bearing, now, steps));
        if !stands {
            return steps.push(Step::Close(EXPIRED));
        }
        if let Some(borne) = &mut self.borne {
            borne.told_soon = told_soon;
        }
    }

    fn seen(&mut self, outcome: Outcome, steps: &mut Vec<Step>) {
        let Outcome::Seen(seen) = outcome else {
            if self.entered {
                // What is in doubt stays hidden until a look succeeds; the next beat tries again.
                return self.view.missed();
            }
            return steps.push(Step::Close(TROUBLE));
        };
        let (after, held) = self.view.looked(seen);
        steps.extend(after.unlisten.into_iter().map(|id| Step::Unlisten(Topic::Collection(id))));
        steps.extend(after.listen.into_iter().map(|id| Step::Listen(Topic::Collection(id))));
        held.iter().for_each(|notice| self.tell(notice, steps));
        if after.look {
            self.look(steps);
        }
    }

    fn is_me(&self, user: &UserName) -> bool {
        self.borne.as_ref().is_some_and(|borne| borne.bearing.user.as_ref() == Some(user))
    }

    /// Tells an event whose listener this is, as far as names, tenants and access lists allow.
    fn tell(&self, notice: &Arc<Notice>, steps: &mut Vec<Step>) {
        let Some(borne) = self.borne.as_ref().filter(|_| self.started) else { return };
        if !self.within_reach(borne, &notice.event) {
            return;
        }
        let directory = &*self.directory;
        let tellings = notice.tellings.get_or_init(|| tell::tellings(&notice.event, notice.at, directory));
        let collection = collection_of(&notice.event).filter(|_| borne.bearing.usual);
        // The usual list grants what is shared, by the rights of the moment: what is not seen did not come here.
        let shared = collection.is_some_and(|id| self.view.sees(id));
        let mut said = false;
        for telling in tellings {
            if self.wants(telling) && self.ears(borne, notice, telling) && (shared || grants(borne, telling)) {
                steps.push(Step::Say(Outgoing::news(self.frame(telling), notice)));
                said = true;
            }
        }
        if said && matches!(&notice.event, Event::Rang { user, .. } if self.is_me(user)) {
            notice.tell();
        }
    }

    fn frame(&self, telling: &Telling) -> bytes::Bytes {
        let version = self.version();
        telling.frames[version as usize].get_or_init(|| event(version, &telling.body)).clone()
    }

    fn wants(&self, telling: &Telling) -> bool {
        self.all || self.names.contains(&telling.name)
    }

    /// Whether a telling is worded for this listener.
    fn ears(&self, borne: &Borne, notice: &Notice, telling: &Telling) -> bool {
        let owns = || owner(&notice.event).is_some_and(|owner| borne.bearing.user.as_ref() == Some(owner));
        match telling.ears {
            Ears::Everybody => true,
            Ears::Owner => owns(),
            Ears::Others => !owns(),
            Ears::Person => owns() || borne.bearing.standing.reach() != Reach::Own,
        }
    }

    /// Whether the token's user is in the organisation in which they connected: who was moved hears no more of it.
    fn is_still_there(&self, bearing: &Bearing) -> bool {
        bearing.user.as_ref().is_none_or(|user| self.directory.tenant(user) == bearing.tenant)
    }

    /// The rules of bindings: whose events a token hears at all.
    fn within_reach(&self, borne: &Borne, event: &Event) -> bool {
        let bearing = &borne.bearing;
        if let Event::Published(published) = event {
            return published.origin == self.directory.origin() && meant(bearing, published);
        }
        if let (Event::PresenceChanged { news }, Reach::Own | Reach::Tenant) = (event, bearing.standing.reach()) {
            return bearing.organisation.as_ref() == Some(&news.member.organisation) && self.is_still_there(bearing);
        }
        match bearing.standing.reach() {
            // The hub brings what concerns this user, and nothing else.
            Reach::Own | Reach::Everything => true,
            Reach::Tenant => {
                let of_tenant = |owner: &UserName| self.directory.tenant(owner) == bearing.tenant;
                owner(event).is_some_and(of_tenant) && self.is_still_there(bearing)
            }
        }
    }
}

/// Whether a published event is meant for this listener.
fn meant(bearing: &Bearing, published: &Published) -> bool {
    match bearing.standing.reach() {
        Reach::Everything => true,
        Reach::Tenant => published.tenant == bearing.tenant,
        Reach::Own => {
            published.tenant == bearing.tenant && (published.everybody || published.users.contains(&bearing.uuid))
        }
    }
}

fn grants(borne: &Borne, telling: &Telling) -> bool {
    borne.acl.allows(telling.demand.as_deref())
}

/// The collection that an event is news of.
fn collection_of(event: &Event) -> Option<CollectionId> {
    match event {
        Event::Changed { collection, .. }
        | Event::RightsChanged { collection, .. }
        | Event::Imported { collection, .. } => Some(*collection),
        Event::ListChanged { .. }
        | Event::Rang { .. }
        | Event::SignedOut { .. }
        | Event::Answered { .. }
        | Event::TokenEnded { .. }
        | Event::Notified { .. }
        | Event::PresenceChanged { .. }
        | Event::MemberChanged { .. }
        | Event::GroupChanged { .. }
        | Event::Published(_) => None,
    }
}

/// Whose event it is: the owner of what it is about, or the person that it is for.
fn owner(event: &Event) -> Option<&UserName> {
    match event {
        Event::Changed { address, .. } | Event::RightsChanged { address, .. } | Event::Imported { address, .. } => {
            Some(address.user())
        }
        Event::ListChanged { user, .. }
        | Event::Rang { user, .. }
        | Event::SignedOut { user, .. }
        | Event::Answered { user, .. }
        | Event::Notified { user, .. }
        | Event::TokenEnded { user, .. } => Some(user),
        Event::PresenceChanged { news } | Event::MemberChanged { news, .. } => Some(&news.member.user),
        Event::GroupChanged { .. } | Event::Published(_) => None,
    }
}

/// What a look at a token came to: a person, or how to take leave.
fn borne(outcome: Outcome) -> Result<Bearing, Leave> {
    match outcome {
        Outcome::Borne(bearing) => Ok(*bearing),
        Outcome::Refused(Refusal::Busy { .. } | Refusal::TooOften { .. } | Refusal::Full(_)) => Err(FULL),
        Outcome::Refused(Refusal::Fault { .. }) => Err(TROUBLE),
        _ => Err(NOT_LET_IN),
    }
}

/// When a token of another service is looked at again, by the time that is left of it. The steps are the real service's.
fn next_check(left: Option<TimeDelta>) -> TimeDelta {
    const HALF_DAY: i64 = 12 * 3_600;
    let seconds = match left.map(|left| left.num_seconds()) {
        None => HALF_DAY,
        Some(left) if left <= 0 => 15,
        Some(left) if left < 15 => left,
        Some(left) if left <= 80 => left.min(60),
        Some(left) if left <= 16 * 3_600 => left * 3 / 4,
        Some(_) => HALF_DAY,
    };
    TimeDelta::seconds(seconds)
}

impl Dialect for Wazo {
    fn name(&self) -> &'static str {
        "wazo"
    }

    fn opened(&mut self, _: DateTime<Utc>, steps: &mut Vec<Step>) {
        if self.version.is_none() {
            return steps.push(Step::Close(MALFORMED));
        }
        match self.token.clone().filter(|token| !token.is_empty()) {
            None => steps.push(Step::Close(NO_TOKEN)),
            Some(token) => self.ask(Ask::Bear(token), Purpose::Enter, steps),
        }
    }

    fn heard(&mut self, frame: Frame<'_>, _: DateTime<Utc>, steps: &mut Vec<Step>) {
        let request = match frame {
            Frame::Text(text) => request::read(text),
            Frame::Binary(_) => None,
        };
        if self.busy() {
            return self.waiting.push_back(request);
        }
        self.act(request, steps);
    }

    fn answered(&mut self, number: u64, outcome: Outcome, now: DateTime<Utc>, steps: &mut Vec<Step>) {
        let Some(at) = self.asked.iter().position(|(asked, _)| *asked == number) else { return };
        let Some((_, purpose)) = self.asked.remove(at) else { return };
        match purpose {
            Purpose::Enter => match borne(outcome) {
                Ok(bearing) => {
                    let token = self.token.take().unwrap_or_default();
                    self.enter(&bearing, token, steps);
                }
                Err(leave) => steps.push(Step::Close(leave)),
            },
            Purpose::Confirm => self.confirmed(borne(outcome), now, steps),
            Purpose::Renew(token) => self.renewed(token, borne(outcome), now, steps),
            Purpose::Recheck => self.rechecked(borne(outcome), now, steps),
            Purpose::Look => self.seen(outcome, steps),
        }
        if !self.asked.iter().any(|(_, purpose)| !matches!(purpose, Purpose::Look)) {
            self.ended = Vec::new();
        }
        self.welcome(steps);
        while !self.busy()
            && let Some(request) = self.waiting.pop_front()
        {
            self.act(request, steps);
        }
    }

    fn happened(&mut self, notice: &Arc<Notice>, steps: &mut Vec<Step>) {
        match &notice.event {
            Event::SignedOut { user, whose } => {
                // A device's own password draws no bearer tokens.
                if self.is_me(user) && whose.include(None) {
                    steps.push(Step::Close(EXPIRED));
                }
            }
            Event::TokenEnded { session, .. } => {
                if self.borne.as_ref().is_some_and(|borne| borne.bearing.session == *session) {
                    steps.push(Step::Close(EXPIRED));
                } else if !self.asked.is_empty() {
                    self.ended.push(*session);
                }
            }
            Event::RightsChanged { collection, .. } => {
                let doubted = self.borne.as_ref().and_then(|borne| borne.bearing.user.clone());
                if doubted.is_some_and(|user| self.view.doubt(*collection, &user)) {
                    self.look(steps);
                }
            }
            Event::ListChanged { user, change, .. } => {
                let own = self.borne.as_ref().is_none_or(|borne| borne.bearing.standing.reach() == Reach::Own);
                if own && *change != ListChange::Updated && (self.borne.is_none() || self.is_me(user)) {
                    self.look(steps);
                }
                self.tell(notice, steps);
            }
            Event::Changed { collection, .. } | Event::Imported { collection, .. } => {
                let own = self.borne.as_ref().is_some_and(|borne| borne.bearing.standing.reach() == Reach::Own);
                if !own {
                    return self.tell(notice, steps);
                }
                match self.view.sight(*collection, notice) {
                    Sight::Seen => self.tell(notice, steps),
                    Sight::Held | Sight::Hidden => {}
                    Sight::Full => steps.push(Step::Close(SLOW)),
                }
            }
            Event::Rang { .. }
            | Event::Answered { .. }
            | Event::Notified { .. }
            | Event::Published(_)
            | Event::PresenceChanged { .. } => self.tell(notice, steps),
            Event::MemberChanged { .. } | Event::GroupChanged { .. } => {}
        }
    }

    fn woke(&mut self, now: DateTime<Utc>, steps: &mut Vec<Step>) {
        if self.entered && self.view.stale() {
            self.look(steps);
        }
        let rechecking = self.asked.iter().any(|(_, purpose)| matches!(purpose, Purpose::Recheck));
        let Some(borne) = &mut self.borne else { return };
        let Bearing { until, session, user, .. } = borne.bearing.clone();
        let past = |at: Option<DateTime<Utc>>| at.is_some_and(|at| at <= now);
        if past(until) {
            return steps.push(Step::Close(EXPIRED));
        }
        let soon = past(until.map(|until| until - self.manners.expire_soon)) && !borne.told_soon && self.started;
        borne.told_soon |= soon;
        let check = past(borne.check) && !rechecking;
        if check {
            borne.check = None;
            let token = borne.token.clone();
            self.ask(Ask::Bear(token), Purpose::Recheck, steps);
        }
        if soon && let (Some(user), Some(borne)) = (user, &self.borne) {
            let telling = tell::expire_soon(&user, &session.to_string(), now, &*self.directory);
            if self.wants(&telling) && grants(borne, &telling) {
                steps.push(Step::Say(Outgoing::answer(self.frame(&telling))));
            }
        }
        self.rest(steps);
    }

    fn busy(&self) -> bool {
        // Nothing is read before `init`, and nothing behind a token that is being looked up: replies keep the order of requests.
        !self.entered || self.asked.iter().any(|(_, purpose)| matches!(purpose, Purpose::Renew(_)))
    }

    fn slow(&self) -> Leave {
        SLOW
    }

    fn keeps_all(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_token_is_looked_at_again_when_the_real_service_would() {
        for (left, want) in [(-10, 15), (4, 4), (10, 10), (70, 60), (100, 75), (86_400, 43_200)] {
            assert_eq!(next_check(Some(TimeDelta::seconds(left))), TimeDelta::seconds(want), "{left}");
        }
        assert_eq!(next_check(None), TimeDelta::seconds(43_200));
    }
}
