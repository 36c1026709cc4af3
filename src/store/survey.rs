//! All rows of a store in one pass: how many of what, and what does not fit together. Mends nothing.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::domain::collection::{Collection, CollectionId, Source};
use crate::domain::object::BodyId;
use crate::domain::sync::Change;
use crate::kv::Snapshot;
use crate::store::keys::{self, CHUNK};
use crate::store::{StoreError, record};

/// Findings that are told one by one; more are only counted.
const FINDINGS_MAX: usize = 1_000;

/// What a pass found.
#[derive(Debug, Default)]
pub struct Survey {
    /// By the families of rows: how many, and the bytes of their keys and values.
    pub families: BTreeMap<&'static str, (u64, u64)>,
    /// What does not fit together, the first thousand.
    pub findings: Vec<String>,
    /// All of them.
    pub found: u64,
    pub collections: u64,
    pub objects: u64,
}

impl Survey {
    /// Reads all rows. Holds about 200 bytes an object in memory.
    pub fn take(mut snapshot: Box<dyn Snapshot>) -> Result<Survey, StoreError> {
        let mut pass = Pass { stamp: snapshot.stamp().0, ..Pass::default() };
        while let Some(page) = snapshot.next()? {
            page.iter().for_each(|(key, value)| pass.row(key, value));
        }
        pass.end();
        Ok(pass.survey)
    }

    fn find(&mut self, what: fmt::Arguments<'_>) {
        self.found += 1;
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(what.to_string());
        }
    }
}

/// What later rows are held against.
#[derive(Default)]
struct Pass {
    stamp: u64,
    survey: Survey,
    users: HashSet<Bytes>,
    collections: HashMap<CollectionId, Head>,
    /// Their rows may be half gone: the sweep takes them away.
    tombs: HashSet<CollectionId>,
    objects: HashMap<(CollectionId, Arc<str>), Object>,
    /// Bytes of bodies that their records speak of and that were not yet met.
    bodies: HashMap<(CollectionId, BodyId), u64>,
    /// Objects that the log says were written last, and that are not there.
    missing: HashSet<(CollectionId, String)>,
}

struct Head {
    told: Collection,
    placed: bool,
    objects: u64,
    bytes: u64,
}

struct Object {
    uid: Bytes,
    indexed: bool,
    due: Option<DateTime<Utc>>,
    queued: bool,
    /// What the log says last of it.
    logged: Option<Change>,
}

impl Pass {
    fn row(&mut self, key: &Bytes, value: &Bytes) {
        let Some(family) = keys::family(key) else {
            return self.survey.find(format_args!("a row of an unknown family {:#04x}", key.first().unwrap_or(&0)));
        };
        let entry = self.survey.families.entry(family).or_default();
        *entry = (entry.0 + 1, entry.1 + (key.len() + value.len()) as u64);
        let kept = match family {
            "user" => {
                self.users.insert(key.slice(1..));
                record::people::principal(value).map(drop)
            }
            "collection" => self.collection(value),
            "object" => self.object(key, value),
            "change" => self.change(key, value),
            _ => {
                self.pointer(family, key, value);
                Ok(())
            }
        };
        if let Err(error) = kept {
            self.survey.find(format_args!("{error}, under {}", hex(key)));
        }
    }

    /// Rows that only lead to others, or are pieces of them.
    fn pointer(&mut self, family: &str, key: &Bytes, value: &Bytes) {
        match family {
            "collection at" => self.place(key),
            "tomb" => self.tombs.extend(keys::tomb_id(key)),
            "body" => self.body(key, value),
            "uid" => self.uid(key, value),
            "due" => self.due(key),
            _ => {}
        }
    }

    fn collection(&mut self, value: &Bytes) -> Result<(), StoreError> {
        let told = record::collections::collection(value)?;
        let at = &told.address;
        if told.token.0 > self.stamp || told.floor > told.token {
            let (token, floor) = (told.token.0, told.floor.0);
            self.survey
                .find(format_args!("{at}: token {token}, floor {floor}, where the last stamp is {}", self.stamp));
        }
        if !self.users.contains(at.user().as_str().as_bytes()) {
            self.survey.find(format_args!("{at}: nobody has that name"));
        }
        self.survey.collections += 1;
        if let Some(other) = self.collections.insert(told.id, Head { told, placed: false, objects: 0, bytes: 0 }) {
            self.survey.find(format_args!("{}: its number {} is another's too", other.told.address, other.told.id.0));
        }
        Ok(())
    }

    fn place(&mut self, key: &Bytes) {
        let Some(id) = keys::collection_of(key) else { return };
        match self.collections.get_mut(&id) {
            Some(head) => head.placed = true,
            None => self.survey.find(format_args!("number {} leads to no collection", id.0)),
        }
    }

