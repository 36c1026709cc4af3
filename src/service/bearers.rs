//! Bearer tokens: issued here, kept as their SHA-256, good until they expire or are taken back; and what one means to a listener.

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::acl::Acl;
use crate::domain::address::{Address, Kind, UserName};
use crate::domain::bearer::{self, Bearer, Bearing, Hold, PUBLISH, Standing, USUAL};
use crate::domain::collection::CollectionId;
use crate::domain::event::Event;
use crate::domain::organisation::organisation_uuid;
use crate::domain::principal::Principal;
use crate::domain::refusal::{Fault, Refusal};
use crate::service::Service;
use crate::service::jwt::is_jwt;
use crate::service::login::SignedIn;
use crate::store::journal::Pen;
use crate::store::{keys, record};
use crate::system::random;

/// How long a token lives when nobody says, in seconds.
const LIFE_SECONDS: i64 = 7_200;
/// The longest life that can be asked for, in seconds: ten years.
const LIFE_SECONDS_MAX: i64 = 10 * 365 * 86_400;

/// A token that somebody asks for.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// For whom, where it is not the caller.
    pub user: Option<UserName>,
    pub life_seconds: Option<i64>,
    /// Absent: the usual.
    pub acl: Option<Vec<String>>,
    pub standing: Standing,
}

/// A fresh token. Its text is shown this once.
#[derive(Clone, Debug)]
pub struct Issued {
    pub token: String,
    pub until: DateTime<Utc>,
    pub bearer: Bearer,
}

impl Service {
    /// A fresh token; only an administrator draws one for somebody else, or one that hears more than its user.
    pub async fn issue_bearer(&self, caller: &Principal, wanted: Wanted) -> Result<Issued, Refusal> {
        let whom = wanted.user.unwrap_or_else(|| caller.name.clone());
        if !caller.administrator && (whom != caller.name || wanted.standing != Standing::default()) {
            return Err(Refusal::Forbidden);
        }
        let life = wanted.life_seconds.unwrap_or(LIFE_SECONDS);
        if !(1..=LIFE_SECONDS_MAX).contains(&life) {
            return Err(Fault::whole(format!("expires_in must be between 1 and {LIFE_SECONDS_MAX}")).into());
        }
        if let Some(acl) = &wanted.acl {
            bearer::check_list(acl)?;
        }
        let until = self.now() + TimeDelta::seconds(life);
        let bearer = Bearer {
            user: whom.clone(),
            until: Some(until),
            session: random::uuid(&*self.random),
            acl: wanted.acl,
            standing: wanted.standing,
            trusted: caller.administrator,
        };
        let token = random::uuid(&*self.random).to_string();
        let (row, kept) = (keys::bearer(&token), bearer.clone());
        self.commit(vec![keys::user(&whom)], move |seen, _| match seen.first() {
            Some(Some(_)) => Ok((vec![(row.clone(), Some(record::people::pack_bearer(&kept)))], ())),
            _ => Err(Refusal::NotFound),
        })
        .await?;
        Ok(Issued { token, until, bearer })
    }

    /// Takes a token back; the sockets that it opened close. Somebody else's is as unknown as none.
    pub async fn revoke_bearer(&self, caller: &Principal, token: &str) -> Result<(), Refusal> {
        let row = keys::bearer(token);
        let (caller, administrator, now) = (caller.name.clone(), caller.administrator, self.now());
        let gone = row.clone();
        self.commit(vec![row], move |seen, stamp| {
            let Some(Some(bytes)) = seen.first() else { return Err(Refusal::NotFound) };
            let Bearer { user, session, .. } = record::people::bearer(bytes)?;
            if user != caller && !administrator {
                return Err(Refusal::NotFound);
            }
            let mut writes = vec![(gone.clone(), None)];
            Pen::new(now, stamp.0).tell(&mut writes, Event::TokenEnded { user, session });
            Ok((writes, ()))
        })
        .await?;
        Ok(())
    }

    /// Who brings a bearer token, one of ours or a JWT that is believed, and what keeps them in.
    pub(crate) async fn check_bearer(&self, token: &str) -> Result<SignedIn, Refusal> {
        if is_jwt(token) {
            return self.check_jwt(token).await;
        }
        let Bearer { user, until, session, .. } = self.standing_bearer(token).await?;
        let principal = self.store.principal(&user).await?.ok_or(Refusal::Unauthenticated)?;
        let hold = Hold { user, until, session: Some(session), row: Some(keys::bearer(token)) };
        Ok(SignedIn { principal, device: None, hold: Some(hold) })
    }

