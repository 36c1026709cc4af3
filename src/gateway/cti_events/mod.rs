//! The CTI dialect of many subscriptions over one socket, as FreedomCTI's message models describe it. Pure.

pub mod conversation;
pub mod push;
pub mod request;
