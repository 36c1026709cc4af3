//! Dead properties: read, and set on objects, homes and principals. Those of a collection are set with its face, in `collections.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::access::writes as may_write;
use crate::domain::address::ObjectAddress;
use crate::domain::collection::Collection;
use crate::domain::dead::{self, Bounds, DeadChange, DeadProperty, Holder};
use crate::domain::object::{Precondition, Record};
use crate::domain::principal::Principal;
use crate::domain::refusal::Refusal;
use crate::kv::Writes;
use crate::service::Service;
use crate::service::collections::standing;
use crate::service::objects::seen_object;
use crate::service::principals::still_there;
use crate::store::{dead as rows, keys, objects};

impl Service {
    /// What a holder keeps. Whether the caller may read it was decided when they were shown the holder.
    pub async fn dead_properties(&self, holder: &Holder) -> Result<Vec<DeadProperty>, Refusal> {
        Ok(self.store.dead(holder).await?)
    }

    /// What a page of objects keeps, by name; those that keep nothing are left out.
    pub async fn dead_properties_of(
        &self,
        collection: &Collection,
        page: &[Record],
    ) -> Result<BTreeMap<Arc<str>, Vec<DeadProperty>>, Refusal> {
        match (page.first(), page.last()) {
            (Some(first), Some(last)) if page.iter().any(|record| record.dead > 0) => {
                Ok(self.store.dead_of_objects(collection.id, &first.name, &last.name).await?)
            }
            _ => Ok(BTreeMap::new()),
        }
    }

    /// What the objects from one name to another keep, by name.
    pub async fn dead_properties_between(
        &self,
        collection: &Collection,
        first: &str,
        last: &str,
    ) -> Result<BTreeMap<Arc<str>, Vec<DeadProperty>>, Refusal> {
        Ok(self.store.dead_of_objects(collection.id, first, last).await?)
    }

    /// Sets dead properties of the caller's own principal or home.
    pub async fn dress_own(&self, caller: &Principal, holder: Holder, changes: Vec<DeadChange>) -> Result<(), Refusal> {
        match &holder {
            Holder::Principal(user) | Holder::Home(_, user) if *user == caller.name => {}
            _ => return Err(Refusal::Forbidden),
        }
        let mut reads = vec![keys::user(&caller.name)];
        reads.extend(rows::rows(&holder));
        let bounds = self.dead_bounds();
        self.commit(reads, move |seen, _| {
            still_there(seen.first())?;
            let mut writes = Writes::new();
            change(&mut writes, &holder, seen.get(1..).unwrap_or_default(), &changes, bounds)?;
            Ok((writes, ()))
        })
        .await?;
        Ok(())
    }

    /// Sets dead properties of an object. Its text, its tag and the token of its collection stay.
    pub async fn dress_object(
        &self,
        caller: &Principal,
        address: &ObjectAddress,
        changes: Vec<DeadChange>,
        precondition: Precondition,
    ) -> Result<(), Refusal> {
        let view = self.view(&caller.name, address.collection()).await?;
        let (id, name) = (view.source.id, Arc::<str>::from(address.name()));
        let holder = Holder::Object(id, name.clone());
        let mut reads = vec![keys::collection(&view.source.address), keys::object(id, &name)];
        reads.extend(rows::rows(&holder));
        let (user, bounds) = (caller.name.clone(), self.dead_bounds());
        self.commit(reads, move |seen, _| {
            if !may_write(&user, &standing(seen.first(), id)?) {
                return Err(Refusal::Forbidden);
            }
            let mut record = seen_object(seen.get(1))?.ok_or(Refusal::NotFound)?;
            if !precondition.allows(Some(&record)) {
                return Err(Refusal::Precondition);
            }
            let mut writes = Writes::new();
            record.dead = change(&mut writes, &holder, seen.get(2..).unwrap_or_default(), &changes, bounds)?;
            objects::write_record(&mut writes, id, &record);
            Ok((writes, ()))
        })
        .await?;
        Ok(())
    }

    pub(crate) fn dead_bounds(&self) -> Bounds {
        let limits = &self.settings.limits;
        Bounds { count: limits.properties, bytes: limits.property_bytes }
    }
}

/// Writes what becomes of the properties that a decision was handed. Answers how many rows they take.
pub(crate) fn change(
    writes: &mut Writes,
    holder: &Holder,
    seen: &[Option<bytes::Bytes>],
    changes: &[DeadChange],
    bounds: Bounds,
) -> Result<u8, Refusal> {
    let before = seen.iter().flatten().count() as u8;
    let after = dead::changed(rows::seen(seen)?, changes, bounds);
    let written = after.and_then(|after| rows::write(writes, holder, before, &after));
    written.ok_or_else(|| {
        let Bounds { count, bytes } = bounds;
        Refusal::Full(format!("a resource keeps at most {count} properties, and {bytes} bytes of them"))
    })
}
