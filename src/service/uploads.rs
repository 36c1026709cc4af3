//! Uploaded files: they wait in the spool until an import takes them up, or until their hour is over. Rows name them; their bytes lie beside the
//! store.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::sync::{Mutex, PoisonError};

use crate::domain::address::UserName;
use crate::domain::import::{Media, Upload};
use crate::domain::principal::Principal;
use crate::domain::refusal::{Fault, Refusal};
use crate::service::Service;
use crate::service::principals::still_there;
use crate::store::keys;
use crate::store::record;
use crate::system::random;
use crate::system::spool::Arriving;

/// What the sender says of a file before sending it.
#[derive(Clone, Debug)]
pub struct Declared {
    pub name: String,
    pub media: Media,
    pub size: u64,
    /// The encoding, where it was named.
    pub charset: Option<String>,
}

/// A file that is being sent. Dropped before its end, it leaves nothing.
pub struct Incoming<'a> {
    service: &'a Service,
    caller: Principal,
    pub(crate) id: String,
    file: Option<Arriving>,
    /// What it counts for among what this person sends.
    counted: u64,
}

/// Bytes that each person is sending right now.
pub(crate) type Arrivals = Mutex<HashMap<UserName, u64>>;

impl Incoming<'_> {
    /// Takes the next piece. Refused where all that this person sends at once is more than they may keep.
    pub async fn write(&mut self, piece: &[u8]) -> Result<(), Refusal> {
        let limit = self.service.settings.uploads.user_bytes;
        let arriving = {
            let mut arrivals = self.service.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
            let theirs = arrivals.entry(self.caller.name.clone()).or_default();
            *theirs += piece.len() as u64;
            self.counted += piece.len() as u64;
            *theirs
        };
        if arriving > limit {
            return Err(Refusal::TooLarge { limit });
        }
        match &mut self.file {
            Some(file) => file.write(piece).await.map_err(|error| self.service.disk(&error)),
            None => Ok(()),
        }
    }

    pub fn size(&self) -> u64 {
        self.counted
    }

    /// SHA-256 of what came so far.
    pub(crate) fn hash(&self) -> [u8; 32] {
        self.file.as_ref().map_or([0; 32], Arriving::hash)
    }

    /// The file is complete: synced, and room is made for it. Answers its id, its size, and its SHA-256.
    pub(crate) async fn finish(mut self) -> Result<(String, u64, [u8; 32]), Refusal> {
        self.service.make_room(&self.caller.name, self.counted).await?;
        let Some(file) = self.file.take() else { return Err(Refusal::NotFound) };
        let hash = file.finish().await.map_err(|error| self.service.disk(&error))?;
        Ok((self.id.clone(), self.counted, hash))
    }
}

impl Drop for Incoming<'_> {
    fn drop(&mut self) {
        let mut arrivals = self.service.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(theirs) = arrivals.get_mut(&self.caller.name) {
            *theirs = theirs.saturating_sub(self.counted);
            if *theirs == 0 {
                arrivals.remove(&self.caller.name);
            }
        }
    }
}

impl Service {
    /// Refuses a file that could never be kept, before its bytes are read.
    pub fn check_upload(&self, declared: &Declared) -> Result<(), Refusal> {
        if declared.size > self.settings.uploads.user_bytes {
            return Err(Fault::whole("File size exceeds user total upload limit").into());
        }
        Ok(())
    }

    /// Opens a file for what is about to be sent.
    pub async fn begin_upload(&self, caller: &Principal) -> Result<Incoming<'_>, Refusal> {
        let id: String = random::bytes::<12>(&*self.random).iter().map(|byte| format!("{byte:02x}")).collect();
        let file = self.spool.begin(&id).await.map_err(|error| self.disk(&error))?;
        Ok(Incoming { service: self, caller: caller.clone(), id, file: Some(file), counted: 0 })
    }

    /// Keeps a file for its import; the caller's oldest files give way where their room is used up. Answers its id, 24 hex digits.
    pub async fn keep_upload(
        &self,
        caller: &Principal,
        declared: Declared,
        incoming: Incoming<'_>,
    ) -> Result<String, Refusal> {
        let (id, size, _) = incoming.finish().await?;
        let upload = self.upload_row(caller, &id, size, declared, false);
        let (row, kept) = (keys::upload(&upload.user, &upload.id), record::imports::pack_upload(&upload));
        let written = self
            .commit(vec![keys::user(&caller.name)], move |seen, _| {
                still_there(seen.first())?;
                Ok((vec![(row.clone(), Some(kept.clone()))], ()))
            })
            .await;
        if let Err(refusal) = written {
            self.forget_file(&id);
            return Err(refusal);
        }
        Ok(id)
    }

    pub(crate) fn upload_row(&self, caller: &Principal, id: &str, size: u64, of: Declared, once: bool) -> Upload {
        Upload {
            id: id.to_owned(),
            user: caller.name.clone(),
            name: of.name,
            media: of.media,
            size,
            stored: self.now(),
            charset: of.charset,
            once,
        }
    }

    async fn make_room(&self, user: &UserName, size: u64) -> Result<(), Refusal> {
        let in_use = self.uploads_in_use().await?;
        let mut kept = self.store.uploads(Some(user)).await?;
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
        self.forget_file(&upload.id);
        Ok(())
    }

    /// Takes away the files that no row names: what a crash left. Before anybody can send one.
    pub async fn start_spool(&self) -> Result<(), Refusal> {
        let known: BTreeSet<String> = self.store.uploads(None).await?.into_iter().map(|upload| upload.id).collect();
        self.spool.clear(|name| known.contains(name)).map_err(|error| self.disk(&error))
    }

    /// A file that cannot be removed now is removed at the next start.
    pub(crate) fn forget_file(&self, name: &str) {
        if let Err(error) = self.spool.remove(name) {
            tracing::warn!(%error, name, "a file of the spool cannot be removed");
        }
    }

    /// A full or broken disk.
    pub(crate) fn disk(&self, error: &io::Error) -> Refusal {
        self.fault(&format!("the spool cannot be used: {error}"))
    }
}
