//! The store's own rows, under the reserved byte: the format and the last stamp. Knows no row of a caller.

use bytes::Bytes;

use crate::kv::KvError;
use crate::kv::RESERVED;
use crate::kv::STAMP_JUMP;
use crate::kv::engine::Engine;
use crate::kv::engine::Line;
use crate::kv::engine::careful;

/// The format that this program writes; it reads this one and all older ones.
pub const FORMAT: u32 = 1;

const FORMAT_KEY: &[u8] = &[RESERVED, b'f'];
const STAMP_KEY: &[u8] = &[RESERVED, b's'];

/// The row that names the format: a big-endian u32.
pub fn format_line(format: u32) -> Line {
    (Bytes::from_static(FORMAT_KEY), Some(Bytes::copy_from_slice(&format.to_be_bytes())))
}

/// The row that keeps the last stamp: a big-endian u64.
pub fn stamp_line(stamp: u64) -> Line {
    (Bytes::from_static(STAMP_KEY), Some(Bytes::copy_from_slice(&stamp.to_be_bytes())))
}

/// Reads both rows, jumps, and makes the jump durable before anyone gets a stamp. A store of a newer format is left as it is.
pub fn begin(engine: &dyn Engine, jump: u64) -> Result<u64, KvError> {
    let format = row(engine, FORMAT_KEY)?.map(u32::from_be_bytes);
    let stamp = row(engine, STAMP_KEY)?.map(u64::from_be_bytes);
    let kept = match (format, stamp) {
        (Some(found), _) if found > FORMAT => return Err(KvError::Newer { found, known: FORMAT }),
        // Both rows are written in one batch: one without the other is damage, and counting from zero would use stamps twice.
        (Some(_), None) => return Err(KvError::Failed("the row of the last stamp is missing".into())),
        (None, Some(_)) => return Err(KvError::Failed("the row of the format is missing".into())),
        (Some(_), Some(stamp)) => stamp,
        (None, None) => 0,
    };
    // At every open, clean or not: then no marker has to tell which it was.
    let Some(stamp) = kept.checked_add(jump.max(STAMP_JUMP)) else {
        return Err(KvError::Failed(format!("no stamp is left after {kept}")));
    };
    careful(|| engine.apply(&[format_line(FORMAT), stamp_line(stamp)])).map_err(KvError::Failed)?;
    Ok(stamp)
}

/// The last stamp that is on disk.
pub fn last_stamp(engine: &dyn Engine) -> Result<u64, KvError> {
    Ok(row(engine, STAMP_KEY)?.map_or(0, u64::from_be_bytes))
}

fn row<const N: usize>(engine: &dyn Engine, key: &[u8]) -> Result<Option<[u8; N]>, KvError> {
    let Some(value) = careful(|| engine.get(key)).map_err(KvError::Failed)? else {
        return Ok(None);
    };
    match <[u8; N]>::try_from(value.as_ref()) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(_) => Err(KvError::Failed(format!("a row of the store's own has {} bytes instead of {N}", value.len()))),
    }
}
