//! The starts of any rule, period by period, from a period that is found by division. Knows neither zones nor COUNT nor UNTIL.

use rrule::Frequency;

use crate::ical::recur::budget::{Budget, Exhausted};
use crate::ical::recur::civil::{DAY, END, YEAR_MAX, before_month, is_leap, weekday, year_start};
use crate::ical::recur::mask::Mask;
use crate::ical::recur::page::Page;
use crate::ical::recur::recurrence::Recurrence;

/// The periods of a rule, and the starts within the one that is open. All clocks are seconds since 1970 on the wall.
pub struct Grid<'r> {
    recurrence: &'r Recurrence,
    /// Which period is opened next.
    pub period: i64,
    /// No period is opened that begins here or later.
    to: i64,
    /// The first day of the open period; the second, where the period is one of the clock.
    first: i64,
    /// Its days. A period of the clock is one day for this purpose.
    days: Mask,
    /// Which word of them is walked.
    word: usize,
    /// The day that is walked, and how many of its clock times were given.
    day: i64,
    clock: usize,
    /// What BYSETPOS picks of the open period, and how many of these were given.
    picks: Vec<usize>,
    picked: usize,
    page: Page,
}

impl<'r> Grid<'r> {
    /// Begins with a period; nothing is given yet.
    pub fn new(recurrence: &'r Recurrence, period: i64, to: i64) -> Grid<'r> {
        Grid {
            recurrence,
            period,
            to: to.min(END),
            first: 0,
            days: Mask::default(),
            word: 0,
            day: 0,
            clock: recurrence.clocks.len(),
            picks: Vec::new(),
            picked: 0,
            page: Page::empty(),
        }
    }

    /// The next start.
    #[inline]
    pub fn next(&mut self, budget: &mut Budget) -> Result<Option<i64>, Exhausted> {
        loop {
            if let Some(at) = self.within() {
                budget.spend(1)?;
                return Ok(Some(at));
            }
            budget.spend(1)?;
            if !self.open() {
                return Ok(None);
            }
        }
    }

    /// Opens the next period; false where it begins behind the end. A period that is blocked opens with nothing in it.
    pub fn open(&mut self) -> bool {
        let recurrence = self.recurrence;
        let Some(place) = recurrence.place(self.period) else { return false };
        let days = &recurrence.days;
        self.word = 0;
        self.clock = recurrence.clocks.len();
        match recurrence.rule.freq {
            Frequency::Yearly => {
                if place > YEAR_MAX {
                    return false;
                }
                self.first = year_start(place) * DAY;
                self.days = if self.first < self.to { days.year(place) } else { Mask::default() };
            }
            Frequency::Monthly => {
                let (year, month) = (place.div_euclid(12), place.rem_euclid(12));
                if year > YEAR_MAX {
                    return false;
                }
                self.first = (year_start(year) + before_month(is_leap(year), month)) * DAY;
                self.days = Mask::small(u64::from(days.month(year, month)));
            }
            Frequency::Weekly => {
                if place.saturating_mul(DAY) >= self.to {
                    return false;
                }
                self.first = place * DAY;
                let bits = if days.is_weekly() { days.week(weekday(place)) } else { self.filtered(place, 7) };
                self.days = Mask::small(bits);
            }
            Frequency::Daily => {
                if place.saturating_mul(DAY) >= self.to {
                    return false;
                }
                self.first = place * DAY;
                self.days = Mask::small(if days.is_all() { 1 } else { self.filtered(place, 1) });
            }
            Frequency::Hourly | Frequency::Minutely | Frequency::Secondly => {
                if place >= self.to {
                    return false;
                }
                self.first = place;
                let blocked = self.blocked_until(place);
                self.days = Mask::small(u64::from(blocked.is_none()));
                if let Some(end) = blocked {
                    self.period = (self.period + 1).max(recurrence.period_from(end));
                    self.picks.clear();
                    return true;
                }
            }
        }
        if self.first >= self.to {
            return false;
        }
        self.period += 1;
        if !recurrence.rule.by_set_pos.is_empty() {
            recurrence.picks(self.days.count() * recurrence.clocks.len(), &mut self.picks);
            self.picked = 0;
        }
        true
    }

    /// How many starts the open period has in all.
    #[inline]
    pub fn size(&self) -> usize {
        match self.recurrence.rule.by_set_pos.is_empty() {
            true => self.days.count() * self.recurrence.clocks.len(),
            false => self.picks.len(),
        }
    }

    /// How many starts of the open period lie before a reading. Asked before any is given.
    pub fn rank(&self, reading: i64) -> usize {
        if reading <= self.first {
            return 0;
        }
        let (day, gone) = self.split(reading);
        let today = if self.days.has(day) { gone } else { 0 };
        let before = self.days.before(day) * self.recurrence.clocks.len() + today;
        match self.recurrence.rule.by_set_pos.is_empty() {
            true => before,
            false => self.picks.partition_point(|pick| *pick < before),
        }
    }

    /// Passes over the starts of the open period that lie before a reading.
    pub fn skip(&mut self, reading: i64) {
        if reading <= self.first {
            return;
        }
        if !self.recurrence.rule.by_set_pos.is_empty() {
            self.picked = self.rank(reading);
            return;
        }
        let (day, gone) = self.split(reading);
        let today = self.days.has(day);
        self.days.cut(day);
        if today {
            // This day is walked from within.
            self.days.cut(day + 1);
            self.day = self.first + day * DAY;
            self.clock = gone;
        }
    }

    /// The day of the open period that a reading lies on, and how many clock times lie before it there.
    fn split(&self, reading: i64) -> (i64, usize) {
        let into = reading - self.first;
        let (day, clock) = match self.recurrence.rule.freq {
            Frequency::Hourly | Frequency::Minutely | Frequency::Secondly => (0, into),
            _ => (into.div_euclid(DAY), into.rem_euclid(DAY)),
        };
        (day, self.recurrence.clocks.partition_point(|at| *at < clock))
    }

    #[inline]
    fn within(&mut self) -> Option<i64> {
        let clocks = &self.recurrence.clocks;
        if !self.recurrence.rule.by_set_pos.is_empty() {
            let pick = *self.picks.get(self.picked)?;
            self.picked += 1;
            // Most rules have one clock time a day.
            let (day, clock) = match clocks.len() {
                0 | 1 => (pick, 0),
                length => (pick / length, pick % length),
            };
            return Some(self.first + self.days.nth(day)? * DAY + clocks.get(clock)?);
        }
        if self.clock >= clocks.len() {
            let word = loop {
                let word = self.days.words.get_mut(self.word)?;
                if *word != 0 {
                    break word;
                }
                self.word += 1;
            };
            let bit = i64::from(word.trailing_zeros());
            *word &= *word - 1;
            self.day = self.first + (self.word as i64 * 64 + bit) * DAY;
            self.clock = 0;
        }
        let clock = clocks.get(self.clock)?;
        self.clock += 1;
        Some(self.day + clock)
    }

    fn filtered(&mut self, first: i64, length: i64) -> u64 {
        let mut bits = 0;
        for place in 0..length {
            self.page.turn(&self.recurrence.days, first + place);
            bits |= u64::from(self.page.has(first + place)) << place;
        }
        bits
    }

    /// Where BY parts limit a period of the clock: until when nothing can match.
    fn blocked_until(&mut self, at: i64) -> Option<i64> {
        let rule = &self.recurrence.rule;
        if !self.recurrence.days.is_all() {
            let day = at.div_euclid(DAY);
            self.page.turn(&self.recurrence.days, day);
            if !self.page.has(day) {
                return Some(self.page.next(day) * DAY);
            }
        }
        let lacks = |list: &[i32], value: i64| !list.is_empty() && !list.iter().any(|item| i64::from(*item) == value);
        if lacks(&rule.by_hour, at.rem_euclid(DAY) / 3600) {
            return Some((at.div_euclid(3600) + 1) * 3600);
        }
        if rule.freq >= Frequency::Minutely && lacks(&rule.by_minute, at.rem_euclid(3600) / 60) {
            return Some((at.div_euclid(60) + 1) * 60);
        }
        (rule.freq == Frequency::Secondly && lacks(&rule.by_second, at.rem_euclid(60))).then_some(at + 1)
    }
}
