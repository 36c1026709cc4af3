//! Every integration test in one binary, so that the library is linked once.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod golden;
mod hostile;
mod samples;
