//! How much one collection may hold, and whether something more fits into it. Counts nothing: the head of the collection does.

use crate::domain::collection::Collection;
use crate::domain::object::Record;
use crate::domain::refusal::Refusal;

/// The bounds of one collection; 0 means no bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    bytes: u64,
    objects: u64,
}

impl Room {
    pub fn new(bytes: u64, objects: u64) -> Room {
        Room { bytes, objects }
    }

    /// Refuses with `NoRoom` what would make the collection larger than it may be. What replaces an object by one that is not larger always
    /// fits, so that a full collection can be put in order.
    pub fn check(self, head: &Collection, before: Option<&Record>, size: usize) -> Result<(), Refusal> {
        let grown = (size as u64).saturating_sub(before.map_or(0, |before| before.size));
        if before.is_none() && self.objects > 0 && head.objects >= self.objects {
            return Err(Refusal::NoRoom(format!(
                "{} holds {} objects, and may hold no more",
                head.address, head.objects
            )));
        }
        if grown > 0 && self.left(head).is_some_and(|left| grown > left) {
            return Err(Refusal::NoRoom(format!("{} holds {} of {} bytes", head.address, head.bytes, self.bytes)));
        }
        Ok(())
    }

    /// The bytes that still fit; `None` where there is no bound.
    pub fn left(self, head: &Collection) -> Option<u64> {
        (self.bytes > 0).then(|| self.bytes.saturating_sub(head.bytes))
    }
}
