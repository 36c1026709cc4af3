//! Bearer tokens: issued here, kept as their SHA-256, good until they expire or are taken back.

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::address::UserName;
use crate::domain::principal::Principal;
use crate::domain::refusal::{Fault, Refusal};
use crate::service::Service;
use crate::store::{keys, record};
use crate::system::random;

/// How long a token lives when nobody says, in seconds.
const LIFE_SECONDS: i64 = 7_200;
/// The longest life that can be asked for, in seconds: ten years.
const LIFE_SECONDS_MAX: i64 = 10 * 365 * 86_400;

impl Service {
    /// A fresh token for `whom`; only an administrator draws one for somebody else.
    pub async fn issue_bearer(
        &self,
        caller: &Principal,
        whom: Option<&UserName>,
        life_seconds: Option<i64>,
    ) -> Result<(String, DateTime<Utc>), Refusal> {
        let whom = whom.unwrap_or(&caller.name).clone();
        if whom != caller.name && !caller.administrator {
            return Err(Refusal::Forbidden);
        }
        let life = life_seconds.unwrap_or(LIFE_SECONDS);
        if !(1..=LIFE_SECONDS_MAX).contains(&life) {
            return Err(Fault::whole(format!("expires_in must be between 1 and {LIFE_SECONDS_MAX}")).into());
        }
        let until = self.now() + TimeDelta::seconds(life);
        let token = random::uuid(&*self.random).to_string();
        let row = keys::bearer(&token);
        self.commit(vec![keys::user(&whom)], move |seen, _| match seen.first() {
            Some(Some(_)) => Ok((vec![(row.clone(), Some(record::pack_bearer(&whom, Some(until))))], ())),
            _ => Err(Refusal::NotFound),
        })
        .await?;
        Ok((token, until))
    }

    /// Takes a token back. Somebody else's is as unknown as none.
    pub async fn revoke_bearer(&self, caller: &Principal, token: &str) -> Result<(), Refusal> {
        let row = keys::bearer(token);
        let (caller, administrator) = (caller.name.clone(), caller.administrator);
        let gone = row.clone();
        self.commit(vec![row], move |seen, _| {
            let Some(Some(bytes)) = seen.first() else { return Err(Refusal::NotFound) };
            let (owner, _) = record::bearer(bytes)?;
            if owner != caller && !administrator {
                return Err(Refusal::NotFound);
            }
            Ok((vec![(gone.clone(), None)], ()))
        })
        .await?;
        Ok(())
    }

    pub(crate) async fn check_bearer(&self, token: &str) -> Result<Principal, Refusal> {
        let Some((name, until)) = self.store.bearer(token).await? else { return Err(Refusal::Unauthenticated) };
        if until.is_some_and(|until| until <= self.now()) {
            return Err(Refusal::Expired);
        }
        self.store.principal(&name).await?.ok_or(Refusal::Unauthenticated)
    }
}
