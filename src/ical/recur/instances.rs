//! The instances of one series in a window: rules, RDATE, EXDATE, overrides, this-and-future. Knows no alarm.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::ical::recur::budget::{Budget, Exhausted};
use crate::ical::recur::rule::{Rule, Until};
use crate::ical::recur::series::{Part, Series};
use crate::ical::recur::steps;
use crate::ical::time::{self, Date, End, Time};
use crate::ical::zone::Zone;

/// One instance, and the component whose properties and alarms it has.
#[derive(Clone, Debug)]
pub struct Instance<'o> {
    pub part: &'o Part,
    pub start: Time,
    pub start_at: DateTime<Utc>,
    pub end_at: DateTime<Utc>,
    /// The original start, where the component recurs.
    pub recurrence_id: Option<Time>,
}

/// The instances that begin in a window.
pub struct Found<'o> {
    /// Sorted by start.
    pub instances: Vec<Instance<'o>>,
    /// Whether nothing begins at or after the window's end.
    pub ended: bool,
}

/// The instances with `from <= start < to`.
pub fn instances<'o>(
    series: &'o Series,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    default: Tz,
    budget: &mut Budget,
) -> Result<Found<'o>, Exhausted> {
    let mut found = Found { instances: Vec::new(), ended: true };
    let mut keep = |instance: Instance<'o>, ended: &mut bool| {
        *ended &= instance.start_at < to;
        if from <= instance.start_at && instance.start_at < to {
            found.instances.push(instance);
        }
    };
    let mut ended = true;
    let changes = Changes::of(series, default);
    for (place, master) in series.masters.iter().enumerate() {
        let Some(start) = &master.start else { continue };
        if !master.recurs() {
            // An override of what does not recur replaces it nonetheless: some clients drop the rule and keep both.
            let replaced = place == 0 && changes.single.contains_key(&start.instant(default));
            if !replaced {
                keep(instance(master, start.clone(), None, None, default), &mut ended);
            }
            continue;
        }
        let none = Changes::default();
        let changes = if place == 0 { &changes } else { &none };
        let (shift_back, shift_on) = changes.shifts(default);
        let window = (time::shifted(from, -shift_on), time::shifted(to, -shift_back));
        let starts = originals(master, window, default, budget, &mut ended)?;
        for (at, (original, end)) in starts {
            if changes.single.contains_key(&at) {
                continue;
            }
            match changes.future.range(..=at).next_back() {
                Some((changed, part)) => {
                    if let Some(start) = moved(part, *changed, at, default) {
                        keep(instance(part, start, None, Some(original), default), &mut ended);
                    }
                }
                None => keep(instance(master, original.clone(), end, Some(original), default), &mut ended),
            }
        }
    }
    for (part, recurrence_id) in changes.single.values() {
        if let Some(start) = &part.start {
            budget.spend(1)?;
            keep(instance(part, start.clone(), None, Some(recurrence_id.clone()), default), &mut ended);
        }
    }
    found.ended = ended;
    found.instances.sort_by_key(|instance| instance.start_at);
    Ok(found)
}

/// An instant at or after `from` before which no instance begins that begins at `from` or later; close to the first of
/// them, but exceptions are not looked at. `None` where there is none.
pub fn first_start(
    series: &Series,
    from: DateTime<Utc>,
    default: Tz,
    budget: &mut Budget,
) -> Result<Option<DateTime<Utc>>, Exhausted> {
    let (shift_back, shift_on) = Changes::of(series, default).shifts(default);
    let mut first: Option<DateTime<Utc>> = None;
    let mut hold = |at: DateTime<Utc>| {
        if at >= from {
            first = Some(first.map_or(at, |first| first.min(at)));
        }
    };
    for part in series.masters.iter().chain(&series.overrides) {
        let Some(start) = &part.start else { continue };
        hold(start.instant(default));
    }
    for master in &series.masters {
        let Some(start) = &master.start else { continue };
        let zone = start.zone(default);
        let original = time::shifted(from, -shift_on);
        let end = NaiveDate::from_ymd_opt(9999, 12, 31).unwrap_or_default().into();
        for rule in &master.rules {
            let to = rule.until.map_or(end, |until| last_reading(&until, start, &zone).min(end));
            let to = to.checked_add_signed(TimeDelta::seconds(1)).unwrap_or(to);
            let mut steps = steps::starts(rule, start.local(), lowest(&zone, original), to);
            while let Some(local) = steps.next(budget)? {
                let at = zone.to_utc(local);
                if at >= original {
                    hold(time::shifted(at, shift_back).max(from));
                    break;
                }
            }
        }
        for date in &master.rdates {
            let (Date::Time(at) | Date::Period(at, _)) = date;
            let at = like(at, start).instant(default);
            if at >= original {
                hold(time::shifted(at, shift_back).max(from));
            }
        }
    }
    Ok(first)
}

