//! The use cases, and what every one of them holds. The only door for faces and jobs; knows no wire.

pub mod alarms;
pub mod arming;
pub mod bearers;
pub mod belfry;
pub mod clock;
pub mod collections;
pub mod demo;
pub mod export;
pub mod imports;
pub mod login;
pub mod objects;
pub mod planned;
pub mod principals;
pub mod rate;
pub mod relay;
pub mod replan;
pub mod rung;
pub mod settings;
pub mod sharing;
pub mod sweep;
pub mod sync;
pub mod tickets;
pub mod uploads;

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use tokio::sync::Notify;

use crate::bus::Bus;
use crate::domain::refusal::Refusal;
use crate::kv::{KvError, Stamp};
use crate::service::belfry::Belfry;
use crate::service::login::Doorkeeper;
use crate::service::relay::Relay;
use crate::service::settings::Settings;
use crate::store::{Declined, Store, StoreError, Verdict};
use crate::system::clock::Clock;
use crate::system::random::{self, Random};

/// The service of one node.
pub struct Service {
    store: Store,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    settings: Settings,
    relay: Relay,
    belfry: Belfry,
    doorkeeper: Doorkeeper,
    nudges: Nudges,
    turning: tokio::sync::Mutex<()>,
}

/// Wakes the jobs that wait for something to do.
#[derive(Default)]
pub struct Nudges {
    pub journal: Notify,
    pub due: Notify,
    pub imports: Notify,
}

impl Service {
    pub fn new(
        store: Store,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        bus: Arc<dyn Bus>,
        settings: Settings,
    ) -> Arc<Service> {
        let doorkeeper = Doorkeeper::new(&settings.limits, &*random);
        Arc::new(Service {
            store,
            clock,
            random,
            settings,
            relay: Relay::new(bus),
            belfry: Belfry::default(),
            doorkeeper,
            nudges: Nudges::default(),
            turning: tokio::sync::Mutex::new(()),
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
        let outcome = self.store.commit(reads, decide).await;
        match outcome {
            Ok(done) => {
                self.nudges.journal.notify_one();
                Ok(done)
            }
            Err(Declined::Refused(refusal)) => Err(refusal),
            Err(Declined::Failed(error)) => Err(error.into()),
        }
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
