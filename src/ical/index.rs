//! The first look at a file: where its components lie and which of them are one object. Holds some 64 bytes a component, whatever the file's size,
//! and none of its text.

use std::collections::HashMap;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use sha2::{Digest, Sha256};

use crate::domain::import::{FAILURES_LISTED, Failure, Media};
use crate::domain::object::Component;
use crate::domain::refusal::Fault;
use crate::ical::block::Block;
use crate::ical::lines::{Limits, Property};
use crate::ical::object;
use crate::ical::recur::series;
use crate::ical::scan::{self, Found};
use crate::ical::stream::Stream;

/// Lines of one VCALENDAR before its first component that are looked at, in bytes.
const HEAD_MAX: u64 = 65_536;
/// How much of a file is read at a time.
const READ_BYTES: usize = 65_536;

/// Why a file cannot be taken in at all.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    #[error("{0}")]
    Fault(Fault),
    /// The disk, not the file.
    #[error("{0}")]
    Disk(#[from] io::Error),
}

/// What a file holds, object by object, in the order in which each begins.
#[derive(Debug, Default)]
pub struct Index {
    pub(crate) pieces: Vec<Piece>,
    /// Pieces by number, those of one object side by side.
    pub(crate) order: Vec<u32>,
    /// Where in `order` each object begins and ends.
    pub(crate) objects: Vec<(u32, u32)>,
    pub(crate) heads: Vec<(u64, u32)>,
    /// Sorted by TZID, then by the calendar that defines it.
    pub(crate) zones: Vec<Zone>,
    /// The first thousand components that no object can be made of.
    pub failures: Vec<Failure>,
    /// How many there are.
    pub failed: u64,
    /// The file has its end. One that was cut off may miss objects.
    pub whole: bool,
}

/// One component.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub offset: u64,
    pub line: u64,
    uid: [u8; 16],
    /// Of RECURRENCE-ID; nothing for the master.
    instance: u64,
    version: (i32, u64),
    pub length: u32,
    pub wrapper: u32,
    /// Itself and what stands in it.
    pub components: u16,
    pub kind: Component,
}

/// Where one VCALENDAR defines a zone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Zone {
    pub tzid: u64,
    pub wrapper: u32,
    pub length: u32,
    pub offset: u64,
}

impl Index {
    /// Reads through a file once. Refuses one that holds nothing of its kind, and one with more components than the limits allow.
    pub fn read(mut from: impl Read + Seek, media: Media, limits: &Limits) -> Result<Index, Unreadable> {
        let mut index = Index::default();
        from.rewind()?;
        let mut lines = Stream::new(BufReader::with_capacity(READ_BYTES, &mut from), limits);
        let whole = match media {
            Media::Calendar => scan::calendars_in(&mut lines, limits, |found| index.take_calendar(found)),
            Media::Card => scan::cards_in(&mut lines, limits, |found| index.take_card(found)),
        };
        if let Some(error) = lines.failure() {
            return Err(error.into());
        }
        drop(lines);
        index.whole = whole.map_err(Unreadable::Fault)?;
        index.zones.sort_unstable();
        index.group(&mut from, limits)?;
        index.failures.sort_by_key(|failure| failure.line);
        Ok(index)
    }

