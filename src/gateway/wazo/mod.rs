//! The Wazo dialect: pure. `docs/wazo.md` tells the wire.

pub mod conversation;
pub mod request;
pub mod say;
pub mod tell;
pub mod view;
