//! The work that one question may cost. Knows not what the work is.

/// Steps that one question may take by default: an instance or an empty period each cost one.
pub const STEPS_DEFAULT: u32 = 50_000;

/// The answer would have cost more than the budget: whoever asked flags the object and rings nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a recurrence costs more than {steps} steps")]
pub struct Exhausted {
    pub steps: u32,
}

/// Counts down; shared by everything that one question causes.
#[derive(Clone, Debug)]
pub struct Budget {
    steps: u32,
    left: u32,
}

impl Budget {
    pub fn new(steps: u32) -> Budget {
        Budget { steps, left: steps }
    }

    #[inline]
    pub fn spend(&mut self, steps: u32) -> Result<(), Exhausted> {
        self.left = self.left.checked_sub(steps).ok_or(Exhausted { steps: self.steps })?;
        Ok(())
    }

    /// How many steps were taken.
    pub fn spent(&self) -> u32 {
        self.steps - self.left
    }
}

impl Default for Budget {
    fn default() -> Budget {
        Budget::new(STEPS_DEFAULT)
    }
}
