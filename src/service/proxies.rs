//! Those who act for the owner of a home: `calendar-proxy-read` and `-write`. Their rights stand on each of the owner's own calendars.

use bytes::Bytes;

use crate::domain::access::{Proxy, Right, right_of};
use crate::domain::address::{Kind, UserName};
use crate::domain::collection::{Collection, Source};
use crate::domain::event::Event;
use crate::domain::principal::Principal;
use crate::domain::refusal::{Fault, Refusal};
use crate::kv::Stamp;
use crate::service::Service;
use crate::service::collections::View;
use crate::service::principals::still_there;
use crate::store::journal::Pen;
use crate::store::{collections, keys, presence, proxies};

/// People who may act for one person.
pub const PROXIES_MAX: usize = 100;

impl Service {
    pub async fn proxies(&self, owner: &UserName) -> Result<Vec<Proxy>, Refusal> {
        Ok(self.store.proxies(owner).await?)
    }

    /// Whom somebody acts for, and with which right.
    pub async fn acts_for(&self, user: &UserName) -> Result<Vec<(UserName, Right)>, Refusal> {
        let mut all = Vec::new();
        for owner in self.store.acts_for(user).await? {
            if let Some(right) = self.acting(user, &owner).await? {
                all.push((owner, right));
            }
        }
        Ok(all)
    }

    /// The right with which somebody acts for an owner, if they do.
    pub async fn acting(&self, user: &UserName, owner: &UserName) -> Result<Option<Right>, Refusal> {
        let proxies = self.store.proxies(owner).await?;
        Ok(proxies.into_iter().find(|proxy| proxy.user == *user).map(|proxy| proxy.right))
    }

    /// Sets who acts for the caller with one right, `Read` or `ReadWrite`; whoever is named twice has the last. All calendars change in
    /// one commit. Refuses the caller themself, people who are not there, and more than `PROXIES_MAX`.
    pub async fn set_proxies(&self, caller: &Principal, right: Right, members: &[UserName]) -> Result<(), Refusal> {
        if members.contains(&caller.name) {
            return Err(Fault::whole("nobody acts for themself").into());
        }
        let members = members.to_vec();
        self.change_proxies(&caller.name, move |proxies| {
            proxies.retain(|proxy| proxy.right != right && !members.contains(&proxy.user));
            for user in &members {
                if !proxies.iter().any(|proxy| proxy.user == *user) {
                    proxies.push(Proxy { user: user.clone(), right });
                }
            }
        })
        .await
    }

    /// Takes away all that somebody who is gone was to others, or others to them.
    pub(crate) async fn forget_proxies(&self, name: &UserName) -> Result<(), Refusal> {
        for owner in self.store.acts_for(name).await? {
            let gone = name.clone();
            match self.change_proxies(&owner, move |proxies| proxies.retain(|proxy| proxy.user != gone)).await {
                Ok(()) | Err(Refusal::Unauthenticated) => {}
                Err(refusal) => return Err(refusal),
            }
        }
        let owner = name.clone();
        self.commit(vec![keys::proxies(name)], move |seen, _| {
            let before = proxies::seen(seen.first())?;
            let mut writes = Vec::new();
            proxies::write(&mut writes, &owner, &before, &[]);
            Ok((writes, ()))
        })
        .await?;
        self.remove_all(&keys::all_acts_for(name)).await
    }

    async fn change_proxies(
        &self,
        owner: &UserName,
        change: impl Fn(&mut Vec<Proxy>) + Clone + Send + Sync + 'static,
    ) -> Result<(), Refusal> {
        // A calendar that is made meanwhile has the list of its time: it is found in the next round.
        let mut changed = false;
        for _ in 0..TRIES {
            let mut wanted = self.store.proxies(owner).await?;
            if !changed {
                change(&mut wanted);
            }
            if wanted.len() > PROXIES_MAX {
                return Err(Refusal::Full(format!("at most {PROXIES_MAX} people act for one person")));
            }
            let home = self.store.home(Kind::Calendar, owner).await?;
            let own: Vec<Collection> = home.into_iter().filter(|one| one.source == Source::Own).collect();
            if changed && own.iter().all(|calendar| calendar.proxies == wanted) {
                return Ok(());
            }
            let mut reads = vec![keys::proxies(owner), keys::user(owner)];
            reads.extend(wanted.iter().map(|proxy| keys::user(&proxy.user)));
            reads.extend(own.iter().map(|calendar| keys::collection(&calendar.address)));
            let (change, owner, now, people) = (change.clone(), owner.clone(), self.now(), wanted.len());
            let again = changed;
            let decide = move |seen: &[Option<Bytes>], stamp: Stamp| {
                let before = proxies::seen(seen.first())?;
                still_there(seen.get(1))?;
                let mut after = before.clone();
                if !again {
                    change(&mut after);
                }
                // Somebody else changed it since it was read: the next round does what is left.
                if after != wanted {
                    return Ok((Vec::new(), again));
                }
                let known = seen.iter().skip(2).take(people);
                if let Some((gone, _)) = wanted.iter().zip(known).find(|(_, row)| row.is_none()) {
                    return Err(Fault::whole(format!("no user named {:?}", gone.user.as_str())).into());
                }
                let mut writes = Vec::new();
                proxies::write(&mut writes, &owner, &before, &after);
                let mut pen = Pen::new(now, stamp.0);
                for row in seen.iter().skip(2 + people) {
                    let Some(mut calendar) = collections::seen(Some(row))?.filter(|one| one.proxies != after) else {
                        continue;
                    };
                    calendar.proxies.clone_from(&after);
                    collections::write(&mut writes, &calendar);
                    let (collection, address) = (calendar.id, calendar.address);
                    pen.tell(&mut writes, Event::RightsChanged { collection, address });
                }
                presence::remind(&mut writes, now, &owner, stamp.0);
                Ok((writes, true))
            };
            (_, changed) = self.commit(reads, decide).await?;
            self.nudge_edge(now);
        }
        Err(Refusal::Busy { limit: "the calendars of this home keep changing", retry_seconds: 1 })
    }

    /// What somebody sees in a home: all of their own, of another's what they act for. `Forbidden` where they do not.
    pub async fn home_of(&self, user: &UserName, owner: &UserName, kind: Kind) -> Result<Vec<View>, Refusal> {
        if user == owner {
            return self.shown(user, kind).await;
        }
        if kind != Kind::Calendar || self.acting(user, owner).await?.is_none() {
            return Err(Refusal::Forbidden);
        }
        let mut views = Vec::new();
        for shown in self.store.home(kind, owner).await?.into_iter().filter(|one| one.source == Source::Own) {
            let right = right_of(user, &shown);
            if right >= Right::Read {
                views.push(View { source: shown.clone(), shown, right, company: None });
            }
        }
        Ok(views)
    }
}

/// Rounds in which the calendars of a home are brought to one list.
const TRIES: usize = 8;
