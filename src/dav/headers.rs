//! Request headers that DAV gives a meaning to: conditions, depth, preferences, media types. Compares nothing with what is stored.

use http::HeaderMap;
use http::header::{CONTENT_TYPE, HeaderName, IF_MATCH, IF_NONE_MATCH};

use crate::dav::fault::{Condition, Fault};
use crate::domain::address::Kind;
use crate::domain::object::{Precondition, Tags};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    Zero,
    One,
    Infinity,
}

/// RFC 4918 10.2 and 9.1: a PROPFIND without the header means infinity.
pub fn depth(headers: &HeaderMap) -> Result<Depth, Fault> {
    let Some(value) = headers.get("depth") else { return Ok(Depth::Infinity) };
    match value.to_str().unwrap_or_default().trim() {
        "0" => Ok(Depth::Zero),
        "1" => Ok(Depth::One),
        text if text.eq_ignore_ascii_case("infinity") => Ok(Depth::Infinity),
        text => Err(Fault::Malformed(format!("the depth is 0, 1 or infinity, not {text:?}"))),
    }
}

/// RFC 9110 13.1. A condition that cannot be read refuses the request: to pass over it could overwrite what it was to guard.
pub fn precondition(headers: &HeaderMap) -> Result<Precondition, Fault> {
    // RFC 4918 10.4: nothing is ever locked here, so what an `If` header names cannot hold.
    if headers.contains_key("if") {
        return Err(Fault::Precondition("nothing is locked here, so no condition of an If header holds"));
    }
    // 13.1.1 compares strongly, so a weak tag never matches; 13.1.2 compares weakly, and `W/"1"` is `"1"` made weak by a proxy that
    // compressed the answer.
    Ok(Precondition { if_match: tags(headers, &IF_MATCH, false)?, if_none_match: tags(headers, &IF_NONE_MATCH, true)? })
}

fn tags(headers: &HeaderMap, name: &HeaderName, weak_too: bool) -> Result<Option<Tags>, Fault> {
    let mut lines = Vec::new();
    for value in headers.get_all(name) {
        // Our own tags are plain ASCII: one with other bytes is sound, and matches nothing.
        lines.push(String::from_utf8_lossy(value.as_bytes()).into_owned());
    }
    if lines.is_empty() {
        return Ok(None);
    }
    let text = lines.join(",");
    let unread = || Fault::Malformed(format!("{name} cannot be read: entity tags are quoted and separated by commas"));
    if text.trim() == "*" {
        return Ok(Some(Tags::Any));
    }
    let (mut found, mut seen) = (Vec::new(), false);
    let blank = |c: char| matches!(c, ' ' | '\t' | ',');
    let mut rest = text.trim_start_matches(blank);
    while !rest.is_empty() {
        let (weak, quoted) = match rest.strip_prefix("W/") {
            Some(quoted) => (true, quoted),
            None => (false, rest),
        };
        let opaque = quoted.strip_prefix('"').ok_or_else(unread)?;
        let end = opaque.find('"').ok_or_else(unread)?;
        if weak_too || !weak {
            found.push(quoted[..end + 2].to_owned());
        }
        seen = true;
        let after = &opaque[end + 1..];
        rest = after.trim_start_matches(blank);
        let separated = after.trim_start_matches([' ', '\t']).starts_with(',');
        if !rest.is_empty() && !separated {
            return Err(unread());
        }
    }
    if seen { Ok(Some(Tags::These(found))) } else { Err(unread()) }
}

/// Whether the client wants what is not there left out. RFC 8144 section 2.1, and Microsoft's `Brief: t` that Apple still sends.
pub fn minimal(headers: &HeaderMap) -> bool {
    let text = |value: &http::HeaderValue| value.to_str().unwrap_or_default().to_ascii_lowercase();
    let preferred = headers.get_all("prefer").iter().any(|value| {
        text(value).split(',').any(|preference| {
            let preference = preference.split(';').next().unwrap_or_default();
            preference
                .split_once('=')
                .is_some_and(|(name, value)| name.trim() == "return" && value.trim().trim_matches('"') == "minimal")
        })
    });
    preferred || headers.get("brief").is_some_and(|value| text(value).trim() == "t")
}

/// Whether a PUT may carry this into a collection of that kind. RFC 4791 5.3.2.1 and RFC 6352 5.3.2.1.
pub fn check_media(headers: &HeaderMap, kind: Kind) -> Result<(), Fault> {
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let text = value.to_str().unwrap_or_default().to_ascii_lowercase();
    let (condition, known): (_, &[&str]) = match kind {
        Kind::Calendar => (Condition::SupportedCalendarData, &["text/calendar"]),
        // Names that vCard had before RFC 6350.
        Kind::AddressBook => (Condition::SupportedAddressData, &["text/vcard", "text/x-vcard", "text/directory"]),
    };
    let essence = text.split(';').next().unwrap_or_default().trim();
    // RFC 9110 8.3: octet-stream says no more than an absent header; some libraries always send it. The text itself decides then.
    if !known.contains(&essence) && essence != "application/octet-stream" {
        return Err(Fault::Condition(condition, format!("this collection takes {}, not {essence:?}", known[0])));
    }
    match charset(&text) {
        Some(charset) if !is_utf8(charset) => {
            Err(Fault::Condition(condition, format!("only utf-8 is taken, not {charset:?}")))
        }
        _ => Ok(()),
    }
}

