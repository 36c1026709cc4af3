//! The zones that an object names, each resolved once: the tz database, unless the object defines the name otherwise. Knows no rule.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::ical::block::Block;
use crate::ical::lines::Property;
use crate::ical::recur::civil::DAY;
use crate::ical::spans;
use crate::ical::text;
use crate::ical::time;
use crate::ical::vtimezone::Custom;
use crate::ical::zone::{self, Zone};

/// What each TZID of an object means.
#[derive(Clone, Debug, Default)]
pub struct Zones {
    found: HashMap<String, Zone>,
}

impl Zones {
    /// Resolves every TZID that is used below `root`.
    pub fn of(root: &Block) -> Zones {
        let mut zones = Zones::default();
        let definitions: HashMap<&str, &Block> =
            root.blocks("VTIMEZONE").filter_map(|block| Some((block.value("TZID")?, block))).collect();
        for property in root.all_properties() {
            let Some(tzid) = property.param("TZID") else { continue };
            if tzid.is_empty() || zones.found.contains_key(tzid) {
                continue;
            }
            if let Some(zone) = resolved(tzid, definitions.get(tzid.trim()).copied(), root) {
                zones.found.insert(tzid.to_owned(), zone);
            }
        }
        zones
    }

    pub fn get(&self, tzid: &str) -> Option<&Zone> {
        self.found.get(tzid)
    }
}

fn resolved(tzid: &str, definition: Option<&Block>, root: &Block) -> Option<Zone> {
    let custom = || definition.and_then(Custom::read);
    if let Some(tz) = zone::named(tzid) {
        // Most definitions tell what the database knows, or knows better since; one that differs where the event
        // stands is what its author saw.
        return match custom().filter(|custom| differs(custom, tz, range(root, tzid))) {
            Some(custom) => Some(Zone::Custom(Arc::new(custom))),
            None => Some(of_database(tz)),
        };
    }
    if let Some(tz) = definition.and_then(|definition| definition.value("X-LIC-LOCATION")).and_then(zone::iana) {
        return Some(of_database(tz));
    }
    let custom = custom().or_else(|| fixed(tzid).map(Custom::fixed))?;
    Some(Zone::Custom(Arc::new(custom)))
}

/// Years around an instant in which a definition and a zone of the database must agree to be taken for each other.
const LIKE_YEARS: i64 = 5;

/// The zone of the tz database that a VTIMEZONE means: by its name where that is known, else the first that has the same clock for five
/// years before and after `now`. `None` where none has.
pub fn of_definition(definition: &Block, now: DateTime<Utc>) -> Option<Tz> {
    let named = definition.value("TZID").and_then(zone::named);
    let named = named.or_else(|| definition.value("X-LIC-LOCATION").and_then(zone::iana));
    named.or_else(|| {
        let custom = Custom::read(definition)?;
        let reach = LIKE_YEARS * 366 * DAY;
        let range = (now.timestamp() - reach, now.timestamp() + reach);
        chrono_tz::TZ_VARIANTS.into_iter().find(|tz| !differs(&custom, *tz, Some(range)))
    })
}

fn of_database(tz: Tz) -> Zone {
    if tz == Tz::UTC { Zone::Utc } else { Zone::Named(tz) }
}

/// Whether a definition gives readings of a range other instants than the database does.
fn differs(custom: &Custom, tz: Tz, range: Option<(i64, i64)>) -> bool {
    let Some((from, to)) = range else { return false };
    // An object with a rule of a thousand years is compared where it begins.
    let to = to.min(from + 20 * 366 * DAY);
    // A day more on either side, for these are readings and changes are instants.
    let defined = custom.between(from - DAY, to + DAY);
    // Before its first onset a definition says nothing.
    let begin = custom.onset();
    let ours = |reading: i64| spans::span_of(tz, reading).offset;
    let theirs = |reading: i64| defined.span(reading).offset;
    let same = |reading: i64| reading < begin || ours(reading) == theirs(reading);
    // Between two changes nothing changes: it is enough to look at the ends, and where a span begins.
    let mut reading = from;
    loop {
        if !same(reading) || !same(to) {
            return true;
        }
        let next = spans::span_of(tz, reading).to.min(defined.span(reading).to);
        if next <= reading || next >= to {
            return false;
        }
        reading = next;
    }
}