    fn object(&mut self, key: &Bytes, value: &Bytes) -> Result<(), StoreError> {
        let object = record::objects::object(value)?;
        let Some(id) = keys::collection_of(key) else { return Ok(()) };
        if self.tombs.contains(&id) {
            return Ok(());
        }
        let Some(head) = self.collections.get_mut(&id) else {
            self.survey.find(format_args!("{} is in no collection ({})", object.name, id.0));
            return Ok(());
        };
        if keys::object_name(key) != Some(&object.name) {
            self.survey.find(format_args!("{}: {} stands under another name", head.told.address, object.name));
        }
        self.survey.objects += 1;
        head.objects += 1;
        head.bytes += object.size;
        if object.size > 0 {
            self.bodies.insert((id, object.body), object.size);
        }
        let row =
            Object { uid: keys::uid(id, &object.uid), indexed: false, due: object.due, queued: false, logged: None };
        self.objects.insert((id, object.name), row);
        Ok(())
    }

    fn body(&mut self, key: &Bytes, value: &Bytes) {
        let Some((id, body)) = keys::body_place(key) else { return };
        if self.tombs.contains(&id) {
            return;
        }
        let size = value.len() as u64;
        match self.bodies.get_mut(&(id, body)) {
            Some(left) if *left >= size && (size == CHUNK as u64 || *left == size) => *left -= size,
            Some(_) => self.survey.find(format_args!("a piece of {} bytes too many in {}", value.len(), id.0)),
            None => self.survey.find(format_args!("{} bytes of no object in {}", value.len(), id.0)),
        }
    }

    fn uid(&mut self, key: &Bytes, value: &Bytes) {
        let Some(id) = keys::collection_of(key).filter(|id| !self.tombs.contains(id)) else { return };
        let name: Arc<str> = Arc::from(String::from_utf8_lossy(value));
        match self.objects.get_mut(&(id, name.clone())) {
            Some(object) if object.uid == *key => object.indexed = true,
            _ => self.survey.find(format_args!("a UID leads to {name} in {}, which has another or is not there", id.0)),
        }
    }

    fn change(&mut self, key: &Bytes, value: &Bytes) -> Result<(), StoreError> {
        let (change, name) = record::objects::change(value)?;
        let Some(id) = keys::collection_of(key).filter(|id| !self.tombs.contains(id)) else { return Ok(()) };
        if keys::change_place(key).is_some_and(|(stamp, _)| stamp > self.stamp) {
            self.survey.find(format_args!("a change in {} is of a stamp that was not given", id.0));
        }
        let at = (id, Arc::<str>::from(name.as_str()));
        match (self.objects.get_mut(&at), change) {
            (Some(object), change) => object.logged = Some(change),
            (None, Change::Written) => drop(self.missing.insert((id, name))),
            (None, Change::Removed) => drop(self.missing.remove(&(id, name))),
        }
        Ok(())
    }

    fn due(&mut self, key: &Bytes) {
        let Some((at, id, name)) = keys::due_place(key) else { return };
        if self.tombs.contains(&id) {
            return;
        }
        match self.objects.get_mut(&(id, Arc::from(name))) {
            Some(object) if object.due == Some(at) => object.queued = true,
            _ => self.survey.find(format_args!("{name} in {} is to ring at {at}, and knows nothing of it", id.0)),
        }
    }

    fn end(&mut self) {
        let Pass { survey, collections, objects, bodies, missing, .. } = self;
        for head in collections.values() {
            let Collection { address, objects, bytes, source, .. } = &head.told;
            if !head.placed {
                survey.find(format_args!("{address}: nothing leads to it by its number"));
            }
            if *source == Source::Own && (*objects, *bytes) != (head.objects, head.bytes) {
                survey.find(format_args!(
                    "{address} says {objects} objects of {bytes} bytes, and holds {} of {}",
                    head.objects, head.bytes
                ));
            }
        }
        let place = |id: &CollectionId| {
            collections.get(id).map_or_else(|| id.0.to_string(), |head| head.told.address.to_string())
        };
        for ((id, name), object) in objects.iter() {
            if !object.indexed {
                survey.find(format_args!("{}/{name}: its UID does not lead to it", place(id)));
            }
            if object.due.is_some() && !object.queued {
                survey.find(format_args!("{}/{name} is to ring, and does not stand in the queue", place(id)));
            }
            if object.logged == Some(Change::Removed) {
                survey.find(format_args!("{}/{name} is there, and was removed last", place(id)));
            }
        }
        for ((id, _), left) in bodies.iter().filter(|(_, left)| **left > 0) {
            survey.find(format_args!("{left} bytes of an object are missing in {}", place(id)));
        }
        for (id, name) in missing.iter() {
            survey.find(format_args!("{}/{name} was written last, and is not there", place(id)));
        }
        survey.findings.sort();
    }
}

fn hex(key: &[u8]) -> String {
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}
