//! Conversations on the CTI messages socket, written down in `tests/transcripts/cti_messages`.

use std::net::{IpAddr, Ipv4Addr};

use campanile::domain::event::Event;
use campanile::gateway::cti_messages::machine::CtiMessages;

use crate::dialects::{self, Script};
use crate::stomp;

/// As for STOMP, and `first USER CHANNEL UID UNREAD`: the first that this person was ever told.
fn event(text: &str) -> Option<Event> {
    let mut event = stomp::event(&text.replacen("first", "counted", usize::from(text.starts_with("first"))))?;
    if let Event::Notified { news, .. } = &mut event {
        news.first = text.starts_with("first");
    }
    Some(event)
}

const SCRIPT: Script = Script {
    folder: "cti_messages",
    make: |user| Box::new(CtiMessages::new(user, IpAddr::V4(Ipv4Addr::LOCALHOST), None)),
    event,
};

#[tokio::test]
async fn the_messages_socket_says_the_same_as_a_pure_state_machine() {
    dialects::run_pure(&SCRIPT).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_messages_socket_says_the_same_over_a_real_socket() {
    dialects::run_live(&SCRIPT).await;
}
