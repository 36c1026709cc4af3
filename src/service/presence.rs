//! Presence in time: what objects say of their owners is turned at its edges, and whose presence may have changed is derived anew and
//! told where it did. What people say of themselves comes in by `statuses.rs`.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::access::Right;
use crate::domain::address::{Kind, UserName};
use crate::domain::alarm::State;
use crate::domain::collection::{Collection, CollectionId, Source};
use crate::domain::event::{Event, GroupChange, GroupFace};
use crate::domain::object::Etag;
use crate::domain::organisation::{Group, Member};
use crate::domain::presence::{
    Availability, Call, Connection, Derived, Engaged, Engagement, Inputs, Line, Manual, News, Presence, Readers,
    Standing, Status, Until, derive,
};
use crate::domain::principal::Principal;
use crate::domain::refusal::Refusal;
use crate::ical::object::CalendarObject;
use crate::service::Service;
use crate::service::alarms::Ringing;
use crate::service::objects::seen_object;
use crate::service::queues::Waits;
use crate::store::due::Due;
use crate::store::journal::Pen;
use crate::store::{collections, keys, objects, organisations, presence, record};

/// Edges of one shard that are served in one go, of objects and of people; then others have their turn.
const SHARD_MAX: usize = 32;
/// How often a derivation is tried anew because something changed under it. Beyond it the row stays, and is served again.
const TRIES: usize = 8;
/// Reminders that one commit writes.
const REMIND_MAX: usize = 256;
/// For how long an alarm of a conference rings, where that is wanted.
const RINGS: TimeDelta = TimeDelta::seconds(60);

/// What somebody says of themselves, or the telephone system of them.
#[derive(Clone, Debug)]
pub(crate) enum Word {
    Nothing,
    Manual(Option<Manual>),
    Call(Option<Until<Call>>),
}

/// All that speaks for one person, read once.
struct Grounds {
    engagement: Option<(Engagement, Readers)>,
    availabilities: Vec<Availability>,
    ringing: Option<Until<Call>>,
}

/// What an object says, and what it rests on.
struct Turned {
    row: Due,
    head: Collection,
    zone: Option<String>,
    etag: Etag,
    standing: Standing,
}

impl Service {
    /// The next instant at which a presence can change.
    pub(crate) async fn next_edge(&self) -> Result<Option<DateTime<Utc>>, Refusal> {
        if self.settings.presence.require_connection && self.attendance.has_turned() {
            return Ok(Some(self.now()));
        }
        Ok(self.store.next_edge().await?)
    }

    /// Serves every edge that came at `now` or before. Objects first: one event that ends and one that begins at the same instant are one
    /// change of their owner, or none.
    pub(crate) async fn serve_presence(&self, now: DateTime<Utc>) -> Result<(), Refusal> {
        while self.turn_objects(now).await? {
            tokio::task::yield_now().await;
        }
        if self.settings.presence.require_connection {
            let _turn = self.attendance.serving.lock().await;
            for user in self.attendance.take_turned() {
                if let Err(refusal) = self.derive_presence(&user, Vec::new(), Word::Nothing, now).await
                    && refusal != Refusal::NotFound
                {
                    self.attendance.turn_again(&user);
                    return Err(refusal);
                }
            }
        }
        loop {
            let edges = self.store.presence_edges(now, SHARD_MAX).await?;
            if edges.is_empty() {
                return Ok(());
            }
            let mut due: BTreeMap<UserName, Vec<(Bytes, Bytes)>> = BTreeMap::new();
            for edge in edges {
                let key = keys::presence_edge(edge.at, &edge.user);
                due.entry(edge.user).or_default().push((key, edge.stamp));
            }
            let deriving = due.iter().map(|(user, due)| self.derive_presence(user, due.clone(), Word::Nothing, now));
            // Together they share a group, and so a sync.
            for outcome in futures_util::future::join_all(deriving).await {
                match outcome {
                    Ok(_) | Err(Refusal::NotFound) => {}
                    Err(refusal) => return Err(refusal),
                }
            }
            tokio::task::yield_now().await;
        }
    }

