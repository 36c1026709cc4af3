//! Domain values as versioned bytes and back: one version byte, then a tuple in postcard. An unknown version is an error, never a guess.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::domain::access::{Grant, Right};
use crate::domain::address::{Address, UserName};
use crate::domain::alarm::{Action, Rung, State};
use crate::domain::bearer::{Bearer, Purpose, Standing};
use crate::domain::channel::{CHANNELS, Channels, Ntfy, Webhook};
use crate::domain::collection::{Collection, CollectionId, Source};
use crate::domain::dead::DeadProperty;
use crate::domain::delivery::{Delivery, DeliveryId, Errand};
use crate::domain::device::{Device, Scope};
use crate::domain::event::{
    Deed, Demand, Event, GroupFace, Invitation, ListChange, ObjectChange, Published, Rang, Sockets, Words,
};
use crate::domain::import::{Counts, Failure, Import, Media, Status, Upload};
use crate::domain::notification::{
    self, Alignment, Answer, Conversation, ConversationId, Message, MessageId, News, Statistics, Unread,
};
use crate::domain::object::{Armed, BodyId, Component, Etag, Record, Span, Stands};
use crate::domain::organisation::Id;
use crate::domain::principal::Principal;
use crate::domain::sync::{Change, Token};
use crate::domain::ticket::Ticket;
use crate::store::StoreError;
use crate::store::{organisations, presence};

const VERSION: u8 = 1;

pub(crate) fn pack(tuple: impl Serialize) -> Bytes {
    // Serializing plain tuples into a growing vector has no failure: no maps of unknown length, no custom impls.
    let bytes = postcard::to_extend(&tuple, vec![VERSION]).unwrap_or_default();
    Bytes::from(bytes)
}

pub(crate) fn unpack<T: DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, StoreError> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => postcard::from_bytes(rest).map_err(|_| StoreError::Unreadable(what)),
        _ => Err(StoreError::Unreadable(what)),
    }
}

/// The tuple that a row begins with, and what follows it: rows grow at their end.
fn unpack_some<'a, T: serde::Deserialize<'a>>(
    what: &'static str,
    bytes: &'a [u8],
) -> Result<(T, &'a [u8]), StoreError> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => postcard::take_from_bytes(rest).map_err(|_| StoreError::Unreadable(what)),
        _ => Err(StoreError::Unreadable(what)),
    }
}

fn more<T: DeserializeOwned>(what: &'static str, rest: &[u8]) -> Result<T, StoreError> {
    postcard::from_bytes(rest).map_err(|_| StoreError::Unreadable(what))
}

pub(crate) fn micros(at: DateTime<Utc>) -> i64 {
    at.timestamp_micros()
}

pub(crate) fn time(what: &'static str, micros: i64) -> Result<DateTime<Utc>, StoreError> {
    DateTime::from_timestamp_micros(micros).ok_or(StoreError::Unreadable(what))
}

pub(crate) fn user(what: &'static str, name: &str) -> Result<UserName, StoreError> {
    UserName::new(name).ok_or(StoreError::Unreadable(what))
}

fn address(what: &'static str, text: &str) -> Result<Address, StoreError> {
    Address::parse(text).ok_or(StoreError::Unreadable(what))
}

fn right_code(right: Right) -> u8 {
    match right {
        Right::None => 0,
        Right::Read => 1,
        Right::ReadWrite => 2,
        Right::Administration => 3,
        Right::Owner => 4,
    }
}

fn right_back(what: &'static str, code: u8) -> Result<Right, StoreError> {
    [Right::None, Right::Read, Right::ReadWrite, Right::Administration, Right::Owner]
        .get(usize::from(code))
        .copied()
        .ok_or(StoreError::Unreadable(what))
}

pub fn pack_principal(p: &Principal) -> Bytes {
    pack((p.name.as_str(), &p.email, &p.display_name, &p.password_hash, &p.timezone, p.administrator))
}

pub fn principal(bytes: &[u8]) -> Result<Principal, StoreError> {
    let (name, email, display_name, password_hash, timezone, administrator): (String, _, _, _, _, _) =
        unpack("user", bytes)?;
    Ok(Principal { name: user("user", &name)?, email, display_name, password_hash, timezone, administrator })
}

pub fn pack_ticket(t: &Ticket) -> Bytes {
    pack((t.user.as_str(), t.client_address, micros(t.generated_on), micros(t.valid_until), &t.device))
}

pub fn ticket(bytes: &[u8]) -> Result<Ticket, StoreError> {
    type Row = (String, IpAddr, i64, i64);
    // Tickets of the minute before an update have no device behind them.
    let ((name, client_address, generated_on, valid_until), device): (Row, Option<String>) =
        match unpack::<(String, IpAddr, i64, i64, Option<String>)>("ticket", bytes) {
            Ok((name, address, generated_on, valid_until, device)) => {
                ((name, address, generated_on, valid_until), device)
            }
            Err(_) => (unpack("ticket", bytes)?, None),
        };
    Ok(Ticket {
        device,
        user: user("ticket", &name)?,
        client_address,
        generated_on: time("ticket", generated_on)?,
        valid_until: time("ticket", valid_until)?,
    })
}

