//! Lines put into a text and taken out of it, every other byte as it was. Knows no property.

use std::ops::Range;

use crate::ical::text;

/// What is to change in a text. Places are offsets in the text as it was, and stand where a line begins.
pub struct Edit<'t> {
    text: &'t [u8],
    ending: &'static str,
    changes: Vec<(Range<usize>, Vec<u8>)>,
}

impl<'t> Edit<'t> {
    /// Begins with nothing changed. New lines end as the first line of the text does.
    pub fn of(text: &'t [u8]) -> Edit<'t> {
        let first = text.iter().position(|byte| *byte == b'\n');
        let carriage = first.is_none_or(|at| at > 0 && text.get(at - 1) == Some(&b'\r'));
        Edit { text, ending: if carriage { "\r\n" } else { "\n" }, changes: Vec::new() }
    }

    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// A content line as it stands in this text: folded, with its ending.
    pub fn line(&self, line: &str) -> Vec<u8> {
        text::folded(line).replace("\r\n", self.ending).into_bytes()
    }

    /// Bytes of the text as it was.
    pub fn raw(&self, span: &Range<usize>) -> &'t [u8] {
        self.text.get(span.clone()).unwrap_or_default()
    }

    /// Puts bytes in at a place; what is put in there first stands first.
    pub fn insert(&mut self, at: usize, bytes: Vec<u8>) {
        self.changes.push((at..at, bytes));
    }

    /// Takes bytes out, and others in.
    pub fn replace(&mut self, span: Range<usize>, bytes: Vec<u8>) {
        self.changes.push((span, bytes));
    }

    /// The text with its changes. Of two that overlap the first in the text counts.
    pub fn done(mut self) -> Vec<u8> {
        // What is put in before a place stands before what takes its place.
        self.changes.sort_by_key(|(span, _)| (span.start, span.end));
        let mut out =
            Vec::with_capacity(self.text.len() + self.changes.iter().map(|(_, new)| new.len()).sum::<usize>());
        let mut at = 0;
        for (span, new) in &self.changes {
            if span.start < at {
                continue;
            }
            out.extend_from_slice(self.raw(&(at..span.start)));
            out.extend_from_slice(new);
            at = span.end;
        }
        out.extend_from_slice(self.raw(&(at..self.text.len())));
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_changed_changes() {
        let text = b"A:1\nB:2\r\nC:3\n";
        let mut edit = Edit::of(text);
        edit.replace(4..9, Vec::new());
        edit.insert(9, edit.line("D:4"));
        edit.insert(9, edit.line("E:5"));
        edit.insert(0, edit.line("F:6"));
        // Within what is gone already.
        edit.insert(6, edit.line("G:7"));
        assert_eq!(String::from_utf8(edit.done()).as_deref(), Ok("F:6\nA:1\nD:4\nE:5\nC:3\n"));
        assert_eq!(Edit::of(text).done(), text);
    }

    #[test]
    fn new_lines_end_as_the_first_one_does() {
        let long = format!("X:{}", "é".repeat(60));
        for (text, ending) in [("A:1\r\nB:2\n", "\r\n"), ("A:1\nB:2\r\n", "\n"), ("A:1", "\r\n")] {
            let line = String::from_utf8(Edit::of(text.as_bytes()).line(&long)).expect("UTF-8");
            assert!(line.ends_with(ending) && line.split(ending).all(|part| part.len() <= 75), "{line:?}");
            assert_eq!(line.replace(&format!("{ending} "), ""), format!("{long}{ending}"));
        }
    }
}
