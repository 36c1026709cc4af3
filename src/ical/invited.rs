//! Who was invited by whom, as an object says it for one mail address. Decides nothing about it.

use chrono_tz::Tz;
use sha2::{Digest, Sha256};

use crate::domain::notification::{ATTENDEES_MAX, Answer, Invited};
use crate::ical::block::Block;
use crate::ical::itip::organizer::displaced;
use crate::ical::lines::Property;
use crate::ical::object::CalendarObject;
use crate::ical::recur::series::Series;
use crate::ical::text;
use crate::ical::trigger::mail;

/// What people who come must know: a change in one of these is an update. RFC 5546 2.1.4, and the place.
const SIGNIFICANT: [&str; 8] = ["DTSTART", "DTEND", "DURATION", "DUE", "RRULE", "RDATE", "EXDATE", "LOCATION"];

/// What an object with an ORGANIZER says; `None` for one without. The master speaks for a series. Dates and floating times stand in
/// `zone`.
pub fn invited(object: &CalendarObject, email: &str, zone: Tz) -> Option<Invited> {
    let master = object.components().find(|block| block.property("RECURRENCE-ID").is_none());
    let block = master.or_else(|| object.components().next())?;
    let organizer = address(block.property("ORGANIZER")?);
    let is_me = |address: &str| !email.is_empty() && address.eq_ignore_ascii_case(email);
    let mut answer = None;
    let mut attendees = Vec::new();
    for attendee in block.properties("ATTENDEE") {
        let (who, said) = (address(attendee), Answer::parse(attendee.param("PARTSTAT").unwrap_or_default()));
        if is_me(who) {
            answer = Some(said);
        } else if attendees.len() < ATTENDEES_MAX {
            attendees.push((who.to_owned(), said));
        }
    }
    let own = is_me(organizer);
    let span = object.span(zone);
    let mut parts = object.series().iter().flat_map(Series::parts);
    Some(Invited {
        summary: text::unescaped(block.value("SUMMARY").unwrap_or_default()),
        start: parts.find_map(|part| part.start.as_ref()).map(|start| start.instant(zone)),
        end: span.and_then(|span| span.end),
        recurrence_id: block.value("RECURRENCE-ID").map(str::to_owned),
        organizer: organizer.to_owned(),
        own,
        answer: if own { None } else { answer },
        cancelled: object.components().all(|block| block.is("STATUS", "CANCELLED")),
        sequence: block.value("SEQUENCE").and_then(|number| number.parse().ok()).unwrap_or_default(),
        digest: digest(object),
        attendees,
    })
}

/// RFC 7986 6.2: EMAIL names the mail address where the value is some other address.
fn address(property: &Property) -> &str {
    property.param("EMAIL").map_or_else(|| mail(&property.value), mail)
}

/// Over what is significant in all components, each property under its name.
fn digest(object: &CalendarObject) -> u64 {
    let mut hash = Sha256::new();
    let mut take = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    };
    let series = object.components().find(|block| block.property("RECURRENCE-ID").is_none());
    for block in object.components() {
        if !series.is_some_and(|series| says_the_same(object, series, block)) {
            significant(block, &mut take);
        }
    }
    hash.finalize().iter().take(8).fold(0, |digest, byte| (digest << 8) | u64::from(*byte))
}

/// Whether a single instance stands where its series would have it: a component of its own for the sake of an answer is no news.
fn says_the_same(object: &CalendarObject, series: &Block, block: &Block) -> bool {
    let own = block.property("RECURRENCE-ID").is_some();
    let more = ["RRULE", "RDATE", "EXDATE"].iter().any(|name| block.property(name).is_some());
    own && !more && block.value("LOCATION") == series.value("LOCATION") && !displaced(object, series, object, block)
}

