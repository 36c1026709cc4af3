//! The components of one UID, read: starts, ends, rules, exceptions. Expands nothing.

use chrono_tz::Tz;

use crate::domain::refusal::Fault;
use crate::ical::block::Block;
use crate::ical::lines::Property;
use crate::ical::recur::reading::Reading;
use crate::ical::recur::recurrence::Recurrence;
use crate::ical::recur::rule::Rule;
use crate::ical::text;
use crate::ical::time::{self, Date, End, Length, Time};
use crate::ical::zones::Zones;

/// A master with its overrides; or overrides alone, where somebody is invited to single instances.
#[derive(Clone, Debug, Default)]
pub struct Series {
    pub uid: String,
    /// Of several, which RFC 5545 3.8.4.7 forbids, the latest version.
    pub master: Option<Part>,
    pub overrides: Vec<Part>,
}

impl Series {
    /// The master, then the overrides.
    pub fn parts(&self) -> impl Iterator<Item = &Part> + Clone {
        self.master.iter().chain(&self.overrides)
    }
}

/// One VEVENT, VTODO or VJOURNAL.
#[derive(Clone, Debug)]
pub struct Part {
    /// Its place among the components of the VCALENDAR.
    pub block: usize,
    /// DTSTART; DUE for a to-do that has only that. `None` for what stands at no time.
    pub start: Option<Time>,
    pub end: Option<End>,
    pub recurrence_id: Option<Time>,
    /// RANGE=THISANDFUTURE.
    pub future: bool,
    pub rules: Vec<Recurrence>,
    /// EXRULE of RFC 2445; old calendars still hold some.
    pub exrules: Vec<Recurrence>,
    pub rdates: Vec<Date>,
    pub exdates: Vec<Time>,
    pub cancelled: bool,
    pub summary: String,
    /// SEQUENCE and DTSTAMP: the later of two overrides of one instance counts.
    pub version: (i64, String),
}

impl Part {
    pub fn recurs(&self) -> bool {
        !self.rules.is_empty() || !self.rdates.is_empty()
    }

    /// How long an instance lasts: days where it is made of days, seconds on the clock otherwise. Days stay days over
    /// a change of the clock; what is given by two clock readings keeps its seconds, RFC 5545 3.8.5.3.
    pub fn length(&self, default: Tz) -> Length {
        match (&self.start, &self.end) {
            (_, Some(End::After(length))) => *length,
            (Some(first), Some(End::At(end))) if first.is_date() && end.is_date() => {
                Length { days: (end.local() - first.local()).num_days(), seconds: 0 }
            }
            (Some(first), Some(End::At(end))) => {
                Length { days: 0, seconds: (end.instant(default) - first.instant(default)).num_seconds() }
            }
            (Some(first), None) if first.is_date() => Length { days: 1, seconds: 0 },
            _ => Length::default(),
        }
    }

    /// The component's own start and end, in seconds since 1970; never one before the other.
    pub fn stands(&self, default: Tz) -> Option<(i64, i64)> {
        let start = Reading::of(self.start.as_ref()?);
        let at = start.at(default);
        Some((at, start.after(at, self.length(default), default).max(at)))
    }

