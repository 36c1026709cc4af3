//! What a write or a deletion means for others, worked out before its commit. Carries nothing.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::domain::access::{Right, right_of};
use crate::domain::address::{Kind, UserName};
use crate::domain::collection::Collection;
use crate::domain::notification::{Answer, Answers};
use crate::domain::object::{Precondition, Record};
use crate::domain::principal::Principal;
use crate::domain::refusal::{Fault, Refusal};
use crate::domain::scheduling::{Parcel, Rule, Task, UID_MAX};
use crate::ical::itip::party::{self, Party};
use crate::ical::itip::{self, Breach, attendee, deputy, organizer, reply};
use crate::ical::object::CalendarObject;
use crate::ical::recur::budget::Budget;
use crate::service::Service;
use crate::service::scheduling::ATTENDEES_MAX;

/// What goes along with a write.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    /// The text to be kept, where it is another one than came.
    pub text: Option<Bytes>,
    pub parcels: Vec<Parcel>,
    /// What it answers of single instances, where it is an answer.
    pub answers: Option<Answers>,
    /// It is an attendee's answer and nothing else: the schedule tag stays.
    pub keeps_tag: bool,
    /// What stood there when this was worked out; the outer `None` where that does not matter.
    pub stood: Option<Option<Record>>,
}

/// RFC 6638 3.2.9: it lies in the attendee's home, or will, whatever happens.
const DELIVERED: &str = "1.2";
/// There is no such person.
const UNKNOWN: &str = "3.7";
/// The organizer's object does not ask them.
const NOT_ASKED: &str = "3.8";
/// It could not be brought there.
pub(crate) const UNDELIVERABLE: &str = "5.1";
/// There is no way to them: nobody is sent mail.
const NO_WAY: &str = "5.2";

impl From<Breach> for Refusal {
    fn from(breach: Breach) -> Refusal {
        let (rule, why) = match breach {
            Breach::Attendee(why) => (Rule::Attendee, why),
            Breach::Organizer(why) => (Rule::Organizer, why),
            Breach::Organizers(why) => (Rule::SameOrganizer, why),
        };
        Refusal::Unschedulable { rule, why }
    }
}

/// Who an owner of calendars is among organizers and attendees.
pub(crate) fn party_of(principal: &Principal) -> Party {
    Party::new(&principal.email, principal.name.as_str())
}

fn refused(rule: Rule, why: impl Into<String>) -> Refusal {
    Refusal::Unschedulable { rule, why: Fault::whole(why) }
}

impl Service {
    /// What a write of `text` by `writer` at a place means for others. Refuses what breaks a rule of scheduling; says nothing about what cannot be read,
    /// which is refused elsewhere.
    pub(crate) async fn plan_put(
        &self,
        writer: &UserName,
        source: &Collection,
        owner: Option<&Principal>,
        name: &str,
        text: &Bytes,
        precondition: &Precondition,
    ) -> Result<Plan, Refusal> {
        let Some(owner) = owner.filter(|_| source.address.kind() == Kind::Calendar) else { return Ok(Plan::default()) };
        let record = self.store.object(source.id, name).await?;
        let scheduled = record.as_ref().is_some_and(|record| record.schedule_tag.is_some());
        if !scheduled && !names_organizer(text) {
            return Ok(Plan::default());
        }
        // Whoever comes too late is told that, and not what else would be wrong.
        if !precondition.allows(record.as_ref()) {
            return Err(Refusal::Precondition);
        }
        let keeps_answers = precondition.schedule_tag.is_some();
        let Ok(after) = CalendarObject::read(text, &self.line_limits()) else { return Ok(Plan::default()) };
        if after.storable().is_err() {
            return Ok(Plan::default());
        }
        let stood = if scheduled { self.store.object_with_body(source.id, name).await? } else { None };
        let before = stood.as_ref().and_then(|(_, bytes)| CalendarObject::read(bytes, &self.line_limits()).ok());
        let uid = after.uid().unwrap_or_default();
        let before = before.filter(|before| before.uid().as_deref() == Some(&uid));
        let me = party_of(owner);
        self.check_deputies(source, &me, before.as_ref(), &after).await?;
        let mut plan = self.plan_change(source, &me, name, &uid, text, before.as_ref(), &after, keeps_answers).await?;
        if *writer != owner.name && !plan.parcels.is_empty() {
            plan.text = self.signed(writer, &me, plan.text.as_ref().unwrap_or(text)).await?.or(plan.text);
        }
        plan.stood = Some(stood.map(|(record, _)| record).or(record));
        Ok(plan)
    }

