//! Taking away what nobody needs any more: tickets, uploads, ended imports, journal lines, and what hung on deleted collections.

use std::collections::BTreeSet;

use bytes::Bytes;
use chrono::TimeDelta;

use crate::domain::alarm::State;
use crate::domain::refusal::Refusal;
use crate::kv::{Range, Writes};
use crate::service::Service;
use crate::service::ledger::{Ledger, Wanted};
use crate::store::notifications::Aged;
use crate::store::{keys, record};

/// Rows that one commit removes: a slice small enough that nobody waits for it.
const SLICE: usize = 500;

impl Service {
    /// One sweep over everything. Safe at any time, and safe to break off: what is left waits for the next.
    pub async fn sweep(&self) -> Result<(), Refusal> {
        self.sweep_tickets().await?;
        self.sweep_bearers().await?;
        self.sweep_uploads().await?;
        self.sweep_imports().await?;
        self.sweep_journal().await?;
        self.sweep_rung().await?;
        self.sweep_dead().await?;
        self.sweep_messages().await?;
        self.sweep_tombs().await
    }

    async fn sweep_tickets(&self) -> Result<(), Refusal> {
        let now = self.now();
        let tickets = self.store.tickets().await?;
        self.remove(tickets.into_iter().filter(|(_, t)| t.valid_until <= now).map(|(key, _)| key).collect()).await
    }

    async fn sweep_bearers(&self) -> Result<(), Refusal> {
        let now = self.now();
        let mut gone = Vec::new();
        for (key, bytes) in self.store.all(&keys::bearers()).await? {
            if record::people::bearer(&bytes)?.until.is_some_and(|until| until <= now) {
                gone.push(key);
            }
        }
        self.remove(gone).await
    }

    async fn sweep_uploads(&self) -> Result<(), Refusal> {
        let before = self.now() - TimeDelta::seconds(self.settings.uploads.life_seconds);
        let waiting = self.uploads_in_use().await?;
        for upload in self.store.uploads(None).await? {
            if upload.stored < before && !waiting.contains(&upload.id) {
                self.remove_upload(&upload).await?;
            }
        }
        Ok(())
    }

    async fn sweep_imports(&self) -> Result<(), Refusal> {
        let before = self.now() - TimeDelta::seconds(self.settings.uploads.import_life_seconds);
        for import in self.store.imports().await? {
            if import.status.ended() && import.asked < before {
                self.remove_all(&keys::import_failures(&import.id)).await?;
                let key = import.key.as_ref().map(|key| keys::import_key(&import.user, key));
                self.remove(key.into_iter().chain([keys::import(&import.id)]).collect()).await?;
            }
        }
        Ok(())
    }

    /// Journal lines go in the order in which they were written, up to the first that is young enough or was not told yet.
    async fn sweep_journal(&self) -> Result<(), Refusal> {
        let before = self.now() - TimeDelta::seconds(self.settings.journal.keep_seconds);
        for (shard, told) in (0..keys::SHARDS).zip(self.told().await) {
            let mut range = Range::prefix(&keys::journal_shard(shard));
            loop {
                let rows = self.store.some(range.clone(), SLICE).await?;
                let Some((last, _)) = rows.last() else { break };
                range = range.after(last);
                let mut more = rows.len() == SLICE;
                let mut old = Vec::new();
                for (key, bytes) in rows {
                    let line = record::lines::line(&bytes)?;
                    // An armed alarm keeps its line until it rang, and keeps nobody else's: some are put off by months.
                    if line.not_before.is_some_and(|at| at >= before) {
                        continue;
                    }
                    if line.written >= before || keys::journal_place(&key).is_none_or(|place| place > told) {
                        more = false;
                        break;
                    }
                    old.push(key);
                }
                self.remove(old).await?;
                if !more {
                    break;
                }
            }
        }
        Ok(())
    }

    /// What rang is kept as long as the journal; what rings again, until it did.
    async fn sweep_rung(&self) -> Result<(), Refusal> {
        let before = self.now() - TimeDelta::seconds(self.settings.journal.keep_seconds);
        let (mut old, mut queued) = (Vec::new(), BTreeSet::new());
        for (key, bytes) in self.store.all(&keys::rung_all()).await? {
            let rung = record::alarms::rung(&bytes)?;
            let until = if let State::Snoozed(until) = rung.state { until } else { rung.alarm.at };
            if until.max(rung.alarm.end) < before {
                old.push(key);
                queued.extend(Some(rung.user).filter(|user| self.queues.hold(user)));
            }
        }
        self.remove(old).await?;
        if queued.is_empty() { Ok(()) } else { self.remind_all(queued.into_iter().collect(), self.now()).await }
    }

