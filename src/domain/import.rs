//! An import: a file on its way into a collection.

use chrono::{DateTime, Utc};

use crate::domain::address::{Address, UserName};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    pub id: String,
    pub user: UserName,
    pub file: String,
    pub target: Address,
    pub asked: DateTime<Utc>,
    pub status: Status,
    /// How many items of the file are done: a crash goes on from here.
    pub cursor: u64,
    pub total: u64,
    pub counts: Counts,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Queued,
    Running,
    Completed,
    Failed,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Queued => "queued",
            Status::Running => "running",
            Status::Completed => "completed",
            Status::Failed => "failed",
        }
    }

    pub fn ended(self) -> bool {
        matches!(self, Status::Completed | Status::Failed)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub created: u64,
    pub updated: u64,
    pub unchanged: u64,
    pub failed: u64,
}

impl Counts {
    pub fn succeeded(&self) -> u64 {
        self.created + self.updated + self.unchanged
    }
}

/// One item of the file that did not go in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The line of the file where the item begins or where the fault lies; counted from 1.
    pub line: u64,
    pub uid: Option<String>,
    pub why: String,
}

/// A file that was uploaded and waits for its import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    pub id: String,
    pub user: UserName,
    pub name: String,
    pub media: Media,
    pub size: u64,
    pub stored: DateTime<Utc>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    Calendar,
    Card,
}

impl Media {
    pub fn as_str(self) -> &'static str {
        match self {
            Media::Calendar => "text/calendar",
            Media::Card => "text/vcard",
        }
    }

    /// Case does not matter; parameters such as a charset are ignored.
    pub fn parse(text: &str) -> Option<Media> {
        let essence = text.split(';').next().unwrap_or_default().trim();
        [Media::Calendar, Media::Card].into_iter().find(|media| media.as_str().eq_ignore_ascii_case(essence))
    }
}
