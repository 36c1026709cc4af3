//! How clients find their way in, from wherever they begin; and that a browser finds a page where they find DAV.

use crate::live::House;
use crate::live::dav::{ask, has};

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_gets_a_page_and_apps_get_dav() {
    let house = House::open().await;
    let (alice, nobody) = (house.http("alice"), house.anonymous());
    let browser = ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
    let page = nobody.send("GET", "/", &[browser], "").await;
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"), "{page:?}");
    assert!(page.text().contains("Campanile") && !page.text().contains("alice"));
    assert!(page.header("content-security-policy").starts_with("default-src 'none'"), "{page:?}");
    assert_eq!((page.header("x-content-type-options"), page.header("vary")), ("nosniff", "Accept"));
    let head = nobody.send("HEAD", "/", &[browser], "").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    // Everything else there is DAV, whatever it accepts.
    for (method, status) in [("PROPFIND", 401), ("OPTIONS", 401), ("REPORT", 401), ("POST", 401)] {
        assert_eq!(nobody.send(method, "/", &[browser, ("depth", "0")], "").await.status, status, "{method}");
    }
    assert_eq!(alice.send("PROPFIND", "/", &[browser, ("depth", "0")], "").await.status, 207);
    for accept in ["*/*", "application/xml", ""] {
        assert_eq!(nobody.send("GET", "/", &[("accept", accept)], "").await.status, 401, "{accept}");
        assert_eq!(alice.send("GET", "/", &[("accept", accept)], "").await.status, 405, "{accept}");
    }
    assert_eq!(nobody.send("GET", "/calendars/alice/default/", &[browser], "").await.status, 401);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_door_leads_to_the_same_places() {
    let house = House::open().await;
    let (alice, nobody) = (house.http("alice"), house.anonymous());
    for prefix in ["", "/dav"] {
        for name in ["caldav", "carddav"] {
            for path in [format!("{prefix}/.well-known/{name}"), format!("{prefix}/.well-known/{name}/")] {
                for method in ["GET", "HEAD", "OPTIONS", "PROPFIND", "REPORT", "POST"] {
                    let moved = nobody.send(method, &path, &[], "").await;
                    assert_eq!(
                        (moved.status, moved.header("location")),
                        (301, format!("{prefix}/").as_str()),
                        "{method} {path}"
                    );
                }
            }
        }
        let doors = [
            "/",
            "/principals/",
            "/principals/alice/",
            "/principals/alice",
            "/calendars/",
            "/calendars/alice/",
            "/calendars/alice",
            "/addressbooks/alice/",
            "/calendars/alice/default/",
            "/calendars/alice/default",
            "/addressbooks/alice/collected/",
        ];
        for door in doors {
            let door = format!("{prefix}{door}");
            for asked in [&nobody, &alice] {
                let options = asked.send("OPTIONS", &door, &[], "").await;
                assert!(matches!(options.status, 200 | 401), "{door}");
                assert!(options.header("dav").starts_with("1, 3"), "{door}: {options:?}");
            }
            let options = alice.send("OPTIONS", &door, &[], "").await;
            assert_eq!((options.status, options.body.len()), (200, 0), "GNOME takes 200 alone: {door}");
            let found = ask(&alice, &door, "0", "<D:current-user-principal/><D:principal-collection-set/>").await;
            assert_eq!(found.status, 207);
            assert!(found.header("dav").starts_with("1, 3"));
            has(&found, &format!("<D:current-user-principal><D:href>{prefix}/principals/alice/</D:href>"));
            has(&found, &format!("<D:principal-collection-set><D:href>{prefix}/principals/</D:href>"));
            // The row is named as its place is spelled, whether or not the client wrote the slash.
            let canonical = if door.ends_with('/') { door.clone() } else { format!("{door}/") };
            has(&found, &format!("<D:response><D:href>{canonical}</D:href>"));
        }
        let homes = ask(
            &alice,
            &format!("{prefix}/principals/alice/"),
            "0",
            "<C:calendar-home-set/><CR:addressbook-home-set/>",
        )
        .await;
        has(&homes, &format!("<C:calendar-home-set><D:href>{prefix}/calendars/alice/</D:href></C:calendar-home-set>"));
        has(
            &homes,
            &format!(
                "<CR:addressbook-home-set><D:href>{prefix}/addressbooks/alice/</D:href></CR:addressbook-home-set>"
            ),
        );
    }
    // A wrong password is 401 and asks again; it is never 403.
    let wrong = crate::live::client::Http::with(house.base(), "Basic YWxpY2U6d3Jvbmc=");
    let asked = ask(&wrong, "/principals/alice/", "0", "<D:displayname/>").await;
    assert_eq!((asked.status, asked.header("www-authenticate")), (401, r#"Basic realm="Campanile", charset="UTF-8""#));
    house.stop().await;
}
