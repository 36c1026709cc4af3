//! Scheduling messages that somebody hands in for their own home: what came by mail, or through a program of theirs. RFC 5546. Nobody can
//! write into another's calendar with one, nor answer for somebody else.

use bytes::Bytes;

use crate::domain::notification::{Draft, Kind, MessageId, Proposed};
use crate::domain::principal::Principal;
use crate::domain::refusal::{Fault, Refusal};
use crate::ical::itip::message::{self, Method};
use crate::ical::itip::party::Party;
use crate::ical::itip::{self, organizer, received as news, reply};
use crate::ical::object::CalendarObject;
use crate::ical::{text, time};
use crate::kv::Writes;
use crate::service::Service;
use crate::service::ledger::{Ledger, Place, Wanted};
use crate::service::scheduling::TRIES;
use crate::service::scheduling::carry::{Follows, organised_by};
use crate::service::scheduling::plan::party_of;

/// A message as it was handed in. Addresses are mail addresses, with or without `mailto:`.
#[derive(Clone, Debug)]
pub struct Received {
    pub sender: String,
    pub recipient: String,
    pub uid: String,
    pub method: String,
    pub text: Bytes,
}

impl Service {
    /// Takes a message into the caller's home: REQUEST, ADD and CANCEL as an attendee, REPLY as the organizer; or brings their COUNTER to the
    /// organizer's inbox, their DECLINECOUNTER to an attendee's. `Forbidden` where the caller is not the recipient (of these two: the sender), where an answer is not the
    /// sender's own or they are not asked, and where somebody else organises. A message that is older than what stands there changes
    /// nothing.
    pub async fn receive_itip(&self, caller: &Principal, received: Received) -> Result<(), Refusal> {
        // Whom it concerns comes before what it says.
        let mine = match Method::parse(&received.method) {
            Some(Method::Counter | Method::DeclineCounter) => &received.sender,
            Some(_) => &received.recipient,
            None => return Err(Fault::whole(format!("no method {:?}", received.method)).into()),
        };
        if !party_of(caller).is_at(&bare(mine)) {
            return Err(Refusal::Forbidden);
        }
        let object = CalendarObject::read(&received.text, &self.line_limits())?;
        let method = message::check(&object)?;
        if Method::parse(&received.method) != Some(method) {
            return Err(Fault::whole("the METHOD of the message is another one").into());
        }
        if object.uid().as_deref() != Some(received.uid.as_str()) {
            return Err(Fault::whole("the UID of the message is another one").into());
        }
        let kept = message::without_method(&received.text, &object);
        let object = CalendarObject::read(&kept, &self.line_limits())?;
        object.storable().map_err(Refusal::Unstorable)?;
        itip::organizer(&object)?;
        let (me, sender) = (party_of(caller), Party::new(&bare(&received.sender), ""));
        match method {
            Method::Counter | Method::DeclineCounter => {
                self.proposed(caller, &me, method, &received, &kept, &object).await
            }
            Method::Reply => self.replied(caller, &me, &sender, &received, &kept, &object).await,
            Method::Request | Method::Add | Method::Cancel => {
                if !organised_by(&object, &sender) || me.is_at(sender.email()) {
                    return Err(Refusal::Forbidden);
                }
                for _ in 0..TRIES {
                    let follows = self.asked_by(caller, &me, &sender, &received.uid, method, &kept, &object).await?;
                    if self.has_followed(caller, follows).await? {
                        return Ok(());
                    }
                }
                Err(Refusal::Busy { limit: "this object keeps changing", retry_seconds: 1 })
            }
        }
    }

