//! What a VTIMEZONE describes: its observances, and the changes of offset they make. Names are for `zone`.

use std::sync::OnceLock;

use chrono::{FixedOffset, NaiveDate, NaiveDateTime, NaiveTime};

use crate::ical::block::Block;
use crate::ical::recur::budget::Budget;
use crate::ical::recur::rule::Rule;
use crate::ical::recur::steps;
use crate::ical::time::{self, Date};
use crate::ical::zone::Zones;

/// A zone as a VTIMEZONE describes it. RFC 5545 3.6.5.
#[derive(Debug)]
pub struct Custom {
    observances: Vec<Observance>,
    /// Instants at which the offset changes, in order; made when first needed.
    changes: OnceLock<Vec<(NaiveDateTime, FixedOffset)>>,
    /// What counted before the first change.
    before: FixedOffset,
}

/// One STANDARD or DAYLIGHT.
#[derive(Debug)]
struct Observance {
    start: NaiveDateTime,
    from: FixedOffset,
    to: FixedOffset,
    rule: Option<Rule>,
    dates: Vec<NaiveDateTime>,
}

/// Observances in one VTIMEZONE; Outlook writes one or two for each year, Lotus a few dozen.
const OBSERVANCES_MAX: usize = 400;
/// Two changes a year take 500; what wants more than this stays at the offset that was reached.
const STEPS: u32 = 5000;
/// From this year on no changes are worked out; the offset stays.
const YEAR_MAX: i32 = 2200;

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
                        Date::Time(at) | Date::Period(at, _) => dates.push(at.local()),
                    }
                }
            }
            observances.push(Observance {
                start,
                from: offset(part.value("TZOFFSETFROM")?)?,
                to: offset(part.value("TZOFFSETTO")?)?,
                rule: match part.value("RRULE") {
                    Some(text) => Some(Rule::parse(text).ok()?),
                    None => None,
                },
                dates,
            });
        }
        let before = observances.iter().min_by_key(|observance| observance.start)?.from;
        Some(Custom { observances, changes: OnceLock::new(), before })
    }

    fn changes(&self) -> &[(NaiveDateTime, FixedOffset)] {
        self.changes.get_or_init(|| {
            let mut changes = Vec::new();
            let mut budget = Budget::new(STEPS);
            for observance in &self.observances {
                let mut onsets = vec![observance.start];
                onsets.extend(&observance.dates);
                if let Some(rule) = &observance.rule {
                    // UNTIL is in UTC here, RFC 5545 3.6.5.
                    let until = rule.until.map(|until| match until.utc {
                        true => until.local.checked_add_offset(observance.from).unwrap_or(until.local),
                        false => until.last_local(),
                    });
                    let end = NaiveDate::from_ymd_opt(YEAR_MAX, 1, 1).unwrap_or_default().and_time(NaiveTime::MIN);
                    let mut steps = steps::starts(rule, observance.start, observance.start, end);
                    while let Ok(Some(onset)) = steps.next(&mut budget) {
                        if until.is_some_and(|until| onset > until) {
                            break;
                        }
                        onsets.push(onset);
                    }
                }
                changes.extend(
                    onsets
                        .into_iter()
                        .map(|onset| (onset.checked_sub_offset(observance.from).unwrap_or(onset), observance.to)),
                );
            }
            changes.sort_by_key(|(at, _)| *at);
            changes.dedup_by_key(|(at, _)| *at);
            changes
        })
    }

    pub fn offset_at(&self, utc: NaiveDateTime) -> FixedOffset {
        let changes = self.changes();
        let next = changes.partition_point(|(at, _)| *at <= utc);
        next.checked_sub(1).and_then(|last| changes.get(last)).map_or(self.before, |(_, offset)| *offset)
    }

    pub fn offset_of_local(&self, local: NaiveDateTime) -> FixedOffset {
        // The offset before a change counts until its own clock reaches the change: so the first of an overlap, and a
        // gap is read with the offset before it.
        let changes = self.changes();
        let reached = |index: usize| {
            let before = index.checked_sub(1).and_then(|last| changes.get(last)).map_or(self.before, |(_, o)| *o);
            let Some((at, after)) = changes.get(index) else { return false };
            let old_clock = at.checked_add_offset(before).unwrap_or(*at);
            let new_clock = at.checked_add_offset(*after).unwrap_or(*at);
            local >= old_clock.max(new_clock)
        };
        // Changes lie further apart than offsets differ, so `reached` is true up to some index and false behind it.
        let guess = changes.partition_point(|(at, _)| *at <= local);
        let mut index = guess.saturating_sub(2);
        while index < changes.len() && reached(index) {
            index += 1;
        }
        index.checked_sub(1).and_then(|last| changes.get(last)).map_or(self.before, |(_, offset)| *offset)
    }
}

/// `+0530`, `-033000`.
fn offset(text: &str) -> Option<FixedOffset> {
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    if !matches!(digits.len(), 4 | 6) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: i32 = digits.parse().ok()?;
    let (clock, seconds) = if digits.len() == 6 { (number / 100, number % 100) } else { (number, 0) };
    FixedOffset::east_opt(sign * ((clock / 100) * 3600 + (clock % 100) * 60 + seconds))
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
