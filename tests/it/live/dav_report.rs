//! What calendar clients ask of a whole calendar: queries, excerpts, free time, objects by name; and what is refused.

use crate::live::client::{Http, Reply};
use crate::live::dav::{has, refused};
use crate::live::{House, card, plain_event};

pub const WORK: &str = "/calendars/alice/work/";
const SPACES: &str = "xmlns:D='DAV:' xmlns:C='urn:ietf:params:xml:ns:caldav' xmlns:CR='urn:ietf:params:xml:ns:carddav'";

/// A report whose root has its namespace's prefix.
pub async fn report(http: &Http, path: &str, root: &str, body: &str) -> Reply {
    let body = format!("<?xml version='1.0'?><{root} {SPACES}>{body}</{root}>");
    http.send("REPORT", path, &[("depth", "1"), ("content-type", "application/xml; charset=utf-8")], body).await
}

/// The rows of a multistatus: the last segment of each href, and what stands between its tags.
pub fn rows(reply: &Reply) -> Vec<(String, String)> {
    assert_eq!(reply.status, 207, "{}", reply.text());
    let text = reply.text();
    let row = |row: &str| {
        let (_, rest) = row.split_once("<href>").expect("an href");
        let (href, rest) = rest.split_once("</href>").expect("an href");
        let name = href.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        (name.to_owned(), rest.split("</response>").next().unwrap_or_default().to_owned())
    };
    text.split("<response>").skip(1).map(row).collect()
}

pub fn names(reply: &Reply) -> Vec<String> {
    rows(reply).into_iter().map(|(name, _)| name).collect()
}

/// The text of the first object in an answer.
fn text(reply: &Reply) -> String {
    let row = rows(reply).into_iter().next().expect("a row").1;
    let (_, rest) = row.split_once("-data>").expect("a text");
    rest.split("</C").next().unwrap_or_default().replace("&#13;\n", "\n").replace("&amp;", "&")
}

pub async fn put(house: &House, name: &str, component: &str) {
    let text = format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\n{component}END:VCALENDAR\r\n");
    let kept = house.http("alice").put(&format!("{WORK}{name}.ics"), &text).await;
    assert!(matches!(kept.status, 201 | 204), "{kept:?}");
}

fn component(kind: &str, uid: &str, lines: &[&str]) -> String {
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    format!("BEGIN:{kind}\r\nUID:{uid}\r\nDTSTAMP:20250101T000000Z\r\n{lines}END:{kind}\r\n")
}

pub async fn made() -> House {
    let house = House::open().await;
    assert_eq!(house.http("alice").send("MKCALENDAR", WORK, &[], "").await.status, 201);
    house
}

/// A calendar with a little of everything.
async fn filled() -> House {
    let house = made().await;
    let paris = "DTSTART;TZID=Europe/Paris:20250113T100000";
    let alarm = "BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT15M\r\nDESCRIPTION:x\r\nEND:VALARM";
    let daily = component("VEVENT", "daily", &[paris, "DURATION:PT1H", "RRULE:FREQ=DAILY;COUNT=5", "SUMMARY:Stand-up"])
        + &component(
            "VEVENT",
            "daily",
            &[
                "RECURRENCE-ID;TZID=Europe/Paris:20250115T100000",
                "DTSTART;TZID=Europe/Paris:20250115T160000",
                "DURATION:PT1H",
                "SUMMARY:Moved",
            ],
        );
    let rows = [
        ("daily", daily),
        (
            "lunch",
            component(
                "VEVENT",
                "lunch",
                &[
                    "DTSTART:20250114T120000Z",
                    "DTEND:20250114T130000Z",
                    "SUMMARY:Lunch\\, with \u{c9}va",
                    "STATUS:TENTATIVE",
                    "ATTENDEE;PARTSTAT=NEEDS-ACTION;ROLE=CHAIR:mailto:eva@example.org",
                    alarm,
                ],
            ),
        ),
        ("moment", component("VEVENT", "moment", &["DTSTART:20250114T090000Z"])),
        ("day", component("VEVENT", "day", &["DTSTART;VALUE=DATE:20250116", "TRANSP:TRANSPARENT", "CATEGORIES:a,b"])),
        ("due", component("VTODO", "due", &["DUE:20250114T150000Z", "STATUS:NEEDS-ACTION"])),
        ("started", component("VTODO", "started", &["DTSTART:20250120T000000Z", "DUE:20250122T000000Z", alarm])),
        ("done", component("VTODO", "done", &["CREATED:20250101T000000Z", "COMPLETED:20250105T120000Z"])),
        ("sometime", component("VTODO", "sometime", &["SUMMARY:Sometime"])),
        ("note", component("VJOURNAL", "note", &["DTSTART;VALUE=DATE:20250114"])),
        ("busy", component("VFREEBUSY", "busy", &["FREEBUSY:20250115T080000Z/PT1H,20250118T080000Z/20250118T090000Z"])),
    ];
    for (name, component) in rows {
        put(&house, name, &component).await;
    }
    house
}

