//! Alarms: planned at each write, armed shortly before their instant, rung at it. `docs/alarms.md` tells what a crash can and cannot do.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::domain::access::{Right, right_of};
use crate::domain::address::{Address, UserName};
use crate::domain::alarm::{Firing, Rung, State};
use crate::domain::collection::{Collection, CollectionId};
use crate::domain::delivery::RECIPIENTS_MAX;
use crate::domain::event::{Event, Rang};
use crate::domain::object::{Armed, Etag};
use crate::domain::refusal::Refusal;
use crate::ical::alarms::{self, Policy};
use crate::ical::object::CalendarObject;
use crate::ical::recur::budget::Budget;
use crate::service::Service;
use crate::service::deliveries::{self, Tolled};
use crate::service::objects::seen_object;
use crate::service::rung::on_screen;
use crate::store::due::Due;
use crate::store::journal::Pen;
use crate::store::{collections, due, keys, objects, rung};

/// Objects whose alarms are armed in one go; the rest waits for the next round, so that nobody is held up for long.
const ARM_MAX: usize = 256;
/// Missed instants of one object that are looked at one by one; beyond them the planning jumps to the present.
const MISSED_MAX: usize = 10_000;
/// An alarm told later than this after its instant is marked late.
const LATE: TimeDelta = TimeDelta::seconds(2);
/// A socket that has not taken an alarm after so long is not counted among those who heard it.
const HEARD_WITHIN: Duration = Duration::from_secs(30);

/// The alarms that are armed and wait for their instant.
#[derive(Default)]
pub struct Belfry {
    armed: Mutex<BTreeMap<Armed, CollectionId>>,
}

impl Belfry {
    fn hang(&self, armed: impl IntoIterator<Item = (Armed, CollectionId)>) {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner).extend(armed);
    }

    pub(crate) fn count(&self) -> usize {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The instant of the earliest armed alarm.
    fn next(&self) -> Option<DateTime<Utc>> {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner).keys().next().map(|armed| armed.at)
    }

    /// Takes what is due, earliest first, at most `limit`.
    fn take(&self, now: DateTime<Utc>, limit: usize) -> Vec<(Armed, CollectionId)> {
        let mut armed = self.armed.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = Vec::new();
        while taken.len() < limit {
            match armed.first_entry() {
                Some(entry) if entry.key().at <= now => taken.push(entry.remove_entry()),
                _ => break,
            }
        }
        taken
    }
}

/// By which rules an object's alarms ring: the zone of its calendar, and who hears them.
#[derive(Clone, Debug)]
pub struct Ringing {
    pub zone: Tz,
    pub policy: Policy,
    steps: u32,
}

impl Ringing {
    /// The next instant after `after` at which an alarm rings; none where the rule costs more than it may.
    pub fn next_after(&self, object: &CalendarObject, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut budget = Budget::new(self.steps);
        alarms::next_after(object, after, self.zone, &self.policy, &mut budget).unwrap_or_else(|exhausted| {
            tracing::warn!(uid = ?object.uid(), %exhausted, "alarms of an object cannot be planned");
            None
        })
    }

    /// What rings in a window; nothing where that costs more than it may.
    pub fn between(&self, object: &CalendarObject, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<Firing> {
        alarms::firings(object, from, to, self.zone, &self.policy, &mut Budget::new(self.steps)).unwrap_or_default()
    }

    fn at(&self, object: &CalendarObject, at: DateTime<Utc>) -> Vec<Firing> {
        alarms::at(object, at, self.zone, &self.policy, &mut Budget::new(self.steps)).unwrap_or_default()
    }
}

impl Service {
    /// The rules for a collection's alarms.
    pub(crate) async fn ringing(&self, collection: &Collection) -> Result<Ringing, Refusal> {
        let owner = self.store.principal(collection.address.user()).await?;
        let zone = self.zone_of(collection, owner.as_ref());
        let policy = Policy {
            require_accepted: self.settings.alarms.require_accepted,
            user_email: owner.map(|owner| owner.email).unwrap_or_default(),
        };
        Ok(Ringing { zone, policy, steps: self.settings.limits.recurrence_steps })
    }

