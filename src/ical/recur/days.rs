//! Which days a rule takes. RFC 5545 3.3.10, the table of expanding and limiting parts. Knows no clock.

use chrono::{Datelike, NaiveDate, NaiveDateTime, Weekday};

use crate::ical::recur::rule::{Freq, Rule};

/// The day parts of a rule, with what DTSTART implies written out.
#[derive(Clone, Debug)]
pub struct Days {
    months: Vec<i32>,
    week_numbers: Vec<i32>,
    year_days: Vec<i32>,
    month_days: Vec<i32>,
    /// One bit for each weekday that is taken without a number, Monday lowest.
    plain: u8,
    numbered: Vec<(i32, Weekday)>,
    /// Whether numbered weekdays count within the month; within the year otherwise.
    by_month: bool,
    week_start: Weekday,
}

impl Days {
    pub fn new(rule: &Rule, start: NaiveDateTime) -> Days {
        let weekly = rule.freq == Freq::Weekly;
        let mut days = Days {
            months: rule.by_month.clone(),
            week_numbers: rule.by_week_no.clone(),
            year_days: rule.by_year_day.clone(),
            month_days: rule.by_month_day.clone(),
            plain: 0,
            numbered: Vec::new(),
            by_month: rule.freq == Freq::Monthly || !rule.by_month.is_empty(),
            week_start: rule.week_start,
        };
        // Numbers mean something in months and years only, and not beside BYWEEKNO; elsewhere the RFC forbids them
        // and the weekday alone is taken.
        let counts = matches!(rule.freq, Freq::Monthly | Freq::Yearly) && rule.by_week_no.is_empty();
        for by_day in &rule.by_day {
            match by_day.nth {
                nth if nth != 0 && counts => days.numbered.push((nth, by_day.day)),
                _ => days.plain |= bit(by_day.day),
            }
        }
        let free = rule.by_day.is_empty() && rule.by_month_day.is_empty() && rule.by_year_day.is_empty();
        if free {
            match rule.freq {
                _ if weekly || (rule.freq == Freq::Yearly && !rule.by_week_no.is_empty()) => {
                    days.plain = bit(start.weekday());
                }
                Freq::Monthly => days.month_days = vec![day_of(start)],
                Freq::Yearly => {
                    days.month_days = vec![day_of(start)];
                    if days.months.is_empty() {
                        days.months = vec![start.month().cast_signed()];
                    }
                }
                _ => {}
            }
        }
        days
    }

    pub fn month_matches(&self, day: NaiveDate) -> bool {
        self.months.is_empty() || self.months.contains(&day.month().cast_signed())
    }

    pub fn matches(&self, day: NaiveDate) -> bool {
        if !self.month_matches(day) {
            return false;
        }
        if !self.month_days.is_empty() {
            let (from_front, from_back) = (day_of(day), day_of(day) - month_length(day) - 1);
            if !self.month_days.iter().any(|wanted| *wanted == from_front || *wanted == from_back) {
                return false;
            }
        }
        if !self.year_days.is_empty() {
            let from_front = day.ordinal().cast_signed();
            let from_back = from_front - year_length(day.year()) - 1;
            if !self.year_days.iter().any(|wanted| *wanted == from_front || *wanted == from_back) {
                return false;
            }
        }
        if !self.week_numbers.is_empty() {
            let (number, weeks) = week(day, self.week_start);
            if !self.week_numbers.iter().any(|wanted| *wanted == number || *wanted == number - weeks - 1) {
                return false;
            }
        }
        // A list of weekdays is a union of the plain and the numbered.
        (self.plain == 0 && self.numbered.is_empty())
            || self.plain & bit(day.weekday()) != 0
            || self.numbered.iter().any(|(nth, weekday)| {
                let (front, length) = match self.by_month {
                    true => (day_of(day), month_length(day)),
                    false => (day.ordinal().cast_signed(), year_length(day.year())),
                };
                let nth_here = if *nth > 0 { (front - 1) / 7 + 1 } else { -((length - front) / 7 + 1) };
                day.weekday() == *weekday && nth_here == *nth
            })
    }
}

fn bit(day: Weekday) -> u8 {
    1 << day.num_days_from_monday()
}

fn day_of(day: impl Datelike) -> i32 {
    day.day().cast_signed()
}

fn month_length(day: NaiveDate) -> i32 {
    i32::from(day.num_days_in_month())
}

fn year_length(year: i32) -> i32 {
    if NaiveDate::from_yo_opt(year, 366).is_some() { 366 } else { 365 }
}

/// The number of a day's week, and how many weeks that week's year has. ISO 8601, but weeks may begin on another day.
fn week(day: NaiveDate, week_start: Weekday) -> (i32, i32) {
    let into_week = day.weekday().days_since(week_start).cast_signed();
    // A week belongs to the year that holds its fourth day.
    let mut fourth = day.ordinal().cast_signed() - into_week + 3;
    let mut year = day.year();
    if fourth < 1 {
        year -= 1;
        fourth += year_length(year);
    } else if fourth > year_length(year) {
        fourth -= year_length(year);
        year += 1;
    }
    let number = (fourth - 1) / 7 + 1;
    // Fourth days stand seven days apart, so the last one of the year tells how many there are.
    let last_fourth = fourth + (year_length(year) - fourth) / 7 * 7;
    (number, (last_fourth - 1) / 7 + 1)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn weeks_are_numbered_as_iso_does() {
        let mut day = NaiveDate::from_ymd_opt(1999, 1, 1).unwrap();
        for _ in 0..12_000 {
            let (number, weeks) = week(day, Weekday::Mon);
            assert_eq!(number.cast_unsigned(), day.iso_week().week(), "{day}");
            let last = NaiveDate::from_ymd_opt(day.iso_week().year(), 12, 28).unwrap();
            assert_eq!(weeks.cast_unsigned(), last.iso_week().week(), "{day}");
            day = day.succ_opt().unwrap();
        }
    }
}
