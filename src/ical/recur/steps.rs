//! The starts that one rule gives, COUNT and DTSTART minded, on the wall clock. Knows no zone, UNTIL or exception.

use crate::ical::recur::budget::{Budget, Exhausted};
use crate::ical::recur::civil::END;
use crate::ical::recur::count;
use crate::ical::recur::grid::Grid;
use crate::ical::recur::recurrence::Recurrence;

/// The starts of a rule from one clock reading up to, but not at, another.
pub struct Steps<'r> {
    start: i64,
    grid: Option<Grid<'r>>,
    /// DTSTART goes first, whether or not its rule gives it.
    first: Option<i64>,
    /// Nothing below it is given by the rule itself.
    floor: i64,
    to: i64,
    /// How many starts COUNT leaves.
    left: Option<u64>,
    /// Whether the first period was opened, which may begin before the window.
    opened: bool,
}

/// The starts of a rule between two clock readings, DTSTART first.
pub fn starts<'r>(recurrence: &'r Recurrence, from: i64, to: i64, budget: &mut Budget) -> Result<Steps<'r>, Exhausted> {
    // Behind all time there is nothing to look for.
    let (start, from) = (recurrence.start, from.min(END));
    let mut steps = Steps { start, grid: None, first: None, floor: from.max(start + 1), to, left: None, opened: false };
    let mut period = if from > start { recurrence.period_of(from).max(0) } else { 0 };
    let mut first = true;
    // What gives nothing has nothing to count but DTSTART.
    if let Some(count) = recurrence.rule.count.filter(|_| !recurrence.never) {
        let mark = count::count_to(recurrence, period, count, budget)?;
        period = mark.period;
        first = mark.before == 0;
        steps.left = Some(count.saturating_sub(mark.before + u64::from(first)));
    }
    steps.first = (first && from <= start && start < to).then_some(start);
    if !recurrence.never {
        steps.grid = Some(Grid::new(recurrence, period, to));
    }
    Ok(steps)
}

/// The same for EXRULE, which takes DTSTART out only where it names it.
pub fn exceptions<'r>(
    recurrence: &'r Recurrence,
    from: i64,
    to: i64,
    budget: &mut Budget,
) -> Result<Steps<'r>, Exhausted> {
    let start = recurrence.start;
    let mut steps = starts(recurrence, from, to, budget)?;
    if steps.first.take().is_some() {
        let mut grid = Grid::new(recurrence, 0, start + 1);
        let named = grid.open() && {
            grid.skip(start);
            grid.next(budget)? == Some(start)
        };
        steps.first = named.then_some(start);
    }
    Ok(steps)
}

/// The last start of a rule with COUNT; `None` where time ends before.
pub fn last(recurrence: &Recurrence, budget: &mut Budget) -> Result<Option<i64>, Exhausted> {
    let Some(count) = recurrence.rule.count else { return Ok(None) };
    if recurrence.never {
        return Ok(Some(recurrence.start));
    }
    let mark = count::count_to(recurrence, i64::MAX, count, budget)?;
    let mut steps = Steps {
        start: recurrence.start,
        grid: Some(Grid::new(recurrence, mark.period, i64::MAX)),
        first: (mark.before == 0).then_some(recurrence.start),
        floor: recurrence.start + 1,
        to: i64::MAX,
        left: Some(count.saturating_sub(mark.before.max(1))),
        opened: false,
    };
    let mut last = None;
    while let Some(at) = steps.next(budget)? {
        last = Some(at);
    }
    Ok(last)
}

impl Steps<'_> {
    /// The next start, in the order of the wall clock.
    #[inline]
    pub fn next(&mut self, budget: &mut Budget) -> Result<Option<i64>, Exhausted> {
        if let Some(first) = self.first.take() {
            budget.spend(1)?;
            return Ok(Some(first));
        }
        if self.left == Some(0) {
            return Ok(None);
        }
        let Some(grid) = &mut self.grid else { return Ok(None) };
        if !self.opened {
            self.opened = true;
            budget.spend(1)?;
            if !grid.open() {
                self.grid = None;
                return Ok(None);
            }
            if let Some(left) = &mut self.left {
                // What COUNT counts before the window is counted, not walked.
                let passed = grid.rank(self.floor) - grid.rank(self.start + 1);
                *left = left.saturating_sub(passed as u64);
                if *left == 0 {
                    return Ok(None);
                }
            }
            grid.skip(self.floor);
        }
        match grid.next(budget)? {
            Some(next) if next < self.to => {
                if let Some(left) = &mut self.left {
                    *left -= 1;
                }
                Ok(Some(next))
            }
            _ => {
                self.grid = None;
                Ok(None)
            }
        }
    }
}
