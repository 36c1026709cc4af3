//! What the type of a value cannot tell: names that nothing bears, numbers that could not work.

use std::net::SocketAddr;
use std::str::FromStr;

use chrono_tz::Tz;
use toml::Value;

use crate::config::auth;
use crate::config::metrics::OFF;
use crate::domain::organisation::Id;

/// What the rows of one resource's dead properties hold at most, with room for their names.
const PROPERTY_BYTES_MAX: i64 = 120_000;

/// Whether a value could work, beyond its type; `key` is dotted.
pub fn check(key: &str, value: &Value) -> Result<(), String> {
    match (key, value) {
        ("calendar.default_timezone", Value::String(zone)) => {
            zone.parse::<Tz>().map(drop).map_err(|_| format!("no zone named {zone:?}"))
        }
        ("organisation.default", Value::String(text)) if Id::new(text).is_none() => {
            Err(format!("{text:?} cannot be the id of an organisation"))
        }
        ("auth.proxy_header", Value::String(name)) => auth::header(name),
        ("auth.mail_domain", Value::String(domain)) if domain.is_empty() || domain.contains(['@', ' ']) => {
            Err(format!("{domain:?} cannot stand behind the @ of a mail address"))
        }
        ("auth.wazo_master_tenant", Value::String(text)) if !text.is_empty() => {
            uuid::Uuid::try_parse(text).map(drop).map_err(|_| format!("{text:?} is no UUID"))
        }
        ("metrics.address" | "wazo.address", Value::String(text)) if !OFF.contains(&text.as_str()) => {
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
            | "feeds.at_once"
            | "feeds.failures"
            | "feeds.timeout_seconds"
            | "feeds.refresh_seconds"
            | "feeds.refresh_min_seconds"
            | "auth.wazo_seconds"
            | "stomp.connect_seconds",
            Value::Integer(0),
        ) => Err("must be at least 1".to_owned()),
        ("limits.property_bytes", Value::Integer(bytes)) if *bytes > PROPERTY_BYTES_MAX => {
            Err(format!("must be at most {PROPERTY_BYTES_MAX}"))
        }
        ("listener", Value::Array(all)) if all.is_empty() => Err("must name at least one address".to_owned()),
        (_, Value::Integer(number)) if *number < 0 => Err("must not be negative".to_owned()),
        _ => Ok(()),
    }
}