    /// RFC 5545 3.2.18: who is said to write for the owner, and was not before, must be allowed to, where they live here.
    async fn check_deputies(
        &self,
        source: &Collection,
        me: &Party,
        before: Option<&CalendarObject>,
        after: &CalendarObject,
    ) -> Result<(), Refusal> {
        let mut named = deputy::deputies(after, me);
        if let Some(before) = before {
            let known = deputy::deputies(before, me);
            named.retain(|address| !known.contains(address));
        }
        let named: Vec<String> = named.into_iter().collect();
        for resident in self.residents(&named).await?.into_iter().flatten() {
            if right_of(&resident, source) < Right::ReadWrite {
                let organises = itip::organizer(after).ok().flatten().is_some_and(|it| me.is(it));
                let rule = if organises { Rule::Organizer } else { Rule::Attendee };
                return Err(refused(rule, "SENT-BY names somebody who may not write in this calendar"));
            }
        }
        Ok(())
    }

    /// The text with whoever writes it for the owner; `None` where it says so already, or they have no address.
    async fn signed(&self, writer: &UserName, me: &Party, text: &Bytes) -> Result<Option<Bytes>, Refusal> {
        let by = self.store.principal(writer).await?.map(|writer| writer.email).unwrap_or_default();
        if by.is_empty() {
            return Ok(None);
        }
        let object = CalendarObject::read(text, &self.line_limits())?;
        Ok(Some(Bytes::from(deputy::signed(text, &object, me, &by))).filter(|signed| signed != text))
    }

    #[expect(clippy::too_many_arguments, reason = "one each of what a change is made of")]
    async fn plan_change(
        &self,
        source: &Collection,
        me: &Party,
        name: &str,
        uid: &str,
        text: &Bytes,
        before: Option<&CalendarObject>,
        after: &CalendarObject,
        keeps_answers: bool,
    ) -> Result<Plan, Refusal> {
        let is = itip::organizer(after)?;
        // What was kept before there were rules may break them.
        let was = before.and_then(|before| itip::organizer(before).ok().flatten());
        let (organised, organises) = (was.is_some_and(|it| me.is(it)), is.is_some_and(|it| me.is(it)));
        let asked = |object: &CalendarObject| object.components().any(|block| itip::attendee(block, me).is_some());
        if organised || (organises && was.is_none()) {
            if is.is_some() && !organises {
                return Err(refused(Rule::Organizer, "an organizer cannot hand an object over to another one"));
            }
            let after = Some(after).filter(|_| organises);
            return self.plan_organised(source, me, name, uid, text, before, after, keeps_answers).await;
        }
        if organises {
            return Err(refused(Rule::Attendee, "an attendee cannot become the organizer"));
        }
        let Some(theirs) = is else {
            return match (was, before) {
                (Some(_), Some(before)) if asked(before) => {
                    Err(refused(Rule::Attendee, "an attendee cannot take the ORGANIZER away"))
                }
                _ => Ok(Plan::default()),
            };
        };
        if !party::is_ours(theirs) {
            return Ok(Plan::default());
        }
        let to = self.resident(&party::address(theirs)).await?;
        if !asked(after) && !before.is_some_and(asked) {
            // Whoever lives elsewhere may have sent it to somebody else in the house; whoever lives here did not write this.
            return match to {
                Some(_) => {
                    Err(refused(Rule::Organizer, "the ORGANIZER is somebody else, who asks nobody of this home"))
                }
                None => Ok(Plan::default()),
            };
        }
        let news = match (attendee::answers(before.filter(|_| was.is_some()), after, me), &to) {
            // What an organizer elsewhere changes comes by mail, and the attendee's own client brings it.
            (Err(_), None) => false,
            (found, _) => found?,
        };
        if was.is_none() {
            self.check_unique(source, name, uid).await?;
        }
        if !news {
            return Ok(Plan::default());
        }
        let (status, parcels) = match to {
            None => (NO_WAY, Vec::new()),
            Some(_) if uid.len() > UID_MAX => (UNDELIVERABLE, Vec::new()),
            Some(to) if self.is_asked(&to, uid, me).await? => {
                (DELIVERED, vec![self.parcel(source, me, name, uid, to, Task::Reply)])
            }
            Some(_) => (NOT_ASKED, Vec::new()),
        };
        let text = Some(Bytes::from(reply::noted(text, after, status)));
        let keeps_tag = before.is_some_and(|before| attendee::only_answers(before, after, me));
        let answers = (before.is_some() && !parcels.is_empty())
            .then(|| Answers { who: String::new(), instances: answered_apart(before, after, me) });
        Ok(Plan { text, parcels, answers, keeps_tag, stood: None })
    }

