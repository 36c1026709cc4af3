//! Pace: monotonic time for pings, deadlines, rate limits and back-off. Always real; calendar time never comes from here.

use std::time::{Duration, Instant};

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
