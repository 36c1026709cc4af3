//! What a calendar object says of its owner's presence at an instant, and when that can change. Knows no store and no other object.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::domain::occurrence::Moment;
use crate::domain::organisation::channel_uuid;
use crate::domain::presence::{Availability, Direction, Engaged, Engagement, Hold, Invited, Standing, Status};
use crate::ical::block::Block;
use crate::ical::lines::Property;
use crate::ical::object::CalendarObject;
use crate::ical::recur::budget::{Budget, Exhausted};
use crate::ical::recur::reading::instant;
use crate::ical::recur::series::{self, Part, Series};
use crate::ical::recur::span;
use crate::ical::recur::stream::{Instance, Stream};
use crate::ical::text;
use crate::ical::time::{self, Date, Length};
use crate::ical::trigger::mail;

/// Bytes of a title that are kept; a longer one is cut.
const TITLE_MAX: usize = 1_024;
/// The same of a conference's address; a longer one is left out, as half an address leads nowhere.
const CONFERENCE_MAX: usize = 2_048;

/// Whose presence it is, and what certain categories mean.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Eye {
    /// The mail address that stands in ATTENDEE and ORGANIZER; case does not matter.
    pub user_email: String,
    /// An event with one of these categories is a time of focus; case does not matter.
    pub focus: Vec<String>,
    /// An all-day event with one of these is an absence.
    pub absence: Vec<String>,
}

/// What an object says at `now`. Dates and floating times stand in `default`.
///
/// A series with a fault says nothing; `CalendarObject::flaws` says why.
///
/// ```
/// use campanile::domain::presence::Hold;
/// use campanile::ical::{lines::Limits, object::CalendarObject, recur::budget::Budget, stance};
/// let text = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:20250115T090000Z\r\nDURATION:PT1H\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
/// let object = CalendarObject::read(text.as_bytes(), &Limits::default()).unwrap();
/// let (eye, now) = (stance::Eye::default(), "2025-01-15T09:30:00Z".parse().unwrap());
/// let standing = stance::standing(&object, now, chrono_tz::Tz::UTC, &eye, &mut Budget::default()).unwrap();
/// assert!(matches!(standing.hold, Some(Hold::Event(_))));
/// assert_eq!(standing.edge, "2025-01-15T10:00:00Z".parse().ok());
/// ```
pub fn standing(
    object: &CalendarObject,
    now: DateTime<Utc>,
    default: Tz,
    eye: &Eye,
    budget: &mut Budget,
) -> Result<Standing, Exhausted> {
    let mut standing = Standing::default();
    for series in object.series() {
        of_series(object, series, now, default, eye, budget, &mut standing)?;
    }
    for block in object.root().blocks("VAVAILABILITY") {
        of_availability(object, block, now, default, budget, &mut standing)?;
    }
    let asked = object.root().blocks("VEVENT").any(|block| asked(block, eye));
    if asked && let Some(span) = object.span(default) {
        let over = span.end.is_some_and(|end| end <= now);
        standing.invited = (!over).then_some(Invited { until: span.end });
    }
    Ok(standing)
}

/// Whether the component of an instance has a conference that is heard or seen: what `ringing_on_alarm` asks.
pub fn conference_at(
    object: &CalendarObject,
    start: DateTime<Utc>,
    default: Tz,
    eye: &Eye,
    budget: &mut Budget,
) -> Result<Option<Engagement>, Exhausted> {
    for series in object.series() {
        let window = (start.timestamp(), start.timestamp() + 1);
        let mut stream = Stream::new(series, window, default, budget)?;
        while let Some(instance) = stream.next(budget)? {
            let Some(block) = object.root().blocks.get(instance.part.block) else { continue };
            if engaged(block, instance.part, eye) == Some(Engaged::OnCall) {
                return Ok(Some(engagement(series, &instance, Engaged::OnCall, block, eye)));
            }
        }
    }
    Ok(None)
}

