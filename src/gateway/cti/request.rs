//! What a CTI client says on a person's or a group's socket: frames to requests. Decides nothing.

use serde_json::{Map, Value};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    Ping,
    /// Names as the frame spells them: the organisation's, and the person's or the group's.
    Subscribe {
        organisation: String,
        target: String,
    },
    Unsubscribe {
        organisation: String,
        target: String,
    },
}

/// Reads a frame; `key` is `userId` or `groupId`. `None` for what this dialect does not know.
pub fn read(text: &str, key: &str) -> Option<Request> {
    let Ok(Value::Object(frame)) = serde_json::from_str(text) else { return None };
    let Some(action) = frame.get("action") else {
        return (frame.get("type")?.as_str()? == "ping").then_some(Request::Ping);
    };
    let (organisation, target) = (name(&frame, "orgId")?, name(&frame, key)?);
    match action.as_str()? {
        "subscribe" => Some(Request::Subscribe { organisation, target }),
        "unsubscribe" => Some(Request::Unsubscribe { organisation, target }),
        _ => None,
    }
}

/// An id; clients that know numbers send them as such.
fn name(frame: &Map<String, Value>, key: &str) -> Option<String> {
    match frame.get(key)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => number.as_u64().map(|number| number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read() {
        let names = || ("org-1".to_owned(), "7".to_owned());
        let subscribe = || {
            let (organisation, target) = names();
            Some(Request::Subscribe { organisation, target })
        };
        let rows = [
            (r#"{"action":"subscribe","orgId":"org-1","userId":"7"}"#, subscribe()),
            (r#"{"action":"subscribe","orgId":"org-1","userId":7,"more":[]}"#, subscribe()),
            (r#"{"type":"ping"}"#, Some(Request::Ping)),
            (r#"{"type":"ping","action":"subscribe","orgId":"org-1","userId":"7"}"#, subscribe()),
            (r#"{"action":"subscribe","orgId":"org-1"}"#, None),
            (r#"{"action":"subscribe","orgId":"org-1","groupId":"7"}"#, None),
            (r#"{"action":"subscribe","orgId":"org-1","userId":null}"#, None),
            (r#"{"action":"subscribe","orgId":"org-1","userId":-7}"#, None),
            (r#"{"action":"Subscribe","orgId":"org-1","userId":"7"}"#, None),
            (r#"{"action":7,"orgId":"org-1","userId":"7"}"#, None),
            (r#"{"type":"pong"}"#, None),
            (r#"{}"#, None),
            ("[]", None),
            ("subscribe", None),
            ("", None),
        ];
        for (text, want) in rows {
            assert_eq!(read(text, "userId"), want, "{text}");
        }
        let (organisation, target) = names();
        let want = Some(Request::Unsubscribe { organisation, target });
        assert_eq!(read(r#"{"action":"unsubscribe","orgId":"org-1","groupId":"7"}"#, "groupId"), want);
    }
}
