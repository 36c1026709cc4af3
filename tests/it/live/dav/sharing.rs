//! Sharing as DAV clients spell it: Apple's `CS:share`, the draft's `D:share-resource`, proxies, the ACL method; and what each person then
//! sees and hears.

use serde_json::{Value, json};

use crate::live::client::{Http, Reply, Socket};
use crate::live::dav::{ask, has, refused};
use crate::live::stomp::Talk;
use crate::live::{House, card, plain_event};

const XML: &[(&str, &str)] = &[("content-type", "text/xml; charset=utf-8")];
const TRIP: &str = "/calendars/alice/trip/";

async fn post(http: &Http, path: &str, body: &str) -> Reply {
    let spaces = "xmlns:D='DAV:' xmlns:CS='http://calendarserver.org/ns/' xmlns:C='urn:ietf:params:xml:ns:caldav'";
    http.send("POST", path, XML, body.replacen('>', &format!(" {spaces}>"), 1)).await
}

fn set(mail: &str, access: &str) -> String {
    format!(
        "<CS:set><D:href>mailto:{mail}@campanile.example</D:href><CS:common-name>{mail}</CS:common-name>\
         <CS:summary>Trip</CS:summary><CS:{access}/></CS:set>"
    )
}

fn remove(mail: &str) -> String {
    format!("<CS:remove><D:href>mailto:{mail}@campanile.example</D:href></CS:remove>")
}

async fn share(http: &Http, path: &str, steps: &str) -> Reply {
    post(http, path, &format!("<CS:share>{steps}</CS:share>")).await
}

fn list(key: &str, path: &str) -> Value {
    json!({ "calendarList": { key: [path] } })
}

/// The caller's own path of alice's `trip`.
async fn mirror(http: &Http, kind: &str) -> Option<String> {
    let list = http.get(&format!("/api/{kind}")).await.json();
    let all = list.as_array().cloned().unwrap_or_default();
    let found = all.iter().find(|one| one["source"] == format!("/{kind}/alice/trip"))?;
    Some(found["href"].as_str().expect("an href").to_owned())
}

