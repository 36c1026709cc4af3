//! Channels end to end: the whole service against receivers on real sockets. No test waits but for something to come.

mod mail;
mod ntfy;
mod receiver;
mod settings;
mod webhook;

use serde_json::{Value, json};

use crate::live::House;

/// Receivers of the tests lie on loopback; retries come at once.
pub const OPEN: [(&str, &str); 2] = [("sinks.allow_private", "true"), ("sinks.back_off_seconds", "0")];

/// An event at ten o'clock with an alarm fifteen minutes before, and these lines in its alarm.
pub fn alarm(uid: &str, summary: &str, lines: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\nDTSTAMP:20250101T000000Z\r\n\
         DTSTART:20250115T100000Z\r\nDURATION:PT1H\r\nSUMMARY:{summary}\r\nBEGIN:VALARM\r\n{lines}\r\nDESCRIPTION:x\r\n\
         TRIGGER:-PT15M\r\nEND:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

pub async fn put(house: &House, user: &str, path: &str, object: &str) {
    assert_eq!(house.http(user).put(path, object).await.status, 201, "{path}");
}

/// Chooses channels, and answers what `/api/me` shows of them.
pub async fn choose(house: &House, user: &str, channels: Value) -> Value {
    let answer = house.http(user).patch("/api/me", &json!({ "channels": channels }).to_string()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["channels"].clone()
}

pub async fn deliveries(house: &House, user: &str, state: &str) -> Vec<Value> {
    let listed = house.http(user).get(&format!("/api/deliveries?state={state}")).await;
    assert_eq!(listed.status, 200, "{listed:?}");
    listed.json().as_array().expect("a list").clone()
}

/// Waits until so many deliveries stand in a list.
pub async fn until(house: &House, user: &str, state: &str, count: usize) -> Vec<Value> {
    loop {
        let listed = deliveries(house, user, state).await;
        if listed.len() == count {
            return listed;
        }
        tokio::task::yield_now().await;
    }
}
