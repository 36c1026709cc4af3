//! Scheduling messages as texts: what lies in an inbox. RFC 5546 3.2. Decides nothing.

use chrono::{DateTime, Utc};

use crate::domain::refusal::Fault;
use crate::ical::block::Block;
use crate::ical::edit::Edit;
use crate::ical::itip::party::Party;
use crate::ical::lines::Property;
use crate::ical::object::CalendarObject;
use crate::ical::write::PRODID;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Request,
    Reply,
    Cancel,
    Counter,
    DeclineCounter,
    Add,
}

impl Method {
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Request => "REQUEST",
            Method::Reply => "REPLY",
            Method::Cancel => "CANCEL",
            Method::Counter => "COUNTER",
            Method::DeclineCounter => "DECLINECOUNTER",
            Method::Add => "ADD",
        }
    }

    pub fn parse(text: &str) -> Option<Method> {
        let all =
            [Method::Request, Method::Reply, Method::Cancel, Method::Counter, Method::DeclineCounter, Method::Add];
        all.into_iter().find(|method| method.as_str().eq_ignore_ascii_case(text.trim()))
    }
}

/// A whole object as a message. A METHOD that stood there goes.
pub fn of_object(text: &[u8], object: &CalendarObject, method: Method) -> Vec<u8> {
    let mut edit = Edit::of(text);
    let line = edit.line(&format!("METHOD:{}", method.as_str()));
    let first = object.root().properties.first().map(|property| property.span.start);
    let at = first.or_else(|| object.root().blocks.first().map(|block| block.span.start)).unwrap_or_default();
    for property in object.root().properties("METHOD") {
        edit.replace(property.span.clone(), Vec::new());
    }
    for alarm in object.components().flat_map(|block| block.blocks("VALARM")) {
        edit.replace(alarm.span.clone(), Vec::new());
    }
    edit.insert(at, line);
    edit.done()
}

/// A message as an object that may be kept: without its METHOD.
pub fn without_method(text: &[u8], object: &CalendarObject) -> Vec<u8> {
    let mut edit = Edit::of(text);
    for property in object.root().properties("METHOD") {
        edit.replace(property.span.clone(), Vec::new());
    }
    edit.done()
}

/// A cancellation of single instances of what somebody has.
pub fn of_instances(
    text: &[u8],
    object: &CalendarObject,
    gone: &[Property],
    who: &Party,
    now: DateTime<Utc>,
) -> Vec<u8> {
    let master = object.components().find(|block| block.property("RECURRENCE-ID").is_none());
    let Some(master) = master.or_else(|| object.components().next()) else { return Vec::new() };
    let mut out = Text::begin(text, object, Method::Cancel);
    for id in gone {
        out.open(master, now);
        out.keep(master, |name| matches!(name, "ORGANIZER" | "SUMMARY" | "SEQUENCE"));
        out.attendee(master, who);
        out.line(&super::party::with(id, &[("RANGE", None)]));
        out.line(&super::party::with(&Property { name: "DTSTART".to_owned(), ..id.clone() }, &[("RANGE", None)]));
        out.line("STATUS:CANCELLED");
        out.close(master);
    }
    out.end()
}

/// What somebody answers, from their own text; to all of it DECLINED where they threw it away.
pub fn of_answer(text: &[u8], object: &CalendarObject, who: &Party, thrown_away: bool, now: DateTime<Utc>) -> Vec<u8> {
    let mut out = Text::begin(text, object, Method::Reply);
    for block in object.components() {
        let Some(mine) = super::attendee(block, who) else { continue };
        out.open(block, now);
        out.keep(block, |name| {
            matches!(
                name,
                "ORGANIZER" | "SUMMARY" | "SEQUENCE" | "DTSTART" | "DTEND" | "DURATION" | "RECURRENCE-ID" | "COMMENT"
            )
        });
        match thrown_away {
            true => out.line(&super::party::with(mine, &[("PARTSTAT", Some("DECLINED"))])),
            false => out.attendee(block, who),
        }
        out.line("REQUEST-STATUS:2.0;Success");
        out.close(block);
    }
    out.end()
}

