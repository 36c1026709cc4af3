//! Homes that follow what changed in another: one commit each, in which what was on its way goes. A crash leaves the row, and the next
//! start carries it.

use bytes::Bytes;

use crate::domain::address::{Kind, UserName};
use crate::domain::collection::Collection;
use crate::domain::notification::Answers;
use crate::domain::object::{Precondition, Record, Tags};
use crate::domain::principal::Principal;
use crate::domain::refusal::Refusal;
use crate::domain::scheduling::{Parcel, Task};
use crate::ical::itip::message::{self, Method};
use crate::ical::itip::party::Party;
use crate::ical::itip::reply::{self, Reply};
use crate::ical::itip::{self, organizer, request};
use crate::ical::object::CalendarObject;
use crate::ical::recur::budget::Budget;
use crate::service::Service;
use crate::service::objects::Beside;
use crate::service::scheduling::plan::{UNDELIVERABLE, answered_apart, is_own, party_of};
use crate::service::scheduling::{AT_ONCE, TRIES};
use crate::store::scheduling;

/// Rows that the job looks at at a time.
const PAGE: usize = 64;

/// Wakes the job when a request that carries parcels itself ends, in whatever way.
struct Relief<'s>(&'s Service);

impl Drop for Relief<'_> {
    fn drop(&mut self) {
        self.0.nudges.scheduling.notify_one();
    }
}

/// What becomes of a home.
pub(crate) struct Follows {
    collection: Collection,
    name: String,
    stands: Option<Record>,
    text: Bytes,
    message: Vec<u8>,
    /// Whether this is the organizer's doing, so that the schedule tag is another one.
    retagged: bool,
    /// What it answers, where it is an answer.
    answers: Option<Answers>,
}

impl Service {
    /// Carries what a commit left, where that is little; the job sees to the rest. What fails here the job tries again.
    pub(crate) async fn carry_now(&self, parcels: &[Parcel]) {
        if parcels.is_empty() {
            return;
        }
        let _relief = Relief(self);
        if parcels.len() > AT_ONCE {
            return;
        }
        for parcel in parcels {
            let key = scheduling::key(parcel);
            let carried = match self.store.get(key.clone()).await {
                Ok(Some(row)) => self.carry(&key, &row).await,
                Ok(None) => Ok(()),
                Err(error) => Err(error.into()),
            };
            if let Err(refusal) = carried {
                tracing::error!(to = %parcel.to, %refusal, "an invitation or an answer has to wait");
            }
        }
    }

    /// Carries all that is on its way.
    pub async fn carry_all(&self) -> Result<(), Refusal> {
        let (mut after, mut failed) = (None, None);
        loop {
            let page = self.store.outgoing(after.as_ref(), PAGE).await?;
            for (key, row) in &page {
                // One home that fails holds up no other.
                if let Err(refusal) = self.carry(key, row).await {
                    failed = Some(refusal);
                }
            }
            match page.last() {
                Some((key, _)) if page.len() == PAGE => after = Some(key.clone()),
                _ => return failed.map_or(Ok(()), Err),
            }
        }
    }

    /// Carries one parcel, or sees that somebody else did.
    async fn carry(&self, key: &Bytes, row: &Bytes) -> Result<(), Refusal> {
        let parcel = scheduling::parcel(row)?;
        for _ in 0..TRIES {
            let Some(to) = self.store.principal(&parcel.to).await? else { return self.drop_parcel(key, row).await };
            let follows = match parcel.task {
                Task::Request => self.asked(&parcel, &to).await,
                Task::Reply | Task::Decline => self.answered_by(&parcel, &to).await,
            };
            let done = match follows {
                Ok(Some(follows)) => self.follow(&to, follows, Some((key.clone(), row.clone()))).await,
                Ok(None) => return self.drop_parcel(key, row).await,
                Err(refusal) => Err(refusal),
            };
            match done {
                Ok(true) => return Ok(()),
                Ok(false) | Err(Refusal::Precondition | Refusal::UidTaken(_) | Refusal::NotFound) => {}
                Err(refusal @ (Refusal::Busy { .. } | Refusal::Fault { .. })) => return Err(refusal),
                // It can never be brought there: the text became too large, or cannot be kept.
                Err(refusal) => {
                    tracing::warn!(to = %parcel.to, %refusal, "an invitation or an answer cannot be brought to its home");
                    self.drop_parcel(key, row).await?;
                    return self.undelivered(&parcel, &to).await;
                }
            }
            // Somebody else carried it, or it is another one by now.
            if self.store.get(key.clone()).await?.as_ref() != Some(row) {
                return Ok(());
            }
        }
        Err(Refusal::Busy { limit: "what an invitation is to go into keeps changing", retry_seconds: 1 })
    }

