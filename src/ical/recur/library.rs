//! The rrule crate behind a fence: it expands the everyday rules that it is right about. The only file that names it.

use chrono::{Datelike, Days, NaiveDateTime, TimeDelta};

use crate::ical::recur::grid::week_of;
use crate::ical::recur::rule::{Freq, Rule};

/// Whether the crate may have a rule. It walks a hundred thousand empty periods unseen, loses parts of mixed or far
/// BYDAY lists, of week numbers and of clocks, and holds a whole period in memory: so it gets rules of days whose
/// every period has a start, and no more.
pub fn takes(rule: &Rule, start: NaiveDateTime) -> bool {
    let clocks = [&rule.by_hour, &rule.by_minute, &rule.by_second];
    let rare = [&rule.by_week_no, &rule.by_year_day, &rule.by_set_pos];
    if rule.freq < Freq::Daily
        || u16::try_from(rule.interval).is_err()
        || clocks.into_iter().chain(rare).any(|list| !list.is_empty())
    {
        return false;
    }
    let numbered = rule.by_day.iter().filter(|day| day.nth != 0).count();
    let same_kind = numbered == 0 || numbered == rule.by_day.len();
    let near = rule.by_day.iter().all(|day| day.nth.abs() <= 4);
    let every_month = |day: i32| day.abs() <= 28;
    match rule.freq {
        Freq::Daily | Freq::Weekly => {
            let limited = !rule.by_month.is_empty() || !rule.by_month_day.is_empty();
            let daily_days = rule.freq == Freq::Daily && !rule.by_day.is_empty();
            !limited && numbered == 0 && (!daily_days || rule.interval == 1)
        }
        Freq::Monthly => match (rule.by_day.as_slice(), rule.by_month_day.as_slice()) {
            _ if !rule.by_month.is_empty() => false,
            ([], []) => every_month(start.day().cast_signed()),
            ([], days) => days.iter().all(|day| every_month(*day)),
            (_, []) => same_kind && near,
            _ => false,
        },
        _ => match (rule.by_day.as_slice(), rule.by_month_day.as_slice()) {
            ([], []) => every_month(start.day().cast_signed()),
            ([], days) => !rule.by_month.is_empty() && days.iter().all(|day| every_month(*day)),
            (_, []) => !rule.by_month.is_empty() && same_kind && near,
            _ => false,
        },
    }
}

/// The starts of a rule from a period on; clocks are carried as if they were UTC.
pub struct Library {
    starts: rrule::RRuleSetIter,
    from: NaiveDateTime,
}

impl Library {
    /// `None` where the crate will not have the rule after all.
    pub fn new(rule: &Rule, start: NaiveDateTime, from: NaiveDateTime, to: NaiveDateTime) -> Option<Library> {
        let anchor = anchor(rule, start, from.max(start))?;
        // UNTIL must not lie before the start.
        let until = to.max(anchor).checked_sub_signed(TimeDelta::seconds(1))?.max(anchor);
        let mut written = rrule::RRule::new(match rule.freq {
            Freq::Yearly => rrule::Frequency::Yearly,
            Freq::Monthly => rrule::Frequency::Monthly,
            Freq::Weekly => rrule::Frequency::Weekly,
            _ => rrule::Frequency::Daily,
        })
        .interval(u16::try_from(rule.interval).ok()?)
        .week_start(rule.week_start)
        .until(until.and_utc().with_timezone(&rrule::Tz::UTC));
        let mut days: Vec<rrule::NWeekday> = Vec::new();
        for by_day in &rule.by_day {
            days.push(match by_day.nth {
                0 => rrule::NWeekday::Every(by_day.day),
                nth => rrule::NWeekday::Nth(i16::try_from(nth).ok()?, by_day.day),
            });
        }
        let mut months: Vec<chrono::Month> = Vec::new();
        for month in &rule.by_month {
            months.push(u8::try_from(*month).ok()?.try_into().ok()?);
        }
        let mut month_days: Vec<i8> = Vec::new();
        for day in &rule.by_month_day {
            month_days.push(i8::try_from(*day).ok()?);
        }
        // The anchor is the first day of a period, not DTSTART: so what DTSTART implies is said.
        if days.is_empty() && month_days.is_empty() {
            match rule.freq {
                Freq::Weekly => days.push(rrule::NWeekday::Every(start.weekday())),
                Freq::Monthly | Freq::Yearly => month_days.push(i8::try_from(start.day()).ok()?),
                _ => {}
            }
            if rule.freq == Freq::Yearly && months.is_empty() {
                months.push(u8::try_from(start.month()).ok()?.try_into().ok()?);
            }
        }
        written = written.by_weekday(days).by_month_day(month_days).by_month(&months);
        let set = written.build(anchor.and_utc().with_timezone(&rrule::Tz::UTC)).ok()?.limit();
        Some(Library { starts: (&set).into_iter(), from })
    }
}

