//! What changes while something else is being worked out: the store itself lets the change in, at a read in between.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use campanile::bus::local::LocalBus;
use campanile::domain::address::{Address, Kind, ObjectAddress};
use campanile::domain::alarm::State;
use campanile::domain::import::Media;
use campanile::domain::object::Precondition;
use campanile::domain::principal::Principal;
use campanile::kv::memory::{self, Disk};
use campanile::kv::{Answer, Counts, Decide, Kv, KvError, KvFuture, Range, Snapshot};
use campanile::service::Service;
use campanile::service::channels::Change;
use campanile::service::clock::Aim;
use campanile::service::principals::Newcomer;
use campanile::service::settings::Settings;
use campanile::service::uploads::Declared;
use campanile::store::Store;
use campanile::system::clock::ManualClock;
use campanile::system::meter::Silent;
use campanile::system::random::SeededRandom;
use tokio::sync::watch;

use crate::live::{NINE, event};

type News = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Changes that come in between: each right behind the next read of a key of one family.
#[derive(Default)]
struct Between {
    family: u8,
    changes: Vec<News>,
}

/// A store that lets a change in behind a read.
struct Porous {
    kv: Arc<dyn Kv>,
    between: Arc<Mutex<Between>>,
}

impl Kv for Porous {
    fn read(&self, keys: Vec<Bytes>) -> KvFuture<'_, Vec<Option<Bytes>>> {
        Box::pin(async move {
            let change = {
                let mut between = self.between.lock().expect("nobody panicked with it");
                let asked = keys.iter().any(|key| key.first() == Some(&between.family));
                if asked { between.changes.pop() } else { None }
            };
            let found = self.kv.read(keys).await;
            if let Some(change) = change {
                change.await;
            }
            found
        })
    }

    fn scan(&self, range: Range, limit: usize) -> KvFuture<'_, Vec<(Bytes, Bytes)>> {
        self.kv.scan(range, limit)
    }

    fn commit(&self, reads: Vec<Bytes>, decide: Decide) -> KvFuture<'_, Answer> {
        self.kv.commit(reads, decide)
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot>, KvError> {
        self.kv.snapshot()
    }

    fn disk_bytes(&self) -> u64 {
        self.kv.disk_bytes()
    }

    fn counts(&self) -> Counts {
        self.kv.counts()
    }

    fn failed(&self) -> watch::Receiver<Option<String>> {
        self.kv.failed()
    }

    fn close(&self) -> KvFuture<'_, ()> {
        self.kv.close()
    }
}

/// Key families, as `store/keys.rs` numbers them.
const USER: u8 = 0x10;
const UID: u8 = 0x32;
const BODY: u8 = 0x31;

struct Town {
    service: Arc<Service>,
    between: Arc<Mutex<Between>>,
    alice: Principal,
    calendar: Address,
}

impl Town {
    async fn open() -> Town {
        let between: Arc<Mutex<Between>> = Arc::default();
        let kv = Arc::new(memory::open(&Disk::default()).expect("it opens"));
        let kv = Arc::new(Porous { kv, between: between.clone() });
        let clock = Arc::new(ManualClock::at(NINE.parse().expect("an instant")));
        let (random, bus) = (Arc::new(SeededRandom::new(7)), Arc::new(LocalBus::default()));
        let service = Service::new(Store::new(kv), clock, random, bus, Settings::default(), Arc::new(Silent));
        service.start_relay().await.expect("the relay starts");
        let newcomer = Newcomer {
            name: "alice".into(),
            email: "alice@example.org".into(),
            display_name: "Alice".into(),
            password: "x".into(),
            timezone: None,
            administrator: false,
        };
        let alice = service.add_user(newcomer).await.expect("a person");
        let calendar = Address::new(Kind::Calendar, "alice", "default").expect("an address");
        Town { service, between, alice, calendar }
    }

    fn place(&self) -> ObjectAddress {
        self.calendar.object("tea.ics").expect("a name")
    }

    async fn put(&self, text: &str) {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        self.service.put(&self.alice, &self.place(), bytes, Precondition::default()).await.expect("it is taken");
    }

