//! The starts that one rule gives, COUNT and DTSTART minded, on the wall clock. Knows no zone, UNTIL or exception.

use std::ops::{Bound, RangeBounds};

use chrono::{NaiveDateTime, TimeDelta, Timelike};

use crate::ical::recur::budget::{Budget, Exhausted};
use crate::ical::recur::grid::Grid;
use crate::ical::recur::library::{self, Library};
use crate::ical::recur::rule::{Freq, Rule};

/// The starts of a rule from `from` up to, but not at, `to`.
pub struct Steps<'r> {
    source: Source<'r>,
    start: NaiveDateTime,
    from: NaiveDateTime,
    to: NaiveDateTime,
    /// DTSTART goes first, whether or not its rule gives it.
    first: bool,
    /// The rule's own starts count from here.
    floor: Bound<NaiveDateTime>,
    /// How many starts COUNT leaves.
    left: Option<u64>,
    ended: bool,
}

enum Source<'r> {
    Library(Box<Library>),
    Grid(Box<Grid<'r>>),
    Nothing,
}

/// The starts of a rule between two clock readings, DTSTART first.
pub fn starts(rule: &Rule, start: NaiveDateTime, from: NaiveDateTime, to: NaiveDateTime) -> Steps<'_> {
    // Starts stand on whole seconds, and so do the ends of what is searched; windows may not.
    let to = match to.nanosecond() {
        0 => to,
        _ => to.with_nanosecond(0).and_then(|to| to.checked_add_signed(TimeDelta::seconds(1))).unwrap_or(to),
    };
    // With COUNT the starts before the window must be counted, save where each period has just one.
    let even = rule.is_bare() && rule.freq <= Freq::Weekly;
    let seek = if rule.count.is_none() || even { from } else { start };
    let mut left = rule.count;
    let source = if rule.never() {
        Source::Nothing
    } else if let Some(library) =
        (rule.count.is_none() && library::takes(rule, start)).then(|| Library::new(rule, start, seek, to)).flatten()
    {
        Source::Library(Box::new(library))
    } else {
        // What is counted must be seen, though it lie before the window.
        let floor = if rule.count.is_some() { start } else { seek.max(start) };
        let grid = Grid::new(rule, start, seek, floor);
        if let Some(left) = &mut left {
            *left = left.saturating_sub(u64::try_from(grid.skipped()).unwrap_or(0));
        }
        Source::Grid(Box::new(grid))
    };
    let first = rule.count.is_none() || !matches!(&source, Source::Grid(grid) if grid.skipped() > 0);
    Steps { source, start, from, to, first, floor: Bound::Excluded(start), left, ended: false }
}

/// The same for EXRULE, which takes DTSTART out only where it names it.
pub fn exceptions(rule: &Rule, start: NaiveDateTime, from: NaiveDateTime, to: NaiveDateTime) -> Steps<'_> {
    Steps { first: false, floor: Bound::Included(start), ..starts(rule, start, from, to) }
}

impl Steps<'_> {
    /// The next start, in the order of the wall clock.
    pub fn next(&mut self, budget: &mut Budget) -> Result<Option<NaiveDateTime>, Exhausted> {
        loop {
            if self.left == Some(0) {
                self.ended = true;
                return Ok(None);
            }
            let start = if std::mem::take(&mut self.first) {
                budget.spend(1)?;
                self.start
            } else {
                let next = match &mut self.source {
                    Source::Nothing => None,
                    Source::Grid(grid) => grid.next(self.to, budget)?,
                    Source::Library(library) => {
                        budget.spend(1)?;
                        library.next()
                    }
                };
                match next {
                    Some(next) if (self.floor, Bound::Unbounded).contains(&next) => next,
                    Some(_) => continue,
                    None => {
                        self.ended |= matches!(self.source, Source::Nothing);
                        return Ok(None);
                    }
                }
            };
            if start >= self.to {
                return Ok(None);
            }
            self.left = self.left.map(|left| left - 1);
            if start >= self.from {
                return Ok(Some(start));
            }
        }
    }

    /// Whether the rule has no start after those that were given, in any window.
    pub fn ended(&self) -> bool {
        self.ended
    }
}