fn significant(block: &Block, take: &mut impl FnMut(&str)) {
    take(block.value("RECURRENCE-ID").unwrap_or_default());
    for name in SIGNIFICANT {
        for property in block.properties(name) {
            take(name);
            take(property.param("TZID").unwrap_or_default());
            take(property.value.trim());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::Invitation;
    use crate::ical::lines::Limits;

    fn object(lines: &str) -> CalendarObject {
        let text = format!(
            "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:u\nDTSTART:20250115T090000Z\n{lines}\nEND:VEVENT\nEND:VCALENDAR\n"
        );
        CalendarObject::read(text.as_bytes(), &Limits::default()).expect("an event")
    }

    fn read(lines: &str) -> Option<Invited> {
        invited(&object(lines), "alice@example.org", Tz::UTC)
    }

    #[test]
    fn being_asked_and_being_answered_are_news_once() {
        const OLGA: &str = "ORGANIZER:mailto:olga@example.org\n";
        const MINE: &str = "ORGANIZER:MAILTO:Alice@Example.org\n";
        let of = |organizer: &str, attendee: &str| read(&format!("{organizer}{attendee}")).expect("an organizer");
        let received = Some(Invitation::Received);
        let rows = [
            (OLGA, "ATTENDEE:mailto:alice@example.org", received),
            (OLGA, "ATTENDEE;PARTSTAT=needs-action:mailto:ALICE@example.org", received),
            (OLGA, "ATTENDEE;EMAIL=alice@example.org:urn:uuid:1", received),
            (OLGA, "ATTENDEE;PARTSTAT=ACCEPTED:mailto:alice@example.org", None),
            (OLGA, "ATTENDEE:mailto:other@example.org", None),
            (MINE, "ATTENDEE:mailto:alice@example.org", None),
            (MINE, "ATTENDEE;PARTSTAT=DECLINED:mailto:olga@example.org", None),
        ];
        for (organizer, attendee, news) in rows {
            let invited = of(organizer, attendee);
            assert_eq!(invited.news(None), news, "{organizer}{attendee}");
            assert_eq!(invited.news(Some(&invited.standing())), None, "{organizer}{attendee}");
        }
        let said = |answer: &str| of(MINE, &format!("ATTENDEE;PARTSTAT={answer}:mailto:olga@example.org"));
        let (open, accepted, declined) = (said("NEEDS-ACTION"), said("ACCEPTED"), said("DECLINED"));
        for (before, after, news) in [
            (&open, &accepted, Some(Invitation::Replied)),
            (&declined, &accepted, Some(Invitation::Replied)),
            (&accepted, &accepted, None),
            (&accepted, &open, None),
        ] {
            assert_eq!(after.news(Some(&before.standing())), news, "{before:?} {after:?}");
        }
        let answered = of(OLGA, "ATTENDEE;PARTSTAT=ACCEPTED:mailto:alice@example.org");
        assert_eq!(of(OLGA, "ATTENDEE:mailto:alice@example.org").news(Some(&answered.standing())), received);
    }

    #[test]
    fn roles_are_read() {
        const OLGA: &str = "ORGANIZER:mailto:olga@example.org";
        const ME: &str = "ORGANIZER:MAILTO:Alice@Example.org";
        let rows = [
            (String::new(), None),
            (OLGA.to_owned(), Some((false, None))),
            (format!("{OLGA}\nATTENDEE:mailto:alice@example.org"), Some((false, Some(Answer::NeedsAction)))),
            (
                format!("{OLGA}\nATTENDEE;PARTSTAT=declined:mailto:ALICE@example.org"),
                Some((false, Some(Answer::Declined))),
            ),
            (
                format!("{OLGA}\nATTENDEE;EMAIL=alice@example.org;PARTSTAT=ACCEPTED:urn:uuid:1"),
                Some((false, Some(Answer::Accepted))),
            ),
            (format!("{ME}\nATTENDEE;PARTSTAT=ACCEPTED:mailto:alice@example.org"), Some((true, None))),
        ];
        for (lines, want) in rows {
            assert_eq!(read(&lines).map(|it| (it.own, it.answer)), want, "{lines}");
        }
    }

    #[test]
    fn what_matters_is_told_from_what_does_not() {
        let digest = |lines: &str| read(&format!("ORGANIZER:mailto:o@x.org\n{lines}")).map(|it| it.digest);
        assert_eq!(digest("SUMMARY:a"), digest("SUMMARY:b\nDESCRIPTION:c"));
        assert_ne!(digest("LOCATION:a"), digest("LOCATION:b"));
        assert_ne!(digest("RRULE:FREQ=DAILY"), digest(""));
    }
}
