//! Deliveries: planned in the commit that notes what rang, listed, tried anew. Their attempts are made in `attempts.rs`.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::bus::Flight;
use crate::domain::address::UserName;
use crate::domain::alarm::{Action, Rung};
use crate::domain::delivery::{self, Delivery, DeliveryId, Offered};
use crate::domain::principal::Principal;
use crate::domain::refusal::Refusal;
use crate::kv::Writes;
use crate::service::Service;
use crate::service::post::Letter;
use crate::store::{deliveries, keys, record};
use crate::system::pace;

/// Deliveries that one answer lists; a longer list is cut off behind the newest.
const LISTED_MAX: usize = 1_000;

/// An alarm that rings for a person, and whether in a calendar of their own.
#[derive(Clone, Debug)]
pub(crate) struct Tolled {
    pub rung: Rung,
    pub own: bool,
}

impl Service {
    /// Takes in what a commit has just planned; turns of the clock wait for its first attempts.
    pub(crate) fn post_new(&self, planned: &[Delivery]) {
        if !planned.is_empty() {
            self.post.take_in(planned.iter().map(|one| Letter::of(one, self.post.flight())), pace::now());
            self.nudges.deliveries.notify_one();
        }
    }

    /// Whether one delivery more of a person is given up at once, because too many wait.
    pub(crate) fn post_is_full(&self, user: &UserName) -> bool {
        let limit = self.settings.sinks.waiting_per_user;
        limit > 0 && self.post.held(user) >= limit
    }

    /// Takes an alarm off the screens that it reached through a channel, as far as the channel can.
    pub(crate) async fn clear_screens(&self, rung: &Rung) -> Result<(), Refusal> {
        let (now, offered, rung) = (self.now(), self.settings.sinks.offered, rung.clone());
        if rung.alarm.action == Action::Email || !offered.ntfy || self.post_is_full(&rung.user) {
            return Ok(());
        }
        let (_, planned) = self
            .commit(vec![keys::channels(&rung.user)], move |seen, _| {
                let channels = deliveries::seen_channels(seen.first().and_then(Option::as_ref))?;
                let planned = delivery::clearing(&rung.user, &channels, offered, &rung.alarm, now);
                let mut writes = Vec::new();
                planned.iter().for_each(|one| deliveries::write(&mut writes, one));
                Ok((writes, planned))
            })
            .await?;
        self.post_new(planned.as_slice());
        Ok(())
    }

    /// The deliveries that wait (`dead` is false) or were given up, newest first: one's own, an administrator's everybody's.
    pub async fn list_deliveries(&self, caller: &Principal, dead: bool) -> Result<Vec<Delivery>, Refusal> {
        let whose = (!caller.administrator).then_some(&caller.name);
        let mut found =
            if dead { self.store.dead_deliveries(whose).await? } else { self.store.deliveries(whose).await? };
        found.sort_by_key(|one| Reverse((one.planned, one.id)));
        found.truncate(LISTED_MAX);
        Ok(found)
    }

    /// Tries a delivery anew that was given up.
    pub async fn retry_delivery(&self, caller: &Principal, id: DeliveryId) -> Result<Delivery, Refusal> {
        let whose = (!caller.administrator).then_some(&caller.name);
        let dead = self.store.dead_deliveries(whose).await?.into_iter().find(|one| one.id == id);
        let dead = dead.ok_or(Refusal::NotFound)?;
        if self.post_is_full(&dead.user) {
            return Err(Refusal::Busy { limit: "too many deliveries wait", retry_seconds: 60 });
        }
        let row = keys::dead(&dead.user, id);
        let (_, delivery) = self
            .commit(vec![row], |seen, _| {
                let Some(Some(bytes)) = seen.first() else { return Err(Refusal::NotFound) };
                let delivery = Delivery { attempts: 0, ..record::alarms::delivery(bytes)? };
                let mut writes = Vec::new();
                deliveries::write(&mut writes, &delivery);
                Ok((writes, delivery))
            })
            .await?;
        self.post.take_in([Letter::of(&delivery, Flight::unwatched())], pace::now());
        self.nudges.deliveries.notify_one();
        Ok(delivery)
    }
}

/// Plans, within the commit that notes what rang, what goes out through channels. `rows` are two a person: themselves and their channels.
/// Answers what may be attempted; who has too many waiting (`people` says so) gets no attempt but a line in the list.
pub(crate) fn plan<'r>(
    writes: &mut Writes,
    people: &BTreeMap<UserName, bool>,
    rows: &[Option<Bytes>],
    offered: Offered,
    tolled: impl Iterator<Item = &'r Tolled> + Clone,
    now: DateTime<Utc>,
) -> Vec<Delivery> {
    let mut planned = Vec::new();
    for ((user, full), rows) in people.iter().zip(rows.chunks(2)) {
        // Removed in the meantime: nobody to tell. A damaged row must not keep others' alarms from being noted.
        let [Some(person), chosen] = rows else { continue };
        let read = record::people::principal(person).ok().zip(deliveries::seen_channels(chosen.as_ref()).ok());
        let Some((person, chosen)) = read else { continue };
        for Tolled { rung, own } in tolled.clone().filter(|tolled| tolled.rung.user == *user) {
            for mut one in delivery::ringing(&person, &chosen, offered, &rung.alarm, *own, now) {
                if *full {
                    one.why = "too many deliveries wait".to_owned();
                    deliveries::bury(writes, &one);
                } else {
                    deliveries::write(writes, &one);
                    planned.push(one);
                }
            }
        }
    }
    planned
}
