//! Calendar time: what alarms, tickets and retention are measured against. The machine's, or one that is turned by hand.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use tokio::sync::watch;

/// The longest single wait before the machine's clock is read again, so that a suspended machine or a corrected clock is noticed.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The one source of `now` for everything that a calendar measures.
pub trait Clock: Send + Sync {
    fn now(&self) -> DateTime<Utc>;

    /// Ends when `now` has reached `instant`.
    fn until(&self, instant: DateTime<Utc>) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;

    /// The clock as one that can be turned, if it is.
    fn manual(&self) -> Option<&ManualClock>;
}

/// The machine's own clock.
#[derive(Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        SystemTime::now().into()
    }

    fn until(&self, instant: DateTime<Utc>) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            while let Ok(rest) = (instant - self.now()).to_std() {
                if rest.is_zero() {
                    break;
                }
                tokio::time::sleep(rest.min(LOOK_AGAIN)).await;
            }
        })
    }

    fn manual(&self) -> Option<&ManualClock> {
        None
    }
}

/// A clock that stands still until somebody turns it.
#[derive(Clone, Debug)]
pub struct ManualClock {
    now: Arc<watch::Sender<DateTime<Utc>>>,
}

impl ManualClock {
    pub fn at(now: DateTime<Utc>) -> ManualClock {
        ManualClock { now: Arc::new(watch::Sender::new(now)) }
    }

    pub fn set(&self, now: DateTime<Utc>) {
        self.now.send_replace(now);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> DateTime<Utc> {
        *self.now.borrow()
    }

    fn until(&self, instant: DateTime<Utc>) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            // The sender lives in self, so the watch cannot end before it is reached.
            let _ = self.now.subscribe().wait_for(|now| *now >= instant).await;
        })
    }

    fn manual(&self) -> Option<&ManualClock> {
        Some(self)
    }
}
