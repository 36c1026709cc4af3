//! What a VTIMEZONE describes: its observances, and the changes of offset they make. Names are for `zone`.

use std::sync::OnceLock;

use chrono::NaiveDateTime;

use crate::ical::block::Block;
use crate::ical::recur::budget::Budget;
use crate::ical::recur::civil::DAY;
use crate::ical::recur::recurrence::Recurrence;
use crate::ical::recur::rule::Rule;
use crate::ical::recur::steps;
use crate::ical::spans::Spans;
use crate::ical::time::{self, Date};
use crate::ical::zones::Zones;

/// A zone as a VTIMEZONE describes it. RFC 5545 3.6.5.
#[derive(Debug)]
pub struct Custom {
    observances: Vec<Observance>,
    /// Made when first needed.
    spans: OnceLock<Spans>,
    /// What counted before the first change.
    before: i64,
}

/// One STANDARD or DAYLIGHT.
#[derive(Debug)]
struct Observance {
    start: i64,
    from: i64,
    to: i64,
    rule: Option<Recurrence>,
    dates: Vec<i64>,
}

/// Observances in one VTIMEZONE; Outlook writes one or two for each year, Lotus a few dozen.
const OBSERVANCES_MAX: usize = 400;
/// Two changes a year take 500; what wants more than this stays at the offset that was reached.
const STEPS: u32 = 5000;
/// The year 2200: from then on no changes are worked out; the offset stays.
const END: i64 = 7_258_118_400;
/// Definitions go by years: what counts at an instant began at most so long before.
const REACH: i64 = 500 * DAY;

impl Custom {
    pub fn read(block: &Block) -> Option<Custom> {
        let mut observances = Vec::new();
        let parts = block.blocks.iter().filter(|part| matches!(part.name.as_str(), "STANDARD" | "DAYLIGHT"));
        for part in parts.take(OBSERVANCES_MAX) {
            let (start, _) = time::date_time(part.value("DTSTART")?)?;
            let mut dates = Vec::new();
            for property in part.properties("RDATE") {
                for date in time::dates(property, &Zones::default()).ok()? {
                    match date {
                        Date::Time(at) | Date::Period(at, _) => dates.push(seconds(at.local())),
                    }
                }
            }
            observances.push(Observance {
                start: seconds(start),
                from: offset(part.value("TZOFFSETFROM")?)?,
                to: offset(part.value("TZOFFSETTO")?)?,
                rule: match part.value("RRULE") {
                    Some(text) => Some(Recurrence::new(Rule::parse(text).ok()?, start)),
                    None => None,
                },
                dates,
            });
        }
        let before = observances.iter().min_by_key(|observance| observance.start)?.from;
        Some(Custom { observances, spans: OnceLock::new(), before })
    }

    /// A clock that never changes.
    pub fn fixed(offset: i64) -> Custom {
        Custom { observances: Vec::new(), spans: OnceLock::new(), before: offset }
    }

    /// All that it says.
    pub fn spans(&self) -> &Spans {
        self.spans.get_or_init(|| self.between(i64::MIN / 4, END))
    }

    /// The first reading that it speaks of.
    pub fn onset(&self) -> i64 {
        self.observances.iter().map(|observance| observance.start).min().unwrap_or(i64::MIN)
    }

    /// What it says between two readings.
    pub fn between(&self, from: i64, to: i64) -> Spans {
        let mut changes = Vec::new();
        let mut budget = Budget::new(STEPS);
        for observance in &self.observances {
            let mut onset = |at: i64| changes.push((at - observance.from, observance.to));
            onset(observance.start);
            observance.dates.iter().copied().for_each(&mut onset);
            let Some(recurrence) = &observance.rule else { continue };
            // UNTIL is in UTC here, RFC 5545 3.6.5.
            let until = recurrence.rule.until.map(|until| match until.utc {
                true => seconds(until.local) + observance.from,
                false => seconds(until.last_local()),
            });
            // A rule that ended before may have left what counts.
            let begin = from.min(until.unwrap_or(from)).saturating_sub(REACH);
            let end = to.min(until.map_or(to, |until| until + 1));
            let Ok(mut steps) = steps::starts(recurrence, begin, end, &mut budget) else { continue };
            while let Ok(Some(at)) = steps.next(&mut budget) {
                onset(at);
            }
        }
        Spans::new(self.before, changes)
    }
}

fn seconds(local: NaiveDateTime) -> i64 {
    local.and_utc().timestamp()
}

/// `+0530`, `-033000`.
fn offset(text: &str) -> Option<i64> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    if !matches!(digits.len(), 4 | 6) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: i64 = digits.parse().ok()?;
    let (clock, seconds) = if digits.len() == 6 { (number / 100, number % 100) } else { (number, 0) };
    // No clock is a day away from UTC.
    Some(sign * ((clock / 100) * 3600 + (clock % 100) * 60 + seconds)).filter(|offset| offset.abs() < DAY)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::ical::lines::Limits;
    use crate::ical::object::CalendarObject;
    use crate::ical::zone::Zone;

    /// A definition that says what the tz database says gives the same instants, gaps and overlaps included.
    #[test]
    fn definitions_are_followed() {
        let text = "BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:Here\nBEGIN:STANDARD\nDTSTART:19961027T030000\nRRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\nEND:STANDARD\nBEGIN:DAYLIGHT\nDTSTART:19810329T020000\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nEND:DAYLIGHT\nEND:VTIMEZONE\nBEGIN:VEVENT\nDTSTART;TZID=Here:20250101T000000\nEND:VEVENT\nEND:VCALENDAR\n";
        let object = CalendarObject::read(text.as_bytes(), &Limits::default()).unwrap();
        let (custom, named) = (object.zones().get("Here").unwrap(), Zone::Named(chrono_tz::Europe::Paris));
        assert!(matches!(custom, Zone::Custom(_)));
        let mut local = time::date_time("19970101T000000").unwrap().0;
        while local < time::date_time("20400101T000000").unwrap().0 {
            assert_eq!(custom.to_utc(local), named.to_utc(local), "{local}");
            assert_eq!(custom.to_local(local.and_utc()), named.to_local(local.and_utc()), "{local}");
            local += TimeDelta::minutes(30);
        }
    }
}
