//! Imports as people see them: asked for, listed, waited for, cancelled. What they do is `importing/`.

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::domain::address::{Address, Kind};
use crate::domain::import::{Counts, Failure, Import, Media, Order, Status};
use crate::domain::principal::Principal;
use crate::domain::refusal::{Fault, Refusal};
use crate::service::Service;
use crate::service::principals::still_there;
use crate::service::uploads::{Declared, Incoming};
use crate::store::{imports, keys, record};
use crate::system::{pace, random};

/// Imports of one person that may wait or be under way; one more is refused until one of them has ended.
const WAITING_MAX: usize = 100;
/// Imports that a list shows, the latest first.
const LISTED_MAX: usize = 100;

/// The sender's own name for a request, so that the same one sent twice is done once.
pub struct Once<'a> {
    pub key: &'a str,
    /// All that was asked beside the file.
    pub asked: String,
}

impl Service {
    /// Takes up an import: the caller's file, into a collection. The work is done by the job of imports.
    pub async fn ask_import(&self, caller: &Principal, file: &str, target: (&str, &str)) -> Result<Import, Refusal> {
        let unknown = || Refusal::from(Fault::whole("Uploaded file not found"));
        let upload = self.store.upload(&caller.name, file).await?.ok_or_else(unknown)?;
        let kind = match upload.media {
            Media::Calendar => Kind::Calendar,
            Media::Card => Kind::AddressBook,
        };
        let target = Address::new(kind, target.0, target.1).ok_or_else(|| Fault::whole("Invalid target path"))?;
        self.check_waiting(caller).await?;
        let import = self.new_import(caller, upload.id, target, Order::default());
        let kept = import.clone();
        self.commit(vec![keys::user(&caller.name)], move |seen, _| {
            still_there(seen.first())?;
            let mut writes = Vec::new();
            imports::write(&mut writes, &kept);
            Ok((writes, ()))
        })
        .await?;
        self.nudges.imports.notify_one();
        Ok(import)
    }

    /// Whether the caller may import into a collection at all, before they send a file.
    pub async fn check_import(&self, caller: &Principal, target: &Address) -> Result<(), Refusal> {
        self.check_waiting(caller).await?;
        if self.view(&caller.name, target).await?.writes() { Ok(()) } else { Err(Refusal::Forbidden) }
    }

    /// Takes up an import together with its file. Under a key that was used before, the import of then is the answer; refused where
    /// something else was asked then.
    pub async fn take_import(
        &self,
        caller: &Principal,
        target: Address,
        order: Order,
        declared: Declared,
        incoming: Incoming<'_>,
        once: Option<Once<'_>>,
    ) -> Result<Import, Refusal> {
        let (file, size, hash) = incoming.finish().await?;
        let taken = self.take_file(caller, target, order, declared, (&file, size, hash), once).await;
        match &taken {
            Ok(import) if import.file == file => self.nudges.imports.notify_one(),
            _ => self.forget_file(&file),
        }
        taken
    }

    async fn take_file(
        &self,
        caller: &Principal,
        target: Address,
        order: Order,
        declared: Declared,
        (file, size, hash): (&str, u64, [u8; 32]),
        once: Option<Once<'_>>,
    ) -> Result<Import, Refusal> {
        let upload = self.upload_row(caller, file, size, declared, true);
        let mut import = self.new_import(caller, upload.id.clone(), target, order);
        let mut asked = Vec::new();
        if let Some(once) = &once {
            import.key = Some(Sha256::digest(once.key.as_bytes())[..16].to_vec());
            asked = Sha256::new().chain_update(hash).chain_update(&once.asked).finalize().to_vec();
        }
        let mut reads = vec![keys::user(&caller.name)];
        let key = import.key.as_ref().map(|key| keys::import_key(&caller.name, key));
        reads.extend(key.clone());
        let kept = import.clone();
        let (_, known) = self
            .commit(reads, move |seen, _| {
                still_there(seen.first())?;
                if let Some(Some(row)) = seen.get(1) {
                    let (id, of) = imports::key_back(row)?;
                    if of != asked {
                        return Err(Refusal::Unsupported("this Idempotency-Key stands for another request".to_owned()));
                    }
                    return Ok((Vec::new(), Some(id)));
                }
                let mut writes =
                    vec![(keys::upload(&upload.user, &upload.id), Some(record::imports::pack_upload(&upload)))];
                imports::write(&mut writes, &kept);
                writes.extend(key.clone().map(|key| (key, Some(imports::key_row(&kept.id, &asked)))));
                Ok((writes, None))
            })
            .await?;
        match known {
            Some(id) => self.import(caller, &id).await,
            None => Ok(import),
        }
    }

