//! What changed since a token: `{"sync-token":"…"}`. 207, the token beside what is embedded, links and statuses without content.

use http::StatusCode;
use serde_json::{Value, json};
use warp::reply::Response;

use crate::api::sabre::Ask;
use crate::api::sabre::items::{answer, link, listed};
use crate::api::sabre::wrong::Wrong;
use crate::domain::address::Address;
use crate::domain::sync::{Position, Token};
use crate::http::call::href;
use crate::service::sync::Line;

/// Lines of one answer. A longer list is cut there, and its token says so: asked with that, it goes on.
const LINES_MAX: usize = 50_000;

pub async fn answered(ask: &Ask, at: &Address, token: &Value) -> Result<Response, Wrong> {
    let position = position(token)?;
    let view = ask.house.view(&ask.caller.name, at).await?;
    let mut changes = ask.house.changes(&view.source, position.as_ref(), Some(LINES_MAX)).await?;
    let mut lines = Vec::new();
    while let Some(page) = changes.next(&ask.house).await? {
        lines.extend(page.into_iter().map(|line| {
            let (name, status) = match &line {
                Line::There(record) => (&*record.name, 200),
                Line::Gone(name) => (name.as_str(), 404),
            };
            json!({ "_links": { "self": { "href": href(at, Some(name)) } }, "status": status })
        }));
    }
    let mut body = listed(&link(at), lines);
    body["sync-token"] = json!(changes.end().0.url());
    Ok(answer(StatusCode::MULTI_STATUS, &body))
}

/// A token as it was given out, its number alone, or nothing for a first list.
fn position(token: &Value) -> Result<Option<Position>, Wrong> {
    let text = match token {
        Value::Null => return Ok(None),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.trim().to_owned(),
        _ => return Err(Wrong::bad("sync-token is a text")),
    };
    if text.is_empty() {
        return Ok(None);
    }
    if let Some(position) = Position::parse(&text) {
        return Ok(Some(position));
    }
    let last = text.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let digits = !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.then(|| last.parse().ok()).flatten();
    let number: u64 = number.ok_or_else(|| Wrong::bad("sync-token is none that was given out here"))?;
    Ok(Some(Position::At(Token(number))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_in_all_their_spellings() {
        let at = |number| Ok(Some(Position::At(Token(number))));
        for (token, want) in [
            (json!(""), Ok(None)),
            (json!(null), Ok(None)),
            (json!("http://sabre.io/ns/sync/7"), at(7)),
            (json!("http://sabre.io/ns/sync/7/"), at(7)),
            (json!("7"), at(7)),
            (json!(7), at(7)),
            (json!("http://sabre.io/ns/sync/7?part=3"), Ok(Some(Position::Within(Token(7), 3)))),
        ] {
            assert_eq!(position(&token), want, "{token}");
        }
        for token in [json!("x"), json!("-1"), json!("7.5"), json!("18446744073709551616"), json!([]), json!(true)] {
            assert!(matches!(position(&token), Err(Wrong::Bad(_))), "{token}");
        }
    }
}
