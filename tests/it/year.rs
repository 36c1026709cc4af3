//! A simulated year: random calendars in five zones, the clock turned through it, writes in between, the power cut at random commits. What
//! is heard equals what the texts say, each alarm once.

mod deeds;
mod downtime;
mod model;
mod texts;
mod town;

use std::collections::BTreeMap;
use std::sync::Arc;

use campanile::domain::address::{Address, Kind};
use campanile::domain::principal::Principal;
use campanile::service::Service;
use campanile::service::channels::Change;
use campanile::service::clock::Aim;
use campanile::service::collections::Face;
use campanile::service::principals::Newcomer;
use campanile::system::clock::Clock;
use chrono::{DateTime, TimeDelta, Utc};

use crate::year::model::{Downtime, Key, Model, key};
use crate::year::texts::{Dice, ZONES, new_year};
use crate::year::town::Town;

const USERS: usize = 8;
const CALENDARS: usize = 200;
const DAYS: i64 = 366;
/// One text more would be one too many: the year must not take longer than a coffee.
const OBJECTS_MAX: usize = 420;

struct Year {
    town: Town,
    /// Absent only between a crash and the next opening.
    service: Option<Arc<Service>>,
    people: Vec<Principal>,
    calendars: Vec<Address>,
    model: Model,
    dice: Dice,
    seed: u64,
    /// Everything up to here was served, and heard up to this place.
    served: (DateTime<Utc>, usize),
    /// Where the ears were when the service was opened: in one life it rings in order.
    life: usize,
    made: usize,
    cuts: usize,
    /// Answers that were written into texts.
    written: usize,
}

impl Year {
    async fn begin(seed: u64) -> Year {
        let town = Town::at(new_year());
        let service = town.open(seed).await;
        let (mut people, mut calendars) = (Vec::new(), Vec::new());
        let mut model = Model::default();
        for number in 0..USERS {
            let name = format!("user{number}");
            let zone = ZONES[number % ZONES.len()];
            let one = person(&service, &name, zone).await;
            let change = Change { writes_back: Some(number % 2 == 0), ..Change::default() };
            service.set_channels(&one.name, change).await.expect("it is set");
            people.push(one);
            model.user_zones.insert(name.clone(), zone.parse().expect("a zone"));
        }
        for number in 0..CALENDARS {
            let owner = &people[number % USERS];
            let at = Address::new(Kind::Calendar, owner.name.as_str(), &format!("c{number}")).expect("an address");
            service.make_collection(owner, &at, Vec::new(), Face::default()).await.expect("a calendar");
            calendars.push(at);
        }
        let (dice, served) = (Dice::new(seed), (new_year(), 0));
        let service = Some(service);
        let mut year =
            Year { town, service, people, calendars, model, dice, seed, served, life: 0, made: 0, cuts: 0, written: 0 };
        for number in 0..CALENDARS {
            year.put_new(number).await;
        }
        year
    }

    fn service(&self) -> &Arc<Service> {
        self.service.as_ref().expect("it is open")
    }

    fn now(&self) -> DateTime<Utc> {
        self.town.clock.now()
    }

    fn owner(&self, at: &Address) -> &Principal {
        self.people.iter().find(|person| &person.name == at.user()).expect("an owner")
    }

    /// The power is gone: the service is dropped as it stands, time passes, it is opened again and catches up. That may be cut short too.
    async fn crash(&mut self) {
        loop {
            self.cuts += 1;
            self.check_order();
            let gone = match self.dice.below(8) {
                0 => TimeDelta::hours(self.dice.below(60) as i64),
                1..4 => TimeDelta::minutes(self.dice.below(180) as i64),
                _ => TimeDelta::zero(),
            };
            self.town.clock.set(self.now() + gone);
            // It ends with its last handle, and lets the disk go.
            drop(self.service.take());
            self.service = Some(self.town.open(self.seed).await);
            self.life = self.town.ears.count();
            self.model.downtimes.push(Downtime {
                from: self.served.0,
                to: self.now(),
                heard: self.town.ears.from(self.served.1),
            });
            self.served.1 = self.town.ears.count();
            if self.dice.once_in(4) {
                self.light();
            }
            if self.turn(self.now()).await {
                return;
            }
        }
    }

