//! The stretch of time that a question names: `{"start","end"}`, in UTC. RFC 5545's spelling, with or without its `Z`, and RFC 3339's.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde_json::Value;

use crate::api::sabre::wrong::Wrong;
use crate::domain::query::Range;

/// Both ends of what `from` holds; the end lies behind the start.
pub fn ends(from: &Value) -> Result<(DateTime<Utc>, DateTime<Utc>), Wrong> {
    let end = |name: &str| {
        let text = from.get(name).and_then(Value::as_str);
        let text = text.ok_or_else(|| Wrong::Bad(format!("{name} is missing: a time like 20250115T090000")))?;
        instant(text).ok_or_else(|| {
            let text: String = text.chars().take(40).collect();
            Wrong::Bad(format!("{name} is a time like 20250115T090000, not {text:?}"))
        })
    };
    let (start, end) = (end("start")?, end("end")?);
    if start < end { Ok((start, end)) } else { Err(Wrong::bad("the window ends before it begins")) }
}

/// The same out of `match`, as a range.
pub fn matched(body: &Value) -> Result<Range, Wrong> {
    let wanted = body.get("match").ok_or_else(|| Wrong::bad("match is missing: {\"start\",\"end\"}"))?;
    let (from, to) = ends(wanted)?;
    Ok(Range { from: Some(from), to: Some(to) })
}

pub fn instant(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    // Four digits of a year: further out what is added may leave what a calendar can count.
    if text.len() > 32 || !text.as_bytes().first().is_some_and(u8::is_ascii_digit) {
        return None;
    }
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.to_utc());
    }
    let clock = text.strip_suffix('Z').unwrap_or(text);
    let (form, length) = if clock.contains('-') { ("%Y-%m-%dT%H:%M:%S", 19) } else { ("%Y%m%dT%H%M%S", 15) };
    let read = (clock.len() == length).then(|| NaiveDateTime::parse_from_str(clock, form).ok())?;
    read.map(|clock| clock.and_utc())
}

/// `20250115T090000Z`
pub fn stamp(at: &DateTime<Utc>) -> String {
    at.format("%Y%m%dT%H%M%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_are_read_as_clients_write_them() {
        for (text, want) in [
            ("20250115T090000", Some("20250115T090000Z")),
            ("20250115T090000Z", Some("20250115T090000Z")),
            ("2025-01-15T09:00:00", Some("20250115T090000Z")),
            ("2025-01-15T09:00:00.123Z", Some("20250115T090000Z")),
            ("2025-01-15T09:00:00+01:00", Some("20250115T080000Z")),
            ("20250115", None),
            ("20250230T090000", None),
            ("+120250115T090000", None),
            ("", None),
            ("now", None),
        ] {
            assert_eq!(instant(text).as_ref().map(stamp).as_deref(), want, "{text}");
        }
        assert!(ends(&json!({ "start": "20250115T090000", "end": "20250115T090000" })).is_err());
        assert!(ends(&json!({ "start": "20250115T090000" })).is_err());
        assert!(matched(&json!({ "start": "20250115T090000", "end": "20250116T090000" })).is_err());
    }
}
