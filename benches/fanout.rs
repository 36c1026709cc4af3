//! One event on each wire: a thousand sockets of one dialect hear it, then the next dialect's. Prints latencies, and how many deliveries a
//! CPU second makes, beside Side's in the same run.
//!
//! `cargo bench --bench fanout -- [SOCKETS] [EVENTS] [ROUNDS]`; both ends run in this process, so compare ratios, not absolute figures.
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
use serde_json::{Value, json};
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

    async fn send(&mut self, method: &str, path: &str, media: &str, body: String) -> Value {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", &self.base)
            .header("content-type", media)
            .header("authorization", format!("Basic {}", STANDARD.encode("alice:alice")))
            .body(Full::new(Bytes::from(body)))
            .expect("a request");
        self.sender.ready().await.expect("the connection stands");
        let response = self.sender.send_request(request).await.expect("an answer");
        let status = response.status();
        let body = response.into_body().collect().await.expect("a body").to_bytes();
        assert!(status.is_success(), "{method} {path}: {status} {}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).unwrap_or_default()
    }
}

/// A wire, as a client listens on it.
#[derive(Clone, Copy)]
struct Wire {
    name: &'static str,
    path: &'static str,
    /// What the client says, each when the one before was answered; `{token}` stands for its token.
    says: &'static [&'static str],
    /// What is in the answer to the last of them.
    ready: &'static str,
    /// What is in the push.
    push: &'static str,
    cause: Cause,
}

/// What makes the wire speak.
#[derive(Clone, Copy, PartialEq)]
enum Cause {
    Put,
    Invite,
    Status,
}

