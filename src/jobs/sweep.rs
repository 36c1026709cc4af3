//! Sweeps by a cron schedule of calendar time. Overdue many times in one turn of the clock, it still runs once.

use std::sync::Arc;

use cron::Schedule;

use crate::jobs::rest_after;
use crate::service::Service;

pub async fn run(service: Arc<Service>, schedule: Schedule) {
    loop {
        // `config check` refuses a schedule without a next time, so this ends only with the calendar.
        let Some(next) = schedule.after(&service.now()).next() else { return };
        service.clock().until(next).await;
        rest_after("sweep", service.sweep().await).await;
    }
}
