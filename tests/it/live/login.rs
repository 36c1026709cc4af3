//! Who comes in and who does not: passwords, bearer tokens, administrators, and people who are removed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use campanile::domain::refusal::Refusal;
use campanile::service::login::Credentials;
use serde_json::{Value, json};
use tempfile::tempdir;

use crate::live::client::{Http, Reply, Socket};
use crate::live::{House, plain_event};

fn wrong_credentials() -> Value {
    json!({ "type": "about:blank", "title": "Unauthorized", "status": 401, "detail": "Wrong credentials provided" })
}

fn not_let_in(reply: &Reply) {
    assert_eq!((reply.status, reply.json()), (401, wrong_credentials()), "{reply:?}");
    assert_eq!(reply.header("www-authenticate"), r#"Basic realm="Campanile", charset="UTF-8""#);
}

fn basic(house: &House, login: &str, password: &str) -> Http {
    Http::with(house.base(), &format!("Basic {}", STANDARD.encode(format!("{login}:{password}"))))
}

fn bearer(house: &House, token: &str) -> Http {
    Http::with(house.base(), &format!("Bearer {token}"))
}

async fn issued(http: &Http, body: &str) -> (String, Value) {
    let issued = http.post("/api/tokens", body).await;
    assert_eq!(issued.status, 201, "{issued:?}");
    (issued.json()["token"].as_str().expect("a token").to_owned(), issued.json())
}

/// A person as administrators see them.
fn person(name: &str) -> Value {
    let full = match name {
        "alice" => "Alice Archer",
        "bob" => "Bob Baker",
        _ => "Administrator",
    };
    json!({
        "name": name,
        "email": format!("{name}@campanile.example"),
        "displayName": full,
        "timezone": null,
        "administrator": name == "admin",
    })
}

/// A person as they see themselves.
fn me(name: &str) -> Value {
    let mut me = person(name);
    me["channels"] = json!({ "email": false, "webhook": null, "ntfy": null });
    me["ackWritesBack"] = json!(false);
    me
}

#[tokio::test(flavor = "multi_thread")]
async fn people_sign_in_in_their_ways() {
    let house = House::open_at(tempdir().expect("a directory"), &[], "2025-01-15T09:00:00.250Z").await;
    a_password_and_a_name(&house).await;
    a_token_as_long_as_it_lives(&house).await;
    who_administers_reads_nothing_of_others(&house).await;
    house.stop().await;
}

async fn a_password_and_a_name(house: &House) {
    for login in
        ["alice", "Alice", "ALICE", " alice ", "alice@campanile.example", "Alice@Campanile.Example", "\u{ff21}lice"]
    {
        let signed_in = basic(house, login, "alice").get("/api/me").await;
        assert_eq!((signed_in.status, signed_in.json()), (200, me("alice")), "{login}");
    }
    let lower = Http::with(house.base(), &format!("basic {}", STANDARD.encode("alice:alice")));
    assert_eq!(lower.get("/api/me").await.status, 200, "the scheme's name has no case");
    let long = "x".repeat(2_000);
    for (login, password) in [
        ("alice", "wrong"),
        ("alice", "Alice"),
        ("alice", ""),
        ("alice", long.as_str()),
        ("alice@campanile.example", "bob"),
        // Nobody has that name; nobody can tell.
        ("zoe", "zoe"),
        ("zoe@campanile.example", "zoe"),
        ("", ""),
        ("a/b", "x"),
        (long.as_str(), "x"),
    ] {
        not_let_in(&basic(house, login, password).get("/api/me").await);
    }
    for header in
        ["", "Basic", "Basic !!!", "Basic YWxpY2U=", "Digest x", "Bearer", "Bearer x y", "Negotiate YWxpY2U6YWxpY2U="]
    {
        not_let_in(&Http::with(house.base(), header).get("/api/me").await);
    }
    not_let_in(&house.anonymous().get("/api/me").await);
    // Of two who say who they are, neither is believed.
    let twice = [("authorization", "Basic Ym9iOmJvYg==")];
    not_let_in(&house.http("alice").send("GET", "/api/me", &twice, "").await);
}

async fn a_token_as_long_as_it_lives(house: &House) {
    let (alice, bob, admin) = (house.http("alice"), house.http("bob"), house.http("admin"));
    let (token, whole) = issued(&alice, "").await;
    let want = [("token", token.as_str()), ("expires_at", "2025-01-15T11:00:00Z"), ("user", "alice")];
    assert!(want.iter().all(|(key, value)| whole[*key] == *value), "{whole}");
    assert_eq!(whole["metadata"], json!({ "purpose": "user", "admin": false, "master": false }));
    assert_eq!(bearer(house, &token).get("/api/me").await.json(), me("alice"));
    // It is as good as a password: it draws tickets and tokens.
    assert_eq!(bearer(house, &token).post("/ws/ticket", "").await.json()["username"], "alice@campanile.example");
    let (short, whole) = issued(&bearer(house, &token), r#"{"expires_in":60}"#).await;
    assert_eq!(whole["expires_at"], "2025-01-15T09:01:00Z");
    for body in [r#"{"expires_in":0}"#, r#"{"expires_in":-1}"#, r#"{"expires_in":1e30}"#, r#"{"hours":1}"#, "x"] {
        assert_eq!(alice.post("/api/tokens", body).await.status, 400, "{body}");
    }
    assert_eq!(bob.post("/api/tokens", r#"{"user":"alice"}"#).await.status, 403);
    assert_eq!(admin.post("/api/tokens", r#"{"user":"zoe"}"#).await.status, 404);
    let (drawn, whole) = issued(&admin, r#"{"user":"Bob"}"#).await;
    assert_eq!(whole["user"], "bob");
    assert_eq!(bearer(house, &drawn).get("/api/me").await.json(), me("bob"));
    not_let_in(&bearer(house, "00000000-0000-4000-8000-000000000000").get("/api/me").await);

    // Another's token is as unknown as none.
    assert_eq!(bob.delete(&format!("/api/tokens/{token}")).await.status, 404);
    assert_eq!(bearer(house, &token).get("/api/me").await.status, 200);
    house.turn("2025-01-15T09:01:00.249Z").await;
    assert_eq!(bearer(house, &short).get("/api/me").await.status, 200);
    house.turn("2025-01-15T09:01:00.250Z").await;
    not_let_in(&bearer(house, &short).get("/api/me").await);
    assert_eq!(alice.delete(&format!("/api/tokens/{token}")).await.status, 204);
    not_let_in(&bearer(house, &token).get("/api/me").await);
    assert_eq!(alice.delete(&format!("/api/tokens/{token}")).await.status, 404);
    assert_eq!(admin.delete(&format!("/api/tokens/{drawn}")).await.status, 204);
    not_let_in(&bearer(house, &drawn).get("/api/me").await);
}

async fn who_administers_reads_nothing_of_others(house: &House) {
    let (alice, admin) = (house.http("alice"), house.http("admin"));
    let at = "/calendars/alice/default/secret.ics";
    assert_eq!(alice.put(at, &plain_event("secret", "20250301T100000Z")).await.status, 201);
    for (method, path) in [
        ("GET", "/api/calendars/alice/default"),
        ("PATCH", "/api/calendars/alice/default"),
        ("DELETE", "/api/calendars/alice/default"),
        ("GET", at),
        ("DELETE", at),
    ] {
        let refused = admin.send(method, path, &[], "{}").await;
        assert_eq!(refused.status, 403, "{method} {path}: {refused:?}");
        assert!(!refused.text().contains("Calendar") && !refused.text().contains("secret"), "{refused:?}");
    }
    let mut socket = house.socket("admin").await;
    let answer = socket.ask(r#"{"register":["/calendars/alice/default"]}"#).await;
    assert_eq!(answer, json!({ "notRegistered": { "/calendars/alice/default": "Forbidden" } }));
    // People are theirs to look after, and nobody else's.
    let names: Vec<Value> = admin.get("/api/users").await.json().as_array().expect("a list").to_vec();
    assert!(
        names.contains(&person("bob")) && names.iter().all(|one| one.as_object().is_some_and(|one| one.len() == 5))
    );
    for (method, path, body) in [
        ("GET", "/api/users", ""),
        ("POST", "/api/users", r#"{"name":"eve","password":"eve","email":"eve@campanile.example"}"#),
        ("DELETE", "/api/users/bob", ""),
        ("PUT", "/api/users/bob/password", r#"{"password":"x"}"#),
    ] {
        assert_eq!(alice.send(method, path, &[], body).await.status, 403, "{method} {path}");
    }
    for (body, status) in [
        (r#"{"name":"bob","password":"x","email":"new@campanile.example"}"#.to_owned(), 409),
        (r#"{"name":"BOB","password":"x","email":"new@campanile.example"}"#.to_owned(), 409),
        (r#"{"name":"new","password":"x","email":"BOB@campanile.example"}"#.to_owned(), 409),
        (r#"{"name":"a b","password":"x","email":"new@campanile.example"}"#.to_owned(), 400),
        (r#"{"name":"new","password":"","email":"new@campanile.example"}"#.to_owned(), 400),
        (r#"{"name":"new","password":"x","email":"nowhere"}"#.to_owned(), 400),
        (r#"{"name":"bob@campanile.example","password":"x","email":"new@campanile.example"}"#.to_owned(), 400),
        (json!({ "name": "new", "password": "x", "email": format!("{}@x", "n".repeat(2_000)) }).to_string(), 400),
        (json!({ "name": "new", "password": "x", "email": "new@x", "timezone": "Mars/Olympus" }).to_string(), 400),
        (
            json!({ "name": "new", "password": "x", "email": "new@x", "displayName": "n".repeat(2_000) }).to_string(),
            400,
        ),
    ] {
        assert_eq!(admin.post("/api/users", &body).await.status, status, "{body}");
    }
    // Nothing of those who were refused is left behind.
    assert_eq!(admin.get("/api/calendars/new/default").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_removed_is_gone_and_their_successor_starts_anew() {
    let house = House::open().await;
    let (alice, bob, admin) = (house.http("alice"), house.http("bob"), house.http("admin"));
    // What bob has: a token, a ticket, a share that he sees and one that he hid, a subscription, an upload, an import, a calendar that
    // carol sees.
    let (token, _) = issued(&bob, "").await;
    let ticket = house.ticket("bob").await;
    assert_eq!(alice.post("/api/calendars", r#"{"id":"hidden"}"#).await.status, 201);
    let share = alice.put_json("/api/calendars/alice/hidden/shares/bob", r#"{"right":"read-write"}"#).await.json();
    assert_eq!(bob.delete(&format!("/api{}", share["href"].as_str().expect("a path"))).await.status, 204);
    assert_eq!(bob.post("/api/subscriptions", r#"{"source":"/calendars/alice/holidays"}"#).await.status, 201);
    assert_eq!(bob.put_json("/api/calendars/bob/default/shares/carol", r#"{"right":"read"}"#).await.status, 201);
    assert_eq!(bob.put("/calendars/bob/default/a.ics", &plain_event("a", "20250301T100000Z")).await.status, 201);
    let upload = house.upload("bob", "text/calendar", &plain_event("b", "20250301T100000Z")).await;
    let import = house.ask_import("bob", &upload, "/calendars/bob/default").await;
    house.imported("bob", &import).await;
    let mut sockets = [house.socket("bob").await, house.socket("bob").await];
    let mut carols = house.socket("carol").await;
    let mut alices = house.socket("alice").await;
    house.settle().await;
    carols.heard().await;

    assert_eq!(admin.delete("/api/users/bob").await.status, 204);
    for socket in &mut sockets {
        assert_eq!(socket.closed().await, Some(1008));
    }
    not_let_in(&bob.get("/api/me").await);
    not_let_in(&bearer(&house, &token).get("/api/me").await);
    assert_eq!(house.anonymous().get(&format!("/ws?ticket={ticket}")).await.status, 401);
    assert_eq!(admin.delete("/api/users/bob").await.status, 404);
    house.settle().await;
    let carols_list: Vec<Value> = carols.heard().await;
    assert_eq!(carols_list.len(), 1, "{carols_list:?}");
    assert!(carols_list[0]["calendarList"]["deleted"].is_array(), "{carols_list:?}");
    // Alice sees that two of her calendars are no longer shared with him; nobody can tell that one was hidden.
    let mut heard = alices.heard().await;
    heard.sort_by_key(Value::to_string);
    let updated = |path: &str| json!({ "calendarList": { "updated": [path] } });
    assert_eq!(heard, [updated("/calendars/alice/hidden"), updated("/calendars/alice/team")]);
    let shares = |calendar: &Value| calendar["shares"].as_array().expect("shares").clone();
    assert_eq!(shares(&alice.get("/api/calendars/alice/hidden").await.json()), Vec::<Value>::new());

    let again = r#"{"name":"bob","password":"bob","email":"bob@campanile.example"}"#;
    assert_eq!(admin.post("/api/users", again).await.status, 201);
    let list = bob.get("/api/calendars").await.json();
    let hrefs: Vec<&Value> = list.as_array().into_iter().flatten().map(|one| &one["href"]).collect();
    assert_eq!(hrefs, ["/calendars/bob/default"]);
    assert_eq!(bob.get("/calendars/bob/default/a.ics").await.status, 404);
    for path in ["/api/calendars/alice/team", "/api/calendars/alice/hidden"] {
        assert_eq!(bob.get(path).await.status, 403, "{path}");
    }
    not_let_in(&bearer(&house, &token).get("/api/me").await);
    assert_eq!(house.anonymous().get(&format!("/api/me?ticket={ticket}")).await.status, 401);
    assert_eq!(bob.get(&format!("/api/imports/{import}")).await.status, 404);
    let asked = json!({ "fileId": upload, "target": "/calendars/bob/default.json" }).to_string();
    assert_eq!(bob.post("/api/import", &asked).await.json()["detail"], "Uploaded file not found");
    let carols_view = house.http("carol").get("/api/calendars/bob/default").await;
    assert_eq!(carols_view.status, 403);
    drop((sockets, alices, carols));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_ends_what_the_old_one_opened() {
    let house = House::open().await;
    let (bob, admin) = (house.http("bob"), house.http("admin"));
    let mut sockets = [house.socket("bob").await, house.socket("bob").await];
    let mut alices = house.socket("alice").await;
    let ticket = house.ticket("bob").await;
    assert_eq!(bob.put_json("/api/users/bob/password", r#"{"password":""}"#).await.status, 400);
    assert_eq!(bob.put_json("/api/users/bob/password", r#"{"password":"new"}"#).await.status, 204);
    for socket in &mut sockets {
        assert_eq!(socket.closed().await, Some(1008));
    }
    assert_eq!(alices.heard().await, Vec::<Value>::new());
    not_let_in(&bob.get("/api/me").await);
    // A ticket that the old password drew opens nothing any more.
    assert!(Socket::open(house.base(), &ticket).await.is_err());
    let anew = basic(&house, "bob", "new");
    assert_eq!(anew.get("/api/me").await.json(), me("bob"));
    assert_eq!(admin.put_json("/api/users/bob/password", r#"{"password":"bob"}"#).await.status, 204);
    not_let_in(&anew.get("/api/me").await);
    assert_eq!(bob.get("/api/me").await.status, 200);
    assert_eq!(admin.put_json("/api/users/zoe/password", r#"{"password":"x"}"#).await.status, 404);
    drop((sockets, alices));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_are_not_tried_without_end() {
    let house = House::open_with(&[("limits.logins_per_minute", "3")]).await;
    // Known before the flood: known through it.
    let alice = house.http("alice");
    assert_eq!(alice.get("/api/me").await.status, 200);
    // However a name is spelled, it has one count; and whether anybody has it cannot be told.
    for names in [["alice", "ALICE", "Alice"], ["zoe", "Zoe", " zoe"]] {
        let tried_before = usize::from(names[0] == "alice");
        for name in &names[tried_before..] {
            not_let_in(&basic(&house, name, "wrong").get("/api/me").await);
        }
        for name in names {
            let over = basic(&house, name, "guess").get("/api/me").await;
            let wait: u64 = over.header("retry-after").parse().expect("seconds");
            assert!((1..=60).contains(&wait), "{wait}");
            let detail = format!("too many passwords were tried for this name: try again in {wait} seconds");
            let problem =
                json!({ "type": "about:blank", "title": "Too Many Requests", "status": 429, "detail": detail });
            assert_eq!((over.status, over.json()), (429, problem), "{name}");
        }
    }
    assert_eq!(alice.get("/api/me").await.status, 200);
    assert_eq!(house.http("bob").get("/api/me").await.status, 200);
    // Who guesses in one network locks nobody out in another.
    let service = &house.running().service;
    let tried = Credentials::Basic { login: "zoe".to_owned(), password: "wrong".to_owned() };
    for (from, counted) in
        [("127.0.0.9", true), ("192.0.2.1", false), ("2001:db8::1", false), ("::ffff:127.0.0.1", true)]
    {
        let refused = service.authenticate(&tried, from.parse().expect("an address")).await.expect_err("it is wrong");
        assert_eq!(matches!(refused, Refusal::TooOften { .. }), counted, "{from}: {refused:?}");
    }
    house.stop().await;
}