const WIRES: [Wire; 6] = [
    Wire {
        name: "side",
        path: "/ws?ticket={ticket}",
        says: &[r#"{"register":["/calendars/alice/default"]}"#],
        ready: r#"{"registered"#,
        push: "syncToken",
        cause: Cause::Put,
    },
    Wire {
        name: "wazo",
        path: "/api/websocketd/?version=2&token={token}",
        says: &[r#"{"op":"subscribe","data":{"event_name":"calendar_event_created"}}"#, r#"{"op":"start"}"#],
        ready: r#""op":"start""#,
        push: "calendar_event_created",
        cause: Cause::Put,
    },
    Wire {
        name: "stomp",
        path: "/stomp?ticket={ticket}",
        says: &[
            "CONNECT\naccept-version:1.2\nheart-beat:0,0\n\n\0",
            "SUBSCRIBE\nid:1\ndestination:/queue/message\nreceipt:r\n\n\0",
        ],
        ready: "RECEIPT",
        push: "MESSAGE",
        cause: Cause::Invite,
    },
    Wire {
        name: "cti messages",
        path: "/v1/subscribe?access_token={token}",
        says: &[r#"{"request":"subscribe","data":{"users":["org:1:user:1"]}}"#],
        ready: "unreadMessages",
        push: "unreadMessages",
        cause: Cause::Invite,
    },
    Wire {
        name: "cti 002",
        path: "/organisation/demo/user/alice?access_token={token}",
        says: &[r#"{"action":"subscribe","orgId":"demo","userId":"alice"}"#],
        ready: "presence_update",
        push: "presence_update",
        cause: Cause::Status,
    },
    Wire {
        name: "cti 003",
        path: "/v1/events",
        says: &[
            r#"{"type":"auth","accessToken":"{token}","client":{"name":"CTI 2.0","version":"2.5.1"}}"#,
            r#"{"type":"subscribe","path":"/org/1/user/1/presence"}"#,
        ],
        ready: r#""response""#,
        push: r#""response""#,
        cause: Cause::Status,
    },
];

/// One listener: tells the instant of each push.
async fn listen(
    base: String,
    wire: Wire,
    proofs: [(&'static str, String); 2],
    ready: mpsc::Sender<()>,
    heard: mpsc::UnboundedSender<Instant>,
) {
    let filled = |text: &str| proofs.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value));
    let stream = TcpStream::connect(&base).await.expect("it connects");
    stream.set_nodelay(true).expect("no delay");
    let url = format!("ws://{base}{}", filled(wire.path));
    let (mut socket, _) = tokio_tungstenite::client_async(url, stream).await.expect("a socket");
    let mut says = wire.says.iter();
    // Some greet first; what they greet with is not waited for.
    let mut next = says.next();
    while let Some(said) = next {
        socket.send(Message::text(filled(said))).await.expect("it takes it");
        next = says.next();
    }
    let mut waits = true;
    while let Some(Ok(message)) = socket.next().await {
        let Message::Text(text) = message else { continue };
        if waits && text.contains(wire.ready) {
            waits = false;
            ready.send(()).await.expect("the bench runs");
        } else if !waits && text.contains(wire.push) && heard.send(pace::now()).is_err() {
            return;
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

fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

fn quantile(sorted: &[Duration], of: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * of) as usize].as_secs_f64() * 1e3
}

/// Makes the wire speak once.
async fn cause(client: &mut Client, wire: Wire, number: usize) {
    let invites = match wire.cause {
        Cause::Status => {
            let status = if number.is_multiple_of(2) { "busy" } else { "away" };
            let body = json!({ "status": status }).to_string();
            client.send("PUT", "/api/organisations/demo/users/alice/presence", "application/json", body).await;
            return;
        }
        Cause::Put => "",
        Cause::Invite => {
            "ORGANIZER:mailto:olga@example.org\r\nATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:alice@campanile.example\r\n"
        }
    };
    let body = format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//bench//EN\r\nBEGIN:VEVENT\r\nUID:{}{number}\r\nDTSTAMP:20250101T000000Z\r\n\
         DTSTART:20990301T100000Z\r\nSUMMARY:Bench\r\n{invites}END:VEVENT\r\nEND:VCALENDAR\r\n",
        wire.name.replace(' ', "-")
    );
    let path = format!("{PATH}/{}{number}.ics", wire.name.replace(' ', "-"));
    client.send("PUT", &path, "text/calendar", body).await;
}

#[tokio::main]
async fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|text| text.parse::<usize>().ok());
    let sockets = numbers.next().unwrap_or(1_000);
    let (events, rounds) = (numbers.next().unwrap_or(50), numbers.next().unwrap_or(2));
    let dir = tempfile::tempdir().expect("a directory");
    let environment = [
        ("CAMPANILE_STORE__PATH", dir.path().to_str().expect("plain text")),
        ("CAMPANILE_LIMITS__SOCKETS_PER_USER", "0"),
        ("CAMPANILE_LIMITS__TICKETS_PER_MINUTE", "0"),
        ("CAMPANILE_NOTIFICATIONS__PER_USER", "1000000"),
    ];
    let environment = environment.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let listener = toml::from_str::<toml::Table>("l = [{ address = \"127.0.0.1:0\" }]").expect("TOML")["l"].clone();
    let layers = config::layers(None, environment, vec![("listener", listener, "the bench")]).expect("settings");
    let config = config::read(&layers).expect("sound settings");
    let running = app::start(&config, Arc::new(SystemClock)).await.expect("it starts");
    running.service.fill_demo().await.expect("the demo");
    let base = running.addresses[0].to_string();
    let mut client = Client::connect(&base).await;
    let issued = client.send("POST", "/api/tokens", "application/json", r#"{"expires_in":86400}"#.to_owned()).await;
    let token = issued["token"].as_str().expect("a token").to_owned();

    println!(
        "| wire | first p50 | last p50 | last p99 | deliveries per CPU s | to side's | load |\n|---|---|---|---|---|---|---|"
    );
    for round in 0..rounds {
        let mut side = None;
        for wire in WIRES {
            let (ready, mut readied) = mpsc::channel(64);
            let (heard, mut hearing) = mpsc::unbounded_channel();
            let mut tasks = Vec::new();
            for _ in 0..sockets {
                let ticket = match wire.path.contains("{ticket}") {
                    true => client.send("POST", "/ws/ticket", "text/plain", String::new()).await["value"].clone(),
                    false => Value::Null,
                };
                let proofs = [("{ticket}", ticket.as_str().unwrap_or_default().to_owned()), ("{token}", token.clone())];
                tasks.push(tokio::spawn(listen(base.clone(), wire, proofs, ready.clone(), heard.clone())));
                readied.recv().await.expect("it listens");
            }
            let (mut first, mut last) = (Vec::new(), Vec::new());
            let mut cpu = 0.0;
            // The first few are not counted; an even number of all leaves the status as it was before.
            let warm = 2 + events % 2;
            for number in 0..events + warm {
                if wire.name == "cti messages" {
                    // Of a burst it tells the last count, so the next one waits until it is news of its own.
                    pace::sleep(Duration::from_millis(120)).await;
                }
                let (start, before) = (pace::now(), cpu_seconds());
                cause(&mut client, wire, (round * 10_000) + number).await;
                let mut at = start;
                for push in 0..sockets {
                    at = hearing.recv().await.expect("a push");
                    if push == 0 && number >= warm {
                        first.push(at - start);
                    }
                }
                if number >= warm {
                    last.push(at - start);
                    cpu += cpu_seconds() - before;
                }
            }
            tasks.iter().for_each(tokio::task::JoinHandle::abort);
            first.sort();
            last.sort();
            let each = (sockets * events) as f64 / cpu;
            let side = *side.get_or_insert(each);
            println!(
                "| {} | {:.1} ms | {:.1} ms | {:.1} ms | {:.0} | {:.2} | {} |",
                wire.name,
                quantile(&first, 0.5),
                quantile(&last, 0.5),
                quantile(&last, 0.99),
                each,
                each / side,
                load()
            );
        }
    }
    running.stop().await;
}
