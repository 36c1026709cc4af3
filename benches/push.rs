//! PUT → push: one event is written, a thousand sockets hear of it. Prints latencies and the CPU time that a delivery costs.
//!
//! `cargo bench --bench push -- [SOCKETS] [PUTS]`; both ends run in this process, so compare ratios, not absolute figures.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use campanile::app;
use campanile::config;
use campanile::system::clock::SystemClock;
use campanile::system::pace;
use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;

const PATH: &str = "/calendars/alice/default";

struct Client {
    base: String,
    sender: SendRequest<Full<Bytes>>,
}

impl Client {
    async fn connect(base: &str) -> Client {
        let stream = TcpStream::connect(base).await.expect("it connects");
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("HTTP/1.1");
        tokio::spawn(connection);
        Client { base: base.to_owned(), sender }
    }

    async fn send(&mut self, method: &str, path: &str, body: String) -> (u16, Bytes) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", &self.base)
            .header("content-type", "text/calendar")
            .header("authorization", format!("Basic {}", STANDARD.encode("alice:alice")))
            .body(Full::new(Bytes::from(body)))
            .expect("a request");
        let response = self.sender.send_request(request).await.expect("an answer");
        let status = response.status().as_u16();
        (status, response.into_body().collect().await.expect("a body").to_bytes())
    }
}

/// One listener: tells the instant of each sync token push.
async fn listen(base: String, ticket: String, ready: mpsc::Sender<()>, heard: mpsc::UnboundedSender<Instant>) {
    let stream = TcpStream::connect(&base).await.expect("it connects");
    let (mut socket, _) =
        tokio_tungstenite::client_async(format!("ws://{base}/ws?ticket={ticket}"), stream).await.expect("a socket");
    socket.send(Message::text(format!(r#"{{"register":["{PATH}"]}}"#))).await.expect("it takes it");
    while let Some(Ok(message)) = socket.next().await {
        if let Message::Text(text) = message {
            if text.starts_with(r#"{"registered"#) {
                ready.send(()).await.expect("the bench runs");
            } else if text.contains("syncToken") && heard.send(pace::now()).is_err() {
                return;
            }
        }
    }
}

/// User and system time of this process, in seconds.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

fn quantile(sorted: &[Duration], of: f64) -> Duration {
    sorted[((sorted.len() - 1) as f64 * of) as usize]
}

#[tokio::main]
async fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|text| text.parse::<usize>().ok());
    let (sockets, puts) = (numbers.next().unwrap_or(1_000), numbers.next().unwrap_or(100));
    let dir = tempfile::tempdir().expect("a directory");
    let environment = [
        ("CAMPANILE_STORE__PATH", dir.path().to_str().expect("plain text")),
        ("CAMPANILE_LIMITS__SOCKETS_PER_USER", "0"),
        ("CAMPANILE_LIMITS__TICKETS_PER_MINUTE", "0"),
    ];
    let environment = environment.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let listener = toml::from_str::<toml::Table>("l = [{ address = \"127.0.0.1:0\" }]").expect("TOML")["l"].clone();
    let layers = config::layers(None, environment, vec![("listener", listener, "the bench")]).expect("settings");
    let config = config::read(&layers).expect("sound settings");
    let running = app::start(&config, Arc::new(SystemClock)).await.expect("it starts");
    running.service.fill_demo().await.expect("the demo");
    let base = running.addresses[0].to_string();

    let mut client = Client::connect(&base).await;
    let (ready, mut readied) = mpsc::channel(64);
    let (heard, mut hearing) = mpsc::unbounded_channel();
    for _ in 0..sockets {
        let (status, ticket) = client.send("POST", "/ws/ticket", String::new()).await;
        assert_eq!(status, 200);
        let ticket: serde_json::Value = serde_json::from_slice(&ticket).expect("JSON");
        let value = ticket["value"].as_str().expect("a ticket").to_owned();
        tokio::spawn(listen(base.clone(), value, ready.clone(), heard.clone()));
        readied.recv().await.expect("it registers");
    }

    let (mut first, mut last, mut put_only) = (Vec::new(), Vec::new(), Vec::new());
    let before = cpu_seconds();
    for number in 0..puts {
        let body = format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//bench//EN\r\nBEGIN:VEVENT\r\nUID:b{number}\r\nDTSTAMP:20250101T000000Z\r\n\
             DTSTART:20250301T100000Z\r\nSUMMARY:Bench\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        );
        let start = pace::now();
        let (status, _) = client.send("PUT", &format!("{PATH}/b{number}.ics"), body).await;
        assert_eq!(status, 201);
        put_only.push(start.elapsed());
        for push in 0..sockets {
            let at = hearing.recv().await.expect("a push");
            if push == 0 {
                first.push(at - start);
            }
            if push + 1 == sockets {
                last.push(at - start);
            }
        }
    }
    let cpu = cpu_seconds() - before;
    for (name, row) in [("PUT answered", &mut put_only), ("first push", &mut first), ("last push", &mut last)] {
        row.sort();
        println!("{name:<14} p50 {:>10.3?}  p99 {:>10.3?}", quantile(row, 0.5), quantile(row, 0.99));
    }
    let deliveries = (sockets * puts) as f64;
    println!(
        "{sockets} sockets, {puts} PUTs: {:.1} CPU-s per million deliveries, both ends and the PUTs included",
        cpu / deliveries * 1e6
    );
    running.stop().await;
}
