//! What comes from outside and tests replace: calendar time, pace, randomness; and whom the rooms tell what they did. The only room that
//! may ask the machine for them.

#![expect(clippy::disallowed_methods, reason = "this is the room that may ask the machine")]

pub mod clock;
pub mod meter;
pub mod pace;
pub mod random;
pub mod spool;
