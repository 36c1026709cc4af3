//! A rule with its DTSTART, worked out once: its periods, which days and clock times they hold. Walks nothing.

use chrono::{NaiveDateTime, Timelike};
use rrule::Frequency;

use crate::ical::recur::civil::{DAY, is_leap, month_of, weekday, year_of};
use crate::ical::recur::count::Marks;
use crate::ical::recur::days::Days;
use crate::ical::recur::phase;
use crate::ical::recur::rule::Rule;

/// A rule that begins somewhere. All clocks are seconds since 1970 on the wall.
#[derive(Clone, Debug)]
pub struct Recurrence {
    pub rule: Rule,
    pub start: i64,
    pub days: Days,
    /// What the BY lists of the clock, or DTSTART, add to a day's midnight or to the hour, minute or second that a
    /// period is. In order.
    pub clocks: Vec<i64>,
    /// How many starts each period has, where that is always the same.
    pub even: Option<u64>,
    /// Where COUNT was seen to stand.
    pub marks: Marks,
    /// Whether it gives nothing, ever, beside DTSTART: then nobody need look for it.
    pub never: bool,
    origin: Origin,
}

/// The period that holds DTSTART.
#[derive(Clone, Copy, Debug)]
struct Origin {
    year: i64,
    /// Months since the year 0.
    month: i64,
    /// The first day of its week.
    week: i64,
    day: i64,
    /// The beginning of its hour, minute or second.
    unit: i64,
}

impl Recurrence {
    pub fn new(rule: Rule, start: NaiveDateTime) -> Recurrence {
        let at = start.and_utc().timestamp();
        let day = at.div_euclid(DAY);
        let (year, place) = year_of(day);
        let unit = unit(rule.freq);
        let origin = Origin {
            year,
            month: year * 12 + month_of(is_leap(year), place),
            week: week_of(day, &rule),
            day,
            unit: at.div_euclid(unit) * unit,
        };
        let days = Days::new(&rule, start.date());
        let clocks = clocks(&rule, start);
        let marks = Marks::default();
        let mut recurrence = Recurrence { rule, start: at, days, clocks, even: None, marks, never: false, origin };
        recurrence.even = recurrence.each();
        recurrence.never = recurrence.rule.never() || recurrence.picks_nothing() || phase::misses(&recurrence);
        recurrence
    }

    /// The wall clock of the period that holds DTSTART, and how far the periods lie apart, in seconds; `None` where these are not all alike.
    pub fn stride(&self) -> Option<(i64, i64)> {
        let interval = i64::from(self.rule.interval);
        match self.rule.freq {
            Frequency::Yearly | Frequency::Monthly | Frequency::Weekly => None,
            Frequency::Daily => Some((self.origin.day * DAY, interval * DAY)),
            freq => Some((self.origin.unit, interval * unit(freq))),
        }
    }

    /// Whether BYSETPOS asks for places that no period has.
    fn picks_nothing(&self) -> bool {
        let days: usize = match self.rule.freq {
            Frequency::Yearly => 366,
            Frequency::Monthly => 31,
            Frequency::Weekly => 7,
            _ => 1,
        };
        let most = days * self.clocks.len();
        let beyond = |place: &i32| usize::try_from(place.unsigned_abs()).is_ok_and(|place| place > most);
        !self.rule.by_set_pos.is_empty() && self.rule.by_set_pos.iter().all(beyond)
    }

    /// The number of the last period that begins at or before a clock reading; DTSTART's is 0.
    pub fn period_of(&self, reading: i64) -> i64 {
        let (origin, day) = (&self.origin, reading.div_euclid(DAY));
        let units = match self.rule.freq {
            Frequency::Yearly => year_of(day).0 - origin.year,
            Frequency::Monthly => {
                let (year, place) = year_of(day);
                year * 12 + month_of(is_leap(year), place) - origin.month
            }
            Frequency::Weekly => (week_of(day, &self.rule) - origin.week) / 7,
            Frequency::Daily => day - origin.day,
            freq => {
                let unit = unit(freq);
                reading.div_euclid(unit) - origin.unit / unit
            }
        };
        units.div_euclid(i64::from(self.rule.interval))
    }

