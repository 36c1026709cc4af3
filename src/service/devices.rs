//! App passwords: one for each device of a person, so that one can be lost without the others. Only the SHA-256 of each is kept, which is
//! enough for 120 random bits; so trying one costs little, and a device that is taken back is out at once.

use bytes::Bytes;
use chrono::TimeDelta;

use crate::domain::address::UserName;
use crate::domain::device::{self, Device, Scope};
use crate::domain::event::{Event, Sockets};
use crate::domain::principal::Principal;
use crate::domain::refusal::{Fault, Refusal};
use crate::service::Service;
use crate::service::collections::check_text;
use crate::service::principals::still_there;
use crate::store::journal::Pen;
use crate::store::{keys, record};
use crate::system::random;

/// The longest name of a device, in bytes.
const NAME_MAX: usize = 256;

/// The last use is noted so often at most, in seconds: a device that asks all the time does not write all the time.
const NOTED_SECONDS: i64 = 60;

impl Service {
    /// A fresh app password, told this once, and the device that it is for.
    pub async fn add_device(&self, caller: &Principal, name: &str, scope: Scope) -> Result<(String, Device), Refusal> {
        let name = name.trim();
        check_text("the name of a device", name, NAME_MAX)?;
        if name.is_empty() {
            return Err(Fault::whole("a device needs a name").into());
        }
        let password = device::spelled(random::bytes(&*self.random));
        let made = Device {
            id: random::uuid(&*self.random).simple().to_string(),
            user: caller.name.clone(),
            name: name.to_owned(),
            scope,
            created: self.now(),
            used: None,
        };
        // One after another, so that two at once do not pass the limit together.
        let _turn = self.people.lock().await;
        let limit = self.settings.limits.app_passwords_per_user;
        if limit != 0 && self.devices(&caller.name).await?.len() >= limit {
            return Err(Refusal::Full(format!("a person has at most {limit} app passwords")));
        }
        let row = keys::device(&caller.name, &device::plain(&password).unwrap_or_default());
        let kept = made.clone();
        self.commit(vec![keys::user(&caller.name)], move |seen, _| {
            still_there(seen.first())?;
            Ok((vec![(row.clone(), Some(record::people::pack_device(&kept)))], ()))
        })
        .await?;
        Ok((password, made))
    }

    /// A person's devices, in the order in which they were made.
    pub async fn devices(&self, user: &UserName) -> Result<Vec<Device>, Refusal> {
        let mut devices: Vec<Device> = self.device_rows(user).await?.into_iter().map(|(_, device)| device).collect();
        devices.sort_by(|one, two| (one.created, &one.id).cmp(&(two.created, &two.id)));
        Ok(devices)
    }

    /// Takes a device's password back, with the tickets that it has drawn; its sockets close. Another person's device is as unknown as none.
    pub async fn remove_device(&self, user: &UserName, id: &str) -> Result<(), Refusal> {
        let rows = self.device_rows(user).await?;
        let (row, _) = rows.into_iter().find(|(_, device)| device.id == id).ok_or(Refusal::NotFound)?;
        let (gone, now) = (row.clone(), self.now());
        let out = Event::SignedOut { user: user.clone(), whose: Sockets::Device(id.to_owned()) };
        self.commit(vec![row], move |seen, stamp| {
            if seen.first().is_none_or(Option::is_none) {
                return Err(Refusal::NotFound);
            }
            let mut writes = vec![(gone.clone(), None)];
            Pen::new(now, stamp.0).tell(&mut writes, out.clone());
            Ok((writes, ()))
        })
        .await?;
        let tickets = self.store.tickets().await?.into_iter();
        self.remove(tickets.filter(|(_, ticket)| ticket.device.as_deref() == Some(id)).map(|(key, _)| key).collect())
            .await
    }

    /// The device of this person that has this password, if any; its use is noted.
    pub(crate) async fn device_with(&self, user: &UserName, typed: &str) -> Result<Option<Device>, Refusal> {
        let Some(password) = device::plain(typed) else { return Ok(None) };
        let row = keys::device(user, &password);
        let Some(bytes) = self.store.get(row.clone()).await? else { return Ok(None) };
        let device = record::people::device(&bytes)?;
        if self.is_noted(&device) {
            return Ok(Some(device));
        }
        // What the device came for does not wait on a note that cannot be taken.
        match self.note_use(row).await {
            Ok(()) => {}
            Err(Refusal::NotFound) => return Ok(None),
            Err(error) => tracing::debug!(%error, "the use of an app password was not noted"),
        }
        Ok(Some(device))
    }

    /// A person's device by its number, for what it has drawn.
    pub(crate) async fn device_of(&self, user: &UserName, id: &str) -> Result<Option<Device>, Refusal> {
        Ok(self.device_rows(user).await?.into_iter().map(|(_, device)| device).find(|device| device.id == id))
    }

    fn is_noted(&self, device: &Device) -> bool {
        // A clock that was turned back notes anew.
        device.used.is_some_and(|used| (self.now() - used).abs() < TimeDelta::seconds(NOTED_SECONDS))
    }

    async fn note_use(&self, row: Bytes) -> Result<(), Refusal> {
        let now = self.now();
        self.commit(vec![row.clone()], move |seen, _| {
            let Some(Some(bytes)) = seen.first() else { return Err(Refusal::NotFound) };
            let device = Device { used: Some(now), ..record::people::device(bytes)? };
            Ok((vec![(row.clone(), Some(record::people::pack_device(&device)))], ()))
        })
        .await?;
        Ok(())
    }

    async fn device_rows(&self, user: &UserName) -> Result<Vec<(Bytes, Device)>, Refusal> {
        let rows = self.store.all(&keys::devices(user)).await?;
        rows.into_iter().map(|(key, bytes)| Ok((key, record::people::device(&bytes)?))).collect()
    }
}
