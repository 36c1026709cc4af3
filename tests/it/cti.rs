//! CTI conversations written down in `tests/transcripts/cti`, each run through the pure state machine and over a real socket.
//!
//! `= open person ORG USER TOKEN`, `= open group …` and `= open events` open the next socket. `>` the client says (`2>` the second one,
//! `> binary …` a binary frame), `<` the server says, and nothing else is said. `= person ID NUMBER STATUS STAMP` and `= group ID NUMBER STAMP`
//! set what stands at the desk, `= unseen WHY` what it refuses, `= hold` and `= release` when it answers. `! presence ID STATUS STAMP` happens,
//! as do `! group ID STAMP` and `! signed-out USER`. `% SECONDS` lets pace go by, `#` is a comment. It is always nine o'clock.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use campanile::bus::{Flight, Listener, Notice};
use campanile::domain::address::{Address, UserName};
use campanile::domain::bearer::{Bearing, Hold};
use campanile::domain::collection::CollectionId;
use campanile::domain::event::{Event, GroupChange, GroupFace, Rang, Sockets, Topic};
use campanile::domain::notification::{ConversationId, MessageId};
use campanile::domain::organisation::{Id, Member, Summary};
use campanile::domain::presence::{Call, Direction, Line, News, Readers, Shown, Status, Title};
use campanile::domain::refusal::Refusal;
use campanile::gateway::cti::conversation::{Cti, Proof};
use campanile::gateway::cti_events::conversation::CtiEvents;
use campanile::gateway::dialect::{Ask, Desk, Dialect, Frame, Outcome, Readable, Step, Visitor};
use campanile::gateway::hub::{Hub, Limits};
use campanile::gateway::session::Settings;
use campanile::gateway::sight::{Seen, Sight, Target, Unseen};
use campanile::gateway::upgrade::{Door, Handshake};
use campanile::gateway::wazo::conversation::Manners;
use campanile::http::accept;
use campanile::service::groups::{GroupPortrait, Portrait, Waiting};
use campanile::service::login::Credentials;
use campanile::system::clock::ManualClock;
use campanile::system::pace::{self, ManualPace};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, SinkExt, StreamExt};
use hyper::upgrade::OnUpgrade;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_tungstenite::WebSocketStream;
use tungstenite::Message;
use warp::Filter;

use crate::desk::World;

/// Far more than any answer takes; reached only when one is missing.
const PATIENCE: Duration = Duration::from_secs(20);
const SUBSCRIPTIONS_MAX: usize = 3;
const SILENCE: Option<Duration> = Some(Duration::from_secs(90));

fn nine() -> DateTime<Utc> {
    "2025-01-15T09:00:00Z".parse().unwrap()
}

fn id(text: &str) -> Id {
    Id::new(text).unwrap()
}

/// A desk of the tests' own: one organisation `demo` with number 1.
struct Town {
    state: Mutex<State>,
    released: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    people: BTreeMap<String, (News, u64)>,
    group: Option<(GroupFace, u64)>,
    unseen: Option<Unseen>,
    held: bool,
}

impl State {
    fn portrait(&self) -> Option<GroupPortrait> {
        let (face, stamp) = self.group.clone()?;
        let members: Vec<News> = self.people.values().map(|(news, _)| news.clone()).collect();
        Some(GroupPortrait {
            face,
            organisation_number: 1,
            name: "Team".to_owned(),
            summary: self.summary(),
            members,
            waiting: Waiting { count: 2, average: 45, longest: 60 },
            at: nine(),
            stamp,
        })
    }

    fn summary(&self) -> Summary {
        Summary::of(self.people.values().map(|(news, _)| news.shown.status))
    }
}

impl Town {
    fn new() -> Arc<Town> {
        Arc::new(Town { state: Mutex::default(), released: watch::Sender::new(0) })
    }

    fn see(&self, sight: &Sight) -> Option<Result<Seen, Unseen>> {
        let state = self.state.lock().unwrap();
        if state.held {
            return None;
        }
        if let Some(unseen) = &state.unseen {
            return Some(Err(unseen.clone()));
        }
        if !["demo", "1"].contains(&sight.organisation.as_str()) {
            return Some(Err(Unseen::Organisation));
        }
        let named = |id: &Id, number: u64, text: &str| id.as_str() == text || number.to_string() == text;
        Some(match &sight.target {
            Target::Person(name) => {
                let mut people = state.people.values();
                let found = people.find(|(news, _)| named(&news.member.id, news.member.number, name));
                let portrait =
                    |(news, stamp): &(News, u64)| Portrait { news: news.clone(), manual: None, stamp: *stamp };
                found.map(|found| Seen::Person(portrait(found))).ok_or(Unseen::Target)
            }
            Target::Group(name) => {
                let portrait = state.portrait().filter(|one| named(&one.face.id, one.face.number, name));
                portrait.map(Seen::Group).ok_or(Unseen::Target)
            }
        })
    }