pub fn pack_device(d: &Device) -> Bytes {
    let scope = (d.scope.dav, d.scope.push, d.scope.read);
    pack((&d.id, d.user.as_str(), &d.name, scope, micros(d.created), d.used.map(micros)))
}

pub fn device(bytes: &[u8]) -> Result<Device, StoreError> {
    const WHAT: &str = "app password";
    type Row = (String, String, String, (bool, bool, bool), i64, Option<i64>);
    let (id, name_of, name, (dav, push, read), created, used): Row = unpack(WHAT, bytes)?;
    Ok(Device {
        id,
        user: user(WHAT, &name_of)?,
        name,
        scope: Scope { dav, push, read },
        created: time(WHAT, created)?,
        used: used.map(|at| time(WHAT, at)).transpose()?,
    })
}

const PURPOSES: [Purpose; 3] = [Purpose::User, Purpose::Internal, Purpose::ExternalApi];

pub fn pack_bearer(b: &Bearer) -> Bytes {
    let standing = (code(&PURPOSES, &b.standing.purpose), b.standing.admin, b.standing.master);
    pack(((b.user.as_str(), b.until.map(micros)), b.session.into_bytes(), &b.acl, standing, b.trusted))
}

pub fn bearer(bytes: &[u8]) -> Result<Bearer, StoreError> {
    const WHAT: &str = "token";
    type Head = (String, Option<i64>);
    type Row = (Head, [u8; 16], Option<Vec<String>>, (u8, bool, bool), bool);
    let row = unpack::<Row>(WHAT, bytes).or_else(|_| {
        // Older rows are the head alone: tokens with the usual list, whose session nobody was told.
        unpack::<Head>(WHAT, bytes).map(|head| (head, [0; 16], None, (0, false, false), false))
    });
    let ((name, until), session, acl, (purpose, admin, master), trusted) = row?;
    Ok(Bearer {
        user: user(WHAT, &name)?,
        until: until.map(|at| time(WHAT, at)).transpose()?,
        session: Uuid::from_bytes(session),
        acl,
        standing: Standing { purpose: decode(WHAT, &PURPOSES, purpose)?, admin, master },
        trusted,
    })
}

type CollectionRow = (
    u64,
    String,
    Option<(bool, String, u64)>,
    (String, String, String, Vec<String>, Option<String>),
    Vec<(String, u8, String)>,
    Option<u8>,
    (u64, u64, u64, u64),
    bool,
);

pub fn pack_collection(c: &Collection) -> Bytes {
    let source = match &c.source {
        Source::Own => None,
        Source::Delegated(address, id) => Some((true, address.to_string(), id.0)),
        Source::Subscribed(address, id) => Some((false, address.to_string(), id.0)),
    };
    let grants: Vec<(&str, u8, &str)> =
        c.grants.iter().map(|grant| (grant.user.as_str(), right_code(grant.right), grant.mirror.as_str())).collect();
    pack((
        c.id.0,
        c.address.to_string(),
        source,
        (&c.display_name, &c.description, &c.color, &c.components, &c.timezone),
        grants,
        c.public.map(right_code),
        (c.token.0, c.floor.0, c.objects, c.subscriptions),
        c.alarms,
        c.transparent,
    ))
}

pub fn collection(bytes: &[u8]) -> Result<Collection, StoreError> {
    const WHAT: &str = "collection";
    let ((id, at, source, face, grants, public, counters, alarms), rest) = unpack_some::<CollectionRow>(WHAT, bytes)?;
    // Rows from before there was such a thing end here.
    let transparent = if rest.is_empty() { false } else { more(WHAT, rest)? };
    let (display_name, description, color, components, timezone) = face;
    let (token, floor, objects, subscriptions) = counters;
    let source = match source {
        None => Source::Own,
        Some((true, text, id)) => Source::Delegated(address(WHAT, &text)?, CollectionId(id)),
        Some((false, text, id)) => Source::Subscribed(address(WHAT, &text)?, CollectionId(id)),
    };
    let grants = grants
        .into_iter()
        .map(|(name, right, mirror)| Ok(Grant { user: user(WHAT, &name)?, right: right_back(WHAT, right)?, mirror }))
        .collect::<Result<_, StoreError>>()?;
    Ok(Collection {
        id: CollectionId(id),
        address: address(WHAT, &at)?,
        source,
        display_name,
        description,
        color,
        components,
        timezone,
        grants,
        public: public.map(|code| right_back(WHAT, code)).transpose()?,
        token: Token(token),
        floor: Token(floor),
        objects,
        alarms,
        transparent,
        subscriptions,
    })
}

const COMPONENTS: [Component; 6] = [
    Component::Event,
    Component::Todo,
    Component::Journal,
    Component::FreeBusy,
    Component::Availability,
    Component::Card,
];

pub(crate) fn code<T: PartialEq>(all: &[T], one: &T) -> u8 {
    all.iter().position(|other| other == one).unwrap_or(0) as u8
}

