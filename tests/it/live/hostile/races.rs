//! Many at once for one thing: exactly one gets it, the others are told, and tokens only grow.

use crate::live::client::{Http, Reply};
use crate::live::hostile::DEFAULT;
use crate::live::{House, plain_event};

const MANY: usize = 100;

/// A request that is yet to be sent: method, path, headers, body.
type Ask<'a> = (&'a str, &'a str, Vec<(&'a str, &'a str)>, String);

/// Sends all of these at the same time, each over its own connection.
async fn at_once(http: &Http, asks: Vec<Ask<'_>>) -> Vec<Reply> {
    let asks =
        asks.into_iter().map(async |(method, path, headers, body)| http.send(method, path, &headers, body).await);
    futures_util::future::join_all(asks).await
}

/// How many were answered so.
fn count(replies: &[Reply], status: u16) -> usize {
    replies.iter().filter(|reply| reply.status == status).count()
}

/// The number at the end of the calendar's token.
async fn token(http: &Http) -> u64 {
    let shown = http.get(&format!("/api{DEFAULT}")).await.json();
    let token = shown["syncToken"].as_str().expect("a token").to_owned();
    token.rsplit('/').next().and_then(|number| number.parse().ok()).expect("a number")
}

fn numbered(number: usize) -> String {
    plain_event("one", "20250301T100000Z").replace("SUMMARY:", &format!("SUMMARY:{number} "))
}

const MEDIA: (&str, &str) = ("content-type", "text/calendar");

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_writers_wins() {
    let house = House::open().await;
    let alice = house.http("alice");
    let mut socket = house.socket("alice").await;
    socket.register(DEFAULT).await;
    let path = format!("{DEFAULT}/one.ics");
    let mut last = token(&alice).await;
    for _ in 0..3 {
        let creates =
            (0..MANY).map(|n| ("PUT", path.as_str(), vec![MEDIA, ("if-none-match", "*")], numbered(n))).collect();
        let replies = at_once(&alice, creates).await;
        assert_eq!((count(&replies, 201), count(&replies, 412)), (1, MANY - 1));
        let won = replies.iter().position(|reply| reply.status == 201).expect("a winner");
        let found = alice.get(&path).await;
        assert_eq!((found.text(), found.header("etag")), (numbered(won), replies[won].header("etag")));

        let etag = found.header("etag").to_owned();
        let updates =
            (0..MANY).map(|n| ("PUT", path.as_str(), vec![MEDIA, ("if-match", &etag)], numbered(MANY + n))).collect();
        let replies = at_once(&alice, updates).await;
        assert_eq!((count(&replies, 204), count(&replies, 412)), (1, MANY - 1));
        let won = replies.iter().position(|reply| reply.status == 204).expect("a winner");
        let found = alice.get(&path).await;
        assert_eq!((found.text(), found.header("etag")), (numbered(MANY + won), replies[won].header("etag")));

        let etag = found.header("etag").to_owned();
        let deletes =
            (0..MANY).map(|_| ("DELETE", path.as_str(), vec![("if-match", etag.as_str())], String::new())).collect();
        let replies = at_once(&alice, deletes).await;
        assert_eq!((count(&replies, 204), count(&replies, 404)), (1, MANY - 1));
        let now = token(&alice).await;
        assert!(now > last, "{now} after {last}");
        last = now;
    }
    // Whoever listens saw tokens that grew, up to the last.
    house.settle().await;
    let pushes = socket.heard().await;
    let tokens: Vec<u64> = pushes
        .iter()
        .filter_map(|push| push[DEFAULT]["syncToken"].as_str()?.rsplit('/').next()?.parse().ok())
        .collect();
    assert!(tokens.len() == pushes.len() && tokens.is_sorted_by(|a, b| a < b), "{pushes:?}");
    assert_eq!(tokens.last(), Some(&last));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delete_and_a_write_come_one_after_the_other() {
    let house = House::open().await;
    let alice = house.http("alice");
    let path = format!("{DEFAULT}/one.ics");
    for round in 0..20 {
        assert!(matches!(alice.put(&path, &numbered(0)).await.status, 201 | 204));
        let asks =
            vec![("DELETE", path.as_str(), vec![], String::new()), ("PUT", path.as_str(), vec![MEDIA], numbered(1))];
        let replies = at_once(&alice, asks).await;
        let found = alice.get(&path).await;
        match (replies[0].status, replies[1].status, found.status) {
            // Deleted, then made anew.
            (204, 201, 200) => assert_eq!(found.text(), numbered(1)),
            // Written, then deleted.
            (204, 204, 404) => {}
            other => panic!("round {round}: {other:?}"),
        }
        alice.put(&path, &numbered(2)).await;
        let etag = alice.get(&path).await.header("etag").to_owned();
        let same = ("if-match", etag.as_str());
        let asks = vec![
            ("DELETE", path.as_str(), vec![same], String::new()),
            ("PUT", path.as_str(), vec![MEDIA, same], numbered(3)),
        ];
        let replies = at_once(&alice, asks).await;
        let statuses = (replies[0].status, replies[1].status, alice.get(&path).await.status);
        assert!(matches!(statuses, (204, 412, 404) | (412, 204, 200)), "round {round}: {statuses:?}");
    }
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_calendar_is_made_once() {
    let house = House::open().await;
    let alice = house.http("alice");
    for round in 0..20 {
        let (path, body) = (format!("/calendars/alice/twice{round}/"), format!(r#"{{"id":"twice{round}"}}"#));
        let (first, second, refused) = match round % 2 {
            0 => (
                ("MKCALENDAR", path.as_str(), vec![], String::new()),
                ("MKCALENDAR", path.as_str(), vec![], String::new()),
                405,
            ),
            _ => (
                ("POST", "/api/calendars", vec![], body.clone()),
                ("POST", "/api/calendars", vec![], body.clone()),
                409,
            ),
        };
        let replies = at_once(&alice, vec![first, second]).await;
        assert_eq!((count(&replies, 201), count(&replies, refused)), (1, 1), "{replies:?}");
        // Deleted twice, it is gone once.
        let deletes = vec![("DELETE", path.as_str(), vec![], String::new()); 2];
        let replies = at_once(&alice, deletes).await;
        assert_eq!((count(&replies, 204), count(&replies, 404)), (1, 1), "{replies:?}");
    }
    house.stop().await;
}
