//! Properties that clients set: what each becomes of a collection's face, or why it cannot be set. Commits nothing.

use crate::dav::fault::Condition;
use crate::dav::props::Property;
use crate::dav::xml::{Element, Name, Space};
use crate::dav::zone;
use crate::domain::address::{Address, Kind};
use crate::service::collections::{Face, zone_named};

/// Bytes of one property's text; a longer one is refused.
const TEXT_MAX: usize = 16_384;

/// Why a property cannot be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unset {
    /// Known, but not the client's to set.
    Protected,
    /// Nothing that is kept here.
    Unknown,
    /// It could be, but not to this value.
    Bad(Option<Condition>, String),
}

/// Sets one property in `face`, or takes it away where there is no value.
pub fn dress(face: &mut Face, address: &Address, name: &Name, value: Option<&Element>) -> Result<(), Unset> {
    let text = value.map_or("", |value| value.text.as_str());
    if text.len() > TEXT_MAX && !is_timezone(name) {
        return Err(Unset::Bad(None, format!("longer than {TEXT_MAX} bytes")));
    }
    let calendar = address.kind() == Kind::Calendar;
    if is_timezone(name) && calendar {
        face.timezone = Some(match value {
            Some(_) => timezone(text)?,
            None => String::new(),
        });
        return Ok(());
    }
    match Property::of(name) {
        // A collection always shows some name; without one of its own it is the last part of its address, as when it was made.
        Some(Property::DisplayName) => {
            face.display_name = Some(value.map_or(address.name(), |_| text).to_owned());
        }
        Some(Property::Color) if calendar => face.color = Some(text.trim().to_owned()),
        Some(Property::CalendarDescription) if calendar => face.description = Some(text.to_owned()),
        Some(Property::BookDescription) if !calendar => face.description = Some(text.to_owned()),
        Some(Property::TimezoneId) if calendar => face.timezone = Some(timezone_id(text)?),
        Some(Property::Transparency) if calendar => face.transparent = Some(transparency(value)?),
        Some(
            Property::Color
            | Property::CalendarDescription
            | Property::BookDescription
            | Property::TimezoneId
            | Property::Transparency,
        )
        | None => {
            return Err(Unset::Unknown);
        }
        Some(_) => return Err(Unset::Protected),
    }
    Ok(())
}

/// RFC 4791 5.2.2. Only its zone's name is kept, so the property is written and `calendar-timezone-id` is read.
fn is_timezone(name: &Name) -> bool {
    name.is(&Space::CalDav, "calendar-timezone")
}

fn timezone(text: &str) -> Result<String, Unset> {
    let bad = |why: String| Unset::Bad(Some(Condition::ValidCalendarData), why);
    let tzid = zone::tzid(text).ok_or_else(|| bad("there is no VTIMEZONE with a TZID".to_owned()))?;
    Ok(zone_named(&tzid).ok_or_else(|| bad(format!("no zone named {tzid:?}")))?.to_owned())
}

/// RFC 7809 5.2. The empty text takes the zone away.
fn timezone_id(text: &str) -> Result<String, Unset> {
    if text.trim().is_empty() {
        return Ok(String::new());
    }
    let bad = || Unset::Bad(Some(Condition::ValidTimezone), format!("no zone named {:?}", text.trim()));
    Ok(zone_named(text).ok_or_else(bad)?.to_owned())
}

