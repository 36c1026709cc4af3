//! The CTI dialect of one person or one group a socket, as FreedomCTI's endpoints describe it. Pure.

pub mod conversation;
pub mod push;
pub mod request;
