//! Zone names to zones, and wall clocks to instants: the tz database and Windows names. What a VTIMEZONE says is read elsewhere.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use chrono::{DateTime, FixedOffset, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

use crate::ical::block::Block;
use crate::ical::vtimezone::Custom;

/// What makes an instant of a clock reading.
#[derive(Clone, Debug)]
pub enum Zone {
    Utc,
    Named(Tz),
    /// What a VTIMEZONE describes, for names that nobody else knows.
    Custom(Arc<Custom>),
}

impl PartialEq for Zone {
    fn eq(&self, other: &Zone) -> bool {
        match (self, other) {
            (Zone::Utc, Zone::Utc) => true,
            (Zone::Named(one), Zone::Named(two)) => one == two,
            (Zone::Custom(one), Zone::Custom(two)) => Arc::ptr_eq(one, two),
            _ => false,
        }
    }
}

impl Zone {
    /// The first instant in an overlap; in a gap the offset before it counts, RFC 5545 3.3.5.
    pub fn to_utc(&self, local: NaiveDateTime) -> DateTime<Utc> {
        match self {
            Zone::Utc => local.and_utc(),
            Zone::Named(tz) => with_offset(local, named_offset(*tz, local)),
            Zone::Custom(custom) => with_offset(local, custom.offset_of_local(local)),
        }
    }

    /// The clock reading at an instant.
    pub fn to_local(&self, at: DateTime<Utc>) -> NaiveDateTime {
        at.naive_utc().checked_add_offset(self.offset(at)).unwrap_or(at.naive_utc())
    }

    pub fn offset(&self, at: DateTime<Utc>) -> FixedOffset {
        match self {
            Zone::Utc => Utc.fix(),
            Zone::Named(tz) => tz.offset_from_utc_datetime(&at.naive_utc()).fix(),
            Zone::Custom(custom) => custom.offset_at(at.naive_utc()),
        }
    }
}

fn with_offset(local: NaiveDateTime, offset: FixedOffset) -> DateTime<Utc> {
    local.checked_sub_offset(offset).unwrap_or(local).and_utc()
}

fn named_offset(tz: Tz, local: NaiveDateTime) -> FixedOffset {
    if let Some(offset) = tz.offset_from_local_datetime(&local).earliest() {
        return offset.fix();
    }
    // A gap: the clock reading a little earlier exists. Samoa's gap of 2011 is the longest, a whole day.
    let mut before = local;
    for _ in 0..100 {
        let Some(earlier) = before.checked_sub_signed(TimeDelta::minutes(15)) else { break };
        before = earlier;
        if let Some(offset) = tz.offset_from_local_datetime(&before).latest() {
            return offset.fix();
        }
    }
    tz.offset_from_utc_datetime(&local).fix()
}

/// A zone by its name alone: the tz database in any case, a path that ends in such a name, a Windows name.
///
/// ```
/// use campanile::ical::zone;
/// assert_eq!(zone::named("europe/paris"), Some(chrono_tz::Europe::Paris));
/// assert_eq!(zone::named("/mozilla.org/20050126_1/Europe/Paris"), Some(chrono_tz::Europe::Paris));
/// assert_eq!(zone::named("W. Europe Standard Time"), Some(chrono_tz::Europe::Berlin));
/// assert_eq!(zone::named("Mars/Olympus"), None);
/// ```
pub fn named(name: &str) -> Option<Tz> {
    let name = name.trim();
    // No name is longer, and a hostile one should cost nothing.
    if name.len() > 200 {
        return None;
    }
    if let Some(tz) = iana(name) {
        return Some(tz);
    }
    if let Some(tz) = windows(name) {
        return Some(tz);
    }
    // `/vendor/version/Europe/Paris`: libical, Evolution and Mozilla write it so. The longest tail that is a name wins.
    let mut tail = name.strip_prefix('/')?;
    while let Some((_, rest)) = tail.split_once('/') {
        if let Some(tz) = iana(rest) {
            return Some(tz);
        }
        tail = rest;
    }
    None
}

