//! Copies of the whole store, made while the service runs. Their bytes are `kv/dump.rs`'s.

use std::path::PathBuf;
use std::sync::Arc;

use crate::domain::principal::Principal;
use crate::domain::refusal::Refusal;
use crate::kv::dump::{self, DumpError, Held};
use crate::kv::files;
use crate::service::Service;
use crate::system::random;

/// A copy that was made.
#[derive(Clone, Debug)]
pub struct Made {
    pub file: PathBuf,
    pub held: Held,
}

impl Service {
    /// Writes the store as it stands now into a new file beside it. For administrators; `Unsupported` where nothing is on disk, `Busy`
    /// while another copy is being made.
    pub async fn copy_store(self: &Arc<Self>, caller: &Principal) -> Result<Made, Refusal> {
        if !caller.administrator {
            return Err(Refusal::Forbidden);
        }
        let Some(dir) = self.settings.exports.clone() else {
            return Err(Refusal::Unsupported("the store is in memory alone, and nothing of it is on disk".to_owned()));
        };
        let Ok(turn) = self.copying.clone().try_lock_owned() else {
            return Err(Refusal::Busy { limit: "another copy of the store is being made", retry_seconds: 10 });
        };
        let [a, b, c, d] = random::bytes(&*self.random);
        let name = format!("{}-{a:02x}{b:02x}{c:02x}{d:02x}.store", self.now().format("%Y%m%dT%H%M%SZ"));
        let file = dir.join(name);
        let snapshot = self.store.kv().snapshot().map_err(crate::store::StoreError::Kv)?;
        let place = file.clone();
        let written = tokio::task::spawn_blocking(move || {
            // Whoever asked may go away; the next copy waits for the end of this one all the same.
            let _turn = turn;
            files::create_dir(&dir).map_err(crate::kv::KvError::Failed)?;
            dump::write(snapshot, &place)
        });
        match written.await {
            Ok(Ok(held)) => Ok(Made { file, held }),
            Ok(Err(DumpError::Kv(error))) => Err(crate::store::StoreError::Kv(error).into()),
            Ok(Err(error)) => Err(self.fault(&error.to_string())),
            Err(error) => Err(self.fault(&error.to_string())),
        }
    }
}
