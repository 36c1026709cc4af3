//! `/api/me`: who one is signed in as, and one's own settings.

use bytes::Buf;
use futures_util::Stream;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use warp::reply::Response;

use crate::api::{House, answer, caller_and_json, given, users};
use crate::domain::channel::{Channels, Ntfy};
use crate::domain::occurrence;
use crate::domain::principal::Principal;
use crate::http::auth;
use crate::http::call::Call;
use crate::http::problem;
use crate::service::channels::Change;

/// Oneself with one's channels. Secrets are not among them: a webhook's is shown once, by the answer that made it.
fn shape(caller: &Principal, channels: &Channels, fresh: Option<String>) -> Value {
    let mut shape = users::shape(caller);
    let webhook = channels.webhook.as_ref().map(|webhook| {
        let mut shape = json!({ "url": webhook.url, "stopped": webhook.stopped.as_ref().map(occurrence::instant) });
        if let Some(secret) = fresh {
            shape["secret"] = json!(secret);
        }
        shape
    });
    let ntfy = channels.ntfy.as_ref().map(|ntfy| json!({ "url": ntfy.url, "token": ntfy.token.is_some() }));
    shape["channels"] = json!({ "email": channels.email, "webhook": webhook, "ntfy": ntfy });
    shape["ackWritesBack"] = json!(channels.writes_back);
    shape
}

pub async fn show(house: House, call: Call) -> Response {
    answer(
        async {
            let caller = auth::caller(&house, &call).await?;
            let channels = house.channels(&caller.name).await?;
            Ok(problem::json(StatusCode::OK, &shape(&caller, &channels, None)))
        }
        .await,
    )
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// Absent leaves it, `null` takes it away; so with each member below.
    #[serde(default, deserialize_with = "given")]
    timezone: Option<Option<String>>,
    channels: Option<WantedChannels>,
    #[serde(rename = "ackWritesBack")]
    writes_back: Option<bool>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct WantedChannels {
    email: Option<bool>,
    #[serde(default, deserialize_with = "given")]
    webhook: Option<Option<WantedWebhook>>,
    #[serde(default, deserialize_with = "given")]
    ntfy: Option<Option<WantedNtfy>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedWebhook {
    url: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedNtfy {
    url: String,
    token: Option<String>,
}

fn change(wanted: WantedChannels, writes_back: Option<bool>) -> Change {
    Change {
        writes_back,
        email: wanted.email,
        webhook: wanted.webhook.map(|webhook| webhook.map(|webhook| webhook.url)),
        ntfy: wanted.ntfy.map(|ntfy| ntfy.map(|ntfy| Ntfy { url: ntfy.url, token: ntfy.token })),
    }
}

pub async fn patch<B: Buf>(house: House, call: Call, stream: impl Stream<Item = Result<B, warp::Error>>) -> Response {
    answer(
        async {
            let (mut caller, wanted): (_, Wanted) = caller_and_json(&house, &call, stream).await?;
            // Channels are refused more often than zones: asked first, a refusal leaves the zone alone too.
            let (channels, fresh) = match (wanted.channels, wanted.writes_back) {
                (None, None) => (house.channels(&caller.name).await?, None),
                (channels, writes_back) => {
                    let change = change(channels.unwrap_or_default(), writes_back);
                    house.set_channels(&caller.name, change).await?
                }
            };
            if let Some(zone) = wanted.timezone {
                caller = house.set_timezone(&caller.name, zone.as_deref()).await?;
            }
            Ok(problem::json(StatusCode::OK, &shape(&caller, &channels, fresh)))
        }
        .await,
    )
}
