//! Directories that outlast a power cut, and the mark of one that was written to. Knows no engine.

use std::fs;
use std::fs::File;
use std::path::Path;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

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
