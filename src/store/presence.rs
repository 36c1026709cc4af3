//! Rows of presence: what was told last of each person, when that can change, and what objects say of their owners now.

use std::ops::Bound;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::domain::address::UserName;
use crate::domain::collection::CollectionId;
use crate::domain::object::{Record, Stands};
use crate::domain::organisation::Member;
use crate::domain::presence::{
    Availability, Call, Direction, Engaged, Engagement, Hold, Line, Manual, News, Presence, RANK_AVAILABILITY, Readers,
    Shown, Standing, Status, Title, Until,
};
use crate::kv::{Range, Writes};
use crate::store::due::Due;
use crate::store::keys;
use crate::store::record::{code, decode, label, micros, pack, time, unpack, user};
use crate::store::{Store, StoreError};

/// Availabilities of one calendar that are looked at; of more, those of the highest priority.
const AVAILABILITIES_MAX: usize = 16;

/// A person whose presence is to be derived anew at an instant; `stamp` is that of the commit that said so last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    pub at: DateTime<Utc>,
    pub user: UserName,
    pub stamp: Bytes,
}

impl Store {
    pub async fn presence(&self, user: &UserName) -> Result<Option<Presence>, StoreError> {
        self.get(keys::presence(user)).await?.map(|bytes| presence(&bytes)).transpose()
    }

    /// The earliest instant at which an object or a person is to be looked at.
    pub async fn next_edge(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let mut next: Option<DateTime<Utc>> = None;
        for shard in 0..keys::SHARDS {
            for range in [keys::object_edges(shard, None), keys::presence_edges(shard, None)] {
                let rows = self.some(range, 1).await?;
                let at = rows.first().and_then(|(key, _)| keys::edge_instant(key));
                next = [next, at].into_iter().flatten().min();
            }
        }
        Ok(next)
    }

    /// Objects whose edges came at `until` or before, the earliest of each shard first; at most `limit` a shard.
    pub async fn object_edges(&self, until: DateTime<Utc>, limit: usize) -> Result<Vec<Due>, StoreError> {
        let mut due = Vec::new();
        for shard in 0..keys::SHARDS {
            let rows = self.some(keys::object_edges(shard, Some(until)), limit).await?;
            due.extend(rows.iter().filter_map(|(key, _)| {
                let (at, collection, name) = keys::object_edge_place(key)?;
                Some(Due { at, collection, name: name.to_owned() })
            }));
        }
        due.sort();
        Ok(due)
    }

    /// People whose edges came at `until` or before; at most `limit` a shard.
    pub async fn presence_edges(&self, until: DateTime<Utc>, limit: usize) -> Result<Vec<Edge>, StoreError> {
        let mut due = Vec::new();
        for shard in 0..keys::SHARDS {
            let rows = self.some(keys::presence_edges(shard, Some(until)), limit).await?;
            due.extend(rows.into_iter().filter_map(|(key, stamp)| {
                let (at, user) = keys::presence_edge_place(&key)?;
                Some(Edge { at, user, stamp })
            }));
        }
        Ok(due)
    }

    /// The strongest engagement of a calendar, and its availabilities of the highest priority.
    pub async fn holds(&self, of: CollectionId) -> Result<(Option<Engagement>, Vec<Availability>), StoreError> {
        let mut engagement = None;
        let mut availabilities = Vec::new();
        let all = keys::holds_from(of, 0);
        let behind = keys::holds_from(of, RANK_AVAILABILITY);
        let events = Range {
            end: match &behind.start {
                Bound::Included(key) => Bound::Excluded(key.clone()),
                other => other.clone(),
            },
            start: all.start,
        };
        for (_, bytes) in self.some(events, 1).await? {
            if let Hold::Event(found) = hold(&bytes)? {
                engagement = Some(found);
            }
        }
        for (_, bytes) in self.some(behind, AVAILABILITIES_MAX).await? {
            if let Hold::Availability(found) = hold(&bytes)? {
                availabilities.push(found);
            }
        }
        Ok((engagement, availabilities))
    }

