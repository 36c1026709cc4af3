//! The `filter` of a calendar-query. RFC 4791 9.7. Matches nothing itself; that of cards stands in `cards.rs`.

use crate::dav::fault::{Condition, Fault};
use crate::dav::report::events::{self, invalid};
use crate::dav::report::excerpts::name;
use crate::dav::xml::{Element, Name, Space};
use crate::domain::address::Kind;
use crate::domain::query::{
    Collation, CompFilter, CompTest, Kind as MatchKind, ParamFilter, ParamTest, PropFilter, PropTest, TextMatch,
};

/// Reads the filter of a report.
pub fn read(root: &Element) -> Result<CompFilter, Fault> {
    let filter = root.child(&Space::CalDav, "filter").ok_or_else(|| invalid("the filter is missing".to_owned()))?;
    match filter.children.as_slice() {
        [one] if one.name.is(&Space::CalDav, "comp-filter") => {
            let read = component(one, "")?;
            match read.name.as_str() {
                "VCALENDAR" => Ok(read),
                other => Err(invalid(format!("the outermost comp-filter is of VCALENDAR, not {other}"))),
            }
        }
        [] => Err(invalid("the filter is empty".to_owned())),
        [one] => Err(unsupported(&one.name)),
        _ => Err(invalid("a filter holds one comp-filter".to_owned())),
    }
}

fn unsupported(name: &Name) -> Fault {
    Fault::Condition(Condition::SupportedFilter, format!("a filter cannot hold {:?}", name.local))
}

fn component(filter: &Element, above: &str) -> Result<CompFilter, Fault> {
    let name = name(filter).map_err(nameless)?;
    if is_absent(filter)? {
        return Ok(CompFilter { name, test: CompTest::Absent });
    }
    let (mut range, mut props, mut comps) = (None, Vec::new(), Vec::new());
    for child in &filter.children {
        match (&child.name.space, child.name.local.as_str()) {
            (Space::CalDav, "time-range") if range.is_some() => {
                return Err(invalid("a comp-filter has one time-range".to_owned()));
            }
            (Space::CalDav, "time-range") => {
                let ranged = match name.as_str() {
                    "VEVENT" | "VTODO" | "VJOURNAL" | "VFREEBUSY" => above == "VCALENDAR",
                    "VALARM" => above == "VEVENT" || above == "VTODO",
                    _ => false,
                };
                if !ranged {
                    return Err(invalid(format!("a {name} here has no time-range")));
                }
                range = Some(events::range(child)?);
            }
            (Space::CalDav, "prop-filter") => props.push(property(child)?),
            (Space::CalDav, "comp-filter") => comps.push(component(child, &name)?),
            _ => return Err(unsupported(&child.name)),
        }
    }
    Ok(CompFilter { name, test: CompTest::Present { range, props, comps } })
}

fn property(filter: &Element) -> Result<PropFilter, Fault> {
    let name = name(filter).map_err(nameless)?;
    if is_absent(filter)? {
        return Ok(PropFilter { name, test: PropTest::Absent });
    }
    let (mut range, mut text, mut params) = (None, None, Vec::new());
    for child in &filter.children {
        match (&child.name.space, child.name.local.as_str()) {
            (Space::CalDav, "time-range") => range = Some(events::range(child)?),
            (Space::CalDav, "text-match") => text = Some(self::text(child, Kind::Calendar)?),
            (Space::CalDav, "param-filter") => params.push(parameter(child, Kind::Calendar)?),
            _ => return Err(unsupported(&child.name)),
        }
    }
    Ok(PropFilter { name, test: PropTest::Present { range, text, params } })
}

/// A `param-filter`, for both kinds.
pub fn parameter(filter: &Element, kind: Kind) -> Result<ParamFilter, Fault> {
    let name = name(filter).map_err(|fault| if kind == Kind::Calendar { nameless(fault) } else { fault })?;
    let mut test = ParamTest::Present(None);
    for child in &filter.children {
        test = match child.name.local.as_str() {
            _ if child.name.space != space(kind) => return Err(unknown(&child.name, kind)),
            "is-not-defined" => ParamTest::Absent,
            "text-match" => ParamTest::Present(Some(text(child, kind)?)),
            _ => return Err(unknown(&child.name, kind)),
        };
    }
    Ok(ParamFilter { name, test })
}

/// A `text-match`, for both kinds. Only that of cards says what to match.
pub fn text(element: &Element, kind: Kind) -> Result<TextMatch, Fault> {
    let (default, condition) = match kind {
        Kind::Calendar => (Collation::AsciiCasemap, Condition::SupportedCollation),
        Kind::AddressBook => (Collation::UnicodeCasemap, Condition::AddressSupportedCollation),
    };
    let collation = match element.attribute("collation").map(str::trim) {
        // RFC 4790 3.1: what the server likes.
        None | Some("default" | "") => default,
        Some(name) => Collation::from_name(name)
            .ok_or_else(|| Fault::Condition(condition, format!("no collation is named {name:?}")))?,
    };
    let how = match element.attribute("match-type").map(str::trim) {
        None | Some("contains") => MatchKind::Contains,
        Some("equals") => MatchKind::Equals,
        Some("starts-with") => MatchKind::StartsWith,
        Some("ends-with") => MatchKind::EndsWith,
        Some(_) => return Err(unknown(&element.name, kind)),
    };
    let negate = match element.attribute("negate-condition").map(str::trim) {
        None | Some("no") => false,
        Some("yes") => true,
        Some(other) => return Err(Fault::Malformed(format!("negate-condition is yes or no, not {other:?}"))),
    };
    Ok(TextMatch { text: element.text.clone(), collation, kind: how, negate })
}

fn space(kind: Kind) -> Space {
    match kind {
        Kind::Calendar => Space::CalDav,
        Kind::AddressBook => Space::CardDav,
    }
}

/// What a filter of a kind does not know.
pub fn unknown(name: &Name, kind: Kind) -> Fault {
    match kind {
        Kind::Calendar => unsupported(name),
        Kind::AddressBook => {
            let text = format!("a filter cannot hold {:?} so", name.local);
            Fault::Condition(Condition::AddressSupportedFilter, text)
        }
    }
}

fn nameless(fault: Fault) -> Fault {
    match fault {
        Fault::Malformed(text) => invalid(text),
        fault => fault,
    }
}

/// Whether a filter asks for absence, which goes with nothing else.
fn is_absent(filter: &Element) -> Result<bool, Fault> {
    match filter.child(&Space::CalDav, "is-not-defined") {
        None => Ok(false),
        Some(_) if filter.children.len() == 1 => Ok(true),
        Some(_) => Err(invalid("is-not-defined stands alone".to_owned())),
    }
}
