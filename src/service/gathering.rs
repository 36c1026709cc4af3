//! Feeds that lie on this machine: the files of a directory as one archive, the days of birth of an address book as one calendar.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::domain::address::{Kind, UserName};
use crate::domain::collection::Collection;
use crate::domain::object::Record;
use crate::domain::refusal::Refusal;
use crate::ical::birthday::Birthday;
use crate::ical::vcard::Card;
use crate::service::Service;
use crate::service::fetching::Haul;
use crate::service::veil;
use crate::system::random;

/// Cards that are read at a time.
const PAGE: usize = 500;
const PIECE: usize = 65_536;

/// Why a directory could not be gathered.
enum Trouble {
    /// The operator's, told as it is.
    Theirs(String),
    Ours(io::Error),
}

impl Service {
    /// Brings all files of one kind in a directory, ordered by name, as one archive. The inner error is the directory's.
    pub(crate) async fn gather(
        &self,
        path: &str,
        kind: Kind,
        haul: &mut Haul<'_>,
    ) -> Result<Result<(), String>, Refusal> {
        let passing = format!("{}.gathered", random::uuid(&*self.random).simple());
        let (from, to) = (PathBuf::from(path), self.spool.path(&passing));
        let (files, bytes) = (self.settings.uploads.archive_files, self.settings.feeds.body_bytes);
        let packed = tokio::task::spawn_blocking(move || pack(&from, &to, kind, files, bytes)).await;
        let outcome = match packed {
            Err(_) => Err(self.fault("the reader of a directory panicked")),
            Ok(Err(Trouble::Ours(error))) => Err(self.disk(&error)),
            Ok(Err(Trouble::Theirs(why))) => Ok(Err(why)),
            Ok(Ok(())) => self.copy(&passing, haul).await,
        };
        self.forget_file(&passing);
        outcome
    }

    async fn copy(&self, name: &str, haul: &mut Haul<'_>) -> Result<Result<(), String>, Refusal> {
        let disk = |error: io::Error| self.disk(&error);
        let mut file = tokio::fs::File::open(self.spool.path(name)).await.map_err(disk)?;
        let mut piece = vec![0; PIECE];
        loop {
            let read = file.read(&mut piece).await.map_err(disk)?;
            if read == 0 {
                return Ok(Ok(()));
            }
            if let Err(why) = haul.write(piece.get(..read).unwrap_or_default()).await {
                return Ok(Err(why));
            }
        }
    }

    /// Brings the birthdays of an address book as one of its readers sees it.
    pub(crate) async fn gather_birthdays(
        &self,
        reader: &UserName,
        book: &Collection,
        haul: &mut Haul<'_>,
    ) -> Result<Result<(), String>, Refusal> {
        let view = match self.view(reader, &book.address).await {
            Ok(view) => view,
            Err(Refusal::NotFound | Refusal::Forbidden) => return Ok(Err("the address book is not there".to_owned())),
            Err(refusal) => return Err(refusal),
        };
        let (limits, mut after) = (self.line_limits(), None::<String>);
        // A calendar without anything in it is one, too.
        let mut text =
            b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Campanile//birthdays//EN\r\nEND:VCALENDAR\r\n".to_vec();
        loop {
            let page: Vec<Record> = self.objects(&view.source, after.as_deref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.name.to_string());
            for record in &page {
                let Some((now, body)) = self.store.object_with_body(view.source.id, &record.name).await? else {
                    continue;
                };
                let body = if view.veils(&now) { veil::veiled(Kind::AddressBook, &body, &limits) } else { body };
                let Ok(card) = Card::read(&body, &limits) else { continue };
                if let Some(birthday) = Birthday::of(&card) {
                    let digest = Sha256::digest(now.uid.as_bytes());
                    let hex: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
                    text.extend_from_slice(&birthday.event(&format!("birthday-{hex}"), &card.name()));
                }
                if text.len() >= PIECE
                    && let Err(why) = haul.write(&std::mem::take(&mut text)).await
                {
                    return Ok(Err(why));
                }
            }
        }
        Ok(haul.write(&text).await)
    }
}

/// Files as they are, not packed: the same directory makes the same archive.
fn pack(from: &Path, to: &Path, kind: Kind, files_max: u64, bytes_max: u64) -> Result<(), Trouble> {
    let theirs = |error: io::Error| Trouble::Theirs(format!("the directory cannot be read: {error}"));
    let suffixes: &[&str] = match kind {
        Kind::Calendar => &[".ics", ".ical", ".icalendar"],
        Kind::AddressBook => &[".vcf", ".vcard"],
    };
    let mut names = Vec::new();
    for entry in fs::read_dir(from).map_err(theirs)? {
        let entry = entry.map_err(theirs)?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let lower = name.to_ascii_lowercase();
        // What it leads to counts, where it is a link: the operator put it there.
        if suffixes.iter().any(|suffix| lower.ends_with(suffix)) && entry.path().is_file() {
            names.push(name);
        }
        if names.len() as u64 > files_max {
            return Err(Trouble::Theirs(format!("the directory holds more than {files_max} files")));
        }
    }
    if names.is_empty() {
        return Err(Trouble::Theirs(format!("the directory holds no {} file", suffixes.first().unwrap_or(&""))));
    }
    names.sort_unstable();
    let mut archive = ZipWriter::new(BufWriter::new(File::create(to).map_err(Trouble::Ours)?));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let ours = |error: zip::result::ZipError| Trouble::Ours(io::Error::other(error));
    let mut left = bytes_max;
    for name in names {
        archive.start_file(name.as_str(), options).map_err(ours)?;
        let file = File::open(from.join(&name)).map_err(|error| Trouble::Theirs(format!("{name}: {error}")))?;
        let mut file = file.take(left.saturating_add(1));
        let mut piece = vec![0; PIECE];
        loop {
            let read = file.read(&mut piece).map_err(|error| Trouble::Theirs(format!("{name}: {error}")))?;
            if read == 0 {
                break;
            }
            left = left
                .checked_sub(read as u64)
                .ok_or_else(|| Trouble::Theirs(format!("its files are larger than {bytes_max} bytes together")))?;
            archive.write_all(piece.get(..read).unwrap_or_default()).map_err(Trouble::Ours)?;
        }
    }
    let mut file = archive.finish().map_err(ours)?;
    file.flush().map_err(Trouble::Ours)
}
