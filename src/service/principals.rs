//! People: added, given passwords, listed, removed.

use bytes::Bytes;

use crate::domain::access::Right;
use crate::domain::address::{Address, Kind, UserName};
use crate::domain::event::{Event, Sockets};
use crate::domain::principal::{Principal, login_name};
use crate::domain::refusal::{Fault, Refusal};
use crate::service::Service;
use crate::service::collections::zone_named;
use crate::service::collections::{NAME_MAX, check_text};
use crate::service::replan;
use crate::service::{argon, login};
use crate::store::journal::Pen;
use crate::store::{feeds, keys, record};
use crate::system::random;

/// A person who is to be added.
#[derive(Clone, Debug)]
pub struct Newcomer {
    pub name: String,
    pub email: String,
    pub display_name: String,
    pub password: String,
    pub timezone: Option<String>,
    pub administrator: bool,
}

/// The longest mail address, in bytes. RFC 5321 section 4.5.3.1.3, without its brackets.
const MAIL_MAX: usize = 254;

/// Everybody gets these: the calendar that invitations will go to, and the book that clients collect addresses in.
const FIRST_COLLECTIONS: [(Kind, &str, &str); 2] =
    [(Kind::Calendar, "default", "Calendar"), (Kind::AddressBook, "collected", "Collected contacts")];

impl Service {
    /// Adds a person with a calendar `default` and an address book `collected`.
    pub async fn add_user(&self, newcomer: Newcomer) -> Result<Principal, Refusal> {
        let name = login_name(&newcomer.name)
            .ok_or_else(|| Fault::whole(format!("{:?} cannot be a login name", newcomer.name)))?;
        // A login name may look like a mail address, and then it must be one's own: mail addresses sign people in too.
        let odd = |c: char| c.is_whitespace() || c.is_control();
        if !newcomer.email.contains('@') || newcomer.email.len() > MAIL_MAX || newcomer.email.contains(odd) {
            return Err(Fault::whole(format!("{:?} is no mail address", newcomer.email)).into());
        }
        if name.as_str().contains('@') && name.as_str() != newcomer.email.to_lowercase() {
            return Err(Fault::whole(format!(
                "{:?} looks like a mail address, but is not this person's",
                name.as_str()
            ))
            .into());
        }
        check_text("a name", &newcomer.display_name, NAME_MAX)?;
        if let Some(zone) = &newcomer.timezone {
            zone_named(zone).ok_or_else(|| Fault::whole(format!("no zone named {zone:?}")))?;
        }
        let principal = Principal {
            name: name.clone(),
            email: newcomer.email,
            display_name: newcomer.display_name,
            password_hash: self.hash_password(newcomer.password).await?,
            timezone: newcomer.timezone.as_deref().and_then(zone_named).map(str::to_owned),
            administrator: newcomer.administrator,
        };
        self.move_in(principal).await
    }

    /// Gives a person, whose texts were looked at, their home.
    pub(crate) async fn move_in(&self, principal: Principal) -> Result<Principal, Refusal> {
        let name = principal.name.clone();
        let _turn = self.people.lock().await;
        let taken = self.store.user_of_mail(&principal.email).await?.is_some();
        if taken || self.store.principal(&name).await?.is_some() {
            return Err(Refusal::Exists);
        }
        // What a removal that broke off has left is not for whoever comes next.
        if self.has_traces(&name).await? {
            self.clear_traces(&name).await?;
        }
        // The collections come first: a crash between leaves a home without a person, which the next try makes anew.
        for (kind, at, shown) in FIRST_COLLECTIONS {
            if let Some(address) = Address::new(kind, name.as_str(), at) {
                match self.make_first_collection(&address, shown).await {
                    Ok(()) | Err(Refusal::Exists) => {}
                    Err(refusal) => return Err(refusal),
                }
            }
        }
        let kept = principal.clone();
        self.commit(vec![keys::user(&name), keys::mail(&principal.email)], move |seen, _| {
            if seen.iter().any(Option::is_some) {
                return Err(Refusal::Exists);
            }
            let owner = Bytes::copy_from_slice(kept.name.as_str().as_bytes());
            let writes = vec![
                (keys::user(&kept.name), Some(record::people::pack_principal(&kept))),
                (keys::mail(&kept.email), Some(owner)),
            ];
            Ok((writes, ()))
        })
        .await?;
        Ok(principal)
    }

