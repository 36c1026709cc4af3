//! What people are told of sharing, and the bounded box in which it waits for clients that ask. Knows no wire.

use chrono::{DateTime, Utc};

use crate::domain::access::Right;
use crate::domain::address::{Address, UserName};

/// How an invitation to a collection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Accepted,
    Declined,
    /// The share was taken back.
    Deleted,
}

/// One piece of news about sharing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    /// The last part of its address: never used twice by one person.
    pub id: String,
    /// The stamp of the commit that told it.
    pub stamp: u64,
    pub at: DateTime<Utc>,
    /// The collection that is shared.
    pub about: Address,
    /// Who shares; of a reply, who answered.
    pub other: UserName,
    /// It answers an invitation, and is told to whoever shares.
    pub reply: bool,
    pub state: State,
    pub right: Right,
    /// What the collection is called; for whom may only ask when its owner is busy, nothing.
    pub name: String,
}

/// What somebody was told of sharing and did not throw away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mailbox {
    /// The stamp of its last change.
    pub token: u64,
    /// Tokens below this one are forgotten.
    pub floor: u64,
    pub invites: Vec<Invite>,
    /// Names that went, each with the stamps of the commits that told it and that took it away.
    pub gone: Vec<(String, u64, u64)>,
}

/// News and gone names that a box holds at most; then the oldest go. All of it is one row.
pub const INVITES_MAX: usize = 64;
const GONE_MAX: usize = 128;
/// Bytes of a collection's name in it.
const NAME_MAX: usize = 256;

impl Mailbox {
    /// Puts news in, in place of what was told before of the same collection by the same person.
    pub fn put(&mut self, mut invite: Invite) {
        let stamp = invite.stamp;
        let end = (0..=NAME_MAX.min(invite.name.len())).rev().find(|at| invite.name.is_char_boundary(*at));
        invite.name.truncate(end.unwrap_or(0));
        let older = |one: &Invite| (one.reply, &one.about, &one.other) == (invite.reply, &invite.about, &invite.other);
        let replaced: Vec<String> = self.invites.iter().filter(|one| older(one)).map(|one| one.id.clone()).collect();
        for id in &replaced {
            self.remove(id, stamp);
        }
        while self.invites.len() >= INVITES_MAX {
            let oldest = self.invites[0].id.clone();
            self.remove(&oldest, stamp);
        }
        self.invites.push(invite);
        self.token = stamp;
    }

    /// Throws one away; whether it was there.
    pub fn remove(&mut self, id: &str, stamp: u64) -> bool {
        let Some(at) = self.invites.iter().position(|one| one.id == id) else { return false };
        let came = self.invites.remove(at).stamp;
        self.gone.push((id.to_owned(), came, stamp));
        while self.gone.len() > GONE_MAX {
            // Who stands before it could not be told that it went.
            let (_, _, forgotten) = self.gone.remove(0);
            self.floor = self.floor.max(forgotten);
        }
        self.token = stamp;
        true
    }

    /// What came and what went behind a token; `None` for one that this box did not give or has forgotten. 0 is before everything.
    pub fn since(&self, token: u64) -> Option<(Vec<&Invite>, Vec<&str>)> {
        if token == 0 {
            return Some((self.invites.iter().collect(), Vec::new()));
        }
        let given = token == self.token
            || self.invites.iter().any(|one| one.stamp == token)
            || self.gone.iter().any(|(_, came, went)| *came == token || *went == token);
        if !given || token < self.floor {
            return None;
        }
        let came = self.invites.iter().filter(|one| one.stamp > token).collect();
        Some((came, self.gone.iter().filter(|(_, _, went)| *went > token).map(|(id, ..)| id.as_str()).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invite(stamp: u64, about: &str) -> Invite {
        Invite {
            id: stamp.to_string(),
            stamp,
            at: DateTime::UNIX_EPOCH,
            about: Address::parse(about).expect("an address"),
            other: UserName::new("alice").expect("a name"),
            reply: false,
            state: State::Accepted,
            right: Right::Read,
            name: "é".repeat(200),
        }
    }

    #[test]
    fn a_box_tells_what_came_and_went_and_holds_only_so_much() {
        let mut held = Mailbox::default();
        let ids = |held: &Mailbox, token| {
            held.since(token).map(|(came, gone)| {
                let came: Vec<String> = came.iter().map(|one| one.id.clone()).collect();
                (came.join(" "), gone.join(" "))
            })
        };
        let told = |came: &str, gone: &str| Some((came.to_owned(), gone.to_owned()));
        assert_eq!(ids(&held, 0), told("", ""));
        held.put(invite(5, "/calendars/alice/a"));
        held.put(invite(7, "/calendars/alice/b"));
        assert_eq!(held.invites[0].name.len(), 256);
        assert_eq!(ids(&held, 0), told("5 7", ""));
        assert_eq!(ids(&held, 5), told("7", ""));
        assert_eq!(ids(&held, 6), None);
        // Newer news of the same collection stands in place of the older.
        held.put(invite(9, "/calendars/alice/a"));
        assert_eq!((ids(&held, 7), ids(&held, 5)), (told("9", "5"), told("7 9", "5")));
        assert!(held.remove("7", 11) && !held.remove("7", 12));
        assert_eq!((ids(&held, 9), ids(&held, 11)), (told("", "7"), told("", "")));
        for stamp in 20..400 {
            held.put(invite(stamp, &format!("/calendars/alice/{stamp}")));
        }
        assert_eq!((held.invites.len(), held.gone.len()), (INVITES_MAX, GONE_MAX));
        assert_eq!(ids(&held, 11), None);
        assert!(held.since(399).is_some());
    }
}