pub(crate) fn decode<T: Copy>(what: &'static str, all: &[T], code: u8) -> Result<T, StoreError> {
    all.get(usize::from(code)).copied().ok_or(StoreError::Unreadable(what))
}

type ObjectRow =
    ((String, String, u8, String, u64), Option<(i64, Option<i64>)>, i64, (u64, u32), Option<i64>, Vec<(i64, u64, u32)>);

pub fn pack_object(r: &Record) -> Bytes {
    let armed: Vec<(i64, u64, u32)> = r.armed.iter().map(|a| (micros(a.at), a.stamp, a.part)).collect();
    pack((
        (&*r.name, &r.uid, code(&COMPONENTS, &r.component), r.etag.as_str(), r.size),
        r.span.map(|span| (micros(span.start), span.end.map(micros))),
        micros(r.modified),
        (r.body.stamp, r.body.part),
        r.due.map(micros),
        armed,
        (micros(r.created), r.schedule_tag.as_deref(), r.dead),
        (r.stands.edge.map(micros), r.stands.hold.map(|(rank, at)| (rank, micros(at))), r.stands.invited.map(micros)),
    ))
}

pub fn object(bytes: &[u8]) -> Result<Record, StoreError> {
    const WHAT: &str = "object";
    let (row, rest) = unpack_some::<ObjectRow>(WHAT, bytes)?;
    let ((name, uid, component, etag, size), span, modified, (stamp, part), due, armed) = row;
    // Rows from before there were such things end here.
    type Stood = (Option<i64>, Option<(u8, i64)>, Option<i64>);
    type More = ((i64, Option<String>, u8), Stood);
    let ((created, schedule_tag, dead), (edge, hold, invited)) =
        if rest.is_empty() { ((modified, None, 0), (None, None, None)) } else { more::<More>(WHAT, rest)? };
    let span = span
        .map(|(start, end)| {
            Ok::<_, StoreError>(Span { start: time(WHAT, start)?, end: end.map(|end| time(WHAT, end)).transpose()? })
        })
        .transpose()?;
    Ok(Record {
        name: Arc::from(name),
        uid,
        component: decode(WHAT, &COMPONENTS, component)?,
        etag: Etag(Arc::from(etag)),
        size,
        span,
        modified: time(WHAT, modified)?,
        body: BodyId { stamp, part },
        due: due.map(|at| time(WHAT, at)).transpose()?,
        armed: armed
            .into_iter()
            .map(|(at, stamp, part)| Ok(Armed { at: time(WHAT, at)?, stamp, part }))
            .collect::<Result<_, StoreError>>()?,
        created: time(WHAT, created)?,
        schedule_tag: schedule_tag.map(Arc::from),
        dead,
        stands: Stands {
            edge: edge.map(|at| time(WHAT, at)).transpose()?,
            hold: hold.map(|(rank, at)| Ok::<_, StoreError>((rank, time(WHAT, at)?))).transpose()?,
            invited: invited.map(|at| time(WHAT, at)).transpose()?,
        },
    })
}

/// All dead properties of one holder.
pub fn pack_dead(properties: &[DeadProperty]) -> Bytes {
    pack(properties.iter().map(|one| (&one.space, &one.local, &one.value)).collect::<Vec<_>>())
}

/// Reads them; no bytes are no properties.
pub fn dead(bytes: &[u8]) -> Result<Vec<DeadProperty>, StoreError> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<(String, String, String)> = unpack("dead properties", bytes)?;
    Ok(rows.into_iter().map(|(space, local, value)| DeadProperty { space, local, value }).collect())
}

pub fn pack_change(change: Change, name: &str) -> Bytes {
    pack((matches!(change, Change::Removed), name))
}

pub fn change(bytes: &[u8]) -> Result<(Change, String), StoreError> {
    let (removed, name): (bool, String) = unpack("change", bytes)?;
    Ok((if removed { Change::Removed } else { Change::Written }, name))
}

const MEDIA: [Media; 2] = [Media::Calendar, Media::Card];
const STATUS: [Status; 4] = [Status::Queued, Status::Running, Status::Completed, Status::Failed];

type ImportRow = (String, String, String, String, i64, u8, (u64, u64), (u64, u64, u64, u64));

pub fn pack_import(i: &Import) -> Bytes {
    pack((
        &i.id,
        i.user.as_str(),
        &i.file,
        i.target.to_string(),
        micros(i.asked),
        code(&STATUS, &i.status),
        (i.cursor, i.total),
        (i.counts.created, i.counts.updated, i.counts.unchanged, i.counts.failed),
    ))
}

pub fn import(bytes: &[u8]) -> Result<Import, StoreError> {
    const WHAT: &str = "import";
    let (id, name, file, target, asked, status, (cursor, total), counts): ImportRow = unpack(WHAT, bytes)?;
    let (created, updated, unchanged, failed) = counts;
    Ok(Import {
        id,
        user: user(WHAT, &name)?,
        file,
        target: address(WHAT, &target)?,
        asked: time(WHAT, asked)?,
        status: decode(WHAT, &STATUS, status)?,
        cursor,
        total,
        counts: Counts { created, updated, unchanged, failed },
    })
}

