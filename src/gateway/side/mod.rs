//! The Side dialect: the WebSocket API of the Side service, as `docs/side.md` describes it.

pub mod bells;
pub mod conversation;
pub mod push;
pub mod registrations;
pub mod request;
pub mod requests;
