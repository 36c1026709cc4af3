//! Calendar objects and cards: read, written, deleted. Every write is one commit whose decision checks rights, precondition and UID
//! against the current rows.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use sha2::{Digest, Sha256};

use crate::domain::access::{right_of, writes as may_write};
use crate::domain::address::{Address, Kind, ObjectAddress, UserName};
use crate::domain::collection::Collection;
use crate::domain::dead::Holder;
use crate::domain::event::{Deed, Event, Invitation, ObjectChange};
use crate::domain::notification::{Answers, Invited};
use crate::domain::object::{Armed, Body, BodyId, Component, Etag, Precondition, Record, Span, Stands, Tags};
use crate::domain::presence::Standing;
use crate::domain::principal::Principal;
use crate::domain::refusal::{Fault, Refusal};
use crate::domain::scheduling::Parcel;
use crate::domain::sync::{Change, Token};
use crate::ical::acknowledge;
use crate::ical::invited;
use crate::ical::lines::Limits;
use crate::ical::mask;
use crate::ical::object::CalendarObject;
use crate::ical::vcard::Card;
use crate::kv::{Stamp, Writes};
use crate::service::Service;
use crate::service::alarms::Ringing;
use crate::service::answers::{self, Turned};
use crate::service::collections::standing;
use crate::service::ledger::{Ledger, Wanted};
use crate::service::scheduling::inbox::Posted;
use crate::service::veil;
use crate::store::journal::Pen;
use crate::store::{changes, collections, dead, due, keys, notifications, objects, presence, record, scheduling};
use crate::system::random;

/// From this size on, text is read on a thread of its own, so that sockets do not wait for it.
const READ_ASIDE_BYTES: usize = 65_536;
/// How often a text is planned again because its zone changed meanwhile.
const TRIES: usize = 8;

/// What the decision needs to know of an object, derived from its bytes at the door.
#[derive(Clone, Debug)]
pub struct Prepared {
    pub bytes: Bytes,
    pub uid: String,
    pub component: Component,
    pub etag: Etag,
    pub span: Option<Span>,
    /// The moment of the write.
    pub now: DateTime<Utc>,
    /// The next instant at which an alarm of it rings, after that moment.
    pub due: Option<DateTime<Utc>>,
    /// The beginning of what it is called.
    pub summary: String,
    /// CLASS is PRIVATE or CONFIDENTIAL.
    pub private: bool,
    /// Whether it names an organizer, so that it has a schedule tag.
    pub scheduled: bool,
    /// Who was invited by whom, seen by the calendar's owner.
    pub invited: Option<Invited>,
    /// The object as it was read, where it acknowledges alarms: what rang may be among them.
    pub answers: Option<Arc<CalendarObject>>,
    /// What it says of its owner's presence at the moment of the write.
    pub standing: Standing,
}

/// What one commit writes beside an object, and what it rests on beside rights and preconditions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Beside {
    /// Alarms that rang and are answered by the text.
    pub turned: Vec<Turned>,
    /// Armed alarms that outlive the write, as the others do not.
    pub kept: Vec<Armed>,
    /// The record for which all this was worked out; any other refuses the write, so that it is worked out anew.
    pub stands: Option<Record>,
    /// Whether the schedule tag is another one although it was worked out for a record: the organizer's doing.
    pub retagged: bool,
    /// What stood there when this was worked out, where it is a client's write: any other refuses the write likewise.
    pub stood: Option<Option<Record>>,
    /// Whether the schedule tag stays although a client writes: an attendee's answer and nothing else.
    pub keeps_tag: bool,
    /// Where it is an attendee's answer: what it answers of single instances.
    pub answers: Option<Answers>,
    /// Whose homes are to follow.
    pub outgoing: Vec<Parcel>,
    /// The row that brought this, which goes with it; where it is another one by now, nothing is written.
    pub parcel: Option<(Bytes, Bytes)>,
    /// The message that goes into the owner's inbox.
    pub inbox: Option<Posted>,
}