    /// The invitations of a calendar that have no answer and are not over: since when each waits, and when the first of them is over. At most
    /// one scan of them.
    pub async fn invitations(
        &self,
        of: CollectionId,
        now: DateTime<Utc>,
    ) -> Result<(Vec<DateTime<Utc>>, Option<DateTime<Utc>>), StoreError> {
        let (mut waiting, mut first) = (Vec::new(), None);
        for (_, bytes) in self.some(Range::prefix(&keys::all_invited(of)), INVITATIONS_MAX).await? {
            let (since, until): (i64, Option<i64>) = unpack("invitation", &bytes)?;
            if until.is_none_or(|until| until > micros(now)) {
                waiting.push(time("invitation", since)?);
                first = [first, until].into_iter().flatten().min();
            }
        }
        Ok((waiting, first.map(|until| time("invitation", until)).transpose()?))
    }
}

/// Invitations of one calendar that a snapshot counts.
const INVITATIONS_MAX: usize = 1_000;

/// Asks for somebody's presence to be derived anew at an instant.
pub fn remind(writes: &mut Writes, at: DateTime<Utc>, user: &UserName, stamp: u64) {
    writes.push((keys::presence_edge(at, user), Some(Bytes::copy_from_slice(&stamp.to_be_bytes()))));
}

/// Writes what an object says of its owner, and notes in its record which rows that are. Nothing of an earlier word may be left.
pub fn stand(writes: &mut Writes, of: CollectionId, object: &mut Record, standing: &Standing, now: DateTime<Utc>) {
    object.stands = Stands {
        edge: standing.edge,
        hold: standing.hold.as_ref().map(|hold| (hold.rank(), hold.start())),
        invited: standing.invited.map(|_| object.stands.invited.unwrap_or(now)),
    };
    if let Some(at) = standing.edge {
        writes.push((keys::object_edge(at, of, &object.name), Some(Bytes::new())));
    }
    if let Some(hold) = &standing.hold {
        writes.push((keys::hold(of, hold.rank(), hold.start(), &object.name), Some(pack_hold(hold))));
    }
    if let (Some(invited), Some(since)) = (standing.invited, object.stands.invited) {
        let row = pack((micros(since), invited.until.map(micros)));
        writes.push((keys::invited(of, &object.name), Some(row)));
    }
}

/// Takes away what an object says of its owner.
pub fn leave(writes: &mut Writes, of: CollectionId, object: &Record) {
    let Stands { edge, hold, invited } = object.stands;
    if let Some(at) = edge {
        writes.push((keys::object_edge(at, of, &object.name), None));
    }
    if let Some((rank, start)) = hold {
        writes.push((keys::hold(of, rank, start, &object.name), None));
    }
    if invited.is_some() {
        writes.push((keys::invited(of, &object.name), None));
    }
}

const DIRECTIONS: [Direction; 2] = [Direction::Inbound, Direction::Outbound];

fn status(what: &'static str, byte: u8) -> Result<Status, StoreError> {
    decode(what, &Status::ALL, byte)
}

type CallRow = (String, u8, u8, i64, Option<String>);

fn call_row(call: &Call) -> CallRow {
    let (line, direction) = (code(&Line::ALL, &call.line), code(&DIRECTIONS, &call.direction));
    (call.channel.clone(), line, direction, micros(call.since), call.conference.clone())
}

fn call(what: &'static str, (channel, line, direction, since, conference): CallRow) -> Result<Call, StoreError> {
    Ok(Call {
        channel,
        line: decode(what, &Line::ALL, line)?,
        direction: decode(what, &DIRECTIONS, direction)?,
        since: time(what, since)?,
        conference,
    })
}

type TitleRow = (String, Option<Vec<String>>);
type ShownRow = ((u8, u8), Option<String>, Option<TitleRow>, Option<CallRow>);

