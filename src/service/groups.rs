//! Groups of an organisation: made, changed, removed; who may see one, and what it looks like now.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::domain::address::UserName;
use crate::domain::event::{Event, GroupChange, GroupFace};
use crate::domain::organisation::{self, Group, Id, Member, Role, Summary};
use crate::domain::presence::{Manual, News, Presence};
use crate::domain::principal::Principal;
use crate::domain::refusal::{Fault, Refusal};
use crate::service::Service;
use crate::service::collections::{NAME_MAX, check_text};
use crate::service::organisations::{TRIES, check_number, keep_number};
use crate::service::presence::{face, news};
use crate::store::journal::Pen;
use crate::store::{keys, organisations, presence};

/// How a group is to be. `None` leaves it as it is.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    pub name: Option<String>,
    pub number: Option<u64>,
    /// Ids or numbers of members of the organisation.
    pub members: Option<Vec<String>>,
    pub viewers: Option<Vec<String>>,
    pub queue: Option<bool>,
}

/// Somebody's presence as it stands, and the stamp of the last change in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Portrait {
    pub news: News,
    /// What the person says of themselves.
    pub manual: Option<Manual>,
    pub stamp: u64,
}

/// A group with everybody in it, as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupPortrait {
    pub face: GroupFace,
    pub organisation_number: u64,
    pub name: String,
    pub summary: Summary,
    pub members: Vec<News>,
    pub waiting: Waiting,
    pub at: DateTime<Utc>,
    pub stamp: u64,
}

/// What waits for a queue's members: how many, and for how long, in whole seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    pub count: u64,
    pub average: u64,
    pub longest: u64,
}

impl Waiting {
    fn of(since: &[DateTime<Utc>], now: DateTime<Utc>) -> Waiting {
        let ages: Vec<u64> = since.iter().map(|at| (now - *at).num_seconds().max(0).unsigned_abs()).collect();
        let count = ages.len() as u64;
        let average = ages.iter().sum::<u64>().checked_div(count).unwrap_or(0);
        Waiting { count, average, longest: ages.into_iter().max().unwrap_or(0) }
    }
}

impl Service {
    /// The group that an id or a number names.
    pub async fn group(&self, organisation: &Id, name: &str) -> Result<Group, Refusal> {
        if let Some(id) = Id::new(name)
            && let Some(found) = self.store.group(organisation, &id).await?
        {
            return Ok(found);
        }
        let numbered = match organisation::number(name) {
            Some(number) => self.store.group_numbered(organisation, number).await?,
            None => None,
        };
        match numbered {
            Some(id) => self.store.group(organisation, &id).await?.ok_or(Refusal::NotFound),
            None => Err(Refusal::NotFound),
        }
    }

    pub async fn groups(&self, organisation: &Id) -> Result<Vec<Group>, Refusal> {
        Ok(self.store.groups(organisation).await?)
    }

    /// Everybody who is something in a group.
    pub async fn group_people(&self, group: &Group) -> Result<Vec<(Member, Role)>, Refusal> {
        let mut people = Vec::new();
        for (user, role) in self.store.group_people(&group.organisation, &group.id).await? {
            if let Some(member) = self.store.member_of(&user).await? {
                people.push((member, role));
            }
        }
        Ok(people)
    }

    /// Members, viewers and administrators may see a group.
    pub async fn check_watcher(&self, caller: &Principal, group: &Group) -> Result<(), Refusal> {
        let row = keys::group_person(&group.organisation, &group.id, &caller.name);
        if caller.administrator || self.store.get(row).await?.is_some() { Ok(()) } else { Err(Refusal::Forbidden) }
    }

    /// Makes a group, or changes it. Whoever watches it sees it anew.
    pub async fn put_group(&self, organisation: &Id, id: &Id, wish: Wish) -> Result<Group, Refusal> {
        check_text("a name", wish.name.as_deref().unwrap_or_default(), NAME_MAX)?;
        if let Some(number) = wish.number {
            check_number(number)?;
        }
        let members = self.people_named(organisation, wish.members.as_deref()).await?;
        let viewers = self.people_named(organisation, wish.viewers.as_deref()).await?;
        for _ in 0..TRIES {
            let people = (members.as_ref(), viewers.as_ref());
            if let Some(group) = self.try_put_group(organisation, id, &wish, people).await? {
                return Ok(group);
            }
        }
        Err(Refusal::Busy { limit: "this group keeps changing", retry_seconds: 1 })
    }

