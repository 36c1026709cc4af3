//! Who may do what with what is somebody's: every verb, for every kind of person, as one table that makes its own requests.

use crate::live::client::{Http, Reply};
use crate::live::{House, plain_event};

/// The people, in the order of the columns below.
const PEOPLE: [&str; 12] = [
    "owner",
    "writes",
    "reads",
    "subscribes",
    "stranger",
    "revoked",
    "asks",
    "administers",
    "acts reading",
    "acts writing",
    "hid",
    "anonymous",
];

/// Who asks, as whom they sign in.
fn client(house: &House, column: usize) -> Http {
    match PEOPLE[column] {
        "owner" => house.http("alice"),
        "writes" => house.http("bob"),
        "reads" => house.http("carol"),
        "subscribes" => house.http("erin"),
        "stranger" => house.http("dave"),
        "revoked" => house.http("frank"),
        "asks" => house.http("grace"),
        "administers" => house.http("heidi"),
        "acts reading" => house.http("ivan"),
        "acts writing" => house.http("judy"),
        "hid" => house.http("karl"),
        _ => house.anonymous(),
    }
}

/// A verb: its name, the request, and the status for each of `PEOPLE`. `{own}` is a calendar of the asker's, `{bobs}` bob's mirror of the
/// room.
struct Row {
    verb: &'static str,
    path: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
    want: [u16; 12],
}

const fn row(
    verb: &'static str,
    path: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
    want: [u16; 12],
) -> Row {
    Row { verb, path, headers, body, want }
}

const ROOM: &str = "/calendars/alice/room/";
const EVENT: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//EN\r\nBEGIN:VEVENT\r\nUID:o\r\nDTSTAMP:20250101T000000Z\r\nDTSTART:20250115T100000Z\r\nSUMMARY:changed\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
const OTHER: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//EN\r\nBEGIN:VEVENT\r\nUID:n\r\nDTSTAMP:20250101T000000Z\r\nDTSTART:20250115T100000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
const FIND: &str = "<D:propfind xmlns:D='DAV:'><D:prop><D:getetag/><D:displayname/></D:prop></D:propfind>";
const SET: &str =
    "<D:propertyupdate xmlns:D='DAV:'><D:set><D:prop><x xmlns='u:e'>1</x></D:prop></D:set></D:propertyupdate>";
const NAME: &str = "<D:propertyupdate xmlns:D='DAV:'><D:set><D:prop><D:displayname>x</D:displayname></D:prop></D:set></D:propertyupdate>";
const ACL: &str = "<D:acl xmlns:D='DAV:'/>";
/// Somebody's own calendar asked about an object of the room.
const FOREIGN: &str = "<C:calendar-multiget xmlns:D='DAV:' xmlns:C='urn:ietf:params:xml:ns:caldav'><D:prop><C:calendar-data/></D:prop><D:href>/calendars/alice/room/o.ics</D:href></C:calendar-multiget>";
const QUERY: &str = "<C:calendar-query xmlns:D='DAV:' xmlns:C='urn:ietf:params:xml:ns:caldav'><D:prop><C:calendar-data/></D:prop><C:filter><C:comp-filter name='VCALENDAR'/></C:filter></C:calendar-query>";
const SYNC: &str = "<D:sync-collection xmlns:D='DAV:'><D:sync-token/><D:sync-level>1</D:sync-level><D:prop><D:getetag/></D:prop></D:sync-collection>";
const BUSY: &str = "<C:free-busy-query xmlns:C='urn:ietf:params:xml:ns:caldav'><C:time-range start='20250101T000000Z' end='20250201T000000Z'/></C:free-busy-query>";
const EXPAND: &str = "<D:expand-property xmlns:D='DAV:'><D:property name='owner'><D:property name='displayname'/></D:property></D:expand-property>";
const SHARE: &str = "<CS:share xmlns:D='DAV:' xmlns:CS='http://calendarserver.org/ns/'><CS:set><D:href>mailto:carol@campanile.example</D:href><CS:read-write/></CS:set></CS:share>";
const DRAFT: &str = "<D:share-resource xmlns:D='DAV:'><D:sharee><D:href>mailto:carol@campanile.example</D:href><D:share-access><D:no-access/></D:share-access></D:sharee></D:share-resource>";
const PUBLISH: &str = "<CS:publish-calendar xmlns:CS='http://calendarserver.org/ns/'/>";
const REPLY: &str = "<CS:invite-reply xmlns:D='DAV:' xmlns:CS='http://calendarserver.org/ns/'><CS:invite-accepted/><CS:hosturl><D:href>/calendars/alice/room/</D:href></CS:hosturl></CS:invite-reply>";
const NOBODY: &str =
    "<D:propertyupdate xmlns:D='DAV:'><D:set><D:prop><D:group-member-set/></D:prop></D:set></D:propertyupdate>";
