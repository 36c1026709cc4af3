//! Harm over a real socket, against the whole service: what is refused, how, and that everybody else is served on.

mod bodies;
mod heads;
mod races;
mod texts;

use campanile::system::pace;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::live::client::{PATIENCE, Socket};
use crate::live::{House, plain_event};

const DEFAULT: &str = "/calendars/alice/default";
/// alice:alice, as a line of a head.
const ALICE: &str = "Host: x\r\nAuthorization: Basic YWxpY2U6YWxpY2U=\r\n";

/// That the service answers, takes a change and pushes it; the socket listens to `DEFAULT`.
async fn alive(house: &House, socket: &mut Socket, after: &str) {
    let alice = house.http("alice");
    assert_eq!(alice.get("/healthz").await.status, 200, "{after}");
    let text = plain_event("alive", "20300101T090000Z").replace("SUMMARY:", &format!("SUMMARY:{after} "));
    let written = alice.put(&format!("{DEFAULT}/alive.ics"), &text).await;
    assert!(matches!(written.status, 201 | 204), "{after}: {written:?}");
    house.settle().await;
    let token = alice.get(&format!("/api{DEFAULT}")).await.json()["syncToken"].clone();
    let heard = socket.heard().await;
    assert_eq!(heard.last().map(|push| &push[DEFAULT]["syncToken"]), Some(&token), "{after}: {heard:?}");
}

/// Everything that the service answers to these bytes until it closes the connection.
async fn raw(base: &str, bytes: impl AsRef<[u8]>) -> String {
    let mut stream = TcpStream::connect(base).await.expect("it connects");
    let (mut reads, mut writes) = stream.split();
    let mut heard = Vec::new();
    // A service that has refused reads no further, so the rest may find nobody.
    let talk = async { tokio::join!(writes.write_all(bytes.as_ref()), reads.read_to_end(&mut heard)) };
    let (_, _) = pace::within(PATIENCE, talk).await.expect("an end in time");
    String::from_utf8_lossy(&heard).into_owned()
}

/// The statuses of all answers among these bytes.
fn statuses(heard: &str) -> Vec<&str> {
    heard.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect()
}
