//! Files that wait on disk beside the store: written piece by piece, synced before anybody is told of them. Knows nothing of what they hold.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

use crate::system::random;

/// How much of an arriving file is held before it is written.
const HELD_BYTES: usize = 131_072;

/// The directory of such files.
#[derive(Debug)]
pub struct Spool {
    dir: PathBuf,
    /// It goes when the service does.
    passing: bool,
}

/// A file on its way in. Dropped before its end, it leaves nothing.
#[derive(Debug)]
pub struct Arriving {
    part: Option<tokio::io::BufWriter<tokio::fs::File>>,
    part_path: PathBuf,
    path: PathBuf,
    hash: Sha256,
    size: u64,
}

impl Spool {
    /// Files lie in that directory, or in one that is made up and goes with the service. It is made with the first file.
    pub fn new(dir: Option<PathBuf>, random: &dyn random::Random) -> Spool {
        match dir {
            Some(dir) => Spool { dir, passing: false },
            None => {
                let name = format!("campanile-spool-{}", random::uuid(random).simple());
                Spool { dir: std::env::temp_dir().join(name), passing: true }
            }
        }
    }

    /// Where a file lies. Names are made by the service, never by a client.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Opens a new file.
    pub async fn begin(&self, name: &str) -> io::Result<Arriving> {
        let (path, part_path) = (self.path(name), self.path(&format!("{name}.part")));
        tokio::fs::create_dir_all(&self.dir).await?;
        only_ours(&self.dir)?;
        let file = tokio::fs::File::create(&part_path).await?;
        let part = Some(tokio::io::BufWriter::with_capacity(HELD_BYTES, file));
        Ok(Arriving { part, part_path, path, hash: Sha256::new(), size: 0 })
    }

    /// Removes a file. One that is not there is no failure.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.path(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Removes what a crash left: all files but those that are wanted.
    pub fn clear(&self, wanted: impl Fn(&str) -> bool) -> io::Result<()> {
        let entries = match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            if !entry.file_name().to_str().is_some_and(&wanted) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        if self.passing {
            // A directory that was never made cannot be removed, and needs not be.
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
}

impl Arriving {
    pub async fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        self.hash.update(piece);
        self.size += piece.len() as u64;
        match &mut self.part {
            Some(part) => part.write_all(piece).await,
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    /// SHA-256 of what was written so far.
    pub fn hash(&self) -> [u8; 32] {
        self.hash.clone().finalize().into()
    }

    /// Syncs the file and gives it its name. Answers the SHA-256 of all of it.
    pub async fn finish(mut self) -> io::Result<[u8; 32]> {
        if let Some(mut part) = self.part.take() {
            part.flush().await?;
            part.get_ref().sync_all().await?;
        }
        tokio::fs::rename(&self.part_path, &self.path).await?;
        if let Some(dir) = self.path.parent().map(Path::to_owned) {
            // The name, too, must be on disk before a row names it.
            let synced = tokio::task::spawn_blocking(move || File::open(dir)?.sync_all());
            synced.await.map_err(io::Error::other)??;
        }
        Ok(std::mem::take(&mut self.hash).finalize().into())
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        if self.part.is_some() {
            let _ = fs::remove_file(&self.part_path);
        }
    }
}

/// Calendars are nobody else's business on this machine.
#[cfg(unix)]
fn only_ours(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn only_ours(_dir: &Path) -> io::Result<()> {
    Ok(())
}
