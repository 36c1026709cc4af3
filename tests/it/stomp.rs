//! STOMP conversations written down in `tests/transcripts/stomp`, and what no transcript can hold: every way to cut a stream, floods, bombs.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use campanile::bus::{Flight, Listener, Notice};
use campanile::domain::address::{Address, UserName};
use campanile::domain::event::{Event, ListChange, Sockets, Topic};
use campanile::domain::notification::{Alignment, ConversationId, Kind, Message, MessageId, News, State};
use campanile::domain::refusal::Refusal;
use campanile::gateway::dialect::{Ask, Desk, Dialect, Frame, Leave, Outcome, Step};
use campanile::gateway::hub::{self, Hub};
use campanile::gateway::session::{Ending, Session, Settings};
use campanile::gateway::stomp::machine::{Limits, Stomp};
use campanile::system::clock::SystemClock;
use campanile::system::pace::{self, ManualPace};
use campanile::system::random::SeededRandom;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use crate::desk::World;
use crate::dialects::{self, Script};
use crate::wire::{CLOSE, TEXT, below, first, server, whole};

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

fn user(name: &str) -> UserName {
    UserName::new(name).unwrap()
}

pub fn machine(name: Option<&str>, limits: Limits) -> Stomp {
    Stomp::new(name.map(user), IpAddr::V4(Ipv4Addr::LOCALHOST), "s1".to_owned(), limits)
}

/// `said USER CHANNEL UID KIND ALIGNMENT STATE created|updated UNREAD TEXT…`, `counted USER CHANNEL UID UNREAD`, `list USER CHANGE PATH`,
/// `signed-out USER`.
pub fn event(text: &str) -> Option<Event> {
    let words: Vec<&str> = text.split(' ').collect();
    let at: DateTime<Utc> = "2025-01-15T09:00:00Z".parse().ok()?;
    let news = |channel: &str, uid: &str, unread: &str, message| {
        let channel = Address::parse(channel)?;
        Some(Box::new(News {
            conversation: ConversationId::of(&channel, uid),
            title: format!("About {uid}"),
            message,
            unread: unread.parse().ok()?,
            counted: at.timestamp_millis(),
            total: unread.parse().ok()?,
            first: false,
            channel,
        }))
    };
    Some(match words[..] {
        ["said", user, channel, uid, kind, alignment, state, created, unread, ref text @ ..] => {
            let kinds = [Kind::Invitation, Kind::Update, Kind::Cancellation, Kind::Reply, Kind::Alarm, Kind::Import];
            let conversation = ConversationId::of(&Address::parse(channel)?, uid);
            let message = Message {
                id: MessageId::of(conversation, kind),
                kind: kinds.into_iter().find(|known| known.as_str() == kind)?,
                alignment: [Alignment::Left, Alignment::Right, Alignment::Center]
                    .into_iter()
                    .find(|known| known.as_str() == alignment)?,
                state: [State::Pending, State::Delivered, State::Failed]
                    .into_iter()
                    .find(|known| known.as_str() == state)?,
                text: text.join(" "),
                sender: String::new(),
                object: Some("a b.ics".to_owned()),
                start: Some(at),
                recurrence_id: None,
                sent_at: at,
                order: 0,
            };
            let news = news(channel, uid, unread, Some((message, created == "created")))?;
            Event::Notified { user: UserName::new(user)?, news }
        }
        ["counted", user, channel, uid, unread] => {
            Event::Notified { user: UserName::new(user)?, news: news(channel, uid, unread, None)? }
        }
        ["list", user, change, path] => Event::ListChanged {
            user: UserName::new(user)?,
            change: [ListChange::Created, ListChange::Updated, ListChange::Deleted]
                .into_iter()
                .find(|known| known.as_str() == change)?,
            address: Address::parse(path)?,
        },
        ["signed-out", user] => Event::SignedOut { user: UserName::new(user)?, whose: Sockets::All },
        _ => return None,
    })
}

const SCRIPT: Script = Script {
    folder: "stomp",
    make: |user| Box::new(machine(user.as_ref().map(UserName::as_str), Limits::default())),
    event,
};

