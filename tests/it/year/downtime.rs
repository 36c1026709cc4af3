//! Alarms whose instant passed unserved: the service was down, the machine slept, the clock stepped. And who waits for whom in a crowd.

use std::sync::Arc;

use bytes::Bytes;
use campanile::domain::address::{Address, Kind};
use campanile::domain::object::Precondition;
use campanile::domain::principal::Principal;
use campanile::service::Service;
use campanile::service::clock::Aim;
use chrono::{DateTime, TimeDelta, Utc};

use crate::year::person;
use crate::year::town::Town;

/// The first of January at this hour.
fn at(hour: i64) -> DateTime<Utc> {
    crate::year::texts::new_year() + TimeDelta::hours(hour)
}

/// An event with an alarm at its start.
fn text(uid: &str, start: i64, end: i64, more: &str) -> Bytes {
    let time = |hour| at(hour).format("%Y%m%dT%H%M%SZ").to_string();
    Bytes::from(format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20250101T000000Z\r\n\
         DTSTART:{}\r\nDTEND:{}\r\nSUMMARY:{uid}\r\n{more}BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:x\r\nTRIGGER:PT0S\r\n\
         END:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
        time(start),
        time(end)
    ))
}

async fn put(service: &Service, who: &Principal, uid: &str, text: Bytes) {
    let home = Address::new(Kind::Calendar, who.name.as_str(), "default").expect("an address");
    let place = home.object(uid).expect("a name");
    service.put(who, &place, text, Precondition::default()).await.expect("it is kept");
}

async fn delete(service: &Service, who: &Principal, uid: &str) {
    let home = Address::new(Kind::Calendar, who.name.as_str(), "default").expect("an address");
    service.delete(who, &home.object(uid).expect("a name"), Precondition::default()).await.expect("it is gone");
}

async fn open() -> (Town, Arc<Service>, Principal) {
    let town = Town::at(at(0));
    let service = town.open(1).await;
    let alice = person(&service, "alice", "UTC").await;
    (town, service, alice)
}

fn late(names: &[&str]) -> Vec<(String, bool)> {
    names.iter().map(|name| ((*name).to_owned(), true)).collect()
}

/// `short` is over and two hours past at half past eleven, `long` goes on until the evening, `fresh` is one hour and a half old.
async fn missed(service: &Service, alice: &Principal) {
    put(service, alice, "short", text("short", 6, 7, "")).await;
    put(service, alice, "long", text("long", 8, 20, "")).await;
    put(service, alice, "fresh", text("fresh", 10, 11, "")).await;
    put(service, alice, "hourly", text("hourly", -50, -49, "RRULE:FREQ=HOURLY;COUNT=62\r\n")).await;
}

const LATE: [&str; 4] = ["long", "hourly", "fresh", "hourly"];

fn half_past_eleven() -> DateTime<Utc> {
    at(11) + TimeDelta::minutes(30)
}

#[tokio::test]
async fn what_was_missed_while_the_service_was_down_rings_late_in_order_and_once() {
    let (town, service, alice) = open().await;
    missed(&service, &alice).await;
    drop(service);
    town.clock.set(half_past_eleven());
    let service = town.open(2).await;
    service.strike().await.expect("it rings");
    let mut heard = town.ears.names();
    // Of one instant either may come first.
    heard[1..].sort();
    let mut want = late(&LATE);
    want[1..].sort();
    assert_eq!(heard, want, "the hourly one at nine is over and more than two hours past");
    drop(service);
    let service = town.open(3).await;
    service.strike().await.expect("it rings");
    assert_eq!(town.ears.names(), []);
}

#[tokio::test]
async fn what_was_armed_before_the_machine_slept_rings_late_or_not_at_all() {
    let (town, service, alice) = open().await;
    missed(&service, &alice).await;
    // Arms twelve hours ahead; then the machine sleeps, or its clock is put right by hours.
    service.strike().await.expect("it arms");
    let now = town.ears.names();
    assert!(now.is_empty(), "{now:?}");
    town.clock.set(half_past_eleven());
    service.strike().await.expect("it rings");
    let heard = town.ears.names();
    let count = |name: &str| heard.iter().filter(|(one, late)| one == name && *late).count();
    assert_eq!((count("short"), count("long"), count("fresh")), (0, 1, 1), "{heard:?}");
    service.strike().await.expect("it rests");
    assert_eq!(town.ears.names(), []);
}

#[tokio::test]
async fn a_clock_that_steps_back_rings_nothing_twice() {
    let (town, service, alice) = open().await;
    put(&service, &alice, "once", text("once", 6, 7, "")).await;
    service.turn_clock(Aim::To(at(6))).await.expect("it turns");
    assert_eq!(town.ears.names(), [("once".to_owned(), false)]);
    // Not turned by hand, but put right underneath the service.
    town.clock.set(at(5));
    service.strike().await.expect("it rests");
    put(&service, &alice, "once", text("once", 6, 7, "LOCATION:Tower\r\n")).await;
    town.clock.set(at(6));
    service.strike().await.expect("it rests");
    assert_eq!(town.ears.names(), [], "it rang, and a write does not make it another alarm");
    // Turned by hand, everything behind the new present lies ahead again.
    service.turn_clock(Aim::To(at(5))).await.expect("it turns");
    service.turn_clock(Aim::To(at(6))).await.expect("it turns");
    assert_eq!(town.ears.names(), [("once".to_owned(), false)]);
}

#[tokio::test]
async fn a_write_before_the_instant_silences_and_one_behind_it_loses_nothing() {
    let (town, service, alice) = open().await;
    for uid in ["kept", "moved", "deleted", "moved-late"] {
        put(&service, &alice, uid, text(uid, 6, 7, "")).await;
    }
    service.strike().await.expect("it arms");
    put(&service, &alice, "moved", text("moved", 9, 10, "")).await;
    delete(&service, &alice, "deleted").await;
    // The instant passes, and before the alarms had their turn somebody writes.
    town.clock.set(at(6) + TimeDelta::seconds(1));
    put(&service, &alice, "kept", text("kept", 6, 7, "LOCATION:Tower\r\n")).await;
    put(&service, &alice, "moved-late", text("moved-late", 9, 10, "")).await;
    service.strike().await.expect("it rings");
    let mut heard = town.ears.names();
    heard.sort();
    assert_eq!(heard, [("kept".to_owned(), false), ("moved-late".to_owned(), false)]);
}

#[tokio::test]
async fn who_has_one_alarm_does_not_wait_for_who_has_five_hundred() {
    let (town, service, alice) = open().await;
    let bob = person(&service, "bob", "UTC").await;
    let puts = (0..500).map(|n| {
        let uid = format!("many{n}");
        let (service, alice) = (&service, &alice);
        async move { put(service, alice, &uid, text(&uid, 6, 7, "")).await }
    });
    futures_util::future::join_all(puts).await;
    put(&service, &bob, "one", text("one", 6, 7, "")).await;
    // One round of arming takes 256 objects: his is among them.
    town.clock.set(at(6));
    service.strike().await.expect("it rings");
    let heard = town.ears.names();
    assert!(heard.len() < 500, "one round: {}", heard.len());
    assert!(heard[..2].iter().any(|(name, _)| name == "one"), "{:?}", &heard[..2]);
}
