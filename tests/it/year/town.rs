//! The service of the simulated year: on a disk that survives, with a power line that can be cut at any commit, and an ear on the bus.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use campanile::bus::local::LocalBus;
use campanile::bus::{Bus, Listener, Notice};
use campanile::domain::event::Event;
use campanile::kv::Range;
use campanile::kv::engine::{Engine, Fault, Line};
use campanile::kv::memory::{Disk, Memory};
use campanile::kv::writer::GroupKv;
use campanile::service::Service;
use campanile::service::settings::{Alarms, Settings};
use campanile::store::Store;
use campanile::system::clock::ManualClock;
use campanile::system::meter::Silent;
use campanile::system::random::SeededRandom;
use chrono::{DateTime, Utc};

use crate::year::model::{Key, LATE_SECONDS, key};

/// How far ahead `strike` arms here: far enough that writes, zones and crashes fall between arming and ringing.
const ARM_AHEAD_SECONDS: i64 = 43_200;
/// No fuse burns so long.
const NEVER: i64 = i64::MAX / 2;

/// Counts down the commits until the power is cut.
#[derive(Default)]
pub struct Fuse {
    left: AtomicI64,
    /// Whether the batch at which it is cut reached the disk: its caller does not know.
    kept: AtomicBool,
}

impl Fuse {
    pub fn light(&self, commits: usize, kept: bool) {
        self.kept.store(kept, Ordering::Relaxed);
        self.left.store(commits as i64, Ordering::Relaxed);
    }

    pub fn douse(&self) {
        self.left.store(NEVER, Ordering::Relaxed);
    }
}

/// An engine behind the fuse.
struct Powered {
    engine: Memory,
    fuse: Arc<Fuse>,
}

impl Engine for Powered {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Fault> {
        self.engine.get(key)
    }

    fn scan(&self, range: &Range, limit: usize) -> Result<Vec<(Bytes, Bytes)>, Fault> {
        self.engine.scan(range, limit)
    }

    fn apply(&self, batch: &[Line]) -> Result<(), Fault> {
        if self.fuse.left.fetch_sub(1, Ordering::Relaxed) > 0 {
            return self.engine.apply(batch);
        }
        if self.fuse.kept.load(Ordering::Relaxed) {
            self.engine.apply(batch)?;
        }
        Err("the power is cut".into())
    }

    fn group_bytes_max(&self) -> usize {
        self.engine.group_bytes_max()
    }

    fn disk_bytes(&self) -> u64 {
        self.engine.disk_bytes()
    }
}

/// Writes down every alarm that rings, in order.
#[derive(Default)]
pub struct Ears {
    heard: Mutex<Vec<(Key, bool)>>,
}

impl Ears {
    pub fn count(&self) -> usize {
        self.heard.lock().unwrap().len()
    }

    pub fn from(&self, mark: usize) -> Vec<Key> {
        self.heard.lock().unwrap()[mark..].iter().map(|(key, _)| key.clone()).collect()
    }

    /// The objects that rang since this was last asked, by name, each with whether it was said to be late.
    pub fn names(&self) -> Vec<(String, bool)> {
        let heard = std::mem::take(&mut *self.heard.lock().unwrap());
        let name = |place: &str| place.rsplit('/').next().unwrap_or_default().to_owned();
        heard.iter().map(|((place, ..), late)| (name(place), *late)).collect()
    }
}

impl Listener for Ears {
    fn hear(&self, notice: &Arc<Notice>) {
        if let Event::Rang { user, alarm } = &notice.event {
            assert_eq!(user, alarm.object.collection().user(), "nobody shares anything here");
            self.heard.lock().unwrap().push((key(alarm), notice.late));
        }
    }
}

/// What survives a crash.
pub struct Town {
    pub disk: Disk,
    pub fuse: Arc<Fuse>,
    pub ears: Arc<Ears>,
    pub clock: Arc<ManualClock>,
}

impl Town {
    pub fn at(now: DateTime<Utc>) -> Town {
        let clock = Arc::new(ManualClock::at(now));
        Town { disk: Disk::default(), fuse: Arc::default(), ears: Arc::default(), clock }
    }

    /// The service as `app` starts it, without listeners and jobs: the test turns the clock itself.
    pub async fn open(&self, seed: u64) -> Arc<Service> {
        self.fuse.douse();
        let engine = Powered { engine: Memory::open(&self.disk).expect("nobody else has it"), fuse: self.fuse.clone() };
        let kv = GroupKv::open(Box::new(engine)).expect("it opens");
        let bus = Arc::new(LocalBus::default());
        bus.attach(self.ears.clone());
        let settings = Settings {
            alarms: Alarms {
                require_accepted: false,
                arm_ahead_seconds: ARM_AHEAD_SECONDS,
                late_seconds: LATE_SECONDS,
            },
            ..Settings::default()
        };
        let random = Arc::new(SeededRandom::new(seed));
        let service =
            Service::new(Store::new(Arc::new(kv)), self.clock.clone(), random, bus, settings, Arc::new(Silent));
        service.start_relay().await.expect("the relay starts");
        service.start_belfry().await.expect("the belfry opens");
        service
    }
}
