//! The real-time face: who listens on this node, one task per socket, and one pure state machine per dialect. Speaks to the rest through `Desk`.

pub mod codec;
pub mod cti;
pub mod cti_doors;
pub mod cti_events;
pub mod cti_messages;
pub mod desk;
pub mod dialect;
pub mod frame;
pub mod held;
pub mod hub;
pub mod queue;
pub mod session;
pub mod side;
pub mod sight;
pub mod stomp;
pub mod talk;
pub mod upgrade;
pub mod wazo;
pub mod websocketd;
pub mod ws;
