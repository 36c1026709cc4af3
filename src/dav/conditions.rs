//! What a DAV request demands before it is performed: what any request may demand, and the `If` header. Compares nothing with what is
//! stored.

use http::HeaderMap;

use crate::dav::fault::Fault;
use crate::dav::path::{Path, Place};
use crate::domain::object::{Demand, Precondition};
use crate::http::conditions::{self, tag};

/// Conditions of one `If` header; one more is answered 400.
const DEMANDS_MAX: usize = 100;

/// RFC 9110 13.1. A condition that cannot be read refuses the request: to pass over it could overwrite what it was to guard.
pub fn precondition(headers: &HeaderMap, place: &Place) -> Result<Precondition, Fault> {
    let plain = conditions::precondition(headers).map_err(Fault::Malformed)?;
    Ok(Precondition { lists: lists(headers, place)?, ..plain })
}

/// RFC 4918 10.4. Nothing is ever locked here, so no state token matches; a list that is tagged with another resource cannot match either.
fn lists(headers: &HeaderMap, place: &Place) -> Result<Option<Vec<Vec<Demand>>>, Fault> {
    let Some(value) = headers.get("if") else { return Ok(None) };
    let text = String::from_utf8_lossy(value.as_bytes());
    let unread = || Fault::Malformed("the If header cannot be read".to_owned());
    let (mut lists, mut ours, mut count) = (Vec::new(), true, 0);
    let mut rest = text.trim();
    while !rest.is_empty() {
        if let Some(tagged) = rest.strip_prefix('<') {
            let (uri, after) = tagged.split_once('>').ok_or_else(unread)?;
            ours = names(uri, place);
            rest = after.trim_start();
            continue;
        }
        let (mut list, mut inner) = (Vec::new(), rest.strip_prefix('(').ok_or_else(unread)?.trim_start());
        rest = loop {
            if let Some(after) = inner.strip_prefix(')') {
                break after.trim_start();
            }
            let negated = inner.get(..3).is_some_and(|word| word.eq_ignore_ascii_case("not"));
            let one = if negated { inner[3..].trim_start() } else { inner };
            let (tag, after) = if let Some(state) = one.strip_prefix('<') {
                (None, state.split_once('>').ok_or_else(unread)?.1)
            } else {
                let quoted = one.strip_prefix('[').ok_or_else(unread)?.trim_start();
                let (tag, weak, after) = tag(quoted).ok_or_else(unread)?;
                let after = after.trim_start().strip_prefix(']').ok_or_else(unread)?;
                ((ours && !weak).then(|| tag.to_owned()), after)
            };
            list.push(Demand { tag, negated });
            count += 1;
            if count > DEMANDS_MAX {
                return Err(Fault::Malformed(format!("an If header has at most {DEMANDS_MAX} conditions")));
            }
            inner = after.trim_start();
        };
        if list.is_empty() {
            return Err(unread());
        }
        lists.push(list);
    }
    if lists.is_empty() { Err(unread()) } else { Ok(Some(lists)) }
}

/// Whether a URI means this place. Of hosts nothing is known here.
fn names(uri: &str, place: &Place) -> bool {
    let path = uri.split_once("://").map_or(uri, |(_, rest)| rest.find('/').map_or("/", |at| &rest[at..]));
    Path::parse(path).is_ok_and(|path| path.place == *place)
}

#[cfg(test)]
mod tests {
    use http::header::{HeaderName, HeaderValue};

    use super::*;

    fn headers(name: &'static str, text: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.append(HeaderName::from_static(name), HeaderValue::from_str(text).unwrap());
        headers
    }

    fn object() -> Place {
        Path::parse("/calendars/alice/default/a%20b.ics").unwrap().place
    }

    #[test]
    fn if_headers_are_read() {
        // Each list in parentheses: a tag, `-` for what never matches, `!` before what is negated.
        let rows = [
            ("([\"a\"])", Some("(\"a\")")),
            ("( [\"a\"] )([\"b\"])", Some("(\"a\")(\"b\")")),
            ("(<opaquelocktoken:1> [\"a\"])", Some("(-\"a\")")),
            ("(Not <DAV:no-lock>)", Some("(!-)")),
            ("(not [\"a\"] [W/\"b\"])", Some("(!\"a\"-)")),
            ("</calendars/alice/default/a%20b.ics> ([\"a\"])", Some("(\"a\")")),
            ("<http://x:8008/dav/calendars/alice/default/a%20b.ics> ([\"a\"]) ([\"b\"])", Some("(\"a\")(\"b\")")),
            ("<http://x/other> ([\"a\"]) </calendars/alice/default/a%20b.ics> ([\"b\"])", Some("(-)(\"b\")")),
            ("", None),
            ("()", None),
            ("(\"a\")", None),
            ("([\"a\")", None),
            ("([\"a\"]", None),
            ("<http://x/", None),
            ("[\"a\"]", None),
        ];
        for (text, want) in rows {
            let found = lists(&headers("if", text), &object());
            let spelled = |list: &Vec<Demand>| {
                let one = |demand: &Demand| {
                    let sign = if demand.negated { "!" } else { "" };
                    format!("{sign}{}", demand.tag.as_deref().unwrap_or("-"))
                };
                format!("({})", list.iter().map(one).collect::<String>())
            };
            let found = found.ok().flatten().map(|lists| lists.iter().map(spelled).collect::<String>());
            assert_eq!(found.as_deref(), want, "{text}");
        }
        let long = "([\"a\"])".repeat(DEMANDS_MAX + 1);
        assert!(lists(&headers("if", &long), &object()).is_err());
    }
}