    fn read(index: usize, block: &Block, zones: &Zones) -> Result<Part, Fault> {
        let located = |property: &Property| {
            let line = property.line;
            move |why: String| Fault::at(line, why)
        };
        let one = |name: &str| -> Result<Option<Time>, Fault> {
            match block.property(name) {
                Some(property) => time::time(property, &property.value, zones).map(Some).map_err(located(property)),
                None => Ok(None),
            }
        };
        let rules = |name: &str| -> Result<Vec<Rule>, Fault> {
            let written = block.properties.iter().filter(|property| property.name == name);
            written.map(|property| Rule::parse(&property.value).map_err(located(property))).collect()
        };
        let todo = block.name == "VTODO";
        let due = if todo { one("DUE")? } else { one("DTEND")? };
        let duration = match block.property("DURATION") {
            Some(property) => {
                let why = || Fault::at(property.line, format!("no duration: {:?}", excerpt(&property.value)));
                Some(Length::parse(&property.value).ok_or_else(why)?)
            }
            None => None,
        };
        // RFC 5545 3.6.2 lets a to-do have DUE alone: it then stands at its end.
        let start = one("DTSTART")?.or_else(|| due.clone().filter(|_| todo));
        let beginning = |rules: Vec<Rule>| match &start {
            Some(start) => rules.into_iter().map(|rule| Recurrence::new(rule, start.local())).collect(),
            None => Vec::new(),
        };
        let mut part = Part {
            block: index,
            end: due.clone().map(End::At).or(duration.map(End::After)),
            recurrence_id: one("RECURRENCE-ID")?,
            future: block
                .property("RECURRENCE-ID")
                .and_then(|property| property.param("RANGE"))
                .is_some_and(|range| range.eq_ignore_ascii_case("THISANDFUTURE")),
            rules: beginning(rules("RRULE")?),
            exrules: beginning(rules("EXRULE")?),
            rdates: Vec::new(),
            exdates: Vec::new(),
            cancelled: block.is("STATUS", "CANCELLED"),
            summary: block.property("SUMMARY").map(|property| text::unescaped(&property.value)).unwrap_or_default(),
            version: (
                block.value("SEQUENCE").and_then(|text| text.parse().ok()).unwrap_or(0),
                block.value("DTSTAMP").unwrap_or_default().to_owned(),
            ),
            start,
        };
        for property in block.properties("RDATE") {
            part.rdates.extend(time::dates(property, zones).map_err(located(property))?);
        }
        for property in block.properties("EXDATE") {
            for date in time::dates(property, zones).map_err(located(property))? {
                match date {
                    Date::Time(at) | Date::Period(at, _) => part.exdates.push(at),
                }
            }
        }
        Ok(part)
    }
}

/// Reads every series of a VCALENDAR. A series with a fault anywhere is left out: it is kept as it was sent, and no
/// part of it is shown or rung at a guess.
pub fn series(root: &Block, zones: &Zones) -> (Vec<Series>, Vec<Fault>) {
    named(&root.blocks, &["VEVENT", "VTODO", "VJOURNAL"], zones)
}

/// The times of a VAVAILABILITY in which somebody is available: its AVAILABLE components, which recur like events. RFC 7953 3.1.
pub fn available(availability: &Block, zones: &Zones) -> (Vec<Series>, Vec<Fault>) {
    named(&availability.blocks, &["AVAILABLE"], zones)
}

fn named(blocks: &[Block], names: &[&str], zones: &Zones) -> (Vec<Series>, Vec<Fault>) {
    let mut all: Vec<Series> = Vec::new();
    let mut places: std::collections::HashMap<String, usize> = std::collections::HashMap::new();
    let mut broken: std::collections::HashSet<String> = std::collections::HashSet::new();
    let mut flaws = Vec::new();
    for (index, block) in blocks.iter().enumerate() {
        if !names.contains(&block.name.as_str()) {
            continue;
        }
        let uid = uid(block).unwrap_or_default();
        match Part::read(index, block, zones) {
            Ok(part) => {
                let place = *places.entry(uid.clone()).or_insert_with(|| {
                    all.push(Series { uid, ..Series::default() });
                    all.len() - 1
                });
                let Some(series) = all.get_mut(place) else { continue };
                match part.recurrence_id {
                    Some(_) => series.overrides.push(part),
                    None if series.master.as_ref().is_some_and(|master| master.version > part.version) => {}
                    None => series.master = Some(part),
                }
            }
            Err(fault) => {
                flaws.push(fault);
                broken.insert(uid);
            }
        }
    }
    all.retain(|series| !broken.contains(&series.uid));
    (all, flaws)
}

/// A component's UID, its text escapes undone.
pub fn uid(block: &Block) -> Option<String> {
    block.value("UID").map(text::unescaped)
}

fn excerpt(text: &str) -> String {
    text.chars().take(40).collect()
}
