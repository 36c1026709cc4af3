//! Sleeps until the head of the due queue is near, then has it armed and rung; a nudge wakes it when a nearer row was written.

use std::sync::Arc;

use crate::jobs::rest_after;
use crate::service::Service;

pub async fn run(service: Arc<Service>) {
    loop {
        let look = match service.set_look().await {
            Ok(look) => look,
            Err(refusal) => {
                rest_after("due", Err(refusal)).await;
                continue;
            }
        };
        let waiting = async {
            match look {
                Some(instant) => service.clock().until(instant).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = waiting => rest_after("due", service.strike().await).await,
            () = service.nudges().due.notified() => {}
        }
    }
}
