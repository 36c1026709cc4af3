//! Private objects as those see them who share the calendar: their time, and nothing else. What is masked how stands in `ical/mask.rs`.

use std::sync::Arc;

use bytes::Bytes;

use crate::domain::access::Right;
use crate::domain::address::Kind;
use crate::domain::object::Record;
use crate::domain::refusal::Refusal;
use crate::ical::lines::Limits;
use crate::ical::mask;
use crate::service::Service;
use crate::service::collections::View;
use crate::service::shelf::{Body, Content, Fetched, Held};

impl View {
    /// Whether an object is shown to this caller without its words.
    pub fn veils(&self, record: &Record) -> bool {
        self.right < Right::Owner && record.private != Some(false)
    }
}

/// `Forbidden` where a private object is not the caller's.
pub(crate) fn check(right: Right, record: Option<&Record>) -> Result<(), Refusal> {
    match record {
        Some(record) if right < Right::Owner && record.private == Some(true) => Err(Refusal::Forbidden),
        _ => Ok(()),
    }
}

impl Service {
    /// The bodies of some records, as the caller of the view may see them.
    pub(crate) async fn fetch_for(&self, view: &View, records: Vec<Arc<Record>>) -> Result<Vec<Fetched>, Refusal> {
        let mut fetched = self.fetch(&view.source, records).await?;
        let (kind, limits) = (view.source.address.kind(), self.line_limits());
        for one in fetched.iter_mut().filter(|one| view.veils(&one.record)) {
            let bytes = match &one.body {
                Body::Held(held) => &held.bytes,
                Body::Raw(_, bytes) => bytes,
            };
            let masked = veiled(kind, bytes, &limits);
            // Not kept: what is on the shelf is what the owner sees.
            one.body = Body::Held(Arc::new(Held::read(kind, masked, &limits)));
        }
        Ok(fetched)
    }
}

/// A text as others than its owner see it: as it is, where nothing in it is private. One that cannot be read today is not shown at all.
pub(crate) fn veiled(kind: Kind, bytes: &Bytes, limits: &Limits) -> Bytes {
    match Held::read(kind, bytes.clone(), limits).content {
        Content::Calendar(object) if mask::hides(&object) => mask::calendar(&object, bytes).into(),
        Content::Card(card) if mask::is_private(card.root()) => mask::card(&card, bytes).into(),
        Content::Unread => Bytes::new(),
        Content::Calendar(_) | Content::Card(_) => bytes.clone(),
    }
}
