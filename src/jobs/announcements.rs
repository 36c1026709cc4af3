//! Tells crowds of subscribers, at the start and whenever there is something to tell.

use std::sync::Arc;

use crate::jobs::rest_after;
use crate::service::Service;

pub async fn run(service: Arc<Service>) {
    loop {
        match service.announce().await {
            Ok(true) => {}
            Ok(false) => service.nudges().announcements.notified().await,
            failed => rest_after("announcements", failed.map(drop)).await,
        }
    }
}
