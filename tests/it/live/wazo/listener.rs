//! The listener of Wazo clients, and TLS on every other: certificates made, given, and read anew.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use campanile::app;
use campanile::http::tls;
use campanile::system::clock::ManualClock;
use campanile::system::pace;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::live::client::{PATIENCE, Socket};
use crate::live::wazo::connector;
use crate::live::{House, NINE, configured};

/// A pair of files with a certificate of its own.
fn pair(dir: &Path, name: &str) -> tls::Files {
    tls::own(&dir.join(name), &["localhost".to_owned()]).expect("a certificate")
}

fn trusting(files: &tls::Files) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&files.certificate).expect("a certificate")).expect("it can be trusted");
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    TlsConnector::from(Arc::new(config.expect("versions").with_root_certificates(roots).with_no_client_auth()))
}

/// GET over TLS: the status and the body.
async fn get(connector: &TlsConnector, port: u16, path: &str) -> std::io::Result<(u16, String)> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    let stream = connector.connect(ServerName::try_from("localhost").expect("a name"), stream).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(std::io::Error::other)?;
    let driver = tokio::spawn(connection);
    let request = Request::get(path).header("host", "localhost").body(Empty::<Bytes>::new()).expect("a request");
    let answer = sender.send_request(request).await.map_err(std::io::Error::other)?;
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.map_err(std::io::Error::other)?.to_bytes();
    driver.abort();
    Ok((status, String::from_utf8_lossy(&body).into_owned()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_is_told_where_they_are() {
    let house = House::open().await;
    let port = house.running().wazo.expect("Wazo clients are served").port();
    for path in ["/", "/api/websocketd/", "/api/calendars", "/?token=x"] {
        let (status, text) = get(&connector(&house), port, path).await.expect("an answer");
        assert_eq!(status, 426, "{path}");
        assert!(text.ends_with("connect with wss://.\n"), "{text}");
    }
    // Plain HTTP ends where TLS was expected, and the listener lives on.
    let mut plain = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
    plain.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.expect("it is sent");
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    assert_eq!(get(&connector(&house), port, "/").await.expect("an answer").0, 426);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_main_listener_takes_wazo_clients_too() {
    let house = House::open().await;
    let token = house.bearer("alice", json!({})).await;
    for path in ["/api/websocketd/", "/api/websocketd"] {
        let mut socket =
            Socket::open_at(house.base(), &format!("{path}?token={token}&version=2"), &[]).await.expect("it opens");
        assert_eq!(socket.hear().await["op"], "init", "{path}");
    }
    assert_eq!(house.anonymous().get("/api/websocketd/").await.status, 426);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_made_once_and_kept() {
    let house = House::open().await;
    let tls = house.dir.path().join("store/tls");
    let files = [tls.join("certificate.pem"), tls.join("key.pem")];
    let before = files.each_ref().map(|path| fs::read(path).expect("a file"));
    for path in &files {
        assert_eq!(fs::metadata(path).expect("a file").permissions().mode() & 0o777, 0o600, "{}", path.display());
    }
    let house = house.reopen(NINE).await;
    assert_eq!(files.each_ref().map(|path| fs::read(path).expect("a file")), before);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_read_anew_and_broken_ones_are_not() {
    let dir = tempfile::tempdir().expect("a directory");
    let (served, other) = (pair(dir.path(), "served"), pair(dir.path(), "other"));
    // Each look is a new client: one that was here before would go on without looking at the certificate again.
    let kept = pair(dir.path(), "kept");
    fs::copy(&served.certificate, &kept.certificate).expect("a copy");
    let first = || trusting(&kept);
    let text = |path: &Path| path.to_str().expect("plain").to_owned();
    let (certificate, key) = (text(&served.certificate), text(&served.key));
    let settings = [("wazo.certificate", certificate.as_str()), ("wazo.key", key.as_str())];
    let house = House::open_with(&settings).await;
    let port = house.running().wazo.expect("Wazo clients are served").port();
    assert!(!house.dir.path().join("store/tls").exists(), "one was given");
    assert_eq!(get(&first(), port, "/").await.expect("an answer").0, 426);

    // A certificate that does not belong to the key, then something else altogether: the one before stays.
    fs::copy(&other.certificate, &served.certificate).expect("a copy");
    house.running().reload_certificates();
    assert_eq!(get(&first(), port, "/").await.expect("an answer").0, 426);
    fs::write(&served.certificate, "no certificate").expect("a file");
    house.running().reload_certificates();
    assert_eq!(get(&first(), port, "/").await.expect("an answer").0, 426);

    fs::copy(&other.certificate, &served.certificate).expect("a copy");
    fs::copy(&other.key, &served.key).expect("a copy");
    house.running().reload_certificates();
    assert!(get(&first(), port, "/").await.is_err());
    assert_eq!(get(&trusting(&other), port, "/").await.expect("an answer").0, 426);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_listener_can_have_tls() {
    let dir = tempfile::tempdir().expect("a directory");
    let (main, metrics) = (pair(dir.path(), "main"), pair(dir.path(), "metrics"));
    let text = |path: &Path| path.to_str().expect("plain").to_owned();
    let (certificate, key) = (text(&metrics.certificate), text(&metrics.key));
    let settings = [("metrics.certificate", certificate.as_str()), ("metrics.key", key.as_str())];
    let mut config = configured(&dir, &settings);
    config.listener[0].certificate = Some(main.certificate.clone());
    config.listener[0].key = Some(main.key.clone());
    let clock = Arc::new(ManualClock::at(NINE.parse().expect("an instant")));
    let running = app::start(&config, clock).await.expect("it starts");
    let port = running.addresses.first().expect("it listens").port();
    assert_eq!(get(&trusting(&main), port, "/healthz").await.expect("an answer").0, 200);
    let scraped = get(&trusting(&metrics), running.metrics.expect("metrics").port(), "/metrics").await;
    assert_eq!(scraped.expect("an answer").0, 200);
    running.stop().await;

    config.listener[0].key = Some(metrics.key.clone());
    let clock = Arc::new(ManualClock::at(NINE.parse().expect("an instant")));
    let error = app::start(&config, clock).await.err().expect("it does not start").to_string();
    assert!(error.contains("cannot be used together"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_port_of_wazo_stops_the_start_only_where_it_was_asked_for() {
    let other = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let taken = other.local_addr().expect("its address").to_string();
    let dir = tempfile::tempdir().expect("a directory");
    let mut config = configured(&dir, &[("wazo.address", &taken), ("store.engine", "memory")]);
    let clock = Arc::new(ManualClock::at(NINE.parse().expect("an instant")));
    let error = app::start(&config, clock.clone()).await.err().expect("it does not start").to_string();
    assert!(error.starts_with(&format!("cannot listen on {taken}")), "{error}");
    config.wazo.chosen = false;
    config.listener[0].address.set_port(free_port().await);
    let without = app::start(&config, clock.clone()).await.expect("it starts");
    assert_eq!(without.wazo, None);
    without.stop().await;
    let config = configured(&dir, &[("wazo.address", "off"), ("store.engine", "memory")]);
    let off = app::start(&config, clock).await.expect("it starts");
    assert_eq!(off.wazo, None);
    off.stop().await;
}

/// A port that nobody has at the moment.
async fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("its address").port()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_never_shakes_hands_is_closed() {
    let house = House::open_with(&[("http.header_seconds", "1")]).await;
    let address = house.running().wazo.expect("Wazo clients are served");
    let mut silent = TcpStream::connect(address).await.expect("a connection");
    let mut broken = TcpStream::connect(address).await.expect("a connection");
    broken.write_all(&[0x16, 0x03, 0x01]).await.expect("it is sent");
    for stream in [&mut silent, &mut broken] {
        let ended = pace::within(PATIENCE, stream.read(&mut [0; 64])).await.expect("an end in time");
        assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
    }
    assert_eq!(get(&connector(&house), address.port(), "/").await.expect("an answer").0, 426);
    house.stop().await;
}