    fn light(&mut self) {
        let (commits, kept) = (self.dice.below(60), self.dice.once_in(2));
        self.town.fuse.light(commits, kept);
    }

    /// Whether it went through.
    async fn turn(&mut self, to: DateTime<Utc>) -> bool {
        let before = self.town.ears.count();
        match self.service().turn_clock(Aim::To(to)).await {
            Ok(turn) => {
                let heard = self.town.ears.from(before);
                assert_eq!(turn.count as usize, heard.len(), "seed {}: what a turn tells is what is heard", self.seed);
                let told = turn.fired.iter().map(|rung| key(&rung.alarm));
                assert!(told.eq(heard.iter().take(turn.fired.len()).cloned()), "seed {}: in the same order", self.seed);
                self.served = (to, self.town.ears.count());
                true
            }
            Err(_) => false,
        }
    }

    fn check_order(&self) {
        let heard = self.town.ears.from(self.life);
        assert!(heard.is_sorted_by_key(|(_, at, _)| *at), "seed {}: in the order of their instants", self.seed);
    }

    async fn live(&mut self) {
        let end = new_year() + TimeDelta::days(DAYS);
        while self.now() < end {
            if self.dice.once_in(5) {
                self.light();
            }
            for _ in 0..self.dice.below(6) {
                self.meddle().await;
            }
            let step = match self.dice.below(4) {
                0 => TimeDelta::seconds(1 + self.dice.below(7_200) as i64),
                1 => TimeDelta::hours(self.dice.below(30) as i64),
                _ => TimeDelta::minutes(self.dice.below(60 * 24 * 7) as i64),
            };
            if !self.turn((self.now() + step).min(end)).await {
                self.crash().await;
            }
        }
        self.check_order();
    }

    fn compare(&self) {
        let mut heard: BTreeMap<Key, usize> = BTreeMap::new();
        for key in self.town.ears.from(0) {
            *heard.entry(key).or_default() += 1;
        }
        let expected = self.model.expected(self.now(), email);
        let mut wrong: Vec<String> = Vec::new();
        for (key, times) in &expected {
            let count = heard.get(key).copied().unwrap_or(0);
            if !(times.least..=times.most).contains(&count) {
                wrong.push(format!("{key:?} was heard {count} times, not {times:?}"));
            }
        }
        wrong
            .extend(heard.keys().filter(|key| !expected.contains_key(key)).map(|key| format!("{key:?} is in no text")));
        let of_first = |wrong: &[String]| {
            let all = expected.keys().chain(heard.keys());
            let mut all = all.filter(|key| wrong.first().is_some_and(|wrong| wrong.starts_with(&format!("{key:?}"))));
            all.next().map_or_else(String::new, |key| self.model.story(key))
        };
        let total: usize = heard.values().sum();
        println!(
            "seed {}: {} alarms, {total} heard, {} cuts, {} written",
            self.seed,
            expected.len(),
            self.cuts,
            self.written
        );
        let such = wrong[..wrong.len().min(8)].join("\n");
        assert!(wrong.is_empty(), "seed {}: {} wrong, such as\n{such}\n{}", self.seed, wrong.len(), of_first(&wrong));
        assert!(
            expected.len() > 1_000 && self.cuts > 5 && self.written > 5,
            "seed {}: a year in which little happened",
            self.seed
        );
    }
}

async fn person(service: &Service, name: &str, zone: &str) -> Principal {
    let newcomer = Newcomer {
        name: name.to_owned(),
        email: email(name),
        display_name: name.to_owned(),
        password: "x".into(),
        timezone: Some(zone.to_owned()),
        administrator: false,
    };
    service.add_user(newcomer).await.expect("a person")
}

fn email(user: &str) -> String {
    format!("{user}@example.org")
}

async fn year(seed: u64) {
    let mut year = Year::begin(seed).await;
    year.live().await;
    year.compare();
}

// Each is another year; more of them by `CAMPANILE_YEAR_SEED=7 cargo test --test it year::more`.

#[tokio::test]
async fn a_year_of_alarms_rings_as_the_texts_say() {
    year(1).await;
}

#[tokio::test]
async fn a_year_with_an_override_behind_a_silenced_rule() {
    year(6).await;
}

#[tokio::test]
async fn more_years() {
    let seed = std::env::var("CAMPANILE_YEAR_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(16);
    year(seed).await;
}
