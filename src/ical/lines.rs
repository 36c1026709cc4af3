//! Bytes to content lines: unfolding, names, parameters, raw spans, line numbers, and the limits. Knows no component and no value.

use std::borrow::Cow;
use std::ops::Range;

use crate::domain::refusal::Fault;

/// What a text may cost. Every bound is answered with a fault that names the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one object.
    pub object_bytes: usize,
    /// Bytes of one content line after unfolding. Photos in cards are the longest that are honest.
    pub line_bytes: usize,
    /// Components within components, the outermost included.
    pub depth: usize,
    /// Components of one object, the outermost and alarms included.
    pub components: usize,
    /// Properties of one component.
    pub properties: usize,
    /// Parameters of one property.
    pub params: usize,
    /// EXDATE and RDATE values of one component, taken together.
    pub dates: usize,
    /// VALARMs of one component.
    pub alarms: usize,
    /// Components or cards of one file that is split. Beyond it the file as a whole is refused.
    pub items: usize,
}

/// No configuration lifts the depth above this.
pub const DEPTH_MAX: usize = 32;

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            object_bytes: 1024 * 1024,
            line_bytes: 1024 * 1024,
            depth: 8,
            components: 1000,
            properties: 5000,
            params: 64,
            dates: 4000,
            alarms: 100,
            items: 200_000,
        }
    }
}

/// The byte order mark, as UTF-8 spells it.
const MARK: &[u8] = b"\xEF\xBB\xBF";

/// One parameter. RFC 5545 3.2, with the escapes of RFC 6868 undone and the quotes gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Param {
    /// Upper case.
    pub name: String,
    /// Empty for the bare words of vCard 2.1 (`TEL;HOME:`).
    pub values: Vec<String>,
}

/// One property as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// Upper case, without the group that vCard allows before it.
    pub name: String,
    pub params: Vec<Param>,
    /// Unfolded, otherwise as written: text escapes stand.
    pub value: String,
    /// The first line it stands on, counted from 1.
    pub line: u64,
    /// Where it lies in the input, its line ending included.
    pub span: Range<usize>,
}

impl Property {
    /// The first value of a parameter; the name is given in upper case.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|param| param.name == name)?.values.first().map(String::as_str)
    }
}

/// A line that cannot be read, and where it ends, so that a reader of whole files can go on behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    pub fault: Fault,
    pub span: Range<usize>,
}

/// The content lines of a text, one after the other. Goes on after a broken line.
///
/// ```
/// use campanile::ical::lines::{Limits, Lines};
/// let mut lines = Lines::new(b"SUMMARY;LANGUAGE=en:Long\r\n er\r\n", &Limits::default());
/// let line = lines.next().unwrap().unwrap();
/// assert_eq!((line.name.as_str(), line.value.as_str(), line.param("LANGUAGE")), ("SUMMARY", "Longer", Some("en")));
/// ```
pub struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u64,
    line_bytes: usize,
    params: usize,
}

impl<'a> Lines<'a> {
    pub fn new(bytes: &'a [u8], limits: &Limits) -> Lines<'a> {
        Lines { bytes, at: 0, line: 1, line_bytes: limits.line_bytes, params: limits.params }
    }

    /// The line that is read next.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// Where that line begins in the input.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// One physical line without its ending, and where the next begins.
    fn physical(&self, from: usize) -> (Range<usize>, usize) {
        let rest = self.bytes.get(from..).unwrap_or_default();
        match memchr::memchr(b'\n', rest) {
            Some(length) => {
                let carriage = length > 0 && rest.get(length - 1) == Some(&b'\r');
                (from..from + length - usize::from(carriage), from + length + 1)
            }
            None => (from..self.bytes.len(), self.bytes.len()),
        }
    }

    /// The next physical line, unfolded with nothing: what vCard 2.1 needs for its soft line breaks.
    pub fn continuation(&mut self) -> Option<&'a [u8]> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let (content, next) = self.physical(self.at);
        self.at = next;
        self.line += 1;
        self.bytes.get(content)
    }
}

