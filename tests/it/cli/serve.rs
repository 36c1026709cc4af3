//! `campanile serve`: what it says when it starts, what it refuses to start on, and how it ends.

use std::net::TcpListener;
use std::path::Path;

use campanile::kv::engine::Engine;
use campanile::kv::format::{FORMAT, format_line};
use campanile::kv::sled::Sled;

use crate::cli::{Folder, Process, Service, command, ended, line_with, run};
use crate::live::client::Socket;

#[tokio::test]
async fn the_demo_greets_and_ends_with_a_word_to_its_sockets() {
    let mut service = Service::start().await;
    for says in ["alice, bob, carol, admin", "/calendars/alice/default", "campanile watch", "curl", "curl"] {
        let line = line_with(&mut service.process.out, says).await;
        assert!(!line.contains("http://") || line.contains(&service.base), "{line}");
    }
    let ran = run(&["health", "--url", &format!("http://{}", service.base)]).await;
    assert!(ran.fine().contains("\"status\":\"ok\""));

    let ticket = service.http("alice").post("/ws/ticket", "").await.json();
    let mut socket = Socket::open(&service.base, ticket["value"].as_str().expect("a ticket")).await.expect("it opens");
    socket.hear().await;
    let (code, closed) = tokio::join!(service.process.terminate(), socket.closed());
    assert_eq!((code, closed), (Some(0), Some(1012)));
    let left = line_with(&mut service.process.err, "stopping").await;
    assert!(left.contains("INFO"), "{left}");
    let ran = run(&["health", "--url", &format!("http://{}", service.base)]).await;
    ran.failed(1, &["cannot reach", &service.base]);

    // The same store is a demo's again.
    let store = service.folder.path("store");
    let mut again = Process::start(command(&["serve", "--demo", "--listen", "127.0.0.1:0", "--data", &store]));
    line_with(&mut again.out, "http://").await;
    assert_eq!(again.terminate().await, Some(0));
}

#[tokio::test]
async fn what_cannot_start_says_why_in_one_line() {
    let folder = Folder::new();
    let serve = async |flags: &[&str]| run(&[&["serve", "--listen", "127.0.0.1:0"], flags].concat()).await;

    let (store, other) = (folder.path("store"), folder.path("other"));
    let mut holder = Process::start(command(&["serve", "--listen", "127.0.0.1:0", "--data", &store]));
    let line = line_with(&mut holder.err, "listening").await;
    let taken = line.rsplit("address=").next().expect("an address");
    serve(&["--data", &store]).await.failed(1, &[&store, "in use already"]);
    run(&["serve", "--listen", taken, "--data", &other]).await.failed(1, &["cannot listen on", taken, "in use"]);
    assert_eq!(holder.terminate().await, Some(0));

    // A port that another program has, and one that is fine beside it: nothing starts by half.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its address").to_string();
    serve(&["--listen", &port, "--data", &other]).await.failed(1, &["cannot listen on", &port]);
    // What failed has let the store go.
    run(&["user", "list", "--data", &other]).await.fine();

    run(&["serve", "--demo", "--listen", "0.0.0.0:0", "--data", &other]).await.failed(1, &["--demo", "loopback"]);
    run(&["serve", "--demo", "--listen", "[::]:0", "--data", &other]).await.failed(1, &["--demo", "loopback"]);
    let add = ["user", "add", "zoe", "--email", "z@e.org", "--new-password", "x", "--data", &other];
    run(&add).await.fine();
    let ran = serve(&["--demo", "--data", &other]).await;
    assert_eq!(ran.out, "");
    ran.says(&["--demo: this store holds users of its own"]);
    assert_eq!(ran.code, Some(1));

    // The wrong engine is not taken for an empty store, and leaves the right one as it is.
    let mut command = command(&["user", "list", "--data", &other]);
    command.env("CAMPANILE_STORE__ENGINE", "redb");
    ended(command).await.failed(1, &["another engine keeps them (store.engine)", &other]);
    assert!(run(&["user", "list", "--data", &other]).await.fine().starts_with("zoe "));

    let file = folder.file("file", "not a directory");
    serve(&["--data", &file]).await.failed(1, &["cannot open the store", &file]);
    serve(&["--config", &folder.path("none.toml")]).await.failed(1, &["none.toml"]);
}

#[tokio::test]
async fn a_store_of_a_newer_version_stays_as_it_is() {
    let folder = Folder::new();
    let store = folder.path("store");
    run(&["user", "list", "--data", &store]).await.fine();
    let set = |format| {
        let engine = Sled::open(Path::new(&store), 1 << 20).expect("a store");
        engine.apply(&[format_line(format)]).expect("a row");
    };
    set(FORMAT + 1);
    let says = format!("format {}, this program knows {FORMAT}", FORMAT + 1);
    for args in
        [&["serve", "--demo", "--listen", "127.0.0.1:0", "--data", &store][..], &["user", "list", "--data", &store]]
    {
        run(args).await.failed(1, &["newer version", &says]);
    }
    set(FORMAT);
    run(&["user", "list", "--data", &store]).await.fine();
}

#[tokio::test]
async fn a_hangup_reads_certificates_anew_and_ends_nothing() {
    let mut service = Service::start().await;
    service.process.signal("-HUP").await;
    line_with(&mut service.process.err, "certificate read").await;
    assert_eq!(service.http("alice").get("/healthz").await.status, 200);
    std::fs::write(service.folder.path("store/tls/certificate.pem"), "nothing").expect("a file");
    service.process.signal("-HUP").await;
    line_with(&mut service.process.err, "the certificate was not replaced").await;
    assert_eq!(service.process.terminate().await, Some(0));
}

#[tokio::test]
async fn wazo_clients_are_served_where_that_is_asked_for() {
    let folder = Folder::new();
    let store = folder.path("store");
    let demo = ["serve", "--demo", "--listen", "127.0.0.1:0", "--data", &store, "--wazo-listen"];
    run(&[&demo[..], &["0.0.0.0:0"]].concat()).await.failed(1, &["--demo", "loopback"]);
    let mut service = Process::start(command(&[&demo[..], &["127.0.0.1:0"]].concat()));
    line_with(&mut service.err, "serving Wazo clients").await;
    assert_eq!(service.terminate().await, Some(0));
}
