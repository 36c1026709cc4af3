//! An event that the service itself writes, with the icalendar crate. The only file that names it; nothing is parsed here.

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use icalendar::{Alarm, Calendar, CalendarDateTime, Component, DatePerhapsTime, Event, EventLike, Trigger};

use crate::ical::recur::rule::Rule;
use crate::ical::write::PRODID;

/// When a draft begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    Utc(DateTime<Utc>),
    /// A clock reading in a zone of the tz database.
    Zoned(NaiveDateTime, Tz),
    Date(NaiveDate),
}

/// What is known of an event that is to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    pub uid: String,
    pub summary: String,
    pub start: Start,
    /// Whole days for a date.
    pub duration: TimeDelta,
    /// The value of RRULE; what is no rule is left out.
    pub rule: Option<String>,
    /// Minutes before the start at which a DISPLAY alarm rings.
    pub alarm_minutes: Option<i64>,
}

impl Draft {
    /// The event as a calendar object that may be stored; `now` becomes DTSTAMP.
    ///
    /// ```
    /// use campanile::ical::draft::{Draft, Start};
    /// use chrono::{DateTime, TimeDelta};
    /// let start = DateTime::from_timestamp(1_736_931_600, 0).unwrap();
    /// let draft = Draft {
    ///     uid: "1".into(), summary: "Tea; two, please".into(), start: Start::Utc(start),
    ///     duration: TimeDelta::minutes(30), rule: None, alarm_minutes: Some(15),
    /// };
    /// let text = String::from_utf8(draft.written(start)).unwrap();
    /// assert!(text.contains("DTSTART:20250115T090000Z\r\n"));
    /// assert!(text.contains("SUMMARY:Tea\\; two\\, please\r\n"));
    /// ```
    pub fn written(&self, now: DateTime<Utc>) -> Vec<u8> {
        self.composed(now, false)
    }

    /// The same, making nobody busy.
    pub fn written_free(&self, now: DateTime<Utc>) -> Vec<u8> {
        self.composed(now, true)
    }

    fn composed(&self, now: DateTime<Utc>, free: bool) -> Vec<u8> {
        let mut event = Event::new();
        // The crate escapes line feeds and lets every other control character through.
        let summary: String = self.summary.chars().filter(|c| !c.is_control() || *c == '\n').collect();
        let uid: String = self.uid.chars().filter(|c| !c.is_control()).collect();
        event.uid(&uid).summary(&summary).timestamp(now);
        match self.start {
            Start::Utc(at) => {
                event.starts(at);
                event.ends(at.checked_add_signed(self.duration).unwrap_or(at));
            }
            Start::Zoned(local, zone) => {
                let at = |date_time| {
                    DatePerhapsTime::DateTime(CalendarDateTime::WithTimezone {
                        date_time,
                        tzid: zone.name().to_owned(),
                    })
                };
                event.starts(at(local));
                event.ends(at(local.checked_add_signed(self.duration).unwrap_or(local)));
            }
            Start::Date(day) => {
                event.starts(day);
                event.ends(day.checked_add_signed(self.duration.max(TimeDelta::days(1))).unwrap_or(day));
            }
        }
        // The crate writes it as it comes, so only a rule may pass.
        if let Some(rule) = self.rule.as_ref().filter(|rule| Rule::parse(rule).is_ok()) {
            event.add_property("RRULE", rule);
        }
        if free {
            event.add_property("TRANSP", "TRANSPARENT");
        }
        if let Some(minutes) = self.alarm_minutes {
            let mut alarm = Alarm::display(&summary, Trigger::before_start(TimeDelta::minutes(minutes)));
            // Left alone, the crate gives an alarm a random UID and the machine's time.
            alarm.uid(&format!("{uid}-alarm")).timestamp(now);
            event.alarm(alarm);
        }
        let mut calendar = Calendar::empty();
        calendar.append_property(("VERSION", "2.0"));
        calendar.append_property(("PRODID", PRODID));
        calendar.push(event.done());
        calendar.to_string().into_bytes()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::ical::lines::Limits;
    use crate::ical::object::CalendarObject;

    #[test]
    fn drafts_may_be_stored() {
        let now = DateTime::from_timestamp(1_736_931_600, 0).unwrap();
        let local = now.naive_utc();
        for start in [Start::Utc(now), Start::Zoned(local, chrono_tz::Europe::Paris), Start::Date(local.date())] {
            let draft = Draft {
                uid: "a,b\r\nX-EVIL:1".into(),
                summary: "one\nEND:VEVENT\r\ntwo; \u{e9}".repeat(9),
                start,
                duration: TimeDelta::minutes(30),
                rule: Some("FREQ=DAILY;COUNT=2\r\nX-EVIL:1".into()),
                alarm_minutes: Some(10),
            };
            let bytes = draft.written(now);
            assert_eq!(bytes, draft.written(now));
            let object = CalendarObject::read(&bytes, &Limits::default()).unwrap();
            object.storable().unwrap();
            assert_eq!(object.flaws(), [], "{}", String::from_utf8_lossy(&bytes));
            assert!(object.root().all_properties().all(|property| property.name != "X-EVIL"));
            assert_eq!(object.summary(), draft.summary.replace('\r', ""));
        }
    }
}
