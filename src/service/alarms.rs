//! Alarms: by which rules they ring, ringing them at their instant, and noting it. `ARCHITECTURE.md` tells what a crash can and cannot do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::domain::access::{Right, right_of};
use crate::domain::address::{Address, UserName};
use crate::domain::alarm::{Firing, Rung, State};
use crate::domain::collection::{Collection, CollectionId};
use crate::domain::event::Event;
use crate::domain::notification::{Draft, MessageId};
use crate::domain::object::Armed;
use crate::domain::presence::{Engagement, Standing};
use crate::domain::principal::Principal;
use crate::domain::refusal::Refusal;
use crate::ical::alarms::{self, Policy};
use crate::ical::object::CalendarObject;
use crate::ical::recur::budget::Budget;
use crate::ical::stance::{self, Eye};
use crate::service::Service;
use crate::service::belfry::Bell;
use crate::service::deliveries::{self, Tolled};
use crate::service::ledger::{Ledger, Place, Wanted};
use crate::service::notifications::title;
use crate::service::objects::seen_object;
use crate::service::rung::on_screen;
use crate::store::{StoreError, keys, objects, presence, rung};

/// Alarms that ring in one go; then other pushes have their turn.
const RING_MAX: usize = 256;
/// Commits that note what rang and wait for the store at the same time.
const NOTES_MAX: usize = 16;
/// An alarm told later than this after its instant is marked late.
const LATE: TimeDelta = TimeDelta::seconds(2);
/// A row of the due queue that is older was not served in its time: the service was down, or the machine slept.
const DOWN: TimeDelta = TimeDelta::seconds(60);
/// So many objects due soon are a crowd, for which the usual time of arming is short: at nine in the morning everybody's day begins.
const CROWD: usize = 4_000;
/// How far ahead a crowd is armed.
const CROWD_AHEAD: TimeDelta = TimeDelta::seconds(60);
/// How often the queue is looked at for a crowd that gathers, while something is due soon.
const CROWD_LOOK: TimeDelta = TimeDelta::seconds(5);
/// How long the answer holds: counting is not free.
const CROWD_SEEN: TimeDelta = TimeDelta::seconds(1);
/// A socket that has not taken an alarm after so long is not counted among those who heard it.
const HEARD_WITHIN: Duration = Duration::from_secs(30);

/// By which rules an object's alarms ring: the zone of its calendar, and who hears them.
#[derive(Clone, Debug)]
pub struct Ringing {
    pub zone: Tz,
    pub policy: Policy,
    /// How the same object speaks for its owner's presence.
    eye: Eye,
    steps: u32,
    /// Its alarms ring for nobody: those of a feed, until its owner lets them.
    silent: bool,
}

impl Ringing {
    /// The next instant after `after` at which an alarm rings; none where the rule costs more than it may.
    pub fn next_after(&self, object: &CalendarObject, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if self.silent {
            return None;
        }
        let mut budget = Budget::new(self.steps);
        alarms::next_after(object, after, self.zone, &self.policy, &mut budget).unwrap_or_else(|exhausted| {
            tracing::warn!(uid = ?object.uid(), %exhausted, "alarms of an object cannot be planned");
            None
        })
    }

    /// What rings in a window; nothing where that costs more than it may.
    pub fn between(&self, object: &CalendarObject, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<Firing> {
        if self.silent {
            return Vec::new();
        }
        alarms::firings(object, from, to, self.zone, &self.policy, &mut Budget::new(self.steps)).unwrap_or_default()
    }

    /// What an object says of its owner's presence; nothing where the rule costs more than it may.
    pub fn standing(&self, object: &CalendarObject, now: DateTime<Utc>) -> Standing {
        let mut budget = Budget::new(self.steps);
        stance::standing(object, now, self.zone, &self.eye, &mut budget).unwrap_or_else(|exhausted| {
            tracing::warn!(uid = ?object.uid(), %exhausted, "an object says nothing of its owner's presence");
            Standing::default()
        })
    }

    /// The conference of the instance that begins at `start`, if it has one.
    pub fn conference_at(&self, object: &CalendarObject, start: DateTime<Utc>) -> Option<Engagement> {
        let mut budget = Budget::new(self.steps);
        stance::conference_at(object, start, self.zone, &self.eye, &mut budget).unwrap_or_default()
    }

    /// What rings at one instant.
    pub fn at(&self, object: &CalendarObject, at: DateTime<Utc>) -> Vec<Firing> {
        alarms::at(object, at, self.zone, &self.policy, &mut Budget::new(self.steps)).unwrap_or_default()
    }
}

impl Service {
    /// The rules for a collection's alarms.
    pub(crate) async fn ringing(&self, collection: &Collection) -> Result<Ringing, Refusal> {
        let owner = self.store.principal(collection.address.user()).await?;
        Ok(self.ringing_for(collection, owner.as_ref()))
    }

