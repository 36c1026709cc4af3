//! How often a running import is told of: with its first commit, then at most twice a second. What is told is `step.rs`.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use futures_util::FutureExt;

use crate::system::pace::Pace;

/// Between two tellings of one import lies at least so much pace. Commits in between are told with the next.
const REST: Duration = Duration::from_millis(500);

/// Whether it is time to tell how far one import is.
pub(crate) struct Progress<'a> {
    pace: &'a dyn Pace,
    rest: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Progress<'_> {
    pub fn new(pace: &dyn Pace) -> Progress<'_> {
        Progress { pace, rest: None }
    }

    pub fn due(&mut self) -> bool {
        if self.rest.as_mut().is_some_and(|rest| rest.now_or_never().is_some()) {
            self.rest = None;
        }
        self.rest.is_none()
    }

    /// It was told.
    pub fn told(&mut self) {
        self.rest = Some(self.pace.after(REST));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::pace::ManualPace;

    #[test]
    fn an_import_is_told_of_at_once_and_then_twice_a_second() {
        let pace = ManualPace::default();
        let mut progress = Progress::new(&pace);
        assert!(progress.due() && progress.due());
        progress.told();
        for (milliseconds, due) in [(0, false), (499, false), (1, true), (700, true)] {
            pace.pass(Duration::from_millis(milliseconds));
            assert_eq!(progress.due(), due, "{milliseconds} later");
        }
        progress.told();
        assert!(!progress.due());
    }
}
