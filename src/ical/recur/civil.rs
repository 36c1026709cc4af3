//! The Gregorian calendar as day numbers since 1970, with no more arithmetic than rules need. Knows no rule.

/// Seconds of a day on the wall.
pub const DAY: i64 = 86_400;
/// The first reading that cannot be written any more: the year 10000.
pub const END: i64 = 253_402_300_800;
/// The last year that can be written.
pub const YEAR_MAX: i64 = 9999;

/// Days before each month of a year without a leap day.
const BEFORE: [i64; 13] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365];

#[inline]
pub fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

#[inline]
pub fn year_length(year: i64) -> i64 {
    365 + i64::from(is_leap(year))
}

/// The day number of a year's first day.
#[inline]
pub fn year_start(year: i64) -> i64 {
    let past = year - 1;
    // 719,162 days lie between the years 1 and 1970.
    past * 365 + past.div_euclid(4) - past.div_euclid(100) + past.div_euclid(400) - 719_162
}

/// How many days of a year lie before one of its months; months count from 0, and 12 is the whole year.
#[inline]
pub fn before_month(leap: bool, month: i64) -> i64 {
    let days = usize::try_from(month).ok().and_then(|month| BEFORE.get(month)).copied().unwrap_or(365);
    days + i64::from(leap && month > 1)
}

/// The year that a day lies in, and its place there, from 0.
#[inline]
pub fn year_of(day: i64) -> (i64, i64) {
    // 400 years have 146,097 days; the guess is right or one off.
    let mut year = ((day + 719_162) * 400).div_euclid(146_097) + 1;
    let mut start = year_start(year);
    while start > day {
        year -= 1;
        start = year_start(year);
    }
    while start + year_length(year) <= day {
        start += year_length(year);
        year += 1;
    }
    (year, day - start)
}

/// The month that a place in a year lies in, from 0.
#[inline]
pub fn month_of(leap: bool, place: i64) -> i64 {
    // No month is longer than 32 days nor lies more than one on from this guess.
    let guess = place / 32;
    if before_month(leap, guess + 1) <= place { guess + 1 } else { guess }
}

/// Monday is 0. 1970 began on a Thursday.
#[inline]
pub fn weekday(day: i64) -> i64 {
    (day + 3).rem_euclid(7)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use chrono::{Datelike, NaiveDate};

    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        let mut date = NaiveDate::from_ymd_opt(0, 1, 1).unwrap();
        let epoch = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap();
        while date.year() < 10_000 {
            let day = (date - epoch).num_days();
            let (year, place) = year_of(day);
            let month = month_of(is_leap(year), place);
            assert_eq!((year, place), (i64::from(date.year()), i64::from(date.ordinal0())), "{date}");
            assert_eq!(month, i64::from(date.month0()), "{date}");
            assert_eq!(year_start(year) + before_month(is_leap(year), month) + i64::from(date.day0()), day, "{date}");
            assert_eq!(weekday(day), i64::from(date.weekday().num_days_from_monday()), "{date}");
            date = date.succ_opt().unwrap();
        }
        assert_eq!(day_end(), END);
    }

    fn day_end() -> i64 {
        year_start(YEAR_MAX + 1) * DAY
    }
}
