//! Groups that are queues: what waits for their members, and who those are. When it changes is noticed by the derivation of a member's
//! presence, which every cause leaves a reminder for; a snapshot is made in `groups.rs`.

use std::collections::HashSet;
use std::sync::{PoisonError, RwLock};

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::domain::address::{Kind, UserName};
use crate::domain::alarm::{Rung, State};
use crate::domain::collection::Source;
use crate::domain::refusal::Refusal;
use crate::service::Service;
use crate::service::rung::on_screen;

/// Everybody who is a member of a queue. In memory: alarms of others cost no derivation.
#[derive(Debug, Default)]
pub(crate) struct Queues(RwLock<HashSet<UserName>>);

impl Queues {
    pub fn hold(&self, user: &UserName) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).contains(user)
    }

    fn set(&self, user: UserName, there: bool) {
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if there {
            held.insert(user);
        } else {
            held.remove(&user);
        }
    }
}

/// What waits for one person: since when each, in order, and the next instant at which one is over by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Waits {
    pub since: Vec<DateTime<Utc>>,
    pub until: Option<DateTime<Utc>>,
}

impl Waits {
    /// What is kept to notice a change; nothing where nothing waits. FNV-1a, which need only tell one state from the next.
    pub fn mark(&self) -> Option<Bytes> {
        let bytes = self.since.iter().flat_map(|at| at.timestamp_micros().to_be_bytes());
        let mark =
            bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        (!self.since.is_empty()).then(|| Bytes::copy_from_slice(&mark.to_be_bytes()))
    }
}

/// Whether an alarm that rang still waits for its person.
fn waits(rung: &Rung) -> bool {
    matches!(rung.state, State::Waiting | State::Told) && on_screen(&rung.alarm)
}

impl Service {
    /// Invitations without an answer in somebody's calendars, and alarms that they did not acknowledge.
    pub(crate) async fn waits_of(&self, user: &UserName, now: DateTime<Utc>) -> Result<Waits, Refusal> {
        let mut found = Waits::default();
        for head in self.store.home(Kind::Calendar, user).await? {
            if head.source == Source::Own {
                let (since, until) = self.store.invitations(head.id, now).await?;
                found.since.extend(since);
                found.until = [found.until, until].into_iter().flatten().min();
            }
        }
        found.since.extend(self.store.rung(user).await?.iter().filter(|rung| waits(rung)).map(|rung| rung.alarm.at));
        found.since.sort_unstable();
        Ok(found)
    }

    /// Who of these is in a queue is looked up anew, and what waits for them.
    pub(crate) async fn queue_up(&self, people: Vec<UserName>) -> Result<(), Refusal> {
        let mut queued = Vec::new();
        for user in people {
            let mut there = false;
            for (organisation, id, role) in self.store.groups_of(&user).await? {
                there |= role.member && self.store.group(&organisation, &id).await?.is_some_and(|group| group.queue);
            }
            self.queues.set(user.clone(), there);
            queued.extend(there.then_some(user));
        }
        if queued.is_empty() { Ok(()) } else { self.remind_all(queued, self.now()).await }
    }

    /// Before anything rings: everybody who is in a queue.
    pub(crate) async fn start_queues(&self) -> Result<(), Refusal> {
        let mut people = Vec::new();
        for organisation in self.store.organisations().await? {
            for group in self.store.groups(&organisation.id).await?.into_iter().filter(|group| group.queue) {
                let all = self.store.group_people(&organisation.id, &group.id).await?;
                people.extend(all.into_iter().filter(|(_, role)| role.member).map(|(user, _)| user));
            }
        }
        people.iter().for_each(|user| self.queues.set(user.clone(), true));
        // What changed while the service was down is nobody's news, and what is over since is found so.
        if people.is_empty() { Ok(()) } else { self.remind_all(people, self.now()).await }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_tells_what_waits() {
        let at = |micros| DateTime::from_timestamp_micros(micros).unwrap_or_default();
        let mark = |since: &[i64]| Waits { since: since.iter().copied().map(at).collect(), until: None }.mark();
        assert_eq!(mark(&[]), None);
        assert_eq!(mark(&[7, 8]), mark(&[7, 8]));
        assert_ne!(mark(&[7]), mark(&[8]));
        assert_ne!(mark(&[7]), mark(&[7, 7]));
    }
}
