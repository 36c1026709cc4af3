//! Loops that run by themselves, each over one use case. They decide when, never what.

pub mod announcements;
pub mod due;
pub mod feeds;
pub mod imports;
pub mod relay;
pub mod scheduling;
pub mod sweep;

use std::time::Duration;

use crate::domain::refusal::Refusal;
use crate::system::pace;

/// How long a job waits after a failure before it tries again.
const BACK_OFF: Duration = Duration::from_secs(1);

/// Logs what a round came to; after a failure the next one waits.
async fn rest_after(job: &'static str, outcome: Result<(), Refusal>) {
    if let Err(refusal) = outcome {
        tracing::error!(job, %refusal, "a round failed");
        pace::sleep(BACK_OFF).await;
    }
}