    async fn people_named(
        &self,
        organisation: &Id,
        names: Option<&[String]>,
    ) -> Result<Option<BTreeSet<UserName>>, Refusal> {
        let Some(names) = names else { return Ok(None) };
        let limit = self.settings.presence.group_people;
        if names.len() > limit {
            return Err(Refusal::Full(format!("a group has at most {limit} members, and as many viewers")));
        }
        let mut users = BTreeSet::new();
        for name in names {
            let unknown = |refusal| match refusal {
                Refusal::NotFound => Fault::whole(format!("no user {name:?} in {organisation}")).into(),
                other => other,
            };
            users.insert(self.member(organisation, name).await.map_err(unknown)?.user);
        }
        Ok(Some(users))
    }

    async fn try_put_group(
        &self,
        organisation: &Id,
        id: &Id,
        wish: &Wish,
        (members, viewers): (Option<&BTreeSet<UserName>>, Option<&BTreeSet<UserName>>),
    ) -> Result<Option<Group>, Refusal> {
        let head = self.store.organisation(organisation).await?.ok_or(Refusal::NotFound)?;
        let known = self.store.group(organisation, id).await?;
        let before: BTreeMap<UserName, Role> = self.store.group_people(organisation, id).await?.into_iter().collect();
        let mut after: BTreeMap<UserName, Role> = BTreeMap::new();
        let had = |of: fn(&Role) -> bool| {
            before.iter().filter(move |(_, role)| of(role)).map(|(user, _)| user.clone()).collect::<BTreeSet<_>>()
        };
        for user in members.cloned().unwrap_or_else(|| had(|role| role.member)) {
            after.entry(user).or_default().member = true;
        }
        for user in viewers.cloned().unwrap_or_else(|| had(|role| role.viewer)) {
            after.entry(user).or_default().viewer = true;
        }
        let number = wish.number.or(known.as_ref().map(|known| known.number)).unwrap_or(head.last_group + 1);
        check_number(number)?;
        let people = known.as_ref().map(|known| known.people);
        let everybody: Vec<UserName> =
            before.keys().chain(after.keys()).cloned().collect::<BTreeSet<_>>().into_iter().collect();
        let mut reads = vec![
            keys::organisation(organisation),
            keys::group(organisation, id),
            keys::group_number(organisation, number),
        ];
        reads.extend(everybody.iter().flat_map(|user| [keys::presence(user), keys::member_of(user)]));
        // Who comes into a queue brings what waits for them: whoever watches sees it with the group, and need not be told again.
        let queue = wish.queue.or(known.as_ref().map(|known| known.queue)).unwrap_or(false);
        let mut marks = Vec::new();
        for (user, _) in after.iter().filter(|(user, role)| queue && role.member && !self.queues.hold(user)) {
            marks.push((keys::waits(user), self.waits_of(user, self.now()).await?.mark()));
        }
        let concerned = everybody.clone();
        let (organisation, id, wish, now) = (organisation.clone(), id.clone(), wish.clone(), self.now());
        let unknown = Presence::initial(self.settings.presence.require_connection);
        let (_, done) = self
            .commit(reads, move |seen, stamp| {
                let row = |at: usize| seen.get(at).and_then(Option::as_ref);
                let mut head = organisations::organisation(row(0).ok_or(Refusal::NotFound)?)?;
                let known = row(1).map(|row| organisations::group(row)).transpose()?;
                if known.as_ref().map(|known| known.people) != people {
                    return Ok((Vec::new(), None));
                }
                match &known {
                    Some(known) => keep_number(known.number, wish.number)?,
                    None if row(2).is_some() && wish.number.is_some() => return Err(Refusal::Exists),
                    None if row(2).is_some() => return Ok((Vec::new(), None)),
                    None => {}
                }
                let mut writes = marks.clone();
                let mut statuses = Vec::new();
                for (user, rows) in everybody.iter().zip(seen.get(3..).unwrap_or_default().chunks(2)) {
                    let (was, is) = (before.get(user).copied(), after.get(user).copied());
                    let there = organisations::seen_place(rows.get(1).and_then(Option::as_ref))?;
                    if is.is_some() && there.is_none_or(|(at, _)| at != organisation) {
                        // Moved away meanwhile.
                        return Ok((Vec::new(), None));
                    }
                    let kept = rows.first().and_then(Option::as_ref).map(|row| presence::presence(row)).transpose()?;
                    let mut kept = kept.unwrap_or_else(|| unknown.clone());
                    let is_member = is.is_some_and(|role| role.member);
                    if is_member {
                        statuses.push(kept.shown.status);
                    }
                    if was != is {
                        organisations::write_person(&mut writes, &organisation, &id, user, is.unwrap_or_default());
                    }
                    // A derivation that is under way sees that its groups are others now.
                    if was.is_some_and(|role| role.member) != is_member {
                        kept.groups = stamp.0;
                        writes.push((keys::presence(user), Some(presence::pack_presence(&kept))));
                    }
                }
                let fresh = || Group {
                    organisation: organisation.clone(),
                    id: id.clone(),
                    number,
                    name: id.as_str().to_owned(),
                    queue: false,
                    summary: Summary::default(),
                    changed: 0,
                    people: 0,
                };
                let mut group = known.unwrap_or_else(fresh);
                if let Some(name) = &wish.name {
                    group.name.clone_from(name);
                }
                group.queue = wish.queue.unwrap_or(group.queue);
                group.summary = Summary::of(statuses);
                (group.changed, group.people) = (stamp.0, stamp.0);
                organisations::write_group(&mut writes, &group);
                if group.number > head.last_group {
                    head.last_group = group.number;
                    organisations::write(&mut writes, &head);
                }
                let event = Event::GroupChanged { group: face(&group), what: GroupChange::Itself };
                Pen::new(now, stamp.0).tell(&mut writes, event);
                Ok((writes, Some(group)))
            })
            .await?;
        if done.is_some() {
            self.queue_up(concerned).await?;
        }
        Ok(done)
    }

