//! The work of an import: a file's items go through the same door as a PUT, many to a commit, with the cursor beside them. A crash goes on, never
//! doubles.

pub mod end;
pub mod name;
pub mod plan;
pub mod progress;
pub mod step;
pub mod text;
pub mod work;

/// Items that one commit takes.
pub(crate) const ITEMS_A_COMMIT: usize = 64;
