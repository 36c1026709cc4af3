//! The hub, its queues, and sessions on them: who is disturbed by whom, when a flight lands, and how sockets end.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use campanile::bus::local::LocalBus;
use campanile::bus::{Bus, Flight, Landing, Listener, Notice};
use campanile::domain::address::{Address, Kind, UserName};
use campanile::domain::collection::CollectionId;
use campanile::domain::event::{Event, ListChange, Topic};
use campanile::domain::refusal::Refusal;
use campanile::domain::sync::Token;
use campanile::gateway::dialect::Leave;
use campanile::gateway::hub::{BEATS, Full, Hub, Limits, Seat};
use campanile::gateway::queue::{End, Queue, Turn};
use campanile::gateway::session::{Ending, Session, Settings};
use campanile::gateway::side::conversation::{PATHS_DEFAULT, Side};
use campanile::system::clock::SystemClock;
use campanile::system::pace::{self, RealPace};
use futures_util::FutureExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;

use crate::desk::World;
use crate::wire::{self, CLOSE, PING, TEXT, whole};

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

const RESTART: Leave = Leave { code: 1012, reason: "restart" };

fn user(name: &str) -> UserName {
    UserName::new(name).unwrap()
}

fn address(name: &str) -> Address {
    Address::new(Kind::Calendar, "alice", name).unwrap()
}

fn changed(collection: u64, token: u64) -> Event {
    let address = address(&format!("c{collection}"));
    Event::Changed { collection: CollectionId(collection), address, token: Token(token), objects: Arc::default() }
}

fn rights(collection: u64) -> Event {
    Event::RightsChanged { collection: CollectionId(collection), address: address(&format!("c{collection}")) }
}

fn listed(name: &str) -> Event {
    Event::ListChanged { user: user("alice"), change: ListChange::Created, address: address(name) }
}

fn notice(event: Event) -> Arc<Notice> {
    Notice::new(event, 1, 0, false, Flight::unwatched())
}

fn watched(event: Event) -> (Arc<Notice>, Landing) {
    let (flight, landing) = Flight::start();
    (Notice::new(event, 1, 0, false, flight), landing)
}

/// A client of a session, over memory that holds `room` bytes.
struct Client {
    stream: DuplexStream,
    unread: Vec<u8>,
    session: JoinHandle<Ending>,
}

impl Client {
    async fn connect(hub: &Arc<Hub>, name: &str, room: usize, settings: Settings) -> Client {
        Client::with_desk(hub, name, room, settings, World::new()).await
    }

    async fn with_desk(hub: &Arc<Hub>, name: &str, room: usize, settings: Settings, desk: Arc<World>) -> Client {
        let seat = hub.join(Some(&user(name))).unwrap();
        let side = Box::new(Side::new(user(name), PATHS_DEFAULT));
        let session = Session::new(side, seat, desk, Arc::new(SystemClock), Arc::new(RealPace), settings);
        let (stream, far) = tokio::io::duplex(room);
        let session = tokio::spawn(session.run(far, Bytes::new()));
        let mut client = Client { stream, unread: Vec::new(), session };
        assert_eq!(client.text().await, r#"{"calendarListRegistered":true}"#);
        client
    }

    async fn say(&mut self, text: &str) {
        self.stream.write_all(&whole(TEXT, text.as_bytes())).await.unwrap();
    }

    async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            if let Some((frame, rest)) = wire::first(&self.unread) {
                self.unread = rest.to_vec();
                return Some(frame);
            }
            let mut buffer = [0; 1024];
            let read = pace::within(PATIENCE, self.stream.read(&mut buffer)).await.expect("nothing comes").unwrap();
            if read == 0 {
                return None;
            }
            self.unread.extend_from_slice(&buffer[..read]);
        }
    }

    async fn text(&mut self) -> String {
        let (opcode, payload) = self.frame().await.unwrap();
        assert_eq!(opcode, TEXT);
        String::from_utf8(payload).unwrap()
    }

    /// Reads to the end; the code of the close frame, if there was one.
    async fn last(&mut self) -> Option<u16> {
        let mut code = None;
        while let Some((opcode, payload)) = self.frame().await {
            if opcode == CLOSE {
                code = Some(u16::from_be_bytes([payload[0], payload[1]]));
            }
        }
        code
    }
}

fn listening(hub: &Arc<Hub>, topics: &[Topic]) -> Seat {
    let mut seat = hub.join(Some(&user("alice"))).unwrap();
    topics.iter().for_each(|topic| seat.listen(topic.clone()));
    seat
}