    /// Asks for these people's presence to be derived anew.
    pub(crate) async fn remind_all(&self, people: Vec<UserName>, at: DateTime<Utc>) -> Result<(), Refusal> {
        for some in people.chunks(REMIND_MAX) {
            let some = some.to_vec();
            self.commit(Vec::new(), move |_, stamp| {
                let mut writes = Vec::new();
                some.iter().for_each(|user| presence::remind(&mut writes, at, user, stamp.0));
                Ok((writes, ()))
            })
            .await?;
        }
        self.nudge_edge(at);
        Ok(())
    }

    /// After a start, where only who is there is available: everybody who was gets as long to come back as they would have had.
    pub async fn start_presence(&self) -> Result<(), Refusal> {
        self.start_queues().await?;
        if !self.settings.presence.require_connection {
            return Ok(());
        }
        let now = self.now();
        let people: Vec<UserName> = self.store.principals().await?.into_iter().map(|one| one.name).collect();
        for user in &people {
            // In memory alone: their sockets are coming back, or the edge behind this comes.
            if self.store.presence(user).await?.is_some_and(|presence| presence.shown.connected()) {
                self.attendance.acted(user, now, self.active_life());
            }
        }
        self.remind_all(people, now).await
    }

    pub(crate) fn active_life(&self) -> TimeDelta {
        TimeDelta::seconds(self.settings.presence.active_seconds)
    }

    /// A socket of this person opened, or closed.
    pub fn attend(&self, user: &UserName, came: bool) {
        let now = self.now();
        if came {
            self.attendance.came(user, now);
        } else {
            self.attendance.left(user, now);
        }
        if self.settings.presence.require_connection {
            self.nudge_edge(now);
        }
    }

    /// This person asked for something.
    pub(crate) fn note_activity(&self, user: &UserName) {
        let now = self.now();
        if self.attendance.acted(user, now, self.active_life()) && self.settings.presence.require_connection {
            self.nudge_edge(now);
        }
    }

    /// One round of objects whose edges came; `false` when there was none.
    async fn turn_objects(&self, now: DateTime<Utc>) -> Result<bool, Refusal> {
        let due = self.store.object_edges(now, SHARD_MAX).await?;
        if due.is_empty() {
            return Ok(false);
        }
        type Ground = Option<Arc<(Collection, Option<Principal>, Ringing)>>;
        let mut grounds: HashMap<CollectionId, Ground> = HashMap::new();
        let mut turned = Vec::new();
        for row in due {
            if let Entry::Vacant(vacant) = grounds.entry(row.collection) {
                let ground = match self.store.collection_by_id(row.collection).await? {
                    Some(head) => {
                        let owner = self.store.principal(head.address.user()).await?;
                        let ringing = self.ringing_for(&head, owner.as_ref());
                        Some(Arc::new((head, owner, ringing)))
                    }
                    None => None,
                };
                vacant.insert(ground);
            }
            let found = match grounds.get(&row.collection).cloned().flatten() {
                Some(ground) => {
                    let found = self.store.object_with_body(row.collection, &row.name).await?;
                    found.map(|(object, bytes)| (ground, object, bytes))
                }
                None => None,
            };
            let Some((ground, object, bytes)) = found else {
                self.remove(vec![keys::object_edge(row.at, row.collection, &row.name)]).await?;
                continue;
            };
            let (head, owner, ringing) = &*ground;
            // Stored objects were read once; one that cannot be read now says nothing.
            let standing =
                CalendarObject::read(&bytes, &self.line_limits()).map(|parsed| ringing.standing(&parsed, now));
            turned.push(Turned {
                row,
                head: head.clone(),
                zone: owner.as_ref().and_then(|owner| owner.timezone.clone()),
                etag: object.etag,
                standing: standing.unwrap_or_default(),
            });
        }
        for outcome in futures_util::future::join_all(turned.into_iter().map(|one| self.commit_turned(one, now))).await
        {
            outcome?;
        }
        Ok(true)
    }

