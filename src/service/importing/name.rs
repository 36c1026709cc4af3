//! The name that an imported object is stored under.

use sha2::{Digest, Sha256};

use crate::domain::address::Kind;
use crate::domain::collection::Collection;
use crate::domain::refusal::Refusal;
use crate::service::Service;

impl Service {
    /// The name that a new item is stored under. Clients name their objects as they like, so the plain name may be another's.
    pub(crate) async fn free_name(&self, source: &Collection, uid: &str) -> Result<String, Refusal> {
        let kind = source.address.kind();
        if let Some(name) = plain_name(uid, kind)
            && self.store.object(source.id, &name).await?.is_none()
        {
            return Ok(name);
        }
        Ok(hashed_name(uid, kind))
    }
}

/// The UID as a name, where it is plain.
fn plain_name(uid: &str, kind: Kind) -> Option<String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'@' | b'-');
    let fits = (1..=200).contains(&uid.len()) && uid.bytes().all(plain) && !uid.starts_with('.');
    fits.then(|| format!("{uid}{}", kind.suffix()))
}

fn hashed_name(uid: &str, kind: Kind) -> String {
    let digest = Sha256::digest(uid.as_bytes());
    let hex: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{hex}{}", kind.suffix())
}
