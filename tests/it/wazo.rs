//! Conversations with a Wazo client, written down in `tests/transcripts/wazo`, each run through the pure state machine and over a real socket;
//! and the access lists beside a second opinion.
//!
//! `+ alice-2` opens another socket with token `alice-2` and version 1, `+ alice-2 2` with version 2, `+ - 1` without a token. `>` the client
//! says, `2>` the second one; `<` the server says, and nothing else is said. `= token NAME person tenant until acl…` knows a token, `= token
//! NAME gone` forgets it, `= sees ID /path` adds to what everybody sees, `= hides ID` takes away, `= hold`, `= release`. `!` happens, `@` is
//! the clock. Data of events is compared by its `name` and `required_acl`, `< event NAME ACL`, or word for word.

use std::collections::{HashSet, VecDeque};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use campanile::bus::{Flight, Listener, Notice};
use campanile::domain::acl::Acl;
use campanile::domain::address::{Address, UserName};
use campanile::domain::alarm::State;
use campanile::domain::bearer::{Bearing, Purpose, Standing};
use campanile::domain::collection::CollectionId;
use campanile::domain::event::{Deed, Demand, Event, Invitation, ObjectChange, Published, Topic};
use campanile::domain::organisation::{Id, Member};
use campanile::domain::presence::{Call, Direction, Line, News, Readers, Shown, Status, Title};
use campanile::domain::refusal::Refusal;
use campanile::domain::sync::Token;
use campanile::gateway::dialect::{Ask, Dialect, Directory, Frame, Outcome, Step};
use campanile::gateway::hub::{Hub, Limits};
use campanile::gateway::session::Settings;
use campanile::gateway::side::conversation::PATHS_DEFAULT;
use campanile::gateway::upgrade::{Door, Handshake};
use campanile::gateway::wazo::conversation::{Manners, Wazo};
use campanile::gateway::wazo::say::Version;
use campanile::http::accept;
use campanile::system::clock::ManualClock;
use campanile::system::pace::{self, RealPace};
use chrono::{DateTime, Utc};
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::OnUpgrade;
use hyper_util::service::TowerToHyperService;
use proptest::prelude::*;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tungstenite::Message;
use uuid::Uuid;
use warp::Filter;

use crate::desk::World;
use crate::transcripts::{self, PATIENCE, payload, start};

/// Something that plays the server's part.
trait Stage {
    async fn open(&mut self, token: Option<&str>, version: Option<Version>);
    async fn client(&mut self, socket: usize, text: &str);
    async fn happen(&mut self, event: Event);
    async fn turn(&mut self, now: DateTime<Utc>);
    async fn release(&mut self);
    async fn hear(&mut self, socket: usize) -> Option<String>;
    /// What the server said beyond that, now that it has nothing left to do.
    async fn rest(&mut self, socket: usize) -> Option<String>;
}

/// What the server said, in the words of a transcript.
fn worded(said: String) -> String {
    let Ok(value) = serde_json::from_str::<Value>(&said) else { return said };
    let body = if value["op"] == "event" { &value["data"] } else { &value };
    match (body["name"].as_str(), body["required_acl"].as_str()) {
        (Some(name), Some(acl)) if body["data"].is_object() => {
            let summary = body["data"]["summary"].as_str().map(|summary| format!(" {summary:?}")).unwrap_or_default();
            let data = &body["data"];
            let news = match name {
                "chatd_presence_updated" => {
                    let dnd = if data["do_not_disturb"] == true { " dnd" } else { "" };
                    let word = |key: &str| data[key].as_str().unwrap_or("?").to_owned();
                    assert_eq!(
                        (&body["user_uuid:*"], &data["lines"][0]["state"]),
                        (&Value::Bool(true), &data["line_state"])
                    );
                    format!(" {} {}{dnd} {}", word("state"), word("line_state"), data["status"])
                }
                "users_services_dnd_updated" => format!(" {}", data["enabled"]),
                _ => String::new(),
            };
            format!("event {name} {acl}{summary}{news}")
        }
        _ => said,
    }
}

