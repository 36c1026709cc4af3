//! Which zone a TZID means: the tz database in all its spellings, plain offsets, and definitions that say otherwise.

use campanile::ical::lines::Limits;
use campanile::ical::object::CalendarObject;
use campanile::ical::recur::budget::Budget;
use campanile::ical::recur::window;
use chrono::DateTime;
use chrono_tz::Tz;

/// The starts of an event in a zone; the first five.
fn starts(definition: &str, tzid: &str, start: &str, rule: &str) -> Vec<String> {
    let rule = if rule.is_empty() { String::new() } else { format!("RRULE:{rule}\n") };
    let text = format!(
        "BEGIN:VCALENDAR\n{definition}BEGIN:VEVENT\nUID:1\nDTSTART;TZID=\"{tzid}\":{start}\n{rule}END:VEVENT\nEND:VCALENDAR\n"
    );
    let object = CalendarObject::read(text.as_bytes(), &Limits::default()).expect("an object");
    let far = "2100-01-01T00:00:00Z".parse().expect("an instant");
    let found = window::occurrences(&object, DateTime::UNIX_EPOCH, far, Tz::Asia__Tokyo, &mut Budget::default());
    found.expect("in budget").iter().map(|one| one.start.text()).take(5).collect()
}

#[test]
fn names_are_zones() {
    let (winter, summer) = ("20250115T090000", "20250715T090000");
    let table = [
        ("Europe/Paris", winter, "2025-01-15T08:00:00Z"),
        ("EUROPE/PARIS", winter, "2025-01-15T08:00:00Z"),
        ("Europe/Kiev", winter, "2025-01-15T07:00:00Z"),
        ("US/Pacific-New", summer, "2025-07-15T16:00:00Z"),
        ("Asia/Calcutta", winter, "2025-01-15T03:30:00Z"),
        ("America/Buenos_Aires", winter, "2025-01-15T12:00:00Z"),
        ("EST5EDT", summer, "2025-07-15T13:00:00Z"),
        ("W. Europe Standard Time", summer, "2025-07-15T07:00:00Z"),
        ("Pacific Daylight Time", summer, "2025-07-15T16:00:00Z"),
        ("tzone://Microsoft/Utc", winter, "2025-01-15T09:00:00Z"),
        ("/freeassociation.sourceforge.net/Europe/Paris", summer, "2025-07-15T07:00:00Z"),
        ("/softwarestudio.org/Olson_20011030_5/America/Argentina/Ushuaia", winter, "2025-01-15T12:00:00Z"),
        ("Eastern Time (US & Canada)", summer, "2025-07-15T13:00:00Z"),
        ("UTC", winter, "2025-01-15T09:00:00Z"),
        ("Z", winter, "2025-01-15T09:00:00Z"),
        ("UTC+01:00", summer, "2025-07-15T08:00:00Z"),
        ("GMT-0330", winter, "2025-01-15T12:30:00Z"),
        ("Etc/GMT-1", winter, "2025-01-15T08:00:00Z"),
        ("(UTC+05:45) Kathmandu", winter, "2025-01-15T03:15:00Z"),
    ];
    for (tzid, start, wanted) in table {
        assert_eq!(starts("", tzid, start, ""), [wanted], "{tzid}");
    }
    assert_eq!(starts("", "Mars/Olympus", winter, ""), Vec::<String>::new());
}

/// A definition with one offset in winter, another in summer, by the European rule.
fn definition(tzid: &str, winter: &str, summer: &str) -> String {
    format!(
        "BEGIN:VTIMEZONE\nTZID:{tzid}\nBEGIN:STANDARD\nDTSTART:19701025T030000\nRRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\n\
         TZOFFSETFROM:{summer}\nTZOFFSETTO:{winter}\nEND:STANDARD\nBEGIN:DAYLIGHT\nDTSTART:19700329T020000\n\
         RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\nTZOFFSETFROM:{winter}\nTZOFFSETTO:{summer}\nEND:DAYLIGHT\nEND:VTIMEZONE\n"
    )
}

#[test]
fn definitions_count_where_they_differ() {
    let (winter, summer) = ("20250115T090000", "20250715T090000");
    // The same as the database; then hours away from it.
    let same = definition("Europe/Paris", "+0100", "+0200");
    assert_eq!(starts(&same, "Europe/Paris", winter, ""), ["2025-01-15T08:00:00Z"]);
    let own = definition("Europe/Paris", "+0300", "+0400");
    assert_eq!(starts(&own, "Europe/Paris", winter, ""), ["2025-01-15T06:00:00Z"]);
    assert_eq!(starts(&own, "Europe/Paris", summer, ""), ["2025-07-15T05:00:00Z"]);
    // A clock that stays: the same in winter, another in summer.
    let stays = definition("Europe/Paris", "+0100", "+0100");
    assert_eq!(starts(&stays, "Europe/Paris", winter, ""), ["2025-01-15T08:00:00Z"]);
    assert_eq!(starts(&stays, "Europe/Paris", summer, ""), ["2025-07-15T08:00:00Z"]);
    // A series is one thing: if any of it differs, all of it goes by the definition.
    let half = starts(&stays, "Europe/Paris", winter, "FREQ=MONTHLY;INTERVAL=3;COUNT=3");
    assert_eq!(half, ["2025-01-15T08:00:00Z", "2025-04-15T08:00:00Z", "2025-07-15T08:00:00Z"]);
    // It differs only behind the end of the series.
    let short = starts(&stays, "Europe/Paris", winter, "FREQ=MONTHLY;UNTIL=20250301T000000Z");
    assert_eq!(short, ["2025-01-15T08:00:00Z", "2025-02-15T08:00:00Z"]);
    // Sao Paulo gave up its summer time in 2019. A definition of 2015 still has it: it agreed with the database when the
    // series began, and what the law changed later the database knows better.
    let old = "BEGIN:VTIMEZONE\nTZID:America/Sao_Paulo\nBEGIN:DAYLIGHT\nDTSTART:20081019T000000\n\
        RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=3SU\nTZOFFSETFROM:-0300\nTZOFFSETTO:-0200\nEND:DAYLIGHT\nBEGIN:STANDARD\n\
        DTSTART:20120226T000000\nRRULE:FREQ=YEARLY;BYMONTH=2;BYDAY=3SU\nTZOFFSETFROM:-0200\nTZOFFSETTO:-0300\n\
        END:STANDARD\nEND:VTIMEZONE\n";
    let found = starts(old, "America/Sao_Paulo", "20160320T090000", "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=1");
    let wanted = ["2016-03-20T12:00:00Z", "2016-12-01T11:00:00Z", "2017-12-01T11:00:00Z", "2018-12-01T11:00:00Z"];
    assert_eq!(found[..4], wanted);
    assert_eq!(found[4], "2019-12-01T12:00:00Z");
    // Before its first onset a definition says nothing.
    let late = definition("Europe/Paris", "+0100", "+0200").replace("1970", "2020");
    assert_eq!(starts(&late, "Europe/Paris", "20050715T090000", ""), ["2005-07-15T07:00:00Z"]);
    // A name that nobody knows is what its definition says, an offset too.
    for tzid in ["Customized Time Zone", "UTC+01:00"] {
        let own = definition(tzid, "+0300", "+0400");
        assert_eq!(starts(&own, tzid, summer, ""), ["2025-07-15T05:00:00Z"], "{tzid}");
    }
}
