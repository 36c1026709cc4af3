//! Campanile: calendars and address books, exact alarms, and a push in the protocol a client already speaks. `ARCHITECTURE.md` is the map.

pub mod api;
pub mod app;
pub mod bus;
pub mod cli;
pub mod config;
pub mod dav;
pub mod domain;
pub mod gateway;
pub mod http;
pub mod ical;
pub mod jobs;
pub mod kv;
pub mod metrics;
pub mod routes;
pub mod service;
pub mod sinks;
pub mod store;
pub mod system;
pub mod telemetry;
