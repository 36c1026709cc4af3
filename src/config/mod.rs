//! The configuration: the annotated defaults of `data/campanile.toml`, a file, the environment and flags, in layers that remember where
//! each value came from. A section's keys stand in a file of their own.

pub mod alarms;
pub mod auth;
pub mod calendar;
pub mod check;
pub mod clock;
pub mod cors;
pub mod cti;
pub mod feeds;
pub mod http;
pub mod jwt;
pub mod keeping;
pub mod limits;
pub mod log;
pub mod mail;
pub mod metrics;
pub mod notifications;
pub mod presence;
pub mod reports;
pub mod settings;
pub mod sinks;
pub mod stomp;
pub mod store;
pub mod wazo;
pub mod websocket;
pub mod words;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::Deserialize;
use toml::{Table, Value};

use crate::config::alarms::AlarmKeys;
use crate::config::auth::Auth;
use crate::config::calendar::Calendar;
use crate::config::check::check;
use crate::config::clock::ClockKeys;
use crate::config::cors::Cors;
use crate::config::cti::CtiKeys;
use crate::config::feeds::{FeedKeys, FeedsKeys};
use crate::config::http::{Http, Listener};
use crate::config::keeping::{JournalKeys, Sweep, UploadKeys};
use crate::config::limits::LimitKeys;
use crate::config::log::Log;
use crate::config::mail::Mail;
use crate::config::metrics::Metrics;
use crate::config::notifications::NotificationKeys;
use crate::config::presence::{OrganisationKeys, PresenceKeys};
use crate::config::reports::ReportKeys;
use crate::config::sinks::SinkKeys;
use crate::config::stomp::StompKeys;
use crate::config::store::Store;
use crate::config::wazo::Wazo;
use crate::config::websocket::WebSocket;
use crate::domain::net::Nets;

/// Every key with its default and what it means.
pub const DEFAULTS: &str = include_str!("../../data/campanile.toml");

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Default,
    File(PathBuf),
    Environment(String),
    Flag(&'static str),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File(path) => write!(f, "{}", path.display()),
            Origin::Environment(name) => write!(f, "${name}"),
            Origin::Flag(name) => f.write_str(name),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read {path}: {why}")]
    Unreadable { path: PathBuf, why: std::io::Error },
    #[error("${name}: cannot read {path}: {why}")]
    Secret { name: String, path: PathBuf, why: std::io::Error },
    #[error("{origin}: {why}")]
    Malformed { origin: String, why: String },
    #[error("{origin}: no setting named {key}")]
    Unknown { origin: String, key: String },
    #[error("{key} ({origin}): {why}")]
    Invalid { key: String, origin: Origin, why: String },
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub listener: Vec<Listener>,
    pub feed: Vec<FeedKeys>,
    pub feeds: FeedsKeys,
    pub http: Http,
    pub auth: Auth,
    pub cors: Cors,
    pub store: Store,
    pub calendar: Calendar,
    pub websocket: WebSocket,
    pub wazo: Wazo,
    pub limits: LimitKeys,
    pub reports: ReportKeys,
    pub alarms: AlarmKeys,
    pub organisation: OrganisationKeys,
    pub presence: PresenceKeys,
    pub uploads: UploadKeys,
    pub journal: JournalKeys,
    pub mail: Mail,
    pub sinks: SinkKeys,
    pub notifications: NotificationKeys,
    pub stomp: StompKeys,
    pub cti: CtiKeys,
    pub sweep: Sweep,
    pub clock: ClockKeys,
    pub metrics: Metrics,
    pub log: Log,
}

/// A value and where it came from, by dotted key.
pub type Layers = BTreeMap<String, (Value, Origin)>;

