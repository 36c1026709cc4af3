//! Dates, times, durations and periods as they are written, and as a zone makes them instants. RFC 5545 3.3.4 to 3.3.9. Knows no rule.

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::domain::occurrence::Moment;
use crate::ical::lines::Property;
use crate::ical::zone::Zone;
use crate::ical::zones::Zones;

/// A start, an end or an exception as its author meant it, with the zone where one was named.
#[derive(Clone, Debug, PartialEq)]
pub enum Time {
    Utc(NaiveDateTime),
    Zoned(NaiveDateTime, Zone),
    Floating(NaiveDateTime),
    Date(NaiveDate),
}

impl Time {
    /// The clock reading; midnight for a date.
    pub fn local(&self) -> NaiveDateTime {
        match self {
            Time::Utc(local) | Time::Zoned(local, _) | Time::Floating(local) => *local,
            Time::Date(day) => day.and_time(NaiveTime::MIN),
        }
    }

    /// The zone that the clock hangs in; floating times and dates stand in `default`.
    pub fn zone(&self, default: Tz) -> Zone {
        match self {
            Time::Utc(_) => Zone::Utc,
            Time::Zoned(_, zone) => zone.clone(),
            Time::Floating(_) | Time::Date(_) => Zone::Named(default),
        }
    }

    pub fn instant(&self, default: Tz) -> DateTime<Utc> {
        match self {
            Time::Utc(local) => local.and_utc(),
            Time::Zoned(local, zone) => zone.to_utc(*local),
            Time::Floating(_) | Time::Date(_) => Zone::Named(default).to_utc(self.local()),
        }
    }

    pub fn moment(&self) -> Moment {
        match self {
            Time::Utc(local) => Moment::Instant(local.and_utc()),
            Time::Zoned(local, zone) => Moment::Instant(zone.to_utc(*local)),
            Time::Floating(local) => Moment::Floating(*local),
            Time::Date(day) => Moment::Date(*day),
        }
    }

    /// Another clock reading of the same kind in the same zone.
    pub fn with_local(&self, local: NaiveDateTime) -> Time {
        match self {
            Time::Utc(_) => Time::Utc(local),
            Time::Zoned(_, zone) => Time::Zoned(local, zone.clone()),
            Time::Floating(_) => Time::Floating(local),
            Time::Date(_) => Time::Date(local.date()),
        }
    }

    pub fn is_date(&self) -> bool {
        matches!(self, Time::Date(_))
    }
}

/// What may stand between two commas of EXDATE or RDATE.
#[derive(Clone, Debug, PartialEq)]
pub enum Date {
    Time(Time),
    Period(Time, End),
}

/// How an end was written.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    At(Time),
    After(Length),
}

/// A duration: whole days on the calendar, then seconds on the clock. RFC 5545 3.3.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Length {
    pub days: i64,
    pub seconds: i64,
}

/// A thousand years of days, and as many seconds: what is longer is a slip or an attack.
const DAYS_MAX: i64 = 366_000;

impl Length {
    /// `-P1DT2H30M`, `PT15M`, `P2W`.
    ///
    /// ```
    /// use campanile::ical::time::Length;
    /// assert_eq!(Length::parse("-P1DT2H"), Some(Length { days: -1, seconds: -7200 }));
    /// assert_eq!(Length::parse("P1M"), None);
    /// ```
    pub fn parse(text: &str) -> Option<Length> {
        let text = text.trim();
        let (sign, text) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text.strip_prefix('+').unwrap_or(text)),
        };
        let text = text.strip_prefix(['P', 'p'])?;
        let mut length = Length::default();
        let (mut clock, mut any) = (false, false);
        let mut digits = String::new();
        for c in text.chars() {
            match c.to_ascii_uppercase() {
                c if c.is_ascii_digit() && digits.len() < 12 => digits.push(c),
                'T' if digits.is_empty() && !clock => clock = true,
                unit => {
                    let number: i64 = digits.parse().ok()?;
                    digits.clear();
                    any = true;
                    match (unit, clock) {
                        ('W', false) => length.days += number * 7,
                        ('D', false) => length.days += number,
                        ('H', true) => length.seconds += number * 3600,
                        ('M', true) => length.seconds += number * 60,
                        ('S', true) => length.seconds += number,
                        _ => return None,
                    }
                    if length.days > DAYS_MAX || length.seconds > DAYS_MAX * 86_400 {
                        return None;
                    }
                }
            }
        }
        (any && digits.is_empty()).then_some(Length { days: sign * length.days, seconds: sign * length.seconds })
    }

    /// The clock reading some days later, then the instant some seconds later.
    pub fn after(&self, start: &Time, default: Tz) -> DateTime<Utc> {
        if self.days == 0 {
            return shifted(start.instant(default), self.seconds);
        }
        let local = days_later(start.local(), self.days);
        shifted(start.zone(default).to_utc(local), self.seconds)
    }

    /// About how many seconds; exact up to changes of the clock.
    pub fn about(&self) -> i64 {
        self.days * 86_400 + self.seconds
    }
}

