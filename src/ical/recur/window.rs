//! Questions about the occurrences of a whole object: those in a window, those that overlap one, the next, the one before. Knows no alarm.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::domain::occurrence::Occurrence;
use crate::ical::object::CalendarObject;
use crate::ical::recur::budget::{Budget, Exhausted};
use crate::ical::recur::reading::whole;
use crate::ical::recur::series::Series;
use crate::ical::recur::span;
use crate::ical::recur::stream::{Instance, Stream};
use crate::ical::text;
use crate::ical::time;

/// The occurrences with `from <= start < to`, sorted by start. Dates and floating times stand in `default`.
///
/// Cancelled overrides are listed as such. A series with a fault has none; `CalendarObject::flaws` says why.
///
/// ```
/// use campanile::ical::{lines::Limits, object::CalendarObject, recur::budget::Budget, recur::window};
/// let text = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:20250115T090000Z\r\nRRULE:FREQ=DAILY\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
/// let object = CalendarObject::read(text.as_bytes(), &Limits::default()).unwrap();
/// let at = |text: &str| text.parse().unwrap();
/// let (from, to) = (at("2045-03-01T00:00:00Z"), at("2045-03-04T00:00:00Z"));
/// let found = window::occurrences(&object, from, to, chrono_tz::Tz::UTC, &mut Budget::default()).unwrap();
/// assert_eq!(found.len(), 3);
/// ```
pub fn occurrences(
    object: &CalendarObject,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    default: Tz,
    budget: &mut Budget,
) -> Result<Vec<Occurrence>, Exhausted> {
    listed(object, (whole(from), whole(to)), default, budget)
}

/// The occurrences that overlap a window as RFC 4791 9.9 says: an event without length counts where it stands.
pub fn overlapping(
    object: &CalendarObject,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    default: Tz,
    budget: &mut Budget,
) -> Result<Vec<Occurrence>, Exhausted> {
    let mut all = Vec::new();
    each_overlapping(object, (from, to), default, budget, |series, instance, budget| {
        budget.spend(text::copy_cost(series.uid.len() + instance.part.summary.len()))?;
        all.push(occurrence(series, instance));
        Ok(())
    })?;
    if object.series().len() > 1 {
        all.sort_by_key(|occurrence| occurrence.start_at);
    }
    Ok(all)
}

/// Shows every instance that overlaps a window, series by series; for whoever wants its component, or no list.
pub fn each_overlapping<'o>(
    object: &'o CalendarObject,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    default: Tz,
    budget: &mut Budget,
    mut show: impl FnMut(&'o Series, &Instance<'o>, &mut Budget) -> Result<(), Exhausted>,
) -> Result<(), Exhausted> {
    let begin = whole(from);
    for series in object.series() {
        let window = (whole(time::shifted(from, -span::longest(series, default))), whole(to));
        let mut stream = Stream::new(series, window, default, budget)?;
        while let Some(instance) = stream.next(budget)? {
            if instance.end_at() > from || (instance.end == instance.at && instance.at >= begin) {
                show(series, &instance, budget)?;
            }
        }
    }
    Ok(())
}

/// The first occurrence that begins strictly after an instant.
pub fn next_after(
    object: &CalendarObject,
    after: DateTime<Utc>,
    default: Tz,
    budget: &mut Budget,
) -> Result<Option<Occurrence>, Exhausted> {
    let from = after.timestamp() + 1;
    let mut best: Option<(&Series, Instance<'_>)> = None;
    for series in object.series() {
        let to = best.as_ref().map_or(i64::MAX, |(_, best)| best.at);
        if let Some(first) = Stream::new(series, (from, to), default, budget)?.next(budget)? {
            best = Some((series, first));
        }
    }
    Ok(best.map(|(series, first)| occurrence(series, &first)))
}

/// The last occurrence that begins before an instant.
pub fn previous(
    object: &CalendarObject,
    before: DateTime<Utc>,
    default: Tz,
    budget: &mut Budget,
) -> Result<Option<Occurrence>, Exhausted> {
    let to = whole(before);
    let mut best: Option<(&Series, Instance<'_>)> = None;
    for series in object.series() {
        if let Some(last) = last_before(series, to, default, budget)?
            && best.as_ref().is_none_or(|(_, best)| best.at < last.at)
        {
            best = Some((series, last));
        }
    }
    Ok(best.map(|(series, last)| occurrence(series, &last)))
}

/// Rules are sought forwards only: so the last start is closed in on, by steps back that widen and then by halves.
fn last_before<'o>(
    series: &'o Series,
    to: i64,
    default: Tz,
    budget: &mut Budget,
) -> Result<Option<Instance<'o>>, Exhausted> {
    let mut first_of = |from: i64, to: i64| Stream::new(series, (from, to), default, budget)?.next(budget);
    let Some(first) = first_of(i64::MIN, to)? else { return Ok(None) };
    let mut last = first;
    let mut back = 86_400;
    while to.saturating_sub(back) > first.at {
        if let Some(near) = first_of(to - back, to)? {
            last = near;
            break;
        }
        back = back.saturating_mul(8);
    }
    let mut end = to;
    while let Some(next) = first_of(last.at + 1, end)? {
        last = next;
        let middle = last.at + (end - last.at) / 2;
        match first_of(middle, end)? {
            Some(later) if later.at > last.at => last = later,
            _ => end = middle.max(last.at + 1),
        }
    }
    // Several may begin together; whoever comes last in order is as good as another.
    Ok(Some(last))
}

/// The first instant after an instant.
pub fn strictly(after: DateTime<Utc>) -> DateTime<Utc> {
    after.checked_add_signed(TimeDelta::nanoseconds(1)).unwrap_or(after)
}

fn listed(
    object: &CalendarObject,
    window: (i64, i64),
    default: Tz,
    budget: &mut Budget,
) -> Result<Vec<Occurrence>, Exhausted> {
    let mut all = Vec::new();
    for series in object.series() {
        let mut stream = Stream::new(series, window, default, budget)?;
        while let Some(instance) = stream.next(budget)? {
            budget.spend(text::copy_cost(series.uid.len() + instance.part.summary.len()))?;
            all.push(occurrence(series, &instance));
        }
    }
    if object.series().len() > 1 {
        all.sort_by_key(|occurrence| occurrence.start_at);
    }
    Ok(all)
}

/// An instance as a value of its own.
pub fn occurrence(series: &Series, instance: &Instance<'_>) -> Occurrence {
    Occurrence {
        uid: series.uid.clone(),
        start: instance.moment(),
        start_at: instance.start_at(),
        end_at: instance.end_at(),
        recurrence_id: instance.recurrence_id(),
        cancelled: instance.part.cancelled,
        summary: instance.part.summary.clone(),
    }
}
