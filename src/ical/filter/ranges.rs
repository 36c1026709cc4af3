//! Whether a component of an object overlaps a range: the tables of RFC 4791 9.9. Knows no filter.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::domain::query::Range;
use crate::ical::bells;
use crate::ical::block::Block;
use crate::ical::lines::Property;
use crate::ical::object::CalendarObject;
use crate::ical::recur::budget::{Budget, Exhausted};
use crate::ical::recur::reading::whole;
use crate::ical::recur::series::{Part, Series};
use crate::ical::recur::span;
use crate::ical::recur::stream::{Instance, Stream};
use crate::ical::time::{self, Date, End, Length, Time};
use crate::ical::trigger;

/// Whether a component, given by its place in the VCALENDAR, stands in a range. One that cannot be understood may: nobody shall miss it.
pub fn component(
    object: &CalendarObject,
    place: usize,
    block: &Block,
    range: Range,
    zone: Tz,
    budget: &mut Budget,
) -> Result<bool, Exhausted> {
    match block.name.as_str() {
        "VEVENT" | "VTODO" | "VJOURNAL" => {}
        "VFREEBUSY" => return Ok(free_busy(object, block, range, zone)),
        _ => return Ok(false),
    }
    let Some((series, part)) = found(object, place, block) else { return Ok(is_unread(object, block)) };
    if part.start.is_none() {
        return Ok(block.name == "VTODO" && undated(block, range));
    }
    let (from, to) = range.ends();
    let (first, last) = (whole(from), whole(to));
    let reach = span::longest(series, zone);
    // A to-do may still count where it is due at the very end.
    let window = (first.saturating_sub(reach), last.saturating_add(1));
    let mut stream = Stream::of(series, window, zone, |other| other.block == place, budget)?;
    let todo = (block.name == "VTODO").then(|| Todo::of(block));
    while let Some(instance) = stream.next(budget)? {
        let stands = match &todo {
            Some(todo) => todo.stands(&instance, (first, last)),
            None => {
                instance.at < last
                    && (instance.end_at() > from || (instance.end == instance.at && instance.at >= first))
            }
        };
        if stands {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether an alarm of a component rings in a range, acknowledged or not.
pub fn alarm(
    object: &CalendarObject,
    place: usize,
    alarm: &Block,
    range: Range,
    zone: Tz,
    budget: &mut Budget,
) -> Result<bool, Exhausted> {
    let Some(component) = object.root().blocks.get(place) else { return Ok(false) };
    // What cannot be read never rings.
    let Ok(Some(trigger)) = trigger::read(0, alarm) else { return Ok(false) };
    let (from, to) = range.ends();
    let (from, to) = (whole(from), whole(to));
    if let Some(first) = trigger.absolute(zone) {
        return Ok(bells::repeated(&trigger, first.timestamp(), from, to).next().is_some());
    }
    let Some((series, _)) = found(object, place, component) else { return Ok(is_unread(object, component)) };
    let Some((low, high)) = bells::reach(&trigger, series, zone) else { return Ok(false) };
    let window = (from.saturating_sub(high), to.saturating_sub(low));
    let mut stream = Stream::of(series, window, zone, |other| other.block == place, budget)?;
    while let Some(instance) = stream.next(budget)? {
        let Some(first) = bells::ring(&trigger, &instance, zone) else { continue };
        if bells::repeated(&trigger, first, from, to).next().is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a value of a property lies in a range, a date with its whole day.
pub fn property(object: &CalendarObject, property: &Property, range: Range, zone: Tz) -> bool {
    let (from, to) = range.ends();
    let lies = |at: Time| {
        let start = at.instant(zone);
        match at.is_date() {
            true => Length { days: 1, seconds: 0 }.after(&at, zone) > from && start < to,
            false => start >= from && start < to,
        }
    };
    let dates = time::dates(property, object.zones()).unwrap_or_default();
    dates.into_iter().any(|date| match date {
        Date::Time(at) => lies(at),
        Date::Period(at, end) => overlaps(&at, &end, range, zone),
    })
}

/// Whether a period and a range have an instant in common.
fn overlaps(start: &Time, end: &End, range: Range, zone: Tz) -> bool {
    let (from, to) = range.ends();
    let (start, end) = ends(start, end, zone);
    start < to && end > from
}

fn ends(start: &Time, end: &End, zone: Tz) -> (DateTime<Utc>, DateTime<Utc>) {
    let end = match end {
        End::At(end) => end.instant(zone),
        End::After(length) => length.after(start, zone),
    };
    (start.instant(zone), end)
}

/// The periods of a FREEBUSY property.
pub fn periods(object: &CalendarObject, property: &Property, zone: Tz) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
    let dates = time::dates(property, object.zones()).unwrap_or_default();
    let period = |date| match date {
        Date::Period(start, end) => Some(ends(&start, &end, zone)),
        Date::Time(_) => None,
    };
    dates.into_iter().filter_map(period).collect()
}

fn free_busy(object: &CalendarObject, block: &Block, range: Range, zone: Tz) -> bool {
    let (from, to) = range.ends();
    let at = |name: &str| {
        let property = block.property(name)?;
        Some(time::time(property, &property.value, object.zones()).ok()?.instant(zone))
    };
    if let (Some(start), Some(end)) = (at("DTSTART"), at("DTEND")) {
        return from <= end && to > start;
    }
    let mut periods = block.properties("FREEBUSY").flat_map(|property| periods(object, property, zone));
    periods.any(|(start, end)| from < end && to > start)
}

/// The series that a component belongs to, where it has a say in it.
fn found<'o>(object: &'o CalendarObject, place: usize, block: &Block) -> Option<(&'o Series, &'o Part)> {
    let of_uid = |series: &&Series| crate::ical::recur::series::uid(block).unwrap_or_default() == series.uid;
    let series = object.series().iter().find(of_uid)?;
    series.parts().find(|part| part.block == place).map(|part| (series, part))
}

/// Whether a component has no series because something in it could not be read; one that a later version replaced is not meant.
fn is_unread(object: &CalendarObject, block: &Block) -> bool {
    let uid = crate::ical::recur::series::uid(block).unwrap_or_default();
    !object.series().iter().any(|series| series.uid == uid)
}

/// Which times a to-do has.
struct Todo {
    starts: bool,
    due: bool,
    lasts: bool,
}

impl Todo {
    fn of(block: &Block) -> Todo {
        let has = |name| block.value(name).is_some();
        Todo { starts: has("DTSTART"), due: has("DUE"), lasts: has("DURATION") }
    }

    fn stands(&self, instance: &Instance<'_>, (from, to): (i64, i64)) -> bool {
        let (start, end) = (instance.at, instance.end);
        match self {
            Todo { starts: true, due: true, .. } => (from < end || from <= start) && (to > start || to >= end),
            Todo { starts: true, lasts: true, .. } => from <= end && (to > start || to >= end),
            Todo { starts: true, .. } => from <= start && to > start,
            // It stands where it is due.
            Todo { starts: false, .. } => from < end && to >= end,
        }
    }
}

/// A to-do that says when it was made and when it was done, or neither.
fn undated(block: &Block, range: Range) -> bool {
    let (from, to) = range.ends();
    let at = |name| trigger::instant(block.property(name));
    match (at("COMPLETED"), at("CREATED")) {
        (Some(done), Some(made)) => (from <= made || from <= done) && (to >= made || to >= done),
        (Some(done), None) => from <= done && to >= done,
        (None, Some(made)) => to > made,
        (None, None) => true,
    }
}
