//! What the golden cases do not hold about alarms: who is mailed, what was acknowledged or snoozed, who has accepted, whose placeholders are silent.

use campanile::domain::occurrence::instant;
use campanile::ical::alarms::{self, Policy};
use campanile::ical::lines::Limits;
use campanile::ical::object::CalendarObject;
use campanile::ical::recur::budget::Budget;
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

const EMAIL: &str = "me@example.org";

fn policy(require_accepted: bool) -> Policy {
    Policy { require_accepted, user_email: EMAIL.to_owned() }
}

/// An event of 15 January 2025, 09:00 UTC, an hour long; `lines` come before its alarms.
fn event(lines: &str) -> String {
    format!(
        "BEGIN:VEVENT\nUID:policy\nDTSTART:20250115T090000Z\nDURATION:PT1H\nSUMMARY:Policy\n{}\nEND:VEVENT\n",
        lines.trim()
    )
}

fn alarm(lines: &str) -> String {
    format!("BEGIN:VALARM\n{}\nEND:VALARM\n", lines.trim())
}

const DISPLAY: &str = "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT15M\nEND:VALARM\n";
const DAILY: &str = "RRULE:FREQ=DAILY;COUNT=3\n";

/// Everything that rings from 1970 on: the instant, then ` for ` and the start it rings for, then ` to ` and who is
/// mailed.
fn rings(components: &str, policy: &Policy) -> Vec<String> {
    let text = format!("BEGIN:VCALENDAR\n{components}END:VCALENDAR\n");
    let object = CalendarObject::read(text.as_bytes(), &Limits::default()).expect("an object");
    let (from, to) = (DateTime::UNIX_EPOCH, at("2030-01-01T00:00:00Z"));
    let zone = Tz::Europe__Paris;
    let firings = alarms::firings(&object, from, to, zone, policy, &mut Budget::default()).expect("in budget");
    // The other question walks the same instants.
    let mut after = from - TimeDelta::seconds(1);
    let mut walked = Vec::new();
    while let Some(next) = alarms::next_after(&object, after, zone, policy, &mut Budget::default()).expect("in budget")
    {
        walked.push(next);
        after = next;
    }
    let mut instants: Vec<_> = firings.iter().map(|firing| firing.at).collect();
    instants.dedup();
    assert_eq!(walked, instants, "{text}");
    let said = firings.iter().map(|firing| {
        let mut said = instant(&firing.at);
        if let Some(occurrence) = &firing.occurrence {
            said.push_str(&format!(" for {}", occurrence.text()));
        }
        if !firing.attendees.is_empty() {
            said.push_str(&format!(" to {}", firing.attendees.join(" ")));
        }
        said
    });
    said.collect()
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().expect("an instant")
}

#[track_caller]
fn check(components: &str, wanted: &[&str]) {
    check_as(components, &policy(false), wanted);
}

#[track_caller]
fn check_as(components: &str, policy: &Policy, wanted: &[&str]) {
    assert_eq!(rings(components, policy), wanted, "{components}");
}

const RUNG: &str = "2025-01-15T08:45:00Z for 2025-01-15T09:00:00Z";

#[test]
fn mail_goes_to_its_attendees() {
    let mail = |more: &str| event(&alarm(&format!("ACTION:EMAIL\nTRIGGER:-PT15M\nSUMMARY:s\nDESCRIPTION:d\n{more}")));
    check(&mail(""), &[RUNG]);
    check(
        &mail("ATTENDEE:mailto:a@example.org\nATTENDEE;CN=\"B: b\":MAILTO:b@example.org"),
        &["2025-01-15T08:45:00Z for 2025-01-15T09:00:00Z to a@example.org b@example.org"],
    );
    // What is shown is mailed to nobody.
    check(&event(&alarm("ACTION:DISPLAY\nTRIGGER:-PT15M\nATTENDEE:mailto:a@example.org")), &[RUNG]);
    // Where each invited person has a copy, the alarms of the others are theirs; who is not invited is mailed.
    let invited = "ATTENDEE;PARTSTAT=ACCEPTED:mailto:me@example.org\nATTENDEE:mailto:a@example.org\n";
    let to = |who: &str| event(&format!("{invited}{}", alarm(&format!("ACTION:EMAIL\nTRIGGER:-PT15M\n{who}"))));
    let (theirs, ours) =
        ("ATTENDEE:mailto:a@example.org", "ATTENDEE:mailto:ME@example.org\nATTENDEE:mailto:x@example.org");
    check_as(&to(theirs), &policy(true), &[]);
    check_as(
        &to(&format!("{theirs}\n{ours}")),
        &policy(true),
        &["2025-01-15T08:45:00Z for 2025-01-15T09:00:00Z to ME@example.org x@example.org"],
    );
    check(&to(theirs), &["2025-01-15T08:45:00Z for 2025-01-15T09:00:00Z to a@example.org"]);
}

