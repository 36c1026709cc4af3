//! Choosing channels: what is shown, what is refused and why, that members come and go one by one.

use serde_json::{Value, json};

use crate::live::House;
use crate::sinks::choose;

#[tokio::test(flavor = "multi_thread")]
async fn channels_are_shown_without_secrets() {
    let house = House::open().await;
    let alice = house.http("alice");
    let shown = async || alice.get("/api/me").await.json()["channels"].clone();
    let (hook, topic) = ("https://hooks.example.org/a", "https://ntfy.sh/my-topic");
    assert_eq!(shown().await, json!({ "email": false, "webhook": null, "ntfy": null }));
    let first = choose(&house, "alice", json!({ "webhook": { "url": hook } })).await;
    assert_eq!(first["webhook"]["secret"].as_str().map(str::len), Some(64));
    let chosen = choose(&house, "alice", json!({ "ntfy": { "url": topic } })).await;
    let want = json!({ "url": hook, "stopped": null });
    assert_eq!(chosen, json!({ "email": false, "webhook": want, "ntfy": { "url": topic, "token": false } }));
    assert_eq!(shown().await, chosen);
    assert_eq!(choose(&house, "alice", json!({ "webhook": null })).await["webhook"], Value::Null);
    assert_eq!(shown().await["ntfy"], json!({ "url": topic, "token": false }));
    assert_eq!(house.http("bob").get("/api/me").await.json()["channels"]["ntfy"], Value::Null);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_called_is_refused_with_the_reason() {
    let house = House::open().await;
    let alice = house.http("alice");
    let webhook = |url: &str| json!({ "webhook": { "url": url } });
    let ntfy = |url: &str| json!({ "ntfy": { "url": url } });
    let rows = [
        (webhook("ftp://example.org/"), "webhook.url: must begin with https:// or http://"),
        (webhook("example.org/x"), "webhook.url: "),
        (webhook("http://a b/"), "webhook.url: no URL"),
        (webhook("https://me:secret@example.org/"), "webhook.url: must name a host, and neither user nor password"),
        (webhook("http://127.0.0.1:80/"), "webhook.url: 127.0.0.1 is no public address (loopback)"),
        (webhook("http://[::1]/"), "webhook.url: ::1 is no public address (loopback)"),
        (webhook("http://[::ffff:169.254.169.254]/"), "is no public address (link-local)"),
        (webhook(&format!("https://example.org/{}", "x".repeat(2_048))), "webhook.url: longer than 2048 bytes"),
        (ntfy("https://ntfy.sh"), "ntfy.url: give the address of a topic"),
        (ntfy("https://ntfy.sh/topic?x"), "ntfy.url: give the address of a topic"),
        (ntfy("http://10.0.0.1/topic"), "ntfy.url: 10.0.0.1 is no public address (private)"),
        (json!({ "ntfy": { "url": "https://ntfy.sh/t", "token": "a\r\nb" } }), "ntfy.token: "),
        (json!({ "webhook": {} }), "missing field `url`"),
        (json!({ "pigeon": true }), "unknown field `pigeon`"),
    ];
    for (channels, want) in rows {
        let answer = alice.patch("/api/me", &json!({ "channels": channels }).to_string()).await;
        let why = answer.json()["detail"].as_str().unwrap_or_default().to_owned();
        assert!(answer.status == 400 && why.contains(want), "{channels}: {why}");
    }
    assert_eq!(alice.get("/api/me").await.json()["channels"], json!({ "email": false, "webhook": null, "ntfy": null }));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_may_close_channels_and_a_person_takes_theirs_along() {
    let house = House::open_with(&[("sinks.webhook", "false")]).await;
    let refused =
        house.http("alice").patch("/api/me", r#"{"channels":{"webhook":{"url":"https://a.example/"}}}"#).await;
    assert_eq!(
        (refused.status, &refused.json()["detail"]),
        (400, &json!("webhook.url: this server does not offer that"))
    );
    choose(&house, "carol", json!({ "ntfy": { "url": "https://ntfy.sh/carols" } })).await;
    let admin = house.http("admin");
    assert_eq!(admin.delete("/api/users/carol").await.status, 204);
    let carol = json!({ "name": "carol", "password": "carol", "email": "carol@example.com" });
    assert_eq!(admin.post("/api/users", &carol.to_string()).await.status, 201);
    assert_eq!(house.http("carol").get("/api/me").await.json()["channels"]["ntfy"], Value::Null);
    house.stop().await;
}
