//! News for a crowd of subscribers, told in slices: no commit holds the others up, and a crash between two goes on behind the last.

use crate::domain::collection::{Collection, ListNews, Source};
use crate::domain::event::ListChange;
use crate::domain::refusal::Refusal;
use crate::service::Service;
use crate::service::collections::tell;
use crate::store::announcements::{self, Announcement};
use crate::store::journal::Pen;
use crate::store::{collections, keys};

/// Subscribers that the commit of a change tells itself; more are told behind it, so many a commit.
pub const INLINE: usize = 256;

impl Service {
    /// Tells the next slice of every announcement; whether more are left.
    pub async fn announce(&self) -> Result<bool, Refusal> {
        let mut left = false;
        for news in self.store.announcements().await? {
            left |= self.announce_slice(news).await?;
        }
        Ok(left)
    }

    async fn announce_slice(&self, news: Announcement) -> Result<bool, Refusal> {
        let slice = self.store.subscribers_behind(news.source, news.after.as_ref(), INLINE).await?;
        let more = slice.len() == INLINE;
        let head = self.store.collection_by_id(news.source).await?;
        let mut reads = vec![keys::announcement(news.source, news.ends)];
        reads.extend(slice.iter().map(keys::collection));
        let (now, told, ends) = (self.now(), slice.clone(), news.ends);
        let (_, gone) = self
            .commit(reads, move |seen, stamp| {
                // Somebody else told this slice, or there is other news since.
                if seen.first().and_then(Option::as_ref) != Some(&announcements::packed(&news)) {
                    return Ok((Vec::new(), Vec::new()));
                }
                let (mut writes, mut lines, mut gone) = (Vec::new(), Vec::new(), Vec::new());
                for row in seen.iter().skip(1) {
                    let meant = |leaf: &Collection| {
                        matches!(&leaf.source, Source::Subscribed(_, id) if *id == news.source)
                            && leaf.id.0 < news.before
                    };
                    let Some(mut leaf) = collections::seen(Some(row))?.filter(meant) else { continue };
                    // Its source may have got another name.
                    if let Some(head) = head.as_ref().filter(|head| !news.ends && *leaf.origin().0 != head.address) {
                        leaf.source = Source::Subscribed(head.address.clone(), head.id);
                        collections::write(&mut writes, &leaf);
                    }
                    let change = if news.ends { ListChange::Deleted } else { ListChange::Updated };
                    lines.push(ListNews { user: leaf.address.user().clone(), change, address: leaf.address.clone() });
                    if news.ends {
                        collections::remove(&mut writes, &leaf);
                        gone.push(leaf.address);
                    }
                }
                if more {
                    announcements::write(&mut writes, &Announcement { after: told.last().cloned(), ..news.clone() });
                } else {
                    announcements::done(&mut writes, news.source, news.ends);
                }
                tell(&mut Pen::new(now, stamp.0), &mut writes, lines);
                Ok((writes, gone))
            })
            .await?;
        if ends {
            for channel in &gone {
                self.forget_channel(channel).await?;
            }
        }
        Ok(more)
    }
}
