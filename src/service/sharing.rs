//! Who else sees a collection: shares, the public right, subscriptions. Each writes heads, mirrors and news in one commit.

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::domain::access::{Grant, Right, is_open, right_of};
use crate::domain::address::{Address, Kind, UserName};
use crate::domain::collection::{Collection, Source, list_changes};
use crate::domain::event::Event;
use crate::domain::invite::{Invite, State};
use crate::domain::principal::Principal;
use crate::domain::refusal::{Fault, Refusal};
use crate::kv::Writes;
use crate::service::Service;
use crate::service::announcements::INLINE;
use crate::service::collections::{NAME_MAX, check_text, standing, tell, touch_subscriptions};
use crate::service::principals::still_there;
use crate::store::announcements::{self, Announcement};
use crate::store::journal::Pen;
use crate::store::{collections, invites, keys, presence};
use crate::system::random;

/// People that one request may name.
pub const PEOPLE_MAX: usize = 100;

/// How a collection is to be shared from now on. What is not named stays.
#[derive(Clone, Debug, Default)]
pub struct Sharing {
    /// Each gets this right, or loses what they had; of the same person the last counts.
    pub people: Vec<(UserName, Option<Right>)>,
    /// Whoever is not among them loses what they had.
    pub only: bool,
    /// The right of everybody who signs in, or none.
    pub public: Option<Option<Right>>,
}

/// What became of it.
#[derive(Clone, Debug, Default)]
pub struct Shared {
    /// Where those who have a share now see it.
    pub mirrors: Vec<(UserName, Address)>,
    /// Those who are no users; nothing was done about them.
    pub unknown: Vec<UserName>,
}

/// What is to be done about one person.
#[derive(Clone, Debug)]
struct Step {
    user: UserName,
    right: Option<Right>,
    /// The mirror that they had when it was looked for.
    known: Option<String>,
    at: Address,
}

impl Service {
    /// Changes how a collection is shared: all of it in one commit, told to each person concerned once.
    pub async fn reshare(&self, caller: &Principal, address: &Address, wanted: &Sharing) -> Result<Shared, Refusal> {
        for _ in 0..TRIES {
            let source = self.administered(&caller.name, address).await?;
            if let Some(shared) = self.try_reshare(&caller.name, source, wanted).await? {
                return Ok(shared);
            }
        }
        Err(Refusal::Busy { limit: "the shares of this collection keep changing", retry_seconds: 1 })
    }

    /// Grants `whom` a right, or changes it. They get a mirror in their home. Answers the mirror's address.
    pub async fn share(
        &self,
        caller: &Principal,
        address: &Address,
        whom: &UserName,
        right: Right,
    ) -> Result<Address, Refusal> {
        let wanted = Sharing { people: vec![(whom.clone(), Some(right))], ..Sharing::default() };
        let shared = self.reshare(caller, address, &wanted).await?;
        match shared.mirrors.into_iter().next() {
            Some((_, mirror)) => Ok(mirror),
            None => Err(Fault::whole(format!("no user named {:?}", whom.as_str())).into()),
        }
    }

    /// Takes a share back; the mirror goes with it.
    pub async fn unshare(&self, caller: &Principal, address: &Address, whom: &UserName) -> Result<(), Refusal> {
        let source = self.administered(&caller.name, address).await?;
        mirror_of(&source, whom).ok_or(Refusal::NotFound)?;
        let wanted = Sharing { people: vec![(whom.clone(), None)], ..Sharing::default() };
        self.reshare(caller, address, &wanted).await.map(drop)
    }

    /// `false` where this person's share was made anew since it was read: then the mirror is another one.
    pub(crate) async fn revoke_share(
        &self,
        user: &UserName,
        source: Collection,
        whom: &UserName,
    ) -> Result<bool, Refusal> {
        mirror_of(&source, whom).ok_or(Refusal::NotFound)?;
        let wanted = Sharing { people: vec![(whom.clone(), None)], ..Sharing::default() };
        Ok(self.try_reshare(user, source, &wanted).await?.is_some())
    }