/// Everything that waits, in short: tokens of changes, and the rest by its kind.
fn waiting(queue: &Queue) -> Vec<String> {
    let mut said = Vec::new();
    while let Some(turn) = poll_fn(|context| queue.poll_turn(context)).now_or_never() {
        match turn {
            Turn::News(notices) => said.extend(notices.iter().map(|notice| match &notice.event {
                Event::Changed { collection, token, .. } => format!("{}@{}", collection.0, token.0),
                Event::RightsChanged { collection, .. } => format!("rights of {}", collection.0),
                _ => "news".to_owned(),
            })),
            Turn::Beat => said.push("beat".to_owned()),
            Turn::End(end) => {
                said.push(format!("{end:?}"));
                return said;
            }
        }
    }
    said
}

#[tokio::test]
async fn of_the_changes_of_a_collection_only_the_newest_waits() {
    let hub = Hub::new(Limits::default());
    let topics = [Topic::Collection(CollectionId(1)), Topic::Collection(CollectionId(2)), Topic::User(user("alice"))];
    let seat = listening(&hub, &topics);
    for token in 0..1_000 {
        hub.hear(&notice(changed(1, token)));
        hub.hear(&notice(changed(2, token)));
        hub.hear(&notice(changed(3, token)));
    }
    hub.hear(&notice(listed("x")));
    hub.hear(&notice(changed(1, 1_000)));
    assert_eq!(waiting(seat.queue()), ["1@1000", "2@999", "news"]);
    // What was taken is gone: the next change waits for itself.
    hub.hear(&notice(changed(1, 1_001)));
    assert_eq!(waiting(seat.queue()), ["1@1001"]);
    // A change does not slip in before the news that rights were lost.
    hub.hear(&notice(changed(1, 1_002)));
    hub.hear(&notice(rights(1)));
    hub.hear(&notice(changed(1, 1_003)));
    hub.hear(&notice(changed(1, 1_004)));
    assert_eq!(waiting(seat.queue()), ["1@1002", "rights of 1", "1@1004"]);
}

#[tokio::test]
async fn more_than_a_batch_is_taken_in_turns_and_still_coalesces() {
    let hub = Hub::new(Limits::default());
    let topics: Vec<Topic> = (0..200).map(|id| Topic::Collection(CollectionId(id))).collect();
    let seat = listening(&hub, &topics);
    (0..200).for_each(|id| hub.hear(&notice(changed(id, 1))));
    let Some(Turn::News(first)) = poll_fn(|context| seat.queue().poll_turn(context)).now_or_never() else { panic!() };
    assert_eq!(first.len(), campanile::gateway::queue::BATCH_MAX);
    (0..200).for_each(|id| hub.hear(&notice(changed(id, 2))));
    let rest = waiting(seat.queue());
    let want: Vec<String> = (64..200).chain(0..64).map(|id| format!("{id}@2")).collect();
    assert_eq!(rest, want);
}

