//! One step of an import: the next items and the new cursor, in one commit.

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::domain::access::{Right, right_of};
use crate::domain::collection::Collection;
use crate::domain::event::ObjectChange;
use crate::domain::import::{Counts, FAILURES_LISTED, Failure, Import, Mode};
use crate::domain::refusal::Refusal;
use crate::kv::{Stamp, Writes};
use crate::service::Service;
use crate::service::answers::{self, Turned};
use crate::service::collections::standing;
use crate::service::importing::plan::{Candidate, Planned, code, takes};
use crate::service::importing::text::Text;
use crate::service::ledger::{Ledger, Wanted};
use crate::service::objects::{check_component, check_uid, lay, seal, seen_object, zones_of};
use crate::service::room::Room;
use crate::service::veil;
use crate::store::held::{self, Held};
use crate::store::journal::Pen;
use crate::store::{imports, keys, record};

impl Service {
    /// The next items of the file, and the new cursor, in one commit.
    pub(crate) async fn import_some(&self, import: Import, text: &mut Text) -> Result<Import, Refusal> {
        let before = import.counts;
        let now = self.now();
        let view = match self.view(&import.user, &import.target).await {
            Err(refusal) if !matches!(refusal, Refusal::Forbidden | Refusal::NotFound) => return Err(refusal),
            view => view.map(|view| (view.source, view.right)),
        };
        // The zones are read before alarms are planned in them, so a change that comes between is seen.
        let zones = match &view {
            Ok((source, _)) => {
                let owner = self.store.principal(source.address.user()).await?;
                (source.timezone.clone(), owner.and_then(|owner| owner.timezone))
            }
            Err(_) => (None, None),
        };
        let batch = self.plan_items(&import, text, &view, now).await?;
        let dry = import.order.dry_run;
        if dry {
            text.seen.extend(batch.iter().filter_map(|one| one.outcome.as_ref().ok()).map(|item| item.name.clone()));
        }
        let mut reads = vec![keys::import(&import.id)];
        if let Ok((source, _)) = &view {
            reads.push(keys::collection(&source.address));
            reads.push(keys::user(source.address.user()));
            for item in batch.iter().filter_map(|one| one.outcome.as_ref().ok()) {
                reads.push(keys::object(source.id, &item.name));
                reads.push(keys::uid(source.id, &item.prepared.uid));
                reads.extend(item.turned.iter().map(Turned::key));
            }
        }
        let mut wanted = Wanted::default();
        batch.iter().filter_map(|one| one.outcome.as_ref().ok()).for_each(|item| {
            item.answered().for_each(|said| said.want(&mut wanted));
        });
        let messages = reads.len();
        reads.extend(wanted.reads());
        let source = view.map(|(source, _)| source);
        let (user, asked, room) = (import.user.clone(), import.clone(), self.settings.limits.room);
        let turned: Vec<Turned> =
            batch.iter().flat_map(|one| one.outcome.iter().flat_map(|item| item.turned.clone())).collect();
        let (_, import) = self
            .commit(reads, move |seen, stamp: Stamp| {
                let current = match seen.first() {
                    Some(Some(bytes)) => record::imports::import(bytes)?,
                    _ => return Err(Refusal::NotFound),
                };
                if current.cursor != asked.cursor || current.status.ended() {
                    // Somebody else went on with it, or ended it: nothing is done twice.
                    return Ok((Vec::new(), current));
                }
                let mut writes = Vec::new();
                let mut head = match &source {
                    Ok(source) => standing(seen.get(1), source.id).ok(),
                    Err(_) => None,
                };
                if let Some(head) = &head
                    && zones_of(head, seen.get(2))? != zones
                {
                    // Nothing of it is written: the next step plans these items anew.
                    return Ok((Vec::new(), current));
                }
                let right = head.as_ref().map_or(Right::None, |head| right_of(&user, head));
                let allowed = right >= Right::ReadWrite && head.as_ref().is_some_and(|head| takes(&asked, head));
                let mut after = current;
                let mut failures = Vec::new();
                let mut ledger = Ledger::open(&wanted, seen.get(messages..).unwrap_or_default(), now)?;
                let mut rows = seen.get(3..).unwrap_or_default();
                let mut changes = Vec::new();
                let mut pen = Pen::new(now, stamp.0);
                for (part, Candidate { line, uid, outcome }) in (0..).zip(&batch) {
                    let laid = match (outcome, &mut head) {
                        (Ok(item), Some(head)) if allowed => {
                            let (own, rest) = rows.split_at_checked(2 + item.turned.len()).unwrap_or_default();
                            rows = rest;
                            let laid = lay_item(
                                &mut writes,
                                &mut pen,
                                (head, right, room),
                                own,
                                item,
                                &asked,
                                now,
                                stamp,
                                part,
                            );
                            if matches!(laid, Ok(Laid::Created(_) | Laid::Updated(_))) {
                                item.answered().for_each(|said| ledger.deal_with(Some(&said)));
                            }
                            if laid.is_ok() {
                                after.counts.repaired += u64::from(item.repaired);
                            }
                            laid
                        }
                        (Ok(_), _) => Err((Refusal::Forbidden.to_string(), code(&Refusal::Forbidden))),
                        (Err(why), _) => Err(why.clone()),
                    };
                    match laid {
                        Ok(Laid::Created(change)) => {
                            after.counts.created += 1;
                            changes.push(change);
                        }
                        Ok(Laid::Updated(change)) => {
                            after.counts.updated += 1;
                            changes.push(change);
                        }
                        Ok(Laid::Unchanged) => after.counts.unchanged += 1,
                        Ok(Laid::Skipped) => after.counts.skipped += 1,
                        Err((why, code)) => {
                            let failure = Failure { line: *line, uid: uid.clone(), why };
                            if after.counts.failed < FAILURES_LISTED as u64 {
                                imports::write_failure(&mut failures, &after.id, after.counts.failed, &failure, code);
                            }
                            after.counts.failed += 1;
                        }
                    }
                }
                after.cursor += batch.len() as u64;
                if dry {
                    writes.clear();
                } else {
                    if let Some(head) = head.filter(|_| !changes.is_empty()) {
                        seal(&mut pen, &mut writes, head, changes.into(), stamp);
                    }
                    ledger.close(&mut writes, stamp.0);
                }
                writes.append(&mut failures);
                imports::write(&mut writes, &after);
                Ok((writes, after))
            })
            .await?;
        self.nudges.due.notify_one();
        if !dry {
            self.clear_turned(&turned).await;
            self.count_items(before, import.counts);
        }
        Ok(import)
    }

