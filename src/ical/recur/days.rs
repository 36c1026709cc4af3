//! Which days a rule takes, a month or a year at once. RFC 5545 3.3.10, the table of expanding and limiting parts. Knows no clock.

use chrono::{Datelike, NaiveDate, Weekday};
use rrule::{Frequency, NWeekday};

use crate::ical::recur::civil::{before_month, is_leap, weekday, year_length, year_start};
use crate::ical::recur::mask::{Mask, ones, weekdays};
use crate::ical::recur::rule::Rule;

/// The day parts of a rule, with what DTSTART implies written out.
#[derive(Clone, Debug)]
pub struct Days {
    /// January lowest.
    months: u32,
    week_numbers: Vec<i64>,
    year_days: Vec<i64>,
    /// Days of the month counted from the front and from the back, the first lowest; `None` where all are taken.
    month_days: Option<(u32, u32)>,
    /// Weekdays taken without a number, Monday lowest.
    plain: u8,
    /// Numbers with their weekday.
    numbered: Vec<(i64, i64)>,
    /// Whether numbered weekdays count within the year; within the month otherwise.
    in_year: bool,
    week_start: i64,
}

const ALL_MONTHS: u32 = 0xfff;
const ALL_WEEKDAYS: u8 = 0x7f;

impl Days {
    pub fn new(rule: &Rule, start: NaiveDate) -> Days {
        // Numbers mean something in months and years only, and not beside BYWEEKNO; elsewhere the RFC forbids them
        // and the weekday alone is taken.
        let monthly = rule.freq == Frequency::Monthly;
        let counts = (monthly || rule.freq == Frequency::Yearly) && rule.by_week_no.is_empty();
        let (mut plain, mut numbered) = (0, Vec::new());
        for day in &rule.by_day {
            match *day {
                NWeekday::Nth(nth, day) if counts => numbered.push((i64::from(nth), number(day))),
                NWeekday::Nth(_, day) | NWeekday::Every(day) => plain |= 1 << number(day),
            }
        }
        let mut days = Days {
            months: bits(&rule.by_month, |month| month),
            week_numbers: rule.by_week_no.iter().copied().map(i64::from).collect(),
            year_days: rule.by_year_day.iter().copied().map(i64::from).collect(),
            month_days: (!rule.by_month_day.is_empty())
                .then(|| (bits(&rule.by_month_day, |day| day), bits(&rule.by_month_day, |day| -day))),
            plain,
            in_year: !numbered.is_empty() && !monthly && rule.by_month.is_empty(),
            numbered,
            week_start: number(rule.week_start),
        };
        let free = rule.by_day.is_empty() && rule.by_month_day.is_empty() && rule.by_year_day.is_empty();
        let own_day = Some((1 << start.day0(), 0));
        match rule.freq {
            Frequency::Weekly if free => days.plain = 1 << number(start.weekday()),
            Frequency::Yearly if free && !rule.by_week_no.is_empty() => days.plain = 1 << number(start.weekday()),
            Frequency::Monthly if free => days.month_days = own_day,
            Frequency::Yearly if free => {
                days.month_days = own_day;
                if days.months == 0 {
                    days.months = 1 << start.month0();
                }
            }
            _ => {}
        }
        if days.months == 0 {
            days.months = ALL_MONTHS;
        }
        if days.plain == 0 && days.numbered.is_empty() {
            days.plain = ALL_WEEKDAYS;
        }
        days
    }

    /// Whether nothing but weekdays limits the days, so that every week is like every other.
    #[inline]
    pub fn is_weekly(&self) -> bool {
        self.months == ALL_MONTHS
            && self.month_days.is_none()
            && self.numbered.is_empty()
            && self.year_days.is_empty()
            && self.week_numbers.is_empty()
    }

    /// Whether every day is taken.
    #[inline]
    pub fn is_all(&self) -> bool {
        self.plain == ALL_WEEKDAYS && self.is_weekly()
    }

    /// The weekdays taken in seven days of which the first is a given one; `is_weekly` says that there is no more to it.
    #[inline]
    pub fn week(&self, first: i64) -> u64 {
        weekdays(self.plain, first) & 0x7f
    }

    /// The days taken of a month, which counts from 0.
    #[inline]
    pub fn month(&self, year: i64, month: i64) -> u32 {
        let leap = is_leap(year);
        let place = before_month(leap, month);
        let length = before_month(leap, month + 1) - place;
        let bits = self.within_month(month, weekday(year_start(year) + place), length);
        if bits == 0 || !self.is_yearly() { bits } else { bits & self.within_year(year).slice(place, length) }
    }

