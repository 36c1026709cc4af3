//! The overrides of a series, by the starts that they stand for. Expands nothing.

use std::collections::BTreeMap;

use chrono_tz::Tz;

use crate::ical::recur::civil::DAY;
use crate::ical::recur::reading::Reading;
use crate::ical::recur::series::{Part, Series};

/// The overrides by the instant of the original start.
#[derive(Default)]
pub struct Changes<'o> {
    /// Every override, for its own instance.
    pub single: BTreeMap<i64, (&'o Part, Reading<'o>)>,
    /// Those with RANGE=THISANDFUTURE, for what follows.
    pub future: BTreeMap<i64, &'o Part>,
}

impl<'o> Changes<'o> {
    pub fn of(series: &'o Series, default: Tz) -> Changes<'o> {
        let mut changes = Changes::default();
        let first = series.master.as_ref().and_then(|master| master.start.as_ref());
        for part in &series.overrides {
            let Some(written) = &part.recurrence_id else { continue };
            let original = match first {
                Some(first) => Reading::like(written, first),
                None => Reading::of(written),
            };
            let at = original.at(default);
            // Of two for the same instance the later version counts, and of equals the later in the text.
            match changes.single.get(&at) {
                Some((other, _)) if other.version > part.version => continue,
                _ => {}
            }
            // Of whichever version counts: one that is for its instance alone ends what another said for the future.
            match part.future {
                true => changes.future.insert(at, part),
                false => changes.future.remove(&at),
            };
            changes.single.insert(at, (part, original));
        }
        changes
    }
}

/// How a this-and-future override moves later instances: by the step on the clock that it made itself.
#[derive(Clone, Copy, Debug)]
pub struct Move<'o> {
    start: Reading<'o>,
    /// Seconds on the wall.
    step: i64,
    /// The least and the most that it moves instants, a day to spare for changes of the clock.
    pub least: i64,
    pub most: i64,
}

impl<'o> Move<'o> {
    /// `None` where the override has no start.
    pub fn new(part: &'o Part, changed: i64, default: Tz) -> Option<Move<'o>> {
        let start = Reading::of(part.start.as_ref()?);
        let by = start.at(default) - changed;
        let step = start.local - (changed + start.zone(default).offset(changed));
        Some(Move { start, step, least: by - DAY, most: by + DAY })
    }

    /// Where an instance goes.
    pub fn moved(&self, original: i64, default: Tz) -> Reading<'o> {
        let local = original + self.start.zone(default).offset(original) + self.step;
        let local = if self.start.form.is_date() { local - local.rem_euclid(DAY) } else { local };
        Reading { form: self.start.form, local }
    }
}
