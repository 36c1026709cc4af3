//! How people, organisations and this instance are called on wires that know no login names. Answers from memory.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use bytes::Bytes;
use uuid::Uuid;

use crate::domain::address::UserName;
use crate::domain::organisation::{Id, organisation_uuid, user_uuid};
use crate::domain::refusal::Refusal;
use crate::kv::Stamp;
use crate::service::Service;
use crate::store::{keys, organisations};
use crate::system::random;

/// Under which name this instance's own id is kept.
const ORIGIN: &str = "origin";

#[derive(Debug)]
pub struct Directory {
    origin: OnceLock<Uuid>,
    /// The organisation of whoever was never put into one.
    home: Id,
    /// Where others are, and the stamp of the commit that says so: news can come in another order than their commits. One entry for
    /// each person who was ever put somewhere.
    places: RwLock<HashMap<UserName, (u64, Id)>>,
}

impl Directory {
    pub fn new(home: Id) -> Directory {
        Directory { origin: OnceLock::new(), home, places: RwLock::default() }
    }

    /// This instance; nil before the store was asked.
    pub fn origin(&self) -> Uuid {
        self.origin.get().copied().unwrap_or_default()
    }

    /// A person: the same for ever, on every node.
    pub fn person(&self, user: &UserName) -> Uuid {
        user_uuid(user)
    }

    /// The tenant that somebody belongs to: their organisation.
    pub fn tenant(&self, user: &UserName) -> Uuid {
        organisation_uuid(&self.organisation(user))
    }

    pub fn organisation(&self, user: &UserName) -> Id {
        let places = self.places.read().unwrap_or_else(PoisonError::into_inner);
        places.get(user).map_or_else(|| self.home.clone(), |(_, organisation)| organisation.clone())
    }

    /// Somebody is there since that commit; `None` is the default organisation.
    pub(crate) fn place(&self, user: &UserName, stamp: Stamp, organisation: Option<&Id>) {
        let organisation = organisation.unwrap_or(&self.home);
        let mut places = self.places.write().unwrap_or_else(PoisonError::into_inner);
        match places.get_mut(user) {
            Some((known, _)) if *known > stamp.0 => {}
            Some(known) => *known = (stamp.0, organisation.clone()),
            None => drop(places.insert(user.clone(), (stamp.0, organisation.clone()))),
        }
    }
}

impl Service {
    pub fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }

    /// Reads the name of this instance, or gives it one, and where everybody is.
    pub async fn start_directory(&self) -> Result<(), Refusal> {
        let origin = self.origin_uuid().await?;
        // A second start finds it there.
        let _ = self.directory.origin.set(origin);
        for organisation in self.store.organisations().await? {
            for member in self.store.members(&organisation.id).await? {
                // Whatever is written from now on is later than this.
                self.directory.place(&member.user, Stamp(0), Some(&organisation.id));
            }
        }
        Ok(())
    }

    /// The organisation that somebody is in, without putting them into one.
    pub(crate) async fn organisation_of(&self, user: &UserName) -> Result<Id, Refusal> {
        let found = self.store.member_of(user).await?.map(|member| member.organisation);
        if found.unwrap_or_else(|| self.directory.home.clone()) != self.directory.organisation(user) {
            // Whoever moved them went away before that was noted.
            let (stamp, place) = self
                .commit(vec![keys::member_of(user)], |seen, _| {
                    Ok((Vec::new(), organisations::seen_place(seen.first().and_then(Option::as_ref))?))
                })
                .await?;
            self.directory.place(user, stamp, place.as_ref().map(|(organisation, _)| organisation));
        }
        Ok(self.directory.organisation(user))
    }

    /// The id of this installation, made up once for the life of the store.
    async fn origin_uuid(&self) -> Result<Uuid, Refusal> {
        let (key, fresh) = (keys::made_up(ORIGIN), random::uuid(&*self.random));
        let (_, origin) = self
            .commit(vec![key.clone()], move |seen, _| {
                let kept = seen.first().and_then(Option::as_ref).and_then(|bytes| Uuid::from_slice(bytes).ok());
                let writes = match kept {
                    Some(_) => Vec::new(),
                    None => vec![(key.clone(), Some(Bytes::copy_from_slice(fresh.as_bytes())))],
                };
                Ok((writes, kept.unwrap_or(fresh)))
            })
            .await?;
        Ok(origin)
    }
}
