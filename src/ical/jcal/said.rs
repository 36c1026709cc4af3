//! jCal and jCard to text. What makes no sense is refused at its place, spelled as a JSON pointer (RFC 6901); nothing that a value holds can
//! become a line of its own.

use serde_json::{Map, Value};

use crate::domain::address::Kind;
use crate::domain::refusal::Fault;
use crate::ical::jcal::dates;
use crate::ical::jcal::kinds::{self, Shape, Type};
use crate::ical::jcal::rules;
use crate::ical::jcal::shown::is_token;
use crate::ical::lines::{DEPTH_MAX, Limits};
use crate::ical::text;

/// The text of a JSON body. Its size is the caller's to bound; the reader of JSON goes 128 levels deep and no further.
///
/// ```
/// use campanile::{domain::address::Kind, ical::{jcal::said, lines::Limits}};
/// let body = br#"["vcalendar",[],[["vevent",[["dtstart",{},"date","2025-01-15"]],[]]]]"#;
/// let text = said::object(Kind::Calendar, body, &Limits::default()).unwrap();
/// assert_eq!(text, "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20250115\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n");
/// let fault = said::object(Kind::Calendar, br#"["vcalendar",[["dtstart",{},"date","soon"]],[]]"#, &Limits::default()).unwrap_err();
/// assert_eq!(fault.to_string(), "/1/0/3: \"soon\" is no date");
/// ```
pub fn object(kind: Kind, body: &[u8], limits: &Limits) -> Result<String, Fault> {
    let value: Value = serde_json::from_slice(body).map_err(|error| Fault {
        line: Some(error.line() as u64).filter(|line| *line > 0),
        why: format!("no JSON: {error}"),
    })?;
    text_of(kind, &value, limits)
}

/// The text of a JSON value.
pub fn text_of(kind: Kind, value: &Value, limits: &Limits) -> Result<String, Fault> {
    let mut writer = Writer { kind, limits, out: String::new(), components: 0, bare_dates: is_four(value) };
    let name = match kind {
        Kind::Calendar => "vcalendar",
        Kind::AddressBook => "vcard",
    };
    let found = value.get(0).and_then(Value::as_str);
    if !found.is_some_and(|found| found.eq_ignore_ascii_case(name)) {
        return Err(Fault::whole(format!("/0: an array that begins with {name:?} is wanted")));
    }
    writer.component(value, "", 0)?;
    Ok(writer.out)
}

/// Whether a card's VERSION is 4.0, which wants dates without separators.
fn is_four(value: &Value) -> bool {
    let properties = value.get(1).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let versions = || properties.iter().filter(|one| one.get(0).and_then(Value::as_str) == Some("version"));
    versions()
        .next()
        .is_none_or(|version| version.get(3).and_then(Value::as_str).is_some_and(|text| text.starts_with('4')))
}

struct Writer<'a> {
    kind: Kind,
    limits: &'a Limits,
    out: String,
    components: usize,
    bare_dates: bool,
}

fn wrong(at: &str, why: impl Into<String>) -> Fault {
    Fault::whole(format!("{at}: {}", why.into()))
}

