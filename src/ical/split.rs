//! A whole file to the objects that go into a collection, and what of it does not. Knows no collection.

use std::collections::HashMap;
use std::ops::Range;

use sha2::{Digest, Sha256};

use crate::domain::import::Failure;
use crate::domain::object::Component;
use crate::domain::refusal::Fault;
use crate::ical::block::Block;
use crate::ical::lines::Limits;
use crate::ical::recur::series;
use crate::ical::scan::{self, Found};
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
    let mut file = File::default();
    scan::calendars(bytes, limits, |found| match found {
        Found::Opened => file.wrappers.push(Wrapper::default()),
        Found::Property(property) => {
            if let Some(wrapper) = file.wrappers.last_mut()
                && matches!(property.name.as_str(), "VERSION" | "PRODID" | "CALSCALE")
            {
                wrapper.lines.push(property.span);
            }
        }
        Found::Component(block) => file.component(&block),
        Found::Failed(failure) => file.failures.push(failure),
    })?;
    Ok(file.split(bytes, limits))
}

/// Splits a file of cards. UIDs are kept; a card without one gets one made of its content.
pub fn cards(bytes: &[u8], limits: &Limits) -> Result<Split, Fault> {
    let mut split = Split::default();
    let mut places: HashMap<String, (usize, String)> = HashMap::new();
    scan::cards(bytes, limits, |found| {
        let block = match found {
            Found::Component(block) => block,
            Found::Failed(failure) => return split.failures.push(failure),
            Found::Opened | Found::Property(_) => return,
        };
        let given = series::uid(&block);
        let uid = given.clone().unwrap_or_else(|| content_uid(&block));
        let raw = bytes.get(block.span.clone()).unwrap_or_default();
        let mut card = Vec::with_capacity(raw.len() + 50);
        match (&given, block.property("VERSION")) {
            // vCard 4.0 wants VERSION first, so the UID comes behind it.
            (None, Some(version)) => {
                let at = version.span.end.saturating_sub(block.span.start).min(raw.len());
                let (head, tail) = raw.split_at(at);
                card.extend_from_slice(head);
                card.extend_from_slice(format!("UID:{uid}\r\n").as_bytes());
                card.extend_from_slice(tail);
            }
            (None, None) => card = with_uid(raw, &uid),
            (Some(_), _) => card.extend_from_slice(raw),
        }
        write::end_line(&mut card);
        if card.len() > limits.object_bytes {
            let why = format!("larger than {} bytes", limits.object_bytes);
            return split.failures.push(Failure { line: block.line, uid: Some(uid), why });
        }
        let revision = block.value("REV").unwrap_or_default().to_owned();
        let item = Item { line: block.line, uid: uid.clone(), component: Component::Card, bytes: card };
        match places.get_mut(&uid) {
            Some((place, other)) => {
                if revision >= *other
                    && let Some(slot) = split.items.get_mut(*place)
                {
                    *slot = item;
                    *other = revision;
                }
            }
            None => {
                places.insert(uid, (split.items.len(), revision));
                split.items.push(item);
            }
        }
    })?;
    Ok(split)
}

#[derive(Default)]
struct File {
    wrappers: Vec<Wrapper>,
    pieces: Vec<Piece>,
    failures: Vec<Failure>,
}

/// What one VCALENDAR of the file gives to its objects.
#[derive(Default)]
struct Wrapper {
    /// The lines that are carried over.
    lines: Vec<Range<usize>>,
    zones: HashMap<String, Range<usize>>,
}

/// One component, small enough that a file of a hundred thousand costs little.
struct Piece {
    wrapper: usize,
    line: u64,
    kind: Component,
    uid: String,
    /// Whether the UID must be added to the bytes.
    anonymous: bool,
    /// RECURRENCE-ID as written; empty for the master.
    instance: String,
    version: (i64, String),
    zones: Vec<String>,
    /// Itself and what stands in it.
    components: usize,
    span: Range<usize>,
}

impl File {
    fn component(&mut self, block: &Block) {
        let Some(wrapper) = self.wrappers.len().checked_sub(1) else { return };
        if block.name == "VTIMEZONE" {
            if let (Some(tzid), Some(wrapper)) = (block.value("TZID"), self.wrappers.last_mut()) {
                wrapper.zones.insert(tzid.to_owned(), block.span.clone());
            }
            return;
        }
        let given = series::uid(block);
        let kind = Component::from_name(&block.name).filter(|kind| *kind != Component::Card);
        let why = match kind {
            None => Some(format!("a calendar object cannot hold a {}", block.name)),
            Some(Component::Event) if block.value("DTSTART").is_none() => Some("a VEVENT without DTSTART".to_owned()),
            Some(_) => None,
        };
        let (Some(kind), None) = (kind, &why) else {
            let why = why.unwrap_or_default();
            return self.failures.push(Failure { line: block.line, uid: given, why });
        };
        let mut zones: Vec<String> = Vec::new();
        for tzid in block.all_properties().filter_map(|property| property.param("TZID")) {
            if !zones.iter().any(|known| known == tzid) {
                zones.push(tzid.to_owned());
            }
        }
        self.pieces.push(Piece {
            wrapper,
            line: block.line,
            kind,
            anonymous: given.is_none(),
            uid: given.unwrap_or_else(|| content_uid(block)),
            instance: block
                .property("RECURRENCE-ID")
                .map(|property| format!("{};{}", property.value.trim(), property.param("TZID").unwrap_or_default()))
                .unwrap_or_default(),
            version: (
                block.value("SEQUENCE").and_then(|text| text.parse().ok()).unwrap_or(0),
                block.value("DTSTAMP").unwrap_or_default().to_owned(),
            ),
            zones,
            components: 1 + block.blocks.len(),
            span: block.span.clone(),
        });
    }

