//! Rows of those who act for the owner of a home, and of whom somebody acts for.

use bytes::Bytes;

use crate::domain::access::{Proxy, Right};
use crate::domain::address::UserName;
use crate::kv::Writes;
use crate::store::keys;
use crate::store::record::{pack, unpack, user};
use crate::store::{Store, StoreError};

const WHAT: &str = "proxies";

impl Store {
    /// Those who act for somebody.
    pub async fn proxies(&self, owner: &UserName) -> Result<Vec<Proxy>, StoreError> {
        seen(Some(&self.get(keys::proxies(owner)).await?))
    }

    /// Whom somebody acts for.
    pub async fn acts_for(&self, user: &UserName) -> Result<Vec<UserName>, StoreError> {
        let rows = self.all(&keys::all_acts_for(user)).await?;
        Ok(rows.iter().filter_map(|(key, _)| keys::acts_for_owner(key)).collect())
    }
}

/// Reads a row that a decision was handed.
pub fn seen(row: Option<&Option<Bytes>>) -> Result<Vec<Proxy>, StoreError> {
    let Some(bytes) = row.and_then(Option::as_ref) else { return Ok(Vec::new()) };
    let rows: Vec<(String, bool)> = unpack(WHAT, bytes)?;
    let proxy = |(name, writes): (String, bool)| {
        let right = if writes { Right::ReadWrite } else { Right::Read };
        Ok(Proxy { user: user(WHAT, &name)?, right })
    };
    rows.into_iter().map(proxy).collect()
}

/// Writes who acts for somebody now, and takes back what others are no longer.
pub fn write(writes: &mut Writes, owner: &UserName, before: &[Proxy], after: &[Proxy]) {
    let rows: Vec<(&str, bool)> =
        after.iter().map(|proxy| (proxy.user.as_str(), proxy.right >= Right::ReadWrite)).collect();
    writes.push((keys::proxies(owner), (!rows.is_empty()).then(|| pack(rows))));
    for gone in before.iter().filter(|proxy| !after.iter().any(|other| other.user == proxy.user)) {
        writes.push((keys::acts_for(&gone.user, owner), None));
    }
    for proxy in after {
        writes.push((keys::acts_for(&proxy.user, owner), Some(Bytes::new())));
    }
}