    fn sign(credentials: &Credentials) -> Result<UserName, Refusal> {
        match credentials {
            Credentials::Bearer(token) if token == "crowd" => {
                Err(Refusal::Busy { limit: "too many sockets of one user", retry_seconds: 5 })
            }
            Credentials::Bearer(token) if token == "broken" => Err(Refusal::Fault { id: "f1".to_owned() }),
            Credentials::Bearer(token) => {
                token.strip_suffix("-token").and_then(UserName::new).ok_or(Refusal::Unauthenticated)
            }
            _ => Err(Refusal::Unauthenticated),
        }
    }

    /// Changes what stands here; the events that this is told with.
    fn set(&self, words: &[&str]) -> Option<Vec<(Event, u64)>> {
        let mut state = self.state.lock().unwrap();
        Some(match words {
            ["person", name, number, status, stamp] => {
                let number: u64 = number.parse().ok()?;
                let news = News {
                    member: Member {
                        organisation: id("demo"),
                        organisation_number: 1,
                        id: id(name),
                        number,
                        user: UserName::new(name)?,
                        display_name: format!("Person {name}"),
                        extension: format!("100{number}"),
                    },
                    at: nine(),
                    before: Status::Offline,
                    shown: shown(status)?,
                    since: nine(),
                    last_activity: nine() - TimeDelta::seconds(5),
                };
                state.people.insert((*name).to_owned(), (news, stamp.parse().ok()?));
                Vec::new()
            }
            ["group", name, number, stamp] => {
                let face = GroupFace { organisation: id("demo"), id: id(name), number: number.parse().ok()? };
                state.group = Some((face, stamp.parse().ok()?));
                Vec::new()
            }
            ["no", "group"] => {
                state.group = None;
                Vec::new()
            }
            ["unseen", why @ ..] => {
                state.unseen = match why {
                    [] => None,
                    ["organisation"] => Some(Unseen::Organisation),
                    ["target"] => Some(Unseen::Target),
                    ["denied"] => Some(Unseen::Denied),
                    ["busy"] => {
                        let limit = "the store has too many writes waiting";
                        Some(Unseen::Trouble(Refusal::Busy { limit, retry_seconds: 1 }))
                    }
                    ["fault"] => Some(Unseen::Trouble(Refusal::Fault { id: "f1".to_owned() })),
                    _ => return None,
                };
                Vec::new()
            }
            ["presence", name, status, stamp, more @ ..] => {
                let stamp: u64 = stamp.parse().ok()?;
                let (news, known) = state.people.get_mut(*name)?;
                news.before = news.shown.status;
                news.shown = shown(status)?;
                news.shown.message = (more.first() == Some(&"says")).then(|| more[1..].join(" "));
                if let ["titled", reader, title @ ..] = more {
                    let readers = Readers::These(vec![UserName::new(reader)?]);
                    news.shown.title = Some(Title { text: title.join(" "), readers });
                }
                if let ["moved", organisation] = more {
                    news.member.organisation = id(organisation);
                }
                *known = stamp;
                let news = Arc::new(news.clone());
                let mut told = vec![(Event::PresenceChanged { news: news.clone() }, stamp)];
                let summary = state.summary();
                if let Some((group, known)) = &mut state.group {
                    *known = stamp;
                    told.push((Event::MemberChanged { group: group.clone(), summary, news }, stamp));
                }
                told
            }
            ["group-changed", stamp] => {
                let stamp = stamp.parse().ok()?;
                let (group, known) = state.group.as_mut()?;
                *known = stamp;
                vec![(Event::GroupChanged { group: group.clone(), what: GroupChange::Itself }, stamp)]
            }
            ["signed-out", user] => {
                vec![(Event::SignedOut { user: UserName::new(user)?, whose: Sockets::All }, 1)]
            }
            _ => return None,
        })
    }
}

/// A status; `ringing` and `call` are available with a call.
fn shown(word: &str) -> Option<Shown> {
    let (status, beneath, line) = match word {
        "ringing" => (Status::OnCall, Status::Available, Some(Line::Ringing)),
        "answered" => (Status::OnCall, Status::Available, Some(Line::Answered)),
        word => {
            let status = Status::parse(word)?;
            (status, status, None)
        }
    };
    let call = line.map(|line| Call {
        channel: "a1b2c3d4-e5f6-7890-abcd-ef1234567890".to_owned(),
        line,
        direction: Direction::Inbound,
        since: nine() - TimeDelta::seconds(145),
        conference: None,
    });
    Some(Shown { status, beneath, message: None, title: None, call })
}

