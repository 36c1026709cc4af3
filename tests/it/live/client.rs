//! Real clients for the live tests: HTTP over one connection a request, and a WebSocket. Every wait has an end.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use campanile::system::pace;
use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper::{HeaderMap, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};

/// Long enough for the slowest machine; a test that waits so long has failed.
pub const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone)]
pub struct Http {
    base: String,
    authorization: Option<String>,
}

#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("plain text"))
    }
}

impl Http {
    pub fn new(base: &str, user: &str) -> Http {
        let authorization = Some(format!("Basic {}", STANDARD.encode(format!("{user}:{user}"))));
        Http { base: base.to_owned(), authorization }
    }

    pub fn anonymous(base: &str) -> Http {
        Http { base: base.to_owned(), authorization: None }
    }

    /// With an `Authorization` header of the test's own.
    pub fn with(base: &str, authorization: &str) -> Http {
        Http { base: base.to_owned(), authorization: Some(authorization.to_owned()) }
    }

    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Reply {
        self.try_send(method, path, headers, body.into())
            .await
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// `Err` where the connection broke before the answer was there.
    pub async fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Reply, Box<dyn std::error::Error + Send + Sync>> {
        let exchange = async {
            let stream = TcpStream::connect(&self.base).await?;
            let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
            let driver = tokio::spawn(connection);
            let mut request = Request::builder().method(method).uri(path).header("host", &self.base);
            if let Some(authorization) = &self.authorization {
                request = request.header("authorization", authorization);
            }
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let response = sender.send_request(request.body(Full::new(body))?).await?;
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            let body = response.into_body().collect().await?.to_bytes();
            driver.abort();
            Ok(Reply { status, headers, body })
        };
        pace::within(PATIENCE, exchange).await.expect("an answer in time")
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], "").await
    }

    pub async fn post(&self, path: &str, body: &str) -> Reply {
        self.send("POST", path, &[], body.to_owned()).await
    }

    pub async fn patch(&self, path: &str, body: &str) -> Reply {
        self.send("PATCH", path, &[], body.to_owned()).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.send("DELETE", path, &[], "").await
    }

    /// PUT as a calendar client does it.
    pub async fn put(&self, path: &str, body: &str) -> Reply {
        let media = if path.ends_with(".vcf") { "text/vcard; charset=utf-8" } else { "text/calendar; charset=utf-8" };
        self.send("PUT", path, &[("content-type", media)], body.to_owned()).await
    }

    /// PUT of a JSON body.
    pub async fn put_json(&self, path: &str, body: &str) -> Reply {
        self.send("PUT", path, &[("content-type", "application/json")], body.to_owned()).await
    }
}

pub struct Socket {
    stream: WebSocketStream<TcpStream>,
}

impl Socket {
    pub async fn open(base: &str, ticket: &str) -> Result<Socket, tungstenite::Error> {
        Socket::open_at(base, &format!("/ws?ticket={ticket}"), &[]).await
    }

    /// A socket at any path, with headers of the test's own.
    pub async fn open_at(base: &str, path: &str, headers: &[(&str, &str)]) -> Result<Socket, tungstenite::Error> {
        let stream = TcpStream::connect(base).await?;
        stream.set_nodelay(true)?;
        let mut request = format!("ws://{base}{path}").into_client_request()?;
        for (name, value) in headers {
            let name = http::HeaderName::from_bytes(name.as_bytes()).expect("a name");
            request.headers_mut().append(name, value.parse().expect("a value"));
        }
        Ok(Socket { stream: tokio_tungstenite::client_async(request, stream).await?.0 })
    }

    /// A socket whose kernel takes little: it soon stalls when its client does not read.
    pub async fn open_narrow(base: &str, ticket: &str) -> Socket {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4_096).expect("a small buffer");
        let stream = socket.connect(base.parse().expect("an address")).await.expect("it connects");
        let url = format!("ws://{base}/ws?ticket={ticket}");
        Socket { stream: tokio_tungstenite::client_async(url, stream).await.expect("it opens").0 }
    }

    pub async fn say(&mut self, text: &str) {
        self.stream.send(Message::text(text)).await.expect("the socket takes it");
    }

    /// The next text message, as JSON.
    pub async fn hear(&mut self) -> Value {
        loop {
            match pace::within(PATIENCE, self.stream.next()).await.expect("a message in time") {
                Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).expect("JSON"),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("no text message but {other:?}"),
            }
        }
    }

    /// The next message that is no tick: what comes of itself while time goes by.
    pub async fn hear_news(&mut self) -> Value {
        loop {
            match self.hear().await {
                tick if tick == serde_json::json!({ "type": "tick" }) => {}
                news => return news,
            }
        }
    }

    pub async fn ask(&mut self, text: &str) -> Value {
        self.say(text).await;
        self.hear().await
    }

    pub async fn register(&mut self, path: &str) {
        let answer = self.ask(&serde_json::json!({ "register": [path] }).to_string()).await;
        assert_eq!(answer, serde_json::json!({ "registered": [path] }));
    }

    pub async fn enable_alarms(&mut self) {
        let answer = self.ask(r#"{"enableDisplayNotification":true}"#).await;
        assert_eq!(answer, serde_json::json!({ "displayNotificationEnabled": true }));
    }

    /// Everything that came before the answer to a ping: what was written to this socket up to now.
    pub async fn heard(&mut self) -> Vec<Value> {
        self.say(r#"{"type":"ping"}"#).await;
        let mut heard = Vec::new();
        loop {
            match self.hear().await {
                Value::Object(empty) if empty.is_empty() => return heard,
                message => heard.push(message),
            }
        }
    }

    /// Everything that came before the pong of a CTI ping.
    pub async fn heard_cti(&mut self) -> Vec<Value> {
        self.say(r#"{"type":"ping"}"#).await;
        let mut heard = Vec::new();
        loop {
            match self.hear().await {
                message if message == serde_json::json!({ "type": "pong" }) => return heard,
                message => heard.push(message),
            }
        }
    }

    /// The code with which the service closed it.
    pub async fn closed(&mut self) -> Option<u16> {
        loop {
            match pace::within(PATIENCE, self.stream.next()).await.expect("an end in time") {
                Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }
}
