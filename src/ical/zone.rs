//! Wall clocks to instants, and names to zones: the tz database, Windows and old names. What a VTIMEZONE says is read elsewhere.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::ical::spans::{self, Span};
use crate::ical::vtimezone::Custom;

/// What makes an instant of a clock reading.
#[derive(Clone, Debug)]
pub enum Zone {
    Utc,
    Named(Tz),
    /// What a VTIMEZONE describes, or a fixed offset.
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
    /// The stretch of readings with one offset that a reading stands in: of two in an overlap the first; a gap belongs
    /// to the offset before it, RFC 5545 3.3.5.
    pub fn span(&self, reading: i64) -> Span {
        match self {
            Zone::Utc => Span::fixed(0),
            Zone::Named(tz) => spans::span_of(*tz, reading),
            Zone::Custom(custom) => custom.spans().span(reading),
        }
    }

    /// Seconds that its clock is ahead of UTC at an instant.
    pub fn offset(&self, at: i64) -> i64 {
        match self {
            Zone::Utc => 0,
            Zone::Named(tz) => spans::offset_of(*tz, at),
            Zone::Custom(custom) => custom.spans().offset(at),
        }
    }

    /// The first instant in an overlap; in a gap the offset before it counts.
    pub fn to_utc(&self, local: NaiveDateTime) -> DateTime<Utc> {
        let offset = self.span(local.and_utc().timestamp()).offset;
        local.checked_sub_signed(TimeDelta::seconds(offset)).unwrap_or(local).and_utc()
    }

    /// The clock reading at an instant.
    pub fn to_local(&self, at: DateTime<Utc>) -> NaiveDateTime {
        let (offset, at) = (self.offset(at.timestamp()), at.naive_utc());
        at.checked_add_signed(TimeDelta::seconds(offset)).unwrap_or(at)
    }
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
    let name = name.trim().trim_matches('"').trim();
    // No name is longer, and a hostile one should cost nothing.
    if name.len() > 200 {
        return None;
    }
    if let Some(tz) = iana(name).or_else(|| windows(name)).or_else(|| legacy(name)) {
        return Some(tz);
    }
    // `/vendor/version/Europe/Paris`: libical, Evolution and Mozilla write it so. The longest tail that is a name wins.
    let mut tail = name.trim_start_matches('/');
    while let Some((_, rest)) = tail.split_once('/') {
        if let Some(tz) = iana(rest) {
            return Some(tz);
        }
        tail = rest;
    }
    None
}

/// A name of the tz database, in any case.
pub fn iana(name: &str) -> Option<Tz> {
    static FOLDED: OnceLock<HashMap<String, Tz>> = OnceLock::new();
    if let Ok(tz) = name.parse() {
        return Some(tz);
    }
    let folded =
        FOLDED.get_or_init(|| chrono_tz::TZ_VARIANTS.iter().map(|tz| (tz.name().to_ascii_lowercase(), *tz)).collect());
    // Some producers write blanks for the underscores of `America/New_York`.
    folded.get(&name.to_ascii_lowercase().replace(' ', "_")).copied()
}

/// Names that the tz database gave up, and what old programs call its zones.
const LEGACY: &[(&str, &str)] = &[
    ("US/Pacific-New", "America/Los_Angeles"),
    ("Canada/East-Saskatchewan", "America/Regina"),
    ("Asia/Riyadh87", "Asia/Riyadh"),
    ("Asia/Riyadh88", "Asia/Riyadh"),
    ("Asia/Riyadh89", "Asia/Riyadh"),
    ("Z", "UTC"),
    ("Coordinated Universal Time", "UTC"),
    ("Greenwich Mean Time", "Etc/GMT"),
    ("US-Eastern", "America/New_York"),
    ("US-Central", "America/Chicago"),
    ("US-Mountain", "America/Denver"),
    ("US-Pacific", "America/Los_Angeles"),
    ("Eastern", "America/New_York"),
    ("Central", "America/Chicago"),
    ("Mountain", "America/Denver"),
    ("Pacific", "America/Los_Angeles"),
    ("Eastern Time (US & Canada)", "America/New_York"),
    ("Central Time (US & Canada)", "America/Chicago"),
    ("Mountain Time (US & Canada)", "America/Denver"),
    ("Pacific Time (US & Canada)", "America/Los_Angeles"),
];

fn legacy(name: &str) -> Option<Tz> {
    if let Some((_, tz)) = LEGACY.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
        return tz.parse().ok();
    }
    // Windows has a second name for the summer half of a zone, and some write it.
    let (head, tail) = name.split_at_checked(name.len().checked_sub(14)?)?;
    if !tail.eq_ignore_ascii_case(" Daylight Time") {
        return None;
    }
    windows(&format!("{head} Standard Time"))
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
