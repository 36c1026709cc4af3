//! A public calendar with ten thousand subscribers: what a change of it writes, and how they hear that it is closed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use campanile::bus::local::LocalBus;
use campanile::domain::access::Right;
use campanile::domain::address::{Address, Kind, UserName};
use campanile::domain::collection::{Collection, Source};
use campanile::domain::event::{Event, ListChange};
use campanile::domain::object::Precondition;
use campanile::domain::principal::Principal;
use campanile::domain::refusal::Refusal;
use campanile::kv::memory::{self, Disk};
use campanile::kv::{Answer, Counts, Decide, Kv, KvError, KvFuture, Range, Snapshot};
use campanile::service::Service;
use campanile::service::announcements::INLINE;
use campanile::service::clock::Aim;
use campanile::service::principals::Newcomer;
use campanile::service::settings::Settings;
use campanile::store::{Store, collections, keys};
use campanile::system::clock::ManualClock;
use campanile::system::meter::Silent;
use campanile::system::random::SeededRandom;
use chrono::TimeDelta;
use tokio::sync::watch;

use crate::live::{NINE, plain_event};

const CROWD: u64 = 10_000;

/// A store that counts the rows of each commit.
struct Counting {
    kv: Arc<dyn Kv>,
    all: Arc<AtomicUsize>,
    largest: Arc<AtomicUsize>,
}

impl Kv for Counting {
    fn read(&self, keys: Vec<Bytes>) -> KvFuture<'_, Vec<Option<Bytes>>> {
        self.kv.read(keys)
    }

    fn scan(&self, range: Range, limit: usize) -> KvFuture<'_, Vec<(Bytes, Bytes)>> {
        self.kv.scan(range, limit)
    }

    fn commit(&self, reads: Vec<Bytes>, decide: Decide) -> KvFuture<'_, Answer> {
        let (all, largest) = (self.all.clone(), self.largest.clone());
        let counted: Decide = Arc::new(move |seen: &[Option<Bytes>], stamp| {
            let writes = decide(seen, stamp);
            let rows = writes.as_ref().map_or(0, Vec::len);
            all.fetch_add(rows, Ordering::Relaxed);
            largest.fetch_max(rows, Ordering::Relaxed);
            writes
        });
        self.kv.commit(reads, counted)
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

struct Town {
    disk: Disk,
    kv: Arc<dyn Kv>,
    service: Arc<Service>,
    store: Store,
    alice: Principal,
    fair: Address,
    all: Arc<AtomicUsize>,
    largest: Arc<AtomicUsize>,
}

type Parts = (Arc<dyn Kv>, Arc<Service>, Arc<AtomicUsize>, Arc<AtomicUsize>);

async fn service(disk: &Disk) -> Parts {
    let (all, largest): (Arc<AtomicUsize>, Arc<AtomicUsize>) = Default::default();
    let kv = Arc::new(memory::open(disk).expect("it opens"));
    let kv: Arc<dyn Kv> = Arc::new(Counting { kv, all: all.clone(), largest: largest.clone() });
    let clock = Arc::new(ManualClock::at(NINE.parse().expect("an instant")));
    let (random, bus) = (Arc::new(SeededRandom::new(7)), Arc::new(LocalBus::default()));
    let service = Service::new(Store::new(kv.clone()), clock, random, bus, Settings::default(), Arc::new(Silent));
    service.start_relay().await.expect("the relay starts");
    (kv, service, all, largest)
}

impl Town {
    /// Alice's public calendar.
    async fn open() -> Town {
        let disk = Disk::default();
        let (kv, service, all, largest) = service(&disk).await;
        let store = Store::new(kv.clone());
        let newcomer = Newcomer {
            name: "alice".into(),
            email: "alice@example.org".into(),
            display_name: "Alice".into(),
            password: "x".into(),
            timezone: None,
            administrator: false,
        };
        let alice = service.add_user(newcomer).await.expect("a person");
        let fair = Address::new(Kind::Calendar, "alice", "default").expect("an address");
        service.set_public(&alice, &fair, Some(Right::Read)).await.expect("it opens");
        Town { disk, kv, service, store, alice, fair, all, largest }
    }

