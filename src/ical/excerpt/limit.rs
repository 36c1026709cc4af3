//! Which overrides and which busy periods matter in a range. RFC 4791 9.6.6 and 9.6.7.

use std::collections::HashSet;

use chrono_tz::Tz;

use crate::domain::query::Range;
use crate::ical::excerpt::pen::Instead;
use crate::ical::filter::ranges;
use crate::ical::lines::Property;
use crate::ical::object::CalendarObject;
use crate::ical::recur::reading::{Reading, instant};

/// Which components stay, by their place: all but the overrides that neither stand in the range nor take an instance out of it.
pub fn kept(object: &CalendarObject, range: Range, zone: Tz) -> impl Fn(usize) -> bool + use<> {
    let (from, to) = range.ends();
    let mut dropped = HashSet::new();
    for series in object.series() {
        let first = series.master.as_ref().and_then(|master| master.start.as_ref());
        let length = series.master.as_ref().map(|master| master.length(zone)).unwrap_or_default();
        for part in &series.overrides {
            let Some(written) = &part.recurrence_id else { continue };
            let original = first.map_or_else(|| Reading::of(written), |first| Reading::like(written, first));
            let at = original.at(zone);
            let spans = |start: i64, end: i64| {
                let (start, end) = (instant(start), instant(end.max(start)));
                start < to && (end > from || (end == start && start >= from))
            };
            // What changes all that follows matters as long as anything follows.
            let matters = spans(at, original.after(at, length, zone))
                || part.stands(zone).is_some_and(|(start, end)| spans(start, end))
                || (part.future && instant(at) < to);
            if !matters {
                dropped.insert(part.block);
            }
        }
    }
    move |place| !dropped.contains(&place)
}

/// A FREEBUSY property with the periods that overlap a range.
pub fn periods(object: &CalendarObject, property: &Property, range: Range, zone: Tz) -> Instead {
    if property.name != "FREEBUSY" {
        return Instead::AsWritten;
    }
    let (from, to) = range.ends();
    let kept: Vec<String> = ranges::periods(object, property, zone)
        .into_iter()
        .filter(|(start, end)| *start < to && *end > from)
        .map(|(start, end)| format!("{}/{}", start.format("%Y%m%dT%H%M%SZ"), end.format("%Y%m%dT%H%M%SZ")))
        .collect();
    if kept.is_empty() {
        return Instead::Nothing;
    }
    let kind = property.param("FBTYPE").map(|kind| kind.to_ascii_uppercase());
    let known = kind.filter(|kind| kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'));
    let kind = known.map(|kind| format!(";FBTYPE={kind}")).unwrap_or_default();
    Instead::Line(format!("FREEBUSY{kind}:{}", kept.join(",")))
}
