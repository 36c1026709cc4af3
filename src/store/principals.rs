//! Rows of people and of their bearer tokens.

use crate::domain::address::UserName;
use crate::domain::bearer::Bearer;
use crate::domain::principal::Principal;
use crate::store::keys;
use crate::store::record;
use crate::store::{Store, StoreError};

impl Store {
    pub async fn principal(&self, name: &UserName) -> Result<Option<Principal>, StoreError> {
        self.get(keys::user(name)).await?.map(|bytes| record::people::principal(&bytes)).transpose()
    }

    /// The login name that belongs to a mail address; case does not matter.
    pub async fn user_of_mail(&self, address: &str) -> Result<Option<UserName>, StoreError> {
        let row = self.get(keys::mail(address)).await?;
        Ok(row.and_then(|bytes| std::str::from_utf8(&bytes).ok().and_then(UserName::new)))
    }

    pub async fn principals(&self) -> Result<Vec<Principal>, StoreError> {
        self.all(&keys::users()).await?.iter().map(|(_, bytes)| record::people::principal(bytes)).collect()
    }

    pub async fn bearer(&self, token: &str) -> Result<Option<Bearer>, StoreError> {
        self.get(keys::bearer(token)).await?.map(|bytes| record::people::bearer(&bytes)).transpose()
    }
}
