//! A file as it came to one text in UTF-8: unpacked, its encoding undone. Works on disk, holds pieces of it only, and never uses a name that an archive
//! brings as a path.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use encoding_rs::{CoderResult, Encoding, WINDOWS_1252};
use flate2::read::MultiGzDecoder;
use zip::ZipArchive;

use crate::domain::import::Media;
use crate::domain::refusal::Fault;

/// What unpacking may cost.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Bytes of the text.
    pub bytes: u64,
    /// Files of an archive.
    pub files: u64,
}

/// Up to here a text may be any number of times larger than what it came as.
const FREE_BYTES: u64 = 10_485_760;
/// Beyond it, so many times: calendars pack well, but not that well.
const RATIO_MAX: u64 = 200;
/// A zip ends with a record of 22 bytes and a comment.
const ZIP_END_MAX: u64 = 65_557;
const PIECE: usize = 65_536;

/// A text that can be read.
#[derive(Debug)]
pub struct Unpacked {
    pub path: PathBuf,
    /// The files that it was put together of; none where it is the file that came.
    pub parts: Vec<Part>,
    pub warnings: Vec<String>,
    /// Nothing of what came is missing.
    pub whole: bool,
}

/// One file of an archive.
#[derive(Debug)]
pub struct Part {
    pub name: String,
    /// Its first line in the text.
    pub line: u64,
    offset: u64,
}

/// Why there is no text.
#[derive(Debug, thiserror::Error)]
pub enum Unpackable {
    #[error("{0}")]
    Fault(Fault),
    #[error("{0}")]
    Disk(#[from] io::Error),
}

fn fault(why: impl Into<String>) -> Unpackable {
    Unpackable::Fault(Fault::whole(why))
}

impl Unpacked {
    /// The file that a line of the text is in, and its line there.
    pub fn place(&self, line: u64) -> (Option<&str>, u64) {
        match self.parts.iter().rev().find(|part| part.line <= line) {
            Some(part) => (Some(&part.name), line - part.line + 1),
            None => (None, line),
        }
    }
}

/// Unpacks `from` into `text`, which is written only where it has to differ: gzip, zip, or another encoding than UTF-8.
pub fn unpack(
    from: &Path,
    text: &Path,
    media: Media,
    charset: Option<&str>,
    bounds: Bounds,
) -> Result<Unpacked, Unpackable> {
    let mut file = File::open(from)?;
    let mut magic = [0; 4];
    let read = read_up_to(&mut file, &mut magic)?;
    let size = file.metadata()?.len();
    file.rewind()?;
    let mut to = Text { out: None, path: text, bounds, packed: size, written: 0, lines: 0, ends: true };
    let mut unpacked = Unpacked { path: text.to_owned(), parts: Vec::new(), warnings: Vec::new(), whole: true };
    match magic.get(..read).unwrap_or_default() {
        [0x1F, 0x8B, ..] => {
            let open = || Ok(Box::new(MultiGzDecoder::new(BufReader::new(File::open(from)?))) as Box<dyn Read>);
            let declared = charset.and_then(|label| Encoding::for_label(label.as_bytes()));
            to.take(open, declared, &mut unpacked)?;
        }
        [b'P', b'K', 3, 4] => unzip(file, size, media, &mut to, &mut unpacked)?,
        [b'P', b'K', ..] => return Err(fault("the zip archive is empty, or cut off")),
        _ => {
            let declared = charset.and_then(|label| Encoding::for_label(label.as_bytes()));
            match encoding(&mut file, declared, bounds.bytes)? {
                None => unpacked.path = from.to_owned(),
                Some(encoding) => to.decode(BufReader::new(File::open(from)?), encoding, &mut unpacked)?,
            }
        }
    }
    to.finish()?;
    Ok(unpacked)
}

fn unzip(
    mut file: File,
    size: u64,
    media: Media,
    to: &mut Text<'_>,
    unpacked: &mut Unpacked,
) -> Result<(), Unpackable> {
    check_entries(&mut file, size, to.bounds.files)?;
    let broken = |error: zip::result::ZipError| fault(format!("the zip archive cannot be read: {error}"));
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(broken)?;
    if archive.len() as u64 > to.bounds.files {
        return Err(fault(format!("an archive of more than {} files", to.bounds.files)));
    }
    let suffixes: &[&str] = match media {
        Media::Calendar => &[".ics", ".ical", ".icalendar"],
        Media::Card => &[".vcf", ".vcard"],
    };
    let mut skipped = 0;
    for number in 0..archive.len() {
        let name = {
            let entry = archive.by_index_raw(number).map_err(broken)?;
            let name = entry.name().map_err(broken)?;
            let lower = name.to_ascii_lowercase();
            let ours = suffixes.iter().any(|suffix| lower.ends_with(suffix)) && !lower.starts_with("__macosx/");
            if entry.is_dir() || !ours {
                skipped += u64::from(!entry.is_dir());
                continue;
            }
            if entry.encrypted() {
                return Err(fault("the zip archive is encrypted"));
            }
            label(&name)
        };
        unpacked.parts.push(Part { name, line: to.lines + 1, offset: to.written });
        let mut decoder = Census::default();
        {
            let mut entry = archive.by_index(number).map_err(broken)?;
            to.copy(&mut entry, Some(&mut decoder), unpacked)?;
        }
        if let Some(encoding) = decoder.encoding() {
            to.back(unpacked)?;
            let entry = archive.by_index(number).map_err(broken)?;
            to.decode(entry, encoding, unpacked)?;
        }
        to.end_line()?;
    }
    if skipped > 0 {
        unpacked.warnings.push(format!("{skipped} files of the archive are of another kind"));
    }
    if unpacked.parts.is_empty() {
        return Err(fault(format!("the zip archive holds no {} file", suffixes.first().unwrap_or(&""))));
    }
    Ok(())
}

/// The library reads all of an archive's directory at once, so how much that is must be known before.
fn check_entries(file: &mut File, size: u64, most: u64) -> Result<(), Unpackable> {
    let from = size.saturating_sub(ZIP_END_MAX);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    (&mut *file).take(ZIP_END_MAX).read_to_end(&mut tail)?;
    file.rewind()?;
    // Whichever of several such records the library takes, none may name too many.
    let mut ends = 0;
    for at in memchr::memmem::find_iter(&tail, b"PK\x05\x06") {
        ends += 1;
        let count = tail.get(at + 10..at + 12).map_or(0, |two| u64::from(two[0]) | u64::from(two[1]) << 8);
        if count > most {
            return Err(fault(format!("an archive of more than {most} files")));
        }
    }
    match ends {
        0 => Err(fault("the zip archive is cut off")),
        _ => Ok(()),
    }
}

/// A file's name in an archive, short and fit for a line of text.
fn label(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '?' } else { c }).take(100).collect()
}

