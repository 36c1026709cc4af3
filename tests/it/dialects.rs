//! Transcripts of the dialects that go by pace and sign in by themselves: each run through the pure state machine and over a real socket.
//!
//! `>` the client says (`> binary …` as a binary message), `<` the server says (`< close 1008` is a close), and nothing else is said.
//! `\n`, `\r`, `\0` and `\\` stand for what they usually do; `VERSION` is the service's own. `=` changes what stands at the desk, or
//! opens the socket (`= open`, `= open alice`); `!` happens; `@ pass 10s` lets pace go by; `#` is a comment.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use campanile::bus::{Flight, Listener, Notice};
use campanile::domain::address::UserName;
use campanile::domain::event::{Event, Topic};
use campanile::domain::refusal::Refusal;
use campanile::gateway::dialect::{Ask, Desk, Dialect, Frame, Outcome, Step};
use campanile::gateway::hub::{Hub, Limits};
use campanile::gateway::session::Settings;
use campanile::gateway::side::conversation::PATHS_DEFAULT;
use campanile::gateway::upgrade::{Door, Handshake};
use campanile::http::accept;
use campanile::system::clock::ManualClock;
use campanile::system::pace::{self, ManualPace};
use chrono::{DateTime, Utc};
use futures_util::{FutureExt, SinkExt, StreamExt};
use hyper::upgrade::OnUpgrade;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tungstenite::Message;
use warp::Filter;

use crate::desk::World;
use crate::wire::server;

/// Far more than any answer takes; reached only when one is missing.
const PATIENCE: Duration = Duration::from_secs(20);

/// A dialect with its folder of transcripts.
pub struct Script {
    pub folder: &'static str,
    pub make: fn(Option<UserName>) -> Box<dyn Dialect>,
    pub event: fn(&str) -> Option<Event>,
}

fn now() -> DateTime<Utc> {
    "2025-01-15T09:00:00Z".parse().unwrap()
}

/// Something that plays the server's part.
trait Stage {
    async fn open(&mut self, script: &Script, user: Option<&str>);
    async fn client(&mut self, bytes: &[u8], binary: bool);
    async fn happen(&mut self, event: Event);
    async fn pass(&mut self, length: Duration);
    /// The next thing that the server says.
    async fn hear(&mut self) -> Option<String>;
    /// What the server said beyond that, now that it has nothing left to do.
    async fn rest(&mut self) -> Option<String>;
}

fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let c = if c == '\\' {
            match chars.next() {
                Some('n') => '\n',
                Some('r') => '\r',
                Some('0') => '\0',
                Some('\\') => '\\',
                Some('x') => {
                    let hex: String = chars.by_ref().take(2).collect();
                    bytes.push(u8::from_str_radix(&hex, 16).expect("two hex digits"));
                    continue;
                }
                other => panic!("no such escape: {other:?}"),
            }
        } else {
            c
        };
        bytes.extend(c.encode_utf8(&mut [0; 4]).bytes());
    }
    bytes
}

fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r").replace('\0', "\\0");
    text.replace(concat!("campanile/", env!("CARGO_PKG_VERSION")), "campanile/VERSION")
}

async fn run(stage: &mut impl Stage, script: &Script, world: &World, name: &str, text: &str) {
    let lines: Vec<&str> = text.lines().collect();
    for (at, line) in lines.iter().enumerate() {
        let place = format!("{}/{name}:{}", script.folder, at + 1);
        let (sign, said) = line.split_at(line.len().min(1));
        let said = said.strip_prefix(' ').unwrap_or(said);
        match sign {
            "" | "#" => continue,
            "<" => assert_eq!(stage.hear().await.as_deref(), Some(said), "{place}"),
            ">" => match said.strip_prefix("binary ") {
                Some(said) => stage.client(&unescaped(said), true).await,
                None => stage.client(&unescaped(said), false).await,
            },
            "!" => stage.happen((script.event)(said).unwrap_or_else(|| panic!("{place}: no such event"))).await,
            "@" => {
                let seconds = said.strip_prefix("pass ").and_then(|said| said.strip_suffix('s')?.parse().ok());
                stage.pass(Duration::from_secs_f64(seconds.unwrap_or_else(|| panic!("{place}: no time")))).await;
            }
            "=" => match said.split(' ').collect::<Vec<_>>()[..] {
                ["open"] => stage.open(script, None).await,
                ["open", user] => stage.open(script, Some(user)).await,
                ["gone", path] => world.set(path, Err(Refusal::NotFound)),
                ["unread", user, unread] => world.set_unread(user, unread.parse().unwrap()),
                [path, collection, token] => world.readable(path, collection.parse().unwrap(), token.parse().unwrap()),
                _ => panic!("{place}: cannot be set"),
            },
            _ => panic!("{place}: no such sign"),
        }
        let next = lines[at + 1..].iter().find(|line| !line.starts_with('#') && !line.is_empty());
        let more_to_hear = next.is_some_and(|next| next.starts_with('<'));
        if (sign != "=" || said.starts_with("open")) && !more_to_hear {
            assert_eq!(stage.rest().await, None, "{place}: said as well");
        }
    }
}

