//! A file to the objects that go into a collection: the second look, one object at a time. Knows no collection.

use std::io::{self, Cursor, Read, Seek};

use crate::domain::import::{Failure, Media};
use crate::domain::object::Component;
use crate::domain::refusal::Fault;
use crate::ical::block::Block;
use crate::ical::index::{self, Index, Unreadable};
use crate::ical::lines::{Limits, Lines};
use crate::ical::recur::series;
use crate::ical::write;

/// What a file holds: objects ready to be stored, and failures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    pub items: Vec<Item>,
    pub failures: Vec<Failure>,
}

/// One object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Where its first component begins in the file.
    pub line: u64,
    pub uid: String,
    pub component: Component,
    pub bytes: Vec<u8>,
    /// What the RFC requires was missing and was added: UID, DTSTAMP, PRODID.
    pub repaired: bool,
    /// The same for the same content under another UID; nothing for a series with overrides.
    pub content: Option<String>,
}

/// Splits a calendar file: one object for each UID, overrides with their master, and the zones that they name.
///
/// Component bytes stay as they are; METHOD goes. A component without UID gets one made of its content, so that the
/// same file imported again makes the same object. Of two versions of one instance the later counts.
///
/// ```
/// use campanile::ical::{lines::Limits, split};
/// let file = b"BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:20250115T090000Z\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:2\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
/// let split = split::calendar(file, &Limits::default()).unwrap();
/// assert_eq!((split.items.len(), split.items[0].uid.as_str()), (1, "1"));
/// assert_eq!((split.failures[0].line, split.failures[0].why.as_str()), (7, "a VEVENT without DTSTART"));
/// ```
pub fn calendar(bytes: &[u8], limits: &Limits) -> Result<Split, Fault> {
    whole(bytes, Media::Calendar, limits)
}

/// Splits a file of cards. UIDs are kept; a card without one gets one made of its content.
pub fn cards(bytes: &[u8], limits: &Limits) -> Result<Split, Fault> {
    whole(bytes, Media::Card, limits)
}

fn whole(bytes: &[u8], media: Media, limits: &Limits) -> Result<Split, Fault> {
    let disk = |error: io::Error| Fault::whole(error.to_string());
    let mut from = Cursor::new(bytes);
    let mut index = Index::read(&mut from, media, limits).map_err(|why| match why {
        Unreadable::Fault(fault) => fault,
        Unreadable::Disk(error) => disk(error),
    })?;
    let mut split = Split { items: Vec::with_capacity(index.len()), failures: std::mem::take(&mut index.failures) };
    for number in 0..index.len() {
        match item(&index, number, &mut from, limits).map_err(disk)? {
            Ok(item) => split.items.push(item),
            Err(failure) => split.failures.push(failure),
        }
    }
    split.failures.sort_by_key(|failure| failure.line);
    Ok(split)
}

/// Makes one object of the file that the index was made of.
pub fn item(
    index: &Index,
    number: usize,
    from: &mut (impl Read + Seek),
    limits: &Limits,
) -> io::Result<Result<Item, Failure>> {
    let (begins, ends) = index.objects.get(number).copied().unwrap_or_default();
    let numbers = index.order.get(begins as usize..ends as usize).unwrap_or_default();
    let pieces = || numbers.iter().filter_map(|number| index.pieces.get(*number as usize));
    let Some(first) = pieces().next() else { return Err(io::ErrorKind::InvalidInput.into()) };
    let gone = || io::Error::other("the file is not the one that was looked at");
    let (mut raw, mut block) = index::block_at(from, first, limits)?.ok_or_else(gone)?;
    let given = series::uid(&block);
    let uid = given.clone().unwrap_or_else(|| index::content_uid(&block));
    let failed = |why| Ok(Err(Failure { line: first.line, uid: Some(uid.clone()), why }));
    let too_large = format!("larger than {} bytes", limits.object_bytes);
    if pieces().map(|piece| usize::from(piece.components)).sum::<usize>() >= limits.components {
        return failed(format!("more than {} components", limits.components));
    }
    if pieces().map(|piece| piece.length as usize).sum::<usize>() > limits.object_bytes {
        return failed(too_large);
    }
    let (line, component) = (first.line, first.kind);
    let content = (numbers.len() == 1).then(|| index::content_uid(&block));
    if component == Component::Card {
        let bytes = card(&raw, &block, &uid);
        if bytes.len() > limits.object_bytes {
            return failed(too_large);
        }
        return Ok(Ok(Item { line, uid, component, bytes, repaired: given.is_none(), content }));
    }
    let mut out = b"BEGIN:VCALENDAR\r\n".to_vec();
    let mut repaired = !wrapper(index, first.wrapper, from, limits, &mut out)?;
    let mut tail = Vec::new();
    let mut written: Vec<u64> = Vec::new();
    for (place, piece) in pieces().enumerate() {
        if place > 0 {
            (raw, block) = index::block_at(from, piece, limits)?.ok_or_else(gone)?;
        }
        for tzid in block.all_properties().filter_map(|property| property.param("TZID")).map(index::hash) {
            if written.contains(&tzid) {
                continue;
            }
            written.push(tzid);
            if let Some(zone) = zone(index, tzid, piece.wrapper) {
                if out.len() + zone.length as usize > limits.object_bytes {
                    return failed(too_large);
                }
                out.extend(index::bytes_at(from, zone.offset, zone.length)?);
                write::end_line(&mut out);
            }
        }
        let missing = missing(&block, &uid);
        repaired |= !missing.is_empty();
        tail.extend(with_lines(&raw, &missing));
        write::end_line(&mut tail);
    }
    out.append(&mut tail);
    out.extend_from_slice(b"END:VCALENDAR\r\n");
    if out.len() > limits.object_bytes {
        return failed(too_large);
    }
    Ok(Ok(Item { line, uid, component, bytes: out, repaired, content }))
}

