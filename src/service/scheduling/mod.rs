//! Invitations and answers between people who live here: RFC 6638. One commit in the home where something changed names whose homes are to
//! follow; each of these follows in a commit of its own. Speaks no wire.

pub mod availability;
pub mod burial;
pub mod carry;
pub mod free_busy;
pub mod inbox;
pub mod intake;
pub mod plan;
pub mod received;

/// Attendees of one object that the service tells; more are refused.
pub const ATTENDEES_MAX: usize = 1_000;

/// Homes that follow before a request is answered, so that whoever asks at once sees it; more are left to the job.
pub const AT_ONCE: usize = 16;

/// How often something is worked out anew because what it rests on changed meanwhile.
pub(crate) const TRIES: usize = 8;
