//! Imports: a file's items go through the same door as a PUT, many to a commit, with the cursor beside them. A crash goes on, never doubles.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use crate::domain::access::{Right, right_of};
use crate::domain::address::{Address, Kind};
use crate::domain::collection::Collection;
use crate::domain::event::{Event, ObjectChange};
use crate::domain::import::{Counts, Failure, Import, Media, Status, Upload};
use crate::domain::notification::{Draft, MessageId};
use crate::domain::principal::Principal;
use crate::domain::refusal::{Fault, Refusal};
use crate::ical::split::{self, Split};
use crate::kv::{Stamp, Writes};
use crate::service::Service;
use crate::service::answers::{self, Turned};
use crate::service::collections::standing;
use crate::service::ledger::{Ledger, Place, Said, Wanted};
use crate::service::objects::{Prepared, check_component, check_uid, lay, seal, seen_object, zones_of};
use crate::service::principals::still_there;
use crate::service::veil;
use crate::store::journal::Pen;
use crate::store::{imports, keys, record};
use crate::system::{pace, random};

/// Items that one commit takes.
const ITEMS_A_COMMIT: usize = 64;
/// Imports of one person that may wait or be under way; one more is refused until one of them has ended.
const WAITING_MAX: usize = 100;
/// Failed items of one import that are told one by one; beyond them they are only counted.
const FAILURES_MAX: u64 = 1_000;
/// How often the same items are planned again because a zone changed meanwhile; then the import rests, and goes on.
const TRIES: usize = 8;
/// Bytes of items after which a commit takes no more: room for others in the group.
const BYTES_A_COMMIT: usize = 131_072;

impl Service {
    /// Takes up an import: the caller's file, into a collection. The work is done by `import_step`.
    pub async fn ask_import(&self, caller: &Principal, file: &str, target: (&str, &str)) -> Result<Import, Refusal> {
        let unknown = || Refusal::from(Fault::whole("Uploaded file not found"));
        let upload = self.store.upload(&caller.name, file).await?.ok_or_else(unknown)?;
        let kind = match upload.media {
            Media::Calendar => Kind::Calendar,
            Media::Card => Kind::AddressBook,
        };
        let target = Address::new(kind, target.0, target.1).ok_or_else(|| Fault::whole("Invalid target path"))?;
        let waiting = self.imports_waiting().await?;
        if waiting.iter().filter(|import| import.user == caller.name).count() >= WAITING_MAX {
            return Err(Refusal::TooOften { limit: "too many imports of yours wait", retry_seconds: 5 });
        }
        let import = Import {
            id: random::uuid(&*self.random).to_string(),
            user: caller.name.clone(),
            file: upload.id,
            target,
            asked: self.now(),
            status: Status::Queued,
            cursor: 0,
            total: 0,
            counts: Counts::default(),
        };
        let kept = import.clone();
        self.commit(vec![keys::user(&caller.name)], move |seen, _| {
            still_there(seen.first())?;
            let mut writes = Vec::new();
            imports::write(&mut writes, &kept);
            Ok((writes, ()))
        })
        .await?;
        self.nudges.imports.notify_one();
        Ok(import)
    }

    /// An import of the caller's.
    pub async fn import(&self, caller: &Principal, id: &str) -> Result<Import, Refusal> {
        self.store.import(id).await?.filter(|import| import.user == caller.name).ok_or(Refusal::NotFound)
    }

    pub async fn import_failures(&self, caller: &Principal, id: &str) -> Result<Vec<Failure>, Refusal> {
        self.import(caller, id).await?;
        Ok(self.store.import_failures(id).await?)
    }

    /// The imports that have not ended, in the order in which they were asked for.
    pub async fn imports_waiting(&self) -> Result<Vec<Import>, Refusal> {
        let mut waiting = Vec::new();
        for id in self.store.imports_open().await? {
            waiting.extend(self.store.import(&id).await?.filter(|import| !import.status.ended()));
        }
        waiting.sort_by(|one, other| (one.asked, &one.id).cmp(&(other.asked, &other.id)));
        Ok(waiting)
    }

