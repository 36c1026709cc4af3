//! From the due queue to the belfry: what rings soon is committed with its instant, and the next occurrence planned in the same commit.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::domain::access::{Right, right_of};
use crate::domain::address::{Address, ObjectAddress, UserName};
use crate::domain::alarm::{Action, Firing};
use crate::domain::collection::{Collection, CollectionId};
use crate::domain::delivery::RECIPIENTS_MAX;
use crate::domain::event::{Event, Rang, Words};
use crate::domain::object::Etag;
use crate::domain::principal::Principal;
use crate::domain::refusal::Refusal;
use crate::ical::mask;
use crate::ical::object::CalendarObject;
use crate::service::Service;
use crate::service::alarms::Ringing;
use crate::service::belfry::Bell;
use crate::service::objects::seen_object;
use crate::store::due::Due;
use crate::store::journal::Pen;
use crate::store::{collections, due, keys, objects, record};

/// Objects whose alarms are armed in one go; the rest waits for the next round, so that nobody is held up for long.
pub const ARM_MAX: usize = 256;
/// Rows of one shard that a round looks at: enough to fill a round from two shards, and not too many to be read for nothing.
const SHARD_MAX: usize = ARM_MAX / 2;
/// Missed instants of one object that are looked at one by one; beyond them the planning jumps to the present.
const MISSED_MAX: usize = 10_000;

/// What the alarms of one collection rest on, read once a round.
struct Ground {
    head: Collection,
    owner: Option<Principal>,
    ringing: Ringing,
    hearers: Vec<Address>,
}

/// What rings for a due row, and what comes after.
struct Plan {
    row: Due,
    ground: Arc<Ground>,
    etag: Etag,
    alarms: Vec<(UserName, Rang)>,
    next: Option<DateTime<Utc>>,
}

impl Service {
    /// Makes ready what is due until `until`. One round of at most [`ARM_MAX`] objects, everybody's first before anybody's second;
    /// `false` when there is more.
    pub(crate) async fn arm(&self, until: DateTime<Utc>, now: DateTime<Utc>) -> Result<bool, Refusal> {
        let (found, all) = self.store.due_until(until, SHARD_MAX).await?;
        let mut grounds: HashMap<CollectionId, Option<Arc<Ground>>> = HashMap::new();
        for row in &found {
            if let Entry::Vacant(vacant) = grounds.entry(row.collection) {
                vacant.insert(self.ground(row.collection).await?.map(Arc::new));
            }
        }
        let mut counts: HashMap<(DateTime<Utc>, Option<UserName>), usize> = HashMap::new();
        let mut due: Vec<(DateTime<Utc>, usize, Due)> = Vec::new();
        for row in found {
            let owner = grounds[&row.collection].as_ref().map(|ground| ground.head.address.user().clone());
            let turn = counts.entry((row.at, owner)).or_default();
            due.push((row.at, *turn, row));
            *turn += 1;
        }
        due.sort();
        let all = all && due.len() <= ARM_MAX;
        due.truncate(ARM_MAX);
        let (mut plans, mut missed, mut failed) = (Vec::new(), 0, Ok(all));
        for (.., row) in due {
            let plan = match grounds[&row.collection].clone() {
                Some(ground) => self.plan(&row, ground, now, &mut missed).await,
                None => Ok(None),
            };
            match plan {
                Ok(Some(plan)) => plans.push(plan),
                Ok(None) => self.drop_due(&row).await?,
                // One that cannot be read does not silence the others.
                Err(refusal) => failed = Err(refusal),
            }
        }
        self.count_missed(missed);
        // Together they share a group, and so a sync.
        for outcome in futures_util::future::join_all(plans.into_iter().map(|plan| self.commit_plan(plan, now))).await {
            failed = outcome.and(failed);
        }
        failed
    }

    async fn ground(&self, id: CollectionId) -> Result<Option<Ground>, Refusal> {
        let Some(head) = self.store.collection_by_id(id).await? else { return Ok(None) };
        let owner = self.store.principal(head.address.user()).await?;
        let ringing = self.ringing_for(&head, owner.as_ref());
        let hearers = self.hearers(&head).await?;
        Ok(Some(Ground { head, owner, ringing, hearers }))
    }

    /// Commits a plan where all that it rests on still stands; where it does not, the row stays and is planned again.
    async fn commit_plan(&self, plan: Plan, now: DateTime<Utc>) -> Result<(), Refusal> {
        let Plan { row, ground, etag, alarms, next } = plan;
        let of = row.collection;
        let mut reads = vec![
            keys::collection(&ground.head.address),
            keys::user(ground.head.address.user()),
            keys::object(of, &row.name),
            keys::due(row.at, of, &row.name),
        ];
        reads.extend(alarms.iter().map(|(user, alarm)| keys::rung(user, alarm.at, alarm.id)));
        let (_, bells) = self
            .commit(reads, move |seen, stamp| {
                let head = collections::seen(seen.first())?.filter(|head| head.id == of);
                let object = seen_object(seen.get(2))?.filter(|object| object.due == Some(row.at));
                let (Some(mut object), Some(head), Some(Some(_))) = (object, head, seen.get(3)) else {
                    // Changed since it was read: its new row comes in its own time.
                    return Ok((vec![(keys::due(row.at, of, &row.name), None)], Vec::new()));
                };
                if object.etag != etag || !ground.holds(&head, seen.get(1))? {
                    return Ok((Vec::new(), Vec::new()));
                }
                let mut writes = Vec::new();
                let mut pen = Pen::new(now, stamp.0);
                due::remove(&mut writes, row.at, of, &row.name);
                let mut bells = Vec::new();
                for ((user, alarm), rung) in alarms.iter().zip(seen.iter().skip(4)) {
                    // What rang already does not ring again, whatever the clock did: a write that was planned before it rang and
                    // committed after, or a clock that was set back.
                    if rang_before(rung, alarm)? {
                        continue;
                    }
                    let event = Event::Rang { user: user.clone(), alarm: alarm.clone() };
                    let armed = pen.arm(&mut writes, of, alarm.at, event);
                    bells.push(Bell { armed, of, user: user.clone(), alarm: alarm.clone() });
                }
                object.armed.extend(bells.iter().map(|bell| bell.armed));
                object.due = next;
                objects::write_record(&mut writes, of, &object);
                if let Some(next) = next {
                    due::write(&mut writes, next, of, &row.name);
                }
                Ok((writes, bells))
            })
            .await?;
        self.belfry.hang(bells);
        Ok(())
    }

