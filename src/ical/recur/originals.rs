//! The starts that a recurring component gives by itself: its rules and RDATE without EXDATE and EXRULE. Knows no override.

use chrono_tz::Tz;

use crate::ical::recur::budget::{Budget, Exhausted};
use crate::ical::recur::civil::DAY;
use crate::ical::recur::lane::Lane;
use crate::ical::recur::reading::{Reading, seconds};
use crate::ical::recur::series::Part;
use crate::ical::time::{Date, End, Time};

/// One start.
#[derive(Clone, Copy, Debug)]
pub struct Original<'o> {
    pub at: i64,
    pub start: Reading<'o>,
    /// Where an RDATE says when its instance ends.
    pub end: Option<i64>,
}

/// The starts of a component in order, each once.
pub struct Originals<'o> {
    form: &'o Time,
    lanes: Vec<Lane<'o>>,
    exlanes: Vec<Lane<'o>>,
    /// DTSTART and RDATE, the last first.
    fixed: Vec<Original<'o>>,
    gone: Exceptions,
}

impl<'o> Originals<'o> {
    /// The starts with `from <= at < to`.
    pub fn new(
        part: &'o Part,
        form: &'o Time,
        window: (i64, i64),
        default: Tz,
        budget: &mut Budget,
    ) -> Result<Originals<'o>, Exhausted> {
        let zone = form.zone(default);
        let first = Reading::of(form);
        let mut fixed = vec![Original { at: first.at(default), start: first, end: None }];
        for date in &part.rdates {
            budget.spend(1)?;
            let (start, end) = match date {
                Date::Time(at) => (Reading::like(at, form), None),
                Date::Period(at, end) => {
                    let start = Reading::of(at);
                    let end = match end {
                        End::After(length) => start.after(start.at(default), *length, default),
                        End::At(end) => Reading::of(end).at(default),
                    };
                    (start, Some(end))
                }
            };
            fixed.push(Original { at: start.at(default), start, end });
        }
        fixed.retain(|original| (window.0..window.1).contains(&original.at));
        // Of several at one instant the first counts, and of ends the first that is given.
        fixed.reverse();
        fixed.sort_by_key(|original| std::cmp::Reverse(original.at));
        let mut originals = Originals {
            form,
            lanes: Vec::new(),
            exlanes: Vec::new(),
            fixed,
            gone: Exceptions::of(part, form, default),
        };
        for recurrence in &part.rules {
            originals.lanes.push(Lane::starts(recurrence, form, &zone, window, budget)?);
        }
        for recurrence in &part.exrules {
            originals.exlanes.push(Lane::exceptions(recurrence, form, &zone, window, budget)?);
        }
        Ok(originals)
    }

    /// The next start.
    #[inline]
    pub fn next(&mut self, budget: &mut Budget) -> Result<Option<Original<'o>>, Exhausted> {
        loop {
            let Some(next) = self.merged(budget)? else { return Ok(None) };
            let mut gone = self.gone.holds(&next);
            for lane in &mut self.exlanes {
                while lane.peek(budget)?.is_some_and(|(at, _)| at < next.at) {
                    lane.next(budget)?;
                }
                gone |= lane.peek(budget)?.is_some_and(|(at, _)| at == next.at);
            }
            if !gone {
                return Ok(Some(next));
            }
        }
    }

    #[inline]
    fn merged(&mut self, budget: &mut Budget) -> Result<Option<Original<'o>>, Exhausted> {
        let mut next: Option<Original<'o>> = None;
        if let [lane] = self.lanes.as_mut_slice()
            && self.fixed.is_empty()
        {
            // The everyday case.
            let form = self.form;
            let original = |(at, local)| Original { at, start: Reading { form, local }, end: None };
            return Ok(lane.next(budget)?.map(original));
        }
        for lane in &mut self.lanes {
            if let Some((at, local)) = lane.peek(budget)?
                && next.is_none_or(|next| at < next.at)
            {
                next = Some(Original { at, start: Reading { form: self.form, local }, end: None });
            }
        }
        if let Some(last) = self.fixed.last()
            && next.is_none_or(|next| last.at < next.at)
        {
            next = Some(*last);
        }
        let Some(mut found) = next else { return Ok(None) };
        for lane in &mut self.lanes {
            if lane.peek(budget)?.is_some_and(|(at, _)| at == found.at) {
                lane.next(budget)?;
            }
        }
        while let Some(original) = self.fixed.pop_if(|original| original.at == found.at) {
            found.end = found.end.or(original.end);
        }
        Ok(Some(found))
    }
}

/// EXDATE in every form.
struct Exceptions {
    instants: Vec<i64>,
    /// EXDATE;VALUE=DATE for a series of times: every instance of that day, on the series' clock.
    days: Vec<i64>,
}

impl Exceptions {
    fn of(part: &Part, form: &Time, default: Tz) -> Exceptions {
        let mut gone = Exceptions { instants: Vec::new(), days: Vec::new() };
        for written in &part.exdates {
            match written {
                Time::Date(day) if !form.is_date() => gone.days.push(seconds((*day).into()).div_euclid(DAY)),
                _ => gone.instants.push(Reading::like(written, form).at(default)),
            }
        }
        gone.instants.sort_unstable();
        gone.days.sort_unstable();
        gone
    }

    fn holds(&self, original: &Original<'_>) -> bool {
        (!self.instants.is_empty() && self.instants.binary_search(&original.at).is_ok())
            || (!self.days.is_empty() && self.days.binary_search(&original.start.local.div_euclid(DAY)).is_ok())
    }
}