const ADA: &str = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:c\r\nFN:Ada\r\nN:Ada;;;;\r\nEND:VCARD\r\n";
const XML: (&str, &str) = ("content-type", "application/xml");
const JSON: (&str, &str) = ("content-type", "application/json");
const CARD: (&str, &str) = ("content-type", "text/vcard");
const MEDIA: (&str, &str) = ("content-type", "text/calendar");
const ZERO: (&str, &str) = ("depth", "0");
const ONE: (&str, &str) = ("depth", "1");

/// The columns are `PEOPLE`. The room is shared with bob and carol, with grace for asking when its owner is busy, with heidi for
/// administration, and with karl, who hid it; it was shared with frank; ivan and judy act for alice. The plaza is open to all who sign in,
/// and erin subscribes to it.
#[rustfmt::skip]
const ROWS: &[Row] = &[
    row("OPTIONS", "/calendars/alice/room/",      &[],      "",    [200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 401]),
    row("GET", "/calendars/alice/room/o.ics",     &[],      "",    [200, 200, 200, 403, 403, 403, 403, 200, 200, 200, 200, 401]),
    row("HEAD", "/calendars/alice/room/o.ics",    &[],      "",    [200, 200, 200, 403, 403, 403, 403, 200, 200, 200, 200, 401]),
    row("GET", "/calendars/alice/room/none.ics",  &[],      "",    [404, 404, 404, 403, 403, 403, 403, 404, 404, 404, 404, 401]),
    row("GET", "/calendars/alice/room/",          &[],      "",    [200, 200, 200, 403, 403, 403, 403, 200, 200, 200, 200, 401]),
    row("PROPFIND", "/calendars/alice/room/",     &[ZERO],  FIND,  [207, 207, 207, 403, 403, 403, 207, 207, 207, 207, 207, 401]),
    row("PROPFIND", "/calendars/alice/room/",     &[ONE],   FIND,  [207, 207, 207, 403, 403, 403, 207, 207, 207, 207, 207, 401]),
    row("PROPFIND", "/calendars/alice/room/o.ics", &[ZERO], FIND,  [207, 207, 207, 403, 403, 403, 403, 207, 207, 207, 207, 401]),
    row("PUT", "/calendars/alice/room/o.ics",     &[MEDIA], EVENT, [204, 204, 403, 403, 403, 403, 403, 204, 403, 204, 403, 401]),
    row("PUT", "/calendars/alice/room/n.ics",     &[MEDIA], OTHER, [201, 201, 403, 403, 403, 403, 403, 201, 403, 201, 403, 401]),
    row("DELETE", "/calendars/alice/room/o.ics",  &[],      "",    [204, 204, 403, 403, 403, 403, 403, 204, 403, 204, 403, 401]),
    row("PROPPATCH", "/calendars/alice/room/",    &[],      SET,   [207, 403, 403, 403, 403, 403, 403, 207, 403, 403, 403, 401]),
    row("PROPPATCH", "/calendars/alice/room/",    &[],      NAME,  [207, 403, 403, 403, 403, 403, 403, 207, 403, 403, 403, 401]),
    row("PROPPATCH", "/calendars/alice/room/o.ics", &[],    SET,   [207, 207, 403, 403, 403, 403, 403, 207, 403, 207, 403, 401]),
    row("ACL", "/calendars/alice/room/",          &[],      ACL,   [200, 403, 403, 403, 403, 403, 403, 200, 403, 403, 403, 401]),
    row("ACL", "/calendars/alice/room/o.ics",     &[],      ACL,   [200, 403, 403, 403, 403, 403, 403, 200, 403, 403, 403, 401]),
    row("REPORT", "/calendars/alice/room/",       &[ONE],   QUERY, [207, 207, 207, 403, 403, 403, 403, 207, 207, 207, 207, 401]),
    row("REPORT", "/calendars/alice/room/",       &[ONE],   FOREIGN, [207, 207, 207, 403, 403, 403, 403, 207, 207, 207, 207, 401]),
    row("REPORT", "/calendars/alice/room/",       &[ZERO],  SYNC,  [207, 207, 207, 403, 403, 403, 403, 207, 207, 207, 207, 401]),
    row("REPORT", "/calendars/alice/room/",       &[ZERO],  BUSY,  [200, 200, 200, 403, 403, 403, 200, 200, 200, 200, 200, 401]),
    row("REPORT", "/calendars/alice/room/",       &[ZERO],  EXPAND, [207, 207, 207, 403, 403, 403, 207, 207, 207, 207, 207, 401]),
    row("REPORT", "/calendars/alice/",            &[ONE],   QUERY, [207, 403, 403, 403, 403, 403, 403, 403, 207, 207, 403, 401]),
    row("REPORT", "/calendars/alice/",            &[ONE],   SYNC,  [207, 403, 403, 403, 403, 403, 403, 403, 207, 207, 403, 401]),
    row("REPORT", "/principals/alice/",           &[ZERO],  EXPAND, [207, 403, 403, 403, 403, 403, 403, 403, 207, 207, 403, 401]),
    row("REPORT", "{bobs}",                       &[ONE],   QUERY, [403, 207, 403, 403, 403, 403, 403, 403, 403, 403, 403, 401]),
    row("REPORT", "{own}",                        &[ONE],   FOREIGN, [207, 207, 207, 207, 207, 207, 207, 207, 207, 207, 207, 401]),
    row("COPY", "/calendars/alice/room/o.ics",    &[("destination", "{own}c.ics")], "", [201, 201, 201, 403, 403, 403, 403, 201, 201, 201, 201, 401]),
    row("MOVE", "/calendars/alice/room/o.ics",    &[("destination", "{own}c.ics")], "", [201, 201, 403, 403, 403, 403, 403, 201, 403, 201, 403, 401]),
    row("COPY", "{own}mine.ics", &[("destination", "/calendars/alice/room/c.ics")], "", [201, 201, 403, 403, 403, 403, 403, 201, 403, 201, 403, 401]),
    row("MOVE", "{own}mine.ics", &[("destination", "/calendars/alice/room/c.ics")], "", [201, 201, 403, 403, 403, 403, 403, 201, 403, 201, 403, 401]),
    row("COPY", "{own}mine.ics", &[("destination", "/calendars/alice/room/o.ics"), ("overwrite", "F")], "", [412, 412, 403, 403, 403, 403, 403, 412, 403, 412, 403, 401]),
    row("MKCALENDAR", "/calendars/alice/room/",   &[],      "",    [405, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 401]),
    row("MKCALENDAR", "/calendars/alice/annex/",  &[],      "",    [201, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 401]),
    row("MKCOL", "/addressbooks/alice/annex/",    &[],
        "<D:mkcol xmlns:D='DAV:'><D:set><D:prop><D:resourcetype><D:collection/><addressbook xmlns='urn:ietf:params:xml:ns:carddav'/></D:resourcetype></D:prop></D:set></D:mkcol>",
        [201, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 401]),
    row("MOVE", "/calendars/alice/room/", &[("destination", "/calendars/alice/hall/")], "", [201, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 401]),
    row("DELETE", "/calendars/alice/room/",       &[],      "",    [204, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 401]),
    // A mirror is its holder's alone, not even the owner's.
    row("GET", "{bobs}o.ics",                     &[],      "",    [403, 200, 403, 403, 403, 403, 403, 403, 403, 403, 403, 401]),
    row("PROPFIND", "{bobs}",                     &[ONE],   FIND,  [403, 207, 403, 403, 403, 403, 403, 403, 403, 403, 403, 401]),
    row("PUT", "{bobs}o.ics",                     &[MEDIA], EVENT, [403, 204, 403, 403, 403, 403, 403, 403, 403, 403, 403, 401]),
    row("PROPPATCH", "{bobs}",                    &[],      SET,   [403, 207, 403, 403, 403, 403, 403, 403, 403, 403, 403, 401]),
    row("COPY", "{bobs}o.ics",                    &[("destination", "{own}c.ics")], "", [403, 201, 403, 403, 403, 403, 403, 403, 403, 403, 403, 401]),
    row("MOVE", "{bobs}", &[("destination", "/calendars/bob/b/")], "", [403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 401]),
    row("DELETE", "{bobs}",                       &[],      "",    [403, 204, 403, 403, 403, 403, 403, 403, 403, 403, 403, 401]),
    // What is open to all may be read by all who sign in, and written by its owner.
    row("GET", "/calendars/alice/plaza/p.ics",    &[],      "",    [200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 401]),
    row("PROPFIND", "/calendars/alice/plaza/",    &[ONE],   FIND,  [207, 207, 207, 207, 207, 207, 207, 207, 207, 207, 207, 401]),
    row("PUT", "/calendars/alice/plaza/n.ics",    &[MEDIA], OTHER, [201, 403, 403, 403, 403, 403, 403, 403, 403, 201, 403, 401]),
    row("DELETE", "/calendars/alice/plaza/p.ics", &[],      "",    [204, 403, 403, 403, 403, 403, 403, 403, 403, 204, 403, 401]),
    row("PROPPATCH", "/calendars/alice/plaza/",   &[],      SET,   [207, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 401]),
    row("DELETE", "/calendars/alice/plaza/",      &[],      "",    [204, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 401]),
    row("GET", "{erins}p.ics",                    &[],      "",    [403, 403, 403, 200, 403, 403, 403, 403, 403, 403, 403, 401]),
    row("PUT", "{erins}n.ics",                    &[MEDIA], OTHER, [403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 401]),
    row("PROPPATCH", "{erins}",                   &[],      SET,   [403, 403, 403, 207, 403, 403, 403, 403, 403, 403, 403, 401]),
    row("DELETE", "{erins}",                      &[],      "",    [403, 403, 403, 204, 403, 403, 403, 403, 403, 403, 403, 401]),
    // Homes and principals are their owner's, whether they exist or not.
    row("PROPFIND", "/calendars/alice/",          &[ONE],   FIND,  [207, 403, 403, 403, 403, 403, 403, 403, 207, 207, 403, 401]),
    row("PROPFIND", "/addressbooks/alice/",       &[ONE],   FIND,  [207, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 401]),
    row("PROPFIND", "/principals/alice/",         &[ZERO],  FIND,  [207, 403, 403, 403, 403, 403, 403, 403, 207, 207, 403, 401]),
    row("PROPFIND", "/principals/nobody/",        &[ZERO],  FIND,  [403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 401]),
    row("PROPFIND", "/calendars/nobody/",         &[ONE],   FIND,  [403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 401]),
    row("PROPPATCH", "/principals/alice/",        &[],      SET,   [207, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 401]),
    row("PROPPATCH", "/calendars/alice/",         &[],      SET,   [207, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 401]),
    row("ACL", "/principals/alice/",              &[],      ACL,   [200, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 401]),
    row("PROPFIND", "/",                          &[ONE],   FIND,  [207, 207, 207, 207, 207, 207, 207, 207, 207, 207, 207, 401]),
    row("PROPFIND", "/principals/",               &[ONE],   FIND,  [207, 207, 207, 207, 207, 207, 207, 207, 207, 207, 207, 401]),
    row("PROPPATCH", "/calendars/",               &[],      SET,   [207, 207, 207, 207, 207, 207, 207, 207, 207, 207, 207, 401]),
    // Sharing is for its owner, and for those who administer it.
    row("POST", "/calendars/alice/room/", &[XML], SHARE, [200, 403, 403, 403, 403, 403, 403, 200, 403, 403, 403, 401]),
    row("POST", "/calendars/alice/room/", &[XML], DRAFT, [200, 403, 403, 403, 403, 403, 403, 200, 403, 403, 403, 401]),
    row("POST", "/calendars/alice/room/", &[XML], PUBLISH, [202, 403, 403, 403, 403, 403, 403, 202, 403, 403, 403, 401]),
    row("POST", "/calendars/alice/",      &[XML], REPLY, [404, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 401]),
    row("GET", "/api/calendars/alice/room/shares", &[], "", [200, 403, 403, 403, 403, 403, 403, 200, 403, 403, 403, 401]),
    row("PUT", "/api/calendars/alice/room/shares/carol", &[JSON], r#"{"right":"read-write"}"#, [201, 403, 403, 403, 403, 403, 403, 201, 403, 403, 403, 401]),
    row("PUT", "/api/calendars/alice/room/public", &[JSON], r#"{"right":"read"}"#, [200, 403, 403, 403, 403, 403, 403, 200, 403, 403, 403, 401]),
    row("DELETE", "/api/calendars/alice/room/shares/carol", &[], "", [204, 403, 403, 403, 403, 403, 403, 204, 403, 403, 403, 401]),
    // Who may ask when somebody is busy sees that the calendar is there, and gets that answer.
    row("GET", "/api/calendars/alice/room", &[], "", [200, 200, 200, 403, 403, 403, 200, 200, 200, 200, 200, 401]),
    row("GET", "/api/calendars/alice/room/busy?from=2025-01-15&to=2025-01-16", &[], "", [200, 200, 200, 403, 403, 403, 200, 200, 200, 200, 200, 401]),
    row("GET", "/api/calendars/alice/room/events?from=2025-01-15&to=2025-01-16", &[], "", [200, 200, 200, 403, 403, 403, 403, 200, 200, 200, 200, 401]),
    // Who acts for somebody, and what they were told, is theirs; who acts sees their own group.
    row("PROPFIND", "/principals/alice/calendar-proxy-read/", &[ZERO], FIND, [207, 403, 403, 403, 403, 403, 403, 403, 207, 403, 403, 401]),
    row("PROPFIND", "/principals/alice/calendar-proxy-write/", &[ZERO], FIND, [207, 403, 403, 403, 403, 403, 403, 403, 403, 207, 403, 401]),
    row("PROPFIND", "/principals/nobody/calendar-proxy-write/", &[ZERO], FIND, [403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 401]),
    row("PROPPATCH", "/principals/alice/calendar-proxy-write/", &[], NOBODY, [207, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 401]),
    row("PROPFIND", "/notifications/alice/", &[ONE], FIND, [207, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 401]),
    row("REPORT", "/notifications/alice/", &[ZERO], SYNC, [207, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 401]),
    row("GET", "/notifications/alice/x.xml", &[], "", [404, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 401]),
    row("DELETE", "/notifications/alice/x.xml", &[], "", [404, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 401]),
    // The library is shared with bob and carol; who acts for somebody reaches no address books.
    row("PROPFIND", "/addressbooks/alice/library/", &[ONE], FIND, [207, 207, 207, 403, 403, 403, 403, 403, 403, 403, 403, 401]),
    row("PUT", "/addressbooks/alice/library/c.vcf", &[CARD], ADA, [201, 201, 403, 403, 403, 403, 403, 403, 403, 403, 403, 401]),
    row("POST", "/addressbooks/alice/library/", &[XML], SHARE, [200, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 401]),
    row("REPORT", "/addressbooks/alice/library/", &[ZERO], SYNC, [207, 207, 207, 403, 403, 403, 403, 403, 403, 403, 403, 401]),
    row("PUT", "/api/addressbooks/alice/library/public", &[JSON], r#"{"right":"read"}"#, [200, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 401]),
    row("DELETE", "/addressbooks/alice/library/", &[], "", [204, 403, 403, 403, 403, 403, 403, 403, 403, 403, 403, 401]),
];

/// The calendars that the table is about.
struct Town {
    house: House,
    bobs: String,
    erins: String,
}

impl Town {
    async fn build() -> Town {
        let house = House::open_with(&[("store.engine", "memory")]).await;
        for name in ["dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "karl"] {
            let person = format!(
                r#"{{"name":"{name}","email":"{name}@campanile.example","displayName":"{name}","password":"{name}"}}"#
            );
            assert_eq!(house.http("admin").post("/api/users", &person).await.status, 201);
        }
        let mut town = Town { house, bobs: String::new(), erins: String::new() };
        town.raise().await;
        town
    }

    /// Puts everything where the table wants it, whatever was done to it.
    async fn raise(&mut self) {
        let alice = self.house.http("alice");
        for name in ["room", "hall", "annex", "plaza"] {
            let gone = alice.delete(&format!("/calendars/alice/{name}/")).await;
            assert!(matches!(gone.status, 204 | 404), "{gone:?}");
        }
        for name in ["annex", "library"] {
            alice.delete(&format!("/addressbooks/alice/{name}/")).await;
        }
        assert_eq!(alice.post("/api/addressbooks", r#"{"id":"library"}"#).await.status, 201);
        for (whom, right) in [("bob", "read-write"), ("carol", "read")] {
            let share = format!("/api/addressbooks/alice/library/shares/{whom}");
            assert_eq!(alice.put_json(&share, &format!(r#"{{"right":"{right}"}}"#)).await.status, 201);
        }
        for (group, whom) in [("read", "ivan"), ("write", "judy")] {
            let members = format!(
                "<D:propertyupdate xmlns:D='DAV:'><D:set><D:prop><D:group-member-set><D:href>/principals/{whom}/</D:href>\
                 </D:group-member-set></D:prop></D:set></D:propertyupdate>"
            );
            let set =
                alice.send("PROPPATCH", &format!("/principals/alice/calendar-proxy-{group}/"), &[], members).await;
            assert!(set.status == 207 && set.text().contains("200 OK"), "{set:?}");
        }
        for (name, uid) in [("room", "o"), ("plaza", "p")] {
            assert_eq!(alice.send("MKCALENDAR", &format!("/calendars/alice/{name}/"), &[], "").await.status, 201);
            let text = plain_event(uid, "20250115T100000Z");
            assert_eq!(alice.put(&format!("/calendars/alice/{name}/{uid}.ics"), &text).await.status, 201);
        }
        let share = "/api/calendars/alice/room/shares";
        let shares = [
            ("bob", "read-write"),
            ("carol", "read"),
            ("frank", "read-write"),
            ("grace", "freebusy"),
            ("heidi", "administration"),
            ("karl", "read"),
        ];
        for (whom, right) in shares {
            let shared = alice.put_json(&format!("{share}/{whom}"), &format!(r#"{{"right":"{right}"}}"#)).await;
            assert!(shared.status < 300, "{shared:?}");
        }
        assert!(alice.delete(&format!("{share}/frank")).await.status < 300);
        let hides = r#"{"source":"/calendars/alice/room","accept":false}"#;
        assert_eq!(self.house.http("karl").post("/api/shares", hides).await.status, 200);
        assert!(alice.put_json("/api/calendars/alice/plaza/public", r#"{"right":"read"}"#).await.status < 300);
        let erin = self.house.http("erin");
        let subscribed = erin.post("/api/subscriptions", r#"{"source":"/calendars/alice/plaza"}"#).await;
        assert_eq!(subscribed.status, 201, "{subscribed:?}");
        self.bobs = self.leaf("bob", "/calendars/alice/room").await;
        self.erins = self.leaf("erin", "/calendars/alice/plaza").await;
        for (column, name) in PEOPLE.iter().enumerate().take(PEOPLE.len() - 1) {
            let own = self.own(column);
            let http = client(&self.house, column);
            for object in ["c.ics", "mine.ics"] {
                http.delete(&format!("{own}{object}")).await;
            }
            let mine = http.put(&format!("{own}mine.ics"), &plain_event("mine", "20250115T100000Z")).await;
            assert_eq!(mine.status, 201, "{name}");
        }
    }

    /// Somebody's mirror of a calendar, or their subscription to it.
    async fn leaf(&self, user: &str, source: &str) -> String {
        let list = self.house.http(user).get("/api/calendars").await.json();
        let leaf = list.as_array().expect("a list").iter().find(|one| one["source"] == source).expect("a leaf");
        format!("{}/", leaf["href"].as_str().expect("an href"))
    }

    /// A calendar of the asker's own; a stranger to the service names alice's.
    fn own(&self, column: usize) -> String {
        let name =
            ["alice", "bob", "carol", "erin", "dave", "frank", "grace", "heidi", "ivan", "judy", "karl", "alice"]
                [column];
        format!("/calendars/{name}/default/")
    }

    async fn ask(&self, row: &Row, column: usize) -> Reply {
        let own = self.own(column);
        let fill =
            |text: &str| text.replace("{own}", &own).replace("{bobs}", &self.bobs).replace("{erins}", &self.erins);
        let headers: Vec<(&str, String)> = row.headers.iter().map(|(name, value)| (*name, fill(value))).collect();
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        client(&self.house, column).send(row.verb, &fill(row.path), &headers, fill(row.body)).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reaches_what_is_not_theirs() {
    let mut town = Town::build().await;
    let mut wrong = Vec::new();
    for row in ROWS {
        for (column, who) in PEOPLE.iter().enumerate() {
            let found = town.ask(row, column).await;
            if found.status != row.want[column] {
                wrong.push(format!(
                    "{} {} {:?} by {who}: {} instead of {}",
                    row.verb, row.path, row.headers, found.status, row.want[column]
                ));
            }
            // A refusal shows nothing of what it keeps.
            let lost = matches!(PEOPLE[column], "subscribes" | "stranger" | "revoked" | "asks" | "anonymous");
            let foreign = row.body == FOREIGN && lost;
            let reads = matches!(row.want[column], 401 | 403)
                || foreign
                || PEOPLE[column] == "asks" && row.path.contains("/room");
            if reads && ["Event o", "Event p"].iter().any(|secret| found.text().contains(secret)) {
                wrong.push(format!("{} {} by {who} tells: {}", row.verb, row.path, found.text()));
            }
            if found.status < 300 && !matches!(row.verb, "OPTIONS" | "GET" | "HEAD" | "PROPFIND" | "REPORT") {
                town.raise().await;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // The table's own pieces are what they are said to be.
    assert!(ROWS.iter().any(|row| row.path == ROOM) && ROWS.len() > 50);
    town.house.stop().await;
}
