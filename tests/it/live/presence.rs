//! Presence in time: each change is told once, to a person's own topic and to their group's, and what changes nothing is not told.

use std::future::poll_fn;
use std::sync::{Arc, Mutex};

use campanile::domain::address::UserName;
use campanile::domain::event::{Event, Topic};
use campanile::domain::organisation::Id;
use campanile::domain::presence::Status;
use campanile::gateway::queue::Turn;
use tokio::task::JoinHandle;

use crate::live::{House, NINE, plain_event};

const PLACE: &str = "/calendars/alice/default";

/// Listens at the hub to alice's presence and to the group `team`. A notice is let go as soon as it is heard, so that clocks settle.
pub struct Ear {
    told: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Ear {
    pub async fn open(house: &House) -> Ear {
        // What was told before is over.
        house.settle().await;
        let mut seat = house.running().hub.join(None).unwrap();
        seat.listen(Topic::Presence(UserName::new("alice").unwrap()));
        seat.listen(Topic::Group(Id::new("demo").unwrap(), 1));
        let told: Arc<Mutex<Vec<String>>> = Arc::default();
        let heard = told.clone();
        let task = tokio::spawn(async move {
            while let Turn::News(news) = poll_fn(|context| seat.queue().poll_turn(context)).await {
                for notice in news {
                    heard.lock().unwrap().push(told_by(&notice.event));
                }
            }
        });
        Ear { told, task }
    }

    /// What was told up to now: to whom, from which status to which, and the group's count of available members.
    pub async fn heard(&self, house: &House) -> Vec<String> {
        house.settle().await;
        std::mem::take(&mut self.told.lock().unwrap())
    }

    /// The same, where a change is told to both.
    pub async fn hears(&self, house: &House, before: Status, after: Status, available: u64) {
        let (before, after) = (before.as_str(), after.as_str());
        let want = [format!("alice {before}>{after}"), format!("team: alice {before}>{after}, {available} available")];
        assert_eq!(self.heard(house).await, want);
    }

    pub async fn hears_nothing(&self, house: &House) {
        assert_eq!(self.heard(house).await, Vec::<String>::new());
    }
}

fn told_by(event: &Event) -> String {
    match event {
        Event::PresenceChanged { news } => {
            format!("{} {}>{}", news.member.user, news.before.as_str(), news.shown.status.as_str())
        }
        Event::MemberChanged { group, summary, news } => {
            let (before, after) = (news.before.as_str(), news.shown.status.as_str());
            assert_eq!(summary.total, 3);
            format!("{}: {} {before}>{after}, {} available", group.id, news.member.id, summary.available)
        }
        Event::GroupChanged { group, .. } => format!("{} changed", group.id),
        other => panic!("{other:?}"),
    }
}

fn with(event: String, lines: &str) -> String {
    event.replace("END:VEVENT", &format!("{lines}\r\nEND:VEVENT"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_edges_of_an_event_are_told_once_each() {
    use Status::{Available, Busy};
    let house = House::open().await;
    let http = house.http("alice");
    let ear = Ear::open(&house).await;
    let at = |uid: &str| format!("{PLACE}/{uid}.ics");
    assert_eq!(http.put(&at("tea"), &plain_event("tea", "20250115T100000Z")).await.status, 201);
    ear.hears_nothing(&house).await;
    house.turn("2025-01-15T09:59:59Z").await;
    ear.hears_nothing(&house).await;
    house.turn("2025-01-15T10:00:00Z").await;
    ear.hears(&house, Available, Busy, 2).await;
    // Another one that begins as the first ends changes nothing at that instant; nor does one within.
    assert_eq!(http.put(&at("more"), &plain_event("more", "20250115T110000Z")).await.status, 201);
    assert_eq!(http.put(&at("within"), &plain_event("within", "20250115T103000Z")).await.status, 201);
    house.turn("2025-01-15T11:45:00Z").await;
    ear.hears_nothing(&house).await;
    let house = house.reopen("2025-01-15T11:59:59Z").await;
    let ear = Ear::open(&house).await;
    house.turn("2025-01-15T12:30:00Z").await;
    ear.hears(&house, Busy, Available, 3).await;
    // Both edges in one turn, in order.
    let http = house.http("alice");
    assert_eq!(http.put(&at("late"), &plain_event("late", "20250115T130000Z")).await.status, 201);
    house.turn("2025-01-15T15:00:00Z").await;
    let told = ear.heard(&house).await;
    assert_eq!(told.len(), 4, "{told:?}");
    assert!(told[0].ends_with("available>busy") && told[2].ends_with("busy>available"), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_are_told_where_they_change_something_now() {
    use Status::{Available, Away, Busy, OnCall};
    let house = House::open().await;
    let http = house.http("alice");
    let ear = Ear::open(&house).await;
    let now = plain_event("now", "20250115T083000Z");
    let at = format!("{PLACE}/now.ics");
    for lines in ["TRANSP:TRANSPARENT", "STATUS:CANCELLED", "ATTENDEE;PARTSTAT=DECLINED:mailto:alice@campanile.example"]
    {
        assert!([201, 204].contains(&http.put(&at, &with(now.clone(), lines)).await.status));
        ear.hears_nothing(&house).await;
    }
    assert_eq!(http.put(&at, &now).await.status, 204);
    ear.hears(&house, Available, Busy, 2).await;
    assert_eq!(http.put(&at, &with(now.clone(), "DESCRIPTION:x")).await.status, 204);
    ear.hears_nothing(&house).await;
    assert_eq!(http.put(&at, &with(now.clone(), "STATUS:TENTATIVE")).await.status, 204);
    ear.hears(&house, Busy, Away, 2).await;
    let conference = "CONFERENCE;VALUE=URI;FEATURE=VIDEO:https://meet.example/1";
    assert_eq!(
        http.put(&format!("{PLACE}/talk.ics"), &with(plain_event("talk", "20250115T084500Z"), conference)).await.status,
        201
    );
    ear.hears(&house, Away, OnCall, 2).await;
    // The stronger one goes, the weaker one still stands.
    assert_eq!(http.delete(&format!("{PLACE}/talk.ics")).await.status, 204);
    ear.hears(&house, OnCall, Away, 2).await;
    // A calendar that counts for nobody's free time, and back.
    let transparent = |word: &str| format!(r#"{{"transparent":{word}}}"#);
    assert_eq!(http.patch(&format!("/api{PLACE}"), &transparent("true")).await.status, 200);
    ear.hears(&house, Away, Available, 3).await;
    assert_eq!(http.patch(&format!("/api{PLACE}"), &transparent("false")).await.status, 200);
    ear.hears(&house, Available, Away, 2).await;
    // Others' calendars are others' presence.
    assert_eq!(http.put("/calendars/alice/team/now2.ics", &plain_event("now2", "20250115T083000Z")).await.status, 201);
    ear.hears(&house, Away, Busy, 2).await;
    assert_eq!(http.delete("/calendars/alice/team").await.status, 204);
    ear.hears(&house, Busy, Away, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_zone_and_an_earlier_clock_are_another_presence() {
    use Status::{Available, Busy};
    let house = House::open().await;
    let http = house.http("alice");
    let ear = Ear::open(&house).await;
    // Floating, from ten to eleven wherever alice is: nine o'clock in UTC is ten in Paris.
    assert_eq!(http.put(&format!("{PLACE}/f.ics"), &plain_event("f", "20250115T100000")).await.status, 201);
    ear.hears_nothing(&house).await;
    assert_eq!(http.patch("/api/me", r#"{"timezone":"Europe/Paris"}"#).await.status, 200);
    ear.hears(&house, Available, Busy, 2).await;
    house.turn("2025-01-15T10:00:00Z").await;
    ear.hears(&house, Busy, Available, 3).await;
    house.turn(NINE).await;
    ear.hears(&house, Available, Busy, 2).await;
    house.turn("2025-01-15T08:59:59Z").await;
    ear.hears(&house, Busy, Available, 3).await;
    house.turn(NINE).await;
    ear.hears(&house, Available, Busy, 2).await;
}