/// Ends with the window it was made for.
impl Iterator for Library {
    type Item = NaiveDateTime;

    fn next(&mut self) -> Option<NaiveDateTime> {
        let from = self.from;
        self.starts.by_ref().map(|start| start.naive_utc()).find(|start| *start >= from)
    }
}

/// The first day of the period that holds `from`, at DTSTART's hour: whole intervals away from DTSTART's own period.
fn anchor(rule: &Rule, start: NaiveDateTime, from: NaiveDateTime) -> Option<NaiveDateTime> {
    let interval = i64::from(rule.interval);
    let (first, day) = (start.date(), from.date());
    let date = match rule.freq {
        Freq::Yearly => {
            let years = i64::from(day.year() - first.year()).div_euclid(interval) * interval;
            chrono::NaiveDate::from_ymd_opt(first.year() + i32::try_from(years).ok()?, 1, 1)?
        }
        Freq::Monthly => {
            let months = i64::from(day.year() - first.year()) * 12 + i64::from(day.month()) - i64::from(first.month());
            let whole = u32::try_from(months.div_euclid(interval) * interval).ok()?;
            first.with_day(1)?.checked_add_months(chrono::Months::new(whole))?
        }
        Freq::Weekly => {
            let (first, day) = (week_of(first, rule), week_of(day, rule));
            let days = (day - first).num_days().div_euclid(7 * interval) * 7 * interval;
            first.checked_add_days(Days::new(u64::try_from(days).ok()?))?
        }
        _ => {
            let days = (day - first).num_days().div_euclid(interval) * interval;
            first.checked_add_days(Days::new(u64::try_from(days).ok()?))?
        }
    };
    Some(date.and_time(start.time()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::ical::recur::budget::Budget;
    use crate::ical::recur::grid::Grid;
    use crate::ical::time;

    /// Every rule that the crate may have, it answers as the grid does.
    #[test]
    fn both_expanders_agree() {
        let days = [
            "",
            ";BYDAY=MO",
            ";BYDAY=SU,WE",
            ";BYDAY=1MO",
            ";BYDAY=-1FR,2TU",
            ";BYDAY=-4SA,4SU",
            ";BYDAY=MO,TU,WE,TH,FR",
        ];
        let months = ["", ";BYMONTH=3", ";BYMONTH=2,10,12"];
        let month_days = ["", ";BYMONTHDAY=1", ";BYMONTHDAY=-1,15,28", ";BYMONTHDAY=-28"];
        let starts = ["20230101T000000", "20240229T233000", "20241230T120000", "20250131T083015", "20240615T020000"];
        let froms = ["20200101T000000", "20250310T100000", "20271231T235959", "20400101T000000"];
        let mut texts = Vec::new();
        for freq in ["DAILY", "WEEKLY", "MONTHLY", "YEARLY"] {
            for tail in [";WKST=MO", ";INTERVAL=2;WKST=SU", ";INTERVAL=3;WKST=WE", ";INTERVAL=5", ";INTERVAL=12"] {
                for (day, month) in days.iter().flat_map(|day| months.iter().map(move |month| (day, month))) {
                    texts.extend(month_days.map(|month_day| format!("FREQ={freq}{tail}{day}{month}{month_day}")));
                }
            }
        }
        let (mut taken, mut all) = (0, 0);
        for text in texts {
            let rule = Rule::parse(&text).unwrap();
            for start in starts.map(|start| time::date_time(start).unwrap().0) {
                all += 1;
                if !takes(&rule, start) {
                    continue;
                }
                taken += 1;
                for from in froms.map(|from| time::date_time(from).unwrap().0.max(start)) {
                    let to = from + TimeDelta::days(1500);
                    let library: Vec<_> = Library::new(&rule, start, from, to).unwrap().filter(|at| *at < to).collect();
                    let mut grid = Grid::new(&rule, start, from, from);
                    let mut found = Vec::new();
                    while let Some(at) = grid.next(to, &mut Budget::default()).unwrap() {
                        found.extend(Some(at).filter(|at| *at < to));
                    }
                    assert_eq!(library, found, "{text} {start} {from}");
                }
            }
        }
        assert!(taken * 10 > all, "{taken} of {all}");
    }
}
