//! The alarms of one series, hung on its instances. Knows neither due queue nor listener; `alarms` asks it.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use sha2::{Digest, Sha256};

use crate::domain::alarm::Firing;
use crate::domain::occurrence::{Moment, instant};
use crate::ical::alarms::Policy;
use crate::ical::bell::{Bell, Sound};
use crate::ical::object::CalendarObject;
use crate::ical::recur::budget::{Budget, Exhausted};
use crate::ical::recur::civil::DAY;
use crate::ical::recur::reading;
use crate::ical::recur::series::{Part, Series};
use crate::ical::recur::span;
use crate::ical::recur::stream::{Instance, Stream};
use crate::ical::text;
use crate::ical::time::{End, Time};
use crate::ical::trigger::{Trigger, When};

/// One series with its bells.
pub struct Tower<'o> {
    series: &'o Series,
    bells: Vec<Bell<'o>>,
    default: Tz,
    /// Seconds between a start and its earliest and latest firing; `None` where no alarm hangs on a start or an end.
    reach: Option<(i64, i64)>,
    /// Whether what was acknowledged is told too.
    all: bool,
}

/// One ringing, before anything is said about it: the next instant is asked for often, its words seldom.
pub struct Ring<'t> {
    pub at: i64,
    bell: &'t Bell<'t>,
    sound: &'t Sound<'t>,
    /// What it rings for; `None` for an instant of its own.
    instance: Option<Instance<'t>>,
}

impl<'t> Ring<'t> {
    pub fn bell(&self) -> &'t Bell<'t> {
        self.bell
    }

    pub fn sound(&self) -> &'t Sound<'t> {
        self.sound
    }
}

/// What something rings for.
struct Standing {
    moment: Option<Moment>,
    start: i64,
    end: i64,
}