    /// How many objects can be made of it.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    fn fail(&mut self, failure: Failure) {
        if self.failures.len() < FAILURES_LISTED {
            self.failures.push(failure);
        }
        self.failed += 1;
    }

    fn take_calendar(&mut self, found: Found) {
        match found {
            Found::Opened => self.heads.push((0, 0)),
            Found::Property(property) => self.head(&property),
            Found::Component(block) => self.component(&block),
            Found::Failed(failure) => self.fail(failure),
        }
    }

    fn take_card(&mut self, found: Found) {
        match found {
            Found::Component(card) => {
                let version = (0, stamp(card.value("REV")));
                self.piece(&card, Component::Card, 0, version);
            }
            Found::Failed(failure) => self.fail(failure),
            Found::Opened | Found::Property(_) => {}
        }
    }

    /// What one VCALENDAR says of itself is looked up again when an object is made of it.
    fn head(&mut self, property: &Property) {
        let Some(head) = self.heads.last_mut() else { return };
        if !is_carried(property) {
            return;
        }
        let (start, end) = (property.span.start as u64, property.span.end as u64);
        if head.1 == 0 {
            head.0 = start;
        }
        if end - head.0 <= HEAD_MAX {
            head.1 = (end - head.0) as u32;
        }
    }

    fn component(&mut self, block: &Block) {
        let Some(wrapper) = self.heads.len().checked_sub(1) else { return };
        if block.name == "VTIMEZONE" {
            if let Some(tzid) = block.value("TZID") {
                let (offset, length) = (block.span.start as u64, block.span.len() as u32);
                self.zones.push(Zone { tzid: hash(tzid), wrapper: wrapper as u32, length, offset });
            }
            return;
        }
        let kind = Component::from_name(&block.name).filter(|kind| *kind != Component::Card);
        let why = match kind {
            None => Some(format!("a calendar object cannot hold a {}", block.name)),
            Some(Component::Event) if block.value("DTSTART").is_none() => Some("a VEVENT without DTSTART".to_owned()),
            Some(_) => None,
        };
        let (Some(kind), None) = (kind, &why) else {
            let why = why.unwrap_or_default();
            return self.fail(Failure { line: block.line, uid: series::uid(block), why });
        };
        let instance = block.property("RECURRENCE-ID").map_or(0, |property| {
            hash(&format!("{};{}", property.value.trim(), property.param("TZID").unwrap_or_default()))
        });
        let sequence = block.value("SEQUENCE").and_then(|text| text.parse::<i64>().ok()).unwrap_or(0);
        let sequence = sequence.clamp(i32::MIN.into(), i32::MAX.into()) as i32;
        self.piece(block, kind, instance, (sequence, stamp(block.value("DTSTAMP"))));
    }

    fn piece(&mut self, block: &Block, kind: Component, instance: u64, version: (i32, u64)) {
        let uid = series::uid(block).unwrap_or_else(|| content_uid(block));
        self.pieces.push(Piece {
            offset: block.span.start as u64,
            line: block.line,
            uid: digest(uid.as_bytes()),
            instance,
            version,
            // Components larger than an object may be were broken off.
            length: block.span.len() as u32,
            wrapper: self.heads.len().saturating_sub(1) as u32,
            components: (1 + block.blocks.len()).min(usize::from(u16::MAX)) as u16,
            kind,
        });
    }

    /// Puts together what has one UID. Of two versions of one instance the later counts.
    fn group(&mut self, from: &mut (impl Read + Seek), limits: &Limits) -> Result<(), Unreadable> {
        let pieces = std::mem::take(&mut self.pieces);
        let mut sorted: Vec<u32> = (0..pieces.len() as u32).collect();
        let of = |number: &u32| pieces.get(*number as usize);
        sorted.sort_by_key(|number| of(number).map(|piece| piece.uid));
        let mut groups: Vec<(u32, u32, u32)> = Vec::new();
        let mut order: Vec<u32> = Vec::with_capacity(sorted.len());
        for run in sorted.chunk_by(|one, other| of(one).map(|piece| piece.uid) == of(other).map(|piece| piece.uid)) {
            let Some((first, kind)) = run.first().and_then(|number| Some((*number, of(number)?.kind))) else {
                continue;
            };
            let begins = order.len();
            let mut instances: HashMap<u64, usize> = HashMap::new();
            for number in run {
                let Some(piece) = of(number) else { continue };
                if piece.kind != kind {
                    let why = format!("a {} with the UID of a {}", piece.kind.as_str(), kind.as_str());
                    let uid = match self.failures.len() < FAILURES_LISTED {
                        true => block_at(from, piece, limits)?.and_then(|(_, block)| series::uid(&block)),
                        false => None,
                    };
                    self.fail(Failure { line: piece.line, uid, why });
                    continue;
                }
                match instances.get(&piece.instance).and_then(|place| order.get_mut(*place)) {
                    Some(other) if of(other).is_none_or(|other| other.version <= piece.version) => *other = *number,
                    Some(_) => {}
                    None => {
                        instances.insert(piece.instance, order.len());
                        order.push(*number);
                    }
                }
            }
            groups.push((first, begins as u32, order.len() as u32));
        }
        groups.sort_unstable();
        self.objects = groups.into_iter().map(|(_, begins, ends)| (begins, ends)).collect();
        self.pieces = pieces;
        self.order = order;
        Ok(())
    }
}

