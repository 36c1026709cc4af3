//! What a PROPFIND body asks for. Answers nothing.

use crate::dav::fault::Fault;
use crate::dav::headers;
use crate::dav::props::Property;
use crate::dav::reader;
use crate::dav::xml::{Element, Name, Space};
use http::HeaderMap;

/// Properties that one request may name; one more is answered 400.
pub const PROPS_MAX: usize = 1_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// The names of all properties that are there.
    Names,
    /// Those that everybody wants, and these.
    Common(Vec<Asked>),
    These(Vec<Asked>),
}

/// A property by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    Known(Property),
    Unknown(Name),
}

impl Asked {
    pub fn of(name: &Name) -> Asked {
        Property::of(name).map_or_else(|| Asked::Unknown(name.clone()), Asked::Known)
    }
}

impl Question {
    /// Whether this property is asked for by its name, or all names are.
    pub fn names(&self, property: Property) -> bool {
        match self {
            Question::Names => true,
            Question::Common(these) | Question::These(these) => these.contains(&Asked::Known(property)),
        }
    }

    /// The names that it asks for which mean nothing by themselves; none where it asks for all.
    pub fn unknown_names(&self) -> impl Iterator<Item = &Name> {
        let these = match self {
            Question::These(these) => these.as_slice(),
            Question::Names | Question::Common(_) => &[],
        };
        these.iter().filter_map(|asked| match asked {
            Asked::Unknown(name) => Some(name),
            Asked::Known(_) => None,
        })
    }

    /// Whether dead properties can be among what it asks for.
    pub fn wants_dead(&self) -> bool {
        match self {
            Question::Names | Question::Common(_) => true,
            Question::These(these) => these.iter().any(|asked| match asked {
                Asked::Known(property) => property.settable(),
                Asked::Unknown(_) => true,
            }),
        }
    }
}

/// An XML body, or `None` where there is none.
pub fn body(headers: &HeaderMap, bytes: &[u8], strictly: bool) -> Result<Option<Element>, Fault> {
    if !bytes.is_empty() {
        headers::check_xml(headers, strictly)?;
    }
    reader::read(bytes).map_err(Fault::Malformed)
}

/// Reads the body of a PROPFIND. RFC 4918 9.1: none at all means `allprop`.
pub fn question(root: Option<&Element>) -> Result<Question, Fault> {
    let Some(root) = root else { return Ok(Question::Common(Vec::new())) };
    if !root.name.is(&Space::Dav, "propfind") {
        return Err(Fault::Malformed(format!("the body must be a DAV:propfind, not {:?}", root.name.local)));
    }
    let child = |local| root.child(&Space::Dav, local);
    match (child("propname"), child("allprop"), child("prop")) {
        (Some(_), None, None) => Ok(Question::Names),
        (None, Some(_), None) => Ok(Question::Common(match child("include") {
            Some(include) => asked(include)?,
            None => Vec::new(),
        })),
        (None, None, Some(prop)) => Ok(Question::These(asked(prop)?)),
        _ => Err(Fault::Malformed("a DAV:propfind holds one of propname, allprop and prop".to_owned())),
    }
}

/// The properties that an element names, each once.
pub fn asked(list: &Element) -> Result<Vec<Asked>, Fault> {
    if list.children.len() > PROPS_MAX {
        return Err(Fault::Malformed(format!("a request names at most {PROPS_MAX} properties")));
    }
    let mut asked: Vec<Asked> = Vec::with_capacity(list.children.len());
    for child in &list.children {
        let property = Asked::of(&child.name);
        // Whoever asks twice is answered once.
        if !asked.contains(&property) {
            asked.push(property);
        }
    }
    Ok(asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(body: &str) -> Result<Question, Fault> {
        question(reader::read(body.as_bytes()).map_err(Fault::Malformed)?.as_ref())
    }

    #[test]
    fn questions_are_read() {
        let wrap = |inner: &str| format!("<propfind xmlns='DAV:'>{inner}</propfind>");
        let color = Name { space: Space::Other("u:e".to_owned()), local: "calendar-color".to_owned() };
        let rows = [
            (String::new(), Question::Common(vec![])),
            (wrap("<allprop/>"), Question::Common(vec![])),
            (wrap("<allprop/><include><owner/></include>"), Question::Common(vec![Asked::Known(Property::Owner)])),
            (wrap("<propname/>"), Question::Names),
            (wrap("<prop/>"), Question::These(vec![])),
            (
                wrap(
                    "<prop><getetag/><calendar-color xmlns='u:e'/><getetag/><e:getctag xmlns:e='http://calendarserver.org/ns/'/></prop>",
                ),
                Question::These(vec![
                    Asked::Known(Property::Etag),
                    Asked::Unknown(color),
                    Asked::Known(Property::Ctag),
                ]),
            ),
        ];
        for (body, want) in rows {
            assert_eq!(ask(&body), Ok(want), "{body}");
        }
        let many = wrap(&format!("<prop>{}</prop>", (0..=PROPS_MAX).map(|n| format!("<p{n}/>")).collect::<String>()));
        let refused = [
            wrap(""),
            wrap("<propname/><allprop/>"),
            "<prop xmlns='DAV:'/>".to_owned(),
            "<propfind/>".to_owned(),
            many,
        ];
        for body in refused {
            assert!(matches!(ask(&body), Err(Fault::Malformed(_))), "{body}");
        }
    }
}