impl Desk for Town {
    fn resolve<'a>(&'a self, _: &'a UserName, _: &'a Address) -> BoxFuture<'a, Result<Readable, Refusal>> {
        panic!("CTI asks for no collection")
    }

    fn waiting<'a>(&'a self, _: &'a UserName) -> BoxFuture<'a, Result<Vec<Rang>, Refusal>> {
        panic!("CTI asks for no alarms")
    }

    fn sign_in<'a>(&'a self, credentials: &'a Credentials, _: IpAddr) -> BoxFuture<'a, Result<Visitor, Refusal>> {
        Box::pin(async { Ok(Visitor { user: Town::sign(credentials)?, device: None, hold: None }) })
    }

    fn holds<'a>(&'a self, _: &'a Hold) -> BoxFuture<'a, Result<bool, Refusal>> {
        Box::pin(async { Ok(true) })
    }

    fn look<'a>(&'a self, _: &'a UserName, sight: &'a Sight) -> BoxFuture<'a, Result<Seen, Unseen>> {
        Box::pin(async move {
            let mut released = self.released.subscribe();
            loop {
                if let Some(seen) = self.see(sight) {
                    return seen;
                }
                released.changed().await.unwrap();
            }
        })
    }

    fn bear<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Bearing, Refusal>> {
        panic!("CTI asks for no tokens")
    }

    fn see<'a>(&'a self, _: &'a UserName) -> BoxFuture<'a, Result<Vec<(CollectionId, Address)>, Refusal>> {
        panic!("CTI asks for no lists")
    }

    fn told<'a>(&'a self, _: &'a UserName, _: Vec<(DateTime<Utc>, u64)>) -> BoxFuture<'a, Result<(), Refusal>> {
        panic!("CTI tells of no alarms")
    }

    fn taken<'a>(&'a self, _: &'a UserName, _: Vec<(ConversationId, MessageId)>) -> BoxFuture<'a, Result<(), Refusal>> {
        panic!("CTI tells of no messages")
    }

    fn channel<'a>(&'a self, _: &'a UserName, _: &'a Address) -> BoxFuture<'a, Result<String, Refusal>> {
        panic!("CTI asks for no channels")
    }

    fn unread<'a>(
        &'a self,
        _: &'a UserName,
        _: &'a str,
        _: &'a str,
    ) -> BoxFuture<'a, Result<(UserName, u64), Refusal>> {
        panic!("CTI presence asks for no counts")
    }
}

/// What kind of socket a transcript opens.
fn dialect(words: &[&str]) -> Box<dyn Dialect> {
    let from = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let (kind, organisation, name, token) = match words {
        ["events"] => return Box::new(CtiEvents::new(from, SUBSCRIPTIONS_MAX, SILENCE)),
        [kind, organisation, name, token] => (*kind, *organisation, *name, *token),
        _ => panic!("no socket is opened with {words:?}"),
    };
    let target = if kind == "group" { Target::Group(name.to_owned()) } else { Target::Person(name.to_owned()) };
    let credentials = if token == "none" { Credentials::None } else { Credentials::Bearer(token.to_owned()) };
    let sight = Sight { organisation: organisation.to_owned(), target };
    Box::new(Cti::new(Proof::Credentials(credentials, from), sight, SILENCE))
}

/// Something that plays the server's part.
trait Stage {
    async fn open(&mut self, words: &[&str]);
    async fn client(&mut self, socket: usize, text: &str);
    async fn happen(&mut self, event: Event, stamp: u64);
    async fn pass(&mut self, seconds: u64);
    async fn release(&mut self);
    /// The next thing that the server says.
    async fn hear(&mut self, socket: usize) -> Option<String>;
    /// What the server said beyond that, now that it has nothing left to do.
    async fn rest(&mut self, socket: usize) -> Option<String>;
}

