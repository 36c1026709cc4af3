//! Wazo clients against the whole service: sockets over TLS with the certificate that it made for itself.

mod calendars;
mod cases;
mod clients;
mod elsewhere;
mod hostile;
mod listener;
mod presence;
mod tokens;

use std::sync::Arc;

use campanile::domain::organisation::{Id, organisation_uuid};
use campanile::system::pace;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};

use crate::live::House;
use crate::live::client::PATIENCE;

pub struct Wazo {
    stream: WebSocketStream<TlsStream<TcpStream>>,
}

/// What the organisation of that id is called as a tenant.
pub fn tenant(organisation: &str) -> String {
    organisation_uuid(&Id::new(organisation).expect("an id")).to_string()
}

/// Trusts what the service made for itself, and nothing else.
pub fn connector(house: &House) -> TlsConnector {
    let path = house.dir.path().join("store/tls/certificate.pem");
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(path).expect("a certificate")).expect("it can be trusted");
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    TlsConnector::from(Arc::new(config.expect("versions").with_root_certificates(roots).with_no_client_auth()))
}

impl House {
    /// A bearer token for a user, as the administrator draws it.
    pub async fn bearer(&self, user: &str, mut wanted: Value) -> String {
        wanted["user"] = json!(user);
        let issued = self.http("admin").post("/api/tokens", &wanted.to_string()).await;
        assert_eq!(issued.status, 201, "{issued:?}");
        issued.json()["token"].as_str().expect("a token").to_owned()
    }

    /// A Wazo socket at some path and query of the Wazo listener.
    pub async fn knock(&self, target: &str, headers: &[(&'static str, &str)]) -> Result<Wazo, tungstenite::Error> {
        let address = self.running().wazo.expect("Wazo clients are served");
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from("localhost").expect("a name");
        let stream = connector(self).connect(name, stream).await?;
        let mut request = format!("wss://localhost:{}{target}", address.port()).into_client_request()?;
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("a value"));
        }
        Ok(Wazo { stream: tokio_tungstenite::client_async(request, stream).await?.0 })
    }

    /// A socket whose `init` is heard already.
    pub async fn wazo(&self, token: &str, version: u8) -> Wazo {
        let mut socket = self.knock(&format!("/?token={token}&version={version}"), &[]).await.expect("it opens");
        let init = json!({ "op": "init", "code": 0, "msg": "", "data": { "version": version } });
        assert_eq!(socket.hear().await, init);
        socket
    }

    /// One that hears everything that its token lets it hear.
    pub async fn listening(&self, token: &str, version: u8) -> Wazo {
        let mut socket = self.wazo(token, version).await;
        for ask in [r#"{"op":"subscribe","data":{"event_name":"*"}}"#, r#"{"op":"start"}"#] {
            let answer = socket.ask(ask).await;
            assert_eq!((&answer["code"], &answer["data"]), (&json!(0), &Value::Null), "{answer}");
        }
        socket
    }

    /// Publishes an event as the administrator, for the tenant of the demo's people, and waits until it is with everybody.
    pub async fn publish(&self, mut headers: Value, body: &str) {
        if headers["tenant_uuid"].is_null() {
            headers["tenant_uuid"] = json!(tenant("demo"));
        }
        let event = format!(r#"{{"headers":{headers},"body":{body}}}"#);
        let taken = self.http("admin").post("/api/bus/events", &event).await;
        assert_eq!(taken.status, 204, "{taken:?}");
        self.settle().await;
    }

    /// What `GET /api/auth/0.1/token/…` says of a token.
    pub async fn look(&self, token: &str) -> Value {
        self.anonymous().get(&format!("/api/auth/0.1/token/{token}")).await.json()["data"].clone()
    }
}

impl Wazo {
    pub async fn say(&mut self, text: &str) {
        self.stream.send(Message::text(text)).await.expect("the socket takes it");
    }

    pub async fn send(&mut self, message: Message) -> Result<(), tungstenite::Error> {
        self.stream.send(message).await
    }

    /// The next text message, to the letter.
    pub async fn hear_text(&mut self) -> String {
        loop {
            match pace::within(PATIENCE, self.stream.next()).await.expect("a message in time") {
                Some(Ok(Message::Text(text))) => return text.to_string(),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("no text message but {other:?}"),
            }
        }
    }

    pub async fn hear(&mut self) -> Value {
        serde_json::from_str(&self.hear_text().await).expect("JSON")
    }

    pub async fn ask(&mut self, text: &str) -> Value {
        self.say(text).await;
        self.hear().await
    }

    /// The bodies of all events that came before the pong: everything that was written to this socket of version 2 up to now.
    pub async fn heard(&mut self) -> Vec<Value> {
        self.say(r#"{"op":"ping","data":{"payload":"all"}}"#).await;
        let mut heard = Vec::new();
        loop {
            let mut message = self.hear().await;
            match message["op"].as_str() {
                Some("pong") => return heard,
                Some("event") => heard.push(message["data"].take()),
                _ => panic!("neither pong nor event: {message}"),
            }
        }
    }

    /// The same, by their names.
    pub async fn names(&mut self) -> Vec<String> {
        let name = |event: Value| event["name"].as_str().unwrap_or("?").to_owned();
        self.heard().await.into_iter().map(name).collect()
    }

    /// With which code and reason the service closed it; nothing else came before.
    pub async fn closed(&mut self) -> (u16, String) {
        loop {
            match pace::within(PATIENCE, self.stream.next()).await.expect("an end in time") {
                Some(Ok(Message::Close(Some(close)))) => return (close.code.into(), close.reason.to_string()),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("no close but {other:?}"),
            }
        }
    }

    pub async fn is_closed_with(&mut self, code: u16, reason: &str) {
        assert_eq!(self.closed().await, (code, reason.to_owned()));
    }
}

impl Wazo {
    /// Reads on; `Err` with the code when it is over.
    pub async fn next_or_close(&mut self) -> Result<(), Option<u16>> {
        match self.stream.next().await {
            Some(Ok(Message::Close(close))) => Err(close.map(|close| close.code.into())),
            Some(Ok(_)) => Ok(()),
            Some(Err(_)) | None => Err(None),
        }
    }
}