/// Saturates at the ends of the calendar.
pub fn shifted(at: DateTime<Utc>, seconds: i64) -> DateTime<Utc> {
    let end = if seconds < 0 { DateTime::<Utc>::MIN_UTC } else { DateTime::<Utc>::MAX_UTC };
    TimeDelta::try_seconds(seconds).and_then(|delta| at.checked_add_signed(delta)).unwrap_or(end)
}

/// Saturates at the ends of the calendar.
pub fn days_later(local: NaiveDateTime, days: i64) -> NaiveDateTime {
    let moved = match days {
        0.. => local.checked_add_days(Days::new(days.unsigned_abs())),
        _ => local.checked_sub_days(Days::new(days.unsigned_abs())),
    };
    moved.unwrap_or(if days < 0 { NaiveDateTime::MIN } else { NaiveDateTime::MAX })
}

/// Two digits of text as a number.
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// `20250115`.
pub fn date(text: &str) -> Option<NaiveDate> {
    if text.len() != 8 || !text.is_ascii() {
        return None;
    }
    let (year, rest) = text.split_at(4);
    let (month, day) = rest.split_at(2);
    NaiveDate::from_ymd_opt(i32::try_from(number(year)?).ok()?, number(month)?, number(day)?)
}

/// `20250115T090000`, and whether a `Z` follows.
pub fn date_time(text: &str) -> Option<(NaiveDateTime, bool)> {
    let (text, utc) = match text.strip_suffix(['Z', 'z']) {
        Some(text) => (text, true),
        None => (text, false),
    };
    let (day, clock) = text.split_once(['T', 't'])?;
    if clock.len() != 6 || !clock.is_ascii() {
        return None;
    }
    let (hour, rest) = clock.split_at(2);
    let (minute, second) = rest.split_at(2);
    let second = match number(second)? {
        // RFC 5545 3.3.12 allows the leap second; clocks that have none take the one before.
        60 => 59,
        second => second,
    };
    Some((date(day)?.and_hms_opt(number(hour)?, number(minute)?, second)?, utc))
}

/// Reads one value in the light of its property's TZID and VALUE; the fault names the thing.
pub fn time(property: &Property, value: &str, zones: &Zones) -> Result<Time, String> {
    let value = value.trim();
    // Some producers leave VALUE=DATE out, some set it on a date-time: the text decides.
    if let Some(day) = date(value) {
        return Ok(Time::Date(day));
    }
    let Some((local, utc)) = date_time(value) else {
        return Err(format!("{} is no date: {:?}", property.name, value.chars().take(40).collect::<String>()));
    };
    if utc {
        return Ok(Time::Utc(local));
    }
    match property.param("TZID") {
        None | Some("") => Ok(Time::Floating(local)),
        Some(tzid) => match zones.get(tzid) {
            Some(Zone::Utc) => Ok(Time::Utc(local)),
            Some(zone) => Ok(Time::Zoned(local, zone.clone())),
            None => Err(format!("no zone named {tzid:?}")),
        },
    }
}

/// Every value of an EXDATE or RDATE.
pub fn dates(property: &Property, zones: &Zones) -> Result<Vec<Date>, String> {
    property
        .value
        .split(',')
        .filter(|value| !value.trim().is_empty())
        .map(|value| match value.split_once('/') {
            None => time(property, value, zones).map(Date::Time),
            Some((start, end)) => {
                let start = time(property, start, zones)?;
                let end = match Length::parse(end) {
                    Some(length) => End::After(length),
                    None => End::At(time(property, end, zones)?),
                };
                Ok(Date::Period(start, end))
            }
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        let table = [
            ("PT15M", Some((0, 900))),
            ("-PT15M", Some((0, -900))),
            ("+P1W", Some((7, 0))),
            ("P1DT2H3M4S", Some((1, 7384))),
            ("PT0S", Some((0, 0))),
            ("P", None),
            ("PT", None),
            ("P1M", None),
            ("PT5", None),
            ("15M", None),
            ("P99999999999999999999D", None),
            ("P999999D", None),
        ];
        for (text, expected) in table {
            assert_eq!(Length::parse(text).map(|length| (length.days, length.seconds)), expected, "{text}");
        }
    }

    #[test]
    fn dates_are_read() {
        assert_eq!(date("00000000"), None);
        assert_eq!(date("20250230"), None);
        assert_eq!(date("2025+101"), None);
        assert_eq!(date("20240229").unwrap().to_string(), "2024-02-29");
        assert_eq!(date_time("20240229T235960Z").unwrap().0.to_string(), "2024-02-29 23:59:59");
        assert_eq!(date_time("20240229T240000"), None);
        assert_eq!(date_time("20240229"), None);
    }
}
