//! Receivers that the tests write themselves: an HTTP server and an SMTP server on free ports, which answer what a test tells them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use campanile::system::pace;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::live::client::PATIENCE;

/// What a receiver heard, and what it is to answer next; with nothing left to say it is content.
pub struct Receiver<T> {
    pub port: u16,
    heard: UnboundedReceiver<T>,
    answers: Arc<Mutex<VecDeque<String>>>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub line: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Request {
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("JSON")
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    pub from: String,
    pub to: Vec<String>,
    pub data: String,
}

impl<T> Receiver<T> {
    pub fn answer(&self, answers: &[&str]) {
        self.answers.lock().unwrap().extend(answers.iter().map(|one| (*one).to_owned()));
    }

    /// The next thing that it hears.
    pub async fn hear(&mut self) -> T {
        pace::within(PATIENCE, self.heard.recv()).await.expect("something in time").expect("the receiver lives")
    }

    /// What it has heard up to now, without waiting.
    pub fn heard(&mut self) -> Vec<T> {
        std::iter::from_fn(|| self.heard.try_recv().ok()).collect()
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

type Answers = Arc<Mutex<VecDeque<String>>>;

fn acceptor() -> TlsAcceptor {
    let cert = CertificateDer::from_pem_slice(include_bytes!("tls/cert.pem")).expect("a certificate");
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/key.pem")).expect("a key");
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    let config = config.with_no_client_auth().with_single_cert(vec![cert], key).expect("a pair");
    TlsAcceptor::from(Arc::new(config))
}

impl Receiver<Request> {
    /// Answers are a status and perhaps headers, `503 retry-after: 7`; `hang` never answers.
    pub async fn http() -> Receiver<Request> {
        Receiver::http_with(false).await
    }

    pub async fn https() -> Receiver<Request> {
        Receiver::http_with(true).await
    }

    async fn http_with(secure: bool) -> Receiver<Request> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (tell, heard) = unbounded_channel();
        let answers = Answers::default();
        let next = answers.clone();
        let task = tokio::spawn(async move {
            let mut held = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (tell, next) = (tell.clone(), next.clone());
                held.spawn(async move {
                    if secure {
                        if let Ok(stream) = acceptor().accept(stream).await {
                            serve_http(stream, tell, next).await;
                        }
                    } else {
                        serve_http(stream, tell, next).await;
                    }
                });
            }
        });
        Receiver { port, heard, answers, task }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }
}

async fn serve_http(stream: impl AsyncRead + AsyncWrite + Unpin, tell: UnboundedSender<Request>, answers: Answers) {
    let mut stream = BufReader::new(stream);
    let Some(line) = line(&mut stream).await else { return };
    let mut headers = Vec::new();
    while let Some(header) = self::line(&mut stream).await.filter(|header| !header.is_empty()) {
        let (name, value) = header.split_once(": ").expect("a header");
        headers.push((name.to_lowercase(), value.to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length").map_or("0", |(_, length)| length);
    let mut body = vec![0; length.parse().expect("a length")];
    stream.read_exact(&mut body).await.expect("the body");
    let answer = answers.lock().unwrap().pop_front().unwrap_or_else(|| "200".to_owned());
    let _ = tell.send(Request { line, headers, body: String::from_utf8(body).expect("UTF-8") });
    if answer == "hang" {
        std::future::pending::<()>().await;
    }
    let (status, headers) = answer.split_once(' ').unwrap_or((&answer, "x: y"));
    let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 2\r\n{headers}\r\n\r\nok");
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

async fn line(stream: &mut (impl AsyncBufRead + Unpin)) -> Option<String> {
    let mut line = String::new();
    let read = stream.read_line(&mut line).await.ok()?;
    (read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
}

impl Receiver<Mail> {
    /// Answers come after the text of a mail: `250 taken`, `451 later`, `550 never`.
    pub async fn smtp() -> Receiver<Mail> {
        Receiver::smtp_with(false).await
    }

    pub async fn smtps() -> Receiver<Mail> {
        Receiver::smtp_with(true).await
    }

    async fn smtp_with(secure: bool) -> Receiver<Mail> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (tell, heard) = unbounded_channel();
        let answers = Answers::default();
        let next = answers.clone();
        let task = tokio::spawn(async move {
            let mut held = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (tell, next) = (tell.clone(), next.clone());
                held.spawn(async move {
                    if secure {
                        if let Ok(stream) = acceptor().accept(stream).await {
                            serve_smtp(stream, tell, next).await;
                        }
                    } else {
                        serve_smtp(stream, tell, next).await;
                    }
                });
            }
        });
        Receiver { port, heard, answers, task }
    }
}

async fn serve_smtp(stream: impl AsyncRead + AsyncWrite + Unpin, tell: UnboundedSender<Mail>, answers: Answers) {
    let mut stream = BufReader::new(stream);
    let mut mail = Mail { from: String::new(), to: Vec::new(), data: String::new() };
    let mut say = "220 test ESMTP".to_owned();
    loop {
        if stream.write_all(format!("{say}\r\n").as_bytes()).await.is_err() || stream.flush().await.is_err() {
            return;
        }
        let Some(command) = line(&mut stream).await else { return };
        let angled = || command.split(['<', '>']).nth(1).unwrap_or("").to_owned();
        say = match command.split([' ', ':']).next().unwrap_or("") {
            "EHLO" => "250-test\r\n250-AUTH PLAIN\r\n250 8BITMIME".to_owned(),
            "AUTH" => if command == "AUTH PLAIN AGJlbGwAcmluZw==" { "235 welcome" } else { "535 no" }.to_owned(),
            "MAIL" => {
                mail.from = angled();
                "250 ok".to_owned()
            }
            "RCPT" => {
                mail.to.push(angled());
                "250 ok".to_owned()
            }
            "DATA" => {
                let _ = stream.write_all(b"354 go on\r\n").await;
                let mut bytes = Vec::new();
                while !bytes.ends_with(b"\r\n.\r\n") {
                    if stream.read_until(b'\n', &mut bytes).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
                bytes.truncate(bytes.len() - 3);
                mail.data = String::from_utf8(bytes).expect("UTF-8");
                let answer = answers.lock().unwrap().pop_front().unwrap_or_else(|| "250 taken".to_owned());
                let _ = tell.send(std::mem::replace(
                    &mut mail,
                    Mail { from: String::new(), to: Vec::new(), data: String::new() },
                ));
                answer
            }
            "QUIT" => "221 bye".to_owned(),
            _ => "502 what".to_owned(),
        };
    }
}