    /// Opens a collection to everybody who signs in, or closes it; who may not read it any more is subscribed to it no more.
    pub async fn set_public(
        &self,
        caller: &Principal,
        address: &Address,
        public: Option<Right>,
    ) -> Result<(), Refusal> {
        let wanted = Sharing { public: Some(public), ..Sharing::default() };
        self.reshare(caller, address, &wanted).await.map(drop)
    }

    /// `None` where a mirror that it is about came or went since it was looked for.
    async fn try_reshare(
        &self,
        user: &UserName,
        source: Collection,
        wanted: &Sharing,
    ) -> Result<Option<Shared>, Refusal> {
        let steps = self.plan_sharing(&source, wanted).await?;
        let public = wanted.public.filter(|public| *public != source.public);
        let mut subscribers = match public {
            Some(_) => self.store.subscribers_behind(source.id, None, INLINE + 1).await?,
            None => Vec::new(),
        };
        let crowd = subscribers.len() > INLINE;
        if crowd {
            subscribers.clear();
        }
        let others = public.map(|_| source.grants.iter().filter_map(|grant| source.mirror(grant)).collect());
        let others: Vec<Address> = others.unwrap_or_default();
        let mut reads = vec![keys::collection(&source.address)];
        for step in &steps {
            reads.extend([keys::user(&step.user), keys::collection(&step.at), keys::invites(&step.user)]);
        }
        reads.extend(subscribers.iter().chain(&others).map(keys::collection));
        let change = Change {
            user: user.clone(),
            only: wanted.only,
            asked: wanted.public,
            limit: self.settings.limits.shares_per_collection,
            now: self.now(),
            crowd,
            source,
            steps: steps.clone(),
            subscribers: subscribers.clone(),
        };
        let now = change.now;
        let (_, done) = self.commit(reads, move |seen, stamp| change.decide(seen, stamp.0)).await?;
        let Some(shared) = done else { return Ok(None) };
        self.nudge_edge(now);
        if crowd {
            self.nudges.announcements.notify_one();
        }
        let ends = public.is_some_and(|public| !is_open(public));
        let revoked = steps.iter().filter(|step| step.right.is_none()).map(|step| &step.at);
        for channel in revoked.chain(subscribers.iter().filter(|_| ends)) {
            self.forget_channel(channel).await?;
        }
        Ok(Some(shared))
    }

    async fn plan_sharing(&self, source: &Collection, wanted: &Sharing) -> Result<Vec<Step>, Refusal> {
        if wanted.people.len() > PEOPLE_MAX {
            return Err(Refusal::Full(format!("a request names at most {PEOPLE_MAX} people")));
        }
        let kind = source.address.kind();
        let of_books = "an address book says nothing of when somebody is busy";
        let asks = |right: &Option<Right>| *right == Some(Right::FreeBusy);
        if kind == Kind::AddressBook
            && (wanted.people.iter().any(|(_, right)| asks(right)) || wanted.public.is_some_and(|right| asks(&right)))
        {
            return Err(Fault::whole(of_books).into());
        }
        let mut steps: Vec<Step> = Vec::new();
        for (whom, right) in &wanted.people {
            if whom == source.address.user() {
                return Err(Fault::whole("a collection cannot be shared with its owner").into());
            }
            steps.retain(|step| step.user != *whom);
            let known = mirror_of(source, whom);
            match (&known, right) {
                (None, None) => continue,
                (None, Some(_)) => self.check_room(kind, whom, true).await?,
                (Some(_), _) => {}
            }
            let name = known.clone().unwrap_or_else(|| random::uuid(&*self.random).to_string());
            let at = Address::new(kind, whom.as_str(), &name).ok_or_else(|| Fault::whole("no such user"))?;
            steps.push(Step { user: whom.clone(), right: *right, known, at });
        }
        if wanted.only {
            for grant in &source.grants {
                if !wanted.people.iter().any(|(whom, _)| *whom == grant.user)
                    && let Some(at) = source.mirror(grant)
                {
                    let known = Some(grant.mirror.clone());
                    steps.push(Step { user: grant.user.clone(), right: None, known, at });
                }
            }
        }
        Ok(steps)
    }

