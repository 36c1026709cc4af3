//! The one place where engines and parts are chosen and joined.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use chrono_tz::Tz;
use cron::Schedule;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::api::metrics::Board;
use crate::bus::Bus;
use crate::bus::local::LocalBus;
use crate::config::Config;
use crate::config::feeds;
use crate::config::http::Listener;
use crate::config::mail::MailSecurity;
use crate::config::store::Engine;
use crate::domain::refusal::Refusal;
use crate::gateway::desk::ServiceDesk;
use crate::gateway::dialect::Leave;
use crate::gateway::hub::{self, Hub};
use crate::gateway::session;
use crate::gateway::stomp;
use crate::gateway::upgrade::Door;
use crate::gateway::wazo::conversation::Manners;
use crate::http::accept;
use crate::http::cors::Cors;
use crate::http::observe::Observed;
use crate::http::porch::Porch;
use crate::http::proxy::Proxies;
use crate::http::tls::{self as certificates, Secure, Shown, TlsError};
use crate::jobs;
use crate::kv::memory::{Disk, Memory};
use crate::kv::redb::Redb;
use crate::kv::sled::Sled;
use crate::kv::writer::GroupKv;
use crate::kv::{self, Kv, KvError, files};
use crate::metrics::Metrics;
use crate::routes::{self, House};
use crate::service::Service;
use crate::service::feeds::Operated;
use crate::service::htpasswd;
use crate::service::jwt::Trust;
use crate::sinks::feed::Fetcher;
use crate::sinks::http::Caller;
use crate::sinks::mail::{self, Mail};
use crate::sinks::ntfy::Ntfy;
use crate::sinks::wazo_auth::WazoAuth;
use crate::sinks::webhook::Webhook;
use crate::sinks::{Sink, round, tls};
use crate::store::survey::Survey;
use crate::store::{Store, StoreError};
use crate::system::clock::Clock;
use crate::system::meter::Meter;
use crate::system::pace::{self, RealPace};
use crate::system::random::{self, Random, SystemRandom};

/// What sockets are told when the service stops: the Side's real front end comes back after 1012, never after 1000 or 1001.
const RESTART: Leave = Leave { code: 1012, reason: "service restart" };