    pub(crate) fn ringing_for(&self, collection: &Collection, owner: Option<&Principal>) -> Ringing {
        let policy = Policy {
            require_accepted: self.settings.alarms.require_accepted,
            user_email: owner.map(|owner| owner.email.clone()).unwrap_or_default(),
        };
        let zone = self.zone_of(collection, owner);
        let eye = Eye {
            user_email: policy.user_email.clone(),
            focus: self.settings.presence.focus_categories.clone(),
            absence: self.settings.presence.absence_categories.clone(),
        };
        let silent = collection.kept.is_some() && !collection.alarms;
        Ringing { zone, policy, eye, steps: self.settings.limits.recurrence_steps, silent }
    }

    /// Hangs up what a former run armed and did not ring, and ends the plannings that it left unfinished.
    pub async fn start_belfry(&self) -> Result<(), Refusal> {
        for (armed, of) in self.store.armed().await? {
            if let Some((line, _)) = self.store.armed_line(&armed, of).await?
                && let Event::Rang { user, alarm } = line.event
            {
                self.belfry.hang([Bell { armed, of, user, alarm }]);
            }
        }
        self.finish_replans().await
    }

    /// The next instant at which there is something to arm or to ring.
    pub(crate) async fn next_instant(&self) -> Result<Option<DateTime<Utc>>, Refusal> {
        let edge = self.next_edge().await?;
        Ok([self.store.next_due().await?, self.belfry.next(), edge].into_iter().flatten().min())
    }

    /// When somebody should look after the alarms again.
    pub async fn next_look(&self) -> Result<Option<DateTime<Utc>>, Refusal> {
        let due = match self.store.next_due().await? {
            Some(head) => Some(self.look_for(head).await?),
            None => None,
        };
        Ok([due, self.belfry.next(), self.next_edge().await?].into_iter().flatten().min())
    }

    /// The same for the due job, who will sleep so long: from now on only what needs an earlier look wakes it.
    pub async fn set_look(&self) -> Result<Option<DateTime<Utc>>, Refusal> {
        self.belfry.seek_look();
        let look = self.next_look().await?;
        if let Some(at) = look {
            self.belfry.set_look(at);
        }
        Ok(look)
    }

    /// When to look because of the head of the due queue: a crowd is armed as soon as it is near.
    async fn look_for(&self, head: DateTime<Utc>) -> Result<DateTime<Utc>, Refusal> {
        let (now, ahead) = (self.now(), self.arm_ahead());
        if head > now + CROWD_AHEAD.max(ahead) {
            return Ok(head - CROWD_AHEAD.max(ahead));
        }
        Ok(if self.is_crowded(now).await? { now } else { (head - ahead).min(now + CROWD_LOOK) })
    }

    /// Whether more is due soon than can be armed in the usual time.
    async fn is_crowded(&self, now: DateTime<Utc>) -> Result<bool, Refusal> {
        if let Some(near) = self.belfry.crowd(now, CROWD_SEEN) {
            return Ok(near);
        }
        let near = self.store.count_near(now + CROWD_AHEAD, CROWD).await? >= CROWD;
        self.belfry.set_crowd(now, near);
        Ok(near)
    }

    /// A row for `at` was written: the due job is woken where it would come too late.
    pub(crate) fn nudge_due(&self, at: DateTime<Utc>) {
        if self.belfry.wakes(at - self.arm_ahead()) {
            self.nudges.due.notify_one();
        }
    }

    /// An edge of a presence was written: it is not served ahead of its instant.
    pub(crate) fn nudge_edge(&self, at: DateTime<Utc>) {
        if self.belfry.wakes(at) {
            self.nudges.due.notify_one();
        }
    }

    fn arm_ahead(&self) -> TimeDelta {
        TimeDelta::seconds(self.settings.alarms.arm_ahead_seconds)
    }

    /// Arms what is due soon, rings what is due now. Whoever turns the clock does both, so this waits for them.
    pub async fn strike(self: &Arc<Self>) -> Result<(), Refusal> {
        let _turn = self.turning.lock().await;
        let mut struck = self.ring().await?;
        let now = self.now();
        // What a downtime left is armed whole before it rings, so that it is told in order; all else goes by rounds.
        let mut armed = Ok(false);
        while matches!(armed, Ok(false)) {
            armed = self.arm(now - DOWN, now).await;
            tokio::task::yield_now().await;
        }
        // A failure is told when what could be armed has rung.
        let ahead = if self.is_crowded(now).await? { self.arm_ahead().max(CROWD_AHEAD) } else { self.arm_ahead() };
        let armed = armed.and(self.arm(now + ahead, now).await);
        struck.extend(self.ring().await?);
        self.note_struck(struck).await?;
        // A failure here holds up no alarm.
        let served = self.serve_presence(self.now()).await;
        armed.map(drop).and(served)
    }

