//! What a client of the CTI events socket says: frames to requests, faults to texts. Decides nothing.

use serde_json::{Map, Value};

use crate::domain::organisation::{self, Id};
use crate::gateway::sight::{Sight, Target};

/// The clients that are known by name.
const CLIENTS: [&str; 3] = ["FreedomWeb", "CTI 2.0", "FreedomCTI"];

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    Auth {
        token: String,
    },
    /// What an application tells itself before it connects; some send it on.
    Start,
    Ping,
    Watch(Sight),
    Unwatch(Sight),
}

/// Why a frame is no request. After a fault in signing in the socket closes, after any other it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    Auth(String),
    Frame(String),
}

pub fn read(text: &str) -> Result<Request, Wrong> {
    let Ok(Value::Object(frame)) = serde_json::from_str(text) else {
        return Err(Wrong::Frame("a message is a JSON object".to_owned()));
    };
    let kind = frame.get("type").and_then(Value::as_str).unwrap_or_default();
    let watch = match kind {
        "auth" => return auth(&frame),
        "WEBSOCKET_START" => return Ok(Request::Start),
        "ping" => return Ok(Request::Ping),
        "subscribe" | "unsubscribe" => path(&frame),
        "WEBSOCKET_USER_SUBSCRIBE" | "WEBSOCKET_USER_UNSUBSCRIBE" => numbered(&frame, "userId", Target::Person),
        "WEBSOCKET_GROUP_SUBSCRIBE" | "WEBSOCKET_GROUP_UNSUBSCRIBE" => numbered(&frame, "groupId", Target::Group),
        "" => Err("a message has a type".to_owned()),
        other => Err(format!("no request has the type {:?}", excerpt(other))),
    };
    let watch = watch.map_err(Wrong::Frame)?;
    let ends = matches!(kind, "unsubscribe" | "WEBSOCKET_USER_UNSUBSCRIBE" | "WEBSOCKET_GROUP_UNSUBSCRIBE");
    Ok(if ends { Request::Unwatch(watch) } else { Request::Watch(watch) })
}

fn auth(frame: &Map<String, Value>) -> Result<Request, Wrong> {
    let wrong = |why: &str| Wrong::Auth(why.to_owned());
    let token = frame.get("accessToken").and_then(Value::as_str).filter(|token| !token.is_empty());
    let token = token.ok_or_else(|| wrong("auth needs an accessToken"))?.to_owned();
    let client = frame.get("client").and_then(Value::as_object).ok_or_else(|| wrong("auth needs a client"))?;
    let text = |key: &str| client.get(key).and_then(Value::as_str).unwrap_or_default();
    if !CLIENTS.contains(&text("name")) {
        return Err(wrong("client.name must be FreedomWeb, CTI 2.0 or FreedomCTI"));
    }
    // It should be a semantic version; some clients' is not, and nothing hangs on it.
    if text("version").is_empty() {
        return Err(wrong("client.version is missing"));
    }
    Ok(Request::Auth { token })
}

/// `/org/{org}/user/{number}/presence`, or `group` for `user`.
fn path(frame: &Map<String, Value>) -> Result<Sight, String> {
    let path = frame.get("path").and_then(Value::as_str).ok_or("path is missing")?;
    let wrong = || format!("no presence has the path {:?}", excerpt(path));
    let parts: Vec<&str> = path.strip_prefix('/').ok_or_else(wrong)?.split('/').collect();
    let ["org", organisation, kind, number, "presence"] = parts[..] else { return Err(wrong()) };
    let number = organisation::number(number).ok_or_else(wrong)?.to_string();
    let target = match kind {
        "user" => Target::Person(number),
        "group" => Target::Group(number),
        _ => return Err(wrong()),
    };
    let organisation = Id::new(organisation).ok_or_else(wrong)?.as_str().to_owned();
    Ok(Sight { organisation, target })
}

fn numbered(frame: &Map<String, Value>, key: &str, target: fn(String) -> Target) -> Result<Sight, String> {
    let organisation = match frame.get("orgId") {
        Some(Value::String(text)) => Id::new(text),
        Some(Value::Number(number)) => Id::new(&number.to_string()),
        _ => None,
    };
    let organisation = organisation.ok_or("orgId must be an organisation's identifier")?;
    let number =
        frame.get(key).and_then(Value::as_u64).filter(|number| (1..=organisation::NUMBER_MAX).contains(number));
    let number = number.ok_or_else(|| format!("{key} must be a positive number"))?;
    Ok(Sight { organisation: organisation.as_str().to_owned(), target: target(number.to_string()) })
}

