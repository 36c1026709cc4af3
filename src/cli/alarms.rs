//! `campanile alarms simulate`: the alarms of a calendar file in a window. Needs no service and no store; `alarms list` is next door.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::cli::alarms_list::List;
use crate::cli::expand::{Question, read};
use crate::cli::{FAILED, Failure, say};
use crate::domain::occurrence;
use crate::ical::alarms::{self, Policy};
use crate::ical::recur::budget::Budget;

#[derive(Subcommand)]
pub enum Alarms {
    /// Print the alarms of a calendar file in a window; needs no service
    Simulate(Simulate),
    /// Print one's alarms in a running service: those that rang and those that are planned
    List(List),
}

#[derive(Args)]
pub struct Simulate {
    #[command(flatten)]
    question: Question,
    /// The mail address of the listener: alarms of what they declined stay silent
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
}

impl Alarms {
    pub async fn run(self) -> Result<ExitCode, Failure> {
        let simulate = match self {
            Alarms::List(list) => return list.run().await,
            Alarms::Simulate(simulate) => simulate,
        };
        let object = read(&simulate.question)?;
        let Question { from, to, tz, json, .. } = simulate.question;
        let policy = Policy { require_accepted: false, user_email: simulate.email.unwrap_or_default() };
        let found = alarms::firings(&object, from, to, tz, &policy, &mut Budget::default());
        for firing in found.map_err(|exhausted| simulate.question.costly(exhausted))? {
            let at = occurrence::instant(&firing.at);
            let start = firing.occurrence.map(|moment| moment.text());
            if json {
                let shape = json!({
                    "at": at,
                    "uid": firing.uid,
                    "occurrence": start,
                    "action": firing.action.as_str(),
                    "description": firing.description,
                    "summary": firing.summary,
                    "attendees": firing.attendees,
                });
                say(format_args!("{shape}"))?;
            } else {
                let to = if firing.attendees.is_empty() { "" } else { "  to " };
                say(format_args!(
                    "{at}  {:<8} {}  {}{to}{}",
                    firing.action.as_str(),
                    start.unwrap_or_default(),
                    firing.summary,
                    firing.attendees.join(", ")
                ))?;
            }
        }
        Ok(ExitCode::from(if object.flaws().is_empty() { 0 } else { FAILED }))
    }
}