    async fn note_struck(self: &Arc<Self>, struck: Vec<Struck>) -> Result<(), Refusal> {
        if struck.is_empty() {
            return Ok(());
        }
        if self.clock_is_manual() {
            // Whoever turns the clock next waits for everything, so nothing may fly apart from it.
            self.settle(HEARD_WITHIN).await?;
            self.note_heard(struck).await?;
        } else {
            // A slow socket must not hold up the next alarm: what was heard is noted aside.
            let service = self.clone();
            let landing = self.relay.landing();
            tokio::spawn(async move {
                landing.within(HEARD_WITHIN).await;
                if let Err(refusal) = service.note_heard(struck).await {
                    tracing::error!(%refusal, "what was heard could not be noted");
                }
            });
        }
        Ok(())
    }

    /// Hangs up an alarm that was armed elsewhere.
    pub(crate) fn hang_up(&self, bell: Bell) {
        self.belfry.hang([bell]);
        self.nudges.due.notify_one();
    }

    /// Rings what is armed and due, and notes afterwards that it rang: a crash between rings it again, with the same id.
    pub(crate) async fn ring(&self) -> Result<Vec<Struck>, Refusal> {
        let (mut struck, mut done, mut missed) = (Vec::new(), Vec::new(), 0);
        let rung = loop {
            let now = self.now();
            let bells = self.belfry.take(now, RING_MAX);
            if bells.is_empty() {
                break Ok(());
            }
            let may = match self.may_ring(&bells).await {
                Ok(may) => may,
                Err(refusal) => {
                    // They hang on, for the next round.
                    self.belfry.hang(bells);
                    break Err(refusal);
                }
            };
            for (Bell { armed, of, user, alarm }, may) in bells.into_iter().zip(may) {
                let worth = self.worth(alarm.at, alarm.end, now);
                missed += u64::from(may.is_some() && !worth);
                let state = if on_screen(&alarm) { State::Waiting } else { State::Told };
                let rung = Rung { user, alarm, state };
                let rang = may.is_some() && worth;
                if rang {
                    let event = Event::Rang { user: rung.user.clone(), alarm: rung.alarm.clone() };
                    let late = now - rung.alarm.at > LATE;
                    let told = self.relay.publish(event, armed.stamp, armed.part, late).unwrap_or_default();
                    struck.push(Struck { rung: rung.clone(), told });
                }
                done.push(Done { armed, of, tolled: Tolled { rung, own: may.unwrap_or(false) }, rang });
            }
            tokio::task::yield_now().await;
        };
        self.count_missed(missed);
        let notes: Vec<_> = done.chunks(RING_MAX).map(<[_]>::to_vec).collect();
        for some in notes.chunks(NOTES_MAX) {
            let noting = some.iter().map(|done| self.note_rung(done.clone()));
            for noted in futures_util::future::join_all(noting).await {
                noted?;
            }
        }
        rung.map(|()| struck)
    }

    /// Of each bell that may ring, whether it rings in a calendar of the person's own; `None` where it was cancelled since it was armed,
    /// or its collection is gone, or closed to this person. One read for all owners.
    async fn may_ring(&self, bells: &[Bell]) -> Result<Vec<Option<bool>>, Refusal> {
        let mut reads = Vec::new();
        for Bell { armed, of, .. } in bells {
            reads.push(keys::armed(keys::shard_of_collection(*of), armed.at, armed.stamp, armed.part));
            reads.push(keys::collection_at(*of));
        }
        let rows = self.store.kv().read(reads).await.map_err(StoreError::Kv)?;
        let mut may = Vec::new();
        for (bell, rows) in bells.iter().zip(rows.chunks(2)) {
            may.push(match rows {
                [Some(_), Some(at)] => {
                    let at = std::str::from_utf8(at).ok().and_then(Address::parse);
                    let at = at.ok_or(StoreError::Unreadable("collection place"))?;
                    let own = at.user() == &bell.user;
                    let may = own || self.still_hears(bell, &at).await?;
                    may.then_some(own)
                }
                _ => None,
            });
        }
        Ok(may)
    }

    /// Whether somebody who is not the owner still asks for a calendar's alarms, and may read it.
    async fn still_hears(&self, bell: &Bell, at: &Address) -> Result<bool, Refusal> {
        let hears = self.store.get(keys::hearer(bell.of, bell.alarm.object.collection())).await?.is_some();
        let head = self.store.collection(at).await?.filter(|head| head.id == bell.of);
        Ok(hears && head.is_some_and(|head| right_of(&bell.user, &head) >= Right::Read))
    }

