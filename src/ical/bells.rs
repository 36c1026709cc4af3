//! The alarms of one series, hung on its instances. Knows neither due queue nor listener; `alarms` asks it.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use sha2::{Digest, Sha256};

use crate::domain::alarm::Firing;
use crate::domain::occurrence::{Moment, instant};
use crate::ical::alarms::{Policy, silenced};
use crate::ical::block::Block;
use crate::ical::object::CalendarObject;
use crate::ical::recur::budget::{Budget, Exhausted};
use crate::ical::recur::instances::{self, Instance};
use crate::ical::recur::series::{Part, Series};
use crate::ical::recur::window::{self, Search};
use crate::ical::text;
use crate::ical::time::{self, End, Length, Time};
use crate::ical::trigger::{self, Trigger, When};

/// One series with its bells.
pub struct Tower<'o> {
    series: &'o Series,
    bells: Vec<Bell<'o>>,
    default: Tz,
    /// Seconds between a start and its earliest and latest firing; `None` where no alarm hangs on a start or an end.
    reach: Option<(i64, i64)>,
    /// Whether a rule makes instances that ring.
    expands: bool,
    /// Behind this start nothing rings any more: a this-and-future override has silenced the rule, and no single override comes later.
    quiet: Option<DateTime<Utc>>,
}

/// One ringing, before anything is said about it: the next instant is asked for often, its words seldom.
pub struct Ring<'t> {
    pub at: DateTime<Utc>,
    bell: &'t Bell<'t>,
    trigger: &'t Trigger,
    /// The instance it hangs on; `None` for an instant of its own.
    instance: Option<Standing>,
}

/// What something rings for.
#[derive(Clone, Copy)]
struct Standing {
    moment: Option<Moment>,
    start_at: DateTime<Utc>,
    end_at: DateTime<Utc>,
}

/// One component with the alarms of it that may ring.
struct Bell<'o> {
    part: &'o Part,
    triggers: Vec<Trigger>,
    /// X-MOZ-LASTACK: Thunderbird acknowledges a component, not an alarm.
    acknowledged: Option<DateTime<Utc>>,
    /// X-MOZ-SNOOZE-TIME, and its like for single instances.
    snoozes: Vec<DateTime<Utc>>,
}

