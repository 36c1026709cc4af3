//! Whoever may write in somebody's calendar organises and answers for them, and says so: SENT-BY. RFC 5545 3.2.18.

use crate::live::House;
use crate::live::scheduling::{MINE, copy, has, inbox, people, refused, series};

const BY_CAROL: &str = "SENT-BY=\"mailto:carol@campanile.example\"";

#[tokio::test(flavor = "multi_thread")]
async fn a_delegate_organises_and_answers_for_the_owner() {
    let house = House::open().await;
    let (alice, bob, carol) = (house.http("alice"), house.http("bob"), house.http("carol"));
    let only_bob = people("", "").replace("ATTENDEE:mailto:carol@campanile.example\r\n", "");
    for (http, user) in [(&alice, "alice"), (&bob, "bob")] {
        let shared = format!("/api/calendars/{user}/default/shares/carol");
        assert_eq!(http.put_json(&shared, r#"{"right":"read"}"#).await.status, 201);
    }
    // Who may only read organises nothing.
    refused(&carol.put(MINE, &series(&only_bob)).await, "need-privileges");
    for (http, user) in [(&alice, "alice"), (&bob, "bob")] {
        let shared = format!("/api/calendars/{user}/default/shares/carol");
        assert!(http.put_json(&shared, r#"{"right":"read-write"}"#).await.status < 300);
    }
    let put = carol.put(MINE, &series(&only_bob)).await;
    assert_eq!((put.status, put.header("etag")), (201, ""), "{put:?}");
    house.settle().await;
    let organizer = format!("ORGANIZER;{BY_CAROL}:mailto:alice@campanile.example");
    let (_, mine, _) = copy(&alice, "alice").await;
    assert_eq!(mine.matches(&organizer).count(), 2, "{mine}");
    let (at_bobs, bobs, _) = copy(&bob, "bob").await;
    has(&bobs, &[&organizer]);
    has(&inbox(&bob, "bob").await[0], &["METHOD:REQUEST", &organizer]);
    // She answers for bob as well.
    let put = carol.put(&at_bobs, &bobs.replace("ATTENDEE:mailto:bob", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:bob")).await;
    assert_eq!(put.status, 204, "{put:?}");
    house.settle().await;
    let answer = format!("ATTENDEE;PARTSTAT=ACCEPTED;{BY_CAROL}:mailto:bob@campanile.example");
    has(&inbox(&alice, "alice").await[0], &["METHOD:REPLY", &answer]);
    has(&copy(&alice, "alice").await.1, &["PARTSTAT=ACCEPTED;SCHEDULE-STATUS=2.0:mailto:bob"]);
    // Bob himself may go on with what she wrote.
    let (_, bobs, _) = copy(&bob, "bob").await;
    let put = bob
        .put(&at_bobs, &bobs.replace("ATTENDEE;PARTSTAT=ACCEPTED;SENT-BY", "ATTENDEE;PARTSTAT=TENTATIVE;SENT-BY"))
        .await;
    assert_eq!(put.status, 204, "{put:?}");
    // Nobody may be said to have written who may not write there.
    assert_eq!(bob.delete("/api/calendars/bob/default/shares/carol").await.status, 204);
    let forged = series(&only_bob)
        .replace("UID:round", "UID:forged")
        .replace("ORGANIZER:mailto:alice", &format!("ORGANIZER;{BY_CAROL}:mailto:bob"));
    refused(&bob.put("/calendars/bob/default/forged.ics", &forged).await, "allowed-organizer-scheduling-object-change");
    let by_alice = bobs
        .replace("carol@campanile.example\"", "alice@campanile.example\"")
        .replace("ORGANIZER;SENT-BY=\"mailto:alice@", "ORGANIZER;SENT-BY=\"mailto:carol@");
    refused(&bob.put(&at_bobs, &by_alice).await, "allowed-attendee-scheduling-object-change");
    house.stop().await;
}