#[tokio::test]
async fn a_full_queue_ends_its_socket_and_no_other() {
    let hub = Hub::new(Limits { queue_bytes_max: 10_000, ..Limits::default() });
    let topics = [Topic::User(user("alice"))];
    let (full, taken) = (listening(&hub, &topics), listening(&hub, &topics));
    let mut heard = 0;
    for _ in 0..200 {
        hub.hear(&notice(listed("x")));
        heard += waiting(taken.queue()).len();
    }
    assert_eq!(heard, 200);
    assert_eq!(waiting(full.queue()), [format!("{:?}", End::Slow)]);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_closed_and_the_others_hear_everything() {
    let hub = Hub::new(Limits { queue_bytes_max: 8 << 10, ..Limits::default() });
    let mut slow = Client::connect(&hub, "alice", 500, Settings::default()).await;
    let mut quick = Client::connect(&hub, "alice", 500, Settings::default()).await;
    for at in 0..500 {
        hub.hear(&notice(listed(&format!("new-{at}"))));
        assert_eq!(quick.text().await, format!(r#"{{"calendarList":{{"created":["/calendars/alice/new-{at}"]}}}}"#));
    }
    // What it reads at last ends with a close after which browsers connect again, and the frame before that is whole.
    assert_eq!(slow.last().await, Some(1013));
    assert!(matches!(slow.session.await.unwrap(), Ending::ByUs(Leave { code: 1013, .. })));
    assert_eq!(hub.count(), 1);
    hub.hear(&notice(listed("after")));
    assert!(quick.text().await.contains("after"));
}

#[tokio::test]
async fn a_client_that_takes_nothing_until_the_deadline_is_dropped() {
    let hub = Hub::new(Limits::default());
    let settings = Settings { write_deadline: Duration::from_millis(20), ..Settings::default() };
    let slow = Client::connect(&hub, "alice", 40, settings).await;
    let (sent, landing) = watched(listed("x"));
    hub.hear(&sent);
    drop(sent);
    assert_eq!(slow.session.await.unwrap(), Ending::Stalled);
    pace::within(PATIENCE, landing.landed()).await.expect("the flight lands with the socket");
    assert_eq!(hub.count(), 0);
}

#[tokio::test]
async fn a_flight_lands_when_the_last_socket_has_it() {
    let bus = LocalBus::default();
    let hub = Hub::new(Limits::default());
    bus.attach(Arc::clone(&hub) as Arc<dyn Listener>);
    let mut quick = Client::connect(&hub, "alice", 1_000, Settings::default()).await;
    let mut narrow = Client::connect(&hub, "alice", 40, Settings::default()).await;
    let (sent, landing) = watched(listed("x"));
    let mut landing = Box::pin(landing.landed());
    bus.publish(sent);
    quick.text().await;
    // The narrow one has room for a part of the frame alone.
    assert!(landing.as_mut().now_or_never().is_none());
    narrow.text().await;
    pace::within(PATIENCE, landing).await.expect("lands");
    // Nobody listens: it lands at once.
    let (sent, landing) = watched(changed(1, 1));
    bus.publish(sent);
    assert!(landing.landed().now_or_never().is_some());
}

#[tokio::test]
async fn a_flight_lands_when_a_newer_change_takes_its_place_or_the_socket_goes() {
    let hub = Hub::new(Limits::default());
    let seat = listening(&hub, &[Topic::Collection(CollectionId(1))]);
    let (first, first_landing) = watched(changed(1, 1));
    let (second, second_landing) = watched(changed(1, 2));
    hub.hear(&first);
    drop(first);
    let mut first_landing = Box::pin(first_landing.landed());
    assert!(first_landing.as_mut().now_or_never().is_none());
    hub.hear(&second);
    drop(second);
    assert!(first_landing.now_or_never().is_some());
    let mut second_landing = Box::pin(second_landing.landed());
    assert!(second_landing.as_mut().now_or_never().is_none());
    drop(seat);
    assert!(second_landing.now_or_never().is_some());
}

#[tokio::test]
async fn a_suspended_registration_hears_nothing_and_keeps_no_flight_in_the_air() {
    let hub = Hub::new(Limits::default());
    let world = World::new();
    world.readable("/calendars/alice/c1", 1, 10);
    let mut client = Client::with_desk(&hub, "alice", 10_000, Settings::default(), Arc::clone(&world)).await;
    client.say(r#"{"register":["/calendars/alice/c1"]}"#).await;
    assert_eq!(client.text().await, r#"{"registered":["/calendars/alice/c1"]}"#);
    world.set("/calendars/alice/c1", Err(Refusal::Forbidden));
    hub.hear(&notice(rights(1)));
    let (sent, landing) = watched(changed(1, 11));
    hub.hear(&sent);
    drop(sent);
    pace::within(PATIENCE, landing.landed()).await.expect("lands unsaid");
    client.say("{}").await;
    assert_eq!(client.text().await, "{}");
}

#[tokio::test]
async fn sockets_are_counted_and_limited() {
    let hub = Hub::new(Limits { sockets_max: 3, sockets_per_user_max: 2, ..Limits::default() });
    let refused = |name: Option<&UserName>| hub.join(name).err();
    let first = hub.join(Some(&user("alice"))).unwrap();
    let _second = hub.join(Some(&user("alice"))).unwrap();
    assert_eq!(refused(Some(&user("alice"))), Some(Full::SocketsOfUser));
    let mut later = hub.join(None).unwrap();
    assert_eq!(later.sign_in(&user("alice")), Err(Full::SocketsOfUser));
    assert_eq!(refused(Some(&user("bob"))), Some(Full::Sockets));
    assert_eq!((hub.count(), hub.count_of(&user("alice")), hub.count_of(&user("bob"))), (3, 2, 0));
    drop(first);
    later.sign_in(&user("alice")).unwrap();
    later.sign_in(&user("bob")).unwrap();
    assert_eq!((hub.count(), hub.count_of(&user("alice")), hub.count_of(&user("bob"))), (2, 1, 1));
    drop(later);
    assert_eq!((hub.count(), hub.count_of(&user("bob"))), (1, 0));
}

#[tokio::test]
async fn a_restart_closes_every_socket_after_what_waits() {
    let hub = Hub::new(Limits::default());
    let mut client = Client::connect(&hub, "alice", 10_000, Settings::default()).await;
    hub.hear(&notice(listed("x")));
    let closing = tokio::spawn({
        let hub = Arc::clone(&hub);
        async move { hub.close_all(RESTART, PATIENCE).await }
    });
    assert!(client.text().await.contains("/calendars/alice/x"));
    let (opcode, payload) = client.frame().await.unwrap();
    assert_eq!((opcode, &payload[..2]), (CLOSE, &1012u16.to_be_bytes()[..]));
    // Its answer is awaited, and then the server ends the connection.
    client.stream.write_all(&whole(CLOSE, &payload[..2])).await.unwrap();
    assert!(client.frame().await.is_none());
    assert_eq!(client.session.await.unwrap(), Ending::ByUs(RESTART));
    assert_eq!(closing.await.unwrap(), 0);
    assert_eq!(hub.join(None).err(), Some(Full::Closing));
}

#[tokio::test]
async fn a_restart_does_not_wait_for_ever() {
    let hub = Hub::new(Limits::default());
    let client = Client::connect(&hub, "alice", 10_000, Settings { linger: PATIENCE, ..Settings::default() }).await;
    assert_eq!(hub.close_all(RESTART, Duration::from_millis(20)).await, 1);
    drop(client.stream);
    client.session.await.unwrap();
    assert_eq!(hub.count(), 0);
}

#[tokio::test]
async fn every_socket_is_pinged_once_in_a_period() {
    let hub = Hub::new(Limits::default());
    let mut clients = Vec::new();
    for _ in 0..7 {
        clients.push(Client::connect(&hub, "alice", 1_000, Settings::default()).await);
    }
    for _ in 0..BEATS {
        hub.pulse();
    }
    hub.hear(&notice(listed("x")));
    for client in &mut clients {
        assert_eq!(client.frame().await, Some((PING, Vec::new())));
        assert!(client.text().await.contains("created"));
    }
    // The loop of the service does the same by itself.
    tokio::spawn(Arc::clone(&hub).beat(Duration::from_millis(20)));
    for client in &mut clients {
        assert_eq!(client.frame().await, Some((PING, Vec::new())));
    }
}

#[tokio::test]
async fn a_client_that_answers_no_ping_is_dropped_where_that_is_asked_for() {
    let hub = Hub::new(Limits::default());
    let settings = Settings { silent_pings_max: 2, ..Settings::default() };
    let mut client = Client::connect(&hub, "alice", 1_000, settings).await;
    let ping = async |client: &mut Client| {
        (0..BEATS).for_each(|_| hub.pulse());
        client.frame().await
    };
    for _ in 0..3 {
        assert_eq!(ping(&mut client).await, Some((PING, Vec::new())));
        client.stream.write_all(&whole(wire::PONG, b"")).await.unwrap();
        client.say("{}").await;
        assert_eq!(client.text().await, "{}");
    }
    assert!(ping(&mut client).await.is_some());
    assert!(ping(&mut client).await.is_some());
    assert!(ping(&mut client).await.is_none());
    assert_eq!(client.session.await.unwrap(), Ending::Silent);
}

#[tokio::test]
async fn a_connection_that_breaks_leaves_nothing_behind() {
    let hub = Hub::new(Limits::default());
    let mut client = Client::connect(&hub, "alice", 1_000, Settings::default()).await;
    client.stream.write_all(&whole(TEXT, b"{}")[..3]).await.unwrap();
    drop(client.stream);
    assert_eq!(client.session.await.unwrap(), Ending::Lost);
    assert_eq!((hub.count(), hub.count_of(&user("alice"))), (0, 0));
}

#[tokio::test]
async fn a_client_that_asks_without_end_is_read_no_faster_than_it_is_answered() {
    let hub = Hub::new(Limits::default());
    let world = World::new();
    world.hold_after(0);
    let mut client = Client::with_desk(&hub, "alice", 1 << 10, Settings::default(), Arc::clone(&world)).await;
    let request = whole(TEXT, br#"{"unregister":["/calendars/alice/none"]}"#);
    let written = std::cell::Cell::new(0);
    {
        let mut writing = Box::pin(async {
            loop {
                client.stream.write_all(&request).await.unwrap();
                written.set(written.get() + 1);
            }
        });
        for _ in 0..1_000 {
            assert!(writing.as_mut().now_or_never().is_none());
            tokio::task::yield_now().await;
        }
    }
    // Its bound, what one read brings beyond it, and what the connection holds.
    assert!((64..150).contains(&written.get()), "{} were read ahead", written.get());
    world.release();
    for _ in 0..written.get() {
        assert_eq!(client.text().await, r#"{"notUnregistered":{"/calendars/alice/none":"NotFound"}}"#);
    }
}