    /// Removes a group; whoever watches it is told.
    pub async fn remove_group(&self, organisation: &Id, id: &Id) -> Result<(), Refusal> {
        for _ in 0..TRIES {
            // Emptied first: the people's rows go with them.
            let none = Wish { members: Some(Vec::new()), viewers: Some(Vec::new()), ..Wish::default() };
            self.store.group(organisation, id).await?.ok_or(Refusal::NotFound)?;
            let empty = self.put_group(organisation, id, none).await?;
            let now = self.now();
            let (_, done) = self
                .commit(vec![keys::group(organisation, id)], move |seen, stamp| {
                    let Some(Some(bytes)) = seen.first() else { return Err(Refusal::NotFound) };
                    let group = organisations::group(bytes)?;
                    if group.people != empty.people {
                        return Ok((Vec::new(), false));
                    }
                    let mut writes = Vec::new();
                    organisations::remove_group(&mut writes, &group);
                    let event = Event::GroupChanged { group: face(&group), what: GroupChange::Itself };
                    Pen::new(now, stamp.0).tell(&mut writes, event);
                    Ok((writes, true))
                })
                .await?;
            if done {
                return Ok(());
            }
        }
        Err(Refusal::Busy { limit: "this group keeps changing", retry_seconds: 1 })
    }

