//! What people do about what is shared with them: show it, hide it, read what they were told of it. Granting stands in `sharing.rs`.

use std::sync::Arc;

use crate::domain::access::Right;
use crate::domain::address::{Address, UserName};
use crate::domain::collection::{Collection, list_changes};
use crate::domain::invite::{Invite, Mailbox, State};
use crate::domain::principal::Principal;
use crate::domain::refusal::Refusal;
use crate::service::Service;
use crate::service::collections::{View, standing, tell};
use crate::service::principals::still_there;
use crate::service::sharing::mirror_at;
use crate::store::journal::Pen;
use crate::store::{collections, invites, keys};

/// A share that somebody has of another's collection.
#[derive(Clone, Debug)]
pub struct Given {
    pub source: Collection,
    pub right: Right,
    /// Where it stands in their home, or would if it were shown.
    pub mirror: Address,
    pub hidden: bool,
}

/// The people of a collection.
#[derive(Clone, Debug)]
pub struct Company {
    /// The owner's.
    pub email: String,
    pub display_name: String,
    pub sharees: Vec<Sharee>,
}

/// Somebody whom a collection is shared with.
#[derive(Clone, Debug)]
pub struct Sharee {
    pub name: UserName,
    pub email: String,
    pub display_name: String,
    pub right: Right,
    pub hidden: bool,
}

impl Service {
    /// What others share with a person, hidden or not.
    pub async fn shared_with(&self, user: &UserName) -> Result<Vec<Given>, Refusal> {
        let mut all = Vec::new();
        for id in self.store.granted(user).await? {
            let Some(source) = self.store.collection_by_id(id).await? else { continue };
            let Some(grant) = source.grants.iter().find(|grant| grant.user == *user) else { continue };
            let Some(mirror) = source.mirror(grant) else { continue };
            let (right, hidden) = (grant.right, grant.hidden || self.store.collection(&mirror).await?.is_none());
            all.push(Given { right, hidden, mirror, source });
        }
        Ok(all)
    }

    /// Looks for the people of a collection: whose it is, and for whoever may see that, whom it is shared with.
    pub async fn introduce(&self, view: &mut View) -> Result<(), Refusal> {
        let Some(owner) = self.store.principal(view.source.address.user()).await? else { return Ok(()) };
        let mut company = Company { email: owner.email, display_name: owner.display_name, sharees: Vec::new() };
        let grants = view.source.grants.iter().filter(|_| view.right >= Right::Administration);
        for grant in grants {
            let Some(person) = self.store.principal(&grant.user).await? else { continue };
            company.sharees.push(Sharee {
                name: person.name,
                email: person.email,
                display_name: person.display_name,
                right: grant.right,
                hidden: grant.hidden,
            });
        }
        view.company = Some(Arc::new(company));
        Ok(())
    }

    /// Shows the mirror of what is shared with the caller, or hides it; `address` is the collection's or the mirror's. The owner is told
    /// of an answer that changes something. `NotFound` where nothing of that address is shared with them.
    pub async fn answer_share(&self, caller: &Principal, address: &Address, accept: bool) -> Result<Address, Refusal> {
        let given = self.shared_with(&caller.name).await?;
        let given = given.into_iter().find(|given| given.mirror == *address || given.source.address == *address);
        let Given { source, mirror, .. } = given.ok_or(Refusal::NotFound)?;
        if accept && self.store.collection(&mirror).await?.is_none() {
            self.check_room(mirror.kind(), &caller.name, true).await?;
        }
        let owner = source.address.user().clone();
        let reads = vec![
            keys::collection(&source.address),
            keys::collection(&mirror),
            keys::user(&caller.name),
            keys::user(&owner),
            keys::invites(&owner),
        ];
        let (user, at, now) = (caller.name.clone(), mirror.clone(), self.now());
        self.commit(reads, move |seen, stamp| {
            let mut before = standing(seen.first(), source.id)?;
            still_there(seen.get(2))?;
            let row = collections::seen(seen.get(1))?.filter(|row| row.origin().1 == before.id);
            let grant = before.grants.iter_mut().find(|grant| grant.user == user && grant.mirror == at.name());
            let grant = grant.ok_or(Refusal::NotFound)?;
            grant.hidden = row.is_none();
            let (right, mut after) = (grant.right, before.clone());
            after.grants.iter_mut().filter(|grant| grant.user == user).for_each(|grant| grant.hidden = !accept);
            if after == before {
                return Ok((Vec::new(), ()));
            }
            let mut writes = Vec::new();
            collections::write(&mut writes, &after);
            match &row {
                Some(row) => collections::remove(&mut writes, row),
                None => collections::write_new(&mut writes, &mirror_at(&at, &after, right, stamp.0)),
            }
            tell(&mut Pen::new(now, stamp.0), &mut writes, list_changes(Some(&before), Some(&after), &[]));
            if seen.get(3).is_some_and(Option::is_some) {
                let mut held = invites::seen(seen.get(4))?;
                held.put(Invite {
                    id: format!("{:x}-{:x}.xml", after.id.0, stamp.0),
                    stamp: stamp.0,
                    at: now,
                    about: after.address.clone(),
                    other: user.clone(),
                    reply: true,
                    state: if accept { State::Accepted } else { State::Declined },
                    right,
                    name: after.display_name.clone(),
                });
                invites::write(&mut writes, after.address.user(), &held);
            }
            Ok((writes, ()))
        })
        .await?;
        if !accept {
            self.forget_channel(&mirror).await?;
        }
        Ok(mirror)
    }

    /// What somebody was told of sharing.
    pub async fn invites_for(&self, user: &UserName) -> Result<Mailbox, Refusal> {
        Ok(self.store.mailbox(user).await?)
    }

    /// Throws one away.
    pub async fn drop_invite(&self, caller: &Principal, id: &str) -> Result<(), Refusal> {
        let (user, id) = (caller.name.clone(), id.to_owned());
        self.commit(vec![keys::invites(&user), keys::user(&user)], move |seen, stamp| {
            still_there(seen.get(1))?;
            let mut held = invites::seen(seen.first())?;
            if !held.remove(&id, stamp.0) {
                return Err(Refusal::NotFound);
            }
            let mut writes = Vec::new();
            invites::write(&mut writes, &user, &held);
            Ok((writes, ()))
        })
        .await?;
        Ok(())
    }
}
