//! Carries invitations and answers to the homes that they are for, at the start and whenever some are left to be carried.

use std::sync::Arc;

use crate::domain::refusal::Refusal;
use crate::jobs::rest_after;
use crate::service::Service;

pub async fn run(service: Arc<Service>) {
    loop {
        let outcome = follow(&service).await;
        let failed = outcome.is_err();
        rest_after("scheduling", outcome).await;
        if !failed {
            service.nudges().scheduling.notified().await;
        }
    }
}

/// Of calendars that are gone it is worked out whom that concerns, then everything is carried.
async fn follow(service: &Service) -> Result<(), Refusal> {
    while service.bury_on().await? {
        service.carry_all().await?;
    }
    service.carry_all().await
}
