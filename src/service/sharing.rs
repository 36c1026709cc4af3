//! Who else sees a collection: shares, the public right, subscriptions. Each writes heads, mirrors and news in one commit.

use chrono::{DateTime, Utc};

use crate::domain::access::{Grant, Right, right_of};
use crate::domain::address::{Address, Kind, UserName};
use crate::domain::collection::{Collection, ListNews, Source, list_changes};
use crate::domain::event::{Event, ListChange};
use crate::domain::principal::Principal;
use crate::domain::refusal::{Fault, Refusal};
use crate::kv::Writes;
use crate::service::Service;
use crate::service::collections::{NAME_MAX, check_text, standing, tell, touch_subscriptions};
use crate::service::principals::still_there;
use crate::store::journal::Pen;
use crate::store::{collections, keys, presence};
use crate::system::random;

impl Service {
    /// Grants `whom` a right, or changes it. They get a mirror in their home. Answers the mirror's address.
    pub async fn share(
        &self,
        caller: &Principal,
        address: &Address,
        whom: &UserName,
        right: Right,
    ) -> Result<Address, Refusal> {
        for _ in 0..TRIES {
            if let Some(mirror) = self.try_share(caller, address, whom, right).await? {
                return Ok(mirror);
            }
        }
        Err(Refusal::Busy { limit: "the shares of this collection keep changing", retry_seconds: 1 })
    }

    /// `None` where this person's share was made or taken back since it was read: then the mirror is another one.
    async fn try_share(
        &self,
        caller: &Principal,
        address: &Address,
        whom: &UserName,
        right: Right,
    ) -> Result<Option<Address>, Refusal> {
        let source = self.administered(caller, address).await?;
        if whom == source.address.user() {
            return Err(Fault::whole("a collection cannot be shared with its owner").into());
        }
        let known = mirror_of(&source, whom);
        if known.is_none() {
            self.check_room(source.address.kind(), whom, true).await?;
        }
        let name = known.clone().unwrap_or_else(|| random::uuid(&*self.random).to_string());
        let at = Address::new(source.address.kind(), whom.as_str(), &name)
            .ok_or_else(|| Refusal::from(Fault::whole("no such user")))?;
        let reads = vec![keys::collection(&source.address), keys::user(whom), keys::collection(&at)];
        let (user, whom, now) = (caller.name.clone(), whom.clone(), self.now());
        let limit = self.settings.limits.shares_per_collection;
        let made_at = at.clone();
        let (_, done) = self
            .commit(reads, move |seen, stamp| {
                let before = standing(seen.first(), source.id)?;
                if right_of(&user, &before) < Right::Administration {
                    return Err(Refusal::Forbidden);
                }
                if seen.get(1).is_none_or(Option::is_none) {
                    return Err(Fault::whole(format!("no user named {:?}", whom.as_str())).into());
                }
                if mirror_of(&before, &whom) != known {
                    return Ok((Vec::new(), false));
                }
                let mut after = before.clone();
                let full = after.grants.len() >= limit;
                match after.grants.iter_mut().find(|grant| grant.user == whom) {
                    Some(grant) => grant.right = right,
                    None if full => return Err(Refusal::Full(format!("a collection has at most {limit} delegates"))),
                    None => after.grants.push(Grant { user: whom.clone(), right, mirror: made_at.name().to_owned() }),
                }
                let mut writes = Vec::new();
                let mut pen = Pen::new(now, stamp.0);
                let mut news = list_changes(Some(&before), Some(&after), &[]);
                if after.grants != before.grants {
                    collections::write(&mut writes, &after);
                    collections::write_granted(&mut writes, &whom, after.id, true);
                    title_readers(&mut writes, &after, now, stamp.0);
                    let event = Event::RightsChanged { collection: after.id, address: after.address.clone() };
                    pen.tell(&mut writes, event);
                }
                // A delegate who hid the mirror gets it back with the next grant.
                if seen.get(2).is_none_or(Option::is_none) {
                    let origin = Source::Delegated(after.address.clone(), after.id);
                    let mut mirror = Collection::new(made_at.clone(), origin, &after.display_name, stamp.0);
                    mirror.color.clone_from(&after.color);
                    mirror.components.clone_from(&after.components);
                    collections::write_new(&mut writes, &mirror);
                    news.retain(|news| news.address != made_at);
                    let shown =
                        ListNews { user: whom.clone(), change: ListChange::Delegated, address: made_at.clone() };
                    news.insert(0, shown);
                }
                tell(&mut pen, &mut writes, news);
                Ok((writes, true))
            })
            .await?;
        self.nudge_edge(now);
        Ok(done.then_some(at))
    }

