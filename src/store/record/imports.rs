//! The rows of imports, their failures and uploads.

use bytes::Bytes;

use crate::domain::import::{Counts, Failure, Import, Media, Mode, Order, Status, Upload};
use crate::store::StoreError;
use crate::store::record::{address, code, decode, micros, more, pack, some_more, time, unpack_some, user};

const MEDIA: [Media; 2] = [Media::Calendar, Media::Card];
const STATUS: [Status; 5] = [Status::Queued, Status::Running, Status::Completed, Status::Failed, Status::Cancelled];

type ImportRow = (String, String, String, String, i64, u8, (u64, u64), (u64, u64, u64, u64));
/// Mode, source, whether dry, whether by force; skipped, deleted, repaired; warnings; the key. Rows of before end before it.
type ImportMore = ((u8, String, bool, bool), (u64, u64, u64), Vec<String>, Option<Vec<u8>>);

pub fn pack_import(i: &Import) -> Bytes {
    pack((
        &i.id,
        i.user.as_str(),
        &i.file,
        i.target.to_string(),
        micros(i.asked),
        code(&STATUS, &i.status),
        (i.cursor, i.total),
        (i.counts.created, i.counts.updated, i.counts.unchanged, i.counts.failed),
        (
            (code(&Mode::ALL, &i.order.mode), &i.order.source, i.order.dry_run, i.order.force),
            (i.counts.skipped, i.counts.deleted, i.counts.repaired),
            &i.warnings,
            &i.key,
        ),
        i.order.fed,
    ))
}

pub fn import(bytes: &[u8]) -> Result<Import, StoreError> {
    const WHAT: &str = "import";
    let (row, rest): (ImportRow, _) = unpack_some(WHAT, bytes)?;
    let (id, name, file, target, asked, status, (cursor, total), counts) = row;
    let (created, updated, unchanged, failed) = counts;
    let (grown, rest): (ImportMore, &[u8]) = match rest {
        [] => (((code(&Mode::ALL, &Mode::Upsert), String::new(), false, false), (0, 0, 0), Vec::new(), None), rest),
        rest => some_more(WHAT, rest)?,
    };
    let ((mode, source, dry_run, force), (skipped, deleted, repaired), warnings, key) = grown;
    let fed = if rest.is_empty() { false } else { more(WHAT, rest)? };
    Ok(Import {
        id,
        user: user(WHAT, &name)?,
        file,
        target: address(WHAT, &target)?,
        asked: time(WHAT, asked)?,
        status: decode(WHAT, &STATUS, status)?,
        cursor,
        total,
        counts: Counts { created, updated, unchanged, failed, skipped, deleted, repaired },
        order: Order { mode: decode(WHAT, &Mode::ALL, mode)?, source, dry_run, force, fed },
        warnings,
        key,
    })
}

pub fn pack_failure(f: &Failure, code: &str) -> Bytes {
    pack((f.line, &f.uid, &f.why, code))
}

/// A failure and the word for it.
pub fn failure(bytes: &[u8]) -> Result<(Failure, String), StoreError> {
    const WHAT: &str = "import failure";
    let ((line, uid, why), rest) = unpack_some(WHAT, bytes)?;
    let code = if rest.is_empty() { "invalid".to_owned() } else { more(WHAT, rest)? };
    Ok((Failure { line, uid, why }, code))
}

pub fn pack_upload(u: &Upload) -> Bytes {
    pack((&u.id, u.user.as_str(), &u.name, code(&MEDIA, &u.media), u.size, micros(u.stored), &u.charset, u.once))
}

pub fn upload(bytes: &[u8]) -> Result<Upload, StoreError> {
    const WHAT: &str = "upload";
    type Row = (String, String, String, u8, u64, i64);
    let ((id, owner, name, media, size, stored), rest): (Row, _) = unpack_some(WHAT, bytes)?;
    let (charset, once) = if rest.is_empty() { (None, false) } else { more(WHAT, rest)? };
    Ok(Upload {
        id,
        user: user(WHAT, &owner)?,
        name,
        media: decode(WHAT, &MEDIA, media)?,
        size,
        stored: time(WHAT, stored)?,
        charset,
        once,
    })
}