#[tokio::test]
async fn stomp_says_the_same_as_a_pure_state_machine() {
    dialects::run_pure(&SCRIPT).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stomp_says_the_same_over_a_real_socket() {
    dialects::run_live(&SCRIPT).await;
}

/// A machine whose questions are answered as soon as they are asked.
struct Run {
    machine: Stomp,
    world: Arc<World>,
    topics: HashSet<Topic>,
    said: Vec<String>,
    closed: Option<u16>,
    rests: BTreeMap<u8, Duration>,
}

impl Run {
    fn new(limits: Limits) -> Run {
        Run::of(None, limits)
    }

    fn of(user: Option<&str>, limits: Limits) -> Run {
        let mut run = Run {
            machine: machine(user, limits),
            world: World::new(),
            topics: HashSet::new(),
            said: Vec::new(),
            closed: None,
            rests: BTreeMap::new(),
        };
        run.act(|machine, steps| machine.opened(DateTime::UNIX_EPOCH, steps));
        run
    }

    fn act(&mut self, act: impl FnOnce(&mut Stomp, &mut Vec<Step>)) {
        if self.closed.is_some() {
            return;
        }
        let mut steps = Vec::new();
        act(&mut self.machine, &mut steps);
        let mut asks = VecDeque::new();
        loop {
            for step in steps.drain(..) {
                match step {
                    Step::Ask { number, ask } => asks.push_back((number, ask)),
                    Step::Listen(topic) => assert!(self.topics.insert(topic)),
                    Step::Unlisten(topic) => assert!(self.topics.remove(&topic)),
                    Step::Say(outgoing) => {
                        let whole = [&outgoing.frame[..], &outgoing.tail[..]].concat();
                        let (_, payload) = server(&whole).remove(0);
                        self.said.push(String::from_utf8(payload).unwrap());
                    }
                    Step::Close(Leave { code, .. }) => {
                        self.closed = Some(code);
                        return;
                    }
                    Step::Rest { timer, after } => drop(self.rests.insert(timer, after)),
                    Step::Wake(_) => panic!("STOMP goes by pace"),
                }
            }
            let Some((number, ask)) = asks.pop_front() else { return };
            let outcome = match ask {
                Ask::SignIn(credentials, from) => self
                    .world
                    .sign_in(&credentials, from)
                    .now_or_never()
                    .unwrap()
                    .map_or_else(Outcome::Refused, |visitor| Outcome::SignedIn(visitor.user)),
                Ask::Taken(messages) => {
                    self.world.taken(&user("alice"), messages).now_or_never().unwrap().unwrap();
                    Outcome::Noted
                }
                _ => Outcome::Refused(Refusal::NotFound),
            };
            self.machine.answered(number, outcome, DateTime::UNIX_EPOCH, &mut steps);
        }
    }

    fn hear(&mut self, bytes: &[u8]) {
        self.act(|machine, steps| machine.heard(Frame::Binary(bytes), DateTime::UNIX_EPOCH, steps));
    }

    fn happen(&mut self, text: &str) {
        let notice = Notice::new(event(text).unwrap(), 1, 0, false, Flight::unwatched());
        if notice.event.topics().iter().any(|topic| self.topics.contains(topic)) {
            self.act(|machine, steps| machine.happened(&notice, steps));
        }
    }

    /// The last thing that was said: its command, and its `message` if it has one.
    fn last(&self) -> (&str, Option<&str>) {
        let last = self.said.last().map_or("", String::as_str);
        (last.lines().next().unwrap_or_default(), last.lines().find_map(|line| line.strip_prefix("message:")))
    }

    fn failed(&self) -> (Option<&str>, Option<u16>) {
        let (command, message) = self.last();
        assert_eq!(command, "ERROR", "{:?}", self.said);
        (message, self.closed)
    }
}

const SAID: &str = "said alice /calendars/alice/work u alarm LEFT PENDING created 1 Tea";

/// A stream of a client: mostly sound frames, sometimes one that is not.
fn stream(random: &SeededRandom) -> Vec<u8> {
    let version = ["1.0", "1.1", "1.2"][below(random, 3)];
    let mut bytes = b"\n".repeat(below(random, 2));
    let end = ["\n", "\r\n"][below(random, 2)];
    let frame = |lines: &[String], body: &[u8]| {
        let mut frame: Vec<u8> = lines.iter().flat_map(|line| format!("{line}{end}").into_bytes()).collect();
        frame.extend_from_slice(end.as_bytes());
        frame.extend_from_slice(body);
        frame.push(0);
        frame
    };
    let connect = ["CONNECT", "STOMP"][below(random, 2)].to_owned();
    let headers = [connect, format!("accept-version:{version}"), "login:alice".into(), "passcode:secret".into()];
    bytes.extend(frame(&headers, b""));
    for number in 0..below(random, 12) {
        bytes.extend(b"\n".repeat(below(random, 3)));
        let id = ["s", "ü", "a\\cb", "ж\\nж"][below(random, 4)];
        let destination = ["/queue/message/upsert", "/events", "/queue/unread-count"][below(random, 3)];
        let receipt = format!("receipt:r-{number}-é");
        let lines: Vec<String> = match below(random, 14) {
            0..5 => {
                let ack = ["auto", "client", "client-individual"][below(random, 3)];
                let (id, to) = (format!("id:{id}{number}"), format!("destination:{destination}"));
                vec!["SUBSCRIBE".into(), id, to, format!("ack:{ack}"), receipt]
            }
            5..8 => vec!["UNSUBSCRIBE".into(), format!("id:{id}{number}"), receipt],
            8 => vec!["BEGIN".into(), format!("transaction:t{number}"), receipt],
            9 => vec!["BEGIN".into(), "transaction:t".into(), receipt],
            10 => vec!["ABORT".into(), "transaction:t".into(), receipt],
            11 => vec!["ACK".into(), "id:1".into(), "message-id:1".into(), "subscription:x".into(), receipt],
            12 => {
                let body = &b"some\0body\xC3\xA9"[..below(random, 12)];
                let lines = [format!("content-length:{}", body.len()), "destination:/events".into(), receipt];
                bytes.extend(frame(&[&["SEND".to_owned()], &lines[..]].concat(), body));
                continue;
            }
            _ => vec!["DISCONNECT".into(), receipt],
        };
        bytes.extend(frame(&lines, if below(random, 30) == 0 { b"body" } else { b"" }));
        if below(random, 25) == 0 {
            bytes.extend([&b"WHAT\n\n\0"[..], b"SUBSCRIBE\nid\n\n\0", b"SEND\n\xFF:a\n\n\0"][below(random, 3)]);
        }
    }
    bytes
}

#[test]
fn however_a_stream_is_cut_the_answers_are_the_same() {
    let mut closed = 0;
    for seed in 0..600 {
        let random = SeededRandom::new(seed);
        let bytes = stream(&random);
        let mut whole = Run::new(Limits::default());
        whole.hear(&bytes);
        closed += usize::from(whole.closed.is_some());
        for _ in 0..4 {
            let mut cut = Run::new(Limits::default());
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let (part, after) = rest.split_at((1 + below(&random, 40)).min(rest.len()));
                cut.hear(part);
                rest = after;
            }
            assert_eq!((&cut.said, cut.closed), (&whole.said, whole.closed), "seed {seed}");
        }
        let mut bytewise = Run::new(Limits::default());
        bytes.iter().for_each(|byte| bytewise.hear(&[*byte]));
        assert_eq!((&bytewise.said, bytewise.closed), (&whole.said, whole.closed), "seed {seed}");
        assert!(whole.said[0].starts_with("CONNECTED\n"), "seed {seed}: {:?}", whole.said);
    }
    assert!((100..590).contains(&closed), "{closed} of 600 streams ended in a close");
}

