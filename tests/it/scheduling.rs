//! Invitations over a bare store: one commit a home, and nothing lost or doubled between the organizer's commit and the others'.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use campanile::bus::local::LocalBus;
use campanile::domain::address::{Address, Kind, ObjectAddress};
use campanile::domain::object::Precondition;
use campanile::domain::principal::Principal;
use campanile::domain::refusal::Refusal;
use campanile::domain::scheduling::Rule;
use campanile::kv::memory::{self, Disk};
use campanile::kv::{Answer, Counts, Decide, Kv, KvError, KvFuture, Range, Snapshot};
use campanile::service::Service;
use campanile::service::scheduling::received::Received;
use campanile::service::settings::Settings;
use campanile::store::Store;
use campanile::system::clock::ManualClock;
use campanile::system::meter::Silent;
use campanile::system::random::SeededRandom;
use tokio::sync::watch;

use crate::live::NINE;

/// A store that counts its commits.
struct Counted {
    kv: Arc<dyn Kv>,
    commits: Arc<AtomicU64>,
}

impl Kv for Counted {
    fn read(&self, keys: Vec<Bytes>) -> KvFuture<'_, Vec<Option<Bytes>>> {
        self.kv.read(keys)
    }

    fn scan(&self, range: Range, limit: usize) -> KvFuture<'_, Vec<(Bytes, Bytes)>> {
        self.kv.scan(range, limit)
    }

    fn commit(&self, reads: Vec<Bytes>, decide: Decide) -> KvFuture<'_, Answer> {
        self.commits.fetch_add(1, Ordering::AcqRel);
        self.kv.commit(reads, decide)
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot>, KvError> {
        self.kv.snapshot()
    }

    fn disk_bytes(&self) -> u64 {
        self.kv.disk_bytes()
    }

    fn counts(&self) -> Counts {
        self.kv.counts()
    }

    fn close(&self) -> KvFuture<'_, ()> {
        self.kv.close()
    }

    fn failed(&self) -> watch::Receiver<Option<String>> {
        self.kv.failed()
    }
}

/// A service without its jobs: what is left to them stays where it is until it is asked for.
struct Town {
    service: Arc<Service>,
    commits: Arc<AtomicU64>,
    disk: Disk,
}

impl Town {
    async fn open(disk: Disk) -> Town {
        let commits: Arc<AtomicU64> = Arc::default();
        let kv = Arc::new(memory::open(&disk).expect("it opens"));
        let kv = Arc::new(Counted { kv, commits: commits.clone() });
        let clock = Arc::new(ManualClock::at(NINE.parse().expect("an instant")));
        let (random, bus) = (Arc::new(SeededRandom::new(7)), Arc::new(LocalBus::default()));
        let mut settings = Settings::default();
        settings.auth.proxy_create = true;
        settings.auth.mail_domain = "example.org".to_owned();
        let service = Service::new(Store::new(kv), clock, random, bus, settings, Arc::new(Silent));
        service.start_relay().await.expect("the relay starts");
        Town { service, commits, disk }
    }

    /// The process is gone, the disk is not.
    async fn crash(self) -> Town {
        let disk = self.disk.clone();
        drop(self.service);
        Town::open(disk).await
    }

    async fn person(&self, name: &str) -> Principal {
        let person = self.service.vouched(name).await.expect("a person");
        self.service.view(&person.name, &Address::inbox(&person.name)).await.expect("an inbox");
        person
    }

    async fn put(&self, who: &Principal, name: &str, text: &str) -> Result<(), Refusal> {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        self.service.put(who, &place(who, name), bytes, Precondition::default()).await.map(drop)
    }

    /// The texts in a person's calendar, and how many messages lie in their inbox.
    async fn home(&self, who: &Principal) -> (Vec<String>, usize) {
        let calendar = Address::new(Kind::Calendar, who.name.as_str(), "default").expect("an address");
        let view = self.service.view(&who.name, &calendar).await.expect("a calendar");
        let mut texts = Vec::new();
        for record in self.service.objects(&view.source, None, 100).await.expect("objects") {
            let body = self.service.object(who, &calendar.object(&record.name).expect("a name")).await.expect("a body");
            texts.push(String::from_utf8(body.bytes.to_vec()).expect("UTF-8").replace("\r\n ", ""));
        }
        let inbox = self.service.view(&who.name, &Address::inbox(&who.name)).await.expect("an inbox");
        (texts, self.service.objects(&inbox.source, None, 500).await.expect("messages").len())
    }