async fn run(stage: &mut impl Stage, town: &Town, name: &str, text: &str) {
    let mut sockets = 0;
    let lines: Vec<&str> = text.lines().collect();
    let told = |line: &str| line.trim_start_matches(char::is_numeric).starts_with('<');
    for (at, line) in lines.iter().enumerate() {
        let place = format!("{name}:{}", at + 1);
        let rest = line.trim_start_matches(char::is_numeric);
        let socket = line[..line.len() - rest.len()].parse::<usize>().unwrap_or(1).wrapping_sub(1);
        let (sign, said) = rest.split_at(rest.len().min(1));
        let said = said.strip_prefix(' ').unwrap_or(said);
        let words: Vec<&str> = said.split(' ').collect();
        match sign {
            "" | "#" => continue,
            "<" => assert_eq!(stage.hear(socket).await.as_deref(), Some(said), "{place}"),
            ">" => stage.client(socket, said).await,
            "%" => stage.pass(said.parse().unwrap()).await,
            "!" => {
                for (event, stamp) in town.set(&words).unwrap_or_else(|| panic!("{place}: no such event")) {
                    stage.happen(event, stamp).await;
                }
            }
            "=" => match words[..] {
                ["open", ref words @ ..] => {
                    stage.open(words).await;
                    sockets += 1;
                }
                ["hold"] => town.state.lock().unwrap().held = true,
                ["release"] => {
                    town.state.lock().unwrap().held = false;
                    town.released.send_modify(|times| *times += 1);
                    stage.release().await;
                }
                _ => assert!(town.set(&words).is_some(), "{place}: cannot be set"),
            },
            _ => panic!("{place}: no such sign"),
        }
        let next = lines[at + 1..].iter().find(|line| !line.starts_with('#') && !line.is_empty());
        if !next.is_some_and(|next| told(next)) {
            for socket in 0..sockets {
                assert_eq!(stage.rest(socket).await, None, "{place}: said by socket {} as well", socket + 1);
            }
        }
    }
}

/// The state machines alone.
struct Pure {
    town: Arc<Town>,
    sockets: Vec<PureSocket>,
}

struct PureSocket {
    dialect: Box<dyn Dialect>,
    topics: HashSet<Topic>,
    asks: VecDeque<(u64, Ask)>,
    rest: Option<(u8, Duration)>,
    said: VecDeque<String>,
    /// What has gone by since the client said something.
    quiet: Duration,
    closed: bool,
}

impl Pure {
    fn act(&mut self, socket: usize, act: impl FnOnce(&mut dyn Dialect, &mut Vec<Step>)) {
        let mut steps = Vec::new();
        if !self.sockets[socket].closed {
            act(&mut *self.sockets[socket].dialect, &mut steps);
            self.perform(socket, steps);
        }
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
                    it.said.push_back(format!("close {} {}", leave.code, leave.reason));
                    it.closed = true;
                    return;
                }
                Step::Rest { timer, after } => it.rest = Some((timer, after)),
                Step::Wake(_) => panic!("CTI goes by pace"),
            }
        }
        while let Some((number, ask)) = self.sockets[socket].asks.front().cloned() {
            let outcome = match ask {
                Ask::SignIn(credentials, _) => {
                    Town::sign(&credentials).map_or_else(Outcome::Refused, Outcome::SignedIn)
                }
                Ask::Look(sight) => match self.town.see(&sight) {
                    None => return,
                    Some(Ok(seen)) => Outcome::Sighted(Box::new(seen)),
                    Some(Err(unseen)) => Outcome::Unseen(unseen),
                },
                other => panic!("CTI does not ask {other:?}"),
            };
            let it = &mut self.sockets[socket];
            it.asks.pop_front();
            let mut steps = Vec::new();
            it.dialect.answered(number, outcome, nine(), &mut steps);
            self.perform(socket, steps);
        }
    }
}

impl Stage for Pure {
    async fn open(&mut self, words: &[&str]) {
        let (topics, asks, said) = (HashSet::new(), VecDeque::new(), VecDeque::new());
        let dialect = dialect(words);
        self.sockets.push(PureSocket { dialect, topics, asks, rest: None, said, quiet: Duration::ZERO, closed: false });
        self.act(self.sockets.len() - 1, |dialect, steps| dialect.opened(nine(), steps));
    }

    async fn client(&mut self, socket: usize, text: &str) {
        let frame = match text.strip_prefix("binary ") {
            Some(bytes) => Frame::Binary(bytes.as_bytes()),
            None => Frame::Text(text),
        };
        self.sockets[socket].quiet = Duration::ZERO;
        self.act(socket, |dialect, steps| dialect.heard(frame, nine(), steps));
    }

    async fn happen(&mut self, event: Event, stamp: u64) {
        let notice = Notice::new(event, stamp, 0, false, Flight::unwatched());
        for socket in 0..self.sockets.len() {
            for topic in notice.event.topics() {
                if self.sockets[socket].topics.contains(&topic) {
                    self.act(socket, |dialect, steps| dialect.happened(&notice, steps));
                }
            }
        }
    }

