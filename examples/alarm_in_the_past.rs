//! An alarm that rang in another century: Campanile in this process with a clock that is turned by hand, and a Side client that hears it.
//!
//! `cargo run --example alarm_in_the_past`. A test of an application looks the same: start, write, turn, read. Nothing waits for real time.

use std::error::Error;
use std::sync::Arc;

use bytes::Bytes;
use campanile::app;
use campanile::cli::Server;
use campanile::cli::client::Client;
use campanile::config::Config;
use campanile::config::store::Engine;
use campanile::system::clock::ManualClock;
use futures_util::{SinkExt, StreamExt};
use http::Method;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const EVENT: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//example//EN\r\nBEGIN:VEVENT\r\nUID:2000\r\n\
    DTSTAMP:19991201T000000Z\r\nDTSTART:20000101T000000Z\r\nDURATION:PT1H\r\nSUMMARY:The year 2000\r\n\
    BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:Glasses!\r\nTRIGGER:-PT10M\r\nEND:VALARM\r\n\
    END:VEVENT\r\nEND:VCALENDAR\r\n";

#[tokio::main]
async fn main() -> Outcome<()> {
    // Any free port, nothing on disk, and an evening of long ago.
    let mut config = Config::defaults()?;
    config.store.engine = Engine::Memory;
    for listener in &mut config.listener {
        listener.address.set_port(0);
    }
    let running = app::start(&config, Arc::new(ManualClock::at("1999-12-31T23:00:00Z".parse()?))).await?;
    running.service.fill_demo().await?;
    let base = running.addresses.first().ok_or("it listens nowhere")?.to_string();
    println!("Campanile rings at http://{base}, where it is 23:00 on the last day of 1999");

    let alice = Some("alice".to_owned());
    let alice = Client::new(&Server { url: format!("http://{base}"), user: alice.clone(), password: alice })?;
    let mut socket = listen(&alice, &base).await?;

    let path = "/calendars/alice/default/2000.ics";
    alice.send(Method::PUT, path, Some("text/calendar"), EVENT.into()).await?.ok()?;
    println!("alice has written {path}: midnight, and an alarm ten minutes before");

    // The answer comes when the socket has what it should.
    let forward = Bytes::from(r#"{"set":"1999-12-31T23:50:00Z"}"#);
    let turned = alice.send(Method::PATCH, "/api/clock", Some("application/json"), forward).await?.ok()?.json()?;
    println!(
        "the clock was turned to {}: {} alarm, settled: {}",
        turned["now"], turned["firedCount"], turned["settled"]
    );

    println!("alice's socket heard {}", hear(&mut socket).await?);
    running.stop().await;
    Ok(())
}

/// A Side socket that hears alarms.
async fn listen(client: &Client, base: &str) -> Outcome<WebSocketStream<TcpStream>> {
    let ticket = client.send(Method::POST, "/ws/ticket", None, Bytes::new()).await?.ok()?.json()?;
    let url = format!("ws://{base}/ws?ticket={}", ticket["value"].as_str().ok_or("no ticket")?);
    let (mut socket, _) = tokio_tungstenite::client_async(url, TcpStream::connect(base).await?).await?;
    socket.send(Message::text(r#"{"enableDisplayNotification":true}"#)).await?;
    // Until it says so, an alarm might pass by.
    while hear(&mut socket).await? != r#"{"displayNotificationEnabled":true}"# {}
    Ok(socket)
}

/// The next message that is text: the service sends pings too.
async fn hear(socket: &mut WebSocketStream<TcpStream>) -> Outcome<String> {
    loop {
        match socket.next().await.ok_or("the service closed the socket")?? {
            Message::Text(text) => return Ok(text.to_string()),
            _ => continue,
        }
    }
}
