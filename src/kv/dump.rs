//! A store as one file: every row with a checksum behind them, the same whatever engine it came from. `docs/storage.md` tells its bytes.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::kv::engine::{Engine, Line, careful};
use crate::kv::files::sync;
use crate::kv::format::{FORMAT, format_line, stamp_line};
use crate::kv::group::is_reserved;
use crate::kv::{KEY_MAX, KvError, Snapshot, VALUE_MAX};

const MAGIC: &[u8; 18] = b"campanile store 1\n";
/// Rows that one batch takes while a store is filled.
const BATCH_ROWS: usize = 1_000;
const BUFFER: usize = 1 << 20;

/// What a file holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    pub rows: u64,
    /// Of the whole file.
    pub bytes: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    #[error(transparent)]
    Kv(#[from] KvError),
    #[error("{0}: {1}")]
    Io(String, io::Error),
    #[error("{0} is no export of a store")]
    Foreign(String),
    #[error("{0} was made by a newer version: format {1}, this program knows {FORMAT}")]
    Newer(String, u32),
    #[error("{0} is damaged: {1}")]
    Damaged(String, &'static str),
    #[error("{0} is there already")]
    Exists(String),
}

/// Writes all of a snapshot to a new file, which appears under its name when it is whole and synced.
pub fn write(mut snapshot: Box<dyn Snapshot>, path: &Path) -> Result<Held, DumpError> {
    if path.exists() {
        return Err(DumpError::Exists(path.display().to_string()));
    }
    let part = beside(path, ".part");
    let written = write_part(&mut *snapshot, &part).and_then(|held| {
        fs::rename(&part, path).map_err(|error| DumpError::Io(path.display().to_string(), error))?;
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        sync(dir).map_err(KvError::Failed)?;
        Ok(held)
    });
    if written.is_err() {
        // It may not have been made at all.
        let _ = fs::remove_file(&part);
    }
    written
}

fn write_part(snapshot: &mut dyn Snapshot, part: &Path) -> Result<Held, DumpError> {
    let lost = |error| DumpError::Io(part.display().to_string(), error);
    let file = only_ours(part).map_err(lost)?;
    let mut out = Hashing { inner: BufWriter::with_capacity(BUFFER, file), hash: Sha256::new(), bytes: 0 };
    let mut rows = 0u64;
    let head = [&MAGIC[..], &FORMAT.to_be_bytes(), &snapshot.stamp().0.to_be_bytes()].concat();
    out.write_all(&head).map_err(lost)?;
    while let Some(page) = snapshot.next()? {
        for (key, value) in &page {
            // Both are within the store's limits, which fit.
            out.write_all(&(key.len() as u16).to_be_bytes()).map_err(lost)?;
            out.write_all(key).map_err(lost)?;
            out.write_all(&(value.len() as u32).to_be_bytes()).map_err(lost)?;
            out.write_all(value).map_err(lost)?;
            rows += 1;
        }
    }
    out.write_all(&0u16.to_be_bytes()).map_err(lost)?;
    out.write_all(&rows.to_be_bytes()).map_err(lost)?;
    let Hashing { mut inner, hash, bytes } = out;
    let digest = hash.finalize();
    inner.write_all(&digest).map_err(lost)?;
    let file = inner.into_inner().map_err(|error| lost(error.into_error()))?;
    file.sync_all().map_err(lost)?;
    Ok(Held { rows, bytes: bytes + digest.len() as u64 })
}

/// A new file, or an emptied one that a copy which was cut off left. It holds what everybody has, and the hashes of their passwords.
fn only_ours(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Fills an empty engine from a file. The rows that make it a store come with the last batch, so an engine that was filled half-way is none.
pub fn read(path: &Path, engine: &dyn Engine) -> Result<Held, DumpError> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| DumpError::Io(name.clone(), error))?;
    let mut input = Input { from: BufReader::with_capacity(BUFFER, file), hash: Sha256::new(), bytes: 0, name };
    let head: [u8; 18] = input.array().map_err(|_| DumpError::Foreign(input.name.clone()))?;
    if head != *MAGIC {
        return Err(DumpError::Foreign(input.name));
    }
    let format = u32::from_be_bytes(input.array()?);
    if format > FORMAT {
        return Err(DumpError::Newer(input.name, format));
    }
    let stamp = u64::from_be_bytes(input.array()?);
    let (mut rows, mut last, mut batch, mut size) = (0u64, Bytes::new(), Vec::<Line>::new(), 0);
    loop {
        let length = usize::from(u16::from_be_bytes(input.array()?));
        if length == 0 {
            break;
        }
        let key = input.some(length, KEY_MAX)?;
        if is_reserved(&key) || key <= last {
            return Err(input.damaged("its keys are not in order"));
        }
        let length = u32::from_be_bytes(input.array()?);
        let value = input.some(usize::try_from(length).unwrap_or(usize::MAX), VALUE_MAX)?;
        rows += 1;
        size += key.len() + value.len();
        last = key.clone();
        batch.push((key, Some(value)));
        if batch.len() >= BATCH_ROWS || size >= engine.group_bytes_max() {
            careful(|| engine.apply(&batch)).map_err(KvError::Failed)?;
            batch.clear();
            size = 0;
        }
    }
    if u64::from_be_bytes(input.array()?) != rows {
        return Err(input.damaged("it holds another number of rows than it says"));
    }
    let digest = input.hash.clone().finalize();
    let told: [u8; 32] = input.array()?;
    if told != digest[..] {
        return Err(input.damaged("its checksum is another"));
    }
    batch.push(format_line(FORMAT));
    batch.push(stamp_line(stamp));
    batch.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
    careful(|| engine.apply(&batch)).map_err(KvError::Failed)?;
    Ok(Held { rows, bytes: input.bytes })
}

/// A file's name with something behind it.
pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

struct Hashing<W> {
    inner: W,
    hash: Sha256,
    bytes: u64,
}

impl<W: Write> Hashing<W> {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        self.inner.write_all(bytes)
    }
}

struct Input {
    from: BufReader<File>,
    hash: Sha256,
    bytes: u64,
    name: String,
}

impl Input {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], DumpError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn some(&mut self, length: usize, most: usize) -> Result<Bytes, DumpError> {
        if length > most {
            return Err(self.damaged("a row is longer than rows are"));
        }
        let mut bytes = vec![0; length];
        self.fill(&mut bytes)?;
        Ok(Bytes::from(bytes))
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), DumpError> {
        self.from.read_exact(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => self.damaged("it ends too early"),
            _ => DumpError::Io(self.name.clone(), error),
        })?;
        self.hash.update(&bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    fn damaged(&self, why: &'static str) -> DumpError {
        DumpError::Damaged(self.name.clone(), why)
    }
}
