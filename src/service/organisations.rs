//! Organisations and who is in them: made, filled, found, emptied. Everybody is in exactly one; who was never put into one is in the
//! default organisation. Groups stand in `groups.rs`.

use bytes::Bytes;

use crate::domain::address::UserName;
use crate::domain::organisation::{self, Id, Member, NUMBER_MAX, Organisation};
use crate::domain::principal::Principal;
use crate::domain::refusal::{Fault, Refusal};
use crate::kv::Writes;
use crate::service::Service;
use crate::service::collections::{NAME_MAX, check_text};
use crate::store::{keys, organisations};
use crate::system::random;

/// How often a decision that rests on rows found before is tried anew when they moved meanwhile.
pub(crate) const TRIES: usize = 8;
/// Bytes of a telephone extension.
const EXTENSION_MAX: usize = 64;
/// Under which name the last number of an organisation is kept.
const LAST_NUMBER: &str = "organisations";

/// Somebody who is to be in an organisation. What is absent stays as it is, or is taken from the person.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    pub principal: Option<UserName>,
    pub number: Option<u64>,
    pub display_name: Option<String>,
    pub extension: Option<String>,
}

impl Service {
    /// Where somebody is. Who was never put anywhere is put into the default organisation now. `NotFound` where nobody has that name.
    pub async fn member_of(&self, user: &UserName) -> Result<Member, Refusal> {
        for _ in 0..TRIES {
            if let Some(member) = self.store.member_of(user).await? {
                return Ok(member);
            }
            let principal = self.store.principal(user).await?.ok_or(Refusal::NotFound)?;
            let home = self.settings.presence.organisation.clone();
            if self.store.organisation(&home).await?.is_none() {
                self.make_organisation(&home, None, None).await?;
            }
            // Somebody else may have been given this id.
            let plain = Id::new(user.as_str()).ok_or(Refusal::NotFound)?;
            let taken = self.store.member(&home, &plain).await?.is_some();
            let id =
                if taken { Id::new(&format!("{user}@{}", random::uuid(&*self.random).simple())) } else { Some(plain) };
            let id = id.ok_or(Refusal::NotFound)?;
            let entry = Entry { principal: Some(principal.name.clone()), ..Entry::default() };
            match self.seat(&home, &id, entry, &principal, true).await {
                Ok(Some(member)) => return Ok(member),
                Ok(None) | Err(Refusal::Exists) => {}
                Err(refusal) => return Err(refusal),
            }
        }
        Err(Refusal::Busy { limit: "this person's place keeps changing", retry_seconds: 1 })
    }

    /// The organisation that an id or a number names. The default one is always there.
    pub async fn organisation(&self, name: &str) -> Result<Organisation, Refusal> {
        if let Some(id) = Id::new(name) {
            if let Some(found) = self.store.organisation(&id).await? {
                return Ok(found);
            }
            if id == self.settings.presence.organisation {
                return self.make_organisation(&id, None, None).await;
            }
        }
        let numbered = match organisation::number(name) {
            Some(number) => self.store.organisation_numbered(number).await?,
            None => None,
        };
        match numbered {
            Some(id) => self.store.organisation(&id).await?.ok_or(Refusal::NotFound),
            None => Err(Refusal::NotFound),
        }
    }

    /// The member that an id or a number names.
    pub async fn member(&self, organisation: &Id, name: &str) -> Result<Member, Refusal> {
        if let Some(id) = Id::new(name)
            && let Some(found) = self.store.member(organisation, &id).await?
        {
            return Ok(found);
        }
        let numbered = match organisation::number(name) {
            Some(number) => self.store.member_numbered(organisation, number).await?,
            None => None,
        };
        match numbered {
            Some(id) => self.store.member(organisation, &id).await?.ok_or(Refusal::NotFound),
            None if *organisation == self.settings.presence.organisation => self.newcomer_of(organisation, name).await,
            None => Err(Refusal::NotFound),
        }
    }

    /// Somebody who belongs to the default organisation and was not asked for yet.
    async fn newcomer_of(&self, organisation: &Id, name: &str) -> Result<Member, Refusal> {
        let member = self.member_of(&UserName::new(name).ok_or(Refusal::NotFound)?).await?;
        if member.organisation == *organisation { Ok(member) } else { Err(Refusal::NotFound) }
    }

    pub async fn organisations(&self) -> Result<Vec<Organisation>, Refusal> {
        Ok(self.store.organisations().await?)
    }

    pub async fn members(&self, organisation: &Id) -> Result<Vec<Member>, Refusal> {
        Ok(self.store.members(organisation).await?)
    }

    /// Whether somebody may see who is in an organisation, and their presence: its members and administrators may.
    pub async fn check_insider(&self, caller: &Principal, organisation: &Id) -> Result<(), Refusal> {
        if caller.administrator || self.member_of(&caller.name).await?.organisation == *organisation {
            Ok(())
        } else {
            Err(Refusal::Forbidden)
        }
    }

