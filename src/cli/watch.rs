//! `campanile watch`: a Side client that prints every push; the way to see what a service tells.

use std::process::{ExitCode, Stdio};
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use futures_util::{SinkExt, StreamExt};
use http::Method;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::tungstenite::Message;

use crate::cli::client::Client;
use crate::cli::{Failure, Server, collection, say, unread};
use crate::domain::address::{Address, Kind};
use crate::system::pace;

/// The wait before the first new try after the service went away; it doubles up to the longest.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

#[derive(Args)]
pub struct Watch {
    #[command(flatten)]
    server: Server,
    /// The collections to watch; all of the user's calendars and the book "collected" when none is named
    #[arg(value_parser = collection)]
    paths: Vec<Address>,
    /// Print the messages as they came, acknowledgements too
    #[arg(long)]
    json: bool,
    /// Run this for each push, which it gets on its standard input
    #[arg(long, value_name = "CMD")]
    exec: Option<String>,
    /// End after so many pushes
    #[arg(long, value_name = "N")]
    count: Option<u64>,
}

impl Watch {
    pub async fn run(self) -> Result<ExitCode, Failure> {
        let client = Client::new(&self.server)?;
        let mut seen = 0;
        let mut wait = FIRST_WAIT;
        let mut watching = false;
        loop {
            match self.listen(&client, &mut seen, &mut watching).await {
                Ok(true) => return Ok(ExitCode::SUCCESS),
                Ok(false) => {
                    wait = FIRST_WAIT;
                    eprintln!("campanile: the service closed the socket; trying again");
                }
                // What fails before anything was watched, such as a wrong password or path, fails for good.
                Err(failure) if !watching || unread(&failure) => return Err(failure),
                Err(failure) => eprintln!("campanile: {failure}; trying again"),
            }
            pace::sleep(wait).await;
            wait = LONGEST_WAIT.min(wait * 2);
        }
    }

    /// One socket; `true` when enough was seen.
    async fn listen(&self, client: &Client, seen: &mut u64, watching: &mut bool) -> Result<bool, Failure> {
        let paths = match self.paths.as_slice() {
            [] => all_paths(client).await?,
            paths => paths.iter().map(Address::to_string).collect(),
        };
        let ticket = client.send(Method::POST, "/ws/ticket", None, Bytes::new()).await?.ok()?.json()?;
        let value = ticket["value"].as_str().ok_or("the service gave no ticket")?;
        let url = format!("ws://{}/ws?ticket={value}", client.authority());
        let (mut socket, _) = tokio_tungstenite::client_async(url, client.connect().await?).await?;
        socket.send(Message::text(json!({ "register": paths }).to_string())).await?;
        socket.send(Message::text(json!({ "enableDisplayNotification": true }).to_string())).await?;
        while let Some(message) = socket.next().await {
            let Message::Text(text) = message? else { continue };
            let Ok(message) = serde_json::from_str::<Value>(&text) else { continue };
            let news = told(&message);
            if self.json {
                say(format_args!("{}", text.as_str()))?;
            } else if let Some(line) = &news {
                say(format_args!("{line}"))?;
            }
            *watching |= message.get("registered").is_some();
            if let Some(refused) = message.get("notRegistered") {
                eprintln!("campanile: not registered: {refused}");
                if self.paths.len() == refused.as_object().map_or(0, serde_json::Map::len) {
                    return Err("none of the paths can be watched".into());
                }
            }
            if news.is_some() {
                self.execute(text.as_str()).await?;
                *seen += 1;
                if self.count.is_some_and(|count| *seen >= count) {
                    let _ = socket.close(None).await;
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    async fn execute(&self, push: &str) -> Result<(), Failure> {
        let Some(command) = &self.exec else { return Ok(()) };
        let mut child = tokio::process::Command::new("sh").arg("-c").arg(command).stdin(Stdio::piped()).spawn()?;
        if let Some(mut input) = child.stdin.take() {
            // A command that does not read its input is as good as one that does.
            let _ = input.write_all(push.as_bytes()).await;
        }
        let status = child.wait().await?;
        if !status.success() {
            eprintln!("campanile: {command}: {status}");
        }
        Ok(())
    }
}

/// All the calendars of the user, and the book that everybody has.
async fn all_paths(client: &Client) -> Result<Vec<String>, Failure> {
    let me = client.get("/api/me").await?.ok()?.json()?;
    let calendars = client.get("/api/calendars").await?.ok()?.json()?;
    let hrefs = calendars.as_array().into_iter().flatten();
    let mut paths: Vec<String> = hrefs.filter_map(|one| Some(one["href"].as_str()?.to_owned())).collect();
    paths.push(format!("/{}/{}/collected", Kind::AddressBook.root(), me["name"].as_str().unwrap_or_default()));
    Ok(paths)
}

/// A push as a line for people; `None` for acknowledgements.
fn told(message: &Value) -> Option<String> {
    let (key, value) = message.as_object()?.iter().next()?;
    match key.as_str() {
        "alarms" => {
            let alarm = value.get(0)?;
            let text = |key: &str| alarm[key].as_str().unwrap_or_default();
            Some(format!("alarm      {}  at {}  {}", text("eventSummary"), text("eventStartTime"), text("eventURL")))
        }
        "calendarList" => {
            let (change, paths) = value.as_object()?.iter().next()?;
            Some(format!("list       {change} {}", paths.get(0)?.as_str()?))
        }
        path if path.starts_with('/') => match (value.get("syncToken"), value.get("imports")) {
            (Some(token), _) => Some(format!("changed    {path}  {}", token.as_str()?)),
            (_, Some(imports)) => {
                let (id, outcome) = imports.as_object()?.iter().next()?;
                Some(format!("import     {path}  {id} {outcome}"))
            }
            _ => None,
        },
        _ => None,
    }
}
