//! What makes busy and what does not, in every way in which one can ask.

use crate::live::House;
use crate::live::scheduling::has;

fn asked(hour: u32, answer: &str, more: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:at{hour}\r\nDTSTAMP:20250101T000000Z\r\n\
         DTSTART:20250120T{hour:02}0000Z\r\nDURATION:PT30M\r\nSUMMARY:x\r\nORGANIZER:mailto:zoe@elsewhere.org\r\n\
         ATTENDEE:mailto:zoe@elsewhere.org\r\nATTENDEE;PARTSTAT={answer}:mailto:bob@campanile.example\r\n{more}END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_declined_makes_nobody_busy() {
    let house = House::open().await;
    let (alice, bob) = (house.http("alice"), house.http("bob"));
    for (hour, answer, more) in [
        (1, "ACCEPTED", ""),
        (3, "TENTATIVE", ""),
        (5, "NEEDS-ACTION", ""),
        (7, "DECLINED", ""),
        (9, "DELEGATED", ""),
        (11, "ACCEPTED", "TRANSP:TRANSPARENT\r\n"),
        (13, "ACCEPTED", "STATUS:CANCELLED\r\n"),
        // That somebody else does not come is nothing to bob.
        (15, "ACCEPTED", "ATTENDEE;PARTSTAT=DECLINED:mailto:yan@elsewhere.org\r\n"),
    ] {
        let put = bob.put(&format!("/calendars/bob/default/{hour}.ics"), &asked(hour, answer, more)).await;
        assert_eq!(put.status, 201, "{put:?}");
    }
    // Of a series that bob comes to, one that he declined.
    let whole = asked(17, "ACCEPTED", "RRULE:FREQ=HOURLY;COUNT=3\r\n");
    let one = asked(17, "DECLINED", "RECURRENCE-ID:20250120T180000Z\r\n")
        .replace("DTSTART:20250120T17", "DTSTART:20250120T18");
    let one = one.split_once("BEGIN:VEVENT").expect("an event").1.to_owned();
    let series = whole.replace("END:VCALENDAR\r\n", "") + "BEGIN:VEVENT" + &one;
    assert_eq!(bob.put("/calendars/bob/default/17.ics", &series).await.status, 201);

    let at = |hours: &[u32], kind: &str| -> Vec<String> {
        hours
            .iter()
            .map(|hour| format!("FREEBUSY;FBTYPE={kind}:20250120T{hour:02}0000Z/20250120T{hour:02}3000Z"))
            .collect()
    };
    let mut want = at(&[1, 5, 15, 17, 19], "BUSY");
    want.extend(at(&[3], "BUSY-TENTATIVE"));
    let query = r#"<C:free-busy-query xmlns:C="urn:ietf:params:xml:ns:caldav"><C:time-range start="20250120T000000Z" end="20250121T000000Z"/></C:free-busy-query>"#;
    let said = bob.send("REPORT", "/calendars/bob/default/", &[("Depth", "1")], query).await.text();
    let question = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\nMETHOD:REQUEST\r\nBEGIN:VFREEBUSY\r\nUID:q\r\nDTSTAMP:20250101T000000Z\r\n\
         DTSTART:20250120T000000Z\r\nDTEND:20250121T000000Z\r\nORGANIZER:mailto:alice@campanile.example\r\n\
         ATTENDEE:mailto:bob@campanile.example\r\nEND:VFREEBUSY\r\nEND:VCALENDAR\r\n";
    let media = [("Content-Type", "text/calendar")];
    let told = alice.send("POST", "/calendars/alice/outbox/", &media, question).await.text();
    for said in [said, told] {
        let lines: Vec<&str> = want.iter().map(String::as_str).collect();
        has(&said, &lines);
        assert_eq!(said.matches("FREEBUSY;FBTYPE").count(), want.len(), "{said}");
    }
    let listed = bob.get("/api/calendars/bob/default/busy?from=2025-01-20&to=2025-01-21").await;
    assert_eq!(listed.status, 200, "{listed:?}");
    let starts = listed.text().matches("2025-01-20T").count();
    assert_eq!(starts, 2 * want.len(), "{listed:?}");
    let body = r#"{"start":"20250120T000000Z","end":"20250121T000000Z","users":["bob"],"uids":[]}"#;
    let json = [("Content-Type", "application/json"), ("Accept", "application/json")];
    let people = bob.send("POST", "/dav/calendars/freebusy", &json, body).await.json();
    let busy = people["users"][0]["calendars"].as_array().expect("calendars").iter();
    let busy: usize = busy.filter_map(|one| one["busy"].as_array()).map(Vec::len).sum();
    assert_eq!(busy, want.len(), "{people}");
    house.stop().await;
}
