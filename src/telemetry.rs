//! Logs to standard error, as text or as JSON lines.

use std::io::IsTerminal;

use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::log::{Log, LogFormat};

/// Starts logging; a second call changes nothing.
pub fn start(log: &Log) {
    let filter = EnvFilter::try_new(&log.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let base = tracing_subscriber::registry().with(filter).with(filter_fn(is_discreet));
    let writer = layer().with_ansi(std::io::stderr().is_terminal()).with_writer(std::io::stderr);
    let _ = match log.format {
        LogFormat::Json => base.with(writer.json()).try_init(),
        LogFormat::Text => base.with(writer.with_target(false)).try_init(),
    };
}

/// At their wordiest the libraries of the wire print segments of paths and values of headers, tickets and tokens among them. Nobody can ask
/// for that here.
fn is_discreet(line: &Metadata<'_>) -> bool {
    *line.level() != Level::TRACE || line.target().starts_with("campanile")
}
