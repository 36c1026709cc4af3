//! The use cases, and what every one of them holds. The only door for faces and jobs; knows no wire.

pub mod alarms;
pub mod announcements;
pub mod answers;
pub mod argon;
pub mod arming;
pub mod attempts;
pub mod attendance;
pub mod bearers;
pub mod belfry;
pub mod busy;
pub mod carrying;
pub mod channels;
pub mod clock;
pub mod collections;
pub mod contacts;
pub mod copies;
pub mod crypt;
pub mod deliveries;
pub mod demo;
pub mod devices;
pub mod directory;
pub mod export;
pub mod feeding;
pub mod feeds;
pub mod fetching;
pub mod gathering;
pub mod groups;
pub mod htpasswd;
pub mod importing;
pub mod imports;
pub mod invites;
pub mod issuer;
pub mod jwt;
pub mod ledger;
pub mod login;
pub mod mirrors;
pub mod moving;
pub mod notifications;
pub mod objects;
pub mod occurrences;
pub mod organisations;
pub mod peek;
pub mod people;
pub mod planned;
pub mod post;
pub mod presence;
pub mod principals;
pub mod properties;
pub mod proxies;
pub mod publish;
pub mod queries;
pub mod queues;
pub mod rate;
pub mod relay;
pub mod replan;
pub mod room;
pub mod rung;
pub mod scheduling;
pub mod settings;
pub mod sharing;
pub mod shelf;
pub mod signatures;
pub mod statuses;
pub mod stock;
pub mod sweep;
pub mod sync;
pub mod tickets;
pub mod unpack;
pub mod uploads;
pub mod veil;
pub mod vouched;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use tokio::sync::Notify;

use crate::bus::Bus;
use crate::domain::collection::CollectionId;
use crate::domain::refusal::Refusal;
use crate::kv::{KvError, Stamp};
use crate::service::attendance::Attendance;
use crate::service::belfry::Belfry;
use crate::service::directory::Directory;
use crate::service::fetching::Fetch;
use crate::service::issuer::Elsewhere;
use crate::service::jwt::Trust;
use crate::service::login::Doorkeeper;
use crate::service::post::Post;
use crate::service::queues::Queues;
use crate::service::rate::Rate;
use crate::service::relay::Relay;
use crate::service::settings::Settings;
use crate::service::shelf::Shelves;
use crate::service::uploads::Arrivals;
use crate::store::{Declined, Store, StoreError, Verdict};
use crate::system::clock::Clock;
use crate::system::meter::Meter;
use crate::system::random::{self, Random};
use crate::system::spool::Spool;

/// The service of one node.
pub struct Service {
    store: Store,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    settings: Settings,
    meter: Arc<dyn Meter>,
    relay: Relay,
    belfry: Belfry,
    attendance: Attendance,
    post: Post,
    mails: Rate,
    doorkeeper: Doorkeeper,
    directory: Arc<Directory>,
    queues: Queues,
    elsewhere: OnceLock<Elsewhere>,
    trust: OnceLock<Trust>,
    shelves: Arc<Shelves>,
    fetch: OnceLock<Arc<dyn Fetch>>,
    /// Looks at feeds that people ask for: each is a request to somebody else.
    refreshes: Rate,
    /// Address books that changed, for the feeds that are made of them; each stands here once.
    books: Mutex<BTreeSet<CollectionId>>,
    /// They are taken from there one after another.
    waking: tokio::sync::Mutex<()>,
    nudges: Arc<Nudges>,
    spool: Spool,
    /// One copy of the store at a time.
    copying: Arc<tokio::sync::Mutex<()>>,
    arrivals: Arrivals,
    turning: tokio::sync::Mutex<()>,
    /// The clock is on its way through the instants of a turn.
    passing: AtomicBool,
    /// People are added and removed one after another.
    people: tokio::sync::Mutex<()>,
}

/// Wakes the jobs that wait for something to do.
#[derive(Default)]
pub struct Nudges {
    pub journal: Notify,
    pub due: Notify,
    pub imports: Notify,
    /// Those who wait for the end of an import look again.
    pub imported: Notify,
    pub deliveries: Notify,
    pub scheduling: Notify,
    pub announcements: Notify,
    pub feeds: Notify,
    /// Those who wait for feeds look again.
    pub fed: Notify,
}

