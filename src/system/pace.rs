//! Pace: monotonic time for pings, deadlines, rate limits and back-off. Always real; calendar time never comes from here.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

/// Pace for whoever is tested with it: heart-beats, and what is told at most so often.
pub trait Pace: Send + Sync {
    /// Ends when so much of it has gone by.
    fn after(&self, length: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>>;
}

/// The machine's own.
#[derive(Debug, Default)]
pub struct RealPace;

impl Pace for RealPace {
    fn after(&self, length: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(sleep(length))
    }
}

/// Pace that stands still until somebody lets some of it go by.
#[derive(Clone, Debug, Default)]
pub struct ManualPace {
    gone: Arc<watch::Sender<Duration>>,
}

impl ManualPace {
    /// Lets so much of it go by.
    pub fn pass(&self, length: Duration) {
        self.gone.send_modify(|gone| *gone += length);
    }
}

impl Pace for ManualPace {
    fn after(&self, length: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let mut gone = self.gone.subscribe();
        let until = *self.gone.borrow() + length;
        let kept = Arc::clone(&self.gone);
        Box::pin(async move {
            // The sender is kept here, so the watch cannot end before it is reached.
            let _ = gone.wait_for(|gone| *gone >= until).await;
            drop(kept);
        })
    }
}

/// A point on the monotonic clock.
pub fn now() -> Instant {
    Instant::now()
}

pub async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
}

pub async fn sleep_until(instant: Instant) {
    tokio::time::sleep_until(instant.into()).await;
}

/// Ticks for ever, the first after one period; late ticks are dropped, not caught up.
pub fn ticks(period: Duration) -> tokio::time::Interval {
    let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + period, period);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    ticks
}

/// `None` when the time ran out first.
pub async fn within<T>(duration: Duration, future: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(duration, future).await.ok()
}