    /// Does one import from where it stands to its end.
    pub async fn work_import(&self, import: Import) -> Result<(), Refusal> {
        let began = pace::now();
        match self.work(import).await {
            // Whoever asked for it was removed meanwhile, and it with them.
            Err(Refusal::NotFound) => Ok(()),
            outcome => {
                outcome?;
                self.meter.import_took(began.elapsed());
                Ok(())
            }
        }
    }

    async fn work(&self, import: Import) -> Result<(), Refusal> {
        let Some(upload) = self.store.upload(&import.user, &import.file).await? else {
            return self.fail_import(import, "the uploaded file is gone").await;
        };
        let Some(bytes) = self.store.upload_bytes(&upload).await? else {
            return self.fail_import(import, "the uploaded file is incomplete").await;
        };
        let split = match self.split(&upload, bytes).await {
            Ok(split) => split,
            Err(fault) => return self.fail_import(import, &fault.to_string()).await,
        };
        let mut import = import;
        if import.status == Status::Queued {
            import = self.begin_import(import, &split).await?;
        }
        let mut stands = 0;
        while (import.cursor as usize) < split.items.len() {
            let cursor = import.cursor;
            import = self.import_some(import, &split).await?;
            stands = if import.cursor == cursor { stands + 1 } else { 0 };
            if stands == TRIES {
                return Err(Refusal::Busy { limit: "the zone of this calendar keeps changing", retry_seconds: 1 });
            }
        }
        self.end_import(import).await
    }

    async fn split(&self, upload: &Upload, bytes: Bytes) -> Result<Split, Fault> {
        let (media, limits) = (upload.media, self.line_limits());
        let read = move || match media {
            Media::Calendar => split::calendar(&bytes, &limits),
            Media::Card => split::cards(&bytes, &limits),
        };
        tokio::task::spawn_blocking(read).await.unwrap_or_else(|_| Err(Fault::whole("the file could not be read")))
    }

    /// The file is readable: its size becomes known, and what cannot go in is noted.
    async fn begin_import(&self, mut import: Import, split: &Split) -> Result<Import, Refusal> {
        import.status = Status::Running;
        import.total = (split.items.len() + split.failures.len()) as u64;
        import.counts.failed = split.failures.len() as u64;
        let listed = split.failures.len().min(FAILURES_MAX as usize);
        let (kept, failures) = (import.clone(), split.failures[..listed].to_vec());
        self.commit(vec![keys::import(&import.id)], move |_, _| {
            let mut writes = Vec::new();
            imports::write(&mut writes, &kept);
            for (number, failure) in (0..).zip(&failures) {
                imports::write_failure(&mut writes, &kept.id, number, failure);
            }
            Ok((writes, ()))
        })
        .await?;
        self.meter.imported("failed", split.failures.len() as u64);
        Ok(import)
    }

