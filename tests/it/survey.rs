//! A survey of a store finds nothing in a sound one, and each way in which rows can fail to fit.

use std::sync::Arc;

use bytes::Bytes;
use campanile::bus::local::LocalBus;
use campanile::domain::address::{Address, Kind};
use campanile::domain::object::Precondition;
use campanile::kv::memory::{self, Disk};
use campanile::kv::{Decide, Kv, Range, SCAN_MAX};
use campanile::service::Service;
use campanile::service::principals::Newcomer;
use campanile::service::settings::Settings;
use campanile::store::survey::Survey;
use campanile::store::{Store, keys};
use campanile::system::clock::ManualClock;
use campanile::system::meter::Silent;
use campanile::system::random::SeededRandom;

use crate::live::event;

/// A store with one person and one event that rings, twice written.
async fn filled() -> Arc<dyn Kv> {
    let kv: Arc<dyn Kv> = Arc::new(memory::open(&Disk::default()).expect("it opens"));
    let clock = Arc::new(ManualClock::at("2025-01-15T09:00:00Z".parse().expect("an instant")));
    let (random, bus) = (Arc::new(SeededRandom::new(7)), Arc::new(LocalBus::default()));
    let service = Service::new(Store::new(kv.clone()), clock, random, bus, Settings::default(), Arc::new(Silent));
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
    let place = Address::new(Kind::Calendar, "alice", "default").and_then(|at| at.object("e.ics")).expect("a name");
    for start in ["20250301T100000Z", "20250302T100000Z"] {
        let text = event("e", start, 15).into();
        service.put(&alice, &place, text, Precondition::default()).await.expect("it is taken");
    }
    kv
}

/// The first row of a family.
async fn first(kv: &dyn Kv, family: &str) -> (Bytes, Bytes) {
    let mut range = Range::prefix(&[]);
    loop {
        let rows = kv.scan(range.clone(), SCAN_MAX).await.expect("a page");
        if let Some(row) = rows.iter().find(|(key, _)| keys::family(key) == Some(family)) {
            return row.clone();
        }
        range = range.after(&rows.last().unwrap_or_else(|| panic!("no {family}")).0);
    }
}

async fn write(kv: &dyn Kv, key: Bytes, value: Option<Bytes>) {
    let decide: Decide = Arc::new(move |_, _| Some(vec![(key.clone(), value.clone())]));
    kv.commit(Vec::new(), decide).await.expect("written");
}

#[tokio::test]
async fn what_does_not_fit_together_is_found() {
    let kv = filled().await;
    let sound = Survey::take(kv.snapshot().expect("a snapshot")).expect("a survey");
    assert_eq!((sound.found, sound.findings.len()), (0, 0), "{:?}", sound.findings);
    assert_eq!(sound.objects, 1);
    // A row of each family goes, or is spoilt.
    for (family, spoilt, says) in [
        ("user", false, "nobody has that name"),
        ("collection", true, "a collection record cannot be read"),
        ("collection at", false, "nothing leads to it by its number"),
        ("object", false, "a UID leads to e.ics"),
        ("object", true, "record cannot be read"),
        ("body", false, "bytes of an object are missing in /calendars/alice/default"),
        ("uid", false, "e.ics: its UID does not lead to it"),
        ("due", false, "e.ics is to ring, and does not stand in the queue"),
    ] {
        let kv = filled().await;
        let (key, _) = first(&*kv, family).await;
        write(&*kv, key, spoilt.then(|| Bytes::from_static(b"\xFF\xFF\xFF"))).await;
        let survey = Survey::take(kv.snapshot().expect("a snapshot")).expect("a survey");
        let found = survey.findings.iter().any(|finding| finding.contains(says));
        assert!(found && survey.found > 0, "{family}: no {says:?} in {:?}", survey.findings);
    }
    // Rows that belong to nothing.
    for (family, says) in
        [("due", "knows nothing of it"), ("body", "bytes of no object"), ("object", "is in no collection")]
    {
        let kv = filled().await;
        let (key, value) = first(&*kv, family).await;
        let mut stray = key.to_vec();
        // The collection's number: behind the shard and the instant in the queue, else behind the family.
        let number = if family == "due" { 1 + 1 + 8 } else { 1 };
        stray[number + 7] ^= 0x55;
        write(&*kv, Bytes::from(stray), Some(value)).await;
        let survey = Survey::take(kv.snapshot().expect("a snapshot")).expect("a survey");
        assert!(survey.findings.iter().any(|finding| finding.contains(says)), "{family}: {:?}", survey.findings);
    }
}
