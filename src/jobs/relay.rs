//! Tells the journal to the bus as soon as something was committed.

use std::sync::Arc;

use crate::jobs::rest_after;
use crate::service::Service;

pub async fn run(service: Arc<Service>) {
    loop {
        service.nudges().journal.notified().await;
        rest_after("relay", service.relay().await).await;
    }
}
