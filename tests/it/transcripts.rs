//! Conversations written down in `tests/transcripts`, each run through the pure state machine and over a real socket.
//!
//! `>` the client says (`2>` the second one; `> binary …` is a binary frame), `<` the server says (`< close 1008` is a close), and nothing
//! else is said. `=` changes what stands at the desk, opens another socket, or holds the desk's answers back. `!` happens, `@` is the clock,
//! `#` a comment.

use std::collections::{HashSet, VecDeque};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use campanile::bus::{Flight, Listener, Notice};
use campanile::domain::address::{Address, UserName};
use campanile::domain::alarm::Action;
use campanile::domain::collection::CollectionId;
use campanile::domain::event::{Event, ListChange, Rang, Sockets, Topic};
use campanile::domain::import::Stand;
use campanile::domain::refusal::Refusal;
use campanile::domain::sync::Token;
use campanile::gateway::dialect::{Ask, Desk, Dialect, Frame, Outcome, Step};
use campanile::gateway::hub::{BEATS, Hub, Limits};
use campanile::gateway::session::Settings;
use campanile::gateway::side::conversation::{PATHS_DEFAULT, Side};
use campanile::gateway::upgrade::{Door, Handshake};
use campanile::gateway::wazo::conversation::Manners;
use campanile::http::accept;
use campanile::system::clock::ManualClock;
use campanile::system::pace::{self, RealPace};
use chrono::{DateTime, Utc};
use futures_util::{FutureExt, SinkExt, StreamExt};
use hyper::upgrade::OnUpgrade;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tungstenite::Message;
use warp::Filter;

use crate::desk::World;

/// Far more than any answer takes; reached only when one is missing.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub fn start() -> DateTime<Utc> {
    "2025-01-01T00:00:00Z".parse().unwrap()
}

/// Something that plays the server's part.
trait Stage {
    async fn open(&mut self, user: &str);
    async fn client(&mut self, socket: usize, text: &str);
    async fn happen(&mut self, event: Event);
    async fn beat(&mut self);
    async fn turn(&mut self, now: DateTime<Utc>);
    async fn release(&mut self);
    /// The next thing that the server says.
    async fn hear(&mut self, socket: usize) -> Option<String>;
    /// What the server said beyond that, now that it has nothing left to do.
    async fn rest(&mut self, socket: usize) -> Option<String>;
}

async fn run(stage: &mut impl Stage, world: &World, name: &str, text: &str) {
    stage.open("alice").await;
    let mut sockets = 1;
    let lines: Vec<&str> = text.lines().collect();
    let told = |line: &str| line.trim_start_matches(char::is_numeric).starts_with('<');
    for (at, line) in lines.iter().enumerate() {
        let place = format!("{name}:{}", at + 1);
        let rest = line.trim_start_matches(char::is_numeric);
        let socket = line[..line.len() - rest.len()].parse::<usize>().unwrap_or(1) - 1;
        let (sign, said) = rest.split_at(rest.len().min(1));
        let said = said.strip_prefix(' ').unwrap_or(said);
        match sign {
            "" | "#" => continue,
            "<" => {
                let heard = stage.hear(socket).await;
                assert_eq!(heard.as_deref(), Some(said), "{place}");
            }
            ">" => stage.client(socket, said).await,
            "!" => stage.happen(event(said).unwrap_or_else(|| panic!("{place}: no such event"))).await,
            "@" if said == "beat" => stage.beat().await,
            "@" => stage.turn(said.parse().unwrap_or_else(|_| panic!("{place}: no instant"))).await,
            "=" => match said.split(' ').collect::<Vec<_>>()[..] {
                ["socket", _, user] => {
                    stage.open(user).await;
                    sockets += 1;
                }
                ["hold"] => world.hold_after(0),
                ["hold", "after", asks] => world.hold_after(asks.parse().unwrap()),
                ["release"] => {
                    world.release();
                    stage.release().await;
                }
                ["waiting", ..] => match event(&said.replacen("waiting", "rang", 1)) {
                    Some(Event::Rang { alarm, .. }) => world.waiting.lock().unwrap().push(alarm),
                    _ => panic!("{place}: cannot wait"),
                },
                [path, "Forbidden"] => world.set(path, Err(Refusal::Forbidden)),
                [path, "NotFound"] => world.set(path, Err(Refusal::NotFound)),
                [path, "InternalError"] => world.set(path, Err(Refusal::Fault { id: "f1".to_owned() })),
                [path, collection, token] => {
                    world.readable(path, collection.parse().unwrap(), token.parse().unwrap());
                }
                _ => panic!("{place}: cannot be set"),
            },
            _ => panic!("{place}: no such sign"),
        }
        let next = lines[at + 1..].iter().find(|line| !line.starts_with('#') && !line.is_empty());
        let more_to_hear = next.is_some_and(|next| told(next));
        // What stands at the desk, and sockets whose welcome follows, make nobody speak yet.
        let acted = sign != "=" || said == "release";
        if acted && !more_to_hear {
            for socket in 0..sockets {
                assert_eq!(stage.rest(socket).await, None, "{place}: said by socket {} as well", socket + 1);
            }
        }
    }
}