    /// Takes somebody out of every group.
    pub(crate) async fn leave_groups(&self, user: &UserName) -> Result<(), Refusal> {
        let now = self.now();
        let unknown = Presence::initial(self.settings.presence.require_connection);
        for (organisation, id, _) in self.store.groups_of(user).await? {
            let (user, unknown) = (user.clone(), unknown.clone());
            let reads = vec![
                keys::group(&organisation, &id),
                keys::group_person(&organisation, &id, &user),
                keys::presence(&user),
            ];
            self.commit(reads, move |seen, stamp| {
                let row = |at: usize| seen.get(at).and_then(Option::as_ref);
                let mut writes = Vec::new();
                organisations::write_person(&mut writes, &organisation, &id, &user, Role::default());
                let role = row(1).map(|row| organisations::role(row)).transpose()?.unwrap_or_default();
                if let Some(bytes) = row(0) {
                    let mut group = organisations::group(bytes)?;
                    let kept = row(2).map(|row| presence::presence(row)).transpose()?;
                    let mut kept = kept.unwrap_or_else(|| unknown.clone());
                    if role.member {
                        group.summary.leave(kept.shown.status);
                        kept.groups = stamp.0;
                        writes.push((keys::presence(&user), Some(presence::pack_presence(&kept))));
                    }
                    (group.changed, group.people) = (stamp.0, stamp.0);
                    organisations::write_group(&mut writes, &group);
                    let event = Event::GroupChanged { group: face(&group), what: GroupChange::Itself };
                    Pen::new(now, stamp.0).tell(&mut writes, event);
                }
                Ok((writes, ()))
            })
            .await?;
        }
        self.queue_up(vec![user.clone()]).await
    }

    /// Somebody's presence as it stands.
    pub async fn portrait(&self, member: &Member) -> Result<Portrait, Refusal> {
        let now = self.now();
        self.serve_presence(now).await?;
        let kept = self.store.presence(&member.user).await?;
        let kept = kept.unwrap_or_else(|| Presence::initial(self.settings.presence.require_connection));
        Ok(Portrait { stamp: kept.changed, news: self.news_of(member, &kept, now), manual: kept.manual })
    }

    fn news_of(&self, member: &Member, kept: &Presence, now: DateTime<Utc>) -> News {
        let mut kept = kept.clone();
        kept.active = self.attendance.active(&member.user).or(kept.active);
        news(member, &kept, kept.previous, now)
    }

    /// A group with everybody in it, as it stands: all of one instant of the store.
    pub async fn group_portrait(&self, group: &Group) -> Result<GroupPortrait, Refusal> {
        let now = self.now();
        self.serve_presence(now).await?;
        for _ in 0..TRIES {
            let head = self.store.group(&group.organisation, &group.id).await?.ok_or(Refusal::NotFound)?;
            let mut members = Vec::new();
            for (user, role) in self.store.group_people(&group.organisation, &group.id).await? {
                if role.member {
                    members.extend(self.store.member_of(&user).await?);
                }
            }
            members.sort_by_key(|member| member.number);
            let mut reads: Vec<Bytes> = vec![keys::group(&group.organisation, &group.id)];
            reads.extend(members.iter().map(|member| keys::presence(&member.user)));
            let rows = self.store.kv().read(reads).await.map_err(crate::store::StoreError::Kv)?;
            let Some((Some(bytes), rows)) = rows.split_first() else { return Err(Refusal::NotFound) };
            let found = organisations::group(bytes)?;
            if found.people != head.people {
                continue;
            }
            let mut everybody = Vec::new();
            for (member, row) in members.iter().zip(rows) {
                let kept = row.as_ref().map(|row| presence::presence(row)).transpose()?;
                let kept = kept.unwrap_or_else(|| Presence::initial(self.settings.presence.require_connection));
                everybody.push(self.news_of(member, &kept, now));
            }
            let waiting = if found.queue { self.waiting_for(&members, now).await? } else { Waiting::default() };
            let organisation = self.store.organisation(&group.organisation).await?.ok_or(Refusal::NotFound)?;
            return Ok(GroupPortrait {
                face: face(&found),
                organisation_number: organisation.number,
                name: found.name,
                summary: found.summary,
                members: everybody,
                waiting,
                at: now,
                stamp: found.changed,
            });
        }
        Err(Refusal::Busy { limit: "this group keeps changing", retry_seconds: 1 })
    }

    async fn waiting_for(&self, members: &[Member], now: DateTime<Utc>) -> Result<Waiting, Refusal> {
        let mut since = Vec::new();
        for member in members {
            since.extend(self.waits_of(&member.user, now).await?.since);
        }
        Ok(Waiting::of(&since, now))
    }
}