    /// Hangs up what a former run armed and did not ring.
    pub async fn start_belfry(&self) -> Result<(), Refusal> {
        self.belfry.hang(self.store.armed().await?);
        Ok(())
    }

    /// The next instant at which there is something to arm or to ring.
    pub(crate) async fn next_instant(&self) -> Result<Option<DateTime<Utc>>, Refusal> {
        Ok([self.store.next_due().await?, self.belfry.next()].into_iter().flatten().min())
    }

    /// When the due job should look again.
    pub async fn next_look(&self) -> Result<Option<DateTime<Utc>>, Refusal> {
        let ahead = TimeDelta::seconds(self.settings.alarms.arm_ahead_seconds);
        let due = self.store.next_due().await?.map(|at| at - ahead);
        Ok([due, self.belfry.next()].into_iter().flatten().min())
    }

    /// Arms what is due soon, rings what is due now. Whoever turns the clock does both, so this waits for them.
    pub async fn strike(self: &Arc<Self>) -> Result<(), Refusal> {
        let _turn = self.turning.lock().await;
        let now = self.now();
        let mut struck = self.ring(now).await?;
        self.arm(now + TimeDelta::seconds(self.settings.alarms.arm_ahead_seconds), now).await?;
        struck.extend(self.ring(self.now()).await?);
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

    /// Makes ready what is due until `until`: the alarms are committed and synced with their instant, the next occurrence is planned in
    /// the same commit. One round; `false` when there is more.
    pub(crate) async fn arm(&self, until: DateTime<Utc>, now: DateTime<Utc>) -> Result<bool, Refusal> {
        let mut due = self.store.due_until(until, ARM_MAX).await?;
        let all = due.len() < ARM_MAX;
        due.truncate(ARM_MAX);
        let arming = due.iter().map(|due| self.arm_one(due, now));
        for outcome in futures_util::future::join_all(arming).await {
            outcome?;
        }
        Ok(all)
    }

    async fn arm_one(&self, row: &Due, now: DateTime<Utc>) -> Result<(), Refusal> {
        let Some(plan) = self.plan(row, now).await? else { return self.drop_due(row).await };
        let (row, of) = (row.clone(), row.collection);
        let reads = vec![
            keys::collection(&plan.head.address),
            keys::object(row.collection, &row.name),
            keys::due(row.at, row.collection, &row.name),
        ];
        let (_, armed) = self
            .commit(reads, move |seen, stamp| {
                let stands = collections::seen(seen.first())?.is_some_and(|head| head.id == row.collection);
                let object = seen_object(seen.get(1))?.filter(|object| object.due == Some(row.at));
                let (Some(mut object), true, Some(Some(_))) = (object, stands, seen.get(2)) else {
                    // Changed since it was read: its new row comes in its own time.
                    return Ok((vec![(keys::due(row.at, row.collection, &row.name), None)], Vec::new()));
                };
                if object.etag != plan.etag {
                    return Ok((Vec::new(), Vec::new()));
                }
                let mut writes = Vec::new();
                let mut pen = Pen::new(now, stamp.0);
                due::remove(&mut writes, row.at, row.collection, &row.name);
                let mut armed = Vec::new();
                for event in &plan.events {
                    if let Event::Rang { alarm, .. } = event {
                        armed.push(pen.arm(&mut writes, row.collection, alarm.at, event.clone()));
                    }
                }
                object.armed.extend(&armed);
                object.due = plan.next;
                objects::write_record(&mut writes, row.collection, &object);
                if let Some(next) = plan.next {
                    due::write(&mut writes, next, row.collection, &row.name);
                }
                Ok((writes, armed))
            })
            .await?;
        self.belfry.hang(armed.into_iter().map(|armed| (armed, of)));
        Ok(())
    }

    /// What rings for a due row, and what comes after; `None` where the object is gone.
    async fn plan(&self, row: &Due, now: DateTime<Utc>) -> Result<Option<Plan>, Refusal> {
        let Some(head) = self.store.collection_by_id(row.collection).await? else { return Ok(None) };
        let Some((object, bytes)) = self.store.object_with_body(row.collection, &row.name).await? else {
            return Ok(None);
        };
        let ringing = self.ringing(&head).await?;
        // Stored objects were read once; one that cannot be read now rings nothing.
        let Ok(parsed) = CalendarObject::read(&bytes, &self.line_limits()) else { return Ok(None) };
        let worth = |firing: &Firing| self.worth(firing.at, firing.end_at, now);
        let mut at = Some(row.at);
        let mut firings: Vec<Firing> = Vec::new();
        let mut looked = 0;
        // After a downtime: every missed instant that is still worth ringing rings, the others pass in silence.
        while let Some(instant) = at {
            firings.extend(ringing.at(&parsed, instant).into_iter().filter(worth));
            looked += 1;
            at = if looked < MISSED_MAX {
                ringing.next_after(&parsed, instant)
            } else {
                ringing.next_after(&parsed, now)
            };
            if at.is_none_or(|at| at > now) {
                break;
            }
        }
        let mut events = Vec::new();
        for hearer in self.hearers(&head).await? {
            let Some(object) = hearer.object(&row.name) else { continue };
            let rang = |firing: &Firing| Event::Rang {
                user: hearer.user().clone(),
                alarm: Rang {
                    at: firing.at,
                    object: object.clone(),
                    action: firing.action,
                    summary: firing.summary.clone(),
                    start: firing.start_at,
                    end: firing.end_at,
                    id: firing.id,
                    attendees: firing.attendees.iter().take(RECIPIENTS_MAX).cloned().collect(),
                },
            };
            events.extend(firings.iter().map(rang));
        }
        Ok(Some(Plan { head, etag: object.etag, events, next: at }))
    }

    /// Where a calendar's alarms are heard: at its own address by the owner, at theirs by those who asked for it and may still read it.
    async fn hearers(&self, head: &Collection) -> Result<Vec<Address>, Refusal> {
        let mut hearers = vec![head.address.clone()];
        for leaf in self.store.hearers(head.id).await? {
            let stands = self.store.collection(&leaf).await?.is_some_and(|leaf| leaf.origin().1 == head.id);
            if stands && right_of(leaf.user(), head) >= Right::Read {
                hearers.push(leaf);
            }
        }
        Ok(hearers)
    }

    /// Whether an alarm that was armed for a person may still ring for them: the owner's may, others' while they may read.
    async fn still_hears(&self, user: &UserName, at: &Address, of: CollectionId) -> Result<bool, Refusal> {
        if at.user() == user {
            return Ok(true);
        }
        let head = self.store.collection(at).await?.filter(|head| head.id == of);
        Ok(head.is_some_and(|head| right_of(user, &head) >= Right::Read))
    }

    /// Hangs up an alarm that was armed elsewhere.
    pub(crate) fn hang_up(&self, armed: Armed, of: CollectionId) {
        self.belfry.hang([(armed, of)]);
        self.nudges.due.notify_one();
    }

    /// Removes a due row that leads nowhere.
    async fn drop_due(&self, row: &Due) -> Result<(), Refusal> {
        let key = keys::due(row.at, row.collection, &row.name);
        self.commit(vec![key.clone()], move |_, _| Ok((vec![(key.clone(), None)], ()))).await?;
        Ok(())
    }

    /// Rings what is armed and due, and notes in one commit that it rang: a crash between rings it again, marked late.
    pub(crate) async fn ring(&self, now: DateTime<Utc>) -> Result<Vec<Struck>, Refusal> {
        let mut struck = Vec::new();
        loop {
            let taken = self.belfry.take(now, ARM_MAX);
            if taken.is_empty() {
                return Ok(struck);
            }
            let mut done = Vec::new();
            for (armed, of) in taken {
                let line = self.store.armed_line(&armed, of).await?;
                let alarm = match line.map(|(line, at)| (line.event, at)) {
                    Some((Event::Rang { user, alarm }, at)) if self.still_hears(&user, &at, of).await? => {
                        let event = Event::Rang { user: user.clone(), alarm: alarm.clone() };
                        let late = now - alarm.at > LATE;
                        let told = self.relay.publish(event, armed.stamp, armed.part, late).unwrap_or_default();
                        let rung = Rung { user, alarm, state: State::Waiting };
                        struck.push(Struck { rung: rung.clone(), told });
                        let own = at.user() == &rung.user;
                        Some(Tolled { rung, own })
                    }
                    // Cancelled since it was armed, or its collection is gone, or closed to this person.
                    _ => None,
                };
                done.push((armed, of, alarm));
            }
            self.note_rung(done).await?;
        }
    }

    /// Notes which alarms somebody heard; the others go on waiting for somebody who does. To be called when they have landed.
    pub(crate) async fn note_heard(&self, struck: Vec<Struck>) -> Result<(), Refusal> {
        let heard = struck.into_iter().filter(|struck| struck.told.load(Ordering::Acquire)).map(|struck| struck.rung);
        let heard: Vec<_> = heard.map(|rung| (rung.user, rung.alarm.at, rung.alarm.id)).collect();
        for slice in heard.chunks(ARM_MAX) {
            self.change_state(slice.to_vec(), |state| if state == State::Waiting { State::Told } else { state })
                .await?;
        }
        Ok(())
    }

    /// Takes the marks of what rang away, from the belfry's rows and from the objects, puts it on the list of what rang, and plans what
    /// goes out through channels.
    async fn note_rung(&self, done: Vec<(Armed, CollectionId, Option<Tolled>)>) -> Result<(), Refusal> {
        let (now, offered) = (self.now(), self.settings.sinks.offered);
        let mut people: BTreeMap<UserName, bool> = BTreeMap::new();
        for Tolled { rung, .. } in done.iter().filter_map(|(_, _, tolled)| tolled.as_ref()) {
            people.entry(rung.user.clone()).or_insert_with(|| self.post_is_full(&rung.user));
        }
        let mut objects_of: BTreeMap<Bytes, (CollectionId, Vec<Armed>)> = BTreeMap::new();
        for (armed, of, tolled) in &done {
            if let Some(Tolled { rung, .. }) = tolled {
                let row = keys::object(*of, rung.alarm.object.name());
                objects_of.entry(row).or_insert_with(|| (*of, Vec::new())).1.push(*armed);
            }
        }
        let mut reads: Vec<Bytes> = objects_of.keys().cloned().collect();
        reads.extend(people.keys().flat_map(|user| [keys::user(user), keys::channels(user)]));
        let (_, planned) = self
            .commit(reads, move |seen, _| {
                let (seen, rows) = seen.split_at_checked(objects_of.len()).unwrap_or((seen, &[]));
                let mark = |armed: &Armed, of: &CollectionId| {
                    keys::armed(keys::shard_of_collection(*of), armed.at, armed.stamp, armed.part)
                };
                let mut writes: Vec<_> = done.iter().map(|(armed, of, _)| (mark(armed, of), None)).collect();
                let tolled = || done.iter().filter_map(|(_, _, tolled)| tolled.as_ref());
                for Tolled { rung, .. } in tolled().filter(|tolled| on_screen(&tolled.rung.alarm)) {
                    rung::write(&mut writes, rung);
                }
                let planned = deliveries::plan(&mut writes, &people, rows, offered, tolled(), now);
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
        Ok(())
    }
}

/// An alarm that was just published, and whether anybody heard it.
#[derive(Clone, Debug)]
pub struct Struck {
    pub rung: Rung,
    told: Arc<AtomicBool>,
}

struct Plan {
    head: Collection,
    etag: Etag,
    events: Vec<Event>,
    next: Option<DateTime<Utc>>,
}
