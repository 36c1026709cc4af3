//! The store over an embedded engine: a bounded queue, and the one thread that decides, writes and syncs. What the engine is, it does not know.

use std::collections::VecDeque;
use std::mem;
use std::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::RwLockReadGuard;
use std::sync::RwLockWriteGuard;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread;
use std::thread::JoinHandle;

use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::sync::watch;

use crate::kv::Answer;
use crate::kv::Counts;
use crate::kv::Decide;
use crate::kv::GROUP_MAX;
use crate::kv::Kv;
use crate::kv::KvError;
use crate::kv::KvFuture;
use crate::kv::Range;
use crate::kv::STAMP_JUMP;
use crate::kv::Snapshot;
use crate::kv::Stamp;
use crate::kv::WAITING_MAX;
use crate::kv::engine::Engine;
use crate::kv::engine::careful;
use crate::kv::format::begin;
use crate::kv::format::stamp_line;
use crate::kv::group::Group;
use crate::kv::group::Outcome;
use crate::kv::group::is_reserved;
use crate::kv::snapshot::Moment;
use crate::kv::snapshot::Reading;
use crate::kv::snapshot::Source;
use crate::kv::view::View;

/// A store whose commits are decided one after another and made durable in groups. Dropping it ends it as [`Kv::close`] does, and waits.
pub struct GroupKv {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl GroupKv {
    /// Takes the engine over. Refuses a store of a newer format, and leaves it as it is; else one synced batch lets the stamps jump.
    pub fn open(engine: Box<dyn Engine>) -> Result<GroupKv, KvError> {
        GroupKv::open_far(engine, STAMP_JUMP)
    }

    /// The same with a jump of the caller's choosing, which is never less than [`STAMP_JUMP`]. Where it cannot be guessed, two stores that
    /// went on from one backup give different stamps.
    pub fn open_far(engine: Box<dyn Engine>, jump: u64) -> Result<GroupKv, KvError> {
        let engine: Arc<dyn Engine> = Arc::from(engine);
        let stamp = begin(&*engine, jump)?;
        let shared = Arc::new(Shared {
            waiting: Mutex::new(Waiting { jobs: VecDeque::new(), end: None }),
            changed: Condvar::new(),
            view: RwLock::new(View::new(engine.clone())),
            commits: AtomicU64::new(0),
            syncs: AtomicU64::new(0),
            failed: watch::Sender::new(None),
            ended: watch::Sender::new(false),
        });
        let writer = Writer { shared: shared.clone(), engine, stamp, kept: stamp };
        let thread = thread::Builder::new().name("kv-writer".into()).spawn(move || writer.live());
        let thread = thread.map_err(|error| KvError::Failed(format!("cannot start the writer: {error}")))?;
        Ok(GroupKv { shared, thread: Some(thread) })
    }
}

impl Drop for GroupKv {
    fn drop(&mut self) {
        self.shared.end(KvError::Closed);
        // A decision may hold the last handle on its own store: then this is the writer, which must not wait for itself.
        if let Some(writer) = self.thread.take().filter(|writer| writer.thread().id() != thread::current().id()) {
            // The writer catches its panics, and tells of them through `failed`.
            let _ = writer.join();
        }
    }
}

/// What the callers and the writer have in common.
struct Shared {
    waiting: Mutex<Waiting>,
    /// Told of every new job and of the end.
    changed: Condvar,
    /// Readers hold it for a whole call; the writer changes it before and after each sync, never during one.
    view: RwLock<View>,
    commits: AtomicU64,
    syncs: AtomicU64,
    failed: watch::Sender<Option<String>>,
    ended: watch::Sender<bool>,
}

struct Waiting {
    /// At most [`WAITING_MAX`], then `Busy`.
    jobs: VecDeque<Job>,
    /// Why nothing more is taken in. What waits already is still served if it is `Closed`, and not if it is `Failed`.
    end: Option<KvError>,
}

struct Job {
    reads: Vec<Bytes>,
    decide: Decide,
    answer: oneshot::Sender<Result<Answer, KvError>>,
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn view(&self) -> RwLockReadGuard<'_, View> {
        self.view.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn view_mut(&self) -> RwLockWriteGuard<'_, View> {
        self.view.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, job: Job) -> Result<(), KvError> {
        let mut waiting = self.waiting();
        if let Some(end) = &waiting.end {
            return Err(end.clone());
        }
        if waiting.jobs.len() >= WAITING_MAX {
            return Err(KvError::Busy);
        }
        waiting.jobs.push_back(job);
        self.changed.notify_one();
        Ok(())
    }