/// The lines of a VCALENDAR that go with each of its objects.
pub(crate) fn is_carried(property: &Property) -> bool {
    matches!(property.name.as_str(), "VERSION" | "PRODID" | "CALSCALE")
}

/// So many bytes of a file.
pub(crate) fn bytes_at(from: &mut (impl Read + Seek), offset: u64, length: u32) -> io::Result<Vec<u8>> {
    from.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::with_capacity(length as usize);
    from.take(length.into()).read_to_end(&mut bytes)?;
    match bytes.len() == length as usize {
        true => Ok(bytes),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// A component and its text, read again.
pub(crate) fn block_at(
    from: &mut (impl Read + Seek),
    piece: &Piece,
    limits: &Limits,
) -> io::Result<Option<(Vec<u8>, Block)>> {
    let bytes = bytes_at(from, piece.offset, piece.length)?;
    let block = object::only(&bytes, piece.kind.as_str(), limits);
    Ok(block.ok().map(|block| (bytes, block)))
}

fn digest(bytes: &[u8]) -> [u8; 16] {
    let mut short = [0; 16];
    for (byte, hashed) in short.iter_mut().zip(Sha256::digest(bytes)) {
        *byte = hashed;
    }
    short
}

/// Never nothing, which stands for no text at all.
pub(crate) fn hash(text: &str) -> u64 {
    let mut short = [0; 8];
    for (byte, hashed) in short.iter_mut().zip(Sha256::digest(text.as_bytes())) {
        *byte = hashed;
    }
    u64::from_be_bytes(short).max(1)
}

/// A date and time as a number that sorts like it, however it is punctuated.
fn stamp(text: Option<&str>) -> u64 {
    let digits = text.unwrap_or_default().bytes().filter(u8::is_ascii_digit);
    let (count, number) =
        digits.take(14).fold((0, 0), |(count, number), digit| (count + 1, number * 10 + u64::from(digit - b'0')));
    number * 10u64.pow(14 - count)
}

/// The same for the same content, whenever it was exported: what only says when does not count, and neither does the UID.
pub(crate) fn content_uid(block: &Block) -> String {
    let mut hash = Sha256::new();
    for property in block.all_properties() {
        if matches!(property.name.as_str(), "UID" | "DTSTAMP" | "CREATED" | "LAST-MODIFIED" | "REV" | "PRODID") {
            continue;
        }
        let params = property.params.iter().flat_map(|param| std::iter::once(&param.name).chain(&param.values));
        for text in std::iter::once(&property.name).chain(params).chain(std::iter::once(&property.value)) {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text.as_bytes());
        }
    }
    let mut bytes = [0; 16];
    for (byte, hashed) in bytes.iter_mut().zip(hash.finalize()) {
        *byte = hashed;
    }
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_costs_no_more_than_a_hundred_bytes() {
        let each = size_of::<Piece>() + size_of::<u32>() + size_of::<(u32, u32)>() + size_of::<(u64, u32)>();
        assert!(each <= 100, "{each}");
    }

    #[test]
    fn stamps_sort_however_they_are_written() {
        let rows =
            [None, Some(""), Some("2025"), Some("20250115T090000Z"), Some("2025-01-15T09:00:01Z"), Some("x2026")];
        assert!(rows.map(stamp).is_sorted());
        assert_eq!(stamp(Some("20250115")), stamp(Some("2025-01-15T00:00:00Z")));
    }
}
