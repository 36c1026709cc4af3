//! Who listens to what on this node: topics to queues, and how many sockets there are. Sends nothing itself and knows no dialect.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::bus::{Listener, Notice};
use crate::domain::address::UserName;
use crate::domain::event::Topic;
use crate::gateway::dialect::Leave;
use crate::gateway::queue::{self, Queue};
use crate::system::meter::{Counted, Meter, Silent};
use crate::system::pace;

/// Topics are spread over this many locks, so that registering and publishing seldom meet.
const SHARDS: usize = 64;

/// Each ping period is cut into this many beats, and each socket has its place in one of them: pings are spread, and no socket needs a
/// timer of its own.
pub const BEATS: u32 = 5;

/// No beat is shorter: a period of nothing would be a loop without rest.
const BEAT_MIN: Duration = Duration::from_millis(1);

/// How long a client that was refused for want of room is told to wait.
pub const RETRY_SECONDS: u64 = 5;

/// Bounds of the hub; 0 means none.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Sockets on this node. One more is refused before the upgrade.
    pub sockets_max: usize,
    /// Sockets of one user on this node; likewise.
    pub sockets_per_user_max: usize,
    /// Bytes of news that wait for one socket; beyond it the socket is closed.
    pub queue_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { sockets_max: 0, sockets_per_user_max: 0, queue_bytes_max: queue::BYTES_DEFAULT }
    }
}

/// Why there is no place for one more socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    #[error("the service is closing")]
    Closing,
    #[error("too many sockets on this node")]
    Sockets,
    #[error("too many sockets of one user")]
    SocketsOfUser,
}

type Shard = HashMap<Topic, Arc<Vec<Arc<Queue>>>>;

/// Told when sockets of a person open and close.
pub trait Comings: Send + Sync {
    fn came(&self, user: &UserName);
    fn left(&self, user: &UserName);
}

pub struct Hub {
    shards: [Mutex<Shard>; SHARDS],
    hasher: RandomState,
    members: Mutex<Members>,
    /// How many listen to everything: mostly nobody, and then it costs no look.
    everything: AtomicUsize,
    left: Notify,
    limits: Limits,
    meter: Arc<dyn Meter>,
    comings: OnceLock<Arc<dyn Comings>>,
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("limits", &self.limits).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Members {
    sockets: HashMap<u64, Arc<Queue>>,
    users: HashMap<UserName, usize>,
    next: u64,
    beat: u64,
    closing: bool,
}

impl Members {
    /// Counts one more socket of this user.
    fn add(&mut self, user: &UserName, max: usize) -> Result<(), Full> {
        let count = self.users.get(user).copied().unwrap_or(0);
        if over(count, max) {
            return Err(Full::SocketsOfUser);
        }
        self.users.insert(user.clone(), count + 1);
        Ok(())
    }

    fn take(&mut self, user: &UserName) {
        match self.users.get_mut(user) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(self.users.remove(user)),
        }
    }
}

fn over(count: usize, max: usize) -> bool {
    max != 0 && count >= max
}

impl Hub {
    /// A hub that nobody measures.
    pub fn new(limits: Limits) -> Arc<Hub> {
        Hub::measured(limits, Arc::new(Silent))
    }

    pub fn measured(limits: Limits, meter: Arc<dyn Meter>) -> Arc<Hub> {
        Arc::new(Hub {
            shards: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
            members: Mutex::default(),
            everything: AtomicUsize::new(0),
            left: Notify::new(),
            limits,
            meter,
            comings: OnceLock::new(),
        })
    }

    /// Tells `comings` of sockets from now on. The first one stays.
    pub fn watch(&self, comings: Arc<dyn Comings>) {
        let _ = self.comings.set(comings);
    }

    fn came(&self, user: Option<&UserName>) {
        if let (Some(comings), Some(user)) = (self.comings.get(), user) {
            comings.came(user);
        }
    }

    fn went(&self, user: Option<&UserName>) {
        if let (Some(comings), Some(user)) = (self.comings.get(), user) {
            comings.left(user);
        }
    }

    /// A place for one more socket; refused where a limit is reached or the service is going down.
    /// A dialect that asks for the user's name later gives it to [`Seat::sign_in`].
    pub fn join(self: &Arc<Self>, user: Option<&UserName>) -> Result<Seat, Full> {
        let mut members = self.members();
        if members.closing {
            return Err(Full::Closing);
        }
        if over(members.sockets.len(), self.limits.sockets_max) {
            return Err(Full::Sockets);
        }
        if let Some(user) = user {
            members.add(user, self.limits.sockets_per_user_max)?;
        }
        let id = members.next;
        members.next += 1;
        let bytes_max = if self.limits.queue_bytes_max == 0 { usize::MAX } else { self.limits.queue_bytes_max };
        let queue = Arc::new(Queue::new(id, bytes_max));
        members.sockets.insert(id, Arc::clone(&queue));
        drop(members);
        self.came(user);
        Ok(Seat { hub: Arc::clone(self), queue, user: user.cloned(), topics: Vec::new() })
    }

    /// How many sockets there are.
    pub fn count(&self) -> usize {
        self.members().sockets.len()
    }

    /// How many of them are this user's.
    pub fn count_of(&self, user: &UserName) -> usize {
        self.members().users.get(user).copied().unwrap_or(0)
    }

