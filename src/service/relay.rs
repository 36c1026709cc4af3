//! From the journal to the bus: everything that was committed is told once, in order, and what is on its way can be waited for.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::bus::{Bus, Flight, Landing, Notice};
use crate::domain::address::Kind;
use crate::domain::event::Event;
use crate::domain::refusal::Refusal;
use crate::kv::{SCAN_MAX, Stamp};
use crate::service::Service;
use crate::service::rung::on_screen;
use crate::store::journal::Entry;
use crate::store::keys::SHARDS;
use crate::system::clock::Clock;
use crate::system::meter::Meter;
use crate::system::pace;

/// How far the relay has read, and the flight that everything it tells now belongs to.
pub struct Relay {
    bus: Arc<dyn Bus>,
    clock: Arc<dyn Clock>,
    meter: Arc<dyn Meter>,
    cursors: tokio::sync::Mutex<[(u64, u32); SHARDS as usize]>,
    flight: Mutex<(Flight, Landing)>,
    started: AtomicBool,
    /// The largest stamp that was answered: all up to it is on disk, whatever shard it lies in.
    reach: Arc<AtomicU64>,
}

impl Relay {
    pub fn new(bus: Arc<dyn Bus>, clock: Arc<dyn Clock>, meter: Arc<dyn Meter>) -> Relay {
        Relay {
            bus,
            clock,
            meter,
            cursors: tokio::sync::Mutex::new([(0, 0); SHARDS as usize]),
            flight: Mutex::new(Flight::start()),
            started: AtomicBool::new(false),
            reach: Arc::default(),
        }
    }

    /// Notes that a commit was answered.
    pub(crate) fn reached(&self, stamp: Stamp) {
        self.reach.fetch_max(stamp.0, Ordering::AcqRel);
    }

    pub(crate) fn reach(&self) -> Arc<AtomicU64> {
        self.reach.clone()
    }

    /// Hands an event to the bus. For an alarm, answers where it will stand whether anybody heard it.
    pub(crate) fn publish(&self, event: Event, stamp: u64, part: u32, late: bool) -> Option<Arc<AtomicBool>> {
        self.measure(&event);
        let flight = self.flight.lock().unwrap_or_else(PoisonError::into_inner).0.clone();
        let notice = Notice::dated(event, stamp, part, late, flight, self.clock.now());
        let told = notice.told.clone();
        self.bus.publish(notice);
        told
    }

    /// Tells the meter what is published now. EMAIL goes to no sink yet.
    fn measure(&self, event: &Event) {
        self.meter.told(event.name());
        if let Event::Rang { alarm, .. } = event {
            self.meter.late((self.clock.now() - alarm.at).to_std().unwrap_or_default());
            if on_screen(alarm) {
                self.meter.fired(alarm.action.as_str(), "side");
            }
        }
    }

    /// The landing of all that was published up to now; what comes later flies on its own.
    pub(crate) fn landing(&self) -> Settling {
        let mut current = self.flight.lock().unwrap_or_else(PoisonError::into_inner);
        Settling(std::mem::replace(&mut *current, Flight::start()).1)
    }
}

/// What was published and is not yet everywhere.
pub(crate) struct Settling(Landing);

impl Settling {
    /// Ends when it is written or dropped everywhere; `false` when that took too long.
    pub(crate) async fn within(self, patience: Duration) -> bool {
        pace::within(patience, self.0.landed()).await.is_some()
    }
}

impl Service {
    /// Starts the relay behind everything that a former run wrote: nobody who listens now was there then. Armed alarms are another
    /// matter, see `alarms.rs`.
    pub async fn start_relay(&self) -> Result<(), Refusal> {
        // An empty commit's stamp is above all that was written before the store was opened.
        let (stamp, ()) = self.commit(Vec::new(), |_, _| Ok((Vec::new(), ()))).await?;
        let mut cursors = self.relay.cursors.lock().await;
        *cursors = [(stamp.0, 0); SHARDS as usize];
        self.relay.started.store(true, Ordering::Release);
        Ok(())
    }

    /// Tells everything in the journal that was not told yet.
    pub async fn relay(&self) -> Result<(), Refusal> {
        if !self.relay.started.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut cursors = self.relay.cursors.lock().await;
        loop {
            let mut entries: Vec<Entry> = Vec::new();
            let mut more = false;
            let mut read = *cursors;
            // The shards are read one after another. What is committed meanwhile waits for the next round, lest a later shard's change be
            // told before an earlier shard's older one.
            let reach = self.relay.reach.load(Ordering::Acquire);
            for shard in 0..SHARDS {
                let cursor = &mut read[usize::from(shard)];
                let mut page = self.store.journal_after(shard, cursor.0, cursor.1, SCAN_MAX).await?;
                more |= page.len() == SCAN_MAX && page.last().is_some_and(|last| last.stamp <= reach);
                page.retain(|entry| entry.stamp <= reach);
                if let Some(last) = page.last() {
                    *cursor = (last.stamp, last.part);
                }
                entries.extend(page);
            }
            // Alarms wait in the belfry for their instant.
            entries.retain(|entry| entry.line.not_before.is_none());
            entries.sort_by_key(|entry| (entry.stamp, entry.part));
            for entry in entries {
                if let Event::Changed { collection, address, .. } | Event::RightsChanged { collection, address } =
                    &entry.line.event
                    && address.kind() == Kind::AddressBook
                {
                    self.note_book(*collection);
                }
                self.relay.publish(entry.line.event, entry.stamp, entry.part, false);
            }
            // Only now: a round that broke off is read again.
            *cursors = read;
            if !more {
                return Ok(());
            }
        }
    }

    /// How far each shard was told.
    pub(crate) async fn told(&self) -> [(u64, u32); SHARDS as usize] {
        *self.relay.cursors.lock().await
    }

    /// Tells what is in the journal, then waits until every listener has it, or `patience` is over.
    pub async fn settle(&self, patience: Duration) -> Result<bool, Refusal> {
        self.relay().await?;
        Ok(self.relay.landing().within(patience).await)
    }
}
