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
use campanile::service::collections::Face;
use campanile::service::moving::{Transfer, Way};
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
        Town::open_with(disk, Settings::default()).await
    }

    async fn open_with(disk: Disk, mut settings: Settings) -> Town {
        let commits: Arc<AtomicU64> = Arc::default();
        let kv = Arc::new(memory::open(&disk).expect("it opens"));
        let kv = Arc::new(Counted { kv, commits: commits.clone() });
        let clock = Arc::new(ManualClock::at(NINE.parse().expect("an instant")));
        let (random, bus) = (Arc::new(SeededRandom::new(7)), Arc::new(LocalBus::default()));
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

    /// All that is on its way comes, as the job would see to it.
    async fn follow(&self) {
        while self.service.bury_on().await.expect("a slice") {}
        self.service.carry_all().await.expect("it is carried");
    }

    /// A second calendar.
    async fn work(&self, who: &Principal) -> Address {
        let address = Address::new(Kind::Calendar, who.name.as_str(), "work").expect("an address");
        self.service.make_collection(who, &address, Vec::new(), Face::default()).await.expect("it is made");
        address
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

#[tokio::test(flavor = "multi_thread")]
async fn what_is_on_its_way_goes_along_with_a_move() {
    let town = Town::open(Disk::default()).await;
    let (alice, mut everybody) = (town.person("alice").await, Vec::new());
    for number in 0..20 {
        everybody.push(town.person(&format!("p{number}")).await);
    }
    let work = town.work(&alice).await;
    town.put(&alice, "all.ics", &meeting("alice", &everybody, "")).await.expect("it is taken");
    assert_eq!(town.home(&everybody[3]).await, (Vec::new(), 0), "more than are told at once");
    let (from, to) = (place(&alice, "all.ics"), work.object("all.ics").expect("a name"));
    let transfer = Transfer { from, to, way: Way::Move, overwrite: false };
    town.service.transfer(&alice, transfer, Precondition::default()).await.expect("it moves");
    town.follow().await;
    for who in &everybody {
        let (texts, messages) = town.home(who).await;
        assert!(texts.len() == 1 && messages == 1 && !texts[0].contains("CANCELLED"), "{texts:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_calendar_that_goes_cancels_all_that_was_in_it_after_a_crash_too() {
    const MEETINGS: usize = 45;
    let mut town = Town::open(Disk::default()).await;
    let (alice, mut everybody) = (town.person("alice").await, Vec::new());
    for number in 0..50 {
        everybody.push(town.person(&format!("p{number}")).await);
    }
    let work = town.work(&alice).await;
    for number in 0..MEETINGS {
        let text = meeting("alice", &everybody, "").replace("UID:all", &format!("UID:m{number}"));
        let at = work.object(&format!("m{number}.ics")).expect("a name");
        town.service.put(&alice, &at, text.into(), Precondition::default()).await.expect("it is taken");
    }
    // What alice herself is asked to is declined.
    let asks = town.person("boss").await;
    town.put(&asks, "mine.ics", &meeting("boss", std::slice::from_ref(&alice), "")).await.expect("it is taken");
    let from = town.home(&alice).await.0;
    assert_eq!(from.len(), 1);
    let here = Address::new(Kind::Calendar, "alice", "default").expect("an address");
    let view = town.service.view(&alice.name, &here).await.expect("a calendar");
    let name = town.service.objects(&view.source, None, 1).await.expect("an object").remove(0).name;
    let to = work.object("mine.ics").expect("a name");
    let transfer = Transfer { from: place(&alice, &name), to, way: Way::Move, overwrite: false };
    town.service.transfer(&alice, transfer, Precondition::default()).await.expect("it moves");
    town.follow().await;
    let homes = MEETINGS * everybody.len();
    town.committed();
    town.service.delete_collection(&alice, &work).await.expect("it goes");
    assert_eq!(
        town.committed(),
        3,
        "the calendar, what was unread of it, and the first of the homes that are to follow"
    );
    // The sweep leaves what is still to be told, whenever the process ends.
    town.service.sweep().await.expect("a sweep");
    town = town.crash().await;
    town.service.sweep().await.expect("a sweep");
    town.committed();
    town.follow().await;
    assert!(town.committed() as usize > homes, "more than 2,000 homes follow");
    for who in &everybody {
        let (texts, _) = town.home(who).await;
        assert_eq!(texts.iter().filter(|text| text.contains("STATUS:CANCELLED")).count(), MEETINGS, "{}", who.email);
    }
    assert!(town.home(&asks).await.0[0].contains("PARTSTAT=DECLINED"), "{:?}", town.home(&asks).await);
    // Then nothing of it is left to be swept but the rows themselves.
    town.service.sweep().await.expect("a sweep");
    town.committed();
    town.follow().await;
    assert_eq!(town.committed(), 0);
    // Whoever makes a calendar of that name again is asked nothing by the old one.
    town.work(&alice).await;
    town.follow().await;
    assert_eq!(town.committed(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_brought_is_said_to_the_organizer() {
    let mut settings = Settings::default();
    settings.limits.object_bytes = 4_096;
    let town = Town::open_with(Disk::default(), settings).await;
    let (alice, bob, eve) = (town.person("alice").await, town.person("bob").await, town.person("eve").await);
    let people = [bob.clone(), eve.clone()];
    town.put(&alice, "all.ics", &meeting("alice", &people, "")).await.expect("it is taken");
    town.follow().await;
    // Bob's copy is nearly as large as any may be, by what is his own.
    let here = Address::new(Kind::Calendar, "bob", "default").expect("an address");
    let view = town.service.view(&bob.name, &here).await.expect("a calendar");
    let name = town.service.objects(&view.source, None, 1).await.expect("an object").remove(0).name;
    let bobs = town.home(&bob).await.0.remove(0);
    let own: String = (0..50).map(|number| format!("X-NOTE-{number}:{}\r\n", "n".repeat(50))).collect();
    town.put(&bob, &name, &bobs.replace("SUMMARY:", &format!("{own}SUMMARY:"))).await.expect("it is taken");
    let before = town.home(&bob).await.0.remove(0);
    let long = format!("DESCRIPTION:{}\r\n", "d".repeat(1_500));
    town.put(&alice, "all.ics", &meeting("alice", &people, &long)).await.expect("it is taken");
    town.follow().await;
    let mine = town.home(&alice).await.0.remove(0);
    assert!(mine.contains("ATTENDEE;SCHEDULE-STATUS=5.1:mailto:bob@"), "{mine}");
    assert!(mine.contains("ATTENDEE;SCHEDULE-STATUS=1.2:mailto:eve@"), "{mine}");
    assert_eq!(town.home(&bob).await.0.remove(0), before);
    assert!(town.home(&eve).await.0[0].contains("DESCRIPTION:ddd"));
}