    /// Takes no more sockets, closes those that are there, and waits until they are gone; answers how many are left when the time is up.
    pub async fn close_all(&self, leave: Leave, within: Duration) -> usize {
        let sockets: Vec<Arc<Queue>> = {
            let mut members = self.members();
            members.closing = true;
            members.sockets.values().cloned().collect()
        };
        sockets.iter().for_each(|queue| queue.end(leave));
        drop(sockets);
        let empty = async {
            loop {
                let left = self.left.notified();
                if self.count() == 0 {
                    return;
                }
                left.await;
            }
        };
        // When the time is up the count below says so.
        let _ = pace::within(within, empty).await;
        self.count()
    }

    /// Asks every socket for a ping once per `period`, for ever.
    pub async fn beat(self: Arc<Self>, period: Duration) {
        let mut ticks = pace::ticks((period / BEATS).max(BEAT_MIN));
        loop {
            ticks.tick().await;
            self.pulse();
        }
    }

    /// One beat: asks those sockets for a ping whose turn it is. After [`BEATS`] of them every socket was asked once.
    pub fn pulse(&self) {
        let due: Vec<Arc<Queue>> = {
            let mut members = self.members();
            members.beat += 1;
            let place = members.beat % u64::from(BEATS);
            let due = |queue: &&Arc<Queue>| queue.id() % u64::from(BEATS) == place;
            members.sockets.values().filter(due).cloned().collect()
        };
        due.iter().for_each(|queue| queue.beat());
    }

    pub fn meter(&self) -> &Arc<dyn Meter> {
        &self.meter
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shard(&self, topic: &Topic) -> MutexGuard<'_, Shard> {
        let shard = self.hasher.hash_one(topic) as usize % SHARDS;
        self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener for Hub {
    fn hear(&self, notice: &Arc<Notice>) {
        let mut topics = notice.event.topics();
        if self.everything.load(Ordering::Acquire) > 0 {
            topics.push(Topic::Everything);
        }
        // The lists are shared, not copied; whoever registers meanwhile makes a new one.
        let mut lists = topics.iter().filter_map(|topic| self.shard(topic).get(topic).cloned());
        let Some(first) = lists.next() else { return };
        let Some(second) = lists.next() else {
            return first.iter().for_each(|queue| queue.push(notice));
        };
        let mut told = HashSet::new();
        for list in [first, second].into_iter().chain(lists) {
            list.iter().filter(|queue| told.insert(queue.id())).for_each(|queue| queue.push(notice));
        }
    }
}

/// One socket's place in the hub. Dropping it gives up every topic and makes room for another socket.
#[derive(Debug)]
pub struct Seat {
    hub: Arc<Hub>,
    queue: Arc<Queue>,
    user: Option<UserName>,
    topics: Vec<Topic>,
}

impl Seat {
    pub fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }

    pub fn meter(&self) -> &dyn Meter {
        &*self.hub.meter
    }

    /// Counts this socket among those of its dialect.
    pub fn counted(&self, dialect: &'static str) -> Counted {
        Counted::new(self.hub.meter.traffic(dialect))
    }

    /// Whose socket it is, as soon as that is known.
    pub fn user(&self) -> Option<&UserName> {
        self.user.as_ref()
    }

    /// The socket is this user's from now on; refused where the user has too many.
    pub fn sign_in(&mut self, user: &UserName) -> Result<(), Full> {
        let mut members = self.hub.members();
        members.add(user, self.hub.limits.sockets_per_user_max)?;
        let before = self.user.replace(user.clone());
        if let Some(before) = &before {
            members.take(before);
        }
        drop(members);
        self.hub.came(Some(user));
        self.hub.went(before.as_ref());
        Ok(())
    }

    /// From now on this socket's queue hears of the topic. Once is enough.
    pub fn listen(&mut self, topic: Topic) {
        if self.topics.contains(&topic) {
            return;
        }
        let mut shard = self.hub.shard(&topic);
        let listeners = Arc::make_mut(shard.entry(topic.clone()).or_default());
        // By id, so that leaving finds its place without a walk; ids grow, so this mostly appends.
        let place = listeners.partition_point(|other| other.id() < self.queue.id());
        listeners.insert(place, Arc::clone(&self.queue));
        if topic == Topic::Everything {
            self.hub.everything.fetch_add(1, Ordering::AcqRel);
        }
        drop(shard);
        self.topics.push(topic);
    }

    pub fn unlisten(&mut self, topic: &Topic) {
        if let Some(at) = self.topics.iter().position(|other| other == topic) {
            self.topics.swap_remove(at);
            self.leave(topic);
        }
    }

    fn leave(&self, topic: &Topic) {
        let mut shard = self.hub.shard(topic);
        let Some(listeners) = shard.get_mut(topic) else { return };
        if let Ok(at) = listeners.binary_search_by_key(&self.queue.id(), |other| other.id()) {
            let listeners = Arc::make_mut(listeners);
            listeners.remove(at);
            if *topic == Topic::Everything {
                self.hub.everything.fetch_sub(1, Ordering::AcqRel);
            }
            if listeners.is_empty() {
                shard.remove(topic);
            }
        }
    }

    /// Gives up every topic and what waits, while the socket takes its leave.
    pub fn quiet(&mut self) {
        for topic in std::mem::take(&mut self.topics) {
            self.leave(&topic);
        }
        self.queue.stop();
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.quiet();
        let mut members = self.hub.members();
        members.sockets.remove(&self.queue.id());
        if let Some(user) = &self.user {
            members.take(user);
        }
        drop(members);
        self.hub.went(self.user.as_ref());
        self.hub.left.notify_waiters();
    }
}
