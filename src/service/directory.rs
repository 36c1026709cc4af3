//! How people and this instance are called on wires that know no login names. Answers from memory.

use std::sync::OnceLock;

use uuid::Uuid;

use crate::domain::address::UserName;
use crate::domain::refusal::Refusal;
use crate::service::Service;
use crate::store::{StoreError, keys};
use crate::system::random;

/// The root of the identifiers of people. It must never change.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f1d_3c52_8a0e_4d7b_9c36_41be_70f2_5a88);

#[derive(Debug, Default)]
pub struct Directory {
    origin: OnceLock<Uuid>,
}

impl Directory {
    /// This instance; nil before the store was asked.
    pub fn origin(&self) -> Uuid {
        self.origin.get().copied().unwrap_or_default()
    }

    /// A person: the same for ever, on every node.
    pub fn person(&self, user: &UserName) -> Uuid {
        Uuid::new_v5(&NAMESPACE, format!("user:{user}").as_bytes())
    }

    /// The tenant that somebody belongs to: the instance itself.
    pub fn tenant(&self, _: &UserName) -> Uuid {
        self.origin()
    }
}

impl Service {
    pub fn directory(&self) -> &std::sync::Arc<Directory> {
        &self.directory
    }

    /// Reads the name of this instance, or gives it one: at the first start, once for the life of the store.
    pub async fn start_directory(&self) -> Result<(), Refusal> {
        let fresh = random::uuid(&*self.random);
        let row = keys::instance();
        let (_, origin) = self
            .commit(vec![row.clone()], move |seen, _| match seen.first() {
                Some(Some(known)) => {
                    let known = Uuid::from_slice(known).map_err(|_| StoreError::Unreadable("instance"))?;
                    Ok((Vec::new(), known))
                }
                _ => Ok((vec![(row.clone(), Some(fresh.into_bytes().to_vec().into()))], fresh)),
            })
            .await?;
        // A second start finds it there.
        let _ = self.directory.origin.set(origin);
        Ok(())
    }
}
