//! The work of an import: a file's items go through the same door as a PUT, many to a commit, with the cursor beside them. A crash goes on, never
//! doubles.

use std::collections::HashSet;
use std::fs::File;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use crate::domain::access::{Right, right_of};
use crate::domain::address::Kind;
use crate::domain::collection::Collection;
use crate::domain::event::{Event, ObjectChange};
use crate::domain::import::{Counts, FAILURES_LISTED, Failure, Import, Mode, Status, Upload};
use crate::domain::notification::{Draft, MessageId};
use crate::domain::refusal::{Fault, Refusal};
use crate::ical::index::{Index, Unreadable};
use crate::ical::split;
use crate::kv::{Stamp, Writes};
use crate::service::Service;
use crate::service::answers::{self, Turned};
use crate::service::collections::standing;
use crate::service::ledger::{Ledger, Place, Said, Wanted};
use crate::service::objects::{Prepared, check_component, check_uid, lay, seal, seen_object, zones_of};
use crate::service::unpack::{self, Bounds, Unpackable, Unpacked};
use crate::service::veil;
use crate::store::held::{self, Held};
use crate::store::journal::Pen;
use crate::store::{imports, keys, record};
use crate::system::pace;

/// Items that one commit takes.
pub(crate) const ITEMS_A_COMMIT: usize = 64;
/// How often the same items are planned again because a zone changed meanwhile; then the import rests, and goes on.
const TRIES: usize = 8;
/// Bytes of items after which a commit takes no more: room for others in the group.
const BYTES_A_COMMIT: usize = 131_072;

/// A file that was looked through once and is open for the second look.
struct Text {
    index: Arc<Index>,
    unpacked: Unpacked,
    /// Lent to the reader of each batch.
    file: Option<File>,
    /// What a dry run of a mirror saw: nothing of it is written.
    seen: HashSet<Arc<str>>,
}

impl Service {
    /// Does one import from where it stands to its end.
    pub async fn work_import(&self, import: Import) -> Result<(), Refusal> {
        let began = pace::now();
        let text = format!("{}.text", import.id);
        let outcome = self.work(import.clone(), &text).await;
        self.forget_file(&text);
        match outcome {
            // Whoever asked for it was removed meanwhile, and it with them.
            Err(Refusal::NotFound) => Ok(()),
            outcome => {
                outcome?;
                self.drop_file(&import).await?;
                self.meter.import_took(began.elapsed());
                Ok(())
            }
        }
    }

    async fn work(&self, mut import: Import, name: &str) -> Result<(), Refusal> {
        let Some(upload) = self.store.upload(&import.user, &import.file).await? else {
            return self.fail_import(import, "the uploaded file is gone").await;
        };
        let mut text = match self.open_text(&upload, name).await? {
            Ok(text) => text,
            Err(fault) => return self.fail_import(import, &fault.to_string()).await,
        };
        // A dry run writes nothing that it could go on from.
        if import.status == Status::Queued || import.order.dry_run {
            import = self.begin_import(import, &text).await?;
        }
        let mut stands = 0;
        while (import.cursor as usize) < text.index.len() && !import.status.ended() {
            let cursor = import.cursor;
            import = self.import_some(import, &mut text).await?;
            stands = if import.cursor == cursor { stands + 1 } else { 0 };
            if stands == TRIES {
                return Err(Refusal::Busy { limit: "the zone of this calendar keeps changing", retry_seconds: 1 });
            }
        }
        if import.order.mode == Mode::Mirror && !import.status.ended() {
            let whole = text.index.whole && text.unpacked.whole;
            import = self.remove_gone(import, whole, &text.seen).await?;
        }
        self.finish(import, None).await
    }

    /// Unpacks a file and looks through it. The outer error is ours, the inner one the file's.
    async fn open_text(&self, upload: &Upload, name: &str) -> Result<Result<Text, Fault>, Refusal> {
        let (from, to, limits) = (self.spool.path(&upload.id), self.spool.path(name), self.line_limits());
        let (media, charset) = (upload.media, upload.charset.clone());
        let bounds = Bounds { bytes: self.settings.uploads.unpacked_bytes, files: self.settings.uploads.archive_files };
        let read = move || {
            let unpacked = match unpack::unpack(&from, &to, media, charset.as_deref(), bounds) {
                Ok(unpacked) => unpacked,
                Err(Unpackable::Fault(fault)) => return Ok(Err(fault)),
                Err(Unpackable::Disk(error)) => return Err(error),
            };
            let mut file = File::open(&unpacked.path)?;
            match Index::read(&mut file, media, &limits) {
                Ok(index) => {
                    let index = Arc::new(index);
                    Ok(Ok(Text { index, unpacked, file: Some(file), seen: HashSet::new() }))
                }
                Err(Unreadable::Fault(fault)) => Ok(Err(fault)),
                Err(Unreadable::Disk(error)) => Err(error),
            }
        };
        match tokio::task::spawn_blocking(read).await {
            Ok(Ok(read)) => Ok(read),
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => {
                Ok(Err(Fault::whole("the uploaded file is gone")))
            }
            Ok(Err(error)) => Err(self.disk(&error)),
            Err(_) => Ok(Err(Fault::whole("the file could not be read"))),
        }
    }

