//! Fills a store for the proofs: people who all have the password `pw`, and events with many alarms. A support program, no test.
#![allow(clippy::expect_used)]

use std::path::PathBuf;
use std::sync::Arc;

use argon2::password_hash::PasswordHasher;
use argon2::{Algorithm, Argon2, Params, Version};
use bytes::Bytes;
use campanile::app;
use campanile::bus::local::LocalBus;
use campanile::config;
use campanile::domain::address::{Address, Kind, UserName};
use campanile::domain::object::Precondition;
use campanile::domain::principal::Principal;
use campanile::kv::{Kv, Writes};
use campanile::service::collections::Face;
use campanile::store::{due, keys, record};
use campanile::system::clock::{Clock, SystemClock};
use campanile::system::meter::Silent;
use chrono::{DateTime, TimeDelta, Utc};
use clap::Parser;
use toml::Value;

/// Writes that wait for the store at the same time.
const TOGETHER: usize = 256;
const ROWS_PER_COMMIT: usize = 1_000;
const ALARMS_PER_EVENT: usize = 10;

#[derive(Parser)]
struct Fill {
    /// Where the store lies
    #[arg(long)]
    data: PathBuf,
    /// sled or redb
    #[arg(long, default_value = "sled")]
    engine: String,
    /// People user0, user1, and so on, each with a calendar `default`
    #[arg(long, default_value_t = 10)]
    users: usize,
    /// Recurring events with ten alarms each, spread over the people
    #[arg(long, default_value_t = 0)]
    events: usize,
    /// Rows of the due queue that there are to be in the end; an event has one, the others are made for the measurement
    #[arg(long, default_value_t = 0)]
    rows: usize,
}

/// All people share one hash that costs next to nothing: logging in is not what the proofs measure.
fn cheap_hash() -> String {
    let params = Params::new(8, 1, 1, None).expect("the least that argon2 takes");
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_with_salt(b"pw", b"the same for all").expect("a hash").to_string()
}

fn event(number: usize, start: DateTime<Utc>) -> String {
    let alarms: String = (0..ALARMS_PER_EVENT)
        .map(|n| {
            let minutes = 5 * (n + 1);
            format!("BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:x\r\nTRIGGER:-PT{minutes}M\r\nEND:VALARM\r\n")
        })
        .collect();
    let start = start.format("%Y%m%dT%H%M%SZ");
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//proofs//EN\r\nBEGIN:VEVENT\r\nUID:e{number}\r\nDTSTAMP:20250101T000000Z\r\n\
         DTSTART:{start}\r\nDURATION:PT1H\r\nRRULE:FREQ=WEEKLY\r\nSUMMARY:Event {number}\r\n{alarms}END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

async fn write(kv: &Arc<dyn Kv>, writes: Writes) {
    kv.commit(Vec::new(), Arc::new(move |_, _| Some(writes.clone()))).await.expect("it is written");
}

#[tokio::main]
async fn main() {
    let fill = Fill::parse();
    let set = vec![
        ("store.path", Value::String(fill.data.to_string_lossy().into_owned()), "--data"),
        ("store.engine", Value::String(fill.engine.clone()), "--engine"),
    ];
    let layers = config::layers(None, Vec::new(), set).expect("known settings");
    let config = config::read(&layers).expect("sound settings");
    let kv = app::open_store(&config).expect("the store opens");
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let service = app::service(kv.clone(), &config, clock.clone(), Arc::new(LocalBus::default()), Arc::new(Silent));
    let hash = cheap_hash();
    let mut calendars = Vec::new();
    for number in 0..fill.users {
        let name = UserName::new(&format!("user{number}")).expect("a name");
        let person = Principal {
            name: name.clone(),
            email: format!("{name}@campanile.example"),
            display_name: name.to_string(),
            password_hash: hash.clone(),
            timezone: None,
            administrator: false,
        };
        calendars.push((Address::new(Kind::Calendar, name.as_str(), "default").expect("an address"), person));
    }
    for some in calendars.chunks(TOGETHER) {
        let writes =
            some.iter().map(|(_, person)| (keys::user(&person.name), Some(record::people::pack_principal(person))));
        write(&kv, writes.collect()).await;
        let making = some.iter().map(|(at, person)| service.make_collection(person, at, Vec::new(), Face::default()));
        for made in futures_util::future::join_all(making).await {
            made.expect("a calendar");
        }
    }
    // Far enough that nothing falls due while it is measured.
    let first = clock.now() + TimeDelta::days(2);
    for some in (0..fill.events).collect::<Vec<_>>().chunks(TOGETHER) {
        let putting = some.iter().map(|number| {
            let (at, person) = &calendars[number % calendars.len()];
            let place = at.object(&format!("e{number}.ics")).expect("a name");
            let text = event(*number, first + TimeDelta::minutes((number % 20_000) as i64));
            let service = &service;
            async move { service.put(person, &place, Bytes::from(text), Precondition::default()).await }
        });
        for put in futures_util::future::join_all(putting).await {
            put.expect("an event");
        }
    }
    let more = fill.rows.saturating_sub(fill.events);
    for some in (0..more).collect::<Vec<_>>().chunks(ROWS_PER_COMMIT) {
        let mut writes = Writes::new();
        for number in some {
            let (at, _) = &calendars[number % calendars.len()];
            let head = service.view(at.user(), at).await.expect("a calendar").source;
            let when = first + TimeDelta::minutes(5 * (number % 25_000) as i64);
            due::write(&mut writes, when, head.id, &format!("e{}.ics", number % fill.events.max(1)));
        }
        write(&kv, writes).await;
    }
    println!("{} people, {} events, {} rows due", fill.users, fill.events, fill.events + more);
    drop(service);
    kv.close().await.expect("it closes");
}
