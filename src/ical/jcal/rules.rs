//! Recurrence rules: parts with semicolons in text, an object in JSON. RFC 7265 3.6.10. What a rule means stands in `ical/recur`.

use serde_json::{Map, Number, Value};

use crate::ical::jcal::dates;

/// The order in which parts are written; others follow.
const ORDER: [&str; 16] = [
    "RSCALE",
    "FREQ",
    "UNTIL",
    "COUNT",
    "INTERVAL",
    "BYSECOND",
    "BYMINUTE",
    "BYHOUR",
    "BYDAY",
    "BYMONTHDAY",
    "BYYEARDAY",
    "BYWEEKNO",
    "BYMONTH",
    "BYSETPOS",
    "WKST",
    "SKIP",
];
const DAYS: [&str; 7] = ["SU", "MO", "TU", "WE", "TH", "FR", "SA"];
/// Parts that a rule has at most.
const PARTS_MAX: usize = 64;

/// `None` for what is no list of parts, or says something twice.
pub fn shown(text: &str) -> Option<Value> {
    let mut parts = Map::new();
    for part in text.trim().trim_end_matches(';').split(';') {
        let (name, value) = part.split_once('=')?;
        let name = name.trim().to_ascii_lowercase();
        let value = value.trim();
        let sound = is_name(&name) && value.split(',').all(|one| !one.trim().is_empty());
        if !sound || parts.len() == PARTS_MAX {
            return None;
        }
        let shown = match name.as_str() {
            "until" => Value::String(dates::date_time_shown(value).or_else(|| dates::date_shown(value))?),
            _ => {
                let mut list: Vec<Value> = value.split(',').map(|one| item(&name, one.trim())).collect();
                match list.len() {
                    1 => list.pop()?,
                    _ => Value::Array(list),
                }
            }
        };
        if parts.insert(name, shown).is_some() {
            return None;
        }
    }
    Some(Value::Object(parts))
}

fn item(name: &str, text: &str) -> Value {
    let numeric = text.strip_prefix(['+', '-']).unwrap_or(text);
    let number = !numeric.is_empty() && numeric.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<i64>() {
        Ok(number_found) if number => Value::Number(Number::from(number_found)),
        _ if is_word(name) => Value::String(text.to_ascii_uppercase()),
        _ => Value::String(text.to_owned()),
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn is_word(name: &str) -> bool {
    matches!(name, "freq" | "byday" | "wkst" | "rscale" | "skip")
}

/// A rule as text; why not, where it is none.
pub fn said(rule: &Map<String, Value>) -> Result<String, String> {
    if rule.len() > PARTS_MAX {
        return Err(format!("a rule has at most {PARTS_MAX} parts"));
    }
    let mut parts = Vec::new();
    for (name, value) in rule {
        if !is_name(name) {
            return Err(format!("no part of a rule is called {name:?}"));
        }
        let items: Vec<&Value> = match value {
            Value::Null => continue,
            Value::Array(list) if list.is_empty() => continue,
            Value::Array(list) => list.iter().collect(),
            one => vec![one],
        };
        let lower = name.to_ascii_lowercase();
        let texts = items.into_iter().map(|one| piece(&lower, one)).collect::<Result<Vec<String>, String>>()?;
        parts.push((name.to_ascii_uppercase(), texts.join(",")));
    }
    let place = |name: &str| ORDER.iter().position(|known| *known == name).unwrap_or(ORDER.len());
    parts.sort_by(|(a, _), (b, _)| (place(a), a).cmp(&(place(b), b)));
    if parts.windows(2).any(|pair| matches!(pair, [(a, _), (b, _)] if a == b)) {
        return Err("a part of a rule is there twice".to_owned());
    }
    if parts.is_empty() {
        return Err("a rule has no parts".to_owned());
    }
    Ok(parts.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<String>>().join(";"))
}

fn piece(name: &str, value: &Value) -> Result<String, String> {
    match value {
        // ical.js counts days from Sunday, which is 1.
        Value::Number(number) if name == "wkst" => {
            let day = number.as_u64().and_then(|day| DAYS.get(usize::try_from(day).ok()?.checked_sub(1)?));
            day.map(|day| (*day).to_owned()).ok_or_else(|| format!("no day has the number {number}"))
        }
        Value::Number(number) if number.is_i64() || number.is_u64() => Ok(number.to_string()),
        Value::String(text) if name == "until" => {
            let until = dates::date_time_said(text).or_else(|| dates::date_said(text));
            until.ok_or_else(|| format!("until is no date or date-time: {text:?}"))
        }
        Value::String(text) => {
            if text.is_empty() || text.chars().any(|c| c.is_control() || c == ';') {
                return Err(format!("{name} cannot be {text:?}"));
            }
            Ok(if is_word(name) { text.to_ascii_uppercase() } else { text.clone() })
        }
        _ => Err(format!("{name} is neither a text nor a whole number")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rules_go_there_and_back() {
        let rows = [
            ("FREQ=DAILY", json!({ "freq": "DAILY" }), "FREQ=DAILY"),
            (
                "COUNT=3;FREQ=weekly;BYDAY=mo,-1FR;WKST=SU;",
                json!({ "freq": "WEEKLY", "count": 3, "byday": ["MO", "-1FR"], "wkst": "SU" }),
                "FREQ=WEEKLY;COUNT=3;BYDAY=MO,-1FR;WKST=SU",
            ),
            (
                "FREQ=YEARLY;UNTIL=20250101T000000Z;BYMONTH=01,5L;X-Y=z",
                json!({ "freq": "YEARLY", "until": "2025-01-01T00:00:00Z", "bymonth": [1, "5L"], "x-y": "z" }),
                "FREQ=YEARLY;UNTIL=20250101T000000Z;BYMONTH=1,5L;X-Y=z",
            ),
            (
                "FREQ=DAILY;UNTIL=20250101",
                json!({ "freq": "DAILY", "until": "2025-01-01" }),
                "FREQ=DAILY;UNTIL=20250101",
            ),
        ];
        for (text, value, back) in rows {
            assert_eq!(shown(text).as_ref(), Some(&value), "{text}");
            assert_eq!(said(value.as_object().expect("an object")).as_deref(), Ok(back));
        }
        for text in ["", "DAILY", "FREQ=DAILY;FREQ=DAILY", "FREQ=DAILY;UNTIL=soon", "=1"] {
            assert_eq!(shown(text), None, "{text}");
        }
        let odd = json!({ "wkst": 2, "freq": "daily", "interval": null, "byday": [] });
        assert_eq!(said(odd.as_object().expect("an object")).as_deref(), Ok("FREQ=DAILY;WKST=MO"));
        for bad in [
            json!({}),
            json!({ "freq": "DAILY;COUNT=1" }),
            json!({ "freq": "DAILY\r\nX:1" }),
            json!({ "count": 1.5 }),
            json!({ "until": "soon" }),
            json!({ "freq": { "a": 1 } }),
            json!({ "FREQ": "DAILY", "freq": "DAILY" }),
            json!({ "a b": 1 }),
            json!({ "wkst": 9 }),
        ] {
            assert!(said(bad.as_object().expect("an object")).is_err(), "{bad}");
        }
    }
}
