//! `calendar-data` and `address-data` of a report: which part of each object is wanted. RFC 4791 9.6, RFC 6352 10.4.

use crate::dav::fault::{Condition, Fault};
use crate::dav::report::events;
use crate::dav::xml::{Element, Space};
use crate::domain::address::Kind;
use crate::domain::query::{Comps, Excerpt, Instances, Pick, Props};

pub fn read(data: &Element, kind: Kind) -> Result<Excerpt, Fault> {
    check_media(data, kind)?;
    match kind {
        Kind::Calendar => calendar(data),
        Kind::AddressBook => cards(data),
    }
}

/// RFC 4791 7.8 and 7.9, RFC 6352 8.6: what is kept goes out as it is kept, so only its own type can be asked for.
fn check_media(data: &Element, kind: Kind) -> Result<(), Fault> {
    let (condition, media, versions): (_, _, &[&str]) = match kind {
        Kind::Calendar => (Condition::SupportedCalendarData, "text/calendar", &["2.0"]),
        Kind::AddressBook => (Condition::SupportedAddressData, "text/vcard", &["3.0", "4.0"]),
    };
    let wanted = data.attribute("content-type").unwrap_or(media).trim();
    let version = data.attribute("version").map(str::trim);
    if !wanted.eq_ignore_ascii_case(media) || version.is_some_and(|version| !versions.contains(&version)) {
        let version = version.map(|version| format!(" {version}")).unwrap_or_default();
        return Err(Fault::Condition(condition, format!("{wanted}{version} is not given out, {media} is")));
    }
    Ok(())
}

fn calendar(data: &Element) -> Result<Excerpt, Fault> {
    let mut excerpt = Excerpt::default();
    for child in data.children.iter().filter(|child| child.name.space == Space::CalDav) {
        match child.name.local.as_str() {
            "comp" => excerpt.pick = Some(pick(child)?),
            "expand" => {
                let (from, to) = events::closed(child)?;
                excerpt.instances = Instances::Expanded(crate::domain::query::Range { from: Some(from), to: Some(to) });
            }
            "limit-recurrence-set" => excerpt.instances = Instances::Limited(events::range(child)?),
            "limit-freebusy-set" => excerpt.free_busy = Some(events::range(child)?),
            _ => {}
        }
    }
    Ok(excerpt)
}

/// RFC 4791 9.6.1. A `comp` with nothing in it wants all of it.
fn pick(comp: &Element) -> Result<Pick, Fault> {
    let has = |local| comp.child(&Space::CalDav, local).is_some();
    let named = |local: &'static str| comp.children.iter().filter(move |child| child.name.is(&Space::CalDav, local));
    let props = match named("prop").next() {
        Some(_) if !has("allprop") => Props::These(named("prop").map(prop).collect::<Result<_, Fault>>()?),
        None if named("comp").next().is_some() && !has("allprop") => Props::These(Vec::new()),
        _ => Props::All,
    };
    let comps = match named("comp").next() {
        Some(_) if !has("allcomp") => Comps::These(named("comp").map(pick).collect::<Result<_, Fault>>()?),
        None if matches!(props, Props::These(_)) && !has("allcomp") => Comps::These(Vec::new()),
        _ => Comps::All,
    };
    Ok(Pick { name: name(comp)?, props, comps })
}

fn cards(data: &Element) -> Result<Excerpt, Fault> {
    let named: Vec<&Element> = data.children.iter().filter(|child| child.name.is(&Space::CardDav, "prop")).collect();
    if named.is_empty() || data.child(&Space::CardDav, "allprop").is_some() {
        return Ok(Excerpt::default());
    }
    let props = Props::These(named.into_iter().map(prop).collect::<Result<_, Fault>>()?);
    let pick = Pick { name: "VCARD".to_owned(), props, comps: Comps::All };
    Ok(Excerpt { pick: Some(pick), ..Excerpt::default() })
}

fn prop(prop: &Element) -> Result<(String, bool), Fault> {
    let bare = prop.attribute("novalue").is_some_and(|value| value.trim() == "yes");
    Ok((name(prop)?, bare))
}

pub fn name(element: &Element) -> Result<String, Fault> {
    let name = element.attribute("name").map(str::trim).filter(|name| !name.is_empty());
    let missing = || Fault::Malformed(format!("a {} has a name", element.name.local));
    name.map(str::to_ascii_uppercase).ok_or_else(missing)
}