    /// One commit in somebody's own home: the object, the message in their inbox, and what was on its way is gone. `false` where something
    /// changed meanwhile.
    pub(crate) async fn follow(
        &self,
        to: &Principal,
        follows: Follows,
        parcel: Option<(Bytes, Bytes)>,
    ) -> Result<bool, Refusal> {
        let Follows { collection, name, stands, text, message, retagged, answers } = follows;
        let inbox = self.posted(&to.name, message).await?;
        let prepared = self.prepare(&collection, text, self.now()).await?;
        let precondition = match &stands {
            Some(record) => {
                let these = Tags::These(vec![record.etag.as_str().to_owned()]);
                Precondition { if_match: Some(these), ..Precondition::default() }
            }
            None => Precondition { if_none_match: Some(Tags::Any), ..Precondition::default() },
        };
        let beside = Beside { stands, retagged, answers, parcel, inbox: Some(inbox), ..Beside::default() };
        let zone = to.timezone.clone();
        let written = self.write_object(&to.name, &name, &collection, zone, prepared, precondition, beside).await?;
        Ok(written.is_some())
    }

    /// What an attendee's home becomes. `None` where it is so already, or where it is nothing to them.
    async fn asked(&self, parcel: &Parcel, to: &Principal) -> Result<Option<Follows>, Refusal> {
        let (me, sender) = (party_of(to), Party::new(&parcel.email, parcel.from.as_str()));
        let theirs = self.sent(parcel).await?;
        let theirs = theirs.and_then(|text| Some((CalendarObject::read(&text, &self.line_limits()).ok()?, text)));
        // Only an organizer asks; whoever took the object over does not.
        let theirs = theirs.filter(|(object, _)| organised_by(object, &sender));
        let part = theirs.as_ref().and_then(|(object, text)| organizer::part_for(text, object, &me));
        self.asked_to(to, &me, &sender, &parcel.uid, part, None).await
    }

    /// The same for a part of somebody's object that is at hand; `None` where it asks to nothing any more.
    pub(crate) async fn asked_to(
        &self,
        to: &Principal,
        me: &Party,
        sender: &Party,
        uid: &str,
        part: Option<Vec<u8>>,
        method: Option<Method>,
    ) -> Result<Option<Follows>, Refusal> {
        let limits = self.line_limits();
        let found = self.find(&to.name, uid).await?;
        let part = match part {
            Some(text) => Some((CalendarObject::read(&text, &limits)?, text)),
            None => None,
        };
        let Some((collection, record, text)) = found else {
            let Some((object, part)) = part else { return Ok(None) };
            let component = object.component().map_or("VEVENT", |component| component.as_str());
            let collection = self.intake_of(&to.name, component).await?;
            let message = message::of_object(&part, &object, method.unwrap_or(Method::Request));
            let name = self.fresh_name();
            let text = Bytes::from(part);
            return Ok(Some(Follows { collection, name, stands: None, text, message, retagged: true, answers: None }));
        };
        let mine = CalendarObject::read(&text, &limits)?;
        // What they have under this UID is somebody else's: it stays.
        if !organised_by(&mine, sender) {
            return Ok(None);
        }
        let (merged, message) = match part {
            None if mine.components().all(|block| block.is("STATUS", "CANCELLED")) => return Ok(None),
            None => {
                let off = request::cancelled(&text, &mine);
                let object = CalendarObject::read(&off, &limits)?;
                let message = message::of_object(&off, &object, Method::Cancel);
                (off, message)
            }
            Some((asked, part)) => {
                let merged = request::merged(&part, &asked, Some((&text, &mine)), me);
                let object = CalendarObject::read(&merged, &limits)?;
                let lost = request::lost(&mine, &object);
                let message = match !lost.is_empty() && request::only_lost(&mine, &object) {
                    true => message::of_instances(&text, &mine, &lost, me, self.now()),
                    false => message::of_object(&part, &asked, method.unwrap_or(Method::Request)),
                };
                (merged, message)
            }
        };
        if merged == text {
            return Ok(None);
        }
        let name = record.name.to_string();
        Ok(Some(Follows {
            collection,
            name,
            stands: Some(record),
            text: Bytes::from(merged),
            message,
            retagged: true,
            answers: None,
        }))
    }

    /// What an organizer's home becomes by an answer. `None` where it says so already, or where they do not ask whoever answers.
    async fn answered_by(&self, parcel: &Parcel, to: &Principal) -> Result<Option<Follows>, Refusal> {
        let sender = Party::new(&parcel.email, parcel.from.as_str());
        if parcel.task == Task::Decline {
            return self.answered_with(to, &sender, &parcel.uid, None).await;
        }
        let Some(text) = self.sent(parcel).await? else { return Ok(None) };
        let Ok(theirs) = CalendarObject::read(&text, &self.line_limits()) else { return Ok(None) };
        if !organised_by(&theirs, &party_of(to)) {
            return Ok(None);
        }
        let replies = reply::replies(&theirs, &sender);
        let message = message::of_answer(&text, &theirs, &sender, false, self.now());
        self.answered_with(to, &sender, &parcel.uid, Some((replies, message))).await
    }