/// RFC 6638 9.1: opaque where nothing is said.
fn transparency(value: Option<&Element>) -> Result<bool, Unset> {
    let says = |what| value.is_some_and(|value| value.child(&Space::CalDav, what).is_some());
    match (says("transparent"), says("opaque")) {
        (true, false) => Ok(true),
        (false, true) => Ok(false),
        (false, false) if value.is_none() => Ok(false),
        _ => Err(Unset::Bad(None, "it is either transparent or opaque".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dav::reader;

    #[test]
    fn properties_become_a_face() {
        let paris =
            "BEGIN:VCALENDAR&#13;\nBEGIN:VTIMEZONE&#13;\nTZID:Europe/Paris&#13;\nEND:VTIMEZONE&#13;\nEND:VCALENDAR";
        let zone = format!("<C:calendar-timezone>{paris}</C:calendar-timezone>");
        let long = format!("<D:displayname>{}</D:displayname>", "x".repeat(TEXT_MAX + 1));
        let bad = |why: &str| format!("bad {why}");
        // What is set on a calendar and on an address book, as `field=value` or the reason why not.
        let rows = [
            ("<D:displayname> Work &amp; play </D:displayname>", "name= Work & play ", "name= Work & play "),
            ("<D:displayname/>", "name=", "name="),
            ("<A:calendar-color> #FF2968FF\n</A:calendar-color>", "color=#FF2968FF", "unknown"),
            ("<C:calendar-description>d</C:calendar-description>", "text=d", "unknown"),
            ("<CR:addressbook-description>d</CR:addressbook-description>", "unknown", "text=d"),
            ("<C:calendar-timezone-id>Europe/Paris</C:calendar-timezone-id>", "zone=Europe/Paris", "unknown"),
            ("<C:calendar-timezone-id/>", "zone=", "unknown"),
            ("<C:calendar-timezone-id>Mars</C:calendar-timezone-id>", "bad no zone named \"Mars\"", "unknown"),
            (&zone, "zone=Europe/Paris", "unknown"),
            (
                "<C:schedule-calendar-transp><C:transparent/></C:schedule-calendar-transp>",
                "transparent=true",
                "unknown",
            ),
            ("<C:schedule-calendar-transp><C:opaque/></C:schedule-calendar-transp>", "transparent=false", "unknown"),
            ("<C:schedule-calendar-transp/>", "bad it is either transparent or opaque", "unknown"),
            ("<C:calendar-timezone>x</C:calendar-timezone>", "bad there is no VTIMEZONE with a TZID", "unknown"),
            (&long, &bad("longer than 16384 bytes"), &bad("longer than 16384 bytes")),
            ("<D:getetag>1</D:getetag>", "protected", "protected"),
            ("<D:resourcetype/>", "protected", "protected"),
            ("<C:supported-calendar-component-set/>", "protected", "protected"),
            ("<A:calendar-order>1</A:calendar-order>", "unknown", "unknown"),
            ("<x xmlns='u:e'/>", "unknown", "unknown"),
        ];
        for (body, calendar, book) in rows {
            let root = format!(
                "<D:prop xmlns:D='DAV:' xmlns:C='urn:ietf:params:xml:ns:caldav' xmlns:CR='urn:ietf:params:xml:ns:carddav' \
                 xmlns:A='http://apple.com/ns/ical/'>{body}</D:prop>"
            );
            let root = reader::read(root.as_bytes()).unwrap().unwrap();
            let value = &root.children[0];
            for (kind, want) in [(Kind::Calendar, calendar), (Kind::AddressBook, book)] {
                let address = Address::new(kind, "alice", "work").unwrap();
                let mut face = Face::default();
                let found = match dress(&mut face, &address, &value.name, Some(value)) {
                    Ok(()) => [
                        ("name", face.display_name),
                        ("text", face.description),
                        ("color", face.color),
                        ("zone", face.timezone),
                        ("transparent", face.transparent.map(|says| says.to_string())),
                    ]
                    .into_iter()
                    .filter_map(|(field, value)| Some(format!("{field}={}", value?)))
                    .collect::<String>(),
                    Err(Unset::Protected) => "protected".to_owned(),
                    Err(Unset::Unknown) => "unknown".to_owned(),
                    Err(Unset::Bad(_, why)) => format!("bad {why}"),
                };
                assert_eq!(found, want, "{body}");
            }
        }
    }

    #[test]
    fn what_is_taken_away_is_empty() {
        let address = Address::new(Kind::Calendar, "alice", "work").unwrap();
        let mut face = Face::default();
        for property in [Property::DisplayName, Property::Color, Property::CalendarDescription, Property::TimezoneId] {
            dress(&mut face, &address, &property.name().unwrap(), None).unwrap();
        }
        assert_eq!(face.display_name.as_deref(), Some("work"));
        assert_eq!(
            (face.color.as_deref(), face.description.as_deref(), face.timezone.as_deref()),
            (Some(""), Some(""), Some(""))
        );
    }
}
