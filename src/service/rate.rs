//! How often somebody may do something in a minute of pace. Counts in fixed windows; forgets by itself.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::domain::refusal::Refusal;
use crate::system::pace;

const WINDOW: Duration = Duration::from_secs(60);
/// Names share this many counts, so that a flood of names costs no memory and makes nobody's count begin anew. Who meets whom is a
/// secret of this process: filling somebody's count without their name takes the limit times this many tries a minute.
const COUNTS: usize = 65_536;

pub struct Rate {
    limit: u32,
    what: &'static str,
    hasher: RandomState,
    window: Mutex<Window>,
}

struct Window {
    since: Instant,
    counts: Box<[u32]>,
}

impl Rate {
    /// `limit` a minute and name; 0 means no limit.
    pub fn new(limit: u32, what: &'static str) -> Rate {
        let counts = if limit == 0 { 0 } else { COUNTS };
        let window = Window { since: pace::now(), counts: vec![0; counts].into_boxed_slice() };
        Rate { limit, what, hasher: RandomState::new(), window: Mutex::new(window) }
    }

    /// Whether there is room for one more, without counting it.
    pub fn room(&self, name: &str) -> Result<(), Refusal> {
        self.try_one(name, 0)
    }

    /// Counts one more for `name`, or says when to try again.
    pub fn admit(&self, name: &str) -> Result<(), Refusal> {
        self.try_one(name, 1)
    }

    fn try_one(&self, name: &str, more: u32) -> Result<(), Refusal> {
        let at = self.hasher.hash_one(name) as usize % COUNTS;
        let now = pace::now();
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if now.duration_since(window.since) >= WINDOW {
            window.since = now;
            window.counts.fill(0);
        }
        let rest = WINDOW.saturating_sub(now.duration_since(window.since));
        // Without a limit there are no counts.
        let Some(count) = window.counts.get_mut(at) else { return Ok(()) };
        if *count >= self.limit {
            return Err(Refusal::TooOften { limit: self.what, retry_seconds: rest.as_secs() + 1 });
        }
        *count += more;
        Ok(())
    }
}
