//! Works through the imports that wait, at the start and whenever one is asked for.

use std::sync::Arc;

use crate::jobs::rest_after;
use crate::service::Service;

pub async fn run(service: Arc<Service>) {
    loop {
        match service.work_imports().await {
            Ok(()) => service.nudges().imports.notified().await,
            // What could not be finished is tried again, without waiting for another import.
            failed => rest_after("imports", failed).await,
        }
    }
}
