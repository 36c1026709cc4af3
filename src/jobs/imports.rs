//! Works through the imports that wait, at the start and whenever one is asked for.

use std::sync::Arc;

use crate::jobs::rest_after;
use crate::service::Service;

pub async fn run(service: Arc<Service>) {
    loop {
        rest_after("imports", service.work_imports().await).await;
        service.nudges().imports.notified().await;
    }
}