impl<'o> Tower<'o> {
    pub fn of(object: &'o CalendarObject, series: &'o Series, default: Tz, policy: &Policy) -> Tower<'o> {
        let parts = series.masters.iter().chain(&series.overrides);
        let bells: Vec<Bell<'o>> = parts
            .filter_map(|part| Some((part, object.root().blocks.get(part.block)?)))
            .filter(|(_, block)| !silenced(block, policy))
            .map(|(part, block)| Bell::of(part, block))
            .filter(|bell| !bell.triggers.is_empty())
            .collect();
        let longest = window::longest(series, default);
        let mut reach: Option<(i64, i64)> = None;
        for trigger in bells.iter().flat_map(|bell| &bell.triggers) {
            let (length, spread) = match trigger.when {
                When::FromStart(length) => (length, 0),
                When::FromEnd(length) => (length, longest),
                When::At(..) => continue,
            };
            // Days on the calendar may be a clock change shorter or longer than days on the clock.
            let spare = if length.days == 0 { 0 } else { 86_400 };
            let repeats = i64::from(trigger.repeat.0).saturating_mul(trigger.repeat.1);
            let (low, high) = (length.about() - spare, length.about() + spare + spread + repeats);
            reach = Some(reach.map_or((low, high), |reach| (reach.0.min(low), reach.1.max(high))));
        }
        let rings = |part: &Part| bells.iter().any(|bell| std::ptr::eq(bell.part, part) && bell.is_relative());
        let recurring = || series.masters.iter().filter(|master| master.recurs());
        let changes = series.overrides.iter().filter(|part| part.future);
        let expands = recurring().any(&rings) || (recurring().next().is_some() && changes.clone().any(&rings));
        let quiet = instances::last_change(series, default).filter(|(_, part)| !rings(part)).map(|(at, _)| at);
        // An override of a single instance rings for itself, also behind the change that silenced the rule.
        let single = series.overrides.iter().filter(|part| rings(part));
        let last = single.filter_map(|part| Some(part.start.as_ref()?.instant(default))).max();
        let quiet = quiet.max(last.filter(|_| quiet.is_some()));
        Tower { series, bells, default, reach, expands, quiet }
    }

    /// Where to look for what rings next; `None` where no rule makes anything that rings, and one look is enough.
    pub fn search(&self, from: DateTime<Utc>) -> Option<Search> {
        self.reach.filter(|_| self.expands).map(|reach| Search::new(self.series, from, reach))
    }

    /// Adds what rings at an instant of its own.
    pub fn absolute<'t>(
        &'t self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        budget: &mut Budget,
        all: &mut Vec<Ring<'t>>,
    ) -> Result<(), Exhausted> {
        for bell in &self.bells {
            let instants = bell.triggers.iter().filter_map(|trigger| Some((trigger, trigger.absolute(self.default)?)));
            for (trigger, first) in instants {
                for at in repeated(trigger, first, from, to) {
                    budget.spend(1)?;
                    if bell.hears(trigger, at) {
                        all.push(Ring { at, bell, trigger, instance: None });
                    }
                }
            }
            for at in bell.snoozes.iter().filter(|at| (from..to).contains(at)) {
                budget.spend(1)?;
                if let Some(trigger) = bell.triggers.first() {
                    all.push(Ring { at: *at, bell, trigger, instance: None });
                }
            }
        }
        Ok(())
    }

    /// Adds what hangs on starts and ends and rings at `from` or later: all of it that rings before `to`, perhaps
    /// more. Answers whether that is all there is.
    pub fn relative<'t>(
        &'t self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        budget: &mut Budget,
        all: &mut Vec<Ring<'t>>,
    ) -> Result<bool, Exhausted> {
        let Some((low, high)) = self.reach else { return Ok(true) };
        let (first, last) = (time::shifted(from, -high), time::shifted(to, -low));
        let (instances, ended) = match self.expands {
            true => {
                let found = instances::instances(self.series, first, last, self.default, budget)?;
                (found.instances, found.ended || self.quiet.is_some_and(|quiet| time::shifted(quiet, 86_400) < first))
            }
            false => (instances::standing(self.series, self.default), true),
        };
        for instance in &instances {
            let Some(bell) = self.bells.iter().find(|bell| std::ptr::eq(bell.part, instance.part)) else { continue };
            let (start_at, end_at) = (instance.start_at, instance.end_at);
            let standing = Standing { moment: Some(instance.start.moment()), start_at, end_at };
            for trigger in &bell.triggers {
                let Some(first) = ring(trigger, instance, self.default) else { continue };
                for at in repeated(trigger, first, from, DateTime::<Utc>::MAX_UTC) {
                    budget.spend(1)?;
                    if bell.hears(trigger, at) {
                        all.push(Ring { at, bell, trigger, instance: Some(standing) });
                        // The caller wants the window's; the first behind it is enough to know that there is one.
                        if at >= to {
                            break;
                        }
                    }
                }
            }
        }
        Ok(ended)
    }

    /// What a ringing says. Long words cost as much as many instances: they are copied for each.
    pub fn firing(&self, ring: &Ring<'_>, budget: &mut Budget) -> Result<Firing, Exhausted> {
        let Ring { at, bell, trigger, .. } = ring;
        let words = bell.part.summary.len() + trigger.description.len() + self.series.uid.len();
        budget.spend(text::copy_cost(words))?;
        let standing = match ring.instance {
            Some(standing) => standing,
            None => self.alone(bell, *at, budget)?,
        };
        Ok(Firing {
            at: *at,
            uid: self.series.uid.clone(),
            id: id(&self.series.uid, standing.moment.as_ref(), trigger, *at),
            occurrence: standing.moment,
            start_at: standing.start_at,
            end_at: standing.end_at,
            action: trigger.action,
            summary: bell.part.summary.clone(),
            description: trigger.description.clone(),
        })
    }

    /// What an absolute alarm rings for: its component, or of a series the instance it most likely means, since a
    /// snooze stands close to its own.
    fn alone(&self, bell: &Bell<'_>, at: DateTime<Utc>, budget: &mut Budget) -> Result<Standing, Exhausted> {
        const STEPS: u32 = 1000;
        let own = bell.part.start.as_ref();
        let span = |start: &Time| (start.instant(self.default), bell.part.end_of(start, None, self.default));
        let (start_at, end_at) = own.map_or((at, at), span);
        if !bell.part.recurs() {
            return Ok(Standing { moment: own.map(Time::moment), start_at, end_at });
        }
        let mut little = Budget::new(STEPS);
        let (from, to) = (time::shifted(at, -2 * 86_400), time::shifted(at, 8 * 86_400));
        let found = instances::instances(self.series, from, to, self.default, &mut little);
        budget.spend(little.spent())?;
        // A rule too dense for that leaves the start of the series.
        let nearest = found.ok().and_then(|found| found.instances.into_iter().min_by_key(|i| (i.start_at - at).abs()));
        let (start_at, end_at) = nearest.map_or((start_at, end_at), |nearest| (nearest.start_at, nearest.end_at));
        Ok(Standing { moment: None, start_at, end_at })
    }
}

