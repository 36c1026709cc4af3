//! Text to jCal and jCard. Every property stays: one whose value is not what its type says is shown as written, with the type `unknown`.

use serde_json::{Map, Number, Value, json};

use crate::domain::address::Kind;
use crate::domain::refusal::Fault;
use crate::ical::block::Block;
use crate::ical::jcal::dates;
use crate::ical::jcal::kinds::{self, Shape, Type};
use crate::ical::jcal::rules;
use crate::ical::lines::{Limits, Property};
use crate::ical::object;
use crate::ical::text;
use crate::ical::vcard;

/// One VCALENDAR or VCARD as a JSON value: `[name, properties, components]`, of a card `["vcard", properties]`. Names of properties,
/// parameters and components are in lower case.
///
/// ```
/// use campanile::{domain::address::Kind, ical::{jcal::shown, lines::Limits}};
/// let text = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20250115\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
/// let shown = shown::object(Kind::Calendar, text, &Limits::default()).unwrap();
/// assert_eq!(shown.to_string(), r#"["vcalendar",[["version",{},"text","2.0"]],[["vevent",[["dtstart",{},"date","2025-01-15"]],[]]]]"#);
/// ```
pub fn object(kind: Kind, bytes: &[u8], limits: &Limits) -> Result<Value, Fault> {
    let name = match kind {
        Kind::Calendar => "VCALENDAR",
        Kind::AddressBook => "VCARD",
    };
    Ok(component(kind, &object::only(bytes, name, limits)?, bytes))
}

/// Goes no deeper than what the reader let pass.
fn component(kind: Kind, block: &Block, bytes: &[u8]) -> Value {
    let properties = block.properties.iter().map(|found| property(kind, found, bytes)).collect::<Vec<Value>>();
    let name = block.name.to_ascii_lowercase();
    match kind {
        Kind::Calendar => {
            let inner = block.blocks.iter().map(|block| component(kind, block, bytes)).collect::<Vec<Value>>();
            json!([name, properties, inner])
        }
        Kind::AddressBook => json!([name, properties]),
    }
}

fn property(kind: Kind, found: &Property, bytes: &[u8]) -> Value {
    let (default, shape) = kinds::of(kind, &found.name);
    let quoted = kind == Kind::AddressBook && vcard::is_quoted_printable(found);
    let declared = found.param("VALUE").map(str::to_ascii_lowercase).filter(|name| is_token(name));
    let mut params = parameters(found, quoted);
    if kind == Kind::AddressBook
        && let Some(group) = group(found, bytes)
    {
        params.insert("group".to_owned(), Value::String(group));
    }
    let wanted = match &declared {
        None => Some(default),
        Some(name) => Type::from_name(name).filter(|found| *found != Type::Unknown),
    };
    let binary = kind == Kind::AddressBook && is_base64(found);
    let (named, values) = if quoted {
        // Its line ends are those of mail, and it may hold what no text can.
        let mut plain = vcard::plain(found).replace("\r\n", "\n");
        plain.retain(|c| !c.is_control() || matches!(c, '\n' | '\t'));
        ("text".to_owned(), unquoted(shape, &plain))
    } else if binary {
        ("binary".to_owned(), vec![json!(found.value)])
    } else {
        let read = |wanted: Type| Some((wanted.as_str().to_owned(), values(wanted, shape, &found.value)?));
        let dated = || (declared.is_none() && default == Type::DateTime).then(|| read(Type::Date))?;
        match wanted.and_then(read).or_else(dated) {
            Some(both) => both,
            None => match declared {
                // RFC 7265 5: a type that we do not know goes through by its name.
                Some(name) if wanted.is_none() && name != "unknown" => (name, vec![json!(found.value)]),
                declared => {
                    if let Some(name) = declared {
                        params.insert("value".to_owned(), json!(name));
                    }
                    ("unknown".to_owned(), vec![json!(found.value)])
                }
            },
        }
    };
    if named == "binary" {
        // RFC 7265 3.6.1: the type says it.
        params.remove("encoding");
    }
    let mut all = vec![json!(found.name.to_ascii_lowercase()), Value::Object(params), json!(named)];
    all.extend(values);
    Value::Array(all)
}

/// Parameters but VALUE. One that is there several times has all its values.
fn parameters(found: &Property, quoted: bool) -> Map<String, Value> {
    let mut params: Map<String, Value> = Map::new();
    for param in found.params.iter().filter(|param| param.name != "VALUE") {
        // What was quoted-printable is plain now.
        if quoted && matches!(param.name.as_str(), "ENCODING" | "QUOTED-PRINTABLE" | "CHARSET") {
            continue;
        }
        let name = param.name.to_ascii_lowercase();
        let mut all = match params.remove(&name) {
            None => Vec::new(),
            Some(Value::Array(list)) => list,
            Some(one) => vec![one],
        };
        all.extend(param.values.iter().map(|value| json!(value)));
        let value = match all.len() {
            1 => all.remove(0),
            // vCard 2.1 has words without a value: `TEL;HOME:…`.
            _ => Value::Array(all),
        };
        params.insert(name, value);
    }
    params
}

