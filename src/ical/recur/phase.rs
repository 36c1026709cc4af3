//! Rules whose periods never fall where their BY parts let them: HOURLY;INTERVAL=24;BYHOUR=5 from six o'clock. Known by division, without a walk.

use chrono::Weekday;
use rrule::{Frequency, NWeekday};

use crate::ical::recur::civil::{DAY, weekday};
use crate::ical::recur::recurrence::Recurrence;

/// Whether no period of a rule ever passes its own BYDAY, BYHOUR, BYMINUTE and BYSECOND. Parts that speak of months and years are not
/// asked: where they alone keep a rule from matching, it is walked.
///
/// Periods lie a fixed stretch of the wall clock apart, on which every day and week is like every other, whatever a zone makes of it. So
/// within a day (a week, with BYDAY) they visit exactly the places that are as far from the first as a multiple of what the stretch and
/// the day have as common divisor.
pub fn misses(recurrence: &Recurrence) -> bool {
    let rule = &recurrence.rule;
    let Some((origin, stride)) = recurrence.stride() else { return false };
    let filters = |list: &[i32], from| rule.freq >= from && !list.is_empty();
    let by_hour = filters(&rule.by_hour, Frequency::Hourly);
    let by_minute = filters(&rule.by_minute, Frequency::Minutely);
    let by_second = filters(&rule.by_second, Frequency::Secondly);
    if !(by_hour || by_minute || by_second || !rule.by_day.is_empty()) {
        return false;
    }
    let days: Vec<i64> = match rule.by_day.is_empty() {
        true => vec![0],
        false => (0..7).filter(|day| rule.by_day.iter().any(|taken| number(taken) == *day)).collect(),
    };
    // Monday is the first day of the week here, as in the numbers of weekdays.
    let monday = |at: i64| weekday(at.div_euclid(DAY)) * DAY + at.rem_euclid(DAY);
    let (round, origin) = if rule.by_day.is_empty() { (DAY, origin) } else { (7 * DAY, monday(origin)) };
    let gap = common(stride, round);
    let hours = places(by_hour, &rule.by_hour, rule.freq >= Frequency::Hourly, 24);
    let minutes = places(by_minute, &rule.by_minute, rule.freq >= Frequency::Minutely, 60);
    let seconds = places(by_second, &rule.by_second, rule.freq >= Frequency::Secondly, 60);
    // At most 7 × 24 × 60 places, and of each the seconds only where they are limited.
    let visited = |day: i64, hour: i64, minute: i64| {
        let missing = (origin - (day * DAY + hour * 3600 + minute * 60)).rem_euclid(gap);
        match by_second {
            true => seconds.iter().any(|second| (second - missing) % gap == 0),
            // Any second of this minute will do, or there is none but the first.
            false => missing < i64::try_from(seconds.len()).unwrap_or(i64::MAX),
        }
    };
    !days.iter().any(|day| hours.iter().any(|hour| minutes.iter().any(|minute| visited(*day, *hour, *minute))))
}

/// The values of a part of the clock that a period may have: those listed, else all where a period is as short as that, else the first.
fn places(limited: bool, list: &[i32], short: bool, all: i64) -> Vec<i64> {
    match (limited, short) {
        (true, _) => list.iter().copied().map(i64::from).collect(),
        (false, true) => (0..all).collect(),
        (false, false) => vec![0],
    }
}

/// The greatest common divisor.
fn common(one: i64, other: i64) -> i64 {
    if other == 0 { one } else { common(other, one % other) }
}

fn number(day: &NWeekday) -> i64 {
    let (NWeekday::Every(day) | NWeekday::Nth(_, day)) = *day;
    let day: Weekday = day;
    i64::from(day.num_days_from_monday())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ical::recur::rule::Rule;
    use chrono::{NaiveDate, NaiveDateTime};

    /// Wednesday, six o'clock and one second.
    fn start() -> NaiveDateTime {
        NaiveDate::from_ymd_opt(2025, 1, 15).and_then(|day| day.and_hms_opt(6, 0, 1)).expect("a time")
    }

    fn never(text: &str) -> bool {
        Recurrence::new(Rule::parse(text).expect("a rule"), start()).never
    }

    #[test]
    fn what_never_falls_into_place_is_known() {
        let rows = [
            ("FREQ=HOURLY;INTERVAL=24;BYHOUR=5", true),
            ("FREQ=HOURLY;INTERVAL=24;BYHOUR=5,6", false),
            ("FREQ=HOURLY;INTERVAL=25;BYHOUR=5", false),
            ("FREQ=HOURLY;INTERVAL=4;BYHOUR=5,7,9", true),
            ("FREQ=HOURLY;INTERVAL=4;BYMINUTE=5", false),
            ("FREQ=MINUTELY;INTERVAL=15;BYMINUTE=5,50", true),
            ("FREQ=MINUTELY;INTERVAL=15;BYMINUTE=5,45", false),
            ("FREQ=MINUTELY;INTERVAL=90;BYHOUR=23;BYMINUTE=0", true),
            ("FREQ=MINUTELY;INTERVAL=90;BYHOUR=0;BYMINUTE=0", false),
            ("FREQ=SECONDLY;INTERVAL=2;BYSECOND=0,30", true),
            ("FREQ=SECONDLY;INTERVAL=7;BYHOUR=1;BYMINUTE=1;BYSECOND=1", false),
            ("FREQ=SECONDLY;INTERVAL=3600;BYMINUTE=1", true),
            ("FREQ=DAILY;INTERVAL=7;BYDAY=TU", true),
            ("FREQ=DAILY;INTERVAL=7;BYDAY=TU,WE", false),
            ("FREQ=DAILY;INTERVAL=14;BYDAY=MO;BYHOUR=9", true),
            ("FREQ=DAILY;INTERVAL=2;BYDAY=MO", false),
            ("FREQ=HOURLY;INTERVAL=84;BYDAY=WE;BYHOUR=18", true),
            ("FREQ=HOURLY;INTERVAL=84;BYDAY=SA;BYHOUR=18", false),
            ("FREQ=DAILY;BYSETPOS=2", true),
            ("FREQ=DAILY;BYHOUR=9,10;BYSETPOS=-2", false),
            ("FREQ=WEEKLY;BYSETPOS=8,-9", true),
            ("FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30", true),
            ("FREQ=SECONDLY", false),
        ];
        for (text, want) in rows {
            assert_eq!(never(text), want, "{text}");
        }
    }
}
