//! The STOMP protocol, 1.0 to 1.2, over WebSocket messages: as the Airy platform's clients speak it. Pure.

pub mod connect;
pub mod feed;
pub mod machine;
pub mod reader;
pub mod subscriptions;
pub mod version;
pub mod writer;
