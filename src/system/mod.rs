//! What comes from outside and tests replace: calendar time, pace, randomness. The only room that may ask the machine for them.

#![expect(clippy::disallowed_methods, reason = "this is the room that may ask the machine")]

pub mod clock;
pub mod pace;
pub mod random;