fn excerpt(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read() {
        let sight = |target| Sight { organisation: "12345".to_owned(), target };
        let person = || sight(Target::Person("67890".to_owned()));
        let group = || sight(Target::Group("100".to_owned()));
        let rows = [
            (r#"{"type":"subscribe","path":"/org/12345/user/67890/presence"}"#, Ok(Request::Watch(person()))),
            (r#"{"type":"unsubscribe","path":"/org/12345/group/100/presence"}"#, Ok(Request::Unwatch(group()))),
            (r#"{"type":"WEBSOCKET_USER_SUBSCRIBE","orgId":"12345","userId":67890}"#, Ok(Request::Watch(person()))),
            (r#"{"type":"WEBSOCKET_USER_UNSUBSCRIBE","orgId":"12345","userId":67890}"#, Ok(Request::Unwatch(person()))),
            (r#"{"type":"WEBSOCKET_GROUP_SUBSCRIBE","orgId":"12345","groupId":100}"#, Ok(Request::Watch(group()))),
            (r#"{"type":"WEBSOCKET_GROUP_UNSUBSCRIBE","orgId":12345,"groupId":100}"#, Ok(Request::Unwatch(group()))),
            (r#"{"type":"WEBSOCKET_START","endpoint":"wss://x/v1/events","accessToken":"t"}"#, Ok(Request::Start)),
            (
                r#"{"type":"auth","accessToken":"t","client":{"name":"CTI 2.0","version":"2.5.1"}}"#,
                Ok(Request::Auth { token: "t".to_owned() }),
            ),
        ];
        for (text, want) in rows {
            assert_eq!(read(text), want, "{text}");
        }
    }

    /// What is refused, whether that ends the socket, and a word of why.
    #[test]
    fn faults_are_named() {
        let rows = [
            ("[]", false, "JSON object"),
            ("{", false, "JSON object"),
            ("{}", false, "has a type"),
            (r#"{"type":7}"#, false, "has a type"),
            (r#"{"type":"response","data":[]}"#, false, "response"),
            (r#"{"type":"auth"}"#, true, "accessToken"),
            (r#"{"type":"auth","accessToken":"t"}"#, true, "client"),
            (r#"{"type":"auth","accessToken":"t","client":{"name":"Curl","version":"1"}}"#, true, "client.name"),
            (r#"{"type":"auth","accessToken":"t","client":{"name":"FreedomWeb"}}"#, true, "client.version"),
            (r#"{"type":"subscribe"}"#, false, "path is missing"),
            (r#"{"type":"subscribe","path":"/org/1/user/alice/presence"}"#, false, "/org/1/user/alice/presence"),
            (r#"{"type":"subscribe","path":"/org/1/user/0/presence"}"#, false, "no presence"),
            (r#"{"type":"subscribe","path":"/org//user/1/presence"}"#, false, "no presence"),
            (r#"{"type":"subscribe","path":"/org/1/team/1/presence"}"#, false, "no presence"),
            (r#"{"type":"subscribe","path":"/org/1/user/1/presence/more"}"#, false, "no presence"),
            (r#"{"type":"WEBSOCKET_USER_SUBSCRIBE","orgId":"1","userId":"1"}"#, false, "userId must be"),
            (r#"{"type":"WEBSOCKET_USER_SUBSCRIBE","orgId":"1","userId":0}"#, false, "userId must be"),
            (r#"{"type":"WEBSOCKET_USER_SUBSCRIBE","orgId":"1","userId":1.5}"#, false, "userId must be"),
            (r#"{"type":"WEBSOCKET_GROUP_SUBSCRIBE","groupId":1}"#, false, "orgId must be"),
        ];
        for (text, ends, want) in rows {
            match read(text) {
                Err(Wrong::Auth(why)) => assert!(ends && why.contains(want), "{text}: {why}"),
                Err(Wrong::Frame(why)) => assert!(!ends && why.contains(want), "{text}: {why}"),
                Ok(read) => panic!("{text}: {read:?}"),
            }
        }
    }
}
