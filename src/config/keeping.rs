//! How long things are kept, and when they are looked through: `[uploads]`, `[journal]`, `[sweep]`.

use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UploadKeys {
    pub user_bytes: u64,
    pub life_seconds: u32,
    pub import_life_seconds: u32,
    pub unpacked_bytes: u64,
    pub archive_files: u64,
    pub components: usize,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JournalKeys {
    pub keep_seconds: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    pub schedule: String,
}
