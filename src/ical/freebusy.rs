//! When somebody is busy, from what their calendars hold, and that as a VFREEBUSY. RFC 4791 7.10. Knows no collection.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::ical::filter::ranges;
use crate::ical::object::CalendarObject;
use crate::ical::recur::budget::{Budget, Exhausted};
use crate::ical::recur::reading::instant;
use crate::ical::recur::window;
use crate::ical::text;
use crate::ical::write::PRODID;

/// How somebody is busy; what is sure comes first. RFC 5545 3.2.9.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Busy,
    Unavailable,
    Tentative,
}

impl Kind {
    /// RFC 5545 3.2.9.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Busy => "BUSY",
            Kind::Unavailable => "BUSY-UNAVAILABLE",
            Kind::Tentative => "BUSY-TENTATIVE",
        }
    }
}

/// A stretch of time in which somebody is busy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period {
    pub kind: Kind,
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
}

type Window = (DateTime<Utc>, DateTime<Utc>);

/// Adds what an object says about a window, cut to it: its events unless they are transparent or cancelled, and the periods of a VFREEBUSY.
/// Dates and floating times stand in `zone`.
pub fn gather(
    object: &CalendarObject,
    window: Window,
    zone: Tz,
    budget: &mut Budget,
    all: &mut Vec<Period>,
) -> Result<(), Exhausted> {
    window::each_overlapping(object, window, zone, budget, |_, instance, _| {
        let Some(block) = object.root().blocks.get(instance.part.block) else { return Ok(()) };
        let free = block.name != "VEVENT" || block.is("TRANSP", "TRANSPARENT") || instance.part.cancelled;
        if !free {
            let kind = if block.is("STATUS", "TENTATIVE") { Kind::Tentative } else { Kind::Busy };
            all.extend(cut(kind, instant(instance.at), instant(instance.end), window));
        }
        Ok(())
    })?;
    for property in object.root().blocks("VFREEBUSY").flat_map(|block| block.properties("FREEBUSY")) {
        let kind = match property.param("FBTYPE").map(str::to_ascii_uppercase).as_deref() {
            Some("FREE") => continue,
            Some("BUSY-TENTATIVE") => Kind::Tentative,
            Some("BUSY-UNAVAILABLE") => Kind::Unavailable,
            // RFC 5545 3.2.9: what is not known is busy.
            _ => Kind::Busy,
        };
        for (from, to) in ranges::periods(object, property, zone) {
            budget.spend(1)?;
            all.extend(cut(kind, from, to, window));
        }
    }
    Ok(())
}

/// The part of a period within a window; `None` where nothing of it lies there.
pub fn cut(kind: Kind, from: DateTime<Utc>, to: DateTime<Utc>, window: Window) -> Option<Period> {
    let (from, to) = (from.max(window.0), to.min(window.1));
    (from < to).then_some(Period { kind, from, to })
}

/// The same in as few periods as say it, by kind and then by time.
pub fn merged(mut periods: Vec<Period>) -> Vec<Period> {
    periods.sort_unstable();
    let mut merged: Vec<Period> = Vec::new();
    for period in periods {
        match merged.last_mut() {
            Some(last) if last.kind == period.kind && period.from <= last.to => last.to = last.to.max(period.to),
            _ => merged.push(period),
        }
    }
    merged
}

/// A VCALENDAR with one VFREEBUSY about a window; the periods must be merged.
pub fn written(periods: &[Period], window: Window, now: DateTime<Utc>) -> String {
    let stamp = |at: DateTime<Utc>| at.format("%Y%m%dT%H%M%SZ").to_string();
    let mut out = format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:{PRODID}\r\nBEGIN:VFREEBUSY\r\nDTSTAMP:{}\r\nDTSTART:{}\r\nDTEND:{}\r\n",
        stamp(now),
        stamp(window.0),
        stamp(window.1)
    );
    for period in periods {
        let line = format!("FREEBUSY;FBTYPE={}:{}/{}", period.kind.as_str(), stamp(period.from), stamp(period.to));
        out.push_str(&text::folded(&line));
    }
    out.push_str("END:VFREEBUSY\r\nEND:VCALENDAR\r\n");
    out
}
