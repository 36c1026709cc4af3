//! How often somebody may do something in a minute of pace. Counts in fixed windows; forgets by itself.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::domain::refusal::Refusal;
use crate::system::pace;

const WINDOW: Duration = Duration::from_secs(60);
/// Past this many names the window begins anew for all: a flood of names must not grow the map without end.
const NAMES_MAX: usize = 100_000;

pub struct Rate {
    limit: u32,
    what: &'static str,
    window: Mutex<(Instant, HashMap<String, u32>)>,
}

impl Rate {
    /// `limit` a minute and name; 0 means no limit.
    pub fn new(limit: u32, what: &'static str) -> Rate {
        Rate { limit, what, window: Mutex::new((pace::now(), HashMap::new())) }
    }

    /// Counts one more for `name`, or says when to try again.
    pub fn admit(&self, name: &str) -> Result<(), Refusal> {
        if self.limit == 0 {
            return Ok(());
        }
        let now = pace::now();
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if now.duration_since(window.0) >= WINDOW || window.1.len() >= NAMES_MAX {
            *window = (now, HashMap::new());
        }
        let rest = WINDOW.saturating_sub(now.duration_since(window.0));
        let count = window.1.entry(name.to_owned()).or_default();
        if *count >= self.limit {
            return Err(Refusal::TooOften { limit: self.what, retry_seconds: rest.as_secs() + 1 });
        }
        *count += 1;
        Ok(())
    }
}
