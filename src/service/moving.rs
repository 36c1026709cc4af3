//! Objects that go to another place, and collections that get another name. Each in one commit: nobody ever sees both or neither.

use std::sync::Arc;

use bytes::Bytes;

use crate::domain::access::{Right, right_of, writes as may_write};
use crate::domain::address::{Address, ObjectAddress, UserName};
use crate::domain::collection::{Collection, ListNews, Source, list_changes};
use crate::domain::dead::Holder;
use crate::domain::event::{Event, ListChange};
use crate::domain::notification::ConversationId;
use crate::domain::object::{Precondition, Record};
use crate::domain::principal::Principal;
use crate::domain::refusal::{Fault, Refusal};
use crate::domain::scheduling::{Parcel, Rule};
use crate::kv::Writes;
use crate::service::Service;
use crate::service::carrying::Carried;
use crate::service::collections::{View, standing, tell};
use crate::service::ledger::{Ledger, Wanted};
use crate::service::objects::{
    Prepared, Written, check_component, check_uid, etags, gone, lay, seal, seen_object, unlay,
};
use crate::service::principals::still_there;
use crate::service::scheduling::plan::Plan;
use crate::service::veil;
use crate::store::journal::Pen;
use crate::store::{collections, dead, keys, notifications, objects, record, scheduling};

/// How often a text is read and planned again because it or its zone changed meanwhile.
const TRIES: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Copy,
    Move,
}

/// What goes where.
#[derive(Clone, Debug)]
pub struct Transfer {
    pub from: ObjectAddress,
    pub to: ObjectAddress,
    pub way: Way,
    /// Whether what stands there already is replaced.
    pub overwrite: bool,
}

/// What a transfer rests on, as it was read before the commit.
struct Grounds {
    source: Collection,
    target: Collection,
    found: Record,
    prepared: Prepared,
    /// What it means for others, where it goes into another home.
    plan: Plan,
    zones: (Option<String>, Option<String>),
    /// What its owner heard of it, where it stays theirs.
    carried: Option<Carried>,
    /// In what others heard of it nothing needs reading any more.
    wanted: Wanted,
    read: Vec<(UserName, ConversationId)>,
}

impl Service {
    /// Copies or moves an object, with its dead properties, between collections of one kind or within one. `precondition` is about the
    /// object that goes. `None` where it would go to where it is.
    pub async fn transfer(
        &self,
        caller: &Principal,
        transfer: Transfer,
        precondition: Precondition,
    ) -> Result<Option<Written>, Refusal> {
        let from = self.view(&caller.name, transfer.from.collection()).await?;
        let to = self.view(&caller.name, transfer.to.collection()).await?;
        if (transfer.way == Way::Move && !from.writes()) || !to.writes() {
            return Err(Refusal::Forbidden);
        }
        if from.source.address.kind() != to.source.address.kind() {
            return Err(Fault::whole("an object goes to a collection of its own kind").into());
        }
        if from.source.id == to.source.id && transfer.from.name() == transfer.to.name() {
            return Ok(None);
        }
        for _ in 0..TRIES {
            let grounds = self.grounds(&caller.name, &from, &to, &transfer).await?;
            let (parcels, changed) = (grounds.plan.parcels.clone(), grounds.plan.text.is_some());
            if let Some(written) = self.try_transfer(caller, &transfer, grounds, &precondition).await? {
                self.carry_now(&parcels).await;
                return Ok(Some(Written { changed, ..written }));
            }
        }
        Err(Refusal::Busy { limit: "this object keeps changing", retry_seconds: 1 })
    }

