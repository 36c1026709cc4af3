//! From when to when an object stands, and how long its instances last, at most. Expands nothing but COUNT.

use chrono_tz::Tz;

use crate::domain::object::Span;
use crate::ical::object::CalendarObject;
use crate::ical::recur::budget::Budget;
use crate::ical::recur::changes::{Changes, Move};
use crate::ical::recur::civil::DAY;
use crate::ical::recur::reading::{Reading, instant, seconds};
use crate::ical::recur::recurrence::Recurrence;
use crate::ical::recur::series::{Part, Series};
use crate::ical::recur::steps;
use crate::ical::time::{Date, End};

/// From the first start to the last end, the end open where a rule has none or costs too much. `None` where nothing
/// stands at a time.
pub fn span(object: &CalendarObject, default: Tz) -> Option<Span> {
    let mut span: Option<Span> = None;
    for (start, end) in object.series().iter().filter_map(|series| of_series(series, default)) {
        let (start, end) = (instant(start), end.map(instant));
        span = Some(match span {
            None => Span { start, end },
            Some(span) => Span { start: span.start.min(start), end: span.end.zip(end).map(|(one, two)| one.max(two)) },
        });
    }
    span
}

fn of_series(series: &Series, default: Tz) -> Option<(i64, Option<i64>)> {
    let reach = longest(series, default);
    let moves = Changes::of(series, default).future;
    let moves = moves.into_iter().filter_map(|(at, part)| Move::new(part, at, default));
    let (back, on) = moves.fold((0, 0), |(back, on), by| (by.least.min(back), by.most.max(on)));
    let mut span: Option<(i64, i64)> = None;
    let mut open = false;
    let mut hold = |from: i64, to: i64| {
        span = Some(span.map_or((from, to), |span| (span.0.min(from), span.1.max(to))));
    };
    for part in series.parts() {
        let Some((at, end)) = part.stands(default) else { continue };
        hold(at + back, end + on);
        for date in &part.rdates {
            let (Date::Time(at) | Date::Period(at, _)) = date;
            let at = Reading::of(at).at(default);
            hold(at + back, at + reach + on);
        }
        for rule in &part.rules {
            match last(rule, part, default) {
                Some(last) => hold(at, last.max(at) + reach + on),
                None => open |= !rule.never,
            }
        }
    }
    span.map(|(start, end)| (start, (!open).then_some(end)))
}

/// An instant behind which a rule gives nothing.
fn last(recurrence: &Recurrence, part: &Part, default: Tz) -> Option<i64> {
    match (recurrence.rule.until, recurrence.rule.count) {
        // A day to spare for whatever zone UNTIL was meant in.
        (Some(until), _) => Some(seconds(until.last_local()) + DAY),
        (None, Some(_)) => {
            let local = steps::last(recurrence, &mut Budget::default()).ok()??;
            Some(Reading { form: part.start.as_ref()?, local }.at(default))
        }
        (None, None) => None,
    }
}

/// The longest that an instance of a series lasts, in seconds, an hour or two to spare for changes of the clock.
pub fn longest(series: &Series, default: Tz) -> i64 {
    const SPARE: i64 = 2 * 3600;
    let mut longest = 0;
    for part in series.parts() {
        if let Some((at, end)) = part.stands(default) {
            longest = longest.max(end - at);
        }
        for date in &part.rdates {
            if let Date::Period(at, end) = date {
                longest = longest.max(match end {
                    End::After(length) => length.about(),
                    End::At(end) => (end.instant(default) - at.instant(default)).num_seconds(),
                });
            }
        }
    }
    longest + SPARE
}
