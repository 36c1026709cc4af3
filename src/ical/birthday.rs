//! A day of birth out of a card, and the event that comes round each year. Knows no store.

use chrono::{DateTime, NaiveDate, TimeDelta};

use crate::ical::draft::{Draft, Start};
use crate::ical::vcard::{Card, plain};

/// The year of an event whose card tells none: a leap year, so that every day exists in it.
const SOME_YEAR: i32 = 1_972;
/// The year that Apple's programs write where they mean none.
const APPLE_NONE: i32 = 1_604;

/// A day of birth; its year is not always known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Birthday {
    pub year: Option<i32>,
    pub month: u32,
    pub day: u32,
}

impl Birthday {
    /// What BDAY of a card says; none where it names no day.
    ///
    /// ```
    /// use campanile::ical::{birthday::Birthday, lines::Limits, vcard::Card};
    /// let card = b"BEGIN:VCARD\r\nVERSION:4.0\r\nUID:7\r\nFN:Ada\r\nBDAY:--1210\r\nEND:VCARD\r\n";
    /// let card = Card::read(card, &Limits::default()).unwrap();
    /// assert_eq!(Birthday::of(&card), Some(Birthday { year: None, month: 12, day: 10 }));
    /// ```
    pub fn of(card: &Card) -> Option<Birthday> {
        let property = card.root().property("BDAY")?;
        let birthday = Birthday::parse(plain(property).trim())?;
        // Written so by Apple's programs: the year of the date is none.
        let omitted = property.param("X-APPLE-OMIT-YEAR").and_then(|year| year.trim().parse().ok());
        let none = birthday.year.is_some_and(|year| year == APPLE_NONE || Some(year) == omitted);
        Some(Birthday { year: birthday.year.filter(|_| !none), ..birthday })
    }

    /// RFC 6350 4.3.1 and 4.3.4, RFC 2426 3.1.5: a date with or without hyphens, a day and month alone; a time behind it counts for nothing.
    fn parse(text: &str) -> Option<Birthday> {
        let date = text.split(['T', 't', ' ']).next()?;
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let (year, rest) = match date.strip_prefix("--") {
            Some(rest) => (None, rest),
            None => {
                let year = date.get(..4).filter(|year| digits(year))?;
                (Some(year.parse().ok()?), date.get(4..)?.trim_start_matches('-'))
            }
        };
        let rest = rest.replacen('-', "", 1);
        if rest.len() != 4 || !digits(&rest) {
            return None;
        }
        let (month, day) = (rest[..2].parse().ok()?, rest[2..].parse().ok()?);
        NaiveDate::from_ymd_opt(year.unwrap_or(SOME_YEAR), month, day)?;
        Some(Birthday { year, month, day })
    }

    /// The event of each year. The 29th of February is kept on the last day of that month.
    pub fn event(self, uid: &str, name: &str) -> Vec<u8> {
        let year = self.year.unwrap_or(SOME_YEAR);
        let start = NaiveDate::from_ymd_opt(year, self.month, self.day).unwrap_or_default();
        let leaps = (self.month, self.day) == (2, 29);
        let rule = if leaps { "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1" } else { "FREQ=YEARLY" };
        let summary = match self.year {
            Some(year) => format!("🎂 {name} ({year})"),
            None => format!("🎂 {name}"),
        };
        let draft = Draft {
            uid: uid.to_owned(),
            summary,
            start: Start::Date(start),
            duration: TimeDelta::days(1),
            rule: Some(rule.to_owned()),
            alarm_minutes: None,
        };
        // The same card makes the same text whenever it is made.
        draft.written_free(DateTime::UNIX_EPOCH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ical::lines::Limits;

    fn card(bday: &str) -> Option<Birthday> {
        let text = format!("BEGIN:VCARD\r\nVERSION:3.0\r\nUID:1\r\nFN:Ada\r\n{bday}\r\nEND:VCARD\r\n");
        Birthday::of(&Card::read(text.as_bytes(), &Limits::default()).expect("a card"))
    }

    #[test]
    fn days_of_birth_are_read_as_clients_write_them() {
        let day = |year, month, day| Some(Birthday { year, month, day });
        let rows = [
            ("BDAY:1815-12-10", day(Some(1815), 12, 10)),
            ("BDAY:18151210", day(Some(1815), 12, 10)),
            ("BDAY;VALUE=date:1815-12-10", day(Some(1815), 12, 10)),
            ("BDAY;VALUE=DATE-TIME:18151210T000000Z", day(Some(1815), 12, 10)),
            ("BDAY:1815-12-10T00:00:00Z", day(Some(1815), 12, 10)),
            ("item1.BDAY:--1210", day(None, 12, 10)),
            ("BDAY:--12-10", day(None, 12, 10)),
            ("BDAY:--0229", day(None, 2, 29)),
            ("BDAY;X-APPLE-OMIT-YEAR=1604:1604-12-10", day(None, 12, 10)),
            ("BDAY;X-APPLE-OMIT-YEAR=1900:1900-12-10", day(None, 12, 10)),
            ("BDAY:1815", None),
            ("BDAY:1815-12", None),
            ("BDAY:---10", None),
            ("BDAY:1815-02-30", None),
            ("BDAY:2001-02-29", None),
            ("BDAY;VALUE=text:circa 1800", None),
            ("BDAY:", None),
            ("BDAY:12é4-é2", None),
            ("NOTE:none", None),
        ];
        for (line, want) in rows {
            assert_eq!(card(line), want, "{line}");
        }
    }

    #[test]
    fn the_event_comes_round_each_year() {
        let text = |birthday: Birthday| String::from_utf8(birthday.event("b", "Ada; Lovelace")).expect("text");
        let ada = text(Birthday { year: Some(1815), month: 12, day: 10 });
        for line in ["DTSTART;VALUE=DATE:18151210", "RRULE:FREQ=YEARLY", "TRANSP:TRANSPARENT", "(1815)"] {
            assert!(ada.contains(line), "{ada}");
        }
        let leap = text(Birthday { year: None, month: 2, day: 29 });
        assert!(leap.contains("RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1\r\n"), "{leap}");
        assert!(leap.contains("DTSTART;VALUE=DATE:19720229"), "{leap}");
    }
}
