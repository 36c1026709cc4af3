//! `GET /api/addressbooks/{user}/{id}/contacts`: the cards of a book, or those that a search finds, page by page.

use http::StatusCode;
use serde_json::{Value, json};
use warp::reply::Response;

use crate::api::{House, address, signed};
use crate::domain::address::{Address, Kind};
use crate::domain::refusal::{Fault, Refusal};
use crate::http::call::{Call, href};
use crate::http::problem;
use crate::service::contacts::Contact;

/// Contacts of a page when nobody says, and at most.
const PAGE: usize = 100;
const PAGE_MAX: usize = 1_000;

pub async fn list(user: String, id: String, house: House, call: Call) -> Response {
    signed(house, call, |house, call, caller| async move {
        let at = address(Kind::AddressBook, &user, &id)?;
        let query = call.parameter("q").unwrap_or_default();
        let cursor = call.parameter("cursor");
        let found = house.contacts(&caller, &at, &query, cursor.as_deref(), limit(&call)?).await?;
        let body = json!({
            "contacts": found.list.iter().map(|one| shape(&at, one)).collect::<Vec<Value>>(),
            "next": found.next.as_deref(),
        });
        Ok(problem::json(StatusCode::OK, &body))
    })
    .await
}

fn limit(call: &Call) -> Result<usize, Refusal> {
    let Some(text) = call.parameter("limit") else { return Ok(PAGE) };
    let limit = text.parse().ok().filter(|limit| (1..=PAGE_MAX).contains(limit));
    limit.ok_or_else(|| Fault::whole(format!("limit must be between 1 and {PAGE_MAX}, got {text:?}")).into())
}

fn shape(at: &Address, contact: &Contact) -> Value {
    json!({
        "uid": contact.uid,
        "name": contact.name,
        "organization": contact.organization,
        "emails": contact.emails,
        "phones": contact.phones,
        "url": href(at, Some(&contact.object)),
        "etag": contact.etag.as_str(),
    })
}