/// Refuses an XML body that says it is something else. A wrong type is forgiven where the method does not ask for it: many scripts send
/// none, or that of a form.
pub fn check_xml(headers: &HeaderMap, strictly: bool) -> Result<(), Fault> {
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let text = value.to_str().unwrap_or_default().to_ascii_lowercase();
    let essence = text.split(';').next().unwrap_or_default().trim();
    if strictly && !matches!(essence, "text/xml" | "application/xml") && !essence.ends_with("+xml") {
        return Err(Fault::UnsupportedMedia(format!("the body must be application/xml, not {essence:?}")));
    }
    match charset(&text) {
        Some(charset) if !is_utf8(charset) => {
            Err(Fault::UnsupportedMedia(format!("only utf-8 is read, not {charset:?}")))
        }
        _ => Ok(()),
    }
}

fn charset(text: &str) -> Option<&str> {
    text.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        (name.trim() == "charset").then(|| value.trim().trim_matches('"'))
    })
}

fn is_utf8(charset: &str) -> bool {
    matches!(charset, "utf-8" | "utf8" | "us-ascii")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(rows: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in rows {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn conditions_are_read() {
        let these = |tags: &[&str]| Some(Some(Tags::These(tags.iter().map(|tag| (*tag).to_owned()).collect())));
        // What If-Match and If-None-Match make of the same text; `None` where it is refused.
        let rows = [
            ("*", Some(Some(Tags::Any)), Some(Some(Tags::Any))),
            (" * ", Some(Some(Tags::Any)), Some(Some(Tags::Any))),
            ("\"a\"", these(&["\"a\""]), these(&["\"a\""])),
            ("W/\"a\"", these(&[]), these(&["\"a\""])),
            ("W/\"a\", \"b\"", these(&["\"b\""]), these(&["\"a\"", "\"b\""])),
            ("\"a\",\"b\" ,\t\"c\"", these(&["\"a\"", "\"b\"", "\"c\""]), these(&["\"a\"", "\"b\"", "\"c\""])),
            (", \"a\",,", these(&["\"a\""]), these(&["\"a\""])),
            ("\"a,b\"", these(&["\"a,b\""]), these(&["\"a,b\""])),
            ("\"\"", these(&["\"\""]), these(&["\"\""])),
            ("\"W/\"", these(&["\"W/\""]), these(&["\"W/\""])),
            ("", None, None),
            (" , ", None, None),
            ("a", None, None),
            ("\"a", None, None),
            ("w/\"a\"", None, None),
            ("\"a\" \"b\"", None, None),
            ("\"a\"b", None, None),
            ("*, \"a\"", None, None),
            ("\"a\", *", None, None),
        ];
        for (text, strong, weak) in rows {
            let read = |name| precondition(&headers(&[(name, text)])).ok();
            assert_eq!(read("if-match").map(|found| found.if_match), strong, "if-match: {text}");
            assert_eq!(read("if-none-match").map(|found| found.if_none_match), weak, "if-none-match: {text}");
        }
        let twice = precondition(&headers(&[("if-match", "\"a\""), ("if-match", "\"b\"")])).unwrap();
        assert_eq!(Some(twice.if_match), these(&["\"a\"", "\"b\""]));
        assert_eq!(precondition(&HeaderMap::new()).unwrap(), Precondition::default());
        assert!(matches!(precondition(&headers(&[("if", "(<opaquelocktoken:1>)")])), Err(Fault::Precondition(_))));
    }

    #[test]
    fn depth_and_preferences_are_read() {
        let rows = [
            (vec![], Some(Depth::Infinity)),
            (vec![("depth", "0")], Some(Depth::Zero)),
            (vec![("depth", " 1 ")], Some(Depth::One)),
            (vec![("depth", "Infinity")], Some(Depth::Infinity)),
            (vec![("depth", "2")], None),
            (vec![("depth", "1,noroot")], None),
            (vec![("depth", "")], None),
        ];
        for (rows, want) in rows {
            assert_eq!(depth(&headers(&rows)).ok(), want, "{rows:?}");
        }
        let rows = [
            (vec![], false),
            (vec![("prefer", "return=minimal")], true),
            (vec![("prefer", "respond-async, Return = \"Minimal\"; x=y")], true),
            (vec![("prefer", "return=representation")], false),
            (vec![("brief", "t")], true),
            (vec![("brief", "f")], false),
        ];
        for (rows, want) in rows {
            assert_eq!(minimal(&headers(&rows)), want, "{rows:?}");
        }
    }

    #[test]
    fn media_types_are_checked() {
        let rows = [
            ("text/calendar", true, false),
            ("TEXT/Calendar; charset=\"UTF-8\"; component=VEVENT", true, false),
            ("text/calendar; charset=iso-8859-1", false, false),
            ("text/vcard;charset=utf-8", false, true),
            ("text/x-vcard", false, true),
            ("text/directory;profile=vCard", false, true),
            ("application/octet-stream", true, true),
            ("application/calendar+json", false, false),
            ("text/plain", false, false),
            ("", false, false),
        ];
        for (text, calendar, card) in rows {
            let headers = headers(&[("content-type", text)]);
            assert_eq!(check_media(&headers, Kind::Calendar).is_ok(), calendar, "{text}");
            assert_eq!(check_media(&headers, Kind::AddressBook).is_ok(), card, "{text}");
        }
        assert!(check_media(&HeaderMap::new(), Kind::Calendar).is_ok());
        let rows = [
            ("application/xml; charset=utf-8", true, true),
            ("text/xml", true, true),
            ("application/davmount+xml", true, true),
            ("application/x-www-form-urlencoded", false, true),
            ("text/xml; charset=utf-16", false, false),
        ];
        for (text, strict, lax) in rows {
            let headers = headers(&[("content-type", text)]);
            assert_eq!(check_xml(&headers, true).is_ok(), strict, "{text}");
            assert_eq!(check_xml(&headers, false).is_ok(), lax, "{text}");
        }
    }
}
