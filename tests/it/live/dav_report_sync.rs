//! Following a calendar, and a whole home, by sync tokens: exact limits, tokens that nobody gave, what comes and goes meanwhile.

use std::collections::BTreeMap;

use crate::live::client::{Http, Reply};
use crate::live::dav::{has, refused};
use crate::live::dav_report::{WORK, made, names, report, rows};
use crate::live::plain_event;

const HOME: &str = "/calendars/alice/";

async fn sync(http: &Http, path: &str, token: &str, limit: Option<usize>, level: &str) -> Reply {
    let token = token.replace('&', "&amp;");
    let limit = limit.map(|limit| format!("<D:limit><D:nresults>{limit}</D:nresults></D:limit>")).unwrap_or_default();
    let body = format!(
        "<D:sync-token>{token}</D:sync-token><D:sync-level>{level}</D:sync-level>{limit}<D:prop><D:getetag/></D:prop>"
    );
    report(http, path, "D:sync-collection", &body).await
}

#[track_caller]
fn token(reply: &Reply) -> String {
    let text = reply.text();
    let (_, rest) = text.rsplit_once("<sync-token>").unwrap_or_else(|| panic!("no token in {text}"));
    rest.split("</sync-token>").next().unwrap_or_default().replace("&amp;", "&")
}

/// What a client holds: hrefs with their etags.
#[derive(Debug, Default, PartialEq, Eq)]
struct Held(BTreeMap<String, String>);

impl Held {
    /// Takes an answer in; whether it was cut. Rows beyond the limit fail.
    #[track_caller]
    fn take(&mut self, reply: &Reply, limit: Option<usize>) -> bool {
        assert_eq!(reply.status, 207, "{}", reply.text());
        let (mut count, mut cut) = (0, false);
        for row in reply.text().split("<response>").skip(1) {
            let href = row.split_once("<href>").expect("an href").1.split_once("</href>").expect("an href").0;
            if row.contains("507 Insufficient Storage") {
                has(reply, "<D:number-of-matches-within-limits/>");
                cut = true;
                continue;
            }
            count += 1;
            if row.contains("<status>HTTP/1.1 404 Not Found</status></response>") {
                self.0.remove(href);
            } else {
                let etag = row.split_once("<getetag>").and_then(|(_, rest)| Some(rest.split_once("</getetag>")?.0));
                self.0.insert(href.to_owned(), etag.unwrap_or_default().to_owned());
            }
        }
        if let Some(limit) = limit {
            assert!(count <= limit, "{count} rows where {limit} were asked for");
            assert!(!cut || count == limit, "cut after {count} rows, not {limit}");
        }
        cut
    }
}

/// Follows from a token to the end in steps of a limit; how many answers it took, and the last token.
async fn follow(http: &Http, path: &str, held: &mut Held, from: &str, limit: usize, level: &str) -> (usize, String) {
    let mut at = from.to_owned();
    for answers in 1..=200 {
        let reply = sync(http, path, &at, Some(limit), level).await;
        at = token(&reply);
        if !held.take(&reply, Some(limit)) {
            return (answers, at);
        }
    }
    panic!("no end after 200 answers");
}

async fn listed(http: &Http, path: &str) -> Held {
    let body = "<propfind xmlns='DAV:'><prop><getetag/></prop></propfind>";
    let reply = http.send("PROPFIND", path, &[("depth", "1")], body).await;
    let mut held = Held::default();
    held.take(&reply, None);
    held.0.retain(|href, _| href != path);
    held
}

