//! Request headers that DAV gives a meaning to: depth, destination, preferences, media types. Conditions stand in `conditions.rs`.

use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, Uri};

use crate::dav::fault::{Condition, Fault};
use crate::dav::path::{Path, PathFault};
use crate::domain::address::Kind;

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

/// Where COPY and MOVE lead. RFC 4918 10.3; a host other than the one that was asked is somebody else's: 502, as 9.8.5 says.
pub fn destination(headers: &HeaderMap) -> Result<Path, Fault> {
    let value = headers.get("destination").ok_or_else(|| Fault::Malformed("there is no Destination".to_owned()))?;
    let unread = || Fault::Malformed("the Destination is neither a URI nor an absolute path".to_owned());
    let uri: Uri = value.to_str().ok().and_then(|text| text.trim().parse().ok()).ok_or_else(unread)?;
    if uri.query().is_some() {
        return Err(unread());
    }
    if let Some(authority) = uri.authority() {
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(unread());
        }
        // Behind a proxy the scheme may be another than ours; the host is what the client wrote.
        let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        if bare(authority.as_str()) != bare(host) {
            return Err(Fault::Elsewhere("the Destination is on another server".to_owned()));
        }
    }
    Path::parse(uri.path()).map_err(|fault| match fault {
        PathFault::Malformed(text) => Fault::Malformed(format!("the Destination: {text}")),
        PathFault::Unknown => Fault::NoParent,
    })
}

/// A host without the port that goes without saying.
fn bare(authority: &str) -> String {
    let host = authority.to_ascii_lowercase();
    let host = host.rsplit_once('@').map_or(host.as_str(), |(_, host)| host);
    host.strip_suffix(":80").or_else(|| host.strip_suffix(":443")).unwrap_or(host).to_owned()
}

/// RFC 4918 10.6: without the header, what stands at the destination is replaced.
pub fn overwrite(headers: &HeaderMap) -> Result<bool, Fault> {
    match headers.get("overwrite").map(|value| value.to_str().unwrap_or_default().trim()) {
        None | Some("T" | "t") => Ok(true),
        Some("F" | "f") => Ok(false),
        Some(_) => Err(Fault::Malformed("Overwrite is T or F".to_owned())),
    }
}

/// Whether the client wants what is not there left out. RFC 8144 section 2.1, and Microsoft's `Brief: t` that Apple still sends.
pub fn minimal(headers: &HeaderMap) -> bool {
    let brief = headers.get("brief").and_then(|value| value.to_str().ok());
    prefers(headers, "minimal") || brief.is_some_and(|value| value.trim().eq_ignore_ascii_case("t"))
}

/// Whether the client wants what stands there now with the answer to its PUT. RFC 8144 section 3.
pub fn representation(headers: &HeaderMap) -> bool {
    prefers(headers, "representation")
}

fn prefers(headers: &HeaderMap, wanted: &str) -> bool {
    headers.get_all("prefer").iter().any(|value| {
        let text = value.to_str().unwrap_or_default().to_ascii_lowercase();
        text.split(',').any(|preference| {
            let preference = preference.split(';').next().unwrap_or_default();
            preference
                .split_once('=')
                .is_some_and(|(name, value)| name.trim() == "return" && value.trim().trim_matches('"') == wanted)
        })
    })
}

/// Whether a PUT may carry this into a collection of that kind. RFC 4791 5.3.2.1 and RFC 6352 5.3.2.1.
pub fn check_media(headers: &HeaderMap, kind: Kind) -> Result<(), Fault> {
    let Some(value) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let text = value.to_str().unwrap_or_default().to_ascii_lowercase();
    let condition = match kind {
        Kind::Calendar => Condition::SupportedCalendarData,
        Kind::AddressBook => Condition::SupportedAddressData,
    };
    let (known, essence) = (media_of(kind), essence(&text));
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

/// The types of what a collection holds.
pub fn media_of(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Calendar => &["text/calendar"],
        // Names that vCard had before RFC 6350.
        Kind::AddressBook => &["text/vcard", "text/x-vcard", "text/directory"],
    }
}

/// The type of the body, without parameters.
pub fn media(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(CONTENT_TYPE)?.to_str().ok()?.to_ascii_lowercase();
    Some(essence(&text).to_owned())
}

fn essence(text: &str) -> &str {
    text.split(';').next().unwrap_or_default().trim()
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
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(rows: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in rows {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers
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
    fn destinations_are_read() {
        let place = "/calendars/alice/work/a%20b.ics";
        let rows = [
            (place, Some(place)),
            ("http://here:8008/calendars/alice/work/a%20b.ics", Some(place)),
            ("https://HERE:8008/dav/calendars/alice/work/a%20b.ics", Some("/dav/calendars/alice/work/a%20b.ics")),
            ("http://u@here:8008/calendars/alice/work/a%20b.ics", Some(place)),
            ("http://there/calendars/alice/work/a.ics", None),
            ("http://here/calendars/alice/work/a.ics", None),
            ("ftp://here:8008/calendars/alice/work/a.ics", None),
            ("/calendars/alice/../bob/a.ics", None),
            ("/calendars/alice/work/a.ics?x", None),
            ("a.ics", None),
            ("/nowhere", None),
        ];
        for (text, want) in rows {
            let found = destination(&headers(&[("host", "here:8008"), ("destination", text)])).ok();
            assert_eq!(found, want.map(|want| Path::parse(want).unwrap()), "{text}");
        }
        assert!(matches!(destination(&headers(&[("destination", "http://there/")])), Err(Fault::Elsewhere(_))));
        let plain = headers(&[("host", "here"), ("destination", "https://here:443/calendars/alice/work/")]);
        assert!(destination(&plain).is_ok());
        assert!(destination(&HeaderMap::new()).is_err());
        for (text, want) in [("T", Some(true)), ("F", Some(false)), ("x", None)] {
            assert_eq!(overwrite(&headers(&[("overwrite", text)])).ok(), want);
        }
        assert_eq!(overwrite(&HeaderMap::new()).ok(), Some(true));
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
