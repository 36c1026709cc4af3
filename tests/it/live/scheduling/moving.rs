//! COPY and MOVE of what people are invited to: within a home, into another's, and where it would be there twice. RFC 6638 3.2.

use crate::live::House;
use crate::live::client::{Http, Reply};
use crate::live::scheduling::{MINE, copy, has, inbox, people, refused, series};

async fn send(http: &Http, method: &str, from: &str, to: &str) -> Reply {
    http.send(method, from, &[("destination", to)], "").await
}

#[tokio::test(flavor = "multi_thread")]
async fn within_a_home_it_moves_quietly_and_is_never_there_twice() {
    let house = House::open().await;
    let (alice, bob) = (house.http("alice"), house.http("bob"));
    let put = alice.put(MINE, &series(&people("", ""))).await;
    assert_eq!(put.status, 201, "{put:?}");
    let (mine, tag) = (alice.get(MINE).await.text(), put.header("schedule-tag").to_owned());
    let (at_bobs, bobs, bobs_tag) = copy(&bob, "bob").await;
    for (http, user) in [(&alice, "alice"), (&bob, "bob")] {
        assert_eq!(http.send("MKCALENDAR", &format!("/calendars/{user}/work/"), &[], "").await.status, 201);
    }
    // A copy would be a second one, in another calendar or in the same.
    for (http, from, user) in [(&alice, MINE, "alice"), (&bob, at_bobs.as_str(), "bob")] {
        let copied = send(http, "COPY", from, &format!("/calendars/{user}/work/again.ics")).await;
        refused(&copied, "unique-scheduling-object-resource");
        assert!(copied.text().contains(from), "{copied:?}");
        let copied = send(http, "COPY", from, &format!("/calendars/{user}/default/again.ics")).await;
        assert_eq!(copied.status, 409, "{copied:?}");
        has(&copied.text(), &["no-uid-conflict", from]);
    }
    // It moves with its tag, under another name and into another calendar, and nobody is told.
    let work = "/calendars/alice/work/round.ics";
    for (from, to) in [(MINE, "/calendars/alice/default/renamed.ics"), ("/calendars/alice/default/renamed.ics", work)] {
        let moved = send(&alice, "MOVE", from, to).await;
        assert_eq!((moved.status, moved.header("schedule-tag")), (201, tag.as_str()), "{moved:?}");
    }
    assert_eq!((alice.get(MINE).await.status, alice.get(work).await.text()), (404, mine));
    let at_work = "/calendars/bob/work/round.ics";
    let moved = send(&bob, "MOVE", &at_bobs, at_work).await;
    assert_eq!((moved.status, moved.header("schedule-tag")), (201, bobs_tag.as_str()), "{moved:?}");
    house.settle().await;
    assert_eq!(bob.get(at_work).await.text().replace("\r\n ", ""), bobs);
    assert_eq!((inbox(&bob, "bob").await.len(), inbox(&alice, "alice").await.len()), (1, 0));
    // From where they are now both go on as before.
    let put = alice.put(work, &series(&people("", "")).replace("SUMMARY:Round", "SUMMARY:Square")).await;
    assert_eq!(put.status, 204, "{put:?}");
    house.settle().await;
    let theirs = bob.get(at_work).await.text();
    has(&theirs, &["SUMMARY:Square"]);
    let put = bob
        .put(
            at_work,
            &theirs.replace("\r\n ", "").replace("ATTENDEE:mailto:bob", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:bob"),
        )
        .await;
    assert_eq!(put.status, 204, "{put:?}");
    house.settle().await;
    has(&alice.get(work).await.text().replace("\r\n ", ""), &["PARTSTAT=ACCEPTED;SCHEDULE-STATUS=2.0:mailto:bob"]);
    let listed = bob.send("PROPFIND", "/calendars/bob/default/", &[("Depth", "1")], "").await.text();
    assert!(!listed.contains(".ics"), "{listed}");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn into_another_home_it_is_put_there_and_deleted_here() {
    let house = House::open().await;
    let (alice, bob, carol) = (house.http("alice"), house.http("bob"), house.http("carol"));
    for user in ["alice", "bob"] {
        let shared = format!("/api/calendars/carol/default/shares/{user}");
        assert_eq!(carol.put_json(&shared, r#"{"right":"read-write"}"#).await.status, 201);
    }
    // Alice asks bob alone: in carol's home it would be nobody's.
    let only_bob = people("", "").replace("ATTENDEE:mailto:carol@campanile.example\r\n", "");
    assert_eq!(alice.put(MINE, &series(&only_bob)).await.status, 201);
    let mine = alice.get(MINE).await.text();
    let there = "/calendars/carol/default/round.ics";
    for method in ["COPY", "MOVE"] {
        refused(&send(&alice, method, MINE, there).await, "allowed-organizer-scheduling-object-change");
    }
    assert_eq!((alice.get(MINE).await.text(), alice.get(there).await.status), (mine, 404));
    assert_eq!((copy(&bob, "bob").await.1.contains("CANCELLED"), inbox(&bob, "bob").await.len()), (false, 1));
    // She asks carol too, who has it then: bob's cannot go there.
    assert_eq!(alice.put(MINE, &series(&people("", ""))).await.status, 204);
    let (at_bobs, _, _) = copy(&bob, "bob").await;
    let (at_carols, carols, _) = copy(&carol, "carol").await;
    for method in ["COPY", "MOVE"] {
        let sent = send(&bob, method, &at_bobs, there).await;
        assert!(matches!(sent.status, 403 | 409) && sent.text().contains(&at_carols), "{sent:?}");
    }
    // Where carol threw hers away, bob's goes there and is carol's; bob himself does not come.
    assert_eq!(carol.send("DELETE", &at_carols, &[("Schedule-Reply", "F")], "").await.status, 204);
    let moved = send(&bob, "MOVE", &at_bobs, there).await;
    assert_eq!(moved.status, 201, "{moved:?}");
    house.settle().await;
    assert_eq!(carol.get(there).await.text().replace("\r\n ", ""), carols);
    let mine = alice.get(MINE).await.text().replace("\r\n ", "");
    assert_eq!(mine.matches("PARTSTAT=DECLINED;SCHEDULE-STATUS=2.0:mailto:bob").count(), 2, "{mine}");
    assert!(!mine.contains("PARTSTAT=DECLINED;SCHEDULE-STATUS=2.0:mailto:carol"), "{mine}");
    assert_eq!(inbox(&alice, "alice").await.len(), 1);
    house.stop().await;
}