impl Iterator for Lines<'_> {
    type Item = Result<Property, Broken>;

    fn next(&mut self) -> Option<Self::Item> {
        // Blank lines mean nothing; exports and mail gateways leave them.
        let (first, line, start) = loop {
            if self.at >= self.bytes.len() {
                return None;
            }
            let line = self.line;
            let (mut content, next) = self.physical(self.at);
            self.at = next;
            self.line += 1;
            // Outlook and Windows editors write a byte order mark; RFC 5545 3.1.4 knows UTF-8 only, so it says nothing. Where such files
            // were put together, it stands in the middle.
            if self.bytes.get(content.clone()).unwrap_or_default().starts_with(MARK) {
                content.start += MARK.len();
            }
            if !self.bytes.get(content.clone()).unwrap_or_default().trim_ascii().is_empty() {
                let start = content.start;
                break (content, line, start);
            }
        };
        let mut unfolded = Cow::Borrowed(self.bytes.get(first).unwrap_or_default());
        let mut too_long = unfolded.len() > self.line_bytes;
        // Where each physical line begins in the unfolded one: only faults ask.
        let mut folds: Vec<usize> = Vec::new();
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\t')) {
            let (content, next) = self.physical(self.at);
            let more = self.bytes.get(content.start + 1..content.end).unwrap_or_default();
            too_long |= unfolded.len() + more.len() > self.line_bytes;
            if !too_long {
                folds.push(unfolded.len());
                unfolded.to_mut().extend_from_slice(more);
            }
            self.at = next;
            self.line += 1;
        }
        let span = start..self.at;
        let physical = |at: usize| line + folds.iter().filter(|fold| **fold <= at).count() as u64;
        if too_long {
            let why = format!("a line is longer than {} bytes", self.line_bytes);
            return Some(Err(Broken { fault: Fault::at(line, why), span }));
        }
        let text = match std::str::from_utf8(&unfolded) {
            Ok(text) => text,
            Err(error) => {
                let at = physical(error.valid_up_to());
                return Some(Err(Broken { fault: Fault::at(at, "not UTF-8"), span }));
            }
        };
        if let Some(at) = control(&unfolded) {
            let why = format!("control character 0x{:02X}", unfolded.get(at).copied().unwrap_or_default());
            return Some(Err(Broken { fault: Fault::at(physical(at), why), span }));
        }
        Some(match property(text, self.params) {
            Ok((name, params, value)) => Ok(Property { name, params, value: value.to_owned(), line, span }),
            Err(why) => Err(Broken { fault: Fault::at(line, why), span }),
        })
    }
}

/// Where a control character stands. Mostly none does: looking at all of a line without a branch costs less than stopping at one.
fn control(bytes: &[u8]) -> Option<usize> {
    let bad = |byte: &u8| (*byte < 0x20 && *byte != b'\t') || *byte == 0x7F;
    let any = bytes.iter().fold(false, |any, byte| any | bad(byte));
    if any { bytes.iter().position(bad) } else { None }
}

/// `name *(";" param) ":" value`.
fn property(text: &str, params_max: usize) -> Result<(String, Vec<Param>, &str), String> {
    let Some(name_end) = text.bytes().position(|byte| byte == b':' || byte == b';') else {
        return Err(format!("a line without a colon: {}", excerpt(text)));
    };
    let (name, mut rest) = text.split_at(name_end);
    // vCard 3.3: `item1.TEL` puts a property into a group. No calendar property has a dot in its name.
    let name = name.rsplit('.').next().unwrap_or(name).trim();
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_') {
        return Err(format!("no property name: {}", excerpt(text)));
    }
    let mut params = Vec::new();
    while let Some(after) = rest.strip_prefix(';') {
        if params.len() == params_max {
            return Err(format!("more than {params_max} parameters"));
        }
        let ends = |byte| matches!(byte, b';' | b':');
        // A quote that is never closed quotes nothing: address books with such names do exist.
        let end = unquoted(after, ends).or_else(|| after.bytes().position(ends));
        let Some(end) = end else {
            return Err(format!("a line without a colon: {}", excerpt(text)));
        };
        let (written, tail) = after.split_at(end);
        params.push(param(written));
        rest = tail;
    }
    let value = rest.strip_prefix(':').ok_or_else(|| format!("a line without a colon: {}", excerpt(text)))?;
    Ok((name.to_ascii_uppercase(), params, value))
}

fn param(written: &str) -> Param {
    let Some((name, mut rest)) = written.split_once('=') else {
        return Param { name: written.trim().to_ascii_uppercase(), values: Vec::new() };
    };
    let mut values = Vec::new();
    loop {
        let end = unquoted(rest, |byte| byte == b',').unwrap_or(rest.len());
        let (value, tail) = rest.split_at(end);
        let bare = value.trim().strip_prefix('"').map_or(value, |inner| inner.strip_suffix('"').unwrap_or(inner));
        values.push(carets_undone(bare));
        match tail.strip_prefix(',') {
            Some(tail) => rest = tail,
            None => break,
        }
    }
    Param { name: name.trim().to_ascii_uppercase(), values }
}

