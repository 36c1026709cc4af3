//! A start as it is written and as an instant, small enough to be copied. Knows no rule.

use chrono::{DateTime, NaiveDateTime, Utc};
use chrono_tz::Tz;

use crate::domain::occurrence::Moment;
use crate::ical::recur::civil::DAY;
use crate::ical::time::{Length, Time};
use crate::ical::zone::Zone;

/// A clock reading, in the form and the zone of some written time.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'o> {
    pub form: &'o Time,
    /// Seconds since 1970 on the wall.
    pub local: i64,
}

impl<'o> Reading<'o> {
    pub fn of(time: &'o Time) -> Reading<'o> {
        Reading { form: time, local: seconds(time.local()) }
    }

    /// A date or time in the form of another: a date gets the other's hour, a time in a series of days becomes its day.
    pub fn like(written: &'o Time, first: &'o Time) -> Reading<'o> {
        let local = seconds(written.local());
        match (written, first) {
            (Time::Date(_), Time::Date(_)) => Reading { form: written, local },
            (Time::Date(_), _) => Reading { form: first, local: local + seconds(first.local()).rem_euclid(DAY) },
            (_, Time::Date(_)) => Reading { form: first, local: local - local.rem_euclid(DAY) },
            // A floating exception of a zoned series is meant on the series' clock.
            (Time::Floating(_), _) => Reading { form: first, local },
            _ => Reading { form: written, local },
        }
    }

    pub fn zone(&self, default: Tz) -> Zone {
        self.form.zone(default)
    }

    /// Seconds since 1970 in UTC.
    pub fn at(&self, default: Tz) -> i64 {
        self.local - self.zone(default).span(self.local).offset
    }

    pub fn time(&self) -> Time {
        self.form.with_local(naive(self.local))
    }

    pub fn moment(&self, at: i64) -> Moment {
        match self.form {
            Time::Utc(_) | Time::Zoned(..) => Moment::Instant(instant(at)),
            Time::Floating(_) => Moment::Floating(naive(self.local)),
            Time::Date(_) => Moment::Date(naive(self.local).date()),
        }
    }

    /// The instant some days on the calendar, then some seconds later.
    #[inline]
    pub fn after(&self, at: i64, length: Length, default: Tz) -> i64 {
        if length.days == 0 {
            return at.saturating_add(length.seconds);
        }
        let local = self.local.saturating_add(length.days * DAY);
        (local - self.zone(default).span(local).offset).saturating_add(length.seconds)
    }
}

pub fn seconds(local: NaiveDateTime) -> i64 {
    local.and_utc().timestamp()
}

/// Saturates at the ends of the calendar.
pub fn naive(local: i64) -> NaiveDateTime {
    instant(local).naive_utc()
}

/// Saturates at the ends of the calendar.
#[inline]
pub fn instant(at: i64) -> DateTime<Utc> {
    let end = if at < 0 { DateTime::<Utc>::MIN_UTC } else { DateTime::<Utc>::MAX_UTC };
    DateTime::from_timestamp(at, 0).unwrap_or(end)
}

/// The first whole second at or after an instant. Starts stand on whole seconds, the ends of windows may not.
pub fn whole(at: DateTime<Utc>) -> i64 {
    at.timestamp() + i64::from(at.timestamp_subsec_nanos() > 0)
}