/// Puts the layers on one another: defaults, the file if there is one, the environment, flags.
pub fn layers(
    file: Option<&Path>,
    environment: impl IntoIterator<Item = (String, String)>,
    flags: Vec<(&str, Value, &'static str)>,
) -> Result<Layers, ConfigError> {
    let mut layers = Layers::new();
    for (key, value) in flat(&parse(DEFAULTS, "the defaults")?) {
        layers.insert(key, (value, Origin::Default));
    }
    if let Some(path) = file {
        let text =
            std::fs::read_to_string(path).map_err(|why| ConfigError::Unreadable { path: path.to_owned(), why })?;
        let origin = path.display().to_string();
        for (key, value) in flat(&parse(&text, &origin)?) {
            set(&mut layers, &key, value, Origin::File(path.to_owned()))?;
        }
    }
    for (name, text) in environment {
        let Some(rest) = name.strip_prefix("CAMPANILE_") else { continue };
        let (rest, text) = match rest.strip_suffix("_FILE") {
            Some(rest) => {
                let read = std::fs::read_to_string(&text);
                let (name, path) = (name.clone(), PathBuf::from(&text));
                (rest, read.map_err(|why| ConfigError::Secret { name, path, why })?.trim_end().to_owned())
            }
            None => (rest, text),
        };
        // Single names such as CAMPANILE_URL belong to the commands, not to the service.
        if !rest.contains("__") {
            continue;
        }
        let key = rest.to_lowercase().replace("__", ".");
        let value = match layers.get(&key) {
            Some((Value::String(_), _)) => Value::String(text),
            _ => Value::from_str(&text).unwrap_or(Value::String(text)),
        };
        set(&mut layers, &key, value, Origin::Environment(name))?;
    }
    for (key, value, flag) in flags {
        set(&mut layers, key, value, Origin::Flag(flag))?;
    }
    Ok(layers)
}

fn parse(text: &str, origin: &str) -> Result<Table, ConfigError> {
    text.parse().map_err(|why: toml::de::Error| ConfigError::Malformed {
        origin: origin.to_owned(),
        why: why.to_string().trim_end().to_owned(),
    })
}

/// `{http: {header_seconds: 15}}` as `http.header_seconds` = 15; a section within one has two dots, and lists stay whole.
fn flat(table: &Table) -> Vec<(String, Value)> {
    let mut rows = Vec::new();
    for (section, value) in table {
        match value {
            Value::Table(keys) => {
                rows.extend(flat(keys).into_iter().map(|(key, value)| (format!("{section}.{key}"), value)));
            }
            other => rows.push((section.clone(), other.clone())),
        }
    }
    rows
}

fn set(layers: &mut Layers, key: &str, value: Value, origin: Origin) -> Result<(), ConfigError> {
    match layers.get_mut(key) {
        Some(place) => {
            *place = (value, origin);
            Ok(())
        }
        None => Err(ConfigError::Unknown { origin: origin.to_string(), key: key.to_owned() }),
    }
}

/// Reads the layers as one configuration, and refuses what could not work.
pub fn read(layers: &Layers) -> Result<Config, ConfigError> {
    let mut defaults = Table::new();
    for (key, value) in flat(&parse(DEFAULTS, "the defaults")?) {
        put(&mut defaults, &key, value);
    }
    let mut table = defaults.clone();
    for (key, (value, origin)) in layers {
        let invalid = |why: String| ConfigError::Invalid { key: key.clone(), origin: origin.clone(), why };
        // Each value alone first, so that an error can name its key and where it came from.
        if *origin != Origin::Default {
            let mut alone = defaults.clone();
            put(&mut alone, key, value.clone());
            typed(alone).map_err(|error| invalid(error.message().to_owned()))?;
        }
        check(key, value).map_err(invalid)?;
        put(&mut table, key, value.clone());
    }
    let mut config = typed(table).map_err(|why| ConfigError::Malformed {
        origin: "the configuration".to_owned(),
        why: why.message().to_owned(),
    })?;
    if !config.mail.host.is_empty() && config.mail.from.is_empty() {
        let origin = layers.get("mail.host").map_or(Origin::Default, |(_, origin)| origin.clone());
        let why = "mail.from must be set too".to_owned();
        return Err(ConfigError::Invalid { key: "mail.host".to_owned(), origin, why });
    }
    let words = [
        ("auth.proxy_from", Nets::parse(config.auth.proxy_from.iter()).err()),
        ("cors.origins", config.cors.named().err()),
    ];
    for (key, why) in words {
        let Some(why) = why else { continue };
        let origin = layers.get(key).map_or(Origin::Default, |(_, origin)| origin.clone());
        return Err(ConfigError::Invalid { key: key.to_owned(), origin, why });
    }
    let pair = |one: bool, other: bool, key: &str| {
        let origin = layers.get(key).map_or(Origin::Default, |(_, origin)| origin.clone());
        let why = "a certificate needs its key, and a key its certificate".to_owned();
        if one == other { Ok(()) } else { Err(ConfigError::Invalid { key: key.to_owned(), origin, why }) }
    };
    for listener in &config.listener {
        pair(listener.certificate.is_some(), listener.key.is_some(), "listener")?;
    }
    if let Err(why) = feeds::check(&config.feed) {
        let key = "feed";
        let origin = layers.get(key).map_or(Origin::Default, |(_, origin)| origin.clone());
        return Err(ConfigError::Invalid { key: key.to_owned(), origin, why });
    }
    if config.feeds.refresh_min_seconds > config.feeds.refresh_max_seconds {
        let key = "feeds.refresh_min_seconds";
        let origin = layers.get(key).map_or(Origin::Default, |(_, origin)| origin.clone());
        let why = "must not be more than feeds.refresh_max_seconds".to_owned();
        return Err(ConfigError::Invalid { key: key.to_owned(), origin, why });
    }
    if let Err(why) = config.auth.jwt.check() {
        let key = "auth.jwt.algorithms";
        let origin = layers.get(key).map_or(Origin::Default, |(_, origin)| origin.clone());
        return Err(ConfigError::Invalid { key: key.to_owned(), origin, why });
    }
    pair(config.wazo.certificate.is_empty(), config.wazo.key.is_empty(), "wazo.certificate")?;
    pair(config.metrics.certificate.is_empty(), config.metrics.key.is_empty(), "metrics.certificate")?;
    let chosen = |key: &str| layers.get(key).is_some_and(|(_, origin)| *origin != Origin::Default);
    config.metrics.chosen = chosen("metrics.address");
    config.wazo.chosen = chosen("wazo.address");
    Ok(config)
}

/// Puts a value in the place that its dotted key names.
fn put(table: &mut Table, key: &str, value: Value) {
    match key.split_once('.') {
        Some((section, name)) => {
            let section = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(section) = section {
                put(section, name, value);
            }
        }
        None => {
            table.insert(key.to_owned(), value);
        }
    }
}

fn typed(table: Table) -> Result<Config, toml::de::Error> {
    Value::Table(table).try_into()
}

impl Config {
    /// The defaults alone.
    pub fn defaults() -> Result<Config, ConfigError> {
        read(&layers(None, [], Vec::new())?)
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::config::store::Engine;

    fn read_with(environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        read(&layers(None, environment, Vec::new())?)
    }

    #[test]
    fn the_environment_wins_over_defaults() {
        let config = read_with(&[("CAMPANILE_STORE__ENGINE", "redb"), ("CAMPANILE_LIMITS__SOCKETS_PER_USER", "7")]);
        let config = config.expect("known keys");
        assert_eq!((config.store.engine, config.limits.sockets_per_user), (Engine::Redb, 7));
    }

    #[test]
    fn metrics_have_a_port_of_their_own_unless_nobody_minds_which() {
        let at = |address: &str| address.parse::<SocketAddr>().ok();
        let default = read_with(&[]).expect("the defaults");
        assert_eq!((default.metrics_address(), default.metrics.chosen), (at("127.0.0.1:9108"), false));
        for (value, want) in [("off", None), ("", None), ("127.0.0.1:9108", at("127.0.0.1:9108"))] {
            let mut config = read_with(&[("CAMPANILE_METRICS__ADDRESS", value)]).expect("an address");
            assert_eq!((config.metrics_address(), config.metrics.chosen), (want, true), "{value:?}");
            config.listener[0].address.set_port(0);
            assert_eq!(config.metrics_address(), want, "{value:?}");
        }
        let mut free = default;
        free.listener[0].address.set_port(0);
        assert_eq!(free.metrics_address(), at("127.0.0.1:0"));
    }

    #[test]
    fn a_proxy_that_others_could_play_is_warned_of() {
        let header = ("CAMPANILE_AUTH__PROXY_HEADER", "X-Remote-User");
        let mut config = read_with(&[header, ("CAMPANILE_AUTH__PROXY_FROM", "loopback, 10.0.0.0/8")]).expect("sound");
        assert!(config.proxies().hold("10.2.3.4".parse().expect("an address")));
        assert_eq!(config.warnings(), [""; 0]);
        config.listener[0].address = "0.0.0.0:8008".parse().expect("an address");
        assert!(config.warnings()[0].contains("0.0.0.0:8008"), "{:?}", config.warnings());
        config.auth.proxy_header.clear();
        assert_eq!(config.warnings(), [""; 0], "nobody is believed");
    }

    #[test]
    fn faults_name_the_key() {
        let rows = [
            ("CAMPANILE_STORE__ENGIN", "redb", "no setting named store.engin"),
            ("CAMPANILE_CALENDAR__DEFAULT_TIMEZONE", "Mars/Olympus", "no zone named \"Mars/Olympus\""),
            ("CAMPANILE_SWEEP__SCHEDULE", "0 0 0 30 2 *", "never comes"),
            ("CAMPANILE_WEBSOCKET__PING_SECONDS", "0", "must be at least 1"),
            ("CAMPANILE_STORE__ENGINE", "floppy", "engine"),
            ("CAMPANILE_METRICS__ADDRESS", "everywhere", "neither an address nor \"off\""),
            ("CAMPANILE_MAIL__HOST", "mail.example.org", "mail.from must be set too"),
            ("CAMPANILE_LIMITS__PROPERTY_BYTES", "120001", "must be at most 120000"),
            ("CAMPANILE_SINKS__ATTEMPTS", "0", "must be at least 1"),
            ("CAMPANILE_AUTH__PROXY_HEADER", "X_Remote_User", "underscore"),
            ("CAMPANILE_AUTH__PROXY_HEADER", "Authorization", "cannot be the header"),
            ("CAMPANILE_AUTH__PROXY_FROM", "10.0.0.0/99", "no network"),
            ("CAMPANILE_AUTH__JWT__ALGORITHMS", "none", "\"none\" is none of"),
            ("CAMPANILE_AUTH__JWT__ALGORITHMS", "HS512", "\"HS512\" is none of"),
            ("CAMPANILE_AUTH__JWT__ALGORITHMS", "HS256", "needs auth.jwt.secret"),
            ("CAMPANILE_AUTH__JWT__ALGORITHMS", "RS256,ES256", "needs auth.jwt.rsa_key"),
            ("CAMPANILE_AUTH__JWT__ALGORITHM", "HS256", "no setting named auth.jwt.algorithm"),
            ("CAMPANILE_CORS__ORIGINS", "https://app.example/", "no origin"),
            ("CAMPANILE_CORS__ORIGINS", "*.example", "no origin"),
        ];
        for (name, value, want) in rows {
            let error = read_with(&[(name, value)]).expect_err(name).to_string();
            assert!(error.contains(want), "{name}={value}: {error}");
        }
    }
}
