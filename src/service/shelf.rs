//! What questions about whole collections are answered from: records in the order of their names, kept by the collection's token, and
//! objects that were parsed. A cache and nothing else: all of it can be read again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::domain::address::Kind;
use crate::domain::collection::{Collection, CollectionId};
use crate::domain::object::{BodyId, Record};
use crate::domain::refusal::Refusal;
use crate::domain::sync::Token;
use crate::ical::lines::Limits;
use crate::ical::object::CalendarObject;
use crate::ical::vcard::Card;
use crate::kv::SCAN_MAX;
use crate::service::Service;

/// Records, one an object, in the order of their names.
pub type Records = Arc<Vec<Arc<Record>>>;

/// Objects that are read, or parsed and looked at, in one go; then others get their turn.
pub const PAGE: usize = 256;
/// Up to so many are looked at where the request is served; more go to a thread of their own.
const INLINE: usize = 16;
/// Changes since a shelf was filled up to which it is brought up to date one by one; with more it is filled anew.
const CHANGES_MAX: usize = 5_000;
/// What a parsed object takes, about: so much, and so much for each byte of its text.
const PARSED_BASE: usize = 2_048;
const PARSED_FACTOR: usize = 8;

/// An object's text, and what it says.
#[derive(Debug)]
pub struct Held {
    pub bytes: Bytes,
    pub content: Content,
}

#[derive(Debug)]
pub enum Content {
    Calendar(CalendarObject),
    Card(Card),
    /// It was stored under other limits than those of today.
    Unread,
}

impl Held {
    pub fn read(kind: Kind, bytes: Bytes, limits: &Limits) -> Held {
        let content = match kind {
            Kind::Calendar => CalendarObject::read(&bytes, limits).map_or(Content::Unread, Content::Calendar),
            Kind::AddressBook => Card::read(&bytes, limits).map_or(Content::Unread, Content::Card),
        };
        Held { bytes, content }
    }

    fn cost(&self) -> usize {
        PARSED_BASE + PARSED_FACTOR * self.bytes.len()
    }
}

/// A body, parsed already or not.
pub enum Body {
    Held(Arc<Held>),
    Raw(BodyId, Bytes),
}

/// An object on its way to being looked at.
pub struct Fetched {
    pub record: Arc<Record>,
    pub body: Body,
}

/// The cache of one node.
pub struct Shelves {
    index_objects: usize,
    parsed_bytes: usize,
    shelves: Mutex<HashMap<CollectionId, Shelf>>,
    parsed: Mutex<Parsed>,
}

struct Shelf {
    token: Token,
    records: Records,
    /// When it was last asked for, in askings.
    asked: u64,
}

/// Two generations: what is asked for moves into the young one, and when that has its half of the room, the old one is thrown away.
#[derive(Default)]
struct Parsed {
    young: HashMap<BodyId, Arc<Held>>,
    old: HashMap<BodyId, Arc<Held>>,
    young_bytes: usize,
}

impl Shelves {
    pub fn new(index_objects: usize, parsed_bytes: usize) -> Shelves {
        Shelves { index_objects, parsed_bytes, shelves: Mutex::default(), parsed: Mutex::default() }
    }

    /// The object of a body, parsed; what was parsed now is kept.
    pub fn held(&self, kind: Kind, body: Body, limits: &Limits) -> Arc<Held> {
        match body {
            Body::Held(held) => held,
            Body::Raw(id, bytes) => {
                let held = Arc::new(Held::read(kind, bytes, limits));
                self.keep(id, held.clone());
                held
            }
        }
    }

    fn known(&self, body: BodyId) -> Option<Arc<Held>> {
        let mut parsed = locked(&self.parsed);
        if let Some(held) = parsed.young.get(&body) {
            return Some(held.clone());
        }
        let held = parsed.old.remove(&body)?;
        parsed.put(body, held.clone(), self.parsed_bytes);
        Some(held)
    }

    fn keep(&self, body: BodyId, held: Arc<Held>) {
        if held.cost() < self.parsed_bytes / 4 {
            locked(&self.parsed).put(body, held, self.parsed_bytes);
        }
    }

