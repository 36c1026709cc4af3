//! Planning again what was planned before: after a zone changed, and after the clock was turned back.

use std::collections::HashMap;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::domain::address::{Kind, UserName};
use crate::domain::alarm::State;
use crate::domain::collection::{Collection, CollectionId, Source};
use crate::domain::event::Event;
use crate::domain::object::{Armed, Record};
use crate::domain::refusal::Refusal;
use crate::ical::object::CalendarObject;
use crate::kv::Writes;
use crate::service::Service;
use crate::service::alarms::Ringing;
use crate::service::objects::seen_object;
use crate::store::{due, journal, keys, objects, presence, record};

/// Objects that are planned at a time: enough to share syncs, few enough to leave room for others.
const PAGE: usize = 256;

/// A planning that was begun: it is noted in the commit that asked for it, and a start after a crash ends it.
#[derive(Clone, Debug)]
pub struct Replan {
    pub from: DateTime<Utc>,
    note: Bytes,
}

/// Notes that a person's alarms are planned anew from `now` on, or from where an unfinished planning began; `row` is its note.
pub fn begin(writes: &mut Writes, user: &UserName, row: Option<&Option<Bytes>>, now: DateTime<Utc>) -> Replan {
    let before = row.and_then(Option::as_ref).and_then(|row| keys::replan_from_back(row));
    let from = before.map_or(now, |before| before.min(now));
    let note = keys::replan_from(from);
    writes.push((keys::replan(user), Some(note.clone())));
    Replan { from, note }
}

impl Service {
    /// Ends what a former run began.
    pub(crate) async fn finish_replans(&self) -> Result<(), Refusal> {
        for (key, note) in self.store.all(&keys::replans()).await? {
            if let (Some(user), Some(from)) = (keys::replan_user(&key), keys::replan_from_back(&note)) {
                self.replan_home(&user, Replan { from, note }).await?;
            }
        }
        Ok(())
    }

    /// The clock was turned back to `target`: what rang after it has not rung, and everything is planned anew.
    pub(crate) async fn turn_back(&self, target: DateTime<Utc>) -> Result<(), Refusal> {
        let mut undone = Vec::new();
        for (key, row) in self.store.all(&keys::rung_all()).await? {
            if record::alarms::rung(&row)?.alarm.at > target {
                undone.push(key);
            }
        }
        self.remove(undone).await?;
        let people = self.store.principals().await?;
        for principal in &people {
            self.replan_own(&principal.name, target).await?;
        }
        self.remind_all(people.into_iter().map(|principal| principal.name).collect(), target).await
    }

    /// Plans the alarms of one person's own calendars anew.
    pub(crate) async fn replan_home(&self, user: &UserName, replan: Replan) -> Result<(), Refusal> {
        self.replan_own(user, replan.from).await?;
        self.end_replan(user, replan).await
    }

    async fn replan_own(&self, user: &UserName, from: DateTime<Utc>) -> Result<(), Refusal> {
        for collection in self.store.home(Kind::Calendar, user).await? {
            if collection.source == Source::Own {
                self.replan_collection(&collection, from).await?;
            }
        }
        Ok(())
    }

    /// Takes the note away, unless another planning began meanwhile.
    pub(crate) async fn end_replan(&self, user: &UserName, replan: Replan) -> Result<(), Refusal> {
        let key = keys::replan(user);
        self.commit(vec![key.clone()], move |seen, _| {
            let same = seen.first().and_then(Option::as_ref) == Some(&replan.note);
            Ok((if same { vec![(key.clone(), None)] } else { Vec::new() }, ()))
        })
        .await?;
        Ok(())
    }

    /// Plans the alarms of one calendar anew, from behind `from` on. What is armed is planned again too; what is overdue and what was put
    /// off stay.
    pub(crate) async fn replan_collection(&self, collection: &Collection, from: DateTime<Utc>) -> Result<(), Refusal> {
        let ringing = self.ringing(collection).await?;
        let mut after: Option<String> = None;
        loop {
            let page = self.store.objects(collection.id, after.as_deref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.name.to_string());
            let planning = page.iter().map(|record| self.replan_object(collection, record, &ringing, from));
            for outcome in futures_util::future::join_all(planning).await {
                outcome?;
            }
        }
        self.nudges.due.notify_one();
        Ok(())
    }

    async fn replan_object(
        &self,
        collection: &Collection,
        record: &Record,
        ringing: &Ringing,
        from: DateTime<Utc>,
    ) -> Result<(), Refusal> {
        // A write that comes between plans for itself.
        let Some(bytes) = self.store.body(collection.id, record.body, record.size).await? else { return Ok(()) };
        let Ok(object) = CalendarObject::read(&bytes, &self.line_limits()) else { return Ok(()) };
        let next = ringing.next_after(&object, from);
        let now = self.now();
        let standing = ringing.standing(&object, now);
        let hold = standing.hold.as_ref().map(|hold| (hold.rank(), hold.start()));
        let stands = record.stands.edge == standing.edge && record.stands.hold == hold;
        if next == record.due && record.armed.is_empty() && stands {
            return Ok(());
        }
        let owner = collection.address.user().clone();
        let snoozed = self.snoozed(collection.id, record, &object, ringing).await?;
        let (id, etag) = (collection.id, record.etag.clone());
        self.commit(vec![keys::object(id, &record.name)], move |seen, stamp| {
            let Some(mut object) = seen_object(seen.first())?.filter(|object| object.etag == etag) else {
                return Ok((Vec::new(), ()));
            };
            let mut writes = Vec::new();
            let taken = |armed: &mut Armed| armed.at > from && !snoozed.contains_key(armed);
            for armed in object.armed.extract_if(.., taken) {
                journal::disarm(&mut writes, id, &armed);
            }
            // What is overdue is planned when it is armed, from there on.
            if object.due.is_none_or(|at| at > from) {
                if let Some(at) = object.due.take() {
                    due::remove(&mut writes, at, id, &object.name);
                }
                object.due = next;
                if let Some(at) = next {
                    due::write(&mut writes, at, id, &object.name);
                }
            }
            let held = object.stands.hold.is_some() || object.stands.invited.is_some();
            presence::leave(&mut writes, id, &object);
            presence::stand(&mut writes, id, &mut object, &standing, now);
            if held || object.stands.hold.is_some() || object.stands.invited.is_some() {
                presence::remind(&mut writes, now, &owner, stamp.0);
            }
            objects::write_record(&mut writes, id, &object);
            Ok((writes, ()))
        })
        .await?;
        Ok(())
    }

    /// Which of an object's armed alarms were put off by somebody, and for whom which alarm: no zone moves those. What was put off in the
    /// text is not among them, for it is planned like anything else there.
    pub(crate) async fn snoozed(
        &self,
        of: CollectionId,
        record: &Record,
        object: &CalendarObject,
        ringing: &Ringing,
    ) -> Result<HashMap<Armed, (UserName, u64)>, Refusal> {
        let mut snoozed = HashMap::new();
        for armed in &record.armed {
            let Some((line, _)) = self.store.armed_line(armed, of).await? else { continue };
            let Event::Rang { user, alarm } = line.event else { continue };
            let put_off = |state: State| state == State::Snoozed(armed.at);
            if self.store.rung(&user).await?.iter().any(|rung| rung.alarm.id == alarm.id && put_off(rung.state))
                && !ringing.at(object, armed.at).iter().any(|firing| firing.id == alarm.id)
            {
                snoozed.insert(*armed, (user, alarm.id));
            }
        }
        Ok(snoozed)
    }
}
