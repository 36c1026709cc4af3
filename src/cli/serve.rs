//! `campanile serve`: the service, until a signal ends it.

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use toml::Value;

use crate::app;
use crate::cli::{ConfigFlags, FAILED, Failure, say};
use crate::config::{self, Config};
use crate::system::clock::{Clock, ManualClock, SystemClock};
use crate::telemetry;

#[derive(Args)]
pub struct Serve {
    #[command(flatten)]
    flags: ConfigFlags,
    /// An address to listen on, instead of the configured ones; may be given several times
    #[arg(long, value_name = "ADDR")]
    listen: Vec<SocketAddr>,
    /// The address for Wazo clients, or "off"
    #[arg(long, value_name = "ADDR|off")]
    wazo_listen: Option<String>,
    /// Make demo users with calendars; only into an empty store, only on loopback
    #[arg(long)]
    demo: bool,
    /// "system", or an instant like 2025-01-15T09:00:00Z at which a clock stands that is turned by hand
    #[arg(long, default_value = "system", value_parser = clock, value_name = "system|RFC3339")]
    clock: Turning,
}

#[derive(Clone, Debug)]
enum Turning {
    System,
    Manual(DateTime<Utc>),
}

fn clock(text: &str) -> Result<Turning, String> {
    match text {
        "system" => Ok(Turning::System),
        instant => instant
            .parse()
            .map(Turning::Manual)
            .map_err(|_| format!("{instant:?} is neither \"system\" nor an instant like 2025-01-15T09:00:00Z")),
    }
}

/// Reads the configuration from its layers.
pub fn configured(
    flags: &ConfigFlags,
    listen: &[SocketAddr],
    wazo: Option<&str>,
) -> Result<(Config, config::Layers), Failure> {
    let mut set = Vec::new();
    if let Some(data) = &flags.data {
        set.push(("store.path", Value::String(text(data)?), "--data"));
    }
    if !listen.is_empty() {
        let listener = |address: &SocketAddr| {
            Value::Table(toml::Table::from_iter([("address".to_owned(), Value::String(address.to_string()))]))
        };
        set.push(("listener", Value::Array(listen.iter().map(listener).collect()), "--listen"));
    }
    if let Some(address) = wazo {
        set.push(("wazo.address", Value::String(address.to_owned()), "--wazo-listen"));
    }
    let layers = config::layers(flags.config.as_deref(), std::env::vars(), set)?;
    Ok((config::read(&layers)?, layers))
}

fn text(path: &Path) -> Result<String, Failure> {
    Ok(path.to_str().ok_or("the path of the store is not UTF-8")?.to_owned())
}

impl Serve {
    pub async fn run(self) -> Result<ExitCode, Failure> {
        let (config, _) = configured(&self.flags, &self.listen, self.wazo_listen.as_deref())?;
        telemetry::start(&config.log);
        let apart = config.metrics_address().into_iter().chain(config.wazo_address());
        let addresses = config.listener.iter().map(|listener| listener.address).chain(apart);
        if self.demo && addresses.into_iter().any(|address| !address.ip().is_loopback()) {
            return Err("--demo makes accounts that everybody knows: it listens on loopback addresses only".into());
        }
        let clock: Arc<dyn Clock> = match self.clock {
            Turning::System => Arc::new(SystemClock),
            Turning::Manual(now) => Arc::new(ManualClock::at(now)),
        };
        // Listened for before anybody can know that the service runs.
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hangup = signal(SignalKind::hangup())?;
        let running = app::start(&config, clock).await?;
        if self.demo {
            if let Err(refusal) = running.service.fill_demo().await {
                running.stop().await;
                return Err(format!("--demo: {refusal}").into());
            }
            if let Some(address) = running.addresses.first() {
                // Nobody needs to read it: the service runs on.
                let _ = say(format_args!("{}", greeting(*address)));
            }
        }
        for address in &running.addresses {
            tracing::info!(%address, "listening");
        }
        if let Some(address) = running.metrics {
            tracing::info!(%address, "serving /metrics");
        }
        if let Some(address) = running.wazo {
            tracing::info!(%address, "serving Wazo clients");
        }
        let mut failed = running.failed();
        let reload = async {
            while hangup.recv().await.is_some() {
                running.reload_certificates();
            }
            std::future::pending::<()>().await;
        };
        let code = tokio::select! {
            () = reload => ExitCode::SUCCESS,
            () = async { tokio::select! { _ = terminate.recv() => {} _ = interrupt.recv() => {} } } => {
                tracing::info!("stopping");
                ExitCode::SUCCESS
            }
            Ok(why) = failed.wait_for(Option::is_some) => {
                eprintln!("campanile: the store failed: {}", why.as_deref().unwrap_or_default());
                ExitCode::from(FAILED)
            }
        };
        running.stop().await;
        Ok(code)
    }
}

fn greeting(address: SocketAddr) -> String {
    format!(
        "\
Campanile rings at http://{address}

  users      alice, bob, carol, admin (password = name)
  calendars  /calendars/alice/default  /calendars/alice/team (shared)  /calendars/alice/holidays (public)

Try, in another terminal:

  campanile watch --url http://{address} --user alice --password alice /calendars/alice/default
  curl -u alice:alice http://{address}/api/calendars
  curl -u alice:alice -T event.ics http://{address}/calendars/alice/default/event.ics
"
    )
}
