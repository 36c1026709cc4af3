//! Clients that people use: the npm package @wazo/sdk, and a page in Chromium.

use serde_json::json;

use crate::live::program::Program;
use crate::live::{House, event, plain_event};
use crate::services;

/// One event of the calendar, heard by the SDK with either version; then its token is renewed, and one that is bad is told as such.
#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_hears_of_an_event() {
    let house = House::open().await;
    let token = house.bearer("alice", json!({})).await;
    let host = format!("localhost:{}", house.running().wazo.expect("Wazo clients are served").port());
    let certificate = house.dir.path().join("store/tls/certificate.pem");
    let trust = [("NODE_EXTRA_CA_CERTS", certificate.to_str().expect("plain"))];
    for version in ["1", "2"] {
        let arguments = [host.as_str(), &token, version, "calendar_event_created"];
        let Some(mut app) = Program::node("wazo-sdk/listen.js", &arguments, &trust) else { return };
        assert_eq!(app.line().await, json!({ "initialized": true }));
        // `initialized` is the reply to `start` in the first version, and comes before it in the second: tells until it is heard.
        let mut at = 0;
        let heard = loop {
            let uid = format!("sdk-{version}-{at}");
            let path = format!("/calendars/alice/default/{uid}.ics");
            assert_eq!(house.http("alice").put(&path, &plain_event(&uid, "20250120T090000Z")).await.status, 201);
            house.settle().await;
            at += 1;
            if let Some(heard) = app.soon().await {
                break heard;
            }
        };
        assert_eq!(heard["name"], "calendar_event_created", "{heard}");
        assert_eq!(heard["message"]["name"], "calendar_event_created", "{heard}");
        assert!(heard["message"]["data"]["uid"].as_str().is_some_and(|uid| uid.starts_with("sdk-")), "{heard}");
    }
    let arguments = [host.as_str(), "not-a-token", "2", "calendar_event_created"];
    let Some(mut app) = Program::node("wazo-sdk/listen.js", &arguments, &trust) else { return };
    let (first, second) = (app.line().await, app.line().await);
    assert!([&first, &second].contains(&&json!({ "authFailed": true })), "{first} {second}");
    assert!([&first, &second].contains(&&json!({ "closed": 4002 })), "{first} {second}");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_in_a_browser_receives_an_alarm_as_an_event() {
    let Some(chromium) = services::found("chromium") else { return };
    let house = House::open().await;
    let token = house.bearer("alice", json!({ "expires_in": 86_400 })).await;
    let text = event("tea", "20250115T100000Z", 15);
    assert_eq!(house.http("alice").put("/calendars/alice/default/tea.ics", &text).await.status, 201);
    house.settle().await;
    let profile = house.dir.path().join("profile");
    let port = house.running().wazo.expect("Wazo clients are served").port().to_string();
    let plain = |path: &std::path::Path| path.to_str().expect("plain").to_owned();
    let (chromium, profile) = (plain(&chromium), plain(&profile));
    let arguments = [&chromium, &profile, &port, &token].map(String::as_str);
    let Some(mut page) = Program::node("wazo-page/drive.js", &arguments, &[]) else { return };
    assert_eq!(page.line().await, "waiting for messages");
    house.turn("2025-01-15T09:45:00Z").await;
    let said = page.line().await;
    let body = said.as_str().and_then(|said| said.strip_prefix("message received: ")).expect("a message");
    let told: serde_json::Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(told["name"], "calendar_alarm_triggered", "{told}");
    assert_eq!(told["data"]["summary"], "Event tea", "{told}");
    page.ended().await;
    house.stop().await;
}
