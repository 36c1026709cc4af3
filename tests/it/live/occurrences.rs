//! What a calendar holds in a window, as web pages ask for it.

use campanile::domain::address::Address;
use campanile::domain::occurrence::instant;
use campanile::domain::refusal::Refusal;
use campanile::service::occurrences::Happenings;
use chrono_tz::Tz;

use crate::live::{House, plain_event};

const WORK: &str = "/calendars/alice/work/";

async fn made(settings: &[(&str, &str)]) -> House {
    let house = House::open_with(settings).await;
    assert_eq!(house.http("alice").send("MKCALENDAR", WORK, &[], "").await.status, 201);
    house
}

async fn put(house: &House, name: &str, lines: &str) {
    let text = format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:{name}\r\n{lines}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    );
    let kept = house.http("alice").put(&format!("{WORK}{name}.ics"), &text).await;
    assert!(matches!(kept.status, 201 | 204), "{kept:?}");
}

async fn try_ask(house: &House, user: &str, window: &str, zone: Option<Tz>) -> Result<Happenings, Refusal> {
    let service = &house.running().service;
    let users = service.users().await.expect("they can be read");
    let caller = users.into_iter().find(|known| known.name.as_str() == user).expect("a person");
    let (from, to) = window.split_once('/').expect("a window");
    let at = |text: &str| text.parse().expect("an instant");
    service.occurrences(&caller, &Address::parse(WORK).expect("an address"), (at(from), at(to)), zone).await
}

async fn ask(house: &House, window: &str, zone: Option<Tz>) -> Happenings {
    try_ask(house, "alice", window, zone).await.expect("an answer")
}

