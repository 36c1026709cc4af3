//! Web pages of other origins: what a browser is told before and after it asks for them.

use crate::live::House;
use crate::live::client::Reply;

const APP: &str = "https://app.example";
/// One of each face: JSON, DAV, tickets, and a path that is nowhere.
const PATHS: [&str; 7] = [
    "/api/calendars",
    "/calendars/alice/default",
    "/dav/calendars/alice/default/a.ics",
    "/ws/ticket",
    "/itip",
    "/",
    "/api/none",
];

async fn asks(house: &House, path: &str, origin: &str) -> Reply {
    let headers = [
        ("origin", origin),
        ("access-control-request-method", "REPORT"),
        ("access-control-request-headers", "authorization,depth,if-none-match,prefer,content-type"),
    ];
    house.anonymous().send("OPTIONS", path, &headers, "").await
}

fn list(reply: &Reply, header: &str) -> Vec<String> {
    reply.header(header).split(',').map(|word| word.trim().to_lowercase()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_named_may_do_all_that_a_client_does() {
    let house = House::open_with(&[("cors.origins", APP)]).await;
    for path in PATHS {
        let told = asks(&house, path, APP).await;
        assert_eq!((told.status, told.header("access-control-allow-origin")), (200, APP), "{path}: {told:?}");
        assert_eq!(told.header("access-control-allow-credentials"), "true");
        assert_eq!(told.header("vary"), "Origin");
        let (methods, headers) =
            (list(&told, "access-control-allow-methods"), list(&told, "access-control-allow-headers"));
        for method in
            ["get", "put", "patch", "delete", "propfind", "proppatch", "report", "mkcalendar", "mkcol", "acl", "itip"]
        {
            assert!(methods.iter().any(|known| known == method), "{method}: {methods:?}");
        }
        for header in ["authorization", "content-type", "depth", "if-match", "if-none-match", "prefer", "last-event-id"]
        {
            assert!(headers.iter().any(|known| known == header), "{header}: {headers:?}");
        }
        let refused = asks(&house, path, "https://evil.example").await;
        assert_eq!((refused.status, refused.header("access-control-allow-origin")), (403, ""), "{path}");
    }
    let alice = house.http("alice");
    for (path, depth) in [("/calendars/alice/default", "0"), ("/", "0")] {
        let found = alice.send("PROPFIND", path, &[("origin", APP), ("depth", depth)], "").await;
        assert_eq!((found.status, found.header("access-control-allow-origin")), (207, APP), "{found:?}");
        let exposed = list(&found, "access-control-expose-headers");
        for header in ["etag", "schedule-tag", "location", "preference-applied", "dav", "www-authenticate"] {
            assert!(exposed.iter().any(|known| known == header), "{header}: {exposed:?}");
        }
    }
    // A refusal can be read there too, and an answer to nobody in particular is no other origin's.
    let refused = house.anonymous().send("GET", "/api/me", &[("origin", APP)], "").await;
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (401, APP));
    for headers in [vec![], vec![("origin", "https://evil.example")]] {
        let plain = alice.send("GET", "/api/me", &headers, "").await;
        assert_eq!((plain.status, plain.header("access-control-allow-origin")), (200, ""), "{plain:?}");
        assert_eq!(plain.header("vary"), "Origin");
    }
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_page_may_ask_with_what_it_brings_itself() {
    let house = House::open_with(&[("auth.proxy_header", "X-Remote-User")]).await;
    for origin in [APP, "null"] {
        let told = asks(&house, "/calendars/alice/default", origin).await;
        assert_eq!((told.status, told.header("access-control-allow-origin")), (200, origin));
        assert_eq!(told.header("access-control-allow-credentials"), "");
        let own = house.http("alice").send("GET", "/api/me", &[("origin", origin)], "").await;
        assert_eq!((own.status, own.header("access-control-allow-origin")), (200, origin));
        // The session of a proxy is not the page's own.
        let session = [("origin", origin), ("x-remote-user", "alice")];
        let kept = house.anonymous().send("GET", "/api/me", &session, "").await;
        assert_eq!((kept.status, kept.header("access-control-allow-origin")), (200, ""), "{kept:?}");
        let done = house.anonymous().send("POST", "/api/calendars", &session, r#"{"id":"x"}"#).await;
        assert_eq!(done.status, 403, "{done:?}");
    }
    house.stop().await;
    let house =
        House::open_with(&[("cors.origins", "*, https://app.example"), ("auth.proxy_header", "X-Remote-User")]).await;
    let session = [("origin", APP), ("x-remote-user", "alice")];
    let done = house.anonymous().send("POST", "/api/calendars", &session, r#"{"id":"x"}"#).await;
    assert_eq!((done.status, done.header("access-control-allow-credentials")), (201, "true"), "{done:?}");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn switched_off_nothing_is_said_of_origins() {
    let house = House::open_with(&[("cors.origins", "[]")]).await;
    let asked = asks(&house, "/calendars/alice/default", APP).await;
    assert_eq!((asked.status, asked.header("access-control-allow-origin")), (401, ""), "{asked:?}");
    let own = house.http("alice").send("GET", "/api/me", &[("origin", APP)], "").await;
    assert_eq!((own.status, own.header("access-control-allow-origin"), own.header("vary")), (200, "", ""));
    house.stop().await;
}