    /// The next items of the file, and the new cursor, in one commit.
    async fn import_some(&self, import: Import, split: &Split) -> Result<Import, Refusal> {
        let mut batch: Vec<Candidate> = Vec::new();
        let before = import.counts;
        let now = self.now();
        let view = self.view(&import.user, &import.target).await.map(|view| (view.source, view.right));
        // The zones are read before alarms are planned in them, so a change that comes between is seen.
        let zones = match &view {
            Ok((source, _)) => {
                let owner = self.store.principal(source.address.user()).await?;
                (source.timezone.clone(), owner.and_then(|owner| owner.timezone))
            }
            Err(_) => (None, None),
        };
        let mut size = 0;
        for item in &split.items[import.cursor as usize..] {
            if batch.len() >= ITEMS_A_COMMIT || size >= BYTES_A_COMMIT {
                break;
            }
            size += item.bytes.len();
            let outcome = match &view {
                Ok((source, right)) if *right >= Right::ReadWrite => {
                    match self.prepare(source, Bytes::from(item.bytes.clone()), now).await {
                        Ok(prepared) => {
                            let holder = self.store.get(keys::uid(source.id, &prepared.uid)).await?;
                            let holder = holder.and_then(|name| String::from_utf8(name.to_vec()).ok());
                            let name = match holder {
                                Some(name) => name,
                                None => self.free_name(source, &item.uid).await?,
                            };
                            let turned = match &prepared.answers {
                                Some(after) => self.answered(source, &name, after, &[], None).await?,
                                None => Vec::new(),
                            };
                            Ok(Item { name: Arc::from(name), prepared, turned })
                        }
                        Err(refusal @ (Refusal::Fault { .. } | Refusal::Busy { .. })) => return Err(refusal),
                        Err(refusal) => Err(refusal.to_string()),
                    }
                }
                Ok(_) => Err(Refusal::Forbidden.to_string()),
                Err(refusal @ (Refusal::Forbidden | Refusal::NotFound)) => Err(refusal.to_string()),
                Err(refusal) => return Err(refusal.clone()),
            };
            batch.push(Candidate { line: item.line, uid: item.uid.clone(), outcome });
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
        let (user, asked) = (import.user.clone(), import.clone());
        let turned: Vec<Turned> =
            batch.iter().flat_map(|one| one.outcome.iter().flat_map(|item| item.turned.clone())).collect();
        let (_, import) = self
            .commit(reads, move |seen, stamp: Stamp| {
                let current = match seen.first() {
                    Some(Some(bytes)) => record::imports::import(bytes)?,
                    _ => return Err(Refusal::NotFound),
                };
                if current.cursor != asked.cursor {
                    // Somebody else went on with it: nothing is done twice.
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
                let allowed = right >= Right::ReadWrite;
                let mut after = current;
                let mut ledger = Ledger::open(&wanted, seen.get(messages..).unwrap_or_default(), now)?;
                let mut rows = seen.get(3..).unwrap_or_default();
                let mut changes = Vec::new();
                let mut pen = Pen::new(now, stamp.0);
                for (part, Candidate { line, uid, outcome }) in (0..).zip(&batch) {
                    let laid = match (outcome, &mut head) {
                        (Ok(item), Some(head)) if allowed => {
                            let (own, rest) = rows.split_at_checked(2 + item.turned.len()).unwrap_or_default();
                            rows = rest;
                            let laid = lay_item(&mut writes, &mut pen, (head, right), own, item, now, stamp, part);
                            if matches!(laid, Ok(Laid::Created(_) | Laid::Updated(_))) {
                                item.answered().for_each(|said| ledger.deal_with(Some(&said)));
                            }
                            laid
                        }
                        (Ok(_), _) => Err(Refusal::Forbidden.to_string()),
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
                        Err(why) => {
                            let failure = Failure { line: *line, uid: Some(uid.clone()), why };
                            if after.counts.failed < FAILURES_MAX {
                                imports::write_failure(&mut writes, &after.id, after.counts.failed, &failure);
                            }
                            after.counts.failed += 1;
                        }
                    }
                }
                after.cursor += batch.len() as u64;
                if let Some(head) = head.filter(|_| !changes.is_empty()) {
                    seal(&mut pen, &mut writes, head, changes.into(), stamp);
                }
                ledger.close(&mut writes, stamp.0);
                imports::write(&mut writes, &after);
                Ok((writes, after))
            })
            .await?;
        self.nudges.due.notify_one();
        self.clear_turned(&turned).await;
        self.count_items(before, import.counts);
        Ok(import)
    }

    /// The name that a new item is stored under. Clients name their objects as they like, so the plain name may be another's.
    async fn free_name(&self, source: &Collection, uid: &str) -> Result<String, Refusal> {
        let kind = source.address.kind();
        if let Some(name) = plain_name(uid, kind)
            && self.store.object(source.id, &name).await?.is_none()
        {
            return Ok(name);
        }
        Ok(hashed_name(uid, kind))
    }

    /// Tells the meter what a commit added.
    fn count_items(&self, before: Counts, after: Counts) {
        self.meter.imported("created", after.created - before.created);
        self.meter.imported("updated", after.updated - before.updated);
        self.meter.imported("unchanged", after.unchanged - before.unchanged);
        self.meter.imported("failed", after.failed - before.failed);
    }

    async fn end_import(&self, import: Import) -> Result<(), Refusal> {
        self.finish(import, None).await
    }

    async fn fail_import(&self, import: Import, why: &str) -> Result<(), Refusal> {
        self.finish(import, Some(Failure { line: 1, uid: None, why: why.to_owned() })).await
    }

    /// The last commit of an import: its end, and the event that tells it. With a failure, it failed as a whole.
    async fn finish(&self, import: Import, failure: Option<Failure>) -> Result<(), Refusal> {
        let status = if failure.is_some() { Status::Failed } else { Status::Completed };
        // Who may not even read a collection cannot make the sockets of those who do speak.
        let origin = match self.view(&import.user, &import.target).await {
            Ok(view) => Some((view.source.id, view.source.address)),
            Err(Refusal::NotFound | Refusal::Forbidden) => None,
            Err(refusal) => return Err(refusal),
        };
        let now = self.now();
        let place = Place { user: import.user.clone(), ..Place::of_imports(&import.target) };
        let id = MessageId::of(place.conversation, &Draft::import(&import.id, None).key);
        let mut wanted = Wanted::default();
        wanted.message(&place.user, place.conversation, id);
        let mut reads = vec![keys::import(&import.id)];
        reads.extend(wanted.reads());
        self.commit(reads, move |seen, stamp| {
            let mut ended = match seen.first() {
                Some(Some(bytes)) => record::imports::import(bytes)?,
                _ => return Err(Refusal::NotFound),
            };
            if ended.status.ended() {
                return Ok((Vec::new(), ()));
            }
            ended.status = status;
            let mut writes = Vec::new();
            imports::write(&mut writes, &ended);
            if let Some(failure) = &failure {
                imports::write_failure(&mut writes, &ended.id, ended.counts.failed, failure);
            }
            let counts = (status == Status::Completed).then(|| (ended.counts.succeeded(), ended.counts.failed));
            let mut ledger = Ledger::open(&wanted, seen.get(1..).unwrap_or_default(), now)?;
            ledger.post(&place, "", &Draft::import(&ended.id, counts), now);
            ledger.close(&mut writes, stamp.0);
            if let Some((collection, address)) = origin.clone() {
                let import = ended.id;
                Pen::new(now, stamp.0).tell(&mut writes, Event::Imported { collection, address, import, counts });
            }
            Ok((writes, ()))
        })
        .await?;
        Ok(())
    }
}

/// An item of the file on its way, or why it cannot go in.
struct Candidate {
    line: u64,
    uid: String,
    outcome: Result<Item, String>,
}

/// What goes in, under which name, and which alarms it acknowledges.
struct Item {
    name: Arc<str>,
    prepared: Prepared,
    turned: Vec<Turned>,
}

impl Item {
    /// The messages of the alarms that it acknowledges.
    fn answered(&self) -> impl Iterator<Item = Said> {
        self.turned.iter().map(|turned| Said::of_alarm(&turned.rung, &self.prepared.uid))
    }
}

enum Laid {
    Created(ObjectChange),
    Updated(ObjectChange),
    Unchanged,
}

#[expect(clippy::too_many_arguments, reason = "one row each of what a write rests on")]
fn lay_item(
    writes: &mut Writes,
    pen: &mut Pen,
    (head, right): (&mut Collection, Right),
    rows: &[Option<Bytes>],
    Item { name, prepared, turned }: &Item,
    now: DateTime<Utc>,
    stamp: Stamp,
    part: u32,
) -> Result<Laid, String> {
    let text = |refusal: Refusal| refusal.to_string();
    let before = seen_object(rows.first()).map_err(text)?;
    veil::check(right, before.as_ref()).map_err(text)?;
    check_uid(head, &prepared.uid, name, before.as_ref(), rows.get(1)).map_err(text)?;
    check_component(head, prepared.component).map_err(text)?;
    if before.as_ref().is_some_and(|before| before.etag == prepared.etag) {
        return Ok(Laid::Unchanged);
    }
    let created = before.is_none();
    lay(writes, head, before, prepared, &[], name, now, stamp, part);
    answers::turn(writes, pen, turned, rows.get(2..).unwrap_or_default()).map_err(text)?;
    let change = prepared.change(name, created);
    Ok(if created { Laid::Created(change) } else { Laid::Updated(change) })
}

/// The UID as a name, where it is plain.
fn plain_name(uid: &str, kind: Kind) -> Option<String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'@' | b'-');
    let fits = (1..=200).contains(&uid.len()) && uid.bytes().all(plain) && !uid.starts_with('.');
    fits.then(|| format!("{uid}{}", kind.suffix()))
}

fn hashed_name(uid: &str, kind: Kind) -> String {
    let digest = Sha256::digest(uid.as_bytes());
    let hex: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{hex}{}", kind.suffix())
}