fn shown_row(shown: &Shown) -> ShownRow {
    let title = shown.title.as_ref().map(|title| {
        let readers = match &title.readers {
            Readers::Everybody => None,
            Readers::These(readers) => Some(readers.iter().map(|reader| reader.as_str().to_owned()).collect()),
        };
        (title.text.clone(), readers)
    });
    let states = (code(&Status::ALL, &shown.status), code(&Status::ALL, &shown.beneath));
    (states, shown.message.clone(), title, shown.call.as_ref().map(call_row))
}

fn shown(what: &'static str, row: ShownRow) -> Result<Shown, StoreError> {
    let ((now, beneath), message, title, on) = row;
    let title = title
        .map(|(text, readers)| {
            let named = |names: Vec<String>| names.iter().map(|name| user(what, name)).collect::<Result<Vec<_>, _>>();
            let readers = readers.map(named).transpose()?.map_or(Readers::Everybody, Readers::These);
            Ok::<_, StoreError>(Title { text, readers })
        })
        .transpose()?;
    Ok(Shown {
        status: status(what, now)?,
        beneath: status(what, beneath)?,
        message,
        title,
        call: on.map(|row| call(what, row)).transpose()?,
    })
}

pub fn pack_presence(p: &Presence) -> Bytes {
    let manual = p.manual.as_ref();
    let manual = manual.map(|m| (code(&Status::ALL, &m.status), m.message.clone(), m.until.map(micros)));
    pack((
        manual,
        p.call.as_ref().map(|call| (call_row(&call.it), micros(call.until))),
        shown_row(&p.shown),
        code(&Status::ALL, &p.previous),
        (p.since.map(micros), p.active.map(micros), p.edge.map(micros)),
        (p.changed, p.groups),
    ))
}

pub fn presence(bytes: &[u8]) -> Result<Presence, StoreError> {
    const WHAT: &str = "presence";
    type Row = (
        Option<(u8, Option<String>, Option<i64>)>,
        Option<(CallRow, i64)>,
        ShownRow,
        u8,
        (Option<i64>, Option<i64>, Option<i64>),
        (u64, u64),
    );
    let (manual, on, row, previous, (since, active, edge), (changed, groups)): Row = unpack(WHAT, bytes)?;
    let at = |at: Option<i64>| at.map(|at| time(WHAT, at)).transpose();
    Ok(Presence {
        manual: manual
            .map(|(now, message, until)| {
                Ok::<_, StoreError>(Manual { status: status(WHAT, now)?, message, until: at(until)? })
            })
            .transpose()?,
        call: on
            .map(|(row, until)| Ok::<_, StoreError>(Until { it: call(WHAT, row)?, until: time(WHAT, until)? }))
            .transpose()?,
        shown: shown(WHAT, row)?,
        previous: status(WHAT, previous)?,
        since: at(since)?,
        active: at(active)?,
        edge: at(edge)?,
        changed,
        groups,
    })
}

type MemberRow = ((String, u64), (String, u64), String, String, String);
pub type NewsRow = (MemberRow, (i64, i64, i64), u8, ShownRow);

pub fn news_row(news: &News) -> NewsRow {
    let m = &news.member;
    let member = (
        (m.organisation.as_str().to_owned(), m.organisation_number),
        (m.id.as_str().to_owned(), m.number),
        m.user.as_str().to_owned(),
        m.display_name.clone(),
        m.extension.clone(),
    );
    let times = (micros(news.at), micros(news.since), micros(news.last_activity));
    (member, times, code(&Status::ALL, &news.before), shown_row(&news.shown))
}

pub fn news(what: &'static str, row: NewsRow) -> Result<News, StoreError> {
    let (member, (at, since, last_activity), before, row) = row;
    let ((organisation, organisation_number), (id, number), name, display_name, extension) = member;
    Ok(News {
        member: Member {
            organisation: label(what, &organisation)?,
            organisation_number,
            id: label(what, &id)?,
            number,
            user: user(what, &name)?,
            display_name,
            extension,
        },
        at: time(what, at)?,
        before: status(what, before)?,
        shown: shown(what, row)?,
        since: time(what, since)?,
        last_activity: time(what, last_activity)?,
    })
}

