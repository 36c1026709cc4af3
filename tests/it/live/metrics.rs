//! What is measured, as a scraper reads it; and where it is served.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use campanile::app;
use campanile::http::route::TEMPLATES;
use campanile::system::clock::ManualClock;
use campanile::system::pace;
use tokio::net::TcpListener;

use crate::live::client::{Http, PATIENCE};
use crate::live::{House, NINE, configured, event, plain_event};

async fn scrape(house: &House) -> String {
    let address = house.running().metrics.expect("metrics are served").to_string();
    let reply = Http::anonymous(&address).get("/metrics").await;
    assert_eq!((reply.status, reply.header("content-type")), (200, "text/plain; version=0.0.4; charset=utf-8"));
    reply.text()
}

fn value(text: &str, series: &str) -> f64 {
    let found = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("{series} is not in\n{text}")).parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_counted() {
    let house = House::open().await;
    let alice = house.http("alice");
    let mut socket = house.socket("alice").await;
    socket.register("/calendars/alice/default").await;
    socket.enable_alarms().await;
    assert_eq!(alice.put("/calendars/alice/default/a.ics", &event("a", "20250115T100000Z", 15)).await.status, 201);
    assert_eq!(alice.get("/calendars/alice/default/none.ics").await.status, 404);
    let opened = alice.put_json("/api/calendars/alice/default/public", r#"{"right":"read"}"#).await;
    assert!((200..300).contains(&opened.status), "{opened:?}");
    assert_eq!(alice.send("BREW", "/coffee/pot", &[], "").await.status, 404);
    house.turn("2025-01-15T09:45:00Z").await;
    let file = [plain_event("b", "20250301T100000Z"), plain_event("c", "20250301T100000Z")].concat();
    house.import("alice", "/calendars/alice/default", "text/calendar", &file).await;
    house.settle().await;
    socket.heard().await;

    let text = scrape(&house).await;
    for (series, want) in [
        ("campanile_ws_connections{dialect=\"side\"}", 1.0),
        // Register, alarms, and the ping of the test.
        ("campanile_ws_messages_total{dialect=\"side\",direction=\"in\",kind=\"text\"}", 3.0),
        ("campanile_events_total{type=\"alarm\"}", 1.0),
        ("campanile_events_total{type=\"import\"}", 1.0),
        ("campanile_alarm_fired_total{action=\"DISPLAY\",sink=\"side\"}", 1.0),
        ("campanile_alarm_lateness_seconds_count", 1.0),
        ("campanile_alarm_lateness_seconds_bucket{le=\"0.001\"}", 1.0),
        ("campanile_import_items_total{outcome=\"created\"}", 2.0),
        ("campanile_import_seconds_count", 1.0),
        ("campanile_http_requests_total{route=\"/calendars/{user}/{id}/{object}\",method=\"PUT\",status=\"201\"}", 1.0),
        ("campanile_http_requests_total{route=\"/calendars/{user}/{id}/{object}\",method=\"GET\",status=\"404\"}", 1.0),
        ("campanile_http_requests_total{route=\"/ws\",method=\"GET\",status=\"101\"}", 1.0),
        ("campanile_http_requests_total{route=\"other\",method=\"other\",status=\"404\"}", 1.0),
    ] {
        assert_eq!(value(&text, series), want, "{series} in\n{text}");
    }
    for series in [
        "campanile_ws_messages_total{dialect=\"side\",direction=\"out\",kind=\"news\"}",
        "campanile_ws_messages_total{dialect=\"side\",direction=\"out\",kind=\"answer\"}",
        "campanile_events_total{type=\"changed\"}",
        "campanile_alarms_pending",
        "campanile_store_bytes",
        "campanile_http_request_seconds_count",
    ] {
        assert!(value(&text, series) > 0.0, "{series} in\n{text}");
    }
    assert!(text.contains("route=\"/api/calendars/{user}/{id}/public\",method=\"PUT\""), "{text}");
    assert!(text.contains("# TYPE campanile_ws_dropped_total counter"), "{text}");
    assert!(!text.contains("alice") && !text.contains("coffee"), "labels are ours:\n{text}");

    // A client that goes without a word is told apart.
    drop(socket);
    let lost = async {
        loop {
            let text = scrape(&house).await;
            if text.contains("campanile_ws_dropped_total{reason=\"lost\"} 1") {
                return text;
            }
        }
    };
    let gone = pace::within(PATIENCE, lost).await.expect("it is missed");
    assert_eq!(value(&gone, "campanile_ws_connections{dialect=\"side\"}"), 0.0);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_served_on_their_own_listener_only() {
    let house = House::open().await;
    let own = house.running().metrics.expect("metrics are served").to_string();
    assert_eq!(house.http("alice").get("/metrics").await.status, 404);
    assert_eq!(Http::anonymous(&own).get("/healthz").await.status, 404);
    assert_eq!(Http::anonymous(&own).post("/metrics", "").await.status, 404);
    house.stop().await;
    let house = House::open_with(&[("metrics.address", "off")]).await;
    assert_eq!(house.running().metrics, None);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_stops_the_start_only_where_it_was_asked_for() {
    let other = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let taken = other.local_addr().expect("its address").to_string();
    let dir = tempfile::tempdir().expect("a directory");
    let mut config = configured(&dir, &[("metrics.address", &taken), ("store.engine", "memory")]);
    let clock = Arc::new(ManualClock::at(NINE.parse().expect("an instant")));
    let error = app::start(&config, clock.clone()).await.err().expect("it does not start").to_string();
    assert!(error.starts_with(&format!("cannot listen on {taken}")), "{error}");
    // As if nobody had asked for it: on a port of its own the service takes what it finds.
    config.metrics.chosen = false;
    let served = app::start(&config, clock.clone()).await.expect("it starts");
    assert_ne!(served.metrics.map(|address| address.to_string()), Some(taken));
    served.stop().await;
    let fixed = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("its address");
    config.listener[0].address = SocketAddr::new(fixed.ip(), fixed.port());
    let without = app::start(&config, clock).await.expect("it starts");
    assert_eq!(without.metrics, None);
    without.stop().await;
}

/// `"api" / "users" / String` as `/api/users/{}`.
fn shape<'a>(segments: impl Iterator<Item = &'a str>) -> String {
    let plain = |segment: &'a str| if segment.starts_with(['{', 'S']) { "{}" } else { segment.trim_matches('"') };
    segments.map(plain).fold(String::new(), |path, segment| path + "/" + segment)
}

#[test]
fn every_route_has_a_template() {
    let page = include_str!("../../../src/routes.rs");
    let calls = page.split("warp::path!(").skip(1).map(|call| call.split(')').next().expect("an end"));
    let mut routes: BTreeSet<String> = calls.map(|call| shape(call.split('/').map(str::trim))).collect();
    // It has a listener of its own, where nothing is counted.
    assert!(routes.remove("/metrics"));
    let templates: BTreeSet<String> = TEMPLATES.iter().map(|template| shape(template.split('/').skip(1))).collect();
    assert_eq!(templates, routes, "src/http/route.rs and src/routes.rs");
}