    /// What was given up is kept for a while, and so many a person: the oldest go first.
    async fn sweep_dead(&self) -> Result<(), Refusal> {
        let before = self.now() - TimeDelta::seconds(self.settings.sinks.keep_seconds);
        let mut dead = self.store.dead_deliveries(None).await?;
        dead.sort_by(|one, two| (&one.user, two.planned).cmp(&(&two.user, one.planned)));
        let mut gone = Vec::new();
        for theirs in dead.chunk_by(|one, two| one.user == two.user) {
            let kept = theirs.iter().take(self.settings.sinks.dead_per_user).take_while(|one| one.planned >= before);
            let kept = kept.count();
            gone.extend(theirs.iter().skip(kept).map(|one| keys::dead(&one.user, one.id)));
        }
        self.remove(gone).await
    }

    /// Messages go when they are old, and the oldest where a person has too many. An unread one is one less to read then.
    async fn sweep_messages(&self) -> Result<(), Refusal> {
        let limits = self.settings.notifications;
        let before = self.now() - TimeDelta::seconds(limits.keep_seconds);
        loop {
            let aged = self.store.aged(before, SLICE).await?;
            if aged.is_empty() {
                break;
            }
            let (rows, aged): (Vec<Bytes>, Vec<Aged>) = aged.into_iter().unzip();
            self.remove_messages(rows, aged).await?;
        }
        for user in self.store.talkative(limits.per_user).await? {
            let mut messages = self.store.messages(&user, None).await?;
            messages.sort_by_key(|(_, message)| message.sent_at);
            let excess = messages.len().saturating_sub(usize::try_from(limits.per_user).unwrap_or(usize::MAX));
            let aged = messages.iter().take(excess).map(|(of, message)| Aged {
                at: message.sent_at,
                user: user.clone(),
                conversation: *of,
                id: message.id,
            });
            for slice in aged.collect::<Vec<_>>().chunks(SLICE) {
                self.remove_messages(Vec::new(), slice.to_vec()).await?;
            }
        }
        Ok(())
    }

    /// One commit of them. `rows` go in any case: one may be left of a message that was said anew since.
    async fn remove_messages(&self, rows: Vec<Bytes>, aged: Vec<Aged>) -> Result<(), Refusal> {
        let mut wanted = Wanted::default();
        aged.iter().for_each(|one| wanted.message(&one.user, one.conversation, one.id));
        let now = self.now();
        self.commit(wanted.reads(), move |seen, stamp| {
            let mut ledger = Ledger::open(&wanted, seen, now)?;
            aged.iter().for_each(|one| ledger.remove(&one.user, one.conversation, one.id, one.at));
            let mut writes: Writes = rows.iter().map(|row| (row.clone(), None)).collect();
            ledger.close(&mut writes, stamp.0);
            Ok((writes, ()))
        })
        .await?;
        Ok(())
    }

    async fn sweep_tombs(&self) -> Result<(), Refusal> {
        for (tomb, _) in self.store.all(&keys::tombs()).await? {
            let Some(id) = keys::tomb_id(&tomb) else { continue };
            // Whom its objects concern is still being told.
            if self.store.burial(id).await?.is_some() {
                continue;
            }
            for family in keys::belongings(id) {
                self.remove_all(&family).await?;
            }
            self.remove(vec![tomb]).await?;
        }
        Ok(())
    }

    /// Removes everything under a prefix that nobody writes to any more.
    pub(crate) async fn remove_all(&self, prefix: &[u8]) -> Result<(), Refusal> {
        loop {
            let rows = self.store.some(Range::prefix(prefix), SLICE).await?;
            if rows.is_empty() {
                return Ok(());
            }
            self.remove(rows.into_iter().map(|(key, _)| key).collect()).await?;
        }
    }

    pub(crate) async fn remove(&self, keys: Vec<Bytes>) -> Result<(), Refusal> {
        for slice in keys.chunks(SLICE) {
            let slice = slice.to_vec();
            self.commit(Vec::new(), move |_, _| Ok((slice.iter().map(|key| (key.clone(), None)).collect(), ())))
                .await?;
        }
        Ok(())
    }
}