/// Asks for the etags of what matches a filter within the VCALENDAR.
async fn find(house: &House, filter: &str) -> Vec<String> {
    let body = format!(
        "<D:prop><D:getetag/></D:prop><C:filter><C:comp-filter name='VCALENDAR'>{filter}</C:comp-filter></C:filter>"
    );
    let found = names(&report(&house.http("alice"), WORK, "C:calendar-query", &body).await);
    found.into_iter().map(|name| name.trim_end_matches(".ics").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_find_what_matches() {
    let house = filled().await;
    let range = |kind: &str, from: &str, to: &str| {
        let end = |name: &str, at: &str| if at.is_empty() { String::new() } else { format!(" {name}='{at}'") };
        let (start, end) = (end("start", from), end("end", to));
        format!("<C:comp-filter name='{kind}'><C:time-range{start}{end}/></C:comp-filter>")
    };
    let prop = |name: &str, test: &str| {
        format!("<C:comp-filter name='VEVENT'><C:prop-filter name='{name}'>{test}</C:prop-filter></C:comp-filter>")
    };
    let says = |text: &str, with: &str| format!("<C:text-match{with}>{text}</C:text-match>");
    let alarm = |kind: &str, from: &str, to: &str| {
        format!("<C:comp-filter name='{kind}'>{}</C:comp-filter>", range("VALARM", from, to))
    };
    let rows: Vec<(String, &[&str])> = vec![
        ("<C:comp-filter name='VEVENT'/>".to_owned(), &["daily", "day", "lunch", "moment"]),
        ("<C:comp-filter name='VTODO'/>".to_owned(), &["done", "due", "sometime", "started"]),
        ("<C:comp-filter name='VFREEBUSY'/>".to_owned(), &["busy"]),
        (String::new(), &["busy", "daily", "day", "done", "due", "lunch", "moment", "note", "sometime", "started"]),
        (
            "<C:comp-filter name='VEVENT'><C:is-not-defined/></C:comp-filter>".to_owned(),
            &["busy", "done", "due", "note", "sometime", "started"],
        ),
        // Events: half open at both ends; one without length counts where it stands.
        (range("VEVENT", "20250114T120000Z", "20250114T130000Z"), &["lunch"]),
        (range("VEVENT", "20250114T130000Z", "20250114T140000Z"), &[]),
        (range("VEVENT", "20250114T110000Z", "20250114T120000Z"), &[]),
        (range("VEVENT", "20250114T090000Z", "20250114T090001Z"), &["daily", "moment"]),
        (range("VEVENT", "20250114T085959Z", "20250114T090000Z"), &[]),
        (range("VEVENT", "20250115T090000Z", "20250115T100000Z"), &[]),
        (range("VEVENT", "20250115T150000Z", "20250115T160000Z"), &["daily"]),
        (range("VEVENT", "20250116T230000Z", "20250117T010000Z"), &["day"]),
        (range("VEVENT", "20250118T000000Z", "20250119T000000Z"), &[]),
        (range("VEVENT", "20250117T000000Z", ""), &["daily"]),
        (range("VEVENT", "", "20250114T000000Z"), &["daily"]),
        (range("VEVENT", "19000101T000000Z", "21000101T000000Z"), &["daily", "day", "lunch", "moment"]),
        // To-dos, by what they have.
        (range("VTODO", "20250114T140000Z", "20250114T150000Z"), &["due", "sometime"]),
        (range("VTODO", "20250114T150000Z", "20250114T160000Z"), &["sometime"]),
        (range("VTODO", "20250121T000000Z", "20250121T010000Z"), &["sometime", "started"]),
        (range("VTODO", "20250105T000000Z", "20250106T000000Z"), &["done", "sometime"]),
        (range("VTODO", "20250107T000000Z", "20250108T000000Z"), &["sometime"]),
        (range("VJOURNAL", "20250114T100000Z", "20250114T110000Z"), &["note"]),
        (range("VJOURNAL", "20250115T000000Z", "20250116T000000Z"), &[]),
        (range("VFREEBUSY", "20250118T083000Z", "20250118T084000Z"), &["busy"]),
        (range("VFREEBUSY", "20250116T000000Z", "20250117T000000Z"), &[]),
        // Alarms ring before what they belong to.
        (alarm("VEVENT", "20250114T114500Z", "20250114T114501Z"), &["lunch"]),
        (alarm("VEVENT", "20250114T114501Z", "20250114T130000Z"), &[]),
        (alarm("VTODO", "20250119T230000Z", "20250120T000000Z"), &["started"]),
        (
            "<C:comp-filter name='VEVENT'><C:comp-filter name='VALARM'><C:is-not-defined/></C:comp-filter></C:comp-filter>"
                .to_owned(),
            &["daily", "day", "moment"],
        ),
        // Properties and their texts.
        (prop("SUMMARY", &says("lunch, WITH", "")), &["lunch"]),
        (prop("SUMMARY", &says("lunch", " collation='i;octet'")), &[]),
        (prop("summary", &says("\u{e9}va", "")), &[]),
        (prop("SUMMARY", &says("\u{e9}va", " collation='i;unicode-casemap'")), &["lunch"]),
        (prop("SUMMARY", &says("lunch", " negate-condition='yes'")), &["daily"]),
        (prop("SUMMARY", &says("moved", "")), &["daily"]),
        (prop("SUMMARY", "<C:is-not-defined/>"), &["day", "moment"]),
        (prop("CATEGORIES", &says("B", "")), &["day"]),
        (prop("DTSTART", "<C:time-range start='20250116T120000Z' end='20250116T130000Z'/>"), &["day"]),
        (
            prop("ATTENDEE", "<C:param-filter name='PARTSTAT'><C:text-match>needs-action</C:text-match></C:param-filter>"),
            &["lunch"],
        ),
        (prop("ATTENDEE", "<C:param-filter name='PARTSTAT'><C:is-not-defined/></C:param-filter>"), &[]),
        (prop("ATTENDEE", &(says("eva", "") + "<C:param-filter name='ROLE'/>")), &["lunch"]),
        // One component must have it all: the moved instance stands elsewhere.
        (
            "<C:comp-filter name='VEVENT'><C:time-range start='20250113T000000Z' end='20250114T000000Z'/>\
             <C:prop-filter name='SUMMARY'><C:text-match>Moved</C:text-match></C:prop-filter></C:comp-filter>"
                .to_owned(),
            &[],
        ),
    ];
    for (filter, want) in &rows {
        assert_eq!(find(&house, filter).await, *want, "{filter}");
    }
    // The same without anything in memory, page by page from the store.
    let house =
        house.reopen_with(crate::live::NINE, &[("reports.index_objects", "0"), ("reports.parsed_bytes", "0")]).await;
    for (filter, want) in &rows {
        assert_eq!(find(&house, filter).await, *want, "{filter}");
    }
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn excerpts_hold_what_was_asked_for() {
    let house = filled().await;
    let alice = house.http("alice");
    let ask = async |name: &str, data: &str| {
        let body =
            format!("<D:prop><C:calendar-data>{data}</C:calendar-data></D:prop><D:href>{WORK}{name}.ics</D:href>");
        report(&alice, WORK, "C:calendar-multiget", &body).await
    };
    let whole = ask("lunch", "").await;
    assert_eq!(text(&whole), alice.get(&format!("{WORK}lunch.ics")).await.text().replace("\r\n", "\n"));

    let expanded = text(&ask("daily", "<C:expand start='20250114T000000Z' end='20250116T000000Z'/>").await);
    assert_eq!(
        expanded,
        "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//EN\n\
         BEGIN:VEVENT\nRECURRENCE-ID:20250114T090000Z\nUID:daily\nDTSTAMP:20250101T000000Z\nDTSTART:20250114T090000Z\n\
         DURATION:PT1H\nSUMMARY:Stand-up\nEND:VEVENT\n\
         BEGIN:VEVENT\nRECURRENCE-ID:20250115T090000Z\nUID:daily\nDTSTAMP:20250101T000000Z\nDTSTART:20250115T150000Z\n\
         DURATION:PT1H\nSUMMARY:Moved\nEND:VEVENT\nEND:VCALENDAR\n"
    );
    // What does not recur stands for itself; its end goes into UTC too.
    let zoned = component(
        "VEVENT",
        "zoned",
        &["DTSTART;TZID=Europe/Paris:20250114T100000", "DTEND;TZID=Europe/London:20250114T100000"],
    );
    put(&house, "zoned", &zoned).await;
    let range = "start='20250101T000000Z' end='20250201T000000Z'";
    let expanded = text(&ask("zoned", &format!("<C:expand {range}/>")).await);
    assert!(expanded.contains("\nDTSTART:20250114T090000Z\nDTEND:20250114T100000Z\n"), "{expanded}");
    let expanded = text(&ask("day", &format!("<C:expand {range}/>")).await);
    assert!(expanded.contains("\nDTSTART;VALUE=DATE:20250116\n") && !expanded.contains("RECURRENCE-ID"), "{expanded}");
    // Outside of the range nothing of it is left.
    let none = text(&ask("lunch", "<C:expand start='20250101T000000Z' end='20250102T000000Z'/>").await);
    assert_eq!(none, "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//EN\nEND:VCALENDAR\n");

    let limited = |range: &str| format!("<C:limit-recurrence-set {range}/>");
    let rows = [
        ("start='20250113T000000Z' end='20250114T000000Z'", 1),
        ("start='20250115T090000Z' end='20250115T100000Z'", 2),
        ("start='20250115T150000Z' end='20250115T160000Z'", 2),
        ("start='20250116T000000Z' end='20250117T000000Z'", 1),
    ];
    for (range, count) in rows {
        let found = text(&ask("daily", &limited(range)).await);
        assert_eq!(found.matches("BEGIN:VEVENT").count(), count, "{range}");
        assert!(found.contains("RRULE:FREQ=DAILY;COUNT=5"), "{found}");
    }
    let busy = text(&ask("busy", "<C:limit-freebusy-set start='20250118T000000Z' end='20250119T000000Z'/>").await);
    assert!(busy.contains("\nFREEBUSY:20250118T080000Z/20250118T090000Z\n"), "{busy}");

    let picked = "<C:comp name='VCALENDAR'><C:prop name='VERSION'/><C:comp name='VEVENT'><C:prop name='SUMMARY'/>\
                  <C:prop name='DTSTART'/><C:prop name='ATTENDEE' novalue='yes'/><C:comp name='VALARM'/></C:comp></C:comp>";
    assert_eq!(
        text(&ask("lunch", picked).await),
        "BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nDTSTART:20250114T120000Z\nSUMMARY:Lunch\\, with \u{c9}va\nATTENDEE:\n\
         BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT15M\nDESCRIPTION:x\nEND:VALARM\nEND:VEVENT\nEND:VCALENDAR\n"
    );
    let both = "<C:comp name='VCALENDAR'><C:allprop/><C:comp name='VEVENT'><C:prop name='DTSTART'/><C:prop name='RECURRENCE-ID'/>\
                </C:comp></C:comp><C:expand start='20250113T000000Z' end='20250114T000000Z'/>";
    assert_eq!(
        text(&ask("daily", both).await),
        "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//EN\nBEGIN:VEVENT\nRECURRENCE-ID:20250113T090000Z\n\
         DTSTART:20250113T090000Z\nEND:VEVENT\nEND:VCALENDAR\n"
    );
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_knows_zones_places_and_others() {
    let house = filled().await;
    let alice = house.http("alice");
    let query = |zone: &str, range: &str| {
        format!(
            "<D:prop><D:getetag/></D:prop><C:filter><C:comp-filter name='VCALENDAR'><C:comp-filter name='VEVENT'>\
             <C:time-range {range}/></C:comp-filter></C:comp-filter></C:filter>{zone}"
        )
    };
    // In Tokyo the day begins nine hours earlier.
    let range = "start='20250115T200000Z' end='20250115T210000Z'";
    let tokyo = "<C:timezone-id>Asia/Tokyo</C:timezone-id>";
    let definition =
        "<C:timezone>BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:Asia/Tokyo\nEND:VTIMEZONE\nEND:VCALENDAR\n</C:timezone>";
    // A name of its own, and Tokyo's clock.
    let own = "<C:timezone>BEGIN:VCALENDAR\nBEGIN:VTIMEZONE\nTZID:Head office\nBEGIN:STANDARD\nDTSTART:19700101T000000\n\
         TZOFFSETFROM:+0900\nTZOFFSETTO:+0900\nEND:STANDARD\nEND:VTIMEZONE\nEND:VCALENDAR\n</C:timezone>";
    let zones = [("", vec![]), (tokyo, vec!["day.ics"]), (definition, vec!["day.ics"]), (own, vec!["day.ics"])];
    for (zone, want) in zones {
        let found = report(&alice, WORK, "C:calendar-query", &query(zone, range)).await;
        assert_eq!(names(&found), want, "{zone}");
    }
    let mars = query("<C:timezone-id>Mars/Olympus</C:timezone-id>", range);
    refused(&report(&alice, WORK, "C:calendar-query", &mars).await, 403, "<C:valid-timezone/>");
    let nothing = query("<C:timezone>x</C:timezone>", range);
    refused(&report(&alice, WORK, "C:calendar-query", &nothing).await, 403, "<C:valid-calendar-data/>");

    // A home is asked about all that is in it, an object about itself.
    let range = "start='20250114T120000Z' end='20250114T130000Z'";
    let home = report(&alice, "/calendars/alice/", "C:calendar-query", &query("", range)).await;
    has(&home, &format!("<D:href>{WORK}lunch.ics</D:href>"));
    for (name, count) in [("lunch", 1), ("moment", 0)] {
        let one = report(&alice, &format!("{WORK}{name}.ics"), "C:calendar-query", &query("", range)).await;
        assert_eq!(names(&one).len(), count, "{name}");
    }
    // Any depth, and the prefix that the client came by.
    for depth in ["0", "1", "infinity"] {
        let body = format!(
            "<C:calendar-query xmlns:D='DAV:' xmlns:C='urn:ietf:params:xml:ns:caldav'>{}</C:calendar-query>",
            query("", range)
        );
        let found = alice.send("REPORT", &format!("/dav{WORK}"), &[("depth", depth)], body).await;
        has(&found, &format!("<D:href>/dav{WORK}lunch.ics</D:href>"));
    }
    let bob = house.http("bob");
    refused(&report(&bob, WORK, "C:calendar-query", &query("", range)).await, 403, "<D:need-privileges/>");
    assert_eq!(report(&alice, "/calendars/alice/none/", "C:calendar-query", &query("", range)).await.status, 404);
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unsound_reports_are_refused_by_name() {
    let house = filled().await;
    let alice = house.http("alice");
    let filter = |inner: &str| format!("<C:filter><C:comp-filter name='VCALENDAR'>{inner}</C:comp-filter></C:filter>");
    let event = |inner: &str| filter(&format!("<C:comp-filter name='VEVENT'>{inner}</C:comp-filter>"));
    let data = |with: &str| format!("<D:prop><C:calendar-data{with}/></D:prop>{}", filter(""));
    let rows = [
        ("C:calendar-query", String::new(), 403, "<C:valid-filter/>"),
        ("C:calendar-query", "<C:filter/>".to_owned(), 403, "<C:valid-filter/>"),
        (
            "C:calendar-query",
            "<C:filter><C:comp-filter name='VEVENT'/></C:filter>".to_owned(),
            403,
            "<C:valid-filter/>",
        ),
        ("C:calendar-query", "<C:filter><C:comp-filter/></C:filter>".to_owned(), 403, "<C:valid-filter/>"),
        ("C:calendar-query", event("<C:time-range/>"), 403, "<C:valid-filter/>"),
        ("C:calendar-query", event("<C:time-range start='2025-01-01'/>"), 403, "<C:valid-filter/>"),
        ("C:calendar-query", event("<C:time-range start='20250101T000000'/>"), 403, "<C:valid-filter/>"),
        (
            "C:calendar-query",
            event("<C:time-range start='20250102T000000Z' end='20250101T000000Z'/>"),
            403,
            "<C:valid-filter/>",
        ),
        ("C:calendar-query", filter("<C:time-range start='20250101T000000Z'/>"), 403, "<C:valid-filter/>"),
        ("C:calendar-query", event("<C:is-not-defined/><C:prop-filter name='UID'/>"), 403, "<C:valid-filter/>"),
        ("C:calendar-query", event("<C:near-match/>"), 403, "<C:supported-filter/>"),
        ("C:calendar-query", event("<x/>"), 403, "<C:supported-filter/>"),
        (
            "C:calendar-query",
            event("<C:prop-filter name='UID'><C:text-match collation='i;klingon'>a</C:text-match></C:prop-filter>"),
            403,
            "<C:supported-collation/>",
        ),
        ("C:calendar-query", data(" content-type='application/calendar+json'"), 403, "<C:supported-calendar-data/>"),
        ("C:calendar-query", data(" version='3.0'"), 403, "<C:supported-calendar-data/>"),
        ("C:calendar-multiget", "<D:prop/>".to_owned(), 400, ""),
        ("C:free-busy-query", String::new(), 400, ""),
        ("C:free-busy-query", "<C:time-range start='20250101T000000Z'/>".to_owned(), 403, "<C:valid-filter/>"),
        ("C:calendar-search", String::new(), 403, "<D:supported-report/>"),
        ("CR:addressbook-query", "<CR:filter/>".to_owned(), 403, "<D:supported-report/>"),
        ("D:version-tree", String::new(), 403, "<D:supported-report/>"),
        ("D:principal-property-search", String::new(), 403, "<D:supported-report/>"),
    ];
    for (root, body, status, condition) in rows {
        let reply = report(&alice, WORK, root, &body).await;
        assert_eq!(reply.status, status, "{root} {body}: {}", reply.text());
        has(&reply, condition);
        has(&reply, "<D:error ");
    }
    let raw = [
        String::new(),
        "<a".to_owned(),
        "<!DOCTYPE x><x/>".to_owned(),
        format!("{}{}", "<a>".repeat(33), "</a>".repeat(33)),
        format!("<a{}/>", (0..65).map(|n| format!(" a{n}='1'")).collect::<String>()),
    ];
    for body in raw {
        let reply = alice.send("REPORT", WORK, &[("depth", "1")], body.clone()).await;
        assert_eq!(reply.status, 400, "{body}");
    }
    assert_eq!(alice.send("REPORT", WORK, &[("depth", "two")], "<a/>").await.status, 400);

    // Each place says which reports it knows.
    let known = async |path: &str| {
        let body = "<propfind xmlns='DAV:'><prop><supported-report-set/></prop></propfind>";
        alice.send("PROPFIND", path, &[("depth", "0")], body).await.text()
    };
    let has_report = |text: &str, tag: &str| {
        text.contains(&format!("<supported-report><report><{tag}/></report></supported-report>"))
    };
    let calendar = known(WORK).await;
    for tag in ["C:calendar-query", "C:calendar-multiget", "C:free-busy-query", "sync-collection", "expand-property"] {
        assert!(has_report(&calendar, tag), "{tag}");
    }
    let (home, book, object) = (
        known("/calendars/alice/").await,
        known("/addressbooks/alice/collected/").await,
        known(&format!("{WORK}day.ics")).await,
    );
    assert!(has_report(&home, "sync-collection") && !has_report(&home, "CR:addressbook-query"), "{home}");
    assert!(has_report(&book, "CR:addressbook-query") && !has_report(&book, "C:calendar-query"), "{book}");
    assert!(has_report(&object, "C:calendar-query") && !has_report(&object, "sync-collection"), "{object}");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_come_by_their_names() {
    let house = filled().await;
    let (alice, bob) = (house.http("alice"), house.http("bob"));
    let odd = format!("{WORK}a%20b@c.ics");
    assert_eq!(alice.put(&odd, &plain_event("odd", "20250114T100000Z")).await.status, 201);
    assert_eq!(bob.put("/calendars/bob/default/b.ics", &plain_event("b", "20250114T100000Z")).await.status, 201);
    let hrefs = [
        format!("{WORK}lunch.ics"),
        format!("{WORK}none.ics"),
        format!("http://{}{odd}", house.base()),
        odd.replace('@', "%40"),
        format!("/dav{WORK}day.ics"),
        "/calendars/bob/default/b.ics".to_owned(),
        "/calendars/alice/default/x.ics".to_owned(),
        WORK.to_owned(),
        "nonsense".to_owned(),
        format!("{WORK}lunch.ics"),
    ];
    let named: String = hrefs.iter().map(|href| format!("<D:href>{href}</D:href>")).collect();
    let body = format!("<D:prop><D:getetag/><C:calendar-data/></D:prop>{named}");
    let found = report(&alice, WORK, "C:calendar-multiget", &body).await;
    let text = found.text();
    // Each once, under the name that the client gave it.
    assert_eq!(rows(&found).len(), hrefs.len() - 1);
    for (at, href) in hrefs.iter().enumerate().take(hrefs.len() - 1) {
        let there = matches!(at, 0 | 2 | 3 | 4);
        let rest = text.split_once(&format!("<href>{href}</href>")).expect("a row").1;
        let want =
            if there { "<propstat><prop><getetag>\"" } else { "<status>HTTP/1.1 404 Not Found</status></response>" };
        assert!(rest.starts_with(want), "{href}: {rest}");
    }
    assert!(!text.contains("UID:b&"), "{text}");
    refused(&report(&bob, WORK, "C:calendar-multiget", &body).await, 403, "<D:need-privileges/>");

    // Several calendars at once, from their home.
    let home = report(&alice, "/calendars/alice/", "C:calendar-multiget", &body).await.text();
    assert_eq!(home.matches("<getetag>").count(), 4);
    house.stop().await;

    let house = House::open_with(&[("reports.hrefs", "3")]).await;
    let named = |count: usize| {
        (0..count).map(|n| format!("<D:href>/calendars/alice/default/{n}.ics</D:href>")).collect::<String>()
    };
    let ask = async |count| {
        report(&house.http("alice"), "/calendars/alice/default/", "C:calendar-multiget", &named(count)).await
    };
    assert_eq!(rows(&ask(3).await).len(), 3);
    refused(&ask(4).await, 507, "<D:number-of-matches-within-limits/>");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn free_time_is_told_and_nothing_else() {
    let house = filled().await;
    let alice = house.http("alice");
    let ask = async |http: &Http, path: &str| {
        report(http, path, "C:free-busy-query", "<C:time-range start='20250114T000000Z' end='20250118T083000Z'/>").await
    };
    let found = ask(&alice, WORK).await;
    assert_eq!((found.status, found.header("content-type")), (200, "text/calendar; charset=utf-8"));
    // The moved instance, the tentative lunch, and what a VFREEBUSY says, cut to the window; not the transparent day, nor the moment.
    let want = "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//Campanile//Campanile//EN\nBEGIN:VFREEBUSY\nDTSTAMP:20250115T090000Z\n\
                DTSTART:20250114T000000Z\nDTEND:20250118T083000Z\n\
                FREEBUSY;FBTYPE=BUSY:20250114T090000Z/20250114T100000Z\n\
                FREEBUSY;FBTYPE=BUSY:20250115T080000Z/20250115T090000Z\n\
                FREEBUSY;FBTYPE=BUSY:20250115T150000Z/20250115T160000Z\n\
                FREEBUSY;FBTYPE=BUSY:20250116T090000Z/20250116T100000Z\n\
                FREEBUSY;FBTYPE=BUSY:20250117T090000Z/20250117T100000Z\n\
                FREEBUSY;FBTYPE=BUSY:20250118T080000Z/20250118T083000Z\n\
                FREEBUSY;FBTYPE=BUSY-TENTATIVE:20250114T120000Z/20250114T130000Z\n\
                END:VFREEBUSY\nEND:VCALENDAR\n";
    assert_eq!(found.text().replace("\r\n", "\n"), want);
    // Days stand in the calendar's zone, and what touches is one.
    put(&house, "off", &component("VEVENT", "off", &["DTSTART;VALUE=DATE:20250116"])).await;
    let patch = "<propertyupdate xmlns='DAV:' xmlns:C='urn:ietf:params:xml:ns:caldav'><set><prop>\
                 <C:calendar-timezone-id>Europe/Paris</C:calendar-timezone-id></prop></set></propertyupdate>";
    assert_eq!(alice.send("PROPPATCH", WORK, &[], patch).await.status, 207);
    has(&ask(&alice, WORK).await, "BUSY:20250115T230000Z/20250116T230000Z\r\n");
    has(&ask(&alice, "/calendars/alice/").await, "BUSY:20250115T230000Z/20250116T230000Z\r\n");
    refused(&ask(&house.http("bob"), WORK).await, 403, "<D:need-privileges/>");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_rule_makes_an_answer_endless() {
    let house = House::open_with(&[("reports.instances", "50"), ("limits.recurrence_steps", "2000")]).await;
    assert_eq!(house.http("alice").send("MKCALENDAR", WORK, &[], "").await.status, 201);
    put(&house, "daily", &component("VEVENT", "daily", &["DTSTART:20250101T090000Z", "RRULE:FREQ=DAILY"])).await;
    let alice = house.http("alice");
    let expand = |from: &str, to: &str| {
        let range = format!("start='{from}' end='{to}'");
        format!(
            "<D:prop><C:calendar-data><C:expand {range}/></C:calendar-data></D:prop><C:filter><C:comp-filter name='VCALENDAR'>\
             <C:comp-filter name='VEVENT'><C:time-range {range}/></C:comp-filter></C:comp-filter></C:filter>"
        )
    };
    let month = report(&alice, WORK, "C:calendar-query", &expand("20250101T000000Z", "20250201T000000Z")).await;
    assert_eq!(text(&month).matches("BEGIN:VEVENT").count(), 31);
    for to in ["20260101T000000Z", "21000101T000000Z"] {
        let year = report(&alice, WORK, "C:calendar-query", &expand("20250101T000000Z", to)).await;
        refused(&year, 507, "<D:number-of-matches-within-limits/>");
    }
    // What nobody can follow is found, and comes as it stands; it keeps nobody else from being found.
    put(&house, "hasty", &component("VEVENT", "hasty", &["DTSTART:20200101T000000Z", "RRULE:FREQ=SECONDLY"])).await;
    put(&house, "odd", &component("VEVENT", "odd", &["DTSTART;TZID=Mars/Olympus:20250101T000000"])).await;
    let found = report(&alice, WORK, "C:calendar-query", &expand("20250105T000000Z", "20250106T000000Z")).await;
    assert_eq!(names(&found), ["daily.ics", "hasty.ics", "odd.ics"]);
    has(&found, "RRULE:FREQ=SECONDLY");
    let busy =
        report(&alice, WORK, "C:free-busy-query", "<C:time-range start='20250105T000000Z' end='20250106T000000Z'/>")
            .await;
    has(&busy, "FREEBUSY;FBTYPE=BUSY-TENTATIVE:20250105T000000Z/20250106T000000Z");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn principals_find_themselves() {
    let house = House::open().await;
    let alice = house.http("alice");
    let set = report(&alice, "/principals/", "D:principal-search-property-set", "").await;
    assert_eq!(set.status, 200);
    has(&set, "<D:prop><D:displayname/></D:prop>");
    let search = async |property: &str, text: &str| {
        let body = format!(
            "<D:property-search><D:prop><{property}/></D:prop><D:match>{text}</D:match></D:property-search>\
             <D:prop><D:displayname/></D:prop>"
        );
        report(&alice, "/principals/", "D:principal-property-search", &body).await
    };
    for (property, text, want) in [
        ("D:displayname", "ALIC", vec!["alice"]),
        ("D:displayname", "zzz", vec![]),
        ("C:calendar-user-address-set", "alice@", vec!["alice"]),
        ("D:displayname", "bob", vec![]),
        ("C:unheard-of", "", vec![]),
    ] {
        assert_eq!(names(&search(property, text).await), want, "{property} {text}");
    }
    let own = report(&alice, "/principals/", "D:principal-match", "<D:self/>").await;
    assert_eq!(names(&own), ["alice"]);
    let owned = report(
        &alice,
        "/calendars/alice/",
        "D:principal-match",
        "<D:principal-property><D:owner/></D:principal-property>",
    )
    .await;
    assert!(names(&owned).contains(&"default".to_owned()), "{owned:?}");

    let shared =
        report(&alice, "/calendars/alice/team/", "D:acl-principal-prop-set", "<D:prop><D:displayname/></D:prop>").await;
    has(&shared, "<D:href>/principals/alice/</D:href><D:propstat><D:prop><D:displayname>");
    let mirror = report(&house.http("bob"), "/calendars/alice/default/", "D:acl-principal-prop-set", "<D:prop/>").await;
    refused(&mirror, 403, "<D:need-privileges/>");

    let expanded = "<D:property name='calendar-home-set' namespace='urn:ietf:params:xml:ns:caldav'><D:property name='resourcetype'/>\
                    <D:property name='nothing'/></D:property><D:property name='displayname'/>";
    let found = report(&alice, "/principals/alice/", "D:expand-property", expanded).await;
    has(
        &found,
        "<C:calendar-home-set><D:response><D:href>/calendars/alice/</D:href><D:propstat><D:prop><D:resourcetype><D:collection/>\
         </D:resourcetype></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat><D:propstat><D:prop><D:nothing/></D:prop>\
         <D:status>HTTP/1.1 404 Not Found</D:status></D:propstat></D:response></C:calendar-home-set>",
    );
    refused(&report(&alice, "/principals/bob/", "D:expand-property", expanded).await, 403, "<D:need-privileges/>");
    for name in ["", "a b", "&lt;x", "1"] {
        let body = format!("<D:property name='{name}'/>");
        assert_eq!(report(&alice, "/principals/alice/", "D:expand-property", &body).await.status, 400, "{name}");
    }
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cards_are_found_by_what_they_say() {
    let house = House::open().await;
    let (alice, book) = (house.http("alice"), "/addressbooks/alice/collected/");
    let person = |uid: &str, lines: &str| card(uid).replace("END:VCARD", &format!("{lines}\r\nEND:VCARD"));
    let people = [
        ("ada", "NICKNAME:Countess\r\nitem1.EMAIL;TYPE=WORK:ada@example.org\r\nEMAIL;TYPE=HOME:ada@home.example"),
        ("bea", "EMAIL:bea@example.org\r\nNOTE:\u{c9}clair"),
        ("cy", "TEL:123"),
    ];
    for (uid, lines) in people {
        assert_eq!(alice.put(&format!("{book}{uid}.vcf"), &person(uid, lines)).await.status, 201);
    }
    let find = async |filter: &str, more: &str| {
        let body = format!("<D:prop><D:getetag/></D:prop>{filter}{more}");
        report(&alice, book, "CR:addressbook-query", &body).await
    };
    let prop = |name: &str, inner: &str| format!("<CR:prop-filter name='{name}'>{inner}</CR:prop-filter>");
    let says = |text: &str, how: &str| format!("<CR:text-match match-type='{how}'>{text}</CR:text-match>");
    let filter = |test: &str, props: &str| format!("<CR:filter{test}>{props}</CR:filter>");
    let rows: Vec<(String, &[&str])> = vec![
        (filter("", ""), &["ada", "bea", "cy"]),
        (filter("", &prop("NICKNAME", "")), &["ada"]),
        (filter("", &prop("EMAIL", "<CR:is-not-defined/>")), &["cy"]),
        (filter("", &prop("FN", &says("PERSON", "starts-with"))), &["ada", "bea", "cy"]),
        (filter("", &prop("FN", &says("person bea", "equals"))), &["bea"]),
        (filter("", &prop("FN", &says("cy", "ends-with"))), &["cy"]),
        (filter("", &prop("NOTE", &says("\u{e9}CLAIR", "contains"))), &["bea"]),
        (filter("", &(prop("NICKNAME", "") + &prop("TEL", ""))), &["ada", "cy"]),
        (filter(" test='allof'", &(prop("NICKNAME", "") + &prop("TEL", ""))), &[]),
        (filter("", &prop("item1.EMAIL", "")), &["ada"]),
        (filter("", &prop("item2.EMAIL", "")), &[]),
        (
            filter(
                "",
                "<CR:prop-filter name='EMAIL' test='allof'><CR:text-match>example</CR:text-match><CR:param-filter name='TYPE'>\
                        <CR:text-match>home</CR:text-match></CR:param-filter></CR:prop-filter>",
            ),
            &["ada"],
        ),
        (filter("", &prop("EMAIL", "<CR:text-match negate-condition='yes'>example.org</CR:text-match>")), &["ada"]),
    ];
    for (filter, want) in rows {
        let found = names(&find(&filter, "").await);
        let found: Vec<&str> = found.iter().map(|name| name.trim_end_matches(".vcf")).collect();
        assert_eq!(found, want, "{filter}");
    }
    // A limit cuts exactly, and says so.
    for (limit, count, cut) in [(2, 2, true), (3, 3, false), (5, 3, false)] {
        let found = find(&filter("", ""), &format!("<CR:limit><CR:nresults>{limit}</CR:nresults></CR:limit>")).await;
        let text = found.text();
        assert_eq!(
            (text.matches("<getetag>").count(), text.contains("507 Insufficient Storage")),
            (count, cut),
            "{text}"
        );
        assert_eq!(text.contains(&format!("<href>{book}</href>")), cut, "{text}");
    }
    let refusals = [
        (
            filter("", &prop("FN", "<CR:text-match collation='i;klingon'>a</CR:text-match>")),
            403,
            "<CR:supported-collation/>",
        ),
        (filter("", &prop("FN", "<CR:near/>")), 403, "<CR:supported-filter/>"),
        (filter("", &prop("FN", &says("a", "sounds-like"))), 403, "<CR:supported-filter/>"),
        (String::new(), 400, ""),
        (filter("", "<CR:prop-filter/>"), 400, ""),
    ];
    for (filter, status, condition) in refusals {
        refused(&find(&filter, "").await, status, condition);
    }
    let ask = async |data: &str| {
        let body = format!("<D:prop><CR:address-data{data}</D:prop><D:href>{book}ada.vcf</D:href>");
        report(&alice, book, "CR:addressbook-multiget", &body).await
    };
    refused(&ask(" content-type='application/vcard+json'/>").await, 403, "<CR:supported-address-data/>");
    assert!(text(&ask("/>").await).contains("item1.EMAIL;TYPE=WORK:ada@example.org\n"));
    let picked = ask("><CR:prop name='VERSION'/><CR:prop name='FN'/><CR:prop name='EMAIL'/></CR:address-data>").await;
    assert_eq!(
        text(&picked),
        "BEGIN:VCARD\nVERSION:3.0\nFN:Person ada\nitem1.EMAIL;TYPE=WORK:ada@example.org\nEMAIL;TYPE=HOME:ada@home.example\nEND:VCARD\n"
    );
    house.stop().await;
}
