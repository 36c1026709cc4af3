//! A ticket: a pass for one socket, good for a minute and for one use.

use std::net::IpAddr;

use chrono::{DateTime, Utc};

use crate::domain::address::UserName;

/// How long a ticket lives, in seconds. Fixed by the Side service.
pub const LIFE_SECONDS: i64 = 60;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    pub user: UserName,
    pub client_address: IpAddr,
    pub generated_on: DateTime<Utc>,
    pub valid_until: DateTime<Utc>,
    /// The device whose app password drew it: it opens no more than that, and goes with it.
    pub device: Option<String>,
}
