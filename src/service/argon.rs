//! Argon2id, computed in memory that is used again: what each check took anew the allocator would keep, in every thread that ever checked.

use std::sync::{Mutex, PoisonError};

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::password_hash::{PasswordVerifier, Result};
use argon2::{Algorithm, Argon2, Block, Params, Version};

/// Memories that are kept for the next check, 19 MiB each: as many as `limits.logins_at_once` is by default.
const KEPT_MAX: usize = 2;

static KEPT: Mutex<Vec<Vec<Block>>> = Mutex::new(Vec::new());

/// A hash in PHC form (m = 19,456 KiB, t = 2, p = 1).
pub fn hash(password: &str, salt: [u8; 16]) -> Option<String> {
    let written = || -> Result<String> {
        let argon = Argon2::default();
        let hash = PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(argon.params().clone())?,
            salt: Some(Salt::new(&salt)?),
            hash: Some(computed(&argon, password, &salt)?),
        };
        Ok(hash.to_string())
    };
    written().ok()
}

/// Whether a hash of that form, with whatever parameters it names, is this password's.
pub fn verify(password: &str, hash: &str) -> bool {
    let Ok(hash) = PasswordHash::new(hash) else { return false };
    if let (Some(salt), Some(wanted), true) = (&hash.salt, &hash.hash, is_usual(&hash)) {
        // Compared in constant time.
        return computed(&Argon2::default(), password, salt.as_ref()).is_ok_and(|found| found == *wanted);
    }
    Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()
}

/// Whether it is a hash as `hash` makes it.
fn is_usual(hash: &PasswordHash) -> bool {
    let usual = ParamsString::try_from(Params::default());
    hash.algorithm == Algorithm::Argon2id.ident()
        && hash.version == Some(Version::V0x13.into())
        && usual.is_ok_and(|usual| usual == hash.params)
        && hash.hash.as_ref().is_some_and(|output| output.as_ref().len() == Params::DEFAULT_OUTPUT_LEN)
}

fn computed(argon: &Argon2<'_>, password: &str, salt: &[u8]) -> Result<Output> {
    let kept = || KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let blocks = argon.params().block_count();
    let mut memory = kept().pop().unwrap_or_else(|| vec![Block::new(); blocks]);
    let mut out = [0; Params::DEFAULT_OUTPUT_LEN];
    let outcome = argon.hash_password_into_with_memory(password.as_bytes(), salt, &mut out, &mut memory);
    let mut kept = kept();
    if kept.len() < KEPT_MAX {
        kept.push(memory);
    }
    drop(kept);
    outcome?;
    Output::new(&out).map_err(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_crates_own_hash() {
        use argon2::password_hash::PasswordHasher;
        for password in ["", "open sesame", "é"] {
            let theirs = Argon2::default().hash_password_with_salt(password.as_bytes(), &[7; 16]).unwrap().to_string();
            assert_eq!(hash(password, [7; 16]).as_deref(), Some(theirs.as_str()));
            assert!(verify(password, &theirs) && !verify("another", &theirs));
        }
    }

    #[test]
    fn other_parameters_count_too() {
        use argon2::password_hash::PasswordHasher;
        let params = Params::new(64, 1, 1, None).unwrap();
        let small = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let text = small.hash_password_with_salt(b"open sesame", &[7; 16]).unwrap().to_string();
        assert!(verify("open sesame", &text) && !verify("open", &text));
        assert!(!verify("open sesame", "$argon2id$v=19$m=19456,t=2,p=1$") && !verify("", ""));
    }
}
