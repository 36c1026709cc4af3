//! XML bodies, read into elements within hard limits. Knows no property and no method; never recurses, never expands an entity.

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;
use quick_xml::reader::NsReader;

use crate::dav::xml::{Element, Name, Space};

/// Bytes of an XML body; a larger one is answered 413.
pub const XML_MAX: u64 = 1_048_576;
/// Open elements at the same time; one more is answered 400.
const DEPTH_MAX: usize = 32;
/// Attributes of one element, declarations of namespaces included; one more is answered 400.
const ATTRIBUTES_MAX: usize = 64;
/// Elements of one body; one more is answered 400. Enough for a report that names 20,000 hrefs.
const ELEMENTS_MAX: usize = 25_000;

/// Reads a body. `None` where there is nothing but white space in it; the text of an error says what is wrong.
pub fn read(body: &[u8]) -> Result<Option<Element>, String> {
    let text = std::str::from_utf8(body).map_err(|_| "the XML is not UTF-8".to_owned())?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim().is_empty() {
        return Ok(None);
    }
    if let Some(c) = text.chars().find(|c| !legal(*c)) {
        return Err(format!("the XML holds the character U+{:04X}", c as u32));
    }
    let mut reader = NsReader::from_str(text);
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    let mut count = 0;
    loop {
        let event = reader.read_event().map_err(|error| format!("the XML cannot be read: {error}"))?;
        match event {
            Event::Start(ref start) | Event::Empty(ref start) => {
                count += 1;
                if root.is_some() {
                    return Err("something follows the root element".to_owned());
                }
                if count > ELEMENTS_MAX {
                    return Err(format!("the XML has more than {ELEMENTS_MAX} elements"));
                }
                if open.len() >= DEPTH_MAX {
                    return Err(format!("the XML is nested deeper than {DEPTH_MAX}"));
                }
                let at = open.last().map_or(0, |parent| parent.text.len());
                let element = Element { at, ..element(&reader, start)? };
                if matches!(event, Event::Start(_)) {
                    open.push(element);
                } else {
                    close(element, &mut open, &mut root);
                }
            }
            Event::End(_) => {
                if let Some(element) = open.pop() {
                    close(element, &mut open, &mut root);
                }
            }
            Event::Text(text) => put(&text.xml10_content(), &mut open)?,
            Event::CData(text) => put(&text.xml10_content(), &mut open)?,
            Event::GeneralRef(reference) => {
                let mut buffer = [0; 4];
                let text = match reference.resolve_char_ref() {
                    Ok(Some(c)) if legal(c) => &*c.encode_utf8(&mut buffer),
                    Ok(None) => predefined(&reference)?,
                    _ => return Err("the XML refers to a character that it may not hold".to_owned()),
                };
                put(text, &mut open)?;
            }
            Event::Decl(declaration) => {
                let encoding = declaration.encoding().transpose().map_err(|error| error.to_string())?;
                if let Some(encoding) = encoding.filter(|name| !name.eq_ignore_ascii_case("utf-8")) {
                    return Err(format!("the XML declares the encoding {encoding:?}, only utf-8 is read"));
                }
            }
            Event::DocType(_) => return Err("the XML has a document type declaration".to_owned()),
            Event::Comment(_) | Event::PI(_) => {}
            Event::Eof => break,
        }
    }
    if let Some(element) = open.pop() {
        return Err(format!("the XML ends within {:?}", element.name.local));
    }
    root.map(Some).ok_or_else(|| "the XML has no root element".to_owned())
}

fn close(element: Element, open: &mut [Element], root: &mut Option<Element>) {
    match open.last_mut() {
        Some(parent) => parent.children.push(element),
        None => *root = Some(element),
    }
}

fn put(text: &str, open: &mut [Element]) -> Result<(), String> {
    match open.last_mut() {
        Some(parent) => parent.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return Err("text stands outside the root element".to_owned()),
    }
    Ok(())
}

/// XML 1.0 section 2.2.
fn legal(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{fffd}' | '\u{10000}'..)
}

fn predefined(name: &str) -> Result<&'static str, String> {
    match name {
        "amp" => Ok("&"),
        "lt" => Ok("<"),
        "gt" => Ok(">"),
        "apos" => Ok("'"),
        "quot" => Ok("\""),
        _ => Err(format!("the XML refers to the entity {name:?}")),
    }
}

fn element(reader: &NsReader<&[u8]>, start: &BytesStart<'_>) -> Result<Element, String> {
    let (mut attributes, mut foreign) = (Vec::new(), Vec::new());
    // The iterator also finds attributes that are there twice, so it is always run to its end.
    for (count, attribute) in start.attributes().enumerate() {
        if count >= ATTRIBUTES_MAX {
            return Err(format!("an element has more than {ATTRIBUTES_MAX} attributes"));
        }
        let attribute = attribute.map_err(|error| format!("an attribute cannot be read: {error}"))?;
        let value = attribute.normalized_value(XmlVersion::Implicit1_0);
        let value = value.map_err(|error| format!("an attribute cannot be read: {error}"))?;
        if !value.chars().all(legal) {
            return Err("the XML refers to a character that it may not hold".to_owned());
        }
        if attribute.key.as_namespace_binding().is_some() {
            continue;
        }
        if attribute.key.prefix().is_none() {
            attributes.push((attribute.key.local_name().as_ref().to_owned(), value.into_owned()));
        } else {
            let (space, local) = reader.resolver().resolve_attribute(attribute.key);
            foreign.push((name(space, local.as_ref())?, value.into_owned()));
        }
    }
    let (space, local) = reader.resolver().resolve_element(start.name());
    let name = name(space, local.as_ref())?;
    Ok(Element { name, attributes, foreign, text: String::new(), children: Vec::new(), at: 0 })
}

