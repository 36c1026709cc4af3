//! The Side state machine under random orders of changes, revocations, requests and late answers: no change is lost, no right outlived.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::sync::Arc;

use campanile::bus::{Flight, Notice};
use campanile::domain::address::{Address, UserName};
use campanile::domain::collection::CollectionId;
use campanile::domain::event::{Event, Topic};
use campanile::domain::refusal::Refusal;
use campanile::domain::sync::{PREFIX, Token};
use campanile::gateway::dialect::{Ask, Dialect, Frame, Outcome, Readable, Step};
use campanile::gateway::side::conversation::{PATHS_DEFAULT, Side};
use campanile::system::random::SeededRandom;
use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::wire::{below, server};

const SEEDS: u64 = 400;
const STEPS: usize = 400;
const COLLECTIONS: u64 = 3;

/// A collection, seen at two paths.
#[derive(Clone, Copy)]
struct Place {
    id: u64,
    token: u64,
    readable: bool,
}

struct Run {
    seed: u64,
    side: Side,
    places: Vec<Place>,
    stamp: u64,
    topics: HashSet<Topic>,
    asks: VecDeque<(u64, Address)>,
    /// What the desk saw, on its way to the socket.
    answer: Option<(u64, Outcome)>,
    /// What the client knows of each path that it believes to be registered.
    known: BTreeMap<String, u64>,
    pushes: usize,
}

fn path(place: usize, mirror: bool) -> String {
    if mirror { format!("/calendars/alice/m{place}") } else { format!("/calendars/bob/c{place}") }
}

fn place_of(path: &str) -> usize {
    usize::from(path.as_bytes()[path.len() - 1] - b'0')
}

impl Run {
    fn act(&mut self, act: impl FnOnce(&mut Side, &mut Vec<Step>)) {
        let mut steps = Vec::new();
        act(&mut self.side, &mut steps);
        for step in steps {
            match step {
                Step::Ask { number, ask: Ask::Resolve(address) } => self.asks.push_back((number, address)),
                Step::Listen(topic) => assert!(self.topics.insert(topic), "seed {}: listens twice", self.seed),
                Step::Unlisten(topic) => assert!(self.topics.remove(&topic), "seed {}: did not listen", self.seed),
                Step::Say(outgoing) => {
                    let (_, text) = server(&outgoing.frame).remove(0);
                    self.heard(&serde_json::from_slice(&text).unwrap());
                }
                Step::Ask { .. } | Step::Close(_) | Step::Wake(_) | Step::Rest { .. } => panic!("seed {}", self.seed),
            }
        }
    }

    fn heard(&mut self, said: &Value) {
        for (key, value) in said.as_object().unwrap() {
            match key.as_str() {
                "registered" => {
                    for path in value.as_array().unwrap().iter().filter_map(Value::as_str) {
                        let place = self.places[place_of(path)];
                        // One that was registered before is not looked up again.
                        assert!(place.readable || self.known.contains_key(path), "seed {}: {said}", self.seed);
                        self.known.insert(path.to_owned(), place.token);
                    }
                }
                "unregistered" => {
                    value.as_array().unwrap().iter().filter_map(Value::as_str).for_each(|path| {
                        self.known.remove(path);
                    });
                }
                "notRegistered" => value.as_object().unwrap().keys().for_each(|path| {
                    self.known.remove(path);
                }),
                "notUnregistered" | "calendarListRegistered" => {}
                path => {
                    let place = self.places[place_of(path)];
                    assert!(place.readable, "seed {}: told after the right was lost: {said}", self.seed);
                    let known = self.known.get_mut(path).unwrap_or_else(|| panic!("seed {}: {said}", self.seed));
                    if let Some(token) = value["syncToken"].as_str() {
                        let token = token.strip_prefix(PREFIX).unwrap().parse().unwrap();
                        *known = (*known).max(token);
                        self.pushes += 1;
                    }
                }
            }
        }
    }

    fn happen(&mut self, event: Event) {
        let notice = Notice::new(event, 1, 0, false, Flight::unwatched());
        if notice.event.topics().iter().any(|topic| self.topics.contains(topic)) {
            self.act(|side, steps| side.happened(&notice, steps));
        }
    }