/// What stands without any rule being expanded: masters that do not recur, and single overrides.
pub fn standing<'o>(series: &'o Series, default: Tz) -> Vec<Instance<'o>> {
    let changes = Changes::of(series, default);
    let mut all = Vec::new();
    for (place, master) in series.masters.iter().enumerate() {
        if let Some(start) = master.start.as_ref().filter(|_| !master.recurs())
            && !(place == 0 && changes.single.contains_key(&start.instant(default)))
        {
            all.push(instance(master, start.clone(), None, None, default));
        }
    }
    for (part, recurrence_id) in changes.single.values() {
        if let Some(start) = &part.start {
            all.push(instance(part, start.clone(), None, Some(recurrence_id.clone()), default));
        }
    }
    all
}

/// The last this-and-future override, and from which original start on it counts.
pub fn last_change(series: &Series, default: Tz) -> Option<(DateTime<Utc>, &Part)> {
    Changes::of(series, default).future.into_iter().next_back()
}

fn instance<'o>(
    part: &'o Part,
    start: Time,
    end: Option<&End>,
    recurrence_id: Option<Time>,
    default: Tz,
) -> Instance<'o> {
    let start_at = start.instant(default);
    let end_at = part.end_of(&start, end, default);
    Instance { part, start, start_at, end_at, recurrence_id }
}

/// The overrides of a series by the instant of the start that each stands for.
#[derive(Default)]
struct Changes<'o> {
    single: BTreeMap<DateTime<Utc>, (&'o Part, Time)>,
    future: BTreeMap<DateTime<Utc>, &'o Part>,
}

impl<'o> Changes<'o> {
    fn of(series: &'o Series, default: Tz) -> Changes<'o> {
        let mut changes = Changes::default();
        let first = series.masters.first().and_then(|master| master.start.as_ref());
        for part in &series.overrides {
            let Some(written) = &part.recurrence_id else { continue };
            let recurrence_id = match first {
                Some(first) => like(written, first),
                None => written.clone(),
            };
            let at = recurrence_id.instant(default);
            // Of two for the same instance the later version counts, and of equals the later in the text.
            match changes.single.get(&at) {
                Some((other, _)) if other.version > part.version => continue,
                _ => {}
            }
            if part.future {
                changes.future.insert(at, part);
            }
            changes.single.insert(at, (part, recurrence_id));
        }
        changes
    }

    /// The farthest that this-and-future moves instances back and on, in seconds; a day to spare for clock changes.
    fn shifts(&self, default: Tz) -> (i64, i64) {
        let mut shifts = (0, 0);
        for (at, part) in &self.future {
            let Some(start) = &part.start else { continue };
            let by = (start.instant(default) - *at).num_seconds();
            shifts = (shifts.0.min(by - 86_400), shifts.1.max(by + 86_400));
        }
        shifts
    }
}

/// A later instance under this-and-future: the same step on the clock that the override made.
fn moved(part: &Part, changed: DateTime<Utc>, original: DateTime<Utc>, default: Tz) -> Option<Time> {
    let start = part.start.as_ref()?;
    let zone = start.zone(default);
    let step = start.local() - zone.to_local(changed);
    Some(start.with_local(zone.to_local(original).checked_add_signed(step)?))
}

/// A date or time in the form of another: a date gets the other's hour, a time in a series of days becomes its day.
fn like(written: &Time, first: &Time) -> Time {
    match (written, first) {
        (Time::Date(_), Time::Date(_)) => written.clone(),
        (Time::Date(day), _) => first.with_local(day.and_time(first.local().time())),
        (_, Time::Date(_)) => Time::Date(written.local().date()),
        // A floating exception of a zoned series is meant on the series' clock.
        (Time::Floating(local), _) => first.with_local(*local),
        _ => written.clone(),
    }
}

type Starts<'o> = BTreeMap<DateTime<Utc>, (Time, Option<&'o End>)>;