    fn shelf(&self, id: CollectionId) -> Option<(Token, Records)> {
        let mut shelves = locked(&self.shelves);
        let asked = shelves.values().map(|shelf| shelf.asked).max().unwrap_or(0) + 1;
        let shelf = shelves.get_mut(&id)?;
        shelf.asked = asked;
        Some((shelf.token, shelf.records.clone()))
    }

    /// Takes the records out, so that they can be changed in place where nobody else reads them.
    fn take(&self, id: CollectionId) -> Option<(Token, Records)> {
        locked(&self.shelves).remove(&id).map(|shelf| (shelf.token, shelf.records))
    }

    fn put(&self, id: CollectionId, token: Token, records: Records) {
        let mut shelves = locked(&self.shelves);
        let asked = shelves.values().map(|shelf| shelf.asked).max().unwrap_or(0) + 1;
        shelves.insert(id, Shelf { token, records, asked });
        let total = |shelves: &HashMap<CollectionId, Shelf>| shelves.values().map(Shelf::cost).sum::<usize>();
        while total(&shelves) > self.index_objects {
            let oldest = shelves.iter().min_by_key(|(_, shelf)| shelf.asked).map(|(id, _)| *id);
            let Some(oldest) = oldest else { break };
            shelves.remove(&oldest);
        }
    }
}

impl Shelf {
    /// An empty one takes room too, so that a home of empty collections cannot grow the map without end.
    fn cost(&self) -> usize {
        self.records.len() + 1
    }
}

impl Parsed {
    fn put(&mut self, body: BodyId, held: Arc<Held>, room: usize) {
        let cost = held.cost();
        if self.young_bytes + cost > room / 2 {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        if self.young.insert(body, held).is_none() {
            self.young_bytes += cost;
        }
    }
}

/// Nothing panics while a lock is held; if something did, what is in the cache would still be true.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A way through the records of a collection, page by page.
pub enum Walk {
    Shelved { records: Records, at: usize },
    Stored { collection: Box<Collection>, after: Option<Arc<str>>, ended: bool },
}

impl Walk {
    /// The next records that are wanted, at most [`PAGE`]; `None` behind the last.
    pub async fn page(
        &mut self,
        service: &Service,
        wanted: impl Fn(&Record) -> bool,
    ) -> Result<Option<Vec<Arc<Record>>>, Refusal> {
        match self {
            Walk::Shelved { records, at } => {
                let mut page = Vec::new();
                while page.len() < PAGE
                    && let Some(record) = records.get(*at)
                {
                    if wanted(record) {
                        page.push(record.clone());
                    }
                    *at += 1;
                }
                Ok((!page.is_empty()).then_some(page))
            }
            Walk::Stored { collection, after, ended } => {
                while !*ended {
                    let page = service.objects(collection, after.as_deref(), PAGE).await?;
                    *ended = page.len() < PAGE;
                    *after = page.last().map(|record| record.name.clone());
                    let page: Vec<Arc<Record>> = page.into_iter().filter(&wanted).map(Arc::new).collect();
                    if !page.is_empty() {
                        return Ok(Some(page));
                    }
                    tokio::task::yield_now().await;
                }
                Ok(None)
            }
        }
    }
}

impl Service {
    /// A way through a collection's records, from behind `after`. They are those of its token or later: what changed meanwhile is told by
    /// the log.
    pub(crate) async fn walk(&self, source: &Collection, after: Option<&str>) -> Result<Walk, Refusal> {
        if source.objects > self.shelves.index_objects as u64 {
            let after = after.map(Arc::from);
            return Ok(Walk::Stored { collection: Box::new(source.clone()), after, ended: false });
        }
        let records = self.records(source).await?;
        let at = after.map_or(0, |after| records.partition_point(|record| &*record.name <= after));
        Ok(Walk::Shelved { records, at })
    }

