//! Events that people and programs publish for others: passed on as they are, through the journal like every other.

use std::sync::Arc;

use crate::domain::event::{Demand, Event, Published};
use crate::domain::principal::Principal;
use crate::domain::refusal::{Fault, Refusal};
use crate::service::Service;
use crate::store::journal::Pen;

/// Bytes of one event's body: it lies in one row of the journal, with its name and those whom it is for.
pub const BODY_BYTES_MAX: usize = 49_152;
/// The longest name and the longest demand, in bytes.
const NAME_MAX: usize = 256;
const DEMAND_MAX: usize = 1_024;
/// People that one event can be for by name; more are reached by one for everybody.
const USERS_MAX: usize = 256;

impl Service {
    /// Publishes an event. `Forbidden` without the right to, whatever it says.
    pub async fn publish(&self, caller: &Principal, token: Option<&str>, event: Published) -> Result<(), Refusal> {
        self.may_publish(caller, token).await?;
        if event.body.len() > BODY_BYTES_MAX {
            return Err(Refusal::TooLarge { limit: BODY_BYTES_MAX as u64 });
        }
        let demands_much = matches!(&event.demand, Demand::Grant(required) if required.len() > DEMAND_MAX);
        if event.name.is_empty() || event.name.len() > NAME_MAX || demands_much || event.users.len() > USERS_MAX {
            return Err(Fault::whole(format!(
                "an event has a name of 1 to {NAME_MAX} bytes, an acl of at most {DEMAND_MAX}, and at most {USERS_MAX} users"
            ))
            .into());
        }
        let (event, now) = (Arc::new(event), self.now());
        self.commit(Vec::new(), move |_, stamp| {
            let mut writes = Vec::new();
            Pen::new(now, stamp.0).tell(&mut writes, Event::Published(event.clone()));
            Ok((writes, ()))
        })
        .await?;
        Ok(())
    }
}