/// One line each: name, start, what it stands for.
fn lines(found: &Happenings) -> Vec<String> {
    let original = |id: Option<_>| id.map_or(String::new(), |id: campanile::domain::occurrence::Moment| id.text());
    let line = |found: &campanile::service::occurrences::Happening| {
        format!("{} {} {}", found.name, found.occurrence.start.text(), original(found.occurrence.recurrence_id))
    };
    found.list.iter().map(|found| line(found).trim().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_shows_what_overlaps_it() {
    let house = made(&[]).await;
    put(
        &house,
        "long",
        "DTSTART:20250110T090000Z\r\nDTEND:20250113T090000Z\r\nLOCATION:Here\\, there\r\nSTATUS:tentative",
    )
    .await;
    put(&house, "day", "DTSTART;VALUE=DATE:20250114\r\nTRANSP:TRANSPARENT").await;
    put(&house, "float", "DTSTART:20250113T233000\r\nDURATION:PT1H").await;
    put(
        &house,
        "daily",
        "DTSTART;TZID=Europe/Paris:20240101T100000\r\nRRULE:FREQ=DAILY\r\nEXDATE;TZID=Europe/Paris:20250113T100000",
    )
    .await;
    put(&house, "after", "DTSTART:20250114T000000Z\r\nDURATION:PT1H").await;
    put(&house, "broken", "DTSTART;TZID=Mars/Olympus:20250113T000000\r\nDURATION:PT1H").await;
    let window = "2025-01-13T00:00:00Z/2025-01-14T00:00:00Z";
    let found = ask(&house, window, None).await;
    assert_eq!(lines(&found), ["long.ics 2025-01-10T09:00:00Z", "float.ics 2025-01-13T23:30:00"]);
    assert_eq!((found.until, found.costly.len(), found.zone), (None, 0, Tz::UTC));
    let long = &found.list[0];
    assert_eq!((long.location.as_str(), long.status.as_str(), long.transparent), ("Here, there", "TENTATIVE", false));
    // East of UTC days begin earlier.
    let found = ask(&house, window, Some(Tz::Asia__Tokyo)).await;
    assert_eq!(lines(&found), ["long.ics 2025-01-10T09:00:00Z", "float.ics 2025-01-13T23:30:00", "day.ics 2025-01-14"]);
    assert!(found.list[2].transparent);
    let found = ask(&house, "2025-01-14T08:00:00Z/2025-01-14T10:00:00Z", None).await;
    assert_eq!(lines(&found), ["day.ics 2025-01-14", "daily.ics 2025-01-14T09:00:00Z 2025-01-14T09:00:00Z"]);

    // What is written, replaced or deleted is seen at once; so is it after a new start.
    put(&house, "float", "DTSTART:20250301T100000\r\nDURATION:PT1H").await;
    put(&house, "new", "DTSTART:20250113T120000Z\r\nDURATION:PT1H").await;
    assert_eq!(house.http("alice").delete(&format!("{WORK}long.ics")).await.status, 204);
    assert_eq!(lines(&ask(&house, window, None).await), ["new.ics 2025-01-13T12:00:00Z"]);
    let house = house.reopen(crate::live::NINE).await;
    assert_eq!(lines(&ask(&house, window, None).await), ["new.ics 2025-01-13T12:00:00Z"]);

    let backwards = try_ask(&house, "alice", "2025-01-14T00:00:00Z/2025-01-13T00:00:00Z", None).await;
    assert!(matches!(backwards, Err(Refusal::Invalid(_))), "{backwards:?}");
    assert_eq!(try_ask(&house, "bob", window, None).await, Err(Refusal::Forbidden));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_list_says_where_it_ends() {
    let house = made(&[("reports.instances", "10")]).await;
    put(&house, "b", "DTSTART:20250101T090000Z\r\nRRULE:FREQ=DAILY").await;
    put(&house, "a", "DTSTART:20250105T120000Z\r\nRRULE:FREQ=DAILY").await;
    let found = ask(&house, "2025-01-01T00:00:00Z/2026-01-01T00:00:00Z", None).await;
    // Four days of one, then three of both; the eleventh is left out.
    let until = found.until.as_ref().map(instant);
    assert_eq!((found.list.len(), until.as_deref()), (10, Some("2025-01-08T09:00:00Z")));
    assert!(found.list.iter().all(|happening| Some(happening.occurrence.start_at) < found.until));
    // What follows is asked for from there on.
    let rest = ask(&house, "2025-01-08T09:00:00Z/2025-01-12T00:00:00Z", None).await;
    assert_eq!((rest.list.len(), rest.until), (8, None));
    house.stop().await;

    let house = made(&[("limits.recurrence_steps", "1000"), ("reports.index_objects", "0")]).await;
    put(&house, "hasty", "DTSTART:20200101T000000Z\r\nRRULE:FREQ=SECONDLY").await;
    put(&house, "one", "DTSTART:20250101T090000Z").await;
    let found = ask(&house, "2025-01-01T00:00:00Z/2025-01-02T00:00:00Z", None).await;
    assert_eq!(lines(&found), ["one.ics 2025-01-01T09:00:00Z"]);
    assert_eq!(found.costly.iter().map(|name| &**name).collect::<Vec<_>>(), ["hasty.ics"]);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_objects_are_read_page_by_page() {
    for index in ["0", "100000"] {
        let house = made(&[("reports.index_objects", index), ("reports.parsed_bytes", "20000")]).await;
        let parts: Vec<String> =
            (0..600).map(|n| plain_event(&format!("e{n}"), &format!("202501{:02}T100000Z", n % 28 + 1))).collect();
        let body: String = parts
            .iter()
            .map(|part| part.split_once("PRODID:-//test//EN\r\n").expect("a head").1.replace("END:VCALENDAR\r\n", ""))
            .collect();
        let file = format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n{body}END:VCALENDAR\r\n");
        let done = house.import("alice", "/calendars/alice/work", "text/calendar", &file).await;
        assert_eq!(done["status"], "completed", "{done}");
        for _ in 0..2 {
            let found = ask(&house, "2025-01-01T00:00:00Z/2025-02-01T00:00:00Z", None).await;
            assert_eq!(found.list.len(), 600);
            assert!(found.list.is_sorted_by_key(|happening| happening.occurrence.start_at));
            let found = ask(&house, "2025-01-03T00:00:00Z/2025-01-04T00:00:00Z", None).await;
            assert_eq!(found.list.len(), 22);
        }
        house.stop().await;
    }
}
