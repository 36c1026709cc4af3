//! Imports: `POST /api/imports` with the file, `POST /api/import` for one that was uploaded, as the Twake family does it; the list, how one stands, its
//! failures as NDJSON, and its end.

use std::time::Duration;

use bytes::Buf;
use futures_util::Stream;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use warp::reply::Response;

use crate::api::files::{self, twake_problem};
use crate::api::{House, answer, caller_and_json};
use crate::domain::address::{Address, Kind};
use crate::domain::import::{Import, Media, Mode, Order};
use crate::domain::occurrence;
use crate::domain::refusal::{Fault, Refusal};
use crate::http::auth;
use crate::http::body;
use crate::http::call::{Call, decoded};
use crate::http::problem;
use crate::service::imports::Once;
use crate::service::uploads::Declared;

/// The longest that a client is let wait for an end, in seconds.
const WAIT_MAX: u64 = 60;
/// Bytes of the name of a source, and of a key.
const NAME_MAX: usize = 255;

/// Takes a file in and imports it: 202, and where to ask on; with `Prefer: wait` the end, if it comes in time.
pub async fn take<B: Buf + Send>(
    house: House,
    call: Call,
    stream: impl Stream<Item = Result<B, warp::Error>> + Send,
) -> Response {
    answer(taken(&house, &call, stream).await)
}

async fn taken<B: Buf + Send>(
    house: &House,
    call: &Call,
    stream: impl Stream<Item = Result<B, warp::Error>> + Send,
) -> Result<Response, Refusal> {
    let admitted = async {
        let caller = auth::caller(house, call).await?;
        let (target, order, declared) = wanted(call)?;
        let key = key(call)?;
        house.check_import(&caller, &target).await?;
        Ok::<_, Refusal>((caller, target, order, declared, key))
    };
    let (caller, target, order, declared, key) = match admitted.await {
        Ok(admitted) => admitted,
        Err(refusal) => {
            body::drain(call, stream).await;
            return Err(refusal);
        }
    };
    let limit = house.settings().uploads.user_bytes;
    let mut incoming = house.begin_upload(&caller).await?;
    if files::pour(call, stream, &mut incoming, limit).await? > limit {
        return Err(Refusal::TooLarge { limit });
    }
    let asked = format!("{target}\n{}\n{}\n{}\n{}", order.mode.as_str(), order.source, order.dry_run, order.force);
    let once = key.as_deref().map(|key| Once { key, asked });
    let mut import = house.take_import(&caller, target, order, declared, incoming, once).await?;
    let wait = wait(call);
    if let Some(seconds) = wait {
        import = house.wait_for_import(&caller, &import.id, Duration::from_secs(seconds)).await?;
    }
    let status = if import.status.ended() && wait.is_some() { StatusCode::OK } else { StatusCode::ACCEPTED };
    let mut response = problem::json(status, &shape(&import));
    locate(&mut response, &import);
    if let Some(applied) = wait.and_then(|seconds| HeaderValue::from_str(&format!("wait={seconds}")).ok()) {
        response.headers_mut().insert("preference-applied", applied);
    }
    Ok(response)
}

fn locate(response: &mut Response, import: &Import) {
    if let Ok(place) = HeaderValue::from_str(&format!("/api/imports/{}", import.id)) {
        response.headers_mut().insert(http::header::LOCATION, place);
    }
}