#[test]
fn no_bytes_at_all_make_it_panic_or_go_on_after_its_end() {
    for seed in 0..400 {
        let random = SeededRandom::new(seed);
        let mut bytes = stream(&random);
        for _ in 0..1 + below(&random, 6) {
            let at = below(&random, bytes.len());
            match below(&random, 3) {
                0 => bytes[at] = below(&random, 256) as u8,
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, b"\0\n\r:\\"[below(&random, 5)]),
            }
        }
        let mut run = Run::new(Limits::default());
        bytes.chunks(1 + below(&random, 50)).for_each(|part| run.hear(part));
        let errors = run.said.iter().filter(|said| said.starts_with("ERROR\n")).count();
        assert!(errors <= 1 && (errors == 0 || run.closed.is_some()), "seed {seed}: {:?}", run.said);
    }
}

const CONNECT: &[u8] = b"CONNECT\naccept-version:1.2\n\n\0";

#[test]
fn what_is_too_large_or_too_much_ends_the_connection_and_no_other() {
    let head = |lines: usize, length: usize| {
        let mut frame = b"SUBSCRIBE\n".to_vec();
        (0..lines).for_each(|n| frame.extend(format!("h{n}:{}\n", "x".repeat(length)).bytes()));
        frame
    };
    let mut million = Vec::new();
    for number in 0..1_000_000 {
        million.extend(format!("SUBSCRIBE\nid:{number}\ndestination:/events\n\n\0").bytes());
        if million.len() > 1 << 20 {
            break;
        }
    }
    let rows: [(&str, Vec<u8>); 8] = [
        ("the number of headers is larger than the limit", head(101, 1)),
        ("a line is larger than the limit", head(1, 9 << 10)),
        ("the head is larger than the limit", head(20, 4 << 10)),
        ("a line is larger than the limit", vec![b'A'; 1 << 20]),
        ("a body is larger than the limit", b"SEND\ncontent-length:65537\n\n".to_vec()),
        ("a body is larger than the limit", [&b"SEND\n\n"[..], &vec![b'x'; 70_000]].concat()),
        ("too many subscriptions", million),
        ("too many transactions", (0..17).flat_map(|n| format!("BEGIN\ntransaction:{n}\n\n\0").into_bytes()).collect()),
    ];
    let mut bystander = Run::of(Some("alice"), Limits::default());
    bystander.hear(CONNECT);
    for (why, bytes) in rows {
        let mut run = Run::of(Some("alice"), Limits::default());
        run.hear(CONNECT);
        bytes.chunks(60_000).for_each(|part| run.hear(part));
        assert_eq!(run.failed(), (Some(why), Some(1009)));
    }
    bystander.hear(b"SUBSCRIBE\nid:1\ndestination:/events\n\n\0");
    bystander.happen(SAID);
    assert_eq!((bystander.last().0, bystander.closed), ("MESSAGE", None));
}

