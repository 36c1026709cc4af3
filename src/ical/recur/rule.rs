//! The text of a recurrence rule to its parts, checked. RFC 5545 3.3.10. Expands nothing. Frequencies and numbered weekdays are `rrule`'s types.

use chrono::{Days, NaiveDateTime, NaiveTime, Weekday};
use rrule::{Frequency, NWeekday};

use crate::ical::time;

/// UNTIL as it was written; its reader knows the zone of the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Until {
    pub local: NaiveDateTime,
    pub utc: bool,
    pub date: bool,
}

impl Until {
    /// The last clock reading it lets through where no zone is at hand: a date means its whole day.
    pub fn last_local(&self) -> NaiveDateTime {
        match self.date {
            true => {
                self.local.checked_add_days(Days::new(1)).map_or(self.local, |end| end - chrono::TimeDelta::seconds(1))
            }
            false => self.local,
        }
    }
}

/// A rule. `Frequency` runs from the longest period to the shortest. Lists are sorted and without doubles; an empty one means that the part is absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub freq: Frequency,
    pub interval: u32,
    pub count: Option<u64>,
    pub until: Option<Until>,
    pub by_month: Vec<i32>,
    pub by_week_no: Vec<i32>,
    pub by_year_day: Vec<i32>,
    pub by_month_day: Vec<i32>,
    pub by_day: Vec<NWeekday>,
    pub by_hour: Vec<i32>,
    pub by_minute: Vec<i32>,
    pub by_second: Vec<i32>,
    pub by_set_pos: Vec<i32>,
    pub week_start: Weekday,
}

/// How many combinations the BY lists may make. Honest rules stay below a hundred.
pub const COMBINATIONS_MAX: u64 = 10_000;

impl Rule {
    /// Reads a rule; the fault names the part.
    ///
    /// ```
    /// use campanile::ical::recur::rule::Rule;
    /// assert_eq!(Rule::parse("FREQ=WEEKLY;BYDAY=MO,WE").unwrap().freq, rrule::Frequency::Weekly);
    /// assert_eq!(Rule::parse("FREQ=DAILY;INTERVAL=0").unwrap_err(), "INTERVAL of a rule is no count: \"0\"");
    /// ```
    pub fn parse(text: &str) -> Result<Rule, String> {
        let mut rule = Rule::empty();
        let mut freq = None;
        for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').ok_or_else(|| format!("a rule part without a value: {part:?}"))?;
            let (name, value) = (name.trim().to_ascii_uppercase(), value.trim().to_ascii_uppercase());
            match name.as_str() {
                "FREQ" => freq = Some(frequency(&value)?),
                "INTERVAL" => {
                    rule.interval = value.parse().ok().filter(|n| *n > 0).ok_or_else(|| no_count(&name, &value))?;
                }
                "COUNT" => {
                    let count = value.parse().ok().filter(|n| *n > 0).ok_or_else(|| no_count(&name, &value))?;
                    rule.count = Some(count);
                }
                "UNTIL" => rule.until = Some(until(&value)?),
                "BYSECOND" => rule.by_second = numbers(&name, &value, 0, 60, true)?,
                "BYMINUTE" => rule.by_minute = numbers(&name, &value, 0, 59, true)?,
                "BYHOUR" => rule.by_hour = numbers(&name, &value, 0, 23, true)?,
                "BYDAY" => rule.by_day = weekdays(&value)?,
                "BYMONTHDAY" => rule.by_month_day = numbers(&name, &value, -31, 31, false)?,
                "BYYEARDAY" => rule.by_year_day = numbers(&name, &value, -366, 366, false)?,
                "BYWEEKNO" => rule.by_week_no = numbers(&name, &value, -53, 53, false)?,
                "BYMONTH" => rule.by_month = numbers(&name, &value, 1, 12, false)?,
                "BYSETPOS" => rule.by_set_pos = numbers(&name, &value, -366, 366, false)?,
                "WKST" => rule.week_start = weekday(&value).ok_or_else(|| format!("no weekday: {value:?}"))?,
                // RFC 7529: what everybody means anyway may be said.
                "RSCALE" if value == "GREGORIAN" => {}
                "SKIP" if value == "OMIT" => {}
                // RFC 2445 allowed them; what they mean is between the parties.
                name if name.starts_with("X-") => {}
                _ => return Err(format!("no rule part named {name:?}")),
            }
        }
        rule.freq = freq.ok_or("a rule without FREQ")?;
        if rule.count.is_some() && rule.until.is_some() {
            return Err("a rule with both COUNT and UNTIL".to_owned());
        }
        // Second 60 is the leap second, and clocks that have none take the one before.
        if rule.by_second.last() == Some(&60) {
            rule.by_second.pop();
            if rule.by_second.last() != Some(&59) {
                rule.by_second.push(59);
            }
        }
        let combinations = rule.combinations();
        if combinations > COMBINATIONS_MAX {
            return Err(format!("a rule of {combinations} combinations, more than {COMBINATIONS_MAX}"));
        }
        Ok(rule)
    }

    fn empty() -> Rule {
        Rule {
            freq: Frequency::Daily,
            interval: 1,
            count: None,
            until: None,
            by_month: Vec::new(),
            by_week_no: Vec::new(),
            by_year_day: Vec::new(),
            by_month_day: Vec::new(),
            by_day: Vec::new(),
            by_hour: Vec::new(),
            by_minute: Vec::new(),
            by_second: Vec::new(),
            by_set_pos: Vec::new(),
            week_start: Weekday::Mon,
        }
    }

    /// The product of the lengths of the lists.
    fn combinations(&self) -> u64 {
        [
            self.by_month.len(),
            self.by_week_no.len(),
            self.by_year_day.len(),
            self.by_month_day.len(),
            self.by_day.len(),
            self.by_hour.len(),
            self.by_minute.len(),
            self.by_second.len(),
        ]
        .into_iter()
        .fold(1, |product: u64, length| product.saturating_mul(length.max(1) as u64))
    }

    /// Whether no day of any year can match: the 30th of February.
    pub fn never(&self) -> bool {
        const LONGEST: [i32; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        if self.by_month.is_empty() || self.by_month_day.is_empty() {
            return false;
        }
        let longest = self.by_month.iter().filter_map(|month| LONGEST.get(usize::try_from(month - 1).ok()?)).max();
        longest.is_some_and(|longest| self.by_month_day.iter().all(|day| day.abs() > *longest))
    }
}

