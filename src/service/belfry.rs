//! The alarms that are armed and wait for their instant, ready to ring. Knows no store.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use crate::domain::address::UserName;
use crate::domain::collection::CollectionId;
use crate::domain::event::Rang;
use crate::domain::object::Armed;

/// An armed alarm, with all that is said when it rings.
#[derive(Clone, Debug)]
pub struct Bell {
    pub armed: Armed,
    pub of: CollectionId,
    pub user: UserName,
    pub alarm: Rang,
}

/// When a bell's turn is: by its instant; among those of one instant everybody's first come before anybody's second, so that who has one
/// alarm does not wait for who has five hundred.
type Turn = (DateTime<Utc>, u32, u64, u32);

pub struct Belfry {
    hung: Mutex<Hung>,
    /// When the due job looks again, in microseconds since the epoch: only what needs an earlier look wakes it.
    look: AtomicI64,
    /// Whether a crowd was near when that was last looked at.
    crowd: Mutex<Option<(DateTime<Utc>, bool)>>,
}

impl Default for Belfry {
    fn default() -> Belfry {
        Belfry { hung: Mutex::default(), look: AtomicI64::new(i64::MAX), crowd: Mutex::default() }
    }
}

/// As many as are armed: those of the next seconds, and what people put off.
#[derive(Default)]
struct Hung {
    bells: BTreeMap<Turn, Bell>,
    /// How many bells each person has at an instant.
    counts: BTreeMap<DateTime<Utc>, HashMap<UserName, u32>>,
}

impl Belfry {
    pub fn hang(&self, bells: impl IntoIterator<Item = Bell>) {
        let mut hung = self.hung();
        for bell in bells {
            let Armed { at, stamp, part } = bell.armed;
            let count = hung.counts.entry(at).or_default().entry(bell.user.clone()).or_default();
            let turn = *count;
            *count += 1;
            hung.bells.insert((at, turn, stamp, part), bell);
        }
    }

    pub fn count(&self) -> usize {
        self.hung().bells.len()
    }

    /// The instant of the earliest bell.
    pub fn next(&self) -> Option<DateTime<Utc>> {
        self.hung().bells.keys().next().map(|(at, ..)| *at)
    }

    /// Takes what is due, in turn, at most `limit`.
    pub fn take(&self, now: DateTime<Utc>, limit: usize) -> Vec<Bell> {
        let mut hung = self.hung();
        let mut taken = Vec::new();
        while taken.len() < limit {
            match hung.bells.first_entry() {
                Some(entry) if entry.key().0 <= now => taken.push(entry.remove()),
                _ => break,
            }
        }
        // An instant of which nothing hangs any more is over.
        let next = hung.bells.keys().next().map_or(DateTime::<Utc>::MAX_UTC, |(at, ..)| *at);
        hung.counts = hung.counts.split_off(&next);
        taken
    }

    /// The due job works out when it looks again: until it has, everything wakes it.
    pub fn seek_look(&self) {
        self.look.store(i64::MAX, Ordering::SeqCst);
    }

    pub fn set_look(&self, at: DateTime<Utc>) {
        self.look.store(at.timestamp_micros(), Ordering::SeqCst);
    }

    /// Whether a row for which to look at `at` needs an earlier look than the one that is set.
    pub fn wakes(&self, at: DateTime<Utc>) -> bool {
        at.timestamp_micros() < self.look.load(Ordering::SeqCst)
    }

    /// What was last seen of a crowd, unless that is longer ago than `life`.
    pub fn crowd(&self, now: DateTime<Utc>, life: TimeDelta) -> Option<bool> {
        let crowd = self.crowd.lock().unwrap_or_else(PoisonError::into_inner);
        crowd.filter(|(seen, _)| (*seen..*seen + life).contains(&now)).map(|(_, near)| near)
    }

    pub fn set_crowd(&self, now: DateTime<Utc>, near: bool) {
        *self.crowd.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, near));
    }

    fn hung(&self) -> MutexGuard<'_, Hung> {
        self.hung.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::address::{Address, Kind};
    use crate::domain::alarm::Action;

    fn bell(user: &str, second: i64, part: u32) -> Bell {
        let at = DateTime::UNIX_EPOCH + TimeDelta::seconds(second);
        let home = Address::new(Kind::Calendar, user, "c").expect("an address");
        let object = home.object("o.ics").expect("a name");
        let alarm = Rang {
            at,
            object,
            action: Action::Display,
            summary: String::new(),
            start: at,
            end: at,
            id: part.into(),
            attendees: Vec::new(),
            words: None,
        };
        let armed = Armed { at, stamp: 1, part };
        Bell { armed, of: CollectionId(1), user: home.user().clone(), alarm }
    }

    #[test]
    fn nobody_waits_for_a_neighbour_with_five_hundred() {
        let belfry = Belfry::default();
        belfry.hang((0..500).map(|part| bell("many", 10, part)));
        belfry.hang([bell("one", 10, 500), bell("early", 9, 501), bell("later", 11, 502), bell("two", 10, 503)]);
        belfry.hang([bell("two", 10, 504)]);
        let first = belfry.take(DateTime::UNIX_EPOCH + TimeDelta::seconds(10), 6);
        let users: Vec<&str> = first.iter().map(|bell| bell.user.as_str()).collect();
        assert_eq!(users, ["early", "many", "one", "two", "many", "two"]);
        let rest = belfry.take(DateTime::UNIX_EPOCH + TimeDelta::seconds(10), 1_000);
        assert_eq!(rest.len(), 498);
        assert_eq!(belfry.next(), Some(DateTime::UNIX_EPOCH + TimeDelta::seconds(11)));
        assert_eq!(belfry.hung().counts.len(), 1, "what is over is forgotten");
    }
}
