//! The deliveries that wait, in memory: who is next, fairly, and within which bounds. Knows no store and no protocol; time is an argument.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::bus::{Flight, Landing};
use crate::domain::address::UserName;
use crate::domain::channel::Channel;
use crate::domain::delivery::{Delivery, DeliveryId};

/// Deliveries of one person through one channel that are on their way at the same time; the next ones wait, so that one person's dead
/// receiver never takes all the room.
const PERSON_AT_ONCE: usize = 4;

/// A delivery that waits or is on its way. Held by whoever attempts it.
#[derive(Debug)]
pub struct Letter {
    pub user: UserName,
    pub channel: Channel,
    pub id: DeliveryId,
    /// Held until the first attempt is recorded: a turn of the clock waits for it.
    #[expect(dead_code, reason = "held for the sake of its drop")]
    flight: Flight,
}

impl Letter {
    pub fn of(delivery: &Delivery, flight: Flight) -> Letter {
        Letter { user: delivery.user.clone(), channel: delivery.channel, id: delivery.id, flight }
    }
}

type Line = (Channel, UserName);

#[derive(Default)]
struct Desk {
    /// Those that wait for their next attempt; the number keeps the order of equal instants.
    later: BTreeMap<(Instant, u64), Letter>,
    /// Those that may go at once, a line for each person and channel.
    lines: HashMap<Line, VecDeque<Letter>>,
    /// Whose turn it is in each channel: everybody who has a line, once.
    turns: HashMap<Channel, VecDeque<UserName>>,
    out: HashMap<Line, usize>,
    out_of: HashMap<Channel, usize>,
    /// All that wait or are out, by person.
    held: HashMap<UserName, usize>,
    number: u64,
}

pub struct Post {
    desk: Mutex<Desk>,
    flight: Mutex<(Flight, Landing)>,
    /// Deliveries through one channel that are on their way at the same time; the next ones wait.
    at_once: usize,
}

impl Post {
    pub fn new(at_once: usize) -> Post {
        Post { desk: Mutex::default(), flight: Mutex::new(Flight::start()), at_once: at_once.max(1) }
    }

    fn desk(&self) -> std::sync::MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes letters in, to be attempted at `at`.
    pub fn take_in(&self, letters: impl IntoIterator<Item = Letter>, at: Instant) {
        let mut desk = self.desk();
        for letter in letters {
            *desk.held.entry(letter.user.clone()).or_default() += 1;
            desk.wait(letter, at);
        }
    }

    /// How many deliveries of a person wait or are out.
    pub fn held(&self, user: &UserName) -> usize {
        self.desk().held.get(user).copied().unwrap_or(0)
    }

    /// When to look again, if nothing happens before.
    pub fn next(&self) -> Option<Instant> {
        self.desk().later.first_key_value().map(|((at, _), _)| *at)
    }

    /// Gives out what may go now: people take turns. Each letter comes back by `put_off` or `done`.
    pub fn give_out(&self, now: Instant) -> Vec<Letter> {
        let mut desk = self.desk();
        while let Some(entry) = desk.later.first_entry().filter(|entry| entry.key().0 <= now) {
            let letter = entry.remove();
            desk.line_up(letter);
        }
        let mut given = Vec::new();
        let channels: Vec<Channel> = desk.turns.keys().copied().collect();
        for channel in channels {
            desk.give_out(channel, self.at_once, &mut given);
        }
        given
    }

    /// It is tried again at `at`; nobody waits for that.
    pub fn put_off(&self, letter: Letter, at: Instant) {
        let mut desk = self.desk();
        desk.back(&letter);
        desk.wait(Letter { flight: Flight::unwatched(), ..letter }, at);
    }

    /// As `put_off`, for an attempt that could not be recorded: who waits for its first attempt goes on waiting.
    pub fn unrecorded(&self, letter: Letter, at: Instant) {
        let mut desk = self.desk();
        desk.back(&letter);
        desk.wait(letter, at);
    }

    /// It needs no attempt any more.
    pub fn done(&self, letter: Letter) {
        let mut desk = self.desk();
        desk.back(&letter);
        if let Some(held) = desk.held.get_mut(&letter.user) {
            *held = held.saturating_sub(1);
            if *held == 0 {
                desk.held.remove(&letter.user);
            }
        }
    }

