//! Organisations, the people in them and their groups: ids, numbers, who may see whom, and stable UUIDs. Knows no presence but its sums.

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

use crate::domain::address::UserName;
use crate::domain::presence::Status;

/// The longest id of an organisation, a member or a group, in bytes.
pub const ID_MAX: usize = 255;
/// The largest number: the largest whole number that every JSON reader keeps.
pub const NUMBER_MAX: u64 = (1 << 53) - 1;

/// The root of all UUIDs that are made of names here. Any constant would do; it must never change.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f1d_3c52_8a0e_4d7b_9c36_41be_70f2_5a88);

/// An id as a client writes it: not empty, no white space, none of `/`, `\`, `:`.
///
/// ```
/// use campanile::domain::organisation::Id;
/// assert!(Id::new("org-12345").is_some());
/// assert!(Id::new("a:b").is_none());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(Arc<str>);

impl Id {
    pub fn new(text: &str) -> Option<Id> {
        let odd = |c: char| matches!(c, '/' | '\\' | ':') || c.is_control() || c.is_whitespace();
        let fits = (1..=ID_MAX).contains(&text.len()) && !matches!(text, "." | "..") && !text.chars().any(odd);
        fits.then(|| Id(Arc::from(text)))
    }

    /// The id of an organisation that nobody named: `default`.
    pub fn unnamed() -> Id {
        Id(Arc::from("default"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A positive number written in plain digits: `7`, not `07` or `+7`.
pub fn number(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|number| plain && (1..=NUMBER_MAX).contains(number))
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organisation {
    pub id: Id,
    /// Unique among organisations.
    pub number: u64,
    pub name: String,
    /// The last number that was given to a member, and to a group.
    pub last_member: u64,
    pub last_group: u64,
}

/// Somebody in an organisation. Everybody is in exactly one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub organisation: Id,
    /// The organisation's number.
    pub organisation_number: u64,
    pub id: Id,
    /// Unique among the organisation's members.
    pub number: u64,
    pub user: UserName,
    pub display_name: String,
    /// The telephone extension; empty where there is none.
    pub extension: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub organisation: Id,
    pub id: Id,
    /// Unique among the organisation's groups.
    pub number: u64,
    pub name: String,
    /// Whether it is a queue: its snapshots count what waits for its members.
    pub queue: bool,
    pub summary: Summary,
    /// The stamp of the last change of its summary, its people or its face.
    pub changed: u64,
    /// The stamp of the last change of its people.
    pub people: u64,
}

/// What somebody is in a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Role {
    pub member: bool,
    /// Sees it without being in it.
    pub viewer: bool,
}

/// A group's members, counted by status. `dnd` counts as busy: the wire has no key of its own for it, and the five sum up to the total.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub total: u64,
    pub available: u64,
    pub busy: u64,
    pub on_call: u64,
    pub away: u64,
    pub offline: u64,
}

impl Summary {
    pub fn of(statuses: impl IntoIterator<Item = Status>) -> Summary {
        let mut summary = Summary::default();
        for status in statuses {
            summary.total += 1;
            *summary.count(status) += 1;
        }
        summary
    }

    /// One member went from one status to another.
    pub fn turn(&mut self, before: Status, after: Status) {
        let count = self.count(before);
        *count = count.saturating_sub(1);
        *self.count(after) += 1;
    }

    /// A member went.
    pub fn leave(&mut self, status: Status) {
        let count = self.count(status);
        *count = count.saturating_sub(1);
        self.total = self.total.saturating_sub(1);
    }

    fn count(&mut self, status: Status) -> &mut u64 {
        match status {
            Status::Available => &mut self.available,
            Status::Busy | Status::Dnd => &mut self.busy,
            Status::OnCall => &mut self.on_call,
            Status::Away => &mut self.away,
            Status::Offline => &mut self.offline,
        }
    }
}

/// A stable UUID of an organisation: the tenant of wires that name tenants so.
pub fn organisation_uuid(id: &Id) -> Uuid {
    Uuid::new_v5(&NAMESPACE, format!("organisation:{id}").as_bytes())
}

/// A stable UUID of a person.
pub fn user_uuid(user: &UserName) -> Uuid {
    Uuid::new_v5(&NAMESPACE, format!("user:{user}").as_bytes())
}

/// A stable UUID of one instance of an event, as a call's channel: of its UID and its original start, which is empty where nothing recurs.
pub fn channel_uuid(uid: &str, recurrence_id: &str) -> Uuid {
    Uuid::new_v5(&NAMESPACE, format!("channel:{}:{uid}:{recurrence_id}", uid.len()).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_numbers_are_read_exactly() {
        for (text, want) in [("org-1", true), ("", false), ("a b", false), ("a:b", false), ("..", false), ("ü", true)]
        {
            assert_eq!(Id::new(text).is_some(), want, "{text:?}");
        }
        for (text, want) in [
            ("7", Some(7)),
            ("0", None),
            ("07", None),
            ("+7", None),
            ("", None),
            ("9007199254740991", Some(NUMBER_MAX)),
            ("9007199254740992", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(number(text), want, "{text:?}");
        }
    }

    #[test]
    fn a_summary_always_sums_up() {
        let mut summary = Summary::of(Status::ALL);
        assert_eq!(summary, Summary { total: 6, available: 1, busy: 2, on_call: 1, away: 1, offline: 1 });
        summary.turn(Status::Dnd, Status::Available);
        summary.turn(Status::Available, Status::OnCall);
        assert_eq!(summary, Summary { total: 6, available: 1, busy: 1, on_call: 2, away: 1, offline: 1 });
    }

    #[test]
    fn uuids_stay_the_same() {
        let demo = Id::new("demo").unwrap();
        assert_eq!(organisation_uuid(&demo), organisation_uuid(&demo));
        assert_eq!(organisation_uuid(&demo).get_version_num(), 5);
        assert_ne!(channel_uuid("a", "b"), channel_uuid("a:b", ""));
    }
}
