//! `POST /api/files`: a file is uploaded and waits for its import. Raw bytes, or the first file of a multipart form.

use bytes::{Buf, Bytes};
use futures_util::{Stream, StreamExt, TryStreamExt};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};
use warp::reply::Response;

use crate::api::House;
use crate::domain::import::Media;
use crate::domain::refusal::{Fault, Refusal};
use crate::http::auth;
use crate::http::body;
use crate::http::call::Call;
use crate::http::problem;
use crate::service::uploads::{Declared, Incoming};

pub async fn keep<B: Buf + Send>(
    house: House,
    call: Call,
    stream: impl Stream<Item = Result<B, warp::Error>> + Send,
) -> Response {
    match keep_file(&house, &call, stream).await {
        Ok(id) => problem::json(StatusCode::CREATED, &json!({ "_id": id })),
        Err(refusal) => twake_problem(&refusal),
    }
}

async fn keep_file<B: Buf + Send>(
    house: &House,
    call: &Call,
    stream: impl Stream<Item = Result<B, warp::Error>> + Send,
) -> Result<String, Refusal> {
    let admitted = async {
        let caller = auth::caller(house, call).await?;
        let declared = declared(call)?;
        house.check_upload(&declared)?;
        Ok::<_, Refusal>((caller, declared))
    };
    let (caller, declared) = match admitted.await {
        Ok(admitted) => admitted,
        Err(refusal) => {
            body::drain(call, stream).await;
            return Err(refusal);
        }
    };
    let mut incoming = house.begin_upload(&caller).await?;
    match pour(call, stream, &mut incoming, declared.size).await? {
        size if size <= declared.size => house.keep_upload(&caller, declared, incoming).await,
        size if size <= house.settings().uploads.user_bytes => Err(too_much(declared.size, Some(size))),
        _ => Err(too_much(declared.size, None)),
    }
}

/// Writes a body, or the first file of a form, to where it waits. Answers its size; what is beyond `most` bytes is counted, and not kept.
pub async fn pour<B: Buf + Send>(
    call: &Call,
    stream: impl Stream<Item = Result<B, warp::Error>> + Send,
    incoming: &mut Incoming<'_>,
    most: u64,
) -> Result<u64, Refusal> {
    let pieces = body::pieces(stream);
    let Some(boundary) = call.header(CONTENT_TYPE.as_str()).and_then(|text| multer::parse_boundary(text).ok()) else {
        return take(pieces, incoming, most).await;
    };
    let mut form = multer::Multipart::new(pieces, boundary);
    let broken = |error: multer::Error| Refusal::from(Fault::whole(format!("the form cannot be read: {error}")));
    let mut size = None;
    // What follows the file is read too, so that the sender gets to read the answer.
    while let Some(field) = form.next_field().await.map_err(broken)? {
        if size.is_none() && field.file_name().is_some() {
            size = Some(take(field.map_err(broken), incoming, most).await?);
        }
    }
    size.ok_or_else(|| Fault::whole("the form holds no file").into())
}

async fn take(
    pieces: impl Stream<Item = Result<Bytes, Refusal>> + Send,
    incoming: &mut Incoming<'_>,
    most: u64,
) -> Result<u64, Refusal> {
    let mut pieces = Box::pin(pieces);
    let (mut size, mut refused) = (0, None);
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        size += piece.len() as u64;
        if size > most + body::DRAIN_MAX {
            break;
        }
        if size <= most && refused.is_none() {
            refused = incoming.write(&piece).await.err();
        }
    }
    refused.map_or(Ok(size), Err)
}

/// The encoding that a media type names.
pub fn charset(media: &str) -> Option<String> {
    let named = media.split(';').skip(1).filter_map(|param| param.split_once('='));
    let (_, label) = named.into_iter().find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))?;
    Some(label.trim().trim_matches('"').chars().take(40).collect())
}

fn too_much(expected: u64, got: Option<u64>) -> Refusal {
    let got = got.map_or_else(|| "more".to_owned(), |got| got.to_string());
    Fault::whole(format!("Real size is greater than declared size, expected: {expected}, got: {got}")).into()
}

fn declared(call: &Call) -> Result<Declared, Refusal> {
    let must = |name: &str| {
        let value = call.parameter(name).filter(|value| !value.trim().is_empty());
        value.ok_or_else(|| Refusal::from(Fault::whole(format!("{name} must be present"))))
    };
    let (name, size, media) = (must("name")?, must("size")?, must("mimetype")?);
    let size = size.trim().parse().map_err(|_| Fault::whole(format!("size must be a number, got {size:?}")))?;
    let charset = charset(&media);
    let media = Media::parse(&media)
        .ok_or_else(|| Fault::whole(format!("mimetype must be text/calendar or text/vcard, got {media:?}")))?;
    Ok(Declared { name, media, size, charset })
}

/// A problem that also speaks the Twake family's own error shape, which its front end reads.
pub fn twake_problem(refusal: &Refusal) -> Response {
    let status = problem::status(refusal);
    let mut members = problem::members(refusal);
    let kind: String = status.canonical_reason().unwrap_or_default().split(' ').collect();
    let error = json!({
        "code": status.as_u16(),
        "type": kind,
        "message": members.get("title").cloned().unwrap_or(Value::Null),
        "details": members.get("detail").cloned().unwrap_or(Value::Null),
    });
    members.insert("error".to_owned(), error);
    problem::with_members(refusal, members)
}