#[test]
fn placeholders_ring_nothing() {
    for action in ["ACTION:NONE", "ACTION:DISPLAY", "ACTION:AUDIO"] {
        check(&event(&alarm(&format!("{action}\nTRIGGER;VALUE=DATE-TIME:19760401T005545Z"))), &[]);
    }
    check(&event(&alarm("ACTION:NONE\nTRIGGER:-PT15M")), &[]);
    check(&event(&alarm("ACTION:X-BLINK\nTRIGGER:-PT15M")), &[]);
    check(&event(&alarm("ACTION:PROCEDURE\nTRIGGER:-PT15M")), &[]);
    check(&event(&alarm("ACTION:DISPLAY")), &[]);
    check(&event(&alarm("ACTION:DISPLAY\nTRIGGER:soon")), &[]);
    // An alarm that says when and not how is shown; where accepting is asked for, the letter counts.
    check(&event(&alarm("TRIGGER:-PT15M")), &[RUNG]);
    check_as(&event(&alarm("TRIGGER:-PT15M")), &policy(true), &[]);
    // A real alarm beside a placeholder.
    let both = format!("{}{DISPLAY}", alarm("ACTION:NONE\nTRIGGER;VALUE=DATE-TIME:19760401T005545Z"));
    check(&event(&both), &[RUNG]);
}

#[test]
fn default_alarms_are_alarms() {
    for mark in ["X-APPLE-DEFAULT-ALARM:TRUE", "DEFAULT-ALARM:TRUE", "X-APPLE-LOCAL-DEFAULT-ALARM:TRUE"] {
        check(&event(&alarm(&format!("{mark}\nACTION:DISPLAY\nTRIGGER:-PT15M"))), &[RUNG]);
    }
    let birthday = event(&alarm("X-APPLE-DEFAULT-ALARM:TRUE\nACTION:AUDIO\nTRIGGER:-PT15H\nATTACH;VALUE=URI:Basso"))
        .replace("DTSTART:20250115T090000Z\nDURATION:PT1H", "DTSTART;VALUE=DATE:20250115");
    check(&birthday, &["2025-01-14T08:00:00Z for 2025-01-15"]);
}

#[test]
fn acknowledged_alarms_are_silent() {
    let acknowledged = |at: &str| alarm(&format!("ACTION:DISPLAY\nTRIGGER:-PT15M\nACKNOWLEDGED:{at}"));
    check(&event(&acknowledged("20250115T084459Z")), &[RUNG]);
    check(&event(&acknowledged("20250115T084500Z")), &[]);
    check(&event(&acknowledged("soon")), &[RUNG]);
    // Later instances of a series ring.
    let last = ["2025-01-17T08:45:00Z for 2025-01-17T09:00:00Z"];
    check(&event(&format!("{DAILY}{}", acknowledged("20250116T120000Z"))), &last);
    check(&event(&format!("{DAILY}X-MOZ-LASTACK:20250116T120000Z\n{DISPLAY}")), &last);
    // Each repetition for itself.
    let repeated = alarm("ACTION:AUDIO\nTRIGGER:-PT15M\nREPEAT:2\nDURATION:PT5M\nACKNOWLEDGED:20250115T084700Z");
    check(
        &event(&repeated),
        &["2025-01-15T08:50:00Z for 2025-01-15T09:00:00Z", "2025-01-15T08:55:00Z for 2025-01-15T09:00:00Z"],
    );
    // Half of the pair is none, and rings once.
    check(&event(&alarm("ACTION:AUDIO\nTRIGGER:-PT15M\nREPEAT:2")), &[RUNG]);
    check(&event(&alarm("ACTION:AUDIO\nTRIGGER:-PT15M\nDURATION:PT5M")), &[RUNG]);
}

