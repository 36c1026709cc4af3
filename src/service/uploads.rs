//! Uploaded files: they wait in the store until an import takes them up, or until their hour is over.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::domain::import::{Media, Upload};
use crate::domain::principal::Principal;
use crate::domain::refusal::{Fault, Refusal};
use crate::service::Service;
use crate::service::principals::still_there;
use crate::store::imports::CHUNKS_A_COMMIT;
use crate::store::keys::{self, CHUNK};
use crate::store::record;
use crate::system::random;

/// What the sender says of a file before sending it.
#[derive(Clone, Debug)]
pub struct Declared {
    pub name: String,
    pub media: Media,
    pub size: u64,
}

impl Service {
    /// Refuses a file that could never be kept, before its bytes are read.
    pub fn check_upload(&self, declared: &Declared) -> Result<(), Refusal> {
        if declared.size > self.settings.uploads.user_bytes {
            return Err(Fault::whole("File size exceeds user total upload limit").into());
        }
        Ok(())
    }

    /// Keeps a file for its import; the caller's oldest files give way where their room is used up. Answers its id, 24 hex digits.
    pub async fn keep_upload(&self, caller: &Principal, declared: Declared, bytes: Bytes) -> Result<String, Refusal> {
        self.check_upload(&declared)?;
        self.make_room(caller, bytes.len() as u64).await?;
        let id: String = random::bytes::<12>(&*self.random).iter().map(|byte| format!("{byte:02x}")).collect();
        let upload = Upload {
            id: id.clone(),
            user: caller.name.clone(),
            name: declared.name,
            media: declared.media,
            size: bytes.len() as u64,
            stored: self.now(),
        };
        // The row comes first: it counts at once, and whatever a crash leaves goes with it. Nobody is told the id before all is there,
        // and a file with gaps is not imported.
        let (row, kept) = (keys::upload(&upload.user, &upload.id), record::imports::pack_upload(&upload));
        self.commit(vec![keys::user(&caller.name)], move |seen, _| {
            still_there(seen.first())?;
            Ok((vec![(row.clone(), Some(kept.clone()))], ()))
        })
        .await?;
        let chunks: Vec<(u32, Bytes)> = (0..bytes.len())
            .step_by(CHUNK)
            .enumerate()
            .map(|(number, start)| (number as u32, bytes.slice(start..bytes.len().min(start + CHUNK))))
            .collect();
        for slice in chunks.chunks(CHUNKS_A_COMMIT) {
            let (slice, id) = (slice.to_vec(), id.clone());
            let rows =
                move || slice.iter().map(|(n, chunk)| (keys::upload_bytes(&id, *n), Some(chunk.clone()))).collect();
            self.commit(Vec::new(), move |_, _| Ok((rows(), ()))).await?;
        }
        Ok(id)
    }

    async fn make_room(&self, caller: &Principal, size: u64) -> Result<(), Refusal> {
        let in_use = self.uploads_in_use().await?;
        let mut kept = self.store.uploads(Some(&caller.name)).await?;
        kept.sort_by_key(|upload| upload.stored);
        let mut total: u64 = kept.iter().map(|upload| upload.size).sum();
        for upload in kept.iter().filter(|upload| !in_use.contains(&upload.id)) {
            if total + size <= self.settings.uploads.user_bytes {
                break;
            }
            self.remove_upload(upload).await?;
            total -= upload.size;
        }
        // What imports still read cannot give way.
        if total + size > self.settings.uploads.user_bytes {
            return Err(Refusal::TooOften {
                limit: "imports under way need all your room for uploads",
                retry_seconds: 5,
            });
        }
        Ok(())
    }

    /// The files that an import has not done with.
    pub(crate) async fn uploads_in_use(&self) -> Result<BTreeSet<String>, Refusal> {
        let mut files = BTreeSet::new();
        for id in self.store.imports_open().await? {
            files.extend(self.store.import(&id).await?.map(|import| import.file));
        }
        Ok(files)
    }

    pub(crate) async fn remove_upload(&self, upload: &Upload) -> Result<(), Refusal> {
        self.remove(vec![keys::upload(&upload.user, &upload.id)]).await?;
        self.remove_all(&keys::upload_chunks(&upload.id)).await
    }
}