    /// The next objects of the file.
    async fn some_items(&self, text: &mut Text, cursor: u64) -> Result<Vec<Result<split::Item, Failure>>, Refusal> {
        let (index, limits) = (text.index.clone(), self.line_limits());
        let Some(mut file) = text.file.take() else { return Err(self.fault("the file of an import is closed")) };
        let read = move || {
            let (mut items, mut size) = (Vec::new(), 0);
            for number in cursor as usize..index.len() {
                if items.len() >= ITEMS_A_COMMIT || size >= BYTES_A_COMMIT {
                    break;
                }
                let item = split::item(&index, number, &mut file, &limits)?;
                size += item.as_ref().map_or(0, |item| item.bytes.len());
                items.push(item);
            }
            Ok::<_, std::io::Error>((file, items))
        };
        match tokio::task::spawn_blocking(read).await {
            Ok(Ok((file, items))) => {
                text.file = Some(file);
                Ok(items)
            }
            Ok(Err(error)) => Err(self.disk(&error)),
            Err(_) => Err(self.fault("a reader of imports panicked")),
        }
    }

    /// The file is readable: its size becomes known, and what cannot go in is noted.
    async fn begin_import(&self, mut import: Import, text: &Text) -> Result<Import, Refusal> {
        let index = &text.index;
        import.status = Status::Running;
        import.cursor = 0;
        import.total = index.len() as u64 + index.failed;
        import.counts = Counts { failed: index.failed, ..Counts::default() };
        text.unpacked.warnings.iter().for_each(|warning| import.warn(warning));
        if !index.whole {
            import.warn("the file is cut off");
        }
        let kept = import.clone();
        let failures: Vec<Failure> = index.failures.iter().map(|failure| placed(text, failure.clone())).collect();
        let (_, import) = self
            .commit(vec![keys::import(&import.id)], move |seen, _| {
                let current = match seen.first() {
                    Some(Some(bytes)) => record::imports::import(bytes)?,
                    _ => return Err(Refusal::NotFound),
                };
                if current.status.ended() {
                    return Ok((Vec::new(), current));
                }
                let mut writes = Vec::new();
                imports::write(&mut writes, &kept);
                for (number, failure) in (0..).zip(&failures) {
                    imports::write_failure(&mut writes, &kept.id, number, failure, "invalid");
                }
                Ok((writes, kept.clone()))
            })
            .await?;
        self.meter.imported("failed", index.failed);
        Ok(import)
    }

    /// What is to become of the next items.
    async fn plan_items(
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
                Ok((source, right)) if *right >= Right::ReadWrite => Ok(source),
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

    /// The next items of the file, and the new cursor, in one commit.
    async fn import_some(&self, import: Import, text: &mut Text) -> Result<Import, Refusal> {
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
        let (user, asked) = (import.user.clone(), import.clone());
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
                let allowed = right >= Right::ReadWrite;
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
                            let laid =
                                lay_item(&mut writes, &mut pen, (head, right), own, item, &asked, now, stamp, part);
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
        for (what, of) in [
            ("created", (|counts: &Counts| counts.created) as fn(&Counts) -> u64),
            ("updated", |counts| counts.updated),
            ("unchanged", |counts| counts.unchanged),
            ("failed", |counts| counts.failed),
        ] {
            self.meter.imported(what, of(&after).saturating_sub(of(&before)));
        }
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
                imports::write_failure(&mut writes, &ended.id, ended.counts.failed, failure, "unreadable");
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
        self.nudges.imported.notify_waiters();
        Ok(())
    }
}

/// A fault where the file of an archive has it, which is named.
fn placed(text: &Text, failure: Failure) -> Failure {
    let (part, line) = text.unpacked.place(failure.line);
    let why = part.map_or_else(|| failure.why.clone(), |part| format!("{part}: {}", failure.why));
    Failure { line, why, ..failure }
}

/// A word for why an item did not go in.
fn code(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Unauthenticated | Refusal::Expired | Refusal::Forbidden => "forbidden",
        Refusal::NotFound => "not-found",
        Refusal::Exists | Refusal::UidTaken(_) | Refusal::Precondition => "conflict",
        Refusal::Invalid(_) | Refusal::Unstorable(_) | Refusal::Unschedulable { .. } => "invalid",
        Refusal::Unsupported(_) => "unsupported",
        Refusal::TooLarge { .. } => "too-large",
        Refusal::StaleToken | Refusal::Busy { .. } | Refusal::TooOften { .. } | Refusal::Fault { .. } => "internal",
        Refusal::Full(_) => "full",
    }
}

/// An item of the file on its way, or why it cannot go in.
struct Candidate {
    line: u64,
    uid: Option<String>,
    outcome: Result<Planned, (String, &'static str)>,
}

/// What goes in, under which name, and which alarms it acknowledges.
struct Planned {
    name: Arc<str>,
    prepared: Prepared,
    turned: Vec<Turned>,
    /// The mirror brought it before, under another UID.
    known: bool,
    repaired: bool,
    content: Option<String>,
}

impl Planned {
    /// The messages of the alarms that it acknowledges.
    fn answered(&self) -> impl Iterator<Item = Said> {
        self.turned.iter().map(|turned| Said::of_alarm(&turned.rung, &self.prepared.uid))
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
    (head, right): (&mut Collection, Right),
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
    if import.order.mode == Mode::Mirror {
        let held = Held { run: import.id.clone(), content: item.content.clone() };
        held::write(writes, head.id, &import.order.source, name, &held);
    }
    if item.known {
        return Ok(Laid::Unchanged);
    }
    if before.is_some() && import.order.mode == Mode::Skip {
        return Ok(Laid::Skipped);
    }
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