#[test]
fn thunderbird_snoozes() {
    let snooze = "X-MOZ-SNOOZE-TIME:20250115T085000Z\n";
    let acknowledged = "X-MOZ-LASTACK:20250115T084600Z\n";
    let again = "2025-01-15T08:50:00Z for 2025-01-15T09:00:00Z";
    check(&event(&format!("{acknowledged}{snooze}{DISPLAY}")), &[again]);
    // Dismissed since.
    check(&event(&format!("X-MOZ-LASTACK:20250115T085100Z\n{snooze}{DISPLAY}")), &[]);
    // Of a series, the second instance: 16 January, 09:00 UTC.
    let micros = 1_737_018_000_000_000_i64;
    let one = format!("{DAILY}X-MOZ-LASTACK:20250116T084600Z\nX-MOZ-SNOOZE-TIME-{micros}:20250116T085500Z\n{DISPLAY}");
    check(
        &event(&one),
        &["2025-01-16T08:55:00Z for 2025-01-16T09:00:00Z", "2025-01-17T08:45:00Z for 2025-01-17T09:00:00Z"],
    );
    // Of a series as a whole: for whichever instance is near.
    let some = format!("{DAILY}X-MOZ-LASTACK:20250117T084600Z\nX-MOZ-SNOOZE-TIME:20250117T085500Z\n{DISPLAY}");
    check(&event(&some), &["2025-01-17T08:55:00Z"]);
    // Words that mean nothing; and nothing is snoozed where nothing rings.
    check(&event(&format!("X-MOZ-SNOOZE-TIME-soon:20250115T085000Z\n{DISPLAY}")), &[RUNG]);
    check(&event(&format!("X-MOZ-SNOOZE-TIME:soon\n{DISPLAY}")), &[RUNG]);
    check(&event(snooze), &[]);
}

#[test]
fn snooze_alarms_ring_once_more() {
    let original =
        |acknowledged: &str| alarm(&format!("UID:a1\nACTION:DISPLAY\nTRIGGER:-PT15M\nACKNOWLEDGED:{acknowledged}"));
    let snooze =
        alarm("UID:a2\nACTION:DISPLAY\nTRIGGER;VALUE=DATE-TIME:20250115T085500Z\nRELATED-TO;RELTYPE=SNOOZE:a1");
    let both = |acknowledged: &str| event(&format!("{}{snooze}", original(acknowledged)));
    check(&both("20250115T084600Z"), &["2025-01-15T08:55:00Z for 2025-01-15T09:00:00Z"]);
    // Whoever acknowledges the alarm behind its snooze has done with both.
    check(&both("20250115T085500Z"), &[]);
    // A snooze of nothing rings nonetheless.
    check(&event(&snooze), &["2025-01-15T08:55:00Z for 2025-01-15T09:00:00Z"]);
    let done = snooze.replace("END:", "ACKNOWLEDGED:20250115T085600Z\nEND:");
    check(&event(&format!("{}{done}", original("20250115T084600Z"))), &[]);
    // In a series it rings once, and the later instances ring as they do.
    check(
        &event(&format!("{DAILY}{}{snooze}", original("20250116T084600Z"))),
        &["2025-01-17T08:45:00Z for 2025-01-17T09:00:00Z"],
    );
    check(
        &event(&format!("{DAILY}{}{snooze}", original("20250115T084600Z"))),
        &[
            "2025-01-15T08:55:00Z",
            "2025-01-16T08:45:00Z for 2025-01-16T09:00:00Z",
            "2025-01-17T08:45:00Z for 2025-01-17T09:00:00Z",
        ],
    );
}

