//! `campanile store …`: the files of a store: a copy of it, what is in it, whether it holds together, its rows in fresh files. Works on a
//! store that no service holds; a copy is also made by the service that holds it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use bytes::Bytes;
use clap::{Args, Subcommand};
use http::Method;

use crate::app;
use crate::cli::client::{Client, code};
use crate::cli::serve::configured;
use crate::cli::{ConfigFlags, Failure, Misuse, Server, say};
use crate::config::Config;
use crate::config::store::Engine;
use crate::kv::dump::{self, beside};
use crate::kv::{Kv, KvError, files};

#[derive(Subcommand)]
pub enum Store {
    /// Write all rows into one file; with --user, the running service writes it beside its store
    Export(Export),
    /// Make a store of the configured engine from an exported file
    Import(Import),
    /// Read all rows and tell what does not fit together; exit code 1 where something does not
    Check(Flags),
    /// Tell how many rows of what there are, and the bytes on disk
    Stats(Flags),
    /// Write all rows into fresh files, which take the place of the old ones
    Compact(Flags),
}

#[derive(Args)]
pub struct Flags {
    #[command(flatten)]
    flags: ConfigFlags,
}

#[derive(Args)]
pub struct Export {
    #[command(flatten)]
    flags: ConfigFlags,
    #[command(flatten)]
    server: Server,
    /// The file to make; the service chooses the name itself
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

#[derive(Args)]
pub struct Import {
    #[command(flatten)]
    flags: ConfigFlags,
    /// What `store export` made
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

impl Store {
    pub async fn run(self) -> Result<ExitCode, Failure> {
        match self {
            Store::Export(command) => command.run().await,
            Store::Import(command) => command.run(),
            Store::Check(Flags { flags }) => check(&flags).await,
            Store::Stats(Flags { flags }) => stats(&flags).await,
            Store::Compact(Flags { flags }) => compact(&flags).await,
        }
    }
}

impl Export {
    async fn run(self) -> Result<ExitCode, Failure> {
        match (&self.server.user, &self.file) {
            (Some(_), Some(_)) => Err(Misuse("a service chooses the name of the file itself").into()),
            (None, None) => Err(Misuse("give the FILE to make, or --user to ask the running service").into()),
            (Some(_), None) => {
                let client = Client::new(&self.server)?;
                let made = client.send(Method::POST, "/api/store/exports", None, Bytes::new()).await?.ok()?.json()?;
                let number = |name: &str| made[name].as_u64().unwrap_or_default();
                let file = made["file"].as_str().unwrap_or_default();
                say(format_args!("{file}: {} rows, {} bytes", number("rows"), number("bytes")))?;
                Ok(ExitCode::SUCCESS)
            }
            (None, Some(file)) => {
                let (kv, _) = open(&self.flags)?;
                let held = dump::write(kv.snapshot()?, file)?;
                kv.close().await?;
                say(format_args!("{}: {} rows, {} bytes", file.display(), held.rows, held.bytes))?;
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

impl Import {
    fn run(self) -> Result<ExitCode, Failure> {
        let config = on_disk(&self.flags)?;
        let dir = &config.store.path;
        files::settle(dir)?;
        if dir.exists() && dir.read_dir()?.next().is_some() {
            return Err(format!("{} is not empty: give an empty directory, or none", dir.display()).into());
        }
        let held = fresh(&config, &self.file, dir)?;
        say(format_args!("{}: {} rows from {} bytes", dir.display(), held.rows, held.bytes))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Fills a new store from a file, and puts it into its place when it is whole.
fn fresh(config: &Config, file: &Path, dir: &Path) -> Result<dump::Held, Failure> {
    let new = beside(dir, ".new");
    if new.exists() {
        // Left by one that was cut off: never a store that anyone opened.
        std::fs::remove_dir_all(&new)?;
    }
    let filled = app::open_engine(config, &new).map_err(Failure::from).and_then(|engine| {
        let held = dump::read(file, &*engine)?;
        drop(engine);
        match dir.exists() {
            true => files::replace(dir, &new)?,
            false => files::rename(&new, dir)?,
        }
        Ok(held)
    });
    if filled.is_err() && new.exists() {
        std::fs::remove_dir_all(&new)?;
    }
    filled
}

async fn check(flags: &ConfigFlags) -> Result<ExitCode, Failure> {
    let (kv, _) = open(flags)?;
    let survey = app::survey(&*kv)?;
    kv.close().await?;
    for finding in &survey.findings {
        say(format_args!("{finding}"))?;
    }
    let (collections, objects) = (survey.collections, survey.objects);
    say(format_args!("{collections} collections, {objects} objects: {} findings", survey.found))?;
    Ok(code(survey.found == 0))
}

async fn stats(flags: &ConfigFlags) -> Result<ExitCode, Failure> {
    let (kv, _) = open(flags)?;
    let survey = app::survey(&*kv)?;
    let disk = kv.disk_bytes();
    kv.close().await?;
    let (mut rows, mut bytes) = (0, 0);
    for (family, (count, size)) in &survey.families {
        say(format_args!("{family:<20} {count:>12} rows {size:>15} bytes"))?;
        (rows, bytes) = (rows + count, bytes + size);
    }
    say(format_args!("{:<20} {rows:>12} rows {bytes:>15} bytes", "all"))?;
    say(format_args!("{:<20} {:>17} {disk:>15} bytes", "on disk", ""))?;
    Ok(ExitCode::SUCCESS)
}

async fn compact(flags: &ConfigFlags) -> Result<ExitCode, Failure> {
    let (kv, config) = open(flags)?;
    let dir = &config.store.path;
    let file = beside(dir, ".compact");
    if file.exists() {
        // Left by one that was cut off.
        std::fs::remove_file(&file)?;
    }
    let before = kv.disk_bytes();
    let written = dump::write(kv.snapshot()?, &file);
    kv.close().await?;
    drop(kv);
    written?;
    let filled = fresh(&config, &file, dir);
    std::fs::remove_file(&file)?;
    let held = filled?;
    let (kv, _) = open(flags)?;
    let after = kv.disk_bytes();
    kv.close().await?;
    say(format_args!("{}: {} rows, {before} bytes on disk before, {after} now", dir.display(), held.rows))?;
    Ok(ExitCode::SUCCESS)
}

/// The configuration, where its store lies on disk.
fn on_disk(flags: &ConfigFlags) -> Result<Config, Failure> {
    let (config, _) = configured(flags, &[], None)?;
    match config.store.engine {
        Engine::Memory => Err("store.engine is \"memory\": nothing of it is on disk".into()),
        Engine::Sled | Engine::Redb => Ok(config),
    }
}

/// Opens a store that is there already.
fn open(flags: &ConfigFlags) -> Result<(Arc<dyn Kv>, Config), Failure> {
    let config = on_disk(flags)?;
    let dir = &config.store.path;
    files::settle(dir)?;
    if !dir.exists() {
        return Err(format!("there is no store at {}", dir.display()).into());
    }
    match app::open_store(&config) {
        Err(KvError::Held(at)) => Err(format!(
            "a service holds the store at {at}: stop it first; for an export, give --user and --password of an administrator to ask it"
        )
        .into()),
        opened => Ok((opened?, config)),
    }
}