    /// Gives a person another password; their open sockets close, and tickets drawn with the old one open none. App passwords stay, with
    /// the sockets and tickets of their devices.
    pub async fn set_password(&self, name: &UserName, password: String) -> Result<(), Refusal> {
        let hash = self.hash_password(password).await?;
        let (row, now) = (keys::user(name), self.now());
        self.commit(vec![row.clone()], move |seen, stamp| {
            let Some(Some(bytes)) = seen.first() else { return Err(Refusal::NotFound) };
            let mut principal = record::people::principal(bytes)?;
            principal.password_hash = hash.clone();
            let mut writes = vec![(row.clone(), Some(record::people::pack_principal(&principal)))];
            Pen::new(now, stamp.0).tell(&mut writes, Event::SignedOut { user: principal.name, whose: Sockets::Own });
            Ok((writes, ()))
        })
        .await?;
        let tickets = self.store.tickets().await?;
        let theirs = tickets.into_iter().filter(|(_, ticket)| ticket.user == *name && ticket.device.is_none());
        self.remove(theirs.map(|(key, _)| key).collect()).await
    }

    /// Sets the zone that a person's floating and all-day events stand in; `None` takes it away. Their alarms are planned anew.
    pub async fn set_timezone(&self, name: &UserName, zone: Option<&str>) -> Result<Principal, Refusal> {
        let known = |zone: &str| {
            let known = zone_named(zone).ok_or_else(|| Fault::whole(format!("no zone named {zone:?}")));
            known.map(str::to_owned)
        };
        let zone = zone.map(known).transpose()?;
        let (row, whose, now) = (keys::user(name), name.clone(), self.now());
        let (_, (replan, after)) = self
            .commit(vec![row.clone(), keys::replan(name)], move |seen, _| {
                let Some(Some(bytes)) = seen.first() else { return Err(Refusal::NotFound) };
                let before = record::people::principal(bytes)?;
                let after = Principal { timezone: zone.clone(), ..before.clone() };
                let mut writes = vec![(row.clone(), Some(record::people::pack_principal(&after)))];
                let changes = before.timezone != after.timezone;
                let replan = changes.then(|| replan::begin(&mut writes, &whose, seen.get(1), now));
                Ok((writes, (replan, after)))
            })
            .await?;
        if let Some(replan) = replan {
            self.replan_home(name, replan).await?;
        }
        Ok(after)
    }

    /// The person of that name.
    pub async fn person(&self, name: &UserName) -> Result<Principal, Refusal> {
        self.store.principal(name).await?.ok_or(Refusal::Unauthenticated)
    }

    pub async fn users(&self) -> Result<Vec<Principal>, Refusal> {
        Ok(self.store.principals().await?)
    }

    /// Removes a person with all that is theirs; their open sockets close. Called again, it finishes what was broken off.
    pub async fn remove_user(&self, name: &UserName) -> Result<(), Refusal> {
        let _turn = self.people.lock().await;
        match self.store.principal(name).await? {
            // The person goes first: from then on nothing new can come to be theirs.
            Some(principal) => {
                let now = self.now();
                self.commit(vec![keys::user(name)], move |seen, stamp| {
                    if seen.first().is_none_or(Option::is_none) {
                        return Err(Refusal::NotFound);
                    }
                    let mut writes = vec![(keys::user(&principal.name), None), (keys::mail(&principal.email), None)];
                    Pen::new(now, stamp.0)
                        .tell(&mut writes, Event::SignedOut { user: principal.name.clone(), whose: Sockets::All });
                    Ok((writes, ()))
                })
                .await?;
            }
            None if self.has_traces(name).await? => {}
            None => return Err(Refusal::NotFound),
        }
        self.clear_traces(name).await
    }

    /// Whether anything is left of somebody: their home is the last that goes.
    async fn has_traces(&self, name: &UserName) -> Result<bool, Refusal> {
        Ok(!self.store.home(Kind::Calendar, name).await?.is_empty()
            || !self.store.home(Kind::AddressBook, name).await?.is_empty())
    }