type EventRow = (u8, i64, i64, (String, u8), Option<String>, Option<String>);
type AvailabilityRow = (u8, Option<u8>, i64);

pub fn pack_hold(hold: &Hold) -> Bytes {
    let (event, availability): (Option<EventRow>, Option<AvailabilityRow>) = match hold {
        Hold::Event(e) => {
            let engaged = code(&Engaged::ALL, &e.engaged);
            let channel = (e.channel.clone(), code(&DIRECTIONS, &e.direction));
            let row = (engaged, micros(e.start), micros(e.end), channel, e.conference.clone(), e.title.clone());
            (Some(row), None)
        }
        Hold::Availability(a) => {
            let status = a.status.map(|status| code(&Status::ALL, &status));
            (None, Some((a.priority, status, micros(a.start))))
        }
    };
    pack((event, availability))
}

pub fn hold(bytes: &[u8]) -> Result<Hold, StoreError> {
    const WHAT: &str = "hold";
    match unpack::<(Option<EventRow>, Option<AvailabilityRow>)>(WHAT, bytes)? {
        (Some((engaged, start, end, (channel, direction), conference, title)), _) => Ok(Hold::Event(Engagement {
            engaged: decode(WHAT, &Engaged::ALL, engaged)?,
            start: time(WHAT, start)?,
            end: time(WHAT, end)?,
            channel,
            direction: decode(WHAT, &DIRECTIONS, direction)?,
            conference,
            title,
        })),
        (None, Some((priority, busy, start))) => {
            let busy = busy.map(|byte| status(WHAT, byte)).transpose()?;
            Ok(Hold::Availability(Availability { priority, status: busy, start: time(WHAT, start)? }))
        }
        (None, None) => Err(StoreError::Unreadable(WHAT)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::organisation::Id;

    #[test]
    fn rows_come_back() {
        let at = |hour: i64| DateTime::UNIX_EPOCH + chrono::TimeDelta::hours(hour);
        let call = Call {
            channel: "c".to_owned(),
            line: Line::Bridged,
            direction: Direction::Outbound,
            since: at(1),
            conference: Some("https://x".to_owned()),
        };
        let readers = Readers::These(vec![UserName::new("bob").unwrap()]);
        let told = Shown {
            status: Status::OnCall,
            beneath: Status::Away,
            message: Some("m".to_owned()),
            title: Some(Title { text: "t".to_owned(), readers }),
            call: Some(call.clone()),
        };
        let kept = Presence {
            manual: Some(Manual { status: Status::Dnd, message: None, until: Some(at(3)) }),
            call: Some(Until { it: call, until: at(4) }),
            shown: told.clone(),
            previous: Status::Busy,
            since: Some(at(1)),
            active: None,
            edge: Some(at(3)),
            changed: 7,
            groups: 8,
        };
        assert_eq!(presence(&pack_presence(&kept)).unwrap(), kept);
        let member = Member {
            organisation: Id::new("demo").unwrap(),
            organisation_number: 1,
            id: Id::new("alice").unwrap(),
            number: 2,
            user: UserName::new("alice").unwrap(),
            display_name: "Alice".to_owned(),
            extension: "1001".to_owned(),
        };
        let told = News { member, at: at(1), before: Status::Offline, shown: told, since: at(1), last_activity: at(0) };
        assert_eq!(news("test", news_row(&told)).unwrap(), told);
        for one in [
            Hold::Availability(Availability { priority: 3, status: Some(Status::Offline), start: at(2) }),
            Hold::Event(Engagement {
                engaged: Engaged::OnCall,
                start: at(1),
                end: at(2),
                channel: "u".to_owned(),
                direction: Direction::Inbound,
                conference: None,
                title: Some("t".to_owned()),
            }),
        ] {
            assert_eq!(hold(&pack_hold(&one)).unwrap(), one);
        }
    }
}
