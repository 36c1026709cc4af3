//! Directories that outlast a power cut, and the mark of one that was written to. Knows no engine.

use std::fs;
use std::fs::File;
use std::path::Path;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use crate::kv::dump::beside;
use crate::kv::engine::Fault;

/// Makes the directory and what is missing above it, each synced into the one above.
pub fn create_dir(dir: &Path) -> Result<(), Fault> {
    if dir.is_dir() {
        return Ok(());
    }
    let above = match dir.parent() {
        Some(above) if !above.as_os_str().is_empty() => above,
        _ => Path::new("."),
    };
    if above != dir {
        create_dir(above)?;
    }
    fs::create_dir_all(dir).map_err(|error| format!("cannot make {}: {error}", dir.display()))?;
    sync(above)
}

/// Syncs what is in a file, or the names in a directory: a new file is durable only when its name is.
pub fn sync(path: &Path) -> Result<(), Fault> {
    let synced = File::open(path).and_then(|file| file.sync_all());
    synced.map_err(|error| format!("cannot sync {}: {error}", path.display()))
}

/// What a store is called while another one of the same rows takes its place.
const BEFORE: &str = ".before";
/// What lies in the directory of a store beside the files of its engine, and outlives them.
const COMPANIONS: &[&str] = &["spool", "exports"];

/// Puts a new directory in the place of a store that nobody has open. Cut off anywhere, [`settle`] ends it or takes it back.
pub fn replace(dir: &Path, new: &Path) -> Result<(), Fault> {
    settle(dir)?;
    let before = beside(dir, BEFORE);
    rename(dir, &before)?;
    rename(new, dir)?;
    settle(dir)
}

/// Ends a [`replace`] that was cut off: the old store comes back where there is no new one yet, else it goes.
pub fn settle(dir: &Path) -> Result<(), Fault> {
    let before = beside(dir, BEFORE);
    if !before.exists() {
        return Ok(());
    }
    if !dir.exists() {
        return rename(&before, dir);
    }
    for name in COMPANIONS {
        if before.join(name).exists() && !dir.join(name).exists() {
            rename(&before.join(name), &dir.join(name))?;
        }
    }
    fs::remove_dir_all(&before).map_err(|error| format!("cannot remove {}: {error}", before.display()))
}

/// A rename that outlasts a power cut.
pub fn rename(from: &Path, to: &Path) -> Result<(), Fault> {
    fs::rename(from, to).map_err(|error| format!("cannot rename {} to {}: {error}", from.display(), to.display()))?;
    match to.parent() {
        Some(above) if !above.as_os_str().is_empty() => sync(above),
        _ => sync(Path::new(".")),
    }
}

/// An empty file that says: there were rows here. Engines take a file that lost its bytes for a new one, and would begin from nothing.
#[derive(Debug)]
pub struct Mark {
    path: PathBuf,
    is_made: AtomicBool,
}

impl Mark {
    /// Refuses a directory that has the mark and no rows.
    pub fn check(dir: &Path, has_rows: bool) -> Result<Mark, Fault> {
        let path = dir.join("campanile.mark");
        let is_made = path.exists();
        if is_made && !has_rows {
            let path = path.display();
            return Err(format!(
                "no rows, where there were some: another engine keeps them (store.engine), or they are lost; restore a backup, or \
                 remove {path} to begin with nothing"
            ));
        }
        Ok(Mark { path, is_made: AtomicBool::new(is_made) })
    }

    /// After the first batch is durable; later calls do nothing.
    pub fn make(&self) -> Result<(), Fault> {
        if self.is_made.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        File::create(&self.path).map_err(|error| format!("cannot make {}: {error}", self.path.display()))?;
        sync(&self.path)?;
        self.path.parent().map_or(Ok(()), sync)
    }
}
