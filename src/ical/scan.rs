//! A whole file to its outermost components, going on behind what is broken. Knows no UID rules and builds nothing.

use crate::domain::import::Failure;
use crate::domain::object::Component;
use crate::domain::refusal::Fault;
use crate::ical::block::{Block, Builder};
use crate::ical::lines::{Limits, Lines, Property};
use crate::ical::recur::series;
use crate::ical::stream::Source;
use crate::ical::vcard;

/// What a file holds, in its order.
#[derive(Debug)]
pub enum Found {
    /// BEGIN:VCALENDAR.
    Opened,
    /// A property of the VCALENDAR itself.
    Property(Property),
    /// A component right below VCALENDAR, or a VCARD.
    Component(Block),
    /// One that cannot be read.
    Failed(Failure),
}

/// Components that stand right below VCALENDAR and nowhere else: where one begins, whatever is open has no end.
const OUTERMOST: [&str; 7] = ["VCALENDAR", "VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VTIMEZONE", "VAVAILABILITY"];

/// Reads a text of calendars. Refuses one without any, and one with more components than the limits allow.
pub fn calendars(bytes: &[u8], limits: &Limits, take: impl FnMut(Found)) -> Result<bool, Fault> {
    calendars_in(Lines::new(bytes, limits), limits, take)
}

/// Reads a file of calendars, likewise. Says whether it has its end: false where it was cut off.
pub fn calendars_in(lines: impl Source, limits: &Limits, take: impl FnMut(Found)) -> Result<bool, Fault> {
    // The VCALENDAR around a component counts for the depth.
    let within = Limits { depth: limits.depth.saturating_sub(1), ..limits.clone() };
    Scan::new(lines, true, within, take).run()
}

/// Reads a file of cards, likewise.
pub fn cards_in(lines: impl Source, limits: &Limits, take: impl FnMut(Found)) -> Result<bool, Fault> {
    Scan::new(lines, false, limits.clone(), take).run()
}

struct Scan<S, F> {
    lines: S,
    /// Whether components stand in a VCALENDAR; cards stand bare.
    wrapped: bool,
    limits: Limits,
    take: F,
    /// Whether a VCALENDAR is open.
    within: bool,
    builder: Builder,
    /// The component that is skipped up to its end.
    broken: Option<Broken>,
    begun: usize,
    calendars: usize,
    seen: bool,
}

struct Broken {
    name: String,
    failure: Failure,
}

impl<S: Source, F: FnMut(Found)> Scan<S, F> {
    fn new(lines: S, wrapped: bool, limits: Limits, take: F) -> Scan<S, F> {
        let builder = Builder::default();
        Scan { lines, wrapped, limits, take, within: false, builder, broken: None, begun: 0, calendars: 0, seen: false }
    }

    fn run(mut self) -> Result<bool, Fault> {
        while let Some(line) = self.lines.next() {
            match line {
                // A broken line of the VCALENDAR itself belongs to no component, and none is lost with it.
                Err(broken) if !self.open() && self.within => drop(broken),
                Err(broken) if !self.open() => self.stray(broken.fault)?,
                Err(broken) => self.break_off(broken.fault),
                Ok(line) => self.line(line)?,
            }
        }
        let whole = !self.open() && !self.within;
        self.cut("the file ends");
        self.stray(Fault::at(1, "")).map(|()| whole)
    }

    /// Whether a component is being read or skipped.
    fn open(&self) -> bool {
        !self.builder.is_empty() || self.broken.is_some()
    }

