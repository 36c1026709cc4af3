//! Questions about the occurrences of a whole object: those in a window, those that overlap one, the next. Knows no alarm.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::domain::object::Span;
use crate::domain::occurrence::Occurrence;
use crate::ical::object::CalendarObject;
use crate::ical::recur::budget::{Budget, Exhausted};
use crate::ical::recur::instances::{self, Instance};
use crate::ical::recur::rule::{Freq, Rule};
use crate::ical::recur::series::Series;
use crate::ical::recur::steps;
use crate::ical::text;
use crate::ical::time::{self, End};

/// The occurrences with `from <= start < to`, sorted by start. Dates and floating times stand in `default`.
///
/// Cancelled overrides are listed as such. A series with a fault has none; `CalendarObject::flaws` says why.
pub fn occurrences(
    object: &CalendarObject,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    default: Tz,
    budget: &mut Budget,
) -> Result<Vec<Occurrence>, Exhausted> {
    let mut all = Vec::new();
    for series in object.series() {
        let found = instances::instances(series, from, to, default, budget)?;
        for instance in &found.instances {
            budget.spend(text::copy_cost(series.uid.len() + instance.part.summary.len()))?;
            all.push(occurrence(series, instance));
        }
    }
    all.sort_by_key(|occurrence| occurrence.start_at);
    Ok(all)
}

/// The occurrences that overlap a window as RFC 4791 9.9 says: an event without length counts where it stands.
pub fn overlapping(
    object: &CalendarObject,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    default: Tz,
    budget: &mut Budget,
) -> Result<Vec<Occurrence>, Exhausted> {
    let reach = object.series().iter().map(|series| longest(series, default)).max().unwrap_or(0);
    let mut all = occurrences(object, time::shifted(from, -reach), to, default, budget)?;
    all.retain(|occurrence| {
        occurrence.end_at > from || (occurrence.end_at == occurrence.start_at && occurrence.start_at >= from)
    });
    Ok(all)
}

/// The first occurrence that begins strictly after an instant.
pub fn next_after(
    object: &CalendarObject,
    after: DateTime<Utc>,
    default: Tz,
    budget: &mut Budget,
) -> Result<Option<Occurrence>, Exhausted> {
    let mut best: Option<Occurrence> = None;
    for series in object.series() {
        let mut search = Search::new(series, strictly(after), (0, 0));
        while let Some((from, to)) = search.next(series, default, budget)? {
            let found = instances::instances(series, from, to, default, budget)?;
            if let Some(first) = found.instances.first() {
                if best.as_ref().is_none_or(|best| first.start_at < best.start_at) {
                    best = Some(occurrence(series, first));
                }
                break;
            }
            if found.ended || best.as_ref().is_some_and(|best| best.start_at < to) {
                break;
            }
        }
    }
    Ok(best)
}

/// The first instant after an instant.
pub fn strictly(after: DateTime<Utc>) -> DateTime<Utc> {
    after.checked_add_signed(TimeDelta::nanoseconds(1)).unwrap_or(after)
}

/// From one instant up to, but not at, another.
pub type Window = (DateTime<Utc>, DateTime<Utc>);

/// Windows in which to look for what comes next, one behind the other. Each begins where the rules have their next
/// start, and is some periods of the finest rule wide; the further ones widen, for where exceptions leave nothing. So a
/// rule of seconds is not walked for a day, nor one of years asked about day by day.
pub struct Search {
    from: DateTime<Utc>,
    /// Seconds between a start and the earliest and latest thing that hangs on it.
    reach: (i64, i64),
    seconds: i64,
}

impl Search {
    pub fn new(series: &Series, from: DateTime<Utc>, reach: (i64, i64)) -> Search {
        let rules = series.masters.iter().flat_map(|master| &master.rules);
        Search { from, reach, seconds: rules.map(width).min().unwrap_or(i64::MAX) }
    }

    /// The next window; `None` where nothing begins any more that could reach it.
    pub fn next(&mut self, series: &Series, default: Tz, budget: &mut Budget) -> Result<Option<Window>, Exhausted> {
        let from = self.from;
        let Some(first) = instances::first_start(series, time::shifted(from, -self.reach.1), default, budget)? else {
            return Ok(None);
        };
        let to = time::shifted(time::shifted(first, self.reach.0).max(from), self.seconds);
        self.seconds = self.seconds.saturating_mul(4);
        self.from = to;
        Ok((from < to).then_some((from, to)))
    }
}