    #[expect(clippy::too_many_arguments, reason = "one each of what a change is made of")]
    async fn plan_organised(
        &self,
        source: &Collection,
        me: &Party,
        name: &str,
        uid: &str,
        text: &Bytes,
        before: Option<&CalendarObject>,
        after: Option<&CalendarObject>,
        keeps_answers: bool,
    ) -> Result<Plan, Refusal> {
        let count = after.map_or(0, |after| organizer::attendees(after, me).len());
        if count > ATTENDEES_MAX {
            return Err(refused(Rule::Attendees, format!("more than {ATTENDEES_MAX} attendees")));
        }
        let invited = before.is_some_and(|before| !organizer::attendees(before, me).is_empty());
        if count == 0 && !invited {
            return Ok(Plan::default());
        }
        if before.is_none() {
            self.check_unique(source, name, uid).await?;
        }
        let concerned = organizer::concerned(before, after, me);
        let residents = self.residents(&concerned).await?;
        let mut statuses = BTreeMap::new();
        let mut parcels = Vec::new();
        for (who, to) in concerned.iter().zip(residents) {
            let status = match to {
                _ if uid.len() > UID_MAX => UNDELIVERABLE,
                Some(to) => {
                    // Somebody's own address in another spelling.
                    if to != *source.address.user() {
                        parcels.push(self.parcel(source, me, name, uid, to, Task::Request));
                    }
                    DELIVERED
                }
                None if who.contains('@') && party::principal(who).is_none() => NO_WAY,
                None => UNKNOWN,
            };
            statuses.insert(who.clone(), status);
        }
        let noted = after.map(|after| {
            let notes = organizer::Notes { organizer: me, statuses: &statuses, before, keeps_answers };
            organizer::noted(text, after, &notes)
        });
        let mut noted = noted;
        if let (true, Some(before), Some(now)) = (keeps_answers, before, noted.as_mut()) {
            *now = self.with_answers(source, before, std::mem::take(now)).await?;
        }
        let text = noted.map(Bytes::from).filter(|noted| noted != text);
        Ok(Plan { text, parcels, ..Plan::default() })
    }

    /// An organizer's text with what was answered to single instances meanwhile. RFC 6638 3.2.10.
    async fn with_answers(
        &self,
        source: &Collection,
        before: &CalendarObject,
        mut text: Vec<u8>,
    ) -> Result<Vec<u8>, Refusal> {
        let zone = self.zone_for(source, None).await?;
        let mut budget = Budget::new(self.settings.limits.recurrence_steps);
        let mut object = CalendarObject::read(&text, &self.line_limits())?;
        for (who, replies) in reply::unknown_to(before, &object) {
            let who = Party::new(&who, party::principal(&who).unwrap_or_default());
            if let Some(laid) = reply::laid(&text, &object, &who, &replies, zone, &mut budget) {
                text = laid;
                object = CalendarObject::read(&text, &self.line_limits())?;
            }
        }
        Ok(text)
    }

    /// What it means for others that an object goes. `answers`: whether an attendee's deletion declines; RFC 6638 8.1.
    pub(crate) async fn plan_delete(
        &self,
        source: &Collection,
        owner: Option<&Principal>,
        record: &Record,
        answers: bool,
    ) -> Result<Vec<Parcel>, Refusal> {
        let Some(owner) = owner.filter(|_| record.schedule_tag.is_some() && !source.address.is_mailbox()) else {
            return Ok(Vec::new());
        };
        let Some(bytes) = self.store.body(source.id, record.body, record.size).await? else { return Ok(Vec::new()) };
        let Ok(before) = CalendarObject::read(&bytes, &self.line_limits()) else { return Ok(Vec::new()) };
        let (Ok(Some(theirs)), me) = (itip::organizer(&before), party_of(owner)) else { return Ok(Vec::new()) };
        if record.uid.len() > UID_MAX {
            return Ok(Vec::new());
        }
        let sent = |to: UserName, task| self.parcel(source, &me, &record.name, &record.uid, to, task);
        if me.is(theirs) {
            let concerned = organizer::concerned(Some(&before), None, &me);
            let residents = self.residents(&concerned).await?.into_iter().flatten();
            return Ok(residents.filter(|to| *to != owner.name).map(|to| sent(to, Task::Request)).collect());
        }
        let declined = |reply: &reply::Reply| reply.partstat == "DECLINED";
        let off = before.components().all(|block| block.is("STATUS", "CANCELLED"));
        let said = reply::replies(&before, &me);
        if !answers || off || !party::is_ours(theirs) || said.is_empty() || said.iter().all(declined) {
            return Ok(Vec::new());
        }
        let to = self.resident(&party::address(theirs)).await?;
        Ok(to.filter(|to| *to != owner.name).map(|to| sent(to, Task::Decline)).into_iter().collect())
    }

