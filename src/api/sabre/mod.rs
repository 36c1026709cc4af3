//! The JSON that web apps of the Twake family speak below `/dav/`: esn-sabre's calls, on the use cases that DAV's are on. `docs/sabre.md`.

pub mod acl;
pub mod books;
pub mod busy;
pub mod calendars;
pub mod cards;
pub mod configurations;
pub mod creation;
pub mod door;
pub mod events;
pub mod items;
pub mod itip;
pub mod multiget;
pub mod objects;
pub mod people;
pub mod place;
pub mod properties;
pub mod report;
pub mod rights;
pub mod share;
pub mod sync;
pub mod uids;
pub mod window;
pub mod wrong;

use bytes::Bytes;
use serde_json::Value;

use crate::api::House;
use crate::api::sabre::place::Place;
use crate::api::sabre::wrong::Wrong;
use crate::domain::principal::Principal;
use crate::http::call::Call;

/// A request that came through the door.
pub struct Ask {
    pub house: House,
    pub caller: Principal,
    pub call: Call,
    pub body: Bytes,
    pub place: Place,
}

impl Ask {
    /// The body as a JSON object.
    pub fn object(&self) -> Result<Value, Wrong> {
        let value: Value =
            serde_json::from_slice(&self.body).map_err(|error| Wrong::Bad(format!("no JSON: {error}")))?;
        if value.is_object() { Ok(value) } else { Err(Wrong::bad("the body must be a JSON object")) }
    }

    /// Whether a parameter of the query is `true`.
    pub fn says(&self, name: &str) -> bool {
        self.call.parameter(name).as_deref() == Some("true")
    }
}