    /// Puts a public collection, or one that the caller may read otherwise, into the caller's home. Answers its new address there.
    ///
    /// Of what is shared with the caller, and hidden, the mirror is shown again.
    pub async fn subscribe(
        &self,
        caller: &Principal,
        source: &Address,
        name: Option<String>,
        id: Option<&str>,
    ) -> Result<Address, Refusal> {
        check_text("a name", name.as_deref().unwrap_or_default(), NAME_MAX)?;
        let view = self.view(&caller.name, source).await?;
        let source = view.source;
        if source.address.user() == &caller.name {
            return Err(Fault::whole("this collection is your own").into());
        }
        if source.grants.iter().any(|grant| grant.user == caller.name && grant.hidden) {
            return self.answer_share(caller, &source.address, true).await;
        }
        self.check_room(source.address.kind(), &caller.name, false).await?;
        let origin = Source::Subscribed(source.address.clone(), source.id);
        // One person cannot subscribe to it twice: what they call it follows from the source, or is noted beside it.
        let place =
            |name: &str| Address::new(source.address.kind(), caller.name.as_str(), name).filter(|at| !at.is_mailbox());
        let usual = place(&collections::subscription_name(source.id)).ok_or(Refusal::NotFound)?;
        let at = match id {
            Some(id) => place(id).ok_or_else(|| Fault::whole(format!("{id:?} is no name for a subscription")))?,
            None => usual.clone(),
        };
        let noted = keys::called(source.id, &caller.name);
        let called = self.store.get(noted.clone()).await?;
        let other = called.as_ref().and_then(|name| place(std::str::from_utf8(name).ok()?));
        let mut reads = vec![
            keys::collection(&source.address),
            keys::user(&caller.name),
            keys::announcement(source.id, true),
            noted,
            keys::collection(&at),
            keys::collection(&usual),
        ];
        reads.extend(other.iter().map(keys::collection));
        let (user, now, made_at) = (caller.name.clone(), self.now(), at.clone());
        self.commit(reads, move |seen, stamp| {
            let head = standing(seen.first(), source.id)?;
            if right_of(&user, &head) < Right::Read {
                return Err(Refusal::Forbidden);
            }
            still_there(seen.get(1))?;
            let (mut writes, mut gone) = (Vec::new(), Vec::new());
            if seen.get(3) != Some(&called) {
                return Err(Refusal::Exists);
            }
            for (place, row) in seen.iter().enumerate().skip(4) {
                let Some(old) = collections::seen(Some(row))? else { continue };
                let this = matches!(&old.source, Source::Subscribed(_, id) if *id == head.id);
                // One that ended when the collection was closed, and is still to be taken away.
                let ended = this && announcements::seen(seen.get(2))?.is_some_and(|before| old.id.0 < before);
                if !ended && (this || place == 4) {
                    return Err(Refusal::Exists);
                }
                if ended && !gone.contains(&old.id) {
                    gone.push(old.id);
                    collections::remove(&mut writes, &old);
                }
            }
            let shown = name.as_deref().unwrap_or(&head.display_name);
            let mut made = Collection::new(made_at.clone(), origin.clone(), shown, stamp.0);
            made.color.clone_from(&head.color);
            made.components.clone_from(&head.components);
            collections::write_new(&mut writes, &made);
            tell(&mut Pen::new(now, stamp.0), &mut writes, list_changes(None, Some(&made), &[]));
            let id = head.id;
            touch_subscriptions(&mut writes, Some(head), id, stamp.0);
            Ok((writes, ()))
        })
        .await?;
        Ok(at)
    }

    /// The collection behind an address, if this person may change how it is shared.
    async fn administered(&self, user: &UserName, address: &Address) -> Result<Collection, Refusal> {
        let view = self.view(user, address).await?;
        if view.right < Right::Administration {
            return Err(Refusal::Forbidden);
        }
        Ok(view.source)
    }
}

/// What a decision about sharing rests on beside the current rows.
struct Change {
    user: UserName,
    /// As it was read.
    source: Collection,
    steps: Vec<Step>,
    only: bool,
    asked: Option<Option<Right>>,
    subscribers: Vec<Address>,
    /// There are more subscribers than one commit tells.
    crowd: bool,
    limit: usize,
    now: DateTime<Utc>,
}

