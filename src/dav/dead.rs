//! Dead properties between the wire and the store: an element becomes a text that stands for itself, with all its namespaces. RFC 4918 4.3.
//! Keeps nothing.

use crate::dav::question::Question;
use crate::dav::values::Subject;
use crate::dav::writer;
use crate::dav::xml::{Element, Name, Space};
use crate::domain::access::Right;
use crate::domain::address::UserName;
use crate::domain::dead::{DeadChange, DeadProperty, Holder};
use crate::domain::refusal::Refusal;
use crate::service::Service;

/// The namespace that every document has without declaring it.
const XML: &str = "http://www.w3.org/XML/1998/namespace";

/// A change that sets a property to this element or, where there is none, takes it away. `lang` is the language that the element inherits.
pub fn change(name: &Name, value: Option<&Element>, lang: Option<&str>) -> DeadChange {
    let value = value.map(|value| {
        let mut text = String::new();
        write(&mut text, value, lang.filter(|_| language(value).is_none()));
        text
    });
    DeadChange { space: name.space.uri().to_owned(), local: name.local.clone(), value }
}

/// What the subject of a row keeps, as far as it is asked for.
pub async fn of(
    house: &Service,
    user: &UserName,
    question: &Question,
    subject: Subject<'_>,
) -> Result<Vec<DeadProperty>, Refusal> {
    let holder = match subject {
        Subject::Principal => Holder::Principal(user.clone()),
        Subject::Home(kind) => Holder::Home(kind, user.clone()),
        // Of the source nothing is shown to those who may only ask when its owner is busy.
        Subject::Collection(view) if view.right < Right::Read && view.shown.id == view.source.id => {
            return Ok(Vec::new());
        }
        Subject::Collection(view) => Holder::Collection(view.shown.id),
        Subject::Object(view, record) => Holder::Object(view.source.id, record.name.clone()),
        Subject::Root | Subject::Principals | Subject::Homes(_) => return Ok(Vec::new()),
        Subject::Person(_) | Subject::HomeOf(..) | Subject::Proxy(_) => return Ok(Vec::new()),
        Subject::Notifications(_) | Subject::Notification(_) => return Ok(Vec::new()),
    };
    if !question.wants_dead() {
        return Ok(Vec::new());
    }
    let mut kept = house.dead_properties(&holder).await?;
    if let Subject::Collection(view) = subject
        && view.shown.address.is_inbox()
    {
        // What the owner's objects say, whatever was kept before they did.
        kept.retain(|one| !is_availability(&name(one)));
        let asked = question.unknown_names().filter(|name| is_availability(name)).cloned().collect::<Vec<Name>>();
        if !asked.is_empty()
            && let Some(text) = house.availability(view.shown.address.user()).await?
        {
            let text = String::from_utf8_lossy(&text).into_owned();
            kept.extend(asked.into_iter().map(|name| said(name, text.clone())));
        }
    }
    Ok(kept)
}

/// RFC 7953 7.2.4, and under the name that clients knew before. Not among all properties: it costs a look at every calendar.
pub fn is_availability(name: &Name) -> bool {
    matches!(name.space, Space::CalDav | Space::CalendarServer) && name.local == "calendar-availability"
}

fn said(name: Name, text: String) -> DeadProperty {
    let (space, local) = (name.space.uri().to_owned(), name.local.clone());
    let element = Element { name, attributes: Vec::new(), foreign: Vec::new(), text, children: Vec::new(), at: 0 };
    let mut value = String::new();
    write(&mut value, &element, None);
    DeadProperty { space, local, value }
}

/// The property of that name.
pub fn find<'a>(properties: &'a [DeadProperty], name: &Name) -> Option<&'a DeadProperty> {
    properties.iter().find(|one| one.local == name.local && one.space == name.space.uri())
}

pub fn name(property: &DeadProperty) -> Name {
    Name { space: Space::of(&property.space), local: property.local.clone() }
}