    /// The days taken of a year.
    pub fn year(&self, year: i64) -> Mask {
        let (leap, first) = (is_leap(year), year_start(year));
        let by_month =
            self.months != ALL_MONTHS || self.month_days.is_some() || !(self.numbered.is_empty() || self.in_year);
        let mut mask = match by_month {
            true => {
                let mut mask = Mask::default();
                let mut months = self.months;
                while months != 0 {
                    let month = i64::from(months.trailing_zeros());
                    months &= months - 1;
                    let place = before_month(leap, month);
                    let length = before_month(leap, month + 1) - place;
                    mask.add(place, self.within_month(month, weekday(first + place), length));
                }
                mask
            }
            false => self.each_week(year, if self.in_year { ALL_WEEKDAYS } else { self.plain }),
        };
        if self.is_yearly() {
            mask.and(&self.within_year(year));
        }
        mask
    }

    /// Whether a part speaks of places in the year.
    #[inline]
    fn is_yearly(&self) -> bool {
        self.in_year || !self.year_days.is_empty() || !self.week_numbers.is_empty()
    }

    /// What the parts say that need to know no more than the month.
    #[inline]
    fn within_month(&self, month: i64, first: i64, length: i64) -> u32 {
        if self.months >> month & 1 == 0 {
            return 0;
        }
        let mut bits = ones(length);
        if let Some((front, back)) = self.month_days {
            // The last day is the lowest bit of `back`, and belongs to where the month ends.
            bits &= front | back.reverse_bits() >> (32 - length);
        }
        if self.plain != ALL_WEEKDAYS && !self.in_year {
            let mut taken = weekdays(self.plain, first) as u32;
            for (nth, day) in &self.numbered {
                taken |= place(*nth, *day, first, length).map_or(0, |place| 1 << place);
            }
            bits &= taken;
        }
        bits
    }

    /// What the other parts say.
    fn within_year(&self, year: i64) -> Mask {
        let length = year_length(year);
        let mut mask = Mask::full(length);
        if !self.year_days.is_empty() {
            let mut days = Mask::default();
            for day in &self.year_days {
                let at = if *day > 0 { day - 1 } else { length + day };
                if (0..length).contains(&at) {
                    days.add(at, 1);
                }
            }
            mask.and(&days);
        }
        if !self.week_numbers.is_empty() {
            mask.and(&self.weeks(year));
        }
        if self.in_year {
            // A list of weekdays is a union of the plain and the numbered.
            let mut days = self.each_week(year, self.plain);
            for (nth, day) in &self.numbered {
                if let Some(at) = place(*nth, *day, weekday(year_start(year)), length) {
                    days.add(at, 1);
                }
            }
            mask.and(&days);
        }
        mask
    }

    fn each_week(&self, year: i64, pattern: u8) -> Mask {
        let mut mask = Mask::full(year_length(year));
        let first = weekday(year_start(year));
        // A word is nine weeks and a day.
        for (word, by) in mask.words.iter_mut().zip(0..) {
            *word &= weekdays(pattern, first + by);
        }
        mask
    }

    /// The weeks of BYWEEKNO. ISO 8601, but weeks may begin on another day; the first days of a year may lie in the
    /// last week of the year before, its last ones in the first of the next.
    fn weeks(&self, year: i64) -> Mask {
        let (one, next, length) = (self.week_one(year), self.week_one(year + 1), year_length(year));
        let weeks = (next + length - one) / 7;
        let past = (one + year_length(year - 1) - self.week_one(year - 1)) / 7;
        let mut mask = Mask::default();
        for wanted in &self.week_numbers {
            let number = if *wanted > 0 { *wanted } else { weeks + 1 + wanted };
            if (1..=weeks).contains(&number) {
                let from = one + 7 * (number - 1);
                mask.set(from.max(0), (from + 7).min(length));
            }
            if *wanted == past || *wanted == -1 {
                mask.set(0, one.max(0));
            }
            let ahead = (self.week_one(year + 2) + year_length(year + 1) - next) / 7;
            if *wanted == 1 || *wanted == -ahead {
                mask.set(next + length, length);
            }
        }
        mask
    }

    /// Where the first week of a year begins: the week that holds its fourth day.
    fn week_one(&self, year: i64) -> i64 {
        let into = (weekday(year_start(year)) - self.week_start).rem_euclid(7);
        if into <= 3 { -into } else { 7 - into }
    }
}

/// Where the nth of a weekday stands in a stretch of days that begins on another.
#[inline]
fn place(nth: i64, day: i64, first: i64, length: i64) -> Option<i64> {
    let at = match nth {
        0.. => (day - first).rem_euclid(7) + 7 * (nth - 1),
        _ => length - 1 - (first + length - 1 - day).rem_euclid(7) + 7 * (nth + 1),
    };
    (0..length).contains(&at).then_some(at)
}

fn number(day: Weekday) -> i64 {
    i64::from(day.num_days_from_monday())
}