fn person(letter: &str) -> Uuid {
    let letter = letter.as_bytes().first().copied().unwrap_or(0);
    Uuid::from_u128(letter.into())
}

fn tenant(text: &str) -> Uuid {
    Uuid::from_u128(u128::from_str_radix(text, 16).unwrap())
}

fn know(world: &World, words: &[&str]) {
    let [name, who, rest @ ..] = words else { panic!("{words:?}") };
    if *who == "gone" {
        world.tokens.lock().unwrap().remove(*name);
        return;
    }
    let [place, until, acl @ ..] = rest else { panic!("{words:?}") };
    let (user, standing) = who.split_once('+').unwrap_or((who, ""));
    let standing = Standing {
        purpose: Purpose::from_name(standing).unwrap_or_default(),
        admin: standing == "admin",
        master: standing == "master",
    };
    let usual = acl.is_empty();
    let list: Vec<String> = match usual {
        true => campanile::domain::bearer::USUAL.map(str::to_owned).to_vec(),
        false => acl.iter().map(|&pattern| pattern.to_owned()).collect(),
    };
    let bearing = Bearing {
        user: UserName::new(user),
        uuid: person(user),
        tenant: tenant(place),
        organisation: Id::new(place),
        session: Uuid::from_u128(name.bytes().fold(1, |sum, byte| sum * 31 + u128::from(byte))),
        until: until.parse().ok(),
        acl: list,
        usual,
        standing,
        foreign: false,
    };
    world.tokens.lock().unwrap().insert((*name).to_owned(), bearing);
}

fn event(world: &World, text: &str) -> Option<Event> {
    let words: Vec<&str> = text.split(' ').collect();
    Some(match words[..] {
        // ! wrote created /calendars/alice/work 1 7 uid private Summary
        ["wrote", deed, path, id, token, uid, private, ref summary @ ..] => {
            let deeds = [("created", Deed::Created), ("updated", Deed::Updated), ("deleted", Deed::Deleted)];
            let object = ObjectChange {
                name: Arc::from(format!("{uid}.ics")),
                uid: uid.to_owned(),
                deed: deeds.into_iter().find(|(name, _)| *name == deed)?.1,
                summary: summary.join(" "),
                span: None,
                private: private == "private",
                invitation: match private {
                    "asked" => Some(Invitation::Received),
                    "answered" => Some(Invitation::Replied),
                    _ => None,
                },
            };
            Event::Changed {
                collection: CollectionId(id.parse().ok()?),
                address: Address::parse(path)?,
                token: Token(token.parse().ok()?),
                objects: [object].into(),
            }
        }
        ["ended", token] => {
            let bearing = world.token(token).ok()?;
            Event::TokenEnded { user: bearing.user?, session: bearing.session }
        }
        // ! acknowledged alice DISPLAY /calendars/alice/work/x.ics 2025-… Summary
        ["acknowledged" | "snoozed", ..] => {
            let (deed, rest) = text.split_once(' ')?;
            let Event::Rang { user, alarm } = transcripts::event(&format!("rang {rest}"))? else { return None };
            let state = if deed == "snoozed" { State::Snoozed(start()) } else { State::Acknowledged };
            Event::Answered { user, alarm, state }
        }
        // ! presence alice e01 available>busy - said Lunch; `-` or how far a call has come; a message that was `said`, a title that is `shown`
        // to strangers, one that is `secret`
        ["presence", user, organisation, change, line, ref text @ ..] => {
            let (before, after) = change.split_once('>')?;
            let (user, status) = (UserName::new(user)?, Status::parse(after)?);
            let (kind, text) = text.split_first().map_or(("", String::new()), |(kind, words)| (*kind, words.join(" ")));
            let readers = if kind == "shown" { Readers::Everybody } else { Readers::These(vec![user.clone()]) };
            let call = Line::parse(line).map(|line| {
                let direction = Direction::Inbound;
                Call { channel: "c".to_owned(), line, direction, since: start(), conference: None }
            });
            let member = Member {
                organisation: Id::new(organisation)?,
                organisation_number: 1,
                id: Id::new(user.as_str())?,
                number: 1,
                user,
                display_name: String::new(),
                extension: String::new(),
            };
            let shown = Shown {
                status,
                // A telephone that rings speaks over somebody who is away.
                beneath: if call.is_some() { Status::Away } else { status },
                message: (kind == "said").then(|| text.clone()),
                title: ["shown", "secret"].contains(&kind).then_some(Title { text, readers }),
                call,
            };
            let (at, before) = (start(), Status::parse(before)?);
            Event::PresenceChanged { news: Arc::new(News { member, at, before, shown, since: at, last_activity: at }) }
        }
        // ! published NAME tenant origin users acl body; users as letters, `*` for everybody, `-` for nobody
        ["published", name, place, origin, users, acl, ref body @ ..] => Event::Published(Arc::new(Published {
            name: name.to_owned(),
            demand: match acl {
                "unsaid" => Demand::Unsaid,
                "null" => Demand::Nothing,
                required => Demand::Grant(required.to_owned()),
            },
            tenant: tenant(place),
            origin: tenant(origin),
            users: users.split(',').filter(|user| !matches!(*user, "*" | "-")).map(person).collect(),
            everybody: users.contains('*'),
            body: body.join(" "),
        })),
        _ => transcripts::event(text)?,
    })
}

