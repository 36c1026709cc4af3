//! A whole collection as one text: a VCALENDAR, or card after card.

use bytes::Bytes;

use crate::domain::address::{Address, Kind};
use crate::domain::object::Record;
use crate::domain::principal::Principal;
use crate::domain::refusal::Refusal;
use crate::ical::write;
use crate::service::Service;
use crate::service::veil;

/// Bytes of all objects of one export; a larger collection is refused and must be read object by object. 64 MiB.
const EXPORT_MAX: u64 = 67_108_864;
/// Records that are read at a time.
const PAGE: usize = 500;

impl Service {
    /// Everything that the caller sees at an address, merged. An object that changes meanwhile is in it as it was or as it is.
    pub async fn export(&self, caller: &Principal, address: &Address) -> Result<Bytes, Refusal> {
        let view = self.view(&caller.name, address).await?;
        let source = &view.source;
        let (mut bodies, mut total) = (Vec::new(), 0);
        let mut page = self.objects(source, None, PAGE).await?;
        while let Some(last) = page.last().map(|record: &Record| record.name.clone()) {
            for record in &page {
                total += record.size;
                if total > EXPORT_MAX {
                    return Err(Refusal::TooLarge { limit: EXPORT_MAX });
                }
                // One that was deleted since the page was read is left out.
                if let Some((now, body)) = self.store.object_with_body(source.id, &record.name).await? {
                    let limits = self.line_limits();
                    bodies.push(if view.veils(&now) { veil::veiled(address.kind(), &body, &limits) } else { body });
                }
            }
            page = self.objects(source, Some(&last), PAGE).await?;
        }
        let (kind, name) = (address.kind(), view.shown.display_name);
        let merged = tokio::task::spawn_blocking(move || {
            let bodies: Vec<&[u8]> = bodies.iter().map(|body| &body[..]).collect();
            match kind {
                Kind::Calendar => write::collection(&name, &bodies),
                Kind::AddressBook => write::cards(&bodies),
            }
        });
        Ok(Bytes::from(merged.await.map_err(|_| self.fault("the writer of exports panicked"))?))
    }
}
