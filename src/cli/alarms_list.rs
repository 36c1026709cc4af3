//! `campanile alarms list`: one's alarms in a running service, those that rang and those that are planned.

use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::Value;

use crate::cli::client::Client;
use crate::cli::{Failure, Server, say};
use crate::domain::occurrence;

#[derive(Args)]
pub struct List {
    #[command(flatten)]
    server: Server,
    /// The first instant, such as 2025-01-15T00:00:00Z; a day ago if it is left out
    #[arg(long, value_name = "T")]
    from: Option<DateTime<Utc>>,
    /// The instant behind the last; a week ahead if it is left out
    #[arg(long, value_name = "T")]
    to: Option<DateTime<Utc>>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

impl List {
    pub async fn run(self) -> Result<ExitCode, Failure> {
        let bounds = [("from", self.from), ("to", self.to)];
        let given =
            bounds.iter().filter_map(|(name, bound)| Some(format!("{name}={}", occurrence::instant(bound.as_ref()?))));
        let path = format!("/api/alarms?{}", given.collect::<Vec<_>>().join("&"));
        let alarms = Client::new(&self.server)?.get(&path).await?.ok()?.json()?;
        for alarm in alarms.as_array().ok_or("the service gave no list")? {
            if self.json {
                say(format_args!("{alarm}"))?;
            } else {
                say(format_args!("{}", line(alarm)))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// An alarm for people: when, what became of it, what for.
fn line(alarm: &Value) -> String {
    let text = |key: &str| alarm[key].as_str().unwrap_or_default();
    let state = match alarm["until"].as_str() {
        Some(until) => format!("{} until {until}", text("state")),
        None => text("state").to_owned(),
    };
    format!("{}  {:<8} {state:<12} {}  {}", text("at"), text("action"), text("eventSummary"), text("eventURL"))
}
