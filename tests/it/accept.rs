//! The accept loop and the upgrade against clients that are slow, many, large or wrong.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use campanile::domain::address::UserName;
use campanile::gateway::hub::{Hub, Limits};
use campanile::gateway::session;
use campanile::gateway::side::conversation::{PATHS_DEFAULT, Side};
use campanile::gateway::upgrade::{Door, Handshake, NoHandshake};
use campanile::gateway::wazo::conversation::Manners;
use campanile::http::accept::{self, Peer, Settings};
use campanile::system::clock::SystemClock;
use campanile::system::pace::{self, RealPace};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use hyper::upgrade::OnUpgrade;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use warp::Filter;

use crate::desk::World;
use crate::wire::{TEXT, first, whole};

const PATIENCE: Duration = Duration::from_secs(20);

struct Service {
    address: SocketAddr,
    hub: Arc<Hub>,
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
}

async fn start(settings: Settings, limits: Limits) -> Service {
    let hub = Hub::new(limits);
    let world = World::new();
    let door = Arc::new(Door {
        hub: Arc::clone(&hub),
        desk: world.clone(),
        directory: world,
        manners: Manners::default(),
        clock: Arc::new(SystemClock),
        pace: Arc::new(RealPace),
        settings: session::Settings::default(),
        paths_max: PATHS_DEFAULT,
        stomp: Default::default(),
        cti_silence: None,
    });
    let peer = warp::path("peer").and(warp::ext::get::<Peer>()).map(|peer: Peer| peer.0.to_string());
    let socket = warp::path("ws").and(warp::header::headers_cloned()).and(warp::ext::get::<OnUpgrade>()).map(
        move |headers: HeaderMap, on_upgrade: OnUpgrade| {
            let alice = UserName::new("alice").unwrap();
            match Handshake::read(&Method::GET, Version::HTTP_11, &headers) {
                Ok(handshake) => {
                    let side = Box::new(Side::new(alice.clone(), PATHS_DEFAULT));
                    handshake.with_protocol("v1").accept(&door, on_upgrade, Some(&alice), side)
                }
                Err(why) => why.response(),
            }
        },
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let service = TowerToHyperService::new(warp::service(peer.or(socket)));
    let running = tokio::spawn(accept::serve(listener, service, settings, async { drop(stopped.await) }));
    Service { address, hub, stop, running }
}

async fn read_some(stream: &mut TcpStream) -> Vec<u8> {
    let mut buffer = vec![0; 4096];
    let read = pace::within(PATIENCE, stream.read(&mut buffer)).await.expect("nothing comes").unwrap();
    buffer.truncate(read);
    buffer
}

async fn read_all(stream: &mut TcpStream) -> String {
    let mut all = Vec::new();
    loop {
        let some = read_some(stream).await;
        if some.is_empty() {
            return String::from_utf8(all).unwrap();
        }
        all.extend(some);
    }
}

const GET: &[u8] = b"GET /peer HTTP/1.1\r\nhost: x\r\n\r\n";
const UPGRADE: &[u8] = b"GET /ws HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: keep-alive, Upgrade\r\n\
    sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

#[tokio::test]
async fn the_peer_is_known_to_the_routes_and_a_stop_ends_idle_connections() {
    let service = start(Settings::default(), Limits::default()).await;
    let mut client = TcpStream::connect(service.address).await.unwrap();
    client.write_all(GET).await.unwrap();
    let answer = String::from_utf8(read_some(&mut client).await).unwrap();
    assert!(answer.ends_with(&client.local_addr().unwrap().to_string()), "{answer}");
    service.stop.send(()).unwrap();
    pace::within(PATIENCE, service.running).await.expect("stops").unwrap();
    assert_eq!(read_all(&mut client).await, "");
    assert!(TcpStream::connect(service.address).await.is_err());
}

#[tokio::test]
async fn a_head_that_does_not_come_ends_the_connection() {
    let settings = Settings { header_deadline: Duration::from_millis(30), ..Settings::default() };
    let service = start(settings, Limits::default()).await;
    // Nothing, what could still be HTTP/2, half a head.
    for begun in [&b""[..], b"PRI * HT", &GET[..20]] {
        let mut client = TcpStream::connect(service.address).await.unwrap();
        client.write_all(begun).await.unwrap();
        let answer = read_all(&mut client).await;
        assert!(!answer.contains("200"), "{answer}");
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let service = start(Settings { header_bytes_max: 8 << 10, ..Settings::default() }, Limits::default()).await;
    let mut client = TcpStream::connect(service.address).await.unwrap();
    let head = format!("GET /peer HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(9 << 10));
    client.write_all(head.as_bytes()).await.unwrap();
    let answer = String::from_utf8(read_some(&mut client).await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test]
async fn a_connection_too_many_is_told_so() {
    let service = start(Settings { connections_max: 1, ..Settings::default() }, Limits::default()).await;
    let mut first = TcpStream::connect(service.address).await.unwrap();
    first.write_all(GET).await.unwrap();
    assert!(read_some(&mut first).await.starts_with(b"HTTP/1.1 200"));
    let mut second = TcpStream::connect(service.address).await.unwrap();
    second.write_all(GET).await.unwrap();
    assert!(read_all(&mut second).await.starts_with("HTTP/1.1 503"));
    // A WebSocket is not counted: its place is free for others once it is upgraded.
    first.write_all(UPGRADE).await.unwrap();
    assert!(read_some(&mut first).await.starts_with(b"HTTP/1.1 101"));
    loop {
        let mut third = TcpStream::connect(service.address).await.unwrap();
        third.write_all(GET).await.unwrap();
        if read_some(&mut third).await.starts_with(b"HTTP/1.1 200") {
            break;
        }
    }
}

#[tokio::test]
async fn what_is_sent_together_with_the_upgrade_is_heard() {
    let service = start(Settings::default(), Limits::default()).await;
    let mut client = TcpStream::connect(service.address).await.unwrap();
    client.write_all(&[UPGRADE, &whole(TEXT, b"{}"), &whole(TEXT, b"foo")].concat()).await.unwrap();
    let mut said = Vec::new();
    let end = loop {
        said.extend(read_some(&mut client).await);
        if let Some(at) = said.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
    };
    let head = String::from_utf8(said[..end].to_vec()).unwrap();
    // The key and its answer are those of RFC 6455 section 1.3.
    assert!(head.contains("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
    assert!(head.contains("sec-websocket-protocol: v1"), "{head}");
    let mut rest = said[end..].to_vec();
    for want in [r#"{"calendarListRegistered":true}"#, "{}", r#"{"error":"Internal Error"}"#] {
        let text = loop {
            if let Some(((_, text), after)) = first(&rest) {
                rest = after.to_vec();
                break text;
            }
            rest.extend(read_some(&mut client).await);
        };
        assert_eq!(String::from_utf8(text).unwrap(), want);
    }
}

#[tokio::test]
async fn a_socket_too_many_is_refused_before_the_upgrade() {
    let service = start(Settings::default(), Limits { sockets_max: 1, ..Limits::default() }).await;
    let _seat = service.hub.join(None).unwrap();
    let mut client = TcpStream::connect(service.address).await.unwrap();
    client.write_all(UPGRADE).await.unwrap();
    let answer = String::from_utf8(read_some(&mut client).await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("retry-after: 5"), "{answer}");
}

#[test]
fn only_a_sound_handshake_becomes_a_socket() {
    let sound = [
        ("upgrade", "WebSocket"),
        ("connection", "keep-alive, Upgrade"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let read = |method: Method, version: Version, change: Option<(&str, &str)>| {
        let mut headers = HeaderMap::new();
        for (name, value) in sound {
            let value = change.filter(|(changed, _)| *changed == name).map_or(value, |(_, value)| value);
            if !value.is_empty() {
                headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
            }
        }
        Handshake::read(&method, version, &headers).err()
    };
    let rows = [
        (None, None),
        (Some(("upgrade", "")), Some(NoHandshake::NoUpgrade)),
        (Some(("upgrade", "h2c")), Some(NoHandshake::NoUpgrade)),
        (Some(("connection", "close")), Some(NoHandshake::NoUpgrade)),
        (Some(("sec-websocket-version", "8")), Some(NoHandshake::Version)),
        (Some(("sec-websocket-version", "")), Some(NoHandshake::Version)),
        (Some(("sec-websocket-key", "")), Some(NoHandshake::Malformed)),
        (Some(("sec-websocket-key", "short")), Some(NoHandshake::Malformed)),
    ];
    for (change, want) in rows {
        assert_eq!(read(Method::GET, Version::HTTP_11, change), want, "{change:?}");
    }
    assert_eq!(read(Method::POST, Version::HTTP_11, None), Some(NoHandshake::Method));
    assert_eq!(read(Method::GET, Version::HTTP_2, None), Some(NoHandshake::Malformed));
    for (why, status) in [
        (NoHandshake::Method, 405),
        (NoHandshake::NoUpgrade, 426),
        (NoHandshake::Version, 426),
        (NoHandshake::Malformed, 400),
    ] {
        assert_eq!(why.response().status(), status);
    }
}