    async fn grounds(
        &self,
        caller: &UserName,
        from: &View,
        to: &View,
        transfer: &Transfer,
    ) -> Result<Grounds, Refusal> {
        let name = transfer.from.name();
        // The zone is read before the alarms are planned in it, so a change that comes between is seen.
        let owner = self.store.principal(to.source.address.user()).await?;
        let target = self.store.collection(&to.source.address).await?.filter(|found| found.id == to.source.id);
        let target = target.ok_or(Refusal::NotFound)?;
        let (found, bytes) = self.store.object_with_body(from.source.id, name).await?.ok_or(Refusal::NotFound)?;
        // Whoever may not read it copies what they see.
        let veils = from.veils(&found);
        let bytes = if veils { veil::veiled(target.address.kind(), &bytes, &self.line_limits()) } else { bytes };
        let (source, bound) = (from.source.clone(), (&target, owner.as_ref()));
        let plan = self.plan_transfer(caller, &source, bound, &found, transfer, &bytes).await?;
        let prepared = self.prepare(&target, plan.text.clone().unwrap_or(bytes), self.now()).await?;
        let zones = (target.timezone.clone(), owner.and_then(|owner| owner.timezone));
        let (mut carried, mut wanted, mut read) = (None, Wanted::default(), Vec::new());
        if transfer.way == Way::Move {
            let places = source.address.object(name).zip(target.address.object(transfer.to.name()));
            let stays = source.address.user() == target.address.user();
            if let Some((old, new)) = places.filter(|_| stays) {
                carried = Some(self.carried(&old, &new, &found.uid).await?);
            }
            if source.id != target.id {
                let kept = carried.is_some().then(|| source.address.user().clone());
                let mut all = Wanted::default();
                read = self.unread_about(&source, &found.uid, &mut all).await?;
                read.retain(|(user, _)| Some(user) != kept.as_ref());
                wanted = all.of(|user| Some(user) != kept.as_ref());
            }
        }
        Ok(Grounds { source, target, found, prepared, plan, zones, carried, wanted, read })
    }

    /// What a transfer means for others: RFC 6638 3.2.3. Within a home it means nothing, and of one UID there is one scheduling object, so
    /// that a second one is refused; into another home it is a PUT there, and, where it moves, a DELETE here.
    async fn plan_transfer(
        &self,
        caller: &UserName,
        source: &Collection,
        (target, owner): (&Collection, Option<&Principal>),
        found: &Record,
        transfer: &Transfer,
        bytes: &Bytes,
    ) -> Result<Plan, Refusal> {
        let name = transfer.to.name();
        let scheduled = found.schedule_tag.is_some();
        if source.address.user() == target.address.user() {
            if scheduled
                && transfer.way == Way::Copy
                && source.id != target.id
                && let Some(at) = source.address.object(&found.name)
            {
                let why = Fault::whole(format!("{at} is the same: a copy in another calendar would be a second one"));
                return Err(Refusal::Unschedulable { rule: Rule::Unique(at), why });
            }
            // What is replaced may be asked for by others.
            let there = self.store.object(target.id, name).await?;
            if !there.is_some_and(|there| there.schedule_tag.is_some() && there.uid == found.uid) {
                return Ok(Plan::default());
            }
        }
        let any = Precondition::default();
        let mut plan = self.plan_put(caller, target, owner, name, bytes, &any).await?;
        if transfer.way == Way::Move && source.address.user() != target.address.user() {
            let theirs = self.store.principal(source.address.user()).await?;
            plan.parcels.extend(self.plan_delete(source, theirs.as_ref(), found, true).await?);
        }
        Ok(plan)
    }