pub fn event(text: &str) -> Option<Event> {
    let words: Vec<&str> = text.split(' ').collect();
    let collection = |text: &str| text.parse().ok().map(CollectionId);
    Some(match words[..] {
        ["changed", path, id, token] => Event::Changed {
            collection: collection(id)?,
            address: Address::parse(path)?,
            token: Token(token.parse().ok()?),
            objects: Arc::default(),
        },
        ["rights", path, id] => Event::RightsChanged { collection: collection(id)?, address: Address::parse(path)? },
        ["list", user, change, path] => Event::ListChanged {
            user: UserName::new(user)?,
            change: [
                ListChange::Created,
                ListChange::Updated,
                ListChange::Deleted,
                ListChange::Delegated,
                ListChange::Subscribed,
            ]
            .into_iter()
            .find(|known| known.as_str() == change)?,
            address: Address::parse(path)?,
        },
        ["imported", path, id, import, ref counts @ ..] => Event::Imported {
            collection: collection(id)?,
            address: Address::parse(path)?,
            import: import.to_owned(),
            counts: match counts {
                ["failed"] => None,
                [succeeded, failed] => Some((succeeded.parse().ok()?, failed.parse().ok()?)),
                _ => return None,
            },
        },
        ["importing", path, id, import, succeeded, failed, done, total] => Event::Importing {
            collection: collection(id)?,
            address: Address::parse(path)?,
            import: import.to_owned(),
            stand: Stand {
                succeeded: succeeded.parse().ok()?,
                failed: failed.parse().ok()?,
                done: done.parse().ok()?,
                total: total.parse().ok()?,
            },
        },
        ["rang", user, action, path, start, ref summary @ ..] => {
            let (parent, object) = path.rsplit_once('/')?;
            let start = start.parse().ok()?;
            let alarm = Rang {
                at: start,
                object: Address::parse(parent)?.object(object)?,
                action: [Action::Display, Action::Audio, Action::Email]
                    .into_iter()
                    .find(|known| known.as_str() == action)?,
                summary: summary.join(" "),
                start,
                end: start,
                // The same words are the same ringing.
                id: text.bytes().fold(7, |id: u64, byte| id.wrapping_mul(31).wrapping_add(byte.into())),
                attendees: Vec::new(),
                words: None,
            };
            Event::Rang { user: UserName::new(user)?, alarm }
        }
        ["signed-out", user] => Event::SignedOut { user: UserName::new(user)?, whose: Sockets::All },
        _ => return None,
    })
}

/// The state machine alone.
struct Pure {
    world: Arc<World>,
    now: DateTime<Utc>,
    sockets: Vec<PureSocket>,
}

struct PureSocket {
    side: Side,
    topics: HashSet<Topic>,
    asks: VecDeque<(u64, Ask)>,
    said: VecDeque<String>,
    closed: bool,
}

impl Pure {
    fn act(&mut self, socket: usize, act: impl FnOnce(&mut Side, &mut Vec<Step>)) {
        let mut steps = Vec::new();
        if self.sockets[socket].closed {
            return;
        }
        act(&mut self.sockets[socket].side, &mut steps);
        self.perform(socket, steps);
    }

