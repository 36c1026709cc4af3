//! Scheduling between people, as texts: RFC 5546 and RFC 6638. Who is in a component, what the organizer's change means for each attendee,
//! what an attendee may change and answers, and the messages. Knows no store and no clock.

pub mod attendee;
pub mod deputy;
pub mod message;
pub mod organizer;
pub mod party;
pub mod received;
pub mod reply;
pub mod request;

use std::collections::BTreeMap;

use crate::domain::refusal::Fault;
use crate::ical::block::Block;
use crate::ical::itip::party::{Party, address};
use crate::ical::lines::Property;
use crate::ical::object::CalendarObject;
use crate::ical::time::{self, Date, Time};

/// Which instance a component stands for, comparable whatever zone it is spelled in; `None` is the master.
pub type Key = Option<String>;

/// What a scheduling object must keep, and does not. RFC 6638 3.2.4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Breach {
    /// An attendee changed what is the organizer's.
    Attendee(Fault),
    /// An organizer made of it what cannot be.
    Organizer(Fault),
    /// Its components name several organizers.
    Organizers(Fault),
}

/// The one organizer of all components; `None` where nobody organises it.
pub fn organizer(object: &CalendarObject) -> Result<Option<&Property>, Breach> {
    let mut found: Option<&Property> = None;
    for (at, block) in object.components().enumerate() {
        let property = block.property("ORGANIZER");
        let other = match (found, property) {
            (None, Some(_)) if at > 0 => true,
            (Some(first), Some(property)) => address(first) != address(property),
            (Some(_), None) => true,
            (None, _) => false,
        };
        if other {
            return Err(Breach::Organizers(Fault::at(block.line, "all components must name the same ORGANIZER")));
        }
        found = found.or(property);
    }
    Ok(found)
}

/// The instance that a component stands for.
pub fn key(object: &CalendarObject, block: &Block) -> Key {
    block.property("RECURRENCE-ID").map(|property| match time::time(property, property.value.trim(), object.zones()) {
        Ok(time) => spelled(&time),
        Err(_) => property.value.trim().to_owned(),
    })
}

/// A time so that equal ones are spelled the same.
pub(crate) fn spelled(time: &Time) -> String {
    match time {
        Time::Utc(_) | Time::Zoned(..) => time.instant(chrono_tz::Tz::UTC).format("%Y%m%dT%H%M%SZ").to_string(),
        Time::Floating(local) => local.format("%Y%m%dT%H%M%S").to_string(),
        Time::Date(day) => day.format("%Y%m%d").to_string(),
    }
}

/// Components by the instance that they stand for. Of two for one instance the last counts.
pub fn parts(object: &CalendarObject) -> BTreeMap<Key, &Block> {
    object.components().map(|block| (key(object, block), block)).collect()
}

/// The instances that a component excludes, each with the property that does and its value there.
pub fn exceptions<'o>(object: &'o CalendarObject, block: &'o Block) -> BTreeMap<String, &'o Property> {
    let mut all = BTreeMap::new();
    for property in block.properties("EXDATE") {
        for date in time::dates(property, object.zones()).unwrap_or_default() {
            if let Date::Time(time) = date {
                all.insert(spelled(&time), property);
            }
        }
    }
    all
}

/// A property's times so that equal ones are spelled the same; its text where it cannot be read.
pub(crate) fn times(object: &CalendarObject, property: &Property) -> String {
    match time::dates(property, object.zones()) {
        Ok(dates) => {
            let each = dates.iter().map(|date| match date {
                Date::Time(time) => spelled(time),
                Date::Period(start, end) => format!("{}/{end:?}", spelled(start)),
            });
            let mut all: Vec<String> = each.collect();
            all.sort();
            all.join(",")
        }
        Err(_) => property.value.trim().to_owned(),
    }
}

/// What moves somebody's time: where it differs, an answer that was given counts no more.
pub(crate) fn timing(object: &CalendarObject, block: &Block) -> Vec<String> {
    let mut all = Vec::new();
    for property in &block.properties {
        match property.name.as_str() {
            "DTSTART" | "DTEND" | "DUE" | "RDATE" => all.push(format!("{}:{}", property.name, times(object, property))),
            "DURATION" | "RRULE" | "EXRULE" => {
                all.push(format!("{}:{}", property.name, property.value.trim().to_ascii_uppercase()));
            }
            _ => {}
        }
    }
    all.sort();
    all
}

/// Where somebody stands among a component's attendees.
pub fn attendee<'o>(block: &'o Block, who: &Party) -> Option<&'o Property> {
    block.properties("ATTENDEE").find(|property| who.is(property))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(crate) mod samples {
    use crate::ical::itip::party::Party;
    use crate::ical::lines::Limits;
    use crate::ical::object::CalendarObject;

    pub fn text(components: &str) -> String {
        format!("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//x//EN\n{components}END:VCALENDAR\n").replace('\n', "\r\n")
    }

    pub fn event(lines: &str) -> String {
        format!("BEGIN:VEVENT\nUID:u1\nDTSTAMP:20250101T000000Z\n{lines}END:VEVENT\n")
    }

    pub fn read(text: &str) -> CalendarObject {
        CalendarObject::read(text.as_bytes(), &Limits::default()).unwrap()
    }

    pub fn party(name: &str) -> Party {
        Party::new(&format!("{name}@example.org"), name)
    }

    pub const PEOPLE: &str = "ORGANIZER:mailto:alice@example.org\nATTENDEE:mailto:alice@example.org\nATTENDEE;RSVP=TRUE:mailto:bob@example.org\nATTENDEE:mailto:carol@example.org\n";
}
