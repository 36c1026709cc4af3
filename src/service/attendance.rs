//! Who is there: open sockets and the last request of each person, as the faces tell it. Kept in memory; knows no store.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::address::UserName;
use crate::domain::presence::Connection;

/// One entry a person who was here since the start.
#[derive(Default)]
pub struct Attendance {
    seen: Mutex<Seen>,
    /// Held while those who turned are looked at: whoever asks meanwhile waits for the result.
    pub(crate) serving: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Seen {
    people: HashMap<UserName, Here>,
    /// Whose presence may be another one now.
    turned: BTreeSet<UserName>,
}

#[derive(Default)]
struct Here {
    sockets: usize,
    active: Option<DateTime<Utc>>,
}

impl Attendance {
    /// One more socket of this person is open.
    pub fn came(&self, user: &UserName, now: DateTime<Utc>) {
        let mut seen = self.seen();
        let here = seen.people.entry(user.clone()).or_default();
        here.sockets += 1;
        here.active = Some(now);
        if here.sockets == 1 {
            seen.turned.insert(user.clone());
        }
    }

    /// One of them closed.
    pub fn left(&self, user: &UserName, now: DateTime<Utc>) {
        let mut seen = self.seen();
        let Some(here) = seen.people.get_mut(user) else { return };
        here.sockets = here.sockets.saturating_sub(1);
        here.active = Some(now);
        if here.sockets == 0 {
            seen.turned.insert(user.clone());
        }
    }

    /// This person asked for something. Whether they were away until now, for longer than `life`.
    pub fn acted(&self, user: &UserName, now: DateTime<Utc>, life: TimeDelta) -> bool {
        let mut seen = self.seen();
        let here = seen.people.entry(user.clone()).or_default();
        let away = here.sockets == 0 && here.active.is_none_or(|active| active + life <= now);
        here.active = Some(now);
        if away {
            seen.turned.insert(user.clone());
        }
        away
    }

    /// When this person was last active, as far as that is known.
    pub fn active(&self, user: &UserName) -> Option<DateTime<Utc>> {
        self.seen().people.get(user).and_then(|here| here.active)
    }

    /// Whether this person is there; `stored` is when they were last active in an earlier run.
    pub fn connection(&self, user: &UserName, stored: Option<DateTime<Utc>>, life: TimeDelta) -> Connection {
        let seen = self.seen();
        let here = seen.people.get(user);
        if here.is_some_and(|here| here.sockets > 0) {
            return Connection::Here;
        }
        let active = here.and_then(|here| here.active).or(stored);
        active.map_or(Connection::Gone, |active| Connection::Until(active + life))
    }

    /// Takes those whose presence may be another one now.
    pub fn take_turned(&self) -> BTreeSet<UserName> {
        std::mem::take(&mut self.seen().turned)
    }

    pub fn has_turned(&self) -> bool {
        !self.seen().turned.is_empty()
    }

    /// They could not be looked at: they are looked at again.
    pub fn turn_again(&self, user: &UserName) {
        self.seen().turned.insert(user.clone());
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
