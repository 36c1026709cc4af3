//! A simulated year: random calendars in five zones, the clock turned through it, writes in between, the power cut at random commits. What
//! is heard equals what the texts say, each alarm once.

mod model;
mod texts;
mod town;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use campanile::domain::address::{Address, Kind, ObjectAddress};
use campanile::domain::alarm::State;
use campanile::domain::object::Precondition;
use campanile::domain::principal::Principal;
use campanile::domain::refusal::Refusal;
use campanile::service::Service;
use campanile::service::clock::Aim;
use campanile::service::collections::Face;
use campanile::service::principals::Newcomer;
use campanile::system::clock::{Clock, ManualClock};
use chrono::{DateTime, TimeDelta, Utc};

use crate::year::model::{Downtime, Key, Model, Snooze, key};
use crate::year::texts::{Dice, ZONES, new_year, object};
use crate::year::town::Town;

const USERS: usize = 8;
const CALENDARS: usize = 200;
const DAYS: i64 = 366;
/// One text more would be one too many: the year must not take longer than a coffee.
const OBJECTS_MAX: usize = 420;

/// What is done to the service, with what it needs to be found out whether it was done when the power went.
#[derive(Debug)]
enum Deed {
    Put(ObjectAddress, String, String),
    Delete(ObjectAddress),
    UserZone(usize, &'static str),
    CalendarZone(Address, &'static str),
    Strike,
}

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
}

impl Year {
    async fn begin(seed: u64) -> Year {
        let clock = Arc::new(ManualClock::at(new_year()));
        let town = Town { disk: Default::default(), fuse: Default::default(), ears: Default::default(), clock };
        let service = town.open(seed).await;
        let (mut people, mut calendars) = (Vec::new(), Vec::new());
        let mut model = Model::default();
        for number in 0..USERS {
            let name = format!("user{number}");
            let zone = ZONES[number % ZONES.len()];
            let newcomer = Newcomer {
                email: email(&name),
                display_name: name.clone(),
                password: "x".into(),
                timezone: Some(zone.to_owned()),
                administrator: false,
                name: name.clone(),
            };
            people.push(service.add_user(newcomer).await.expect("a person"));
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
        let mut year = Year { town, service, people, calendars, model, dice, seed, served, life: 0, made: 0, cuts: 0 };
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

    async fn put_new(&mut self, calendar: usize) {
        let uid = format!("o{}", self.made);
        self.made += 1;
        let place = self.calendars[calendar].object(&format!("{uid}.ics")).expect("a name");
        let now = self.now();
        let text = object(&mut self.dice, &uid, now);
        self.act(Deed::Put(place, uid, text)).await;
    }

    async fn perform(&self, deed: &Deed) -> Result<(), Refusal> {
        let any = Precondition::default();
        match deed {
            Deed::Put(place, _, text) => {
                let bytes = Bytes::copy_from_slice(text.as_bytes());
                self.service().put(self.owner(place.collection()), place, bytes, any).await.map(drop)
            }
            Deed::Delete(place) => self.service().delete(self.owner(place.collection()), place, any).await.map(drop),
            Deed::UserZone(user, zone) => {
                self.service().set_timezone(&self.people[*user].name, Some(zone)).await.map(drop)
            }
            Deed::CalendarZone(at, zone) => {
                let face = Face { timezone: Some((*zone).to_owned()), ..Face::default() };
                self.service().dress_collection(self.owner(at), at, face).await
            }
            Deed::Strike => self.service().strike().await,
        }
    }

    /// Whether a deed that the power cut short was done.
    async fn was_done(&self, deed: &Deed) -> bool {
        match deed {
            Deed::Put(place, _, text) => {
                let found = self.service().object(self.owner(place.collection()), place).await;
                found.is_ok_and(|found| found.bytes == text.as_bytes())
            }
            Deed::Delete(place) => self.service().object(self.owner(place.collection()), place).await.is_err(),
            Deed::UserZone(user, zone) => {
                let users = self.service().users().await.expect("the users");
                let found = users.iter().find(|found| found.name == self.people[*user].name);
                found.is_some_and(|found| found.timezone.as_deref() == Some(zone))
            }
            Deed::CalendarZone(at, zone) => {
                let view = self.service().view(at.user(), at).await.expect("the calendar");
                view.source.timezone.as_deref() == Some(zone)
            }
            Deed::Strike => false,
        }
    }

    async fn act(&mut self, deed: Deed) {
        let now = self.now();
        let done = match self.perform(&deed).await {
            Ok(()) => true,
            Err(Refusal::Fault { .. }) => {
                self.crash().await;
                self.was_done(&deed).await
            }
            // A text that the service refuses is one that nobody could write.
            Err(refusal) => panic!("seed {}: {deed:?}: {refusal:?}", self.seed),
        };
        if done {
            self.believe(deed, now);
        }
    }

    fn believe(&mut self, deed: Deed, now: DateTime<Utc>) {
        match deed {
            Deed::Put(place, uid, text) => self.model.write(&place, &uid, Some(&text), now),
            Deed::Delete(place) => self.model.write(&place, "", None, now),
            Deed::UserZone(user, zone) => {
                let name = self.people[user].name.to_string();
                self.model.user_zones.insert(name, zone.parse().expect("a zone"));
                self.model.rezone(now);
            }
            Deed::CalendarZone(at, zone) => {
                self.model.calendar_zones.insert(at, zone.parse().expect("a zone"));
                self.model.rezone(now);
            }
            Deed::Strike => {}
        }
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

    /// A text that stands now, by chance.
    fn any_kept(&mut self) -> Option<(ObjectAddress, String, String)> {
        let standing: Vec<_> = self.model.objects.iter().filter(|kept| kept.text().is_some()).collect();
        if standing.is_empty() {
            return None;
        }
        let kept = standing[self.dice.below(standing.len())];
        Some((kept.place.clone(), kept.uid.clone(), kept.text().unwrap_or_default().to_owned()))
    }

    async fn meddle(&mut self) {
        let Some((place, uid, text)) = self.any_kept() else { return };
        match self.dice.below(14) {
            0..3 if self.made < OBJECTS_MAX => {
                let calendar = self.dice.below(CALENDARS);
                self.put_new(calendar).await;
            }
            0..5 => {
                let now = self.now();
                let text = object(&mut self.dice, &uid, now);
                self.act(Deed::Put(place, uid, text)).await;
            }
            5 => {
                // Its words change, its alarms do not: none is lost, none rings twice.
                self.act(Deed::Put(place, uid, text.replace("SUMMARY:", "SUMMARY:Again "))).await;
            }
            6 => self.act(Deed::Delete(place)).await,
            7 => {
                let (user, zone) = (self.dice.below(USERS), self.dice.one_of(&ZONES));
                self.act(Deed::UserZone(user, zone)).await;
            }
            8 => {
                let zone = self.dice.one_of(&ZONES);
                self.act(Deed::CalendarZone(place.collection().clone(), zone)).await;
            }
            9 => {
                let to = &self.calendars[self.dice.below(CALENDARS)];
                if to.user() == place.collection().user() && to != place.collection() {
                    let moved = to.object(place.name()).expect("a name");
                    self.act(Deed::Put(moved, uid, text)).await;
                    self.act(Deed::Delete(place)).await;
                }
            }
            10 => self.snooze().await,
            _ => self.act(Deed::Strike).await,
        }
    }

    /// Puts off one of the alarms that rang and whose object still stands.
    async fn snooze(&mut self) {
        self.town.fuse.douse();
        let person = self.people[self.dice.below(USERS)].clone();
        let until = self.now() + TimeDelta::minutes(1 + self.dice.below(3_000) as i64);
        let rung = self.service().rung_alarms(&person.name).await.expect("what rang");
        let rung: Vec<_> = rung.into_iter().filter(|rung| !matches!(rung.state, State::Snoozed(_))).collect();
        if rung.is_empty() {
            return;
        }
        let alarm = &rung[self.dice.below(rung.len())].alarm;
        if self.service().snooze(&person, alarm.id, until).await.is_ok() {
            let key = (alarm.object.to_string(), until, alarm.id);
            self.model.snoozes.push(Snooze { key, end: alarm.end, cancelled: false });
        }
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
        println!("seed {}: {} alarms, {total} heard, {} cuts", self.seed, expected.len(), self.cuts);
        let such = wrong[..wrong.len().min(8)].join("\n");
        assert!(wrong.is_empty(), "seed {}: {} wrong, such as\n{such}\n{}", self.seed, wrong.len(), of_first(&wrong));
        assert!(expected.len() > 1_000 && self.cuts > 5, "seed {}: a year in which little happened", self.seed);
    }
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