/// The state machine alone.
struct Pure {
    world: Arc<World>,
    socket: Option<Socket>,
    gone: Duration,
}

struct Socket {
    dialect: Box<dyn Dialect>,
    user: Option<UserName>,
    topics: HashSet<Topic>,
    rests: BTreeMap<u8, Duration>,
    said: VecDeque<String>,
    closed: bool,
}

impl Pure {
    fn act(&mut self, act: impl FnOnce(&mut dyn Dialect, &mut Vec<Step>)) {
        let Some(socket) = self.socket.as_mut().filter(|socket| !socket.closed) else { return };
        let mut steps = Vec::new();
        act(&mut *socket.dialect, &mut steps);
        let mut asks = VecDeque::new();
        loop {
            for step in steps.drain(..) {
                match step {
                    Step::Ask { number, ask } => asks.push_back((number, ask)),
                    Step::Listen(topic) => drop(socket.topics.insert(topic)),
                    Step::Unlisten(topic) => drop(socket.topics.remove(&topic)),
                    Step::Say(outgoing) => {
                        let whole = [&outgoing.frame[..], &outgoing.tail[..]].concat();
                        let (_, payload) = server(&whole).remove(0);
                        socket.said.push_back(escaped(&String::from_utf8(payload).unwrap()));
                    }
                    Step::Close(leave) => {
                        socket.said.push_back(format!("close {}", leave.code));
                        socket.closed = true;
                        return;
                    }
                    Step::Rest { timer, after } => drop(socket.rests.insert(timer, self.gone + after)),
                    Step::Wake(_) => panic!("these dialects go by pace"),
                }
            }
            let Some((number, ask)) = asks.pop_front() else { return };
            let outcome = answer(&self.world, &mut socket.user, ask);
            socket.dialect.answered(number, outcome, now(), &mut steps);
        }
    }
}

/// What the desk answers, as `Talk` puts it.
fn answer(world: &World, user: &mut Option<UserName>, ask: Ask) -> Outcome {
    if let Ask::SignIn(credentials, from) = &ask {
        let outcome = world.sign_in(credentials, *from).now_or_never().unwrap();
        return outcome.map_or_else(Outcome::Refused, |visitor| {
            *user = Some(visitor.user.clone());
            Outcome::SignedIn(visitor.user)
        });
    }
    let Some(user) = user else { return Outcome::Refused(Refusal::Unauthenticated) };
    match ask {
        Ask::Taken(messages) => {
            world.taken(user, messages).now_or_never().unwrap().map_or_else(Outcome::Refused, |()| Outcome::Noted)
        }
        Ask::Channel(address) => {
            world.channel(user, &address).now_or_never().unwrap().map_or_else(Outcome::Refused, Outcome::Channel)
        }
        Ask::Unread { organisation, user: whose } => {
            let found = world.unread(user, &organisation, &whose).now_or_never().unwrap();
            found.map_or_else(Outcome::Refused, |(user, unread)| Outcome::Unread { user, unread })
        }
        other => panic!("nobody asks {other:?}"),
    }
}

impl Stage for Pure {
    async fn open(&mut self, script: &Script, user: Option<&str>) {
        let user = user.and_then(UserName::new);
        self.socket = Some(Socket {
            dialect: (script.make)(user.clone()),
            user,
            topics: HashSet::new(),
            rests: BTreeMap::new(),
            said: VecDeque::new(),
            closed: false,
        });
        self.act(|dialect, steps| dialect.opened(now(), steps));
    }

    async fn client(&mut self, bytes: &[u8], binary: bool) {
        let text = (!binary).then(|| std::str::from_utf8(bytes).expect("text"));
        let frame = text.map_or(Frame::Binary(bytes), Frame::Text);
        self.act(|dialect, steps| dialect.heard(frame, now(), steps));
    }

    async fn happen(&mut self, event: Event) {
        let notice = Notice::new(event, 1, 0, false, Flight::unwatched());
        let listens = |socket: &Socket| notice.event.topics().iter().any(|topic| socket.topics.contains(topic));
        if self.socket.as_ref().is_some_and(listens) {
            self.act(|dialect, steps| dialect.happened(&notice, steps));
        }
    }

    async fn pass(&mut self, length: Duration) {
        self.gone += length;
        loop {
            let Some(socket) = &mut self.socket else { return };
            let due = socket.rests.iter().find(|(_, at)| **at <= self.gone).map(|(timer, _)| *timer);
            let Some(timer) = due else { return };
            socket.rests.remove(&timer);
            self.act(|dialect, steps| dialect.rested(timer, now(), steps));
        }
    }

