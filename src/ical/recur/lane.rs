//! One rule of a series as instants: the zone, gaps and UNTIL minded. Knows neither RDATE nor exceptions.

use std::collections::VecDeque;

use crate::ical::recur::budget::{Budget, Exhausted};
use crate::ical::recur::civil::DAY;
use crate::ical::recur::reading::seconds;
use crate::ical::recur::recurrence::Recurrence;
use crate::ical::recur::rule::Until;
use crate::ical::recur::steps::{self, Steps};
use crate::ical::spans::Span;
use crate::ical::time::Time;
use crate::ical::zone::Zone;

/// An instant, and the clock reading that it is made of.
pub type Beat = (i64, i64);

/// The instants of a rule in order, each once.
pub struct Lane<'o> {
    steps: Steps<'o>,
    zone: Zone,
    /// The span of the last reading: in it an instant is one subtraction away.
    span: Span,
    from: i64,
    /// The last instant.
    until: i64,
    /// Around a gap, where the order of the clock is not that of time.
    held: VecDeque<Beat>,
    ahead: Option<i64>,
    /// What comes next, once somebody looked: nothing is walked before it is wanted.
    head: Option<Option<Beat>>,
}

/// Which question a lane answers: what a rule gives, or what EXRULE takes away.
type Question<'o> = fn(&'o Recurrence, i64, i64, &mut Budget) -> Result<Steps<'o>, Exhausted>;

impl<'o> Lane<'o> {
    /// The instants with `from <= at < to`, those of DTSTART's rule.
    pub fn starts(
        recurrence: &'o Recurrence,
        form: &Time,
        zone: &Zone,
        window: (i64, i64),
        budget: &mut Budget,
    ) -> Result<Lane<'o>, Exhausted> {
        Lane::new(steps::starts, recurrence, form, zone, window, budget)
    }

    /// The same of an EXRULE.
    pub fn exceptions(
        recurrence: &'o Recurrence,
        form: &Time,
        zone: &Zone,
        window: (i64, i64),
        budget: &mut Budget,
    ) -> Result<Lane<'o>, Exhausted> {
        Lane::new(steps::exceptions, recurrence, form, zone, window, budget)
    }

    fn new(
        question: Question<'o>,
        recurrence: &'o Recurrence,
        form: &Time,
        zone: &Zone,
        (from, to): (i64, i64),
        budget: &mut Budget,
    ) -> Result<Lane<'o>, Exhausted> {
        let mut high = highest(zone, to);
        let mut until = None;
        if let Some(written) = &recurrence.rule.until {
            high = high.min(last_reading(written, form, zone).saturating_add(1));
            // Near a change of the clock two readings may be one instant, so an UNTIL in UTC is compared as such.
            until = (written.utc && !form.is_date()).then(|| seconds(written.local));
        }
        let steps = question(recurrence, lowest(zone, from), high, budget)?;
        let until = until.unwrap_or(i64::MAX).min(to - 1);
        let none = Span { from: 0, to: 0, gap: 0, offset: 0 };
        Ok(Lane { steps, zone: zone.clone(), span: none, from, until, held: VecDeque::new(), ahead: None, head: None })
    }

    /// The next instant, which stays.
    pub fn peek(&mut self, budget: &mut Budget) -> Result<Option<Beat>, Exhausted> {
        if self.head.is_none() {
            self.head = Some(self.next(budget)?);
        }
        Ok(self.head.flatten())
    }

    /// The next instant.
    #[inline]
    pub fn next(&mut self, budget: &mut Budget) -> Result<Option<Beat>, Exhausted> {
        if let Some(head) = self.head.take() {
            return Ok(head);
        }
        loop {
            match self.beat(budget)? {
                Some((at, _)) if at < self.from || at > self.until => {}
                beat => return Ok(beat),
            }
        }
    }

    #[inline]
    fn beat(&mut self, budget: &mut Budget) -> Result<Option<Beat>, Exhausted> {
        if let Some(beat) = self.held.pop_front() {
            return Ok(Some(beat));
        }
        let local = match self.ahead.take() {
            Some(local) => local,
            None => match self.steps.next(budget)? {
                Some(local) => local,
                None => return Ok(None),
            },
        };
        if !self.span.holds(local) {
            self.span = self.zone.span(local);
        }
        if local < self.span.gap {
            return Ok(Some((local - self.span.offset, local)));
        }
        self.hold(local, budget)?;
        Ok(self.held.pop_front())
    }

    /// A reading in a gap is an instant behind it: all readings up to the last such instant are put in order at once.
    fn hold(&mut self, local: i64, budget: &mut Budget) -> Result<(), Exhausted> {
        let end = self.span.to + (self.span.to - self.span.gap);
        let mut beats = vec![(local - self.span.offset, local)];
        while let Some(local) = self.steps.next(budget)? {
            if local >= end {
                self.ahead = Some(local);
                break;
            }
            beats.push((local - self.zone.span(local).offset, local));
        }
        beats.sort_by_key(|(at, _)| *at);
        beats.dedup_by_key(|(at, _)| *at);
        self.held = beats.into();
        Ok(())
    }
}

/// No reading behind it passes UNTIL. RFC 5545 wants UNTIL in the form of DTSTART; Outlook and Google do not.
fn last_reading(until: &Until, form: &Time, zone: &Zone) -> i64 {
    match form {
        Time::Date(_) => seconds(until.local.date().into()) + DAY - 1,
        _ if until.utc => highest(zone, seconds(until.local)),
        _ => seconds(until.last_local()),
    }
}

/// No reading below it is at or after the instant: near a change the smaller offset counts.
fn lowest(zone: &Zone, at: i64) -> i64 {
    at.saturating_add(zone.offset(at).min(zone.offset(at.saturating_sub(DAY))))
}

/// No reading at or above it is before the instant.
fn highest(zone: &Zone, at: i64) -> i64 {
    at.saturating_add(zone.offset(at).max(zone.offset(at.saturating_sub(DAY))))
}
