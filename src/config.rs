//! The configuration: the annotated defaults of `data/campanile.toml`, a file, the environment and flags, in layers that remember where
//! each value came from.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use chrono_tz::Tz;
use serde::Deserialize;
use toml::{Table, Value};

use crate::domain::delivery::Offered;
use crate::service::settings::{Alarms, Clock, Journal, Limits, Notifications, Settings, Sinks, Uploads};

/// Every key with its default and what it means.
pub const DEFAULTS: &str = include_str!("../data/campanile.toml");

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
    pub http: Http,
    pub store: Store,
    pub calendar: Calendar,
    pub websocket: WebSocket,
    pub limits: LimitKeys,
    pub alarms: AlarmKeys,
    pub uploads: UploadKeys,
    pub journal: JournalKeys,
    pub mail: Mail,
    pub sinks: SinkKeys,
    pub notifications: NotificationKeys,
    pub stomp: StompKeys,
    pub sweep: Sweep,
    pub clock: ClockKeys,
    pub metrics: Metrics,
    pub log: Log,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listener {
    pub address: SocketAddr,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    pub header_seconds: u64,
    pub connections: usize,
    pub shutdown_seconds: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    Sled,
    Redb,
    Memory,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Store {
    pub engine: Engine,
    pub path: PathBuf,
    pub cache_bytes: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calendar {
    pub default_timezone: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebSocket {
    pub ping_seconds: u64,
    pub message_bytes: usize,
    pub queue_bytes: usize,
    pub write_seconds: u64,
    pub registrations: usize,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitKeys {
    pub sockets_per_user: usize,
    pub sockets: usize,
    pub tickets_per_minute: u32,
    pub logins_per_minute: u32,
    pub logins_at_once: usize,
    pub object_bytes: u64,
    pub collections_per_home: usize,
    pub shares_per_collection: usize,
    pub recurrence_steps: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlarmKeys {
    pub require_accepted: bool,
    pub arm_ahead_seconds: u32,
    pub late_seconds: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UploadKeys {
    pub user_bytes: u64,
    pub life_seconds: u32,
    pub import_life_seconds: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JournalKeys {
    pub keep_seconds: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailSecurity {
    StartTls,
    Tls,
    None,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    pub host: String,
    pub port: u16,
    pub security: MailSecurity,
    pub user: String,
    pub password: String,
    pub from: String,
    pub per_user_per_minute: u32,
}

impl std::fmt::Debug for Mail {
    // Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mail").field("host", &self.host).field("from", &self.from).finish_non_exhaustive()
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SinkKeys {
    pub webhook: bool,
    pub ntfy: bool,
    pub allow_private: bool,
    pub trusted: String,
    pub public_url: String,
    pub timeout_seconds: u64,
    pub attempts: u32,
    pub back_off_seconds: u64,
    pub back_off_max_seconds: u64,
    pub at_once: usize,
    pub waiting_per_user: usize,
    pub dead_per_user: usize,
    pub keep_seconds: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotificationKeys {
    pub keep_seconds: u32,
    pub per_user: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StompKeys {
    pub subscriptions: usize,
    pub unacknowledged: usize,
    pub connect_seconds: u64,
    pub heart_beat_seconds: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockKeys {
    pub patience_seconds: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    pub schedule: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    /// An address, or `off`, or nothing, which means the same.
    pub address: String,
    /// Somebody asked for that address: it is no default.
    #[serde(skip)]
    pub chosen: bool,
}

/// What stands for no address.
const OFF: [&str; 2] = ["", "off"];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    pub format: LogFormat,
    pub level: String,
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
        let Some((section, key)) = rest.split_once("__") else { continue };
        let key = format!("{}.{}", section.to_lowercase(), key.to_lowercase());
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

/// `{http: {header_seconds: 15}}` as `http.header_seconds` = 15; lists stay whole.
fn flat(table: &Table) -> Vec<(String, Value)> {
    let mut rows = Vec::new();
    for (section, value) in table {
        match value {
            Value::Table(keys) => {
                rows.extend(keys.iter().map(|(key, value)| (format!("{section}.{key}"), value.clone())));
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
    config.metrics.chosen = layers.get("metrics.address").is_some_and(|(_, origin)| *origin != Origin::Default);
    Ok(config)
}

/// Puts a value in the place that its dotted key names.
fn put(table: &mut Table, key: &str, value: Value) {
    match key.split_once('.') {
        Some((section, name)) => {
            let section = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(section) = section {
                section.insert(name.to_owned(), value);
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

/// What the type of a value cannot tell.
fn check(key: &str, value: &Value) -> Result<(), String> {
    match (key, value) {
        ("calendar.default_timezone", Value::String(zone)) => {
            zone.parse::<Tz>().map(drop).map_err(|_| format!("no zone named {zone:?}"))
        }
        ("metrics.address", Value::String(text)) if !OFF.contains(&text.as_str()) => {
            text.parse::<SocketAddr>().map(drop).map_err(|_| format!("{text:?} is neither an address nor \"off\""))
        }
        ("sweep.schedule", Value::String(text)) => {
            let schedule = cron::Schedule::from_str(text).map_err(|error| error.to_string())?;
            let from = chrono::DateTime::UNIX_EPOCH;
            schedule.after(&from).next().map(drop).ok_or_else(|| format!("{text:?} never comes"))
        }
        (
            "http.header_seconds"
            | "websocket.ping_seconds"
            | "websocket.write_seconds"
            | "limits.logins_at_once"
            | "sinks.timeout_seconds"
            | "sinks.attempts"
            | "sinks.at_once"
            | "stomp.connect_seconds",
            Value::Integer(0),
        ) => Err("must be at least 1".to_owned()),
        ("listener", Value::Array(all)) if all.is_empty() => Err("must name at least one address".to_owned()),
        (_, Value::Integer(number)) if *number < 0 => Err("must not be negative".to_owned()),
        _ => Ok(()),
    }
}

impl Config {
    /// The defaults alone.
    pub fn defaults() -> Result<Config, ConfigError> {
        read(&layers(None, [], Vec::new())?)
    }

    /// Where `/metrics` is to be served; `None` where it is switched off. Beside a listener on any free port the default is any free port
    /// too, so that several services on one machine do not want the same.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        let mut address: SocketAddr = self.metrics.address.parse().ok()?;
        if !self.metrics.chosen && self.listener.iter().any(|listener| listener.address.port() == 0) {
            address.set_port(0);
        }
        Some(address)
    }

    /// What the use cases go by.
    pub fn settings(&self) -> Settings {
        let seconds = i64::from;
        Settings {
            default_zone: self.calendar.default_timezone.parse().unwrap_or(Tz::UTC),
            limits: Limits {
                object_bytes: self.limits.object_bytes,
                collections_per_home: self.limits.collections_per_home,
                shares_per_collection: self.limits.shares_per_collection,
                tickets_per_minute: self.limits.tickets_per_minute,
                logins_per_minute: self.limits.logins_per_minute,
                logins_at_once: self.limits.logins_at_once,
                recurrence_steps: self.limits.recurrence_steps,
            },
            alarms: Alarms {
                require_accepted: self.alarms.require_accepted,
                arm_ahead_seconds: seconds(self.alarms.arm_ahead_seconds),
                late_seconds: seconds(self.alarms.late_seconds),
            },
            uploads: Uploads {
                user_bytes: self.uploads.user_bytes,
                life_seconds: seconds(self.uploads.life_seconds),
                import_life_seconds: seconds(self.uploads.import_life_seconds),
            },
            journal: Journal { keep_seconds: seconds(self.journal.keep_seconds) },
            clock: Clock { patience_seconds: self.clock.patience_seconds },
            sinks: Sinks {
                offered: Offered {
                    mail: !self.mail.host.is_empty(),
                    webhook: self.sinks.webhook,
                    ntfy: self.sinks.ntfy,
                },
                allow_private: self.sinks.allow_private,
                attempts: self.sinks.attempts,
                back_off_seconds: self.sinks.back_off_seconds,
                back_off_max_seconds: self.sinks.back_off_max_seconds,
                at_once: self.sinks.at_once,
                waiting_per_user: self.sinks.waiting_per_user,
                dead_per_user: self.sinks.dead_per_user,
                keep_seconds: seconds(self.sinks.keep_seconds),
                mails_per_minute: self.mail.per_user_per_minute,
            },
            notifications: Notifications {
                keep_seconds: seconds(self.notifications.keep_seconds),
                per_user: self.notifications.per_user,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn faults_name_the_key() {
        let rows = [
            ("CAMPANILE_STORE__ENGIN", "redb", "no setting named store.engin"),
            ("CAMPANILE_CALENDAR__DEFAULT_TIMEZONE", "Mars/Olympus", "no zone named \"Mars/Olympus\""),
            ("CAMPANILE_SWEEP__SCHEDULE", "0 0 0 30 2 *", "never comes"),
            ("CAMPANILE_WEBSOCKET__PING_SECONDS", "0", "must be at least 1"),
            ("CAMPANILE_STORE__ENGINE", "floppy", "engine"),
            ("CAMPANILE_METRICS__ADDRESS", "everywhere", "neither an address nor \"off\""),
            ("CAMPANILE_MAIL__HOST", "mail.example.org", "mail.from must be set too"),
            ("CAMPANILE_SINKS__ATTEMPTS", "0", "must be at least 1"),
        ];
        for (name, value, want) in rows {
            let error = read_with(&[(name, value)]).expect_err(name).to_string();
            assert!(error.contains(want), "{name}={value}: {error}");
        }
    }
}
