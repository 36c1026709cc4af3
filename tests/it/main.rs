//! Every integration test in one binary, so that the library is linked once.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod accept;
mod codec;
mod desk;
mod golden;
mod hostile;
mod house;
mod hub;
mod kill;
mod kv_kill;
mod kv_law;
mod live;
mod samples;
mod side;
mod transcripts;
mod wire;
mod year;
