//! What calendars are, apart from any wire, disk, task or clock.

pub mod access;
pub mod acl;
pub mod address;
pub mod alarm;
pub mod bearer;
pub mod channel;
pub mod collection;
pub mod dead;
pub mod delivery;
pub mod device;
pub mod event;
pub mod home_sync;
pub mod import;
pub mod net;
pub mod notification;
pub mod object;
pub mod occurrence;
pub mod organisation;
pub mod origin;
pub mod presence;
pub mod principal;
pub mod query;
pub mod reach;
pub mod refusal;
pub mod sync;
pub mod ticket;
