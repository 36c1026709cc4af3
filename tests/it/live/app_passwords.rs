//! App passwords: one for each device, shown once, as wide as their scope, taken back one by one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::live::client::{Http, Socket};
use crate::live::{House, NINE, plain_event};

fn basic(house: &House, login: &str, password: &str) -> Http {
    Http::with(house.base(), &format!("Basic {}", STANDARD.encode(format!("{login}:{password}"))))
}

/// Makes one; answers its password and its id.
async fn made(http: &Http, name: &str, scope: &str) -> (String, String) {
    let made = http.post("/api/app-passwords", &json!({ "name": name, "scope": scope }).to_string()).await;
    assert_eq!(made.status, 201, "{made:?}");
    let text = |key: &str| made.json()[key].as_str().unwrap_or_else(|| panic!("{key} in {made:?}")).to_owned();
    assert_eq!(made.header("location"), format!("/api/app-passwords/{}", text("id")));
    (text("password"), text("id"))
}

async fn socket_of(house: &House, http: &Http) -> Socket {
    let drawn = http.post("/ws/ticket", "").await;
    assert_eq!(drawn.status, 200, "{drawn:?}");
    let mut socket = Socket::open(house.base(), drawn.json()["value"].as_str().expect("a ticket")).await.expect("open");
    socket.hear().await;
    socket
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_signs_in_with_its_own_password() {
    let house = House::open().await;
    let alice = house.http("alice");
    let (password, id) = made(&alice, " Phone ", "").await;
    assert!(password.len() >= 20, "{password}");
    let listed = async || alice.get("/api/app-passwords").await.json();
    let mut phone = json!({ "id": id, "name": "Phone", "scope": "", "created": NINE, "lastUsed": null });
    assert_eq!(listed().await, json!([phone]));
    assert!(!alice.get("/api/app-passwords").await.text().contains(&password), "it is shown once");

    for (login, typed) in [
        ("alice", password.clone()),
        ("Alice", password.to_uppercase()),
        ("alice@campanile.example", password.replace('-', "")),
        ("alice", password.replace('-', " ")),
    ] {
        let me = basic(&house, login, &typed).get("/api/me").await;
        assert_eq!(me.json()["name"], "alice", "{login}: {me:?}");
    }
    // Another person's, a part of it, or one letter more is none.
    for (login, typed) in [("bob", password.as_str()), ("alice", &password[1..]), ("alice", &format!("{password}0"))] {
        assert_eq!(basic(&house, login, typed).get("/api/me").await.status, 401, "{login}");
    }
    phone["lastUsed"] = json!(NINE);
    assert_eq!(listed().await, json!([phone]));
    // The use is noted once a minute, so that it is no write a request.
    let device = basic(&house, "alice", &password);
    for (now, noted) in [
        ("2025-01-15T09:00:59Z", NINE),
        ("2025-01-15T09:01:00Z", "2025-01-15T09:01:00Z"),
        ("2025-01-15T09:01:30Z", "2025-01-15T09:01:00Z"),
        ("2025-01-15T10:00:00Z", "2025-01-15T10:00:00Z"),
    ] {
        house.turn(now).await;
        let found = device.send("PROPFIND", "/calendars/alice", &[("depth", "0")], "").await;
        assert_eq!(found.status, 207, "{found:?}");
        assert_eq!(listed().await[0]["lastUsed"], noted, "{now}");
    }
    // It outlives a restart, and is nowhere in the store as it was shown.
    let house = house.reopen("2025-01-15T10:00:10Z").await;
    let device = basic(&house, "alice", &password);
    assert_eq!(device.get("/api/me").await.status, 200);

    let alice = house.http("alice");
    let (bob, admin) = (house.http("bob"), house.http("admin"));
    let at = format!("/api/app-passwords/{id}");
    assert_eq!(bob.delete(&at).await.status, 404, "another's is as unknown as none");
    assert_eq!(bob.delete(&format!("{at}?user=alice")).await.status, 403);
    assert_eq!(bob.get("/api/app-passwords?user=alice").await.status, 403);
    assert_eq!(admin.get("/api/app-passwords?user=alice").await.json()[0]["name"], "Phone");
    assert_eq!(alice.delete(&at).await.status, 204);
    assert_eq!(device.get("/api/me").await.status, 401, "out at once");
    assert_eq!(alice.delete(&at).await.status, 404);
    let (password, id) = made(&alice, "Tablet", "").await;
    assert_eq!(admin.delete(&format!("/api/app-passwords/{id}?user=alice")).await.status, 204);
    assert_eq!(basic(&house, "alice", &password).get("/api/me").await.status, 401);
    for body in
        [r#"{}"#, r#"{"name":""}"#, r#"{"name":" "}"#, r#"{"name":"x","scope":"all"}"#, r#"{"name":"x","id":"y"}"#]
    {
        assert_eq!(alice.post("/api/app-passwords", body).await.status, 400, "{body}");
    }
    let long = json!({ "name": "n".repeat(257) }).to_string();
    assert_eq!(alice.post("/api/app-passwords", &long).await.status, 400);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_does_what_its_scope_says() {
    let house = House::open().await;
    let alice = house.http("alice");
    let at = "/calendars/alice/default/a.ics";
    assert_eq!(alice.put(at, &plain_event("a", "20250301T100000Z")).await.status, 201);
    let doings: [(&str, &str, &str); 8] = [
        ("GET", at, ""),
        (
            "PROPPATCH",
            "/calendars/alice/default",
            "<propertyupdate xmlns='DAV:'><set><prop><displayname>N</displayname></prop></set></propertyupdate>",
        ),
        ("GET", "/api/calendars", ""),
        ("PATCH", "/api/calendars/alice/default", r#"{"name":"N"}"#),
        ("POST", "/ws/ticket", ""),
        ("GET", "/api/app-passwords", ""),
        ("POST", "/api/tokens", ""),
        ("PUT", "/api/users/alice/password", r#"{"password":"x"}"#),
    ];
    for (scope, want) in [
        ("", [200, 207, 200, 200, 200, 403, 403, 403]),
        ("dav", [200, 207, 403, 403, 403, 403, 403, 403]),
        ("push", [403, 403, 403, 403, 200, 403, 403, 403]),
        ("read", [200, 403, 200, 403, 403, 403, 403, 403]),
        ("dav push read", [200, 403, 403, 403, 200, 403, 403, 403]),
    ] {
        let (password, _) = made(&alice, "device", scope).await;
        let device = basic(&house, "alice", &password);
        for ((method, path, body), want) in doings.iter().zip(want) {
            let reply = device.send(method, path, &[], *body).await;
            assert_eq!(reply.status, want, "{scope:?}: {method} {path}: {reply:?}");
        }
    }
    // A ticket opens no more than the device that drew it.
    let (password, _) = made(&alice, "bell", "push").await;
    let ticket = basic(&house, "alice", &password).post("/ws/ticket", "").await.json()["value"].clone();
    let ticket = ticket.as_str().expect("a ticket");
    assert_eq!(house.anonymous().get(&format!("/api/calendars?ticket={ticket}")).await.status, 403);
    // Administrators' devices look after nobody.
    let (password, _) = made(&house.http("admin"), "phone", "").await;
    assert_eq!(basic(&house, "admin", &password).get("/api/users").await.status, 403);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_back_closes_its_own_sockets_and_no_others() {
    let house = House::open().await;
    let alice = house.http("alice");
    let ((phone, id), (tablet, _)) = (made(&alice, "Phone", "").await, made(&alice, "Tablet", "push").await);
    let (phone, tablet) = (basic(&house, "alice", &phone), basic(&house, "alice", &tablet));
    let mut sockets = (socket_of(&house, &phone).await, socket_of(&house, &tablet).await, house.socket("alice").await);
    let unused = phone.post("/ws/ticket", "").await.json()["value"].as_str().expect("a ticket").to_owned();
    assert_eq!(alice.delete(&format!("/api/app-passwords/{id}")).await.status, 204);
    assert_eq!(sockets.0.closed().await, Some(1008));
    assert!(Socket::open(house.base(), &unused).await.is_err(), "a ticket goes with its device");
    assert_eq!(sockets.1.heard().await, Vec::<Value>::new());
    assert_eq!(sockets.2.heard().await, Vec::<Value>::new());

    // A new password ends what the old one opened, and nothing of the devices.
    let kept = tablet.post("/ws/ticket", "").await.json()["value"].as_str().expect("a ticket").to_owned();
    assert_eq!(alice.put_json("/api/users/alice/password", r#"{"password":"new"}"#).await.status, 204);
    assert_eq!(sockets.2.closed().await, Some(1008));
    assert_eq!(sockets.1.heard().await, Vec::<Value>::new());
    Socket::open(house.base(), &kept).await.expect("a ticket of a device outlives the old password");

    // Whoever is removed has no devices any more, and neither has their successor.
    let admin = house.http("admin");
    assert_eq!(admin.delete("/api/users/alice").await.status, 204);
    assert_eq!(sockets.1.closed().await, Some(1008));
    assert_eq!(tablet.post("/ws/ticket", "").await.status, 401);
    let again = r#"{"name":"alice","password":"alice","email":"alice@campanile.example"}"#;
    assert_eq!(admin.post("/api/users", again).await.status, 201);
    assert_eq!(tablet.post("/ws/ticket", "").await.status, 401);
    assert_eq!(alice.get("/api/app-passwords").await.json(), json!([]));
    drop(sockets);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_at_a_password_lock_no_device_out() {
    let settings = [("limits.logins_per_minute", "2"), ("limits.app_passwords_per_user", "2")];
    let house = House::open_with(&settings).await;
    let alice = house.http("alice");
    let (password, _) = made(&alice, "one", "").await;
    made(&alice, "two", "").await;
    assert_eq!(alice.post("/api/app-passwords", r#"{"name":"three"}"#).await.status, 403);
    let guess = async |password: &str| basic(&house, "alice", password).get("/api/me").await.status;
    // In the shape of an app password or not, a guess is a guess.
    assert_eq!(guess("000000-000000-000000-000000").await, 401);
    assert_eq!((guess("wrong").await, guess("wrong").await), (429, 429));
    assert_eq!(guess(&password).await, 200);
    house.stop().await;
}