fn no_count(name: &str, value: &str) -> String {
    format!("{name} of a rule is no count: {value:?}")
}

fn frequency(value: &str) -> Result<Frequency, String> {
    Ok(match value {
        "SECONDLY" => Frequency::Secondly,
        "MINUTELY" => Frequency::Minutely,
        "HOURLY" => Frequency::Hourly,
        "DAILY" => Frequency::Daily,
        "WEEKLY" => Frequency::Weekly,
        "MONTHLY" => Frequency::Monthly,
        "YEARLY" => Frequency::Yearly,
        _ => return Err(format!("no FREQ named {value:?}")),
    })
}

fn until(value: &str) -> Result<Until, String> {
    if let Some(day) = time::date(value) {
        return Ok(Until { local: day.and_time(NaiveTime::MIN), utc: false, date: true });
    }
    let (local, utc) = time::date_time(value).ok_or_else(|| format!("UNTIL of a rule is no date: {value:?}"))?;
    Ok(Until { local, utc, date: false })
}

fn numbers(name: &str, value: &str, from: i32, to: i32, zero: bool) -> Result<Vec<i32>, String> {
    let mut numbers = Vec::new();
    for text in value.split(',') {
        let number = text.trim().parse().ok().filter(|n| (from..=to).contains(n) && (zero || *n != 0));
        numbers.push(number.ok_or_else(|| format!("{name} of a rule takes no {text:?}"))?);
    }
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}

fn weekdays(value: &str) -> Result<Vec<NWeekday>, String> {
    let mut days: Vec<NWeekday> = Vec::new();
    for text in value.split(',').map(str::trim) {
        let fault = || format!("BYDAY of a rule takes no {text:?}");
        let (nth, name) = text.split_at_checked(text.len().saturating_sub(2)).ok_or_else(fault)?;
        let day = weekday(name).ok_or_else(fault)?;
        let day = match nth {
            "" => NWeekday::Every(day),
            nth => {
                let nth: i16 = nth.parse().map_err(|_| fault())?;
                if nth == 0 || nth.abs() > 53 {
                    return Err(fault());
                }
                NWeekday::Nth(nth, day)
            }
        };
        if !days.contains(&day) {
            days.push(day);
        }
    }
    Ok(days)
}

fn weekday(name: &str) -> Option<Weekday> {
    Some(match name {
        "MO" => Weekday::Mon,
        "TU" => Weekday::Tue,
        "WE" => Weekday::Wed,
        "TH" => Weekday::Thu,
        "FR" => Weekday::Fri,
        "SA" => Weekday::Sat,
        "SU" => Weekday::Sun,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_name_the_part() {
        let table = [
            ("", "a rule without FREQ"),
            ("FREQ=FORTNIGHTLY", "no FREQ named \"FORTNIGHTLY\""),
            ("FREQ=DAILY;INTERVAL=0", "INTERVAL of a rule is no count: \"0\""),
            ("FREQ=DAILY;COUNT=0", "COUNT of a rule is no count: \"0\""),
            ("FREQ=DAILY;COUNT=2;UNTIL=20250101", "a rule with both COUNT and UNTIL"),
            ("FREQ=DAILY;BYHOUR=24", "BYHOUR of a rule takes no \"24\""),
            ("FREQ=MONTHLY;BYMONTHDAY=0", "BYMONTHDAY of a rule takes no \"0\""),
            ("FREQ=MONTHLY;BYDAY=1XX", "BYDAY of a rule takes no \"1XX\""),
            ("FREQ=MONTHLY;BYDAY=\u{e9}", "BYDAY of a rule takes no \"\u{e9}\""),
            ("FREQ=DAILY;UNTIL=soon", "UNTIL of a rule is no date: \"SOON\""),
            ("FREQ=DAILY;BYEASTER=1", "no rule part named \"BYEASTER\""),
            ("FREQ=DAILY;COUNT", "a rule part without a value: \"COUNT\""),
        ];
        for (text, why) in table {
            assert_eq!(Rule::parse(text), Err(why.to_owned()), "{text}");
        }
    }

    #[test]
    fn february_has_no_thirtieth() {
        let never = |text| Rule::parse(text).is_ok_and(|rule| rule.never());
        assert!(never("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30,31,-30"));
        assert!(never("FREQ=DAILY;BYMONTH=4,6;BYMONTHDAY=31"));
        assert!(!never("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29"));
        assert!(!never("FREQ=YEARLY;BYMONTHDAY=31"));
    }
}