fn of_series(
    object: &CalendarObject,
    series: &Series,
    now: DateTime<Utc>,
    default: Tz,
    eye: &Eye,
    budget: &mut Budget,
    standing: &mut Standing,
) -> Result<(), Exhausted> {
    let block = |part: &Part| object.root().blocks.get(part.block);
    let words: Vec<(usize, Engaged)> = series
        .parts()
        .filter(|part| lasts(part, default))
        .filter_map(|part| Some((part.block, engaged(block(part)?, part, eye)?)))
        .collect();
    if words.is_empty() {
        return Ok(());
    }
    let word = |part: &Part| words.iter().find(|(at, _)| *at == part.block).map(|(_, engaged)| *engaged);
    let mut strongest: Option<(Engaged, Instance<'_>)> = None;
    walk(
        series,
        now,
        default,
        |part| word(part).is_some(),
        budget,
        &mut standing.edge,
        |instance| {
            if let Some(engaged) = word(instance.part)
                && strongest.is_none_or(|(other, _)| engaged < other)
            {
                strongest = Some((engaged, *instance));
            }
        },
    )?;
    if let Some((engaged, instance)) = strongest
        && let Some(block) = block(instance.part)
    {
        let found = engagement(series, &instance, engaged, block, eye);
        match &standing.hold {
            Some(Hold::Event(other)) if other.engaged <= found.engaged => {}
            _ => standing.hold = Some(Hold::Event(found)),
        }
    }
    Ok(())
}

/// Walks the instances of a series that matter around `now`: hands on those that cover it, and brings the edge nearer where one of them
/// ends or the next begins.
fn walk<'o>(
    series: &'o Series,
    now: DateTime<Utc>,
    default: Tz,
    wanted: impl Fn(&Part) -> bool,
    budget: &mut Budget,
    edge: &mut Option<DateTime<Utc>>,
    mut covers: impl FnMut(&Instance<'o>),
) -> Result<(), Exhausted> {
    let second = now.timestamp();
    let from = second.saturating_sub(span::longest(series, default));
    let mut nearer = |at: i64| *edge = (*edge).into_iter().chain([instant(at)]).min();
    let mut stream = Stream::of(series, (from, i64::MAX), default, wanted, budget)?;
    while let Some(instance) = stream.next(budget)? {
        if instance.end <= instance.at {
            continue;
        }
        if instance.at > second {
            nearer(instance.at);
            break;
        }
        if instance.end > second {
            nearer(instance.end);
            covers(&instance);
        }
    }
    Ok(())
}

/// Whether instances of a component can last any time at all: what begins and ends at once covers nothing, and is not walked.
fn lasts(part: &Part, default: Tz) -> bool {
    part.length(default).about() > 0 || part.rdates.iter().any(|date| matches!(date, Date::Period(..)))
}

fn engagement(series: &Series, instance: &Instance<'_>, engaged: Engaged, block: &Block, eye: &Eye) -> Engagement {
    let original = instance.recurrence_id().as_ref().map(Moment::text).unwrap_or_default();
    let public = block.value("CLASS").is_none_or(|class| class.eq_ignore_ascii_case("PUBLIC"));
    let title = Some(cut(&instance.part.summary)).filter(|title| public && !title.is_empty());
    let conference = conference(block).map(|property| property.value.trim().to_owned());
    Engagement {
        engaged,
        start: instance.start_at(),
        end: instance.end_at(),
        channel: channel_uuid(&series.uid, &original).to_string(),
        direction: if organizes(block, eye) { Direction::Outbound } else { Direction::Inbound },
        conference: conference.filter(|at| engaged == Engaged::OnCall && at.len() <= CONFERENCE_MAX),
        title: title.map(str::to_owned),
    }
}

fn cut(text: &str) -> &str {
    let ends = (0..=TITLE_MAX.min(text.len())).rev().find_map(|end| text.get(..end));
    ends.unwrap_or_default()
}

/// How an event engages its owner; `None` where it does not.
fn engaged(block: &Block, part: &Part, eye: &Eye) -> Option<Engaged> {
    const STATUS: &str = "X-MICROSOFT-CDO-BUSYSTATUS";
    if block.name != "VEVENT" || part.cancelled || block.is("TRANSP", "TRANSPARENT") || block.is(STATUS, "FREE") {
        return None;
    }
    let answer = answer(block, eye);
    if matches!(answer, Answer::Pending | Answer::No) {
        return None;
    }
    if is_of(block, &eye.focus) {
        return Some(Engaged::Focus);
    }
    let tentative = answer == Answer::Perhaps || block.is("STATUS", "TENTATIVE") || block.is(STATUS, "TENTATIVE");
    let absent = || part.start.as_ref().is_some_and(time::Time::is_date) && is_of(block, &eye.absence);
    if tentative || block.is(STATUS, "OOF") || absent() {
        return Some(Engaged::Away);
    }
    Some(if conference(block).is_some() { Engaged::OnCall } else { Engaged::Busy })
}

/// RFC 7986 5.11: a conference that is heard or seen. A chat or a feed engages nobody's line.
fn conference(block: &Block) -> Option<&Property> {
    block.properties("CONFERENCE").find(|property| {
        let features = property.params.iter().filter(|param| param.name == "FEATURE").flat_map(|param| &param.values);
        let mut words = features.flat_map(|values| values.split(','));
        words.any(|word| ["AUDIO", "VIDEO", "PHONE"].iter().any(|known| word.trim().eq_ignore_ascii_case(known)))
    })
}

fn is_of(block: &Block, wanted: &[String]) -> bool {
    let lists = block.properties("CATEGORIES").flat_map(|property| text::parts(&property.value));
    let mut names = lists.map(text::unescaped);
    names.any(|name| wanted.iter().any(|wanted| wanted.to_lowercase() == name.trim().to_lowercase()))
}

/// What the owner said to an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// Nobody asked, or it was accepted.
    Yes,
    Perhaps,
    No,
    Pending,
}

