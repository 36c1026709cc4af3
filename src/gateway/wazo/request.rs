//! What a Wazo client may say: text to request. What the real service closes a socket for with 4004 cannot be read here either. Knows no
//! state.

use serde_json::{Map, Value};

/// A message that could be read.
#[derive(Debug, PartialEq, Eq)]
pub enum Request {
    /// Hear events of this name; `*` means all.
    Subscribe(String),
    Start,
    /// Go on with this token.
    Token(String),
    /// The text comes back in the pong.
    Ping(String),
}

/// Reads one text frame. `None` for everything that is no request: not an object, no operation that is known, a word of its data missing
/// or no text. Further keys mean nothing.
pub fn read(text: &str) -> Option<Request> {
    let Ok(Value::Object(mut object)) = serde_json::from_str(text) else { return None };
    let Some(Value::String(op)) = object.remove("op") else { return None };
    match op.as_str() {
        "subscribe" => word(object, "event_name").map(Request::Subscribe),
        "start" => Some(Request::Start),
        "token" => word(object, "token").map(Request::Token),
        "ping" => word(object, "payload").map(Request::Ping),
        _ => None,
    }
}

/// A text in the data of a request.
fn word(mut object: Map<String, Value>, key: &str) -> Option<String> {
    let Some(Value::Object(mut data)) = object.remove("data") else { return None };
    match data.remove(key) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_as_the_real_service_reads_them() {
        let subscribe = |name: &str| Some(Request::Subscribe(name.to_owned()));
        let rows = [
            (r#"{"op":"subscribe","data":{"event_name":"foo"}}"#, subscribe("foo")),
            (r#"{"op":"subscribe","data":{"event_name":""}}"#, subscribe("")),
            (r#"{"op":"subscribe","data":{"event_name":"*","x":1},"y":[]}"#, subscribe("*")),
            (r#"{"op":"start"}"#, Some(Request::Start)),
            (r#"{"op":"start","data":5}"#, Some(Request::Start)),
            (r#"{"op":"token","data":{"token":"t"}}"#, Some(Request::Token("t".to_owned()))),
            (r#"{"op":"ping","data":{"payload":"é"}}"#, Some(Request::Ping("é".to_owned()))),
            (r#"{"op":"subscribe"}"#, None),
            (r#"{"op":"subscribe","data":null}"#, None),
            (r#"{"op":"subscribe","data":"foo"}"#, None),
            (r#"{"op":"subscribe","data":{}}"#, None),
            (r#"{"op":"subscribe","data":{"event_name":null}}"#, None),
            (r#"{"op":"subscribe","data":{"event_name":["a"]}}"#, None),
            (r#"{"op":"ping","data":{}}"#, None),
            (r#"{"op":"ping"}"#, None),
            (r#"{"op":"token","data":{"token":2}}"#, None),
            (r#"{"op":"unsubscribe","data":{"event_name":"foo"}}"#, None),
            (r#"{"op":"Start"}"#, None),
            (r#"{"op":2}"#, None),
            (r#"{"op":null}"#, None),
            (r#"{"data":{"event_name":"foo"}}"#, None),
            ("{}", None),
            ("[]", None),
            ("null", None),
            (r#""start""#, None),
            ("", None),
            (" ", None),
            ("{", None),
            (r#"{"op":"start"}{}"#, None),
        ];
        for (text, want) in rows {
            assert_eq!(read(text), want, "{text}");
        }
        assert_eq!(read(&format!("{}{}", "[".repeat(60_000), "]".repeat(60_000))), None);
    }
}