    /// `None` where something that it rests on changed since it was read.
    async fn try_transfer(
        &self,
        caller: &Principal,
        transfer: &Transfer,
        grounds: Grounds,
        precondition: &Precondition,
    ) -> Result<Option<Written>, Refusal> {
        let Grounds { source, target, found, prepared, plan, zones, carried, wanted, read } = grounds;
        let leaving = Holder::Object(source.id, found.name.clone());
        let mut reads = vec![
            keys::collection(&source.address),
            keys::object(source.id, &found.name),
            keys::collection(&target.address),
            keys::object(target.id, transfer.to.name()),
            keys::uid(target.id, &prepared.uid),
            keys::user(target.address.user()),
        ];
        let deads = if found.dead > 0 { dead::rows(&leaving) } else { Vec::new() };
        let (talk, heard) = (reads.len() + deads.len(), carried.as_ref().map(Carried::reads).unwrap_or_default());
        let others = talk + heard.len();
        reads.extend(deads.into_iter().chain(heard).chain(wanted.reads()));
        let (user, now, precondition) = (caller.name.clone(), self.now(), precondition.clone());
        let (name, way, overwrite) = (Arc::<str>::from(transfer.to.name()), transfer.way, transfer.overwrite);
        let (nudge, room) = (prepared.due, self.settings.limits.room);
        let (_, written) = self
            .commit(reads, move |seen, stamp| {
                let mut from = standing(seen.first(), source.id)?;
                let may =
                    if way == Way::Move { may_write(&user, &from) } else { right_of(&user, &from) >= Right::Read };
                if !may {
                    return Err(Refusal::Forbidden);
                }
                let current = seen_object(seen.get(1))?.ok_or(Refusal::NotFound)?;
                if way == Way::Move {
                    veil::check(right_of(&user, &from), Some(&current))?;
                }
                if !precondition.allows(Some(&current)) {
                    return Err(Refusal::Precondition);
                }
                let mut to = standing(seen.get(2), target.id)?;
                if !may_write(&user, &to) {
                    return Err(Refusal::Forbidden);
                }
                let before = seen_object(seen.get(3))?;
                veil::check(right_of(&user, &to), before.as_ref())?;
                if before.is_some() && !overwrite {
                    return Err(Refusal::Precondition);
                }
                let within = from.id == to.id;
                let at_home = from.address.user() == to.address.user();
                // Its own old place may hold the UID while it moves within a collection.
                let holder = seen.get(4).filter(|row| !(within && way == Way::Move && holds(row, &current.name)));
                check_uid(&to, &prepared.uid, &name, before.as_ref(), holder)?;
                check_component(&to, prepared.component)?;
                if !(within && way == Way::Move) {
                    room.check(&to, before.as_ref(), prepared.bytes.len())?;
                }
                let owner =
                    seen.get(5).and_then(Option::as_ref).map(|row| record::people::principal(row)).transpose()?;
                let zones_now = (to.timezone.clone(), owner.and_then(|owner| owner.timezone));
                let stood = plan.stood.as_ref().is_none_or(|stood| etags(before.as_ref()) == etags(stood.as_ref()));
                if !stood || current.body != found.body || current.dead != found.dead || zones_now != zones {
                    return Ok((Vec::new(), None));
                }
                let kept = dead::seen(seen.get(6..talk).unwrap_or_default())?;
                let (mut writes, mut pen, mut part) = (Writes::new(), Pen::new(now, stamp.0), 0);
                if let Some(carried) = &carried
                    && !carried.write(&mut writes, seen.get(talk..others).unwrap_or_default(), (now, stamp.0))?
                {
                    return Ok((Vec::new(), None));
                }
                let mut ledger = Ledger::open(&wanted, seen.get(others..).unwrap_or_default(), now)?;
                read.iter().for_each(|(user, of)| ledger.read(user, *of, |_| true, false));
                ledger.close(&mut writes, stamp.0);
                if way == Way::Move {
                    if !within {
                        // Should it come there again, it is an invitation again.
                        notifications::write_standing(&mut writes, from.id, &current.uid, None);
                    }
                    dead::remove(&mut writes, &leaving, current.dead);
                    unlay(&mut writes, &mut from, &current, now, stamp, 0);
                    part = 1;
                    if within {
                        (to.objects, to.bytes) = (from.objects, from.bytes);
                    }
                }
                for parcel in &plan.parcels {
                    scheduling::write(&mut writes, &Parcel { stamp: stamp.0, ..parcel.clone() });
                }
                let created = before.is_none();
                let replaced = before.as_ref().map_or(0, |before| before.dead);
                let (mut laid, _) = lay(&mut writes, &mut to, before, &prepared, &[], &name, now, stamp, part);
                // RFC 4918 15.1: a move keeps it, a copy is a new one.
                laid.created = if way == Way::Move { current.created } else { laid.created };
                // RFC 6638 3.2.10: where it stands is nothing that others said.
                if way == Way::Move && at_home && laid.schedule_tag.is_some() {
                    laid.schedule_tag.clone_from(&current.schedule_tag);
                }
                let arriving = Holder::Object(to.id, name.clone());
                laid.dead = dead::write(&mut writes, &arriving, replaced, &kept).unwrap_or(0);
                objects::write_record(&mut writes, to.id, &laid);
                let mut changes = Vec::new();
                if way == Way::Move {
                    match within {
                        true => changes.push(gone(&current)),
                        false => drop(seal(&mut pen, &mut writes, from, [gone(&current)].into(), stamp)),
                    }
                }
                changes.push(prepared.change(&name, created));
                let token = seal(&mut pen, &mut writes, to, changes.into(), stamp);
                let Record { etag, schedule_tag, .. } = laid;
                Ok((writes, Some(Written { created, etag, schedule_tag, token, changed: false })))
            })
            .await?;
        if let Some(at) = nudge {
            self.nudge_due(at);
        }
        // Either calendar may speak for its owner's presence, now or at the object's own edge.
        self.nudge_edge(now);
        Ok(written)
    }