    /// Takes a share back; the mirror goes with it.
    pub async fn unshare(&self, caller: &Principal, address: &Address, whom: &UserName) -> Result<(), Refusal> {
        for _ in 0..TRIES {
            let source = self.administered(caller, address).await?;
            if self.revoke_share(&caller.name, source, whom).await? {
                return Ok(());
            }
        }
        Err(Refusal::Busy { limit: "the shares of this collection keep changing", retry_seconds: 1 })
    }

    /// `false` where this person's share was made anew since it was read: then the mirror is another one.
    pub(crate) async fn revoke_share(
        &self,
        user: &UserName,
        source: Collection,
        whom: &UserName,
    ) -> Result<bool, Refusal> {
        let known = mirror_of(&source, whom).ok_or(Refusal::NotFound)?;
        let at = Address::new(source.address.kind(), whom.as_str(), &known).ok_or(Refusal::NotFound)?;
        let reads = vec![keys::collection(&source.address), keys::collection(&at)];
        let gone = at.clone();
        let (user, whom, now) = (user.clone(), whom.clone(), self.now());
        let (_, done) = self
            .commit(reads, move |seen, stamp| {
                let before = standing(seen.first(), source.id)?;
                if right_of(&user, &before) < Right::Administration {
                    return Err(Refusal::Forbidden);
                }
                if mirror_of(&before, &whom).ok_or(Refusal::NotFound)? != known {
                    return Ok((Vec::new(), false));
                }
                let mut after = before.clone();
                after.grants.retain(|grant| grant.user != whom);
                let mut writes = Vec::new();
                let mut pen = Pen::new(now, stamp.0);
                collections::write(&mut writes, &after);
                collections::write_granted(&mut writes, &whom, after.id, false);
                title_readers(&mut writes, &after, now, stamp.0);
                let mut news = list_changes(Some(&before), Some(&after), &[]);
                match collections::seen(seen.get(1))?.filter(|mirror| mirror.origin().1 == before.id) {
                    Some(mirror) => collections::remove(&mut writes, &mirror),
                    // Hidden already: its holder hears nothing more of it.
                    None => news.retain(|news| news.address != at),
                }
                pen.tell(&mut writes, Event::RightsChanged { collection: after.id, address: after.address.clone() });
                tell(&mut pen, &mut writes, news);
                Ok((writes, true))
            })
            .await?;
        self.nudge_edge(now);
        if done {
            self.forget_channel(&gone).await?;
        }
        Ok(done)
    }