    /// What rings for a due row, and what comes after; `None` where the object is gone.
    async fn plan(
        &self,
        row: &Due,
        ground: Arc<Ground>,
        now: DateTime<Utc>,
        missed: &mut u64,
    ) -> Result<Option<Plan>, Refusal> {
        let Some((object, bytes)) = self.store.object_with_body(row.collection, &row.name).await? else {
            return Ok(None);
        };
        // Stored objects were read once; one that cannot be read now rings nothing.
        let Ok(parsed) = CalendarObject::read(&bytes, &self.line_limits()) else { return Ok(None) };
        let ringing = &ground.ringing;
        let mut at = Some(row.at);
        let mut firings: Vec<Firing> = Vec::new();
        let mut looked = 0;
        // After a downtime: every missed instant that is still worth ringing rings, the others are counted.
        while let Some(instant) = at {
            for firing in ringing.at(&parsed, instant) {
                if !self.worth(firing.at, firing.end_at, now) {
                    *missed += 1;
                } else if !firings.iter().rev().any(|other| (other.at, other.id) == (firing.at, firing.id)) {
                    // The same alarm written twice is one alarm.
                    firings.push(firing);
                }
            }
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
        let mut alarms = Vec::new();
        // What only its owner may read rings for nobody else.
        let private = mask::hides(&parsed);
        for hearer in &ground.hearers {
            if private && hearer.user() != ground.head.address.user() {
                continue;
            }
            let Some(place) = hearer.object(&row.name) else { continue };
            let rang = firings.iter().map(|firing| (firing.repeats, rang(firing, &place)));
            let heard = match firings.iter().any(|firing| firing.repeats) {
                true => self.heard_again(row.collection, &object.armed, hearer.user(), rang).await?,
                false => rang.map(|(_, rang)| rang).collect(),
            };
            alarms.extend(heard.into_iter().map(|alarm| (hearer.user().clone(), alarm)));
        }
        Ok(Some(Plan { row: row.clone(), ground, etag: object.etag, alarms, next: at }))
    }

    /// Where a calendar's alarms are heard: at its own address by the owner, at theirs by those who asked for it and may still read it.
    pub(crate) async fn hearers(&self, head: &Collection) -> Result<Vec<Address>, Refusal> {
        let mut hearers = vec![head.address.clone()];
        for leaf in self.store.hearers(head.id).await? {
            let stands = self.store.collection(&leaf).await?.is_some_and(|leaf| leaf.origin().1 == head.id);
            if stands && right_of(leaf.user(), head) >= Right::Read {
                hearers.push(leaf);
            }
        }
        Ok(hearers)
    }

    /// Removes a due row that leads nowhere.
    async fn drop_due(&self, row: &Due) -> Result<(), Refusal> {
        let key = keys::due(row.at, row.collection, &row.name);
        self.commit(vec![key.clone()], move |_, _| Ok((vec![(key.clone(), None)], ()))).await?;
        Ok(())
    }

    /// Says how many alarms were missed for so long that nobody is told them any more.
    pub(crate) fn count_missed(&self, missed: u64) {
        if missed > 0 {
            tracing::warn!(missed, "alarms were missed for too long, nobody is told them");
        }
    }
}

/// A firing as it is told to whom it shows at a place.
pub(crate) fn rang(firing: &Firing, object: &ObjectAddress) -> Rang {
    Rang {
        at: firing.at,
        object: object.clone(),
        action: firing.action,
        summary: firing.summary.clone(),
        start: firing.start_at,
        end: firing.end_at,
        id: firing.id,
        attendees: firing.attendees.iter().take(RECIPIENTS_MAX).cloned().collect(),
        words: if firing.action == Action::Email { Words::new(&firing.subject, &firing.description) } else { None },
    }
}

impl Ground {
    /// Whether the zone and the person that a plan was made for are still the same.
    fn holds(&self, head: &Collection, owner: Option<&Option<Bytes>>) -> Result<bool, Refusal> {
        let owner = owner.and_then(Option::as_ref).map(|row| record::people::principal(row)).transpose()?;
        let known =
            |owner: &Option<Principal>| owner.as_ref().map(|owner| (owner.timezone.clone(), owner.email.clone()));
        Ok(head.timezone == self.head.timezone && known(&owner) == known(&self.owner))
    }
}

/// Whether this very alarm stands on the list of what rang. A copy of the event elsewhere has the same id, and rings for itself.
fn rang_before(row: &Option<Bytes>, alarm: &Rang) -> Result<bool, Refusal> {
    let rung = row.as_ref().map(|row| record::alarms::rung(row)).transpose()?;
    Ok(rung.is_some_and(|rung| rung.alarm.object == alarm.object))
}
