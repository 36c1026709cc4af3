//! JSON bodies that no well-meaning client sends.

use campanile::domain::address::SEGMENT_MAX;
use serde_json::json;

use crate::live::House;
use crate::live::client::Http;

/// Every place that reads JSON: whom it serves, and a body that has all it needs but is wrong in a type, and one with a key too many.
const PLACES: [(&str, &str, &str, &str, &str); 9] = [
    ("alice", "POST", "/api/calendars", r#"{"id":7}"#, r#"{"id":"x","owner":"bob"}"#),
    ("alice", "PATCH", "/api/calendars/alice/default", r#"{"name":[]}"#, r#"{"name":"x","href":"/"}"#),
    ("alice", "PUT", "/api/calendars/alice/default/shares/bob", r#"{"right":1}"#, r#"{"right":"read","until":1}"#),
    ("alice", "PUT", "/api/calendars/alice/default/public", r#"{"right":{}}"#, r#"{"right":null,"x":1}"#),
    ("alice", "POST", "/api/subscriptions", r#"{"source":null}"#, r#"{"source":"/calendars/alice/holidays","x":1}"#),
    ("alice", "PATCH", "/api/clock", r#"{"set":12}"#, r#"{"advance":"PT0S","x":1}"#),
    (
        "admin",
        "POST",
        "/api/users",
        r#"{"name":1,"password":"x","email":"x@y"}"#,
        r#"{"name":"z","password":"x","email":"x@y","root":true}"#,
    ),
    ("alice", "PUT", "/api/users/alice/password", r#"{"password":7}"#, r#"{"password":"alice","x":1}"#),
    (
        "alice",
        "POST",
        "/api/import",
        r#"{"fileId":1,"target":"x"}"#,
        r#"{"fileId":"x","target":"/calendars/alice/default.json"}"#,
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn each_is_refused_with_its_line() {
    let house = House::open_with(&[("store.engine", "memory")]).await;
    let before = state(&house).await;
    for (user, method, path, wrong, unknown) in PLACES {
        let http = house.http(user);
        let send = async |body: Vec<u8>| http.send(method, path, &[("content-type", "application/json")], body).await;
        let deep = |depth: usize| format!("{{\"name\":{}", "[".repeat(depth)).into_bytes();
        let rows: [(&str, Vec<u8>); 10] = [
            ("nothing", Vec::new()),
            ("no JSON", b"hello".to_vec()),
            ("cut", b"{\"name\":".to_vec()),
            ("two", b"{} {}".to_vec()),
            ("a list", b"[7]".to_vec()),
            ("deep", deep(60_000)),
            ("not UTF-8", b"{\"\n\xFF\":1}".to_vec()),
            ("half a surrogate", b"{\"\\ud800\":1}".to_vec()),
            ("a wrong type", wrong.as_bytes().to_vec()),
            ("an unknown key", unknown.as_bytes().to_vec()),
        ];
        for (name, body) in rows {
            let refused = send(body).await;
            assert_eq!(refused.status, 400, "{method} {path}: {name}: {refused:?}");
            assert_eq!(refused.header("content-type"), "application/problem+json", "{path}: {name}");
            let problem = refused.json();
            assert_eq!(problem["status"], 400, "{path}: {name}: {problem}");
            let detail = problem["detail"].as_str().expect("a text");
            assert!(!detail.is_empty() && detail.len() < 300, "{path}: {name}: {detail}");
        }
        for body in [deep(100_000), vec![b' '; 65_537], vec![b'x'; 5_000_000]] {
            let refused = send(body).await;
            assert_eq!((refused.status, &refused.json()["limit"]), (413, &json!(65_536)), "{path}");
        }
        // The bound itself is allowed: what is wrong then is only what it says.
        assert_eq!(send(vec![b' '; 65_536]).await.status, 400, "{path}");
        // A stranger's body is nobody's business.
        let stranger = Http::anonymous(house.base());
        assert_eq!(stranger.send(method, path, &[], deep(100)).await.status, 401, "{path}");
    }
    let line = house.http("alice").post("/api/calendars", "{\n\"id\":\n7}").await.json();
    assert_eq!(line["line"], 3, "{line}");
    assert_eq!(state(&house).await, before);
    house.stop().await;
}

/// Names that come in JSON obey the rules of those that come in paths.
#[tokio::test(flavor = "multi_thread")]
async fn names_in_bodies_are_names() {
    let house = House::open_with(&[("store.engine", "memory")]).await;
    let alice = house.http("alice");
    let long = "x".repeat(SEGMENT_MAX + 1);
    for id in ["", ".", "..", "a/b", "a\\b", "a\0b", "a\r\nb", &long] {
        let refused = alice.post("/api/calendars", &json!({ "id": id }).to_string()).await;
        assert_eq!(refused.status, 400, "{id:?}: {refused:?}");
        let refused =
            alice.post("/api/subscriptions", &json!({ "source": format!("/calendars/alice/{id}") }).to_string()).await;
        assert_eq!(refused.status, 400, "{id:?}: {refused:?}");
        let body = json!({ "name": id, "password": "x", "email": "x@y" }).to_string();
        let refused = house.http("admin").post("/api/users", &body).await;
        assert_eq!(refused.status, 400, "{id:?}: {refused:?}");
    }
    for source in ["", "/", "holidays", "https://127.0.0.1/", "/addressbooks/alice", "/calendars/alice/holidays/x.ics"]
    {
        let refused = alice.post("/api/subscriptions", &json!({ "source": source }).to_string()).await;
        assert_eq!(refused.status, 400, "{source:?}: {refused:?}");
    }
    house.stop().await;
}

/// What a refused body must not change.
async fn state(house: &House) -> (String, String) {
    let calendars = house.http("alice").get("/api/calendars").await.text();
    (calendars, house.http("admin").get("/api/users").await.text())
}
