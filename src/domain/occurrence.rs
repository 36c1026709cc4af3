//! One instance of an event or a to-do.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};

/// A start as its author meant it: an instant, a clock reading in whatever zone the reader is in, or a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Moment {
    Instant(DateTime<Utc>),
    Floating(NaiveDateTime),
    Date(NaiveDate),
}

impl Moment {
    /// `2025-01-15T09:00:00Z`, `2025-01-15T09:00:00` or `2025-01-15`.
    pub fn text(&self) -> String {
        match self {
            Moment::Instant(at) => instant(at),
            Moment::Floating(at) => at.format("%Y-%m-%dT%H:%M:%S").to_string(),
            Moment::Date(day) => day.format("%Y-%m-%d").to_string(),
        }
    }
}

/// RFC 3339 in UTC to the second: `2025-01-15T09:00:00Z`.
pub fn instant(at: &DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrence {
    pub uid: String,
    pub start: Moment,
    /// The start as an instant; dates and floating times stand in the zone that the question named.
    pub start_at: DateTime<Utc>,
    pub end_at: DateTime<Utc>,
    /// The original start, where the component recurs.
    pub recurrence_id: Option<Moment>,
    pub cancelled: bool,
    pub summary: String,
}
