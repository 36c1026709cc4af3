//! `POST /api/import`, the second step of the Twake family's import; and how one stands: `GET /api/imports/{id}`, its failures as NDJSON.

use bytes::Buf;
use futures_util::Stream;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use warp::reply::Response;

use crate::api::files::twake_problem;
use crate::api::{House, answer, caller_and_json};
use crate::domain::import::Import;
use crate::domain::occurrence;
use crate::domain::refusal::{Fault, Refusal};
use crate::http::auth;
use crate::http::call::{Call, decoded};
use crate::http::problem;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    file_id: Option<String>,
    target: Option<String>,
}

/// Takes up an import: 202 and its id; the end is told by a push.
pub async fn ask<B: Buf>(house: House, call: Call, stream: impl Stream<Item = Result<B, warp::Error>>) -> Response {
    let outcome = async {
        let (caller, asked): (_, Asked) = caller_and_json(&house, &call, stream).await?;
        let must = |value: Option<String>, name: &str| {
            let value = value.filter(|value| !value.is_empty());
            value.ok_or_else(|| Refusal::from(Fault::whole(format!("{name} must be present"))))
        };
        let (file, target) = (must(asked.file_id, "fileId")?, must(asked.target, "target")?);
        let (user, name) = target_of(&target).ok_or_else(|| Fault::whole("Invalid target path"))?;
        house.ask_import(&caller, &file, (&user, &name)).await
    };
    match outcome.await {
        Ok(import) => {
            let mut response = problem::json(StatusCode::ACCEPTED, &json!({ "importId": import.id }));
            if let Ok(place) = HeaderValue::from_str(&format!("/api/imports/{}", import.id)) {
                response.headers_mut().insert(http::header::LOCATION, place);
            }
            response
        }
        Err(refusal) => twake_problem(&refusal),
    }
}

/// Home and collection out of `/calendars/{home}/{collection}.json`. The first segment is not looked at: the kind is the file's.
fn target_of(target: &str) -> Option<(String, String)> {
    let mut parts = target.split('/').skip(1);
    let (_, user, name) = (parts.next()?, decoded(parts.next()?)?, decoded(parts.next()?)?);
    let name = name.strip_suffix(".json").unwrap_or(&name).to_owned();
    (!user.is_empty() && !name.is_empty()).then_some((user, name))
}

fn shape(import: &Import) -> Value {
    json!({
        "id": import.id,
        "target": import.target.to_string(),
        "asked": occurrence::instant(&import.asked),
        "status": import.status.as_str(),
        "succeedCount": import.counts.succeeded(),
        "failedCount": import.counts.failed,
        "created": import.counts.created,
        "updated": import.counts.updated,
        "unchanged": import.counts.unchanged,
        "total": import.total,
        "done": import.counts.succeeded() + import.counts.failed,
    })
}

pub async fn show(id: String, house: House, call: Call) -> Response {
    answer(
        async {
            let caller = auth::caller(&house, &call).await?;
            Ok(problem::json(StatusCode::OK, &shape(&house.import(&caller, &id).await?)))
        }
        .await,
    )
}

/// One line an item that did not go in.
pub async fn errors(id: String, house: House, call: Call) -> Response {
    answer(
        async {
            let caller = auth::caller(&house, &call).await?;
            let mut lines = String::new();
            for failure in house.import_failures(&caller, &id).await? {
                let line = json!({ "line": failure.line, "uid": failure.uid, "detail": failure.why });
                lines.push_str(&line.to_string());
                lines.push('\n');
            }
            let mut response = Response::new(lines.into());
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
            Ok(response)
        }
        .await,
    )
}
