//! COUNT without a walk from DTSTART: how many starts lie before a period, remembered every few periods. Knows no zone.

use std::sync::{Mutex, PoisonError};

use crate::ical::recur::budget::{Budget, Exhausted};
use crate::ical::recur::grid::Grid;
use crate::ical::recur::recurrence::Recurrence;

/// How many starts lie before a period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    pub period: i64,
    /// DTSTART counts, whether or not its rule gives it.
    pub before: u64,
    /// How many periods were opened to know it.
    opened: u64,
}

/// Periods between two marks at first: walking so many costs less than a microsecond.
const STRIDE: u64 = 16;
/// Marks that one rule keeps; at the bound every other goes, and the next ones lie twice as far apart.
const MARKS_MAX: usize = 64;
/// Periods that are counted at the price of one step.
const PERIODS_A_STEP: u64 = 64;

/// What one rule knows of its count; shared by all who ask it, forgotten with the object.
#[derive(Debug, Default)]
pub struct Marks(Mutex<Kept>);

#[derive(Clone, Debug, Default)]
struct Kept {
    marks: Vec<Mark>,
    /// Strides are doubled so often.
    doubled: u32,
}

impl Clone for Marks {
    fn clone(&self) -> Marks {
        Marks(Mutex::new(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()))
    }
}

impl Marks {
    /// The last mark at or before a period and before a count is reached.
    fn last(&self, period: i64, count: u64) -> Option<Mark> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let next = kept.marks.partition_point(|mark| mark.period <= period && mark.before < count);
        kept.marks.get(next.checked_sub(1)?).copied()
    }

    fn note(&self, mark: Mark) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let far = kept.marks.last().map_or(0, |last| last.opened) + (STRIDE << kept.doubled.min(40));
        if mark.opened < far {
            return;
        }
        kept.marks.push(mark);
        if kept.marks.len() == MARKS_MAX {
            let mut odd = false;
            kept.marks.retain(|_| {
                odd = !odd;
                !odd
            });
            kept.doubled += 1;
        }
    }
}

/// Goes towards a period as long as the count is not reached in what is passed. The price is that of the way from
/// DTSTART, marks or not: so an answer does not hang on what was asked before.
pub fn count_to(recurrence: &Recurrence, period: i64, count: u64, budget: &mut Budget) -> Result<Mark, Exhausted> {
    let begin = Mark { period: 0, before: 1, opened: 0 };
    if period <= 0 || count <= 1 {
        return Ok(Mark { before: 0, ..begin });
    }
    let mut grid = Grid::new(recurrence, 0, i64::MAX);
    let mut mark = match recurrence.marks.last(period, count) {
        Some(mark) => mark,
        None => {
            // Of DTSTART's own period counts what lies behind DTSTART.
            if !grid.open() {
                return Ok(Mark { before: 0, ..begin });
            }
            let own = (grid.size() - grid.rank(recurrence.start + 1)) as u64;
            if 1 + own >= count {
                return Ok(Mark { before: 0, ..begin });
            }
            Mark { period: grid.period, before: 1 + own, opened: 1 }
        }
    };
    budget.spend(u32::try_from(mark.opened / PERIODS_A_STEP).unwrap_or(u32::MAX))?;
    if let Some(even) = recurrence.even {
        // Not one period may be passed in which the count is reached.
        let most = (count - mark.before).saturating_sub(1).checked_div(even).unwrap_or(u64::MAX);
        let steps = most.min(u64::try_from(period - mark.period).unwrap_or(0));
        mark.before += steps * even;
        mark.period += i64::try_from(steps).unwrap_or(0);
        return Ok(mark);
    }
    grid.period = mark.period;
    while grid.period < period {
        let passed = grid.period;
        if !grid.open() {
            break;
        }
        let before = mark.before + grid.size() as u64;
        if before >= count {
            return Ok(Mark { period: passed, ..mark });
        }
        mark = Mark { period: grid.period, before, opened: mark.opened + 1 };
        if mark.opened % PERIODS_A_STEP == 0 {
            budget.spend(1)?;
        }
        recurrence.marks.note(mark);
    }
    Ok(mark)
}