/// Connections to the metrics' listener at a time; one more is answered 503.
const SCRAPERS_MAX: usize = 16;

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot open the store: {0}")]
    Store(#[from] KvError),
    #[error("cannot listen on {address}: {why}")]
    Listen { address: SocketAddr, why: std::io::Error },
    #[error("{0}")]
    Tls(#[from] TlsError),
    #[error("auth.htpasswd: {0}")]
    Htpasswd(std::io::Error),
    #[error("auth.jwt.{0}")]
    Jwt(String),
    #[error("auth.wazo_url: {0}")]
    WazoAuth(String),
    #[error("cannot send alarms elsewhere: {0}")]
    Sinks(String),
    #[error("cannot start: {0}")]
    Refused(#[from] Refusal),
    #[error("the feed {0}: {1}")]
    Feed(String, String),
    #[error("the sweep's schedule: {0}")]
    Schedule(#[from] cron::error::Error),
}

/// The jump of the stamps at an open lies below this: enough for a million opens, and two stores that went on from one backup hardly ever
/// give the same.
const JUMP_MAX: u64 = 1 << 34;

/// Opens the store that the configuration names.
pub fn open_store(config: &Config) -> Result<Arc<dyn Kv>, KvError> {
    if config.store.engine != Engine::Memory {
        files::settle(&config.store.path).map_err(KvError::Failed)?;
    }
    let jump = u64::from_be_bytes(random::bytes(&SystemRandom)) % JUMP_MAX;
    Ok(Arc::new(GroupKv::open_far(open_engine(config, &config.store.path)?, jump)?))
}

/// All that stands in a store, held together.
pub fn survey(kv: &dyn Kv) -> Result<Survey, StoreError> {
    Survey::take(kv.snapshot()?)
}

/// The engine that the configuration names, in a directory, without a writer.
pub fn open_engine(config: &Config, dir: &Path) -> Result<Box<dyn kv::engine::Engine>, KvError> {
    let cache = config.store.cache_bytes;
    Ok(match config.store.engine {
        Engine::Sled => Box::new(Sled::open(dir, cache)?),
        Engine::Redb => Box::new(Redb::open(dir, usize::try_from(cache).unwrap_or(usize::MAX))?),
        Engine::Memory => Box::new(Memory::open(&Disk::default())?),
    })
}

/// The service over a store, without any listener: what commands that open the store themselves work with.
pub fn service(
    kv: Arc<dyn Kv>,
    config: &Config,
    clock: Arc<dyn Clock>,
    bus: Arc<dyn Bus>,
    meter: Arc<dyn Meter>,
) -> Arc<Service> {
    let random: Arc<dyn Random> = Arc::new(SystemRandom);
    Service::new(Store::new(kv), clock, random, bus, config.settings(), meter)
}

/// The certificates that are trusted beside the machine's own.
fn trusted(config: &Config) -> Result<Vec<tls::Certificate>, StartError> {
    match config.sinks.trusted.as_str() {
        "" => Ok(Vec::new()),
        path => tls::certificates(path.as_ref()).map_err(|why| StartError::Sinks(format!("sinks.trusted: {why}"))),
    }
}

/// The sinks that the configuration opens.
fn sinks(config: &Config) -> Result<Vec<Arc<dyn Sink>>, StartError> {
    let trusted = trusted(config)?;
    let mut sinks: Vec<Arc<dyn Sink>> = Vec::new();
    if !config.mail.host.is_empty() {
        let server = mail::Server {
            host: config.mail.host.clone(),
            port: config.mail.port,
            security: match config.mail.security {
                MailSecurity::StartTls => mail::Security::StartTls,
                MailSecurity::Tls => mail::Security::Tls,
                MailSecurity::None => mail::Security::None,
            },
            user: config.mail.user.clone(),
            password: config.mail.password.clone(),
            from: config.mail.from.clone(),
            patience: Duration::from_secs(config.sinks.timeout_seconds),
            trusted: trusted.clone(),
            public_url: config.sinks.public_url.clone(),
        };
        sinks.push(Arc::new(Mail::new(server).map_err(StartError::Sinks)?));
    }
    let caller = Arc::new(Caller::new(config.sinks.allow_private, trusted));
    if config.sinks.webhook {
        sinks.push(Arc::new(Webhook::new(caller.clone())));
    }
    if config.sinks.ntfy {
        sinks.push(Arc::new(Ntfy::new(caller, &config.sinks.public_url)));
    }
    Ok(sinks)
}

/// The schedules of the operator's feeds, by their names, each with the zone that it is read in.
fn schedules(config: &Config) -> Result<HashMap<String, (Schedule, Tz)>, StartError> {
    let read = |feed: Operated| {
        let schedule = feeds::schedule(&feed.schedule).map_err(|why| StartError::Feed(feed.name.clone(), why))?;
        Ok((feed.name, (schedule, feed.zone.parse().unwrap_or(Tz::UTC))))
    };
    config.operated().into_iter().map(read).collect()
}

/// A running service.
pub struct Running {
    pub addresses: Vec<SocketAddr>,
    /// Where `/metrics` is, if it is anywhere.
    pub metrics: Option<SocketAddr>,
    /// Where Wazo clients connect, if anywhere.
    pub wazo: Option<SocketAddr>,
    /// What the listeners with TLS show.
    shown: Vec<Arc<Shown>>,
    pub service: Arc<Service>,
    pub hub: Arc<Hub>,
    kv: Arc<dyn Kv>,
    stop: watch::Sender<bool>,
    listeners: Vec<JoinHandle<()>>,
    jobs: Vec<JoinHandle<()>>,
    grace: Duration,
}

/// Opens the store, starts the jobs and listens.
pub async fn start(config: &Config, clock: Arc<dyn Clock>) -> Result<Running, StartError> {
    for warning in config.warnings() {
        tracing::warn!("{warning}");
    }
    if let Some(path) = config.auth.htpasswd() {
        htpasswd::text(&path).map_err(StartError::Htpasswd)?;
    }
    let trust = Trust::new(&config.auth.jwt.rules()).map_err(StartError::Jwt)?;
    let schedule = config.sweep.schedule.parse()?;
    let sinks = sinks(config)?;
    let schedules = schedules(config)?;
    let kv = open_store(config)?;
    let bus = Arc::new(LocalBus::default());
    let meter: Arc<dyn Meter> = Arc::new(Metrics::new());
    let limits = hub::Limits {
        sockets_max: config.limits.sockets,
        sockets_per_user_max: config.limits.sockets_per_user,
        queue_bytes_max: config.websocket.queue_bytes,
    };
    let hub = Hub::measured(limits, meter.clone());
    bus.attach(hub.clone());
    let service = service(kv.clone(), config, clock.clone(), bus, meter.clone());
    service.start_spool().await?;
    service.start_directory().await?;
    let patience = Duration::from_secs(config.feeds.timeout_seconds);
    let caller = Caller::new(config.feeds.allow_private, trusted(config)?);
    service.fetch_with(Arc::new(Fetcher::new(caller, patience, config.feeds.redirects)));
    if !config.auth.wazo_url.is_empty() {
        let patience = Duration::from_secs(config.auth.wazo_seconds);
        let issuer = WazoAuth::new(&config.auth.wazo_url, patience, &trusted(config)?).map_err(StartError::WazoAuth)?;
        service.ask_elsewhere(Arc::new(issuer), config.auth.wazo_master_tenant.parse().ok());
    }
    if let Some(trust) = trust {
        service.believe(trust);
    }
    service.start_relay().await?;
    service.start_belfry().await?;
    service.start_post().await?;
    service.start_presence().await?;
    service.start_feeds(config.operated()).await?;
    let desk = Arc::new(ServiceDesk::new(service.clone()));
    hub.watch(desk.clone());

    let ping = Duration::from_secs(config.websocket.ping_seconds);
    let mut jobs = vec![
        tokio::spawn(jobs::relay::run(service.clone())),
        tokio::spawn(jobs::due::run(service.clone())),
        tokio::spawn(jobs::imports::run(service.clone())),
        tokio::spawn(jobs::feeds::run(service.clone(), schedules, config.feeds.at_once)),
        tokio::spawn(jobs::scheduling::run(service.clone())),
        tokio::spawn(jobs::announcements::run(service.clone())),
        tokio::spawn(round::run(service.clone(), sinks, Duration::from_secs(config.sinks.timeout_seconds))),
        tokio::spawn(hub.clone().beat(ping)),
    ];
    // A clock that is turned by hand sweeps with each turn.
    if !service.clock_is_manual() {
        jobs.push(tokio::spawn(jobs::sweep::run(service.clone(), schedule)));
    }
    let door = Arc::new(Door {
        hub: hub.clone(),
        desk: desk.clone(),
        directory: desk,
        manners: Manners {
            subscriptions_max: config.wazo.subscriptions,
            expire_soon: TimeDelta::seconds(config.wazo.expire_soon_seconds.into()),
        },
        clock,
        pace: Arc::new(RealPace),
        settings: session::Settings {
            message_bytes_max: config.websocket.message_bytes,
            write_deadline: Duration::from_secs(config.websocket.write_seconds),
            ..session::Settings::default()
        },
        paths_max: config.websocket.registrations,
        stomp: stomp::machine::Limits {
            subscriptions: config.stomp.subscriptions,
            unacknowledged: config.stomp.unacknowledged,
            connect_within: Duration::from_secs(config.stomp.connect_seconds),
            heart_beat: Duration::from_secs(config.stomp.heart_beat_seconds),
        },
        cti_silence: (config.cti.silence_seconds != 0).then(|| Duration::from_secs(config.cti.silence_seconds)),
    });
    let house = House { service: service.clone(), door };
    let process = u32::from_be_bytes(random::bytes(&SystemRandom));
    let wazo_routes = TowerToHyperService::new(warp::service(routes::wazo(house.clone())));
    let wazo_routes = Observed::new(wazo_routes, meter.clone(), process ^ 1);
    let routes = TowerToHyperService::new(warp::service(routes::routes(house)));
    let proxies = Proxies::new(&config.auth.proxy_header, config.proxies(), config.trusted_origins());
    let cors = Cors::new(config.cors.any(), config.cors.named().unwrap_or_default());
    let routes = Porch::new(routes, Arc::new(proxies), Arc::new(cors));
    let routes = Observed::new(routes, meter, process);
    let settings = accept::Settings {
        header_deadline: Duration::from_secs(config.http.header_seconds),
        connections_max: config.http.connections,
        ..accept::Settings::default()
    };
    let (stop, _) = watch::channel(false);
    let mut shown = Vec::new();
    let mut bound = Vec::new();
    for Listener { address, certificate, key } in &config.listener {
        let (address, files) = (*address, certificate.as_deref().zip(key.as_deref()));
        let secure = secure(files, settings.http2, &mut shown)?;
        bound.push((TcpListener::bind(address).await.map_err(|why| StartError::Listen { address, why })?, secure));
    }
    let addresses = bound.iter().filter_map(|(listener, _)| listener.local_addr().ok()).collect();
    let stopped = || {
        let mut stopping = stop.subscribe();
        async move {
            // The sender's end means the same as its word.
            let _ = stopping.wait_for(|stop| *stop).await;
        }
    };
    let mut listeners: Vec<JoinHandle<()>> = Vec::new();
    let mut metrics = None;
    let http1 = accept::Settings { http2: false, ..settings };
    if let Some(listener) = bind_apart("metrics.address", config.metrics_address(), config.metrics.chosen).await? {
        metrics = listener.local_addr().ok();
        let secure = secure(files(&config.metrics.certificate, &config.metrics.key), http1.http2, &mut shown)?;
        let routes = TowerToHyperService::new(warp::service(routes::metrics(Board::new(service.clone()))));
        let settings = accept::Settings { connections_max: SCRAPERS_MAX, ..http1 };
        listeners.push(tokio::spawn(accept::serve_with(listener, secure, routes, settings, stopped())));
    }
    let mut wazo = None;
    if let Some(listener) = bind_apart("wazo.address", config.wazo_address(), config.wazo.chosen).await? {
        wazo = listener.local_addr().ok();
        let certificate = wazo_certificate(config)?;
        let secure = Some(Secure::new(certificate.clone(), http1.http2)?);
        shown.push(certificate);
        listeners.push(tokio::spawn(accept::serve_with(listener, secure, wazo_routes, http1, stopped())));
    }
    let serving =
        |(listener, secure)| tokio::spawn(accept::serve_with(listener, secure, routes.clone(), settings, stopped()));
    listeners.extend(bound.into_iter().map(serving));
    let grace = Duration::from_secs(config.http.shutdown_seconds);
    Ok(Running { addresses, metrics, wazo, shown, service, hub, kv, stop, listeners, jobs, grace })
}

/// A listener for one thing alone. One that nobody asked for may be missing: its port is another's, and the service is worth more.
async fn bind_apart(
    key: &'static str,
    address: Option<SocketAddr>,
    chosen: bool,
) -> Result<Option<TcpListener>, StartError> {
    let Some(address) = address else { return Ok(None) };
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(Some(listener)),
        Err(why) if chosen => Err(StartError::Listen { address, why }),
        Err(error) => {
            tracing::warn!(%address, %error, "the service runs without {key}: it cannot be listened on");
            Ok(None)
        }
    }
}

/// Two settings as paths, where they are set.
fn files<'a>(certificate: &'a str, key: &'a str) -> Option<(&'a Path, &'a Path)> {
    (!certificate.is_empty()).then(|| (certificate.as_ref(), key.as_ref()))
}

/// TLS for a listener that has files for it.
fn secure(
    files: Option<(&Path, &Path)>,
    http2: bool,
    shown: &mut Vec<Arc<Shown>>,
) -> Result<Option<Secure>, StartError> {
    let Some((certificate, key)) = files else { return Ok(None) };
    let read = Shown::read(certificates::Files { certificate: certificate.to_owned(), key: key.to_owned() })?;
    shown.push(read.clone());
    Ok(Some(Secure::new(read, http2)?))
}

/// What the Wazo listener shows: what is configured, or else a certificate of our own.
fn wazo_certificate(config: &Config) -> Result<Arc<Shown>, TlsError> {
    let wazo = &config.wazo;
    if let Some((certificate, key)) = files(&wazo.certificate, &wazo.key) {
        return Shown::read(certificates::Files { certificate: certificate.to_owned(), key: key.to_owned() });
    }
    match config.store.engine {
        Engine::Memory => Shown::passing(&wazo.names),
        Engine::Sled | Engine::Redb => Shown::read(certificates::own(&config.store.path.join("tls"), &wazo.names)?),
    }
}

impl Running {
    /// Turns to a text when the store failed: the process should end then.
    pub fn failed(&self) -> watch::Receiver<Option<String>> {
        self.kv.failed()
    }

    /// Reads all certificates anew. One that cannot be used is told in the log, and the one before it stays.
    pub fn reload_certificates(&self) {
        for shown in &self.shown {
            match shown.reload() {
                Ok(()) => tracing::info!(certificate = %shown, "certificate read"),
                Err(error) => tracing::error!(%error, "the certificate was not replaced"),
            }
        }
    }

    /// Takes no more connections, tells the sockets 1012, ends the jobs, closes the store.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        let left = self.hub.close_all(RESTART, self.grace).await;
        if left > 0 {
            tracing::warn!(left, "sockets did not close in time");
        }
        for listener in self.listeners {
            let _ = pace::within(self.grace, listener).await;
        }
        self.jobs.iter().for_each(JoinHandle::abort);
        if let Err(error) = self.kv.close().await {
            tracing::error!(%error, "the store did not close cleanly");
        }
    }
}
