//! What waits for one socket: news in their order, bounded in bytes, the newest change of each collection alone. Knows no wire.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::bus::Notice;
use crate::domain::collection::CollectionId;
use crate::domain::event::Event;
use crate::gateway::dialect::Leave;

/// How many bytes of news may wait for one socket when nobody says otherwise. Beyond it everything is dropped and the client is closed
/// with its dialect's word for "too slow": it connects again and asks what changed.
pub const BYTES_DEFAULT: usize = 1 << 20;

/// How many notices are handed over at once; the rest waits for the next turn.
pub const BATCH_MAX: usize = 64;

/// An index of this size is kept for the next news; a larger one is given back.
const INDEX_KEPT: usize = 16;

/// The queue of one socket. Many push, one task takes.
#[derive(Debug)]
pub struct Queue {
    id: u64,
    bytes_max: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Every change is wanted, not only the newest of each collection.
    whole: bool,
    entries: VecDeque<Arc<Notice>>,
    /// The number of the first entry; numbers grow by one.
    first: u64,
    /// Where each collection's change waits. Numbers below `first` are stale.
    changes: HashMap<CollectionId, u64>,
    bytes: usize,
    beat: bool,
    end: Option<End>,
    /// The task is writing: only the end is worth waking it.
    writing: bool,
    waker: Option<Waker>,
}

/// What the socket's task has to do next.
#[derive(Debug)]
pub enum Turn {
    News(VecDeque<Arc<Notice>>),
    /// Time for a ping.
    Beat,
    End(End),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The bound was passed. What waited is gone.
    Slow,
    /// The service takes leave, after what waits.
    Leave(Leave),
}

impl Queue {
    pub fn new(id: u64, bytes_max: usize) -> Queue {
        Queue { id, bytes_max, state: Mutex::default() }
    }

    pub fn id(&self) -> u64 {
        self.id
    }

    /// From now on each change of a collection is kept: the dialect tells what changed, not only where it stands.
    pub fn keep_all(&self) {
        self.lock().whole = true;
    }

    /// Queues a notice, in place of an older change of the same collection. Never waits.
    pub fn push(&self, notice: &Arc<Notice>) {
        let mut state = self.lock();
        if state.end.is_some() {
            return;
        }
        let next = state.first + state.entries.len() as u64;
        match &notice.event {
            Event::Changed { collection, .. } if !state.whole => {
                let waiting = state.changes.get(collection).copied().and_then(|at| at.checked_sub(state.first));
                if let Some(entry) = waiting.and_then(|at| state.entries.get_mut(at as usize)) {
                    let older = std::mem::replace(entry, Arc::clone(notice));
                    state.bytes = (state.bytes + notice.weight()).saturating_sub(older.weight());
                    drop(state);
                    // Outside the lock: the last holder of a notice wakes whoever waits for its flight.
                    drop(older);
                    return;
                }
                state.changes.insert(*collection, next);
            }
            // A later change must not slip in before the news that rights were lost.
            Event::RightsChanged { collection, .. } => {
                state.changes.remove(collection);
            }
            Event::Changed { .. }
            | Event::ListChanged { .. }
            | Event::Imported { .. }
            | Event::Importing { .. }
            | Event::Rang { .. }
            | Event::Notified { .. }
            | Event::SignedOut { .. }
            | Event::Answered { .. }
            | Event::TokenEnded { .. }
            | Event::Published(_)
            | Event::PresenceChanged { .. }
            | Event::MemberChanged { .. }
            | Event::GroupChanged { .. } => {}
        }
        state.bytes += state.weight(notice);
        let mut dropped = VecDeque::new();
        if state.bytes > self.bytes_max {
            state.end = Some(End::Slow);
            state.changes = HashMap::new();
            dropped = std::mem::take(&mut state.entries);
        } else {
            state.entries.push_back(Arc::clone(notice));
        }
        wake(state);
        drop(dropped);
    }

    /// Asks for a ping.
    pub fn beat(&self) {
        let mut state = self.lock();
        state.beat = true;
        wake(state);
    }

    /// Ends the socket after what waits. The first word counts.
    pub fn end(&self, leave: Leave) {
        let mut state = self.lock();
        state.end.get_or_insert(End::Leave(leave));
        wake(state);
    }

    /// Drops what waits and takes nothing more: the socket is gone.
    pub fn stop(&self) {
        let mut state = self.lock();
        state.end = Some(End::Slow);
        state.changes = HashMap::new();
        let dropped = std::mem::take(&mut state.entries);
        drop(state);
        drop(dropped);
    }

    /// Ready once the bound was passed: nothing that is still being written matters any more.
    pub fn poll_slow(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        if state.end == Some(End::Slow) {
            return Poll::Ready(());
        }
        state.writing = true;
        state.remember(context);
        Poll::Pending
    }

    /// The next thing to do, for the one task that owns this socket.
    pub fn poll_turn(&self, context: &mut Context<'_>) -> Poll<Turn> {
        let mut state = self.lock();
        state.writing = false;
        if let Some(End::Slow) = state.end {
            return Poll::Ready(Turn::End(End::Slow));
        }
        if std::mem::take(&mut state.beat) {
            return Poll::Ready(Turn::Beat);
        }
        if !state.entries.is_empty() {
            return Poll::Ready(Turn::News(state.take()));
        }
        if let Some(end) = state.end {
            return Poll::Ready(Turn::End(end));
        }
        state.remember(context);
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn weight(&self, notice: &Notice) -> usize {
        if self.whole { notice.weight_in_full() } else { notice.weight() }
    }

    fn remember(&mut self, context: &Context<'_>) {
        if !self.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            self.waker = Some(context.waker().clone());
        }
    }

    fn take(&mut self) -> VecDeque<Arc<Notice>> {
        let taken: VecDeque<_> = if self.entries.len() > BATCH_MAX {
            self.entries.drain(..BATCH_MAX).collect()
        } else {
            std::mem::take(&mut self.entries)
        };
        self.first += taken.len() as u64;
        self.bytes = self.bytes.saturating_sub(taken.iter().map(|notice| self.weight(notice)).sum());
        if self.entries.is_empty() {
            self.bytes = 0;
            if self.changes.capacity() > INDEX_KEPT {
                self.changes = HashMap::new();
            } else {
                self.changes.clear();
            }
        }
        taken
    }
}

/// Wakes the socket's task, outside the lock.
fn wake(mut state: MutexGuard<'_, State>) {
    if state.writing && state.end.is_none() {
        return;
    }
    let waker = state.waker.take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}