    /// Makes an organisation, or names it anew. `Exists` where the number is another's; a number once given stays.
    pub async fn make_organisation(
        &self,
        id: &Id,
        number: Option<u64>,
        name: Option<String>,
    ) -> Result<Organisation, Refusal> {
        check_text("a name", name.as_deref().unwrap_or_default(), NAME_MAX)?;
        let last = keys::made_up(LAST_NUMBER);
        for _ in 0..TRIES {
            let counted = |row: Option<&Bytes>| {
                row.and_then(|bytes| bytes.as_ref().try_into().ok()).map_or(0, u64::from_be_bytes)
            };
            let known = self.store.organisation(id).await?;
            let next = match (&known, number) {
                (Some(known), None) => known.number,
                (_, Some(number)) => number,
                (None, None) => counted(self.store.get(last.clone()).await?.as_ref()) + 1,
            };
            check_number(next)?;
            let reads = vec![keys::organisation(id), keys::organisation_number(next), last.clone()];
            let (id, name, last) = (id.clone(), name.clone(), last.clone());
            let (_, made) = self
                .commit(reads, move |seen, _| {
                    let before = seen.first().and_then(Option::as_ref).map(|row| organisations::organisation(row));
                    let before = before.transpose()?;
                    let taken = seen.get(1).is_some_and(Option::is_some);
                    if let Some(before) = &before {
                        keep_number(before.number, number)?;
                    } else if taken {
                        // Given by somebody a moment ago; a number that was asked for is simply another's.
                        return if number.is_some() { Err(Refusal::Exists) } else { Ok((Vec::new(), None)) };
                    }
                    let fresh = || Organisation {
                        id: id.clone(),
                        number: next,
                        name: id.as_str().to_owned(),
                        last_member: 0,
                        last_group: 0,
                    };
                    let mut after = before.unwrap_or_else(fresh);
                    if let Some(name) = &name {
                        after.name.clone_from(name);
                    }
                    let mut writes = Vec::new();
                    organisations::write(&mut writes, &after);
                    let highest = counted(seen.get(2).and_then(Option::as_ref)).max(after.number);
                    writes.push((last.clone(), Some(Bytes::copy_from_slice(&highest.to_be_bytes()))));
                    Ok((writes, Some(after)))
                })
                .await?;
            if let Some(made) = made {
                return Ok(made);
            }
        }
        Err(Refusal::Busy { limit: "the organisations keep changing", retry_seconds: 1 })
    }

    /// Removes an organisation with its groups; its people are in the default one again. The default one stays.
    pub async fn remove_organisation(&self, id: &Id) -> Result<(), Refusal> {
        if *id == self.settings.presence.organisation {
            return Err(Refusal::Full("the default organisation cannot be removed".to_owned()));
        }
        self.store.organisation(id).await?.ok_or(Refusal::NotFound)?;
        for group in self.store.groups(id).await? {
            self.remove_group(id, &group.id).await?;
        }
        for member in self.store.members(id).await? {
            self.remove_member(&member).await?;
        }
        let row = keys::organisation(id);
        self.commit(vec![row], move |seen, _| {
            let Some(Some(bytes)) = seen.first() else { return Err(Refusal::NotFound) };
            let mut writes = Vec::new();
            organisations::remove(&mut writes, &organisations::organisation(bytes)?);
            Ok((writes, ()))
        })
        .await?;
        Ok(())
    }

    /// Puts somebody into an organisation under an id, or changes how they stand there. They leave where they were, and its groups.
    pub async fn put_member(&self, organisation: &Id, id: &Id, entry: Entry) -> Result<Member, Refusal> {
        check_text("a name", entry.display_name.as_deref().unwrap_or_default(), NAME_MAX)?;
        check_text("an extension", entry.extension.as_deref().unwrap_or_default(), EXTENSION_MAX)?;
        if let Some(number) = entry.number {
            check_number(number)?;
        }
        self.store.organisation(organisation).await?.ok_or(Refusal::NotFound)?;
        for _ in 0..TRIES {
            let known = self.store.member(organisation, id).await?;
            let user = entry.principal.clone().or_else(|| known.as_ref().map(|known| known.user.clone()));
            let user = user.or_else(|| UserName::new(id.as_str()));
            let found = match &user {
                Some(user) => self.store.principal(user).await?,
                None => None,
            };
            let principal = found.ok_or_else(|| {
                Refusal::from(Fault::whole(format!(
                    "no user named {:?}",
                    user.as_ref().map_or(id.as_str(), UserName::as_str)
                )))
            })?;
            // Whoever had this id before, and wherever this person was, that ends first.
            if let Some(known) = known.filter(|known| known.user != principal.name) {
                self.remove_member(&known).await?;
            }
            let before = self.store.member_of(&principal.name).await?;
            if let Some(before) = before.filter(|at| (&at.organisation, &at.id) != (organisation, id)) {
                self.remove_member(&before).await?;
            }
            if let Some(member) = self.seat(organisation, id, entry.clone(), &principal, false).await? {
                return Ok(member);
            }
        }
        Err(Refusal::Busy { limit: "this person's place keeps changing", retry_seconds: 1 })
    }