    /// As many subscriptions as that, without the people: they would all have to be given passwords.
    async fn crowd(&self, number: u64) {
        let source = self.store.collection(&self.fair).await.expect("the store").expect("the fair");
        for slice in (0..number).collect::<Vec<_>>().chunks(1_000) {
            let slice = slice.to_vec();
            let (at, id) = (source.address.clone(), source.id);
            self.store
                .commit::<(), Refusal>(Vec::new(), move |_, stamp| {
                    let mut writes = Vec::new();
                    for n in &slice {
                        let leaf = Address::new(Kind::Calendar, &format!("u{n:05}"), "sub").expect("an address");
                        let made = Collection::new(leaf, Source::Subscribed(at.clone(), id), "Fair", stamp.0);
                        collections::write_new(&mut writes, &made);
                    }
                    Ok((writes, ()))
                })
                .await
                .expect("written");
        }
    }

    async fn rows_of_a_put(&self, uid: &str) -> usize {
        let before = self.all.load(Ordering::Relaxed);
        let place = self.fair.object(&format!("{uid}.ics")).expect("a name");
        let text = plain_event(uid, "20250301T100000Z").into();
        self.service.put(&self.alice, &place, text, Precondition::default()).await.expect("it is taken");
        self.all.load(Ordering::Relaxed) - before
    }

    /// How often subscribers were told this, by what the journal holds.
    async fn told(&self, change: ListChange) -> usize {
        let mut told = 0;
        for shard in 0..keys::SHARDS {
            let (mut stamp, mut part) = (0, 0);
            loop {
                let lines = self.store.journal_after(shard, stamp, part, 1_000).await.expect("the journal");
                let Some(last) = lines.last() else { break };
                (stamp, part) = (last.stamp, last.part);
                told += lines.iter().filter(|entry| is_for_the_crowd(&entry.line.event, change)).count();
            }
        }
        told
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_subscribers_cost_a_change_nothing() {
    let town = Town::open().await;
    town.rows_of_a_put("first").await;
    let alone = town.rows_of_a_put("second").await;
    town.crowd(CROWD).await;
    assert!(alone > 0);
    assert_eq!(town.rows_of_a_put("third").await, alone);

    // Another right is told to each of them once, and no commit holds more than a slice.
    town.largest.store(0, Ordering::Relaxed);
    town.service.set_public(&town.alice, &town.fair, Some(Right::ReadWrite)).await.expect("it opens wider");
    assert!(town.largest.load(Ordering::Relaxed) < 20, "{}", town.largest.load(Ordering::Relaxed));
    while town.service.announce().await.expect("it is told") {}
    assert_eq!(town.told(ListChange::Updated).await, CROWD as usize);
    assert!(town.largest.load(Ordering::Relaxed) <= 2 * INLINE, "{}", town.largest.load(Ordering::Relaxed));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_two_slices_forgets_nobody_and_tells_nobody_twice() {
    for deletes in [false, true] {
        let mut town = Town::open().await;
        town.crowd(2_000).await;
        if deletes {
            town.service.delete_collection(&town.alice, &town.fair).await.expect("it goes");
        } else {
            town.service.set_public(&town.alice, &town.fair, None).await.expect("it closes");
        }
        for _ in 0..3 {
            assert!(town.service.announce().await.expect("a slice"));
        }
        let some = town.told(ListChange::Deleted).await;
        assert!((3 * INLINE..2_000).contains(&some), "{some}");
        // Nobody gets at it meanwhile, told or not.
        let gone = town.service.view(&UserName::new("u01999").expect("a name"), &town.fair).await;
        assert!(matches!(gone, Err(Refusal::Forbidden | Refusal::NotFound)), "{gone:?}");
        town.kv.close().await.expect("it closes");
        (town.kv, town.service, town.all, town.largest) = service(&town.disk).await;
        town.store = Store::new(town.kv.clone());
        town.service.sweep().await.expect("it sweeps");
        // A turn of the clock ends it.
        town.service.turn_clock(Aim::Ahead(TimeDelta::zero())).await.expect("it turns");
        assert_eq!(town.told(ListChange::Deleted).await, 2_000, "deletes: {deletes}");
        assert!(town.largest.load(Ordering::Relaxed) <= 8 * INLINE, "{}", town.largest.load(Ordering::Relaxed));
        let left = town.store.announcements().await.expect("the store");
        assert!(left.is_empty(), "{left:?}");
    }
}

fn is_for_the_crowd(event: &Event, change: ListChange) -> bool {
    matches!(event, Event::ListChanged { user, change: said, .. } if *said == change && user.as_str().starts_with('u'))
}
