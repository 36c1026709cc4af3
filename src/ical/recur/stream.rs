//! The instances of one series in order, overrides laid over them, as far as they are asked for. Knows no alarm.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::domain::occurrence::Moment;
use crate::ical::recur::budget::{Budget, Exhausted};
use crate::ical::recur::changes::{Changes, Move};
use crate::ical::recur::originals::Originals;
use crate::ical::recur::reading::{Reading, instant};
use crate::ical::recur::series::{Part, Series};
use crate::ical::time::{Length, Time};

/// One instance, and the component whose properties and alarms it has.
#[derive(Clone, Copy, Debug)]
pub struct Instance<'o> {
    pub part: &'o Part,
    /// Seconds since 1970 in UTC.
    pub at: i64,
    pub end: i64,
    pub start: Reading<'o>,
    original: Option<(i64, Reading<'o>)>,
}

impl Instance<'_> {
    #[inline]
    pub fn start_at(&self) -> DateTime<Utc> {
        instant(self.at)
    }

    pub fn end_at(&self) -> DateTime<Utc> {
        instant(self.end)
    }

    pub fn moment(&self) -> Moment {
        self.start.moment(self.at)
    }

    /// The start as its author would have written it.
    pub fn time(&self) -> Time {
        self.start.time()
    }

    /// The original start, where the component recurs.
    pub fn recurrence_id(&self) -> Option<Moment> {
        self.original.map(|(at, original)| original.moment(at))
    }

    /// The original start as an instant; the start itself where nothing recurs.
    pub fn original_at(&self) -> i64 {
        self.original.map_or(self.at, |(at, _)| at)
    }
}

/// The instances of a series from one second up to, but not at, another.
pub struct Stream<'o> {
    default: Tz,
    window: (i64, i64),
    /// What stands alone and replaces instances, by original start.
    changes: Changes<'o>,
    /// The same and the master that does not recur, the last first.
    singles: Vec<Instance<'o>>,
    lines: Vec<Line<'o>>,
}

/// The instances of a rule that one component speaks for: the master, up to the first this-and-future override, or one
/// of these up to the next.
struct Line<'o> {
    part: &'o Part,
    length: Length,
    originals: Originals<'o>,
    shift: Option<Move<'o>>,
    /// Moved instances whose order is not settled yet.
    held: BTreeMap<(i64, i64), Instance<'o>>,
    /// What comes next, once somebody looked.
    head: Option<Option<Instance<'o>>>,
}