fn iana(name: &str) -> Option<Tz> {
    static FOLDED: OnceLock<HashMap<String, Tz>> = OnceLock::new();
    if let Ok(tz) = name.parse() {
        return Some(tz);
    }
    let folded =
        FOLDED.get_or_init(|| chrono_tz::TZ_VARIANTS.iter().map(|tz| (tz.name().to_ascii_lowercase(), *tz)).collect());
    // Some producers write blanks for the underscores of `America/New_York`.
    folded.get(&name.to_ascii_lowercase().replace(' ', "_")).copied()
}

/// Windows names, from the CLDR's map for territory 001.
const WINDOWS: &str = include_str!("../../data/windows-zones.txt");

fn windows(name: &str) -> Option<Tz> {
    static TABLE: OnceLock<HashMap<String, Tz>> = OnceLock::new();
    let table = TABLE.get_or_init(|| {
        WINDOWS
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split_once('='))
            .filter_map(|(windows, iana)| Some((windows.trim().to_ascii_lowercase(), iana.trim().parse().ok()?)))
            .collect()
    });
    table.get(&name.to_ascii_lowercase()).copied()
}

/// The zones that an object names, each resolved once.
#[derive(Clone, Debug, Default)]
pub struct Zones {
    found: HashMap<String, Zone>,
}

impl Zones {
    /// Resolves every TZID that is used below `root`. The tz database wins over a VTIMEZONE of the same name.
    pub fn of(root: &Block) -> Zones {
        let mut zones = Zones::default();
        let definitions: HashMap<&str, &Block> =
            root.blocks("VTIMEZONE").filter_map(|block| Some((block.value("TZID")?, block))).collect();
        for property in root.all_properties() {
            let Some(tzid) = property.param("TZID") else { continue };
            if tzid.is_empty() || zones.found.contains_key(tzid) {
                continue;
            }
            if let Some(zone) = resolved(tzid, &definitions) {
                zones.found.insert(tzid.to_owned(), zone);
            }
        }
        zones
    }

    pub fn get(&self, tzid: &str) -> Option<&Zone> {
        self.found.get(tzid)
    }
}

fn resolved(tzid: &str, definitions: &HashMap<&str, &Block>) -> Option<Zone> {
    if let Some(tz) = named(tzid) {
        return Some(if tz == Tz::UTC { Zone::Utc } else { Zone::Named(tz) });
    }
    let definition = definitions.get(tzid.trim())?;
    if let Some(tz) = definition.value("X-LIC-LOCATION").and_then(iana) {
        return Some(Zone::Named(tz));
    }
    Custom::read(definition).map(|custom| Zone::Custom(Arc::new(custom)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::ical::time;

    #[test]
    fn every_windows_name_is_a_zone() {
        let lines: Vec<_> = WINDOWS.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
        assert!(lines.len() >= 135, "{}", lines.len());
        for line in lines {
            let (windows, iana) = line.split_once('=').unwrap();
            assert!(iana.trim().parse::<Tz>().is_ok(), "{line}");
            assert!(named(windows.trim()).is_some(), "{line}");
        }
    }

    #[test]
    fn clocks_become_instants() {
        let table = [
            ("Europe/Paris", "20250115T090000", "20250115T080000"),
            // The gap: 02:30 does not exist, and is read with the offset before it.
            ("Europe/Paris", "20250330T023000", "20250330T013000"),
            // The overlap: the first.
            ("Europe/Paris", "20251026T023000", "20251026T003000"),
            ("America/Sao_Paulo", "20181104T000000", "20181104T030000"),
            ("America/Havana", "20241103T003000", "20241103T043000"),
            ("Pacific/Apia", "20111230T120000", "20111230T220000"),
        ];
        for (zone, local, utc) in table {
            let at = Zone::Named(named(zone).unwrap()).to_utc(time::date_time(local).unwrap().0);
            assert_eq!(at.naive_utc(), time::date_time(utc).unwrap().0, "{zone} {local}");
        }
    }
}