/// From the first to the last reading of the properties that hang in a zone. A rule goes on until its UNTIL, or for a
/// year: what laws change later the database knows better than an old definition.
fn range(root: &Block, tzid: &str) -> Option<(i64, i64)> {
    let mut range: Option<(i64, i64)> = None;
    for component in root.blocks.iter().filter(|block| block.name != "VTIMEZONE") {
        let recurs = component.property("RRULE").is_some();
        let until = component.properties("RRULE").map(until_of).min().flatten();
        for property in component.properties.iter().filter(|property| property.param("TZID") == Some(tzid)) {
            for value in property.value.split([',', '/']) {
                let Some((local, false)) = time::date_time(value.trim()) else { continue };
                let at = local.and_utc().timestamp();
                let end = match until {
                    Some(until) => until.max(at),
                    None if recurs => at + 366 * DAY,
                    None => at,
                };
                range = Some(range.map_or((at, end), |(from, to)| (from.min(at), to.max(end))));
            }
        }
    }
    range
}

fn until_of(rule: &Property) -> Option<i64> {
    let mut parts = text::rule_parts(&rule.value);
    let (_, until) = parts.find(|(name, _)| name.eq_ignore_ascii_case("UNTIL"))?;
    let local = time::date_time(until).map(|(local, _)| local).or_else(|| Some(time::date(until)?.into()))?;
    Some(local.and_utc().timestamp())
}

/// `UTC+01:00`, `GMT-5`, `+0530`, `(UTC+01:00) Amsterdam, Berlin`: the seconds that such a name is ahead of UTC. People
/// mean the sign as ISO 8601 does, so only `Etc/GMT+1`, which the tz database has, is turned around.
fn fixed(tzid: &str) -> Option<i64> {
    let name = tzid.trim().trim_matches('"').trim();
    let name = match name.strip_prefix('(') {
        Some(rest) => rest.split_once(')')?.0.trim(),
        None => name,
    };
    let after = |prefix: &str| {
        let (head, tail) = name.split_at_checked(prefix.len())?;
        head.eq_ignore_ascii_case(prefix).then(|| tail.trim_start())
    };
    let offset = after("UTC").or_else(|| after("GMT")).unwrap_or(name);
    if offset.is_empty() {
        return (name.len() == 3).then_some(0);
    }
    let (sign, digits) = match (offset.strip_prefix('+'), offset.strip_prefix(['-', '\u{2212}'])) {
        (Some(digits), _) => (1, digits),
        (_, Some(digits)) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some(parts) => parts,
        None if digits.len() > 2 => digits.split_at_checked(digits.len() - 2)?,
        None => (digits, "0"),
    };
    let number = |text: &str, most: i64| {
        let short = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i64>().ok().filter(|number| short && *number <= most)
    };
    Some(sign * (number(hours, 18)? * 3600 + number(minutes, 59)? * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_are_names_too() {
        let table = [
            ("UTC+01:00", Some(3600)),
            ("GMT-5", Some(-18_000)),
            ("utc +5:30", Some(19_800)),
            ("GMT+0530", Some(19_800)),
            ("-08:00", Some(-28_800)),
            ("(UTC+01:00) Amsterdam, Berlin, Bern", Some(3600)),
            ("(GMT) Greenwich", Some(0)),
            ("UTC\u{2212}3", Some(-10_800)),
            ("UTC+25", None),
            ("UTC+1:75", None),
            ("UTC+", None),
            ("1", None),
            ("+", None),
            ("", None),
            ("Here+01:00", None),
        ];
        for (name, offset) in table {
            assert_eq!(fixed(name), offset, "{name}");
        }
    }
}