#[test]
fn what_comes_before_the_answer_to_connect_waits_within_a_bound() {
    let mut machine = machine(None, Limits::default());
    let mut steps = Vec::new();
    let now = DateTime::UNIX_EPOCH;
    machine.heard(Frame::Text("CONNECT\nlogin:alice\npasscode:secret\n\n\0SUBSCRIBE\n"), now, &mut steps);
    assert!(machine.busy() && matches!(steps[..], [Step::Ask { .. }]), "{steps:?}");
    for _ in 0..3 {
        machine.heard(Frame::Binary(&[b'x'; 60_000]), now, &mut steps);
    }
    assert_eq!(steps.len(), 1);
    machine.heard(Frame::Binary(&[b'x'; 60_000]), now, &mut steps);
    assert!(matches!(steps[..], [_, Step::Say(_), Step::Close(Leave { code: 1009, .. })]), "{steps:?}");
}

#[test]
fn messages_that_nobody_acknowledges_have_a_bound() {
    let mut run = Run::of(Some("alice"), Limits { unacknowledged: 3, ..Limits::default() });
    run.hear(CONNECT);
    run.hear(b"SUBSCRIBE\nid:1\ndestination:/queue/message\nack:client\n\n\0");
    for _ in 0..3 {
        run.happen(SAID);
    }
    assert_eq!((run.last().0, run.closed), ("MESSAGE", None));
    run.hear(b"ACK\nid:2\n\n\0");
    assert_eq!(run.world.taken.lock().unwrap().len(), 2);
    for _ in 0..2 {
        run.happen(SAID);
    }
    assert_eq!(run.closed, None);
    run.happen(SAID);
    assert_eq!(run.failed(), (Some("too many unacknowledged messages"), Some(1008)));
}