    fn split(mut self, bytes: &[u8], limits: &Limits) -> Split {
        let mut order: Vec<Vec<Piece>> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut instances: HashMap<(usize, String), usize> = HashMap::new();
        for piece in std::mem::take(&mut self.pieces) {
            let place = *places.entry(piece.uid.clone()).or_insert_with(|| {
                order.push(Vec::new());
                order.len() - 1
            });
            let Some(group) = order.get_mut(place) else { continue };
            if let Some(first) = group.first()
                && first.kind != piece.kind
            {
                let why = format!("a {} with the UID of a {}", piece.kind.as_str(), first.kind.as_str());
                self.failures.push(Failure { line: piece.line, uid: Some(piece.uid), why });
                continue;
            }
            match instances.get(&(place, piece.instance.clone())).and_then(|index| group.get_mut(*index)) {
                Some(other) if other.version <= piece.version => *other = piece,
                Some(_) => {}
                None => {
                    instances.insert((place, piece.instance.clone()), group.len());
                    group.push(piece);
                }
            }
        }
        let mut items = Vec::with_capacity(order.len());
        for group in &order {
            match self.item(group, bytes, limits) {
                Ok(Some(item)) => items.push(item),
                Ok(None) => {}
                Err(failure) => self.failures.push(failure),
            }
        }
        self.failures.sort_by_key(|failure| failure.line);
        Split { items, failures: self.failures }
    }

    fn item(&self, group: &[Piece], bytes: &[u8], limits: &Limits) -> Result<Option<Item>, Failure> {
        let Some(first) = group.first() else { return Ok(None) };
        let failed = |why| Failure { line: first.line, uid: Some(first.uid.clone()), why };
        if group.iter().map(|piece| piece.components).sum::<usize>() >= limits.components {
            return Err(failed(format!("more than {} components", limits.components)));
        }
        let raw = |span: &Range<usize>| bytes.get(span.clone()).unwrap_or_default();
        let mut out = b"BEGIN:VCALENDAR\r\n".to_vec();
        let lines = self.wrappers.get(first.wrapper).map(|wrapper| wrapper.lines.as_slice()).unwrap_or_default();
        let mut head = Vec::new();
        for span in lines {
            write::with_crlf(raw(span), &mut head);
        }
        write::wrapper_lines(&head, &mut out);
        let mut written: Vec<&str> = Vec::new();
        for piece in group {
            for tzid in &piece.zones {
                if written.contains(&tzid.as_str()) {
                    continue;
                }
                written.push(tzid);
                let own = self.wrappers.get(piece.wrapper).and_then(|wrapper| wrapper.zones.get(tzid));
                // Some programs define a zone in the first calendar of a file only.
                if let Some(span) = own.or_else(|| self.wrappers.iter().find_map(|wrapper| wrapper.zones.get(tzid))) {
                    out.extend_from_slice(raw(span));
                    write::end_line(&mut out);
                }
            }
        }
        for piece in group {
            match piece.anonymous {
                true => out.extend(with_uid(raw(&piece.span), &piece.uid)),
                false => out.extend_from_slice(raw(&piece.span)),
            }
            write::end_line(&mut out);
        }
        out.extend_from_slice(b"END:VCALENDAR\r\n");
        if out.len() > limits.object_bytes {
            return Err(failed(format!("larger than {} bytes", limits.object_bytes)));
        }
        Ok(Some(Item { line: first.line, uid: first.uid.clone(), component: first.kind, bytes: out }))
    }
}

/// A component with a UID line behind its BEGIN line.
fn with_uid(raw: &[u8], uid: &str) -> Vec<u8> {
    let begin = memchr::memchr(b'\n', raw).map_or(raw.len(), |at| at + 1);
    let (head, tail) = raw.split_at(begin);
    let mut out = Vec::with_capacity(raw.len() + uid.len() + 6);
    out.extend_from_slice(head);
    out.extend_from_slice(format!("UID:{uid}\r\n").as_bytes());
    out.extend_from_slice(tail);
    out
}

/// The same for the same content, whenever it was exported: what only says when does not count.
fn content_uid(block: &Block) -> String {
    let mut hash = Sha256::new();
    for property in block.all_properties() {
        if matches!(property.name.as_str(), "DTSTAMP" | "CREATED" | "LAST-MODIFIED" | "REV" | "PRODID") {
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
        let named = nameless.replace("SUMMARY", &format!("UID:{}\r\nSUMMARY", split.items[1].uid));
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
