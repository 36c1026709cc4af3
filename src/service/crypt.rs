//! Password hashes as other programs write them: bcrypt, argon2, SHA-crypt, Apache's MD5 and SHA-1. Checked here, never made.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use sha_crypt::{PasswordVerifier, ShaCrypt};
use sha1::Sha1;

use crate::service::argon;

/// bcrypt looks at no byte beyond these, so two longer passwords could be one to it.
const BCRYPT_BYTES: usize = 72;

/// A hash whose sort is known. Neither it nor what is compared with it can be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Hashed {
    sort: Sort,
    text: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Bcrypt,
    Argon2,
    ShaCrypt,
    Apr1,
    Sha1,
    Plain,
}

impl Hashed {
    /// Tells the sort by the beginning. `None` for one that is not known, and for plain text, which no beginning marks, unless `plain`.
    pub fn read(text: &str, plain: bool) -> Option<Hashed> {
        let sorts = [
            ("$2y$", Sort::Bcrypt),
            ("$2b$", Sort::Bcrypt),
            ("$2a$", Sort::Bcrypt),
            ("$argon2id$", Sort::Argon2),
            ("$5$", Sort::ShaCrypt),
            ("$6$", Sort::ShaCrypt),
            ("$apr1$", Sort::Apr1),
            ("{SHA}", Sort::Sha1),
        ];
        let known = sorts.iter().find(|(start, _)| text.starts_with(start)).map(|(_, sort)| *sort);
        // What looks like a hash of another sort is no password that somebody would type.
        let bare = plain && !text.is_empty() && !text.starts_with(['$', '{']);
        let sort = known.or(bare.then_some(Sort::Plain))?;
        Some(Hashed { sort, text: text.to_owned() })
    }

    /// The whole text: what a remembered login must still stand by.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether this is the hash of that password. A hash that cannot be read is nobody's.
    pub fn fits(&self, password: &str) -> bool {
        let text = self.text.as_str();
        match self.sort {
            Sort::Bcrypt => password.len() <= BCRYPT_BYTES && bcrypt::verify(password, text).unwrap_or(false),
            Sort::Argon2 => argon::verify(password, text),
            Sort::ShaCrypt => ShaCrypt::default().verify_password(password.as_bytes(), text).is_ok(),
            Sort::Apr1 => {
                let salt = text.split('$').nth(2).unwrap_or_default();
                same(&apr1(password.as_bytes(), salt), text)
            }
            Sort::Sha1 => same(&format!("{{SHA}}{}", STANDARD.encode(Sha1::digest(password))), text),
            Sort::Plain => same(password, text),
        }
    }
}

/// Whether two texts are equal, in a time that does not tell how far they are.
fn same(one: &str, other: &str) -> bool {
    sha2::Sha256::digest(one) == sha2::Sha256::digest(other)
}

const APR1: &str = "$apr1$";
/// Apache uses so many characters of a salt.
const APR1_SALT: usize = 8;
/// The digits of `crypt`'s own base 64.
const DIGITS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Apache's variant of the MD5 crypt of FreeBSD: a thousand rounds of MD5 over password, salt and what was there.
fn apr1(password: &[u8], salt: &str) -> String {
    let salt = salt.get(..APR1_SALT).unwrap_or(salt);
    let mut first = Md5::new().chain_update(password).chain_update(APR1).chain_update(salt);
    let mut digest = Md5::new().chain_update(password).chain_update(salt).chain_update(password).finalize();
    for part in password.chunks(digest.len()) {
        first.update(&digest[..part.len()]);
    }
    let mut bits = password.len();
    while bits > 0 {
        // The original took a byte of a cleared buffer here.
        first.update(if bits & 1 == 1 { &[0][..] } else { password.get(..1).unwrap_or_default() });
        bits >>= 1;
    }
    digest = first.finalize();
    for round in 0..1_000 {
        let mut next = Md5::new();
        next.update(if round % 2 == 1 { password } else { &digest[..] });
        if round % 3 != 0 {
            next.update(salt);
        }
        if round % 7 != 0 {
            next.update(password);
        }
        next.update(if round % 2 == 1 { &digest[..] } else { password });
        digest = next.finalize();
    }
    // Sixteen bytes, so none of these indices is out of it.
    let mut text = format!("{APR1}{salt}$");
    for (a, b, c) in [(0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5)] {
        digits(&mut text, u32::from_be_bytes([0, digest[a], digest[b], digest[c]]), 4);
    }
    digits(&mut text, u32::from(digest[11]), 2);
    text
}

