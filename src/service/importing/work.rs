//! One import from where it stands to its end: the loop over its file. What one step does is `step.rs`.

use crate::domain::import::{Counts, Failure, Import, Mode, Status};
use crate::domain::refusal::Refusal;
use crate::service::Service;
use crate::service::importing::progress::Progress;
use crate::service::importing::text::{Text, placed};
use crate::store::{imports, keys, record};
use crate::system::pace::{self, Pace};

/// How often the same items are planned again because a zone changed meanwhile; then the import rests, and goes on.
const TRIES: usize = 8;

impl Service {
    /// Does one import from where it stands to its end, and tells how far it is at most twice a second of that pace.
    pub async fn work_import(&self, import: Import, pace: &dyn Pace) -> Result<(), Refusal> {
        let began = pace::now();
        let text = format!("{}.text", import.id);
        let outcome = self.work(import.clone(), &text, Progress::new(pace)).await;
        self.forget_file(&text);
        match outcome {
            // Whoever asked for it was removed meanwhile, and it with them.
            Err(Refusal::NotFound) => Ok(()),
            outcome => {
                outcome?;
                self.drop_file(&import).await?;
                self.meter.import_took(began.elapsed());
                Ok(())
            }
        }
    }

    async fn work(&self, mut import: Import, name: &str, mut progress: Progress<'_>) -> Result<(), Refusal> {
        let Some(upload) = self.store.upload(&import.user, &import.file).await? else {
            return self.fail_import(import, "the uploaded file is gone").await;
        };
        let mut text = match self.open_text(&upload, name).await? {
            Ok(text) => text,
            Err(fault) => return self.fail_import(import, &fault.to_string()).await,
        };
        // A dry run writes nothing that it could go on from.
        if import.status == Status::Queued || import.order.dry_run {
            import = self.begin_import(import, &text).await?;
        }
        let mut stands = 0;
        while (import.cursor as usize) < text.index.len() && !import.status.ended() {
            let cursor = import.cursor;
            import = self.import_some(import, &mut text, &mut progress).await?;
            stands = if import.cursor == cursor { stands + 1 } else { 0 };
            if stands == TRIES {
                return Err(Refusal::Busy { limit: "the zone of this calendar keeps changing", retry_seconds: 1 });
            }
        }
        if import.order.mode == Mode::Mirror && !import.status.ended() {
            let whole = text.index.whole && text.unpacked.whole;
            import = self.remove_gone(import, whole, &text.seen).await?;
        }
        self.finish(import, None).await
    }

    /// The file is readable: its size becomes known, and what cannot go in is noted.
    async fn begin_import(&self, mut import: Import, text: &Text) -> Result<Import, Refusal> {
        let index = &text.index;
        import.status = Status::Running;
        import.cursor = 0;
        import.total = index.len() as u64 + index.failed;
        import.counts = Counts { failed: index.failed, ..Counts::default() };
        text.unpacked.warnings.iter().for_each(|warning| import.warn(warning));
        if !index.whole {
            import.warn("the file is cut off");
        }
        let kept = import.clone();
        let failures: Vec<Failure> = index.failures.iter().map(|failure| placed(text, failure.clone())).collect();
        let (_, import) = self
            .commit(vec![keys::import(&import.id)], move |seen, _| {
                let current = match seen.first() {
                    Some(Some(bytes)) => record::imports::import(bytes)?,
                    _ => return Err(Refusal::NotFound),
                };
                if current.status.ended() {
                    return Ok((Vec::new(), current));
                }
                let mut writes = Vec::new();
                imports::write(&mut writes, &kept);
                for (number, failure) in (0..).zip(&failures) {
                    imports::write_failure(&mut writes, &kept.id, number, failure, "invalid");
                }
                Ok((writes, kept.clone()))
            })
            .await?;
        self.meter.imported("failed", index.failed);
        Ok(import)
    }
}
