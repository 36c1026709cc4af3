//! An app password: what one device signs in with in place of its owner's password, what it may be used for, and how it is spelled.

use chrono::{DateTime, Utc};

use crate::domain::address::UserName;
use crate::domain::refusal::Fault;

/// One device's password, without the password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    pub id: String,
    pub user: UserName,
    /// What its owner calls it.
    pub name: String,
    pub scope: Scope,
    pub created: DateTime<Utc>,
    /// When it was last used, to the minute or so; `None` until then.
    pub used: Option<DateTime<Utc>>,
}

/// What an app password may be used for. With nothing set: everything but the keys of the account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// CalDAV and CardDAV.
    pub dav: bool,
    /// Sockets, and the tickets that open them.
    pub push: bool,
    /// Reading only.
    pub read: bool,
}

/// What somebody is about to do, as far as scopes tell it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Dav {
        reads: bool,
    },
    Push,
    /// The JSON face.
    Api {
        reads: bool,
    },
    /// Passwords, app passwords, tokens, and looking after people: what would outlive the device.
    Keys,
}

impl Scope {
    /// Reads `dav`, `push`, `read` with spaces between them; nothing is the widest scope.
    ///
    /// ```
    /// use campanile::domain::device::{Purpose, Scope};
    /// let scope = Scope::parse("dav read").unwrap();
    /// assert!(scope.allows(Purpose::Dav { reads: true }));
    /// assert!(!scope.allows(Purpose::Dav { reads: false }));
    /// assert_eq!(scope.to_string(), "dav read");
    /// ```
    pub fn parse(text: &str) -> Result<Scope, Fault> {
        let mut scope = Scope::default();
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            match word {
                "dav" => scope.dav = true,
                "push" => scope.push = true,
                "read" => scope.read = true,
                _ => return Err(Fault::whole(format!("a scope is made of dav, push and read, got {word:?}"))),
            }
        }
        Ok(scope)
    }

    pub fn allows(self, purpose: Purpose) -> bool {
        let anywhere = !self.dav && !self.push;
        match purpose {
            Purpose::Dav { reads } => (self.dav || anywhere) && (reads || !self.read),
            Purpose::Api { reads } => anywhere && (reads || !self.read),
            // A socket can do more than read: in some dialects alarms are acknowledged there.
            Purpose::Push => self.push || (anywhere && !self.read),
            Purpose::Keys => false,
        }
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words = [(self.dav, "dav"), (self.push, "push"), (self.read, "read")];
        let words: Vec<&str> = words.iter().filter(|(set, _)| *set).map(|(_, word)| *word).collect();
        f.write_str(&words.join(" "))
    }
}

/// Characters of an app password: 120 random bits.
const LENGTH: usize = 24;
/// Between hyphens.
const GROUP: usize = 6;
/// What one character stands for: five bits. Without i, l, o and u, which are misread or spell words.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// An app password out of random bytes, one for each character: `3k8w2p-…`, four groups of six.
pub fn spelled(random: [u8; LENGTH]) -> String {
    let mut text = String::with_capacity(LENGTH + LENGTH / GROUP);
    for (at, byte) in random.iter().enumerate() {
        if at > 0 && at % GROUP == 0 {
            text.push('-');
        }
        // There are 32 of them.
        text.push(char::from(ALPHABET[usize::from(byte % 32)]));
    }
    text
}

/// The one form of an app password as somebody typed it: without hyphens and spaces, in lower case. `None` where it cannot be one.
pub fn plain(typed: &str) -> Option<String> {
    // Longer than any spelling of one: not worth a look.
    if typed.len() > 3 * LENGTH {
        return None;
    }
    let plain: String = typed.chars().filter(|c| !matches!(c, '-' | ' ')).map(|c| c.to_ascii_lowercase()).collect();
    (plain.len() == LENGTH && plain.bytes().all(|byte| ALPHABET.contains(&byte))).then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_opens_what_it_names() {
        use Purpose::{Api, Dav, Keys, Push};
        let all = [Dav { reads: true }, Dav { reads: false }, Api { reads: true }, Api { reads: false }, Push, Keys];
        for (scope, want) in [
            ("", [true, true, true, true, true, false]),
            ("dav", [true, true, false, false, false, false]),
            ("push", [false, false, false, false, true, false]),
            ("read", [true, false, true, false, false, false]),
            ("dav read", [true, false, false, false, false, false]),
            ("read dav push", [true, false, false, false, true, false]),
        ] {
            let scope = Scope::parse(scope).expect(scope);
            assert_eq!(all.map(|purpose| scope.allows(purpose)), want, "{scope}");
        }
        for text in ["DAV", "dav,push", "write", "dav\tpush"] {
            assert!(Scope::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_password_is_read_as_people_type_it() {
        let random = std::array::from_fn(|at| at as u8 * 11);
        let text = spelled(random);
        assert_eq!((text.len(), text.matches('-').count()), (27, 3));
        let bare = text.replace('-', "");
        for typed in [text.clone(), bare.clone(), text.to_uppercase(), text.replace('-', " "), format!(" {text} ")] {
            assert_eq!(plain(&typed).as_deref(), Some(bare.as_str()), "{typed:?}");
        }
        let long = "0".repeat(25);
        let wide = format!("{bare}{}", " ".repeat(100));
        for typed in ["", "alice", &bare[1..], &long, &bare.replacen(char::is_alphanumeric, "u", 1), &wide] {
            assert_eq!(plain(typed), None, "{typed:?}");
        }
    }
}