    async fn text(&self) -> String {
        let found = self.service.object(&self.alice, &self.place()).await.expect("it is there");
        String::from_utf8(found.bytes.to_vec()).expect("UTF-8")
    }

    /// Behind the next reads of a family these come in, the last one first.
    fn let_in(&self, family: u8, changes: Vec<News>) {
        *self.between.lock().expect("nobody panicked with it") = Between { family, changes };
    }

    fn all_came_in(&self) -> bool {
        self.between.lock().expect("nobody panicked with it").changes.is_empty()
    }

    /// Another zone for alice, who has none.
    fn rezone(&self, zone: &'static str) -> News {
        let (service, name) = (self.service.clone(), self.alice.name.clone());
        Box::pin(async move { drop(service.set_timezone(&name, Some(zone)).await.expect("a zone")) })
    }

    fn write(&self, text: String) -> News {
        let (service, alice, place) = (self.service.clone(), self.alice.clone(), self.place());
        Box::pin(async move {
            service.put(&alice, &place, text.into(), Precondition::default()).await.expect("it is taken");
        })
    }

    /// What rings up to an instant.
    async fn rings(&self, to: &str) -> Vec<String> {
        let turn = self.service.turn_clock(Aim::To(to.parse().expect("an instant"))).await.expect("a turn");
        turn.fired.iter().map(|rung| rung.alarm.at.format("%d %H:%M").to_string()).collect()
    }
}

/// Rings at a quarter to ten of the 16th, wherever its reader is.
fn floating() -> String {
    event("tea", "20250116T100000", 15)
}

#[tokio::test]
async fn a_write_is_planned_in_the_zone_that_stands_when_it_lands() {
    let town = Town::open().await;
    // The owner is read first, then the zone of the alarms; then comes another one.
    town.let_in(USER, vec![town.rezone("Asia/Tokyo"), Box::pin(async {})]);
    town.put(&floating()).await;
    assert!(town.all_came_in());
    assert_eq!(town.rings("2025-01-17T00:00:00Z").await, ["16 00:45"]);
}

#[tokio::test]
async fn an_import_notices_that_the_zone_changes_while_it_plans() {
    let town = Town::open().await;
    let size = floating().len() as u64;
    let declared = Declared { name: "tea.ics".into(), media: Media::Calendar, size, charset: None };
    let mut incoming = town.service.begin_upload(&town.alice).await.expect("a place");
    incoming.write(floating().as_bytes()).await.expect("written");
    let file = town.service.keep_upload(&town.alice, declared, incoming).await.expect("a file");
    town.service.ask_import(&town.alice, &file, ("alice", "default")).await.expect("an import");
    // An import looks for the holder of a UID when the item is planned: then the zone changes, twice in a row.
    town.let_in(UID, vec![town.rezone("Asia/Tokyo"), town.rezone("Europe/Paris")]);
    let import = town.service.imports_waiting().await.expect("a list").remove(0);
    town.service.work_import(import.clone()).await.expect("it ends");
    assert!(town.all_came_in());
    let ended = town.service.import(&town.alice, &import.id).await.expect("it is kept");
    assert_eq!((ended.counts.created, ended.counts.failed), (1, 0));
    assert_eq!(town.rings("2025-01-17T00:00:00Z").await, ["16 00:45"]);
}

#[tokio::test]
async fn an_import_whose_zone_never_rests_goes_on_later() {
    let town = Town::open().await;
    let size = floating().len() as u64;
    let declared = Declared { name: "tea.ics".into(), media: Media::Calendar, size, charset: None };
    let mut incoming = town.service.begin_upload(&town.alice).await.expect("a place");
    incoming.write(floating().as_bytes()).await.expect("written");
    let file = town.service.keep_upload(&town.alice, declared, incoming).await.expect("a file");
    town.service.ask_import(&town.alice, &file, ("alice", "default")).await.expect("an import");
    let zones = ["Asia/Tokyo", "Europe/Paris"];
    town.let_in(UID, (0..8).map(|number| town.rezone(zones[number % 2])).collect());
    let import = town.service.imports_waiting().await.expect("a list").remove(0);
    let refused = town.service.work_import(import).await.expect_err("it rests");
    assert_eq!(refused.to_string(), "the zone of this calendar keeps changing: try again in 1 seconds");
    let import = town.service.imports_waiting().await.expect("a list").remove(0);
    assert_eq!(import.cursor, 0);
    town.service.work_import(import).await.expect("it ends");
    assert_eq!(town.rings("2025-01-17T00:00:00Z").await, ["16 00:45"]);
}

