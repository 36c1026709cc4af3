//! The end of an import: its last commit, and the event that tells it.

use crate::domain::event::Event;
use crate::domain::import::{Failure, Import, Status};
use crate::domain::notification::{Draft, MessageId};
use crate::domain::refusal::Refusal;
use crate::service::Service;
use crate::service::ledger::{Ledger, Place, Wanted};
use crate::store::journal::Pen;
use crate::store::{imports, keys, record};

impl Service {
    pub(crate) async fn fail_import(&self, import: Import, why: &str) -> Result<(), Refusal> {
        self.finish(import, Some(Failure { line: 1, uid: None, why: why.to_owned() })).await
    }

    /// The last commit of an import: its end, and the event that tells it. With a failure, it failed as a whole.
    pub(crate) async fn finish(&self, import: Import, failure: Option<Failure>) -> Result<(), Refusal> {
        let status = if failure.is_some() { Status::Failed } else { Status::Completed };
        // Who may not even read a collection cannot make the sockets of those who do speak.
        let origin = match self.view(&import.user, &import.target).await {
            Ok(view) => Some((view.source.id, view.source.address)),
            Err(Refusal::NotFound | Refusal::Forbidden) => None,
            Err(refusal) => return Err(refusal),
        };
        let now = self.now();
        let place = Place { user: import.user.clone(), ..Place::of_imports(&import.target) };
        let id = MessageId::of(place.conversation, &Draft::import(&import.id, None).key);
        let mut wanted = Wanted::default();
        wanted.message(&place.user, place.conversation, id);
        let mut reads = vec![keys::import(&import.id)];
        reads.extend(wanted.reads());
        self.commit(reads, move |seen, stamp| {
            let mut ended = match seen.first() {
                Some(Some(bytes)) => record::imports::import(bytes)?,
                _ => return Err(Refusal::NotFound),
            };
            if ended.status.ended() {
                return Ok((Vec::new(), ()));
            }
            ended.status = status;
            let mut writes = Vec::new();
            imports::write(&mut writes, &ended);
            if let Some(failure) = &failure {
                imports::write_failure(&mut writes, &ended.id, ended.counts.failed, failure, "unreadable");
            }
            let counts = (status == Status::Completed).then(|| (ended.counts.succeeded(), ended.counts.failed));
            // Who reads a feed asked for none of its imports: what changed is told, and how the feed fares.
            if ended.order.fed {
                return Ok((writes, ()));
            }
            let mut ledger = Ledger::open(&wanted, seen.get(1..).unwrap_or_default(), now)?;
            ledger.post(&place, "", &Draft::import(&ended.id, counts), now);
            ledger.close(&mut writes, stamp.0);
            if let Some((collection, address)) = origin.clone() {
                let import = ended.id;
                Pen::new(now, stamp.0).tell(&mut writes, Event::Imported { collection, address, import, counts });
            }
            Ok((writes, ()))
        })
        .await?;
        self.nudges.imported.notify_waiters();
        Ok(())
    }
}