    fn parcel(&self, source: &Collection, me: &Party, name: &str, uid: &str, to: UserName, task: Task) -> Parcel {
        Parcel {
            to,
            task,
            from: source.address.user().clone(),
            email: me.email().to_owned(),
            collection: source.id,
            name: name.to_owned(),
            uid: uid.to_owned(),
            stamp: 0,
        }
    }

    /// Who of those that live here has a comparable address.
    pub(crate) async fn resident(&self, address: &str) -> Result<Option<UserName>, Refusal> {
        Ok(self.residents(&[address.to_owned()]).await?.pop().flatten())
    }

    /// The same for several, in their order.
    pub(crate) async fn residents(&self, addresses: &[String]) -> Result<Vec<Option<UserName>>, Refusal> {
        let mails: Vec<&str> = addresses.iter().map(String::as_str).collect();
        let mut found = self.store.users_of_mails(&mails).await?;
        for (address, found) in addresses.iter().zip(&mut found) {
            if found.is_none()
                && let Some(name) = party::principal(address).and_then(UserName::new)
            {
                *found = self.store.principal(&name).await?.map(|principal| principal.name);
            }
        }
        Ok(found)
    }

    /// Whether somebody's object of a UID asks an attendee to anything.
    async fn is_asked(&self, organizer: &UserName, uid: &str, who: &Party) -> Result<bool, Refusal> {
        let Some((_, _, bytes)) = self.find(organizer, uid).await? else { return Ok(false) };
        let object = CalendarObject::read(&bytes, &self.line_limits());
        Ok(object.is_ok_and(|object| object.components().any(|block| itip::attendee(block, who).is_some())))
    }

    /// RFC 6638 3.2.4.1: of one UID a person has one scheduling object.
    async fn check_unique(&self, source: &Collection, name: &str, uid: &str) -> Result<(), Refusal> {
        let home = self.store.home(Kind::Calendar, source.address.user()).await?;
        let others: Vec<Collection> = home.into_iter().filter(|other| other.id != source.id && is_own(other)).collect();
        let ids: Vec<_> = others.iter().map(|other| other.id).collect();
        for (other, found) in others.iter().zip(self.store.named(&ids, uid).await?) {
            let Some(found) = found else { continue };
            let scheduled =
                self.store.object(other.id, &found).await?.is_some_and(|record| record.schedule_tag.is_some());
            if let (true, Some(at)) = (scheduled, other.address.object(&found)) {
                let why = format!("{at} is the same: {name} would be a second one");
                return Err(refused(Rule::Unique(at), why));
            }
        }
        Ok(())
    }
}

/// The instances that somebody answers otherwise than the series, and otherwise than before.
pub(crate) fn answered_apart(
    before: Option<&CalendarObject>,
    after: &CalendarObject,
    who: &Party,
) -> Vec<(String, Answer)> {
    let apart = reply::apart(before, after, who).into_iter();
    apart.map(|(at, partstat)| (at, Answer::parse(&partstat))).collect()
}

pub(crate) fn is_own(collection: &Collection) -> bool {
    // What a feed keeps is no place for what its owner organises or is invited to.
    collection.source == crate::domain::collection::Source::Own && collection.kept.is_none()
}

/// Cheap, and never wrong about what names one: a text may name it within another one's value.
fn names_organizer(text: &[u8]) -> bool {
    let wanted = b"ORGANIZER";
    let folded = || text.windows(2).any(|pair| pair == b"\n " || pair == b"\n\t");
    text.windows(wanted.len()).any(|part| part.eq_ignore_ascii_case(wanted)) || (text.len() < 65_536 && folded())
}