async fn trip(house: &House) -> Http {
    let alice = house.http("alice");
    assert_eq!(alice.post("/api/calendars", r##"{"id":"trip","name":"Trip","color":"#FF0000FF"}"##).await.status, 201);
    assert_eq!(alice.put(&format!("{TRIP}o.ics"), &plain_event("o", "20250115T100000Z")).await.status, 201);
    alice
}

#[track_caller]
fn lacks(reply: &Reply, what: &str) {
    assert!(!reply.text().contains(what), "{what} in {}", reply.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn apple_shares_a_calendar_and_takes_it_back() {
    let house = House::open().await;
    let alice = trip(&house).await;
    let (bob, carol) = (house.http("bob"), house.http("carol"));
    let mut sockets: Vec<Socket> = Vec::new();
    for who in ["alice", "bob", "carol"] {
        sockets.push(house.socket(who).await);
    }
    let props =
        "<CS:invite/><CS:allowed-sharing-modes/><D:resourcetype/><D:share-access/><D:invite/><CS:pre-publish-url/>";
    let before = ask(&alice, TRIP, "0", props).await;
    has(&before, "<CS:allowed-sharing-modes><CS:can-be-shared/><CS:can-be-published/></CS:allowed-sharing-modes>");
    has(&before, "<D:share-access><D:not-shared/></D:share-access>");
    lacks(&before, "shared-owner");

    // Two at once: the owner hears of it once.
    let both = format!("{}{}", set("bob", "read-write"), set("carol", "read"));
    assert_eq!(share(&alice, TRIP, &both).await.status, 200);
    house.settle().await;
    let bobs = mirror(&bob, "calendars").await.expect("bob's mirror");
    let carols = mirror(&carol, "calendars").await.expect("carol's mirror");
    assert_eq!(sockets[0].heard().await, [list("updated", "/calendars/alice/trip")]);
    assert_eq!(sockets[1].heard().await, [list("delegated", &bobs)]);
    assert_eq!(sockets[2].heard().await, [list("delegated", &carols)]);
    let shown = ask(&alice, TRIP, "0", props).await;
    has(&shown, "<D:collection/><C:calendar/><CS:shared-owner/>");
    has(
        &shown,
        "<CS:organizer><D:href>/principals/alice/</D:href><CS:common-name>Alice Archer</CS:common-name></CS:organizer>",
    );
    has(&shown, "<D:href>mailto:bob@campanile.example</D:href>");
    has(&shown, "<CS:invite-accepted/><CS:access><CS:read-write/></CS:access></CS:user>");
    has(&shown, "<D:invite-accepted/><D:share-access><D:read/></D:share-access>");
    let theirs = ask(&carol, &format!("{carols}/"), "0", &format!("{props}<CS:shared-url/><D:displayname/>")).await;
    has(&theirs, "<D:collection/><C:calendar/><CS:shared/>");
    has(&theirs, "<CS:shared-url><D:href>/calendars/alice/trip/</D:href></CS:shared-url>");
    has(&theirs, "<D:share-access><D:read/></D:share-access>");
    has(&theirs, "<D:displayname>Trip</D:displayname>");
    // Whom else it is shared with is not hers to know.
    lacks(&theirs, "bob");
    assert_eq!(bob.put(&format!("{bobs}/n.ics"), &plain_event("n", "20250116T100000Z")).await.status, 201);
    assert_eq!(carol.put(&format!("{carols}/m.ics"), &plain_event("m", "20250116T100000Z")).await.status, 403);

    // Another right for one, none for the other, and somebody who is nobody here.
    let steps = format!("{}{}{}", set("carol", "read-write"), remove("bob"), set("zoe", "read"));
    let answered = share(&alice, TRIP, &steps).await;
    assert_eq!(answered.status, 207, "{}", answered.text());
    has(&answered, "<D:href>mailto:carol@campanile.example</D:href><D:status>HTTP/1.1 200 OK</D:status>");
    has(
        &answered,
        "<D:href>mailto:zoe@campanile.example</D:href><D:status>HTTP/1.1 403 Forbidden</D:status><D:error><CS:invite-invalid/>",
    );
    house.settle().await;
    assert_eq!(sockets[0].heard().await, [list("updated", "/calendars/alice/trip")]);
    assert_eq!(sockets[1].heard().await, [list("deleted", &bobs)]);
    assert_eq!(sockets[2].heard().await, [list("updated", &carols)]);
    lacks(&ask(&alice, TRIP, "0", props).await, "zoe");
    assert_eq!(bob.get(&format!("{bobs}/o.ics")).await.status, 404);
    assert_eq!(bob.get(&format!("{TRIP}o.ics")).await.status, 403);

    // Nothing of a request that is refused is done.
    let with_self = format!("{}{}", set("bob", "read"), set("alice", "read"));
    refused(&share(&alice, TRIP, &with_self).await, 403, "<D:allowed-principal/>");
    for steps in ["", "<CS:set><D:href>mailto:bob@campanile.example</D:href></CS:set>", "<CS:set><CS:read/></CS:set>"] {
        assert_eq!(share(&alice, TRIP, steps).await.status, 400, "{steps}");
    }
    refused(&share(&carol, &format!("{carols}/"), &set("bob", "read")).await, 403, "<D:need-privileges/>");
    refused(&share(&bob, TRIP, &set("bob", "read")).await, 403, "<D:need-privileges/>");
    assert_eq!(alice.send("POST", TRIP, &[("content-type", "text/plain")], "x").await.status, 415);
    house.settle().await;
    for socket in &mut sockets {
        assert_eq!(socket.heard().await, Vec::<Value>::new());
    }
    drop(sockets);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_is_told_answered_and_thrown_away() {
    let house = House::open().await;
    let alice = trip(&house).await;
    let bob = house.http("bob");
    let url = ask(&bob, "/principals/bob/", "0", "<CS:notification-URL/>").await;
    has(&url, "<CS:notification-URL><D:href>/notifications/bob/</D:href></CS:notification-URL>");
    let sync = |token: &str| {
        format!(
            "<D:sync-collection xmlns:D='DAV:'><D:sync-token>{token}</D:sync-token><D:sync-level>1</D:sync-level>\
             <D:prop><D:getetag/></D:prop></D:sync-collection>"
        )
    };
    let token = |reply: &Reply| {
        let text = reply.text();
        let (_, rest) = text.split_once("<sync-token>").expect("a token");
        rest.split_once("</sync-token>").expect("its end").0.to_owned()
    };
    // The last of them.
    let href = |reply: &Reply| {
        let text = reply.text();
        let (_, rest) = text.rsplit_once("/notifications/bob/").expect("an href");
        format!("/notifications/bob/{}", rest.split_once("</href>").expect("its end").0)
    };
    let follow = async |token: &str| bob.send("REPORT", "/notifications/bob/", &[("depth", "0")], sync(token)).await;
    let started = follow("").await;
    assert_eq!(started.status, 207, "{}", started.text());
    assert_eq!(share(&alice, TRIP, &set("bob", "read")).await.status, 200);
    let mirror = mirror(&bob, "calendars").await.expect("a mirror");
    let told =
        ask(&bob, "/notifications/bob/", "1", "<D:resourcetype/><CS:notificationtype/><D:getetag/><D:getcontenttype/>")
            .await;
    has(&told, "<D:collection/><CS:notification/>");
    has(&told, "<CS:notificationtype><CS:invite-notification/></CS:notificationtype>");
    let at = href(&told);
    let invite = bob.get(&at).await;
    assert_eq!((invite.status, invite.header("content-type")), (200, "application/xml; charset=utf-8"));
    has(
        &invite,
        "<CS:invite-accepted/><CS:access><CS:read/></CS:access><CS:hosturl><D:href>/calendars/alice/trip/</D:href></CS:hosturl>",
    );
    has(
        &invite,
        "<CS:organizer><D:href>/principals/alice/</D:href><CS:common-name>Alice Archer</CS:common-name></CS:organizer>",
    );
    has(&invite, "<CS:summary>Trip</CS:summary>");
    let since = token(&follow("").await);

    // Bob declines: the mirror is hidden, alice sees it in her invite and is told.
    let mut socket = house.socket("bob").await;
    let mut owners = house.socket("alice").await;
    let reply = |said: &str| {
        format!(
            "<CS:invite-reply><D:href>mailto:bob@campanile.example</D:href><CS:{said}/><CS:hosturl><D:href>{TRIP}</D:href></CS:hosturl>\
             <CS:in-reply-to>1</CS:in-reply-to><CS:summary>Trip</CS:summary></CS:invite-reply>"
        )
    };
    assert_eq!(post(&bob, "/calendars/bob/", &reply("invite-declined")).await.status, 204);
    house.settle().await;
    assert_eq!(socket.heard().await, [list("deleted", &mirror)]);
    assert_eq!(owners.heard().await, Vec::<Value>::new());
    assert_eq!(bob.get(&format!("{mirror}/o.ics")).await.status, 404);
    // The right itself stays.
    assert_eq!(bob.get(&format!("{TRIP}o.ics")).await.status, 200);
    has(&ask(&alice, TRIP, "0", "<CS:invite/>").await, "<CS:invite-declined/><CS:access><CS:read/></CS:access>");
    let news = ask(&alice, "/notifications/alice/", "1", "<CS:notificationtype/>").await;
    has(&news, "<CS:notificationtype><CS:invite-reply/></CS:notificationtype>");
    // And takes it after all.
    let accepted = post(&bob, "/calendars/bob/", &reply("invite-accepted")).await;
    assert_eq!(accepted.status, 200, "{}", accepted.text());
    has(&accepted, &format!("<D:href>{mirror}/</D:href></CS:shared-as>"));
    house.settle().await;
    assert_eq!(socket.heard().await, [list("delegated", &mirror)]);
    assert_eq!(bob.get(&format!("{mirror}/o.ics")).await.status, 200);
    assert_eq!(post(&bob, "/calendars/bob/", &reply("invite-accepted")).await.status, 200);
    house.settle().await;
    assert_eq!(socket.heard().await, Vec::<Value>::new());

    // Thrown away, it is gone for whoever follows.
    assert_eq!(bob.delete(&at).await.status, 204);
    assert_eq!(bob.get(&at).await.status, 404);
    has(&follow(&since).await, &format!("<D:href>{at}</D:href><D:status>HTTP/1.1 404 Not Found</D:status>"));
    refused(&follow("http://sabre.io/ns/sync/7777777").await, 403, "<D:valid-sync-token/>");
    // What is taken back is told too.
    assert_eq!(share(&alice, TRIP, &remove("bob")).await.status, 200);
    let told = ask(&bob, "/notifications/bob/", "1", "<D:getetag/>").await;
    has(&bob.get(&href(&told)).await, "<CS:invite-deleted/>");
    for (path, body) in [
        ("/calendars/bob/", reply("invite-accepted")),
        ("/calendars/bob/", reply("invite-accepted").replace(TRIP, "/calendars/alice/none/")),
    ] {
        assert_eq!(post(&bob, path, &body).await.status, 404, "{body}");
    }
    assert_eq!(post(&bob, "/calendars/bob/", "<CS:invite-reply></CS:invite-reply>").await.status, 400);
    refused(&post(&bob, "/calendars/alice/", &reply("invite-accepted")).await, 403, "<D:need-privileges/>");
    drop((socket, owners));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_draft_shares_address_books_too() {
    let house = House::open().await;
    let (alice, bob) = (house.http("alice"), house.http("bob"));
    assert_eq!(alice.post("/api/addressbooks", r#"{"id":"trip","name":"Trip"}"#).await.status, 201);
    let book = "/addressbooks/alice/trip/";
    let sharee = |href: &str, access: &str| {
        format!(
            "<D:sharee><D:href>{href}</D:href><D:comment>x</D:comment><D:share-access><D:{access}/></D:share-access></D:sharee>"
        )
    };
    let told =
        async |sharees: String| post(&alice, book, &format!("<D:share-resource>{sharees}</D:share-resource>")).await;
    let mut socket = house.socket("bob").await;
    assert_eq!(told(sharee("/principals/bob/", "read-write")).await.status, 200);
    house.settle().await;
    let mirror = mirror(&bob, "addressbooks").await.expect("a mirror");
    // The Side wire's list is one of calendars.
    assert_eq!(socket.heard().await, Vec::<Value>::new());
    socket.register(&mirror).await;
    // A change by either is told on bob's own path, with a bare number.
    for (who, at) in [(&alice, book.to_owned()), (&bob, format!("{mirror}/"))] {
        let uid = if at == book { "a" } else { "b" };
        assert_eq!(who.put(&format!("{at}{uid}.vcf"), &card(uid)).await.status, 201);
        house.settle().await;
        let heard = socket.heard().await;
        assert_eq!(heard.len(), 1, "{heard:?}");
        assert!(heard[0][&mirror]["syncToken"].as_str().is_some_and(|token| token.parse::<u64>().is_ok()), "{heard:?}");
    }
    let shown =
        ask(&bob, &format!("{mirror}/"), "0", "<D:resourcetype/><D:share-access/><D:share-resource-uri/>").await;
    has(&shown, "<CR:addressbook/><CS:shared/>");
    has(&shown, "<D:share-access><D:read-write/></D:share-access>");
    has(&shown, "<D:share-resource-uri><D:href>/addressbooks/alice/trip/</D:href></D:share-resource-uri>");
    let unknown = told(sharee("/principals/zoe/", "read")).await;
    assert_eq!(unknown.status, 207);
    has(&unknown, "<D:error><D:recognized-principal/></D:error>");
    assert_eq!(told(sharee("mailto:bob@campanile.example", "no-access")).await.status, 200);
    assert_eq!(alice.put(&format!("{book}d.vcf"), &card("d")).await.status, 201);
    house.settle().await;
    assert_eq!(socket.heard().await, Vec::<Value>::new());
    assert_eq!(bob.get(&format!("{book}a.vcf")).await.status, 403);
    let again = socket.ask(&json!({ "register": [&mirror] }).to_string()).await;
    assert_eq!(again, json!({ "notRegistered": { &mirror: "NotFound" } }));
    // Over JSON the same; nobody is busy in a book.
    let busy = alice.put_json("/api/addressbooks/alice/trip/shares/bob", r#"{"right":"freebusy"}"#).await;
    assert_eq!(busy.status, 400, "{busy:?}");
    assert_eq!(alice.put_json("/api/addressbooks/alice/trip/public", r#"{"right":"read"}"#).await.status, 200);
    let subscribed = bob.post("/api/subscriptions", r#"{"source":"/addressbooks/alice/trip"}"#).await;
    assert_eq!(subscribed.status, 201, "{subscribed:?}");
    let own = subscribed.json()["href"].as_str().expect("an href").to_owned();
    assert_eq!(bob.get(&format!("{own}/a.vcf")).await.status, 200);
    assert_eq!(bob.delete(&format!("/api{own}")).await.status, 204);
    drop(socket);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_calendar_is_published_and_withdrawn() {
    let house = House::open().await;
    let alice = trip(&house).await;
    let carol = house.http("carol");
    assert_eq!(post(&alice, TRIP, "<CS:publish-calendar></CS:publish-calendar>").await.status, 202);
    has(
        &ask(&alice, TRIP, "0", "<CS:publish-url/>").await,
        "<CS:publish-url><D:href>/calendars/alice/trip/</D:href></CS:publish-url>",
    );
    assert_eq!(carol.get(&format!("{TRIP}o.ics")).await.status, 200);
    assert_eq!(post(&alice, TRIP, "<CS:unpublish-calendar></CS:unpublish-calendar>").await.status, 202);
    lacks(&ask(&alice, TRIP, "0", "<CS:publish-url/>").await, "/calendars/alice/trip/</href></CS:publish-url>");
    assert_eq!(carol.get(&format!("{TRIP}o.ics")).await.status, 403);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_only_ask_when_somebody_is_busy_learns_nothing_else() {
    let house = House::open().await;
    let alice = trip(&house).await;
    let bob = house.http("bob");
    let mut socket = house.socket("bob").await;
    let grant = alice.put_json("/api/calendars/alice/trip/shares/bob", r#"{"right":"freebusy"}"#).await;
    assert_eq!(grant.status, 201, "{grant:?}");
    let mirror = grant.json()["href"].as_str().expect("an href").to_owned();
    house.settle().await;
    assert_eq!(socket.heard().await, [list("created", &mirror)]);
    for at in [TRIP.to_owned(), format!("{mirror}/")] {
        let shown = ask(&bob, &at, "1", "<D:displayname/><A:calendar-color/><D:sync-token/><CS:getctag/><D:current-user-privilege-set/><CS:invite/>").await;
        assert_eq!(shown.status, 207, "{at}");
        has(
            &shown,
            "<D:current-user-privilege-set><D:privilege><C:read-free-busy/></D:privilege></D:current-user-privilege-set>",
        );
        for secret in ["Trip", "FF0000", "sabre.io", "o.ics", "Event o"] {
            lacks(&shown, secret);
        }
        let busy = "<C:free-busy-query xmlns:C='urn:ietf:params:xml:ns:caldav'><C:time-range start='20250101T000000Z' end='20250201T000000Z'/></C:free-busy-query>";
        let busy = bob.send("REPORT", &at, &[("depth", "1")], busy).await;
        assert_eq!(busy.status, 200, "{at}");
        has(&busy, "FREEBUSY;FBTYPE=BUSY:20250115T100000Z/20250115T110000Z");
        lacks(&busy, "Event o");
        assert_eq!(bob.get(&format!("{at}o.ics")).await.status, 403, "{at}");
        assert_eq!(bob.get(&at).await.status, 403, "{at}");
        let path = at.trim_end_matches('/');
        let asked = bob.get(&format!("/api{path}/busy?from=2025-01-15&to=2025-01-16")).await;
        assert_eq!(
            asked.json(),
            json!({ "busy": [{ "start": "2025-01-15T10:00:00Z", "end": "2025-01-15T11:00:00Z", "kind": "BUSY" }] })
        );
        let heard = socket.ask(&json!({ "register": [path] }).to_string()).await;
        assert_eq!(heard, json!({ "notRegistered": { path: "Forbidden" } }));
    }
    let all = bob.get("/api/calendars").await.json().to_string();
    assert!(all.contains("\"freebusy\"") && !all.contains("Trip"), "{all}");
    assert_eq!(bob.post("/api/subscriptions", r#"{"source":"/calendars/alice/trip"}"#).await.status, 403);
    // With more of a right the mirror shows what it is a mirror of.
    assert_eq!(alice.put_json("/api/calendars/alice/trip/shares/bob", r#"{"right":"read"}"#).await.status, 201);
    has(&ask(&bob, &format!("{mirror}/"), "0", "<D:displayname/>").await, "<D:displayname>Trip</D:displayname>");
    house.settle().await;
    assert_eq!(socket.heard().await, [list("updated", &mirror)]);
    socket.register(&mirror).await;
    // With less of it, the registration ends with the commit.
    assert_eq!(alice.put_json("/api/calendars/alice/trip/shares/bob", r#"{"right":"freebusy"}"#).await.status, 201);
    assert_eq!(alice.put(&format!("{TRIP}p.ics"), &plain_event("p", "20250117T100000Z")).await.status, 201);
    house.settle().await;
    assert_eq!(socket.heard().await, [list("updated", &mirror)]);
    drop(socket);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_acts_for_somebody_reaches_their_calendars() {
    let house = House::open().await;
    let alice = trip(&house).await;
    let (bob, carol) = (house.http("bob"), house.http("carol"));
    let members = |hrefs: &[&str]| {
        let hrefs: String = hrefs.iter().map(|href| format!("<D:href>{href}</D:href>")).collect();
        format!(
            "<D:propertyupdate xmlns:D='DAV:'><D:set><D:prop><D:group-member-set>{hrefs}</D:group-member-set></D:prop></D:set>\
             </D:propertyupdate>"
        )
    };
    let (readers, writers) = ("/principals/alice/calendar-proxy-read/", "/principals/alice/calendar-proxy-write/");
    let set = async |group: &str, hrefs: &[&str]| alice.send("PROPPATCH", group, XML, members(hrefs)).await;
    // Nobody acts for themself, nor does who is nobody; and then nothing is done.
    has(&set(writers, &["/principals/bob/", "/principals/alice/"]).await, "<D:allowed-principal/>");
    has(&set(writers, &["/principals/bob/", "/principals/zoe/"]).await, "<D:recognized-principal/>");
    assert_eq!(bob.get(&format!("{TRIP}o.ics")).await.status, 403);
    has(&set(writers, &["/principals/bob/"]).await, "HTTP/1.1 200 OK");
    has(&set(readers, &["/principals/carol/"]).await, "HTTP/1.1 200 OK");
    has(
        &ask(&alice, writers, "0", "<D:group-member-set/><D:resourcetype/>").await,
        "<D:group-member-set><D:href>/principals/bob/</D:href></D:group-member-set>",
    );
    // How Apple looks for them.
    let expand = "<D:expand-property xmlns:D='DAV:'><D:property name='calendar-proxy-write-for' namespace='http://calendarserver.org/ns/'>\
        <D:property name='displayname'/><D:property name='calendar-home-set' namespace='urn:ietf:params:xml:ns:caldav'/></D:property>\
        <D:property name='calendar-proxy-read-for' namespace='http://calendarserver.org/ns/'/></D:expand-property>";
    let found = bob.send("REPORT", "/principals/bob/", &[("depth", "0")], expand).await;
    assert_eq!(found.status, 207, "{}", found.text());
    has(&found, "<D:displayname>Alice Archer</D:displayname>");
    has(&found, "<C:calendar-home-set><D:href>/calendars/alice/</D:href></C:calendar-home-set>");
    has(&ask(&bob, "/principals/bob/", "0", "<D:group-membership/>").await, writers);
    has(
        &ask(&carol, "/principals/carol/", "0", "<CS:calendar-proxy-read-for/>").await,
        "<D:href>/principals/alice/</D:href>",
    );
    // What stands in the home, and what is made there later.
    let home = ask(&bob, "/calendars/alice/", "1", "<D:displayname/><D:current-user-privilege-set/>").await;
    has(&home, "<D:href>/calendars/alice/trip/</D:href>");
    has(&home, "<D:privilege><D:write-content/></D:privilege>");
    assert_eq!(alice.post("/api/calendars", r#"{"id":"later"}"#).await.status, 201);
    let text = plain_event("x", "20250116T100000Z");
    assert_eq!(bob.put("/calendars/alice/later/x.ics", &text).await.status, 201);
    assert_eq!(carol.get("/calendars/alice/later/x.ics").await.status, 200);
    assert_eq!(carol.put("/calendars/alice/later/y.ics", &text.replace("UID:x", "UID:y")).await.status, 403);
    assert_eq!(bob.get("/addressbooks/alice/collected/").await.status, 403);
    assert_eq!(ask(&bob, "/addressbooks/alice/", "1", "<D:displayname/>").await.status, 403);
    assert_eq!(share(&bob, TRIP, &set_carol()).await.status, 403);
    // Taken back, it ends at once, for sockets too.
    let mut socket = house.socket("bob").await;
    socket.register("/calendars/alice/trip").await;
    has(&set(writers, &[]).await, "HTTP/1.1 200 OK");
    assert_eq!(alice.put(&format!("{TRIP}p.ics"), &plain_event("p", "20250117T100000Z")).await.status, 201);
    house.settle().await;
    assert_eq!(socket.heard().await, Vec::<Value>::new());
    let again = socket.ask(&json!({ "register": ["/calendars/alice/trip"] }).to_string()).await;
    assert_eq!(again, json!({ "notRegistered": { "/calendars/alice/trip": "Forbidden" } }));
    assert_eq!(bob.get("/calendars/alice/later/x.ics").await.status, 403);
    lacks(&ask(&bob, "/principals/bob/", "0", "<CS:calendar-proxy-write-for/>").await, "alice");
    // A person who goes leaves nothing to somebody of the same name.
    let admin = house.http("admin");
    assert_eq!(admin.delete("/api/users/carol").await.status, 204);
    lacks(&ask(&alice, readers, "0", "<D:group-member-set/>").await, "carol");
    drop(socket);
    house.stop().await;
}

fn set_carol() -> String {
    set("carol", "read")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_access_list_sets_the_shares() {
    let house = House::open().await;
    let alice = trip(&house).await;
    let (bob, carol) = (house.http("bob"), house.http("carol"));
    let ace = |who: &str, privileges: &[&str]| {
        let privileges: String =
            privileges.iter().map(|name| format!("<D:privilege><{name}/></D:privilege>")).collect();
        format!("<D:ace><D:principal>{who}</D:principal><D:grant>{privileges}</D:grant></D:ace>")
    };
    let (bobs, carols) = ("<D:href>/principals/bob/</D:href>", "<D:href>/principals/carol/</D:href>");
    let acl = async |aces: String| {
        let body = format!("<D:acl xmlns:D='DAV:' xmlns:C='urn:ietf:params:xml:ns:caldav'>{aces}</D:acl>");
        alice.send("ACL", TRIP, XML, body).await
    };
    let rights = async || {
        let shown = alice.get("/api/calendars/alice/trip").await.json();
        let shares = shown["shares"].as_array().cloned().unwrap_or_default();
        let mut all: Vec<String> = shares
            .iter()
            .map(|one| {
                format!("{} {}", one["user"].as_str().unwrap_or_default(), one["right"].as_str().unwrap_or_default())
            })
            .collect();
        all.extend(shown["public"].as_str().map(|right| format!("all {right}")));
        all.join(", ")
    };
    let rows = [
        (ace(bobs, &["D:read"]), "bob read"),
        (ace(bobs, &["D:read", "D:write"]), "bob read-write"),
        (format!("{}{}", ace(bobs, &["D:read"]), ace(bobs, &["D:write"])), "bob read-write"),
        (
            format!("{}{}", ace(bobs, &["D:all"]), ace(carols, &["C:read-free-busy"])),
            "bob administration, carol freebusy",
        ),
        (format!("{}{}", ace(carols, &["D:read"]), ace("<D:authenticated/>", &["D:read"])), "carol read, all read"),
        (ace("<D:authenticated/>", &["C:read-free-busy"]), "all freebusy"),
        (String::new(), ""),
    ];
    for (aces, want) in rows {
        let set = acl(aces.clone()).await;
        assert_eq!(set.status, 200, "{aces}: {}", set.text());
        assert_eq!(rights().await, want, "{aces}");
        // What it shows is taken as it is.
        let shown = ask(&alice, TRIP, "0", "<D:acl/>").await.text();
        let list =
            shown.split_once("<acl>").and_then(|(_, rest)| rest.split_once("</acl>")).map_or("", |(list, _)| list);
        let again = format!("<acl xmlns='DAV:' xmlns:C='urn:ietf:params:xml:ns:caldav'>{list}</acl>");
        assert_eq!(alice.send("ACL", TRIP, XML, again).await.status, 200, "{list}");
        assert_eq!(rights().await, want, "{list}");
    }
    assert_eq!(acl(ace(bobs, &["D:read"])).await.status, 200);
    let refusals = [
        (ace("<D:href>/principals/zoe/</D:href>", &["D:read"]), "<D:recognized-principal/>"),
        (ace("<D:all/>", &["D:read"]), "<D:allowed-principal/>"),
        (ace("<D:property><D:owner/></D:property>", &["D:read"]), "<D:no-protected-ace-conflict/>"),
        (ace("<D:href>/principals/alice/</D:href>", &["D:read"]), "<D:no-protected-ace-conflict/>"),
        (ace(carols, &["D:bind"]), "<D:no-ace-conflict/>"),
        (ace(carols, &["D:read", "D:read-acl"]), "<D:no-ace-conflict/>"),
        (ace("<D:authenticated/>", &["D:all"]), "<D:no-ace-conflict/>"),
        (ace(carols, &["D:unlock"]), "<D:not-supported-privilege/>"),
        (
            format!("<D:ace><D:invert><D:principal>{carols}</D:principal></D:invert><D:grant/></D:ace>"),
            "<D:no-invert/>",
        ),
        (
            format!(
                "<D:ace><D:principal>{carols}</D:principal><D:deny><D:privilege><D:read/></D:privilege></D:deny></D:ace>"
            ),
            "<D:grant-only/>",
        ),
    ];
    for (aces, condition) in refusals {
        // The first entry is sound: nothing of it is done either.
        refused(&acl(format!("{}{aces}", ace(carols, &["D:read"]))).await, 403, condition);
        assert_eq!(rights().await, "bob read", "{aces}");
    }
    assert_eq!(bob.send("ACL", TRIP, XML, "<acl xmlns='DAV:'/>").await.status, 403);
    assert_eq!(carol.get(&format!("{TRIP}o.ics")).await.status, 403);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_is_told_on_every_wire_that_has_a_word_for_it() {
    let house = House::open().await;
    let alice = trip(&house).await;
    let mut wazo = house.listening(&house.bearer("bob", json!({ "expires_in": 86_400 })).await, 2).await;
    let mut stomp = Talk::connect(&house, "/stomp", "bob").await;
    stomp.subscribe("on", "/queue/channel/connected").await;
    stomp.subscribe("off", "/queue/channel/disconnected").await;
    assert_eq!(share(&alice, TRIP, &set("bob", "read")).await.status, 200);
    house.settle().await;
    assert_eq!(wazo.names().await, ["calendar_delegated"]);
    let frame = stomp.hear().await;
    assert!(frame.contains("subscription:on") && frame.contains(r#""name":"Trip""#), "{frame}");
    assert_eq!(share(&alice, TRIP, &remove("bob")).await.status, 200);
    house.settle().await;
    assert_eq!(wazo.names().await, ["calendar_deleted"]);
    let frame = stomp.hear().await;
    assert!(frame.contains("subscription:off") && !frame.contains("Trip"), "{frame}");
    drop((wazo, stomp));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_acts_is_set_in_json_as_in_dav() {
    let house = House::open().await;
    let (alice, bob) = (house.http("alice"), house.http("bob"));
    assert_eq!(alice.put_json("/api/proxies/read-write", r#"{"users":["bob"]}"#).await.status, 204);
    assert_eq!(alice.put_json("/api/proxies/read", r#"{"users":["carol"]}"#).await.status, 204);
    let (mine, theirs) = (alice.get("/api/proxies").await.json(), bob.get("/api/proxies").await.json());
    assert_eq!(
        mine["actForMe"],
        serde_json::json!([{ "user": "bob", "right": "read-write" }, { "user": "carol", "right": "read" }])
    );
    assert_eq!(theirs["iActFor"], serde_json::json!([{ "user": "alice", "right": "read-write" }]));
    let body = "<D:propfind xmlns:D='DAV:'><D:prop><D:group-member-set/></D:prop></D:propfind>";
    let group = alice.send("PROPFIND", "/principals/alice/calendar-proxy-write/", &[("depth", "0")], body).await.text();
    assert!(group.contains("/principals/bob/") && !group.contains("/principals/carol/"), "{group}");
    assert_eq!(
        bob.put("/calendars/alice/default/by_bob.ics", &crate::live::plain_event("b", "20250120T100000Z")).await.status,
        201
    );
    // Who is named with the other right has that one; oneself, nobody, and other rights are refused.
    assert_eq!(alice.put_json("/api/proxies/read", r#"{"users":["bob"]}"#).await.status, 204);
    assert_eq!(
        alice.get("/api/proxies").await.json()["actForMe"],
        serde_json::json!([{ "user": "bob", "right": "read" }])
    );
    for (right, users) in
        [("read", "alice"), ("read", "nobody"), ("freebusy", "bob"), ("administration", "bob"), ("x", "bob")]
    {
        let body = format!(r#"{{"users":["{users}"]}}"#);
        let set = alice.put_json(&format!("/api/proxies/{right}"), &body).await;
        assert_eq!(set.status, 400, "{right} {users}: {set:?}");
    }
    assert_eq!(house.anonymous().get("/api/proxies").await.status, 401);
    assert_eq!(alice.put_json("/api/proxies/read", r#"{"users":[]}"#).await.status, 204);
    assert_eq!(bob.get("/api/proxies").await.json()["iActFor"], serde_json::json!([]));
    house.stop().await;
}
