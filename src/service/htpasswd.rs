//! A password file in Apache's form: lines of `name:hash`. Read again when it changes; a line that cannot be used is warned of by its
//! number, never by what it says.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::{self, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use crate::domain::address::UserName;
use crate::domain::principal::login_name;
use crate::service::crypt::Hashed;

/// A larger file is not read: nobody of it signs in. 8 MiB are some hundred thousand people.
const FILE_BYTES_MAX: u64 = 8_388_608;

/// What a file held when it was read.
#[derive(Default)]
pub struct Book {
    /// `None` where two lines share a name, in whatever spelling: nobody can tell which is meant.
    entries: HashMap<UserName, Option<Hashed>>,
    /// What the passwords of people who are not listed are tried against, so that they cost the same.
    decoy: Option<Hashed>,
}

impl Book {
    /// Reads the text of such a file. Answers the numbers of the lines that cannot be used too.
    pub fn read(text: &str, plain: bool) -> (Book, Vec<usize>) {
        let mut book = Book::default();
        let mut unusable = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let read = line.split_once(':').and_then(|(name, rest)| {
                // Some programs keep more behind a further colon.
                let hash = rest.split(':').next().unwrap_or_default();
                Some((login_name(name)?, Hashed::read(hash, plain)?))
            });
            let Some((name, hashed)) = read else {
                unusable.push(number + 1);
                continue;
            };
            book.decoy.get_or_insert_with(|| hashed.clone());
            match book.entries.entry(name) {
                Entry::Vacant(free) => {
                    free.insert(Some(hashed));
                }
                Entry::Occupied(mut taken) => {
                    taken.insert(None);
                    unusable.push(number + 1);
                }
            }
        }
        (book, unusable)
    }

    pub fn hash_of(&self, name: &UserName) -> Option<&Hashed> {
        self.entries.get(name)?.as_ref()
    }

    pub fn decoy(&self) -> Option<&Hashed> {
        self.decoy.as_ref()
    }
}

/// How one file differs from another, or from itself later.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Look {
    modified: Option<SystemTime>,
    bytes: u64,
    inode: u64,
}

impl Look {
    fn of(metadata: &Metadata) -> Look {
        Look { modified: metadata.modified().ok(), bytes: metadata.len(), inode: metadata.ino() }
    }
}

/// The file, if one is configured, and what it held last.
#[derive(Default)]
pub struct Htpasswd {
    path: Option<PathBuf>,
    plain: bool,
    held: Mutex<(Option<Look>, Arc<Book>)>,
}

impl Htpasswd {
    /// Without a path nobody is listed. `plain`: passwords may stand there as they are.
    pub fn new(path: Option<PathBuf>, plain: bool) -> Htpasswd {
        Htpasswd { path, plain, held: Mutex::default() }
    }

    /// What the file holds now. One that cannot be read lists nobody.
    pub fn book(&self) -> Arc<Book> {
        let Some(path) = &self.path else { return Arc::default() };
        let look = fs::metadata(path).ok().map(|metadata| Look::of(&metadata));
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.0 == look && look.is_some() {
            return held.1.clone();
        }
        let book = match text(path) {
            Ok(text) => {
                let (book, unusable) = Book::read(&text, self.plain);
                if !unusable.is_empty() {
                    tracing::warn!(lines = ?unusable, "lines of auth.htpasswd cannot be used");
                }
                Arc::new(book)
            }
            Err(error) => {
                // Said once for each time that it goes away.
                if held.0.is_some() {
                    tracing::warn!(%error, "auth.htpasswd cannot be read: nobody of it signs in");
                }
                Arc::default()
            }
        };
        *held = (look, book.clone());
        book
    }
}

/// The whole file, if it is a text of a size that can be meant.
pub fn text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    fs::File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::other(format!("larger than {FILE_BYTES_MAX} bytes")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_people() {
        let text = "# people\n\nalice:{SHA}abc=\nBob:$apr1$a$b:Robert\n carol : $2y$04$x \nno colon\ndora:md5\neve:\n:x\na b:{SHA}x\n";
        let (book, unusable) = Book::read(text, false);
        let hash = |name: &str| book.hash_of(&UserName::new(name).expect("a name")).map(Hashed::text);
        assert_eq!((hash("alice"), hash("bob"), hash("Bob")), (Some("{SHA}abc="), Some("$apr1$a$b"), None));
        assert_eq!((hash("carol"), hash("dora")), (None, None));
        assert_eq!(unusable, [5, 6, 7, 8, 9, 10]);
        assert_eq!(book.decoy().map(Hashed::text), Some("{SHA}abc="));
        // Of two who are one person nobody signs in.
        let (book, unusable) = Book::read("alice:{SHA}a\nbob:{SHA}b\nALICE:{SHA}c\nalice:{SHA}d\n", false);
        assert!(book.hash_of(&UserName::new("alice").expect("a name")).is_none());
        assert!(book.hash_of(&UserName::new("bob").expect("a name")).is_some());
        assert_eq!(unusable, [3, 4]);
    }
}