    /// Waits for a job; `None` when there is none left and none will come.
    fn first(&self) -> Option<Job> {
        let waiting = self.waiting();
        let mut waiting = self
            .changed
            .wait_while(waiting, |waiting| waiting.jobs.is_empty() && waiting.end.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        waiting.jobs.pop_front()
    }

    /// The first end that is named stays.
    fn end(&self, why: KvError) {
        self.waiting().end.get_or_insert(why);
        self.changed.notify_one();
    }

    /// Why a job was dropped without an answer.
    fn end_named(&self) -> KvError {
        self.waiting().end.clone().unwrap_or(KvError::Closed)
    }
}

impl Source for Shared {
    fn page(&self, moment: &mut Moment) -> Result<Option<Vec<(Bytes, Bytes)>>, KvError> {
        self.view().page(moment)
    }
}

/// The one thread that changes the engine.
struct Writer {
    shared: Arc<Shared>,
    engine: Arc<dyn Engine>,
    /// The last stamp that a decision was given. One that refused or panicked wastes its stamp.
    stamp: u64,
    /// The last stamp on disk. It may lag behind by less than a jump.
    kept: u64,
}

impl Writer {
    fn live(mut self) {
        let served = catch_unwind(AssertUnwindSafe(|| {
            while let Some(first) = self.shared.first() {
                self.serve(first)?;
            }
            Ok(())
        }));
        let failure = served.unwrap_or_else(|_| Err("the writer panicked".into())).err();
        let Writer { shared, engine, .. } = self;
        let why = failure.clone().map_or(KvError::Closed, KvError::Failed);
        let left = {
            let mut waiting = shared.waiting();
            // A failure replaces a close that was asked for meanwhile.
            waiting.end = Some(why.clone());
            mem::take(&mut waiting.jobs)
        };
        let viewed = shared.view_mut().end(why.clone());
        for job in left {
            // Here and below: a caller that went away wants no answer.
            let _ = job.answer.send(Err(why.clone()));
        }
        if let Some(failure) = failure {
            tracing::error!(%failure, "the store failed and accepts nothing more");
            shared.failed.send_replace(Some(failure));
        }
        // The last handles: this lets the lock of the store go. An engine that panics here has nothing left that anyone waits for.
        let _ = catch_unwind(AssertUnwindSafe(|| drop((engine, viewed))));
        shared.ended.send_replace(true);
    }

    /// Builds one group, makes it durable, and answers. An error is the end: what a failed sync left on the disk nobody knows, and a second
    /// one may succeed without having written.
    fn serve(&mut self, first: Job) -> Result<(), String> {
        let mut group = Group::new(&*self.engine);
        let mut answers = Vec::new();
        let mut next = Some(first);
        while let Some(job) = next {
            self.stamp += 1;
            let answer = match group.decide(&job.reads, &job.decide, Stamp(self.stamp)) {
                Outcome::Decided(answer) => Ok(answer),
                Outcome::Wrong(error) => Err(error),
                Outcome::Full => {
                    self.shared.waiting().jobs.push_front(job);
                    break;
                }
            };
            answers.push((job.answer, answer));
            next = if answers.len() < GROUP_MAX { self.shared.waiting().jobs.pop_front() } else { None };
        }
        // A group of refusals needs no sync, unless so many stamps were wasted that the next jump might not clear them.
        if !group.writes_nothing() || self.stamp - self.kept >= STAMP_JUMP / 2 {
            let (mut batch, pending) = group.finish();
            batch.push(stamp_line(self.stamp));
            let uncovered = self.shared.view_mut().cover(pending);
            drop(uncovered);
            let applied = careful(|| self.engine.apply(&batch));
            if let Err(fault) = applied {
                // Those that refused or were wrong may have seen what is lost with the group, so they hear the same.
                self.shared.end(KvError::Failed(fault.clone()));
                for (answer, _) in answers {
                    let _ = answer.send(Err(KvError::Failed(fault.clone())));
                }
                return Err(fault);
            }
            self.kept = self.stamp;
            self.shared.syncs.fetch_add(1, Ordering::Relaxed);
            let uncovered = self.shared.view_mut().cover(Default::default());
            drop(uncovered);
        }
        let accepted = answers.iter().filter(|(_, answer)| matches!(answer, Ok(Answer { stamp: Some(_), .. })));
        self.shared.commits.fetch_add(accepted.count() as u64, Ordering::Relaxed);
        for (caller, answer) in answers {
            let _ = caller.send(answer);
        }
        Ok(())
    }
}

impl Kv for GroupKv {
    fn read(&self, keys: Vec<Bytes>) -> KvFuture<'_, Vec<Option<Bytes>>> {
        // Inline: handing a read to another thread costs ten times the read.
        Box::pin(async move {
            check_reads(&keys)?;
            self.shared.view().read(&keys)
        })
    }

    fn scan(&self, range: Range, limit: usize) -> KvFuture<'_, Vec<(Bytes, Bytes)>> {
        Box::pin(async move { self.shared.view().scan(range, limit) })
    }

    fn commit(&self, reads: Vec<Bytes>, decide: Decide) -> KvFuture<'_, Answer> {
        Box::pin(async move {
            check_reads(&reads)?;
            let (answer, answered) = oneshot::channel();
            self.shared.put(Job { reads, decide, answer })?;
            answered.await.unwrap_or_else(|_| Err(self.shared.end_named()))
        })
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot>, KvError> {
        let (moment, stamp) = self.shared.view_mut().begin()?;
        Ok(Box::new(Reading::new(moment, self.shared.clone(), Stamp(stamp))))
    }

    fn disk_bytes(&self) -> u64 {
        self.shared.view().disk_bytes()
    }

    fn counts(&self) -> Counts {
        Counts {
            commits: self.shared.commits.load(Ordering::Relaxed),
            syncs: self.shared.syncs.load(Ordering::Relaxed),
        }
    }

    fn failed(&self) -> watch::Receiver<Option<String>> {
        self.shared.failed.subscribe()
    }

    fn close(&self) -> KvFuture<'_, ()> {
        Box::pin(async move {
            self.shared.end(KvError::Closed);
            // The sender lives in self, so the watch cannot end before it is reached.
            let _ = self.shared.ended.subscribe().wait_for(|ended| *ended).await;
            match self.shared.end_named() {
                KvError::Closed => Ok(()),
                failed => Err(failed),
            }
        })
    }
}

fn check_reads(reads: &[Bytes]) -> Result<(), KvError> {
    if reads.iter().any(|key| is_reserved(key)) { Err(KvError::Reserved) } else { Ok(()) }
}
