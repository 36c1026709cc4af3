//! Each instance as a component of its own, in UTC, with what it stands for and without a rule. RFC 4791 9.6.5.

use chrono_tz::Tz;

use crate::domain::occurrence::Moment;
use crate::domain::query::{Pick, Range};
use crate::ical::block::Block;
use crate::ical::excerpt::Unwritten;
use crate::ical::excerpt::pen::{self, Instead, Pen};
use crate::ical::lines::Property;
use crate::ical::object::CalendarObject;
use crate::ical::recur::budget::{Budget, Exhausted};
use crate::ical::recur::stream::Instance;
use crate::ical::recur::window;
use crate::ical::text;
use crate::ical::time::{End, Time};
use crate::ical::zone::Zone;

/// What the instances of one answer may still take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    pub instances: usize,
    pub bytes: usize,
}

/// Writes the instances that overlap a range. What stands at no time is written as it is; of a series that cannot be understood nothing is.
pub fn write(
    pen: &mut Pen<'_>,
    object: &CalendarObject,
    range: Range,
    pick: Option<&Pick>,
    zone: Tz,
    room: &mut Room,
    budget: &mut Budget,
) -> Result<(), Unwritten> {
    let dated = |place: usize| {
        let mut parts = object.series().iter().flat_map(|series| series.parts());
        parts.any(|part| part.block == place && part.start.is_some())
    };
    for (place, block) in object.root().blocks.iter().enumerate() {
        let recurs = matches!(block.name.as_str(), "VEVENT" | "VTODO" | "VJOURNAL");
        let known = |series: &crate::ical::recur::series::Series| series.parts().any(|part| part.block == place);
        let unread = recurs && !object.series().iter().any(known);
        if block.name == "VTIMEZONE" || unread || dated(place) {
            continue;
        }
        if let Some(pick) = pen::below(pick, &block.name) {
            pen.component(block, pick, &mut pen::as_written, &[]);
        }
    }
    let mut over = false;
    let shown = window::each_overlapping(object, range.ends(), zone, budget, |_, instance, budget| {
        let Some(block) = object.root().blocks.get(instance.part.block) else { return Ok(()) };
        let Some(pick) = pen::below(pick, &block.name) else { return Ok(()) };
        let before = pen.written();
        component(pen, block, instance, pick, zone);
        let bytes = pen.written() - before;
        budget.spend(text::copy_cost(bytes))?;
        match (room.instances.checked_sub(1), room.bytes.checked_sub(bytes)) {
            (Some(instances), Some(bytes)) => *room = Room { instances, bytes },
            _ => {
                over = true;
                // Nothing more needs to be walked.
                return Err(Exhausted { steps: budget.spent() });
            }
        }
        Ok(())
    });
    match shown {
        Err(_) if over => Err(Unwritten::Over),
        outcome => Ok(outcome?),
    }
}

fn component(pen: &mut Pen<'_>, block: &Block, instance: &Instance<'_>, pick: Option<&Pick>, zone: Tz) {
    let end_name = if block.name == "VTODO" { "DUE" } else { "DTEND" };
    let length = instance.part.length(zone);
    let lasts = matches!(instance.part.end, Some(End::After(_)));
    // An RDATE may give an instance a length of its own.
    let period = instance.start.after(instance.at, length, zone).max(instance.at) != instance.end;
    let end = || stamped(end_name, &end_of(instance, zone));
    let mut more = Vec::new();
    if let Some(original) = instance.recurrence_id() {
        more.push(("RECURRENCE-ID", stamped("RECURRENCE-ID", &original)));
    }
    if period && !block.properties(end_name).any(|_| true) {
        more.push((end_name, end()));
    }
    let mut swap = |property: &Property| match property.name.as_str() {
        "RRULE" | "RDATE" | "EXDATE" | "EXRULE" | "RECURRENCE-ID" => Instead::Nothing,
        "DTSTART" => Instead::Line(stamped("DTSTART", &instance.moment())),
        "DURATION" if period && lasts => Instead::Nothing,
        name if name == end_name => Instead::Line(end()),
        _ => Instead::AsWritten,
    };
    pen.component(block, pick, &mut swap, &more);
}

/// The end in the form of the start: an instant, a clock reading or a day.
fn end_of(instance: &Instance<'_>, zone: Tz) -> Moment {
    let local = || Zone::Named(zone).to_local(instance.end_at());
    match instance.start.form {
        Time::Utc(_) | Time::Zoned(..) => Moment::Instant(instance.end_at()),
        Time::Floating(_) => Moment::Floating(local()),
        Time::Date(_) => Moment::Date(local().date()),
    }
}

/// A line with a time: in UTC, floating, or a date.
fn stamped(name: &str, moment: &Moment) -> String {
    match moment {
        Moment::Instant(at) => format!("{name}:{}", at.format("%Y%m%dT%H%M%SZ")),
        Moment::Floating(at) => format!("{name}:{}", at.format("%Y%m%dT%H%M%S")),
        Moment::Date(day) => format!("{name};VALUE=DATE:{}", day.format("%Y%m%d")),
    }
}