    /// Notes what an object says now, where all that it rests on still stands; where it does not, the row stays and is served again.
    async fn commit_turned(&self, turned: Turned, now: DateTime<Utc>) -> Result<(), Refusal> {
        let Turned { row, head, zone, etag, standing } = turned;
        let of = row.collection;
        let edge = keys::object_edge(row.at, of, &row.name);
        let reads = vec![keys::object(of, &row.name), keys::collection(&head.address), keys::user(head.address.user())];
        self.commit(reads, move |seen, stamp| {
            let standing_there = collections::seen(seen.get(1))?.filter(|found| found.id == of);
            let object = seen_object(seen.first())?.filter(|object| object.stands.edge == Some(row.at));
            let (Some(mut object), Some(found)) = (object, standing_there) else {
                // Changed since it was read: its new row comes in its own time.
                return Ok((vec![(edge.clone(), None)], ()));
            };
            let owner = seen.get(2).and_then(Option::as_ref).map(|row| record::people::principal(row)).transpose()?;
            if object.etag != etag || found.timezone != head.timezone || owner.and_then(|owner| owner.timezone) != zone
            {
                return Ok((Vec::new(), ()));
            }
            let mut writes = Vec::new();
            presence::leave(&mut writes, of, &object);
            presence::stand(&mut writes, of, &mut object, &standing, now);
            objects::write_record(&mut writes, of, &object);
            presence::remind(&mut writes, now, found.address.user(), stamp.0);
            Ok((writes, ()))
        })
        .await?;
        Ok(())
    }

    /// Derives somebody's presence anew, with a word of theirs where there is one, and tells it where it changed. `due` are the rows of the
    /// queue that asked for it, which go if nobody wrote them again meanwhile. `NotFound` where nobody has that name.
    pub(crate) async fn derive_presence(
        &self,
        user: &UserName,
        due: Vec<(Bytes, Bytes)>,
        word: Word,
        now: DateTime<Utc>,
    ) -> Result<Presence, Refusal> {
        for _ in 0..TRIES {
            if let Some(presence) = self.try_derive(user, &due, &word, now).await? {
                return Ok(presence);
            }
        }
        Err(Refusal::Busy { limit: "this person's presence keeps changing", retry_seconds: 1 })
    }

    /// `None` where something changed under it.
    async fn try_derive(
        &self,
        user: &UserName,
        due: &[(Bytes, Bytes)],
        word: &Word,
        now: DateTime<Utc>,
    ) -> Result<Option<Presence>, Refusal> {
        // Rows that are not there any more were served by somebody else.
        let due: Vec<(Bytes, Bytes)> = {
            let keys = due.iter().map(|(key, _)| key.clone()).collect();
            let rows = self.store.kv().read(keys).await.map_err(crate::store::StoreError::Kv)?;
            due.iter().zip(rows).filter_map(|((key, _), row)| Some((key.clone(), row?))).collect()
        };
        let member = match self.member_of(user).await {
            Ok(member) => member,
            Err(Refusal::NotFound) => {
                self.remove(due.into_iter().map(|(key, _)| key).collect()).await?;
                return Err(Refusal::NotFound);
            }
            Err(refusal) => return Err(refusal),
        };
        let row = self.store.get(keys::presence(user)).await?;
        let before = row.as_ref().map(|row| presence::presence(row)).transpose()?;
        let before = before.unwrap_or_else(|| Presence::initial(self.settings.presence.require_connection));
        let mut after = before.clone();
        match word {
            Word::Nothing => {}
            Word::Manual(manual) => after.manual = manual.clone(),
            Word::Call(call) => after.call = call.clone(),
        }
        after.manual = after.manual.filter(|manual| manual.until.is_none_or(|until| until > now));
        after.call = after.call.filter(|call| call.until > now);
        let grounds = self.presence_grounds(user, now).await?;
        after.active = self.attendance.active(user).or(before.active);
        let derived = derive(
            &Inputs {
                manual: after.manual.as_ref(),
                call: after.call.as_ref(),
                ringing: grounds.ringing.as_ref(),
                engagement: grounds.engagement.as_ref().map(|(engagement, readers)| (engagement, readers)),
                availabilities: &grounds.availabilities,
                connection: self.connection(user, before.active),
            },
            now,
        );
        let groups = self.groups_in(user, &member).await?;
        let queued = groups.iter().any(|group| group.queue);
        let waits = if queued { Some(self.waits_of(user, now).await?) } else { None };
        self.commit_derived(Settled { row, before, after, derived, member, groups, waits }, due, now).await
    }