fn name(space: ResolveResult<'_>, local: &str) -> Result<Name, String> {
    let space = match space {
        ResolveResult::Unbound => Space::Bare,
        ResolveResult::Bound(space) => {
            let uri = quick_xml::escape::unescape(space.0).map_err(|error| error.to_string())?;
            Space::of(&uri)
        }
        ResolveResult::Unknown(prefix) => return Err(format!("the prefix {prefix:?} is bound to no namespace")),
    };
    if !is_name(local) {
        return Err(format!("{local:?} is no name of an element"));
    }
    Ok(Name { space, local: local.to_owned() })
}

/// Names are echoed in answers, so whatever could break them is kept out. A little stricter than XML: all beyond ASCII passes.
fn is_name(local: &str) -> bool {
    let mut chars = local.chars();
    let beyond = |c: char| !c.is_ascii() && !c.is_whitespace() && !c.is_control();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_' || beyond(c))
        && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.') || beyond(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &[u8]) -> String {
        read(body).expect_err(&String::from_utf8_lossy(&body[..body.len().min(80)]))
    }

    #[test]
    fn a_body_becomes_elements() {
        let body = "\u{feff}<?xml version='1.0' encoding='UTF-8'?>\n<!-- hello -->\n<propfind xmlns='DAV:' xmlns:c='urn:ietf:params:xml:ns:caldav'>\
            <prop><c:comp name='VEVENT' c:name='no'/><displayname>a &amp; b&#x20AC;<![CDATA[<c>]]></displayname>\
            <x xmlns=''/><y:z xmlns:y='http://e.org/?a&amp;b'/></prop></propfind> ";
        let root = read(body.as_bytes()).unwrap().unwrap();
        assert!(root.name.is(&Space::Dav, "propfind"));
        let prop = root.child(&Space::Dav, "prop").unwrap();
        let names: Vec<_> = prop.children.iter().map(|child| (&child.name.space, child.name.local.as_str())).collect();
        let other = Space::Other("http://e.org/?a&b".to_owned());
        let want = [(&Space::CalDav, "comp"), (&Space::Dav, "displayname"), (&Space::Bare, "x"), (&other, "z")];
        assert_eq!(names, want);
        assert_eq!(prop.children[0].attribute("name"), Some("VEVENT"));
        assert_eq!(prop.children[1].text, "a & b\u{20ac}<c>");
        assert_eq!(read(b"").unwrap(), None);
        assert_eq!(read(b" \r\n").unwrap(), None);
    }

    #[test]
    fn hostile_bodies_are_refused() {
        let lol = "<!DOCTYPE lolz [<!ENTITY lol 'lol'><!ENTITY lol2 '&lol;&lol;'>]><a>&lol2;</a>";
        let xxe = "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>";
        let rows: [(&[u8], &str); 29] = [
            (lol.as_bytes(), "document type"),
            (xxe.as_bytes(), "document type"),
            (b"<!DOCTYPE a><a/>", "document type"),
            (b"<a>&nbsp;</a>", "entity"),
            (b"<a b='&x;'/>", "attribute"),
            (b"<a xmlns:b='&x;'/>", "attribute"),
            (b"<a>&#0;</a>", "character"),
            (b"<a>&#x1;</a>", "character"),
            (b"<a>&#xd800;</a>", "character"),
            (b"<a>&#xffff;</a>", "character"),
            (b"<a b='&#1;'/>", "character"),
            (b"<a>\x00</a>", "U+0000"),
            (b"<a>\x1b</a>", "U+001B"),
            (b"<a>\xff</a>", "UTF-8"),
            (b"\xff\xfe<\x00a\x00/\x00>\x00", "UTF-8"),
            (b"<\x00a\x00/\x00>\x00", "U+0000"),
            (b"<?xml version='1.0' encoding='UTF-16'?><a/>", "encoding"),
            (b"<?xml version='1.0' encoding='iso-8859-1'?><a/>", "encoding"),
            (b"<a b='1' b='2'/>", "attribute"),
            (b"<a b=1/>", "attribute"),
            (b"<a>", "ends within"),
            (b"<a><b></a></b>", "cannot be read"),
            (b"</a>", "cannot be read"),
            (b"<a/><b/>", "follows"),
            (b"<a/>text", "outside"),
            (b"text", "outside"),
            (b"<p:a/>", "bound to no namespace"),
            (b"<!-- nothing -->", "no root"),
            (b"<a><1b/></a>", "no name"),
        ];
        for (body, want) in rows {
            let why = refused(body);
            assert!(why.contains(want), "{}: {why}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn limits_hold() {
        let nested = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
        assert!(read(nested(DEPTH_MAX).as_bytes()).is_ok());
        assert!(refused(nested(DEPTH_MAX + 1).as_bytes()).contains("deeper"));
        assert!(refused("<a>".repeat(300_000).as_bytes()).contains("deeper"));

        let dressed = |count: usize| format!("<a{}/>", (0..count).map(|n| format!(" a{n}=''")).collect::<String>());
        assert!(read(dressed(ATTRIBUTES_MAX).as_bytes()).is_ok());
        assert!(refused(dressed(ATTRIBUTES_MAX + 1).as_bytes()).contains("attributes"));
        assert!(refused(dressed(100_000).as_bytes()).contains("attributes"));
        let spaces: String = (0..300).map(|n| format!(" xmlns:a{n}='u:{n}'")).collect();
        assert!(!refused(format!("<a{spaces}/>").as_bytes()).is_empty());

        let wide = |count: usize| format!("<a>{}</a>", "<b/>".repeat(count));
        assert!(read(wide(ELEMENTS_MAX - 1).as_bytes()).is_ok());
        assert!(refused(wide(ELEMENTS_MAX).as_bytes()).contains("elements"));
    }
}