/// The `xml:lang` of an element.
pub fn language(element: &Element) -> Option<&str> {
    let lang = element.foreign.iter().find(|(name, _)| name.local == "lang" && name.space.uri() == XML);
    lang.map(|(_, value)| value.as_str())
}

/// Writes an element whole. Depth is bounded by the reader.
fn write(out: &mut String, element: &Element, lang: Option<&str>) {
    let prefix = prefix(&element.name.space);
    let tag = if prefix.is_empty() { element.name.local.clone() } else { format!("{prefix}:{}", element.name.local) };
    out.push('<');
    out.push_str(&tag);
    let mut attribute = |name: &str, value: &str| {
        out.push(' ');
        out.push_str(name);
        out.push_str("=\"");
        writer::escape(out, value, true);
        out.push('"');
    };
    match prefix {
        // An element of no namespace must not fall into one that stands around it.
        "" => attribute("xmlns", ""),
        prefix => attribute(&format!("xmlns:{prefix}"), element.name.space.uri()),
    }
    if let Some(lang) = lang {
        attribute("xml:lang", lang);
    }
    for (name, value) in &element.attributes {
        attribute(name, value);
    }
    for (number, (name, value)) in element.foreign.iter().enumerate() {
        if name.space.uri() == XML {
            attribute(&format!("xml:{}", name.local), value);
        } else {
            attribute(&format!("xmlns:a{number}"), name.space.uri());
            attribute(&format!("a{number}:{}", name.local), value);
        }
    }
    if element.text.is_empty() && element.children.is_empty() {
        out.push_str("/>");
        return;
    }
    out.push('>');
    let mut from = 0;
    for child in &element.children {
        writer::escape(out, element.text.get(from..child.at).unwrap_or_default(), false);
        from = child.at;
        write(out, child, None);
    }
    writer::escape(out, element.text.get(from..).unwrap_or_default(), false);
    out.push_str("</");
    out.push_str(&tag);
    out.push('>');
}

fn prefix(space: &Space) -> &'static str {
    match space {
        Space::Bare => "",
        space => space.prefix().unwrap_or("x"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dav::reader;

    #[test]
    fn an_element_becomes_a_text_that_says_the_same() {
        let rows = [
            ("<a xmlns='u:e'/>", "<x:a xmlns:x=\"u:e\"/>"),
            (
                "<D:a xmlns:D='DAV:' b='&quot;1&amp;'>x &lt; y</D:a>",
                "<D:a xmlns:D=\"DAV:\" b=\"&quot;1&amp;\">x &lt; y</D:a>",
            ),
            (
                "<a xmlns='u:e' xmlns:f='u:f' f:b='1' xml:lang='de'>one<b/>two<c xmlns=''>three</c>four</a>",
                "<x:a xmlns:x=\"u:e\" xmlns:a0=\"u:f\" a0:b=\"1\" xml:lang=\"de\">one<x:b xmlns:x=\"u:e\"/>two<c xmlns=\"\">three</c>four</x:a>",
            ),
            ("<a xmlns='u:e'><![CDATA[<b>]]>\u{e9}</a>", "<x:a xmlns:x=\"u:e\">&lt;b&gt;\u{e9}</x:a>"),
        ];
        for (body, want) in rows {
            let read = |body: &str| reader::read(body.as_bytes()).unwrap().unwrap();
            let element = read(body);
            let text = change(&element.name, Some(&element), None).value.unwrap();
            assert_eq!(text, want, "{body}");
            assert_eq!(read(&text), element, "{body}");
        }
        let root = reader::read(b"<a xmlns='u:e'/>").unwrap().unwrap();
        let inherits = change(&root.name, Some(&root), Some("en")).value.unwrap();
        assert_eq!(inherits, "<x:a xmlns:x=\"u:e\" xml:lang=\"en\"/>");
        assert_eq!(change(&root.name, None, None).value, None);
    }
}