impl Change {
    /// `seen` is the source, three rows a step, then the subscriptions and, where the public right changes, all mirrors.
    fn decide(&self, seen: &[Option<Bytes>], stamp: u64) -> Result<(Writes, Option<Shared>), Refusal> {
        let before = standing(seen.first(), self.source.id)?;
        if right_of(&self.user, &before) < Right::Administration {
            return Err(Refusal::Forbidden);
        }
        let users = |of: &Collection| of.grants.iter().map(|grant| grant.user.clone()).collect::<Vec<_>>();
        let moved = self.steps.iter().any(|step| mirror_of(&before, &step.user) != step.known)
            || (self.only && users(&before) != users(&self.source))
            || (self.asked.is_some()
                && (before.public, before.subscriptions) != (self.source.public, self.source.subscriptions));
        if moved {
            return Ok((Vec::new(), None));
        }
        let (mut after, mut before) = (before.clone(), before);
        let (mut writes, mut shared) = (Vec::new(), Shared::default());
        let rows = seen.get(1..).unwrap_or_default().chunks(3);
        for (step, rows) in self.steps.iter().zip(rows) {
            let is_user = rows.first().is_some_and(Option::is_some);
            let mirror = collections::seen(rows.get(1))?.filter(|mirror| mirror.origin().1 == before.id);
            if mirror.is_none() {
                // A row of an older version does not say that it is hidden.
                hide(&mut before, &step.user);
                hide(&mut after, &step.user);
            }
            let had = before.grants.iter().find(|grant| grant.user == step.user).map(|grant| grant.right);
            let Some(right) = step.right else {
                after.grants.retain(|grant| grant.user != step.user);
                collections::write_granted(&mut writes, &step.user, after.id, false);
                mirror.iter().for_each(|mirror| collections::remove(&mut writes, mirror));
                if let Some(had) = had.filter(|_| is_user) {
                    self.invite(&mut writes, rows.get(2), step, had, stamp)?;
                }
                continue;
            };
            if !is_user {
                shared.unknown.push(step.user.clone());
                continue;
            }
            let name = step.at.name().to_owned();
            let full = after.grants.len() >= self.limit;
            match after.grants.iter_mut().find(|grant| grant.user == step.user) {
                Some(grant) => (grant.right, grant.hidden) = (right, false),
                None if full => {
                    return Err(Refusal::Full(format!("a collection has at most {} delegates", self.limit)));
                }
                None => after.grants.push(Grant { user: step.user.clone(), right, mirror: name, hidden: false }),
            }
            shared.mirrors.push((step.user.clone(), step.at.clone()));
            // A delegate who hid the mirror gets it back with the next grant.
            match mirror {
                None => collections::write_new(&mut writes, &mirror_at(&step.at, &after, right, stamp)),
                Some(mut mirror) if had.is_some_and(|had| uncovers(had) != uncovers(right)) => {
                    cover(&mut mirror, &after, right);
                    collections::write(&mut writes, &mirror);
                }
                Some(_) => {}
            }
            if had != Some(right) {
                collections::write_granted(&mut writes, &step.user, after.id, true);
                self.invite(&mut writes, rows.get(2), step, right, stamp)?;
            }
        }
        if let Some(public) = self.asked {
            after.public = public;
        }
        if after == before {
            return Ok((writes, Some(shared)));
        }
        self.tell(&mut writes, seen, &before, after, stamp)?;
        Ok((writes, Some(shared)))
    }

