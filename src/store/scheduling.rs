//! Rows of what is on its way between people's homes, and of the calendars that take it. Carries nothing out.

use bytes::Bytes;

use crate::domain::address::UserName;
use crate::domain::collection::CollectionId;
use crate::domain::scheduling::{Burial, Parcel, Task};
use crate::kv::{Range, Writes};
use crate::store::keys;
use crate::store::record::{address, pack, unpack};
use crate::store::{Store, StoreError};

impl Store {
    /// What is on its way, from behind a key, in the order of those it goes to; each with its row.
    pub async fn outgoing(&self, after: Option<&Bytes>, limit: usize) -> Result<Vec<(Bytes, Bytes)>, StoreError> {
        let range = Range::prefix(&keys::all_outgoing(None));
        self.some(after.map_or(range.clone(), |after| range.after(after)), limit).await
    }

    /// Deleted calendars whose objects' people are still to be told.
    pub async fn burials(&self) -> Result<Vec<Burial>, StoreError> {
        self.all(&keys::burials()).await?.iter().map(|(_, bytes)| burial(bytes)).collect()
    }

    pub async fn burial(&self, of: CollectionId) -> Result<Option<Burial>, StoreError> {
        self.get(keys::burial(of)).await?.map(|bytes| burial(&bytes)).transpose()
    }

    /// The name of the calendar that a person lets invitations go to, where they chose one.
    pub async fn intake(&self, user: &UserName) -> Result<Option<String>, StoreError> {
        let row = self.get(keys::intake(user)).await?;
        Ok(row.and_then(|bytes| String::from_utf8(bytes.to_vec()).ok()))
    }

    /// The accounts of mail addresses, in their order.
    pub async fn users_of_mails(&self, addresses: &[&str]) -> Result<Vec<Option<UserName>>, StoreError> {
        let rows = self.kv().read(addresses.iter().map(|address| keys::mail(address)).collect()).await?;
        let name = |bytes: Bytes| std::str::from_utf8(&bytes).ok().and_then(UserName::new);
        Ok(rows.into_iter().map(|row| row.and_then(name)).collect())
    }

    /// The names that a UID has in some collections, in their order.
    pub async fn named(&self, of: &[CollectionId], uid: &str) -> Result<Vec<Option<String>>, StoreError> {
        let rows = self.kv().read(of.iter().map(|id| keys::uid(*id, uid)).collect()).await?;
        Ok(rows.into_iter().map(|row| row.and_then(|bytes| String::from_utf8(bytes.to_vec()).ok())).collect())
    }
}

pub fn key(parcel: &Parcel) -> Bytes {
    keys::outgoing(&parcel.to, &parcel.uid, parcel.task.lane(), parcel.collection)
}

pub fn write(writes: &mut Writes, parcel: &Parcel) {
    writes.push((key(parcel), Some(pack_parcel(parcel))));
}

pub fn pack_parcel(parcel: &Parcel) -> Bytes {
    let task = Task::ALL.iter().position(|task| *task == parcel.task).unwrap_or_default() as u8;
    let (to, from) = (parcel.to.as_str(), parcel.from.as_str());
    pack((to, task, from, &parcel.email, parcel.collection.0, &parcel.name, &parcel.uid, parcel.stamp))
}

/// Notes how far the telling came; `None` where all are told.
pub fn write_burial(writes: &mut Writes, of: CollectionId, burial: Option<&Burial>) {
    writes.push((keys::burial(of), burial.map(pack_burial)));
}

/// The row as it must stand for a decision to go on with it.
pub fn pack_burial(burial: &Burial) -> Bytes {
    pack((burial.collection.0, burial.address.to_string(), burial.after.as_deref()))
}

fn burial(bytes: &[u8]) -> Result<Burial, StoreError> {
    let (collection, at, after): (u64, String, Option<String>) = unpack("burial", bytes)?;
    Ok(Burial { collection: CollectionId(collection), address: address("burial", &at)?, after })
}

type Row = (String, u8, String, String, u64, String, String, u64);

pub fn parcel(bytes: &[u8]) -> Result<Parcel, StoreError> {
    let odd = || StoreError::Unreadable("parcel");
    let (to, task, from, email, collection, name, uid, stamp): Row = unpack("parcel", bytes)?;
    let user = |name: &str| UserName::new(name).ok_or_else(odd);
    Ok(Parcel {
        to: user(&to)?,
        task: *Task::ALL.get(usize::from(task)).ok_or_else(odd)?,
        from: user(&from)?,
        email,
        collection: CollectionId(collection),
        name,
        uid,
        stamp,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn burials_come_back() {
        let address = crate::domain::address::Address::parse("/calendars/alice/work").expect("an address");
        for after in [None, Some("a.ics".to_owned())] {
            let one = Burial { collection: CollectionId(7), address: address.clone(), after };
            assert_eq!(burial(&pack_burial(&one)).expect("a burial"), one);
        }
    }

    #[test]
    fn rows_come_back() {
        let user = |name| UserName::new(name).expect("a name");
        for task in Task::ALL {
            let sent = Parcel {
                to: user("bob"),
                task,
                from: user("alice"),
                email: "alice@example.org".to_owned(),
                collection: CollectionId(7),
                name: "a.ics".to_owned(),
                uid: "u1".to_owned(),
                stamp: 9,
            };
            assert_eq!(parcel(&pack_parcel(&sent)).expect("a parcel"), sent);
            assert!(key(&sent).starts_with(&keys::all_outgoing(Some(&user("bob")))));
        }
    }
}