    fn look(&mut self) {
        if self.answer.is_none()
            && let Some((number, address)) = self.asks.pop_front()
        {
            let place = self.places[place_of(&address.to_string())];
            let outcome = match place.readable {
                true => Outcome::Readable(Readable { collection: CollectionId(place.id), token: Token(place.token) }),
                false => Outcome::Refused(Refusal::Forbidden),
            };
            self.answer = Some((number, outcome));
        }
    }

    fn deliver(&mut self) {
        if let Some((number, outcome)) = self.answer.take() {
            self.act(|side, steps| side.answered(number, outcome, DateTime::<Utc>::MIN_UTC, steps));
        }
    }

    fn settle(&mut self) {
        while self.answer.is_some() || !self.asks.is_empty() {
            self.look();
            self.deliver();
        }
    }

    fn rights(&mut self, at: usize, readable: bool) {
        self.places[at].readable = readable;
        let collection = CollectionId(self.places[at].id);
        self.happen(Event::RightsChanged { collection, address: Address::parse(&path(at, false)).unwrap() });
    }

    fn step(&mut self, random: &SeededRandom) {
        let at = below(random, self.places.len());
        let collection = CollectionId(self.places[at].id);
        let address = Address::parse(&path(at, false)).unwrap();
        match below(random, 12) {
            0..3 => {
                self.stamp += 1;
                self.places[at].token = self.stamp;
                let (token, objects) = (Token(self.stamp), Arc::default());
                self.happen(Event::Changed { collection, address, token, objects });
            }
            3 => self.rights(at, below(random, 2) == 0),
            4 => {
                let (import, counts) = ("i".to_owned(), None);
                self.happen(Event::Imported { collection, address, import, counts });
            }
            5 if below(random, 4) == 0 => {
                // Deleted, and made again under the same name.
                let readable = self.places[at].readable;
                self.stamp += 1;
                self.places[at] = Place { id: self.stamp + 1_000, token: self.stamp, readable };
                self.happen(Event::RightsChanged { collection, address });
            }
            6..8 => {
                let mut lists: [BTreeSet<String>; 2] = Default::default();
                for _ in 0..1 + below(random, 3) {
                    let path = path(below(random, self.places.len()), below(random, 2) == 0);
                    if !lists.iter().any(|list| list.contains(&path)) {
                        lists[usize::from(below(random, 3) == 0)].insert(path);
                    }
                }
                let text = serde_json::json!({ "register": lists[0], "unregister": lists[1] }).to_string();
                self.act(|side, steps| side.heard(Frame::Text(&text), DateTime::<Utc>::MIN_UTC, steps));
            }
            8..10 => self.look(),
            _ => self.deliver(),
        }
    }
}

#[test]
fn no_change_is_lost_and_no_right_outlived_whatever_the_order() {
    let mut pushes = 0;
    for seed in 0..SEEDS {
        let random = SeededRandom::new(seed);
        let place = |at| Place { id: 100 + at, token: 0, readable: true };
        let mut run = Run {
            seed,
            side: Side::new(UserName::new("alice").unwrap(), PATHS_DEFAULT),
            places: (0..COLLECTIONS).map(place).collect(),
            stamp: 0,
            topics: HashSet::new(),
            asks: VecDeque::new(),
            answer: None,
            known: BTreeMap::new(),
            pushes: 0,
        };
        run.act(|side, steps| side.opened(DateTime::<Utc>::MIN_UTC, steps));
        for _ in 0..STEPS {
            run.step(&random);
        }
        (0..run.places.len()).for_each(|at| run.rights(at, true));
        run.settle();
        for (path, known) in &run.known {
            let place = run.places[place_of(path)];
            // Where a collection was replaced while the right was lost, nothing tells the socket of the new one: the client hears of it
            // through its list, and registers again.
            if run.topics.contains(&Topic::Collection(CollectionId(place.id))) {
                assert!(*known >= place.token, "seed {seed}: {path} is known at {known}, stands at {}", place.token);
            }
        }
        let listened = run.topics.iter().filter(|topic| matches!(topic, Topic::Collection(_))).count();
        assert!(listened <= run.known.len(), "seed {seed}: listens to {:?} for {:?}", run.topics, run.known);
        pushes += run.pushes;
    }
    assert!(pushes > 3_000, "only {pushes} pushes");
}
