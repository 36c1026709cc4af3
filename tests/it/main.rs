//! Every integration test in one binary, so that the library is linked once.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod accept;
mod codec;
mod desk;
mod hub;
mod side;
mod transcripts;
mod wire;
