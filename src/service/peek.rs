//! A look at the beginning of what was fetched, before anything is made of it. Holds no more than that.

use std::io::Read;

use flate2::read::GzDecoder;

use crate::domain::address::Kind;
use crate::service::fetching::HEAD_MAX;

/// The beginning of a feed, unpacked where it is packed with gzip. What cannot be unpacked is as short as it is.
pub fn beginning(head: &[u8]) -> Vec<u8> {
    if !head.starts_with(&[0x1F, 0x8B]) {
        return head.to_vec();
    }
    let mut plain = Vec::new();
    // A head ends anywhere, which is an error to the decoder and none to us.
    let _ = GzDecoder::new(head).take(HEAD_MAX as u64).read_to_end(&mut plain);
    plain
}

/// Whether it begins as a calendar does, or as cards do, or what it is instead. An archive, and other encodings, are for the import to read.
pub fn check(head: &[u8], kind: Kind) -> Result<(), String> {
    let packed = head.starts_with(b"PK") || head.starts_with(&[0xFF, 0xFE]) || head.starts_with(&[0xFE, 0xFF]);
    let text = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head).trim_ascii_start();
    let wanted: &[u8] = match kind {
        Kind::Calendar => b"BEGIN:VCALENDAR",
        Kind::AddressBook => b"BEGIN:VCARD",
    };
    let begins = |what: &[u8]| text.get(..what.len()).is_some_and(|start| start.eq_ignore_ascii_case(what));
    match () {
        () if packed || begins(wanted) => Ok(()),
        () if text.is_empty() => Err("it is empty".to_owned()),
        () if text.starts_with(b"<") => Err("it is a web page, or XML, and no calendar".to_owned()),
        () if begins(b"BEGIN:VCARD") || begins(b"BEGIN:VCALENDAR") => {
            Err(format!("it is of another kind than {}", kind.root()))
        }
        () => Err(format!("it does not begin with {}", String::from_utf8_lossy(wanted))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_calendar_is_told_by_its_beginning() {
        let rows: [(&[u8], Kind, Option<&str>); 10] = [
            (b"BEGIN:VCALENDAR\r\n", Kind::Calendar, None),
            (b"\xEF\xBB\xBF\n begin:vcalendar\n", Kind::Calendar, None),
            (b"BEGIN:VCARD\n", Kind::AddressBook, None),
            (b"PK\x03\x04", Kind::Calendar, None),
            (b"\xFF\xFEB\0E\0", Kind::Calendar, None),
            (b"", Kind::Calendar, Some("empty")),
            (b"\n \n", Kind::Calendar, Some("empty")),
            (b"<!DOCTYPE html>", Kind::Calendar, Some("web page")),
            (b"BEGIN:VCARD\n", Kind::Calendar, Some("another kind")),
            (b"BEGIN:VCAL", Kind::Calendar, Some("does not begin")),
        ];
        for (head, kind, want) in rows {
            let found = check(head, kind);
            match want {
                None => assert_eq!(found, Ok(()), "{head:?}"),
                Some(word) => assert!(found.as_ref().is_err_and(|why| why.contains(word)), "{head:?}: {found:?}"),
            }
        }
        assert!(beginning(&[0x1F, 0x8B, 1, 2]).is_empty());
    }
}
