//! A calendar object: text to components, and whether it may be stored. Knows no store; expands nothing.

use chrono_tz::Tz;

use crate::domain::object::{Component, Span};
use crate::domain::refusal::Fault;
use crate::ical::block::{Block, Builder};
use crate::ical::lines::{Limits, Lines};
use crate::ical::recur::series::{self, Series};
use crate::ical::recur::span;
use crate::ical::time::Time;
use crate::ical::trigger::{self, Trigger};
use crate::ical::zones::Zones;

/// One VCALENDAR, read once: its components as written, its zones resolved, its series understood.
#[derive(Clone, Debug)]
pub struct CalendarObject {
    root: Block,
    zones: Zones,
    series: Vec<Series>,
    /// The alarms that can ring, for each component in the order of the text.
    alarms: Vec<Vec<Trigger>>,
    flaws: Vec<Fault>,
}

impl CalendarObject {
    /// Reads one VCALENDAR; refuses what is no such thing, what breaks a limit, and lines that cannot be read.
    ///
    /// ```
    /// use campanile::ical::lines::Limits;
    /// use campanile::ical::object::CalendarObject;
    /// let text = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:20250115T090000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    /// let object = CalendarObject::read(text.as_bytes(), &Limits::default()).unwrap();
    /// assert!(object.storable().is_ok());
    /// assert_eq!(object.uid().as_deref(), Some("1"));
    /// ```
    pub fn read(bytes: &[u8], limits: &Limits) -> Result<CalendarObject, Fault> {
        let root = only(bytes, "VCALENDAR", limits)?;
        let zones = Zones::of(&root);
        let (series, mut flaws) = series::series(&root, &zones);
        let alarms = root.blocks.iter().map(|block| trigger::triggers(block, &mut flaws)).collect();
        flaws.sort_by_key(|fault| fault.line);
        Ok(CalendarObject { root, zones, series, alarms, flaws })
    }

    /// Whether a collection may hold it as it is. RFC 4791 4.1: one UID, one type of component, no METHOD.
    pub fn storable(&self) -> Result<(), Fault> {
        if let Some(method) = self.root.property("METHOD") {
            return Err(Fault::at(
                method.line,
                format!("METHOD:{} does not belong into a stored object", method.value),
            ));
        }
        let mut first: Option<(Component, String)> = None;
        for block in self.components() {
            let kind = Component::from_name(&block.name).filter(|kind| *kind != Component::Card);
            let Some(kind) = kind else {
                return Err(Fault::at(block.line, format!("a calendar object cannot hold a {}", block.name)));
            };
            let uid =
                series::uid(block).ok_or_else(|| Fault::at(block.line, format!("a {} without UID", block.name)))?;
            if kind == Component::Event && block.value("DTSTART").is_none() {
                return Err(Fault::at(block.line, "a VEVENT without DTSTART"));
            }
            match &first {
                None => first = Some((kind, uid)),
                Some((other, _)) if *other != kind => {
                    let why = format!("a {} beside a {}", block.name, other.as_str());
                    return Err(Fault::at(block.line, why));
                }
                Some((_, other)) if *other != uid => {
                    return Err(Fault::at(block.line, format!("a second UID: {uid:?} beside {other:?}")));
                }
                Some(_) => {}
            }
        }
        match first {
            Some(_) => Ok(()),
            None => Err(Fault::at(self.root.line, "a VCALENDAR without a component")),
        }
    }

    /// What is wrong with it beyond its form: rules, zones, dates and triggers that cannot be understood. A series with
    /// such a fault has no occurrences, an alarm with one never rings; the object is kept nonetheless.
    pub fn flaws(&self) -> &[Fault] {
        &self.flaws
    }

    /// The UID of its first component.
    pub fn uid(&self) -> Option<String> {
        self.components().find_map(series::uid)
    }

    /// The kind of its first component.
    pub fn component(&self) -> Option<Component> {
        self.components().find_map(|block| Component::from_name(&block.name))
    }

    pub fn method(&self) -> Option<&str> {
        self.root.value("METHOD")
    }

    /// The VCALENDAR itself.
    pub fn root(&self) -> &Block {
        &self.root
    }

    /// Every component but VTIMEZONE, in the order of the text.
    pub fn components(&self) -> impl Iterator<Item = &Block> {
        self.root.blocks.iter().filter(|block| block.name != "VTIMEZONE")
    }

    pub fn timezones(&self) -> impl Iterator<Item = &Block> {
        self.root.blocks("VTIMEZONE")
    }

    /// The zones that its TZIDs mean.
    pub fn zones(&self) -> &Zones {
        &self.zones
    }

    /// Its series without a fault, one for each UID.
    pub fn series(&self) -> &[Series] {
        &self.series
    }

    /// The alarms of one of its components that can ring.
    pub fn alarms(&self, block: usize) -> &[Trigger] {
        self.alarms.get(block).map(Vec::as_slice).unwrap_or_default()
    }

    /// SUMMARY of the master, else of the first component that has one.
    pub fn summary(&self) -> &str {
        let parts = || self.series.iter().flat_map(Series::parts);
        parts().map(|part| part.summary.as_str()).find(|summary| !summary.is_empty()).unwrap_or_default()
    }

    /// Whether its times depend on the zone of whoever reads it: dates and floating times. Its due rows are then made
    /// anew when that zone changes.
    pub fn floats(&self) -> bool {
        let mut parts = self.series.iter().flat_map(Series::parts);
        parts.any(|part| matches!(part.start, Some(Time::Floating(_) | Time::Date(_))))
    }

    /// From the first start to the last end; `None` where nothing stands at a time, or a fault hides when.
    pub fn span(&self, zone: Tz) -> Option<Span> {
        span::span(self, zone)
    }
}

/// The one outermost component of a text, of the name that is wanted.
pub fn only(bytes: &[u8], name: &str, limits: &Limits) -> Result<Block, Fault> {
    if bytes.len() > limits.object_bytes {
        return Err(Fault::whole(format!("larger than {} bytes", limits.object_bytes)));
    }
    let mut builder = Builder::default();
    let mut root: Option<Block> = None;
    let mut lines = Lines::new(bytes, limits);
    while let Some(line) = lines.next() {
        let line = line.map_err(|broken| match builder.is_empty() && root.is_none() {
            true => Fault { why: format!("BEGIN:{name} is missing"), ..broken.fault },
            false => broken.fault,
        })?;
        if root.is_some() {
            return Err(Fault::at(line.line, format!("something follows END:{name}")));
        }
        if builder.is_empty() && !(line.name == "BEGIN" && line.value.trim().eq_ignore_ascii_case(name)) {
            return Err(Fault::at(line.line, format!("BEGIN:{name} is missing")));
        }
        let soft = crate::ical::vcard::soft_break(&line);
        root = builder.take(line, limits)?;
        if soft && let Some(property) = builder.last_mut() {
            crate::ical::vcard::join_soft_breaks(property, &mut lines, limits)?;
        }
    }
    match root {
        Some(root) => Ok(root),
        None => Err(match builder.innermost() {
            Some(open) => {
                Fault::at(lines.line(), format!("the text ends within the {} of line {}", open.name, open.line))
            }
            None => Fault::at(1, format!("BEGIN:{name} is missing")),
        }),
    }
}
