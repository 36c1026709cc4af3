//! The journal: what happened, appended in the commit that made it happen; and the alarms in it that are armed and not yet sent.

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::domain::address::Address;
use crate::domain::collection::CollectionId;
use crate::domain::event::Event;
use crate::domain::object::Armed;
use crate::kv::{Range, Writes};
use crate::store::keys;
use crate::store::record::lines::{self, Line};
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

/// Notifications are numbered from here on: a commit has one pen for what happened, and another for whom it concerns.
const BEHIND: u32 = 1 << 30;

impl Pen {
    pub fn new(written: DateTime<Utc>, stamp: u64) -> Pen {
        Pen { written, stamp, part: 0 }
    }

    /// A second pen of the same commit, whose lines come behind those of the first.
    pub fn behind(written: DateTime<Utc>, stamp: u64) -> Pen {
        Pen { written, stamp, part: BEHIND }
    }

    /// The commit's instant and stamp.
    pub fn when(&self) -> (DateTime<Utc>, u64) {
        (self.written, self.stamp)
    }

    /// Appends a line that may be told at once.
    pub fn tell(&mut self, writes: &mut Writes, event: Event) {
        let shard = shard_of(&event);
        self.line(writes, shard, None, event);
    }

    /// Appends an alarm that may be told at its instant, and arms it. It lies in the shard of its collection, whose object can cancel it.
    pub fn arm(&mut self, writes: &mut Writes, of: CollectionId, at: DateTime<Utc>, event: Event) -> Armed {
        let shard = keys::shard_of_collection(of);
        let part = self.line(writes, shard, Some(at), event);
        let owner = Bytes::copy_from_slice(&of.0.to_be_bytes());
        writes.push((keys::armed(shard, at, self.stamp, part), Some(owner)));
        Armed { at, stamp: self.stamp, part }
    }

    fn line(&mut self, writes: &mut Writes, shard: u8, not_before: Option<DateTime<Utc>>, event: Event) -> u32 {
        let part = self.part;
        self.part += 1;
        let line = Line { written: self.written, not_before, event };
        writes.push((keys::journal(shard, self.stamp, part), Some(lines::pack_line(&line))));
        part
    }
}

/// Order is kept per collection and per person, so each has one shard.
pub fn shard_of(event: &Event) -> u8 {
    match event {
        Event::Changed { collection, .. }
        | Event::RightsChanged { collection, .. }
        | Event::Imported { collection, .. }
        | Event::Importing { collection, .. } => keys::shard_of_collection(*collection),
        Event::ListChanged { user, .. }
        | Event::Rang { user, .. }
        | Event::Notified { user, .. }
        | Event::SignedOut { user, .. }
        | Event::Answered { user, .. }
        | Event::TokenEnded { user, .. } => keys::shard_of_user(user),
        // What is published is told in the order in which it came, whoever it is for.
        Event::Published(_) => 0,
        Event::PresenceChanged { news } | Event::MemberChanged { news, .. } => keys::shard_of_user(&news.member.user),
        Event::GroupChanged { group, .. } => keys::shard_of_organisation(&group.organisation),
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

    /// All alarms that are armed and not yet sent, each with the collection that it rings for.
    pub async fn armed(&self) -> Result<Vec<(Armed, CollectionId)>, StoreError> {
        let mut all = Vec::new();
        for shard in 0..keys::SHARDS {
            for (key, owner) in self.all(&keys::armed_shard(shard)).await? {
                let place = keys::armed_place(&key).map(|(at, stamp, part)| Armed { at, stamp, part });
                let owner = owner.as_ref().try_into().ok().map(|id| CollectionId(u64::from_be_bytes(id)));
                all.push(place.zip(owner).ok_or(StoreError::Unreadable("armed alarm"))?);
            }
        }
        Ok(all)
    }

    /// The line of an armed alarm and where its collection stands; `None` where it was cancelled since, or its collection deleted.
    pub async fn armed_line(&self, armed: &Armed, of: CollectionId) -> Result<Option<(Line, Address)>, StoreError> {
        let shard = keys::shard_of_collection(of);
        let mark = keys::armed(shard, armed.at, armed.stamp, armed.part);
        let keys = vec![mark, keys::journal(shard, armed.stamp, armed.part), keys::collection_at(of)];
        let rows = self.kv().read(keys).await?;
        match rows.as_slice() {
            [Some(_), Some(bytes), Some(at)] => {
                let at = std::str::from_utf8(at).ok().and_then(Address::parse);
                let at = at.ok_or(StoreError::Unreadable("collection place"))?;
                Ok(Some((lines::line(bytes)?, at)))
            }
            _ => Ok(None),
        }
    }
}

/// Takes an armed alarm back: its mark and its line.
pub fn disarm(writes: &mut Writes, of: CollectionId, armed: &Armed) {
    let shard = keys::shard_of_collection(of);
    writes.push((keys::armed(shard, armed.at, armed.stamp, armed.part), None));
    writes.push((keys::journal(shard, armed.stamp, armed.part), None));
}

fn entry(key: &[u8], bytes: &[u8]) -> Result<Entry, StoreError> {
    let (stamp, part) = keys::journal_place(key).ok_or(StoreError::Unreadable("journal place"))?;
    Ok(Entry { stamp, part, line: lines::line(bytes)? })
}