impl<'o> Stream<'o> {
    pub fn new(
        series: &'o Series,
        window: (i64, i64),
        default: Tz,
        budget: &mut Budget,
    ) -> Result<Stream<'o>, Exhausted> {
        Stream::of(series, window, default, |_| true, budget)
    }

    /// Only the instances of some components: what the others would give is not walked.
    pub fn of(
        series: &'o Series,
        window: (i64, i64),
        default: Tz,
        wanted: impl Fn(&Part) -> bool,
        budget: &mut Budget,
    ) -> Result<Stream<'o>, Exhausted> {
        let changes = Changes::of(series, default);
        let mut stream = Stream { default, window, changes, singles: Vec::new(), lines: Vec::new() };
        for (at, (part, original)) in &stream.changes.single {
            budget.spend(1)?;
            if let Some(form) = part.start.as_ref().filter(|_| wanted(part)) {
                stream.singles.push(single(part, form, Some((*at, *original)), default));
            }
        }
        if let Some(master) = &series.master
            && let Some(form) = &master.start
        {
            if master.recurs() {
                stream.lines(master, form, wanted, budget)?;
            } else {
                let instance = single(master, form, None, default);
                // An override of what does not recur replaces it nonetheless: some clients drop the rule and keep both.
                if wanted(master) && !stream.changes.single.contains_key(&instance.at) {
                    stream.singles.push(instance);
                }
            }
        }
        stream.singles.retain(|single| (window.0..window.1).contains(&single.at));
        stream.singles.sort_by_key(|single| std::cmp::Reverse(single.at));
        Ok(stream)
    }

    fn lines(
        &mut self,
        master: &'o Part,
        form: &'o Time,
        wanted: impl Fn(&Part) -> bool,
        budget: &mut Budget,
    ) -> Result<(), Exhausted> {
        let (from, to) = self.window;
        let mut begin = i64::MIN;
        let mut part = master;
        let mut futures = self.changes.future.iter();
        loop {
            let future = futures.next();
            let end = future.map_or(i64::MAX, |(at, _)| *at);
            let shift = match begin {
                i64::MIN => Some(None),
                changed => Move::new(part, changed, self.default).map(Some),
            };
            if let Some(shift) = shift.filter(|_| wanted(part)) {
                let (least, most) = shift.map_or((0, 0), |shift| (shift.least, shift.most));
                let window = (from.saturating_sub(most).max(begin), to.saturating_sub(least).min(end));
                if window.0 < window.1 {
                    let originals = Originals::new(master, form, window, self.default, budget)?;
                    let (length, held) = (part.length(self.default), BTreeMap::new());
                    self.lines.push(Line { part, length, originals, shift, held, head: None });
                }
            }
            let Some((at, next)) = future else { return Ok(()) };
            (begin, part) = (*at, next);
        }
    }

    /// The next instance.
    #[inline]
    pub fn next(&mut self, budget: &mut Budget) -> Result<Option<Instance<'o>>, Exhausted> {
        if let [line] = self.lines.as_mut_slice()
            && self.singles.is_empty()
        {
            // The everyday case; nothing is walked before it is wanted.
            return match line.head.take() {
                Some(head) => Ok(head),
                None => line.next(&self.changes, self.window, self.default, budget),
            };
        }
        let mut first: Option<(i64, usize)> = None;
        for (place, line) in self.lines.iter_mut().enumerate() {
            if line.head.is_none() {
                line.head = Some(line.next(&self.changes, self.window, self.default, budget)?);
            }
            if let Some(Some(head)) = &line.head
                && first.is_none_or(|(at, _)| head.at < at)
            {
                first = Some((head.at, place));
            }
        }
        if let Some(single) = self.singles.last()
            && first.is_none_or(|(at, _)| single.at < at)
        {
            return Ok(self.singles.pop());
        }
        Ok(first.and_then(|(_, place)| self.lines.get_mut(place)?.head.take()?))
    }
}

impl<'o> Line<'o> {
    #[inline]
    fn next(
        &mut self,
        changes: &Changes<'o>,
        window: (i64, i64),
        default: Tz,
        budget: &mut Budget,
    ) -> Result<Option<Instance<'o>>, Exhausted> {
        loop {
            let original = match self.originals.next(budget)? {
                Some(original) if !changes.single.is_empty() && changes.single.contains_key(&original.at) => continue,
                original => original,
            };
            let Some(shift) = &self.shift else {
                return Ok(original.map(|original| {
                    let (at, start) = (original.at, original.start);
                    let end = original.end.unwrap_or_else(|| start.after(at, self.length, default)).max(at);
                    Instance { part: self.part, at, end, start, original: Some((at, start)) }
                }));
            };
            if let Some(original) = original {
                let start = shift.moved(original.at, default);
                let at = start.at(default);
                if (window.0..window.1).contains(&at) {
                    let end = start.after(at, self.length, default).max(at);
                    let instance =
                        Instance { part: self.part, at, end, start, original: Some((original.at, original.start)) };
                    self.held.insert((at, original.at), instance);
                }
            }
            let settled = |at: i64| original.is_none_or(|original| at <= original.at.saturating_add(shift.least));
            match self.held.first_entry() {
                Some(entry) if settled(entry.key().0) => {
                    return Ok(Some(entry.remove()));
                }
                None if original.is_none() => return Ok(None),
                _ => {}
            }
        }
    }
}

fn single<'o>(part: &'o Part, form: &'o Time, original: Option<(i64, Reading<'o>)>, default: Tz) -> Instance<'o> {
    let start = Reading::of(form);
    let at = start.at(default);
    let end = start.after(at, part.length(default), default).max(at);
    Instance { part, at, end, start, original }
}