    /// Whether what a token opened may stay open.
    pub async fn holds(&self, hold: &Hold) -> Result<bool, Refusal> {
        let over = hold.until.is_some_and(|until| until <= self.now());
        match hold.row.clone() {
            Some(row) if !over => Ok(self.store.get(row).await?.is_some()),
            _ => Ok(!over),
        }
    }

    async fn standing_bearer(&self, token: &str) -> Result<Bearer, Refusal> {
        let Some(bearer) = self.store.bearer(token).await? else { return Err(Refusal::Unauthenticated) };
        if bearer.until.is_some_and(|until| until <= self.now()) {
            return Err(Refusal::Expired);
        }
        Ok(bearer)
    }

    /// Who stands behind a token that opens a socket or keeps one open.
    pub async fn bear(&self, token: &str) -> Result<Bearing, Refusal> {
        let found = self.bearing(token).await;
        match &found {
            Ok(Bearing { user: Some(user), .. }) => self.doorkeeper.checks.admit(user.as_str())?,
            // What is counted is looked at before the next try.
            Err(Refusal::Unauthenticated | Refusal::Expired) => drop(self.doorkeeper.failures.admit(token)),
            _ => {}
        }
        found
    }

    /// Refuses a token that failed too often in this minute: it is not looked at any more.
    pub fn tired_of(&self, token: &str) -> Result<(), Refusal> {
        self.doorkeeper.failures.room(token)
    }

    /// What a token means: `Unauthenticated` or `Expired` where it means nothing.
    pub async fn bearing(&self, token: &str) -> Result<Bearing, Refusal> {
        let bearer = match self.standing_bearer(token).await {
            Err(Refusal::Unauthenticated) => return self.foreign_bearing(token).await,
            found => found?,
        };
        if self.store.principal(&bearer.user).await?.is_none() {
            return Err(Refusal::Unauthenticated);
        }
        let Bearer { user, until, session, acl, standing, .. } = bearer;
        let usual = acl.is_none();
        let acl = acl.unwrap_or_else(|| USUAL.map(str::to_owned).to_vec());
        let organisation = self.organisation_of(&user).await?;
        let (uuid, tenant) = (self.directory.person(&user), organisation_uuid(&organisation));
        let (user, organisation) = (Some(user), Some(organisation));
        Ok(Bearing { user, uuid, tenant, organisation, session, until, acl, usual, standing, foreign: false })
    }

    /// What a token grants, shared collections included, if it grants `scope`: `Forbidden` where it does not.
    pub async fn token_for(&self, token: &str, scope: Option<&str>) -> Result<Bearing, Refusal> {
        let mut bearing = self.bearing(token).await?;
        if let (true, Some(user)) = (bearing.usual, bearing.user.clone()) {
            for (_, address) in self.sources(&user).await?.into_iter().filter(|(_, at)| *at.user() != user) {
                let (root, owner) = (address.kind().root(), self.directory.person(address.user()));
                bearing.acl.push(format!("events.{root}.{owner}.{}.#", bearer::escaped(address.name())));
            }
        }
        let list = bearing.acl.iter().map(String::as_str);
        let acl = Acl::new(list, &bearing.uuid.to_string(), &bearing.session.to_string());
        if acl.allows(scope) { Ok(bearing) } else { Err(Refusal::Forbidden) }
    }

    /// Whether a caller may publish events: an administrator, or whoever brings a token that an administrator issued for it.
    pub async fn may_publish(&self, caller: &Principal, token: Option<&str>) -> Result<(), Refusal> {
        if caller.administrator {
            return Ok(());
        }
        // A JWT proves who calls, and grants nothing.
        let Some(token) = token.filter(|token| !is_jwt(token)) else { return Err(Refusal::Forbidden) };
        if !self.standing_bearer(token).await?.trusted {
            return Err(Refusal::Forbidden);
        }
        self.token_for(token, Some(PUBLISH)).await.map(drop)
    }

    /// The sources of everything in somebody's lists, each once.
    pub async fn sources(&self, user: &UserName) -> Result<Vec<(CollectionId, Address)>, Refusal> {
        let mut sources = Vec::new();
        for kind in [Kind::Calendar, Kind::AddressBook] {
            let views = self.list(user, kind).await?;
            sources.extend(views.into_iter().map(|view| (view.source.id, view.source.address)));
        }
        sources.sort_unstable_by_key(|(id, _)| *id);
        sources.dedup_by_key(|(id, _)| *id);
        Ok(sources)
    }
}
