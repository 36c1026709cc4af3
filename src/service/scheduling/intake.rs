//! The calendar that takes somebody's invitations: the one they chose, else their first that can. RFC 6638 9.2.

use bytes::Bytes;

use crate::domain::address::{Address, Kind, UserName};
use crate::domain::collection::Collection;
use crate::domain::principal::Principal;
use crate::domain::refusal::{Fault, Refusal};
use crate::domain::scheduling::Rule;
use crate::service::Service;
use crate::service::collections::standing;
use crate::service::scheduling::plan::is_own;
use crate::store::keys;

/// The calendar that everybody gets, and that takes invitations where nothing else was said.
const FIRST: &str = "default";

impl Service {
    /// Where a person's invitations go; `None` where they have no calendar.
    pub async fn default_calendar(&self, user: &UserName) -> Result<Option<Address>, Refusal> {
        Ok(self.takes_invitations(user, "VEVENT").await?.map(|found| found.address))
    }

    /// Lets invitations go to one of one's own calendars.
    pub async fn set_default_calendar(&self, caller: &Principal, address: &Address) -> Result<(), Refusal> {
        let bad = |why: &str| Refusal::Unschedulable { rule: Rule::DefaultCalendar, why: Fault::whole(why) };
        let own = address.kind() == Kind::Calendar && address.user() == &caller.name && !address.is_mailbox();
        let found = if own { self.store.collection(address).await? } else { None };
        let found = found.filter(is_own).ok_or_else(|| bad("it is no calendar of your own"))?;
        if !takes(&found, "VEVENT") {
            return Err(bad("this calendar takes no VEVENT"));
        }
        let (user, name) = (caller.name.clone(), Bytes::copy_from_slice(address.name().as_bytes()));
        self.commit(vec![keys::collection(address)], move |seen, _| {
            standing(seen.first(), found.id)?;
            Ok((vec![(keys::intake(&user), Some(name.clone()))], ()))
        })
        .await?;
        Ok(())
    }

    /// The calendar that takes an invitation of some component; where nobody has one any more, it is made.
    pub(crate) async fn intake_of(&self, user: &UserName, component: &str) -> Result<Collection, Refusal> {
        if let Some(found) = self.takes_invitations(user, component).await? {
            return Ok(found);
        }
        // Under a name that is free: one that stands takes none of these.
        let name = match self.store.home(Kind::Calendar, user).await?.iter().any(|found| found.address.name() == FIRST)
        {
            true => "invitations",
            false => FIRST,
        };
        let address = Address::new(Kind::Calendar, user.as_str(), name).ok_or(Refusal::NotFound)?;
        match self.make_first_collection(&address, "Calendar").await {
            Ok(()) | Err(Refusal::Exists) => {}
            Err(refusal) => return Err(refusal),
        }
        self.store
            .collection(&address)
            .await?
            .filter(|made| is_own(made) && takes(made, component))
            .ok_or(Refusal::Forbidden)
    }

    async fn takes_invitations(&self, user: &UserName, component: &str) -> Result<Option<Collection>, Refusal> {
        let chosen = self.store.intake(user).await?;
        let home = self.store.home(Kind::Calendar, user).await?;
        let mut all: Vec<Collection> =
            home.into_iter().filter(|found| is_own(found) && takes(found, component)).collect();
        let rank = |found: &Collection| match found.address.name() {
            name if chosen.as_deref() == Some(name) => 0,
            FIRST => 1,
            _ => 2,
        };
        all.sort_by_key(rank);
        Ok(all.into_iter().next())
    }
}

fn takes(collection: &Collection, component: &str) -> bool {
    collection.components.is_empty() || collection.components.iter().any(|taken| taken == component)
}