fn answer(block: &Block, eye: &Eye) -> Answer {
    // RFC 7986 6.2: EMAIL names the mail address where the value is some other address.
    let is_own = |attendee: &&Property| {
        is_user(&attendee.value, eye) || attendee.param("EMAIL").is_some_and(|mail| is_user(mail, eye))
    };
    let Some(attendee) = block.properties("ATTENDEE").find(is_own) else { return Answer::Yes };
    match attendee.param("PARTSTAT") {
        // RFC 5545 3.2.12: the default. Who organizes it and does not say comes nonetheless.
        None if organizes(block, eye) => Answer::Yes,
        None => Answer::Pending,
        Some(status) if status.eq_ignore_ascii_case("ACCEPTED") => Answer::Yes,
        Some(status) if status.eq_ignore_ascii_case("TENTATIVE") => Answer::Perhaps,
        Some(status) if status.eq_ignore_ascii_case("DECLINED") || status.eq_ignore_ascii_case("DELEGATED") => {
            Answer::No
        }
        Some(status) if status.eq_ignore_ascii_case("NEEDS-ACTION") => Answer::Pending,
        // RFC 5545 3.2.12: a value that is not known is one that needs action.
        Some(_) => Answer::Pending,
    }
}

fn asked(block: &Block, eye: &Eye) -> bool {
    answer(block, eye) == Answer::Pending && !block.is("STATUS", "CANCELLED")
}

fn organizes(block: &Block, eye: &Eye) -> bool {
    block.property("ORGANIZER").is_some_and(|organizer| is_user(&organizer.value, eye))
}

fn is_user(address: &str, eye: &Eye) -> bool {
    !eye.user_email.is_empty() && mail(address).eq_ignore_ascii_case(&eye.user_email)
}