/// A bit for each number from 1 to 31 that something makes of the list.
fn bits(list: &[i32], number: impl Fn(i32) -> i32) -> u32 {
    list.iter().map(|item| number(*item)).filter(|n| (1..=31).contains(n)).fold(0, |bits, n| bits | 1 << (n - 1))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::ical::recur::page::Page;

    /// The table of the RFC read day by day, as slowly as it is written.
    fn matches(rule: &Rule, days: &Days, date: NaiveDate) -> bool {
        let (month, front) = (date.month().cast_signed(), date.day().cast_signed());
        let length = i32::from(date.num_days_in_month());
        let (ordinal, year) = (date.ordinal().cast_signed(), year_length(i64::from(date.year())) as i32);
        if days.months >> (month - 1) & 1 == 0 {
            return false;
        }
        if let Some((front_days, back_days)) = days.month_days
            && front_days >> (front - 1) & 1 == 0
            && back_days >> (length - front) & 1 == 0
        {
            return false;
        }
        if !rule.by_year_day.is_empty() && !rule.by_year_day.iter().any(|d| *d == ordinal || *d == ordinal - year - 1) {
            return false;
        }
        if !rule.by_week_no.is_empty() {
            let (week, weeks) = week(date, rule.week_start);
            if !rule.by_week_no.iter().any(|wanted| *wanted == week || *wanted == week - weeks - 1) {
                return false;
            }
        }
        let weekday = number(date.weekday());
        let (front, length) = if days.in_year { (ordinal, year) } else { (front, length) };
        days.plain >> weekday & 1 == 1
            || days.numbered.iter().any(|(nth, day)| {
                let here = if *nth > 0 { (front - 1) / 7 + 1 } else { -((length - front) / 7 + 1) };
                weekday == *day && i64::from(here) == *nth
            })
    }

    /// The number of a day's week, and how many its year has.
    fn week(date: NaiveDate, week_start: Weekday) -> (i32, i32) {
        let fourth = |date: NaiveDate| {
            date - chrono::TimeDelta::days(i64::from(date.weekday().days_since(week_start)))
                + chrono::TimeDelta::days(3)
        };
        let here = fourth(date);
        let number = (here.ordinal0() / 7 + 1).cast_signed();
        let mut last = here;
        while (last + chrono::TimeDelta::days(7)).year() == here.year() {
            last += chrono::TimeDelta::days(7);
        }
        (number, (last.ordinal0() / 7 + 1).cast_signed())
    }

    #[test]
    fn masks_say_what_the_table_says() {
        let rules = [
            "FREQ=YEARLY;BYWEEKNO=1,53,-1,-52;BYDAY=MO,SU",
            "FREQ=YEARLY;BYWEEKNO=20,52,-53;WKST=SU",
            "FREQ=YEARLY;BYWEEKNO=1,-1;BYDAY=MO,TU,WE,TH,FR,SA,SU;WKST=TH",
            "FREQ=YEARLY;BYYEARDAY=1,100,366,-1,-366",
            "FREQ=YEARLY;BYDAY=1MO,-53TU,53WE,20SU,FR",
            "FREQ=YEARLY;BYMONTH=2,11;BYDAY=1MO,-5TU,5WE,SA",
            "FREQ=YEARLY;BYMONTHDAY=-31,-1,29,31;BYDAY=MO,TH",
            "FREQ=YEARLY;BYMONTH=1,12",
            "FREQ=YEARLY",
            "FREQ=MONTHLY;BYDAY=SU,1WE,-5MO,5FR",
            "FREQ=MONTHLY;BYMONTHDAY=13,-30;BYDAY=FR",
            "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=28,29,-28",
            "FREQ=MONTHLY;BYWEEKNO=5,9;BYDAY=TU",
            "FREQ=MONTHLY",
            "FREQ=WEEKLY;BYDAY=TU,2FR;BYMONTH=3,9",
            "FREQ=DAILY;BYYEARDAY=-1,60;BYDAY=WE,TH",
        ];
        let start = NaiveDate::from_ymd_opt(1996, 1, 31).unwrap();
        for text in rules {
            let rule = Rule::parse(text).unwrap();
            let days = Days::new(&rule, start);
            let mut page = Page::empty();
            for year in 1996..2032 {
                let mask = days.year(year);
                let first = NaiveDate::from_yo_opt(year as i32, 1).unwrap();
                for (place, date) in (0..year_length(year)).zip(first.iter_days()) {
                    let wanted = matches(&rule, &days, date);
                    assert_eq!(mask.has(place), wanted, "{text} {date}");
                    let day = year_start(year) + place;
                    page.turn(&days, day);
                    assert_eq!(page.has(day), wanted, "{text} {date}");
                }
            }
        }
    }
}
