//! Events by their paths, out of any calendars: `REPORT /calendars.json {"eventPaths":[…]}`.

use std::sync::Arc;

use http::StatusCode;
use serde_json::Value;
use warp::reply::Response;

use crate::api::sabre::Ask;
use crate::api::sabre::items::{Items, answer, listed};
use crate::api::sabre::place::{self, Place};
use crate::api::sabre::wrong::Wrong;
use crate::domain::address::{Address, Kind};
use crate::domain::query::Excerpt;
use crate::domain::refusal::Refusal;

/// A path as it was spelled, and what it names here.
type Wanted = (String, Option<(Address, String)>);

/// 207 with an item for each path: what is not there, or not for the caller, has the status 404.
pub async fn answered(ask: &Ask, kind: Kind, body: &Value) -> Result<Response, Wrong> {
    let paths = body.get("eventPaths").and_then(Value::as_array);
    let paths = paths.ok_or_else(|| Wrong::bad("eventPaths is missing: a list of paths"))?;
    let most = ask.house.settings().reports.hrefs;
    if paths.len() > most {
        return Err(Wrong::TooMany(format!("one question names at most {most} paths")));
    }
    let mut items = Items::default();
    let mut wanted: Vec<Wanted> = Vec::with_capacity(paths.len());
    for path in paths {
        let path = path.as_str().unwrap_or_default();
        wanted.push((path.to_owned(), object(kind, path)));
    }
    let mut rest = wanted.into_iter().peekable();
    while let Some((path, at)) = rest.next() {
        let Some((collection, name)) = at else {
            items.miss(&path);
            continue;
        };
        // Those of one calendar that stand together are read together.
        let mut run = vec![(path, name)];
        while let Some((path, Some((_, name)))) =
            rest.next_if(|(_, at)| at.as_ref().is_some_and(|(other, _)| *other == collection))
        {
            run.push((path, name));
        }
        let names: Vec<String> = run.iter().map(|(_, name)| name.clone()).collect();
        let found = match ask.house.view(&ask.caller.name, &collection).await {
            Ok(view) => ask.house.named(&view, &names, Some(Arc::new(Excerpt::default())), None).await?.found,
            Err(Refusal::NotFound | Refusal::Forbidden) => Vec::new(),
            Err(refusal) => return Err(refusal.into()),
        };
        let mut found = found.into_iter();
        for (path, _) in run {
            match found.next().flatten() {
                Some(one) => items.take(&ask.house, &collection, vec![one]).await?,
                None => items.miss(&path),
            }
        }
    }
    Ok(answer(StatusCode::MULTI_STATUS, &listed(&format!("/{}.json", kind.root()), items.list)))
}

fn object(kind: Kind, path: &str) -> Option<(Address, String)> {
    match place::place(path, false)? {
        Place::Object(at) if at.collection().kind() == kind => Some((at.collection().clone(), at.name().to_owned())),
        _ => None,
    }
}