/// RFC 7953: within its span, whoever is not within an AVAILABLE is as its BUSYTYPE says.
fn of_availability(
    object: &CalendarObject,
    block: &Block,
    now: DateTime<Utc>,
    default: Tz,
    budget: &mut Budget,
    standing: &mut Standing,
) -> Result<(), Exhausted> {
    let zones = object.zones();
    let read =
        |name: &str| block.property(name).map(|property| time::time(property, &property.value, zones)).transpose();
    let (Ok(first), Ok(last)) = (read("DTSTART"), read("DTEND")) else { return Ok(()) };
    let length = block.value("DURATION").and_then(Length::parse);
    let end = match (&first, &last, length) {
        (_, Some(last), _) => Some(last.instant(default)),
        (Some(first), None, Some(length)) => Some(length.after(first, default)),
        _ => None,
    };
    let start = first.as_ref().map(|first| first.instant(default));
    if start.is_some_and(|start| start > now) {
        standing.edge = standing.edge.into_iter().chain(start).min();
        return Ok(());
    }
    if end.is_some_and(|end| end <= now) {
        return Ok(());
    }
    let mut edge = end;
    let mut free = false;
    for series in &series::available(block, zones).0 {
        walk(series, now, default, |part| lasts(part, default), budget, &mut edge, |_| free = true)?;
    }
    standing.edge = standing.edge.into_iter().chain(edge).min();
    let priority = block.value("PRIORITY").and_then(|text| text.parse().ok()).filter(|priority| *priority <= 9);
    let found = Availability {
        priority: priority.unwrap_or(0),
        status: (!free).then(|| busy_type(block)),
        start: start.unwrap_or(DateTime::UNIX_EPOCH),
    };
    let stronger = match &standing.hold {
        Some(hold) => Hold::Availability(found.clone()).rank() < hold.rank(),
        None => true,
    };
    if stronger {
        standing.hold = Some(Hold::Availability(found));
    }
    Ok(())
}

