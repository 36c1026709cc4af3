//! The Side socket as people's own programs use it: JavaScript with the npm package ws, and Python with websockets.

use serde_json::json;

use crate::live::House;
use crate::live::program::Program;

const PATH: &str = "/calendars/alice/default";
const EVENT: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:page\r\nDTSTAMP:20250101T000000Z\r\n\
    DTSTART:20250115T100000Z\r\nDTEND:20250115T110000Z\r\nSUMMARY:Tea\r\nBEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:Tea\r\n\
    TRIGGER:-PT15M\r\nEND:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

#[tokio::test]
async fn a_page_registers_and_hears_of_a_change_and_an_alarm() {
    listens(|url| Program::node("side/listen.js", &[url, PATH], &[])).await;
}

#[tokio::test]
async fn a_script_registers_and_hears_of_a_change_and_an_alarm() {
    listens(|url| Program::python("side/listen.py", &[url, PATH], &[])).await;
}

async fn listens(start: impl FnOnce(&str) -> Option<Program>) {
    let house = House::open().await;
    let url = format!("ws://{}/ws?ticket={}", house.base(), house.ticket("alice").await);
    let Some(mut page) = start(&url) else { return };
    assert_eq!(page.line().await, json!({ "calendarListRegistered": true }));
    // A registration asks the store first, so that either answer may come first.
    let answers = [page.line().await, page.line().await];
    assert!(answers.contains(&json!({ "registered": [PATH] })), "{answers:?}");
    assert!(answers.contains(&json!({ "displayNotificationEnabled": true })), "{answers:?}");
    let put = house.http("alice").put("/calendars/alice/default/page.ics", EVENT).await;
    assert_eq!(put.status, 201, "{put:?}");
    house.settle().await;
    let pushed = loop {
        let said = page.line().await;
        if said[PATH]["syncToken"].is_string() {
            break said;
        }
    };
    let ask = r#"<propfind xmlns="DAV:"><prop><sync-token/></prop></propfind>"#;
    let now = house.http("alice").send("PROPFIND", PATH, &[("Depth", "0")], ask).await.text();
    let token = pushed[PATH]["syncToken"].as_str().expect("a token").to_owned();
    assert!(now.contains(&token), "{token} is not in {now}");
    house.turn("2025-01-15T09:45:00Z").await;
    let rang = page.line().await;
    assert_eq!(rang["alarms"].as_array().map(Vec::len), Some(1), "{rang}");
    page.tell(r#"{"type":"ping"}"#).await;
    assert_eq!(page.line().await, json!({}));
    assert_eq!(page.ended().await, (true, vec![json!({ "closed": 1000 })]));
}