    fn perform(&mut self, socket: usize, steps: Vec<Step>) {
        let it = &mut self.sockets[socket];
        for step in steps {
            match step {
                Step::Ask { number, ask } => it.asks.push_back((number, ask)),
                Step::Listen(topic) => assert!(it.topics.insert(topic), "listened twice"),
                Step::Unlisten(topic) => assert!(it.topics.remove(&topic), "was not listening"),
                Step::Say(outgoing) => it.said.push_back(payload(&outgoing.frame)),
                Step::Close(leave) => {
                    it.said.push_back(format!("close {}", leave.code));
                    it.closed = true;
                }
                Step::Wake(_) | Step::Rest { .. } => panic!("Side does not wait"),
            }
        }
        while let Some((number, ask)) = self.sockets[socket].asks.front().cloned() {
            let user = UserName::new("anybody").unwrap();
            let outcome = match ask {
                Ask::Resolve(address) => {
                    let Some(answer) = self.world.look(&address) else { return };
                    answer.map_or_else(Outcome::Refused, Outcome::Readable)
                }
                Ask::Waiting => {
                    self.world.waiting(&user).now_or_never().unwrap().map_or_else(Outcome::Refused, Outcome::Waiting)
                }
                Ask::Told(alarms) => {
                    self.world.told(&user, alarms).now_or_never().unwrap().unwrap();
                    Outcome::Noted
                }
                Ask::SignIn(..)
                | Ask::Bear(_)
                | Ask::See
                | Ask::Look(_)
                | Ask::Taken(_)
                | Ask::Channel(_)
                | Ask::Unread { .. } => panic!("Side never asks this"),
            };
            let it = &mut self.sockets[socket];
            it.asks.pop_front();
            let mut steps = Vec::new();
            it.side.answered(number, outcome, self.now, &mut steps);
            self.perform(socket, steps);
        }
    }
}

impl Stage for Pure {
    async fn open(&mut self, user: &str) {
        let side = Side::new(UserName::new(user).unwrap(), PATHS_DEFAULT);
        let (topics, asks, said) = (HashSet::new(), VecDeque::new(), VecDeque::new());
        self.sockets.push(PureSocket { side, topics, asks, said, closed: false });
        let now = self.now;
        self.act(self.sockets.len() - 1, |side, steps| side.opened(now, steps));
    }

    async fn client(&mut self, socket: usize, text: &str) {
        let now = self.now;
        let frame = match text.strip_prefix("binary ") {
            Some(bytes) => Frame::Binary(bytes.as_bytes()),
            None => Frame::Text(text),
        };
        self.act(socket, |side, steps| side.heard(frame, now, steps));
    }

    async fn happen(&mut self, event: Event) {
        let notice = Notice::new(event, 1, 0, false, Flight::unwatched());
        for socket in 0..self.sockets.len() {
            if notice.event.topics().iter().any(|topic| self.sockets[socket].topics.contains(topic)) {
                self.act(socket, |side, steps| side.happened(&notice, steps));
            }
        }
    }

    async fn beat(&mut self) {
        let now = self.now;
        for socket in 0..self.sockets.len() {
            self.act(socket, |side, steps| side.woke(now, steps));
        }
    }

    async fn turn(&mut self, now: DateTime<Utc>) {
        self.now = now;
    }

    async fn release(&mut self) {
        for socket in 0..self.sockets.len() {
            self.perform(socket, Vec::new());
        }
    }

    async fn hear(&mut self, socket: usize) -> Option<String> {
        self.sockets[socket].said.pop_front()
    }

    async fn rest(&mut self, socket: usize) -> Option<String> {
        self.sockets[socket].said.pop_front()
    }
}

/// The text in a frame of the server.
pub fn payload(frame: &[u8]) -> String {
    assert_eq!(frame[0], 0x81, "a whole text frame");
    let head = match frame[1] {
        126 => 4,
        127 => 10,
        _ => 2,
    };
    String::from_utf8(frame[head..].to_vec()).unwrap()
}

/// A service on a real socket, with a client for each socket of the transcript.
struct Live {
    hub: Arc<Hub>,
    clock: ManualClock,
    address: SocketAddr,
    sockets: Vec<Option<WebSocketStream<TcpStream>>>,
    _stop: tokio::sync::oneshot::Sender<()>,
}

impl Live {
    async fn start(world: Arc<World>) -> Live {
        let hub = Hub::new(Limits::default());
        let clock = ManualClock::at(start());
        let desk: Arc<dyn Desk> = world.clone();
        let door = Arc::new(Door {
            hub: Arc::clone(&hub),
            desk,
            clock: Arc::new(clock.clone()),
            pace: Arc::new(RealPace),
            settings: Settings::default(),
            paths_max: PATHS_DEFAULT,
            directory: world,
            manners: Manners::default(),
            stomp: Default::default(),
            cti_silence: None,
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let service = TowerToHyperService::new(warp::service(routes(door)));
        tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            accept::serve(listener, service, accept::Settings::default(), stopped).await;
        });
        Live { hub, clock, address, sockets: Vec::new(), _stop: stop }
    }