#[test]
fn what_is_said_to_many_is_made_once() {
    let notice = Notice::new(event(SAID).unwrap(), 1, 0, false, Flight::unwatched());
    let mut tails = Vec::new();
    for id in ["a", "b"] {
        let mut run = Run::of(Some("alice"), Limits::default());
        run.hear(CONNECT);
        run.hear(format!("SUBSCRIBE\nid:{id}\ndestination:/queue/message/upsert\n\n\0").as_bytes());
        let mut steps = Vec::new();
        run.machine.happened(&notice, &mut steps);
        tails.extend(steps.into_iter().filter_map(|step| match step {
            Step::Say(outgoing) => Some(outgoing.tail),
            _ => None,
        }));
    }
    assert_eq!(tails.len(), 2);
    assert_eq!(tails[0].as_ptr(), tails[1].as_ptr(), "one body for both");
}

#[test]
fn what_it_says_before_a_close_that_is_not_its_own() {
    let run = Run::of(Some("alice"), Limits::default());
    let said = run.machine.last_words(run.machine.slow()).unwrap();
    let (_, payload) = server(&said).remove(0);
    let text = String::from_utf8(payload).unwrap();
    assert!(text.starts_with("ERROR\nmessage:slow consumer\n") && text.ends_with('\0'), "{text}");
    assert_eq!(run.machine.slow().code, 1013);
}

#[test]
fn an_instant_is_shown_to_the_millisecond() {
    let at = DateTime::<Utc>::UNIX_EPOCH + TimeDelta::milliseconds(7);
    assert_eq!(campanile::http::notice::millis(&at), "1970-01-01T00:00:00.007Z");
}

#[tokio::test]
async fn a_slow_consumer_is_told_so_and_closed() {
    let hub = Hub::new(hub::Limits { queue_bytes_max: 2_000, ..hub::Limits::default() });
    let seat = hub.join(Some(&user("alice"))).unwrap();
    let machine = Box::new(machine(Some("alice"), Limits::default()));
    let (clock, pace) = (Arc::new(SystemClock), Arc::new(ManualPace::default()));
    let session = Session::new(machine, seat, World::new(), clock, pace, Settings::default());
    // So little room that a frame's two parts are never written at once.
    let (mut near, far) = tokio::io::duplex(64);
    let running = tokio::spawn(session.run(far, Bytes::new()));
    near.write_all(&whole(TEXT, CONNECT)).await.unwrap();
    near.write_all(&whole(TEXT, b"SUBSCRIBE\nid:1\ndestination:/events\nreceipt:r\n\n\0")).await.unwrap();
    let mut bytes = Vec::new();
    let read = async |near: &mut DuplexStream, bytes: &mut Vec<u8>| {
        let mut part = [0; 64];
        let read = pace::within(PATIENCE, near.read(&mut part)).await.expect("nothing comes").unwrap();
        bytes.extend_from_slice(&part[..read]);
        read > 0
    };
    while server_text(&bytes).len() < 2 {
        assert!(read(&mut near, &mut bytes).await);
    }
    for _ in 0..50 {
        hub.hear(&Notice::new(event(SAID).unwrap(), 1, 0, false, Flight::unwatched()));
        tokio::task::yield_now().await;
    }
    while read(&mut near, &mut bytes).await {}
    let frames = server(&bytes);
    let [.., (TEXT, error), (CLOSE, close)] = &frames[..] else { panic!("{frames:?}") };
    assert!(error.starts_with(b"ERROR\nmessage:slow consumer\n"), "{}", String::from_utf8_lossy(error));
    assert_eq!(close[..2], 1013u16.to_be_bytes());
    assert_eq!(running.await.unwrap(), Ending::ByUs(Leave { code: 1013, reason: "slow consumer" }));
    assert_eq!(hub.count(), 0);
}

/// The whole texts that the service has said.
fn server_text(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut texts = Vec::new();
    while let Some(((_, text), rest)) = first(bytes) {
        texts.push(text);
        bytes = rest;
    }
    texts
}
