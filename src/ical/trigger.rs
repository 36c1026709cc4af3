//! The VALARM of a component, read: when it rings and how. Knows no instance.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::domain::alarm::Action;
use crate::domain::refusal::Fault;
use crate::ical::block::Block;
use crate::ical::lines::Property;
use crate::ical::text;
use crate::ical::time::{self, Length, Time};
use crate::ical::zone::Zones;

/// When an alarm rings. RFC 5545 3.8.6.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    FromStart(Length),
    FromEnd(Length),
    /// Once for its component, however often that recurs. A clock reading, and whether it is in UTC.
    At(chrono::NaiveDateTime, bool),
}

/// An alarm that can ring.
#[derive(Clone, Debug, PartialEq)]
pub struct Trigger {
    pub when: When,
    pub action: Action,
    /// Further firings, and the seconds between them.
    pub repeat: (u32, i64),
    pub acknowledged: Option<DateTime<Utc>>,
    pub description: String,
    /// What names it among its siblings: its UID, else its place, trigger and action.
    pub key: String,
}

/// How often an alarm repeats at most; what asks for more rings this often.
pub const REPEAT_MAX: u32 = 1000;

impl Trigger {
    /// The instant of an absolute trigger. RFC 5545 wants UTC; what is not stands in the default zone.
    pub fn absolute(&self, default: Tz) -> Option<DateTime<Utc>> {
        match self.when {
            When::At(local, true) => Some(local.and_utc()),
            When::At(local, false) => Some(Time::Floating(local).instant(default)),
            When::FromStart(_) | When::FromEnd(_) => None,
        }
    }
}

/// The alarms of a component that can ring. ACTION:NONE and unknown actions ring nothing, RFC 9074 and RFC 5545 3.8.6.1.
pub fn triggers(component: &Block) -> Vec<Trigger> {
    component.blocks("VALARM").enumerate().filter_map(|(index, alarm)| read(index, alarm).ok().flatten()).collect()
}

/// The alarms of a VCALENDAR that cannot be understood.
pub fn flaws(root: &Block) -> Vec<Fault> {
    let alarms = root.blocks.iter().flat_map(|component| component.blocks("VALARM"));
    alarms.enumerate().filter_map(|(index, alarm)| read(index, alarm).err()).collect()
}

fn read(index: usize, alarm: &Block) -> Result<Option<Trigger>, Fault> {
    let action = match alarm.value("ACTION").map(str::to_ascii_uppercase).as_deref() {
        // ACTION is required, but an alarm that says when and not how was meant to be seen.
        Some("DISPLAY") | None => Action::Display,
        Some("AUDIO") => Action::Audio,
        Some("EMAIL") => Action::Email,
        Some(_) => return Ok(None),
    };
    let Some(property) = alarm.property("TRIGGER") else {
        return Err(Fault::at(alarm.line, "a VALARM without TRIGGER"));
    };
    let when = when(property).ok_or_else(|| {
        let value: String = property.value.chars().take(40).collect();
        Fault::at(property.line, format!("no trigger: {value:?}"))
    })?;
    let repeat = alarm.value("REPEAT").and_then(|text| text.parse::<u32>().ok()).filter(|count| *count > 0);
    let between = alarm.value("DURATION").and_then(Length::parse).map(|length| length.about()).filter(|gap| *gap > 0);
    // RFC 5545 3.6.6: one of the pair without the other is a fault; phones send it, so it rings once.
    let repeat = repeat.zip(between).map_or((0, 0), |(count, gap)| (count.min(REPEAT_MAX), gap));
    let key = match alarm.value("UID") {
        Some(uid) => uid.to_owned(),
        None => format!("{index} {} {}", property.value, action.as_str()),
    };
    Ok(Some(Trigger {
        when,
        action,
        repeat,
        acknowledged: instant(alarm.property("ACKNOWLEDGED")),
        description: alarm.property("DESCRIPTION").map(|p| text::unescaped(&p.value)).unwrap_or_default(),
        key,
    }))
}

fn when(property: &Property) -> Option<When> {
    if let Some(length) = Length::parse(&property.value) {
        let end = property.param("RELATED").is_some_and(|related| related.eq_ignore_ascii_case("END"));
        return Some(if end { When::FromEnd(length) } else { When::FromStart(length) });
    }
    let (local, utc) = time::date_time(property.value.trim())?;
    Some(When::At(local, utc))
}

/// A property that must be in UTC.
pub fn instant(property: Option<&Property>) -> Option<DateTime<Utc>> {
    let property = property?;
    match time::time(property, &property.value, &Zones::default()).ok()? {
        Time::Utc(local) => Some(local.and_utc()),
        _ => None,
    }
}