    /// Gives a collection of the caller's own another name in the same home. What hangs on its number stays: objects, token, shares,
    /// subscriptions. `Unsupported` for a mirror or a subscription, which is named by the service.
    pub async fn rename_collection(&self, caller: &Principal, from: &Address, to: &Address) -> Result<(), Refusal> {
        for _ in 0..TRIES {
            let view = self.view(&caller.name, from).await?;
            if view.right < Right::Owner || to.user() != &caller.name || to.kind() != from.kind() {
                return Err(Refusal::Forbidden);
            }
            if view.shown.kept.is_some() {
                return Err(Refusal::Unsupported("a calendar that a feed keeps keeps its name".to_owned()));
            }
            if view.shown.source != Source::Own {
                return Err(Refusal::Unsupported("a mirror or a subscription keeps its name".to_owned()));
            }
            let subscribers = self.store.subscribers(view.source.id).await?;
            let carried = self.carried_all(&view.source, to).await?;
            if self.try_rename(view.source, to, subscribers, carried).await? {
                return Ok(());
            }
        }
        Err(Refusal::Busy { limit: "this collection keeps changing", retry_seconds: 1 })
    }

    /// `false` where grants, subscriptions or conversations changed since they were read.
    async fn try_rename(
        &self,
        found: Collection,
        to: &Address,
        subscribers: Vec<Address>,
        carried: Carried,
    ) -> Result<bool, Refusal> {
        let mirrors: Vec<Address> = found.grants.iter().filter_map(|grant| found.mirror(grant)).collect();
        let mut reads = vec![keys::collection(&found.address), keys::collection(to), keys::user(to.user())];
        reads.extend(mirrors.iter().chain(&subscribers).map(keys::collection));
        let leaves = reads.len();
        reads.extend(carried.reads());
        let (to, now) = (to.clone(), self.now());
        let (_, done) = self
            .commit(reads, move |seen, stamp| {
                let before = standing(seen.first(), found.id)?;
                if seen.get(1).is_some_and(Option::is_some) {
                    return Err(Refusal::Exists);
                }
                still_there(seen.get(2))?;
                if before.grants != found.grants || before.subscriptions != found.subscriptions {
                    return Ok((Vec::new(), false));
                }
                let mut writes = Writes::new();
                if !carried.write(&mut writes, seen.get(leaves..).unwrap_or_default(), (now, stamp.0))? {
                    return Ok((Vec::new(), false));
                }
                let mut pen = Pen::new(now, stamp.0);
                let after = Collection { address: to.clone(), ..before.clone() };
                writes.push((keys::collection(&before.address), None));
                collections::write_new(&mut writes, &after);
                let mut news = list_changes(Some(&Collection { grants: Vec::new(), ..before.clone() }), None, &[]);
                news.extend(list_changes(None, Some(&after), &[]));
                for row in seen.iter().take(leaves).skip(3) {
                    let Some(mut leaf) = collections::seen(Some(row))?.filter(|leaf| leaf.origin().1 == before.id)
                    else {
                        continue;
                    };
                    leaf.source = match leaf.source {
                        Source::Delegated(_, id) => Source::Delegated(to.clone(), id),
                        Source::Subscribed(_, id) => Source::Subscribed(to.clone(), id),
                        Source::Own => continue,
                    };
                    collections::write(&mut writes, &leaf);
                    // Its holder's list shows another source.
                    let user = leaf.address.user().clone();
                    news.push(ListNews { user, change: ListChange::Updated, address: leaf.address });
                }
                tell(&mut pen, &mut writes, news);
                // Whoever listens by the old name must ask again.
                pen.tell(&mut writes, Event::RightsChanged { collection: after.id, address: after.address });
                Ok((writes, true))
            })
            .await?;
        Ok(done)
    }
}

fn holds(row: &Option<Bytes>, name: &str) -> bool {
    row.as_ref().is_some_and(|holder| holder == name.as_bytes())
}
