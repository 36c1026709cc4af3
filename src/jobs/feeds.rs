//! Looks at feeds when they are due, by calendar time, some at the same time. What one look does stands in the service.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use cron::Schedule;
use tokio::task::{Id, JoinSet};

use crate::domain::address::UserName;
use crate::domain::feed::{Feed, Pace};
use crate::domain::refusal::Refusal;
use crate::jobs::rest_after;
use crate::service::Service;
use crate::service::feeding::Next;
use crate::service::feeds::FOLLOWS_DAYS;

/// When a feed whose schedule has no next time, or is no longer configured, is looked at again.
const NEVER_DAYS: i64 = 366;

/// `schedules` are the operator's, by the names of their feeds, each with the zone that it is read in.
pub async fn run(service: Arc<Service>, schedules: HashMap<String, (Schedule, Tz)>, at_once: usize) {
    let next: Arc<Next> = Arc::new(move |feed: &Feed, now| after(&schedules, feed, now));
    // Dropped with this job, and what it runs with it: a feed stays due until its run has ended.
    let mut working: JoinSet<Result<(), Refusal>> = JoinSet::new();
    let mut whose: HashMap<Id, (UserName, String)> = HashMap::new();
    loop {
        // Looked up first: what a turn of the clock makes due after this is for the end of that turn.
        let now = service.now();
        // As many as could begin, should all that are under way stand before them; and one that says how long to wait.
        let due = match service.look_at_feeds(whose.len() + at_once + 1).await {
            Ok(due) => due,
            failed => {
                rest_after("feeds", failed.map(drop)).await;
                continue;
            }
        };
        let mut later = None;
        for (at, user, id) in due {
            if at > now {
                later = Some(at);
                break;
            }
            let one = (user, id);
            if whose.len() < at_once && !whose.values().any(|other| *other == one) {
                let (service, next, (user, id)) = (service.clone(), next.clone(), one.clone());
                let started = working.spawn(async move { service.run_feed(&user, &id, &*next).await });
                whose.insert(started.id(), one);
            }
        }
        let waiting = async {
            match later {
                Some(at) => service.clock().until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = waiting => {}
            () = service.nudges().feeds.notified() => {}
            Some(ended) = working.join_next_with_id() => match ended {
                Ok((id, outcome)) => {
                    whose.remove(&id);
                    rest_after("feeds", outcome).await;
                }
                Err(panicked) => {
                    whose.remove(&panicked.id());
                    rest_after("feeds", Err(Refusal::Fault { id: panicked.to_string() })).await;
                }
            },
        }
    }
}

/// When a feed is due again.
fn after(schedules: &HashMap<String, (Schedule, Tz)>, feed: &Feed, now: DateTime<Utc>) -> DateTime<Utc> {
    let days = |days| now + TimeDelta::days(days);
    match &feed.pace {
        Pace::Every { seconds, .. } => now + TimeDelta::seconds((*seconds).into()),
        Pace::Follows => days(FOLLOWS_DAYS),
        Pace::Cron { .. } => {
            let next = schedules.get(&feed.id).and_then(|(schedule, zone)| {
                schedule.after(&now.with_timezone(zone)).next().map(|next| next.with_timezone(&Utc))
            });
            next.unwrap_or_else(|| days(NEVER_DAYS))
        }
    }
}
