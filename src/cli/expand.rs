//! `campanile expand`: the occurrences of a calendar file in a window. Needs no service and no store.

use std::path::PathBuf;
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use clap::Args;
use serde_json::json;

use crate::cli::{FAILED, Failure, Misuse, say};
use crate::domain::occurrence::{self, Occurrence};
use crate::ical::lines::Limits;
use crate::ical::object::CalendarObject;
use crate::ical::recur::budget::{Budget, Exhausted};
use crate::ical::recur::window;

/// A file and a window, as `expand` and `alarms simulate` take them.
#[derive(Args)]
pub struct Question {
    /// The .ics file
    pub file: PathBuf,
    /// The first instant, such as 2025-01-15T00:00:00Z
    #[arg(long, value_name = "T")]
    pub from: DateTime<Utc>,
    /// The instant behind the last
    #[arg(long, value_name = "T")]
    pub to: DateTime<Utc>,
    /// The zone of floating times and all-day events: an IANA name
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub tz: Tz,
    /// Print one JSON object a line
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct Expand {
    #[command(flatten)]
    question: Question,
}

impl Question {
    /// Names the file where a question about it costs too much.
    pub fn costly(&self, exhausted: Exhausted) -> Failure {
        format!("{}: {exhausted}", self.file.display()).into()
    }
}

/// Reads the file of a question, which holds one calendar; its faults name the line.
pub fn read(question: &Question) -> Result<CalendarObject, Failure> {
    if question.from > question.to {
        return Err(Misuse("--from is behind --to").into());
    }
    let file = question.file.as_path();
    let bytes = std::fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let limits = Limits { object_bytes: bytes.len().max(1), ..Limits::default() };
    let object = CalendarObject::read(&bytes, &limits).map_err(|fault| format!("{}: {fault}", file.display()))?;
    for flaw in object.flaws() {
        eprintln!("{}: {flaw}", file.display());
    }
    Ok(object)
}

impl Expand {
    pub fn run(self) -> Result<ExitCode, Failure> {
        let object = read(&self.question)?;
        let Question { from, to, tz, json, .. } = self.question;
        let found = window::occurrences(&object, from, to, tz, &mut Budget::default());
        let mut occurrences = found.map_err(|exhausted| self.question.costly(exhausted))?;
        occurrences.sort_by_key(|occurrence| occurrence.start_at);
        for occurrence in &occurrences {
            if json {
                say(format_args!("{}", shape(occurrence)))?;
            } else {
                let cancelled = if occurrence.cancelled { "  (cancelled)" } else { "" };
                say(format_args!("{:<22} {}{cancelled}", occurrence.start.text(), occurrence.summary))?;
            }
        }
        Ok(ExitCode::from(if object.flaws().is_empty() { 0 } else { FAILED }))
    }
}

fn shape(occurrence: &Occurrence) -> serde_json::Value {
    let mut shape = json!({
        "uid": occurrence.uid,
        "start": occurrence.start.text(),
        "end": occurrence::instant(&occurrence.end_at),
        "summary": occurrence.summary,
    });
    if let Some(id) = &occurrence.recurrence_id {
        shape["recurrence_id"] = json!(id.text());
    }
    if occurrence.cancelled {
        shape["cancelled"] = json!(true);
    }
    shape
}