    async fn pass(&mut self, seconds: u64) {
        for socket in 0..self.sockets.len() {
            // As the session does it.
            let it = &mut self.sockets[socket];
            it.quiet += Duration::from_secs(seconds);
            let silence = it.dialect.silence().filter(|(after, _)| it.quiet >= *after);
            if let Some((_, leave)) = silence.filter(|_| !it.closed) {
                self.act(socket, |_, steps| steps.push(Step::Close(leave)));
                continue;
            }
            let rest = &mut self.sockets[socket].rest;
            match rest.take() {
                Some((timer, after)) if after <= Duration::from_secs(seconds) => {
                    self.act(socket, |dialect, steps| dialect.rested(timer, nine(), steps));
                }
                other => *rest = other.map(|(timer, after)| (timer, after - Duration::from_secs(seconds))),
            }
        }
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
fn payload(frame: &[u8]) -> String {
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
    pace: ManualPace,
    address: SocketAddr,
    sockets: Vec<Option<WebSocketStream<TcpStream>>>,
    _stop: tokio::sync::oneshot::Sender<()>,
}

impl Live {
    async fn start(town: Arc<Town>) -> Live {
        let hub = Hub::new(Limits::default());
        let pace = ManualPace::default();
        let door = Arc::new(Door {
            hub: Arc::clone(&hub),
            desk: town,
            directory: World::new(),
            manners: Manners::default(),
            clock: Arc::new(ManualClock::at(nine())),
            pace: Arc::new(pace.clone()),
            settings: Settings::default(),
            paths_max: SUBSCRIPTIONS_MAX,
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
        Live { hub, pace, address, sockets: Vec::new(), _stop: stop }
    }

    async fn next(&mut self, socket: usize) -> Option<String> {
        let client = self.sockets[socket].as_mut()?;
        loop {
            match pace::within(PATIENCE, client.next()).await.expect("the server says nothing")? {
                Ok(Message::Text(text)) => return Some(text.to_string()),
                Ok(Message::Close(close)) => {
                    self.sockets[socket] = None;
                    let close = close?;
                    return Some(format!("close {} {}", u16::from(close.code), close.reason));
                }
                Ok(_) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// `/a/socket/in/words`, whoever asks.
fn routes(door: Arc<Door>) -> impl Filter<Extract = (impl warp::Reply,), Error = warp::Rejection> + Clone {
    warp::path::full().and(warp::header::headers_cloned()).and(warp::ext::get::<OnUpgrade>()).and_then(
        move |path: warp::path::FullPath, headers: http::HeaderMap, on_upgrade: OnUpgrade| {
            let door = Arc::clone(&door);
            async move {
                let words: Vec<&str> = path.as_str().trim_start_matches('/').split('/').collect();
                let handshake = Handshake::read(&http::Method::GET, http::Version::HTTP_11, &headers).unwrap();
                Ok::<_, Infallible>(handshake.accept(&door, on_upgrade, None, dialect(&words)))
            }
        },
    )
}

impl Stage for Live {
    async fn open(&mut self, words: &[&str]) {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let url = format!("ws://{}/{}", self.address, words.join("/"));
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

    async fn happen(&mut self, event: Event, stamp: u64) {
        self.hub.hear(&Notice::new(event, stamp, 0, false, Flight::unwatched()));
    }

    async fn pass(&mut self, seconds: u64) {
        self.pace.pass(Duration::from_secs(seconds));
    }

    async fn release(&mut self) {}

    async fn hear(&mut self, socket: usize) -> Option<String> {
        self.next(socket).await
    }

    async fn rest(&mut self, socket: usize) -> Option<String> {
        // News and the desk's answers come before what is read: after the second pong all is said.
        for _ in 0..2 {
            self.sockets[socket].as_mut()?.send(Message::text(r#"{"type":"ping"}"#)).await.unwrap();
            let said = self.next(socket).await;
            if said.as_deref() != Some(r#"{"type":"pong"}"#) {
                return said;
            }
        }
        None
    }
}

fn transcripts() -> Vec<(String, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/transcripts/cti");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    let name = |path: &std::path::Path| path.file_name().unwrap().to_string_lossy().into_owned();
    files.iter().map(|path| (name(path), std::fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn cti_says_the_same_as_a_pure_state_machine() {
    for (name, text) in transcripts() {
        let town = Town::new();
        let mut stage = Pure { town: Arc::clone(&town), sockets: Vec::new() };
        run(&mut stage, &town, &name, &text).now_or_never().expect("it never waits");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cti_says_the_same_over_a_real_socket() {
    for (name, text) in transcripts() {
        let town = Town::new();
        let mut stage = Live::start(Arc::clone(&town)).await;
        run(&mut stage, &town, &name, &text).await;
    }
}