    /// Tells the meter what a commit added.
    fn count_items(&self, before: Counts, after: Counts) {
        for (what, of) in [
            ("created", (|counts: &Counts| counts.created) as fn(&Counts) -> u64),
            ("updated", |counts| counts.updated),
            ("unchanged", |counts| counts.unchanged),
            ("failed", |counts| counts.failed),
        ] {
            self.meter.imported(what, of(&after).saturating_sub(of(&before)));
        }
    }
}

enum Laid {
    Created(ObjectChange),
    Updated(ObjectChange),
    Unchanged,
    Skipped,
}

#[expect(clippy::too_many_arguments, reason = "one row each of what a write rests on")]
fn lay_item(
    writes: &mut Writes,
    pen: &mut Pen,
    (head, right, room): (&mut Collection, Right, Room),
    rows: &[Option<Bytes>],
    item: &Planned,
    import: &Import,
    now: DateTime<Utc>,
    stamp: Stamp,
    part: u32,
) -> Result<Laid, (String, &'static str)> {
    let text = |refusal: Refusal| (refusal.to_string(), code(&refusal));
    let Planned { name, prepared, turned, .. } = item;
    let before = seen_object(rows.first()).map_err(text)?;
    veil::check(right, before.as_ref()).map_err(text)?;
    if !item.known {
        check_uid(head, &prepared.uid, name, before.as_ref(), rows.get(1)).map_err(text)?;
        check_component(head, prepared.component).map_err(text)?;
    } else if before.is_none() {
        return Err(("it was removed while it was imported".to_owned(), "conflict"));
    }
    let stays = match &before {
        _ if item.known => Some(Laid::Unchanged),
        Some(_) if import.order.mode == Mode::Skip => Some(Laid::Skipped),
        Some(before) if before.etag == prepared.etag => Some(Laid::Unchanged),
        _ => None,
    };
    if stays.is_none() {
        room.check(head, before.as_ref(), prepared.bytes.len()).map_err(text)?;
    }
    if import.order.mode == Mode::Mirror {
        let held = Held { run: import.id.clone(), content: item.content.clone() };
        held::write(writes, head.id, &import.order.source, name, &held);
    }
    if let Some(stays) = stays {
        return Ok(stays);
    }
    let created = before.is_none();
    lay(writes, head, before, prepared, &[], name, now, stamp, part);
    answers::turn(writes, pen, turned, rows.get(2..).unwrap_or_default()).map_err(text)?;
    let change = prepared.change(name, created);
    Ok(if created { Laid::Created(change) } else { Laid::Updated(change) })
}