impl<'o> Tower<'o> {
    pub fn of(object: &'o CalendarObject, series: &'o Series, default: Tz, policy: &Policy) -> Tower<'o> {
        let bells: Vec<Bell<'o>> = series.parts().filter_map(|part| Bell::of(object, part, policy)).collect();
        let mut reach: Option<(i64, i64)> = None;
        for trigger in bells.iter().flat_map(|bell| &bell.sounds).map(|sound| sound.trigger) {
            let Some((low, high)) = self::reach(trigger, series, default) else { continue };
            reach = Some(reach.map_or((low, high), |reach| (reach.0.min(low), reach.1.max(high))));
        }
        Tower { series, bells, default, reach, all: false }
    }

    /// The same, but what was acknowledged rings too: for whoever looks for an alarm that rang.
    pub fn with_acknowledged(self) -> Tower<'o> {
        Tower { all: true, ..self }
    }

    /// The bells, one for each component that can ring.
    pub fn bells(&self) -> &[Bell<'o>] {
        &self.bells
    }

    fn bell(&self, part: &Part) -> Option<&Bell<'o>> {
        self.bells.iter().find(|bell| std::ptr::eq(bell.part, part))
    }

    /// What hangs on instances with `from <= at < to`; components that ring nothing are not walked.
    fn instances(&self, (from, to): (i64, i64), budget: &mut Budget) -> Result<Stream<'o>, Exhausted> {
        let rings = |part: &Part| self.bell(part).is_some_and(Bell::is_relative);
        Stream::of(self.series, (from, to), self.default, rings, budget)
    }

    /// Adds what rings with `from <= at < to`.
    pub fn rings<'t>(
        &'t self,
        from: i64,
        to: i64,
        budget: &mut Budget,
        all: &mut Vec<Ring<'t>>,
    ) -> Result<(), Exhausted> {
        self.absolute(from, to, budget, all)?;
        let Some((low, high)) = self.reach else { return Ok(()) };
        let mut stream = self.instances((from.saturating_sub(high), to.saturating_sub(low)), budget)?;
        while let Some(instance) = stream.next(budget)? {
            let Some(bell) = self.bell(instance.part) else { continue };
            for sound in &bell.sounds {
                let Some(first) = ring(sound.trigger, &instance, self.default) else { continue };
                for at in repeated(sound.trigger, first, from, to) {
                    budget.spend(1)?;
                    if self.all || sound.rings(at) {
                        all.push(Ring { at, bell, sound, instance: Some(instance) });
                    }
                }
            }
        }
        Ok(())
    }

    /// The first instant at or after one at which anything rings.
    pub fn next(&self, from: i64, budget: &mut Budget) -> Result<Option<i64>, Exhausted> {
        let mut best: Option<i64> = None;
        for bell in &self.bells {
            for sound in &bell.sounds {
                let Some(first) = sound.trigger.absolute(self.default) else { continue };
                let next = first_of(sound, first.timestamp(), from, budget)?;
                best = best.into_iter().chain(next).min();
            }
            let snoozes = bell.snoozes.iter().map(|snooze| snooze.at).filter(|at| *at >= from);
            best = best.into_iter().chain(snoozes).min();
        }
        let Some((low, high)) = self.reach else { return Ok(best) };
        // What everybody has acknowledged need not be looked at.
        let relative = self.bells.iter().flat_map(|bell| &bell.sounds).filter(|sound| sound.trigger.is_relative());
        let silent = relative.map(|sound| sound.silent).min().flatten();
        let begin = silent.map_or(from, |silent| from.max(silent + 1));
        let to = best.map_or(i64::MAX, |best| best.saturating_sub(low));
        let mut stream = self.instances((begin.saturating_sub(high), to), budget)?;
        while let Some(instance) = stream.next(budget)? {
            let Some(bell) = self.bell(instance.part) else { continue };
            for sound in &bell.sounds {
                let Some(first) = ring(sound.trigger, &instance, self.default) else { continue };
                let next = first_of(sound, first, begin, budget)?;
                best = best.into_iter().chain(next).min();
            }
            // What comes behind begins later, so it cannot ring before.
            if best.is_some_and(|best| best <= instance.at.saturating_add(low)) {
                break;
            }
        }
        Ok(best)
    }

    /// Adds what rings at an instant of its own.
    fn absolute<'t>(
        &'t self,
        from: i64,
        to: i64,
        budget: &mut Budget,
        all: &mut Vec<Ring<'t>>,
    ) -> Result<(), Exhausted> {
        for bell in &self.bells {
            for sound in &bell.sounds {
                let Some(first) = sound.trigger.absolute(self.default) else { continue };
                for at in repeated(sound.trigger, first.timestamp(), from, to) {
                    budget.spend(1)?;
                    if self.all || sound.rings(at) {
                        all.push(Ring { at, bell, sound, instance: None });
                    }
                }
            }
            for snooze in bell.snoozes.iter().filter(|snooze| (from..to).contains(&snooze.at)) {
                budget.spend(1)?;
                let Some(sound) = bell.sounds.first() else { continue };
                let instance = match snooze.original {
                    Some(original) => self.instance_of(original, budget)?,
                    None => None,
                };
                all.push(Ring { at: snooze.at, bell, sound, instance });
            }
        }
        Ok(())
    }

    /// The instance that stands for an original start.
    fn instance_of(&self, original: i64, budget: &mut Budget) -> Result<Option<Instance<'o>>, Exhausted> {
        // It stands there, unless it was moved.
        let mut stream = Stream::new(self.series, (original, original + 1), self.default, budget)?;
        let here = stream.next(budget)?;
        Ok(here.filter(|instance| instance.original_at() == original))
    }

    /// What a ringing says. Long words cost as much as many instances: they are copied for each.
    pub fn firing(&self, ring: &Ring<'_>, budget: &mut Budget) -> Result<Firing, Exhausted> {
        let Ring { at, bell, sound, .. } = ring;
        let trigger = sound.trigger;
        let mails = sound.attendees.iter().map(|mail| mail.len()).sum::<usize>();
        let words = bell.part.summary.len() + trigger.summary.len() + trigger.description.len();
        let words = words + self.series.uid.len() + mails;
        budget.spend(text::copy_cost(words))?;
        let standing = match &ring.instance {
            Some(instance) => Standing { moment: Some(instance.moment()), start: instance.at, end: instance.end },
            None => self.alone(bell, *at, budget)?,
        };
        let at = reading::instant(*at);
        Ok(Firing {
            at,
            uid: self.series.uid.clone(),
            id: number(&self.series.uid, standing.moment.as_ref(), trigger, at),
            repeats: trigger.repeats.is_some(),
            occurrence: standing.moment,
            start_at: reading::instant(standing.start),
            end_at: reading::instant(standing.end),
            action: trigger.action,
            summary: bell.part.summary.clone(),
            subject: trigger.summary.clone(),
            description: trigger.description.clone(),
            attendees: sound.attendees.iter().map(|mail| (*mail).to_owned()).collect(),
        })
    }

    /// Whether a ringing is the one that has this number, now or before its alarm got a UID.
    pub fn has_number(&self, ring: &Ring<'_>, id: u64, budget: &mut Budget) -> Result<bool, Exhausted> {
        let firing = self.firing(ring, budget)?;
        let before = || hashed(&firing.uid, firing.occurrence.as_ref(), &ring.sound.trigger.bare, firing.at);
        Ok(firing.id == id || before() == id)
    }

    /// What an absolute alarm rings for: its component, or of a series the instance it most likely means, since a
    /// snooze stands close to its own.
    fn alone(&self, bell: &Bell<'_>, at: i64, budget: &mut Budget) -> Result<Standing, Exhausted> {
        const STEPS: u32 = 1000;
        let (start, end) = bell.part.stands(self.default).unwrap_or((at, at));
        if !bell.part.recurs() {
            return Ok(Standing { moment: bell.part.start.as_ref().map(Time::moment), start, end });
        }
        let mut little = Budget::new(STEPS);
        let nearest = self.nearest(at, &mut little);
        budget.spend(little.spent())?;
        // A rule too dense for that leaves the start of the series.
        let (start, end) = nearest.ok().flatten().map_or((start, end), |nearest| (nearest.at, nearest.end));
        Ok(Standing { moment: None, start, end })
    }

    fn nearest(&self, at: i64, budget: &mut Budget) -> Result<Option<Instance<'o>>, Exhausted> {
        let mut stream = Stream::new(self.series, (at - 2 * DAY, at + 8 * DAY), self.default, budget)?;
        let mut nearest: Option<Instance<'o>> = None;
        while let Some(instance) = stream.next(budget)? {
            if nearest.is_none_or(|nearest| (instance.at - at).abs() < (nearest.at - at).abs()) {
                nearest = Some(instance);
            }
        }
        Ok(nearest)
    }
}