/// What the query and the media type ask for.
fn wanted(call: &Call) -> Result<(Address, Order, Declared), Refusal> {
    let odd = |why: String| Refusal::from(Fault::whole(why));
    let target = call.parameter("target").ok_or_else(|| odd("target must be present".to_owned()))?;
    let target =
        Address::parse(&target).ok_or_else(|| odd("target must be like /calendars/alice/default".to_owned()))?;
    let mode = call.parameter("mode").unwrap_or_else(|| "upsert".to_owned());
    let mode = Mode::parse(&mode).ok_or_else(|| odd(format!("mode must be skip, upsert or mirror, got {mode:?}")))?;
    let flag = |name: &str| match call.parameter(name).as_deref() {
        None | Some("false" | "0") => Ok(false),
        Some("true" | "1") => Ok(true),
        Some(other) => Err(odd(format!("{name} must be true or false, got {other:?}"))),
    };
    let source = call.parameter("source").filter(|source| !source.is_empty()).unwrap_or_else(|| "default".to_owned());
    if source.len() > NAME_MAX {
        return Err(odd(format!("source is longer than {NAME_MAX} bytes")));
    }
    let media = match target.kind() {
        Kind::Calendar => Media::Calendar,
        Kind::AddressBook => Media::Card,
    };
    let sent = call.header(CONTENT_TYPE.as_str()).unwrap_or_default();
    check_media(sent, media)?;
    let order = Order { mode, source, dry_run: flag("dry_run")?, force: flag("force")?, fed: false };
    // What packs the file says nothing of the encoding inside.
    let charset = Media::parse(sent).and_then(|_| files::charset(sent));
    Ok((target, order, Declared { name: "body".to_owned(), media, size: 0, charset }))
}

/// What is sent must be able to hold what the collection takes. How it is packed shows in its first bytes.
fn check_media(sent: &str, media: Media) -> Result<(), Refusal> {
    let essence = sent.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let fits = match essence.as_str() {
        "text/vcard" | "text/x-vcard" | "text/directory" => media == Media::Card,
        "text/calendar" => media == Media::Calendar,
        "" | "application/octet-stream" | "application/x-www-form-urlencoded" | "text/plain" => true,
        "application/gzip" | "application/x-gzip" | "application/zip" | "application/x-zip-compressed" => true,
        "multipart/form-data" => true,
        _ => false,
    };
    if fits {
        return Ok(());
    }
    Err(Refusal::Unsupported(format!("a collection of {} takes no {essence}", media.as_str())))
}

fn key(call: &Call) -> Result<Option<String>, Refusal> {
    match call.header("idempotency-key") {
        Some(key) if key.is_empty() || key.len() > NAME_MAX => {
            Err(Fault::whole(format!("an Idempotency-Key has 1 to {NAME_MAX} bytes")).into())
        }
        key => Ok(key.map(str::to_owned)),
    }
}

/// RFC 7240 4.3.
fn wait(call: &Call) -> Option<u64> {
    let prefer = call.header("prefer")?;
    let (_, seconds) =
        prefer.split([',', ';']).filter_map(|one| one.split_once('=')).find(|(name, _)| name.trim() == "wait")?;
    seconds.trim().parse().ok().map(|seconds: u64| seconds.min(WAIT_MAX))
}

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
            locate(&mut response, &import);
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
        "skipped": import.counts.skipped,
        "deleted": import.counts.deleted,
        "repaired": import.counts.repaired,
        "total": import.total,
        "done": import.done(),
        "mode": import.order.mode.as_str(),
        "dryRun": import.order.dry_run,
        "warnings": import.warnings,
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

/// The caller's imports, the latest first.
pub async fn list(house: House, call: Call) -> Response {
    answer(
        async {
            let caller = auth::caller(&house, &call).await?;
            let imports: Vec<Value> = house.list_imports(&caller).await?.iter().map(shape).collect();
            Ok(problem::json(StatusCode::OK, &Value::Array(imports)))
        }
        .await,
    )
}

/// Ends an import where it stands.
pub async fn cancel(id: String, house: House, call: Call) -> Response {
    answer(
        async {
            let caller = auth::caller(&house, &call).await?;
            house.cancel_import(&caller, &id).await?;
            Ok(problem::empty(StatusCode::NO_CONTENT))
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
            for (failure, code) in house.import_failures(&caller, &id).await? {
                let line = json!({ "line": failure.line, "uid": failure.uid, "code": code, "detail": failure.why });
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
