//! Request lines, paths and headers that were made to be understood differently by somebody else on the way.

use crate::live::House;
use crate::live::client::Http;
use crate::live::hostile::{ALICE, raw, statuses};

/// A second request that hides behind the first.
const HIDDEN: &str = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";

/// Connections that are kept open are closed after a second, so that each answer has an end.
async fn house() -> House {
    House::open_with(&[("store.engine", "memory"), ("http.header_seconds", "1")]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_smuggled() {
    let house = house().await;
    let chunked = "Transfer-Encoding: chunked\r\n";
    let post = |headers: &str, body: &str| format!("POST /api/clock HTTP/1.1\r\n{ALICE}{headers}\r\n{body}{HIDDEN}");
    let get = |head: &str| format!("GET /healthz HTTP/1.1{head}{HIDDEN}");
    let rows = [
        // RFC 9112 6.1: it may be read by its chunks, but then the connection ends.
        ("length and chunks", post(&format!("Content-Length: 5\r\n{chunked}"), "0\r\n\r\n"), "404"),
        ("chunks and length", post(&format!("{chunked}Content-Length: 5\r\n"), "0\r\n\r\n"), "404"),
        ("two lengths", post("Content-Length: 5\r\nContent-Length: 6\r\n", "12345"), "400"),
        ("a list of lengths", post("Content-Length: 5, 5\r\n", "12345"), "400"),
        ("+5", post("Content-Length: +5\r\n", "12345"), "400"),
        ("-5", post("Content-Length: -5\r\n", "12345"), "400"),
        ("0x5", post("Content-Length: 0x5\r\n", "12345"), "400"),
        ("no number", post("Content-Length: \r\n", "12345"), "400"),
        ("a huge length", post("Content-Length: 99999999999999999999\r\n", "12345"), "400"),
        ("a space before the colon", post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), "400"),
        ("another coding", post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), "400"),
        ("chunks first", post("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n"), "400"),
        (
            "chunks of HTTP/1.0",
            post(chunked, "0\r\n\r\n").replace("HTTP/1.1\r\nHost: x\r\nA", "HTTP/1.0\r\nHost: x\r\nA"),
            "400",
        ),
        ("bare LF in chunks", post(chunked, "2\n{}\n0\n\n"), "404"),
        ("+2 in chunks", post(chunked, "+2\r\n{}\r\n0\r\n\r\n"), "404"),
        ("a huge chunk", post(chunked, "FFFFFFFFFFFFFFFFF\r\n{}\r\n0\r\n\r\n"), "404"),
        ("a megabyte beside a chunk", post(chunked, &format!("2;{}\r\n{{}}\r\n0\r\n\r\n", "x".repeat(1 << 20))), "404"),
        ("a body of GET", get(&format!("\r\nHost: x\r\nContent-Length: {}\r\n\r\n", HIDDEN.len())), "200"),
        // RFC 9112 2.2 lets a bare LF end a line. It ends it for the whole head, so nothing hides behind it.
        ("bare LF", get("\nHost: x\nConnection: close\n\n"), "200"),
        ("bare CR", get("\r\nHost: x\r\nX: a\rContent-Length: 36\r\n\r\n"), "400"),
        ("a folded line", get("\r\nHost: x\r\nX: a\r\n b\r\n\r\n"), "400"),
        ("a folded first line", get("\r\n Host: x\r\n\r\n"), "400"),
        ("NUL", get("\r\nHost: x\r\nX: a\0b\r\n\r\n"), "400"),
        ("a name with a space", get("\r\nHost: x\r\nX Y: a\r\n\r\n"), "400"),
        ("another version", "GET /healthz HTTP/3.0\r\nHost: x\r\n\r\n".to_owned(), "400"),
        ("no version", "GET /healthz\r\n\r\n".to_owned(), "400"),
        ("TLS", "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}hello".to_owned(), "400"),
        ("no method", "G<T /healthz HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), "400"),
    ];
    for (name, bytes, status) in rows {
        let heard = raw(house.base(), bytes).await;
        assert_eq!(statuses(&heard), [status], "{name}: {heard}");
    }
    assert_eq!(house.http("alice").get("/healthz").await.status, 200);
    house.stop().await;
}

/// RFC 9110 7.8: a handshake has no body, and whoever sends one wants its bytes to be taken for something else.
#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_brings_nothing_along() {
    let house = house().await;
    let alice = house.http("alice");
    let upgrade = "Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let ticket = async || alice.post("/ws/ticket", "").await.json()["value"].as_str().expect("a ticket").to_owned();
    for more in [
        format!("Content-Length: {}\r\n\r\n{HIDDEN}", HIDDEN.len()),
        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
    ] {
        let heard = raw(house.base(), format!("GET /ws?ticket={} HTTP/1.1\r\n{upgrade}{more}", ticket().await)).await;
        assert_eq!(statuses(&heard), ["400"], "{heard}");
    }
    // An empty one is none. The frame behind it is the socket's own: a close.
    let heard = raw(
        house.base(),
        [
            format!("GET /ws?ticket={} HTTP/1.1\r\n{upgrade}Content-Length: 0\r\n\r\n", ticket().await).as_bytes(),
            &crate::wire::whole(crate::wire::CLOSE, &1000_u16.to_be_bytes()),
        ]
        .concat(),
    )
    .await;
    assert_eq!(statuses(&heard), ["101"], "{heard}");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_are_bounded_and_mean_one_thing() {
    let house = house().await;
    let me = |more: &str| format!("GET /api/me HTTP/1.1\r\n{ALICE}{more}Connection: close\r\n\r\n");
    let twice = "Authorization: Basic YWxpY2U6YWxpY2U=\r\n";
    let rows = [
        ("two who call", me(twice), "401"),
        ("two who call, on a DAV path", me(twice).replace("GET /api/me", "OPTIONS /calendars/alice/"), "401"),
        ("somebody and nobody", me("Authorization:\r\n"), "401"),
        ("a token beside a password", me("Authorization: Bearer x\r\n"), "401"),
        ("60 KiB", me(&format!("X: {}\r\n", "x".repeat(60 << 10))), "200"),
        ("64 KiB", me(&format!("X: {}\r\n", "x".repeat(64 << 10))), "431"),
        ("a megabyte", me(&format!("X: {}\r\n", "x".repeat(1 << 20))), "431"),
        ("200 lines", me(&"X: x\r\n".repeat(200)), "431"),
        ("a long path", me("").replace("/api/me", &format!("/{}", "x".repeat(64 << 10))), "431"),
        ("a proxy's request", "CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\nConnection: close\r\n\r\n".to_owned(), "401"),
        ("a proxy's request of somebody", format!("CONNECT x:80 HTTP/1.1\r\n{ALICE}Connection: close\r\n\r\n"), "405"),
        ("a whole URL", me("").replace("/api/me", "http://elsewhere/api/me"), "200"),
        ("a whole URL without a path", me("").replace("GET /api/me", "OPTIONS http://elsewhere"), "200"),
        ("a star", me("").replace("GET /api/me", "OPTIONS *"), "200"),
    ];
    for (name, bytes, status) in rows {
        let heard = raw(house.base(), bytes).await;
        assert_eq!(statuses(&heard), [status], "{name}: {heard}");
    }
    // A head that does not come to its end, and one that does not begin: closed without a word at the deadline.
    for begun in ["", "GET /healthz HTTP/1.1\r\nHost", "GET /healthz HTTP/1.1\r\nHost: x\r\n"] {
        assert_eq!(raw(house.base(), begun).await, "", "{begun:?}");
    }
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_are_decoded_once_and_name_nothing_else() {
    let house = house().await;
    let alice = house.http("alice");
    let before = alice.get("/api/calendars").await.text();
    let send = async |method: &str, path: &str| {
        let head = format!(
            "{method} {path} HTTP/1.1\r\n{ALICE}Content-Type: text/calendar\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx"
        );
        raw(house.base(), head).await
    };
    let (long, coded) = ("x".repeat(4_096), "%41".repeat(300));
    let segments = [
        "..",
        ".",
        "%2e%2e",
        "%2E.",
        "%2e%2e%2fbob",
        "a%2Fb",
        "a%2fb",
        "%00",
        "a%0d%0ab",
        "%7f",
        "%c2%85",
        "..;",
        "..;x=y",
        "a\\b",
        "a%5Cb",
        "",
        "%c0%ae%c0%ae",
        "%c0%af",
        "%e0%80%af",
        "%ed%a0%80",
        "%ff",
        "%zz",
        "%",
        "%2",
        "%u0041",
        &long,
        &coded,
    ];
    for segment in segments {
        for prefix in ["", "/dav"] {
            for path in [
                "/calendars/alice/{}/x.ics",
                "/calendars/{}/default/x.ics",
                "/addressbooks/alice/{}/x.vcf",
                "/principals/{}/x",
            ] {
                let path = format!("{prefix}{}", path.replace("{}", segment));
                for method in ["PUT", "GET", "DELETE", "PROPFIND"] {
                    let heard = send(method, &path).await;
                    assert_eq!(statuses(&heard), ["400"], "{method} {path:.99}: {heard:.300}");
                }
            }
        }
        // The JSON face has no such names: nothing is there.
        let rows = [
            ("GET", "/api/calendars/alice/{}"),
            ("DELETE", "/api/calendars/{}/default"),
            ("PUT", "/api/calendars/alice/default/shares/{}"),
            ("DELETE", "/api/calendars/alice/default/shares/{}"),
            ("DELETE", "/api/imports/{}"),
            ("GET", "/api/imports/{}/errors"),
            ("DELETE", "/api/tokens/{}"),
            ("DELETE", "/api/users/{}"),
            ("GET", "/api/{}"),
        ];
        for (method, path) in rows {
            let heard = send(method, &path.replace("{}", segment)).await;
            let status = statuses(&heard);
            // Only administrators ask about people; whoever may not share learns no more from a wrong body.
            assert!(matches!(status[..], ["400" | "403" | "404"]), "{method} {path} {segment:.99}: {heard:.300}");
        }
        // Nor does any ticket look so: the Side service says 403.
        if !segment.is_empty() {
            assert_eq!(statuses(&send("DELETE", &format!("/ws/ticket/{segment}")).await), ["403"], "{segment:.99}");
        }
        let query = format!("/ws?ticket={segment}&ticket=%ff&%zz=%");
        assert_eq!(statuses(&send("GET", &query).await), ["401"], "{segment:.99}");
    }
    // What only looks odd is a name like any other, byte for byte.
    for (name, other) in
        [("%C3%A9", "e%CC%81"), ("a%2520b", "a%20b"), ("a%252Fb", "a%25252Fb"), ("a;b", "a;c"), ("a+b", "a%20%20b")]
    {
        let text = crate::live::plain_event(name, "20250301T100000Z");
        let path = format!("/calendars/alice/default/{name}.ics");
        assert_eq!(alice.put(&path, &text).await.status, 201, "{name}");
        assert_eq!(alice.get(&format!("/calendars/alice/default/{other}.ics")).await.status, 404, "{other}");
        assert_eq!(alice.get(&path).await.text(), text);
        assert_eq!(alice.delete(&path).await.status, 204);
    }
    let after = alice.get("/api/calendars").await.json();
    let names = |list: &serde_json::Value| {
        list.as_array().expect("a list").iter().map(|one| one["href"].to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(&after), names(&serde_json::from_str(&before).expect("JSON")));
    // What is refused to somebody is refused to nobody in particular before its path is looked at.
    assert_eq!(Http::anonymous(house.base()).get("/calendars/alice/%2e%2e/x.ics").await.status, 401);
    house.stop().await;
}