impl Writer<'_> {
    fn component(&mut self, value: &Value, at: &str, depth: usize) -> Result<(), Fault> {
        let depth_max = self.limits.depth.min(DEPTH_MAX);
        if depth == depth_max {
            return Err(wrong(at, format!("components are nested deeper than {depth_max}")));
        }
        self.components += 1;
        if self.components > self.limits.components {
            return Err(wrong(at, format!("more than {} components", self.limits.components)));
        }
        let parts = value.as_array().map(Vec::as_slice).unwrap_or_default();
        let (name, properties, inner) = match parts {
            [name, properties] => (name, properties, None),
            [name, properties, inner] => (name, properties, Some(inner)),
            _ => return Err(wrong(at, "a component is a name, properties and components")),
        };
        let name = name.as_str().filter(|name| is_token(name));
        let name = name.ok_or_else(|| wrong(&format!("{at}/0"), "no name of a component"))?.to_ascii_uppercase();
        let properties = properties.as_array().ok_or_else(|| wrong(&format!("{at}/1"), "properties are an array"))?;
        if properties.len() > self.limits.properties {
            return Err(wrong(&format!("{at}/1"), format!("more than {} properties", self.limits.properties)));
        }
        self.out.push_str(&format!("BEGIN:{name}\r\n"));
        for (number, property) in properties.iter().enumerate() {
            self.property(property, &format!("{at}/1/{number}"))?;
        }
        let none = Vec::new();
        let inner = match inner {
            None | Some(Value::Null) => &none,
            Some(inner) => inner.as_array().ok_or_else(|| wrong(&format!("{at}/2"), "components are an array"))?,
        };
        for (number, one) in inner.iter().enumerate() {
            self.component(one, &format!("{at}/2/{number}"), depth + 1)?;
        }
        self.out.push_str(&format!("END:{name}\r\n"));
        Ok(())
    }

    fn property(&mut self, value: &Value, at: &str) -> Result<(), Fault> {
        let parts = value.as_array().map(Vec::as_slice).unwrap_or_default();
        let [name, params, named, values @ ..] = parts else {
            return Err(wrong(at, "a property is a name, parameters, a type and values"));
        };
        let name = name.as_str().filter(|name| is_token(name));
        let name = name.ok_or_else(|| wrong(&format!("{at}/0"), "no name of a property"))?.to_ascii_uppercase();
        if matches!(name.as_str(), "BEGIN" | "END") {
            return Err(wrong(&format!("{at}/0"), "no property is called so"));
        }
        let params = params.as_object().ok_or_else(|| wrong(&format!("{at}/1"), "parameters are an object"))?;
        let named = named.as_str().filter(|named| is_token(named)).map(str::to_ascii_lowercase);
        let named = named.ok_or_else(|| wrong(&format!("{at}/2"), "no type of a value"))?;
        // Web apps write `null` for what they do not have.
        if matches!(values, [Value::Null]) {
            return Ok(());
        }
        if values.is_empty() {
            return Err(wrong(at, format!("{} has no value", name.to_ascii_lowercase())));
        }
        let (default, shape) = kinds::of(self.kind, &name);
        let known = Type::from_name(&named);
        let mut line = String::new();
        if self.kind == Kind::AddressBook
            && let Some(group) = params.get("group")
        {
            let group = group.as_str().filter(|group| is_token(group));
            line = format!("{}.", group.ok_or_else(|| wrong(&format!("{at}/1/group"), "no name of a group"))?);
        }
        line.push_str(&name);
        let card_binary = self.kind == Kind::AddressBook && known == Some(Type::Binary);
        if named != default.as_str() && !matches!(known, Some(Type::Unknown)) && !card_binary {
            line.push_str(&format!(";VALUE={}", named.to_ascii_uppercase()));
        }
        if known == Some(Type::Binary) && !params.contains_key("encoding") {
            line.push_str(if card_binary { ";ENCODING=b" } else { ";ENCODING=BASE64" });
        }
        self.parameters(&mut line, params, known, &format!("{at}/1"))?;
        line.push(':');
        for (number, value) in values.iter().enumerate() {
            if number > 0 {
                line.push(',');
            }
            self.value(&mut line, known.unwrap_or(Type::Unknown), shape, value, &format!("{at}/{}", number + 3))?;
        }
        self.out.push_str(&text::folded(&line));
        Ok(())
    }

    fn parameters(
        &self,
        line: &mut String,
        params: &Map<String, Value>,
        known: Option<Type>,
        at: &str,
    ) -> Result<(), Fault> {
        if params.len() >= self.limits.params {
            return Err(wrong(at, format!("more than {} parameters", self.limits.params)));
        }
        for (name, value) in params {
            let lower = name.to_ascii_lowercase();
            let skipped = (lower == "group" && self.kind == Kind::AddressBook)
                || (lower == "value" && known != Some(Type::Unknown))
                || value.is_null();
            if skipped {
                continue;
            }
            let at = format!("{at}/{name}");
            let odd = |c: char| c.is_control() || matches!(c, ':' | ';' | ',' | '=' | '"');
            if name.trim().is_empty() || name.contains(odd) {
                return Err(wrong(&at, "no name of a parameter"));
            }
            line.push_str(&format!(";{}", name.trim().to_ascii_uppercase()));
            let all = match value {
                Value::Array(list) => list.as_slice(),
                one => std::slice::from_ref(one),
            };
            for (number, one) in all.iter().enumerate() {
                line.push(if number == 0 { '=' } else { ',' });
                let text = scalar(one).ok_or_else(|| wrong(&at, "a parameter is a text, or a list of texts"))?;
                line.push_str(&quoted(&text).ok_or_else(|| wrong(&at, "a control character"))?);
            }
        }
        Ok(())
    }

    /// Writes one value.
    fn value(&self, line: &mut String, known: Type, shape: Shape, value: &Value, at: &str) -> Result<(), Fault> {
        match value {
            Value::Array(fields) if known == Type::Period => {
                let [Value::String(start), Value::String(end)] = fields.as_slice() else {
                    return Err(wrong(at, "a period is a start and an end"));
                };
                let period = dates::period_said(start, end);
                line.push_str(&period.ok_or_else(|| wrong(at, format!("{start:?}, {end:?} is no period")))?);
            }
            Value::Array(fields) if matches!(shape, Shape::Fields | Shape::Lists) || self.kind == Kind::AddressBook => {
                for (number, field) in fields.iter().enumerate() {
                    if number > 0 {
                        line.push(';');
                    }
                    let items = match field {
                        Value::Array(items) => items.as_slice(),
                        one => std::slice::from_ref(one),
                    };
                    for (place, item) in items.iter().enumerate() {
                        if place > 0 {
                            line.push(',');
                        }
                        line.push_str(&self.one(known, item, &format!("{at}/{number}"))?);
                    }
                }
            }
            Value::Object(rule) if known == Type::Recur => {
                line.push_str(&rules::said(rule).map_err(|why| wrong(at, why))?);
            }
            one => line.push_str(&self.one(known, one, at)?),
        }
        Ok(())
    }

    fn one(&self, known: Type, value: &Value, at: &str) -> Result<String, Fault> {
        let scalar = match value {
            Value::Null => String::new(),
            value => scalar(value).ok_or_else(|| wrong(at, format!("no {}", known.as_str())))?,
        };
        let is = |text: Option<String>| text.ok_or_else(|| wrong(at, format!("{scalar:?} is no {}", known.as_str())));
        match known {
            Type::Text => {
                let odd = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
                if scalar.contains(odd) {
                    return Err(wrong(at, "a control character"));
                }
                Ok(text::escaped(&scalar))
            }
            Type::Date => is(dates::date_said(&scalar)),
            Type::DateTime => is(dates::date_time_said(&scalar)),
            Type::Time => is(dates::time_said(&scalar)),
            Type::UtcOffset => is(dates::offset_said(&scalar)),
            Type::Duration => is(Some(scalar.clone()).filter(|text| dates::is_duration(text))),
            Type::Period => is(scalar.split_once('/').and_then(|(start, end)| dates::period_said(start, end))),
            Type::Boolean => is(Some(scalar.to_ascii_uppercase()).filter(|text| text == "TRUE" || text == "FALSE")),
            Type::Integer => is(scalar.parse::<i64>().ok().map(|number| number.to_string())),
            Type::Float => is(scalar.parse::<f64>().ok().filter(|number| number.is_finite()).map(|n| n.to_string())),
            Type::DateAndOrTime | Type::Timestamp => self.raw(&dates::card_said(&scalar, self.bare_dates), at),
            Type::Binary | Type::CalAddress | Type::Recur | Type::Uri | Type::LanguageTag | Type::Unknown => {
                self.raw(&scalar, at)
            }
        }
    }

    /// A value that is written as it is must stay on its line.
    fn raw(&self, text: &str, at: &str) -> Result<String, Fault> {
        if text.chars().any(|c| c.is_control() && c != '\t') {
            return Err(wrong(at, "a control character"));
        }
        Ok(text.to_owned())
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A parameter's value: RFC 6868 for what no quoted text can hold, quotes where something would end it. `None` for control characters.
fn quoted(plain: &str) -> Option<String> {
    let mut out = String::with_capacity(plain.len());
    for c in plain.chars() {
        match c {
            '\n' => out.push_str("^n"),
            '\r' => {}
            '"' => out.push_str("^'"),
            '^' => out.push_str("^^"),
            c if c.is_control() && c != '\t' => return None,
            c => out.push(c),
        }
    }
    // Spaces at the ends are kept by quotes alone.
    let ends = out.starts_with([' ', '\t']) || out.ends_with([' ', '\t']);
    Some(if out.contains([',', ';', ':']) || ends { format!("\"{out}\"") } else { out })
}
