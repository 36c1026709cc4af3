//! The file of an import, unpacked and looked through, and its next items. Knows no collection.

use std::collections::HashSet;
use std::fs::File;
use std::sync::Arc;

use crate::domain::import::{Failure, Upload};
use crate::domain::refusal::{Fault, Refusal};
use crate::ical::index::{Index, Unreadable};
use crate::ical::lines::Limits;
use crate::ical::split;
use crate::service::Service;
use crate::service::importing::ITEMS_A_COMMIT;
use crate::service::unpack::{self, Bounds, Unpackable, Unpacked};

/// Bytes of items after which a commit takes no more: room for others in the group.
const BYTES_A_COMMIT: usize = 131_072;

/// A file that was looked through once and is open for the second look.
pub(crate) struct Text {
    pub index: Arc<Index>,
    pub unpacked: Unpacked,
    /// Lent to the reader of each batch.
    file: Option<File>,
    /// What a dry run of a mirror saw: nothing of it is written.
    pub seen: HashSet<Arc<str>>,
}

impl Service {
    /// Unpacks a file and looks through it. The outer error is ours, the inner one the file's.
    pub(crate) async fn open_text(&self, upload: &Upload, name: &str) -> Result<Result<Text, Fault>, Refusal> {
        let (from, to) = (self.spool.path(&upload.id), self.spool.path(name));
        let limits = Limits { items: self.settings.uploads.components, ..self.line_limits() };
        let (media, charset) = (upload.media, upload.charset.clone());
        let bounds = Bounds { bytes: self.settings.uploads.unpacked_bytes, files: self.settings.uploads.archive_files };
        let read = move || {
            let unpacked = match unpack::unpack(&from, &to, media, charset.as_deref(), bounds) {
                Ok(unpacked) => unpacked,
                Err(Unpackable::Fault(fault)) => return Ok(Err(fault)),
                Err(Unpackable::Disk(error)) => return Err(error),
            };
            let mut file = File::open(&unpacked.path)?;
            match Index::read(&mut file, media, &limits) {
                Ok(index) => {
                    let index = Arc::new(index);
                    Ok(Ok(Text { index, unpacked, file: Some(file), seen: HashSet::new() }))
                }
                Err(Unreadable::Fault(fault)) => Ok(Err(fault)),
                Err(Unreadable::Disk(error)) => Err(error),
            }
        };
        match tokio::task::spawn_blocking(read).await {
            Ok(Ok(read)) => Ok(read),
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => {
                Ok(Err(Fault::whole("the uploaded file is gone")))
            }
            Ok(Err(error)) => Err(self.disk(&error)),
            Err(_) => Ok(Err(Fault::whole("the file could not be read"))),
        }
    }

    /// The next objects of the file.
    pub(crate) async fn some_items(
        &self,
        text: &mut Text,
        cursor: u64,
    ) -> Result<Vec<Result<split::Item, Failure>>, Refusal> {
        let (index, limits) = (text.index.clone(), self.line_limits());
        let Some(mut file) = text.file.take() else { return Err(self.fault("the file of an import is closed")) };
        let read = move || {
            let (mut items, mut size) = (Vec::new(), 0);
            for number in cursor as usize..index.len() {
                if items.len() >= ITEMS_A_COMMIT || size >= BYTES_A_COMMIT {
                    break;
                }
                let item = split::item(&index, number, &mut file, &limits)?;
                size += item.as_ref().map_or(0, |item| item.bytes.len());
                items.push(item);
            }
            Ok::<_, std::io::Error>((file, items))
        };
        match tokio::task::spawn_blocking(read).await {
            Ok(Ok((file, items))) => {
                text.file = Some(file);
                Ok(items)
            }
            Ok(Err(error)) => Err(self.disk(&error)),
            Err(_) => Err(self.fault("a reader of imports panicked")),
        }
    }
}

/// A fault where the file of an archive has it, which is named.
pub(crate) fn placed(text: &Text, failure: Failure) -> Failure {
    let (part, line) = text.unpacked.place(failure.line);
    let why = part.map_or_else(|| failure.why.clone(), |part| format!("{part}: {}", failure.why));
    Failure { line, why, ..failure }
}
