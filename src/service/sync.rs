//! What changed in a collection since a token.

use std::collections::BTreeMap;

use crate::domain::collection::Collection;
use crate::domain::refusal::Refusal;
use crate::domain::sync::{Change, Token};
use crate::service::Service;

impl Service {
    /// What became of each name since `token`; `StaleToken` for a token that this collection did not give or has forgotten.
    pub async fn changes_since(
        &self,
        collection: &Collection,
        token: Token,
    ) -> Result<BTreeMap<String, Change>, Refusal> {
        self.store.changes_since(collection, token).await?.ok_or(Refusal::StaleToken)
    }
}
