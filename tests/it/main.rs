//! Every integration test in one binary, so that the library is linked once.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod accept;
mod alarm_policy;
mod cli;
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
mod logs;
mod recur_beside;
mod samples;
mod seam;
mod services;
mod side;
mod side_vectors;
mod sinks;
mod transcripts;
mod wire;
mod year;
mod zones;
