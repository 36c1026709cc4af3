//! When somebody is busy, from what their calendars hold, and that as a VFREEBUSY. RFC 4791 7.10. Knows no collection.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::ical::block::Block;
use crate::ical::filter::ranges;
use crate::ical::itip;
use crate::ical::itip::attendee::partstat;
use crate::ical::itip::party::Party;
use crate::ical::object::CalendarObject;
use crate::ical::recur::budget::{Budget, Exhausted};
use crate::ical::recur::reading::instant;
use crate::ical::recur::stream::Stream;
use crate::ical::recur::{series, span, window};
use crate::ical::text;
use crate::ical::time::{self, Length};
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

/// Adds what an object says about a window, cut to it: its events unless they are transparent, cancelled, or declined by `me`, and the
/// periods of a VFREEBUSY. What `me` accepted tentatively is tentative. Dates and floating times stand in `zone`.
pub fn gather(
    object: &CalendarObject,
    window: Window,
    zone: Tz,
    me: Option<&Party>,
    budget: &mut Budget,
    all: &mut Vec<Period>,
) -> Result<(), Exhausted> {
    window::each_overlapping(object, window, zone, budget, |_, instance, _| {
        let Some(block) = object.root().blocks.get(instance.part.block) else { return Ok(()) };
        let free = block.name != "VEVENT" || block.is("TRANSP", "TRANSPARENT") || instance.part.cancelled;
        let answer = me.and_then(|me| itip::attendee(block, me)).map(partstat);
        if !free && !answer.as_deref().is_some_and(is_away) {
            let perhaps = block.is("STATUS", "TENTATIVE") || answer.as_deref() == Some("TENTATIVE");
            let kind = if perhaps { Kind::Tentative } else { Kind::Busy };
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
    object.root().blocks("VAVAILABILITY").try_for_each(|block| unavailable(object, block, window, zone, budget, all))
}

/// Whether whoever answers this does not come. RFC 5545 3.2.12.
pub fn is_away(partstat: &str) -> bool {
    matches!(partstat, "DECLINED" | "DELEGATED")
}

/// What a VAVAILABILITY leaves of its time once what is available is taken out. RFC 7953 4; its priorities do not matter, as what one of
/// several says busy is.
fn unavailable(
    object: &CalendarObject,
    block: &Block,
    window: Window,
    zone: Tz,
    budget: &mut Budget,
    all: &mut Vec<Period>,
) -> Result<(), Exhausted> {
    let read = |name: &str| {
        block.property(name).map(|property| time::time(property, &property.value, object.zones())).transpose()
    };
    let (Ok(first), Ok(last)) = (read("DTSTART"), read("DTEND")) else { return Ok(()) };
    let length = block.value("DURATION").and_then(Length::parse);
    let end = match (&first, &last, length) {
        (_, Some(last), _) => Some(last.instant(zone)),
        (Some(first), None, Some(length)) => Some(length.after(first, zone)),
        _ => None,
    };
    let from = first.map_or(window.0, |first| first.instant(zone).max(window.0));
    let to = end.map_or(window.1, |end| end.min(window.1));
    let kind = match block.value("BUSYTYPE").map(str::to_ascii_uppercase).as_deref() {
        Some("BUSY") => Kind::Busy,
        Some("BUSY-TENTATIVE") => Kind::Tentative,
        _ => Kind::Unavailable,
    };
    let mut free = Vec::new();
    for series in &series::available(block, object.zones()).0 {
        let begin = time::shifted(from, -span::longest(series, zone)).timestamp();
        let mut stream = Stream::new(series, (begin, to.timestamp()), zone, budget)?;
        while let Some(instance) = stream.next(budget)? {
            budget.spend(1)?;
            free.extend(cut(kind, instant(instance.at), instant(instance.end), (from, to)));
        }
    }
    let mut at = from;
    for free in merged(free) {
        all.extend(cut(kind, at, free.from, window));
        at = at.max(free.to);
    }
    all.extend(cut(kind, at, to, window));
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
    said(periods, window, now, "", "")
}

/// The same as an answer to whoever asked; `about` are the content lines that say who asks, about whom, and which question it was.
pub fn replied(periods: &[Period], window: Window, now: DateTime<Utc>, about: &[String]) -> String {
    let about: String = about.iter().map(|line| text::folded(line)).collect();
    said(periods, window, now, "METHOD:REPLY\r\n", &about)
}

fn said(periods: &[Period], window: Window, now: DateTime<Utc>, method: &str, about: &str) -> String {
    let stamp = |at: DateTime<Utc>| at.format("%Y%m%dT%H%M%SZ").to_string();
    let mut out = format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:{PRODID}\r\n{method}BEGIN:VFREEBUSY\r\n{about}DTSTAMP:{}\r\nDTSTART:{}\r\nDTEND:{}\r\n",
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