/// What a write did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub created: bool,
    pub etag: Etag,
    pub schedule_tag: Option<Arc<str>>,
    pub token: Token,
    /// Whether other bytes are kept than came: then the client must read them again.
    pub changed: bool,
}

impl Service {
    /// An object with its bytes, exactly as they were sent; where it is private and not the caller's, with its times alone.
    pub async fn object(&self, caller: &Principal, address: &ObjectAddress) -> Result<Body, Refusal> {
        let view = self.view(&caller.name, address.collection()).await?;
        let found = self.store.object_with_body(view.source.id, address.name()).await?;
        let (mut record, mut bytes) = found.ok_or(Refusal::NotFound)?;
        if view.veils(&record) {
            bytes = veil::veiled(address.collection().kind(), &bytes, &self.line_limits());
            record.size = bytes.len() as u64;
        }
        Ok(Body { record, bytes })
    }

    /// Records of a collection in the order of their names, from behind `after`.
    pub async fn objects(
        &self,
        collection: &Collection,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Record>, Refusal> {
        Ok(self.store.objects(collection.id, after, limit).await?)
    }

    /// Stores an object. What stands there already is replaced where the precondition allows it.
    pub async fn put(
        &self,
        caller: &Principal,
        address: &ObjectAddress,
        bytes: Bytes,
        precondition: Precondition,
    ) -> Result<Written, Refusal> {
        for _ in 0..TRIES {
            let view = self.view(&caller.name, address.collection()).await?;
            if !view.writes() {
                return Err(Refusal::Forbidden);
            }
            if let Some(written) = self.try_put(&caller.name, address, &view.source, &bytes, &precondition).await? {
                return Ok(written);
            }
        }
        Err(Refusal::Busy { limit: "the zone of this calendar keeps changing", retry_seconds: 1 })
    }

    /// `None` where the zone that the alarms were planned in changed meanwhile, or what was known of an invitation.
    async fn try_put(
        &self,
        user: &UserName,
        address: &ObjectAddress,
        source: &Collection,
        bytes: &Bytes,
        precondition: &Precondition,
    ) -> Result<Option<Written>, Refusal> {
        let now = self.now();
        // The zone is read before the alarms are planned in it, so a change that comes between is seen.
        let owner = self.store.principal(source.address.user()).await?;
        let plan = self.plan_put(user, source, owner.as_ref(), address.name(), bytes, precondition).await?;
        let changed = plan.text.is_some();
        let prepared = self.prepare(source, plan.text.unwrap_or_else(|| bytes.clone()), now).await?;
        let turned = match &prepared.answers {
            Some(after) => self.answered(source, address.name(), after, &[], None).await?,
            None => Vec::new(),
        };
        let zone = owner.and_then(|owner| owner.timezone);
        let outgoing = plan.parcels.clone();
        let beside = Beside {
            turned,
            stood: plan.stood,
            answers: plan.answers,
            keeps_tag: plan.keeps_tag,
            outgoing: plan.parcels,
            ..Beside::default()
        };
        let written =
            self.write_object(user, address.name(), source, zone, prepared, precondition.clone(), beside).await?;
        if written.is_some() {
            self.carry_now(&outgoing).await;
        }
        Ok(written.map(|written| Written { changed, ..written }))
    }

    /// Stores a new object under a name of the service's choosing, and says which.
    pub async fn add(
        &self,
        caller: &Principal,
        to: &Address,
        bytes: Bytes,
    ) -> Result<(ObjectAddress, Written), Refusal> {
        let name = format!("{}{}", random::uuid(&*self.random), to.kind().suffix());
        let address = to.object(&name).ok_or(Refusal::NotFound)?;
        let nothing_there = Precondition { if_none_match: Some(Tags::Any), ..Precondition::default() };
        let written = self.put(caller, &address, bytes, nothing_there).await?;
        Ok((address, written))
    }

    /// The commit of one object. `None` where something changed since it was prepared: the zones of the calendar and of its owner, which
    /// was `zone`, or what stands there.
    #[expect(clippy::too_many_arguments, reason = "one each of what a write rests on")]
    pub(crate) async fn write_object(
        &self,
        user: &UserName,
        name: &str,
        source: &Collection,
        zone: Option<String>,
        prepared: Prepared,
        precondition: Precondition,
        beside: Beside,
    ) -> Result<Option<Written>, Refusal> {
        let concern = self
            .concern(source, name, &prepared.uid, prepared.invited.as_ref(), &beside.turned, beside.answers.as_ref())
            .await?;
        let mut reads = vec![
            keys::collection(&source.address),
            keys::object(source.id, name),
            keys::uid(source.id, &prepared.uid),
            keys::user(source.address.user()),
            keys::standing(source.id, &prepared.uid),
        ];
        reads.extend(beside.turned.iter().map(|turned| turned.key()));
        let posts = reads.len();
        reads.extend(beside.parcel.iter().map(|(key, _)| key.clone()));
        reads.extend(beside.inbox.iter().flat_map(Posted::reads));
        let messages = reads.len();
        reads.extend(concern.wanted.reads());
        let (now, user, name) = (prepared.now, user.clone(), Arc::<str>::from(name));
        let room = self.settings.limits.room;
        let (id, zones) = (source.id, (source.timezone.clone(), zone));
        let (nudge, edge, turned) = (prepared.due, prepared.standing.edge, beside.turned.clone());
        let (_, written) = self
            .commit(reads, move |seen, stamp| {
                let mut head = standing(seen.first(), id)?;
                if !may_write(&user, &head) {
                    return Err(Refusal::Forbidden);
                }
                let before = seen_object(seen.get(1))?;
                veil::check(right_of(&user, &head), before.as_ref())?;
                if !precondition.allows(before.as_ref()) {
                    return Err(Refusal::Precondition);
                }
                check_uid(&head, &prepared.uid, &name, before.as_ref(), seen.get(2))?;
                check_component(&head, prepared.component)?;
                room.check(&head, before.as_ref(), prepared.bytes.len())?;
                let stands = beside.stands.as_ref().is_none_or(|stands| before.as_ref() == Some(stands));
                let stood = beside.stood.as_ref().is_none_or(|stood| etags(before.as_ref()) == etags(stood.as_ref()));
                let mut posts = seen.get(posts..messages).unwrap_or_default().iter();
                let waits =
                    beside.parcel.as_ref().is_none_or(|(_, row)| posts.next().and_then(Option::as_ref) == Some(row));
                if !stands || !stood || !waits || zones != zones_of(&head, seen.get(3))? {
                    return Ok((Vec::new(), None));
                }
                // What is new about an invitation is so beside what was last seen of it.
                let standing =
                    seen.get(4).and_then(Option::as_ref).map(|row| record::notifications::standing(row)).transpose()?;
                if prepared.invited.is_some() && standing != concern.standing {
                    return Ok((Vec::new(), None));
                }
                let mut writes = Vec::new();
                let created = before.is_none();
                writes.extend(beside.parcel.iter().map(|(key, _)| (key.clone(), None)));
                for parcel in &beside.outgoing {
                    scheduling::write(&mut writes, &Parcel { stamp: stamp.0, ..parcel.clone() });
                }
                if let Some(inbox) = &beside.inbox {
                    inbox.lay(&mut writes, posts.as_slice(), now, stamp)?;
                }
                let mut ledger = Ledger::open(&concern.wanted, seen.get(messages..).unwrap_or_default(), now)?;
                concern.tell(&mut ledger, now);
                ledger.close(&mut writes, stamp.0);
                let tag = before.as_ref().and_then(|before| before.schedule_tag.clone());
                let (mut laid, turns) =
                    lay(&mut writes, &mut head, before, &prepared, &beside.kept, &name, now, stamp, 0);
                if let Some(stands) = &beside.stands
                    && !beside.retagged
                    && laid.schedule_tag.is_some()
                {
                    // RFC 6638 3.2.10: neither an attendee's answer nor one to an alarm is a change of those who organise or were invited.
                    laid.schedule_tag.clone_from(&stands.schedule_tag);
                    objects::write_record(&mut writes, id, &laid);
                }
                if beside.keeps_tag && tag.is_some() && laid.schedule_tag.is_some() {
                    laid.schedule_tag = tag;
                    objects::write_record(&mut writes, id, &laid);
                }
                let Record { etag, schedule_tag, .. } = laid;
                let mut pen = Pen::new(now, stamp.0);
                answers::turn(&mut writes, &mut pen, &beside.turned, seen.get(5..).unwrap_or_default())?;
                let invitation = prepared.invited.as_ref().and_then(|invited| invited.news(standing.as_ref()));
                let apart = beside.answers.as_ref().filter(|it| !it.who.is_empty() && !it.instances.is_empty());
                let invitation = invitation.or(apart.map(|_| Invitation::Replied));
                let change = ObjectChange { invitation, ..prepared.change(&name, created) };
                let token = seal(&mut pen, &mut writes, head, [change].into(), stamp);
                Ok((writes, Some((Written { created, etag, schedule_tag, token, changed: false }, turns))))
            })
            .await?;
        let Some((written, turns)) = written else { return Ok(None) };
        self.clear_turned(&turned).await;
        if let Some(at) = nudge {
            self.nudge_due(at);
        }
        if let Some(at) = if turns { Some(now) } else { edge } {
            self.nudge_edge(at);
        }
        Ok(Some(written))
    }

    /// Deletes an object. Of what its owner organises, those who were invited are told; of what they are invited to, the organizer.
    pub async fn delete(
        &self,
        caller: &Principal,
        address: &ObjectAddress,
        precondition: Precondition,
    ) -> Result<Token, Refusal> {
        self.discard(caller, address, precondition, true).await
    }

    /// The same, where an attendee says whether it is an answer: RFC 6638 8.1.
    pub async fn discard(
        &self,
        caller: &Principal,
        address: &ObjectAddress,
        precondition: Precondition,
        answers: bool,
    ) -> Result<Token, Refusal> {
        for _ in 0..TRIES {
            if let Some(token) = self.try_delete(caller, address, precondition.clone(), answers).await? {
                return Ok(token);
            }
        }
        Err(Refusal::Busy { limit: "this object keeps changing", retry_seconds: 1 })
    }

    /// `None` where the object changed since it was looked at whom to tell.
    async fn try_delete(
        &self,
        caller: &Principal,
        address: &ObjectAddress,
        precondition: Precondition,
        answers: bool,
    ) -> Result<Option<Token>, Refusal> {
        let view = self.view(&caller.name, address.collection()).await?;
        // Of an inbox nothing is theirs but to clear it.
        let clears = view.shown.address.is_mailbox();
        if !view.writes() && !clears {
            return Err(Refusal::Forbidden);
        }
        let source = view.source;
        let mut wanted = Wanted::default();
        let object = self.store.object(source.id, address.name()).await?;
        let (mut concerned, mut outgoing) = (Vec::new(), Vec::new());
        if let Some(object) = object.as_ref().filter(|_| !clears) {
            concerned = self.unread_about(&source, &object.uid, &mut wanted).await?;
            if object.schedule_tag.is_some() {
                let owner = self.store.principal(source.address.user()).await?;
                outgoing = self.plan_delete(&source, owner.as_ref(), object, answers).await?;
            }
        }
        let parcels = outgoing.clone();
        let planned = object.filter(|object| object.schedule_tag.is_some());
        let mut reads = vec![keys::collection(&source.address), keys::object(source.id, address.name())];
        reads.extend(wanted.reads());
        let (user, now) = (caller.name.clone(), self.now());
        let (_, token) = self
            .commit(reads, move |seen, stamp| {
                let mut head = standing(seen.first(), source.id)?;
                if !may_write(&user, &head) {
                    return Err(Refusal::Forbidden);
                }
                let before = seen_object(seen.get(1))?;
                veil::check(right_of(&user, &head), before.as_ref())?;
                if !precondition.allows(before.as_ref()) {
                    return Err(if before.is_some() { Refusal::Precondition } else { Refusal::NotFound });
                }
                let before = before.ok_or(Refusal::NotFound)?;
                if before.schedule_tag.is_some() && Some(&before.etag) != planned.as_ref().map(|planned| &planned.etag)
                {
                    return Ok((Vec::new(), None));
                }
                let mut writes = Vec::new();
                for parcel in &outgoing {
                    scheduling::write(&mut writes, &Parcel { stamp: stamp.0, ..parcel.clone() });
                }
                // What is gone needs no reading any more.
                let mut ledger = Ledger::open(&wanted, seen.get(2..).unwrap_or_default(), now)?;
                concerned.iter().for_each(|(user, of)| ledger.read(user, *of, |_| true, false));
                ledger.close(&mut writes, stamp.0);
                notifications::write_standing(&mut writes, head.id, &before.uid, None);
                dead::remove(&mut writes, &Holder::Object(head.id, before.name.clone()), before.dead);
                unlay(&mut writes, &mut head, &before, now, stamp, 0);
                if clears {
                    head.token = Token(stamp.0);
                    collections::write(&mut writes, &head);
                    return Ok((writes, Some(head.token)));
                }
                let token = seal(&mut Pen::new(now, stamp.0), &mut writes, head, [gone(&before)].into(), stamp);
                Ok((writes, Some(token)))
            })
            .await?;
        self.nudge_edge(now);
        if token.is_some() {
            self.carry_now(&parcels).await;
        }
        Ok(token)
    }

    /// Reads what came and derives what is kept beside it. Alarms are planned from `now` on.
    pub(crate) async fn prepare(
        &self,
        collection: &Collection,
        bytes: Bytes,
        now: DateTime<Utc>,
    ) -> Result<Prepared, Refusal> {
        let limit = self.settings.limits.object_bytes;
        if bytes.len() as u64 > limit {
            return Err(Refusal::TooLarge { limit });
        }
        let ringing = self.ringing(collection).await?;
        let kind = collection.address.kind();
        let limits = self.line_limits();
        if bytes.len() < READ_ASIDE_BYTES {
            return prepare(kind, bytes, now, &ringing, &limits);
        }
        tokio::task::spawn_blocking(move || prepare(kind, bytes, now, &ringing, &limits))
            .await
            .unwrap_or_else(|_| Err(self.fault("a reader of objects panicked")))
    }

    pub(crate) fn line_limits(&self) -> Limits {
        Limits { object_bytes: self.settings.limits.object_bytes as usize, ..Limits::default() }
    }

    /// The zone that floating and all-day values of a collection stand in.
    pub(crate) fn zone_of(&self, collection: &Collection, owner: Option<&Principal>) -> Tz {
        let named = |zone: Option<&String>| zone.and_then(|zone| zone.parse().ok());
        named(collection.timezone.as_ref())
            .or_else(|| named(owner.and_then(|owner| owner.timezone.as_ref())))
            .unwrap_or(self.settings.default_zone)
    }
}

fn prepare(
    kind: Kind,
    bytes: Bytes,
    now: DateTime<Utc>,
    ringing: &Ringing,
    limits: &Limits,
) -> Result<Prepared, Refusal> {
    let etag = etag(&bytes);
    match kind {
        Kind::Calendar => {
            let object = CalendarObject::read(&bytes, limits)?;
            object.storable().map_err(Refusal::Unstorable)?;
            if let Some(flaw) = object.flaws().first() {
                tracing::info!(uid = ?object.uid(), flaw = ?flaw.to_string(), "kept as it came, but part of it shows and rings nothing");
            }
            let due = ringing.next_after(&object, now);
            // `storable` made sure of both.
            let (Some(uid), Some(component)) = (object.uid(), object.component()) else {
                return Err(Fault::whole("the object has no UID").into());
            };
            let span = object.span(ringing.zone);
            let private = mask::hides(&object);
            let summary = cut(object.summary());
            let scheduled = object.components().any(|block| block.value("ORGANIZER").is_some());
            let invited = invited::invited(&object, &ringing.policy.user_email, ringing.zone);
            let standing = ringing.standing(&object, now);
            let answers = acknowledge::acknowledges(&object).then(|| Arc::new(object));
            Ok(Prepared {
                uid,
                component,
                etag,
                span,
                now,
                due,
                summary,
                private,
                invited,
                scheduled,
                bytes,
                answers,
                standing,
            })
        }
        Kind::AddressBook => {
            let card = Card::read(&bytes, limits)?;
            card.storable()?;
            let uid = card.uid().ok_or_else(|| Fault::whole("the card has no UID"))?;
            Ok(Prepared {
                uid,
                component: Component::Card,
                etag,
                span: None,
                now,
                due: None,
                summary: cut(&card.name()),
                private: mask::is_private(card.root()),
                invited: None,
                scheduled: false,
                bytes,
                answers: None,
                standing: Standing::default(),
            })
        }
    }
}

impl Prepared {
    /// What listeners are told of its write.
    pub(crate) fn change(&self, name: &Arc<str>, created: bool) -> ObjectChange {
        ObjectChange {
            name: name.clone(),
            uid: cut(&self.uid),
            deed: if created { Deed::Created } else { Deed::Updated },
            summary: self.summary.clone(),
            span: self.span,
            private: self.private,
            invitation: None,
        }
    }
}

/// What listeners are told of an object that is no more.
pub(crate) fn gone(record: &Record) -> ObjectChange {
    ObjectChange {
        name: record.name.clone(),
        uid: cut(&record.uid),
        deed: Deed::Deleted,
        summary: String::new(),
        span: record.span,
        private: false,
        invitation: None,
    }
}

/// RFC 5545 3.8.1.3. What is neither public nor private in words that are known counts as private there, too; here it is what somebody
/// meant to hide that is hidden.
/// As much of a text as a notice carries.
fn cut(text: &str) -> String {
    let mut end = text.len().min(ObjectChange::TEXT_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

/// The first half of the bytes' SHA-256: equal bytes have equal tags, on every node and after every restore.
pub fn etag(bytes: &[u8]) -> Etag {
    let digest = Sha256::digest(bytes);
    let hex: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    Etag(Arc::from(format!("\"{hex}\"")))
}

/// The zones that alarms of a collection are planned in: its own, and its owner's, out of the row of theirs that a decision was handed.
pub(crate) fn zones_of(
    head: &Collection,
    owner: Option<&Option<Bytes>>,
) -> Result<(Option<String>, Option<String>), Refusal> {
    let owner = owner.and_then(Option::as_ref).map(|row| record::people::principal(row)).transpose()?;
    Ok((head.timezone.clone(), owner.and_then(|owner| owner.timezone)))
}

pub(crate) fn etags(record: Option<&Record>) -> Option<(&Etag, bool)> {
    record.map(|record| (&record.etag, record.schedule_tag.is_some()))
}

/// Reads an object row that a decision was handed.
pub(crate) fn seen_object(row: Option<&Option<Bytes>>) -> Result<Option<Record>, Refusal> {
    Ok(row.and_then(Option::as_ref).map(|bytes| record::objects::object(bytes)).transpose()?)
}

/// RFC 4791 5.3.2.1 `no-uid-conflict`: a UID has one place in a collection, and a place keeps its UID.
pub(crate) fn check_uid(
    head: &Collection,
    uid: &str,
    name: &str,
    before: Option<&Record>,
    row: Option<&Option<Bytes>>,
) -> Result<(), Refusal> {
    let holder = row.and_then(Option::as_ref).and_then(|bytes| std::str::from_utf8(bytes).ok());
    let taken = |by: &str| head.address.object(by).map_or(Refusal::Precondition, Refusal::UidTaken);
    match holder {
        Some(holder) if holder != name => Err(taken(holder)),
        _ if before.is_some_and(|before| before.uid != uid) => Err(taken(name)),
        _ => Ok(()),
    }
}

pub(crate) fn check_component(head: &Collection, component: Component) -> Result<(), Refusal> {
    let name = component.as_str();
    if head.components.is_empty() || head.components.iter().any(|taken| taken == name) {
        return Ok(());
    }
    Err(Refusal::Unsupported(format!("{} takes no {name}", head.address)))
}

/// Takes one object's rows away and writes the change. Its owner's presence is derived anew where it spoke for it.
pub(crate) fn unlay(
    writes: &mut Writes,
    head: &mut Collection,
    before: &Record,
    now: DateTime<Utc>,
    stamp: Stamp,
    part: u32,
) {
    objects::remove(writes, head.id, before);
    changes::write(writes, head.id, stamp.0, part, Change::Removed, &before.name);
    head.objects = head.objects.saturating_sub(1);
    head.bytes = head.bytes.saturating_sub(before.size);
    if before.stands.hold.is_some() || before.stands.invited.is_some() {
        presence::remind(writes, now, head.address.user(), stamp.0);
    }
}

/// Writes one object's rows in place of what stood there: bytes, record, UID, change, due row and rows of presence. Answers the record, and
/// whether the presence of its owner is to be derived anew now, which is noted too.
#[expect(clippy::too_many_arguments, reason = "one row each of what a write rests on")]
pub(crate) fn lay(
    writes: &mut Writes,
    head: &mut Collection,
    before: Option<Record>,
    prepared: &Prepared,
    kept: &[Armed],
    name: &Arc<str>,
    now: DateTime<Utc>,
    stamp: Stamp,
    part: u32,
) -> (Record, bool) {
    if prepared.invited.is_some() || before.is_some() {
        let standing = prepared.invited.as_ref().map(Invited::standing);
        notifications::write_standing(writes, head.id, &prepared.uid, standing.as_ref());
    }
    // What was to ring up to now belonged to the text that stood until now: it rings, and what is overdue is looked at from there on.
    let (mut armed, mut due, mut stands) = (Vec::new(), prepared.due, Stands::default());
    let (mut created, mut dead) = (now, 0);
    match before {
        Some(mut before) => {
            (created, dead, stands) = (before.created, before.dead, before.stands);
            armed = before.armed.extract_if(.., |armed| armed.at <= now || kept.contains(armed)).collect();
            due = before.due.filter(|at| *at <= now).or(due);
            head.bytes = head.bytes.saturating_sub(before.size);
            objects::remove(writes, head.id, &before);
        }
        None => head.objects += 1,
    }
    head.bytes += prepared.bytes.len() as u64;
    let mut object = Record {
        name: name.clone(),
        uid: prepared.uid.clone(),
        component: prepared.component,
        etag: prepared.etag.clone(),
        size: prepared.bytes.len() as u64,
        span: prepared.span,
        modified: now,
        body: BodyId { stamp: stamp.0, part },
        due,
        armed,
        created,
        schedule_tag: prepared.scheduled.then(|| Arc::from(format!("\"{:x}-{part:x}\"", stamp.0))),
        dead,
        stands,
        private: Some(prepared.private),
    };
    presence::stand(writes, head.id, &mut object, &prepared.standing, now);
    // An invitation to be answered is news where its owner is in a queue.
    let turns = [&stands, &object.stands].iter().any(|stands| stands.hold.is_some() || stands.invited.is_some());
    if turns {
        presence::remind(writes, now, head.address.user(), stamp.0);
    }
    objects::write(writes, head.id, &object, &prepared.bytes);
    if let Some(at) = object.due {
        due::write(writes, at, head.id, name);
    }
    changes::write(writes, head.id, stamp.0, part, Change::Written, name);
    (object, turns)
}

/// Ends a change of a collection's content: the head gets its new token, the journal its line. Where one commit changes several
/// collections, their lines are numbered by one pen.
pub(crate) fn seal(
    pen: &mut Pen,
    writes: &mut Writes,
    mut head: Collection,
    objects: Arc<[ObjectChange]>,
    stamp: Stamp,
) -> Token {
    head.token = Token(stamp.0);
    collections::write(writes, &head);
    let (collection, address, token) = (head.id, head.address.clone(), head.token);
    pen.tell(writes, Event::Changed { collection, address, token, objects });
    head.token
}