    /// What first attempts belong to now.
    pub fn flight(&self) -> Flight {
        self.flight.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// Ends when the first attempts of everything that was taken in up to now are recorded.
    pub fn landing(&self) -> Landing {
        let mut current = self.flight.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *current, Flight::start()).1
    }
}

impl Desk {
    fn wait(&mut self, letter: Letter, at: Instant) {
        self.number += 1;
        self.later.insert((at, self.number), letter);
    }

    fn line_up(&mut self, letter: Letter) {
        let line = self.lines.entry((letter.channel, letter.user.clone())).or_default();
        if line.is_empty() {
            self.turns.entry(letter.channel).or_default().push_back(letter.user.clone());
        }
        line.push_back(letter);
    }

    fn give_out(&mut self, channel: Channel, at_once: usize, given: &mut Vec<Letter>) {
        // Everybody is asked until a whole round had nobody who may send.
        let mut refused = 0;
        while self.out_of.get(&channel).copied().unwrap_or(0) < at_once {
            let Some(turns) = self.turns.get_mut(&channel) else { return };
            if refused >= turns.len() {
                return;
            }
            let Some(user) = turns.pop_front() else { return };
            let key = (channel, user);
            let out = self.out.entry(key.clone()).or_default();
            if *out >= PERSON_AT_ONCE {
                refused += 1;
                turns.push_back(key.1);
                continue;
            }
            let Some(letter) = self.lines.get_mut(&key).and_then(VecDeque::pop_front) else { continue };
            refused = 0;
            *out += 1;
            *self.out_of.entry(channel).or_default() += 1;
            if self.lines.get(&key).is_some_and(VecDeque::is_empty) {
                self.lines.remove(&key);
            } else {
                turns.push_back(key.1);
            }
            given.push(letter);
        }
    }

    fn back(&mut self, letter: &Letter) {
        let key = (letter.channel, letter.user.clone());
        if let Some(out) = self.out.get_mut(&key) {
            *out = out.saturating_sub(1);
            if *out == 0 {
                self.out.remove(&key);
            }
        }
        if let Some(out) = self.out_of.get_mut(&letter.channel) {
            *out = out.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::system::pace;

    fn letter(user: &str, channel: Channel, id: u128, flight: Flight) -> Letter {
        Letter { user: UserName::new(user).expect("a name"), channel, id: DeliveryId(id), flight }
    }

    fn names(letters: &[Letter]) -> Vec<(&str, u128)> {
        letters.iter().map(|letter| (letter.user.as_str(), letter.id.0)).collect()
    }

    #[test]
    fn people_take_turns_within_both_bounds() {
        let (post, now) = (Post::new(7), pace::now());
        let fly = Flight::unwatched;
        post.take_in((0..6).map(|id| letter("a", Channel::Ntfy, id, fly())), now);
        post.take_in((10..12).map(|id| letter("b", Channel::Ntfy, id, fly())), now);
        post.take_in([letter("c", Channel::Mail, 20, fly())], now + Duration::from_secs(5));
        let mut given = post.give_out(now);
        // a, b, a, b, a, a: four of a's are out, and one place is left for others.
        assert_eq!(names(&given), [("a", 0), ("b", 10), ("a", 1), ("b", 11), ("a", 2), ("a", 3)]);
        assert_eq!(names(&post.give_out(now)), []);
        assert_eq!(
            (post.held(&UserName::new("a").expect("a name")), post.next()),
            (6, Some(now + Duration::from_secs(5)))
        );
        post.done(given.remove(0));
        assert_eq!(names(&post.give_out(now)), [("a", 4)]);
        post.put_off(given.remove(0), now + Duration::from_secs(1));
        assert_eq!(post.next(), Some(now + Duration::from_secs(1)));
        assert_eq!(names(&post.give_out(now + Duration::from_secs(9))).len(), 2);
        assert_eq!(post.held(&UserName::new("a").expect("a name")), 5);
    }

    #[tokio::test]
    async fn a_landing_waits_for_first_attempts_only() {
        let (post, now) = (Post::new(1), pace::now());
        post.take_in([letter("a", Channel::Mail, 1, post.flight())], now);
        let landing = post.landing();
        let given = post.give_out(now).pop().expect("a letter");
        post.put_off(given, now);
        landing.landed().await;
        // What is taken in later flies on its own.
        post.landing().landed().await;
    }
}
