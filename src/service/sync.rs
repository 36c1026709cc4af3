//! What changed in a collection since a token, and a first list of what is in it: RFC 6578. That of a whole home stands in `home_sync.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::collection::Collection;
use crate::domain::object::Record;
use crate::domain::refusal::Refusal;
use crate::domain::sync::{Change, Position, Token};
use crate::service::Service;
use crate::service::shelf::{PAGE, Walk};

/// Names that one list of changes holds at most; a longer one is cut there, and says so.
const CHANGES_MAX: usize = 50_000;

/// One line of a list of changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    There(Arc<Record>),
    Gone(String),
}

/// A list of changes, or a first list, given page by page.
pub struct Changes {
    source: Collection,
    rest: Rest,
    /// Lines that may still be given.
    left: usize,
    end: End,
}

enum Rest {
    Names(std::vec::IntoIter<String>),
    Objects(Walk, Option<Arc<str>>),
}

/// Where the list will have led once it is given whole.
enum End {
    /// A list of changes is cut before it is given.
    Known(Position, bool),
    /// A first list ends where its client's limit or its last object is.
    Listing(Token),
}

impl Service {
    /// What became of each name since `token`; `StaleToken` for a token that this collection did not give or has forgotten.
    pub async fn changes_since(
        &self,
        collection: &Collection,
        token: Token,
    ) -> Result<BTreeMap<String, Change>, Refusal> {
        self.store.changes_since(collection, token).await?.ok_or(Refusal::StaleToken)
    }

    /// What changed in a source behind a position, at most `limit` names in the order of their last changes; without a position all that
    /// is there, by name.
    pub async fn changes(
        &self,
        source: &Collection,
        position: Option<&Position>,
        limit: Option<usize>,
    ) -> Result<Changes, Refusal> {
        let source = source.clone();
        let left = limit.unwrap_or(usize::MAX);
        let (token, part) = match position {
            None => {
                let rest = Rest::Objects(self.walk(&source, None).await?, None);
                return Ok(Changes { rest, left, end: End::Listing(source.token), source });
            }
            Some(Position::Listed(token, after)) => {
                if !self.store.knows(&source, *token).await? {
                    return Err(Refusal::StaleToken);
                }
                let rest = Rest::Objects(self.walk(&source, Some(after)).await?, Some(Arc::from(after.as_str())));
                return Ok(Changes { rest, left, end: End::Listing(*token), source });
            }
            Some(Position::At(token)) => (*token, u32::MAX),
            Some(Position::Within(token, part)) => (*token, *part),
        };
        let found = self.store.changes_behind(&source, token, part, CHANGES_MAX).await?.ok_or(Refusal::StaleToken)?;
        let full = found.len() >= CHANGES_MAX;
        let mut rows: Vec<_> = found.into_iter().map(|(name, row)| (row.place, name)).collect();
        rows.sort_unstable();
        let cut = full || rows.len() > left;
        rows.truncate(left);
        let end = match rows.last() {
            Some(((stamp, part), _)) if cut => Position::Within(Token(*stamp), *part),
            None if cut => Position::Within(token, part),
            _ => Position::At(source.token),
        };
        let names = rows.into_iter().map(|(_, name)| name).collect::<Vec<_>>();
        Ok(Changes { source, rest: Rest::Names(names.into_iter()), left, end: End::Known(end, cut) })
    }
}

impl Changes {
    /// The next lines; `None` behind the last.
    pub async fn next(&mut self, service: &Service) -> Result<Option<Vec<Line>>, Refusal> {
        match &mut self.rest {
            Rest::Names(names) => {
                let page: Vec<String> = names.by_ref().take(PAGE).collect();
                if page.is_empty() {
                    return Ok(None);
                }
                let rows = service.store.objects_named(self.source.id, page.iter().map(String::as_str)).await?;
                // What stands there now counts: a later change is told once more.
                let line =
                    |(name, row): (String, Option<Record>)| row.map_or(Line::Gone(name), |r| Line::There(Arc::new(r)));
                Ok(Some(page.into_iter().zip(rows).map(line).collect()))
            }
            Rest::Objects(walk, after) => {
                // One more than may be given is looked for, to know whether there is more.
                let Some(mut page) = walk.page(service, |_| true).await? else {
                    *after = None;
                    return Ok(None);
                };
                if page.len() > self.left {
                    page.truncate(self.left);
                    let last = page.last().map(|last| last.name.clone()).or(after.take());
                    let last = last.map(|name| name.to_string()).unwrap_or_default();
                    self.end = End::Known(Position::Listed(self.end().0.token(), last), true);
                    self.rest = Rest::Names(Vec::new().into_iter());
                    return Ok((!page.is_empty()).then(|| page.into_iter().map(Line::There).collect()));
                }
                self.left -= page.len();
                *after = page.last().map(|last| last.name.clone());
                Ok(Some(page.into_iter().map(Line::There).collect()))
            }
        }
    }

    /// The position that the whole list leads to, and whether it was cut. Asked when `next` has come to its end.
    pub fn end(&self) -> (Position, bool) {
        match &self.end {
            End::Known(position, cut) => (position.clone(), *cut),
            End::Listing(token) => (Position::At(*token), false),
        }
    }
}