    fn new_import(&self, caller: &Principal, file: String, target: Address, order: Order) -> Import {
        Import {
            id: random::uuid(&*self.random).to_string(),
            user: caller.name.clone(),
            file,
            target,
            asked: self.now(),
            status: Status::Queued,
            cursor: 0,
            total: 0,
            counts: Counts::default(),
            order,
            warnings: Vec::new(),
            key: None,
        }
    }

    async fn check_waiting(&self, caller: &Principal) -> Result<(), Refusal> {
        let waiting = self.imports_waiting().await?;
        if waiting.iter().filter(|import| import.user == caller.name).count() >= WAITING_MAX {
            return Err(Refusal::TooOften { limit: "too many imports of yours wait", retry_seconds: 5 });
        }
        Ok(())
    }

    /// An import of the caller's.
    pub async fn import(&self, caller: &Principal, id: &str) -> Result<Import, Refusal> {
        self.store.import(id).await?.filter(|import| import.user == caller.name).ok_or(Refusal::NotFound)
    }

    /// The caller's imports, the latest first, at most a hundred; those of feeds are told of there.
    pub async fn list_imports(&self, caller: &Principal) -> Result<Vec<Import>, Refusal> {
        let mut theirs = self.store.imports().await?;
        theirs.retain(|import| import.user == caller.name && !import.order.fed);
        theirs.sort_by(|one, other| (other.asked, &other.id).cmp(&(one.asked, &one.id)));
        theirs.truncate(LISTED_MAX);
        Ok(theirs)
    }

    /// An import of the caller's once it has ended, or as it stands when the time is over.
    pub async fn wait_for_import(&self, caller: &Principal, id: &str, length: Duration) -> Result<Import, Refusal> {
        let until = pace::now() + length;
        loop {
            // Who listens before looking misses no end.
            let mut ended = std::pin::pin!(self.nudges.imported.notified());
            ended.as_mut().enable();
            let import = self.import(caller, id).await?;
            let left = until.saturating_duration_since(pace::now());
            if import.status.ended() || left.is_zero() {
                return Ok(import);
            }
            // Whether it was the time or an end, the next look tells.
            let _ = pace::within(left, ended).await;
        }
    }

    /// Ends an import where it stands; what went in stays. One that has ended stays as it is.
    pub async fn cancel_import(&self, caller: &Principal, id: &str) -> Result<(), Refusal> {
        let import = self.import(caller, id).await?;
        self.commit(vec![keys::import(id)], move |seen, _| {
            let mut writes = Vec::new();
            if let Some(Some(row)) = seen.first() {
                let mut import = record::imports::import(row)?;
                if !import.status.ended() {
                    import.status = Status::Cancelled;
                    imports::write(&mut writes, &import);
                }
            }
            Ok((writes, ()))
        })
        .await?;
        self.drop_file(&import).await?;
        self.nudges.imported.notify_waiters();
        Ok(())
    }

    /// A file that came with its import goes with it.
    pub(crate) async fn drop_file(&self, import: &Import) -> Result<(), Refusal> {
        match self.store.upload(&import.user, &import.file).await? {
            Some(upload) if upload.once => self.remove_upload(&upload).await,
            _ => Ok(()),
        }
    }

    /// The items that did not go in, each with a word for why.
    pub async fn import_failures(&self, caller: &Principal, id: &str) -> Result<Vec<(Failure, String)>, Refusal> {
        self.import(caller, id).await?;
        Ok(self.store.import_failures(id).await?)
    }

    /// The imports that have not ended, in the order in which they were asked for.
    pub async fn imports_waiting(&self) -> Result<Vec<Import>, Refusal> {
        let mut waiting = Vec::new();
        for id in self.store.imports_open().await? {
            waiting.extend(self.store.import(&id).await?.filter(|import| !import.status.ended()));
        }
        waiting.sort_by(|one, other| (one.asked, &one.id).cmp(&(other.asked, &other.id)));
        Ok(waiting)
    }
}