fn width(rule: &Rule) -> i64 {
    let period = match rule.freq {
        Freq::Secondly => 10,
        Freq::Minutely => 600,
        Freq::Hourly => 12 * 3600,
        Freq::Daily => 4 * 86_400,
        Freq::Weekly => 15 * 86_400,
        Freq::Monthly => 70 * 86_400,
        Freq::Yearly => 400 * 86_400,
    };
    // Lists of the clock make a period dense.
    let lists = [&rule.by_hour, &rule.by_minute, &rule.by_second];
    let dense = lists.into_iter().map(|list| list.len().max(1) as i64).product::<i64>();
    (i64::from(rule.interval).saturating_mul(period) / dense).max(10)
}

/// From the first start to the last end, the end open where a rule has none or costs too much. `None` where nothing
/// stands at a time.
pub fn span(object: &CalendarObject, default: Tz) -> Option<Span> {
    let mut span: Option<Span> = None;
    for series in object.series() {
        let reach = longest(series, default);
        let parts = series.masters.iter().chain(&series.overrides);
        let shift = parts.clone().filter(|part| part.future).filter_map(|part| {
            let (start, original) = (part.start.as_ref()?, part.recurrence_id.as_ref()?);
            Some((start.instant(default) - original.instant(default)).num_seconds())
        });
        let (back, on) = shift.fold((0, 0), |(back, on), by| (by.min(back), by.max(on)));
        let mut start: Option<DateTime<Utc>> = None;
        let mut end: Option<DateTime<Utc>> = None;
        let mut open = false;
        let mut hold = |from: DateTime<Utc>, to: DateTime<Utc>| {
            start = Some(start.map_or(from, |start| start.min(from)));
            end = Some(end.map_or(to, |end| end.max(to)));
        };
        for part in parts {
            let Some(first) = &part.start else { continue };
            let at = first.instant(default);
            hold(time::shifted(at, back), time::shifted(part.end_of(first, None, default), on));
            for date in &part.rdates {
                let (time::Date::Time(at) | time::Date::Period(at, _)) = date;
                let at = at.instant(default);
                hold(time::shifted(at, back), time::shifted(at, reach + on));
            }
            for rule in &part.rules {
                match (rule.until, rule.count) {
                    // A day to spare for whatever zone UNTIL was meant in.
                    (Some(until), _) => {
                        let last = time::shifted(until.last_local().and_utc(), 86_400 + reach + on);
                        hold(at, last.max(at));
                    }
                    (None, Some(_)) => {
                        let zone = first.zone(default);
                        let mut steps = steps::starts(rule, first.local(), first.local(), chrono::NaiveDateTime::MAX);
                        let mut budget = Budget::default();
                        let mut last = None;
                        loop {
                            match steps.next(&mut budget) {
                                Ok(Some(local)) => last = Some(local),
                                Ok(None) => break,
                                Err(Exhausted { .. }) => {
                                    open = true;
                                    break;
                                }
                            }
                        }
                        if let Some(last) = last {
                            hold(at, time::shifted(zone.to_utc(last), reach + on));
                        }
                    }
                    (None, None) => open |= !rule.never(),
                }
            }
        }
        if let (Some(start), Some(end)) = (start, end) {
            let end = (!open).then_some(end);
            span = Some(match span {
                None => Span { start, end },
                Some(span) => Span { start: span.start.min(start), end: span.end.zip(end).map(|(a, b)| a.max(b)) },
            });
        }
    }
    span
}

/// The longest that an instance of a series lasts, in seconds, an hour or two to spare for changes of the clock.
pub fn longest(series: &Series, default: Tz) -> i64 {
    const SPARE: i64 = 2 * 3600;
    let mut longest = 0;
    for part in series.masters.iter().chain(&series.overrides) {
        let Some(start) = &part.start else { continue };
        longest = longest.max((part.end_of(start, None, default) - start.instant(default)).num_seconds());
        for date in &part.rdates {
            if let time::Date::Period(at, end) = date {
                longest = longest.max(match end {
                    End::After(length) => length.about(),
                    End::At(end) => (end.instant(default) - at.instant(default)).num_seconds(),
                });
            }
        }
    }
    longest + SPARE
}

fn occurrence(series: &Series, instance: &Instance<'_>) -> Occurrence {
    Occurrence {
        uid: series.uid.clone(),
        start: instance.start.moment(),
        start_at: instance.start_at,
        end_at: instance.end_at,
        recurrence_id: instance.recurrence_id.as_ref().map(|original| original.moment()),
        cancelled: instance.part.cancelled,
        summary: instance.part.summary.clone(),
    }
}