    fn committed(&self) -> u64 {
        self.commits.swap(0, Ordering::AcqRel)
    }
}

fn place(who: &Principal, name: &str) -> ObjectAddress {
    let calendar = Address::new(Kind::Calendar, who.name.as_str(), "default").expect("an address");
    calendar.object(name).expect("a name")
}

fn meeting(organizer: &str, attendees: &[Principal], more: &str) -> String {
    let attendees: String = attendees.iter().map(|who| format!("ATTENDEE:mailto:{}\r\n", who.email)).collect();
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:all\r\nDTSTAMP:20250101T000000Z\r\n\
         DTSTART:20250120T100000Z\r\nDURATION:PT1H\r\nSUMMARY:All hands\r\nORGANIZER:mailto:{organizer}@example.org\r\n\
         {attendees}{more}END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_are_invited_with_one_commit_a_home_and_a_crash_loses_nobody() {
    let mut town = Town::open(Disk::default()).await;
    let alice = town.person("alice").await;
    let mut everybody = Vec::new();
    for number in 0..200 {
        everybody.push(town.person(&format!("p{number}")).await);
    }
    town.committed();
    town.put(&alice, "all.ics", &meeting("alice", &everybody, "")).await.expect("it is taken");
    assert_eq!(town.committed(), 1, "the organizer's home alone");
    assert_eq!(town.home(&everybody[0]).await, (Vec::new(), 0));
    let mine = town.home(&alice).await.0.remove(0);
    assert_eq!(mine.matches("SCHEDULE-STATUS=1.2").count(), 200);

    let town_again = town.crash().await;
    town = town_again;
    town.committed();
    town.service.carry_all().await.expect("it is carried");
    assert_eq!(town.committed(), 200, "one commit a home");
    // Carried again, nothing is there to carry.
    town.service.carry_all().await.expect("nothing is left");
    assert_eq!(town.committed(), 0);
    for who in &everybody {
        let (texts, messages) = town.home(who).await;
        assert_eq!((texts.len(), messages), (1, 1), "{}", who.email);
        assert!(texts[0].contains("SUMMARY:All hands") && !texts[0].contains("SCHEDULE-STATUS"), "{}", texts[0]);
    }
    // What changes twice on its way comes once, as it is then.
    town.put(&alice, "all.ics", &meeting("alice", &everybody, "LOCATION:A\r\n")).await.expect("it is taken");
    town.put(&alice, "all.ics", &meeting("alice", &everybody, "LOCATION:B\r\n")).await.expect("it is taken");
    town.committed();
    town.service.carry_all().await.expect("it is carried");
    assert_eq!(town.committed(), 200);
    let (texts, messages) = town.home(&everybody[7]).await;
    assert!(texts[0].contains("LOCATION:B") && messages == 2, "{texts:?} {messages}");
    // Who is removed meanwhile holds nobody up.
    town.put(&alice, "all.ics", &meeting("alice", &everybody[..100], "LOCATION:B\r\n")).await.expect("it is taken");
    town.service.remove_user(&everybody[150].name).await.expect("they go");
    town.service.carry_all().await.expect("it is carried");
    let gone = town.home(&everybody[199]).await.0.remove(0);
    assert!(gone.contains("STATUS:CANCELLED"), "{gone}");
    assert!(!town.home(&everybody[99]).await.0.remove(0).contains("STATUS:CANCELLED"));
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_by_hand_are_taken_from_those_that_may() {
    let town = Town::open(Disk::default()).await;
    let (alice, bob, eve) = (town.person("alice").await, town.person("bob").await, town.person("eve").await);
    let people = [bob.clone()];
    town.put(&alice, "all.ics", &meeting("alice", &people, "")).await.expect("it is taken");
    let hand_in = async |who: &Principal, method: &str, sender: &str, recipient: &str, text: &str| {
        let text = text.replace("BEGIN:VEVENT", &format!("METHOD:{method}\r\nBEGIN:VEVENT"));
        let (sender, recipient) = (format!("{sender}@example.org"), format!("mailto:{recipient}@example.org"));
        town.service
            .receive_itip(
                who,
                Received { sender, recipient, uid: "all".to_owned(), method: method.to_owned(), text: text.into() },
            )
            .await
    };
    let says = |who: &Principal, answer: &str| {
        let one = meeting("alice", std::slice::from_ref(who), "");
        one.replace("ATTENDEE:", &format!("ATTENDEE;PARTSTAT={answer}:"))
    };
    // Who hands it in, the method, who is said to have sent it and to get it, the text; and whether it is taken.
    let counter = meeting("alice", &people, "").replace("T100000Z", "T120000Z");
    let both = meeting("alice", &[bob.clone(), eve.clone()], "").replace("ATTENDEE:", "ATTENDEE;PARTSTAT=DECLINED:");
    let rows = [
        (&alice, "REPLY", "bob", "alice", says(&bob, "TENTATIVE"), true),
        (&bob, "REPLY", "bob", "alice", says(&bob, "DECLINED"), false),
        (&alice, "REPLY", "eve", "alice", says(&eve, "ACCEPTED"), false),
        (&alice, "REPLY", "eve", "alice", says(&bob, "DECLINED"), false),
        (&alice, "REPLY", "bob", "alice", both, false),
        (&bob, "COUNTER", "bob", "alice", counter.clone(), true),
        (&eve, "COUNTER", "eve", "alice", meeting("alice", std::slice::from_ref(&eve), ""), false),
        (&alice, "COUNTER", "bob", "alice", counter, false),
        (&bob, "CANCEL", "eve", "bob", meeting("eve", &people, ""), false),
        (&bob, "CANCEL", "eve", "bob", meeting("alice", &people, ""), false),
        (
            &bob,
            "REQUEST",
            "alice",
            "bob",
            meeting("alice", &people, "DTSTAMP:20240101T000000Z\r\n").replace("DTSTAMP:20250101", "DTSTAMP:20240101"),
            true,
        ),
        (&bob, "PUBLISH", "alice", "bob", meeting("alice", &people, ""), false),
    ];
    for (number, (who, method, sender, recipient, text, want)) in rows.iter().enumerate() {
        let found = hand_in(who, method, sender, recipient, text).await;
        assert_eq!(found.is_ok(), *want, "row {number}: {found:?}");
    }
    let mine = town.home(&alice).await.0.remove(0);
    assert!(
        mine.contains("ATTENDEE;SCHEDULE-STATUS=2.0;PARTSTAT=TENTATIVE:mailto:bob")
            || mine.contains("PARTSTAT=TENTATIVE;SCHEDULE-STATUS=2.0:mailto:bob"),
        "{mine}"
    );
    assert!(mine.contains("DTSTART:20250120T100000Z"), "a counter changes nothing: {mine}");
    assert_eq!(town.home(&alice).await.1, 2, "the reply and the counter");
    // A whole cancellation by the organizer's own hand.
    let off = meeting("alice", &people, "SEQUENCE:1\r\n");
    hand_in(&bob, "CANCEL", "alice", "bob", &off).await.expect("it is taken");
    assert!(town.home(&bob).await.0[0].contains("STATUS:CANCELLED"));
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_attendees_are_refused() {
    let town = Town::open(Disk::default()).await;
    let alice = town.person("alice").await;
    let crowd: Vec<Principal> =
        (0..1_001).map(|number| Principal { email: format!("x{number}@elsewhere.org"), ..alice.clone() }).collect();
    let found = town.put(&alice, "all.ics", &meeting("alice", &crowd, "")).await;
    assert!(matches!(found, Err(Refusal::Unschedulable { rule: Rule::Attendees, .. })), "{found:?}");
    town.put(&alice, "all.ics", &meeting("alice", &crowd[..1_000], "")).await.expect("it is taken");
    let mine = town.home(&alice).await.0.remove(0);
    assert_eq!(mine.matches("SCHEDULE-STATUS=5.2").count(), 1_000);
}