    async fn has_followed(&self, caller: &Principal, follows: Option<Follows>) -> Result<bool, Refusal> {
        let Some(follows) = follows else { return Ok(true) };
        match self.follow(caller, follows, None).await {
            Err(Refusal::Precondition | Refusal::UidTaken(_)) => Ok(false),
            done => done,
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one each of what a message is made of")]
    async fn asked_by(
        &self,
        caller: &Principal,
        me: &Party,
        sender: &Party,
        uid: &str,
        method: Method,
        kept: &[u8],
        object: &CalendarObject,
    ) -> Result<Option<Follows>, Refusal> {
        let found = self.find(&caller.name, uid).await?;
        let stands = found.as_ref().and_then(|(_, _, text)| CalendarObject::read(text, &self.line_limits()).ok());
        if let Some(stands) = &stands {
            if !organised_by(stands, sender) {
                return Err(Refusal::Forbidden);
            }
            if news::is_stale(object, stands) {
                return Ok(None);
            }
        }
        let part = match (method, &stands, &found) {
            (Method::Cancel, Some(stands), Some((_, _, text))) if news::is_partial(object) => {
                Some(news::without_instances(text, stands, object))
            }
            (Method::Cancel, ..) => None,
            (Method::Add, Some(stands), Some((_, _, text))) => Some(news::with_instances(text, stands, kept, object)),
            // RFC 5546 3.2.4: to add to what is not there makes no sense.
            (Method::Add, ..) => return Ok(None),
            _ => Some(organizer::part_for(kept, object, me).ok_or(Refusal::Forbidden)?),
        };
        let part = match part {
            Some(part) if method != Method::Request => {
                let object = CalendarObject::read(&part, &self.line_limits())?;
                organizer::part_for(&part, &object, me)
            }
            part => part,
        };
        self.asked_to(caller, me, sender, uid, part, Some(method)).await
    }

    async fn replied(
        &self,
        caller: &Principal,
        me: &Party,
        sender: &Party,
        received: &Received,
        kept: &[u8],
        object: &CalendarObject,
    ) -> Result<(), Refusal> {
        let others = object.components().flat_map(|block| block.properties("ATTENDEE")).any(|it| !sender.is(it));
        let said = reply::replies(object, sender);
        if others || said.is_empty() || !organised_by(object, me) {
            return Err(Refusal::Forbidden);
        }
        for _ in 0..TRIES {
            let found = self.find(&caller.name, &received.uid).await?;
            let (_, _, text) = found.ok_or(Refusal::NotFound)?;
            let mine = CalendarObject::read(&text, &self.line_limits())?;
            let asked = mine.components().any(|block| itip::attendee(block, sender).is_some());
            if !asked || !organised_by(&mine, me) {
                return Err(Refusal::Forbidden);
            }
            let message = message::of_object(kept, object, Method::Reply);
            let follows = self.answered_with(caller, sender, &received.uid, Some((said.clone(), message))).await?;
            if self.has_followed(caller, follows).await? {
                return Ok(());
            }
        }
        Err(Refusal::Busy { limit: "this object keeps changing", retry_seconds: 1 })
    }

    /// RFC 5546 3.2.7, 3.2.8: what an attendee would rather have is the organizer's to decide, and so is to say no to that. Either lies in the
    /// other's inbox, is told to them, and changes nothing else.
    async fn proposed(
        &self,
        caller: &Principal,
        me: &Party,
        method: Method,
        received: &Received,
        kept: &[u8],
        object: &CalendarObject,
    ) -> Result<(), Refusal> {
        let to = self.resident(&bare(&received.recipient)).await?.ok_or(Refusal::NotFound)?;
        let person = self.store.principal(&to).await?.ok_or(Refusal::NotFound)?;
        let declined = method == Method::DeclineCounter;
        let (asks, organizer, attendee) = match declined {
            false => (&person, party_of(&person), me.clone()),
            true => (caller, me.clone(), party_of(&person)),
        };
        let found = self.find(&asks.name, &received.uid).await?;
        let theirs = found.and_then(|(_, _, text)| CalendarObject::read(&text, &self.line_limits()).ok());
        let asked = theirs
            .filter(|theirs| organised_by(theirs, &organizer))
            .is_some_and(|theirs| theirs.components().any(|block| itip::attendee(block, &attendee).is_some()));
        let named = object.components().all(|block| itip::attendee(block, &attendee).is_some());
        if !asked || !named || !organised_by(object, &organizer) {
            return Err(Refusal::Forbidden);
        }
        // Where it stands in the recipient's own calendars: an attendee may have thrown it away, and is told nothing then.
        let Some((at, stands, text)) = self.find(&to, &received.uid).await? else { return Ok(()) };
        let place = Place::of_object(&at.address, &stands.name, &received.uid);
        let stood = CalendarObject::read(&text, &self.line_limits())?;
        let summary = text::unescaped(stood.components().find_map(|block| block.value("SUMMARY")).unwrap_or_default());
        let zone = self.zone_of(&at, Some(&person));
        let first = object.components().next();
        let start = first.and_then(|block| block.property("DTSTART"));
        let start = start.and_then(|start| time::time(start, start.value.trim(), object.zones()).ok());
        let proposed = Proposed {
            who: me.email().to_owned(),
            start: start.map(|start| start.instant(zone)),
            recurrence_id: first.and_then(|block| block.value("RECURRENCE-ID")).map(str::to_owned),
            summary: summary.clone(),
            declined,
        };
        let draft = Draft::counter(&proposed);
        let mut wanted = Wanted::default();
        wanted.message(&place.user, place.conversation, MessageId::of(place.conversation, &draft.key));
        // What the organizer says no to needs no reading any more.
        let own = match declined {
            true => self.find(&caller.name, &received.uid).await?,
            false => None,
        };
        let settled = match &own {
            Some((collection, record, _)) => {
                let place = Place::of_object(&collection.address, &record.name, &received.uid);
                let counters = self.store.conversation(&caller.name, place.conversation).await?;
                let all = counters.map(|talk| talk.unread).unwrap_or_default();
                let mut ids = Vec::new();
                for one in all.into_iter().filter(|one| one.kind == Kind::Counter) {
                    let said = self.store.message(&caller.name, place.conversation, one.id).await?;
                    if said.is_some_and(|said| attendee.is_at(&said.sender.to_lowercase())) {
                        wanted.message(&caller.name, place.conversation, one.id);
                        ids.push(one.id);
                    }
                }
                Some((place, ids))
            }
            None => None,
        };
        let posted = self.posted(&to, message::of_object(kept, object, method)).await?;
        let mut reads = posted.reads();
        let talk = reads.len();
        reads.extend(wanted.reads());
        let now = self.now();
        self.commit(reads, move |seen, stamp| {
            let mut writes = Writes::new();
            posted.lay(&mut writes, seen, now, stamp)?;
            let mut ledger = Ledger::open(&wanted, seen.get(talk..).unwrap_or_default(), now)?;
            ledger.post(&place, &summary, &draft, now);
            if let Some((place, ids)) = &settled {
                ledger.deal_with_those(&place.user, place.conversation, ids);
            }
            ledger.close(&mut writes, stamp.0);
            Ok((writes, ()))
        })
        .await?;
        Ok(())
    }
}

fn bare(address: &str) -> String {
    let address = address.trim().to_lowercase();
    address.strip_prefix("mailto:").unwrap_or(&address).to_owned()
}