/// What every component of a message needs, whatever its method; RFC 5546 3.2.
pub fn check(object: &CalendarObject) -> Result<Method, Fault> {
    let method = object.method().and_then(Method::parse);
    let method = method.ok_or_else(|| {
        Fault::whole("no METHOD that is known here: REQUEST, REPLY, CANCEL, COUNTER, DECLINECOUNTER or ADD")
    })?;
    if object.uid().is_none() {
        return Err(Fault::whole("a scheduling message without UID"));
    }
    match object.components().find(|block| block.value("ORGANIZER").is_none()) {
        Some(block) => Err(Fault::at(block.line, "a scheduling message without ORGANIZER")),
        None => Ok(method),
    }
}

/// A message while it is written.
struct Text<'t> {
    from: Edit<'t>,
    out: Vec<u8>,
}

impl<'t> Text<'t> {
    fn begin(text: &'t [u8], object: &CalendarObject, method: Method) -> Text<'t> {
        let from = Edit::of(text);
        let mut out = Vec::new();
        for line in
            ["BEGIN:VCALENDAR", "VERSION:2.0", &format!("PRODID:{PRODID}"), &format!("METHOD:{}", method.as_str())]
        {
            out.extend(from.line(line));
        }
        for zone in object.timezones() {
            out.extend_from_slice(from.raw(&zone.span));
        }
        Text { from, out }
    }

    fn line(&mut self, line: &str) {
        self.out.extend(self.from.line(line));
    }

    fn open(&mut self, block: &Block, now: DateTime<Utc>) {
        self.line(&format!("BEGIN:{}", block.name));
        self.keep(block, |name| name == "UID");
        self.line(&format!("DTSTAMP:{}", now.format("%Y%m%dT%H%M%SZ")));
    }

    fn keep(&mut self, block: &Block, which: impl Fn(&str) -> bool) {
        for property in block.properties.iter().filter(|property| which(&property.name)) {
            self.out.extend_from_slice(self.from.raw(&property.span));
        }
    }

    fn attendee(&mut self, block: &Block, who: &Party) {
        if let Some(property) = super::attendee(block, who) {
            self.out.extend_from_slice(self.from.raw(&property.span));
        }
    }

    fn close(&mut self, block: &Block) {
        self.line(&format!("END:{}", block.name));
    }

    fn end(mut self) -> Vec<u8> {
        self.line("END:VCALENDAR");
        self.out
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::ical::itip::samples::{PEOPLE, event, party, read, text};

    #[test]
    fn messages_are_whole() {
        let series = text(&event(&format!("DTSTART:20250106T090000Z\nRRULE:FREQ=WEEKLY\nSUMMARY:Round\n{PEOPLE}")));
        let object = read(&series);
        let now = "2025-01-01T00:00:00Z".parse().unwrap();
        let id = Property {
            name: "RECURRENCE-ID".to_owned(),
            value: "20250113T090000Z".to_owned(),
            ..object.components().next().unwrap().property("DTSTART").unwrap().clone()
        };
        let bob = party("bob");
        let all = [
            (of_object(series.as_bytes(), &object, Method::Request), Method::Request, 3),
            (of_instances(series.as_bytes(), &object, &[id], &bob, now), Method::Cancel, 1),
            (of_answer(series.as_bytes(), &object, &bob, true, now), Method::Reply, 1),
        ];
        for (text, method, attendees) in all {
            let text = String::from_utf8(text).unwrap();
            let read = read(&text);
            assert_eq!(check(&read), Ok(method), "{text}");
            assert_eq!(read.components().flat_map(|block| block.properties("ATTENDEE")).count(), attendees, "{text}");
            assert_eq!(without_method(text.as_bytes(), &read).windows(7).filter(|part| *part == b"METHOD:").count(), 0);
        }
    }
}