async fn run(stage: &mut impl Stage, world: &World, name: &str, text: &str) {
    let mut sockets = 0;
    let lines: Vec<&str> = text.lines().collect();
    for (at, line) in lines.iter().enumerate() {
        let place = format!("{name}:{}", at + 1);
        let rest = line.trim_start_matches(char::is_numeric);
        let socket = line[..line.len() - rest.len()].parse::<usize>().unwrap_or(1) - 1;
        let (sign, said) = rest.split_at(rest.len().min(1));
        let said = said.strip_prefix(' ').unwrap_or(said);
        match sign {
            "" | "#" => continue,
            "<" => {
                let heard = stage.hear(socket).await.map(worded);
                assert_eq!(heard.as_deref(), Some(said), "{place}");
            }
            ">" => stage.client(socket, said).await,
            "!" => {
                let event = event(world, said).unwrap_or_else(|| panic!("{place}: no such event"));
                stage.happen(event).await;
            }
            "@" => stage.turn(said.parse().unwrap_or_else(|_| panic!("{place}: no instant"))).await,
            "+" => {
                let (token, version) = said.split_once(' ').unwrap_or((said, "1"));
                stage.open(Some(token).filter(|token| *token != "-"), Version::read(Some(version))).await;
                sockets += 1;
            }
            "=" => match said.split(' ').collect::<Vec<_>>()[..] {
                ["token", ref words @ ..] => know(world, words),
                ["sees", id, path] => {
                    let place = (CollectionId(id.parse().unwrap()), Address::parse(path).unwrap());
                    world.seen.lock().unwrap().push(place);
                }
                ["hides", id] => world.seen.lock().unwrap().retain(|(seen, _)| seen.0.to_string() != id),
                ["hold"] => world.hold_after(0),
                ["hold", "after", asks] => world.hold_after(asks.parse().unwrap()),
                ["release"] => {
                    world.release();
                    stage.release().await;
                }
                _ => panic!("{place}: cannot be set"),
            },
            _ => panic!("{place}: no such sign"),
        }
        let next = lines[at + 1..].iter().find(|line| !line.starts_with('#') && !line.is_empty());
        let more = next.is_some_and(|next| next.trim_start_matches(char::is_numeric).starts_with('<'));
        // While answers are held back nobody can be asked whether all is said.
        if !more && (sign != "=" || said == "release") && !world.holds() {
            for socket in 0..sockets {
                assert_eq!(stage.rest(socket).await, None, "{place}: said by socket {} as well", socket + 1);
            }
        }
    }
}