    /// Notes which alarms somebody heard; the others go on waiting for somebody who does. To be called when they have landed.
    pub(crate) async fn note_heard(&self, struck: Vec<Struck>) -> Result<(), Refusal> {
        let heard = struck.into_iter().filter(|struck| struck.told.load(Ordering::Acquire)).map(|struck| struck.rung);
        let heard: Vec<_> = heard.map(|rung| (rung.user, rung.alarm.at, rung.alarm.id)).collect();
        for slice in heard.chunks(RING_MAX) {
            self.change_state(slice.to_vec(), |state| if state == State::Waiting { State::Told } else { state })
                .await?;
        }
        Ok(())
    }

    /// Takes the marks of what rang or may not ring away, from the belfry's rows and from the objects; puts what rang on its list, and
    /// plans what goes out through channels.
    async fn note_rung(&self, done: Vec<Done>) -> Result<(), Refusal> {
        let (now, offered) = (self.now(), self.settings.sinks.offered);
        let rings = self.settings.presence.ringing_on_alarm;
        let calls: BTreeSet<UserName> = {
            let users = done.iter().filter(|done| done.rang).map(|done| &done.tolled.rung.user);
            users.filter(|user| rings || self.queues.hold(user)).cloned().collect()
        };
        let nudge = !calls.is_empty();
        let mut people: BTreeMap<UserName, bool> = BTreeMap::new();
        for Tolled { rung, .. } in done.iter().filter(|done| done.rang).map(|done| &done.tolled) {
            people.entry(rung.user.clone()).or_insert_with(|| self.post_is_full(&rung.user));
        }
        let mut objects_of: BTreeMap<Bytes, (CollectionId, Vec<Armed>)> = BTreeMap::new();
        for Done { armed, of, tolled, .. } in &done {
            let row = keys::object(*of, tolled.rung.alarm.object.name());
            objects_of.entry(row).or_insert_with(|| (*of, Vec::new())).1.push(*armed);
        }
        let mut reads: Vec<Bytes> = objects_of.keys().cloned().collect();
        reads.extend(people.keys().flat_map(|user| [keys::user(user), keys::channels(user)]));
        // A message belongs to its event's UID, which only the object knows.
        let uids = self.uids(objects_of.keys().cloned().collect()).await?;
        let (mut wanted, mut places) = (Wanted::default(), Vec::new());
        for Done { of, tolled: Tolled { rung, .. }, .. } in done.iter().filter(|done| done.rang) {
            let Some(uid) = uids.get(&keys::object(*of, rung.alarm.object.name())) else { continue };
            let mut place = Place::of_object(rung.alarm.object.collection(), rung.alarm.object.name(), uid);
            place.user = rung.user.clone();
            wanted.message(&place.user, place.conversation, MessageId::of_alarm(place.conversation, rung.alarm.id));
            places.push((place, rung.alarm.clone()));
        }
        reads.extend(wanted.reads());
        let (_, planned) = self
            .commit(reads, move |seen, stamp| {
                let (seen, rows) = seen.split_at_checked(objects_of.len()).unwrap_or((seen, &[]));
                let mark = |done: &Done| {
                    let Armed { at, stamp, part } = done.armed;
                    keys::armed(keys::shard_of_collection(done.of), at, stamp, part)
                };
                let mut writes: Vec<_> = done.iter().map(|done| (mark(done), None)).collect();
                let tolled = done.iter().filter(|done| done.rang).map(|done| &done.tolled);
                for Tolled { rung, .. } in tolled.clone() {
                    rung::write(&mut writes, rung);
                }
                // Perhaps a conference that calls; in a queue one more that waits.
                calls.iter().for_each(|user| presence::remind(&mut writes, now, user, stamp.0));
                let mut ledger = Ledger::open(&wanted, rows.get(people.len() * 2..).unwrap_or_default(), now)?;
                for (place, alarm) in &places {
                    ledger.post(place, &title(&alarm.summary), &Draft::alarm(alarm), alarm.at);
                }
                ledger.close(&mut writes, stamp.0);
                let planned = deliveries::plan(&mut writes, &people, rows, offered, tolled, now);
                for (row, (of, rang)) in seen.iter().zip(objects_of.values()) {
                    if let Some(mut object) = seen_object(Some(row))? {
                        object.armed.retain(|armed| !rang.contains(armed));
                        objects::write_record(&mut writes, *of, &object);
                    }
                }
                Ok((writes, planned))
            })
            .await?;
        self.post_new(&planned);
        if nudge {
            self.nudge_edge(now);
        }
        Ok(())
    }
}

/// A bell that had its turn: it rang, or was taken down in silence.
#[derive(Clone, Debug)]
struct Done {
    armed: Armed,
    of: CollectionId,
    tolled: Tolled,
    rang: bool,
}

/// An alarm that was just published, and whether anybody heard it.
#[derive(Clone, Debug)]
pub struct Struck {
    pub rung: Rung,
    told: Arc<AtomicBool>,
}