    fn line(&mut self, line: Property) -> Result<(), Fault> {
        let (begins, ends) = (line.name == "BEGIN", line.name == "END");
        let named = if begins || ends { line.value.trim().to_ascii_uppercase() } else { String::new() };
        if self.open() {
            let next = if self.wrapped { OUTERMOST.contains(&named.as_str()) } else { named == "VCARD" };
            if begins && next {
                self.cut(&format!("another {named} begins"));
            } else if ends && self.wrapped && named == "VCALENDAR" {
                self.cut("the VCALENDAR ends");
            }
        }
        if let Some(broken) = &mut self.broken {
            if line.name == "UID" && broken.failure.uid.is_none() {
                broken.failure.uid = Some(line.value);
            } else if ends && named == broken.name {
                self.flush();
            }
            return Ok(());
        }
        if self.builder.is_empty() && self.wrapped && named == "VCALENDAR" {
            self.within = begins;
            if begins {
                self.seen = true;
                self.calendars += 1;
                if self.calendars > self.limits.items {
                    let why = format!("more than {} calendars in a file", self.limits.items);
                    return Err(Fault::at(line.line, why));
                }
                (self.take)(Found::Opened);
            }
            return Ok(());
        }
        if self.builder.is_empty() && !begins {
            if self.within && !ends {
                (self.take)(Found::Property(line));
                return Ok(());
            }
            return self.stray(Fault::at(line.line, format!("{} outside of a component", line.name)));
        }
        if self.builder.is_empty() {
            if self.wrapped && !self.within || !self.wrapped && named != "VCARD" {
                return self.foreign(line.line, named);
            }
            self.seen = true;
            self.begun += 1;
            if self.begun > self.limits.items {
                return Err(Fault::at(line.line, format!("more than {} components in a file", self.limits.items)));
            }
        }
        self.take_line(line);
        Ok(())
    }

    fn take_line(&mut self, line: Property) {
        let soft = vcard::soft_break(&line);
        if let Some(open) = self.builder.outermost()
            && line.span.end - open.span.start > self.limits.object_bytes
        {
            // Read on, it would be held whole.
            let why = format!("larger than {} bytes", self.limits.object_bytes);
            let fault = Fault::at(open.line, why);
            self.break_off(fault);
            return;
        }
        match self.builder.take(line, &self.limits) {
            Ok(Some(block)) => (self.take)(Found::Component(block)),
            Ok(None) if soft => {
                let joined = match self.builder.last_mut() {
                    Some(property) => vcard::join_soft_breaks(property, &mut self.lines, &self.limits),
                    None => Ok(()),
                };
                if let Err(fault) = joined {
                    self.break_off(fault);
                }
            }
            Ok(None) => {}
            Err(fault) => self.break_off(fault),
        }
    }

    /// What stands outside of everything: a file that begins so is none of ours; later it is skipped, as mail
    /// programs append their lines.
    fn stray(&mut self, fault: Fault) -> Result<(), Fault> {
        let missing = if self.wrapped { "BEGIN:VCALENDAR is missing" } else { "BEGIN:VCARD is missing" };
        if self.seen { Ok(()) } else { Err(Fault { why: missing.to_owned(), ..fault }) }
    }

    /// A component at a place where none of its kind can be taken. One that could be an item elsewhere is not lost without a word.
    fn foreign(&mut self, line: u64, name: String) -> Result<(), Fault> {
        let place = if self.wrapped { "outside of a calendar" } else { "among cards" };
        let fault = Fault::at(line, format!("a {name} {place}"));
        if self.seen && Component::from_name(&name).is_some() {
            self.broken = Some(Broken { name, failure: Failure { line, uid: None, why: fault.why } });
            return Ok(());
        }
        self.stray(fault)
    }

    /// Gives up the component that is open, and skips to its end.
    fn break_off(&mut self, fault: Fault) {
        let Some(open) = self.builder.outermost() else { return };
        let uid = series::uid(open);
        let name = open.name.clone();
        let line = fault.line.unwrap_or(open.line);
        self.builder.clear();
        self.broken = Some(Broken { name, failure: Failure { line, uid, why: fault.why } });
    }

    /// Gives up the component that is open because something else follows.
    fn cut(&mut self, what: &str) {
        if let Some(open) = self.builder.outermost() {
            let fault = Fault::at(open.line, format!("{what} within this {}", open.name));
            self.break_off(fault);
        }
        self.flush();
    }

    fn flush(&mut self) {
        if let Some(broken) = self.broken.take() {
            (self.take)(Found::Failed(broken.failure));
        }
    }
}