    async fn records(&self, source: &Collection) -> Result<Records, Refusal> {
        match self.shelves.shelf(source.id) {
            Some((token, records)) if token >= source.token => return Ok(records),
            Some(_) => {}
            None => return self.fill(source).await,
        }
        // Whoever asks at the same time fills one of their own; the last stays.
        let Some((token, mut records)) = self.shelves.take(source.id) else { return self.fill(source).await };
        let changes = match self.changes_since(source, token).await {
            Ok(changes) if changes.len() <= CHANGES_MAX => changes,
            Ok(_) | Err(Refusal::StaleToken) => return self.fill(source).await,
            Err(refusal) => return Err(refusal),
        };
        let list = Arc::make_mut(&mut records);
        for name in changes.keys() {
            let now = self.store.object(source.id, name).await?.map(slim);
            match (list.binary_search_by(|record| (*record.name).cmp(name.as_str())), now) {
                (Ok(at), Some(now)) => list[at] = Arc::new(now),
                (Ok(at), None) => drop(list.remove(at)),
                (Err(at), Some(now)) => list.insert(at, Arc::new(now)),
                (Err(_), None) => {}
            }
        }
        self.shelves.put(source.id, source.token, records.clone());
        Ok(records)
    }

    async fn fill(&self, source: &Collection) -> Result<Records, Refusal> {
        let mut records =
            Vec::with_capacity(usize::try_from(source.objects).unwrap_or(0).min(self.shelves.index_objects));
        loop {
            let after = records.last().map(|record: &Arc<Record>| record.name.clone());
            let page = self.objects(source, after.as_deref(), SCAN_MAX).await?;
            let full = page.len() == SCAN_MAX;
            records.extend(page.into_iter().map(|record| Arc::new(slim(record))));
            if !full {
                break;
            }
            tokio::task::yield_now().await;
        }
        let records = Arc::new(records);
        self.shelves.put(source.id, source.token, records.clone());
        Ok(records)
    }

    /// The bodies of some records. One that was replaced meanwhile comes with its new record, one that was deleted does not come.
    pub(crate) async fn fetch(&self, source: &Collection, records: Vec<Arc<Record>>) -> Result<Vec<Fetched>, Refusal> {
        let known: Vec<Option<Arc<Held>>> = records.iter().map(|record| self.shelves.known(record.body)).collect();
        let missing = records.iter().zip(&known).filter(|(_, known)| known.is_none());
        let missing: Vec<(BodyId, u64)> = missing.map(|(record, _)| (record.body, record.size)).collect();
        let mut bodies = self.store.bodies(source.id, &missing).await?.into_iter();
        let mut fetched = Vec::with_capacity(records.len());
        for (record, known) in records.into_iter().zip(known) {
            let body = match known {
                Some(held) => Body::Held(held),
                None => match bodies.next().flatten() {
                    Some(bytes) => Body::Raw(record.body, bytes),
                    None => {
                        if let Some((now, bytes)) = self.store.object_with_body(source.id, &record.name).await? {
                            let body = Body::Raw(now.body, bytes);
                            fetched.push(Fetched { record: Arc::new(slim(now)), body });
                        }
                        continue;
                    }
                },
            };
            fetched.push(Fetched { record, body });
        }
        Ok(fetched)
    }

    /// Looks at some objects: here where they are few, else on a thread of their own, so that sockets do not wait for it.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        source: &Collection,
        fetched: Vec<Fetched>,
        look: impl FnOnce(Vec<(Arc<Record>, Arc<Held>)>) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let (shelves, limits, kind) = (self.shelves.clone(), self.line_limits(), source.address.kind());
        let few = fetched.len() <= INLINE && fetched.iter().all(|fetched| fetched.record.size < 16_384);
        let run = move || {
            let parse = |fetched: Fetched| (fetched.record, shelves.held(kind, fetched.body, &limits));
            look(fetched.into_iter().map(parse).collect())
        };
        if few {
            return Ok(run());
        }
        tokio::task::spawn_blocking(run).await.map_err(|_| self.fault("a question about a collection panicked"))
    }
}

/// What an arming alarm changes in a record without a word in the log is not kept here.
fn slim(mut record: Record) -> Record {
    record.due = None;
    record.armed = Vec::new();
    record
}