    /// The same for answers that are at hand; without any, everything is declined.
    pub(crate) async fn answered_with(
        &self,
        to: &Principal,
        sender: &Party,
        uid: &str,
        said: Option<(Vec<Reply>, Vec<u8>)>,
    ) -> Result<Option<Follows>, Refusal> {
        let Some((collection, record, text)) = self.find(&to.name, uid).await? else { return Ok(None) };
        let mine = CalendarObject::read(&text, &self.line_limits())?;
        if !organised_by(&mine, &party_of(to)) {
            return Ok(None);
        }
        let (replies, message) = said.unwrap_or_else(|| {
            let all = reply::replies(&mine, sender);
            let declined = all.into_iter().map(|reply| Reply { partstat: "DECLINED".to_owned(), ..reply });
            (declined.collect(), message::of_answer(&text, &mine, sender, true, self.now()))
        });
        let zone = self.zone_of(&collection, Some(to));
        let mut budget = Budget::new(self.settings.limits.recurrence_steps);
        let laid = reply::laid(&text, &mine, sender, &replies, zone, &mut budget);
        let Some(laid) = laid.filter(|laid| *laid != text) else { return Ok(None) };
        let name = record.name.to_string();
        let after = CalendarObject::read(&laid, &self.line_limits())?;
        let instances = answered_apart(Some(&mine), &after, sender);
        let answers = Some(Answers { who: sender.email().to_owned(), instances });
        let text = Bytes::from(laid);
        Ok(Some(Follows { collection, name, stands: Some(record), text, message, retagged: false, answers }))
    }

    /// The text that a parcel speaks of, if it still stands: where it was, or where it went in the same home meanwhile.
    async fn sent(&self, parcel: &Parcel) -> Result<Option<Bytes>, Refusal> {
        if self.store.collection_by_id(parcel.collection).await?.is_some() {
            let found = self.store.object_with_body(parcel.collection, &parcel.name).await?;
            if let Some((_, text)) = found.filter(|(record, _)| record.uid == parcel.uid) {
                return Ok(Some(text));
            }
        }
        let elsewhere = self.find(&parcel.from, &parcel.uid).await?;
        Ok(elsewhere.filter(|(_, record, _)| record.schedule_tag.is_some()).map(|(_, _, text)| text))
    }

    /// The scheduling object of a UID among somebody's own calendars.
    pub(crate) async fn find(
        &self,
        user: &UserName,
        uid: &str,
    ) -> Result<Option<(Collection, Record, Bytes)>, Refusal> {
        let home = self.store.home(Kind::Calendar, user).await?;
        let own: Vec<Collection> = home.into_iter().filter(is_own).collect();
        let ids: Vec<_> = own.iter().map(|collection| collection.id).collect();
        let mut other = None;
        for (collection, name) in own.into_iter().zip(self.store.named(&ids, uid).await?) {
            let Some(name) = name else { continue };
            let Some((record, text)) = self.store.object_with_body(collection.id, &name).await? else { continue };
            if record.schedule_tag.is_some() {
                return Ok(Some((collection, record, text)));
            }
            other = other.or(Some((collection, record, text)));
        }
        Ok(other)
    }

    async fn drop_parcel(&self, key: &Bytes, row: &Bytes) -> Result<(), Refusal> {
        let (key, row) = (key.clone(), row.clone());
        self.commit(vec![key.clone()], move |seen, _| {
            let same = seen.first().and_then(Option::as_ref) == Some(&row);
            Ok((if same { vec![(key.clone(), None)] } else { Vec::new() }, ()))
        })
        .await?;
        Ok(())
    }

    /// Corrects what the organizer's object says of somebody who could not be told.
    async fn undelivered(&self, parcel: &Parcel, to: &Principal) -> Result<(), Refusal> {
        let Some(owner) = self.store.principal(&parcel.from).await?.filter(|_| parcel.task == Task::Request) else {
            return Ok(());
        };
        for _ in 0..TRIES {
            let Some(collection) = self.store.collection_by_id(parcel.collection).await? else { return Ok(()) };
            let found = self.store.object_with_body(collection.id, &parcel.name).await?;
            let Some((record, text)) = found.filter(|(record, _)| record.uid == parcel.uid) else { return Ok(()) };
            let object = CalendarObject::read(&text, &self.line_limits())?;
            let noted = Bytes::from(organizer::with_status(&text, &object, &party_of(to), UNDELIVERABLE));
            let prepared = self.prepare(&collection, noted, self.now()).await?;
            let beside = Beside { stands: Some(record), ..Beside::default() };
            let zone = owner.timezone.clone();
            let any = Precondition::default();
            let written =
                self.write_object(&owner.name, &parcel.name, &collection, zone, prepared, any, beside).await?;
            if written.is_some() {
                return Ok(());
            }
        }
        Ok(())
    }
}

pub(crate) fn organised_by(object: &CalendarObject, who: &Party) -> bool {
    itip::organizer(object).ok().flatten().is_some_and(|organizer| who.is(organizer))
}