struct Pure {
    world: Arc<World>,
    now: DateTime<Utc>,
    sockets: Vec<PureSocket>,
}

struct PureSocket {
    dialect: Wazo,
    topics: HashSet<Topic>,
    asks: VecDeque<(u64, Ask)>,
    wake: Option<DateTime<Utc>>,
    said: VecDeque<String>,
    closed: bool,
}

impl Pure {
    fn act(&mut self, socket: usize, act: impl FnOnce(&mut Wazo, &mut Vec<Step>)) {
        let mut steps = Vec::new();
        if self.sockets[socket].closed {
            return;
        }
        act(&mut self.sockets[socket].dialect, &mut steps);
        self.perform(socket, steps);
    }

    fn perform(&mut self, socket: usize, steps: Vec<Step>) {
        let it = &mut self.sockets[socket];
        for step in steps {
            if it.closed {
                return;
            }
            match step {
                Step::Ask { number, ask } => it.asks.push_back((number, ask)),
                Step::Listen(topic) => assert!(it.topics.insert(topic), "listened twice"),
                Step::Unlisten(topic) => assert!(it.topics.remove(&topic), "was not listening"),
                Step::Say(outgoing) => it.said.push_back(payload(&outgoing.frame)),
                Step::Close(leave) => {
                    it.said.push_back(format!("close {} {}", leave.code, leave.reason).trim().to_owned());
                    it.closed = true;
                }
                Step::Wake(at) => it.wake = Some(at),
                Step::Rest { .. } => panic!("Wazo has no timers"),
            }
        }
        while !self.sockets[socket].closed
            && let Some((number, ask)) = self.sockets[socket].asks.front().cloned()
        {
            if !self.world.may_answer() {
                return;
            }
            let outcome = match ask {
                Ask::Bear(token) => match self.world.token(&token) {
                    Ok(bearing) => Outcome::Borne(Box::new(bearing)),
                    Err(refusal) => Outcome::Refused(refusal),
                },
                Ask::See => Outcome::Seen(self.world.seen.lock().unwrap().clone()),
                other => panic!("Wazo does not ask {other:?}"),
            };
            let it = &mut self.sockets[socket];
            it.asks.pop_front();
            let mut steps = Vec::new();
            it.dialect.answered(number, outcome, self.now, &mut steps);
            self.perform(socket, steps);
        }
    }
}

impl Stage for Pure {
    async fn open(&mut self, token: Option<&str>, version: Option<Version>) {
        let directory: Arc<dyn Directory> = self.world.clone();
        let dialect = Wazo::new(version, token.map(str::to_owned), directory, Manners::default());
        let (topics, asks, said) = (HashSet::new(), VecDeque::new(), VecDeque::new());
        self.sockets.push(PureSocket { dialect, topics, asks, wake: None, said, closed: false });
        let now = self.now;
        self.act(self.sockets.len() - 1, |wazo, steps| wazo.opened(now, steps));
    }

    async fn client(&mut self, socket: usize, text: &str) {
        let now = self.now;
        let frame = match text.strip_prefix("binary ") {
            Some(bytes) => Frame::Binary(bytes.as_bytes()),
            None => Frame::Text(text),
        };
        self.act(socket, |wazo, steps| wazo.heard(frame, now, steps));
    }

    async fn happen(&mut self, event: Event) {
        let notice = Notice::new(event, 1, 0, false, Flight::unwatched());
        let mut topics = notice.event.topics();
        topics.push(Topic::Everything);
        for socket in 0..self.sockets.len() {
            if topics.iter().any(|topic| self.sockets[socket].topics.contains(topic)) {
                self.act(socket, |wazo, steps| wazo.happened(&notice, steps));
            }
        }
    }

