//! `campanile import`: sends files, has them imported, shows how far that is, and tells how it went.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::Value;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use crate::cli::client::{Client, encoded};
use crate::cli::{FAILED, Failure, PARTLY, Server, collection, say};
use crate::domain::address::{Address, Kind};
use crate::domain::import::Mode;
use crate::system::pace;

/// Characters of a full bar.
const BAR_WIDTH: u64 = 30;
/// How often a running import is asked how it stands.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

#[derive(Args)]
pub struct Import {
    #[command(flatten)]
    server: Server,
    /// The files: .ics or .vcf, also gzipped or in a zip
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The collection that they go into, such as /calendars/alice/default
    #[arg(long, value_name = "PATH", value_parser = collection)]
    into: Address,
    /// What becomes of items that are there: skip leaves them, upsert replaces them, mirror also removes what the source no longer holds
    #[arg(long, default_value = "upsert", value_parser = ["skip", "upsert", "mirror"])]
    mode: String,
    /// Which of several sources of the collection a mirror keeps up
    #[arg(long, default_value = "default")]
    source: String,
    /// Count what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Let a mirror remove more than half of what it holds
    #[arg(long)]
    force: bool,
    /// Print the outcomes as JSON, one line a file
    #[arg(long)]
    json: bool,
}

/// How a file fared, from best to worst.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fared {
    Well,
    Partly,
    Badly,
}

impl Import {
    pub async fn run(self) -> Result<ExitCode, Failure> {
        if self.files.len() > 1 && Mode::parse(&self.mode) == Some(Mode::Mirror) {
            return Err(crate::cli::Misuse("a mirror is one file: put several into a zip").into());
        }
        let client = Client::new(&self.server)?;
        let mut all = Vec::new();
        for file in &self.files {
            all.push(self.one(&client, file).await?);
        }
        Ok(ExitCode::from(match () {
            () if all.iter().all(|fared| *fared == Fared::Well) => 0,
            () if all.iter().all(|fared| *fared == Fared::Badly) => FAILED,
            () => PARTLY,
        }))
    }

    async fn one(&self, client: &Client, file: &Path) -> Result<Fared, Failure> {
        let named = |error| format!("{}: {error}", file.display());
        let mut opened = File::open(file).await.map_err(named)?;
        let mut first = Vec::with_capacity(2);
        (&mut opened).take(2).read_to_end(&mut first).await.map_err(named)?;
        opened.rewind().await.map_err(named)?;
        let media = match self.into.kind() {
            _ if first == [0x1F, 0x8B] => "application/gzip",
            _ if first == b"PK" => "application/zip",
            Kind::Calendar => "text/calendar",
            Kind::AddressBook => "text/vcard",
        };
        let ask = format!(
            "/api/imports?target={}&mode={}&source={}&dry_run={}&force={}",
            encoded(&self.into.to_string()),
            self.mode,
            encoded(&self.source),
            self.dry_run,
            self.force
        );
        let taken = client
            .send_file(&ask, media, opened, |gone, all| progress(Some(("sent", gone, all))))
            .await?
            .ok()?
            .json()?;
        let id = taken["id"].as_str().ok_or("the service gave no id")?.to_owned();
        loop {
            let stands = client.get(&format!("/api/imports/{id}")).await?.ok()?.json()?;
            match stands["status"].as_str() {
                Some("completed" | "failed" | "cancelled") => {
                    progress(None);
                    return self.tell(client, &id, &stands).await;
                }
                _ => progress(Some(("done", count(&stands, "done"), count(&stands, "total")))),
            }
            pace::sleep(LOOK_AGAIN).await;
        }
    }

    async fn tell(&self, client: &Client, id: &str, stands: &Value) -> Result<Fared, Failure> {
        let errors = client.get(&format!("/api/imports/{id}/errors")).await?.ok()?;
        for line in String::from_utf8_lossy(&errors.body).lines() {
            eprintln!("{line}");
        }
        for warning in stands["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            eprintln!("warning: {warning}");
        }
        if self.json {
            say(format_args!("{stands}"))?;
        } else {
            let (fine, failed) = (&stands["succeedCount"], &stands["failedCount"]);
            let mut line =
                format!("{}: {fine} imported, {failed} failed", stands["status"].as_str().unwrap_or_default());
            for key in ["skipped", "deleted", "repaired"] {
                if stands[key].as_u64().is_some_and(|count| count > 0) {
                    line.push_str(&format!(", {} {key}", stands[key]));
                }
            }
            say(format_args!("{line}"))?;
        }
        let went_in = count(stands, "succeedCount") + count(stands, "skipped");
        Ok(match (stands["status"].as_str(), went_in, count(stands, "failedCount")) {
            (Some("completed"), _, 0) => Fared::Well,
            (Some("completed"), 1.., _) => Fared::Partly,
            _ => Fared::Badly,
        })
    }
}

fn count(stands: &Value, key: &str) -> u64 {
    stands[key].as_u64().unwrap_or(0)
}

/// So much of all, as a bar.
fn bar(word: &str, part: u64, all: u64) -> String {
    let share =
        |of: u64| u64::try_from(u128::from(part.min(all)) * u128::from(of) / u128::from(all.max(1))).unwrap_or(of);
    let full = "#".repeat(usize::try_from(share(BAR_WIDTH)).unwrap_or(0));
    format!("[{full:.<width$}] {:3} % {word}, {part} of {all}", share(100), width = BAR_WIDTH as usize)
}

/// How far an import is, where somebody watches: one line that is written over, and cleared at the end.
fn progress(stands: Option<(&str, u64, u64)>) {
    let mut out = std::io::stderr().lock();
    if !out.is_terminal() {
        return;
    }
    // Nothing depends on whether that line can be written.
    let _ = match stands {
        Some((word, part, all)) => write!(out, "\r{}\x1b[K", bar(word, part, all)),
        None => write!(out, "\r\x1b[K"),
    };
    let _ = out.flush();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_grows_with_its_part() {
        let rows = [
            (0, 0, 0, 0),
            (0, 10, 0, 0),
            (1, 3, 10, 33),
            (10, 10, 30, 100),
            (11, 10, 30, 100),
            (u64::MAX, u64::MAX, 30, 100),
        ];
        for (part, all, full, percent) in rows {
            let bar = bar("done", part, all);
            let drawn = format!("[{}{}] {percent:3} % done, {part} of {all}", "#".repeat(full), ".".repeat(30 - full));
            assert_eq!(bar, drawn);
        }
    }
}