/// The starts that a recurring master gives by itself, by instant, so that none comes twice.
fn originals<'o>(
    master: &'o Part,
    (from, to): (DateTime<Utc>, DateTime<Utc>),
    default: Tz,
    budget: &mut Budget,
    ended: &mut bool,
) -> Result<Starts<'o>, Exhausted> {
    let mut starts = Starts::new();
    let Some(start) = &master.start else { return Ok(starts) };
    let zone = start.zone(default);
    let (low, high) = (lowest(&zone, from), highest(&zone, to));
    starts.insert(start.instant(default), (start.clone(), None));
    for rule in &master.rules {
        *ended &= each(steps::starts, rule, start, &zone, (low, high), budget, |local| {
            let time = start.with_local(local);
            starts.entry(time.instant(default)).or_insert((time, None));
        })?;
    }
    for date in &master.rdates {
        budget.spend(1)?;
        let (time, end) = match date {
            Date::Time(at) => (like(at, start), None),
            Date::Period(at, end) => (at.clone(), Some(end)),
        };
        let at = time.instant(default);
        *ended &= at < to;
        if from <= at && at < to {
            let slot = starts.entry(at).or_insert((time, None));
            slot.1 = slot.1.or(end);
        }
    }
    let gone = Exceptions::of(master, start, default);
    starts.retain(|at, (time, _)| !gone.holds(*at, time));
    for rule in &master.exrules {
        each(steps::exceptions, rule, start, &zone, (low, high), budget, |local| {
            starts.remove(&start.with_local(local).instant(default));
        })?;
    }
    Ok(starts)
}

/// Every start of a rule on the wall clock between two readings; whether it has none later.
fn each<'r>(
    starts: fn(&'r Rule, NaiveDateTime, NaiveDateTime, NaiveDateTime) -> steps::Steps<'r>,
    rule: &'r Rule,
    start: &Time,
    zone: &Zone,
    (low, high): (NaiveDateTime, NaiveDateTime),
    budget: &mut Budget,
    mut take: impl FnMut(NaiveDateTime),
) -> Result<bool, Exhausted> {
    let last = rule.until.map(|until| last_reading(&until, start, zone));
    let (to, bounded) = match last {
        // A second more, because the end of the window is open.
        Some(last) if last < high => (last.checked_add_signed(TimeDelta::seconds(1)).unwrap_or(last), true),
        _ => (high, false),
    };
    // Near a change of the clock two readings may be one instant, so an UNTIL in UTC is compared as such.
    let until = rule.until.filter(|until| until.utc && !start.is_date()).map(|until| until.local.and_utc());
    let mut steps = starts(rule, start.local(), low, to);
    while let Some(local) = steps.next(budget)? {
        if until.is_none_or(|until| zone.to_utc(local) <= until) {
            take(local);
        }
    }
    Ok(bounded || steps.ended())
}

/// No reading behind it passes UNTIL. RFC 5545 wants UNTIL in the form of DTSTART; Outlook and Google do not.
fn last_reading(until: &Until, start: &Time, zone: &Zone) -> NaiveDateTime {
    match start {
        Time::Date(_) => Until { local: until.local.date().into(), utc: false, date: true }.last_local(),
        _ if until.utc => highest(zone, until.local.and_utc()),
        _ => until.last_local(),
    }
}

/// EXDATE in every form.
struct Exceptions {
    instants: HashSet<DateTime<Utc>>,
    /// EXDATE;VALUE=DATE for a series of times: every instance of that day, on the series' clock.
    days: HashSet<NaiveDate>,
}

impl Exceptions {
    fn of(master: &Part, start: &Time, default: Tz) -> Exceptions {
        let mut gone = Exceptions { instants: HashSet::new(), days: HashSet::new() };
        for written in &master.exdates {
            match (written, start) {
                (Time::Date(day), start) if !start.is_date() => {
                    gone.days.insert(*day);
                }
                _ => {
                    gone.instants.insert(like(written, start).instant(default));
                }
            }
        }
        gone
    }

    fn holds(&self, at: DateTime<Utc>, time: &Time) -> bool {
        self.instants.contains(&at) || (!self.days.is_empty() && self.days.contains(&time.local().date()))
    }
}

/// No reading below it is at or after the instant: near a change the smaller offset counts.
fn lowest(zone: &Zone, at: DateTime<Utc>) -> NaiveDateTime {
    let before = at.checked_sub_days(Days::new(1)).unwrap_or(at);
    let offset = std::cmp::min_by_key(zone.offset(at), zone.offset(before), chrono::FixedOffset::local_minus_utc);
    at.naive_utc().checked_add_offset(offset).unwrap_or(at.naive_utc())
}

/// No reading at or above it is before the instant.
fn highest(zone: &Zone, at: DateTime<Utc>) -> NaiveDateTime {
    let before = at.checked_sub_days(Days::new(1)).unwrap_or(at);
    let offset = std::cmp::max_by_key(zone.offset(at), zone.offset(before), chrono::FixedOffset::local_minus_utc);
    at.naive_utc().checked_add_offset(offset).unwrap_or(at.naive_utc())
}