    async fn turn(&mut self, now: DateTime<Utc>) {
        self.now = now;
        for socket in 0..self.sockets.len() {
            while self.sockets[socket].wake.is_some_and(|at| at <= now) {
                self.sockets[socket].wake = None;
                self.act(socket, |wazo, steps| wazo.woke(now, steps));
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

/// A service on a real socket.
struct Live {
    hub: Arc<Hub>,
    clock: ManualClock,
    address: SocketAddr,
    sockets: Vec<Option<WebSocketStream<TcpStream>>>,
    twos: Vec<bool>,
    started: Vec<bool>,
    _stop: tokio::sync::oneshot::Sender<()>,
}

impl Live {
    async fn start(world: Arc<World>) -> Live {
        let hub = Hub::new(Limits::default());
        let clock = ManualClock::at(start());
        let door = Arc::new(Door {
            hub: Arc::clone(&hub),
            desk: world.clone(),
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
        Live { hub, clock, address, sockets: Vec::new(), twos: Vec::new(), started: Vec::new(), _stop: stop }
    }

    async fn next(&mut self, socket: usize) -> Option<String> {
        let client = self.sockets[socket].as_mut()?;
        loop {
            match pace::within(PATIENCE, client.next()).await.expect("the server says nothing")? {
                Ok(Message::Text(text)) => return Some(text.to_string()),
                Ok(Message::Close(close)) => {
                    self.sockets[socket] = None;
                    let close = close?;
                    return Some(format!("close {} {}", u16::from(close.code), close.reason).trim().to_owned());
                }
                Ok(_) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// `/{token}/{version}`, `-` for none.
fn routes(door: Arc<Door>) -> impl Filter<Extract = (impl warp::Reply,), Error = warp::Rejection> + Clone {
    warp::path!(String / String).and(warp::header::headers_cloned()).and(warp::ext::get::<OnUpgrade>()).and_then(
        move |token: String, version: String, headers: http::HeaderMap, on_upgrade: OnUpgrade| {
            let door = Arc::clone(&door);
            async move {
                let handshake = Handshake::read(&http::Method::GET, http::Version::HTTP_11, &headers).unwrap();
                let token = Some(token).filter(|token| token != "-");
                let version = Version::read(Some(&version));
                let wazo = Wazo::new(version, token, Arc::clone(&door.directory), door.manners);
                Ok::<_, Infallible>(handshake.accept(&door, on_upgrade, None, Box::new(wazo)))
            }
        },
    )
}

// Asked by the stage, not by the transcript.
const SUBSCRIBE: &str = r#"{"op":"subscribe","data":{"event_name":"rest"}}"#;
const START: &str = r#"{"op":"start"}"#;
const PING: &str = r#"{"op":"ping","data":{"payload":"rest"}}"#;

impl Stage for Live {
    async fn open(&mut self, token: Option<&str>, version: Option<Version>) {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let number = match version {
            Some(Version::One) => "1",
            Some(Version::Two) => "2",
            None => "3",
        };
        let url = format!("ws://{}/{}/{number}", self.address, token.unwrap_or("-"));
        let (client, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
        self.sockets.push(Some(client));
        self.twos.push(version == Some(Version::Two));
        self.started.push(false);
    }

    async fn client(&mut self, socket: usize, text: &str) {
        self.started[socket] |= text == START;
        let message = match text.strip_prefix("binary ") {
            Some(bytes) => Message::Binary(bytes.as_bytes().to_vec().into()),
            None => Message::text(text),
        };
        self.sockets[socket].as_mut().unwrap().send(message).await.unwrap();
    }

    async fn happen(&mut self, event: Event) {
        self.hub.hear(&Notice::new(event, 1, 0, false, Flight::unwatched()));
    }

    async fn turn(&mut self, now: DateTime<Utc>) {
        self.clock.set(now);
    }

    async fn release(&mut self) {}

    async fn hear(&mut self, socket: usize) -> Option<String> {
        self.next(socket).await
    }

    async fn rest(&mut self, socket: usize) -> Option<String> {
        // Whoever answers this has said all that came before. The second version answers a ping; the first a subscription, or, once it is
        // started, that it is.
        let (ask, answer) = match (self.twos[socket], self.started[socket]) {
            (true, _) => (PING, r#"{"op":"pong","code":0,"msg":"","data":{"payload":"rest"}}"#),
            (false, false) => (SUBSCRIBE, r#"{"op":"subscribe","code":0,"msg":"","data":null}"#),
            (false, true) => (START, r#"{"op":"start","code":0,"msg":"","data":null}"#),
        };
        for _ in 0..2 {
            self.sockets[socket].as_mut()?.send(Message::text(ask)).await.unwrap();
            let said = self.next(socket).await;
            if said.as_deref() != Some(answer) {
                return said;
            }
        }
        None
    }
}

fn all() -> Vec<(String, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/transcripts/wazo");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    let name = |path: &std::path::Path| path.file_name().unwrap().to_string_lossy().into_owned();
    files.iter().map(|path| (name(path), std::fs::read_to_string(path).unwrap())).collect()
}

#[tokio::test]
async fn wazo_says_the_same_as_a_pure_state_machine() {
    for (name, text) in all() {
        let world = World::new();
        let mut stage = Pure { world: Arc::clone(&world), now: start(), sockets: Vec::new() };
        run(&mut stage, &world, &name, &text).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wazo_says_the_same_over_a_real_socket() {
    for (name, text) in all() {
        let world = World::new();
        let mut stage = Live::start(Arc::clone(&world)).await;
        run(&mut stage, &world, &name, &text).await;
    }
}

/// The same question by trying every split: slow, and with nothing in common with the service's way.
fn naive(pattern: &[char], text: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((run @ ('*' | '#'), rest)) => (0..=text.len()).any(|taken| {
            let fits = |c: &char| if *run == '*' { !matches!(c, '.' | '#') } else { *c != '\n' };
            text[..taken].iter().all(fits) && naive(rest, &text[taken..])
        }),
        Some((c, rest)) => text.first() == Some(c) && naive(rest, &text[1..]),
    }
}

/// A pattern with each of its words in every meaning.
fn meanings(pattern: &str, user: &str, session: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    for (at, word) in pattern.split('.').enumerate() {
        let words = match word {
            "me" => vec!["me", user],
            "my_session" => vec!["my_session", session],
            "edit" => vec!["edit", "update"],
            other => vec![other],
        };
        let dot = if at > 0 { "." } else { "" };
        all = all.iter().flat_map(|so_far| words.iter().map(move |word| format!("{so_far}{dot}{word}"))).collect();
    }
    all
}

fn naive_list(list: &[String], required: &str) -> bool {
    let text: Vec<char> = required.chars().collect();
    let fits = |pattern: &str| {
        meanings(pattern, "u1", "s1").iter().any(|meaning| naive(&meaning.chars().collect::<Vec<_>>(), &text))
    };
    let (denials, grants): (Vec<_>, Vec<_>) = list.iter().partition(|pattern| pattern.starts_with('!'));
    !denials.iter().any(|pattern| fits(&pattern[1..])) && grants.iter().any(|pattern| fits(pattern))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn access_lists_agree_with_a_second_opinion(
        list in prop::collection::vec("!?(me|a|b|edit|my_session|[ab*#]{0,3})(\\.(me|a|edit|update|[ab*#]{0,3})){0,3}", 0..4),
        required in "(me|u1|s1|a|b|[ab*#!]{0,3})(\\.(me|u1|a|edit|update|[ab*#]{0,2})){0,4}",
    ) {
        let acl = Acl::new(list.iter().map(String::as_str), "u1", "s1");
        prop_assert_eq!(acl.allows(Some(&required)), naive_list(&list, &required));
        prop_assert!(acl.allows(None));
    }
}

#[test]
fn one_socket_subscribes_to_a_thousand_names_and_no_more() {
    let world = World::new();
    know(&world, &["t", "alice", "e01", "-"]);
    let mut stage = Pure { world, now: start(), sockets: Vec::new() };
    futures_util::FutureExt::now_or_never(async {
        stage.open(Some("t"), Some(Version::Two)).await;
        for name in 0..1_000 {
            let ask = format!(r#"{{"op":"subscribe","data":{{"event_name":"n{name}"}}}}"#);
            stage.client(0, &ask).await;
            // The same name again takes no room.
            stage.client(0, &ask).await;
        }
        assert!(!stage.sockets[0].closed);
        stage.client(0, r#"{"op":"subscribe","data":{"event_name":"*"}}"#).await;
        stage.client(0, r#"{"op":"subscribe","data":{"event_name":"one more"}}"#).await;
        assert_eq!(stage.sockets[0].said.back().map(String::as_str), Some("close 1008 too many subscriptions"));
    })
    .unwrap();
}

#[test]
fn a_refusal_of_the_service_is_told_by_its_own_code() {
    let rows = [
        (Refusal::Unauthenticated, "close 4002 authentication failed"),
        (Refusal::Expired, "close 4002 authentication failed"),
        (Refusal::Busy { limit: "x", retry_seconds: 1 }, "close 1013 too many sockets: try again later"),
        (Refusal::TooOften { limit: "x", retry_seconds: 1 }, "close 1013 too many sockets: try again later"),
        (Refusal::Fault { id: "f".to_owned() }, "close 1011 internal error"),
    ];
    for (refusal, want) in rows {
        let directory: Arc<dyn Directory> = World::new();
        let mut wazo = Wazo::new(Some(Version::One), Some("t".to_owned()), directory, Manners::default());
        let mut steps = Vec::new();
        wazo.opened(start(), &mut steps);
        let Some(Step::Ask { number, .. }) = steps.pop() else { panic!("it asks") };
        wazo.answered(number, Outcome::Refused(refusal), start(), &mut steps);
        let Some(Step::Close(leave)) = steps.pop() else { panic!("it closes") };
        assert_eq!(format!("close {} {}", leave.code, leave.reason), want);
    }
}

#[test]
fn one_event_is_encoded_once_for_all_who_hear_it() {
    let world = World::new();
    know(&world, &["t", "alice", "e01", "-"]);
    let mut stage = Pure { world, now: start(), sockets: Vec::new() };
    futures_util::FutureExt::now_or_never(async {
        for version in [Version::One, Version::One, Version::Two, Version::Two] {
            stage.open(Some("t"), Some(version)).await;
            let socket = stage.sockets.len() - 1;
            stage.client(socket, r#"{"op":"subscribe","data":{"event_name":"*"}}"#).await;
            stage.client(socket, START).await;
        }
    })
    .unwrap();
    let event = event(&stage.world, "rang alice DISPLAY /calendars/alice/work/u.ics 2025-01-01T00:00:00Z Tea").unwrap();
    let notice = Notice::new(event, 1, 0, false, Flight::unwatched());
    let mut frames = Vec::new();
    for socket in &mut stage.sockets {
        let mut steps = Vec::new();
        socket.dialect.happened(&notice, &mut steps);
        match steps.as_slice() {
            [Step::Say(outgoing)] => frames.push(outgoing.frame.as_ptr()),
            other => panic!("it is told once: {other:?}"),
        }
    }
    assert_eq!((frames[0], frames[2]), (frames[1], frames[3]));
    assert_ne!(frames[0], frames[2]);
}