    async fn next(&mut self, socket: usize) -> Option<String> {
        let client = self.sockets[socket].as_mut()?;
        loop {
            match pace::within(PATIENCE, client.next()).await.expect("the server says nothing")? {
                Ok(Message::Text(text)) => return Some(text.to_string()),
                Ok(Message::Close(close)) => {
                    self.sockets[socket] = None;
                    return Some(format!("close {}", u16::from(close?.code)));
                }
                Ok(_) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// `/ws/{user}`, without asking who that is.
fn routes(door: Arc<Door>) -> impl Filter<Extract = (impl warp::Reply,), Error = warp::Rejection> + Clone {
    warp::path!("ws" / String)
        .and(warp::header::headers_cloned())
        .and(warp::ext::get::<OnUpgrade>())
        .and(warp::ext::get::<accept::Peer>())
        .and_then(move |user: String, headers: http::HeaderMap, on_upgrade: OnUpgrade, peer: accept::Peer| {
            let door = Arc::clone(&door);
            async move {
                assert!(peer.0.ip().is_loopback());
                let user = UserName::new(&user).unwrap();
                let handshake = match Handshake::read(&http::Method::GET, http::Version::HTTP_11, &headers) {
                    Ok(handshake) => handshake,
                    Err(why) => return Ok::<_, Infallible>(why.response()),
                };
                let side = Box::new(Side::new(user.clone(), PATHS_DEFAULT));
                Ok(handshake.accept(&door, on_upgrade, Some(&user), side))
            }
        })
}

impl Stage for Live {
    async fn open(&mut self, user: &str) {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let url = format!("ws://{}/ws/{user}", self.address);
        let (client, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
        self.sockets.push(Some(client));
    }

    async fn client(&mut self, socket: usize, text: &str) {
        let message = match text.strip_prefix("binary ") {
            Some(bytes) => Message::Binary(bytes.as_bytes().to_vec().into()),
            None => Message::text(text),
        };
        self.sockets[socket].as_mut().unwrap().send(message).await.unwrap();
    }

    async fn happen(&mut self, event: Event) {
        self.hub.hear(&Notice::new(event, 1, 0, false, Flight::unwatched()));
    }

    async fn beat(&mut self) {
        for _ in 0..BEATS {
            self.hub.pulse();
        }
    }

    async fn turn(&mut self, now: DateTime<Utc>) {
        self.clock.set(now);
    }

    async fn release(&mut self) {}

    async fn hear(&mut self, socket: usize) -> Option<String> {
        self.next(socket).await
    }

    async fn rest(&mut self, socket: usize) -> Option<String> {
        // News come before what is read, and a message is read only when no ask can go on: after the second answer all is said.
        for _ in 0..2 {
            self.sockets[socket].as_mut()?.send(Message::text("{}")).await.unwrap();
            let said = self.next(socket).await;
            if said.as_deref() != Some("{}") {
                return said;
            }
        }
        None
    }
}

fn transcripts() -> Vec<(String, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/transcripts/side");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    let name = |path: &std::path::Path| path.file_name().unwrap().to_string_lossy().into_owned();
    files.iter().map(|path| (name(path), std::fs::read_to_string(path).unwrap())).collect()
}

#[tokio::test]
async fn side_says_the_same_as_a_pure_state_machine() {
    for (name, text) in transcripts() {
        let world = World::new();
        let mut stage = Pure { world: Arc::clone(&world), now: start(), sockets: Vec::new() };
        run(&mut stage, &world, &name, &text).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn side_says_the_same_over_a_real_socket() {
    for (name, text) in transcripts() {
        let world = World::new();
        let mut stage = Live::start(Arc::clone(&world)).await;
        run(&mut stage, &world, &name, &text).await;
    }
}

#[test]
fn one_socket_registers_a_thousand_paths_and_no_more() {
    let world = World::new();
    let mut stage = Pure { world: Arc::clone(&world), now: start(), sockets: Vec::new() };
    let said = futures_util::FutureExt::now_or_never(async {
        stage.open("alice").await;
        stage.hear(0).await;
        let mut said = Vec::new();
        for part in 0..=PATHS_DEFAULT / 100 {
            let paths: Vec<String> = (part * 100..part * 100 + 100).map(|n| format!("/calendars/alice/c{n}")).collect();
            paths.iter().enumerate().for_each(|(at, path)| world.readable(path, (part * 100 + at) as u64 + 1, 1));
            let ask = serde_json::json!({ "register": paths[..if part == 10 { 1 } else { 100 }] });
            stage.client(0, &ask.to_string()).await;
            said.push(stage.hear(0).await.unwrap());
        }
        said
    })
    .unwrap();
    assert!(said[..10].iter().all(|said| said.starts_with(r#"{"registered":"#) && !said.contains("not")));
    assert_eq!(said[10], r#"{"notRegistered":{"/calendars/alice/c1000":"InternalError"}}"#);
}