/// `item1` of `item1.TEL`: the reader leaves it out of the name.
fn group(found: &Property, bytes: &[u8]) -> Option<String> {
    let raw = bytes.get(found.span.clone())?;
    let mut name = String::new();
    let mut rest = raw.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        match byte {
            b':' | b';' => break,
            // A fold.
            b'\r' | b'\n' => {
                rest.next_if(|next| *next == b'\n');
                rest.next();
            }
            byte => name.push(char::from(byte)),
        }
    }
    let (group, _) = name.rsplit_once('.')?;
    let group = group.trim();
    is_token(group).then(|| group.to_owned())
}

fn is_base64(found: &Property) -> bool {
    found.param("ENCODING").is_some_and(|coding| ["b", "base64"].iter().any(|known| coding.eq_ignore_ascii_case(known)))
}

/// Letters, digits and hyphens.
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn unquoted(shape: Shape, plain: &str) -> Vec<Value> {
    match shape {
        Shape::One => vec![json!(plain)],
        Shape::Many => plain.split(',').map(|one| json!(one)).collect(),
        Shape::Fields | Shape::Lists if plain.contains(';') => {
            vec![Value::Array(plain.split(';').map(|field| json!(field)).collect())]
        }
        Shape::Fields | Shape::Lists => vec![json!(plain)],
    }
}

/// The values behind the type; `None` where the text is not of that type.
fn values(wanted: Type, shape: Shape, raw: &str) -> Option<Vec<Value>> {
    match shape {
        // Such a value is one as it stands, whatever the property would hold otherwise.
        _ if matches!(wanted, Type::Binary | Type::Uri | Type::CalAddress | Type::Recur | Type::Unknown) => {
            Some(vec![one(wanted, raw)?])
        }
        Shape::One => Some(vec![one(wanted, raw)?]),
        Shape::Many => text::parts(raw).map(|part| one(wanted, part)).collect(),
        Shape::Fields => {
            let mut fields = text::split(raw, b';').map(|field| one(wanted, field)).collect::<Option<Vec<Value>>>()?;
            Some(vec![if fields.len() == 1 { fields.remove(0) } else { Value::Array(fields) }])
        }
        Shape::Lists => {
            let mut fields =
                text::split(raw, b';').map(|field| listed(wanted, field)).collect::<Option<Vec<Value>>>()?;
            // A lone list would be taken for fields.
            let alone = fields.len() == 1 && fields.first().is_some_and(|field| !field.is_array());
            Some(vec![if alone { fields.remove(0) } else { Value::Array(fields) }])
        }
    }
}

fn listed(wanted: Type, field: &str) -> Option<Value> {
    let mut items = text::parts(field).map(|item| one(wanted, item)).collect::<Option<Vec<Value>>>()?;
    Some(if items.len() == 1 { items.remove(0) } else { Value::Array(items) })
}

fn one(wanted: Type, raw: &str) -> Option<Value> {
    let trimmed = raw.trim();
    Some(match wanted {
        Type::Text => json!(text::unescaped(raw)),
        Type::Binary | Type::CalAddress | Type::Uri | Type::LanguageTag | Type::Unknown => json!(raw),
        Type::Duration => json!(Some(trimmed).filter(|text| dates::is_duration(text))?),
        Type::Boolean if trimmed.eq_ignore_ascii_case("TRUE") => json!(true),
        Type::Boolean if trimmed.eq_ignore_ascii_case("FALSE") => json!(false),
        Type::Boolean => return None,
        Type::Integer => Value::Number(Number::from(trimmed.parse::<i64>().ok()?)),
        Type::Float => {
            let plain = trimmed.bytes().all(|byte| byte.is_ascii_digit() || b"+-.".contains(&byte));
            Value::Number(Number::from_f64(trimmed.parse::<f64>().ok().filter(|_| plain)?)?)
        }
        Type::Date => json!(dates::date_shown(trimmed)?),
        Type::DateTime => json!(dates::date_time_shown(trimmed)?),
        Type::Time => json!(dates::time_shown(trimmed)?),
        Type::UtcOffset => json!(dates::offset_shown(trimmed)?),
        Type::Period => {
            let (start, end) = dates::period_shown(trimmed)?;
            json!([start, end])
        }
        Type::Recur => rules::shown(raw)?,
        Type::DateAndOrTime | Type::Timestamp => json!(dates::card_shown(trimmed)),
    })
}