fn read_up_to(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    while let Some(rest) = buffer.get_mut(read..).filter(|rest| !rest.is_empty()) {
        match from.read(rest) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

fn read_some(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match from.read(buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

/// The encoding of a plain file, where it is not UTF-8.
fn encoding(
    file: &mut File,
    declared: Option<&'static Encoding>,
    most: u64,
) -> Result<Option<&'static Encoding>, Unpackable> {
    if let Some(declared) = declared.filter(|declared| *declared != encoding_rs::UTF_8) {
        return Ok(Some(declared));
    }
    let mut census = Census::default();
    let mut piece = vec![0; PIECE];
    let mut total = 0;
    loop {
        let read = read_up_to(file, &mut piece)?;
        total += read as u64;
        if read == 0 || total > most {
            return Ok(census.encoding());
        }
        census.count(piece.get(..read).unwrap_or_default());
    }
}

/// What a file's bytes say of its encoding.
#[derive(Default)]
struct Census {
    /// Characters of more than one byte, as UTF-8 writes them.
    wide: u64,
    /// Bytes that are none of UTF-8.
    foreign: u64,
    /// The first two bytes.
    mark: Vec<u8>,
    /// The beginning of a character whose end was not seen yet.
    cut: Vec<u8>,
}

impl Census {
    fn count(&mut self, piece: &[u8]) {
        self.mark.extend(piece.iter().take(2 - self.mark.len().min(2)));
        let joined;
        let mut rest = match self.cut.is_empty() {
            true => piece,
            false => {
                joined = [&self.cut[..], piece].concat();
                &joined[..]
            }
        };
        let mut cut = Vec::new();
        loop {
            match std::str::from_utf8(rest) {
                Ok(text) => {
                    self.wide += text.bytes().filter(|byte| *byte >= 0xC0).count() as u64;
                    break;
                }
                Err(error) => {
                    let (valid, tail) = rest.split_at(error.valid_up_to());
                    self.wide += valid.iter().filter(|byte| **byte >= 0xC0).count() as u64;
                    let Some(length) = error.error_len() else {
                        cut = tail.to_vec();
                        break;
                    };
                    self.foreign += length as u64;
                    rest = tail.get(length..).unwrap_or_default();
                }
            }
        }
        self.cut = cut;
    }

    /// A file with more bytes that are none of UTF-8 than characters that are was written in the encoding of Windows, which Latin-1 is a part
    /// of; one with fewer has a broken line.
    fn encoding(&self) -> Option<&'static Encoding> {
        match self.mark[..] {
            [0xFF, 0xFE] => Some(encoding_rs::UTF_16LE),
            [0xFE, 0xFF] => Some(encoding_rs::UTF_16BE),
            _ if self.foreign + self.cut.len() as u64 > self.wide => Some(WINDOWS_1252),
            _ => None,
        }
    }
}

/// The text as it grows.
struct Text<'a> {
    out: Option<BufWriter<File>>,
    path: &'a Path,
    bounds: Bounds,
    packed: u64,
    written: u64,
    lines: u64,
    /// The last byte ends a line.
    ends: bool,
}

impl Text<'_> {
    /// Takes one packed file in; where its bytes say that they are not UTF-8, again, decoded.
    fn take(
        &mut self,
        open: impl Fn() -> io::Result<Box<dyn Read>>,
        declared: Option<&'static Encoding>,
        unpacked: &mut Unpacked,
    ) -> Result<(), Unpackable> {
        let mut census = Census::default();
        let declared = declared.filter(|declared| *declared != encoding_rs::UTF_8);
        if declared.is_none() {
            self.copy(&mut open()?, Some(&mut census), unpacked)?;
        }
        if let Some(encoding) = declared.or_else(|| census.encoding()) {
            self.back(unpacked)?;
            self.decode(open()?, encoding, unpacked)?;
        }
        Ok(())
    }

    fn copy(
        &mut self,
        from: &mut impl Read,
        mut census: Option<&mut Census>,
        unpacked: &mut Unpacked,
    ) -> Result<(), Unpackable> {
        // Nothing is a text, too.
        self.write(b"")?;
        let mut piece = vec![0; PIECE];
        loop {
            let read = match read_some(from, &mut piece) {
                Ok(0) => return Ok(()),
                Ok(read) => read,
                Err(error) => return cut_off(error, unpacked),
            };
            let piece = piece.get(..read).unwrap_or_default();
            if let Some(census) = &mut census {
                census.count(piece);
            }
            self.write(piece)?;
        }
    }

    fn decode(
        &mut self,
        mut from: impl Read,
        encoding: &'static Encoding,
        unpacked: &mut Unpacked,
    ) -> Result<(), Unpackable> {
        unpacked.warnings.push(format!("not in UTF-8: read as {}", encoding.name()));
        let mut decoder = encoding.new_decoder_with_bom_removal();
        let (mut piece, mut text) = (vec![0; PIECE], vec![0; PIECE]);
        loop {
            let (read, last) = match read_some(&mut from, &mut piece) {
                Ok(read) => (read, read == 0),
                Err(error) => {
                    cut_off(error, unpacked)?;
                    (0, true)
                }
            };
            let mut rest = piece.get(..read).unwrap_or_default();
            loop {
                let (result, taken, made, _) = decoder.decode_to_utf8(rest, &mut text, last);
                self.write(text.get(..made).unwrap_or_default())?;
                rest = rest.get(taken..).unwrap_or_default();
                if result == CoderResult::InputEmpty {
                    break;
                }
            }
            if last {
                return Ok(());
            }
        }
    }

    fn write(&mut self, piece: &[u8]) -> Result<(), Unpackable> {
        self.written += piece.len() as u64;
        if self.written > self.bounds.bytes {
            return Err(fault(format!("the file unpacks to more than {} bytes", self.bounds.bytes)));
        }
        if self.written > FREE_BYTES && self.written / RATIO_MAX > self.packed {
            return Err(fault(format!("the file unpacks to more than {RATIO_MAX} times its size")));
        }
        let out = match &mut self.out {
            Some(out) => out,
            out => out.insert(BufWriter::with_capacity(PIECE, File::create(self.path)?)),
        };
        out.write_all(piece)?;
        self.lines += memchr::memchr_iter(b'\n', piece).count() as u64;
        self.ends = piece.last().map_or(self.ends, |last| *last == b'\n');
        Ok(())
    }

    /// Parts that follow begin on a line of their own.
    fn end_line(&mut self) -> Result<(), Unpackable> {
        if self.ends { Ok(()) } else { self.write(b"\r\n") }
    }

    /// Goes back to where the last part began.
    fn back(&mut self, unpacked: &Unpacked) -> Result<(), Unpackable> {
        let (at, line) = unpacked.parts.last().map_or((0, 1), |part| (part.offset, part.line));
        if let Some(out) = &mut self.out {
            out.seek(SeekFrom::Start(at))?;
            out.get_mut().set_len(at)?;
        }
        (self.written, self.lines, self.ends) = (at, line - 1, true);
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        match &mut self.out {
            Some(out) => out.flush(),
            None => Ok(()),
        }
    }
}

/// What was packed so far is taken, what is missing noted.
fn cut_off(error: io::Error, unpacked: &mut Unpacked) -> Result<(), Unpackable> {
    match error.kind() {
        ErrorKind::UnexpectedEof | ErrorKind::InvalidData | ErrorKind::InvalidInput => {
            unpacked.whole = false;
            let warning = "the archive is damaged or cut off: what could be read was taken".to_owned();
            if !unpacked.warnings.contains(&warning) {
                unpacked.warnings.push(warning);
            }
            Ok(())
        }
        _ => Err(error.into()),
    }
}
