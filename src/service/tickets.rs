//! Tickets: drawn by a signed-in user, good for sixty seconds and one use. `docs/side.md` tells the wire.

use std::net::IpAddr;

use chrono::{SubsecRound, TimeDelta};

use crate::domain::principal::Principal;
use crate::domain::refusal::Refusal;
use crate::domain::ticket::{LIFE_SECONDS, Ticket};
use crate::service::Service;
use crate::service::login::SignedIn;
use crate::store::{keys, record, tickets};
use crate::system::random;

impl Service {
    /// A fresh ticket and its value, a version 4 UUID.
    pub async fn draw_ticket(&self, caller: &SignedIn, from: IpAddr) -> Result<(String, Ticket), Refusal> {
        let SignedIn { principal: caller, device, .. } = caller;
        self.doorkeeper.tickets.admit(caller.name.as_str())?;
        let generated_on = self.now().trunc_subsecs(0);
        let ticket = Ticket {
            user: caller.name.clone(),
            client_address: from,
            generated_on,
            valid_until: generated_on + TimeDelta::seconds(LIFE_SECONDS),
            device: device.as_ref().map(|device| device.id.clone()),
        };
        let value = random::uuid(&*self.random).to_string();
        let (row, kept, proven) = (value.clone(), ticket.clone(), caller.password_hash.clone());
        self.commit(vec![keys::user(&caller.name)], move |seen, _| {
            // Somebody whose password was changed since they signed in is not let in with the old one.
            let Some(Some(bytes)) = seen.first() else { return Err(Refusal::Unauthenticated) };
            if kept.device.is_none() && record::people::principal(bytes)?.password_hash != proven {
                return Err(Refusal::Unauthenticated);
            }
            let mut writes = Vec::new();
            tickets::write(&mut writes, &row, &kept);
            Ok((writes, ()))
        })
        .await?;
        Ok((value, ticket))
    }

    /// Takes a ticket back. Another's, or one that nobody holds, is `Forbidden`; so it is in the Side service.
    pub async fn revoke_ticket(&self, caller: &Principal, value: &str) -> Result<(), Refusal> {
        let row = keys::ticket(value);
        let (gone, caller) = (row.clone(), caller.name.clone());
        self.commit(vec![row], move |seen, _| {
            let Some(Some(bytes)) = seen.first() else { return Err(Refusal::Forbidden) };
            if record::people::ticket(bytes)?.user != caller {
                return Err(Refusal::Forbidden);
            }
            Ok((vec![(gone.clone(), None)], ()))
        })
        .await?;
        Ok(())
    }

    /// Removes the ticket first and looks at its time then, so that a late try burns it too.
    pub(crate) async fn redeem_ticket(&self, value: &str) -> Result<SignedIn, Refusal> {
        if uuid::Uuid::try_parse(value).is_err() {
            return Err(Refusal::Unauthenticated);
        }
        let row = keys::ticket(value);
        let gone = row.clone();
        let (_, ticket) = self
            .commit(vec![row], move |seen, _| {
                let Some(Some(bytes)) = seen.first() else { return Err(Refusal::Unauthenticated) };
                Ok((vec![(gone.clone(), None)], record::people::ticket(bytes)?))
            })
            .await?;
        if ticket.valid_until <= self.now() {
            return Err(Refusal::Expired);
        }
        let principal = self.store.principal(&ticket.user).await?.ok_or(Refusal::Unauthenticated)?;
        let device = match &ticket.device {
            // It may have been taken back since.
            Some(id) => Some(self.device_of(&ticket.user, id).await?.ok_or(Refusal::Unauthenticated)?),
            None => None,
        };
        Ok(SignedIn { principal, device, hold: None })
    }
}
