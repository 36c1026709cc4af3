//! The journal: what happened, appended in the commit that made it happen; and the alarms in it that are armed and not yet sent.

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::domain::event::{Event, Topic};
use crate::domain::object::Armed;
use crate::kv::{Range, Writes};
use crate::store::keys;
use crate::store::record::{self, Line};
use crate::store::{Store, StoreError};

/// A line with its place.
#[derive(Clone, Debug)]
pub struct Entry {
    pub stamp: u64,
    pub part: u32,
    pub line: Line,
}

/// Collects the lines of one commit and numbers them.
pub struct Pen {
    written: DateTime<Utc>,
    stamp: u64,
    part: u32,
}

impl Pen {
    pub fn new(written: DateTime<Utc>, stamp: u64) -> Pen {
        Pen { written, stamp, part: 0 }
    }

    /// Appends a line that may be told at once.
    pub fn tell(&mut self, writes: &mut Writes, event: Event) {
        let shard = shard_of(&event);
        self.line(writes, shard, None, event);
    }

    /// Appends an alarm that may be told at its instant, and arms it. It lies in the shard of its collection, whose object can cancel it.
    pub fn arm(&mut self, writes: &mut Writes, shard: u8, at: DateTime<Utc>, event: Event) -> Armed {
        let part = self.line(writes, shard, Some(at), event);
        writes.push((keys::armed(shard, at, self.stamp, part), Some(Bytes::new())));
        Armed { at, stamp: self.stamp, part }
    }

    fn line(&mut self, writes: &mut Writes, shard: u8, not_before: Option<DateTime<Utc>>, event: Event) -> u32 {
        let part = self.part;
        self.part += 1;
        let line = Line { written: self.written, not_before, event };
        writes.push((keys::journal(shard, self.stamp, part), Some(record::pack_line(&line))));
        part
    }
}

/// Order is kept per collection and per person, so each has one shard.
pub fn shard_of(event: &Event) -> u8 {
    match event.topic() {
        Topic::Collection(id) => keys::shard_of_collection(id),
        Topic::User(user) => keys::shard_of_user(&user),
    }
}

impl Store {
    /// The lines of a shard behind a stamp and part, in order.
    pub async fn journal_after(
        &self,
        shard: u8,
        stamp: u64,
        part: u32,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let range = Range::prefix(&keys::journal_shard(shard)).after(&keys::journal(shard, stamp, part));
        self.some(range, limit).await?.iter().map(|(key, bytes)| entry(key, bytes)).collect()
    }

    /// The alarms of a shard that are armed and not yet sent, earliest first.
    pub async fn armed(&self, shard: u8, limit: usize) -> Result<Vec<Armed>, StoreError> {
        let rows = self.some(Range::prefix(&keys::armed_shard(shard)), limit).await?;
        let place = |key: &Bytes| keys::armed_place(key).map(|(at, stamp, part)| Armed { at, stamp, part });
        Ok(rows.iter().filter_map(|(key, _)| place(key)).collect())
    }

    /// The lines of armed alarms, those cancelled since left out.
    pub async fn armed_lines(&self, shard: u8, armed: &[Armed]) -> Result<Vec<(Armed, Line)>, StoreError> {
        let marks = armed.iter().map(|a| keys::armed(shard, a.at, a.stamp, a.part));
        let lines = armed.iter().map(|a| keys::journal(shard, a.stamp, a.part));
        let mut rows = self.kv().read(marks.chain(lines).collect()).await?;
        let lines = rows.split_off(armed.len());
        let mut standing = Vec::new();
        for ((armed, mark), line) in armed.iter().zip(rows).zip(lines) {
            if let (Some(_), Some(bytes)) = (mark, line) {
                standing.push((*armed, record::line(&bytes)?));
            }
        }
        Ok(standing)
    }
}

fn entry(key: &[u8], bytes: &[u8]) -> Result<Entry, StoreError> {
    let (stamp, part) = keys::journal_place(key).ok_or(StoreError::Unreadable("journal place"))?;
    Ok(Entry { stamp, part, line: record::line(bytes)? })
}
