//! An import: a file on its way into a collection.

use chrono::{DateTime, Utc};

use crate::domain::address::{Address, UserName};

/// Failed items of one import that are told one by one; beyond them they are only counted.
pub const FAILURES_LISTED: usize = 1_000;

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
    pub order: Order,
    /// What was odd about the file as a whole, at most `WARNINGS_MAX`.
    pub warnings: Vec<String>,
    /// Under which key of the sender's it was asked for.
    pub key: Option<Vec<u8>>,
}

/// Warnings that one import tells.
pub const WARNINGS_MAX: usize = 10;

impl Import {
    pub fn warn(&mut self, warning: &str) {
        if self.warnings.len() < WARNINGS_MAX && !self.warnings.iter().any(|known| known == warning) {
            self.warnings.push(warning.to_owned());
        }
    }

    /// Items that are done with, however that went.
    pub fn done(&self) -> u64 {
        self.counts.succeeded() + self.counts.skipped + self.counts.failed
    }
}

/// What an import does with a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order {
    pub mode: Mode,
    /// Which of several sources of one collection a mirror keeps up.
    pub source: String,
    /// Everything is looked at and counted, nothing is written.
    pub dry_run: bool,
    /// A mirror may remove more than half of what it holds.
    pub force: bool,
    /// A feed brings it: it may go into what a feed keeps, and its end is told by the feed alone.
    pub fed: bool,
}

/// What becomes of items that are there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// They stay.
    Skip,
    /// They are replaced.
    #[default]
    Upsert,
    /// They are replaced, and what the source held and no longer holds is removed.
    Mirror,
}

impl Mode {
    pub const ALL: [Mode; 3] = [Mode::Skip, Mode::Upsert, Mode::Mirror];

    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Skip => "skip",
            Mode::Upsert => "upsert",
            Mode::Mirror => "mirror",
        }
    }

    pub fn parse(text: &str) -> Option<Mode> {
        Mode::ALL.into_iter().find(|mode| mode.as_str() == text)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Queued,
    Running,
    Completed,
    Failed,
    Cancelled,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Queued => "queued",
            Status::Running => "running",
            Status::Completed => "completed",
            Status::Failed => "failed",
            Status::Cancelled => "cancelled",
        }
    }

    pub fn ended(self) -> bool {
        matches!(self, Status::Completed | Status::Failed | Status::Cancelled)
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub created: u64,
    pub updated: u64,
    pub unchanged: u64,
    pub failed: u64,
    /// Left as it was, as asked.
    pub skipped: u64,
    /// Removed, as the source no longer holds it.
    pub deleted: u64,
    /// Of those that went in: what the RFC requires was missing, and was added.
    pub repaired: u64,
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
    /// The encoding that the sender named.
    pub charset: Option<String>,
    /// It came with its import, and goes with it.
    pub once: bool,
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