    async fn hear(&mut self) -> Option<String> {
        self.socket.as_mut()?.said.pop_front()
    }

    async fn rest(&mut self) -> Option<String> {
        self.hear().await
    }
}

/// A service on a real socket, with a client.
struct Live {
    hub: Arc<Hub>,
    pace: ManualPace,
    address: std::net::SocketAddr,
    client: Option<WebSocketStream<TcpStream>>,
    _stop: tokio::sync::oneshot::Sender<()>,
}

impl Live {
    async fn start(script: &'static Script, world: Arc<World>) -> Live {
        let hub = Hub::new(Limits::default());
        let pace = ManualPace::default();
        let desk: Arc<dyn Desk> = world.clone();
        let door = Arc::new(Door {
            hub: Arc::clone(&hub),
            desk,
            clock: Arc::new(ManualClock::at(now())),
            pace: Arc::new(pace.clone()),
            settings: Settings::default(),
            paths_max: PATHS_DEFAULT,
            directory: world,
            manners: Default::default(),
            stomp: Default::default(),
            cti_silence: None,
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let service = TowerToHyperService::new(warp::service(routes(script, door)));
        tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            accept::serve(listener, service, accept::Settings::default(), stopped).await;
        });
        Live { hub, pace, address, client: None, _stop: stop }
    }
}

/// `/{user}`, without asking who that is; `-` is nobody yet.
fn routes(
    script: &'static Script,
    door: Arc<Door>,
) -> impl Filter<Extract = (impl warp::Reply,), Error = warp::Rejection> + Clone {
    warp::path!(String).and(warp::header::headers_cloned()).and(warp::ext::get::<OnUpgrade>()).and_then(
        move |user: String, headers: http::HeaderMap, on_upgrade: OnUpgrade| {
            let door = Arc::clone(&door);
            async move {
                let user = UserName::new(&user).filter(|user| user.as_str() != "-");
                Ok::<_, Infallible>(match Handshake::read(&http::Method::GET, http::Version::HTTP_11, &headers) {
                    Ok(handshake) => handshake.accept(&door, on_upgrade, user.as_ref(), (script.make)(user.clone())),
                    Err(why) => why.response(),
                })
            }
        },
    )
}

impl Stage for Live {
    async fn open(&mut self, _: &Script, user: Option<&str>) {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let url = format!("ws://{}/{}", self.address, user.unwrap_or("-"));
        let (client, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
        self.client = Some(client);
    }

    async fn client(&mut self, bytes: &[u8], binary: bool) {
        let message = match binary {
            true => Message::Binary(bytes.to_vec().into()),
            false => Message::text(std::str::from_utf8(bytes).unwrap()),
        };
        self.client.as_mut().unwrap().send(message).await.unwrap();
    }

    async fn happen(&mut self, event: Event) {
        self.hub.hear(&Notice::new(event, 1, 0, false, Flight::unwatched()));
    }

    async fn pass(&mut self, length: Duration) {
        self.pace.pass(length);
    }

    async fn hear(&mut self) -> Option<String> {
        let client = self.client.as_mut()?;
        loop {
            match pace::within(PATIENCE, client.next()).await.expect("the server says nothing")? {
                Ok(Message::Text(text)) => return Some(escaped(&text)),
                Ok(Message::Pong(_)) => return None,
                Ok(Message::Close(close)) => {
                    self.client = None;
                    return Some(format!("close {}", u16::from(close?.code)));
                }
                Ok(_) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    async fn rest(&mut self) -> Option<String> {
        // Timers, news and answers of the desk come before what is read: after the second pong all is said.
        for _ in 0..2 {
            self.client.as_mut()?.send(Message::Ping(Default::default())).await.unwrap();
            let said = self.hear().await;
            if said.is_some() {
                return said;
            }
        }
        None
    }
}

fn transcripts(folder: &str) -> Vec<(String, String)> {
    let folder = format!("{}/tests/transcripts/{folder}", env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    let name = |path: &std::path::Path| path.file_name().unwrap().to_string_lossy().into_owned();
    files.iter().map(|path| (name(path), std::fs::read_to_string(path).unwrap())).collect()
}

pub async fn run_pure(script: &Script) {
    for (name, text) in transcripts(script.folder) {
        let world = World::new();
        let mut stage = Pure { world: Arc::clone(&world), socket: None, gone: Duration::ZERO };
        run(&mut stage, script, &world, &name, &text).await;
    }
}

pub async fn run_live(script: &'static Script) {
    for (name, text) in transcripts(script.folder) {
        let world = World::new();
        let mut stage = Live::start(script, Arc::clone(&world)).await;
        run(&mut stage, script, &world, &name, &text).await;
    }
}
