//! Which type a property has when its VALUE does not say, and whether its value is a list or has fields. RFC 5545, 6350, 7986, 9073, 9074.

use crate::domain::address::Kind;

/// The types that both formats spell differently, or that both know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    Binary,
    Boolean,
    CalAddress,
    Date,
    DateTime,
    Duration,
    Float,
    Integer,
    Period,
    Recur,
    Text,
    Time,
    Uri,
    UtcOffset,
    DateAndOrTime,
    Timestamp,
    LanguageTag,
    /// RFC 7265 5.1: nobody knows; the value is as it was written.
    Unknown,
}

impl Type {
    const ALL: [Type; 18] = [
        Type::Binary,
        Type::Boolean,
        Type::CalAddress,
        Type::Date,
        Type::DateTime,
        Type::Duration,
        Type::Float,
        Type::Integer,
        Type::Period,
        Type::Recur,
        Type::Text,
        Type::Time,
        Type::Uri,
        Type::UtcOffset,
        Type::DateAndOrTime,
        Type::Timestamp,
        Type::LanguageTag,
        Type::Unknown,
    ];

    /// The spelling in JSON; in text it is upper case.
    pub fn as_str(self) -> &'static str {
        match self {
            Type::Binary => "binary",
            Type::Boolean => "boolean",
            Type::CalAddress => "cal-address",
            Type::Date => "date",
            Type::DateTime => "date-time",
            Type::Duration => "duration",
            Type::Float => "float",
            Type::Integer => "integer",
            Type::Period => "period",
            Type::Recur => "recur",
            Type::Text => "text",
            Type::Time => "time",
            Type::Uri => "uri",
            Type::UtcOffset => "utc-offset",
            Type::DateAndOrTime => "date-and-or-time",
            Type::Timestamp => "timestamp",
            Type::LanguageTag => "language-tag",
            Type::Unknown => "unknown",
        }
    }

    /// Reads a lower-case name.
    pub fn from_name(name: &str) -> Option<Type> {
        Type::ALL.into_iter().find(|known| known.as_str() == name)
    }
}

/// What a value is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    One,
    /// Values with commas between them.
    Many,
    /// Fields with semicolons between them.
    Fields,
    /// Fields, each of which may be a list.
    Lists,
}

/// The type and the shape of a property by its upper-case name.
pub fn of(kind: Kind, name: &str) -> (Type, Shape) {
    match kind {
        Kind::Calendar => of_calendar(name),
        Kind::AddressBook => of_card(name),
    }
}

fn of_calendar(name: &str) -> (Type, Shape) {
    let kind = match name {
        "CATEGORIES" | "RESOURCES" => return (Type::Text, Shape::Many),
        "EXDATE" | "RDATE" => return (Type::DateTime, Shape::Many),
        "FREEBUSY" => return (Type::Period, Shape::Many),
        "GEO" => return (Type::Float, Shape::Fields),
        "REQUEST-STATUS" => return (Type::Text, Shape::Fields),
        "CALSCALE" | "METHOD" | "PRODID" | "VERSION" | "CLASS" | "COMMENT" | "DESCRIPTION" | "LOCATION" | "STATUS"
        | "SUMMARY" | "TRANSP" | "TZID" | "TZNAME" | "CONTACT" | "RELATED-TO" | "UID" | "ACTION" | "NAME" | "COLOR"
        | "PROXIMITY" | "REFID" | "TZID-ALIAS-OF" | "BUSYTYPE" | "PARTICIPANT-TYPE" | "LOCATION-TYPE"
        | "RESOURCE-TYPE" => Type::Text,
        "ATTACH" | "TZURL" | "URL" | "SOURCE" | "IMAGE" | "CONFERENCE" | "CONCEPT" => Type::Uri,
        "PERCENT-COMPLETE" | "PRIORITY" | "REPEAT" | "SEQUENCE" => Type::Integer,
        "COMPLETED" | "DTEND" | "DUE" | "DTSTART" | "RECURRENCE-ID" | "CREATED" | "DTSTAMP" | "LAST-MODIFIED"
        | "ACKNOWLEDGED" | "TZUNTIL" => Type::DateTime,
        "DURATION" | "TRIGGER" | "REFRESH-INTERVAL" => Type::Duration,
        "TZOFFSETFROM" | "TZOFFSETTO" => Type::UtcOffset,
        "ATTENDEE" | "ORGANIZER" | "CALENDAR-ADDRESS" => Type::CalAddress,
        "RRULE" | "EXRULE" => Type::Recur,
        _ => Type::Unknown,
    };
    (kind, Shape::One)
}

fn of_card(name: &str) -> (Type, Shape) {
    let kind = match name {
        "N" | "ADR" => return (Type::Text, Shape::Lists),
        "ORG" | "GENDER" | "CLIENTPIDMAP" => return (Type::Text, Shape::Fields),
        "NICKNAME" | "CATEGORIES" => return (Type::Text, Shape::Many),
        // UID is a URI in vCard 4 and a text in 3; a text holds both.
        "VERSION" | "KIND" | "XML" | "FN" | "EMAIL" | "TEL" | "TZ" | "TITLE" | "ROLE" | "NOTE" | "PRODID" | "UID"
        | "CLASS" | "LABEL" | "MAILER" | "NAME" | "SORT-STRING" | "EXPERTISE" | "HOBBY" | "INTEREST"
        | "ORG-DIRECTORY" | "BIRTHPLACE" | "DEATHPLACE" | "AGENT" => Type::Text,
        "SOURCE" | "PHOTO" | "LOGO" | "SOUND" | "IMPP" | "GEO" | "MEMBER" | "RELATED" | "URL" | "KEY" | "FBURL"
        | "CALADRURI" | "CALURI" | "CONTACT-URI" => Type::Uri,
        "BDAY" | "ANNIVERSARY" | "DEATHDATE" => Type::DateAndOrTime,
        "REV" => Type::Timestamp,
        "LANG" => Type::LanguageTag,
        _ => Type::Unknown,
    };
    (kind, Shape::One)
}
