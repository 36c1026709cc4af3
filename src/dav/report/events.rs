//! Ranges of time as the attributes of an element. RFC 4791 9.9, 9.6.5.

use chrono::{DateTime, NaiveDateTime, Utc};

use crate::dav::fault::{Condition, Fault};
use crate::dav::xml::Element;
use crate::domain::query::Range;

/// Reads `start` and `end`; refuses a range without either, one that ends before it begins, and what is no time in UTC.
pub fn range(element: &Element) -> Result<Range, Fault> {
    let at = |name: &str| element.attribute(name).map(|text| instant(name, text)).transpose();
    let range = Range { from: at("start")?, to: at("end")? };
    match range {
        Range { from: None, to: None } => Err(invalid(format!("a {} has a start, an end or both", element.name.local))),
        Range { from: Some(from), to: Some(to) } if from >= to => {
            Err(invalid(format!("a {} ends behind its start", element.name.local)))
        }
        range => Ok(range),
    }
}

/// The same with both ends.
pub fn closed(element: &Element) -> Result<(DateTime<Utc>, DateTime<Utc>), Fault> {
    match range(element)? {
        Range { from: Some(from), to: Some(to) } => Ok((from, to)),
        _ => Err(invalid(format!("a {} has a start and an end here", element.name.local))),
    }
}

fn instant(name: &str, text: &str) -> Result<DateTime<Utc>, Fault> {
    let read = NaiveDateTime::parse_from_str(text.trim(), "%Y%m%dT%H%M%SZ").ok();
    // Sixteen characters and no more: the format alone would take longer years.
    let read = read.filter(|_| text.trim().len() == 16);
    read.map(|local| local.and_utc()).ok_or_else(|| {
        let text: String = text.chars().take(40).collect();
        invalid(format!("{name} must be a time in UTC such as 20250115T090000Z, not {text:?}"))
    })
}

pub fn invalid(text: String) -> Fault {
    Fault::Condition(Condition::ValidFilter, text)
}