    /// Opens a collection to everybody who signs in, or closes it; closing ends all subscriptions.
    pub async fn set_public(
        &self,
        caller: &Principal,
        address: &Address,
        public: Option<Right>,
    ) -> Result<(), Refusal> {
        for _ in 0..TRIES {
            let source = self.administered(caller, address).await?;
            let subscribers = self.store.subscribers(source.id).await?;
            let left = subscribers.clone();
            let mirrors: Vec<Address> = source.grants.iter().filter_map(|grant| source.mirror(grant)).collect();
            let mut reads = vec![keys::collection(&source.address)];
            reads.extend(subscribers.iter().chain(&mirrors).map(keys::collection));
            let (user, now) = (caller.name.clone(), self.now());
            let (_, done) = self
                .commit(reads, move |seen, stamp| {
                    let before = standing(seen.first(), source.id)?;
                    if right_of(&user, &before) < Right::Administration {
                        return Err(Refusal::Forbidden);
                    }
                    if before.subscriptions != source.subscriptions || before.grants != source.grants {
                        return Ok((Vec::new(), false));
                    }
                    let mut after = before.clone();
                    after.public = public;
                    let mut writes = Vec::new();
                    if after != before {
                        let mut shown = Vec::new();
                        for row in seen.iter().skip(1) {
                            shown.extend(collections::seen(Some(row))?.filter(|leaf| leaf.origin().1 == before.id));
                        }
                        if public.is_none() {
                            let subscribed = |leaf: &&Collection| matches!(leaf.source, Source::Subscribed(..));
                            shown.iter().filter(subscribed).for_each(|leaf| collections::remove(&mut writes, leaf));
                            after.subscriptions = stamp.0;
                        }
                        let mut pen = Pen::new(now, stamp.0);
                        collections::write(&mut writes, &after);
                        title_readers(&mut writes, &after, now, stamp.0);
                        let event = Event::RightsChanged { collection: after.id, address: after.address.clone() };
                        pen.tell(&mut writes, event);
                        // Who hid their mirror hears nothing of it.
                        let mut news = list_changes(Some(&before), Some(&after), &subscribers);
                        let stands =
                            |at: &Address| *at == after.address || shown.iter().any(|leaf| leaf.address == *at);
                        news.retain(|news| stands(&news.address));
                        tell(&mut pen, &mut writes, news);
                    }
                    Ok((writes, true))
                })
                .await?;
            if done {
                self.nudge_edge(now);
                let gone: &[Address] = if public.is_none() { &left } else { &[] };
                for channel in gone {
                    self.forget_channel(channel).await?;
                }
                return Ok(());
            }
        }
        Err(Refusal::Busy { limit: "the subscriptions of this collection keep changing", retry_seconds: 1 })
    }

    /// Puts a public collection, or one that the caller may read otherwise, into the caller's home. Answers its new address there.
    pub async fn subscribe(
        &self,
        caller: &Principal,
        source: &Address,
        name: Option<String>,
    ) -> Result<Address, Refusal> {
        check_text("a name", name.as_deref().unwrap_or_default(), NAME_MAX)?;
        let view = self.view(&caller.name, source).await?;
        let source = view.source;
        if source.address.user() == &caller.name {
            return Err(Fault::whole("this collection is your own").into());
        }
        self.check_room(source.address.kind(), &caller.name, false).await?;
        let origin = Source::Subscribed(source.address.clone(), source.id);
        // The name follows from the source, so that one person cannot subscribe to it twice.
        let leaf = format!("sub-{:x}", source.id.0);
        let at = Address::new(source.address.kind(), caller.name.as_str(), &leaf).ok_or(Refusal::NotFound)?;
        let reads = vec![keys::collection(&source.address), keys::collection(&at), keys::user(&caller.name)];
        let (user, now, made_at) = (caller.name.clone(), self.now(), at.clone());
        self.commit(reads, move |seen, stamp| {
            let head = standing(seen.first(), source.id)?;
            if right_of(&user, &head) < Right::Read {
                return Err(Refusal::Forbidden);
            }
            still_there(seen.get(2))?;
            if seen.get(1).is_some_and(Option::is_some) {
                return Err(Refusal::Exists);
            }
            let shown = name.as_deref().unwrap_or(&head.display_name);
            let mut made = Collection::new(made_at.clone(), origin.clone(), shown, stamp.0);
            made.color.clone_from(&head.color);
            made.components.clone_from(&head.components);
            let mut writes = Vec::new();
            collections::write_new(&mut writes, &made);
            tell(&mut Pen::new(now, stamp.0), &mut writes, list_changes(None, Some(&made), &[]));
            let id = head.id;
            touch_subscriptions(&mut writes, Some(head), id, stamp.0);
            Ok((writes, ()))
        })
        .await?;
        Ok(at)
    }

    /// The collection behind an address, if the caller may change how it is shared.
    async fn administered(&self, caller: &Principal, address: &Address) -> Result<Collection, Refusal> {
        let view = self.view(&caller.name, address).await?;
        if view.right < Right::Administration {
            return Err(Refusal::Forbidden);
        }
        Ok(view.source)
    }
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