pub fn pack_failure(f: &Failure) -> Bytes {
    pack((f.line, &f.uid, &f.why))
}

pub fn failure(bytes: &[u8]) -> Result<Failure, StoreError> {
    let (line, uid, why) = unpack("import failure", bytes)?;
    Ok(Failure { line, uid, why })
}

pub fn pack_upload(u: &Upload) -> Bytes {
    pack((&u.id, u.user.as_str(), &u.name, code(&MEDIA, &u.media), u.size, micros(u.stored)))
}

pub fn upload(bytes: &[u8]) -> Result<Upload, StoreError> {
    const WHAT: &str = "upload";
    let (id, owner, name, media, size, stored): (String, String, String, u8, u64, i64) = unpack(WHAT, bytes)?;
    Ok(Upload {
        id,
        user: user(WHAT, &owner)?,
        name,
        media: decode(WHAT, &MEDIA, media)?,
        size,
        stored: time(WHAT, stored)?,
    })
}

/// A journal line: when it was written, from when it may be told, and what happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub written: DateTime<Utc>,
    pub not_before: Option<DateTime<Utc>>,
    pub event: Event,
}

const LIST_CHANGES: [ListChange; 5] =
    [ListChange::Created, ListChange::Updated, ListChange::Deleted, ListChange::Delegated, ListChange::Subscribed];
const ACTIONS: [Action; 3] = [Action::Display, Action::Audio, Action::Email];

pub fn pack_line(line: &Line) -> Bytes {
    let head = (micros(line.written), line.not_before.map(micros));
    match &line.event {
        Event::Changed { collection, address, token, objects } => {
            // Kind 0 was a change without its objects.
            let objects: Vec<_> = objects.iter().map(object_change_row).collect();
            pack((head, 0x20u8, (collection.0, address.to_string(), token.0), objects))
        }
        Event::RightsChanged { collection, address } => pack((head, 1u8, (collection.0, address.to_string()))),
        Event::ListChanged { user, change, address } => {
            pack((head, 2u8, (user.as_str(), code(&LIST_CHANGES, change), address.to_string())))
        }
        Event::Imported { collection, address, import, counts } => {
            pack((head, 3u8, (collection.0, address.to_string(), import, counts)))
        }
        // Kind 4 was an alarm without attendees; kind 6 is one without words.
        Event::Rang { user, alarm } => match words_row(alarm) {
            None => pack((head, 6u8, rang_row(user, alarm), &alarm.attendees)),
            words => pack((head, 8u8, rang_row(user, alarm), &alarm.attendees, words)),
        },
        // Kind 5 was all sockets of a person.
        Event::SignedOut { user, whose } => {
            let whose = match whose {
                Sockets::All => None,
                Sockets::Own => Some(None),
                Sockets::Device(id) => Some(Some(id)),
            };
            pack((head, 7u8, user.as_str(), whose))
        }
        Event::TokenEnded { user, session } => pack((head, 0x21u8, (user.as_str(), session.into_bytes()))),
        Event::Answered { user, alarm, state } => pack((head, 0x22u8, rang_row(user, alarm), state_row(*state))),
        Event::Published(published) => {
            let demand = match &published.demand {
                Demand::Unsaid => (0u8, ""),
                Demand::Nothing => (1, ""),
                Demand::Grant(required) => (2, required.as_str()),
            };
            let users: Vec<[u8; 16]> = published.users.iter().map(|user| user.into_bytes()).collect();
            let places = (published.tenant.into_bytes(), published.origin.into_bytes());
            let whom = (users, published.everybody);
            pack((head, 0x23u8, (&published.name, demand, places, whom, &published.body)))
        }
        Event::Notified { user, news } => pack((head, 40u8, user.as_str(), news_row(news))),
        Event::PresenceChanged { news } => pack((head, 20u8, presence::news_row(news))),
        Event::MemberChanged { group, summary, news } => {
            pack((head, 21u8, group_row(group), organisations::summary_row(summary), presence::news_row(news)))
        }
        Event::GroupChanged { group } => pack((head, 22u8, group_row(group))),
    }
}

const DEEDS: [Deed; 3] = [Deed::Created, Deed::Updated, Deed::Deleted];
const INVITATIONS: [Invitation; 2] = [Invitation::Received, Invitation::Replied];

type ObjectChangeRow = ((String, String, String), u8, Option<(i64, Option<i64>)>, bool, Option<u8>);

fn object_change_row(change: &ObjectChange) -> impl Serialize {
    (
        (change.name.to_string(), change.uid.clone(), change.summary.clone()),
        code(&DEEDS, &change.deed),
        change.span.map(|span| (micros(span.start), span.end.map(micros))),
        change.private,
        change.invitation.map(|invitation| code(&INVITATIONS, &invitation)),
    )
}

fn object_change(what: &'static str, row: ObjectChangeRow) -> Result<ObjectChange, StoreError> {
    let ((name, uid, summary), deed, span, private, invitation) = row;
    Ok(ObjectChange {
        name: Arc::from(name),
        uid,
        deed: decode(what, &DEEDS, deed)?,
        summary,
        span: span.map(|span| span_back(what, span)).transpose()?,
        private,
        invitation: invitation.map(|code| decode(what, &INVITATIONS, code)).transpose()?,
    })
}