    /// Where a period lies: its year, its month since the year 0, or its first day or second. `None` behind all time.
    #[inline]
    pub fn place(&self, period: i64) -> Option<i64> {
        let units = period.checked_mul(i64::from(self.rule.interval))?;
        match self.rule.freq {
            Frequency::Yearly => self.origin.year.checked_add(units),
            Frequency::Monthly => self.origin.month.checked_add(units),
            Frequency::Weekly => self.origin.week.checked_add(units.checked_mul(7)?),
            Frequency::Daily => self.origin.day.checked_add(units),
            freq => self.origin.unit.checked_add(units.checked_mul(unit(freq))?),
        }
    }

    /// The first period of the clock that does not lie wholly before a reading.
    pub fn period_from(&self, reading: i64) -> i64 {
        let stride = i64::from(self.rule.interval) * unit(self.rule.freq);
        (reading - self.origin.unit + stride - 1).div_euclid(stride)
    }

    /// Which places BYSETPOS picks of so many, in order.
    pub fn picks(&self, length: usize, picks: &mut Vec<usize>) {
        picks.clear();
        for position in &self.rule.by_set_pos {
            let place = usize::try_from(position.unsigned_abs()).unwrap_or(usize::MAX);
            let index = if *position > 0 { place.checked_sub(1) } else { length.checked_sub(place) };
            picks.extend(index.filter(|index| *index < length));
        }
        picks.sort_unstable();
        picks.dedup();
    }

    fn each(&self) -> Option<u64> {
        let days = match self.rule.freq {
            Frequency::Weekly if self.days.is_weekly() => self.days.week(0).count_ones() as usize,
            Frequency::Weekly | Frequency::Monthly | Frequency::Yearly => return None,
            _ if !self.days.is_all() => return None,
            Frequency::Daily => 1,
            _ if !self.rule.by_hour.is_empty() => return None,
            Frequency::Hourly => 1,
            _ if !self.rule.by_minute.is_empty() => return None,
            Frequency::Minutely => 1,
            _ if !self.rule.by_second.is_empty() => return None,
            _ => 1,
        };
        let length = days * self.clocks.len();
        if self.rule.by_set_pos.is_empty() {
            return Some(length as u64);
        }
        let mut picks = Vec::new();
        self.picks(length, &mut picks);
        Some(picks.len() as u64)
    }
}

fn clocks(rule: &Rule, start: NaiveDateTime) -> Vec<i64> {
    let given = |list: &[i32], implied: u32| match list {
        [] => vec![i64::from(implied)],
        list => list.iter().copied().map(i64::from).collect(),
    };
    // `Frequency` runs from years to seconds.
    let hours = if rule.freq <= Frequency::Daily { given(&rule.by_hour, start.hour()) } else { vec![0] };
    let minutes = if rule.freq <= Frequency::Hourly { given(&rule.by_minute, start.minute()) } else { vec![0] };
    let seconds = if rule.freq <= Frequency::Minutely { given(&rule.by_second, start.second()) } else { vec![0] };
    let mut clocks = Vec::with_capacity(hours.len() * minutes.len() * seconds.len());
    for hour in &hours {
        for minute in &minutes {
            clocks.extend(seconds.iter().map(|second| hour * 3600 + minute * 60 + second));
        }
    }
    clocks
}

/// Seconds of a period of the clock; 1 for others.
fn unit(freq: Frequency) -> i64 {
    match freq {
        Frequency::Hourly => 3600,
        Frequency::Minutely => 60,
        _ => 1,
    }
}

/// The first day of a day's week.
fn week_of(day: i64, rule: &Rule) -> i64 {
    day - (weekday(day) - i64::from(rule.week_start.num_days_from_monday())).rem_euclid(7)
}