impl Service {
    pub fn new(
        store: Store,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        bus: Arc<dyn Bus>,
        settings: Settings,
        meter: Arc<dyn Meter>,
    ) -> Arc<Service> {
        let (post, mails) =
            (Post::new(settings.sinks.at_once), Rate::new(settings.sinks.mails_per_minute, "too many mails"));
        let refreshes = Rate::new(settings.feeds.refreshes_per_minute, "too many looks at feeds");
        let directory = Arc::new(Directory::new(settings.presence.organisation.clone()));
        let doorkeeper = Doorkeeper::new(&settings, &*random);
        let shelves = Arc::new(Shelves::new(settings.reports.index_objects, settings.reports.parsed_bytes));
        let spool = Spool::new(settings.uploads.spool.clone(), &*random);
        Arc::new(Service {
            store,
            relay: Relay::new(bus, clock.clone(), meter.clone()),
            clock,
            random,
            settings,
            meter,
            belfry: Belfry::default(),
            attendance: Attendance::default(),
            post,
            mails,
            doorkeeper,
            directory,
            queues: Queues::default(),
            elsewhere: OnceLock::new(),
            trust: OnceLock::new(),
            shelves,
            fetch: OnceLock::new(),
            refreshes,
            books: Mutex::default(),
            waking: tokio::sync::Mutex::new(()),
            nudges: Arc::default(),
            spool,
            copying: Arc::default(),
            arrivals: Arrivals::default(),
            turning: tokio::sync::Mutex::new(()),
            passing: AtomicBool::new(false),
            people: tokio::sync::Mutex::new(()),
        })
    }

    /// Calendar time.
    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    pub fn random(&self) -> &dyn Random {
        &*self.random
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    pub fn nudges(&self) -> &Nudges {
        &self.nudges
    }

    /// Logs what only the operator should read, under an id that the client is told.
    pub(crate) fn fault(&self, what: &str) -> Refusal {
        let id = random::uuid(&*self.random).simple().to_string();
        tracing::error!(%id, "{what}");
        Refusal::Fault { id }
    }

    /// Commits, then wakes the relay. Every use case writes through here.
    async fn commit<T: 'static>(
        &self,
        reads: Vec<Bytes>,
        decide: impl Fn(&[Option<Bytes>], Stamp) -> Verdict<T, Refusal> + Send + Sync + 'static,
    ) -> Result<(Stamp, T), Refusal> {
        let mut unheard = Unheard { service: self, answered: false };
        let outcome = self.store.commit(reads, decide).await;
        unheard.answered = true;
        match outcome {
            Ok(done) => {
                self.relay.reached(done.0);
                self.nudges.journal.notify_one();
                Ok(done)
            }
            Err(Declined::Refused(refusal)) => Err(refusal),
            Err(Declined::Failed(error)) => Err(error.into()),
        }
    }
}

/// A commit whose caller may go away before it is answered: a client hung up. That does not undo it, so what follows is seen to here.
struct Unheard<'a> {
    service: &'a Service,
    answered: bool,
}

impl Drop for Unheard<'_> {
    fn drop(&mut self) {
        let runtime = if self.answered { None } else { tokio::runtime::Handle::try_current().ok() };
        let Some(runtime) = runtime else { return };
        let (store, nudges, reach) =
            (self.service.store.clone(), self.service.nudges.clone(), self.service.relay.reach());
        runtime.spawn(async move {
            // Commits are answered in their order: when this one is, the other is on disk. Should it be refused, the jobs look in vain.
            if let Ok((stamp, ())) = store.commit::<(), Refusal>(Vec::new(), |_, _| Ok((Vec::new(), ()))).await {
                reach.fetch_max(stamp.0, Ordering::AcqRel);
            }
            let woken = [
                &nudges.journal,
                &nudges.due,
                &nudges.imports,
                &nudges.scheduling,
                &nudges.announcements,
                &nudges.feeds,
            ];
            for nudge in woken {
                nudge.notify_one();
            }
        });
    }
}

impl From<StoreError> for Refusal {
    /// Logs what only the operator should read, under an id that the client is told.
    fn from(error: StoreError) -> Refusal {
        if let StoreError::Kv(KvError::Busy) = error {
            return Refusal::Busy { limit: "the store has too many writes waiting", retry_seconds: 1 };
        }
        let id = random::uuid(&random::SystemRandom).simple().to_string();
        tracing::error!(%id, %error, "the store refused");
        Refusal::Fault { id }
    }
}
