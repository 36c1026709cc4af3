//! The `filter` and the `limit` of an addressbook-query. RFC 6352 10.5 and 10.6. Matches nothing itself.

use crate::dav::fault::Fault;
use crate::dav::report::excerpts::name;
use crate::dav::report::filters;
use crate::dav::xml::{Element, Space};
use crate::domain::address::Kind;
use crate::domain::query::{CardFilter, CardProp, CardTest};

pub fn read(root: &Element) -> Result<CardFilter, Fault> {
    let missing = || Fault::Malformed("the filter is missing".to_owned());
    let filter = root.child(&Space::CardDav, "filter").ok_or_else(missing)?;
    let mut props = Vec::new();
    for child in &filter.children {
        if !child.name.is(&Space::CardDav, "prop-filter") {
            return Err(filters::unknown(&child.name, Kind::AddressBook));
        }
        props.push(property(child)?);
    }
    Ok(CardFilter { all: all(filter)?, props })
}

/// RFC 6352 10.5: one of the tests is enough where nothing else is said.
fn all(element: &Element) -> Result<bool, Fault> {
    match element.attribute("test").map(str::trim) {
        None | Some("anyof") => Ok(false),
        Some("allof") => Ok(true),
        Some(other) => Err(Fault::Malformed(format!("a test is anyof or allof, not {other:?}"))),
    }
}

fn property(filter: &Element) -> Result<CardProp, Fault> {
    let full = name(filter)?;
    let (group, name) = match full.split_once('.') {
        Some((group, name)) => (Some(group.to_owned()), name.to_owned()),
        None => (None, full),
    };
    let (mut texts, mut params, mut absent) = (Vec::new(), Vec::new(), false);
    for child in &filter.children {
        match (&child.name.space, child.name.local.as_str()) {
            (Space::CardDav, "is-not-defined") => absent = true,
            (Space::CardDav, "text-match") => texts.push(filters::text(child, Kind::AddressBook)?),
            (Space::CardDav, "param-filter") => params.push(filters::parameter(child, Kind::AddressBook)?),
            _ => return Err(filters::unknown(&child.name, Kind::AddressBook)),
        }
    }
    let test = match absent {
        true if texts.is_empty() && params.is_empty() => CardTest::Absent,
        true => return Err(Fault::Malformed("is-not-defined stands alone".to_owned())),
        false => CardTest::Present { all: all(filter)?, texts, params },
    };
    Ok(CardProp { group, name, test })
}

/// The rows that a client wants at most: `limit` of either namespace with `nresults` in it.
pub fn limit(root: &Element) -> Result<Option<usize>, Fault> {
    let mut limits = root.children.iter().filter(|child| child.name.local == "limit");
    let Some(limit) = limits.find(|limit| matches!(limit.name.space, Space::Dav | Space::CardDav)) else {
        return Ok(None);
    };
    let count = limit.children.iter().find(|child| child.name.local == "nresults").map(|child| child.text.trim());
    let wanted = count.and_then(|count| count.parse::<usize>().ok());
    match wanted {
        // RFC 6578 3.7: what cannot be cut so is refused.
        Some(0) => Err(Fault::TooMany("a limit of no rows gives none".to_owned())),
        Some(wanted) => Ok(Some(wanted)),
        None => Err(Fault::Malformed("a limit holds a number in nresults".to_owned())),
    }
}
