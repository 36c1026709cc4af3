//! What is to become of the next items of a file: each is read, gets its name, or fails. Writes nothing.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::domain::access::Right;
use crate::domain::collection::Collection;
use crate::domain::import::{Failure, Import, Mode};
use crate::domain::refusal::Refusal;
use crate::ical::split;
use crate::service::Service;
use crate::service::answers::Turned;
use crate::service::importing::text::{Text, placed};
use crate::service::ledger::Said;
use crate::service::objects::Prepared;
use crate::store::keys;

/// An item of the file on its way, or why it cannot go in.
pub(crate) struct Candidate {
    pub line: u64,
    pub uid: Option<String>,
    pub outcome: Result<Planned, (String, &'static str)>,
}

/// What goes in, under which name, and which alarms it acknowledges.
pub(crate) struct Planned {
    pub name: Arc<str>,
    pub prepared: Prepared,
    pub turned: Vec<Turned>,
    /// The mirror brought it before, under another UID.
    pub known: bool,
    pub repaired: bool,
    pub content: Option<String>,
}

impl Planned {
    /// The messages of the alarms that it acknowledges.
    pub fn answered(&self) -> impl Iterator<Item = Said> {
        self.turned.iter().map(|turned| Said::of_alarm(&turned.rung, &self.prepared.uid))
    }
}

impl Service {
    /// What is to become of the next items.
    pub(crate) async fn plan_items(
        &self,
        import: &Import,
        text: &mut Text,
        view: &Result<(Collection, Right), Refusal>,
        now: DateTime<Utc>,
    ) -> Result<Vec<Candidate>, Refusal> {
        let mut batch: Vec<Candidate> = Vec::new();
        let mut met: HashSet<String> = HashSet::new();
        for item in self.some_items(text, import.cursor).await? {
            let item = match item {
                Ok(item) => item,
                Err(failure) => {
                    let Failure { line, uid, why } = placed(text, failure);
                    batch.push(Candidate { line, uid, outcome: Err((why, "invalid")) });
                    continue;
                }
            };
            let source = match view {
                Ok((source, right)) if *right >= Right::ReadWrite && takes(import, source) => Ok(source),
                Ok(_) => Err(Refusal::Forbidden),
                Err(refusal) => Err(refusal.clone()),
            };
            let uid = item.uid.clone();
            let outcome = match source {
                Ok(source) => self.plan_item(import, source, item.clone(), now, &mut met).await,
                Err(refusal) => Err(refusal),
            };
            let failure = Failure { line: item.line, uid: Some(uid), why: String::new() };
            let Failure { line, uid, why } = placed(text, failure);
            let outcome = match outcome {
                Err(refusal @ (Refusal::Fault { .. } | Refusal::Busy { .. })) => return Err(refusal),
                outcome => outcome.map_err(|refusal| (format!("{why}{refusal}"), code(&refusal))),
            };
            batch.push(Candidate { line, uid, outcome });
        }
        Ok(batch)
    }

    async fn plan_item(
        &self,
        import: &Import,
        source: &Collection,
        item: split::Item,
        now: DateTime<Utc>,
        met: &mut HashSet<String>,
    ) -> Result<Planned, Refusal> {
        let split::Item { uid, bytes, repaired, content, .. } = item;
        let prepared = self.prepare(source, Bytes::from(bytes), now).await?;
        let holder = self.store.get(keys::uid(source.id, &prepared.uid)).await?;
        let holder = holder.and_then(|name| String::from_utf8(name.to_vec()).ok());
        // Some calendars give their events new UIDs with each export.
        if import.order.mode == Mode::Mirror
            && holder.is_none()
            && let Some(content) = &content
            && let Some(name) = self.store.held_content(source.id, &import.order.source, content).await?
            && let Some(held) = self.store.held_one(source.id, &import.order.source, &name).await?
            && held.run != import.id
            && self.store.object(source.id, &name).await?.is_some()
            && met.insert(name.clone())
        {
            return Ok(Planned {
                name: Arc::from(name),
                prepared,
                turned: Vec::new(),
                known: true,
                repaired,
                content: held.content,
            });
        }
        let name = match holder {
            Some(name) => name,
            None => self.free_name(source, &uid).await?,
        };
        let turned = match &prepared.answers {
            Some(after) => self.answered(source, &name, after, &[], None).await?,
            None => Vec::new(),
        };
        Ok(Planned { name: Arc::from(name), prepared, turned, known: false, repaired, content })
    }
}

/// A word for why an item did not go in.
pub(crate) fn code(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Unauthenticated | Refusal::Expired | Refusal::Forbidden => "forbidden",
        Refusal::NotFound => "not-found",
        Refusal::Exists | Refusal::UidTaken(_) | Refusal::Precondition => "conflict",
        Refusal::Invalid(_) | Refusal::Unstorable(_) | Refusal::Unschedulable { .. } => "invalid",
        Refusal::Unsupported(_) => "unsupported",
        Refusal::TooLarge { .. } => "too-large",
        Refusal::StaleToken | Refusal::Busy { .. } | Refusal::TooOften { .. } | Refusal::Fault { .. } => "internal",
        Refusal::Full(_) | Refusal::NoRoom(_) => "full",
    }
}

/// Whether a collection takes this import at all: what a feed keeps takes its feed's alone.
pub(crate) fn takes(import: &Import, collection: &Collection) -> bool {
    import.order.fed || collection.kept.is_none()
}