fn span_back(what: &'static str, (start, end): (i64, Option<i64>)) -> Result<Span, StoreError> {
    Ok(Span { start: time(what, start)?, end: end.map(|end| time(what, end)).transpose()? })
}

fn group_row(group: &GroupFace) -> (&str, &str, u64) {
    (group.organisation.as_str(), group.id.as_str(), group.number)
}

fn group(what: &'static str, (organisation, id, number): (String, String, u64)) -> Result<GroupFace, StoreError> {
    Ok(GroupFace { organisation: label(what, &organisation)?, id: label(what, &id)?, number })
}

pub(crate) fn label(what: &'static str, text: &str) -> Result<Id, StoreError> {
    Id::new(text).ok_or(StoreError::Unreadable(what))
}

type LineHead = ((i64, Option<i64>), u8);
type RangRow = (String, i64, (String, String), (u8, String), (i64, i64, u64));

pub fn line(bytes: &[u8]) -> Result<Line, StoreError> {
    const WHAT: &str = "journal";
    let Some((&VERSION, rest)) = bytes.split_first() else { return Err(StoreError::Unreadable(WHAT)) };
    let bad = |_| StoreError::Unreadable(WHAT);
    let ((head, kind), rest) = postcard::take_from_bytes::<LineHead>(rest).map_err(bad)?;
    let event = match kind {
        0 => {
            let (id, at, token): (u64, String, u64) = postcard::from_bytes(rest).map_err(bad)?;
            let (collection, address, token) = (CollectionId(id), address(WHAT, &at)?, Token(token));
            Event::Changed { collection, address, token, objects: Arc::default() }
        }
        0x20 => {
            let ((id, at, token), objects): ((u64, String, u64), Vec<ObjectChangeRow>) =
                postcard::from_bytes(rest).map_err(bad)?;
            let objects = objects.into_iter().map(|row| object_change(WHAT, row)).collect::<Result<_, _>>()?;
            let (collection, address, token) = (CollectionId(id), address(WHAT, &at)?, Token(token));
            Event::Changed { collection, address, token, objects }
        }
        0x21 => {
            let (name, session): (String, [u8; 16]) = postcard::from_bytes(rest).map_err(bad)?;
            Event::TokenEnded { user: user(WHAT, &name)?, session: Uuid::from_bytes(session) }
        }
        0x22 => {
            let (row, state): (RangRow, StateRow) = postcard::from_bytes(rest).map_err(bad)?;
            let (user, alarm) = rang(WHAT, row)?;
            Event::Answered { user, alarm, state: state_back(WHAT, state)? }
        }
        0x23 => {
            type Row = (String, (u8, String), ([u8; 16], [u8; 16]), (Vec<[u8; 16]>, bool), String);
            let (name, demand, (tenant, origin), (users, everybody), body): Row =
                postcard::from_bytes(rest).map_err(bad)?;
            let demand = match demand {
                (0, _) => Demand::Unsaid,
                (1, _) => Demand::Nothing,
                (2, required) => Demand::Grant(required),
                _ => return Err(StoreError::Unreadable(WHAT)),
            };
            Event::Published(Arc::new(Published {
                name,
                demand,
                tenant: Uuid::from_bytes(tenant),
                origin: Uuid::from_bytes(origin),
                users: users.into_iter().map(Uuid::from_bytes).collect(),
                everybody,
                body,
            }))
        }
        1 => {
            let (id, at): (u64, String) = postcard::from_bytes(rest).map_err(bad)?;
            Event::RightsChanged { collection: CollectionId(id), address: address(WHAT, &at)? }
        }
        2 => {
            let (name, change, at): (String, u8, String) = postcard::from_bytes(rest).map_err(bad)?;
            Event::ListChanged {
                user: user(WHAT, &name)?,
                change: decode(WHAT, &LIST_CHANGES, change)?,
                address: address(WHAT, &at)?,
            }
        }
        3 => {
            let (id, at, import, counts): (u64, String, String, Option<(u64, u64)>) =
                postcard::from_bytes(rest).map_err(bad)?;
            Event::Imported { collection: CollectionId(id), address: address(WHAT, &at)?, import, counts }
        }
        4 => {
            let (user, alarm) = rang(WHAT, postcard::from_bytes(rest).map_err(bad)?)?;
            Event::Rang { user, alarm }
        }
        6 => {
            let (row, attendees): (RangRow, Vec<String>) = postcard::from_bytes(rest).map_err(bad)?;
            let (user, alarm) = rang(WHAT, row)?;
            Event::Rang { user, alarm: Rang { attendees, ..alarm } }
        }
        40 => {
            let (name, row): (String, NewsRow) = postcard::from_bytes(rest).map_err(bad)?;
            Event::Notified { user: user(WHAT, &name)?, news: Box::new(news_back(WHAT, row)?) }
        }
        5 => {
            let name: String = postcard::from_bytes(rest).map_err(bad)?;
            Event::SignedOut { user: user(WHAT, &name)?, whose: Sockets::All }
        }
        7 => {
            let (name, whose): (String, Option<Option<String>>) = postcard::from_bytes(rest).map_err(bad)?;
            let whose = match whose {
                None => Sockets::All,
                Some(None) => Sockets::Own,
                Some(Some(id)) => Sockets::Device(id),
            };
            Event::SignedOut { user: user(WHAT, &name)?, whose }
        }
        8 => {
            let (row, attendees, words): (RangRow, Vec<String>, WordsRow) = postcard::from_bytes(rest).map_err(bad)?;
            let (user, alarm) = rang(WHAT, row)?;
            Event::Rang { user, alarm: Rang { attendees, words: words_back(words), ..alarm } }
        }
        20 => {
            let row = postcard::from_bytes(rest).map_err(bad)?;
            Event::PresenceChanged { news: Arc::new(presence::news(WHAT, row)?) }
        }
        21 => {
            let (of, summary, row): ((String, String, u64), _, _) = postcard::from_bytes(rest).map_err(bad)?;
            Event::MemberChanged {
                group: group(WHAT, of)?,
                summary: organisations::summary(summary),
                news: Arc::new(presence::news(WHAT, row)?),
            }
        }
        22 => Event::GroupChanged { group: group(WHAT, postcard::from_bytes(rest).map_err(bad)?)? },
        _ => return Err(StoreError::Unreadable(WHAT)),
    };
    Ok(Line { written: time(WHAT, head.0)?, not_before: head.1.map(|at| time(WHAT, at)).transpose()?, event })
}

