//! The month that a day lies in with the days that a rule takes of it, for whoever goes day by day. Knows no clock.

use crate::ical::recur::civil::{before_month, is_leap, month_of, year_of};
use crate::ical::recur::days::Days;

/// One month with its days marked, kept because the day asked about next lies mostly in it.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    first: i64,
    length: i64,
    bits: u32,
}

impl Page {
    /// A page of no month.
    pub fn empty() -> Page {
        Page { first: 0, length: 0, bits: 0 }
    }

    /// Turns to the month of a day.
    #[inline]
    pub fn turn(&mut self, days: &Days, day: i64) {
        if day < self.first || day >= self.first + self.length {
            let (year, place) = year_of(day);
            let leap = is_leap(year);
            let month = month_of(leap, place);
            let begin = before_month(leap, month);
            self.first = day - place + begin;
            self.length = before_month(leap, month + 1) - begin;
            self.bits = days.month(year, month);
        }
    }

    /// Whether a day of this month is taken.
    #[inline]
    pub fn has(&self, day: i64) -> bool {
        self.bits >> (day - self.first) & 1 == 1
    }

    /// The next day that is taken behind a day of this month, or the first of the next month.
    #[inline]
    pub fn next(&self, day: i64) -> i64 {
        match u64::from(self.bits) >> (day - self.first + 1) {
            0 => self.first + self.length,
            rest => day + 1 + i64::from(rest.trailing_zeros()),
        }
    }
}
