//! Works through the imports that wait, at the start and whenever one is asked for: one of each person at a time, so that nobody's large
//! file holds up another's small one.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::task::{Id, JoinSet};

use crate::domain::address::UserName;
use crate::domain::refusal::Refusal;
use crate::jobs::rest_after;
use crate::service::Service;
use crate::system::pace::Pace;

/// Imports that are worked on at the same time; each holds the index of its file in memory. More wait.
const AT_ONCE: usize = 2;

pub async fn run(service: Arc<Service>, pace: Arc<dyn Pace>) {
    // Dropped with this job, and what it runs with it: the next start goes on from each import's last commit.
    let mut working: JoinSet<Result<(), Refusal>> = JoinSet::new();
    let mut whose: HashMap<Id, UserName> = HashMap::new();
    loop {
        match service.imports_waiting().await {
            Ok(waiting) => {
                for import in waiting {
                    if whose.len() < AT_ONCE && !whose.values().any(|user| *user == import.user) {
                        let (service, pace, user) = (service.clone(), pace.clone(), import.user.clone());
                        let started = working.spawn(async move { service.work_import(import, &*pace).await });
                        whose.insert(started.id(), user);
                    }
                }
            }
            failed => {
                rest_after("imports", failed.map(drop)).await;
                continue;
            }
        }
        tokio::select! {
            () = service.nudges().imports.notified() => {}
            Some(ended) = working.join_next_with_id() => match ended {
                Ok((id, outcome)) => {
                    whose.remove(&id);
                    // What could not be finished is tried again, without waiting for another import.
                    rest_after("imports", outcome).await;
                }
                Err(panicked) => {
                    whose.remove(&panicked.id());
                    rest_after("imports", Err(Refusal::Fault { id: panicked.to_string() })).await;
                }
            },
        }
    }
}