/// RFC 7953 3.2: what is not known is the default.
fn busy_type(block: &Block) -> Status {
    if block.is("BUSYTYPE", "BUSY") {
        Status::Busy
    } else if block.is("BUSYTYPE", "BUSY-TENTATIVE") {
        Status::Away
    } else {
        Status::Offline
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ical::lines::Limits;

    fn read(body: &str) -> CalendarObject {
        let body = body.replace('|', "\r\n");
        let text = format!("BEGIN:VCALENDAR\r\n{body}\r\nEND:VCALENDAR\r\n");
        CalendarObject::read(text.as_bytes(), &Limits::default()).unwrap()
    }

    fn stand(body: &str, now: &str) -> Standing {
        let eye = Eye {
            user_email: "alice@example.org".to_owned(),
            focus: vec!["Focus".to_owned()],
            absence: vec!["Vacation".to_owned()],
        };
        standing(&read(body), now.parse().unwrap(), Tz::UTC, &eye, &mut Budget::default()).unwrap()
    }

    /// An event from nine to ten with more lines: how it engages at half past nine.
    #[test]
    fn events_engage() {
        let me = "ATTENDEE;PARTSTAT=";
        let rows = [
            ("SUMMARY:x", Some(Engaged::Busy)),
            ("STATUS:CONFIRMED", Some(Engaged::Busy)),
            ("TRANSP:OPAQUE", Some(Engaged::Busy)),
            ("TRANSP:TRANSPARENT", None),
            ("transp:transparent", None),
            ("STATUS:CANCELLED", None),
            ("STATUS:TENTATIVE", Some(Engaged::Away)),
            (&format!("{me}ACCEPTED:mailto:Alice@Example.org"), Some(Engaged::Busy)),
            (&format!("{me}DECLINED:mailto:alice@example.org"), None),
            (&format!("{me}NEEDS-ACTION:mailto:alice@example.org"), None),
            (&format!("{me}TENTATIVE:mailto:alice@example.org"), Some(Engaged::Away)),
            (&format!("{me}DECLINED:mailto:bob@example.org"), Some(Engaged::Busy)),
            (&format!("{me}DECLINED;EMAIL=alice@example.org:urn:x"), None),
            ("ATTENDEE:mailto:alice@example.org", None),
            ("ORGANIZER:mailto:alice@example.org|ATTENDEE:mailto:alice@example.org", Some(Engaged::Busy)),
            ("CONFERENCE;VALUE=URI;FEATURE=AUDIO,VIDEO:https://meet.example/1", Some(Engaged::OnCall)),
            ("CONFERENCE;VALUE=URI;FEATURE=\"VIDEO,CHAT\":https://meet.example/1", Some(Engaged::OnCall)),
            ("CONFERENCE;VALUE=URI;FEATURE=CHAT:xmpp:room", Some(Engaged::Busy)),
            ("CONFERENCE;VALUE=URI:https://meet.example/1", Some(Engaged::Busy)),
            ("STATUS:TENTATIVE|CONFERENCE;FEATURE=VIDEO:https://meet.example/1", Some(Engaged::Away)),
            ("X-MICROSOFT-CDO-BUSYSTATUS:OOF", Some(Engaged::Away)),
            ("X-MICROSOFT-CDO-BUSYSTATUS:FREE", None),
            ("CATEGORIES:Work,focus", Some(Engaged::Focus)),
            // An absence lasts whole days.
            ("CATEGORIES:Vacation", Some(Engaged::Busy)),
        ];
        for (lines, want) in rows {
            let body = format!("BEGIN:VEVENT|UID:1|DTSTART:20250115T090000Z|DTEND:20250115T100000Z|{lines}|END:VEVENT");
            let found = stand(&body, "2025-01-15T09:30:00Z");
            let engaged = match &found.hold {
                Some(Hold::Event(engagement)) => Some(engagement.engaged),
                None => None,
                other => panic!("{lines}: {other:?}"),
            };
            assert_eq!(engaged, want, "{lines}");
            assert_eq!(found.edge.is_some(), want.is_some(), "{lines}");
        }
    }

    /// What an object says at an instant: until when it holds, if it does, and its next edge.
    #[test]
    fn edges_come_at_starts_and_ends() {
        let daily = "BEGIN:VEVENT|UID:1|DTSTART:20250115T090000Z|DTEND:20250115T100000Z|RRULE:FREQ=DAILY;COUNT=3|EXDATE:20250116T090000Z|END:VEVENT";
        let moved = "BEGIN:VEVENT|UID:1|DTSTART:20250115T090000Z|DTEND:20250115T100000Z|RRULE:FREQ=DAILY|END:VEVENT|\
            BEGIN:VEVENT|UID:1|RECURRENCE-ID:20250116T090000Z|DTSTART:20250116T120000Z|DTEND:20250116T130000Z|END:VEVENT|\
            BEGIN:VEVENT|UID:1|RECURRENCE-ID:20250117T090000Z|DTSTART:20250117T090000Z|DTEND:20250117T100000Z|TRANSP:TRANSPARENT|END:VEVENT";
        let day = "BEGIN:VEVENT|UID:1|DTSTART;VALUE=DATE:20250115|CATEGORIES:Vacation|END:VEVENT";
        let instantly = "BEGIN:VEVENT|UID:1|DTSTART:20250115T090000Z|RRULE:FREQ=SECONDLY|END:VEVENT";
        let task = "BEGIN:VTODO|UID:1|DTSTART:20250115T090000Z|DUE:20250115T100000Z|END:VTODO";
        let rows = [
            (daily, "15T08:59:59Z", false, Some("15T09:00:00Z")),
            (daily, "15T09:00:00Z", true, Some("15T10:00:00Z")),
            (daily, "15T10:00:00Z", false, Some("17T09:00:00Z")),
            (daily, "15T09:00:00.500Z", true, Some("15T10:00:00Z")),
            (daily, "17T10:00:00Z", false, None),
            (moved, "16T09:30:00Z", false, Some("16T12:00:00Z")),
            (moved, "16T12:30:00Z", true, Some("16T13:00:00Z")),
            (moved, "16T13:00:00Z", false, Some("18T09:00:00Z")),
            (day, "15T12:00:00Z", true, Some("16T00:00:00Z")),
            (day, "16T00:00:00Z", false, None),
            (instantly, "15T09:30:00Z", false, None),
            (task, "15T09:30:00Z", false, None),
        ];
        for (body, now, holds, edge) in rows {
            let found = stand(body, &format!("2025-01-{now}"));
            let edge = edge.map(|edge| format!("2025-01-{edge}").parse::<DateTime<Utc>>().unwrap());
            assert_eq!((found.hold.is_some(), found.edge), (holds, edge), "{body} at {now}");
        }
    }

    #[test]
    fn a_back_to_back_series_has_an_edge_each_hour() {
        let body = "BEGIN:VEVENT|UID:1|DTSTART:20250115T000000Z|DURATION:PT1H|RRULE:FREQ=HOURLY|END:VEVENT";
        let found = stand(body, "2025-01-20T10:00:00Z");
        assert_eq!(found.edge, "2025-01-20T11:00:00Z".parse().ok());
        assert_eq!(found.hold.map(|hold| hold.start()), "2025-01-20T10:00:00Z".parse().ok());
    }

    #[test]
    fn titles_are_public_or_absent() {
        let title = |class: &str| {
            let body =
                format!("BEGIN:VEVENT|UID:1|DTSTART:20250115T090000Z|DURATION:PT1H|SUMMARY:Plans|{class}END:VEVENT");
            match stand(&body, "2025-01-15T09:30:00Z").hold {
                Some(Hold::Event(engagement)) => engagement.title,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(title("").as_deref(), Some("Plans"));
        assert_eq!(title("CLASS:PUBLIC|").as_deref(), Some("Plans"));
        for class in ["CLASS:PRIVATE|", "CLASS:CONFIDENTIAL|", "CLASS:X-SECRET|"] {
            assert_eq!(title(class), None, "{class}");
        }
    }

    #[test]
    fn invitations_wait_until_they_are_over() {
        let body =
            "BEGIN:VEVENT|UID:1|DTSTART:20250115T090000Z|DURATION:PT1H|ATTENDEE:mailto:alice@example.org|END:VEVENT";
        let until = "2025-01-15T10:00:00Z".parse().ok();
        assert_eq!(stand(body, "2025-01-15T08:00:00Z").invited, Some(Invited { until }));
        assert_eq!(stand(body, "2025-01-15T10:00:00Z").invited, None);
    }

    /// Office hours from nine to five on weekdays, within January 2025.
    #[test]
    fn availabilities_hold_outside_of_their_hours() {
        let hours = |more: &str| {
            format!(
                "BEGIN:VAVAILABILITY|UID:1|DTSTART:20250101T000000Z|DTEND:20250201T000000Z|{more}BEGIN:AVAILABLE|UID:2|\
                 DTSTART:20250101T090000Z|DTEND:20250101T170000Z|RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR|END:AVAILABLE|END:VAVAILABILITY"
            )
        };
        let rows = [
            ("", "2025-01-15T12:00:00Z", Some((0, None)), Some("2025-01-15T17:00:00Z")),
            ("", "2025-01-15T17:00:00Z", Some((0, Some(Status::Offline))), Some("2025-01-16T09:00:00Z")),
            ("BUSYTYPE:BUSY|", "2025-01-18T12:00:00Z", Some((0, Some(Status::Busy))), Some("2025-01-20T09:00:00Z")),
            (
                "BUSYTYPE:BUSY-TENTATIVE|PRIORITY:1|",
                "2025-01-18T12:00:00Z",
                Some((1, Some(Status::Away))),
                Some("2025-01-20T09:00:00Z"),
            ),
            ("", "2024-12-31T12:00:00Z", None, Some("2025-01-01T00:00:00Z")),
            ("", "2025-01-31T18:00:00Z", Some((0, Some(Status::Offline))), Some("2025-02-01T00:00:00Z")),
            ("", "2025-02-01T00:00:00Z", None, None),
        ];
        for (more, now, want, edge) in rows {
            let found = stand(&hours(more), now);
            let held = match found.hold {
                Some(Hold::Availability(availability)) => Some((availability.priority, availability.status)),
                None => None,
                other => panic!("{other:?}"),
            };
            assert_eq!((held, found.edge), (want, edge.map(|edge| edge.parse().unwrap())), "{more} at {now}");
        }
        let closed =
            stand("BEGIN:VAVAILABILITY|UID:1|DTSTAMP:20250101T000000Z|END:VAVAILABILITY", "2025-01-15T12:00:00Z");
        assert!(closed.hold.is_some() && closed.edge.is_none(), "a closed door needs no edge");
    }
}
