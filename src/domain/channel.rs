//! Where a person's alarms go besides their sockets: mail, a webhook, an ntfy topic. Knows no protocol.

use chrono::{DateTime, Utc};

/// A way out of the house. Each has one sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Channel {
    Mail,
    Webhook,
    Ntfy,
}

pub const CHANNELS: [Channel; 3] = [Channel::Mail, Channel::Webhook, Channel::Ntfy];

impl Channel {
    pub fn as_str(self) -> &'static str {
        match self {
            Channel::Mail => "email",
            Channel::Webhook => "webhook",
            Channel::Ntfy => "ntfy",
        }
    }
}

/// What one person chose for their alarms: the ways out, and the way back into the event. No `Debug`: it holds secrets.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Channels {
    /// Display alarms come by mail too. E-mail alarms come by mail in any case.
    pub email: bool,
    pub webhook: Option<Webhook>,
    pub ntfy: Option<Ntfy>,
    /// What is acknowledged and put off is written into the event too.
    pub writes_back: bool,
}

#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    pub url: String,
    /// Signs what is sent. Shown once, when it is made.
    pub secret: String,
    /// The receiver said at this instant that it is gone for good; nothing is sent any more.
    pub stopped: Option<DateTime<Utc>>,
}

#[derive(Clone, PartialEq, Eq)]
pub struct Ntfy {
    /// The address of the topic: `https://ntfy.example.org/my-alarms`.
    pub url: String,
    /// An access token, for topics that are not open to everybody. Never shown.
    pub token: Option<String>,
}