    async fn commit_derived(
        &self,
        settled: Settled,
        due: Vec<(Bytes, Bytes)>,
        now: DateTime<Utc>,
    ) -> Result<Option<Presence>, Refusal> {
        let Settled { row, before, mut after, derived, member, groups, waits } = settled;
        let told = derived.shown.differs(&before.shown);
        after.shown = derived.shown;
        let over = waits.as_ref().and_then(|waits| waits.until);
        after.edge = [derived.edge, over].into_iter().flatten().min();
        let mark = waits.map(|waits| waits.mark());
        if told {
            after.previous = before.shown.status;
            after.since = Some(now);
        }
        let same = row.is_some() && after == before;
        if same && due.is_empty() && mark.is_none() {
            return Ok(Some(after));
        }
        let user = member.user.clone();
        let mut reads = vec![keys::presence(&user), keys::user(&user)];
        reads.extend(due.iter().map(|(key, _)| key.clone()));
        reads.push(keys::waits(&user));
        reads.extend(groups.iter().map(|group| keys::group(&group.organisation, &group.id)));
        let edge = after.edge;
        let (_, done) = self
            .commit(reads, move |seen, stamp| {
                let mut after = after.clone();
                let (heads, rest) = seen.split_at_checked(2 + due.len()).unwrap_or((seen, &[]));
                let (waited, groups) = rest.split_first().unwrap_or((&None, &[]));
                let rows = heads.get(2..).unwrap_or_default();
                let fresh = due.iter().zip(rows).all(|((_, value), row)| row.as_ref() == Some(value));
                if heads.first() != Some(&row) || !fresh {
                    return Ok((Vec::new(), None));
                }
                if heads.get(1).is_none_or(Option::is_none) {
                    return Err(Refusal::NotFound);
                }
                let mut writes: Vec<_> = due.iter().map(|(key, _)| (key.clone(), None)).collect();
                // Who is in no queue has no mark.
                let turned = mark.as_ref().filter(|mark| *mark != waited);
                if same && turned.is_none() {
                    return Ok((writes, Some(after)));
                }
                if let Some(mark) = turned {
                    writes.push((keys::waits(&user), mark.clone()));
                }
                if let Some(at) = before.edge.filter(|at| Some(*at) != after.edge) {
                    writes.push((keys::presence_edge(at, &user), None));
                }
                if let Some(at) = after.edge {
                    presence::remind(&mut writes, at, &user, stamp.0);
                }
                let mut pen = Pen::new(now, stamp.0);
                let news = told.then(|| {
                    after.changed = stamp.0;
                    Arc::new(news(&member, &after, before.shown.status, now))
                });
                if let Some(news) = &news {
                    pen.tell(&mut writes, Event::PresenceChanged { news: news.clone() });
                }
                for row in groups.iter().flatten() {
                    let mut group = organisations::group(row)?;
                    let waits = turned.is_some() && group.queue;
                    if news.is_none() && !waits {
                        continue;
                    }
                    group.changed = stamp.0;
                    if let Some(news) = &news {
                        group.summary.turn(before.shown.status, after.shown.status);
                        let (face, summary) = (face(&group), group.summary);
                        pen.tell(&mut writes, Event::MemberChanged { group: face, summary, news: news.clone() });
                    }
                    if waits {
                        let what = GroupChange::Queue;
                        pen.tell(&mut writes, Event::GroupChanged { group: face(&group), what });
                    }
                    organisations::write_group(&mut writes, &group);
                }
                writes.push((keys::presence(&user), Some(presence::pack_presence(&after))));
                Ok((writes, Some(after)))
            })
            .await?;
        if let Some(at) = edge {
            self.nudge_edge(at);
        }
        Ok(done)
    }

