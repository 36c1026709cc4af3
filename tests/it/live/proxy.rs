//! A reverse proxy that has signed people in: whom it may name, and when it is believed.

use serde_json::json;

use crate::live::House;
use crate::live::client::Socket;

const HEADER: (&str, &str) = ("auth.proxy_header", "X-Remote-User");

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxy_says_who_is_calling() {
    let house = House::open_with(&[HEADER, ("sinks.public_url", "https://calendar.example/base")]).await;
    let anyone = house.anonymous();
    let me = async |headers: &[(&str, &str)]| anyone.send("GET", "/api/me", headers, "").await;
    for name in ["alice", "Alice", "alice@campanile.example"] {
        assert_eq!(me(&[("x-remote-user", name)]).await.json()["name"], "alice", "{name}");
    }
    // Every face asks in the same place.
    let depth = ("depth", "0");
    let found = anyone.send("PROPFIND", "/calendars/alice/default", &[("X-Remote-User", "alice"), depth], "").await;
    assert_eq!(found.status, 207, "{found:?}");
    let others = anyone.send("PROPFIND", "/calendars/alice/default", &[("X-Remote-User", "bob"), depth], "").await;
    assert_eq!(others.status, 403, "{others:?}");
    let drawn = anyone.send("POST", "/ws/ticket", &[("x-remote-user", "bob")], "").await;
    assert_eq!(drawn.json()["username"], "bob@campanile.example", "{drawn:?}");

    for (headers, what) in [
        (vec![], "nobody says anything"),
        (vec![("x-remote-user", "zoe")], "nobody has that name"),
        (vec![("x-remote-user", "a/b")], "nobody can have that name"),
        (vec![("x-remote-user", "alice"), ("x-remote-user", "alice")], "twice"),
        (vec![("x-remote-user", "alice,bob")], "two in one"),
        (vec![("x_remote_user", "alice")], "an underscore"),
        (vec![("remote-user", "alice")], "another header"),
        (vec![("x-remote-user", "")], "an empty one"),
    ] {
        let reply = me(&headers).await;
        assert_eq!(
            (reply.status, reply.json()["detail"].as_str()),
            (401, Some("Wrong credentials provided")),
            "{what}"
        );
    }
    // Whoever signs in by themselves is let in as before, and the proxy's word wins where there are both.
    assert_eq!(house.http("bob").get("/api/me").await.json()["name"], "bob");
    let both = house.http("bob").send("GET", "/api/me", &[("x-remote-user", "alice")], "").await;
    assert_eq!(both.json()["name"], "alice");
    // The Side socket opens for tickets alone.
    let upgrade = [
        ("x-remote-user", "alice"),
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA=="),
    ];
    assert_eq!(anyone.send("GET", "/ws", &upgrade, "").await.status, 401);
    let ticket = drawn.json()["value"].as_str().expect("a ticket").to_owned();
    Socket::open(house.base(), &ticket).await.expect("a ticket of such a caller opens a socket");

    // A page elsewhere cannot act with the session of whoever looks at it.
    let named = ("x-remote-user", "alice");
    let body = json!({ "timezone": "Europe/Paris" }).to_string();
    for (origin, status) in [
        ("https://evil.example", 403),
        ("null", 403),
        ("https://calendar.example.evil.example", 403),
        ("https://calendar.example", 200),
        (&format!("http://{}", house.base()), 200),
    ] {
        let reply = anyone.send("PATCH", "/api/me", &[named, ("origin", origin)], body.clone()).await;
        assert_eq!(reply.status, status, "{origin}: {reply:?}");
    }
    let own = house.http("alice").send("PATCH", "/api/me", &[("origin", "https://evil.example")], body).await;
    assert_eq!(own.status, 200, "a password is no session that a browser adds: {own:?}");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_is_believed() {
    for settings in [vec![], vec![HEADER, ("auth.proxy_from", "192.0.2.0/24, ::2")]] {
        let house = House::open_with(&settings).await;
        let claim = [("x-remote-user", "alice")];
        assert_eq!(house.anonymous().send("GET", "/api/me", &claim, "").await.status, 401, "{settings:?}");
        let bob = house.http("bob").send("GET", "/api/me", &claim, "").await;
        assert_eq!(bob.json()["name"], "bob", "{settings:?}");
        house.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_the_proxy_names_may_be_made() {
    let settings = [HEADER, ("auth.proxy_create", "true"), ("auth.mail_domain", "town.example")];
    let house = House::open_with(&settings).await;
    let anyone = house.anonymous();
    let as_who = async |name: &str, path: &str| anyone.send("GET", path, &[("x-remote-user", name)], "").await;
    let dora = as_who("Dora", "/api/me").await.json();
    assert_eq!((&dora["name"], &dora["email"]), (&json!("dora"), &json!("dora@town.example")), "{dora}");
    assert_eq!(dora["administrator"], false);
    assert_eq!(as_who("dora", "/api/calendars").await.json()[0]["href"], "/calendars/dora/default");
    assert_eq!(as_who("eve@town.example", "/api/me").await.json()["email"], "eve@town.example");
    // Many first requests at the same time make one person.
    let calls = (0..8).map(|_| as_who("fred", "/api/me"));
    for reply in futures_util::future::join_all(calls).await {
        assert_eq!(reply.json()["name"], "fred", "{reply:?}");
    }
    for nobody in ["a b", "a:b", "../x"] {
        assert_eq!(as_who(nobody, "/api/me").await.status, 401, "{nobody}");
    }
    // They have no password, so none is right.
    for password in ["", "dora"] {
        let header = format!(
            "Basic {}",
            base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("dora:{password}"))
        );
        let guess = anyone.send("GET", "/api/me", &[("authorization", &header)], "").await;
        assert_eq!(guess.status, 401, "{password:?}");
    }
    // Without the setting they stay, and nobody is added.
    let house = house.reopen_with(crate::live::NINE, &[HEADER]).await;
    for (name, status) in [("dora", 200), ("gina", 401)] {
        let reply = house.anonymous().send("GET", "/api/me", &[("x-remote-user", name)], "").await;
        assert_eq!(reply.status, status, "{name}: {reply:?}");
    }
    house.stop().await;
}
