//! `/api/tokens`: bearer tokens; and `/api/auth/0.1/token/{token}`, by which programs of a Wazo ask what one grants.

use bytes::Buf;
use futures_util::Stream;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use warp::reply::Response;

use crate::api::{House, answer, caller_and_body, parse_json, person};
use crate::domain::bearer::{Bearing, Purpose, Standing, USUAL};
use crate::domain::occurrence;
use crate::domain::refusal::{Fault, Refusal};
use crate::http::auth;
use crate::http::call::{Call, decoded};
use crate::http::problem;
use crate::service::bearers;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    acl: Option<Vec<String>>,
    expires_in: Option<i64>,
    user: Option<String>,
    metadata: Option<Metadata>,
}

/// What only an administrator can give.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    purpose: Option<String>,
    #[serde(default)]
    admin: bool,
    #[serde(default)]
    master: bool,
}

impl Metadata {
    fn standing(self) -> Result<Standing, Refusal> {
        let named = |name: String| {
            Purpose::from_name(&name).ok_or_else(|| Fault::whole(format!("no purpose is called {name:?}")))
        };
        let purpose = self.purpose.map(named).transpose()?.unwrap_or_default();
        Ok(Standing { purpose, admin: self.admin, master: self.master })
    }
}

/// An empty body asks for a token with the usual life and the usual list.
pub async fn issue<B: Buf>(house: House, call: Call, stream: impl Stream<Item = Result<B, warp::Error>>) -> Response {
    answer(
        async {
            let (caller, bytes) = caller_and_body(&house, &call, stream).await?;
            let wanted: Wanted = if bytes.is_empty() { Wanted::default() } else { parse_json(&bytes)? };
            let wanted = bearers::Wanted {
                user: wanted.user.as_deref().map(person).transpose()?,
                life_seconds: wanted.expires_in,
                acl: wanted.acl,
                standing: wanted.metadata.unwrap_or_default().standing()?,
            };
            let issued = house.issue_bearer(&caller, wanted).await?;
            let bearer = issued.bearer;
            let acl = bearer.acl.unwrap_or_else(|| USUAL.map(str::to_owned).to_vec());
            let body = json!({
                "token": issued.token,
                "expires_at": occurrence::instant(&issued.until),
                "user": bearer.user.as_str(),
                "session_uuid": bearer.session.to_string(),
                "acl": acl,
                "metadata": standing(bearer.standing),
            });
            Ok(problem::json(StatusCode::CREATED, &body))
        }
        .await,
    )
}

fn standing(standing: Standing) -> Value {
    json!({ "purpose": standing.purpose.as_str(), "admin": standing.admin, "master": standing.master })
}

pub async fn revoke(token: String, house: House, call: Call) -> Response {
    answer(
        async {
            let caller = auth::caller(&house, &call).await?;
            house.revoke_bearer(&caller, &decoded(&token).unwrap_or_default()).await?;
            Ok(problem::empty(StatusCode::NO_CONTENT))
        }
        .await,
    )
}

/// Whoever knows a token may ask about it: 200 or, without a body, 204; 404 where it means nothing, 403 where it does not grant `scope`.
pub async fn look(token: String, house: House, call: Call) -> Response {
    answer(
        async {
            let token = decoded(&token).unwrap_or_default();
            let scope = call.parameter("scope").filter(|scope| !scope.is_empty());
            house.tired_of(&token)?;
            let bearing = house.token_for(&token, scope.as_deref()).await.map_err(|refusal| match refusal {
                Refusal::Unauthenticated | Refusal::Expired => Refusal::NotFound,
                other => other,
            })?;
            if call.method == Method::HEAD {
                return Ok(problem::empty(StatusCode::NO_CONTENT));
            }
            Ok(problem::json(StatusCode::OK, &json!({ "data": shape(&token, &bearing, &house) })))
        }
        .await,
    )
}

/// A token as wazo-auth shows it.
fn shape(token: &str, bearing: &Bearing, house: &House) -> Value {
    let (uuid, tenant) = (bearing.uuid.to_string(), bearing.tenant.to_string());
    let mut metadata = standing(bearing.standing);
    metadata["uuid"] = json!(uuid);
    metadata["tenant_uuid"] = json!(tenant);
    metadata["xivo_uuid"] = json!(house.directory().origin().to_string());
    json!({
        "token": token,
        "auth_id": uuid,
        "session_uuid": bearing.session.to_string(),
        "xivo_uuid": metadata["xivo_uuid"],
        "acl": bearing.acl,
        "metadata": metadata,
        "utc_expires_at": bearing.until.map(|until| until.format("%Y-%m-%dT%H:%M:%S%.6f").to_string()),
    })
}