    /// What calendars and alarms say of somebody now.
    async fn presence_grounds(&self, user: &UserName, now: DateTime<Utc>) -> Result<Grounds, Refusal> {
        let mut grounds = Grounds { engagement: None, availabilities: Vec::new(), ringing: None };
        for head in self.store.home(Kind::Calendar, user).await? {
            if head.source != Source::Own || head.transparent {
                continue;
            }
            let (engagement, availabilities) = self.store.holds(head.id).await?;
            grounds.availabilities.extend(availabilities);
            if let Some(found) = engagement
                && grounds.engagement.as_ref().is_none_or(|(other, _)| strength(&found) < strength(other))
            {
                grounds.engagement = Some((found, readers(&head)));
            }
        }
        if self.settings.presence.ringing_on_alarm {
            grounds.ringing = self.ringing_conference(user, now).await?;
        }
        Ok(grounds)
    }

    /// The latest alarm of a conference that rang within the last minute and that nobody answered.
    async fn ringing_conference(&self, user: &UserName, now: DateTime<Utc>) -> Result<Option<Until<Call>>, Refusal> {
        for rung in self.store.rung(user).await?.into_iter().rev() {
            let until = rung.alarm.at + RINGS;
            if until <= now || !matches!(rung.state, State::Waiting | State::Told) {
                continue;
            }
            let Ok(view) = self.view(user, rung.alarm.object.collection()).await else { continue };
            let found = self.store.object_with_body(view.source.id, rung.alarm.object.name()).await?;
            let Some((_, bytes)) = found else { continue };
            let Ok(object) = CalendarObject::read(&bytes, &self.line_limits()) else { continue };
            let ringing = self.ringing(&view.source).await?;
            if let Some(event) = ringing.conference_at(&object, rung.alarm.start) {
                let call = Call {
                    channel: event.channel,
                    line: Line::Ringing,
                    direction: event.direction,
                    since: rung.alarm.at,
                    conference: event.conference,
                };
                return Ok(Some(Until { it: call, until }));
            }
        }
        Ok(None)
    }

    fn connection(&self, user: &UserName, stored: Option<DateTime<Utc>>) -> Connection {
        if self.settings.presence.require_connection {
            self.attendance.connection(user, stored, self.active_life())
        } else {
            Connection::NotAsked
        }
    }

    /// The groups that somebody is a member of.
    async fn groups_in(&self, user: &UserName, member: &Member) -> Result<Vec<Group>, Refusal> {
        let mut groups = Vec::new();
        for (organisation, id, role) in self.store.groups_of(user).await? {
            if role.member && organisation == member.organisation {
                groups.extend(self.store.group(&organisation, &id).await?);
            }
        }
        Ok(groups)
    }
}

/// A derivation, ready to be committed.
struct Settled {
    row: Option<Bytes>,
    before: Presence,
    after: Presence,
    derived: Derived,
    member: Member,
    groups: Vec<Group>,
    /// What waits for a member of a queue.
    waits: Option<Waits>,
}

/// What is said of somebody's presence.
pub(crate) fn news(member: &Member, presence: &Presence, before: Status, at: DateTime<Utc>) -> News {
    let since = presence.since.unwrap_or(at);
    News {
        member: member.clone(),
        at,
        before,
        shown: presence.shown.clone(),
        since,
        last_activity: presence.active.map_or(since, |active| active.max(since).min(at)),
    }
}

pub(crate) fn face(group: &Group) -> GroupFace {
    GroupFace { organisation: group.organisation.clone(), id: group.id.clone(), number: group.number }
}

/// The strongest first; of equals the one that began first.
fn strength(engagement: &Engagement) -> (Engaged, DateTime<Utc>) {
    (engagement.engaged, engagement.start)
}

/// Who may read the titles in a calendar.
fn readers(head: &Collection) -> Readers {
    if head.public.is_some_and(|right| right >= Right::Read) {
        return Readers::Everybody;
    }
    let granted = head.grants.iter().filter(|grant| grant.right >= Right::Read).map(|grant| grant.user.clone());
    Readers::These(std::iter::once(head.address.user().clone()).chain(granted).collect())
}
