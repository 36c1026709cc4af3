//! How often an import is told of while it goes on: the pace decides, not the number of its commits.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use campanile::bus::local::LocalBus;
use campanile::bus::{Bus, Listener, Notice};
use campanile::domain::event::Event;
use campanile::domain::import::{Media, Stand};
use campanile::kv::memory::{self, Disk};
use campanile::service::Service;
use campanile::service::principals::Newcomer;
use campanile::service::settings::Settings;
use campanile::service::uploads::Declared;
use campanile::store::Store;
use campanile::system::clock::ManualClock;
use campanile::system::meter::Silent;
use campanile::system::pace::{ManualPace, Pace};
use campanile::system::random::SeededRandom;

use crate::live::client::PATIENCE;
use crate::live::{NINE, plain_event};

/// Pace that has always gone by.
struct Swift;

impl Pace for Swift {
    fn after(&self, _: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async {})
    }
}

#[derive(Default)]
struct Ear {
    stands: Mutex<Vec<Stand>>,
    changes: Mutex<usize>,
}

impl Listener for Ear {
    fn hear(&self, notice: &Arc<Notice>) {
        match &notice.event {
            Event::Importing { stand, .. } => self.stands.lock().expect("nobody panicked with it").push(*stand),
            Event::Changed { .. } => *self.changes.lock().expect("nobody panicked with it") += 1,
            _ => {}
        }
    }
}

/// How far an import of so many events was told to be, and how often the collection changed.
async fn told(pace: &dyn Pace, events: usize) -> (Vec<Stand>, usize) {
    let kv = Arc::new(memory::open(&Disk::default()).expect("it opens"));
    let clock = Arc::new(ManualClock::at(NINE.parse().expect("an instant")));
    let (random, bus, ear) = (Arc::new(SeededRandom::new(7)), Arc::new(LocalBus::default()), Arc::<Ear>::default());
    bus.attach(ear.clone());
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
    let file: String = (0..events).map(|number| plain_event(&format!("e{number}"), "20250301T100000Z")).collect();
    let declared = Declared { name: "f".into(), media: Media::Calendar, size: file.len() as u64, charset: None };
    let mut incoming = service.begin_upload(&alice).await.expect("a place");
    incoming.write(file.as_bytes()).await.expect("written");
    let file = service.keep_upload(&alice, declared, incoming).await.expect("a file");
    let import = service.ask_import(&alice, &file, ("alice", "default")).await.expect("an import");
    service.work_import(import, pace).await.expect("it ends");
    assert!(service.settle(PATIENCE).await.expect("it settles"));
    let stands = std::mem::take(&mut *ear.stands.lock().expect("nobody panicked with it"));
    let changes = *ear.changes.lock().expect("nobody panicked with it");
    (stands, changes)
}

#[tokio::test]
async fn an_import_is_told_of_as_often_as_the_pace_allows() {
    let (stands, changes) = told(&ManualPace::default(), 1_000).await;
    assert!(changes <= 16, "{changes} changes for 1,000 events");
    let first = Stand { succeeded: 64, failed: 0, done: 64, total: 1_000 };
    assert_eq!(stands, [first], "while no pace goes by, its beginning is all that is told");
    let (stands, again) = told(&Swift, 1_000).await;
    assert_eq!(again, changes);
    // The last commit is followed by the end, which tells as much.
    assert_eq!(stands.len(), changes - 1);
    assert!(stands.windows(2).all(|two| two[0].done < two[1].done), "{stands:?}");
    // What goes in with one commit has no middle.
    assert_eq!(told(&Swift, 3).await.0, []);
}
