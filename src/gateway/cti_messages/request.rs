//! What a client of the CTI messages socket says: JSON to requests. Asks nobody.

use serde_json::{Map, Value};
use uuid::Uuid;

/// Users that one request may name.
const USERS_MAX: usize = 100;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    Ping,
    /// A token, and whom the client wants to hear of at once.
    Auth {
        token: String,
        then: Option<Subscribe>,
    },
    /// The application's own start message, without a token.
    Nothing,
    Subscribe(Subscribe),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscribe {
    /// As the client wrote it.
    pub request_id: Option<String>,
    pub users: Vec<User>,
}

/// `org:{organisation}:user:{user}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct User {
    /// The whole, as the client wrote it.
    pub label: String,
    pub organisation: String,
    pub user: String,
}

/// Why a message cannot be understood, with the request's id if it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    pub why: &'static str,
    pub request_id: Option<String>,
}

pub fn read(text: &str) -> Result<Request, Wrong> {
    let wrong = |why| Wrong { why, request_id: None };
    let Ok(Value::Object(message)) = serde_json::from_str(text) else {
        return Err(wrong("the message is no JSON object"));
    };
    let request_id = string(&message, "clientRequestId");
    let wrong = |why| Wrong { why, request_id: request_id.clone() };
    if let Some(request) = message.get("request") {
        if request != "subscribe" {
            return Err(wrong("unknown request"));
        }
        let users = message.get("data").and_then(|data| data.get("users")).and_then(Value::as_array);
        let users = users.ok_or_else(|| wrong("data.users is missing"))?;
        let users: Option<Vec<&str>> = users.iter().map(Value::as_str).collect();
        return subscribe(users.ok_or_else(|| wrong("data.users holds something else than texts"))?, &request_id)
            .map(Request::Subscribe);
    }
    match message.get("type").and_then(Value::as_str) {
        Some("ping") => Ok(Request::Ping),
        Some("auth") => {
            let token = string(&message, "accessToken").ok_or_else(|| wrong("accessToken is missing"))?;
            Ok(Request::Auth { token, then: None })
        }
        Some("WEBSOCKET_START") => {
            let users = string(&message, "users").map(|users| subscribe(vec![&users], &request_id)).transpose()?;
            Ok(match (string(&message, "accessToken"), users) {
                (Some(token), then) => Request::Auth { token, then },
                (None, Some(users)) => Request::Subscribe(users),
                (None, None) => Request::Nothing,
            })
        }
        Some(_) => Err(wrong("unknown type")),
        None => Err(wrong("neither type nor request")),
    }
}

fn string(message: &Map<String, Value>, name: &str) -> Option<String> {
    message.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn subscribe(users: Vec<&str>, request_id: &Option<String>) -> Result<Subscribe, Wrong> {
    let wrong = |why| Wrong { why, request_id: request_id.clone() };
    if request_id.as_deref().is_some_and(|id| Uuid::try_parse(id).is_err()) {
        return Err(wrong("clientRequestId is no UUID"));
    }
    if users.is_empty() {
        return Err(wrong("data.users is empty"));
    }
    if users.len() > USERS_MAX {
        return Err(wrong("data.users is too long"));
    }
    let users: Option<Vec<User>> = users.into_iter().map(user).collect();
    let users = users.ok_or_else(|| wrong("a user is written org:{organisation}:user:{user}"))?;
    Ok(Subscribe { request_id: request_id.clone(), users })
}

fn user(text: &str) -> Option<User> {
    match text.split(':').collect::<Vec<_>>()[..] {
        ["org", organisation, "user", user] if !organisation.is_empty() && !user.is_empty() => {
            Some(User { label: text.to_owned(), organisation: organisation.to_owned(), user: user.to_owned() })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_or_told_what_is_wrong_with_them() {
        let id = "550e8400-e29b-41d4-a716-446655440000";
        let rows = [
            (r#"{"type":"ping"}"#.to_owned(), Ok(Request::Ping)),
            (r#"{"type":"WEBSOCKET_START","endpoint":"wss://x"}"#.to_owned(), Ok(Request::Nothing)),
            ("[]".to_owned(), Err("the message is no JSON object")),
            ("{}".to_owned(), Err("neither type nor request")),
            (r#"{"type":"auth"}"#.to_owned(), Err("accessToken is missing")),
            (r#"{"type":"tick"}"#.to_owned(), Err("unknown type")),
            (r#"{"request":"unsubscribe"}"#.to_owned(), Err("unknown request")),
            (r#"{"request":"subscribe"}"#.to_owned(), Err("data.users is missing")),
            (r#"{"request":"subscribe","data":{"users":[]}}"#.to_owned(), Err("data.users is empty")),
            (
                r#"{"request":"subscribe","data":{"users":[1]}}"#.to_owned(),
                Err("data.users holds something else than texts"),
            ),
            (
                r#"{"request":"subscribe","data":{"users":["org:1:user:"]}}"#.to_owned(),
                Err("a user is written org:{organisation}:user:{user}"),
            ),
            (
                r#"{"request":"subscribe","clientRequestId":"7","data":{"users":["org:1:user:2"]}}"#.to_owned(),
                Err("clientRequestId is no UUID"),
            ),
            (
                serde_json::json!({ "request": "subscribe", "data": { "users": vec!["org:1:user:2"; 101] } })
                    .to_string(),
                Err("data.users is too long"),
            ),
        ];
        for (text, want) in rows {
            assert_eq!(read(&text).map_err(|wrong| wrong.why), want, "{text}");
        }
        let text = format!(
            r#"{{"request":"subscribe","clientRequestId":"{id}","data":{{"users":["org:12345:user:67890"]}}}}"#
        );
        let Ok(Request::Subscribe(Subscribe { request_id, users })) = read(&text) else { panic!("{text}") };
        assert_eq!(
            (request_id.as_deref(), users[0].organisation.as_str(), users[0].user.as_str()),
            (Some(id), "12345", "67890")
        );
    }
}