    /// Writes a member's rows. `None` where the person, or the number, was given away meanwhile.
    async fn seat(
        &self,
        organisation: &Id,
        id: &Id,
        entry: Entry,
        principal: &Principal,
        fresh: bool,
    ) -> Result<Option<Member>, Refusal> {
        let Some(head) = self.store.organisation(organisation).await? else { return Err(Refusal::NotFound) };
        let known = self.store.member(organisation, id).await?;
        let number = entry.number.or(known.as_ref().map(|known| known.number)).unwrap_or(head.last_member + 1);
        check_number(number)?;
        let reads = vec![
            keys::organisation(organisation),
            keys::member(organisation, id),
            keys::member_number(organisation, number),
            keys::member_of(&principal.name),
            keys::user(&principal.name),
        ];
        let (organisation, id, principal) = (organisation.clone(), id.clone(), principal.clone());
        let (stamp, done) = self
            .commit(reads, move |seen, _| {
                let row = |at: usize| seen.get(at).and_then(Option::as_ref);
                let mut head = organisations::organisation(row(0).ok_or(Refusal::NotFound)?)?;
                let before = row(1).map(|row| organisations::member(row)).transpose()?;
                let at = organisations::seen_place(row(3))?;
                row(4).ok_or(Refusal::NotFound)?;
                let here = at.as_ref() == Some(&(organisation.clone(), id.clone()));
                if (at.is_some() && !here) || before.as_ref().is_some_and(|before| before.user != principal.name) {
                    return Ok((Vec::new(), None));
                }
                if fresh && before.is_some() {
                    return Err(Refusal::Exists);
                }
                match &before {
                    Some(before) => keep_number(before.number, entry.number)?,
                    None if row(2).is_some() && entry.number.is_some() => return Err(Refusal::Exists),
                    None if row(2).is_some() => return Ok((Vec::new(), None)),
                    None => {}
                }
                let shown = entry.display_name.clone().or_else(|| before.as_ref().map(|one| one.display_name.clone()));
                let extension = entry.extension.clone().or_else(|| before.as_ref().map(|one| one.extension.clone()));
                let member = Member {
                    organisation: organisation.clone(),
                    organisation_number: head.number,
                    id: id.clone(),
                    number,
                    user: principal.name.clone(),
                    display_name: shown.unwrap_or_else(|| principal.display_name.clone()),
                    extension: extension.unwrap_or_default(),
                };
                let mut writes = Vec::new();
                organisations::write_member(&mut writes, &member);
                if number > head.last_member {
                    head.last_member = number;
                    organisations::write(&mut writes, &head);
                }
                Ok((writes, Some(member)))
            })
            .await?;
        if let Some(member) = &done {
            self.directory.place(&member.user, stamp, Some(&member.organisation));
        }
        Ok(done)
    }

    /// Takes somebody out of an organisation and its groups. The next time their place is asked for they are in the default one.
    pub async fn remove_member(&self, member: &Member) -> Result<(), Refusal> {
        self.leave_groups(&member.user).await?;
        let row = keys::member(&member.organisation, &member.id);
        let (stamp, ()) = self
            .commit(vec![row], move |seen, _| {
                let Some(Some(bytes)) = seen.first() else { return Err(Refusal::NotFound) };
                let mut writes: Writes = Vec::new();
                organisations::remove_member(&mut writes, &organisations::member(bytes)?);
                Ok((writes, ()))
            })
            .await?;
        self.directory.place(&member.user, stamp, None);
        Ok(())
    }

    /// Takes away what names somebody who is gone.
    pub(crate) async fn forget_presence(&self, user: &UserName) -> Result<(), Refusal> {
        self.leave_groups(user).await?;
        if let Some(member) = self.store.member_of(user).await? {
            match self.remove_member(&member).await {
                Ok(()) | Err(Refusal::NotFound) => {}
                Err(refusal) => return Err(refusal),
            }
        }
        let edge = self.store.presence(user).await?.and_then(|presence| presence.edge);
        let edge = edge.map(|at| keys::presence_edge(at, user));
        self.remove(edge.into_iter().chain([keys::presence(user)]).collect()).await
    }
}

/// Whoever may be in an organisation's office.
pub fn administers(caller: &Principal) -> Result<(), Refusal> {
    if caller.administrator { Ok(()) } else { Err(Refusal::Forbidden) }
}

pub(crate) fn check_number(number: u64) -> Result<(), Refusal> {
    if (1..=NUMBER_MAX).contains(&number) {
        return Ok(());
    }
    Err(Fault::whole(format!("numericId must be between 1 and {NUMBER_MAX}")).into())
}

/// A number is how other systems know somebody: it is given once.
pub(crate) fn keep_number(given: u64, wanted: Option<u64>) -> Result<(), Refusal> {
    match wanted {
        Some(wanted) if wanted != given => {
            Err(Fault::whole(format!("numericId is {given} already, and stays so")).into())
        }
        _ => Ok(()),
    }
}