/// An alarm that rang, as the journal, the list of rung alarms and deliveries keep it; its attendees stand beside it, where they matter.
fn rang_row(user: &UserName, alarm: &Rang) -> impl Serialize {
    (
        user.as_str().to_owned(),
        micros(alarm.at),
        (alarm.object.collection().to_string(), alarm.object.name().to_owned()),
        (code(&ACTIONS, &alarm.action), alarm.summary.clone()),
        (micros(alarm.start), micros(alarm.end), alarm.id),
    )
}

fn rang(what: &'static str, row: RangRow) -> Result<(UserName, Rang), StoreError> {
    let (name, at, (collection, object), (action, summary), (start, end, id)) = row;
    let object = address(what, &collection)?.object(&object).ok_or(StoreError::Unreadable(what))?;
    let alarm = Rang {
        at: time(what, at)?,
        object,
        action: decode(what, &ACTIONS, action)?,
        summary,
        start: time(what, start)?,
        end: time(what, end)?,
        id,
        attendees: Vec::new(),
        words: None,
    };
    Ok((user(what, &name)?, alarm))
}

type WordsRow = Option<(String, String)>;

fn words_row(alarm: &Rang) -> WordsRow {
    alarm.words.as_ref().map(|words| (words.subject.clone(), words.text.clone()))
}

fn words_back(row: WordsRow) -> Option<Box<Words>> {
    row.map(|(subject, text)| Box::new(Words { subject, text }))
}

type StateRow = (u8, Option<i64>);

fn state_row(state: State) -> StateRow {
    match state {
        State::Waiting => (0, None),
        State::Told => (1, None),
        State::Acknowledged => (2, None),
        State::Snoozed(until) => (3, Some(micros(until))),
    }
}

fn state_back(what: &'static str, row: StateRow) -> Result<State, StoreError> {
    Ok(match row {
        (0, _) => State::Waiting,
        (1, _) => State::Told,
        (2, _) => State::Acknowledged,
        (3, Some(until)) => State::Snoozed(time(what, until)?),
        _ => return Err(StoreError::Unreadable(what)),
    })
}

pub fn pack_rung(rung: &Rung) -> Bytes {
    let (state, until) = state_row(rung.state);
    pack((rang_row(&rung.user, &rung.alarm), state, until))
}

pub fn rung(bytes: &[u8]) -> Result<Rung, StoreError> {
    const WHAT: &str = "rung alarm";
    let (row, state, until): (RangRow, u8, Option<i64>) = unpack(WHAT, bytes)?;
    let (user, alarm) = rang(WHAT, row)?;
    Ok(Rung { user, alarm, state: state_back(WHAT, (state, until))? })
}

pub fn pack_channels(c: &Channels) -> Bytes {
    let webhook = c.webhook.as_ref().map(|w| (&w.url, &w.secret, w.stopped.map(micros)));
    pack((c.email, webhook, c.ntfy.as_ref().map(|ntfy| (&ntfy.url, &ntfy.token)), c.writes_back))
}

pub fn channels(bytes: &[u8]) -> Result<Channels, StoreError> {
    const WHAT: &str = "channels";
    type Row = (bool, Option<(String, String, Option<i64>)>, Option<(String, Option<String>)>);
    // Rows of before there was a way back end here.
    let ((email, webhook, ntfy), rest): (Row, &[u8]) = unpack_some(WHAT, bytes)?;
    let writes_back = if rest.is_empty() { false } else { more(WHAT, rest)? };
    let webhook = webhook
        .map(|(url, secret, stopped)| {
            let stopped = stopped.map(|at| time(WHAT, at)).transpose()?;
            Ok::<_, StoreError>(Webhook { url, secret, stopped })
        })
        .transpose()?;
    Ok(Channels { email, webhook, ntfy: ntfy.map(|(url, token)| Ntfy { url, token }), writes_back })
}