/// The lines of the VCALENDAR itself. False where who wrote it was not said.
fn wrapper(
    index: &Index,
    number: u32,
    from: &mut (impl Read + Seek),
    limits: &Limits,
    out: &mut Vec<u8>,
) -> io::Result<bool> {
    let (offset, length) = index.heads.get(number as usize).copied().unwrap_or_default();
    let head = index::bytes_at(from, offset, length)?;
    let (mut carried, mut signed) = (Vec::new(), false);
    for line in Lines::new(&head, limits).filter_map(Result::ok).filter(index::is_carried) {
        signed |= line.name == "PRODID";
        write::with_crlf(head.get(line.span).unwrap_or_default(), &mut carried);
    }
    write::wrapper_lines(&carried, out);
    Ok(signed)
}

/// Some programs define a zone in the first calendar of a file only.
fn zone(index: &Index, tzid: u64, wrapper: u32) -> Option<&index::Zone> {
    let from = index.zones.partition_point(|zone| zone.tzid < tzid);
    let named = index.zones.get(from..)?;
    let named = named.get(..named.partition_point(|zone| zone.tzid == tzid))?;
    let own = named.partition_point(|zone| zone.wrapper <= wrapper);
    // Of two of one calendar the later counts, as they come in the order of the file.
    let last = own.checked_sub(1).and_then(|at| named.get(at)).filter(|zone| zone.wrapper == wrapper);
    last.or_else(|| named.first())
}

/// The lines that RFC 5545 3.6 requires and the component lacks. Its DTSTAMP is one that the same file always gives.
fn missing(block: &Block, uid: &str) -> String {
    let mut lines = String::new();
    if series::uid(block).is_none() {
        lines.push_str(&format!("UID:{uid}\r\n"));
    }
    if block.value("DTSTAMP").is_none() {
        let utc = |text: &&str| text.len() == 16 && text.ends_with('Z') && text.as_bytes().get(8) == Some(&b'T');
        let known = ["LAST-MODIFIED", "CREATED"].iter().find_map(|name| block.value(name).filter(utc));
        lines.push_str(&format!("DTSTAMP:{}\r\n", known.unwrap_or("19700101T000000Z")));
    }
    lines
}

fn card(raw: &[u8], block: &Block, uid: &str) -> Vec<u8> {
    let mut out = match (series::uid(block), block.property("VERSION")) {
        (Some(_), _) => raw.to_vec(),
        (None, None) => with_lines(raw, &format!("UID:{uid}\r\n")),
        // vCard 4.0 wants VERSION first, so the UID comes behind it.
        (None, Some(version)) => {
            let (head, tail) = raw.split_at(version.span.end.min(raw.len()));
            [head, format!("UID:{uid}\r\n").as_bytes(), tail].concat()
        }
    };
    write::end_line(&mut out);
    out
}

/// A component with some lines behind its BEGIN line.
fn with_lines(raw: &[u8], lines: &str) -> Vec<u8> {
    let begin = memchr::memchr(b'\n', raw).map_or(raw.len(), |at| at + 1);
    let (head, tail) = raw.split_at(begin);
    [head, lines.as_bytes(), tail].concat()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn components_stay_as_they_were_sent() {
        let zone = "BEGIN:VTIMEZONE\nTZID:Here\nBEGIN:STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0100\nEND:STANDARD\nEND:VTIMEZONE\n";
        let event = "BEGIN:vevent\nx-odd;A=\"b:c\":d\\,e\nUID:1\nDTSTART;TZID=Here:20250115T0\n 90000\nEND:VEVENT\n";
        let nameless = "BEGIN:VTODO\r\nSUMMARY:x\r\nEND:VTODO\r\n";
        let file = format!(
            "BEGIN:VCALENDAR\nMETHOD:REQUEST\nX-WR-CALNAME:Mine\nPRODID:-//A very\n  long name//EN\nCALSCALE:GREGORIAN\n{zone}{event}{nameless}END:VCALENDAR\n"
        );
        let split = calendar(file.as_bytes(), &Limits::default()).unwrap();
        assert_eq!(split.failures, []);
        let texts: Vec<&str> = split.items.iter().map(|item| std::str::from_utf8(&item.bytes).unwrap()).collect();
        let head = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//A very\r\n  long name//EN\r\nCALSCALE:GREGORIAN\r\n";
        let named =
            nameless.replace("SUMMARY", &format!("UID:{}\r\nDTSTAMP:19700101T000000Z\r\nSUMMARY", split.items[1].uid));
        let event = event.replace("x-odd", "DTSTAMP:19700101T000000Z\r\nx-odd");
        assert_eq!(
            texts,
            [format!("{head}{zone}{event}END:VCALENDAR\r\n"), format!("{head}{named}END:VCALENDAR\r\n"),]
        );
        // Imported again it makes the same objects, and so it does after an export.
        assert_eq!(calendar(file.as_bytes(), &Limits::default()).unwrap(), split);
        let bodies: Vec<&[u8]> =
            split.items.iter().map(|item| item.bytes.as_slice()).chain([texts[0].as_bytes()]).collect();
        let export = String::from_utf8(write::collection("All, of it", &bodies)).unwrap();
        assert_eq!(
            export,
            format!(
                "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:{}\r\nX-WR-CALNAME:All\\, of it\r\n{zone}{event}{named}{event}END:VCALENDAR\r\n",
                write::PRODID
            )
        );
    }
}
