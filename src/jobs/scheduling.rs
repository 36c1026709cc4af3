//! Carries invitations and answers to the homes that they are for, at the start and whenever some are left to be carried.

use std::sync::Arc;

use crate::jobs::rest_after;
use crate::service::Service;

pub async fn run(service: Arc<Service>) {
    loop {
        let outcome = service.carry_all().await;
        let failed = outcome.is_err();
        rest_after("scheduling", outcome).await;
        if !failed {
            service.nudges().scheduling.notified().await;
        }
    }
}