#[tokio::test]
async fn an_answer_is_written_into_what_stands_when_it_lands() {
    let town = Town::open().await;
    let change = Change { writes_back: Some(true), ..Change::default() };
    town.service.set_channels(&town.alice.name, change).await.expect("it is set");
    let text = event("tea", "20250115T100000Z", 15);
    town.put(&text).await;
    assert_eq!(town.rings("2025-01-15T09:45:00Z").await, ["15 09:45"]);
    let id = town.service.rung_alarms(&town.alice.name).await.expect("a list")[0].alarm.id;
    // Two writes come between its reading and its landing.
    let words = |words: &str| text.replace("SUMMARY:", &format!("SUMMARY:{words} "));
    town.let_in(BODY, vec![town.write(words("Hot")), town.write(words("Cold"))]);
    let answered = town.service.acknowledge(&town.alice, id).await.expect("it is answered");
    assert!(town.all_came_in());
    assert_eq!((answered.rung.state, answered.written), (State::Acknowledged, Some(Ok(()))));
    assert_eq!(town.text().await, words("Hot").replace("END:VALARM", "ACKNOWLEDGED:20250115T094500Z\r\nEND:VALARM"));

    // Somebody hears it, somebody puts it off on another device: this answer came later.
    town.put(&event("tea", "20250115T103000Z", 15)).await;
    assert_eq!(town.rings("2025-01-15T10:15:00Z").await, ["15 10:15"]);
    let rung = town.service.rung_alarms(&town.alice.name).await.expect("a list").remove(1);
    let (service, alice, key) = (town.service.clone(), town.alice.clone(), (rung.alarm.at, rung.alarm.id));
    let until = "2025-01-15T10:20:00Z".parse().expect("an instant");
    let both = Box::pin(async move {
        service.note_told(&alice.name, vec![key]).await.expect("it is noted");
        service.snooze(&alice, key.1, until).await.expect("it is put off");
    });
    town.let_in(BODY, vec![both]);
    let answered = town.service.acknowledge(&town.alice, rung.alarm.id).await.expect("it is answered");
    assert!(town.all_came_in());
    assert_eq!(answered.written, Some(Ok(())));
    let states = town.service.rung_alarms(&town.alice.name).await.expect("a list");
    assert_eq!(states[1].state, State::Acknowledged);
    assert!(!town.text().await.contains("RELTYPE=SNOOZE"));
    assert_eq!(town.rings("2025-01-15T10:30:00Z").await, Vec::<String>::new());

    // Who loses every time says so; the answer stands.
    town.put(&event("tea", "20250115T110000Z", 15)).await;
    assert_eq!(town.rings("2025-01-15T10:45:00Z").await, ["15 10:45"]);
    let id = town.service.rung_alarms(&town.alice.name).await.expect("a list")[2].alarm.id;
    let write = |number: usize| {
        town.write(event("tea", "20250115T110000Z", 15).replace("SUMMARY:", &format!("SUMMARY:{number} ")))
    };
    town.let_in(BODY, (0..40).map(write).collect());
    let until = "2025-01-15T10:50:00Z".parse().expect("an instant");
    let answered = town.service.snooze(&town.alice, id, until).await.expect("it is answered");
    town.let_in(UID, vec![]);
    assert_eq!(answered.rung.state, State::Snoozed(until));
    assert_eq!(answered.written, Some(Err("the event keeps changing".to_owned())));
    assert!(!town.text().await.contains("ACKNOWLEDGED"));
    assert_eq!(town.rings("2025-01-15T12:00:00Z").await, ["15 10:50"]);
}
