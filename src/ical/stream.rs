//! Content lines out of a file that is read piece by piece: what `lines.rs` does for a text in memory. Holds one content line at a time.

use std::io::{self, BufRead};
use std::ops::Range;

use crate::domain::refusal::Fault;
use crate::ical::lines::{Broken, Limits, Lines, Property};

/// Where content lines come from.
pub trait Source: Iterator<Item = Result<Property, Broken>> {
    /// The line that is read next.
    fn line(&self) -> u64;
    /// Where that line begins.
    fn offset(&self) -> usize;
    /// The next physical line, unfolded with nothing: what vCard 2.1 needs for its soft line breaks.
    fn continuation(&mut self) -> Option<&[u8]>;
}

impl Source for Lines<'_> {
    fn line(&self) -> u64 {
        Lines::line(self)
    }

    fn offset(&self) -> usize {
        Lines::offset(self)
    }

    fn continuation(&mut self) -> Option<&[u8]> {
        Lines::continuation(self)
    }
}

impl<S: Source> Source for &mut S {
    fn line(&self) -> u64 {
        (**self).line()
    }

    fn offset(&self) -> usize {
        (**self).offset()
    }

    fn continuation(&mut self) -> Option<&[u8]> {
        (**self).continuation()
    }
}

/// The content lines of a reader, numbered and located from where it stands.
///
/// ```
/// use campanile::ical::{lines::Limits, stream::Stream};
/// let mut lines = Stream::new(&b"SUMMARY:Long\r\n er\r\nUID:1\r\n"[..], &Limits::default());
/// let (long, uid) = (lines.next().unwrap().unwrap(), lines.next().unwrap().unwrap());
/// assert_eq!((long.value.as_str(), uid.line, uid.span), ("Longer", 3, 19..26));
/// ```
pub struct Stream<R> {
    from: R,
    at: usize,
    line: u64,
    limits: Limits,
    held: Vec<u8>,
    failed: Option<io::Error>,
}

impl<R: BufRead> Stream<R> {
    pub fn new(from: R, limits: &Limits) -> Stream<R> {
        Stream { from, at: 0, line: 1, limits: limits.clone(), held: Vec::new(), failed: None }
    }

    /// Why reading ended early, if it did.
    pub fn failure(&mut self) -> Option<io::Error> {
        self.failed.take()
    }

    /// Takes one physical line in behind what is held, up to so many bytes in all. False at the end.
    fn physical(&mut self, most: usize) -> bool {
        let mut any = false;
        loop {
            let piece = match self.from.fill_buf() {
                Ok(piece) => piece,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.failed = Some(error);
                    return any;
                }
            };
            if piece.is_empty() {
                self.line += u64::from(any);
                return any;
            }
            any = true;
            let end = memchr::memchr(b'\n', piece).map(|at| at + 1);
            let length = end.unwrap_or(piece.len());
            let room = most.saturating_sub(self.held.len()).min(length);
            self.held.extend_from_slice(piece.get(..room).unwrap_or_default());
            self.from.consume(length);
            self.at += length;
            if end.is_some() {
                self.line += 1;
                return true;
            }
        }
    }

    fn folds(&mut self) -> bool {
        matches!(self.from.fill_buf().ok().and_then(|piece| piece.first()), Some(b' ' | b'\t'))
    }
}

impl<R: BufRead> Iterator for Stream<R> {
    type Item = Result<Property, Broken>;

    fn next(&mut self) -> Option<Self::Item> {
        // Folds add to what a line may have: one that holds nothing but folds is as long as it can honestly be.
        let most = self.limits.line_bytes.saturating_mul(4);
        let (start, line) = loop {
            let (start, line) = (self.at, self.line);
            self.held.clear();
            if !self.physical(most) {
                return None;
            }
            let bare = self.held.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&self.held);
            if !bare.trim_ascii().is_empty() {
                break (start, line);
            }
        };
        while self.folds() {
            self.physical(most);
        }
        let moved = |span: Range<usize>| span.start + start..span.end + start;
        if self.at - start > most {
            let why = format!("a line is longer than {} bytes", self.limits.line_bytes);
            return Some(Err(Broken { fault: Fault::at(line, why), span: start..self.at }));
        }
        Some(match Lines::new(&self.held, &self.limits).next()? {
            Ok(property) => Ok(Property { line: property.line + line - 1, span: moved(property.span), ..property }),
            Err(Broken { fault: Fault { line: at, why }, span }) => {
                let fault = Fault { line: at.map(|at| at + line - 1), why };
                Err(Broken { fault, span: moved(span) })
            }
        })
    }
}

impl<R: BufRead> Source for Stream<R> {
    fn line(&self) -> u64 {
        self.line
    }

    fn offset(&self) -> usize {
        self.at
    }

    fn continuation(&mut self) -> Option<&[u8]> {
        self.held.clear();
        let most = self.limits.line_bytes.saturating_add(2);
        if !self.physical(most) {
            return None;
        }
        let line = self.held.strip_suffix(b"\n").unwrap_or(&self.held);
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    #[test]
    fn a_stream_says_what_lines_say() {
        let limits = Limits { line_bytes: 60, params: 3, ..Limits::default() };
        let long = format!("A:{}\r\nB:x\r\n", "x".repeat(400));
        let texts: [&[u8]; 9] = [
            b"A:1\r\n 2\r\n\t3\r\nB:x\r\n",
            b"\xEF\xBB\xBFA:1\n\n \nB:2",
            b"A:caf\xC3\r\n \xA9\r\nnonsense\r\n",
            b"A:1\r\n \xFF\r\nB:2",
            b" A:1\r\n",
            b"A:1\rB:2\r\n",
            b"",
            b"A:0123456789012345678901234567890\r\n 0123456789012345678901234567890\r\nB:1",
            long.as_bytes(),
        ];
        for text in texts {
            for room in [1, 2, 3, 7, 8_192] {
                let whole: Vec<_> = Lines::new(text, &limits).collect();
                let pieces: Vec<_> = Stream::new(BufReader::with_capacity(room, text), &limits).collect();
                assert_eq!(pieces, whole, "{:?} in pieces of {room}", String::from_utf8_lossy(text));
            }
        }
    }
}