const KINDS: [notification::Kind; 6] = [
    notification::Kind::Invitation,
    notification::Kind::Update,
    notification::Kind::Cancellation,
    notification::Kind::Reply,
    notification::Kind::Alarm,
    notification::Kind::Import,
];
const STATES: [notification::State; 3] =
    [notification::State::Pending, notification::State::Delivered, notification::State::Failed];
const ALIGNMENTS: [Alignment; 3] = [Alignment::Left, Alignment::Right, Alignment::Center];
const ANSWERS: [Answer; 5] =
    [Answer::NeedsAction, Answer::Accepted, Answer::Declined, Answer::Tentative, Answer::Delegated];

type MessageRow = (u128, (u8, u8, u8), (String, String), (Option<String>, Option<String>), Option<i64>, (i64, i64));

fn message_row(m: &Message) -> MessageRow {
    (
        m.id.0.as_u128(),
        (code(&KINDS, &m.kind), code(&ALIGNMENTS, &m.alignment), code(&STATES, &m.state)),
        (m.text.clone(), m.sender.clone()),
        (m.object.clone(), m.recurrence_id.clone()),
        m.start.map(micros),
        (micros(m.sent_at), m.order),
    )
}

fn message_back(what: &'static str, row: MessageRow) -> Result<Message, StoreError> {
    let (id, (kind, alignment, state), (text, sender), (object, recurrence_id), start, (sent_at, order)) = row;
    Ok(Message {
        id: MessageId(Uuid::from_u128(id)),
        kind: decode(what, &KINDS, kind)?,
        alignment: decode(what, &ALIGNMENTS, alignment)?,
        state: decode(what, &STATES, state)?,
        text,
        sender,
        object,
        start: start.map(|at| time(what, at)).transpose()?,
        recurrence_id,
        sent_at: time(what, sent_at)?,
        order,
    })
}

pub fn pack_message(m: &Message) -> Bytes {
    pack(message_row(m))
}

pub fn message(bytes: &[u8]) -> Result<Message, StoreError> {
    message_back("message", unpack("message", bytes)?)
}

type ConversationRow = (u128, (String, String, String), (i64, i64), u128, u32, Vec<(u128, u8, i64)>, i64);

pub fn pack_conversation(c: &Conversation) -> Bytes {
    let unread: Vec<_> =
        c.unread.iter().map(|one| (one.id.0.as_u128(), code(&KINDS, &one.kind), micros(one.sent_at))).collect();
    pack((
        c.id.0.as_u128(),
        (c.channel.to_string(), &c.uid, &c.title),
        (micros(c.created), micros(c.last_at)),
        c.last.0.as_u128(),
        c.messages,
        unread,
        c.counted,
    ))
}

pub fn conversation(bytes: &[u8]) -> Result<Conversation, StoreError> {
    const WHAT: &str = "conversation";
    let (id, (channel, uid, title), (created, last_at), last, messages, unread, counted): ConversationRow =
        unpack(WHAT, bytes)?;
    let unread = unread.into_iter().map(|(id, kind, at)| {
        let (kind, sent_at) = (decode(WHAT, &KINDS, kind)?, time(WHAT, at)?);
        Ok::<_, StoreError>(Unread { id: MessageId(Uuid::from_u128(id)), kind, sent_at })
    });
    Ok(Conversation {
        id: ConversationId(Uuid::from_u128(id)),
        channel: address(WHAT, &channel)?,
        uid,
        title,
        created: time(WHAT, created)?,
        last: MessageId(Uuid::from_u128(last)),
        last_at: time(WHAT, last_at)?,
        messages,
        unread: unread.collect::<Result<_, _>>()?,
        counted,
    })
}

pub fn pack_statistics(s: &Statistics) -> Bytes {
    pack((s.unread, s.messages))
}

pub fn statistics(bytes: &[u8]) -> Result<Statistics, StoreError> {
    let (unread, messages) = unpack("statistics", bytes)?;
    Ok(Statistics { unread, messages })
}

type StandingRow = (bool, Option<u8>, bool, u32, u64, Vec<(u64, u8)>);

pub fn pack_standing(s: &notification::Standing) -> Bytes {
    let attendees: Vec<_> = s.attendees.iter().map(|(who, answer)| (*who, code(&ANSWERS, answer))).collect();
    pack((s.own, s.answer.map(|answer| code(&ANSWERS, &answer)), s.cancelled, s.sequence, s.digest, attendees))
}

pub fn standing(bytes: &[u8]) -> Result<notification::Standing, StoreError> {
    const WHAT: &str = "standing of an invitation";
    let (own, answer, cancelled, sequence, digest, attendees): StandingRow = unpack(WHAT, bytes)?;
    let read = |(who, code): (u64, u8)| Ok::<_, StoreError>((who, decode(WHAT, &ANSWERS, code)?));
    Ok(notification::Standing {
        own,
        answer: answer.map(|code| decode(WHAT, &ANSWERS, code)).transpose()?,
        cancelled,
        sequence,
        digest,
        attendees: attendees.into_iter().map(read).collect::<Result<_, _>>()?,
    })
}

