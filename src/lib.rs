//! Campanile: calendars and address books, exact alarms, and a push in the protocol a client already speaks. `ARCHITECTURE.md` is the map.

pub mod domain;
pub mod ical;
pub mod kv;
pub mod system;
