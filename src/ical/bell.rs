//! One component with its alarms, as one listener hears it: who is meant, and what was acknowledged or snoozed. Knows no instance.

use chrono::{DateTime, Utc};

use crate::domain::alarm::Action;
use crate::ical::alarms::{Policy, silenced};
use crate::ical::block::Block;
use crate::ical::lines::Property;
use crate::ical::object::CalendarObject;
use crate::ical::recur::series::Part;
use crate::ical::trigger::{self, Trigger, mail};

/// One component with the alarms of it that may ring.
pub struct Bell<'o> {
    pub part: &'o Part,
    pub sounds: Vec<Sound<'o>>,
    /// X-MOZ-SNOOZE-TIME, and its like for single instances.
    pub snoozes: Vec<Snooze>,
}

/// One alarm.
pub struct Sound<'o> {
    pub trigger: &'o Trigger,
    /// To whom it is mailed.
    pub attendees: Vec<&'o str>,
    /// Up to this second everything is acknowledged. RFC 9074 6.1: what comes later rings again.
    pub silent: Option<i64>,
}

/// When Thunderbird rings again, and for which original start.
pub struct Snooze {
    pub at: i64,
    pub original: Option<i64>,
}

impl<'o> Bell<'o> {
    /// `None` where nothing can ring for a listener.
    pub fn of(object: &'o CalendarObject, part: &'o Part, policy: &Policy) -> Option<Bell<'o>> {
        let triggers = object.alarms(part.block);
        if triggers.is_empty() {
            return None;
        }
        let block = object.root().blocks.get(part.block)?;
        if silenced(block, policy) {
            return None;
        }
        // X-MOZ-LASTACK: Thunderbird acknowledges a component, not an alarm.
        let acknowledged = trigger::instant(block.property("X-MOZ-LASTACK"));
        let sound = |trigger: &'o Trigger| {
            // Where answers are asked for, the letter counts: Side rings no alarm without ACTION.
            if policy.require_accepted && !trigger.said {
                return None;
            }
            let attendees = recipients(trigger, block, policy)?;
            let silent = acknowledged.max(trigger.acknowledged).max(of_original(trigger, triggers));
            Some(Sound { trigger, attendees, silent: silent.map(|at| at.timestamp()) })
        };
        let sounds: Vec<Sound<'o>> = triggers.iter().filter_map(sound).collect();
        let snoozes = block.properties.iter().filter_map(snooze);
        let heard = |snooze: &Snooze| acknowledged.is_none_or(|at| at.timestamp() < snooze.at);
        let snoozes = if sounds.is_empty() { Vec::new() } else { snoozes.filter(heard).collect() };
        (!sounds.is_empty()).then_some(Bell { part, sounds, snoozes })
    }

    /// Whether any of its alarms hangs on starts or ends.
    pub fn is_relative(&self) -> bool {
        self.sounds.iter().any(|sound| sound.trigger.is_relative())
    }
}

impl Sound<'_> {
    /// Whether a firing was not yet acknowledged.
    pub fn rings(&self, at: i64) -> bool {
        self.silent.is_none_or(|silent| silent < at)
    }
}

/// Who gets the mail of an alarm; `None` where it is for others only. With `require_accepted` each invited person has
/// a copy of the event with everybody's alarms in it: then an alarm that names only other invited people is theirs.
fn recipients<'o>(trigger: &'o Trigger, block: &Block, policy: &Policy) -> Option<Vec<&'o str>> {
    let all = trigger.attendees.iter().map(String::as_str);
    if trigger.attendees.is_empty() || !policy.require_accepted {
        return Some(if trigger.action == Action::Email { all.collect() } else { Vec::new() });
    }
    let invited =
        |address: &str| block.properties("ATTENDEE").any(|one| mail(&one.value).eq_ignore_ascii_case(address));
    let own = |address: &str| address.eq_ignore_ascii_case(&policy.user_email);
    let left: Vec<&str> = all.filter(|address| own(address) || !invited(address)).collect();
    (!left.is_empty()).then_some(if trigger.action == Action::Email { left } else { Vec::new() })
}

/// Whoever acknowledges an alarm later than its snooze was due has done with both, RFC 9074 7.
fn of_original(trigger: &Trigger, triggers: &[Trigger]) -> Option<DateTime<Utc>> {
    let original = trigger.snoozes.as_ref()?;
    let original = triggers.iter().find(|other| other.uid.as_ref() == Some(original))?;
    original.acknowledged
}

/// `X-MOZ-SNOOZE-TIME`, or with `-` and the recurrence id in microseconds since 1970 for one instance of a series.
fn snooze(property: &Property) -> Option<Snooze> {
    let id = property.name.strip_prefix("X-MOZ-SNOOZE-TIME")?;
    let at = trigger::instant(Some(property))?.timestamp();
    let original = match id.strip_prefix('-') {
        Some(micros) => Some(micros.parse::<i64>().ok()?.div_euclid(1_000_000)),
        None if id.is_empty() => None,
        None => return None,
    };
    Some(Snooze { at, original })
}
