//! The engine on redb: one file, one table. Chosen where a power cut must lose nothing, or where disk is short. Decides nothing.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use bytes::Bytes;
use redb::Database;
use redb::DatabaseError;
use redb::Durability;
use redb::ReadOnlyTable;
use redb::ReadableDatabase;
use redb::TableDefinition;
use redb::TableError;

use crate::kv::KvError;
use crate::kv::Range;
use crate::kv::engine::Engine;
use crate::kv::engine::Fault;
use crate::kv::engine::Line;
use crate::kv::engine::careful;
use crate::kv::files::Mark;
use crate::kv::files::create_dir;
use crate::kv::files::sync;

/// One sync costs about as much as writing this; larger groups only make the waiting readers and writers wait longer.
const GROUP_BYTES_MAX: usize = 4 << 20;
const FILE: &str = "campanile.redb";
const ROWS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("rows");

type Rows = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// One redb file, held until it is dropped.
#[derive(Debug)]
pub struct Redb {
    database: Database,
    path: PathBuf,
    mark: Mark,
}

impl Redb {
    /// Opens or makes the store in `dir`, which is made if it is missing.
    pub fn open(dir: &Path, cache_bytes: usize) -> Result<Redb, KvError> {
        let failed = |fault: String| KvError::Failed(format!("{}: {fault}", dir.display()));
        create_dir(dir).map_err(failed)?;
        let path = dir.join(FILE);
        let mut held = false;
        let database = careful(|| {
            Database::builder().set_cache_size(cache_bytes).create(&path).map_err(|error| {
                held = matches!(error, DatabaseError::DatabaseAlreadyOpen);
                error.to_string()
            })
        });
        if held {
            return Err(KvError::Held(dir.display().to_string()));
        }
        let database = database.map_err(failed)?;
        sync(dir).map_err(failed)?;
        let has_rows = careful(|| Ok(rows(&database)?.is_some())).map_err(failed)?;
        let mark = Mark::check(dir, has_rows).map_err(failed)?;
        Ok(Redb { database, path, mark })
    }
}

/// `None` before the first batch made the table.
fn rows(database: &Database) -> Result<Option<Rows>, Fault> {
    match database.begin_read().map_err(fault)?.open_table(ROWS) {
        Ok(rows) => Ok(Some(rows)),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(fault(error)),
    }
}

impl Engine for Redb {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, Fault> {
        let Some(rows) = rows(&self.database)? else {
            return Ok(None);
        };
        Ok(rows.get(key).map_err(fault)?.map(|value| Bytes::copy_from_slice(value.value())))
    }

    fn scan(&self, range: &Range, limit: usize) -> Result<Vec<(Bytes, Bytes)>, Fault> {
        let Some(rows) = rows(&self.database)? else {
            return Ok(Vec::new());
        };
        let start = range.start.as_ref().map(Bytes::as_ref);
        let end = range.end.as_ref().map(Bytes::as_ref);
        let found = rows.range::<&[u8]>((start, end)).map_err(fault)?.take(limit);
        found
            .map(|row| {
                let (key, value) = row.map_err(fault)?;
                Ok((Bytes::copy_from_slice(key.value()), Bytes::copy_from_slice(value.value())))
            })
            .collect()
    }

    fn apply(&self, batch: &[Line]) -> Result<(), Fault> {
        let mut write = self.database.begin_write().map_err(fault)?;
        write.set_durability(Durability::Immediate).map_err(fault)?;
        // Else the first open after a crash walks the whole file.
        write.set_quick_repair(true);
        {
            let mut rows = write.open_table(ROWS).map_err(fault)?;
            for (key, value) in batch {
                match value {
                    Some(value) => rows.insert(key.as_ref(), value.as_ref()),
                    None => rows.remove(key.as_ref()),
                }
                .map_err(fault)?;
            }
        }
        write.commit().map_err(fault)?;
        self.mark.make()
    }

    fn group_bytes_max(&self) -> usize {
        GROUP_BYTES_MAX
    }

    fn disk_bytes(&self) -> u64 {
        fs::metadata(&self.path).map_or(0, |file| file.len())
    }
}

fn fault(error: impl Into<redb::Error>) -> Fault {
    error.into().to_string()
}
