//! The starts of any rule, period by period, from a period that is found by division. Knows neither zones nor COUNT nor UNTIL.

use chrono::{DateTime, Datelike, Days as DayCount, NaiveDate, NaiveDateTime, NaiveTime, Timelike};

use crate::ical::recur::budget::{Budget, Exhausted};
use crate::ical::recur::days::Days;
use crate::ical::recur::rule::{Freq, Rule};

const DAY: i64 = 86_400;

/// The periods of a rule, and the starts within the one that is open. All clocks are seconds since 1970 on the wall.
pub struct Grid<'r> {
    rule: &'r Rule,
    days: Days,
    start: NaiveDateTime,
    /// Which period is opened next; they lie INTERVAL units apart, the first holds DTSTART.
    period: i64,
    /// Starts before it are dropped.
    from: i64,
    /// Seconds that the BY lists of the clock, or DTSTART, add to each base.
    offsets: Vec<i64>,
    /// The days of the open period, or the one hour, minute or second that it is.
    bases: Vec<i64>,
    /// What BYSETPOS picks of the open period; `None` means all.
    picks: Option<Vec<usize>>,
    at: usize,
}

impl<'r> Grid<'r> {
    /// Begins with the period that holds `from`; of that period it gives what lies at or after `floor`.
    pub fn new(rule: &'r Rule, start: NaiveDateTime, from: NaiveDateTime, floor: NaiveDateTime) -> Grid<'r> {
        let mut grid = Grid {
            rule,
            days: Days::new(rule, start),
            start,
            period: 0,
            from: seconds(floor),
            offsets: offsets(rule, start),
            bases: Vec::new(),
            picks: None,
            at: 0,
        };
        if from > start {
            grid.period = grid.period_of(from).max(0);
        }
        grid
    }

    /// How many periods lie before the first that is opened.
    pub fn skipped(&self) -> i64 {
        self.period
    }

    /// The next start before `to`.
    pub fn next(&mut self, to: NaiveDateTime, budget: &mut Budget) -> Result<Option<NaiveDateTime>, Exhausted> {
        loop {
            while let Some(at) = self.within() {
                if at >= self.from {
                    budget.spend(1)?;
                    return Ok(DateTime::from_timestamp(at, 0).map(|at| at.naive_utc()));
                }
            }
            // A year is looked through day by day. At this price a rule that never matches is known to within a budget.
            budget.spend(if self.rule.freq == Freq::Yearly { 4 } else { 1 })?;
            if !self.open(to) {
                return Ok(None);
            }
        }
    }

    fn within(&mut self) -> Option<i64> {
        let index = match &self.picks {
            Some(picks) => *picks.get(self.at)?,
            None => self.at,
        };
        let base = self.bases.get(index / self.offsets.len().max(1))?;
        let offset = self.offsets.get(index % self.offsets.len().max(1))?;
        self.at += 1;
        Some(base + offset)
    }

    /// Opens the next period; false where it begins at or after `to`.
    fn open(&mut self, to: NaiveDateTime) -> bool {
        let steps = i64::from(self.rule.interval);
        self.bases.clear();
        self.at = 0;
        let Some(units) = self.period.checked_mul(steps) else { return false };
        match self.rule.freq {
            Freq::Yearly | Freq::Monthly | Freq::Weekly | Freq::Daily => {
                let Some((first, last)) = self.bounds(units) else { return false };
                if first.and_time(NaiveTime::MIN) >= to {
                    return false;
                }
                self.period += 1;
                self.bases.extend(
                    first
                        .iter_days()
                        .take_while(|day| *day <= last)
                        .filter(|day| self.days.matches(*day))
                        .map(midnight),
                );
                // Rules without BYSETPOS may begin in the midst of a period that was found by division.
                if self.rule.by_set_pos.is_empty() {
                    let gone = self.bases.partition_point(|base| base + DAY <= self.from);
                    self.bases.drain(..gone);
                }
            }
            Freq::Hourly | Freq::Minutely | Freq::Secondly => {
                let unit = unit(self.rule.freq);
                let first = seconds(self.start).div_euclid(unit) * unit;
                let Some(at) = units.checked_mul(unit).and_then(|units| first.checked_add(units)) else { return false };
                if at >= seconds(to) {
                    return false;
                }
                match self.blocked_until(at) {
                    // The next period that does not lie wholly before the end of what blocks this one.
                    Some(end) => {
                        let stride = steps.saturating_mul(unit);
                        self.period = self.period.saturating_add(1).max((end - first + stride - 1).div_euclid(stride));
                    }
                    None => {
                        self.period += 1;
                        self.bases.push(at);
                    }
                }
            }
        }
        self.picks = (!self.rule.by_set_pos.is_empty()).then(|| self.picked());
        true
    }

    fn picked(&self) -> Vec<usize> {
        let length = i64::try_from(self.bases.len() * self.offsets.len()).unwrap_or(i64::MAX);
        let mut picks: Vec<usize> = self
            .rule
            .by_set_pos
            .iter()
            .map(|position| i64::from(*position))
            .map(|position| if position > 0 { position - 1 } else { length + position })
            .filter(|index| (0..length).contains(index))
            .filter_map(|index| usize::try_from(index).ok())
            .collect();
        picks.sort_unstable();
        picks.dedup();
        picks
    }

    /// The first and the last day of the period that lies some units after DTSTART's.
    fn bounds(&self, units: i64) -> Option<(NaiveDate, NaiveDate)> {
        let day = self.start.date();
        match self.rule.freq {
            Freq::Yearly => {
                let year =
                    i32::try_from(i64::from(day.year()).checked_add(units)?).ok().filter(|year| *year <= 9999)?;
                Some((NaiveDate::from_ymd_opt(year, 1, 1)?, NaiveDate::from_ymd_opt(year, 12, 31)?))
            }
            Freq::Monthly => {
                let months = (i64::from(day.year()) * 12 + i64::from(day.month0())).checked_add(units)?;
                let year = i32::try_from(months.div_euclid(12)).ok().filter(|year| *year <= 9999)?;
                let first = NaiveDate::from_ymd_opt(year, u32::try_from(months.rem_euclid(12)).ok()? + 1, 1)?;
                Some((first, first.with_day(u32::from(first.num_days_in_month()))?))
            }
            Freq::Weekly => {
                let first = later(week_of(day, self.rule), units.checked_mul(7)?)?;
                Some((first, later(first, 6)?))
            }
            _ => {
                let day = later(day, units)?;
                Some((day, day))
            }
        }
    }

    /// The number of the last period that begins at or before a clock reading.
    fn period_of(&self, local: NaiveDateTime) -> i64 {
        let (start, day) = (self.start.date(), local.date());
        let units = match self.rule.freq {
            Freq::Yearly => i64::from(day.year() - start.year()),
            Freq::Monthly => {
                i64::from(day.year() - start.year()) * 12 + i64::from(day.month0()) - i64::from(start.month0())
            }
            Freq::Weekly => (week_of(day, self.rule) - week_of(start, self.rule)).num_days().div_euclid(7),
            Freq::Daily => (day - start).num_days(),
            freq => {
                let unit = unit(freq);
                seconds(local).div_euclid(unit) - seconds(self.start).div_euclid(unit)
            }
        };
        units.div_euclid(i64::from(self.rule.interval))
    }

    /// Where BY parts limit a period of the clock: until when nothing can match.
    fn blocked_until(&self, at: i64) -> Option<i64> {
        let clock = DateTime::from_timestamp(at, 0)?.naive_utc();
        let day = clock.date();
        if !self.days.matches(day) {
            let end = match self.days.month_matches(day) {
                // A month of days is looked through at once.
                true => day.iter_days().skip(1).take(31).find(|next| self.days.matches(*next) || next.day() == 1),
                false => day.with_day(1).and_then(|first| first.checked_add_months(chrono::Months::new(1))),
            };
            return Some(end.map_or(i64::MAX / 4, midnight));
        }
        let lacks = |list: &[i32], value: u32| !list.is_empty() && !list.contains(&value.cast_signed());
        if lacks(&self.rule.by_hour, clock.hour()) {
            return Some((at.div_euclid(3600) + 1) * 3600);
        }
        if self.rule.freq <= Freq::Minutely && lacks(&self.rule.by_minute, clock.minute()) {
            return Some((at.div_euclid(60) + 1) * 60);
        }
        (self.rule.freq == Freq::Secondly && lacks(&self.rule.by_second, clock.second())).then_some(at + 1)
    }
}

/// What is added to a day's midnight, or to the hour, minute or second that a period is.
fn offsets(rule: &Rule, start: NaiveDateTime) -> Vec<i64> {
    let given = |list: &[i32], implied: u32| match list {
        [] => vec![i64::from(implied)],
        list => list.iter().copied().map(i64::from).collect(),
    };
    let hours = if rule.freq >= Freq::Daily { given(&rule.by_hour, start.hour()) } else { vec![0] };
    let minutes = if rule.freq >= Freq::Hourly { given(&rule.by_minute, start.minute()) } else { vec![0] };
    let seconds = if rule.freq >= Freq::Minutely { given(&rule.by_second, start.second()) } else { vec![0] };
    let mut offsets = Vec::with_capacity(hours.len() * minutes.len() * seconds.len());
    for hour in &hours {
        for minute in &minutes {
            offsets.extend(seconds.iter().map(|second| hour * 3600 + minute * 60 + second));
        }
    }
    offsets
}

fn unit(freq: Freq) -> i64 {
    match freq {
        Freq::Hourly => 3600,
        Freq::Minutely => 60,
        _ => 1,
    }
}

/// The first day of a day's week.
pub fn week_of(day: NaiveDate, rule: &Rule) -> NaiveDate {
    let into_week = u64::from(day.weekday().days_since(rule.week_start));
    day.checked_sub_days(DayCount::new(into_week)).unwrap_or(day)
}

/// Within the years that can be written.
fn later(day: NaiveDate, days: i64) -> Option<NaiveDate> {
    day.checked_add_days(DayCount::new(u64::try_from(days).ok()?)).filter(|day| day.year() <= 9999)
}

fn midnight(day: NaiveDate) -> i64 {
    seconds(day.and_time(NaiveTime::MIN))
}

fn seconds(local: NaiveDateTime) -> i64 {
    local.and_utc().timestamp()
}
