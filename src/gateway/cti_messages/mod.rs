//! The CTI messages socket: how much of whom is unread, in the frames of the CTI client. Pure.

pub mod machine;
pub mod request;
