//! A calendar that was deleted with scheduling objects in it: of each, what its deletion means for others, slice by slice behind the commit
//! that took the calendar away. A crash goes on behind the last slice.

use crate::domain::collection::{Collection, CollectionId, Source};
use crate::domain::refusal::Refusal;
use crate::domain::scheduling::{Burial, Parcel};
use crate::kv::Writes;
use crate::service::Service;
use crate::store::{keys, scheduling};

/// Objects that one slice looks at.
const OBJECTS: usize = 100;
/// Homes after which a slice ends; with the last object's it may be as many more as one object has attendees.
const HOMES: usize = 1_000;

impl Service {
    /// Works out the next slice of each deleted calendar; whether more are left.
    pub async fn bury_on(&self) -> Result<bool, Refusal> {
        let mut left = false;
        for burial in self.store.burials().await? {
            left |= self.bury_slice(burial).await?.1;
        }
        Ok(left)
    }

    /// The first slice of one, and its homes at once where they are few; the job sees to the rest.
    pub(crate) async fn bury_now(&self, of: CollectionId) -> Result<(), Refusal> {
        let Some(burial) = self.store.burial(of).await? else { return Ok(()) };
        let (parcels, _) = self.bury_slice(burial).await?;
        self.carry_now(&parcels).await;
        self.nudges.scheduling.notify_one();
        Ok(())
    }

    /// Notes whose homes are to follow for some objects, and how far that came, in one commit. Answers them, and whether more are left.
    async fn bury_slice(&self, burial: Burial) -> Result<(Vec<Parcel>, bool), Refusal> {
        let owner = self.store.principal(burial.address.user()).await?;
        let source = Collection {
            id: burial.collection,
            ..Collection::new(burial.address.clone(), Source::Own, burial.address.name(), burial.collection.0)
        };
        // The sweep leaves them until the row is gone.
        let page = self.store.objects(source.id, burial.after.as_deref(), OBJECTS).await?;
        let (mut parcels, mut told) = (Vec::new(), None);
        let mut more = page.len() == OBJECTS;
        for record in page {
            if parcels.len() >= HOMES {
                more = true;
                break;
            }
            parcels.extend(self.plan_delete(&source, owner.as_ref(), &record, true).await?);
            told = Some(record.name.to_string());
        }
        let outgoing = parcels.clone();
        let (_, mine) = self
            .commit(vec![keys::burial(source.id)], move |seen, stamp| {
                // Somebody else told this slice.
                if seen.first().and_then(Option::as_ref) != Some(&scheduling::pack_burial(&burial)) {
                    return Ok((Writes::new(), false));
                }
                let mut writes = Writes::new();
                for parcel in &outgoing {
                    scheduling::write(&mut writes, &Parcel { stamp: stamp.0, ..parcel.clone() });
                }
                let next = Burial { after: told.clone(), ..burial.clone() };
                scheduling::write_burial(&mut writes, burial.collection, Some(&next).filter(|_| more));
                Ok((writes, true))
            })
            .await?;
        Ok((if mine { parcels } else { Vec::new() }, more))
    }
}