type NewsRow = (u128, String, String, Option<(MessageRow, bool)>, (u64, i64), (u64, bool));

fn news_row(n: &News) -> NewsRow {
    let message = n.message.as_ref().map(|(message, created)| (message_row(message), *created));
    let (unread, total) = ((n.unread, n.counted), (n.total, n.first));
    (n.conversation.0.as_u128(), n.channel.to_string(), n.title.clone(), message, unread, total)
}

fn news_back(what: &'static str, row: NewsRow) -> Result<News, StoreError> {
    let (conversation, channel, title, message, (unread, counted), (total, first)) = row;
    let message = message.map(|(row, created)| Ok::<_, StoreError>((message_back(what, row)?, created)));
    Ok(News {
        conversation: ConversationId(Uuid::from_u128(conversation)),
        channel: address(what, &channel)?,
        title,
        message: message.transpose()?,
        unread,
        counted,
        total,
        first,
    })
}

const ERRANDS: [Errand; 2] = [Errand::Ring, Errand::Clear];

pub fn pack_delivery(d: &Delivery) -> Bytes {
    let way = (code(&CHANNELS, &d.channel), code(&ERRANDS, &d.errand), &d.recipient);
    pack((d.id.0, way, rang_row(&d.user, &d.alarm), micros(d.planned), d.attempts, &d.why, words_row(&d.alarm)))
}

pub fn delivery(bytes: &[u8]) -> Result<Delivery, StoreError> {
    const WHAT: &str = "delivery";
    type Row = (u128, (u8, u8, String), RangRow, i64, u32, String);
    // Rows of before mails had words end here.
    let ((id, (channel, errand, recipient), row, planned, attempts, why), rest): (Row, &[u8]) =
        unpack_some(WHAT, bytes)?;
    let words = if rest.is_empty() { None } else { words_back(more(WHAT, rest)?) };
    let (user, alarm) = rang(WHAT, row)?;
    let alarm = Rang { words, ..alarm };
    Ok(Delivery {
        id: DeliveryId(id),
        user,
        channel: decode(WHAT, &CHANNELS, channel)?,
        errand: decode(WHAT, &ERRANDS, errand)?,
        recipient,
        alarm,
        planned: time(WHAT, planned)?,
        attempts,
        why,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_from_before_its_last_field_is_read() {
        let at = Address::parse("/calendars/alice/work").expect("an address");
        let made = Collection { transparent: true, ..Collection::new(at, Source::Own, "Work", 7) };
        let row = pack_collection(&made);
        assert_eq!(collection(&row).expect("a row"), made);
        let before = Collection { transparent: false, ..made };
        assert_eq!(collection(&row[..row.len() - 1]).expect("an older row"), before);
        assert!(collection(&row[..row.len() - 2]).is_err());
    }

    fn alarm(words: Option<Box<Words>>) -> Rang {
        let object = Address::parse("/calendars/alice/default").and_then(|at| at.object("a.ics")).expect("a name");
        let at = DateTime::UNIX_EPOCH;
        let attendees = vec!["a@example.org".to_owned()];
        Rang {
            at,
            object,
            action: Action::Email,
            summary: "Tea".to_owned(),
            start: at,
            end: at,
            id: 7,
            attendees,
            words,
        }
    }

    #[test]
    fn what_an_alarm_says_comes_back() {
        let user = UserName::new("alice").expect("a name");
        for words in [None, Words::new("Subject", ""), Words::new("Subject", "Text")] {
            let event = Event::Rang { user: user.clone(), alarm: alarm(words) };
            let kept = Line { written: DateTime::UNIX_EPOCH, not_before: Some(DateTime::UNIX_EPOCH), event };
            assert_eq!(line(&pack_line(&kept)).ok(), Some(kept));
        }
    }

    #[test]
    fn rows_that_have_grown_are_still_read() {
        let webhook: Option<(String, String, Option<i64>)> = None;
        let old = pack((true, webhook, Some(("https://ntfy.sh/t", None::<String>))));
        let read = channels(&old).expect("an old row");
        assert!(read.email && read.ntfy.is_some() && !read.writes_back);
        let new = Channels { writes_back: true, ..read };
        assert!(channels(&pack_channels(&new)).is_ok_and(|again| again == new));

        let user = UserName::new("alice").expect("a name");
        let bare = alarm(None);
        let old = pack((7u128, (0u8, 0u8, "a@example.org"), rang_row(&user, &bare), 0i64, 2u32, "why"));
        let read = delivery(&old).expect("an old row");
        assert_eq!((read.attempts, &read.alarm.words), (2, &None));
        let said = Delivery { alarm: Rang { words: Words::new("s", "t"), ..read.alarm.clone() }, ..read };
        assert_eq!(delivery(&pack_delivery(&said)).ok(), Some(said));
    }
}
