//! The VALARM of a component, read: when it rings and how. Knows no instance.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::domain::alarm::Action;
use crate::domain::refusal::Fault;
use crate::ical::block::Block;
use crate::ical::lines::Property;
use crate::ical::text;
use crate::ical::time::{self, Length, Time};
use crate::ical::zones::Zones;

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
    /// Whether ACTION was there.
    pub said: bool,
    /// Further firings, and the seconds between them.
    pub repeat: (u32, i64),
    pub acknowledged: Option<DateTime<Utc>>,
    /// SUMMARY: the subject of an EMAIL alarm.
    pub summary: String,
    pub description: String,
    /// To whom an EMAIL alarm is sent: mail addresses, without `mailto:`.
    pub attendees: Vec<String>,
    pub uid: Option<String>,
    /// The UID of the alarm that this one repeats later, RFC 9074 7.
    pub snoozes: Option<String>,
    /// The number of the alarm that rang and was put off until this one, where this service wrote that down.
    pub repeats: Option<u64>,
    /// What names it among its siblings: its UID, else what names it without.
    pub key: String,
    /// What names it, or named it before it got a UID: its place, trigger and action.
    pub bare: String,
    /// Its place among the alarms of its component, those included that ring nothing.
    pub place: usize,
}

/// How often an alarm repeats at most; what asks for more rings this often.
pub const REPEAT_MAX: u32 = 1000;

/// 1976-04-01 00:55:45 UTC: Apple's programs write it where they mean no alarm at all.
const APPLE_NEVER: i64 = 197_168_145;

impl Trigger {
    /// Whether it hangs on starts or ends.
    pub fn is_relative(&self) -> bool {
        !matches!(self.when, When::At(..))
    }

    /// The instant of an absolute trigger. RFC 5545 wants UTC; what is not stands in the default zone.
    pub fn absolute(&self, default: Tz) -> Option<DateTime<Utc>> {
        match self.when {
            When::At(local, true) if local.and_utc().timestamp() == APPLE_NEVER => None,
            When::At(local, true) => Some(local.and_utc()),
            When::At(local, false) => Some(Time::Floating(local).instant(default)),
            When::FromStart(_) | When::FromEnd(_) => None,
        }
    }
}

/// The alarms of a component that can ring. ACTION:NONE and unknown actions ring nothing, RFC 9074 and RFC 5545 3.8.6.1.
/// What cannot be understood is added to the flaws.
pub fn triggers(component: &Block, flaws: &mut Vec<Fault>) -> Vec<Trigger> {
    let mut triggers = Vec::new();
    for (index, alarm) in component.blocks("VALARM").enumerate() {
        match read(index, alarm) {
            Ok(trigger) => triggers.extend(trigger),
            Err(flaw) => flaws.push(flaw),
        }
    }
    triggers
}

/// Reads one VALARM, the `index`th of its component; `None` for one that is not meant to ring.
pub fn read(index: usize, alarm: &Block) -> Result<Option<Trigger>, Fault> {
    let written = alarm.value("ACTION");
    let action = match written.map(str::to_ascii_uppercase).as_deref() {
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
    let uid = alarm.value("UID").map(str::to_owned);
    let snoozes = snoozes(alarm).map(str::to_owned);
    let repeats = uid.as_deref().filter(|_| snoozes.is_some()).and_then(repeated);
    let bare = format!("{index} {} {}", property.value, action.as_str());
    Ok(Some(Trigger {
        when,
        action,
        said: written.is_some(),
        repeat,
        acknowledged: instant(alarm.property("ACKNOWLEDGED")),
        summary: words(alarm, "SUMMARY"),
        description: words(alarm, "DESCRIPTION"),
        attendees: alarm.properties("ATTENDEE").map(|attendee| mail(&attendee.value).to_owned()).collect(),
        snoozes,
        repeats,
        key: uid.clone().unwrap_or_else(|| bare.clone()),
        uid,
        bare,
        place: index,
    }))
}

fn words(alarm: &Block, name: &str) -> String {
    alarm.property(name).map(|property| text::unescaped(&property.value)).unwrap_or_default()
}

/// The UID of the alarm that a VALARM repeats later, RFC 9074 7.
pub fn snoozes(alarm: &Block) -> Option<&str> {
    let snooze = |related: &&Property| related.param("RELTYPE").is_some_and(|kind| kind.eq_ignore_ascii_case("SNOOZE"));
    alarm.properties("RELATED-TO").find(snooze).map(|related| related.value.trim())
}

/// How the UID of a snooze alarm begins that this service wrote; the number of the alarm that rang follows.
const OWN: &str = "campanile-snooze-";

/// The UID of a snooze alarm of our own. It holds the number of the alarm that rang, so that what rings again has the same number.
pub fn own_uid(id: u64, until: &DateTime<Utc>) -> String {
    format!("{OWN}{id:016x}-{}", until.format("%Y%m%dT%H%M%SZ"))
}

/// The number in such a UID.
pub fn repeated(uid: &str) -> Option<u64> {
    let (number, _) = uid.strip_prefix(OWN)?.split_once('-')?;
    (number.len() == 16).then(|| u64::from_str_radix(number, 16).ok())?
}

fn when(property: &Property) -> Option<When> {
    if let Some(length) = Length::parse(&property.value) {
        let end = property.param("RELATED").is_some_and(|related| related.eq_ignore_ascii_case("END"));
        return Some(if end { When::FromEnd(length) } else { When::FromStart(length) });
    }
    let (local, utc) = time::date_time(property.value.trim())?;
    Some(When::At(local, utc))
}

/// A mail address as ATTENDEE and ORGANIZER hold it, without its scheme.
pub fn mail(address: &str) -> &str {
    let address = address.trim();
    let parts = address.split_at_checked(7).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("mailto:"));
    parts.map_or(address, |(_, mail)| mail)
}

/// A property that must be in UTC.
pub fn instant(property: Option<&Property>) -> Option<DateTime<Utc>> {
    let property = property?;
    match time::time(property, &property.value, &Zones::default()).ok()? {
        Time::Utc(local) => Some(local.and_utc()),
        _ => None,
    }
}
