//! Properties that clients set: what each becomes of a collection's face or of what is kept beside it, or why it cannot be set. Commits
//! nothing.

use crate::dav::dead;
use crate::dav::fault::Condition;
use crate::dav::props::Property;
use crate::dav::xml::{Element, Name, Space};
use crate::dav::zone;
use crate::domain::address::{Address, Kind};
use crate::domain::dead::DeadChange;
use crate::service::collections::{COLOR_MAX, DESCRIPTION_MAX, Face, NAME_MAX, zone_named};

/// One property to be set or, where there is no value, taken away.
#[derive(Clone, Copy)]
pub struct Change<'a> {
    pub name: &'a Name,
    pub value: Option<&'a Element>,
    /// The `xml:lang` that the value inherits.
    pub lang: Option<&'a str>,
}

/// What a property that can be set is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Live,
    Dead,
}

/// Why a property cannot be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unset {
    /// Known, but not the client's to set.
    Protected,
    /// Nothing is kept at this place.
    Nowhere,
    /// It could be, but not to this value.
    Bad(Option<Condition>, String),
    /// There is no room for it.
    Full(String),
}

/// Sets one property of a collection in `face`, or takes it away where there is no value.
pub fn dress(face: &mut Face, address: &Address, change: Change<'_>) -> Result<Fate, Unset> {
    let value = change.value;
    let text = value.map_or("", |value| value.text.as_str());
    let within = |max: usize| match text.len() > max {
        true => Err(Unset::Bad(None, format!("longer than {max} bytes"))),
        false => Ok(text),
    };
    let calendar = address.kind() == Kind::Calendar;
    match Property::of(change.name) {
        // A collection always shows some name; without one of its own it is the last part of its address, as when it was made.
        Some(Property::DisplayName) => {
            let name = within(NAME_MAX)?;
            face.display_name = Some(value.map_or(address.name(), |_| name).to_owned());
        }
        Some(Property::Color) if calendar => face.color = Some(within(COLOR_MAX)?.trim().to_owned()),
        Some(Property::CalendarDescription) if calendar => face.description = Some(within(DESCRIPTION_MAX)?.to_owned()),
        Some(Property::BookDescription) if !calendar => face.description = Some(within(DESCRIPTION_MAX)?.to_owned()),
        Some(Property::TimezoneId) if calendar => face.timezone = Some(timezone_id(text)?),
        // RFC 4791 5.2.2. The zone's name counts here; the text is kept beside it for whoever asks for it.
        Some(Property::Timezone) if calendar => {
            face.timezone = Some(match value {
                Some(_) => timezone(text)?,
                None => String::new(),
            });
            face.dead.push(dead::change(change.name, value, None));
        }
        Some(Property::Transparency) if calendar => face.transparent = Some(transparency(value)?),
        _ => {
            face.dead.push(keep(change)?);
            return Ok(Fate::Dead);
        }
    }
    Ok(Fate::Live)
}

/// A property that means nothing where it is set.
pub fn keep(change: Change<'_>) -> Result<DeadChange, Unset> {
    if Property::protects(change.name) {
        return Err(Unset::Protected);
    }
    Ok(dead::change(change.name, change.value, change.lang))
}

fn timezone(text: &str) -> Result<String, Unset> {
    let bad = |why: String| Unset::Bad(Some(Condition::ValidCalendarData), why);
    let tzid = zone::tzid(text).ok_or_else(|| bad("there is no VTIMEZONE with a TZID".to_owned()))?;
    // One that only its text describes counts for nothing here; refused, it would make the calendar vanish from the client's list.
    Ok(zone_named(&tzid).unwrap_or_default().to_owned())
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
        let long = format!("<D:displayname>{}</D:displayname>", "x".repeat(NAME_MAX + 1));
        let bad = |why: &str| format!("bad {why}");
        // What is set on a calendar and on an address book, as `field=value` or the reason why not.
        let rows = [
            ("<D:displayname> Work &amp; play </D:displayname>", "name= Work & play ", "name= Work & play "),
            ("<D:displayname/>", "name=", "name="),
            ("<A:calendar-color> #FF2968FF\n</A:calendar-color>", "color=#FF2968FF", "kept"),
            ("<C:calendar-description>d</C:calendar-description>", "text=d", "kept"),
            ("<CR:addressbook-description>d</CR:addressbook-description>", "kept", "text=d"),
            ("<C:calendar-timezone-id>Europe/Paris</C:calendar-timezone-id>", "zone=Europe/Paris", "kept"),
            ("<C:calendar-timezone-id/>", "zone=", "kept"),
            ("<C:calendar-timezone-id>Mars</C:calendar-timezone-id>", "bad no zone named \"Mars\"", "kept"),
            (&zone, "dead=1zone=Europe/Paris", "kept"),
            ("<C:schedule-calendar-transp><C:transparent/></C:schedule-calendar-transp>", "transparent=true", "kept"),
            ("<C:schedule-calendar-transp><C:opaque/></C:schedule-calendar-transp>", "transparent=false", "kept"),
            ("<C:schedule-calendar-transp/>", "bad it is either transparent or opaque", "kept"),
            ("<C:calendar-timezone>x</C:calendar-timezone>", "bad there is no VTIMEZONE with a TZID", "kept"),
            (&long, &bad("longer than 1024 bytes"), &bad("longer than 1024 bytes")),
            ("<D:getetag>1</D:getetag>", "protected", "protected"),
            ("<D:resourcetype/>", "protected", "protected"),
            ("<C:supported-calendar-component-set/>", "protected", "protected"),
            ("<A:calendar-order>1</A:calendar-order>", "kept", "kept"),
            ("<x xmlns='u:e'/>", "kept", "kept"),
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
                let change = Change { name: &value.name, value: Some(value), lang: None };
                let dead = |face: &Face| (!face.dead.is_empty()).then(|| face.dead.len().to_string());
                let found = match dress(&mut face, &address, change) {
                    Ok(Fate::Dead) => "kept".to_owned(),
                    Ok(Fate::Live) => [
                        ("dead", dead(&face)),
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
                    Err(Unset::Bad(_, why)) => format!("bad {why}"),
                    Err(other) => format!("{other:?}"),
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
            let name = property.name().unwrap();
            dress(&mut face, &address, Change { name: &name, value: None, lang: None }).unwrap();
        }
        assert_eq!(face.display_name.as_deref(), Some("work"));
        assert_eq!(
            (face.color.as_deref(), face.description.as_deref(), face.timezone.as_deref()),
            (Some(""), Some(""), Some(""))
        );
    }
}
