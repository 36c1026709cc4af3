//! `/api/conversations` and `/api/channels`: what a person was told about their calendars, and how much of it is unread.

use http::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;
use warp::reply::Response;

use crate::api::{House, answer};
use crate::domain::notification::{Conversation, ConversationId, Message};
use crate::domain::principal::Principal;
use crate::domain::refusal::{Fault, Refusal};
use crate::http::auth;
use crate::http::call::Call;
use crate::http::notice::{self, millis};
use crate::http::problem;
use crate::service::Service;
use crate::service::collections::View;

/// Entries of a page when nobody says, and at most.
const PAGE: usize = 20;
pub const PAGE_MAX: usize = 100;

/// A part of a list: from where on, and how much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    from: usize,
    size: usize,
}

impl Page {
    /// Out of what a client said. A cursor is a place in the list, as an earlier answer gave it.
    pub fn read(cursor: Option<&str>, size: Option<usize>) -> Result<Page, Refusal> {
        let from = match cursor {
            None | Some("") => 0,
            Some(text) => text.parse().map_err(|_| Fault::whole(format!("{text:?} is no cursor")))?,
        };
        let size = size.unwrap_or(PAGE);
        if !(1..=PAGE_MAX).contains(&size) {
            return Err(Fault::whole(format!("a page has 1 to {PAGE_MAX} entries")).into());
        }
        Ok(Page { from, size })
    }

    /// The entries of a list that belong to it.
    pub fn of<T>(self, mut all: Vec<T>) -> (Vec<T>, Value) {
        let total = all.len();
        let end = self.from.saturating_add(self.size).min(total);
        let next = (end < total).then(|| end.to_string());
        let previous = (self.from > 0).then(|| self.from.saturating_sub(self.size).to_string());
        all.truncate(end);
        all.drain(..self.from.min(end));
        (all, json!({ "previous_cursor": previous, "next_cursor": next, "total": total }))
    }
}

pub fn paged(data: Vec<Value>, pagination: &Value) -> Value {
    json!({ "data": data, "pagination_data": pagination })
}

/// A conversation's number out of a path or a body.
pub fn number(text: &str) -> Result<ConversationId, Refusal> {
    Uuid::try_parse(text).map(ConversationId).map_err(|_| Refusal::NotFound)
}

/// A conversation with its last message. `channel` says under which name its person sees the calendar, while it stands.
fn shape(conversation: &Conversation, last: Option<&Message>, channel: Option<&str>) -> Value {
    json!({
        "id": conversation.id.0.to_string(),
        "uid": conversation.uid,
        "channel": notice::channel(&conversation.channel, channel),
        "created_at": millis(&conversation.created),
        "unread_message_count": conversation.unread.len(),
        "metadata": {
            "contact": { "display_name": conversation.title },
            "unread_count": conversation.unread.len(),
        },
        "last_message": last.map(|message| notice::message(message, &conversation.channel)),
    })
}

/// The same, looked up.
pub async fn shown(house: &Service, caller: &Principal, conversation: Conversation) -> Result<Value, Refusal> {
    let (conversation, last) = house.listed(caller, conversation).await?;
    let name = match house.view(&caller.name, &conversation.channel).await {
        Ok(view) => Some(view.shown.display_name).filter(|_| !view.source.down),
        Err(Refusal::NotFound | Refusal::Forbidden) => None,
        Err(refusal) => return Err(refusal),
    };
    Ok(shape(&conversation, last.as_ref(), name.as_deref()))
}

pub async fn list_page(house: &Service, caller: &Principal, page: Page) -> Result<Value, Refusal> {
    let (some, pagination) = page.of(house.conversations(caller).await?);
    let mut data = Vec::new();
    for conversation in some {
        data.push(shown(house, caller, conversation).await?);
    }
    Ok(paged(data, &pagination))
}

pub async fn message_page(
    house: &Service,
    caller: &Principal,
    id: ConversationId,
    page: Page,
) -> Result<Value, Refusal> {
    let (conversation, messages) = house.messages(caller, id).await?;
    let (some, pagination) = page.of(messages);
    let data = some.iter().map(|message| notice::message(message, &conversation.channel)).collect();
    Ok(paged(data, &pagination))
}

pub async fn channel_list(house: &Service, caller: &Principal) -> Result<Value, Refusal> {
    let channels = house.channels_of(&caller.name).await?;
    let shape = |view: &View| {
        let mut channel = notice::channel(&view.shown.address, Some(view.shown.display_name.as_str()));
        channel["connected"] = json!(!view.source.down);
        channel
    };
    Ok(json!({ "data": channels.iter().map(shape).collect::<Vec<_>>() }))
}

fn page(call: &Call) -> Result<Page, Refusal> {
    let size =
        call.parameter("limit").map(|text| text.parse().map_err(|_| Fault::whole(format!("{text:?} is no limit"))));
    Page::read(call.parameter("cursor").as_deref(), size.transpose()?)
}

/// `?cursor=` and `?limit=`; the last spoken in first.
pub async fn list(house: House, call: Call) -> Response {
    answer(
        async {
            let caller = auth::caller(&house, &call).await?;
            Ok(problem::json(StatusCode::OK, &list_page(&house, &caller, page(&call)?).await?))
        }
        .await,
    )
}

/// Newest first.
pub async fn messages(id: String, house: House, call: Call) -> Response {
    answer(
        async {
            let caller = auth::caller(&house, &call).await?;
            let shown = message_page(&house, &caller, number(&id)?, page(&call)?).await?;
            Ok(problem::json(StatusCode::OK, &shown))
        }
        .await,
    )
}

/// Everything in it has been read.
pub async fn read(id: String, house: House, call: Call) -> Response {
    answer(
        async {
            let caller = auth::caller(&house, &call).await?;
            house.mark_read(&caller, number(&id)?).await?;
            Ok(problem::empty(StatusCode::NO_CONTENT))
        }
        .await,
    )
}

pub async fn channels(house: House, call: Call) -> Response {
    answer(
        async {
            let caller = auth::caller(&house, &call).await?;
            Ok(problem::json(StatusCode::OK, &channel_list(&house, &caller).await?))
        }
        .await,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_follow_one_another() {
        let all: Vec<u32> = (0..5).collect();
        let page = |cursor, size| Page::read(cursor, size).map(|page| page.of(all.clone()));
        let (first, more) = page(None, Some(2)).expect("a page");
        assert_eq!((first, &more["next_cursor"], &more["previous_cursor"]), (vec![0, 1], &json!("2"), &Value::Null));
        let (last, more) = page(Some("4"), Some(2)).expect("a page");
        assert_eq!((last, &more["next_cursor"], &more["previous_cursor"]), (vec![4], &Value::Null, &json!("2")));
        assert_eq!(page(Some("99"), None).expect("a page").0, Vec::<u32>::new());
        for (cursor, size) in [(Some("x"), None), (Some("-1"), None), (None, Some(0)), (None, Some(PAGE_MAX + 1))] {
            assert!(page(cursor, size).is_err(), "{cursor:?} {size:?}");
        }
    }
}