    /// Takes away all that names somebody who is gone: rows name people by their login name, and a later person of that name must not
    /// inherit any of it.
    async fn clear_traces(&self, name: &UserName) -> Result<(), Refusal> {
        let mut gone = Vec::new();
        for (key, bytes) in self.store.all(&keys::bearers()).await? {
            if record::people::bearer(&bytes)?.user == *name {
                gone.push(key);
            }
        }
        gone.extend(self.store.tickets().await?.into_iter().filter(|(_, t)| t.user == *name).map(|(key, _)| key));
        for import in self.store.imports().await?.into_iter().filter(|import| import.user == *name) {
            gone.extend([keys::import_open(&import.id), keys::import(&import.id)]);
            self.remove_all(&keys::import_failures(&import.id)).await?;
        }
        self.remove(gone).await?;
        self.remove_all(&keys::rung_for(name)).await?;
        self.remove_all(&keys::deliveries(Some(name))).await?;
        self.remove_all(&keys::deads(Some(name))).await?;
        self.remove_all(&keys::devices(name)).await?;
        self.remove_all(&keys::all_outgoing(Some(name))).await?;
        let burials = self.store.burials().await?.into_iter().filter(|burial| burial.address.user() == name);
        self.remove(burials.map(|burial| keys::burial(burial.collection)).collect()).await?;
        self.remove(vec![keys::intake(name)]).await?;
        for mailbox in [Address::inbox(name), Address::outbox(name)] {
            match self.delete_collection_as(name, Right::Owner, &mailbox).await {
                Ok(()) | Err(Refusal::NotFound) => {}
                Err(refusal) => return Err(refusal),
            }
        }
        self.remove(vec![keys::channels(name), keys::waits(name)]).await?;
        for prefix in keys::dead_of_person(name) {
            self.remove_all(&prefix).await?;
        }
        let messages = self.store.messages(name, None).await?;
        let aged = messages.iter().map(|(of, message)| keys::age(message.sent_at, name, *of, message.id));
        self.remove(aged.collect()).await?;
        self.remove_all(&keys::messages(name, None)).await?;
        self.remove_all(&keys::conversations(name)).await?;
        self.remove(vec![keys::statistics(name)]).await?;
        self.forget_presence(name).await?;
        self.remove_all(&keys::import_keys(name)).await?;
        for feed in self.store.feeds(Some(name)).await? {
            self.commit(vec![keys::feed(name, &feed.id)], move |seen, _| {
                let mut writes = Vec::new();
                feeds::seen(seen.first())?.iter().for_each(|feed| feeds::remove(&mut writes, feed));
                Ok((writes, ()))
            })
            .await?;
        }
        for upload in self.store.uploads(Some(name)).await? {
            self.remove_upload(&upload).await?;
        }
        for id in self.store.granted(name).await? {
            while let Some(source) = self.store.collection_by_id(id).await? {
                let owner = source.address.user().clone();
                match self.revoke_share(&owner, source, name).await {
                    Ok(false) => {}
                    Ok(true) | Err(Refusal::NotFound) => break,
                    Err(refusal) => return Err(refusal),
                }
            }
            self.remove(vec![keys::granted(name, id)]).await?;
        }
        self.forget_proxies(name).await?;
        self.remove(vec![keys::invites(name)]).await?;
        for kind in [Kind::Calendar, Kind::AddressBook] {
            for collection in self.store.home(kind, name).await? {
                match self.delete_collection_as(name, Right::Owner, &collection.address).await {
                    Ok(()) | Err(Refusal::NotFound) => {}
                    Err(refusal) => return Err(refusal),
                }
            }
        }
        Ok(())
    }

    async fn hash_password(&self, password: String) -> Result<String, Refusal> {
        if password.is_empty() || password.len() > login::PASSWORD_MAX {
            return Err(Fault::whole(format!("a password has 1 to {} bytes", login::PASSWORD_MAX)).into());
        }
        let salt = random::bytes(&*self.random);
        let hashed = tokio::task::spawn_blocking(move || argon::hash(&password, salt)).await;
        hashed.ok().flatten().ok_or_else(|| self.fault("a password could not be hashed"))
    }
}

/// Refuses where the person that a decision writes for was removed since they signed in.
pub(crate) fn still_there(row: Option<&Option<Bytes>>) -> Result<(), Refusal> {
    match row {
        Some(Some(_)) => Ok(()),
        _ => Err(Refusal::Unauthenticated),
    }
}