/// Seconds between an instance's start and the first and last firing of an alarm that hangs on it; `None` for one that stands alone.
pub fn reach(trigger: &Trigger, series: &Series, default: Tz) -> Option<(i64, i64)> {
    let (length, spread) = match trigger.when {
        When::FromStart(length) => (length, 0),
        When::FromEnd(length) => (length, span::longest(series, default)),
        When::At(..) => return None,
    };
    // Days on the calendar may be a clock change shorter or longer than days on the clock.
    let spare = if length.days == 0 { 0 } else { DAY };
    let repeats = i64::from(trigger.repeat.0).saturating_mul(trigger.repeat.1);
    Some((length.about() - spare, length.about() + spare + spread + repeats))
}

/// When an alarm first rings for an instance.
pub fn ring(trigger: &Trigger, instance: &Instance<'_>, default: Tz) -> Option<i64> {
    match trigger.when {
        When::FromStart(length) => Some(instance.start.after(instance.at, length, default)),
        When::FromEnd(length) if length.days == 0 => Some(instance.end.saturating_add(length.seconds)),
        When::FromEnd(length) => {
            // Days count on the end's own clock, which may hang in another zone than the start's.
            let zone = match &instance.part.end {
                Some(End::At(end)) => end.zone(default),
                _ => instance.start.zone(default),
            };
            let local = instance.end + zone.offset(instance.end) + length.days * DAY;
            Some((local - zone.span(local).offset).saturating_add(length.seconds))
        }
        When::At(..) => None,
    }
}

/// The first of a firing and its repetitions that rings at or after an instant.
fn first_of(sound: &Sound<'_>, first: i64, from: i64, budget: &mut Budget) -> Result<Option<i64>, Exhausted> {
    let from = sound.silent.map_or(from, |silent| from.max(silent + 1));
    budget.spend(1)?;
    Ok(repeated(sound.trigger, first, from, i64::MAX).next())
}

/// A firing and its repetitions within a window.
pub fn repeated(trigger: &Trigger, first: i64, from: i64, to: i64) -> impl Iterator<Item = i64> + use<> {
    let (count, gap) = trigger.repeat;
    let behind = from.saturating_sub(first).max(0);
    // The first that does not lie before the window.
    let skipped = match gap {
        0 => behind.min(1),
        gap => behind / gap + i64::from(behind % gap > 0),
    };
    (skipped..=i64::from(count)).map(move |number| first + gap * number).take_while(move |at| *at < to)
}

/// The number of a firing. One that repeats an alarm which rang has the number of that alarm.
fn number(uid: &str, occurrence: Option<&Moment>, trigger: &Trigger, at: DateTime<Utc>) -> u64 {
    trigger.repeats.unwrap_or_else(|| hashed(uid, occurrence, &trigger.key, at))
}

/// The first eight bytes of a hash over what makes this firing this one.
fn hashed(uid: &str, occurrence: Option<&Moment>, key: &str, at: DateTime<Utc>) -> u64 {
    let mut hash = Sha256::new();
    for text in [uid, &occurrence.map(Moment::text).unwrap_or_default(), key, &instant(&at)] {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    let digest = hash.finalize();
    digest.iter().take(8).fold(0, |id, byte| (id << 8) | u64::from(*byte))
}
