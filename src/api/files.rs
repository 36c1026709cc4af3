//! `POST /api/files`: a file is uploaded and waits for its import. Raw bytes, or the first file of a multipart form.

use bytes::{Buf, Bytes};
use futures_util::Stream;
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
use crate::service::uploads::Declared;

/// What a multipart form may add to the file it carries, in bytes.
const FORM_EXTRA: u64 = 65_536;

pub async fn keep<B: Buf>(house: House, call: Call, stream: impl Stream<Item = Result<B, warp::Error>>) -> Response {
    match keep_file(&house, &call, stream).await {
        Ok(id) => problem::json(StatusCode::CREATED, &json!({ "_id": id })),
        Err(refusal) => twake_problem(&refusal),
    }
}

async fn keep_file<B: Buf>(
    house: &House,
    call: &Call,
    stream: impl Stream<Item = Result<B, warp::Error>>,
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
    let boundary = call.header(CONTENT_TYPE.as_str()).and_then(|text| multer::parse_boundary(text).ok());
    // Read up to what anybody may keep, so that the answer can tell the real size.
    let bytes = match body::collect(stream, house.settings().uploads.user_bytes + FORM_EXTRA).await {
        Err(Refusal::TooLarge { .. }) => return Err(too_much(declared.size, None)),
        read => read?,
    };
    let bytes = match boundary {
        Some(boundary) => first_file(bytes, boundary).await?,
        None => bytes,
    };
    if bytes.len() as u64 > declared.size {
        return Err(too_much(declared.size, Some(bytes.len() as u64)));
    }
    house.keep_upload(&caller, declared, bytes).await
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
    let media = Media::parse(&media)
        .ok_or_else(|| Fault::whole(format!("mimetype must be text/calendar or text/vcard, got {media:?}")))?;
    Ok(Declared { name, media, size })
}

async fn first_file(bytes: Bytes, boundary: String) -> Result<Bytes, Refusal> {
    let whole = futures_util::stream::iter([Ok::<_, std::convert::Infallible>(bytes)]);
    let mut form = multer::Multipart::new(whole, boundary);
    let broken = |error: multer::Error| Refusal::from(Fault::whole(format!("the form cannot be read: {error}")));
    while let Some(field) = form.next_field().await.map_err(broken)? {
        if field.file_name().is_some() {
            return field.bytes().await.map_err(broken);
        }
    }
    Err(Fault::whole("the form holds no file").into())
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
