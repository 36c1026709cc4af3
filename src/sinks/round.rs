//! The round that takes letters to their sinks, many at a time: each attempt within its time, each outcome recorded.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::task::JoinSet;

use crate::domain::channel::Channel;
use crate::domain::delivery::Failure;
use crate::service::Service;
use crate::service::attempts::{Opened, Parcel};
use crate::service::post::Letter;
use crate::sinks::Sink;
use crate::system::pace;

/// Goes on until it is dropped; attempts that are on their way are dropped with it, and made again after the next start.
pub async fn run(service: Arc<Service>, sinks: Vec<Arc<dyn Sink>>, patience: Duration) {
    let sinks: Arc<[Arc<dyn Sink>]> = sinks.into();
    // Bounded by what the post gives out at a time.
    let mut out = JoinSet::new();
    loop {
        for letter in service.letters() {
            out.spawn(attempt(service.clone(), sinks.clone(), letter, patience));
        }
        let next = async {
            match service.next_letter() {
                Some(instant) => pace::sleep_until(instant).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = next => {}
            () = service.nudges().deliveries.notified() => {}
            Some(ended) = out.join_next() => {
                if let Err(error) = ended {
                    // A fault of ours outside the sinks: the row is still there.
                    tracing::error!(%error, "an attempt ended badly; its delivery is made after the next start");
                }
            }
        }
    }
}

async fn attempt(service: Arc<Service>, sinks: Arc<[Arc<dyn Sink>]>, letter: Letter, patience: Duration) {
    match service.open_letter(&letter).await {
        Ok(Opened::Parcel(parcel)) => {
            let outcome = deliver(&sinks, letter.channel, &parcel, patience).await;
            if let Err(failure) = &outcome {
                tracing::info!(id = %letter.id, channel = letter.channel.as_str(), why = ?failure.why, "a delivery failed");
            }
            service.note_attempt(letter, Some(&*parcel), outcome).await;
        }
        Ok(Opened::Idle) => service.note_attempt(letter, None, Ok(())).await,
        Ok(Opened::Hopeless(failure)) => service.note_attempt(letter, None, Err(failure)).await,
        Err(refusal) => service.keep_letter(letter, &refusal),
    }
}

async fn deliver(
    sinks: &[Arc<dyn Sink>],
    channel: Channel,
    parcel: &Parcel,
    patience: Duration,
) -> Result<(), Failure> {
    let Some(sink) = sinks.iter().find(|sink| sink.channel() == channel) else {
        return Err(Failure::lasting(format!("this server does not offer {}", channel.as_str())));
    };
    let late = || Err(Failure::passing(format!("no answer within {} seconds", patience.as_secs())));
    // A sink that panics over one delivery must keep neither its place nor its row for ever.
    let attempt = AssertUnwindSafe(sink.deliver(parcel)).catch_unwind();
    let panicked = |_| Err(Failure::passing("the sink panicked"));
    pace::within(patience, attempt).await.map_or_else(late, |outcome| outcome.unwrap_or_else(panicked))
}
