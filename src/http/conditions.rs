//! What a request demands before it is performed: `If-Match` and its kin, `If-Schedule-Tag-Match`. Compares nothing with what is stored;
//! the `If` header, which names paths, is DAV's.

use chrono::{DateTime, NaiveDateTime, Utc};
use http::HeaderMap;
use http::header::{HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE};

use crate::domain::object::{Precondition, Tags};

/// RFC 9110 13.1. A condition that cannot be read refuses the request: to pass over it could overwrite what it was to guard. Says what is
/// wrong with it.
pub fn precondition(headers: &HeaderMap) -> Result<Precondition, String> {
    Ok(Precondition {
        // 13.1.1 compares strongly, so a weak tag never matches; 13.1.2 compares weakly, and `W/"1"` is `"1"` made weak by a proxy that
        // compressed the answer.
        if_match: tags(headers, &IF_MATCH, false)?,
        if_none_match: tags(headers, &IF_NONE_MATCH, true)?,
        unmodified_since: date(headers, &IF_UNMODIFIED_SINCE),
        schedule_tag: schedule_tag(headers)?,
        lists: None,
    })
}

/// `If-Modified-Since`, which counts only where there is no `If-None-Match`. RFC 9110 13.1.3.
pub fn modified_since(headers: &HeaderMap) -> Option<DateTime<Utc>> {
    if headers.contains_key(IF_NONE_MATCH) { None } else { date(headers, &IF_MODIFIED_SINCE) }
}

/// RFC 9110 13.1.3 and 13.1.4: what is no date is passed over.
fn date(headers: &HeaderMap, name: &HeaderName) -> Option<DateTime<Utc>> {
    let text = headers.get(name)?.to_str().ok()?;
    NaiveDateTime::parse_from_str(text.trim(), "%a, %d %b %Y %H:%M:%S GMT").ok().map(|date| date.and_utc())
}

/// RFC 6638 8.3: one strong tag.
fn schedule_tag(headers: &HeaderMap) -> Result<Option<String>, String> {
    let name = HeaderName::from_static("if-schedule-tag-match");
    match tags(headers, &name, false)? {
        None => Ok(None),
        Some(Tags::These(tags)) if tags.len() == 1 => Ok(tags.into_iter().next()),
        Some(_) => Err(format!("{name} holds one tag, which is quoted")),
    }
}

fn tags(headers: &HeaderMap, name: &HeaderName, weak_too: bool) -> Result<Option<Tags>, String> {
    let mut lines = Vec::new();
    for value in headers.get_all(name) {
        // Our own tags are plain ASCII: one with other bytes is sound, and matches nothing.
        lines.push(String::from_utf8_lossy(value.as_bytes()).into_owned());
    }
    if lines.is_empty() {
        return Ok(None);
    }
    let text = lines.join(",");
    let unread = || format!("{name} cannot be read: entity tags are quoted and separated by commas");
    if text.trim() == "*" {
        return Ok(Some(Tags::Any));
    }
    let (mut found, mut seen) = (Vec::new(), false);
    let blank = |c: char| matches!(c, ' ' | '\t' | ',');
    let mut rest = text.trim_start_matches(blank);
    while !rest.is_empty() {
        let (tag, weak, after) = tag(rest).ok_or_else(unread)?;
        if weak_too || !weak {
            found.push(tag.to_owned());
        }
        seen = true;
        rest = after.trim_start_matches(blank);
        let separated = after.trim_start_matches([' ', '\t']).starts_with(',');
        if !rest.is_empty() && !separated {
            return Err(unread());
        }
    }
    if seen { Ok(Some(Tags::These(found))) } else { Err(unread()) }
}

/// The quoted tag that a text begins with, whether it is weak, and what follows.
pub fn tag(text: &str) -> Option<(&str, bool, &str)> {
    let (quoted, weak) = match text.strip_prefix("W/") {
        Some(quoted) => (quoted, true),
        None => (text, false),
    };
    let end = quoted.strip_prefix('"')?.find('"')? + 2;
    let (tag, rest) = quoted.split_at(end);
    Some((tag, weak, rest))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(name: &'static str, text: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.append(HeaderName::from_static(name), HeaderValue::from_str(text).unwrap());
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
        let read = |name, text| precondition(&headers(name, text));
        for (text, strong, weak) in rows {
            assert_eq!(read("if-match", text).ok().map(|found| found.if_match), strong, "if-match: {text}");
            let found = read("if-none-match", text).ok().map(|found| found.if_none_match);
            assert_eq!(found, weak, "if-none-match: {text}");
        }
        let mut twice = headers("if-match", "\"a\"");
        twice.append(IF_MATCH, HeaderValue::from_static("\"b\""));
        assert_eq!(Some(precondition(&twice).unwrap().if_match), these(&["\"a\"", "\"b\""]));
        assert_eq!(precondition(&HeaderMap::new()).unwrap(), Precondition::default());
    }

    #[test]
    fn dates_and_schedule_tags_are_read() {
        let at = |text: &str| date(&headers("if-unmodified-since", text), &IF_UNMODIFIED_SINCE);
        assert_eq!(
            at("Wed, 15 Jan 2025 09:00:00 GMT").map(|at| at.to_rfc3339()).as_deref(),
            Some("2025-01-15T09:00:00+00:00")
        );
        assert_eq!(at("yesterday"), None);
        let rows =
            [("\"a\"", Some(Some("\"a\""))), ("*", None), ("\"a\", \"b\"", None), ("a", None), ("W/\"a\"", None)];
        for (text, want) in rows {
            let found = schedule_tag(&headers("if-schedule-tag-match", text)).ok();
            assert_eq!(found.as_ref().map(Option::as_deref), want, "{text}");
        }
    }
}