/// The lowest six bits first.
fn digits(text: &mut String, mut number: u32, count: usize) {
    for _ in 0..count {
        // Below 64.
        text.push(char::from(DIGITS[(number % 64) as usize]));
        number /= 64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_of_other_programs_are_understood() {
        let phrase = "correct horse é";
        let long = "a long password that is longer than sixteen bytes";
        let edge = "x".repeat(72);
        let argon = argon::hash(phrase, [7; 16]).expect("a hash");
        // Made by openssl passwd, openssl dgst, and Python's bcrypt and passlib.
        let rows = [
            (phrase, "$apr1$saltSALT$txJkPDRg/drc61qH1yL7N0"),
            ("", "$apr1$ab$S8K6Sgp3W8c9Jb6LxgywZ."),
            (long, "$apr1$abcdefgh$sHv2fEQ3AMwFhcIPueXA5/"),
            (phrase, "$5$saltSALT$jl/uPTG/nEqbvsyy6UzIqM9dQdWj94LQFzaaYyxnI1."),
            (phrase, "$5$rounds=1000$abc$1mUZaKE4oN9Z/VZz3tEyROOpTcALhoYfl9t32mOiO6A"),
            (
                phrase,
                "$6$saltSALT$wBZpZ7b2EKEaoTUgeX/0KJh9lcvd7gTLYA9pdKSH1j8/1jkoUs/aE6NiuVQsN53x1.djO8lWj7rKwXDO4zOah/",
            ),
            (phrase, "{SHA}/8wfRUGm8tTSBrWrjhQj2hPe5cw="),
            (phrase, "$2b$04$XK4QFQLHbSVRtfZ8PWvVqOgsCPri6L/1/9k6VGSf.2MJVNMU0vkSu"),
            (phrase, "$2y$04$XK4QFQLHbSVRtfZ8PWvVqOgsCPri6L/1/9k6VGSf.2MJVNMU0vkSu"),
            (&edge, "$2b$04$KjXijmPg0zlviBzKU1on.eFoB9QZfPEi11TJigG.H/LuHoy5Fx4CS"),
            (phrase, &argon),
        ];
        for (password, text) in rows {
            let hashed = Hashed::read(text, false).expect(text);
            assert!(hashed.fits(password), "{text}");
            for wrong in ["wrong", &format!("{password}x"), text] {
                assert!(!hashed.fits(wrong), "{text} {wrong}");
            }
            // A hash that was cut off, or is one letter longer, is nobody's; and nothing panics over it.
            for broken in (0..text.len()).filter(|at| text.is_char_boundary(*at)).map(|at| &text[..at]) {
                assert!(!Hashed::read(broken, false).is_some_and(|hashed| hashed.fits(password)), "{broken}");
            }
        }
    }

    #[test]
    fn plain_text_counts_only_where_it_is_asked_for() {
        for text in ["secret", "$1$abc$def", "{SSHA}abc", "", "$argon2i$v=19$x"] {
            assert!(Hashed::read(text, false).is_none(), "{text}");
            assert_eq!(Hashed::read(text, true).is_some(), text == "secret", "{text}");
        }
        assert!(Hashed::read("secret", true).is_some_and(|hashed| hashed.fits("secret") && !hashed.fits("Secret")));
    }
}