async fn put(http: &Http, name: &str, hour: u32) {
    let text = plain_event(name, &format!("20250115T{hour:02}0000Z"));
    let kept = http.put(&format!("{WORK}{}.ics", name.replace(' ', "%20")), &text).await;
    assert!(matches!(kept.status, 201 | 204), "{kept:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collection_is_followed_exactly() {
    let house = made().await;
    let alice = house.http("alice");
    let empty = sync(&alice, WORK, "", None, "1").await;
    assert_eq!(names(&empty), Vec::<String>::new());
    let begin = token(&empty);
    for n in 0..23 {
        put(&alice, &format!("e {n:02}"), 10).await;
    }
    let whole = listed(&alice, WORK).await;
    assert_eq!(whole.0.len(), 23);
    for limit in [1, 2, 7, 22, 23, 24, 1000] {
        // From nothing, and from the empty collection.
        for from in ["", &begin] {
            let mut held = Held::default();
            let (answers, _) = follow(&alice, WORK, &mut held, from, limit, "1").await;
            assert_eq!(held, whole, "limit {limit}");
            assert_eq!(answers, 23_usize.div_ceil(limit), "limit {limit}");
        }
    }
    // A first list under way sees what comes and goes in time, wherever it stands.
    let mut held = Held::default();
    let first = sync(&alice, WORK, "", Some(10), "1").await;
    assert!(held.take(&first, Some(10)));
    put(&alice, "e 02", 11).await;
    put(&alice, "a", 9).await;
    assert_eq!(alice.delete(&format!("{WORK}e%2005.ics")).await.status, 204);
    assert_eq!(alice.delete(&format!("{WORK}e%2020.ics")).await.status, 204);
    let (_, at) = follow(&alice, WORK, &mut held, &token(&first), 10, "1").await;
    assert_ne!(held, listed(&alice, WORK).await, "the changes come behind the first list");
    let (_, at) = follow(&alice, WORK, &mut held, &at, 10, "1").await;
    assert_eq!(held, listed(&alice, WORK).await);

    // One change is one row, none is none; the token moves with it.
    let quiet = sync(&alice, WORK, &at, None, "1").await;
    assert_eq!((names(&quiet).len(), token(&quiet)), (0, at.clone()));
    put(&alice, "e 01", 12).await;
    put(&alice, "e 01", 13).await;
    let one = sync(&alice, WORK, &at, None, "1").await;
    assert_eq!(names(&one), ["e%2001.ics"]);
    // Came and went: it is gone.
    put(&alice, "brief", 12).await;
    assert_eq!(alice.delete(&format!("{WORK}brief.ics")).await.status, 204);
    let gone = sync(&alice, WORK, &token(&one), None, "infinite").await;
    has(&gone, "<D:href>/calendars/alice/work/brief.ics</D:href><D:status>HTTP/1.1 404 Not Found</D:status>");
    // Whoever wants the text at once gets it.
    let body = format!(
        "<D:sync-token>{}</D:sync-token><D:sync-level>1</D:sync-level><D:prop><D:getetag/><C:calendar-data/></D:prop>",
        token(&quiet)
    );
    has(&report(&alice, WORK, "D:sync-collection", &body).await, "DTSTART:20250115T130000Z");
    // The store as it is opened again knows every token.
    let house = house.reopen(crate::live::NINE).await;
    let again = sync(&house.http("alice"), WORK, &at, None, "1").await;
    assert_eq!(rows(&again).len(), 2, "{}", again.text());
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_is_followed_in_pieces() {
    let house = made().await;
    let alice = house.http("alice");
    let begin = token(&sync(&alice, WORK, "", None, "1").await);
    let events: String = (0..150)
        .map(|n| {
            let event = plain_event(&format!("e{n}"), "20250115T100000Z");
            event.split_once("PRODID:-//test//EN\r\n").expect("a head").1.replace("END:VCALENDAR\r\n", "")
        })
        .collect();
    let file = format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n{events}END:VCALENDAR\r\n");
    assert_eq!(house.import("alice", WORK.trim_end_matches('/'), "text/calendar", &file).await["status"], "completed");
    // Many objects share a commit: no cut between two of them loses any.
    for limit in [1, 7, 64, 100, 149, 150] {
        let mut held = Held::default();
        let (answers, _) = follow(&alice, WORK, &mut held, &begin, limit, "1").await;
        assert_eq!((held.0.len(), answers), (150, 150_usize.div_ceil(limit)), "limit {limit}");
    }
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_nobody_gave_are_refused() {
    let house = made().await;
    let alice = house.http("alice");
    put(&alice, "one", 10).await;
    put(&alice, "two", 10).await;
    let at = token(&sync(&alice, WORK, "", None, "1").await);
    let number: u64 = at.rsplit('/').next().and_then(|number| number.parse().ok()).expect("a number");
    let url = |number: u64| format!("http://sabre.io/ns/sync/{number}");
    assert_eq!(alice.put("/calendars/alice/default/x.ics", &plain_event("x", "20250115T100000Z")).await.status, 201);
    let other = token(&sync(&alice, "/calendars/alice/default/", "", None, "1").await);
    let cut = token(&sync(&alice, WORK, "", Some(1), "1").await);
    assert!(cut.contains("?after="), "{cut}");
    let strange = [
        "garbage".to_owned(),
        // macOS Contacts once sent its own.
        "5F9C0C1B-8B5E-4E62-9B5E-0A1B2C3D4E5F".to_owned(),
        number.to_string(),
        "http://sabre.io/ns/sync/".to_owned(),
        "http://sabre.io/ns/sync/-1".to_owned(),
        "http://sabre.io/ns/sync/99999999999999999999".to_owned(),
        "http://radicale.org/ns/sync/1".to_owned(),
        url(0),
        url(1),
        url(number + 1),
        url(1 << 63),
        format!("{at}?part=x"),
        format!("{at}?after="),
        format!("{at}?x=1"),
        format!("{}?after=one%2Eics", url(number + 1)),
        other,
        format!("http://sabre.io/ns/sync/home?work=1.1.{number}"),
    ];
    for token in &strange {
        refused(&sync(&alice, WORK, token, None, "1").await, 403, "<D:valid-sync-token/>");
    }
    refused(&sync(&alice, HOME, &at, None, "1").await, 403, "<D:valid-sync-token/>");
    refused(&sync(&alice, HOME, "http://sabre.io/ns/sync/home?x", None, "1").await, 403, "<D:valid-sync-token/>");
    // A calendar made again under its old name begins anew.
    assert_eq!(alice.delete(WORK).await.status, 204);
    assert_eq!(alice.send("MKCALENDAR", WORK, &[], "").await.status, 201);
    for token in [&at, &cut] {
        refused(&sync(&alice, WORK, token, None, "1").await, 403, "<D:valid-sync-token/>");
    }
    assert_eq!(sync(&alice, WORK, "", None, "1").await.status, 207);
    refused(&sync(&alice, WORK, "", Some(0), "1").await, 507, "<D:number-of-matches-within-limits/>");
    assert_eq!(sync(&alice, WORK, "", None, "2").await.status, 400);
    refused(&sync(&house.http("bob"), WORK, "", None, "1").await, 403, "<D:need-privileges/>");
    refused(&sync(&house.http("bob"), HOME, "", None, "1").await, 403, "<D:need-privileges/>");
    refused(&sync(&alice, "/", "", None, "1").await, 403, "<D:supported-report/>");
    // Old clients leave the token's element or the level out.
    assert_eq!(report(&alice, WORK, "D:sync-collection", "<D:prop/>").await.status, 207);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_is_followed_too() {
    let house = made().await;
    let alice = house.http("alice");
    let home = sync(&alice, HOME, "", None, "1").await;
    let mut first = names(&home);
    first.sort();
    assert!(first.contains(&"work".to_owned()) && first.contains(&"default".to_owned()), "{first:?}");
    let at = token(&home);
    assert_eq!(
        (names(&sync(&alice, HOME, &at, None, "1").await).len(), token(&sync(&alice, HOME, &at, None, "1").await)),
        (0, at.clone())
    );
    // What is in it changed, its name changed, it came, it went: one row each.
    put(&alice, "one", 10).await;
    let changed = sync(&alice, HOME, &at, None, "1").await;
    assert_eq!(names(&changed), ["work"]);
    let at = token(&changed);
    let patch =
        "<propertyupdate xmlns='DAV:'><set><prop><displayname>Named anew</displayname></prop></set></propertyupdate>";
    assert_eq!(alice.send("PROPPATCH", "/calendars/alice/default/", &[], patch).await.status, 207);
    assert_eq!(alice.send("MKCALENDAR", "/calendars/alice/a=&amp;b/", &[], "").await.status, 201);
    assert_eq!(alice.delete(WORK).await.status, 204);
    let changed = sync(&alice, HOME, &at, None, "1").await;
    let mut found = names(&changed);
    found.sort();
    assert_eq!(found, ["a=&amp;amp;b", "default", "work"]);
    has(&changed, &format!("<D:href>{WORK}</D:href><D:status>HTTP/1.1 404 Not Found</D:status>"));
    assert_eq!(names(&sync(&alice, HOME, &token(&changed), None, "1").await).len(), 0);

    // The property says where a client that asks now would stand.
    let asked = "<propfind xmlns='DAV:'><prop><sync-token/></prop></propfind>";
    let shown = alice.send("PROPFIND", HOME, &[("depth", "0")], asked).await;
    assert_eq!(token(&shown), token(&changed), "{}", shown.text());

    // With all that is in it, in pieces of any size.
    assert_eq!(alice.send("MKCALENDAR", WORK, &[], "").await.status, 201);
    for n in 0..9 {
        put(&alice, &format!("e{n}"), 10).await;
        let path = format!("/calendars/alice/default/d{n}.ics");
        assert_eq!(alice.put(&path, &plain_event(&format!("d{n}"), "20250115T100000Z")).await.status, 201);
    }
    let mut whole = Held::default();
    whole.take(&sync(&alice, HOME, "", None, "infinite").await, None);
    assert!(whole.0.len() > 20, "{whole:?}");
    let mut ends = Vec::new();
    for limit in [1, 2, 5, 9, 10, 11, 100] {
        let mut held = Held::default();
        let (_, end) = follow(&alice, HOME, &mut held, "", limit, "infinite").await;
        assert_eq!(held, whole, "limit {limit}");
        ends.push((held, end, limit));
    }
    assert_eq!(alice.delete(&format!("{WORK}e3.ics")).await.status, 204);
    put(&alice, "e4", 11).await;
    put(&alice, "new", 11).await;
    assert_eq!(alice.delete("/calendars/alice/a=&amp;b/").await.status, 204);
    let mut whole = Held::default();
    whole.take(&sync(&alice, HOME, "", None, "infinite").await, None);
    for (mut held, end, limit) in ends {
        follow(&alice, HOME, &mut held, &end, limit, "infinite").await;
        assert_eq!(held, whole, "limit {limit}");
    }
    let books = sync(&alice, "/addressbooks/alice/", "", None, "1").await;
    assert!(names(&books).contains(&"collected".to_owned()), "{books:?}");
    house.stop().await;
}
