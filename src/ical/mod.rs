//! Text to domain and back: content lines, components, zones, recurrences, alarms. Knows no store and no clock.

pub mod acknowledge;
pub mod alarms;
pub mod bell;
pub mod bells;
pub mod block;
pub mod draft;
pub mod edit;
pub mod excerpt;
pub mod filter;
pub mod freebusy;
pub mod invited;
pub mod lines;
pub mod object;
pub mod recur;
pub mod scan;
pub mod spans;
pub mod split;
pub mod stance;
pub mod text;
pub mod time;
pub mod trigger;
pub mod vcard;
pub mod vtimezone;
pub mod write;
pub mod zone;
pub mod zones;
