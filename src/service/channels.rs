//! The channels that a person chooses for their alarms: read, changed, stopped by a receiver that is gone.

use chrono::{DateTime, Utc};
use http::Uri;

use crate::domain::address::UserName;
use crate::domain::channel::{Channels, Ntfy, Webhook};
use crate::domain::delivery::Offered;
use crate::domain::reach;
use crate::domain::refusal::{Fault, Refusal};
use crate::service::Service;
use crate::store::deliveries::seen_channels;
use crate::store::{keys, record};
use crate::system::random;

/// A longer URL is refused.
const URL_MAX: usize = 2_048;
/// A longer ntfy token is refused.
const TOKEN_MAX: usize = 256;

/// What is to change; what is `None` stays, `Some(None)` goes.
#[derive(Default)]
pub struct Change {
    pub email: Option<bool>,
    pub webhook: Option<Option<String>>,
    pub ntfy: Option<Option<Ntfy>>,
    pub writes_back: Option<bool>,
}

impl Service {
    /// What a person chose.
    pub async fn channels(&self, user: &UserName) -> Result<Channels, Refusal> {
        Ok(self.store.channels(user).await?)
    }

    /// Changes what a person chose. A webhook that is set gets a new secret, which is answered this once.
    pub async fn set_channels(&self, user: &UserName, change: Change) -> Result<(Channels, Option<String>), Refusal> {
        let offered = self.settings.sinks.offered;
        if change.email == Some(true) && !offered.mail {
            return Err(Fault::whole("email: this server sends no mail").into());
        }
        let mut fresh = None;
        if let Some(Some(url)) = &change.webhook {
            self.check_url("webhook.url", url, offered.webhook)?;
            fresh = Some(hex(&random::bytes::<32>(self.random())));
        }
        if let Some(Some(ntfy)) = &change.ntfy {
            let target = self.check_url("ntfy.url", &ntfy.url, offered.ntfy)?;
            let topic = target.path().trim_matches('/');
            if topic.is_empty() || target.query().is_some() {
                return Err(Fault::whole("ntfy.url: give the address of a topic like https://ntfy.sh/my-topic").into());
            }
            let plain = |token: &String| token.len() <= TOKEN_MAX && token.bytes().all(|byte| byte.is_ascii_graphic());
            if !ntfy.token.as_ref().is_none_or(plain) {
                return Err(Fault::whole(format!("ntfy.token: at most {TOKEN_MAX} plain characters")).into());
            }
        }
        let (row, person, secret) = (keys::channels(user), keys::user(user), fresh.clone());
        let (_, channels) = self
            .commit(vec![row.clone(), person], move |seen, _| {
                if seen.get(1).is_none_or(Option::is_none) {
                    return Err(Refusal::NotFound);
                }
                let mut channels = seen_channels(seen.first().and_then(Option::as_ref))?;
                if let Some(email) = change.email {
                    channels.email = email;
                }
                if let Some(url) = &change.webhook {
                    let secret = secret.clone().unwrap_or_default();
                    channels.webhook = url.clone().map(|url| Webhook { url, secret, stopped: None });
                }
                if let Some(ntfy) = &change.ntfy {
                    channels.ntfy = ntfy.clone();
                }
                if let Some(writes_back) = change.writes_back {
                    channels.writes_back = writes_back;
                }
                Ok((vec![(row.clone(), Some(record::alarms::pack_channels(&channels)))], channels))
            })
            .await?;
        Ok((channels, fresh))
    }

    /// Which channels a person could switch on.
    pub fn offered(&self) -> Offered {
        self.settings.sinks.offered
    }

    /// A URL that may be called. What its name leads to is checked again at every call; an address in it is checked here already.
    fn check_url(&self, what: &str, url: &str, offered: bool) -> Result<Uri, Refusal> {
        let wrong = |why: &str| Refusal::from(Fault::whole(format!("{what}: {why}")));
        if !offered {
            return Err(wrong("this server does not offer that"));
        }
        if url.len() > URL_MAX {
            return Err(wrong("longer than 2048 bytes"));
        }
        let uri: Uri = url.parse().map_err(|_| wrong("no URL"))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return Err(wrong("must begin with https:// or http://"));
        }
        if uri.authority().is_none_or(|authority| authority.as_str().contains('@') || authority.host().is_empty()) {
            return Err(wrong("must name a host, and neither user nor password"));
        }
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let closed = host.parse().ok().and_then(reach::closed).filter(|_| !self.settings.sinks.allow_private);
        match closed {
            Some(kind) => Err(wrong(&format!("{host} is no public address ({kind})"))),
            None => Ok(uri),
        }
    }

    /// Sends nothing more to a webhook that is gone, until it is set anew.
    pub(crate) async fn stop_webhook(&self, user: &UserName, url: &str, now: DateTime<Utc>) -> Result<(), Refusal> {
        let (row, url) = (keys::channels(user), url.to_owned());
        self.commit(vec![row.clone()], move |seen, _| {
            let mut channels = seen_channels(seen.first().and_then(Option::as_ref))?;
            // Set anew since: the new one has not said anything yet.
            let Some(webhook) = channels.webhook.as_mut().filter(|webhook| webhook.url == url) else {
                return Ok((Vec::new(), ()));
            };
            webhook.stopped = Some(now);
            Ok((vec![(row.clone(), Some(record::alarms::pack_channels(&channels)))], ()))
        })
        .await?;
        Ok(())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