/// Where the first byte that ends something stands outside of quotes.
fn unquoted(text: &str, ends: impl Fn(u8) -> bool) -> Option<usize> {
    let mut quoted = false;
    text.bytes().position(|byte| {
        quoted ^= byte == b'"';
        !quoted && ends(byte)
    })
}

/// RFC 6868: `^n` is a line break, `^'` a quote, `^^` a caret; any other caret stands for itself.
fn carets_undone(text: &str) -> String {
    if !text.contains('^') {
        return text.to_owned();
    }
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let meant = match (c, chars.peek()) {
            ('^', Some('n')) => '\n',
            ('^', Some('\'')) => '"',
            ('^', Some('^')) => '^',
            _ => {
                plain.push(c);
                continue;
            }
        };
        chars.next();
        plain.push(meant);
    }
    plain
}

/// The beginning of a line, short enough for an error text.
fn excerpt(text: &str) -> String {
    let start: String = text.chars().take(40).collect();
    format!("{start:?}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Name, value and line; or line and why not.
    type Row = Result<(String, String, u64), (u64, String)>;

    fn read(text: &[u8]) -> Vec<Row> {
        Lines::new(text, &Limits { line_bytes: 60, params: 3, ..Limits::default() })
            .map(|line| match line {
                Ok(line) => Ok((line.name, line.value, line.line)),
                Err(broken) => Err((broken.fault.line.unwrap(), broken.fault.why)),
            })
            .collect()
    }

    fn good(name: &str, value: &str, line: u64) -> Row {
        Ok((name.into(), value.into(), line))
    }

    fn bad(line: u64, why: &str) -> Row {
        Err((line, why.into()))
    }

    #[test]
    fn lines_are_unfolded_and_numbered() {
        let table: Vec<(&[u8], Vec<_>)> = vec![
            (b"A:1\r\nB:2\r\n", vec![good("A", "1", 1), good("B", "2", 2)]),
            (b"a:1\nb:2", vec![good("A", "1", 1), good("B", "2", 2)]),
            (b"\xEF\xBB\xBFA:1\r\n", vec![good("A", "1", 1)]),
            (b"A:1\r\n 2\r\n\t3\r\nB:x\r\n", vec![good("A", "123", 1), good("B", "x", 4)]),
            // The fold stands between the two bytes of an e acute.
            (b"A:caf\xC3\r\n \xA9\r\n", vec![good("A", "caf\u{e9}", 1)]),
            (b"A:1\r\n\r\nB:2\r\n", vec![good("A", "1", 1), good("B", "2", 3)]),
            (b"item1.EMAIL:x", vec![good("EMAIL", "x", 1)]),
            (
                b"A:ok\r\nnonsense\r\nB:2",
                vec![good("A", "ok", 1), bad(2, "a line without a colon: \"nonsense\""), good("B", "2", 3)],
            ),
            (b"A:1\r\n \xFF\r\nB:2", vec![bad(2, "not UTF-8"), good("B", "2", 3)]),
            (b"A:1\r\n\x00\r\n", vec![good("A", "1", 1), bad(2, "control character 0x00")]),
            (b"A:1\rB:2\r\n", vec![bad(1, "control character 0x0D")]),
            (b"A;B=1;C=2;D=3;E=4:x", vec![bad(1, "more than 3 parameters")]),
            (b":x", vec![bad(1, "no property name: \":x\"")]),
            (
                b"A:0123456789012345678901234567890\r\n 0123456789012345678901234567890\r\nB:1",
                vec![bad(1, "a line is longer than 60 bytes"), good("B", "1", 3)],
            ),
        ];
        for (text, expected) in table {
            assert_eq!(read(text), expected, "{:?}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn parameters_keep_what_was_quoted() {
        let text = b"ATTENDEE;CN=\"Doe, John: Jr;\";MEMBER=\"a\",\"b\";X=^'q^'^n^^^x;HOME:mailto:a@b";
        let line = Lines::new(text, &Limits::default()).next().unwrap().unwrap();
        assert_eq!(line.param("CN"), Some("Doe, John: Jr;"));
        assert_eq!(line.params[1].values, ["a", "b"]);
        assert_eq!(line.param("X"), Some("\"q\"\n^^x"));
        assert_eq!(line.params[3], Param { name: "HOME".into(), values: vec![] });
        assert_eq!(line.value, "mailto:a@b");
        assert_eq!(line.span, 0..text.len());
        let open = Lines::new(b"ATTENDEE;CN=\"Doe;ROLE=CHAIR:mailto:a@b", &Limits::default()).next().unwrap().unwrap();
        assert_eq!((open.param("ROLE"), open.value.as_str()), (Some("CHAIR"), "mailto:a@b"));
    }
}
