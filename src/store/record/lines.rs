//! The lines of the journal: one kind an event; kinds that are no longer written are still read.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::sync::Arc;
use uuid::Uuid;

use crate::domain::collection::CollectionId;
use crate::domain::event::{
    Deed, Demand, Event, GroupChange, GroupFace, Invitation, ListChange, ObjectChange, Published, Rang, Sockets,
};
use crate::domain::import::Stand;
use crate::domain::object::Span;
use crate::domain::sync::Token;
use crate::store::record::alarms::{
    RangRow, StateRow, WordsRow, rang, rang_row, state_back, state_row, words_back, words_row,
};
use crate::store::record::notifications::{NewsRow, news_back, news_row};
use crate::store::record::{VERSION, address, code, decode, label, micros, pack, time, user};
use crate::store::{StoreError, organisations, presence};

/// A journal line: when it was written, from when it may be told, and what happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub written: DateTime<Utc>,
    pub not_before: Option<DateTime<Utc>>,
    pub event: Event,
}

const LIST_CHANGES: [ListChange; 5] =
    [ListChange::Created, ListChange::Updated, ListChange::Deleted, ListChange::Delegated, ListChange::Subscribed];

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
        Event::Importing { collection, address, import, stand } => {
            let stand = (stand.succeeded, stand.failed, stand.done, stand.total);
            pack((head, 9u8, (collection.0, address.to_string(), import, stand)))
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
        Event::GroupChanged { group, what: GroupChange::Itself } => pack((head, 22u8, group_row(group))),
        Event::GroupChanged { group, what: GroupChange::Queue } => pack((head, 23u8, group_row(group))),
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

type LineHead = ((i64, Option<i64>), u8);

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
        9 => {
            type Row = (u64, String, String, (u64, u64, u64, u64));
            let (id, at, import, (succeeded, failed, done, total)): Row = postcard::from_bytes(rest).map_err(bad)?;
            let stand = Stand { succeeded, failed, done, total };
            Event::Importing { collection: CollectionId(id), address: address(WHAT, &at)?, import, stand }
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
        22 | 23 => Event::GroupChanged {
            group: group(WHAT, postcard::from_bytes(rest).map_err(bad)?)?,
            what: if kind == 22 { GroupChange::Itself } else { GroupChange::Queue },
        },
        _ => return Err(StoreError::Unreadable(WHAT)),
    };
    Ok(Line { written: time(WHAT, head.0)?, not_before: head.1.map(|at| time(WHAT, at)).transpose()?, event })
}
