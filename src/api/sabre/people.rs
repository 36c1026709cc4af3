//! People as web apps of the Twake family look them up: `/api/user`, `/api/users/{id}`, `/api/users?email=`, `/api/entity/{id}`,
//! `/api/people/search`.

use bytes::Buf;
use futures_util::Stream;
use http::StatusCode;
use serde_json::{Value, json};
use warp::reply::Response;

use crate::api::sabre::configurations;
use crate::api::sabre::wrong::Wrong;
use crate::api::{House, caller_and_body};
use crate::domain::address::UserName;
use crate::domain::principal::Principal;
use crate::domain::refusal::Refusal;
use crate::http::auth;
use crate::http::call::{Call, decoded};
use crate::http::problem;

/// People that a search answers when nobody says, and at most.
const FOUND: usize = 10;
const FOUND_MAX: usize = 100;

/// A person without their settings. What Campanile does not know is not made up.
pub fn shape(person: &Principal) -> Value {
    let (first, last) = names(person);
    json!({
        "id": person.name.as_str(),
        "_id": person.name.as_str(),
        "firstname": first,
        "lastname": last,
        "preferredEmail": person.email,
        "emails": [person.email],
        "objectType": "user",
    })
}

/// The last word of what they are called is their last name, the rest their first.
fn names(person: &Principal) -> (&str, &str) {
    let whole = person.display_name.trim();
    whole.rsplit_once(char::is_whitespace).map_or((whole, ""), |(first, last)| (first.trim_end(), last))
}

/// 200 with the caller and their settings.
pub async fn oneself(house: House, call: Call) -> Response {
    outcome(
        async {
            let caller = auth::caller(&house, &call).await?;
            let mut shape = shape(&caller);
            shape["accounts"] =
                json!([{ "type": "email", "hosted": true, "preferredEmailIndex": 0, "emails": [caller.email] }]);
            shape["isPlatformAdmin"] = json!(caller.administrator);
            shape["configurations"] = json!({ "modules": configurations::modules(&house, &caller) });
            Ok(problem::json(StatusCode::OK, &shape))
        }
        .await,
    )
}

/// 200 with the person of that id.
pub async fn show(id: String, house: House, call: Call) -> Response {
    outcome(
        async {
            auth::caller(&house, &call).await?;
            Ok(problem::json(StatusCode::OK, &shape(&named(&house, &id).await?)))
        }
        .await,
    )
}

/// 200 with whom a calendar's first path segment names: `{"type":"user","user":{…}}`. There are no resources and no team calendars here.
pub async fn entity(id: String, house: House, call: Call) -> Response {
    outcome(
        async {
            auth::caller(&house, &call).await?;
            let body = json!({ "type": "user", "user": shape(&named(&house, &id).await?) });
            Ok(problem::json(StatusCode::OK, &body))
        }
        .await,
    )
}

async fn named(house: &House, id: &str) -> Result<Principal, Refusal> {
    let name = decoded(id).and_then(|id| UserName::new(&id)).ok_or(Refusal::NotFound)?;
    house.look_up(&name).await?.ok_or(Refusal::NotFound)
}

/// 200 with a list of the one person who has a mail address, or of nobody.
pub async fn of_mail(house: House, call: Call) -> Response {
    outcome(
        async {
            auth::caller(&house, &call).await?;
            let mail = call.parameter("email").unwrap_or_default();
            let found = house.person_of_mail(&mail).await?;
            Ok(problem::json(StatusCode::OK, &Value::Array(found.iter().map(shape).collect())))
        }
        .await,
    )
}

/// `POST /api/people/search {"q","limit"?,"objectTypes"?}`: 200 with the people that are found.
pub async fn search<B: Buf>(house: House, call: Call, stream: impl Stream<Item = Result<B, warp::Error>>) -> Response {
    outcome(
        async {
            let (caller, bytes) = caller_and_body(&house, &call, stream).await?;
            let body: Value =
                serde_json::from_slice(&bytes).map_err(|error| Wrong::Bad(format!("no JSON: {error}")))?;
            let query = body.get("q").and_then(Value::as_str).ok_or_else(|| Wrong::bad("q is missing"))?;
            let limit = match body.get("limit") {
                None | Some(Value::Null) => FOUND,
                Some(limit) => {
                    let limit = limit.as_u64().and_then(|limit| usize::try_from(limit).ok());
                    limit.ok_or_else(|| Wrong::bad("limit is a whole number"))?.min(FOUND_MAX)
                }
            };
            // Contacts and resources are not searched: asked for them alone, nobody is found.
            let types = body.get("objectTypes").and_then(Value::as_array);
            let people = types.is_none_or(|types| types.iter().any(|one| one == "user"));
            let found = if people { house.find_people(&caller, query, limit).await? } else { Vec::new() };
            let hit = |person: &Principal| {
                json!({
                    "id": person.name.as_str(),
                    "objectType": "user",
                    "names": [{ "displayName": person.display_name, "type": "default" }],
                    "emailAddresses": [{ "value": person.email, "type": "Work" }],
                    "phoneNumbers": [],
                    "photos": [],
                })
            };
            Ok(problem::json(StatusCode::OK, &Value::Array(found.iter().map(hit).collect())))
        }
        .await,
    )
}

/// A wrong as its answer.
pub fn outcome(outcome: Result<Response, Wrong>) -> Response {
    outcome.unwrap_or_else(|wrong| wrong.response())
}

/// What the real service answers below `/calendar/api`, and this one does not: searching events, secret links, booking links.
pub async fn elsewhere<B: Buf>(
    house: House,
    call: Call,
    stream: impl Stream<Item = Result<B, warp::Error>>,
) -> Response {
    outcome(match caller_and_body(&house, &call, stream).await {
        Ok(_) => Err(Wrong::NotHere(
            "searching events, secret links and booking links are not among what this service does".to_owned(),
        )),
        Err(refusal) => Err(refusal.into()),
    })
}
