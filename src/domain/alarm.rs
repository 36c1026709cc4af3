//! One ringing of one alarm.

use chrono::{DateTime, Utc};

use crate::domain::address::UserName;
use crate::domain::event::Rang;
use crate::domain::occurrence::Moment;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    Display,
    Audio,
    Email,
}

impl Action {
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Display => "DISPLAY",
            Action::Audio => "AUDIO",
            Action::Email => "EMAIL",
        }
    }
}

/// An alarm at an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firing {
    pub at: DateTime<Utc>,
    pub uid: String,
    /// The start of the instance it rings for; `None` for an absolute trigger of a recurring component.
    pub occurrence: Option<Moment>,
    /// That start as an instant: what a push shows as the event's start.
    pub start_at: DateTime<Utc>,
    pub end_at: DateTime<Utc>,
    pub action: Action,
    pub summary: String,
    /// The alarm's own SUMMARY: the subject of a mail.
    pub subject: String,
    pub description: String,
    /// To whom an EMAIL alarm is mailed; empty means the owner.
    pub attendees: Vec<String>,
    /// Stable for this alarm of this instance at this instant, over restarts and over writes that do not touch it.
    pub id: u64,
    /// Whether it repeats an alarm that rang and was put off in the text; its number is that alarm's.
    pub repeats: bool,
}

/// What became of an alarm after it rang.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nobody has heard it yet.
    Waiting,
    Told,
    Acknowledged,
    /// Rings again at this instant.
    Snoozed(DateTime<Utc>),
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            State::Waiting => "waiting",
            State::Told => "told",
            State::Acknowledged => "acknowledged",
            State::Snoozed(_) => "snoozed",
        }
    }
}

/// An alarm that rang for a person, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rung {
    pub user: UserName,
    pub alarm: Rang,
    pub state: State,
}