#[test]
fn answers_decide() {
    let rings: &[&str] = &[RUNG];
    // The lines, and whether it rings: by default, and where accepting is asked for.
    let table = [
        ("", true, true),
        ("ATTENDEE;PARTSTAT=ACCEPTED:mailto:me@example.org", true, true),
        ("ATTENDEE;PARTSTAT=accepted:MAILTO:Me@Example.org", true, true),
        ("ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:me@example.org", true, false),
        ("ATTENDEE:mailto:me@example.org", true, false),
        ("ATTENDEE;PARTSTAT=TENTATIVE:mailto:me@example.org", true, false),
        ("ATTENDEE;PARTSTAT=DELEGATED:mailto:me@example.org", true, false),
        ("ATTENDEE;PARTSTAT=DECLINED:mailto:me@example.org", false, false),
        ("ATTENDEE;PARTSTAT=ACCEPTED:mailto:other@example.org", true, false),
        ("ORGANIZER:mailto:me@example.org", true, true),
        ("ORGANIZER:mailto:other@example.org", true, true),
        ("ORGANIZER:mailto:me@example.org\nATTENDEE:mailto:other@example.org", true, true),
        ("ORGANIZER:mailto:me@example.org\nATTENDEE:mailto:me@example.org", true, true),
        ("ORGANIZER:mailto:me@example.org\nATTENDEE;PARTSTAT=DECLINED:mailto:me@example.org", false, false),
        ("ATTENDEE;EMAIL=me@example.org;PARTSTAT=DECLINED:urn:uuid:1", false, false),
        ("ATTENDEE;EMAIL=me@example.org;PARTSTAT=ACCEPTED:/principals/me", true, true),
        ("STATUS:CANCELLED", false, false),
        ("STATUS:TENTATIVE", true, true),
    ];
    for (lines, free, strict) in table {
        let text = event(&format!("{lines}\n{DISPLAY}"));
        check_as(&text, &policy(false), if free { rings } else { &[] });
        check_as(&text, &policy(true), if strict { rings } else { &[] });
    }
    // Who is nobody cannot be asked.
    let declined = event(&format!("ATTENDEE;PARTSTAT=DECLINED:mailto:me@example.org\n{DISPLAY}"));
    check_as(&declined, &Policy::default(), rings);
    check(&format!("METHOD:CANCEL\n{}", event(DISPLAY)), &[]);
    check(&format!("METHOD:REQUEST\n{}", event(DISPLAY)), rings);
}

#[test]
fn to_dos_ring_until_they_are_done() {
    let todo = |lines: &str| format!("BEGIN:VTODO\nUID:todo\n{}\n{DISPLAY}END:VTODO\n", lines.trim());
    check(&todo("DUE:20250115T090000Z"), &[RUNG]);
    check(&todo("DTSTART:20250115T090000Z\nDUE:20250116T090000Z"), &[RUNG]);
    check(&todo("DUE:20250115T090000Z\nSTATUS:IN-PROCESS"), &[RUNG]);
    check(&todo("DUE:20250115T090000Z\nSTATUS:COMPLETED"), &[]);
    check(&todo("DUE:20250115T090000Z\nCOMPLETED:20250114T090000Z"), &[]);
    check(&todo("DUE:20250115T090000Z\nSTATUS:CANCELLED"), &[]);
    check(&todo("SUMMARY:some day"), &[]);
}

#[test]
fn silent_overrides_silence_their_instances() {
    let master = event(&format!("{DAILY}{DISPLAY}"));
    let second = |lines: &str| event(&format!("RECURRENCE-ID:20250116T090000Z\n{lines}")).replace("0115T", "0116T");
    let (one, three) = (RUNG, "2025-01-17T08:45:00Z for 2025-01-17T09:00:00Z");
    check(&format!("{master}{}", second("")), &[one, three]);
    check(&format!("{master}{}", second(&format!("STATUS:CANCELLED\n{DISPLAY}"))), &[one, three]);
    let declined = second(&format!("ATTENDEE;PARTSTAT=DECLINED:mailto:me@example.org\n{DISPLAY}"));
    check(&format!("{master}{declined}"), &[one, three]);
    let own = second(&alarm("ACTION:DISPLAY\nTRIGGER:-PT1M"));
    check(&format!("{master}{own}"), &[one, "2025-01-16T08:59:00Z for 2025-01-16T09:00:00Z", three]);
    // From the past into the future: it rings where it went.
    let moved = second(DISPLAY).replace("DTSTART:20250116T", "DTSTART:20270116T");
    check(&format!("{master}{moved}"), &[one, three, "2027-01-16T08:45:00Z for 2027-01-16T09:00:00Z"]);
}