impl<'o> Bell<'o> {
    fn of(part: &'o Part, block: &Block) -> Bell<'o> {
        let snoozes = block.properties.iter().filter(|property| property.name.starts_with("X-MOZ-SNOOZE-TIME"));
        Bell {
            part,
            triggers: trigger::triggers(block),
            acknowledged: trigger::instant(block.property("X-MOZ-LASTACK")),
            snoozes: snoozes.filter_map(|property| trigger::instant(Some(property))).collect(),
        }
    }

    fn is_relative(&self) -> bool {
        self.triggers.iter().any(|trigger| !matches!(trigger.when, When::At(..)))
    }

    /// Whether a firing was not yet acknowledged. RFC 9074 6.1: what comes later rings again.
    fn hears(&self, trigger: &Trigger, at: DateTime<Utc>) -> bool {
        trigger.acknowledged.max(self.acknowledged).is_none_or(|acknowledged| acknowledged < at)
    }
}

/// When an alarm first rings for an instance.
fn ring(trigger: &Trigger, instance: &Instance<'_>, default: Tz) -> Option<DateTime<Utc>> {
    match trigger.when {
        When::FromStart(length) => Some(length.after(&instance.start, default)),
        When::FromEnd(Length { days: 0, seconds }) => Some(time::shifted(instance.end_at, seconds)),
        When::FromEnd(length) => {
            // Days count on the end's own clock, which may hang in another zone than the start's.
            let zone = match &instance.part.end {
                Some(End::At(end)) => end.zone(default),
                _ => instance.start.zone(default),
            };
            let local = time::days_later(zone.to_local(instance.end_at), length.days);
            Some(time::shifted(zone.to_utc(local), length.seconds))
        }
        When::At(..) => None,
    }
}

/// A firing and its repetitions within a window.
fn repeated(
    trigger: &Trigger,
    first: DateTime<Utc>,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> impl Iterator<Item = DateTime<Utc>> + use<> {
    let (count, gap) = trigger.repeat;
    let behind = (from - first).num_seconds().max(0);
    let skipped = if gap > 0 { u32::try_from(behind / gap).unwrap_or(u32::MAX) } else { 0 };
    (skipped..=count)
        .map(move |number| time::shifted(first, gap.saturating_mul(i64::from(number))))
        .skip_while(move |at| *at < from)
        .take_while(move |at| *at < to)
}

/// The first eight bytes of a hash over what makes this firing this one.
fn id(uid: &str, occurrence: Option<&Moment>, trigger: &Trigger, at: DateTime<Utc>) -> u64 {
    let mut hash = Sha256::new();
    for text in [uid, &occurrence.map(Moment::text).unwrap_or_default(), &trigger.key, &instant(&at)] {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    let digest = hash.finalize();
    digest.iter().take(8).fold(0, |id, byte| (id << 8) | u64::from(*byte))
}
