//! A mirror's end: what its source held before and no longer holds is removed. Only what a mirror of that source brought, and only when nothing speaks
//! against it.

use std::collections::HashSet;
use std::sync::Arc;

use crate::domain::access::{Right, right_of};
use crate::domain::collection::Collection;
use crate::domain::dead::Holder;
use crate::domain::import::Import;
use crate::domain::refusal::Refusal;
use crate::service::Service;
use crate::service::collections::standing;
use crate::service::importing::ITEMS_A_COMMIT;
use crate::service::importing::plan::takes;
use crate::service::ledger::{Ledger, Wanted};
use crate::service::objects::{gone, seal, seen_object, unlay};
use crate::service::veil;
use crate::store::held::{self, Held};
use crate::store::journal::Pen;
use crate::store::{dead, imports, keys, notifications, record};

/// Rows that are looked at together.
const PAGE: usize = 500;
/// A mirror may always remove so many; more only if they are not most of what it holds.
const FEW: u64 = 10;

impl Service {
    /// Removes what this run of a mirror did not meet. Nothing of it where the file was cut off, an item failed, or too much would go.
    pub(crate) async fn remove_gone(
        &self,
        mut import: Import,
        whole: bool,
        seen: &HashSet<Arc<str>>,
    ) -> Result<Import, Refusal> {
        let view = match self.view(&import.user, &import.target).await {
            Ok(view) => view,
            Err(Refusal::NotFound | Refusal::Forbidden) => return Ok(import),
            Err(refusal) => return Err(refusal),
        };
        let is_gone = |import: &Import, name: &str, held: &Held| match import.order.dry_run {
            true => !seen.contains(name),
            false => held.run != import.id,
        };
        let (mut all, mut missing) = (0, 0);
        let mut after: Option<String> = None;
        loop {
            let page = self.store.held(view.source.id, &import.order.source, after.as_deref(), PAGE).await?;
            all += page.len() as u64;
            missing += page.iter().filter(|(name, held)| is_gone(&import, name, held)).count() as u64;
            match page.last() {
                Some((last, _)) => after = Some(last.clone()),
                None => break,
            }
        }
        if missing == 0 {
            return Ok(import);
        }
        let against = match () {
            () if !whole => Some("the file is not whole"),
            () if import.counts.failed > 0 => Some("some items failed"),
            () if missing > FEW && missing * 2 > all && !import.order.force => {
                Some("they are more than half of what the source held; force=true removes them")
            }
            () => None,
        };
        if let Some(why) = against {
            return self
                .note(import, move |import| import.warn(&format!("{missing} objects were not removed: {why}")))
                .await;
        }
        if import.order.dry_run {
            return self.note(import, move |import| import.counts.deleted = missing).await;
        }
        let mut after: Option<String> = None;
        while !import.status.ended() {
            let page = self.store.held(view.source.id, &import.order.source, after.as_deref(), PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            let names: Vec<(String, Held)> =
                page.into_iter().filter(|(name, held)| is_gone(&import, name, held)).collect();
            for slice in names.chunks(ITEMS_A_COMMIT) {
                import = self.remove_some(import, &view.source, slice.to_vec()).await?;
            }
        }
        Ok(import)
    }

    /// Changes what is kept of an import that has not ended.
    async fn note(
        &self,
        import: Import,
        change: impl Fn(&mut Import) + Send + Sync + 'static,
    ) -> Result<Import, Refusal> {
        let (_, import) = self
            .commit(vec![keys::import(&import.id)], move |seen, _| {
                let Some(Some(row)) = seen.first() else { return Err(Refusal::NotFound) };
                let mut import = record::imports::import(row)?;
                let mut writes = Vec::new();
                if !import.status.ended() {
                    change(&mut import);
                    imports::write(&mut writes, &import);
                }
                Ok((writes, import))
            })
            .await?;
        Ok(import)
    }

    async fn remove_some(
        &self,
        import: Import,
        source: &Collection,
        names: Vec<(String, Held)>,
    ) -> Result<Import, Refusal> {
        let mut wanted = Wanted::default();
        let mut concerned = Vec::new();
        let mut reads = vec![keys::import(&import.id), keys::collection(&source.address)];
        for (name, _) in &names {
            if let Some(object) = self.store.object(source.id, name).await? {
                concerned.extend(self.unread_about(source, &object.uid, &mut wanted).await?);
            }
            reads.push(keys::object(source.id, name));
            reads.push(keys::held(source.id, &import.order.source, name));
        }
        let messages = reads.len();
        reads.extend(wanted.reads());
        let (of, now) = (source.id, self.now());
        let (_, import) = self
            .commit(reads, move |seen, stamp| {
                let Some(Some(row)) = seen.first() else { return Err(Refusal::NotFound) };
                let mut import = record::imports::import(row)?;
                if import.status.ended() {
                    return Ok((Vec::new(), import));
                }
                let mut head = standing(seen.get(1), of)?;
                let right = right_of(&import.user, &head);
                if right < Right::ReadWrite || !takes(&import, &head) {
                    return Ok((Vec::new(), import));
                }
                let (mut writes, mut changes) = (Vec::new(), Vec::new());
                let rows = seen.get(2..messages).unwrap_or_default().chunks(2);
                for (part, ((name, known), rows)) in (0..).zip(names.iter().zip(rows)) {
                    let before = seen_object(rows.first())?;
                    let current = rows.get(1).and_then(Option::as_ref).map(|row| held::held(row)).transpose()?;
                    // Another run met it meanwhile; or it is private, and not this person's to remove.
                    if current.as_ref() != Some(known) || veil::check(right, before.as_ref()).is_err() {
                        continue;
                    }
                    held::remove(&mut writes, of, &import.order.source, name, known);
                    let Some(before) = before else { continue };
                    notifications::write_standing(&mut writes, of, &before.uid, None);
                    dead::remove(&mut writes, &Holder::Object(of, before.name.clone()), before.dead);
                    unlay(&mut writes, &mut head, &before, now, stamp, part);
                    changes.push(gone(&before));
                }
                let mut ledger = Ledger::open(&wanted, seen.get(messages..).unwrap_or_default(), now)?;
                concerned.iter().for_each(|(user, of)| ledger.read(user, *of, |_| true, false));
                ledger.close(&mut writes, stamp.0);
                import.counts.deleted += changes.len() as u64;
                if !changes.is_empty() {
                    seal(&mut Pen::new(now, stamp.0), &mut writes, head, changes.into(), stamp);
                }
                imports::write(&mut writes, &import);
                Ok((writes, import))
            })
            .await?;
        self.nudge_edge(now);
        Ok(import)
    }
}
