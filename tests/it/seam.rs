//! What a dialect can ask of its session beside talking: to be called after some pace, and to learn whose socket it is.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use campanile::bus::Notice;
use campanile::domain::address::UserName;
use campanile::domain::refusal::Refusal;
use campanile::gateway::dialect::{Ask, Dialect, Frame, Leave, Outcome, Outgoing, Step};
use campanile::gateway::frame;
use campanile::gateway::hub::{Hub, Limits};
use campanile::gateway::session::{Session, Settings};
use campanile::service::login::Credentials;
use campanile::system::clock::SystemClock;
use campanile::system::pace::{self, ManualPace};
use chrono::{DateTime, Utc};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use crate::desk::World;
use crate::wire::{self, TEXT, whole};

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// Ticks every thirty seconds on its first timer, once after forty on its second, and signs in as whoever it is told.
struct Ticker;

fn say(text: &str) -> Step {
    Step::Say(Outgoing::answer(frame::text(text)))
}

impl Dialect for Ticker {
    fn name(&self) -> &'static str {
        "ticker"
    }

    fn opened(&mut self, _: DateTime<Utc>, steps: &mut Vec<Step>) {
        steps.push(Step::Rest { timer: 0, after: Duration::from_secs(30) });
        steps.push(Step::Rest { timer: 1, after: Duration::from_secs(1) });
        // Put off before it could come.
        steps.push(Step::Rest { timer: 1, after: Duration::from_secs(40) });
    }

    fn heard(&mut self, frame: Frame<'_>, _: DateTime<Utc>, steps: &mut Vec<Step>) {
        let Frame::Text(text) = frame else { return };
        match text {
            "echo" => steps.push(say("echo")),
            name => {
                let from = IpAddr::V4(Ipv4Addr::LOCALHOST);
                steps.push(Step::Ask { number: 1, ask: Ask::SignIn(Credentials::Bearer(name.to_owned()), from) });
            }
        }
    }

    fn answered(&mut self, _: u64, outcome: Outcome, _: DateTime<Utc>, steps: &mut Vec<Step>) {
        steps.push(match outcome {
            Outcome::SignedIn(user) => say(user.as_str()),
            Outcome::Refused(Refusal::Unauthenticated) => say("unknown"),
            Outcome::Refused(Refusal::Busy { .. }) => say("too many"),
            other => panic!("{other:?}"),
        });
    }

    fn happened(&mut self, _: &Arc<Notice>, _: &mut Vec<Step>) {}

    fn woke(&mut self, _: DateTime<Utc>, _: &mut Vec<Step>) {}

    fn rested(&mut self, timer: u8, _: DateTime<Utc>, steps: &mut Vec<Step>) {
        steps.push(say(if timer == 0 { "tick" } else { "once" }));
        if timer == 0 {
            steps.push(Step::Rest { timer, after: Duration::from_secs(30) });
        }
    }

    fn busy(&self) -> bool {
        false
    }

    fn slow(&self) -> Leave {
        Leave { code: 1013, reason: "slow" }
    }
}

struct Client {
    stream: DuplexStream,
    unread: Vec<u8>,
}

impl Client {
    fn connect(hub: &Arc<Hub>, pace: &ManualPace) -> Client {
        let seat = hub.join(None).unwrap();
        let (clock, pace) = (Arc::new(SystemClock), Arc::new(pace.clone()));
        let session = Session::new(Box::new(Ticker), seat, World::new(), clock, pace, Settings::default());
        let (stream, far) = tokio::io::duplex(1 << 16);
        tokio::spawn(session.run(far, Bytes::new()));
        Client { stream, unread: Vec::new() }
    }

    async fn ask(&mut self, text: &str) -> String {
        self.stream.write_all(&whole(TEXT, text.as_bytes())).await.unwrap();
        self.hear().await
    }

    async fn hear(&mut self) -> String {
        loop {
            if let Some(((opcode, payload), rest)) = wire::first(&self.unread) {
                assert_eq!(opcode, TEXT);
                self.unread = rest.to_vec();
                return String::from_utf8(payload).unwrap();
            }
            let mut buffer = [0; 1024];
            let read = pace::within(PATIENCE, self.stream.read(&mut buffer)).await.expect("nothing comes").unwrap();
            assert_ne!(read, 0, "it ended");
            self.unread.extend_from_slice(&buffer[..read]);
        }
    }
}

#[tokio::test]
async fn timers_go_by_pace_and_each_by_its_own() {
    let pace = ManualPace::default();
    let mut client = Client::connect(&Hub::new(Limits::default()), &pace);
    assert_eq!(client.ask("echo").await, "echo");
    pace.pass(Duration::from_millis(29_999));
    assert_eq!(client.ask("echo").await, "echo");
    pace.pass(Duration::from_millis(1));
    assert_eq!(client.hear().await, "tick");
    pace.pass(Duration::from_secs(10));
    assert_eq!(client.hear().await, "once");
    pace.pass(Duration::from_secs(20));
    assert_eq!(client.ask("echo").await, "tick");
    assert_eq!(client.hear().await, "echo");
}

#[tokio::test]
async fn a_socket_becomes_somebodys_by_an_answer() {
    let hub = Hub::new(Limits { sockets_per_user_max: 1, ..Limits::default() });
    let pace = ManualPace::default();
    let alice = UserName::new("alice").unwrap();
    let mut first = Client::connect(&hub, &pace);
    assert_eq!(first.ask("mallory").await, "unknown");
    assert_eq!((hub.count(), hub.count_of(&alice)), (1, 0));
    assert_eq!(first.ask("alice").await, "alice");
    assert_eq!(hub.count_of(&alice), 1);
    let mut second = Client::connect(&hub, &pace);
    assert_eq!(second.ask("alice").await, "too many");
    assert_eq!(second.ask("bob").await, "bob");
    assert_eq!(hub.count_of(&alice), 1);
}
