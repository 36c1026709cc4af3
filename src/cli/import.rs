//! `campanile import`: uploads a file, has it imported, and tells how it went.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http::Method;
use serde_json::{Value, json};

use crate::cli::client::{Client, encoded};
use crate::cli::{FAILED, Failure, PARTLY, Server, collection, say};
use crate::domain::address::{Address, Kind};
use crate::system::pace;

/// How often a running import is asked how it stands.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

#[derive(Args)]
pub struct Import {
    #[command(flatten)]
    server: Server,
    /// The file: .ics or .vcf
    file: PathBuf,
    /// The collection that it goes into, such as /calendars/alice/default
    #[arg(long, value_name = "PATH", value_parser = collection)]
    into: Address,
    /// Print the outcome as JSON
    #[arg(long)]
    json: bool,
}

impl Import {
    pub async fn run(self) -> Result<ExitCode, Failure> {
        let media = match self.into.kind() {
            Kind::Calendar => "text/calendar",
            Kind::AddressBook => "text/vcard",
        };
        let bytes = tokio::fs::read(&self.file).await.map_err(|error| format!("{}: {error}", self.file.display()))?;
        let name = self.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let client = Client::new(&self.server)?;
        let upload = format!("/api/files?name={}&size={}&mimetype={media}", encoded(&name), bytes.len());
        let kept = client.send(Method::POST, &upload, Some(media), Bytes::from(bytes)).await?.ok()?.json()?;
        let asked =
            json!({ "fileId": kept["_id"], "target": format!("{}.json", encoded(&self.into.to_string())) }).to_string();
        let import =
            client.send(Method::POST, "/api/import", Some("application/json"), asked.into()).await?.ok()?.json()?;
        let id = import["importId"].as_str().ok_or("the service gave no id")?.to_owned();
        loop {
            let stands = client.get(&format!("/api/imports/{id}")).await?.ok()?.json()?;
            match stands["status"].as_str() {
                Some("completed" | "failed") => return self.tell(&client, &id, &stands).await,
                _ => pace::sleep(LOOK_AGAIN).await,
            }
        }
    }

    async fn tell(&self, client: &Client, id: &str, stands: &Value) -> Result<ExitCode, Failure> {
        let errors = client.get(&format!("/api/imports/{id}/errors")).await?.ok()?;
        for line in String::from_utf8_lossy(&errors.body).lines() {
            eprintln!("{line}");
        }
        if self.json {
            say(format_args!("{stands}"))?;
        } else {
            let (fine, failed) = (&stands["succeedCount"], &stands["failedCount"]);
            say(format_args!("{}: {fine} imported, {failed} failed", stands["status"].as_str().unwrap_or_default()))?;
        }
        let count = |key: &str| stands[key].as_u64();
        Ok(ExitCode::from(match (stands["status"].as_str(), count("succeedCount"), count("failedCount")) {
            (Some("completed"), _, Some(0)) => 0,
            (Some("completed"), Some(1..), _) => PARTLY,
            _ => FAILED,
        }))
    }
}