    /// Writes the head, and whatever people are to hear of it.
    fn tell(
        &self,
        writes: &mut Writes,
        seen: &[Option<Bytes>],
        before: &Collection,
        mut after: Collection,
        stamp: u64,
    ) -> Result<(), Refusal> {
        let mut leaves = Vec::new();
        for row in seen.iter().skip(1 + 3 * self.steps.len()) {
            leaves.extend(collections::seen(Some(row))?.filter(|leaf| leaf.origin().1 == before.id));
        }
        let mut before = before.clone();
        if before.public != after.public {
            let ends = !is_open(after.public);
            if ends {
                let subscribed = |leaf: &&Collection| matches!(leaf.source, Source::Subscribed(..));
                leaves.iter().filter(subscribed).for_each(|leaf| collections::remove(writes, leaf));
                after.subscriptions = stamp;
            }
            if self.crowd {
                let news = Announcement { source: after.id, ends, before: stamp, after: None };
                announcements::write(writes, &news);
            }
            if ends {
                announcements::done(writes, after.id, false);
            }
            // Likewise of those whose mirror is not there although its grant does not say so.
            let stands = |side: &Collection, grant: &Grant| {
                side.mirror(grant).is_some_and(|at| leaves.iter().any(|leaf| leaf.address == at))
            };
            let stood: Vec<UserName> =
                before.grants.iter().filter(|g| !stands(&before, g)).map(|g| g.user.clone()).collect();
            for user in stood.iter().filter(|user| !self.steps.iter().any(|step| step.user == **user)) {
                hide(&mut before, user);
                hide(&mut after, user);
            }
        }
        let subscribers: Vec<Address> =
            self.subscribers.iter().filter(|at| leaves.iter().any(|leaf| leaf.address == **at)).cloned().collect();
        let mut pen = Pen::new(self.now, stamp);
        collections::write(writes, &after);
        let rights = |of: &Collection| -> Vec<(UserName, Right)> {
            of.grants.iter().map(|grant| (grant.user.clone(), grant.right)).collect()
        };
        if rights(&before) != rights(&after) || before.public != after.public {
            title_readers(writes, &after, self.now, stamp);
            let event = Event::RightsChanged { collection: after.id, address: after.address.clone() };
            pen.tell(writes, event);
        }
        tell(&mut pen, writes, list_changes(Some(&before), Some(&after), &subscribers));
        Ok(())
    }

    /// Puts into somebody's box that they got a share, another right, or lost it.
    fn invite(
        &self,
        writes: &mut Writes,
        row: Option<&Option<Bytes>>,
        step: &Step,
        right: Right,
        stamp: u64,
    ) -> Result<(), Refusal> {
        let mut held = invites::seen(row)?;
        let name = if uncovers(right) { &self.source.display_name } else { self.source.address.user().as_str() };
        held.put(Invite {
            id: format!("{:x}-{stamp:x}.xml", self.source.id.0),
            stamp,
            at: self.now,
            about: self.source.address.clone(),
            other: self.source.address.user().clone(),
            reply: false,
            state: if step.right.is_some() { State::Accepted } else { State::Deleted },
            right,
            name: name.to_owned(),
        });
        invites::write(writes, &step.user, &held);
        Ok(())
    }
}

/// Whether a right shows what the collection is called.
fn uncovers(right: Right) -> bool {
    right >= Right::Read
}

/// A fresh mirror of a collection. Who may only ask when its owner is busy learns nothing of its face.
pub(crate) fn mirror_at(at: &Address, source: &Collection, right: Right, stamp: u64) -> Collection {
    let origin = Source::Delegated(source.address.clone(), source.id);
    let mut mirror = Collection::new(at.clone(), origin, source.address.user().as_str(), stamp);
    mirror.components.clone_from(&source.components);
    cover(&mut mirror, source, right);
    mirror
}

/// Lets a mirror show its source's name and colour, or not; what its holder called it stays.
fn cover(mirror: &mut Collection, source: &Collection, right: Right) {
    let covered = source.address.user().as_str();
    if uncovers(right) && mirror.display_name == covered {
        mirror.display_name.clone_from(&source.display_name);
        mirror.color.clone_from(&source.color);
    } else if !uncovers(right) && mirror.display_name == source.display_name {
        covered.clone_into(&mut mirror.display_name);
        mirror.color.clear();
    }
}

fn hide(collection: &mut Collection, user: &UserName) {
    collection.grants.iter_mut().filter(|grant| grant.user == *user).for_each(|grant| grant.hidden = true);
}

/// Other people may read the titles in a calendar now: what its owner's presence shows is derived anew.
fn title_readers(writes: &mut Writes, source: &Collection, now: DateTime<Utc>, stamp: u64) {
    if source.address.kind() == Kind::Calendar {
        presence::remind(writes, now, source.address.user(), stamp);
    }
}

/// The name of the mirror that goes with somebody's share.
fn mirror_of(source: &Collection, whom: &UserName) -> Option<String> {
    source.grants.iter().find(|grant| grant.user == *whom).map(|grant| grant.mirror.clone())
}

/// How often a decision that rests on a scanned range is tried anew when the range moved meanwhile.
const TRIES: usize = 8;
